/* The same as decode_test.c at every split point of every answer, however long: built with -O2 and
 * without sanitizers. */
#define SPLITS_MAX 1000000
#include "decode_test.c"
