/*
 * The element filter by itself: which JSON it accepts, what becomes of strings and numbers, and
 * what is skipped, masked or cut in lists that are read element by element. Built three times: with
 * everything, without intrinsics, and without the shortcuts either (tests/programs.mk).
 * Rooms: JSON: WHAT IS OPEN, JSON: COMPLETE VALUES, JSON: STRINGS, JSON: THE MACHINE, SPEED: TEXT, SPEED: MEMBERS,
 * SPEED: OBJECTS AND LISTS.
 */
#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/dump.h"
#include "support/guard.h"
#include "support/json_values.h"
#include "support/inside.h"

/* ---- which JSON ---- */

/* Feeds `text` in exact copies of pieces of `piece` bytes (0: at once) and ends it. */
static int feed(struct avitoi_json *j, const char *text, size_t len, size_t piece)
{
    struct guard window = guard_end(piece == 0 ? len : piece);
    int rc = AVITO_AGAIN;

    for (size_t at = 0; at < len && rc == AVITO_AGAIN;) {
        size_t n = len - at < window.size ? len - at : window.size, used = 0;
        rc = avitoi_json_feed(j, guard_put(&window, text + at, n), n, &used);
        at += n;
    }
    guard_free(&window);
    return rc == AVITO_AGAIN ? avitoi_json_end(j) : rc;
}

/* As the value of an unknown member, and of a known one: the name in the account's own data. */
static int check(const char *value, size_t len, size_t piece, size_t alignment)
{
    static char room[8192];
    struct avitoi_json j;
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_self self;
    char *text = malloc(len + 80);
    size_t n = (size_t)sprintf(text, "{\"%.*sx\":", (int)alignment, "yyyyyyyyyyyyyyyyyyyyyyyyy");
    int rc;

    memcpy(text + n, value, len);
    text[n + len] = '}';
    avitoi_json_begin(&j, &avitoi_schema_self.schema, &self);
    avitoi_arena_share(&j.mem, arena.base + arena.used, arena.cap - arena.used);
    rc = feed(&j, text, n + len + 1, piece);
    free(text);
    return rc;
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof json_values / sizeof json_values[0]; i++) {
        const struct json_value *v = &json_values[i];
        for (size_t piece = 0; piece <= v->len + 9; piece++) {
            /* another place in the vector that is scanned in one go */
            int rc = check(v->text, v->len, piece, piece == 0 ? 0 : piece * 7 % 20);
            if (rc != v->result) {
                fail_msg("%s in pieces of %zu: %s", v->text, piece, dump_result_name(rc));
            }
        }
    }
}

static void test_depth(void **state)
{
    (void)state;
    for (size_t depth = 29; depth <= 34; depth++) {
        for (int kind = 0; kind < 3; kind++) {
            char text[400] = "";
            for (size_t i = 0; i < depth; i++) {
                strcat(text, kind == 0 || (kind == 2 && i % 2 == 0) ? "[" : "{\"a\":");
            }
            strcat(text, "1");
            for (size_t i = depth; i-- > 0;) {
                strcat(text, kind == 0 || (kind == 2 && i % 2 == 0) ? "]" : "}");
            }
            for (size_t piece = 0; piece < 3; piece++) { /* one level is around it */
                assert_int_equal(check(text, strlen(text), piece, 0),
                                 depth <= 31 ? AVITO_OK : AVITO_ERR_JSON_DEPTH);
            }
        }
    }
}

/* ---- strings and numbers ---- */

static int read_chat(const char *text, size_t piece, size_t room, avito_chat *chat,
                     struct guard *memory, size_t *needed)
{
    struct avitoi_json j;
    avito_arena arena;
    int rc;

    *memory = guard_end(room);
    arena = avito_arena_of(memory->data, room);
    avitoi_json_begin(&j, &avitoi_schema_chat.schema, chat);
    avitoi_arena_share(&j.mem, arena.base + arena.used, arena.cap - arena.used);
    rc = feed(&j, text, strlen(text), piece);
    *needed = avitoi_arena_align(j.mem.peak);
    return rc;
}

static void test_strings(void **state)
{
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof json_strings / sizeof json_strings[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"id\":\"%s\",\"created\":5}", json_strings[i].json);
        for (size_t piece = 0; piece < strlen(text); piece++) {
            struct guard memory;
            avito_chat chat;
            size_t needed;
            assert_int_equal(read_chat(text, piece, 1024, &chat, &memory, &needed), AVITO_OK);
            assert_int_equal(chat.id.len, json_strings[i].len);
            assert_memory_equal(chat.id.ptr, json_strings[i].text, json_strings[i].len + 1);
            assert_int_equal(chat.created, 5);
            guard_free(&memory);
        }
    }
}

