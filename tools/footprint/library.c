/* The library alone, as make footprint measures it. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"
