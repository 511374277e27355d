"""make fleet: three gateways, 20 accounts, a proxy before each gateway, mosquitto, a slow and late service, a consumer that is
away at times, and a tormentor: fleet_torment.py SECONDS SEED. All times of the fleet are a fifth.

The judge reads the service's books (what it stored, and when), and what two independent clients heard: the consumer of
messages, which is away at times, and a watcher of results, status and ledgers. Commands are repeated only until the
broker has acknowledged them: each of those must have a result. The seed fixes the acts, not their interleaving.

What was lost, doubled or answered wrongly is told afterwards in build/fleet_torment/stories: each packet of its account that
the broker had or gave meanwhile, what the tormentor did, and what the gateways said."""
import asyncio
import json
import os
import random
import shutil
import signal
import statistics
import sys
import threading
import time

sys.path[:0] = ["tests/check", "tests/avito"]
import fleet as scenes  # noqa: E402
import fleet_story  # noqa: E402
from brokers import Broker  # noqa: E402
from mqtt_client import Client  # noqa: E402
from processes import wait_for  # noqa: E402
from simulated import Simulator  # noqa: E402
from telling import check, failures  # noqa: E402

ACCOUNTS = int(os.environ.get("FLEET_ACCOUNTS", "20"))
NODES = 3
COMMANDS_EVERY = float(os.environ.get("FLEET_COMMANDS_EVERY", "0.25"))  # seconds between two commands, of all accounts together
SETTLE = 150  # seconds at the end
KEPT = os.environ.get("FLEET_KEPT", "build/fleet_torment")  # of a run that failed: the stories, the broker's log, the gateways' files
# How often the broker saves: "changes" is what a fleet needs; "second" and "default" show what saving less
# costs.
SAVES = os.environ.get("FLEET_BROKER_SAVES", "changes")
FAULTS = ["send_message:stored_no_answer:1", "send_message:status=503:2", "send_message:reset:1", "send_message:stored_stall:1",
          "*:status=500:2", "*:close_silently:1", "*:delay=1500:3", "send_message:delay=4000:1", "send_message:stored_no_answer,delay=3000:1"]


class Node(scenes.Node):
    """One whose words have a time."""

    def __init__(self, *words, **more):
        super().__init__(*words, **more)
        self.told = []

    def read(self, process):
        for line in process.stderr:
            self.said += line
            self.told.append((time.time(), f"{self.node} says {line.rstrip()}"))


