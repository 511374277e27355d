#!/usr/bin/env python3
"""Measures the header beside other libraries and writes report.md and plot.svg.

usage: bench.py OUT [--quick] [--peers-only] [--accept]

--quick       only the gates of decoding
--peers-only  without the header, to check the bench itself
--accept      also write the plot that the README shows

Gates are instructions (callgrind), system calls and bytes: they repeat. Times are ratios taken inside
one run, printed and never gated. Exit status 1 when a gate is missed, or when the decoders disagree on
any field.
"""
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import plot
import shapes
from decode import Decode
from network import Network

KB = 1024
LISTS = ["chats100.raw", "chats100.esc", "messages100.raw", "messages100.esc"]
HOSTILE = {"deep": "nests of 24 arrays", "empty": "empty chats", "inner": "empty objects",
           "long": "one long string", "keys": "unknown keys in one object", "flat": "a long array"}
PACKAGES = ["libcjson-dev", "libjansson-dev", "libjson-c-dev", "rapidjson-dev", "libsimdjson-dev",
            "libyyjson-dev", "libcurl4-openssl-dev", "libbearssl-dev", "libjsmn-dev", "nginx-light",
            "gcc"]
TREES = ["cjson", "simdjson", "rapidjson", "jsonc", "jansson"]
FAST, SMALL = (16 * KB, 8 * KB), (512, 6 * KB)  # window and arena, as in peer_ours.c
OURS, PORTABLE = shapes.OURS, shapes.PORTABLE
YYJSON = "yyjson"  # Debian 13 has it, Debian 12 does not


class Report:
    """Rows of the table. A row with a limit is met or missed; only gates decide the exit status."""

    def __init__(self):
        self.rows, self.missed, self.text = [], [], []

    def row(self, measure, anchor, reach, measured, met=None, gate=True):
        word = "" if met is None else "yes" if met else "NO" if gate else "not yet (aim)"
        self.rows.append((measure, anchor, reach, measured, word))
        if met is False and gate:
            self.missed.append(measure)

    def at_most(self, measure, anchor, value, gate, aim=None, form="%.1f", unit=""):
        reach = "≤ " + form % gate + unit
        self.row(measure, anchor, reach, form % value + unit, value <= gate)
        if aim is not None:
            self.row(measure, "", "aim ≤ " + form % aim + unit, form % value + unit, value <= aim,
                     False)

    def faster(self, measure, anchor, value, *aims):
        """Times: never gates."""
        for aim in aims:
            self.row(measure, anchor, "aim ≥ %gx" % aim, "%.2fx" % value, value >= aim, False)

    def table(self, heads, rows):
        widths = [max(len(str(r[i])) for r in [heads, *rows]) for i in range(len(heads))]
        for i, r in enumerate([heads, None, *rows]):
            cells = ["-" * w for w in widths] if r is None else [
                str(c).ljust(w) for c, w in zip(r, widths)]
            self.text.append("| " + " | ".join(cells) + " |")
        self.text.append("")

    def head(self, words):
        self.text += ["## " + words, ""]

    def say(self, words):
        self.text += [words, ""]


def agree(decode, report, plugins):
    """All decoders must give one hash over all fields of every list."""
    names = LISTS + ["chats10000.raw", "messages10000.raw"] + shapes.names_of(shapes.SHAPES)
    rows, good = [], True
    for name in names:
        found = decode.hashes(name, plugins)
        full = {r["hash"] for r in found if "avatars" not in r["peer"]}
        bare = {r["hash_without_avatars"] for r in found}
        count = {r["count"] for r in found}
        same = len(full) == 1 and len(bare) == 1 and count == {decode.index[name]["elements"]}
        good &= same and all(r["result"] == 0 for r in found)
        rows.append((name, "{:,}".format(decode.index[name]["bytes"]),
                     decode.index[name]["elements"], "{:,}".format(decode.index[name]["tokens"]),
                     len(found), " ".join(sorted(full)) if same else "DIFFERENT"))
        if not same:
            for r in found:
                print("  ", name, r, file=sys.stderr)
    report.head("One hash over all decoded fields")
    report.table(("payload", "bytes", "elements", "tokens", "decoders", "hash"), rows)
    report.row("all decoders agree on every field", "", "one hash", "%d lists" % len(names), good)


