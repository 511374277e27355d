/*
 * AVITO_TINY: an option whose part is not linked is an error that names the call to enable it, and
 * after that call it works. Also one lane, and one copy of its token.
 * Rooms: SEVERAL LANES, TOKEN STORE, RETRIES, DIAGNOSTICS, INBOX: WHAT IT REMEMBERS, SENDING AND OTHER
 * CHANGES.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/lane.h"

#define CHAT   "u2i-chat"
#define TOKEN  "first-token-000000"
#define TOKENS "{\"access_token\":\"%s\",\"expires_in\":86400,\"token_type\":\"Bearer\"}"

/* A lane whose options have nothing that needs a part. */
static void plain_lane(struct lane *l)
{
    static const avito_account_options none;
    avito_account_options *a = &l->account_options;

    lane_init(l, 512);
    a->load_token = NULL;
    a->save_token = NULL;
    a->trace = NULL;
    a->priv = none.priv;
    memset(&l->options.priv, 0, sizeof l->options.priv);
    l->options.error_body = NULL;
    l->options.error_body_cap = 0;
    lane_again(l, 512);
}

static int account_init(struct lane *l)
{
    return avito_account_init(&l->account, &l->account_options);
}

static int client_init(struct lane *l)
{
    return avito_client_init(&l->client, &l->account, &l->options);
}

/* The error is `code`, it names `call`, and nothing goes over the wire. */
static void refused(struct lane *l, int rc, int code, const char *call)
{
    assert_int_equal(rc, code);
    assert_non_null(strstr(avito_error_text(code), call));
    assert_int_equal(l->script.connects, 0);
}

static void fetch(struct lane *l, const char *token)
{
    char answer[300];

    (void)snprintf(answer, sizeof answer, TOKENS, token);
    script_request(&l->script);
    script_answer_json(&l->script, 200, answer, strlen(answer));
}

static void answer(struct lane *l, int status, const char *body)
{
    script_request(&l->script);
    script_answer_json(&l->script, status, body, strlen(body));
}

static const char *request(const struct lane *l, size_t number)
{
    static char text[1024];
    const struct script_sent *sent = &l->script.requests[number];

    assert_true(number < l->script.request_count && sent->len < sizeof text);
    memcpy(text, l->script.sent + sent->at, sent->len);
    text[sent->len] = '\0';
    return text;
}

/* ---- each option ---- */

static int load(void *ctx, avito_token *token)
{
    (void)ctx;
    token->access_token.ptr = "loaded-token";
    token->access_token.len = 12;
    token->expires_in = 86400;
    return AVITO_OK;
}

static int saved;

static int save(void *ctx, const avito_token *token)
{
    (void)ctx;
    saved += token->access_token.len > 0;
    return AVITO_OK;
}

static void test_token_store(void **state)
{
    struct lane l;
    avito_self self;

    (void)state;
    plain_lane(&l);
    l.account_options.load_token = load;
    refused(&l, account_init(&l), AVITO_ERR_OPTION_TOKEN_STORE, "avito_enable_token_store()");
    l.account_options.load_token = NULL;
    l.account_options.save_token = save;
    refused(&l, account_init(&l), AVITO_ERR_OPTION_TOKEN_STORE, "avito_enable_token_store()");
    l.account_options.load_token = load;
    avito_enable_token_store(&l.account_options);
    assert_int_equal(account_init(&l), AVITO_OK);
    script_connect(&l.script);
    answer(&l, 401, "{}");
    saved = 0;
    assert_int_equal(client_init(&l), AVITO_OK);
    fetch(&l, TOKEN);
    answer(&l, 200, "{\"id\":7}");
    assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)), AVITO_OK);
    assert_non_null(strstr(request(&l, 0), "Bearer loaded-token\r\n"));
    assert_non_null(strstr(request(&l, 2), "Bearer " TOKEN "\r\n"));
    assert_int_equal(saved, 1);
    lane_end(&l);
}

static unsigned traced;

