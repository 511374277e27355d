/* Sends that end in "cannot tell", and how avito_confirm_sends() settles them. Rooms: CONFIRMING. */
#include "support/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define USER 94235311
#define CHAT "u2i-x"
#define OLD                                                                                        \
    "{\"id\":\"old\",\"author_id\":7,\"created\":100,\"content\":{\"text\":\"?\"},\"type\":"       \
    "\"text\",\"direction\":\"in\"}"
#define OURS                                                                                       \
    "{\"id\":\"new\",\"author_id\":94235311,\"created\":101,\"content\":{\"text\":\"hi\"},"        \
    "\"type\":\"text\",\"direction\":\"out\"}"
#define ROW(members) "{\"id\":\"m\"," members "}"
#define LIST(rows)   "{\"messages\":[" rows "],\"meta\":{\"has_more\":false}}"

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

/* What was read to its end leaves the connection to the next reading. */
static void test_found_on_the_same_connection(void **state)
{
    struct lane l;
    (void)state;
    lost_send(&l);
    read_back(&l, LIST(""), true);
    read_back(&l, LIST(""), false);
    read_back(&l, LIST(OURS "," OLD), false);
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
    for (int i = 0; i < 7;
         i++) { /* at once, then every two seconds; the age is the one before the pause */
        read_back(&l, LIST(OLD), true);
    }
    assert_int_equal(send_it(&l), AVITO_ERR_CLOSED);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_null(script_wrong(&l.script));
    lane_free(&l);
}

/* A picture is looked for as one: a text of ours is another message. */
static void test_found_picture(void **state)
{
    struct lane l;
    (void)state;
    lost_send(&l);
    read_back(
        &l,
        LIST(OURS "," ROW("\"author_id\":94235311,\"created\":101,\"type\":\"image\",\"direction\":"
                          "\"out\",\"content\":{\"image\":{\"sizes\":{}}}") "," OLD),
        true);
    memset(&message, 0, sizeof message);
    assert_int_equal(
        lane_run(&l, avito_send_image_message(&l.client, USER, CHAT, "1.a", &l.arena, &message)),
        AVITO_OK);
    assert_string_equal(message.id.ptr, "m");
    assert_null(script_wrong(&l.script));
    lane_free(&l);
}

/* A send without `out` has no place for the message that is found: its result stays. */
static void test_nowhere_to_put_it(void **state)
{
    struct lane l;
    (void)state;
    lost_send(&l);
    assert_int_equal(lane_run(&l, avito_send_message(&l.client, USER, CHAT, "hi", NULL, NULL)),
                     AVITO_ERR_CLOSED);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_CANNOT_TELL);
    assert_int_equal(l.script.request_count, 1);
    assert_null(script_wrong(&l.script));
    lane_free(&l);
}

/* A refusal settles it by itself: nothing is read back. */
static void test_nothing_to_settle(void **state)
{
    struct lane l;
    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 404, "{}", 2);
    assert_int_equal(avito_confirm_sends(&l.client, baseline()), AVITO_OK);
    assert_int_equal(send_it(&l), AVITO_ERR_NOT_FOUND);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    lane_end(&l);
}

/* The chat cannot be read either: the send's own error stays, and the outcome is not known. */
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

/* Reading back needs a new token, and the refresh token leaves without an answer: that is
 * reported. */
static void test_refresh_token_may_be_spent(void **state)
{
    struct lane l;
    (void)state;
    lost_send(&l);
    l.stored_refresh = "old";
    script_connect(&l.script);
    script_request(&l.script);
    script_answer_json(&l.script, 401, "{}", 2);
    script_request(&l.script);
    script_end(&l.script);
    for (int i = 0; i < 70; i++) {
        script_connect_with(&l.script, 0, AVITO_ERR_CONNECT);
    }
    assert_int_equal(send_it(&l), AVITO_ERR_CLOSED);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_CANNOT_TELL);
    assert_true(avito_account_refresh_in_doubt(&l.account));
    lane_free(&l);
}

/* ---- what is called meanwhile ---- */

/* A chat that is read back is not a list of the caller's, who gets no row of it and cannot end
 * it. */
