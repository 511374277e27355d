/*
 * Raw JSON: which texts are accepted, how much memory they need, and that the walk finds
 * everything.
 * Rooms: RAW JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "avito_messenger.h"
#include "support/dump.h"
#include "support/fixture.h"
#include "support/guard.h"
#include "support/json_values.h"

static char ample[1 << 20];

static int parse(avito_json *json, const char *text)
{
    return avito_json_parse(json, text, strlen(text), ample, sizeof ample);
}

static avito_json_value root_of(avito_json *json, const char *text)
{
    assert_int_equal(parse(json, text), AVITO_OK);
    return avito_json_root(json);
}

static void assert_string(avito_json_value value, const char *expected)
{
    static char room[65536];
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_str s;

    assert_int_equal(avito_json_string(value, &arena, &s, NULL), AVITO_OK);
    assert_string_equal(s.ptr, expected);
}

/* ---- which texts ---- */

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof json_values / sizeof json_values[0]; i++) {
        const struct json_value *v = &json_values[i];
        const int expected = v->len == 0 ? AVITO_ERR_EMPTY : v->result;
        struct guard text = guard_copy(v->text, v->len);
        avito_json json;
        const int rc = avito_json_parse(&json, text.data, v->len, ample, sizeof ample);

        if (rc != expected) {
            fail_msg("%s: %s", v->text, dump_result_name(rc));
        }
        assert_int_equal(json.needed, 0);
        assert_int_equal(avito_json_type_of(avito_json_root(&json)) != AVITO_JSON_NONE,
                         rc == AVITO_OK);
        guard_free(&text);
    }
}

/* A text alone, and as the only element of a list: either both are accepted or neither. */
static void test_alone(void **state)
{
    static const char *const many[] = {
        "1,2",   "1 2", "\"a\",\"b\"", "\"a\"\"b\"", "1]",     "1],[2",   "\"a\"],[\"b\"", "true]",
        "nulll", "]",   "\"a",         "\"\\",       "\"\\\"", "1\n,\n2", "{},{}",         "[][]"};
    avito_json json;

    (void)state;
    for (size_t i = 0; i < sizeof many / sizeof many[0]; i++) {
        assert_int_equal(parse(&json, many[i]), AVITO_ERR_JSON);
    }
    assert_int_equal(parse(&json, ""), AVITO_ERR_EMPTY);
    assert_int_equal(parse(&json, " \t\r\n"), AVITO_ERR_EMPTY);
    assert_int_equal(avito_json_type_of(root_of(&json, " 17\n")), AVITO_JSON_NUMBER);
    assert_int_equal(avito_json_type_of(root_of(&json, "\tnull")), AVITO_JSON_NULL);
    assert_int_equal(avito_json_type_of(root_of(&json, "false ")), AVITO_JSON_BOOL);
    assert_string(root_of(&json, " \"a\\\"b\" "), "a\"b");
    assert_string(root_of(&json, "\"\""), "");
}

static void test_depth(void **state)
{
    (void)state;
    for (size_t depth = 31; depth <= 33; depth++) {
        char text[80] = "";
        avito_json json;

        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(parse(&json, text), depth <= 32 ? AVITO_OK : AVITO_ERR_JSON_DEPTH);
    }
}

static void test_arguments(void **state)
{
    avito_json json = {7, {"x", ample, 7}};

    (void)state;
    assert_int_equal(avito_json_parse(NULL, "1", 1, ample, sizeof ample), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_json_parse(&json, NULL, 1, ample, sizeof ample), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_json_type_of(avito_json_root(&json)), AVITO_JSON_NONE);
    assert_int_equal(avito_json_parse(&json, "1", 1, NULL, sizeof ample), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_json_parse(&json, "1", (size_t)INT32_MAX + 1, ample, sizeof ample),
                     AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_json_type_of(avito_json_root(NULL)), AVITO_JSON_NONE);
}

/* ---- how much memory ---- */

/* Into memory of every size and alignment; what ROOM asks for is enough, wherever the memory
 * begins. */
