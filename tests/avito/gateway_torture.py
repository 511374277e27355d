"""avito gateway with real processes that are killed and stopped at random: gateway_torture.py SECONDS SEED. The simulator's
books and an independent subscriber are the judge: each command is sent at most once and answered, and each message is
published.

The commander repeats a command with its id until its result comes, since a broker that is killed may forget what it has
acknowledged. Only the gateway repeats anything else."""
import json
import os
import random
import signal
import sys
import threading
import time

sys.path[:0] = ["tests/check", "tests/avito"]
import gateway as parts  # noqa: E402
from brokers import Broker, Subscriber  # noqa: E402
from processes import wait_for  # noqa: E402
from simulated import Simulator  # noqa: E402
from telling import check, failures  # noqa: E402

FAULTS = ["send_message:stored_no_answer:1", "send_message:status=503:2", "send_message:reset:1", "send_message:stored_stall:1",
          "*:status=500:2", "*:close_silently:1", "*:delay=1500:2"]


class World:
    def __init__(self, seed, service, broker, gateway, sub):
        self.random = random.Random(seed)
        self.service, self.broker, self.gateway, self.sub = service, broker, gateway, sub
        self.chat = service.door("store")["messages"][0]["chat_id"]
        self.lock = threading.Lock()  # while one thread changes what runs, another must not use it
        self.commands, self.messages, self.acts = {}, [], {}
        self.over = False

    def note(self, what):
        self.acts[what] = self.acts.get(what, 0) + 1

    # ---- commands ----

    def results(self):
        return {json.loads(p)["id"] for _, p in self.sub.under("avito/shop/results/")}

    def publish(self, command):
        try:
            with self.lock:
                self.broker.publish(f"avito/shop/send/{self.chat}", json.dumps({"id": command, "text": self.commands[command]}))
        except Exception:  # pylint: disable=broad-except  # the broker is away: again later
            time.sleep(0.3)

    def command(self):
        number = 0
        while not self.over:
            number += 1
            name = f"c{number}"
            self.commands[name] = f"команда {number}"
            self.publish(name)
            time.sleep(self.random.uniform(0.1, 0.6))
            for late in list(set(self.commands) - self.results())[:3]:
                if self.random.random() < 0.2:
                    self.publish(late)

    def write(self):
        number = 0
        while not self.over:
            number += 1
            text = f"сообщение {number}"
            try:
                self.service.door("message", {"chat_id": self.chat, "text": text})
                self.messages.append(text)
            except OSError:  # it is stopped
                pass
            time.sleep(self.random.uniform(0.1, 0.7))

    # ---- the tormentor ----

    def kill_gateway(self):
        self.gateway.stop(signal.SIGKILL)
        time.sleep(self.random.uniform(0, 1.5))
        self.gateway.start()

    def end_gateway(self):
        self.gateway.stop(signal.SIGTERM)
        self.gateway.start()

    def stop_gateway(self):
        self.gateway.process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.5, 6))
        self.gateway.process.send_signal(signal.SIGCONT)

    def kill_broker(self):
        with self.lock:
            self.broker.stop(kill=True)
            time.sleep(self.random.uniform(0, 1))
            self.broker.start()

    def end_broker(self):
        with self.lock:
            self.broker.stop()
            self.broker.start()

    def kill_both(self):
        with self.lock:
            self.broker.stop(kill=True)
            self.gateway.stop(signal.SIGKILL)
            self.broker.start()
        self.gateway.start()

    def stop_service(self):
        self.service.process.send_signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0.5, 5))
        self.service.process.send_signal(signal.SIGCONT)

    def plan_fault(self):
        self.service.door("fault", {"plan": self.random.choice(FAULTS)})

    def torment(self, seconds):
        acts = [self.kill_gateway, self.kill_gateway, self.end_gateway, self.stop_gateway, self.kill_broker, self.end_broker,
                self.kill_both, self.stop_service, self.plan_fault, self.plan_fault, self.plan_fault]
        end = time.time() + seconds
        while time.time() < end:
            time.sleep(self.random.uniform(0.3, 3))
            act = self.random.choice(acts)
            self.note(act.__name__)
            act()


def judge(world):
    sent = world.service.texts(world.chat)
    texts = list(world.commands.values())
    doubled = [t for t in texts if sent.count(t) > 1]
    check("no command was sent twice", not doubled, doubled)
    results = [json.loads(p) for _, p in world.sub.under("avito/shop/results/")]
    missing = sorted(set(world.commands) - {r["id"] for r in results})
    check("every command has a result", not missing, missing)
    wrong = [r for r in results if r["id"] in world.commands and
             (r["outcome"] == "sent") > (world.commands[r["id"]] in sent) or
             (r["outcome"] == "not_sent" and world.commands.get(r["id"]) in sent)]
    check("no result is wrong", not wrong, wrong[:5])
    changed = [c for c in world.commands if len({r["outcome"] for r in results if r["id"] == c}) > 1]
    check("no result was taken back", not changed, [[r for r in results if r["id"] == c] for c in changed[:3]])
    heard = [json.loads(p)["content"]["text"] for _, p in world.sub.under("avito/shop/messages/")]
    lost = [m for m in world.messages if m not in heard]
    check("every message was published", not lost, lost)
    outcomes = {}
    for result in {r["id"]: r for r in results}.values():
        outcomes[result["outcome"]] = outcomes.get(result["outcome"], 0) + 1
    print(f"# {len(texts)} commands: {outcomes}; {len(world.messages)} messages, "
          f"{sum(heard.count(m) - 1 for m in world.messages if m in heard)} repeats; {world.acts}")


def main():
    seconds, seed = int(sys.argv[1]), int(sys.argv[2])
    print(f"# {seconds} s with seed {seed}", flush=True)
    with Simulator("--chats", "1") as service, Broker() as broker, \
            Subscriber(broker, "avito/shop/messages/#", "avito/shop/results/#", "avito/shop/status",
                       options=("-c", "-i", "watcher", "-x", "86400")) as sub, \
            parts.Gateway(broker, {"shop": service}) as gateway:
        gateway.may_fail = True
        check("... is online", gateway.is_online(sub), gateway.said)
        time.sleep(1.5)
        world = World(seed, service, broker, gateway, sub)
        threads = [threading.Thread(target=t) for t in (world.command, world.write)]
        for thread in threads:
            thread.start()
        world.torment(seconds)
        world.over = True
        for thread in threads:
            thread.join()
        end = time.time() + 240  # an outcome that cannot be found out is reported after a minute
        while time.time() < end and set(world.commands) - world.results():
            for late in set(world.commands) - world.results():
                world.publish(late)
            wait_for(lambda: not set(world.commands) - world.results(), 5)
        wait_for(lambda: all(m in [json.loads(p)["content"]["text"] for _, p in sub.under("avito/shop/messages/")] for m in world.messages), 30)
        judge(world)
        if failures:
            print("# " + gateway.said.replace("\n", "\n# ")[-3000:])
            os.system(f"cp -r {gateway.home}/state build/torture_state; cp {broker.folder.name}/log build/torture_broker.txt")
    return failures != []


if __name__ == "__main__":
    sys.exit(main())
