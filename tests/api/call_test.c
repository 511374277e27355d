/*
 * Calls over a scripted transport: what is sent, byte by byte; what is refused before a byte is
 * sent; deadlines, cancelling, kept connections, uploads, and what a failure says about a send.
 * Rooms: ENDPOINTS, REQUEST, EXCHANGE, CALL MACHINE, CLIENT AND CALLS, ERRORS, SENDING AND OTHER
 * CHANGES.
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
#include "support/calls.h"
#include "support/lane.h"

#define ALL                "HTTP/1.1\r\nHost: api.avito.ru\r\nAuthorization: Bearer " LANE_TOKEN "\r\n"
#define JSON               "Content-Type: application/json\r\n"
#define MESSENGER(version) "/messenger/" version "/accounts/350000001"

/* ---- what is sent ---- */

static int get_chats_filtered(struct lane *l)
{
    static const int64_t ids[] = {7463793001, 12};
    avito_chats_query q = {0};

    q.item_ids = ids;
    q.item_ids_count = 2;
    q.unread_only = true;
    q.chat_types = AVITO_CHAT_TYPE_U2I | AVITO_CHAT_TYPE_A2U;
    q.limit = 5;
    q.offset = 1000;
    return avito_get_chats(&l->client, USER, &q, &l->arena, &got.chats);
}

static int get_chats_repeated(struct lane *l)
{
    static const int64_t ids[] = {INT64_MAX, 1};
    avito_chats_query q = {0};

    q.item_ids = ids;
    q.item_ids_count = 2;
    q.repeat_item_ids = true;
    q.chat_types = AVITO_CHAT_TYPE_U2U;
    return avito_get_chats(&l->client, USER, &q, &l->arena, &got.chats);
}

static int get_chat_odd_id(struct lane *l)
{
    return avito_get_chat(&l->client, 1, "a?b#c%d\xd0\x96~&=+", &l->arena, &got.chat);
}

static int get_messages(struct lane *l)
{
    avito_messages_query q = {0};

    q.limit = 20;
    q.offset = 40;
    return avito_get_messages(&l->client, USER, CHAT, &q, &l->arena, &got.messages);
}

static int send_message(struct lane *l)
{
    return avito_send_message(&l->client, USER, CHAT,
                              "a\"b\\c/\n\t\x01\x1f \xd0\x96\xf0\x9f\x98\x80\x7f", &l->arena,
                              &got.message);
}

static int get_voices(struct lane *l)
{
    static const char *const ids[] = {"11-22", "a b"};

    return avito_get_voice_files(&l->client, USER, ids, 1, &l->arena, &got.voices);
}

static int get_two_voices(struct lane *l)
{
    static const char *const ids[] = {"11-22", "c&d"};

    return avito_get_voice_files(&l->client, USER, ids, 2, &l->arena, &got.voices);
}

static int subscribe(struct lane *l)
{
    return avito_subscribe_webhook(&l->client, "https://example.org/a?b=c&d=\"");
}

static int subscribe_in_the_clear(struct lane *l)
{
    return avito_subscribe_webhook(&l->client, "http://h/");
}

static int blacklist(struct lane *l)
{
    static const avito_blacklist_user users[] = {{94235311, 1853257996, AVITO_REASON_FRAUD},
                                                 {INT64_MAX, 0, AVITO_REASON_OTHER}};

    return avito_add_to_blacklist(&l->client, USER, users, 2);
}

static int upload(struct lane *l)
{
    static const avito_image_source source = {"JPEG\r\n--bytes", NULL,        NULL, 13,
                                              "photo.png",       "image/png", NULL};

    return avito_upload_image(&l->client, USER, &source, &l->arena, &got.image);
}

static int get_token(struct lane *l)
{
    return avito_get_token(&l->client, &got.token);
}

static int exchange_code(struct lane *l)
{
    return avito_exchange_code(&l->client, "code+of/22~chars", &got.token);
}

static const struct exchange {
    const char *request;
    int (*call)(struct lane *l);
    const char *answer; /* a good one */
} exchanges[] = {
    {"GET /core/v1/accounts/self " ALL "\r\n", get_self, "{\"id\":1}"},
    {"GET " MESSENGER("v2") "/chats?limit=100 " ALL "\r\n", get_chats, "{\"chats\":[]}"},
    {"GET " MESSENGER(
         "v2") "/chats?item_ids=7463793001,12&unread_only=true&chat_types=u2i,a2u&limit=5"
               "&offset=1000 " ALL "\r\n",
     get_chats_filtered, "{\"chats\":[]}"},
    {"GET " MESSENGER(
         "v2") "/chats?item_ids=9223372036854775807&item_ids=1&chat_types=u2u&limit=100 " ALL
               "\r\n",
     get_chats_repeated, "{\"chats\":[]}"},
    {"GET " MESSENGER("v2") "/chats/" CHAT " " ALL "\r\n", get_chat, "{\"id\":\"c\"}"},
    {"GET /messenger/v2/accounts/1/chats/a%3Fb%23c%25d%D0%96~%26%3D%2B " ALL "\r\n",
     get_chat_odd_id, "{\"id\":\"c\"}"},
    {"GET " MESSENGER("v3") "/chats/" CHAT "/messages/?limit=20&offset=40 " ALL "\r\n",
     get_messages, "[]"},
    {"POST " MESSENGER("v1") "/chats/" CHAT "/messages " ALL JSON "Content-Length: 77\r\n\r\n"
                             "{\"message\":{\"text\":\"a\\\"b\\\\c/\\u000A\\u0009\\u0001\\u001F "
                             "\xd0\x96\xf0\x9f\x98\x80\x7f\"},"
                             "\"type\":\"text\"}",
     send_message, "{\"id\":\"m\"}"},
    {"POST " MESSENGER("v1") "/chats/" CHAT "/messages/image " ALL JSON "Content-Length: 24\r\n\r\n"
                             "{\"image_id\":\"12345.abc\"}",
     send_image, "{\"id\":\"m\"}"},
    {"POST " MESSENGER("v1") "/chats/" CHAT "/messages/7c1e90ab " ALL "Content-Length: 0\r\n\r\n",
     delete_message, "{}"},
    {"POST " MESSENGER("v1") "/chats/" CHAT "/read " ALL "Content-Length: 0\r\n\r\n", mark_read,
     "{\"ok\":true}"},
    {"GET " MESSENGER("v1") "/getVoiceFiles?voice_ids=11-22 " ALL "\r\n", get_voices,
     "{\"voices_urls\":{}}"},
    {"GET " MESSENGER("v1") "/getVoiceFiles?voice_ids=11-22&voice_ids=c%26d " ALL "\r\n",
     get_two_voices, "{\"voices_urls\":{}}"},
    {"POST /messenger/v3/webhook " ALL JSON "Content-Length: 40\r\n\r\n"
     "{\"url\":\"https://example.org/a?b=c&d=\\\"\"}",
     subscribe, "{\"ok\":true}"},
    {"POST /messenger/v3/webhook " ALL JSON "Content-Length: 19\r\n\r\n{\"url\":\"http://h/\"}",
     subscribe_in_the_clear, "{\"ok\":true}"},
    {"POST /messenger/v1/webhook/unsubscribe " ALL JSON "Content-Length: 31\r\n\r\n"
     "{\"url\":\"https://example.org/a\"}",
     unsubscribe, "{\"ok\":true}"},
    {"POST /messenger/v1/subscriptions " ALL "Content-Length: 0\r\n\r\n", subscriptions,
     "{\"subscriptions\":[]}"},
    {"POST " MESSENGER("v2") "/blacklist " ALL JSON "Content-Length: 137\r\n\r\n"
                             "{\"users\":[{\"user_id\":94235311,\"context\":{\"item_id\":"
                             "1853257996,\"reason_id\":2}},"
                             "{\"user_id\":9223372036854775807,\"context\":{\"reason_id\":4}}]}",
     blacklist, ""},
    {"POST " MESSENGER("v1") "/uploadImages " ALL "Content-Type: multipart/form-data; "
                             "boundary=BOUNDARY\r\nContent-Length: LENGTH\r\n\r\n"
                             "--BOUNDARY\r\nContent-Disposition: form-data; name=\"uploadfile[]\"; "
                             "filename=\"photo.png\"\r\n"
                             "Content-Type: image/png\r\n\r\nJPEG\r\n--bytes\r\n--BOUNDARY--\r\n",
     upload, "{\"1.a\":{\"1x1\":\"https://x/\"}}"},
    {"POST /token HTTP/1.1\r\nHost: api.avito.ru\r\nContent-Type: "
     "application/x-www-form-urlencoded\r\n"
     "Content-Length: 106\r\n\r\ngrant_type=client_credentials&client_id=" LANE_ID
     "&client_secret=" LANE_SECRET,
     get_token, "{\"access_token\":\"t\",\"expires_in\":86400,\"token_type\":\"Bearer\"}"},
    {"POST /token HTTP/1.1\r\nHost: api.avito.ru\r\nContent-Type: "
     "application/x-www-form-urlencoded\r\n"
     "Content-Length: "
     "132\r\n\r\ngrant_type=authorization_code&code=code%2Bof%2F22~chars&client_id=" LANE_ID
     "&client_secret=" LANE_SECRET,
     exchange_code, "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"expires_in\":86400}"},
};
enum { EXCHANGES = sizeof exchanges / sizeof exchanges[0] };

