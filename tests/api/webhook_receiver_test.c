/* The receiving side of webhooks, at every split point.
 * Rooms: WEBHOOK RECEIVER. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "avito_messenger.h"
#include "support/guard.h"

#define PATH    "/hook/0123456789abcdef0123456789abcdef"
#define HOST    "Host: bot.example\r\n"
#define LINE    "POST " PATH " HTTP/1.1\r\n"
#define POST    LINE HOST
#define EVENT   "{\"id\":1}"
#define LENGTH8 "Content-Length: 8\r\n"
#define GOOD    POST LENGTH8 "\r\n" EVENT

#define HEAD_MAX  8192
#define BODY_MAX  64
#define INPUT_MAX 20000

/* Inputs up to this length are cut at every pair of points. tests/port.mk, which runs this on slow
 * emulated machines, cuts at single points only. */
#ifndef PAIRS_MAX
#define PAIRS_MAX 130
#endif

/* ---- one connection, and what is seen from outside ---- */

struct outcome {
    char events[512];  /* each body in <>, its signature after it in () */
    char answers[256]; /* "200 404- " : a minus for one that closes */
    int result;        /* AVITO_AGAIN, or the error that stays */
    size_t used;       /* bytes of input taken */
    bool finished;
};

struct verifier {
    int result;
    int calls;
    char saw[256];
};

static struct guard input_guard;
static struct guard buffer_guard;

static int set_up(void **state)
{
    (void)state;
    input_guard = guard_end(INPUT_MAX);
    buffer_guard = guard_end(AVITO_WEBHOOK_SIZE(BODY_MAX));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guard_free(&input_guard);
    guard_free(&buffer_guard);
    return 0;
}

static avito_webhook_options options_for_test(void)
{
    avito_webhook_options o = avito_webhook_options_default();

    o.path = PATH;
    o.buffer = buffer_guard.data;
    o.buffer_cap = AVITO_WEBHOOK_SIZE(BODY_MAX);
    return o;
}

static void append(char *to, size_t cap, const char *format, ...)
{
    va_list args;
    size_t at = strlen(to);

    va_start(args, format);
    int n = vsnprintf(to + at, cap - at, format, args);
    va_end(args);
    assert_in_range(n, 0, cap - at - 1);
}

static void read_answers(avito_webhook *w, struct outcome *out)
{
    size_t len;
    const char *bytes = avito_webhook_output(w, &len);
    char answer[128];

    if (bytes == NULL) {
        assert_int_equal(len, 0);
        return;
    }
    assert_in_range(len, 1, sizeof answer - 1);
    memcpy(answer, bytes, len);
    answer[len] = '\0';
    assert_memory_equal(answer, "HTTP/1.1 ", 9);
    assert_string_equal(answer + len - 4, "\r\n\r\n");
    assert_int_equal(avito_webhook_wants(w), AVITO_WANT_WRITE);
    append(out->answers, sizeof out->answers, "%.3s%s ", answer + 9,
           strstr(answer, "\r\nConnection: close\r\n") != NULL ? "-" : "");
    assert_true((strncmp(answer + 9, "405", 3) == 0) ==
                (strstr(answer, "\r\nAllow: POST\r\n") != NULL));
    for (size_t i = 0; i < len; i++) {
        avito_webhook_sent(w, 1, 0);
    }
    assert_null(avito_webhook_output(w, &len));
}

static void read_event(avito_webhook *w, struct outcome *out)
{
    size_t len;
    const char *body = (const char *)avito_webhook_body(w, &len);
    avito_str signature = avito_webhook_signature(w);

    assert_non_null(body);
    append(out->events, sizeof out->events, "<%.*s>", (int)len, body);
    if (signature.ptr != NULL) {
        assert_int_equal(signature.ptr[signature.len], '\0');
        append(out->events, sizeof out->events, "(%s)", signature.ptr);
    }
    assert_int_equal(avito_webhook_wants(w), 0);
    avito_webhook_done(w, 0);
    assert_null(avito_webhook_body(w, &len));
    assert_null(avito_webhook_signature(w).ptr);
}

/* Gives one piece; false when the connection is over. */
static bool feed(avito_webhook *w, const char *data, size_t len, struct outcome *out)
{
    assert_true(len <= INPUT_MAX);
    const unsigned char *at = input_guard.data + INPUT_MAX - len;

    memcpy(input_guard.data + INPUT_MAX - len, data, len);
    while (len > 0) {
        size_t used = 99999;

        out->result = avito_webhook_receive(w, at, len, &used, 0);
        assert_true(used <= len);
        at += used;
        len -= used;
        out->used += used;
        read_answers(w, out); /* the answer comes first, in every case */
        if (out->result == AVITO_OK) {
            read_event(w, out);
        }
        if (out->result < 0 || avito_webhook_finished(w)) {
            break;
        }
        assert_true(used > 0);
        assert_int_equal(avito_webhook_wants(w), AVITO_WANT_READ);
    }
    out->finished = avito_webhook_finished(w);
    return len == 0 && !out->finished;
}

static void run(const avito_webhook_options *o, const char *data, size_t len, const size_t cuts[],
                size_t count, struct outcome *out)
{
    avito_webhook w;
    size_t from = 0;

    memset(out, 0, sizeof *out);
    assert_int_equal(avito_webhook_init(&w, o, 0), AVITO_OK);
    for (size_t i = 0; i <= count; i++) {
        size_t to = i < count ? cuts[i] : len;
        if (!feed(&w, data + from, to - from, out)) {
            break;
        }
        from = to;
    }
    if (out->result < 0) { /* errors stay */
        size_t used = 99;
        assert_int_equal(avito_webhook_receive(&w, GOOD, strlen(GOOD), &used, 0), out->result);
        assert_int_equal(used, 0);
        assert_null(avito_webhook_output(&w, &used));
    }
    if (out->result == AVITO_OK) {
        out->result = AVITO_AGAIN;
    }
}

static void same(const struct outcome *a, const struct outcome *b)
{
    assert_string_equal(a->events, b->events);
    assert_string_equal(a->answers, b->answers);
    assert_int_equal(a->result, b->result);
    assert_int_equal(a->finished, b->finished);
    assert_int_equal(a->used, b->used);
}

/* Runs whole, byte by byte, cut at every point, and (short ones) at every pair of points. */
static struct outcome run_all(const avito_webhook_options *o, const char *data, size_t len)
{
    static size_t cuts[INPUT_MAX];
    static struct outcome whole, cut;

