"""avito gateway with real parts: mosquitto, the simulator over TLS, independent clients (mosquitto_sub,
mosquitto_pub, mosquitto_rr, paho); GATEWAY_BROKER=aedes uses that broker. Prints "ok - what" / "not ok -
what". Words on the command line choose scenes."""
import contextlib
import fcntl
import glob
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types

sys.path[:0] = ["tests/check", "tests/avito"]
from brokers import Aedes, Broker as Mosquitto, Subscriber  # noqa: E402
from made_up import MadeUp  # noqa: E402
from processes import free_port, kilobytes, processor_s, wait_for  # noqa: E402
from simulated import CERTS, Simulator  # noqa: E402
from telling import check, failures  # noqa: E402

Broker = Aedes if os.environ.get("GATEWAY_BROKER") == "aedes" else Mosquitto
PROGRAM = os.path.abspath(os.environ.get("GATEWAY_PROGRAM", "build/avito.san"))
JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 1000
LISTENS = ("avito/+/messages/#", "avito/+/results/#", "avito/+/state", "avito/+/status", "avito/gateway/#",
           "homeassistant/#")


class Gateway:
    """A home folder with a configuration, and the program run in it. `accounts`: {name: simulator}."""

    def __init__(self, broker, accounts, mqtt=(), gateway=(), more=(), port=None):
        self.broker, self.accounts = broker, dict(accounts)
        self.mqtt, self.gateway, self.more = list(mqtt), list(gateway), list(more)
        self.port = port or broker.port
        self.process = None
        self.said = ""
        self.language, self.broker_host = "C.UTF-8", "localhost"
        self.program, self.environment = PROGRAM, {}

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.home = self.folder.name
        os.makedirs(f"{self.home}/config/avito")
        self.configure()
        return self.start()

    def configure(self):
        path = f"{self.home}/config/avito/config"
        with open(path, "w", encoding="utf-8") as file:
            for name, service in self.accounts.items():
                file.write(f"[{name}]\nclient_id = client-id-for-tests\n"
                           "client_secret = client-secret-for-tests-0123456789abcdef\n"
                           f"host = localhost\nport = {service.ports['tls']}\nca_file = {os.path.abspath(CERTS)}/roots.pem\n")
                file.write("".join(line + "\n" for line in self.more or ["poll = 1"]))
            file.write("\n".join(["[mqtt]", f"host = {self.broker_host}", f"port = {self.port}", *self.mqtt, ""]))
            if self.gateway:
                file.write("\n".join(["[gateway]", *self.gateway, ""]))
        os.chmod(path, 0o600)

    def start(self):
        environment = {"PATH": os.environ["PATH"], "HOME": self.home, "XDG_STATE_HOME": f"{self.home}/state",
                       "XDG_CONFIG_HOME": f"{self.home}/config", "LC_ALL": self.language, **self.environment}
        self.process = subprocess.Popen([self.program, "gateway"], env=environment, stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read, args=(self.process,), daemon=True)
        self.reader.start()
        return self

    def read(self, process):
        for line in process.stderr:
            self.said += line

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=20)
        self.reader.join(5)
        return status

    def __exit__(self, *_):
        status = self.stop()
        if status != 0 and not getattr(self, "may_fail", False):
            check("the gateway ends with status 0", False, f"{status} {self.said[-3000:]}")
        self.folder.cleanup()

    def state(self, path):
        with open(f"{self.home}/state/avito/{path}", encoding="utf-8") as file:
            return file.read()

    def is_online(self, sub, name="shop"):
        return wait_for(lambda: sub.of(f"avito/{name}/status")[-1:] == ["online"], 30)


class Rig(contextlib.ExitStack):
    """Broker, simulator, gateway, and a client that listens to everything."""

    def __init__(self, *simulator, listens=LISTENS, saves=True, **gateway):
        super().__init__()
        self.service = self.enter_context(Simulator("--chats", "2", *simulator))
        self.broker = self.enter_context(Broker(saves=saves))
        self.sub = self.enter_context(Subscriber(self.broker, *listens)) if listens else None
        self.gateway = self.enter_context(Gateway(self.broker, {"shop": self.service}, **gateway))
        self.chat = self.service.door("store")["messages"][0]["chat_id"]
        if self.sub:
            check("... is online", self.gateway.is_online(self.sub), self.gateway.said)
            time.sleep(1.5)  # the first round: messages that exist already are not given

    def write(self, text):
        return self.service.door("message", {"chat_id": self.chat, "text": text})["message_id"]

    def messages(self):
        return [json.loads(p) for _, p in self.sub.under("avito/shop/messages/")]

    def texts(self):
        return [m["content"]["text"] for m in self.messages() if m["avito"]["class"] == "buyer"]

    def send(self, act, target, payload, *options):
        self.broker.publish(f"avito/shop/{act}/{target}", payload, *options)

    def result(self, command, seconds=20):
        got = wait_for(lambda: self.sub.of(f"avito/shop/results/{command}"), seconds)
        return json.loads(got[-1]) if got else None

    def results(self):
        return [json.loads(p) for _, p in self.sub.under("avito/shop/results/")]

    def times_sent(self, text):
        return self.service.texts(self.chat).count(text)


# ---- what stands between, and time ----

class Proxy:
    """Stands before a broker, or the service with mqtt=False. Lets everything pass, except the broker's PUBACKs if
    .swallows is set. What comes over a new connection passes only after .stalls seconds, and nothing after cut()."""

    def __init__(self, port, mqtt=True):
        self.target = int(port)
        self.mqtt = mqtt
        self.swallows = self.is_cut = False
        self.swallowed = self.tried = self.stalls = 0
        self.sockets = []
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(100)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def cut(self):
        """Closes what is open; with .is_cut also what comes."""
        sockets, self.sockets = self.sockets, []
        self.end(*sockets)

    def serve(self):
        while True:
            peer, _ = self.listener.accept()
            self.tried += 1
            try:
                if self.is_cut:
                    raise OSError
                broker = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                peer.close()
                continue
            self.sockets += [peer, broker]
            threading.Thread(target=self.copy, args=(peer, broker, self.stalls), daemon=True).start()
            threading.Thread(target=self.filter if self.mqtt else self.copy, args=(broker, peer), daemon=True).start()

    @staticmethod
    def end(*sockets):
        for s in sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def copy(self, source, to, stalls=0):
        with contextlib.suppress(OSError):
            time.sleep(stalls)
            while data := source.recv(65536):
                to.sendall(data)
        self.end(source, to)

    def filter(self, source, to):
        data = b""
        with contextlib.suppress(OSError):
            while more := source.recv(65536):
                data += more
                while (end := self.packet(data)) is not None:
                    if data[0] >> 4 == 4 and self.swallows:
                        self.swallowed += 1
                    else:
                        to.sendall(data[:end])
                    data = data[end:]
        self.end(source, to)

    @staticmethod
    def packet(data):
        length, shift = 0, 0
        for i, byte in enumerate(data[1:5]):
            length |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                end = i + 2 + length
                return end if len(data) >= end else None
        return None


class Clock:
    """The clock of a program that is started with .environment: its time since then times .rate, by libfaketime."""

    def __init__(self, spec="+0 x1"):
        self.library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        check("libfaketime is there (package faketime)", self.library)
        self.folder = tempfile.TemporaryDirectory()
        self.path = f"{self.folder.name}/clock"
        self.set(spec)
        self.environment = {"LD_PRELOAD": self.library[0], "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1", "NO_FAKE_STAT": "1"}  # or no file is as old as it was

    def set(self, spec):
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(spec + "\n")
        os.replace(file.name, self.path)  # half a line would be the real time


# ---- scenes ----

def messages():
    with Rig() as r:
        r.write("Здравствуйте, ещё продаёте?")
        check("a message comes", wait_for(r.texts) == ["Здравствуйте, ещё продаёте?"], r.texts())
        m = r.messages()[0]
        check("... with event_type and the names of --json",
              m["event_type"] == "message" and {"id", "author_id", "created", "type", "content", "chat_id", "avito"} <= m.keys(), m)
        check("... who wrote it, and about what", m["avito"].get("author_name") and m["avito"].get("item_title"), m)
        check("... under its chat", r.sub.under("avito/shop/messages/")[0][0].endswith(r.chat))
        with Subscriber(r.broker, "avito/#") as late:
            time.sleep(1)
            topics = {t for t, _, retained in late.lines if retained}
            check("state and status are retained, messages are not",
                  topics == {"avito/shop/state", "avito/shop/status", "avito/gateway/main/status"}, topics)
        wait_for(lambda: json.loads(r.sub.of("avito/shop/state")[-1])["unread"] == 2, 90)
        state = json.loads(r.sub.of("avito/shop/state")[-1])
        check("state", state["unread"] == 2 and state["tariff"] == "ok" and state["working"] and not state["held"] and
              state["last_error"] is None and {"per_minute", "waiting", "refused"} <= state["rate"].keys(), state)
        secret = f"{r.gateway.home}/state/avito/gateway/main/client_id"
        check("the client id is secret: 22 random characters, for us alone",
              re.fullmatch("avito-[0-9a-f]{22}", r.gateway.state("gateway/main/client_id")) and os.stat(secret).st_mode & 0o777 == 0o600)
        if Broker is Mosquitto:
            with open(r.broker.log.name, encoding="utf-8") as file:
                line = next(x for x in file if "as avito-" in x)
            check("MQTT 5, no clean start, keep alive 15 s", "(p5, c0, k15)" in line, line)
        r.gateway.stop(signal.SIGKILL)
        check("killed: the will says offline", wait_for(lambda: r.sub.of("avito/gateway/main/status")[-1] == "offline", 40))
        r.write("пока никого")
        r.gateway.start()
        check("what came meanwhile comes after the start", wait_for(lambda: "пока никого" in r.texts(), 30), r.texts())
        began = time.time()
        check("SIGTERM ends it with 0", r.gateway.stop() == 0)
        check("... within a second", time.time() - began < 1.0, time.time() - began)
        check("... and says offline", wait_for(lambda: r.sub.of("avito/gateway/main/status")[-1] == "offline", 5))
        check("each came once", sorted(r.texts()) == sorted(set(r.texts())), r.texts())


