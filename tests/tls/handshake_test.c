/*
 * The TLS transport against the OpenSSL library in memory: which servers are accepted, which are
 * not and why, and how a connection ends.
 * Rooms: TLS: CERTIFICATES, TLS: SET-UP, TLS: CONNECTIONS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/script.h"
#include "tls/peer.h"

#include <openssl/err.h>
#include <openssl/pem.h>

static struct peer peer;
static struct side side;

/* ---- certificates ---- */

struct row {
    const char *name;
    int result;
    int detail; /* 0: any */
};

static void server_certificates(void **state)
{
    static const struct row rows[] = {
        {"good-ec", AVITO_OK, 0},
        {"good-rsa", AVITO_OK, 0},
        {"good-p384", AVITO_OK, 0},
        {"no-eku", AVITO_OK, 0},
        {"with-root", AVITO_OK, 0},
        {"unknown-root", AVITO_ERR_TLS_TRUST, BR_ERR_X509_NOT_TRUSTED},
        {"wrong-order", AVITO_ERR_TLS_TRUST, BR_ERR_X509_DN_MISMATCH},
        {"stranger-between", AVITO_ERR_TLS_TRUST, BR_ERR_X509_DN_MISMATCH},
        {"stranger-last", AVITO_OK, 0},
        {"rsa4096", AVITO_OK, 0},
        {"rsa4160", AVITO_ERR_TLS_CERT, 0},
        {"wrong-host", AVITO_ERR_TLS_NAME, BR_ERR_X509_BAD_SERVER_NAME},
        {"two-labels", AVITO_ERR_TLS_NAME, BR_ERR_X509_BAD_SERVER_NAME},
        {"part-of-label", AVITO_ERR_TLS_NAME, BR_ERR_X509_BAD_SERVER_NAME},
        {"ip-name", AVITO_ERR_TLS_NAME, BR_ERR_X509_BAD_SERVER_NAME},
        {"ip-only", AVITO_ERR_TLS_NAME, BR_ERR_X509_BAD_SERVER_NAME},
        {"cn-only", AVITO_ERR_TLS_CERT, AVITO_TLS_CERT_NO_NAME},
        {"eku-client", AVITO_ERR_TLS_CERT, AVITO_TLS_CERT_USAGE},
        {"eku-any", AVITO_ERR_TLS_CERT, AVITO_TLS_CERT_USAGE},
        {"eku-mail-ca", AVITO_ERR_TLS_CERT, AVITO_TLS_CERT_USAGE},
        {"constrained", AVITO_ERR_TLS_CERT, AVITO_TLS_CERT_CONSTRAINTS},
        {"leaf-is-ca", AVITO_ERR_TLS_CERT, AVITO_TLS_CERT_CA},
        {"nine", AVITO_ERR_TLS_CERT, AVITO_TLS_CERT_CHAIN},
        {"sha1", AVITO_ERR_TLS_CERT, BR_ERR_X509_UNSUPPORTED},
        {"rsa1024", AVITO_ERR_TLS_CERT, BR_ERR_X509_WEAK_PUBLIC_KEY},
        {"leaf-signs", AVITO_ERR_TLS_CERT, BR_ERR_X509_NOT_CA},
        {"usage-encipher", AVITO_ERR_TLS_CERT, 0},
        {"critical-unknown", AVITO_ERR_TLS_CERT, BR_ERR_X509_CRITICAL_EXTENSION},
        {"v1", AVITO_ERR_TLS_CERT, 0},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const avito_transport_functions *f;
        int rc;
        side_meet(&side, &peer, rows[i].name);
        rc = side_talk(&side, &peer);
        f = side.transport.functions;
        if (rc != rows[i].result ||
            (rows[i].detail != 0 && f->detail(&side.tls) != rows[i].detail)) {
            print_error("%s: result %d detail %d\n", rows[i].name, rc, f->detail(&side.tls));
            fail();
        }
        if (rc == AVITO_OK) {
            assert_int_equal(side.got_len, peer.answer_len);
            assert_true(peer.got_notify);
        } else {
            assert_int_equal(peer.got_len, 0);
        }
        peer_free(&peer);
    }
}

