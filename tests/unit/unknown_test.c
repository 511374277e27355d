/*
 * What no model knows, kept as it came: a member of a content, the value of another type of context and
 * of payload. At every split and with every size of memory; in lists and in notifications; read with
 * jsmn; and written again.
 * Rooms: WHAT NO MODEL KNOWS.
 */
#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/guard.h"
#include "support/inside.h"

#define ROOM 1024u
/* Other machines take each PIECES_STEP-th length of a piece. */
#ifndef PIECES_STEP
#define PIECES_STEP 1
#endif

/* ---- the machine ---- */

/* Reads a chat in pieces of `piece` bytes into `room` bytes. */
static int read_chat(const char *text, size_t piece, size_t room, avito_chat *chat,
                     struct guard *memory, size_t *needed)
{
    static struct avitoi_json j;
    const size_t len = strlen(text);
    struct guard window = guard_end(piece);
    avito_arena arena;
    int rc = AVITO_AGAIN;

    *memory = guard_end(room);
    arena = avito_arena_of(memory->data, room);
    avitoi_json_begin(&j, &avitoi_schema_chat.schema, chat);
    avitoi_arena_share(&j.mem, arena.base + arena.used, arena.cap - arena.used);
    j.raw = &avitoi_keep_part;
    for (size_t at = 0; at < len && rc == AVITO_AGAIN; at += piece) {
        const size_t n = len - at < piece ? len - at : piece;
        size_t used;
        rc = avitoi_keep_feed(&j, guard_put(&window, text + at, n), n, &used);
    }
    guard_free(&window);
    rc = rc == AVITO_AGAIN ? avitoi_json_end(&j) : rc;
    *needed = avitoi_arena_align(j.mem.peak);
    return rc;
}

/* The unknown member as it is written, and as it is kept (NULL: not at all). */
static const char *const members[][2] = {
    {"\"sticker\":{\"pack_id\":7,\"title\":\"a \\\"b\\\" \\u0436\",\"tags\":[\"x\",{}]}",
     "{\"sticker\":{\"pack_id\":7,\"title\":\"a \\\"b\\\" \\u0436\",\"tags\":[\"x\",{}]}}"},
    {"\"a\" : \n[ 1 , 2.5e3,\t\"\xd0\x96\xf0\x9f\x98\x80\" ] ",
     "{\"a\":[ 1 , 2.5e3,\t\"\xd0\x96\xf0\x9f\x98\x80\" ]}"},
    {"\"n\":-12.5E+3", "{\"n\":-12.5E+3}"},
    {"\"n\":0 ", "{\"n\":0}"},
    {"\"n\":17,\"text\":null", "{\"n\":17}"},
    {"\"b\":true", "{\"b\":true}"},
    {"\"z\":null", "{\"z\":null}"},
    {"\"s\":\"\"", "{\"s\":\"\"}"},
    {"\"e\":{}", "{\"e\":{}}"},
    {"\"first\":[1],\"second\":[2]", "{\"first\":[1]}"},
    {"\"a\\\"b\\u0001\":1", "{\"a\\\"b\\u0001\":1}"},
    {"\"abcdefghijklmnopqrstuvwxyz012345\":1", "{\"abcdefghijklmnopqrstuvwxyz012345\":1}"},
    {"\"abcdefghijklmnopqrstuvwxyz0123456\":1", NULL},
    {"\"sticker\":{\"text\":\"inner\",\"image\":{}}",
     "{\"sticker\":{\"text\":\"inner\",\"image\":{}}}"},
    {"", NULL},
    {"\"text\":\"known\",\"sticker\":1", NULL},
    {"\"sticker\":1,\"image\":{\"sizes\":{}}", NULL}};

