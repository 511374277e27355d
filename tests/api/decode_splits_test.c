/* The same as decode_test.c at every split point of every answer, however long: built with -O2 and
 * without sanitizers.
 * Rooms: JSON: THE MACHINE, SPEED: MEMBERS, SPEED: OBJECTS AND LISTS. */
#define SPLITS_MAX 1000000
#include "decode_test.c"
