/*
 * Lists of several pages when something goes wrong between the pages: no row is lost, none comes
 * twice, and what was collected is right. And lists that are ended early.
 * Rooms: LISTS, ANSWERS.
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

#define EXPIRED "{\"result\":{\"status\":false,\"message\":\"access token expired\"}}"
#define T1      "{\"access_token\":\"first-token-000000\",\"expires_in\":86400}"
#define LONG100                                                                                    \
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567890123" \
    "45678901"
#define LIMIT 20
#define STEP  16 /* pages overlap by four rows */
#define ROWS  (STEP + LIMIT)

static avito_chats_query all_pages(void)
{
    avito_chats_query q;

    memset(&q, 0, sizeof q);
    q.limit = LIMIT;
    q.all_pages = true;
    return q;
}

/* ---- the service ---- */

/* A page of `count` rows, of which row `bad` breaks the model. */
static void give_rows(struct script *s, int from, int count, bool more, int bad)
{
    char body[4000];
    size_t n = 0;

    script_request(s);
    n += (size_t)snprintf(body + n, sizeof body - n, "{\"chats\":[");
    for (int i = from; i < from + count; i++) {
        n += (size_t)snprintf(body + n, sizeof body - n, "%s{\"id\":\"c%03d\",\"updated\":%s%d}",
                              i == from ? "" : ",", i, i == bad ? "{},\"zz\":" : "", 2000 - i);
    }
    n += (size_t)snprintf(body + n, sizeof body - n, "],\"meta\":{\"has_more\":%s}}",
                          more ? "true" : "false");
    script_answer_json(s, 200, body, n);
}

static void give_page_but(struct script *s, int from, bool more, int bad)
{
    give_rows(s, from, LIMIT, more, bad);
}

static void give_page(struct script *s, int from, bool more)
{
    give_page_but(s, from, more, -1);
}

static void give(struct script *s, int status, const char *body)
{
    script_request(s);
    script_answer_json(s, status, body, strlen(body));
}

/* The two pages that there are. */
static void give_pages(struct script *s)
{
    give_page(s, 0, true);
    give_page(s, STEP, false);
}

static bool asked_for(const struct script *s, size_t request, const char *what)
{
    char line[200] = "";
    size_t len =
        s->requests[request].len < sizeof line ? s->requests[request].len : sizeof line - 1;

    memcpy(line, s->sent + s->requests[request].at, len);
    *strchr(line, '\r') = '\0';
    return strstr(line, what) != NULL;
}

/* ---- collected ---- */

static void assert_chats(const struct lane *l, const avito_chats *chats)
{
    assert_int_equal(chats->count, ROWS);
    assert_false(chats->has_more);
    for (int i = 0; i < ROWS; i++) {
        const char *id = chats->items[i].id.ptr;
        char expected[16];
        (void)snprintf(expected, sizeof expected, "c%03d", i);
        assert_true(id >= l->room && id < l->room + sizeof l->room);
        assert_string_equal(id, expected);
        assert_int_equal(chats->items[i].updated, 2000 - i);
    }
}

/* The token dies while a page is asked for: all is read again, into the same memory. */
static void test_collected_when_the_token_is_refused(void **state)
{
    static const struct {
        int status;
        const char *body;
    } rows[] = {{403, EXPIRED}, {401, "{}"}, {403, ""}};
    static const size_t windows[] = {512, 700, 4096};

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        const avito_chats_query q = all_pages();
        avito_chats chats;
        struct lane l;
        int rc;
        lane_init(&l, windows[i % 3]);
        script_connect(&l.script);
        give_page(&l.script, 0, true);
        give(&l.script, rows[i / 3].status, rows[i / 3].body);
        give(&l.script, 200, T1);
        give_pages(&l.script);
        rc = lane_run(&l, avito_get_chats(&l.client, 1, &q, &l.arena, &chats));
        assert_string_equal(dump_result_name(rc), "OK");
        assert_chats(&l, &chats);
        assert_true(asked_for(&l.script, 1, "offset=16"));
        assert_true(asked_for(&l.script, 2, "POST /token"));
        assert_false(asked_for(&l.script, 3, "offset=16"));
        assert_true(asked_for(&l.script, 4, "offset=16"));
        lane_end(&l);
    }
}

/* Each page may find its token revoked: a list that is read slowly takes hours. */
static void test_streamed_when_tokens_are_revoked(void **state)
{
    const avito_chats_query q = all_pages();
    avito_chat chat;
    struct lane l;
    int rows = 0, rc;

    (void)state;
    lane_init(&l, 512);
    script_connect(&l.script);
    give(&l.script, 401, "{}");
    give(&l.script, 200, T1);
    give_page(&l.script, 0, true);
    give(&l.script, 401, "{}");
    give(&l.script, 200, T1);
    give_page(&l.script, STEP, false);
    rc = lane_run(&l, avito_list_chats(&l.client, 1, &q, &l.arena));
    while (rc == AVITO_OK) {
        rc = lane_run(&l, avito_next_chat(&l.client, &chat));
        rows += rc == AVITO_OK;
    }
    assert_string_equal(dump_result_name(rc), "END");
    assert_int_equal(rows, ROWS);
    lane_end(&l);
}

/* It runs out while the page before is received. */
static void test_collected_when_the_token_runs_out(void **state)
{
    static const size_t windows[] = {512, 700, 4096};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const avito_chats_query q = all_pages();
        avito_chats chats;
        struct lane l;
        int rc;
        lane_init(&l, windows[i]);
        l.no_token = true;
        l.script.recv_piece = 100;
        l.script.again = true;
        script_connect(&l.script);
        give(&l.script, 200, "{\"access_token\":\"short\",\"expires_in\":4}");
        give_page(&l.script, 0, true);
        give(&l.script, 200, T1);
        give_pages(&l.script);
        rc = avito_get_chats(&l.client, 1, &q, &l.arena, &chats);
        while (l.script.recv_bytes < 500) {
            assert_int_equal(rc, AVITO_AGAIN);
            rc = avito_step(&l.client);
        }
        clock_advance(&l.clock, 3000);
        assert_string_equal(dump_result_name(lane_run(&l, rc)), "OK");
        assert_chats(&l, &chats);
        lane_end(&l);
    }
}

