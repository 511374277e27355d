"""The examples of 0.1.0, unchanged: each is built twice, with the header of 0.1.0 and with this one. Each
runs against a simulator of its own, and both simulators answer alike. The outputs must not differ, except for
what the service and the clock chose."""
import os
import re
import subprocess
import sys

from examples import check
from simulated import CERTS, Simulator

RELEASE = "1e9c221a77168aa0c87b738c4b3d2cc3601f9575"  # the last commit of 0.1.0
OUT = "build/check/old"
PARALLEL = "04_all_chats_parallel"  # its chats answer in the order that the network chooses


def git(*words):
    return subprocess.run(["git", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout


def sources():
    """The names of that version's examples; they are put beside each header."""
    names = [line.split("/")[1] for line in git("ls-tree", "--name-only", RELEASE, "examples/").decode().split()
             if re.search(r"/(\d\d_\w+\.c|example\.h)$", line)]
    for header in ("then", "now"):
        os.makedirs(f"{OUT}/{header}/examples", exist_ok=True)
        for name in names:
            with open(f"{OUT}/{header}/examples/{name}", "wb") as file:
                file.write(git("show", f"{RELEASE}:examples/{name}"))
    with open(f"{OUT}/then/avito_messenger.h", "wb") as file:
        file.write(git("show", f"{RELEASE}:avito_messenger.h"))
    if not os.path.lexists(f"{OUT}/now/avito_messenger.h"):
        os.symlink("../../../../avito_messenger.h", f"{OUT}/now/avito_messenger.h")
    return sorted(name[:-2] for name in names if name.endswith(".c"))


def build(name):
    """Both programs, built by the line in the first comment. (New members are zero, as the header
    promises.)"""
    built = True
    for header in ("then", "now"):
        with open(f"{OUT}/{header}/examples/{name}.c", encoding="utf-8") as file:
            words = re.match(r"/\* (?:cc|gcc) (.*)$", file.readline()).group(1).split()
        words[words.index("-o") + 1] = name
        done = subprocess.run([*os.environ.get("CC", "gcc").split(), "-Wall", "-Wextra",
                               "-Wno-missing-field-initializers", "-Werror", *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              cwd=f"{OUT}/{header}")
        built = check(done.returncode == 0, f"{name} of 0.1.0 builds with the header of {header}", done.stdout) and built
    return built


def plain(text):
    """Removes what may differ in another run (numbers of turns, times, ids of messages) and in another
    version (sizes in bytes, and a chapter's number)."""
    text = re.sub(r"\bin \d+ turns\b", "in N turns", text)
    text = re.sub(r"\d{1,2}:\d{2}(:\d{2})?\b", "TIME", text)
    text = re.sub(r"\d+ (B|bytes)\b", r"N \1", re.sub(r"\bof \d+ were in use", "of N were in use", text))
    text = re.sub(r" +N B", " N B", text).replace("(manual, 7)", "(manual, TLS)")
    return re.sub(r"\b[0-9a-f]{16,}\b", "ID", text)


def run(header, name, arguments, options=(), **more):
    """(status, standard output, standard error, what the service has stored)"""
    with Simulator("--chats", "3", *options) as service:
        chat = service.door("chats")["chats"][0]["id"]
        done = subprocess.run([f"{OUT}/{header}/{name}", *(chat if word == "CHAT" else word for word in arguments)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              env=service.environment(**more))
        output = plain(done.stdout)
        if name == PARALLEL:
            output = sorted(output.splitlines())
        return done.returncode, output, plain(done.stderr), service.texts(chat)


def compare():
    for what, name, arguments, more in (
            ("sends a text", "01_send_text", ["CHAT", "Здравствуйте! \"1\" \\ 🙂"], {}),
            ("says that there is no such chat", "01_send_text", ["u2i-nobody", "Привет"], {}),
            ("does not know the server", "01_send_text", ["CHAT", "Привет"], {"AVITO_CA_FILE": f"{CERTS}/other-root.pem"}),
            ("has a wrong secret", "01_send_text", ["CHAT", "Привет"], {"AVITO_CLIENT_SECRET": "wrong"}),
            ("sends in a loop of its own", "02_send_text_event_loop", ["CHAT", "Из цикла"], {}),
            ("lists chats and replies", "03_chats_and_reply", ["Спасибо"], {}),
            ("lists all chats", PARALLEL, [], {}),
            ("sends from static buffers", "09_static_buffers", ["CHAT", "Тихо"], {}),
            ("explains an error", "10_error_handling", ["CHAT", "Ещё"], {"FAULT": "send_message:status=403:0"}),
            ("cannot be told", "10_error_handling", ["CHAT", "Ещё"], {"FAULT": "send_message:stored_no_answer:1"})):
        options = ("--fault", more.pop("FAULT")) if "FAULT" in more else ()
        then, now = (run(header, name, arguments, options, **more) for header in ("then", "now"))
        check(then == now, f"{name} of 0.1.0 prints the same: it {what}", then, now)


def notifications():
    """06_parse_webhook with each notification that 0.1.0 was tested with."""
    names = git("ls-tree", "--name-only", RELEASE, "tests/data/").decode().split()
    bodies = [name for name in names if re.search(r"/event_\w+\.json$", name)]
    differ = []
    for body in bodies:
        text = git("show", f"{RELEASE}:{body}")
        then, now = (subprocess.run([f"{OUT}/{header}/06_parse_webhook"], input=text, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=20, check=False) for header in ("then", "now"))
        if (then.returncode, then.stdout) != (now.returncode, now.stdout):
            differ.append((body, then.stdout.decode(), now.stdout.decode()))
    check(len(bodies) > 10 and not differ, f"06_parse_webhook of 0.1.0 prints the same for {len(bodies)} notifications",
          *differ)


def main():
    if git("cat-file", "-t", RELEASE) != b"commit\n":
        print("not run - the history of 0.1.0 is not here (a shallow clone?)")
        return 0
    if all([build(name) for name in sources()]):
        compare()
        notifications()
    return 0


if __name__ == "__main__":
    sys.exit(main())
