/*
 * Tokens: when they are fetched, renewed, stored and given up; one request in flight for any number
 * of lanes; and nothing secret is ever shown.
 * Rooms: ACCOUNT, AUTHORIZATION, TOKENS, TOKEN STORE, DIAGNOSTICS.
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

#define T1                                                                                         \
    "{\"access_token\":\"first-token-000000\",\"expires_in\":86400,\"token_type\":\"Bearer\"}"
#define T2                                                                                         \
    "{\"access_token\":\"second-token-11111\",\"expires_in\":86400,\"token_type\":\"Bearer\"}"
#define P1                                                                                         \
    "{\"access_token\":\"pair-token-222222\",\"refresh_token\":\"pair-refresh-3333\",\"expires_"   \
    "in\":86400}"
#define ME      "{\"id\":7}"
#define EXPIRED "{\"result\":{\"status\":false,\"message\":\"access token expired\"}}"
#define OURS                                                                                       \
    "{\"messages\":[{\"id\":\"new\",\"author_id\":7,\"created\":101,\"type\":\"text\","            \
    "\"direction\":\"out\",\"content\":{\"text\":\"hi\"}}],\"meta\":{\"has_more\":false}}"
#define PERMISSION "{\"error\":{\"message\":\"Permission denied\"}}"

static avito_self self;

static void expect_post_and(struct script *s, const char *grant_and_more, const char *last)
{
    char text[600], body[400];

    (void)snprintf(body, sizeof body, "%s&client_id=" LANE_ID "&client_secret=" LANE_SECRET "%s",
                   grant_and_more, last);
    (void)snprintf(
        text, sizeof text,
        "POST /token HTTP/1.1\r\nHost: api.avito.ru\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(body), body);
    script_expect(s, text, strlen(text));
}

static void expect_post(struct script *s, const char *grant_and_more)
{
    expect_post_and(s, grant_and_more, "");
}

static void fetch(struct script *s, int status, const char *answer)
{
    expect_post(s, "grant_type=client_credentials");
    script_answer_json(s, status, answer, strlen(answer));
}

static void refresh(struct script *s, const char *token, int status, const char *answer)
{
    char grant[200];

    (void)snprintf(grant, sizeof grant, "grant_type=refresh_token&refresh_token=%s", token);
    expect_post(s, grant);
    script_answer_json(s, status, answer, strlen(answer));
}

static void ask_self(struct script *s, const char *token, int status, const char *answer)
{
    char text[2500];

    (void)snprintf(
        text, sizeof text,
        "GET /core/v1/accounts/self HTTP/1.1\r\nHost: api.avito.ru\r\nAuthorization: Bearer %s\r\n"
        "\r\n",
        token);
    script_expect(s, text, strlen(text));
    script_answer_json(s, status, answer, strlen(answer));
}

static void expect(struct lane *l, int expected)
{
    int rc;

    self.id = 0;
    rc = lane_run(l, avito_get_self(&l->client, &l->arena, &self));
    if (rc != expected) {
        fail_msg("%s: %s", dump_result_name(rc), avito_last_error(&l->client)->text);
    }
    assert_int_equal(avito_last_error(&l->client)->code, expected);
    assert_int_equal(self.id, expected == AVITO_OK ? 7 : 0);
}

static void begin(struct lane *l, bool no_token)
{
    lane_init(l, 512);
    l->no_token = no_token;
    script_connect(&l->script);
}

/* ---- when ---- */

static void test_fetched_when_missing_and_kept(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, true);
    fetch(&l.script, 200, T1);
    ask_self(&l.script, "first-token-000000", 200, ME);
    ask_self(&l.script, "first-token-000000", 200, ME);
    expect(&l, AVITO_OK);
    expect(&l, AVITO_OK);
    assert_int_equal(l.loads, 1);
    assert_int_equal(l.saves, 1);
    assert_string_equal(l.saved_access, "first-token-000000");
    lane_end(&l);
}

static void test_stored_token_is_used(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    ask_self(&l.script, LANE_TOKEN, 200, ME);
    expect(&l, AVITO_OK);
    assert_int_equal(l.loads, 1);
    assert_int_equal(l.saves, 0);
    lane_end(&l);
}

static void test_renewed_ahead_of_expiry(void **state)
{
    static const struct {
        uint32_t later_s;
        bool renewed;
    } rows[] = {{0, false}, {3600 - 301, false}, {3600 - 300, true}, {3600, true}, {90000, true}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        begin(&l, true);
        l.options.keep_alive_ms = UINT32_MAX;
        lane_again(&l, 512);
        fetch(&l.script, 200, "{\"access_token\":\"hour\",\"expires_in\":\"3600\"}");
        ask_self(&l.script, "hour", 200, ME);
        if (rows[i].renewed) {
            fetch(&l.script, 200, T2);
        }
        ask_self(&l.script, rows[i].renewed ? "second-token-11111" : "hour", 200, ME);
        expect(&l, AVITO_OK);
        clock_advance(&l.clock, rows[i].later_s * 1000u);
        expect(&l, AVITO_OK);
        lane_end(&l);
    }
}

/* Before a renewal the store is asked again: another program may have been there first. */
static void test_a_token_that_another_program_has_renewed(void **state)
{
    static char longer[3000]; /* no room for it */
    static const struct {
        const char *stored;
        int64_t expires_after_s; /* the clock's now; 0: it does not say */
        bool taken;
    } rows[] = {{"of-another-program", 86400, true},
                {"of-another-program", 300, false},
                {"of-another-program", -1, false},
                {"of-another-program", 0, false},
                {"hour", 86400, false},
                {"not a token", 86400, false},
                {"", 86400, false},
                {longer, 86400, false},
                {"with-a-long-refresh-token", 86400, false}};

    (void)state;
    memset(longer, 'a', sizeof longer - 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        begin(&l, true);
        l.stored_refresh = strstr(rows[i].stored, "refresh") != NULL ? longer : NULL;
        l.options.keep_alive_ms = UINT32_MAX;
        lane_again(&l, 512);
        l.no_token = true;
        fetch(&l.script, 200, "{\"access_token\":\"hour\",\"expires_in\":3600}");
        ask_self(&l.script, "hour", 200, ME);
        expect(&l, AVITO_OK);
        clock_advance(&l.clock, 3500u * 1000u);
        l.no_token = false;
        l.stored_access.ptr = rows[i].stored;
        l.stored_access.len = strlen(rows[i].stored);
        l.stored_expires =
            rows[i].expires_after_s != 0 ? clock_unix_time(&l.clock) + rows[i].expires_after_s : 0;
        if (!rows[i].taken) {
            fetch(&l.script, 200, T2);
        }
        ask_self(&l.script, rows[i].taken ? "of-another-program" : "second-token-11111", 200, ME);
        expect(&l, AVITO_OK);
        assert_int_equal(l.saves, rows[i].taken ? 1 : 2);
        if (rows[i].taken) { /* refused: the stored token is the same, so a new one is fetched */
            ask_self(&l.script, "of-another-program", 403, EXPIRED);
            fetch(&l.script, 200, T2);
            ask_self(&l.script, "second-token-11111", 200, ME);
            expect(&l, AVITO_OK);
        }
        lane_end(&l);
    }
}

/* Another program has renewed the pair: its refresh token is the good one now. */
static void test_a_refresh_token_that_another_program_has_spent(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    l.stored_refresh = "spent";
    ask_self(&l.script, LANE_TOKEN, 403, EXPIRED);
    refresh(&l.script, "spent", 400, "{\"error\":\"invalid_grant\"}");
    expect(&l, AVITO_ERR_REFRESH_TOKEN);
    l.stored_access.ptr = "of-another-program";
    l.stored_access.len = strlen(l.stored_access.ptr);
    l.stored_refresh = "the next";
    l.stored_expires = clock_unix_time(&l.clock) + 86400;
    ask_self(&l.script, "of-another-program", 200, ME);
    expect(&l, AVITO_OK);
    lane_end(&l);
}

/* A life shorter than the margin must not make it fetch for ever. */
static void test_short_lives(void **state)
{
    static const int lives[] = {0, 1, 2, 60, 299, 300, 301}; /* 0 says nothing: a day */

    (void)state;
    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        struct lane l;
        char token[100];
        (void)snprintf(token, sizeof token, "{\"access_token\":\"short\",\"expires_in\":%d}",
                       lives[i]);
        begin(&l, true);
        fetch(&l.script, 200, token);
        ask_self(&l.script, "short", 200, ME);
        ask_self(&l.script, "short", 200, ME);
        expect(&l, AVITO_OK);
        expect(&l, AVITO_OK);
        lane_end(&l);
    }
}

/* A life of years: the clock cannot measure it, so the token is renewed after 23 days at the latest. */
static void test_long_lives(void **state)
{
    static const char *const lives[] = {"2000001", "9000000000", "9223372036854775807"};

    (void)state;
    for (size_t i = 0; i < sizeof lives / sizeof lives[0]; i++) {
        struct lane l;
        char token[100];
        (void)snprintf(token, sizeof token, "{\"access_token\":\"long\",\"expires_in\":%s}",
                       lives[i]);
        begin(&l, true);
        l.options.keep_alive_ms = UINT32_MAX;
        lane_again(&l, 512);
        fetch(&l.script, 200, token);
        ask_self(&l.script, "long", 200, ME);
        ask_self(&l.script, "long", 200, ME);
        fetch(&l.script, 200, T2);
        ask_self(&l.script, "second-token-11111", 200, ME);
        expect(&l, AVITO_OK);
        clock_advance(&l.clock, 1999000u * 1000u);
        expect(&l, AVITO_OK);
        clock_advance(&l.clock, 1000u * 1000u);
        expect(&l, AVITO_OK);
        lane_end(&l);
    }
}

/* Every look at the clock takes longer than the token lives: one fetch, one use. */
static void test_life_shorter_than_a_call(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, true);
    l.clock.ms_per_call = 1500;
    fetch(&l.script, 200, "{\"access_token\":\"fly\",\"expires_in\":1}");
    ask_self(&l.script, "fly", 200, ME);
    expect(&l, AVITO_OK);
    lane_end(&l);
}

/* ---- refusals ---- */

