/* The library, once; -DAVITO_WITH_BEARSSL=1 comes from firmware.mk, for every file alike. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"
