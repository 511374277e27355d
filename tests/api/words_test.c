/*
 * Each word of the service and the constant it becomes; what class a message has; long texts in parts;
 * calls on a lane that only says what it would send.
 * Rooms: SCHEMAS, SENDING AND OTHER CHANGES.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/lane.h"

#define USER 350000001
#define CHAT "u2i-aBcDeFgHiJkLmNoPqRsTuA"

/* ---- words ---- */

static union {
    int64_t align;
    char bytes[32768];
} memory;

/* A message of a notification, whose members after the first are `members`. It lives in `memory`. */
static const avito_message *message(const char *members)
{
    avito_arena arena = avito_arena_of(memory.bytes, sizeof memory.bytes);
    avito_event event;
    char body[2048];
    int len = snprintf(body, sizeof body,
                       "{\"id\":\"e\",\"version\":\"v3.0.0\",\"timestamp\":1,\"payload\":{\"type\":"
                       "\"message\",\"value\":{\"id\":\"m\",\"user_id\":7,\"author_id\":8%s}}}",
                       members);

    assert_int_equal(avito_parse_webhook(body, (size_t)len, &arena, &event, NULL), AVITO_OK);
    assert_non_null(event.message);
    return event.message;
}

/* The same with one word in a pattern. */
static const avito_message *with(const char *pattern, const char *word)
{
    char members[1024];

    (void)snprintf(members, sizeof members, pattern, word);
    return message(members);
}

static void test_message_types(void **state)
{
    static const struct {
        const char *word;
        avito_message_type type;
    } rows[] = {{"text", AVITO_MESSAGE_TEXT},         {"image", AVITO_MESSAGE_IMAGE},
                {"link", AVITO_MESSAGE_LINK},         {"item", AVITO_MESSAGE_ITEM},
                {"location", AVITO_MESSAGE_LOCATION}, {"call", AVITO_MESSAGE_CALL},
                {"voice", AVITO_MESSAGE_VOICE},       {"system", AVITO_MESSAGE_SYSTEM},
                {"deleted", AVITO_MESSAGE_DELETED},   {"appCall", AVITO_MESSAGE_APP_CALL},
                {"file", AVITO_MESSAGE_FILE},         {"video", AVITO_MESSAGE_VIDEO},
                {"Text", AVITO_MESSAGE_UNKNOWN},      {"texts", AVITO_MESSAGE_UNKNOWN},
                {"tex", AVITO_MESSAGE_UNKNOWN},       {"", AVITO_MESSAGE_UNKNOWN}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const avito_message *m = with(",\"type\":\"%s\"", rows[i].word);
        assert_int_equal(m->type, rows[i].type);
        assert_string_equal(m->type_word.ptr, rows[i].word);
    }
    assert_int_equal(message("")->type, AVITO_MESSAGE_NONE);
}

static void test_directions_and_chat_types(void **state)
{
    (void)state;
    assert_int_equal(message("")->direction, AVITO_DIRECTION_NONE);
    assert_int_equal(with(",\"direction\":\"%s\"", "in")->direction, AVITO_DIRECTION_IN);
    assert_int_equal(with(",\"direction\":\"%s\"", "out")->direction, AVITO_DIRECTION_OUT);
    assert_int_equal(with(",\"direction\":\"%s\"", "up")->direction, AVITO_DIRECTION_UNKNOWN);
    assert_int_equal(message("")->chat_type, AVITO_CHAT_TYPE_NONE);
    assert_int_equal(with(",\"chat_type\":\"%s\"", "u2i")->chat_type, AVITO_CHAT_TYPE_U2I);
    assert_int_equal(with(",\"chat_type\":\"%s\"", "u2u")->chat_type, AVITO_CHAT_TYPE_U2U);
    assert_int_equal(with(",\"chat_type\":\"%s\"", "a2u")->chat_type, AVITO_CHAT_TYPE_A2U);
    assert_int_equal(with(",\"chat_type\":\"%s\"", "x2x")->chat_type, AVITO_CHAT_TYPE_UNKNOWN);
}

static void test_calls_and_locations(void **state)
{
    static const char call[] = ",\"type\":\"call\",\"content\":{\"call\":{\"status\":\"%s\"}}";
    static const char place[] =
        ",\"type\":\"location\",\"content\":{\"location\":{\"kind\":\"%s\"}}";

    (void)state;
    assert_int_equal(with(call, "missed")->content.as.call->status, AVITO_CALL_MISSED);
    assert_int_equal(with(call, "taken")->content.as.call->status, AVITO_CALL_UNKNOWN);
    assert_int_equal(message(",\"content\":{\"call\":{}}")->content.as.call->status,
                     AVITO_CALL_NONE);
    assert_int_equal(with(place, "house")->content.as.location->kind, AVITO_LOCATION_HOUSE);
    assert_int_equal(with(place, "street")->content.as.location->kind, AVITO_LOCATION_STREET);
    assert_int_equal(with(place, "area")->content.as.location->kind, AVITO_LOCATION_AREA);
    assert_int_equal(with(place, "sea")->content.as.location->kind, AVITO_LOCATION_UNKNOWN);
    assert_int_equal(message(",\"content\":{\"location\":{}}")->content.as.location->kind,
                     AVITO_LOCATION_NONE);
}