    assert_true(len < INPUT_MAX);
    run(o, data, len, cuts, 0, &whole);
    for (size_t i = 0; i < len; i++) {
        cuts[i] = i;
    }
    run(o, data, len, cuts, len, &cut);
    same(&whole, &cut);
    for (size_t i = 0; i <= len && len < 1000; i++) {
        for (size_t j = len < PAIRS_MAX ? i : len; j <= len; j++) {
            cuts[0] = i;
            cuts[1] = j;
            run(o, data, len, cuts, 2, &cut);
            same(&whole, &cut);
        }
    }
    return whole;
}

static struct outcome run_text(const char *text)
{
    avito_webhook_options o = options_for_test();

    return run_all(&o, text, strlen(text));
}

struct row {
    const char *input;
    const char *events;
    const char *answers;
    int result;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct outcome out = run_text(rows[i].input);

        if (strcmp(out.events, rows[i].events) != 0 || strcmp(out.answers, rows[i].answers) != 0 ||
            out.result != rows[i].result) {
            fail_msg("row %u: %s\nevents %s, answers %s, result %d", (unsigned)i, rows[i].input,
                     out.events, out.answers, out.result);
        }
    }
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

/* ---- requests that are right ---- */

static const struct row good[] = {
    {GOOD, "<" EVENT ">", "200 ", AVITO_AGAIN},
    {"\r\n\r\n" GOOD, "<" EVENT ">", "200 ", AVITO_AGAIN},
    {LINE "content-LENGTH:\t 8 \t\r\nhOsT:x\r\n\r\n" EVENT, "<" EVENT ">", "200 ", AVITO_AGAIN},
    {LINE "Host:\r\n" LENGTH8 "X-Other: \xd0\x96\t,;\r\nY:\r\n\r\n" EVENT, "<" EVENT ">", "200 ",
     AVITO_AGAIN},
    {POST "Content-Length: 0000000000000000000000008\r\n\r\n" EVENT, "<" EVENT ">", "200 ",
     AVITO_AGAIN},
    {LINE "Host: \t[2001:db8::1]:8080\t \r\n" LENGTH8 "\r\n" EVENT, "<" EVENT ">", "200 ",
     AVITO_AGAIN},
    {LINE "Host: a-b_c.example:443\r\n" LENGTH8 "\r\n" EVENT, "<" EVENT ">", "200 ", AVITO_AGAIN},
    {LINE "Host: another.example\r\n" LENGTH8 "\r\n" EVENT, "<" EVENT ">", "200 ", AVITO_AGAIN},
    /* names that only begin like those that matter, or are longer */
    {POST
     "Content-Lengt: 1\r\nContent-Lengthy: 2\r\nHos: a\r\nHosts: b\r\nTransfer-Encodings: x\r\n"
     "Expec: t\r\n" LENGTH8 "\r\n" EVENT,
     "<" EVENT ">", "200 ", AVITO_AGAIN},
    /* connection */
    {POST LENGTH8 "Connection: close\r\n\r\n" EVENT, "<" EVENT ">", "200- ", AVITO_AGAIN},
    {POST "Content-Length: 8 \r\nConnection:close\r\n\r\n" EVENT, "<" EVENT ">", "200- ",
     AVITO_AGAIN},
    {POST LENGTH8 "Connection: a, \tCLOSE ,b\r\n\r\n" EVENT, "<" EVENT ">", "200- ", AVITO_AGAIN},
    /* what was cut off may have been "close" */
    {POST LENGTH8
     "Connection: "
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n" EVENT,
     "<" EVENT ">", "200- ", AVITO_AGAIN},
    {POST LENGTH8 "Connection: a\r\nConnection: close\r\n\r\n" EVENT, "<" EVENT ">", "200- ",
     AVITO_AGAIN},
    {POST LENGTH8 "Connection: keep-alive, closed, not close, clos, , \r\n\r\n" EVENT,
     "<" EVENT ">", "200 ", AVITO_AGAIN},
    {"POST " PATH " HTTP/1.0\r\n" LENGTH8 "\r\n" EVENT, "<" EVENT ">", "200- ", AVITO_AGAIN},
    {"POST " PATH " HTTP/1.0\r\n" HOST "Connection: keep-alive\r\nExpect: 100-continue\r\n" LENGTH8
     "\r\n" EVENT,
     "<" EVENT ">", "200- ", AVITO_AGAIN},
    /* chunks */
    {POST "Transfer-Encoding: chunked\r\n\r\n8\r\n" EVENT "\r\n0\r\n\r\n", "<" EVENT ">", "200 ",
     AVITO_AGAIN},
    {POST
     "transfer-encoding:\tCHUNKED \r\n\r\n1;x=y\r\n{\r\n7\r\n\"id\":1}\r\n0\r\nA: b\r\n\r\n" GOOD,
     "<" EVENT "><" EVENT ">", "200 200 ", AVITO_AGAIN},
    /* expectation */
    {POST LENGTH8 "Expect: 100-Continue\r\n\r\n" EVENT, "<" EVENT ">", "100 200 ", AVITO_AGAIN},
    {POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n" EVENT "\r\n0\r\n\r\n",
     "<" EVENT ">", "100 200 ", AVITO_AGAIN},
    {POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", "", "200 ", AVITO_AGAIN},
    {POST "Expect: 100-continue\r\nExpect: other\r\n" LENGTH8 "\r\n" EVENT, "<" EVENT ">",
     "100 200 ", AVITO_AGAIN},
    {POST "Expect: a=b, 100-continue\r\n" LENGTH8 "\r\n" EVENT, "<" EVENT ">", "100 200 ",
     AVITO_AGAIN},
    {POST "Expect:\r\n" LENGTH8 "\r\n" EVENT, "<" EVENT ">", "200 ", AVITO_AGAIN},
    {POST "Expect: 200-ok, 100-continued, 100\r\n" LENGTH8 "\r\n" EVENT, "<" EVENT ">", "200 ",
     AVITO_AGAIN},
    /* signature */
    {POST "X-Avito-Messenger-Signature:  abc DEF 1 \t \r\n" LENGTH8 "\r\n" EVENT,
     "<" EVENT ">(abc DEF 1)", "200 ", AVITO_AGAIN},
    {POST "x-avito-messenger-signature: \r\n" LENGTH8 "\r\n" EVENT GOOD, "<" EVENT ">()<" EVENT ">",
     "200 200 ", AVITO_AGAIN},
    {POST "X-Avito-Messenger-Signature: abc\r\n" LENGTH8 "\r\n" EVENT POST
          "X-Avito-Messenger-Signature: d\r\n" LENGTH8 "\r\n" EVENT,
     "<" EVENT ">(abc)<" EVENT ">(d)", "200 200 ", AVITO_AGAIN},
    /* probes */
    {POST "Content-Length: 2\r\n\r\n{}", "", "200 ", AVITO_AGAIN},
    {POST "Content-Length: 9\r\n\r\n \t{\r\n}\r\n ", "", "200 ", AVITO_AGAIN},
    {POST "\r\n", "", "200 ", AVITO_AGAIN},
    {POST "Content-Length: 1\r\n\r\n{", "<{>", "200 ", AVITO_AGAIN},
    {POST "Content-Length: 3\r\n\r\n{}}", "<{}}>", "200 ", AVITO_AGAIN},
    {POST "Content-Length: 3\r\n\r\n{}"
          "x",
     "<{}x>", "200 ", AVITO_AGAIN},
    {POST "Content-Length: 2\r\n\r\n[]", "<[]>", "200 ", AVITO_AGAIN},
    {POST "Content-Length: 2\r\n\r\n}{", "<}{>", "200 ", AVITO_AGAIN},
    /* several, one after the other */
    {GOOD POST "\r\n" GOOD, "<" EVENT "><" EVENT ">", "200 200 200 ", AVITO_AGAIN},
    {GOOD "POST " PATH " HTTP/1.0\r\n" LENGTH8 "\r\n" EVENT GOOD, "<" EVENT "><" EVENT ">",
     "200 200- ", AVITO_AGAIN},
};

static void test_good_requests(void **state)
{
    (void)state;
    CHECK_ROWS(good);
}

/* ---- requests for somebody else ---- */

static const struct row other[] = {
    {"GET " PATH " HTTP/1.1\r\n" HOST "\r\n" GOOD, "<" EVENT ">", "405 200 ", AVITO_AGAIN},
    {"HEAD " PATH " HTTP/1.1\r\n" HOST "\r\n", "", "405 ", AVITO_AGAIN},
    {"PUT " PATH " HTTP/1.1\r\n" HOST LENGTH8 "\r\n" EVENT GOOD, "<" EVENT ">", "405 200 ",
     AVITO_AGAIN},
    {"post " PATH " HTTP/1.1\r\n" HOST "\r\n", "", "405 ", AVITO_AGAIN},
    {"POS " PATH " HTTP/1.1\r\n" HOST "\r\n", "", "405 ", AVITO_AGAIN},
    {"POSTS " PATH " HTTP/1.1\r\n" HOST "\r\n", "", "405 ", AVITO_AGAIN},
    {"DELETE " PATH " HTTP/1.0\r\n\r\n", "", "405- ", AVITO_AGAIN},
    {"GET / HTTP/1.1\r\n" HOST "\r\n" GOOD, "<" EVENT ">", "404 200 ", AVITO_AGAIN},
    {"POST / HTTP/1.1\r\n" HOST LENGTH8 "\r\n" EVENT GOOD, "<" EVENT ">", "404 200 ", AVITO_AGAIN},
    {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "", "404 ", AVITO_AGAIN},
    {"CONNECT bot.example:443 HTTP/1.1\r\n" HOST "\r\n", "", "404 ", AVITO_AGAIN},
    {"HEAD / HTTP/1.1\r\n" HOST "\r\n", "", "404 ", AVITO_AGAIN},
    {"M-SEARCH " PATH " HTTP/1.1\r\n" HOST "\r\n", "", "405 ", AVITO_AGAIN},
    {"POST " PATH "? HTTP/1.1\r\n" HOST "\r\n", "", "404 ", AVITO_AGAIN},
    {"POST " PATH "/ HTTP/1.1\r\n" HOST "\r\n", "", "404 ", AVITO_AGAIN},
    {"POST http://bot.example" PATH " HTTP/1.1\r\n" HOST "\r\n", "", "404 ", AVITO_AGAIN},
    {"POST / HTTP/1.1\r\n" HOST LENGTH8 "Expect: 100-continue\r\n\r\n", "", "404- ", AVITO_AGAIN},
    {"PUT " PATH " HTTP/1.1\r\n" HOST LENGTH8 "Expect: 100-continue\r\n\r\n" EVENT, "", "405- ",
     AVITO_AGAIN},
    {"GET " PATH " HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n", "", "405 ", AVITO_AGAIN},
};

static void test_other_paths_and_methods(void **state)
{
    (void)state;
    CHECK_ROWS(other);
}

/* The secret: every byte counts, and every wrong one gives the same answer. */
static void test_secret(void **state)
{
    char text[256];
    const size_t at = strlen("POST "), len = strlen(PATH);

    (void)state;
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            char wrong = (char)(PATH[i] ^ (1 << bit));
            if (wrong <= ' ' || wrong >= 0x7f) {
                continue;
            }
            strcpy(text, GOOD);
            text[at + i] = wrong;
            struct outcome out = run_text(text);
            assert_string_equal(out.answers, "404 ");
            assert_string_equal(out.events, "");
        }
    }
    for (size_t cut = 1; cut < len; cut++) { /* a shorter one */
        snprintf(text, sizeof text, "POST %.*s HTTP/1.1\r\n" HOST LENGTH8 "\r\n" EVENT, (int)cut,
                 PATH);
        assert_string_equal(run_text(text).answers, "404 ");
    }
}

