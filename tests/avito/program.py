"""The program avito, driven as people and scripts do, against the simulator over TLS. Prints "ok - what" / "not ok - what"."""
import fcntl
import glob
import json
import os
import pty
import re
import resource
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, "tests/check")
from made_up import MadeUp  # noqa: E402
from processes import free_port, processor_s, wait_for  # noqa: E402
from simulated import Simulator  # noqa: E402
from telling import check, failures  # noqa: E402

PROGRAM = os.path.abspath("build/avito.san")
PLAIN = os.path.abspath("build/avito")  # where a sanitizer would be in the way


class Home:
    """A home folder, and the program run in it."""

    def __init__(self, service, folder, **more):
        self.folder = folder
        self.environment = service.environment(
            HOME=folder, XDG_STATE_HOME=f"{folder}/state", XDG_CONFIG_HOME=f"{folder}/config",
            LC_ALL="C.UTF-8", **more)
        for name in ("NO_COLOR", "AVITO_ACCOUNT"):
            self.environment.pop(name, None)

    def run(self, *words, stdin=None, **more):
        return subprocess.run([PROGRAM, *words], input=stdin, capture_output=True, text=True, timeout=60,
                              env={**self.environment, **more}, check=False)

    def lines(self, *words):
        return [json.loads(line) for line in self.run(*words, "--json").stdout.splitlines()]

    def start(self, *words, **more):
        return subprocess.Popen([PROGRAM, *words], env={**self.environment, **more}, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def start_with_input(self, *words):
        return subprocess.Popen([PROGRAM, *words], env=self.environment, text=True, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def in_terminal(home, *words, columns=80, typed=""):
    """What a person sees: the program in a pseudo-terminal."""
    child, fd = pty.fork()
    if child == 0:
        os.execve(PROGRAM, [PROGRAM, *words], {**home.environment, "TERM": "xterm"})
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    seen, waiting = b"", [line + "\n" for line in typed.splitlines()]
    while True:
        if waiting and seen.endswith(b": "):
            os.write(fd, waiting.pop(0).encode())
        if select.select([fd], [], [], 20)[0] == []:
            os.kill(child, signal.SIGKILL)
            break
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
    _, status = os.waitpid(child, 0)
    return seen.decode("utf-8", "replace"), os.waitstatus_to_exitcode(status)


def everything_in_file(path):
    with open(path, "rb") as file:
        return file.read().decode("utf-8", "replace")


def everything_in(folder):
    return "".join(everything_in_file(os.path.join(root, name)) for root, _, names in os.walk(folder) for name in names)


def first_chat(home):
    return home.lines("chats")[0]["id"]


# ---- scenes ----

def words_of_the_command_line(home):
    for words, status, said in [
            ([], 0, "usage: avito"), (["--help"], 0, "usage: avito"), (["help", "send"], 0, "--split"),
            (["send", "--help"], 0, "--split"), (["--version"], 0, "BearSSL"),
            (["sned"], 2, "did you mean send? See: avito help"), (["--json", "chats"], 2, "--json: options stand behind the command"), (["--version", "-x"], 2, "-x: options stand"), (["xyzzy"], 2, "no command xyzzy; see: avito help"),
            (["chats", "--jsn"], 2, "did you mean --json?"),
            (["chats", "--limit", "0"], 2, "from 1 to"), (["chats", "--limit"], 2, "needs a value"),
            (["chats", "--type", "x"], 2, "u2i u2u a2u"), (["chats", "--json=1"], 2, "has no value"),
            (["chat"], 2, "usage: avito chat CHAT"), (["chats", "-jz"], 2, "unknown option -jz"), (["chats", "-jl"], 2, "--limit needs a value"),
            (["chats", "so many"], 2, "too many: so many; see: avito chats --help"), (["webhook", "list", "all"], 2, "too many: all"),
            (["webhook", "serve", "x"], 2, "too many: x"), (["--version", "x"], 2, "no command x"),
            (["webhook", "lst"], 2, "usage: avito webhook list | add"), (["webhook", "add"], 2, "usage: avito webhook add URL"),
            (["webhook", "list", "--listen", "127.0.0.1:1"], 2, "webhook list has no option --listen"), (["webhook", "--path-file", "x", "list"], 2, "list has no option --path-file"),
            (["webhook", "add", "https://a", "--listen", "127.0.0.1:1"], 2, "add has no option --listen"), (["webhook", "remove", "a", "--format", "x"], 2, "remove has no option --format"),
            (["webhook", "serve", "--format", "%(url)"], 2, "%(author)"), (["webhook", "list", "--format", "%(text)"], 2, "names: %(url) %(version)\n"),
            *((["watch", "--since", time], 2, "not a time") for time in ("2026-02-31", "2026-13-01", "2026-10-31T25:00:00Z", "2026-10-31T12:00", "2026-10-31T12:00:00Zz",
               "2026-10-31 12:00:00", "2026-10", "-2026-10-31", "2026-10-31-", "26-10-31T", "T")), (["watch", "--since", ""], 2, "--since needs a value"), (["watch", "--exec="], 2, "--exec needs a value"), (["watch", "--since", "2026-1-5T1:2:3Z", "--count", "0"], 2, "--count"),
            (["webhook", "add", "shop.example"], 2, "begins with https://"), (["webhook", "add", "https://shop example"], 2, "has no blanks"),
            (["chats", "-a", "../config"], 2, "no account ../config"), (["export", "a", "b"], 2, "too many: b"),
            (["chats", "--format", "%(nmae)"], 2, "%(name)"),
            (["chats", "--all", "-l", "3"], 2, "--all and --limit do not go together; see: avito chats --help"),
            (["messages", "a", "--limit=3", "--all"], 2, "--all and --limit do not"), (["whoami", "--json", "--format", "%(id)"], 2, "--json and --format do not"),
            (["webhook", "list", "-j", "--format", "%(url)"], 2, "--json and --format do not"), (["watch", "--unread", "--since", "1"], 2, "--since and --unread do not"),
            (["watch", "--exec", "true", "--format", "%(id)"], 2, "--exec and --format do not"), (["watch", "--give-up", "2"], 2, "--give-up is nothing without --exec"),
            (["watch", "-x", "true", "-x", "true"], 2, "--exec stands twice"), (["send", "a", "--image", "a", "--image", "b"], 2, "--image stands twice"),
            (["chats", "-t", "u2i", "--type", "u2u"], 2, "--type stands twice"), (["login", "a", "--account", "b"], 2, "two names: a and --account b"),
            *(([*words, option], 2, f"avito {words[0]} has no option {option}") for words, option in (
               (["gateway"], "--dry-run"), (["gateway"], "--json"), (["gateway"], "--account"), (["watch"], "--dry-run"), (["login"], "--dry-run"))),
            (["block", "x"], 2, "not an id"), (["completion", "tcsh"], 2, "bash, zsh and fish"),
            (["block", "1", "-i", "2", "-i", "3"], 2, "one --item"), (["watch", "--since", "soon"], 2, "not a time"), (["watch", "--since", "9" * 20], 2, "not a time"), (["send", "a"], 2, "text is missing")]:
        done = home.run(*words)
        check("avito " + " ".join(words), done.returncode == status and said in done.stdout + done.stderr,
              f"{done.returncode} {done.stdout[:200]} {done.stderr[:200]}")
    done = home.run("chats", XDG_STATE_HOME="/" + "x" * 4000)
    check("a folder whose name is too long is said", done.returncode == 2 and "XDG_STATE_HOME: File name too long" in done.stderr, done)
    done = [home.run(*words).stdout for words in (["help", "chats"], ["help", "gateway"], ["completion", "zsh"])]
    check("help and completion have no option that the command has not", "--dry-run" in done[0] and "--dry-run" not in done[1] and
          "--dry-run" not in done[2].partition(" gateway) ")[2].partition(";;")[0], done[1:])
    russian = home.run("help", LC_ALL="ru_RU.UTF-8")
    check("help in Russian", "вызов: avito" in russian.stdout)


def completions_and_manual(home):
    for shell, test in (("bash", ["bash", "-n"]), ("zsh", None), ("fish", None)):
        script = home.run("completion", shell).stdout
        check(f"completion for {shell}", "--unread" in script or "-l unread" in script)
        if test:
            done = subprocess.run(test, input=script, text=True, capture_output=True, check=False)
            check(f"completion for {shell} is valid", done.returncode == 0, done.stderr)
    page = home.run("--manual").stdout
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-Kutf8"], input=page, text=True, capture_output=True,
                          check=False) if shutil_which("groff") else None
    if done:
        check("the manual page is valid", done.returncode == 0 and done.stderr == "", done.stderr[:300])
    for command in re.findall(r"^  (\w+) ", home.run("help").stdout.split("commands take")[0], re.M):
        check(f"the manual page has {command}", f".SS avito {command}" in page)
    letters = re.findall(r"^  (-\w, --\S+)", home.run("watch", "--help").stdout, re.M)
    missing = [name for name in letters if f"\n.B {name}" not in page.replace("\\-", "-")]
    check("the manual page has the letters of options", letters and not missing, missing)


def shutil_which(name):
    return any(os.access(os.path.join(p, name), os.X_OK) for p in os.environ["PATH"].split(":"))


def reading(service, home):
    me = home.lines("whoami")[0]
    check("whoami --json has the service's names", {"id", "name", "email", "phones"} <= me.keys(), me)
    chats = home.lines("chats")
    check("chats --json", len(chats) == 3 and all({"id", "updated", "users", "last_message"} <= c.keys() for c in chats), chats)
    check("chats --limit 2", len(home.lines("chats", "--limit", "2")) == 2)
    for words in (["-jql2"], ["-jl", "2", "-q"], ["-qjl=2"]):
        done = home.run("chats", *words)
        check(f"chats {' '.join(words)}", [line[:1] for line in done.stdout.splitlines()] == ["{"] * 2 or "=" in words[0] and done.returncode == 2, done)
    check("chats --format", home.run("chats", "--format", "%(id)\\t%(name)").stdout.count("\t") == 3)
    chat = chats[0]["id"]
    check("chat", home.lines("chat", chat)[0]["id"] == chat)
    check("an unknown chat is status 5", home.run("chat", "u2i-nothing").returncode == 5)
    messages = home.lines("messages", chat)
    check("messages --json", messages and {"id", "author_id", "created", "type", "content"} <= messages[-1].keys(), messages)
    check("... says which chat, whose and of which listing",
          all(m["chat_id"] == chat and {"author_name", "item_title"} <= m["avito"].keys() for m in messages), messages)
    voice = service.door("message", {"chat_id": chat, "type": "voice"})["message_id"]
    held = [m for m in home.lines("messages", chat) if m["id"] == voice][0]
    got = home.lines("voice", held["content"]["voice"]["voice_id"])
    check("voice", got and got[0]["url"].startswith("https://"), got)
    check("messages shows a person the id that voice takes", held["content"]["voice"]["voice_id"] in home.run("messages", chat).stdout)
    for ids, locale, said in (([voice, "--quiet"], "C.UTF-8", "avito messages shows them"), ([got[0]["voice_id"], voice], "ru_RU.UTF-8", "id покажет avito messages")):
        done = home.run("voice", *ids, LC_ALL=locale)
        check(f"voice of an unknown id is status 5 and says which, {locale}", done.returncode == 5 and done.stderr.count(voice) == 1 and said in done.stderr and
              done.stdout.count("https://") == len(ids) - 1 - ("--quiet" in ids), done)


def members_of(value):
    """The names of our own members, at any depth."""
    if isinstance(value, list):
        return set().union(*(members_of(v) for v in value)) if value else set()
    return set(value).union(*(members_of(v) for v in value.values())) if isinstance(value, dict) else set()


def json_of_every_command(service, home):
    """Each command prints one object a line; our own names in it are those of the manual, in both languages."""
    chat = first_chat(home)
    held = service.door("message", {"chat_id": chat, "type": "voice"})["message_id"]
    voice = [m for m in home.lines("messages", chat) if m["id"] == held][0]["content"]["voice"]["voice_id"]
    sent = home.lines("send", chat, "для удаления")[0]["id"]
    hook = "https://shop.example/secret-path"
    own = set()
    for words, names in (
            (["whoami"], {"id", "name", "email", "phones"}), (["chats"], {"id", "users", "last_message"}), (["chat", chat], {"id", "users", "context"}),
            (["messages", chat, "--limit", "1"], {"id", "author_id", "content", "chat_id", "avito"}), (["send", chat, "раз"], {"id", "chat_id", "avito"}),
            (["send", chat, "--image", "tools/simulator/web/page.png"], {"id", "chat_id", "avito"}), (["read", chat], {"ok"}), (["delete", chat, sent], {"ok"}),
            (["block", "115721966"], {"ok"}), (["voice", voice], {"voice_id", "url"}), (["confirm", chat], {"chat_id", "avito"}),
            (["webhook", "add", hook], {"ok"}), (["webhook", "list"], {"url", "version"}), (["webhook", "remove", hook], {"ok"}),
            (["watch", "--since", "1", "--count", "1"], {"id", "chat_id", "avito"}), (["export"], {"avito"}),
            (["send", chat, "нет", "--dry-run"], {"avito"}), (["webhook", "add", hook, "--dry-run"], {"avito"})):
        done = home.run(*words, "--json", XDG_STATE_HOME=f"{home.folder}/state of this scene")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        check(f"{words[0]} --json", done.returncode == 0 and lines and names <= lines[-1].keys(), done)
        check(f"... {words[-1]} shows no secret", "secret-path" not in done.stdout + done.stderr or words[:2] == ["webhook", "list"], done)
        own |= members_of([line.get("avito", {}) for line in lines])
    for locale in ("C.UTF-8", "ru_RU.UTF-8"):
        manual = re.sub(r"\\(.)", r"\1", home.run("--manual", LC_ALL=locale).stdout)
        section = manual[manual.index(".SH \"JSON\""):]
        missing = [name for name in own if not re.search(rf"\b{name}\b", section)]
        check(f"the manual has each name of our own, {locale}", own >= {"class", "outcome", "would_send", "in_doubt", "user_id"} and not missing, missing)


def lines_as_asked(home):
    """--format: each name of each command is accepted and prints something; other names are refused;
    commands that print no lines do not have the option."""
    chat = first_chat(home)
    for words in (["whoami"], ["chats"], ["chat", chat], ["messages", chat], ["send", chat, "строкой"]):
        names = home.run(*words, "--format", "%(nothing)").stderr.rpartition("names:")[2].split()
        done = home.run(*words, "--format", "\t".join(names))
        last = (done.stdout.splitlines() or [""])[-1].split("\t")
        check(f"{words[0]} --format with {len(names)} names", len(names) > 2 and len(last) == len(names) and all(last), done)
        check("... which its help and the manual have", all(name in home.run("help", words[0]).stdout and name in home.run("--manual").stdout for name in names))
    for words in (["read", chat], ["block", "1"], ["export"], ["login"]):
        done = home.run(*words, "--format", "%(id)")
        check(f"{words[0]} has no --format, and says so", done.returncode == 2 and "no option --format" in done.stderr, done)


def sending(service, home):
    chat = first_chat(home)
    done = home.run("send", chat, "Здравствуйте!")
    check("send", done.returncode == 0 and service.texts(chat)[-1] == "Здравствуйте!", done.stderr)
    done = home.run("send", chat, "-", stdin="из трубы\nв две строки\n")
    check("send -", service.texts(chat)[-1] == "из трубы\nв две строки", service.texts(chat)[-1])
    before = len(service.texts(chat))
    for text, said in (("   ", "blank"), ("x" * 1001, "--split"), ("a\0b", "NUL")):
        done = home.run("send", chat, "-", stdin=text)
        check(f"a text that cannot be sent is status 2: {said}", done.returncode == 2 and said in done.stderr, done.stderr)
    check("... and nothing was sent", len(service.texts(chat)) == before)
    for text, status, parts in (("🙂" * 1000, 0, [1000]), ("🙂" * 1001, 2, []), ("\udc80" * 5000, 2, []), ("\udc80" * 900, 2, [])):
        before = len(service.texts(chat))
        done = home.run("send", chat, f" {text}\n")
        check(f"{len(text)} characters beyond U+FFFF: status {status}", done.returncode == status and [len(t) for t in service.texts(chat)[before:]] == parts, done)
    before = len(service.texts(chat))
    check("... in parts each of which any way of counting takes", home.run("send", "--split", chat, "🙂" * 1001).returncode == 0 and
          [len(t) for t in service.texts(chat)[before:]] == [500, 500, 1], service.texts(chat)[before:])
    before = len(service.texts(chat))
    long = " ".join(["слово"] * 400)
    check("send --split", home.run("send", "--split", chat, long).returncode == 0)
    check("... in parts", "".join(service.texts(chat)[before:]).replace(" ", "") == long.replace(" ", ""))
    before = len(service.texts(chat))
    done = home.run("send", "--dry-run", chat, "нет")
    check("send --dry-run", done.returncode == 0 and len(service.texts(chat)) == before, done.stderr)
    check("... shows the request", f"/chats/{chat}/messages\n" in done.stdout and '"нет"' in done.stdout, done.stdout)
    check("... and leaves no note", "нет" not in everything_in(f"{home.folder}/state"))
    picture = "tools/simulator/web/page.png"
    for dry in (["delete", chat, "1"], ["read", chat], ["block", "12"], ["send", chat, "--image", picture]):
        done = home.run(*dry, "--dry-run")
        check(f"{dry[0]} --dry-run", done.returncode == 0 and "POST /" in done.stdout, (done.stdout, done.stderr))
    for path, status, said in (("README.md", 2, "no JPEG"), ("tools", 1, "Is a directory"), ("/nowhere", 1, "No such file")):
        done = home.run("send", chat, "--image", path)
        check(f"send --image {path} says why not", done.returncode == status and f"{path}: " in done.stderr and said in done.stderr, done.stderr)
    sent = home.lines("send", chat, "Вот она", "--image", picture)
    there = [m["id"] for m in home.lines("messages", chat)][-2:]
    check("send --image with a text: the text after the picture; --json has the ids",
          [m["id"] for m in sent] == there and all(m["chat_id"] == chat for m in sent), (sent, there))
    last = home.lines("messages", chat)[-1]["id"]
    check("delete", home.run("delete", chat, last).returncode == 0)
    check("read", home.run("read", chat).returncode == 0)
    check("block", home.run("block", "115721966", "--reason", "spam").returncode == 0)


def pictures_that_are_none(home, folder):
    """No file name makes it wait for ever."""
    chat, pipe = first_chat(home), f"{folder}/pipe"
    os.mkfifo(pipe)
    with open(f"{folder}/empty", "wb"):
        pass
    for path, status, said in ((pipe, 1, "a pipe: save the picture"), ("/dev/zero", 2, "this is no JPEG"), ("/dev/null", 2, "this is no JPEG"),
                               (f"{folder}/empty", 2, "this is no JPEG")):
        done = home.run("send", chat, "--image", path)
        check(f"send --image {os.path.basename(path)} says why not", done.returncode == status and f"{path}: {said}" in done.stderr, done)
    done = home.run("send", chat, "--image", pipe, LC_ALL="ru_RU.UTF-8")
    check("... in Russian too", done.returncode == 1 and "это канал" in done.stderr, done)
    with open("/dev/zero", "rb") as endless:
        done = subprocess.run([PROGRAM, "login"], stdin=endless, capture_output=True, text=True, timeout=60, env=home.environment, check=False)
    check("login from what never ends is status 2", done.returncode == 2 and "too long" in done.stderr, done)


def asked_to_wait(service, home):
    """The service asks for a pause: whoever waits is told how long, and no longer than a command may take."""
    chat = first_chat(home)
    for words, locale, said in ((["send", chat, "после паузы"], "C.UTF-8", "avito: the service asks to wait 6 s: waiting\n"),
                                (["chats"], "ru_RU.UTF-8", "avito: сервис просит подождать 6 с: жду\n"), (["send", chat, "молча", "--quiet"], "C.UTF-8", "")):
        operation = "send_message" if words[0] == "send" else "get_chats"
        service.door("fault", {"plan": f"{operation}:status=429,retry_after=6:1"})
        began = time.monotonic()
        done = home.run(*words, LC_ALL=locale)
        check(f"{words[0]} {words[-1]}: a pause of 6 s is said once, and kept", done.returncode == 0 and done.stderr.replace("Sent.\n", "") == said and
              time.monotonic() - began >= 6, done)
    check("... and then sent, once", [service.texts(chat).count(text) for text in ("после паузы", "молча")] == [1, 1], service.texts(chat))
    service.door("fault", {"plan": "send_message:status=429,retry_after=86400:1"})
    done = home.run("send", chat, "завтра")
    check("a pause of a day is not waited for, and said", done.returncode == 5 and done.stderr.count("asks to wait 86400 s\n") == 1 and
          service.texts(chat).count("завтра") == 0, done)
    state = {"XDG_STATE_HOME": f"{home.folder}/state of pauses"}
    home.run("watch", "--timeout", "1", **state)
    service.door("fault", {"plan": "get_chats:status=429,retry_after=120:9"})
    began = time.monotonic()
    done = home.run("watch", "--timeout", "3", **state)
    service.door("fault", {"clear": True})
    check("watch --timeout holds while the service asks for a longer pause", done.returncode == 7 and time.monotonic() - began < 15 and "wait 120 s" in done.stderr, done)
    done = home.run("watch", "--timeout", "1", "--since", "1", **state)
    check("watch --since after the first run says that it does not count", done.returncode == 7 and "count in the first run" in done.stderr, done)
    done = home.run("watch", "--timeout", "1", "--unread", LC_ALL="ru_RU.UTF-8", **state)
    check("... --unread, too, in Russian", "при первом запуске" in done.stderr, done)
    done = home.run("watch", "--timeout", "9", "--count", "1", "--since", "1", XDG_STATE_HOME=f"{home.folder}/first")
    check("... in the first run it does, and nothing is said", done.returncode == 0 and done.stderr == "", done)


def unheard(service, home):
    """What was done, and cannot be printed, is not to be done again."""
    chat = first_chat(home)
    picture = ["--image", "tools/simulator/web/page.png"]

    def into_full(*words, **more):
        with open("/dev/full", "w", encoding="ascii") as full:
            return subprocess.run([PROGRAM, *words], stdout=full, stderr=subprocess.PIPE, env={**home.environment, **more}, text=True, timeout=60, check=False)

    for words, parts in ((["раз", "--json"], 1), (["два", "--format", "%(id)"], 1), (["три", "--json", *picture], 2), (["слово " * 400, "--split", "--json"], 3)):
        before = len(home.lines("messages", chat, "--all"))
        done = into_full("send", chat, *words)
        ids = [m["id"] for m in home.lines("messages", chat, "--all")[before:]]
        check(f"send {words[1:]} into a full disk: all of it is sent, status 6, and the ids are said", done.returncode == 6 and len(ids) == parts and
              all(f"The message was sent ({i}): do not" in done.stderr for i in ids) and "No space" in done.stderr, done)
    done = home.run("confirm", chat, "раз", "--json")
    check("... confirm has the id", done.returncode == 0 and json.loads(done.stdout)["id"] in [m["id"] for m in home.lines("messages", chat, "--all")], done)
    done = into_full("confirm", chat, "раз", "--json", LC_ALL="ru_RU.UTF-8")
    check("... and may be asked again", done.returncode == 6 and "не отправляйте" in done.stderr, done)
    before = len(service.texts(chat))
    done = subprocess.run(f"{PROGRAM} send {chat} --split --json '{'слово ' * 400}' | true; exit $PIPESTATUS", shell=True, executable="/bin/bash",
                          env=home.environment, capture_output=True, text=True, timeout=60, check=False)
    check("send --split whose reader goes sends all parts, and says which", done.returncode == 6 and len(service.texts(chat)) == before + 3 and
          done.stderr.count("was sent (") == 3, done)
    own = home.lines("messages", chat)[-1]["id"]
    for words, said in ((["read", chat], "Marked as read."), (["delete", chat, own], "Deleted."), (["block", "12"], "Blocked."),
                        (["webhook", "add", "https://shop.example/a"], "Subscribed."), (["webhook", "remove", "https://shop.example/a"], "Unsubscribed.")):
        done = into_full(*words, "--json")
        check(f"{' '.join(words[:2])} into a full disk is status 1, and says that it is done", done.returncode == 1 and said in done.stderr and "No space" in done.stderr, done)


def interrupted_send(service, home):
    """Ctrl-C while a message may have left: a person is told not to send it again."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that began us in the background ignores it
    chat = first_chat(home)
    before = service.door("stats")["operations"]["send_message"]["served"]
    for locale, said in (("C.UTF-8", "do not send it again, but ask later: avito confirm"), ("ru_RU.UTF-8", "не отправляйте снова")):
        service.door("fault", {"plan": "send_message:delay=20000:1"})
        program = home.start("send", chat, "прервано", LC_ALL=locale)
        before += 1
        wait_for(lambda: service.door("stats")["operations"]["send_message"]["served"] >= before, 20)
        program.send_signal(signal.SIGINT)
        said_now = program.communicate(timeout=20)[1]
        check(f"Ctrl-C in a send says that it may have left, {locale}", program.returncode == -signal.SIGINT and said in said_now, (program.returncode, said_now))
    service.door("fault", {"clear": True})
    check("... and confirm tells", home.run("confirm", chat, "прервано").returncode in (0, 6))


def doubts(service, home):
    chat = first_chat(home)
    service.door("fault", {"plan": "send_message:stored_no_answer:1"})
    done = home.run("send", chat, "дошло?")
    check("a send that is settled by reading back", done.returncode in (0, 6), done.stderr)
    check("... is there once", service.texts(chat).count("дошло?") == 1)
    check("confirm finds it", home.run("confirm", chat, "дошло?").returncode == 0)
    service.door("fault", {"plan": "send_message:status=500:1"})
    done = home.run("send", "--json", chat, "5xx")
    check("a 500 is status 6, or settled", done.returncode in (0, 6), (done.returncode, done.stderr))
    service.door("fault", {"plan": "send_message:status=500:1"})
    done = [home.run(*words, chat, "равные").returncode for words in (["send"], ["send"], ["confirm"])]
    check("of two equal texts the one that was sent is not taken for the other", done == [6, 0, 6], done)
    home.run("send", chat, "как набрано")
    service.door("fault", {"plan": "send_message:status=500:1"})
    done = [home.run(word, chat, "-", stdin=" как набрано \r\n").returncode for word in ("send", "confirm")]
    check("confirm with a text as it was typed finds the send, not an older message of this text", done == [6, 6], done)
    service.door("fault", {"plan": "send_message:status=500:1"})
    long = " ".join(["долго"] * 300)
    done = [home.run(*words, chat, long).returncode for words in (["send", "--split"], ["confirm"])]
    check("... and one part of a long text", done == [6, 6], done)
    service.door("fault", {"plan": "send_message:status=500:1"})
    done = [home.run(word, chat, "🙂" * 700).returncode for word in ("send", "confirm")]
    check("... and a text that is one message by its characters", done == [6, 6], done)
    for words, locale, said in ((["--quiet"], "C.UTF-8", "do not send it again, but ask later"), (["--json"], "ru_RU.UTF-8", "не отправляйте снова, а спросите позже")):
        service.door("fault", {"plan": "send_message:status=500:1"})
        done = home.run("send", chat, "повторить?", *words, LC_ALL=locale)
        check(f"a send in doubt, {words[0]}: nothing invites a second one", done.returncode == 6 and said in done.stderr and
              not re.search("try again|повторите|error\\.", done.stdout + done.stderr), done)
    check("confirm of a blank text is status 2", home.run("confirm", chat, " ").returncode == 2)


def watching(service, home, folder):
    chat = first_chat(home)
    check("watch --timeout: nothing came", home.run("watch", "--timeout", "1").returncode == 7)
    watch = home.start("watch", "--json", "--count", "1", "--timeout", "40")
    owner = f"{folder}/state/avito/default/inbox.lock"
    deadline = time.time() + 20
    while time.time() < deadline and not (os.path.exists(owner) and str(watch.pid) in open(owner, encoding="utf-8").read()):
        time.sleep(0.02)
    second = home.run("watch", "--timeout", "1")
    check("a second watch says who has the inbox", second.returncode == 1 and str(watch.pid) in second.stderr and
          second.stderr.startswith("avito: another program has it"), second.stderr)
    second = home.run("watch", "--timeout", "1", LC_ALL="ru_RU.UTF-8")
    check("... in Russian too", second.returncode == 1 and str(watch.pid) in second.stderr and "занято" in second.stderr, second.stderr)
    check("send works meanwhile", home.run("send", chat, "пока смотрим").returncode == 0)
    out, _ = watch.communicate(timeout=60)
    check("watch --json --count 1", watch.returncode == 0 and len(out.splitlines()) == 1 and json.loads(out)["chat_id"], out)
    home.run("watch", "--timeout", "2", "--json")
    service.door("message", {"chat_id": chat, "text": "секрет?"})
    script = f"cat >{folder}/in.json; env >{folder}/env.txt"
    done = home.run("watch", "--count", "1", "--timeout", "40", "--exec", script)
    with open(f"{folder}/env.txt", encoding="utf-8") as file:
        environment = file.read()
    with open(f"{folder}/in.json", encoding="utf-8") as file:
        message = json.load(file)
    check("watch --exec", done.returncode == 0 and message["content"]["text"] == "секрет?", done.stderr)
    check("... says whose it is and of which listing", message["avito"]["author_name"] and message["avito"]["item_title"], message)
    check("no secret in its environment", "AVITO_CLIENT" not in environment)
    service.door("message", {"chat_id": chat, "text": "без статуса?"})
    done = subprocess.run([PROGRAM, "watch", "--count", "1", "--timeout", "20", "--exec", "true"], env=home.environment, capture_output=True,
                          text=True, timeout=60, check=False, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    check("--exec has the command's status, also if SIGCHLD is ignored around it", done.returncode == 0 and done.stderr == "", done)
    service.door("message", {"chat_id": chat, "text": "не берут"})
    done = home.run("watch", "--count", "1", "--timeout", "3", "--exec", "false")
    check("--timeout ends a command that fails again and again, and the message stays", done.returncode == 1, (done.returncode, done.stderr))
    done = home.run("watch", "--count", "1", "--timeout", "40", "--exec", "false", "--give-up", "2")
    aside = f"{folder}/state/avito/default/aside.jsonl"
    service.door("message", {"chat_id": chat, "text": "сразу в сторону"})
    once = home.run("watch", "--count", "1", "--timeout", "40", "--exec", "false", "--give-up", "1")
    check("--give-up 1 does not say that the command is run again", once.returncode == 0 and "again" not in once.stderr and "aside" in once.stderr, once.stderr)
    check("--give-up sets a message aside", done.returncode == 0 and os.path.exists(aside) and "не берут" in open(aside, encoding="utf-8").read(), done.stderr)
    service.door("message", {"chat_id": chat, "text": "в закрытую трубу"})
    done = subprocess.run(f"{PROGRAM} watch --count 1 --timeout 40 | true; exit $PIPESTATUS", shell=True, executable="/bin/bash",
                          env=home.environment, capture_output=True, text=True, timeout=60, check=False)
    out = home.lines("watch", "--count", "1", "--timeout", "40")
    check("a closed pipe loses nothing", out and out[0]["content"]["text"] == "в закрытую трубу", (done.returncode, out))
    check("... and is not complained about", done.stderr == "", done.stderr)


def ends_of_hung_commands(service, home, folder):
    """--timeout ends a command that hangs, with all that it has started, and the message stays. So does Ctrl-C."""
    service.door("message", {"chat_id": first_chat(home), "text": "зависнет"})
    for script in ("sleep 300; true", "trap '' TERM; sleep 300; true", "cat | sleep 300"):
        begin = time.monotonic()
        with home.start("watch", "--count", "1", "--timeout", "3", "--exec", script) as watch:
            try:
                _, said = watch.communicate(timeout=20)  # nobody holds its output any more
            except subprocess.TimeoutExpired:
                watch.kill()
                said = "it hangs"
        check(f"--timeout ends {script}", watch.returncode == 1 and "the message stays" in said and time.monotonic() - begin < 15,
              (watch.returncode, said, time.monotonic() - begin))
    with home.start("watch", "--count", "1", "--timeout", "60", "--exec", f"echo $$ >{folder}/pid; exec sleep 300") as watch:
        pid = wait_for(lambda: os.path.exists(f"{folder}/pid") and open(f"{folder}/pid", encoding="ascii").read())
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=20)
    check("Ctrl-C ends the command, too", watch.returncode == -signal.SIGINT and wait_for(lambda: not os.path.exists(f"/proc/{int(pid)}"), 5), pid)
    done = home.run("watch", "--count", "1", "--timeout", "20", "--exec", "cat")
    check("... and the message comes again", done.returncode == 0 and "зависнет" in done.stdout, done)


def killed_while_watching(service, home, folder, times):
    """kill -9 at any moment of watch --exec: each message reaches the command at least once."""
    chat = first_chat(home)
    log = f"{folder}/seen.txt"
    home.run("watch", "--timeout", "1", "--json")
    for i in range(times):
        service.door("message", {"chat_id": chat, "text": f"№{i}"})
        watch = home.start("watch", "--exec", f"cat >>{log}")
        time.sleep(0.02 + (i * 37 % 50) / 100)
        watch.send_signal(signal.SIGKILL)
        watch.communicate()
    missing, moved = None, time.time()
    while missing != [] and time.time() - moved < 60:  # as long as it moves: the speed depends on the machine
        home.run("watch", "--timeout", "2", "--exec", f"cat >>{log}")
        with open(log, encoding="utf-8") as file:
            seen = file.read()
        left = [i for i in range(times) if f'"№{i}"' not in seen]
        moved = time.time() if left != missing else moved
        missing = left
    check(f"kill -9, {times} times: nothing lost", missing == [], missing)


def exporting(service, home, folder):
    path = f"{folder}/export.jsonl"
    done = home.run("export", path)
    lines = [json.loads(line) for line in open(path, encoding="utf-8")]
    check("export", done.returncode == 0 and lines[-1]["avito"]["export"] == "complete", done.stderr)
    messages = [m["id"] for m in lines if "content" in m or "chat_id" in m]
    check("export: nothing twice", len(messages) == len(set(messages)))
    done = home.run("export", "-")
    check("export - is standard output", done.returncode == 0 and '"export":"complete"' in done.stdout and not os.path.exists("-"), done)
    check("export: everything", len(messages) == len(service.door("store")["messages"]), len(messages))
    with open(path, encoding="utf-8") as file:
        whole = file.read()
    for cut in range(1, len(whole.encode()), max(1, len(whole.encode()) // 12)):
        with open(path, "wb") as file:
            file.write(whole.encode()[:cut])
        done = home.run("export", path)
        again = [json.loads(line) for line in open(path, encoding="utf-8")]
        ids = [m["id"] for m in again if "chat_id" in m]
        if done.returncode != 0 or sorted(ids) != sorted(messages):
            check(f"export continued at byte {cut}", False, done.stderr)
            return
    check("export continued wherever it was cut", True)
    service.door("fault", {"plan": "get_chat:status=404:1"})
    done = home.run("export")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    check("export: a chat that is gone is counted, the others are there", done.returncode == 0 and "404" in done.stderr and
          lines[-1]["avito"].get("skipped") == 1 and len([m for m in lines if "users" in m]) == lines[-1]["avito"]["chats"] - 1, done.stderr)
    exporting_without_a_chat(service, home, folder)
    exporting_over(home, folder, path)


def exporting_without_a_chat(service, home, folder):
    """A chat that the service refuses, or answers with nonsense, is left out; the next run into the same file gets it."""
    every = {m["id"] for m in service.door("store")["messages"]}
    chats = len(service.door("chats")["chats"])
    for i, plan in enumerate(("get_chat:status=403:2", "get_messages:status=403:2", "get_messages:status=500:3", "get_chat:body=array:1")):
        path = f"{folder}/partial{i}.jsonl"
        service.door("fault", {"plan": plan})
        done = home.run("export", path, LC_ALL="ru_RU.UTF-8" if i == 1 else "C.UTF-8")
        lines = [json.loads(line) for line in everything_in_file(path).splitlines()]
        shown = [m for m in lines if "users" in m]
        check(f"export, {plan}: the other chats are there, and it is said", done.returncode == 5 and len(shown) == chats - 1 and "u2i-" in done.stderr and
              lines[-1]["avito"]["export"] == "partial" and lines[-1]["avito"]["skipped"] == 1 and
              ("запустите позже" if i == 1 else "start it again later") in done.stderr, (done, lines[-1:]))
        service.door("fault", {"clear": True})
        done = home.run("export", path)
        lines = [json.loads(line) for line in everything_in_file(path).splitlines()]
        ids = [m["id"] for m in lines if "chat_id" in m]
        check("... and started again it has them all, once", done.returncode == 0 and sorted(ids) == sorted(every) and
              lines[-1]["avito"]["export"] == "complete", done)
    service.door("fault", {"plan": "get_chat:status=500:1000"})
    done = home.run("export")
    service.door("fault", {"clear": True})
    check("export of a server that fails at every chat ends", done.returncode == 5 and done.stderr.count("5xx") == 3 and "complete" not in done.stdout, done.stderr)


def exporting_over(home, folder, path):
    """What is no export, and what the program cannot open an account for, keeps its bytes; a device has no bytes to keep."""
    notes = f"{folder}/notes.txt"
    with open(notes, "w", encoding="utf-8") as file:
        file.write("{\"mine\": 1}\n")
    done = home.run("export", notes)
    with open(notes, encoding="utf-8") as file:
        check("export: a file of somebody else's is left alone", done.returncode == 2 and file.read() == "{\"mine\": 1}\n"
              and "no export" in done.stderr, done.stderr)
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) - 200)
    before = os.path.getsize(path)
    done = home.run("export", path, AVITO_CLIENT_ID="")
    check("export: without an account an unfinished one is not cut", done.returncode == 2 and os.path.getsize(path) == before, done.stderr)
    with open(path, "rb") as other:  # as another run holds it
        fcntl.flock(other, fcntl.LOCK_EX)
        for locale, said in (("C.UTF-8", "another program has it"), ("ru_RU.UTF-8", "занято другой программой")):
            done = home.run("export", path, LC_ALL=locale)
            check(f"export: a file that another run writes is left to it, {locale}", done.returncode == 1 and os.path.getsize(path) == before and
                  f"{path}: {said}" in done.stderr, done.stderr)
    done = [p.wait() for p in [home.start("export", path) for _ in range(2)]]
    check("export: of two at once one writes", 0 in done and set(done) <= {0, 1} and len({m["id"] for m in map(json.loads, open(path, encoding="utf-8")) if "chat_id" in m})
          == sum('"chat_id"' in line for line in open(path, encoding="utf-8")), done)
    done = home.run("export", "/dev/full")
    check("export into a device that is full says so", done.returncode == 1 and "No space left" in done.stderr, done.stderr)


def terminal(service, home):
    nasty = service.door("chat", {"buyer_name": "Зло\u202e\x1b[31mкрасное\u200f", "item_title": "\x07звонок"})["chat_id"]
    service.door("message", {"chat_id": nasty, "text": "стоп\x1b]0;заголовок\x07 и \u2028дальше"})
    for columns in (40, 80, 200):
        seen, status = in_terminal(home, "chats", columns=columns)
        plain = re.sub(r"\x1b\[\d*m", "", seen)
        check(f"a terminal of {columns} columns", status == 0 and max(map(len, plain.splitlines())) <= columns, plain)
        check("... without control characters of strangers",
              not re.search("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\u202a-\u202e\u2028\u200e\u200f]", plain), repr(plain))
        seen, _ = in_terminal(home, "chats", "--format", "%(name) %(text)", columns=columns)
        check("... nor with --format", not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f\u202a-\u202e\u200f]", seen), repr(seen))
        for language in ("C.UTF-8", "ru_RU.UTF-8"):
            home.environment["LC_ALL"] = language
            seen, _ = in_terminal(home, "help", "watch", columns=columns)
            check(f"... help in {language} fits", max(map(len, seen.splitlines())) <= columns, seen)
        home.environment["LC_ALL"] = "C.UTF-8"
    text = "\x9b31mкрасное\x7f ±"
    service.door("message", {"chat_id": nasty, "text": text})
    for words in (["chats"], ["chat", nasty], ["messages", nasty]):
        seen, _ = in_terminal(home, *words, "--json")
        held = json.dumps([json.loads(line) for line in seen.split("\n") if line])
        check(f"{words[0]} --json escapes what a terminal would obey, and keeps it", not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", seen) and
              json.dumps(text)[1:-1] in held, repr(seen[:300]))
    seen, status = in_terminal(home, "messages", nasty, columns=40)
    check("messages in 40 columns", status == 0 and "заголовок" in seen and "\x1b]" not in seen, repr(seen))
    for words, said in ((["send", nasty, "да"], "Sent."), (["webhook", "list"], "No subscriptions."),
                        (["chats", "--item", "1"], "No chats."), (["chats", "--item", "1", "--unread"], "No unread chats."),
                        (["watch", "--timeout", "1"], "waiting for messages; Ctrl-C ends it"), (["watch", "--timeout", "1"], "Nothing came in time.")):
        seen, _ = in_terminal(home, *words)
        check(f"{words[0]} tells a person: {said}", said in seen, seen)
    seen, _ = in_terminal(home, "export")
    check("export on a terminal: lines, and no progress between them", "complete" in seen and "\x1b[K" not in seen, seen[:200])


def login_by_consent(service, home, client_id, secret):
    """avito login --browser: the account of another person, who allows it in a browser."""
    code = service.door("code", {"scope": "user:read,messenger:read,messenger:write"})["code"]
    seen, status = in_terminal(home, "login", "--browser", "partner", typed=f"{client_id}\n{secret}\n{code}\n")
    check("login --browser in a terminal", status == 0, seen)
    check("... prints the address", re.search(r"https://avito\.ru/oauth\?response_type=code&pro_users_flow=true&client_id=[^ ]*&scope=user%3Aread%2Cmessenger%3Aread%2Cmessenger%3Awrite&state=[0-9a-f]{32}\b", seen), seen)
    tokens = f"{home.folder}/state/avito/partner/tokens"

    def refresh_token():
        with open(tokens, encoding="utf-8") as file:
            return re.search("^refresh[ =]+(.*)$", file.read(), re.M)[1]

    first = refresh_token()
    check("... keeps the refresh token, 0600", first and stat.S_IMODE(os.stat(tokens).st_mode) == 0o600)
    check("... and is used", home.run("whoami", "-a", "partner").returncode == 0)
    service.door("tokens", {"do": "expire"})
    check("a token that ran out is renewed by it", home.run("whoami", "-a", "partner").returncode == 0 and refresh_token() != first)
    os.rename(tokens, tokens + ".away")
    done = home.run("whoami", "-a", "partner")
    check("without it the account of the client id's owner is not opened",
          done.returncode == 4 and "avito login --browser partner" in done.stderr, done.stderr)
    os.rename(tokens + ".away", tokens)
    for answer, status in ((code, 4), ("https://shop.example/?code=abc&state=of-another", 2), ("", 2)):
        done = home.run("login", "--browser", "third", stdin=f"{client_id}\n{secret}\n{answer}\n")
        check(f"login --browser with {answer[:30] or 'no code'!r} is status {status}",
              done.returncode == status and not os.path.exists(f"{home.folder}/state/avito/third/credentials"), (done.returncode, done.stderr))
    pasted = home.start_with_input("login", "--browser", "third", "--json")
    pasted.stdin.write(f"{client_id}\n{secret}\n")
    pasted.stdin.flush()
    line = pasted.stdout.readline()
    state = line.partition("state=")[2][:32]
    code = service.door("code", {"scope": "user:read,messenger:read,messenger:write"})["code"]
    out, said = pasted.communicate(f"https://shop.example/back?code=%{ord(code[0]):02X}{code[1:]}&state={state}\n", timeout=60)
    check("login --browser with the whole address, percent-encoded", pasted.returncode == 0, said)
    check("... --json: each line is an object", "https://" in json.loads(line)["avito"]["url"] and json.loads(out)["avito"]["account"] == "third", (line, out))


def interrupted_login(home):
    """Ctrl-C where the secret is not shown: the terminal shows again what is typed."""
    ours, its = pty.openpty()

    def with_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests themselves run in the background

    shell = ["sh", "-c", f"trap : INT; {PROGRAM} login; echo status $?.; read line"]
    with subprocess.Popen(shell, stdin=its, stdout=its, stderr=its, env=home.environment, preexec_fn=with_terminal) as program:
        hidden = []
        for question, typed in ((b"client id: ", b"id\n"), (b"client secret: ", b"\x03"), (b"status 130.", b"\n")):
            seen = b""
            while question not in seen and select.select([ours], [], [], 20)[0]:
                seen += os.read(ours, 4096)
            check(f"login asks, and ends by Ctrl-C: {question.decode()}", question in seen, seen)
            hidden.append(termios.tcgetattr(its)[3] & termios.ECHO == 0)
            os.write(ours, typed)
        try:
            program.wait(20)
        except subprocess.TimeoutExpired:
            program.kill()
    check("Ctrl-C where the secret is asked for: the terminal shows again what is typed", hidden == [False, True, False], hidden)
    os.close(ours)
    os.close(its)


def logged_in_by_name(home, client_id, secret):
    """The only account of avito login needs no --account, whatever its name."""
    home.run("login", "shop", stdin=f"{client_id}\n{secret}\n")
    done = home.run("whoami")
    check("the only account that is logged in is taken", done.returncode == 0, done.stderr)
    home.run("login", "garage", stdin=f"{client_id}\n{secret}\n")
    done = home.run("whoami")
    check("of two it asks which, and names them", done.returncode == 2 and "garage" in done.stderr and "shop" in done.stderr, done.stderr)
    for name in ("shop", "garage"):
        shutil.rmtree(f"{home.folder}/state/avito/{name}")


def login(service, folder):
    home = Home(service, folder)
    client_id, secret = home.environment.pop("AVITO_CLIENT_ID"), home.environment.pop("AVITO_CLIENT_SECRET")
    done = home.run("chats")
    check("without an account it says how to begin", done.returncode == 2 and "avito login" in done.stderr, done.stderr)
    done = home.run("chats", AVITO_CLIENT_ID=client_id)
    check("it says which half of an account is missing", done.returncode == 2 and "AVITO_CLIENT_SECRET is not" in done.stderr, done.stderr)
    logged_in_by_name(home, client_id, secret)
    seen, status = in_terminal(home, "login", typed=f"{client_id}\n{secret}\n")
    check("login in a terminal", status == 0, seen)
    check("... does not show the secret", secret not in seen)
    path = f"{folder}/state/avito/default/credentials"
    check("... is stored 0600", stat.S_IMODE(os.stat(path).st_mode) == 0o600)
    check("... and used", home.run("whoami").returncode == 0)
    done = home.run("login", stdin=f"{client_id}\nwrong\n")
    check("a stored token does not hide a wrong secret", done.returncode == 4 and home.run("whoami").returncode == 0, done.stderr)
    done = home.run("login", "second", stdin=f"{client_id}\nwrong\n")
    check("a wrong secret is status 4, and not stored",
          done.returncode == 4 and not os.path.exists(f"{folder}/state/avito/second/credentials"), done.stderr)
    done = home.run("login", "second", stdin=f"{client_id}\n{'x' * 300}\n")
    check("a secret that could not be stored is status 2, before it is tried", done.returncode == 2 and "too long" in done.stderr, done.stderr)
    with open(f"{path}.new", "w", encoding="ascii") as other:  # as another login writes it
        fcntl.flock(other, fcntl.LOCK_EX)
        done = home.run("login", stdin=f"{client_id}\n{secret}\n")
        check("a second login at once is told to wait", done.returncode == 1 and "credentials.new: another program has it" in done.stderr, done.stderr)
    done = home.run("login", "second", stdin=f"{client_id}\n;{secret}\n")
    check("a secret that would be read back as a comment is status 2", done.returncode == 2 and "begins with ;" in done.stderr, done)
    done = home.run("login", AVITO_ACCOUNT="third", stdin=f"{client_id}\n{secret}\n")
    check("login takes its name from AVITO_ACCOUNT, as all commands do", done.returncode == 0 and os.path.exists(f"{folder}/state/avito/third/credentials"), done)
    shutil.rmtree(f"{folder}/state/avito/third")
    login_by_consent(service, home, client_id, secret)
    interrupted_login(home)
    os.chmod(path, 0o644)
    done = home.run("whoami")
    check("a secret that others can read is refused", done.returncode == 2 and "chmod 600" in done.stderr, done.stderr)
    os.chmod(path, 0o600)


# Each call of the header by a command: what is typed, and what it reads. {} stands for words that the service
# gives.
BY_COMMAND = {
    "get_token": ("login", "{id}\n{secret}\n"),
    "exchange_code": ("login --browser partner", "{id}\n{secret}\n{code}\n"),
    "refresh_token": ("whoami -a partner", ""),
    "get_self": ("whoami -a default", ""),
    "get_chats": ("chats -a default", ""),
    "get_chat": ("chat {chat} -a default", ""),
    "get_messages": ("messages {chat} -a default", ""),
    "send_message": ("send {chat} - -a default", "привет"),
    "upload_image": ("send {chat} --image tools/simulator/web/page.png -a default", ""),
    "send_image_message": ("send {chat} --image tools/simulator/web/page.png -a default", ""),
    "delete_message": ("delete {chat} {own} -a default", ""),
    "mark_chat_as_read": ("read {chat} -a default", ""),
    "get_voice_files": ("voice {voice} -a default", ""),
    "subscribe_webhook": ("webhook add https://shop.example/secret -a default", ""),
    "get_webhook_subscriptions": ("webhook list -a default", ""),
    "unsubscribe_webhook": ("webhook remove https://shop.example/secret -a default", ""),
    "add_to_blacklist": ("block 115721966 -a default", ""),
}
GRANTS = ("get_token", "exchange_code", "refresh_token")  # one operation of the service


def calls_of_header():
    """Names of the header's table of endpoints."""
    sys.path.insert(0, "tools")
    import manual  # pylint: disable=import-outside-toplevel
    with open("avito_messenger.h", encoding="utf-8") as file:
        return [row.split(" ")[0] for row in manual.endpoints(file.read())]


def every_call(service, folder):
    """Each call of the header can be reached by a command: the service sees it."""
    home = Home(service, folder)
    chat = service.door("chat", {})["chat_id"]
    voice = service.door("message", {"chat_id": chat, "type": "voice"})["message_id"]
    words = {"id": home.environment.pop("AVITO_CLIENT_ID"), "secret": home.environment.pop("AVITO_CLIENT_SECRET"), "chat": chat,
             "code": service.door("code", {"scope": "user:read,messenger:read,messenger:write"})["code"]}
    calls = calls_of_header()
    check("the header's calls are those that commands are listed for", sorted(calls) == sorted(BY_COMMAND), set(calls) ^ set(BY_COMMAND))
    for name in [*GRANTS, *(name for name in calls if name not in GRANTS)]:
        command, typed = BY_COMMAND.get(name, ("no command", ""))
        if name == "refresh_token":
            service.door("tokens", {"do": "expire"})
        operation = "token" if name in GRANTS else name
        before = service.door("stats")["operations"][operation]["served"]
        done = home.run(*command.format(**words).split(" "), stdin=typed.format(**words))
        check(f"{name} is reached by: avito {command}",
              done.returncode == 0 and service.door("stats")["operations"][operation]["served"] > before, done)
        held = {m["id"]: m for m in home.lines("messages", chat, "-a", "default")} if name == "get_messages" else {}
        if voice in held:
            words["voice"] = held[voice]["content"]["voice"]["voice_id"]
        if name == "send_message":
            words["own"] = home.lines("messages", chat, "-a", "default")[-1]["id"]


def lines_of(path):
    """Names and values of a file of lines; for a send, up to its text."""
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").partition(" ")[::2] for line in file]
    names = [name for name, _ in rows]
    return dict(rows[:names.index("text") + 1] if "text" in names else rows)


def documented(service, folder):
    """The files of the state are those of the manual page, and hold what it says; so do exit statuses and configuration."""
    home = Home(service, folder)
    words = [home.environment.pop(name) for name in ("AVITO_CLIENT_ID", "AVITO_CLIENT_SECRET")]
    home.run("login", stdin="\n".join(words) + "\n")
    chat = first_chat(home)
    home.run("send", chat, "первая\ntext вторая")
    home.run("watch", "--since", "1", "--count", "1", "--exec", "false", "--give-up", "1")
    state = f"{folder}/state/avito/default"
    pages = [re.sub(r"\\(.)", r"\1", home.run("--manual", LC_ALL=locale).stdout) for locale in ("C.UTF-8", "ru_RU.UTF-8")]
    files = [dict(re.findall(r"^\.B (.*)\n(.*)$", page[page.rindex(".SH", 0, page.index(".SH \"JSON")):], re.M)) for page in pages]
    for name in sorted(os.listdir(state)):
        term = "send.*" if name.startswith("send.") else "inbox.0, inbox.1" if re.fullmatch(r"inbox\.[01]", name) else name
        check(f"the manual has the file {term}", all(term in page for page in files), name)
    sent = lines_of(glob.glob(f"{state}/send.*")[0])
    tokens = lines_of(f"{state}/tokens")
    check("a send's lines", list(sent) == ["avito-send", "outcome", "begun", "ended", "chat", "baseline", "created", "message", "text"] and
          sent["avito-send"] == sent["outcome"] == "1" and sent["chat"] == chat and int(sent["text"]) == len("первая\ntext вторая".encode()), sent)
    check("the tokens' lines", list(tokens) == ["avito-tokens", "client", "host", "expires", "access", "refresh", "end"] and
          tokens["avito-tokens"] == "1" and tokens["client"] == words[0], list(tokens))
    for term, lines in (("send.*", sent), ("tokens", tokens)):
        check(f"... {term}: each has its name in the manual", all(name in page[term] for page in files for name in lines), lines.keys())
    with open(f"{state}/inbox.1", "rb") as slot, open(f"{state}/aside.jsonl", encoding="utf-8") as aside:
        check("a slot begins with AVI1, what was set aside is JSON", slot.read(4) == b"AVI1" and json.loads(aside.readline())["id"], state)
    with open("tools/avito/command.h", encoding="utf-8") as file:
        statuses = re.findall(r"^    EXIT_\w+ = (\d)", file.read(), re.M)
    with open("tools/avito/config.c", encoding="utf-8") as file:
        keys = re.findall(r"^    \{SECTION_\w+,\s+\"(\w+)\"", file.read(), re.M)
    read = set()
    for path in [*glob.glob("tools/avito/*.c"), "avito_messenger.h"]:
        read |= set(re.findall(r'(?:getenv|from_environment|folder_of|avitoi_posix_option)\((?:\w+, )?"([A-Z_]+)"', everything_in_file(path)))
    for page in pages:
        terms = re.findall(r"^\.B (.*)$", page, re.M)
        missing = read - set(re.split(", |\n", "\n".join(terms))) - {"HOME", "TERM", "NOTIFY_SOCKET", "WATCHDOG_USEC", "AVITO_TEST_FLEET_PERCENT"}
        check(f"the manual has the {len(read)} variables that are read", len(read) > 12 and not missing, missing)
        check(f"the manual has {len(statuses)} exit statuses and {len(keys)} keys",
              len(statuses) == 9 and len(keys) > 25 and set(statuses) | set(keys) <= set(terms), (set(statuses) | set(keys)) - set(terms))


def configuration(service, folder):
    home = Home(service, folder)
    client_id, secret = home.environment.pop("AVITO_CLIENT_ID"), home.environment.pop("AVITO_CLIENT_SECRET")
    os.makedirs(f"{folder}/config/avito")
    path = f"{folder}/config/avito/config"
    for text, said in [("client_id = a\n", "before the first"), ("[a b]\nclient_id = a\n", "letters"),
                       ("[mqtt]\nhots = a\n", "not known"), ("[shop]\nclient_id = a\nclient_id = b\n", "twice"),
                       ("[shop]\nclient_id = " + "x" * 300 + "\n", "198 bytes"),
                       ("[shop]\nclient_id = a ; b\n", "semicolon"), ("[shop]\nnonsense\n", "neither"),
                       ("[fleet]\nclient_id = a\n", "not known in this section"), ("[shop]\nclient_id = a\0b\n", "NUL"), ("[shop]\nconsent = true\n", "yes or no")]:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o600)
        done = home.run("whoami")
        check(f"configuration: {said}", done.returncode == 2 and said in done.stderr and f"{path}:" in done.stderr, done.stderr)
    for host in ("mqtt://localhost", "localhost:1883", "[::1]"):
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[mqtt]\nhost = {host}\n")
        done = home.run("gateway")
        check(f"gateway: host = {host} is no name, and that is said at once", done.returncode == 2 and "[mqtt] host: a bare name" in done.stderr, done.stderr)
    with open(path, "w", encoding="utf-8") as file:
        file.write("[mqtt]\nhost =\n")
    done = home.run("gateway")
    check("gateway: a host that is empty is missing", done.returncode == 2 and "the broker's name is missing" in done.stderr, done.stderr)
    done = home.run("whoami", "--config", folder)
    check("a configuration that cannot be read says why", done.returncode == 2 and "Is a directory" in done.stderr, done.stderr)
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(f"[a{i}]\nclient_id = x\nclient_secret = y\npoll = 15\nrate = 60\n" for i in range(1000)))
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = home.run("whoami")
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - used
    check("a thousand accounts are found in a moment", "a0 a1" in done.stderr and "a999" in done.stderr and used < 4, (used, done.stderr[-200:]))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"[one]\nclient_id = {client_id}\nclient_secret_file = {folder}/secret\n"
                   f"[two]\nclient_id = {client_id}\nclient_secret = wrong\n")
    with open(f"{folder}/secret", "w", encoding="utf-8") as file:
        file.write(secret + "\n")
    os.chmod(f"{folder}/secret", 0o644)
    done = home.run("whoami", "--account", "one")
    check("of a secret file that others can read it warns", done.returncode == 0 and f"chmod 600 {folder}/secret" in done.stderr, done.stderr)
    os.chmod(f"{folder}/secret", 0o600)
    for text, said in (("", "no secret in line 1"), ("x" * 2000, "or one too long"), (None, "No such file")):
        if text is None:
            os.rename(f"{folder}/secret", f"{folder}/away")
        else:
            with open(f"{folder}/secret", "w", encoding="utf-8") as file:
                file.write(text)
        done = home.run("whoami", "--account", "one")
        check(f"a secret file is refused: {said}", done.returncode == 2 and said in done.stderr and f"{folder}/secret" in done.stderr, done.stderr)
    with open(f"{folder}/secret", "w", encoding="utf-8") as file:
        file.write(secret + "\n")
    os.chmod(f"{folder}/secret", 0o600)
    done = home.run("whoami")
    check("several accounts and none named", done.returncode == 2 and "one two" in done.stderr, done.stderr)
    check("one of them", home.run("whoami", "--account", "one").returncode == 0)
    check("... by the environment", home.run("whoami", AVITO_ACCOUNT="one").returncode == 0)
    check("the other's secret is wrong", home.run("whoami", "-a", "two").returncode == 4)
    done = home.run("whoami", AVITO_CLIENT_ID=client_id, AVITO_CLIENT_SECRET=secret)
    check("environment and accounts, none named", done.returncode == 2 and "--account" in done.stderr, done.stderr)


