#!/usr/bin/env python3
"""Do the tests notice? Changes the implementation in one small place at a time and runs the tests.

    tools/mutate.py --seed 1 --mutants 300   300 places drawn by the seed; goes on where it was stopped; at the
                                             end the table of what was noticed, and 1 if a survivor is not
                                             listed in tools/mutate.txt or less than 97 % was noticed
    tools/mutate.py --only FUNCTION          every place in one function
    tools/mutate.py --show                   only prints the table and the survivors so far
    tools/mutate.py --check                  is each entry of tools/mutate.txt still a place in the header?

A change is one of: a comparison turned, a bound moved, and/or exchanged, a sign exchanged, a number one
larger, a negation dropped, a statement dropped. The draw depends on the seed and on the text of each place,
so that it stays the same while the code around it changes.

All changes are compiled at once, each into a copy of its function, and an environment variable chooses the
copy that is called. So the programs are built once, under sanitizers, and judging a change takes only as
long as its tests run. Each change meets the programs that test its room (tests/README.md), those of
`make check` and some seeds of the simulated world, until one fails; quick programs come first, for all
changes, and those that never call the function are left out. Survivors that are not listed meet the tests
again in the next run.

The percentage is noticed / (noticed + survived + listed). Not counted is a change that a compiler refuses, and
one that changes nothing by a compiler's proof: in every configuration gcc or clang makes the same code of it at
-O2, as of all that the preprocessor leaves out. What tools/mutate.txt lists changes nothing by our own word
alone, so it counts as not noticed.

build/mutate/tree is the copy of the project, build/mutate/results.jsonl holds the verdicts.
"""
import argparse
import bisect
import collections
import hashlib
import json
import os
import queue
import re
import resource
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
TREE = os.path.join(PLACE, "tree")
RESULTS = os.path.join(PLACE, "results.jsonl")
MEASURED = os.path.join(PLACE, "measured.json")
LIST = os.path.join(TOP, "tools", "mutate.txt")
LEAST = 97.0
WORLD = "build/world.san"
WORLD_SEEDS = "200"
QUICK = 1.0  # seconds: shorter programs run before the longer ones of the room
# The limit of a program's processor time: a multiple of what it takes without a change, plus some seconds. The
# limit by the clock is only for a program that waits for ever.
TIMES, SECONDS, CLOCK = 3, 2, 60
# The code of one of the compilers is the same in each of these, or the change counts.
COMPILERS = ("gcc", "clang")
CONFIGURATIONS = (["-DAVITO_WITH_POSIX=1", "-DAVITO_WITH_BEARSSL=1"], ["-DAVITO_TINY=1"],
                  ["-DAVITO_WITH_SIMD=0", "-DAVITO_WITH_SHORTCUTS=0"], ["-DAVITO_WITH_SIMD=0"])
FLAGS = "CFLAGS_SAN=-std=c99 -O1 -w $(SANITIZE)"

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

# Linked with every program: the number of the change that is on, and which changes were called.
CHOICE = """
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>
static unsigned char unseen[%d];
unsigned char *mutant_seen = unseen;
int mutant_on;
__attribute__((constructor)) static void mutant_choose(void)
{
    const char *on = getenv("MUTANT"), *seen = getenv("MUTANT_SEEN");
    mutant_on = on == NULL ? 0 : atoi(on);
    if (seen != NULL) { /* a bare system call, because some tests replace open() */
        void *map = mmap(NULL, sizeof unseen, PROT_READ | PROT_WRITE, MAP_SHARED,
                         (int)syscall(SYS_openat, AT_FDCWD, seen, O_RDWR), 0);
        mutant_seen = map == MAP_FAILED ? unseen : map;
    }
}
"""
CHOOSE = """#ifndef MUTANT
extern unsigned char *mutant_seen;
extern int mutant_on;
#define MUTANT(n) (mutant_seen[n] = 1, mutant_on == (n))
#endif
"""
COMPILER = """#!/bin/sh
case " $* " in *" -c "*) exec gcc "$@" ;; esac
exec gcc "$@" {choice}
"""