/* Rows that are left out count once, on whichever page they are, and where pages overlap. */
static void test_collected_without_a_bad_row(void **state)
{
    static const int bad[] = {3, STEP + 2, STEP + 7};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const avito_chats_query q = all_pages();
        avito_chats chats;
        struct lane l;
        lane_init(&l, 512);
        script_connect(&l.script);
        give_page_but(&l.script, 0, true, bad[i]);
        give_page_but(&l.script, STEP, false, bad[i]);
        assert_int_equal(lane_run(&l, avito_get_chats(&l.client, 1, &q, &l.arena, &chats)),
                         AVITO_OK);
        assert_int_equal(chats.count, ROWS - 1);
        assert_int_equal(chats.skipped, 1);
        assert_string_equal(chats.lacked, "updated");
        assert_null(script_problem_open(&l.script, true));
        lane_free(&l);
    }
}

/* Where no row is left, the result says what they lack. */
static void test_collected_of_bad_rows_only(void **state)
{
    static const char body[] =
        "{\"chats\":[{\"id\":\"a\",\"updated\":\"x\"}],\"meta\":{\"has_more\":false}}";
    const avito_chats_query q = all_pages();
    avito_chats chats;
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, body, sizeof body - 1);
    assert_int_equal(lane_run(&l, avito_get_chats(&l.client, 1, &q, &l.arena, &chats)),
                     AVITO_ERR_MODEL);
    assert_string_equal(avito_last_error(&l.client)->text, "updated");
    lane_end(&l);
}

/* A row that is bad on one of two pages is given by the other. */
static void test_collected_with_a_row_bad_on_one_page(void **state)
{
    (void)state;
    for (int page = 0; page < 2; page++) {
        const avito_chats_query q = all_pages();
        avito_chats chats;
        struct lane l;
        lane_init(&l, 512);
        script_connect(&l.script);
        give_page_but(&l.script, 0, true, page == 0 ? STEP + 2 : -1);
        give_page_but(&l.script, STEP, false, page == 1 ? STEP + 2 : -1);
        assert_int_equal(lane_run(&l, avito_get_chats(&l.client, 1, &q, &l.arena, &chats)),
                         AVITO_OK);
        assert_int_equal(chats.count, ROWS);
        assert_int_equal(chats.skipped, page == 0 ? 1 : 0);
        assert_true((chats.lacked != NULL) == (page == 0));
        lane_end(&l);
    }
}

static int collect_within(struct lane *l, size_t cap, bool refused, avito_chats *chats)
{
    const avito_chats_query q = all_pages();

    lane_init(l, 512);
    l->arena = avito_arena_of(l->room + (0u - (uintptr_t)l->room) % 8u, cap); /* all of it */
    script_connect(&l->script);
    if (refused) {
        give_page(&l->script, 0, true);
        give(&l->script, 403, EXPIRED);
        give(&l->script, 200, T1);
    }
    give_pages(&l->script);
    return lane_run(l, avito_get_chats(&l->client, 1, &q, &l->arena, chats));
}

/* A list that is read again takes the memory of one list, not of two. */
static void test_collected_again_in_little_memory(void **state)
{
    avito_chats chats;
    struct lane l;
    size_t cap = 0;
    int rc;

    (void)state;
    do {
        cap += 8;
        rc = collect_within(&l, cap, false, &chats);
        lane_free(&l);
    } while (rc == AVITO_ERR_ARENA && cap < sizeof l.room - 8);
    assert_int_equal(rc, AVITO_OK);
    assert_int_equal(collect_within(&l, cap, true, &chats), AVITO_OK);
    assert_chats(&l, &chats);
    lane_free(&l);
    assert_int_equal(collect_within(&l, cap - 8, true, &chats), AVITO_ERR_ARENA);
    assert_true(avito_last_error(&l.client)->needed > cap - 8);
    lane_free(&l);
}

/* ---- streamed ---- */

static int list_chats(struct lane *l)
{
    const avito_chats_query q = all_pages();

    return lane_run(l, avito_list_chats(&l->client, 1, &q, &l->arena));
}

static int next_result(struct lane *l)
{
    avito_chat chat;

    return lane_run(l, avito_next_chat(&l->client, &chat));
}

/* Every row until the end of the list: the next one each time. */
static int next_chats(struct lane *l, int *rows)
{
    int rc = AVITO_OK;

    for (*rows = 0; rc == AVITO_OK; *rows += rc == AVITO_OK) {
        avito_chat chat;
        rc = lane_run(l, avito_next_chat(&l->client, &chat));
        if (rc == AVITO_OK) {
            char expected[16];
            (void)snprintf(expected, sizeof expected, "c%03d", *rows);
            assert_string_equal(chat.id.ptr, expected);
        }
    }
    return rc;
}

static void test_streamed_when_the_token_is_refused(void **state)
{
    struct lane l;
    int rows;

    (void)state;
    lane_init(&l, 512);
    script_connect(&l.script);
    give_page(&l.script, 0, true);
    give(&l.script, 403, EXPIRED);
    give(&l.script, 200, T1);
    give_page(&l.script, STEP, false);
    assert_int_equal(list_chats(&l), AVITO_OK);
    assert_int_equal(next_chats(&l, &rows), AVITO_END);
    assert_int_equal(rows, ROWS);
    lane_end(&l);
}

