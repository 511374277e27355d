/*
 * A chat as JSON: every chat of tests/data comes back from its JSON as it was. It fits in the
 * memory that was asked for, and in no less. The words of enums.
 * Rooms: SHOW, SHOW: JSON.
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
#include "support/lane.h"

static char tokens[1 << 20];

/* ---- chats ---- */

static int get_chat(struct lane *l, const char *json, size_t len, avito_chat *chat)
{
    lane_exchange(l, 200, json, len);
    return lane_run(l, avito_get_chat(&l->client, 5, "u2i-1", &l->arena, chat));
}

/* Into memory of some sizes that are too small, and of the one that is enough. */
static void assert_chat_sizes(const avito_chat *chat, const char *expected, size_t size)
{
    const size_t sizes[] = {0, 1, size / 2, size - 1, size};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct guard memory = guard_end(sizes[i]);
        char *out = (char *)memory.data;
        size_t needed = 0;
        const int rc = avito_chat_json(chat, 5, sizes[i] == 0 ? NULL : out, sizes[i], &needed);

        assert_int_equal(rc, sizes[i] == size ? AVITO_OK : AVITO_ERR_ROOM);
        assert_int_equal(needed, size);
        if (sizes[i] > 0) {
            assert_string_equal(out, sizes[i] == size ? expected : "");
        }
        guard_free(&memory);
    }
}

static bool check_chat(avito_str raw)
{
    static char out[1 << 17];
    static struct lane l;
    struct text once = {NULL, 0, 0}, twice = {NULL, 0, 0};
    avito_chat chat;
    avito_json json;
    size_t needed = 0;
    bool good;

    lane_init(&l, 512);
    good = get_chat(&l, raw.ptr, raw.len, &chat) == AVITO_OK;
    if (good) {
        assert_int_equal(avito_chat_json(&chat, 5, out, sizeof out, &needed), AVITO_OK);
        assert_int_equal(needed, strlen(out) + 1);
        assert_int_equal(strcspn(out, "\n\r"), strlen(out));
        assert_int_equal(avito_json_parse(&json, out, strlen(out), tokens, sizeof tokens),
                         AVITO_OK);
        assert_chat_sizes(&chat, out, needed);
        dump_chat(&once, "chat", &chat);
        lane_free(&l);
        lane_init(&l, 512);
        assert_int_equal(get_chat(&l, out, strlen(out), &chat), AVITO_OK);
        dump_chat(&twice, "chat", &chat);
        assert_string_equal(twice.data, once.data);
    }
    text_free(&once);
    text_free(&twice);
    lane_free(&l);
    return good;
}

static void test_chats(void **state)
{
    static char own_tokens[1 << 20];
    struct fixtures all = fixtures_load("chat");
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < all.count; i++) {
        const struct fixture *f = &all.items[i];
        const avito_str body = {(const char *)f->body, f->body_len};
        avito_json_value at;
        avito_json json;

        if (avito_json_parse(&json, f->body, f->body_len, own_tokens, sizeof own_tokens) !=
            AVITO_OK) {
            continue;
        }
        at = avito_json_first(avito_json_get(avito_json_root(&json), "chats"));
        if (at.json == NULL) {
            count += check_chat(body) ? 1 : 0;
        }
        for (; at.json != NULL; at = avito_json_next(at)) {
            count += check_chat(avito_json_raw(at)) ? 1 : 0;
        }
    }
    print_message("%zu chats\n", count);
    assert_true(count > 20);
    fixtures_free(&all);
}

