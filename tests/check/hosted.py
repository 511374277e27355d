"""One struct with everything (avito_posix_*): what it says when something is missing, look-ups that do not
delay other work, programs that share a token, and a message that is sent once whatever happens."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from examples import check
from linked import LIBRARY, interface
from simulated import CERTS, Simulator

PROGRAM = "build/check/hosted"


def build():
    os.makedirs(os.path.dirname(PROGRAM), exist_ok=True)
    done = subprocess.run([*os.environ.get("CC", "gcc").split(), "-std=gnu11", "-g", "-Wall", "-Wextra", "-Wshadow",
                           "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
                           f"-I{interface(f'{PROGRAM}.interface')}", "-I.",
                           "tests/check/hosted.c", LIBRARY, "-o", PROGRAM, "-lbearssl"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return check(done.returncode == 0, "the program builds", done.stdout)


def run(environment, *arguments, timeout=60):
    done = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=environment, timeout=timeout, check=False)
    return done.stdout


def opening():
    good = {"PATH": os.environ["PATH"], "AVITO_CLIENT_ID": "id", "AVITO_CLIENT_SECRET": "secret",
            "AVITO_CA_FILE": f"{CERTS}/roots.pem"}
    check(re.match(r"open, \d+ roots\n$", run(good, "open")), "it opens from the environment", run(good, "open"))
    for change, expected in (
            ({"AVITO_CLIENT_ID": ""}, "OPTION_CREDENTIALS: no client_id; give it, or set AVITO_CLIENT_ID"),
            ({"AVITO_CLIENT_ID": "я"}, "OPTION_CREDENTIALS: no client_id"),
            ({"AVITO_CLIENT_SECRET": None}, "OPTION_CREDENTIALS: no client_secret; give it, or set AVITO_CLIENT_SECRET"),
            ({"AVITO_HOST": "https://api.avito.ru"}, "OPTION_HOST: https://api.avito.ru: not a host (AVITO_HOST); a"),
            ({"AVITO_HOST": "a" * 300}, "OPTION_HOST: aaa"),
            ({"AVITO_PORT": "80a"}, "ARGUMENT: 80a: not a port (AVITO_PORT); a number from 1 to 65535"),
            ({"AVITO_PORT": "65536"}, "ARGUMENT: 65536: not a port"),
            ({"AVITO_CA_FILE": "/nowhere.pem"}, "OPTION_ANCHORS: /nowhere.pem: cannot be read, or has no certificate"),
            ({"AVITO_CA_FILE": "README.md"}, "OPTION_ANCHORS: README.md: cannot be read, or has no certificate")):
        said = run({k: v for k, v in {**good, **change}.items() if v is not None}, "open")
        check(said.startswith(expected) and len(said) < 600 and "secret\n" not in said,
              f"it says what is missing: {expected[:60]}", said)
    del good["AVITO_CA_FILE"]
    said = run(good, "open")
    check(re.match(r"open, \d\d+ roots\n$", said), "it finds the system's roots", said)
    with open(f"{CERTS}/roots.pem", encoding="ascii") as file:
        count = file.read().count("BEGIN CERTIFICATE")
    said = run({**good, "SSL_CERT_FILE": f"{CERTS}/roots.pem"}, "open")
    check(said == f"open, {count} roots\n", "SSL_CERT_FILE names other roots", said)


def look_ups():
    with Simulator() as service:
        out = run(service.environment(), "wait", "", "2")
        check(out.startswith("account 350000001\naccount 350000001\nlook-ups 2,"),
              "a lane that waits looks its name up for each connection", out)
        out = run(service.environment(LOOK_UP="700:127.0.0.1"), "step", "", "2")
        longest = int(re.search(r"longest (\d+) ms", out).group(1))
        check(out.startswith("account 350000001\naccount 350000001\nlook-ups 1,"),
              "a lane that never waits looks it up once", out)
        check(longest < 350, "no step waits for a look-up that takes 700 ms", out)
        out = run(service.environment(LOOK_UP="0:127.1.2.3,0:127.0.0.1"), "step", "", "3")
        check(out.startswith("CONNECT: no address accepted a connection; check network, DNS and firewall\n"
                             "account 350000001\naccount 350000001\nlook-ups 2,"),
              "the name is looked up again when nobody is there", out)
        out = run(service.environment(LOOK_UP="0:-", AVITO_HOST="nowhere.test"), "step", "", "2")
        check(out.count("RESOLVE: no address for the host name; check network, DNS and firewall\n") == 2
              and "look-ups 3," in out, "a look-up that failed is tried again at each call, also the one at the opening", out)
        for way in ("wait", "step"):
            out = run(service.environment(LOOK_UP="0:-"), way, "", "1")
            check(out.startswith("account 350000001\n"), f"localhost needs no hosts file: {way}", out)
        out = run(service.environment(LOOK_UP="300:127.0.0.1"), "gone")
        check(out == "gone\n", "it may be closed and gone while a name is being looked up", out)


def sharing():
    with Simulator() as service, tempfile.TemporaryDirectory() as folder:
        state = f"{folder}/state"
        for way in ("wait", "step", "wait"):
            out = run(service.environment(), way, state, "2")
            check(out.count("account 350000001") == 2, f"with a folder: {way}", out)
        check(service.door("stats")["tokens_issued"] == 1, "the token outlives the program")
        out = run(service.environment(AVITO_CLIENT_SECRET="another"), "wait", state, "1")
        check("account" in out, "the stored token is used", out)
        out = run(service.environment(AVITO_CLIENT_ID="another"), "wait", state, "1")
        check(out.startswith("CREDENTIALS: token request was refused; check client_id and client_secret"),
              "but not for another client id", out)
        out = run(service.environment(), "wait", "/dev/null/x", "1")
        check(out == "FILE: /dev/null/x: cannot be made: Not a directory\n", "a folder that cannot be made is said", out)
        done = subprocess.run(["sh", "-c", f"ulimit -f 0; exec {PROGRAM} wait {folder}/full 1"], stdout=subprocess.PIPE,
                              env=service.environment(), text=True, check=False, restore_signals=False)
        check("HOOK: one of your hooks returned an error: " in done.stdout and "File too large" in done.stdout,
              "a token that cannot be stored is said, with the file and why", done.stdout)


def once():
    with Simulator("--chats", "1") as service, tempfile.TemporaryDirectory() as folder:
        chat = service.door("chats")["chats"][0]["id"]

        def send(key, text, plan=None, **more):
            if plan:
                service.door("fault", {"plan": plan})
            out = run(service.environment(**more), "once", f"{folder}/state", chat, key, text)
            service.door("fault", {"clear": True})
            return out, service.texts(chat).count(text)

        check(send("1", "А") == ("0 sent\n", 1), "a key that is new is sent")
        check(send("1", "А") == ("2 sent\n", 1), "a key that is settled is not")
        out, count = send("2", "Б", "send_message:stored_no_answer:1")
        check("cannot tell" in out and count == 1, "an answer that is lost: cannot tell", out, count)
        check(send("2", "Б") == ("0 sent\n", 1), "the next call sees that it was sent")
        out, count = send("3", "В", "send_message:status=503:1")
        check("cannot tell" in out and count == 0, "a server that fails: cannot tell", out, count)
        check(send("3", "В") == ("2 cannot tell\n", 0), "what is not seen in time is not sent again")
        check(send("3", "В") == ("2 cannot tell\n", 0), "and stays so")
        out, count = send("4", "Г", "send_message:status=429:1")
        check("not sent" in out and count == 0, "a refusal: not sent", out, count)
        check(send("4", "Г") == ("0 sent\n", 1), "its key is free again")
        check(send("5", "А") == ("0 sent\n", 2), "the same text under another key is another message")
        out, count = send("6", "А", "send_message:status=503:1")
        check("cannot tell" in out, "the same text again, in doubt", out)
        check(send("6", "А") == ("2 cannot tell\n", 2), "messages of other keys are not taken for it")
        out, _ = send("7", "")
        check(out.startswith("TEXT") and out.endswith("-1 not sent\n"), "an empty text is not sent", out)

        service.door("fault", {"plan": "send_message:delay=400:0"})
        for i in range(6):
            process = subprocess.Popen([PROGRAM, "once", f"{folder}/state", chat, f"kill {i}", f"К{i}"],
                                       env=service.environment(), stdout=subprocess.DEVNULL)
            time.sleep(0.15 + 0.1 * i)
            process.send_signal(signal.SIGKILL)
            process.wait()
        service.door("fault", {"clear": True})
        time.sleep(0.5)
        results = [send(f"kill {i}", f"К{i}") for i in range(6)]
        check(all(count == 1 if "sent" in out and "cannot" not in out else count == 0 for out, count in results)
              and all(count <= 1 for _, count in results), "killed while it sends: once, or it says that it cannot tell",
              results)


def told():
    """What became of a send, according to the store."""
    with Simulator("--chats", "1") as service, tempfile.TemporaryDirectory() as folder:
        chat = service.door("chats")["chats"][0]["id"]

        def send(how, key, text, plan=None):
            if plan:
                service.door("fault", {"plan": plan})
            out = run(service.environment(), how, f"{folder}/state", chat, key, text)
            service.door("fault", {"clear": True})
            return out

        def newest():
            return [m for m in service.door("store")["messages"] if m["chat_id"] == chat][-1]

        out = send("told", "1", "А")
        last = newest()["id"]
        check(out == f"0 sent\nkey 1, chat {chat}, text А, id {last}, settled\n", "the id of what was sent", out, last)
        check(send("told", "1", "А") == "2 sent" + out[6:], "and of what was sent before")
        out = send("told", "2", "Б", "send_message:stored_no_answer:1")
        check(out.endswith(f"-1 cannot tell\nkey 2, chat {chat}, text Б, id , not settled\n"), "no id while nobody knows", out)
        out = send("told", "2", "Б")
        check(out == f"0 sent\nkey 2, chat {chat}, text Б, id {newest()['id']}, settled\n", "it is there when the chat was read back", out)
        picture = f"{folder}/a.jpg"
        with open(picture, "wb") as file:
            file.write(b"\xff\xd8\xff\xe0" + bytes(100) + b"\xff\xd9")
        out = send("picture", "3", picture)
        check(out == f"0 sent\nkey 3, chat {chat}, text , id {newest()['id']}, settled\n" and newest()["type"] == "image",
              "a picture once, and its id", out, newest())
        check(send("picture", "3", picture).startswith("2 sent\n"), "and not again")
        out = send("picture", "4", picture, "send_image_message:stored_no_answer:1")
        check("-1 cannot tell\n" in out, "a picture whose answer is lost: cannot tell", out)
        count = len(service.door("store")["messages"])
        out = send("picture", "4", picture)
        check(out.startswith("0 sent\n") and f"id {newest()['id']}, settled" in out and len(service.door("store")["messages"]) == count,
              "is found in the chat, and not sent again", out)


def folders():
    """Which token is used, and what happens where nothing can be stored."""
    with Simulator() as service, tempfile.TemporaryDirectory() as folder:
        state = f"{folder}/state"
        run(service.environment(), "wait", state, "1")
        with open(f"{state}/tokens", encoding="utf-8") as file:
            first = file.read()
        out = run(service.environment(), "consent", state, "1")
        check(out.startswith("REFRESH_TOKEN: refresh token was refused or may be spent"),
              "an account by consent uses no token without a refresh token, and asks for none", out)
        out = run(service.environment(AVITO_CLIENT_SECRET="another"), "fresh", state, "1")
        check(out.startswith("CREDENTIALS"), "a login does not use the stored token", out)
        out = run(service.environment(), "fresh", state, "2")
        with open(f"{state}/tokens", encoding="utf-8") as file:
            second = file.read()
        check(out.count("account 350000001") == 2 and second != first, "its own is kept", out)
        out = run(service.environment(AVITO_CLIENT_SECRET="another"), "wait", state, "1")
        check("account 350000001" in out, "and used from then on", out)
        out = run(service.environment(), "reading", "/dev/null/x", "2")
        check(out.count("account 350000001") == 2 and "not kept: /dev/null/x: cannot be made: Not a directory\n" in out,
              "who only reads goes on without a folder, and can say so", out)
        done = subprocess.run(["sh", "-c", f"ulimit -f 0; exec {PROGRAM} reading {folder}/full 2"], stdout=subprocess.PIPE,
                              env=service.environment(), text=True, check=False, restore_signals=False)
        check(done.stdout.count("account 350000001") == 2 and "not kept: " in done.stdout and "File too large" in done.stdout,
              "... and where the token cannot be written", done.stdout)


def signing_in():
    def sign_in(ca_file, **more):
        done = subprocess.run([PROGRAM, "sign-in", ca_file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=service.environment(**more), timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    with Simulator() as service:
        roots = f"{CERTS}/roots.pem"
        status, out, err = sign_in(roots, AVITO_CA_FILE="/nowhere.pem")
        check(status == 0 and out.startswith("account 350000001, ") and err == "",
              "signing in says whose account it is; .ca_file goes before the environment", status, out, err)
        status, out, err = sign_in("README.md")
        check(status == 1 and out == "" and err.startswith("README.md: cannot be read, or has no certificate in PEM")
              and err.endswith("\n"), "a program's end says on standard error what went wrong", status, out, err)
        status, out, err = sign_in(roots, AVITO_CLIENT_ID="another")
        check(status == 1 and "token request was refused" in err, "signing in with a wrong id is refused", status, out, err)


def inbox():
    with Simulator("--chats", "1") as service, tempfile.TemporaryDirectory() as folder:
        state = f"{folder}/state"
        chat = service.door("chat", {})["chat_id"]
        for text in ("Раз", "Два"):
            service.door("message", {"chat_id": chat, "text": text})
        seen = []
        for _ in range(8):  # the chat that the simulator began with may hold messages, too
            out = run(service.environment(), "inbox", state).split("\n")
            check(out[0].startswith("account 350000001") and len(out) == 3, "an inbox in the folder gives a message", out)
            seen.append(out[1])
            if "Раз" in seen and "Два" in seen:
                break
        check("Раз" in seen and "Два" in seen and len(seen) == len(set(seen)),
              "each program goes on where the one before has accepted", seen)

        holder = subprocess.Popen([PROGRAM, "hold", state], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  env=service.environment(), text=True)
        check(holder.stdout.readline() == "held\n", "a program takes the inbox")
        owner = re.compile(rf"\b{holder.pid}\b.*hosted")
        out = run(service.environment(), "hold", state)
        check(out.startswith("BUSY: ") and owner.search(out), "another one is told who has it", out)
        out = run(service.environment(), "inbox", state)
        check(owner.search(out) and "Раз" not in out, "an inbox of another one is not opened", out)
        holder.communicate("\n", timeout=30)
        out = subprocess.run([PROGRAM, "hold", state], input="\n", stdout=subprocess.PIPE, text=True,
                             env=service.environment(), timeout=30, check=False).stdout
        check(out == "held\n", "when it has ended, another one may take it", out)


def main():
    if build():
        for part in (opening, look_ups, sharing, once, told, folders, signing_in, inbox):
            part()


if __name__ == "__main__":
    sys.exit(main())
