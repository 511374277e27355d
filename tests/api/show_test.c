/*
 * A message as a line and as JSON: every message of tests/data comes back from its JSON as it was,
 * and fits in the memory that was asked for, and in no less; lines are cut between characters.
 * Rooms: SHOW, TEXT: GRAPHEMES.
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
#include "support/guard.h"
#include "support/message.h"

static char tokens[1 << 20];

static avito_message *message_of(const char *json)
{
    static avito_event event;

    assert_int_equal(message_decode(json, strlen(json), 0, &event), AVITO_OK);
    return event.message;
}

/* ---- JSON ---- */

/* Into memory of some sizes that are too small, and of the one that is enough. */
static void assert_sizes(const avito_message *m, const char *expected, size_t size)
{
    const size_t sizes[] = {0, 1, size / 2, size - 1, size};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct guard memory = guard_end(sizes[i]);
        char *out = (char *)memory.data;
        size_t needed = 0;
        const int rc = avito_message_json(m, NULL, sizes[i] == 0 ? NULL : out, sizes[i], &needed);

        assert_int_equal(rc, sizes[i] == size ? AVITO_OK : AVITO_ERR_ROOM);
        assert_int_equal(needed, size);
        if (sizes[i] > 0) {
            assert_string_equal(out, sizes[i] == size ? expected : "");
        }
        guard_free(&memory);
    }
}

static void check_message(const avito_event *event, avito_str raw)
{
    static char out[1 << 17];
    avito_event again;
    struct text once = {NULL, 0, 0}, twice = {NULL, 0, 0};
    avito_json json;
    size_t needed = 0;

    (void)raw;
    assert_int_equal(avito_message_json(event->message, NULL, out, sizeof out, &needed), AVITO_OK);
    assert_int_equal(needed, strlen(out) + 1);
    assert_int_equal(strcspn(out, "\n\r"), strlen(out));
    assert_int_equal(avito_json_parse(&json, out, strlen(out), tokens, sizeof tokens), AVITO_OK);
    assert_sizes(event->message, out, needed);

    assert_int_equal(message_decode(out, strlen(out), 1, &again), AVITO_OK);
    dump_event(&once, "event", event);
    dump_event(&twice, "event", &again);
    assert_string_equal(twice.data, once.data);

    text_free(&once);
    text_free(&twice);
}

static void test_bodies(void **state)
{
    const size_t count = message_each(check_message);

    (void)state;
    print_message("%zu messages\n", count);
    assert_true(count > 60);
}

static void test_members(void **state)
{
    avito_user users[] = {{.id = 7, .name = {"Анна", 8}}, {.id = 5, .name = {"Я", 2}}};
    avito_item item = {0};
    avito_context context = {{"item", 4}, &item, {NULL, 0}};
    avito_chat chat = {.id = {"u2i-1", 5}, .context = &context, .users = {users, 2}};
    char out[1024];
    const avito_message *m =
        message_of("{\"id\":\"m\",\"author_id\":7,\"created\":3,\"type\":\"text\","
                   "\"content\":{\"text\":\"a\\n\\\"b\\\\\\u0000\\u2028\"},\"direction\":\"in\"}");

    (void)state;
    item.title.ptr = "Диван";
    item.title.len = 10;
    assert_int_equal(avito_message_json(m, &chat, out, sizeof out, NULL), AVITO_OK);
    assert_string_equal(
        out,
        "{\"id\":\"m\",\"author_id\":7,\"created\":3,\"type\":\"text\",\"direction\":\"in\","
        "\"content\":{\"text\":\"a\\u000A\\\"b\\\\\\u0000\xe2\x80\xa8\"},\"chat_id\":\"u2i-1\","
        "\"avito\":{\"class\":\"buyer\",\"is_own\":false,\"is_system\":false,"
        "\"is_placeholder\":false,\"is_cut\":false,\"author_name\":\"Анна\","
        "\"item_title\":\"Диван\"}}");
    m = message_of("{\"content\":{\"location\":{\"lat\":-0.5,\"lon\":55,\"kind\":\"hut\"}},\"chat_"
                   "id\":\"c\"}");
    assert_int_equal(avito_message_json(m, &chat, out, sizeof out, NULL), AVITO_OK);
    assert_string_equal(
        out,
        "{\"author_id\":0,\"content\":{\"location\":{\"kind\":\"hut\",\"lat\":-0.5,\"lon\":55}},"
        "\"chat_id\":\"c\",\"avito\":{\"class\":\"system\",\"is_own\":false,\"is_system\":true,"
        "\"is_placeholder\":false,\"is_cut\":false,\"item_title\":\"Диван\"}}");
}

static void test_json_arguments(void **state)
{
    avito_message m = {0};
    size_t needed = 9;
    char out[200];

    (void)state;
    assert_int_equal(avito_message_json(NULL, NULL, out, sizeof out, &needed), AVITO_ERR_ARGUMENT);
    assert_int_equal(needed, 0);
    assert_int_equal(avito_message_json(&m, NULL, NULL, 5, NULL), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_message_json(&m, NULL, NULL, 0, &needed), AVITO_ERR_ROOM);
    assert_int_equal(avito_message_json(&m, NULL, out, needed, NULL), AVITO_OK);
}

