/*
 * The TLS transport while it is open: sessions, uploads with an early answer, records held back,
 * servers that keep it busy.
 * Rooms: TLS: SET-UP, TLS: RECORDS, TLS: CONNECTIONS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include <openssl/sha.h>

#include "tls/peer.h"

static struct peer peer, second;
static struct side side;

static long send_some(const void *data, size_t len, int more)
{
    return side.transport.functions->send(side.transport.ctx, data, len, more);
}

static long recv_some(void *data, size_t cap)
{
    return side.transport.functions->recv(side.transport.ctx, data, cap);
}

/* ---- sessions ---- */

static void session_is_resumed(void **state)
{
    size_t full;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    assert_int_equal(side_talk(&side, &peer), AVITO_OK);
    assert_false(avito_tls_resumed(&side.tls));
    full = peer.recv_bytes;
    peer_again(&peer);
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    assert_true(avito_tls_resumed(&side.tls));
    assert_true(peer.resumed);
    assert_true(peer.recv_bytes < full / 2);
    side.now += 86400;
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    assert_true(peer.resumed);
    side.now += 1; /* too old: certificates are looked at again */
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    assert_false(peer.resumed);
    side.to.port = 8443; /* another server */
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    assert_false(peer.resumed);
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    assert_true(peer.resumed);
    side.now -= 7200; /* the clock was set back: the age is not known */
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    assert_false(peer.resumed);
    peer_free(&peer);
}

/* The last records of a resumed handshake leave with the request in one send, whatever the pieces
 * and the buffer; a full handshake needs no more sends than it has turns. */
static void resumed_handshake_sends_with_the_request(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\n\r\n";
    static const size_t pieces[] = {0, 1, 5, 6, 7, 50, 51, 52, 60};
    (void)state;
    for (size_t i = 0; i < 3 * sizeof pieces / sizeof pieces[0]; i++) {
        const bool full_duplex = i % 3 == 1;
        long rc;

        peer_init(&peer, "good-ec");
        side_init(&side, &peer);
        side_records(&side, full_duplex, i % 3 == 2 ? 512 : 16384);
        assert_int_equal(side_talk(&side, &peer), AVITO_OK);
        peer_again(&peer);
        peer.send_piece = pieces[i / 3];
        assert_int_equal(side_connect(&side), AVITO_OK);
        assert_true(avito_tls_resumed(&side.tls));
        if (peer.send_piece == 0) {
            assert_int_equal(peer.sends, 1); /* the client's hello */
        }
        side.got_len = 0;
        rc = side_send(&side, request, sizeof request - 1);
        assert_int_equal(rc, sizeof request - 1);
        if (peer.send_piece == 0) {
            assert_int_equal(peer.sends, 2);
        }
        assert_true(side_recv(&side) < 0);
        assert_true(peer.resumed);
        assert_int_equal(peer.got_len, sizeof request - 1);
        assert_memory_equal(peer.got, request, sizeof request - 1);
        assert_int_equal(side.got_len, peer.answer_len);
        side_close(&side);
        peer_free(&peer);
    }
}

/* A lane that only listens after a resumed handshake must not wait for the server, which waits for
 * the handshake's end. */
static void resumed_handshake_ends_without_a_request(void **state)
{
    (void)state;
    side_meet(&side, &peer, "good-ec");
    assert_int_equal(side_talk(&side, &peer), AVITO_OK);
    peer_again(&peer);
    assert_int_equal(side_connect(&side), AVITO_OK);
    assert_int_equal(peer.sends, 1);
    assert_false(avito_tls_at_rest(&side.tls));      /* the handshake's end has not left */
    assert_int_equal(side_connect(&side), AVITO_OK); /* it is connected: nothing begins again */
    assert_int_equal(peer.connects, 1);
    assert_int_equal(side_recv(&side), AVITO_IO_AGAIN);
    assert_int_equal(peer.sends, 2);
    assert_true(avito_tls_at_rest(&side.tls));
    assert_true(peer.resumed);
    side_close(&side);
    assert_true(peer.got_notify);
    peer_free(&peer);
}

/* ---- the buffer of a connection at rest ---- */

/* One buffer serves two connections that take turns, whatever lies in it in between. */
static void buffer_is_shared_at_rest(void **state)
{
    static const char request[] = "GET / HTTP/1.1\r\n\r\n";
    static struct side sides[2];
    struct peer *peers[2] = {&peer, &second};
    (void)state;
    for (int i = 0; i < 2; i++) {
        side_meet(&sides[i], peers[i], i == 0 ? "good-ec" : "good-rsa");
        peers[i]->ending = PEER_KEEP;
        peers[i]->recv_piece = 3;
        peers[i]->answer_records = 2;
        sides[i].options.buffer = side.buffer;
        assert_false(avito_tls_at_rest(&sides[i].tls)); /* it was not initialised */
        assert_int_equal(side_open(&sides[i]), AVITO_OK);
        side_send(&sides[i], request, sizeof request - 1);
        assert_int_equal(side_recv(&sides[i]), AVITO_IO_AGAIN);
        assert_int_equal(sides[i].got_len, peers[i]->answer_len);
        assert_true(avito_tls_at_rest(&sides[i].tls));
    }
    for (int turn = 0; turn < 6; turn++) {
        struct side *s = &sides[turn % 2];
        memset(side.buffer, 0xa5, sizeof side.buffer);
        peers[turn % 2]->answered = false;
        peers[turn % 2]->got_len = s->got_len = 0;
        side_send(s, request, sizeof request - 1);
        assert_int_equal(side_recv(s), AVITO_IO_AGAIN);
        assert_int_equal(s->got_len, peers[turn % 2]->answer_len);
        assert_memory_equal(s->got, peers[turn % 2]->answer, s->got_len);
        assert_true(avito_tls_at_rest(&s->tls));
    }
    for (int i = 0; i < 2; i++) {
        side_close(&sides[i]);
        assert_true(avito_tls_at_rest(&sides[i].tls));
        peer_free(peers[i]);
    }
}

/* A connection is not at rest when half a record has come, plain text was not taken, or a record of
 * ours is not finished. */