static void be_curious(struct lane *l)
{
    avito_message other;
    memset(&other, 0, sizeof other);
    assert_false(avito_list_open(&l->client));
    assert_int_equal(avito_next_message(&l->client, &other), AVITO_ERR_IDLE);
    assert_int_equal(avito_list_end(&l->client, 1000), AVITO_OK);
    assert_int_equal(avito_confirm_sends(&l->client, NULL), AVITO_ERR_BUSY);
    assert_null(other.id.ptr);
}

static int run_curiously(struct lane *l, int rc)
{
    while (rc == AVITO_AGAIN) {
        be_curious(l);
        clock_advance(&l->clock, avito_wants(&l->client) == AVITO_WANT_TIMER ? 2000 : 1);
        rc = avito_step(&l->client);
    }
    return rc;
}

static void test_nobody_takes_the_rows(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 90; piece++) {
        struct lane l;
        avito_sent_query q = *baseline();
        avito_outcome outcome = AVITO_NOT_SENT;
        int rc;
        q.text = "hi";
        lost_send(&l);
        read_back(&l, LIST(OLD), true);
        read_back(&l, LIST(OURS "," OLD), true);
        read_back(&l, LIST(OURS "," OLD), true);
        l.script.again = true;
        l.script.recv_piece = piece;
        memset(&message, 0, sizeof message);
        rc = avito_send_message(&l.client, USER, CHAT, "hi", &l.arena, &message);
        assert_int_equal(run_curiously(&l, rc), AVITO_OK);
        assert_string_equal(message.id.ptr, "new");
        memset(&message, 0, sizeof message);
        avito_client_close(&l.client);
        rc = avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena, &outcome, &message);
        assert_int_equal(run_curiously(&l, rc), AVITO_OK);
        assert_int_equal(outcome, AVITO_SENT);
        assert_string_equal(message.id.ptr, "new");
        assert_null(script_wrong(&l.script));
        lane_free(&l);
    }
}

/* Asking again and again, as it says, does not use up the arena: only what was found stays
 * there. */
static void test_asked_again(void **state)
{
    struct lane l;
    avito_sent_query q = *baseline();
    avito_outcome outcome;
    size_t used;
    (void)state;
    lane_init(&l, 512);
    q.text = "hi";
    read_back(&l, LIST(OLD), true); /* up to the baseline, and up to an older row */
    read_back(&l, LIST(ROW("\"created\":99,\"direction\":\"in\"")), true);
    read_back(&l, LIST(OURS "," OLD), true);
    for (int i = 0; i < 3; i++) {
        q.age_s = i == 0 ? 0 : 100;
        used = l.arena.used;
        assert_int_equal(lane_run(&l, avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena,
                                                         &outcome, &message)),
                         AVITO_OK);
        assert_int_equal(outcome, i == 0   ? AVITO_CANNOT_TELL
                                  : i == 1 ? AVITO_NOT_SENT
                                           : AVITO_SENT);
        assert_int_equal(l.arena.used > used, i == 2);
    }
    assert_string_equal(message.id.ptr, "new");
    assert_true(message.id.ptr > l.arena.base && message.id.ptr < l.arena.base + l.arena.used);
    lane_end(&l);
}

/* A server may keep ends of lines in its own way, and blanks at the ends: it is the same text. */
static void test_ends_of_lines(void **state)
{
    static const struct {
        const char *sent, *listed;
        avito_outcome outcome;
    } rows[] = {{"a\nb", "a\\r\\nb", AVITO_SENT},
                {"a\r\nb\r", "a\\nb", AVITO_SENT},
                {"a\nb", " a\\nb\\r\\n", AVITO_SENT},
                {"a\nb", "a\\r\\rb", AVITO_NOT_SENT},
                {"a\nb", "a\\n\\nb", AVITO_NOT_SENT}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        avito_sent_query q = *baseline();
        avito_outcome outcome;
        char list[300];
        struct lane l;

        lane_init(&l, 512);
        (void)snprintf(
            list, sizeof list,
            LIST(ROW("\"author_id\":94235311,\"created\":101,\"content\":{\"text\":\"%s\"},"
                     "\"type\":\"text\",\"direction\":\"out\"") "," OLD),
            rows[i].listed);
        read_back(&l, list, true);
        q.text = rows[i].sent;
        q.age_s = 100;
        assert_int_equal(lane_run(&l, avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena,
                                                         &outcome, &message)),
                         AVITO_OK);
        assert_int_equal(outcome, rows[i].outcome);
        lane_free(&l);
    }
}

