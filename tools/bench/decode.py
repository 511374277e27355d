"""Runs the decode host: hashes, times, instructions, heap, faults."""
import glob
import json
import os
import subprocess

# glibc copies long pieces by `rep movsb`, and callgrind counts each byte of that as an instruction; with this
# it copies in vectors under callgrind too.
COUNTED = {"GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=1000000000"}


def kind_of(name):
    return next((k for k in ("messages", "notification") if name.startswith(k)), "chats")


def lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class Decode:
    def __init__(self, out):
        self.out = out
        self.host = os.path.join(out, "host")
        with open(os.path.join(out, "data", "index.json")) as f:
            self.index = json.load(f)

    def path(self, name):
        return os.path.join(self.out, "data", name)

    def plugin(self, spec):
        """"ours@ours, small" -> build/bench/ours.so@ours, small"""
        name, _, peer = spec.partition("@")
        return "./" + os.path.join(self.out, name + ".so") + ("@" + peer if peer else "")

    def run(self, args, before=(), env=None):
        done = subprocess.run([*before, self.host, *args], stdout=subprocess.PIPE, text=True,
                              env={**os.environ, **(env or {})}, check=True)
        return lines(done.stdout)

    def hashes(self, name, plugins):
        return self.run(["hash", kind_of(name), self.path(name), *map(self.plugin, plugins)])

    def times(self, name, rounds, plugins):
        rows = self.run(["time", kind_of(name), self.path(name), str(rounds),
                         *map(self.plugin, plugins)])
        return {row["peer"]: row for row in rows}

    def instructions(self, plugin, names, tag):
        """{(decoder, file): instructions of one whole decode}"""
        base = os.path.join(self.out, "callgrind." + tag)
        for old in glob.glob(base + ".out*"):
            os.remove(old)
        valgrind = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no",
                    "--callgrind-out-file=" + base + ".out"]
        rows = self.run(["count", self.plugin(plugin),
                         *("%s:%s" % (kind_of(n), self.path(n)) for n in names)], valgrind, COUNTED)
        refused = [row["label"] for row in rows if row["result"] != 0]
        out = {}
        for dump in glob.glob(base + ".out*"):
            label, total = read_dump(dump)
            if label and "|" in label:
                peer, _, name = label.split("|")
                out[peer, name] = total
        return out, refused

    def heap(self, plugin, name):
        return self.run(["heap", self.plugin(plugin), "%s:%s" % (kind_of(name), self.path(name))],
                        env={"LD_PRELOAD": os.path.abspath(os.path.join(self.out, "heap.so"))})

    def probe(self, plugin):
        names = [n for n in self.index if self.index[n]["kind"] == "broken"]
        rows = self.run(["probe", self.plugin(plugin), *map(self.path, names)])
        return {(row["peer"], row["file"]): row["refused"] for row in rows}


def read_dump(path):
    """(label, instructions) of one callgrind file."""
    label = total = None
    with open(path) as f:
        for line in f:
            if line.startswith("desc: Trigger: Client Request: "):
                label = line.split(": ", 3)[3].strip()
            elif line.startswith(("summary:", "totals:")):
                total = int(line.split()[1])
    return label, total
