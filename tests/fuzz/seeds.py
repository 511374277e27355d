#!/usr/bin/env python3
"""seeds.py TARGET DIRECTORY: writes inputs to begin with, made of tests/data.

Each target takes a few bytes that choose what to do (see its first comment), then the text.
"""
import base64
import pathlib
import random
import subprocess
import sys
import zlib

DATA = pathlib.Path("tests/data")
LONGEST = 4000

# By the first word of a file's name: numbers of the calls in response.c that such a body answers, and of the
# roots in json.c.
CALLS = {"chat": [2], "chats": [1, 5, 6], "messages": [3, 7, 8, 16], "message": [9], "token": [13, 14],
         "self": [0], "subscriptions": [4, 10], "voices": [11, 12], "upload": [15], "ok": [17, 18],
         "error": [0, 6, 9, 13, 17]}
ROOTS = {"chat": [0], "chats": [1], "messages": [2], "message": [3, 12], "self": [4], "token": [5],
         "upload": [6], "voices": [7], "subscriptions": [8], "event": [9, 10], "error": [11], "ok": [11]}
STATUS = {"error": [400, 401, 403, 429, 503]}


def bodies():
    for path in sorted(DATA.iterdir()):
        if path.suffix in (".json", ".txt", ".html"):
            words = path.stem.split("_")
            yield path.stem, words[1] if words[0] == "bad" else words[0], path.read_bytes()


