/*
 * examples/transports/avito_openssl.h.
 * Rooms: none.
 */
#include "avito_messenger.h"

#define AVITO_OPENSSL_IMPLEMENTATION
#include "examples/transports/avito_openssl.h"

#include <assert.h>

#include "tls/other_tls.h"

static avito_openssl tls;

static avito_transport begin(avito_transport below, const char *roots)
{
    const int rc = avito_openssl_init(&tls, below, roots);

    assert(rc == AVITO_OK);
    return avito_openssl_transport(&tls);
}

static void end(void)
{
    avito_openssl_free(&tls);
}

int main(void)
{
    static const struct other_tls library = {begin, end, true, false};

    return other_tls_run(&library);
}
