#!/usr/bin/env python3
"""careless.py HEADER: every public function of the header as a row of a table, in C, for
tests/api/careless_test.c; every hook; and every constant of a public enum, which must have words.

    FUNCTION(avito_get_chat, INT, PARAMETERS(...), call)

Nothing is listed here by name: what the header declares is what is called. A type that is not known below
ends the program, so that nothing is skipped.
"""
import re
import sys

RETURNS = {"void": "NOTHING", "int": "INT", "bool": "BOOL", "size_t": "SIZE", "unsigned": "EVENTS",
           "uint32_t": "MS", "int64_t": "TIME", "const char *": "TEXT", "const void *": "POINTER",
           "const avito_error *": "POINTER", "avito_arena *": "POINTER"}
STRUCTS = {"avito_str": ".ptr != NULL", "avito_json_value": None,
           "avito_transport": ".functions != NULL", "avito_arena": ".base != NULL"}
# What is passed where the parameter is no pointer.
NUMBERS = {"int64_t": "350000001", "size_t": "o->length", "uint32_t": "1000", "int": "0", "unsigned": "1"}
VALUES = {"avito_str": "o->str", "avito_json_value": "o->value"}


def interface(text):
    """The declarations, without comments and implementation."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    out, hidden = [], 0
    for line in text.split("\n"):
        if re.match(r"#if defined\(AVITO_MESSENGER_IMPLEMENTATION\)", line):
            hidden = 1
        elif hidden and re.match(r"#\s*if", line):
            hidden += 1
        elif hidden and re.match(r"#\s*endif", line):
            hidden -= 1
        elif not hidden:
            out.append(line)
    return "\n".join(out)


def declarations(text):
    for match in re.finditer(r"^AVITO_API\s+([^;{}]*?);", interface(text), re.M):
        line = re.sub(r"\s+", " ", match.group(1))
        head, name, params = re.match(r"(.*?)\b(avito_\w+)\((.*)\)$", line).groups()
        yield head.strip(), name, [] if params == "void" else split(params)


def split(params):
    """At commas outside of brackets."""
    out, depth = [""], 0
    for c in params:
        depth += {"(": 1, ")": -1}.get(c, 0)
        if c == "," and depth == 0:
            out.append("")
        else:
            out[-1] += c
    return [p.strip() for p in out]


def parameter(text):
    """(type, name); a pointer's type is what it points to."""
    if "(*" in text:
        return "function *", re.search(r"\(\*(\w+)\)", text).group(1)
    kind, name = re.match(r"(.*?)(\w+)$", text).groups()
    return kind.strip(), name


def argument(kind, name, pointers):
    if kind == "function *":
        return "o->p[%d] != NULL ? visit : NULL" % (len(pointers) - 1)
    if kind.endswith("*"):
        return "o->p[%d]" % (len(pointers) - 1)
    if kind in VALUES:
        return VALUES[kind]
    if kind.startswith("avito_"):
        return "(%s)1" % kind # an enum, or the compiler will say so
    return "1" if name in ("count", "index") else NUMBERS[kind]


def value_of(head):
    """Whether the struct `r` holds anything."""
    if head == "avito_json_value":
        return "avito_json_type_of(r)"
    return "r%s" % STRUCTS[head] if head in STRUCTS else "sizeof r > 0"


def function(head, name, params):
    pointers, words, arguments = [], [], []
    for text in params:
        kind, word = parameter(text)
        if kind.endswith("*"):
            pointers.append(word)
            words.append('{"%s", "%s"}' % (re.sub(r"\bconst\b\s*|\s*\*$", "", kind).strip(), word))
        arguments.append(argument(kind, word, pointers))
    call = "%s(%s)" % (name, ", ".join(arguments))
    print("static void call_%s(struct objects *o)\n{" % name)
    if head == "void":
        print("    %s;" % call)
    elif head in STRUCTS or head.endswith("_options"):
        print("    %s r = %s;" % (head, call))
        print("    o->result = %s;" % value_of(head))
    elif RETURNS.get(head) in ("TEXT", "POINTER"):
        print("    o->result = %s != NULL;" % call)
    else:
        print("    o->result = (int64_t)%s;" % call)
    print("    (void)o;\n}")
    return "    {\"%s\", call_%s, RESULT_%s, {%s}}," % (
        name, name, RETURNS.get(head, "STRUCT"), ", ".join(words) or "{NULL, NULL}")


# What the table is made of; `visit` is the includer's.
TYPES = """enum { POINTERS = 8 };

/* What a call is made with, and what it gave. */
struct objects {
    void *p[POINTERS];
    size_t length;
    avito_str str;
    avito_json_value value;
    int64_t result; /* a pointer or struct: whether it holds anything */
};

enum result {
    RESULT_NOTHING,
    RESULT_INT,
    RESULT_BOOL,
    RESULT_SIZE,
    RESULT_EVENTS,
    RESULT_MS,
    RESULT_TIME,
    RESULT_TEXT,
    RESULT_POINTER,
    RESULT_STRUCT
};

struct function {
    const char *name;
    void (*call)(struct objects *o);
    enum result result;
    struct {
        const char *type, *name;
    } pointers[POINTERS];
};

/* A constant of an enum, and its word. */
struct constant {
    const char *of, *name;
    int value;
    const char *(*word)(int value);
};

static int visit(void *ctx, const avito_store_send *send);
"""


# Enums whose words come from another function; enums whose constants are a macro's list.
NAMED = {"avito_error_code": "avito_error_name"}


def enums(text, functions):
    """Every public enum has words: each constant as a row with the function that gives its word."""
    rows = []
    for name, body in re.findall(r"enum\s+(avito_\w+)\s*\{(.*?)\}", interface(text), re.S):
        words = NAMED.get(name, name + "_word")
        if words not in functions:
            sys.exit("careless.py: enum %s has no words: the header wants a %s()" % (name, words))
        if name in NAMED:
            continue
        print("static const char *words_of_%s(int value)\n{" % name)
        print("    return %s((%s)value);\n}" % (words, name))
        for constant in re.findall(r"\b(AVITO_\w+)\s*(?:=\s*\w+\s*)?(?:,|$)", body.strip()):
            rows.append('    {"%s", "%s", %s, words_of_%s},' % (name, constant, constant, name))
    return rows


def hooks(text):
    """What the library calls: members of public structs, and parameters."""
    text = re.sub(r"struct \{[^{}]*\} priv;", "", interface(text))
    names = []
    for body in re.findall(r"typedef struct avito_\w*(?:_options|_functions|_source) \{(.*?)\n\}", text, re.S):
        names += re.findall(r"\(\*(\w+)\)\(", body)
    for params in re.findall(r"^AVITO_API[^;{}]*;", text, re.M):
        names += re.findall(r"\(\*(\w+)\)\(", params)
    return sorted(set(names))


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        text = f.read()
    found = list(declarations(text))
    print("/* Written by tests/api/careless.py from the header. */")
    print(TYPES)
    rows = [function(*one) for one in found]
    print("static const struct function functions[] = {\n%s\n};" % "\n".join(rows))
    print("static const char *const hooks[] = {%s};" % ", ".join('"%s"' % name for name in hooks(text)))
    rows = enums(text, {name for _, name, _ in found})
    print("static const struct constant constants[] = {\n%s\n};" % "\n".join(rows))


if __name__ == "__main__":
    main()