class Proxy:
    """Between a gateway and the broker. Cut: ends all its connections at once. Hole: nothing passes until
    it ends, and then it comes late."""

    def __init__(self, loop, broker):
        self.loop, self.broker, self.pairs, self.open = loop, broker, set(), asyncio.Event()
        self.port = asyncio.run_coroutine_threadsafe(self.listen(), loop).result()

    async def listen(self):
        self.open.set()
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def pump(self, source, sink):
        while True:
            data = await source.read(65536)
            if not data:
                return
            await self.open.wait()
            sink.write(data)
            await sink.drain()

    async def serve(self, reader, writer):
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.broker.port)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, up_writer)
        self.pairs.add(pair)
        tasks = [asyncio.ensure_future(self.pump(reader, up_writer)), asyncio.ensure_future(self.pump(up_reader, writer))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.pairs.discard(pair)
            for end in pair:
                end.close()

    def cut(self):
        def close():
            for pair in list(self.pairs):
                for end in pair:
                    end.transport.abort()
        self.loop.call_soon_threadsafe(close)

    def hole(self, there):
        self.loop.call_soon_threadsafe(self.open.clear if there else self.open.set)


class World:
    def __init__(self, seed, services, broker, nodes, proxies):
        self.random = random.Random(seed)
        self.services, self.broker, self.nodes, self.proxies = services, broker, nodes, proxies
        self.chats = {name: s.door("store")["messages"][0]["chat_id"] for name, s in services.items()}
        self.over = False
        self.commands, self.acknowledged, self.written = {}, {}, []
        self.asked = {}  # command: (when, the packet's number, the broker's answer) of each try
        self.done = []  # (when, what the tormentor did)
        self.heard, self.results, self.acts, self.times = {}, {}, {}, {}
        self.status, self.online, self.begun, self.keys = {}, {}, {}, set()
        self.waiting, self.idle = {}, {}  # account: what happened and when, until it is served again; and until its holder has acted
        self.acted = {}
        self.consumer = Client(broker.port, "consumer", ["avito/+/messages/#"], self.hear)
        watched = [f"avito/+/{what}" for what in ("results/#", "status", "fleet/ledger")]
        self.watcher = Client(broker.port, "watcher", watched, self.see)
        self.commander = Client(broker.port, "commander", [], lambda *_: None)
        for client in (self.consumer, self.watcher, self.commander):
            client.start()

    # ---- what is heard ----

    def hear(self, _topic, payload, _retained, _pairs):
        content = json.loads(payload)["content"]["text"]
        self.heard[content] = self.heard.get(content, 0) + 1

    def see(self, topic, payload, retained, pairs):
        _, account, what = topic.split("/", 2)
        if what == "status":
            self.status[account] = (payload, pairs)
            if payload == "online" and pairs.get("key") not in self.keys:
                self.keys.add(pairs.get("key"))
                self.online.setdefault(account, []).append((time.time(), int(pairs.get("epoch", 0)), pairs.get("node")))
                self.served_again(account)
        elif what == "fleet/ledger" and not retained:
            for line in payload.splitlines()[1:]:
                if '"state":"begun"' in line:
                    self.begun.setdefault(json.loads(line)["id"], int(pairs.get("epoch", 0)))
        elif what.startswith("results/"):
            result = json.loads(payload)
            self.results.setdefault(result["id"], []).append(result)

    def served_again(self, account):
        """A holder asks the service at once after it has said that it is online."""
        happened = self.waiting.pop(account, None)
        if happened:
            self.times.setdefault(happened[0], []).append(time.time() - happened[1])
            self.idle[account] = (*happened, self.requests(account))

    # ---- when holders act ----

    def requests(self, account):
        try:
            return self.services[account].door("stats")["requests"]
        except OSError:
            return 1 << 30  # it is asked again later: no act is seen

    def watch_acts(self):
        while not self.over:
            for account, (what, began, before) in list(self.idle.items()):
                if before < self.requests(account) < 1 << 30:
                    self.acted.setdefault(what, []).append(time.time() - began)
                    self.idle.pop(account)
            time.sleep(0.05)

    # ---- commands ----

    def ask(self):
        numbers = {name: 0 for name in self.services}
        while not self.over:
            account = self.random.choice(list(self.services))
            numbers[account] += 1
            command = f"{account}-{numbers[account]}"
            self.commands[command] = f"команда {command}."
            self.give(account, command)
            time.sleep(COMMANDS_EVERY * self.random.uniform(0.4, 1.6))

    def give(self, account, command):
        payload = json.dumps({"id": command, "text": self.commands[command]}, ensure_ascii=False)
        tries = self.asked.setdefault(command, [])
        for _ in range(200):
            began = time.time()
            answer = self.commander.publish(f"avito/{account}/send/{self.chats[account]}", payload)
            tries.append((began, self.commander.last_id, answer))
            if answer == 0:
                self.acknowledged[command] = time.time()
                return
            time.sleep(0.1)

    def write(self):
        number = 0
        while not self.over:
            account = self.random.choice(list(self.services))
            number += 1
            content = f"письмо {number} для {account}."
            try:
                self.services[account].door("message", {"chat_id": self.chats[account], "text": content})
                self.written.append(content)
            except OSError:
                pass
            time.sleep(2 * COMMANDS_EVERY * self.random.uniform(0.4, 1.6))

    # ---- the tormentor ----

    def note(self, what):
        self.done.append((time.time(), "the tormentor: " + what))

    def expect(self, what, node):
        """How long does it take until its accounts are served again?"""
        self.note(f"{what} of {node.node}" if node else what)
        for account, (word, pairs) in list(self.status.items()):
            if word == "online" and (node is None or pairs.get("node") == node.node) and account not in self.waiting:
                self.waiting[account] = (what, time.time())

    def pause(self, least, most):
        time.sleep(self.random.uniform(least, most))

    def draw(self):
        number = self.random.randrange(NODES)
        return self.nodes[number], self.proxies[number]

    def kill(self):
        node, _ = self.draw()
        self.expect("kill -9", node)
        node.stop(signal.SIGKILL)
        self.pause(0, 3)
        node.start()

    def end(self):
        node, _ = self.draw()
        self.expect("SIGTERM", node)
        node.stop()
        self.pause(0, 3)
        node.start()

    def freeze(self):
        node, _ = self.draw()
        seconds = self.random.uniform(0.5, 12)
        if seconds > 6:
            self.expect("SIGSTOP", node)
        node.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        node.process.send_signal(signal.SIGCONT)

    def cut(self):
        node, proxy = self.draw()
        self.expect("line cut", node)
        proxy.cut()

    def hole(self):
        node, proxy = self.draw()
        seconds = self.random.uniform(1, 12)
        if seconds > 8:
            self.expect("silent line", node)
        proxy.hole(True)
        time.sleep(seconds)
        proxy.hole(False)

    def kill_broker(self):
        self.expect("broker kill -9", None)
        self.broker.stop(kill=True)
        self.pause(0, 1)
        self.broker.start()

    def end_broker(self):
        self.expect("broker SIGTERM", None)
        self.broker.stop()
        self.broker.start()

    def freeze_broker(self):
        self.broker.process.send_signal(signal.SIGSTOP)
        self.pause(0.5, 4)
        self.broker.process.send_signal(signal.SIGCONT)

    def kill_both(self):
        node, _ = self.draw()
        self.expect("broker and holder", node)
        self.broker.stop(kill=True)
        node.stop(signal.SIGKILL)
        self.broker.start()
        self.pause(0, 3)
        node.start()

    def leave(self):
        self.consumer.away = True
        self.pause(1, 8)
        self.consumer.away = False

    def fault(self):
        self.random.choice(list(self.services.values())).door("fault", {"plan": self.random.choice(FAULTS)})

    def torment(self, seconds):
        acts = [self.kill, self.kill, self.end, self.freeze, self.freeze, self.cut, self.hole, self.kill_broker, self.end_broker,
                self.freeze_broker, self.kill_both, self.leave, self.fault, self.fault, self.fault, self.fault]
        end = time.time() + seconds
        while time.time() < end:
            self.pause(1, 4)
            act = self.random.choice(acts)
            self.acts[act.__name__] = self.acts.get(act.__name__, 0) + 1
            self.note(act.__name__ + " begins")
            act()
            self.note(act.__name__ + " is over")

    # ---- the books ----

    def stored(self):
        """For each text of ours, the times at which the service stored it."""
        times = {}
        for service in self.services.values():
            for message in service.door("store")["messages"]:
                times.setdefault(message["text"], []).append(message.get("created", 0))
        return times

    def open_commands(self):
        return self.acknowledged.keys() - self.results.keys()

    def is_forgotten(self, command):
        """Forgotten by a broker that was killed before it had saved what it had acknowledged: for mosquitto
        a message that is in flight to a session is no change."""
        began, packet, _ = self.asked[command][-1]
        return fleet_story.is_forgotten(self.broker.log.name, command.rsplit("-", 1)[0], packet, began)

    def lost(self):
        return [w for w in self.written if w not in self.heard]


def acts_of_lower_epoch(world, stored):
    """Sends that the service stored when another holder, of a higher epoch, had been online for over a second."""
    late = []
    for command, epoch in world.begun.items():
        account = command.rsplit("-", 1)[0]
        for when in stored.get(world.commands.get(command, ""), []):
            if any(e > epoch and t + 1 < when for t, e, _ in world.online.get(account, [])):
                late.append(command)
    return late


def judge(world):
    stored = world.stored()
    doubled = [c for c, words in world.commands.items() if len(stored.get(words, [])) > 1]
    check("no send was doubled", not doubled, doubled)
    missing = sorted(world.open_commands())
    unknown = [c for c in missing if not world.is_forgotten(c)]
    check("each command that the broker acknowledged, and did not forget, has a result", not unknown, unknown)
    last = {c: r[-1]["outcome"] for c, r in world.results.items()}
    wrong = [(c, o) for c, o in last.items() if c in world.commands and
             ((o == "sent") > (world.commands[c] in stored) or (o == "not_sent" and world.commands[c] in stored))]
    check("no result is wrong", not wrong, wrong[:5])
    changed = [c for c, r in world.results.items() if len({x["outcome"] for x in r}) > 1]
    check("no result was taken back", not changed, [[x["outcome"] for x in world.results[c]] for c in changed[:5]])
    lost = world.lost()
    check("no message was lost", not lost, lost)
    late = acts_of_lower_epoch(world, stored)
    check("no act of a lower epoch", not late, late[:5])
    for command in sorted({*doubled, *missing, *changed, *late, *(c for c, _ in wrong)}):
        fleet_story.tell(world, command, scenes.SECRET, f"{KEPT}/stories")
    outcomes = {}
    for outcome in last.values():
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    repeats = sum(n - 1 for n in world.heard.values())
    claims = sum(len(rows) for rows in world.online.values())
    print(f"# {len(world.written)} messages: {len(lost)} lost, {repeats} repeats (prototype: 0 of 4166 in 660 s, 37 repeats)")
    print(f"# {len(world.commands)} commands, {len(world.acknowledged)} acknowledged: {len(doubled)} doubled (0 of 2175), "
          f"{len(missing)} without a result (11), {len(missing) - len(unknown)} of them forgotten by the broker, which was killed before "
          f"it had saved them, {len(wrong)} wrong results; {outcomes}")
    print(f"# {claims} claims, {len(late)} acts of a lower epoch; {world.acts}")
    theirs = {"kill -9": "1.5, 2.5", "SIGTERM": "1.8", "SIGSTOP": "4.7, 5.1", "silent line": "4.3, 6.5", "line cut": "0.6",
              "broker and holder": "10, 20"}
    for what, seconds in sorted(world.times.items()):
        acted = world.acted.get(what, [0])
        print(f"# served again after {what}: median {statistics.median(seconds):.1f} s, worst {max(seconds):.1f} s, of {len(seconds)}; "
              f"next act {statistics.median(acted):.1f} s, {max(acted):.1f} s" + (f" (prototype: {theirs[what]})" if what in theirs else ""))


def run(seconds, seed, stack):
    shutil.rmtree(KEPT, ignore_errors=True)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    services = {f"shop{i}": stack.enter_context(Simulator("--chats", "1")) for i in range(ACCOUNTS)}
    rng = random.Random(seed)
    for service in services.values():  # late: what is sent shows up this many seconds later
        service.door("option", {"visible_after_ms": rng.choice([0, 0, 500, 3000, 8000])})
    more = ("autosave_interval 1",) if SAVES == "second" else ()
    broker = stack.enter_context(Broker(*scenes.SETTINGS, "log_type all", *more, saves=SAVES == "changes"))
    proxies = [Proxy(loop, broker) for _ in range(NODES)]
    nodes = [stack.enter_context(Node(broker, services, f"n{i}", port=proxies[i].port)) for i in range(NODES)]
    for node in nodes:
        node.may_fail = True
    world = World(seed, services, broker, nodes, proxies)
    online = wait_for(lambda: sum(word == "online" for word, _ in world.status.values()) == ACCOUNTS, 90)
    check("all accounts are online", online, (world.status, [n.said[-2000:] for n in nodes]))
    time.sleep(5)  # the first rounds
    threads = [threading.Thread(target=t, daemon=True) for t in (world.ask, world.write, world.watch_acts)]
    for thread in threads:
        thread.start()
    began = time.time()
    world.torment(seconds)
    world.over = True
    for thread in threads:
        thread.join(60)
    print(f"# {time.time() - began:.0f} s of torment; now all is calm", flush=True)
    for service in services.values():
        service.door("fault", {"clear": True})
    wait_for(lambda: not world.open_commands() and not world.lost(), SETTLE, 1)
    judge(world)
    late = sum("does not answer in time" in line for node in nodes for _, line in node.told)
    print(f"# {late} claims took too long: a broker or machine that is busy makes all times longer")
    check(f"{len(world.commands)} commands and {len(world.written)} messages in {seconds} s: nothing lost, doubled or wrong",
          not failures, "see above")
    if failures:
        for node in nodes:
            print(f"# {node.node}: " + node.said.replace("\n", "\n#   ")[-1500:])
            shutil.copytree(f"{node.home}/state", f"{KEPT}/{node.node}")
        shutil.copy(f"{broker.folder.name}/log", KEPT)


def main():
    seconds, seed = int(sys.argv[1]), int(sys.argv[2])
    print(f"# {seconds} s with seed {seed}: {NODES} gateways, {ACCOUNTS} accounts, the broker saves by {SAVES}", flush=True)
    with scenes.parts.contextlib.ExitStack() as stack:
        run(seconds, seed, stack)
    return failures != []


if __name__ == "__main__":
    sys.exit(main())