def configuration_of_another(service, folder):
    """A service reads a configuration that belongs to root: systemd's LoadCredential gives it as 0440."""
    if os.getuid() != 0:
        print("not run - a configuration of another owner: not root")
        return
    home = Home(service, folder)
    path = f"{folder}/config"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"[shop]\nclient_id = {home.environment.pop('AVITO_CLIENT_ID')}\n"
                   f"client_secret = {home.environment.pop('AVITO_CLIENT_SECRET')}\n")
    os.chmod(folder, 0o777)
    os.chown(path, 0, 65534)
    home.environment["AVITO_CA_FILE"] = shutil.copy(home.environment["AVITO_CA_FILE"], f"{folder}/roots.pem")
    program = shutil.copy(PLAIN, f"{folder}/avito")
    for mode, status in ((0o440, 0), (0o444, 2)):
        os.chmod(path, mode)
        done = subprocess.run([program, "whoami", "--config", path], env=home.environment, user=65534, group=65534, extra_groups=[],
                              capture_output=True, text=True, timeout=60, check=False)
        check(f"a configuration of root's, {mode:o}, is status {status}", done.returncode == status, done)


def trouble(home, folder):
    done = home.run("whoami", AVITO_PORT="1")
    check("no network is status 3", done.returncode == 3, done.stderr)
    for roots in ("/nowhere", "/dev/zero", "/dev/null", folder):
        done = home.run("whoami", AVITO_CA_FILE=roots)
        check(f"no roots in {roots} is said", done.returncode == 2 and "no trust anchors" in done.stderr, done.stderr)
    with_limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))  # noqa: E731
    done = subprocess.run([PROGRAM, "export", f"{folder}/limited"], capture_output=True, text=True, timeout=60, env=home.environment, check=False,
                          preexec_fn=with_limit, restore_signals=True)
    check("a file that may not grow is status 1, and said", done.returncode == 1 and "File too large" in done.stderr, done)
    nowhere = {"XDG_STATE_HOME": "/proc/nowhere"}
    for words in (["whoami"], ["chats"], ["messages", first_chat(home)], ["webhook", "list"], ["send", first_chat(home), "x", "--dry-run"]):
        done = home.run(*words, **nowhere)
        check(f"a home that cannot be written: {words[0]} works, and says that the token is not kept",
              done.returncode == 0 and done.stdout + done.stderr != "" and done.stderr.count("The token is not kept") == 1 and "/proc" in done.stderr, done)
    done = home.run("whoami", "--quiet", LC_ALL="ru_RU.UTF-8", **nowhere)
    check("... unless it is told to be quiet", done.returncode == 0 and done.stderr == "", done)
    for words in (["send", first_chat(home), "x"], ["watch", "--timeout", "1"], ["confirm", first_chat(home)]):
        done = home.run(*words, **nowhere)
        check(f"... and {words[0]}, which has to keep something, is status 1", done.returncode == 1 and "/proc" in done.stderr, done)
    homeless = {name: value for name, value in home.environment.items() if name not in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    for words, status in ((["whoami"], 0), (["chats", "--unread"], 0), (["send", first_chat(home), "x"], 1), (["watch", "--timeout", "1"], 1),
                          (["gateway"], 1)):
        done = subprocess.run([PROGRAM, *words], env=homeless, capture_output=True, text=True, timeout=60, check=False)
        check(f"without HOME {words[0]} has status {status}, and says what to set",
              done.returncode == status and "neither XDG_STATE_HOME nor HOME is set" in done.stderr, done)
    del homeless["AVITO_CLIENT_ID"], homeless["AVITO_CLIENT_SECRET"]
    done = subprocess.run([PROGRAM, "whoami"], env=homeless, capture_output=True, text=True, timeout=60, check=False)
    check("... and without an account that there is none", done.returncode == 2 and "no account" in done.stderr, done)
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([PROGRAM, "chats"], stdout=full, stderr=subprocess.PIPE, env=home.environment, text=True,
                              timeout=60, check=False)
    check("a full disk is status 1", done.returncode == 1 and "No space" in done.stderr, done.stderr)
    text = ""
    for root, _, names in os.walk(folder):
        for name in names:
            mode = stat.S_IMODE(os.stat(os.path.join(root, name)).st_mode)
            text += f" {name}" if "state" in root and mode & 0o077 else ""
    check("no file of the state can be read by others", text == "", text)


def paths_of_urls(folder):
    """--path-file: a file without a path is said to be one, and a path is never cut."""
    with MadeUp({}) as service:
        home, path = Home(service, folder), f"{folder}/path"
        for text in ("", "\n/secret", "/" + "a" * 1500, "/", "/short", "avito-tokens 1", "/" + "0" * 31, "/" + "0" * 32 + "?", "/" + "z" * 32):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            for words in (["webhook", "add", "https://shop.example"], ["webhook", "serve", "--listen", "127.0.0.1:1"]):
                done = home.run(*words, "--path-file", path)
                check(f"{words[1]}: a --path-file of {len(text)} bytes without a path is status 2",
                      done.returncode == 2 and path in done.stderr and done.stderr.count("\n") == 1, done.stderr)


def received(peer, count):
    """What comes from a peer, up to a number of answers."""
    peer.settimeout(3)
    data = b""
    try:
        while data.count(b"HTTP/1.1 ") < count or not data.endswith(b"\r\n\r\n"):
            more = peer.recv(4096)
            if not more:
                break
            data += more
    except TimeoutError:
        pass
    return [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", data)]


def listens(folder):
    """avito webhook serve: where it can listen, IPv6 too, and what it says where it cannot."""
    path = "/" + "0123456789abcdef" * 2
    with open(f"{folder}/path", "w", encoding="ascii") as file:
        file.write(path + "\n")

    def serve(at):
        return subprocess.Popen([PROGRAM, "webhook", "serve", "--listen", at, "--path-file", f"{folder}/path"], stderr=subprocess.PIPE,
                                text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})

    for at in ("127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:8080x", "127.0.0.1:65536", ":8080", "localhost:8080", "::1:8080",
               "[::1]", "[127.0.0.1]:8080", "[]:8080", "[::1:8080", "[" + "1" * 80 + "]:8080"):
        with serve(at) as program:
            if not wait_for(lambda: program.poll() is not None, 20):  # noqa: B023
                program.kill()
            said = program.communicate()[1]
        check(f"--listen {at[:20]} is no place", "such as 127.0.0.1:8080 or [::1]:8080" in said, said)
    for address, family, host in (("127.0.0.1", socket.AF_INET, "127.0.0.1"), ("[::1]", socket.AF_INET6, "::1")):
        port = free_port()
        with serve(f"{address}:{port}") as program:
            there = wait_for(lambda: socket.socket(family).connect_ex((host, port)) == 0 or program.poll() is not None, 10)  # noqa: B023
            check(f"webhook serve: it listens at {address}", there and program.poll() is None, program.poll())
            second = serve(f"{address}:{port}")
            said = second.communicate(timeout=20)[1]
            check(f"... and a second one at {address} says that the port is taken", second.returncode == 1 and "in use" in said, (second.returncode, said))
            program.terminate()


def notified(folder):
    """avito webhook serve: what has come is answered, however it came; a peer that takes no answer is let go."""
    port, path = free_port(), "/" + "0123456789abcdef" * 2
    with open(f"{folder}/path", "w", encoding="ascii") as file:
        file.write(path + "\n")
    body = json.dumps({"id": "e", "payload": {"type": "message", "value": {
        "id": "m", "chat_id": "c", "user_id": 1, "author_id": 2, "created": 1, "type": "text", "content": {"text": "да"}}}}).encode()

    def request(body, more=""):
        return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body

    fast = {"LD_PRELOAD": faketime(), "FAKETIME": "+0 x20"}
    with subprocess.Popen([PLAIN, "webhook", "serve", "--json", "--listen", f"127.0.0.1:{port}", "--path-file", f"{folder}/path"],
                          env={**os.environ, **fast}, stdout=subprocess.PIPE) as program:
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, 10)
        for name, data, statuses in (("a body that does not wait for 100", request(body, "Expect: 100-continue\r\n"), [100, 200]),
                                     ("a probe and a notification at once", request(b"{}") + request(body), [200, 200])):
            with socket.create_connection(("127.0.0.1", port)) as peer:
                peer.sendall(data)
                got = received(peer, len(statuses))
            check(f"webhook serve: {name}", got == statuses, got)
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.settimeout(1)
            ended = False
            try:
                while True:
                    peer.sendall(request(b"{}") * 100)
            except TimeoutError:
                spent = processor_s(program.pid)
                time.sleep(2)  # 40 s of the program's
                spent = processor_s(program.pid) - spent
            except ConnectionError:
                ended, spent = True, 0
            try:
                while not ended:
                    ended = peer.recv(65536) == b""
            except ConnectionError:
                ended = True
            except TimeoutError:
                pass
            check("webhook serve: a peer that takes no answer is let go, and nothing spins", ended and spent < 0.5, (ended, spent))
        program.terminate()
    news = {"id": "e", "payload": {"type": "call", "value": {"n\u009b": 1}}}
    for words, said in ((["--json"], ""), ([], "another type, which --json shows: call"), (["--quiet"], "")):
        program = subprocess.Popen([PROGRAM, "webhook", "serve", *words, "--listen", f"127.0.0.1:{port}", "--path-file", f"{folder}/path"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, 10)
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(request(json.dumps(news, ensure_ascii=False, indent=1).encode()))
            got = received(peer, 1)
        program.terminate()
        out, err = program.communicate()
        check(f"webhook serve {' '.join(words)}: a notification of another type", got == [200] and err.strip().endswith(said) and bool(said) == bool(err) and
              (out.count("\n") == 1 and json.loads(out) == news and "\u009b" not in out if words == ["--json"] else out == ""), (got, out, err))


def notified_in_vain(folder):
    """avito webhook serve whose output is full ends, and says so; the notification is not answered."""
    port, path = free_port(), "/" + "0123456789abcdef" * 2
    with open(f"{folder}/path", "w", encoding="ascii") as file:
        file.write(path + "\n")
    body = b'{"payload":{"type":"message","value":{"id":"m","chat_id":"c","user_id":1,"author_id":2,"created":1,"type":"text","content":{"text":"a"}}}}'
    with open("/dev/full", "w", encoding="ascii") as full, subprocess.Popen(
            [PROGRAM, "webhook", "serve", "--listen", f"127.0.0.1:{port}", "--path-file", f"{folder}/path"], stdout=full, stderr=subprocess.PIPE, text=True) as program:
        wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, 10)
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            got = received(peer, 1)
        said = program.communicate(timeout=20)[1]
    check("webhook serve into a full disk ends with status 1 and says so", got == [] and program.returncode == 1 and "No space" in said, (got, said))


