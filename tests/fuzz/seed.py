#!/usr/bin/env python3
"""tests/fuzz/seed.py TARGET DIRECTORY: the files of tests/data as first inputs of a fuzz target."""
import os
import sys

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
# the order of schemas in json.c, of calls in response.c
JSON = ("self", "chat", "message", "chats", "messages", "event", "subscriptions", "upload", "voices")
CALLS = {"self": (0,), "chats": (1,), "messages": (2, 7), "message": (3, 4), "token": (5,),
         "upload": (6,), "voices": (8,), "ok": (9, 4), "error": (0, 5, 9)}


def inputs(target, kind, body):
    if target == "json" and kind in JSON:
        yield bytes([JSON.index(kind), 7]) + body
    if target == "notification" and kind == "event":
        yield b"\x00\x02" + body
    if target == "response":
        status = 400 if kind == "error" else 200
        for call in CALLS.get(kind, ()):
            head = b"HTTP/1.1 %d X\r\n" % status
            yield bytes([call, 2]) + head + b"Content-Length: %d\r\n\r\n" % len(body) + body
            yield (bytes([call, 5]) + head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) +
                   body + b"\r\n0\r\n\r\n")
            yield bytes([call, 4]) + head + b"\r\n" + body


def main():
    target, directory = sys.argv[1:]
    os.makedirs(directory, exist_ok=True)
    for name in sorted(os.listdir(DATA)):
        if name.endswith((".json", ".txt", ".html")):
            kind = name.removeprefix("bad_").split("_")[0].split(".")[0]
            with open(os.path.join(DATA, name), "rb") as file:
                body = file.read()
            for i, data in enumerate(inputs(target, kind, body)):
                with open(os.path.join(directory, f"{name}.{i}"), "wb") as file:
                    file.write(data)


main()
