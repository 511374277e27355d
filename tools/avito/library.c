/* library.c - the header's implementation, once. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"
