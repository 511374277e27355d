/*
 * How answers are judged: refusals with a success status, whatever the call; what a refusal means for the
 * token; and that no answer to a token request is ever quoted.
 * Rooms: ANSWERS, TOKENS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/calls.h"
#include "support/device.h"
#include "support/dump.h"
#include "support/lane.h"

#define FORBIDDEN "{\"error\":{\"code\":403,\"message\":\"Forbidden\"}}"
#define EXPIRED   "{\"result\":{\"status\":false,\"message\":\"access token expired\"}}"

static int get_all_chats(struct lane *l)
{
    static const avito_chats_query all = {.all_pages = true};

    return avito_get_chats(&l->client, USER, &all, &l->arena, &got.chats);
}

static int get_messages(struct lane *l)
{
    return avito_get_messages(&l->client, USER, CHAT, NULL, &l->arena, &got.messages);
}

static int send_message(struct lane *l)
{
    return avito_send_message(&l->client, USER, CHAT, "hi", &l->arena, &got.message);
}

static int send_unread(struct lane *l)
{
    return avito_send_message(&l->client, USER, CHAT, "hi", NULL, NULL);
}

static int upload(struct lane *l)
{
    static const avito_image_source picture = {.data = "not a picture", .size = 13};

    return avito_upload_image(&l->client, USER, &picture, &l->arena, &got.image);
}

static int get_voices(struct lane *l)
{
    static const char *const ids[] = {"11-22"};

    return avito_get_voice_files(&l->client, USER, ids, 1, &l->arena, &got.voices);
}

static int subscribe(struct lane *l)
{
    return avito_subscribe_webhook(&l->client, "https://example.org/a");
}

static int blacklist(struct lane *l)
{
    static const avito_blacklist_user user = {42, 0, AVITO_REASON_SPAM};

    return avito_add_to_blacklist(&l->client, USER, &user, 1);
}

typedef int (*call)(struct lane *l);

static const call models[] = {get_self,     get_chats,    get_all_chats, get_chat,
                              get_messages, send_message, send_unread,   send_image,
                              upload,       get_voices,   subscriptions};
static const call confirmations[] = {mark_read, delete_message, subscribe, unsubscribe, blacklist};

static const struct {
    const char *body, *text;
    int api_code;
} refusals[] = {
    {"{\"ok\":false}", "", 0},
    {"{\"ok\":false,\"message\":\"no\"}", "no", 0},
    {"{\"error\":{\"code\":500,\"message\":\"no\"}}", "no", 500},
    {"{\"error\":{\"message\":\"x\"}}", "x", 0},
    {"{\"error\":\"no\"}", "no", 0},
    {"{\"error\":\"a\",\"error_description\":\"b\"}", "b", 0},
    {"{\"errors\":[\"one\",\"two\"]}", "one", 0},
    {"{\"errors\":[5,{},\"one\",\"two\"]}", "one", 0},
    {"{\"message\":7,\"error\":\"no\"}", "no", 0},
    {"{\"code\":7,\"message\":\"no\"}", "no", 7},
    {"{\"result\":{\"status\":false,\"message\":\"no\"}}", "no", 0},
    {"{\"result\":{\"code\":8,\"message\":\"no\"}}", "no", 8},
    {"{\"result\":{\"error\":{\"code\":\"9\",\"message\":\"no\"}}}", "no", 9},
    {"{\"result\":{\"error\":\"no\"}}", "no", 0},
};

static bool changes(call one)
{
    return one == send_message || one == send_unread || one == send_image || one == upload;
}

static void refused(call one, size_t shape, size_t window, size_t piece)
{
    struct lane l;
    int rc;

    lane_init(&l, window);
    l.script.recv_piece = piece;
    lane_exchange(&l, 200, refusals[shape].body, strlen(refusals[shape].body));
    rc = lane_run(&l, one(&l));
    if (rc != AVITO_ERR_REFUSED) {
        fail_msg("%s in pieces of %zu: %s", refusals[shape].body, piece, dump_result_name(rc));
    }
    if (refusals[shape].text[0] != '\0') {
        assert_string_equal(avito_last_error(&l.client)->text, refusals[shape].text);
    }
    assert_int_equal(avito_last_error(&l.client)->api_code, refusals[shape].api_code);
    assert_int_equal(l.arena.used, 0);
    lane_end(&l);
}

/* Every shape of a refusal with status 200 is REFUSED, for every call; whether a write took effect
 * is not known. */
