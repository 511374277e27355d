"""Builds every example with the line in its first comment (and warnings as errors), runs them
against the simulator over TLS, and looks at what they print, how they end, and what the service
then has in its store."""
import glob
import http.client
import http.server
import json
import os
import random
import re
import resource
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

from linked import LIBRARY, interface
from processes import free_port, processor_s, wait_for
from simulated import CERTS, Simulator

OUT = "build/check/examples"
INTERFACE = f"{OUT}/interface"
STRICT = ["-Wall", "-Wextra", "-Wshadow", "-Werror"]
SANITIZED = [*STRICT, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def check(good, what, *details):
    print(("ok - " if good else "not ok - ") + what)
    if not good:
        for detail in details:
            print("\n".join("#   " + line for line in str(detail).splitlines()[-60:]))
    return good


def compiles(what, *words):
    done = subprocess.run([os.environ.get("CC", "gcc"), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    check(done.returncode == 0, what, done.stdout)


def build(what, words, *more):
    """By exactly these words; then, as it runs here, under sanitizers and with LIBRARY."""
    compiles(f"{what} builds", *words, *STRICT, *more)
    compiles(f"{what} builds with sanitizers", f"-I{INTERFACE}", *words, *SANITIZED, LIBRARY, "-lbearssl")


def example(path, lines):
    """By the first comment's line. If an example before has a line like this, the compiler only reads the file with
    the implementation in it."""
    name = os.path.basename(path)[:-2]
    with open(path, encoding="utf-8") as file:
        first = file.readline()
    words = re.match(r"/\* (?:cc|gcc) (.*)$", first)
    if not check(words is not None and path in first, f"{name} begins with the line that builds it"):
        return
    words = words.group(1).split()
    line = first.replace(name, "")
    words[words.index("-o") + 1] = f"{OUT}/{name}"
    build(name, words, *(["-fsyntax-only"] if line in lines else []))
    lines.add(line)


def run(service, name, *arguments, code=0, stdin=None, **more):
    done = subprocess.run([f"{OUT}/{name}", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, input=stdin, timeout=60, check=False,
                          env=service.environment(**more) if service else None)
    out, err = done.stdout.decode(), done.stderr.decode()
    check(done.returncode == code, f"{name} ends with {code}", done.returncode, out, err)
    return out, err


def picture():
    """A PNG of 256 x 256 pixels that does not compress."""
    state, rows = 1, b""
    for _ in range(256):
        row = bytearray()
        for _ in range(256 * 3):
            state = (state * 1103515245 + 12345) & 0x7fffffff
            row.append(state >> 16 & 255)
        rows += b"\0" + row

    def chunk(name, data):
        return (struct.pack(">I", len(data)) + name + data
                + struct.pack(">I", zlib.crc32(name + data)))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 256, 256, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def fnv1a(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return f"{value:016x}"


def sending():
    for certificate in ("ec", "rsa"):
        with Simulator("--chats", "1", certificate=certificate) as service:
            chat = service.door("chats")["chats"][0]["id"]
            out, _ = run(service, "01_send_text", chat, "Здравствуйте! \"1\" \\ 🙂")
            stored = service.door("store")["messages"][-1]
            check(stored["text"] == "Здравствуйте! \"1\" \\ 🙂" and stored["author"] == "api"
                  and stored["id"] in out, f"01_send_text stored the text ({certificate})", out)
    with Simulator("--chats", "1", "--fault", "*:delay=40:0") as service:
        chat = service.door("chats")["chats"][0]["id"]
        _, err = run(service, "01_send_text", "u2i-nobody", "Привет", code=1)
        check("404" in err, "01_send_text says that there is no such chat", err)
        _, err = run(service, "01_send_text", chat, "Привет", code=1,
                     AVITO_CA_FILE=f"{CERTS}/other-root.pem")
        check("trust anchor" in err, "01_send_text does not talk to a server that it does not know", err)
        _, err = run(service, "01_send_text", chat, "Привет", code=1, AVITO_CLIENT_SECRET="wrong")
        check("token request was refused; check client_id and client_secret" in err,
              "01_send_text says that the credentials are wrong, and what to do", err)
        _, err = run(service, "02_send_text_event_loop", chat, "Привет", code=1, AVITO_PORT="1")
        check("no address accepted a connection; check network, DNS and firewall" in err,
              "02_send_text_event_loop says that nobody is there, and what to do", err)
        out, _ = run(service, "02_send_text_event_loop", chat, "Из цикла")
        turns = re.search(r"in (\d+) turns", out)
        check(service.texts(chat)[1:] == ["Из цикла"], "02_send_text_event_loop stored the text")
        check(turns and int(turns.group(1)) >= 3, "02_send_text_event_loop did its waiting in poll()", out)


def russian():
    """Each file that users copy or start says in its first comment, in Russian too, what it shows."""
    files = ["examples/demo/demo.c", "examples/firmware/firmware.c", *glob.glob("examples/*.[ch]"), *glob.glob("examples/firmware/link_*.c"),
             *glob.glob("examples/transports/**/*.[ch]", recursive=True), *glob.glob("examples/**/*.ino", recursive=True),
             *glob.glob("tools/release/**/main.c", recursive=True)]
    silent = []
    for path in files:
        with open(path, encoding="utf-8") as file:
            first = file.read().split("*/")[0]
        if len(re.findall("[а-я]", first.partition("По-русски: ")[2])) < 20:
            silent.append(path)
    check(len(files) > 20 and not silent, "the first comment of each example says in Russian too what it shows", silent)


def readme():
    """The program of the README's first screen, word for word."""
    with open("README.md", encoding="utf-8") as file:
        program = re.search(r"```c\n(.*?)```", file.read(), re.S).group(1)
    check(program.count("\n") <= 15, "the README's program has at most 15 lines", program.count("\n"))
    with open(f"{OUT}/readme.c", "w", encoding="utf-8") as file:
        file.write(program)
    build("the README's program", ["-I.", f"{OUT}/readme.c", "-o", f"{OUT}/readme", "-lbearssl"])
    with Simulator("--chats", "3") as service:
        for _ in range(2):
            run(service, "readme")
        all_chats = service.door("chats")["chats"]
        check(len(all_chats) == 3 and all(c["unread"] == 0 and c["messages"] == 2 for c in all_chats),
              "the README's program answers everybody, once", all_chats)
        _, err = run(service, "readme", code=1, AVITO_CLIENT_SECRET="")
        check("set AVITO_CLIENT_SECRET" in err, "the README's program says what is missing", err)


LINES = {"14_answer_once": 42, "15_notifier": 30, "16_photo": 17, "17_json_lines": 40, "18_notifications": 62}


def short_ones():
    """The short examples are short: lines of code, without blank ones, comments and lone braces."""
    for name, most in LINES.items():
        with open(f"examples/{name}.c", encoding="utf-8") as file:
            code = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
        count = sum(1 for line in code.splitlines() if line.strip() not in ("", "{", "}"))
        check(count <= most, f"{name} has {count} lines, at most {most}")


def usages():
    """Without the arguments that it needs, an example says which, and nothing else."""
    for path in sorted(glob.glob("examples/[0-9][0-9]_*.c")):
        name = os.path.basename(path)[:-2]
        with open(path, encoding="utf-8") as file:
            if "argv[1]" not in file.read() and name != "08_own_transport":
                continue
        _, err = run(None, name, code=2)
        check(re.fullmatch(rf"usage: (\w+=\S+ )?{name} .+\n", err), f"{name} without arguments says what to give", err)


def photo():
    with Simulator("--chats", "1") as service, tempfile.TemporaryDirectory() as folder:
        chat = service.door("chats")["chats"][0]["id"]
        path = os.path.join(folder, "Мой велосипед.png")
        with open(path, "wb") as file:
            file.write(picture())
        run(service, "16_photo", chat, path, "Вот он")
        upload = service.door("uploads")["uploads"][-1]
        stored = service.door("store")["messages"][-2:]
        check(upload["fnv1a"] == fnv1a(picture()) and upload["file_name"].endswith(".png")
              and upload["format"] == "png", "16_photo: the picture arrived, with its name and type", upload)
        check(stored[0]["image_id"] == upload["image_id"] and stored[1]["text"] == "Вот он",
              "16_photo: the caption comes after the picture", stored)
        _, err = run(service, "16_photo", chat, "README.md", "Вот он", code=1)
        check("argument" in err, "16_photo refuses what is no picture", err)
        _, err = run(service, "16_photo", chat, f"{folder}/none.png", "Вот он", code=1)
        check("cannot be read" in err, "16_photo says that a picture cannot be read", err)


class Running:
    """with Running(service, name, arguments...) as program: ... killed at the end; .said is what it wrote."""

    def __init__(self, service, *command, **more):
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.process = subprocess.Popen([f"{OUT}/{command[0]}", *command[1:]], stdout=self.log,
                                        stderr=subprocess.STDOUT, env=service.environment(**more))

    @property
    def said(self):
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def answer_once():
    """Killed again and again while buyers write, answers get lost, and messages show up late."""
    answer, random_ = "Да! Отвечу подробно через час.", random.Random(14)
    with Simulator("--chats", "0") as service, tempfile.TemporaryDirectory() as folder:
        ids = [service.door("chat", {})["chat_id"] for _ in range(12)]
        for chat in ids[:8]:
            service.door("message", {"chat_id": chat, "text": "Ещё продаётся?"})
        service.door("option", {"visible_after_ms": 300})
        service.door("fault", {"plan": "send_message:stored_no_answer:3:2"})
        service.door("fault", {"plan": "send_message:delay=60:0"})
        counts, doubts, said, kills, end = [], set(), "", 0, time.monotonic() + 160
        while (kills < 15 or not counts or any(n == 0 and i not in doubts for n, i in zip(counts, ids))) \
                and time.monotonic() < end:
            with Running(service, "14_answer_once", f"{folder}/state", answer) as program:
                time.sleep(random_.uniform(0.03, 1.2) if kills < 15 else 5)
                service.door("message", {"chat_id": ids[kills % 12], "text": "Ау"})
            said += program.said
            kills += 1
            doubts = set(re.findall(r"(\S+): perhaps not answered", said))
            counts = [service.texts(chat).count(answer) for chat in ids]
        check(all(n == 1 or (n == 0 and i in doubts) for n, i in zip(counts, ids)),
              f"14_answer_once: each of 12 buyers has one answer after {kills} times kill -9, or it is said that "
              f"this cannot be told ({len(doubts)})", counts, said)
        check(sum(counts) >= 9, "14_answer_once: nearly all have it", counts)
        service.door("fault", {"clear": True})
        with Running(service, "14_answer_once", f"{folder}/state", answer) as program:
            time.sleep(1.5)
            _, err = run(service, "14_answer_once", f"{folder}/state", answer, code=1)
            check(f"the inbox is in use by process {program.process.pid}" in err,
                  "14_answer_once does not share its inbox, and says who has it", err, program.said)
        written = service.door("chat", {})["chat_id"]
        service.door("message", {"chat_id": written, "text": "Ещё продаётся?"})
        service.door("message", {"chat_id": written, "author": "app", "text": "Да"})
        with Running(service, "14_answer_once", f"{folder}/state", answer) as program:
            time.sleep(2)
        check(service.texts(written) == ["Ещё продаётся?", "Да"],
              "14_answer_once leaves a chat alone in which a person has written", service.texts(written), program.said)


def chats_that_ask(service):
    ids = [service.door("chat", {})["chat_id"] for _ in range(2)]
    for chat in ids:
        service.door("message", {"chat_id": chat, "text": "Ещё продаётся?"})
    return ids


def answer_refused():
    """What can never be sent is not tried again for ever."""
    with Simulator("--chats", "0") as service, tempfile.TemporaryDirectory() as folder:
        ids = chats_that_ask(service)
        for text in (" ", "д" * 1001, "д" * 9999):
            _, err = run(service, "14_answer_once", f"{folder}/state", text, code=1)
            check(err.count("\n") == 1, "14_answer_once ends by a text that cannot be sent, and says why", err)
        for status, said in ((400, "400"), (422, "unexpected status")):
            service.door("fault", {"plan": f"send_message:status={status}:1"})
            with Running(service, "14_answer_once", f"{folder}/state", "Да") as program:
                wait_for(lambda: sum(service.texts(chat).count("Да") for chat in ids) == 1)
                time.sleep(3)
            check(sorted(service.texts(chat).count("Да") for chat in ids) == [0, 1] and program.said.count(said) == 1,
                  f"14_answer_once: a refusal, {status}, is said once, and the other buyer has an answer", program.said)
            ids = chats_that_ask(service)


def notifier():
    with Simulator("--chats", "0") as service:
        chat = service.door("chat", {"item_title": "Велосипед\u001b[2J детский"})["chat_id"]
        service.door("message", {"chat_id": chat, "text": "Старое"})
        with Running(service, "15_notifier") as program:
            time.sleep(2)
            service.door("message", {"chat_id": chat, "author": "app", "text": "От магазина"})
            service.door("message", {"chat_id": chat, "text": "Ещё\nпродаётся?\u0007"})
            check(wait_for(lambda: program.said.count("\n") == 1, 25), "15_notifier tells of a new message", program.said)
        buyer = service.door("chats")["chats"][0].get("buyer_name")
        check(re.fullmatch(r"(.+), Велосипед ?\[2J детский: Ещё продаётся\?\n", program.said)
              and (buyer is None or program.said.startswith(buyer + ", ")),
              "15_notifier shows name, listing and text in one line, without control characters", program.said)


def json_lines():
    with Simulator("--chats", "0") as service:
        wanted = set()
        for i in range(3):
            chat = service.door("chat", {"item_title": f"Товар {i}"})["chat_id"]
            for n in range(120 if i == 0 else 2):
                wanted.add(service.door("message", {"chat_id": chat, "text": f"Вопрос {n} \"\\ 🙂"})["message_id"])
        out, _ = run(service, "17_json_lines")
        rows = [json.loads(line) for line in out.splitlines()]
        check({row["id"] for row in rows} == wanted and len(rows) == len(wanted),
              "17_json_lines gives each message of each chat, once", len(rows), len(wanted))
        check(all(row["content"]["text"].startswith("Вопрос ") and row["avito"]["class"] == "buyer"
                  and row["avito"]["item_title"].startswith("Товар ") for row in rows),
              "17_json_lines: the service's names, and ours under avito", rows[:1])
        service.door("fault", {"plan": "get_messages:status=403:2"})
        out, err = run(service, "17_json_lines", code=1)
        missing = wanted - {json.loads(line)["id"] for line in out.splitlines()}
        check(len(missing) in (2, 120) and err.count("u2i-") == 1,
              "17_json_lines: a chat that is refused is named, and the others are there", len(missing), err)


def ring_and_poll():
    def post(path, body):
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return connection.getresponse().status

    with Simulator("--chats", "1") as service, tempfile.TemporaryDirectory() as folder:
        chat = service.door("chats")["chats"][0]["id"]
        port = str(free_port())
        with Running(service, "18_notifications", port, "/avito/secret", f"{folder}/state") as program:
            time.sleep(2)
            polled = service.door("message", {"chat_id": chat, "text": "Без уведомления"})["message_id"]
            check(wait_for(lambda: f"{chat} {polled}\n" in program.said, 25),
                  "18_notifications finds by polling what nobody has told it", program.said)
            for i in range(3):
                rung = service.door("message", {"chat_id": chat, "text": f"С уведомлением {i}"})["message_id"]
                check(post("/avito/secret", {"id": "x", "payload": {"type": "message", "value": {}}}) == 200
                      and wait_for(lambda: f"{chat} {rung}\n" in program.said, 3),
                      "18_notifications has at once what it was told of", program.said)
            check(rests_beside(port, program), "18_notifications rests beside more silent peers than it has places")
            peer = socket.create_connection(("127.0.0.1", int(port)))  # which the program ends, so its port rests
            check(post("/avito/guess", {}) == 404, "18_notifications does not know another path")
        check(program.said.count("\n") == 4, "18_notifications gives each message once", program.said)
        with Running(service, "18_notifications", port, "/avito/secret", f"{folder}/state") as program:
            check(wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", int(port))) == 0, 10),
                  "18_notifications has its port again at once", program.said)
            peer.close()


def rests_beside(port, program):
    """Does it sleep while twelve peers, of which it serves eight at once, say nothing?"""
    peers = [socket.create_connection(("127.0.0.1", int(port))) for _ in range(12)]
    time.sleep(0.5)
    before = processor_s(program.process.pid)
    time.sleep(1)
    used = processor_s(program.process.pid) - before
    for peer in peers:
        peer.close()
    return used < 0.2


def readme_commands():
    """The README's way to try the examples on the simulator, except for the port."""
    with open("README.md", encoding="utf-8") as file:
        (block,) = re.findall(r"```sh\n(make simulator\n.*?)```", file.read(), re.S)
    port = str(free_port())
    commands = block.replace("8443", port).replace("make simulator\n", "").replace("build/03", f"{OUT}/03")
    commands = "trap 'kill $!' EXIT\n" + commands.replace("export AVITO_CL", "sleep 0.5; export AVITO_CL")
    done = subprocess.run(["sh", "-e", "-c", commands], stdout=subprocess.PIPE, text=True, check=False,
                          stderr=subprocess.STDOUT, timeout=60)
    check(done.returncode == 0 and "answered 3 chats" in done.stdout,
          "the README's commands work", commands, done.stdout)


def chats():
    with Simulator("--chats", "0") as service:
        ids = []
        for i in range(12):
            ids.append(service.door("chat", {"item_title": f"Товар {i}"})["chat_id"])
            service.door("message", {"chat_id": ids[-1], "text": f"Вопрос {i}\u0007"})
        service.door("read", {"chat_id": ids[3], "by": "app"})
        service.door("message", {"chat_id": ids[3], "author": "app", "text": "Уже ответил"})
        out, _ = run(service, "04_all_chats_parallel")
        lines = sorted(out.splitlines())
        check("12 chats" in lines and all(any(line.startswith(f"Товар {i}: ") for line in lines)
                                          for i in range(12)), "04_all_chats_parallel shows all chats", out)
        check(any("Товар 3: 2 messages, the last: Уже ответил" == line for line in lines)
              and "Товар 5: 1 messages, the last: Вопрос 5 " in lines,
              "04_all_chats_parallel shows the last message, without control characters", out)
        check(service.door("stats")["tokens_issued"] == 1, "04_all_chats_parallel shares one token")
        out, _ = run(service, "09_static_buffers")
        check(out.startswith("11 unread chats, 0 of them too large\n") and " client" not in out
              and re.search(r"^window: AVITO_WINDOW_MIN +512 B$", out, re.M),
              "09_static_buffers reads all unread chats in 512 B and a small arena", out)
        out, _ = run(service, "03_chats_and_reply", "Да, продаётся")
        check("answered 10 chats" in out, "03_chats_and_reply answers ten", out)
        out, _ = run(service, "03_chats_and_reply", "Да, продаётся")
        check("answered 1 chats" in out, "03_chats_and_reply answers the rest", out)
        answered = [service.texts(i).count("Да, продаётся") for i in ids]
        check(answered == [1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1],
              "03_chats_and_reply answers once whoever waits, and nobody else", answered)
        check(all(c["unread"] == 0 for c in service.door("chats")["chats"]),
              "03_chats_and_reply marks as read")


def images():
    with Simulator("--chats", "1") as service, tempfile.TemporaryDirectory() as folder:
        chat = service.door("chats")["chats"][0]["id"]
        for name, sent_as in (("Мой \"велосипед\".PNG", "Мой %22велосипед%22.PNG"), ("photo.png", "photo.png")):
            path = os.path.join(folder, name)
            with open(path, "wb") as file:
                file.write(picture())
            run(service, "05_upload_image", chat, path)
            check(service.door("uploads")["uploads"][-1]["file_name"] == sent_as,
                  f"05_upload_image sends {name}", service.door("uploads"))
        _, err = run(service, "05_upload_image", chat, path)
        upload = service.door("uploads")["uploads"][-1]
        check(upload["fnv1a"] == fnv1a(picture()) and upload["file_name"] == "photo.png"
              and upload["format"] == "png", "05_upload_image: the picture arrived byte for byte", upload)
        check(service.door("store")["messages"][-1]["image_id"] == upload["image_id"],
              "05_upload_image: the picture is in the chat")
        size = len(picture())
        check(f"{size} of {size} bytes" in err and err.count(" of ") > 5,
              "05_upload_image shows progress", err)
        for wrong in (os.path.join(folder, "large.png"), folder):
            if wrong != folder:
                with open(wrong, "wb") as file:
                    file.truncate(24 * 1024 * 1024 + 1)
            _, err = run(service, "05_upload_image", chat, wrong, code=2)
            check("24 MB" in err, "05_upload_image says how large a picture may be", err)
        _, err = run(service, "05_upload_image", chat, f"{folder}/none.png", code=2)
        check(err == f"{folder}/none.png: No such file or directory\n", "05_upload_image says that there is no such picture", err)
        service.door("fault", {"plan": "upload_image:status=413,early:1"})
        _, err = run(service, "05_upload_image", chat, path, code=1)
        check("TOO_LARGE" in err, "05_upload_image understands an early refusal", err)


def another_library():
    with Simulator() as service:
        out, _ = run(service, "07_openssl_transport")
        check(out == "account 350000001: Магазин\n", "07_openssl_transport shows the account", out)
        _, err = run(service, "07_openssl_transport", code=1, AVITO_CA_FILE=f"{CERTS}/other-root.pem")
        check("trust anchor" in err, "07_openssl_transport does not talk to a server that it does not know", err)


def own_transport():
    with Simulator() as service:
        command = ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile",
                   f"{CERTS}/roots.pem", "-connect", f"localhost:{service.ports['tls']}"]
        out, _ = run(service, "08_own_transport", *command)
        check(out == "account 350000001: Магазин\n", "08_own_transport shows the account", out)
        service.door("fault", {"plan": "get_self:delay=2000:1"})
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        run(service, "08_own_transport", *command)
        spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        check(spent < 0.3, "08_own_transport sleeps while it waits for an answer", spent)
        _, err = run(service, "08_own_transport", "false", code=1)
        check("CLOSED" in err or "RECV" in err or "SEND" in err, "08_own_transport: a command that ends is an error", err)
    # Too few descriptors for a command: then there is no child to kill, and kill(-1) would mean everybody.
    with open(f"{OUT}/kill.c", "w", encoding="ascii") as file:
        file.write("#include <stdio.h>\n#include <sys/types.h>\nint not_kill(pid_t pid, int number);\n"
                   "int not_kill(pid_t pid, int number)\n"
                   "{\n    (void)printf(\"kill %d %d\\n\", (int)pid, number);\n    return 0;\n}\n")
    done = subprocess.run([os.environ.get("CC", "gcc"), "-DAVITO_WITH_BEARSSL=0", "-Dkill=not_kill", "-I.",
                           "examples/08_own_transport.c", f"{OUT}/kill.c", "-o", f"{OUT}/08_no_command"],
                          check=False)
    done = subprocess.run(["sh", "-c", f"ulimit -n 4; exec {OUT}/08_no_command cat"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, check=False, text=True,
                          env={**os.environ, "AVITO_CLIENT_ID": "id", "AVITO_CLIENT_SECRET": "secret"})
    check(done.returncode == 1 and "CONNECT" in done.stderr and done.stdout == "",
          "08_own_transport kills nobody when it has started nobody", done.stdout, done.stderr)


class Stub(http.server.BaseHTTPRequestHandler):
    """A service with unexpected answers: rows without an id, ids that are numbers."""
    protocol_version = "HTTP/1.1"
    question = {"id": "m1", "author_id": 7, "created": 1700000000, "type": "text", "direction": "in",
                "content": {"text": "Ещё продаётся?"}}
    answers = {
        "token": {"access_token": "a" * 40, "expires_in": 86400, "token_type": "Bearer"},
        "self": {"id": 5, "name": "Магазин"},
        "chats": {"chats": [{"last_message": question}, {"id": 7, "last_message": question},
                            {"id": "u2i-a", "updated": 1700000000, "last_message": question}]},
        "messages": {"messages": [{"type": "text", "content": {"text": "?"}}, question]}}
    sent = []
    refusals = None  # chat: status of an answer into it; each chat has its own message then

    def do_GET(self):
        path, _, query = self.path.partition("?")
        what = path.rstrip("/").split("/")[-1]
        answer = self.answers.get(what, {"ok": True})
        if what == "messages" and self.refusals is not None:
            chat = path.rstrip("/").split("/")[-2]
            answer = {what: [c["last_message"] for c in self.answers["chats"]["chats"] if c["id"] == chat]}
        if what in answer:
            asked = dict(part.split("=") for part in query.split("&") if "=" in part)
            first = int(asked.get("offset", 0))
            answer = {what: answer[what][first:first + int(asked.get("limit", 100))]}
        self.reply(answer)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.rstrip("/").endswith("/messages"):
            chat = self.path.split("/")[-2]
            if chat in (self.refusals or {}):
                self.reply({"error": {"message": "no"}}, self.refusals[chat])
                return
            self.sent.append(chat)
            self.reply({"id": "m2", "created": 1700000001, "type": "text",
                        "content": json.loads(body)["message"]})
        else:
            self.do_GET()

    def reply(self, answer, status=200):
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass

    @classmethod
    def start(cls):
        server = http.server.ThreadingHTTPServer(("localhost", 0), cls)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{CERTS}/ec.crt", f"{CERTS}/ec.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        service = Simulator()
        service.ports = {"tls": str(server.server_port)}
        return server, service


def odd_answers():
    server, service = Stub.start()
    out, _ = run(service, "03_chats_and_reply", "Да")
    check("answered 1 chats" in out and "passed over" in out and Stub.sent == ["u2i-a"],
          "03_chats_and_reply skips what it cannot take, and answers the others", out, Stub.sent)
    out, err = run(service, "17_json_lines", code=1)
    check([json.loads(line).get("id") for line in out.splitlines()] == [None, "m1"] and err.startswith("1 chats are left out"),
          "17_json_lines tells of chats that it cannot read, and the messages of the others are there", out, err)
    out, err = run(service, "10_error_handling", "u2i-a", "Да")
    check(out == "sent\n", "10_error_handling: the newest message has no id", out, err)
    Stub.answers["chats"] = {"chats": Stub.answers["chats"]["chats"][2:]}
    with tempfile.TemporaryDirectory() as folder, Bot(service, folder, "Да") as running:
        wait_for(lambda: len(Stub.sent) == 3)
    check(Stub.sent == ["u2i-a"] * 3, "11_auto_answer_bot: the newest message has no id", running.said)
    server.shutdown()


def one_chat_fails():
    """Chat a never accepts an answer, and b not yet: c still gets its own, and b once it accepts it."""
    server, service = Stub.start()
    Stub.answers["chats"] = {"chats": [
        {"id": f"u2i-{name}", "updated": 1700000003 - i,
         "last_message": {**Stub.question, "id": f"m-{name}", "created": 1700000003 - i}}
        for i, name in enumerate("cba")]}
    Stub.refusals = {"u2i-a": 403, "u2i-b": 500}
    Stub.sent = []
    with tempfile.TemporaryDirectory() as folder:
        with Bot(service, folder, "Да") as running:
            wait_for(lambda: Stub.sent)
            time.sleep(2.5)
        check(Stub.sent == ["u2i-c"], "11_auto_answer_bot: chats that fail do not hold up another",
              Stub.sent, running.said)
        check(running.said.count("u2i-a: not answered, given up: FORBIDDEN") == 1
              and running.said.count("u2i-b: perhaps answered, tried again later: SERVER") == 1
              and running.said.count("u2i-a: answering") == 1 and running.said.count("u2i-b: answering") > 1,
              "11_auto_answer_bot says once who has no answer, and tries again what may pass", running.said)
        Stub.refusals = {}
        with Bot(service, folder, "Да") as running:
            wait_for(lambda: len(Stub.sent) > 1)
            time.sleep(2.5)
        check(Stub.sent == ["u2i-c", "u2i-b"],
              "11_auto_answer_bot: an answer that is owed is given after a restart", Stub.sent, running.said)
    Stub.refusals = None
    server.shutdown()


def notifications():
    for name, expected in (("webhook_text", "Ещё"), ("webhook_voice", "voice ")):
        for path in sorted(glob.glob(f"tests/data/*{name}*.txt"))[:1]:
            with open(path, "rb") as file:
                run(None, "06_parse_webhook", stdin=file.read())
    body = ('{"id":"d1","version":"v3.0.0","timestamp":1700000000,"payload":{"type":"message","value":'
            '{"id":"m1","chat_id":"u2i-1","user_id":5,"author_id":7,"created":1700000000,"type":"text",'
            '"chat_type":"u2i","content":{"text":"\\u0422\\u043e\\u0440\\u0433?\\u001b[2J"},"item_id":1}}}')
    out, _ = run(None, "06_parse_webhook", stdin=body.encode())
    check(out == "message m1\nchat    u2i-1\nauthor  7\ntype    text\ncontent Торг? [2J\n",
          "06_parse_webhook shows the event, without control characters", out)
    out, _ = run(None, "06_parse_webhook", stdin=b"{}")
    check(out == "a probe: {}\n", "06_parse_webhook knows the probe", out)
    _, err = run(None, "06_parse_webhook", stdin=body[:-1].encode(), code=1)
    check(err.startswith("JSON"), "06_parse_webhook refuses half a body", err)
    unknown()


def unknown():
    body = ('{"payload":{"type":"message","value":{"id":"m1","type":"%s","content":{"%s":{"pack_id":7,'
            '"title":"\\u041a\\u043e\\u0442 \\u001b[2J","tags":["cat","wave"]}}}}}')
    out, _ = run(None, "13_unknown_type", stdin=(body % ("sticker", "sticker")).encode())
    check(out == "sticker of pack 7: Кот  [2J #cat #wave\n", "13_unknown_type shows the sticker", out)
    out, _ = run(None, "13_unknown_type", stdin=(body % ("dance", "dance")).encode())
    check(out == 'unknown content: {"dance":{"pack_id":7,"title":"\\u041a\\u043e\\u0442 \\u001b[2J",'
          '"tags":["cat","wave"]}}\n', "13_unknown_type shows what it does not know as it came", out)
    _, err = run(None, "13_unknown_type", stdin=body[:-1].encode(), code=1)
    check(err.startswith("JSON"), "13_unknown_type refuses half a body", err)


def errors():
    def once(plan, text, code):
        service.door("fault", {"clear": True})
        service.door("fault", {"plan": plan})
        out, err = run(service, "10_error_handling", chat, text, code=code)
        return out + err, service.texts(chat).count(text)

    with Simulator("--chats", "1") as service:
        chat = service.door("chats")["chats"][0]["id"]
        said, count = once("send_message:status=429,retry_after=1:1", "А", 0)
        check(said == "sent\n" and count == 1, "10_error_handling: 429 is waited for", said)
        said, count = once("get_self:status=503:1", "Б", 0)
        check(said == "sent\n" and count == 1, "10_error_handling: reads are tried again", said)
        said, count = once("send_message:stored_no_answer:1", "В", 0)
        check("outcome: cannot tell" in said and said.startswith("sent\n") and count == 1,
              "10_error_handling: what may have been sent is looked for, not sent again", said)
        said, count = once("send_message:status=402:0", "Г", 1)
        check("PAYMENT" in said and "HTTP 402" in said and count == 0,
              "10_error_handling: an unpaid tariff is not tried again", said)
        said, count = once("*:delay=1:1", "", 1)
        check("AVITO_ERR_TEXT" in said and "outcome: not sent" in said, "10_error_handling: an empty text", said)


class Bot:
    """with Bot(service, folder, text) as running: ... killed at the end; running.said is what it wrote."""

    def __init__(self, service, folder, text, disk_full=False):
        def fill_disk():
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

        self.said = ""
        self.process = subprocess.Popen(
            [f"{OUT}/11_auto_answer_bot", f"{folder}/state", text], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, preexec_fn=fill_disk if disk_full else None,
            restore_signals=False,  # Python ignores SIGXFSZ: a write over the limit fails then
            env=service.environment(AVITO_BOT_POLL_MS="200", AVITO_BOT_GRACE_S="1"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.said = self.process.communicate()[0]


def bot_in_trouble():
    with Simulator("--chats", "0") as service, tempfile.TemporaryDirectory() as folder:
        for text in ("", " \r\n", "я" * 1001):
            _, err = run(service, "11_auto_answer_bot", f"{folder}/none", text, code=2)
            check("TEXT" in err, "11_auto_answer_bot refuses at once what cannot be sent", err)
        _, err = run(service, "11_auto_answer_bot", "/dev/null/state", "Да", code=2)
        check("Not a directory" in err, "11_auto_answer_bot says why it cannot use the folder", err)

        service.door("option", {"trim_text": 1})
        chat = service.door("chat", {})["chat_id"]
        service.door("message", {"chat_id": chat, "text": "Ещё продаётся?"})
        with Bot(service, folder, " Да,\r\nпродаётся \n", disk_full=True) as running:
            time.sleep(2)
        check("FOLDER cannot be written: File too large" in running.said and len(service.texts(chat)) == 1,
              "11_auto_answer_bot on a full disk says so, and sends nothing", running.said)
        with Bot(service, folder, " Да,\r\nпродаётся \n") as running:
            wait_for(lambda: len(service.texts(chat)) == 2)
            _, err = run(service, "11_auto_answer_bot", f"{folder}/state", "Да", code=2)
            check("another bot" in err, "11_auto_answer_bot does not share its folder", err)
            for number in range(2, 4):
                service.door("message", {"chat_id": chat, "text": f"Ау {number}"})
                time.sleep(1.5)
        check(service.texts(chat) == ["Ещё продаётся?", "Да,\nпродаётся", "Ау 2", "Ау 3"],
              "11_auto_answer_bot answers once, whatever blanks its text has", service.texts(chat),
              running.said)

        for slot in glob.glob(f"{folder}/state/inbox.*"):
            with open(slot, "r+b") as file:
                file.write(b"damaged")
        service.door("message", {"chat_id": chat, "text": "Ау 4"})
        with Bot(service, folder, " Да,\r\nпродаётся \n") as running:
            time.sleep(2)
        check("state in FOLDER is damaged" in running.said and service.texts(chat)[-1] == "Ау 4",
              "11_auto_answer_bot tells that its state was lost, and repeats nothing", running.said)


def bot():
    """Killed again and again while buyers write, answers get lost, and messages show up late."""
    answer, random_ = "Да! Отвечу подробно через час.", random.Random(11)
    with Simulator("--chats", "0") as service, tempfile.TemporaryDirectory() as folder:
        ids = [service.door("chat", {})["chat_id"] for _ in range(12)]
        for chat in ids[:8]:
            service.door("message", {"chat_id": chat, "text": "Ещё продаётся?"})
        service.door("option", {"visible_after_ms": 300})
        service.door("fault", {"plan": "send_message:stored_no_answer:3:2"})
        service.door("fault", {"plan": "send_message:delay=60:0"})
        counts, kills, end = [], 0, time.monotonic() + 60
        while (kills < 15 or not counts or min(counts) == 0) and time.monotonic() < end:
            with open(f"{OUT}/bot.txt", "a", encoding="utf-8") as log:
                process = subprocess.Popen(
                    [f"{OUT}/11_auto_answer_bot", f"{folder}/state", answer], stdout=log, stderr=log,
                    env=service.environment(AVITO_BOT_POLL_MS="200", AVITO_BOT_GRACE_S="2"))
            time.sleep(random_.uniform(0.03, 1.2))
            service.door("message", {"chat_id": ids[kills % 12], "text": "Ау"})
            process.kill()
            process.wait()
            kills += 1
            counts = [service.texts(chat).count(answer) for chat in ids]
        with open(f"{OUT}/bot.txt", encoding="utf-8") as log:
            check(counts == [1] * 12, f"11_auto_answer_bot: each of 12 buyers has one answer after "
                  f"{kills} times kill -9", counts, log.read())


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    interface(INTERFACE)
    lines = set()
    for path in sorted(glob.glob("examples/[0-9][0-9]_*.c")):
        example(path, lines)
    for part in (russian, readme, readme_commands, short_ones, usages, sending, chats, images, photo, another_library, own_transport,
                 odd_answers, one_chat_fails, notifications, notifier, json_lines, ring_and_poll, errors, bot_in_trouble, bot, answer_once, answer_refused):
        part()


if __name__ == "__main__":
    sys.exit(main())
