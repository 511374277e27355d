/*
 * Any bytes as the body of a notification, into memory of any size.
 *
 *     input: size of the memory (2 bytes), where it begins and what is in use of it, body
 *
 * What must hold: nothing outside the memory is touched. The result depends on the body alone,
 * except that memory that is too small is AVITO_ERR_ARENA, and the size that this error names is
 * the least that is enough. After any error the arena is as it was. The event is the same wherever
 * it lies. Its message as JSON decodes to the same message; as a line of any length it is UTF-8
 * without control characters. Values that no model knows are kept as JSON, and change nothing else,
 * except the memory that they take.
 * Rooms: WEBHOOK RECEIVER, WHAT NO MODEL KNOWS.
 */
#include "avito_messenger.h"
#include "fuzz.h"
#include "support/dump.h"

#define AMPLE 65536u /* for 4 KB of anything */

struct outcome {
    struct text text; /* of the event */
    size_t used;      /* of the arena, before */
    size_t needed;
    int result;
};

/* `skew`: offset of the memory. `used`: bytes of the arena that somebody else has taken. */
static struct outcome parse(const void *body, size_t len, size_t room, size_t skew, size_t used)
{
    struct outcome out = {{NULL, 0, 0}, 0, 1, 0};
    char *memory = fuzz_memory(room + skew);
    avito_arena arena = avito_arena_of(memory + skew, room);
    avito_event event;

    memset(&event, 0x5a, sizeof event);
    arena.used = used < arena.cap ? used : arena.cap;
    used = out.used = arena.used;
    out.result = avito_parse_webhook(body, len, &arena, &event, &out.needed);
    MUST(!arena.busy && arena.used <= arena.cap && arena.used >= used);
    MUST((out.result == AVITO_ERR_ARENA) == (out.needed != 0));
    text_clear(&out.text);
    if (out.result == AVITO_OK) {
        dump_event(&out.text, "event", &event);
    } else {
        MUST(arena.used == used);
    }
    free(memory);
    return out;
}

/* In memory of this size, the same. */
static void compare(const struct outcome *expected, const void *body, size_t len, size_t room)
{
    struct outcome out = parse(body, len, room, 0, 0);

    MUST(out.result == expected->result);
    MUST(strcmp(out.text.data, expected->text.data) == 0);
    text_free(&out.text);
}

/* The size that the call asks for when it has `room`: first perhaps that of the reader, then that
 * of id and type, and then the whole. */
static size_t room_needed(const void *body, size_t len, size_t room, size_t used)
{
    for (int asked = 0; asked < 4; asked++) {
        struct outcome out = parse(body, len, room, 0, used);
        text_free(&out.text);
        if (out.result != AVITO_ERR_ARENA) {
            return room;
        }
        MUST(out.needed > room);
        room = out.needed;
    }
    MUST(!"never content");
    return 0;
}

static void compare_needed(const struct outcome *expected, const void *body, size_t len)
{
    const size_t needed = room_needed(body, len, 8, 0);
    struct outcome less = parse(body, len, needed - 8, 0, 0);

    MUST(expected->result != AVITO_ERR_ARENA);
    compare(expected, body, len, needed);
    MUST(less.result == AVITO_ERR_ARENA);
    text_free(&less.text);
}

/* The message as JSON, in exactly the size that it asked for, and decoded again. */
static void check_json(const avito_message *message)
{
    static const char head[] = "{\"id\":\"e\",\"payload\":{\"type\":\"message\",\"value\":",
                      tail[] = "}}";
    struct text before = {NULL, 0, 0}, after = {NULL, 0, 0}, body = {NULL, 0, 0};
    char *memory = fuzz_memory(AMPLE), *out;
    avito_arena arena = avito_arena_of(memory, AMPLE);
    avito_event event;
    size_t needed;

    MUST(avito_message_json(message, NULL, NULL, 0, &needed) == AVITO_ERR_ROOM);
    out = fuzz_memory(needed);
    MUST(avito_message_json(message, NULL, out, needed - 1, NULL) == AVITO_ERR_ROOM &&
         *out == '\0');
    MUST(avito_message_json(message, NULL, out, needed, NULL) == AVITO_OK &&
         strlen(out) == needed - 1);
    text_add_bytes(&body, head, sizeof head - 1);
    text_add_bytes(&body, out, needed - 1);
    text_add_bytes(&body, tail, sizeof tail - 1);
    MUST(avito_parse_webhook_raw(body.data, body.len, &arena, &event, NULL) == AVITO_OK);
    dump_message(&before, "message", message);
    dump_message(&after, "message", event.message);
    MUST(strcmp(before.data, after.data) == 0);
    text_free(&before);
    text_free(&after);
    text_free(&body);
    free(memory);
    free(out);
}