/* The boundary is random: puts the one that was sent into the expectation, and counts it. */
static char *with_boundary(const char *expected, const char *sent)
{
    char *out = calloc(1, strlen(expected) + 200);
    const char *mark = strstr(sent, "boundary=");
    char length[24];

    (void)snprintf(length, sizeof length, "%zu",
                   mark != NULL ? strlen(strstr(sent, "\r\n\r\n") + 4) : (size_t)0);
    while (*expected != '\0') {
        if (mark != NULL && strncmp(expected, "BOUNDARY", 8) == 0) {
            assert_int_equal(strspn(mark + 9, "0123456789ABCDEF"), 32);
            strncat(out, mark + 9, 32);
            expected += 8;
        } else if (strncmp(expected, "LENGTH", 6) == 0) {
            strcat(out, length);
            expected += 6;
        } else {
            strncat(out, expected++, 1);
        }
    }
    return out;
}

/* Every call, with pieces of every size in both directions, sends the same bytes and ends the
 * same. */
static void test_requests(void **state)
{
    static const struct {
        size_t window, send, recv;
        bool again, wait;
    } ways[] = {{512, 0, 0, false, false},
                {512, 1, 1, true, false},
                {4096, 7, 3, true, true},
                {513, 63, 0, false, true},
                {4096, 0, 1, false, false}};

    (void)state;
    for (size_t i = 0; i < EXCHANGES; i++) {
        for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
            struct lane l;
            char *expected;
            int rc;
            lane_init(&l, ways[w].window);
            lane_exchange(&l, 200, exchanges[i].answer, strlen(exchanges[i].answer));
            l.script.send_piece = ways[w].send;
            l.script.recv_piece = ways[w].recv;
            l.script.again = l.script.send_again = ways[w].again;
            l.script.may_wait = ways[w].wait;
            l.options.never_wait = !ways[w].wait;
            lane_again(&l, ways[w].window);
            rc = exchanges[i].call(&l);
            assert_true(!ways[w].wait || rc != AVITO_AGAIN);
            assert_int_equal(lane_run(&l, rc), AVITO_OK);
            assert_null(script_problem_open(&l.script, true));
            expected = with_boundary(exchanges[i].request, (const char *)l.script.sent);
            assert_string_equal((const char *)l.script.sent, expected);
            free(expected);
            assert_string_equal(l.script.host, "api.avito.ru");
            assert_int_equal(l.script.port, 443);
            assert_int_equal(avito_last_error(&l.client)->code, AVITO_OK);
            assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_SENT);
            assert_string_equal(avito_last_error(&l.client)->text, "");
            assert_int_equal(avito_step(&l.client), AVITO_ERR_IDLE);
            assert_int_equal(avito_wants(&l.client), 0);
            assert_int_equal(avito_deadline_ms(&l.client), UINT32_MAX);
            assert_false(l.arena.busy);
            lane_free(&l);
        }
    }
}

static void test_another_host_and_port(void **state)
{
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, "{\"id\":1}", 8);
    l.account_options.host = "127.0.0.1";
    l.account_options.port = 8443;
    lane_again(&l, 512);
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK);
    assert_non_null(strstr((const char *)l.script.sent, "\r\nHost: 127.0.0.1:8443\r\n"));
    assert_string_equal(l.script.host, "127.0.0.1");
    assert_int_equal(l.script.port, 8443);
    lane_free(&l);
}

/* An IPv6 address is in brackets, or its last colon would begin the port. */
static void test_ipv6_host(void **state)
{
    static const struct {
        const char *host;
        uint16_t port;
        const char *header;
    } rows[] = {
        {"::1", 8080, "\r\nHost: [::1]:8080\r\n"},
        {"2001:db8::1", 443, "\r\nHost: [2001:db8::1]\r\n"},
        {"fe80::1", 0, "\r\nHost: [fe80::1]\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        lane_init(&l, 512);
        lane_exchange(&l, 200, "{\"id\":1}", 8);
        l.account_options.host = rows[i].host;
        l.account_options.port = rows[i].port;
        lane_again(&l, 512);
        assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK);
        assert_non_null(strstr((const char *)l.script.sent, rows[i].header));
        assert_string_equal(l.script.host, rows[i].host); /* the transport gets it as it is */
        lane_free(&l);
    }
}

static char *repeat(const char *unit, size_t count)
{
    size_t n = strlen(unit);
    char *text = malloc(n * count + 1);

    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * n, unit, n);
    }
    text[n * count] = '\0';
    return text;
}

