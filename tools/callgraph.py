#!/usr/bin/env python3
"""The call graph of the implementation: no recursion, no dynamic stack, and how much stack it takes.

Compiles the header with gcc -fcallgraph-info=su, without optimisation to see every call that the
source has, and with the given flags for the frames. Calls through pointers are resolved by
tools/callgraph.txt; one that is not listed there is an error.

    callgraph.py                     check core and bundled transports; print ok / not ok lines
    callgraph.py --stack             and the worst stack of every public function
    callgraph.py --cc arm-none-eabi-gcc --flags "-mthumb -mcpu=cortex-m3 -Os" --stack --core

Stack of a function: its frame and the deepest chain of frames below it. Not counted: hooks, BearSSL,
libc (marked "+" and named), which have their own.
"""
import argparse
import fnmatch
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADER = os.path.join(TOP, "avito_messenger.h")
RULES = os.path.join(TOP, "tools", "callgraph.txt")

# Frames that may be larger than the others. This call needs no client, so the JSON machine's state is on its
# stack.
LARGE_FRAMES = {"avito_parse_webhook": 768}


def read_rules():
    rules = []
    with open(RULES, encoding="utf-8") as file:
        for line in file:
            line = line.split("#")[0].strip()
            if line:
                left, right = line.split(":")
                names, _, caller = left.partition(" in ")
                rules.append((names.split(), caller.strip() or "*", right.split()))
    return rules


class Graph:
    def __init__(self, cc, flags, source_lines):
        self.lines = source_lines
        self.frame, self.dynamic = {}, []
        self.known = {}      # results of worst()
        self.edges = {}      # caller -> set of callees
        self.indirect = []   # (caller, line, column)
        with tempfile.TemporaryDirectory() as work:
            # Compiled in its own directory: the name of the .ci file depends on the compiler.
            source = os.path.join(work, "impl.c")
            with open(source, "w", encoding="ascii") as file:
                file.write('#define AVITO_MESSENGER_IMPLEMENTATION\n#include "avito_messenger.h"\n')
            subprocess.run([*cc.split(), "-std=c99", "-w", "-I" + TOP, *flags,
                            "-D_POSIX_C_SOURCE=200809L", "-fcallgraph-info=su", "-c", source, "-o",
                            os.path.join(work, "impl.o")], check=True, cwd=work)
            with open(os.path.join(work, "impl.ci"), encoding="utf-8") as file:
                self.parse(file.read())

    def parse(self, text):
        def short(title):
            return re.sub(r"\.(isra|part|constprop|cold)\b.*", "", title.split(":")[-1])

        for title, label in re.findall(r'node: \{ title: "([^"]*)" label: "([^"]*)"', text):
            size = re.search(r"\\n(\d+) bytes \(([^)]*)\)", label)
            if size:
                name = short(title)
                # Clones of one function (.isra, .part) count as one: the sum is the safe side.
                self.frame[name] = self.frame.get(name, 0) + int(size.group(1))
                # "dynamic,bounded": arguments are pushed; the figure is the maximum.
                if size.group(2) == "dynamic":
                    self.dynamic.append(f"{name} ({size.group(2)})")
        for caller, callee, label in re.findall(
                r'edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"(?: label: "([^"]*)")?', text):
            caller, callee = short(caller), short(callee)
            if callee == "__indirect_call":
                place = re.search(r":(\d+):(\d+)$", label)
                self.indirect.append((caller, int(place.group(1)), int(place.group(2))))
            elif caller != callee or callee in self.frame:
                self.edges.setdefault(caller, set()).add(callee)

    def resolve(self, rules):
        """Adds the calls through pointers. Returns those that no rule knows."""
        unknown = set()
        for caller, line, column in self.indirect:
            name = called_name(self.lines, line, column)
            for names, pattern, targets in rules:
                if name in names and fnmatch.fnmatch(caller, pattern):
                    for target in targets:
                        found = fnmatch.filter(self.frame, target) or [target.strip("*")]
                        self.edges.setdefault(caller, set()).update(found)
                    break
            else:
                unknown.add(f"{caller}() calls {name}() through a pointer, line {line}")
        return sorted(unknown)

    def cycles(self):
        """Every cycle found by a depth-first walk, as text."""
        found, done = [], set()

        def walk(name, path):
            if name in path:
                found.append(" -> ".join(path[path.index(name):] + [name]))
                return
            if name in done:
                return
            for callee in sorted(self.edges.get(name, ())):
                walk(callee, path + [name])
            done.add(name)

        for name in sorted(self.frame):
            walk(name, [])
        return found

    def worst(self, name, seen=()):
        """(bytes, chain, external functions) below and including this function."""
        if name not in self.frame:
            return 0, [], {name}
        if name in self.known:
            return self.known[name]
        best, chain, outside = 0, [], set()
        for callee in self.edges.get(name, ()):
            if callee in seen:
                continue
            size, below, external = self.worst(callee, (*seen, name))
            outside |= external
            if size > best:
                best, chain = size, below
        self.known[name] = best + self.frame[name], [name, *chain], outside
        return self.known[name]


