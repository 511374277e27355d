#!/usr/bin/env python3
"""Worst stack of a linked program, libraries included, with every recursion refused.

    stack.py [options] FILE.ci...      (or directories that hold them)

The .ci files come from gcc -fstack-usage -fcallgraph-info=su. What gcc cannot know is told by:

    --indirect FILE   which functions the calls through pointers may reach. Lines "CALLER: CALLEE..."
                      or "CALLER.MEMBER: CALLEE..." for the calls through one member of the header's
                      structs; patterns; FILE.c:NAME for static functions; "-" for a callee that is
                      not ours (the user's hook). The first line that fits a call counts. Several files
                      add up. For the header tools/callgraph.txt has the last word, its hooks being "-".
                      A call that no line names is an error.
    --elf FILE        the linked program (with --objdump, its tool): only functions that are in it
                      count, and those that have no .ci (libc) are read from their instructions.
    --root NAME       print the worst stack below NAME (pattern; may be repeated), else of all roots
    --interrupt N=NAME  add N bytes and the worst of NAME to every result: an interrupt handler
    --path            print the path that leads to each figure

Exit status 1: a recursion, a frame of a size only known at run time, or a call to something unknown.
"""
import argparse
import fnmatch
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
import callgraph  # noqa: E402
import csource  # noqa: E402

INDIRECT = "__indirect_call"
NODE = re.compile(r'^node: \{ title: "([^"]*)" label: "([^"]*)"')
EDGE = re.compile(r'^edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"(?: label: "([^"]*)")?')
FRAME = re.compile(r"\\n(\d+) bytes \(([a-z,]+)\)")



def short(title):
    """gcc writes FILE:NAME for static functions."""
    return title.rsplit(":", 1)[-1]


def file_and_name(title):
    """("x.c", "name") of a static function, ("", "name") of another; clones (.isra) as the original."""
    file, _, name = title.rpartition(":")
    return os.path.basename(file), name.split(".")[0]


def matches(title, pattern):
    """By NAME, or FILE.c:NAME for a static function."""
    file, name = file_and_name(title)
    return fnmatch.fnmatchcase(file + ":" + name if ":" in pattern else name, pattern)