static void test_renewed_once_when_refused(void **state)
{
    static const struct {
        int status;
        const char *body;
    } rows[] = {{401, "{\"error\":{\"code\":401,\"message\":\"Unauthorized\"}}"},
                {403, EXPIRED},
                {403, ""},
                {401, PERMISSION},
                {403, "<html>no</html>"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        begin(&l, false);
        ask_self(&l.script, LANE_TOKEN, rows[i].status, rows[i].body);
        fetch(&l.script, 200, T1);
        ask_self(&l.script, "first-token-000000", 200, ME);
        expect(&l, AVITO_OK);
        assert_string_equal(avito_last_error(&l.client)->text, "");
        lane_end(&l);
    }
}

/* An unproven token gets a minute, not half of the clock's range. */
static void test_unproven_token_after_quiet_weeks(void **state)
{
    static const char long_lived[] = "{\"access_token\":\"long\",\"expires_in\":2000000}";

    (void)state;
    for (uint32_t hours = 1; hours < 1100; hours += 31) {
        const bool expired = hours * 3600u >= 2000000u - 300u;
        struct lane l;
        begin(&l, true);
        fetch(&l.script, 200, long_lived);
        script_connect(&l.script);
        if (!expired) {
            ask_self(&l.script, "long", 403, EXPIRED);
        }
        fetch(&l.script, 200, T1);
        ask_self(&l.script, "first-token-000000", 200, ME);
        assert_int_equal(lane_run(&l, avito_get_token(&l.client, NULL)), AVITO_OK);
        clock_advance(&l.clock, hours * 3600000u);
        expect(&l, AVITO_OK);
        lane_end(&l);
    }
}

/* A token with which a call was accepted is worth a new one at once, and so are its successors. */
static void test_proven_token_is_renewed_within_its_minute(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, true);
    fetch(&l.script, 200, T1);
    ask_self(&l.script, "first-token-000000", 200, ME);
    expect(&l, AVITO_OK);
    ask_self(&l.script, "first-token-000000", 401, "");
    fetch(&l.script, 200, T2);
    ask_self(&l.script, "second-token-11111", 200, ME);
    expect(&l, AVITO_OK);
    ask_self(&l.script, "second-token-11111", 401, "");
    fetch(&l.script, 200, T1);
    ask_self(&l.script, "first-token-000000", 200, ME);
    expect(&l, AVITO_OK);
    lane_end(&l);
}

/* A call whose answer says no more than ok is such a call. */
static void test_token_is_proven_by_a_plain_ok(void **state)
{
    static const char ok[] = "{\"ok\":true}";
    struct lane l;

    (void)state;
    begin(&l, true);
    fetch(&l.script, 200, T1);
    script_request(&l.script);
    script_answer_json(&l.script, 200, ok, sizeof ok - 1);
    assert_int_equal(lane_run(&l, avito_mark_chat_as_read(&l.client, 1, "u2i-a")), AVITO_OK);
    ask_self(&l.script, "first-token-000000", 401, "");
    fetch(&l.script, 200, T2);
    ask_self(&l.script, "second-token-11111", 200, ME);
    expect(&l, AVITO_OK);
    lane_end(&l);
}

/* If a new token cured a 403, the next 403 gets one too, although calls in between were accepted. */
static void test_what_helped_is_done_again(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    ask_self(&l.script, LANE_TOKEN, 403, "");
    fetch(&l.script, 200, T1);
    ask_self(&l.script, "first-token-000000", 200, ME);
    expect(&l, AVITO_OK);
    clock_advance(&l.clock, 60000u);
    script_connect(&l.script);
    ask_self(&l.script, "first-token-000000", 200, ME);
    expect(&l, AVITO_OK);
    ask_self(&l.script, "first-token-000000", 403, "");
    fetch(&l.script, 200, T2);
    ask_self(&l.script, "second-token-11111", 200, ME);
    expect(&l, AVITO_OK);
    lane_end(&l);
}

static void test_second_refusal_is_the_callers(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    ask_self(&l.script, LANE_TOKEN, 403, EXPIRED);
    fetch(&l.script, 200, T1);
    ask_self(&l.script, "first-token-000000", 403, EXPIRED);
    ask_self(&l.script, "first-token-000000", 401, "{}"); /* and it does not fetch one per call */
    expect(&l, AVITO_ERR_FORBIDDEN);
    assert_string_equal(avito_last_error(&l.client)->text, "access token expired");
    expect(&l, AVITO_ERR_UNAUTHORIZED);
    lane_end(&l);
}

/* One renewal per call, even where the second refusal comes so late that the token had its
 * minute. */
static void test_second_refusal_that_comes_late(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    l.options.idle_timeout_ms = l.options.total_timeout_ms = 36000000;
    lane_again(&l, 512);
    l.clock.ms_per_call = 61000;
    ask_self(&l.script, LANE_TOKEN, 401, "{}");
    fetch(&l.script, 200, T1);
    ask_self(&l.script, "first-token-000000", 401, "{}");
    script_connect(&l.script);
    ask_self(&l.script, "first-token-000000", 200, ME); /* nor is it thrown away */
    expect(&l, AVITO_ERR_UNAUTHORIZED);
    expect(&l, AVITO_OK);
    lane_end(&l);
}

static void test_permission_is_not_a_matter_of_tokens(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    ask_self(&l.script, LANE_TOKEN, 403, PERMISSION);
    expect(&l, AVITO_ERR_FORBIDDEN);
    assert_int_equal(avito_last_error(&l.client)->http_status, 403);
    assert_string_equal(avito_last_error(&l.client)->text, "Permission denied");
    lane_end(&l);
}

/* A send that was refused for its token was not stored: it is written again, once. */
static void test_refused_send_is_repeated(void **state)
{
    static const char body[] = "{\"message\":{\"text\":\"hi\"},\"type\":\"text\"}";
    static const char *const tokens[] = {LANE_TOKEN, "first-token-000000"};
    struct lane l;
    avito_message m;

    (void)state;
    begin(&l, false);
    for (int i = 0; i < 2; i++) {
        char text[500];
        (void)snprintf(
            text, sizeof text,
            "POST /messenger/v1/accounts/1/chats/c/messages HTTP/1.1\r\nHost: api.avito.ru\r\n"
            "Authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
            "\r\n%s",
            tokens[i], strlen(body), body);
        script_expect(&l.script, text, strlen(text));
        if (i == 0) {
            script_answer_json(&l.script, 401, "{}", 2);
            fetch(&l.script, 200, T1);
        }
    }
    script_answer_json(&l.script, 200, "{\"id\":\"m\"}", 10);
    assert_int_equal(lane_run(&l, avito_send_message(&l.client, 1, "c", "hi", &l.arena, &m)),
                     AVITO_OK);
    lane_end(&l);
}

/* Before a write, the lane looks for an end of the stream, also after the answer with the token. */
static void test_closed_with_the_tokens_answer(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, true);
    fetch(&l.script, 200, T1);
    script_end(&l.script);
    lane_exchange(&l, 200, "{\"id\":\"m\"}", 10);
    assert_int_equal(lane_run(&l, avito_send_message(&l.client, 1, "c", "hi", NULL, NULL)),
                     AVITO_OK);
    assert_int_equal(l.script.connects, 2);
    lane_end(&l);
}

static void test_token_requests_that_fail(void **state)
{
    static const struct {
        int status;
        const char *body;
        int result;
        const char *text;
    } rows[] = {
        {401, "{\"error\":\"invalid_client\"}", AVITO_ERR_CREDENTIALS, "invalid_client"},
        {400, "{\"error\":{\"code\":400,\"message\":\"bad\"}}", AVITO_ERR_CREDENTIALS, "bad"},
        {403, "no", AVITO_ERR_CREDENTIALS, "no"},
        {200, "{\"error\":\"invalid_client\"}", AVITO_ERR_CREDENTIALS, "invalid_client"},
        {500, "{}", AVITO_ERR_SERVER, NULL},
        {503, "", AVITO_ERR_SERVER, NULL},
        {429, "", AVITO_ERR_RATE, NULL},
        {302, "", AVITO_ERR_REDIRECT, NULL},
        {200, "", AVITO_ERR_EMPTY, NULL},
        {200, "<html>", AVITO_ERR_JSON, NULL},
        {200, "[]", AVITO_ERR_MODEL, NULL},
        {200, "{\"access_token\":5}", AVITO_ERR_MODEL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        begin(&l, true);
        fetch(&l.script, rows[i].status, rows[i].body);
        script_connect(&l.script);
        fetch(&l.script, 200, T1);
        ask_self(&l.script, "first-token-000000", 200, ME);
        expect(&l, rows[i].result);
        if (rows[i].text != NULL) {
            assert_string_equal(avito_last_error(&l.client)->text, rows[i].text);
        }
        assert_int_equal(avito_last_error(&l.client)->http_status, rows[i].status);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        assert_int_equal(l.saves, 0);
        if (l.script.open) { /* the connection may be kept after a refusal */
            avito_client_close(&l.client);
        }
        expect(&l, AVITO_OK); /* nothing is left of it */
        lane_end(&l);
    }
}

/* ---- hooks, rotation ---- */

static void test_refresh_token_rotates(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    l.stored_refresh = "old/refresh+1";
    ask_self(&l.script, LANE_TOKEN, 403, EXPIRED);
    refresh(&l.script, "old%2Frefresh%2B1", 200, P1);
    ask_self(&l.script, "pair-token-222222", 200, ME);
    expect(&l, AVITO_OK);
    assert_int_equal(l.saves, 1);
    assert_string_equal(l.saved_access, "pair-token-222222");
    assert_string_equal(l.saved_refresh, "pair-refresh-3333");
    lane_end(&l);
}

/* An answer without a refresh token leaves the old one in force. */
static void test_refresh_answer_without_refresh_token(void **state)
{
    struct lane l;
    avito_token token;

    (void)state;
    begin(&l, false);
    l.stored_refresh = "keeps";
    refresh(&l.script, "keeps", 200, T1);
    refresh(&l.script, "keeps", 200, T2);
    assert_int_equal(lane_run(&l, avito_refresh_token(&l.client, &token)), AVITO_OK);
    assert_string_equal(token.access_token.ptr, "first-token-000000");
    assert_string_equal(token.refresh_token.ptr, "keeps");
    assert_string_equal(l.saved_refresh, "keeps");
    assert_int_equal(lane_run(&l, avito_refresh_token(&l.client, &token)), AVITO_OK);
    assert_string_equal(token.access_token.ptr, "second-token-11111");
    lane_end(&l);
}

/* The old one needs room beside the new access token: the error says how much would do. */
static void test_carried_refresh_token_without_room(void **state)
{
    static const size_t lengths[][2] = {{15, 60}, {60, 15}, {40, 40}}; /* access, refresh */

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t needed = 0, worked = 0;
        for (size_t cap = AVITO_TOKENS_SIZE(1); worked == 0; cap += 2) {
            struct guard tokens = guard_end(cap);
            char answer[120], access[64], refresh_token[64];
            struct lane l;
            avito_token token;
            int rc;
            assert_true(cap < AVITO_TOKENS_SIZE(100));
            memset(access, 'a', sizeof access);
            access[lengths[i][0]] = '\0';
            memset(refresh_token, 'r', sizeof refresh_token);
            refresh_token[lengths[i][1]] = '\0';
            (void)snprintf(answer, sizeof answer, "{\"access_token\":\"%s\"}", access);
            lane_init(&l, 512);
            l.account_options.tokens = tokens.data;
            l.account_options.tokens_cap = cap;
            l.stored_access.ptr = "old";
            l.stored_access.len = 3;
            l.stored_refresh = refresh_token;
            lane_exchange(&l, 200, answer, strlen(answer));
            lane_again(&l, 512);
            rc = lane_run(&l, avito_refresh_token(&l.client, &token));
            if (rc == AVITO_OK) {
                worked = cap;
                assert_string_equal(token.access_token.ptr, access);
                assert_string_equal(token.refresh_token.ptr, refresh_token);
            } else {
                assert_int_equal(rc, AVITO_ERR_TOKEN_ROOM);
                needed = avito_last_error(&l.client)->needed;
                assert_true(AVITO_TOKENS_SIZE(needed) > cap);
            }
            lane_free(&l);
            guard_free(&tokens);
        }
        assert_true(needed > 0 && AVITO_TOKENS_SIZE(needed) >= worked);
    }
}