/* A digit that is none, at each place of a row of escapes that is read two at a time. */
static void test_bad_digits(void **state)
{
    static const char bad[] = "gG/:@`";

    (void)state;
    for (size_t at = 0; at < 8; at++) {
        for (size_t digit = 0; digit < 4 * (sizeof bad - 1); digit++) {
            char text[200] = "{\"id\":\"c\",\"last_message\":{\"id\":\"m\",\"type\":\"text\","
                             "\"content\":{\"text\":\"";
            const size_t begin = strlen(text);
            for (size_t i = 0; i < 8; i++) {
                strcat(text, "\\u0436");
            }
            strcat(text, "\"}}}");
            text[begin + at * 6 + 2 + digit % 4] = bad[digit / 4];
            for (size_t piece = 0; piece < 3; piece++) {
                struct guard memory;
                avito_chat chat;
                size_t needed;
                assert_int_equal(read_chat(text, piece, 1024, &chat, &memory, &needed),
                                 AVITO_ERR_JSON);
                guard_free(&memory);
            }
        }
    }
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
        {"7", AVITO_OK, 7},
        {"\"7\"", AVITO_OK, 7},
        {"null", AVITO_OK, 0},
        {"\"\"", AVITO_ERR_MODEL, 0},
        {"-9", AVITO_OK, -9},
        {"\"-9\"", AVITO_OK, -9},
        {"999999999999999999", AVITO_OK, INT64_C(999999999999999999)},
        {"1000000000000000000", AVITO_OK, INT64_C(1000000000000000000)},
        {"9223372036854775807", AVITO_OK, INT64_MAX},
        {"\"9223372036854775807\"", AVITO_OK, INT64_MAX},
        {"-9223372036854775808", AVITO_OK, INT64_MIN},
        {"9223372036854775808", AVITO_ERR_MODEL, 0},
        {"-9223372036854775809", AVITO_ERR_MODEL, 0},
        {"18446744073709551617", AVITO_ERR_MODEL, 0},
        {"99999999999999999999999999999999999999999999", AVITO_ERR_MODEL, 0},
        {"1.0", AVITO_OK, 1},
        {"\"1.0\"", AVITO_OK, 1},
        {"1754916284.000", AVITO_OK, 1754916284},
        {"1.e1", AVITO_ERR_JSON, 0},
        {"\"1.e1\"", AVITO_ERR_MODEL, 0},
        {"10e-1", AVITO_OK, 1},
        {"1e-1", AVITO_ERR_MODEL, 0},
        {"0.5e1", AVITO_OK, 5},
        {"-1.50e1", AVITO_OK, -15},
        {"1e18", AVITO_OK, INT64_C(1000000000000000000)},
        {"1e19", AVITO_ERR_MODEL, 0},
        {"1e999", AVITO_ERR_MODEL, 0},
        {"0e-3", AVITO_OK, 0},
        {"1.0000000000000000001", AVITO_ERR_MODEL, 0},
        {"1754.999", AVITO_ERR_MODEL, 0},
        {"17540.99", AVITO_ERR_MODEL, 0},
        {"12345678", AVITO_OK, 12345678},
        {"1234567890123456", AVITO_OK, INT64_C(1234567890123456)},
        {"1234567.", AVITO_ERR_JSON, 0},
        {"1234567-", AVITO_ERR_JSON, 0},
        {"1234+567", AVITO_ERR_JSON, 0},
        {"12345/78", AVITO_ERR_JSON, 0},
        {"1e3", AVITO_OK, 1000},
        {"1.00000000000000000000000000000001", AVITO_ERR_MODEL, 0},
        {"\"1.5\"", AVITO_ERR_MODEL, 0},
        {"\"x\"", AVITO_ERR_MODEL, 0},
        {"\" 1\"", AVITO_ERR_MODEL, 0},
        {"\"+1\"", AVITO_ERR_MODEL, 0},
        {"\"-\"", AVITO_ERR_MODEL, 0},
        {"true", AVITO_ERR_MODEL, 0},
        {"[1]", AVITO_ERR_MODEL, 0},
        {"{}", AVITO_ERR_MODEL, 0},
        {"\"\\u0031\"", AVITO_OK, 1},
        {"\"123456789012345678901234567890123456789012345678901234567890\"", AVITO_ERR_MODEL, 0},
        {"                              7", AVITO_OK, 7},
        {"01", AVITO_ERR_JSON, 0},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(text, sizeof text,
                       "{\"id\":\"c\",\"created\":%s,\"updated\":3,\"x\":\"long enough for the "
                       "shortcuts of the filter\"}",
                       rows[i].json);
        for (size_t piece = 0; piece < strlen(text); piece++) {
            struct guard memory;
            avito_chat chat;
            size_t needed;
            int rc = read_chat(text, piece, 1024, &chat, &memory, &needed);
            if (rc != rows[i].result ||
                (rc == AVITO_OK && (chat.created != rows[i].value || chat.updated != 3))) {
                fail_msg("%s in pieces of %zu: %s", rows[i].json, piece, dump_result_name(rc));
            }
            guard_free(&memory);
        }
    }
}

static void test_degrees(void **state)
{
    static const struct {
        const char *json;
        int result;
        int32_t value;
    } rows[] = {
        {"0", AVITO_OK, 0},
        {"55.7512", AVITO_OK, 557512000},
        {"-0.00000005", AVITO_OK, -1},
        {"0.00000004999999999999999999999", AVITO_OK, 0},
        {"1e-7", AVITO_OK, 1},
        {"5e-8", AVITO_OK, 1},
        {"180", AVITO_OK, 1800000000},
        {"-180.0", AVITO_OK, -1800000000},
        {"214", AVITO_OK, 2140000000},
        {"215", AVITO_OK, 0},
        {"-215", AVITO_OK, 0},
        {"219.9", AVITO_OK, 0},
        {"1e3", AVITO_OK, 0},
        {"1e99999", AVITO_OK, 0},
        {"5.57512E+1", AVITO_OK, 557512000},
        {"429.4967296", AVITO_OK, 0},
        {"99999999999999999999", AVITO_OK, 0},
        {"\"55.7512\"", AVITO_OK, 557512000},
        {"\"x\"", AVITO_OK, 0},
        {"\"1,5\"", AVITO_OK, 0},
        {"\"-\"", AVITO_OK, 0},
        {"[]", AVITO_OK, 0},
        {"null", AVITO_OK, 0},
        {"true", AVITO_OK, 0},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(
            text, sizeof text,
            "{\"context\":{\"type\":\"item\",\"value\":{\"location\":{\"lat\":%s,\"lon\":1}}}}",
            rows[i].json);
        for (size_t piece = 0; piece < 30; piece++) {
            struct guard memory;
            avito_chat chat;
            size_t needed;
            int rc = read_chat(text, piece, 2048, &chat, &memory, &needed);
            if (rc != rows[i].result ||
                (rc == AVITO_OK && chat.context->item->location->lat_e7 != rows[i].value)) {
                fail_msg("%s in pieces of %zu: %s", rows[i].json, piece, dump_result_name(rc));
            }
            guard_free(&memory);
        }
    }
}

