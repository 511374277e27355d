"""The simulator's rooms and files as `make simulator-rooms` lists them, each after everything that it may
call.

The object files show it: a name that a file uses must be defined in an earlier file, so neither files nor
rooms can form a circle. The library (core and http) has no writable variable, and uses only functions of the
system that need nothing outside the program: no clock, no random bytes, no socket, no file."""
import re
import subprocess
import sys

OBJECTS = "build/obj/tools/simulator/"
LIBRARY = ("core", "http")
# Out of memory, it says so on stderr and aborts.
SYSTEM = set("""abort atoi fwrite stderr free malloc realloc calloc gmtime_r strftime memchr memcmp memcpy
memmove memset snprintf sscanf vsnprintf strcasecmp strchr strcmp strcpy strcspn strlen strncasecmp
strncmp strrchr strspn strstr strtol __memcpy_chk __isoc99_sscanf __isoc23_sscanf __stack_chk_fail
_GLOBAL_OFFSET_TABLE_""".split())
SYMBOL = re.compile(r"^[0-9a-f]{16} (.{7}) (\S+)\s+[0-9a-f]+ (?:\.hidden )?(\S+)$")
LIBRARIES = re.compile(r"^(cJSON_|http_)")
LIBRARY_ROOM = {"core": None, "http": LIBRARIES}
failures = 0


def check(what, wrong):
    global failures
    print(("not ok - " if wrong else "ok - ") + what, flush=True)
    for line in wrong:
        print("    " + line)
    failures += bool(wrong)


def symbols(path):
    """(defined, writable, used) names of an object file. Constants that hold addresses are written once,
    by the dynamic linker: section .data.rel.ro."""
    defined, writable, used = set(), set(), set()
    text = subprocess.run(["objdump", "-t", path], capture_output=True, check=True, text=True).stdout
    for line in text.splitlines():
        match = SYMBOL.match(line)
        if match is None:
            continue
        flags, section, name = match.groups()
        if section == "*UND*":
            used.add(name)
        elif "g" in flags:
            defined.add(name)
        if section == "*COM*" or (section.startswith((".data", ".bss"))
                                  and not section.startswith(".data.rel.ro") and "d" not in flags):
            writable.add(name)
    return defined, writable, used


def listed():
    text = subprocess.run(["make", "-s", "--no-print-directory", "simulator-rooms"],
                          capture_output=True, check=True, text=True).stdout
    return text.split()


def main():
    names = listed()
    tables = {name: symbols(OBJECTS + name + ".o") for name in names}
    home = {symbol: name for name in names for symbol in tables[name][0]}
    order = {name: place for place, name in enumerate(names)}
    calls = [(name, home[symbol], symbol) for name in names for symbol in tables[name][2]
             if symbol in home]
    check(f"{len(names)} files of the simulator, {len(calls)} names from another one: all from before",
          [f"{user} uses {symbol} of {owner}" for user, owner, symbol in calls
           if order[owner] >= order[user]])
    library = [name for name in names if name.split("/")[0] in LIBRARY]
    check("the library has no variable", [f"{name}: {one}" for name in library
                                          for one in sorted(tables[name][1])])
    foreign = []
    for name in library:
        allowed = LIBRARY_ROOM[name.split("/")[0]]
        foreign += [f"{name} uses {one}" for one in sorted(tables[name][2] - SYSTEM - set(home))
                    if allowed is None or not allowed.match(one)]
    check("the core calls nothing outside, and its HTTP only cJSON and http-parser", foreign)
    check("each room has its files", [] if {n.split("/")[0] for n in names} > set(LIBRARY)
          else ["rooms are missing"])
    return failures != 0


sys.exit(main())
