/* The same as decode_test.c, without intrinsics: the portable code gives identical results. Linked
 * with an implementation that has AVITO_WITH_SIMD=0.
 * Rooms: SPEED: TEXT, SPEED: MEMBERS. */
#define SPLITS_MAX 100
#include "decode_test.c"
