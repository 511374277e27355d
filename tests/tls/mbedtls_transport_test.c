/*
 * examples/transports/avito_mbedtls.h.
 * Rooms: none.
 */
#include "avito_messenger.h"

#define AVITO_MBEDTLS_IMPLEMENTATION
#include "examples/transports/avito_mbedtls.h"

#include <assert.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>

#include "tls/other_tls.h"

static avito_mbedtls tls;
static mbedtls_x509_crt roots;
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;

static avito_transport begin(avito_transport below, const char *path)
{
    unsigned char bytes[16];
    int rc = mbedtls_x509_crt_parse_file(&roots, path);

    assert(rc == 0);
    rc = avito_mbedtls_init(&tls, below, &roots, mbedtls_ctr_drbg_random, &drbg);
    assert(rc == AVITO_OK);
    rc = avito_mbedtls_entropy(&tls, bytes, sizeof bytes);
    assert(rc == AVITO_OK);
    return avito_mbedtls_transport(&tls);
}

static void end(void)
{
    avito_mbedtls_free(&tls);
    mbedtls_x509_crt_free(&roots);
}

int main(void)
{
    static const struct other_tls library = {begin, end, false, true};
    int rc;

    mbedtls_x509_crt_init(&roots);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    rc = mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0);
    assert(rc == 0);
    rc = other_tls_run(&library);
    mbedtls_ctr_drbg_free(&drbg);
    mbedtls_entropy_free(&entropy);
    return rc;
}
