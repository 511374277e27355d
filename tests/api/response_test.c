/*
 * The head and the framing of answers, through a whole call: what is HTTP/1.1 gives its body, what
 * is not gives the same error at every split, and each connection is closed once.
 * Rooms: RESPONSE HEAD, HTTP BODY FRAMING, ANSWERS, ERRORS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/dump.h"
#include "support/lane.h"

enum { KEPT, CLOSED }; /* what becomes of the connection */

struct row {
    const char *answer;
    int result;
    int connection;
    bool end; /* the server closes after it, in an orderly way */
};

#define BODY "{\"id\":7}"
#define LEN  "Content-Length: 8\r\n"
#define OK   "HTTP/1.1 200 OK\r\n"

static const struct row good[] = {
    {OK LEN "\r\n" BODY, AVITO_OK, KEPT, false},
    {OK "content-length:8\r\n\r\n" BODY, AVITO_OK, KEPT, false},
    {OK "CONTENT-LENGTH: \t 8 \t \r\n\r\n" BODY, AVITO_OK, KEPT, false},
    {OK "Content-Length: 0000000000000000000008\r\n\r\n" BODY, AVITO_OK, KEPT, false},
    {"HTTP/1.1 200\r\n" LEN "\r\n" BODY, AVITO_OK, KEPT, false},
    {"HTTP/1.1 200 \r\n" LEN "\r\n" BODY, AVITO_OK, KEPT, false},
    {"HTTP/1.1 200 all \xd0\x96 is\twell\r\n" LEN "\r\n" BODY, AVITO_OK, KEPT, false},
    {"HTTP/1.1 201 Created\r\n" LEN "\r\n" BODY, AVITO_OK, KEPT, false},
    {OK "X: y\r\nEmpty:\r\n" LEN "Server: a:b:c\r\n\r\n" BODY, AVITO_OK, KEPT, false},
    {OK "!#$%&'*+-.^_`|~09aZ: \xd0\x96\r\n" LEN "\r\n" BODY, AVITO_OK, KEPT, false},
    {OK LEN "Connection: close\r\n\r\n" BODY, AVITO_OK, CLOSED, false},
    {OK LEN "connection: CLOSE\r\n\r\n" BODY, AVITO_OK, CLOSED, false},
    {OK LEN "Connection: upgrade, close\r\n\r\n" BODY, AVITO_OK, CLOSED, false},
    {OK LEN "Connection: foo\r\nConnection: close\r\n\r\n" BODY, AVITO_OK, CLOSED, false},
    {OK LEN "Connection: keep-alive\r\n\r\n" BODY, AVITO_OK, KEPT, false},
    {OK LEN "Connection: close\r\nConnection: foo\r\n\r\n" BODY, AVITO_OK, CLOSED, false},
    {OK LEN "Connection: closed\r\n\r\n" BODY, AVITO_OK, KEPT, false},
    {OK LEN "Connection: close, keep-alive\r\n\r\n" BODY, AVITO_OK, CLOSED, false},
    {"HTTP/1.0 200 OK\r\n" LEN "\r\n" BODY, AVITO_OK, CLOSED, false},
    {"HTTP/1.0 200 OK\r\n" LEN "Connection: keep-alive\r\n\r\n" BODY, AVITO_OK, KEPT, false},
    {"HTTP/1.0 200 OK\r\n" LEN "Connection: upgrade\r\n\r\n" BODY, AVITO_OK, CLOSED, false},
    {"HTTP/1.0 200 OK\r\n\r\n" BODY, AVITO_OK, CLOSED, true},
    {OK "\r\n" BODY, AVITO_OK, CLOSED, true},
    {OK "Connection: close\r\n\r\n" BODY, AVITO_OK, CLOSED, true},
    {OK "Transfer-Encoding: chunked\r\n\r\n8\r\n" BODY "\r\n0\r\n\r\n", AVITO_OK, KEPT, false},
    {OK
     "transfer-encoding: Chunked\r\n\r\n3;a=\"b\"\r\n{\"i\r\n00005\r\nd\":7}\r\n0\r\nT: x\r\n\r\n",
     AVITO_OK, KEPT, false},
    {"HTTP/1.1 100 Continue\r\n\r\n" OK LEN "\r\n" BODY, AVITO_OK, KEPT, false},
    {"HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 5\r\n\r\nHTTP/1.1 100 C\r\n\r\n" OK LEN
     "\r\n" BODY,
     AVITO_OK, KEPT, false},
    /* more than was announced: not part of this answer, and nothing for the next one */
    {OK LEN "\r\n" BODY "x", AVITO_OK, CLOSED, false},
    {OK LEN "\r\n" BODY OK LEN "\r\n{\"id\":8}", AVITO_OK, CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n8\r\n" BODY "\r\n0\r\n\r\n!", AVITO_OK, CLOSED, false},
    /* what was cut off Connection's value may have been "close" */
    {OK "Connection: keep-alive, Upgrade, HTTP2-Settings, close\r\n" LEN "\r\n" BODY, AVITO_OK,
     CLOSED, false},
    {OK "Connection: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" LEN "\r\n" BODY,
     AVITO_OK, CLOSED, false},
    {OK "Connection: keep-alive, Upgrade\r\n" LEN "\r\n" BODY, AVITO_OK, KEPT, false},
    /* 32 bytes of a value are kept, no more */
    {OK "Connection: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" LEN "\r\n" BODY, AVITO_OK, KEPT, false},
    {OK "Connection: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" LEN "\r\n" BODY, AVITO_OK, CLOSED,
     false},
    {OK "Connection: aaaaaaaaaaaaaaaaaaaaaaaaa, close\r\n" LEN "\r\n" BODY, AVITO_OK, CLOSED,
     false},
    {OK "Content-Length: 00000000000000000000000000000008\r\n\r\n" BODY, AVITO_OK, KEPT, false},
    /* HTTP/1.0 has no chunks: a server that sends them may not know where the answer ends */
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n" BODY
     "\r\n0\r\n\r\n",
     AVITO_OK, CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n8  \r\n" BODY "\r\n0 ;a=b\r\n\r\n", AVITO_OK, KEPT,
     false},
    /* a model is needed */
    {"HTTP/1.1 204 No Content\r\n\r\n", AVITO_ERR_EMPTY, CLOSED, false},
    {OK "Content-Length: 0\r\n\r\n", AVITO_ERR_EMPTY, CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", AVITO_ERR_EMPTY, CLOSED, false},
    {OK "\r\n", AVITO_ERR_EMPTY, CLOSED, true},
    /* refusals */
    {"HTTP/1.1 302 Found\r\nLocation: https://example.org/\r\nContent-Length: 0\r\n\r\n",
     AVITO_ERR_REDIRECT, KEPT, false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\n", AVITO_ERR_REDIRECT, KEPT, false},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", AVITO_ERR_NOT_FOUND, KEPT, false},
    {"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n", AVITO_ERR_STATUS, KEPT, false},
    {"HTTP/1.1 599 x\r\nContent-Length: 0\r\n\r\n", AVITO_ERR_SERVER, KEPT, false},
};

static const struct row bad[] = {
    {"HTTP/2 200 OK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.2 200 OK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.11 200 OK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"http/1.1 200 OK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"\r\n" OK LEN "\r\n" BODY, AVITO_ERR_HTTP, CLOSED, false},
    {" " OK, AVITO_ERR_HTTP, CLOSED, false},
    {"SSH-2.0-OpenSSH\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.1  200 OK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.1 20 OK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.1 2000 OK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.1 099 OK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.1 2x0 OK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.1 -20 OK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.1 200\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.1 200 OK\nContent-Length: 8\n\n" BODY, AVITO_ERR_HTTP, CLOSED, false},
    {OK "Content-Length: 8\n\r\n" BODY, AVITO_ERR_HTTP, CLOSED, false},
    {OK "A: b\rC: d\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK "A: b\r\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK LEN "\rx", AVITO_ERR_HTTP, CLOSED, false},
    {OK LEN "\n" BODY, AVITO_ERR_HTTP, CLOSED, false},
    {OK "A: b\r\n folded\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK "A: b\r\n\tfolded\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK "A : b\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK ": b\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK "no colon\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK "nocolon\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK "A(b): c\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK "A: \x01\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK "A: \x7f\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {"HTTP/1.1 200 O\x1bK\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK "\xd0\x96: c\r\n", AVITO_ERR_HTTP, CLOSED, false},
    {OK LEN LEN "\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK LEN "Content-Length: 9\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK LEN "X: y\r\ncontent-length: 08\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: 8, 8\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: 8 8\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Transfer-Encoding: chunked                           x\r\n\r\n", AVITO_ERR_HTTP_LENGTH,
     CLOSED, false},
    {OK "Content-Length: +8\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: -8\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: -0\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: 0x8\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: 8;\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: \r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length:\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: 9223372036854775808\r\n\r\n", AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: 18446744073709551624\r\n\r\n", AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Content-Length: 00000000000000000000000000000000000000000008\r\n\r\n" BODY,
     AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK LEN "Transfer-Encoding: chunked\r\n\r\n8\r\n" BODY "\r\n0\r\n\r\n", AVITO_ERR_HTTP_LENGTH,
     CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\n" LEN "\r\n8\r\n" BODY "\r\n0\r\n\r\n",
     AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Transfer-Encoding: chunked, gzip\r\n\r\n", AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", AVITO_ERR_HTTP_LENGTH,
     CLOSED, false},
    {OK "Transfer-Encoding: identity\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Transfer-Encoding:\r\n\r\n" BODY, AVITO_ERR_HTTP_LENGTH, CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n8\n" BODY, AVITO_ERR_HTTP_CHUNK, CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n7\r\n" BODY "\r\n0\r\n\r\n", AVITO_ERR_HTTP_CHUNK,
     CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n8\r\n" BODY "\r\n\r\n", AVITO_ERR_HTTP_CHUNK, CLOSED,
     false},
    {OK "Transfer-Encoding: chunked\r\n\r\n8\r\n" BODY "\r\n0\r\nbad\r\n", AVITO_ERR_HTTP_CHUNK,
     CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\n\r\ng\r\n", AVITO_ERR_HTTP_CHUNK, CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n-8\r\n", AVITO_ERR_HTTP_CHUNK, CLOSED, false},
    {OK "Transfer-Encoding: chunked\r\n\r\n0000000000000008\r\n", AVITO_ERR_HTTP_CHUNK, CLOSED,
     false},
    /* cut short */
    {OK LEN "\r\n{\"id\":7", AVITO_ERR_CLOSED, CLOSED, true},
    {OK LEN "\r\n", AVITO_ERR_CLOSED, CLOSED, true},
    {OK LEN, AVITO_ERR_CLOSED, CLOSED, true},
    {"HTTP/1.1 2", AVITO_ERR_CLOSED, CLOSED, true},
    {"H", AVITO_ERR_CLOSED, CLOSED, true},
    {"HTTP/1.1 100 Continue\r\n\r\n", AVITO_ERR_CLOSED, CLOSED, true},
    {OK "Transfer-Encoding: chunked\r\n\r\n8\r\n" BODY "\r\n0\r\n", AVITO_ERR_CLOSED, CLOSED, true},
    {OK "Transfer-Encoding: chunked\r\n\r\n8\r\n" BODY, AVITO_ERR_CLOSED, CLOSED, true},
    {OK "\r\n{\"id\":7", AVITO_ERR_JSON, CLOSED, true},
    {OK LEN "\r\n{\"id\":7x", AVITO_ERR_JSON, CLOSED, false},
};

static int get_self(struct lane *l, avito_self *self)
{
    return lane_run(l, avito_get_self(&l->client, &l->arena, self));
}

/* One call with the answer of `row`: its result, and what becomes of the connection. */
static void play(struct lane *l, const struct row *row, const char *how, size_t at, size_t window)
{
    avito_self self = {0};
    int rc;

    lane_again(l, window);
    rc = get_self(l, &self);
    if (rc != row->result || avito_last_error(&l->client)->code != rc) {
        fail_msg("%s at %zu, window %zu: %s\n%s", how, at, window, dump_result_name(rc),
                 row->answer);
    }
    if (rc == AVITO_OK) {
        assert_int_equal(self.id, 7);
    } else {
        assert_int_equal(l->arena.used, 0);
    }
    if (l->script.open != (row->connection == KEPT) &&
        /* excess bytes that have not come yet are found before the next request */
        !(row->result == AVITO_OK && row->connection == CLOSED && strcmp(how, "whole") != 0)) {
        fail_msg("%s at %zu: the connection is %s\n%s", how, at, l->script.open ? "open" : "closed",
                 row->answer);
    }
    avito_client_close(&l->client);
    assert_int_equal(l->script.connects, 1);
    assert_int_equal(l->script.closes, 1);
    assert_null(script_wrong(&l->script));
}

static void every_split(const struct row *row)
{
    const size_t len = strlen(row->answer);
    size_t split;
    struct lane l;

    lane_init(&l, 512);
    lane_exchange_raw(&l, row->answer, len);
    if (row->end) {
        script_end(&l.script);
    }
    play(&l, row, "whole", 0, 512);
    play(&l, row, "whole", 0, 4096);
    l.script.recv_piece = 1;
    play(&l, row, "by bytes", 0, 512);
    l.script.again = true;
    play(&l, row, "by bytes with pauses", 0, 4096);
    l.script.recv_piece = 0;
    l.script.splits = &split;
    l.script.split_count = 1;
    for (split = 1; split < len; split++) {
        play(&l, row, "cut", split, split % 2 == 0 ? 512 : 1024);
    }
    lane_free(&l);
}

static void test_good_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        every_split(&good[i]);
    }
}

