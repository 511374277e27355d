#!/usr/bin/env python3
"""long_runs.py TARGET COMMAND...: runs the command of a target that takes longer than `make test`, and writes
into tools/long_runs.txt when that was, on which commit, and what its last line said. The README's two tables
are written from that file.

    long_runs.py --write    only the tables
    long_runs.py --check    are they what the file says, and has every target here a recipe that comes here?

A commit with a "+" had changes beside it that were not committed. A target that was never run is in the
tables, too.
"""
import datetime
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KEPT = os.path.join(TOP, "tools", "long_runs.txt")
README = os.path.join(TOP, "README.md")

# Target: what it does, in both languages of the README.
TARGETS = {
    "fuzz": ("every fuzz target, `FUZZ_SECONDS` each", "все цели фаззинга, по `FUZZ_SECONDS`"),
    "fuzz-hours": ("two hours of processor time for each fuzz target, in pieces of `FUZZ_WALL` seconds",
                   "два часа процессора каждой цели фаззинга, частями по `FUZZ_WALL` секунд"),
    "world-many": ("a million seeds of the simulated world, or as many as fit into `WORLD_SECONDS`",
                   "миллион случайных миров или сколько успеется за `WORLD_SECONDS`"),
    "soak": ("thirty simulated days in which everything goes wrong", "тридцать дней, когда ломается всё"),
    "long-life": ("a million calls in one process over TLS, from 2037 until 2112",
                  "миллион вызовов одного процесса через TLS, с 2037 по 2112 год"),
    "coverage": ("lines, branches and conditions that the tests reach", "строки, ветви и условия, до которых доходят тесты"),
    "mutate": ("small faults in the header, one at a time: do the tests notice?",
               "мелкие ошибки в заголовке, по одной: замечают ли тесты?"),
    "avito-kill": ("`avito watch` killed a thousand times", "`avito watch`, убитый тысячу раз"),
    "avito-export-test": ("`avito export` of 1,000 chats, killed and continued",
                          "`avito export` тысячи чатов, с обрывами"),
    "gateway-torture": ("the gateway, its broker and the service, killed and stopped",
                        "шлюз, его брокер и сервис: убиты и остановлены"),
    "fleet": ("three gateways share 20 accounts; they, the broker and the lines are killed, stopped and cut",
              "три шлюза делят 20 учётных записей; их, брокера и связь убивают, останавливают, рвут"),
}
HEADS = (("target", "what it does", "last run", "commit", "what it said last"),
         ("цель", "что делает", "когда", "версия", "итог"))
ENDED = {"ok": "прошло", "failed": "не прошло"}
OWN = {"avito-kill": "ok - kill -9", "long-life": "1000000 calls"}  # beginning of the target's own line, if other checks' lines follow it


def kept():
    """Target: (day, commit, ok or failed, last words)."""
    runs = {}
    with open(KEPT, encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                target, *rest = line.rstrip("\n").split("\t")
                runs[target] = rest
    return runs


def keep(runs):
    with open(KEPT, "w", encoding="utf-8") as file:
        file.write("# Written by tools/long_runs.py: target, day, commit, how it ended, its last words.\n")
        for target in TARGETS:
            if target in runs:
                file.write("\t".join([target, *runs[target]]) + "\n")


def row(language, target, run):
    day, commit, ended, words = run or ("-", "-", "", "-")
    if language == 1 and run:
        words = ENDED[ended]
    elif run:
        words = (words if ended == "ok" else ended + ": " + words).replace("|", "\\|")
    return "| `make %s` | %s | %s | %s | %s |" % (target, TARGETS[target][language], day, commit, words)


def table(language, runs):
    head = "| " + " | ".join(HEADS[language]) + " |\n|" + "---|" * len(HEADS[language])
    return "\n".join([head] + [row(language, target, runs.get(target)) for target in TARGETS])


def with_tables(text, runs):
    """The README with the tables in it, each in place of the one with its head."""
    for language, heads in enumerate(HEADS):
        old = re.compile(r"^\| " + re.escape(" | ".join(heads)) + r" \|\n(\|.*\n)+", re.M)
        if len(old.findall(text)) != 1:
            sys.exit("not ok - README.md has no place for the table of long runs: | %s |" % " | ".join(heads))
        text = old.sub(lambda _: table(language, runs) + "\n", text)
    return text


def read_readme():
    with open(README, encoding="utf-8") as file:
        return file.read()


def write():
    text = with_tables(read_readme(), kept())
    with open(README, "w", encoding="utf-8") as file:
        file.write(text)


def recipes():
    text = ""
    for folder in (".", "tests", "tools"):
        for name in os.listdir(os.path.join(TOP, folder)):
            if name.endswith(".mk") or name == "Makefile":
                with open(os.path.join(TOP, folder, name), encoding="utf-8") as file:
                    text += file.read()
    return set(re.findall(r"^([a-z-]+):.*\n(?:\t.*\n)*?\t.*tools/long_runs\.py \1 ", text, re.M))


def check():
    text = read_readme()
    same, missing = with_tables(text, kept()) == text, sorted(set(TARGETS) ^ recipes())
    print("%s - the README's tables of long runs are what tools/long_runs.txt says%s" % (
        ("ok", "") if same else ("not ok", ": tools/long_runs.py --write")))
    print("%s - each of these targets keeps its last run%s" % (
        ("not ok", ": %s do not" % ", ".join(missing)) if missing else ("ok", "")))
    seen = {}
    for line in ("ok - a\n", "not ok - b: ['c']\n", "ok - d\n", "# e\n"):
        note(seen, line)
    words = (last_words(seen, False), last_words(seen, True), last_words({"": "f"}, True))
    told = words == ("d", "b", "f")
    print("%s - of a run that failed the table says what did not hold%s" % (("ok", "") if told else ("not ok", ": %s" % (words,))))
    return 0 if same and not missing and told else 1


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", TOP, *words], capture_output=True, text=True, check=False).stdout.strip()
    ours = [":(exclude)" + os.path.relpath(name, TOP) for name in (KEPT, README)]
    return (git("rev-parse", "--short", "HEAD") or "?") + ("+" if git("status", "--porcelain", "-uno", "--", ".", *ours) else "")


def note(seen, line, own="ok"):
    """Keeps the last line of each kind."""
    for kind, beginning in (("ok", own), ("not ok", "not ok"), ("", "")):
        if line.strip() and line.startswith(beginning):
            seen[kind] = line.strip()


def last_words(seen, failed):
    """The failed check of a run: lines of checks that held may come after it."""
    words = seen.get("not ok" if failed else "ok") or seen.get("", "")
    words = re.sub(r": \[.*", "", re.sub(r"^(not )?ok - ", "", words))  # a list of cases is for the log
    return re.sub(r"\s+", " ", words)[:110]


def run(target, command):
    """Runs the command and passes its output on; returns its exit status."""
    seen, on = {}, commit()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as child:
        for line in child.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            note(seen, line, OWN.get(target, "ok"))
    runs = kept()
    runs[target] = [datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"), on,
                    "ok" if child.returncode == 0 else "failed",
                    last_words(seen, child.returncode != 0)]
    keep(runs)
    write()
    return child.returncode


def main():
    if len(sys.argv) == 2 and sys.argv[1] in ("--write", "--check"):
        sys.exit(check() if sys.argv[1] == "--check" else write())
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        sys.exit(__doc__)
    sys.exit(run(sys.argv[1], sys.argv[2:]))


if __name__ == "__main__":
    main()