static void repeated_extension(void **state)
{
    (void)state;
    peer_init(&peer, "good-ec");
    peer_repeat_extension(&peer, "ca-ec");
    side_init(&side, &peer);
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS_CERT);
    assert_int_equal(side.transport.functions->detail(&side.tls), AVITO_TLS_CERT_REPEATED);
    peer_free(&peer);
}

static void validity(void **state)
{
    (void)state;
    side_meet(&side, &peer, "good-ec");
    side.now += (int64_t)20 * 365 * 86400;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS_TIME);
    side.now -= (int64_t)21 * 365 * 86400;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS_TIME);
    assert_int_equal(peer.got_len, 0);
    peer_free(&peer);
}

/* Unix time of the first second in which the server's certificate is valid. */
static int64_t begin_of_validity(void)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    assert_int_equal(ASN1_TIME_diff(&days, &seconds, epoch,
                                    X509_get0_notBefore(SSL_CTX_get0_certificate(peer.ctx))),
                     1);
    ASN1_TIME_free(epoch);
    return (int64_t)days * 86400 + seconds;
}

/* Validity is to the second, and at midnight the new day counts. */
static void seconds_of_validity(void **state)
{
    int64_t begin;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    begin = begin_of_validity();
    for (int i = 0; i < 3; i++) {
        peer_again(&peer);
        side.now = i == 0 ? begin - 1 : i == 1 ? begin : (begin / 86400 + 1) * 86400;
        assert_int_equal(side_talk(&side, &peer), i == 0 ? AVITO_ERR_TLS_TIME : AVITO_OK);
    }
    assert_int_equal(side.transport.functions->detail(&side.tls), 0); /* the refusal's is gone */
    peer_free(&peer);
}

/* An anchor is a name and a key: neither its own expiry nor its own constraints count. */
static void anchors_as_they_are(void **state)
{
    static const char *const names[] = {"old", "narrow"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char leaf[32], root[64];
        (void)snprintf(leaf, sizeof leaf, "under-%s", names[i]);
        (void)snprintf(root, sizeof root, PEER_CERTS "root-%s.pem", names[i]);
        side_meet(&side, &peer, leaf);
        assert_int_equal(
            avito_anchors_load_file(&side.anchors, side.anchor_room, sizeof side.anchor_room, root),
            AVITO_OK);
        side.options.anchors = side.anchors.items;
        side.options.anchors_count = side.anchors.count;
        side.now += 10 * 86400; /* nine days after the last one of the old anchor */
        assert_int_equal(side_talk(&side, &peer), AVITO_OK);
        peer_free(&peer);
        side_meet(&side, &peer, leaf); /* this anchor accepts it */
        assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS_TRUST);
        peer_free(&peer);
    }
}

/* ---- options ---- */

static void missing_options(void **state)
{
    avito_tls tls;
    avito_tls_options good, o;
    avito_transport_functions f;
    static unsigned char small[AVITO_TLS_BUFFER_HALF(512)];
    (void)state;
    side_meet(&side, &peer, "good-ec");
    good = side.options;
    assert_int_equal(avito_tls_init(&tls, &good), AVITO_OK);
    o = avito_tls_options_default();
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_ERR_OPTION_TRANSPORT);
#define WITHOUT(function)                                                                          \
    o = good;                                                                                      \
    f = *good.transport.functions;                                                                 \
    f.function = NULL;                                                                             \
    o.transport.functions = &f;                                                                    \
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_ERR_OPTION_TRANSPORT);
    TRANSPORT_FUNCTIONS_NEEDED(WITHOUT)
