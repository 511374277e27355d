/* russian.h - the library's errors in Russian; in English the library says them itself. */
#ifndef AVITO_TOOLS_RUSSIAN_H
#define AVITO_TOOLS_RUSSIAN_H

#include "avito_messenger.h"

#include <stdio.h>

/* What happened and what to do; NULL for a number that is no error. A test holds that each row of
 * AVITO_ERRORS has one. */
const char *error_in_russian(int result);

/* What the library says to programmers only; NULL: its own text is good for people, too. */
const char *error_in_english(int result);

/* What happened, in the language of the program. */
const char *error_text(int result);

/* What happened and what to do, the rest of a line. */
void error_print(FILE *out, int result);

#endif