static void test_class_words(void **state)
{
    static const char *const words[] = {"buyer",       "own",     "system",
                                        "placeholder", "deleted", "unsupported"};

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_string_equal(avito_message_class_word((avito_message_class)i), words[i]);
    }
    assert_string_equal(avito_message_class_word((avito_message_class)99), "unsupported");
    assert_int_equal(avito_classify(NULL), AVITO_CLASS_UNSUPPORTED);
}

/* ---- lines ---- */

static void test_lines(void **state)
{
    static const struct {
        const char *json, *russian, *english;
    } rows[] = {
        {"\"type\":\"text\",\"content\":{\"text\":\" Ещё\\n\\n продаёте? \"}", "Ещё продаёте?",
         "Ещё продаёте?"},
        {"\"type\":\"text\",\"content\":{\"text\":\"\"}", "", ""},
        {"\"type\":\"text\",\"content\":{\"text\":\"a\\u001b["
         "2J\\u0007b\\u202ec\\u009d\\u2066d\\tx\\u0000y\"}",
         "a[2Jbcd xy", "a[2Jbcd xy"},
        {"\"type\":\"text\",\"content\":{\"text\":\"1\\u061c2\\u200e3\\u200f4\\u202a5\\u2069"
         "6\\u200d7\"}",
         "123456\xe2\x80\x8d"
         "7",
         "123456\xe2\x80\x8d"
         "7"},
        {"\"type\":\"system\",\"content\":{\"text\":\"Скидка\",\"flow_id\":\"f\"}", "Скидка",
         "Скидка"},
        {"\"type\":\"image\",\"content\":{\"image\":{\"sizes\":{\"1x1\":\"https://a\"}}}", "[фото]",
         "[photo]"},
        {"\"type\":\"link\",\"content\":{\"link\":{\"text\":\"x.ru\",\"url\":\"https://x.ru\"}}",
         "[ссылка] x.ru", "[link] x.ru"},
        {"\"type\":\"link\",\"content\":{\"link\":{\"url\":\"https://x.ru\"}}",
         "[ссылка] https://x.ru", "[link] https://x.ru"},
        {"\"type\":\"item\",\"content\":{\"item\":{\"title\":\"Диван\",\"price_string\":\"4 391 "
         "₽\"}}",
         "[объявление] Диван, 4 391 ₽", "[listing] Диван, 4 391 ₽"},
        {"\"type\":\"item\",\"content\":{\"item\":{\"price_string\":\"1 ₽\"}}",
         "[объявление] 1 ₽", "[listing] 1 ₽"},
        {"\"type\":\"location\",\"content\":{\"location\":{\"lat\":1,\"lon\":2,\"title\":\"Тула\"}"
         "}",
         "[место] Тула", "[location] Тула"},
        {"\"type\":\"call\",\"content\":{\"call\":{\"status\":\"missed\"}}", "[пропущенный звонок]",
         "[missed call]"},
        {"\"type\":\"call\",\"content\":{\"call\":{\"status\":\"taken\"}}", "[звонок]", "[call]"},
        {"\"type\":\"voice\",\"content\":{\"voice\":{\"voice_id\":\"v\"}}", "[голосовое сообщение]",
         "[voice message]"},
        {"\"type\":\"deleted\",\"content\":{}", "[сообщение удалено]", "[message deleted]"},
        {"\"type\":\"appCall\",\"content\":{}", "[звонок в приложении]", "[call in the app]"},
        {"\"type\":\"file\",\"content\":{}", "[файл]", "[file]"},
        {"\"type\":\"video\",\"content\":null", "[видео]", "[video]"},
        {"\"type\":\"novel\",\"content\":{\"novel\":{}}", "[novel]", "[novel]"},
        {"\"content\":{}", "[сообщение]", "[message]"},
        {"\"type\":\"\",\"content\":{}", "[сообщение]", "[message]"},
        {"\"type\":\"item\",\"content\":{\"item\":{\"title\":\"Диван\"}}", "[объявление] Диван",
         "[listing] Диван"},
        {"\"type\":\"text\",\"content\":{\"text\":\"a\\u2028b\\u2029c\\u0085d\\u007fe\\ufeff"
         "f\\u2069gh 5‰ \\u202ai\"}",
         "a b c defgh 5‰ i", "a b c defgh 5‰ i"},
    };
    char out[200];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char json[400];
        const avito_message *m;

        (void)snprintf(json, sizeof json, "{\"id\":\"m\",\"author_id\":7,\"created\":3,%s}",
                       rows[i].json);
        m = message_of(json);
        assert_int_equal(avito_message_preview(m, AVITO_RUSSIAN, out, sizeof out),
                         strlen(rows[i].russian));
        assert_string_equal(out, rows[i].russian);
        assert_int_equal(avito_message_preview(m, AVITO_ENGLISH, out, sizeof out),
                         strlen(rows[i].english));
        assert_string_equal(out, rows[i].english);
    }
    assert_int_equal(avito_message_preview(NULL, AVITO_RUSSIAN, out, sizeof out), 0);
    assert_string_equal(out, "");
    assert_int_equal(avito_message_preview(message_of("{\"id\":\"m\"}"), AVITO_RUSSIAN, NULL, 9),
                     0);
    assert_int_equal(avito_message_preview(message_of("{\"id\":\"m\"}"), AVITO_RUSSIAN, out, 0), 0);
}