#undef WITHOUT
    o = good;
    o.anchors = NULL;
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_ERR_OPTION_ANCHORS);
    o = good;
    o.anchors_count = 0;
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_ERR_OPTION_ANCHORS);
    o = good;
    o.unix_time = NULL;
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_ERR_OPTION_TIME);
    o = good;
    o.entropy = NULL;
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_ERR_OPTION_ENTROPY);
    o = good;
    o.buffer = NULL;
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_ERR_TLS_ROOM);
    o = good;
    o.buffer = small;
    o.buffer_cap = sizeof small - 1;
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_ERR_TLS_ROOM);
    o.buffer_cap = sizeof small;
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_OK);
    o = good;
    o.full_duplex = true;
    o.buffer_cap = AVITO_TLS_BUFFER_FULL(512) - 1;
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_ERR_TLS_ROOM);
    o.buffer_cap = AVITO_TLS_BUFFER_FULL(512);
    assert_int_equal(avito_tls_init(&tls, &o), AVITO_OK);
    assert_int_equal(avito_tls_init(NULL, &good), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_tls_init(&tls, NULL), AVITO_ERR_ARGUMENT);
    peer_free(&peer);
}

static void weak_suites(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    static const uint16_t suites[2] = {BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                       BR_TLS_RSA_WITH_AES_128_CBC_SHA};
    (void)ctx;
    avito_tls_profile(ssl, x509);
    br_ssl_engine_set_suites(&ssl->eng, suites, 2);
}

static void no_suites(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    (void)ctx;
    (void)ssl;
    (void)x509;
}

static void weak_checks(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    (void)ctx;
    avito_tls_profile(ssl, x509);
    br_ssl_engine_set_versions(&ssl->eng, BR_TLS10, BR_TLS12);
    br_x509_minimal_set_hash(x509, br_sha1_ID, &br_sha1_vtable);
    br_x509_minimal_set_minrsa(x509, 128);
    br_ssl_engine_set_x509(&ssl->eng, &x509->vtable);
}

static void configure_cannot_loosen(void **state)
{
    static const char *const refused[] = {"sha1", "rsa1024", "eku-client"};
    size_t i;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    side.options.configure = weak_suites;
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_ERR_ARGUMENT);
    side.options.configure = no_suites;
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_ERR_ARGUMENT);
    peer_free(&peer);
    for (i = 0; i < 3; i++) {
        side_meet(&side, &peer, refused[i]);
        side.options.configure = weak_checks;
        assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS_CERT);
        peer_free(&peer);
    }
    peer_init(&peer, "good-ec");
    SSL_CTX_set_min_proto_version(peer.ctx, TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(peer.ctx, TLS1_1_VERSION);
    side_init(&side, &peer);
    side.options.configure = weak_checks;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS);
    peer_free(&peer);
}

/* ---- a certificate of our own, by .configure ---- */

static struct own {
    br_x509_certificate chain[4];
    size_t count;
    br_skey_decoder_context key;
    unsigned char bytes[4096];
} own;

static void take_key(void *ctx, const void *data, size_t len)
{
    br_skey_decoder_push(ctx, data, len);
}