/* The pair is saved before it is used. If that fails, it waits: the old refresh token is spent, so
 * the next call of any kind hands the new one over again before anything else. */
static void test_save_that_fails(void **state)
{
    struct lane l;
    avito_token token;

    (void)state;
    begin(&l, false);
    l.stored_refresh = "old";
    l.save_result = -77;
    refresh(&l.script, "old", 200, P1);
    script_connect(&l.script);
    ask_self(&l.script, "pair-token-222222", 200, ME);
    assert_int_equal(lane_run(&l, avito_refresh_token(&l.client, &token)), AVITO_ERR_HOOK);
    assert_int_equal(avito_last_error(&l.client)->detail, -77);
    assert_int_equal(l.saves, 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(lane_run(&l, avito_refresh_token(&l.client, &token)), AVITO_ERR_HOOK);
        expect(&l, AVITO_ERR_HOOK);
        assert_int_equal(avito_last_error(&l.client)->detail, -77);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        assert_int_equal(l.saves, 3 + 2 * i);
        assert_string_equal(l.saved_access, "pair-token-222222");
        assert_string_equal(l.saved_refresh, "pair-refresh-3333");
        assert_int_equal(l.script.connects, 1);
    }
    l.save_result = AVITO_OK;
    expect(&l, AVITO_OK);
    assert_int_equal(l.saves, 6);
    assert_string_equal(l.saved_refresh, "pair-refresh-3333");
    lane_end(&l);
}

/* The same holds when a call fetched the token for itself. Meanwhile the token that is still good
 * is not used, and the old refresh token is not sent again. */
static void test_save_that_fails_on_the_way(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    l.stored_refresh = "old";
    l.save_result = -77;
    ask_self(&l.script, LANE_TOKEN, 403, EXPIRED);
    refresh(&l.script, "old", 200, P1);
    script_connect(&l.script);
    refresh(&l.script, "pair-refresh-3333", 200, T2);
    ask_self(&l.script, "second-token-11111", 200, ME);
    expect(&l, AVITO_ERR_HOOK);
    expect(&l, AVITO_ERR_HOOK);
    assert_int_equal(l.saves, 2);
    assert_int_equal(l.script.connects, 1);
    l.save_result = AVITO_OK;
    assert_int_equal(lane_run(&l, avito_refresh_token(&l.client, NULL)), AVITO_OK);
    assert_int_equal(l.saves, 4);
    assert_string_equal(l.saved_access, "second-token-11111");
    assert_string_equal(l.saved_refresh, "pair-refresh-3333");
    expect(&l, AVITO_OK);
    lane_end(&l);
}

/* ---- what is stored ---- */

/* Whichever call comes first, the store is asked, and no refresh token is lost. */
static void test_first_call_is_get_token(void **state)
{
    struct lane l;
    avito_token token;

    (void)state;
    begin(&l, false);
    l.stored_refresh = "stored";
    refresh(&l.script, "stored", 200, P1);
    ask_self(&l.script, "pair-token-222222", 200, ME);
    assert_int_equal(lane_run(&l, avito_get_token(&l.client, &token)), AVITO_OK);
    assert_int_equal(l.loads, 1);
    assert_string_equal(token.refresh_token.ptr, "pair-refresh-3333");
    assert_string_equal(l.saved_refresh, "pair-refresh-3333");
    expect(&l, AVITO_OK);
    lane_end(&l);
}

/* A store that cannot be read now is not an empty one. */
static void test_load_that_fails(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    l.stored_refresh = "stored";
    l.load_result = -33;
    ask_self(&l.script, LANE_TOKEN, 200, ME);
    expect(&l, AVITO_ERR_HOOK);
    assert_int_equal(avito_last_error(&l.client)->detail, -33);
    assert_int_equal(lane_run(&l, avito_get_token(&l.client, NULL)), AVITO_ERR_HOOK);
    assert_int_equal(lane_run(&l, avito_refresh_token(&l.client, NULL)), AVITO_ERR_HOOK);
    assert_int_equal(l.loads, 3);
    assert_int_equal(l.script.connects, 0);
    l.load_result = AVITO_OK;
    expect(&l, AVITO_OK);
    assert_int_equal(l.loads, 4);
    assert_int_equal(l.saves, 0);
    lane_end(&l);
}

/* A stored pair that is longer than its place: the error names the size that is enough. */
static void test_load_without_room(void **state)
{
    static const struct {
        size_t access, refresh, needed; /* needed 0: it fits */
    } rows[] = {{85, 0, 0}, {86, 0, 86}, {40, 44, 0}, {40, 45, 45}, {45, 40, 45}, {200, 10, 200}};
    char access[256], refresh_token[256];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct guard tokens = guard_end(AVITO_TOKENS_SIZE(10)); /* two halves of 86 */
        struct lane l;
        lane_init(&l, 512);
        l.account_options.tokens = tokens.data;
        l.account_options.tokens_cap = AVITO_TOKENS_SIZE(10);
        lane_again(&l, 512);
        memset(access, 'a', sizeof access);
        access[rows[i].access] = '\0';
        memset(refresh_token, 'r', sizeof refresh_token);
        refresh_token[rows[i].refresh] = '\0';
        l.stored_access.ptr = access;
        l.stored_access.len = rows[i].access;
        l.stored_refresh = rows[i].refresh > 0 ? refresh_token : NULL;
        if (rows[i].needed == 0) {
            script_connect(&l.script);
            ask_self(&l.script, access, 200, ME);
        }
        expect(&l, rows[i].needed == 0 ? AVITO_OK : AVITO_ERR_TOKEN_ROOM);
        assert_int_equal(avito_last_error(&l.client)->needed, rows[i].needed);
        lane_end(&l);
        guard_free(&tokens);
    }
}

/* What is stored may be the refresh token alone, of an application that has just been authorized. */
static void test_only_a_refresh_token_is_stored(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    l.stored_access.ptr = "";
    l.stored_refresh = "stored-refresh";
    refresh(&l.script, "stored-refresh", 200, P1);
    ask_self(&l.script, "pair-token-222222", 200, ME);
    expect(&l, AVITO_OK);
    assert_string_equal(l.saved_refresh, "pair-refresh-3333");
    lane_end(&l);
}

/* A token that no length of a header line can hold is none, however much room there is. */
static void test_endless_token_of_the_store(void **state)
{
    static char tokens[AVITO_TOKENS_SIZE(70000)], longest[UINT16_MAX + 2];
    struct lane l;

    (void)state;
    memset(longest, 'a', sizeof longest - 1);
    begin(&l, false);
    l.account_options.tokens = tokens;
    l.account_options.tokens_cap = sizeof tokens;
    lane_again(&l, 512);
    l.stored_access.ptr = longest;
    l.stored_access.len = sizeof longest - 1;
    expect(&l, AVITO_ERR_HOOK);
    l.stored_access.ptr++;
    l.stored_access.len--;
    script_request(&l.script);
    script_answer_json(&l.script, 200, ME, strlen(ME));
    expect(&l, AVITO_OK);
    lane_end(&l);
}

/* The life that is stored beside a token, with a clock that does not know the year yet. */
static int load_bare(void *ctx, avito_token *token)
{
    token->access_token = *(const avito_str *)ctx;
    token->expires_at = 1;
    return AVITO_OK;
}

static int64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

static avito_str bare_token;
static uint32_t bare_ms;

static uint32_t bare_clock(void *ctx)
{
    (void)ctx;
    return bare_ms;
}

static void test_load_without_a_life(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    bare_token = l.stored_access;
    bare_token.ptr = LANE_TOKEN;
    bare_token.len = strlen(LANE_TOKEN);
    bare_ms = 0;
    l.account_options.ctx = &bare_token;
    l.account_options.clock_ms = bare_clock;
    l.account_options.unix_time = no_time;
    l.account_options.entropy = NULL;
    l.account_options.load_token = load_bare;
    l.account_options.save_token = NULL;
    l.account_options.trace = NULL;
    l.options.keep_alive_ms = UINT32_MAX;
    lane_again(&l, 512);
    ask_self(&l.script, LANE_TOKEN, 200, ME);
    ask_self(&l.script, LANE_TOKEN, 200, ME);
    fetch(&l.script, 200, T2);
    ask_self(&l.script, "second-token-11111", 200, ME);
    expect(&l, AVITO_OK);
    bare_ms += 86000u * 1000u;
    expect(&l, AVITO_OK);
    bare_ms += 200u * 1000u; /* five minutes before a day is over */
    expect(&l, AVITO_OK);
    lane_end(&l);
}

static int64_t last_second(void *ctx)
{
    (void)ctx;
    return INT64_MAX;
}

/* A wall clock at its end: no token expires after that, and nothing says when. */
static void test_clock_at_its_end(void **state)
{
    struct lane l;
    avito_token token;

    (void)state;
    begin(&l, true);
    l.account_options.unix_time = last_second;
    lane_again(&l, 512);
    fetch(&l.script, 200, T1);
    assert_int_equal(lane_run(&l, avito_get_token(&l.client, &token)), AVITO_OK);
    assert_int_equal(token.expires_at, 0);
    lane_end(&l);
}

/* Each hook works without the other. */
static void test_one_hook_of_the_store(void **state)
{
    (void)state;
    for (int saves = 0; saves < 2; saves++) {
        struct lane l;
        begin(&l, !saves);
        if (saves) {
            l.account_options.load_token = NULL;
        } else {
            l.account_options.save_token = NULL;
        }
        l.options.keep_alive_ms = UINT32_MAX;
        lane_again(&l, 512);
        fetch(&l.script, 200, T1);
        ask_self(&l.script, "first-token-000000", 200, ME);
        fetch(&l.script, 200, T2);
        ask_self(&l.script, "second-token-11111", 200, ME);
        expect(&l, AVITO_OK);
        clock_advance(&l.clock, 86300u * 1000u);
        expect(&l, AVITO_OK);
        assert_int_equal(l.saves, saves ? 2 : 0);
        assert_int_equal(l.loads, saves ? 0 : 2);
        lane_end(&l);
    }
}

