/*
 * Every body of tests/data decodes to what the independent decoder says (tests/expect.py), through
 * the public calls and a whole answer: by length, by chunks, until the stream ends; at once, byte
 * by byte, and split at every point; into memory of every size.
 * Rooms: SCHEMAS, SCHEMAS: CHATS TO REPLIES, NOTIFICATIONS, JSON: WHAT IS OPEN, JSON: COMPLETE VALUES, JSON: STRINGS, JSON: THE MACHINE, WEBHOOK RECEIVER.
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
#include "support/clock.h"
#include "support/dump.h"
#include "support/fixture.h"
#include "support/guard.h"
#include "support/script.h"

#define ROOM 65536
/* Split points per answer; longer ones are split at every n-th point. decode_splits_test.c, which is
 * not slowed down by sanitizers, takes every one. */
#ifndef SPLITS_MAX
#define SPLITS_MAX 250
#endif

enum framing { BY_LENGTH, BY_CHUNKS, UNTIL_CLOSE, FRAMINGS };

struct bench {
    struct clock clock;
    struct script script;
    avito_account account;
    avito_client client;
    avito_arena arena;
    unsigned char window[AVITO_WINDOW_MIN];
    unsigned char tokens[AVITO_TOKENS_SIZE(64)];
    struct text out;
    struct text answer;
};

/* Which call a body answers, by the first word of the fixture's name. */
struct question {
    const char *prefix;
    int (*ask)(struct bench *b);
    void (*show)(struct bench *b);
    int status;
};

static union {
    avito_chat chat;
    avito_chats chats;
    avito_messages messages;
    avito_message message;
    avito_token token;
    avito_self self;
    avito_subscriptions subscriptions;
    avito_voice_files voices;
    avito_uploaded_image image;
} got;

/* ---- the questions ---- */

static int ask_chat(struct bench *b)
{
    return avito_get_chat(&b->client, 367114205, "u2i-a", &b->arena, &got.chat);
}
static void show_chat(struct bench *b)
{
    dump_chat(&b->out, "chat", &got.chat);
}
static int ask_chats(struct bench *b)
{
    return avito_get_chats(&b->client, 367114205, NULL, &b->arena, &got.chats);
}
static void show_chats(struct bench *b)
{
    dump_chats(&b->out, "chats", &got.chats);
}
static int ask_messages(struct bench *b)
{
    return avito_get_messages(&b->client, 367114205, "u2i-a", NULL, &b->arena, &got.messages);
}
static void show_messages(struct bench *b)
{
    dump_messages(&b->out, "messages", &got.messages);
}
static int ask_message(struct bench *b)
{
    return avito_send_message(&b->client, 367114205, "u2i-a", "text", &b->arena, &got.message);
}
static void show_message(struct bench *b)
{
    dump_message(&b->out, "message", &got.message);
}
static int ask_token(struct bench *b)
{
    return avito_get_token(&b->client, &got.token);
}
static void show_token(struct bench *b)
{
    dump_token(&b->out, "token", &got.token);
}
static int ask_self(struct bench *b)
{
    return avito_get_self(&b->client, &b->arena, &got.self);
}
static void show_self(struct bench *b)
{
    dump_self(&b->out, "self", &got.self);
}
static int ask_subscriptions(struct bench *b)
{
    return avito_get_webhook_subscriptions(&b->client, &b->arena, &got.subscriptions);
}
static void show_subscriptions(struct bench *b)
{
    dump_subscriptions(&b->out, "subscriptions", &got.subscriptions);
}
static int ask_voices(struct bench *b)
{
    static const char *const ids[] = {"5f1c0d7e-22ab-4c55-8f00-9d1e6b7a3c11"};

    return avito_get_voice_files(&b->client, 367114205, ids, 1, &b->arena, &got.voices);
}
static void show_voices(struct bench *b)
{
    dump_voice_files(&b->out, "voices", &got.voices);
}
static int ask_upload(struct bench *b)
{
    static avito_image_source source;

    source.data = "not really a picture";
    source.size = 20;
    return avito_upload_image(&b->client, 367114205, &source, &b->arena, &got.image);
}
static void show_upload(struct bench *b)
{
    dump_uploaded_image(&b->out, "upload", &got.image);
}
static int ask_ok(struct bench *b)
{
    return avito_mark_chat_as_read(&b->client, 367114205, "u2i-a");
}
static void show_ok(struct bench *b)
{
    (void)b;
}
static void show_error(struct bench *b)
{
    dump_error_body(&b->out, "error", avito_last_error(&b->client));
}