static void test_refusals_under_a_success_status(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < sizeof refusals / sizeof refusals[0]; shape++) {
        for (size_t piece = 0; piece < 4; piece++) {
            for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
                refused(models[i], shape, 512, piece);
                refused(models[i], shape, 4096, piece);
            }
            for (size_t i = 0; i < sizeof confirmations / sizeof confirmations[0]; i++) {
                refused(confirmations[i], shape, 512, piece);
            }
        }
    }
}

static void test_outcome_follows_the_status(void **state)
{
    static const struct {
        int status;
        avito_outcome outcome;
    } rows[] = {{200, AVITO_CANNOT_TELL},
                {500, AVITO_CANNOT_TELL},
                {400, AVITO_NOT_SENT},
                {404, AVITO_NOT_SENT}};

    (void)state;
    for (size_t shape = 0; shape < sizeof refusals / sizeof refusals[0]; shape++) {
        for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
            for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
                struct lane l;
                if (!changes(models[i])) {
                    continue;
                }
                lane_init(&l, 512);
                lane_exchange(&l, rows[row].status, refusals[shape].body,
                              strlen(refusals[shape].body));
                assert_true(lane_run(&l, models[i](&l)) < 0);
                assert_int_equal(avito_last_error(&l.client)->outcome, rows[row].outcome);
                lane_free(&l);
            }
        }
    }
}

/* An answer with neither what the call needs nor a refusal is MODEL, never an empty success. */
static void test_answers_without_a_model(void **state)
{
    static const char *const bodies[] = {"{}",
                                         "{\"ok\":true}",
                                         "{\"status\":\"fine\"}",
                                         "{\"id\":null}",
                                         "{\"meta\":{\"has_more\":false}}",
                                         "{\"result\":{\"status\":true}}",
                                         "null"};

    (void)state;
    for (size_t b = 0; b < sizeof bodies / sizeof bodies[0]; b++) {
        for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
            struct lane l;
            int rc;
            lane_init(&l, 512);
            lane_exchange(&l, 200, bodies[b], strlen(bodies[b]));
            rc = lane_run(&l, models[i](&l));
            if (models[i] == subscriptions && b == 1) { /* the description's own example */
                assert_int_equal(rc, AVITO_OK);
                assert_int_equal(got.subscriptions.count, 0);
            } else if (rc != AVITO_ERR_MODEL) {
                fail_msg("%s for call %zu: %s", bodies[b], i, dump_result_name(rc));
            }
            lane_free(&l);
        }
    }
}

