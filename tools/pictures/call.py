#!/usr/bin/env python3
"""The picture of the path of a call, drawn from the manual's chapter HOW IT IS BUILT.

    call.py             writes call.svg beside this file
    call.py --check     is it what the chapter says now? "ok - what" / "not ok - what"
"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools", "bench"))
import plot  # noqa: E402

PICTURE = "tools/pictures/call.svg"
WIDTH, BOX, GAP, HEIGHT = 800, 140, 20, 150
# What the chapter does not say: who gives it, and where bytes are meanwhile.
YOURS = {"arguments": "a function such as avito_get_chat(); its arguments are checked before a byte leaves",
         "model": "the struct that you gave; its strings and lists lie in your arena, until you reset it",
         "wire": "HTTP/1.1, under TLS, with the token of the account"}
OUT = ["arguments", "endpoint", "request writer", "transports", "wire"]
BACK = ["model", "schemas", "JSON machine", "response reader", "transports"]


def rows_of_chapter():
    """{name: (titles of its chapters, what it is)}"""
    with open("avito_messenger.h", encoding="utf-8") as file:
        header = file.read()
    titles = dict(re.findall(r"^ \* +>>(\d+) (.*?)(?: \(.*)?$", header, re.M))
    chapter = re.search(r"^ \* >>\d+ HOW IT IS BUILT\n \* =+ \*\n(.*?)^ \* ====", header, re.S | re.M).group(1)
    rows = {}
    for name, chapters, first, more in re.findall(
            r"^ \*   (\w[\w ]*?) \((>>[\d, >]+)\)\s+(\S.*)\n((?: \*      +\S.*\n)*)", chapter, re.M):
        words = " ".join([first, *(line.lstrip(" *") for line in more.splitlines())])
        rows[name] = (", ".join(titles[n] for n in re.findall(r"\d+", chapters)), words)
    return rows


def wrapped(words, columns):
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) + 1 > columns and lines[-1]:
            lines.append("")
        lines[-1] = (lines[-1] + " " + word).strip()
    return lines


def first_part(words):
    """Up to the end of its first sentence or clause."""
    return re.split(r"(?<=\w)[.;] ", words)[0].rstrip(".")


def box(x, y, name, words, chapters, kind):
    out = [f'<rect x="{x}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="5" class="box {kind}"/>', plot.text(x + 10, y + 20, name, "bold")]
    for i, line in enumerate(wrapped(words, 20)[:7]):
        out.append(plot.text(x + 10, y + 38 + 14 * i, line, "small"))
    titles = wrapped(chapters, 21)
    for i, line in enumerate(titles):
        out.append(plot.text(x + 10, y + HEIGHT - 8 - 12 * (len(titles) - 1 - i), line, "title-of"))
    return out


def arrow(x, y, dx):
    return f'<path class="arrow" d="M{x} {y}h{dx - (5 if dx > 0 else -5)}m{-4 if dx > 0 else 4} -4l{5 if dx > 0 else -5} 4l{-5 if dx > 0 else 5} 4"/>'


def line_of(names, y, rows, direction):
    out = []
    for i, name in enumerate(names):
        x = GAP // 2 + i * (BOX + GAP)
        chapters, words = rows.get(name, ("", YOURS.get(name, "")))
        kind = "yours" if name in ("arguments", "model", "transports", "wire") else "ours"
        title = {"transports": "transport", "arguments": "your call", "model": "your struct"}.get(name, name)
        words = "yours, or sockets and BearSSL" if name == "transports" else words if name in YOURS else first_part(words)
        out += box(x, y, title, words, chapters, kind)
        if i:
            out.append(arrow(x - GAP, y + HEIGHT // 2, GAP) if direction > 0 else arrow(x, y + HEIGHT // 2, -GAP))
    return out


def svg():
    rows = rows_of_chapter()
    top, bottom, band = 16, 262, 190
    right = GAP // 2 + 4 * (BOX + GAP) + BOX // 2
    machine = rows["call machine"]
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 458" width="800" height="458" role="img" '
           'aria-label="The path of a call, from your arguments to the wire and back into your struct">',
           f"<style>\n{plot.style()}\n.small {{ font-size: 11px; }} .title-of {{ font-size: 9.5px; }} .box {{ fill: none; stroke-width: 1.5; }}\n"
           ".ours { stroke: #0969da; } .yours { stroke: #1a7f37; } .arrow { fill: none; stroke: #6e7781; stroke-width: 1.5; }\n</style>",
           '<rect class="f-back" width="800" height="458" rx="6"/>',
           *line_of(OUT, top, rows, 1), *line_of(BACK, bottom, rows, -1),
           f'<path class="arrow" d="M{right} {top + HEIGHT}v{bottom - top - HEIGHT - 5}m-4 -4l4 5l4 -5"/>',
           f'<rect x="{GAP // 2 + BOX + GAP}" y="{band - 8}" width="{3 * BOX + 2 * GAP}" height="62" rx="5" class="box ours"/>',
           plot.text(GAP // 2 + BOX + GAP + 10, band + 12, "call machine", "bold"),
           plot.text(GAP // 2 + 4 * (BOX + GAP) - GAP - 8, band + 12, machine[0], "title-of end"),
           *(plot.text(GAP // 2 + BOX + GAP + 10, band + 29 + 14 * i, line, "small") for i, line in enumerate(wrapped(machine[1], 76)[:2])),
           plot.text(GAP // 2, 440, "Green: yours. Blue: this header; in capitals its chapters. What is on its way lies in your window, what is decoded in your arena.", "soft"),
           "</svg>\n"]
    return "\n".join(out)


def main():
    os.chdir(TOP)
    if sys.argv[1:] != ["--check"]:
        with open(PICTURE, "w", encoding="utf-8") as file:
            file.write(svg())
        return 0
    with open(PICTURE, encoding="utf-8") as file:
        same = file.read() == svg()
    print(("ok - " if same else "not ok - ") + f"{PICTURE} is what the manual says" + ("" if same else ", not: make pictures"))
    return not same


if __name__ == "__main__":
    sys.exit(main())