/* Ids that are claimed need an array. */
static void test_claims_without_an_array(void **state)
{
    static const char *const claimed[] = {"m"};
    avito_sent_query q = *baseline();
    avito_outcome outcome = AVITO_SENT;
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    q.text = "hi";
    q.claimed_count = 1;
    assert_int_equal(avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena, &outcome, &message),
                     AVITO_ERR_ARGUMENT);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    assert_int_equal(avito_confirm_sends(&l.client, &q), AVITO_ERR_ARGUMENT);
    q.claimed = claimed;
    assert_int_equal(avito_confirm_sends(&l.client, &q), AVITO_OK);
    read_back(&l, LIST(OURS "," OLD), true);
    assert_int_equal(
        lane_run(&l, avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena, &outcome, &message)),
        AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    q.claimed = NULL;
    q.claimed_count = 0;
    assert_int_equal(avito_confirm_sends(&l.client, &q), AVITO_OK);
    lane_free(&l);
}

/* A page of a long chat, whose row i is "m<i>" and a second older than the row before. `top` instead of row 0. */
static void read_page(struct lane *l, int from, const char *top)
{
    static char page[20000];
    size_t n = (size_t)snprintf(page, sizeof page, "{\"messages\":[%s", from == 0 ? top : "");
    for (int i = (from == 0 && *top != '\0') ? 1 : from; i < from + 100; i++) {
        n += (size_t)snprintf(
            page + n, sizeof page - n,
            "%s{\"id\":\"m%d\",\"created\":%d,\"type\":\"text\",\"direction\":\"in\","
            "\"content\":{\"text\":\"x\"}}",
            page[n - 1] == '[' ? "" : ",", i, 5000 - i);
    }
    (void)snprintf(page + n, sizeof page - n, "],\"meta\":{\"has_more\":true}}");
    read_back(l, page, false);
}

/* The service shows a limited number of rows. A list that ends at this limit says nothing about older
 * messages. */
static void test_chat_that_is_longer_than_the_list(void **state)
{
    avito_sent_query q = *baseline();
    avito_outcome outcome;
    struct lane l;
    int from;

    (void)state;
    lane_init(&l, 512);
    script_connect(&l.script);
    for (from = 0; from <= 1000; from += 96) { /* pages of 100 overlap by 4 rows */
        read_page(&l, from, "");
    }
    q.text = "hi";
    q.baseline_id = NULL; /* the chat was empty */
    q.age_s = 100;
    assert_int_equal(
        lane_run(&l, avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena, &outcome, &message)),
        AVITO_OK);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    assert_true(avito_list_has_more(&l.client));
    lane_end(&l);
}

/* Our text in the baseline's own second is newer if it is above the baseline, which costs a
 * second look. Without the baseline, which may have been deleted, it may be an older message. */
static void test_second_of_the_baseline(void **state)
{
    static const char ours[] = "{\"id\":\"new\",\"author_id\":94235311,\"created\":100,\"content\":"
                               "{\"text\":\"hi\"},\"type\":\"text\",\"direction\":\"out\"}";
    static const struct {
        const char *above, *below;
        avito_outcome outcome;
        int looks;
    } chats[] = {
        {ours, "," OLD, AVITO_SENT, 2},
        {OURS, "," OLD, AVITO_SENT, 1},
        {ours, "", AVITO_CANNOT_TELL, 1},
        {ours, ",{\"id\":\"older\",\"created\":99,\"direction\":\"in\"}", AVITO_CANNOT_TELL, 1},
        {"{\"id\":\"his\",\"created\":100,\"direction\":\"in\"}", "," OLD, AVITO_NOT_SENT, 1},
        {"{\"id\":\"his\",\"created\":100,\"direction\":\"in\"}", "", AVITO_NOT_SENT, 1},
        {OLD,
         ",{\"id\":\"older\",\"created\":100,\"content\":{\"text\":\"hi\"},\"type\":\"text\","
         "\"direction\":\"out\"}",
         AVITO_NOT_SENT, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof chats / sizeof chats[0]; i++) {
        struct lane l;
        avito_sent_query q = *baseline();
        avito_outcome outcome;
        char list[1000];
        (void)snprintf(list, sizeof list, "{\"messages\":[%s%s],\"meta\":{\"has_more\":false}}",
                       chats[i].above, chats[i].below);
        lane_init(&l, 512);
        q.text = "hi";
        q.age_s = 100;
        for (int look = 0; look < chats[i].looks; look++) {
            read_back(&l, list, true);
        }
        assert_int_equal(lane_run(&l, avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena,
                                                         &outcome, &message)),
                         AVITO_OK);
        assert_int_equal(outcome, chats[i].outcome);
        assert_true(outcome != AVITO_SENT || strcmp(message.id.ptr, "new") == 0);
        lane_end(&l);
    }
}

