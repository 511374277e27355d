#!/usr/bin/env python3
"""Runs the self-test of each board against a server that sends every byte back.

    selftest.py DIRECTORY BOARD...      DIRECTORY/BOARD.elf are the programs
"""
import socket
import subprocess
import sys
import threading
import time

import boards


def echo(connection):
    try:
        with connection:
            data = connection.recv(4096)
            while data:
                connection.sendall(data)
                data = connection.recv(4096)
    except OSError:
        pass  # the board is done


def serve(listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=echo, args=(connection,), daemon=True).start()


def main():
    directory, names = sys.argv[1], sys.argv[2:]
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    port = listener.getsockname()[1]
    failed = 0
    for name in names:
        started = time.monotonic()
        try:
            code = subprocess.run(boards.command(name, f"{directory}/{name}.elf", port, [f"port={port}"]),
                                  stdin=subprocess.DEVNULL, timeout=30).returncode
        except subprocess.TimeoutExpired:
            code = "no end within 30 s"
        print(f"{'ok' if code == 0 else 'not ok'} - self-test on {name} "
              f"({time.monotonic() - started:.2f} s, exit code {code})", flush=True)
        failed += code != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