static void test_room(void **state)
{
    char text[400] = "[", *end = text + 1;
    const size_t numbers = 60;

    (void)state;
    for (size_t i = 0; i < numbers; i++) {
        end += sprintf(end, i == 0 ? "%zu" : ",%zu", i);
    }
    *end++ = ']';
    for (size_t size = 0; size <= AVITO_JSON_TOKENS_SIZE(numbers + 1) + 8; size++) {
        struct guard memory = guard_end(size);
        avito_json json;
        const int rc = avito_json_parse(&json, text, (size_t)(end - text), memory.data, size);

        if (rc == AVITO_OK) {
            assert_true(size + 7 >= AVITO_JSON_TOKENS_SIZE(numbers + 1));
            assert_int_equal(avito_json_count(avito_json_root(&json)), numbers);
        } else {
            assert_int_equal(rc, AVITO_ERR_ROOM);
            assert_true(json.needed > size && json.needed <= AVITO_JSON_TOKENS_SIZE(numbers + 1));
            assert_true(size < AVITO_JSON_TOKENS_SIZE(numbers + 1));
        }
        guard_free(&memory);
    }
    for (size_t skew = 0; skew < 8; skew++) {
        avito_json json;

        assert_int_equal(avito_json_parse(&json, text, (size_t)(end - text), ample + skew,
                                          AVITO_JSON_TOKENS_SIZE(numbers + 1)),
                         AVITO_OK);
    }
}

/* ---- walking ---- */

static void test_walk(void **state)
{
    static const char text[] =
        "{ \"a\" : [ 1 , { \"b\" : [ ] } , \"x\" ] , \"\" : null , \"c\" : { } ,"
        " \"\\u0061\\n\" : true, \"a\" : 2 }";
    avito_json json;
    const avito_json_value root = root_of(&json, text);
    const avito_json_value list = avito_json_get(root, "a");
    const avito_json_value none = {NULL, 0};
    avito_json_value at;

    (void)state;
    assert_int_equal(avito_json_count(root), 5);
    assert_int_equal(avito_json_type_of(list), AVITO_JSON_ARRAY); /* the first of that name */
    assert_int_equal(avito_json_count(list), 3);
    assert_int_equal(avito_json_type_of(avito_json_at(list, 0)), AVITO_JSON_NUMBER);
    assert_int_equal(avito_json_type_of(avito_json_at(list, 1)), AVITO_JSON_OBJECT);
    assert_true(avito_json_is(avito_json_at(list, 2), "x"));
    assert_int_equal(avito_json_type_of(avito_json_at(list, 3)), AVITO_JSON_NONE);
    assert_int_equal(avito_json_type_of(avito_json_at(list, SIZE_MAX)), AVITO_JSON_NONE);
    assert_int_equal(avito_json_type_of(avito_json_get(avito_json_at(list, 1), "b")),
                     AVITO_JSON_ARRAY);
    assert_int_equal(avito_json_type_of(avito_json_get(root, "")), AVITO_JSON_NULL);
    assert_int_equal(avito_json_type_of(avito_json_get(root, "a\n")), AVITO_JSON_BOOL);
    assert_int_equal(avito_json_type_of(avito_json_get(root, "b")),
                     AVITO_JSON_NONE); /* deeper only */
    assert_int_equal(avito_json_type_of(avito_json_get(root, NULL)), AVITO_JSON_NONE);
    assert_int_equal(avito_json_type_of(avito_json_get(list, "a")), AVITO_JSON_NONE);

    at = avito_json_at(root, 4);
    assert_true(avito_json_is(avito_json_key(at), "a"));
    assert_int_equal(avito_json_type_of(avito_json_next(at)), AVITO_JSON_NONE);
    at = avito_json_at(root, 1);
    assert_true(avito_json_is(avito_json_key(at), ""));
    assert_int_equal(avito_json_type_of(avito_json_first(at)), AVITO_JSON_NONE);
    assert_int_equal(avito_json_type_of(avito_json_first(avito_json_get(root, "c"))),
                     AVITO_JSON_NONE);
    assert_int_equal(avito_json_type_of(avito_json_key(root)), AVITO_JSON_NONE);
    assert_int_equal(avito_json_type_of(avito_json_next(root)), AVITO_JSON_NONE);
    assert_int_equal(avito_json_type_of(avito_json_key(avito_json_first(list))), AVITO_JSON_NONE);
    assert_int_equal(avito_json_type_of(avito_json_next(avito_json_key(at))), AVITO_JSON_NONE);

    /* none of anything is none */
    assert_int_equal(avito_json_type_of(none), AVITO_JSON_NONE);
    assert_int_equal(avito_json_count(none), 0);
    assert_null(avito_json_first(none).json);
    assert_null(avito_json_next(none).json);
    assert_null(avito_json_key(none).json);
    assert_null(avito_json_at(none, 0).json);
    assert_null(avito_json_get(none, "a").json);
    assert_null(avito_json_raw(none).ptr);
    assert_false(avito_json_is(none, ""));
}

