/*
 * The request writer: a request is a pure function of the call's arguments, so it is the same in
 * windows of any size, and the counting pass finds its length. Also which bytes are escaped.
 * Rooms: WRITER, ENDPOINTS, REQUEST.
 */
#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/inside.h"

static char whole[4096];

static struct avitoi_writer writer(char *out, size_t cap, uint32_t skip)
{
    struct avitoi_writer w;

    memset(&w, 0, sizeof w);
    w.out = out;
    w.cap = cap;
    w.skip = skip;
    return w;
}

/* ---- one piece of text ---- */

static void test_percent(void **state)
{
    static const char plain[] =
        "-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    (void)state;
    for (int c = 1; c < 256; c++) {
        const char text[2] = {(char)c, '\0'};
        char expected[8];
        struct avitoi_writer w = writer(whole, sizeof whole, 0);
        (void)snprintf(expected, sizeof expected, strchr(plain, c) != NULL ? "%c" : "%%%02X", c);
        avitoi_write_percent(&w, text);
        assert_int_equal(w.len, strlen(expected));
        assert_memory_equal(whole, expected, w.len);
    }
}

static void test_json_strings(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        const char text[4] = {'a', (char)c, 'z', '\0'};
        char expected[16];
        struct avitoi_writer w = writer(whole, sizeof whole, 0);
        (void)snprintf(expected, sizeof expected,
                       c == '"' || c == '\\' ? "\"a\\%cz\""
                       : c < ' '             ? "\"a\\u%04Xz\""
                                             : "\"a%cz\"",
                       c);
        avitoi_write_json(&w, avitoi_text_of(text));
        assert_int_equal(w.len, strlen(expected));
        assert_memory_equal(whole, expected, w.len);
    }
}

static void test_integers(void **state)
{
    static const int64_t values[] = {0, 1, -1, 10, INT64_MAX, INT64_MIN};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char expected[32];
        struct avitoi_writer w = writer(whole, sizeof whole, 0);
        (void)snprintf(expected, sizeof expected, "%lld", (long long)values[i]);
        avitoi_write_int(&w, values[i]);
        assert_int_equal(w.len, strlen(expected));
        assert_memory_equal(whole, expected, w.len);
    }
}

/* ---- the whole of a request, in windows of every size ---- */

/* A source that gives the bytes of a counter, at most three at once. */
static long count_up(void *ctx, size_t offset, void *buf, size_t cap)
{
    size_t i, n = cap < 3 ? cap : 3;

    (void)ctx;
    for (i = 0; i < n; i++) {
        ((char *)buf)[i] = (char)('a' + (offset + i) % 26);
    }
    return (long)n;
}

static void prepare(struct lane *l, const struct avitoi_endpoint *call)
{
    static char access[] = LANE_TOKEN;

    assert_int_equal(
        avitoi_client_prepare(&l->client, call, 350000001, "u2i-~a/b", "text \"\xd0\x96\"\n"),
        AVITO_ERR_ID);
    assert_int_equal(
        avitoi_client_prepare(&l->client, call, 350000001, "u2i-~a?b", "text \"\xd0\x96\"\n"),
        AVITO_OK);
    l->client.priv.access = access;
    l->client.priv.access_len = (uint16_t)strlen(access);
}