def made_up(folder):
    """What the service has not answered yet."""
    urls = ["https://shop.example/secret", "https://shop.example?key=secret/x", "https://me:secret@shop.example/", "shop.example/secret", None,
            "https://shop.example/"]
    voices = {"bb": "/stalls", "aa": "/whole"}
    with MadeUp({"/messenger/v1/subscriptions": {"subscriptions": [{"url": url, "version": "3"} for url in urls]},
                 "/whole": b"x" * 100000, "/stalls": (b"x" * 10, 100)}) as service:
        service.answers["/messenger/v1/accounts/1/getVoiceFiles"] = {"voices_urls": {i: service.url(path) for i, path in voices.items()}}
        home = Home(service, folder)
        done = home.run("webhook", "list")
        check("a list of URLs shows hosts, and no secret wherever it is in them", done.returncode == 0 and "secret" not in done.stdout and
              done.stdout.splitlines()[0] == "https://shop.example/***" and done.stdout.splitlines()[-1] == urls[-1], done)
        fast = {"LD_PRELOAD": faketime(), "FAKETIME": "+0 x20"}
        done = subprocess.run([PLAIN, "voice", "aa", "bb", "--save", folder], env={**home.environment, **fast},
                              capture_output=True, timeout=60, check=False)
        check("a voice message is saved, whole", done.returncode == 3 and os.path.getsize(f"{folder}/aa.mp4") == 100000, done)
        check("... and one that stalls is given up", not os.path.exists(f"{folder}/bb.mp4") and b"bb.mp4: cannot be downloaded" in done.stderr, done)

        def with_limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

        service.answers["/messenger/v1/accounts/1/getVoiceFiles"] = {"voices_urls": {"aa": service.url("/whole")}}
        done = subprocess.run([PROGRAM, "voice", "aa", "--save", f"{folder}/small"], env=home.environment, capture_output=True, text=True, timeout=60,
                              check=False, preexec_fn=with_limit)
        check("a voice message that the disk does not take is status 1, and why is said", done.returncode == 1 and "aa.mp4: File too large" in done.stderr and
              os.listdir(f"{folder}/small") == [], done)
        with open(f"{folder}/aa.mp4.part", "wb") as other:  # as another run writes it
            other.write(b"half of")
            other.flush()
            fcntl.flock(other, fcntl.LOCK_EX)
            os.unlink(f"{folder}/aa.mp4")
            done = home.run("voice", "aa", "--save", folder)
            check("a voice message that another run saves is left to it", done.returncode == 1 and "aa.mp4.part: another program has it" in done.stderr and
                  everything_in_file(f"{folder}/aa.mp4.part") == "half of", done)