/* Without a wall clock nobody can tell which of two tokens is newer. */
static void test_load_without_a_wall_clock(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    l.account_options.unix_time = NULL;
    l.options.keep_alive_ms = UINT32_MAX;
    lane_again(&l, 512);
    ask_self(&l.script, LANE_TOKEN, 200, ME);
    fetch(&l.script, 200, T2);
    ask_self(&l.script, "second-token-11111", 200, ME);
    expect(&l, AVITO_OK);
    l.stored_access.ptr = "of-another-program";
    l.stored_access.len = strlen(l.stored_access.ptr);
    l.stored_expires = INT64_MAX;
    clock_advance(&l.clock, 86300u * 1000u);
    expect(&l, AVITO_OK);
    assert_int_equal(l.loads, 1);
    lane_end(&l);
}

/* What would end its header line is not a token. */
static const struct {
    const char *json, *bytes;
    size_t len;
} unfit[] = {
    {"abc\\r\\nX-Evil: 1", "abc\r\nX-Evil: 1", 14},
    {"abc def", "abc def", 7},
    {"abc\\n", "abc\n", 4},
    {"abc\\u0000def", "abc\0def", 7},
    {" ", " ", 1},
};

static void test_unfit_token_of_the_server(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unfit / sizeof unfit[0]; i++) {
        struct lane l;
        char answer[200];
        (void)snprintf(answer, sizeof answer, "{\"access_token\":\"%s\",\"expires_in\":86400}",
                       unfit[i].json);
        begin(&l, true);
        fetch(&l.script, 200, answer);
        script_connect(&l.script);
        fetch(&l.script, 200, T1);
        ask_self(&l.script, "first-token-000000", 200, ME);
        expect(&l, AVITO_ERR_MODEL);
        assert_string_equal(avito_last_error(&l.client)->text, "access_token");
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        assert_int_equal(l.saves, 0);
        avito_client_close(&l.client);
        expect(&l, AVITO_OK);
        lane_end(&l);
    }
}

static void test_unfit_token_of_the_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unfit / sizeof unfit[0]; i++) {
        struct lane l;
        begin(&l, false);
        l.stored_access.ptr = unfit[i].bytes;
        l.stored_access.len = unfit[i].len;
        ask_self(&l.script, LANE_TOKEN, 200, ME);
        expect(&l, AVITO_ERR_HOOK);
        expect(&l, AVITO_ERR_HOOK);
        assert_int_equal(l.loads, 2);
        assert_int_equal(l.script.connects, 0);
        l.stored_access.ptr = NULL; /* the store works again */
        expect(&l, AVITO_OK);
        lane_end(&l);
    }
}

static void test_exchange_code(void **state)
{
    struct lane l;
    avito_token token;

    (void)state;
    begin(&l, true);
    expect_post(&l.script, "grant_type=authorization_code&code=abc");
    script_answer_json(&l.script, 200, P1, strlen(P1));
    ask_self(&l.script, "pair-token-222222", 403, EXPIRED);
    script_connect(&l.script);
    clock_advance(&l.clock, 1);
    assert_int_equal(lane_run(&l, avito_exchange_code(&l.client, "abc", &token)), AVITO_OK);
    assert_string_equal(token.refresh_token.ptr, "pair-refresh-3333");
    assert_int_equal(token.expires_in, 86400);
    assert_int_equal(token.expires_at, l.clock.unix_s + 86400);
    expect(&l, AVITO_ERR_FORBIDDEN); /* a token just fetched is not renewed at once */
    lane_free(&l);
}

/* The request names the redirect address that the consent's link named, and only then. */
static void test_exchange_code_names_the_address(void **state)
{
    static const avito_consent consent = {NULL, NULL, "https://a.ru/b?c=\"\r\n", false};
    struct lane l;

    (void)state;
    begin(&l, true);
    expect_post_and(&l.script, "grant_type=authorization_code&code=abc",
                    "&redirect_uri=https%3A%2F%2Fa.ru%2Fb%3Fc%3D%22%0D%0A");
    script_answer_json(&l.script, 200, P1, strlen(P1));
    clock_advance(&l.clock, 1);
    assert_int_equal(lane_run(&l, avito_consent_exchange(&l.client, &consent, "abc", NULL)),
                     AVITO_OK);
    lane_free(&l);
}

/* There is a token without a refresh token, or nothing at all. */
static void test_refresh_without_a_refresh_token(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct lane l;
        begin(&l, i == 1);
        fetch(&l.script, 200, T1);
        assert_int_equal(lane_run(&l, avito_refresh_token(&l.client, NULL)),
                         AVITO_ERR_REFRESH_TOKEN);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        assert_int_equal(l.script.connects, 0);
        assert_int_equal(lane_run(&l, avito_get_token(&l.client, NULL)), AVITO_OK);
        assert_int_equal(lane_run(&l, avito_refresh_token(&l.client, NULL)),
                         AVITO_ERR_REFRESH_TOKEN);
        assert_int_equal(l.loads, 1);
        lane_end(&l);
    }
}

/* ---- an account by consent ---- */

static void begin_by_consent(struct lane *l, const char *refresh_token, bool nothing_stored)
{
    begin(l, nothing_stored);
    l->stored_refresh = refresh_token;
    assert_int_equal(avito_account_by_consent(&l->account), AVITO_OK);
}

/* Without a refresh token nothing leaves: the client credentials would open another account, and so
 * might a token without one. A consent given meanwhile through another program is noticed. */
static void test_by_consent_without_a_refresh_token(void **state)
{
    (void)state;
    for (int nothing = 0; nothing < 2; nothing++) {
        struct lane l;
        begin_by_consent(&l, NULL, nothing == 1);
        expect(&l, AVITO_ERR_REFRESH_TOKEN);
        assert_int_equal(lane_run(&l, avito_get_token(&l.client, NULL)), AVITO_ERR_REFRESH_TOKEN);
        assert_int_equal(lane_run(&l, avito_refresh_token(&l.client, NULL)),
                         AVITO_ERR_REFRESH_TOKEN);
        assert_int_equal(l.script.connects, 0);
        l.no_token = false;
        l.stored_refresh = "come-meanwhile";
        ask_self(&l.script, LANE_TOKEN, 200, ME);
        expect(&l, AVITO_OK);
        lane_end(&l);
    }
    assert_int_equal(avito_account_by_consent(NULL), AVITO_ERR_ARGUMENT);
}

static void test_by_consent_is_renewed_by_its_refresh_token(void **state)
{
    struct lane l;

    (void)state;
    begin_by_consent(&l, "consent", false);
    ask_self(&l.script, LANE_TOKEN, 403, EXPIRED);
    refresh(&l.script, "consent", 200, P1);
    ask_self(&l.script, "pair-token-222222", 200, ME);
    expect(&l, AVITO_OK);
    lane_end(&l);
}

/* A code that brought no refresh token serves as long as its token lives, and serves no other
 * account. */
static void test_by_consent_of_a_day(void **state)
{
    struct lane l;

    (void)state;
    begin_by_consent(&l, NULL, true);
    expect_post(&l.script, "grant_type=authorization_code&code=abc");
    script_answer_json(&l.script, 200, T1, strlen(T1));
    ask_self(&l.script, "first-token-000000", 200, ME);
    assert_int_equal(lane_run(&l, avito_exchange_code(&l.client, "abc", NULL)), AVITO_OK);
    expect(&l, AVITO_OK);
    clock_advance(&l.clock, 86400u * 1000u);
    expect(&l, AVITO_ERR_REFRESH_TOKEN);
    assert_int_equal(lane_run(&l, avito_get_token(&l.client, NULL)), AVITO_ERR_REFRESH_TOKEN);
    lane_end(&l);
}

/* It may be spent if it left and neither a pair nor a refusal came, even if the answer was only cut
 * short. */
static void test_refresh_in_doubt(void **state)
{
    static const struct {
        const char *answer;
        bool doubt;
    } cases[] = {
        {"", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{\"access_token\":\"n", true},
        {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lane l;
        begin(&l, false);
        l.stored_refresh = "old";
        expect_post(&l.script, "grant_type=refresh_token&refresh_token=old");
        script_answer(&l.script, SCRIPT_TEXT(cases[i].answer));
        script_end(&l.script);
        assert_true(lane_run(&l, avito_refresh_token(&l.client, NULL)) < 0);
        assert_int_equal(avito_account_refresh_in_doubt(&l.account), cases[i].doubt);
        lane_free(&l);
    }
}

static void test_refused_refresh_token(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    l.stored_refresh = "spent";
    refresh(&l.script, "spent", 400, "{\"error\":\"invalid_grant\"}");
    assert_int_equal(lane_run(&l, avito_refresh_token(&l.client, NULL)), AVITO_ERR_REFRESH_TOKEN);
    assert_string_equal(avito_last_error(&l.client)->text, "invalid_grant");
    lane_free(&l);
}

/* ---- sizes ---- */

static void test_long_token_through_a_small_window(void **state)
{
    struct lane l;
    char token[1025], answer[1200];

    (void)state;
    memset(token, 'T', sizeof token - 1);
    token[sizeof token - 1] = '\0';
    (void)snprintf(answer, sizeof answer, "{\"access_token\":\"%s\",\"expires_in\":86400}", token);
    begin(&l, true);
    l.script.send_piece = 100;
    l.script.recv_piece = 3;
    fetch(&l.script, 200, answer);
    ask_self(&l.script, token, 200, ME);
    expect(&l, AVITO_OK);
    assert_string_equal(l.saved_access, token);
    lane_end(&l);
}

/* Every size of the token buffer: an error that names a size, which is enough, or the right token. */
static void test_every_size_of_the_token_buffer(void **state)
{
    static const char answer[] =
        "{\"access_token\":\"0123456789012345678901234567890123456789\","
        "\"refresh_token\":\"abcdefghijabcdefghijabcdefghijabcdefghij\","
        "\"token_type\":\"Bearer\",\"scope\":\"messenger:read,messenger:write\","
        "\"expires_in\":86400}";
    size_t worked = 0, needed = 0;

    (void)state;
    for (size_t i = 2 * AVITO_TOKENS_SIZE(1); i < 2 * AVITO_TOKENS_SIZE(60); i++) {
        const size_t cap = i / 2,
                     window = i % 2 == 0 ? 512 : 4096; /* strings in pieces, and whole */
        struct guard tokens = guard_end(cap);
        struct lane l;
        avito_token token;
        int rc;
        lane_init(&l, window);
        l.no_token = true;
        l.account_options.tokens = tokens.data;
        l.account_options.tokens_cap = cap;
        lane_exchange(&l, 200, answer, sizeof answer - 1);
        lane_again(&l, window);
        rc = lane_run(&l, avito_get_token(&l.client, &token));
        if (rc == AVITO_OK) {
            assert_string_equal(token.access_token.ptr, "0123456789012345678901234567890123456789");
            assert_string_equal(token.refresh_token.ptr,
                                "abcdefghijabcdefghijabcdefghijabcdefghij");
            assert_string_equal(token.scope.ptr, "messenger:read,messenger:write");
            worked = worked != 0 ? worked : cap;
        } else {
            assert_int_equal(rc, AVITO_ERR_TOKEN_ROOM);
            assert_int_equal(worked, 0);
            assert_in_range(avito_last_error(&l.client)->needed, 1, 60);
            needed = avito_last_error(&l.client)->needed;
            assert_true(AVITO_TOKENS_SIZE(needed) > cap);
            assert_int_equal(l.saves, 0);
        }
        lane_free(&l);
        guard_free(&tokens);
    }
    assert_int_equal(worked, AVITO_TOKENS_SIZE(needed));
    assert_true(needed <= 40);
}

/* Every known member at once: the rest of the window must be enough to read them. */
static void test_answer_with_every_member(void **state)
{
    static const char answer[] =
        "{\"access_token\":\"t\",\"refresh_token\":\"r\",\"token_type\":\"Bearer\","
        "\"scope\":\"s\",\"expires_in\":86400,\"error\":\"\",\"other\":[1,{}]}";
    struct lane l;
    avito_token token;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, answer, sizeof answer - 1);
    assert_int_equal(lane_run(&l, avito_get_token(&l.client, &token)), AVITO_OK);
    assert_string_equal(token.scope.ptr, "s");
    lane_free(&l);
}

/* A scope may have any length: it needs no room, and is given only if it is short. */
static void test_scopes(void **state)
{
    static const size_t lengths[] = {0, 1, 31, 40, 300, 3000};
    static const char forty[] = "0123456789012345678901234567890123456789";

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct guard tokens = guard_end(AVITO_TOKENS_SIZE(40));
        char scope[3001], answer[3200];
        avito_token token;
        struct lane l;
        memset(scope, 's', lengths[i]);
        scope[lengths[i]] = '\0';
        (void)snprintf(answer, sizeof answer,
                       "{\"scope\":\"%s\",\"access_token\":\"%s\",\"refresh_token\":\"%s\","
                       "\"token_type\":\"Bearer\",\"expires_in\":86400}",
                       scope, forty, forty);
        lane_init(&l, 512);
        l.no_token = true;
        l.account_options.tokens = tokens.data;
        l.account_options.tokens_cap = AVITO_TOKENS_SIZE(40);
        lane_exchange(&l, 200, answer, strlen(answer));
        lane_again(&l, 512);
        assert_int_equal(lane_run(&l, avito_get_token(&l.client, &token)), AVITO_OK);
        assert_string_equal(token.access_token.ptr, forty);
        assert_string_equal(token.refresh_token.ptr, forty);
        assert_string_equal(l.saved_refresh, forty);
        assert_int_equal(token.scope.len, lengths[i] <= 40 ? lengths[i] : 0);
        assert_true(token.scope.len == 0 || strcmp(token.scope.ptr, scope) == 0);
        lane_free(&l);
        guard_free(&tokens);
    }
}

