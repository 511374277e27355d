/* order_test.c - commands as they come from a broker: how they are read, and why they are refused.
 * Rooms: none. */
#include "tools/avito/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static avito_str str(const char *text)
{
    const avito_str s = {text, strlen(text)};

    return s;
}

static order *read_bytes(const char *topic, const char *payload, size_t len)
{
    mqtt_message m;
    avito_str account, target;
    enum order_act act;

    memset(&m, 0, sizeof m);
    m.topic = str(topic);
    m.payload.ptr = payload;
    m.payload.len = len;
    assert_true(order_topic(m.topic, &account, &act, &target));
    assert_true(avito_str_equal(account, "shop"));
    return order_read(&m, act, target);
}

static order *read_text(const char *topic, const char *payload)
{
    return read_bytes(topic, payload, strlen(payload));
}

static void test_topics(void **state)
{
    static const char *const others[] = {"avito/shop/send",
                                         "avito/shop/send/a/b",
                                         "avito/shop/sent/a",
                                         "homeassistant/x/y",
                                         "avito/shop/status",
                                         "avito",
                                         "",
                                         "avito/shop/",
                                         "avito//send",
                                         "avit/shop/send/a"};
    avito_str account, target;
    enum order_act act;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(order_topic(str(others[i]), &account, &act, &target));
    }
    assert_true(order_topic(str("avito/shop/send/"), &account, &act, &target)); /* to be refused */
    assert_int_equal(target.len, 0);
    for (int a = 0; a < ORDER_ACTS; a++) {
        char topic[64];

        snprintf(topic, sizeof topic, "avito/shop/%s/u2i-1", order_words[a]);
        assert_true(order_topic(str(topic), &account, &act, &target));
        assert_int_equal(act, a);
        assert_true(avito_str_equal(target, "u2i-1"));
    }
}

static void test_ids_are_escaped_and_come_back(void **state)
{
    static const char *const ids[] = {"u2i-a~b_C", "a/b", "a+b", "#", "100%", "$x", "a b", "я"};
    char topic[128], small[8];

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        order *o;

        memcpy(topic, "avito/shop/read/", 16);
        assert_true(order_escape(ids[i], topic + 16, sizeof topic - 16));
        assert_null(strpbrk(topic + 16, "/+#"));
        o = read_text(topic, "");
        if (strcmp(ids[i], "a b") == 0) { /* no id of the service has a blank */
            assert_non_null(o->wrong);
        } else {
            assert_null(o->wrong);
            assert_string_equal(o->target, ids[i]);
        }
        free(o);
    }
    assert_false(order_escape("12345678", small, sizeof small));
}

static void test_commands_that_are_good(void **state)
{
    order *o = read_text("avito/shop/send/c", "Привет, {мир}");

    (void)state;
    assert_null(o->wrong);
    assert_string_equal(o->text, "Привет, {мир}");
    assert_string_equal(o->id, "");
    free(o);
    o = read_text("avito/shop/send/c", "{\"text\":\"\\u041f\\\"\",\"id\":\"A-z_0\"}");
    assert_null(o->wrong);
    assert_string_equal(o->text, "П\"");
    assert_string_equal(o->id, "A-z_0");
    free(o);
    o = read_text("avito/shop/delete/c", "message-1");
    assert_null(o->wrong);
    assert_string_equal(o->text, "message-1");
    free(o);
    o = read_text("avito/shop/delete/c", "{\"message_id\":\"m\",\"id\":\"x\"}");
    assert_null(o->wrong);
    assert_string_equal(o->text, "m");
    free(o);
    o = read_text("avito/shop/block/17", "{\"reason\":\"fraud\",\"item_id\":5000000000}");
    assert_null(o->wrong);
    assert_int_equal(o->user_id, 17);
    assert_int_equal(o->item_id, 5000000000);
    assert_int_equal(o->reason, AVITO_REASON_FRAUD);
    free(o);
    o = read_text("avito/shop/block/17", "spam");
    assert_int_equal(o->reason, AVITO_REASON_SPAM);
    free(o);
    o = read_text("avito/shop/block/17", "");
    assert_int_equal(o->reason, AVITO_REASON_OTHER);
    free(o);
}

static void test_a_text_has_a_thousand_characters(void **state)
{
    static char text[8200];
    order *o;

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        memcpy(text + 4 * i, "\xf0\x9f\x98\x80", 4);
    }
    o = read_text("avito/shop/send/c", text);
    assert_null(o->wrong);
    assert_int_equal(strlen(o->text), 4000);
    free(o);
    memcpy(text + 4000, "a", 2);
    o = read_text("avito/shop/send/c", text);
    assert_non_null(strstr(o->wrong, "1,000"));
    free(o);
    strcpy(text, "{\"text\":\"");
    for (size_t i = 0; i < 1000; i++) {
        strcat(text, "\\u0436");
    }
    strcat(text, "\"}");
    o = read_text("avito/shop/send/c", text);
    assert_null(o->wrong);
    assert_int_equal(strlen(o->text), 2000);
    free(o);
}