/* An answer with what the call needs is a success, whatever else it holds. */
static void test_words_beside_a_success(void **state)
{
    static const struct {
        call one;
        const char *body;
    } rows[] = {
        {get_self, "{\"message\":\"ok\",\"error\":null,\"id\":7}"},
        {get_chats, "{\"message\":\"ok\",\"error\":null,\"chats\":null}"},
        {get_chats, "{\"error\":{\"message\":\"partly\"},\"chats\":[]}"},
        {get_chat, "{\"code\":0,\"id\":\"u2i-a\",\"message\":\"ok\"}"},
        {get_messages, "{\"ok\":true,\"messages\":[],\"error\":null}"},
        {get_messages, "[]"},
        {send_message, "{\"message\":\"ok\",\"error\":null,\"id\":\"m\"}"},
        {send_unread, "{\"message\":\"ok\",\"error\":null,\"id\":\"m\"}"},
        {get_voices, "{\"voices_urls\":null,\"message\":\"ok\"}"},
        {subscriptions, "{\"ok\":true,\"subscriptions\":[]}"},
        {mark_read, "{\"ok\":true,\"message\":\"ok\",\"error\":null}"},
        {mark_read, "{\"message\":\"ok\",\"error\":null}"},
        {mark_read, "{\"result\":{\"status\":true,\"message\":\"done\"}}"},
        {mark_read, "null"}, /* PHP's empty answers */
        {mark_read, " null\n"},
        {mark_read, "[]"},
        {mark_read, "[ ]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        int rc;
        lane_init(&l, 512);
        lane_exchange(&l, 200, rows[i].body, strlen(rows[i].body));
        rc = lane_run(&l, rows[i].one(&l));
        if (rc != AVITO_OK) {
            fail_msg("%s: %s", rows[i].body, dump_result_name(rc));
        }
        assert_string_equal(avito_last_error(&l.client)->text, "");
        lane_free(&l);
    }
}

/* A send whose message is not asked for is confirmed by its id, also by one that the window has no room for. */
static void test_ids_of_any_length(void **state)
{
#define FORTY "0123456789012345678901234567890123456789"
#define LONG  "\"message\":\"" FORTY FORTY FORTY FORTY "\""
#define MUCH  "\"result\":{" LONG ",\"error\":{" LONG "}},\"error\":{" LONG "}," LONG ","
    static const struct {
        const char *before;
        size_t length; /* of the id; 0: there is none */
        int result;
    } rows[] = {{"", 1, AVITO_OK},
                {"", 400, AVITO_OK},
                {"", 3000, AVITO_OK},
                {"\"message\":\"ok\",", 3000, AVITO_OK},
                {"\"message\":\"ok\",", 0, AVITO_ERR_REFUSED},
                {MUCH, 3000, AVITO_OK},
                {MUCH, 0, AVITO_ERR_MODEL}}; /* as a refusal that is too long */

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char body[4000], id[3001];
        struct lane l;
        memset(id, 'i', rows[i].length);
        id[rows[i].length] = '\0';
        (void)snprintf(body, sizeof body, "{%s\"%s\":\"%s\"}", rows[i].before,
                       rows[i].length > 0 ? "id" : "other", id);
        lane_init(&l, 512);
        lane_exchange(&l, 200, body, strlen(body));
        assert_int_equal(lane_run(&l, send_unread(&l)), rows[i].result);
        lane_end(&l);
    }
#undef FORTY
#undef LONG
#undef MUCH
}

/* An answer whose content is not needed is an error if it is malformed, or neither empty nor an object. */
static void test_no_confirmation(void **state)
{
    static const char *const bodies[] = {"true", "0",   "\"ok\"", "[1]", "[{}]",
                                         "[[]]", "nul", "null 1", "[]]", "["};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct lane l;
        int rc;
        lane_init(&l, 512);
        lane_exchange(&l, 200, bodies[i], strlen(bodies[i]));
        rc = lane_run(&l, mark_read(&l));
        if (rc != AVITO_ERR_MODEL && rc != AVITO_ERR_JSON) {
            fail_msg("%s: %s", bodies[i], dump_result_name(rc));
        }
        assert_int_not_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        lane_free(&l);
    }
}

static void test_refused_lists_element_by_element(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < sizeof refusals / sizeof refusals[0]; shape++) {
        struct lane l;
        lane_init(&l, 512);
        lane_exchange(&l, 200, refusals[shape].body, strlen(refusals[shape].body));
        assert_int_equal(lane_run(&l, avito_list_messages(&l.client, USER, CHAT, NULL, &l.arena)),
                         AVITO_OK);
        assert_int_equal(lane_run(&l, avito_next_message(&l.client, &got.message)),
                         AVITO_ERR_REFUSED);
        assert_false(avito_list_open(&l.client));
        lane_free(&l);
    }
}

/* A refusal that is longer than the window is still not taken for a model. */
static void test_long_refusal(void **state)
{
    char body[1200];
    struct lane l;

    (void)state;
    memset(body, 'x', sizeof body);
    memcpy(body, "{\"error\":{\"message\":\"", 21);
    memcpy(body + sizeof body - 3, "\"}}", 3);
    lane_init(&l, 512);
    lane_exchange(&l, 200, body, sizeof body);
    assert_int_equal(lane_run(&l, get_messages(&l)), AVITO_ERR_MODEL);
    lane_again(&l, 2048);
    assert_int_equal(lane_run(&l, get_messages(&l)), AVITO_ERR_REFUSED);
    assert_int_equal(strspn(avito_last_error(&l.client)->text, "x"), AVITO_ERROR_TEXT_CAP - 1);
    lane_free(&l);
}