def commands():
    with Rig() as r:
        r.send("send", r.chat, "простой текст")
        check("a plain text is sent", wait_for(lambda: r.times_sent("простой текст") == 1))
        got = wait_for(lambda: [x for x in r.results() if x["id"].startswith("p")])
        check("... and has a result without an id of its own", got and got[0]["outcome"] == "sent" and got[0]["message_id"], got)
        r.send("send", r.chat, json.dumps({"id": "a-1", "text": "с номером"}))
        check("a command with an id", r.result("a-1")["outcome"] == "sent", r.results())
        r.send("send", r.chat, json.dumps({"id": "a-1", "text": "с номером"}))
        again = wait_for(lambda: [x for x in r.results() if x.get("repeat")])
        check("a repeat is answered and not sent", again and again[0]["id"] == "a-1" and r.times_sent("с номером") == 1, again)
        r.send("send", r.chat, "равный")
        r.send("send", r.chat, "равный")
        check("equal texts without ids are two", wait_for(lambda: r.times_sent("равный") == 2), r.service.texts(r.chat))
        r.send("send", r.chat, "свойством", "-D", "publish", "user-property", "id", "prop_1")
        check("an id as a user property", (r.result("prop_1") or {}).get("outcome") == "sent", r.results())
        done = subprocess.run(["mosquitto_rr", "-p", str(r.broker.port), "-V", "5", "-q", "1", "-t", f"avito/shop/send/{r.chat}",
                               "-e", "answers/me", "-m", '{"id":"rr1","text":"с ответом"}', "-W", "20",
                               "-D", "publish", "correlation-data", "my-data", "-F", "%D %p"],
                              capture_output=True, text=True, timeout=30, check=False)
        check("the response topic has the result", '"outcome":"sent"' in done.stdout and "my-data" in done.stdout,
              (done.stdout, done.stderr))
        message = r.result("rr1")["message_id"]
        r.send("delete", r.chat, message)
        check("delete", wait_for(lambda: [x for x in r.results() if x["command"] == "delete" and x["outcome"] == "done"]), r.results())
        r.send("read", r.chat, '{"id":"read1"}')
        check("read", r.result("read1")["outcome"] == "done")
        r.send("block", "115721966", '{"id":"block1","reason":"spam"}')
        check("block", r.result("block1")["outcome"] == "done")
        r.send("image", r.chat, JPEG, "-D", "publish", "user-property", "id", "pic1")
        pic = r.result("pic1") or {}
        stored = [m for m in r.service.door("store")["messages"] if m["id"] == pic.get("message_id")]
        check("a picture", pic.get("outcome") == "sent" and stored and stored[0]["type"] == "image", (pic, stored))
        big = b"\xff\xd8\xff\xe0" + os.urandom(5_000_000)
        r.send("image", r.chat, big, "-D", "publish", "user-property", "id", "pic2")
        check("a picture of 5 MB", (r.result("pic2", 60) or {}).get("outcome") == "sent", r.results()[-2:])
        r.send("send", r.chat, '{"id":"late","text":"поздно"}', "-D", "publish", "message-expiry-interval", "1000")
        check("a command that expires later is done", (r.result("late") or {}).get("outcome") == "sent")


def odd_answers():
    """The newest message of a chat has no id: a command into it is done all the same."""
    chats, chat = "/messenger/{}/accounts/1/chats", "u2i-1"
    odd = {"author_id": 2, "created": 5, "type": "text", "direction": "in", "content": {"text": "?"}}
    with MadeUp({chats.format("v2"): {"chats": []}, f"{chats.format('v3')}/{chat}/messages/": {"messages": [odd]},
                 f"{chats.format('v1')}/{chat}/messages": {**odd, "id": "m2", "direction": "out"},
                 "/messenger/v2/accounts/1/blacklist": {}}) as service, \
            Broker() as broker, Subscriber(broker, *LISTENS) as sub, \
            Gateway(broker, {"shop": types.SimpleNamespace(ports={"tls": service.server.server_port})}) as gateway:
        service.keeps = False
        check("beside a service that answers oddly it is online", gateway.is_online(sub), gateway.said)
        broker.publish("avito/shop/block/115721966", '{"id":"first","reason":"spam","item_id":7}')  # it has to connect first
        wait_for(lambda: sub.of("avito/shop/results/first"), 20)
        said = [json.loads(body) for path, body in service.posted if path.endswith("/blacklist")]
        check("the user who was meant is blocked", said == [{"users": [{"user_id": 115721966, "context": {"item_id": 7, "reason_id": 1}}]}], (said, gateway.said))
        broker.publish(f"avito/shop/send/{chat}", '{"id":"odd","text":"да"}')
        got = wait_for(lambda: sub.of("avito/shop/results/odd"), 20)
        check("a message without an id does not keep it from sending", got and json.loads(got[-1])["outcome"] == "sent", (got, gateway.said))


def bad_input():
    with Rig() as r:
        before = len(r.service.texts(r.chat))
        rows = [
            ("send", r.chat, '{"id":"b1","text":"a"', None, "not valid JSON"),
            ("send", r.chat, '{"id":"b2","txt":"a"}', "b2", "does not know"),
            ("send", r.chat, '{"id":"b3","text":5}', "b3", "another type"),
            ("send", r.chat, '{"id":"b4","text":"a","text":"b"}', "b4", "twice"),
            ("send", r.chat, '{"id":"b5","text":"' + "ж" * 1001 + '"}', "b5", "over 1,000"),
            ("send", r.chat, "ж" * 1001, None, "over 1,000"),
            ("send", r.chat, "x" * 100000, None, "over 1,000"),
            ("send", r.chat, '{"id":"b6","text":"  "}', "b6", "blank"),
            ("send", r.chat, b"\xff\xfe", None, "UTF-8"),
            ("send", r.chat, b"a\0b", None, "UTF-8"),
            ("send", r.chat, '{"id":"b 7","text":"a"}', None, "the id has other"),
            ("send", "u2i-nothing", '{"id":"b8","text":"a"}', "b8", "404"),
            ("send", "a%2", '{"id":"b9","text":"a"}', "b9", "percent-escaped"),
            ("send", "", '{"id":"b11","text":"a"}', "b11", "percent-escaped"),
            ("send", "x" * 300, '{"id":"b12","text":"a"}', "b12", "percent-escaped"),
            ("send", "x" * 20000, '{"id":"b23","text":"a"}', "b23", "percent-escaped"),
            ("send", "x" * 65519, '{"id":"b24","text":"a"' + " " * 1500 + "}", "b24", "percent-escaped"),
            ("send", "%FF", '{"id":"b25","text":"a"}', "b25", "percent-escaped"),
            ("send", r.chat, "\ufeff{\"id\":\"b13\",\"txt\":\"a\"}", "b13", "does not know"),
            ("send", r.chat, " \n{\"id\":\"b14\",\"text\":\"a\"", None, "not valid JSON"),
            ("send", r.chat, '{"id":"","text":"a"}', None, "the id has other"),
            ("send", r.chat, '{"id":"b15","text":"a"}{"id":"b16","text":"b"}', None, "not valid JSON"),
            ("send", r.chat, '{"id":"b17","text":"' + "[" * 500 + '"', None, "not valid JSON"),
            ("send", r.chat, '{"id":"b18","text":[[[[[[[[1]]]]]]]]}', "b18", "another type"),
            ("send", r.chat, "{}", None, "missing or blank"),
            ("send", r.chat, '{"id":"b19","text":"a\\u0000b"}', "b19", "NUL"),
            ("block", "-5", '{"id":"b20"}', "b20", "number"),
            ("block", "99999999999999999999", '{"id":"b21"}', "b21", "number"),
            ("block", "5", '{"id":"b22","item_id":"x"}', "b22", "another type"),
            ("image", r.chat, b"", None, "no JPEG"),
            ("delete", r.chat, "", None, "the id of the message"),
            ("block", "me", '{"id":"b10"}', "b10", "number"),
            ("block", "5", "because", None, "spam, fraud, insult or other"),
            ("image", r.chat, b"no picture", None, "no JPEG"),
            ("image", r.chat, b"\xff\xd8\xff" + bytes(12_000_000), None, "picture_max"),
            ("image", r.chat, b"\xff\xd8\xff" + bytes(30_000_000), None, "24 MB")]
        for act, target, payload, command, said in rows:
            count = len(r.results())
            r.send(act, target, payload)
            got = wait_for(lambda n=count: r.results()[n:], 30)
            name = (payload if isinstance(payload, str) else repr(payload[:12])) [:40]
            check(f"{act} {target[:12]} {name}: {said}",
                  got and got[0]["outcome"] in ("not_sent", "not_done") and said in got[0]["reason"] and
                  (command is None or got[0]["id"] == command), got)
        r.send("send", r.chat, '{"id":"long","text":" "}', "-D", "publish", "user-property", "of", "x" * 65000, "-D", "publish", "user-property", "of", "x" * 60000)
        check("properties of 125 KB do not keep a command from its answer", "blank" in (r.result("long") or {"reason": ""})["reason"], r.gateway.said)
        count = len(r.results())
        r.send("send", r.chat, '{"id":"kept","text":"храним"}', "-r")
        got = wait_for(lambda: r.results()[count:])
        check("a retained command is refused", got and "retain" in got[0]["reason"], got)
        check("nothing of all that was sent", len(r.service.texts(r.chat)) == before, r.service.texts(r.chat)[before:])
        peak = kilobytes(r.gateway.process.pid)
        print(f"# {peak} KB at most, under the sanitizers")
        r.gateway.stop()
        r.gateway.start()
        time.sleep(3)
        check("... nor after a start again", len(r.service.texts(r.chat)) == before, r.service.texts(r.chat)[before:])