static void no_rest_within_a_record(void **state)
{
    char bytes[2]; /* one byte would look like the check of a kept connection */
    (void)state;
    side_meet(&side, &peer, "good-ec");
    peer.ending = PEER_KEEP;
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_true(send_some("GET / HTTP/1.1\r\n", 16, 1) > 0);
    assert_false(avito_tls_at_rest(&side.tls));
    assert_true(send_some("\r\n", 2, 0) > 0);
    peer.recv_piece = 1;
    assert_true(avito_tls_at_rest(&side.tls));
    for (int i = 0; i < 7; i++) { /* in its head, and after it */
        peer.again = true;
        assert_int_equal(recv_some(bytes, 2), AVITO_IO_AGAIN);
        assert_false(i > 0 && avito_tls_at_rest(&side.tls));
    }
    peer.again = false;
    while (recv_some(bytes, 2) == AVITO_IO_AGAIN) {
    }
    assert_false(avito_tls_at_rest(&side.tls)); /* the rest of its text */
    assert_int_equal(side_recv(&side), AVITO_IO_AGAIN);
    assert_true(avito_tls_at_rest(&side.tls));
    side_close(&side);
    peer_free(&peer);
    side_meet(&side, &peer, "good-ec");
    peer.ending = PEER_KEEP;
    side_records(&side, true, 16384);
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_true(avito_tls_at_rest(&side.tls));
    memset(side.buffer, 0xa5, sizeof side.buffer);
    assert_true(send_some("GET / HTTP/1.1\r\n", 16, 1) > 0);
    assert_false(avito_tls_at_rest(&side.tls)); /* its record is not finished */
    peer.send_blocks_after = peer.sent_bytes;
    assert_true(send_some("\r\n", 2, 0) > 0);
    assert_false(avito_tls_at_rest(&side.tls)); /* nor has it left */
    peer.send_blocks_after = 0;
    assert_int_equal(side_recv(&side), AVITO_IO_AGAIN);
    assert_int_equal(side.got_len, peer.answer_len);
    assert_true(avito_tls_at_rest(&side.tls));
    side_close(&side);
    assert_true(avito_tls_at_rest(&side.tls));
    peer_free(&peer);
}

/* ---- memory of the check ---- */

static void *bytes_of_check(struct side *s, size_t *size)
{
    avito_arena *arena = avito_tls_arena(&s->tls);
    *size = arena->cap;
    return arena->base;
}

/* The memory is an arena between handshakes, and none of what is in it is needed by the connection. */
static void memory_of_the_check_is_lent(void **state)
{
    avito_arena *arena;
    size_t size;
    void *bytes;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
    side.transport = avito_tls_transport(&side.tls);
    bytes = bytes_of_check(&side, &size);
    arena = avito_tls_arena(&side.tls);
    assert_ptr_equal(arena, &side.tls.priv.arena);
    assert_true(size >= 3000 && arena->lent && !arena->busy);
    for (int i = 0; i < 4; i++) { /* the second and fourth continue a session */
        memset(bytes, 0xa5, size);
        if (i == 2) {
            side.to.port = 8443;
        }
        peer_again(&peer);
        assert_int_equal(side_connect(&side), AVITO_OK);
        assert_int_equal(avito_tls_resumed(&side.tls), i % 2);
        assert_false(arena->busy);
        memset(bytes, 0x5a, size);
        side.got_len = 0;
        assert_true(side_send(&side, "GET / HTTP/1.1\r\n\r\n", 18) > 0);
        assert_true(side_recv(&side) < 0);
        assert_int_equal(side.got_len, peer.answer_len);
        arena->busy = true; /* a call fills it: the end of the connection changes nothing of that */
        side_close(&side);
        assert_true(arena->busy);
        arena->busy = false;
    }
    peer_free(&peer);
}

/* It holds results, or a call fills it, and a connect needs it: an error, and nothing is lost. */
static void memory_of_the_check_is_in_use(void **state)
{
    avito_arena *arena;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
    side.transport = avito_tls_transport(&side.tls);
    arena = avito_tls_arena(&side.tls);
    memset(arena->base, 0xa5, arena->cap);
    arena->used = 8;
    assert_int_equal(side_connect(&side), AVITO_ERR_BUSY);
    assert_int_equal(side.transport.functions->detail(&side.tls), 0);
    side_close(&side);
    arena->used = 0;
    arena->busy = true;
    assert_int_equal(side_connect(&side), AVITO_ERR_BUSY);
    side_close(&side);
    assert_true(arena->busy);
    for (size_t i = 0; i < arena->cap; i++) {
        assert_int_equal((unsigned char)arena->base[i], 0xa5);
    }
    arena->busy = false;
    assert_int_equal(peer.connects, 0);
    peer.connect_agains = 1;
    assert_int_equal(side.transport.functions->connect(side.transport.ctx, &side.to), AVITO_AGAIN);
    assert_true(arena->busy); /* while the handshake goes on */
    side_close(&side);        /* given up */
    assert_false(arena->busy);
    assert_int_equal(side_connect(&side), AVITO_OK);
    side_close(&side);
    peer_free(&peer);
}

/* Who asks for it first while a connect is under way gets it busy, until that has ended. */
static void memory_of_the_check_in_a_handshake(void **state)
{
    avito_arena *arena;
    avito_event event;
    (void)state;
    for (int given_up = 0; given_up < 2; given_up++) {
        side_meet(&side, &peer, "good-ec");
        assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
        side.transport = avito_tls_transport(&side.tls);
        peer.connect_agains = 1;
        assert_int_equal(side.transport.functions->connect(side.transport.ctx, &side.to),
                         AVITO_AGAIN);
        arena = avito_tls_arena(&side.tls);
        assert_int_equal(avito_parse_webhook("[1]", 3, arena, &event, NULL), AVITO_ERR_BUSY);
        if (given_up == 0) {
            assert_int_equal(side_connect(&side), AVITO_OK);
            assert_false(arena->busy);
        }
        side_close(&side);
        assert_false(arena->busy);
        peer_free(&peer);
    }
}

static void session_is_dropped_after_a_refusal(void **state)
{
    static const char *const bad[] = {"unknown-root", "eku-client"}; /* BearSSL's objection, ours */
    size_t i;
    (void)state;
    for (i = 0; i < 2; i++) {
        peer_init(&peer, "good-ec");
        peer_init(&second, bad[i]);
        side_init(&side, &peer);
        assert_int_equal(side_talk(&side, &peer), AVITO_OK);
        side.tls.o.transport = peer_transport(&second);
        assert_int_equal(side_talk_again(&side, &second),
                         i == 0 ? AVITO_ERR_TLS_TRUST : AVITO_ERR_TLS_CERT);
        side.tls.o.transport = peer_transport(&peer);
        assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
        assert_false(peer.resumed);
        peer_free(&peer);
        peer_free(&second);
    }
}

static void session_survives_a_broken_line(void **state)
{
    (void)state;
    side_meet(&side, &peer, "good-ec");
    assert_int_equal(side_talk(&side, &peer), AVITO_OK);
    peer_again(&peer);
    peer.send_fails_after = 1;
    peer.send_piece = 10;
    assert_int_equal(side_talk_again(&side, &peer), AVITO_ERR_SEND);
    peer_again(&peer);
    peer.send_fails_after = 0;
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    assert_true(peer.resumed);
    /* A server that has forgotten the session gets a whole handshake. */
    SSL_CTX_set_session_cache_mode(peer.ctx,
                                   SSL_SESS_CACHE_OFF | SSL_SESS_CACHE_NO_INTERNAL_LOOKUP);
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    assert_false(peer.resumed);
    peer_free(&peer);
}

