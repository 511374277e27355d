/* A user's implementation file. tests/compile/matrix.py compiles it in every configuration.
 * Rooms: PROLOGUE. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"
