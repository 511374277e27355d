/* The tests' own tools: do they catch what they are meant to catch?
 * Rooms: none. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/clock.h"
#include "support/dump.h"
#include "support/fixture.h"
#include "support/guard.h"
#include "support/script.h"

/* ---- clock ---- */

static void test_clock_wraps_and_keeps_milliseconds(void **state)
{
    struct clock clock;

    (void)state;
    clock_init(&clock);
    uint32_t before = clock_ms(&clock);
    int64_t unix_before = clock_unix_time(&clock);
    for (int i = 0; i < 10; i++) {
        clock_advance(&clock, 1500);
    }
    assert_true(clock_ms(&clock) < before);
    assert_int_equal(clock_ms(&clock) - before, 15000);
    assert_int_equal(clock_unix_time(&clock) - unix_before, 15);
}

static void test_entropy_repeats_and_can_fail(void **state)
{
    struct clock a, b;
    unsigned char x[32], y[32], zero[32] = {0};

    (void)state;
    clock_init(&a);
    clock_init(&b);
    assert_int_equal(clock_entropy(&a, x, sizeof x), 0);
    assert_int_equal(clock_entropy(&b, y, 16), 0);
    assert_int_equal(clock_entropy(&b, y + 16, 16), 0);
    assert_memory_equal(x, y, sizeof x);
    assert_memory_not_equal(x, zero, sizeof x);
    a.entropy_result = -115;
    assert_int_equal(clock_entropy(&a, x, sizeof x), -115);
}

/* ---- guard ---- */

static void trapped(int signal_number)
{
    (void)signal_number;
    _exit(42);
}

/* Touches one byte in a child process; true if that trapped. */
static bool traps(volatile unsigned char *at, bool write)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)signal(SIGSEGV, trapped);
        if (write) {
            *at = 1;
        }
        _exit(*at == 255 ? 1 : 0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 42;
}

static void test_guard_traps_one_byte_too_far(void **state)
{
    static const size_t sizes[] = {1, 511, 4096, 5000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct guard end = guard_end(sizes[i]);
        struct guard begin = guard_begin(sizes[i]);
        assert_false(traps(&end.data[0], true));
        assert_false(traps(&end.data[sizes[i] - 1], true));
        assert_true(traps(&end.data[sizes[i]], false));
        assert_false(traps(&begin.data[0], true));
        assert_true(traps(begin.data - 1, false));
        guard_free(&end);
        guard_free(&begin);
        assert_null(end.data);
    }
}

static void test_guard_of_nothing_and_of_text(void **state)
{
    struct guard none = guard_end(0);
    struct guard text = guard_copy("abc", 3);

    (void)state;
    assert_true(traps(none.data, false));
    assert_memory_equal(text.data, "abc", 3);
    assert_true(traps(&text.data[0], true));
    assert_true(traps(&text.data[3], false));
    guard_free(&none);
    guard_free(&text);
}

/* ---- script ---- */

static const char request[] = "POST /x HTTP/1.1\r\nHost: h\r\ncontent-length: 3\r\n\r\nabc";
static const char answer[] = "HTTP/1.1 200 OK\r\n\r\n0123456789";

static avito_server server(void)
{
    avito_server to;

    to.host = "api.avito.ru";
    to.port = 443;
    return to;
}

/* What a lane does: connect, send all, receive to the end, close. Returns the bytes received. */
static size_t play(struct script *s, char *got, size_t cap)
{
    avito_transport t = script_transport(s);
    avito_server to = server();
    size_t sent = 0, received = 0;
    int connected;

    while ((connected = t.functions->connect(t.ctx, &to)) == AVITO_AGAIN) {
    }
    assert_int_equal(connected, AVITO_OK);
    while (sent < sizeof request - 1) {
        long n = t.functions->send(t.ctx, request + sent, sizeof request - 1 - sent, 0);
        assert_true(n > 0 || n == AVITO_IO_AGAIN);
        sent += n > 0 ? (size_t)n : 0;
    }
    for (;;) {
        long n = t.functions->recv(t.ctx, got + received, cap - received);
        if (n == AVITO_IO_CLOSED) {
            break;
        }
        assert_true(n > 0 || n == AVITO_IO_AGAIN);
        received += n > 0 ? (size_t)n : 0;
    }
    t.functions->close(t.ctx);
    return received;
}

static void write_script(struct script *s)
{
    script_init(s);
    script_connect_with(s, 2, AVITO_OK);
    script_request(s);
    script_answer(s, answer, 10);
    script_answer(s, answer + 10, sizeof answer - 1 - 10);
    script_end(s);
}