static void count_trace(void *ctx, const char *line)
{
    (void)ctx;
    traced += strncmp(line, "answer send_message 403", 23) == 0;
    assert_null(strstr(line, TOKEN));
}

static void test_diagnostics(void **state)
{
    static const char echo[] =
        "{\"error\":{\"code\":7,\"message\":\"permission: " TOKEN " " LANE_SECRET "\"}}";
    static char raw[200];
    struct lane l;

    (void)state;
    plain_lane(&l);
    l.account_options.trace = count_trace;
    refused(&l, account_init(&l), AVITO_ERR_OPTION_DIAGNOSTICS, "avito_enable_diagnostics()");
    l.account_options.trace = NULL;
    assert_int_equal(account_init(&l), AVITO_OK);
    l.options.error_body = raw;
    l.options.error_body_cap = sizeof raw;
    refused(&l, client_init(&l), AVITO_ERR_OPTION_DIAGNOSTICS, "avito_enable_diagnostics()");
    for (int with = 0; with < 2; with++) {
        l.options.error_body = with ? raw : NULL;
        l.options.error_body_cap = with ? sizeof raw : 0;
        if (with) {
            l.account_options.trace = count_trace;
            avito_enable_diagnostics(&l.account_options);
        }
        assert_int_equal(account_init(&l), AVITO_OK);
        assert_int_equal(client_init(&l), AVITO_OK);
        script_connect(&l.script);
        fetch(&l, TOKEN);
        answer(&l, 403, echo);
        traced = 0;
        assert_int_equal(lane_run(&l, avito_send_message(&l.client, 1, CHAT, "Hello", NULL, NULL)),
                         AVITO_ERR_FORBIDDEN);
        assert_int_equal(avito_last_error(&l.client)->api_code, 7);
        assert_string_equal(
            avito_last_error(&l.client)->text,
            with ? "permission: ****************** *********************************" : "");
        assert_int_equal(traced, with);
        assert_int_equal(raw[0] != '\0', with);
        assert_null(strstr(raw, TOKEN));
        avito_client_close(&l.client);
    }
    lane_end(&l);
}

/* One copy of the token: the next one is read over it, so nobody knows it any more. An answer that repeats it
 * then is not quoted at all. Before the first one there is nothing to hide. */
static void test_masked_without_a_copy(void **state)
{
    static const char echo[] = "{\"error\":{\"message\":\"busy: " TOKEN "\"}}";
    struct lane l;
    avito_self self;

    (void)state;
    plain_lane(&l);
    avito_enable_diagnostics(&l.account_options);
    l.options.keep_alive_ms = UINT32_MAX;
    assert_int_equal(account_init(&l), AVITO_OK);
    assert_int_equal(client_init(&l), AVITO_OK);
    script_connect(&l.script);
    answer(&l, 503, "{\"error\":{\"message\":\"busy\"}}");
    assert_int_equal(lane_run(&l, avito_get_token(&l.client, NULL)), AVITO_ERR_SERVER);
    assert_string_equal(avito_last_error(&l.client)->text, "busy");
    fetch(&l, TOKEN);
    answer(&l, 200, "{\"id\":7}");
    assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)), AVITO_OK);
    clock_advance(&l.clock, 86400u * 1000u);
    answer(&l, 503, echo);
    assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)), AVITO_ERR_SERVER);
    assert_null(strstr(avito_last_error(&l.client)->text, TOKEN));
    answer(&l, 200, "{\"access_token\":[]}"); /* now it is written over */
    assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)), AVITO_ERR_MODEL);
    script_connect(&l.script);
    answer(&l, 503, echo);
    assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)), AVITO_ERR_SERVER);
    assert_string_equal(avito_last_error(&l.client)->text, "");
    lane_end(&l);
}