static void test_bad_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        every_split(&bad[i]);
    }
}

/* The rows above cannot hold a NUL. */
static void test_nul_in_the_head(void **state)
{
    static const char head[] = OK "A: \0\r\n";
    static const char name[] = OK "A\0: b\r\n";
    avito_self self;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct lane l;
        lane_init(&l, 512);
        lane_exchange_raw(&l, i == 0 ? head : name, i == 0 ? sizeof head - 1 : sizeof name - 1);
        assert_int_equal(get_self(&l, &self), AVITO_ERR_HTTP);
        assert_null(script_problem(&l.script));
        lane_free(&l);
    }
}

/* An end that is not orderly is never the end of a body. */
static void test_broken_connection(void **state)
{
    static const char *const answers[] = {
        "", "HTTP/1.1 2", OK, OK LEN "\r\n", OK LEN "\r\n{\"id\"", OK "\r\n" BODY};
    avito_self self;

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct lane l;
        lane_init(&l, 512);
        lane_exchange_raw(&l, answers[i], strlen(answers[i]));
        script_fail(&l.script, AVITO_ERR_RECV, 104);
        assert_int_equal(get_self(&l, &self), AVITO_ERR_RECV);
        assert_int_equal(avito_last_error(&l.client)->detail, 104);
        assert_null(script_problem(&l.script));
        lane_free(&l);
    }
}

