/*
 * examples/07_openssl_transport.c against the same server in memory as the bundled transport: the
 * contract is one, the library another.
 * Rooms: none.
 */
#define main example_main
#include "examples/07_openssl_transport.c"
#undef main

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "tls/peer.h"

static struct peer peer;
static struct side side;
static struct openssl tls;

static int begin(const char *server)
{
    side_meet(&side, &peer, server);
    assert_int_equal(openssl_init(&tls, peer_transport(&peer), PEER_CERTS "roots.pem"), AVITO_OK);
    side.transport = openssl_transport(&tls);
    return AVITO_OK;
}

static void end(void)
{
    side_close(&side);
    assert_int_equal(peer.connects, peer.closes);
    openssl_free(&tls);
    peer_free(&peer);
}

static void certificates(void **state)
{
    static const struct {
        const char *name;
        int result;
    } rows[] = {{"good-ec", AVITO_OK},
                {"good-rsa", AVITO_OK},
                {"unknown-root", AVITO_ERR_TLS_TRUST},
                {"wrong-host", AVITO_ERR_TLS_NAME},
                {"eku-client", AVITO_ERR_TLS_CERT},
                {"rsa1024", AVITO_ERR_TLS_CERT}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(rows[i].name);
        assert_int_equal(side_connect(&side), rows[i].result);
        assert_int_equal(peer.got_len, 0);
        end();
    }
    begin("good-ec");
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(tls.ctx), 4000000000);
    assert_int_equal(side_connect(&side), AVITO_ERR_TLS_TIME);
    end();
}

static void any_split_and_any_version(void **state)
{
    static const size_t pieces[] = {0, 1, 7, 100};
    static char answer[30000];
    size_t i, mode;
    (void)state;
    memset(answer, 'z', sizeof answer);
    for (mode = 0; mode < 4; mode++) {
        for (i = 0; i < 4; i++) {
            begin("good-ec");
            if (mode & 2) {
                SSL_CTX_set_max_proto_version(peer.ctx, TLS1_3_VERSION);
            }
            peer.recv_piece = peer.send_piece = pieces[i];
            peer.again = mode & 1;
            peer.connect_agains = i;
            peer.answer = answer;
            peer.answer_len = sizeof answer;
            assert_int_equal(side_connect(&side), AVITO_OK);
            assert_int_equal(side_send(&side, "hello\r\n\r\n", 9), 9);
            assert_int_equal(side_recv(&side), AVITO_IO_CLOSED);
            assert_int_equal(peer.got_len, 9);
            assert_int_equal(side.got_len, sizeof answer);
            assert_memory_equal(side.got, answer, sizeof answer);
            end();
        }
    }
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
    size_t i;
    (void)state;
    for (i = 0; i < 4; i++) {
        begin("good-rsa");
        peer.ending = rows[i].ending;
        assert_int_equal(side_connect(&side), AVITO_OK);
        assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
        assert_int_equal(side_recv(&side), rows[i].result);
        assert_int_equal(side.got_len, peer.answer_len);
        side_close(&side);
        assert_int_equal(peer.closes, 1);
        side_close(&side);
        assert_int_equal(peer.closes, 1);
        openssl_free(&tls);
        peer_free(&peer);
    }
}

/* Bytes that OpenSSL holds are not waited for, and come out before AGAIN. */
static void held_bytes(void **state)
{
    (void)state;
    begin("good-ec");
    peer.ending = PEER_KEEP;
    assert_int_equal(side_connect(&side), AVITO_OK);
    assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
    assert_int_equal(side.transport.functions->recv(&tls, side.got, 1), 1);
    assert_int_equal(side.transport.functions->wants(&tls), AVITO_WANT_READ | AVITO_WANT_WRITE);
    assert_int_equal(side.transport.functions->wait(&tls, AVITO_WANT_READ, 1000), AVITO_OK);
    assert_int_equal(peer.waits, 0);
    assert_int_equal(side_recv(&side), AVITO_IO_AGAIN);
    assert_int_equal(side.got_len, peer.answer_len - 1);
    assert_int_equal(side.transport.functions->wait(&tls, AVITO_WANT_READ, 1000), AVITO_OK);
    assert_int_equal(peer.waits, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates),
        cmocka_unit_test(any_split_and_any_version),
        cmocka_unit_test(endings),
        cmocka_unit_test(held_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
