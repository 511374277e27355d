#!/usr/bin/env python3
"""Keeps the house of avito_messenger.h in order; tools/rooms.txt is the list of its rooms.

    tools/rooms.py            checks; prints ok / not ok lines; 1 if anything is wrong
    tools/rooms.py --write    numbers the chapters, writes the contents of the header and tests/README.md
    tools/rooms.py --list     lengths of rooms and parts, and the longest and most complex functions

What is checked:

    marks        every chapter has one number, without gaps; every >>n in the text is a chapter
    contents     the list at the top of the header is that of the marks
    prefixes     what a room defines begins with a prefix of the room
    calls        no function is called from a room before its own, except what rooms.txt lists
    sizes        lines of a room, of the core book, and of functions; complexity of functions
    comments     the opening of each room; a comment above each long function
    results      what only private functions return has a type of its own
    tests        every test program says in its first comment which rooms it tests ("Rooms: TEXT, ARENA."),
                 every room has one; every public function, option and enum constant occurs in a test
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADER = os.path.join(TOP, "avito_messenger.h")
README = os.path.join(TOP, "README.md")
TESTED = os.path.join(TOP, "tests", "README.md")
LIST = os.path.join(TOP, "tools", "rooms.txt")

ROOM_MAX, CORE_MAX = 700, 8000
LINE_MAX = 112
LENGTH_MAX, LENGTH_P90, LENGTH_MEDIAN, COMPLEXITY_MAX = 70, 28, 15, 15
TABLES = ("tests/api/careless_test.c",)  # names every function, which tests none of them
OPENING = ("Comes in:", "Goes out:", "May not")
COMMENT_FROM = 15
# Results that only private functions return, and the type of such functions.
RESULTS = {"AVITOI_CALL_MOVED": "avitoi_call_result", "AVITOI_JSON_VALUE": "avitoi_json_result",
           "AVITOI_JSON_ELEMENT": "avitoi_json_result", "AVITOI_JSON_UNKNOWN": "avitoi_json_result",
           "AVITOI_BODY_COMPLETE": "avitoi_body_result",
           "AVITOI_HEAD_COMPLETE": "avitoi_head_result", "AVITOI_TLS_NOTHING": "avitoi_tls_io",
           "AVITOI_TOKEN_UNSAVED": "avitoi_token_choice", "AVITOI_EXCHANGE_ENDED": "avitoi_exchange_io",
           "AVITOI_INBOX_SAYS": "avitoi_call_result"}
PARTIAL = ("avitoi_body_result", "avitoi_head_result")  # a call's handler may pass these on
STOP = " * YOU MAY STOP HERE."
# Where each part of the header begins: its title in the contents, and the line.
PARTS = (("MANUAL", " * >>1 "),
         ("INTERFACE OF THE CORE", "#ifndef AVITO_MESSENGER_H"),
         ("THE CORE, BOTTOM-UP", "#if defined(AVITO_MESSENGER_IMPLEMENTATION)"),
         ("SPEED", STOP),
         ("MANUAL OF THE PARTS", "#endif /* AVITO_MESSENGER_IMPLEMENTATION: end of the core */"),
         ("INTERFACE OF THE PARTS", "#ifndef AVITO_MESSENGER_PARTS_H"),
         ("THE PARTS", "#if defined(AVITO_MESSENGER_IMPLEMENTATION)"),
         ("MANUAL FOR A COMPUTER", "#endif /* AVITO_MESSENGER_IMPLEMENTATION: end of the parts */"),
         ("INTERFACE FOR A COMPUTER", "#ifndef AVITO_MESSENGER_COMPUTER_H"),
         ("PARTS FOR A COMPUTER", "#if defined(AVITO_MESSENGER_IMPLEMENTATION)"))
CODE = ("THE CORE, BOTTOM-UP", "SPEED", "THE PARTS", "PARTS FOR A COMPUTER")  # the parts that have rooms
NAME = r"\b(?:avitoi|AVITOI)_\w+"
LISTS = {"AVITO_ERRORS": "AVITO_ERR_", "AVITO_MESSAGE_MODELS": "AVITO_MESSAGE_",
         "AVITO_MESSAGE_TYPES": "AVITO_MESSAGE_", "AVITO_ERROR_ENUM_": "", "AVITO_MESSAGE_ENUM_": ""}
MARK = re.compile(r"^ \* >>(\d+) ([A-Z].*)$")
failures = 0


def check(what, wrong):
    global failures
    wrong = list(wrong)
    print(("not ok - " if wrong else "ok - ") + what)
    for line in wrong[:200]:
        print("#   " + line)
    failures += bool(wrong)


class Rooms:
    """tools/rooms.txt."""

    def __init__(self):
        self.rooms = {}       # title -> prefixes
        self.exceptions = {}  # section -> {what: reason}
        section = None
        with open(LIST, encoding="utf-8") as file:
            for line in file:
                line = line.split("# ")[0].strip() if line.lstrip().startswith("#") else line.strip()
                if not line:
                    continue
                if line.startswith("["):
                    section = line.strip("[]")
                    self.exceptions.setdefault(section, {})
                elif section == "rooms":
                    title, prefixes = (field.strip() for field in line.split("|"))
                    self.rooms[title] = tuple(p.rstrip("_") for p in prefixes.split())
                else:
                    what, _, reason = line.partition(" : ")
                    self.exceptions[section][what.strip()] = reason.strip()
        del self.exceptions["rooms"]

    def but(self, section):
        return self.exceptions.get(section, {})


class Header:
    def __init__(self, path=HEADER):
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.lines = self.text.split("\n")
        self.code = csource.blank_comments(self.text).split("\n")
        self.parts = self.find_parts()
        self.chapters = self.find_chapters()  # (number, title, first line, last line, part)
        self.functions = sorted((first, last, name) for name, first, last, _
                                in csource.functions(self.text))

    def find_parts(self):
        found, at = [], 0
        for title, line in PARTS:
            while not self.lines[at].startswith(line):
                at += 1
            found.append((title, at))
            at += 1
        return found

    def find_chapters(self):
        begins = [(i, MARK.match(line)) for i, line in enumerate(self.lines)
                  if MARK.match(line) and "====" in self.lines[i - 1]]
        out = []
        for k, (i, match) in enumerate(begins):
            end = begins[k + 1][0] - 1 if k + 1 < len(begins) else len(self.lines)
            part = [title for title, at in self.parts if at <= i][-1]
            out.append((int(match.group(1)), match.group(2), i - 1, end - 1, part))
        return out

    def rooms(self):
        """The chapters that hold code: (title, first line, last line)."""
        return [(title, first, last) for _, title, first, last, part in self.chapters
                if part in CODE]

    def contents(self):
        rows = []
        for title, _ in self.parts:
            rows.append(f" *     {title}")
            rows += [f" *       >>{number} {name}" for number, name, _, _, part in self.chapters
                     if part == title]
        return rows

    def contents_region(self):
        first = self.lines.index(f" *     {PARTS[0][0]}")
        last = first
        while self.lines[last].strip() != "*":
            last += 1
        return first, last


def definitions(header, first, last):
    """(line, name) of what is defined at the top level of these lines: functions, macros, types,
    tables, enum constants."""
    out = [(begin - 1, name) for begin, _, name in header.functions if first <= begin - 1 <= last]
    patterns = (r"^\s*#\s*define\s+(\w+)", r"^(?:typedef )?(?:struct|union|enum) (\w+) \{",
                r"^static (?:const )?[^;(){}]*?\b(\w+)(?:\[[^\]]*\])? =", r"^\s+(AVITOI_\w+)(?:,| =|$)")
    in_enum = False
    for i in range(first, last + 1):
        line = header.code[i]
        if re.match(r"^(typedef )?enum\b", line):
            in_enum = True
            out += [(i, name) for name in re.findall(r"\b(AVITOI_\w+)(?= *[,=}])", line)]
        for number, pattern in enumerate(patterns):
            match = re.match(pattern, line)
            if match and (number != 3 or in_enum):
                out.append((i, match.group(1)))
        if "}" in line:
            in_enum = False
    return out


def check_marks(header):
    numbers = [chapter[0] for chapter in header.chapters]
    check(f"the {len(numbers)} chapters are numbered without gaps",
          [] if numbers == list(range(1, len(numbers) + 1)) else [" ".join(map(str, numbers))])
    check("every >>n in the text is a chapter",
          sorted({f"line {i + 1}: >>{n}" for i, line in enumerate(header.lines)
                  for n in re.findall(r">>(\d+)\b", line) if int(n) not in numbers}))
    listed = subprocess.run(["git", "grep", "-InE", r'>>[0-9]+([^0-9 |&]|$)', "--", ".", ":!tests/data",
                             ":!tools/rooms.py", ":!tools/docs.py", ":!avito_messenger.h"], cwd=TOP,
                            stdout=subprocess.PIPE, text=True, check=False).stdout.splitlines()
    check("elsewhere a chapter is named by its title, which is not renumbered", listed)
    first, last = header.contents_region()
    wanted = header.contents()
    check("the contents are those of the chapters (tools/rooms.py --write)",
          [f"{a!r} should be {b!r}" for a, b in zip(header.lines[first:last] + [""] * len(wanted), wanted)
           if a != b] + header.lines[first:last][len(wanted):])


def check_prefixes(header, rooms):
    titles = [title for title, _, _ in header.rooms()]
    check("tools/rooms.txt lists the rooms of the header, in their order",
          [f"header: {a}, list: {b}" for a, b in
           zip(titles + ["-"] * 99, list(rooms.rooms) + ["-"] * (99 + len(titles) - len(rooms.rooms)))
           if a != b])
    wrong = []
    free = rooms.but("names that belong to no room")
    every = tuple(p for prefixes in rooms.rooms.values() for p in prefixes)
    for title, first, last in header.rooms():
        prefixes = rooms.rooms.get(title, ())
        for line, name in definitions(header, first, last):
            low = name.lower()
            if low.startswith("avitoi_") and name not in free and not low.startswith(prefixes):
                wrong.append(f"line {line + 1}: {name} in {title}")
    for _, title, first, last, part in header.chapters:
        if part.startswith("INTERFACE"):
            for line, name in definitions(header, first, last):
                low = name.lower()
                if low.startswith("avitoi_") and name not in free and not low.startswith(every):
                    wrong.append(f"line {line + 1}: {name} in the interface")
    check("what a room defines begins with its prefix", wrong)


def check_calls(header, rooms):
    room_of = {}
    spans = header.rooms()
    for first, last, name in header.functions:
        for index, (_, begin, end) in enumerate(spans):
            if begin <= first - 1 <= end:
                room_of[name] = (index, first)
    allowed = rooms.but("calls that go forward")
    used, wrong = set(), []
    for first, last, caller in header.functions:
        if caller not in room_of:
            continue
        body = "\n".join(header.code[first - 1:last])
        for callee in set(re.findall(r"\b(avitoi?_\w+)\b", body)):
            if callee in room_of and room_of[callee][0] > room_of[caller][0]:
                key = f"{caller} {callee}"
                used.add(key)
                if key not in allowed:
                    wrong.append(f"line {first}: {caller}() in {spans[room_of[caller][0]][0]} names "
                                 f"{callee}() of {spans[room_of[callee][0]][0]}")
    # Tables may name functions of later rooms, too.
    inside = set()
    for first, last, _ in header.functions:
        inside.update(range(first - 1, last))
    for index, (title, begin, end) in enumerate(spans):
        for i in range(begin, end + 1):
            if i in inside or re.match(r"(AVITOI_\w+ )?static\b", header.code[i]):
                continue
            for callee in re.findall(r"\b(avitoi_\w+)\b(?!\()", header.code[i]):
                if callee in room_of and room_of[callee][0] > index:
                    key = f"table {callee}"
                    used.add(key)
                    if key not in allowed:
                        wrong.append(f"line {i + 1}: a table of {title} names {callee}() of "
                                     f"{spans[room_of[callee][0]][0]}")
    check("no call goes forward out of a room", wrong)
    check("each exception for a call is still one", sorted(set(allowed) - used))


def complexity(code):
    """McCabe's, modified: one, plus one for each branch; a switch counts once."""
    code = re.sub(r"^\s*#(?:.*\\\n)*.*", "", code, flags=re.M)
    return 1 + len(re.findall(r"\b(?:if|for|while|switch)\b|&&|\|\||\?", code))


