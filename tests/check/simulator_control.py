"""The simulator's control side over HTTP (tools/simulator/control), without a browser."""
import base64
import http.client
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.parse
import zlib

from processes import processor_s
from simulated import Simulator

FORM = ("grant_type=client_credentials&client_id=client-id-for-tests"
        "&client_secret=client-secret-for-tests-0123456789abcdef")
USER = 350000001
JSON = {"Content-Type": "application/json"}
failures = 0


def check(good, what, details=""):
    global failures
    print(("ok - " if good else "not ok - ") + what, flush=True)
    if not good:
        print("\n".join("#   " + line for line in str(details).splitlines()), flush=True)
    failures += not good


def ask(service, method, path, body=None, headers=None, port="control"):
    """(status, headers, bytes), whatever they are."""
    connection = http.client.HTTPConnection("127.0.0.1", int(service.ports[port]), timeout=10)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def api(service, method, path, body=None, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json" if body[0] == "{" else \
            "application/x-www-form-urlencoded"
    status, _, text = ask(service, method, path, body, headers, "tcp")
    return status, json.loads(text) if text else None


def log_in(service):
    return api(service, "POST", "/token", FORM)[1]["access_token"]


def send(service, token, chat, text):
    return api(service, "POST", f"/messenger/v1/accounts/{USER}/chats/{chat}/messages",
               json.dumps({"message": {"text": text}, "type": "text"}), token)[0]


def until(condition, seconds=8):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def png(width=2, height=2):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    rows = b"".join(b"\0" + b"\x30\x90\x50" * width for _ in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Watcher:
    """Server-sent events, read as a browser does."""

    def __init__(self, service, last=None, after=None):
        self.socket = socket.create_connection(("127.0.0.1", int(service.ports["control"])))
        path = "/events" + (f"?after={after}" if after else "")
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n".encode()
                            + (f"Last-Event-ID: {last}\r\n".encode() if last else b"") + b"\r\n")
        self.bytes = b""

    def read(self):
        self.socket.settimeout(0.02)
        try:
            while True:
                more = self.socket.recv(65536)
                if not more:
                    break
                self.bytes += more
        except (TimeoutError, socket.timeout):
            pass
        events = []
        for block in self.bytes.partition(b"\r\n\r\n")[2].decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":")
                          and ": " in line)
            if "event" in fields:
                events.append((fields["event"], json.loads(fields["data"]), fields["id"]))
        return events

    def close(self):
        self.socket.close()


