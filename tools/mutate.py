#!/usr/bin/env python3
"""Do the tests notice? Changes the implementation in one small place at a time and runs the tests.

    tools/mutate.py --seed 1 --mutants 300   draws 300 places by the seed, in two copies of the project at once;
                                             goes on where it was stopped; at the end the table of what was
                                             noticed, and 1 if a survivor is not listed in tools/mutate.txt
                                             or less than 97 % was noticed
    tools/mutate.py --only FUNCTION          every place in one function
    tools/mutate.py --show                   only prints the table and the survivors so far

A change is one of: a comparison turned, a bound moved, and/or exchanged, a sign exchanged, a number one
larger, a negation dropped, a statement dropped. Each mutant meets, until one test fails: the programs that
test its room (tests/README.md), all programs of `make check` and some seeds of the simulated world, without
sanitizers, then its room's programs under them. A mutant that compiles to the same code as the original is
no change, and is not counted.

build/mutate/1 and 2 are the copies, 1s and 2s those with sanitizers, build/mutate/results.jsonl is what is
known.
"""
import argparse
import hashlib
import json
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402
from scratch import copy_tree  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADER = "avito_messenger.h"
PLACE = os.path.join(TOP, "build", "mutate")
RESULTS = os.path.join(PLACE, "results.jsonl")
LIST = os.path.join(TOP, "tools", "mutate.txt")
LEAST = 97.0
WORLD = ["build/world.san", "--seeds", "100"]
PATIENCE = 10.0  # the time limit of a program: at least so many seconds, else so many times what it takes unchanged
PLAIN = ["SANITIZE=-O0", "CFLAGS_SAN=-std=c99 -O0 -w"]
SANITIZED = ["WARN=-w"]

# Searched in code whose comments, strings and directives are blank, and the replacement.
CHANGES = (
    ("comparison", r"(?<= )(==|!=|<=|>=|<|>)(?= )",
     {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">"}),
    ("logic", r"(?<= )(&&|\|\|)(?= )", {"&&": "||", "||": "&&"}),
    ("sign", r"(?<=[\w)\]] )([+-])(?= [\w(])", {"+": "-", "-": "+"}),
    ("negation", r"(?<=[( ])(!)(?=[\w(])", {"!": ""}),
    ("number", r"(?<=[ (\[-])(\d+)(?=u?[ ;,)\]])", None),
    ("statement", r"(?m)^ +((?!return\b|break\b|continue\b|case\b|default\b|goto\b|else\b|do\b|const\b|static\b)"
                  r"(?:\(void\))?[a-z_][\w.>\[\]-]*(?: [|&+*/^<>-]*= [^;\n]*|\([^;\n]*\)|\+\+|--);)$", ""),
)


class Mutant:
    def __init__(self, kind, function, at, old, new, line):
        self.kind, self.function, self.at, self.old, self.new, self.line = kind, function, at, old, new, line

    def key(self, text):
        """A key that stays the same when the code around it moves."""
        begin = text.rfind("\n", 0, self.at) + 1
        end = text.find("\n", self.at)
        column = self.at - begin - (len(text[begin:end]) - len(text[begin:end].lstrip()))
        line = text[begin:end].strip()
        return f"{self.function} | {line} | {column}: {self.old if len(self.old) < 4 else 'it'} -> {self.new or 'nothing'}"


def mutants(text):
    code = csource.blank_comments(text, directives=True)
    start = code.find("\n", 0)
    starts = [0]
    while start >= 0:
        starts.append(start + 1)
        start = code.find("\n", start + 1)
    found = []
    for name, first, last, _ in csource.functions(text):
        begin, end = starts[first - 1], starts[last]
        for kind, pattern, table in CHANGES:
            for match in re.finditer(pattern, code[begin:end]):
                old = match.group(1)
                if kind == "statement" and re.match(r"(assert|AVITOI_ASSERT)\b", old):
                    continue
                new = str(int(old) + 1) if table is None else table if table == "" else table[old]
                at = begin + match.start(1)
                found.append(Mutant(kind, name, at, old, new, code.count("\n", 0, at) + 1))
    return found


