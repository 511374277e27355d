/* client_key.c - see client_key.h. */
#include "client_key.h"
#include "config.h"
#include "language.h"
#include "russian.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MAX 8
#define FILE_MAX  65536

struct client_key {
    br_x509_certificate chain[CHAIN_MAX];
    size_t count;
    br_skey_decoder_context key;
    size_t used;
    unsigned char memory[FILE_MAX]; /* the certificates as DER */
};

/* The decoder's output, an object: a certificate, or a key. */
struct reading {
    client_key *to;
    bool wanted, overflow;
    size_t begin;
};

static void take_certificate_bytes(void *ctx, const void *data, size_t len)
{
    struct reading *r = ctx;

    if (len > sizeof r->to->memory - r->to->used) {
        r->overflow = true;
        return;
    }
    memcpy(r->to->memory + r->to->used, data, len);
    r->to->used += len;
}

static void take_key_bytes(void *ctx, const void *data, size_t len)
{
    struct reading *r = ctx;

    br_skey_decoder_push(&r->to->key, data, len);
}

static void begin_object(br_pem_decoder_context *pem, struct reading *r, bool keys)
{
    const char *name = br_pem_decoder_name(pem);

    r->wanted = keys ? strstr(name, "PRIVATE KEY") != NULL && strstr(name, "ENCRYPTED") == NULL
                     : strcmp(name, "CERTIFICATE") == 0;
    r->begin = r->to->used;
    br_pem_decoder_setdest(pem, r->wanted ? keys ? take_key_bytes : take_certificate_bytes : NULL,
                           r);
}

static void end_object(struct reading *r, bool keys)
{
    client_key *to = r->to;

    if (r->wanted && !keys && !r->overflow && to->count < CHAIN_MAX) {
        to->chain[to->count].data = to->memory + r->begin;
        to->chain[to->count].data_len = to->used - r->begin;
        to->count++;
    }
}

static void read_pem(struct reading *r, bool keys, const char *text, size_t len)
{
    br_pem_decoder_context pem;

    br_pem_decoder_init(&pem);
    while (len > 0) {
        const size_t n = br_pem_decoder_push(&pem, text, len);

        text += n;
        len -= n;
        switch (br_pem_decoder_event(&pem)) {
            case BR_PEM_BEGIN_OBJ:
                begin_object(&pem, r, keys);
                break;
            case BR_PEM_END_OBJ:
                end_object(r, keys);
                break;
            case BR_PEM_ERROR:
                return;
            default:
                break;
        }
    }
}

static bool read_file(client_key *to, const char *path, bool keys)
{
    static char text[FILE_MAX];
    struct reading r = {to, false, false, 0};
    FILE *file = fopen(path, "r");
    const size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    const bool failed = file == NULL || ferror(file);

    if (failed) {
        system_error(path);
    } else if (keys) { /* only a warning, as for a secret's file */
        (void)config_is_private(file, path);
    }
    if (file != NULL) {
        fclose(file);
    }
    if (failed) {
        return false;
    }
    text[len] = '\n'; /* a last line without a line end */
    read_pem(&r, keys, text, len + 1);
    memset(text, 0, sizeof text);
    return !r.overflow;
}

client_key *client_key_read(const char *certificates, const char *key)
{
    client_key *k = calloc(1, sizeof *k);

    if (k == NULL) {
        return NULL;
    }
    br_skey_decoder_init(&k->key);
    if (!read_file(k, certificates, false) || !read_file(k, key, true)) {
        client_key_free(k);
        return NULL;
    }
    if (k->count == 0 || br_skey_decoder_key_type(&k->key) == 0) {
        complain(TEXT("%s: no certificate or key in PEM, or the key has a passphrase\n",
                      "%s: нет сертификата или ключа в PEM, или ключ с паролем\n"),
                 k->count == 0 ? certificates : key);
        client_key_free(k);
        return NULL;
    }
    return k;
}

void client_key_free(client_key *k)
{
    if (k != NULL) {
        memset(k, 0, sizeof *k);
        free(k);
    }
}

void client_key_configure(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    client_key *k = ctx;
    const br_ec_private_key *ec = br_skey_decoder_get_ec(&k->key);
    const br_rsa_private_key *rsa = br_skey_decoder_get_rsa(&k->key);

    avito_tls_profile(ssl, x509);
    if (ec != NULL) {
        br_ssl_client_set_single_ec(ssl, k->chain, k->count, ec, BR_KEYTYPE_SIGN, BR_KEYTYPE_EC,
                                    br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
    } else {
        br_ssl_client_set_single_rsa(ssl, k->chain, k->count, rsa, br_rsa_pkcs1_sign_get_default());
    }
}
