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
#include "support/message.h"

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

/* A notification without an id of its own is accepted. Without any known member it is refused. */
static void test_notification_without_an_id(void **state)
{
    static const struct {
        const char *body;
        int result;
        bool message;
    } rows[] = {{"{\"payload\":{\"type\":\"message\",\"value\":{\"id\":\"m\",\"author_id\":8}}}",
                 AVITO_OK, true},
                {"{\"payload\":{\"type\":\"new\"}}", AVITO_OK, false},
                {"{\"id\":\"e\"}", AVITO_OK, false},
                {"{}", AVITO_END, false},
                {"{\"payload\":null}", AVITO_END, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        avito_arena arena = avito_arena_of(memory.bytes, sizeof memory.bytes);
        avito_event event;

        arena.peak = i % 2 == 0 ? 0 : arena.cap;
        if (avito_parse_webhook(rows[i].body, strlen(rows[i].body), &arena, &event, NULL) !=
                rows[i].result ||
            (rows[i].result == AVITO_OK && (event.message != NULL) != rows[i].message)) {
            fail_msg("%s", rows[i].body);
        }
        assert_true(i % 2 == 0 || arena.peak == arena.cap);
    }
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

/* The first that applies of: placeholder, deleted, own, system, unsupported, buyer. */
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

/* The service signs with no author or as user 1. A message of ours that begins like one of its notices is
 * one, too. */
static void test_words_of_the_service(void **state)
{
    static const struct {
        int author;
        const char *direction, *text;
        bool system;
    } rows[] = {{1, "in", "Заказ", true},
                {0, "in", "Заказ", true},
                {1, "out", "[Системное сообщение] Заказ", true},
                {1, "out", "Заказ", false},
                {8, "in", "[Системное сообщение] Заказ", false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char json[300];
        avito_event event;
        (void)snprintf(json, sizeof json,
                       "{\"id\":\"m\",\"author_id\":%d,\"direction\":\"%s\",\"type\":\"text\","
                       "\"content\":{\"text\":\"%s\"}}",
                       rows[i].author, rows[i].direction, rows[i].text);
        assert_int_equal(message_decode(json, strlen(json), 0, &event), AVITO_OK);
        assert_int_equal(event.message->is_system, rows[i].system);
    }
}

/* A string that begins in the middle of a character, in a member that is wanted and in one that is not. */
static void test_texts_that_begin_inside_a_character(void **state)
{
    static const char *const middles[] = {"\x80", "\xbf", "\x80\xbf", "\x80\x80\x80"};
    static const char *const names[] = {"id", "of no model"};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof middles / sizeof middles[0]; i++) {
        char json[300];
        avito_event event;
        (void)snprintf(json, sizeof json, "{\"%s\":\"%s\",\"created\":5,%100s\"author_id\":1}",
                       names[i % 2], middles[i / 2], "");
        assert_int_equal(message_decode(json, strlen(json), 0, &event), AVITO_ERR_JSON_UTF8);
    }
}

static void test_masks_and_version(void **state)
{
    char version[32];

    (void)state;
    (void)snprintf(version, sizeof version, "%d.%d.%d", AVITO_VERSION_MAJOR, AVITO_VERSION_MINOR,
                   AVITO_VERSION_PATCH);
    assert_string_equal(AVITO_VERSION, version);
    assert_int_equal(strlen(AVITO_API_DESCRIPTION_DATE), strlen("2026-10"));
    assert_int_equal(AVITO_MESSAGE_ALL,
                     AVITO_MESSAGE_CONTENTS | AVITO_MESSAGE_QUOTES | AVITO_MESSAGE_IMAGES);
    assert_int_equal(AVITO_MESSAGE_ALL & (AVITO_CHAT_ALL | AVITO_MESSAGE_BARE), 0);
}

/* ---- long texts ---- */

/* `n` times `unit`, then `end`; to be freed. */
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

/* Length of the next part; the text moves on past it. */
static size_t next(const char **text)
{
    const size_t n = avito_next_part(text);

    *text += n;
    return n;
}

static size_t first(const char *text)
{
    return avito_next_part(&text);
}

/* A number in a string is the same number; it may begin with zeros. */
static void test_numbers_in_strings(void **state)
{
    static const struct {
        const char *text;
        int64_t created; /* -1: it is none, and breaks the message */
    } rows[] = {{"0", 0},   {"00", 0},  {"-0", 0},  {"007", 7},   {"00.0", 0}, {"1e1", 10},
                {"7.0", 7}, {"", -1},   {"-", -1},  {"7.", -1},   {"0x7", -1}, {"+7", -1},
                {"7 ", -1}, {"1e", -1}, {"0-", -1}, {"seven", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char json[100];
        avito_event event;
        int rc;
        (void)snprintf(json, sizeof json, "{\"id\":\"m\",\"created\":\"%s\"}", rows[i].text);
        rc = message_decode(json, strlen(json), 0, &event);
        if (rc != (rows[i].created < 0 ? AVITO_ERR_MODEL : AVITO_OK)) {
            fail_msg("\"%s\": %d", rows[i].text, rc);
        }
        if (rc == AVITO_OK) {
            assert_int_equal(event.message->created, rows[i].created);
        }
    }
}

static void test_short_texts_are_one_part(void **state)
{
    char *just = many("\xd0\x96", AVITO_TEXT_MAX, "");
    const char *text = " \n a b. c\n\nd \r\n";

    (void)state;
    assert_int_equal(avito_next_part(NULL), 0);
    assert_int_equal(first(""), 0);
    assert_int_equal(first(" \r\n\xc2\xa0\xe2\x80\x83\t"), 0);
    assert_int_equal(first("a"), 1);
    assert_int_equal(next(&text), strlen("a b. c\n\nd"));
    assert_string_equal(text, " \r\n");
    assert_int_equal(next(&text), 0);
    assert_string_equal(text, "");
    assert_int_equal(first(just), strlen(just));
    free(just);
}

/* Every blank of Unicode is trimmed. A character that only looks like a blank, or has no width, is text. */
static void test_blanks_around_a_part(void **state)
{
    static const char *const blanks[] = {" ",
                                         "\x1f",
                                         "\xc2\x85",
                                         "\xc2\xa0",
                                         "\xe1\x9a\x80",
                                         "\xe2\x80\x80",
                                         "\xe2\x80\x8a",
                                         "\xe2\x80\xa8",
                                         "\xe2\x80\xa9",
                                         "\xe2\x80\xaf",
                                         "\xe2\x81\x9f",
                                         "\xe3\x80\x80",
                                         "\r\n",
                                         "\n"};
    static const char *const others[] = {"!",
                                         "\xc2\x86",
                                         "\xc2\xa1",
                                         "\xe1\x9a\x81",
                                         "\xe1\xbf\xbf",
                                         "\xe2\x80\x8b",
                                         "\xe2\x80\xaa",
                                         "\xe2\x80\xb0",
                                         "\xe2\x81\x9e",
                                         "\xe3\x80\x81"};
    char text[64];
    const char *at;

    (void)state;
    for (size_t i = 0; i < sizeof blanks / sizeof blanks[0]; i++) {
        (void)snprintf(text, sizeof text, "%s%shello%s", blanks[i], blanks[i], blanks[i]);
        at = text;
        assert_int_equal(next(&at), 5);
        assert_string_equal(at, blanks[i]);
        assert_int_equal(next(&at), 0);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        (void)snprintf(text, sizeof text, "%shello%s", others[i], others[i]);
        assert_int_equal(first(text), strlen(text));
    }
    at = NULL;
    assert_int_equal(avito_next_part(&at), 0);
}

/* The best border in the last quarter, and the last one of equals. */
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
        assert_int_equal(first(text), rows[k].at + strcspn(rows[k].border, " \n"));
        free(text);
    }
}

/* Each row: a text of a number of letters and an end, and how long its parts are. Every one was
 * once cut so that the service refuses a part, or shows half a character. */
static void test_parts_can_be_sent(void **state)
{
#define FAMILY "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7"
#define FLAG   "\xf0\x9f\x87\xb7\xf0\x9f\x87\xba"
    static const struct {
        size_t letters;
        const char *end;
        size_t parts[4];
    } rows[] = {
        {1000, "\n", {1000}},
        {998, "\r\n\r\n", {998}},
        {999, "\n\xc2\xa0 y", {999, 1}},
        {1000, "  \n y", {1000, 1}},
        {1000, "y", {1000, 1}},
        {999, "\xd0\xb8\xcc\x86", {999, 4}}, /* an accent */
        {997, FLAG FLAG, {997, 16}},         /* two flags */
        {998, FAMILY, {998, 18}},
        {999, "\xf0\x9f\x98\x80", {999, 4}},  /* two units of UTF-16 */
        {995, "\r\n\r\n\r\n\r\ny", {995, 1}}, /* more blanks than there is room for */
        {700, " " FLAG, {709}},
        {0, "", {0}},
    };
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = many("x", rows[i].letters, rows[i].end);
        const char *rest = text;
        for (k = 0; k < 4 && rows[i].parts[k] > 0; k++) {
            assert_int_equal(next(&rest), rows[i].parts[k]);
        }
        assert_int_equal(next(&rest), 0);
        assert_string_equal(rest, "");
        free(text);
    }
#undef FAMILY
#undef FLAG
}

