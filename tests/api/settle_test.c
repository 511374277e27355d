/* Sends that cannot tell, and what is made of them: avito_confirm_sends(). */
#include "support/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define USER 94235311
#define CHAT "u2i-x"
#define OLD  "{\"id\":\"old\",\"author_id\":7,\"created\":100,\"content\":{\"text\":\"?\"},\"type\":\"text\",\"direction\":\"in\"}"
#define OURS "{\"id\":\"new\",\"author_id\":94235311,\"created\":101,\"content\":{\"text\":\"hi\"},\"type\":\"text\",\"direction\":\"out\"}"
#define LIST(rows) "{\"messages\":[" rows "],\"meta\":{\"has_more\":false}}"

static avito_message message;

static const avito_sent_query *baseline(void)
{
    static avito_sent_query q;
    memset(&q, 0, sizeof q);
    q.baseline_id = "old";
    q.baseline_created = 100;
    q.grace_s = 10;
    return &q;
}

/* A send whose connection ends without an answer. */
static void lost_send(struct lane *l)
{
    lane_init(l, 512);
    script_connect(&l->script);
    script_request(&l->script);
    script_end(&l->script);
    assert_int_equal(avito_confirm_sends(&l->client, baseline()), AVITO_OK);
}

static void read_back(struct lane *l, const char *list, bool connects)
{
    if (connects) {
        script_connect(&l->script);
    }
    script_request(&l->script);
    script_answer_json(&l->script, 200, list, strlen(list));
}

static int send_it(struct lane *l)
{
    memset(&message, 0, sizeof message);
    return lane_run(l, avito_send_message(&l->client, USER, CHAT, "hi", &l->arena, &message));
}

static void test_found_at_once(void **state)
{
    struct lane l;
    (void)state;
    lost_send(&l);
    read_back(&l, LIST(OURS "," OLD), true);
    assert_int_equal(send_it(&l), AVITO_OK);
    assert_string_equal(message.id.ptr, "new");
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_SENT);
    assert_false(l.arena.busy);
    assert_null(script_wrong(&l.script));
    lane_free(&l);
}

static void test_found_later(void **state)
{
    struct lane l;
    (void)state;
    lost_send(&l);
    read_back(&l, LIST(OLD), true);
    read_back(&l, LIST(OLD), true);
    read_back(&l, LIST(OURS "," OLD), true);
    assert_int_equal(send_it(&l), AVITO_OK);
    assert_string_equal(message.id.ptr, "new");
    assert_null(script_wrong(&l.script));
    lane_free(&l);
}

/* Absence counts only when the grace time is over. */
static void test_not_there(void **state)
{
    struct lane l;
    (void)state;
    lost_send(&l);
    for (int i = 0; i < 7; i++) { /* at once, then every two seconds; its age is that before the pause */
        read_back(&l, LIST(OLD), true);
    }
    assert_int_equal(send_it(&l), AVITO_ERR_CLOSED);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_null(script_wrong(&l.script));
    lane_free(&l);
}

/* A refusal tells by itself: nothing is read back. */
static void test_nothing_to_settle(void **state)
{
    struct lane l;
    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 404, "{}", 2);
    assert_int_equal(avito_confirm_sends(&l.client, baseline()), AVITO_OK);
    assert_int_equal(send_it(&l), AVITO_ERR_NOT_FOUND);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_null(script_problem_open(&l.script, true));
    lane_free(&l);
}

/* The chat cannot be read either: the send's own error stays, and nobody can tell. */
static void test_no_way_to_tell(void **state)
{
    struct lane l;
    (void)state;
    lost_send(&l);
    script_connect_with(&l.script, 0, AVITO_ERR_CONNECT);
    for (int i = 0; i < 70; i++) {
        script_connect_with(&l.script, 0, AVITO_ERR_CONNECT);
    }
    assert_int_equal(send_it(&l), AVITO_ERR_CLOSED);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_CANNOT_TELL);
    assert_false(l.arena.busy);
    lane_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_at_once),     cmocka_unit_test(test_found_later),
        cmocka_unit_test(test_not_there),         cmocka_unit_test(test_nothing_to_settle),
        cmocka_unit_test(test_no_way_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