/* What was kept of a context that no model knows comes out again, on one line. */
static void test_context_of_another_type(void **state)
{
    static const char body[] = "{\"chats\":[{\"id\":\"u2i-1\",\"context\":{\"type\":\"user\","
                               "\"value\":{\"id\":\"abc\",\n\"n\":[1]}},\"users\":[]}]}";
    avito_chats_query query = {.want = AVITO_CHAT_ALL | AVITO_RAW};
    struct lane l;
    avito_chats chats;
    char out[256];

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, SCRIPT_TEXT(body));
    assert_int_equal(lane_run(&l, avito_get_chats(&l.client, 5, &query, &l.arena, &chats)),
                     AVITO_OK);
    assert_int_equal(avito_chat_json(&chats.items[0], 5, out, sizeof out, NULL), AVITO_OK);
    assert_string_equal(out, "{\"id\":\"u2i-1\",\"context\":{\"type\":\"user\",\"value\":{\"id\":"
                             "\"abc\",\"n\":[1]}},\"users\":[],\"avito\":{\"user_id\":5}}");
    lane_end(&l);
}

static void test_chat_members(void **state)
{
    avito_user users[] = {
        {.id = 7, .name = {"Анна", 8}, .parsing_allowed = true, .has_parsing_allowed = true},
        {.id = 5}};
    avito_message last = {0};
    avito_chat chat = {
        .id = {"u2i-1", 5}, .created = 3, .users = {users, 2}, .last_message = &last};
    char out[1024];
    size_t needed = 9;

    (void)state;
    last.id.ptr = "m";
    last.id.len = 1;
    last.author_id = 7;
    last.type = AVITO_MESSAGE_TEXT;
    last.content.kind = AVITO_MESSAGE_TEXT;
    last.content.as.text = last.id;
    assert_int_equal(avito_chat_json(&chat, 5, out, sizeof out, NULL), AVITO_OK);
    assert_string_equal(out,
                        "{\"id\":\"u2i-1\",\"created\":3,\"users\":[{\"id\":7,\"name\":\"Анна\","
                        "\"parsing_allowed\":true},{\"id\":5}],\"last_message\":{\"id\":\"m\","
                        "\"author_id\":7,\"content\":{\"text\":\"m\"},\"avito\":{"
                        "\"class\":\"buyer\",\"is_own\":false,\"is_system\":false,"
                        "\"is_placeholder\":false,\"is_cut\":false,\"author_name\":\"Анна\"}},"
                        "\"avito\":{\"user_id\":5}}");
    last.content.kind = AVITO_MESSAGE_NONE; /* as it came, without what is between its values */
    last.content.as.raw.ptr = "\n{\"a\":\t1,\r\n\"b\": [2]\n}";
    last.content.as.raw.len = strlen(last.content.as.raw.ptr);
    assert_int_equal(avito_chat_json(&chat, 5, out, sizeof out, NULL), AVITO_OK);
    assert_non_null(strstr(out, "\"content\":{\"a\":1,\"b\": [2]},"));
    memset(&chat, 0, sizeof chat);
    assert_int_equal(avito_chat_json(&chat, 0, out, sizeof out, NULL), AVITO_OK);
    assert_string_equal(out, "{\"users\":[],\"avito\":{}}");
    assert_int_equal(avito_chat_json(NULL, 0, out, sizeof out, &needed), AVITO_ERR_ARGUMENT);
    assert_int_equal(needed, 0);
    assert_int_equal(avito_chat_json(&chat, 0, NULL, 5, NULL), AVITO_ERR_ARGUMENT);
}

/* ---- words ---- */

/* Of a message that is the value of a notification. */
static avito_message_type type_of(const char *message)
{
    static char room[8192];
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_event event;
    char body[400];
    const int n = snprintf(body, sizeof body,
                           "{\"id\":\"e\",\"payload\":{\"type\":\"message\","
                           "\"value\":%s}}",
                           message);

    assert_int_equal(avito_parse_webhook(body, (size_t)n, &arena, &event, NULL), AVITO_OK);
    return event.message->type;
}

/* Each constant of the service gives the word that it is decoded from; any other number gives
 * none. */
