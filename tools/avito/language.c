/* language.c - chooses the language. */
#include "language.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool russian;

void language_set(const char *name)
{
    russian = name != NULL && strncmp(name, "ru", 2) == 0;
}

void language_from_environment(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);

        if (value != NULL && value[0] != '\0') {
            language_set(value);
            return;
        }
    }
}

bool language_is_russian(void)
{
    return russian;
}

const char *say(sentence t)
{
    return russian ? t.ru : t.en;
}

void complain(sentence format, ...)
{
    va_list values;

    va_start(values, format);
    vfprintf(stderr, say(format), values);
    va_end(values);
}
