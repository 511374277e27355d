#!/usr/bin/env python3
"""Pictures of programs in a terminal, from what they really print.

    terminal.py             writes the SVGs beside this file
    terminal.py --check     runs the same and compares: "ok - what" / "not ok - what"

What differs from run to run (times, ids, ports, the folder of the state) does not count as a difference.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import unicodedata

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(TOP, "tools", "pictures")
sys.path.insert(0, os.path.join(TOP, "tests", "check"))
from simulated import Simulator  # noqa: E402

COLUMNS = 100
CELL, LINE, SIZE = 7.8, 18, 13
SHOP = [("Ольга", "Зимняя куртка, р. 48", "3 200 ₽", "Доставкой отправите?"),
        ("Сергей Петров", "Mazda 3, 2008", "465 000 ₽", "Можно ещё фото двигателя?"),
        ("Анна", "Велосипед детский, 20\"", "4 500 ₽", "Здравствуйте! Ещё продаётся?")]


# ---- running ----

def in_terminal(command, environment, typed=(), meanwhile=None):
    """All that a command writes to a terminal. `typed`: lines for its questions."""
    child, fd = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, environment)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    out, typed = b"", list(typed)
    while True:
        if not select.select([fd], [], [], 30)[0]:
            os.kill(child, signal.SIGKILL)
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        out += data
        if typed and out.endswith(b": "):
            os.write(fd, typed.pop(0).encode() + b"\n")
        if meanwhile and b"Ctrl-C" in out:
            meanwhile()
            meanwhile = None
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {status}: {out.decode()}")
    return out.decode()


def avito(language):
    """The program, from the first login on."""
    with Simulator("--chats", "0", "--seed", "5") as service, tempfile.TemporaryDirectory() as home:
        environment = service.environment(HOME=home, LC_ALL={"en": "C.UTF-8", "ru": "ru_RU.UTF-8"}[language],
                                          TERM="xterm", TZ="Europe/Moscow")
        client_id, secret = environment.pop("AVITO_CLIENT_ID"), environment.pop("AVITO_CLIENT_SECRET")
        for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "NO_COLOR", "AVITO_ACCOUNT"):
            environment.pop(name, None)
        chats = []
        for buyer, title, price, text in SHOP:
            chats.append(service.door("chat", {"buyer_name": buyer, "item_title": title, "price_string": price})["chat_id"])
            service.door("message", {"chat_id": chats[-1], "text": text})
        screen = ""

        def run(*words, typed=(), meanwhile=None):
            nonlocal screen
            shown = " ".join(f"'{w}'" if " " in w else w for w in words)
            screen += f"\x1b[1m$ avito {shown}\x1b[0m\r\n"
            screen += in_terminal([f"{TOP}/build/avito", *words], environment, typed, meanwhile).replace(home, "~")

        run("login", typed=(client_id, secret))
        run("chats", "--unread")
        run("send", chats[2], "Да, продаётся. Приезжайте сегодня.")
        run("messages", chats[2])
        run("watch", "--count", "1",
            meanwhile=lambda: service.door("message", {"chat_id": chats[2], "text": "Отлично! В шесть удобно?"}))
        return screen


def demo(_):
    """The first scenes of `make demo`, and its end."""
    environment = {**os.environ, "TERM": "xterm", "TZ": "Europe/Moscow", "DEMO_OPTIONS": "--quick"}
    environment.pop("NO_COLOR", None)
    out = in_terminal(["sh", "examples/demo/run.sh"], environment)
    scenes = re.split(r"\r\n(?=\r\n\x1b\[1m)", out)
    return "\x1b[1m$ make demo\x1b[0m\r\n" + "\r\n".join([*scenes[:4], "\x1b[2m...\x1b[0m", scenes[-3].lstrip("\r\n"), scenes[-1]])


# ---- the screen ----

def screen_of(text):
    """Lines of (character, style); what a terminal does with the few controls that our programs use."""
    lines, style, column = [[]], "", 0
    for piece in re.findall(r"\x1b\[[\d;]*[A-Za-z]|[\s\S]", text):
        line = lines[-1]
        if piece.startswith("\x1b"):
            code = piece[2:-1]
            if piece[-1] == "m":
                style = {"": "", "0": "", "1": "b", "2": "f", "32": "g", "33": "y"}[code]
            elif piece[-1] == "K":
                del line[column:]
        elif piece == "\n":
            lines.append([])
        elif piece == "\r":
            column = 0
        else:
            wide = 2 if unicodedata.east_asian_width(piece) in "WF" else 1
            line[column:column + wide] = [(piece, style)] + [("", style)] * (wide - 1)
            column += wide
            continue
        if piece == "\n":
            column = 0
    while lines and not lines[-1]:
        lines.pop()
    return lines


def runs_of(line):
    """(first column, columns, text, style) of each run of one style, blanks at its ends apart."""
    runs, column = [], 0
    while column < len(line):
        end = column
        while end < len(line) and line[end][1] == line[column][1] and not (
                line[end][0] == " " and end + 1 < len(line) and line[end + 1][0] == " "):
            end += 1
        text = "".join(c for c, _ in line[column:end])
        if text.strip():
            runs.append((column, end - column, text, line[column][1]))
        column = max(end, column + 1)
    return runs


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


STYLE = """text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #d6dde4;
  white-space: pre; }
