"""Several gateways share accounts (avito gateway with [fleet]): mosquitto with the settings of a fleet, the simulator,
and gateways that are killed, stopped and ended. All times are a fifth of the real ones, unless FLEET_PERCENT=100.
Prints "ok - what" / "not ok - what". Words on the command line choose scenes."""
import hmac
import json
import os
import shutil
import signal
import string
import sys
import time
import urllib.request

sys.path[:0] = ["tests/check", "tests/avito"]
import gateway as parts  # noqa: E402
from brokers import Subscriber  # noqa: E402
from mqtt_client import Client  # noqa: E402
from processes import free_port, wait_for  # noqa: E402
from simulated import CERTS, Simulator  # noqa: E402
from telling import check  # noqa: E402

Broker = parts.Broker
PERCENT = int(os.environ.get("FLEET_PERCENT", "20"))  # percent of all times of the fleet
SECRET = "a secret of the tests"
LISTENS = ("avito/+/messages/#", "avito/+/results/#", "avito/+/state", "avito/+/status", "avito/fleet/+/nodes/#")
# What a fleet needs of mosquitto; the Broker adds persistence.
SETTINGS = ("allow_anonymous true", "max_inflight_messages 20", "queue_qos0_messages false", "per_listener_settings false")


class Node(parts.Gateway):
    """A gateway of the fleet, with a home and a name of its own. `port`: of a proxy before the broker."""

    def __init__(self, broker, accounts, node, fleet=(), **more):
        super().__init__(broker, accounts, **more)
        self.node, self.fleet = node, list(fleet)
        self.may_fail = False
        self.environment = {"AVITO_TEST_FLEET_PERCENT": str(PERCENT)}

    def configure(self):
        super().configure()
        with open(f"{self.home}/config/avito/config", "a", encoding="utf-8") as file:
            file.write("\n".join(["[fleet]", *(self.fleet or ["name = shops", f"node = {self.node}", f"secret = {SECRET}"]), ""]))

    def start(self):
        self.said = ""
        return super().start()

    def served(self):
        """Names of the accounts that it serves, as it says."""
        names = set()
        for line in list(self.said.splitlines()):
            name = line.split(": ")[1] if line.count(": ") >= 2 else ""
            if "is served here, epoch" in line:
                names.add(name)
            elif "is not served here any more" in line:
                names.discard(name)
        return names


class Fleet(parts.contextlib.ExitStack):
    """Broker, simulator and a number of gateways."""

    def __init__(self, count=2, accounts=("shop",), simulator=(), broker=(), **node):
        super().__init__()
        self.service = self.enter_context(Simulator("--chats", "2", *simulator))
        self.broker = self.enter_context(Broker(*SETTINGS, *broker))
        self.sub = self.enter_context(Subscriber(self.broker, *LISTENS, options=("-c", "-i", "watcher", "-x", "86400")))
        served = {name: self.service for name in accounts}
        self.nodes = [self.enter_context(Node(self.broker, served, f"n{i}", **{k: v(i) if callable(v) else v for k, v in node.items()}))
                      for i in range(count)]
        self.chat = self.service.door("store")["messages"][0]["chat_id"]
        self.accounts = accounts
        check("... each account is online", wait_for(self.all_online, 40), [n.said for n in self.nodes])
        wait_for(lambda: all(self.works(a) for a in accounts), 20)
        time.sleep(4)  # the first rounds: messages that exist already are not given

    def status(self, account="shop"):
        return (self.sub.of(f"avito/{account}/status") or [""])[-1]

    def works(self, account="shop"):
        return any(json.loads(s)["working"] for s in self.sub.of(f"avito/{account}/state")[-1:])

    def all_online(self):
        return all(self.status(a) == "online" for a in self.accounts)

    def holder(self, account="shop"):
        holders = [n for n in self.nodes if n.process.poll() is None and account in n.served()]
        return holders[0] if len(holders) == 1 else None

    def other(self, node, account="shop"):
        """The node that holds it now, if that is another one."""
        found = [n for n in self.nodes if n is not node and n.process.poll() is None and account in n.served()]
        return found[0] if found else None

    def send(self, command, text, account="shop"):
        self.broker.publish(f"avito/{account}/send/{self.chat}", json.dumps({"id": command, "text": text}))

    def result(self, command, seconds=30, account="shop"):
        got = wait_for(lambda: self.sub.of(f"avito/{account}/results/{command}"), seconds)
        return json.loads(got[-1]) if got else {}

    def times_sent(self, text):
        return self.service.texts(self.chat).count(text)

    def write(self, text):
        self.service.door("message", {"chat_id": self.chat, "text": text})

    def heard(self):
        return [json.loads(p)["content"]["text"] for _, p in self.sub.under("avito/shop/messages/")]

    def sends_one(self, what):
        """A command is done once, and a message comes. Returns the seconds that this took."""
        began = time.time()
        self.send(f"id-{what}", f"команда {what}")
        check(f"{what}: a command is done", self.result(f"id-{what}").get("outcome") == "sent", [n.said for n in self.nodes])
        took = time.time() - began
        check(f"{what}: ... once", self.times_sent(f"команда {what}") == 1, self.times_sent(f"команда {what}"))
        self.write(f"письмо {what}")
        check(f"{what}: a message comes", wait_for(lambda: f"письмо {what}" in self.heard(), 30), self.heard())
        return took


