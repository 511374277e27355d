#!/usr/bin/env python3
"""seeds.py TARGET DIRECTORY: writes inputs to begin with, made of tests/data.

Each target takes a few bytes that choose what to do (see its first comment), then the text.
"""
import pathlib
import random
import sys
import zlib

DATA = pathlib.Path("tests/data")
LONGEST = 4000

# First word of a file's name: the numbers of the calls in response.c that such a body answers, and of
# the roots in json.c.
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


def raw_json():
    for name, _, body in bodies():
        yield name, b"\xff\x0f\x00" + body


def webhook_request():
    for name, kind, body in bodies():
        if kind == "event" and len(body) < 900:
            yield name, (b"\xff\x07POST /h HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
                         + body)


def main():
    target, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    make = {"response": response, "json": filters, "notification": notification,
            "raw_json": raw_json, "sequence": sequences, "webhook_request": webhook_request}[target]
    count = 0
    for name, data in make():
        if len(data) <= LONGEST:
            (directory / name).write_bytes(data)
            count += 1
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main())