static void check_line(const avito_message *message, size_t cap)
{
    char *out = fuzz_memory(cap);
    const size_t len =
        avito_message_preview(message, cap & 1 ? AVITO_ENGLISH : AVITO_RUSSIAN, out, cap);

    MUST(cap == 0 ? len == 0 : len == strlen(out) && len < cap);
    MUST(text_is_utf8(out, len));
    for (size_t i = 0; i < len; i++) {
        MUST((uint8_t)out[i] >= ' ' && out[i] != 0x7f);
    }
    free(out);
}

static void check_raw(avito_str raw)
{
    static char tokens[AVITO_JSON_TOKENS_SIZE(8192)];
    avito_json json;

    if (raw.ptr != NULL) {
        MUST(raw.ptr[raw.len] == '\0');
        MUST(avito_json_parse(&json, raw.ptr, raw.len, tokens, sizeof tokens) == AVITO_OK);
    }
}

/* With unknown values kept: the least memory that is enough, and the same event. */
static void check_kept(const void *body, size_t len, int result)
{
    size_t room = 8, needed = 8;
    avito_event event;
    int rc = AVITO_ERR_ARENA;

    for (int asked = 0; asked < 4 && rc == AVITO_ERR_ARENA; asked++) {
        char *memory = fuzz_memory(needed);
        avito_arena arena = avito_arena_of(memory, needed);
        room = needed;
        rc = avito_parse_webhook_raw(body, len, &arena, &event, &needed);
        MUST(rc != AVITO_ERR_ARENA || needed > room);
        if (rc == AVITO_OK) {
            check_raw(event.raw);
        }
        free(memory);
    }
    MUST(rc == result);
}

static void check_shown(const void *body, size_t len, size_t cap)
{
    char *memory = fuzz_memory(AMPLE);
    avito_arena arena = avito_arena_of(memory, AMPLE);
    avito_event event;
    const int result = avito_parse_webhook_raw(body, len, &arena, &event, NULL);

    check_kept(body, len, result);
    if (result == AVITO_OK && event.message != NULL) {
        if (event.message->content.kind == AVITO_MESSAGE_NONE) {
            check_raw(event.message->content.as.raw);
        }
        check_json(event.message);
        check_line(event.message, cap);
        check_line(event.message, AMPLE);
    }
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    const size_t room = data[0] + 256u * (data[1] & 15u);
    const size_t skew = data[2] & 7u, used = data[2] >> 3;
    const size_t len = size - 3;
    char *body = fuzz_copy(data + 3, len);
    struct outcome whole = parse(body, len, AMPLE, 0, 0);
    struct outcome some = parse(body, len, room, skew, used);

    MUST(whole.result != AVITO_ERR_ARENA && whole.result != AVITO_AGAIN);
    MUST(some.result == whole.result || some.result == AVITO_ERR_ARENA);
    if (some.result == AVITO_ERR_ARENA) {
        const size_t needed = room_needed(body, len, some.needed, some.used);
        struct outcome enough = parse(body, len, needed, 0, some.used);
        MUST(enough.result == whole.result);
        text_free(&enough.text);
    } else {
        MUST(strcmp(some.text.data, whole.text.data) == 0);
    }
    compare_needed(&whole, body, len);
    check_shown(body, len, data[0]);
    text_free(&whole.text);
    text_free(&some.text);
    free(body);
    return 0;
}