static void test_words(void **state)
{
#define WORD(name, word) #word,
    static const char *const types[] = {"", AVITO_MESSAGE_TYPES(WORD) ""};
    static const char *const json_types[] = {"none",   "null",  "bool",  "number",
                                             "string", "array", "object"};
    char json[200];

    (void)state;
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        assert_string_equal(avito_message_type_word((avito_message_type)i), types[i]);
        (void)snprintf(json, sizeof json, "{\"id\":\"m\",\"type\":\"%s\",\"content\":{}}",
                       types[i]);
        assert_true(types[i][0] == '\0' || type_of(json) == (avito_message_type)i);
    }
    for (unsigned i = 0; i < sizeof json_types / sizeof json_types[0]; i++) {
        assert_string_equal(avito_json_type_word((avito_json_type)i), json_types[i]);
    }
    assert_string_equal(avito_message_type_word((avito_message_type)99), "");
    assert_string_equal(avito_json_type_word((avito_json_type)7), "");
    assert_string_equal(avito_direction_word(AVITO_DIRECTION_NONE), "");
    assert_string_equal(avito_direction_word(AVITO_DIRECTION_IN), "in");
    assert_string_equal(avito_direction_word(AVITO_DIRECTION_OUT), "out");
    assert_string_equal(avito_direction_word(AVITO_DIRECTION_UNKNOWN), "");
    assert_string_equal(avito_chat_type_word(AVITO_CHAT_TYPE_NONE), "");
    assert_string_equal(avito_chat_type_word(AVITO_CHAT_TYPE_U2I), "u2i");
    assert_string_equal(avito_chat_type_word(AVITO_CHAT_TYPE_U2U), "u2u");
    assert_string_equal(avito_chat_type_word(AVITO_CHAT_TYPE_A2U), "a2u");
    assert_string_equal(avito_chat_type_word(AVITO_CHAT_TYPE_UNKNOWN), "");
    assert_string_equal(avito_call_status_word(AVITO_CALL_NONE), "");
    assert_string_equal(avito_call_status_word(AVITO_CALL_MISSED), "missed");
    assert_string_equal(avito_call_status_word(AVITO_CALL_UNKNOWN), "");
    assert_string_equal(avito_location_kind_word(AVITO_LOCATION_NONE), "");
    assert_string_equal(avito_location_kind_word(AVITO_LOCATION_HOUSE), "house");
    assert_string_equal(avito_location_kind_word(AVITO_LOCATION_STREET), "street");
    assert_string_equal(avito_location_kind_word(AVITO_LOCATION_AREA), "area");
    assert_string_equal(avito_location_kind_word(AVITO_LOCATION_UNKNOWN), "");
    assert_string_equal(avito_blacklist_reason_word((avito_blacklist_reason)0), "");
    assert_string_equal(avito_blacklist_reason_word(AVITO_REASON_SPAM), "spam");
    assert_string_equal(avito_blacklist_reason_word(AVITO_REASON_FRAUD), "fraud");
    assert_string_equal(avito_blacklist_reason_word(AVITO_REASON_INSULT), "insult");
    assert_string_equal(avito_blacklist_reason_word(AVITO_REASON_OTHER), "other");
    assert_string_equal(avito_blacklist_reason_word((avito_blacklist_reason)5), "");
    assert_string_equal(avito_outcome_word(AVITO_NOT_SENT), "not_sent");
    assert_string_equal(avito_outcome_word(AVITO_SENT), "sent");
    assert_string_equal(avito_outcome_word(AVITO_CANNOT_TELL), "cannot_tell");
    assert_string_equal(avito_outcome_word((avito_outcome)3), "");
    assert_string_equal(avito_inbox_start_word(AVITO_START_NOW), "now");
    assert_string_equal(avito_inbox_start_word(AVITO_START_UNREAD), "unread");
    assert_string_equal(avito_inbox_start_word(AVITO_START_SINCE), "since");
    assert_string_equal(avito_inbox_start_word((avito_inbox_start)3), "");
    assert_string_equal(avito_language_word(AVITO_RUSSIAN), "ru");
    assert_string_equal(avito_language_word(AVITO_ENGLISH), "en");
    assert_string_equal(avito_language_word((avito_language)2), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chats),
        cmocka_unit_test(test_context_of_another_type),
        cmocka_unit_test(test_chat_members),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests_name("chat_json", tests, NULL, NULL);
}
