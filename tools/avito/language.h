/* language.h - every sentence of the program in English and in Russian, side by side. */
#ifndef AVITO_TOOLS_LANGUAGE_H
#define AVITO_TOOLS_LANGUAGE_H

#include <stdbool.h>

typedef struct sentence {
    const char *en, *ru;
} sentence;

/* LC_ALL before LC_MESSAGES before LANG; Russian where it begins with "ru", else English. */
void language_from_environment(void);
void language_set(const char *name); /* "ru" or anything else */

bool language_is_russian(void);

const char *say(sentence t);

/* Says on standard error what is wrong: printf()'s format, in both languages, and its values. */
void complain(sentence format, ...);

/* A sentence in both languages, where it is used: say(TEXT("done", "готово")). */
#define TEXT(english, russian) ((sentence){english, russian})

#endif
