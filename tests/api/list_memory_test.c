/*
 * Every small list in memory of every size: what a row is does not depend on how much memory there
 * is. The one exception is the error that says there is too little, and it names the size that is
 * enough.
 *
 * The bodies have a few members before and after the list, and rows that are good, bad, large, or
 * of the wrong kind. The memory starts at nothing. Each body is read in ample memory first, which
 * tells what to expect; then in less and less, cut in other ways, under the sanitizers.
 * Rooms: ARENA, LISTS, JSON: WHAT IS OPEN.
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

#define LONG60 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx"
#define AMPLE  4096

static const char *const rows[] = {
    "{}",
    "{\"id\":\"a\"}",
    "{\"id\":\"" LONG60 LONG60 "\"}",
    "{\"id\":\"b\",\"content\":{\"text\":\"" LONG60 LONG60 "\"},\"type\":\"text\",\"created\":5}",
    "{\"content\":{\"text\":\"hello\"},\"type\":\"text\",\"direction\":\"out\",\"created\":7,"
    "\"id\":\"c\"}",
    "{\"id\":\"\\u0430\\ud83d\\ude00\xd0\xb6\",\"created\":\"12\",\"is_read\":true,\"zz\":{\"id\":["
    "1.5e3]}}",
    "{\"id\":\"e\",\"quote\":{\"id\":\"q\",\"content\":{\"image\":{\"sizes\":{\"1x1\":\"u\","
    "\"2x2\":\"v\",\"3\":null}}}}}",
    "1",
    "null",
    "[[{\"a\":[]}],{}]",
    "{\"id\":\"d\",\"id\":\"d\"}",
    "{\"id\":{\"x\":[1,{}]},\"created\":1}",
    "{\"content\":{\"image\":{\"sizes\":{\"1\":\"v\",\"2\":5}}},\"id\":\"f\"}",
};
static const char *const before[] = {"", "\"meta\":{\"has_more\":true},",
                                     "\"junk\":[{\"b\":\"" LONG60 "\"}],",
                                     "\"meta\":{\"has_more\":5},"};
static const char *const after[] = {"", ",\"meta\":{\"has_more\":true}",
                                    ",\"meta\":{\"x\":{},\"has_more\":false}",
                                    ",\"meta\":{\"has_more\":[]}"};

/* Other machines take each LISTS_STEP-th list. */
#ifndef LISTS_STEP
#define LISTS_STEP 1
#endif

enum { ROWS = sizeof rows / sizeof rows[0], BEFORE = 4, BEHIND = 4, NONE = ROWS };

/* Up to two rows; NONE: there is none. */
static void make_body(char *body, size_t cap, size_t first, size_t second, const char *pre,
                      const char *post)
{
    (void)snprintf(body, cap, "{%s\"messages\":[%s%s%s]%s}", pre, first == NONE ? "" : rows[first],
                   second == NONE ? "" : ",", second == NONE ? "" : rows[second], post);
}

/* ---- one list, read ---- */

struct seen {
    int result[3]; /* of the rows, then of the end */
    size_t needed[3];
    struct text what[3]; /* a message, or the error's text */
    size_t count;
    bool more;
    size_t peak;
};

static void seen_free(struct seen *s)
{
    for (size_t i = 0; i < 3; i++) {
        text_free(&s->what[i]);
    }
}

static void begin(struct lane *l, char **room, size_t cap, size_t piece)
{
    lane_again(l, 512);
    *room = malloc(cap > 0 ? cap : 1);
    l->arena = avito_arena_of(*room, cap);
    l->script.recv_piece = piece;
}

static void end(struct lane *l, char *room)
{
    assert_false(l->arena.busy);
    assert_true(l->arena.used <= l->arena.cap && l->arena.peak <= l->arena.cap);
    assert_null(script_wrong(&l->script)); /* an answer that is broken is not read to its end */
    free(room);
}

static void read_rows(struct lane *l, size_t cap, size_t piece, struct seen *s)
{
    char *room;
    int rc;

    memset(s, 0, sizeof *s);
    begin(l, &room, cap, piece);
    assert_int_equal(lane_run(l, avito_list_messages(&l->client, 1, "c", NULL, &l->arena)),
                     AVITO_OK);
    do {
        avito_message m;
        rc = lane_run(l, avito_next_message(&l->client, &m));
        assert_true(s->count < 3);
        s->result[s->count] = rc;
        s->needed[s->count] = avito_last_error(&l->client)->needed;
        text_clear(&s->what[s->count]);
        if (rc == AVITO_OK) {
            dump_message(&s->what[s->count], "m", &m);
        } else {
            text_add(&s->what[s->count], "%s", avito_last_error(&l->client)->text);
        }
        s->count++;
    } while (avito_list_open(&l->client));
    s->more = avito_list_has_more(&l->client);
    s->peak = l->arena.peak;
    end(l, room);
}

