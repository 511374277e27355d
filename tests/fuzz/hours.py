#!/usr/bin/env python3
"""hours.py PROGRAM...: gives build/fuzz*/NAME processor time, two at a time, least first, until each NAME has had
FUZZ_HOURS (2), in all its builds together, and half an hour of them without a find.

It goes on where the run before ended: tests/fuzz/hours.txt holds the processor time and the runs that each program had
so far. A machine that is new begins with the committed inputs again. FUZZ_WALL: ends after so many seconds. A find
ends it, and that program's time without a find begins anew.
"""
import collections
import os
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = os.path.join(HERE, "hours.txt")
CHUNK = 600  # seconds
QUIET = 1800  # processor seconds since the last find

Had = collections.namedtuple("Had", "seconds quiet runs")  # quiet: of the seconds, those since the last find


def kept():
    """Program: what it had."""
    with open(KEPT, encoding="utf-8") as file:
        rows = [line.split() for line in file if not line.startswith("#")]
    return {name: Had(*map(int, numbers)) for name, *numbers in rows}


def keep(had):
    with open(KEPT + ".new", "w", encoding="utf-8") as file:
        file.write("# Written by tests/fuzz/hours.py: program, processor seconds, those since the last find, runs.\n")
        for name in sorted(had):
            file.write("%s %d %d %d\n" % (name, *had[name]))
    os.replace(KEPT + ".new", KEPT)


def target(program):
    return os.path.basename(program)


def of_target(had, name):
    rows = [row for program, row in had.items() if target(program) == name]
    return Had(*(sum(column) for column in zip(*rows)))


def is_done(had, name, hours):
    row = of_target(had, name)
    return row.seconds >= hours * 3600 and row.quiet >= QUIET


def choose(had, busy, hours):
    """The program that is due next: the least one of the least target. None: all that are left run already."""
    left = [p for p in had if p not in busy and not is_done(had, target(p), hours)]
    return min(left, key=lambda p: (of_target(had, target(p)).seconds, had[p].seconds), default=None)


def run(program, seconds):
    """Runs it; returns the processor seconds, the runs, and whether it ended without a find."""
    command = ["sh", os.path.join(HERE, "run.sh"), str(seconds), "build/" + program]
    patient = dict(os.environ, FUZZ_TIMEOUT="300")  # by the clock: beside other work an input may wait for its turn
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace", env=patient) as child:
        said = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    runs = re.search(r": (\d+) runs$", said, re.M)
    if child.returncode != 0:
        print(said, end="", flush=True)
    return used.ru_utime + used.ru_stime, int(runs.group(1)) if runs else 0, child.returncode == 0


class Hours:
    def __init__(self, programs, hours, wall):
        self.lock, self.busy, self.found = threading.Lock(), set(), []
        self.hours, self.end = hours, time.monotonic() + wall
        before = kept()
        self.had = {p: before.get(p, Had(0, 0, 0)) for p in programs}

    def take(self):
        """A program and its seconds; None when nothing is left to do."""
        with self.lock:
            seconds = min(CHUNK, int(self.end - time.monotonic()))
            program = choose(self.had, self.busy, self.hours)
            if program is None or seconds < 10 or self.found:
                return None
            self.busy.add(program)
            return program, seconds

    def note(self, program, used, runs, well):
        with self.lock:
            self.busy.remove(program)
            row = self.had[program]
            self.had[program] = Had(row.seconds + round(used), row.quiet + round(used) if well else 0, row.runs + runs)
            keep(self.had)
            if not well:
                self.found.append(program)

    def work(self):
        while (work := self.take()) is not None:
            self.note(work[0], *run(*work))

    def told(self):
        names = sorted({target(p) for p in self.had})
        rows = {name: of_target(self.had, name) for name in names}
        for name, row in rows.items():
            print("# %-16s %5.2f hours, %5.2f since a find, %d runs" % (name, row.seconds / 3600, row.quiet / 3600, row.runs))
        done = sum(is_done(self.had, name, self.hours) for name in names)
        return "%d targets, %.1f hours of processor time, %.2f the least; %d of %d have had %g hours; %d runs%s" % (
            len(names), sum(r.seconds for r in rows.values()) / 3600, min(r.seconds for r in rows.values()) / 3600,
            done, len(names), self.hours, sum(r.runs for r in rows.values()),
            ": look at " + " ".join(self.found) if self.found else ", nothing found")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    programs = [os.path.relpath(p, "build") for p in sys.argv[1:]]
    hours = Hours(programs, float(os.environ.get("FUZZ_HOURS") or 2), float(os.environ.get("FUZZ_WALL") or 10**7))
    workers = [threading.Thread(target=hours.work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("%s - %s" % ("not ok" if hours.found else "ok", hours.told()))
    sys.exit(1 if hours.found else 0)


if __name__ == "__main__":
    main()