def count_all(decode, jobs):
    """jobs: [(plugin, files)], two at a time."""
    counts, refused = {}, []

    def one(job):
        number, (plugin, names) = job
        return decode.instructions(plugin, names, "%d" % number)

    with ThreadPoolExecutor(2) as pool:
        for found, bad in pool.map(one, enumerate(jobs)):
            counts.update(found)
            refused += bad
    return counts, refused


def per_byte(decode, counts, peer, name):
    return counts[peer, name] / decode.index[name]["bytes"]


def decode_gates(decode, report, counts, times):
    def ib(peer, name="chats100.raw"):
        return per_byte(decode, counts, peer, name)

    def faster(peer, than):
        return times[than]["ratio"] / times[peer]["ratio"]

    anchors = "cJSON %.1f, simdjson %.1f, RapidJSON %.1f, jsmn alone %.1f to %.1f" % (
        ib("cJSON"), ib("simdjson"), ib("RapidJSON"), ib("jsmn strict+links, tokens only"),
        ib("jsmn, tokens only"))
    report.at_most("100 chats, all fields, 16 KB window: instructions/byte", anchors, ib(OURS), 14,
                   12)
    report.faster("the same: time against cJSON", "", faster(OURS, "cJSON"), 4.5, 5)
    report.faster("the same: time against simdjson", "", faster(OURS, "simdjson"), 0.75)
    report.at_most("the same, portable C: instructions/byte", "", ib(PORTABLE), 18, 16)
    report.faster("the same, portable C: time against cJSON", "", faster(PORTABLE, "cJSON"), 3.5)
    report.at_most("without avatars (mask): instructions/byte",
                   "simdjson, everything %.1f" % ib("simdjson"), ib(OURS + ", no avatars"), 11, 9)
    report.faster("without avatars: time against simdjson with everything", "",
                  faster(OURS + ", no avatars", "simdjson"), 1)
    for name, base, words in (("chats100.esc", "chats100.raw", "chats, escaped: against raw chats"),
                              ("messages100.raw", "chats100.raw", "messages: against raw chats"),
                              ("messages100.esc", "messages100.raw",
                               "messages, escaped: against raw messages")):
        ratio = ib(OURS, name) / ib(OURS, base)
        anchor = "cJSON %.2fx" % (ib("cJSON", name) / ib("cJSON", base))
        words += ", instructions/byte"
        if name == "messages100.raw":  # has few plain bytes per member
            report.row(words, anchor, "told only", "%.2fx" % ratio)
        else:
            report.at_most(words, anchor, ratio, 1.2, None, "%.2f", "x")


def growth_gates(decode, report, counts):
    for kind in ("chats", "messages"):
        each = [counts[OURS, "%s%d.raw" % (kind, n)] / n for n in (100, 10000)]
        report.at_most("%s: instructions per element at 10,000 against 100" % kind,
                       "jsmn by default: 110x (chats)" if kind == "chats" else "",
                       each[1] / each[0], 1.1, None, "%.3f", "x")
    for shape, words in HOSTILE.items():
        for peer, how in ((OURS, ""), (OURS + ", 1-byte pieces", ", 1-byte pieces")):
            a, b = (counts[peer, shape + "." + s] for s in ("1x", "10x"))
            longer = decode.index[shape + ".10x"]["bytes"] / decode.index[shape + ".1x"]["bytes"]
            report.at_most("%s%s: instructions/byte, 10 times as long" % (words, how), "linear",
                           b / a / longer, 1.1, None, "%.3f", "x")


