/*
 * The short way for header lines against the way byte by byte: every byte of some heads changed to
 * every other value, and the same outcome to the last field.
 * Rooms: RESPONSE HEAD, SPEED: HEAD LINES.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define AVITO_WITH_SHORTCUTS 1
#define AVITO_STATIC         1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

/* Other machines put each VALUES_STEP-th value into a byte. */
#ifndef VALUES_STEP
#define VALUES_STEP 1
#endif

static const char *const heads[] = {
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 12:00:59 GMT\r\n"
    "Content-Type: application/json\r\nContent-Length: 300\r\nConnection: keep-alive\r\n"
    "ETag: \"6921a5b1-12c\"\r\nAccept-Ranges: bytes\r\n\r\n{\"id\":1}",
    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\nX-RateLimit-Limit: 60\r\n"
    "x-ratelimit-remaining: 0\r\nTransfer-Encoding: Chunked\r\nConnection: Keep-Alive, close\r\n"
    "X-Long: 0123456789abcdef0123456789abcdef0123456789abcdef\r\n\r\n5\r\nabcde\r\n",
    "HTTP/1.0 503 \r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nDATE:Mon, 29 Feb 2000 00:00:00 "
    "gmt"
    "\r\nConnection:close \t\r\ncontent-length:0\r\nA-b_c9: \xd0\xb4\t\r\n\r\n........",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nDate: today\r\n\r\n.........",
};

struct outcome {
    struct avitoi_head head;
    size_t used;
    int rc;
};

static void (*read_more)(struct avitoi_head *h, avito_str value) = avitoi_retries_read_head;

static struct outcome read_in_pieces(const char *bytes, size_t len, size_t piece)
{
    static avito_client c;
    static char window[1024];
    struct outcome out;
    size_t at = 0;

    memset(&c, 0, sizeof c);
    memset(&out, 0, sizeof out);
    c.o.window = window;
    c.priv.json.as.before.head.more = read_more;
    do {
        const size_t n = len - at < piece ? len - at : piece;
        memcpy(window, bytes + at, n);
        c.priv.pos = 0;
        c.priv.len = n;
        out.rc = avitoi_exchange_read_head(&c);
        at += c.priv.pos;
    } while (out.rc == AVITO_AGAIN && at < len);
    out.head = c.priv.json.as.before.head;
    out.used = at;
    return out;
}

static void compare(const char *bytes, size_t len)
{
    const struct outcome a = read_in_pieces(bytes, len, 1), b = read_in_pieces(bytes, len, len);

    assert_int_equal(a.rc, b.rc);
    if (a.rc < 0) {
        return; /* nothing of the head is used then */
    }
    assert_int_equal(a.used, b.used);
    assert_true(a.head.length == b.head.length && a.head.date == b.head.date);
    assert_true(a.head.retry_date == b.head.retry_date);
    assert_int_equal(a.head.bytes, b.head.bytes);
    assert_int_equal(a.head.retry_after_s, b.head.retry_after_s);
    assert_int_equal(a.head.rate_limit, b.head.rate_limit);
    assert_int_equal(a.head.status, b.head.status);
    assert_int_equal(a.head.has_length, b.head.has_length);
    assert_int_equal(a.head.chunked, b.head.chunked);
    assert_int_equal(a.head.close, b.head.close);
    assert_int_equal(a.head.persistent, b.head.persistent);
    assert_int_equal(a.head.exhausted, b.head.exhausted);
}

static void test_as_they_are(void **state)
{
    const struct outcome o = read_in_pieces(heads[0], strlen(heads[0]), 1000);

    (void)state;
    assert_int_equal(o.rc, AVITOI_HEAD_COMPLETE);
    assert_int_equal(o.head.status, 200);
    assert_int_equal(o.head.length, 300);
    assert_int_equal(o.head.date, 1795348859);
    assert_true(o.head.persistent && !o.head.close);
    assert_int_equal(o.used, strlen(heads[0]) - 8);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        assert_int_equal(read_in_pieces(heads[i], strlen(heads[i]), 1000).rc, AVITOI_HEAD_COMPLETE);
        compare(heads[i], strlen(heads[i]));
    }
}

/* The short way takes a status line that is there whole. That it did not costs time only. */
#if AVITOI_FAST_HEAD
static void test_status_line_in_one(void **state)
{
    const size_t len = strlen("HTTP/1.1 200 OK\r\n");
    struct avitoi_head h;

    (void)state;
    memset(&h, 0, sizeof h);
    assert_int_equal(avitoi_fast_status_line(&h, heads[0], strlen(heads[0])), len);
    assert_true(h.status == 200 && h.bytes == len && h.persistent);
}
#endif