/* The longest texts: 4000 bytes of emoji, 6000 bytes of escapes; through the smallest window. */
static void test_longest_texts(void **state)
{
    static const struct {
        const char *unit, *sent;
    } rows[] = {{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
                {"\x01", "\\u0001"},
                {"\"", "\\\""},
                {"\xd0\x96", "\xd0\x96"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        /* control bytes alone count as blank, so one letter is among them */
        char *text = repeat(rows[i].unit, 1000), *sent = repeat(rows[i].sent, 1000), *all;
        struct lane l;
        if (rows[i].unit[0] == 1) {
            text[999] = 'x';
            strcpy(sent + 999 * 6, "x");
        }
        all = malloc(strlen(sent) + 100);
        (void)sprintf(all, "\r\n\r\n{\"message\":{\"text\":\"%s\"},\"type\":\"text\"}", sent);
        lane_init(&l, 512);
        lane_exchange(&l, 200, "{\"id\":\"m\"}", 10);
        l.script.send_piece = i % 2 == 0 ? 100 : 0;
        assert_int_equal(
            lane_run(&l, avito_send_message(&l.client, USER, CHAT, text, &l.arena, &got.message)),
            AVITO_OK);
        assert_non_null(strstr((const char *)l.script.sent, all));
        lane_end(&l);
        free(text);
        free(sent);
        free(all);
    }
}

/* ---- arguments ---- */

static void refused(struct lane *l, int rc, int expected, int line)
{
    if (rc != expected) {
        fail_msg("line %d: %s", line, dump_result_name(rc));
    }
    assert_int_equal(avito_last_error(&l->client)->code, expected);
    assert_int_equal(avito_last_error(&l->client)->outcome, AVITO_NOT_SENT);
    assert_int_equal(l->script.connects, 0);
    assert_false(l->arena.busy);
    assert_int_equal(avito_wants(&l->client), 0);
}
#define REFUSED(rc, expected) refused(&l, rc, AVITO_ERR_##expected, __LINE__)

static void test_ids(void **state)
{
    static const char *const bad[] = {"",     ".",  "..",  "a/b",   "/",   "a\nb",
                                      "a\rb", "\t", "a b", "a\x7f", "\x01"};
    struct lane l;
    char long_id[400];
    const char *ids[2] = {"good", NULL};

    (void)state;
    lane_init(&l, 512);
    memset(long_id, 'x', sizeof long_id);
    long_id[399] = '\0';
    lane_exchange(&l, 404, "{}", 2);
    assert_int_equal(lane_run(&l, avito_get_chat(&l.client, USER, "...", &l.arena, &got.chat)),
                     AVITO_ERR_NOT_FOUND); /* three dots lead nowhere, so they are sent */
    avito_client_close(&l.client);
    lane_again(&l, 512);
    for (size_t i = 0; i <= sizeof bad / sizeof bad[0]; i++) {
        const char *id = i < sizeof bad / sizeof bad[0] ? bad[i] : long_id;
        REFUSED(avito_get_chat(&l.client, USER, id, &l.arena, &got.chat), ID);
        REFUSED(avito_get_messages(&l.client, USER, id, NULL, &l.arena, &got.messages), ID);
        REFUSED(avito_list_messages(&l.client, USER, id, NULL, &l.arena), ID);
        REFUSED(avito_send_message(&l.client, USER, id, "text", &l.arena, &got.message), ID);
        REFUSED(avito_send_image_message(&l.client, USER, id, "1.a", &l.arena, &got.message), ID);
        REFUSED(avito_send_image_message(&l.client, USER, CHAT, id, &l.arena, &got.message), ID);
        REFUSED(avito_mark_chat_as_read(&l.client, USER, id), ID);
        REFUSED(avito_delete_message(&l.client, USER, id, "m"), ID);
        REFUSED(avito_delete_message(&l.client, USER, CHAT, id), ID);
        ids[1] = id;
        REFUSED(avito_get_voice_files(&l.client, USER, ids, 2, &l.arena, &got.voices), ID);
        REFUSED(avito_list_voice_files(&l.client, USER, ids, 2, &l.arena), ID);
    }
    REFUSED(avito_get_chat(&l.client, USER, NULL, &l.arena, &got.chat), ARGUMENT);
    REFUSED(avito_get_messages(&l.client, USER, NULL, NULL, &l.arena, &got.messages), ARGUMENT);
    REFUSED(avito_send_message(&l.client, USER, NULL, "text", &l.arena, &got.message), ARGUMENT);
    REFUSED(avito_send_image_message(&l.client, USER, CHAT, NULL, &l.arena, &got.message),
            ARGUMENT);
    REFUSED(avito_mark_chat_as_read(&l.client, USER, NULL), ARGUMENT);
    REFUSED(avito_delete_message(&l.client, USER, CHAT, NULL), ARGUMENT);
    REFUSED(avito_get_voice_files(&l.client, USER, NULL, 1, &l.arena, &got.voices), ARGUMENT);
    ids[1] = NULL;
    REFUSED(avito_get_voice_files(&l.client, USER, ids, 2, &l.arena, &got.voices), ARGUMENT);
    REFUSED(avito_get_voice_files(&l.client, USER, ids, 0, &l.arena, &got.voices), ARGUMENT);
    for (int64_t user = -1; user <= 0; user++) {
        REFUSED(avito_get_chats(&l.client, user, NULL, &l.arena, &got.chats), ARGUMENT);
        REFUSED(avito_get_chat(&l.client, user, CHAT, &l.arena, &got.chat), ARGUMENT);
        REFUSED(avito_send_message(&l.client, user, CHAT, "text", &l.arena, &got.message),
                ARGUMENT);
        REFUSED(avito_mark_chat_as_read(&l.client, user, CHAT), ARGUMENT);
    }
    lane_free(&l);
}

static void test_texts(void **state)
{
    static const char *const blank[] = {"", " ", "\n\t \r", "\x01"};
    static const char *const malformed[] = {"\x80",
                                            "a\xc3",
                                            "\xc0\xaf",
                                            "\xe0\x80\xaf",
                                            "\xed\xa0\x80",
                                            "\xf4\x90\x80\x80",
                                            "\xf8\x88\x80\x80\x80",
                                            "\xff",
                                            "\xe2\x82",
                                            "x\xf0\x9f\x98"};
    struct lane l;
    char *text;

    (void)state;
    lane_init(&l, 512);
    for (size_t i = 0; i < sizeof blank / sizeof blank[0]; i++) {
        REFUSED(avito_send_message(&l.client, USER, CHAT, blank[i], &l.arena, &got.message), TEXT);
    }
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        REFUSED(avito_send_message(&l.client, USER, CHAT, malformed[i], &l.arena, &got.message),
                UTF8);
    }
    text = repeat("\xd0\x96", 1001);
    REFUSED(avito_send_message(&l.client, USER, CHAT, text, &l.arena, &got.message), TEXT);
    free(text);
    REFUSED(avito_send_message(&l.client, USER, CHAT, NULL, &l.arena, &got.message), ARGUMENT);
    REFUSED(avito_send_message(&l.client, USER, CHAT, "text", NULL, &got.message), ARGUMENT);
    lane_free(&l);
}

static void test_queries(void **state)
{
    static const int bad[][2] = {{-1, 0},   {101, 0},       {1, -1},
                                 {1, 1001}, {INT32_MAX, 0}, {1, INT32_MAX}};
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        avito_chats_query c = {0};
        avito_messages_query m = {0};
        c.limit = m.limit = bad[i][0];
        c.offset = m.offset = bad[i][1];
        REFUSED(avito_get_chats(&l.client, USER, &c, &l.arena, &got.chats), ARGUMENT);
        REFUSED(avito_list_chats(&l.client, USER, &c, &l.arena), ARGUMENT);
        REFUSED(avito_get_messages(&l.client, USER, CHAT, &m, &l.arena, &got.messages), ARGUMENT);
    }
    {
        avito_chats_query c = {0};
        c.chat_types = 8;
        REFUSED(avito_get_chats(&l.client, USER, &c, &l.arena, &got.chats), ARGUMENT);
        c.chat_types = 0;
        c.item_ids_count = 1;
        REFUSED(avito_get_chats(&l.client, USER, &c, &l.arena, &got.chats), ARGUMENT);
    }
    REFUSED(avito_get_chats(&l.client, USER, NULL, NULL, &got.chats), ARGUMENT);
    REFUSED(avito_get_chats(&l.client, USER, NULL, &l.arena, NULL), ARGUMENT);
    REFUSED(avito_get_chat(&l.client, USER, CHAT, NULL, &got.chat), ARGUMENT);
    REFUSED(avito_get_chat(&l.client, USER, CHAT, &l.arena, NULL), ARGUMENT);
    REFUSED(avito_get_self(&l.client, &l.arena, NULL), ARGUMENT);
    REFUSED(avito_get_self(&l.client, NULL, &got.self), ARGUMENT);
    REFUSED(avito_get_messages(&l.client, USER, CHAT, NULL, &l.arena, NULL), ARGUMENT);
    REFUSED(avito_get_webhook_subscriptions(&l.client, &l.arena, NULL), ARGUMENT);
    REFUSED(avito_list_subscriptions(&l.client, NULL), ARGUMENT);
    assert_int_equal(avito_get_self(NULL, &l.arena, &got.self), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_send_message(NULL, USER, CHAT, "a", &l.arena, NULL), AVITO_ERR_ARGUMENT);
    lane_free(&l);
}

static long never_read(void *ctx, size_t offset, void *buf, size_t cap)
{
    (void)ctx;
    (void)offset;
    (void)buf;
    (void)cap;
    fail_msg("asked for bytes of a source that was to be refused");
    return -1;
}

static void test_sources_urls_codes_and_blacklist(void **state)
{
    static const char *const urls[] = {
        "",     "example.org", "ftp://example.org", "https://a b", "https://a\r\n", "https://a\x7f",
        "/path"};
    struct lane l;
    avito_blacklist_user user = {1, 0, AVITO_REASON_SPAM};
    avito_image_source s = {"x", NULL, NULL, 1, NULL, NULL, NULL};

    (void)state;
    lane_init(&l, 512);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_true(avito_subscribe_webhook(&l.client, urls[i]) < 0);
        assert_true(avito_unsubscribe_webhook(&l.client, urls[i]) < 0);
        assert_int_equal(l.script.connects, 0);
    }
    REFUSED(avito_subscribe_webhook(&l.client, NULL), ARGUMENT);
    REFUSED(avito_exchange_code(&l.client, NULL, NULL), ARGUMENT);
    assert_true(avito_exchange_code(&l.client, "a\nb", NULL) < 0);
    assert_true(avito_exchange_code(&l.client, "", NULL) < 0);
    REFUSED(avito_upload_image(&l.client, USER, NULL, &l.arena, &got.image), ARGUMENT);
    REFUSED(avito_upload_image(&l.client, USER, &s, NULL, &got.image), ARGUMENT);
    REFUSED(avito_upload_image(&l.client, USER, &s, &l.arena, NULL), ARGUMENT);
    s.size = 0;
    REFUSED(avito_upload_image(&l.client, USER, &s, &l.arena, &got.image), ARGUMENT);
    s.size = AVITO_IMAGE_MAX + 1u;
    REFUSED(avito_upload_image(&l.client, USER, &s, &l.arena, &got.image), ARGUMENT);
    s.size = 1;
    s.read = never_read;
    REFUSED(avito_upload_image(&l.client, USER, &s, &l.arena, &got.image), ARGUMENT);
    s.data = NULL;
    s.file_name = "a\xff";
    REFUSED(avito_upload_image(&l.client, USER, &s, &l.arena, &got.image), UTF8);
    s.file_name = "";
    REFUSED(avito_upload_image(&l.client, USER, &s, &l.arena, &got.image), ID);
    s.file_name = NULL;
    s.content_type = "image/png\r\nX: y";
    assert_true(avito_upload_image(&l.client, USER, &s, &l.arena, &got.image) < 0);
    s.content_type = NULL;
    l.clock.entropy_result = -1;
    REFUSED(avito_upload_image(&l.client, USER, &s, &l.arena, &got.image), OPTION_ENTROPY);
    l.account_options.entropy = NULL;
    lane_again(&l, 512);
    REFUSED(avito_upload_image(&l.client, USER, &s, &l.arena, &got.image), OPTION_ENTROPY);
    REFUSED(avito_add_to_blacklist(&l.client, USER, NULL, 1), ARGUMENT);
    REFUSED(avito_add_to_blacklist(&l.client, USER, &user, 0), ARGUMENT);
    user.user_id = 0;
    REFUSED(avito_add_to_blacklist(&l.client, USER, &user, 1), ARGUMENT);
    user.user_id = 1;
    user.item_id = -1;
    REFUSED(avito_add_to_blacklist(&l.client, USER, &user, 1), ARGUMENT);
    user.item_id = 0;
    user.reason = (avito_blacklist_reason)0;
    REFUSED(avito_add_to_blacklist(&l.client, USER, &user, 1), ARGUMENT);
    user.reason = (avito_blacklist_reason)5;
    REFUSED(avito_add_to_blacklist(&l.client, USER, &user, 1), ARGUMENT);
    assert_int_equal(l.script.connects, 0);
    lane_free(&l);
}

static void no_lock(void *ctx)
{
    (void)ctx;
}