.b { fill: #ffffff; font-weight: 600; } .f { fill: #8d97a1; } .g { fill: #6cc46f; } .y { fill: #e3b341; }"""


def svg_of(lines, title):
    width, height = COLUMNS * CELL + 32, len(lines) * LINE + 52
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}" '
           f'role="img" aria-label="{escape(title)}">', f"<style>\n{STYLE}\n</style>",
           f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#16191d"/>',
           *(f'<circle cx="{20 + 18 * i}" cy="18" r="5.5" fill="{c}"/>' for i, c in enumerate(("#e0605a", "#e0b03f", "#57b052")))]
    for row, line in enumerate(lines):
        for column, columns, text, style in runs_of(line):
            out.append(f'<text x="{16 + column * CELL:.1f}" y="{50 + row * LINE}" textLength="{columns * CELL:.1f}" '
                       f'lengthAdjust="spacingAndGlyphs"{f" class={chr(34)}{style}{chr(34)}" if style else ""}>{escape(text)}</text>')
    return "\n".join(out) + "\n</svg>\n"


# ---- pictures ----

PICTURES = {"avito.svg": (avito, "en", "The program avito in a terminal: login, chats, send, messages, watch"),
            "avito.ru.svg": (avito, "ru", "Программа avito в терминале: login, chats, send, messages, watch"),
            "demo.svg": (demo, "", "make demo in a terminal: its first scenes and its end")}

CHANGES = [(r"\b\d\d:\d\d\b", "00:00"), (r"\b[0-9a-f]{32}\b", "id"), (r"u2i-[\w~-]{22}", "chat"), (r"\b1[789]\d{8}\b", "time"),
           (r"127\.0\.0\.1:\d+", "address"), (r"\d+ things", "things"), (r"at most \d+ B of arena", "arena"), (r"\b\d+ B\b", "B")]


def words_of(svg):
    """What can be read in it, without its places and what differs from run to run."""
    words = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    for pattern, same in CHANGES:
        words = re.sub(pattern, same, words)
    return " ".join(words.split())


def main():
    os.chdir(TOP)
    bad = False
    for name, (scene, language, title) in PICTURES.items():
        path = os.path.join(HERE, name)
        svg = svg_of(screen_of(scene(language)), title)
        if sys.argv[1:] != ["--check"]:
            with open(path, "w", encoding="utf-8") as file:
                file.write(svg)
            continue
        with open(path, encoding="utf-8") as file:
            kept = words_of(file.read())
        same = kept == words_of(svg)
        bad |= not same
        print(("ok - " if same else "not ok - ") + f"tools/pictures/{name} shows what the program prints" + ("" if same else ", not: make pictures"))
        if not same:
            print(f"#   shown:   {kept}\n#   printed: {words_of(svg)}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