/* Head of `len` bytes: many lines, one long line, or one long name. */
static char *long_head(size_t len, int kind, size_t *out_len)
{
    const size_t fixed = strlen(OK LEN "\r\n");
    char *head = malloc(len + 64);
    size_t at = strlen(OK);

    memcpy(head, OK, at);
    while (at + fixed - strlen(OK) < len) {
        size_t left = len - at - (fixed - strlen(OK));
        size_t n = kind == 0 && left > 100 ? 50 : left;
        if (n < 4) {
            break;
        }
        memset(head + at, 'x', n);
        head[at + (kind == 2 ? n - 3 : 1)] = ':';
        memcpy(head + at + n - 2, "\r\n", 2);
        at += n;
    }
    memcpy(head + at, LEN "\r\n", strlen(LEN "\r\n"));
    at += strlen(LEN "\r\n");
    memcpy(head + at, BODY, 8);
    *out_len = at;
    return head;
}

static void test_long_heads(void **state)
{
    static const size_t sizes[] = {100, 511, 512, 513, 32768, 65536, 65540, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int kind = 0; kind < 3; kind++) {
            struct lane l;
            size_t len;
            char *head = long_head(sizes[i], kind, &len);
            avito_self self = {0};
            int expected = len <= 65536 ? AVITO_OK : AVITO_ERR_HTTP_HEAD;
            lane_init(&l, 512);
            lane_exchange_raw(&l, head, len + 8);
            assert_int_equal(get_self(&l, &self), expected);
            assert_int_equal(self.id, expected == AVITO_OK ? 7 : 0);
            assert_null(script_wrong(&l.script));
            lane_free(&l);
            free(head);
        }
    }
}

