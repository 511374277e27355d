#!/usr/bin/env python3
"""Compiles the header in every configuration, all warnings being errors.

Prints one "ok - ..." or "not ok - ..." line per configuration, with the compiler's words after a
failure.

    matrix.py              the header of this directory
    matrix.py --dist FILE  the single file that `make dist` wrote: with a jsmn.h that must not be used
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

GCC = ("-Wall -Wextra -pedantic -Wconversion -Wsign-conversion -Wundef -Wshadow -Wcast-qual "
       "-Werror").split()
GCC_C = GCC + ["-Wstrict-prototypes", "-Wmissing-prototypes"]
CLANG = ("-Weverything -Wno-padded -Wno-unsafe-buffer-usage -Wno-unknown-warning-option "
         "-Wno-declaration-after-statement -Werror").split()
CLANG_CXX = CLANG + ("-Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-old-style-cast "
                     "-Wno-zero-as-null-pointer-constant").split()
POSIX_NAMES = ["-D_POSIX_C_SOURCE=200809L"]

gcc, gxx = os.environ.get("CC", "gcc"), os.environ.get("CXX", "g++")
clang, clangxx = os.environ.get("CLANG", "clang"), os.environ.get("CLANGXX", "clang++")
# Names that a firmware's headers may use: all our macros begin with AVITO.
MACROS = """AFTER AGAIN BROKEN BUSY COUNT DATE DIGITS DONE END ERROR EXP FAIL FALSE FIELD HEX IDLE INT KEY
LENGTH LIMIT LITERAL MAX MIN MINUS NONE OBJ OK OPEN POINT POST POWER ROOM SIGN STATE STR STRING TEXT TIMER
TRUE VALUE WORD WRITE ZERO""".split()

COMPILERS = {
    "gcc c99": [gcc, "-std=c99", "-x", "c", *GCC_C],
    "g++ c++11": [gxx, "-std=c++11", "-x", "c++", *GCC],
    "clang c99": [clang, "-std=c99", "-x", "c", *CLANG],
    "clang++ c++11": [clangxx, "-std=c++11", "-x", "c++", *CLANG_CXX],
}
BACKENDS = {
    "core": [],
    "posix": ["-DAVITO_WITH_POSIX=1"],
    "bearssl": ["-DAVITO_WITH_BEARSSL=1"],
    "posix and bearssl": ["-DAVITO_WITH_POSIX=1", "-DAVITO_WITH_BEARSSL=1"],
}


class Matrix:
    def __init__(self, header, first_include=None):
        self.header = header
        self.first = ["-I" + first_include] if first_include else []
        self.include = self.first + ["-I" + os.path.dirname(os.path.abspath(header))]
        self.work = tempfile.mkdtemp(prefix="avito-compile-")
        self.jobs = []

    def add(self, name, command):
        self.jobs.append((name, command))

    def compile(self, name, compiler, source, flags, optimise=None):
        """Only the warnings; with `optimise` those of the optimiser, too."""
        if optimise is None:
            self.add(name, [[*compiler, *self.include, *flags, "-fsyntax-only",
                             os.path.join(HERE, source)]])
            return
        out = os.path.join(self.work, re.sub(r"\W+", "_", name) + ".o")
        self.add(name, [[*compiler, optimise, *self.include, *flags, "-c",
                         os.path.join(HERE, source), "-o", out]])

    def run(self):
        """Returns the number of failures."""
        failed = 0
        with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
            for (name, _), output in zip(self.jobs, pool.map(run_job, self.jobs)):
                if output is None:
                    print("ok - " + name)
                    continue
                print("not ok - " + name)
                print("\n".join("#   " + line for line in output.splitlines()[:40]))
                failed += 1
        shutil.rmtree(self.work, ignore_errors=True)
        return failed


def run_job(job):
    """None, or what the first command that failed said."""
    for command in job[1]:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            return " ".join(command) + "\n" + done.stdout
    return None


def compilers_and_backends(m):
    for cname, compiler in COMPILERS.items():
        m.compile(f"{cname}: interface", compiler, "interface.c", [])
        m.compile(f"{cname}: interface, both backends", compiler, "interface.c",
                  BACKENDS["posix and bearssl"])
        for bname, flags in BACKENDS.items():
            m.compile(f"{cname}: implementation, {bname}", compiler, "impl.c",
                      flags + POSIX_NAMES, optimise="-O2" if "and" in bname else None)
        m.compile(f"{cname}: interface first, implementation later", compiler, "late.c", [])
        for bname in ("core", "posix and bearssl"):
            m.compile(f"{cname}: AVITO_STATIC, some calls used, {bname}", compiler,
                      "static.c", BACKENDS[bname] + POSIX_NAMES)


def single_file(m):
    for cname, compiler in COMPILERS.items():
        m.compile(f"single file, {cname}: interface", compiler, "interface.c", [])
        for bname in ("core", "posix and bearssl"):
            m.compile(f"single file, {cname}: implementation, {bname}", compiler, "impl.c",
                      BACKENDS[bname] + POSIX_NAMES)
    m.compile("single file beside another jsmn", [gcc, "-std=c99", "-Wall", "-Werror"],
              "beside_jsmn.c", [])


def newer_languages(m):
    both = BACKENDS["posix and bearssl"] + POSIX_NAMES
    for name, compiler in (
            ("gcc c11", [gcc, "-std=c11", *GCC_C]), ("gcc c2x", [gcc, "-std=c2x", *GCC_C]),
            ("g++ c++20", [gxx, "-std=c++20", "-x", "c++", *GCC]),
            ("clang c17", [clang, "-std=c17", *CLANG]),
            ("gcc gnu99, 32-bit enums in one byte", [gcc, "-std=gnu99", "-fshort-enums", *GCC_C]),
            ("gcc, words that a program has as macros",
             [gcc, "-std=c99", *GCC_C] + [f"-D{word}=(" for word in MACROS]),
            ("gcc unsigned char", [gcc, "-std=c99", "-funsigned-char", *GCC_C]),
            ("gcc -Os", [gcc, "-std=c99", *GCC_C]),
            ("gcc -O3", [gcc, "-std=c99", *GCC_C])):
        m.compile(f"{name}: implementation, both backends", compiler, "impl.c", both,
                  optimise=name.split()[1] if " -O" in name else None)


def beside_lwip(m):
    """Macros of lwIP's sockets; and lwIP without IPv6, where there is no struct sockaddr_in6."""
    for cname in ("gcc c99", "g++ c++11"):
        m.compile(f"{cname}: send, recv, close ... are macros, core and TLS", COMPILERS[cname], "lwip_names.c",
                  BACKENDS["bearssl"])
        m.compile(f"{cname}: sockets without IPv6", COMPILERS[cname], "impl.c",
                  BACKENDS["posix"] + POSIX_NAMES + ["-DLWIP_IPV6=0", "-Dsockaddr_in6=no_such_struct"])