/* A lane that needs no time from its answers: only a refusal's date counts. */
static void test_date_of_a_success(void **state)
{
    struct outcome o;

    (void)state;
    read_more = avitoi_retries_parts[0].read_head;
    o = read_in_pieces(heads[0], strlen(heads[0]), 1000);
    assert_int_equal(o.head.date, 0);
    compare(heads[0], strlen(heads[0]));
    o = read_in_pieces(heads[2], strlen(heads[2]), 1000);
    assert_int_equal(o.head.status, 503);
    assert_int_equal(o.head.date, 951782400);
    assert_int_equal(o.head.retry_date, 946684799);
    read_more = avitoi_retries_parts[0].dated->read_head;
    o = read_in_pieces(heads[0], strlen(heads[0]), 1000);
    assert_int_equal(o.head.date, 1795348859);
    read_more = avitoi_retries_read_head;
}

static void test_changed(void **state)
{
    char bytes[1024];

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        const size_t len = strlen(heads[i]);
        for (size_t at = 0; at < len; at++) {
            memcpy(bytes, heads[i], len);
            for (int value = 0; value < 256; value += VALUES_STEP) {
                bytes[at] = (char)value;
                compare(bytes, len);
            }
        }
    }
}

/* A byte left out, a byte added, a byte doubled. */
static void test_shifted(void **state)
{
    char bytes[1024];

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        const size_t len = strlen(heads[i]);
        for (size_t at = 0; at < len; at++) {
            compare(heads[i], at + 1);
            memcpy(bytes, heads[i], at);
            memcpy(bytes + at, heads[i] + at + 1, len - at - 1);
            compare(bytes, len - 1);
            memcpy(bytes + at, "\r\n ", 3);
            memcpy(bytes + at + 2, heads[i] + at, len - at);
            compare(bytes, len + 2);
        }
    }
}

/* Names and values of every length: what precedes a value is no part of it. */
static void test_lengths(void **state)
{
    char bytes[200];

    (void)state;
    for (int name = 1; name <= 40; name++) {
        for (int value = 0; value <= 48; value++) {
            const int len =
                snprintf(bytes, sizeof bytes, "HTTP/1.1 200 OK\r\n%.*s: %.*s\r\nAge: 1\r\n\r\n",
                         name, "abcdefghijklmnopqrstuvwxyz-0123456789-abcdef", value,
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 ABCDEFGHIJKLMNO");
            assert_int_equal(read_in_pieces(bytes, (size_t)len, 1000).rc, AVITOI_HEAD_COMPLETE);
            compare(bytes, (size_t)len);
        }
    }
}

/* The limit of 64 KB holds on both ways. */
static void test_long(void **state)
{
    static const char line[] = "X-Filler: 0123456789abcdef0123456789abcdef0123456789abcdef01\r\n";
    static char bytes[AVITOI_HEAD_MAX + 1024];
    size_t len = 17;

    (void)state;
    memcpy(bytes, "HTTP/1.1 200 OK\r\n", 17);
    while (len < AVITOI_HEAD_MAX + 256) {
        memcpy(bytes + len, line, sizeof line - 1);
        len += sizeof line - 1;
    }
    for (size_t piece = 1; piece <= 1024; piece = piece * 4 - 1) {
        const struct outcome o = read_in_pieces(bytes, len, piece);
        assert_int_equal(o.rc, AVITO_ERR_HTTP_HEAD);
        assert_int_equal(o.used, AVITOI_HEAD_MAX + 1);
    }
}

/* The bytes of the head before count, so that the limit may fall on any byte of the next status line. */
static void test_long_before_the_answer(void **state)
{
    static const char begin[] = "HTTP/1.1 103 Early Hints\r\nX: ";
    static const char next[] = "\r\n\r\nHTTP/1.1 200 OK\r\nX-Filler: 1\r\nX-Filler: 2\r\n\r\n";
    static char bytes[AVITOI_HEAD_MAX + 128];

    (void)state;
    for (size_t room = 1; room <= 40; room++) {
        const size_t first = AVITOI_HEAD_MAX - room;
        memset(bytes, 'x', sizeof bytes);
        memcpy(bytes, begin, sizeof begin - 1);
        memcpy(bytes + first, next, sizeof next - 1);
        for (size_t piece = 256; piece <= 1024; piece += 256) {
            const struct outcome o = read_in_pieces(bytes, first + sizeof next - 1, piece);
            assert_int_equal(o.rc, AVITO_ERR_HTTP_HEAD);
            assert_int_equal(o.used, AVITOI_HEAD_MAX + 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_they_are),
#if AVITOI_FAST_HEAD
        cmocka_unit_test(test_status_line_in_one),
#endif
        cmocka_unit_test(test_date_of_a_success),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_shifted),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_long_before_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
