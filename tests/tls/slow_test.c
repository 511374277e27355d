/*
 * Slow lines: a call goes on while bytes move on the wire, even if no byte of an answer has come,
 * since TLS hands a record over only when it is whole. The slowest line that works by default is
 * the one in the manual.
 * Rooms: TLS: RECORDS, TLS: CONNECTIONS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/clock.h"
#include "tls/peer.h"

/* A line with a number of bytes a second, both directions together, over the server in memory. */
static struct {
    avito_transport below;
    struct clock *clock;
    double rate, saved; /* bytes that may pass now */
    uint32_t seen_ms;
    bool stands; /* nothing passes any more */
} line;

static size_t line_allows(size_t len)
{
    const uint32_t now = line.clock->ms;

    line.saved += line.rate * (double)(now - line.seen_ms) / 1000.0;
    line.seen_ms = now;
    if (line.saved > 64.0) { /* no burst */
        line.saved = 64.0;
    }
    return line.stands || line.saved < 1.0 ? 0u
           : line.saved < (double)len      ? (size_t)line.saved
                                           : len;
}

static int line_connect(void *ctx, const avito_server *to)
{
    (void)ctx;
    return line.below.functions->connect(line.below.ctx, to);
}

static long line_send(void *ctx, const void *data, size_t len, int more)
{
    const size_t n = line_allows(len);
    const long sent =
        n > 0 ? line.below.functions->send(line.below.ctx, data, n, more) : AVITO_IO_AGAIN;

    (void)ctx;
    line.saved -= sent > 0 ? (double)sent : 0.0;
    return sent;
}

static long line_recv(void *ctx, void *data, size_t cap)
{
    const size_t n = line_allows(cap);
    const long got = n > 0 ? line.below.functions->recv(line.below.ctx, data, n) : AVITO_IO_AGAIN;

    (void)ctx;
    line.saved -= got > 0 ? (double)got : 0.0;
    return got;
}

static int line_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void line_close(void *ctx)
{
    (void)ctx;
    line.below.functions->close(line.below.ctx);
}

static const avito_transport_functions line_functions = {
    line_connect, line_send, line_recv, line_wants, NULL, line_close, NULL, NULL};

static struct peer peer;
static struct side side;
static struct clock clock_;
static avito_account account;
static avito_client client;
static char tokens[AVITO_TOKENS_SIZE(40)], window[1024], room[32768], answer[20000];

static int load(void *ctx, avito_token *token)
{
    (void)ctx;
    token->access_token.ptr = "a-token";
    token->access_token.len = 7;
    token->expires_in = 86400;
    return AVITO_OK;
}

/* A list of one chat, `body` bytes long, in one record. */
static void make_answer(size_t body)
{
    const int head =
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
    const int opened = snprintf(answer + head, sizeof answer - (size_t)head,
                                "{\"chats\":[{\"id\":\"u2i-a\",\"x\":\"");

    memset(answer + head + opened, 'x', body - (size_t)opened - 4);
    memcpy(answer + (size_t)head + body - 4, "\"}]}", 4);
    peer.answer = answer;
    peer.answer_len = (size_t)head + body;
}

/* One call, the first on its connection, at `rate` bytes a second. The line stands from `stands_ms` on. */
static int call_on_a_line(double rate, size_t body, uint32_t total_ms, uint32_t stands_ms,
                          uint32_t *took_ms)
{
    avito_account_options a = avito_account_options_default();
    avito_client_options c = avito_client_options_default();
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_chats chats;
    uint32_t began;
    int rc;

    side_meet(&side, &peer, "good-rsa");
    side.no_fragment = true;
    peer.never_wait = true;
    make_answer(body);
    clock_init(&clock_);
    memset(&line, 0, sizeof line);
    line.below = peer_transport(&peer);
    line.clock = &clock_;
    line.rate = rate;
    line.seen_ms = clock_.ms;
    side.options.transport.functions = &line_functions;
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
    a.client_id = "id";
    a.client_secret = "secret";
    a.host = PEER_HOST;
    a.tokens = tokens;
    a.tokens_cap = sizeof tokens;
    a.ctx = &clock_;
    a.clock_ms = clock_ms;
    a.load_token = load;
    assert_int_equal(avito_account_init(&account, &a), AVITO_OK);
    c.transport = avito_tls_transport(&side.tls);
    c.window = window;
    c.window_cap = sizeof window;
    c.total_timeout_ms = total_ms;
    assert_int_equal(avito_client_init(&client, &account, &c), AVITO_OK);
    began = clock_.ms;
    rc = avito_get_chats(&client, 7, NULL, &arena, &chats);
    while (rc == AVITO_AGAIN) {
        assert_true(clock_.ms - began < 1000000);
        clock_advance(&clock_, avito_deadline_ms(&client) < 20 ? avito_deadline_ms(&client) : 20);
        line.stands = clock_.ms - began >= stands_ms;
        rc = avito_step(&client);
    }
    *took_ms = clock_.ms - began;
    avito_client_close(&client);
    peer_free(&peer);
    return rc;
}

/* One record of 16 KB at 480 bytes a second takes 34 s: no byte of it can be handed over before. */
static void test_record_that_takes_longer_than_the_idle_time(void **state)
{
    uint32_t took;

    (void)state;
    assert_int_equal(call_on_a_line(480, 16200, 0, UINT32_MAX, &took), AVITO_OK);
    assert_true(took > 34000);
}

/* The same line stops in the middle of the record: the call ends after the idle time, and an eighth
 * of it at most. */
static void test_line_that_stands(void **state)
{
    uint32_t took;

    (void)state;
    assert_int_equal(call_on_a_line(480, 16200, 0, 20000, &took), AVITO_ERR_TIMEOUT_IDLE);
    assert_in_range(took, 20000 + 30000 - 4000, 20000 + 30000 + 4000);
}

/* What the manual calls the slowest line (LIFE OF A CALL): a first call, with a handshake of 2.4 KB and an answer of 8 KB. */
#define SLOWEST 170u /* bytes a second */

static void test_slowest_line(void **state)
{
    uint32_t took;

    (void)state;
    assert_int_equal(call_on_a_line(SLOWEST, 8000, 0, UINT32_MAX, &took), AVITO_OK);
    assert_int_equal(call_on_a_line(SLOWEST - 20, 8000, 0, UINT32_MAX, &took),
                     AVITO_ERR_TIMEOUT_CONNECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_that_takes_longer_than_the_idle_time),
        cmocka_unit_test(test_line_that_stands),
        cmocka_unit_test(test_slowest_line),
    };
    return cmocka_run_group_tests_name("slow lines", tests, NULL, NULL);
}