/* Interim answers count towards the limit of a head, or they could go on for ever. The limit may be reached
 * in a header line or in a status line. */
static void test_endless_interim_answers(void **state)
{
    static const char *const interims[] = {
        "HTTP/1.1 100 Continue\r\nA: aaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n"};
    struct lane l;
    avito_self self;

    (void)state;
    for (size_t kind = 0; kind < 2; kind++) {
        lane_init(&l, 512);
        script_connect(&l.script);
        script_request(&l.script);
        for (size_t i = 0; i < 2700; i++) {
            script_answer(&l.script, interims[kind], strlen(interims[kind]));
        }
        assert_int_equal(get_self(&l, &self), AVITO_ERR_HTTP_HEAD);
        assert_null(script_wrong(&l.script));
        lane_free(&l);
    }
}

/* Excess bytes never count as the answer to the next request. */
static void test_bytes_left_over_are_not_the_next_answer(void **state)
{
    static const char two[] = OK LEN "\r\n" BODY OK LEN "\r\n{\"id\":8}";

    (void)state;
    for (size_t split = strlen(OK LEN "\r\n" BODY); split < sizeof two - 1; split++) {
        struct lane l;
        avito_self self = {0};
        lane_init(&l, 512);
        l.script.splits = &split;
        l.script.split_count = 1;
        lane_exchange_raw(&l, two, sizeof two - 1);
        lane_exchange(&l, 200, "{\"id\":9}", 8);
        assert_int_equal(get_self(&l, &self), AVITO_OK);
        assert_int_equal(self.id, 7);
        clock_advance(&l.clock, 100);
        assert_int_equal(get_self(&l, &self), AVITO_OK);
        assert_int_equal(self.id, 9);
        assert_int_equal(l.script.connects, 2);
        lane_end(&l);
    }
}

