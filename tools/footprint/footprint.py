#!/usr/bin/env python3
"""What the library costs: flash, memory and stack, measured with cross compilers.

    footprint.py             measure, print the table, compare with figures.txt
    footprint.py --accept    measure, print, and write figures.txt
    footprint.py --symbols   also list what takes the flash on Cortex-M3
    footprint.py --markdown  the table for the README
    footprint.py --header D  another avito_messenger.h, in directory D

The library is built with AVITO_TINY. Fails when a figure has grown by more than 2 % over figures.txt,
when figures.txt itself has grown by more than 2 % in a commit without a line "Footprint: why" in its
message, when a limit is passed, and on a recursion. Says which aims are missed.
"""
import argparse
import glob
import json
import os
import re
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
OUT = os.path.join(TOP, "build", "footprint")
FIGURES = os.path.join(HERE, "figures.txt")
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(TOP, "examples", "firmware"))
import boards  # noqa: E402
import run as firmware_run  # noqa: E402
import stack  # noqa: E402

TARGETS = {
    "Cortex-M0+": ["arm-none-eabi-", "-mcpu=cortex-m0plus", "-mthumb", "--specs=nano.specs"],
    "Cortex-M3": ["arm-none-eabi-", "-mcpu=cortex-m3", "-mthumb", "--specs=nano.specs"],
    "Cortex-M4": ["arm-none-eabi-", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "--specs=nano.specs"],
    "rv32imac": ["riscv64-unknown-elf-", "-march=rv32imac", "-mabi=ilp32", "--specs=picolibc.specs"],
}
SOURCES = {"text only": "use_text", "chat bot": "use_bot"}
CFLAGS = ["-std=c99", "-Os", "-ffunction-sections", "-fdata-sections", "-fstack-usage",
          "-fcallgraph-info=su", "-DNDEBUG", "-DAVITO_TINY=1", "-I" + OUT + "/include"]
# The flags that the README names for those who count bytes.
MORE_FLAGS = ["--param=max-jump-thread-duplication-stmts=0", "-fno-tree-loop-optimize",
              "-fno-move-loop-invariants", "-fno-if-conversion", "-fno-schedule-insns2", "-fmerge-all-constants"]

# Every call of the API, read whole or element by element, and what steps it: no texts, no inbox, no
# confirming, no receiver.
PLAIN = """account_init authorize_url client_init client_close step wants deadline_ms cancel last_error
get_token exchange_code refresh_token get_self get_chats get_chat get_messages send_message upload_image
send_image_message delete_message mark_chat_as_read get_voice_files subscribe_webhook unsubscribe_webhook
get_webhook_subscriptions add_to_blacklist list_chats list_messages list_voice_files list_subscriptions
list_open list_end list_has_more next_chat next_message next_voice_file next_subscription arena_of
arena_reset""".split()

# What has come since 0.1.0, by the beginning of its functions' names; "": the rest. The enable calls of what
# was there before belong to that.
NEW = {"raw JSON": "avito_json_", "the unknown kept": "avito_enable_raw", "preview, message_json": "avito_message_",
       "records of chats": "avito_enable_inbox_records", "other new calls": ""}
FLASH = re.compile(r"^\.(text|rodata|srodata|data|sdata)(\.|$)")

# For Cortex-M3: (name, limit, aim).
LIMITS = [("flash, text only", 16500, 15000), ("flash, chat bot", 20500, 19000),
          ("flash, every plain call", 25000, 24000), ("flash, everything of 0.1.0", 37500, 37000),
          ("RAM, account + client", 832, 768), ("stack, worst", 432, 432)]


def run(words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=TOP, **more)
    if done.returncode != 0:
        sys.exit(f"footprint: {' '.join(words)}\n{done.stderr}")
    return done.stdout