static void test_script_gives_the_same_in_every_piece_size(void **state)
{
    struct script s;
    char got[100];

    (void)state;
    write_script(&s);
    for (size_t piece = 0; piece < 2 * sizeof answer; piece++) {
        script_rewind(&s);
        s.recv_piece = piece / 2;
        s.send_piece = piece / 2;
        s.again = s.send_again = piece % 2 == 1;
        assert_int_equal(play(&s, got, sizeof got), sizeof answer - 1);
        assert_memory_equal(got, answer, sizeof answer - 1);
        assert_null(script_problem(&s));
        assert_int_equal(s.connects, 1);
        assert_int_equal(s.closes, 1);
        assert_int_equal(s.connect_calls, 3);
        assert_int_equal(s.request_count, 1);
        assert_int_equal(s.requests[0].len, sizeof request - 1);
        assert_string_equal((const char *)s.sent, request);
        assert_string_equal(s.host, "api.avito.ru");
    }
    script_free(&s);
}

static void test_script_splits_where_told(void **state)
{
    struct script s;
    char got[100];
    const size_t splits[] = {1, 7, 10, 28};

    (void)state;
    write_script(&s);
    s.splits = splits;
    s.split_count = 4;
    assert_int_equal(play(&s, got, sizeof got), sizeof answer - 1);
    assert_int_equal(s.recv_calls, 6); /* 1 + 6 + 3 + 18 + 1, end */
    script_rewind(&s);
    s.again = true;
    assert_int_equal(play(&s, got, sizeof got), sizeof answer - 1);
    assert_memory_equal(got, answer, sizeof answer - 1);
    assert_int_equal(s.recv_calls, 12);
    script_free(&s);
}

static void test_script_notices_wrong_bytes(void **state)
{
    struct script s;
    avito_server to = server();

    (void)state;
    script_init(&s);
    script_connect(&s);
    script_expect(&s, SCRIPT_TEXT("GET /a"));
    avito_transport t = script_transport(&s);
    assert_int_equal(t.functions->connect(t.ctx, &to), AVITO_OK);
    assert_int_equal(t.functions->send(t.ctx, "GET ", 4, 1), 4);
    assert_int_equal(t.functions->send(t.ctx, "/b", 2, 0), AVITO_ERR_SEND);
    assert_non_null(strstr(script_wrong(&s), "byte 5 is 0x62, expected 0x61"));
    script_free(&s);
}

/* Each rule of a transport, broken by the code that uses it. */
static void test_script_notices_broken_rules(void **state)
{
    struct script s;
    char byte;
    avito_server to = server();

    (void)state;
    for (int rule = 0; rule < 8; rule++) {
        script_init(&s);
        script_connect(&s);
        script_expect(&s, "a", 1);
        script_answer(&s, "b", 1);
        script_end(&s);
        avito_transport t = script_transport(&s);
        if (rule == 0) {
            t.functions->close(t.ctx); /* without connect */
        }
        assert_int_equal(t.functions->connect(t.ctx, &to), AVITO_OK);
        if (rule == 1) {
            assert_int_equal(t.functions->connect(t.ctx, &to), AVITO_ERR_CONNECT);
        }
        assert_int_equal(t.functions->recv(t.ctx, &byte, 1), AVITO_IO_AGAIN);
        assert_int_equal(t.functions->send(t.ctx, "a", 1, rule == 2),
                         1); /* more, but nothing came */
        if (rule == 3) {
            assert_int_equal(t.functions->send(t.ctx, "a", 1, 0),
                             AVITO_ERR_SEND); /* not its turn */
        } else {
            if (rule == 4) {
                assert_int_equal(t.functions->recv(t.ctx, &byte, 0), AVITO_ERR_RECV);
            }
            assert_int_equal(t.functions->recv(t.ctx, &byte, 1), 1);
            if (rule != 5) { /* 5: the end is not read */
                assert_int_equal(t.functions->recv(t.ctx, &byte, 1), AVITO_IO_CLOSED);
            }
            if (rule == 6) {
                assert_int_equal(t.functions->recv(t.ctx, &byte, 1), AVITO_ERR_RECV);
            }
        }
        if (rule != 7) {
            t.functions->close(t.ctx);
        }
        if (script_problem(&s) == NULL) {
            fail_msg("rule %d was not noticed", rule);
        }
        script_free(&s);
    }
}