def apply(text, mutant):
    old = mutant.old
    new = mutant.new if mutant.kind != "statement" else ";"
    assert text[mutant.at:mutant.at + len(old)].split("\"")[0] == old.split("\"")[0]
    return text[:mutant.at] + new + text[mutant.at + len(old):]


def room_tests():
    """Room's title -> the programs that test it, by tests/README.md."""
    table = {}
    with open(os.path.join(TOP, "tests", "README.md"), encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) == 4 and "`" in cells[2]:
                table[cells[1]] = [os.path.basename(name)[:-2] for name in re.findall(r"`([^`]+_test\.c)`", cells[2])]
    return table


def rooms_of_lines(text):
    """Line -> title of its room."""
    owner, title = {}, "-"
    for number, line in enumerate(text.split("\n"), 1):
        mark = re.match(r"^ \* >>\d+ ([A-Z].*)$", line)
        if mark:
            title = mark.group(1).rstrip(".")
        owner[number] = title
    return owner


def run(command, tree, seconds):
    try:
        return subprocess.run(command, cwd=tree, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=seconds).returncode
    except subprocess.TimeoutExpired:
        return -1


def make(tree, flags, target):
    return run(["make", "--no-print-directory", "-s", *flags, target], tree, 600)


def object_code(tree):
    """A digest of the header's optimised code."""
    out = os.path.join(tree, "build", "same.o")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    subprocess.run(["gcc", "-std=c99", "-O2", "-w", "-I.", "-D_GNU_SOURCE", "-DAVITO_MESSENGER_IMPLEMENTATION",
                    "-DAVITO_WITH_POSIX=1", "-DAVITO_WITH_BEARSSL=1", "-x", "c", "-c", HEADER, "-o", out],
                   cwd=tree, check=True)
    code = subprocess.run(["objdump", "-d", "-s", "--no-show-raw-insn", out], capture_output=True, check=True).stdout
    return hashlib.sha256(code).hexdigest()


class Copy:
    """One copy of the project, built in one way."""

    def __init__(self, name, text, flags):
        self.tree = os.path.join(PLACE, name)
        self.text, self.flags = text, flags
        self.seconds = {}

    def write(self, text):
        with open(os.path.join(self.tree, HEADER), "w", encoding="utf-8") as file:
            file.write(text)

    def build(self, program):
        return make(self.tree, self.flags, program) == 0

    def holds(self, program):
        begun = time.monotonic()
        limit = PATIENCE * (1.0 + self.seconds[program]) if program in self.seconds else 600
        good = run(WORLD if program == WORLD[0] else [program], self.tree, limit) == 0
        self.seconds.setdefault(program, time.monotonic() - begun)
        return good

    def prepare(self, programs):
        """Builds the programs without a change, and measures how long each takes."""
        for program in programs:
            if program not in self.seconds:
                self.write(self.text)
                if not self.build(program) or not self.holds(program):
                    sys.exit(f"mutate.py: {program} fails in {self.tree} without any change")

    def noticed(self, text, programs):
        """Returns what noticed that the header's text is `text`, or None."""
        self.prepare(programs)
        self.write(text)
        for program in programs:
            if not self.build(program):
                return "the compiler, for " + program
            if not self.holds(program):
                return program
        return None


class Worker(threading.Thread):
    def __init__(self, number, work, text, known):
        super().__init__(daemon=True)
        self.work, self.text, self.known = work, text, known
        copy_tree(TOP, os.path.join(PLACE, str(number)))
        self.plain = Copy(str(number), text, PLAIN)
        self.sanitized = Copy(f"{number}s", text, SANITIZED)
        self.plain.write(text)
        self.programs = checked(self.plain.tree)
        self.tests = room_tests()
        self.rooms = rooms_of_lines(text)
        self.same = object_code(self.plain.tree)

    def judge(self, mutant):
        text = apply(self.text, mutant)
        first = [f"build/tests/{name}" for name in self.tests.get(self.rooms[mutant.line], [])]
        first.sort(key=lambda name: self.plain.seconds.get(name, 0))
        killer = self.plain.noticed(text, first)
        if killer:
            return killer
        if object_code(self.plain.tree) == self.same:
            return "equal"
        killer = self.plain.noticed(text, [name for name in self.programs if name not in first])
        if killer or not first:
            return killer or "survived"
        copy_tree(TOP, self.sanitized.tree)
        return self.sanitized.noticed(text, first) or "survived"

    def run(self):
        while True:
            try:
                mutant = self.work.get_nowait()
            except queue.Empty:
                return
            self.known.add(mutant.key(self.text), mutant.kind, self.judge(mutant))


