"""Tells afterwards what became of one command in the torment of a fleet: each packet of its account that the
broker got or gave, what the tormentor did, and what the gateways and their ledgers say. For fleet_torment.py."""
import base64
import hmac
import os
import re

AROUND_S = (5, 90)  # seconds shown before the command was first asked for, and after the broker's last answer
SAVED = "Saving in-memory database"
BEGINS = ("Warning: Mosquitto should not be run as root", "mosquitto version")  # a new broker's first words


def client_id(secret, account):
    """The client id of the account's connection, derived by independent code."""
    digest = hmac.new(secret.encode(), b"client id\0" + account.encode(), "sha256").digest()
    return "avito-" + base64.urlsafe_b64encode(digest).decode()[:22]


def is_forgotten(path, account, packet, since):
    """Was the broker killed before it had saved what it took from the commander? A save has ended once another
    line follows its own."""
    taken, saving = f"Received PUBLISH from commander (d0, q1, r0, m{packet}, 'avito/{account}/", None
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            when, _, what = line.partition(": ")
            if saving is None:
                saving = False if what.startswith(taken) and when.isdigit() and int(when) >= int(since) else None
            elif what.startswith(BEGINS):
                return "terminating" not in what  # then it saves, and says nothing more
            elif SAVED in what:
                saving = True
            elif saving:
                return False
    return False


def of_broker(path, account, secret, begin, end):
    """(second, line) of everything that concerns the account; only the last of several saves in a row."""
    words = (client_id(secret, account), f"'avito/{account}/", "mosquitto version", SAVED)
    lines = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            when, _, what = line.rstrip().partition(": ")
            if not any(word in what for word in words) or not when.isdigit() or not begin <= int(when) <= end:
                continue
            if SAVED in what and lines and SAVED in lines[-1][1]:
                lines.pop()
            lines.append((int(when), "broker: " + re.sub(r"/tmp/\S+/", "", what)))
    return lines


def of_ledgers(nodes, account, command):
    """What the gateways' files say about it."""
    for node in nodes:
        path = f"{node.home}/state/avito/{account}/ledger.jsonl"
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                yield from (f"{node.node} has in its ledger {line.rstrip()}" for line in file if f'"{command}"' in line)


def tell(world, command, secret, folder):
    """Writes folder/COMMAND."""
    account, tries = command.rsplit("-", 1)[0], world.asked[command]
    begin, end = tries[0][0] - AROUND_S[0], tries[-1][0] + AROUND_S[1]
    rows = of_broker(world.broker.log.name, account, secret, begin, end)  # which has whole seconds, in order of arrival
    rows += [(int(when), f"commander: try {number + 1}, packet {packet} at {when:.3f}, the broker's answer {answer}")
             for number, (when, packet, answer) in enumerate(tries)]
    for source in (world.done, *(node.told for node in world.nodes)):
        rows += [(int(when), f"{what} (at {when:.3f})") for when, what in source if begin <= when <= end]
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{command}", "w", encoding="utf-8") as file:
        file.write(f"{command}: {world.commands[command]}\n")
        file.write("".join(f"{when} {what}\n" for when, what in sorted(rows, key=lambda row: row[0])))
        file.write("".join(f"result: {result}\n" for result in world.results.get(command, [])))
        file.write("".join(line + "\n" for line in of_ledgers(world.nodes, account, command)))
