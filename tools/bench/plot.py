"""One SVG with two charts: memory against list length, and speed against other libraries."""
import math

# Class: colour on a light ground, on a dark one.
INKS = {"ink": ("#1f2328", "#f0f6fc"), "soft": ("#59636e", "#9198a1"),
        "grid": ("#d1d9e0", "#3d444d"), "back": ("#ffffff", "#0d1117"),
        "ours": ("#0969da", "#58a6ff"), "k0": ("#54aeff", "#1f6feb"), "k1": ("#8250df", "#bc8cff"),
        "k2": ("#1a7f37", "#56d364"), "k3": ("#bc4c00", "#f0883e"), "k4": ("#9a6700", "#d29922"),
        "k5": ("#6e7781", "#8b949e"), "bar": ("#afb8c1", "#545d68")}


def style():
    out = ["text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }",
           ".title { font-size: 15px; font-weight: 600; } .soft { font-size: 12px; }",
           ".end { text-anchor: end; } .mid { text-anchor: middle; } .bold { font-weight: 600; }",
           ".line { stroke-width: 2; stroke-linejoin: round; } .wide { stroke-width: 3.5; }"]
    for dark in (0, 1):
        rules = ["text, .f-ink { fill: %s; }" % INKS["ink"][dark]]
        rules += [".f-%s { fill: %s; }" % (n, c[dark]) for n, c in INKS.items()]
        rules += ["text.soft { fill: %s; }" % INKS["soft"][dark]]
        rules += [".line.s-%s { fill: none; stroke: %s; }" % (n, c[dark]) for n, c in INKS.items()]
        rules += [".grid { stroke: %s; }" % INKS["grid"][dark]]
        text_rules = "\n    ".join(rules)
        out.append("@media (prefers-color-scheme: dark) {\n    %s\n}" % text_rules if dark
                   else text_rules)
    return "\n".join(out)


def text(x, y, words, kind=""):
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return '<text x="%.1f" y="%.1f" class="%s">%s</text>' % (x, y, kind, words)


def size(n):
    for unit, factor in (("MB", 1 << 20), ("KB", 1 << 10)):
        if n >= factor:
            return "%.3g %s" % (n / factor, unit)
    return "%d B" % n


def spread(wanted, gap):
    """Label heights near the wanted ones, at least `gap` apart."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    out = list(wanted)
    for before, i in zip(order, order[1:]):
        out[i] = max(out[i], out[before] + gap)
    return out


def memory_chart(series, x0, y0, width, height):
    """series: {name: {length: bytes}}; both axes logarithmic."""
    lengths = sorted({n for line in series.values() for n in line})
    low, high = 10, math.ceil(math.log2(max(v for s in series.values() for v in s.values())))
    high += (high - low) % 2

    def x(n):
        return x0 + width * math.log(n / lengths[0]) / math.log(lengths[-1] / lengths[0])

    def y(v):
        return y0 + height * (1 - (math.log2(v) - low) / (high - low))

    out = [text(x0 - 60, y0 - 38, "Memory against list length", "title"),
           text(x0 - 60, y0 - 20, "all fields of every chat; peak heap, buffers and body", "soft")]
    for power in range(low, high + 1, 2):
        out.append('<path class="grid" d="M%.1f %.1fh%.1f"/>' % (x0, y(2 ** power), width))
        out.append(text(x0 - 8, y(2 ** power) + 4, size(2 ** power), "soft end"))
    for n in lengths:
        out.append(text(x(n), y0 + height + 20, "{:,}".format(n), "soft mid"))
    out.append(text(x0 + width / 2, y0 + height + 40, "chats in the list", "soft mid"))
    ends = spread([y(line[lengths[-1]]) + 4 for line in series.values()], 16)
    other = 0
    for (name, line), label in zip(series.items(), ends):
        ours = name.startswith("avito")
        colour = "ours" if ours and "fast" not in name else "k%d" % other
        other += colour != "ours"
        points = " ".join("%.1f,%.1f" % (x(n), y(line[n])) for n in lengths)
        out.append('<polyline class="line s-%s%s" points="%s"/>' % (
            colour, " wide" if ours else "", points))
        out.append(text(x0 + width + 8, label, "%s, %s" % (name, size(line[lengths[-1]])),
                        "f-%s%s" % (colour, " bold" if ours else "")))
    return out


def speed_chart(bars, x0, y0, width):
    """bars: [(name, times as fast as cJSON)]"""
    top = max(v for _, v in bars)
    out = [text(x0 - 190, y0 - 38, "Speed, times as fast as cJSON", "title"),
           text(x0 - 190, y0 - 20, "text to the same structs, every field, 100 chats", "soft")]
    for row, (name, value) in enumerate(bars):
        y, ours = y0 + row * 30, name.startswith("avito")
        out.append(text(x0 - 10, y + 15, name, "end bold" if ours else "end"))
        out.append('<rect x="%.1f" y="%.1f" width="%.1f" height="20" rx="2" class="f-%s"/>' % (
            x0, y, max(1.5, width * value / top), "ours" if ours else "bar"))
        out.append(text(x0 + width * value / top + 8, y + 15, "%.2g" % value if value < 10
                        else "%.0f" % value, "bold" if ours else ""))
    return out


def draw(path, memory, bars):
    height = 470 + 30 * len(bars)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 %d" width="800" height="%d" '
           'role="img" aria-label="Memory against list length, and speed, of avito_messenger.h '
           'and other JSON libraries">' % (height, height),
           "<style>\n%s\n</style>" % style(), '<rect class="f-back" width="800" height="%d" rx="6"/>' % height]
    out += memory_chart(memory, 90, 70, 470, 260)
    out += speed_chart(bars, 220, 450, 480)
    out.append("</svg>\n")
    with open(path, "w") as f:
        f.write("\n".join(out))
