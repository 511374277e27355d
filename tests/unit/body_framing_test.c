/* Bodies by length, by chunks and until the stream ends, at every split point.
 * Rooms: HTTP BODY FRAMING. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/guard.h"

#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#define CHUNKED AVITOI_BODY_CHUNKED, 0
#define ANSWER  AVITOI_BODY_CHUNKED_BLANKS, 0

#define INPUT_MAX 8192

static struct guard guard;

static int set_up(void **state)
{
    (void)state;
    guard = guard_end(INPUT_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guard_free(&guard);
    return 0;
}

/* A copy that ends where the memory ends. */
static const char *guarded(const char *data, size_t len)
{
    assert_true(len <= INPUT_MAX);
    return (const char *)memcpy(guard.data + INPUT_MAX - len, data, len);
}

/* ---- what a reader of a whole stream sees ---- */

struct outcome {
    char body[8192];
    size_t body_len;
    size_t taken; /* bytes of input up to the end of the body */
    int result;
};

/* Feeds one piece; false when the body has ended or broken. */
static bool feed(struct avitoi_body *b, const char *data, size_t len, struct outcome *out)
{
    const char *at = guarded(data, len);

    do {
        size_t start = 99, n = 99, used = 99;

        out->result = avitoi_body_feed(b, at, len, &start, &n, &used);
        assert_true(used <= len && start <= used && n <= used - start);
        assert_true(used > 0 || len == 0 || out->result != AVITO_AGAIN);
        assert_true(out->body_len + n <= sizeof out->body);
        memcpy(out->body + out->body_len, at + start, n);
        out->body_len += n;
        out->taken += used;
        at += used;
        len -= used;
    } while (len > 0 && out->result == AVITO_AGAIN);
    return out->result == AVITO_AGAIN;
}

static void feed_split(int mode, uint64_t length, const char *data, size_t len, const size_t cuts[],
                       size_t count, struct outcome *out)
{
    struct avitoi_body b;
    size_t from = 0;

    memset(out, 0, sizeof *out);
    avitoi_body_init(&b, mode, length);
    for (size_t i = 0; i <= count; i++) {
        size_t to = i < count ? cuts[i] : len;
        if (!feed(&b, data + from, to - from, out)) {
            break;
        }
        from = to;
    }
    /* The result stays. */
    int before = out->result;
    size_t had = out->body_len;
    feed(&b, "", 0, out);
    assert_int_equal(out->result, before);
    assert_int_equal(out->body_len, had);
}

static void expect_same(const struct outcome *out, const char *body, size_t body_len, size_t taken,
                        int result)
{
    assert_int_equal(out->result, result);
    if (result >= 0) {
        assert_int_equal(out->body_len, body_len);
        assert_memory_equal(out->body, body, body_len);
    }
    if (result == AVITOI_BODY_COMPLETE) {
        assert_int_equal(out->taken, taken);
    }
}

/* Whole, byte by byte, cut at every point, and cut at every pair of points. */
static void expect(int mode, uint64_t length, const char *data, size_t len, const char *body,
                   size_t left, int result)
{
    static struct outcome out;
    size_t cuts[4096];
    size_t body_len = strlen(body);

    assert_true(len < 4096);
    feed_split(mode, length, data, len, cuts, 0, &out);
    expect_same(&out, body, body_len, len - left, result);
    for (size_t i = 0; i < len; i++) {
        cuts[i] = i;
    }
    feed_split(mode, length, data, len, cuts, len, &out);
    expect_same(&out, body, body_len, len - left, result);
    for (size_t i = 0; i <= len; i++) {
        for (size_t j = len <= 48 ? i : len; j <= len; j++) {
            cuts[0] = i;
            cuts[1] = j;
            feed_split(mode, length, data, len, cuts, 2, &out);
            expect_same(&out, body, body_len, len - left, result);
        }
    }
}

struct row {
    const char *input;
    const char *body; /* NULL: broken */
    int result;
    size_t left; /* bytes that belong to the next message */
};

