/*
 * Trust anchors from PEM: bundles of any size, in pieces of any size, damaged ones.
 * Rooms: TLS: TRUST ANCHORS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "support/guard.h"
#include "tls/peer.h"

#define DEBIAN "/etc/ssl/certs/ca-certificates.crt"

static char room[300000];
static avito_anchors anchors;

static char *slurp(const char *path, size_t *len)
{
    FILE *file = fopen(path, "r");
    char *text = malloc(2000000);
    assert_non_null(file);
    *len = fread(text, 1, 2000000, file);
    fclose(file);
    text[*len] = 0;
    return text;
}

static int load(const char *text)
{
    return avito_anchors_load_pem(&anchors, room, sizeof room, text, strlen(text));
}

/* The anchor is what OpenSSL reads in the certificate. Anchors stand in reverse order. */
static void same_as_openssl(const br_x509_trust_anchor *anchor, X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    unsigned char *name = NULL;
    int len = i2d_X509_NAME(X509_get_subject_name(cert), &name);
    assert_int_equal(anchor->dn.len, len);
    assert_memory_equal(anchor->dn.data, name, (size_t)len);
    OPENSSL_free(name);
    assert_int_equal(anchor->flags, BR_X509_TA_CA);
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        unsigned char n[1024];
        BIGNUM *bn = NULL;
        assert_int_equal(anchor->pkey.key_type, BR_KEYTYPE_RSA);
        assert_int_equal(EVP_PKEY_get_bn_param(key, "n", &bn), 1);
        assert_int_equal(anchor->pkey.key.rsa.nlen, BN_num_bytes(bn));
        BN_bn2bin(bn, n);
        assert_memory_equal(anchor->pkey.key.rsa.n, n, anchor->pkey.key.rsa.nlen);
        BN_free(bn);
        bn = NULL;
        assert_int_equal(EVP_PKEY_get_bn_param(key, "e", &bn), 1);
        assert_int_equal(anchor->pkey.key.rsa.elen, BN_num_bytes(bn));
        BN_bn2bin(bn, n);
        assert_memory_equal(anchor->pkey.key.rsa.e, n, anchor->pkey.key.rsa.elen);
        BN_free(bn);
    } else {
        unsigned char q[200];
        size_t q_len = 0;
        assert_int_equal(anchor->pkey.key_type, BR_KEYTYPE_EC);
        assert_int_equal(EVP_PKEY_get_octet_string_param(key, "pub", q, sizeof q, &q_len), 1);
        assert_int_equal(anchor->pkey.key.ec.qlen, q_len);
        assert_memory_equal(anchor->pkey.key.ec.q, q, q_len);
    }
}

