#!/usr/bin/env python3
"""Runs the firmware of each board in QEMU against the simulated service, over TLS, and judges it by
its exit code and by what the service saw.

    run.py [--only BOARD] DIRECTORY      DIRECTORY/BOARD.elf are the programs

Each board runs twice, against a server with a P-256 and one with an RSA-2048 certificate, both with
an intermediate. Two further programs lack a clock and entropy and must refuse to start.
"""
import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

import boards

ANSWER = "Здравствуйте! Да, ещё продаётся."
THANKS = "Спасибо, передам продавцу."
QUESTION = "А доставка есть?"
PATIENCE = 60  # seconds for one run


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


class Simulator:
    """The service on loopback, new for each run."""

    def __init__(self, kind, chats):
        with tempfile.NamedTemporaryFile(prefix="firmware-ports-", delete=False) as file:
            self.ports_file = file.name
        os.unlink(self.ports_file)
        self.process = subprocess.Popen(
            ["build/simulator", "--cert", f"build/certs/{kind}.crt", "--key", f"build/certs/{kind}.key",
             "--ports", self.ports_file, "--chats", str(chats), "--seed", "1"],
            stdout=subprocess.DEVNULL)
        self.ports = {}
        deadline = time.monotonic() + 10
        while "tls" not in self.ports and time.monotonic() < deadline:
            time.sleep(0.02)
            if os.path.exists(self.ports_file):
                with open(self.ports_file, encoding="utf-8") as file:
                    self.ports = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", file.read())}
        check("tls" in self.ports, "the simulator does not start")

    def ask(self, path, body=None):
        """The control side of the simulator."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["control"], timeout=10)
        connection.request("GET" if body is None else "POST", "/" + path,
                           None if body is None else json.dumps(body),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        check(answer.status == 200, f"the simulator says {answer.status} to {path}")
        return json.loads(text)

    def sent(self):
        """What was sent through the API."""
        return [m for m in self.ask("store")["messages"] if m["author"] == "api"]

    def close(self):
        self.process.terminate()
        self.process.wait()
        if os.path.exists(self.ports_file):
            os.unlink(self.ports_file)


def write_as_buyer(simulator, stop):
    """For the board that watches its inbox: once it polls, two buyers, the second after the answer to
    the first."""
    chats = simulator.ask("chats")["chats"]

    def polls():
        # Its first round learns what is there already, and looks at each chat of the newest second for
        # it: at all of them, since they were made in one.
        return simulator.ask("stats")["operations"]["get_chats"]["served"] >= 4 * len(chats)

    for ready in (polls, lambda: len(simulator.sent()) >= 2):
        while not ready():
            if stop.wait(0.05):
                return
        simulator.ask("message", {"chat_id": chats[-1]["id"], "author": "buyer", "text": QUESTION})


def picture():
    """The bytes that send_image() of firmware.c makes."""
    width, height = 64, 48
    size = 54 + 3 * width * height
    head = b"BM" + size.to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    head += (40).to_bytes(4, "little") + width.to_bytes(4, "little") + height.to_bytes(4, "little")
    head += bytes([1, 0, 24, 0]) + bytes(24)
    rows = [bytes([x * 4, y * 5, 0x80]) for y in range(height) for x in range(width)]
    return head + b"".join(rows)


def fnv1a(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return f"{value:016x}"


def judge(board, simulator):
    """What must be true of the service after a board did its job."""
    stats = simulator.ask("stats")
    connections = stats["connections"]
    sent = simulator.sent()
    served = {name: n["served"] for name, n in stats["operations"].items()}
    check(sent and sent[0]["text"] == ANSWER, f"the first answer in the store is {sent[:1]}")
    check(served["token"] == 1, f"{served['token']} tokens were fetched")
    check(served["get_chats"] >= 1, "the chats were never asked for")
    for counter in ("broken_requests", "unknown_parameters", "unofficial_paths", "unneeded_bodies"):
        check(stats[counter] == 0, f"the simulator counts {stats[counter]} {counter}")
    whole = board == "lm3s6965evb"  # the board that does not ask for smaller records
    check((stats["largest_record"] > 16384) == whole and (whole or stats["largest_record"] <= 512 + 29),
          f"the largest TLS record had {stats['largest_record']} bytes")
    answered = {m["chat_id"] for m in sent}
    for chat in simulator.ask("chats")["chats"]:
        check(chat["id"] not in answered or chat["unread"] == 0, f"chat {chat['id']} was answered, not read")
    if board == "mps2-an385":
        uploads = simulator.ask("uploads")["uploads"]
        check(len(uploads) == 1 and uploads[0]["fnv1a"] == fnv1a(picture()), f"uploads: {uploads}")
        check(sent[1:] and sent[1]["image_id"] == uploads[0]["image_id"], "the image was not sent")
        check(connections == 2, f"{connections} connections, 2 were meant")
    elif board == "lm3s6965evb":
        check([m["text"] for m in sent[1:]] == [THANKS, THANKS], f"the store has {sent[1:]}")
        asked = {m["chat_id"] for m in simulator.ask("store")["messages"] if m["text"] == QUESTION}
        check(asked & {m["chat_id"] for m in sent[1:]}, "who asked while the board was running got no answer")
    else:
        check(len(sent) == 1 and connections == 1 and served["mark_chat_as_read"] == 1,
              f"{len(sent)} messages, {connections} connections")


def run(board, elf, port):
    """Exit code and transcript. -icount: the board's timer counts instructions."""
    try:
        done = subprocess.run(boards.command(board, elf, port, [f"port={port}"], count=True),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PATIENCE)
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code, output = f"none within {PATIENCE} s", late.stdout or b""
    lines = output.decode("utf-8", "replace").replace("\r", "").splitlines()
    noise = ("has no peer", "Timer with period zero")
    return code, "\n".join(line for line in lines if not any(word in line for word in noise))


