"""What avito gateway costs, beside a bridge of sixty lines in Python doing the same for the same accounts in the same
run: memory, processor, delay from the service to a subscriber. Once quiet, once with a message a second for each
account.

gateway_bench.py [ACCOUNTS...]: 1, 50 and 1,000 by default. All accounts are the same simulated one: a message of the
simulator is one for each of them."""
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.path[:0] = ["tests/check", "tests/avito"]
from brokers import Broker  # noqa: E402
from processes import kilobytes, processor_s, wait_for  # noqa: E402
from simulated import CERTS, Simulator  # noqa: E402

SECONDS = int(os.environ.get("BENCH_SECONDS", "30"))
PYTHON = next(p for p in ("/usr/bin/python3", sys.executable)
              if subprocess.run([p, "-c", "import paho.mqtt, requests"], capture_output=True, check=False).returncode == 0)
PROGRAM = os.environ.get("GATEWAY_PROGRAM", "build/avito")


def poll_of(accounts):
    return 1 if accounts <= 50 else 15


class Watcher:
    """mosquitto_sub, with the time at which each line comes."""

    def __init__(self, broker):
        self.times = {}
        self.process = subprocess.Popen(["mosquitto_sub", "-p", str(broker.port), "-V", "5", "-q", "1", "-t", "avito/+/messages/#",
                                         "-F", "%t %p"], stdout=subprocess.PIPE)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            at = line.find(b"bench-")
            if at >= 0:
                number = line[at + 6:at + 12]
                self.times.setdefault(number, []).append(time.time())

    def count(self):
        return sum(len(t) for t in self.times.values())


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else float("nan")


def start_gateway(folder, broker, service, accounts):
    os.makedirs(f"{folder}/config/avito")
    with open(f"{folder}/config/avito/config", "w", encoding="ascii") as file:
        for i in range(accounts):
            file.write(f"[a{i}]\nclient_id = client-id-for-tests\nclient_secret = client-secret-for-tests-0123456789abcdef\n"
                       f"host = localhost\nport = {service.ports['tls']}\nca_file = {os.path.abspath(CERTS)}/roots.pem\n"
                       f"poll = {poll_of(accounts)}\n")
        file.write(f"[mqtt]\nhost = localhost\nport = {broker.port}\n[gateway]\ndiscovery = no\n")
    os.chmod(f"{folder}/config/avito/config", 0o600)
    return subprocess.Popen([PROGRAM, "gateway"], env={"PATH": os.environ["PATH"], "HOME": folder, "XDG_STATE_HOME": f"{folder}/state",
                                                       "XDG_CONFIG_HOME": f"{folder}/config"})


def start_bridge(_folder, broker, service, accounts):
    return subprocess.Popen([PYTHON, "tests/avito/gateway_bridge.py", str(broker.port), service.ports["tls"], f"{CERTS}/roots.pem",
                             str(accounts), str(poll_of(accounts))], stdout=subprocess.DEVNULL)


def ready(service, accounts, chat, watcher):
    """All accounts give a message while warming up."""
    number = 0

    def everyone():
        nonlocal number
        number += 1
        service.door("message", {"chat_id": chat, "text": f"bench-w{number:05d}"})
        time.sleep(poll_of(accounts) + 1)
        return any(len(t) >= accounts for t in list(watcher.times.values()))
    return wait_for(everyone, 60 + accounts / 5)


def run(name, start, accounts):
    with Simulator("--chats", "1") as service, Broker(saves=False) as broker, tempfile.TemporaryDirectory() as folder:
        watcher = Watcher(broker)
        chat = service.door("store")["messages"][0]["chat_id"]
        process = start(folder, broker, service, accounts)
        try:
            if not ready(service, accounts, chat, watcher):
                print(f"| {name} | {accounts:,} | not ready |", flush=True)
                return
            time.sleep(3)
            began, used = time.time(), processor_s(process.pid)
            time.sleep(SECONDS)
            quiet = (processor_s(process.pid) - used) / (time.time() - began)
            quiet_kb = kilobytes(process.pid, "VmRSS")
            began, used, asked = time.time(), processor_s(process.pid), {}
            for i in range(SECONDS):
                asked[f"{i:06d}".encode()] = time.time()
                service.door("message", {"chat_id": chat, "text": f"bench-{i:06d}"})
                time.sleep(max(0, began + i + 1 - time.time()))
            wait_for(lambda: all(len(watcher.times.get(n, ())) >= accounts for n in asked), poll_of(accounts) + 30)
            busy = (processor_s(process.pid) - used) / (time.time() - began)
            delays = [t - asked[n] for n in asked for t in watcher.times.get(n, ())]
            print(f"| {name} | {accounts:,} | {quiet_kb:,} KB | {kilobytes(process.pid, 'VmRSS'):,} KB | {quiet * 100:.2f} % | {busy * 100:.1f} % "
                  f"| {percentile(delays, 0.5):.2f} s | {percentile(delays, 0.99):.2f} s | {len(delays):,} of {len(asked) * accounts:,} |", flush=True)
        finally:
            process.terminate()
            process.wait()
            watcher.process.terminate()


def main():
    counts = [int(x) for x in sys.argv[1:]] or [1, 50, 1000]
    print("| | accounts | memory, quiet | with 1 message/s each | processor, quiet | busy | delay, median | 99 % | heard |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for accounts in counts:
        run("avito gateway", start_gateway, accounts)
        run("60 lines of Python", start_bridge, accounts)
    print("polls every 1 s, of more than 50 accounts every 15 s")


if __name__ == "__main__":
    main()
