"""Plants bugs into copies of the gateway, one at a time. The simulated worlds must notice each. A scene of
tests/avito/gateway.py must notice those that no world shows, because a connection there keeps the order of
its bytes."""
import glob
import os
import resource
import signal
import subprocess
import sys

SEEDS, AT_ONCE = 3000, 100
TRIES = 3  # of a scene, which runs by the clock: on a busy machine something else may go wrong first
FEW = 10  # worlds before all others: they show most plants
FOLDER = "build/gateway_plant"
CORE = ["gateway", "job", "order", "ledger", "hass", "jsonl", "mqtt", "language", "russian"]
PLANTS = [
    ("a note that is too old keeps its lane", "job.c",
     "        if (is_stale(a, j)) { /* no send can follow */\n            return_lane(a);\n        }\n", ""),
    ("a command is acknowledged on receipt", "job.c",
     "    judge(a, j, m, now_ms);\n", "    judge(a, j, m, now_ms);\n    (void)mqtt_acknowledge(a->priv.g->o.broker, m->packet_id, 0);\n    forget_packet(a, j);\n"),
    ("nothing is noted before a send", "job.c",
     "    rc = ledger_note(&a->ledger, &e);\n    j->writing = rc == AVITO_AGAIN;\n    if (j->writing) {", "    rc = AVITO_OK;\n    if (j->writing) {"),
    ("a note that is not durable yet is good enough", "job.c",
     "    j->writing = rc == AVITO_AGAIN;\n    if (j->writing) {\n        if (is_stale(a, j)) { /* no send can follow */\n            return_lane(a);\n        }\n        return;\n    }\n",
     "    rc = rc == AVITO_AGAIN ? (int)AVITO_OK : rc;\n"),
    ("what is noted may be older than what is there", "job.c", "    return last > now ? last : now;", "    return last > 0 ? now : now;"),
    ("what a broker lacks is not said", "gateway.c", "            if (mqtt_objection(e) != NULL) {", "            if (false) {"),
    ("what Home Assistant misses is not said", "gateway.c", "    if (rc == MQTT_ERR_SIZE) {", "    if (false) {"),
    ("an old note is leave to send", "job.c", "    return begun_for_ms(a, j) > BEGUN_AGE_MS;", "    return begun_for_ms(a, j) > UINT32_MAX;"),
    ("refusals are not kept", "job.c", "(j->refused && !refusals_are_kept(a)) ||", "(false && !refusals_are_kept(a)) ||"),
    ("a result over the broker's quota is not said again", "job.c", "reason == MQTT_REASON_QUOTA;", "false;"),
    ("what was begun is sent again", "job.c",
     "    j->noted = j->looking = true;\n", "    j->noted = true;\n    j->call = CALL_BASELINE;\n    return;\n"),
    ("what was begun is called not sent", "job.c",
     "    settle(j, LEDGER_CANNOT_TELL, text);\n}\n\nstatic void looked", "    settle(j, LEDGER_NOT_SENT, text);\n}\n\nstatic void looked"),
    ("what another began is not looked for", "gateway.c", "    if (ledger_merge(&a->ledger, lines, len) > 0 &&", "    if (false &&"),
    ("a hint does not stop what is noted", "job.c",
     "    if (known != NULL) {\n        give_way(j, known, now_ms);\n        return;\n    }\n    if (!j->writing) {", "    (void)known;\n    if (!j->writing) {"),
    ("a hint does not stop a send that waits for its turn", "job.c", "(j->call == CALL_SEND && learnt(a, j) != NULL)", "false"),
    ("what another found is looked for all the same", "job.c", "    if (e == NULL || (e->state == LEDGER_BEGUN && (j->noted || j->looking))) {",
     "    if (e == NULL || j->noted || j->looking) {"),
    ("it is looked for only once", "job.c", "#define LOOK_FOR_MS   65000u", "#define LOOK_FOR_MS   0u"),
    ("a message is accepted before its PUBACK", "gateway.c",
     "        a->priv.message = MESSAGE_PUBLISHED;\n", "        (void)avito_inbox_accept(&a->inbox);\n        a->priv.message = MESSAGE_NONE;\n"),
    ("the reason of a PUBACK is ignored", "gateway.c",
     "    } else if (reason == MQTT_REASON_NOBODY_LISTENS && holds(g)) {", "    } else if (false && holds(g)) {"),
    ("pauses of what nobody hears do not grow", "gateway.c", "    a->priv.held_ms = longer(a->priv.held_ms);\n", "    a->priv.held_ms = 1000;\n"),
    ("pauses of what nobody hears do not start again", "gateway.c", "        a->priv.held = false;\n        a->priv.held_ms = 0;\n", "        a->priv.held = false;\n"),
    ("256 commands with QoS 0 are not the most", "job.c", "    return m->qos == 0 && count >= PLACES;\n", "    return count == SIZE_MAX;\n"),
    ("a refusal waits for the next poll", "job.c", "(j->refused && a->priv.refusals_under_way)", "(j->refused && a->priv.refusals_changed)"),
    ("what is lost with the connection is not published again", "gateway.c",
     "        if (a->priv.message == MESSAGE_PUBLISHED) {\n            a->priv.message = MESSAGE_NONE;\n        }\n", ""),
    ("what is retained and refused is not tried again", "gateway.c", "    again->due = refused ? again->due | due : again->due & ~due;\n", "    again->due = 0 * due * refused;\n"),
    ("what changes all the time fills the log", "gateway.c", "#define VOICE_LINES      20u", "#define VOICE_LINES      20000u"),
    ("what was left out of the log stays unsaid", "gateway.c", "    return v->unsaid > 0 && is_hour_over(o, v);", "    return v->unsaid > 0 && o == NULL;"),
    ("an account that goes waits for an upload", "job.c", "(j->phase == CALLING && j->call != CALL_UPLOAD)", "j->phase == CALLING"),
    ("a wrong command is done the second time", "job.c", "(j->o->wrong != NULL || was_refused(a, j->id))", "was_refused(a, j->id)"),
    ("polls take all turns", "gateway.c", "lets_pass(a) && avito_inbox_deadline_ms(&a->inbox) == 0;", "false;"),
    ("commands take all turns", "job.c", " && !a->priv.poll_waits && has_lane(a)", " && has_lane(a)"),
    ("the wait for a turn counts as the service's", "job.c", "    return turn_ms(a) + ms;\n", "    return turn_ms(a) > ms ? turn_ms(a) : ms;\n"),
    ("a send goes on after a sleep", "job.c", "    return is_late(a, j) ||", "    return"),
    ("what is read elsewhere stays unread", "gateway.c", "a->priv.unread > 0 ? UNREAD_AGAIN_MS : UINT32_MAX", "UINT32_MAX"),
    ("what a command read stays unread", "job.c", "                gateway_chat_read(a);\n", ""),
    ("a note does not name what was there before", "job.c", "    e.baseline_id = j->baseline_id;\n", "    e.baseline_id = \"\";\n"),
    ("a full ledger refuses", "job.c", "    return j->phase == WAITING && !is_own(j) && !ledger_has_room(", "    return false && !ledger_has_room("),
    ("a full ledger forgets what is owed", "ledger.c", "(row->e.owed || row->e.state == LEDGER_BEGUN)", "(row->e.state == LEDGER_BEGUN)"),
    ("what waits for room holds up what was begun", "job.c", " ||\n                            lacks_room(a, j);", ";"),
    ("what a broker forgot stays owed", "gateway.c", "        if (!session_present) { /* no command comes again */\n", "        if (false) {\n"),
    ("what does not come again stays owed", "job.c", "    if (all_came) {\n", "    if (false) {\n"),
    ("each connection is a new session", "mqtt.c", "c->o.clean_start ? 0x02 : 0;", "0x02;"),
    ("a command without an id is another after a reconnect", "gateway.c", "    if (!session_present) {\n        g->priv.most = 0;\n", "    if (true) {\n        g->priv.most = 0;\n"),
    ("a command without an id is another after a restart", "job.c", "(unsigned)g->o.session,\n", "(unsigned)(uintptr_t)g->o.boot_ms(g->o.ctx),\n"),
    ("publications into a dead connection", "gateway.c", "    mqtt_end(g->o.broker);", "    (void)0;"),
]


