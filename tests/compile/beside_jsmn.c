/* A program that uses jsmn itself, in its own configuration, beside the single file. Beside the header
 * it must not compile: one jsmn.h cannot be two.
 * Rooms: PROLOGUE. */
#include "/usr/include/jsmn.h"

#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"