/* The key and the chain of build/tls/NAME, the chain as DER. */
static void read_own(const char *name)
{
    char path[200], text[8192];
    unsigned char *to = own.bytes;
    br_pem_decoder_context pem;
    FILE *file;
    X509 *cert;
    size_t len, at = 0;

    memset(&own, 0, sizeof own);
    snprintf(path, sizeof path, PEER_CERTS "%s.pem", name);
    file = fopen(path, "r");
    assert_non_null(file);
    while ((cert = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
        own.chain[own.count].data = to;
        own.chain[own.count++].data_len = (size_t)i2d_X509(cert, &to);
        X509_free(cert);
    }
    ERR_clear_error();
    fclose(file);
    snprintf(path, sizeof path, PEER_CERTS "%s.key", name);
    file = fopen(path, "r");
    assert_non_null(file);
    len = fread(text, 1, sizeof text, file);
    fclose(file);
    br_pem_decoder_init(&pem);
    br_skey_decoder_init(&own.key);
    while (at < len) {
        at += br_pem_decoder_push(&pem, text + at, len - at);
        if (br_pem_decoder_event(&pem) == BR_PEM_BEGIN_OBJ) {
            const bool is_key = strstr(br_pem_decoder_name(&pem), "PRIVATE KEY") != NULL;
            br_pem_decoder_setdest(&pem, is_key ? take_key : NULL, &own.key);
        }
    }
}

static void with_own(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    const br_ec_private_key *ec = br_skey_decoder_get_ec(&own.key);
    (void)ctx;
    avito_tls_profile(ssl, x509);
    if (ec != NULL) {
        br_ssl_client_set_single_ec(ssl, own.chain, own.count, ec, BR_KEYTYPE_SIGN, BR_KEYTYPE_EC,
                                    br_ec_get_default(), br_ecdsa_sign_asn1_get_default());
    } else {
        br_ssl_client_set_single_rsa(ssl, own.chain, own.count, br_skey_decoder_get_rsa(&own.key),
                                     br_rsa_pkcs1_sign_get_default());
    }
}

/* A server that requires a certificate by one of the test roots. */
static void meet_strict(const char *server, const char *own_name)
{
    side_meet(&side, &peer, server);
    SSL_CTX_set_verify(peer.ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    assert_int_equal(SSL_CTX_load_verify_locations(peer.ctx, PEER_CERTS "roots.pem", NULL), 1);
    if (own_name != NULL) {
        read_own(own_name);
        side.options.configure = with_own;
    }
}

static const char *name_seen(char *out, int size)
{
    X509 *seen = SSL_get_peer_certificate(peer.ssl);
    out[0] = '\0';
    if (seen != NULL) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(seen), NID_commonName, out, size);
    }
    X509_free(seen);
    return out;
}

/* With either kind of key, to a server with either; a resumed session does not send it again. */
static void client_certificate(void **state)
{
    static const char *const names[] = {"eku-client", "eku-client-rsa"}, *const servers[] = {
                                                                             "good-ec", "good-rsa"};
    char name[100];
    size_t full;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        meet_strict(servers[i / 2], names[i % 2]);
        assert_int_equal(side_talk(&side, &peer), AVITO_OK);
        assert_int_equal(side.got_len, peer.answer_len);
        assert_string_equal(name_seen(name, sizeof name), PEER_HOST);
        assert_int_equal(SSL_get_verify_result(peer.ssl), X509_V_OK);
        full = peer.sent_bytes;
        peer_again(&peer);
        assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
        assert_true(peer.resumed && peer.sent_bytes < full / 2);
        assert_string_equal(name_seen(name, sizeof name), PEER_HOST);
        peer_free(&peer);
    }
}

/* No certificate, one by a stranger, or a key that is not the certificate's: the server refuses,
 * and no request has left. */
static void client_certificate_refused(void **state)
{
    static const struct {
        const char *name, *key_of;
        int alert;
    } rows[] = {{NULL, NULL, SSL_AD_HANDSHAKE_FAILURE},
                {"eku-client-other", NULL, SSL_AD_UNKNOWN_CA},
                {"eku-client", "root-ec", SSL_AD_DECRYPT_ERROR}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        meet_strict("good-ec", rows[i].name);
        if (rows[i].key_of != NULL) {
            struct own before = own;
            read_own(rows[i].key_of);
            memcpy(own.bytes, before.bytes, sizeof own.bytes);
            memcpy(own.chain, before.chain, sizeof own.chain);
            own.count = before.count;
        }
        assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS);
        assert_int_equal(side.transport.functions->detail(&side.tls),
                         BR_ERR_RECV_FATAL_ALERT + rows[i].alert);
        assert_int_equal(peer.got_len, 0);
        peer_free(&peer);
    }
}