def flood():
    with Rig(more=["poll = 1", "rate = 600"], saves=False) as r, Simulator("--chats", "1") as other:
        quiet_chat = other.door("store")["messages"][0]["chat_id"]
        r.gateway.accounts["quiet"] = other
        r.gateway.configure()
        r.gateway.process.send_signal(signal.SIGHUP)
        check("a second account by SIGHUP", r.gateway.is_online(r.sub, "quiet"), r.gateway.said)
        began = time.time()
        script = f"for i in $(seq 1 1000); do printf '{{\"id\":\"f%d\",\"text\":\"n%d\"}}\\n' $i $i; done"
        lines = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
        subprocess.run(["mosquitto_pub", "-p", str(r.broker.port), "-V", "5", "-q", "1", "-l", "-t", f"avito/shop/send/{r.chat}"],
                       input=lines, check=True, timeout=60)
        print(f"# 1,000 commands left in {time.time() - began:.1f} s")
        r.broker.publish(f"avito/quiet/send/{quiet_chat}", '{"id":"calm","text":"спокойно"}')
        sent = time.time()
        check("another account's command is not starved", wait_for(lambda: r.sub.of("avito/quiet/results/calm"), 20))
        print(f"# ... answered after {time.time() - sent:.1f} s")
        check("each of 1,000 has a result", wait_for(lambda: len({x["id"] for x in r.results()}) == 1000, 200),
              len({x["id"] for x in r.results()}))
        outcomes = {x["id"]: x["outcome"] for x in r.results()}
        count = len([t for t in r.service.texts(r.chat) if t.startswith("n")])
        check("as many were sent as results say, none twice",
              count == list(outcomes.values()).count("sent") == len({t for t in r.service.texts(r.chat) if t.startswith("n")}),
              (count, outcomes))
        check("the others say why", all("too many" in x["reason"] for x in r.results() if x["outcome"] == "not_sent"),
              {x["reason"] for x in r.results() if "reason" in x})
        stats = r.service.door("stats")
        check("the account's rate is kept", stats["limited"] == 0 and stats["max_per_minute"] <= 600, stats)
        print(f"# sent {count}, refused {1000 - count}, in {time.time() - began:.1f} s; {stats['max_per_minute']} requests a minute at most")


def bounded():
    """What hostile or careless clients send takes no more memory than the page for operators says."""
    with Rig(saves=False) as r:
        r.gateway.stop()
        r.gateway.program = "build/avito"  # the sanitizers' memory says nothing
        r.gateway.start()
        check("... is online again", r.gateway.is_online(r.sub), r.gateway.said)
        time.sleep(1.5)
        before = kilobytes(r.gateway.process.pid)
        picture = b"\xff\xd8\xff\xe0" + os.urandom(5_000_000)
        for i in range(6):
            r.send("image", r.chat, picture, "-D", "publish", "user-property", "id", f"pic{i}")
        for size in (12_000_000, 30_000_000):
            r.send("image", r.chat, b"\xff\xd8\xff" + bytes(size), "-D", "publish", "user-property", "id", f"big{size}")
        r.send("send", r.chat, "x" * 1_000_000)
        lines = "".join(f'{{"id":"q{i}","text":"{"ж" * 900}"}}\n' for i in range(1000)).encode()
        subprocess.run(["mosquitto_pub", "-p", str(r.broker.port), "-V", "5", "-q", "0", "-l", "-t", f"avito/shop/send/{r.chat}"],
                       input=lines, check=True, timeout=60)
        check("each of what is large has a result", wait_for(lambda: {f"pic{i}" for i in range(6)} | {"big12000000", "big30000000"} <=
                                                             {x["id"] for x in r.results()}, 60), [x["id"] for x in r.results()][:20])
        r.send("send", r.chat, '{"id":"after","text":"после"}')
        check("... and what comes afterwards", (r.result("after", 60) or {}).get("outcome") == "sent", r.gateway.said)
        peak = kilobytes(r.gateway.process.pid)
        check("... within three times picture_max", peak < before + 18 * 1024, (before, peak))
        print(f"# {before} KB before, {peak} KB at most")


def unpaid():
    """The tariff lacks the API: the service puts a placeholder in the place of each text."""
    with Rig() as r:
        tariff = lambda: json.loads(r.sub.of("avito/shop/state")[-1])["tariff"]
        check("the tariff is paid", tariff() == "ok")
        chats = {m["chat_id"] for m in r.service.door("store")["messages"]}
        r.service.door("option", {"tariff": 1})
        for chat in chats:  # one buyer alone may have copied the sentence
            r.service.door("message", {"chat_id": chat, "text": "не видно"})
        check("the tariff is missing: state says so", wait_for(lambda: tariff() == "missing", 30), r.sub.of("avito/shop/state")[-1])
        check("... and the message what it is", wait_for(lambda: [m for m in r.messages() if m["avito"]["class"] == "placeholder"], 20), r.messages())
        r.service.door("option", {"tariff": 0})
        r.write("видно")
        check("it is paid: state says so", wait_for(lambda: tariff() == "ok", 30), r.sub.of("avito/shop/state")[-1])
        check("... and texts come", wait_for(lambda: "видно" in r.texts(), 20), r.messages())


def page_blocks():
    """What the page for operators gives to mosquitto: its configuration, its rules."""
    with open("examples/gateway/README.md", encoding="utf-8") as file:
        blocks = re.findall(r"```\n# /etc/mosquitto/([\w./]+)\n(.*?)```", file.read(), re.S)
    return dict(blocks)


def access_rules():
    """mosquitto as the page for operators configures it; then rules that deny the gateway its messages."""
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(Simulator("--chats", "1"))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        blocks = page_blocks()
        check("the page has both files", {"conf.d/avito.conf", "acl"} <= blocks.keys(), blocks.keys())
        os.chmod(folder, 0o755)

        def rules(text):
            with open(f"{folder}/acl", "w", encoding="ascii") as file:
                file.write(text)
            os.chmod(f"{folder}/acl", 0o644)
        rules(blocks["acl"])
        for i, user in enumerate(("avito", "homeassistant")):
            subprocess.run(["mosquitto_passwd", "-b", *(["-c"] if i == 0 else []), f"{folder}/passwords", user, "secret"], check=True)
        os.chmod(f"{folder}/passwords", 0o644)
        lines = [line.replace("/etc/mosquitto", folder) for line in blocks["conf.d/avito.conf"].splitlines()
                 if not line.startswith(("persistence", "autosave", "max_queued"))]  # the test's own say the same
        broker = stack.enter_context(Broker(*lines, "allow_anonymous false"))
        as_ha = ("-u", "homeassistant", "-P", "secret")
        sub = stack.enter_context(Subscriber(broker, *LISTENS, options=as_ha))
        gateway = stack.enter_context(Gateway(broker, {"shop": service}, mqtt=["user = avito", "password = secret"]))
        chat = service.door("store")["messages"][0]["chat_id"]
        heard = lambda: [json.loads(p) for _, p in sub.under("avito/shop/messages/")]
        texts = lambda: [m["content"]["text"] for m in heard() if m["avito"]["class"] == "buyer"]
        check("with the page's rules it is online", gateway.is_online(sub), gateway.said)
        check("... and in Home Assistant", wait_for(lambda: sub.of("homeassistant/device/avito_shop/config")))
        time.sleep(1.5)
        service.door("message", {"chat_id": chat, "text": "раз"})
        check("... a message comes", wait_for(lambda: texts() == ["раз"]), gateway.said)
        broker.publish(f"avito/shop/send/{chat}", '{"id":"ha","text":"от HA"}', *as_ha)
        check("... a command is done", wait_for(lambda: '"sent"' in str(sub.of("avito/shop/results/ha"))), gateway.said)
        broker.publish(f"avito/shop/messages/{chat}", '{"avito":{"class":"buyer"},"content":{"text":"чужое"}}', *as_ha)
        broker.publish("homeassistant/status", "online", *as_ha)
        check("... and nobody else publishes messages", wait_for(lambda: len(sub.of("homeassistant/device/avito_shop/config")) > 1, 10) and texts() == ["раз"], texts())
        rules(blocks["acl"].replace("topic readwrite avito/#", "topic read avito/#\ntopic write avito/+/status\ntopic write avito/+/state\n"
                                    "topic write avito/gateway/#\ntopic write avito/+/results/+", 1))
        broker.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        service.door("message", {"chat_id": chat, "text": "запрещено"})
        check("what the broker denies is said", wait_for(lambda: "access rules" in gateway.said), gateway.said)
        check("... also in state", wait_for(lambda: "access rules" in str(sub.of("avito/shop/state")[-1:])), sub.of("avito/shop/state"))
        rules(blocks["acl"])
        broker.process.send_signal(signal.SIGHUP)
        check("... and is not lost", wait_for(lambda: texts() == ["раз", "запрещено"], 60), (texts(), gateway.said))


def at_once():
    """A command does not wait for the next poll."""
    with Rig(more=["poll = 60"]) as r:
        began = time.time()
        r.send("send", r.chat, '{"id":"now","text":"сразу"}')
        check("a command is done at once", r.result("now") and time.time() - began < 10, time.time() - began)
        print(f"# after {time.time() - began:.1f} s, with polls every 60")


