/* The implementation, with both bundled transports. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"