/* ---- several lanes ---- */

enum { LANES = 4 };

struct lanes {
    struct lane l[LANES];
    avito_self self[LANES];
    int rc[LANES];
};

static void lanes_init(struct lanes *s, bool no_token)
{
    for (int i = 0; i < LANES; i++) {
        lane_init(&s->l[i], 512);
        s->l[i].script.clock = &s->l[0].clock;
        s->l[i].script.again = true;
        script_connect(&s->l[i].script);
    }
    s->l[0].no_token = no_token;
}

/* Each lane asks for itself, or the first one begins a list. */
static void lanes_begin(struct lanes *s, bool list)
{
    for (int i = 0; i < LANES; i++) {
        struct lane *l = &s->l[i];
        assert_int_equal(avito_client_init(&l->client, &s->l[0].account, &l->options), AVITO_OK);
        s->rc[i] = list && i == 0 ? avito_list_chats(&l->client, 7, NULL, &l->arena)
                                  : avito_get_self(&l->client, &l->arena, &s->self[i]);
    }
}

static void lanes_start(struct lanes *s)
{
    lanes_begin(s, false);
}

static void lanes_run(struct lanes *s)
{
    bool moving = true;

    for (int round = 0; moving; round++) {
        moving = false;
        assert_true(round < 5000);
        for (int i = 0; i < LANES; i++) {
            if (s->rc[i] == AVITO_AGAIN) {
                assert_int_not_equal(avito_wants(&s->l[i].client), 0);
                s->rc[i] = avito_step(&s->l[i].client);
                moving = true;
            }
        }
    }
}

static void lanes_free(struct lanes *s)
{
    for (int i = 0; i < LANES; i++) {
        assert_null(script_problem_open(&s->l[i].script, true));
        lane_free(&s->l[i]);
    }
    free(s);
}

static void test_one_fetch_for_all_lanes(void **state)
{
    struct lanes *s = calloc(1, sizeof *s);

    (void)state;
    lanes_init(s, true);
    fetch(&s->l[0].script, 200, T1);
    for (int i = 0; i < LANES; i++) {
        ask_self(&s->l[i].script, "first-token-000000", 200, ME);
    }
    lanes_start(s);
    for (int i = 1; i < LANES; i++) {
        assert_int_equal(s->rc[i], AVITO_AGAIN);
        assert_int_equal(avito_wants(&s->l[i].client), AVITO_WANT_ACCOUNT);
        assert_int_equal(s->l[i].script.connects, 0);
    }
    lanes_run(s);
    for (int i = 0; i < LANES; i++) {
        assert_int_equal(s->rc[i], AVITO_OK);
        assert_int_equal(s->self[i].id, 7);
    }
    lanes_free(s);
}

/* A lane that is left does it: after a cancel, a broken connection, a closed client. */
static void test_the_duty_is_handed_over(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct lanes *s = calloc(1, sizeof *s);
        lanes_init(s, true);
        if (how == 0) {
            expect_post(&s->l[0].script, "grant_type=client_credentials");
            script_fail(&s->l[0].script, AVITO_ERR_RECV, 104);
        } else {
            fetch(&s->l[0].script, 200, T2);
        }
        fetch(&s->l[1].script, 200, T1);
        for (int i = 1; i < LANES; i++) {
            ask_self(&s->l[i].script, "first-token-000000", 200, ME);
        }
        lanes_start(s);
        assert_int_equal(s->rc[0], AVITO_AGAIN);
        if (how == 1) {
            avito_cancel(&s->l[0].client);
            s->rc[0] = AVITO_ERR_CANCELLED;
        } else if (how == 2) {
            avito_client_close(&s->l[0].client);
            s->rc[0] = AVITO_ERR_CANCELLED;
        }
        lanes_run(s);
        assert_true(s->rc[0] < 0);
        for (int i = 1; i < LANES; i++) {
            assert_int_equal(s->rc[i], AVITO_OK);
        }
        s->l[0].script.step = s->l[0].script.step_count; /* it was not played to its end */
        lanes_free(s);
    }
}

/* The same holds after any number of steps of the lane that fetches it, and when it only ends its
 * list. */
static void test_the_duty_is_handed_over_at_every_step(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        bool fetching = true;
        for (unsigned steps = 0; fetching; steps++) {
            struct lanes *s = calloc(1, sizeof *s);
            struct lane *first = &s->l[0];
            lanes_init(s, true);
            fetch(&first->script, 200, T2);
            fetch(&s->l[1].script, 200, T1);
            for (int i = 1; i < LANES; i++) {
                ask_self(&s->l[i].script, "first-token-000000", 200, ME);
            }
            first->script.recv_piece = 7;
            first->script.send_piece = 31;
            lanes_begin(s, true);
            for (unsigned i = 0; i < steps; i++) {
                s->rc[0] = avito_step(&first->client);
            }
            fetching = first->account.priv.epoch == 0;
            if (fetching && how == 0) {
                avito_cancel(&first->client);
            } else if (fetching && how == 1) {
                avito_client_close(&first->client);
            } else if (fetching) {
                s->rc[0] = avito_list_end(&first->client, 4096);
                lanes_run(s);
            }
            s->rc[0] = AVITO_OK;
            assert_true(steps < 1000);
            for (int i = 1; i < LANES && fetching; i++) {
                lanes_run(s);
                assert_int_equal(s->rc[i], AVITO_OK);
                assert_int_equal(s->self[i].id, 7);
            }
            for (int i = 0; i < LANES; i++) { /* not all was played to its end */
                assert_true(!fetching || script_wrong(&s->l[i].script) == NULL);
                s->l[i].script.step = s->l[i].script.step_count;
                lane_free(&s->l[i]);
            }
            free(s);
        }
    }
}

/* A list is given up at any step of a refresh: whatever of the request has left, the pair that comes is taken
 * and stored, since the server does not take the old token a second time. */
static void test_a_pair_is_kept_when_a_list_is_left(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        unsigned kept = 0;
        for (unsigned steps = 0;; steps++) {
            struct lane l;
            int rc;
            begin(&l, false);
            l.stored_access.ptr = "old";
            l.stored_access.len = 3;
            l.stored_refresh = "old-refresh";
            l.stored_expires = clock_unix_time(&l.clock) - 1;
            refresh(&l.script, "old-refresh", 200, P1);
            l.script.recv_piece = 7;
            l.script.send_piece = 31;
            l.script.again = l.script.send_again = true;
            lane_again(&l, 512);
            rc = avito_list_chats(&l.client, 7, NULL, &l.arena);
            for (unsigned i = 0; i < steps && l.account.priv.epoch < 2; i++) {
                rc = avito_step(&l.client);
            }
            if (l.account.priv.epoch >
                1) { /* the pair is there: it was left before at every step */
                avito_cancel(&l.client);
                lane_free(&l);
                break;
            }
            assert_int_equal(rc, AVITO_AGAIN);
            rc = avito_list_end(&l.client, how == 0 ? 0 : 4096);
            while (rc == AVITO_AGAIN) {
                avito_chat chat;
                assert_true(avito_list_open(&l.client));
                assert_int_equal(avito_next_chat(&l.client, &chat), AVITO_ERR_IDLE);
                rc = how == 1 ? avito_list_end(&l.client, 0) : avito_step(&l.client);
            }
            assert_int_equal(rc, AVITO_OK);
            assert_false(avito_list_open(&l.client));
            assert_false(l.arena.busy);
            assert_int_equal(avito_last_error(&l.client)->code, AVITO_OK);
            assert_false(avito_account_refresh_in_doubt(&l.account));
            if (l.script.sent_len > 0) {
                assert_int_equal(l.saves, 1);
                assert_string_equal(l.saved_refresh, "pair-refresh-3333");
                assert_int_equal(l.script.request_count, 1);
                kept++;
            }
            assert_null(script_wrong(&l.script));
            lane_free(&l);
            assert_true(steps < 1000);
        }
        assert_true(kept > 10);
    }
}