/* ---- was it sent? ---- */

static avito_outcome confirm(const char *list, const char *baseline_id)
{
    avito_sent_query q = {.text = "hi",
                          .baseline_id = baseline_id,
                          .baseline_created = baseline_id != NULL ? 100 : 0,
                          .age_s = 1000};
    avito_outcome outcome = AVITO_SENT;
    struct lane l;

    lane_init(&l, 512);
    lane_exchange(&l, 200, list, strlen(list));
    (void)lane_run(&l,
                   avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena, &outcome, &got.message));
    lane_free(&l);
    return outcome;
}

#define OLD                                                                                        \
    "{\"id\":\"old\",\"created\":100,\"content\":{\"text\":\"?\"},\"type\":\"text\","              \
    "\"direction\":\"in\"}"
#define NEWER                                                                                      \
    "{\"id\":\"new\",\"created\":101,\"content\":{\"text\":\"?\"},\"type\":\"text\","              \
    "\"direction\":\"in\"}"
#define OLDER                                                                                      \
    "{\"id\":\"past\",\"created\":99,\"content\":{\"text\":\"?\"},\"type\":\"text\","              \
    "\"direction\":\"in\"}"

/* "Not sent" needs rows that prove it: the baseline, an older row, or all rows of a chat that was
 * empty. */
static void test_only_rows_say_no(void **state)
{
    (void)state;
    for (size_t shape = 0; shape < sizeof refusals / sizeof refusals[0]; shape++) {
        assert_int_equal(confirm(refusals[shape].body, "old"), AVITO_CANNOT_TELL);
        assert_int_equal(confirm(refusals[shape].body, NULL), AVITO_CANNOT_TELL);
    }
    assert_int_equal(confirm("{}", "old"), AVITO_CANNOT_TELL);
    assert_int_equal(confirm("{\"messages\":null}", "old"), AVITO_CANNOT_TELL);
    assert_int_equal(confirm("[]", "old"), AVITO_CANNOT_TELL);
    assert_int_equal(confirm("[" NEWER "]", "old"), AVITO_CANNOT_TELL);
    assert_int_equal(confirm("[]", NULL), AVITO_NOT_SENT);
    assert_int_equal(confirm("[" NEWER "," OLD "]", "old"), AVITO_NOT_SENT);
    assert_int_equal(confirm("[" NEWER "," OLDER "]", "old"), AVITO_NOT_SENT);
}

/* ---- renewal ---- */

/* A service that refuses what `refuses` selects, and counts the tokens that it issues. */
struct service {
    struct device d;
    bool (*refuses)(const struct service *s, const char *request);
    int status;
    const char *body;
    unsigned tokens, requests;
    bool revoked; /* everything is refused with 401 until the next token is fetched */
};

static const char *serve(void *service, const char *request, int *status)
{
    static char token[80];
    struct service *s = service;

    if (strncmp(request, "POST /token", 11) == 0) {
        s->revoked = false;
        (void)snprintf(token, sizeof token, "{\"access_token\":\"token-%u\",\"expires_in\":86400}",
                       ++s->tokens);
        return token;
    }
    s->requests++;
    if (s->revoked) {
        *status = 401;
        return "";
    }
    if (s->refuses(s, request)) {
        *status = s->status;
        return s->body;
    }
    return strstr(request, "/messages/") != NULL ? "[]" : "{\"id\":\"u2i-a\"}";
}

static bool foreign(const struct service *s, const char *request)
{
    (void)s;
    return strstr(request, "foreign") != NULL;
}

static bool every_other(const struct service *s, const char *request)
{
    (void)request;
    return s->requests % 2 == 1;
}

static struct service *service_of(bool (*refuses)(const struct service *s, const char *request),
                                  int status, const char *body)
{
    static struct service s;

    memset(&s, 0, sizeof s);
    device_init(&s.d, 20, serve, &s);
    s.refuses = refuses;
    s.status = status;
    s.body = body;
    device_start(&s.d);
    return &s;
}

static int ask_chat(struct service *s, const char *chat)
{
    avito_arena_reset(&s->d.arena);
    return avito_get_chat(&s->d.client, USER, chat, &s->d.arena, &got.chat);
}