/* Fetching a token keeps the peak of the rows before it, and the token itself does not count as a row's. */
static void test_peak_when_the_token_is_refused(void **state)
{
    static const char first[] =
        "{\"chats\":[{\"id\":\"a\",\"context\":{\"type\":\"" LONG100 LONG100 "\"}},{\"id\":\"b\"}],"
        "\"meta\":{\"has_more\":true}}";
    static const char second[] = "{\"chats\":[{\"id\":\"c\"}],\"meta\":{\"has_more\":false}}";
    static const char token[] =
        "{\"access_token\":\"" LONG100 LONG100 LONG100 LONG100 "\",\"expires_in\":86400}";
    size_t peak = 0;

    (void)state;
    for (int refused = 0; refused < 4; refused++) {
        avito_chats_query q = all_pages();
        struct lane l;
        q.limit = 2;
        lane_init(&l, 512);
        script_connect(&l.script);
        give(&l.script, 200, first);
        if (refused == 1 || refused == 2) {
            give(&l.script, 403, EXPIRED);
            give(&l.script, 200, refused == 1 ? T1 : token);
        }
        give(&l.script, refused == 3 ? 503 : 200, refused == 3 ? "{}" : second);
        assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, &q, &l.arena)), AVITO_OK);
        for (int i = 0; i < (refused == 3 ? 2 : 3); i++) {
            assert_int_equal(next_result(&l), AVITO_OK);
        }
        assert_int_equal(next_result(&l), refused == 3 ? AVITO_ERR_SERVER : AVITO_END);
        peak = refused == 0 ? l.arena.peak : peak;
        assert_true(peak > 2 * 100);
        assert_int_equal(l.arena.peak, peak);
        lane_end(&l);
    }
}

/* A window that holds whole elements lets each of them go the short way: the peak is the same. */
static void test_peak_in_any_window(void **state)
{
    static const char body[] =
        "{\"chats\":[{\"id\":\"a\",\"created\":5,\"context\":{\"type\":\"" LONG100
        "\"}},{\"id\":\"b\"}],"
        "\"meta\":{\"has_more\":false}}";
    size_t peak = 0;

    (void)state;
    for (size_t window = 512; window <= 8192; window *= 2) {
        struct lane l;
        lane_init(&l, window);
        script_connect(&l.script);
        give(&l.script, 200, body);
        assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, NULL, &l.arena)), AVITO_OK);
        assert_int_equal(next_result(&l), AVITO_OK);
        peak = window == 512 ? l.arena.peak : peak;
        assert_true(peak > 100);
        assert_int_equal(l.arena.peak, peak);
        assert_int_equal(next_result(&l), AVITO_OK);
        assert_int_equal(next_result(&l), AVITO_END);
        lane_end(&l);
    }
}

/* A list is retried only before its first row was given: otherwise a row would come twice. */
static void test_streamed_is_not_tried_again(void **state)
{
    static const struct {
        int status, result;
        const char *body;
    } bad[] = {
        {503, AVITO_ERR_SERVER, "{}"},
        {429, AVITO_ERR_RATE, "{}"},
        {200, AVITO_ERR_EMPTY, ""},
        {200, AVITO_ERR_JSON, "<html>"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct lane l;
        int rows;
        lane_init_retries(&l, 512, 2);
        script_connect(&l.script);
        give_page(&l.script, 0, true);
        give(&l.script, bad[i].status, bad[i].body);
        assert_int_equal(list_chats(&l), AVITO_OK);
        assert_int_equal(next_chats(&l, &rows), bad[i].result);
        assert_int_equal(rows, LIMIT);
        assert_false(avito_list_open(&l.client));
        assert_false(l.arena.busy);
        assert_null(script_problem_open(&l.script, true)); /* nothing more was asked for */
        lane_free(&l);
    }
}

/* Retries are used before the first row, and when all rows are collected. */
static void test_tried_again_while_nothing_is_given(void **state)
{
    (void)state;
    for (int collected = 0; collected < 2; collected++) {
        const avito_chats_query q = all_pages();
        avito_chats chats;
        struct lane l;
        int rows;
        lane_init_retries(&l, 512, 2);
        script_connect(&l.script);
        if (collected == 1) {
            give_page(&l.script, 0, true);
        }
        give(&l.script, 503, "{}");
        give_pages(&l.script);
        if (collected == 1) {
            assert_int_equal(lane_run(&l, avito_get_chats(&l.client, 1, &q, &l.arena, &chats)),
                             AVITO_OK);
            assert_chats(&l, &chats);
        } else {
            assert_int_equal(list_chats(&l), AVITO_OK);
            assert_int_equal(next_chats(&l, &rows), AVITO_END);
            assert_int_equal(rows, ROWS);
        }
        lane_end(&l);
    }
}

/* Rows of the list before do not count, and a row that is an error does. */
static void test_tries_of_the_second_list(void **state)
{
    static const char bad_row[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"chats\":[1,";

    (void)state;
    for (int bad = 0; bad < 2; bad++) {
        struct lane l;
        int rows;
        lane_init_retries(&l, 512, 1);
        script_connect(&l.script);
        give_pages(&l.script);
        script_request(&l.script);
        if (bad == 1) {
            script_answer(&l.script, bad_row, sizeof bad_row - 1);
        }
        script_end(&l.script);
        if (bad == 0) {
            script_connect(&l.script);
            give_pages(&l.script);
        }
        assert_int_equal(list_chats(&l), AVITO_OK);
        assert_int_equal(next_chats(&l, &rows), AVITO_END);
        assert_int_equal(rows, ROWS);
        assert_int_equal(list_chats(&l), AVITO_OK);
        if (bad == 1) {
            assert_int_equal(next_result(&l), AVITO_ERR_MODEL);
            assert_int_equal(next_result(&l), AVITO_ERR_CLOSED);
        } else {
            assert_int_equal(next_chats(&l, &rows), AVITO_END);
            assert_int_equal(rows, ROWS);
        }
        lane_end(&l);
    }
}

/* The same holds when no connection can be made for the second list. */
static void test_list_after_a_list(void **state)
{
    static const char list[] =
        "{\"chats\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"meta\":{\"has_more\":false}}";
    struct lane l;
    avito_chat chat;

    (void)state;
    lane_init_retries(&l, 512, 1);
    lane_exchange(&l, 200, list, sizeof list - 1);
    script_end(&l.script);
    script_connect_with(&l.script, 0, AVITO_ERR_CONNECT);
    lane_exchange(&l, 200, list, sizeof list - 1);
    for (int i = 0; i < 2; i++) {
        clock_advance(&l.clock, 1000);
        avito_arena_reset(&l.arena);
        assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, NULL, &l.arena)), AVITO_OK);
        assert_int_equal(lane_run(&l, avito_next_chat(&l.client, &chat)), AVITO_OK);
        assert_int_equal(lane_run(&l, avito_next_chat(&l.client, &chat)), AVITO_OK);
        assert_int_equal(lane_run(&l, avito_next_chat(&l.client, &chat)), AVITO_END);
    }
    lane_end(&l);
}

