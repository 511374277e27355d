/*
 * The check of certificates by itself: any split, any damage, compared with what the OpenSSL
 * library reads in the same bytes.
 * Rooms: TLS: CERTIFICATES, TLS: SET-UP.
 */
#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define CERTS "build/tls/"

struct der {
    unsigned char *bytes;
    size_t len;
};

/* The `index`-th certificate of build/tls/NAME.pem. */
static struct der load(const char *name, int index)
{
    struct der der = {NULL, 0};
    char path[200];
    X509 *cert = NULL;
    FILE *file;
    snprintf(path, sizeof path, CERTS "%s.pem", name);
    file = fopen(path, "r");
    assert_non_null(file);
    for (; index >= 0; index--) {
        X509_free(cert);
        cert = PEM_read_X509(file, NULL, NULL, NULL);
        assert_non_null(cert);
    }
    fclose(file);
    der.len = (size_t)i2d_X509(cert, &der.bytes);
    X509_free(cert);
    return der;
}

/* Feeds one certificate in pieces of at most `piece` bytes, the first of `first`; returns the
 * verdict. The bytes are in memory of their own, so that ASan notices a read past them. */
static int check(const unsigned char *bytes, size_t len, size_t announced, bool is_leaf,
                 size_t first, size_t piece)
{
    avitoi_cert c;
    unsigned char *copy = malloc(len > 0 ? len : 1);
    size_t at = 0;
    memcpy(copy, bytes, len);
    memset(&c, 0, sizeof c);
    c.certs = is_leaf ? 0 : 1;
    avitoi_cert_begin(&c, (uint32_t)announced);
    while (at < len) {
        size_t n = at == 0 && first > 0 ? first : piece;
        n = n < len - at ? n : len - at;
        avitoi_cert_feed(&c, copy + at, n);
        at += n;
    }
    avitoi_cert_finish(&c);
    assert_true(c.depth < sizeof c.end / sizeof c.end[0]);
    free(copy);
    return c.failure;
}

static int check_whole(struct der der, bool is_leaf)
{
    return check(der.bytes, der.len, der.len, is_leaf, 0, der.len);
}

struct row {
    const char *name;
    int as_leaf, as_issuer;
};

static const struct row rows[] = {
    {"good-ec", 0, 0},
    {"good-rsa", 0, 0},
    {"good-p384", 0, 0},
    {"no-eku", 0, 0},
    {"cn-only", AVITO_TLS_CERT_NO_NAME, 0},
    {"ip-only", AVITO_TLS_CERT_NO_NAME, 0},
    {"eku-client", AVITO_TLS_CERT_USAGE, AVITO_TLS_CERT_USAGE},
    {"eku-any", AVITO_TLS_CERT_USAGE, AVITO_TLS_CERT_USAGE},
    {"leaf-is-ca", AVITO_TLS_CERT_CA, 0},
    {"ca-constrained", AVITO_TLS_CERT_CA, AVITO_TLS_CERT_CONSTRAINTS},
    {"ca-mail", AVITO_TLS_CERT_CA, AVITO_TLS_CERT_USAGE},
    {"ca-ec", AVITO_TLS_CERT_CA, 0},
    {"ca-rsa", AVITO_TLS_CERT_CA, 0},
    {"root-ec", AVITO_TLS_CERT_CA, 0},
    {"root-ed", AVITO_TLS_CERT_CA, 0},
    {"v1", AVITO_TLS_CERT_VERSION, AVITO_TLS_CERT_VERSION},
};

#define ROWS (sizeof rows / sizeof rows[0])

static void verdicts(void **state)
{
    size_t i;
    (void)state;
    for (i = 0; i < ROWS; i++) {
        struct der der = load(rows[i].name, 0);
        int leaf = check_whole(der, true);
        int issuer = check_whole(der, false);
        if (leaf != rows[i].as_leaf || issuer != rows[i].as_issuer) {
            print_error("%s: %d %d\n", rows[i].name, leaf, issuer);
            fail();
        }
        free(der.bytes);
    }
}

