/*
 * What of this folder calls the library, for a test that has the implementation in it with AVITO_STATIC: then
 * only what the test uses of it is compiled.
 */
#ifndef TESTS_SUPPORT_INSIDE_H
#define TESTS_SUPPORT_INSIDE_H

#include "support/drive.c"
#include "support/dump_result.c"
#include "support/lane.c"

#endif
