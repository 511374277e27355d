/*
 * Long life: many calls in one process over TLS, with keep-alive, renewals, reconnects and resumed
 * sessions, past the wraps of the clock (each 49.7 days), 2038 and 2106: memory stays, counters are right.
 *
 *     build/tests/long_life_test        4,000 calls, in two eras
 *     make long-life                    a million, over 75 years without a leap
 *
 * Rooms: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <malloc.h>

#include "support/anyone.h"

enum { USER = 350000001, TOGETHER = 100 /* calls that follow one another, a second each */ };

#define HOST       "api.example.test"
#define BEGIN      INT64_C(2136000000) /* 2037-09-08 */
#define SECOND_ERA INT64_C(4294900000) /* 2106-02-06, half a day before 2^32 */
#define YEARS_S    INT64_C(2366820000) /* 75 of them */

/* ---- TLS in front of the service in memory ---- */

static struct {
    SSL_CTX *ctx;
    SSL *ssl;
    unsigned full, resumed, dropped;
    bool shaken;
    unsigned requests; /* on this connection */
} server;

static struct {
    struct anyone peer;
    int64_t unix_s;
    avito_account account;
    avito_client client;
    avito_tls tls;
    avito_anchors anchors;
    avito_arena arena;
    char tokens[AVITO_TOKENS_SIZE(64)], window[2048], room[16384], anchors_room[2048], ahead[1024];
    unsigned char records[AVITO_TLS_BUFFER_HALF(16384)];
    unsigned saves, wraps, calls, sends;
    uint32_t last_ms;
} w;

/* Moves bytes between the TLS server and the service behind it. */
static void pump(void)
{
    static char bytes[16384];
    avito_transport service = anyone_transport(&w.peer, false);
    int n;

    if (!SSL_is_init_finished(server.ssl)) {
        n = SSL_do_handshake(server.ssl);
        ERR_clear_error();
        if (n <= 0) {
            return;
        }
    }
    if (!server.shaken) {
        server.shaken = true;
        *(SSL_session_reused(server.ssl) ? &server.resumed : &server.full) += 1;
    }
    while ((n = SSL_read(server.ssl, bytes, sizeof bytes)) > 0) {
        for (int at = 0; at < n;) {
            const long took = service.functions->send(service.ctx, bytes + at, (size_t)(n - at), 0);
            assert_true(took > 0);
            at += (int)took;
        }
    }
    ERR_clear_error();
    while ((n = (int)service.functions->recv(service.ctx, bytes, sizeof bytes)) > 0) {
        assert_int_equal(SSL_write(server.ssl, bytes, n), n);
    }
}