/* The first that fits of: placeholder, deleted, own, system, unsupported, buyer. */
static void test_classes(void **state)
{
    static const struct {
        const char *members;
        avito_message_class class_of_it;
    } rows[] = {
        {",\"type\":\"text\",\"content\":{\"text\":\"Ещё продаётся?\"}", AVITO_CLASS_BUYER},
        {",\"type\":\"text\",\"direction\":\"out\",\"content\":{\"text\":\"Да\"}", AVITO_CLASS_OWN},
        {",\"type\":\"system\",\"content\":{\"text\":\"Заказ оплачен\"}", AVITO_CLASS_SYSTEM},
        {",\"type\":\"text\",\"content\":{\"text\":\"[Системное сообщение] Заказ\"}",
         AVITO_CLASS_BUYER},
        {",\"type\":\"text\",\"direction\":\"out\",\"content\":{\"text\":\"Перейдите на подписку с "
         "API мессенджера\"}",
         AVITO_CLASS_PLACEHOLDER},
        {",\"type\":\"deleted\",\"direction\":\"out\"", AVITO_CLASS_DELETED},
        {",\"type\":\"video\",\"content\":{}", AVITO_CLASS_UNSUPPORTED},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(avito_classify(message(rows[i].members)), rows[i].class_of_it);
    }
}

static void test_masks_and_version(void **state)
{
    char version[32];

    (void)state;
    (void)snprintf(version, sizeof version, "%d.%d.%d", AVITO_VERSION_MAJOR, AVITO_VERSION_MINOR,
                   AVITO_VERSION_PATCH);
    assert_string_equal(AVITO_VERSION, version);
    assert_int_equal(strlen(AVITO_API_DESCRIPTION_DATE), strlen("2025-11"));
    assert_int_equal(AVITO_MESSAGE_ALL,
                     AVITO_MESSAGE_CONTENTS | AVITO_MESSAGE_QUOTES | AVITO_MESSAGE_IMAGES);
    assert_int_equal(AVITO_MESSAGE_ALL & (AVITO_CHAT_ALL | AVITO_MESSAGE_BARE), 0);
}

/* ---- long texts ---- */

static size_t points(const char *text, size_t len)
{
    size_t i, n = 0;

    for (i = 0; i < len; i++) {
        n += ((unsigned char)text[i] & 0xc0u) != 0x80u;
    }
    return n;
}

/* `n` times `unit`, then `end`. Free it. */
static char *many(const char *unit, size_t n, const char *end)
{
    char *text = malloc(strlen(unit) * n + strlen(end) + 1);
    size_t i, at = 0;

    for (i = 0; i < n; i++) {
        memcpy(text + at, unit, strlen(unit));
        at += strlen(unit);
    }
    memcpy(text + at, end, strlen(end) + 1);
    return text;
}

static void test_short_texts_are_one_part(void **state)
{
    char *just = many("\xd0\x96", AVITO_TEXT_MAX, "");

    (void)state;
    assert_int_equal(avito_split_text(""), 0);
    assert_int_equal(avito_split_text("a"), 1);
    assert_int_equal(avito_split_text("a b. c\n\nd"), 9);
    assert_int_equal(avito_split_text(just), strlen(just));
    free(just);
}

/* The best border of the last quarter, and of equal ones the last. */
static void test_parts_end_at_borders(void **state)
{
    static const struct {
        const char *border;
        size_t at;
    } rows[] = {{"\n\n", 760}, {"\n", 800}, {". ", 850}, {"! ", 900}, {"? ", 920}, {" ", 990}};
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = many("x", 1500, "");
        for (k = i; k < sizeof rows / sizeof rows[0]; k++) { /* this one, and worse ones after it */
            memcpy(text + rows[k].at, rows[k].border, strlen(rows[k].border));
        }
        memcpy(text + 100, "\n\n", 2); /* before the last quarter: not looked at */
        if (i == 2) {
            k = 4; /* of three sentences the last one */
        } else {
            k = i == 3 ? 4 : i;
        }
        assert_int_equal(avito_split_text(text), rows[k].at + strlen(rows[k].border));
        free(text);
    }
}