/* The second look begins at the newest row, although the first one ended on another page. */
static void test_second_look_at_a_long_chat(void **state)
{
    static const char ours[] =
        "{\"id\":\"new\",\"author_id\":94235311,\"created\":4900,\"content\":"
        "{\"text\":\"hi\"},\"type\":\"text\",\"direction\":\"out\"}";
    avito_sent_query q = *baseline();
    avito_outcome outcome;
    struct lane l;
    (void)state;
    lane_init(&l, 512);
    script_connect(&l.script);
    read_page(&l, 0, ours);
    read_page(&l, 96, "");
    script_connect(&l.script);
    read_page(&l, 0, ours);
    q.text = "hi";
    q.baseline_id = "m100";
    q.baseline_created = 4900;
    assert_int_equal(
        lane_run(&l, avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena, &outcome, &message)),
        AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    assert_int_equal(l.script.requests[2].len, l.script.requests[0].len);
    assert_memory_equal(l.script.sent + l.script.requests[2].at,
                        l.script.sent + l.script.requests[0].at, l.script.requests[0].len);
    assert_null(script_wrong(&l.script));
    lane_free(&l);
}

/* A send that settles itself looks again in each of its rounds. */
static void test_second_of_the_baseline_settled(void **state)
{
    static const char ours[] =
        LIST("{\"id\":\"new\",\"author_id\":94235311,\"created\":100,\"content\":{\"text\":\"hi\"},"
             "\"type\":\"text\",\"direction\":\"out\"}," OLD);
    struct lane l;
    (void)state;
    lost_send(&l);
    read_back(&l, LIST(OLD), true);
    read_back(&l, ours, true);
    read_back(&l, ours, true);
    assert_int_equal(send_it(&l), AVITO_OK);
    assert_string_equal(message.id.ptr, "new");
    assert_null(script_wrong(&l.script));
    lane_free(&l);
}

/* The second look may be retried like the first: the caller got no row of either. */
static void test_second_look_is_tried_again(void **state)
{
    static const char ours[] =
        LIST("{\"id\":\"new\",\"author_id\":94235311,\"created\":100,\"content\":{\"text\":\"hi\"},"
             "\"type\":\"text\",\"direction\":\"out\"}," OLD);
    avito_sent_query q = *baseline();
    avito_outcome outcome;
    struct lane l;
    (void)state;
    lane_init_retries(&l, 512, 1);
    q.text = "hi";
    lane_exchange(&l, 200, ours, sizeof ours - 1);
    script_end(&l.script);
    script_connect_with(&l.script, 0, AVITO_ERR_CONNECT);
    lane_exchange(&l, 200, ours, sizeof ours - 1);
    assert_int_equal(
        lane_run(&l, avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena, &outcome, &message)),
        AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    assert_null(script_wrong(&l.script));
    lane_free(&l);
}

/* Without the baseline, which was deleted, a row of its second shows that a round has read far enough; that an
 * earlier round did shows nothing. */
static void test_each_round_reads_far_enough(void **state)
{
    static const char newer[] = LIST(ROW("\"created\":101,\"direction\":\"in\""));
    struct lane l;
    (void)state;
    lost_send(&l);
    read_back(&l, LIST(ROW("\"created\":100,\"direction\":\"in\"")), true);
    for (int i = 0; i < 10; i++) {
        read_back(&l, newer, false);
    }
    script_request(&l.script);
    script_answer_json(&l.script, 404, "{}", 2); /* that ends it */
    assert_int_equal(send_it(&l), AVITO_ERR_CLOSED);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_CANNOT_TELL);
    lane_end(&l);
}

/* A round that breaks off after it saw a row of the baseline's second leaves no second look to the next
 * one. */