/* ---- what is beside the list ---- */

/* Whether there is more is known in memory of any size, also when the last row did not fit. */
static void test_has_more_takes_no_memory(void **state)
{
    static const char *const bodies[] = {
        "{\"chats\":[{\"id\":\"c000\"},{\"id\":\"c001\",\"context\":{\"type\":\"a longer "
        "one\"}}],\"meta\":{\"has_more\":%s}}",
        "{\"meta\":{\"has_more\":%s},\"chats\":[{\"id\":\"c000\"},{\"id\":\"c001\",\"context\":{"
        "\"type\":\"a longer one\"}}]}",
    };
    int results[2] = {0, 0};

    (void)state;
    for (size_t i = 0; i < 4 * 64; i++) {
        const bool more = i % 4 < 2;
        char body[200];
        struct lane l;
        int rc;
        lane_init(&l, 512);
        l.arena = avito_arena_of(l.room, i / 4 * 8 + 8);
        (void)snprintf(body, sizeof body, bodies[i % 2], more ? "true" : "false");
        lane_exchange(&l, 200, body, strlen(body));
        l.script.recv_piece = i % 3 == 0 ? 1 : 0;
        assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, NULL, &l.arena)), AVITO_OK);
        (void)next_result(&l);
        rc = next_result(&l);
        assert_true(rc == AVITO_OK || rc == AVITO_ERR_ARENA);
        results[rc == AVITO_OK]++;
        assert_int_equal(next_result(&l), AVITO_END);
        assert_int_equal(avito_list_has_more(&l.client), more);
        lane_free(&l);
    }
    assert_true(results[0] > 0 && results[1] > 0);
}

/* What breaks the model beside the list is not a row: it ends the list with its error, wherever it
 * is. It must not count as a bad row with nothing after it. */
static void test_bad_beside_the_list(void **state)
{
    static const struct {
        const char *meta;
        int result;
    } bad[] = {{"{\"has_more\":5}", AVITO_ERR_MODEL},
               {"{\"has_more\":{\"x\":[]}}", AVITO_ERR_MODEL},
               {"{\"has_more\":true,\"has_more\":false}", AVITO_ERR_DUPLICATE},
               {"[1]", AVITO_ERR_MODEL}};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof bad / sizeof bad[0]; i++) {
        const bool first = i % 2 == 0;
        char body[200];
        struct lane l;
        lane_init(&l, 512);
        (void)snprintf(body, sizeof body,
                       first ? "{\"meta\":%s,\"chats\":[{\"id\":\"c000\"}]}"
                             : "{\"chats\":[{\"id\":\"c000\"}],\"meta\":%s}",
                       bad[i / 2].meta);
        lane_exchange(&l, 200, body, strlen(body));
        assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, NULL, &l.arena)), AVITO_OK);
        if (!first) {
            assert_int_equal(next_result(&l), AVITO_OK);
        }
        assert_int_equal(next_result(&l), bad[i / 2].result);
        assert_false(avito_list_open(&l.client));
        assert_true(l.arena.used == 0 && !l.arena.busy);
        lane_free(&l);
    }
}

/* ---- too little memory ---- */

/* However small the arena is, the error of a collected list names a size that is enough. */
static void test_needed_of_a_collected_list(void **state)
{
    size_t enough = 0;

    (void)state;
    for (size_t cap = 8; enough == 0; cap += 8) {
        avito_chats chats;
        struct lane l;
        size_t needed;
        int rc = collect_within(&l, cap, false, &chats);
        needed = avito_last_error(&l.client)->needed;
        if (rc == AVITO_OK) {
            assert_chats(&l, &chats);
            enough = cap;
        } else {
            assert_int_equal(rc, AVITO_ERR_ARENA);
            assert_in_range(needed, cap + 1, sizeof l.room - 8);
            lane_free(&l);
            assert_int_equal(collect_within(&l, needed, false, &chats), AVITO_OK);
            assert_chats(&l, &chats);
        }
        lane_free(&l);
    }
}

/* The arena has no room even for the answer around the list: nothing outside it is written,
 * whatever is in place of an element. */