static void test_parts_make_up_the_text(void **state)
{
    static const char *const units[] = {"x",     "\xd0\x96",      "\xf0\x9f\x98\x80",
                                        "word ", "Предложение. ", "line\n",
                                        "\x80",  "\xf0\x9f",      "\xff"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof units / sizeof units[0]; i++) {
        char *text = many(units[i], 2600, "end");
        size_t at = 0;
        while (text[at] != '\0') {
            size_t n = avito_split_text(text + at);
            assert_true(n > 0);
            assert_true(points(text + at, n) <= AVITO_TEXT_MAX);
            at += n;
            assert_true(at <= strlen(text));
            assert_true(((unsigned char)text[at] & 0xc0u) != 0x80u); /* no sequence is cut */
        }
        assert_int_equal(at, strlen(text));
        free(text);
    }
}

/* ---- lanes that only say what they would send ---- */

static void dry(struct lane *l)
{
    lane_init(l, 512);
    l->options.dry_run = true;
    lane_again(l, 512);
}

static void test_dry_run_sends_nothing(void **state)
{
    struct lane l;
    avito_message sent;

    (void)state;
    dry(&l);
    memset(&sent, 0x5a, sizeof sent);
    assert_int_equal(avito_send_message(&l.client, USER, CHAT, "a \"b\"", &l.arena, &sent),
                     AVITO_OK);
    assert_string_equal(l.error_body,
                        "POST /messenger/v1/accounts/350000001/chats/" CHAT "/messages\n"
                        "{\"message\":{\"text\":\"a \\\"b\\\"\"},\"type\":\"text\"}");
    assert_int_equal(avito_last_error(&l.client)->code, AVITO_OK);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_null(sent.id.ptr);
    assert_int_equal(sent.created, 0);
    assert_int_equal(avito_mark_chat_as_read(&l.client, USER, CHAT), AVITO_OK);
    assert_string_equal(l.error_body, "POST /messenger/v1/accounts/350000001/chats/" CHAT "/read");
    assert_string_equal(l.trace, "dry run send_message\ndone send_message\n"
                                 "dry run mark_chat_as_read\ndone mark_chat_as_read\n");
    assert_int_equal(l.script.connect_calls, 0);
    assert_int_equal(l.loads, 0);
    lane_free(&l);
}

static void test_dry_run_checks_and_clips(void **state)
{
    static const avito_blacklist_user user = {5, 0, AVITO_REASON_INSULT};
    avito_image_source image = {0};
    avito_uploaded_image uploaded;
    struct lane l;

    (void)state;
    dry(&l);
    assert_int_equal(avito_send_message(&l.client, USER, CHAT, "", &l.arena, NULL), AVITO_ERR_TEXT);
    assert_int_equal(avito_send_message(&l.client, USER, CHAT, "a\xd0", &l.arena, NULL),
                     AVITO_ERR_UTF8);
    assert_int_equal(avito_add_to_blacklist(&l.client, USER, &user, 1), AVITO_OK);
    assert_string_equal(l.error_body,
                        "POST /messenger/v2/accounts/350000001/blacklist\n"
                        "{\"users\":[{\"user_id\":5,\"context\":{\"reason_id\":3}}]}");
    image.data = "not shown";
    image.size = 9;
    memset(&uploaded, 0x5a, sizeof uploaded);
    assert_int_equal(avito_upload_image(&l.client, USER, &image, &l.arena, &uploaded), AVITO_OK);
    assert_string_equal(l.error_body, "POST /messenger/v1/accounts/350000001/uploadImages");
    assert_null(uploaded.image_id.ptr);
    l.options.error_body_cap = 9;
    lane_again(&l, 512);
    assert_int_equal(avito_delete_message(&l.client, USER, CHAT, "7c1e90ab"), AVITO_OK);
    assert_string_equal(l.error_body, "POST /me");
    l.options.error_body_cap = 0;
    lane_again(&l, 512);
    assert_int_equal(avito_delete_message(&l.client, USER, CHAT, "7c1e90ab"), AVITO_OK);
    lane_free(&l);
}

static void test_dry_run_still_reads(void **state)
{
    static const char body[] = "{\"id\":350000001,\"name\":\"Магазин\"}";
    struct lane l;
    avito_self self;

    (void)state;
    dry(&l);
    lane_exchange(&l, 200, body, strlen(body));
    assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)), AVITO_OK);
    assert_int_equal(self.id, USER);
    assert_null(script_problem_open(&l.script, true));
    lane_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_types),
        cmocka_unit_test(test_directions_and_chat_types),
        cmocka_unit_test(test_calls_and_locations),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_masks_and_version),
        cmocka_unit_test(test_short_texts_are_one_part),
        cmocka_unit_test(test_parts_end_at_borders),
        cmocka_unit_test(test_parts_make_up_the_text),
        cmocka_unit_test(test_dry_run_sends_nothing),
        cmocka_unit_test(test_dry_run_checks_and_clips),
        cmocka_unit_test(test_dry_run_still_reads),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
