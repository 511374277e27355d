/*
 * What is too small says how much is enough: memory of exactly that size serves at the next
 * attempt, wherever it begins.
 * Rooms: ARENA.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/guard.h"
#include "support/lane.h"

#define CHAT                                                                                       \
    "{\"id\":\"u2i-1\",\"users\":[{\"id\":7,\"name\":\"A\"},{\"id\":8,\"name\":\"Bo\"}],"          \
    "\"last_message\":{\"id\":\"m\",\"type\":\"text\",\"content\":{\"text\":\"Hello\"}}}"

/* One attempt in an arena: its result, and the size that it asks for. */
typedef int attempt(avito_arena *arena, size_t *needed);

static int on_lane(const char *body, avito_arena *arena, size_t *needed,
                   int (*call)(struct lane *l, avito_arena *arena))
{
    static struct lane l;
    int rc;

    lane_init(&l, 512);
    lane_exchange(&l, 200, body, strlen(body));
    rc = call(&l, arena);
    *needed = avito_last_error(&l.client)->needed;
    if (avito_list_open(&l.client)) {
        (void)avito_list_end(&l.client, 0);
    }
    lane_free(&l);
    return rc;
}

static int call_chat(struct lane *l, avito_arena *arena)
{
    avito_chat chat;

    return lane_run(l, avito_get_chat(&l->client, 5, "u2i-1", arena, &chat));
}

static int call_chats(struct lane *l, avito_arena *arena)
{
    avito_chats chats;

    return lane_run(l, avito_get_chats(&l->client, 5, NULL, arena, &chats));
}

static int call_next(struct lane *l, avito_arena *arena)
{
    avito_chat chat;
    const int rc = lane_run(l, avito_list_chats(&l->client, 5, NULL, arena));

    return rc == AVITO_OK ? lane_run(l, avito_next_chat(&l->client, &chat)) : rc;
}

static int get_chat(avito_arena *arena, size_t *needed)
{
    return on_lane(CHAT, arena, needed, call_chat);
}

static int get_chats(avito_arena *arena, size_t *needed)
{
    return on_lane("{\"chats\":[" CHAT "," CHAT "]}", arena, needed, call_chats);
}

static int next_chat(avito_arena *arena, size_t *needed)
{
    return on_lane("{\"chats\":[" CHAT "]}", arena, needed, call_next);
}

static int parse_webhook(avito_arena *arena, size_t *needed)
{
    static const char body[] =
        "{\"id\":\"e\",\"payload\":{\"type\":\"message\",\"value\":{\"id\":\"m\","
        "\"chat_id\":\"c\",\"content\":{\"text\":\"Hello\"}}}}";
    avito_event event;

    return avito_parse_webhook(body, sizeof body - 1, arena, &event, needed);
}

static int json_string(avito_arena *arena, size_t *needed)
{
    static char tokens[AVITO_JSON_TOKENS_SIZE(4)];
    avito_json json;
    avito_str s;

    assert_int_equal(avito_json_parse(&json, "\"twelve bytes\"", 14, tokens, sizeof tokens),
                     AVITO_OK);
    return avito_json_string(avito_json_root(&json), arena, &s, needed);
}

/* Grows as the error says, in memory that begins at `skew`, until the result fits. The arena is
 * empty before, or holds some bytes of another call. */
static void grow(attempt *try, size_t skew, size_t used)
{
    size_t size = used, needed = 0;
    unsigned turns;
    int rc = AVITO_ERR_ARENA;

    for (turns = 0; turns < 8 && rc == AVITO_ERR_ARENA; turns++) {
        struct guard memory = guard_begin(skew + size);
        avito_arena arena = avito_arena_of(memory.data + skew, size);

        arena.used = used < arena.cap ? used : arena.cap;
        needed = 0;
        rc = try(&arena, &needed);
        guard_free(&memory);
        if (rc == AVITO_ERR_ARENA && needed != 0) {
            assert_true(needed > size);
            size = needed;
        } else if (rc == AVITO_ERR_ARENA) {
            size += 64; /* it could not tell */
        }
    }
    assert_int_equal(rc, AVITO_OK);
}

/* Where more memory is not what is missing, no size is said. */
static void test_nothing_is_needed(void **state)
{
    char room[64];
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_event event;
    size_t needed = 77;

    (void)state;
    assert_int_equal(avito_parse_webhook(NULL, 0, &arena, &event, &needed), AVITO_ERR_ARGUMENT);
    assert_int_equal(needed, 0);
    arena.busy = true;
    needed = 77;
    assert_int_equal(avito_parse_webhook("{}", 2, &arena, &event, &needed), AVITO_ERR_BUSY);
    assert_int_equal(needed, 0);
}

static void test_needed_is_enough_at_any_address(void **state)
{
    static attempt *const attempts[] = {get_chat, get_chats, next_chat, parse_webhook, json_string};

    (void)state;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        for (size_t skew = 0; skew < 8; skew++) {
            grow(attempts[i], skew, 0);
            grow(attempts[i], skew, 24);
        }
    }
}