/* The same holds if both did not fit into the window together and the next call follows at once: an
 * answer of any length, whose last recv() may have filled its room exactly. */
static void test_bytes_after_a_full_window(void **state)
{
    static const size_t windows[] = {512, 513, 600};

    (void)state;
    for (size_t pad = 0; pad < 700; pad++) {
        struct lane l;
        avito_self self = {0};
        char answer[1000];
        int n = snprintf(answer, sizeof answer, OK LEN "X: %0*d\r\n\r\n" BODY, (int)pad, 0);
        lane_init(&l, windows[pad % 3]);
        lane_exchange_raw(&l, answer, (size_t)n);
        script_answer(&l.script, SCRIPT_TEXT(OK LEN "\r\n{\"id\":8}"));
        lane_exchange(&l, 200, "{\"id\":9}", 8);
        assert_int_equal(get_self(&l, &self), AVITO_OK);
        assert_int_equal(self.id, 7);
        assert_int_equal(get_self(&l, &self), AVITO_OK);
        assert_int_equal(self.id, 9);
        assert_int_equal(l.script.connects, 2);
        lane_end(&l);
    }
}

/* The same bytes as refusals: a refusal with good framing gives the status as the error, whatever
 * becomes of the connection. */
static void test_every_status(void **state)
{
    static const struct {
        int status, result;
    } rows[] = {
        {400, AVITO_ERR_BAD_REQUEST}, {402, AVITO_ERR_PAYMENT},  {404, AVITO_ERR_NOT_FOUND},
        {405, AVITO_ERR_STATUS},      {409, AVITO_ERR_CONFLICT}, {413, AVITO_ERR_TOO_LARGE},
        {429, AVITO_ERR_RATE},        {499, AVITO_ERR_STATUS},   {500, AVITO_ERR_SERVER},
        {503, AVITO_ERR_SERVER},      {300, AVITO_ERR_REDIRECT}, {301, AVITO_ERR_REDIRECT},
        {307, AVITO_ERR_REDIRECT},    {600, AVITO_ERR_SERVER},   {999, AVITO_ERR_SERVER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        avito_self self;
        lane_init(&l, 512);
        lane_exchange(&l, rows[i].status, "{}", 2);
        assert_int_equal(get_self(&l, &self), rows[i].result);
        assert_int_equal(avito_last_error(&l.client)->http_status, rows[i].status);
        assert_null(script_problem_open(&l.script, true)); /* the answer was whole */
        lane_free(&l);
    }
}

static void test_retry_after(void **state)
{
    static const struct {
        const char *header;
        uint32_t seconds;
    } rows[] = {
        {"Retry-After: 5\r\n", 5},
        {"retry-after:  120 \r\n", 120},
        {"Retry-After: 99999999\r\n", 86400},
        {"Retry-After: -5\r\n", 0},
        {"Retry-After: soon\r\n", 0},
        {"Retry-After: 00000000000000000000000000086400\r\n", 86400},
        {"Retry-After: 18446744073709551617\r\n", 86400}, /* and not 1 */
        {"Retry-After: 99999999999999999999999999999999999999999999\r\n", 86400},
        {"Retry-After: 99999999999999999999s\r\n", 0},
        {"Retry-After: \r\n", 0},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 11 Aug 2025 12:01:30 GMT\r\n",
         90},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 11 Aug 2025 11:00:00 GMT\r\n",
         0},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 11 Aug 2025 12:01:30 EST\r\n",
         0},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 11-Aug-2025 12:01:30 GMT\r\n",
         0},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 11 Aug 2025 12.01.30 GMT\r\n",
         0},
        /* the years that a date may have, and their leap days */
        {"Date: Wed, 31 Dec 1969 23:58:00 GMT\r\nRetry-After: Wed, 31 Dec 1969 23:59:00 GMT\r\n",
         0},
        {"Date: Thu, 01 Jan 1970 00:00:01 GMT\r\nRetry-After: Thu, 01 Jan 1970 00:01:01 GMT\r\n",
         60},
        {"Date: Thu, 31 Dec 2105 23:59:00 GMT\r\nRetry-After: Thu, 31 Dec 2105 23:59:59 GMT\r\n",
         59},
        /* after them a wait is as long as a wait can be, and it is not now: our clock counts */
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n",
         86400},
        {"Retry-After: Fri, 01 Jan 2106 00:00:00 GMT\r\n", 86400},
        {"Date: Fri, 01 Jan 2106 00:00:00 GMT\r\nRetry-After: Fri, 01 Jan 2106 00:01:00 GMT\r\n",
         86400},
        {"Date: Fri, 01 Jan 2106 00:00:00 GMT\r\nRetry-After: Mon, 11 Aug 2025 12:45:44 GMT\r\n",
         60},
        {"Date: Sun, 28 Feb 2100 23:59:00 GMT\r\nRetry-After: Mon, 01 Mar 2100 00:00:00 GMT\r\n",
         60},
        {"Date: Wed, 29 Feb 2096 23:59:00 GMT\r\nRetry-After: Thu, 01 Mar 2096 00:00:00 GMT\r\n",
         60},
        {"Date: Fri, 31 Dec 2100 23:59:00 GMT\r\nRetry-After: Sat, 01 Jan 2101 00:00:00 GMT\r\n",
         60},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 00 Aug 2025 12:01:30 GMT\r\n",
         0},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 32 Aug 2025 12:01:30 GMT\r\n",
         0},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 11 Aug 2025 24:01:30 GMT\r\n",
         0},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 11 Aug 2025 12:60:30 GMT\r\n",
         0},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 11 Aug 2025 12:01:61 GMT\r\n",
         0},
        {"Date: Mon, 11 Aug 2025 23:59:59 GMT\r\nRetry-After: Mon, 11 Aug 2025 23:59:60 GMT\r\n",
         1},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Thu, 99 Dec 2105 12:01:30 GMT\r\n",
         0},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Mon, 11 Agu 2025 12:01:30 GMT\r\n",
         0},
        {"Date: Mon, 11 Aug 2025 12:00:00 GMT\r\nRetry-After: Thu, 14 Aug 2025 12:00:00 GMT\r\n",
         86400},
        /* by our clock, without the server's: 11 August 2025, 12:44:44 */
        {"Retry-After: Mon, 11 Aug 2025 12:45:44 GMT\r\n", 60},
        {"Retry-After: Mon, 11 Aug 2025 12:44:44 GMT\r\n", 0},
        {"X-RateLimit-Remaining: 0\r\nRetry-After: 5\r\n", 5},
        {"X-RateLimit-Remaining: 0\r\nX-RateLimit-Limit: 60\r\nRetry-After: 7\r\n", 7},
        /* the next header starts afresh */
        {"Retry-After: 5\r\nConnection: close\r\n", 5},
        {"", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        avito_self self;
        char answer[256];
        (void)snprintf(answer, sizeof answer, "HTTP/1.1 429 Slow\r\n%sContent-Length: 0\r\n\r\n",
                       rows[i].header);
        lane_init(&l, 512);
        lane_exchange_raw(&l, answer, strlen(answer));
        assert_int_equal(get_self(&l, &self), AVITO_ERR_RATE);
        assert_int_equal(avito_last_error(&l.client)->retry_after_s, rows[i].seconds);
        lane_free(&l);
    }
}

