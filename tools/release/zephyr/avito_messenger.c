/* The one file that holds the implementation. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#define AVITO_ZEPHYR_IMPLEMENTATION
#include "avito_zephyr.h"

#if defined(CONFIG_AVITO_MESSENGER_TLS)
#define AVITO_MBEDTLS_IMPLEMENTATION
#include "avito_mbedtls.h"
#endif