/* ---- requests that are refused ---- */

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
static const struct row bad[] = {
    /* request line */
    {"\n" GOOD, "", "400- ", AVITO_ERR_HTTP},
    {"\rP", "", "400- ", AVITO_ERR_HTTP},
    {" POST / HTTP/1.1\r\n", "", "400- ", AVITO_ERR_HTTP},
    {" " PATH " HTTP/1.1\r\n" HOST LENGTH8 "\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP},
    {"PO\x01T ", "", "400- ", AVITO_ERR_HTTP},
    {"POST\t" PATH, "", "400- ", AVITO_ERR_HTTP},
    {"(POST) ", "", "400- ", AVITO_ERR_HTTP},
    {"POST  " PATH, "", "400- ", AVITO_ERR_HTTP},
    {"POST  HTTP/1.1\r\n" HOST "\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST /\x7f HTTP/1.1\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST /\xd0\x96 HTTP/1.1\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST /\tHTTP/1.1\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST /\r\n\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST / \r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST /  HTTP/1.1\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST / a HTTP/1.1\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST / http/1.1\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST / HTTP/2.0\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST / HTTP/1.2\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST / HTTP/1.1 \r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST / HTTP/1.10\r\n", "", "400- ", AVITO_ERR_HTTP},
    {"POST / HTTP/1.1\n" HOST, "", "400- ", AVITO_ERR_HTTP},
    {"POST / HTTP/1.1\r" HOST, "", "400- ", AVITO_ERR_HTTP},
    {"\x16\x03\x01\x02", "", "400- ", AVITO_ERR_HTTP}, /* TLS */
    /* fields */
    {LINE LENGTH8 "\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP},
    {LINE HOST HOST, "", "400- ", AVITO_ERR_HTTP},
    {LINE " " HOST, "", "400- ", AVITO_ERR_HTTP},
    {LINE ": x\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host : x\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host\t: x\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Ho st: x\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "H\xc3\xb6st: x\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: x\n\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: x\ry\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: x\r\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: x\x01\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: a b/c@\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: a b\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: a/b\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: u@h\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: a,b\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: a?b\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: \xd1\x85\r\n", "", "400- ", AVITO_ERR_HTTP},
    {LINE "Host: x\x7f\r\n", "", "400- ", AVITO_ERR_HTTP},
    {POST "A: b\r\n c\r\n\r\n", "", "400- ", AVITO_ERR_HTTP},
    {POST "A: b\r\n\tc\r\n\r\n", "", "400- ", AVITO_ERR_HTTP},
    {POST "\n", "", "400- ", AVITO_ERR_HTTP},
    {POST "\rx", "", "400- ", AVITO_ERR_HTTP},
    {POST "X-Avito-Messenger-Signature: a\r\nX-Avito-Messenger-Signature: a\r\n\r\n", "", "400- ",
     AVITO_ERR_HTTP},
    /* lengths */
    {POST LENGTH8 LENGTH8 "\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST LENGTH8 "Content-Length: 9\r\n\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Content-Length:\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Content-Length: \t \r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Content-Length: +8\r\n\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Content-Length: -8\r\n\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Content-Length: 8, 8\r\n\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Content-Length: 8 8\r\n\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Content-Length: 0x8\r\n\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Content-Length: 8.0\r\n\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Content-Length: 8\xc2\xa0\r\n\r\n" EVENT, "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST LENGTH8 "Transfer-Encoding: chunked\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: chunked\r\n" LENGTH8 "\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {"POST " PATH " HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "", "400- ",
     AVITO_ERR_HTTP_LENGTH},
    {POST "Content-Length: 65\r\n\r\n", "", "413- ", AVITO_ERR_ROOM},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 65\r\n\r\n", "", "413- ", AVITO_ERR_ROOM},
    {POST "Content-Length: 4294967304\r\n\r\n" EVENT, "", "413- ", AVITO_ERR_ROOM},
    {POST "Content-Length: 18446744073709551624\r\n\r\n" EVENT, "", "413- ", AVITO_ERR_ROOM},
    {POST "Content-Length: 99999999999999999999999999999999999\r\n\r\n", "", "413- ",
     AVITO_ERR_ROOM},
    {POST "Content-Length: " ZEROS ZEROS ZEROS "8\r\n\r\n" EVENT, "", "413- ",
     AVITO_ERR_ROOM}, /* cut */
    {POST "Expect: 100-continue\r\nContent-Length: 65\r\n\r\n", "", "413- ", AVITO_ERR_ROOM},
    /* codings */
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: chunked, chunked\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: chunked,\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: ,chunked\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: chunkedd\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: chunked                                                              "
          "     x\r\n\r\n",
     "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: chunke\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: chun ked\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: identity\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding:\r\n\r\n", "", "400- ", AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "", "400- ",
     AVITO_ERR_HTTP_LENGTH},
    {POST "Transfer-Encoding: chunked\r\n\r\ng\r\n", "", "400- ", AVITO_ERR_HTTP_CHUNK},
    {POST "Transfer-Encoding: chunked\r\n\r\n8\n", "", "400- ", AVITO_ERR_HTTP_CHUNK},
    {POST "Transfer-Encoding: chunked\r\n\r\n8  \r\n", "", "400- ", AVITO_ERR_HTTP_CHUNK},
    {POST "Transfer-Encoding: chunked\r\n\r\n8 ;a=b\r\n", "", "400- ", AVITO_ERR_HTTP_CHUNK},
    {POST "Transfer-Encoding: chunked\r\n\r\n8\r\n" EVENT "0\r\n", "", "400- ",
     AVITO_ERR_HTTP_CHUNK},
    /* after one that was right */
    {GOOD "GET\r\n", "<" EVENT ">", "200 400- ", AVITO_ERR_HTTP},
    {GOOD "\n", "<" EVENT ">", "200 400- ", AVITO_ERR_HTTP},
    {POST "Content-Length: 7\r\n\r\n" EVENT, "<{\"id\":1>", "200 400- ", AVITO_ERR_HTTP},
};

static void test_bad_requests(void **state)
{
    (void)state;
    CHECK_ROWS(bad);
}

/* One odd byte in each place of the head. It is either harmless or refused, and never skipped. */
static void test_every_byte_in_every_place(void **state)
{
    static const char before[] = POST "Ab: c";
    static const char marks[] = "!#$%&'*+-.^_`|~";
    char text[256];

    (void)state;
    for (int c = 0; c < 256; c++) {
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool token = alnum || (c > 0 && strchr(marks, c) != NULL);
        bool legal[4];
        size_t at[4];

        at[0] = 1;                     /* method */
        at[1] = 6;                     /* target */
        at[2] = sizeof before - 1 - 4; /* name */
        at[3] = sizeof before - 1;     /* value */
        legal[0] = token || c == ' ';
        legal[1] = c >= ' ' && c < 0x7f;
        legal[2] = token || c == ':';
        legal[3] = c == '\t' || (c >= ' ' && c != 0x7f);
        for (int i = 0; i < 4; i++) {
            avito_webhook_options o = options_for_test();
            avito_webhook w;
            size_t used;

            memcpy(text, before, sizeof before);
            text[at[i]] = (char)c;
            assert_int_equal(avito_webhook_init(&w, &o, 0), AVITO_OK);
            /* up to and with the odd byte */
            int result = avito_webhook_receive(&w, text, at[i] + 1, &used, 0);
            if (c == '\r' && i == 3) {
                assert_int_equal(result, AVITO_AGAIN);
                continue;
            }
            assert_int_equal(result, legal[i] ? AVITO_AGAIN : AVITO_ERR_HTTP);
            assert_int_equal(used, at[i] + 1);
        }
    }
    struct outcome out;
    avito_webhook_options o = options_for_test();
    memcpy(text, POST "A: \0\r\n", sizeof(POST "A: \0\r\n"));
    out = run_all(&o, text, sizeof(POST "A: \0\r\n") - 1);
    assert_string_equal(out.answers, "400- ");
}

/* ---- limits ---- */

/* A head of exactly 8192 bytes passes, in one line or in many; one more does not. */
static void test_head_limit(void **state)
{
    static char text[16384];
    const size_t fixed = strlen(POST LENGTH8 "\r\n");
    avito_webhook_options o = options_for_test();

    (void)state;
    for (int over = 0; over <= 1; over++) {
        for (size_t line = 8; line <= 8192; line *= 32) {
            size_t left = HEAD_MAX - fixed + (size_t)over;

            strcpy(text, POST LENGTH8);
            while (left > 0) {
                size_t n = left < 2 * line ? left : line;
                char *at = text + strlen(text);
                memset(at, 'x', n);
                memcpy(at + 1, ":", 1);
                strcpy(at + n - 2, "\r\n");
                left -= n;
            }
            strcat(text, "\r\n" EVENT);
            struct outcome out = run_all(&o, text, strlen(text));
            assert_string_equal(out.answers, over ? "431- " : "200 ");
            assert_int_equal(out.result, over ? AVITO_ERR_HTTP_HEAD : AVITO_AGAIN);
            memmove(text + sizeof GOOD - 1, text, strlen(text) + 1);
            memcpy(text, GOOD, sizeof GOOD - 1); /* counted anew for each request */
            out = run_all(&o, text, strlen(text));
            assert_string_equal(out.answers, over ? "200 431- " : "200 200 ");
        }
        /* target, name and empty lines count too */
        memset(text, 'x', sizeof text);
        memcpy(text, "POST /", 6);
        struct outcome out = run_all(&o, text, HEAD_MAX + (size_t)over);
        assert_string_equal(out.answers, over ? "431- " : "");
        for (size_t i = 0; i < sizeof text; i++) {
            text[i] = i % 2 == 0 ? '\r' : '\n';
        }
        out = run_all(&o, text, HEAD_MAX + (size_t)over);
        assert_string_equal(out.answers, over ? "431- " : "");
    }
}

static void test_signature_limit(void **state)
{
    char text[1024], expected[512];

    (void)state;
    for (unsigned len = 126; len <= 128; len++) {
        char value[129];
        memset(value, 's', len);
        value[len] = '\0';
        snprintf(text, sizeof text, POST LENGTH8 "X-Avito-Messenger-Signature: %s\r\n\r\n" EVENT,
                 value);
        snprintf(expected, sizeof expected, "<" EVENT ">(%s)", value);
        struct outcome out = run_text(text);
        assert_string_equal(out.events, len < AVITO_WEBHOOK_SIGNATURE_ROOM ? expected : "");
        assert_string_equal(out.answers, len < AVITO_WEBHOOK_SIGNATURE_ROOM ? "200 " : "431- ");
    }
}

/* The size formula is exact: a body of the greatest length passes, by length and by chunks. */
static void test_buffer_size(void **state)
{
    static const char body[] = "[12345678901234567890]";
    const size_t need = sizeof body - 1;
    char text[512];

    (void)state;
    for (size_t longest = need - 1; longest <= need + 1; longest++) {
        struct guard room = guard_end(AVITO_WEBHOOK_SIZE(longest));
        avito_webhook_options o = options_for_test();

        o.buffer = room.data;
        o.buffer_cap = room.size;
        for (int chunked = 0; chunked <= 1; chunked++) {
            if (chunked) {
                snprintf(text, sizeof text,
                         POST "Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n%zx\r\n%s\r\n0\r\n\r\n",
                         need - 1, body + 1);
            } else {
                snprintf(text, sizeof text, POST "Content-Length: %zu\r\n\r\n%s", need, body);
            }
            struct outcome out = run_all(&o, text, strlen(text));
            assert_string_equal(out.answers, longest < need ? "413- " : "200 ");
            assert_int_equal(out.result, longest < need ? AVITO_ERR_ROOM : AVITO_AGAIN);
        }
        guard_free(&room);
    }
}

static void test_options(void **state)
{
    avito_webhook_options o = options_for_test();
    avito_webhook w;
    char path[1100];

    (void)state;
    assert_int_equal(avito_webhook_init(&w, &o, 0), AVITO_OK);
    assert_int_equal(w.o.request_timeout_ms, 10000);
    assert_int_equal(w.o.idle_timeout_ms, 60000);
    assert_int_equal(avito_webhook_status(&w), 0);
    o.buffer_cap = AVITO_WEBHOOK_SIZE(0);
    assert_int_equal(avito_webhook_init(&w, &o, 0), AVITO_ERR_ROOM);
    o.buffer_cap = AVITO_WEBHOOK_SIZE(1);
    assert_int_equal(avito_webhook_init(&w, &o, 0), AVITO_OK);
    o.buffer = NULL;
    assert_int_equal(avito_webhook_init(&w, &o, 0), AVITO_ERR_ROOM);
    static const char *const wrong[] = {NULL,   "",     "hook",      "/a b", "/a?b",
                                        "/a#b", "/a\n", "/\xd0\x96", "/\x7f"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        o = options_for_test();
        o.path = wrong[i];
        assert_int_equal(avito_webhook_init(&w, &o, 0), AVITO_ERR_ARGUMENT);
    }
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[1024] = '\0';
    o.path = path;
    assert_int_equal(avito_webhook_init(&w, &o, 0), AVITO_OK);
    path[1024] = 'x';
    path[1025] = '\0';
    assert_int_equal(avito_webhook_init(&w, &o, 0), AVITO_ERR_ARGUMENT);
}

/* ---- the order of things ---- */

static avito_webhook hook; /* the connection of the tests from here on */
static size_t taken;       /* of what was received last */

static void begin(const avito_webhook_options *o, uint32_t now_ms)
{
    memset(&hook, 0x5a, sizeof hook);
    assert_int_equal(avito_webhook_init(&hook, o, now_ms), AVITO_OK);
}

/* 0: the default time. */
static void begin_with_times(uint32_t request_ms, uint32_t idle_ms, uint32_t now_ms)
{
    avito_webhook_options o = options_for_test();

    o.request_timeout_ms = request_ms;
    o.idle_timeout_ms = idle_ms;
    begin(&o, now_ms);
}

static int receive_bytes(const char *data, size_t len, uint32_t now_ms)
{
    taken = 99999;
    return avito_webhook_receive(&hook, data, len, &taken, now_ms);
}

static int receive(const char *text, uint32_t now_ms)
{
    return receive_bytes(text, strlen(text), now_ms);
}

/* The answer is there before the body is handled, the body stays until done(), and until then and
 * until the answer is out no further byte is taken. */
static void test_acknowledge_first(void **state)
{
    size_t len;

    (void)state;
    begin_with_times(0, 0, 0);
    assert_int_equal(receive(GOOD GOOD, 0), AVITO_OK);
    assert_int_equal(taken, strlen(GOOD));
    assert_int_equal(avito_webhook_status(&hook), 200);
    const char *answer = avito_webhook_output(&hook, &len);
    assert_int_equal(len, strlen("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"));
    assert_memory_equal(answer, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", len);

    assert_int_equal(avito_webhook_wants(&hook), AVITO_WANT_WRITE);
    assert_int_equal(receive(GOOD, 0), AVITO_AGAIN);
    assert_int_equal(taken, 0);
    avito_webhook_sent(&hook, 10, 0);
    assert_memory_equal(avito_webhook_output(&hook, &len), "00 \r\n", 5);
    avito_webhook_sent(&hook, len, 0);

    assert_int_equal(avito_webhook_wants(&hook), 0);
    assert_false(avito_webhook_finished(&hook));
    assert_int_equal(avito_webhook_deadline_ms(&hook, 999999), UINT32_MAX);
    assert_int_equal(receive(GOOD, 999999), AVITO_AGAIN);
    assert_int_equal(taken, 0);
    assert_memory_equal(avito_webhook_body(&hook, &len), EVENT, strlen(EVENT));

    avito_webhook_done(&hook, 999999);
    assert_int_equal(avito_webhook_wants(&hook), AVITO_WANT_READ);
    assert_int_equal(receive(GOOD, 999999), AVITO_OK);
    /* done before the answer is out is fine too */
    avito_webhook_done(&hook, 999999);
    assert_int_equal(receive(GOOD, 999999), AVITO_AGAIN);
    assert_int_equal(taken, 0);
}

/* With "Connection: close" the event is still there after everything was sent. */
static void test_event_outlives_the_connection(void **state)
{
    size_t len;

    (void)state;
    begin_with_times(0, 0, 0);
    assert_int_equal(receive("POST " PATH " HTTP/1.0\r\n" LENGTH8 "\r\n" EVENT, 0), AVITO_OK);
    assert_false(avito_webhook_finished(&hook));
    avito_webhook_sent(&hook, 1000, 0);
    assert_true(avito_webhook_finished(&hook));
    assert_memory_equal(avito_webhook_body(&hook, &len), EVENT, strlen(EVENT));
    avito_webhook_done(&hook, 0);
    assert_true(avito_webhook_finished(&hook));
    assert_int_equal(receive(GOOD, 0), AVITO_AGAIN);
    assert_int_equal(taken, 0);
}

/* The program is done with the event before its answer is out: this gives the answer no more
 * time. */
static void test_done_before_the_answer_is_out(void **state)
{
    size_t len;

    (void)state;
    begin_with_times(1000, 0, 0);
    assert_int_equal(receive(GOOD, 100), AVITO_OK);
    avito_webhook_done(&hook, 600);
    assert_null(avito_webhook_body(&hook, &len));
    assert_int_equal(avito_webhook_deadline_ms(&hook, 600), 500);
    avito_webhook_sent(&hook, 1000, 700);
    assert_int_equal(avito_webhook_wants(&hook), AVITO_WANT_READ);
}

/* 100 is no answer yet, and has no fields. */
static void test_continue(void **state)
{
    size_t len;

    (void)state;
    begin_with_times(0, 0, 0);
    assert_int_equal(receive(POST "Expect: 100-continue\r\n" LENGTH8 "\r\n" EVENT, 0), AVITO_AGAIN);
    assert_int_equal(taken, strlen(POST "Expect: 100-continue\r\n" LENGTH8 "\r\n"));
    const char *answer = avito_webhook_output(&hook, &len);
    assert_int_equal(len, strlen("HTTP/1.1 100 \r\n\r\n"));
    assert_memory_equal(answer, "HTTP/1.1 100 \r\n\r\n", len);
    assert_int_equal(avito_webhook_status(&hook), 0);
    avito_webhook_sent(&hook, len, 0);
    assert_int_equal(receive(EVENT, 0), AVITO_OK);
    assert_int_equal(avito_webhook_status(&hook), 200);
}

/* With a NUL after the braces the body is no probe. */
static void test_probe_with_nul(void **state)
{
    static const char text[] = POST "Content-Length: 3\r\n\r\n{}";
    avito_webhook_options o = options_for_test();

    (void)state;
    struct outcome out = run_all(&o, text, sizeof text);
    assert_string_equal(out.events, "<{}>"); /* as far as printf shows it */
    assert_string_equal(out.answers, "200 ");
}

static void test_longest_answer(void **state)
{
    static const char wanted[] =
        "HTTP/1.1 405 \r\nContent-Length: 0\r\nAllow: POST\r\nConnection: close\r\n\r\n";
    size_t len;

    (void)state;
    begin_with_times(0, 0, 0);
    assert_int_equal(receive("GET " PATH " HTTP/1.0\r\n\r\n", 0), AVITO_AGAIN);
    const char *answer = avito_webhook_output(&hook, &len);
    assert_int_equal(len, sizeof hook.priv.out);
    assert_int_equal(len, sizeof wanted - 1);
    assert_memory_equal(answer, wanted, len);
}

static void test_no_bytes_change_nothing(void **state)
{
    (void)state;
    begin_with_times(0, 0, 0);
    for (size_t i = 0; i < strlen(GOOD); i++) {
        assert_int_equal(receive_bytes(NULL, 0, 0), AVITO_AGAIN);
        assert_int_equal(taken, 0);
        int result = receive_bytes(GOOD + i, 1, 0);
        assert_int_equal(result, i + 1 < strlen(GOOD) ? AVITO_AGAIN : AVITO_OK);
    }
}

/* ---- time ---- */

static void test_idle_connection_is_closed(void **state)
{
    const uint32_t start = UINT32_MAX - 500;

    (void)state;
    begin_with_times(0, 1000, start);
    assert_int_equal(avito_webhook_deadline_ms(&hook, start), 1000);
    assert_int_equal(avito_webhook_deadline_ms(&hook, start + 999), 1);
    assert_int_equal(receive_bytes(NULL, 0, start + 999), AVITO_AGAIN);
    assert_int_equal(avito_webhook_deadline_ms(&hook, start + 1000), 0);
    assert_int_equal(avito_webhook_deadline_ms(&hook, start + 5000), 0);
    assert_int_equal(receive(GOOD, start + 1000), AVITO_ERR_TIMEOUT_IDLE);
    assert_int_equal(taken, 0);
    assert_true(avito_webhook_finished(&hook));
    assert_int_equal(avito_webhook_wants(&hook), 0);
    assert_int_equal(avito_webhook_deadline_ms(&hook, start + 1000), UINT32_MAX);
    assert_int_equal(receive(GOOD, start + 1000), AVITO_ERR_TIMEOUT_IDLE);
}

/* A byte now and then does not prolong it: the whole request has one deadline. */
static void test_slow_sender(void **state)
{
    size_t len;
    const size_t body_at = strlen(GOOD) - strlen(EVENT);

    (void)state;
    for (size_t stop = 1; stop < strlen(GOOD); stop += stop < body_at ? 13 : 1) {
        uint32_t now = UINT32_MAX - 30;

        begin_with_times(1000, 0, now);
        now += 500; /* waiting for the first byte does not count */
        for (size_t i = 0; i < stop; i++) {
            assert_int_equal(receive_bytes(GOOD + i, 1, now + (uint32_t)i), AVITO_AGAIN);
            assert_int_equal(avito_webhook_deadline_ms(&hook, now + (uint32_t)i), 1000 - i);
        }
        assert_int_equal(avito_webhook_deadline_ms(&hook, now + 999), 1);
        assert_int_equal(receive_bytes("", 0, now + 1000), AVITO_ERR_TIMEOUT_TOTAL);
        assert_int_equal(avito_webhook_status(&hook), 408);
        assert_non_null(avito_webhook_output(&hook, &len));
        assert_int_equal(avito_webhook_deadline_ms(&hook, now + 1000), 1000);
        avito_webhook_sent(&hook, len, now + 1001);
        assert_true(avito_webhook_finished(&hook));
    }
}

/* An answer that nobody takes is dropped at its deadline; the event stays. */
static void test_slow_reader(void **state)
{
    size_t len;

    (void)state;
    begin_with_times(1000, 0, 0);
    assert_int_equal(receive_bytes(GOOD, 20, 100), AVITO_AGAIN);
    assert_int_equal(receive(&GOOD[20], 600), AVITO_OK);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 600), 1000); /* its own time */
    avito_webhook_sent(&hook, 1, 700);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 700), 900);
    avito_webhook_sent(&hook, 4, 1500);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 1500), 100);
    assert_int_equal(receive_bytes(NULL, 0, 1600), AVITO_ERR_TIMEOUT_TOTAL);
    assert_null(avito_webhook_output(&hook, &len));
    assert_true(avito_webhook_finished(&hook));
    assert_non_null(avito_webhook_body(&hook, &len));
    avito_webhook_done(&hook, 5000);
    assert_true(avito_webhook_finished(&hook));
}