static void test_script_fails_as_told(void **state)
{
    struct script s;
    char got[16];
    avito_server to = server();

    (void)state;
    script_init(&s);
    script_connect_with(&s, 1, AVITO_ERR_CONNECT);
    script_connect(&s);
    script_take(&s, 5);
    script_send_fail(&s, AVITO_ERR_SEND, 32);
    script_connect(&s);
    script_take(&s, 1);
    script_answer(&s, "HTTP", 4);
    script_fail(&s, AVITO_ERR_RECV, 104);
    avito_transport t = script_transport(&s);

    assert_int_equal(t.functions->connect(t.ctx, &to), AVITO_AGAIN);
    assert_int_equal(t.functions->connect(t.ctx, &to), AVITO_ERR_CONNECT);
    t.functions->close(t.ctx);

    assert_int_equal(t.functions->connect(t.ctx, &to), AVITO_OK);
    assert_int_equal(t.functions->send(t.ctx, "0123456789", 10, 0), 5);
    assert_int_equal(t.functions->send(t.ctx, "56789", 5, 0), AVITO_ERR_SEND);
    assert_int_equal(t.functions->detail(t.ctx), 32);
    t.functions->close(t.ctx);

    assert_int_equal(t.functions->connect(t.ctx, &to), AVITO_OK);
    assert_int_equal(t.functions->send(t.ctx, "x", 1, 0), 1);
    assert_int_equal(t.functions->recv(t.ctx, got, sizeof got), 4);
    assert_int_equal(t.functions->recv(t.ctx, got, sizeof got), AVITO_ERR_RECV);
    assert_int_equal(t.functions->detail(t.ctx), 104);
    t.functions->close(t.ctx);

    assert_null(script_problem(&s));
    assert_int_equal(s.connects, 3);
    assert_int_equal(s.requests[1].connection, 2);
    script_free(&s);
}

static void test_script_waits_only_when_nothing_can_happen(void **state)
{
    struct script s;
    struct clock clock;
    char byte;
    avito_server to = server();

    (void)state;
    clock_init(&clock);
    script_init(&s);
    s.may_wait = true;
    s.clock = &clock;
    script_connect(&s);
    script_take(&s, 1);
    script_answer(&s, "x", 1);
    avito_transport t = script_transport(&s);
    assert_int_equal(t.functions->connect(t.ctx, &to), AVITO_OK);
    uint32_t before = clock.ms;
    assert_int_equal(t.functions->wait(t.ctx, AVITO_WANT_WRITE, 1000), AVITO_OK);
    assert_int_equal(clock.ms - before, 0);
    assert_int_equal(t.functions->wait(t.ctx, AVITO_WANT_READ, 1000), AVITO_OK);
    assert_int_equal(clock.ms - before, 1000);
    assert_int_equal(t.functions->send(t.ctx, "a", 1, 0), 1);
    assert_int_equal(t.functions->wait(t.ctx, AVITO_WANT_READ, 1000), AVITO_OK);
    assert_int_equal(clock.ms - before, 1000);
    assert_int_equal(t.functions->recv(t.ctx, &byte, 1), 1);
    assert_int_equal(t.functions->wait(t.ctx, AVITO_WANT_READ, 1000), AVITO_OK); /* silent */
    assert_int_equal(clock.ms - before, 2000);
    t.functions->close(t.ctx);
    assert_null(script_problem(&s));
    script_free(&s);
}

/* ---- dump ---- */

static avito_str str(const char *text)
{
    avito_str s;

    s.ptr = text;
    s.len = strlen(text);
    return s;
}

static void test_dump_of_a_message(void **state)
{
    avito_message m = {0};
    avito_image image;
    avito_image_size sizes[2] = {{{"32x32", 5}, {"https://a/\"b\"", 13}}, {{"1x1", 3}, {NULL, 0}}};
    avito_quote q = {0};
    struct text out = {0};

    (void)state;
    image.sizes.items = sizes;
    image.sizes.count = 2;
    m.id = str("m1");
    m.created = 5000000000;
    m.type = AVITO_MESSAGE_IMAGE;
    m.type_word = str("image");
    m.direction = AVITO_DIRECTION_UNKNOWN;
    m.direction_word = str("");
    m.content.kind = AVITO_MESSAGE_IMAGE;
    m.content.as.image = &image;
    m.has_is_read = true;
    m.is_own = true;
    m.chat_type = AVITO_CHAT_TYPE_A2U;
    m.chat_type_word = str("a2u");
    q.content.kind = AVITO_MESSAGE_TEXT;
    q.content.as.text.ptr = "a\0\x7f\n\xd0\x9f\xf0\x9f\x9a\x97\xff";
    q.content.as.text.len = 11;
    m.quote = &q;
    dump_message(&out, "message", &m);
    assert_string_equal(out.data,
                        "message.id = \"m1\"\n"
                        "message.created = 5000000000\n"
                        "message.type = IMAGE \"image\"\n"
                        "message.direction = UNKNOWN \"\"\n"
                        "message.content.kind = IMAGE\n"
                        "message.content.image = object\n"
                        "message.content.image.sizes.count = 2\n"
                        "message.content.image.sizes[0] = \"32x32\" \"https://a/\\\"b\\\"\"\n"
                        "message.content.image.sizes[1] = \"1x1\" null\n"
                        "message.quote = object\n"
                        "message.quote.content.kind = TEXT\n"
                        "message.quote.content.text = "
                        "\"a\\u0000\\u007f\\n\\u041f\\ud83d\\ude97\\xff\"\n"
                        "message.is_read = false\n"
                        "message.is_own = true\n"
                        "message.chat_type = A2U \"a2u\"\n");
    text_free(&out);
}