class Function:
    def __init__(self, text, code, name, brace, end):
        self.name, self.brace, self.end = name, brace, end
        self.begin = max(code.rfind(mark, 0, brace) for mark in ";{}") + 1
        while code[self.begin].isspace():
            self.begin += 1
        self.head = code[self.begin:brace].strip()
        self.digest = hashlib.sha256(text[self.begin:end].encode()).hexdigest()[:16]

    def copy_head(self, name):
        """Copies stay functions of their own: inlined, they cost the compiler more than all the rest."""
        head = re.sub(rf"\b{self.name}\b", name, self.head, count=1)
        head = re.sub(r"\b(inline|AVITOI_INLINE|AVITOI_APART\w*)\s+", "", head)
        return "__attribute__((noinline, cold)) " + head.replace("AVITO_API", "static", 1)

    def arguments(self):
        """The names of the parameters, as a call passes them on."""
        inside = self.head[self.head.index("(") + 1:self.head.rindex(")")]
        names, depth, piece = [], 0, ""
        for c in inside + ",":
            depth += {"(": 1, ")": -1}.get(c, 0)
            if c == "," and depth == 0:
                pointer = re.search(r"\(\*\s*(\w+)", piece)
                names.append(pointer.group(1) if pointer else re.findall(r"\w+", re.sub(r"\[.*?\]", "", piece))[-1])
                piece = ""
            else:
                piece += c
        return ", ".join(name for name in names if name != "void")


class Mutant:
    def __init__(self, kind, function, at, old, new, line):
        self.kind, self.function, self.at, self.old, self.new, self.line = kind, function, at, old, new, line
        self.key = ""

    def name_it(self, text, seen):
        """Makes a key that stays the same when the code around it moves."""
        begin = text.rfind("\n", 0, self.at) + 1
        end = text.find("\n", self.at)
        after = self.at + len(self.old)
        line = f"{text[begin:self.at]}[[{text[self.at:after]}]]{text[after:end]}".strip()
        key = f"{self.function.name} | {line} | {self.new or 'nothing'}"
        seen[key] += 1
        self.key = key if seen[key] == 1 else f"{key} ({seen[key]})"

    def apply(self, text, begin=0, end=None):
        new = self.new if self.kind != "statement" else ";"
        return text[begin:self.at] + new + text[self.at + len(self.old):end]


def functions(text, code, starts):
    for name, first, last, _ in csource.functions(text):
        yield Function(text, code, name, code.index("{", starts[first - 1]), starts[last])


def mutants(text):
    code = csource.blank_comments(text, directives=True)
    starts = [0] + [match.end() for match in re.finditer("\n", code)]
    found, seen = [], collections.Counter()
    for function in functions(text, code, starts):
        for kind, pattern, table in CHANGES:
            for match in re.finditer(pattern, code[function.brace:function.end]):
                old = match.group(1)
                if kind == "statement" and re.match(r"(assert|AVITOI_ASSERT)\b", old):
                    continue
                new = str(int(old) + 1) if table is None else table if table == "" else table[old]
                at = function.brace + match.start(1)
                found.append(Mutant(kind, function, at, old, new, bisect.bisect(starts, at)))
                found[-1].name_it(text, seen)
    return found


def draw(every, seed, number):
    return sorted(every, key=lambda m: hashlib.sha256(f"{seed} {m.key}".encode()).digest())[:number]


def with_copies(text, chosen):
    """The header with a copy of its function for each (number, mutant)."""
    of_function = collections.defaultdict(list)
    for number, mutant in chosen:
        of_function[mutant.function.begin].append((number, mutant))
    pieces, done = [CHOOSE], 0
    for begin in sorted(of_function):
        function = of_function[begin][0][1].function
        pieces += [text[done:begin], function.head, ";\n"]
        calls = ""
        for number, mutant in of_function[begin]:
            pieces += [function.copy_head(f"mutant_{number}"), "\n", mutant.apply(text, function.brace, function.end)]
            calls += f" if (MUTANT({number})) return mutant_{number}({function.arguments()});"
        pieces += [function.head, "\n{", calls]
        done = function.brace + 1
    return "".join(pieces) + text[done:]


def room_tests():
    """Room's title -> the programs that test it, by tests/README.md."""
    table = {}
    with open(os.path.join(TOP, "tests", "README.md"), encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) == 4 and "`" in cells[2]:
                table[cells[1]] = ["build/tests/" + name for name in re.findall(r"`\w+/(\w+_test)\.c`", cells[2])]
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


