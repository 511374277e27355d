/*
 * JSON beside cJSON: in every body of tests/data it finds the same tree, and what
 * avito_message_json() writes is part of what the service wrote. Not built for other machines
 * (tests/port.mk), which have no cJSON.
 * Rooms: RAW JSON, SHOW.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "avito_messenger.h"
#include "support/fixture.h"
#include "support/message.h"

static char tokens[1 << 20];

static void assert_string(avito_json_value value, const char *expected)
{
    static char room[65536];
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_str s;

    assert_int_equal(avito_json_string(value, &arena, &s, NULL), AVITO_OK);
    assert_string_equal(s.ptr, expected);
}

/* ---- trees ---- */

static void assert_same(avito_json_value ours, const cJSON *theirs);

static void assert_same_children(avito_json_value ours, const cJSON *theirs)
{
    const cJSON *child;
    avito_json_value at = avito_json_first(ours);

    assert_int_equal(avito_json_count(ours), cJSON_GetArraySize(theirs));
    cJSON_ArrayForEach(child, theirs)
    {
        assert_int_equal(avito_json_type_of(avito_json_key(at)),
                         cJSON_IsObject(theirs) ? AVITO_JSON_STRING : AVITO_JSON_NONE);
        if (cJSON_IsObject(theirs)) {
            assert_string(avito_json_key(at), child->string);
        }
        assert_same(at, child);
        at = avito_json_next(at);
    }
    assert_int_equal(avito_json_type_of(at), AVITO_JSON_NONE);
}

static void assert_same(avito_json_value ours, const cJSON *theirs)
{
    bool flag = false;
    int64_t number;

    switch (avito_json_type_of(ours)) {
        case AVITO_JSON_OBJECT:
            assert_true(cJSON_IsObject(theirs));
            assert_same_children(ours, theirs);
            break;
        case AVITO_JSON_ARRAY:
            assert_true(cJSON_IsArray(theirs));
            assert_same_children(ours, theirs);
            break;
        case AVITO_JSON_STRING:
            assert_true(cJSON_IsString(theirs));
            assert_string(ours, theirs->valuestring);
            break;
        case AVITO_JSON_NUMBER:
            assert_true(cJSON_IsNumber(theirs));
            if (avito_json_int(ours, &number) == AVITO_OK) {
                assert_true((double)number == theirs->valuedouble);
            }
            break;
        case AVITO_JSON_BOOL:
            assert_int_equal(avito_json_bool(ours, &flag), AVITO_OK);
            assert_int_equal(flag, cJSON_IsTrue(theirs));
            assert_true(cJSON_IsBool(theirs));
            break;
        default:
            assert_int_equal(avito_json_type_of(ours), AVITO_JSON_NULL);
            assert_true(cJSON_IsNull(theirs));
            break;
    }
}

/* Every body gives the same tree as cJSON does, also those that break a model: they are JSON. */
static void test_trees(void **state)
{
    struct fixtures all = fixtures_load("");
    size_t trees = 0, refused = 0;

    (void)state;
    for (size_t i = 0; i < all.count; i++) {
        const struct fixture *f = &all.items[i];
        avito_json json;
        const int rc = avito_json_parse(&json, f->body, f->body_len, tokens, sizeof tokens);
        cJSON *theirs = cJSON_ParseWithLength(f->body, f->body_len);

        if (rc == AVITO_OK && theirs != NULL) { /* cJSON refuses lone surrogates */
            assert_same(avito_json_root(&json), theirs);
            trees++;
        }
        refused += rc != AVITO_OK;
        cJSON_Delete(theirs);
    }
    assert_true(trees > 150);
    assert_true(refused > 60);
    fixtures_free(&all);
}

/* ---- messages ---- */

/* Everything in `ours` is in `theirs`, with the same value; `avito` is ours alone. */
static void assert_part_of(const cJSON *ours, const cJSON *theirs)
{
    const cJSON *member;

    assert_non_null(theirs);
    cJSON_ArrayForEach(member, ours)
    {
        if (strcmp(member->string, "avito") == 0) {
            continue;
        }
        if ((strcmp(member->string, "content") == 0 && member->child == NULL) ||
            (strcmp(member->string, "author_id") == 0 && member->valuedouble == 0)) {
            continue; /* these are always there */
        }
        assert_part_of(member, cJSON_GetObjectItemCaseSensitive(theirs, member->string));
    }
    if (cJSON_IsString(ours)) {
        assert_string_equal(ours->valuestring, theirs->valuestring);
    } else if (cJSON_IsNumber(ours)) { /* a number that came as a string is a number */
        const double number =
            cJSON_IsString(theirs) ? strtod(theirs->valuestring, NULL) : theirs->valuedouble;
        assert_true(ours->valuedouble - number < 1e-7 && number - ours->valuedouble < 1e-7);
    } else if (cJSON_IsBool(ours)) {
        assert_int_equal(cJSON_IsTrue(ours), cJSON_IsTrue(theirs));
    } else {
        assert_true(cJSON_IsObject(ours) && cJSON_IsObject(theirs));
    }
}

static void check_message(const avito_event *event, avito_str raw)
{
    static char out[1 << 17];
    cJSON *theirs = cJSON_ParseWithLength(raw.ptr, raw.len), *ours;

    assert_int_equal(avito_message_json(event->message, NULL, out, sizeof out, NULL), AVITO_OK);
    ours = cJSON_Parse(out);
    assert_non_null(ours);
    if (theirs != NULL) { /* cJSON refuses lone surrogates */
        assert_part_of(ours, theirs);
    }
    cJSON_Delete(ours);
    cJSON_Delete(theirs);
}

static void test_messages(void **state)
{
    const size_t count = message_each(check_message);

    (void)state;
    print_message("%zu messages\n", count);
    assert_true(count > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
