"""Runs each transport's story against the simulator. Prints what the programs print."""
import os
import subprocess
import sys

sys.path.insert(0, "tests/check")
from simulated import CERTS, Simulator  # noqa: E402

STACKS = ("freertos", "freertos_select", "zephyr", "riot", "arduino")
# Short writes, a full stack, a slow connect, bytes in small pieces.
HABITS = {"FAKE_SEND_MAX": "900", "FAKE_FULL_EVERY": "3", "FAKE_CONNECT_TURNS": "4", "FAKE_RECV_MAX": "50"}


def tell(stack, habits):
    """One program, one service of its own."""
    name = stack + (" with bad habits" if habits else "")
    with Simulator("--chats", "2") as service:
        done = subprocess.run([f"build/transports/{stack}", service.ports["tcp"], service.ports["tls"],
                               f"{CERTS}/roots.pem"], capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, **habits})
    for line in done.stdout.splitlines():
        print(line.replace(" - ", f" - {name}: ", 1))
    if done.returncode != 0:
        print(f"not ok - {name}: exit status {done.returncode} {done.stderr[-2000:]}")
    return done.returncode


def answers(stack):
    """The example answers both chats, and the service has the answers."""
    with Simulator("--chats", "2") as service:
        running = subprocess.Popen([f"build/transports/answer_{stack}", service.ports["tls"]],
                                   stdout=subprocess.PIPE, text=True)
        lines = [running.stdout.readline() for _ in range(2)]
        running.terminate()
        running.communicate()
        texts = [service.texts(line.split(":")[0])[-1:] for line in lines]
    good = all(line.endswith(": answered\n") for line in lines) and texts == [["Здравствуйте!"]] * 2
    print(f"{'ok' if good else 'not ok'} - {stack}: the example answers both chats over TLS")
    if not good:
        print(f"# {lines} {texts}")
    return not good


def answers_once(stack, plan, what):
    """The service has the first answer, and says otherwise: the example does not answer that chat again."""
    with Simulator("--chats", "1") as service:
        service.door("fault", {"plan": plan})
        running = subprocess.Popen([f"build/transports/answer_{stack}", service.ports["tls"]],
                                   stdout=subprocess.PIPE, text=True)
        lines = [running.stdout.readline() for _ in range(3)]  # the line, the error, and the next turn's
        running.terminate()
        running.communicate()
        answered = service.texts(lines[0].split(":")[0]).count("Здравствуйте!")
    good = answered == 1 and lines[2].endswith(": answered\n")
    print(f"{'ok' if good else 'not ok'} - {stack}: the example answers once, also where {what} is lost")
    if not good:
        print(f"# {answered} {lines}")
    return not good


def main():
    failed = 0
    for alone in ("flash", "flash_32", "esp", "bare"):
        failed |= subprocess.run([f"build/transports/{alone}"], check=False).returncode
    for stack in STACKS:
        for habits in ({}, HABITS):
            failed |= tell(stack, habits)
    failed |= tell("lwip", {})
    for stack in ("freertos", "riot"):
        failed |= answers(stack)
    failed |= answers_once("riot", "send_message:stored_no_answer:1", "the result")
    failed |= answers_once("riot", "mark_chat_as_read:status=503:1", "the mark")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
