/* The one file that holds the implementation. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#define AVITO_ESP_IMPLEMENTATION
#include "avito_esp.h"

#define AVITO_MBEDTLS_IMPLEMENTATION
#include "avito_mbedtls.h"