static void time_and_entropy(void **state)
{
    (void)state;
    side_meet(&side, &peer, "good-ec");
    side.now = 0;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_OPTION_TIME);
    side.now = 1577836799;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_OPTION_TIME);
    side.now = INT64_MAX;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_OPTION_TIME);
    side_init(&side, &peer);
    side.entropy_result = AVITO_ERR_HOOK;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_OPTION_ENTROPY);
    side.entropy_result = 0;
    side.entropy_zero = true;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_OPTION_ENTROPY);
    assert_int_equal(peer.connects, 0); /* everything is checked before a byte is sent */
    side.entropy_zero = false;
    assert_int_equal(side_talk(&side, &peer), AVITO_OK);
    peer_free(&peer);
}

static void host_names(void **state)
{
    static const char *const refused[] = {
        "",  "127.0.0.1", "::1", "[::1]", "a..b",   ".a",        "a.",       "*.test", "a b.test",
        "1", "a.1",       "a/b", "0x7f",  "a.0x7f", "h\xc3\xa9", "a.test:1", "{.test", "a.test~"};
    static const char *const others[] = {"a-b.test", "a_b.test", "Z09.test", "a.-1"};
    char name[260];
    size_t i;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        side.to.host = refused[i];
        if (side_talk(&side, &peer) != AVITO_ERR_OPTION_HOST) {
            print_error("%s\n", refused[i]);
            fail();
        }
    }
    assert_int_equal(peer.connects, 0);
    for (i = 0; i < sizeof others / sizeof others[0]; i++) { /* names, but not this server's */
        peer_again(&peer);
        side.to.host = others[i];
        assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS_NAME);
    }
    peer_again(&peer);
    memset(name, 'a', sizeof name);
    name[254] = 0;
    side.to.host = name;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_OPTION_HOST);
    side.to.host = NULL;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_OPTION_HOST);
    assert_int_equal(peer.connects, 0);
    side.to.host = "API.Example.TEST";
    assert_int_equal(side_talk(&side, &peer), AVITO_OK);
    peer_free(&peer);
}

/* ---- protocol ---- */

static int talk_with(int min, int max, const char *ciphers)
{
    int rc;
    peer_init(&peer, "good-rsa");
    SSL_CTX_set_min_proto_version(peer.ctx, min);
    SSL_CTX_set_max_proto_version(peer.ctx, max);
    if (ciphers != NULL) {
        assert_int_equal(SSL_CTX_set_cipher_list(peer.ctx, ciphers), 1);
    }
    side_init(&side, &peer);
    rc = side_talk(&side, &peer);
    peer_free(&peer);
    return rc;
}

/* What the client offers, read from its first record. */
static void client_hello(void **state)
{
    const unsigned char *hello;
    char *bytes = NULL;
    long len;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    peer.raw = (const unsigned char *)""; /* a server that says nothing */
    peer.ending = PEER_KEEP;
    assert_int_equal(side_open(&side), AVITO_AGAIN);
    len = BIO_get_mem_data(SSL_get_rbio(peer.ssl), &bytes);
    hello = (const unsigned char *)bytes;
    assert_true(len > 60 && hello[0] == 22 && hello[5] == 1);
    assert_memory_equal(hello + 1, "\x03\x03", 2); /* TLS 1.2 */
    assert_memory_equal(hello + 9, "\x03\x03", 2);
    assert_int_equal(hello[43], 0);                      /* no session */
    assert_int_equal(hello[44] << 8 | hello[45], 2 * 6); /* six suites */
    assert_non_null(memmem(hello, (size_t)len, "\x08http/1.1", 9));
    assert_non_null(memmem(hello, (size_t)len, PEER_HOST, strlen(PEER_HOST)));
    side_close(&side);
    peer_free(&peer);
}