static void test_options(void **state)
{
    struct lane l;
    avito_account_options a;
    avito_client_options c;
    avito_transport_functions f;
    avito_account account;
    avito_client client;

    (void)state;
    lane_init(&l, 512);
#define ACCOUNT(change, expected)                                                                  \
    a = l.account_options;                                                                         \
    a.change;                                                                                      \
    assert_int_equal(avito_account_init(&account, &a), expected)
    ACCOUNT(client_id = NULL, AVITO_ERR_OPTION_CREDENTIALS);
    ACCOUNT(client_id = "", AVITO_ERR_OPTION_CREDENTIALS);
    ACCOUNT(client_id = "a\nb", AVITO_ERR_OPTION_CREDENTIALS);
    ACCOUNT(client_secret = NULL, AVITO_ERR_OPTION_CREDENTIALS);
    ACCOUNT(client_secret = "a b", AVITO_ERR_OPTION_CREDENTIALS);
    ACCOUNT(tokens = NULL, AVITO_ERR_OPTION_TOKENS);
    ACCOUNT(tokens_cap = 10, AVITO_ERR_OPTION_TOKENS);
    ACCOUNT(host = "", AVITO_ERR_OPTION_HOST);
    ACCOUNT(host = "a/b", AVITO_ERR_OPTION_HOST);
    ACCOUNT(host = "user@host", AVITO_ERR_OPTION_HOST);
    ACCOUNT(host = "api.avito.ru:443", AVITO_ERR_OPTION_HOST);
    ACCOUNT(host = "::1", AVITO_OK);
    ACCOUNT(host = "[::1]",
            AVITO_ERR_OPTION_HOST); /* the Host line would have two pairs of brackets */
    ACCOUNT(host = "a\r\nX: y", AVITO_ERR_OPTION_HOST);
    ACCOUNT(clock_ms = NULL, AVITO_ERR_OPTION_CLOCK);
    ACCOUNT(lock = no_lock, AVITO_ERR_ARGUMENT);
    ACCOUNT(unlock = no_lock, AVITO_ERR_ARGUMENT);
    ACCOUNT(host = "example.org", AVITO_OK);
#undef ACCOUNT
    assert_int_equal(avito_account_init(NULL, &a), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_account_init(&account, NULL), AVITO_ERR_ARGUMENT);
    c = l.options;
    c.window_cap = AVITO_WINDOW_MIN - 1;
    assert_int_equal(avito_client_init(&client, &account, &c), AVITO_ERR_OPTION_WINDOW);
    c.window_cap = AVITO_WINDOW_MIN;
    c.window = NULL;
    assert_int_equal(avito_client_init(&client, &account, &c), AVITO_ERR_OPTION_WINDOW);
    c = l.options;
    c.error_body = NULL;
    assert_int_equal(avito_client_init(&client, &account, &c), AVITO_ERR_ARGUMENT);
    c.error_body_cap = 0;
    assert_int_equal(avito_client_init(&client, &account, &c), AVITO_OK);
    c = l.options;
    f = *c.transport.functions;
    c.transport.functions = &f;
    f.wait = NULL;
    f.detail = NULL;
    assert_int_equal(avito_client_init(&client, &account, &c), AVITO_OK);
#define WITHOUT(function)                                                                          \
    f = *l.options.transport.functions;                                                            \
    f.function = NULL;                                                                             \
    assert_int_equal(avito_client_init(&client, &account, &c), AVITO_ERR_OPTION_TRANSPORT);
    TRANSPORT_FUNCTIONS_NEEDED(WITHOUT)
#undef WITHOUT
    c.transport.functions = NULL;
    assert_int_equal(avito_client_init(&client, &account, &c), AVITO_ERR_OPTION_TRANSPORT);
    assert_int_equal(avito_client_init(NULL, &account, &c), AVITO_ERR_ARGUMENT);
    avito_client_close(NULL);
    avito_cancel(NULL);
    assert_int_equal(avito_step(NULL), AVITO_ERR_ARGUMENT);
    lane_free(&l);
}

/* ---- one call at a time ---- */

static void test_busy(void **state)
{
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, "{\"id\":1}", 8);
    l.script.again = true;
    assert_int_equal(get_self(&l), AVITO_AGAIN);
    for (size_t i = 0; i < EXCHANGES; i++) {
        assert_int_equal(exchanges[i].call(&l), AVITO_ERR_BUSY);
    }
    assert_true(l.arena.busy);
    assert_int_equal(avito_next_chat(&l.client, &got.chat), AVITO_ERR_IDLE);
    assert_int_equal(avito_list_end(&l.client, 0),
                     AVITO_OK); /* no list is open: nothing is touched */
    assert_int_equal(lane_run(&l, AVITO_AGAIN), AVITO_OK);
    assert_int_equal(got.self.id, 1);
    l.arena.busy = true;
    assert_int_equal(get_self(&l), AVITO_ERR_BUSY);
    l.arena.busy = false;
    lane_free(&l);
}

/* After any number of steps: closed, reported, free, and the next call works. */
static void test_cancel_at_every_step(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXCHANGES; i++) {
        bool over = false;
        for (size_t steps = 0; !over; steps += steps < 40 ? 1 : 17) {
            struct lane l;
            int rc;
            lane_init(&l, 512);
            lane_exchange(&l, 200, exchanges[i].answer, strlen(exchanges[i].answer));
            lane_exchange(&l, 200, "{\"id\":5}", 8);
            l.script.send_piece = 11;
            l.script.recv_piece = 1;
            l.script.again = l.script.send_again = true;
            rc = exchanges[i].call(&l);
            for (size_t k = 0; k < steps && rc == AVITO_AGAIN; k++) {
                rc = avito_step(&l.client);
            }
            over = rc != AVITO_AGAIN;
            avito_cancel(&l.client);
            if (!over) {
                assert_int_equal(avito_last_error(&l.client)->code, AVITO_ERR_CANCELLED);
                assert_false(l.script.open);
                /* the script is at some step of the first connection; the next connect skips it */
                assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK);
                assert_int_equal(got.self.id, 5);
                assert_int_equal(l.script.connects, 2);
            }
            assert_false(l.arena.busy);
            assert_null(script_wrong(&l.script));
            lane_free(&l);
            assert_true(over || steps < 5000);
        }
    }
}

/* ---- deadlines ---- */

static void test_connect_timeout(void **state)
{
    struct lane l;
    uint32_t began;

    (void)state;
    lane_init(&l, 512);
    script_connect_with(&l.script, SCRIPT_NEVER, AVITO_OK);
    l.options.connect_timeout_ms = 700;
    lane_again(&l, 512);
    began = l.clock.ms;
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_ERR_TIMEOUT_CONNECT);
    assert_int_equal(l.clock.ms - began, 700);
    assert_int_equal(l.script.closes, 1);
    lane_free(&l);
}

static void test_connect_failure(void **state)
{
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    script_connect_with(&l.script, 3, AVITO_ERR_RESOLVE);
    lane_exchange(&l, 200, "{\"id\":3}", 8);
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_ERR_RESOLVE);
    assert_int_equal(l.script.closes, 1);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK);
    lane_free(&l);
}

/* The server is silent after `answered` bytes; the clock starts just before it wraps. */
static void test_idle_timeout(void **state)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"id\":1}";

    (void)state;
    for (size_t n = 0; n < sizeof answer - 1; n += 5) {
        for (uint32_t before = 0; before < 1200; before += 400) {
            struct lane l;
            uint32_t began;
            lane_init(&l, 512);
            l.clock.ms = UINT32_MAX - before;
            lane_exchange_raw(&l, answer, n);
            l.options.idle_timeout_ms = 900;
            lane_again(&l, 512);
            l.clock.ms = UINT32_MAX - before;
            began = l.clock.ms;
            assert_int_equal(lane_run(&l, get_self(&l)), AVITO_ERR_TIMEOUT_IDLE);
            assert_int_equal(l.clock.ms - began, 900);
            assert_null(script_problem(&l.script));
            lane_free(&l);
        }
    }
}

static long nothing_taken;

static long send_takes_nothing(void *ctx, const void *data, size_t len, int more)
{
    (void)ctx, (void)data, (void)len, (void)more;
    return nothing_taken;
}

/* A socket that takes nothing, whichever way its transport says so: the same, and nothing was sent. */
static void test_idle_timeout_of_a_send(void **state)
{
    static const long says[] = {AVITO_IO_AGAIN, 0};

    (void)state;
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        avito_transport_functions functions;
        struct lane l;
        nothing_taken = says[i];
        lane_init(&l, 512);
        script_connect(&l.script);
        functions = *l.options.transport.functions;
        functions.send = send_takes_nothing;
        l.client.o.transport.functions = &functions;
        assert_int_equal(lane_run(&l, mark_read(&l)), AVITO_ERR_TIMEOUT_IDLE);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        lane_free(&l);
    }
}

static unsigned looks;

static uint32_t nothing_moved(void *ctx)
{
    (void)ctx;
    looks++;
    return 7;
}

/* Below a transport that can tell, the wire is looked at every eighth of the idle time, and the caller sleeps until
 * then. */
static void test_looks_at_the_wire(void **state)
{
    avito_transport_functions functions;
    struct lane l;
    int rc;

    (void)state;
    lane_init(&l, 512);
    lane_exchange_raw(&l, "", 0);
    l.script.again = true;
    l.options.idle_timeout_ms = 800;
    lane_again(&l, 512);
    functions = *l.options.transport.functions;
    functions.moved = nothing_moved;
    l.client.o.transport.functions = &functions;
    rc = get_self(&l);
    while (rc == AVITO_AGAIN && avito_wants(&l.client) != AVITO_WANT_READ) {
        rc = avito_step(&l.client);
    }
    looks = 0;
    for (unsigned i = 0; i < 9; i++) { /* at the first look it is news where the wire stands */
        assert_int_equal(rc, AVITO_AGAIN);
        assert_int_equal(looks, i);
        assert_int_equal(avito_deadline_ms(&l.client), 100);
        clock_advance(&l.clock, 100);
        rc = avito_step(&l.client);
    }
    assert_int_equal(rc, AVITO_ERR_TIMEOUT_IDLE);
    lane_free(&l);
}