static void every_split(void **state)
{
    size_t i, at;
    (void)state;
    for (i = 0; i < ROWS; i++) {
        struct der der = load(rows[i].name, 0);
        for (at = 1; at < der.len; at++) {
            assert_int_equal(check(der.bytes, der.len, der.len, true, at, der.len),
                             rows[i].as_leaf);
        }
        for (at = 1; at < 9; at++) {
            assert_int_equal(check(der.bytes, der.len, der.len, true, 0, at), rows[i].as_leaf);
        }
        free(der.bytes);
    }
}

/* A certificate that is cut short, or has bytes after it, is never accepted. */
static void wrong_length(void **state)
{
    struct der der = load("good-ec", 0);
    unsigned char *longer = calloc(1, der.len + 2);
    size_t n;
    (void)state;
    memcpy(longer, der.bytes, der.len);
    for (n = 0; n < der.len; n++) {
        assert_int_equal(check(der.bytes, n, n, true, 0, 100), AVITO_TLS_CERT_DER);
        assert_int_equal(check(der.bytes, n, der.len, true, 0, 100), AVITO_TLS_CERT_DER);
    }
    assert_int_equal(check(longer, der.len + 1, der.len + 1, true, 0, 100), AVITO_TLS_CERT_DER);
    assert_int_equal(check(longer, der.len + 1, der.len, true, 0, 100), AVITO_TLS_CERT_DER);
    assert_int_equal(check(der.bytes, der.len, der.len + 1, true, 0, 100), AVITO_TLS_CERT_DER);
    free(longer);
    free(der.bytes);
}

/* What OpenSSL sees in a certificate that we would accept as a server's. */
static const char *openssl_objects(X509 *cert)
{
    STACK_OF(GENERAL_NAME) * names;
    EXTENDED_KEY_USAGE *usage;
    BASIC_CONSTRAINTS *basic;
    bool has_name = false;
    bool has_server = false;
    int crit = 0;
    int i, k;
    if (X509_get_version(cert) != 2) {
        return "version";
    }
    for (i = 0; i < X509_get_ext_count(cert); i++) {
        const ASN1_OBJECT *a = X509_EXTENSION_get_object(X509_get_ext(cert, i));
        for (k = 0; k < i; k++) {
            if (OBJ_cmp(a, X509_EXTENSION_get_object(X509_get_ext(cert, k))) == 0) {
                return "repeated extension";
            }
        }
    }
    if (X509_get_ext_by_NID(cert, NID_name_constraints, -1) >= 0) {
        return "name constraints";
    }
    names = X509_get_ext_d2i(cert, NID_subject_alt_name, &crit, NULL);
    for (i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        has_name = has_name || sk_GENERAL_NAME_value(names, i)->type == GEN_DNS;
    }
    GENERAL_NAMES_free(names);
    i = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);
    if (i >= 0 && names == NULL) { /* one of the names is damaged */
        const ASN1_OCTET_STRING *raw = X509_EXTENSION_get_data(X509_get_ext(cert, i));
        has_name =
            memchr(ASN1_STRING_get0_data(raw), 0x82, (size_t)ASN1_STRING_length(raw)) != NULL;
    }
    usage = X509_get_ext_d2i(cert, NID_ext_key_usage, &crit, NULL);
    for (i = 0; usage != NULL && i < sk_ASN1_OBJECT_num(usage); i++) {
        has_server = has_server || OBJ_obj2nid(sk_ASN1_OBJECT_value(usage, i)) == NID_server_auth;
    }
    EXTENDED_KEY_USAGE_free(usage);
    i = X509_get_ext_by_NID(cert, NID_ext_key_usage, -1);
    if (i >= 0 && usage == NULL) { /* another name in the list is damaged: look at the bytes */
        const ASN1_OCTET_STRING *raw = X509_EXTENSION_get_data(X509_get_ext(cert, i));
        has_server = memmem(ASN1_STRING_get0_data(raw), (size_t)ASN1_STRING_length(raw),
                            "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01", 10) != NULL;
    }
    if (X509_get_ext_by_NID(cert, NID_ext_key_usage, -1) >= 0 && !has_server) {
        return "usage";
    }
    basic = X509_get_ext_d2i(cert, NID_basic_constraints, &crit, NULL);
    i = basic != NULL && basic->ca != 0;
    BASIC_CONSTRAINTS_free(basic);
    return !has_name ? "no name" : i ? "ca" : NULL;
}