/* What a refusal says may hold a secret. */
static void test_refusal_without_diagnostics(void **state)
{
    static const char *const bodies[] = {"no: " TOKEN,
                                         "{\"error\":{\"message\":\"no: " TOKEN "\"}}"};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct lane l;
        avito_self self;

        plain_lane(&l);
        script_connect(&l.script);
        fetch(&l, TOKEN);
        answer(&l, 400, bodies[i]);
        assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)),
                         AVITO_ERR_BAD_REQUEST);
        assert_string_equal(avito_last_error(&l.client)->text, "");
        lane_end(&l);
    }
}

/* Names of fields come from our own tables, ids from the server. */
static void test_fields_without_diagnostics(void **state)
{
    struct lane l;
    avito_self self;
    avito_chat chat;

    (void)state;
    plain_lane(&l);
    script_connect(&l.script);
    fetch(&l, TOKEN);
    answer(&l, 200, "{\"id\":[]}");
    assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)), AVITO_ERR_MODEL);
    assert_string_equal(avito_last_error(&l.client)->text, "id");
    script_connect(&l.script);
    answer(&l, 200, "{\"chats\":[{\"id\":\"" TOKEN "\",\"users\":[{},{},{},{},{}]}]}");
    l.arena = avito_arena_of(l.room, 200);
    assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, NULL, &l.arena)), AVITO_OK);
    assert_int_equal(lane_run(&l, avito_next_chat(&l.client, &chat)), AVITO_ERR_ARENA);
    assert_true(avito_last_error(&l.client)->needed > 200);
    assert_string_equal(avito_last_error(&l.client)->text, "");
    assert_true(avito_list_open(&l.client));
    avito_cancel(&l.client);
    lane_end(&l);
}

static void test_retries(void **state)
{
    static const char later[] =
        "HTTP/1.1 503 Later\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Retry-After: Sun, 06 Nov 1994 08:49:42 GMT\r\nContent-Length: 0\r\n\r\n";
    struct lane l;
    avito_self self;

    (void)state;
    plain_lane(&l);
    l.options.retries = 2;
    refused(&l, client_init(&l), AVITO_ERR_OPTION_RETRIES, "avito_enable_retries()");
    l.options.retries = 0;
    l.account_options.requests_per_minute = 30;
    assert_int_equal(account_init(&l), AVITO_OK);
    refused(&l, client_init(&l), AVITO_ERR_OPTION_RETRIES, "avito_enable_retries()");
    l.account_options.requests_per_minute = 0;
    for (int with = 0; with < 2; with++) {
        l.options.retries = with ? 2 : 0;
        if (with) {
            avito_enable_retries(&l.options);
        }
        assert_int_equal(account_init(&l), AVITO_OK);
        assert_int_equal(client_init(&l), AVITO_OK);
        script_connect(&l.script);
        fetch(&l, TOKEN);
        script_request(&l.script);
        script_answer(&l.script, SCRIPT_TEXT(later));
        if (with) {
            answer(&l, 200, "{\"id\":7}");
        }
        assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)),
                         with ? AVITO_OK : AVITO_ERR_SERVER);
        assert_int_equal(avito_last_error(&l.client)->retry_after_s, 0);
        avito_client_close(&l.client);
    }
    lane_end(&l);
}

/* Records of chats, and an inbox without them. */
static void test_inbox_records(void **state)
{
    static unsigned char slots[AVITO_INBOX_STATE_SIZE(4)];
    static char chats[AVITO_INBOX_CHATS_SIZE(4)];
    avito_inbox_options options = avito_inbox_options_default();
    avito_inbox inbox;
    avito_message message;
    struct lane l;

    (void)state;
    plain_lane(&l);
    assert_int_equal(client_init(&l), AVITO_OK);
    options.user_id = 7;
    options.arena = &l.arena;
    options.state = slots;
    options.state_cap = sizeof slots;
    assert_int_equal(avito_inbox_init(&inbox, &l.client, &options), AVITO_OK);
    options.chats = chats;
    options.chats_cap = sizeof chats;
    refused(&l, avito_inbox_init(&inbox, &l.client, &options), AVITO_ERR_OPTION_CHATS,
            "avito_enable_inbox_records()");
    avito_enable_inbox_records(&options);
    assert_int_equal(avito_inbox_init(&inbox, &l.client, &options), AVITO_OK);

    /* An inbox links the rate, and no retries: options copied from its lane do not enable them. */
    script_connect_with(&l.script, 0, AVITO_ERR_CONNECT);
    assert_int_equal(avito_inbox_next(&inbox, &message), AVITO_ERR_CONNECT);
    avito_client_close(&l.client);
    l.options = l.client.o;
    l.options.retries = 2;
    assert_int_equal(client_init(&l), AVITO_ERR_OPTION_RETRIES);
    l.options.retries = 0;
    assert_int_equal(client_init(&l), AVITO_OK);
    avito_client_close(&l.client);
    lane_free(&l);
}