/* A number in an unknown member, cut anywhere: a malformed one is still found. */
static void test_passed_numbers(void **state)
{
    static const struct {
        const char *json;
        int result;
    } rows[] = {{"1e5", AVITO_OK},         {"1E+55", AVITO_OK},     {"-0.25e-07", AVITO_OK},
                {"1e", AVITO_ERR_JSON},    {"1e+", AVITO_ERR_JSON}, {"1.", AVITO_ERR_JSON},
                {"12345678.25", AVITO_OK}, {"-", AVITO_ERR_JSON},   {"01", AVITO_ERR_JSON},
                {"1e5.0", AVITO_ERR_JSON}, {"0.0e0", AVITO_OK}};
    char text[200];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(text, sizeof text, "{\"no_member_of_any_chat\":%s,\"created\":7}",
                       rows[i].json);
        for (size_t piece = 0; piece < strlen(text); piece++) {
            struct guard memory;
            avito_chat chat;
            size_t needed;
            int rc = read_chat(text, piece, 1024, &chat, &memory, &needed);
            if (rc != rows[i].result || (rc == AVITO_OK && chat.created != 7)) {
                fail_msg("%s in pieces of %zu: %s", rows[i].json, piece, dump_result_name(rc));
            }
            guard_free(&memory);
        }
    }
}

/* Where a text is only shown, a number is taken as it is written. One that is too long is left out. */
static void test_number_as_text(void **state)
{
    static const char form[] =
        "{\"users\":[{\"id\":1,\"public_user_profile\":{\"avatar\":{\"default\":%s}}}]}";
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"5", "5"},
        {"-1.50e1", "-1.50e1"},
        {"true", NULL},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890", NULL}};
    char text[300];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(text, sizeof text, form, rows[i].json);
        for (size_t piece = 0; piece < strlen(text); piece++) {
            struct guard memory;
            avito_chat chat;
            size_t needed;
            avito_str shown;
            assert_int_equal(read_chat(text, piece, 2048, &chat, &memory, &needed), AVITO_OK);
            shown = chat.users.items[0].public_user_profile->avatar->default_url;
            if (rows[i].text == NULL) {
                assert_null(shown.ptr);
            } else {
                assert_string_equal(shown.ptr, rows[i].text);
            }
            guard_free(&memory);
        }
    }
}

/* A value that breaks the model of its type counts only if that type comes: it may come after the value, which
 * may have lists open when it breaks. */
static void test_value_before_type(void **state)
{
    static const struct {
        const char *json;
        int result;
        bool item;
    } rows[] = {
        {"{\"context\":{\"value\":{\"id\":5},\"type\":\"item\"}}", AVITO_OK, true},
        {"{\"context\":{\"value\":{\"id\":\"x\"},\"type\":\"item\"}}", AVITO_OK, false},
        {"{\"context\":{\"value\":{\"id\":\"x\"},\"type\":\"other\"}}", AVITO_OK, false},
        {"{\"context\":{\"type\":\"item\",\"value\":{\"id\":\"x\"}}}", AVITO_ERR_MODEL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t piece = 0; piece < strlen(rows[i].json); piece++) {
            struct guard memory;
            avito_chat chat;
            size_t needed;
            int rc = read_chat(rows[i].json, piece, 2048, &chat, &memory, &needed);
            if (rc != rows[i].result ||
                (rc == AVITO_OK && (chat.context->item != NULL) != rows[i].item)) {
                fail_msg("%s in pieces of %zu: %s", rows[i].json, piece, dump_result_name(rc));
            }
            guard_free(&memory);
        }
    }
}

/* The most models and lists that are open at once in this one, which is number `own` of them. */
static unsigned nesting(const struct avitoi_schema *schema, unsigned own)
{
    unsigned deepest = own;
    assert_true(own < 30); /* a model that holds itself */
    for (unsigned i = 0; i < schema->count; i++) {
        const struct avitoi_schema_field *f = &avitoi_schema_fields(schema)[i];
        unsigned inside = own;
        if (f->kind == AVITOI_SCHEMA_ARR) {
            inside = nesting(avitoi_schema_child(schema, i), own + 2);
        } else if (f->kind == AVITOI_SCHEMA_STRS || f->kind == AVITOI_SCHEMA_ONE) {
            inside = own + 1;
        } else if (f->kind >= AVITOI_SCHEMA_OBJ) { /* the pairs of a map take its place */
            assert_non_null(avitoi_schema_child(schema, i));
            inside = nesting(avitoi_schema_child(schema, i), own + 1);
        }
        deepest = inside > deepest ? inside : deepest;
    }
    return deepest;
}

/* The stack of open models has room for every answer, so the short ways need not check it for each object. */
static void test_nesting(void **state)
{
    (void)state;
    assert_in_range(nesting(&avitoi_schema_chats.schema, 1), 7, AVITOI_JSON_LEVELS);
    assert_in_range(nesting(&avitoi_schema_messages.schema, 1), 5, AVITOI_JSON_LEVELS);
    assert_in_range(nesting(&avitoi_schema_envelope.schema, 1), 4, AVITOI_JSON_LEVELS);
    assert_in_range(nesting(&avitoi_schema_uploads.schema, 1), 3, AVITOI_JSON_LEVELS);
    assert_in_range(nesting(&avitoi_schema_voices.schema, 1), 2, AVITOI_JSON_LEVELS);
    assert_in_range(nesting(&avitoi_schema_self.schema, 1), 1, AVITOI_JSON_LEVELS);
}

/* A server may nest a refusal's reasons as deeply as it likes. No model of ours is that deep: where the stack
 * of open models ends, the answer is JSON_DEPTH. */