def rows_that_make_no_sense(folder):
    """What cannot be read of a list is left out, and the status tells."""
    rows = [{"id": "u2i-1", "updated": 1, "users": []}, {"id": 7}, {"updated": 2, "users": []}]
    messages = [{"id": f"m{i}", "author_id": 2, "created": created, "type": "text", "content": {"text": "да"}} for i, created in enumerate((2, "вчера", 1))]
    accounts = "/messenger/{}/accounts/1/chats"
    with MadeUp({accounts.format("v2"): {"chats": rows}, accounts.format("v2") + "/u2i-1": rows[0],
                 accounts.format("v3") + "/u2i-1/messages/": {"messages": messages},
                 "/messenger/v1/accounts/1/getVoiceFiles": {"voices_urls": {"a": None}}}) as service:
        home = Home(service, folder)
        done = home.run("export")
        check("export leaves out a chat without an id", done.returncode == 0 and '"chats":1,"skipped":' in done.stdout and "another type than known" in done.stderr, done)
        done = home.run("voice", "a", "--save", folder)
        check("voice --save of an address that is null is status 3", done.returncode == 3 and "cannot be downloaded" in done.stderr, done)
        for words, ids in ((["chats"], ["u2i-1"]), (["messages", "u2i-1", "--limit", "3"], ["m2", "m0"])):
            done = home.run(*words, "--json")
            check(f"{words[0]} with a row that makes no sense: the others, and status 8", done.returncode == 8 and "another type than known" in done.stderr and
                  [line["id"] for line in map(json.loads, done.stdout.splitlines()) if "id" in line] == ids, done)