static void test_dry_run(void **state)
{
    struct lane l;
    char raw[200];

    (void)state;
    plain_lane(&l);
    l.options.dry_run = true;
    refused(&l, client_init(&l), AVITO_ERR_OPTION_DRY_RUN, "avito_enable_dry_run()");
    /* Set after init had checked it: it must still not be sent. */
    l.options.dry_run = false;
    assert_int_equal(client_init(&l), AVITO_OK);
    l.client.o.dry_run = true;
    refused(&l, avito_send_message(&l.client, 1, CHAT, "Hello", NULL, NULL),
            AVITO_ERR_OPTION_DRY_RUN, "avito_enable_dry_run()");
    assert_int_equal(avito_last_error(&l.client)->code, AVITO_ERR_OPTION_DRY_RUN);
    avito_enable_diagnostics(&l.account_options);
    avito_enable_dry_run(&l.options);
    l.options.dry_run = true;
    l.options.error_body = raw;
    l.options.error_body_cap = sizeof raw;
    assert_int_equal(account_init(&l), AVITO_OK);
    assert_int_equal(client_init(&l), AVITO_OK);
    assert_int_equal(avito_send_message(&l.client, 1, CHAT, "Hello", NULL, NULL), AVITO_OK);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_string_equal(raw, "POST /messenger/v1/accounts/1/chats/" CHAT "/messages\n"
                             "{\"message\":{\"text\":\"Hello\"},\"type\":\"text\"}");
    assert_int_equal(l.script.connects, 0);
    lane_end(&l);
}

static void test_raw(void **state)
{
    static const char body[] =
        "{\"messages\":[{\"id\":\"m\",\"type\":\"new\",\"content\":{\"new\":1}}],\"meta\":{}}";
    avito_messages_query query = {0};
    avito_messages messages;
    struct lane l;

    (void)state;
    plain_lane(&l);
    query.want = AVITO_RAW;
    assert_int_equal(client_init(&l), AVITO_OK);
    refused(&l, avito_get_messages(&l.client, 1, CHAT, &query, &l.arena, &messages),
            AVITO_ERR_OPTION_RAW, "avito_enable_raw()");
    avito_enable_raw(&l.options);
    assert_int_equal(account_init(&l), AVITO_OK);
    assert_int_equal(client_init(&l), AVITO_OK);
    script_connect(&l.script);
    fetch(&l, TOKEN);
    answer(&l, 200, body);
    assert_int_equal(
        lane_run(&l, avito_get_messages(&l.client, 1, CHAT, &query, &l.arena, &messages)),
        AVITO_OK);
    assert_string_equal(messages.items[0].content.as.raw.ptr, "{\"new\":1}");
    lane_end(&l);
}