static void test_second_of_the_baseline_is_forgotten(void **state)
{
    static const char broken[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"messages\":["
        "{\"id\":\"twin\",\"author_id\":94235311,\"created\":100,\"content\":{\"text\":\"hi\"},"
        "\"type\":\"text\",\"direction\":\"out\"}";
    avito_sent_query q = *baseline();
    struct lane l;
    (void)state;
    lost_send(&l);
    q.grace_s = 1;
    assert_int_equal(avito_confirm_sends(&l.client, &q), AVITO_OK);
    read_back(&l, LIST(OLD), true);
    lane_exchange_raw(&l, broken, sizeof broken - 1);
    script_end(&l.script);
    read_back(&l, LIST(OLD), true);
    assert_int_equal(send_it(&l), AVITO_ERR_CLOSED);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
    assert_null(script_problem_open(&l.script, true));
    lane_free(&l);
}

/* The error of a send is not that of the requests which were to settle it. The chat that is refused is not
 * asked for again: the script has no second refusal. */
static void test_error_of_a_settled_send(void **state)
{
    static const char refusal[] =
        "HTTP/1.1 403 No\r\nRetry-After: 9\r\nContent-Length: 60\r\n\r\n"
        "{\"error\":{\"code\":7,\"message\":\"Permission denied, sorry!!\"}}";
    const avito_error *e;
    struct lane l;
    (void)state;
    lost_send(&l);
    lane_exchange_raw(&l, refusal, sizeof refusal - 1);
    e = avito_last_error(&l.client);
    assert_int_equal(send_it(&l), AVITO_ERR_CLOSED);
    assert_int_equal(e->outcome, AVITO_CANNOT_TELL);
    assert_int_equal(e->http_status, 0);
    assert_int_equal(e->api_code, 0);
    assert_int_equal(e->retry_after_s, 0);
    assert_string_equal(e->text, "");
    assert_string_equal(l.error_body, "");
    lane_free(&l);
}

/* A token that the service refuses to renew is not asked for again either, for two minutes every two seconds
 * (seed 117523). A failure of the service, and 429, are passed over. */
static void test_refused_token_ends_settling(void **state)
{
    static const char invalid[] = "{\"error\":\"invalid_grant\"}";
    struct lane l;
    (void)state;
    lost_send(&l);
    l.stored_refresh = "old";
    script_connect(&l.script);
    script_request(&l.script);
    script_answer_json(&l.script, 429, "{}", 2);
    script_request(&l.script);
    script_answer_json(&l.script, 503, "{}", 2);
    script_request(&l.script);
    script_answer_json(&l.script, 401, "{}", 2);
    script_request(&l.script);
    script_answer_json(&l.script, 400, invalid, sizeof invalid - 1);
    assert_int_equal(send_it(&l), AVITO_ERR_CLOSED);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_CANNOT_TELL);
    lane_end(&l);
}

/* After a wrong call, the former value of the caller's variable does not look like a "no". */
static void test_refused_confirmation_cannot_tell(void **state)
{
    struct lane l;
    avito_outcome outcome;
    (void)state;
    lost_send(&l);
    outcome = AVITO_NOT_SENT;
    assert_int_equal(
        avito_confirm_sent(&l.client, USER, "", baseline(), &l.arena, &outcome, &message),
        AVITO_ERR_ID);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    outcome = AVITO_NOT_SENT;
    assert_int_equal(avito_confirm_sent(&l.client, USER, CHAT, NULL, &l.arena, &outcome, &message),
                     AVITO_ERR_ARGUMENT);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    l.script.again = true;
    assert_int_equal(avito_send_message(&l.client, USER, CHAT, "hi", &l.arena, &message),
                     AVITO_AGAIN);
    outcome = AVITO_NOT_SENT;
    assert_int_equal(
        avito_confirm_sent(&l.client, USER, CHAT, baseline(), &l.arena, &outcome, &message),
        AVITO_ERR_BUSY);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    lane_free(&l);
}

/* ---- which rows stand for our message, and which for none ---- */

#define TEXT   "Hello https://a.b"
#define NEW    "\"created\":105,"
#define OUT    "\"direction\":\"out\","
#define IN     "\"direction\":\"in\","
#define TARIFF "Перейдите на подписку с API мессенджера, чтобы получить доступ к чатам"

struct found {
    const char *row;
    avito_outcome outcome;
};