static int ask_messages(struct service *s, const char *chat)
{
    avito_arena_reset(&s->d.arena);
    return avito_get_messages(&s->d.client, USER, chat, NULL, &s->d.arena, &got.messages);
}

static const char *const forbidden[] = {
    FORBIDDEN, "", "access denied", "{\"error\":{\"code\":403,\"message\":\"Доступ запрещён\"}}"};

/* A chat that is not ours, beside good calls, costs one renewal in all, whatever the words. Two
 * refusals in a row may mean that the token has died: they are allowed one more renewal after 1, 2,
 * 4 ... minutes. */
static void test_foreign_chat_beside_good_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        for (int in_a_row = 1; in_a_row <= 2; in_a_row++) {
            struct service *s = service_of(foreign, 403, forbidden[i]);
            for (int round = 0; round < 100; round++) { /* an hour */
                assert_int_equal(ask_chat(s, "u2i-a"), AVITO_OK);
                assert_int_equal(ask_chat(s, "u2i-foreign"), AVITO_ERR_FORBIDDEN);
                if (in_a_row == 2) {
                    assert_int_equal(ask_messages(s, "u2i-foreign"), AVITO_ERR_FORBIDDEN);
                }
                clock_advance(&s->d.clock, 36000);
            }
            assert_int_equal(s->tokens, in_a_row == 1 ? 1 : 6);
            avito_client_close(&s->d.client);
        }
    }
}

/* Without good calls beside it, renewals become rare. */
static void test_nothing_but_a_foreign_chat(void **state)
{
    static const int statuses[] = {403, 401};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct service *s = service_of(foreign, statuses[i], FORBIDDEN);
        for (int second = 0; second < 3 * 3600; second += 10) {
            (void)ask_chat(s, "u2i-foreign");
            clock_advance(&s->d.clock, 10000);
        }
        assert_in_range(s->tokens, 7,
                        9); /* 403: after 1, 2, 4, 8, 16, 32, 64 minutes; 401: five at once */
        avito_client_close(&s->d.client);
    }
}

/* Weeks of refusals: the count of renewals stays what it is at its end, and does not start again. */
static void test_refused_for_weeks(void **state)
{
    struct service *s = service_of(foreign, 401, FORBIDDEN);
    unsigned before;

    (void)state;
    for (int hour = 0; hour < 300; hour++) {
        (void)ask_chat(s, "u2i-foreign");
        clock_advance(&s->d.clock, 65u * 60u * 1000u);
    }
    assert_int_equal(s->tokens, 300);
    before = (unsigned)s->tokens;
    for (int second = 0; second < 600; second += 10) {
        (void)ask_chat(s, "u2i-foreign");
        clock_advance(&s->d.clock, 10000);
    }
    assert_in_range(s->tokens, before, before + 1);
    avito_client_close(&s->d.client);
}

/* A revoked token is noticed at once, however many foreign chats there are. */
static void test_revoked_token_beside_a_foreign_chat(void **state)
{
    struct service *s = service_of(foreign, 403, FORBIDDEN);

    (void)state;
    for (unsigned day = 0; day < 20; day++) {
        for (int i = 0; i < 3; i++) {
            assert_int_equal(ask_chat(s, "u2i-a"), AVITO_OK);
            assert_int_equal(ask_chat(s, "u2i-foreign"), AVITO_ERR_FORBIDDEN);
            clock_advance(&s->d.clock, 120000);
        }
        s->revoked = true;
        assert_int_equal(ask_chat(s, "u2i-a"), AVITO_OK);
    }
    assert_in_range(s->tokens, 20, 41); /* a renewal that helped allows the 403 one more */
    avito_client_close(&s->d.client);
}

/* A service that refuses every second request makes each renewal seem to help. */
static void test_flickering_refusals(void **state)
{
    static const int statuses[] = {403, 401};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct service *s = service_of(every_other, statuses[i], FORBIDDEN);
        for (int round = 0; round < 360; round++) { /* an hour */
            (void)ask_chat(s, "u2i-a");
            clock_advance(&s->d.clock, 10000);
        }
        assert_true(s->tokens <= 66);
        avito_client_close(&s->d.client);
    }
}