/* Compares every window with the whole. */
static void in_pieces(struct lane *l)
{
    struct avitoi_writer all;
    const char *body;

    all = writer(whole, sizeof whole - 1, 0);
    avitoi_request_write(&all, &l->client);
    whole[all.len] = '\0';
    assert_int_equal(all.len, all.total);
    assert_false(all.failed);
    body = strstr(whole, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(avitoi_request_measure_body(&l->client), all.len - (size_t)(body + 4 - whole));
    for (size_t cap = 1; cap <= 70; cap++) {
        for (uint32_t skip = 0; skip < all.total; skip++) {
            char piece[70];
            struct avitoi_writer w = writer(piece, cap, skip);
            const size_t due = all.total - skip < cap ? all.total - skip : cap;
            avitoi_request_write(&w, &l->client);
            assert_int_equal(w.len, due);
            assert_int_equal(w.total, all.total);
            assert_memory_equal(piece, whole + skip, due);
        }
    }
}

static void test_windows_of_every_size(void **state)
{
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    prepare(&l, &avitoi_endpoint_send_message);
    in_pieces(&l);
    assert_non_null(strstr(
        whole, "POST /messenger/v1/accounts/350000001/chats/u2i-~a%3Fb/messages HTTP/1.1\r\n"));
    assert_non_null(strstr(
        whole, "{\"message\":{\"text\":\"text \\\"\xd0\x96\\\"\\u000A\"},\"type\":\"text\"}"));
    lane_free(&l);
}

static void test_uploads_in_windows_of_every_size(void **state)
{
    avito_image_source *source;
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    assert_int_equal(avitoi_client_prepare(&l.client, &avitoi_endpoint_upload_image, 1, NULL, NULL),
                     AVITO_OK);
    source = &l.client.priv.args.as.upload;
    source->size = 100;
    source->read = count_up;
    source->file_name = "\xd0\x96 \"a\\b\".jpg";
    source->content_type = "image/jpeg";
    l.client.priv.access = "t";
    l.client.priv.access_len = 1;
    in_pieces(&l);
    assert_non_null(strstr(whole, "filename=\"\xd0\x96 %22a%5Cb%22.jpg\"\r\n"));
    assert_non_null(strstr(whole, "\r\n\r\nabcdefghijklmnopqrstuvwxyzabc"));
    lane_free(&l);
}

/* A file name could end its quotes, its line, or the head; a missing one is replaced by one with
 * the type's suffix. */
static void test_file_names(void **state)
{
    static const struct {
        const char *name, *type, *sent;
    } rows[] = {{"a\r\n\x01\x7f", "image/png", "a%0D%0A%01%7F"},
                {"\xf0\x9f\x90\xb1%41", NULL, "\xf0\x9f\x90\xb1%41"},
                {NULL, NULL, "image.jpg"},
                {NULL, "image/png", "image.png"},
                {NULL, "image/gif", "image.gif"},
                {NULL, "image/bmp", "image.bmp"},
                {NULL, "image/heic", "image.heic"},
                {NULL, "image/new", "image"},
                {NULL, "application/octet-stream", "image"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct avitoi_writer w = writer(whole, sizeof whole - 1, 0);
        avito_image_source *source;
        struct lane l;
        char line[100];

        lane_init(&l, 512);
        assert_int_equal(
            avitoi_client_prepare(&l.client, &avitoi_endpoint_upload_image, 1, NULL, NULL),
            AVITO_OK);
        l.client.priv.access = "t";
        l.client.priv.access_len = 1;
        source = &l.client.priv.args.as.upload;
        source->size = 1;
        source->data = "x";
        source->file_name = rows[i].name;
        source->content_type = rows[i].type;
        assert_int_equal(avitoi_send_check_upload(&l.account, &l.client.priv.args), AVITO_OK);
        avitoi_request_write(&w, &l.client);
        whole[w.len] = '\0';
        (void)snprintf(line, sizeof line, " filename=\"%s\"\r\n", rows[i].sent);
        assert_non_null(strstr(whole, line));
        lane_free(&l);
    }
}

static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        const char *line;
    } rows[] = {{"api.avito.ru", 443, "\r\nHost: api.avito.ru\r\n"},
                {"localhost", 8443, "\r\nHost: localhost:8443\r\n"},
                {"::1", 443, "\r\nHost: [::1]\r\n"},
                {"::1", 80, "\r\nHost: [::1]:80\r\n"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct avitoi_writer w = writer(whole, sizeof whole - 1, 0);
        struct lane l;
        lane_init(&l, 512);
        l.account_options.host = rows[i].host;
        l.account_options.port = rows[i].port;
        lane_again(&l, 512);
        prepare(&l, &avitoi_endpoint_get_chat);
        avitoi_request_write(&w, &l.client);
        whole[w.len] = '\0';
        assert_non_null(strstr(whole, rows[i].line));
        lane_free(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_windows_of_every_size),
        cmocka_unit_test(test_uploads_in_windows_of_every_size),
        cmocka_unit_test(test_file_names),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
