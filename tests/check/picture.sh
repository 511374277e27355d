#!/bin/sh
# Is the README's picture of the page as old as the page? `make picture` makes it again.
exec "${PYTHON:-python3}" - <<'END'
import glob
import hashlib
import os
import struct
import sys

picture = "tools/simulator/web/page.png"
names = sorted(n for kind in ("html", "css", "js", "svg") for n in glob.glob(f"tools/simulator/web/*.{kind}"))
sources = hashlib.sha256()
for name in sorted(names, key=os.path.basename):
    with open(name, "rb") as file:
        sources.update(os.path.basename(name).encode() + b"\n" + file.read())
with open(picture, "rb") as file:
    png = file.read()
at, note = 8, ""
while at < len(png):
    size, kind = struct.unpack(">I4s", png[at:at + 8])
    if kind == b"tEXt" and png[at + 8:].startswith(b"Source\0"):
        note = png[at + 15:at + 8 + size].decode("latin1")
    at += 12 + size
good = note == sources.hexdigest()
print(("ok - " if good else "not ok - ") + f"{picture} shows the page as it is"
      + ("" if good else " not: make picture"))
with open("README.md", encoding="utf-8") as file:
    shown = picture in file.read()
print(("ok - " if shown else "not ok - ") + "the README shows it")
sys.exit(not (good and shown))
END