/* A refused request keeps its own error, even if nobody reads the refusal. */
static void test_slow_reader_of_a_refusal(void **state)
{
    (void)state;
    begin_with_times(1000, 0, 0);
    assert_int_equal(receive("POST", 5), AVITO_AGAIN);
    assert_int_equal(receive("\n", 705), AVITO_ERR_HTTP);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 705), 1000);
    assert_int_equal(receive_bytes(NULL, 0, 1705), AVITO_ERR_HTTP);
    assert_true(avito_webhook_finished(&hook));
}

static void test_idle_time_starts_again(void **state)
{
    (void)state;
    begin_with_times(300, 1000, 0);
    assert_int_equal(receive(GOOD, 900), AVITO_OK);
    avito_webhook_sent(&hook, 1000, 1000);
    avito_webhook_done(&hook, 70000); /* handling took its time */
    assert_int_equal(avito_webhook_deadline_ms(&hook, 70000), 1000);
    assert_int_equal(receive(POST "\r\n", 70500), AVITO_AGAIN);
    avito_webhook_sent(&hook, 1000, 70700);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 70700), 1000);
    /* 100-continue does not stretch the request's time */
    assert_int_equal(receive(POST "Expect: 100-continue\r\n" LENGTH8 "\r\n", 71000), AVITO_AGAIN);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 71100), 200);
    avito_webhook_sent(&hook, 1000, 71200);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 71200), 100);
    assert_int_equal(receive(EVENT, 71299), AVITO_OK);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 71299), 300);
}