class Target:
    """One processor: compiles and links into build/footprint/NAME."""

    def __init__(self, name):
        self.name, self.out = name, os.path.join(OUT, name)
        self.prefix, self.flags = TARGETS[name][0], TARGETS[name][1:]
        os.makedirs(self.out, exist_ok=True)

    def path(self, name):
        return os.path.join(self.out, name)

    def compile(self, source, name, *flags):
        run([self.prefix + "gcc"] + self.flags + CFLAGS + list(flags) +
            ["-c", os.path.join(HERE, source + ".c"), "-o", self.path(name + ".o")])

    def symbols(self, name):
        """name -> (type, size)"""
        found = {}
        for line in run([self.prefix + "nm", "-S", self.path(name)]).splitlines():
            words = line.split()
            if len(words) >= 3:
                found[words[-1]] = (words[-2], int(words[1], 16) if len(words) == 4 else 0)
        return found

    def public(self, name, starts="avito_"):
        return sorted(n for n, (kind, _) in self.symbols(name).items() if kind == "T" and n.startswith(starts))

    def link(self, name, objects, keep=(), entry="use"):
        """Links what `entry` and `keep` reach. The hooks and options are not there: they cost nothing."""
        run([self.prefix + "gcc"] + self.flags + ["-nostartfiles", "-Wl,--gc-sections", "-Wl,-e," + entry,
            "-Wl,--unresolved-symbols=ignore-all", "-Wl,--noinhibit-exec", "-Wl,--no-warn-mismatch",
            "-Wl,-Map," + self.path(name + ".map")] + ["-Wl,-u," + k for k in keep] +
            [self.path(o + ".o") for o in objects] + ["-o", self.path(name + ".elf")])

    def flash(self, name, part):
        """Bytes of `part`.o that are in the link, by section: name -> bytes."""
        sections, pending, discarded = {}, None, True
        with open(self.path(name + ".map"), encoding="utf-8") as file:
            for line in file:
                if line.startswith("Linker script and memory map"):
                    discarded = False
                if discarded:
                    continue
                words = line.split()
                if line.startswith(" .") and len(words) == 1:
                    pending = words[0]
                    continue
                if line.startswith(" .") and len(words) >= 4:
                    section, words = words[0], words[1:]
                elif pending and len(words) >= 3 and words[0].startswith("0x"):
                    section = pending
                else:
                    section = None
                pending = None
                if section and FLASH.match(section) and os.path.basename(words[-1]) == part + ".o":
                    sections[section] = sections.get(section, 0) + int(words[1], 16)
        return sections


def stacks(target, elf, part, names):
    """Worst stack of each public function, without calls to the user's hooks; and the graph, with its
    problems."""
    graph = stack.load([target.path(part + ".ci")], [],
                           target.path(elf + ".elf"), target.prefix + "objdump")
    worst = {name: graph.below(name)[0] for name in names if name in graph.frames}
    return worst, graph


def of_0_1_0():
    with open(os.path.join(HERE, "functions_0_1_0.txt"), encoding="ascii") as file:
        return [line.strip() for line in file if not line.startswith("#")]


def linked(target, library, old):
    """use -> bytes by section, for the uses that have a limit."""
    uses = {}
    for use, source in SOURCES.items():
        target.link(source, [source, library])
        uses[use] = target.flash(source, library)
    plain = ["avito_" + name for name in PLAIN]
    for use, names in (("every plain call", plain), ("everything of 0.1.0", old)):
        target.link(use.replace(" ", "_"), [library], names, names[0])
        uses[use] = target.flash(use.replace(" ", "_"), library)
    return uses


def measure(name, show_symbols):
    target, figures = Target(name), {}
    target.compile("library", "library")
    target.compile("library", "library_more", *MORE_FLAGS)
    target.compile("sizes", "sizes")
    public = target.public("library.o")
    enable = [n for n in public if n.startswith("avito_enable_") and n not in NEW.values()]
    old = of_0_1_0() + enable
    for source in SOURCES.values():
        target.compile(source, source)
    uses = linked(target, "library", old)
    figures.update({"flash, " + use: sum(sections.values()) for use, sections in uses.items()})
    if show_symbols:
        for section, size in sorted(uses["text only"].items(), key=lambda s: -s[1]):
            print(f"{size:7d}  {section}")
    left = [n for n in public if n not in old]
    for what, begin in NEW.items():
        names = [n for n in left if n.startswith("avito_" if begin == "" else begin)]
        left = [n for n in left if n not in names]
        if names:
            target.link("new", ["library"], old + names, old[0])
            figures["flash more, " + what] = (sum(target.flash("new", "library").values())
                                              - figures["flash, everything of 0.1.0"])
    for use, sections in linked(target, "library_more", old).items():
        figures["more flags, " + use] = sum(sections.values())
    target.link("everything", ["library"], public, public[0])
    sizes = {n[len("size_of_"):]: size for n, (_, size) in target.symbols("sizes.o").items()}
    figures["RAM, avito_account"] = sizes["avito_account"]
    figures["RAM, avito_client"] = sizes["avito_client"]
    figures["RAM, account + client"] = sizes["avito_account"] + sizes["avito_client"]
    figures["RAM, token buffer (40 bytes)"] = sizes["tokens_40"]
    figures["RAM, token buffer, one lane"] = sizes["tokens_40_one_lane"]
    figures["RAM, smallest window"] = sizes["smallest_window"]
    worst, graph = stacks(target, "everything", "library", public)
    figures["stack, worst"] = max(worst.values())
    problems = [f"{name}: {problem}" for problem in graph.problems]
    problems += tls(target, public, figures)
    return figures, worst, problems