static void test_nested_reasons(void **state)
{
    (void)state;
    for (size_t depth = 1; depth < 14; depth++) {
        for (size_t piece = 0; piece < 3; piece++) {
            static char room[4096];
            char text[400] = "{\"result\":";
            struct avitoi_json j;
            avito_arena arena = avito_arena_of(room, sizeof room);
            for (size_t i = 0; i < depth; i++) {
                strcat(text, "{\"error\":");
            }
            strcat(text, "{}");
            for (size_t i = 0; i <= depth; i++) {
                strcat(text, "}");
            }
            avitoi_json_begin(&j, &avitoi_schema_reply.schema, NULL);
            avitoi_arena_share(&j.mem, arena.base + arena.used, arena.cap - arena.used);
            assert_int_equal(feed(&j, text, strlen(text), piece),
                             depth + 2 <= AVITOI_JSON_LEVELS ? AVITO_OK : AVITO_ERR_JSON_DEPTH);
        }
    }
}

/* ... and the call still counts as refused, with the text that had come. */
static void test_nested_refusal(void **state)
{
    char body[600] = "{\"message\":\"no\",\"result\":";
    struct lane l;
    avito_self self;

    (void)state;
    for (size_t i = 0; i < 30; i++) {
        strcat(body, "{\"error\":");
    }
    lane_init(&l, 512);
    lane_exchange(&l, 400, body, strlen(body));
    assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)),
                     AVITO_ERR_BAD_REQUEST);
    assert_memory_equal(avito_last_error(&l.client)->text, body, 40);
    lane_free(&l);
}

/* ---- lists, element by element ---- */

#define LONG100                                                                                    \
    "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "23456789"

static void start_list(struct lane *l, const char *body, const avito_messages_query *query,
                       char *room, size_t size)
{
    lane_exchange(l, 200, body, strlen(body));
    l->arena = avito_arena_of(room, size);
    assert_int_equal(lane_run(l, avito_list_messages(&l->client, 1, "c", query, &l->arena)),
                     AVITO_OK);
}

static int next(struct lane *l, avito_message *m)
{
    return lane_run(l, avito_next_message(&l->client, m));
}

/* Every amount of memory: the long element is skipped with its id and a size, which is enough;
 * the others come. */
static void test_element_too_large(void **state)
{
    static const char body[] =
        "{\"messages\":[{\"id\":\"one\"},"
        "{\"id\":\"two\",\"content\":{\"text\":\"" LONG100 LONG100 LONG100 "\"},\"type\":\"text\"},"
        "{\"id\":\"three\"}],\"meta\":{\"has_more\":true}}";
    static char room[2048];
    size_t least = 0, needed = 0;

    (void)state;
    for (size_t size = 200; size <= sizeof room; size += 8) {
        struct lane l;
        avito_message m;
        int rc;
        lane_init(&l, 512);
        l.script.recv_piece = size % 24 == 0 ? 1 : 0;
        start_list(&l, body, NULL, room, size);
        rc = next(&l, &m);
        if (rc != AVITO_OK) { /* not even an empty one fits */
            assert_int_equal(rc, AVITO_ERR_ARENA);
            assert_true(avito_last_error(&l.client)->needed > size && least == 0);
            lane_free(&l);
            continue;
        }
        least = least != 0 ? least : size;
        assert_string_equal(m.id.ptr, "one");
        rc = next(&l, &m);
        if (rc == AVITO_OK) {
            assert_int_equal(m.content.as.text.len, 300);
            assert_true(size + 7 >= needed); /* wherever the memory begins */
        } else {
            assert_int_equal(rc, AVITO_ERR_ARENA);
            assert_true(needed == 0 || needed == avito_last_error(&l.client)->needed);
            needed = avito_last_error(&l.client)->needed;
            assert_true(needed > size);
            assert_string_equal(avito_last_error(&l.client)->text, "two");
            assert_true(avito_list_open(&l.client));
        }
        assert_int_equal(next(&l, &m), AVITO_OK);
        assert_string_equal(m.id.ptr, "three");
        assert_int_equal(next(&l, &m), AVITO_END);
        assert_true(avito_list_has_more(&l.client));
        assert_int_equal(avito_last_error(&l.client)->code, AVITO_OK);
        lane_free(&l);
    }
    assert_true(least != 0 && needed > least && needed < 1200);
}

static void test_bad_elements(void **state)
{
    static const char body[] = "[{\"id\":\"1\"},{\"id\":\"2\",\"created\":\"x\"},{\"id\":\"3\","
                               "\"content\":{\"text\":[{\"deep\":[]}]},\"type\":\"text\"},"
                               "5,null,\"text\",[],[{\"id\":\"no\"}],{\"id\":\"4\",\"id\":\"5\"},{"
                               "\"id\":\"6\",\"content\":{\"text\":\"a\",\"text\":\"b\"}},"
                               "{\"id\":\"7\",\"content\":{\"image\":{\"sizes\":{\"1x1\":5,\"2x2\":"
                               "\"u\"}},\"call\":{\"status\":5}}},{\"id\":8},true,{\"id\":\"9\"}]";
    static const struct {
        int result;
        const char *id;
    } rows[] = {{AVITO_OK, "1"},
                {AVITO_ERR_MODEL, "created"},
                {AVITO_ERR_MODEL, "text"},
                {AVITO_ERR_MODEL, NULL},
                {AVITO_ERR_MODEL, NULL},
                {AVITO_ERR_MODEL, NULL},
                {AVITO_ERR_MODEL, NULL},
                {AVITO_ERR_MODEL, NULL},
                {AVITO_ERR_DUPLICATE, "id"},
                {AVITO_ERR_DUPLICATE, "text"},
                {AVITO_ERR_MODEL, NULL},
                {AVITO_ERR_MODEL, "id"},
                {AVITO_ERR_MODEL, NULL},
                {AVITO_OK, "9"},
                {AVITO_END, NULL}};
    static char room[4096];

    (void)state;
    for (size_t piece = 0; piece < 70; piece++) {
        struct lane l;
        avito_message m;
        lane_init(&l, 512);
        l.script.recv_piece = piece;
        start_list(&l, body, NULL, room, sizeof room);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            int rc = next(&l, &m);
            if (rc != rows[i].result) {
                fail_msg("row %zu in pieces of %zu: %s", i, piece, dump_result_name(rc));
            }
            if (rows[i].id != NULL) {
                assert_string_equal(rc == AVITO_OK ? m.id.ptr : avito_last_error(&l.client)->text,
                                    rows[i].id);
            }
            assert_int_equal(avito_list_open(&l.client), rc != AVITO_END);
        }
        assert_true(l.script.open); /* the connection is as good as before */
        lane_free(&l);
    }
}