def answer(body, status, framing):
    head = b"HTTP/1.1 %d X\r\n" % status
    if framing == 0:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if framing == 1:
        half = len(body) // 2
        pieces = [p for p in (body[:half], body[half:]) if p]
        return (head + b"Transfer-Encoding: chunked\r\n\r\n"
                + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n")
    return head + b"Connection: close\r\n\r\n" + body


def response():
    for name, kind, body in bodies():
        number = zlib.crc32(name.encode())
        for call in CALLS.get(kind, []):
            for status in STATUS.get(kind, [200])[number % 5 % len(STATUS.get(kind, [0])):][:1]:
                framing = number % 3
                one = answer(body, status, framing)
                # call, window, memory (2), split, flags
                control = bytes([call, number & 15, 255, 15, number >> 8 & 255, 1 if framing == 2 else 0])
                yield f"{name}-{call}", control + one
                if len(one) < 600:
                    yield f"{name}-{call}-two", control + one + b"\xff\xff" + one


def filters():
    for name, kind, body in bodies():
        for root in ROOTS.get(kind, []):
            number = zlib.crc32(name.encode())
            for streams in (0, 1):
                # root, memory (2), split, cut, flags
                yield f"{name}-{root}-{streams}", bytes([root, 255, 15, number & 255, 0, streams]) + body


def notification():
    for name, kind, body in bodies():
        if kind == "event":
            yield name, b"\xff\x0f\x00" + body


def sequences():
    """Each byte is a decision: there is nothing to begin with but chance."""
    for number in range(20):
        yield str(number), random.Random(number).randbytes(700)


def split():
    """How many letters come first, in fours; how often the text is repeated; text."""
    texts = ["слово ", "Предложение. ", "строка\r\n", "абзац\n\n", "\u00a0", "\u3000 ", "и\u0306",
             "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1f7\U0001f1fa", "\u0301", "x"]
    for number, text in enumerate(texts):
        yield f"{number}", bytes([245, 31]) + (text * 20).encode()
    yield "all", bytes([0, 31]) + "".join(texts).encode()


def raw_json():
    for name, _, body in bodies():
        yield name, b"\xff\x0f\x00" + body


def stored():
    rng = random.Random(7)
    for slots in range(8): # sealed by the target
        first = 32 + 12 * (slots % 4)
        yield f"slots-{slots}", (bytes([0, slots, 8 + slots % 3]) + first.to_bytes(2, "little")
                                 + rng.randbytes(first) + rng.randbytes(32 + 12 * (slots // 2)))
    yield "token", b"\x01\x00\x00\x0aaccess-one" + b"refresh-one"
    yield "token-line", b"\x01\x00\x00\x18access\r\nX-Evil: 1\r\n\r\nx" + b"refresh"
    yield "session", bytes([2, 0, 0, 1]) + rng.randbytes(16) + bytes(4) + (1754890000).to_bytes(4, "big") \
        + b"\x03\x03\xc0\x2b\x20" + rng.randbytes(80) + bytes(2)
    yield "tokens", (b"\x03\x00\x00avito-tokens 1\nclient id\nhost \nexpires 1754890000\naccess a\n"
                     b"refresh r\nend\n")
    yield "send", (b"\x03\x01\x00avito-send 1\noutcome 2\nbegun 1754890000\nended 0\nchat c\nbaseline m\n"
                   b"created 1754880000\nmessage \ntext 5\nhello")


def control():
    yield "chat", (b'POST /chat {"type":"u2i","chat_id":"c1"}\nPOST /message {"chat_id":"c1","text":"hi"}\n'
                   b'POST /read {"chat_id":"c1"}\nGET /messages?chat_id=c1&limit=5\nGET /state\nWAIT 1000\n'
                   b'GET /chats\nGET /store')
    yield "faults", (b'POST /fault {"plan":"send_message:status=500,delay=20:2:1"}\nGET /state\n'
                     b'POST /fault {"clear":true}\nPOST /option {"rate_per_minute":5}\nPOST /tokens {"do":"expire"}\n'
                     b'POST /code {"scope":"messenger:read"}\nGET /stats\nPOST /reset {"chats":2}')
    yield "media", (b'POST /media {"data":"/9j/4AAQSkZJRg=="}\nGET /uploads\nGET /media/x\n'
                    b'GET /changes?after=7-0\nGET /request?number=1\nGET /story')
    yield "story", (b'POST /chat {"chat_id":"c1"}\nPOST /story {"story":1,"complete":true,"steps":[{"post":"/message",'
                    b'"body":{"chat_id":"c1","text":"a"},"gave":"m"},{"answer":{"chat_id":"c1","text":"b"}}],'
                    b'"write_answers":true}\nWAIT 5000\nWAIT 9000')


def pem():
    for path in sorted(pathlib.Path("build/tls").glob("*.pem")):
        text = path.read_bytes()
        if len(text) <= LONGEST:
            yield path.stem, b"\x00\xff\x1f\x00" + text
            yield path.stem + "-split", b"\x00\x00\x02\x07" + text
        first = text.split(b"-----")
        if len(first) > 2 and b"CERTIFICATE" in first[1]:
            der = base64.b64decode(first[2])
            for kind in (1, 2, 3):
                yield f"{path.stem}-{kind}", bytes([kind, 255, 31, len(der) & 255]) + der


def program():
    yield "shop", b"\0\0[shop]\nclient_id = abc\nclient_secret = def\nport = 443\n[mqtt]\nhost = broker\ntls = yes\n"
    yield "file", b"\0\1[a]\nclient_id=x\nclient_secret_file = /secret\nconsent = yes\n; no\n[b]\nhost : h\n  more\n"
    words = ["chat-1", "--split", "hello", "-", "--item", "5", "-i7", "--limit=3", "--reason", "spam", "--", "-n",
             "--json", "--since", "2026-10-31", "--help", "--type=u2i", "--count", "5", "-T9"]
    for command in range(18):
        chosen = random.Random(command).sample(words, 6)
        yield f"command-{command}", bytes([1, command]) + b"\0".join(w.encode() for w in chosen)


def tls_server():
    """Recorded conversations of servers: tests/fuzz/record_tls.c."""
    directory = pathlib.Path("build/fuzz/recorded")
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["build/fuzz/record_tls", str(directory)], check=True)
    for path in sorted(directory.iterdir()):
        yield path.name, path.read_bytes()


def webhook_request():
    for name, kind, body in bodies():
        if kind == "event" and len(body) < 900:
            yield name, (b"\xff\x07POST /h HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
                         + body)


def main():
    target, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    make = {"response": response, "json": filters, "notification": notification,
            "raw_json": raw_json, "split": split,
            "sequence": sequences, "webhook_request": webhook_request,
            "stored": stored, "control": control, "pem": pem, "program": program, "tls_server": tls_server}[target]
    count = 0
    for name, data in make():
        if len(data) <= LONGEST:
            (directory / name).write_bytes(data)
            count += 1
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main())