/* "access token expired" counts as a 401, whatever the status; but a write that may be stored is not
 * repeated. */
static void test_expired_under_any_status(void **state)
{
    static const struct {
        int status;
        bool repeated;
    } rows[] = {{200, false}, {500, false}, {403, true}, {400, true}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int write = 0; write < 2; write++) {
            struct lane l;
            int rc;
            lane_init(&l, 512);
            lane_exchange(&l, rows[i].status, EXPIRED, strlen(EXPIRED));
            if (!write || rows[i].repeated) {
                static const char token[] = "{\"access_token\":\"fresh\",\"expires_in\":86400}";
                static const char id[] = "{\"id\":\"u2i-a\"}";
                script_request(&l.script);
                script_answer_json(&l.script, 200, token, sizeof token - 1);
                script_request(&l.script);
                script_answer_json(&l.script, 200, id, sizeof id - 1);
            }
            rc = lane_run(&l, write ? send_message(&l) : get_chat(&l));
            if (!write || rows[i].repeated) {
                assert_int_equal(rc, AVITO_OK);
            } else {
                assert_int_equal(rc, rows[i].status == 200 ? AVITO_ERR_REFUSED : AVITO_ERR_SERVER);
                assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_CANNOT_TELL);
            }
            lane_end(&l);
        }
    }
}

/* ---- strangers ---- */

#define SENTENCE "Перейдите на подписку с API мессенджера, чтобы видеть сообщения"
#define FROM(author, text)                                                                         \
    "{\"id\":\"m\",\"author_id\":" author                                                          \
    ",\"direction\":\"in\",\"type\":\"text\",\"content\":{\"text\":\"" text "\"}}"

static bool unpaid_after(const char *first, const char *second)
{
    const char *const lists[] = {first, second};
    struct lane l;
    bool unpaid;

    lane_init(&l, 512);
    script_connect(&l.script);
    for (int i = 0; i < 2; i++) {
        script_request(&l.script);
        script_answer_json(&l.script, 200, lists[i], strlen(lists[i]));
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(lane_run(&l, get_messages(&l)), AVITO_OK);
        avito_arena_reset(&l.arena);
    }
    unpaid = avito_account_unpaid(&l.account);
    lane_end(&l);
    return unpaid;
}

/* One buyer alone cannot prove that the tariff is unpaid; two in a row can, in one list or in
 * two. */
static void test_sentence_of_one_buyer(void **state)
{
    (void)state;
    assert_false(unpaid_after("[" FROM("5", SENTENCE) "]", "[]"));
    assert_false(unpaid_after("[" FROM("5", SENTENCE) "," FROM("5", SENTENCE) "]",
                              "[" FROM("5", SENTENCE) "]"));
    assert_true(unpaid_after("[" FROM("5", SENTENCE) "," FROM("6", SENTENCE) "]", "[]"));
    assert_true(unpaid_after("[" FROM("5", SENTENCE) "]", "[" FROM("6", SENTENCE) "]"));
    assert_false(unpaid_after(
        "[" FROM("5", SENTENCE) "," FROM("7", "hi") "," FROM("6", SENTENCE) "]", "[]"));
    assert_false(
        unpaid_after("[" FROM("5", SENTENCE) "," FROM("6", SENTENCE) "]", "[" FROM("5", "hi") "]"));
    assert_true(unpaid_after("[" FROM("5", SENTENCE) "," FROM("6", SENTENCE) "]",
                             "[" FROM("5", SENTENCE) "]"));
}

/* In a chat of the service's own, which its id tells, the author is the service, whoever signs. */
static void test_messages_of_an_a2u_chat(void **state)
{
    static const char list[] = "[" FROM("5", "hi") "]";

    (void)state;
    for (int service = 0; service < 2; service++) {
        struct lane l;
        lane_init(&l, 512);
        lane_exchange(&l, 200, list, sizeof list - 1);
        assert_int_equal(
            lane_run(&l, avito_get_messages(&l.client, USER, service ? "a2u-x" : "u2i-x", NULL,
                                            &l.arena, &got.messages)),
            AVITO_OK);
        assert_int_equal(got.messages.items[0].is_system, service);
        lane_free(&l);
    }
}