/* Confirms `text`, or an image, after the grace time, in a chat with this row. */
static void confirm(const struct found *f, const char *text, uint32_t age_s)
{
    struct lane l;
    avito_sent_query q = *baseline();
    avito_outcome outcome = AVITO_NOT_SENT;
    char list[1000];
    int rc;
    (void)snprintf(list, sizeof list, "{\"messages\":[%s," OLD "],\"meta\":{\"has_more\":false}}",
                   f->row);
    lane_init(&l, 512);
    lane_exchange(&l, 200, list, strlen(list));
    q.text = text;
    q.age_s = age_s;
    rc = lane_run(&l, avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena, &outcome, &message));
    if (rc != AVITO_OK || outcome != f->outcome) {
        fail_msg("%d, outcome %d and not %d: %s", rc, (int)outcome, (int)f->outcome, f->row);
    }
    assert_true(outcome != AVITO_SENT || strcmp(message.id.ptr, "m") == 0);
    lane_end(&l);
}

static void test_rows_that_may_be_a_text(void **state)
{
    static const struct found rows[] = {
        {ROW(NEW OUT "\"type\":\"text\",\"content\":{\"text\":\"" TEXT "\"}"), AVITO_SENT},
        {ROW(NEW OUT "\"type\":\"link\",\"content\":{\"link\":{\"text\":\"" TEXT
                     "\",\"url\":\"https://a.b\"}}"),
         AVITO_SENT},
        /* whatever it was, it cannot be read */
        {ROW(NEW OUT "\"type\":\"text\",\"content\":{\"text\":\"" TARIFF "\"}"), AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"type\":\"text\""), AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"type\":\"text\",\"content\":null"), AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"type\":\"text\",\"content\":{}"), AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"type\":\"text\",\"content\":{\"text\":null}"), AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"type\":\"link\",\"content\":{\"link\":null}"), AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"type\":\"link\",\"content\":{\"link\":{\"url\":\"https://a.b\"}}"),
         AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"type\":\"richtext\",\"content\":{\"rich\":{\"text\":\"" TEXT "\"}}"),
         AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"content\":{}"), AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"type\":\"deleted\",\"content\":{}"), AVITO_CANNOT_TELL},
        {ROW(NEW "\"type\":\"text\",\"content\":{\"text\":\"" TEXT "\"}"), AVITO_CANNOT_TELL},
        {ROW(OUT "\"type\":\"text\",\"content\":{\"text\":\"" TEXT "\"}"), AVITO_CANNOT_TELL},
        {ROW("\"created\":0," OUT "\"type\":\"text\",\"content\":{\"text\":\"" TEXT "\"}"),
         AVITO_CANNOT_TELL},
        /* older than the baseline by what it says, but no time of the service */
        {ROW("\"created\":-9223372036854775808," OUT
             "\"type\":\"text\",\"content\":{\"text\":\"" TEXT "\"}"),
         AVITO_CANNOT_TELL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        confirm(&rows[i], TEXT, 100);
    }
}

/* A row that is certainly not our text does not prevent a "no"; but before the grace time nothing
 * is certain. */