/* A date without the server's time, on a device that has no clock: nobody knows how long that is. */
static void test_retry_after_a_date_without_a_clock(void **state)
{
    static const char answer[] =
        "HTTP/1.1 429 Slow\r\nRetry-After: Mon, 11 Aug 2025 12:45:44 GMT\r\n"
        "Content-Length: 0\r\n\r\n";
    struct lane l;
    avito_self self;

    (void)state;
    lane_init(&l, 512);
    l.account_options.unix_time = NULL;
    lane_again(&l, 512);
    lane_exchange_raw(&l, SCRIPT_TEXT(answer));
    assert_int_equal(get_self(&l, &self), AVITO_ERR_RATE);
    assert_int_equal(avito_last_error(&l.client)->retry_after_s, 0);
    lane_free(&l);
}

/* The last request of this minute: the next one waits for its share of it. */
static void test_no_request_is_left(void **state)
{
    static const struct {
        const char *headers;
        uint32_t wait_ms;
    } rows[] = {{"X-RateLimit-Remaining: 0\r\nX-RateLimit-Limit: 30\r\n", 2000},
                {"X-RateLimit-Remaining: 0\r\n", 1000},
                {"X-RateLimit-Remaining: 1\r\nX-RateLimit-Limit: 30\r\n", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        avito_self self;
        char answer[200];
        (void)snprintf(answer, sizeof answer, OK "%s" LEN "\r\n" BODY, rows[i].headers);
        lane_init(&l, 512);
        lane_exchange_raw(&l, answer, strlen(answer));
        script_request(&l.script);
        assert_int_equal(get_self(&l, &self), AVITO_OK);
        assert_int_equal(avito_get_self(&l.client, &l.arena, &self), AVITO_AGAIN);
        if (rows[i].wait_ms > 0) {
            assert_int_equal(avito_deadline_ms(&l.client), rows[i].wait_ms);
        } else {
            assert_true(avito_deadline_ms(&l.client) > 2000);
        }
        avito_cancel(&l.client);
        lane_free(&l);
    }
}

/* A connection that must not be kept is not kept, not even by the drain of a list. */
static void test_drained_list_follows_the_head(void **state)
{
    static const struct {
        const char *head;
        bool kept;
    } rows[] = {
        {OK "Content-Length: 37\r\n\r\n", true},
        {OK "Content-Length: 37\r\nConnection: close\r\n\r\n", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 37\r\n\r\n", false},
        {OK "Content-Length: 36\r\n\r\n", false}, /* one byte too much */
    };
    static const char body[] = "{\"messages\":[{\"id\":\"1\"},{\"id\":\"2\"}]} ";

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        avito_message m;
        lane_init(&l, 4096);
        lane_exchange_raw(&l, rows[i].head, strlen(rows[i].head));
        script_answer(&l.script, body, 37);
        assert_int_equal(lane_run(&l, avito_list_messages(&l.client, 1, "c", NULL, &l.arena)),
                         AVITO_OK);
        assert_int_equal(lane_run(&l, avito_next_message(&l.client, &m)), AVITO_OK);
        assert_int_equal(lane_run(&l, avito_list_end(&l.client, 1000)), AVITO_OK);
        assert_int_equal(l.script.open, rows[i].kept);
        assert_false(avito_list_open(&l.client));
        assert_false(l.arena.busy);
        lane_free(&l);
    }
}

/* The tariff is paid again: one text shows it, although the list is not read to its end. */
static void test_text_of_a_list_that_is_given_up(void **state)
{
    static const char body[] = "{\"messages\":[{\"id\":\"1\",\"author_id\":5,\"type\":\"text\","
                               "\"content\":{\"text\":\"hi\"}},"
                               "{\"id\":\"2\"}]}";
    struct lane l;
    avito_message m;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 402, "{}", 2);
    script_request(&l.script);
    script_answer_json(&l.script, 200, body, strlen(body));
    assert_int_equal(lane_run(&l, avito_list_messages(&l.client, 1, "c", NULL, &l.arena)),
                     AVITO_ERR_PAYMENT);
    assert_true(avito_account_unpaid(&l.account));
    assert_int_equal(lane_run(&l, avito_list_messages(&l.client, 1, "c", NULL, &l.arena)),
                     AVITO_OK);
    assert_int_equal(lane_run(&l, avito_next_message(&l.client, &m)), AVITO_OK);
    assert_false(avito_account_unpaid(&l.account));
    assert_int_equal(lane_run(&l, avito_list_end(&l.client, 0)), AVITO_OK);
    lane_free(&l);
}