def tls(target, public, figures):
    """What the TLS transport adds, without BearSSL's own code."""
    target.compile("library", "library_tls", "-DAVITO_WITH_BEARSSL=1")
    target.compile("sizes", "sizes_tls", "-DAVITO_WITH_BEARSSL=1")
    keep = ["avito_tls_init", "avito_tls_transport"]
    known = target.public("library_tls.o")
    if any(k not in known for k in keep):
        return []
    target.link("tls", ["library_tls"], keep, keep[0])
    figures["flash, TLS adapter"] = sum(target.flash("tls", "library_tls").values())
    sizes = {n[len("size_of_"):]: size for n, (_, size) in target.symbols("sizes_tls.o").items()}
    figures["RAM, avito_tls"] = sizes["avito_tls"]
    figures["RAM, avito_tls, lent between handshakes"] = sizes["tls_lent"]
    figures["RAM, TLS buffer, 512 half duplex"] = sizes["tls_half_512"]
    figures["RAM, TLS buffer, 16384 half duplex"] = sizes["tls_half_16384"]
    return []


# ---- the same code on emulated boards: instructions and arena of each call ----

PROBES = {"Cortex-M0+": "microbit", "Cortex-M3": "mps2-an385", "rv32imac": "sifive_e"}
ANSWERS = {"token": "token_client", "chat": "chat_wire", "chats": "chats_wire", "messages": "messages_wire",
           "sent": "message_sent_wire", "ok": "ok_true"}


def write_answers():
    """The recorded bodies of tests/data with a head before them, as C."""
    with open(os.path.join(OUT, "include", "probe_data.h"), "w", encoding="ascii") as out:
        for name, stem in ANSWERS.items():
            with open(os.path.join(TOP, "tests", "data", stem + ".json"), "rb") as file:
                body = file.read()
            answer = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            out.write(f"static const unsigned char {name}_answer[] = {{"
                      + ",".join(str(b) for b in answer + body) + "};\n")


def probe(name):
    """Runs probe.c on the board of this processor: call -> (instructions, arena, sent, received)."""
    firmware, target, board = os.path.join(TOP, "examples", "firmware"), Target(name), PROBES[name]
    sources = [os.path.join(firmware, n) for n in ("startup.c", "semihosting.c", "say.c", f"board/{board}.c")]
    elf = target.path("probe.elf")
    flags = [f for f in CFLAGS if f not in ("-std=c99", "-fstack-usage", "-fcallgraph-info=su")]
    run([target.prefix + "gcc"] + target.flags + flags +
        ["-std=gnu99", "-I" + firmware, "-I" + firmware + "/board", "-DPROBE_ARENA=8192", "-nostartfiles", "-Wl,--gc-sections",
         "-L" + firmware, "-T", f"{firmware}/board/{board}.ld", "-Wl,--defsym=firmware_stack_need=1536"] +
        sources + [os.path.join(HERE, "probe.c"), os.path.join(HERE, "library.c"), "-o", elf])
    listener = socket.create_server(("127.0.0.1", 0))
    words = boards.command(board, elf, listener.getsockname()[1], count=True)
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60)
    rows = [[w.strip() for w in line.split("|")][1:] for line in done.stdout.splitlines() if line.startswith("probe |")]
    if done.returncode != 0:
        sys.exit(f"footprint: the probe on {board} ends with {done.returncode}\n{done.stdout}")
    return {row[0]: tuple(map(int, row[1:5])) for row in rows}