static void test_pages(void **state)
{
    avito_chats_query query = {0};
    avito_chats chats;
    struct lane l;

    (void)state;
    plain_lane(&l);
    query.limit = 1;
    query.all_pages = true;
    assert_int_equal(client_init(&l), AVITO_OK);
    refused(&l, avito_get_chats(&l.client, 1, &query, &l.arena, &chats), AVITO_ERR_OPTION_PAGES,
            "avito_enable_pages()");
    refused(&l, avito_list_chats(&l.client, 1, &query, &l.arena), AVITO_ERR_OPTION_PAGES,
            "avito_enable_pages()");
    avito_enable_pages(&l.options);
    assert_int_equal(account_init(&l), AVITO_OK);
    assert_int_equal(client_init(&l), AVITO_OK);
    script_connect(&l.script);
    fetch(&l, TOKEN);
    answer(&l, 200, "{\"chats\":[{\"id\":\"a\"}],\"meta\":{\"has_more\":true}}");
    answer(&l, 200, "{\"chats\":[{\"id\":\"b\"}],\"meta\":{\"has_more\":false}}");
    assert_int_equal(lane_run(&l, avito_get_chats(&l.client, 1, &query, &l.arena, &chats)),
                     AVITO_OK);
    assert_int_equal(chats.count, 2);
    assert_string_equal(chats.items[1].id.ptr, "b");
    lane_end(&l);
}

/* Confirming reads all pages of a chat, so it links what that needs by itself: what was sent may be on a later
 * page, and without its text no row says what it is. */
static void test_confirming(void **state)
{
    static char page[8192];
    static const char last[] = "{\"messages\":[{\"id\":\"m\",\"type\":\"text\",\"direction\":"
                               "\"out\",\"created\":1700000000,"
                               "\"content\":{\"text\":\"Hello\"}}],\"meta\":{\"has_more\":false}}";
    avito_sent_query query = {0};
    avito_outcome outcome;
    avito_message found;
    struct lane l;
    size_t len = (size_t)sprintf(page, "{\"messages\":[");
    int i;

    (void)state;
    for (i = 0; i < 100; i++) {
        len += (size_t)sprintf(page + len,
                               "%s{\"id\":\"n%d\",\"direction\":\"in\",\"created\":1700000100}",
                               i > 0 ? "," : "", i);
    }
    (void)sprintf(page + len, "],\"meta\":{\"has_more\":true}}");
    query.text = "Hello";
    plain_lane(&l);
    assert_int_equal(client_init(&l), AVITO_OK);
    script_connect(&l.script);
    fetch(&l, TOKEN);
    answer(&l, 200, page);
    answer(&l, 200, last);
    assert_int_equal(
        lane_run(&l, avito_confirm_sent(&l.client, 1, CHAT, &query, &l.arena, &outcome, &found)),
        AVITO_OK);
    assert_non_null(strstr(request(&l, 1), "limit=100"));
    assert_int_equal(outcome, AVITO_SENT);
    assert_string_equal(found.id.ptr, "m");
    lane_end(&l);
}

/* A send that settles itself does the same. */
static void test_settling(void **state)
{
    static const char chat[] = "{\"messages\":[{\"id\":\"m\",\"type\":\"text\",\"direction\":"
                               "\"out\",\"created\":1700000000,"
                               "\"content\":{\"text\":\"Hello\"}}],\"meta\":{\"has_more\":false}}";
    avito_sent_query baseline = {0};
    avito_message message;
    struct lane l;

    (void)state;
    plain_lane(&l);
    avito_enable_sent(&l.options);
    assert_int_equal(client_init(&l), AVITO_OK);
    assert_int_equal(avito_confirm_sends(&l.client, &baseline), AVITO_OK);
    script_connect(&l.script);
    fetch(&l, TOKEN);
    answer(&l, 500, "{}");
    answer(&l, 200, chat);
    assert_int_equal(
        lane_run(&l, avito_send_message(&l.client, 1, CHAT, "Hello", &l.arena, &message)),
        AVITO_OK);
    assert_non_null(strstr(request(&l, 2), "limit=100"));
    assert_string_equal(message.id.ptr, "m");
    lane_end(&l);
}

