"""Bugs planted into copies of the gateway's core, one at a time: the simulated worlds must notice each (fleet.md, the planted
bugs that concern one gateway). What needs a broker that swallows a PUBACK, tests/avito/gateway.py does (pubacks)."""
import os
import subprocess
import sys

SEEDS = 3000
CORE = ["gateway", "job", "order", "ledger", "hass", "jsonl", "mqtt", "language", "russian"]
PLANTS = [
    ("a command is acknowledged on receipt", "job.c",
     "    judge(a, j, m, now_ms);\n", "    judge(a, j, m, now_ms);\n    (void)mqtt_acknowledge(a->priv.g->o.broker, m->packet_id, 0);\n    forget_packet(a, j);\n"),
    ("nothing is noted before a send", "job.c",
     "    rc = ledger_note(&a->ledger, &e);\n    if (rc == AVITO_AGAIN) {\n        return;", "    rc = AVITO_OK;\n    if (rc == AVITO_AGAIN) {\n        return;"),
    ("what was begun is sent again", "job.c",
     "    j->noted = j->looking = true;\n", "    j->noted = true;\n    j->call = CALL_BASELINE;\n    return;\n"),
    ("what was begun is called not sent", "job.c",
     "settle(j, LEDGER_CANNOT_TELL,\n               \"not seen", "settle(j, LEDGER_NOT_SENT,\n               \"not seen"),
    ("it is looked for only once", "job.c", "#define LOOK_FOR_MS   65000u", "#define LOOK_FOR_MS   0u"),
    ("a message is accepted before its PUBACK", "gateway.c",
     "        a->priv.message = MESSAGE_PUBLISHED;\n", "        (void)avito_inbox_accept(&a->inbox);\n        a->priv.message = MESSAGE_NONE;\n"),
    ("the reason of a PUBACK is ignored", "gateway.c",
     "    } else if (reason == MQTT_REASON_NOBODY_LISTENS && holds(g)) {", "    } else if (false && holds(g)) {"),
    ("what is lost with the connection is not published again", "gateway.c",
     "        if (a->priv.message == MESSAGE_PUBLISHED) {\n            a->priv.message = MESSAGE_NONE;\n        }\n", ""),
    ("publications into a dead connection", "gateway.c", "    mqtt_end(g->o.broker);", "    (void)0;"),
]


def build(folder, name, old, new):
    os.makedirs(folder, exist_ok=True)
    text = open(f"tools/avito/{name}", encoding="utf-8").read()
    if text.count(old) != 1:
        return f"its place is there {text.count(old)} times"
    with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    flags = ["-std=c99", "-O1", "-D_GNU_SOURCE", "-DAVITO_WITH_POSIX=1", "-DAVITO_WITH_BEARSSL=1", "-I.", "-Itools/avito", "-Itests", "-w"]
    objects = [f"build/obj/tools/avito/{x}.o" for x in CORE if f"{x}.c" != name]
    done = subprocess.run(["gcc", *flags, f"{folder}/{name}", *objects, "build/obj/tests/avito/gateway_sim.o", "build/lib/avito.o",
                           "build/libsimulator.a", "-o", f"{folder}/sim", "-lhttp_parser", "-lcjson", "-lbearssl"],
                          capture_output=True, text=True, check=False)
    return done.stderr[:400] if done.returncode else None


def noticed(folder):
    for first in range(1, SEEDS, 100):
        try:
            done = subprocess.run([f"{folder}/sim", str(first), "100"], capture_output=True, text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return "a seed does not end", first
        if done.returncode != 0:
            return (done.stdout.splitlines() or [f"status {done.returncode}"])[0], first
    return None, SEEDS


def main():
    failures = 0
    for what, name, old, new in PLANTS:
        problem = build("build/gateway_plant", name, old, new)
        seen, first = noticed("build/gateway_plant") if problem is None else (None, 0)
        failures += seen is None
        print(f"ok - noticed: {what} ({seen})" if seen else f"not ok - {what}: {problem or f'not noticed in {first} seeds'}", flush=True)
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