/* The server refuses the session by hanging up, in any way: the session is not offered twice. Else
 * a device would try it for a day without success. */
static void session_is_dropped_by_a_hang_up(void **state)
{
    static const struct {
        const char *says;
        size_t len;
        enum peer_ending ending;
        int result;
    } rows[] = {{"", 0, PEER_CUT, AVITO_ERR_CLOSED},
                {"", 0, PEER_RESET, AVITO_ERR_RECV},
                {"\x15\x03\x03\x00\x02\x01", 6, PEER_RESET, AVITO_ERR_RECV},
                {"\x15\x03\x03\x00\x02\x01\x00", 7, PEER_CUT, AVITO_ERR_TLS}, /* close_notify */
                {"\x15\x03\x03\x00\x02\x01\x00", 7, PEER_KEEP, AVITO_ERR_TLS},
                {"\x15\x03\x03\x00\x02\x02\x28", 7, PEER_KEEP, AVITO_ERR_TLS}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        side_meet(&side, &peer, "good-ec");
        assert_int_equal(side_talk(&side, &peer), AVITO_OK);
        peer_again(&peer);
        peer.raw = (const unsigned char *)rows[i].says;
        peer.raw_len = rows[i].len;
        peer.ending = rows[i].ending;
        assert_int_equal(side_talk_again(&side, &peer), rows[i].result);
        peer.raw = NULL;
        peer.ending = PEER_NOTIFY;
        assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
        assert_false(peer.resumed);
        peer_free(&peer);
    }
}

/* The server wants to renegotiate: it is refused, and the answer still comes. If it keeps asking,
 * the lane does not listen for ever. */
static void renegotiation(void **state)
{
    size_t full, times, i;
    (void)state;
    for (full = 0; full < 2; full++) {
        for (times = 1; times < 80; times += 39) {
            side_meet(&side, &peer, "good-ec");
            side_records(&side, full, 16384);
            assert_int_equal(side_open(&side), AVITO_OK);
            for (i = 0; i < times; i++) {
                assert_int_equal(SSL_renegotiate(peer.ssl), 1);
                (void)SSL_do_handshake(peer.ssl);
            }
            assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
            assert_int_equal(side_recv(&side), times == 1 ? AVITO_IO_CLOSED : AVITO_ERR_TLS_STALL);
            assert_int_equal(side.got_len, times == 1 ? peer.answer_len : 0);
            side_close(&side);
            peer_free(&peer);
        }
    }
}

/* ---- transports below that break the rules, or end ---- */

static struct {
    bool sends;     /* one of its sends, or of its receives */
    unsigned at;    /* that one, from 1 on */
    long gives;     /* this; more than was asked for: one byte too many */
    unsigned calls; /* so far */
    avito_transport below;
    avito_transport_functions functions;
} odd;

enum { TOO_MANY = 1 << 30 };

static bool odd_turn(bool sends, size_t len, long *n)
{
    if (odd.sends != sends || ++odd.calls != odd.at) {
        return false;
    }
    *n = odd.gives == TOO_MANY ? (long)len + 1 : odd.gives;
    return true;
}

static long odd_send(void *ctx, const void *data, size_t len, int more)
{
    long n;
    return odd_turn(true, len, &n) ? n : odd.below.functions->send(ctx, data, len, more);
}

static long odd_recv(void *ctx, void *data, size_t cap)
{
    long n;
    return odd_turn(false, cap, &n) ? n : odd.below.functions->recv(ctx, data, cap);
}

static void meet_odd(void)
{
    side_meet(&side, &peer, "good-ec");
    odd.below = side.options.transport;
    odd.functions = *odd.below.functions;
    odd.functions.send = odd_send;
    odd.functions.recv = odd_recv;
    odd.at = 0;
    side.options.transport.functions = &odd.functions;
}

/* At every call, read ahead or not: 0 bytes mean AGAIN; everything else ends the connection, with an error
 * that says where, and nothing is read beyond what came. */
static void below_breaks_the_rules(void **state)
{
    static const struct {
        bool sends;
        long gives;
    } rows[] = {{true, 0},         {true, TOO_MANY},        {true, AVITO_ERR_SEND},  {false, 0},
                {false, TOO_MANY}, {false, AVITO_ERR_RECV}, {false, AVITO_IO_CLOSED}};

    (void)state;
    meet_odd();
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        const long gives = rows[i / 2].gives;
        unsigned ends = 0;
        odd.sends = rows[i / 2].sends;
        odd.gives = gives;
        side.options.read_ahead = i % 2 > 0 ? side.ahead : NULL;
        side.options.read_ahead_cap = sizeof side.ahead;
        for (odd.at = 1; ends == 0; odd.at++) {
            int rc;
            peer_again(&peer);
            odd.calls = 0;
            rc = side_talk(&side, &peer);
            ends = odd.calls < odd.at ? odd.calls : 0;
            if (ends > 0 || gives == 0) {
                assert_int_equal(rc, AVITO_OK);
            } else if (side.got_len < peer.answer_len) {
                assert_true(rc < 0);
            }
            assert_true(odd.at < 1000);
        }
        assert_true(ends > 2);
    }
    peer_free(&peer);
}

/* Half duplex, with a record that is held back while the lane looks for an answer. If there is none, the
 * record leaves. An end or an error ends the connection. */
static void below_breaks_the_rules_in_between(void **state)
{
    static const struct {
        long gives;
        int result;
    } rows[] = {{0, AVITO_IO_AGAIN},
                {TOO_MANY, AVITO_ERR_RECV},
                {AVITO_ERR_RECV, AVITO_ERR_RECV},
                {AVITO_ERR_CONNECT, AVITO_ERR_CONNECT},
                {AVITO_IO_CLOSED, AVITO_ERR_CLOSED}};
    char bytes[100];

    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        const int result = rows[i / 2].result;
        meet_odd();
        peer.ending = PEER_KEEP;
        side.options.read_ahead = i % 2 > 0 ? side.ahead : NULL;
        side.options.read_ahead_cap = sizeof side.ahead;
        assert_int_equal(side_open(&side), AVITO_OK);
        assert_int_equal(send_some("x\r\n\r\n", 5, 1), 5);
        odd.sends = false;
        odd.gives = rows[i / 2].gives;
        odd.calls = 0;
        odd.at = 1;
        assert_int_equal(recv_some(bytes, sizeof bytes), result);
        assert_int_equal(peer.got_len, 0);
        assert_int_equal(recv_some(bytes, sizeof bytes),
                         result == AVITO_IO_AGAIN ? (int)peer.answer_len : result);
        side_close(&side);
        peer_free(&peer);
    }
}

/* Half duplex: the next record was read ahead when one of ours is held back. Ours leaves, then that one is
 * read. */
