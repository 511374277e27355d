/* russian.h - what the library and the system say, for people, in both languages. */
#ifndef AVITO_TOOLS_RUSSIAN_H
#define AVITO_TOOLS_RUSSIAN_H

#include "avito_messenger.h"
#include "language.h"

#include <stdio.h>

/* What happened and, after a semicolon, what to do, in the program's language. The library's own texts are for
 * programmers. */
const char *error_text(int result);

/* What the system says of an errno, in the program's language; what is rare stays English. */
const char *system_text(int number);

/* As perror(). */
void system_error(const char *what);

/* Takes one of avito_inbox_events() out of them: what it means. False: there is none. */
bool take_inbox_event(unsigned *events, sentence *what);

/* What avito_store_problem() says, likewise. Lives until the next call. */
const char *problem_text(const char *problem);

#endif