/* A server that sends a byte now and then: the idle time never runs out, the total does. */
static void test_total_timeout(void **state)
{
    struct lane l;
    uint32_t began;
    int rc;

    (void)state;
    lane_init(&l, 512);
    lane_exchange_raw(&l, "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n{\"id\":1}        ", 57);
    l.script.recv_piece = 1;
    l.script.again = true;
    l.options.total_timeout_ms = 3000;
    lane_again(&l, 512);
    began = l.clock.ms;
    rc = get_self(&l);
    while (rc == AVITO_AGAIN && l.clock.ms - began < 100000) {
        clock_advance(&l.clock, 100);
        rc = avito_step(&l.client);
    }
    assert_int_equal(rc, AVITO_ERR_TIMEOUT_TOTAL);
    assert_in_range(l.clock.ms - began, 3000, 3100);
    lane_free(&l);
}

/* A server that sends faster than we read, without end: one step must still end. */
static long flood(void *ctx, void *data, size_t cap)
{
    (void)ctx;
    memset(data, ' ', cap);
    return (long)cap;
}

static void test_endless_answer(void **state)
{
    struct lane l;
    avito_transport_functions f;
    int rc;

    (void)state;
    lane_init(&l, 512);
    lane_exchange_raw(&l, "HTTP/1.1 200 OK\r\n\r\n", 19);
    l.options.total_timeout_ms = 5000;
    lane_again(&l, 512);
    l.script.recv_piece = 1;
    l.script.again = true;
    rc = get_self(&l);
    for (int i = 0; i < 60 && rc == AVITO_AGAIN; i++) {
        rc = avito_step(&l.client);
    }
    assert_int_equal(rc, AVITO_AGAIN);
    f = *l.client.o.transport.functions;
    f.recv = flood;
    l.client.o.transport.functions = &f;
    l.clock.ms_per_call = 10;
    assert_int_equal(lane_run(&l, avito_step(&l.client)), AVITO_ERR_TIMEOUT_TOTAL);
    lane_free(&l);
}

static void test_clock_that_goes_back(void **state)
{
    struct lane l;
    int rc;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, "{\"id\":1}", 8);
    l.script.recv_piece = 1;
    l.script.again = true;
    rc = get_self(&l);
    for (int i = 0; rc == AVITO_AGAIN && i < 10000; i++) {
        l.clock.ms -= 5000;
        assert_true(avito_deadline_ms(&l.client) <= 120000);
        rc = avito_step(&l.client);
    }
    assert_int_equal(rc, AVITO_OK);
    lane_free(&l);
}

/* ---- kept connections ---- */

#define DAY_MS  86400000u
#define A_TOKEN "{\"access_token\":\"t\",\"expires_in\":86400}"

static void test_kept_connection(void **state)
{
    static const struct {
        uint32_t idle_ms;
        bool end;
        size_t connects;
    } rows[] = {
        {0, false, 1},           {5, false, 1},        {30000, false, 1}, {49999, false, 1},
        {50000, false, 2},       {86000000, false, 2}, /* almost as long as the token lives */
        {3000000000u, false, 2},                       /* more than half of what the clock counts */
        {100, true, 2},                                /* the server closed it meanwhile */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        lane_init(&l, 512);
        lane_exchange(&l, 200, "{\"id\":1}", 8);
        if (rows[i].end) {
            script_end(&l.script);
        }
        if (rows[i].connects == 2) {
            script_connect(&l.script);
        }
        if (rows[i].idle_ms >= DAY_MS) {
            script_request(&l.script);
            script_answer_json(&l.script, 200, SCRIPT_TEXT(A_TOKEN));
        }
        script_request(&l.script);
        script_answer_json(&l.script, 200, "{\"id\":2}", 8);
        assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK);
        assert_true(l.script.open);
        clock_advance(&l.clock, rows[i].idle_ms);
        assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK);
        assert_int_equal(got.self.id, 2);
        assert_int_equal(l.script.connects, rows[i].connects);
        assert_null(script_problem_open(&l.script, true));
        avito_client_close(&l.client);
        assert_null(script_problem(&l.script));
        lane_free(&l);
    }
}

/* Before a write, the lane looks for an end of the stream, however short the pause was. */
static void test_closed_connection_before_a_write(void **state)
{
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, "{\"id\":1}", 8);
    script_end(&l.script);
    lane_exchange(&l, 200, "{\"id\":\"m\"}", 10);
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK);
    assert_int_equal(lane_run(&l, send_message(&l)), AVITO_OK);
    assert_int_equal(l.script.connects, 2);
    lane_end(&l);
}

/* While a lane waits for the rate limit, its connection gets old. */
static void test_kept_connection_after_the_gate(void **state)
{
    static const uint32_t keep[] = {30000, 59999, 60000, 60001, 90000};
    int (*const calls[])(struct lane *) = {get_self, send_message};

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        const bool old = keep[i / 2] <= 60000;
        struct lane l;
        lane_init(&l, 512);
        l.options.keep_alive_ms = keep[i / 2];
        l.options.total_timeout_ms = 100000;
        lane_again(&l, 512);
        lane_exchange_raw(
            &l, SCRIPT_TEXT("HTTP/1.1 429 Slow\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"));
        if (old) {
            script_connect(&l.script);
        }
        script_request(&l.script);
        script_answer_json(&l.script, 200, "{\"id\":\"1\"}", 10);
        assert_int_equal(lane_run(&l, get_self(&l)), AVITO_ERR_RATE);
        assert_true(l.script.open);
        assert_int_equal(lane_run(&l, calls[i % 2](&l)), AVITO_OK);
        assert_int_equal(l.script.connects, old ? 2 : 1);
        lane_end(&l);
    }
}

/* ---- a clock that nobody looked at for weeks ---- */

/* The rate looks back a minute, not half of the clock's range. */
static void test_gate_after_quiet_weeks(void **state)
{
    (void)state;
    for (uint32_t days = 1; days < 49; days += 5) {
        for (int asked = 0; asked < 2; asked++) { /* by our own rate; by the server */
            struct lane l;
            int rc;
            lane_init(&l, 512);
            l.account_options.requests_per_minute = asked == 0 ? 60 : 0;
            lane_again(&l, 512);
            lane_exchange_raw(
                &l,
                SCRIPT_TEXT("HTTP/1.1 429 Slow\r\nRetry-After: 110\r\nContent-Length: 0\r\n\r\n"));
            script_connect(&l.script);
            script_request(&l.script); /* a token: the old one has expired */
            script_answer_json(&l.script, 200, SCRIPT_TEXT(A_TOKEN));
            script_request(&l.script);
            script_answer_json(&l.script, 200, "{\"id\":1}", 8);
            assert_int_equal(lane_run(&l, get_self(&l)), AVITO_ERR_RATE);
            clock_advance(&l.clock, days * DAY_MS);
            rc = get_self(&l);
            assert_int_equal(rc, asked == 0 ? AVITO_AGAIN : AVITO_OK);
            assert_int_equal(l.script.request_count, asked == 0 ? 2 : 3); /* it left at once */
            assert_int_equal(lane_run(&l, rc), AVITO_OK);
            lane_end(&l);
        }
    }
}

/* A wait that cannot fit the deadline is reported at once, with what is left of it, and a call
 * lifts it. */
static void test_gate_beyond_the_deadline(void **state)
{
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange_raw(
        &l, SCRIPT_TEXT("HTTP/1.1 429 Slow\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n"));
    script_request(&l.script);
    script_answer_json(&l.script, 200, "{\"id\":1}", 8);
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_ERR_RATE);
    assert_int_equal(avito_last_error(&l.client)->retry_after_s, 86400);
    clock_advance(&l.clock, 10000);
    assert_int_equal(get_self(&l), AVITO_ERR_RATE);
    assert_int_equal(avito_last_error(&l.client)->retry_after_s, 86390);
    assert_int_equal(avito_last_error(&l.client)->http_status, 0);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_int_equal(l.script.request_count, 1);
    assert_int_equal(avito_account_open_gate(NULL), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_account_open_gate(&l.account), AVITO_OK);
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK); /* on the connection that was kept */
    lane_end(&l);
}

/* The pauses between a call's attempts: 1, 2, 4 ... seconds, at most a minute, and each up to a half shorter
 * by chance. None goes beyond the deadline. */
static unsigned char random_byte;

static int give_random_byte(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, random_byte, len);
    return AVITO_OK;
}

