#!/usr/bin/env python3
"""Writes the drop-in file: the header with jsmn inlined under private names, nothing else needed.

    tools/dist.py [OUT]       default build/dist/avito_messenger.h

Every identifier of jsmn becomes avitoi_json_* or AVITOI_JSON_*, so that the file can stand beside
any other copy of jsmn in one program. jsmn's own licence stays with its text.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JSMN = "/usr/include/jsmn.h"
# The test whether jsmn.h exists, and its inclusion.
INCLUDE = re.compile(r"^#if defined\(__has_include\)\n#if !__has_include\(\"jsmn\.h\"\)\n"
                     r"(?:.*\n){2}#endif\n#endif\n#include \"jsmn\.h\"\n", re.M)


def private(name):
    """jsmntok_t -> avitoi_json_token, jsmn_parse -> avitoi_json_parse, JSMN_STRICT -> AVITOI_JSON_..."""
    known = {"jsmntok_t": "avitoi_json_token", "jsmntype_t": "avitoi_json_type",
             "jsmnerr": "avitoi_json_error", "jsmn_parser": "avitoi_json_parser"}
    if name in known:
        return known[name]
    if name.startswith("JSMN_"):
        return "AVITOI_JSON_" + name[5:]
    return "avitoi_json_" + name[5:] if name.startswith("jsmn_") else name


def rename(text, comments):
    """Renames in code; in comments too if asked (but never in the licence)."""
    code = csource.blank_comments(text, strings=False)
    out, last = [], 0
    for match in re.finditer(r"\b(?:jsmn|JSMN)\w*\b", text):
        in_code = code[match.start()] != " "
        if in_code or comments:
            out.append(text[last:match.start()] + private(match.group(0)))
            last = match.end()
    return "".join(out) + text[last:]


def single_file():
    """The text of the drop-in file. Raises ValueError if anything does not add up."""
    with open(os.path.join(TOP, "avito_messenger.h"), encoding="utf-8") as file:
        header = file.read()
    with open(JSMN, encoding="utf-8") as file:
        jsmn = file.read()
    licence_end = jsmn.index("*/") + 2
    inlined = ("/* ---- begin of jsmn, renamed ---- */\n" + jsmn[:licence_end]
               + rename(jsmn[licence_end:], True).rstrip("\n")
               + "\n/* ---- end of jsmn ---- */\n")

    includes = INCLUDE.findall(header)
    if len(includes) != 1:
        raise ValueError(f"the header includes jsmn.h {len(includes)} times, expected once")
    before, after = INCLUDE.split(header)
    asked = ("The implementation includes jsmn.h, from beside this file or the include path\n"
             " * (Debian: libjsmn-dev). With")
    if asked not in before:
        raise ValueError("the title page speaks otherwise of jsmn.h")
    before = before.replace(asked, "jsmn is inside, under private names. With")
    text = rename(before, False) + inlined + rename(after, False)
    left = re.findall(r"\bjsmn\w*_\w+|\bJSMN\w*",
                      csource.blank_comments(text, strings=True))
    if left:
        raise ValueError("not renamed: " + ", ".join(sorted(set(left))))
    if "Copyright (c) 2010 Serge Zaitsev" not in text:
        raise ValueError("jsmn's licence is missing")
    return text


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(TOP, "build/dist/avito_messenger.h")
    try:
        text = single_file()
    except ValueError as error:
        print(f"dist.py: {error}")
        return 1
    os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
    with open(out, "w", encoding="utf-8") as file:
        file.write(text)
    print(f"{os.path.relpath(out)}: {len(text.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