# what is wrong, file, old text, new text, the scene, what the scene says then
IN_SCENES = [
    ("a command is acknowledged before its result's PUBACK", "job.c",
     "    if (j->open_answers == 0) { /* the broker would take neither */", "    if (true) {",
     "pubacks", "not ok - a command whose result has no PUBACK"),
    ("a change of the tariff is not told", "gateway.c", "    a->priv.due |= unpaid != a->priv.unpaid ? DUE_STATE : 0;\n", "",
     "unpaid", ("not ok - the tariff is missing", "not ok - it is paid")),  # a poll may tell the first by chance
]
FLAGS = ["-std=c99", "-D_GNU_SOURCE", "-DAVITO_WITH_POSIX=1", "-DAVITO_WITH_BEARSSL=1", "-I.", "-Itools/avito", "-Itests", "-w"]


def plant(folder, name, old, new):
    """None, or what is wrong with the plant."""
    os.makedirs(folder, exist_ok=True)
    text = open(f"tools/avito/{name}", encoding="utf-8").read()
    if text.count(old) != 1:
        return f"its place is there {text.count(old)} times"
    with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    return None


def link(source, *words):
    """The file with the bug, compiled by tcc, which is quick, and the others, as they are. None, or what is wrong."""
    planted = source[:-2] + ".o"
    for command in ["tcc", *FLAGS, "-c", source, "-o", planted], ["gcc", "-z", "noexecstack", planted, *words]:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr[:400]
    return None