/* Each pause is between the half and the whole of what it may be. */
static void test_pauses_between_tries(void **state)
{
    static const struct {
        int random; /* each byte of entropy; -1: there is none */
        uint32_t least_ms, most_ms;
    } rows[] = {{-1, (63 + 60 + 60) * 500, (63 + 60 + 60) * 1000},
                {0, (63 + 60 + 60) * 1000, (63 + 60 + 60) * 1000},
                {0xff, (63 + 60 + 60) * 500, (63 + 60 + 60) * 500 + 20}};

    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        struct lane l;
        uint32_t began;

        lane_init(&l, 512);
        l.options.retries = 8;
        l.options.total_timeout_ms = 600000;
        l.options.keep_alive_ms = UINT32_MAX;
        random_byte = (unsigned char)rows[k].random;
        l.account_options.entropy = rows[k].random >= 0 ? give_random_byte : NULL;
        lane_again(&l, 512);
        script_connect(&l.script);
        for (int i = 0; i < 9; i++) {
            script_request(&l.script);
            script_answer_json(&l.script, 503, "{}", 2);
        }
        began = l.clock.ms;
        assert_int_equal(lane_run(&l, get_self(&l)), AVITO_ERR_SERVER);
        assert_in_range(l.clock.ms - began, rows[k].least_ms, rows[k].most_ms);
        lane_end(&l);
    }
}

static void test_pause_beyond_the_deadline(void **state)
{
    static const char answer[] =
        "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n";
    struct lane l;
    uint32_t began;

    (void)state;
    lane_init(&l, 512);
    l.options.retries = 3;
    l.options.total_timeout_ms = 120000;
    lane_again(&l, 512);
    lane_exchange_raw(&l, SCRIPT_TEXT(answer));
    began = l.clock.ms;
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_ERR_SERVER);
    assert_int_equal(avito_last_error(&l.client)->retry_after_s, 120);
    assert_true(l.clock.ms - began < 1000);
    lane_end(&l);
}

/* What a broken line may have made of a good answer is asked for again; what the service means is not. */
static void test_which_answers_are_tried_again(void **state)
{
    static const struct {
        const char *body;
        int result;
    } rows[] = {{"{\"id\":1,}", AVITO_OK},
                {"{\"name\":\"\xff\"}", AVITO_OK},
                {"", AVITO_OK},
                {"{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1", AVITO_ERR_JSON_DEPTH},
                {"{\"id\":\"one\"}", AVITO_ERR_MODEL},
                {"{\"id\":1,\"id\":1}", AVITO_ERR_DUPLICATE}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lane l;
        lane_init_retries(&l, 512, 1);
        lane_exchange(&l, 200, rows[i].body, strlen(rows[i].body));
        lane_exchange(&l, 200, SCRIPT_TEXT("{\"id\":1}"));
        assert_int_equal(lane_run(&l, get_self(&l)), rows[i].result);
        lane_free(&l);
    }
}

/* The server's words are shown without control characters, which a terminal might obey: U+009B is ESC [. */
static void test_control_bytes_of_an_error(void **state)
{
    static const char body[] =
        "{\"message\":\"a\x7f\\u0001b\\u001b[2Jc\\u007f\\u009b2Jd\\u00a0e\\u0085\"}";
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 400, body, sizeof body - 1);
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_ERR_BAD_REQUEST);
    assert_string_equal(avito_last_error(&l.client)->text, "a  b [2Jc   2Jd\xc2\xa0"
                                                           "e  ");
    lane_free(&l);
}

/* A code of which 32 bits would be another one is none. */
static void test_codes_of_an_error(void **state)
{
    static const struct {
        const char *code;
        int api_code;
    } rows[] = {{"404", 404},      {"2147483647", INT32_MAX}, {"-2147483648", INT32_MIN},
                {"2147483648", 0}, {"4294967700", 0},         {"-9223372036854775807", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[80];
        struct lane l;

        lane_init(&l, 512);
        (void)snprintf(body, sizeof body, "{\"error\":{\"code\":%s,\"message\":\"no\"}}",
                       rows[i].code);
        lane_exchange(&l, 400, body, strlen(body));
        assert_int_equal(lane_run(&l, get_self(&l)), AVITO_ERR_BAD_REQUEST);
        assert_int_equal(avito_last_error(&l.client)->api_code, rows[i].api_code);
        lane_free(&l);
    }
}

/* ---- uploads ---- */

struct source {
    size_t piece, fail_at, progress, reads;
};

static long read_source(void *ctx, size_t offset, void *buf, size_t cap)
{
    struct source *s = ctx;
    size_t n = s->piece != 0 && s->piece < cap ? s->piece : cap;

    s->reads++;
    if (s->fail_at != 0 && offset + n > s->fail_at) {
        return offset < s->fail_at ? (long)(s->fail_at - offset) : s->fail_at % 2 == 0 ? 0 : -5;
    }
    for (size_t i = 0; i < n; i++) {
        ((unsigned char *)buf)[i] = (unsigned char)((offset + i) * 7u + (offset + i) / 251u);
    }
    return (long)n;
}

static void show_progress(void *ctx, size_t sent, size_t size)
{
    struct source *s = ctx;

    assert_true(sent >= s->progress && sent <= size);
    s->progress = sent;
}

static avito_image_source source_of(struct source *s, size_t size)
{
    avito_image_source source = {NULL, read_source, s, size, NULL, NULL, show_progress};

    return source;
}

static void test_upload_in_pieces(void **state)
{
    static const size_t sizes[] = {1, 100, 511, 512, 5000, 70000};
    static const char answer[] = "{\"1.a\":{\"1x1\":\"https://x/\"}}";

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t piece = 0; piece < 40; piece += 13) {
            struct lane l;
            struct source s = {piece, 0, 0, 0};
            avito_image_source source = source_of(&s, sizes[i]);
            const unsigned char *body;
            lane_init(&l, 512);
            lane_exchange(&l, 200, answer, strlen(answer));
            l.script.send_piece = piece * 3;
            l.script.send_again = piece == 26;
            assert_int_equal(
                lane_run(&l, avito_upload_image(&l.client, USER, &source, &l.arena, &got.image)),
                AVITO_OK);
            assert_string_equal(got.image.image_id.ptr, "1.a");
            assert_int_equal(s.progress, sizes[i]);
            assert_null(script_problem_open(&l.script, true));
            body =
                (const unsigned char *)strstr((const char *)l.script.sent, "image/jpeg\r\n\r\n") +
                14;
            for (size_t k = 0; k < sizes[i]; k++) {
                assert_int_equal(body[k], (unsigned char)(k * 7u + k / 251u));
            }
            assert_memory_equal(body + sizes[i], "\r\n--", 4);
            lane_free(&l);
        }
    }
}

static void test_upload_source_that_fails(void **state)
{
    (void)state;
    for (size_t at = 1; at < 2000; at += 97) {
        struct lane l;
        struct source s = {0, at, 0, 0};
        avito_image_source source = source_of(&s, 2000);
        lane_init(&l, 512);
        script_connect(&l.script);
        script_request(&l.script);
        lane_exchange(&l, 200, "{\"id\":1}", 8);
        assert_int_equal(
            lane_run(&l, avito_upload_image(&l.client, USER, &source, &l.arena, &got.image)),
            AVITO_ERR_SOURCE);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        assert_false(l.script.open);
        assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK);
        lane_free(&l);
    }
}

/* A source that says it has written more than it was asked for, or that shrinks while it is read. */
static long read_too_much(void *ctx, size_t offset, void *buf, size_t cap)
{
    (void)ctx, (void)offset;
    memset(buf, 'x', cap);
    return (long)cap + 1;
}

static void test_upload_source_that_lies(void **state)
{
    static const avito_image_source source = {NULL, read_too_much, NULL, 2000, NULL, NULL, NULL};
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    script_connect(&l.script);
    script_request(&l.script);
    assert_int_equal(
        lane_run(&l, avito_upload_image(&l.client, USER, &source, &l.arena, &got.image)),
        AVITO_ERR_SOURCE);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_false(l.script.open);
    lane_free(&l);
}

/* The owner of a text shortens it while it leaves: no message has left, and no counter wraps. */
static void test_text_that_shrinks(void **state)
{
    char text[AVITO_TEXT_MAX + 1];
    struct lane l;
    int rc;

    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    lane_init(&l, 512);
    script_connect(&l.script);
    script_request(&l.script);
    l.script.send_piece = 250;
    l.script.send_again = true;
    rc = avito_send_message(&l.client, USER, CHAT, text, &l.arena, &got.message);
    while (rc == AVITO_AGAIN && l.script.sent_len < 500) {
        rc = avito_step(&l.client);
    }
    text[10] = '\0';
    assert_int_equal(lane_run(&l, rc), AVITO_ERR_SOURCE);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_false(l.script.open);
    lane_free(&l);
}

/* The server answers after `taken` bytes, and then takes no more or goes on taking. */
static void test_early_refusal_of_an_upload(void **state)
{
    static const char body[] = "{\"error\":{\"code\":413,\"message\":\"too large\"}}";

    (void)state;
    for (size_t taken = 300; taken < 3000; taken += 450) {
        for (int way = 0; way < 4; way++) {
            struct lane l;
            struct source s = {0, 0, 0, 0};
            avito_image_source source = source_of(&s, 100000);
            lane_init(&l, way % 2 == 0 ? 512 : 4096);
            script_connect(&l.script);
            script_take(&l.script, taken);
            script_answer_json(&l.script, 413, body, sizeof body - 1);
            l.script.early = true;
            l.script.recv_piece = way < 2 ? 0 : 1;
            l.script.again = way >= 2;
            assert_int_equal(
                lane_run(&l, avito_upload_image(&l.client, USER, &source, &l.arena, &got.image)),
                AVITO_ERR_TOO_LARGE);
            assert_int_equal(avito_last_error(&l.client)->http_status, 413);
            assert_int_equal(avito_last_error(&l.client)->api_code, 413);
            assert_string_equal(avito_last_error(&l.client)->text, "too large");
            assert_string_equal(l.error_body, body);
            assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
            assert_true(way >= 2 || l.script.sent_len < 60000);
            /* kept only if the whole request had left before the answer came */
            assert_null(script_problem_open(&l.script, l.script.sent_len > 100000));
            lane_free(&l);
        }
    }
}