# ---- scenes ----

def killed():
    with Fleet() as f:
        f.sends_one("before")
        first = f.holder()
        check("one of two holds the account", first is not None, [n.served() for n in f.nodes])
        f.write("пока никого")
        first.stop(signal.SIGKILL)
        first.may_fail = True
        began = time.time()
        f.send("meanwhile", "в пустоту")
        check("kill -9: another takes over", wait_for(lambda: f.other(first), 40), [n.said for n in f.nodes])
        check("a command that came meanwhile is done", f.result("meanwhile").get("outcome") == "sent")
        print(f"# ... {time.time() - began:.1f} s after the kill, at {PERCENT} % of the times", flush=True)
        check("a message that came meanwhile comes", wait_for(lambda: "пока никого" in f.heard(), 30), f.heard())
        f.sends_one("after")
        first.start()
        time.sleep(3)
        check("who comes back stands by", f.holder() is not None and f.holder() is not first, [n.served() for n in f.nodes])
        print(f"# {len(f.heard()) - len(set(f.heard()))} repeats", flush=True)  # the state was on its way at the kill


def over_tls():
    """The gateways come over TLS, everybody else as always; one is killed."""
    port, certs = free_port(), os.path.abspath(CERTS)
    listener = [f"listener {port} 127.0.0.1", f"cafile {certs}/roots.pem", f"certfile {certs}/ec.crt", f"keyfile {certs}/ec.key"]
    with Fleet(broker=listener, port=port, mqtt=["tls = yes", f"ca_file = {certs}/roots.pem"]) as f:
        f.sends_one("before")
        first = f.holder()
        first.stop(signal.SIGKILL)
        first.may_fail = True
        check("kill -9 over TLS: another takes over", wait_for(lambda: f.other(first), 40), [n.said for n in f.nodes])
        f.sends_one("after")


def handed_over():
    with Fleet() as f:
        first = f.holder()
        began = time.time()
        check("SIGTERM ends it with 0", first.stop() == 0, first.said)
        check("... within a second", time.time() - began < 1.2, time.time() - began)
        check("... after handing over", "handover" in f.sub.of("avito/shop/status"), f.sub.of("avito/shop/status"))
        check("the other takes it up", wait_for(lambda: f.other(first), 20), [n.said for n in f.nodes])
        took = f.sends_one("handed-over")
        print(f"# ... the next command took {took:.1f} s", flush=True)
        nodes = dict(f.sub.lines and [(t, p) for t, p, _ in f.sub.lines if "/nodes/" in t])
        check("who went has no beat any more", nodes.get(f"avito/fleet/shops/nodes/{first.node}") == "", nodes)


def stopped():
    with Fleet() as f:
        first = f.holder()
        first.process.send_signal(signal.SIGSTOP)
        began = time.time()
        f.send("stopped", "пока он стоит")
        check("SIGSTOP: another takes over", wait_for(lambda: f.other(first), 40), [n.said for n in f.nodes])
        check("... and does what waits", f.result("stopped").get("outcome") == "sent")
        print(f"# ... {time.time() - began:.1f} s after the stop, at {PERCENT} % of the times", flush=True)
        first.process.send_signal(signal.SIGCONT)
        check("who wakes stands by", wait_for(lambda: "shop" not in first.served(), 20), first.said)
        time.sleep(3)
        check("... and stays so", f.holder() is not None and f.holder() is not first, [n.served() for n in f.nodes])
        f.sends_one("after")
        check("the send was not doubled", f.times_sent("пока он стоит") == 1)


