"""The demo's mode for the real service, tried on the simulator: it only reads unless it may write, and it
deletes what it wrote."""
import re
import subprocess

from simulated import Simulator

WRITES = ("send_message", "upload_image", "send_image_message", "delete_message",
          "mark_chat_as_read", "add_to_blacklist", "subscribe_webhook", "unsubscribe_webhook")


def check(good, what, details=""):
    print(("ok - " if good else "not ok - ") + what)
    if not good:
        print("\n".join("#   " + line for line in str(details).splitlines()))


def run(service, *options):
    done = subprocess.run(["build/demo/demo", *options], stdout=subprocess.PIPE, check=False,
                          stderr=subprocess.STDOUT, text=True, env=service.environment(), timeout=60)
    served = {name: counts["served"] for name, counts in service.door("stats")["operations"].items()}
    return done.returncode, done.stdout, served


with Simulator("--chats", "30") as service:
    code, out, served = run(service, "--real")
    check(code == 0 and "0 not as expected" in out, "--real goes through", out)
    check(all(served[name] == 0 for name in WRITES) and served["get_messages"] > 0,
          "--real only reads", served)
    check(not re.search("NOT AS EXPECTED|client-secret", out), "--real says no secret", out)
    chat = service.door("chats")["chats"][0]["id"]
    code, out, served = run(service, "--real", "--write", chat)
    check(code == 0, "--real --write goes through", out)
    messages = [m for m in service.door("store")["messages"] if m["author"] == "api"]
    check(len(messages) == 2 and all(m["deleted"] and m["chat_id"] == chat for m in messages),
          "--real --write deletes what it wrote", messages)
    code, out, served = run(service)
    check(code == 2, "without --real and without `make demo` it does nothing", out)