/* A list read whole gives the good rows and counts the others. */
static void test_skipped_rows(void **state)
{
    static const char body[] = "{\"messages\":[{\"id\":\"1\",\"quote\":{\"id\":\"q\"}},{\"id\":"
                               "\"2\",\"created\":\"x\",\"content\":{\"text\":\"t\"}},"
                               "{\"id\":\"3\",\"content\":{\"image\":{\"sizes\":{\"1x1\":\"u\","
                               "\"2x2\":\"v\"}},\"call\":[1]},\"created\":5},5,[{\"id\":\"no\"}],"
                               "{\"id\":\"4\",\"id\":\"5\"},{\"id\":\"6\",\"content\":[]},{\"id\":"
                               "\"7\",\"author_id\":true}],\"meta\":{\"has_more\":true}}";
    size_t worked = 0, needed = 0;

    (void)state;
    for (size_t piece = 0; piece < 40; piece++) {
        struct lane l;
        avito_messages got;
        lane_init(&l, 512);
        l.script.recv_piece = piece;
        lane_exchange(&l, 200, body, sizeof body - 1);
        assert_int_equal(lane_run(&l, avito_get_messages(&l.client, 1, "c", NULL, &l.arena, &got)),
                         AVITO_OK);
        assert_int_equal(got.count, 2);
        assert_string_equal(got.items[0].id.ptr, "1");
        assert_string_equal(got.items[0].quote->id.ptr, "q");
        assert_string_equal(got.items[1].id.ptr, "6");
        assert_int_equal(got.items[1].content.kind, AVITO_MESSAGE_NONE);
        assert_int_equal(got.skipped, 6);
        assert_string_equal(got.lacked, "created");
        assert_true(got.has_more);
        lane_free(&l);
    }
    for (size_t size = 0; size < 4096; size += 8) { /* memory that is too small is still an error */
        struct guard memory = guard_end(size);
        struct lane l;
        avito_messages got;
        int rc;
        lane_init(&l, 512);
        l.arena = avito_arena_of(memory.data, size);
        if (size > 0) {
            lane_exchange(&l, 200, body, sizeof body - 1);
            rc = lane_run(&l, avito_get_messages(&l.client, 1, "c", NULL, &l.arena, &got));
            assert_true(rc == AVITO_OK || rc == AVITO_ERR_ARENA);
            if (rc == AVITO_OK) {
                assert_int_equal(got.count + got.skipped, 8);
                worked = worked != 0 ? worked : size;
            } else {
                assert_int_equal(worked, 0);
                needed = avito_last_error(&l.client)->needed;
                assert_true(needed > size);
            }
        }
        lane_free(&l);
        guard_free(&memory);
    }
    assert_true(worked != 0 && worked <= needed);
}

static void test_no_good_row(void **state)
{
    static const char body[] = "[{\"id\":5},{\"id\":\"2\",\"created\":[1]}]";
    struct lane l;
    avito_messages got;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, body, sizeof body - 1);
    assert_int_equal(lane_run(&l, avito_get_messages(&l.client, 1, "c", NULL, &l.arena, &got)),
                     AVITO_ERR_MODEL);
    assert_string_equal(avito_last_error(&l.client)->text, "id");
    lane_free(&l);
}

/* No text is the key of a row after the last one, and no row matches its key cut short or
 * changed. */
#if AVITO_WITH_SHORTCUTS
static void test_forms(void **state)
{
    static const char *const others[] = {"\":", "\0\0\0\0\0\0\0\0",
                                         "\xff\xff\xff\xff\xff\xff\xff\xff", "\1\1\1\1\1\1\1\1"};
    const struct avitoi_schema_field *const rows = avitoi_schema_user.fields;
    const struct avitoi_schema_field *const last = rows + avitoi_schema_user.schema.count;
    char text[AVITOI_FAST_AHEAD];

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        memset(text, others[i][0], sizeof text);
        memcpy(text, others[i], strlen(others[i]));
        assert_false(avitoi_fast_key_is(last, text) || avitoi_fast_key_is_expected(last, text));
    }
    for (const struct avitoi_schema_field *row = rows; row < last; row++) {
        for (size_t at = 0; at <= row->form_len; at++) {
            memset(text, ' ', sizeof text);
            memcpy(text, row->form, row->form_len);
            if (at < row->form_len) {
                text[at] ^= 1;
            }
            assert_int_equal(avitoi_fast_key_is(row, text), at == row->form_len);
            assert_true(!avitoi_fast_key_is_expected(row, text) || at == row->form_len);
        }
    }
}

/* The short ways come as far as they say. What they leave to the long way costs time, which no other test
 * notices. */