/* The message as the service stored it, for a caller that asks for it. */
static void test_sent(void **state)
{
    static const char stored[] =
        "{\"id\":\"m7\",\"content\":{\"text\":\"Hello\"},\"type\":\"text\"}";
    avito_message message;
    struct lane l;

    (void)state;
    plain_lane(&l);
    assert_int_equal(client_init(&l), AVITO_OK);
    refused(&l, avito_send_message(&l.client, 1, CHAT, "Hello", &l.arena, &message),
            AVITO_ERR_OPTION_SENT, "avito_enable_sent()");
    refused(&l, avito_send_image_message(&l.client, 1, CHAT, "1.a", &l.arena, &message),
            AVITO_ERR_OPTION_SENT, "avito_enable_sent()");
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    script_connect(&l.script);
    fetch(&l, TOKEN);
    answer(&l, 200, stored);
    assert_int_equal(lane_run(&l, avito_send_message(&l.client, 1, CHAT, "Hello", NULL, NULL)),
                     AVITO_OK);
    answer(&l, 200, "{\"content\":{\"text\":\"Hello\"}}"); /* it has no id */
    assert_int_equal(lane_run(&l, avito_send_message(&l.client, 1, CHAT, "Hello", NULL, NULL)),
                     AVITO_ERR_MODEL);
    avito_client_close(&l.client);
    avito_enable_sent(&l.options);
    assert_int_equal(client_init(&l), AVITO_OK);
    script_connect(&l.script);
    answer(&l, 200, stored);
    assert_int_equal(
        lane_run(&l, avito_send_message(&l.client, 1, CHAT, "Hello", &l.arena, &message)),
        AVITO_OK);
    assert_string_equal(message.id.ptr, "m7");
    assert_string_equal(message.content.as.text.ptr, "Hello");
    lane_end(&l);
}

/* A send that settles itself pauses between two looks into the chat, with retries linked or without. */
static void test_settled_without_retries(void **state)
{
    static const char empty[] = "{\"messages\":[],\"meta\":{\"has_more\":false}}";
    static const char there[] =
        "{\"messages\":[{\"id\":\"m7\",\"created\":5,\"direction\":\"out\",\"type\":\"text\","
        "\"content\":{\"text\":\"Hello\"}}],\"meta\":{\"has_more\":false}}";
    static const avito_sent_query nothing_before;
    avito_message message;
    struct lane l;
    int rc;

    (void)state;
    plain_lane(&l);
    avito_enable_sent(&l.options);
    avito_enable_pages(&l.options);
    assert_int_equal(client_init(&l), AVITO_OK);
    assert_int_equal(avito_confirm_sends(&l.client, &nothing_before), AVITO_OK);
    script_connect(&l.script);
    fetch(&l, TOKEN);
    script_request(&l.script);
    script_end(&l.script);
    script_connect(&l.script);
    answer(&l, 200, empty);
    answer(&l, 200, there);
    rc = avito_send_message(&l.client, 1, CHAT, "Hello", &l.arena, &message);
    while (rc == AVITO_AGAIN && avito_wants(&l.client) != AVITO_WANT_TIMER) {
        rc = avito_step(&l.client);
    }
    assert_int_equal(rc, AVITO_AGAIN);
    assert_int_equal(avito_deadline_ms(&l.client), 2000);
    clock_advance(&l.clock, 1500);
    assert_int_equal(avito_deadline_ms(&l.client), 500);
    clock_advance(&l.clock, 500);
    assert_int_equal(lane_run(&l, avito_step(&l.client)), AVITO_OK);
    assert_string_equal(message.id.ptr, "m7");
    lane_end(&l);
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void test_lanes(void **state)
{
    static char window[512];
    struct lane l;
    avito_client second;
    avito_client_options options;

    (void)state;
    plain_lane(&l);
    options = l.options;
    options.window = window;
    l.account_options.lock = nothing;
    l.account_options.unlock = nothing;
    refused(&l, account_init(&l), AVITO_ERR_OPTION_LANES, "avito_enable_lanes()");
    l.account_options.lock = NULL;
    l.account_options.unlock = NULL;
    assert_int_equal(account_init(&l), AVITO_OK);
    assert_int_equal(client_init(&l), AVITO_OK);
    assert_int_equal(client_init(&l), AVITO_OK); /* the same one */
    refused(&l, avito_client_init(&second, &l.account, &options), AVITO_ERR_OPTION_LANES,
            "avito_enable_lanes()");
    avito_client_close(&l.client);
    assert_int_equal(avito_client_init(&second, &l.account, &options), AVITO_OK);
    refused(&l, avito_get_token(&l.client, NULL), AVITO_ERR_OPTION_LANES, "avito_enable_lanes()");
    avito_client_close(&second);
    avito_enable_lanes(&l.account_options);
    assert_int_equal(account_init(&l), AVITO_OK);
    assert_int_equal(client_init(&l), AVITO_OK);
    assert_int_equal(avito_client_init(&second, &l.account, &options), AVITO_OK);
    l.script.again = true;
    script_connect(&l.script);
    fetch(&l, TOKEN);
    assert_int_equal(avito_get_token(&l.client, NULL), AVITO_AGAIN);
    assert_int_equal(avito_get_token(&second, NULL), AVITO_AGAIN);
    assert_int_equal(avito_wants(&second), AVITO_WANT_ACCOUNT);
    avito_cancel(&second);
    assert_int_equal(lane_run(&l, AVITO_AGAIN), AVITO_OK);
    lane_end(&l);
}

static uint32_t clock_that_closes(void *ctx)
{
    struct lane *l = ctx;

    if (l->client.priv.inside) {
        avito_client_close(&l->client);
    }
    return clock_ms(ctx);
}

/* Also a lane that one of its hooks closes leaves the account to the next one. */
static void test_closed_by_a_hook(void **state)
{
    static char window[512];
    avito_client second;
    avito_self self;
    struct lane l;

    (void)state;
    plain_lane(&l);
    l.account_options.clock_ms = clock_that_closes;
    assert_int_equal(account_init(&l), AVITO_OK);
    assert_int_equal(client_init(&l), AVITO_OK);
    assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)), AVITO_ERR_CANCELLED);
    l.options.window = window;
    assert_int_equal(avito_client_init(&second, &l.account, &l.options), AVITO_OK);
    avito_client_close(&second);
    lane_end(&l);
}

