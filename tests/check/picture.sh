#!/bin/sh
# Do the README's pictures show the present state? `make pictures` makes them again.
bad=0
for picture in terminal call memory; do
    "${PYTHON:-python3}" -B tools/pictures/$picture.py --check || bad=1
done
"${PYTHON:-python3}" - <<'END' || bad=1
import glob
import hashlib
import os
import re
import struct
import sys

page = "tools/simulator/web/page.png"
names = sorted(n for kind in ("html", "css", "js", "svg") for n in glob.glob(f"tools/simulator/web/*.{kind}"))
sources = hashlib.sha256()
for name in sorted(names, key=os.path.basename):
    with open(name, "rb") as file:
        sources.update(os.path.basename(name).encode() + b"\n" + file.read())
with open(page, "rb") as file:
    png = file.read()
at, note = 8, ""
while at < len(png):
    size, kind = struct.unpack(">I4s", png[at:at + 8])
    if kind == b"tEXt" and png[at + 8:].startswith(b"Source\0"):
        note = png[at + 15:at + 8 + size].decode("latin1")
    at += 12 + size
good = note == sources.hexdigest()
print(("ok - " if good else "not ok - ") + f"{page} shows the page as it is" + ("" if good else " not: make picture"))
with open("README.md", encoding="utf-8") as file:
    readme = file.read()
shown = set(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme))


def words(name):
    with open(name, encoding="utf-8") as file:
        return re.findall(r"<text[^>]*>([^<]*)</text>", file.read())


# The plot of the bench takes too long to be made here. Its memory is that of memory.svg, which was measured above, and
# its speed that of the README's table.
plot = words("tools/bench/plot.svg")
memory = [w.replace(" setting", "") for w in plot if w.startswith(("avito, fast", "avito, small")) and w.endswith("KB")]
bars = dict(zip(plot, plot[1:]))
speed = dict(zip(("simdjson", "avito_messenger.h"), re.search(r"simdjson ([\d.]+)x as fast\) \| ([\d.]+)x as fast", readme).groups()))
off = [w for w in memory if w not in words("tools/pictures/memory.svg")] + [
    f"{name} {bars.get(name)}" for name, times in speed.items() if bars.get(name) != f"{float(times):.2g}"]
fresh = len(memory) == 2 and not off
print(("ok - " if fresh else "not ok - ") + "tools/bench/plot.svg has the memory of memory.svg and the speed of the README's table"
      + ("" if fresh else f": {off}, make bench-accept"))
made = {page, "tools/bench/plot.svg", *glob.glob("tools/pictures/*.svg")}
print(("ok - " if shown == made else "not ok - ") + "the README shows each of them, and no other"
      + ("" if shown == made else f": {sorted(shown ^ made)}"))
sys.exit(not (good and fresh and shown == made))
END
exit $bad
