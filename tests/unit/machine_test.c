/*
 * The call machine's states: every state with every event, what the table allows and nothing else;
 * what a lane says of itself in every state; and cancelling, ending and starting in each of them.
 * The inbox's phases with every event, too.
 * Rooms: CALL, CALL MACHINE, INBOX: WHAT IT REMEMBERS, INBOX: LISTS.
 */
#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/dump.h"
#include "support/inside.h"

/* clang-format off */
/* Rows: states; columns: events, in the order of their enums. '-': not allowed. Else the next state. */
static const char *const table[AVITOI_CALL_STATES] = {
    /*            S  T  C  W  A  E  N  R  D  X                                        */
    /* IDLE    */ "1" "-" "-" "-" "-" "-" "-" "-" "-" "0",
    /* ACCOUNT */ "-" "2" "-" "-" "-" "-" "-" "1" "-" "0",
    /* CONNECT */ "-" "-" "3" "-" "-" "-" "-" "1" "-" "0",
    /* SEND    */ "-" "-" "-" "4" "5" "-" "-" "1" "-" "0",
    /* HEAD    */ "-" "-" "-" "-" "5" "-" "-" "1" "-" "0",
    /* BODY    */ "-" "-" "-" "-" "-" "6" "-" "1" "7" "0",
    /* ROW     */ "-" "-" "-" "-" "-" "-" "5" "-" "7" "0",
    /* DRAIN   */ "-" "-" "-" "-" "-" "-" "-" "1" "-" "0",
};
/* clang-format on */

static void test_every_state_with_every_event(void **state)
{
    (void)state;
    assert_int_equal(AVITOI_CALL_IDLE, 0);
    assert_int_equal(AVITOI_CALL_DRAIN, 7);
    for (unsigned from = 0; from < AVITOI_CALL_STATES; from++) {
        assert_int_equal(strlen(table[from]), AVITOI_CALL_EVENTS);
        for (unsigned event = 0; event < AVITOI_CALL_EVENTS; event++) {
            const char expected = table[from][event];
            avito_client c;
            int rc;
            memset(&c, 0, sizeof c);
            c.priv.state = (uint8_t)from;
            rc = avitoi_call_move(&c, event);
            if ((rc == AVITOI_CALL_MOVED) != (expected != '-') ||
                c.priv.state != (expected == '-' ? (int)from : expected - '0')) {
                fail_msg("state %u, event %u: %d, then state %u", from, event, rc, c.priv.state);
            }
            assert_true(rc == AVITOI_CALL_MOVED || rc < 0);
        }
    }
}

/* clang-format off */
static const char *const phases[AVITOI_INBOX_STATES] = {
    /*            P  O  C  K  H  O  M  R                                              */
    /* WAIT    */ "1" "2" "3" "-" "-" "6" "-" "0",
    /* SCAN    */ "1" "2" "-" "-" "-" "-" "-" "0",
    /* NEXT    */ "1" "-" "3" "-" "-" "-" "-" "0",
    /* READ    */ "-" "-" "3" "4" "-" "-" "-" "0",
    /* GIVE    */ "-" "2" "3" "-" "5" "-" "7" "0",
    /* HANDED  */ "-" "-" "-" "4" "-" "-" "-" "-",
    /* OFFERED */ "-" "-" "-" "-" "-" "-" "-" "0",
    /* MARK    */ "-" "-" "3" "-" "-" "-" "7" "0",
};
/* clang-format on */

/* Each change of phase forgets what belonged to the list before. */
static void test_every_phase_with_every_event(void **state)
{
    (void)state;
    assert_int_equal(AVITOI_INBOX_WAIT, 0);
    assert_int_equal(AVITOI_INBOX_MARK, 7);
    for (unsigned from = 0; from < AVITOI_INBOX_STATES; from++) {
        assert_int_equal(strlen(phases[from]), AVITOI_INBOX_EVENTS);
        for (unsigned event = 0; event < AVITOI_INBOX_EVENTS; event++) {
            const bool moves = phases[from][event] != '-';
            avito_inbox in;
            memset(&in, 0, sizeof in);
            in.priv.phase = (uint8_t)from;
            in.priv.open = true;
            in.priv.rows = 9;
            assert_int_equal(avitoi_inbox_move(&in, event),
                             moves ? AVITOI_CALL_MOVED : AVITO_ERR_ARGUMENT);
            assert_int_equal(in.priv.phase, moves ? (unsigned)phases[from][event] - '0' : from);
            assert_int_equal(in.priv.open, !moves);
            assert_int_equal(in.priv.rows, moves ? 0 : 9);
        }
    }
}