static void test_list_in_almost_no_memory(void **state)
{
    static const char body[] =
        "{\"chats\":[1,{\"id\":\"c000\"},null],\"meta\":{\"has_more\":true}}";
    int fits = 0;

    (void)state;
    for (size_t cap = 0; cap < 1024; cap += sizeof(void *)) {
        const avito_chats_query q = all_pages();
        struct lane l;
        lane_init(&l, 512);
        memset(l.room, 0x5a, 2048);
        l.arena = avito_arena_of(l.room + 1024, cap);
        lane_exchange(&l, 200, body, sizeof body - 1);
        assert_int_equal(
            lane_run(&l, avito_list_chats(&l.client, 1, cap % 16 != 0 ? &q : NULL, &l.arena)),
            AVITO_OK);
        assert_int_equal(next_result(&l), AVITO_ERR_MODEL);
        fits += next_result(&l) == AVITO_OK;
        assert_int_equal(next_result(&l), AVITO_ERR_MODEL);
        assert_int_equal(next_result(&l), AVITO_END);
        for (size_t i = 0; i < 2048; i++) {
            assert_true((i >= 1024 && i < 1024 + cap) || l.room[i] == 0x5a);
        }
        lane_end(&l);
    }
    assert_true(
        fits > 0 &&
        fits <
            (int)(1024 / sizeof(void *))); /* it began where it does not, and ended where it does */
}

/* The message before the send, and one that is claimed, may be larger than the arena: the id is
 * enough to recognise it. What is older is not looked at, even if it has the same second and the
 * same text. */
static void test_confirm_knows_rows_by_their_ids(void **state)
{
    static const char body[] =
        "{\"messages\":["
        "{\"id\":\"new\",\"direction\":\"in\",\"type\":\"text\",\"created\":9,\"content\":{"
        "\"text\":\"text\"}},"
        "{\"id\":\"mine\",\"direction\":\"out\",\"type\":\"text\",\"created\":9,\"content\":{"
        "\"text\":\"text" LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 "\"}},"
        "{\"id\":\"base\",\"direction\":\"in\",\"type\":\"text\",\"created\":8,"
        "\"content\":{\"text\":\"" LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 LONG100 "\"}},"
        "{\"id\":\"old\",\"direction\":\"out\",\"type\":\"text\",\"created\":8,\"content\":{"
        "\"text\":\"text\"}}]}";
    static const char *const claimed[] = {"other", "mine"};
    const avito_sent_query query = {.text = "text",
                                    .baseline_id = "base",
                                    .baseline_created = 8,
                                    .claimed = claimed,
                                    .claimed_count = 2,
                                    .age_s = 100};
    int told = 0;

    (void)state;
    for (size_t cap = 320; cap < 1600; cap += 8) {
        avito_outcome outcome = AVITO_SENT;
        avito_message found;
        struct lane l;
        lane_init(&l, 512);
        l.arena = avito_arena_of(l.room, cap);
        lane_exchange(&l, 200, body, sizeof body - 1);
        assert_int_equal(
            lane_run(&l, avito_confirm_sent(&l.client, 1, "c", &query, &l.arena, &outcome, &found)),
            AVITO_OK);
        assert_true(outcome == AVITO_NOT_SENT || (outcome == AVITO_CANNOT_TELL && told == 0));
        told += outcome == AVITO_NOT_SENT;
        lane_free(&l);
    }
    assert_true(told > 100); /* all but those in which not even the small row fits */
}

/* A text that was cut in a row that is bad is not the next row's. */
static void test_cut_in_a_bad_row(void **state)
{
    static const char body[] =
        "{\"messages\":[{\"id\":\"a\",\"content\":{\"text\":\"" LONG100 "\"},\"created\":[]},"
        "{\"id\":\"b\",\"content\":{\"text\":\"short\"},\"type\":\"text\"},"
        "{\"id\":\"c\",\"content\":{\"text\":\"" LONG100 "\"},\"type\":\"text\"}]}";
    const avito_messages_query q = {.cut_text_at = 10};
    avito_message m;
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, body, sizeof body - 1);
    assert_int_equal(lane_run(&l, avito_list_messages(&l.client, 1, "c", &q, &l.arena)), AVITO_OK);
    assert_int_equal(lane_run(&l, avito_next_message(&l.client, &m)), AVITO_ERR_MODEL);
    assert_int_equal(lane_run(&l, avito_next_message(&l.client, &m)), AVITO_OK);
    assert_string_equal(m.content.as.text.ptr, "short");
    assert_false(m.is_cut);
    assert_int_equal(lane_run(&l, avito_next_message(&l.client, &m)), AVITO_OK);
    assert_int_equal(m.content.as.text.len, 10);
    assert_true(m.is_cut);
    lane_free(&l);
}

/* A query of chats cuts the text of the last message, and flags it. The next chat begins without the flag. */
static void test_cut_last_message(void **state)
{
    static const char body[] =
        "{\"chats\":[{\"id\":\"a\",\"last_message\":{\"id\":\"m\",\"content\":{\"text\":\"" LONG100
        "\"},\"type\":\"text\"}},{\"id\":\"b\",\"last_message\":{\"id\":\"n\",\"content\":{"
        "\"text\":\"short\"},"
        "\"type\":\"text\"}}]}";
    const avito_chats_query q = {.cut_text_at = 10};
    avito_chat chat;
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, body, sizeof body - 1);
    assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, &q, &l.arena)), AVITO_OK);
    assert_int_equal(lane_run(&l, avito_next_chat(&l.client, &chat)), AVITO_OK);
    assert_int_equal(chat.last_message->content.as.text.len, 10);
    assert_true(chat.last_message->is_cut);
    assert_int_equal(lane_run(&l, avito_next_chat(&l.client, &chat)), AVITO_OK);
    assert_string_equal(chat.last_message->content.as.text.ptr, "short");
    assert_false(chat.last_message->is_cut);
    lane_free(&l);
}

/* ---- ended early ---- */

#define TWO                                                                                        \
    "{\"chats\":[{\"id\":\"c000\",\"updated\":2},{\"id\":\"c001\",\"updated\":1}],\"meta\":{}}"