static void versions_and_suites(void **state)
{
    static const char *const good[] = {"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384",
                                       "ECDHE-RSA-CHACHA20-POLY1305"};
    static const char *const bad[] = {"ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA",
                                      "AES128-GCM-SHA256", "AES128-SHA", "AES256-SHA256"};
    size_t i;
    (void)state;
    for (i = 0; i < 3; i++) {
        assert_int_equal(talk_with(TLS1_2_VERSION, TLS1_2_VERSION, good[i]), AVITO_OK);
    }
    for (i = 0; i < 5; i++) {
        assert_int_equal(talk_with(TLS1_2_VERSION, TLS1_2_VERSION, bad[i]), AVITO_ERR_TLS);
        assert_int_equal(side.transport.functions->detail(&side.tls), 256 + 40);
    }
    assert_int_equal(talk_with(TLS1_VERSION, TLS1_VERSION, NULL), AVITO_ERR_TLS);
    assert_int_equal(talk_with(TLS1_1_VERSION, TLS1_1_VERSION, NULL), AVITO_ERR_TLS);
    assert_int_equal(talk_with(TLS1_3_VERSION, TLS1_3_VERSION, NULL), AVITO_ERR_TLS);
    assert_int_equal(side.transport.functions->detail(&side.tls), 256 + 70);
    assert_int_equal(talk_with(TLS1_2_VERSION, TLS1_3_VERSION, NULL), AVITO_OK);
}

static int wrong_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                      const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)in;
    (void)in_len;
    (void)arg;
    *out = (const unsigned char *)"h2";
    *out_len = 2;
    return SSL_TLSEXT_ERR_OK;
}

static void alpn(void **state)
{
    (void)state;
    peer_init(&peer, "good-ec");
    SSL_CTX_set_alpn_select_cb(peer.ctx, NULL, NULL);
    side_init(&side, &peer);
    assert_int_equal(side_talk(&side, &peer), AVITO_OK);
    SSL_CTX_set_alpn_select_cb(peer.ctx, wrong_alpn, NULL);
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS);
    peer_free(&peer);
}

/* ---- bytes ---- */

static void any_split(void **state)
{
    static const size_t pieces[] = {0, 1, 2, 3, 5, 7, 29, 100};
    static char answer[70000];
    size_t i, mode;
    (void)state;
    memset(answer, 'x', sizeof answer);
    for (mode = 0; mode < 16; mode++) {
        for (i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
            side_meet(&side, &peer, i % 2 ? "good-ec" : "good-rsa");
            peer.recv_piece = peer.send_piece = pieces[i];
            peer.again = mode & 1;
            side_records(&side, (mode & 2) != 0, 16384);
            side.options.read_ahead = mode & 4 ? side.ahead : NULL;
            side.options.read_ahead_cap = mode & 4 ? 1 + i * 100 : 0;
            peer.connect_agains = i;
            peer.answer = answer;
            peer.answer_len = mode & 8 ? sizeof answer : 5;
            peer.answer_records = mode & 8 ? 7 : 5;
            if (side_talk(&side, &peer) != AVITO_OK || side.got_len != peer.answer_len ||
                memcmp(side.got, answer, side.got_len) != 0) {
                print_error("piece %u mode %u\n", (unsigned)pieces[i], (unsigned)mode);
                fail();
            }
            assert_true(peer.got_notify);
            peer_free(&peer);
        }
    }
}

static void small_buffers(void **state)
{
    static const size_t fragments[] = {512, 1024, 2048, 4096};
    static char answer[20000];
    size_t i, full;
    (void)state;
    memset(answer, 'y', sizeof answer);
    for (full = 0; full < 2; full++) {
        for (i = 0; i < 4; i++) {
            size_t cap;
            side_meet(&side, &peer, "good-rsa");
            side_records(&side, full, fragments[i]);
            cap = side.options.buffer_cap;
            side.buffer[cap] = 0x5a;
            peer.answer = answer;
            peer.answer_len = sizeof answer;
            assert_int_equal(side_talk(&side, &peer), AVITO_OK);
            assert_int_equal(side.got_len, sizeof answer);
            assert_int_equal(SSL_SESSION_get_max_fragment_length(SSL_get_session(peer.ssl)), i + 1);
            assert_int_equal(side.buffer[cap], 0x5a);
            peer_free(&peer);
        }
    }
}

/* A server that does not honour the small fragment: the detail is the buffer size that would have
 * been enough. */