/* A list of messages, step by step through every state; the lane stops in the wanted one. */
static void begin_list(struct lane *l)
{
    static const char body[] = "{\"messages\":[{\"id\":\"1\"},{\"id\":\"2\"}]}";

    lane_init(l, 512);
    script_connect_with(&l->script, 1, AVITO_OK);
    script_request(&l->script);
    script_answer_json(&l->script, 200, body, sizeof body - 1);
    lane_exchange(l, 200, "{\"id\":9}", 8);
    l->script.send_piece = 20;
    l->script.recv_piece = 3;
    l->script.again = l->script.send_again = true;
    l->account_options.requests_per_minute = 60;
    lane_again(l, 512);
}

/* Takes the lane to `state`; returns what its last call or step gave. */
static int reach(struct lane *l, unsigned state)
{
    avito_message *m = (avito_message *)(void *)(l->room + 60000);
    int rc;

    if (state == AVITOI_CALL_IDLE) {
        return AVITO_OK;
    }
    if (state ==
        AVITOI_CALL_ACCOUNT) { /* waits for its turn: the request before it has just left */
        l->account.rate.gate_ms = l->clock.ms;
        l->account.rate.gate_wait_ms = 500;
    }
    rc = avito_list_messages(&l->client, 1, "c", NULL, &l->arena);
    for (int i = 0; i < 10000; i++) {
        if (l->client.priv.state == state) {
            return rc;
        }
        if (l->client.priv.state == AVITOI_CALL_ROW) {
            rc = state == AVITOI_CALL_DRAIN ? avito_list_end(&l->client, 10000)
                                            : avito_next_message(&l->client, m);
        } else {
            assert_int_equal(rc, AVITO_AGAIN);
            rc = avito_step(&l->client);
        }
    }
    fail_msg("state %u was not reached", state);
    return rc;
}

/* The pause between two requests is rounded up. */
static void test_rate_is_not_exceeded(void **state)
{
    static const uint32_t rates[] = {1, 7, 240, 900, 59999};
    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct lane l;
        begin_list(&l);
        l.account.o.requests_per_minute = rates[i];
        avitoi_rate_gate_pass(&l.account);
        assert_true(l.account.rate.gate_wait_ms * rates[i] >= 60000);
        assert_true((l.account.rate.gate_wait_ms - 1) * rates[i] < 60000);
        lane_free(&l);
    }
}

static void test_what_a_lane_says_in_every_state(void **state)
{
    (void)state;
    for (unsigned s = 0; s < AVITOI_CALL_STATES; s++) {
        const bool waits = s != AVITOI_CALL_IDLE && s != AVITOI_CALL_ROW;
        struct lane l;
        begin_list(&l);
        (void)reach(&l, s);
        assert_int_equal(l.client.priv.state, s);
        assert_int_equal(avito_wants(&l.client) != 0, waits);
        assert_int_equal(avito_deadline_ms(&l.client) != UINT32_MAX, waits);
        assert_int_equal(avito_list_open(&l.client), s != AVITOI_CALL_IDLE);
        assert_int_equal(l.arena.busy, s != AVITOI_CALL_IDLE);
        if (s == AVITOI_CALL_ACCOUNT) {
            assert_int_equal(avito_wants(&l.client), AVITO_WANT_TIMER);
            assert_int_equal(avito_deadline_ms(&l.client), 500);
        }
        if (!waits) {
            assert_int_equal(avito_step(&l.client), AVITO_ERR_IDLE);
        }
        lane_free(&l);
    }
}

/* Another lane was told to wait for longer than this call may take: the deadline is the call's. */
static void test_gate_that_closes_meanwhile(void **state)
{
    struct lane l;

    (void)state;
    begin_list(&l);
    (void)reach(&l, AVITOI_CALL_ACCOUNT);
    l.account.rate.gate_ms = l.clock.ms;
    l.account.rate.gate_wait_ms = 86400000;
    assert_int_equal(avito_deadline_ms(&l.client), l.client.priv.total_left_ms);
    lane_free(&l);
}

static int wants_timer(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_TIMER;
}

/* A connect that waits for no bytes is asked again soon, and not beyond its own time. */
static void test_connect_that_waits_for_no_bytes(void **state)
{
    avito_transport_functions functions;
    struct lane l;

    (void)state;
    begin_list(&l);
    (void)reach(&l, AVITOI_CALL_CONNECT);
    functions = *l.client.o.transport.functions;
    functions.wants = wants_timer;
    l.client.o.transport.functions = &functions;
    (void)avito_step(&l.client);
    l.client.priv.state = AVITOI_CALL_CONNECT;
    l.client.priv.connecting = true;
    l.client.priv.eager = false;
    l.client.priv.idle_left_ms = 5000;
    assert_int_equal(avito_deadline_ms(&l.client), 100);
    l.client.priv.idle_left_ms = 40;
    assert_int_equal(avito_deadline_ms(&l.client), 40);
    l.client.priv.connecting = false;
    lane_free(&l);
}