def memory_gates(decode, report):
    rows = {r["peer"]: r for r in decode.heap("ours", "chats10000.raw")}
    rows.update({"messages " + r["peer"]: r for r in decode.heap("ours", "messages10000.raw")})
    peer = decode.heap("cjson", "chats100.raw")[0]
    anchor = "cJSON, 100 chats: {:,} KB + body, {:,} allocations".format(
        peer["peak"] // KB, peer["calls"])
    for name, words, limit, given in ((OURS, "fast", 44, FAST), (OURS + ", small", "small", 8, SMALL)):
        every = max(rows[p + name]["fixed"] for p in ("", "messages "))
        whole = not any(rows[p + name]["result"] for p in ("", "messages "))
        report.row("memory for a list of any length, %s setting: window + arena" % words, anchor,
                   "≤ %d KB" % limit, "{:,} + {:,} = {:,} B".format(*given, sum(given)),
                   whole and sum(given) <= limit * KB)
        report.row("the same with lane, account and tokens", "", "aim ≤ %d KB" % limit,
                   "{:,} B".format(every), whole and every <= limit * KB, False)
        anchor = ""
    calls = sum(rows[n]["calls"] for n in rows)
    report.row("heap calls", "", "0", str(calls), calls == 0)


def decode_table(decode, report, counts, times, heaps):
    report.head("Decoding into the same structs, every field")
    rows = []
    for peer in sorted(times, key=lambda p: times[p]["ratio"]):
        if (peer, "chats100.raw") not in counts:
            continue
        h = heaps.get(peer)
        per = counts[peer, "chats100.raw"]
        rows.append((peer, "%.2fx" % (times["cJSON"]["ratio"] / times[peer]["ratio"]),
                     *("%.1f" % per_byte(decode, counts, peer, n)
                       if (peer, n) in counts else "" for n in LISTS),
                     "{:,.0f}".format(per / 100),
                     "%.0f" % (per / decode.index["chats100.raw"]["tokens"]),
                     "{:,}".format(h["calls"]) if h else "",
                     "{:,} KB".format((h["peak"] + h["fixed"] + h["body"] + 512) // KB) if h else "",
                     "%.0f MB/s" % (decode.index["chats100.raw"]["bytes"] * 1e3 /
                                    times[peer]["ns"])))
    report.table(("decoder", "speed, cJSON = 1", "instr/byte chats raw", "escaped", "messages raw",
                  "escaped", "instr/chat", "instr/token", "heap calls", "memory, body included",
                  "this machine"), rows)
    report.say("Speed is the median of paired rounds on 100 raw chats, in CPU time. Ours and RapidJSON copy the "
               "text once (window, in-place parsing), which is in the figure. jsmn makes tokens "
               "only: no strings, no structs.")


def checks_table(decode, report, plugins):
    names = [n for n in decode.index if decode.index[n]["kind"] == "broken"]
    utf8 = [n for n in names if "utf8" in n]
    rows = []
    for plugin in plugins:
        refused = decode.probe(plugin)
        peer = next(iter(refused))[0]
        bad = [n for n in names if n not in utf8]
        missed = [decode.index[n]["what"] for n in bad if not refused[peer, n]]
        rows.append((peer, "%d of %d" % (sum(refused[peer, n] for n in utf8), len(utf8)),
                     "%d of %d" % (len(bad) - len(missed), len(bad)), "; ".join(missed)))
        if peer == OURS:
            report.row("faults in UTF-8 and syntax refused", "", "all",
                       "%d of %d" % (sum(refused[peer, n] for n in names), len(names)),
                       all(refused[peer, n] for n in names))
    report.head("Who checks what")
    report.table(("decoder", "faults in UTF-8 refused", "faults in syntax refused", "lets through"),
                 rows)


def fastest(net):
    """Which decoder net_fast is linked with (bench.mk)."""
    return YYJSON if os.path.exists(os.path.join(net.out, YYJSON + ".so")) else "simdjson"


def small_call(net, report, ours):
    rows = []
    for tls, limit, anchor in ((False, 9000, "86.9 k"), (True, 16000, "101 k")):
        words = "small call, kept connection%s" % (", TLS" if tls else "")
        theirs = net.instructions("curl", "self", tls=tls), net.syscalls("curl", "self", tls=tls)
        rows.append(("libcurl + cJSON" + (", TLS" if tls else ""), "{:,.0f}".format(theirs[0]),
                     "%.1f" % theirs[1]))
        if not ours:
            continue
        mine = net.instructions("ours", "self", tls=tls), net.syscalls("ours", "self", tls=tls)
        rows.append(("ours" + (", TLS" if tls else ""), "{:,.0f}".format(mine[0]),
                     "%.2f" % mine[1]))
        report.row(words + ": instructions", "libcurl + cJSON {:,.0f}".format(theirs[0]),
                   "≤ {:,}".format(limit), "{:,.0f}".format(mine[0]), mine[0] <= limit)
        report.row(words + ": system calls", "libcurl + cJSON %.1f" % theirs[1], "2",
                   "%.2f" % mine[1], mine[1] <= 2.02)
    report.head("Small call (300 B of JSON) on a kept connection, user space")
    report.table(("client", "instructions per request", "system calls"), rows)
    if ours:
        small_call_cpu(net, report)


def small_call_cpu(net, report):
    """The whole cost, kernel included, compared with libcurl and the fastest decoder: aims."""
    theirs, rows = "libcurl + " + fastest(net), []
    for tls, aim in ((False, 1.6), (True, 1.8)):
        words = ", TLS" if tls else ""
        us, ratio = net.cpu({theirs: net.command("fast", "self", 4000, tls),
                             "ours": net.command("ours", "self", 4000, tls)}, 9)
        report.faster("small call, kept connection%s: CPU" % words, theirs, 1 / ratio["ours"], aim)
        rows += [(n + words, "%.1f" % us[n][0], "%.1f" % us[n][1], "%.2fx" % (1 / ratio[n]))
                 for n in us]
    report.table(("client", "CPU us per request", "user", "less than libcurl"), rows)


def long_list(net, report, ours):
    rows = []
    fast = "libcurl + " + fastest(net)
    for tls, limit in ((False, 5), (True, 3.5)):
        commands = {"libcurl + cJSON": net.command("curl", "chats", 200, tls),
                    fast: net.command("fast", "chats", 200, tls)}
        if ours:
            commands["ours"] = net.command("ours", "chats", 200, tls)
            commands["ours, window of 16 KB"] = net.command("ours", "chats16", 200, tls)
            commands["ours, nothing decoded"] = net.command("ours", "drop", 200, tls)
        us, ratio = net.cpu(commands, 9)
        rows += [(n + (", TLS (AES-GCM)" if tls else ""), "%.0f" % us[n][0], "%.0f" % us[n][1],
                  "%.0f" % (us[n][0] - us[n][1]), "%.1fx" % (1 / ratio[n])) for n in commands]
        if ours:
            words = "list of 100 chats end to end over nginx%s: CPU" % (
                ", TLS (AES-GCM)" if tls else "")
            report.faster(words, "libcurl + cJSON", 1 / ratio["ours"], limit)
            report.faster(words, fast, ratio[fast] / ratio["ours"], 1.5)
    report.head("100 chats end to end over nginx, one kept connection")
    report.table(("client", "CPU us per list", "user", "system", "less than libcurl + cJSON"), rows)
    report.say("Median of 9 rounds of 200 lists, the clients in turn. User and system are as the "
               "kernel's sampling divides the whole. All read into buffers of 64 KB (ours: the window; "
               "libcurl: CURLOPT_BUFFERSIZE) where the row does not say otherwise, and leave the "
               "socket's own buffers to the kernel. What is left when nothing is decoded bounds the "
               "gain.")


def connections(net, report, ours, count, requests):
    """{client: (CPU us, user)} and ratios to a bare client, on that many connections of one thread."""
    clients = {"bare epoll + jsmn": ("bare", ""), "libcurl multi + cJSON": ("curl", "many")}
    if ours:
        clients["ours"] = ("ours", "many")
    bare, curl, *mine = [(n, net.command(*c, requests, connections=count)) for n, c in clients.items()]
    us, ratio = net.cpu(dict([bare, curl]), 3)
    if mine:
        for kept, new in zip((us, ratio), net.cpu(dict([bare, *mine]), 11)):
            kept.update(new)
    calls = {n: net.syscalls(*c, few=2000, lot=6000, connections=count) for n, c in clients.items()}
    report.head("%s connections on one thread, 300 B each" % "{:,}".format(count))
    report.table(("client", "CPU us per request", "user", "system", "system calls",
                  "against the bare client"),
                 [(n, "%.1f" % us[n][0], "%.1f" % us[n][1], "%.1f" % (us[n][0] - us[n][1]),
                   "%.2f" % calls[n], "%.2fx" % ratio[n]) for n in clients])
    report.say("Median of the ratios of paired runs of %s requests, the bare client and the other "
               "in turn, 11 times (libcurl: 3)." % "{:,}".format(requests))
    return ratio


def many_connections(net, report, ours):
    ratio = connections(net, report, ours, 1000, 15000)
    most = connections(net, report, ours, 5000, 25000)
    if not ours:
        return
    for lanes, r in (("1,000", ratio), ("5,000", most)):
        report.row("%s lanes on one thread: CPU against a bare epoll client" % lanes,
                   "libcurl multi %.2fx" % r["libcurl multi + cJSON"], "aim ≤ 1.15x",
                   "%.2fx" % r["ours"], r["ours"] <= 1.15, False)
    s = net.run([net.out + "/net_ours", "sizes"])
    own = s["client"] + s["tcp"]
    # 0.1.0 had 1,016 bytes here; the rest are the pages, the confirming and the early answers of 0.2.0. What bounds
    # the lane is its size on a board: 832 bytes with its account, a check of `make footprint`.
    report.row("own state per lane beside its window", "libcurl 20 KB", "≤ 1,200 B",
               "{:,} B (client {client}, TCP {tcp})".format(own, **s), own <= 1200)
    tls = own + s["tls"] + s["tls_half"]
    report.row("the same with TLS, half duplex, 16 KB records", "libcurl 88 to 108 KB", "≤ 25 KB",
               "{:,} B (TLS {tls}, records {tls_half}; read-ahead {read_ahead} apart)".format(
                   tls, **s), tls <= 25 * KB)


def versions(report, packages):
    found = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}, ", *packages],
                           stdout=subprocess.PIPE, text=True, check=False).stdout.strip(", ")
    with open("/proc/cpuinfo") as f:
        model = next((line.split(": ", 1)[1].strip() for line in f if line.startswith("model name")),
                     "unknown")
    report.say("Processor: " + model + ". Debian packages: " + found +
               ". All code here compiled with -O2.")


