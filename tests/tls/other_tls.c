#include "tls/other_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "tls/peer.h"

static const struct other_tls *library;
static struct peer peer;
static struct side side;

time_t other_tls_now;

/* Replaces the C library's, for the TLS library. */
time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (other_tls_now != 0) {
        now.tv_sec = other_tls_now;
    }
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

static void begin(const char *server)
{
    side_meet(&side, &peer, server);
    side.transport = library->begin(peer_transport(&peer), PEER_CERTS "roots.pem");
}

static void end(void)
{
    side_close(&side);
    assert_int_equal(peer.connects, peer.closes);
    library->end();
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
}

static void certificates_have_their_time(void **state)
{
    static const time_t times[] = {1000000000, 4000000000};
    size_t i;
    (void)state;
    for (i = 0; i < 2; i++) {
        begin("good-ec");
        other_tls_now = times[i];
        assert_int_equal(side_connect(&side), AVITO_ERR_TLS_TIME);
        other_tls_now = 0;
        end();
    }
}

/* Every split, with and without AGAIN before each piece, with TLS 1.2 and whatever newer the
 * library supports. */
static void any_split_and_any_version(void **state)
{
    static const size_t pieces[] = {0, 1, 7, 100};
    static char answer[30000];
    size_t i, mode;
    (void)state;
    memset(answer, 'z', sizeof answer);
    for (mode = 0; mode < (library->has_tls13 ? 4u : 2u); mode++) {
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

/* More than one record goes up, through a line that takes little and often nothing. */
static void long_requests(void **state)
{
    static char request[40000];
    size_t i;
    (void)state;
    memset(request, 'q', sizeof request);
    memcpy(request + sizeof request - 4, "\r\n\r\n", 4);
    for (i = 0; i < 2; i++) {
        begin("good-ec");
        peer.send_piece = 900;
        peer.again = i == 1;
        assert_int_equal(side_connect(&side), AVITO_OK);
        assert_int_equal(side_send(&side, request, sizeof request), sizeof request);
        assert_int_equal(side_recv(&side), AVITO_IO_CLOSED);
        assert_int_equal(peer.got_len, sizeof request);
        assert_memory_equal(peer.got, request, sizeof request);
        end();
    }
}

/* The line stops taking bytes: AGAIN, and wants() tells what for; nothing is taken twice. */
static void full_line(void **state)
{
    long n;
    (void)state;
    begin("good-ec");
    assert_int_equal(side_connect(&side), AVITO_OK);
    peer.send_piece = 5; /* it stops in the middle of a record */
    peer.send_blocks_after = peer.sent_bytes + 10;
    n = side.transport.functions->send(side.transport.ctx, "0123456789", 10, 0);
    assert_int_equal(n, library->holds_records ? 10 : AVITO_IO_AGAIN);
    assert_int_equal(side.transport.functions->send(side.transport.ctx, "0123456789", 10, 0),
                     AVITO_IO_AGAIN);
    assert_true(side.transport.functions->wants(side.transport.ctx) & AVITO_WANT_WRITE);
    assert_int_equal(peer.got_len, 0);
    peer.send_blocks_after = 0;
    n = side.transport.functions->send(side.transport.ctx, "0123456789", 10, 0);
    assert_int_equal(n, 10);
    assert_false(side.transport.functions->wants(side.transport.ctx) & AVITO_WANT_WRITE);
    assert_int_equal(peer.got_len, library->holds_records ? 20 : 10);
    end();
}

/* What was counted as taken leaves even if nothing more is sent. */
static void held_record_leaves_by_recv(void **state)
{
    (void)state;
    begin("good-ec");
    assert_int_equal(side_connect(&side), AVITO_OK);
    peer.send_piece = 5; /* it stops in the middle of a record */
    peer.send_blocks_after = peer.sent_bytes + 10;
    if (side.transport.functions->send(side.transport.ctx, "x\r\n\r\n", 5, 0) == 5) {
        peer.send_blocks_after = 0;
    } else {
        peer.send_blocks_after = 0;
        assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
    }
    assert_int_equal(side_recv(&side), AVITO_IO_CLOSED);
    assert_int_equal(peer.got_len, 5);
    assert_int_equal(side.got_len, peer.answer_len);
    end();
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
        assert_true(peer.got_notify || rows[i].ending == PEER_CUT || rows[i].ending == PEER_RESET);
        side_close(&side);
        assert_int_equal(peer.closes, 1);
        library->end();
        peer_free(&peer);
    }
}

/* A line that breaks while it is written to is an error of sending, at once or with the next call. */
static void send_fails(void **state)
{
    long n;
    (void)state;
    begin("good-ec");
    assert_int_equal(side_connect(&side), AVITO_OK);
    peer.send_fails_after = peer.sent_bytes + 10;
    n = side_send(&side, "x\r\n\r\n", 5);
    if (n > 0) {
        n = side_send(&side, "x\r\n\r\n", 5);
    }
    assert_int_equal(n, AVITO_ERR_SEND);
    end();
}

/* One object, several connections. */
static void again(void **state)
{
    int i;
    (void)state;
    begin("good-ec");
    for (i = 0; i < 3; i++) {
        peer_again(&peer);
        side.got_len = 0;
        assert_int_equal(side_connect(&side), AVITO_OK);
        assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
        assert_int_equal(side_recv(&side), AVITO_IO_CLOSED);
        assert_int_equal(side.got_len, peer.answer_len);
        side_close(&side);
    }
    end();
}

/* The lane does not wait for bytes that the library already holds; they come out before AGAIN. */
static void held_bytes(void **state)
{
    void *ctx;
    (void)state;
    begin("good-ec");
    ctx = side.transport.ctx;
    peer.ending = PEER_KEEP;
    assert_int_equal(side_connect(&side), AVITO_OK);
    assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
    assert_int_equal(side.transport.functions->recv(ctx, side.got, 1), 1);
    assert_int_equal(side.transport.functions->wants(ctx), AVITO_WANT_READ | AVITO_WANT_WRITE);
    assert_int_equal(side.transport.functions->wait(ctx, AVITO_WANT_READ, 1000), AVITO_OK);
    assert_int_equal(peer.waits, 0);
    assert_int_equal(side_recv(&side), AVITO_IO_AGAIN);
    assert_int_equal(side.got_len, peer.answer_len - 1);
    assert_int_equal(side.transport.functions->wait(ctx, AVITO_WANT_READ, 1000), AVITO_OK);
    assert_int_equal(peer.waits, 1);
    end();
}

/* A server that does not speak TLS. */
static void meet_garbage(void)
{
    begin("good-ec");
    peer.raw = (const unsigned char *)"HTTP/1.1 400 Bad Request\r\n\r\n";
    peer.raw_len = 28;
    assert_int_equal(side_connect(&side), AVITO_ERR_TLS);
}

static void garbage(void **state)
{
    (void)state;
    meet_garbage();
    assert_int_not_equal(side.transport.functions->detail(side.transport.ctx), 0);
    end();
}

/* Why the line refuses is the line's own number, whatever the library said of the connection
 * before. */
static void refused_after_garbage(void **state)
{
    (void)state;
    meet_garbage();
    side_close(&side);
    peer.refuses = true;
    assert_int_equal(side_connect(&side), AVITO_ERR_CONNECT);
    assert_int_equal(side.transport.functions->detail(side.transport.ctx), 104);
    end();
}

int other_tls_run(const struct other_tls *what)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates),
        cmocka_unit_test(certificates_have_their_time),
        cmocka_unit_test(any_split_and_any_version),
        cmocka_unit_test(long_requests),
        cmocka_unit_test(full_line),
        cmocka_unit_test(held_record_leaves_by_recv),
        cmocka_unit_test(endings),
        cmocka_unit_test(send_fails),
        cmocka_unit_test(again),
        cmocka_unit_test(held_bytes),
        cmocka_unit_test(garbage),
        cmocka_unit_test(refused_after_garbage),
    };
    library = what;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