def compiled(text, flags, name, out="-S", compiler="gcc"):
    """Compiles the header's text, under a name that is the same for every change."""
    folder = os.path.join(PLACE, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, HEADER), "w", encoding="utf-8") as file:
        file.write(text)
    return subprocess.run([compiler, "-std=c99", "-O2", "-w", "-D_GNU_SOURCE", "-DAVITO_MESSENGER_IMPLEMENTATION", *flags,
                           "-x", "c", out, HEADER, *(["-o", "-"] if out == "-S" else [])],
                          cwd=folder, capture_output=True, check=False, env=dict(os.environ, LC_ALL="C"))


class Programs:
    """The programs of the copy, how long each takes, and which changes each calls."""

    def __init__(self, text, drawn):
        self.broken = set()
        self.numbers = {mutant.key: number for number, mutant in enumerate(drawn, 1)}
        self.seconds, self.clock, self.seen, self.alone = {}, {}, {}, threading.Lock()
        self.write(text, drawn)
        listed = subprocess.run(["make", "-s", "mutate-list"], cwd=TREE, check=True, capture_output=True, text=True)
        self.checked = listed.stdout.split()

    def write(self, text, drawn):
        """Makes the copy of the project, with all changes that compile."""
        copy_tree(TOP, TREE, keep=(HEADER,))
        while True:
            chosen = [(n, m) for n, m in enumerate(drawn, 1) if m.key not in self.broken]
            copies = with_copies(text, chosen)
            refused = set()
            for flags in CONFIGURATIONS:
                said = compiled(copies, flags, "syntax", "-fsyntax-only").stderr.decode("utf-8", "replace")
                if "error:" not in said:
                    continue
                refused |= {int(number) for number in re.findall(r"In function .mutant_(\d+)", said)}
                if not refused:
                    sys.exit("mutate.py: the copies do not compile:\n" + said[:2000])
            if not refused:
                break
            self.broken |= {mutant.key for number, mutant in chosen if number in refused}
        self.put(os.path.join(TREE, HEADER), copies)
        self.put(os.path.join(PLACE, "choice.c"), CHOICE % (len(drawn) + 1))
        self.put(os.path.join(PLACE, "cc"), COMPILER.format(choice=os.path.join(PLACE, "choice.o")))
        os.chmod(os.path.join(PLACE, "cc"), 0o755)
        subprocess.run(["gcc", "-c", "choice.c"], cwd=PLACE, check=True)

    @staticmethod
    def put(path, text):
        if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def build(self, programs, jobs):
        done = subprocess.run(["make", "--no-print-directory", "-s", f"-j{jobs}", "CC=" + os.path.join(PLACE, "cc"),
                               "WARN=-w", FLAGS, *programs], cwd=TREE, check=False)
        if done.returncode:
            sys.exit("mutate.py: not everything could be built")

    def run(self, program, environment):
        """Returns whether the program succeeded, its seconds of the processor and by the clock. Programs with
        ports and files of their own run one at a time."""
        command = [program, "--seeds", WORLD_SEEDS] if program == WORLD else [program]
        spent = self.seconds.get(program)
        limit = int(TIMES * spent) + SECONDS if spent is not None else 600

        def limits():
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        def go():
            begun = time.monotonic()
            # CMOCKA_TEST_ABORT: the first failure ends the program.
            with subprocess.Popen(command, cwd=TREE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, preexec_fn=limits, start_new_session=True,
                                  env=dict(os.environ, CMOCKA_TEST_ABORT="1", **environment)) as child:
                timer = threading.Timer(CLOCK + TIMES * self.clock.get(program, 600), lambda: os.killpg(child.pid, 9))
                timer.start()
                _, status, usage = os.wait4(child.pid, 0)
                timer.cancel()
                child.returncode = status
            return status == 0, usage.ru_utime + usage.ru_stime, time.monotonic() - begun

        if program in self.checked:
            return go()
        with self.alone:
            return go()

    def measure(self, programs):
        """Runs the programs without a change. Figures of an earlier run hold while the program is the same."""
        old = {}
        if os.path.exists(MEASURED):
            with open(MEASURED, encoding="utf-8") as file:
                old = json.load(file)
        for program in programs:
            built = os.stat(os.path.join(TREE, program)).st_mtime
            if old.get(program, {}).get("built") != built:
                self.run_alone(program)
                old[program] = {"built": built, "seconds": self.seconds[program], "clock": self.clock[program],
                                "seen": sorted(self.seen[program])}
                with open(MEASURED, "w", encoding="utf-8") as file:
                    json.dump(old, file)
            self.seconds[program], self.clock[program] = old[program]["seconds"], old[program]["clock"]
            self.seen[program] = set(old[program]["seen"])

    def run_alone(self, program):
        path = os.path.join(PLACE, "seen")
        with open(path, "wb") as file:
            file.write(bytes(len(self.numbers) + 1))
        good, spent, clock = self.run(program, {"MUTANT_SEEN": path})
        if not good:
            sys.exit(f"mutate.py: {program} fails without any change")
        with open(path, "rb") as file:
            seen = file.read()
        self.seconds[program], self.clock[program] = spent, clock
        self.seen[program] = {key for key, number in self.numbers.items() if seen[number]}

    def noticed(self, mutant, programs):
        """Returns the first program that notices the change, or None."""
        for program in programs:
            if mutant.key not in self.seen[program]:
                continue
            on = {"MUTANT": str(self.numbers[mutant.key])}
            # A program may fail only because the machine is busy: a failure counts if it comes twice.
            if not self.run(program, on)[0] and not self.run(program, on)[0]:
                return program
        return None