static void test_short_ways_come_far(void **state)
{
    static const char null[] = "null,\"a\":5";
    static const char plain[] = "twenty-five plain letters\" and bytes that fill some blocks more";
    static const char body[] =
        "{\"context\":{\"type\":\"item\",\"value\":{\"images\":{\"main\":{"
        "\"140x105\":\"https://a\"},\"count\":1}}},\"created\":5,\"left\":{"
        "\"out\":null,\"as\":[true]},\"updated\":6,\"id\":\"u2i-of-any-length\"}";
    const char *const end = body + sizeof body - 1, *const left = strstr(body, "\"out\"");
    static char room[4096];
    struct avitoi_fast_text_run r = {plain, plain + sizeof plain, room, room + sizeof room, 0,
                                     true};
    struct avitoi_json j;
    avito_chat chat;
    size_t used;

    (void)state;
    assert_true(avitoi_fast_text_blocks(&r));
    assert_true(r.p == strchr(plain, '"') && r.out - room == r.p - plain);
    assert_true(avitoi_fast_skip_scalar(null, null + sizeof null) == null + 4);

    avitoi_json_begin(&j, &avitoi_schema_chat.schema, &chat);
    avitoi_arena_share(&j.mem, room, sizeof room);
    assert_int_equal(avitoi_json_feed(&j, body, 1, &used), AVITO_AGAIN);
    assert_true(avitoi_fast_way(&j, body + 1, end) > strstr(body, "\"updated\""));

    avitoi_json_begin(&j, &avitoi_schema_chat.schema, &chat);
    avitoi_arena_share(&j.mem, room, sizeof room);
    assert_int_equal(avitoi_json_feed(&j, body, (size_t)(left - body), &used), AVITO_AGAIN);
    assert_true(avitoi_fast_way(&j, left, end) == strchr(left, '}'));
}
#endif

/* Each word is found at its place, after its length; what is shorter, longer or runs into the next
 * word is not. */
static void test_word_lists(void **state)
{
    static const struct {
        const void *words;
        size_t size;
    } lists[] = {{&avitoi_schema_message_types, sizeof avitoi_schema_message_types},
                 {&avitoi_schema_directions, sizeof avitoi_schema_directions},
                 {&avitoi_schema_chat_types, sizeof avitoi_schema_chat_types},
                 {&avitoi_schema_call_statuses, sizeof avitoi_schema_call_statuses},
                 {&avitoi_schema_location_kinds, sizeof avitoi_schema_location_kinds},
                 {&avitoi_webhook_names, sizeof avitoi_webhook_names}};

    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const char *word = (const char *)lists[i].words;
        int count = 0;
        for (const char *w = word; *w != '\0'; w = avitoi_text_next_word(w)) {
            count++;
        }
        for (int number = 1; *word != '\0'; number++) {
            const avito_str whole = {word + 1, strlen(word + 1)},
                            shorter = {word + 1, whole.len - 1};
            const avito_str longer = {word + 1, whole.len + 1};
            assert_int_equal(*word, whole.len);
            assert_int_equal(avitoi_text_word_number(lists[i].words, whole), number);
            assert_int_equal(avitoi_text_word_number(lists[i].words, shorter), count + 1);
            assert_int_equal(avitoi_text_word_number(lists[i].words, longer), count + 1);
            word = avitoi_text_next_word(word);
        }
        assert_ptr_equal(word, (const char *)lists[i].words + lists[i].size - 1);
    }
}

/* A broken answer ends the list. */
static void test_broken_list(void **state)
{
    static const struct {
        const char *body;
        int result;
    } rows[] = {
        {"[{\"id\":\"1\"},{\"id\":\"2\"", AVITO_ERR_JSON},
        {"[{\"id\":\"1\"},{\"id\":tru}]", AVITO_ERR_JSON},
        {"[{\"id\":\"1\"},]", AVITO_ERR_JSON},
        {"[{\"id\":\"1\"}}", AVITO_ERR_JSON},
        {"[{\"id\":\"1\"}]]", AVITO_ERR_JSON},
        {"[{\"id\":\"1\"}] x", AVITO_ERR_JSON},
        {"[{\"id\":\"1\"},{\"id\":\"\xff\"}]", AVITO_ERR_JSON_UTF8},
        {"{\"messages\":[{\"id\":\"1\"}],\"messages\":[]}", AVITO_ERR_DUPLICATE},
        {"{\"messages\":[{\"id\":\"1\"}],\"meta\":[1]}", AVITO_ERR_MODEL},
    };
    static char room[4096];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        avito_message m;
        lane_init(&l, 512);
        start_list(&l, rows[i].body, NULL, room, sizeof room);
        assert_int_equal(next(&l, &m), AVITO_OK);
        assert_int_equal(next(&l, &m), rows[i].result);
        assert_false(avito_list_open(&l.client));
        assert_int_equal(next(&l, &m), AVITO_ERR_IDLE);
        lane_free(&l);
    }
}