static void differ(const unsigned char *bytes, size_t len, unsigned *accepted)
{
    const unsigned char *p = bytes;
    int verdict = check(bytes, len, len, true, 0, len);
    X509 *cert;
    assert_int_equal(check(bytes, len, len, true, 0, 1), verdict);
    if (verdict != 0) {
        return;
    }
    cert = d2i_X509(NULL, &p, (long)len);
    ERR_clear_error();
    if (cert != NULL) { /* else BearSSL's own decoder has to refuse it */
        const char *objection = openssl_objects(cert);
        ERR_clear_error();
        if (objection != NULL) {
            print_error("accepted in spite of: %s\n", objection);
            fail();
        }
        (*accepted)++;
        X509_free(cert);
    }
}

/* Sets each byte of several certificates to each of some values, then damages them at random. */
static void damaged(void **state)
{
    static const unsigned char values[] = {0x00, 0x01, 0x02, 0x06, 0x13, 0x1e, 0x25,
                                           0x30, 0x80, 0x82, 0xa0, 0xa3, 0xff};
    unsigned accepted = 0;
    uint32_t seed = 12345;
    size_t i, at, v;
    (void)state;
    for (i = 0; i < ROWS; i++) {
        struct der der = load(rows[i].name, 0);
        for (at = 0; at < der.len; at++) {
            unsigned char old = der.bytes[at];
            for (v = 0; v < sizeof values + 2; v++) {
                der.bytes[at] = v < sizeof values    ? values[v]
                                : v == sizeof values ? (unsigned char)(old + 1)
                                                     : (unsigned char)(old - 1);
                differ(der.bytes, der.len, &accepted);
            }
            der.bytes[at] = old;
        }
        for (v = 0; v < 1500; v++) {
            unsigned char *copy = malloc(der.len);
            int changes;
            memcpy(copy, der.bytes, der.len);
            for (changes = 0; changes < 3; changes++) {
                seed = seed * 1664525u + 1013904223u;
                copy[(seed >> 8) % der.len] = (unsigned char)(seed >> 24);
            }
            differ(copy, der.len, &accepted);
            free(copy);
        }
        free(der.bytes);
    }
    assert_true(accepted > 1000); /* damage in names, keys and signatures is left to BearSSL */
}

/* ---- made by hand: what no tool writes ---- */

static const unsigned char version[] = {0xa0, 0x03, 0x02, 0x01, 0x02};

/* One element around `len` bytes, of up to 64 KiB, with the shortest length. */
static size_t element(unsigned char *to, unsigned char tag, const unsigned char *bytes, size_t len)
{
    size_t n = 0;
    to[n++] = tag;
    if (len > 255) {
        to[n++] = 0x82;
        to[n++] = (unsigned char)(len >> 8);
    } else if (len > 127) {
        to[n++] = 0x81;
    }
    to[n++] = (unsigned char)len;
    memmove(to + n, bytes, len);
    return n + len;
}

/* A certificate with these fields after its version. */
static size_t certificate(unsigned char *to, const unsigned char *fields, size_t len)
{
    unsigned char body[1500], part[1500];
    memcpy(body, version, sizeof version);
    memcpy(body + sizeof version, fields, len);
    return element(to, 0x30, part, element(part, 0x30, body, sizeof version + len));
}

/* Of an issuer. */
static int check_fields(const unsigned char *fields, size_t len, size_t piece)
{
    unsigned char whole[1500];
    const size_t n = certificate(whole, fields, len);
    return check(whole, n, n, false, 0, piece == 0 ? n : piece);
}

/* [3] with a list of extensions. */
static size_t extensions(unsigned char *to, const unsigned char *list, size_t len)
{
    unsigned char sequence[500];
    return element(to, 0xa3, sequence, element(sequence, 0x30, list, len));
}