static const struct row good_chunks[] = {
    {"0\r\n\r\n", "", AVITOI_BODY_COMPLETE, 0},
    {"5\r\nhello\r\n0\r\n\r\n", "hello", AVITOI_BODY_COMPLETE, 0},
    {"5\r\nhello\r\n0\r\n\r\nPOST", "hello", AVITOI_BODY_COMPLETE, 4},
    {"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", AVITOI_BODY_COMPLETE, 0},
    {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789", AVITOI_BODY_COMPLETE, 0},
    {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789", AVITOI_BODY_COMPLETE, 0},
    {"0B\r\n0123456789a\r\n0\r\n\r\n", "0123456789a", AVITOI_BODY_COMPLETE, 0},
    {"000000000000003\r\nabc\r\n000\r\n\r\n", "abc", AVITOI_BODY_COMPLETE, 0},
    {"1\r\na\r\n000000000000002\r\nbc\r\n000000000000000\r\n\r\n", "abc", AVITOI_BODY_COMPLETE, 0},
    {"3;x\r\nabc\r\n0;last\r\n\r\n", "abc", AVITOI_BODY_COMPLETE, 0},
    {"3;x=\"a b;\t\";y\r\nabc\r\n0\r\n\r\n", "abc", AVITOI_BODY_COMPLETE, 0},
    {"3;\xd0\x96\r\nabc\r\n0\r\n\r\n", "abc", AVITOI_BODY_COMPLETE, 0},
    {"3\r\n\r\n0\r\n0\r\n\r\n", "\r\n0", AVITOI_BODY_COMPLETE, 0},
    {"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n", "a", AVITOI_BODY_COMPLETE, 0},
    {"1\r\na\r\n0\r\nX:\r\nY-_~9!: \t \xff\r\n\r\nz", "a", AVITOI_BODY_COMPLETE, 1},
    /* not complete */
    {"", "", AVITO_AGAIN, 0},
    {"f", "", AVITO_AGAIN, 0},
    {"5\r", "", AVITO_AGAIN, 0},
    {"5\r\nhel", "hel", AVITO_AGAIN, 0},
    {"5\r\nhello", "hello", AVITO_AGAIN, 0},
    {"5\r\nhello\r\n0\r\n", "hello", AVITO_AGAIN, 0},
    {"5\r\nhello\r\n0\r\nX: y\r\n\r", "hello", AVITO_AGAIN, 0},
};

static const char *const bad_chunks[] = {
    "\r\n",
    "\n",
    ";x\r\n",
    "g\r\n",
    " 5\r\nhello\r\n",
    "5 \r\nhello\r\n",
    "5\thello",
    "5\nhello\r\n",
    "5\r\rhello",
    "5\rhello",
    "+5\r\nhello\r\n",
    "-1\r\n",
    "0x5\r\nhello\r\n",
    "5,5\r\nhello\r\n",
    "1\r\nab",
    "1\r\na\r\n;x\r\n\r\n",
    "1\r\na\r\n\r\n\r\n",
    "1\r\na\n",
    "1\r\na\rb",
    "5\r\nhello\r\n\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "1;a\nb\r\n",
    "1;a\x01\r\na",
    "1;a\x7f\r\na",
    "1;a\rb",
    "0000000000000001\r\na",
    "fffffffffffffffff\r\na",
    "0\r\n\n",
    "0\r\n\rX",
    "0\r\n X: y\r\n\r\n",
    "0\r\n: y\r\n\r\n",
    "0\r\nX : y\r\n\r\n",
    "0\r\nX\r\n\r\n",
    "0\r\nX: y\r\n z\r\n\r\n",
    "0\r\nX: y\nZ: z\r\n\r\n",
    "0\r\nX: a\rb\r\n\r\n",
    "0\r\nX: \x02\r\n\r\n",
    "0\r\nX\x80: 1\r\n\r\n",
};

static void test_chunks_that_are_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_chunks / sizeof good_chunks[0]; i++) {
        const struct row *r = &good_chunks[i];
        expect(CHUNKED, r->input, strlen(r->input), r->body, r->left, r->result);
    }
}

static void test_chunks_that_are_broken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_chunks / sizeof bad_chunks[0]; i++) {
        expect(CHUNKED, bad_chunks[i], strlen(bad_chunks[i]), "", 0, AVITO_ERR_HTTP_CHUNK);
    }
    /* a NUL in each kind of line */
    expect(CHUNKED, "1\0\r\na", 6, "", 0, AVITO_ERR_HTTP_CHUNK);
    expect(CHUNKED, "1;\0\r\na", 7, "", 0, AVITO_ERR_HTTP_CHUNK);
    expect(CHUNKED, "0\r\nX\0: a", 8, "", 0, AVITO_ERR_HTTP_CHUNK);
    expect(CHUNKED, "0\r\nX:\0a", 7, "", 0, AVITO_ERR_HTTP_CHUNK);
}