def broker_restarts():
    with Fleet() as f:
        first = f.holder()
        for how, kill in (("ended", False), ("killed", True)):
            f.broker.stop(kill=kill)
            time.sleep(1)
            f.broker.start()
            check(f"broker {how}: somebody serves it again", wait_for(lambda: f.holder() is not None and f.status() == "online", 40),
                  [n.said for n in f.nodes])
            f.sends_one(how)
        check("its holder kept it", f.holder() is first, [n.said for n in f.nodes])
        f.broker.stop(kill=True)
        first.stop(signal.SIGKILL)
        first.may_fail = True
        f.broker.start()
        check("broker and holder killed together: another takes over", wait_for(lambda: f.other(first), 60), [n.said for n in f.nodes])
        f.sends_one("both")
        first.start()


def begun():
    """The service stores a send without answering, and the holder is killed: the send is read back, never
    repeated."""
    with Fleet() as f:
        f.service.door("fault", {"plan": "send_message:stored_stall:1"})
        first = f.holder()
        f.send("stored", "сохранено без ответа")
        check("it is stored", wait_for(lambda: f.times_sent("сохранено без ответа") == 1, 20))
        first.stop(signal.SIGKILL)
        first.may_fail = True
        got = f.result("stored", 60)
        check("it was found in the chat", got.get("outcome") == "sent", got)
        f.service.door("fault", {"plan": "send_message:stall:1"})
        second = f.other(first)
        first.start()
        f.send("lost", "не дошло")
        time.sleep(1.5)
        second.stop(signal.SIGKILL)
        second.may_fail = True
        got = f.result("lost", 120)
        check("what is not found cannot be told", got.get("outcome") == "cannot_tell", (got, [n.said for n in f.nodes]))
        check("... and is not sent again", f.times_sent("не дошло") == 0 and f.times_sent("сохранено без ответа") == 1)
        second.start()


def shared():
    """Twelve accounts, three gateways: they share them, and a new gateway gets some."""
    names = [f"shop{i}" for i in range(12)]
    with Fleet(3, names) as f:
        counts = sorted(len(n.served()) for n in f.nodes)
        check("each account has one holder", sum(counts) == len(names) and all(f.holder(a) for a in names), counts)
        print(f"# at the start: {counts}", flush=True)
        f.nodes[0].stop()
        check("who goes hands all over", wait_for(lambda: sum(len(n.served()) for n in f.nodes[1:]) == len(names), 30),
              [len(n.served()) for n in f.nodes])
        f.nodes[0].start()
        wait_for(lambda: max(len(n.served()) for n in f.nodes) - min(len(n.served()) for n in f.nodes) <= 1, 150)
        counts = sorted(len(n.served()) for n in f.nodes)
        check("who comes is given some, until loads differ by one", counts[-1] - counts[0] <= 1, counts)
        check("... and each account has one holder", wait_for(lambda: all(f.holder(a) for a in names), 20))


def secret_path():
    """The path of notifications, derived from the secret by independent code."""
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    bits = "".join(f"{byte:08b}" for byte in hmac.new(SECRET.encode(), b"path\0", "sha256").digest())
    return "/" + "".join(letters[int(bits[6 * i:6 * i + 6], 2)] for i in range(32))


def bells():
    """A notification comes to a gateway that does not serve the account: it alerts the one that does."""
    ports = [free_port(), free_port()]
    with Fleet(2, more=["poll = 20"], gateway=lambda i: [f"listen = 127.0.0.1:{ports[i]}", "webhook_url = http://127.0.0.1:1/"]) as f:
        first = f.holder()
        user = json.loads(f.sub.of("avito/shop/state")[-1])["user_id"]
        standby = ports[1 - f.nodes.index(first)]
        time.sleep(25)  # at the very first start it takes a poll until the broker has the state
        for number in (1, 2):  # after the first notification it polls every five minutes
            f.write(f"через чужой звонок {number}")
            body = {"id": "n1", "version": "v3.0.0", "timestamp": int(time.time()), "payload": {"type": "message", "value": {
                "id": "m1", "chat_id": f.chat, "user_id": user, "author_id": 1, "created": int(time.time()), "type": "text",
                "chat_type": "u2i", "content": {"text": "x"}}}}
            url = f"http://127.0.0.1:{standby}{secret_path()}"
            began = time.time()
            with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}),
                                        timeout=10) as answer:
                check("who does not serve it answers 200", answer.status == 200, answer.status)
            check("... and the other one polls at once", wait_for(lambda n=number: f"через чужой звонок {n}" in f.heard(), 20),
                  [n.said for n in f.nodes])
            print(f"# after {time.time() - began:.1f} s", flush=True)