def probe_table():
    write_answers()
    results = {name: probe(name) for name in PROBES}
    print("\ncalls on recorded answers, window 512, no TLS        " + "".join(f"{n:>13s}" for n in PROBES)
          + "        arena   sent  received\n" + " " * 53 + "instructions")
    for call, (_, arena, sent, received) in results["Cortex-M3"].items():
        print(f"{call:50s}" + "".join(f"{results[n][call][0]:13,d}" for n in PROBES)
              + f"{arena:13,d}{sent:7,d}{received:10,d}")
    return {("Cortex-M3", "arena, " + call): row[1] for call, row in results["Cortex-M3"].items() if row[1] > 0}


# ---- bytes on the wire, on this machine against the simulated service ----

def wire(*arguments, kind="ec"):
    """situation -> (sent, received, round trips), with a service of its own that has one unread chat."""
    simulator = firmware_run.Simulator(kind, 1)
    try:
        port = simulator.ports["tls" if arguments[0] == "tls" else "tcp"]
        text = run([OUT + "/wire", arguments[0], str(port), *arguments[1:]])
        rows = [[w.strip() for w in line.split("|")] for line in text.splitlines()]
        chat = next(row[1] for row in rows if row[0] == "wire-chat")
        return {row[1]: tuple(map(int, row[2:])) for row in rows if row[0] == "wire"}, curl(simulator, chat)
    finally:
        simulator.close()


def curl(simulator, chat):
    """call -> bytes of the request that curl makes for it: head and body."""
    base = f"http://127.0.0.1:{simulator.ports['tcp']}"
    messenger = f"{base}/messenger/v1/accounts/350000001/chats/{chat}"
    token = ["-d", "grant_type=client_credentials&client_id=client-id-for-tests"
                   "&client_secret=client-secret-for-tests-0123456789abcdef", base + "/token"]
    held = json.loads(run(["curl", "-sS", *token]))["access_token"]
    auth = ["-H", "Authorization: Bearer " + held]
    calls = {"token": token,
             "poll": auth + [f"{base}/messenger/v2/accounts/350000001/chats?unread_only=true&limit=1"],
             "send": auth + ["-H", "Content-Type: application/json", "-d",
                             '{"message":{"text":"Hello"},"type":"text"}', messenger + "/messages"],
             "read": auth + ["-X", "POST", messenger + "/read"]}
    host = f"Host: api.avito.ru:{simulator.ports['tcp']}"  # as our requests have it
    return {name: size_of_request(host, words) for name, words in calls.items()}


