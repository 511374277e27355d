"""avito export of many chats: killed in the middle and continued, with nothing twice or lost and without
growing memory.

    export_big.py [CHATS [MESSAGES]]      1000 and 50 by default
"""
import json
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/check")
from processes import kilobytes  # noqa: E402
from simulated import Simulator  # noqa: E402
from telling import check, failures  # noqa: E402

PROGRAM = "build/avito"
CHATS, MESSAGES = (int(word) for word in (sys.argv[1:] + ["1000", "50"][len(sys.argv) - 1:]))


def fill(service):
    """The simulator's chats begin with one message each."""
    for chat in service.door("chats")["chats"]:
        for n in range(1, MESSAGES):
            service.door("message", {"chat_id": chat["id"], "author": "buyer" if n % 2 else "app", "text": f"сообщение {n}"})


def chats_in(path):
    try:
        with open(path, "rb") as file:
            return file.read().count(b'"users":[')
    except FileNotFoundError:
        return 0


def export(path, environment, kill_at=None):
    """Runs until it ends, or has written `kill_at` chats; the peak of resident KB after some chats, and at
    the end."""
    program = subprocess.Popen([PROGRAM, "export", "--quiet", path], env=environment)
    early = last = 0
    while program.poll() is None:
        last = max(last, kilobytes(program.pid))
        early = early or (chats_in(path) >= CHATS // 20 and last)
        if kill_at and chats_in(path) >= kill_at:
            program.kill()
        time.sleep(0.01)
    return program.returncode, early, last


def main():
    with Simulator("--chats", str(CHATS)) as service, tempfile.TemporaryDirectory() as folder:
        fill(service)
        environment = service.environment(HOME=folder, XDG_STATE_HOME=f"{folder}/state", XDG_CONFIG_HOME=f"{folder}/config")
        path = f"{folder}/export.jsonl"
        status, early, last = export(path, environment, CHATS // 2)
        check(f"killed in the middle, with {chats_in(path)} chats in the file", status == -9, status)
        check(f"memory did not grow: {early} KB after {CHATS // 20} chats, {last} KB at last", 0 < last <= early * 1.1)
        status, _, _ = export(path, environment)
        with open(path, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        messages = [(line["chat_id"], line["id"]) for line in lines if "chat_id" in line]
        chats = [line["id"] for line in lines if "users" in line]
        check("continued to its end", status == 0 and lines[-1]["avito"]["export"] == "complete", lines[-1])
        check("each chat once", len(chats) == len(set(chats)) == CHATS, len(chats))
        stored = {(m["chat_id"], m["id"]) for m in service.door("store")["messages"]}
        check("each message once", len(messages) == len(set(messages)) and set(messages) == stored and
              len(stored) == CHATS * MESSAGES, f"{len(messages)} of {len(stored)}")
    return failures != []


if __name__ == "__main__":
    sys.exit(main())