static void test_masks(void **state)
{
    static const char body[] =
        "{\"chats\":[{\"id\":\"c\",\"created\":1,\"context\":{\"type\":\"item\",\"value\":{\"id\":"
        "5,\"title\":\"" LONG100 "\"}},\"users\":[{\"id\":7,\"name\":\"n\",\"public_user_profile\":"
        "{\"user_id\":7,\"avatar\":{\"default\":\"" LONG100 "\",\"images\":{\"1x1\":\"" LONG100
        "\"}}}}],\"last_message\":{\"id\":\"m\",\"content\":{\"text\":\"hi\"},"
        "\"type\":\"text\"}}]}";
    static const uint32_t masks[] = {0,
                                     AVITO_CHAT_ALL,
                                     AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS,
                                     AVITO_CHAT_LAST_MESSAGE,
                                     AVITO_CHAT_CONTEXT,
                                     AVITO_CHAT_USERS,
                                     AVITO_CHAT_PROFILES,
                                     AVITO_CHAT_AVATARS,
                                     AVITO_CHAT_LAST_MESSAGE | AVITO_MESSAGE_QUOTES};
    static const struct {
        bool context, users, profiles, avatars, message, content;
    } shown[] = {{1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}, {1, 1, 1, 0, 1, 1},
                 {0, 0, 0, 0, 1, 1}, {1, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0},
                 {0, 1, 1, 0, 0, 0}, {0, 1, 1, 1, 0, 0}, {0, 0, 0, 0, 1, 0}};
    size_t everything = 0;

    (void)state;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        struct lane l;
        avito_chats_query q = {0};
        avito_chats chats;
        const avito_chat *c;
        q.want = masks[i];
        lane_init(&l, 512);
        lane_exchange(&l, 200, body, sizeof body - 1);
        assert_int_equal(lane_run(&l, avito_get_chats(&l.client, 1, &q, &l.arena, &chats)),
                         AVITO_OK);
        assert_int_equal(chats.count, 1);
        c = &chats.items[0];
        assert_string_equal(c->id.ptr, "c");
        assert_int_equal(c->created, 1);
        assert_int_equal(c->context != NULL, shown[i].context);
        assert_int_equal(c->users.count, shown[i].users);
        assert_int_equal(c->users.count != 0 && c->users.items[0].public_user_profile != NULL,
                         shown[i].profiles);
        assert_int_equal(c->users.count != 0 && c->users.items[0].public_user_profile != NULL &&
                             c->users.items[0].public_user_profile->avatar != NULL,
                         shown[i].avatars);
        assert_int_equal(c->last_message != NULL, shown[i].message);
        assert_int_equal(c->last_message != NULL &&
                             c->last_message->content.kind == AVITO_MESSAGE_TEXT,
                         shown[i].content);
        everything = i == 0 ? l.arena.peak : everything;
        assert_true(i < 2 ? l.arena.peak == everything : l.arena.peak + 190 < everything);
        lane_free(&l);
    }
}

/* A text is cut at a code point, at the limit in bytes, and flagged; others are left alone. */
static void test_cut_texts(void **state)
{
    static const char text[] = "ab\xd0\x96\xe2\x98\x83\xf0\x9f\x98\x80z"; /* 2 + 2 + 3 + 4 + 1 */
    static const size_t kept[] = {12, 1, 2, 2, 4, 4, 4, 7, 7, 7, 7, 11, 12, 12, 12};
    static const char *const forms[] = {"ab\xd0\x96\xe2\x98\x83\xf0\x9f\x98\x80z",
                                        "\\u0061b\\u0416\\u2603\\ud83d\\ude00z",
                                        "a\\u0062\xd0\x96\\u2603\xf0\x9f\x98\x80\\u007a"};
    static char room[2048];
    char body[400];

    (void)state;
    for (size_t form = 0; form < 3; form++) {
        (void)snprintf(body, sizeof body,
                       "[{\"id\":\"0123456789abcdef0123\",\"content\":{\"text\":\"%s\"}},"
                       "{\"id\":\"2\",\"content\":{\"text\":\"\"}}]",
                       forms[form]);
        for (size_t cut = 0; cut < sizeof kept / sizeof kept[0]; cut++) {
            for (size_t piece = 0; piece < 8; piece++) {
                struct lane l;
                avito_messages_query q = {0};
                avito_message m;
                q.cut_text_at = cut;
                lane_init(&l, 512);
                l.script.recv_piece = piece;
                start_list(&l, body, &q, room, sizeof room);
                assert_int_equal(next(&l, &m), AVITO_OK);
                assert_string_equal(m.id.ptr, "0123456789abcdef0123");
                if (m.content.as.text.len != kept[cut]) {
                    fail_msg("form %zu cut at %zu in pieces of %zu: %zu", form, cut, piece,
                             m.content.as.text.len);
                }
                assert_memory_equal(m.content.as.text.ptr, text, kept[cut]);
                assert_int_equal(m.content.as.text.ptr[kept[cut]], 0);
                assert_int_equal(m.is_cut, kept[cut] != 12);
                assert_int_equal(next(&l, &m), AVITO_OK);
                assert_false(m.is_cut);
                assert_int_equal(next(&l, &m), AVITO_END);
                lane_free(&l);
            }
        }
    }
}

/* The same for a text that goes on in the next window, where the short ways end within it. */
static void test_long_cut_texts(void **state)
{
    static char room[2048];
    char body[700];

    (void)state;
    (void)snprintf(body, sizeof body,
                   "[{\"id\":\"1\",\"content\":{\"text\":\"" LONG100 LONG100 "\"}},"
                   "{\"id\":\"2\",\"content\":{\"text\":\"" LONG100 "\"}}]");
    for (size_t cut = 99; cut < 202; cut += 51) {
        for (size_t piece = 30; piece < 260; piece += 3) {
            struct lane l;
            avito_messages_query q = {0};
            avito_message m;
            q.cut_text_at = cut;
            lane_init(&l, 512);
            l.script.recv_piece = piece;
            start_list(&l, body, &q, room, sizeof room);
            assert_int_equal(next(&l, &m), AVITO_OK);
            assert_int_equal(m.content.as.text.len, cut < 200 ? cut : 200);
            assert_int_equal(m.is_cut, cut < 200);
            assert_int_equal(next(&l, &m), AVITO_OK);
            assert_int_equal(m.content.as.text.len, cut < 100 ? cut : 100);
            assert_int_equal(next(&l, &m), AVITO_END);
            lane_free(&l);
        }
    }
}

