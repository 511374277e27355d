#!/usr/bin/env python3
"""Runs the test programs and scripts and counts their checks.

A cmocka program is run with CMOCKA_MESSAGE_OUTPUT=TAP: a plan line "1..N", then "ok ..." or
"not ok ..." per test. A script may print such lines too; if it prints none, its exit status counts
as one check. What does not add up is a failure: fewer results than planned, an exit status other
than 0 although no check failed, a time-out, a skipped test, a program that was not built.

Scripts named after --beside mostly wait. They run one after another, beside --jobs others.

What ran out of time is run once more, alone, and that counts: two at a time on a slow machine may
take a script over its limit. With --plan nothing is run: it says how much there is to do and how long
that took here before.

A script that cannot run here prints "not run - why": it counts neither way, and is named at the end.

The last line printed is "N passed, N failed", with ", N not run" if there are such; the exit status is 0 only if none failed.
"""
import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time

PLAN = re.compile(r"^1\.\.(\d+)\s*$")
PASS = re.compile(r"^ok\b")
FAIL = re.compile(r"^not ok\b")
NOT_RUN = re.compile(r"^not run - (.*)")
TOOK = "took.txt"


def run(command, seconds):
    """Runs one command in its own process group. Returns (output, status, seconds taken)."""
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", LC_ALL="C.UTF-8")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:allocator_may_return_null=1")
    begin = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env=env, start_new_session=True)
    try:
        output, _ = child.communicate(timeout=seconds)
        status = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, _ = child.communicate()
        output += f"\nstopped after {seconds} s\n".encode()
        status = -signal.SIGKILL
    return output.decode("utf-8", "replace"), status, time.monotonic() - begin


def late(result):
    """Did this job run out of time?"""
    return result[1].endswith(" s\n") and "\nstopped after " in result[1][-40:]


def count(output, status):
    """Returns (passed, failed, remark)."""
    planned = passed = failed = 0
    for line in output.splitlines():
        plan = PLAN.match(line)
        if plan:
            planned += int(plan.group(1))
        elif PASS.match(line):
            if "# skip" in line.lower():
                failed += 1
            else:
                passed += 1
        elif FAIL.match(line):
            failed += 1
    if planned == 0 and passed == 0 and failed == 0:
        if status == 0 and not_run(output):
            return 0, 0, "not run"
        return (1, 0, "") if status == 0 else (0, 1, f"exit status {status}")
    if planned > passed + failed:
        return passed, failed + planned - passed - failed, f"ended early, status {status}"
    if status != 0 and failed == 0:
        return passed, 1, f"exit status {status} although no check failed"
    return passed, failed, ""


def not_run(output):
    return [match.group(1) for match in map(NOT_RUN.match, output.splitlines()) if match]


def job(path, script, seconds):
    if not os.path.exists(path):
        return path, "", 0, 1, "was not built", 0.0
    command = [path] if not script or os.access(path, os.X_OK) else ["sh", path]
    if script and "/" not in path:
        command = ["sh", path]
    output, status, taken = run(command, seconds)
    passed, failed, remark = count(output, status)
    return path, output, passed, failed, remark, taken


def results(todo, args):
    """The result of each job, as they end; of one that ran out of time, that of a second run alone."""
    again = []
    with (concurrent.futures.ThreadPoolExecutor(max_workers=max(1, args.jobs)) as pool,
          concurrent.futures.ThreadPoolExecutor(max_workers=1) as row):
        futures = {pool.submit(job, path, script, args.seconds): (path, script) for path, script in todo}
        futures |= {row.submit(job, path, True, args.seconds): (path, True) for path in args.beside}
        for future in concurrent.futures.as_completed(futures):
            result = future.result()
            if late(result):
                print(f"      {result[0]}: ran out of time; once more, alone, at the end", flush=True)
                again.append(futures[future])
            else:
                yield result
    for path, script in again:
        yield job(path, script, args.seconds)


def plan(args):
    """Says what there is to do, and how long it took here the last time."""
    print(f"{len(args.programs)} test programs and {len(args.scripts) + len(args.beside)} scripts, {args.jobs} at a time")
    try:
        with open(os.path.join(args.logs, TOOK), encoding="utf-8") as file:
            print(f"The last run here took {int(file.read()) / 60:.0f} minutes, building not counted.")
    except (OSError, ValueError):
        print(f"It has not run here yet. {args.expect}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--logs", default="build/logs")
    parser.add_argument("--plan", action="store_true", help="only say what there is to do")
    parser.add_argument("--expect", default="", help="said by --plan where nothing ran before")
    parser.add_argument("--brief", action="store_true", help="a part of the tests: its time is not kept")
    parser.add_argument("--build-log")
    parser.add_argument("--build-status", default="0")
    parser.add_argument("--programs", nargs="*", default=[])
    parser.add_argument("--scripts", nargs="*", default=[])
    parser.add_argument("--beside", nargs="*", default=[])
    args = parser.parse_args()

    os.makedirs(args.logs, exist_ok=True)
    if args.plan:
        plan(args)
        return 0
    begin = time.monotonic()
    total_passed = total_failed = 0
    left_out = []
    if args.build_status.strip() != "0":
        print("not everything could be built:")
        with open(args.build_log, encoding="utf-8", errors="replace") as log:
            print("".join("    " + line for line in log.readlines()[-200:]))
        total_failed += 1

    todo = [(path, True) for path in args.scripts] + [(path, False) for path in args.programs]
    for path, output, passed, failed, remark, taken in results(todo, args):
        total_passed += passed
        total_failed += failed
        left_out += not_run(output)
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", os.path.relpath(path).replace("build/tests/", ""))
        with open(os.path.join(args.logs, name + ".txt"), "w", encoding="utf-8") as log:
            log.write(output)
        mark = "FAIL" if failed else "----" if passed == 0 else "ok  "
        print(f"{mark} {path}: {passed} passed, {failed} failed ({taken:.1f} s)"
              + (f" - {remark}" if remark else ""), flush=True)
        if failed:
            for line in output.splitlines():
                print("    " + line)
            sys.stdout.flush()
    if not args.brief:
        with open(os.path.join(args.logs, TOOK), "w", encoding="utf-8") as file:
            file.write(f"{time.monotonic() - begin:.0f}\n")
    for why in left_out:
        print(f"not run: {why}")
    print(f"{total_passed} passed, {total_failed} failed" + (f", {len(left_out)} not run" if left_out else ""))
    return 0 if total_failed == 0 and total_passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