/* [3] with one extension, the extended key usage, whose value is an id of `len` bytes. */
static size_t usage_of(unsigned char *to, size_t len)
{
    static const unsigned char id[] = {0x06, 0x03, 0x55, 0x1d, 0x25};
    unsigned char a[300] = {0x2b}, b[300];
    size_t n = element(b, 0x06, a, len);
    n = element(a, 0x30, b, n);
    n = element(b + sizeof id, 0x04, a, n);
    memcpy(b, id, sizeof id);
    return extensions(to, a, element(a, 0x30, b, sizeof id + n));
}

/* [3] with one extension, whose name is an id of `len` bytes that no extension has. */
static size_t named_by(unsigned char *to, size_t len)
{
    static const unsigned char value[] = {0x04, 0x01, 0x05};
    unsigned char a[300] = {0x2b}, b[300];
    size_t n = element(b, 0x06, a, len);
    memcpy(b + n, value, sizeof value);
    return extensions(to, a, element(a, 0x30, b, n + sizeof value));
}

/* The version must be there, and be 3. */
static void versions(void **state)
{
    static const unsigned char none[] = {0x30, 0x04, 0x30, 0x02, 0xa0, 0};
    static const unsigned char two[] = {0x30, 0x07, 0x30, 0x05, 0xa0, 0x03, 0x02, 0x01, 0x01};
    static const unsigned char three[] = {0x30, 0x07, 0x30, 0x05, 0xa0, 0x03, 0x02, 0x01, 0x02};
    (void)state;
    assert_int_equal(check(none, sizeof none, sizeof none, false, 0, 100), AVITO_TLS_CERT_VERSION);
    assert_int_equal(check(two, sizeof two, sizeof two, false, 0, 100), AVITO_TLS_CERT_VERSION);
    assert_int_equal(check(three, sizeof three, sizeof three, false, 0, 100), 0);
}

/* An extension is an id, perhaps a flag of one byte, and a value, in this order. */
static void parts_of_an_extension(void **state)
{
    static const struct {
        unsigned char bytes[16];
        size_t len;
        int result;
    } cases[] = {
        {{0x06, 1, 0x2b, 0x04, 1, 5}, 6, 0},
        {{0x06, 1, 0x2b, 0x01, 1, 0xff, 0x04, 1, 5}, 9, 0},
        {{0x06, 1, 0x2b, 0x01, 2, 0xff, 0xff, 0x04, 1, 5}, 10, AVITO_TLS_CERT_DER},
        {{0x06, 1, 0x2b, 0x01, 0, 0x04, 1, 5}, 8, AVITO_TLS_CERT_DER},
        {{0x06, 1, 0x2b, 0x02, 1, 0xff, 0x04, 1, 5}, 9, AVITO_TLS_CERT_DER},
        {{0x06, 1, 0x2b, 0x01, 1, 0xff, 0x01, 1, 0xff, 0x04, 1, 5}, 12, AVITO_TLS_CERT_DER},
        {{0x01, 1, 0xff, 0x06, 1, 0x2b, 0x04, 1, 5}, 9, AVITO_TLS_CERT_DER},
        {{0x06, 1, 0x2b, 0x06, 1, 0x2b, 0x04, 1, 5}, 9, AVITO_TLS_CERT_DER},
        {{0x06, 1, 0x2b, 0x04, 1, 5, 0x04, 1, 5}, 9, AVITO_TLS_CERT_DER},
        {{0x04, 1, 5}, 3, AVITO_TLS_CERT_DER},
        {{0x06, 3, 0x55, 0x1d, 0x25, 0x04, 0},
         7,
         AVITO_TLS_CERT_DER}, /* an extended key usage of nothing */
    };
    unsigned char one[32], fields[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t n = extensions(fields, one, element(one, 0x30, cases[i].bytes, cases[i].len));
        for (size_t piece = 0; piece < 3; piece++) {
            assert_int_equal(check_fields(fields, n, piece), cases[i].result);
        }
    }
}