/* A list of which `there` bytes of the body come, the first `soon` at once; with the first row read. */
static void open_list(struct lane *l, size_t announced, size_t there, size_t soon)
{
    static size_t split;
    char head[100];
    avito_chat chat;

    split = soon + (size_t)snprintf(head, sizeof head,
                                    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", announced);
    lane_init(l, 4096);
    lane_exchange_raw(l, head, strlen(head));
    script_answer(&l->script, TWO, there);
    l->script.splits = &split;
    l->script.split_count = 1;
    l->script.again = true;
    assert_int_equal(lane_run(l, avito_list_chats(&l->client, 1, NULL, &l->arena)), AVITO_OK);
    assert_int_equal(lane_run(l, avito_next_chat(&l->client, &chat)), AVITO_OK);
    assert_string_equal(chat.id.ptr, "c000");
}

/* A caller that does not want to wait for the rest does not have to, whatever is missing. */
static void test_end_that_drops_nothing_does_not_wait(void **state)
{
    const size_t len = sizeof TWO - 1;

    (void)state;
    for (size_t there = 35; there < len; there++) {
        struct lane l;
        uint32_t before;
        open_list(&l, there % 2 == 0 ? len : 50000, there, there);
        before = l.clock.ms;
        assert_int_equal(avito_list_end(&l.client, 0), AVITO_OK);
        assert_int_equal(l.clock.ms, before);
        assert_false(avito_list_open(&l.client));
        assert_false(l.arena.busy);
        assert_null(script_problem(&l.script)); /* closed */
        lane_free(&l);
    }
}

/* Before the answer has begun the call is given up, which is no error. */
static void test_end_before_the_answer(void **state)
{
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    l.options.never_wait = true;
    lane_again(&l, 512);
    script_connect_with(&l.script, 9, AVITO_OK);
    assert_int_equal(avito_list_chats(&l.client, 1, NULL, &l.arena), AVITO_AGAIN);
    assert_int_equal(avito_list_end(&l.client, 1000), AVITO_OK);
    assert_int_equal(avito_last_error(&l.client)->code, AVITO_OK);
    assert_false(avito_list_open(&l.client));
    lane_free(&l);
}

/* With a number of bytes to drop, it waits for as many. */
static void test_end_waits_for_the_rest(void **state)
{
    const size_t len = sizeof TWO - 1;
    struct lane l;
    avito_chat chat;

    (void)state;
    open_list(&l, len, len, 60);
    assert_int_equal(avito_list_end(&l.client, 1000), AVITO_AGAIN);
    assert_int_equal(avito_next_chat(&l.client, &chat),
                     AVITO_ERR_IDLE); /* the list is being left */
    assert_true(l.script.open);
    assert_int_equal(lane_run(&l, AVITO_AGAIN), AVITO_OK);
    assert_true(l.script.open);
    lane_end(&l);
}

/* However long the caller had the row: no deadline runs meanwhile. */
static void test_end_after_a_slow_row(void **state)
{
    const size_t len = sizeof TWO - 1;
    struct lane l;

    (void)state;
    open_list(&l, len, len, 60);
    clock_advance(&l.clock, 200000);
    assert_int_equal(avito_list_end(&l.client, 1000), AVITO_AGAIN);
    assert_int_equal(lane_run(&l, AVITO_AGAIN), AVITO_OK);
    assert_true(l.script.open);
    assert_null(script_problem_open(&l.script, true));
    lane_free(&l);
}

/* It drops as many bytes as it was told, in the window or not. */
static void test_end_drops_so_many_bytes(void **state)
{
    const size_t len = sizeof TWO - 1;

    (void)state;
    for (size_t soon = 35; soon <= len; soon++) {
        for (size_t less = 0; less < 2; less++) {
            struct lane l;
            open_list(&l, len, len, soon);
            assert_int_equal(lane_run(&l, avito_list_end(&l.client, len - 35 - less)), AVITO_OK);
            assert_int_equal(l.script.open, less == 0);
            assert_null(script_wrong(&l.script));
            lane_free(&l);
        }
    }
}

/* ---- in the middle of a list ---- */

/* What a row lacked is not what ends the list later. */
static void test_error_after_a_bad_row(void **state)
{
    static const char *const bad[] = {
        "{\"id\":\"large\",\"type\":\"text\",\"content\":{\"text\":\"%0300d\"}}",
        "{\"id\":\"b\",\"created\":{},\"zz\":%d}"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        avito_message m;
        char row[400], answer[600];
        struct lane l;

        lane_init(&l, 512);
        l.arena = avito_arena_of(l.room, 256);
        (void)snprintf(row, sizeof row, bad[i / 2], 1);
        (void)snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n[%s,",
                       row);
        lane_exchange_raw(&l, answer, strlen(answer));
        script_end(&l.script);
        assert_int_equal(lane_run(&l, avito_list_messages(&l.client, 1, "c", NULL, &l.arena)),
                         AVITO_OK);
        assert_int_equal(lane_run(&l, avito_next_message(&l.client, &m)),
                         i / 2 == 0 ? AVITO_ERR_ARENA : AVITO_ERR_MODEL);
        assert_string_equal(avito_last_error(&l.client)->text, i / 2 == 0 ? "large" : "created");
        if (i % 2 == 0) {
            assert_int_equal(lane_run(&l, avito_next_message(&l.client, &m)), AVITO_ERR_CLOSED);
        } else {
            avito_cancel(&l.client);
        }
        assert_string_equal(avito_last_error(&l.client)->text, "");
        assert_int_equal(avito_last_error(&l.client)->needed, 0);
        lane_free(&l);
    }
}

/* Ended after any number of rows, also on the second page, which overlaps the first, and before its answer has
 * begun: another list goes on with the next row. */
static void test_goes_on_after_the_last_row(void **state)
{
    (void)state;
    for (int given = 0; given <= ROWS; given++) {
        avito_chats_query q = all_pages();
        struct lane l;
        avito_chat chat;
        char asked[40];
        lane_init(&l, 512);
        script_connect(&l.script);
        give_page(&l.script, 0, true);
        if (given > LIMIT) {
            give_page(&l.script, STEP, false);
        }
        assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, &q, &l.arena)), AVITO_OK);
        for (int i = 0; i < given; i++) {
            assert_int_equal(lane_run(&l, avito_next_chat(&l.client, &chat)), AVITO_OK);
            assert_int_equal(atoi(chat.id.ptr + 1), i);
        }
        (void)lane_run(&l, avito_list_end(&l.client, 1000000));
        assert_int_equal(avito_list_offset(&l.client), given);
        q.offset = avito_list_offset(&l.client);
        q.all_pages = false;
        give_page(&l.script, given, false);
        assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, &q, &l.arena)), AVITO_OK);
        assert_int_equal(avito_list_offset(&l.client), given);
        assert_int_equal(lane_run(&l, avito_next_chat(&l.client, &chat)), AVITO_OK);
        assert_int_equal(atoi(chat.id.ptr + 1), given);
        assert_int_equal(avito_list_offset(&l.client), given + 1);
        (void)snprintf(asked, sizeof asked, "offset=%d", given);
        assert_true(given == 0 || asked_for(&l.script, given > LIMIT ? 2 : 1, asked));
        (void)lane_run(&l, avito_list_end(&l.client, 1000000));
        lane_free(&l);
    }
    assert_int_equal(avito_list_offset(NULL), 0);
}