/* An empty line after a request is no request that is late, takes no time from the next one, and gives
 * the peer none. */
static void test_empty_line_after_a_request(void **state)
{
    (void)state;
    begin_with_times(300, 1000, 0);
    assert_int_equal(receive(GOOD, 100), AVITO_OK);
    avito_webhook_sent(&hook, 1000, 100);
    avito_webhook_done(&hook, 100);
    assert_int_equal(receive("\r\n", 200), AVITO_AGAIN);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 200), 900);
    assert_int_equal(receive(POST LENGTH8 "\r\n", 600), AVITO_AGAIN);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 600), 300);
    assert_int_equal(receive(EVENT, 800), AVITO_OK);
}

/* Nor do many of them keep a connection open on which no request comes, also where one ends in its middle. */
static void test_empty_lines_and_nothing_else(void **state)
{
    (void)state;
    begin_with_times(300, 1000, UINT32_MAX - 500);
    for (uint32_t ms = 0; ms < 1000; ms++) {
        assert_int_equal(avito_webhook_deadline_ms(&hook, UINT32_MAX - 500 + ms), 1000 - ms);
        assert_int_equal(receive_bytes(&"\r\n"[ms % 2], 1, UINT32_MAX - 500 + ms), AVITO_AGAIN);
    }
    assert_int_equal(receive("\r", UINT32_MAX - 500 + 1000), AVITO_ERR_TIMEOUT_IDLE);
    assert_true(avito_webhook_finished(&hook));
    begin_with_times(300, 1000, 0);
    assert_int_equal(receive("\r", 900), AVITO_AGAIN);
    assert_int_equal(receive("", 1000), AVITO_ERR_TIMEOUT_IDLE);
    assert_int_equal(avito_webhook_status(&hook), 0);
    begin_with_times(300, 1000, 0);
    assert_int_equal(receive("\rP", 900), AVITO_ERR_HTTP); /* its answer has a time of its own */
    assert_int_equal(avito_webhook_deadline_ms(&hook, 900), 300);
}