def build(name, old, new):
    problem = plant(FOLDER, name, old, new)
    if problem:
        return problem
    objects = [f"build/obj/tools/avito/{x}.o" for x in CORE if f"{x}.c" != name]
    return link(f"{FOLDER}/{name}", *objects, "build/obj/tests/avito/gateway_sim.o", "build/lib/avito.o",
                "build/libsimulator.a", "-o", f"{FOLDER}/sim", "-lhttp_parser", "-lcjson", "-lbearssl")


def seen_in_scene(name, old, new, scene, said):
    """The scene's line, or None and what is wrong."""
    problem = plant(FOLDER, name, old, new)
    objects = [x[:-2].replace("tools/", "build/obj/tools/") + ".o" for x in glob.glob("tools/avito/*.c") if not x.endswith(f"/{name}")]
    problem = problem or link(f"{FOLDER}/{name}", *objects, "-o", f"{FOLDER}/avito", "-linih", "-lbearssl")
    if problem:
        return None, problem
    others = ""
    for _ in range(TRIES):
        done = subprocess.run([sys.executable, "tests/avito/gateway.py", scene], capture_output=True, text=True, timeout=200, check=False,
                              env={**os.environ, "GATEWAY_PROGRAM": f"{FOLDER}/avito"})
        line = next((line for line in done.stdout.splitlines() if line.startswith(said)), None)
        if line:
            return line, None
        others += f"\n# status {done.returncode}: " + (done.stdout + done.stderr[-500:]).replace("\n", "\n# ")
    return None, f"not noticed: {others}"


def first_said(done):
    """The test that failed, or the first line that a world says."""
    lines = done.stdout.splitlines() + done.stderr.splitlines()
    failed = [line.split()[-1] for line in lines if "[ RUN  " in line][-1:] if done.returncode == -signal.SIGABRT else []
    failed += [line for line in lines if line.startswith(("# seed", "# not so"))]
    return failed[0] if failed else f"status {done.returncode}"


def run(program, first, count, seconds):
    """Worlds `first` and so on, or tests, until one fails; the system ends what takes more than `seconds` of the
    processor's time, however busy it is."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    return subprocess.run([program, str(first), str(count), "once"], capture_output=True, text=True, check=False, preexec_fn=limit,
                          env={**os.environ, "CMOCKA_TEST_ABORT": "1"})


def noticed(program, seeds, at_once, seconds):
    """What the first worlds say that notice it; None: none does."""
    first = 1
    for last in (FEW, *range(at_once, seeds + 1, at_once)):
        done = run(program, first, last + 1 - first, seconds)
        first = last + 1
        if done.returncode == -signal.SIGXCPU:
            return f"it does not end in {seconds} s of the processor's time"
        if done.returncode != 0:
            return first_said(done)
    return None


def seconds_without(seeds):
    """The processor's time that no plant may take; None, after saying so, if a world notices what is not there."""
    _, name, old, _ = PLANTS[0]
    problem = build(name, old, old)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    seen = noticed(f"{FOLDER}/sim", 2, seeds, 600) if problem is None else problem
    if seen:
        print(f"not ok - without any plant: {seen}", flush=True)
        return None
    return 5 + 2 * int(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)


def tell(what, seen, problem):
    print(f"ok - noticed: {what} ({seen})" if seen else f"not ok - {what}: {problem or 'not noticed'}", flush=True)
    return bool(seen)


def main():
    seconds = seconds_without(AT_ONCE)
    good = seconds is not None
    for what, name, old, new in PLANTS if good else []:
        problem = build(name, old, new)
        good &= tell(what, noticed(f"{FOLDER}/sim", SEEDS, AT_ONCE, seconds) if problem is None else None, problem)
    for what, *row in IN_SCENES:
        good &= tell(what, *seen_in_scene(*row))
    return not good


if __name__ == "__main__":
    sys.exit(main())