/* 26 rows slide down to the next page, which overlaps by four: none comes twice, as the last thirty are
 * known. One more would. */
static void test_rows_that_slide(void **state)
{
    (void)state;
    for (int slid = 0; slid <= 27; slid++) {
        avito_chats_query q = all_pages();
        struct lane l;
        avito_chat chat;
        int given = 0;
        q.limit = 40;
        lane_init(&l, 512);
        script_connect(&l.script);
        give_rows(&l.script, 0, 40, true, -1);
        give_rows(&l.script, 36 - slid, 40, false, -1);
        assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, &q, &l.arena)), AVITO_OK);
        while (lane_run(&l, avito_next_chat(&l.client, &chat)) == AVITO_OK) {
            assert_int_equal(atoi(chat.id.ptr + 1),
                             slid > 26 && given >= 40 ? given - 40 + 9 : given);
            given++;
        }
        assert_int_equal(given, slid > 26 ? 80 : 76 - slid);
        lane_free(&l);
    }
}

/* Pages overlap by four rows, but not where that were half of a page or more. */
static void test_small_pages(void **state)
{
    static const struct {
        int limit, next;
    } rows[] = {{1, 1}, {7, 7}, {8, 8}, {9, 5}, {12, 8}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        avito_chats_query q = all_pages();
        struct lane l;
        char asked[40];
        int given;
        q.limit = (uint8_t)rows[i].limit;
        lane_init(&l, 512);
        script_connect(&l.script);
        give_rows(&l.script, 0, rows[i].limit, true, -1);
        give_rows(&l.script, rows[i].next, 1, false, -1);
        assert_int_equal(lane_run(&l, avito_list_chats(&l.client, 1, &q, &l.arena)), AVITO_OK);
        assert_int_equal(next_chats(&l, &given), AVITO_END);
        assert_int_equal(given, rows[i].limit + (rows[i].next == rows[i].limit ? 1 : 0));
        (void)snprintf(asked, sizeof asked, "offset=%d", rows[i].next);
        assert_true(asked_for(&l.script, 1, asked));
        lane_free(&l);
    }
}

/* Ended in the middle of a row, by the program or by the wire: the row was not given, so another
 * list begins with it. */
static void test_goes_on_with_the_row_begun(void **state)
{
    static const char two[] = TWO; /* two equal literals need not have one address */
    const size_t whole = (size_t)(strstr(two, "],\"meta\"") - two);

    (void)state;
    for (size_t there = 35; there <= sizeof TWO - 1; there++) {
        struct lane l;
        avito_chat chat;
        open_list(&l, 50000, there, there);
        assert_int_equal(avito_next_chat(&l.client, &chat), there < whole ? AVITO_AGAIN : AVITO_OK);
        assert_int_equal(avito_list_end(&l.client, 0), AVITO_OK);
        assert_int_equal(avito_list_offset(&l.client), there < whole ? 1 : 2);
        lane_free(&l);
    }
}

/* Byte by byte, with a row that cannot be read: it counts when it is reported, not while it is skipped. */
static void test_offset_beside_a_bad_row(void **state)
{
    static const char list[] =
        "{\"chats\":[{\"id\":\"a\"},{\"id\":\"b\",\"updated\":\"soon\",\"x\":[1,2,3]},"
        "{\"id\":\"c\"}],\"meta\":{\"has_more\":false}}";
    static const int results[] = {AVITO_OK, AVITO_ERR_MODEL, AVITO_OK, AVITO_END};
    struct lane l;
    avito_chat chat;
    size_t told = 0;
    int rc;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, list, sizeof list - 1);
    l.script.recv_piece = 1;
    l.script.again = true;
    rc = lane_run(&l, avito_list_chats(&l.client, 1, NULL, &l.arena));
    assert_int_equal(rc, AVITO_OK);
    while (rc != AVITO_END) {
        rc = avito_next_chat(&l.client, &chat);
        if (rc != AVITO_AGAIN) {
            assert_int_equal(rc, results[told++]);
        }
        assert_int_equal(avito_list_offset(&l.client), told < 3 ? told : 3);
    }
    lane_free(&l);
}