def figures(decode, times, path):
    """The plot. Lengths from 1 to 10,000 chats."""
    lengths, series = (1, 10, 100, 1000, 10000), {}
    plugins = [("ours@" + OURS, "avito, fast setting"), ("ours@" + OURS + ", small",
               "avito, small setting"), ("simdjson", "simdjson"), ("rapidjson", "RapidJSON SAX"),
               ("cjson", "cJSON"), ("jsonc", "json-c"), ("jansson", "jansson")]
    for plugin, name in plugins:
        if plugin.startswith("ours") and OURS not in times:
            continue
        rows = {n: decode.heap(plugin, "chats%d.raw" % n)[0] for n in lengths}
        series[name] = {n: r["peak"] + r["fixed"] + r["body"] for n, r in rows.items()}
    names = {OURS: "avito_messenger.h", OURS + ", no avatars": "avito, avatars not asked for",
             PORTABLE: "avito, portable C"}
    shown = [*names, "simdjson", "RapidJSON", "cJSON", "json-c", "jansson"]
    bars = [(names.get(p, p), times["cJSON"]["ratio"] / times[p]["ratio"])
            for p in shown if p in times]
    plot.draw(path, series, sorted(bars, key=lambda b: -b[1]))


def shape_times(decode, peers, ours):
    """{file: {decoder: median ratio of its time to that of the first peer}}"""
    plugins = peers + (["ours@" + OURS] if ours else [])
    return {name: {peer: row["ratio"] for peer, row in decode.times(name, 21, plugins).items()}
            for name in shapes.names_of(shapes.SHAPES)}