/* What a person sees as one character. */
static const char *const characters[] = {"а",
                                         "e\xcc\x81",
                                         "и\xcc\x86",
                                         "👨‍👩‍👧",
                                         "x",
                                         "🇷🇺",
                                         "🇰🇿",
                                         "👍🏽",
                                         "❤️‍🔥",
                                         "1️⃣",
                                         "ש\xd6\xb8",
                                         "क\xe0\xa5\x8d",
                                         "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
                                         "🙂",
                                         "🙂",
                                         "\xe1\x84\x80\xe1\x85\xa1",
                                         "я",
                                         "ี",
                                         "z"};

/* In memory of every size: as many whole characters as fit with "…", or all. */
static void test_cuts(void **state)
{
    const size_t count = sizeof characters / sizeof characters[0];
    char text[400] = "", json[500], expected[400];
    avito_message *m;
    size_t len;

    (void)state;
    for (size_t i = 0; i + 2 < count; i++) { /* the Thai mark belongs to the letter before it */
        strcat(text, characters[i]);
    }
    strcat(text, "z");
    len = strlen(text);
    (void)snprintf(json, sizeof json, "{\"id\":\"m\",\"content\":{\"text\":\"%s\"}}", text);
    m = message_of(json);
    for (size_t cap = 0; cap <= len + 4; cap++) {
        struct guard memory = guard_end(cap);
        char *out = (char *)memory.data;
        const size_t got = avito_message_preview(m, AVITO_RUSSIAN, cap == 0 ? NULL : out, cap);

        expected[0] = '\0';
        if (cap > len) {
            strcpy(expected, text);
        } else if (cap > 3) {
            for (size_t i = 0; i + 2 < count && strlen(expected) + strlen(characters[i]) + 3 < cap;
                 i++) {
                strcat(expected, characters[i]);
            }
            strcat(expected, "…");
        } else if (cap == 3) {
            strcpy(expected, "а"); /* no room for the sign that it is cut */
        }
        if (cap > 0) {
            assert_string_equal(out, expected);
            assert_int_equal(got, strlen(expected));
        }
        guard_free(&memory);
    }
}

/* A blank is written with what follows it, or not at all. */
static void test_cuts_at_blanks(void **state)
{
    static const char *const expected[] = {"", "a", "a", "…", "a…", "a…", "a b…", "a b c d"};
    const avito_message *m = message_of("{\"id\":\"m\",\"content\":{\"text\":\"a b c d\"}}");

    (void)state;
    for (size_t cap = 1; cap <= 8; cap++) {
        struct guard memory = guard_end(cap);
        char *out = (char *)memory.data;
        assert_int_equal(avito_message_preview(m, AVITO_RUSSIAN, out, cap),
                         strlen(expected[cap - 1]));
        assert_string_equal(out, expected[cap - 1]);
        guard_free(&memory);
    }
}

static void test_cut_text(void **state)
{
    avito_message *m = message_of("{\"id\":\"m\",\"content\":{\"text\":\"abc\"}}");
    char out[16];

    (void)state;
    m->is_cut = true; /* as .cut_text_at leaves it */
    assert_int_equal(avito_message_preview(m, AVITO_ENGLISH, out, sizeof out), 6);
    assert_string_equal(out, "abc…");
    assert_int_equal(avito_message_preview(m, AVITO_ENGLISH, out, 7), 6);
    assert_int_equal(avito_message_preview(m, AVITO_ENGLISH, out, 6), 5);
    assert_string_equal(out, "ab…");
}

/* A text that no decoder made. */
static void test_malformed(void **state)
{
    avito_message m = {0};
    char out[16];

    (void)state;
    m.content.kind = AVITO_MESSAGE_TEXT;
    m.content.as.text.ptr = "a\xff\xd0 b\xf0\x9f";
    m.content.as.text.len = 7;
    (void)avito_message_preview(&m, AVITO_RUSSIAN, out, sizeof out);
    assert_string_equal(out, "a?? b??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),         cmocka_unit_test(test_members),
        cmocka_unit_test(test_json_arguments), cmocka_unit_test(test_class_words),
        cmocka_unit_test(test_lines),          cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_cuts_at_blanks), cmocka_unit_test(test_cut_text),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