/* More accents than a message has room for: there is no better border than a code point. */
static void test_a_character_may_be_too_long(void **state)
{
    char *text = many("\xcc\x81", 1500, "");
    const char *rest = text;
    char *after = many("\xcc\x81", 1500, "");

    (void)state;
    assert_int_equal(next(&rest), 2000);
    assert_int_equal(next(&rest), 1000);
    assert_int_equal(next(&rest), 0);
    memcpy(after, "a b ", 4); /* ends before it, though that is not the last quarter */
    rest = after;
    assert_int_equal(next(&rest), 3);
    free(after);
    after = many("\xcc\x81", 1500, "");
    memcpy(after, "\xf0\x9f\x98\x80", 4); /* of two units */
    rest = after;
    assert_int_equal(next(&rest), 4 + 998 * 2);
    assert_int_equal(next(&rest), 2 * (1500 - 2 - 998));
    free(after);
    free(text);
}

/* As 0.1.0 split them: the parts make up the text, and each that is not blank can be sent. */
static void test_parts_that_touch(void **state)
{
    static const struct {
        size_t letters;
        const char *end;
        size_t parts[4];
    } rows[] = {{1000, "", {1000}},
                {990, " \n", {992}},
                {990, "\n\nabc. d", {998}},
                {996, " abcdef", {997, 6}},
                {998, "\r\n\r\n", {1000, 2}},
                {999, "\xf0\x9f\x98\x80 ", {999, 5}},
                {0, "", {0}},
                {0, "\n a", {3}},
                {997, "\r\r b", {1000, 1}},
                {998, "\r\r b", {999, 3}},
                {995, "\r\n\r\n\r\n\r\ny", {999, 5}}};
    const struct {
        size_t blank, part; /* in 1,100 letters */
    } quarters[] = {{750, AVITO_TEXT_MAX},
                    {751, 752}}; /* a blank is looked for in the last quarter */
    char *blanks = many(" ", 2500, "x"), *long_word = many("x", 1500, ""), *text;
    size_t i, k;

    (void)state;
    assert_int_equal(avito_split_text(NULL), 0);
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t at = 0;
        text = many("x", rows[i].letters, rows[i].end);
        for (k = 0; k < 4 && rows[i].parts[k] > 0; k++) {
            assert_int_equal(avito_split_text(text + at), rows[i].parts[k]);
            at += rows[i].parts[k];
        }
        assert_int_equal(at, strlen(text));
        assert_int_equal(avito_split_text(text + at), 0);
        free(text);
    }
    for (i = 0; i < sizeof quarters / sizeof quarters[0]; i++) {
        text = many("x", 1100, "");
        text[quarters[i].blank] = ' ';
        assert_int_equal(avito_split_text(text), quarters[i].part);
        free(text);
    }
    long_word[0] = long_word[1] = '\n'; /* what precedes a word counts */
    assert_int_equal(avito_split_text(long_word), AVITO_TEXT_MAX);
    free(long_word);
    assert_int_equal(avito_split_text(blanks), AVITO_TEXT_MAX);
    assert_int_equal(avito_split_text(blanks + 2000), 501);
    free(blanks);
    blanks = many("\xcc\x81", 1500, ""); /* after a blank: one character that is too long */
    text = many("\n", 1, blanks);
    assert_int_equal(avito_split_text(text), 1);
    assert_int_equal(avito_split_text(text + 1), 2000);
    free(text);
    free(blanks);
}