class Graph:
    def __init__(self):
        self.frames = {}     # title -> bytes
        self.calls = {}      # title -> set of titles
        self.pointers = {}   # title -> set of the members through which it calls, "" for unnamed ones
        self.problems = []
        self.unresolved = {}     # calls through pointers that no table lists
        self.sizeless = set()    # frames whose size is only known at run time
        self.tails = set()       # (caller, callee): only jumped to, when the caller's frame is gone
        self.worst = {}

    def read(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                node, edge = NODE.match(line), EDGE.match(line)
                if node:
                    frame = FRAME.search(node.group(2))
                    if frame:
                        self.add_frame(node.group(1), int(frame.group(1)), frame.group(2))
                elif edge:
                    self.add_call(*edge.groups())

    def add_call(self, caller, callee, place):
        if callee == INDIRECT:
            self.pointers.setdefault(caller, set()).add(member_at(place or ""))
        else:
            self.calls.setdefault(caller, set()).add(callee)

    def add_frame(self, title, size, kind):
        if kind not in ("static", "dynamic,bounded"):
            self.sizeless.add(title)
        self.frames[title] = max(size, self.frames.get(title, 0))

    def keep(self, linked):
        """Forget what was not linked. Static functions count by file: many share a name."""
        for title in [t for t in self.frames if file_and_name(t) not in linked]:
            del self.frames[title]
            self.calls.pop(title, None)

    def resolve(self, table):
        """Replaces calls through pointers by what the table says: (caller, member, callees)."""
        for title in self.frames:
            for member in self.pointers.get(title, ()):
                line = next((callees for caller, of, callees in table
                             if matches(title, caller) and of in ("", member)), None)
                if line is None:
                    self.unresolved.setdefault(title, []).append(member or "?")
                for word in line or ():
                    self.calls.setdefault(title, set()).update(t for t in self.frames if matches(t, word))

    def below(self, root):
        """Worst stack of `root` and everything that it calls, and the path. Iterative; finds recursion."""
        stack, on_path = [(root, iter(sorted(self.calls.get(root, ()))))], [root]
        while stack:
            title, callees = stack[-1]
            step = next((c for c in callees if c not in self.worst), None)
            if step is None:
                self.finish(title)
                stack.pop()
                on_path.pop()
            elif step in on_path:
                cycle = on_path[on_path.index(step):] + [step]
                self.problems.append("recursion: " + " -> ".join(map(short, cycle)))
                self.worst[step] = (0, [])  # reported once
            else:
                stack.append((step, iter(sorted(self.calls.get(step, ())))))
                on_path.append(step)
        return self.worst[root]

    def finish(self, title):
        if title in self.sizeless:
            self.problems.append(f"{short(title)}: a frame whose size is only known at run time")
        if title in self.unresolved:
            self.problems.append(f"{short(title)}: calls {' '.join(self.unresolved[title])}() through a pointer, "
                                 "and no table tells what that is")
        if title not in self.frames:
            self.problems.append(f"{short(title)}: called, but nothing tells its stack use")
        frame = self.frames.get(title, 0)
        worst = (frame, [title])
        for callee in self.calls.get(title, ()):
            below, path = self.worst.get(callee, (0, []))
            below += 0 if (title, callee) in self.tails else frame
            if below > worst[0]:
                worst = (below, [title] + path)
        self.worst[title] = worst


def member_at(place, cache={}):
    """The member that is called at FILE:LINE:COLUMN, if that is in the header."""
    path, line, column = (place.rsplit(":", 2) + ["", ""])[:3]
    if os.path.basename(path) != "avito_messenger.h":
        return ""
    if path not in cache:
        with open(path, encoding="utf-8") as file:
            cache[path] = csource.blank_comments(file.read()).split("\n")
    return callgraph.called_name(cache[path], int(line), int(column))


def read_table(path):
    table = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.split("#", 1)[0].strip()
            if line:
                caller, callees = line.split(": ", 1)
                caller, _, member = caller.partition(".") if ".c:" not in caller else (caller, "", "")
                table.append((caller, member, callees.split()))
    return table


def header_rules():
    """tools/callgraph.txt in the form of read_table()."""
    return [(caller, name, [t for t in targets if t != "hook"])
            for names, caller, targets in callgraph.read_rules() for name in names]


PUSH = re.compile(r"\b(?:push|stmdb\s+sp!,|stmfd\s+sp!,)\w*\s*\{([^}]*)\}")
SUB_ARM = re.compile(r"\bsubw?(?:\.w)?\s+sp,\s*(?:sp,\s*)?#(\d+)")
STR_ARM = re.compile(r"\bstrd?(?:\.w)?\s+.*\[sp, #-(\d+)\]!")
SUB_RISCV = re.compile(r"\baddi\s+sp,sp,-(\d+)")
JUMP = re.compile(r"\b(?:bl|blx|b(?:eq|ne|cs|cc|mi|pl|hi|ls|ge|lt|gt|le)?(?:\.[nw])?|jal|j|call|tail|b\w+z?)"
                  r"\s+(?:\w+,\s*)*([0-9a-f]+) <")
CALL = re.compile(r"\b(?:blx?|jal|call)\s")
THROUGH = re.compile(r"\b(?:blx\s+r\d+|jalr\s+(?!zero)|jr\s+(?!ra\b))")


def registers(text):
    """How many registers a list such as "r4-r7, lr" has."""
    count = 0
    for part in text.replace(" ", "").split(","):
        ends = [int(n) for n in re.findall(r"r(\d+)", part)]
        count += ends[1] - ends[0] + 1 if len(ends) == 2 else 1
    return count


def read_symbols(elf, readelf):
    """Address -> names of the functions there (aliases share one), and the set of (file, name)."""
    functions, linked, file = {}, set(), ""
    for line in subprocess.run([readelf, "-sW", elf], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines():
        words = line.split()
        if len(words) < 7 or not words[0].rstrip(":").isdigit():
            continue
        if words[3] == "FILE":
            file = words[7] if len(words) > 7 else ""
        elif words[3] in ("FUNC", "NOTYPE") and len(words) > 7 and words[6] not in ("UND", "ABS"):
            name = words[7]
            if name.startswith("$") or name.startswith(".L"):
                continue
            functions.setdefault(int(words[1], 16) & ~1, []).append(name)
            local = file if words[4] == "LOCAL" else ""
            linked.add((os.path.basename(local), name.split(".")[0]))
    return functions, linked


def read_instructions(graph, elf, objdump, functions):
    """Frames of functions without .ci: the sum of all that they ever push, an upper bound. And of the
    others, which calls are jumps at their end (only where a name is that of one function)."""
    known, jumps = {}, {}
    for title in graph.frames:
        known.setdefault(short(title), []).append(title)
    names, caller = [], None
    text = subprocess.run([objdump, "-d", "--no-show-raw-insn", elf], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    for line in text.splitlines():
        header = re.match(r"^([0-9a-f]+) <[^>]+>:$", line)
        if header:
            names = functions.get(int(header.group(1), 16), [])
            caller = next((name for name in names if len(known.get(name, ())) == 1), None)
            if any(name in known for name in names):
                names = []
            for name in names:
                graph.frames[name] = 0
                graph.calls[name] = set()
                graph.pointers.pop(name, None)
            continue
        size = sum(int(m.group(1)) for p in (SUB_ARM, STR_ARM, SUB_RISCV) for m in p.finditer(line))
        size += sum(4 * registers(m.group(1)) for m in PUSH.finditer(line))
        jump = JUMP.search(line)
        targets = functions.get(int(jump.group(1), 16), []) if jump else []
        for target in targets[:1] if caller else ():
            jumps.setdefault((caller, target), set()).add(bool(CALL.search(line)))
        for name in names:
            graph.frames[name] += size
            graph.calls[name].update(t for t in targets[:1] if t not in names)
            if THROUGH.search(line):
                graph.pointers.setdefault(name, set()).add("")
    graph.tails = {(known[caller][0], known[callee][0]) for (caller, callee), calls in jumps.items()
                   if calls == {False} and caller != callee and len(known.get(callee, ())) == 1}


def link_names(graph):
    """Calls have linker names, static functions are FILE:NAME: joins the two."""
    by_name = {}
    for title in graph.frames:
        by_name.setdefault(short(title), []).append(title)
    for title, callees in graph.calls.items():
        for callee in [c for c in callees if c not in graph.frames and short(c) in by_name]:
            callees.discard(callee)
            callees.update(by_name[short(callee)])


def load(files, indirect=(), elf=None, objdump="objdump"):
    """A graph with all calls resolved. The module interface: load(), then graph.below(title)."""
    graph = Graph()
    for path in files:
        if os.path.isdir(path):
            for name in sorted(os.listdir(path)):
                if name.endswith(".ci"):
                    graph.read(os.path.join(path, name))
        else:
            graph.read(path)
    if elf:
        functions, linked = read_symbols(elf, re.sub("objdump$", "readelf", objdump))
        graph.keep(linked)
        read_instructions(graph, elf, objdump, functions)
    graph.resolve([line for path in indirect for line in read_table(path)] + header_rules())
    link_names(graph)
    if elf:
        # gcc also lists calls that it considered but did not emit (__aeabi_idiv).
        for callees in graph.calls.values():
            callees -= {c for c in callees if c not in graph.frames and ("", short(c)) not in linked}
    return graph


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--indirect", action="append", default=[])
    parser.add_argument("--elf")
    parser.add_argument("--objdump", default="objdump")
    parser.add_argument("--root", action="append", default=[])
    parser.add_argument("--interrupt", action="append", default=[])
    parser.add_argument("--path", action="store_true")
    args = parser.parse_args()

    graph = load(args.files, args.indirect, args.elf, args.objdump)
    called = {callee for callees in graph.calls.values() for callee in callees}
    if args.root:
        roots = [t for t in graph.frames if any(fnmatch.fnmatchcase(short(t), r) for r in args.root)]
    else:
        roots = [t for t in graph.frames if t not in called]
    extra = 0
    for text in args.interrupt:
        size, name = text.split("=")
        extra += int(size) + max(graph.below(t)[0] for t in graph.frames if short(t) == name)
    results = sorted(((graph.below(root), root) for root in roots), key=lambda r: -r[0][0])
    for problem in graph.problems:
        print(f"stack: {problem}", file=sys.stderr)
    if not results:
        print("stack: no such function", file=sys.stderr)
        return 1
    for (worst, path), root in results:
        print(f"{worst + extra:7d}  {short(root)}")
        for title in path if args.path else ():
            print(f"         {graph.frames.get(title, 0):5d} {short(title)}")
    return 1 if graph.problems else 0


if __name__ == "__main__":
    sys.exit(main())