class Judge:
    def __init__(self, text, drawn, jobs):
        self.text, self.rooms = text, rooms_of_lines(text)
        tests = room_tests()
        self.programs = Programs(text, drawn)
        known = set(subprocess.run(["make", "-s", "mutate-all"], cwd=TREE, check=True, capture_output=True,
                                   text=True).stdout.split())
        self.tests = {room: [name for name in names if name in known] for room, names in tests.items()}
        self.original = [[compiled(text, flags, "same", compiler=c).stdout for c in COMPILERS] for flags in CONFIGURATIONS]
        needed = {name for mutant in drawn for name in self.room(mutant)} | set(self.programs.checked)
        self.programs.build(sorted(needed), jobs)
        self.programs.measure(sorted(needed))

    def room(self, mutant):
        return sorted(self.tests.get(self.rooms[mutant.line], []), key=lambda name: self.programs.seconds.get(name, 0))

    def is_same(self, mutant, name):
        changed = mutant.apply(self.text)
        return all(any(compiled(changed, flags, name, compiler=c).stdout == code for c, code in zip(COMPILERS, codes))
                   for flags, codes in zip(CONFIGURATIONS, self.original))

    def order(self, mutant):
        """Its programs: the quick ones, and the longer ones."""
        first = self.room(mutant)
        programs = first + sorted(set(self.programs.checked) - set(first), key=self.programs.seconds.get)
        quick = [program for program in programs if self.programs.seconds[program] < QUICK]
        return quick, [program for program in programs if program not in quick]

    def quickly(self, mutant):
        """Returns (verdict, the program that noticed it or why it does not count), or None: not known yet."""
        if mutant.key in self.programs.broken:
            return "not counted", "does not compile"
        killer = self.programs.noticed(mutant, self.order(mutant)[0])
        return ("noticed", killer) if killer else None

    def at_length(self, mutant, name):
        if self.is_same(mutant, name):
            return "not counted", "same code"
        killer = self.programs.noticed(mutant, self.order(mutant)[1])
        return ("noticed", killer) if killer else ("survived", "")


class Worker(threading.Thread):
    def __init__(self, number, work, judge, known, until):
        super().__init__(daemon=True)
        self.folder, self.work, self.judge, self.known, self.until = f"same{number}", work, judge, known, until

    def run(self):
        while time.monotonic() < self.until:
            try:
                mutant, at_length = self.work.get_nowait()
            except queue.Empty:
                return
            verdict = self.judge.at_length(mutant, self.folder) if at_length else self.judge.quickly(mutant)
            if verdict is None:
                self.work.put((mutant, True))  # when all others have met their quick programs
            else:
                self.known.add(mutant, *verdict)