static void record_too_large(void **state)
{
    static char answer[3000];
    size_t needed;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    peer.answer = answer;
    peer.answer_len = sizeof answer;
    side.no_fragment = true;
    side.options.buffer_cap = AVITO_TLS_BUFFER_HALF(512);
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS_ROOM);
    needed = (size_t)side.transport.functions->detail(&side.tls);
    assert_int_equal(needed, 5 + 8 + sizeof answer + 16);
    side.options.buffer_cap = needed - 1;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS_ROOM);
    side.options.buffer_cap = needed;
    assert_int_equal(side_talk(&side, &peer), AVITO_OK);
    assert_int_equal(side.got_len, sizeof answer);
    peer_free(&peer);
}

static void endings(void **state)
{
    static const struct {
        enum peer_ending ending;
        long result;
    } rows[] = {{PEER_NOTIFY, AVITO_IO_CLOSED},
                {PEER_CUT, AVITO_ERR_CLOSED},
                {PEER_RESET, AVITO_ERR_RECV},
                {PEER_KEEP, AVITO_IO_AGAIN}};
    size_t i, ahead;
    (void)state;
    for (ahead = 0; ahead < 2; ahead++) {
        for (i = 0; i < 4; i++) {
            side_meet(&side, &peer, "good-ec");
            peer.ending = rows[i].ending;
            side.options.read_ahead = ahead ? side.ahead : NULL;
            side.options.read_ahead_cap = sizeof side.ahead;
            assert_int_equal(side_open(&side), AVITO_OK);
            assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
            assert_int_equal(side_recv(&side), rows[i].result);
            assert_int_equal(side.got_len, peer.answer_len);    /* everything came before it */
            assert_int_equal(side_recv(&side), rows[i].result); /* and it stays so */
            if (rows[i].result == AVITO_ERR_RECV) {
                assert_int_equal(side.transport.functions->detail(&side.tls), 104);
            }
            side.transport.functions->close(side.transport.ctx);
            assert_int_equal(peer.closes, 1);
            side.transport.functions->close(side.transport.ctx);
            assert_int_equal(peer.closes, 1);
            peer_free(&peer);
        }
    }
}

/* ---- a handshake that is cut short ---- */

static void cut_handshake(void **state)
{
    static const unsigned char hello[] = "\x16\x03\x03\x00\x2c\x02\x00\x00\x28\x03\x03";
    size_t len;
    (void)state;
    for (len = 0; len < sizeof hello; len++) {
        side_meet(&side, &peer, "good-ec");
        peer.raw = hello;
        peer.raw_len = len;
        peer.ending = PEER_CUT;
        assert_int_equal(side_talk(&side, &peer), AVITO_ERR_CLOSED);
        assert_int_equal(side.transport.functions->detail(&side.tls), BR_ERR_IO);
        peer.ending = PEER_RESET;
        assert_int_equal(side_talk(&side, &peer), AVITO_ERR_RECV);
        assert_int_equal(side.transport.functions->detail(&side.tls), 104);
        peer_free(&peer);
    }
}

struct caller {
    avito_account account;
    avito_client client;
    avito_arena arena;
    uint32_t now;
    unsigned char window[AVITO_WINDOW_MIN], tokens[AVITO_TOKENS_SIZE(64)], room[1024];
};

static uint32_t caller_clock(void *ctx)
{
    return ((struct caller *)ctx)->now;
}

static int caller_token(void *ctx, avito_token *token)
{
    (void)ctx;
    token->access_token.ptr = "a-token";
    token->access_token.len = 7;
    token->expires_in = 86400;
    return AVITO_OK;
}

static void caller_init(struct caller *c, uint8_t retries)
{
    avito_account_options a = avito_account_options_default();
    avito_client_options o = avito_client_options_default();
    memset(c, 0, sizeof *c);
    a.client_id = "id";
    a.client_secret = "secret";
    a.host = PEER_HOST;
    a.ctx = c;
    a.clock_ms = caller_clock;
    a.load_token = caller_token;
    a.tokens = c->tokens;
    a.tokens_cap = sizeof c->tokens;
    assert_int_equal(avito_account_init(&c->account, &a), AVITO_OK);
    o.transport = avito_tls_transport(&side.tls);
    o.window = c->window;
    o.window_cap = sizeof c->window;
    o.never_wait = true;
    o.retries = retries;
    assert_int_equal(avito_client_init(&c->client, &c->account, &o), AVITO_OK);
    c->arena = avito_arena_of(c->room, sizeof c->room);
}

