"""What tests ask of processes and ports."""
import contextlib
import os
import random
import socket
import time


def free_port():
    """One below those that the system hands out, to connections as well: between this look and the server's
    bind() it stays free, though other tests run beside this one."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def wait_for(condition, seconds=20, step=0.02):
    """The first true value of condition(), or its last value when the time is up."""
    deadline = time.time() + seconds
    while True:
        value = condition()
        if value or time.time() > deadline:
            return value
        time.sleep(step)


def kilobytes(pid, what="VmHWM"):
    """By default the most that it ever had in memory; VmRSS: what it has now."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next((int(line.split()[1]) for line in file if line.startswith(what + ":")), 0)


def processor_s(pid):
    """The seconds that it has worked."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        used = file.read().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")
