/*
 * examples/transports/avito_mbedtls.h.
 * Rooms: none.
 */
#include "avito_messenger.h"

#define AVITO_MBEDTLS_IMPLEMENTATION
#include "examples/transports/avito_mbedtls.h"

#include <assert.h>
#if MBEDTLS_VERSION_NUMBER < 0x04000000
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#else
#include <psa/crypto.h>
#endif

#include "tls/other_tls.h"

static avito_mbedtls tls;
static mbedtls_x509_crt roots;

#if MBEDTLS_VERSION_NUMBER < 0x04000000
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;

static int generate(void *ctx, unsigned char *out, size_t len)
{
    (void)ctx;
    return mbedtls_ctr_drbg_random(&drbg, out, len);
}

static int seed(void)
{
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    return mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0);
}

static void forget(void)
{
    mbedtls_ctr_drbg_free(&drbg);
    mbedtls_entropy_free(&entropy);
}
#else
static int generate(void *ctx, unsigned char *out, size_t len)
{
    (void)ctx;
    return (int)psa_generate_random(out, len);
}

static int seed(void)
{
    return (int)psa_crypto_init();
}

static void forget(void)
{
    mbedtls_psa_crypto_free();
}
#endif

static avito_transport begin(avito_transport below, const char *path)
{
    unsigned char bytes[16];
    int rc = mbedtls_x509_crt_parse_file(&roots, path);

    assert(rc == 0);
    rc = avito_mbedtls_init(&tls, below, &roots, generate, NULL);
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
    rc = seed();
    assert(rc == 0);
    rc = other_tls_run(&library);
    forget();
    return rc;
}
