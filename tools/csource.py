"""What the checks need to know about C source: text without comments, and where functions are."""
import re


def blank_comments(text, strings=True, directives=False):
    """The text with comments (and the insides of strings, and preprocessor lines) made blank. Line
    numbers and columns stay."""
    out = []
    i, n = 0, len(text)

    def blank(piece):
        return re.sub(r"[^\n]", " ", piece)

    while i < n:
        if text.startswith("/*", i):
            end = text.find("*/", i + 2)
            end = n if end < 0 else end + 2
            out.append(blank(text[i:end]))
        elif text.startswith("//", i):
            end = text.find("\n", i)
            end = n if end < 0 else end
            out.append(blank(text[i:end]))
        elif text[i] in "\"'":
            end = i + 1
            while end < n and text[end] != text[i] and text[end] != "\n":
                end += 2 if text[end] == "\\" else 1
            end = min(end + 1, n)
            piece = text[i:end]
            out.append(piece if not strings else piece[0] + blank(piece[1:-1]) + piece[-1:])
        else:
            end = i + 1
            out.append(text[i])
        i = end
    code = "".join(out)
    if directives:
        code = re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: blank(m.group(0)), code,
                      flags=re.M)
    return code


def functions(text):
    """Yields (name, first line of the body, last line, static) of every function defined."""
    code = blank_comments(text, directives=True)
    depth, start, head = 0, None, 0
    i = 0
    while i < len(code):
        char = code[i]
        if char == "{":
            before = code[head:i]
            if depth == 0 and re.search(r'\bextern\s*"', before):
                head = i + 1  # extern "C" { ... } is no level
                i += 1
                continue
            if depth == 0 and before.rstrip().endswith(")"):
                # `head` is after the last ; or } at the top level.
                found = re.match(r"[^()]*?(\w+)\s*\(", before.strip(), re.S)
                start = (found.group(1) if found else "?", code.count("\n", 0, i) + 1,
                         bool(re.search(r"\bstatic\b|\bAVITOI_", before)))
            depth += 1
        elif char == "}":
            depth = max(depth - 1, 0)
            if depth == 0:
                if start is not None:
                    yield start[0], start[1], code.count("\n", 0, i) + 1, start[2]
                start, head = None, i + 1
        elif char == ";" and depth == 0:
            head = i + 1
        i += 1