/* A pair of a map is an element, too: of a bad one only the error is given. */
static void test_voices_beside_a_bad_one(void **state)
{
    static const char body[] = "{\"voices_urls\":{\"a\":[5],\"b\":6,\"c\":\"https://x.ru/c\"}}";
    static const char *const ids[] = {"a", "b", "c"};
    avito_voice_file voice;
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, body, sizeof body - 1);
    assert_int_equal(lane_run(&l, avito_list_voice_files(&l.client, 1, ids, 3, &l.arena)),
                     AVITO_OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(lane_run(&l, avito_next_voice_file(&l.client, &voice)), AVITO_ERR_MODEL);
        assert_string_equal(avito_last_error(&l.client)->text, ids[i]);
    }
    assert_int_equal(lane_run(&l, avito_next_voice_file(&l.client, &voice)), AVITO_OK);
    assert_string_equal(voice.url.ptr, "https://x.ru/c");
    assert_int_equal(lane_run(&l, avito_next_voice_file(&l.client, &voice)), AVITO_END);
    lane_end(&l);
}

/* Each id is looked at before anything is sent. */
static void test_voices_of_bad_ids(void **state)
{
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    for (unsigned bad = 0; bad < 3; bad++) {
        const char *ids[] = {"a", "b", "c"};
        avito_voice_files voices;
        ids[bad] = "..";
        assert_int_equal(avito_get_voice_files(&l.client, 1, ids, 3, &l.arena, &voices),
                         AVITO_ERR_ID);
    }
    assert_int_equal(l.script.connects, 0);
    lane_end(&l);
}

/* After a page that failed, the rows of the page before do not count twice. */
static void test_goes_on_where_a_page_failed(void **state)
{
    struct lane l;
    int rows;

    (void)state;
    lane_init(&l, 512);
    script_connect(&l.script);
    give_page(&l.script, 0, true);
    give(&l.script, 503, "{}");
    assert_int_equal(list_chats(&l), AVITO_OK);
    assert_int_equal(next_chats(&l, &rows), AVITO_ERR_SERVER);
    assert_int_equal(rows, LIMIT);
    assert_in_range(avito_list_offset(&l.client), STEP, LIMIT);
    lane_free(&l);
}

/* ---- messages know their chat ---- */

static void test_messages_of_a_list_have_its_chat(void **state)
{
    static const char three[] =
        "{\"messages\":[{\"id\":\"a\",\"author_id\":1},{\"id\":\"b\",\"author_id\":2,\"chat_id\":"
        "\"of another\"},{\"id\":\"c\",\"author_id\":1}],\"meta\":{\"has_more\":false}}";
    struct lane l;
    avito_messages all;
    avito_message m;

    (void)state;
    lane_init(&l, 512);
    script_connect(&l.script);
    give(&l.script, 200, three);
    assert_int_equal(
        lane_run(&l, avito_get_messages(&l.client, 1, "u2i-a~b", NULL, &l.arena, &all)), AVITO_OK);
    assert_int_equal(all.count, 3);
    for (size_t i = 0; i < all.count; i++) {
        assert_true(avito_str_equal(all.items[i].chat_id, "u2i-a~b"));
    }
    avito_arena_reset(&l.arena);
    give(&l.script, 200, three);
    assert_int_equal(lane_run(&l, avito_list_messages(&l.client, 1, "u2i-a~b", NULL, &l.arena)),
                     AVITO_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lane_run(&l, avito_next_message(&l.client, &m)), AVITO_OK);
        assert_true(avito_str_equal(m.chat_id, "u2i-a~b"));
    }
    assert_int_equal(lane_run(&l, avito_next_message(&l.client, &m)), AVITO_END);
    lane_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collected_when_the_token_is_refused),
        cmocka_unit_test(test_streamed_when_tokens_are_revoked),
        cmocka_unit_test(test_collected_when_the_token_runs_out),
        cmocka_unit_test(test_collected_without_a_bad_row),
        cmocka_unit_test(test_collected_of_bad_rows_only),
        cmocka_unit_test(test_collected_with_a_row_bad_on_one_page),
        cmocka_unit_test(test_collected_again_in_little_memory),
        cmocka_unit_test(test_streamed_when_the_token_is_refused),
        cmocka_unit_test(test_peak_when_the_token_is_refused),
        cmocka_unit_test(test_peak_in_any_window),
        cmocka_unit_test(test_streamed_is_not_tried_again),
        cmocka_unit_test(test_tried_again_while_nothing_is_given),
        cmocka_unit_test(test_tries_of_the_second_list),
        cmocka_unit_test(test_list_after_a_list),
        cmocka_unit_test(test_has_more_takes_no_memory),
        cmocka_unit_test(test_bad_beside_the_list),
        cmocka_unit_test(test_needed_of_a_collected_list),
        cmocka_unit_test(test_list_in_almost_no_memory),
        cmocka_unit_test(test_confirm_knows_rows_by_their_ids),
        cmocka_unit_test(test_cut_in_a_bad_row),
        cmocka_unit_test(test_cut_last_message),
        cmocka_unit_test(test_end_that_drops_nothing_does_not_wait),
        cmocka_unit_test(test_end_before_the_answer),
        cmocka_unit_test(test_end_waits_for_the_rest),
        cmocka_unit_test(test_end_after_a_slow_row),
        cmocka_unit_test(test_end_drops_so_many_bytes),
        cmocka_unit_test(test_error_after_a_bad_row),
        cmocka_unit_test(test_goes_on_after_the_last_row),
        cmocka_unit_test(test_rows_that_slide),
        cmocka_unit_test(test_small_pages),
        cmocka_unit_test(test_goes_on_with_the_row_begun),
        cmocka_unit_test(test_offset_beside_a_bad_row),
        cmocka_unit_test(test_voices_beside_a_bad_one),
        cmocka_unit_test(test_voices_of_bad_ids),
        cmocka_unit_test(test_goes_on_where_a_page_failed),
        cmocka_unit_test(test_messages_of_a_list_have_its_chat),
    };

    return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
