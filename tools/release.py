#!/usr/bin/env python3
"""make release: every package of this library, from one description (tools/release/facts.txt).

    tools/release.py [DIR [FACTS]]        default build/release, tools/release/facts.txt

Of tools/release/KIND each file becomes one of the package: @fact@ is replaced, the rest stays. What is
copied from elsewhere is named in the functions below. The same tree gives the same bytes.
"""
import email.utils
import glob
import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dist  # noqa: E402

TEMPLATES = "tools/release"
TRANSPORTS = "examples/transports"
ANSWER = f"{TRANSPORTS}/answer.h"  # what the samples have in common
ARDUINO = f"{TRANSPORTS}/arduino"
CERTIFICATES = "/usr/share/ca-certificates/mozilla"
# What the program avito is built from, and what Debian's two packages hold.
SOURCE = ("avito_messenger.h", "LICENSE", "README.md", "Makefile", "tools/need.sh", "tools/avito.mk",
          "tools/avito/*.[ch]", "examples/[0-9]*.c", "examples/example.h", "examples/transports/*.[ch]")
# Files of an archive that can be run.
PROGRAMS = ("debian/rules", "tools/need.sh")


class Failure(Exception):
    """A fault that a person can mend."""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def facts(path):
    """name -> text"""
    found = dict(re.findall(r"^(\w+) *= *(.*)$", read(path), re.M))
    found["version"] = re.search(r'^#define AVITO_VERSION "(.*)"', read("avito_messenger.h"), re.M).group(1)
    licence = read("LICENSE").split("\n", 4)[4].rstrip("\n")
    found["contact"] = f"{found['author']} <{found['email'] or 'authors@example.org'}>"
    found["site"] = found["home"] or "https://example.org/avito_messenger"
    found["licence_text"] = "\n".join(" " + (line or ".") for line in licence.split("\n"))
    return found


def epoch(known):
    return int(email.utils.parsedate_to_datetime(known["date"]).timestamp())


def filled(text, known):
    """@fact@ replaced, without the lines that need an empty one; other words between @ are CMake's."""
    for name in (name for name, fact in known.items() if not fact):
        text = re.sub(rf"^.*@{name}@.*\n", "", text, flags=re.M)
    return re.sub(r"@(\w+)@", lambda m: known.get(m.group(1), m.group(0)), text)


def template(kind, known, only=None):
    """path -> bytes of tools/release/KIND"""
    paths = glob.glob(f"{TEMPLATES}/{kind}/**", recursive=True)
    files = {os.path.relpath(p, f"{TEMPLATES}/{kind}"): p for p in paths if os.path.isfile(p)}
    return {name: filled(read(path), known).encode() for name, path in files.items() if only in (None, name)}


def copied(*patterns):
    """path -> bytes, where they are"""
    found = sorted(path for pattern in patterns for path in glob.glob(pattern))
    if not found:
        raise Failure(f"there is no {' '.join(patterns)}")
    return {path: read(path).encode() for path in found}


def below(folder, files):
    return {f"{folder}/{name}": data for name, data in files.items()}


def renamed(files, old, new):
    return {new + name[len(old):]: data for name, data in files.items()}


# ---- archives ----

def tar_gz(files, when):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mtime = when
            entry.mode = 0o755 if name.endswith(PROGRAMS) else 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return gzip.compress(plain.getvalue(), mtime=when)