static void all_of_debian(void **state)
{
    X509 *cert;
    FILE *file;
    size_t i = 0;
    (void)state;
    assert_int_equal(avito_anchors_load_file(&anchors, room, sizeof room, DEBIAN), AVITO_OK);
    assert_true(anchors.count >= 100);
    assert_int_equal(anchors.skipped, 0);
    file = fopen(DEBIAN, "r");
    while ((cert = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
        i++;
        assert_true(i <= anchors.count);
        same_as_openssl(&anchors.items[anchors.count - i], cert);
        X509_free(cert);
    }
    fclose(file);
    assert_int_equal(i, anchors.count);
}

/* Every size from 0 to enough, in memory that ends at a trap, at any alignment. */
static void exact_room(void **state)
{
    size_t len, size, needed;
    char *text = slurp(PEER_CERTS "roots.pem", &len);
    (void)state;
    assert_int_equal(avito_anchors_load_pem(&anchors, NULL, 0, text, len), AVITO_ERR_ROOM);
    needed = anchors.needed;
    for (size = 0; size <= needed + 9; size++) {
        struct guard g = guard_end(size);
        int rc = avito_anchors_load_pem(&anchors, g.data, size, text, len);
        assert_int_equal(anchors.needed, needed);
        if (rc == AVITO_OK) {
            assert_int_equal(anchors.count, 2);
            assert_true(anchors.items[0].flags == BR_X509_TA_CA);
        } else {
            assert_int_equal(rc, AVITO_ERR_ROOM);
            assert_int_equal(anchors.count, 0);
            assert_null(anchors.items);
        }
        assert_true(size < needed || rc == AVITO_OK);
        assert_true(size + sizeof(void *) >= needed || rc != AVITO_OK);
        guard_free(&g);
    }
    assert_int_equal(avito_anchors_load_file(&anchors, room, 1000, DEBIAN), AVITO_ERR_ROOM);
    needed = anchors.needed;
    assert_true(needed < sizeof room);
    assert_int_equal(avito_anchors_load_file(&anchors, room, needed, DEBIAN), AVITO_OK);
    free(text);
}

static void any_pieces(void **state)
{
    size_t len, piece, at;
    char *text = slurp(PEER_CERTS "roots.pem", &len);
    (void)state;
    for (piece = 1; piece < 80; piece++) {
        avito_anchors_begin(&anchors, room, sizeof room);
        for (at = 0; at < len; at += piece) {
            avito_anchors_add_pem(&anchors, text + at, piece < len - at ? piece : len - at);
        }
        assert_int_equal(avito_anchors_end(&anchors), AVITO_OK);
        assert_int_equal(anchors.count, 2);
    }
    free(text);
}

static void line_ends_and_junk(void **state)
{
    size_t len, i, n;
    char *text = slurp(PEER_CERTS "root-ec.pem", &len);
    char *other = malloc(3 * len + 2000);
    (void)state;
    for (i = n = 0; i < len; i++) { /* CRLF */
        if (text[i] == '\n') {
            other[n++] = '\r';
        }
        other[n++] = text[i];
    }
    other[n] = 0;
    assert_int_equal(load(other), AVITO_OK);
    assert_int_equal(anchors.count, 1);
    text[len - 1] = 0; /* the last line without a line end */
    assert_int_equal(load(text), AVITO_OK);
    sprintf(other,
            "# a comment\n\nsubject=CN = x\n----- \n%s\nmore\n-----BEGIN PRIVATE KEY-----\n"
            "AAAA\n-----END PRIVATE KEY-----\n%s\n",
            text, text);
    assert_int_equal(load(other), AVITO_OK);
    assert_int_equal(anchors.count, 2);
    free(text);
    free(other);
}

static void other_keys_are_skipped(void **state)
{
    size_t len;
    char *text = slurp(PEER_CERTS "root-ed.pem", &len);
    char *both = malloc(10000);
    (void)state;
    assert_int_equal(load(text), AVITO_ERR_OPTION_ANCHORS);
    assert_int_equal(anchors.skipped, 1);
    strcpy(both, text);
    free(text);
    text = slurp(PEER_CERTS "root-ec.pem", &len);
    strcat(both, text);
    assert_int_equal(load(both), AVITO_OK);
    assert_int_equal(anchors.count, 1);
    assert_int_equal(anchors.skipped, 1);
    assert_int_equal(anchors.needed, sizeof(void *) - 1 + sizeof(br_x509_trust_anchor) +
                                         anchors.items[0].dn.len +
                                         anchors.items[0].pkey.key.ec.qlen);
    free(text);
    free(both);
}

/* A skipped certificate takes no room: the size that ROOM names is enough. */
static void skipped_certificate_last(void **state)
{
    size_t len;
    char *text = slurp(PEER_CERTS "root-ec.pem", &len);
    char *other = slurp(PEER_CERTS "root-ed.pem", &len);
    (void)state;
    strcat(text, other);
    len = strlen(text);
    assert_int_equal(avito_anchors_load_pem(&anchors, NULL, 0, text, len), AVITO_ERR_ROOM);
    assert_int_equal(avito_anchors_load_pem(&anchors, room, anchors.needed, text, len), AVITO_OK);
    assert_int_equal(anchors.count, 1);
    free(text);
    free(other);
}

/* BearSSL's reader skips a BEGIN that does not begin a line: this is reported. */
static void hidden_certificate(void **state)
{
    size_t len;
    char *text = slurp(PEER_CERTS "root-ec.pem", &len);
    char *two = malloc(2 * len + 10);
    (void)state;
    sprintf(two, "\xef\xbb\xbf%s%s", text, text);
    assert_int_equal(load(two), AVITO_ERR_OPTION_ANCHORS);
    sprintf(two, "%.*s%s", (int)len - 1, text, text); /* no line end between them */
    assert_int_equal(load(two), AVITO_ERR_OPTION_ANCHORS);
    sprintf(two, "%s-----BE%s", text, text); /* nor where one that broke off ends */
    assert_int_equal(load(two), AVITO_ERR_OPTION_ANCHORS);
    sprintf(two, "%s-%s", text, text); /* nor one after a sixth dash */
    assert_int_equal(load(two), AVITO_ERR_OPTION_ANCHORS);
    sprintf(two, "%s%s", text, text);
    assert_int_equal(load(two), AVITO_OK);
    assert_int_equal(anchors.count, 2);
    free(text);
    free(two);
}

static void encrypted_key_between(void **state)
{
    size_t len;
    char *text = slurp(PEER_CERTS "root-ec.pem", &len);
    char *both = malloc(2 * len + 200);
    (void)state;
    sprintf(
        both,
        "%s-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"
        "AAAA\n-----END RSA PRIVATE KEY-----\n%s",
        text, text);
    assert_int_equal(load(both), AVITO_OK);
    assert_int_equal(anchors.count, 2);
    free(text);
    free(both);
}

/* The name is "CERTIFICATE", or the older "X509 CERTIFICATE", and nothing else that begins like them. */
static void names_of_certificates(void **state)
{
    static const char *const names[] = {"X509 CERTIFICATE",    "X509 CERTIFICATES",
                                        "CERTIFICATE REQUEST", "X509 ",
                                        "TRUSTED CERTIFICATE", "CERTIFICAT"};
    size_t len, i;
    char *text = slurp(PEER_CERTS "root-ec.pem", &len);
    char *named = malloc(len + 200);
    (void)state;
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *body = strchr(text, '\n');
        const char *end = strstr(text, "-----END");
        sprintf(named, "-----BEGIN %s-----%.*s-----END %s-----\r\n", names[i], (int)(end - body),
                body, names[i]);
        assert_int_equal(load(named), i == 0 ? AVITO_OK : AVITO_ERR_OPTION_ANCHORS);
        assert_int_equal(anchors.count, i == 0 ? 1 : 0);
    }
    free(text);
    free(named);
}