static void member_is_kept(const char *member, const char *kept, size_t piece)
{
    char text[400];
    struct guard memory;
    avito_chat chat;
    size_t needed;

    (void)snprintf(
        text, sizeof text,
        "{\"id\":\"c\",\"other\":{\"sticker\":1},\"last_message\":{\"id\":\"m\",\"content\":{%s},"
        "\"type\":\"sticker\"},\"created\":5}",
        member);
    assert_int_equal(read_chat(text, piece, ROOM, &chat, &memory, &needed), AVITO_OK);
    assert_int_equal(chat.created, 5);
    if (chat.last_message->content.kind == AVITO_MESSAGE_NONE) {
        const avito_str raw = chat.last_message->content.as.raw;
        assert_int_equal(raw.len, kept != NULL ? strlen(kept) : 0);
        assert_string_equal(kept != NULL ? raw.ptr : "", kept != NULL ? kept : "");
    } else {
        assert_null(kept);
    }
    guard_free(&memory);
    if (piece > 3) {
        return;
    }
    for (size_t room = 0; room < needed; room += 8) {
        size_t asked;
        assert_int_equal(read_chat(text, piece, room, &chat, &memory, &asked), AVITO_ERR_ARENA);
        assert_int_equal(asked, needed);
        guard_free(&memory);
    }
    assert_int_equal(read_chat(text, piece, needed, &chat, &memory, &needed), AVITO_OK);
    guard_free(&memory);
}

static void test_members(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        for (size_t piece = 1; piece <= 400; piece += piece < 40 ? PIECES_STEP : 120) {
            member_is_kept(members[i][0], members[i][1], piece);
        }
    }
}

static void test_contexts(void **state)
{
    static const struct {
        const char *context, *kept;
        bool item;
    } rows[] = {{"{\"type\":\"user\",\"value\":{\"id\":7,\"name\":\"a\"}}",
                 "{\"id\":7,\"name\":\"a\"}", false},
                {"{\"type\":\"user\",\"value\":[1, 2]}", "[1, 2]", false},
                {"{\"type\":\"user\",\"value\":17}", "17", false},
                {"{\"type\":\"user\",\"value\":null}", "null", false},
                {"{\"value\":{\"id\":7},\"type\":\"user\"}", NULL, false},
                {"{\"type\":\"item\",\"value\":{\"id\":7,\"new\":{}}}", NULL, true},
                {"{\"type\":\"item\",\"value\":{\"id\":7,\"title\":[1],\"images\":{\"main\":{"
                 "\"1x1\":{}}}}}",
                 NULL, true}, /* known members in another form */
                {"{\"value\":[1, 2],\"type\":\"user\"}", NULL, false},
                {"{\"type\":\"item\"}", NULL, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t piece = 1; piece < 100; piece += PIECES_STEP) {
            char text[200];
            struct guard memory;
            avito_chat chat;
            size_t needed;
            (void)snprintf(text, sizeof text, "{\"id\":\"c\",\"context\":%s,\"created\":5}",
                           rows[i].context);
            assert_int_equal(read_chat(text, piece, ROOM, &chat, &memory, &needed), AVITO_OK);
            assert_int_equal(chat.created, 5);
            assert_int_equal(chat.context->item != NULL, rows[i].item);
            if (rows[i].kept != NULL) {
                assert_string_equal(chat.context->raw.ptr, rows[i].kept);
            } else {
                assert_null(chat.context->raw.ptr);
            }
            guard_free(&memory);
        }
    }
}

/* Broken JSON is an error, as it is where nothing is kept. */
static void test_broken(void **state)
{
    static const char *const values[] = {"{\"a\":1,}", "[1}", "\"\\x\"", "01", "tru", "\"\xff\""};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (size_t piece = 1; piece < 60; piece += PIECES_STEP) {
            char text[200];
            struct guard memory;
            avito_chat chat;
            size_t needed;
            int rc;
            (void)snprintf(
                text, sizeof text,
                "{\"id\":\"c\",\"last_message\":{\"id\":\"m\",\"content\":{\"new\":%s}}}",
                values[i]);
            rc = read_chat(text, piece, ROOM, &chat, &memory, &needed);
            assert_true(rc == AVITO_ERR_JSON || rc == AVITO_ERR_JSON_UTF8);
            guard_free(&memory);
        }
    }
}

/* ---- lists ---- */

#define MESSAGE                                                                                    \
    "{\"id\":\"m1\",\"author_id\":7,\"created\":5,\"type\":\"sticker\",\"direction\":\"in\","      \
    "\"content\":{"                                                                                \
    "\"sticker\":{\"pack_id\":7}},\"quote\":{\"id\":\"q\",\"type\":\"sticker\",\"content\":{"      \
    "\"sticker\":[8]}}}"
#define MESSAGES                                                                                   \
    "{\"messages\":[" MESSAGE                                                                      \
    ",{\"id\":\"m2\",\"author_id\":7,\"created\":4,\"type\":\"text\",\"direction\":"               \
    "\"in\",\"content\":{\"text\":\"known\"}}],\"meta\":{\"has_more\":false}}"