def size_of_request(host, words):
    """Lets curl talk to a socket of ours and counts what it sends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        words = [re.sub(r"^http://127.0.0.1:\d+", f"http://127.0.0.1:{port}", word) for word in words]
        with subprocess.Popen(["curl", "-sS", "-o", "/dev/null", "-H", host, *words]):
            with listener.accept()[0] as connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                head, _, body = request.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                missing = (int(length.group(1)) if length else 0) - len(body)
                while missing > 0:
                    missing -= len(connection.recv(missing))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return len(head) + 4 + (int(length.group(1)) if length else 0)


def wire_table():
    """Prints the table; returns the requests that are larger than curl's. Like everything here, it is
    measured with AVITO_TINY, which sends no User-Agent."""
    run(["make", "-s", "build/simulator", "build/certs"])
    run(["gcc", "-std=gnu99", "-O1", "-w", "-DAVITO_TINY=1", "-I" + CFLAGS[-1][2:], os.path.join(HERE, "wire.c"), "-lbearssl", "-o",
         OUT + "/wire"])
    roots = "build/certs/roots.pem"
    small, large = wire("tls", roots, "512")[0], wire("tls", roots, "16384")[0]
    (plain, by_curl) = wire("plain")
    print("\nbytes on the wire (TLS 1.2, P-256 chain of two)  records of 512        of 16384     without TLS  round trips")
    for situation, (_, _, turns) in small.items():
        print(f"{situation:45s}" + "".join(f"{t[situation][0]:8,d} +{t[situation][1]:6,d}" for t in (small, large, plain))
              + f"{turns:13d}")
    print("(sent + received; a round trip is an answer after something sent, opening TCP is one)")
    ours = {"send": plain["next message, same connection"][0], "poll": plain["poll, nothing new"][0],
            "read": plain["chat marked as read"][0],
            "token": plain["first message from cold"][0] - plain["next message, same connection"][0]}
    print("\nrequest, bytes, AVITO_TINY:    " + ", ".join(f"{n} {ours[n]} (curl {by_curl[n]})" for n in ours))
    return [f"the request of {n} has {ours[n]} bytes, curl's {by_curl[n]}" for n in ours if ours[n] > by_curl[n]]


# ---- figures.txt: "target | what | bytes" ----

def parse(text):
    figures = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            target, what, value = (word.strip() for word in line.split("|"))
            figures[target, what] = int(value)
    return figures


def grown(old, new):
    return [f"{target}: {what}: {old[target, what]} -> {value} bytes"
            for (target, what), value in new.items()
            if (target, what) in old and value > old[target, what] * 1.02]


def unexplained_growth():
    """The last commit that changed figures.txt must say why they grew."""
    def git(*words):
        done = subprocess.run(["git", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=TOP)
        return done.stdout if done.returncode == 0 else ""

    path = os.path.relpath(FIGURES, TOP)
    commit = git("log", "-1", "--format=%H", "--", path).strip()
    before, after = git("show", f"{commit}~1:{path}"), git("show", f"{commit}:{path}")
    if not commit or not before or re.search(r"^Footprint: \S", git("log", "-1", "--format=%B", commit), re.M):
        return []
    return [f"{line} (commit {commit[:10]} does not say why)" for line in grown(parse(before), parse(after))]


def write(figures):
    with open(FIGURES, "w", encoding="utf-8") as file:
        file.write("# Bytes, measured by tools/footprint/footprint.py with %s.\n"
                   "# A commit that lets one grow by more than 2 %% says why: \"Footprint: why\".\n"
                   % run(["arm-none-eabi-gcc", "--version"]).splitlines()[0])
        for (target, what), value in figures.items():
            file.write(f"{target} | {what} | {value}\n")


def table(figures, markdown):
    rows = list(dict.fromkeys(what for _, what in figures))
    width = max(map(len, rows))
    if markdown:
        print("| bytes | " + " | ".join(TARGETS) + " |\n| --- |" + " ---: |" * len(TARGETS))
    else:
        print(f"{'bytes, gcc -Os':{width}s}" + "".join(f"{t:>12s}" for t in TARGETS))
    for row in rows:
        values = [f"{figures[t, row]:,}" if (t, row) in figures else "-" for t in TARGETS]
        if markdown:
            print(f"| {row} | " + " | ".join(values) + " |")
        else:
            print(f"{row:{width}s}" + "".join(f"{v:>12s}" for v in values))


def stack_table(worst):
    names = sorted(worst["Cortex-M3"], key=lambda n: (-worst["Cortex-M3"][n], n))
    print("\nworst stack of each public function, with all that it calls; your hooks and the transport come on top")
    for name in names:
        print(f"{name:36s}" + "".join(f"{worst[t].get(name, 0):12,d}" for t in TARGETS))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    for option in ("--accept", "--symbols", "--markdown"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--header", default=TOP)
    args = parser.parse_args()
    CFLAGS.append("-I" + os.path.abspath(args.header))
    os.makedirs(OUT + "/include", exist_ok=True)
    # Only these of the host's headers: the rest of its include directory is not for the boards.
    headers = glob.glob("/usr/include/bearssl/bearssl*.h")
    run(["cp", "/usr/include/jsmn.h", *headers, OUT + "/include/"])

    figures, worst, failures = {}, {}, []
    for name in TARGETS:
        measured, worst[name], problems = measure(name, args.symbols and name == "Cortex-M3")
        figures.update({(name, what): value for what, value in measured.items()})
        failures += problems
    table(figures, args.markdown)
    stack_table(worst)
    figures.update(probe_table())
    failures += wire_table()

    failures += [f"Cortex-M3: {what} is {figures['Cortex-M3', what]:,} bytes, the limit is {most:,}"
                 for what, most, _ in LIMITS if figures["Cortex-M3", what] > most]
    missed = [f"Cortex-M3: {what} is {figures['Cortex-M3', what]:,} bytes, the aim is {aim:,}"
              for what, _, aim in LIMITS if figures["Cortex-M3", what] > aim]
    if args.accept:
        write(figures)
    elif os.path.exists(FIGURES):
        with open(FIGURES, encoding="utf-8") as file:
            failures += ["grown by more than 2 %: " + line for line in grown(parse(file.read()), figures)]
        failures += unexplained_growth()
    print()
    for failure in failures:
        print("footprint: " + failure)
    for miss in missed:
        print("footprint: aim missed: " + miss)
    print("footprint: " + ("NOT OK" if failures else "ok, nothing has grown")
          + (f", {len(missed)} aims missed" if missed else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