static int wait_fails(void *ctx, int wants, uint32_t ms)
{
    (void)ctx;
    (void)wants;
    (void)ms;
    return -7;
}

/* Nobody waits for the rest of a list: a transport that fails then is closed, and that is all. */
static void test_list_end_when_waiting_fails(void **state)
{
    static const char body[] = "{\"messages\":[{\"id\":\"1\"},{\"id\":\"2\"}]}";
    avito_transport_functions broken;
    struct lane l;
    avito_message m;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, body, strlen(body));
    l.script.recv_piece = 1;
    l.script.again = true;
    assert_int_equal(lane_run(&l, avito_list_messages(&l.client, 1, "c", NULL, &l.arena)),
                     AVITO_OK);
    assert_int_equal(lane_run(&l, avito_next_message(&l.client, &m)), AVITO_OK);
    broken = *l.client.o.transport.functions;
    broken.wait = wait_fails;
    l.client.o.transport.functions = &broken;
    l.client.o.never_wait = false;
    assert_int_equal(avito_list_end(&l.client, 1000), AVITO_OK);
    assert_false(l.script.open);
    assert_false(avito_list_open(&l.client));
    lane_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_answers),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_nul_in_the_head),
        cmocka_unit_test(test_broken_connection),
        cmocka_unit_test(test_long_heads),
        cmocka_unit_test(test_endless_interim_answers),
        cmocka_unit_test(test_bytes_left_over_are_not_the_next_answer),
        cmocka_unit_test(test_bytes_after_a_full_window),
        cmocka_unit_test(test_every_status),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_retry_after_a_date_without_a_clock),
        cmocka_unit_test(test_no_request_is_left),
        cmocka_unit_test(test_drained_list_follows_the_head),
        cmocka_unit_test(test_text_of_a_list_that_is_given_up),
        cmocka_unit_test(test_list_end_when_waiting_fails),
    };

    return cmocka_run_group_tests_name("responses", tests, NULL, NULL);
}