/* A certificate of our own whose DER fills the PEM decoder's pieces of 255 bytes. Its length depends on a
 * comment, and on the signature. */
static unsigned char *whole_pieces(size_t *len)
{
    static char comment[256];
    size_t text_len;
    char *text = slurp(PEER_CERTS "root-ec.pem", &text_len);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new_mem_buf(text, (int)text_len);
    X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    unsigned char *der = NULL;
    for (*len = 1; *len % 255 != 0; comment[strlen(comment) % 255] = 'c') {
        X509 *cert = X509_dup(root);
        X509_EXTENSION *more = X509V3_EXT_conf_nid(NULL, NULL, NID_netscape_comment, comment);
        assert_non_null(more);
        X509_add_ext(cert, more, -1);
        assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
        OPENSSL_free(der);
        der = NULL;
        *len = (size_t)i2d_X509(cert, &der);
        X509_EXTENSION_free(more);
        X509_free(cert);
        if (strlen(comment) == 255) {
            memset(comment, 0, sizeof comment);
        }
    }
    X509_free(root);
    BIO_free(bio);
    EVP_PKEY_free(key);
    free(text);
    return der;
}

/* Bytes after a certificate are not skipped, wherever the pieces end. */
static void bytes_after_a_certificate(void **state)
{
    static const size_t extra[] = {0, 1, 254, 255, 256, 600};
    static unsigned char bytes[4000], pem[8000];
    size_t len;
    unsigned char *der = whole_pieces(&len);
    (void)state;
    assert_true(len + 600 <= sizeof bytes);
    memcpy(bytes, der, len);
    OPENSSL_free(der);
    for (size_t i = 0; i < sizeof extra / sizeof extra[0]; i++) {
        BIO *bio = BIO_new(BIO_s_mem());
        int n;
        assert_true(PEM_write_bio(bio, "CERTIFICATE", "", bytes, (long)(len + extra[i])) > 0);
        n = BIO_read(bio, pem, sizeof pem);
        BIO_free(bio);
        assert_true(n > 0);
        assert_int_equal(avito_anchors_load_pem(&anchors, room, sizeof room, pem, (size_t)n),
                         extra[i] == 0 ? AVITO_OK : AVITO_ERR_OPTION_ANCHORS);
        assert_int_equal(anchors.count, extra[i] == 0 ? 1 : 0);
    }
}