static void test_dump_of_nothing_is_nothing(void **state)
{
    avito_chat chat = {0};
    avito_event event = {0};
    avito_self self = {0};
    struct text out = {0};

    (void)state;
    text_clear(&out);
    dump_chat(&out, "chat", &chat);
    dump_event(&out, "event", &event);
    dump_self(&out, "self", &self);
    assert_string_equal(out.data, "");
    text_free(&out);
}

static void test_dump_of_a_chat(void **state)
{
    avito_chat chat = {0};
    avito_context context = {0};
    avito_item item = {0};
    avito_item_images images = {0};
    avito_item_location location = {0};
    avito_user users[1] = {0};
    avito_profile profile = {0};
    avito_avatar avatar = {0};
    struct text out = {0};

    (void)state;
    context.type = str("item");
    context.item = &item;
    item.images = &images;
    images.count = 7;
    item.location = &location;
    location.lat_e7 = -1;
    users[0].has_parsing_allowed = true;
    users[0].public_user_profile = &profile;
    profile.avatar = &avatar;
    avatar.default_url = str("d");
    chat.context = &context;
    chat.users.items = users;
    chat.users.count = 1;
    dump_chat(&out, "chat", &chat);
    assert_string_equal(out.data, "chat.context = object\n"
                                  "chat.context.type = \"item\"\n"
                                  "chat.context.item = object\n"
                                  "chat.context.item.images = object\n"
                                  "chat.context.item.images.images_count = 7\n"
                                  "chat.context.item.location = object\n"
                                  "chat.context.item.location.lat_e7 = -1\n"
                                  "chat.users.count = 1\n"
                                  "chat.users[0].parsing_allowed = false\n"
                                  "chat.users[0].public_user_profile = object\n"
                                  "chat.users[0].public_user_profile.avatar = object\n"
                                  "chat.users[0].public_user_profile.avatar.default = \"d\"\n");
    assert_int_equal(dump_first_difference(out.data, "chat.context = object\nx"), 2);
    assert_int_equal(dump_first_difference(out.data, out.data), 0);
    text_free(&out);
}

/* ---- fixtures ---- */

static void test_fixtures_come_with_expectations(void **state)
{
    struct fixtures chats = fixtures_load("chat_");
    struct fixtures one = fixture_load("bad_event_nul_after.txt");

    (void)state;
    assert_true(chats.count > 20);
    for (size_t i = 0; i < chats.count; i++) {
        assert_int_equal(strncmp(chats.items[i].expect, "result = OK\nchat.", 17), 0);
        assert_true(i == 0 || strcmp(chats.items[i - 1].name, chats.items[i].name) < 0);
    }
    assert_int_equal(one.count, 1);
    assert_int_equal(one.items[0].body[one.items[0].body_len - 1], '\0');
    assert_string_equal(one.items[0].expect, "result = JSON\n");
    fixtures_free(&chats);
    fixtures_free(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_wraps_and_keeps_milliseconds),
        cmocka_unit_test(test_entropy_repeats_and_can_fail),
        cmocka_unit_test(test_guard_traps_one_byte_too_far),
        cmocka_unit_test(test_guard_of_nothing_and_of_text),
        cmocka_unit_test(test_script_gives_the_same_in_every_piece_size),
        cmocka_unit_test(test_script_splits_where_told),
        cmocka_unit_test(test_script_notices_wrong_bytes),
        cmocka_unit_test(test_script_notices_broken_rules),
        cmocka_unit_test(test_script_fails_as_told),
        cmocka_unit_test(test_script_waits_only_when_nothing_can_happen),
        cmocka_unit_test(test_dump_of_a_message),
        cmocka_unit_test(test_dump_of_nothing_is_nothing),
        cmocka_unit_test(test_dump_of_a_chat),
        cmocka_unit_test(test_fixtures_come_with_expectations),
    };
    return cmocka_run_group_tests_name("support", tests, NULL, NULL);
}