static void record_read_ahead_in_between(void **state)
{
    char bytes[100];
    size_t half;

    (void)state;
    side_meet(&side, &peer, "good-ec");
    half = peer.answer_len / 2;
    peer.ending = PEER_KEEP;
    peer.answer_records = 2;
    side.options.read_ahead = side.ahead;
    side.options.read_ahead_cap = sizeof side.ahead;
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
    assert_int_equal(recv_some(bytes, sizeof bytes), (long)half);
    assert_int_equal(send_some("y", 1, 1), 1);
    assert_int_equal(peer.got_len, 5);
    assert_int_equal(recv_some(bytes, sizeof bytes), (long)(peer.answer_len - half));
    assert_memory_equal(bytes, peer.answer + half, peer.answer_len - half);
    assert_int_equal(peer.got_len, 6);
    side_close(&side);
    peer_free(&peer);
}

/* Half duplex, in the middle of a server's record: it is read before anything is sent. If it breaks off, is the
 * server's close_notify, or is spoilt, nothing can be sent any more, and the error says which it was. */
static void sending_within_a_last_record(void **state)
{
    enum { BREAKS_OFF, SAYS_GOODBYE, IS_SPOILT, ENDS };
    static const unsigned char spoilt[5 + 48] = {0x17, 3, 3, 0, 48};
    char bytes[2];

    (void)state;
    for (int end = 0; end < ENDS; end++) {
        long n = AVITO_IO_AGAIN;
        side_meet(&side, &peer, "good-ec");
        peer.ending = PEER_KEEP;
        assert_int_equal(side_open(&side), AVITO_OK);
        peer.again = true;
        peer.recv_piece = 1;
        if (end == SAYS_GOODBYE) {
            (void)SSL_shutdown(peer.ssl);
        } else {
            peer.raw = spoilt;
            peer.raw_len = end == IS_SPOILT ? sizeof spoilt : 3;
        }
        peer.ending = PEER_CUT;
        assert_int_equal(recv_some(bytes, 2), AVITO_IO_AGAIN);
        assert_int_equal(recv_some(bytes, 2), AVITO_IO_AGAIN);
        assert_false(avito_tls_at_rest(&side.tls));
        for (int i = 0; i < 200 && n == AVITO_IO_AGAIN; i++) {
            n = send_some("x", 1, 0);
        }
        assert_int_equal(n, end == IS_SPOILT ? AVITO_ERR_TLS : AVITO_ERR_CLOSED);
        if (end == IS_SPOILT) {
            assert_int_equal(side.transport.functions->detail(&side.tls), BR_ERR_BAD_MAC);
        }
        assert_int_equal(peer.got_len, 0);
        side_close(&side);
        peer_free(&peer);
    }
}

/* The look of one byte at a kept connection treats a record that has begun as bytes that were not asked for. */
static void look_within_a_record(void **state)
{
    char byte;

    (void)state;
    side_meet(&side, &peer, "good-ec");
    peer.ending = PEER_KEEP;
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_int_equal(recv_some(&byte, 1), AVITO_IO_AGAIN);
    assert_int_equal(SSL_write(peer.ssl, "x", 1), 1);
    peer.again = true;
    peer.recv_piece = 3;
    peer.said_recv = true; /* the piece comes first, then AGAIN */
    assert_int_equal(recv_some(&byte, 1), AVITO_ERR_RECV);
    side_close(&side);
    peer_free(&peer);
}

/* 0 bytes mean AGAIN, an end that was reported stays, and the transport below need not count what moves. */
static void nothing_and_the_end(void **state)
{
    char byte;

    (void)state;
    side_meet(&side, &peer, "good-ec");
    odd.below = side.options.transport;
    odd.functions = *odd.below.functions;
    odd.functions.moved = NULL;
    side.options.transport.functions = &odd.functions;
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
    side.transport = avito_tls_transport(&side.tls);
    assert_int_equal(side.transport.functions->recv(side.transport.ctx, &byte, 1), AVITO_ERR_RECV);
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_int_equal(side.transport.functions->send(side.transport.ctx, "", 0, 0), AVITO_IO_AGAIN);
    assert_int_equal(side.transport.functions->recv(side.transport.ctx, &byte, 0), AVITO_IO_AGAIN);
    (void)side.transport.functions->moved(side.transport.ctx);
    side_close(&side);
    peer_free(&peer);

    side_meet(&side, &peer, "unknown-root");
    assert_int_equal(side_open(&side), AVITO_ERR_TLS_TRUST);
    assert_int_equal(side_connect(&side), AVITO_ERR_TLS_TRUST);
    side_close(&side);
    peer_free(&peer);
}

/* Stored sessions outlive a program, so this must stay: the hash of anchors, host, a zero and the port. */
static const unsigned char *key_of_session(void)
{
    static unsigned char key[SHA256_DIGEST_LENGTH];
    unsigned char text[64];
    size_t n = sizeof side.tls.priv.anchors_key;

    memcpy(text, side.tls.priv.anchors_key, n);
    memcpy(text + n, side.to.host, strlen(side.to.host));
    n += strlen(side.to.host);
    text[n++] = 0;
    text[n++] = (unsigned char)(side.to.port >> 8);
    text[n++] = (unsigned char)side.to.port;
    return SHA256(text, n, key);
}

static void session_moves(void **state)
{
    static avito_tls_session session, broken;
    size_t i;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
    memset(&session, 0xff, sizeof session);
    assert_int_equal(avito_tls_get_session(&side.tls, &session), AVITO_END);
    for (i = 0; i < sizeof session.bytes; i++) { /* none: nothing of what was in that memory */
        assert_int_equal(session.bytes[i], 0);
    }
    assert_int_equal(avito_tls_set_session(&side.tls, &session), AVITO_ERR_ARGUMENT);
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    memset(&session, 0xff, sizeof session);
    assert_int_equal(avito_tls_get_session(&side.tls, &session), AVITO_OK);
    assert_int_equal(session.bytes[110], 0);
    assert_int_equal(session.bytes[111], 0);
    assert_memory_equal(session.bytes + 1, key_of_session(), 16);

    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
    assert_int_equal(avito_tls_set_session(&side.tls, &session), AVITO_OK);
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    assert_true(peer.resumed);

    side.options.anchors_count = 1; /* other anchors */
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
    assert_int_equal(avito_tls_set_session(&side.tls, &session), AVITO_OK);
    (void)side_talk_again(&side, &peer);
    assert_false(avito_tls_resumed(&side.tls));

    for (i = 0; i < sizeof broken.bytes; i++) { /* never worse than a whole handshake */
        int rc;
        broken = session;
        broken.bytes[i] ^= 0x41;
        side.options.anchors_count = 2;
        assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
        rc = avito_tls_set_session(&side.tls, &broken);
        assert_true(rc == AVITO_OK || rc == AVITO_ERR_ARGUMENT);
        rc = side_talk_again(&side, &peer);
        assert_true(rc == AVITO_OK || rc == AVITO_ERR_TLS);
    }
    peer_free(&peer);
}