def shape_part(report, decode, peers, ours):
    """Instructions are gates, times are only reported."""
    own = list(shapes.PLUGINS) if ours else []
    counts, refused = shapes.count(decode, [shapes.PLUGINS[d] for d in own] + peers, shapes.SHAPES)
    report.row("no shape refused", "", "0 refused", ", ".join(refused) or "0", not refused)
    times, rows = shape_times(decode, [p for p in peers if p != "jsmnlinks"], ours), []
    theirs = sorted({peer for peer, _ in counts if not peer.startswith(OURS)})
    for s in shapes.SHAPES:
        anchor = ", ".join("%s %.1f" % (p, counts[p, s.name]) for p in ("yyjson", "simdjson")
                           if (p, s.name) in counts)
        for words, value, most in shapes.gates(counts, s, own):
            unit = "x" if most == shapes.FAMILY else ""
            report.at_most(words + ("" if unit else ": instructions/byte"), anchor, value, most,
                           None, "%.2f", unit)
            anchor = ""
        rows.append((s.words, "{:,}".format(decode.index[s.name]["bytes"]),
                     *("%.1f" % counts[p + s.asked, s.name] for p in own),
                     *("%.1f" % counts[p, s.name] for p in theirs),
                     ", ".join("%s %.2f" % (p, 1 / t) for p, t in times[s.name].items())))
    report.head("Shapes: instructions per byte")
    report.table(("shape", "bytes", *own, *theirs, "speed, %s = 1" % next(iter(times[s.name]))),
                 rows)
    report.say("yyjson's parser alone makes a tree and decodes nothing; jsmn makes tokens only. Speed is "
               "the median of paired rounds, in CPU time.")