static const struct question questions[] = {
    {"chat_", ask_chat, show_chat, 200},
    {"chats_", ask_chats, show_chats, 200},
    {"messages_", ask_messages, show_messages, 200},
    {"message_", ask_message, show_message, 200},
    {"token_", ask_token, show_token, 200},
    {"self_", ask_self, show_self, 200},
    {"subscriptions_", ask_subscriptions, show_subscriptions, 200},
    {"voices_", ask_voices, show_voices, 200},
    {"upload_", ask_upload, show_upload, 200},
    {"ok_", ask_ok, show_ok, 200},
    {"error_", ask_ok, show_error, 500}, /* so that it is not repeated with a new token */
};

static const struct question *question_of(const char *name)
{
    name += strncmp(name, "bad_", 4) == 0 ? 4 : 0;
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        if (strncmp(name, questions[i].prefix, strlen(questions[i].prefix)) == 0) {
            return &questions[i];
        }
    }
    return NULL;
}

/* ---- asking ---- */

static int load_token(void *ctx, avito_token *token)
{
    (void)ctx;
    memset(token, 0, sizeof *token);
    token->access_token.ptr = "a-token";
    token->access_token.len = 7;
    token->expires_in = 86400;
    return AVITO_OK;
}

static void write_answer(struct text *out, int status, enum framing framing,
                         const struct fixture *f)
{
    text_clear(out);
    text_add(out, "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\n", status);
    if (framing == BY_CHUNKS) {
        text_add(out, "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < f->body_len;) {
            size_t n = at % 97 + 1;
            n = n < f->body_len - at ? n : f->body_len - at;
            text_add(out, "%zX\r\n", n);
            text_add_bytes(out, f->body + at, n);
            text_add(out, "\r\n");
            at += n;
        }
        text_add(out, "0\r\n\r\n");
        return;
    }
    if (framing == BY_LENGTH) {
        text_add(out, "Content-Length: %zu\r\n", f->body_len);
    } else {
        text_add(out, "Connection: close\r\n");
    }
    text_add(out, "\r\n");
    text_add_bytes(out, f->body, f->body_len);
}

static void bench_init(struct bench *b, const struct question *q, enum framing framing,
                       const struct fixture *f)
{
    avito_account_options account = avito_account_options_default();
    avito_client_options client = avito_client_options_default();

    memset(b, 0, sizeof *b);
    clock_init(&b->clock);
    script_init(&b->script);
    b->script.clock = &b->clock;
    script_connect(&b->script);
    script_request(&b->script);
    write_answer(&b->answer, q->status, framing, f);
    script_answer(&b->script, b->answer.data, b->answer.len);
    if (framing == UNTIL_CLOSE) {
        script_end(&b->script);
    }

    account.client_id = "an-id";
    account.client_secret = "a-secret";
    account.tokens = b->tokens;
    account.tokens_cap = sizeof b->tokens;
    account.ctx = &b->clock;
    account.clock_ms = clock_ms;
    account.unix_time = clock_unix_time;
    account.entropy = clock_entropy;
    account.load_token = q->ask != ask_token ? load_token : NULL;
    assert_int_equal(avito_account_init(&b->account, &account), AVITO_OK);
    client.transport = script_transport(&b->script);
    client.window = b->window;
    client.window_cap = sizeof b->window;
    assert_int_equal(avito_client_init(&b->client, &b->account, &client), AVITO_OK);
}