static void test_rows_that_are_not_the_text(void **state)
{
    static const struct found rows[] = {
        {ROW(NEW OUT "\"type\":\"text\",\"content\":{\"text\":\"another\"}"), AVITO_NOT_SENT},
        {ROW(NEW OUT "\"type\":\"link\",\"content\":{\"link\":{\"text\":\"https://c.d\"}}"),
         AVITO_NOT_SENT},
        {ROW(NEW OUT "\"type\":\"image\",\"content\":{\"image\":{\"sizes\":{\"1x1\":\"u\"}}}"),
         AVITO_NOT_SENT},
        {ROW(NEW IN "\"type\":\"text\",\"content\":{\"text\":\"" TEXT "\"}"), AVITO_NOT_SENT},
        {ROW(NEW IN "\"type\":\"text\",\"content\":{\"text\":\"" TARIFF "\"}"), AVITO_NOT_SENT},
        {ROW(NEW IN "\"type\":\"text\",\"content\":null"), AVITO_NOT_SENT},
        {ROW(NEW IN "\"type\":\"richtext\",\"content\":{}"), AVITO_NOT_SENT},
        {ROW(NEW IN "\"type\":\"deleted\",\"content\":{}"), AVITO_NOT_SENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct found early = {rows[i].row, AVITO_CANNOT_TELL};
        confirm(&rows[i], TEXT, 100);
        confirm(&early, TEXT, 9);
    }
}

/* A second that has none before it is never counted down. */
static void test_times_that_are_none(void **state)
{
    static const char list[] = LIST(ROW(
        "\"created\":-9223372036854775808," OUT "\"type\":\"text\",\"content\":{\"text\":\"" TEXT
        "\"}") ","
               "{\"id\":\"old\",\"created\":-9223372036854775808," IN
               "\"type\":\"text\",\"content\":{\"text\":\"?\"}}");
    avito_sent_query q = *baseline();
    avito_outcome outcome = AVITO_NOT_SENT;
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    lane_exchange(&l, 200, list, strlen(list));
    q.text = TEXT;
    q.baseline_created = INT64_MIN;
    q.age_s = 100;
    assert_int_equal(
        lane_run(&l, avito_confirm_sent(&l.client, USER, CHAT, &q, &l.arena, &outcome, &message)),
        AVITO_OK);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    lane_end(&l);
}

static void test_rows_that_may_be_an_image(void **state)
{
    static const struct found rows[] = {
        {ROW(NEW OUT "\"type\":\"image\",\"content\":{\"image\":{\"sizes\":{\"1x1\":\"u\"}}}"),
         AVITO_SENT},
        {ROW(NEW OUT "\"type\":\"text\",\"content\":{\"text\":\"another\"}"), AVITO_NOT_SENT},
        {ROW(NEW OUT "\"type\":\"text\",\"content\":{\"text\":\"" TARIFF "\"}"), AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"type\":\"picture\",\"content\":{}"), AVITO_CANNOT_TELL},
        {ROW(NEW OUT "\"content\":{}"), AVITO_CANNOT_TELL},
        {ROW(OUT "\"type\":\"image\",\"content\":{\"image\":{\"sizes\":{\"1x1\":\"u\"}}}"),
         AVITO_CANNOT_TELL},
        {ROW(NEW "\"type\":\"image\",\"content\":{\"image\":{\"sizes\":{\"1x1\":\"u\"}}}"),
         AVITO_CANNOT_TELL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        confirm(&rows[i], NULL, 100);
    }
}

/* The same in a send that settles itself: what cannot be read stays in doubt when the time is over. */
static void test_settled_by_what_cannot_be_read(void **state)
{
    static const char tariff[] =
        LIST(ROW(NEW OUT "\"type\":\"text\",\"content\":{\"text\":\"" TARIFF "\"}") "," OLD);
    struct lane l;
    (void)state;
    lost_send(&l);
    for (int i = 0; i < 80; i++) {
        read_back(&l, tariff, true);
    }
    assert_int_equal(send_it(&l), AVITO_ERR_CLOSED);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_CANNOT_TELL);
    assert_true(l.script.request_count > 7);
    assert_null(script_wrong(&l.script));
    lane_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_at_once),
        cmocka_unit_test(test_found_later),
        cmocka_unit_test(test_found_on_the_same_connection),
        cmocka_unit_test(test_found_picture),
        cmocka_unit_test(test_nowhere_to_put_it),
        cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_nothing_to_settle),
        cmocka_unit_test(test_no_way_to_tell),
        cmocka_unit_test(test_nobody_takes_the_rows),
        cmocka_unit_test(test_refresh_token_may_be_spent),
        cmocka_unit_test(test_refused_confirmation_cannot_tell),
        cmocka_unit_test(test_asked_again),
        cmocka_unit_test(test_ends_of_lines),
        cmocka_unit_test(test_claims_without_an_array),
        cmocka_unit_test(test_chat_that_is_longer_than_the_list),
        cmocka_unit_test(test_second_of_the_baseline),
        cmocka_unit_test(test_second_of_the_baseline_settled),
        cmocka_unit_test(test_second_look_at_a_long_chat),
        cmocka_unit_test(test_second_look_is_tried_again),
        cmocka_unit_test(test_second_of_the_baseline_is_forgotten),
        cmocka_unit_test(test_each_round_reads_far_enough),
        cmocka_unit_test(test_error_of_a_settled_send),
        cmocka_unit_test(test_refused_token_ends_settling),
        cmocka_unit_test(test_rows_that_may_be_a_text),
        cmocka_unit_test(test_rows_that_are_not_the_text),
        cmocka_unit_test(test_times_that_are_none),
        cmocka_unit_test(test_rows_that_may_be_an_image),
        cmocka_unit_test(test_settled_by_what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