static void test_commands_that_are_refused(void **state)
{
    static const struct {
        const char *topic, *payload, *said;
    } rows[] = {
        {"avito/shop/send/c", "", "missing or blank"},
        {"avito/shop/send/c", " \n", "missing or blank"},
        {"avito/shop/send/c", "{", "not valid JSON"},
        {"avito/shop/send/c", "{}", "missing or blank"},
        {"avito/shop/send/c", "{\"text\":null}", "another type"},
        {"avito/shop/send/c", "{\"text\":\"a\",\"text\":\"b\"}", "twice"},
        {"avito/shop/send/c", "{\"text\":\"a\",\"message_id\":\"b\"}", "does not know"},
        {"avito/shop/send/c", "{\"text\":\"a\\u0000b\"}", "NUL"},
        {"avito/shop/send/c", "{\"text\":\"a\",\"id\":\"\"}", "the id"},
        {"avito/shop/send/c", "{\"text\":\"a\",\"id\":\"a~\"}", "the id"},
        {"avito/shop/send/c", "{\"text\":\"a\",\"id\":7}", "another type"},
        {"avito/shop/send/%", "a", "percent-escaped"},
        {"avito/shop/send/%0", "a", "percent-escaped"},
        {"avito/shop/send/%00", "a", "percent-escaped"},
        {"avito/shop/send/%FF", "a", "percent-escaped"},
        {"avito/shop/delete/c", "", "message"},
        {"avito/shop/block/x", "", "number"},
        {"avito/shop/block/-5", "", "number"},
        {"avito/shop/block/99999999999999999999", "", "number"},
        {"avito/shop/block/5", "hate", "spam, fraud"},
        {"avito/shop/image/c", "GIF7", "no JPEG"},
        {"avito/shop/read/c", "{\"text\":\"a\"}", "does not know"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        order *o = read_text(rows[i].topic, rows[i].payload);

        assert_non_null(o->wrong);
        if (strstr(o->wrong, rows[i].said) == NULL) {
            fail_msg("%s %s: %s", rows[i].topic, rows[i].payload, o->wrong);
        }
        free(o);
    }
}

static void test_every_byte_of_a_command_may_be_wrong(void **state)
{
    static const char good[] = "{\"id\":\"a\",\"text\":\"b\\u00e9\"}";
    char bytes[sizeof good];

    (void)state;
    for (size_t at = 0; at + 1 < sizeof good; at++) {
        for (int byte = 0; byte < 256; byte++) {
            order *o;

            memcpy(bytes, good, sizeof good);
            bytes[at] = (char)byte;
            o = read_bytes("avito/shop/send/c", bytes, sizeof good - 1);
            assert_non_null(o);
            if (o->wrong == NULL && bytes[0] == '{') {
                assert_true(o->text[0] != '\0');
                assert_true(o->id[0] == '\0' || order_is_id(str(o->id)));
            }
            free(o);
        }
    }
}

static void test_images_by_their_first_bytes(void **state)
{
    (void)state;
    assert_string_equal(order_image_type("\xff\xd8\xff\xe0", 4), "image/jpeg");
    assert_string_equal(order_image_type("\x89PNG\r\n\x1a\n", 8), "image/png");
    assert_string_equal(order_image_type("GIF89a", 6), "image/gif");
    assert_string_equal(order_image_type("BM", 2), "image/bmp");
    assert_string_equal(order_image_type("\0\0\0\x18"
                                         "ftypheic",
                                         12),
                        "image/heic");
    assert_string_equal(order_image_type("\0\0\0\x18"
                                         "ftyphevc",
                                         12),
                        "image/heic"); /* as avito_image_from_file() does */
    assert_null(order_image_type("\0\0\0\x18"
                                 "ftypisom",
                                 12));
    assert_null(order_image_type("\0\0\0\x18"
                                 "ftyphei",
                                 11));
    assert_null(order_image_type("\xff\xd8", 2));
    assert_null(order_image_type(NULL, 0));
}

static void test_an_entry_of_the_ledger_is_an_order_again(void **state)
{
    ledger_entry e;
    order *o;

    (void)state;
    memset(&e, 0, sizeof e);
    strcpy(e.id, "x");
    e.act = "image";
    e.target = "u2i";
    e.text = e.baseline_id = e.message_id = e.reason = "";
    o = order_of_entry(&e);
    assert_int_equal(o->act, ORDER_IMAGE);
    assert_string_equal(o->id, "x");
    assert_string_equal(o->target, "u2i");
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_ids_are_escaped_and_come_back),
        cmocka_unit_test(test_commands_that_are_good),
        cmocka_unit_test(test_a_text_has_a_thousand_characters),
        cmocka_unit_test(test_commands_that_are_refused),
        cmocka_unit_test(test_every_byte_of_a_command_may_be_wrong),
        cmocka_unit_test(test_images_by_their_first_bytes),
        cmocka_unit_test(test_an_entry_of_the_ledger_is_an_order_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
