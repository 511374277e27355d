"""The simulator as a server, for checks written in Python: see tools/simulator."""
import json
import os
import subprocess
import tempfile
import time
import urllib.request

CERTS = "build/certs"


class Simulator:
    """with Simulator("--chats", "1") as service: ..."""

    program = "build/simulator"

    def __init__(self, *options, certificate="ec"):
        self.options = options
        self.certificate = certificate
        self.ports = {}

    def __enter__(self):
        if not (os.path.exists(self.program) and os.path.exists(CERTS)):  # a script that is run by itself
            raise SystemExit(f"not ok - what it needs is not built: make {self.program} {CERTS}")
        self.folder = tempfile.TemporaryDirectory()
        ports = os.path.join(self.folder.name, "ports")
        key = "rsa" if self.certificate == "rsa" else "ec"
        self.process = subprocess.Popen(
            [self.program, "--cert", f"{CERTS}/{self.certificate}.crt",
             "--key", f"{CERTS}/{key}.key", "--ports", ports, *self.options],
            stdout=subprocess.DEVNULL)
        while not os.path.exists(ports):
            if self.process.poll() is not None:
                raise RuntimeError("the simulator ended at once")
            time.sleep(0.02)
        with open(ports, encoding="ascii") as file:
            self.ports = dict(line.strip().split("=") for line in file)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        status = self.process.wait()
        self.folder.cleanup()
        if status != 0:
            raise RuntimeError(f"{self.program} ended with status {status}")

    def door(self, what, body=None):
        """Asks the control side (tools/simulator/control/door.c)."""
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.ports['control']}/{what}"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def texts(self, chat_id):
        return [m["text"] for m in self.door("store")["messages"] if m["chat_id"] == chat_id]

    def environment(self, **more):
        return {**os.environ, "AVITO_HOST": "localhost", "AVITO_PORT": self.ports["tls"],
                "AVITO_CA_FILE": f"{CERTS}/roots.pem", "AVITO_CLIENT_ID": "client-id-for-tests",
                "AVITO_CLIENT_SECRET": "client-secret-for-tests-0123456789abcdef", **more}
