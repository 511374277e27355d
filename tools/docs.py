#!/usr/bin/env python3
"""Compiles the C code of the documents, so that what is printed there works, and looks for what they
name: the files and headings that they link to, the targets of make, the files of this project.

In Markdown files: every fenced block that begins with ```c. In the header's comments: a paragraph
that ends with "::" is followed by code, indented deeper than the paragraph, up to the first line
that is not:

     * The same without waiting::
     *
     *     result = avito_get_chats(&client, user_id, NULL, &arena, &chats);
     *     while (result == AVITO_AGAIN) {
     *         ...
     *
     * Then the text goes on.

(A comment inside such code is written "//".) A line "..." means code left out.

A block is one of three things, by what it holds: a whole program (it has a main(): compiled and
linked with the library), definitions (a line at the margin that begins with #, or a function or
variable definition: compiled after tests/compile/docs_prelude.h), or statements (the same, inside a
function). The prelude declares what the text around the code has introduced.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PRELUDE = os.path.join(TOP, "tests", "compile", "docs_prelude.h")
CFLAGS = ["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror",
          "-Wno-unused-variable", "-Wno-unused-function", "-Wno-unused-parameter",
          "-Wno-unused-but-set-variable", "-I" + TOP, "-I" + os.path.join(TOP, "tests", "compile")]


def dedent(lines):
    width = min((len(l) - len(l.lstrip()) for l in lines if l.strip()), default=0)
    return [l[width:] for l in lines]


def from_markdown(path):
    block, first = None, 0
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if block is None and re.match(r"\s*```c\s*$", line):
                block, first = [], number + 1
            elif block is not None and re.match(r"\s*```\s*$", line):
                yield first, dedent(block)
                block = None
            elif block is not None:
                block.append(line)


def from_comments(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file]
    i = 0
    while i < len(lines):
        intro = re.match(r"^ \*( +)\S.*::$", lines[i])
        if not intro:
            i += 1
            continue
        depth, block, first = len(intro.group(1)), [], i + 2
        i += 1
        while i < len(lines):
            text = re.match(r"^ \*( *)(.*)$", lines[i])
            if not text or lines[i].startswith(" */"):
                break
            if text.group(2).strip() and len(text.group(1)) <= depth:
                break
            block.append(text.group(1) + text.group(2))
            i += 1
        while block and not block[0].strip():
            block.pop(0)
            first += 1
        yield first, dedent(block)


def is_definition(block):
    """Something at file scope: a directive, `static`, or a function with its body at the margin."""
    text = "\n".join(block)
    return bool(re.search(r"^#", text, re.M) or re.search(r"^static\b", text, re.M)
                or re.search(r"^[a-z_][\w \*]*\w+\([^;{}]*\)\s*\{", text, re.M)
                and not re.search(r"^(if|for|while|switch|else|do)\b", text, re.M))


def compile_block(name, block, work, library):
    """None or the compiler's words."""
    text = "\n".join(re.sub(r"^(\s*)\.\.\.\s*;?$", r"\1;", line) for line in block) + "\n"
    program = re.search(r"\bmain\s*\(", text)
    if program:
        source = text
    elif is_definition(block):
        source = '#include "docs_prelude.h"\n#line 1\n' + text
    else:
        source = ('#include "docs_prelude.h"\nint block(void);\nint block(void)\n{\n#line 1\n'
                  + text + "    return 0;\n}\n")
    path = os.path.join(work, re.sub(r"\W", "_", name) + ".c")
    with open(path, "w", encoding="utf-8") as file:
        file.write(source)
    out = path[:-2]
    command = ["gcc", *CFLAGS, path, "-o", out]
    if not program:
        command.append("-c")
    elif "AVITO_MESSENGER_IMPLEMENTATION" not in text:
        command.append(library)
    if program:
        command.append("-lbearssl")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.stdout if done.returncode != 0 else None


# ---- what documents name ----

def make_targets():
    paths = [os.path.join(TOP, "Makefile")] + glob.glob(f"{TOP}/*/*.mk") + glob.glob(f"{TOP}/*/*/*.mk")
    text = "".join(open(path, encoding="utf-8").read() for path in paths)
    return set(" ".join(re.findall(r"^(?:\.PHONY: )?([a-z][a-z -]*)(?:$|:)", text, re.M)).split())


def has_heading(path, anchor):
    with open(path, encoding="utf-8") as file:
        headings = re.findall(r"^#+ (.*)$", file.read(), re.M)
    return anchor in (re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)


def dead_links(path, text):
    for link in re.findall(r"\]\(([^):]+)\)", text):
        name, _, anchor = link.partition("#")
        to = os.path.join(os.path.dirname(path), name) if name else path
        if not os.path.exists(to) or anchor and not has_heading(to, anchor):
            yield link


def dead_names(path, text, targets):
    """Of make, and of files: those of a package stand in tools/release."""
    if "/tools/release/" in path:
        return
    yield from (f"make {name}" for name in re.findall(r"(?:`|^|\w=\S+ )make ([a-z-]+)(?=[` \n])", text, re.M) if name not in targets)
    for name in re.findall(r"(?<![\w/.-])(?:examples|tests|tools)/[\w./*-]*[\w*/]", text):
        if not glob.glob(f"{TOP}/{name}") and not glob.glob(f"{TOP}/tools/release/*/{name}"):
            yield name


def what_is_named(documents):
    """1 if a document names what is not there."""
    targets, dead = make_targets(), []
    for path in documents:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        dead += [f"{os.path.relpath(path, TOP)}: {name}" for name in (*dead_links(path, text), *dead_names(path, text, targets))]
    print(("not ok" if dead else "ok") + " - what the documents link to and name is there", *dead, sep="\n#   ")
    return int(bool(dead) or "test" not in targets)


def main():
    failed = count = 0
    header = os.path.join(TOP, "avito_messenger.h")
    with open(header, encoding="utf-8") as file:
        unfinished = not re.search(r"^ \* >>1 ", file.read(), re.M)  # no manual yet
    documents = [(header, from_comments)]
    for base, dirs, files in os.walk(TOP):
        dirs[:] = [d for d in dirs if d not in ("build", ".git")]
        documents += [(os.path.join(base, f), from_markdown) for f in sorted(files)
                      if f.endswith(".md")]
    failed += what_is_named([path for path, _ in documents if path.endswith(".md")])
    with tempfile.TemporaryDirectory() as work:
        library = os.path.join(work, "avito.o")
        subprocess.run(["gcc", "-std=c99", "-w", "-D_POSIX_C_SOURCE=200809L", "-I" + TOP,
                        "-DAVITO_WITH_POSIX=1", "-DAVITO_WITH_BEARSSL=1", "-c",
                        os.path.join(TOP, "tests", "compile", "impl.c"), "-o", library],
                       check=True)
        for path, blocks in documents:
            shown = os.path.relpath(path, TOP)
            for first, block in blocks(path):
                name = f"{shown}:{first}"
                said = compile_block(name, block, work, library)
                count += 1
                if said is None:
                    print(f"ok - {name} compiles")
                    continue
                print(("# not yet - " if unfinished else "not ok - ") + f"{name} compiles")
                print("\n".join("#   " + line for line in said.splitlines()[:20]))
                failed += not unfinished
    if count == 0 and not unfinished:
        print("not ok - the documents hold code")
        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
