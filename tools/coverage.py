#!/usr/bin/env python3
"""Which lines, branches and conditions of avito_messenger.h do the tests reach?

    tools/coverage.py             builds a copy of the project with clang's coverage, runs the tests, prints
                                  totals and what tools/coverage.txt does not list; 1 if there is any, or if a
                                  limit below is missed
    tools/coverage.py --only NAME...   builds and runs only what has such a piece in its name (call_test,
                                       world, program.sh); the profiles of everything else stay
    tools/coverage.py --report         only reads the profiles of the last run again
    tools/coverage.py --missing        prints everything that is not reached, in the form of tools/coverage.txt
    tools/coverage.py --rooms FOLDER   writes what is neither reached nor listed, a file for each room

Lines and branches count as clang counts them, conditions by MC/DC: each condition of a decision changes
its outcome on its own. The header is compiled in many configurations; a line, branch or condition counts
as reached when one of them reaches it. What runs: every test program, some seeds of the simulated world,
the fuzz targets for some seconds each, and the scripts that run programs of ours (SCRIPTS).

The copy is build/coverage/tree, and is kept: the next run builds only what changed.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402
import rooms  # noqa: E402
from scratch import copy_tree  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADER = "avito_messenger.h"
PLACE = os.path.join(TOP, "build", "coverage")
TREE = os.path.join(PLACE, "tree")
PROFILES = os.path.join(PLACE, "profiles")
LIST = os.path.join(TOP, "tools", "coverage.txt")
PLURAL = {"line": "lines", "branch": "branches", "condition": "conditions"}
LIMITS = {"line": 100.0, "branch": 99.0, "condition": 97.0}
FLAGS = ("-fprofile-instr-generate -fcoverage-mapping -fcoverage-mcdc"
         # A static function is the same one in every program: what they show of a decision adds up.
         f" -Xclang -main-file-name -Xclang {HEADER}")
WORLD = ["build/world.san", "--seeds", os.environ.get("COVERAGE_SEEDS", "1500")]
FUZZ = ["sh", "tests/fuzz/run.sh", os.environ.get("COVERAGE_FUZZ_SECONDS", "20")]
SCRIPTS = ("tests/check/examples.sh", "tests/avito/program.sh", "tests/threads/run.sh", "tests/check/demo.sh")


def tool(name):
    """clang 19 is the first that knows MC/DC; later ones do as well."""
    for version in ("-19", "-20", "-21", ""):
        if shutil.which(name + version):
            return name + version
    sys.exit(f"coverage.py: {name}-19 is missing; make coverage installs it")


def compiler():
    """A compiler that always measures: a script in the place of cc."""
    path = os.path.join(PLACE, "cc")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec {tool("clang")} {FLAGS} -w "$@" -O0\n')
    os.chmod(path, 0o755)
    return path


def chosen(names, pieces):
    return [name for name in names if not pieces or any(piece in name for piece in pieces)]


def build(cc, pieces):
    """Builds what the tests consist of, or those with such a name; returns the commands to run."""
    make = ["make", "--no-print-directory", "-s", "-k", "-j2", f"CC={cc}", f"CLANG={cc}", "WARN=-w", "SANITIZE=",
            "FUZZ_ASAN=-fsanitize=fuzzer"]
    names = subprocess.run(make + ["coverage-list"], cwd=TREE, check=True, capture_output=True, text=True)
    programs, scripts = chosen(names.stdout.split(), pieces), chosen(SCRIPTS, pieces)
    subprocess.run(make + (programs if pieces and not scripts else ["coverage-programs"]), cwd=TREE, check=True)
    fuzz = [name for name in programs if "/fuzz/" in name]
    return [FUZZ + [name] for name in fuzz] + [WORLD if name == WORLD[0] else [name]
            for name in programs if name not in fuzz] + [["sh", name] for name in scripts]


def run(command, cc):
    """Runs one test program or script and keeps its profile; returns what to say of it, or nothing."""
    name = (command[-1] if command[0] == "sh" else command[0]).replace("/", ".")
    raw = os.path.join(PLACE, "raw", name)
    shutil.rmtree(raw, ignore_errors=True)
    os.makedirs(raw)
    # ThreadSanitizer sees races in clang's bitmaps of conditions, which are not atomic.
    environment = dict(os.environ, CC=cc, TSAN_OPTIONS="exitcode=0", LLVM_PROFILE_FILE=os.path.join(raw, "%m-%p.profraw"))
    try:
        done = subprocess.run(command, cwd=TREE, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=900)
        wrong = [line for line in done.stdout.decode("utf-8", "replace").split("\n") if line.startswith("not ok")]
        said = f"# {' '.join(command)} ended with {done.returncode}: {wrong[:3]}" if done.returncode else ""
    except subprocess.TimeoutExpired:
        said = f"# {' '.join(command)} ran out of time"
    merge(raw, os.path.join(PROFILES, name + ".profdata"))
    shutil.rmtree(raw, ignore_errors=True)
    return said


def measured():
    """Every program in the copy that was built to be measured."""
    found = []
    for place, _, names in os.walk(os.path.join(TREE, "build")):
        for name in names:
            path = os.path.join(place, name)
            if os.access(path, os.X_OK) and os.path.isfile(path) and not name.endswith((".sh", ".py")):
                with open(path, "rb") as file:
                    data = file.read()
                if data[:4] == b"\x7fELF" and b"__llvm_covmap" in data and HEADER.encode() in data:
                    found.append(path)
    return sorted(found)


def merge(folder, data):
    """One profile of all in a folder; programs are told apart by what their functions look like."""
    names = sorted(os.listdir(folder))
    if names:
        listing = os.path.join(PLACE, os.path.basename(data) + ".txt")
        with open(listing, "w", encoding="utf-8") as file:
            file.writelines(os.path.join(folder, name) + "\n" for name in names)
        subprocess.run([tool("llvm-profdata"), "merge", "-sparse", "--failure-mode=all", "-o", data, "--input-files",
                        listing], check=True, stderr=subprocess.DEVNULL)
    return data


def export(program, data):
    """The coverage of the header by one program: clang's own JSON."""
    done = subprocess.run([tool("llvm-cov"), "export", "-format=text", "-skip-functions", "-skip-expansions",
                           f"-instr-profile={data}", program, os.path.join(TREE, HEADER)], capture_output=True, text=True)
    if done.returncode:
        print(f"# {program}: {done.stderr.strip()[:200]}")
        return None
    files = json.loads(done.stdout)["data"][0]["files"]
    return next((file for file in files if os.path.basename(file["filename"]) == HEADER), None)