/* A session with impossible contents is refused, and so is one that is given after connect. */
static void session_that_is_none(void **state)
{
    static const struct {
        size_t at;
        unsigned char byte;
    } rows[] = {{0, 2}, {17, 0x80}, {25, 2}, {26, 4}, {29, 0}, {29, 33}};
    static avito_tls_session session, broken;

    (void)state;
    side_meet(&side, &peer, "good-ec");
    assert_int_equal(side_talk(&side, &peer), AVITO_OK);
    assert_int_equal(avito_tls_get_session(&side.tls, &session), AVITO_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        broken = session;
        broken.bytes[rows[i].at] = rows[i].byte;
        assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
        assert_int_equal(avito_tls_set_session(&side.tls, &broken), AVITO_ERR_ARGUMENT);
        assert_int_equal(avito_tls_set_session(&side.tls, &session), AVITO_OK);
    }
    peer_again(&peer);
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_int_equal(avito_tls_set_session(&side.tls, &session), AVITO_ERR_ARGUMENT);
    side_close(&side);
    peer_free(&peer);
}

/* A session is for the host, the port and the anchors that it was made with, down to the last field. */
static void session_is_for_one_server(void **state)
{
    static avito_tls_session session;
    static unsigned char key[600];
    br_x509_trust_anchor anchors[2];

    (void)state;
    side_meet(&side, &peer, "good-p384"); /* *.example.test */
    assert_int_equal(side.options.anchors_count, 2);
    memcpy(anchors, side.options.anchors, sizeof anchors);
    side.options.anchors = anchors;
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
    assert_int_equal(side_talk_again(&side, &peer), AVITO_OK);
    assert_int_equal(avito_tls_get_session(&side.tls, &session), AVITO_OK);
    for (int what = 0; what < 6; what++) {
        const bool rsa_first = anchors[0].pkey.key_type == BR_KEYTYPE_RSA;
        br_x509_pkey *ec = &anchors[rsa_first ? 1 : 0].pkey,
                     *rsa = &anchors[rsa_first ? 0 : 1].pkey;

        side.to.host = what == 1 ? "www.example.test" : PEER_HOST;
        side.to.port = what == 2 ? 8443 : 443;
        memcpy(anchors, side.anchors.items, sizeof anchors);
        anchors[0].flags ^= what == 3 ? 0x80u : 0u;
        ec->key.ec.curve = what == 4 ? BR_EC_secp384r1 : ec->key.ec.curve;
        memcpy(key, rsa->key.rsa.n, rsa->key.rsa.nlen);
        memcpy(key + rsa->key.rsa.nlen, rsa->key.rsa.e, rsa->key.rsa.elen);
        rsa->key.rsa.nlen -= what == 5; /* the same bytes, cut elsewhere */
        rsa->key.rsa.elen += what == 5;
        rsa->key.rsa.n = key;
        rsa->key.rsa.e = key + rsa->key.rsa.nlen;
        assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
        assert_int_equal(avito_tls_set_session(&side.tls, &session), AVITO_OK);
        (void)side_talk_again(&side, &peer);
        assert_int_equal(peer.resumed, what == 0);
        assert_int_equal(avito_tls_resumed(&side.tls), what == 0);
    }
    peer_free(&peer);
}

/* ---- records ---- */

static void open_side(size_t full, size_t fragment)
{
    side_meet(&side, &peer, "good-ec");
    side_records(&side, full, fragment);
    assert_int_equal(side_open(&side), AVITO_OK);
}

static void more_fills_records(void **state)
{
    static char piece[100];
    size_t before, full;
    int i;
    (void)state;
    for (full = 0; full < 2; full++) {
        open_side(full, 4096);
        before = peer.sent_bytes;
        for (i = 0; i < 9; i++) {
            assert_int_equal(send_some(piece, 100, 1), 100);
        }
        assert_int_equal(peer.sent_bytes, before);
        assert_int_equal(send_some(piece, 100, 0), 100);
        assert_int_equal(peer.sent_bytes, before + 1000 + 29);
        assert_int_equal(peer.got_len, 1000);
        for (i = 0; i < 45; i++) { /* a full record goes by itself */
            size_t at = 0;
            while (at < 100) {
                at += (size_t)send_some(piece + at, 100 - at, 1);
            }
        }
        assert_int_equal(peer.got_len, 1000 + 4096);
        side_close(&side); /* what was held back leaves with close_notify */
        assert_int_equal(peer.got_len, 1000 + 4500);
        assert_true(peer.got_notify);
        peer_free(&peer);
    }
}

/* A lane that said "more" and then only listens still has its record sent. */
static void held_back_is_not_forgotten(void **state)
{
    (void)state;
    side_meet(&side, &peer, "good-ec");
    peer.ending = PEER_KEEP;
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_int_equal(send_some("x\r\n\r\n", 5, 1), 5);
    assert_int_equal(recv_some(side.got, 10), AVITO_IO_AGAIN);
    assert_int_equal(peer.got_len, 0);
    assert_int_equal(recv_some(side.got, 1000), (long)peer.answer_len);
    assert_int_equal(recv_some(side.got, 1000), AVITO_IO_AGAIN);
    assert_true(avito_tls_at_rest(&side.tls)); /* nothing is held back any more */
    assert_int_equal(send_some("x", 1, 1), 1);
    assert_false(avito_tls_at_rest(&side.tls));
    side_close(&side); /* nor by the next connection, to another server */
    peer_again(&peer);
    side.to.port = 8443;
    assert_int_equal(side_connect(&side), AVITO_OK);
    assert_false(avito_tls_resumed(&side.tls));
    assert_true(avito_tls_at_rest(&side.tls));
    side_close(&side);
    peer_free(&peer);
}

/* The answer comes before the upload is over: it is there as soon as the record in progress is out. */
static void early_answer(void **state)
{
    static char piece[512];
    size_t full, chunk;
    (void)state;
    for (full = 0; full < 2; full++) {
        for (chunk = 0; chunk < 3; chunk++) {
            size_t sent = 0;
            long got = AVITO_IO_AGAIN;
            side_meet(&side, &peer, "good-ec");
            side_records(&side, full, 4096);
            peer.answer_after = 5000;
            peer.ending = PEER_KEEP;
            peer.again = chunk == 1;
            peer.send_piece = chunk == 2 ? 13 : 0;
            assert_int_equal(side_open(&side), AVITO_OK);
            while (sent < 100000 && got == AVITO_IO_AGAIN) {
                long n = send_some(piece, sizeof piece, 1);
                assert_true(n > 0 || n == AVITO_IO_AGAIN);
                sent += n > 0 ? (size_t)n : 0;
                got = recv_some(side.got, sizeof side.got);
            }
            assert_int_equal(got, peer.answer_len);
            assert_true(sent < 5000 + 3 * 4096);
            side_close(&side);
            peer_free(&peer);
        }
    }
}