/* Answers may have blanks after a size: the only difference from requests. */
static void test_blanks_after_a_size(void **state)
{
    static const struct row good[] = {
        {"5 \r\nhello\r\n0\r\n\r\n", "hello", AVITOI_BODY_COMPLETE, 0},
        {"5  \t \r\nhello\r\n0 \r\n\r\nz", "hello", AVITOI_BODY_COMPLETE, 1},
        {"5 ;a=b\r\nhello\r\n0\t;x\r\n\r\n", "hello", AVITOI_BODY_COMPLETE, 0},
    };
    static const char *const bad[] = {" 5\r\nhello\r\n", "5 5\r\nhello\r\n", "5 x\r\nhello\r\n",
                                      " \r\n",           "5\r \nhello",      "5 \nhello\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        expect(ANSWER, good[i].input, strlen(good[i].input), good[i].body, good[i].left,
               good[i].result);
        expect(CHUNKED, good[i].input, strlen(good[i].input), "", 0, AVITO_ERR_HTTP_CHUNK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect(ANSWER, bad[i], strlen(bad[i]), "", 0, AVITO_ERR_HTTP_CHUNK);
    }
    for (size_t i = 0; i < sizeof good_chunks / sizeof good_chunks[0]; i++) {
        const struct row *r = &good_chunks[i];
        expect(ANSWER, r->input, strlen(r->input), r->body, r->left, r->result);
    }
}

static void test_every_byte_in_every_place(void **state)
{
    static const char token_marks[] = "!#$%&'*+-.^_`|~";

    (void)state;
    for (int c = 0; c < 256; c++) {
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool token = alnum || (c > 0 && strchr(token_marks, c) != NULL);
        bool text = c == '\t' || (c >= ' ' && c != 0x7f);
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        char digit[] = {(char)c};
        char extension[] = {'1', ';', (char)c};
        char name[] = {'0', '\r', '\n', (char)c};
        char value[] = {'0', '\r', '\n', 'X', ':', (char)c};

        expect(CHUNKED, digit, 1, "", 0, hex ? AVITO_AGAIN : AVITO_ERR_HTTP_CHUNK);
        expect(CHUNKED, extension, 3, "", 0,
               text || c == '\r' ? AVITO_AGAIN : AVITO_ERR_HTTP_CHUNK);
        expect(CHUNKED, name, 4, "", 0, token || c == '\r' ? AVITO_AGAIN : AVITO_ERR_HTTP_CHUNK);
        expect(CHUNKED, value, 6, "", 0, text || c == '\r' ? AVITO_AGAIN : AVITO_ERR_HTTP_CHUNK);
    }
}

/* The largest chunk that can be announced has 15 digits and is counted in a size_t. */
static void test_largest_chunk(void **state)
{
    const bool wide = SIZE_MAX > 0xffffffffu;
    const char *line = wide ? "fffffffffffffff\r\nabc" : "0000000ffffffff\r\nabc";
    struct avitoi_body b;
    struct outcome out = {.result = AVITO_AGAIN};

    (void)state;
    avitoi_body_init(&b, CHUNKED);
    assert_true(feed(&b, line, 20, &out));
    assert_true(b.left == (size_t)0xfffffffffffffffu - 3);
    expect(CHUNKED, wide ? "1000000000000000\r\n" : "100000000\r\n", wide ? 18 : 11, "", 0,
           AVITO_ERR_HTTP_CHUNK);
}

static void test_line_and_trailer_limits(void **state)
{
    char text[5000];

    (void)state;
    /* size line: the CR is the last byte that counts, the LF is one more */
    memset(text, 'x', sizeof text);
    memcpy(text, "1;", 2);
    text[AVITOI_BODY_LINE_MAX - 2] = '\r';
    text[AVITOI_BODY_LINE_MAX - 1] = '\n';
    memcpy(text + AVITOI_BODY_LINE_MAX, "a\r\n0\r\n\r\n", 8);
    expect(CHUNKED, text, AVITOI_BODY_LINE_MAX + 8, "a", 0, AVITOI_BODY_COMPLETE);
    memset(text + 2, 'x', AVITOI_BODY_LINE_MAX);
    memcpy(text + AVITOI_BODY_LINE_MAX - 1, "\r\na\r\n0\r\n\r\n", 10);
    expect(CHUNKED, text, AVITOI_BODY_LINE_MAX + 9, "", 0, AVITO_ERR_HTTP_CHUNK);
}