/* It is a passing failure, like that of a connection. */
static void cut_handshake_is_tried_again(void **state)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"id\":7}";
    static struct caller caller;
    uint8_t retries;
    (void)state;
    for (retries = 0; retries < 2; retries++) {
        avito_self self;
        int rc;
        side_meet(&side, &peer, "good-ec");
        assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
        peer.raw = (const unsigned char *)"\x16\x03";
        peer.raw_len = 2;
        peer.ending = PEER_CUT;
        caller_init(&caller, retries);
        rc = avito_get_self(&caller.client, &caller.arena, &self);
        if (retries == 0) {
            assert_int_equal(rc, AVITO_ERR_CLOSED);
            assert_int_equal(avito_last_error(&caller.client)->detail, BR_ERR_IO);
            assert_int_equal(avito_last_error(&caller.client)->outcome, AVITO_NOT_SENT);
        } else {
            assert_int_equal(rc, AVITO_AGAIN);
            peer.raw = NULL; /* the connection works again */
            peer.ending = PEER_KEEP;
            peer.answer = answer;
            peer.answer_len = sizeof answer - 1;
            caller.now += avito_deadline_ms(&caller.client);
            assert_int_equal(avito_step(&caller.client), AVITO_OK);
            assert_int_equal(self.id, 7);
        }
        avito_client_close(&caller.client);
        assert_int_equal(peer.connects, retries + 1u);
        assert_int_equal(peer.closes, retries + 1u);
        peer_free(&peer);
    }
}

/* A message whose record breaks off was not sent: a part of a record cannot be decrypted. */
static void unsent_record(void **state)
{
    static struct caller caller;
    size_t handshake, part;
    (void)state;
    for (part = 0; part < 60; part++) {
        int rc;
        side_meet(&side, &peer, "good-ec");
        assert_int_equal(side_open(&side), AVITO_OK);
        handshake = peer.sent_bytes;
        side_close(&side);
        peer_again(&peer);
        peer.send_fails_after = handshake + part;
        peer.send_piece = 1;
        assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
        caller_init(&caller, 0);
        rc = avito_send_message(&caller.client, 5, "u2i-a", "Да", NULL, NULL);
        while (rc == AVITO_AGAIN) { /* for last words, which do not come */
            caller.now += avito_deadline_ms(&caller.client);
            rc = avito_step(&caller.client);
        }
        assert_true(rc < 0);
        assert_int_equal(avito_last_error(&caller.client)->outcome, AVITO_NOT_SENT);
        assert_int_equal(peer.got_len, 0);
        avito_client_close(&caller.client);
        peer_free(&peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_certificates),
        cmocka_unit_test(repeated_extension),
        cmocka_unit_test(validity),
        cmocka_unit_test(seconds_of_validity),
        cmocka_unit_test(anchors_as_they_are),
        cmocka_unit_test(missing_options),
        cmocka_unit_test(configure_cannot_loosen),
        cmocka_unit_test(client_certificate),
        cmocka_unit_test(client_certificate_refused),
        cmocka_unit_test(time_and_entropy),
        cmocka_unit_test(host_names),
        cmocka_unit_test(client_hello),
        cmocka_unit_test(versions_and_suites),
        cmocka_unit_test(alpn),
        cmocka_unit_test(any_split),
        cmocka_unit_test(small_buffers),
        cmocka_unit_test(record_too_large),
        cmocka_unit_test(endings),
        cmocka_unit_test(cut_handshake),
        cmocka_unit_test(cut_handshake_is_tried_again),
        cmocka_unit_test(unsent_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
