#!/usr/bin/env python3
"""The simulator as a server: TCP, TLS with both kinds of keys, resumption, many connections at once,
delivered notifications, the buyer, the door, faults from the command line.

Prints one line per check. Run by tests/check/simulator.sh in the top directory."""
import http.client
import http.server
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time

USER = 350000001
FORM = ("grant_type=client_credentials&client_id=client-id-for-tests"
        "&client_secret=client-secret-for-tests-0123456789abcdef")
CHATS = f"/messenger/v2/accounts/{USER}/chats"
CERTS = "build/certs"
failures = 0


def check(what, good):
    global failures
    print(("ok - " if good else "not ok - ") + what, flush=True)
    failures += not good


class Server:
    def __init__(self, *options):
        self.folder = tempfile.mkdtemp()
        ports = os.path.join(self.folder, "ports")
        self.process = subprocess.Popen(["build/simulator", "--ports", ports, *options],
                                        stdout=subprocess.DEVNULL)
        for _ in range(500):
            if os.path.exists(ports):
                break
            time.sleep(0.01)
        with open(ports, encoding="ascii") as file:
            values = dict(line.strip().split("=") for line in file)
        self.tcp, self.tls, self.control = (int(values[k]) for k in ("tcp", "tls", "control"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        check("ends in order", self.process.wait(10) == 0)

    def plain(self):
        return http.client.HTTPConnection("127.0.0.1", self.tcp, timeout=10)

    def door(self, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=10)
        connection.request("POST" if body is not None else "GET", "/" + path,
                           json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def ask(connection, method, path, body=None, token=None):
    headers = {"Authorization": "Bearer " + token} if token else {}
    if isinstance(body, dict):
        body = json.dumps(body)
        headers["Content-Type"] = "application/json"
    elif body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, json.loads(text) if text else None


def log_in(connection):
    return ask(connection, "POST", "/token", FORM)[1]["access_token"]


def trusting(roots):
    context = ssl.create_default_context(cafile=roots)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def over_tls():
    for kind in ("ec", "rsa"):
        options = ("--cert", f"{CERTS}/{kind}.crt", "--key", f"{CERTS}/{kind}.key", "--chats", "2")
        with Server(*options) as server:
            connection = http.client.HTTPSConnection("localhost", server.tls, timeout=10,
                                                     context=trusting(f"{CERTS}/roots.pem"))
            token = log_in(connection)
            status, chats = ask(connection, "GET", CHATS, None, token)
            check(f"chats over TLS with {kind}", status == 200 and len(chats["chats"]) == 2)
            openssl(server, kind)
            connection.close()


def openssl(server, kind):
    command = ["openssl", "s_client", "-connect", f"localhost:{server.tls}", "-CAfile",
               f"{CERTS}/roots.pem", "-verify_return_error", "-tls1_2", "-no_ticket"]
    again = subprocess.run(command + ["-reconnect"], input=b"", capture_output=True, check=False)
    text = again.stdout.decode()
    check(f"a session is resumed by its id with {kind}", text.count("Reused, TLSv1.2") >= 3)
    small = subprocess.run(command + ["-maxfraglen", "512", "-tlsextdebug"], input=b"",
                           capture_output=True, check=False)
    check(f"small records are agreed on with {kind}",
          small.returncode == 0 and b'"max fragment length"' in small.stdout)


def bad_certificates():
    for name in ("expired", "not-yet", "wrong-name", "unknown"):
        with Server("--cert", f"{CERTS}/{name}.crt", "--key", f"{CERTS}/ec.key") as server:
            connection = http.client.HTTPSConnection("localhost", server.tls, timeout=10,
                                                     context=trusting(f"{CERTS}/roots.pem"))
            try:
                log_in(connection)
                check(f"{name} is refused", False)
            except ssl.SSLCertVerificationError:
                check(f"{name} is refused", True)


class Receiver(http.server.BaseHTTPRequestHandler):
    events, signatures, refuse = [], [], 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 200
        if Receiver.refuse:
            Receiver.refuse -= 1
            status = 500
        else:
            Receiver.events.append(json.loads(body))
            Receiver.signatures.append(self.headers["X-Avito-Messenger-Signature"])
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def until(condition, seconds=8):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def people_and_notifications():
    receiver = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    with Server("--chats", "0", "--buyer", "--every", "1") as server:
        connection = server.plain()
        token = log_in(connection)
        url = f"http://127.0.0.1:{receiver.server_port}/hook"
        status, _ = ask(connection, "POST", "/messenger/v3/webhook", {"url": url}, token)
        check("subscribed", status == 200)
        _, chat = server.door("chat", {"buyer_name": "Анна"})
        server.door("message", {"chat_id": chat["chat_id"], "text": "Здравствуйте!"})
        check("a notification comes again after an error, and then as written",
              until(lambda: "Здравствуйте!" in
                    [e["payload"]["value"]["content"]["text"] for e in Receiver.events]))
        check("with the signature header", [len(s) for s in Receiver.signatures[:1]] == [64])
        ask(connection, "POST", f"/messenger/v1/accounts/{USER}/chats/{chat['chat_id']}/messages",
            {"message": {"text": "Добрый день"}, "type": "text"}, token)

        def texts():
            messages = server.door("store")[1]["messages"]
            return [m["text"] for m in messages if m["author"] == "buyer"]
        check("the buyer answers an answer", until(lambda: "Понятно, спасибо за ответ!" in texts()))
        check("and writes by himself", until(lambda: len(texts()) > 2))
        check("what the door does not know is refused", server.door("message", {"x": 1})[0] == 400)
        check("the door's work is not counted",
              server.door("stats")[1]["requests"] == 3)
    receiver.shutdown()


def many_connections_and_faults():
    with Server("--fault", "get_self:delay=300:1", "--rate", "1000",
                "--fault", "get_chats:status=503,body=firewall:2:1") as server:
        connections = [server.plain() for _ in range(60)]
        token = log_in(connections[0])
        headers = {"Authorization": "Bearer " + token}
        for i, connection in enumerate(connections):
            connection.request("GET", "/core/v1/accounts/self", None, headers)
            if i == 0: # the fault is for the first that arrives
                until(lambda: server.door("stats")[1]["faults"] == 1)
        begin = time.monotonic()
        fast = [connection.getresponse() for connection in connections[1:]]
        quick = time.monotonic() - begin
        check("sixty connections at once", all(answer.status == 200 for answer in fast))
        check("a delayed answer holds up no other", quick < 0.25)
        late = connections[0].getresponse().status
        check("and comes", late == 200 and time.monotonic() - begin > 0.25)
        statuses = [raw_status(server, CHATS, token) for _ in range(4)]
        check("planned faults come in their turn", statuses == [200, 503, 503, 200])


def raw_status(server, path, token):
    connection = server.plain()
    connection.request("GET", path, None, {"Authorization": "Bearer " + token})
    return connection.getresponse().status


def command_line():
    for options in (["--nonsense"], ["--fault", "x"], ["--cert", "a"], ["--rate", "x"]):
        result = subprocess.run(["build/simulator", *options], capture_output=True, check=False,
                                timeout=10)
        check("refused: " + " ".join(options), result.returncode == 2 and result.stderr != b"")


over_tls()
bad_certificates()
people_and_notifications()
many_connections_and_faults()
command_line()
sys.exit(failures != 0)
