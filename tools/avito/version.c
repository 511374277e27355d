/* version.c - the version of this program, and what it was built with. */
#include "run.h"

#include <bearssl.h>
#include <stdio.h>

int run_version(void)
{
    printf("avito %s\n", AVITO_VERSION);
    printf(say(TEXT("description of the API: %s\n", "описание API: %s\n")),
           AVITO_API_DESCRIPTION_DATE);
#if defined(__clang__)
    printf("clang %s", __clang_version__);
#elif defined(__GNUC__)
    printf("gcc %s", __VERSION__);
#endif
#if defined(__GLIBC__)
    printf(", glibc %d.%d", __GLIBC__, __GLIBC_MINOR__);
#elif defined(__linux__)
    printf(", musl");
#endif
    puts(", BearSSL, jsmn, inih");
    return EXIT_DONE;
}