/* Calls of sent() with no byte and of done() with no event give nobody more time. */
static void test_done_and_sent_without_need(void **state)
{
    (void)state;
    begin_with_times(300, 1000, 0);
    avito_webhook_sent(&hook, 0, 500);
    avito_webhook_done(&hook, 500);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 500), 500);
    assert_int_equal(receive(POST LENGTH8, 600), AVITO_AGAIN);
    avito_webhook_sent(&hook, 0, 700);
    avito_webhook_done(&hook, 700);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 700), 200);
    assert_int_equal(receive("\r\n" EVENT, 800), AVITO_OK);
    avito_webhook_sent(&hook, 1000, 800);
    avito_webhook_done(&hook, 800);
    avito_webhook_done(&hook, 1700);
    assert_int_equal(avito_webhook_deadline_ms(&hook, 1700), 100);
}

/* ---- the verifier ---- */

static int verify(void *ctx, const void *body, size_t len, avito_str signature)
{
    struct verifier *v = (struct verifier *)ctx;

    v->calls++;
    snprintf(v->saw, sizeof v->saw, "<%.*s>(%s)", (int)len, (const char *)body,
             signature.ptr == NULL ? "none" : signature.ptr);
    return v->result;
}

static void test_verifier(void **state)
{
    struct verifier v = {.result = AVITO_OK};
    avito_webhook_options o = options_for_test();
    static const char signed_text[] = POST LENGTH8 "X-Avito-Messenger-Signature: 5ig\r\n\r\n" EVENT;

    (void)state;
    o.verify = verify;
    o.ctx = &v;
    struct outcome out = run_all(&o, signed_text, strlen(signed_text));
    assert_string_equal(out.answers, "200 ");
    assert_string_equal(out.events, "<" EVENT ">(5ig)");
    assert_string_equal(v.saw, "<" EVENT ">(5ig)");
    out = run_all(&o, GOOD, strlen(GOOD));
    assert_string_equal(out.answers, "200 ");
    assert_string_equal(v.saw, "<" EVENT ">(none)");

    static const int refusals[] = {AVITO_ERR_HOOK, AVITO_AGAIN, AVITO_END, 7};
    for (size_t i = 0; i < 4; i++) {
        v.result = refusals[i];
        out = run_all(&o, signed_text, strlen(signed_text));
        assert_string_equal(out.answers, "403- ");
        assert_string_equal(out.events, "");
        assert_int_equal(out.result, AVITO_ERR_HOOK);

        size_t len;
        begin(&o, 0);
        assert_int_equal(receive(GOOD, 0), AVITO_ERR_HOOK);
        assert_null(avito_webhook_body(&hook, &len));
    }
    /* not asked about a request that is no notification */
    v.calls = 0;
    out = run_all(&o, POST "\r\n", strlen(POST "\r\n"));
    assert_string_equal(out.answers, "200 ");
    out = run_all(&o, "POST / HTTP/1.1\r\n" HOST LENGTH8 "\r\n" EVENT,
                  strlen("POST / HTTP/1.1\r\n" HOST LENGTH8 "\r\n" EVENT));
    assert_string_equal(out.answers, "404 ");
    assert_int_equal(v.calls, 0);
}