/* The server answers, then takes no more: its answer is not lost with the connection. */
static void answer_after_a_failed_send(void **state)
{
    static char piece[512];
    size_t full;
    (void)state;
    for (full = 0; full < 2; full++) {
        long n = 0;
        open_side(full, 1024);
        peer.answer_after = 3000;
        peer.send_fails_after = peer.sent_bytes + 4200;
        peer.send_piece = 100;
        while (n >= 0 || n == AVITO_IO_AGAIN) {
            n = send_some(piece, sizeof piece, 1);
        }
        assert_int_equal(n, AVITO_ERR_SEND);
        assert_int_equal(side.transport.functions->detail(&side.tls), 104);
        assert_int_equal(side_recv(&side), AVITO_IO_CLOSED);
        assert_int_equal(side.got_len, peer.answer_len);
        assert_int_equal(send_some(piece, 1, 0), AVITO_ERR_SEND);
        side_close(&side);
        assert_int_equal(peer.closes, 1);
        peer_free(&peer);
    }
}

/* A request in one record that does not leave: the call that had its last byte reports it. Else the
 * lane would count all of it as sent (handshake_test.c: unsent_record). */
static void failed_send_of_all(void **state)
{
    size_t full, part;
    (void)state;
    for (full = 0; full < 2; full++) {
        for (part = 0; part < 34; part++) { /* the record has 34 bytes */
            open_side(full, 1024);
            peer.send_fails_after = peer.sent_bytes + part;
            peer.send_piece = 1;
            assert_int_equal(send_some("x\r\n\r\n", 5, 0), AVITO_ERR_SEND);
            assert_int_equal(side.transport.functions->detail(&side.tls), 104);
            assert_int_equal(peer.got_len, 0);
            assert_int_equal(send_some("x\r\n\r\n", 5, 0), AVITO_ERR_SEND);
            side_close(&side);
            peer_free(&peer);
        }
    }
}

/* A lane that listens only after its pieces, each smaller than a record. */
static void early_answer_between_pieces(void **state)
{
    static char piece[448];
    size_t ahead;
    (void)state;
    for (ahead = 0; ahead < 2; ahead++) {
        size_t sent = 0;
        long got = AVITO_IO_AGAIN;
        side_meet(&side, &peer, "good-ec");
        side.options.read_ahead = ahead ? side.ahead : NULL;
        side.options.read_ahead_cap = sizeof side.ahead;
        peer.answer_after = 20000;
        peer.ending = PEER_KEEP;
        assert_int_equal(side_open(&side), AVITO_OK);
        while (sent < 200000 && got == AVITO_IO_AGAIN) {
            size_t at = 0;
            while (at < sizeof piece) {
                long n = send_some(piece + at, sizeof piece - at, 1);
                assert_true(n > 0);
                at += (size_t)n;
            }
            sent += at;
            got = recv_some(side.got, sizeof side.got);
        }
        assert_int_equal(got, peer.answer_len);
        assert_true(sent < 20000 + 16384 + sizeof piece);
        assert_true(peer.sends < 10); /* still full records */
        side_close(&side);
        peer_free(&peer);
    }
}

/* Full duplex: a server that answers and reads no further is heard at once. Half duplex: it is
 * heard too, at the price of the record that could not leave. */
static void answer_while_sending_is_stuck(void **state)
{
    static char piece[512];
    size_t full;
    long n = 0;
    (void)state;
    for (full = 0; full < 2; full++) {
        n = 0;
        open_side(full, full ? 16384 : 4096);
        peer.answer_after = 10000;
        peer.ending = PEER_KEEP;
        peer.send_piece = 1000;
        peer.send_blocks_after = peer.sent_bytes + 20000;
        while (n >= 0) {
            n = send_some(piece, sizeof piece, 0);
        }
        assert_int_equal(n, full ? AVITO_IO_AGAIN : AVITO_ERR_SEND);
        assert_true((side.transport.functions->wants(&side.tls) & AVITO_WANT_WRITE) != 0);
        assert_int_equal(recv_some(side.got, sizeof side.got), peer.answer_len);
        assert_int_equal(recv_some(side.got, sizeof side.got), AVITO_IO_AGAIN);
        assert_int_equal(send_some(piece, 1, 0), full ? AVITO_IO_AGAIN : AVITO_ERR_SEND);
        side_close(&side); /* does not wait */
        assert_int_equal(peer.closes, 1);
        peer_free(&peer);
    }
}

/* A lane that does not listen before its small request has left whole is told that it cannot leave.
 * It does not spin until its time is up. */
static void answer_that_nobody_takes(void **state)
{
    static char piece[2000];
    size_t full, mode;
    (void)state;
    for (full = 0; full < 2; full++) {
        for (mode = 0; mode < 2; mode++) {
            size_t sent = 0;
            unsigned turns = 0;
            long n = 0;
            side_meet(&side, &peer, "good-ec");
            side_records(&side, full, 512);
            peer.answer_after = 100;
            peer.ending = PEER_KEEP;
            peer.again = mode == 0;
            peer.send_piece = 13;
            assert_int_equal(side_open(&side), AVITO_OK);
            while (sent < sizeof piece && (n >= 0 || n == AVITO_IO_AGAIN) && turns++ < 1000) {
                n = send_some(piece + sent, sizeof piece - sent, 0);
                sent += n > 0 ? (size_t)n : 0;
            }
            assert_true(turns < 1000);
            assert_true(sent == sizeof piece || n == AVITO_ERR_SEND);
            assert_int_equal(recv_some(side.got, sizeof side.got), peer.answer_len);
            side_close(&side);
            peer_free(&peer);
        }
    }
}

/* The server sends close_notify while a record of ours is stuck: that is still an orderly end. */
static void goodbye_while_sending_is_stuck(void **state)
{
    static char piece[512];
    size_t full;
    (void)state;
    for (full = 0; full < 2; full++) {
        long n = 0;
        open_side(full, 4096);
        peer.answer_after = 10000;
        peer.send_piece = 1000;
        peer.send_blocks_after = peer.sent_bytes + 20000;
        while (n >= 0) {
            n = send_some(piece, sizeof piece, 0);
        }
        assert_int_equal(side_recv(&side), AVITO_IO_CLOSED);
        assert_int_equal(side.got_len, peer.answer_len);
        side_close(&side);
        assert_int_equal(peer.closes, 1);
        peer_free(&peer);
    }
}

static void read_ahead_saves_calls(void **state)
{
    size_t plain, ahead;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    peer.ending = PEER_KEEP;
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
    peer.recv_calls = 0;
    assert_int_equal(recv_some(side.got, sizeof side.got), peer.answer_len);
    plain = peer.recv_calls;
    side_close(&side);
    side.options.read_ahead = side.ahead;
    side.options.read_ahead_cap = sizeof side.ahead;
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
    peer.recv_calls = 0;
    assert_int_equal(recv_some(side.got, sizeof side.got), peer.answer_len);
    ahead = peer.recv_calls;
    side_close(&side);
    assert_int_equal(plain, 2);
    assert_int_equal(ahead, 1);
    peer_free(&peer);
}

