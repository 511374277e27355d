/* russian.h - the library's errors in Russian; in English the library says them itself. */
#ifndef AVITO_TOOLS_RUSSIAN_H
#define AVITO_TOOLS_RUSSIAN_H

#include "avito_messenger.h"

/* What happened and what to do; NULL for a number that is no error. A test holds that each row of
 * AVITO_ERRORS has one. */
const char *error_in_russian(int result);

#endif