/* 20 extensions are remembered; with more, a repeated one might go unseen. */
static void many_extensions(void **state)
{
    static const unsigned char name[] = {0x30, 0x0d, 0x06, 0x03, 0x55, 0x1d, 0x11, 0x04,
                                         0x06, 0x30, 0x04, 0x82, 0x02, 'a',  'b'};
    unsigned char list[400], fields[500], whole[600];
    (void)state;
    for (size_t k = 19; k <= 21; k++) { /* the name and k - 1 others */
        size_t n = sizeof name;
        memcpy(list, name, sizeof name);
        for (size_t i = 0; i + 1 < k; i++) {
            const unsigned char one[14] = {0x30, 0x0c, 0x06, 0x03, 0x2a, 0x03, (unsigned char)i,
                                           0x04, 0x05, 1,    2,    3,    4,    5};
            memcpy(list + n, one, sizeof one);
            n += sizeof one;
        }
        n = certificate(whole, fields, extensions(fields, list, n));
        assert_int_equal(check(whole, n, n, true, 0, n), k <= 20 ? 0 : AVITO_TLS_CERT_REPEATED);
    }
}

/* Any number of fields is skipped, and the version stays the first. */
static void many_fields(void **state)
{
    unsigned char fields[1000];
    (void)state;
    for (size_t count = 250; count < 500; count += 3) {
        for (size_t i = 0; i < count; i++) {
            fields[2 * i] = 0x05;
            fields[2 * i + 1] = 0;
        }
        assert_int_equal(check_fields(fields, 2 * count, count % 2 == 0 ? 0 : 7), 0);
        fields[2 * count - 2] = 0xa0;
        assert_int_equal(check_fields(fields, 2 * count, 0), 0);
    }
}

/* The extensions come once: a reader of the first list could miss a second one. */
static void extensions_twice(void **state)
{
    unsigned char fields[600];
    (void)state;
    for (size_t piece = 0; piece < 3; piece++) {
        size_t n = usage_of(fields, 8);
        assert_int_equal(check_fields(fields, n, piece), AVITO_TLS_CERT_USAGE);
        n += usage_of(fields + n, 8);
        assert_int_equal(check_fields(fields, n, piece), AVITO_TLS_CERT_REPEATED);
    }
}

/* An id that is longer than any is refused, not cut to one that means something. */
static void long_ids(void **state)
{
    unsigned char fields[600];
    (void)state;
    for (size_t len = 1; len < 130; len++) {
        size_t n = usage_of(fields, len);
        assert_int_equal(check_fields(fields, n, 0),
                         len <= AVITOI_CERT_OID_MAX ? AVITO_TLS_CERT_USAGE : AVITO_TLS_CERT_DER);
        n = named_by(fields, len);
        assert_int_equal(check_fields(fields, n, 0),
                         len <= AVITOI_CERT_OID_MAX ? 0 : AVITO_TLS_CERT_DER);
    }
}

/* A length that only the element's end would tell is of BER, not of DER. */
static void indefinite_length(void **state)
{
    unsigned char serial[131] = {0x02, 0x81, 0x80, 1};
    (void)state;
    assert_int_equal(check_fields(serial, sizeof serial, 0), 0);
    serial[1] = 0x80;
    memmove(serial + 2, serial + 3, sizeof serial - 3);
    assert_int_equal(check_fields(serial, sizeof serial - 1, 0), AVITO_TLS_CERT_DER);
}

/* One more element after the certificate, inside what the record announced. */
static void two_certificates_in_one(void **state)
{
    unsigned char whole[40];
    const size_t n = certificate(whole, version, 0);
    (void)state;
    assert_int_equal(check(whole, n, n, false, 0, n), 0);
    memcpy(whole + n, whole, n);
    assert_int_equal(check(whole, 2 * n, 2 * n, false, 0, 2 * n), AVITO_TLS_CERT_DER);
    assert_int_equal(check(whole, 2 * n, n, false, 0, 2 * n), AVITO_TLS_CERT_DER);
    assert_int_equal(check(whole, 2 * n, 2 * n, false, 0, 1), AVITO_TLS_CERT_DER);
}