/* A text of no length may be NULL. */
static void no_bytes(void **state)
{
    (void)state;
    avito_anchors_begin(&anchors, room, sizeof room);
    avito_anchors_add_pem(&anchors, NULL, 0);
    assert_int_equal(anchors.priv.failure, 0);
    avito_anchors_add_pem(&anchors, NULL, 1);
    assert_int_equal(avito_anchors_end(&anchors), AVITO_ERR_ARGUMENT);
}

static void bad_pem(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "hello\n",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n"
        "-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"};
    size_t len, i;
    char *text = slurp(PEER_CERTS "roots.pem", &len);
    size_t first = (size_t)(strstr(text, "-----END") - text) + strlen("-----END CERTIFICATE-----");
    (void)state;
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(load(bad[i]), AVITO_ERR_OPTION_ANCHORS);
        assert_int_equal(anchors.count, 0);
    }
    for (i = 0; i < len;
         i++) { /* cut anywhere: never part of a certificate, never fewer without an error */
        int rc = avito_anchors_load_pem(&anchors, room, sizeof room, text, i);
        if (rc == AVITO_OK) {
            assert_true(i >= first - 16); /* BearSSL takes "-----END " for the end of an object */
            assert_true(anchors.count == 1 || i >= len - 26);
        } else {
            assert_int_equal(rc, AVITO_ERR_OPTION_ANCHORS);
        }
    }
    for (i = 0; i < len; i += 3) { /* a letter changed to one outside the alphabet */
        char old = text[i];
        text[i] = '!';
        (void)avito_anchors_load_pem(&anchors, room, sizeof room, text, len);
        if (i > 30 && i < first - 60) {
            assert_int_equal(avito_anchors_load_pem(&anchors, room, sizeof room, text, len),
                             AVITO_ERR_OPTION_ANCHORS);
        }
        text[i] = old;
    }
    assert_int_equal(avito_anchors_load_file(&anchors, room, sizeof room, "/nonexistent"),
                     AVITO_ERR_OPTION_ANCHORS);
    assert_int_equal(avito_anchors_load_file(&anchors, room, sizeof room, "/"),
                     AVITO_ERR_OPTION_ANCHORS);
    free(text);
}

/* ---- a file that cannot be read to its end ---- */

static int good_reads = -1; /* then a disk error; -1: none */
static size_t longest_read = SIZE_MAX;
static int read_flags; /* of the descriptor that was read last */

/* Replaces the C library's, for avito_anchors_load_file(). */
ssize_t read(int fd, void *data, size_t cap)
{
    read_flags = fcntl(fd, F_GETFD);
    if (good_reads == 0) {
        errno = EIO;
        return -1;
    }
    good_reads -= good_reads > 0;
    return (ssize_t)syscall(SYS_read, fd, data, cap < longest_read ? cap : longest_read);
}

static void short_reads(void **state)
{
    (void)state;
    for (longest_read = 1; longest_read < 4; longest_read++) {
        assert_int_equal(
            avito_anchors_load_file(&anchors, room, sizeof room, PEER_CERTS "roots.pem"), AVITO_OK);
        assert_int_equal(anchors.count, 2);
    }
    longest_read = SIZE_MAX;
}

static void read_error(void **state)
{
    int i;
    (void)state;
    for (i = 0; i < 20; i++) { /* the first certificates are complete by then */
        good_reads = i;
        assert_int_equal(avito_anchors_load_file(&anchors, room, sizeof room, DEBIAN),
                         AVITO_ERR_OPTION_ANCHORS);
        assert_int_equal(anchors.count, 0); /* else a caller that ignores the result follows NULL */
        assert_null(anchors.items);
        assert_int_equal(read_flags, FD_CLOEXEC); /* not for children of other threads */
    }
    good_reads = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_debian),
        cmocka_unit_test(exact_room),
        cmocka_unit_test(any_pieces),
        cmocka_unit_test(line_ends_and_junk),
        cmocka_unit_test(other_keys_are_skipped),
        cmocka_unit_test(skipped_certificate_last),
        cmocka_unit_test(hidden_certificate),
        cmocka_unit_test(encrypted_key_between),
        cmocka_unit_test(names_of_certificates),
        cmocka_unit_test(bytes_after_a_certificate),
        cmocka_unit_test(no_bytes),
        cmocka_unit_test(bad_pem),
        cmocka_unit_test(short_reads),
        cmocka_unit_test(read_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