def many():
    """The messages of forty accounts come at once, more than the broker may have unacknowledged. None waits
    for a ping."""
    count, each = 40, 5
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(Simulator("--chats", "1"))
        broker = stack.enter_context(Broker(saves=False))
        sub = stack.enter_context(Subscriber(broker, *LISTENS))
        names = [f"a{i}" for i in range(count)]
        gateway = stack.enter_context(Gateway(broker, dict.fromkeys(names, service), more=["poll = 3"], gateway=["discovery = no"]))
        chat = service.door("store")["messages"][0]["chat_id"]
        check("all are online", wait_for(lambda: all(sub.of(f"avito/{a}/status")[-1:] == ["online"] for a in names), 60), gateway.said)
        time.sleep(4)
        for i in range(each):
            service.door("message", {"chat_id": chat, "text": f"всем {i}"})
        began = time.time()
        heard = lambda: [(t.split("/")[1], json.loads(p)["content"]["text"]) for t, p in sub.under("avito/") if "/messages/" in t]
        check("each account's messages come", wait_for(lambda: len(heard()) >= count * each, 30), len(heard()))
        check("... within the poll and four seconds", time.time() - began < 7, time.time() - began)
        check("... in their order, and once", all([x for a, x in heard() if a == name] == [f"всем {i}" for i in range(each)] for name in names))