static void bench_free(struct bench *b)
{
    script_free(&b->script);
    text_free(&b->out);
    text_free(&b->answer);
}

/* Asks once more from the beginning. Returns the call's result. */
static int ask(struct bench *b, const struct question *q, void *room, size_t size)
{
    int result;

    avito_client_close(&b->client);
    script_rewind(&b->script);
    memset(&got, 0, sizeof got);
    b->arena = avito_arena_of(room, size);
    if (q->ask == ask_token || q->status != 200) {
        avito_account_options same = b->account.o;
        assert_int_equal(avito_account_init(&b->account, &same), AVITO_OK);
    }
    result = script_drive(&b->script, &b->client, q->ask(b));
    if (script_wrong(&b->script) != NULL) {
        fail_msg("%s", script_wrong(&b->script));
    }
    return result;
}

/* Writes what came into b->out. */
static void tell(struct bench *b, const struct question *q, int result)
{
    text_clear(&b->out);
    if (q->status == 200) {
        text_add(&b->out, "result = %s\n", dump_result_name(result));
    }
    if (result == AVITO_OK || q->status != 200) {
        q->show(b);
    }
}

static void compare(const struct bench *b, const struct fixture *f, const char *how, size_t point)
{
    size_t line = dump_first_difference(b->out.data, f->expect);

    if (line != 0) {
        const char *a = b->out.data;
        const char *e = f->expect;
        for (size_t i = 1; i < line; i++) {
            a = strchr(a, '\n') + 1;
            e = strchr(e, '\n') + 1;
        }
        fail_msg("%s, %s %zu: line %zu is\n    %.*s\nexpected\n    %.*s", f->name, how, point, line,
                 (int)strcspn(a, "\n"), a, (int)strcspn(e, "\n"), e);
    }
}

/* ---- the tests ---- */

static char room[ROOM];

/* What the last answer that was right left in memory. An answer that leaves the same is right too, and
 * to write all of it once more would take most of the time. */
static struct {
    bool known;
    size_t used;
    unsigned char model[sizeof got];
    char room[ROOM];
} right;

static bool is_the_same(const struct bench *b)
{
    return right.known && b->arena.used == right.used &&
           memcmp(&got, right.model, sizeof got) == 0 && memcmp(room, right.room, right.used) == 0;
}

static void ask_and_compare(struct bench *b, const struct question *q, const struct fixture *f,
                            const char *how, size_t point)
{
    const int result = ask(b, q, room, sizeof room);
    /* The others' texts are in the account and in the lane. */
    const bool in_room = result == AVITO_OK && q->status == 200 && q->ask != ask_token;

    memset(b->window, '#', sizeof b->window); /* nor is any of the model's */
    if (in_room && is_the_same(b)) {
        return;
    }
    tell(b, q, result);
    compare(b, f, how, point);
    right.known = in_room;
    right.used = b->arena.used;
    memcpy(right.model, &got, sizeof got);
    memcpy(right.room, room, right.used);
}

static void decode_one(const struct fixture *f, const struct question *q)
{
    static const char *const hows[] = {"by length, piece", "by chunks, piece",
                                       "until close, piece"};

    for (enum framing framing = BY_LENGTH; framing < FRAMINGS; framing++) {
        struct bench b;
        size_t splits[2];
        size_t step;

        right.known = false;
        bench_init(&b, q, framing, f);
        for (size_t piece = 0; piece < 4; piece++) {
            b.script.recv_piece = piece;
            b.script.again = piece != 0;
            b.script.send_piece = piece;
            ask_and_compare(&b, q, f, hows[framing], piece);
        }
        b.script.recv_piece = b.script.send_piece = 0;
        step = b.answer.len / SPLITS_MAX + 1;
        for (size_t at = 1; at < b.answer.len; at += step) {
            splits[0] = at;
            b.script.splits = splits;
            b.script.split_count = 1;
            ask_and_compare(&b, q, f, "split at", at);
        }
        avito_client_close(&b.client);
        assert_int_equal(b.script.connects, b.script.closes);
        bench_free(&b);
    }
}