def unreadable():
    """A file that is there and cannot be read is not taken for one that is missing: it says what must not be sent again."""
    with Broker(*SETTINGS) as broker, Simulator("--chats", "1") as service:
        node = Node(broker, {"shop": service}, "a")
        node.may_fail = True
        with node:
            for name in ("ledger.jsonl", "epoch"):
                node.stop()
                path = f"{node.home}/state/avito/shop/{name}"
                shutil.rmtree(os.path.dirname(path), ignore_errors=True)
                os.makedirs(path)
                node.start()
                status = node.process.wait(timeout=20)
                node.reader.join(5)
                check(f"{name} that cannot be read ends the start", status == 1 and f"shop/{name}: Is a directory" in node.said,
                      (status, node.said))


def full_ledgers():
    """The largest ledger goes by a hint to a holder that knows nothing, and is read even when pictures that wait take all the
    memory: its session goes on, so a command without an id is not done again."""
    lines = [{"id": f"{i:03}-" + "x" * 60, "state": "cannot_tell", "act": "send", "target": "chat", "begun": int(time.time()) - 600 + i,
              "hash": "0123456789abcdef", "reason": "не найдено, " * 20} for i in range(256)]
    lines[255].update(id="done-before", state="sent", message_id="m1", reason="")
    ledgers = []
    with Broker(*SETTINGS) as broker, Simulator("--chats", "1") as service, Subscriber(broker, *LISTENS) as sub:
        watcher = Client(broker.port, "watcher", ["avito/shop/fleet/ledger"], lambda _, payload, __, pairs: ledgers.append((payload, pairs)))
        watcher.start()
        chat = service.door("store")["messages"][0]["chat_id"]
        with Node(broker, {"shop": service}, "a", gateway=["picture_max = 1"]) as first, Node(broker, {"shop": service}, "b") as second:
            first.may_fail = second.may_fail = True
            second.stop()
            check("the first serves it", wait_for(lambda: "shop" in first.served(), 40), first.said)
            path = f"{second.home}/state/avito/shop"
            os.makedirs(path, exist_ok=True)
            with open(f"{path}/ledger.jsonl", "w", encoding="utf-8") as file:
                file.write("".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines))
            second.start()
            check("a hint brings the ledger of another", wait_for(lambda: ledgers and "done-before" in ledgers[-1][0], 20),
                  (first.said, second.said))
            broker.publish(f"avito/shop/send/{chat}", json.dumps({"id": "done-before", "text": "уже сделано"}))
            got = wait_for(lambda: sub.of("avito/shop/results/done-before"), 20)
            check("what another did is not done again", got and json.loads(got[-1]).get("repeat") and
                  "уже сделано" not in service.texts(chat), got)
            session = ledgers[-1][1].get("session")
            second.stop(signal.SIGKILL)
            first.stop(signal.SIGKILL)
            for _ in range(3):
                broker.publish(f"avito/shop/image/{chat}", b"\xff\xd8\xff" + bytes(1000000))
            count = len(ledgers)
            first.start()
            check("pictures wait: it is served again", wait_for(lambda: len(ledgers) > count, 40), first.said)
            check("... and the ledger was read", ledgers[-1][1].get("session") == session and "done-before" in ledgers[-1][0],
                  (session, ledgers[-1][1]))
        watcher.over = True


def refused():
    with Broker(*SETTINGS) as broker, Simulator("--chats", "1") as service:
        for fleet, more, said in ((["name = shops"], [], "at least 16 bytes"), (["secret = tooshort"], [], "at least 16 bytes"),
                                  (["node = a b", f"secret = {SECRET}"], [], "letters, digits"),
                                  ([f"secret = {SECRET}", "node = a"], ["poll = 1", "consent = yes"], "refresh token")):
            node = Node(broker, {"shop": service}, "a", fleet=fleet, more=more)
            node.may_fail = True
            with node:
                status = node.process.wait(timeout=20)
                node.reader.join(5)
                check(f"refused: {said}", status == 2 and said in node.said, (status, node.said))


SCENES = [killed, over_tls, handed_over, stopped, broker_restarts, begun, bells, shared, full_ledgers, refused, unreadable]


if __name__ == "__main__":
    sys.exit(parts.tell(SCENES) if parts.has_broker() else 0)
