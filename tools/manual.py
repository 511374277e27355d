#!/usr/bin/env python3
"""Keeps the tables of the manual (the comment at the top of the header) in step with the code.

    tools/manual.py            compares; says which lines differ, 1 if any
    tools/manual.py --write    writes the tables again (all except the list of endpoints, whose second lines
                               are written by hand)
    tools/manual.py --sizes    prints what build/sizes and build/sizes32 measured

A table begins below its heading, a line of the manual that starts with one of HEADINGS, and ends
before the first empty line of the comment. What each is made from:

    states       AVITOI_CALL_EDGES
    phases       AVITOI_INBOX_EDGES
    errors       AVITO_ERRORS; the column "from" is written by hand and kept
    endpoints    AVITOI_ENDPOINT: the first line of each
    sizes        tools/sizes.c, compiled as 64-bit and as 32-bit code
"""
import difflib
import errno
import os
import re
import subprocess
import sys
import textwrap

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADER = os.path.join(TOP, "avito_messenger.h")
SERVICE = os.path.join(TOP, "tools", "simulator", "http", "api.c")
WIDTH = 100
HEADINGS = {"states": " *     state    ", "phases": " *     phase    ", "errors": " *     code name", "sizes": " *     bytes of "}


def words(text):
    """The C string literals in a piece of code, joined where they follow each other."""
    return [re.sub(r'"\s*(?:\\\n)?\s*"', "", s)[1:-1]
            for s in re.findall(r'"(?:[^"\\]|\\.)*"(?:\s*(?:\\\n)?\s*"(?:[^"\\]|\\.)*")*', text)]


def listed_edges(text, prefix):
    """A list PREFIX_EDGES of X(EVENT, STATE, PREFIX_IN(STATE) | ... or PREFIX_EVERY): the events, and
    (from, event, to) sorted by the states' order."""
    listed = re.search(r"#define %sEDGES\(X\)((?:.*\\\n)*.*)" % prefix, text).group(1)
    rows = re.findall(r"X\((\w+), (\w+),((?:[^()]|\(\w+\))+)\)", listed)
    enum = text[:text.index("    %sSTATES\n" % prefix)].rpartition("enum {")[2]
    states = re.findall(r"\b%s(\w+)," % prefix, re.sub(r"/\*.*?\*/", "", enum, flags=re.S))
    strange = {to for _, to, _ in rows} - set(states)
    if strange:
        raise SystemExit(f"{prefix}EDGES leads to what the enum lacks: {' '.join(sorted(strange))}")
    into = {event: states if "EVERY" in words else re.findall(r"IN\((\w+)\)", words) for event, _, words in rows}
    return [row[0] for row in rows], [(state, event, to) for state in states for event, to, _ in rows
                                      if state in into[event]]


def machine(text, prefix, title):
    """The list of listed_edges(): a row for each state, a column for each event."""
    events, edges = listed_edges(text, prefix)
    names = list(dict.fromkeys(edge[0] for edge in edges))
    to = {(state, event): after for state, event, after in edges}
    width = {e: max([len(e)] + [len(a) for (_, event), a in to.items() if event == e])
             for e in events}
    rows = [f"{title:8} " + " ".join(f"{e:{width[e]}}" for e in events)]
    for state in names:
        rows.append(f"{state:8} " + " ".join(f"{to.get((state, e), '.'):{width[e]}}"
                                             for e in events))
    return [row.rstrip() for row in rows]


def errors(text, before):
    part = text[text.index("#define AVITO_ERRORS(X)"):text.index("#define AVITO_ERROR_ENUM_")]
    kept = {line[12:31].strip(): line[31:42].strip() for line in before
            if re.match(r" \*     -\d+ \w", line)}
    rows = ["code name               from        what happened"]
    for name, value, rest in re.findall(r"X\((\w+), (-\d+),(.*?)\)(?=\s*(?:\\\n\s*X\(|$))", part, re.S | re.M):
        origin = kept.get(name, "?")
        head = f"{value} {name:18} {origin:11} "
        rows += textwrap.wrap(words(rest)[0], WIDTH - 7, initial_indent=head,
                              subsequent_indent=" " * len(head))
    return rows


def endpoints(text):
    rows = []
    for name, rest in re.findall(r"^AVITOI_ENDPOINT\((\w+), (.*?)\);", text, re.S | re.M):
        path = re.match(r'"([^"]*)"', rest).group(1)
        for argument, placeholder in (("%m", "/messenger/v"), ("%u", "/accounts/{user_id}"),
                                      ("%c", "/chats/{chat_id}"), ("%t", "{message_id}"), ("%w", "")):
            path = path.replace(argument, placeholder)
        method = "POST" if re.search(r"\bAVITOI_ENDPOINT_POST\b", rest) else "GET"
        rows.append(f"{name} {method} {path}")
    return rows