static void decode_all(const char *prefix)
{
    struct fixtures all = fixtures_load(prefix);

    for (size_t i = 0; i < all.count; i++) {
        const struct question *q = question_of(all.items[i].name);
        if (q != NULL) {
            decode_one(&all.items[i], q);
        } else {
            assert_non_null(strstr(all.items[i].name, "event_"));
        }
    }
    fixtures_free(&all);
}

#define DECODE_TEST(name, prefix)                                                                  \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        decode_all(prefix);                                                                        \
    }

DECODE_TEST(chats_one_by_one, "chat_")
DECODE_TEST(lists_of_chats, "chats_")
DECODE_TEST(messages, "messages_")
DECODE_TEST(sent_messages, "message_")
DECODE_TEST(tokens, "token_")
DECODE_TEST(self, "self_")
DECODE_TEST(subscriptions, "subscriptions_")
DECODE_TEST(voices, "voices_")
DECODE_TEST(uploads, "upload_")
DECODE_TEST(plain_success, "ok_")
DECODE_TEST(error_bodies, "error_")
DECODE_TEST(hostile_answers, "bad_")

/* Notifications come in one piece. */
static void decode_events(const char *prefix)
{
    struct fixtures all = fixtures_load(prefix);
    struct text out = {0};

    for (size_t i = 0; i < all.count; i++) {
        const struct fixture *f = &all.items[i];
        struct guard body = guard_copy(f->body, f->body_len);
        avito_arena arena = avito_arena_of(room, sizeof room);
        avito_event event;
        memset(&event, 0, sizeof event);
        int result = avito_parse_webhook(body.data, body.size, &arena, &event, NULL);
        text_clear(&out);
        text_add(&out, "result = %s\n", dump_result_name(result));
        if (result == AVITO_OK) {
            dump_event(&out, "event", &event);
        } else {
            assert_int_equal(arena.used, 0);
        }
        if (strcmp(out.data, f->expect) != 0) {
            fail_msg("%s: got\n%s\nexpected\n%s", f->name, out.data, f->expect);
        }
        guard_free(&body);
    }
    fixtures_free(&all);
    text_free(&out);
}

static void test_events(void **state)
{
    (void)state;
    decode_events("event_");
}

static void test_hostile_events(void **state)
{
    (void)state;
    decode_events("bad_event_");
}

/* The same lists, element by element: each element is what the whole list has at its place. */
static void next_elements(struct bench *b, bool chats, size_t *count)
{
    for (*count = 0;; ++*count) {
        char path[32];
        int result = chats ? avito_next_chat(&b->client, &got.chat)
                           : avito_next_message(&b->client, &got.message);
        result = script_drive(&b->script, &b->client, result);
        if (result == AVITO_END) {
            return;
        }
        assert_int_equal(result, AVITO_OK);
        (void)snprintf(path, sizeof path, chats ? "chats[%zu]" : "messages[%zu]", *count);
        if (chats) {
            dump_chat(&b->out, path, &got.chat);
        } else {
            dump_message(&b->out, path, &got.message);
        }
    }
}

/* The lines of the whole list's expectation that are about elements, after the count. */
static void expect_elements(const struct fixture *f, const char *elements, size_t count)
{
    char first[64];
    const char *e = strchr(f->expect, '\n') + 1;
    const char *end;

    (void)snprintf(first, sizeof first, "%s.count = %zu\n",
                   strncmp(f->name, "chats", 5) == 0 ? "chats" : "messages", count);
    if (count != 0) {
        assert_int_equal(strncmp(e, first, strlen(first)), 0);
        e += strlen(first);
    }
    end = strstr(e, ".has_more");
    end = end != NULL ? end - strlen(strncmp(f->name, "chats", 5) == 0 ? "chats" : "messages")
                      : e + strlen(e);
    if (strlen(elements) != (size_t)(end - e) || memcmp(elements, e, strlen(elements)) != 0) {
        fail_msg("%s: elements are\n%s\nexpected\n%s", f->name, elements, e);
    }
}