/* Nobody waits for its result: its failure is not the list's error. */
static void test_a_refresh_that_fails_when_a_list_is_left(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct lane l;
        begin(&l, false);
        l.stored_access.ptr = "old";
        l.stored_access.len = 3;
        l.stored_refresh = "old-refresh";
        l.stored_expires = clock_unix_time(&l.clock) - 1;
        if (how == 0) {
            refresh(&l.script, "old-refresh", 400, "{\"error\":\"invalid_grant\"}");
        } else {
            expect_post(&l.script, "grant_type=refresh_token&refresh_token=old-refresh");
        }
        if (how == 1) {
            script_end(&l.script);
        }
        l.script.again = true;
        lane_again(&l, 512);
        assert_int_equal(avito_list_chats(&l.client, 7, NULL, &l.arena), AVITO_AGAIN);
        assert_int_equal(lane_run(&l, avito_list_end(&l.client, 0)), AVITO_OK);
        assert_int_equal(avito_last_error(&l.client)->code, AVITO_OK);
        assert_int_equal(avito_account_refresh_in_doubt(&l.account), how != 0);
        assert_false(l.script.open);
        assert_false(l.arena.busy);
        lane_free(&l);
    }
}

/* What the server said about the credentials holds for those who waited for it. */
static void test_refused_credentials_are_asked_about_once(void **state)
{
    struct lanes *s = calloc(1, sizeof *s);

    (void)state;
    lanes_init(s, true);
    fetch(&s->l[0].script, 401, "{\"error\":\"invalid_client\"}");
    for (int i = 1; i < LANES; i++) {
        s->l[i].script.step = s->l[i].script.step_count; /* nothing is to be asked */
    }
    lanes_start(s);
    lanes_run(s);
    for (int i = 0; i < LANES; i++) {
        assert_int_equal(s->rc[i], AVITO_ERR_CREDENTIALS);
        assert_int_equal(s->l[i].script.connects, i == 0 ? 1 : 0);
    }
    lanes_free(s);
}

static void test_a_refused_refresh_token_is_told_to_all(void **state)
{
    struct lanes *s = calloc(1, sizeof *s);

    (void)state;
    lanes_init(s, false);
    s->l[0].stored_refresh = "spent";
    for (int i = 0; i < LANES; i++) {
        ask_self(&s->l[i].script, LANE_TOKEN, 403, EXPIRED);
    }
    refresh(&s->l[0].script, "spent", 400, "{\"error\":\"invalid_grant\"}");
    lanes_start(s);
    lanes_run(s);
    for (int i = 0; i < LANES; i++) {
        assert_int_equal(s->rc[i], AVITO_ERR_REFRESH_TOKEN);
    }
    lanes_free(s);
}

/* Two renewals while a long request leaves: the memory of its token is used again, so the request
 * starts over. */
static void test_replaced_twice_while_a_request_leaves(void **state)
{
    char text[2001];

    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i += 2) {
        memcpy(text + i, "я", 2);
    }
    text[sizeof text - 1] = '\0';
    for (int renewals = 0; renewals < 3; renewals++) {
        static struct lane l, other;
        avito_message sent;
        int rc;
        lane_init(&l, 512);
        l.script.send_piece = 100;
        l.script.send_again = true;
        script_connect(&l.script);
        if (renewals == 2) {
            script_request(&l.script);
            script_connect(&l.script);
        }
        script_request(&l.script);
        script_answer_json(&l.script, 200, SCRIPT_TEXT("{\"id\":\"m\"}"));
        lane_init(&other, 512);
        script_connect(&other.script);
        fetch(&other.script, 200, T1);
        fetch(&other.script, 200, T2);
        assert_int_equal(avito_client_init(&other.client, &l.account, &other.options), AVITO_OK);
        rc = avito_send_message(&l.client, 7, "c", text, &l.arena, &sent);
        while (l.script.sent_len < 1200) {
            assert_int_equal(rc, AVITO_AGAIN);
            rc = avito_step(&l.client);
        }
        for (int i = 0; i < renewals; i++) {
            assert_int_equal(lane_run(&other, avito_get_token(&other.client, NULL)), AVITO_OK);
        }
        assert_int_equal(lane_run(&l, rc), AVITO_OK);
        assert_int_equal(l.script.connects, renewals == 2 ? 2 : 1);
        assert_non_null(
            strstr((const char *)l.script.sent + (renewals == 2 ? 1200 : 0),
                   renewals == 2 ? "Bearer second-token-11111\r\n" : "Bearer " LANE_TOKEN "\r\n"));
        assert_null(script_wrong(&l.script));
        lane_free(&other);
        lane_free(&l);
    }
}

/* All lanes are refused with the old token: one renews it, the others only retry. */
static void test_refusals_of_an_older_token(void **state)
{
    struct lanes *s = calloc(1, sizeof *s);

    (void)state;
    lanes_init(s, false);
    for (int i = 0; i < LANES; i++) {
        ask_self(&s->l[i].script, LANE_TOKEN, 403, EXPIRED);
        if (i == 0) {
            fetch(&s->l[i].script, 200, T1);
        }
        ask_self(&s->l[i].script, "first-token-000000", 200, ME);
    }
    lanes_start(s);
    lanes_run(s);
    for (int i = 0; i < LANES; i++) {
        assert_int_equal(s->rc[i], AVITO_OK);
    }
    lanes_free(s);
}

/* The first `used` lanes, each for a call of its own. */
static struct lanes *lanes_of(int used, bool no_token)
{
    struct lanes *s = calloc(1, sizeof *s);

    lanes_init(s, no_token);
    for (int i = 0; i < LANES; i++) {
        assert_int_equal(avito_client_init(&s->l[i].client, &s->l[0].account, &s->l[i].options),
                         AVITO_OK);
        s->l[i].script.step = i < used ? 0 : s->l[i].script.step_count;
    }
    return s;
}

static void start_self(struct lanes *s, int i)
{
    s->rc[i] = avito_get_self(&s->l[i].client, &s->l[i].arena, &s->self[i]);
    assert_int_equal(s->rc[i], AVITO_AGAIN);
}

static void step_until_received(struct lanes *s, int i, size_t bytes)
{
    while (s->l[i].script.recv_bytes < bytes) {
        assert_int_equal(avito_step(&s->l[i].client), AVITO_AGAIN);
    }
}

static void exchange(struct script *s, int status, const char *answer)
{
    expect_post(s, "grant_type=authorization_code&code=abc");
    script_answer_json(s, status, answer, strlen(answer));
}

/* A lane is refused with a token that another one has replaced meanwhile: the new one is not in doubt. */
static void test_late_refusal_of_an_older_token(void **state)
{
    struct lanes *s = lanes_of(2, false);

    (void)state;
    ask_self(&s->l[0].script, LANE_TOKEN, 401, "{}");
    ask_self(&s->l[0].script, "first-token-000000", 200, ME);
    ask_self(&s->l[1].script, LANE_TOKEN, 401, "{}");
    fetch(&s->l[1].script, 200, T1);
    ask_self(&s->l[1].script, "first-token-000000", 200, ME);
    start_self(s, 0);
    while (s->l[0].script.sent_len == 0) {
        assert_int_equal(avito_step(&s->l[0].client), AVITO_AGAIN);
    }
    start_self(s, 1);
    while (s->rc[1] == AVITO_AGAIN) {
        s->rc[1] = avito_step(&s->l[1].client);
    }
    assert_int_equal(s->rc[1], AVITO_OK);
    lanes_run(s);
    assert_int_equal(s->rc[0], AVITO_OK);
    lanes_free(s);
}

/* While an answer is being read into the account's memory nothing else is put there. */
static void test_no_load_during_an_exchange(void **state)
{
    (void)state;
    for (size_t half = 0; half < 200; half += 40) {
        struct lanes *s = lanes_of(3, false);
        s->l[0].stored_refresh = "stored";
        s->l[0].script.recv_piece = 8;
        exchange(&s->l[0].script, 200, P1);
        ask_self(&s->l[1].script, "pair-token-222222", 200, ME);
        refresh(&s->l[2].script, "pair-refresh-3333", 200, T2);
        s->rc[0] = avito_exchange_code(&s->l[0].client, "abc", NULL);
        step_until_received(s, 0, half);
        start_self(s, 1);
        assert_int_equal(avito_wants(&s->l[1].client), AVITO_WANT_ACCOUNT);
        assert_int_equal(s->l[0].loads, 0);
        while (s->rc[0] == AVITO_AGAIN) {
            s->rc[0] = avito_step(&s->l[0].client);
        }
        assert_string_equal(s->l[0].saved_access, "pair-token-222222");
        assert_string_equal(s->l[0].saved_refresh, "pair-refresh-3333");
        lanes_run(s);
        assert_int_equal(s->rc[0], AVITO_OK);
        assert_int_equal(s->rc[1], AVITO_OK);
        s->rc[2] = avito_refresh_token(&s->l[2].client, NULL);
        lanes_run(s);
        assert_int_equal(s->rc[2], AVITO_OK);
        assert_int_equal(s->l[0].loads, 0);
        lanes_free(s);
    }
}

/* A lane that waited for an exchange to end renews what it brought. */
static void test_get_token_after_an_exchange(void **state)
{
    struct lanes *s = lanes_of(2, true);

    (void)state;
    exchange(&s->l[0].script, 200, P1);
    refresh(&s->l[1].script, "pair-refresh-3333", 200, T2);
    s->rc[0] = avito_exchange_code(&s->l[0].client, "abc", NULL);
    s->rc[1] = avito_get_token(&s->l[1].client, NULL);
    assert_int_equal(avito_wants(&s->l[1].client), AVITO_WANT_ACCOUNT);
    lanes_run(s);
    assert_int_equal(s->rc[0], AVITO_OK);
    assert_int_equal(s->rc[1], AVITO_OK);
    assert_string_equal(s->l[0].saved_access, "second-token-11111");
    assert_string_equal(s->l[0].saved_refresh, "pair-refresh-3333");
    lanes_free(s);
}

/* Each retry chooses again how the token is asked for: another program may have stored one without a refresh
 * token meanwhile. */
static void test_get_token_after_the_refresh_token_went(void **state)
{
    struct lanes *s = calloc(1, sizeof *s);
    struct lane *a = &s->l[0], *b = &s->l[1];

    (void)state;
    lanes_init(s, false);
    a->stored_refresh = "stored-refresh-444";
    a->stored_expires = clock_unix_time(a) + 100;
    a->options.retries = 1;
    script_send_fail(&a->script, AVITO_ERR_SEND, 32);
    script_end(&a->script);
    script_connect(&a->script);
    fetch(&a->script, 200, T1);
    ask_self(&b->script, "newer-token-555555", 200, ME);
    for (int i = 0; i < LANES; i++) {
        assert_int_equal(avito_client_init(&s->l[i].client, &a->account, &s->l[i].options),
                         AVITO_OK);
        s->l[i].script.step = i < 2 ? 0 : s->l[i].script.step_count;
    }
    s->rc[0] = avito_get_token(&a->client, NULL);
    while (s->rc[0] == AVITO_AGAIN && avito_wants(&a->client) != AVITO_WANT_TIMER) {
        s->rc[0] = avito_step(&a->client);
    }
    a->stored_access.ptr = "newer-token-555555";
    a->stored_access.len = 18;
    a->stored_refresh = NULL;
    a->stored_expires = clock_unix_time(a) + 86400;
    clock_advance(&a->clock, 60000);
    assert_int_equal(lane_run(b, avito_get_self(&b->client, &b->arena, &s->self[1])), AVITO_OK);
    assert_int_equal(lane_run(a, s->rc[0]), AVITO_OK);
    assert_string_equal(a->saved_access, "first-token-000000");
    lanes_free(s);
}