def other_targets(m):
    if subprocess.run([gcc, "-m32", "-x", "c", "-", "-o", os.path.join(m.work, "m32")],
                      input=b"#include <stdlib.h>\nint main(void) { return abs(0); }",
                      stderr=subprocess.DEVNULL, check=False).returncode == 0:
        m.compile("gcc -m32: implementation, both backends", [gcc, "-m32", "-std=c99", *GCC_C,
                                                           # where gcc-multilib would link <asm/...>
                                                           "-idirafter", "/usr/include/x86_64-linux-gnu"],
                  "impl.c", BACKENDS["posix and bearssl"] + POSIX_NAMES)
        m.compile("clang -m32: implementation, core", [clang, "-m32", "-std=c99", *CLANG],
                  "impl.c", [])
    else:
        print("not ok - gcc -m32 (packages gcc-12-multilib or gcc-14-multilib, libc6-dev-i386)")
        m.missing = True
    mingw = "x86_64-w64-mingw32-gcc"
    if shutil.which(mingw):
        # MinGW has no jsmn.h of its own; the one of libjsmn-dev needs only <stddef.h>.
        shutil.copy("/usr/include/jsmn.h", m.work)
        m.compile("mingw-w64 c99: implementation, core",
                  [mingw, "-std=c99", *GCC_C, "-isystem", m.work], "impl.c", [])
    else:
        print("not ok - mingw-w64 (package gcc-mingw-w64-x86-64)")
        m.missing = True


