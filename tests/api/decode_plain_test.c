/* The same as decode_test.c, on the way that a board takes: linked with an implementation that has
 * AVITO_WITH_SHORTCUTS=0.
 * Rooms: JSON: STRINGS, JSON: THE MACHINE. */
#define SPLITS_MAX 100
#include "decode_test.c"