/* The head of a record that is larger than the read-ahead buffer goes through that buffer, with
 * what comes with it; the rest goes straight to its place. */
static void large_records_come_straight(void **state)
{
    static char answer[3 * 16384];
    size_t got = 0;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    for (size_t i = 0; i < sizeof answer; i++) {
        answer[i] = (char)('a' + i % 23);
    }
    peer.answer = answer;
    peer.answer_len = sizeof answer;
    peer.ending = PEER_KEEP;
    side.options.read_ahead = side.ahead;
    side.options.read_ahead_cap = sizeof side.ahead;
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
    peer.recv_calls = 0;
    while (got < sizeof answer) {
        const long n = recv_some(side.got + got, sizeof side.got - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_int_equal(peer.recv_calls, 2 * 3);
    assert_memory_equal(side.got, answer, sizeof answer);
    assert_int_equal(recv_some(side.got, sizeof side.got), AVITO_IO_AGAIN);
    side_close(&side);
    peer_free(&peer);
}

/* The lane does not wait for data that TLS already holds. */
static void held_data_does_not_wait(void **state)
{
    (void)state;
    side_meet(&side, &peer, "good-ec");
    peer.ending = PEER_KEEP;
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_int_equal(recv_some(side.got, 1), AVITO_IO_AGAIN);
    assert_int_equal(side.transport.functions->wants(&side.tls), AVITO_WANT_READ);
    assert_int_equal(side.transport.functions->wait(&side.tls, AVITO_WANT_READ, 1000), AVITO_OK);
    assert_int_equal(peer.waits, 1);
    assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
    assert_int_equal(recv_some(side.got, 1), 1);
    assert_int_equal(side.transport.functions->wants(&side.tls),
                     AVITO_WANT_READ | AVITO_WANT_WRITE);
    assert_int_equal(side.transport.functions->wait(&side.tls, AVITO_WANT_READ, 1000), AVITO_OK);
    assert_int_equal(peer.waits, 1);
    assert_int_equal(side_recv(&side), AVITO_IO_AGAIN);
    side_close(&side);
    peer.never_wait = true;
    side_init(&side, &peer);
    assert_int_equal(side_open(&side), AVITO_OK);
    assert_null(side.transport.functions->wait);
    side_close(&side);
    peer_free(&peer);
}

/* ---- hostile and broken servers ---- */

static void not_tls(void **state)
{
    static unsigned char flood[70000];
    static const char http[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    size_t i;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    peer.raw = (const unsigned char *)http;
    peer.raw_len = strlen(http);
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS);
    assert_int_equal(side.transport.functions->detail(&side.tls), BR_ERR_UNSUPPORTED_VERSION);
    peer.raw_len = 0;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_CLOSED);
    assert_int_equal(side.transport.functions->detail(&side.tls), BR_ERR_IO);
    peer.ending = PEER_RESET;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_RECV);
    for (i = 0; i < sizeof flood; i++) { /* empty handshake records */
        flood[i] = (unsigned char)"\x16\x03\x03\x00\x00"[i % 5];
    }
    peer.raw = flood;
    peer.raw_len = sizeof flood;
    assert_int_equal(side_talk(&side, &peer), AVITO_ERR_TLS_STALL);
    assert_true(peer.raw_at <= 65536 + 5);
    peer_free(&peer);
}

/* Changes every byte that a server sends in a handshake: no crash, no silent success with another
 * certificate. */
struct recorder {
    struct peer *peer;
    size_t flip, at;
};

static struct recorder recorder;

static long recorder_recv(void *ctx, void *data, size_t cap)
{
    struct recorder *r = ctx;
    avito_transport t = peer_transport(r->peer);
    long n = t.functions->recv(t.ctx, data, cap);
    if (n > 0) {
        if (r->flip >= r->at && r->flip < r->at + (size_t)n) {
            ((unsigned char *)data)[r->flip - r->at] ^= 0x20;
        }
        r->at += (size_t)n;
    }
    return n;
}

static int recorder_connect(void *ctx, const avito_server *to)
{
    struct recorder *r = ctx;
    avito_transport t = peer_transport(r->peer);
    r->at = 0;
    return t.functions->connect(t.ctx, to);
}

static long recorder_send(void *ctx, const void *data, size_t len, int more)
{
    avito_transport t = peer_transport(((struct recorder *)ctx)->peer);
    return t.functions->send(t.ctx, data, len, more);
}

static int recorder_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void recorder_close(void *ctx)
{
    avito_transport t = peer_transport(((struct recorder *)ctx)->peer);
    t.functions->close(t.ctx);
}

static void every_byte_of_a_handshake_matters(void **state)
{
    static const avito_transport_functions functions = {
        recorder_connect, recorder_send, recorder_recv, recorder_wants, NULL,
        recorder_close,   NULL,          NULL};
    size_t total;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    recorder.peer = &peer;
    recorder.flip = (size_t)-1;
    side.options.transport.functions = &functions;
    side.options.transport.ctx = &recorder;
    peer.ending = PEER_KEEP;
    assert_int_equal(side_open(&side), AVITO_OK);
    total = recorder.at;
    side_close(&side);
    for (recorder.flip = 0; recorder.flip < total; recorder.flip += 3) {
        int turns = 0;
        int rc;
        assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
        side.transport = avito_tls_transport(&side.tls);
        do {
            rc = side.transport.functions->connect(side.transport.ctx, &side.to);
        } while (rc == AVITO_AGAIN && ++turns < 50);
        /* Signatures differ in length: a shorter handshake may end before the byte. */
        if (rc == AVITO_OK && recorder.at > recorder.flip) {
            print_error("byte %u\n", (unsigned)recorder.flip);
            fail();
        }
        side_close(&side);
    }
    peer_free(&peer);
}

static void feed(void *ctx)
{
    ((struct side *)ctx)->watchdog_calls++;
}

static unsigned kicks;

static void kick(void)
{
    kicks++;
}

AVITO_TLS_WATCHED_EC(watched_ec, br_ec_p256_m15, 1u << BR_EC_secp256r1, kick)
AVITO_TLS_WATCHED_RSA(watched_rsa, br_rsa_i15_pkcs1_vrfy, kick)