/* In every state: a call is refused; cancel, close or list_end free the lane, and it works again. */
static void test_leaving_every_state(void **state)
{
    (void)state;
    for (unsigned s = 0; s < AVITOI_CALL_STATES; s++) {
        for (int how = 0; how < 4; how++) {
            avito_self self = {0};
            struct lane l;
            bool kept;
            begin_list(&l);
            (void)reach(&l, s);
            if (s != AVITOI_CALL_IDLE) {
                assert_int_equal(avito_mark_chat_as_read(&l.client, 1, "c"), AVITO_ERR_BUSY);
                assert_int_equal(l.client.priv.state, s);
            }
            if (how == 0) {
                avito_cancel(&l.client);
                assert_int_equal(avito_last_error(&l.client)->code,
                                 s == AVITOI_CALL_IDLE ? AVITO_OK : AVITO_ERR_CANCELLED);
            } else if (how == 1) {
                avito_client_close(&l.client);
            } else {
                int rc = lane_run(&l, avito_list_end(&l.client, how == 2 ? 0 : 10000));
                if (rc != AVITO_OK) {
                    fail_msg("state %u: %s, %s", s, dump_result_name(rc), script_wrong(&l.script));
                }
            }
            /* a drain that has begun keeps its settings */
            kept = (how == 3 && s >= AVITOI_CALL_BODY) || (how == 2 && s == AVITOI_CALL_DRAIN);
            assert_int_equal(l.client.priv.state, AVITOI_CALL_IDLE);
            if (l.script.open != kept) {
                fail_msg("state %u, way %d: the connection is %s", s, how,
                         kept ? "closed" : "open");
            }
            assert_false(avito_list_open(&l.client));
            assert_false(l.arena.busy);
            assert_int_equal(avito_wants(&l.client), 0);
            if (kept) { /* the next request goes over the same connection: skip the connect */
                avito_client_close(&l.client);
            }
            if (l.script.step < 3) { /* the list's connection was given up before it began */
                l.script.step = 3;
            }
            clock_advance(&l.clock, 2000);
            assert_int_equal(lane_run(&l, avito_get_self(&l.client, &l.arena, &self)), AVITO_OK);
            assert_int_equal(self.id, 9);
            assert_null(script_wrong(&l.script));
            lane_free(&l);
        }
    }
}

/* A list that was started on a lane that may not wait has to be stepped until it has begun. */
static void test_next_before_the_list_has_begun(void **state)
{
    (void)state;
    for (unsigned s = AVITOI_CALL_ACCOUNT; s <= AVITOI_CALL_HEAD; s++) {
        avito_message m;
        struct lane l;
        int rc;
        begin_list(&l);
        (void)reach(&l, s);
        memset(&m, 0, sizeof m);
        rc = lane_run(&l, avito_next_message(&l.client, &m));
        assert_int_equal(rc, AVITO_OK);
        assert_string_equal(m.id.ptr, "1"); /* an element, never only the list's beginning */
        lane_free(&l);
    }
}

/* Of a large arena the queue of chats has an eighth, as long as one chat fits and a page of them does. */
static void test_share_of_the_queue(void **state)
{
    static const struct {
        size_t arena, room;
    } rows[] = {{8, AVITOI_INBOX_QUEUE_MIN},
                {8000, 1000},
                {8063, 1000},
                {8064, 1008},
                {38400, 4800},
                {38464, 4800}};
    avito_arena arena;
    avito_inbox in;
    (void)state;
    memset(&in, 0, sizeof in);
    memset(&arena, 0, sizeof arena);
    in.o.arena = &arena;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        arena.cap = rows[i].arena;
        assert_int_equal(avitoi_inbox_queue_room(&in), rows[i].room);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_with_every_event),
        cmocka_unit_test(test_every_phase_with_every_event),
        cmocka_unit_test(test_rate_is_not_exceeded),
        cmocka_unit_test(test_what_a_lane_says_in_every_state),
        cmocka_unit_test(test_gate_that_closes_meanwhile),
        cmocka_unit_test(test_connect_that_waits_for_no_bytes),
        cmocka_unit_test(test_leaving_every_state),
        cmocka_unit_test(test_next_before_the_list_has_begun),
        cmocka_unit_test(test_share_of_the_queue),
    };

    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
