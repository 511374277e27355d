#!/usr/bin/env python3
"""Holds functions to their budget: median at most 15 lines, nine in ten at most 45, none over 90.

A function's length is counted from the line that opens its body to the one that closes it. The
budget is that of the header; files given as arguments are measured by the last rule alone (none
over 90). `--list` prints the ten longest.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402

MEDIAN, MOST, LONGEST = 15, 45, 90


def measure(path):
    with open(path, encoding="utf-8") as file:
        found = csource.functions(file.read())
        return sorted((last - first + 1, name) for name, first, last, _ in found)


def main():
    failed = 0
    paths = [a for a in sys.argv[1:] if a != "--list"]
    header = measure("avito_messenger.h")
    count = len(header)
    if count == 0:
        print("not ok - the header has functions")
        return 1
    median = header[count // 2][0]
    most = header[min(count - 1, count * 9 // 10)][0]
    checks = [(f"median length of {count} functions is {median}, at most {MEDIAN}",
               median <= MEDIAN),
              (f"nine in ten are at most {most} lines, budget {MOST}", most <= MOST)]
    for path in ["avito_messenger.h", *paths]:
        lengths = header if path == "avito_messenger.h" else measure(path)
        if lengths and (path == "avito_messenger.h" or lengths[-1][0] > LONGEST):
            checks.append((f"{path}: longest function {lengths[-1][1]} has {lengths[-1][0]} lines, "
                           f"at most {LONGEST}", lengths[-1][0] <= LONGEST))
    for text, good in checks:
        print(("ok - " if good else "not ok - ") + text)
        failed += not good
    if "--list" in sys.argv:
        for length, name in reversed(header[-10:]):
            print(f"# {length:4} {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