static void small_board(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    static const uint16_t suites[2] = {BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                       BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256};
    (void)ctx;
    br_ssl_engine_set_suites(&ssl->eng, suites, 2);
    br_ssl_engine_set_ec(&ssl->eng, &watched_ec);
    br_ssl_engine_set_ecdsa(&ssl->eng, br_ecdsa_i15_vrfy_asn1);
    br_ssl_engine_set_rsavrfy(&ssl->eng, watched_rsa);
    br_x509_minimal_set_rsa(x509, watched_rsa);
    br_x509_minimal_set_ecdsa(x509, &watched_ec, br_ecdsa_i15_vrfy_asn1);
    br_ssl_engine_set_hash(&ssl->eng, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(x509, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_prf_sha256(&ssl->eng, &br_tls12_sha256_prf);
    br_ssl_engine_set_chapol(&ssl->eng, &br_sslrec_in_chapol_vtable, &br_sslrec_out_chapol_vtable);
    br_ssl_engine_set_chacha20(&ssl->eng, &br_chacha20_ct_run);
    br_ssl_engine_set_poly1305(&ssl->eng, &br_poly1305_ctmul_run);
}

static void watchdog(void **state)
{
    static const char *const names[] = {"good-ec", "good-rsa"};
    size_t i;
    (void)state;
    for (i = 0; i < 2; i++) {
        unsigned handshake;
        side_meet(&side, &peer, names[i]);
        side.options.buffer_cap = AVITO_TLS_BUFFER_HALF(512);
        side.options.watchdog = feed;
        side.options.configure = small_board;
        kicks = 0;
        assert_int_equal(side_open(&side), AVITO_OK);
        handshake = side.watchdog_calls;
        assert_true(handshake > 10);
        assert_true(peer.most <= 64);      /* small pieces: one message each */
        assert_true(kicks >= 2 * (3 + 2)); /* three signatures, two for the key exchange */
        assert_int_equal(avito_tls_suite(&side.tls),
                         i == 0 ? BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                                : BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256);
        assert_int_equal(side_send(&side, "x\r\n\r\n", 5), 5);
        assert_int_equal(side_recv(&side), AVITO_IO_CLOSED);
        assert_int_equal(side.watchdog_calls, handshake);
        side_close(&side);
        peer_free(&peer);
    }
}

/* ---- a lane over it ---- */

static uint32_t fixed_clock(void *ctx)
{
    (void)ctx;
    return 1000;
}

static int stored_token(void *ctx, avito_token *token)
{
    (void)ctx;
    token->access_token.ptr = "stored-token";
    token->access_token.len = 12;
    token->expires_in = 86400;
    return AVITO_OK;
}

#define SELF(id) "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"id\":" id "}"

/* Two calls without a pause. Bytes after the first answer are no answer, also in a record of their
 * own: the second call then opens a connection. Where nothing comes, it uses the first connection,
 * and with read-ahead does not even ask the transport. */
static void unasked_second_answer(void **state)
{
    static const struct {
        const char *says;
        size_t records, connects;
    } rows[] = {{SELF("7"), 1, 1}, {SELF("7") SELF("6"), 2, 2}, {SELF("7") SELF("6"), 1, 2}};
    static const size_t aheads[] = {0, 100, 2048};
    size_t i, ahead, full;
    (void)state;
    for (i = 0; i < 3; i++) {
        for (ahead = 0; ahead < 3; ahead++) {
            for (full = 0; full < 2; full++) {
                avito_account_options account_options = avito_account_options_default();
                avito_client_options options = avito_client_options_default();
                static char window[2048], room[512], tokens[AVITO_TOKENS_SIZE(64)];
                avito_arena arena = avito_arena_of(room, sizeof room);
                static avito_account account;
                static avito_client client;
                avito_self self;
                size_t calls;
                int call;
                side_meet(&side, &peer, "good-ec");
                side_records(&side, full == 1, 4096);
                side.options.read_ahead = aheads[ahead] > 0 ? side.ahead : NULL;
                side.options.read_ahead_cap = aheads[ahead];
                peer.answer = rows[i].says;
                peer.answer_len = strlen(rows[i].says);
                peer.answer_records = rows[i].records;
                peer.ending = PEER_KEEP;
                assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
                account_options.client_id = "id";
                account_options.client_secret = "secret";
                account_options.host = PEER_HOST;
                account_options.tokens = tokens;
                account_options.tokens_cap = sizeof tokens;
                account_options.clock_ms = fixed_clock;
                account_options.load_token = stored_token;
                assert_int_equal(avito_account_init(&account, &account_options), AVITO_OK);
                options.transport = avito_tls_transport(&side.tls);
                options.window = window;
                options.window_cap = sizeof window;
                assert_int_equal(avito_client_init(&client, &account, &options), AVITO_OK);
                for (call = 0; call < 2; call++) {
                    calls = peer.recv_calls;
                    peer.answered = false;
                    assert_int_equal(avito_get_self(&client, &arena, &self), AVITO_OK);
                    assert_int_equal(self.id, 7);
                }
                assert_int_equal(peer.connects, rows[i].connects);
                if (i == 0 && aheads[ahead] == 2048) {
                    assert_int_equal(peer.recv_calls, calls + 1);
                }
                avito_client_close(&client);
                peer_free(&peer);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_is_resumed),
        cmocka_unit_test(resumed_handshake_sends_with_the_request),
        cmocka_unit_test(resumed_handshake_ends_without_a_request),
        cmocka_unit_test(buffer_is_shared_at_rest),
        cmocka_unit_test(no_rest_within_a_record),
        cmocka_unit_test(memory_of_the_check_is_lent),
        cmocka_unit_test(memory_of_the_check_is_in_use),
        cmocka_unit_test(memory_of_the_check_in_a_handshake),
        cmocka_unit_test(session_is_dropped_after_a_refusal),
        cmocka_unit_test(session_survives_a_broken_line),
        cmocka_unit_test(session_is_dropped_by_a_hang_up),
        cmocka_unit_test(renegotiation),
        cmocka_unit_test(below_breaks_the_rules),
        cmocka_unit_test(below_breaks_the_rules_in_between),
        cmocka_unit_test(record_read_ahead_in_between),
        cmocka_unit_test(sending_within_a_last_record),
        cmocka_unit_test(look_within_a_record),
        cmocka_unit_test(nothing_and_the_end),
        cmocka_unit_test(session_moves),
        cmocka_unit_test(session_that_is_none),
        cmocka_unit_test(session_is_for_one_server),
        cmocka_unit_test(more_fills_records),
        cmocka_unit_test(held_back_is_not_forgotten),
        cmocka_unit_test(early_answer),
        cmocka_unit_test(failed_send_of_all),
        cmocka_unit_test(early_answer_between_pieces),
        cmocka_unit_test(answer_after_a_failed_send),
        cmocka_unit_test(answer_while_sending_is_stuck),
        cmocka_unit_test(answer_that_nobody_takes),
        cmocka_unit_test(goodbye_while_sending_is_stuck),
        cmocka_unit_test(read_ahead_saves_calls),
        cmocka_unit_test(large_records_come_straight),
        cmocka_unit_test(held_data_does_not_wait),
        cmocka_unit_test(not_tls),
        cmocka_unit_test(every_byte_of_a_handshake_matters),
        cmocka_unit_test(watchdog),
        cmocka_unit_test(unasked_second_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