/* What is malformed is refused whole, part by part. */
static void test_malformed_texts_stay_malformed(void **state)
{
    static const char *const units[] = {"\x80", "\xf0\x9f", "\xff", "x\xc3 "};
    struct lane l;
    size_t i, n;

    (void)state;
    lane_init(&l, 512);
    for (i = 0; i < sizeof units / sizeof units[0]; i++) {
        char *text = many(units[i], 2600, "\xc3");
        const char *rest = text;
        while ((n = avito_next_part(&rest)) > 0) {
            char part[AVITO_PART_SIZE];
            assert_true(n < sizeof part);
            memcpy(part, rest, n);
            part[n] = '\0';
            rest += n;
            assert_int_equal(avito_send_message(&l.client, USER, CHAT, part, NULL, NULL),
                             AVITO_ERR_UTF8);
        }
        assert_string_equal(rest, "");
        free(text);
    }
    lane_free(&l);
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
    lane_end(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notification_without_an_id),
        cmocka_unit_test(test_message_types),
        cmocka_unit_test(test_directions_and_chat_types),
        cmocka_unit_test(test_calls_and_locations),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_words_of_the_service),
        cmocka_unit_test(test_texts_that_begin_inside_a_character),
        cmocka_unit_test(test_masks_and_version),
        cmocka_unit_test(test_short_texts_are_one_part),
        cmocka_unit_test(test_blanks_around_a_part),
        cmocka_unit_test(test_numbers_in_strings),
        cmocka_unit_test(test_parts_end_at_borders),
        cmocka_unit_test(test_parts_can_be_sent),
        cmocka_unit_test(test_a_character_may_be_too_long),
        cmocka_unit_test(test_parts_that_touch),
        cmocka_unit_test(test_malformed_texts_stay_malformed),
        cmocka_unit_test(test_dry_run_sends_nothing),
        cmocka_unit_test(test_dry_run_checks_and_clips),
        cmocka_unit_test(test_dry_run_still_reads),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