/* What goes wrong while a request leaves: recv() fails, or the server sends something that is no answer. An
 * end of the stream is tested with the transports. */
static long recv_fails(void *ctx, void *data, size_t cap)
{
    (void)ctx, (void)data, (void)cap;
    return AVITO_ERR_RECV;
}

static void test_early_trouble_of_an_upload(void **state)
{
    avito_transport_functions functions;
    static const struct {
        const char *says; /* NULL: recv() fails, and send() goes on */
        int result;
    } rows[] = {{NULL, AVITO_ERR_RECV},
                {"SSH-2.0-OpenSSH\r\n", AVITO_ERR_HTTP},
                {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", AVITO_ERR_HTTP_LENGTH}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        struct source s = {0, 0, 0, 0};
        avito_image_source source = source_of(&s, 100000);

        lane_init(&l, 512);
        script_connect(&l.script);
        if (rows[i].says != NULL) {
            script_take(&l.script, 1000);
            script_answer(&l.script, SCRIPT_TEXT(rows[i].says));
            l.script.early = true;
        } else {
            script_request(&l.script);
            functions = *l.options.transport.functions;
            functions.recv = recv_fails;
            l.client.o.transport.functions = &functions;
        }
        assert_int_equal(
            lane_run(&l, avito_upload_image(&l.client, USER, &source, &l.arena, &got.image)),
            rows[i].result);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        lane_free(&l);
    }
}

/* ---- what a failure says about a send ---- */

#define MESSAGE "{\"id\":\"m1\",\"type\":\"text\",\"content\":{\"text\":\"hi\"}}"

static avito_outcome send_hi(struct lane *l, int *rc)
{
    *rc = lane_run(l, avito_send_message(&l->client, USER, CHAT, "hi", &l->arena, &got.message));
    assert_int_equal(avito_last_error(&l->client)->code, *rc);
    return avito_last_error(&l->client)->outcome;
}

/* The connection breaks after every single byte of the request, and of the answer. */
static void test_outcome_at_every_byte(void **state)
{
    size_t request, answer, at = 0;
    struct lane l;
    int rc;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, MESSAGE, strlen(MESSAGE));
    assert_int_equal(send_hi(&l, &rc), AVITO_SENT);
    assert_int_equal(rc, AVITO_OK);
    request = l.script.sent_len;
    answer = l.script.recv_bytes;
    lane_free(&l);
    for (; at < request + answer; at++) {
        for (int how = 0; how < 3; how++) {
            avito_outcome outcome;
            lane_init(&l, 512);
            script_connect(&l.script);
            script_take(&l.script, at < request ? at : request);
            if (at < request) {
                script_send_fail(&l.script, AVITO_ERR_SEND, 32);
            } else {
                char head[128];
                int n = snprintf(head, sizeof head,
                                 "HTTP/1.1 200 Whatever\r\nContent-Type: application/json"
                                 "\r\nContent-Length: %zu\r\n\r\n" MESSAGE,
                                 strlen(MESSAGE));
                assert_int_equal(n, answer);
                script_answer(&l.script, head, at - request);
                if (how == 0) {
                    script_end(&l.script);
                } else if (how == 1) {
                    script_fail(&l.script, AVITO_ERR_RECV, 104);
                } /* else silence, until a deadline */
            }
            l.script.send_piece = how;
            outcome = send_hi(&l, &rc);
            assert_true(rc < 0);
            if (outcome != (at < request ? AVITO_NOT_SENT : AVITO_CANNOT_TELL)) {
                fail_msg("byte %zu of %zu, %d: %s, outcome %d", at, request, how,
                         dump_result_name(rc), (int)outcome);
            }
            assert_false(l.script.open);
            lane_free(&l);
        }
    }
}

static void test_outcome_of_statuses(void **state)
{
    static const struct {
        int status;
        const char *body;
        avito_outcome outcome;
    } rows[] = {
        {200, MESSAGE, AVITO_SENT},
        {201, MESSAGE, AVITO_SENT},
        {200, "{}", AVITO_CANNOT_TELL},
        {200, "{\"id\":5}", AVITO_CANNOT_TELL},
        {200, "{\"ok\":false}", AVITO_CANNOT_TELL},
        {200, "{\"error\":{\"code\":400,\"message\":\"no\"}}", AVITO_CANNOT_TELL},
        {200, "<html>", AVITO_CANNOT_TELL},
        {200, "", AVITO_CANNOT_TELL},
        {302, "", AVITO_CANNOT_TELL},
        {400, "{}", AVITO_NOT_SENT},
        {402, "{}", AVITO_NOT_SENT},
        {403, "{\"message\":\"permission\"}", AVITO_NOT_SENT},
        {404, "", AVITO_NOT_SENT},
        {413, "", AVITO_NOT_SENT},
        {429, "", AVITO_NOT_SENT},
        {409, "", AVITO_CANNOT_TELL},
        {500, "", AVITO_CANNOT_TELL},
        {503, "{}", AVITO_CANNOT_TELL},
        {418, "", AVITO_CANNOT_TELL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        int rc;
        lane_init(&l, 512);
        lane_exchange(&l, rows[i].status, rows[i].body, strlen(rows[i].body));
        if (send_hi(&l, &rc) != rows[i].outcome) {
            fail_msg("%d %s: %s", rows[i].status, rows[i].body, dump_result_name(rc));
        }
        lane_free(&l);
    }
}

/* The first attempt was refused and nothing of the second has left: whatever ends the pause, it is
 * not sent. */
static void test_outcome_between_two_tries(void **state)
{
    struct lane l;
    int rc;

    (void)state;
    lane_init_retries(&l, 512, 1);
    lane_exchange(&l, 429, "", 0);
    rc = avito_send_message(&l.client, USER, CHAT, "hi", NULL, NULL);
    for (int i = 0; i < 100 && rc == AVITO_AGAIN && avito_wants(&l.client) != AVITO_WANT_TIMER;
         i++) {
        rc = avito_step(&l.client);
    }
    assert_int_equal(rc, AVITO_AGAIN);
    avito_cancel(&l.client);
    assert_int_equal(avito_last_error(&l.client)->code, AVITO_ERR_CANCELLED);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_int_equal(avito_last_error(&l.client)->http_status, 0); /* the 429 was the first one's */
    lane_free(&l);
}

/* The server says when: until then nothing of the next attempt leaves, whoever made it wait. */
static void test_outcome_before_the_next_try(void **state)
{
    static const char *const pauses[] = {"Retry-After: 30\r\n", "", "X-RateLimit-Remaining: 0\r\n"};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct lane l;
        char answer[200];
        int rc;
        (void)snprintf(answer, sizeof answer, "HTTP/1.1 429 Slow\r\n%sContent-Length: 2\r\n\r\n{}",
                       pauses[i / 2]);
        lane_init(&l, 512);
        l.options.retries = 3;
        l.options.total_timeout_ms = 60000;
        lane_again(&l, 512);
        lane_exchange_raw(&l, answer, strlen(answer));
        script_connect_with(&l.script, SCRIPT_NEVER, AVITO_OK); /* if it lives that long */
        rc = send_message(&l);
        assert_int_equal(rc, AVITO_AGAIN);
        assert_int_equal(l.script.request_count, 1);
        if (i % 2 != 0) {
            clock_advance(&l.clock, 60001);
            rc = avito_step(&l.client);
            assert_int_equal(rc, AVITO_ERR_TIMEOUT_TOTAL);
        }
        avito_cancel(&l.client);
        assert_int_equal(avito_last_error(&l.client)->code, i % 2 != 0 ? rc : AVITO_ERR_CANCELLED);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        lane_free(&l);
    }
}

/* One step ends after a number of rounds, and the last byte may be taken in the very last one: what
 * the transport took decides, not the machine's state. */
static void test_outcome_after_one_long_step(void **state)
{
    unsigned seen[3] = {0, 0, 0};
    char text[1001];

    (void)state;
    for (size_t n = 1; n < sizeof text; n++) {
        struct lane l;
        avito_outcome outcome;
        memset(text, 'a', n);
        text[n] = '\0';
        lane_init(&l, 512);
        lane_exchange(&l, 200, MESSAGE, strlen(MESSAGE));
        l.script.send_piece = 16;
        l.script.again = true;
        assert_int_equal(avito_send_message(&l.client, USER, CHAT, text, NULL, NULL), AVITO_AGAIN);
        avito_cancel(&l.client);
        outcome = avito_last_error(&l.client)->outcome;
        assert_int_equal(outcome, l.script.request_count == 1 ? AVITO_CANNOT_TELL : AVITO_NOT_SENT);
        seen[outcome]++;
        lane_free(&l);
    }
    assert_true(seen[AVITO_CANNOT_TELL] > 100 && seen[AVITO_NOT_SENT] > 100);
}