def locked_tokens():
    """Another program, stopped while it writes, keeps the lock of one account's tokens: the other account notices nothing."""
    with contextlib.ExitStack() as stack:
        services = {name: stack.enter_context(Simulator("--chats", "1")) for name in ("shop", "other")}
        broker = stack.enter_context(Broker(saves=False))
        sub = stack.enter_context(Subscriber(broker, *LISTENS))
        gateway = stack.enter_context(Gateway(broker, {"other": services["other"]}))
        check("an account is online", gateway.is_online(sub, "other"), gateway.said)
        folder = f"{gateway.home}/state/avito/shop"
        os.makedirs(folder, 0o700)
        lock = stack.enter_context(open(f"{folder}/lock", "w", encoding="ascii"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        gateway.accounts.update(services)
        gateway.configure()
        gateway.process.send_signal(signal.SIGHUP)
        check("another cannot store its tokens", wait_for(lambda: "shop: " in gateway.said, 30), gateway.said)
        chat = services["other"].door("store")["messages"][0]["chat_id"]
        longest = 0
        for i in range(8):
            began = time.time()
            services["other"].door("message", {"chat_id": chat, "text": f"здесь {i}"})
            wait_for(lambda: sum("/messages/" in t for t, _ in sub.under("avito/other/")) > i, 20)
            longest = max(longest, time.time() - began)
        check("... which delays no message of the first", longest < 3.5, f"{longest:.1f} s {gateway.said}")
        check("... and is not served", sub.of("avito/shop/status")[-1:] != ["online"], gateway.said)
        fcntl.flock(lock, fcntl.LOCK_UN)
        check("... until they are free", wait_for(lambda: sub.of("avito/shop/status")[-1:] == ["online"], 70), gateway.said)


def broker_away():
    with Rig() as r:
        r.broker.stop()
        for i in range(5):
            r.write(f"без брокера {i}")
        time.sleep(3)
        check("said once", r.gateway.said.count("the connection") == 1, r.gateway.said)
        r.broker.start()
        with Subscriber(r.broker, "avito/#") as sub:
            got = lambda: [json.loads(p)["content"]["text"] for _, p in sub.under("avito/shop/messages/")]
            check("all come when it is back, in order", wait_for(lambda: len(got()) >= 5, 40) and
                  got() == [f"без брокера {i}" for i in range(5)], got())
        r.broker.stop(kill=True)
        time.sleep(1)
        r.broker.start()
        with Subscriber(r.broker, "avito/shop/results/#", "avito/gateway/+/status") as sub:
            wait_for(lambda: sub.of("avito/gateway/main/status")[-1:] == ["online"], 30)
            r.send("send", r.chat, '{"id":"after","text":"после"}')
            check("commands go on after kill -9 of the broker", wait_for(lambda: sub.of("avito/shop/results/after"), 30), r.gateway.said)
        r.gateway.stop()
        r.send("send", r.chat, '{"id":"kept","text":"пока шлюза нет"}')
        with Subscriber(r.broker, "avito/shop/results/#") as sub:
            r.gateway.start()
            check("a command that came while the gateway was away", wait_for(lambda: sub.of("avito/shop/results/kept"), 30))
        check("... is sent once", r.times_sent("пока шлюза нет") == 1)


def in_russian():
    with Rig() as r:
        r.gateway.stop()
        r.gateway.language = "ru_RU.UTF-8"
        r.gateway.start()
        r.send("send", r.chat, '{"id":"r1","txt":"a"}')
        check("a refusal in Russian", "у этой команды нет" in str(r.result("r1")), r.result("r1"))
        r.send("send", "u2i-nothing", '{"id":"r2","text":"a"}')
        check("an error of the service in Russian", "404: нет такого чата" in str(r.result("r2")), r.result("r2"))
        config = r.sub.of("homeassistant/device/avito_shop/config")
        check("Home Assistant's names in Russian", "Новое сообщение" in config[-1], config)
        for _ in range(4):  # with a ping on its way it is a broken connection, in the library's words
            r.broker.stop()
            if wait_for(lambda: ": соединение" in r.gateway.said, 20) and ": соединение кончилось" in r.gateway.said:
                break
            r.broker.start()
            wait_for(lambda: "снова на связи с брокером" in r.gateway.said, 20)
            time.sleep(1)  # what is published then has arrived
            r.gateway.said = ""
        check("what is wrong with the broker in Russian", ": соединение кончилось" in r.gateway.said, r.gateway.said)
        r.broker.start()
        check("... and that it works again", wait_for(lambda: "снова на связи с брокером" in r.gateway.said, 20), r.gateway.said)


def by_consent():
    """Another person's account whose key is gone: the account of the client id's owner is not served in its
    place."""
    with Rig(listens=None, more=["poll = 1", "consent = yes"]) as r:
        check("without a refresh token an account by consent says so", wait_for(lambda: "shop: access was withdrawn" in r.gateway.said, 20), r.gateway.said)
        check("... and is not asked for by the client id", r.service.door("stats")["tokens_issued"] == 0)


def nobody_listens():
    with Rig(listens=("avito/+/status", "avito/+/state", "avito/gateway/#")) as r:
        r.write("слышит кто?")
        check("state says that a message is held",
              wait_for(lambda: json.loads(r.sub.of("avito/shop/state")[-1])["held"], 30), r.sub.lines[-3:])
        with Subscriber(r.broker, "avito/shop/messages/#") as sub:
            check("it comes when somebody listens", wait_for(lambda: len(sub.lines) == 1, 30), sub.lines)
    with Rig(listens=("avito/+/status",), gateway=["hold = no"]) as r:
        r.write("никто")
        time.sleep(4)
        with Subscriber(r.broker, "avito/shop/messages/#") as sub:
            time.sleep(5)
            check("hold = no lets it go", sub.lines == [], sub.lines)


def full_disk():
    with Rig() as r:
        full = lambda n: resource.prlimit(r.gateway.process.pid, resource.RLIMIT_FSIZE, (n, resource.RLIM_INFINITY))
        full(0)
        r.send("send", r.chat, '{"id":"full1","text":"на полный диск"}')
        got = r.result("full1")
        check("a command on a full disk", got and got["outcome"] == "not_sent" and "disk" in got["reason"], got)
        check("... is not sent", r.times_sent("на полный диск") == 0)
        r.write("на диск не влезет")
        check("it says so", wait_for(lambda: "the state cannot be written" in r.gateway.said, 20), r.gateway.said)
        full(resource.RLIM_INFINITY)
        check("it goes on when there is room", wait_for(lambda: "works again" in r.gateway.said, 30), r.gateway.said)
        r.send("send", r.chat, '{"id":"full2","text":"место есть"}')
        check("... commands too", (r.result("full2") or {}).get("outcome") == "sent")
        r.write("после")
        check("... and messages", wait_for(lambda: "после" in r.texts(), 30), r.texts())
        r.gateway.stop()
        with open(f"{r.gateway.home}/state/avito/shop/ledger.jsonl", "a", encoding="ascii") as file:
            for i in range(120):  # so that the ledger is what finds no room
                file.write(f'{{"id":"old{i}","state":"sent","act":"send","target":"u2i-x","begun":{int(time.time())},"hash":"{i:016x}"}}\n')
        r.gateway.start()
        check("... is online again", r.gateway.is_online(r.sub), r.gateway.said)
        time.sleep(1)
        full(8192)
        r.send("send", r.chat, '{"id":"full3","text":"отказано"}')
        check("refused on a full disk", "disk" in (r.result("full3") or {}).get("reason", ""), r.result("full3", 1))
        r.gateway.stop(signal.SIGKILL)
        r.gateway.start()
        r.send("send", r.chat, '{"id":"full3","text":"отказано"}')
        again = wait_for(lambda: r.sub.of("avito/shop/results/full3")[1:], 30)
        check("... it stays refused after kill -9, with room again", again and json.loads(again[-1])["outcome"] == "not_sent" and
              r.times_sent("отказано") == 0, again)


def unreadable():
    """A file that is there and cannot be read is not taken for one that is missing."""
    with Rig() as r:
        r.send("send", r.chat, '{"id":"first","text":"раз"}')
        r.result("first")
        for path in ("shop/refused", "shop/ledger.jsonl", "gateway/main/client_id", "gateway/main/session"):
            r.gateway.stop()
            file = f"{r.gateway.home}/state/avito/{path}"
            os.rename(file, file + ".aside")
            os.mkdir(file)
            r.gateway.said = ""
            r.gateway.start()
            status = r.gateway.process.wait(20)
            check(f"{path} that cannot be read ends the start", status == 1 and wait_for(lambda p=path: f"{p}: Is a directory" in r.gateway.said),
                  (status, r.gateway.said))
            check("... and stays as it is", os.path.isdir(file))
            os.rmdir(file)
            os.rename(file + ".aside", file)
        path = f"{r.gateway.home}/state/avito/gateway/main/path"
        with open(path, "r+", encoding="ascii") as file:
            whole = file.read()
            file.truncate(9)
        r.gateway.stop()
        r.gateway.start()
        status = r.gateway.process.wait(20)
        check("a path of notifications that is not whole ends the start", status == 1 and wait_for(lambda: f"{path}: the first line is" in r.gateway.said), r.gateway.said)
        with open(path, "w", encoding="ascii") as file:
            file.write(whole)
        r.gateway.start()
        r.send("send", r.chat, '{"id":"first","text":"раз"}')
        check("with all of them it goes on", wait_for(lambda: r.sub.of("avito/shop/results/first")[1:]) and r.times_sent("раз") == 1)


def claimed_pictures():
    """Pictures that a fleet's broker kept come while the account is still being claimed."""
    fleet = ["[fleet]", "name = shops", "node = one", "secret = 0123456789abcdef"]
    with Rig(gateway=fleet, saves=False) as r:
        r.gateway.stop()
        picture = b"\xff\xd8\xff\xe0" + os.urandom(5_000_000)
        for i in range(12):
            r.send("image", r.chat, picture, "-D", "publish", "user-property", "id", f"pic{i}")
        r.gateway.program = "build/avito"  # the sanitizers' memory says nothing
        r.gateway.start()
        check("each of 12 pictures has a result", wait_for(lambda: len({x["id"] for x in r.results()}) == 12, 90), r.results())
        sent = [x for x in r.results() if x["outcome"] == "sent"]
        check("some are sent, the others say why", sent and all("too many pictures" in x["reason"] for x in r.results() if x["outcome"] != "sent"),
              r.results())
        peak = kilobytes(r.gateway.process.pid)
        check("... within the memory of a router", peak < 40_000, peak)
        print(f"# {len(sent)} sent, {peak} KB at most")


def webhooks():
    port = free_port()
    clock = Clock()
    with Rig(more=["poll = 60"], gateway=[f"listen = 127.0.0.1:{port}", f"webhook_url = http://127.0.0.1:{port}/"]) as r:
        check("it subscribes itself", wait_for(lambda: r.service.door("state")["subscriptions"], 20), r.gateway.said)
        time.sleep(2)
        began = time.time()
        r.write("через уведомление")
        check("a notification brings the message at once", wait_for(lambda: "через уведомление" in r.texts(), 20), r.gateway.said)
        print(f"# after {time.time() - began:.1f} s with polls every 60")
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(b"POST / HTTP/1.1\r\n")
            spent = processor_s(r.gateway.process.pid)
            answer = peer.recv(1000)
        spent = processor_s(r.gateway.process.pid) - spent
        check("a notification that does not go on is answered 408, and nothing spins", b" 408 " in answer and spent < 0.5, (answer, spent))
        secret = r.gateway.state("gateway/main/path")
        r.gateway.stop()
        r.gateway.program, r.gateway.environment = "build/avito", clock.environment
        r.gateway.start()
        check("... is online again", r.gateway.is_online(r.sub), r.gateway.said)
        remove = ["build/avito", "webhook", "remove", f"http://127.0.0.1:{port}{secret.strip()}"]

        def is_removed():
            """The gateway subscribes once when it starts, perhaps just after this."""
            subprocess.run(remove, env=r.service.environment(HOME=r.gateway.home), capture_output=True, timeout=30, check=False)
            time.sleep(1)
            return not r.service.door("state")["subscriptions"]

        check("a subscription that was taken away", wait_for(is_removed, 20), r.gateway.said)
        clock.set("+86400 x1")
        check("... is there again the next day", wait_for(lambda: r.service.door("state")["subscriptions"], 30), r.gateway.said)
        check("the secret path is nowhere said", secret[1:] not in r.gateway.said and len(secret) > 32)


def reload():
    with Rig() as r, Simulator("--chats", "1") as other:
        pid = r.gateway.process.pid
        with open(f"{r.gateway.home}/config/avito/config", "a", encoding="utf-8") as file:
            file.write("[mqtt\n")
        r.gateway.process.send_signal(signal.SIGHUP)
        check("a bad configuration is not taken", wait_for(lambda: "not taken" in r.gateway.said), r.gateway.said)
        r.gateway.accounts["second"] = other
        r.gateway.configure()
        r.gateway.process.send_signal(signal.SIGHUP)
        check("an account more", r.gateway.is_online(r.sub, "second"), r.gateway.said)
        del r.gateway.accounts["second"]
        r.gateway.configure()
        r.gateway.process.send_signal(signal.SIGHUP)
        check("an account less is offline", wait_for(lambda: r.sub.of("avito/second/status")[-1] == "offline"), r.gateway.said)
        check("... and gone from Home Assistant", wait_for(lambda: r.sub.of("homeassistant/device/avito_second/config")[-1] == ""))
        r.gateway.gateway = ["name = other"]
        r.gateway.configure()
        r.gateway.process.send_signal(signal.SIGHUP)
        check("another name", wait_for(lambda: r.sub.of("avito/gateway/other/status")[-1:] == ["online"]), r.gateway.said)
        check("... the old one is offline", r.sub.of("avito/gateway/main/status")[-1] == "offline")
        r.write("всё ещё тот же процесс")
        check("messages go on", wait_for(lambda: "всё ещё тот же процесс" in r.texts()), r.gateway.said)
        check("it is the same process", r.gateway.process.pid == pid and r.gateway.process.poll() is None)


def reload_with_commands():
    """An account changes while commands wait: the broker thinks that they are in good hands."""
    with Rig() as r:
        r.service.door("fault", {"plan": "*:status=503:12"})
        for i in range(3):
            r.send("send", r.chat, json.dumps({"id": f"w{i}", "text": f"waits {i}"}))
        time.sleep(1)
        r.gateway.more = ["poll = 2"]
        r.gateway.configure()
        r.gateway.process.send_signal(signal.SIGHUP)
        check("the configuration is read again", wait_for(lambda: "read again" in r.gateway.said), r.gateway.said)
        check("each command has its result", all(r.result(f"w{i}", 60) for i in range(3)), (r.results(), r.gateway.said))
        check("... and was done once", all(r.times_sent(f"waits {i}") == 1 for i in range(3)))


def reload_with_errors():
    """A configuration with an error is not taken: what was in force stays so, also what an earlier reload brought."""
    with Rig() as r, Simulator("--chats", "1") as other:
        chat = other.door("store")["messages"][0]["chat_id"]
        r.gateway.accounts["second"] = other
        r.gateway.configure()
        r.gateway.process.send_signal(signal.SIGHUP)
        check("an account more", r.gateway.is_online(r.sub, "second"), r.gateway.said)
        good = (r.gateway.mqtt, r.gateway.gateway, r.gateway.more)
        for mqtt, own, more, said in (([], [], ["poll = 1h"], "poll: a number"), ([], [], ["poll = 1", "client_secret_file = /none", "rate = 0"], "rate: a number"),
                                      ([], ["window = abc"], [], "window: a number"), (["tls = yes", "ca_file = /none.pem"], [], [], "no trust anchors"),
                                      (["tls = maybe"], [], [], "yes or no"), ([], ["listen = 127.0.0.1:1"], [], "belong together")):
            r.gateway.mqtt, r.gateway.gateway, r.gateway.more = mqtt or good[0], own or good[1], more or good[2]
            r.gateway.said, before = "", len(r.sub.of("avito/shop/status"))
            r.gateway.configure()
            r.gateway.process.send_signal(signal.SIGHUP)
            check(f"{(mqtt + own + more)[-1]}: it says why, and does not take it",
                  wait_for(lambda s=said: s in r.gateway.said and "not taken" in r.gateway.said), r.gateway.said)
            if more:
                time.sleep(1)
                check("... an account with an error stays as it was", len(r.sub.of("avito/shop/status")) == before, r.sub.of("avito/shop/status"))
        r.gateway.mqtt, r.gateway.gateway, r.gateway.more = good
        check("it is still there", r.gateway.process.poll() is None)
        check("... and online", wait_for(lambda: r.sub.of("avito/gateway/main/status")[-1:] == ["online"]), r.gateway.said)
        for name, service in (("shop", r.service), ("second", other)):
            to = r.chat if service is r.service else chat
            r.broker.publish(f"avito/{name}/send/{to}", '{"id":"still","text":"как прежде"}')
            check(f"... {name} does what it is told", wait_for(lambda n=name: r.sub.of(f"avito/{n}/results/still")), r.gateway.said)
        secret = f"{r.gateway.home}/password"
        for password in ("first", "second"):
            with open(secret, "w", encoding="ascii") as file:
                file.write(password + "\n")
            os.chmod(secret, 0o600)
            r.gateway.mqtt = ["user = shop", f"password_file = {secret}"]
            r.gateway.configure()
            count = len(r.sub.of("avito/gateway/main/status"))
            r.gateway.process.send_signal(signal.SIGHUP)
            check("a password file that is new, or has another password, is read",
                  wait_for(lambda n=count: r.sub.of("avito/gateway/main/status")[n:] == ["offline", "online"]), r.gateway.said)


def home_assistant():
    with Rig(more=["poll = 1", "notify = u2i-x~1 u2i-y"]) as r:
        first = wait_for(lambda: r.sub.of("homeassistant/device/avito_shop/config"))
        check("discovery", first)
        count = len(first)
        r.broker.publish("homeassistant/status", "online")
        check("discovery again when Home Assistant has started",
              wait_for(lambda: len(r.sub.of("homeassistant/device/avito_shop/config")) > count, 10))
        sys.path.insert(0, "tests/avito")
        import hass  # pylint: disable=import-outside-toplevel
        for problem in hass.problems(json.loads(first[-1])):
            check("discovery has Home Assistant's documented fields", False, problem)
        config = json.loads(first[-1])
        kinds = sorted(c["platform"] for c in config["components"].values())
        check("its entities", kinds == ["binary_sensor", "binary_sensor", "event", "notify", "notify", "sensor", "sensor"], kinds)
        check("a ~ in a chat's id stays one", '"~"' not in first[-1] and "avito/shop/send/u2i-x~1" in
              [c.get("command_topic") for c in config["components"].values()], first[-1])
        r.write("я" * 1000)
        check("the last text is cut by the template", wait_for(r.texts) and "[:255]" in config["components"]["last_text"]["value_template"])

        def configs_after(*lines):
            """What Home Assistant hears when the gateway is started with other lines."""
            r.gateway.stop()
            count = len(r.sub.of("homeassistant/device/avito_shop/config"))
            r.gateway.more = ["poll = 1", *lines]
            r.gateway.configure()
            r.gateway.start()
            wait_for(lambda: r.sub.of("avito/gateway/main/status")[-1:] == ["online"])
            time.sleep(2)
            return [json.loads(x) for x in r.sub.of("homeassistant/device/avito_shop/config")[count:]]
        gone = next(n for n, c in config["components"].items() if c.get("command_topic") == "avito/shop/send/u2i-x~1")
        told = configs_after("notify = u2i-y")
        check("a chat that is in notify no longer: its entity is removed, once", len(told) == 2 and told[0]["components"].get(gone) == {"platform": "notify"} and
              gone not in told[1]["components"], told)
        check("... as Home Assistant's manual says", not hass.problems(told[0]) and not hass.problems(told[1]))
        told = configs_after("notify = u2i-y")
        check("... and never again", len(told) == 1 and gone not in told[0]["components"], told)
        told = configs_after()
        check("the last one too", len(told) == 2 and [c for c in told[0]["components"].values() if c == {"platform": "notify"}], told)


def quiet_disk():
    with Rig() as r:
        r.write("раз")
        wait_for(r.texts)
        time.sleep(3)
        written = lambda: [line for line in open(f"/proc/{r.gateway.process.pid}/io", encoding="ascii") if line.startswith("write_bytes")]
        before = written()
        time.sleep(8)
        check("nothing is written while nothing happens", written() == before, (before, written()))


def old_broker():
    """Speaks only MQTT 3.1.1, and shows it by a CONNACK without properties. Then it refuses us in its own words."""
    connack = b"\x20\x02\x00\x01"
    with socket.socket() as listener, Simulator("--chats", "1") as service:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)

        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                    peer.recv(4096)
                    peer.send(connack)
                    time.sleep(0.2)
                    peer.close()
                except OSError:
                    return
        threading.Thread(target=serve, daemon=True).start()
        with Gateway(None, {"shop": service}, port=listener.getsockname()[1]) as gateway:
            check("a broker of 3.1.1 is refused with the reason",
                  wait_for(lambda: "speaks only MQTT 3.1.1, which acknowledges what it denied" in gateway.said, 20) and
                  f"broker localhost:{listener.getsockname()[1]}: " in gateway.said, gateway.said)
            check("... once", gateway.said.count("3.1.1") == 1, gateway.said)
        connack = b"\x20\x14\x00\x87\x11\x1f\x00\x0eask the \x1badmin"
        with Gateway(None, {"shop": service}, port=listener.getsockname()[1]) as gateway:
            check("a broker's own words are said, and made harmless", wait_for(lambda: "access rules forbid it: ask the  admin" in gateway.said, 20), gateway.said)


def mute_broker():
    """Takes connections and says nothing: half a minute, twice, by a clock that runs thirty times as fast."""
    clock = Clock("+0 x30")
    with socket.socket() as listener, Simulator("--chats", "1") as service:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        listener.settimeout(10)
        gateway = Gateway(None, {"shop": service}, port=listener.getsockname()[1])
        gateway.program, gateway.environment = "build/avito", clock.environment
        with gateway:
            first, _ = listener.accept()
            check("a broker that does not answer is said", wait_for(lambda: "the broker does not answer" in gateway.said), gateway.said)
            second, _ = listener.accept()
            check("... and tried again", first.recv(100)[0] == 0x10 and second.recv(100)[0] == 0x10)
            for s in (first, second):
                s.close()


def wrong_configuration():
    """Each ends the start with status 2, or 1, and a sentence."""
    with Simulator("--chats", "1") as service, Broker() as broker:
        for mqtt, own, more, said in ((["tls = ye"], [], [], "[mqtt] tls: yes or no"), (["port = 70000"], [], [], "stands twice"),
                                      ([], ["window = 0"], [], "[gateway] window: a number"), ([], ["picture_max = 6MB"], [], "picture_max: a number"),
                                      ([], ["discovery = home/#"], [], "the first part of a topic"), ([], ["discovery ="], [], "the first part of a topic"),
                                      ([], ["listen = 127.0.0.1:1", "webhook_url ="], [], "begins with https://"),
                                      ([], ["listen = 127.0.0.1", "webhook_url = https://a.example"], [], "an address and a port"),
                                      ([], [], ["mark_as_read = true"], "mark_as_read: yes or no"), ([], [], ["poll = 1h"], "poll: a number"),
                                      ([], ["name = a/b"], [], "letters, digits")):
            gateway = Gateway(broker, {"shop": service}, mqtt=mqtt, gateway=own, more=more or ["poll = 1"])
            gateway.may_fail = True
            with gateway:
                status = gateway.process.wait(20)
                gateway.reader.join(5)
                check(f"{(mqtt + own + more)[-1]}", status == 2 and said in gateway.said, (status, gateway.said))
        with Gateway(broker, {"shop": service}) as one:
            wait_for(lambda: os.path.exists(f"{one.home}/state/avito/gateway/main/session"))
            again = subprocess.run([PROGRAM, "gateway"], env={"HOME": one.home, "XDG_STATE_HOME": f"{one.home}/state", "LC_ALL": "C",
                                                              "XDG_CONFIG_HOME": f"{one.home}/config"}, capture_output=True, text=True, timeout=30, check=False)
            check("a second gateway of the same name", again.returncode == 2 and "another gateway has this name" in again.stderr, again)
            check("... leaves the first one alone", one.process.poll() is None and "broker" not in one.said, one.said)


def closed_error():
    """Without standard error its number must not become a file's or a connection's."""
    with Rig() as r:
        r.gateway.stop()
        environment = {"PATH": os.environ["PATH"], "HOME": r.gateway.home, "XDG_STATE_HOME": f"{r.gateway.home}/state",
                       "XDG_CONFIG_HOME": f"{r.gateway.home}/config"}
        process = subprocess.Popen(["sh", "-c", "exec build/avito gateway 0<&- 1>&- 2>&-"], env=environment)
        check("it runs", wait_for(lambda: r.sub.of("avito/gateway/main/status")[-2:] == ["offline", "online"], 30))
        names = [os.readlink(f"/proc/{process.pid}/fd/{n}") for n in (0, 1, 2)]
        check("what is closed is held by /dev/null", names == ["/dev/null"] * 3, names)
        process.terminate()
        check("... and ends with 0", process.wait(20) == 0)


def certificates(folder):
    """A CA for clients, a certificate by it with an EC key, another with an RSA key."""
    run = lambda *words: subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", "-subj", "/CN=clients")
    for kind, key in (("ec", ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")), ("rsa", ("-newkey", "rsa:2048"))):
        run("req", *key, "-nodes", "-keyout", f"{kind}.key", "-out", f"{kind}.csr", "-subj", f"/CN=gateway-{kind}")
        run("x509", "-req", "-in", f"{kind}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{kind}.crt", "-days", "30")


def tls_and_passwords():
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        certificates(folder)
        service = stack.enter_context(Simulator("--chats", "1"))
        subprocess.run(["mosquitto_passwd", "-b", "-c", f"{folder}/passwords", "shop", "the-password"], check=True)
        os.chmod(folder, 0o755)
        os.chmod(f"{folder}/passwords", 0o644)
        with open(f"{folder}/secret", "w", encoding="ascii") as file:
            file.write("the-password\n")
        os.chmod(f"{folder}/secret", 0o600)
        tls = ["tls = yes", f"ca_file = {os.path.abspath(CERTS)}/roots.pem"]
        named = ["user = shop", f"password_file = {folder}/secret"]
        server = (f"{folder}/ca.crt", f"{CERTS}/ec.crt", f"{CERTS}/ec.key")
        online = lambda g: wait_for(lambda: "broker" not in g.said and g.process.poll() is None and has_session(g), 20)

        def has_session(gateway):
            return os.path.exists(f"{gateway.home}/state/avito/gateway/main/session")
        with Broker("allow_anonymous false", f"password_file {folder}/passwords", tls=server) as broker:
            with Gateway(broker, {"shop": service}, mqtt=tls + named) as gateway:
                check("TLS with an own CA, user and password", online(gateway), gateway.said)
            with Gateway(broker, {"shop": service}, mqtt=tls + ["user = shop", "password = wrong"]) as gateway:
                check("a wrong password is said", wait_for(lambda: "not authorized" in gateway.said or "password is wrong" in gateway.said), gateway.said)
                check("... and appears nowhere", "wrong\n" not in gateway.said.replace("is wrong", ""), gateway.said)
            with Gateway(broker, {"shop": service}, mqtt=["tls = yes", f"ca_file = {folder}/ca.crt"] + named) as gateway:
                check("another CA is refused", wait_for(lambda: "trust anchor" in gateway.said), gateway.said)
        for kind in ("ec", "rsa"):
            with Broker("require_certificate true", "use_identity_as_username true", tls=server) as broker:
                key = [f"cert_file = {folder}/{kind}.crt", f"key_file = {folder}/{kind}.key"]
                with Gateway(broker, {"shop": service}, mqtt=tls + key) as gateway:
                    check(f"a client certificate with {kind} key", online(gateway), gateway.said)
                with Gateway(broker, {"shop": service}, mqtt=tls) as gateway:
                    check("... without it the broker refuses", wait_for(lambda: "avito gateway:" in gateway.said), gateway.said)
        with Gateway(broker, {"shop": service}, mqtt=tls + [f"cert_file = {folder}/ec.crt"]) as gateway:
            gateway.may_fail = True
            check("a certificate without its key is an error", gateway.process.wait(20) == 2 and wait_for(lambda: "belong together" in gateway.said), gateway.said)


def pubacks():
    """What chance rarely finds: a PUBACK that does not come, then a kill."""
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(Simulator("--chats", "1"))
        broker = stack.enter_context(Broker())
        sub = stack.enter_context(Subscriber(broker, *LISTENS))
        proxy = Proxy(broker.port)
        gateway = stack.enter_context(Gateway(broker, {"shop": service}, more=["poll = 1"], port=proxy.port))
        chat = service.door("store")["messages"][0]["chat_id"]
        texts = lambda: [json.loads(p)["content"]["text"] for _, p in sub.under("avito/shop/messages/")]
        results = lambda: [json.loads(p) for t, p in sub.under("avito/shop/results/")]
        check("... is online through the proxy", gateway.is_online(sub), gateway.said)
        time.sleep(2)
        proxy.swallows = True
        service.door("message", {"chat_id": chat, "text": "без PUBACK"})
        check("the message was published", wait_for(lambda: texts() == ["без PUBACK"]), texts())
        wait_for(lambda: proxy.swallowed > 0)
        gateway.stop(signal.SIGKILL)
        proxy.swallows = False
        gateway.start()
        check("a message without PUBACK is not accepted: it comes again", wait_for(lambda: texts() == ["без PUBACK"] * 2, 30), texts())
        time.sleep(1)
        proxy.swallows = True
        broker.publish(f"avito/shop/send/{chat}", "команда без номера")
        check("the result was published", wait_for(lambda: len(results()) == 1), results())
        wait_for(lambda: proxy.swallowed > 1)
        gateway.stop(signal.SIGKILL)
        proxy.swallows = False
        gateway.start()
        check("a command whose result has no PUBACK is not acknowledged: it comes again and is answered",
              wait_for(lambda: len(results()) == 2 and results()[1].get("repeat"), 30), results())
        check("... under the same id, and is not sent again",
              results()[0]["id"] == results()[1]["id"] and service.texts(chat).count("команда без номера") == 1, results())


def full_window():
    """The broker acknowledges nothing, and more is to be published than may be on the way: that is waited for, not tried all the time."""
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(Simulator("--chats", "1"))
        broker = stack.enter_context(Broker(saves=False))
        sub = stack.enter_context(Subscriber(broker, *LISTENS))
        proxy = Proxy(broker.port)
        names = [f"a{i}" for i in range(40)]
        gateway = stack.enter_context(Gateway(broker, dict.fromkeys(names, service), more=["poll = 3"], gateway=["discovery = no"], port=proxy.port))
        chat = service.door("store")["messages"][0]["chat_id"]
        check("all are online", wait_for(lambda: all(sub.of(f"avito/{a}/status")[-1:] == ["online"] for a in names), 60), gateway.said)
        time.sleep(6)
        proxy.swallows = True
        service.door("message", {"chat_id": chat, "text": "всем"})
        heard = lambda: {t for t, _ in sub.under("avito/") if "/messages/" in t}
        wait_for(lambda: len(heard()) >= 20, 20)
        for name in names:
            broker.publish(f"avito/{name}/read/{chat}", "")
        time.sleep(6)
        spent = processor_s(gateway.process.pid)
        time.sleep(4)
        spent = processor_s(gateway.process.pid) - spent
        check("with a full window the gateway rests", len(heard()) == 20 and spent < 0.3, (len(heard()), spent))
        proxy.swallows = False
        proxy.cut()
        check("... and publishes the rest after it", wait_for(lambda: len(heard()) == 40, 40), (len(heard()), gateway.said))


def killed_in_a_send():
    with Rig() as r:
        r.service.door("fault", {"plan": "send_message:stored_stall:1"})
        r.send("send", r.chat, '{"id":"stored","text":"дошло, но молчит"}')
        wait_for(lambda: r.times_sent("дошло, но молчит") == 1)
        r.gateway.stop(signal.SIGKILL)
        r.gateway.start()
        got = r.result("stored", 40)
        check("killed in a send that was stored: it is found", got and got["outcome"] == "sent" and got["message_id"], got)
        check("... and there once", r.times_sent("дошло, но молчит") == 1)
        r.service.door("fault", {"plan": "send_message:stall:1"})
        r.send("send", r.chat, '{"id":"lost","text":"не дошло"}')
        wait_for(lambda: '"lost","state":"begun"' in r.gateway.state("shop/ledger.jsonl"))
        time.sleep(0.5)
        r.gateway.stop(signal.SIGKILL)
        r.gateway.start()
        began = time.time()
        got = r.result("lost", 120)
        check("killed in a send that was not stored: cannot tell", got and got["outcome"] == "cannot_tell", got)
        check("... said after a minute, and never sent", time.time() - began > 55 and r.times_sent("не дошло") == 0, time.time() - began)
        r.service.door("fault", {"plan": "send_message:stored_no_answer:1"})
        r.send("send", r.chat, '{"id":"mute","text":"без ответа"}')
        got = r.result("mute", 60)
        check("no answer to a send: it is read back", got and got["outcome"] == "sent" and r.times_sent("без ответа") == 1, got)


def slow_line():
    """Each request needs a connection of its own, and that takes its time: no message leaves by an old note."""
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(Simulator("--chats", "1", "--framing", "close"))
        broker = stack.enter_context(Broker())
        sub = stack.enter_context(Subscriber(broker, *LISTENS))
        proxy = Proxy(service.ports["tls"], mqtt=False)
        gateway = stack.enter_context(Gateway(broker, {"shop": types.SimpleNamespace(ports={"tls": proxy.port})}, more=["poll = 60"]))
        chat = service.door("store")["messages"][0]["chat_id"]
        check("... is online", gateway.is_online(sub), gateway.said)
        result = lambda command, seconds: json.loads((wait_for(lambda: sub.of(f"avito/shop/results/{command}"), seconds) or ["null"])[-1])

        def seconds_after_note(text):
            notes = [json.loads(line) for line in gateway.state("shop/ledger.jsonl").splitlines()]
            begun = [n["begun"] for n in notes if n["state"] == "begun" and n["text"] == text]
            created = [m["created"] for m in service.door("store")["messages"] if m["text"] == text]
            return (created[0] - begun[-1], len(begun)) if len(created) == 1 else (None, len(begun))

        proxy.stalls = 2
        broker.publish(f"avito/shop/send/{chat}", '{"id":"s1","text":"медленно"}')
        got, (age, notes) = result("s1", 60), seconds_after_note("медленно")
        check("a reconnect inside a send", got and got["outcome"] == "sent" and notes == 1, (got, notes, gateway.said))
        check("... is within five seconds of its note", age is not None and age <= 5, age)
        proxy.stalls = 60
        time.sleep(1)
        broker.publish(f"avito/shop/send/{chat}", '{"id":"s2","text":"стоит"}')
        time.sleep(10)
        check("a line that stands still: nothing is sent", "стоит" not in service.texts(chat))
        proxy.stalls = 0
        got, (age, notes) = result("s2", 90), seconds_after_note("стоит")
        check("... it is when it moves, once", got and got["outcome"] == "sent", (got, gateway.said))
        check("... by a fresh note", age is not None and age <= 5, (age, notes))


def service_away():
    with Rig() as r:
        r.service.door("fault", {"plan": "*:status=503:30"})
        r.send("send", r.chat, '{"id":"wait","text":"когда сервис вернётся"}')
        check("a service that fails is waited for", (r.result("wait", 90) or {}).get("outcome") == "sent", r.gateway.said)
        check("... it was said", "5xx" in r.gateway.said, r.gateway.said)


def wrong_clock():
    """A router without a battery: it is 1970 until the network gives the time."""
    clock = Clock("@1970-01-01 00:01:00")
    with Rig() as r:
        r.gateway.stop()
        r.write("пока часов нет")
        r.gateway.program = "build/avito"  # not under the sanitizers, which want to be first
        r.gateway.environment = {**clock.environment, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        r.gateway.start()
        check("a clock in 1970 is said", wait_for(lambda: "clock" in r.gateway.said.lower(), 20), r.gateway.said)
        time.sleep(3)
        check("... once, and nothing is done", r.gateway.said.lower().count("clock") == 1 and not r.texts() and
              r.gateway.process.poll() is None, r.gateway.said)
        clock.set("+0")
        check("the clock is set: what came meanwhile comes", wait_for(lambda: "пока часов нет" in r.texts(), 90), r.gateway.said)


def day_without_broker():
    """A day of the gateway's time in twenty seconds. Buyers write, and commands wait at the broker, which then ends, too."""
    faster, buyers, commands_sent = 4320, 40, 25
    clock = Clock()
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(Simulator("--chats", "2", "--rate", "310"))
        broker = stack.enter_context(Broker())
        sub = stack.enter_context(Subscriber(broker, *LISTENS, options=("-c", "-i", "watcher", "-x", "86400")))
        proxy = Proxy(broker.port)
        gateway = Gateway(broker, {"shop": service}, more=["poll = 2", "rate = 300"], port=proxy.port)
        gateway.program, gateway.environment = "build/avito", clock.environment
        began = time.time()
        stack.enter_context(gateway)
        chat = service.door("store")["messages"][0]["chat_id"]
        check("... is online", gateway.is_online(sub), gateway.said)
        send = lambda command: broker.publish(f"avito/shop/send/{chat}", json.dumps({"id": command, "text": f"команда {command}"}))
        results = lambda: [json.loads(p) for _, p in sub.under("avito/shop/results/")]
        send("before")
        check("a command before that day", wait_for(lambda: results()), gateway.said)
        time.sleep(3)
        memory, asked = kilobytes(gateway.process.pid, "VmRSS"), service.door("stats")["requests"]
        proxy.is_cut = True
        proxy.cut()
        time.sleep(0.5)  # a call that is under way would be over its time at once
        lost = time.time()
        proxy.tried = 0
        clock.set(f"{300 - (lost - began) * (faster - 1):+.0f} x{faster}")
        for i in range(commands_sent):
            send(f"c{i}")
        broker.stop()
        written = []
        while time.time() < lost + 86400 / faster:
            if len(written) < buyers:
                written.append(f"за день {len(written)}")
                service.door("message", {"chat_id": chat, "text": written[-1]})
            time.sleep(0.1)
        day = kilobytes(gateway.process.pid, "VmRSS")
        tries, lines = proxy.tried, gateway.said.splitlines()
        check("the loss is said once", len(lines) == 1, lines)
        check("it tries all day, and at most every 30 s", 86400 / 300 < tries < 86400 / 29, tries)
        check("memory does not grow", day < memory + 300, (memory, day))
        check("the service is left alone", service.door("stats")["requests"] - asked < 20, service.door("stats")["requests"] - asked)
        passed = (time.time() - lost) * (faster - 1) + 20000
        clock.set(f"{passed:+.0f} x1")
        broker.start()
        proxy.is_cut = False
        clock.set(f"{passed + 120:+.0f} x1")  # past the pause before the next try; the signal makes it look at the clock
        gateway.process.send_signal(signal.SIGHUP)
        texts = lambda: [json.loads(p)["content"]["text"] for _, p in sub.under("avito/shop/messages/")]
        check("each message comes, in order", wait_for(lambda: len([x for x in texts() if x in written]) >= buyers, 60) and
              [x for x in texts() if x in written] == written, (len(texts()), gateway.said))
        check("each command is done", wait_for(lambda: len({x["id"] for x in results()}) > commands_sent, 60) and
              all(x["outcome"] == "sent" for x in results()), (len(results()), gateway.said))
        sent = [x for x in service.texts(chat) if x.startswith("команда c")]
        check("... once, in order", sent == [f"команда c{i}" for i in range(commands_sent)], sent)
        for command in ("c0", "before"):
            count = len(results())
            send(command)
            wait_for(lambda n=count: results()[n:])
        check("an id of this day is known", results()[-2]["id"] == "c0" and results()[-2].get("repeat"), results()[-2:])
        check("... and one that is over 24 h old is forgotten, hourly", results()[-1]["id"] == "before" and not results()[-1].get("repeat"), results()[-1])
        stats = service.door("stats")
        check("the account's rate is kept", stats["limited"] == 0 and stats["max_per_minute"] <= 310, stats)
        check("... memory is what it was", kilobytes(gateway.process.pid) < memory + 1500, kilobytes(gateway.process.pid))
        print(f"# {tries} tries to connect, {memory} KB before, {day} KB after the day, {kilobytes(gateway.process.pid)} KB at most")


class Names:
    """What the gateway's getaddrinfo() says, by files in a folder: slow-NAME: it takes ten seconds; none-NAME: it fails.
    Every name is this machine."""
    SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    char path[500];
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&real, &found, sizeof real);
    snprintf(path, sizeof path, "%s/slow-%s", getenv("NAMES_FOLDER"), name);
    if (access(path, F_OK) == 0) sleep(10);
    snprintf(path, sizeof path, "%s/none-%s", getenv("NAMES_FOLDER"), name);
    if (access(path, F_OK) == 0) return EAI_AGAIN;
    return real("127.0.0.1", service, hints, out);
}
"""

    def __init__(self, folder):
        self.folder = folder
        library = f"{folder}/names.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"], input=self.SOURCE, text=True, check=True)
        self.environment = {"LD_PRELOAD": library, "NAMES_FOLDER": folder}

    def be(self, word, name, on=True):
        path = f"{self.folder}/{word}-{name}"
        if on:
            with open(path, "w", encoding="ascii"):
                pass
        else:
            os.remove(path)


def names():
    """A router that starts before its network, and a name server that takes its time."""
    with contextlib.ExitStack() as stack:
        service = stack.enter_context(Simulator("--chats", "1"))
        broker = stack.enter_context(Broker())
        sub = stack.enter_context(Subscriber(broker, *LISTENS))
        said = Names(stack.enter_context(tempfile.TemporaryDirectory()))
        said.be("none", "broker.test")
        said.be("none", "localhost")
        gateway = Gateway(broker, {"shop": service})
        gateway.program, gateway.environment, gateway.broker_host = "build/avito", said.environment, "broker.test"
        stack.enter_context(gateway)
        check("without a network it says so", wait_for(lambda: "name" in gateway.said.lower()), gateway.said)
        time.sleep(4)
        said.be("none", "broker.test", False)
        said.be("none", "localhost", False)
        came = time.time()
        check("the network comes up", gateway.is_online(sub), gateway.said)
        check("... and it is online before long", time.time() - came < 20, time.time() - came)
        print(f"# after {time.time() - came:.1f} s")
        chat = service.door("store")["messages"][0]["chat_id"]
        said.be("slow", "localhost")
        gateway.accounts["slow"] = types.SimpleNamespace(ports=service.ports)
        gateway.more = ["poll = 1"]
        gateway.configure()
        with open(f"{gateway.home}/config/avito/config", "r+", encoding="utf-8") as file:
            text = file.read().replace("[slow]", "[slow]\nhost = slow.test").split("[slow]")
            file.seek(0)
            file.write(text[0] + "[slow]" + text[1].replace("host = localhost\n", "", 1))
            file.truncate()
        said.be("slow", "slow.test")
        gateway.process.send_signal(signal.SIGHUP)
        check("an account whose name takes ten seconds", wait_for(lambda: "read again" in gateway.said), gateway.said)
        time.sleep(1)
        began = time.time()
        broker.publish(f"avito/shop/send/{chat}", '{"id":"meanwhile","text":"тем временем"}')
        check("... lets the others go on", wait_for(lambda: sub.of("avito/shop/results/meanwhile"), 20) and time.time() - began < 5, time.time() - began)


def watchdog():
    """What systemd is told."""
    with Rig() as r, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"{r.gateway.home}/notify")
        systemd.settimeout(10)
        r.gateway.stop()
        r.gateway.environment = {"NOTIFY_SOCKET": f"{r.gateway.home}/notify", "WATCHDOG_USEC": "1000000"}
        r.gateway.start()
        check("READY=1", systemd.recv(100) == b"READY=1")
        began = time.time()
        check("WATCHDOG=1, twice as often as asked", [systemd.recv(100) for _ in range(4)] == [b"WATCHDOG=1"] * 4 and time.time() - began < 3)
        r.gateway.process.send_signal(signal.SIGTERM)
        heard = b""
        while heard != b"STOPPING=1":
            heard = systemd.recv(100)
        check("STOPPING=1", heard == b"STOPPING=1" and r.gateway.process.wait(5) == 0)


def paho():
    """Another independent client: Debian's python3-paho-mqtt, which has a session of its own."""
    script = """
import json, sys, time
import paho.mqtt.client as mqtt
port, chat = int(sys.argv[1]), sys.argv[2]
seen = []
client = mqtt.Client(client_id="paho-test", protocol=mqtt.MQTTv5)
client.on_message = lambda c, u, m: seen.append((m.topic, m.payload.decode(), m.qos))
client.connect("127.0.0.1", port)
client.subscribe("avito/shop/#", qos=1)
client.loop_start()
time.sleep(0.5)
client.publish("avito/shop/send/" + chat, json.dumps({"id": "paho", "text": "от paho"}), qos=1).wait_for_publish()
client.publish("avito/shop/send/" + chat, "QoS 0", qos=0)
deadline = time.time() + 20
while time.time() < deadline and len([t for t, _, _ in seen if "/results/" in t]) < 2:
    time.sleep(0.05)
print(json.dumps(seen))
"""
    with Rig() as r:
        done = subprocess.run(["/usr/bin/python3", "-c", script, str(r.broker.port), r.chat], capture_output=True, text=True,
                              timeout=60, check=False)
        if not check("paho speaks with it", done.returncode == 0, done.stderr):
            return
        seen = json.loads(done.stdout)
        results = [(json.loads(p), q) for t, p, q in seen if "/results/" in t]
        check("two results with QoS 1", len(results) == 2 and all(q == 1 for _, q in results), results)
        check("... both sent", all(x["outcome"] == "sent" for x, _ in results), results)


def shown():
    """make gateway: it shows a message, its answer and the result, and ends by itself with nothing left behind."""
    with subprocess.Popen(["sh", "examples/gateway/run.sh"], env={**os.environ, "GATEWAY_SECONDS": "12"}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as demo:
        try:
            said, _ = demo.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(demo.pid, signal.SIGKILL)
            said, _ = demo.communicate()
        check("make gateway ends by itself", demo.returncode == 0, (demo.returncode, said[-2000:]))
    check("... it showed a message, its answer, the result, and the end",
          all(word in said for word in ("avito/shop/messages/", "avito/shop/send/u2i", '"outcome":"sent"', "main/status  offline")), said[-2000:])


SCENES = [shown, messages, commands, odd_answers, bad_input, flood, bounded, unpaid, access_rules, at_once, many, locked_tokens, broker_away, day_without_broker, in_russian, by_consent, nobody_listens, full_disk, unreadable, claimed_pictures, webhooks, reload, reload_with_commands, reload_with_errors, home_assistant,
          quiet_disk, old_broker, mute_broker, wrong_configuration, closed_error, tls_and_passwords, pubacks, full_window, killed_in_a_send, slow_line, service_away, wrong_clock, names, watchdog, paho]


def tell(scenes):
    """Plays the scenes that the command line names, or all; --names only lists them. True: a check failed."""
    chosen = sys.argv[1:]
    if chosen == ["--names"]:
        print("\n".join(scene.__name__ for scene in scenes))
        return False
    for scene in scenes:
        if not chosen or scene.__name__ in chosen:
            began = time.time()
            scene()
            print(f"# {scene.__name__}: {time.time() - began:.0f} s", flush=True)
    return failures != []


def has_broker():
    """False after saying so."""
    if Broker is Aedes and sys.argv[1:] != ["--names"] and not Aedes.is_there():
        print("# aedes 2 needs Node.js 20: not tried")
        return False
    return True


if __name__ == "__main__":
    sys.exit(tell(SCENES) if has_broker() else 0)