/* An element that does not fit names a size that does: what a cut text takes, not what came. */
static void test_needed_for_cut_text(void **state)
{
    static const char body[] =
        "[{\"id\":\"1\",\"content\":{\"text\":\"" LONG100 LONG100 LONG100 "\"}}]";
    static char room[2048];

    (void)state;
    for (size_t piece = 0; piece < 3; piece++) {
        size_t needed = 0, worked = 0;
        for (size_t size = 0; size < sizeof room && worked == 0; size += 8) {
            struct lane l;
            avito_messages_query q = {0};
            avito_message m;
            int rc;
            q.cut_text_at = 10;
            lane_init(&l, 512);
            l.script.recv_piece = piece;
            start_list(&l, body, &q, room, size);
            rc = next(&l, &m);
            if (rc == AVITO_OK) {
                assert_int_equal(m.content.as.text.len, 10);
                worked = size;
            } else {
                assert_int_equal(rc, AVITO_ERR_ARENA);
                needed = avito_last_error(&l.client)->needed;
            }
            lane_free(&l);
        }
        assert_true(worked > 0 && needed >= worked && needed <= worked + 16);
    }
}

/* A page of more rows than its counter holds, which only a hostile server sends: every one comes. */
static void test_endless_page(void **state)
{
    enum { ROWS = 65600 };
    static const char row[] = "{\"id\":\"1\"},";
    static char room[1024];
    char *body = malloc(2 + ROWS * (sizeof row - 1));
    size_t n = 1, came = 0;
    struct lane l;
    avito_message m;
    int rc;

    (void)state;
    body[0] = '[';
    for (size_t i = 0; i < ROWS; i++, n += sizeof row - 1) {
        memcpy(body + n, row, sizeof row - 1);
    }
    body[n - 1] = ']';
    lane_init(&l, 8192);
    lane_exchange(&l, 200, body, n);
    l.arena = avito_arena_of(room, sizeof room);
    assert_int_equal(lane_run(&l, avito_list_messages(&l.client, 1, "c", NULL, &l.arena)),
                     AVITO_OK);
    while ((rc = next(&l, &m)) == AVITO_OK) {
        came++;
    }
    assert_int_equal(rc, AVITO_END);
    assert_int_equal(came, ROWS);
    lane_free(&l);
    free(body);
}

/* What was asked for by its id cannot be left out: a bad element breaks the whole answer. */
static void test_bad_pair_of_all(void **state)
{
    static const struct {
        const char *body;
        int result;
    } rows[] = {{"{\"voices_urls\":{\"a\":\"u\",\"b\":\"v\"}}", AVITO_OK},
                {"{\"voices_urls\":{\"a\":\"u\",\"b\":5}}", AVITO_ERR_MODEL},
                {"{\"voices_urls\":{\"a\":5}}", AVITO_ERR_MODEL}};
    static const char *const ids[] = {"a", "b"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lane l;
        avito_voice_files files;
        lane_init(&l, 512);
        lane_exchange(&l, 200, rows[i].body, strlen(rows[i].body));
        assert_int_equal(
            lane_run(&l, avito_get_voice_files(&l.client, 1, ids, 2, &l.arena, &files)),
            rows[i].result);
        lane_free(&l);
    }
}

/* Whole lists over several pages, into one arena: every size gives all of them, or an error that
 * names a size that is enough. */
static void test_pages_into_one_arena(void **state)
{
    static const char *const pages[] = {
        "[{\"id\":\"a\"},{\"id\":\"bb\"}]",
        "{\"messages\":[{\"id\":\"ccc\",\"quote\":{\"id\":\"q\"}},{\"id\":\"d\"}]}",
        "{\"messages\":[{\"id\":\"e\"}]}"};
    size_t worked = 0, needed = 0;

    (void)state;
    for (size_t size = 0; size < 4096; size = size < 64 || worked != 0 ? size + 8 : size + 32) {
        struct guard memory = guard_end(size);
        struct lane l;
        avito_messages_query q = {0};
        avito_messages all;
        int rc;
        lane_init(&l, 512);
        script_connect(&l.script);
        for (size_t i = 0; i < 3; i++) {
            script_request(&l.script);
            script_answer_json(&l.script, 200, pages[i], strlen(pages[i]));
        }
        q.limit = 2;
        q.all_pages = true;
        l.arena = avito_arena_of(memory.data, size);
        rc = lane_run(&l, avito_get_messages(&l.client, 1, "c", &q, &l.arena, &all));
        if (rc == AVITO_OK) {
            assert_int_equal(all.count, 5);
            assert_string_equal(all.items[0].id.ptr, "a");
            assert_string_equal(all.items[2].quote->id.ptr, "q");
            assert_string_equal(all.items[4].id.ptr, "e");
            assert_false(all.has_more);
            assert_null(script_problem_open(&l.script, true));
            worked = worked != 0 ? worked : size;
            assert_true(size + 7 >= needed); /* wherever the memory begins */
        } else if (size >= 8) {
            assert_int_equal(rc, AVITO_ERR_ARENA);
            assert_int_equal(worked, 0);
            needed = avito_last_error(&l.client)->needed > needed
                         ? avito_last_error(&l.client)->needed
                         : needed;
            assert_int_equal(l.arena.used, 0);
        }
        lane_free(&l);
        guard_free(&memory);
    }
    assert_true(worked != 0 && needed >= worked - 32 && needed <= worked + 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_bad_digits),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_degrees),
        cmocka_unit_test(test_passed_numbers),
        cmocka_unit_test(test_number_as_text),
        cmocka_unit_test(test_value_before_type),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_nested_reasons),
        cmocka_unit_test(test_nested_refusal),
        cmocka_unit_test(test_element_too_large),
        cmocka_unit_test(test_bad_elements),
        cmocka_unit_test(test_skipped_rows),
        cmocka_unit_test(test_no_good_row),
#if AVITO_WITH_SHORTCUTS
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_short_ways_come_far),
#endif
        cmocka_unit_test(test_word_lists),
        cmocka_unit_test(test_broken_list),
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_cut_texts),
        cmocka_unit_test(test_long_cut_texts),
        cmocka_unit_test(test_needed_for_cut_text),
        cmocka_unit_test(test_endless_page),
        cmocka_unit_test(test_bad_pair_of_all),
        cmocka_unit_test(test_pages_into_one_arena),
    };

    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