static void list_all(const char *prefix, bool chats)
{
    struct fixtures all = fixtures_load(prefix);

    for (size_t i = 0; i < all.count; i++) {
        struct bench b;
        size_t count = 0;
        const struct question *q = question_of(prefix);
        int result;
        bench_init(&b, q, i % 2 == 0 ? BY_CHUNKS : BY_LENGTH, &all.items[i]);
        b.arena = avito_arena_of(room, sizeof room);
        b.script.recv_piece = i % 3;
        b.script.again = i % 3 != 0;
        text_clear(&b.out);
        result = chats ? avito_list_chats(&b.client, 1, NULL, &b.arena)
                       : avito_list_messages(&b.client, 1, "u2i-a", NULL, &b.arena);
        assert_int_equal(script_drive(&b.script, &b.client, result), AVITO_OK);
        next_elements(&b, chats, &count);
        assert_false(avito_list_open(&b.client));
        expect_elements(&all.items[i], b.out.data, count);
        avito_client_close(&b.client);
        assert_null(script_problem(&b.script));
        bench_free(&b);
    }
    fixtures_free(&all);
}

static void test_elements_of_lists(void **state)
{
    (void)state;
    list_all("chats_", true);
    list_all("messages_", false);
}

/* Reads the list in an arena of `size` bytes; returns what was in use at most, and how many elements
 * did not fit. */
static size_t list_in(const struct fixture *f, size_t size, size_t *too_large)
{
    struct bench b;
    size_t peak;
    int result;

    bench_init(&b, question_of(f->name), BY_LENGTH, f);
    b.arena = avito_arena_of(room, size);
    *too_large = 0;
    result = avito_list_messages(&b.client, 1, "u2i-a", NULL, &b.arena);
    assert_int_equal(script_drive(&b.script, &b.client, result), AVITO_OK);
    do {
        result = avito_next_message(&b.client, &got.message);
        result = script_drive(&b.script, &b.client, result);
        *too_large += result == AVITO_ERR_ARENA;
    } while (result == AVITO_OK || result == AVITO_ERR_ARENA);
    assert_int_equal(result, AVITO_END);
    peak = b.arena.peak;
    avito_client_close(&b.client);
    bench_free(&b);
    return peak;
}

/* arena.peak of a list is what its largest element took, wherever it is: that much is enough,
 * and less is not. */
static void test_peak_of_a_list(void **state)
{
    struct fixtures one = fixture_load("messages_every_type.json");
    size_t too_large, peak;

    (void)state;
    peak = list_in(&one.items[0], sizeof room, &too_large);
    assert_int_equal(too_large, 0);
    assert_int_equal(list_in(&one.items[0], (peak + 7u) & ~(size_t)7, &too_large), peak);
    assert_int_equal(too_large, 0);
    assert_true(list_in(&one.items[0], ((peak + 7u) & ~(size_t)7) - 8u, &too_large) < peak);
    assert_int_equal(too_large, 1);
    fixtures_free(&one);
}

/* Memory of every size: an error that names the arena, or the right result; never anything else.
 * error.needed, where it is told, is enough and is not too much by more than alignment. */
