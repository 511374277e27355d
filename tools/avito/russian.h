/* russian.h - the library's errors in Russian; the English texts are the library's own. */
#ifndef AVITO_TOOLS_RUSSIAN_H
#define AVITO_TOOLS_RUSSIAN_H

#include "avito_messenger.h"

#include <stdio.h>

/* What happened and what to do; NULL for a number that is no error. A test checks that each row of
 * AVITO_ERRORS has one. */
const char *error_in_russian(int result);

/* A text in place of one that the library has for programmers; NULL: the library's text is good for
 * people, too. */
const char *error_in_english(int result);

/* What happened, in the program's language. */
const char *error_text(int result);

/* What the system says of an errno, in the program's language; what is rare stays English. */
const char *system_text(int number);

/* As perror(). */
void system_error(const char *what);

/* What avito_store_problem() says, likewise. Lives until the next call. */
const char *problem_text(const char *problem);

/* What happened and what to do, as the rest of a line. */
void error_print(FILE *out, int result);

#endif