def declared_functions(header, flags):
    """The functions that the interface declares under these flags."""
    text = subprocess.run([gcc, "-E", "-P", *flags, "-DAVITO_API_MARK", header], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    return sorted(set(re.findall(r"\bextern\s+[^;{}=]*?\b(avito_\w+)\s*\(", text)))


def whole_programs(m):
    """Two files that share the header, in C and in C++, linked; every declared function exists."""
    both = BACKENDS["posix and bearssl"] + POSIX_NAMES
    names = declared_functions(m.header, both + m.first)
    if not names:
        print("not ok - the interface declares functions")
        m.missing = True
    table = os.path.join(m.work, "table.c")
    with open(table, "w", encoding="ascii") as file:
        file.write('#include "avito_messenger.h"\ntypedef void (*any)(void);\n'
                   "extern const any all_of_them[];\nconst any all_of_them[] = {\n")
        file.writelines(f"    (any){name},\n" for name in names)
        file.write("};\nint main(void)\n{\n    return all_of_them[0] == (any)0;\n}\n")
    for cname, compiler in (("gcc", [gcc, "-std=c99"]), ("clang", [clang, "-std=c99"]),
                            ("g++", [gxx, "-std=c++11", "-x", "c++"])):
        base = os.path.join(m.work, "program_" + cname)
        commands = [[*compiler, *m.include, *both, "-c", os.path.join(HERE, "impl.c"), "-o",
                     base + "_1.o"],
                    [*compiler, *m.include, *both, "-c", os.path.join(HERE, "interface.c"), "-o",
                     base + "_2.o"],
                    [*compiler, *m.include, *both, "-c", table, "-o", base + "_3.o"],
                    [compiler[0], base + "_1.o", base + "_2.o", base + "_3.o", "-o", base,
                     "-lbearssl"],
                    [base]]
        m.add(f"{cname}: two files with the header link, all {len(names)} functions are defined", commands)
    # C and C++ files of one program share the object.
    base = os.path.join(m.work, "program_mixed")
    m.add("implementation in C, caller in C++", [
        [gcc, "-std=c99", *m.include, "-c", os.path.join(HERE, "impl.c"), "-o", base + "_1.o"],
        [gxx, "-std=c++11", "-x", "c++", *m.include, "-c", os.path.join(HERE, "interface.c"), "-o",
         base + "_2.o"],
        [gxx, "-shared", base + "_2.o", base + "_1.o", "-Wl,--no-undefined", "-o", base + ".so"]])


def refuses_other_jsmn(m):
    """A jsmn.h that was included before, in another configuration, stops the build and says why."""
    done = subprocess.run([gcc, "-std=c99", *m.include, "-fsyntax-only",
                           os.path.join(HERE, "beside_jsmn.c")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    good = done.returncode != 0 and "#error" in done.stdout and "jsmn.h" in done.stdout
    print(("ok" if good else "not ok") + " - another configuration of jsmn.h stops the build")
    return good


def main():
    if sys.argv[1:2] == ["--dist"]:
        with tempfile.TemporaryDirectory() as poison:
            with open(os.path.join(poison, "jsmn.h"), "w", encoding="ascii") as file:
                file.write('#error "the single file must not need jsmn.h"\n')
            m = Matrix(sys.argv[2], poison)
            single_file(m)
            failed = m.run()
        return 1 if failed else 0
    m = Matrix(os.path.join(TOP, "avito_messenger.h"))
    m.missing = not refuses_other_jsmn(m)
    compilers_and_backends(m)
    newer_languages(m)
    beside_lwip(m)
    other_targets(m)
    whole_programs(m)
    failed = m.run()
    return 1 if failed or m.missing else 0


if __name__ == "__main__":
    sys.exit(main())