static void every_size(const char *name)
{
    struct fixtures one = fixture_load(name);
    const struct question *q = question_of(name);
    struct bench b;
    size_t enough, needed = 0;

    bench_init(&b, q, BY_LENGTH, &one.items[0]);
    assert_int_equal(ask(&b, q, room, sizeof room), AVITO_OK);
    enough = b.arena.peak;
    assert_true(enough >= b.arena.used && enough < sizeof room);
    for (size_t size = 0; size <= enough + 16; size++) {
        struct guard memory = size % 2 == 0 ? guard_end(size) : guard_begin(size);
        int result = ask(&b, q, memory.data, size);
        if (result == AVITO_OK) {
            tell(&b, q, result);
            compare(&b, &one.items[0], "memory of", size);
        } else {
            assert_int_equal(result, AVITO_ERR_ARENA);
            assert_int_equal(b.arena.used, 0);
            assert_true(size < enough + 16);
            needed = avito_last_error(&b.client)->needed;
            assert_true(needed == 0 || needed > size);
        }
        guard_free(&memory);
    }
    if (needed != 0) {
        struct guard memory = guard_end(needed);
        assert_int_equal(ask(&b, q, memory.data, needed), AVITO_OK);
        guard_free(&memory);
    }
    avito_client_close(&b.client);
    bench_free(&b);
    fixtures_free(&one);
}

static void test_every_size_of_memory(void **state)
{
    (void)state;
    every_size("chat_item_in.json");
    every_size("chats_two.json");
    every_size("messages_every_type.json");
    every_size("self_full.json");
    every_size("upload_one.json");
    every_size("voices_two.json");
    every_size("subscriptions_two_wire.json");
}

/* A byte order mark before the JSON is no part of it, and alone it is as little as nothing. */
static void test_byte_order_mark(void **state)
{
    static const struct {
        const char *body;
        int result;
    } cases[] = {{"\xef\xbb\xbf{}", AVITO_END},
                 {"\xef\xbb\xbf{\"id\":\"e\"}", AVITO_OK},
                 {"\xef\xbb\xbf\xef\xbb\xbf{}", AVITO_ERR_JSON},
                 {"\xef\xbb{}", AVITO_ERR_JSON},
                 {"\xef\xbb\xbf", AVITO_ERR_EMPTY}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        avito_arena arena = avito_arena_of(room, sizeof room);
        avito_event event;
        assert_int_equal(
            avito_parse_webhook(cases[i].body, strlen(cases[i].body), &arena, &event, NULL),
            cases[i].result);
    }
}

static void test_every_size_of_memory_for_an_event(void **state)
{
    struct fixtures one = fixture_load("event_link.json");
    avito_event event;
    size_t needed = 0;

    (void)state;
    for (size_t size = 0; size < 4096; size++) {
        struct guard memory = guard_end(size);
        avito_arena arena = avito_arena_of(memory.data, size);
        int result =
            avito_parse_webhook(one.items[0].body, one.items[0].body_len, &arena, &event, &needed);
        if (result == AVITO_OK) {
            struct text out = {0};
            text_add(&out, "result = OK\n");
            dump_event(&out, "event", &event);
            assert_string_equal(out.data, one.items[0].expect);
            text_free(&out);
        } else {
            assert_int_equal(result, AVITO_ERR_ARENA);
            assert_true(needed == 0 || needed > size);
        }
        guard_free(&memory);
        if (result == AVITO_OK) {
            fixtures_free(&one);
            return;
        }
    }
    fail_msg("4 KB do not hold one notification");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chats_one_by_one),
        cmocka_unit_test(test_lists_of_chats),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_sent_messages),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_self),
        cmocka_unit_test(test_subscriptions),
        cmocka_unit_test(test_voices),
        cmocka_unit_test(test_uploads),
        cmocka_unit_test(test_plain_success),
        cmocka_unit_test(test_error_bodies),
        cmocka_unit_test(test_hostile_answers),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_hostile_events),
        cmocka_unit_test(test_elements_of_lists),
        cmocka_unit_test(test_peak_of_a_list),
        cmocka_unit_test(test_every_size_of_memory),
        cmocka_unit_test(test_byte_order_mark),
        cmocka_unit_test(test_every_size_of_memory_for_an_event),
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