/* A chain without an end is refused, however far it is counted. */
static void endless_chain(void **state)
{
    struct der der = load("ca-ec", 0);
    avitoi_cert c;
    (void)state;
    memset(&c, 0, sizeof c);
    for (size_t i = 0; i < 600; i++) {
        avitoi_cert_begin(&c, (uint32_t)der.len);
        avitoi_cert_feed(&c, der.bytes, der.len);
        avitoi_cert_finish(&c);
        assert_int_equal(c.certs, i < 255 ? i + 1 : 255);
    }
    assert_int_equal(c.failure != 0, 1);
    free(der.bytes);
}

/* ---- BearSSL's errors ---- */

/* An error that a caller can mend has a result of its own. All others are AVITO_ERR_TLS. */
static void results_of_bearssl(void **state)
{
    static const struct {
        int error, result;
    } errors[] = {
        {BR_ERR_TOO_LARGE, AVITO_ERR_TLS_ROOM},
        {BR_ERR_NO_RANDOM, AVITO_ERR_OPTION_ENTROPY},
        {BR_ERR_X509_TIME_UNKNOWN, AVITO_ERR_OPTION_TIME},
        {BR_ERR_X509_EXPIRED, AVITO_ERR_TLS_TIME},
        {BR_ERR_X509_BAD_SERVER_NAME, AVITO_ERR_TLS_NAME},
        {BR_ERR_X509_NOT_TRUSTED, AVITO_ERR_TLS_TRUST},
        {BR_ERR_X509_DN_MISMATCH, AVITO_ERR_TLS_TRUST},
        {BR_ERR_X509_BAD_SIGNATURE, AVITO_ERR_TLS_TRUST},
        {BR_ERR_WRONG_KEY_USAGE, AVITO_ERR_TLS_CERT},
        {BR_ERR_X509_WEAK_PUBLIC_KEY, AVITO_ERR_TLS_CERT},
        {BR_ERR_X509_OK + 1, AVITO_ERR_TLS_CERT},
        {BR_ERR_X509_OK, AVITO_ERR_TLS},
        {AVITO_TLS_CERT_DER, AVITO_ERR_TLS_CERT},
        {AVITO_TLS_CERT_REPEATED, AVITO_ERR_TLS_CERT},
        {BR_ERR_BAD_MAC, AVITO_ERR_TLS},
        {BR_ERR_IO, AVITO_ERR_TLS},
        {BR_ERR_RECV_FATAL_ALERT + 40, AVITO_ERR_TLS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (avitoi_tls_result(errors[i].error) != errors[i].result) {
            fail_msg("%d: %d", errors[i].error, avitoi_tls_result(errors[i].error));
        }
    }
}

/* The certificate, and each part that is read inside it, is a sequence that is not empty. */
static void other_tags(void **state)
{
    static const size_t places[] = {
        0, 4}; /* the certificate and its signed part, with lengths of four bytes */
    struct der der = load("good-rsa", 0);
    size_t i;
    (void)state;
    for (i = 0; i < sizeof places / sizeof places[0]; i++) {
        assert_int_equal(der.bytes[places[i]], 0x30);
        der.bytes[places[i]] = 0x31;
        assert_int_equal(check_whole(der, true), AVITO_TLS_CERT_DER);
        der.bytes[places[i]] = 0x30;
    }
    assert_int_equal(check((const unsigned char *)"\x30\x00", 2, 2, true, 0, 2),
                     AVITO_TLS_CERT_DER);
    free(der.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(every_split),
        cmocka_unit_test(wrong_length),
        cmocka_unit_test(damaged),
        cmocka_unit_test(versions),
        cmocka_unit_test(parts_of_an_extension),
        cmocka_unit_test(many_extensions),
        cmocka_unit_test(other_tags),
        cmocka_unit_test(many_fields),
        cmocka_unit_test(extensions_twice),
        cmocka_unit_test(long_ids),
        cmocka_unit_test(indefinite_length),
        cmocka_unit_test(two_certificates_in_one),
        cmocka_unit_test(endless_chain),
        cmocka_unit_test(results_of_bearssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