static void assert_row(const char *body, size_t cap, const struct seen *ample,
                       const struct seen *got, size_t i)
{
    const bool too_little = got->result[i] == AVITO_ERR_ARENA && ample->result[i] == AVITO_OK;

    if (!too_little && (got->result[i] != ample->result[i] ||
                        strcmp(got->what[i].data, ample->what[i].data) != 0)) {
        fail_msg("row %zu in %zu bytes: %s, \"%s\": %s", i, cap, dump_result_name(got->result[i]),
                 got->what[i].data, body);
    }
    if (too_little && got->needed[i] <= cap) {
        fail_msg("row %zu in %zu bytes needs %zu: %s", i, cap, got->needed[i], body);
    }
}

/* In less memory than the largest row needs, and in just enough for each. */
static void streamed(struct lane *l, const char *body)
{
    static const size_t pieces[] = {0, 1, 9};
    size_t least[3] = {0, 0, 0};
    struct seen ample, got;

    read_rows(l, AMPLE, 0, &ample);
    for (size_t cap = 0; cap < ample.peak + 16; cap += 8) {
        read_rows(l, cap, pieces[cap / 8 % 3], &got);
        assert_int_equal(got.count, ample.count);
        assert_int_equal(got.more, ample.more);
        for (size_t i = 0; i < got.count; i++) {
            assert_row(body, cap, &ample, &got, i);
            if (got.result[i] == AVITO_ERR_ARENA) { /* in every size the same */
                assert_true(least[i] == 0 || least[i] == got.needed[i]);
                least[i] = got.needed[i];
            } else if (got.result[i] == AVITO_OK && cap + 7 < least[i]) { /* 7: for any address */
                fail_msg("row %zu needs only %zu bytes, not %zu: %s", i, cap, least[i], body);
            }
        }
        seen_free(&got);
    }
    seen_free(&ample);
}

static int read_whole(struct lane *l, size_t cap, size_t piece, struct text *what)
{
    avito_messages all;
    char *room;
    int rc;

    text_clear(what);
    begin(l, &room, cap, piece);
    rc = lane_run(l, avito_get_messages(&l->client, 1, "c", NULL, &l->arena, &all));
    if (rc == AVITO_OK) {
        dump_messages(what, "all", &all);
    } else {
        assert_int_equal(l->arena.used, 0);
    }
    end(l, room);
    return rc;
}

/* Reads the list as a whole, in memory of each size up to one that is enough. */
static void collected(struct lane *l, const char *body)
{
    struct text ample = {0}, got = {0};
    const int result = read_whole(l, AMPLE, 0, &ample);
    size_t enough = 0, told = 0;

    for (size_t cap = 0; cap < 1800 && (enough == 0 || cap < enough + 24) && result == AVITO_OK;
         cap += 8) {
        const int rc = read_whole(l, cap, cap % 24 == 0 ? 1 : 0, &got);
        const size_t needed = avito_last_error(&l->client)->needed;
        if (rc == AVITO_OK) {
            assert_string_equal(got.data, ample.data);
            enough = enough != 0 ? enough : cap;
            continue;
        }
        assert_int_equal(rc, AVITO_ERR_ARENA);
        if (enough != 0 || needed <= cap || (told != 0 && needed != told)) {
            fail_msg("%zu bytes, %zu are enough, needed says %zu, before that %zu: %s", cap, enough,
                     needed, told, body);
        }
        told = needed;
    }
    assert_true(result < 0 || enough != 0);
    assert_true(told == 0 || told == enough + 7); /* for any address */
    text_free(&ample);
    text_free(&got);
}

/* ---- all of them ---- */

static void every_list(void (*read)(struct lane *l, const char *body))
{
    for (size_t i = 0; i < (ROWS + 1) * (ROWS + 1); i += LISTS_STEP) {
        const size_t first = i / (ROWS + 1), second = i % (ROWS + 1);
        for (size_t k = 0; k < BEFORE * BEHIND; k++) {
            char body[1000];
            struct lane l;
            if ((first == NONE && second != NONE) || (k % BEFORE % 2 != 0 && k / BEFORE != 0)) {
                continue; /* meta only once */
            }
            make_body(body, sizeof body, first, second, before[k % BEFORE], after[k / BEFORE]);
            lane_init(&l, 512);
            lane_exchange(&l, 200, body, strlen(body));
            read(&l, body);
            lane_free(&l);
        }
    }
}

static void test_streamed_in_every_size(void **state)
{
    (void)state;
    every_list(streamed);
}

static void test_collected_in_every_size(void **state)
{
    (void)state;
    every_list(collected);
}

/* Strings of which the last byte, or only the NUL, has no room, in one piece and byte by byte. */
static void test_strings_that_just_fit(void **state)
{
    static const char text[] = "0123456789abcdefghijklmnop";

    (void)state;
    for (int i = 0; i < 26 * 9; i++) {
        char body[200];
        struct lane l;
        (void)snprintf(body, sizeof body,
                       "{\"messages\":[{\"id\":\"%.*s\",\"published_at\":\"%s%.*s\"}]}", i % 26,
                       text, i / 26 % 2 == 0 ? "" : "\\u0430", i / 26, text);
        lane_init(&l, 512);
        lane_exchange(&l, 200, body, strlen(body));
        streamed(&l, body);
        lane_free(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streamed_in_every_size),
        cmocka_unit_test(test_collected_in_every_size),
        cmocka_unit_test(test_strings_that_just_fit),
    };

    return cmocka_run_group_tests_name("list_memory", tests, NULL, NULL);
}
