#!/usr/bin/env python3
"""The shapes that a decoder meets (payloads.py), and the instructions a byte that each may take.

usage: shapes.py OUT [--only WORD] [--ours]

Measures the header alone on every shape, or on those whose name holds WORD: with intrinsics, without,
and compiled for size; with --ours with intrinsics only. bench.py measures the same beside other
libraries. Exit status 1 when a gate is missed, also when an element was refused.
"""
import sys
from concurrent.futures import ThreadPoolExecutor

from decode import Decode

OURS, PORTABLE, SIZE = "ours", "ours portable", "ours -Os"
PLUGINS = {OURS: "ours", PORTABLE: "portable", SIZE: "size"}
ALL, MASKED = "", ", no avatars"
FAMILY = 2.0  # no shape may take more than this many times what its family's reference takes
FOR_SIZE = 1.5  # compiled for size, with the short way still there: at most this many times the gate


class Shape:
    """gate: issue 12. portable: what it took without intrinsics at 1e9c221 (gcc 12)."""

    def __init__(self, name, words, gate, portable, reference, asked=ALL):
        self.name, self.words, self.gate, self.portable = name, words, gate, portable
        self.reference, self.asked = reference, asked

    def limit(self, decoder):
        return {OURS: self.gate, PORTABLE: self.portable}.get(decoder, FOR_SIZE * self.gate)


CHATS, MESSAGES, NOTIFICATION = "chats-compact", "messages-mixed", "notification-one"
SHAPES = [
    Shape(CHATS, "100 chats, compact", 5.6, 11.9, CHATS),
    Shape(CHATS, "the same without avatars", 5.6, 10.5, CHATS, MASKED),
    Shape("chats-indented", "chats, indented", 5.8, 28.7, CHATS),
    Shape("chats-shuffled", "chats, keys in another order", 6.2, 17.2, CHATS),
    Shape("chats-unknown", "chats, unknown members", 7.0, 16.0, CHATS),
    Shape(MESSAGES, "100 messages, mixed", 8.5, 15.0, MESSAGES),
    Shape("messages-tiny", "messages, tiny", 10.3, 19.4, MESSAGES),
    Shape("messages-quotes", "messages, quotation marks", 9.4, 18.3, MESSAGES),
    Shape("messages-long.raw", "messages, long Cyrillic", 5.4, 11.1, MESSAGES),
    Shape("messages-long.esc", "messages, the same as \\u", 8.3, 7.7, MESSAGES),
    Shape("messages-emoji", "messages, emoji", 9.0, 30.9, MESSAGES),
    Shape(NOTIFICATION, "one notification", 8.8, 28.3, NOTIFICATION),
    Shape("notification-long.esc", "notification, long text as \\u", 8.4, 30.2, NOTIFICATION),
    Shape("notification-spaced", "notification, blanks", 8.8, 50.5, NOTIFICATION),
]


def names_of(shapes):
    """The files that they need, including the references of their families."""
    return list(dict.fromkeys(n for s in shapes for n in (s.reference, s.name)))


def count(decode, plugins, shapes):
    """{(decoder, file): instructions a byte}, and the labels of what was refused."""
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(
            lambda p: decode.instructions(p, names_of(shapes), "shapes." + p), plugins))
    counts = {k: n / decode.index[k[1]]["bytes"] for found, _ in done for k, n in found.items()}
    return counts, [label for _, refused in done for label in refused]


def gates(counts, shape, decoders):
    """(words, measured, at most) of every gate of one shape; the family's last."""
    for d in decoders:
        yield shape.words + d.removeprefix(OURS), counts[d + shape.asked, shape.name], \
            shape.limit(d)
    yield shape.words + ", against its reference", \
        counts[OURS + shape.asked, shape.name] / counts[OURS, shape.reference], FAMILY


def main():
    out, flags = sys.argv[1], sys.argv[2:]
    only = flags[flags.index("--only") + 1] if "--only" in flags else ""
    decoders = [OURS] if "--ours" in flags else list(PLUGINS)
    shapes = [s for s in SHAPES if only in s.name]
    if not shapes:
        print("no shape has %s in its name: %s" % (only, " ".join(names_of(SHAPES))))
        return 1
    decode, missed = Decode(out), 0
    counts, refused = count(decode, [PLUGINS[d] for d in decoders], shapes)
    form = "%-30s %9s" + " %15s" * (len(decoders) + 1)
    print(form % ("instructions a byte, gate", "bytes", *decoders, "of reference"))
    for s in shapes:
        found = [(value, most) for _, value, most in gates(counts, s, decoders)]
        missed += sum(value > most for value, most in found)
        print(form % (s.words, "{:,}".format(decode.index[s.name]["bytes"]), *(
            "%.2f %s %.1f" % (value, ">" if value > most else "≤", most)
            for value, most in found)))
    for label in refused:
        print("refused: " + label)
    print("%d gates missed" % missed)
    return 1 if missed or refused else 0


if __name__ == "__main__":
    sys.exit(main())