static void test_raw(void **state)
{
    static const char text[] = " {\"a\": [1, {\"b\" :\"x\\ny\"}],\"c\":-1.5e3}\n";
    avito_json json;
    const avito_json_value root = root_of(&json, text);
    const struct {
        avito_json_value value;
        const char *expected;
    } rows[] = {
        {root, "{\"a\": [1, {\"b\" :\"x\\ny\"}],\"c\":-1.5e3}"},
        {avito_json_get(root, "a"), "[1, {\"b\" :\"x\\ny\"}]"},
        {avito_json_at(avito_json_get(root, "a"), 0), "1"},
        {avito_json_get(avito_json_at(avito_json_get(root, "a"), 1), "b"), "\"x\\ny\""},
        {avito_json_get(root, "c"), "-1.5e3"},
        {avito_json_key(avito_json_get(root, "c")), "\"c\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const avito_str s = avito_json_raw(rows[i].value);

        assert_int_equal(s.len, strlen(rows[i].expected));
        assert_memory_equal(s.ptr, rows[i].expected, s.len);
    }
}

/* ---- values ---- */

static void test_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof json_strings / sizeof json_strings[0]; i++) {
        char text[120];
        avito_json json;
        avito_json_value value;

        (void)snprintf(text, sizeof text, "[\"%s\"]", json_strings[i].json);
        value = avito_json_first(root_of(&json, text));
        for (size_t room = 0; room <= 48; room++) {
            struct guard memory = guard_end(room);
            avito_arena arena = avito_arena_of(memory.data, room);
            const size_t used = arena.used = arena.cap >= 8 ? 3 : 0; /* somebody's */
            avito_str s;
            size_t needed;
            const int rc = avito_json_string(value, &arena, &s, &needed);

            if (arena.base != NULL && used + json_strings[i].len + 1 <= arena.cap) {
                assert_int_equal(rc, AVITO_OK);
                assert_int_equal(needed, 0);
                assert_int_equal(s.len, json_strings[i].len);
                assert_memory_equal(s.ptr, json_strings[i].text, s.len + 1);
                assert_true(arena.used >= used + s.len + 1 && arena.used <= arena.cap);
                assert_int_equal(arena.peak, arena.used);
            } else {
                assert_int_equal(rc, AVITO_ERR_ARENA);
                assert_true(needed > arena.cap && needed < arena.cap + json_strings[i].len + 16);
                assert_int_equal(arena.used, used);
                assert_null(s.ptr);
            }
            guard_free(&memory);
        }
        assert_int_equal(avito_json_is(value, json_strings[i].text),
                         strlen(json_strings[i].text) == json_strings[i].len);
        assert_false(avito_json_is(value, "another"));
        assert_false(avito_json_is(value, NULL));
    }
}

static void test_is(void **state)
{
    avito_json json;
    const avito_json_value list = root_of(&json, "[\"abc\", \"\\u0430\", 1]");

    (void)state;
    assert_true(avito_json_is(avito_json_at(list, 0), "abc"));
    assert_false(avito_json_is(avito_json_at(list, 0), "ab"));
    assert_false(avito_json_is(avito_json_at(list, 0), "abcd"));
    assert_false(avito_json_is(avito_json_at(list, 0), ""));
    assert_true(avito_json_is(avito_json_at(list, 1), "\xd0\xb0"));
    assert_false(avito_json_is(avito_json_at(list, 1), "\xd0"));
    assert_false(avito_json_is(avito_json_at(list, 2), "1")); /* a number */
}