def called_name(lines, line, column):
    """The member or variable that a call through a pointer at this place calls."""
    text = lines[line - 1] + " " + (lines[line] if line < len(lines) else "")
    calls = [(abs(m.start(1) - (column - 1)), m.group(1))
             for m in re.finditer(r"(?:->|\.)\s*(\w+)\s*\)*\s*\(", text)]
    if not calls:
        calls = [(abs(m.start(1) - (column - 1)), m.group(1))
                 for m in re.finditer(r"\b(\w+)\s*\)?\s*\(", text)]
    return min(calls)[1] if calls else "?"


def check(title, cc, flags, rules, lines, frame_max):
    """Returns (failures, graph for the stack)."""
    failed = 0
    plain = Graph(cc, [f for f in flags if not f.startswith("-O")] + ["-O0"], lines)
    unknown = plain.resolve(rules)
    cycles = plain.cycles()
    optimised = Graph(cc, flags, lines)
    optimised.resolve(rules)
    dynamic = sorted(set(plain.dynamic + optimised.dynamic))
    big = sorted(f"{n}: {s}" for n, s in optimised.frame.items()
                 if s > LARGE_FRAMES.get(n, frame_max))
    for good, text, problems in (
            (not unknown, "every call through a pointer is known", unknown),
            (not cycles, f"no recursion among {len(plain.frame)} functions", cycles),
            (not dynamic, "no array of variable length, no alloca", dynamic),
            (not big, f"no frame over {frame_max} bytes", big)):
        print(("ok - " if good else "not ok - ") + title + ": " + text)
        for problem in problems:
            print("#   " + problem)
        failed += not good
    return failed, optimised


def print_stack(title, graph):
    print(f"# worst stack in bytes, {title}")
    rows = [(graph.worst(name), name) for name in graph.frame if name.startswith("avito_")]
    for (size, chain, outside), name in sorted(rows, reverse=True, key=lambda row: row[0][0]):
        print(f"# {size:5} {name}" + (" +" + ",".join(sorted(outside)) if outside else "")
              + ("  [" + " > ".join(chain[1:]) + "]" if len(chain) > 1 else ""))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cc", default=os.environ.get("CC", "gcc"))
    parser.add_argument("--flags", default="-Os -DAVITO_WITH_SHORTCUTS=0")
    parser.add_argument("--core", action="store_true", help="without the bundled transports")
    parser.add_argument("--stack", action="store_true")
    parser.add_argument("--frame-max", type=int, default=320)
    args = parser.parse_args()

    with open(HEADER, encoding="utf-8") as file:
        lines = csource.blank_comments(file.read()).split("\n")
    rules = read_rules()
    failed, graph = check("core", args.cc, args.flags.split(), rules, lines, args.frame_max)
    if args.stack:
        print_stack("core, " + args.flags, graph)
    if not args.core:
        flags = args.flags.split() + ["-DAVITO_WITH_POSIX=1", "-DAVITO_WITH_BEARSSL=1"]
        more, graph = check("with transports", args.cc, flags, rules, lines, 1024)
        failed += more
        if args.stack:
            print_stack("with transports, " + args.flags, graph)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