/* Early answers: the request was never complete. */
static void test_outcome_of_an_early_answer(void **state)
{
    static const int statuses[] = {400, 413, 500, 503};

    (void)state;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct lane l;
        struct source s = {0, 0, 0, 0};
        avito_image_source source = source_of(&s, 100000);
        lane_init(&l, 512);
        script_connect(&l.script);
        script_take(&l.script, 1000);
        script_answer_json(&l.script, statuses[i], "", 0);
        l.script.early = true;
        assert_true(
            lane_run(&l, avito_upload_image(&l.client, USER, &source, &l.arena, &got.image)) < 0);
        assert_int_equal(avito_last_error(&l.client)->http_status, statuses[i]);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        lane_free(&l);
    }
}

/* The message was stored, but there is no room to say so. */
static void test_outcome_without_room(void **state)
{
    char room[64];
    struct lane l;
    int rc;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, MESSAGE, strlen(MESSAGE));
    l.arena = avito_arena_of(room, sizeof room);
    assert_int_equal(send_hi(&l, &rc), AVITO_SENT);
    assert_int_equal(rc, AVITO_ERR_ARENA);
    assert_true(avito_last_error(&l.client)->needed > sizeof room);
    lane_free(&l);
}

/* Without `out`, nothing but success matters, and no memory is needed. */
static void test_send_without_a_model(void **state)
{
    static const struct {
        const char *body;
        int result;
    } rows[] = {
        {MESSAGE, AVITO_OK},
        {"{}", AVITO_ERR_MODEL},
        {"{\"ok\":true}", AVITO_ERR_MODEL},
        {"{\"ok\":false}", AVITO_ERR_REFUSED},
        {"{\"error\":{\"message\":\"no\"}}", AVITO_ERR_REFUSED},
        {"{\"error\":\"no\"}", AVITO_ERR_REFUSED},
        {"", AVITO_ERR_EMPTY},
        {"<html>", AVITO_ERR_JSON},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        lane_init(&l, 512);
        lane_exchange(&l, 200, rows[i].body, strlen(rows[i].body));
        assert_int_equal(lane_run(&l, avito_send_message(&l.client, USER, CHAT, "hi", NULL, NULL)),
                         rows[i].result);
        if (rows[i].result == AVITO_ERR_REFUSED && i > 3) {
            assert_string_equal(avito_last_error(&l.client)->text, "no");
        }
        lane_free(&l);
    }
}

static void test_empty_confirmations(void **state)
{
    static const char *const bodies[] = {"", "{}", "{\"ok\":true}", "{\"message\":\"done\"}"};
    int (*const calls[])(struct lane *) = {delete_message, mark_read, subscribe, unsubscribe,
                                           blacklist};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 5; k++) {
            struct lane l;
            lane_init(&l, 512);
            lane_exchange(&l, i == 0 ? 204 : 200, bodies[i], strlen(bodies[i]));
            assert_int_equal(lane_run(&l, calls[k](&l)), AVITO_OK);
            assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_SENT);
            assert_string_equal(avito_last_error(&l.client)->text, "");
            assert_int_equal(avito_last_error(&l.client)->api_code, 0);
            lane_free(&l);
        }
    }
}

/* A success leaves nothing of an earlier error. */
static void test_error_after_success(void **state)
{
    static const char refusal[] = "{\"error\":{\"code\":404,\"message\":\"no such chat\"}}";
    const avito_error *e;
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 404, refusal, sizeof refusal - 1);
    script_request(&l.script); /* on the same connection: the refusal was read to its end */
    script_answer_json(&l.script, 200, "{\"id\":1}", 8);
    e = avito_last_error(&l.client);
    assert_int_equal(lane_run(&l, get_chat(&l)), AVITO_ERR_NOT_FOUND);
    assert_int_equal(e->api_code, 404);
    assert_string_equal(e->text, "no such chat");
    assert_string_equal(l.error_body, refusal);
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK);
    assert_int_equal(e->code, AVITO_OK);
    assert_int_equal(e->http_status, 200);
    assert_int_equal(e->api_code, 0);
    assert_int_equal(e->detail, 0);
    assert_int_equal(e->needed, 0);
    assert_int_equal(e->outcome, AVITO_SENT);
    assert_string_equal(e->text, "");
    assert_string_equal(l.error_body, "");
    lane_free(&l);
}

/* A refusal after which the call goes on. It fills every member that an error has. */
static void give_refusal(struct lane *l, int status)
{
    static const char body[] = "{\"error\":{\"code\":7,\"message\":\"not now\"}}";
    char answer[200];

    (void)snprintf(answer, sizeof answer,
                   "HTTP/1.1 %d X\r\nRetry-After: 1\r\nContent-Length: %d\r\n\r\n%s", status,
                   (int)sizeof body - 1, body);
    lane_exchange_raw(l, answer, strlen(answer));
}

/* The error belongs to the request that failed, not to an earlier one that was refused and led to a new token
 * or a retry. */
static void test_error_after_another_beginning(void **state)
{
    static const int statuses[] = {401, 503};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const bool connects = i / 2 == 0;
        const avito_error *e;
        struct lane l;

        lane_init_retries(&l, 512, i % 2 == 0 ? 0 : 1);
        give_refusal(&l, statuses[i % 2]);
        if (connects) {
            script_end(&l.script);
            script_connect(&l.script);
            script_request(&l.script);
            script_fail(&l.script, AVITO_ERR_RECV, 104);
        } else {
            script_end(&l.script);
            script_connect_with(&l.script, 0, AVITO_ERR_RESOLVE);
        }
        e = avito_last_error(&l.client);
        assert_int_equal(lane_run(&l, get_self(&l)), connects ? AVITO_ERR_RECV : AVITO_ERR_RESOLVE);
        assert_int_equal(e->http_status, 0);
        assert_int_equal(e->api_code, 0);
        assert_int_equal(e->detail, connects ? 104 : 0);
        assert_int_equal(e->retry_after_s, 0);
        assert_string_equal(e->text, "");
        assert_string_equal(l.error_body, "");
        lane_free(&l);
    }
}

/* The pause that a server asked for belongs to that answer: the error of the next request has none. */
static void test_pause_that_was_asked_before(void **state)
{
    static const char refusal[] =
        "HTTP/1.1 401 X\r\nRetry-After: 3600\r\nContent-Length: 2\r\n\r\n{}";
    struct lane l;

    (void)state;
    lane_init_retries(&l, 512, 1);
    lane_exchange_raw(&l, refusal, sizeof refusal - 1);
    script_request(&l.script);
    script_end(&l.script);
    script_connect(&l.script);
    script_request(&l.script);
    script_answer_json(&l.script, 200, "{\"access_token\":\"new-token\"}", 28);
    script_request(&l.script);
    script_answer_json(&l.script, 200, "{\"id\":1}", 8);
    assert_int_equal(lane_run(&l, get_self(&l)), AVITO_OK);
    assert_null(script_problem_open(&l.script, true));
    lane_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_another_host_and_port),
        cmocka_unit_test(test_ipv6_host),
        cmocka_unit_test(test_longest_texts),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_sources_urls_codes_and_blacklist),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_cancel_at_every_step),
        cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_connect_failure),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_idle_timeout_of_a_send),
        cmocka_unit_test(test_looks_at_the_wire),
        cmocka_unit_test(test_total_timeout),
        cmocka_unit_test(test_endless_answer),
        cmocka_unit_test(test_clock_that_goes_back),
        cmocka_unit_test(test_kept_connection),
        cmocka_unit_test(test_closed_connection_before_a_write),
        cmocka_unit_test(test_kept_connection_after_the_gate),
        cmocka_unit_test(test_gate_after_quiet_weeks),
        cmocka_unit_test(test_gate_beyond_the_deadline),
        cmocka_unit_test(test_pauses_between_tries),
        cmocka_unit_test(test_pause_beyond_the_deadline),
        cmocka_unit_test(test_which_answers_are_tried_again),
        cmocka_unit_test(test_control_bytes_of_an_error),
        cmocka_unit_test(test_codes_of_an_error),
        cmocka_unit_test(test_upload_in_pieces),
        cmocka_unit_test(test_upload_source_that_fails),
        cmocka_unit_test(test_upload_source_that_lies),
        cmocka_unit_test(test_text_that_shrinks),
        cmocka_unit_test(test_early_refusal_of_an_upload),
        cmocka_unit_test(test_early_trouble_of_an_upload),
        cmocka_unit_test(test_outcome_at_every_byte),
        cmocka_unit_test(test_outcome_of_statuses),
        cmocka_unit_test(test_outcome_between_two_tries),
        cmocka_unit_test(test_outcome_before_the_next_try),
        cmocka_unit_test(test_outcome_after_one_long_step),
        cmocka_unit_test(test_outcome_of_an_early_answer),
        cmocka_unit_test(test_outcome_without_room),
        cmocka_unit_test(test_send_without_a_model),
        cmocka_unit_test(test_empty_confirmations),
        cmocka_unit_test(test_error_after_success),
        cmocka_unit_test(test_error_after_another_beginning),
        cmocka_unit_test(test_pause_that_was_asked_before),
    };

    return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
