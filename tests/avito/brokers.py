"""Brokers and clients of strangers for tests of the gateway: mosquitto, mosquitto_sub, mosquitto_pub."""
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from processes import free_port, wait_for

MOSQUITTO = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")


class Broker:
    """with Broker("allow_anonymous true") as broker: ... Persistent, so that it may be stopped and started."""

    def __init__(self, *lines, tls=None, saves=True):
        self.port = free_port()
        self.lines = lines or ("allow_anonymous true",)
        self.tls = tls  # (ca, certificate, key) of the listener
        self.saves = saves  # saved at each change: slow, and nothing is forgotten
        self.process = None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o777)
        with open(f"{self.folder.name}/conf", "w", encoding="ascii") as file:
            file.write(f"listener {self.port} 127.0.0.1\n")
            if self.tls:
                file.write("cafile {}\ncertfile {}\nkeyfile {}\n".format(*map(os.path.abspath, self.tls)))
            file.write("\n".join(self.lines) + "\n")
            file.write(f"persistence true\npersistence_location {self.folder.name}/\nmax_queued_messages 100000\n")
            if self.saves:
                file.write("autosave_interval 1\nautosave_on_changes true\n")
            if os.getuid() == 0:
                file.write("user root\n")
        self.start()
        return self

    def start(self):
        self.log = open(f"{self.folder.name}/log", "a", encoding="utf-8")
        self.process = subprocess.Popen([MOSQUITTO, "-c", f"{self.folder.name}/conf"], stdout=self.log, stderr=self.log)
        if not wait_for(self.listens, 10):
            raise RuntimeError("mosquitto does not listen: " + open(self.log.name, encoding="utf-8").read())

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self, kill=False):
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait()
        self.log.close()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        self.folder.cleanup()

    def publish(self, topic, payload, *options):
        """By mosquitto_pub, MQTT 5, QoS 1."""
        data = payload if isinstance(payload, bytes) else payload.encode()
        return subprocess.run(["mosquitto_pub", "-p", str(self.port), "-V", "5", "-q", "1", "-t", topic, "-s" if data else "-n", *options],
                              input=data, capture_output=True, timeout=60, check=True)


class Subscriber:
    """mosquitto_sub: .lines are (topic, payload, retained) as they come."""

    def __init__(self, broker, *topics, options=()):
        words = ["mosquitto_sub", "-p", str(broker.port), "-V", "5", "-q", "1", "-F", "%r %t %p", *options]
        for topic in topics:
            words += ["-t", topic]
        self.lines = []
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace")
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            retained, topic, payload = (line.rstrip("\n") + " ").split(" ", 2)
            self.lines.append((topic, payload[:-1], retained == "1"))

    def of(self, topic):
        return [payload for t, payload, _ in list(self.lines) if t == topic]

    def under(self, topic):
        return [(t, payload) for t, payload, _ in list(self.lines) if t.startswith(topic)]

    def __enter__(self):
        time.sleep(0.2)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Aedes(Broker):
    """Another broker that speaks MQTT 5, from npm. It lives in memory: once stopped, it has forgotten
    everything."""
    FOLDER = "build/aedes"
    VERSION = "2.0.0-beta.1"
    SCRIPT = """
import { createServer } from "node:net";
import { Aedes } from "aedes";
const broker = await Aedes.createBroker();
createServer(broker.handle).listen(Number(process.argv[2]), "127.0.0.1");
"""

    @classmethod
    def is_there(cls):
        """Installs it where it is missing. False: Node.js is too old for it."""
        if not shutil.which("npm"):
            subprocess.run(["sh", "tools/need.sh", "npm"], check=True)
        version = subprocess.run(["node", "-p", "parseInt(process.versions.node)"], capture_output=True, text=True, check=True).stdout
        if int(version) >= 20 and not os.path.isdir(f"{cls.FOLDER}/node_modules/aedes"):
            subprocess.run(["npm", "install", "--prefix", cls.FOLDER, "--no-audit", "--no-fund", "--no-save", f"aedes@{cls.VERSION}"],
                           check=True, capture_output=True)
        return int(version) >= 20

    def start(self):
        script = f"{self.FOLDER}/broker.mjs"
        with open(script, "w", encoding="ascii") as file:
            file.write(self.SCRIPT)
        self.log = open(f"{self.folder.name}/log", "a", encoding="utf-8")
        self.process = subprocess.Popen(["node", script, str(self.port)], stdout=self.log, stderr=self.log)
        if not wait_for(self.listens, 20):
            raise RuntimeError("aedes does not listen: " + open(self.log.name, encoding="utf-8").read())