def refresh_token_of_two_lines(folder):
    """What the service says must be read back as it was, or is not kept, which is said."""
    with MadeUp({"/token": {"access_token": "t", "refresh_token": "one\ntwo", "expires_in": 86400, "token_type": "Bearer"}}) as service:
        home = Home(service, folder)
        for locale, said in (("C.UTF-8", "tokens: the tokens are too long to store, or hold a line end"), ("ru_RU.UTF-8", "или с концом строки")):
            done = home.run("login", "--browser", "other", stdin="id\nsecret\ncode\n", LC_ALL=locale)
            check(f"a refresh token with a line end is status 1, {locale}", done.returncode == 1 and said in done.stderr and
                  not os.path.exists(f"{folder}/state/avito/other/tokens"), done)


def faketime():
    """libfaketime, which shows one program another time."""
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    check("libfaketime is there (package faketime)", found)
    return found[0] if found else ""


def wrong_clock(service, home):
    """A clock that was never set, is behind, or is ahead: it matters only if TLS cannot be checked, and
    that is reported."""
    chat = first_chat(home)
    tokens = f"{home.folder}/state/avito/default/tokens"
    library = faketime()

    def at(seconds, *words, **more):
        return subprocess.run([PLAIN, *words], capture_output=True, text=True, timeout=60, check=False,
                              env={**home.environment, "LD_PRELOAD": library, "FAKETIME": f"{seconds:+.0f}",
                                   "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC", **more})

    for words in (["whoami"], ["send", chat, "в 1970"], ["watch", "--timeout", "1"]):
        done = at(100 - time.time(), *words)
        check(f"a clock in 1970: {words[0]} is status 1 and says it", done.returncode == 1 and "1970-01-01 00:0" in done.stderr, done)
    done = at(100 - time.time(), "whoami", LC_ALL="ru_RU.UTF-8")
    check("... in Russian too", "часы показывают время до 2020 года" in done.stderr and "1970-01-01" in done.stderr, done)
    service.door("fault", {"plan": "send_message:status=500:1"})
    home.run("send", chat, "в будущем")
    done = at(-3600, "confirm", chat, "в будущем")
    check("a send from before the clock was set back may still show up", done.returncode == 6, done)
    done = [at(3600, "confirm", chat, "в будущем").returncode for _ in range(2)]
    state = f"{home.folder}/state/avito/default"
    noted = [path for path in glob.glob(f"{state}/send.*") if "в будущем" in everything_in_file(path)]
    ended = [lines_of(path)["ended"] for path in noted]
    check("a send that is not in the chat stays so, and its note may be forgotten", done == [5, 5] and len(ended) == 1 and ended != ["0"], (done, ended))
    for days in (0, 2):
        for i in range(300):
            with open(f"{state}/send.doubt-{i}", "w", encoding="ascii") as file:
                file.write(f"avito-send 1\noutcome 2\nbegun {time.time() - days * 86400:.0f}\nended 0\nchat x\nbaseline \ncreated 0\nmessage \ntext 1\na")
        done = home.run("send", chat, "место?")
        check(f"300 sends in doubt, {days} days old: {'nothing more is sent, and that is said' if days == 0 else 'they make room'}",
              done.returncode == (1 if days == 0 else 0) and (days > 0 or "not settled" in done.stderr), done)
    for name, seconds in (("a day behind", -86400), ("three days ahead", 3 * 86400)):
        done = at(seconds, "send", chat, name)
        check(f"a clock {name}: send", done.returncode == 0, done)
        done = at(seconds, "watch", "--since", str(int(time.time()) - 60), "--count", "1", "--timeout", "20")
        check(f"a clock {name}: watch shows what came", done.returncode == 0 and done.stdout, done)
        os.remove(tokens)  # the time in it is that clock's
        check(f"... and a token of then is used at the right time: {name}",
              at(seconds, "whoami").returncode == 0 and home.run("whoami").returncode == 0)