static int line_connect(void *ctx, const avito_server *to)
{
    const avito_transport service = anyone_transport(ctx, false);

    if (server.ssl != NULL) { /* a connection that was cut does not invalidate its session */
        SSL_set_shutdown(server.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(server.ssl);
    server.ssl = SSL_new(server.ctx);
    SSL_set_bio(server.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(server.ssl);
    server.shaken = false;
    server.requests = w.peer.served;
    return service.functions->connect(ctx, to);
}

/* Each connection serves 60 requests, then it ends without notice. */
static bool is_dropped(void)
{
    return w.peer.served - server.requests >= 60;
}

static long line_send(void *ctx, const void *data, size_t len, int more)
{
    (void)ctx, (void)more;
    assert_int_equal(BIO_write(SSL_get_rbio(server.ssl), data, (int)len), (int)len);
    pump();
    return (long)len;
}

static long line_recv(void *ctx, void *data, size_t cap)
{
    const int n = BIO_read(SSL_get_wbio(server.ssl), data, (int)cap);

    (void)ctx;
    if (n <= 0 && is_dropped()) {
        server.dropped++;
        return AVITO_IO_CLOSED;
    }
    return n > 0 ? n : AVITO_IO_AGAIN;
}

static int line_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static int line_wait(void *ctx, int wants, uint32_t ms)
{
    (void)ctx, (void)wants;
    w.peer.now_ms += ms < 100 ? ms : 100;
    return AVITO_OK;
}

static void line_close(void *ctx)
{
    anyone_transport(ctx, false).functions->close(ctx);
}

/* ---- hooks ---- */

static int64_t unix_time(void *ctx)
{
    (void)ctx;
    return w.unix_s;
}

static int save_token(void *ctx, const avito_token *token)
{
    (void)ctx;
    assert_true(token->expires_at > w.unix_s && token->expires_at <= w.unix_s + 86400);
    w.saves++;
    return AVITO_OK;
}

static int entropy(void *ctx, void *out, size_t len)
{
    static uint64_t state = 7;

    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(state >> 56);
    }
    return AVITO_OK;
}

/* ---- the life ---- */

static void pass(int64_t seconds)
{
    w.unix_s += seconds;
    w.peer.now_ms += (uint32_t)(seconds * 1000);
    w.wraps += w.peer.now_ms < w.last_ms; /* no step is longer than half a turn */
    w.last_ms = w.peer.now_ms;
}

/* Sets up account, lane and TLS for a life that begins at BEGIN. */
static void begin(void)
{
    static const avito_transport_functions line = {line_connect, line_send,  line_recv, line_wants,
                                                   line_wait,    line_close, NULL,      NULL};
    avito_account_options a = avito_account_options_default();
    avito_client_options c = avito_client_options_default();
    avito_tls_options t = avito_tls_options_default();

    anyone_init(&w.peer);
    w.unix_s = BEGIN;
    w.last_ms = w.peer.now_ms;
    assert_int_equal(avito_anchors_load_file(&w.anchors, w.anchors_room, sizeof w.anchors_room,
                                             "build/long_life/root.pem"),
                     AVITO_OK);
    t.transport.functions = &line;
    t.transport.ctx = &w.peer;
    t.anchors = w.anchors.items;
    t.anchors_count = w.anchors.count;
    t.buffer = w.records;
    t.buffer_cap = sizeof w.records;
    t.read_ahead = w.ahead;
    t.read_ahead_cap = sizeof w.ahead;
    t.unix_time = unix_time;
    t.entropy = entropy;
    assert_int_equal(avito_tls_init(&w.tls, &t), AVITO_OK);
    a.client_id = "id";
    a.client_secret = "secret";
    a.host = HOST;
    a.tokens = w.tokens;
    a.tokens_cap = sizeof w.tokens;
    a.ctx = &w.peer;
    a.clock_ms = anyone_clock_ms;
    a.unix_time = unix_time;
    a.entropy = entropy;
    a.save_token = save_token;
    assert_int_equal(avito_account_init(&w.account, &a), AVITO_OK);
    c.transport = avito_tls_transport(&w.tls);
    c.window = w.window;
    c.window_cap = sizeof w.window;
    assert_int_equal(avito_client_init(&w.client, &w.account, &c), AVITO_OK);
    w.arena = avito_arena_of(w.room, sizeof w.room);
}

static void serve_tls(void)
{
    server.ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_max_proto_version(server.ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(server.ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_id_context(server.ctx, (const unsigned char *)"l", 1);
    SSL_CTX_sess_set_cache_size(server.ctx, 2);
    assert_int_equal(
        SSL_CTX_use_certificate_file(server.ctx, "build/long_life/leaf.pem", SSL_FILETYPE_PEM), 1);
    assert_int_equal(
        SSL_CTX_use_PrivateKey_file(server.ctx, "build/long_life/leaf.key", SSL_FILETYPE_PEM), 1);
}

static int read_list(void)
{
    avito_chat chat;
    int rc = avito_list_chats(&w.client, USER, NULL, &w.arena);

    for (unsigned rows = 0; rc == AVITO_OK; rows++) {
        rc = avito_next_chat(&w.client, &chat);
        assert_true(rows <= 2);
    }
    return rc == AVITO_END ? AVITO_OK : rc;
}

static void one_call(unsigned number)
{
    avito_self self;
    avito_chats chats;
    avito_message message;
    int rc;

    switch (number % 5) {
        case 0:
            rc = avito_get_self(&w.client, &w.arena, &self);
            assert_true(rc != AVITO_OK || self.id == USER);
            break;
        case 1:
            rc = avito_get_chats(&w.client, USER, NULL, &w.arena, &chats);
            assert_true(rc != AVITO_OK || chats.count == 2);
            break;
        case 2:
            rc = avito_send_message(&w.client, USER, "u2i-a", "x", &w.arena, &message);
            w.sends += rc == AVITO_OK;
            break;
        case 3:
            rc = read_list();
            break;
        default:
            rc = avito_mark_chat_as_read(&w.client, USER, "u2i-a");
            break;
    }
    if (rc != AVITO_OK) {
        fail_msg("call %u at %lld: %s, detail %d", number, (long long)w.unix_s,
                 avito_error_name(rc), avito_last_error(&w.client)->detail);
    }
    w.calls++;
    avito_arena_reset(&w.arena);
}

/* Bytes on the heap: by the sanitizer, where there is one. */
__attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes(void);

static size_t heap(void)
{
    return __sanitizer_get_current_allocated_bytes != NULL
               ? __sanitizer_get_current_allocated_bytes()
               : mallinfo2().uordblks;
}

/* Before call `i`: a second; after each hundred ten minutes, for a new connection with the old session, or
 * `pause`, which is days. */
static int64_t rest(unsigned i, int64_t pause)
{
    return i % TOGETHER != 0 ? 1 : i / TOGETHER % 2 == 0 ? pause : 600;
}

static void test_long_life(void **state)
{
    const char *wish = getenv("LONG_LIFE");
    const unsigned calls = wish != NULL ? (unsigned)strtoul(wish, NULL, 10) : 4000;
    const bool whole = calls >= 100000;
    const int64_t pause = whole ? YEARS_S / (calls / TOGETHER / 2) : 20 * 86400;
    size_t before = 0, after;

    (void)state;
    serve_tls();
    begin();
    for (unsigned i = 0; i < calls; i++) {
        if (!whole && i == calls / 2) {
            w.unix_s = SECOND_ERA;
        }
        pass(rest(i, pause));
        one_call(i);
        if (i == calls / 10) {
            before = heap();
        }
    }
    after = heap();
    avito_client_close(&w.client);
    print_message("%u calls, %u connections (%u resumed, %u dropped), %u tokens, %u wraps, until "
                  "%lld, heap %zu, then %zu bytes\n",
                  w.calls, w.peer.connects, server.resumed, server.dropped, w.saves, w.wraps,
                  (long long)w.unix_s, before, after);
    assert_int_equal(w.calls, calls);
    assert_int_equal(w.peer.served, w.calls + w.saves); /* no request too many, none too few */
    assert_int_equal(w.peer.tokens_served, w.saves);
    assert_int_equal(w.sends, calls / 5);
    assert_int_equal(w.peer.connects, w.peer.closes);
    assert_int_equal(w.peer.connects, server.full + server.resumed);
    assert_true(server.resumed >= calls / TOGETHER / 2 - 1 && server.full > 10 &&
                server.dropped > 10);
    assert_true(w.wraps > 5 && w.unix_s > (INT64_C(1) << 32));
    assert_true(w.arena.used == 0 && w.arena.peak < sizeof w.room);
    assert_true(after <
                before + 16384); /* no growth per call: OpenSSL's cache of sessions is full early */
    SSL_free(server.ssl);
    SSL_CTX_free(server.ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_long_life)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
