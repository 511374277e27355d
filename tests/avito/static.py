"""The program in one file, as a router gets it: what it needs, its size, how it starts, what it takes while it watches.
Prints "ok - what" / "not ok - what" and the figures."""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/check")
from simulated import Simulator  # noqa: E402

PROGRAM = "build/avito-static"
SIZE_MAX = 400_000       # bytes, stripped
START_MAX_MS = 10        # the best of STARTS: other programs of this machine only add
STARTS = 30
RESIDENT_MAX_KB = 2_000  # at any time
failures = 0


def check(what, condition, detail):
    global failures
    failures += not condition
    print(("ok - " if condition else "not ok - ") + f"{what}: {detail}", flush=True)


def start_ms():
    began = time.monotonic()
    subprocess.run([PROGRAM, "--version"], stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - began) * 1000


def most_resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


def watching(service, folder):
    """Takes three messages, then waits for the next."""
    environment = service.environment(HOME=folder, XDG_STATE_HOME=f"{folder}/state", XDG_CONFIG_HOME=f"{folder}/config")
    watch = subprocess.Popen([PROGRAM, "watch", "--unread", "--json"], env=environment, text=True, stdout=subprocess.PIPE)
    lines = [watch.stdout.readline() for _ in range(3)]
    time.sleep(1)
    most = most_resident_kb(watch.pid)
    watch.terminate()
    watch.communicate()
    return sum("content" in line for line in lines), most


def main():
    segments = subprocess.run(["readelf", "-lS", PROGRAM], capture_output=True, text=True, check=True).stdout
    check("it needs no library", "INTERP" not in segments and "DYNAMIC" not in segments, "no INTERP, no DYNAMIC")
    size = os.path.getsize(PROGRAM)
    check(f"at most {SIZE_MAX} bytes, stripped", size <= SIZE_MAX and ".symtab" not in segments, f"{size} bytes")
    best = min(start_ms() for _ in range(STARTS))
    check(f"starts within {START_MAX_MS} ms", best <= START_MAX_MS, f"{best:.1f} ms, the best of {STARTS}")
    with Simulator("--chats", "3") as service, tempfile.TemporaryDirectory() as folder:
        seen, most = watching(service, folder)
    check("watch shows what is unread", seen == 3, f"{seen} messages")
    check(f"at most {RESIDENT_MAX_KB} KB resident while watching", most <= RESIDENT_MAX_KB, f"{most} KB")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