/* The whole sum is named at once: the first answer is the last. */
static void test_needed_is_told_once(void **state)
{
    (void)state;
    for (size_t skew = 0; skew < 8; skew++) {
        char memory[64 + 8];
        avito_arena arena = avito_arena_of(memory + skew, 64);
        struct guard enough;
        size_t needed = 0, again = 0;

        assert_int_equal(get_chat(&arena, &needed), AVITO_ERR_ARENA);
        enough = guard_begin(skew + needed);
        arena = avito_arena_of(enough.data + skew, needed);
        assert_int_equal(get_chat(&arena, &again), AVITO_OK);
        guard_free(&enough);
        enough = guard_begin(skew + needed);
        arena = avito_arena_of(enough.data + skew,
                               needed - 15); /* less, by more than the address takes */
        assert_int_equal(get_chat(&arena, &again), AVITO_ERR_ARENA);
        guard_free(&enough);
    }
}

/* The same for the tokens of raw JSON. */
static void test_json_tokens(void **state)
{
    static const char text[] = "{\"a\":[1,2,3,4,5,6,7,8,9,10],\"b\":{\"c\":{\"d\":[true,null]}}}";

    (void)state;
    for (size_t skew = 0; skew < 8; skew++) {
        avito_json json;
        size_t size = 0;
        int rc;

        do {
            struct guard memory = guard_begin(skew + size);

            rc = avito_json_parse(&json, text, sizeof text - 1, memory.data + skew, size);
            assert_true(rc == AVITO_OK || json.needed > size);
            size = json.needed;
            guard_free(&memory);
        } while (rc == AVITO_ERR_ROOM);
        assert_int_equal(rc, AVITO_OK);
    }
}

/* An arena begins and ends at a multiple of 8, within the memory that it was given, and gives up no more than
 * that takes. */
static void test_arena_of_any_memory(void **state)
{
    static union {
        int64_t align;
        char bytes[64];
    } memory;

    (void)state;
    for (size_t skew = 0; skew < 16; skew++) {
        for (size_t size = 0; size < 40; size++) {
            const avito_arena arena = avito_arena_of(memory.bytes + skew, size);
            const size_t lost = (8 - skew % 8) % 8;

            assert_int_equal(arena.cap, size > lost ? (size - lost) / 8 * 8 : 0);
            assert_int_equal(arena.used, 0);
            if (arena.cap > 0) {
                assert_ptr_equal(arena.base, memory.bytes + skew + lost);
            }
        }
    }
    assert_null(avito_arena_of(NULL, 100).base);
    assert_int_equal(avito_arena_of(NULL, 100).cap, 0);
}

static bool is_aligned(const void *p)
{
    return (uintptr_t)p % 8 == 0;
}

/* Models lie at multiples of 8, whatever another user of the arena took before, and the rest is aligned
 * again. */
static void test_models_are_aligned(void **state)
{
    static union {
        int64_t align;
        char bytes[4096];
    } memory;

    (void)state;
    for (size_t used = 0; used < 17; used++) {
        avito_arena arena = avito_arena_of(memory.bytes, sizeof memory.bytes);
        static const char list[] = "{\"chats\":[" CHAT "," CHAT "]}";
        avito_chats chats;
        avito_chat chat;
        struct lane l;

        lane_init(&l, 512);
        arena.used = used;
        lane_exchange(&l, 200, list, sizeof list - 1);
        script_request(&l.script);
        script_answer_json(&l.script, 200, SCRIPT_TEXT(CHAT));
        assert_int_equal(lane_run(&l, avito_get_chats(&l.client, 5, NULL, &arena, &chats)),
                         AVITO_OK);
        assert_true(is_aligned(chats.items) && (const char *)chats.items >= memory.bytes + used);
        assert_int_equal(arena.used % 8, 0);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(chats.items[i].users.count, 2);
            assert_true(is_aligned(chats.items[i].users.items) &&
                        is_aligned(chats.items[i].last_message));
        }
        arena.used -= used % 8; /* as a program does that puts bytes of its own there */
        assert_int_equal(lane_run(&l, avito_get_chat(&l.client, 5, "u2i-1", &arena, &chat)),
                         AVITO_OK);
        assert_true(is_aligned(chat.users.items) && is_aligned(chat.last_message));
        assert_int_equal(arena.used % 8, 0);
        lane_free(&l);
    }
}

/* The same for a notification. */
static void test_events_are_aligned(void **state)
{
    static union {
        int64_t align;
        char bytes[4096];
    } memory;
    static const char body[] =
        "{\"id\":\"event\",\"payload\":{\"type\":\"message\",\"value\":{\"id\":\"m\","
        "\"chat_id\":\"c\",\"author_id\":7,\"content\":{\"text\":\"Hello\"}}}}";

    (void)state;
    for (size_t used = 0; used < 17; used++) {
        avito_arena arena = avito_arena_of(memory.bytes, sizeof memory.bytes);
        avito_event event;

        arena.used = used;
        assert_int_equal(avito_parse_webhook(body, sizeof body - 1, &arena, &event, NULL),
                         AVITO_OK);
        assert_true(is_aligned(event.message) &&
                    (const char *)event.message >= memory.bytes + used);
        assert_string_equal(event.message->content.as.text.ptr, "Hello");
        assert_int_equal(arena.used % 8, 0);
        assert_int_equal(arena.peak % 8, 0);
        assert_true(arena.peak >= arena.used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_needed),
        cmocka_unit_test(test_needed_is_enough_at_any_address),
        cmocka_unit_test(test_needed_is_told_once),
        cmocka_unit_test(test_arena_of_any_memory),
        cmocka_unit_test(test_models_are_aligned),
        cmocka_unit_test(test_events_are_aligned),
        cmocka_unit_test(test_json_tokens),
    };
    return cmocka_run_group_tests_name("needed", tests, NULL, NULL);
}