def bad_certificates():
    for certificate, said in (("expired", "The clock of this machine says 20"), ("not-yet", "The clock of this machine says 20"),
                              ("wrong-name", "another name"), ("unknown", "no trust anchor")):
        with Simulator("--chats", "1", certificate=certificate) as service, tempfile.TemporaryDirectory() as folder:
            done = Home(service, folder).run("whoami")
            check(f"a certificate that is {certificate} is status 3", done.returncode == 3 and said in done.stderr, done.stderr)


def dumped_core(command, environment, folder):
    """Does it leave a core dump when a fault kills it? Looks at the owner of its files in /proc."""
    child = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2))
    time.sleep(1)
    os.kill(child.pid, signal.SIGSEGV)
    _, status = os.waitpid(child.pid, 0)
    child.returncode = 0
    check(f"... {command[0]} ended by the fault", os.WIFSIGNALED(status), status)
    return os.WCOREDUMP(status)


def core_dumps(home, folder):
    watch = [PLAIN, "watch"]
    home.environment["AVITO_CA_FILE"] = os.path.abspath(home.environment["AVITO_CA_FILE"])
    if not dumped_core(["sleep", "20"], home.environment, folder):
        print("not run - a core dump of avito: this system writes none of other programs")
    else:
        check("a watch that crashes leaves no core dump; sleep does", not dumped_core(watch, home.environment, folder))
    if os.getuid() != 0:
        print("not run - avito as another user: not root")
        return
    # The project may lie where only root reads.
    watch[0] = shutil.copy(PLAIN, f"{folder}/avito")
    nobody = {**home.environment, "HOME": f"{folder}/nobody", "XDG_STATE_HOME": f"{folder}/nobody", "XDG_CONFIG_HOME": f"{folder}/nobody",
              "AVITO_CA_FILE": shutil.copy(home.environment["AVITO_CA_FILE"], f"{folder}/nobody.pem")}
    os.chmod(nobody["AVITO_CA_FILE"], 0o644)
    os.makedirs(nobody["HOME"])
    os.chown(nobody["HOME"], 65534, 65534)
    os.chmod(folder, 0o755)
    owners = []
    for command in (["sleep", "20"], watch):
        child = subprocess.Popen(command, env=nobody, user=65534, group=65534, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        owners.append(os.stat(f"/proc/{child.pid}/environ").st_uid if child.poll() is None else "it ended")
        child.kill()
        child.wait()
    check("its environment and memory are not its user's to read: /proc gives them to root, sleep's to the user", owners == [65534, 0], owners)


def full_disk(service, home, folder):
    """The state on a full disk: nothing is sent without a note, and nothing is accepted that would be lost."""
    disk = f"{folder}/disk"
    os.makedirs(disk)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False).returncode != 0:
        print("not run - a full disk below the state: no right to mount one")
        return
    chat, state = first_chat(home), {"XDG_STATE_HOME": disk}
    try:
        home.run("watch", "--timeout", "1", **state)
        fill = os.open(f"{disk}/fill", os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(fill, b"x" * 4096) > 0:
                pass
        except OSError:
            os.close(fill)
        before = len(service.texts(chat))
        done = home.run("send", chat, "без записи", **state)
        check("a full disk: nothing is sent without a note", done.returncode == 1 and "No space" in done.stderr and len(service.texts(chat)) == before, done)
        done = home.run("chats", "--json", XDG_STATE_HOME=f"{disk}/other")
        check("... chats works, and says that the token is not kept", done.returncode == 0 and done.stdout and "No space" in done.stderr and
              "The token is not kept" in done.stderr, done)
        service.door("message", {"chat_id": chat, "text": "на полный диск"})
        for locale, said in (("C.UTF-8", "the state cannot be stored"), ("ru_RU.UTF-8", "не удалось сохранить")):
            done = home.run("watch", "--count", "1", "--timeout", "20", LC_ALL=locale, **state)
            check(f"... watch says which file, {locale}", done.returncode == 1 and said in done.stderr and "inbox." in done.stderr, done)
        os.unlink(f"{disk}/fill")
        done = home.run("watch", "--count", "1", "--timeout", "20", "--json", **state)
        check("... and the message comes when there is room", done.returncode == 0 and "на полный диск" in done.stdout, done)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for words in (["send", chat, "x"], ["watch", "--timeout", "1"]):
            done = home.run(*words, LC_ALL="ru_RU.UTF-8", **state)
            check(f"a read-only home, {words[0]}: which file, and why", done.returncode == 1 and disk in done.stderr and "только для чтения" in done.stderr, done)
        issued = service.door("stats")["tokens_issued"]
        done = home.run("chats", **state)
        check("... chats reads, with the token that is there", done.returncode == 0 and done.stdout and done.stderr == "" and
              service.door("stats")["tokens_issued"] == issued, done)
        service.door("tokens", {"do": "expire"})
        done = home.run("chats", LC_ALL="ru_RU.UTF-8", **state)
        check("... and with another when that is gone, which it says", done.returncode == 0 and done.stdout and
              "Токен не сохранён" in done.stderr and "только для чтения" in done.stderr, done)
    finally:
        subprocess.run(["umount", disk], check=False)


def interrupted_service(service, home):
    """watch goes on after the service was away."""
    home.run("watch", "--timeout", "1")
    watch = home.start("watch", "--json", "--count", "1", "--timeout", "50")
    time.sleep(1)
    service.process.terminate()
    service.process.wait()
    time.sleep(3)
    service.options = ("--chats", "0", *(word for kind in ("tcp", "tls", "control") for word in (f"--{kind}-port", service.ports[kind])))
    service.__enter__()
    chat = service.door("chat", {})["chat_id"]
    service.door("message", {"chat_id": chat, "text": "после перерыва"})
    out, said = watch.communicate(timeout=60)
    check("watch goes on when the service was away", watch.returncode == 0 and "после перерыва" in out, (out, said))


def ten_at_once(service, home):
    chat = first_chat(home)
    before = len(service.texts(chat))
    programs = [home.start("send", chat, f"одновременно {i}") for i in range(10)]
    statuses = [p.communicate()[0] is not None and p.returncode for p in programs]
    sent = service.texts(chat)[before:]
    check("ten sends at once: each arrives once", statuses == [0] * 10 and sorted(sent) == sorted(f"одновременно {i}" for i in range(10)), (statuses, sent))


def main():
    times = int(os.environ.get("WATCH_KILLS", "20"))
    with Simulator("--chats", "3") as service, tempfile.TemporaryDirectory() as folder:
        home = Home(service, folder)
        words_of_the_command_line(home)
        completions_and_manual(home)
        reading(service, home)
        json_of_every_command(service, home)
        lines_as_asked(home)
        sending(service, home)
        pictures_that_are_none(home, folder)
        unheard(service, home)
        asked_to_wait(service, home)
        interrupted_send(service, home)
        doubts(service, home)
        ten_at_once(service, home)
        watching(service, home, folder)
        ends_of_hung_commands(service, home, folder)
        killed_while_watching(service, home, folder, times)
        exporting(service, home, folder)
        terminal(service, home)
        trouble(home, folder)
        wrong_clock(service, home)
        core_dumps(home, folder)
        full_disk(service, home, folder)
        interrupted_service(service, home)
    bad_certificates()
    for scene in (paths_of_urls, made_up, rows_that_make_no_sense, refresh_token_of_two_lines, listens, notified, notified_in_vain):
        with tempfile.TemporaryDirectory() as folder:
            scene(folder)
    with Simulator("--chats", "1") as service, tempfile.TemporaryDirectory() as folder:
        login(service, folder)
    for scene in (every_call, documented, configuration, configuration_of_another):
        with Simulator("--chats", "1") as service, tempfile.TemporaryDirectory() as folder:
            scene(service, folder)
    return failures != []


if __name__ == "__main__":
    sys.exit(main())
