"""Links a program that has the implementation in it with one object of it, which is quicker to compile."""
import os
import re

LIBRARY = "build/lib/avito.san.o"


def interface(folder):
    """A folder for -I in front of all others: its header leaves the implementation to LIBRARY, but includes what the
    implementation includes, since a program may use that."""
    with open("avito_messenger.h", encoding="utf-8") as file:
        includes = re.findall(r"^#include <(?!emmintrin).*", file.read(), re.M)
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/avito_messenger.h", "w", encoding="utf-8") as file:
        print("#undef AVITO_MESSENGER_IMPLEMENTATION", f'#include "{os.getcwd()}/avito_messenger.h"', *includes,
              sep="\n", file=file)
    return folder