def who_may_ask(service):
    body = "{}"
    port = service.ports["control"]
    before = len(service.door("chats")["chats"])

    def post(headers):
        return ask(service, "POST", "/chat", body, headers)[0]
    check(post({"Content-Type": "text/plain"}) == 415, "a type that a form could send is refused")
    check(post({"Content-Type": "application/x-www-form-urlencoded"}) == 415, "so is a form")
    check(post({}) == 415, "and no type at all")
    check(post({**JSON, "Host": "evil.example"}) == 403, "another site's name in Host is refused")
    check(post({**JSON, "Host": "localhost.evil.example"}) == 403, "also one that begins like ours")
    check(post({**JSON, "Origin": "http://evil.example"}) == 403, "another Origin is refused")
    check(post({**JSON, "Origin": "null"}) == 403, "also the Origin of a sandbox")
    check(post({**JSON, "Origin": f"https://127.0.0.1:{port}"}) == 403, "also ours with another scheme")
    check(post({**JSON, "Origin": "http://127.0.0.1:1"}) == 403, "also another port of this machine")
    check(post({**JSON, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}) == 403,
          "also what a browser says comes from elsewhere")
    raw = raw_status(service, b"POST /chat HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n"
                     b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
    check(raw == 400, "two Host headers are refused", raw)
    raw = raw_status(service, b"POST /chat HTTP/1.0\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 2\r\n\r\n{}")
    check(raw == 403, "no Host header is refused", raw)
    for path in ("/events", "/state", "/store", "/page/"):
        check(ask(service, "GET", path, None, {"Host": "evil.example"})[0] == 403,
              f"reading {path} by another name is refused")
    check(ask(service, "GET", "/events", None, {"Origin": "http://evil.example"})[0] == 403,
          "so are events for another site")
    check(ask(service, "PUT", "/chat", body, JSON)[0] == 405 and
          ask(service, "OPTIONS", "/chat", None, {"Origin": "http://evil.example",
              "Access-Control-Request-Method": "POST"})[0] == 403, "no other method, no preflight")
    check(ask(service, "GET", "/chat")[0] == 405, "nothing changes by GET")
    check(len(service.door("chats")["chats"]) == before, "none of these changed anything")
    check(post(JSON) == 200 and post({**JSON, "Origin": f"http://127.0.0.1:{port}"}) == 200 and
          post({"Content-Type": "application/json; charset=utf-8", "Host": "LocalHost:99"}) == 200,
          "no Origin, ours, and a forwarded port are well")
    check(ask(service, "GET", "/_sim/stats", port="tcp")[0] == 404 and
          ask(service, "GET", "/state", port="tcp")[0] == 404,
          "the service's own port has no control side")
    headers = ask(service, "GET", "/page/")[1]
    policy = headers["Content-Security-Policy"]
    check("default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
          and headers["X-Content-Type-Options"] == "nosniff", "the page has a strict policy", policy)
    check("Access-Control-Allow-Origin" not in headers, "and no other site may read")


def raw_status(service, request):
    with socket.create_connection(("127.0.0.1", int(service.ports["control"])), 10) as s:
        s.sendall(request)
        s.settimeout(5)
        return int(s.recv(4096).split(b" ")[1])


def bad_input(service):
    def why(path, body, method="POST"):
        status, _, text = ask(service, method, path, body, JSON)
        return json.loads(text)["error"] if status == 400 else f"status {status}"
    chat = service.door("chats")["chats"][0]["id"]
    cases = [("/message", "{}", "must be given: chat_id"), ("/message", "", "not a JSON object"),
             ("/message", "[1]", "not a JSON object"),
             ("/message", json.dumps({"chat_id": chat, "txt": "x"}), "not known here (see /): txt"),
             ("/message", json.dumps({"chat_id": 7}), "of another type than it must be: chat_id"),
             ("/message", json.dumps({"chat_id": "u2i-none", "text": "x"}), "no such chat"),
             ("/message", json.dumps({"chat_id": chat, "type": "texts"}), "type is none"),
             ("/fault", json.dumps({"plan": "send:x"}), "plan is OPERATION"),
             ("/option", json.dumps({"tariff": 7}), "does not exist"),
             ("/option", json.dumps({"rate_per_minute": -1}), "does not exist"),
             ("/option", '{"rate_per_minute": 1e300}', "does not exist"),
             ("/chat", json.dumps({"buyer_id": 1.5}), "of another type than it must be: buyer_id"),
             ("/chat", json.dumps({"foreign": "yes"}), "of another type than it must be: foreign"),
             ("/option", json.dumps({"foreign_body": 99}), "does not exist"),
             ("/option", json.dumps({"webhook_form": 4}), "does not exist"),
             ("/tokens", json.dumps({"do": "eat"}), "do is expire or revoke"),
             ("/media", json.dumps({"data": "####"}), "not base64"),
             ("/media", json.dumps({"data": base64.b64encode(b"<svg onload=alert(1)>").decode()}),
              "neither a picture"),
             ("/read", json.dumps({"chat_id": chat, "by": "nobody"}), "by is buyer or app"),
             ("/delete", json.dumps({"message_id": "x"}), "no such message"),
             ("/story", json.dumps({"story": 1, "steps": [{"post": "/reset", "body": {}}]}), "a step is"),
             ("/story", json.dumps({"story": 2}), "a story is")]
    for path, body, words in cases:
        said = why(path, body)
        check(words in said, f"{path} {body[:40]}: {words}", said)
    check("must be given: chat_id" in why("/messages", None, "GET"), "a parameter that is missing is named")
    status = raw_status(service, b"POST /story HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                        b"application/json\r\nContent-Length: 99999999999\r\n\r\n")
    check(status == 413, "a body that is too large is refused before it comes", status)


def events(service):
    watcher = Watcher(service)
    until(watcher.read)
    first = watcher.read()
    check([e[0] for e in first] == ["reset"], "who listens again is told to look at the state", first)
    token = log_in(service)
    chat = service.door("chat", {"buyer_name": "Анна"})["chat_id"]
    said = service.door("message", {"chat_id": chat, "text": "Добрый день"})["message_id"]
    check(send(service, token, chat, "Здравствуйте!") == 200, "the account answers")
    check(until(lambda: len([e for e in watcher.read() if e[0] == "message"]) >= 2), "both are told")
    kinds = {e[0] for e in watcher.read()}
    check(kinds == {"reset", "chat", "message", "request", "tokens"}, "and what else happened", kinds)
    rows = [e[1] for e in watcher.read() if e[0] == "request"]
    check([(r["operation"], r["status"]) for r in rows] == [("token", 200), ("send_message", 200)],
          "each request with its answer", rows)
    check("token" not in rows[0] and (rows[1]["token"], rows[1]["token_uses"]) == (len(service.door("state")["tokens"]), 1),
          "and which token it brought", rows)
    check("secret" not in watcher.bytes.decode() and token not in watcher.bytes.decode(),
          "no secret and no token among them")
    both = service.door("request?number=" + str(rows[0]["number"]))
    check("not shown" in both["request"] and token not in json.dumps(both), "nor in the bodies", both)
    both = service.door("request?number=" + str(rows[1]["number"]))
    check("Здравствуйте!" in json.loads(both["request"])["message"]["text"] and "direction" in both["answer"], "others are shown", both)
    last = [e[2] for e in watcher.read()][-1]
    watcher.close()
    service.door("read", {"chat_id": chat, "by": "app"})
    again = Watcher(service, last)
    check(until(lambda: [e[1]["message"]["id"] for e in again.read() if e[0] == "message"] == [said]),
          "who was away for a moment gets what was missed", again.read())
    changes = service.door("changes?after=" + urllib.parse.quote(last))
    check(not changes["reset"] and changes["events"][0]["data"]["message"]["is_read"],
          "the same by asking", changes)
    check(service.door("changes?after=" + changes["id"])["events"] == [], "nothing new is nothing")
    check(service.door("changes?after=dead-1")["reset"], "another run is told")
    service.door("reset", {"chats": 1})
    check(until(lambda: [e[0] for e in again.read()][-1] == "reset"), "a reset is told")
    check(len(service.door("chats")["chats"]) == 1 and service.door("state")["requests"] == [],
          "and everything is as at the start")
    check(send(service, token, "x", "x") == 401, "tokens of before are not known any more")
    again.close()


def pictures(service):
    chat = service.door("chat", {})["chat_id"]
    data = png()
    picture = service.door("media", {"data": base64.b64encode(data).decode()})["media_id"]
    service.door("message", {"chat_id": chat, "type": "image", "media_id": picture})
    message = service.door("messages?chat_id=" + chat)["messages"][-1]
    url = message["content"]["image"]["sizes"]["640x480"]
    check(message["image_id"] == picture and url.endswith("/media/" + picture), "a picture is sent", url)
    status, headers, body = ask(service, "GET", "/media/" + picture)
    check(status == 200 and body == data and headers["Content-Type"] == "image/png" and
          "sandbox" in headers["Content-Security-Policy"], "and can be looked at", headers)
    voice = service.door("media", {"data": base64.b64encode(b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)).decode()})
    service.door("message", {"chat_id": chat, "type": "voice", "media_id": voice["media_id"]})
    token = log_in(service)
    status, found = api(service, "GET", f"/messenger/v1/accounts/{USER}/getVoiceFiles?voice_ids="
                        + voice["media_id"], None, token)
    url = found["voices_urls"][voice["media_id"]]
    check(ask(service, "GET", urllib.parse.urlsplit(url).path)[1]["Content-Type"] == "audio/wav",
          "a voice message can be fetched where the service says", url)


def stories():
    with Simulator("--chats", "0") as service:
        token = log_in(service)
        chat = service.door("chat", {"buyer_name": "Ольга", "item_title": "Стол"})["chat_id"]
        service.door("message", {"chat_id": chat, "text": "Ещё продаётся?"})
        send(service, token, chat, "Да")
        wrong = service.door("message", {"chat_id": chat, "text": "опечатка"})["message_id"]
        service.door("delete", {"message_id": wrong})
        service.door("option", {"trim_text": True})
        story = service.door("story")
        kinds = [step.get("post", "answer") for step in story["steps"]]
        check(kinds == ["/chat", "/message", "answer", "/message", "/delete", "/option"],
              "a story is what was done and what was answered", kinds)
        service.door("reset", {})
        service.door("story", story)
        check(service.door("state")["story"]["state"] == "playing", "its replay waits for the answer")
        chat = service.door("chats")["chats"][0]["id"]
        token = log_in(service)
        send(service, token, chat, "Нет")
        check(service.door("state")["story"]["done"] == 2, "not for any answer")
        send(service, token, chat, "Да")
        check(until(lambda: service.door("state")["story"]["state"] == "done"), "but for this one",
              service.door("state")["story"])
        texts = [(m["text"], m["deleted"]) for m in service.door("store")["messages"]]
        check(texts == [("Ещё продаётся?", False), ("Нет", False), ("Да", False), ("опечатка", True)],
              "then it goes on, with the ids of today", texts)
        service.door("reset", {})
        service.door("story", {**story, "write_answers": True})
        until(lambda: service.door("state")["story"]["state"] != "playing")
        texts = [(m["text"], m["author"]) for m in service.door("store")["messages"]]
        check(texts == [("Ещё продаётся?", "buyer"), ("Да", "app"), ("опечатка", "buyer")],
              "or it writes the answers itself", texts)
        status = ask(service, "POST", "/story", json.dumps({"story": 1, "steps": [7], "reset": True}), JSON)[0]
        check(status == 400 and service.door("store")["messages"], "one that is refused resets nothing")
        service.door("story", {**story, "write_answers": True, "reset": True})
        until(lambda: service.door("state")["story"]["state"] != "playing")
        check([(m["text"], m["author"]) for m in service.door("store")["messages"]] == texts, "with reset it starts over",
              service.door("store")["messages"])
        service.door("reset", {})
        service.door("story", {**story, "wait_ms": 100})
        check(until(lambda: service.door("state")["story"]["state"] == "failed"), "it ends")
        check("step 3: the answer did not come" in service.door("state")["story"]["why"], "and says why",
              service.door("state")["story"])


def crowd(service):
    """More connections than it has places for: the last ones wait, and are answered."""
    def connect():
        return socket.create_connection(("127.0.0.1", int(service.ports["control"])), 5)
    idle = [connect() for _ in range(100)]
    service.door("stats")
    service.process.send_signal(signal.SIGSTOP)
    try:
        here = [connect() for _ in range(60)]
        for s in here:
            s.sendall(b"GET /stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    finally:
        service.process.send_signal(signal.SIGCONT)
    answers = []
    for s in here:
        s.settimeout(10)
        try:
            answers.append(s.recv(12))
        except OSError as error:
            answers.append(error)
        s.close()
    for s in idle:
        s.close()
    check(answers == [b"HTTP/1.1 200"] * 60, "who finds no place waits for one", answers)


def any_bytes(service):
    """Requests with some bytes changed, taken out, or sent twice; in pieces, and cut."""
    chance = random.Random(20)
    bodies = ['{"chat_id":"x","text":"y","content":{"a":[1,{}]}}', '{"plan":"send_message:status=500:1"}',
              '{"data":"aGVsbG8="}', '{"story":1,"steps":[{"post":"/chat","body":{}},{"answer":{"chat_id":"c",'
              '"type":"text","text":"t"}}]}', '{"rate_per_minute":1e300}', '{"buyer_name":"\\ud800"}']
    paths = ["/chat", "/message", "/fault", "/media", "/story", "/option", "/events?after=1-1", "/page/x",
             "/messages?chat_id=%D0%BF&limit=3", "/changes?after=%00", "/media/..%2F", "/request?number=9999999999999999999"]
    for _ in range(600):
        body = chance.choice(bodies)
        text = bytearray(f"{chance.choice(('POST', 'POST', 'GET', 'HEAD'))} {chance.choice(paths)} HTTP/1.1\r\n"
                         f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
                         f"\r\n\r\n{body}".encode())
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(text))
            how = chance.randrange(3)
            if how == 0:
                text[at] = chance.randrange(256)
            elif how == 1:
                del text[at:at + chance.randrange(1, 9)]
            else:
                text[at:at] = text[max(0, at - 20):at]
        with socket.create_connection(("127.0.0.1", int(service.ports["control"])), 10) as s:
            half = chance.randrange(len(text))
            s.sendall(text[:half])
            s.sendall(text[half:])
    check(service.process.poll() is None and service.door("state")["user_id"] == USER,
          "no bytes bring it down")


def watchers():
    """A thousand chats, ten pages by events and ten more by asking each second: nothing happens."""
    with Simulator("--chats", "1000") as service:
        pages = [Watcher(service) for _ in range(10)]
        last = service.door("state")["id"]
        check(len(service.door("state")["chats"]) == 1000, "a thousand chats are served")
        time.sleep(0.3)
        seconds = 5
        begin = processor_s(service.process.pid)
        for _ in range(seconds):
            for _ in range(10):
                service.door("changes?after=" + last)
            time.sleep(1)
        share = (processor_s(service.process.pid) - begin) / seconds
        check(share <= 0.05, f"ten watchers and ten askers cost {share:.1%} of a core at rest (5 % at most)")
        begin = time.monotonic()
        chat = service.door("chats")["chats"][500]["id"]
        service.door("message", {"chat_id": chat, "text": "Вы тут?"})
        told = until(lambda: all(any(e[0] == "message" for e in page.read()) for page in pages))
        check(told and time.monotonic() - begin < 1, "all are told within a second", time.monotonic() - begin)
        for page in pages:
            page.close()


def help_text():
    text = subprocess.run(["build/simulator", "--help"], capture_output=True, check=True).stdout.decode()
    with Simulator("--local-media") as service:
        shown = ask(service, "GET", "/")[2].decode()
        check(shown in text and "POST /message chat_id!" in shown, "/ and --help say the same")
        check(max(map(len, shown.splitlines())) <= 100, "in lines of at most 100 characters", max(shown.splitlines(), key=len))
        options = shown.partition("\nOptions")[2]
        silent = [name for name in service.door("state")["options"] if not re.search(rf"\n  {name} +\S", options)]
        check(not silent, "/ says what each option is", silent)
        with open("tools/simulator/simulator.h", encoding="utf-8") as file:
            bodies = re.findall(r'^    X\(\w+, "(\w+)"', file.read().partition("#define SIM_BODIES")[2], re.M)
        check(len(bodies) > 10 and shown.partition("\nBodies, in their order:")[2].split()[:len(bodies)] == bodies, "and which bodies there are", bodies)
        who_may_ask(service)
        bad_input(service)
        events(service)
        pictures(service)
        crowd(service)
        any_bytes(service)


def listening():
    with Simulator() as service:
        taken = subprocess.run(["build/simulator", "--control-port", service.ports["control"]],
                               capture_output=True, check=False, timeout=10)
        check(taken.returncode == 1 and b"Port 0 takes a free one" in taken.stderr,
              "a port that is taken is an error that says what to do", taken.stderr)
        with open(f"/proc/{service.process.pid}/net/tcp", encoding="ascii") as file:
            places = {int(line.split()[1].split(":")[1], 16): line.split()[1].split(":")[0]
                      for line in file.readlines()[1:] if line.split()[3] == "0A"}
        own = [places[int(service.ports[k])] for k in ("tcp", "tls", "control")]
        check(own == ["0100007F"] * 3, "only this machine reaches it", own)
    with Simulator("--listen", "0.0.0.0", "--name", "shop.lan") as service:
        check(ask(service, "GET", "/state", None, {"Host": "shop.lan:80"})[0] == 200 and
              ask(service, "GET", "/state", None, {"Host": "evil.example"})[0] == 403,
              "--listen and --name let others in, by that name")
        service.door("stats")


def what_is_tried():
    """The page shows a command to try. It is the example's own, and needs no package that `make play` does not install."""
    with open("tools/simulator/web/index.html", encoding="utf-8") as page, open("examples/03_chats_and_reply.c", encoding="utf-8") as example:
        line = example.readline().removeprefix("/* ").strip()
        check(f">{line}\n" in page.read(), "the page shows how the example is built", line)
    with open("tools/simulator.mk", encoding="utf-8") as file:
        installed = set(re.search(r"^PLAY_PACKAGES := (.*)$", file.read(), re.M).group(1).split())
    headers = subprocess.run(["gcc", "-M", "-I.", "examples/03_chats_and_reply.c"], capture_output=True, text=True, check=True).stdout
    owners = subprocess.run(["dpkg", "-S", *re.findall(r"/usr/include/(?!x86_64|sys|bits|linux|asm)\S+", headers)], capture_output=True, text=True,
                            check=False).stdout
    needed = {line.split(":")[0] for line in owners.splitlines()}
    check({"libjsmn-dev", "libbearssl-dev"} <= needed and needed <= installed | {"libc6-dev", "linux-libc-dev"},
          "make play installs what that needs", (needed, installed))


def play():
    """What `make play` prints, in the language of the locale; its lines are for a shell."""
    for locale, said in (("C.UTF-8", "You are the buyer"), ("ru_RU.UTF-8", "Вы - покупатель")):
        run = subprocess.Popen(["build/simulator.san", "--play", "--cert", "build/certs/ec.crt", "--key", "build/certs/ec.key"],
                               stdout=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": locale})
        text = ""
        while "Ctrl-C" not in text:
            text += run.stdout.readline()
        run.terminate()
        run.wait()
        exports = "".join(line + "\n" for line in text.splitlines() if line.startswith("export "))
        shell = subprocess.run(["sh", "-e", "-c", exports + 'test -n "$AVITO_CLIENT_SECRET"; test -r "$AVITO_CA_FILE"'], check=False)
        check(said in text and "/page/" in text and shell.returncode == 0, f"--play tells a person in {locale} what to do", text)


Simulator.program = "build/simulator.san"
help_text()
what_is_tried()
play()
stories()
listening()
Simulator.program = "build/simulator"
watchers()
sys.exit(failures != 0)