/* A refusal of the account's own credentials says nothing about a code. */
static void test_exchange_after_a_refusal(void **state)
{
    struct lanes *s = lanes_of(2, true);

    (void)state;
    fetch(&s->l[0].script, 400, "{\"error\":\"invalid_client\"}");
    exchange(&s->l[1].script, 200, P1);
    start_self(s, 0);
    s->rc[1] = avito_exchange_code(&s->l[1].client, "abc", NULL);
    assert_int_equal(avito_wants(&s->l[1].client), AVITO_WANT_ACCOUNT);
    lanes_run(s);
    assert_int_equal(s->rc[0], AVITO_ERR_CREDENTIALS);
    assert_int_equal(s->rc[1], AVITO_OK);
    assert_string_equal(s->l[0].saved_refresh, "pair-refresh-3333");
    lanes_free(s);
}

/* A refusal from before a lane began to wait does not concern what it waits for: it takes over when
 * the lane before it gives up. */
static void test_refusals_before_the_wait(void **state)
{
    (void)state;
    for (int cancelled = 0; cancelled < 2; cancelled++) {
        struct lanes *s = lanes_of(3, false);
        ask_self(&s->l[0].script, LANE_TOKEN, 403, EXPIRED);
        fetch(&s->l[1].script, 400, "{\"error\":\"temporarily\"}");
        fetch(&s->l[2].script, 200, T2);
        if (cancelled == 1) {
            fetch(&s->l[0].script, 200, T1);
        }
        ask_self(&s->l[0].script, cancelled == 1 ? "first-token-000000" : "second-token-11111", 200,
                 ME);
        start_self(s, 0);
        s->rc[1] = avito_get_token(&s->l[1].client, NULL);
        while (s->rc[1] == AVITO_AGAIN) {
            s->rc[1] = avito_step(&s->l[1].client);
        }
        assert_int_equal(s->rc[1], AVITO_ERR_CREDENTIALS);
        s->rc[2] = avito_get_token(&s->l[2].client, NULL);
        while (avito_wants(&s->l[0].client) != AVITO_WANT_ACCOUNT) {
            assert_int_equal(avito_step(&s->l[0].client), AVITO_AGAIN);
        }
        if (cancelled == 1) {
            avito_cancel(&s->l[2].client);
            s->rc[2] = AVITO_ERR_CANCELLED;
            s->l[2].script.step = s->l[2].script.step_count;
        }
        lanes_run(s);
        assert_int_equal(s->rc[0], AVITO_OK);
        assert_int_equal(s->rc[2], cancelled == 1 ? AVITO_ERR_CANCELLED : AVITO_OK);
        lanes_free(s);
    }
}

/* A send that settles itself waits for another lane's token, which does not come. It looks again when the
 * pause is over. */
static void test_settling_goes_on_after_a_refused_token(void **state)
{
    static const avito_sent_query nothing_before;
    struct lanes *s = lanes_of(2, false);
    avito_message sent;

    (void)state;
    fetch(&s->l[0].script, 400, "{\"error\":\"invalid_client\"}");
    script_request(&s->l[1].script);
    script_end(&s->l[1].script);
    script_connect(&s->l[1].script);
    script_request(&s->l[1].script);
    script_answer_json(&s->l[1].script, 403, EXPIRED, sizeof EXPIRED - 1);
    fetch(&s->l[1].script, 200, T1);
    script_request(&s->l[1].script);
    script_answer_json(&s->l[1].script, 200, OURS, sizeof OURS - 1);
    assert_int_equal(avito_confirm_sends(&s->l[1].client, &nothing_before), AVITO_OK);
    s->rc[0] = avito_get_token(&s->l[0].client, NULL);
    s->rc[1] = avito_send_message(&s->l[1].client, 7, "u2i-x", "hi", &s->l[1].arena, &sent);
    while (s->rc[1] == AVITO_AGAIN && avito_wants(&s->l[1].client) != AVITO_WANT_ACCOUNT) {
        s->rc[1] = avito_step(&s->l[1].client);
    }
    while (s->rc[0] == AVITO_AGAIN) {
        s->rc[0] = avito_step(&s->l[0].client);
    }
    assert_int_equal(s->rc[0], AVITO_ERR_CREDENTIALS);
    assert_int_equal(lane_run(&s->l[1], s->rc[1]), AVITO_OK);
    assert_string_equal(sent.id.ptr, "new");
    lanes_free(s);
}

/* A token that could not be stored may not be used yet: another lane stores it first. */
static void test_save_that_fails_for_another_lane(void **state)
{
    struct lanes *s = lanes_of(2, true);

    (void)state;
    fetch(&s->l[0].script, 200, T1);
    ask_self(&s->l[1].script, "first-token-000000", 200, ME);
    s->l[0].save_result = -5;
    start_self(s, 0);
    start_self(s, 1);
    lanes_run(s);
    assert_int_equal(s->rc[0], AVITO_ERR_HOOK);
    assert_int_equal(s->rc[1], AVITO_ERR_HOOK);
    assert_int_equal(s->l[0].saves, 2);
    assert_int_equal(s->l[1].script.connects, 0);
    s->l[0].save_result = AVITO_OK;
    start_self(s, 1);
    lanes_run(s);
    assert_int_equal(s->rc[1], AVITO_OK);
    assert_int_equal(s->l[0].saves, 3);
    lanes_free(s);
}

/* ---- secrets ---- */

static bool shows(const char *text, const char *secret)
{
    /* ten bytes of a secret are too many */
    for (size_t i = 0; i + 10 <= strlen(secret); i++) {
        char part[11] = {0};
        memcpy(part, secret + i, 10);
        if (strstr(text, part) != NULL) {
            return true;
        }
    }
    return false;
}

/* An answer that repeats the token or the secret, anywhere in it, cut anywhere. */
static void test_secrets_are_masked(void **state)
{
    static const char *const secrets[] = {LANE_TOKEN, LANE_SECRET};
    char body[600];

    (void)state;
    for (size_t pad = 0; pad < 300; pad += 3) {
        for (size_t k = 0; k < 4; k++) {
            const char *secret = secrets[k % 2];
            int n =
                snprintf(body, sizeof body,
                         k < 2 ? "%.*s %s" : "{\"error\":{\"message\":\"%.*s %s\"}}", (int)pad,
                         "................................................................"
                         "........................................................................."
                         "........................................................................."
                         "........................................................................."
                         "..................................",
                         secret);
            for (int cut = 0; cut < 2; cut++) {
                struct lane l;
                begin(&l, false);
                script_request(&l.script);
                if (cut == 0) {
                    script_answer_json(&l.script, 400, body, (size_t)n);
                } else {
                    script_answer(&l.script, "HTTP/1.1 400 No\r\nContent-Length: 999\r\n\r\n", 40);
                    script_answer(&l.script, body, (size_t)n);
                    script_end(&l.script);
                }
                expect(&l, cut == 0 ? AVITO_ERR_BAD_REQUEST : AVITO_ERR_CLOSED);
                assert_false(shows(avito_last_error(&l.client)->text, secret));
                assert_false(shows(l.error_body, secret));
                assert_false(shows(l.trace, secret));
                lane_free(&l);
            }
        }
    }
}

/* The same for a secret as a form or JSON escapes it, in upper and lower case; what is not such an
 * escape stays readable. */
static void test_escaped_secrets_are_masked(void **state)
{
    static const char *const echoes[] = {
        "s+e/cr:e=t&o;f?t<e>s\"ts,0123",
        "s%2Be%2Fcr%3Ae%3Dt%26o%3Bf%3Ft%3Ce%3Es%22ts%2C0123",
        "s%2be%2fcr%3ae%3dt%26o%3bf%3ft%3ce%3es%22ts%2c0123",
        "s+e%2Fcr:e=t%26o;f%3ft<e>s\"ts,0123",
        "s+e\\/cr:e=t&o;f?t<e>s\\\"ts,0123",
        "s\\u002be\\/cr:e=t\\u0026o;f?t\\u003Ce\\u003es\\u0022ts,0123"};
    char body[300];

    (void)state;
    for (size_t pad = 0; pad < 100; pad++) {
        for (size_t k = 0; k < sizeof echoes / sizeof *echoes; k++) {
            struct lane l;
            int n = snprintf(body, sizeof body, "%%2%0*d s%%2Be\\/x %s", (int)pad, 0, echoes[k]);
            begin(&l, false);
            l.account_options.client_secret = echoes[0];
            lane_again(&l, 512);
            script_request(&l.script);
            script_answer_json(&l.script, 400, body, (size_t)n);
            expect(&l, AVITO_ERR_BAD_REQUEST);
            assert_false(shows(avito_last_error(&l.client)->text, echoes[k]));
            assert_false(shows(l.error_body, echoes[k]));
            assert_memory_equal(l.error_body, body, pad + 11);
            lane_free(&l);
        }
    }
}

/* An answer repeats the token of its request, which another lane has renewed since, perhaps twice.
 * Then the account has no copy left to compare with, and the token is still not shown. */
static void echo_after(int renewals, const char *body)
{
    struct lanes *s = lanes_of(renewals > 0 ? 2 : 1, false);

    ask_self(&s->l[0].script, LANE_TOKEN, 500, body);
    start_self(s, 0);
    for (int i = 0; i < renewals; i++) {
        fetch(&s->l[1].script, 200, i % 2 == 0 ? T1 : T2);
    }
    for (int i = 0; i < renewals; i++) {
        s->rc[1] = avito_get_token(&s->l[1].client, NULL);
        while (s->rc[1] == AVITO_AGAIN) {
            s->rc[1] = avito_step(&s->l[1].client);
        }
        assert_int_equal(s->rc[1], AVITO_OK);
    }
    lanes_run(s);
    assert_int_equal(s->rc[0], AVITO_ERR_SERVER);
    if (renewals < 2) {
        assert_non_null(strstr(avito_last_error(&s->l[0].client)->text, "Bearer ***"));
        assert_non_null(strstr(s->l[0].error_body, "Bearer ***"));
    }
    assert_false(shows(avito_last_error(&s->l[0].client)->text, LANE_TOKEN));
    assert_false(shows(s->l[0].error_body, LANE_TOKEN));
    lanes_free(s);
}

