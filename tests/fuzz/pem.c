/*
 * Any bytes as PEM, and as the DER of a certificate.
 *
 *     input: kind, size of the memory (2 bytes), how it is split; text, or DER
 *
 * kind 0: the text as it is; 1: DER in PEM, a line end after each 64 characters; 2: DER to the
 * check of a server's certificate; 3: to that of an issuer's. What must hold: the splits change
 * nothing; the size in `needed` is enough, and a byte less than the least is ROOM; anchors lie in
 * the memory given; no byte outside the input is read.
 * Rooms: TLS: CERTIFICATES, TLS: TRUST ANCHORS.
 */
#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_BEARSSL 1
#include "avito_messenger.h"

#include "fuzz.h"

enum { LONGEST = 6000 };

static char *pem_of(const uint8_t *der, size_t len, size_t *pem_len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n",
                      end[] = "\n-----END CERTIFICATE-----\n";
    char *pem = fuzz_memory(len * 2 + sizeof begin + sizeof end + 8);
    size_t n = sizeof begin - 1;

    memcpy(pem, begin, n);
    for (size_t i = 0; i < len; i += 3) {
        const uint32_t left = (uint32_t)(len - i);
        const uint32_t bits = (uint32_t)der[i] << 16 | (left > 1 ? (uint32_t)der[i + 1] << 8 : 0u) |
                              (left > 2 ? der[i + 2] : 0u);
        pem[n++] = digits[bits >> 18 & 63u];
        pem[n++] = digits[bits >> 12 & 63u];
        pem[n++] = left > 1 ? digits[bits >> 6 & 63u] : '=';
        pem[n++] = left > 2 ? digits[bits & 63u] : '=';
        if (i % 48 == 45) {
            pem[n++] = '\n';
        }
    }
    memcpy(pem + n, end, sizeof end - 1);
    *pem_len = n + sizeof end - 1;
    return pem;
}

/* ---- anchors ---- */

static bool is_inside(const void *memory, size_t cap, const void *at, size_t len)
{
    return (uintptr_t)at >= (uintptr_t)memory && (uintptr_t)at + len <= (uintptr_t)memory + cap;
}

static int load(const char *text, size_t len, size_t cap, uint32_t seed, avito_anchors *a)
{
    char *memory = fuzz_memory(cap);
    size_t at = 0;
    int rc;

    avito_anchors_begin(a, memory, cap);
    while (at < len) {
        const size_t n = fuzz_piece(&seed, len - at);
        char *piece = fuzz_copy(text + at, n);
        avito_anchors_add_pem(a, piece, n);
        free(piece);
        at += n;
    }
    rc = avito_anchors_end(a);
    MUST(rc == AVITO_OK || a->count == 0);
    for (size_t i = 0; i < a->count; i++) {
        const br_x509_trust_anchor *item = &a->items[i];
        MUST(is_inside(memory, cap, item, sizeof *item));
        MUST(is_inside(memory, cap, item->dn.data, item->dn.len));
        MUST(item->pkey.key_type == BR_KEYTYPE_RSA
                 ? is_inside(memory, cap, item->pkey.key.rsa.n, item->pkey.key.rsa.nlen)
                 : is_inside(memory, cap, item->pkey.key.ec.q, item->pkey.key.ec.qlen));
    }
    free(memory);
    return rc;
}

static void anchors(const char *text, size_t len, size_t cap, uint32_t seed)
{
    avito_anchors whole, split, ample;
    const int rc = load(text, len, cap, 0, &whole);
    const int rc_split = load(text, len, cap, seed, &split);
    const int rc_ample = load(text, len, 65536, seed, &ample);

    MUST(rc == rc_split && whole.count == split.count && whole.needed == split.needed);
    MUST(whole.skipped == split.skipped);
    MUST(rc_ample != AVITO_ERR_ROOM);
    MUST(rc == AVITO_ERR_ROOM || (rc == rc_ample && whole.count == ample.count));
    if (rc == AVITO_ERR_ROOM) {
        MUST(whole.needed > 0 && whole.needed <= 65536);
        MUST(load(text, len, whole.needed, seed, &split) == rc_ample);
    }
}

/* ---- certificates ---- */

static int check(const uint8_t *der, size_t len, size_t announced, bool is_leaf, uint32_t seed)
{
    avitoi_cert c;
    size_t at = 0;

    memset(&c, 0, sizeof c);
    c.certs = is_leaf ? 0 : 1;
    avitoi_cert_begin(&c, (uint32_t)announced);
    while (at < len) {
        const size_t n = fuzz_piece(&seed, len - at);
        uint8_t *piece = fuzz_copy(der + at, n);
        avitoi_cert_feed(&c, piece, n);
        free(piece);
        at += n;
    }
    avitoi_cert_finish(&c);
    MUST(c.depth < sizeof c.end / sizeof *c.end);
    return c.failure;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cap;
    uint32_t seed;

    if (size < 4 || size > LONGEST) {
        return 0;
    }
    cap = (size_t)(data[1] | data[2] << 8) % 8192u;
    seed = data[3] + 1u;
    if (data[0] % 4 >= 2) {
        const bool is_leaf = data[0] % 4 == 2;
        const int whole = check(data + 4, size - 4, size - 4, is_leaf, 0);
        MUST(check(data + 4, size - 4, size - 4, is_leaf, seed) == whole);
        MUST(check(data + 4, size - 4, size - 3, is_leaf, seed) !=
             0); /* one byte less came than was announced */
    } else if (data[0] % 4 == 1) {
        size_t len;
        char *pem = pem_of(data + 4, size - 4, &len);
        anchors(pem, len, cap, seed);
        free(pem);
    } else {
        anchors((const char *)data + 4, size - 4, cap, seed);
    }
    return 0;
}