def zipped(files, when):
    out = io.BytesIO()
    stamp = email.utils.formatdate(when)
    date = email.utils.parsedate(stamp)[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    return out.getvalue()


# ---- packages: each gives {path below build/release: bytes} ----

def keywords(sources):
    """The words that the Arduino editor colours: the classes and their functions."""
    text = "\n".join(data.decode() for data in sources.values())
    classes = set(re.findall(r"^(?:class|struct) (\w+)$", text.replace(" {\n", "\n"), re.M))
    public = re.findall(r"^  public:\n(.*?)^  private:", text, re.M | re.S)
    calls = set(re.findall(r"^    (?! )(?:template <.*> )?(?:const )?\w+ [&*]?(\w+)\(", "\n".join(public), re.M)) - classes
    board = set(re.findall(r"^inline AvitoBoard (\w+)\(", text, re.M))
    rows = [(name, "KEYWORD1") for name in sorted(classes)] + [(name, "KEYWORD2") for name in sorted(calls | board)]
    return "".join(f"{name}\t{kind}\n" for name, kind in rows).encode()


def roots(known):
    """The certificate files, and the same as an array for BearSSL."""
    files = sorted(path for name in known["roots"].split(", ") for path in glob.glob(f"{CERTIFICATES}/{name}*.crt"))
    if not files:
        raise Failure(f"no root of {known['roots']} in {CERTIFICATES}: apt-get install ca-certificates")
    anchors = subprocess.run(["build/anchors", "-n", "roots", *files], capture_output=True, check=True).stdout
    return files, anchors


def roots_pem(known):
    """The roots as a text in C."""
    files, _ = roots(known)
    lines = "".join(f'    "{line}\\n"\n' for path in files for line in read(path).splitlines())
    return (f"/* The roots of {known['roots']}, from Debian's ca-certificates. */\n"
            f"static const char roots_pem[] =\n{lines.rstrip()};\n")


def sketch_roots(known):
    """roots.h of each sketch"""
    _, anchors = roots(known)
    texts = roots_pem(known).replace("roots_pem[]", "roots_pem[] PROGMEM") + "static BearSSL::X509List roots(roots_pem);\n"
    boards = (os.path.basename(path) for path in glob.glob(f"{ARDUINO}/Ten_lines_*"))
    return {f"examples/{board}/roots.h": texts.encode() if "ESP8266" in board else anchors for board in boards}


def arduino(known):
    """One archive for the Arduino IDE and for PlatformIO."""
    classes = copied(f"{ARDUINO}/*.h")
    board = copied(f"{TRANSPORTS}/avito_esp.h")
    files = {**template("arduino", known), **copied("LICENSE"),
             "src/avito_messenger.h": known["single"],
             **renamed(classes, ARDUINO, "src"), **renamed(board, TRANSPORTS, "src"),
             **renamed(copied(f"{ARDUINO}/*/*"), ARDUINO, "examples"),
             **sketch_roots(known), "keywords.txt": keywords(classes)}
    return {f"AvitoMessenger-{known['version']}.zip": zipped(below("AvitoMessenger", files), epoch(known))}


def c_library(known):
    """CMake, pkg-config and Meson; and the wrap that finds it."""
    name = f"avito-messenger-{known['version']}"
    files = {**template("c", known), **copied("LICENSE"), "include/avito_messenger.h": known["single"]}
    files["src/avito_messenger.c"] = files.pop("avito_messenger.c")
    del files["avito_messenger.wrap"]
    archive = tar_gz(below(name, files), epoch(known))
    hashed = {**known, "c_hash": hashlib.sha256(archive).hexdigest()}
    return {f"{name}.tar.gz": archive, **template("c", hashed, "avito_messenger.wrap")}


def header(known):
    return {"avito_messenger.h": known["single"]}


def esp_idf(known):
    """A component of ESP-IDF, over lwIP's sockets and its mbedTLS."""
    headers = copied(*(f"{TRANSPORTS}/avito_{name}.h" for name in ("mbedtls", "esp")))
    files = {**template("esp-idf", known), **copied("LICENSE"), "include/avito_messenger.h": known["single"],
             **renamed(headers, TRANSPORTS, "include"), **renamed(copied(ANSWER), TRANSPORTS, "examples/answer/main")}
    return {f"avito_messenger-esp-idf-{known['version']}.tar.gz": tar_gz(below("avito_messenger", files), epoch(known))}


def zephyr(known):
    """A module of Zephyr, over its sockets and its mbedTLS."""
    headers = copied(*(f"{TRANSPORTS}/avito_{name}.h" for name in ("zephyr", "mbedtls", "flash")))
    files = {**template("zephyr", known), **copied("LICENSE"), "include/avito_messenger.h": known["single"],
             **renamed(headers, TRANSPORTS, "include"), **renamed(copied(ANSWER), TRANSPORTS, "samples/answer/src"),
             "samples/answer/src/roots.h": roots_pem(known).encode()}
    files["src/avito_messenger.c"] = files.pop("avito_messenger.c")
    return {f"avito_messenger-zephyr-{known['version']}.tar.gz": tar_gz(below("avito_messenger", files), epoch(known))}


def openwrt(known):
    files = template("openwrt", known)
    files.update(renamed(copied("tools/avito/*.[ch]"), "tools/avito", "avito/src"))
    files.update(renamed(copied("tools/avito/dist/openwrt/files/*"), "tools/avito/dist/openwrt", "avito"))
    files.update({"avito/src/avito_messenger.h": known["single"], "avito/src/LICENSE": read("LICENSE").encode()})
    return {f"openwrt-feed-{known['version']}.tar.gz": tar_gz(below("avito-feed", files), epoch(known))}


def debian(known):
    """A source package. dpkg-source makes two of its three files."""
    name = f"avito-messenger-{known['version']}"
    orig = f"avito-messenger_{known['version']}.orig.tar.gz"
    source = tar_gz(below(name, copied(*SOURCE)), epoch(known))
    control = tar_gz(below("debian", template("debian", known)), epoch(known))
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/{orig}", "wb") as file:
            file.write(source)
        for data, where in ((source, folder), (control, f"{folder}/{name}")):
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                tar.extractall(where)
        done = subprocess.run(["dpkg-source", "-b", name], cwd=folder, capture_output=True, text=True, check=False,
                              env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch(known))})
        if done.returncode != 0:
            raise Failure(done.stdout + done.stderr)
        made = {}
        for path in glob.glob(f"{folder}/avito-messenger_*"):
            with open(path, "rb") as file:
                made[f"debian/{os.path.basename(path)}"] = file.read()
    return made


PACKAGES = (header, c_library, arduino, esp_idf, zephyr, openwrt, debian)


def write(folder, made):
    for name, data in made.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "build/release"
    os.chdir(dist.TOP)
    known = facts(sys.argv[2] if len(sys.argv) > 2 else f"{TEMPLATES}/facts.txt")
    try:
        known["single"] = dist.single_file().encode()
        made = {}
        for package in PACKAGES:
            made.update(package({**known}))
    except (Failure, ValueError, OSError) as failure:
        print(f"release.py: {failure}", file=sys.stderr)
        return 1
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in made.items()}
    made["SHA256SUMS"] = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()
    shutil.rmtree(folder, ignore_errors=True)
    write(folder, made)
    for name in sorted(made):
        print(f"{folder}/{name}: {len(made[name])} bytes")
    if not (known["home"] and known["email"]):
        print(f"release.py: before publishing set home and email in {TEMPLATES}/facts.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