def run_board(board, directory, kind):
    """One run with its own simulator. Returns the transcript, and raises Failure."""
    simulator = Simulator(kind, 50 if board == "lm3s6965evb" else 3)
    stop = threading.Event()
    buyers = threading.Thread(target=write_as_buyer, args=(simulator, stop), daemon=True)
    if board == "lm3s6965evb":
        buyers.start()
    try:
        code, text = run(board, f"{directory}/{board}.elf", simulator.ports["tls"])
        print(text if kind == "ec" else "", end="\n" if kind == "ec" else "", flush=True)
        if code != 0 or "\nDONE" not in text:
            print(text if kind != "ec" else "")
            raise Failure(f"exit code {code}")
        stop.set()
        if buyers.is_alive():
            buyers.join()
        judge(board, simulator)
    finally:
        stop.set()
        simulator.close()
    return text


def run_broken(directory, missing, word):
    code, text = run("mps2-an385", f"{directory}/without-{missing}.elf", closed_port())
    check(code == 2 and word in text, f"without {missing}: exit code {code}\n{text}")


def closed_port():
    """A port where somebody listens and nobody answers: QEMU wants to connect its UARTs."""
    import socket
    closed_port.listener = socket.create_server(("127.0.0.1", 0))
    return closed_port.listener.getsockname()[1]


def symbols(elf):
    tool = "riscv64-unknown-elf-nm" if "sifive" in elf else "arm-none-eabi-nm"
    words = [line.split() for line in subprocess.run([tool, elf], stdout=subprocess.PIPE, text=True,
                                                     check=True).stdout.splitlines()]
    return {word[2]: int(word[0], 16) for word in words if len(word) == 3}


def costs(directory, board, transcripts):
    at = symbols(f"{directory}/{board}.elf")
    flash = at["firmware_data_load"] + at["firmware_data_end"] - at["firmware_data_start"]
    flash -= 0x20400000 if board == "sifive_e" else 0

    def figure(pattern, kind):
        found = re.search(pattern, transcripts[kind])
        return found.group(1) if found else "?"

    steps = "/".join(figure(r"longest avito_step ([\d.]+)", kind) for kind in ("ec", "rsa"))
    unfed = "/".join(figure(r"without watchdog ([\d.]+)", kind) for kind in ("ec", "rsa"))
    stack = max(int(figure(r"stack (\d+) of", kind)) for kind in ("ec", "rsa"))
    free = at["firmware_ram"] - at["firmware_static"] - at["firmware_stack_need"]
    return (f"| {board} | {flash:,} | {at['firmware_static']:,} | {at['firmware_stack_need']:,} | {stack:,} "
            f"| {free:,} of {at['firmware_ram']:,} | {steps} | {unfed} |")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--only", action="append")
    parser.add_argument("directory")
    args = parser.parse_args()
    failed, table = 0, []
    for board in args.only or boards.BOARDS:
        transcripts = {}
        for kind in ("ec", "rsa"):
            began = time.monotonic()
            try:
                transcripts[kind] = run_board(board, args.directory, kind)
                verdict = "ok"
            except Failure as why:
                verdict, failed = f"FAILED: {why}", failed + 1
            print(f"{board}, {kind.upper()} certificate: {verdict} ({time.monotonic() - began:.1f} s)\n", flush=True)
        if len(transcripts) == 2:
            table.append(costs(args.directory, board, transcripts))
    for missing, word in (("time", "unix_time is missing"), ("entropy", "entropy is missing")):
        try:
            run_broken(args.directory, missing, word)
            print(f"without {missing}: refuses to start, ok")
        except Failure as why:
            print(f"FAILED: {why}")
            failed += 1
    print("\n| board | flash | static RAM | worst stack, computed | stack, measured | RAM left "
          "| longest avito_step, EC/RSA | longest without watchdog |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n" + "\n".join(table))
    print("\nsteps in million instructions; firmware: " + ("NOT OK" if failed else "ok"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