class Known:
    """build/mutate/results.jsonl: what became of which mutant."""

    def __init__(self):
        self.lock = threading.Lock()
        self.verdicts = {}
        if os.path.exists(RESULTS):
            with open(RESULTS, encoding="utf-8") as file:
                for line in file:
                    entry = json.loads(line)
                    self.verdicts[entry["key"]] = entry

    def add(self, key, kind, verdict):
        with self.lock:
            entry = {"key": key, "kind": kind, "verdict": verdict}
            self.verdicts[key] = entry
            with open(RESULTS, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            print(f"{verdict:40} {key}", flush=True)


def equivalent():
    """tools/mutate.txt: key | reason."""
    listed = {}
    if os.path.exists(LIST):
        with open(LIST, encoding="utf-8") as file:
            for line in file:
                if line.strip() and not line.startswith("# "):
                    key, _, reason = line.strip().rpartition(" | ")
                    listed[key] = reason
    return listed


def table(drawn, known, text):
    listed = equivalent()
    counts = {}
    wrong = []
    for mutant in drawn:
        entry = known.verdicts.get(mutant.key(text))
        if not entry:
            continue
        verdict = entry["verdict"]
        if verdict == "survived":
            verdict = "listed" if mutant.key(text) in listed else "survived"
        elif verdict != "equal":
            verdict = "noticed"
        counts.setdefault(mutant.kind, {}).setdefault(verdict, 0)
        counts[mutant.kind][verdict] += 1
        if verdict == "survived":
            wrong.append(f"{HEADER}:{mutant.line} {mutant.key(text)}")
    print("%-12s %8s %9s %7s %9s" % ("change", "noticed", "survived", "listed", "no change"))
    totals = dict.fromkeys(("noticed", "survived", "listed", "equal"), 0)
    for kind, row in sorted(counts.items()):
        print("%-12s %8d %9d %7d %9d" % (kind, *(row.get(name, 0) for name in totals)))
        for name in totals:
            totals[name] += row.get(name, 0)
    print("%-12s %8d %9d %7d %9d" % ("all", *totals.values()))
    counted = totals["noticed"] + totals["survived"]
    percent = 100.0 * totals["noticed"] / counted if counted else 0.0
    print(f"{percent:.1f} % of {counted} were noticed (limit {LEAST:.0f} %)")
    for line in wrong:
        print("survived: " + line)
    return 1 if wrong or percent < LEAST else 0


def checked(tree):
    """The tests that every mutant meets besides those of its room."""
    listed = subprocess.run(["make", "-s", "mutate-list"], cwd=tree, check=True, capture_output=True, text=True)
    return listed.stdout.split()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--only", metavar="FUNCTION")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    os.makedirs(PLACE, exist_ok=True)
    with open(os.path.join(TOP, HEADER), encoding="utf-8") as file:
        text = file.read()
    every = mutants(text)
    drawn = random.Random(arguments.seed).sample(every, min(arguments.mutants, len(every)))
    if arguments.only:
        drawn = [mutant for mutant in every if mutant.function == arguments.only]
    known = Known()
    if not arguments.show:
        work = queue.Queue()
        for mutant in drawn:
            if mutant.key(text) not in known.verdicts:
                work.put(mutant)
        print(f"{len(every)} places, {len(drawn)} drawn, {work.qsize()} to go")
        workers = [Worker(number, work, text, known) for number in range(1, arguments.jobs + 1)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return table(drawn, known, text)


if __name__ == "__main__":
    sys.exit(main())