def decode_part(report, out, quick, ours):
    decode = Decode(out)
    trees = TREES + [YYJSON + "@" + YYJSON] * os.path.exists(os.path.join(out, YYJSON + ".so"))
    plugins = (["ours", "portable", "size"] if ours else []) + trees
    agree(decode, report, plugins)
    shape_part(report, decode, [t.partition("@")[0] for t in trees if t not in ("jsonc", "jansson")]
               + ["jsmnlinks"], ours)
    # The decoders that gates compare take turns among themselves: the slow ones, which turn the
    # whole heap over, run apart.
    mine = ["ours@" + OURS, "ours@" + OURS + ", no avatars", "portable@" + PORTABLE]
    small = ["ours@" + OURS + ", small"]
    times = decode.times("chats100.raw", 41 if quick else 101,
                         ["cjson", *(mine if ours else []), "simdjson", "rapidjson", *trees[len(TREES):]])
    times.update({peer: row for peer, row in decode.times(
        "chats100.raw", 11 if quick else 41,
        ["cjson", *(small if ours else []), "jsonc", "jansson", "jsmnlinks"]).items()
        if peer != "cJSON"})
    hostile = [shape + s for shape in HOSTILE for s in (".1x", ".10x")]
    jobs = [("cjson", LISTS), ("simdjson", LISTS), ("rapidjson", LISTS), ("jsmn", LISTS[:1]),
            ("jsmnlinks", LISTS), *((t, LISTS) for t in trees[len(TREES):])]
    if ours:
        jobs = [("ours@" + OURS, LISTS + ["chats10000.raw", "messages10000.raw"] + hostile),
                ("ours@" + OURS + ", 1-byte pieces", hostile), ("portable", LISTS),
                ("ours@" + OURS + ", no avatars", LISTS[:2]),
                ("ours@" + OURS + ", small", LISTS)] + jobs
    if not quick:
        jobs += [("jsonc", LISTS), ("jansson", LISTS)]
    counts, refused = count_all(decode, jobs)
    if ours:
        bad = [label for label in refused if "." in label and label.startswith("ours")]
        report.row("no element refused", "", "0 refused", ", ".join(bad) or "0", not bad)
        decode_gates(decode, report, counts, times)
        growth_gates(decode, report, counts)
        memory_gates(decode, report)
    heaps = {}
    for plugin in plugins:
        heaps.update({r["peer"]: r for r in decode.heap(plugin, "chats100.raw")})
    decode_table(decode, report, counts, times, {} if quick else heaps)
    checks_table(decode, report, plugins)
    if not quick:
        figures(decode, times, os.path.join(out, "plot.svg"))


def main():
    out, flags = sys.argv[1], sys.argv[2:]
    quick, ours = "--quick" in flags, "--peers-only" not in flags
    report = Report()
    decode_part(report, out, quick, ours)
    if not quick:
        with Network(out) as net:
            small_call(net, report, ours)
            long_list(net, report, ours)
            many_connections(net, report, ours)
        versions(report, PACKAGES)
    details, report.text = report.text, []
    report.text += ["# Bench of avito_messenger.h", "",
                    "Made by `make bench%s`." % ("-quick" if quick else ""), ""]
    report.table(("measure", "anchor, in this run", "to reach", "measured", "met?"), report.rows)
    report.text += details
    name = os.path.join(out, "report-quick.md" if quick else "report.md")
    with open(name, "w") as f:
        f.write("\n".join(report.text))
    print("\n".join(report.text))
    print("written: " + name + ("" if quick else ", " + os.path.join(out, "plot.svg")))
    if "--accept" in flags:
        shutil.copy(os.path.join(out, "plot.svg"), os.path.dirname(__file__))
    for measure in report.missed:
        print("gate missed: " + measure)
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