static void test_string_errors(void **state)
{
    static char room[64];
    avito_arena arena = avito_arena_of(room, sizeof room), nowhere = avito_arena_of(NULL, 0);
    avito_json json;
    const avito_json_value list = root_of(&json, "[\"a\", null, 1]");
    avito_str s;

    (void)state;
    assert_int_equal(avito_json_string(avito_json_at(list, 1), &arena, &s, NULL), AVITO_END);
    assert_null(s.ptr);
    assert_int_equal(avito_json_string(avito_json_at(list, 9), &arena, &s, NULL), AVITO_END);
    assert_int_equal(avito_json_string(avito_json_at(list, 2), &arena, &s, NULL), AVITO_ERR_MODEL);
    assert_int_equal(avito_json_string(list, &arena, &s, NULL), AVITO_ERR_MODEL);
    assert_int_equal(avito_json_string(avito_json_at(list, 0), NULL, &s, NULL), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_json_string(avito_json_at(list, 0), &nowhere, &s, NULL),
                     AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_json_string(avito_json_at(list, 0), &arena, NULL, NULL),
                     AVITO_ERR_ARGUMENT);
    arena.busy = true;
    assert_int_equal(avito_json_string(avito_json_at(list, 0), &arena, &s, NULL), AVITO_ERR_BUSY);
    assert_int_equal(arena.used, 0);
    arena.busy = false;
    arena.peak = 40; /* of an earlier use, which took more */
    assert_int_equal(avito_json_string(avito_json_at(list, 0), &arena, &s, NULL), AVITO_OK);
    assert_int_equal(arena.peak, 40);
    arena.used = arena.cap;
    assert_int_equal(avito_json_string(avito_json_at(list, 0), &arena, &s, NULL), AVITO_ERR_ARENA);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *json;
        int result;
        int64_t value;
    } rows[] = {
        {"0", AVITO_OK, 0},
        {"-0", AVITO_OK, 0},
        {"-17", AVITO_OK, -17},
        {"9223372036854775807", AVITO_OK, INT64_MAX},
        {"-9223372036854775808", AVITO_OK, INT64_MIN},
        {"9223372036854775808", AVITO_ERR_MODEL, 5},
        {"-9223372036854775809", AVITO_ERR_MODEL, 5},
        {"1.5", AVITO_ERR_MODEL, 5},
        {"\"1\"", AVITO_ERR_MODEL, 5},
        {"true", AVITO_ERR_MODEL, 5},
        {"[1]", AVITO_ERR_MODEL, 5},
        {"null", AVITO_END, 5},
    };
    avito_json json;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = 5;

        assert_int_equal(avito_json_int(root_of(&json, rows[i].json), &value), rows[i].result);
        assert_true(value == rows[i].value);
    }
    assert_int_equal(avito_json_int(root_of(&json, "1"), NULL), AVITO_ERR_ARGUMENT);
}

static void test_bools(void **state)
{
    avito_json json;
    bool value = false;

    (void)state;
    assert_int_equal(avito_json_bool(root_of(&json, "true"), &value), AVITO_OK);
    assert_true(value);
    assert_int_equal(avito_json_bool(root_of(&json, "null"), &value), AVITO_END);
    assert_int_equal(avito_json_bool(root_of(&json, "0"), &value), AVITO_ERR_MODEL);
    assert_int_equal(avito_json_bool(root_of(&json, "\"true\""), &value), AVITO_ERR_MODEL);
    assert_true(value);
    assert_int_equal(avito_json_bool(root_of(&json, "false"), &value), AVITO_OK);
    assert_false(value);
    assert_int_equal(avito_json_bool(root_of(&json, "false"), NULL), AVITO_ERR_ARGUMENT);
}

/* ---- beside others ---- */

/* What avito_parse_webhook() refuses as JSON is refused here, with the same result; what it refuses for
 * its model is not. */
static void test_events(void **state)
{
    struct fixtures all = fixtures_load("bad_event_");

    (void)state;
    for (size_t i = 0; i < all.count; i++) {
        static char room[65536];
        const struct fixture *f = &all.items[i];
        avito_arena arena = avito_arena_of(room, sizeof room);
        avito_event event;
        avito_json json;
        const int theirs = avito_parse_webhook(f->body, f->body_len, &arena, &event, NULL);
        const int ours = avito_json_parse(&json, f->body, f->body_len, ample, sizeof ample);
        const bool model = theirs == AVITO_ERR_MODEL || theirs == AVITO_ERR_DUPLICATE;

        if (ours != (model ? AVITO_OK : theirs)) {
            fail_msg("%s: %s", f->name, dump_result_name(ours));
        }
    }
    fixtures_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_alone),
        cmocka_unit_test(test_depth),   cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_room),    cmocka_unit_test(test_walk),
        cmocka_unit_test(test_raw),     cmocka_unit_test(test_strings),
        cmocka_unit_test(test_is),      cmocka_unit_test(test_string_errors),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_bools),
        cmocka_unit_test(test_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