class Known:
    """build/mutate/results.jsonl: a verdict for each mutant, good while its function stays the same."""

    def __init__(self):
        self.lock = threading.Lock()
        self.entries = {}
        if os.path.exists(RESULTS):
            with open(RESULTS, encoding="utf-8") as file:
                for line in file:
                    entry = json.loads(line)
                    self.entries[entry["key"]] = entry

    def get(self, mutant):
        entry = self.entries.get(mutant.key)
        return entry if entry and entry["code"] == mutant.function.digest else None

    def is_final(self, mutant, listed):
        entry = self.get(mutant)
        return entry is not None and (entry["verdict"] != "survived" or mutant.key in listed)

    def add(self, mutant, verdict, why):
        with self.lock:
            entry = {"key": mutant.key, "code": mutant.function.digest, "kind": mutant.kind, "verdict": verdict,
                     "why": why}
            self.entries[mutant.key] = entry
            with open(RESULTS, "a", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            print(f"{verdict:11} {why:28} {mutant.key}", flush=True)


def equivalent():
    """tools/mutate.txt: key | reason."""
    listed = {}
    with open(LIST, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("# "):
                key, _, reason = line.strip().rpartition(" | ")
                listed[key] = reason
    return listed


def check(every):
    """Finds entries of the list whose place is gone, or whose reason is missing."""
    keys = {mutant.key for mutant in every}
    wrong = [key for key, reason in equivalent().items() if key not in keys or len(reason.split()) < 4]
    for key in wrong:
        print("not ok - an entry of tools/mutate.txt has no place in the header, or no reason: " + key)
    if not wrong:
        print("ok - each entry of tools/mutate.txt is a place in the header, and has a reason")
    return 1 if wrong else 0


def table(drawn, known):
    """Prints the verdicts of the drawn mutants. Returns the exit status."""
    listed, counts, wrong = equivalent(), collections.defaultdict(collections.Counter), []
    killers = collections.Counter()
    for mutant in drawn:
        entry = known.get(mutant) or {"verdict": "to go", "why": ""}
        verdict = entry["verdict"]
        if verdict == "survived" and mutant.key in listed:
            verdict = "listed"
        elif verdict == "survived":
            wrong.append(f"{HEADER}:{mutant.line} {mutant.key}")
        elif verdict == "noticed":
            killers[os.path.basename(entry["why"])] += 1
        for row in (mutant.kind, "~all"):
            counts[row][verdict] += 1
    columns = ("noticed", "survived", "listed", "not counted", "to go")
    print("%-12s" % "change" + "".join("%12s" % name for name in columns))
    for kind, row in sorted(counts.items()):
        print("%-12s" % kind.strip("~") + "".join("%12d" % row[name] for name in columns))
    print("noticed by " + ", ".join(f"{name} {number}" for name, number in killers.most_common()))
    for line in wrong:
        print("survived: " + line)
    total = counts["~all"]
    counted = total["noticed"] + total["survived"] + total["listed"]
    percent = 100.0 * total["noticed"] / counted if counted else 0.0
    good = not wrong and percent >= LEAST and not total["to go"]
    print(f"{'ok' if good else 'not ok'} - {total['noticed']} of {counted} changes were noticed, {percent:.1f} %; "
          f"{total['listed']} are listed, {total['survived']} survived, {total['to go']} to go")
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--only", metavar="FUNCTION")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so many, and go on in the next run")
    arguments = parser.parse_args()
    until = time.monotonic() + arguments.seconds
    os.makedirs(PLACE, exist_ok=True)
    with open(os.path.join(TOP, HEADER), encoding="utf-8") as file:
        text = file.read()
    every = mutants(text)
    if arguments.check:
        return check(every)
    drawn = draw(every, arguments.seed, arguments.mutants)
    if arguments.only:
        drawn = [mutant for mutant in every if mutant.function.name == arguments.only]
    known, listed = Known(), equivalent()
    work = queue.Queue()
    for mutant in drawn:
        if not known.is_final(mutant, listed):
            work.put((mutant, False))
    if not arguments.show and not work.empty():
        print(f"{len(every)} places, {len(drawn)} drawn, {work.qsize()} to go", flush=True)
        judge = Judge(text, drawn, arguments.jobs)
        workers = [Worker(number, work, judge, known, until) for number in range(1, arguments.jobs + 1)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return table(drawn, known)


if __name__ == "__main__":
    sys.exit(main())