def check_sizes(header):
    check(f"no room has more than {ROOM_MAX} lines",
          [f"{title}: {last - first + 1}" for title, first, last in header.rooms() if last - first + 1 > ROOM_MAX])
    stop = next(i for i, line in enumerate(header.lines) if line.startswith(STOP))
    check(f"the core book has {stop} lines, at most {CORE_MAX}", [] if stop <= CORE_MAX else [str(stop)])
    check(f"no line has more than {LINE_MAX} characters",
          [f"line {i}: {len(line)}" for i, line in enumerate(header.lines, 1) if len(line.rstrip()) > LINE_MAX])
    lengths = sorted((last - first + 1, name) for first, last, name in header.functions)
    check(f"of {len(lengths)} functions none is longer than {LENGTH_MAX} lines",
          [f"{name}(): {n}" for n, name in lengths if n > LENGTH_MAX])
    p90 = lengths[min(len(lengths) - 1, len(lengths) * 9 // 10)][0]
    median = lengths[len(lengths) // 2][0]
    check(f"nine in ten are at most {p90} lines ({LENGTH_P90}), the median is {median} ({LENGTH_MEDIAN})",
          [] if p90 <= LENGTH_P90 and median <= LENGTH_MEDIAN else [f"{p90} {median}"])
    knots = [(first, name, complexity("\n".join(header.code[first - 1:last])))
             for first, last, name in header.functions]
    check(f"no function is more complex than {COMPLEXITY_MAX}",
          [f"line {first}: {name}(): {n}" for first, name, n in knots if n > COMPLEXITY_MAX])


def check_results(header):
    """A function that returns a private result has the type that says so, and none of them is public."""
    heads = {}
    for first, last, name in header.functions:
        begin = first - 1
        while header.code[begin - 1].strip() and not header.code[begin - 1].rstrip().endswith(("}", ";")):
            begin -= 1
        head = " ".join(header.code[begin:first])
        kind = re.search(r"([\w ]+?)\**\s*\b%s\(" % name, head)
        body = "\n".join(header.code[first:last])
        returned = " ".join(re.findall(r"\breturn\b([^;]*);", body))
        while re.search(r"\([^()]+\)", returned):  # arguments and conditions are not returned
            returned = re.sub(r"\([^()]+\)", "()", returned)
        heads[name] = (kind.group(1).split()[-1] if kind else "", returned)
    wrong = []
    for name, (kind, returned) in heads.items():
        returned = re.sub(r"\w*(?:\(\))? *[!=]= *\w*", "", returned)
        for word in set(re.findall(r"\w+", returned)):
            wanted = RESULTS.get(word)
            if wanted is None and word in heads and heads[word][0] in RESULTS.values():
                wanted = heads[word][0]
            if wanted in (None, kind) or kind == "avitoi_call_result" and wanted in PARTIAL:
                continue
            wrong.append(f"{name}() returns {word}, but is no {wanted}")
    check("a function that returns a private result has its type", sorted(wrong))
    numbers = {}
    for name in sorted(set(RESULTS) | {"AVITO_OK", "AVITO_AGAIN", "AVITO_END"}):
        value = re.search(r"#define %s +\(?(-?\d+)" % name, header.text)
        numbers.setdefault(value.group(1) if value else None, []).append(name)
    check("no two results have one number", [" ".join(names) for names in numbers.values() if len(names) > 1])


def check_comments(header):
    """Each room says what it is for; each long function has a comment above it."""
    wrong = []
    for title, first, _ in header.rooms():
        opening = " ".join(header.lines[first + 2:next(i for i in range(first, len(header.lines))
                                                       if "*/" in header.lines[i])])
        wrong += [f"{title}: its opening lacks \"{words}\"" for words in OPENING
                  if words not in re.sub(r"\s+\*?\s*", " ", opening)]
    check("each room is opened by what it is for, what comes in, what goes out, what it may not do", wrong)
    bare = []
    for first, last, name in header.functions:
        above = first - 2  # over the lines of the head; a public one is described in the interface
        while header.code[above].strip() or header.code[above + 1].startswith("{"):
            above -= 1
        if (last - first > COMMENT_FROM and not header.lines[above].rstrip().endswith("*/")
                and not name.startswith("avito_")):
            bare.append(name)
    check(f"each private function of more than {COMMENT_FROM} lines has a comment", sorted(bare))


def read_tests():
    """{path: text} of files under tests/ that are written by hand."""
    listed = subprocess.run(["git", "ls-files", "tests"], cwd=TOP, stdout=subprocess.PIPE, text=True,
                            check=False).stdout.split()
    if not listed:  # not a git checkout
        listed = [os.path.relpath(os.path.join(at, name), TOP)
                  for at, _, names in os.walk(os.path.join(TOP, "tests")) for name in names]
    out = {}
    for path in listed:
        if re.search(r"\.(c|h|py|sh|cpp)$", path) and not path.startswith("tests/data/"):
            with open(os.path.join(TOP, path), encoding="utf-8") as file:
                out[path] = file.read()
    return out


def interface(header):
    """The code of both interfaces, without comments."""
    return "\n".join("\n".join(header.code[first:last + 1]) for _, _, first, last, part in header.chapters
                     if part.startswith("INTERFACE"))


def said_rooms(text):
    """The rooms that a test program names in its first comment; None: it names none."""
    comment = re.search(r"/\*.*?\*/", text, re.S)
    found = re.search(r"\bRooms: ([^.]*)\.", re.sub(r"\s*\n \* ?", " ", comment.group(0))) if comment else None
    if found is None:
        return None
    return [] if found.group(1) == "none" else [title.strip() for title in found.group(1).split(",")]


def tested_by(header, tests):
    """{title of a room: [paths]}"""
    out = {title: [] for title, _, _ in header.rooms()}
    for path in sorted(tests):
        for title in said_rooms(tests[path]) or []:
            out.setdefault(title, []).append(path)
    return out


def check_tests(header, rooms, tests):
    every = set().union(*(set(re.findall(r"\w+", text)) for path, text in tests.items() if path not in TABLES))
    check("every test program says which rooms it tests",
          [f"{path}: write \"Rooms: TITLE, TITLE.\" (or \"Rooms: none.\") into its first comment"
           for path in sorted(tests) if path.endswith("_test.c") and said_rooms(tests[path]) is None])
    by = tested_by(header, tests)
    titles = {title for title, _, _ in header.rooms()}
    check("the rooms that tests name are there", [f"{title}: {' '.join(paths)}" for title, paths in by.items()
                                                  if title not in titles])
    check("every room has a test", [title for title in titles if not by[title]])
    code = interface(header)
    functions = set(re.findall(r"\bAVITO_API\b[^;{]*?\b(avito_\w+)\(", code))
    constants = {name for body in re.findall(r"\benum(?:\s+\w+)?\s*\{(.*?)\}", code, re.S)
                 for name in re.findall(r"\b(AVITO_\w+)", body) if name not in LISTS} - {"AVITO_ERR_NONE"}
    for name, prefix in LISTS.items():  # the enums that are made from a list
        body = re.search(r"#define %s\(X\)((?:.*\\\n)*.*)" % name, header.text)
        constants |= {prefix + x for x in re.findall(r"\bX\((\w+), ", body.group(1))} if body else set()
    untested = rooms.but("public names without a test")
    check(f"each of {len(functions)} public functions occurs in a test", sorted(functions - every - set(untested)))
    check(f"each of {len(constants)} public constants occurs in a test", sorted(constants - every - set(untested)))
    used = set().union(*(set(re.findall(r"(?:\.|->)(\w+)", text)) for text in tests.values()))
    options = set()
    for name, body in re.findall(r"typedef struct (avito_\w*(?:options|query|source|user)) \{(.*?)\n\} ", code, re.S):
        body = re.sub(r"\n    struct \{.*?\n    \} priv;", "", body, flags=re.S)
        options |= {(name, a or b) for a, b in re.findall(r"\(\*(\w+)\)|\b(\w+)(?:\[[^\]]*\])?;", body)}
    bare = {f"{name}.{member}" for name, member in options if member not in used}
    check(f"each of {len(options)} options occurs in a test", sorted(bare - set(untested)))
    check("each exception for a test is still one",
          sorted(name for name in untested if name not in bare and ("." in name or name in every)))


FOLDERS = {
    "api": "programs that see only the interface, as a user does",
    "unit": "programs that see private functions",
    "tls": "TCP and TLS on real sockets, against OpenSSL",
    "transports": "the transports of `examples/transports`, over fakes of their stacks",
    "threads": "lanes on several threads, under ThreadSanitizer",
    "tiny": "AVITO_TINY: what is linked, and what its lack says",
    "port": "the same tests, and the program `avito`, on other machines, compilers and C libraries",
    "compile": "every configuration, warnings as errors",
    "fuzz": "fuzz targets, what they found, and the hours that each had (`hours.txt`, by `make fuzz-hours`)",
    "world": "seeds of a simulated world in which everything goes wrong",
    "check": "scripts: documents, examples, pictures, tables, style",
    "avito": "the program `avito` as people and scripts use it, and its rooms",
    "page": "the simulator's page in a headless browser",
    "release": "the packages of `make release`, each with the tool of its users",
    "support": "what the tests share: scripted transport, clock, guard pages",
    "data": "answers of the service, and what they decode to",
}


ADDED = """## A new error, field or call

`make check` names most of what is missing. Capitals are chapters of the header.

* An error: a row of `AVITO_ERRORS`, its Russian text in `tools/avito/russian.c`, a test that gets it. `make manual`, and
  in the manual's table where it comes from.
* A field: a member in MODELS and a row in SCHEMAS; the same in `expect.py`, which is written apart from the header, in
  `support/dump.c`, and in `tools/avito/jsonl.c` if people should see it; answers in `data/` that have it. `make expect`,
  `make manual`.
* A call: its name in `AVITOI_ENDPOINTS`, a row in ENDPOINTS, a function with its comment in CALLS, a row in THE API, CALL
  BY CALL; the operation in `tools/simulator` (`simulator.h`, `http/`); tests, of which `support/calls.h` makes many.
"""


def test_table(header, tests):
    """tests/README.md"""
    by = tested_by(header, tests)
    rows = ["# Tests", "",
            "`make test` builds and runs everything under the address and undefined-behaviour sanitizers, over real TLS",
            "where it matters. `make check` is the part that needs no server and no cross compiler; it takes two or three",
            "minutes. The service that the tests talk to is `tools/simulator`: built from recorded answers and the official",
            "description, it refuses what the service would refuse, and misbehaves on request. Beside them: `make bench`",
            "(speed and memory beside other libraries), `make firmware` (boards in QEMU), `make footprint` (flash, RAM,",
            "stack), `make fuzz`, `make lint`, `make soak`, `make fleet`; `make help` lists all, and the README's chapter",
            "*Longer tests* says when the long ones ran last.", "",
            "| in `tests/` | |", "| --- | --- |", *(f"| `{folder}/` | {what} |" for folder, what in FOLDERS.items()), "",
            ADDED, "## Which test for which room", "",
            "Written by `tools/rooms.py --write`, from the first comments of the tests (\"Rooms: ...\"). Paths are",
            "below `tests/`. The top of the Makefile says how tests are found and built.", "",
            "| room of avito_messenger.h | tests |", "| --- | --- |"]
    for title, _, _ in header.rooms():
        rows.append(f"| {title} | " + " ".join(f"`{path[6:]}`" for path in by[title]) + " |")
    return "\n".join(rows) + "\n"


def check_readmes(header, tests):
    found = ""
    if os.path.exists(TESTED):
        with open(TESTED, encoding="utf-8") as file:
            found = file.read()
    check("tests/README.md is what the tests say (tools/rooms.py --write)",
          [] if found == test_table(header, tests) else ["it differs"])
    folders = {name for name in os.listdir(os.path.join(TOP, "tests"))
               if os.path.isdir(os.path.join(TOP, "tests", name)) and name != "__pycache__"}
    check("tests/README.md says what is in each folder of tests/", sorted(folders ^ FOLDERS.keys()))
    with open(README, encoding="utf-8") as file:
        table = re.search(r"^\| you want to know \|.*?\n\n", file.read(), re.S | re.M).group()
    table = " ".join(re.sub("`.*?`", "", row.split("|")[2]) for row in table.splitlines() if row)
    for title in sorted(re.findall(r"^ \* +>>\d+ (.*?)(?: \(.*)?$", header.text, re.M), key=len, reverse=True):
        table = re.sub(r"(?<![A-Z] )\b%s\b" % re.escape(title), "", table)
    check("the README names chapters of the header", re.findall(r"\b[A-Z]{2,}[A-Z ]*\b", table))


def renumber(header):
    """Numbers the chapters from 1 on, and where the header names them. A new one may have any free number."""
    new = {str(chapter[0]): str(i + 1) for i, chapter in enumerate(header.chapters)}
    with open(HEADER, "w", encoding="utf-8") as file:
        file.write(re.sub(r">>(\d+)\b", lambda m: ">>" + new.get(m.group(1), m.group(1)), header.text))
    return Header()


def write_contents(header):
    first, last = header.contents_region()
    header.lines[first:last] = header.contents()
    with open(HEADER, "w", encoding="utf-8") as file:
        file.write("\n".join(header.lines))


def show(header):
    for number, title, first, last, part in header.chapters:
        print(f"# {last - first + 1:5} >>{number} {title} ({part.lower()})")
    lengths = sorted(((last - first + 1, name) for first, last, name in header.functions), reverse=True)
    print("# longest: " + ", ".join(f"{name} {n}" for n, name in lengths[:10]))
    knots = sorted(((complexity("\n".join(header.code[first - 1:last])), name)
                    for first, last, name in header.functions), reverse=True)
    print("# most complex: " + ", ".join(f"{name} {n}" for n, name in knots[:40]))


def main():
    header, rooms = Header(), Rooms()
    tests = read_tests()
    if "--write" in sys.argv:
        header = renumber(header)
        write_contents(header)
        with open(TESTED, "w", encoding="utf-8") as file:
            file.write(test_table(header, tests))
        return 0
    if "--list" in sys.argv:
        show(header)
        return 0
    check_marks(header)
    check_prefixes(header, rooms)
    check_calls(header, rooms)
    check_sizes(header)
    check_comments(header)
    check_results(header)
    check_tests(header, rooms, tests)
    check_readmes(header, tests)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
