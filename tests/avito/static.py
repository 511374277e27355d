"""The program in one file, as a router gets it: what it needs, its size, how fast it starts, how much
memory it takes while it watches. Given names of other processors, it tries their programs under qemu-user,
whose own start and memory do not count. Prints "ok - what" / "not ok - what" and the figures."""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/check")
from processes import kilobytes  # noqa: E402
from simulated import Simulator  # noqa: E402
from telling import check, failures  # noqa: E402

HOME = ["build/avito-static"]
FOREIGN = {name: [f"qemu-{processor}", f"build/port/{name}/avito-static"]
           for name, processor in (("arm64", "aarch64"), ("armhf", "arm"), ("mipsel", "mipsel"), ("mips", "mips"))}
SIZE_MAX = 450_000       # bytes, stripped, the gateway included
# Each of its instructions has 4 bytes, and an address takes two of them: 34 KB more than at home. Its C library's printf
# has long doubles of 128 bits, in software.
SIZE_MAX_OF = {"arm64": 490_000}
START_MAX_MS = 10        # the best of STARTS: other programs on this machine only add time
STARTS = 30
RESIDENT_MAX_KB = 2_000  # at any time


def start_ms():
    began = time.monotonic()
    subprocess.run([*HOME, "--version"], stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - began) * 1000


def size_of(program, name):
    segments = subprocess.run(["readelf", "-lS", program], capture_output=True, text=True, check=True).stdout
    check(f"{name} needs no library", "INTERP" not in segments and "DYNAMIC" not in segments, segments)
    size = os.path.getsize(program)
    most = SIZE_MAX_OF.get(name, SIZE_MAX)
    check(f"{name}: {size} bytes, stripped, at most {most}", size <= most and ".symtab" not in segments)


def watching(program, environment):
    """Takes three messages, then waits for the next."""
    watch = subprocess.Popen([*program, "watch", "--unread", "--json"], env=environment, text=True, stdout=subprocess.PIPE)
    lines = [json.loads(watch.stdout.readline()) for _ in range(3)]
    time.sleep(1)
    most = kilobytes(watch.pid)
    watch.terminate()
    watch.communicate()
    return lines, most


def using(program, name):
    """Watches and answers over TLS; returns the peak of its memory."""
    with Simulator("--chats", "3") as service, tempfile.TemporaryDirectory() as folder:
        environment = service.environment(HOME=folder, XDG_STATE_HOME=f"{folder}/state", XDG_CONFIG_HOME=f"{folder}/config")
        lines, most = watching(program, environment)
        check(f"{name}: watch shows what is unread", all("content" in line for line in lines), lines)
        sent = subprocess.run([*program, "send", lines[0]["chat_id"], "Здравствуйте!"], env=environment, check=False)
        last = service.texts(lines[0]["chat_id"])[-1]
        check(f"{name}: send", sent.returncode == 0 and last == "Здравствуйте!", last)
    return most


def at_home():
    size_of(HOME[-1], "the program")
    best = min(start_ms() for _ in range(STARTS))
    check(f"starts within {START_MAX_MS} ms: {best:.1f} ms, the best of {STARTS}", best <= START_MAX_MS)
    most = using(HOME, "the program")
    check(f"at most {RESIDENT_MAX_KB} KB resident while watching: {most} KB", most <= RESIDENT_MAX_KB)


def is_there(name):
    """A program that is built from sources may lack them."""
    if os.path.exists(FOREIGN[name][-1]):
        return True
    with open(f"build/port/{name}/built.txt", encoding="utf-8") as file:
        print(f"not run - {name}: " + next(line.strip() for line in file if "cannot get the source of" in line))
    return False


def main(names):
    for name in filter(is_there, names):
        size_of(FOREIGN[name][-1], name)
        using(FOREIGN[name], name)
    if not names:
        at_home()
    return failures != []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
