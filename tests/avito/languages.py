"""Each sentence of the program is there in English and in Russian, side by side, and the gateway's
sentences fit the room that it has for them. Prints "ok - what" / "not ok - what"."""
import glob
import re
import sys

TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[^\s"]+')
SENTENCE = re.compile(r"(?<![\w%])[a-z]{2,}(?: [a-z]{2,}){2,}")
RUSSIAN = re.compile("[а-яё]", re.IGNORECASE)
WORDS = {"spam fraud insult other", "describe command commands",  # values of an option; a command of zsh
         "id chat name text type class direction time created author", "id name title text time updated url",  # for --format
         "id chat outcome", "id name email phone url"}
KEPT = ["gateway", "job", "order", "mqtt", "russian"]  # kept by the gateway, in GATEWAY_REASON_MAX bytes
KEPT_MAX = 200


def strings_of(path):
    """Adjacent literals are one, (text, line); other tokens are (None, token)."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/|^#include.*?$", lambda m: "\n" * m[0].count("\n"), file.read(), flags=re.DOTALL | re.MULTILINE)
    joined = []
    for token in TOKEN.finditer(text):
        if token[0][0] != '"':
            joined.append((None, token[0]))
        elif joined and joined[-1][0] is not None:
            joined[-1] = (joined[-1][0] + token[0][1:-1], joined[-1][1])
        else:
            joined.append((token[0][1:-1], text.count("\n", 0, token.start()) + 1))
    return joined


def alone(path):
    """Sentences without a Russian one after them."""
    strings = [*strings_of(path), (None, ""), (None, "")]
    for (text, line), (_, comma), (other, _) in zip(strings, strings[1:], strings[2:]):
        sentence = SENTENCE.search(text or "")
        paired = comma == "," and RUSSIAN.search(other or "")
        if sentence and not paired and not RUSSIAN.search(text) and sentence[0] not in WORDS:
            yield f"{path}:{line}: {text}"


def main():
    paths = sorted(glob.glob("tools/avito/*.c"))
    single = [row for path in paths for row in alone(path)]
    long = [f"{name}.c:{line}: {text}" for name in KEPT for text, line in strings_of(f"tools/avito/{name}.c")
            if text is not None and len(text.encode()) > KEPT_MAX]
    pairs = sum(1 for path in paths for text, _ in strings_of(path) if RUSSIAN.search(text or ""))
    for what, found in ((f"no sentence in English only, {pairs} in two languages", single), (f"what the gateway says has at most {KEPT_MAX} bytes", long)):
        print(("ok - " if not found else "not ok - ") + what, *found, sep="\n    ")
    return bool(single or long or pairs < 100)


if __name__ == "__main__":
    sys.exit(main())