/* ---- the event, decoded ---- */

#define MESSAGE                                                                                    \
    "{\"id\":\"e1\",\"version\":\"v3.0.0\",\"timestamp\":1754916287,\"payload\":{\"type\":"        \
    "\"message\","                                                                                 \
    "\"value\":{\"id\":\"m1\",\"chat_id\":\"u2i-a~b\",\"user_id\":350000001,\"author_id\":"        \
    "120000001,"                                                                                   \
    "\"created\":1754916284,\"type\":\"text\",\"chat_type\":\"u2i\",\"content\":{\"text\":"        \
    "\"hello\"},"                                                                                  \
    "\"item_id\":7463793900}}}"

static void test_event(void **state)
{
    static char body[1024];
    static char memory[4096];
    char head[256];
    avito_webhook_options o = options_for_test();
    avito_arena arena = avito_arena_of(memory, sizeof memory);
    avito_event event;
    size_t needed = 0;

    (void)state;
    o.buffer = body;
    o.buffer_cap = sizeof body;
    begin(&o, 0);
    assert_int_equal(avito_webhook_event(&hook, &arena, &event, &needed), AVITO_ERR_IDLE);
    snprintf(head, sizeof head, POST "Content-Length: %zu\r\n\r\n", strlen(MESSAGE));
    assert_int_equal(receive(head, 0), AVITO_AGAIN);
    assert_int_equal(receive(MESSAGE, 0), AVITO_OK);

    assert_int_equal(avito_webhook_event(&hook, &arena, &event, &needed), AVITO_OK);
    assert_non_null(event.message);
    assert_true(avito_str_equal(event.message->id, "m1"));
    assert_true(avito_str_equal(event.message->content.as.text, "hello"));
    memset(body, 'x', sizeof body); /* nothing points there */
    assert_true(avito_str_equal(event.message->chat_id, "u2i-a~b"));
    assert_int_equal(event.message->item_id, 7463793900);
    avito_webhook_done(&hook, 0);
    assert_int_equal(avito_webhook_event(&hook, &arena, &event, &needed), AVITO_ERR_IDLE);

    /* a body that is not JSON has been acknowledged too, and the error comes here */
    avito_webhook_sent(&hook, 1000, 0);
    assert_int_equal(receive(POST "Content-Length: 3\r\n\r\n{]}", 0), AVITO_OK);
    assert_int_equal(avito_webhook_event(&hook, &arena, &event, &needed), AVITO_ERR_JSON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_requests),
        cmocka_unit_test(test_other_paths_and_methods),
        cmocka_unit_test(test_secret),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_every_byte_in_every_place),
        cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_signature_limit),
        cmocka_unit_test(test_buffer_size),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_acknowledge_first),
        cmocka_unit_test(test_event_outlives_the_connection),
        cmocka_unit_test(test_done_before_the_answer_is_out),
        cmocka_unit_test(test_continue),
        cmocka_unit_test(test_probe_with_nul),
        cmocka_unit_test(test_longest_answer),
        cmocka_unit_test(test_no_bytes_change_nothing),
        cmocka_unit_test(test_idle_connection_is_closed),
        cmocka_unit_test(test_slow_sender),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_slow_reader_of_a_refusal),
        cmocka_unit_test(test_idle_time_starts_again),
        cmocka_unit_test(test_empty_line_after_a_request),
        cmocka_unit_test(test_empty_lines_and_nothing_else),
        cmocka_unit_test(test_done_and_sent_without_need),
        cmocka_unit_test(test_verifier),
        cmocka_unit_test(test_event),
    };
    return cmocka_run_group_tests_name("webhook receiver", tests, set_up, tear_down);
}