/* ---- one copy of the token ---- */

static void ask(struct lane *l, int expected)
{
    avito_self self;
    int rc;

    avito_arena_reset(&l->arena);
    rc = lane_run(l, avito_get_self(&l->client, &l->arena, &self));
    if (rc != expected) {
        const char *problem = script_problem_open(&l->script, true);

        fail_msg("%s: %s", avito_error_name(rc), problem != NULL ? problem : "");
    }
}

static void one_copy(struct lane *l, size_t longest)
{
    plain_lane(l);
    l->account_options.tokens_cap = AVITO_TOKENS_SIZE_ONE_LANE(longest);
    assert_int_equal(account_init(l), AVITO_OK);
    assert_int_equal(client_init(l), AVITO_OK);
    script_connect(&l->script);
}

static void test_new_token_over_the_old_one(void **state)
{
    struct lane l;

    (void)state;
    one_copy(&l, 24);
    fetch(&l, TOKEN);
    answer(&l, 200, "{\"id\":7}");
    ask(&l, AVITO_OK);
    clock_advance(&l.clock, 86400000);
    script_connect(&l.script); /* kept for too long */
    fetch(&l, "second-token-that-is-24-");
    answer(&l, 200, "{\"id\":7}");
    ask(&l, AVITO_OK);
    assert_non_null(strstr(request(&l, 3), "Bearer second-token-that-is-24-\r\n"));
    clock_advance(&l.clock, 86400000);
    script_connect(&l.script);
    answer(&l, 200,
           "{\"access_token\":\"third-tok"); /* it breaks off: nothing of the old one is used */
    ask(&l, AVITO_ERR_JSON);
    script_connect(&l.script);
    fetch(&l, "fourth-token");
    answer(&l, 200, "{\"id\":7}");
    ask(&l, AVITO_OK);
    assert_non_null(strstr(request(&l, 6), "Bearer fourth-token\r\n"));
    lane_end(&l);
}

static int load_dated(void *ctx, avito_token *token)
{
    (void)load(ctx, token);
    token->expires_at = clock_unix_time(ctx) + 86400;
    return AVITO_OK;
}

