#!/usr/bin/env python3
"""embed.py OUT - writes the page's files in this folder as C: web_files[]."""
import os
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def main(out):
    folder = os.path.dirname(os.path.abspath(__file__))
    names = sorted(n for n in os.listdir(folder) if os.path.splitext(n)[1] in TYPES)
    lines = ["/* Made by tools/simulator/web/embed.py. */",
             '#include "tools/simulator/control/control.h"', ""]
    rows = []
    for number, name in enumerate(names):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        lines.append(f"static const unsigned char file_{number}[] = {{")
        lines += ["    " + " ".join(f"{b}," for b in data[i:i + 24]) for i in range(0, len(data), 24)]
        lines.append("};")
        rows.append(f'    {{"{name}", "{TYPES[os.path.splitext(name)[1]]}", file_{number}, '
                    f"sizeof file_{number}}},")
    lines += ["", "const web_file web_files[] = {", *rows, "};",
              "const size_t web_file_count = sizeof web_files / sizeof *web_files;", ""]
    with open(out, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


main(sys.argv[1])