static void test_trailer_limit(void **state)
{
    static char text[AVITOI_BODY_TRAILER_MAX + 16];
    struct outcome *out = (struct outcome *)calloc(1, sizeof *out);
    size_t cut = 0;

    (void)state;
    assert_non_null(out);
    for (int over = 0; over <= 1; over++) {
        size_t total = AVITOI_BODY_TRAILER_MAX + (size_t)over; /* with the last CR LF */
        memset(text, 'x', sizeof text);
        memcpy(text, "0\r\nX:", 5);
        memcpy(text + 3 + total - 4, "\r\n\r\n", 4);
        cut = 3000;
        feed_split(CHUNKED, text, total + 3, &cut, 1, out);
        assert_int_equal(out->result, over ? AVITO_ERR_HTTP_CHUNK : AVITOI_BODY_COMPLETE);
    }
    free(out);
}

/* In the long run, body bytes must outweigh their framing. */
static void test_flood_of_tiny_chunks(void **state)
{
    struct avitoi_body b;
    struct outcome *out = (struct outcome *)calloc(1, sizeof *out);
    size_t chunks = 0;

    (void)state;
    assert_non_null(out);
    avitoi_body_init(&b, CHUNKED);
    while (chunks < 100000 && feed(&b, "1\r\na\r\n", 6, out)) {
        out->body_len = 0;
        chunks++;
    }
    assert_int_equal(out->result, AVITO_ERR_HTTP_CHUNK);
    assert_in_range(chunks, AVITOI_BODY_OVERHEAD_MAX / 5, AVITOI_BODY_OVERHEAD_MAX / 3);

    avitoi_body_init(&b, CHUNKED);
    out->result = AVITO_AGAIN;
    for (chunks = 0; chunks < 100000 && feed(&b, "8\r\n01234567\r\n", 13, out); chunks++) {
        out->body_len = 0;
    }
    assert_int_equal(chunks, 100000);
    free(out);
}

static void test_length(void **state)
{
    (void)state;
    expect(AVITOI_BODY_LENGTH, 0, "", 0, "", 0, AVITOI_BODY_COMPLETE);
    expect(AVITOI_BODY_LENGTH, 0, "next", 4, "", 4, AVITOI_BODY_COMPLETE);
    expect(AVITOI_BODY_LENGTH, 5, "hello", 5, "hello", 0, AVITOI_BODY_COMPLETE);
    expect(AVITOI_BODY_LENGTH, 5, "hellonext", 9, "hello", 4, AVITOI_BODY_COMPLETE);
    expect(AVITOI_BODY_LENGTH, 6, "hello", 5, "hello", 0, AVITO_AGAIN);
    expect(AVITOI_BODY_LENGTH, UINT64_MAX, "\r\n\r\n", 4, "\r\n\r\n", 0, AVITO_AGAIN);
}

static void test_until_close(void **state)
{
    struct avitoi_body b;
    struct outcome out = {.result = AVITO_AGAIN};

    (void)state;
    expect(AVITOI_BODY_UNTIL_CLOSE, 0, "0\r\n\r\nall of it", 14, "0\r\n\r\nall of it", 0,
           AVITO_AGAIN);
    avitoi_body_init(&b, AVITOI_BODY_UNTIL_CLOSE, 0);
    assert_int_equal(avitoi_body_at_close(&b), AVITOI_BODY_COMPLETE);
    avitoi_body_init(&b, AVITOI_BODY_LENGTH, 2);
    assert_int_equal(avitoi_body_at_close(&b), AVITO_ERR_CLOSED);
    feed(&b, "ab", 2, &out);
    assert_int_equal(avitoi_body_at_close(&b), AVITOI_BODY_COMPLETE);
    avitoi_body_init(&b, CHUNKED);
    out.result = AVITO_AGAIN;
    feed(&b, "0\r\n\r", 4, &out);
    assert_int_equal(avitoi_body_at_close(&b), AVITO_ERR_CLOSED);
    feed(&b, "\n", 1, &out);
    assert_int_equal(avitoi_body_at_close(&b), AVITOI_BODY_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_that_are_right),
        cmocka_unit_test(test_chunks_that_are_broken),
        cmocka_unit_test(test_blanks_after_a_size),
        cmocka_unit_test(test_every_byte_in_every_place),
        cmocka_unit_test(test_largest_chunk),
        cmocka_unit_test(test_line_and_trailer_limits),
        cmocka_unit_test(test_trailer_limit),
        cmocka_unit_test(test_flood_of_tiny_chunks),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_until_close),
    };
    return cmocka_run_group_tests_name("body framing", tests, set_up, tear_down);
}