static void test_list(void **state)
{
    avito_messages_query query = {0};
    avito_messages messages;
    struct lane l;

    (void)state;
    for (int wanted = 0; wanted < 2; wanted++) {
        query.want = wanted ? AVITO_RAW : 0u;
        lane_init(&l, 512);
        lane_exchange(&l, 200, MESSAGES, sizeof MESSAGES - 1);
        assert_int_equal(
            lane_run(&l, avito_get_messages(&l.client, 1, "c", &query, &l.arena, &messages)),
            AVITO_OK);
        assert_int_equal(messages.count, 2);
        assert_int_equal(messages.items[0].content.kind, AVITO_MESSAGE_NONE);
        if (wanted) {
            assert_string_equal(messages.items[0].content.as.raw.ptr,
                                "{\"sticker\":{\"pack_id\":7}}");
            assert_string_equal(messages.items[0].quote->content.as.raw.ptr, "{\"sticker\":[8]}");
        } else {
            assert_null(messages.items[0].content.as.raw.ptr);
            assert_null(messages.items[0].quote->content.as.raw.ptr);
        }
        assert_true(avito_str_equal(messages.items[1].content.as.text, "known"));
        lane_free(&l);
    }
}

/* ---- notifications ---- */

static int parse(const char *body, avito_arena *arena, avito_event *event)
{
    return avito_parse_webhook_raw(body, strlen(body), arena, event, NULL);
}

static void test_notification(void **state)
{
    static char room[4096];
    static unsigned char tokens[AVITO_JSON_TOKENS_SIZE(64)];
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_json json;
    avito_event event;
    avito_json_value sticker;
    int64_t pack = 0;

    (void)state;
    assert_int_equal(parse("{\"id\":\"e\",\"payload\":{\"type\":\"message\",\"value\":" MESSAGE
                           "}}",
                           &arena, &event),
                     AVITO_OK);
    assert_int_equal(avito_json_parse(&json, event.message->content.as.raw.ptr,
                                      event.message->content.as.raw.len, tokens, sizeof tokens),
                     AVITO_OK);
    sticker = avito_json_get(avito_json_root(&json), "sticker");
    assert_int_equal(avito_json_int(avito_json_get(sticker, "pack_id"), &pack), AVITO_OK);
    assert_int_equal(pack, 7);
    assert_null(event.raw.ptr);

    assert_int_equal(parse("{\"id\":\"e\",\"payload\":{\"type\":\"order\",\"value\":{\"n\":[1]} }}",
                           &arena, &event),
                     AVITO_OK);
    assert_null(event.message);
    assert_string_equal(event.raw.ptr, "{\"n\":[1]}");
    assert_int_equal(parse("{\"id\":\"e\",\"payload\":{\"value\":{\"n\":1},\"type\":\"order\"}}",
                           &arena, &event),
                     AVITO_OK);
    assert_null(event.raw.ptr);
}

/* Written as JSON it is one line, and decodes to the same. */
static void test_round_trip(void **state)
{
    static char room[4096], line[2048], body[4096];
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_event event;

    (void)state;
    assert_int_equal(parse("{\"id\":\"e\",\"payload\":{\"type\":\"message\",\"value\":{\"id\":"
                           "\"m\",\"type\":\"new\",\"content\":"
                           "{\"new\":{\n \"a\" :\r\n\t[1,\n2]}}}}}",
                           &arena, &event),
                     AVITO_OK);
    assert_int_equal(avito_message_json(event.message, NULL, line, sizeof line, NULL), AVITO_OK);
    assert_null(strpbrk(line, "\n\r\t"));
    assert_non_null(strstr(line, "\"content\":{\"new\":{ \"a\" :[1,2]}}"));
    (void)snprintf(body, sizeof body,
                   "{\"id\":\"e\",\"payload\":{\"type\":\"message\",\"value\":%s}}", line);
    assert_int_equal(parse(body, &arena, &event), AVITO_OK);
    assert_string_equal(event.message->content.as.raw.ptr, "{\"new\":{ \"a\" :[1,2]}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),      cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_broken),       cmocka_unit_test(test_list),
        cmocka_unit_test(test_notification), cmocka_unit_test(test_round_trip)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
