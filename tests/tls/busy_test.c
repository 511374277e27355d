/*
 * A server that keeps the client busy after the handshake: BearSSL's own server, which can send empty
 * records, behind an avito_transport.
 * Rooms: TCP.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/pem.h>

#include "tls/peer.h"

static struct {
    br_ssl_server_context ssl;
    unsigned char buffer[BR_SSL_BUFSIZE_BIDI];
    unsigned char der[2][2000];
    br_x509_certificate chain[2];
    unsigned char scalar[32];
    br_ec_private_key key;
    unsigned empty; /* records still to send before the answer */
    bool answer;
    bool alternate; /* a byte of data after every empty record */
} server;

static struct side side;
static struct peer unused;

static void load(void)
{
    FILE *file = fopen(PEER_CERTS "good-ec.pem", "r");
    EVP_PKEY *key;
    BIGNUM *bn = NULL;
    int i;
    for (i = 0; i < 2; i++) {
        X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
        unsigned char *p = server.der[i];
        server.chain[i].data_len = (size_t)i2d_X509(cert, &p);
        server.chain[i].data = server.der[i];
        X509_free(cert);
    }
    fclose(file);
    file = fopen(PEER_CERTS "good-ec.key", "r");
    key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    assert_int_equal(EVP_PKEY_get_bn_param(key, "priv", &bn), 1);
    BN_bn2binpad(bn, server.scalar, 32);
    BN_free(bn);
    EVP_PKEY_free(key);
    server.key.curve = BR_EC_secp256r1;
    server.key.x = server.scalar;
    server.key.xlen = 32;
}

static int server_connect(void *ctx, const avito_server *to)
{
    (void)ctx;
    (void)to;
    br_ssl_server_init_full_ec(&server.ssl, server.chain, 2, BR_KEYTYPE_EC, &server.key);
    br_ssl_engine_set_buffer(&server.ssl.eng, server.buffer, sizeof server.buffer, 1);
    br_ssl_server_reset(&server.ssl);
    return AVITO_OK;
}

static long server_send(void *ctx, const void *data, size_t len, int more)
{
    size_t room;
    unsigned char *to = br_ssl_engine_recvrec_buf(&server.ssl.eng, &room);
    (void)ctx;
    (void)more;
    if (to == NULL) {
        return AVITO_IO_AGAIN;
    }
    len = len < room ? len : room;
    memcpy(to, data, len);
    br_ssl_engine_recvrec_ack(&server.ssl.eng, len);
    if (br_ssl_engine_recvapp_buf(&server.ssl.eng, &room) != NULL) {
        br_ssl_engine_recvapp_ack(&server.ssl.eng, room);
        server.answer = true;
    }
    return (long)len;
}

/* The next record: an empty one, or the answer. */
static void server_say(void)
{
    size_t room;
    unsigned char *to = br_ssl_engine_sendapp_buf(&server.ssl.eng, &room);
    if (to == NULL || !server.answer) {
        return;
    }
    if (server.empty > 0) {
        server.empty--;
        if (server.alternate && server.empty % 2 == 0) {
            *to = 'd';
            br_ssl_engine_sendapp_ack(&server.ssl.eng, 1);
        }
        br_ssl_engine_flush(&server.ssl.eng, 1);
        return;
    }
    server.answer = false;
    memcpy(to, "answer", 6);
    br_ssl_engine_sendapp_ack(&server.ssl.eng, 6);
    br_ssl_engine_flush(&server.ssl.eng, 0);
}

static long server_recv(void *ctx, void *data, size_t cap)
{
    size_t len;
    const unsigned char *from = br_ssl_engine_sendrec_buf(&server.ssl.eng, &len);
    (void)ctx;
    if (from == NULL) {
        server_say();
        from = br_ssl_engine_sendrec_buf(&server.ssl.eng, &len);
    }
    if (from == NULL) {
        return AVITO_IO_AGAIN;
    }
    len = len < cap ? len : cap;
    memcpy(data, from, len);
    br_ssl_engine_sendrec_ack(&server.ssl.eng, len);
    return (long)len;
}

static int server_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void server_close(void *ctx)
{
    (void)ctx;
}

static const avito_transport_functions functions = {
    server_connect, server_send, server_recv, server_wants, NULL, server_close, NULL, NULL};

static long talk(unsigned empty, bool alternate, bool full, size_t ahead)
{
    long rc;
    peer_init(&unused, "good-ec");
    side_init(&side, &unused);
    peer_free(&unused);
    side.options.transport.functions = &functions;
    side.options.transport.ctx = &server;
    side_records(&side, full, 16384);
    side.options.read_ahead = ahead > 0 ? side.ahead : NULL;
    side.options.read_ahead_cap = ahead;
    server.empty = empty;
    server.answer = false;
    server.alternate = alternate;
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_int_equal(side_send(&side, "hello", 5), 5);
    rc = side_recv(&side);
    side_close(&side);
    return rc;
}

static void empty_records(void **state)
{
    unsigned mode;
    (void)state;
    load();
    for (mode = 0; mode < 4; mode++) {
        bool full = mode & 1;
        size_t ahead = mode & 2 ? 100 : 0;
        assert_int_equal(talk(0, false, full, ahead), AVITO_IO_AGAIN);
        assert_int_equal(side.got_len, 6);
        assert_int_equal(talk(32, false, full, ahead), AVITO_IO_AGAIN);
        assert_int_equal(side.got_len, 6);
        assert_int_equal(talk(33, false, full, ahead), AVITO_ERR_TLS_STALL);
        assert_int_equal(side.got_len, 0);
        assert_int_equal(talk(1000000, false, full, ahead), AVITO_ERR_TLS_STALL);
        assert_int_equal(server.empty, 1000000 - 33);
        assert_int_equal(talk(1000, true, full, ahead), AVITO_IO_AGAIN); /* data in between */
        assert_int_equal(side.got_len, 500 + 6);
    }
}

/* When BearSSL's engine has nothing to do in any direction, the result is an error and not a loop:
 * data after the last handshake message leaves it in this state. */
static void engine_that_wants_nothing(void **state)
{
    (void)state;
    load();
    assert_int_equal(talk(0, false, true, 0), AVITO_IO_AGAIN);
    assert_int_equal(side_open(&side), AVITO_OK);
    side.tls.priv.ssl.eng.shutdown_recv = 1;
    assert_int_equal(side_recv(&side), AVITO_ERR_TLS_STALL);
    assert_int_equal(side_send(&side, "x", 1), AVITO_ERR_TLS_STALL);
    side_close(&side);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_records),
        cmocka_unit_test(engine_that_wants_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