def without_a_call(text):
    """The operations of the official description, as the simulator's table has them, that the code does not call."""
    with open(SERVICE, encoding="utf-8") as file:
        rows = re.findall(r'^    \{SIM_\w+, "(\w+)", (?:V(\d) )?"([^"]*)"', file.read(), re.M)
    calls = {row.split(" ", 1)[1] for row in endpoints(text)}
    for method, version, path in rows:
        operation = f"{method} {f'/messenger/v{version}/accounts/{{user_id}}' if version else ''}{path}"
        if operation not in calls:
            yield f"#   no call of {operation}"
    if len(rows) < 15:
        yield f"#   only {len(rows)} operations found in {os.path.relpath(SERVICE, TOP)}"


def said(program):
    """What a program of build/ prints, in fields. Not every kernel runs 32-bit programs: then QEMU does."""
    command = [os.path.join(TOP, "build", program), os.path.join(TOP, "tests", "data")]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    except FileNotFoundError:
        sys.exit(f"build/{program} is missing: make manual-check builds it, and compares")
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        done = subprocess.run(["qemu-i386", *command], stdout=subprocess.PIPE, text=True, check=True)
    return [line.split(" | ") for line in done.stdout.splitlines()]


def measure():
    """[(group, name, bytes in 64-bit code, in 32-bit code)]"""
    runs = [said("sizes"), said("sizes32")]
    return [(a[0], a[1], int(a[2]), int(b[2])) for a, b in zip(*runs)]


def sizes(measured):
    """For the manual: objects, and the arena. `make sizes` prints all."""
    rows = [f"{'bytes of':58}64-bit 32-bit"]
    for group, name, a, b in measured:
        if group in ("object", "arena"):
            rows.append(f"{name:58}{a:6} {b:6}")
    return rows


def all_sizes(measured):
    rows = [f"{'bytes of':58}64-bit 32-bit"]
    for at in ("object", "options", "model", "macro", "arena"):
        rows.append(f"-- {at}")
        rows += [f"{name:58}{a:6} {b:6}" for group, name, a, b in measured if group == at]
    return rows


def region(lines, heading):
    """First line of the table and the one after its last."""
    starts = [i for i, line in enumerate(lines) if line.startswith(heading)]
    if len(starts) != 1:
        sys.exit(f"not ok - the manual has {len(starts)} lines that begin with \"{heading}\"")
    end = starts[0]
    while lines[end].strip() != "*":
        end += 1
    return starts[0], end


def differences(found, wanted):
    whose = {"- ": "manual: ", "+ ": "code:   "}
    for line in difflib.ndiff(found, wanted):
        if line[:2] in whose:
            yield f"#   {whose[line[:2]]}{line[2:]}"


def main():
    write = "--write" in sys.argv
    measured = measure()
    if "--sizes" in sys.argv:
        for row in all_sizes(measured):
            print(row)
        return 0
    with open(HEADER, encoding="utf-8") as file:
        text = file.read()
    lines = text.split("\n")
    failed = False
    for name, heading in HEADINGS.items():
        first, end = region(lines, heading)
        if name == "states":
            rows = machine(text, "AVITOI_CALL_", "state")
        elif name == "phases":
            rows = machine(text, "AVITOI_INBOX_", "phase")
        elif name == "errors":
            rows = errors(text, lines[first:end])
        else:
            rows = sizes(measured)
        wanted = [" *     " + row for row in rows]
        bad = list(differences(lines[first:end], wanted))
        bad += [f"#   in place of the ? write where {row.split()[1]} comes from" for row in rows if "  ?  " in row]
        if write:
            lines[first:end] = wanted
        print(("not ok" if bad and not write else "ok") + f" - manual: {name} are those of the code")
        for line in bad[:20] if not write else []:
            print(line)
        failed = failed or (bad and not write)
    listed = [line[7:] for line in lines
              if re.match(r" \*     \w+ (GET|POST) /", line)]
    bad = list(differences(listed, endpoints(text)))
    print(("not ok" if bad else "ok") + " - manual: endpoints are those of the code")
    print("\n".join([*bad, "#   these rows are written by hand"] if bad else []), end="\n" if bad else "")
    other = list(without_a_call(text))
    print(("not ok" if other else "ok") + " - each operation of the simulated service has a call")
    print("\n".join(other), end="\n" if other else "")
    ends = [lines.index("#ifndef AVITO_MESSENGER_" + part) for part in ("H", "PARTS_H", "COMPUTER_H")]
    begins = [0] + [i for i, line in enumerate(lines) if re.match(r"#endif .*: end of the (core|parts) \*/", line)]
    long = [i + 1 for first, end in zip(begins, ends) for i in range(first, end) if len(lines[i]) > WIDTH]
    print(("not ok" if long else "ok") + f" - manual: no line over {WIDTH} characters"
          + (f": {long[:9]}" if long else ""))
    if write:
        with open(HEADER, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
    if failed:
        print("#   `make manual` writes the tables again")
    return 1 if failed or bad or other or long else 0


if __name__ == "__main__":
    sys.exit(main())