def line_counts(segments):
    """Line -> largest count, as llvm-cov counts lines: by the segments that begin on it or reach into it."""
    counts = {}
    for current, following in zip(segments, segments[1:]):
        line, _, count, has_count = current[:4]
        if not has_count:
            continue
        for covered in range(line, following[0] + 1):
            if covered == following[0] and (following[1] == 1 or covered != line and following[1] <= 1):
                continue
            counts[covered] = max(counts.get(covered, 0), count)
    return counts


class Merged:
    """What all programs together reach."""

    def __init__(self):
        self.lines = {}
        self.branches = {}
        self.conditions = {}

    def add(self, file):
        for line, count in line_counts(file["segments"]).items():
            self.lines[line] = self.lines.get(line, 0) + count
        for branch in file["branches"]:
            where = tuple(branch[:4])
            true, false = self.branches.get(where, (0, 0))
            self.branches[where] = (true + branch[4], false + branch[5])
        for record in file.get("mcdc_records", []):
            where = tuple(record[:4])
            old = self.conditions.get(where, [False] * len(record[-1]))
            self.conditions[where] = [a or b for a, b in zip(old, record[-1])]


class Source:
    """The header's lines, and which function a line is in."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.lines = self.text.split("\n")
        self.owner = {}
        for name, first, last, _ in csource.functions(self.text):
            self.owner.update(dict.fromkeys(range(first, last + 1), name))

    def piece(self, where):
        first, begin, last, end = where
        text = [self.lines[number - 1] for number in range(first, last + 1)]
        text[-1] = text[-1][:end - 1]
        text[0] = text[0][begin - 1:]
        return " ".join(" ".join(text).split())

    def is_code(self, line):
        """Brackets alone, and lines of the preprocessor, say nothing about a test."""
        return bool(re.search(r"\w", self.lines[line - 1])) and not self.lines[line - 1].startswith("#")


def missing(merged, source):
    """Returns ({kind: (reached, all)}, [(function, kind, text, line)])."""
    totals = {kind: [0, 0] for kind in LIMITS}
    gaps = []

    def count(kind, reached, of, line, text):
        totals[kind][0] += reached
        totals[kind][1] += of
        if reached < of:
            gaps.append((source.owner.get(line, "-"), kind, text, line))

    for line, times in sorted(merged.lines.items()):
        if source.is_code(line):
            count("line", int(times > 0), 1, line, source.lines[line - 1].strip())
    for where, (true, false) in sorted(merged.branches.items()):
        if not true and not false and merged.lines.get(where[0]):
            continue  # a constant of the configuration
        text = source.piece(where)
        count("branch", int(true > 0), 1, where[0], text + " is true")
        count("branch", int(false > 0), 1, where[0], text + " is false")
    for where, parts in sorted(merged.conditions.items()):
        for number, reached in enumerate(parts, 1):
            count("condition", int(reached), 1, where[0], f"{source.piece(where)} : {number}")
    return totals, gaps


def listed():
    """tools/coverage.txt: function | kind | text | reason, in any order."""
    known = {}
    if os.path.exists(LIST):
        with open(LIST, encoding="utf-8") as file:
            for line in file:
                if line.strip() and not line.startswith("#"):
                    function, kind, rest = line.rstrip("\n").split(" | ", 2)
                    text, _, reason = rest.rpartition(" | ")
                    known[(function, kind, text)] = reason
    return known


def report(totals, gaps):
    known = listed()
    print("%-10s %8s %8s %8s %8s" % ("avito_messenger.h", "all", "reached", "percent", "limit"))
    wrong = 0
    for kind, (reached, all_) in totals.items():
        percent = 100.0 * reached / all_ if all_ else 0.0
        print("%-17s %8d %8d %7.2f%% %7.2f%%" % (kind, all_, reached, percent, LIMITS[kind]))
        excused = sum(1 for gap in gaps if gap[1] == kind and gap[:3] in known)
        if all_ and 100.0 * (reached + (excused if kind == "line" else 0)) / all_ < LIMITS[kind]:
            wrong += 1
            print(f"not ok - {kind} coverage is below its limit")
    fresh = [gap for gap in gaps if gap[:3] not in known]
    for function, kind, text, line in fresh[:60]:
        print(f"not ok - {HEADER}:{line} {function}: {kind} not reached: {text}")
    if len(fresh) > 60:
        print(f"not ok - and {len(fresh) - 60} more: tools/coverage.py --missing")
    gone = set(known) - {gap[:3] for gap in gaps}
    for function, kind, text in sorted(gone):
        print(f"not ok - {os.path.basename(LIST)} lists what is reached or gone: {function} | {kind} | {text}")
    for key, reason in sorted(known.items()):
        if not reason.strip():
            print("not ok - no reason: " + " | ".join(key))
            wrong += 1
    said = ", ".join("%s %.2f %%" % (PLURAL[kind], 100.0 * reached / max(all_, 1)) for kind, (reached, all_) in totals.items())
    failed = bool(wrong or fresh or gone)
    print(f"{'not ok' if failed else 'ok'} - {said}; of what is not reached {len(gaps) - len(fresh)} are listed, "
          f"{len(fresh)} not")
    return failed


def write_rooms(folder, gaps):
    """What is neither reached nor listed, for those who close it: a file for each room."""
    known = listed()
    place = {line: title for title, first, last in rooms.Header(os.path.join(TREE, HEADER)).rooms() for line in range(first + 1, last + 2)}
    os.makedirs(folder, exist_ok=True)
    files = collections.defaultdict(list)
    for function, kind, text, line in gaps:
        if (function, kind, text) not in known:
            files[place.get(line, "PROLOGUE")].append(f"{line}: {function} | {kind} | {text}\n")
    for title, found in sorted(files.items()):
        name = re.sub(r"\W+", "_", title)
        with open(os.path.join(folder, name + ".txt"), "w", encoding="utf-8") as file:
            file.writelines(found)
        print(f"{len(found):5} {name}")


def measure(pieces):
    """Builds a copy and runs the tests in it."""
    copy_tree(TOP, TREE)
    cc = compiler()
    commands = build(cc, pieces)
    if not pieces:
        shutil.rmtree(PROFILES, ignore_errors=True)
    os.makedirs(PROFILES, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for said in pool.map(run, commands, [cc] * len(commands)):
            if said:
                print(said)


def read():
    """What all profiles together reach, by every program."""
    merged = Merged()
    data = merge(PROFILES, os.path.join(PLACE, "all.profdata"))
    programs = measured()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for file in pool.map(export, programs, [data] * len(programs)):
            if file:
                merged.add(file)
    return merged


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--rooms", metavar="FOLDER")
    arguments = parser.parse_args()
    if arguments.only or not (arguments.report or arguments.missing or arguments.rooms):
        measure(arguments.only)
    totals, gaps = missing(read(), Source(os.path.join(TREE, HEADER)))
    if arguments.missing:
        for key in sorted(collections.Counter(gap[:3] for gap in gaps)):
            print(" | ".join(key) + " | ")
        return 0
    if arguments.rooms:
        write_rooms(arguments.rooms, gaps)
    return 1 if report(totals, gaps) else 0


if __name__ == "__main__":
    sys.exit(main())