/* The stored token may be newer than the refused one. If it is the same, it is not used again, though its
 * copy may be dropped. */
static void test_refused_token_of_the_store_in_one_copy(void **state)
{
    struct lane l;

    (void)state;
    plain_lane(&l);
    l.account_options.tokens_cap = AVITO_TOKENS_SIZE_ONE_LANE(24);
    l.account_options.load_token = load_dated;
    avito_enable_token_store(&l.account_options);
    assert_int_equal(account_init(&l), AVITO_OK);
    assert_int_equal(client_init(&l), AVITO_OK);
    script_connect(&l.script);
    answer(&l, 401, "{}");
    fetch(&l, TOKEN);
    answer(&l, 200, "{\"id\":7}");
    ask(&l, AVITO_OK);
    assert_non_null(strstr(request(&l, 2), "Bearer " TOKEN "\r\n"));
    lane_end(&l);
}

/* An account by consent has only a refresh token to renew by, and avito_account_by_consent() links that. */
static void test_by_consent(void **state)
{
    struct lane l;

    (void)state;
    plain_lane(&l);
    assert_int_equal(account_init(&l), AVITO_OK);
    assert_int_equal(avito_account_by_consent(&l.account), AVITO_OK);
    assert_int_equal(client_init(&l), AVITO_OK);
    ask(&l, AVITO_ERR_REFRESH_TOKEN);
    assert_int_equal(l.script.connects, 0);
    lane_end(&l);
}

/* A refresh token must survive the answer that brings the next one. */
static void test_refresh_needs_two_halves(void **state)
{
    static const char pair[] = "{\"access_token\":\"access-1-of-20-bytes\",\"refresh_token\":"
                               "\"refresh-token-1-of-28-bytes-\",\"expires_in\":60}";
    static const char next[] = "{\"access_token\":\"access-2-of-20-bytes\",\"refresh_token\":"
                               "\"refresh-token-2-of-28-bytes-\",\"expires_in\":60}";

    (void)state;
    for (int two = 0; two < 2; two++) {
        struct lane l;

        one_copy(&l, 8);
        l.account_options.tokens_cap = two ? AVITO_TOKENS_SIZE(28) : AVITO_TOKENS_SIZE_ONE_LANE(1);
        assert_int_equal(account_init(&l), AVITO_OK);
        assert_int_equal(client_init(&l), AVITO_OK);
        answer(&l, 200, pair);
        assert_int_equal(lane_run(&l, avito_exchange_code(&l.client, "code", NULL)), AVITO_OK);
        clock_advance(&l.clock, 61000);
        script_connect(&l.script);
        answer(&l, 200, next);
        if (two) {
            answer(&l, 200, "{\"id\":7}");
        }
        ask(&l, two ? AVITO_OK : AVITO_ERR_TOKEN_ROOM);
        assert_non_null(strstr(request(&l, 1), "refresh_token=refresh-token-1-of-28-bytes-"));
        assert_string_equal(l.account.priv.refresh,
                            two ? "refresh-token-2-of-28-bytes-" : "refresh-token-1-of-28-bytes-");
        assert_int_equal(avito_last_error(&l.client)->needed > 0, !two);
        lane_end(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_store),
        cmocka_unit_test(test_diagnostics),
        cmocka_unit_test(test_masked_without_a_copy),
        cmocka_unit_test(test_refusal_without_diagnostics),
        cmocka_unit_test(test_fields_without_diagnostics),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_confirming),
        cmocka_unit_test(test_settling),
        cmocka_unit_test(test_sent),
        cmocka_unit_test(test_settled_without_retries),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_closed_by_a_hook),
        cmocka_unit_test(test_inbox_records),
        cmocka_unit_test(test_new_token_over_the_old_one),
        cmocka_unit_test(test_refused_token_of_the_store_in_one_copy),
        cmocka_unit_test(test_by_consent),
        cmocka_unit_test(test_refresh_needs_two_halves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
