/* The interface first (through some other header, say), the implementation later in the same file. */
#include "avito_messenger.h"

#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"
#include "avito_messenger.h"
