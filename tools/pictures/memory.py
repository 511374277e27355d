#!/usr/bin/env python3
"""The picture of memory against the length of a list, measured: this header, and cJSON for comparison.

    memory.py             writes memory.svg beside this file
    memory.py --check     measures again and compares: "ok - what" / "not ok - what"

What is measured are bytes that a program has asked for or was given, the same in each run: see tools/bench/host.c.
"""
import json
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools", "bench"))
import decode  # noqa: E402
import payloads  # noqa: E402
import plot  # noqa: E402

OUT = "build/bench"
PICTURE = "tools/pictures/memory.svg"
LENGTHS = (1, 10, 100, 1000)
NAMES = {"ours": "avito, fast", "ours, small": "avito, small", "cJSON": "cJSON"}
TOLERANCE = 0.02  # structs grow and shrink by some bytes; the picture would look the same


def measure():
    """{name: {length: bytes}}: heap at its most, buffers, and the body where it must be whole."""
    data = os.path.join(OUT, "data")
    os.makedirs(data, exist_ok=True)
    writer = payloads.Writer(data)
    for length in LENGTHS:
        writer.lists("chats", length, str(length), ("raw",))
    with open(os.path.join(data, "index.json"), "w", encoding="ascii") as file:
        json.dump(writer.index, file)
    run = decode.Decode(OUT)
    series = {name: {} for name in NAMES.values()}
    for plugin in ("ours", "cjson"):
        for length in LENGTHS:
            for row in run.heap(plugin, f"chats{length}.raw"):
                if row["peer"] in NAMES:
                    series[NAMES[row["peer"]]][length] = row["peak"] + row["fixed"] + row["body"]
    return series


def svg_of(series):
    chart = plot.memory_chart(series, 90, 70, 540, 260)
    kept = json.dumps(series, ensure_ascii=True)
    return "\n".join(['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 390" width="800" height="390" role="img" '
                      'aria-label="Memory against the length of a list: constant with this header, growing with cJSON">',
                      f"<metadata>{kept}</metadata>", f"<style>\n{plot.style()}\n</style>",
                      '<rect class="f-back" width="800" height="390" rx="6"/>', *chart, "</svg>\n"])


def main():
    os.chdir(TOP)
    series = measure()
    if sys.argv[1:] != ["--check"]:
        with open(PICTURE, "w", encoding="utf-8") as file:
            file.write(svg_of(series))
        return 0
    with open(PICTURE, encoding="utf-8") as file:
        kept = json.loads(re.search(r"<metadata>(.*?)</metadata>", file.read()).group(1))
    off = [f"{name}, {length}: {kept[name][str(length)]} shown, {now} measured" for name, line in series.items()
           for length, now in line.items() if abs(now / kept[name][str(length)] - 1) > TOLERANCE]
    print(("not ok - " if off else "ok - ") + f"{PICTURE} shows what is measured" + (", not: make pictures" if off else ""))
    for line in off:
        print("#   " + line)
    return bool(off)


if __name__ == "__main__":
    sys.exit(main())