static void test_masked_after_renewals(void **state)
{
    static const char *const bodies[] = {"{\"error\":{\"message\":\"bad: Bearer " LANE_TOKEN "\"}}",
                                         "bad header: Bearer " LANE_TOKEN};

    (void)state;
    for (int i = 0; i < 2; i++) {
        for (int renewals = 0; renewals < 5; renewals++) {
            echo_after(renewals, bodies[i]);
        }
    }
}

/* While the second renewal is being read, its bytes take the place of that token. */
static void test_masked_during_a_renewal(void **state)
{
    static const char body[] = "{\"error\":{\"message\":\"bad: Bearer " LANE_TOKEN "\"}}";

    (void)state;
    for (size_t bytes = 0; bytes < 150; bytes += 5) {
        struct lanes *s = lanes_of(2, false);
        ask_self(&s->l[0].script, LANE_TOKEN, 500, body);
        fetch(&s->l[1].script, 200, T1);
        fetch(&s->l[1].script, 200, T2);
        start_self(s, 0);
        s->rc[1] = avito_get_token(&s->l[1].client, NULL);
        while (s->rc[1] == AVITO_AGAIN) {
            s->rc[1] = avito_step(&s->l[1].client);
        }
        s->l[1].script.recv_piece = 5;
        s->rc[1] = avito_get_token(&s->l[1].client, NULL);
        step_until_received(s, 1, s->l[1].script.recv_bytes + bytes);
        while (s->rc[0] == AVITO_AGAIN) {
            s->rc[0] = avito_step(&s->l[0].client);
        }
        assert_int_equal(s->rc[0], AVITO_ERR_SERVER);
        assert_false(shows(avito_last_error(&s->l[0].client)->text, LANE_TOKEN));
        assert_false(shows(s->l[0].error_body, LANE_TOKEN));
        lanes_run(s);
        assert_int_equal(s->rc[1], AVITO_OK);
        lanes_free(s);
    }
}

/* A token that is not known yet, in the body and not in its words: neither is shown. */
static void test_unknown_token_in_a_body(void **state)
{
    static const char body[] =
        "{\"error\":{\"message\":\"no\"},\"access_token\":\"unknown-token-77777\"}";

    (void)state;
    for (int keeps = 0; keeps < 2; keeps++) {
        struct lane l;
        begin(&l, false);
        l.options.error_body_cap = keeps ? sizeof l.error_body : 0;
        l.options.error_body = keeps ? l.error_body : NULL;
        lane_again(&l, 512);
        ask_self(&l.script, LANE_TOKEN, 400, body);
        expect(&l, AVITO_ERR_BAD_REQUEST);
        assert_false(shows(avito_last_error(&l.client)->text, "unknown-token-77777"));
        assert_false(shows(l.error_body, "unknown-token-77777"));
        lane_end(&l);
    }
}

static void test_trace_has_no_secrets(void **state)
{
    struct lane l;

    (void)state;
    begin(&l, false);
    l.stored_refresh = "refresh-token-of-the-trace-test";
    ask_self(&l.script, LANE_TOKEN, 403, EXPIRED);
    refresh(&l.script, "refresh-token-of-the-trace-test", 200, P1);
    ask_self(&l.script, "pair-token-222222", 200, ME);
    expect(&l, AVITO_OK);
    assert_non_null(strstr(l.trace, "get_self"));
    assert_non_null(strstr(l.trace, "refresh_token"));
    assert_false(shows(l.trace, LANE_TOKEN));
    assert_false(shows(l.trace, LANE_SECRET));
    assert_false(shows(l.trace, "pair-token-222222"));
    assert_false(shows(l.trace, "pair-refresh-3333"));
    assert_false(shows(l.trace, "refresh-token-of-the-trace-test"));
    lane_end(&l);
}

static void authorize(const avito_consent *consent, const char *url)
{
    const size_t size = strlen(url) + 1;
    struct lane l;
    char some[8];
    size_t needed = 0;

    lane_init(&l, 512);
    assert_int_equal(avito_consent_url(&l.account, consent, NULL, 0, &needed), AVITO_ERR_ROOM);
    assert_int_equal(needed, size);
    assert_int_equal(avito_consent_url(&l.account, consent, NULL, 1, &needed), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_consent_url(&l.account, consent, some, 0, NULL), AVITO_ERR_ROOM);
    for (size_t cap = 0; cap <= size + 3; cap++) {
        struct guard out = guard_end(cap);
        size_t len = 0;
        int rc = avito_consent_url(&l.account, consent, (char *)out.data, cap, &len);
        assert_int_equal(rc, cap >= size ? AVITO_OK : AVITO_ERR_ROOM);
        if (rc == AVITO_OK) {
            assert_string_equal((char *)out.data, url);
            assert_int_equal(len, size - 1);
        } else {
            assert_int_equal(len, size);
        }
        guard_free(&out);
    }
    lane_free(&l);
}

#define CONSENT "https://avito.ru/oauth?response_type=code"

static void test_authorize_url(void **state)
{
    avito_consent consent = {"messenger:read,messenger:write", NULL, NULL, false};
    avito_account_options options = avito_account_options_default();
    avito_account account;
    char tokens[AVITO_TOKENS_SIZE(40)], url[256];

    (void)state;
    options.client_id = LANE_ID;
    options.client_secret = LANE_SECRET;
    options.tokens = tokens;
    options.tokens_cap = sizeof tokens;
    options.clock_ms = clock_ms;
    authorize(&consent,
              CONSENT "&client_id=" LANE_ID "&scope=messenger%3Aread%2Cmessenger%3Awrite");
    consent.state = "a&b";
    assert_int_equal(avito_account_init(&account, &options), AVITO_OK);
    assert_int_equal(avito_authorize_url(&account, consent.scope, "a&b", url, sizeof url, NULL),
                     AVITO_OK);
    authorize(&consent, url);
    authorize(&consent, CONSENT "&client_id=" LANE_ID
                                "&scope=messenger%3Aread%2Cmessenger%3Awrite&state=a%26b");
    consent.pro_users_flow = true;
    consent.redirect_uri = "https://a.ru/b?c=d";
    authorize(&consent, CONSENT "&pro_users_flow=true&client_id=" LANE_ID
                                "&scope=messenger%3Aread%2Cmessenger%3Awrite"
                                "&redirect_uri=https%3A%2F%2Fa.ru%2Fb%3Fc%3Dd&state=a%26b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetched_when_missing_and_kept),
        cmocka_unit_test(test_stored_token_is_used),
        cmocka_unit_test(test_renewed_ahead_of_expiry),
        cmocka_unit_test(test_short_lives),
        cmocka_unit_test(test_long_lives),
        cmocka_unit_test(test_a_token_that_another_program_has_renewed),
        cmocka_unit_test(test_a_refresh_token_that_another_program_has_spent),
        cmocka_unit_test(test_life_shorter_than_a_call),
        cmocka_unit_test(test_renewed_once_when_refused),
        cmocka_unit_test(test_unproven_token_after_quiet_weeks),
        cmocka_unit_test(test_proven_token_is_renewed_within_its_minute),
        cmocka_unit_test(test_token_is_proven_by_a_plain_ok),
        cmocka_unit_test(test_what_helped_is_done_again),
        cmocka_unit_test(test_second_refusal_is_the_callers),
        cmocka_unit_test(test_second_refusal_that_comes_late),
        cmocka_unit_test(test_permission_is_not_a_matter_of_tokens),
        cmocka_unit_test(test_refused_send_is_repeated),
        cmocka_unit_test(test_closed_with_the_tokens_answer),
        cmocka_unit_test(test_token_requests_that_fail),
        cmocka_unit_test(test_refresh_token_rotates),
        cmocka_unit_test(test_refresh_answer_without_refresh_token),
        cmocka_unit_test(test_carried_refresh_token_without_room),
        cmocka_unit_test(test_save_that_fails),
        cmocka_unit_test(test_save_that_fails_on_the_way),
        cmocka_unit_test(test_first_call_is_get_token),
        cmocka_unit_test(test_load_that_fails),
        cmocka_unit_test(test_load_without_room),
        cmocka_unit_test(test_only_a_refresh_token_is_stored),
        cmocka_unit_test(test_endless_token_of_the_store),
        cmocka_unit_test(test_load_without_a_life),
        cmocka_unit_test(test_clock_at_its_end),
        cmocka_unit_test(test_one_hook_of_the_store),
        cmocka_unit_test(test_load_without_a_wall_clock),
        cmocka_unit_test(test_unfit_token_of_the_server),
        cmocka_unit_test(test_unfit_token_of_the_store),
        cmocka_unit_test(test_exchange_code),
        cmocka_unit_test(test_exchange_code_names_the_address),
        cmocka_unit_test(test_refresh_without_a_refresh_token),
        cmocka_unit_test(test_by_consent_without_a_refresh_token),
        cmocka_unit_test(test_by_consent_is_renewed_by_its_refresh_token),
        cmocka_unit_test(test_by_consent_of_a_day),
        cmocka_unit_test(test_refresh_in_doubt),
        cmocka_unit_test(test_refused_refresh_token),
        cmocka_unit_test(test_long_token_through_a_small_window),
        cmocka_unit_test(test_every_size_of_the_token_buffer),
        cmocka_unit_test(test_answer_with_every_member),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_one_fetch_for_all_lanes),
        cmocka_unit_test(test_the_duty_is_handed_over),
        cmocka_unit_test(test_the_duty_is_handed_over_at_every_step),
        cmocka_unit_test(test_a_pair_is_kept_when_a_list_is_left),
        cmocka_unit_test(test_a_refresh_that_fails_when_a_list_is_left),
        cmocka_unit_test(test_refused_credentials_are_asked_about_once),
        cmocka_unit_test(test_a_refused_refresh_token_is_told_to_all),
        cmocka_unit_test(test_replaced_twice_while_a_request_leaves),
        cmocka_unit_test(test_refusals_of_an_older_token),
        cmocka_unit_test(test_late_refusal_of_an_older_token),
        cmocka_unit_test(test_no_load_during_an_exchange),
        cmocka_unit_test(test_get_token_after_an_exchange),
        cmocka_unit_test(test_get_token_after_the_refresh_token_went),
        cmocka_unit_test(test_exchange_after_a_refusal),
        cmocka_unit_test(test_refusals_before_the_wait),
        cmocka_unit_test(test_settling_goes_on_after_a_refused_token),
        cmocka_unit_test(test_save_that_fails_for_another_lane),
        cmocka_unit_test(test_secrets_are_masked),
        cmocka_unit_test(test_escaped_secrets_are_masked),
        cmocka_unit_test(test_masked_after_renewals),
        cmocka_unit_test(test_masked_during_a_renewal),
        cmocka_unit_test(test_unknown_token_in_a_body),
        cmocka_unit_test(test_trace_has_no_secrets),
        cmocka_unit_test(test_authorize_url),
    };

    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