/* An author of the service, and a direction as if the account had written it: then only the service's own
 * words before the text tell. */
static void test_notices_in_the_accounts_name(void **state)
{
#define NOTICE(author, text)                                                                       \
    "{\"id\":\"m\",\"author_id\":" author                                                          \
    ",\"created\":1,\"direction\":\"out\",\"type\":\"text\","                                      \
    "\"content\":{\"text\":\"" text "\"}}"
    static const char list[] =
        "[" NOTICE("0", "[Системное сообщение] a") "," NOTICE("1", "[Системное сообщение]") "," NOTICE(
            "5", "[Системное сообщение] a") "," NOTICE("1", "[Системное") "," NOTICE("0", "") "]";
    static const bool is_system[] = {true, true, false, false, false};
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, list, sizeof list - 1);
    assert_int_equal(lane_run(&l, get_messages(&l)), AVITO_OK);
    assert_int_equal(got.messages.count, sizeof is_system / sizeof is_system[0]);
    for (size_t i = 0; i < sizeof is_system / sizeof is_system[0]; i++) {
        assert_int_equal(got.messages.items[i].is_system, is_system[i]);
    }
    lane_free(&l);
#undef NOTICE
}

/* ---- what is quoted ---- */

static void test_no_token_is_quoted(void **state)
{
    static const char *const bodies[] = {
        "{\"access_token\":\"not-yet-known\",\"expires_in\":86400}",
        "{\"token_type\":\"Bearer\",\"refresh_token\" : \"not-yet-known\"}",
        "access_token=not-yet-known&expires_in=86400",
        "<pre>{&quot;x&quot;} 'access_token': 'not-yet-known'</pre>",
        "{\"message\":\"upstream said {\\\"access_token\\\":\\\"not-yet-known\\\"}\"}",
    };
    static const int statuses[] = {400, 404, 502};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        for (size_t k = 0; k < sizeof statuses / sizeof statuses[0]; k++) {
            for (int token = 0; token < 2; token++) {
                struct lane l;
                lane_init(&l, 512);
                lane_exchange(&l, statuses[k], bodies[i], strlen(bodies[i]));
                assert_true(lane_run(&l, token ? avito_get_token(&l.client, NULL) : get_chat(&l)) <
                            0);
                assert_null(strstr(avito_last_error(&l.client)->text, "not-yet"));
                assert_null(strstr(l.error_body, "not-yet"));
                lane_free(&l);
            }
        }
    }
}

static void test_words_about_tokens_are_quoted(void **state)
{
    static const char body[] = "{\"error\":{\"message\":\"the access_token is not known\"}}";
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 400, body, sizeof body - 1);
    assert_int_equal(lane_run(&l, get_chat(&l)), AVITO_ERR_BAD_REQUEST);
    assert_string_equal(avito_last_error(&l.client)->text, "the access_token is not known");
    assert_string_equal(l.error_body, body);
    lane_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_under_a_success_status),
        cmocka_unit_test(test_outcome_follows_the_status),
        cmocka_unit_test(test_answers_without_a_model),
        cmocka_unit_test(test_words_beside_a_success),
        cmocka_unit_test(test_ids_of_any_length),
        cmocka_unit_test(test_no_confirmation),
        cmocka_unit_test(test_refused_lists_element_by_element),
        cmocka_unit_test(test_long_refusal),
        cmocka_unit_test(test_only_rows_say_no),
        cmocka_unit_test(test_foreign_chat_beside_good_calls),
        cmocka_unit_test(test_nothing_but_a_foreign_chat),
        cmocka_unit_test(test_refused_for_weeks),
        cmocka_unit_test(test_revoked_token_beside_a_foreign_chat),
        cmocka_unit_test(test_flickering_refusals),
        cmocka_unit_test(test_expired_under_any_status),
        cmocka_unit_test(test_sentence_of_one_buyer),
        cmocka_unit_test(test_messages_of_an_a2u_chat),
        cmocka_unit_test(test_notices_in_the_accounts_name),
        cmocka_unit_test(test_no_token_is_quoted),
        cmocka_unit_test(test_words_about_tokens_are_quoted),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
