/*
 * Many lanes of one account against the simulated service in the same process: all chats' messages
 * side by side, in every framing and both envelopes; and whether what the client says about a send
 * is what the service has in its store, whatever goes wrong on the way.
 * Rooms: SEVERAL LANES, RATE, TOKENS.
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
#include "support/wire.h"

#define USER  350000001
#define LANES 8
#define CHATS 30

/* ---- a wire to the simulator, in pieces of any size ---- */

struct world;

struct wire {
    struct world *world;
    sim_conn *conn;
    bool again;
};

struct lane {
    struct wire wire;
    avito_client client;
    avito_arena arena;
    int rc;
    int chat; /* what it is doing; -1: nothing */
    avito_messages messages;
    char window[512];
    char room[32768];
};

struct world {
    sim *sim;
    int64_t now;
    uint32_t seed;
    size_t moved;
    int held; /* how often the account's lock is */
    avito_account account;
    char tokens[AVITO_TOKENS_SIZE(64)];
    struct lane lanes[LANES];
};

static size_t chance(struct world *w, size_t below)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (w->seed >> 8) % below;
}

static int wire_connect(void *ctx, const avito_server *to)
{
    struct wire *wire = ctx;

    (void)to;
    if (chance(wire->world, 3) == 0) {
        return AVITO_AGAIN;
    }
    wire->conn = sim_conn_open(wire->world->sim);
    wire->world->moved++;
    return AVITO_OK;
}

static long wire_send(void *ctx, const void *data, size_t len, int more)
{
    struct wire *wire = ctx;
    size_t n = 1 + chance(wire->world, 300);

    (void)more;
    wire->again = !wire->again;
    if (wire->again) {
        return AVITO_IO_AGAIN;
    }
    n = n < len ? n : len;
    wire->world->moved++;
    return sim_conn_receive(wire->conn, data, n) ? (long)n : (long)AVITO_ERR_SEND;
}

static long wire_recv(void *ctx, void *data, size_t cap)
{
    struct wire *wire = ctx;
    const size_t n = 1 + chance(wire->world, 400);
    const long got = wire_take(wire->conn, data, n < cap ? n : cap);

    wire->world->moved += got > 0 ? (size_t)got : 0;
    return got;
}

static int wire_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ | AVITO_WANT_WRITE;
}

static void wire_close(void *ctx)
{
    wire_drop(&((struct wire *)ctx)->conn);
}

static const avito_transport_functions wire_functions = {
    wire_connect, wire_send, wire_recv, wire_wants, NULL, wire_close, NULL, NULL};

/* ---- the world ---- */

static int64_t world_time(void *ctx)
{
    return ((struct world *)ctx)->now;
}

static uint32_t world_clock(void *ctx)
{
    return (uint32_t)((struct world *)ctx)->now;
}

static void world_lock(void *ctx)
{
    assert_int_equal(((struct world *)ctx)->held++, 0);
}

static void world_unlock(void *ctx)
{
    assert_int_equal(--((struct world *)ctx)->held, 0);
}

static struct world *world_open(uint32_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    sim_options so = sim_options_default();
    avito_account_options ao = avito_account_options_default();

    w->now = INT64_C(1754916284000);
    w->seed = seed;
    so.clock_ms = world_time;
    so.ctx = w;
    so.seed = seed;
    w->sim = sim_create(&so);
    ao.client_id = "client-id-for-tests";
    ao.client_secret = "client-secret-for-tests-0123456789abcdef";
    ao.tokens = w->tokens;
    ao.tokens_cap = sizeof w->tokens;
    ao.clock_ms = world_clock;
    ao.ctx = w;
    ao.lock = world_lock;
    ao.unlock = world_unlock;
    avito_enable_lanes(&ao);
    assert_int_equal(avito_account_init(&w->account, &ao), AVITO_OK);
    for (int i = 0; i < LANES; i++) {
        struct lane *l = &w->lanes[i];
        avito_client_options co = avito_client_options_default();
        l->wire.world = w;
        l->chat = -1;
        l->arena = avito_arena_of(l->room, sizeof l->room);
        co.transport.functions = &wire_functions;
        co.transport.ctx = &l->wire;
        co.window = l->window;
        avito_enable_sent(&co);
        co.window_cap = sizeof l->window;
        assert_int_equal(avito_client_init(&l->client, &w->account, &co), AVITO_OK);
    }
    return w;
}

static void world_close(struct world *w)
{
    assert_int_equal(w->held, 0);
    for (int i = 0; i < LANES; i++) {
        avito_client_close(&w->lanes[i].client);
        assert_null(w->lanes[i].wire.conn);
    }
    sim_destroy(w->sim);
    free(w);
}

/* Steps all lanes that are at work once; lets time pass when nothing moves. */
static void world_step(struct world *w)
{
    size_t before = w->moved;

    for (int i = 0; i < LANES; i++) {
        if (w->lanes[i].rc == AVITO_AGAIN) {
            w->lanes[i].rc = avito_step(&w->lanes[i].client);
            assert_true(w->lanes[i].rc != AVITO_AGAIN || avito_wants(&w->lanes[i].client) != 0);
        }
    }
    w->now += w->moved == before ? 20 : 0;
}

static int world_run(struct world *w, struct lane *l, int rc)
{
    l->rc = rc;
    for (int i = 0; l->rc == AVITO_AGAIN; i++) {
        assert_true(i < 1000000);
        world_step(w);
    }
    return l->rc;
}

/* ---- all chats' messages in parallel ---- */

static void check_messages(struct world *w, const char *chat_id, int k, const avito_messages *m)
{
    char expected[64];

    (void)w;
    assert_int_equal(m->count, (size_t)(1 + k % 5));
    for (size_t i = 0; i < m->count; i++) { /* newest first */
        (void)snprintf(expected, sizeof expected, "%s: письмо %zu", chat_id, m->count - 1 - i);
        assert_string_equal(m->items[i].content.as.text.ptr, expected);
    }
}

static void all_chats(uint32_t seed, bool bare_array, sim_framing framing, size_t chunk)
{
    struct world *w = world_open(seed);
    const char *ids[CHATS];
    int next = 0, done = 0;

    sim_live(w->sim)->bare_array = bare_array;
    sim_live(w->sim)->framing = framing;
    sim_live(w->sim)->chunk_size = chunk;
    for (int k = 0; k < CHATS; k++) {
        ids[k] = sim_add_chat(w->sim, NULL);
        for (int i = 0; i < 1 + k % 5; i++) {
            char text[64];
            (void)snprintf(text, sizeof text, "%s: письмо %d", ids[k], i);
            w->now += 1000;
            assert_non_null(sim_buyer_writes(w->sim, ids[k], text));
        }
    }
    while (done < CHATS) {
        for (int i = 0; i < LANES; i++) {
            struct lane *l = &w->lanes[i];
            if (l->chat >= 0 && l->rc != AVITO_AGAIN) {
                if (l->rc != AVITO_OK) {
                    fail_msg("lane %d: %s", i, dump_result_name(l->rc));
                }
                check_messages(w, ids[l->chat], l->chat, &l->messages);
                l->chat = -1;
                done++;
            }
            if (l->chat < 0 && next < CHATS) {
                l->chat = next++;
                avito_arena_reset(&l->arena);
                l->rc = avito_get_messages(&l->client, USER, ids[l->chat], NULL, &l->arena,
                                           &l->messages);
            }
        }
        world_step(w);
    }
    assert_int_equal(sim_get_stats(w->sim)->tokens_issued, 1);
    assert_int_equal(sim_get_stats(w->sim)->served[SIM_MESSAGES], CHATS);
    assert_int_equal(sim_get_stats(w->sim)->broken_requests, 0);
    assert_int_equal(sim_get_stats(w->sim)->unofficial_paths, 0);
    assert_int_equal(sim_get_stats(w->sim)->unknown_parameters, 0);
    if (framing != SIM_FRAMING_CLOSE) {
        assert_true(sim_get_stats(w->sim)->connections <= LANES);
    }
    world_close(w);
}

static void test_all_chats_in_parallel(void **state)
{
    static const struct {
        sim_framing framing;
        size_t chunk;
    } ways[] = {{SIM_FRAMING_LENGTH, 0},
                {SIM_FRAMING_CHUNKED, 1},
                {SIM_FRAMING_CHUNKED, 13},
                {SIM_FRAMING_CHUNKED, 100000},
                {SIM_FRAMING_CLOSE, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        all_chats((uint32_t)i + 1, false, ways[i].framing, ways[i].chunk);
        all_chats((uint32_t)i + 100, true, ways[i].framing, ways[i].chunk);
    }
}

/* Tokens expire again and again under all lanes: no call is refused, and not every lane fetches
 * one. */
static void test_tokens_that_die(void **state)
{
    struct world *w = world_open(7);
    const char *chat = sim_add_chat(w->sim, NULL);
    unsigned calls = 0, expired = 0;

    (void)state;
    assert_non_null(sim_buyer_writes(w->sim, chat, "?"));
    for (int round = 0; round < 6; round++) {
        w->now += 120000;
        (round % 2 == 0 ? sim_expire_tokens : sim_revoke_tokens)(w->sim);
        expired++;
        for (int i = 0; i < LANES; i++) {
            struct lane *l = &w->lanes[i];
            avito_arena_reset(&l->arena);
            l->rc = avito_get_messages(&l->client, USER, chat, NULL, &l->arena, &l->messages);
        }
        for (int i = 0; i < LANES; i++) {
            assert_int_equal(world_run(w, &w->lanes[i], w->lanes[i].rc), AVITO_OK);
            assert_int_equal(w->lanes[i].messages.count, 1);
            calls++;
        }
    }
    assert_int_equal(sim_get_stats(w->sim)->served[SIM_MESSAGES], calls);
    assert_in_range(sim_get_stats(w->sim)->tokens_issued, expired, expired + 1);
    world_close(w);
}

/* ---- a service with the habits of the field ---- */

static int list_messages(struct world *w, const char *chat)
{
    struct lane *l = &w->lanes[0];

    avito_arena_reset(&l->arena);
    return world_run(w, l,
                     avito_get_messages(&l->client, USER, chat, NULL, &l->arena, &l->messages));
}

/* 40 bytes every six seconds: it takes longer than a silent line may, but this line moves. */
static void test_slow_line(void **state)
{
    struct world *w = world_open(11);
    const char *chat = sim_add_chat(w->sim, NULL);
    int64_t began;

    (void)state;
    assert_non_null(sim_buyer_writes(w->sim, chat, "?"));
    assert_int_equal(list_messages(w, chat), AVITO_OK); /* the token is there */
    began = w->now;
    assert_true(sim_plan_fault(w->sim, "get_messages:slow=40+6000"));
    assert_int_equal(list_messages(w, chat), AVITO_OK);
    assert_in_range(w->now - began, 31000, 60000);
    assert_int_equal(w->lanes[0].messages.count, 1);
    world_close(w);
}

/* PHP's empty object: as the answer to "delete", and as the content of what was deleted. */
static void test_empty_objects_are_arrays(void **state)
{
    struct world *w = world_open(12);
    const char *chat = sim_add_chat(w->sim, NULL);
    struct lane *l = &w->lanes[0];
    avito_message sent;
    char id[64];

    (void)state;
    sim_live(w->sim)->empty_as_array = true;
    assert_int_equal(
        world_run(w, l, avito_send_message(&l->client, USER, chat, "oops", &l->arena, &sent)),
        AVITO_OK);
    (void)snprintf(id, sizeof id, "%s", sent.id.ptr);
    assert_int_equal(world_run(w, l, avito_delete_message(&l->client, USER, chat, id)), AVITO_OK);
    assert_int_equal(list_messages(w, chat), AVITO_OK);
    assert_int_equal(l->messages.count, 1);
    assert_int_equal(l->messages.skipped, 0);
    assert_int_equal(l->messages.items[0].type, AVITO_MESSAGE_DELETED);
    assert_int_equal(l->messages.items[0].content.kind, AVITO_MESSAGE_NONE);
    assert_true(sim_plan_fault(w->sim, "mark_chat_as_read:body=array,stored"));
    assert_int_equal(world_run(w, l, avito_mark_chat_as_read(&l->client, USER, chat)), AVITO_OK);
    world_close(w);
}

/* A chat of another account costs one token in all beside good calls, whatever its refusal says. */
static void test_foreign_chat(void **state)
{
    struct world *w = world_open(13);
    sim_chat_options other;
    const char *chat = sim_add_chat(w->sim, NULL), *foreign;

    (void)state;
    memset(&other, 0, sizeof other);
    other.foreign = true;
    foreign = sim_add_chat(w->sim, &other);
    for (unsigned body = SIM_BODY_DEFAULT; body < SIM_BODY_COUNT; body++) {
        if (body == SIM_BODY_EXPIRED) { /* these words do speak of the token */
            continue;
        }
        sim_live(w->sim)->foreign_body = (sim_body)body;
        assert_int_equal(list_messages(w, chat), AVITO_OK);
        assert_int_equal(list_messages(w, foreign), AVITO_ERR_FORBIDDEN);
        w->now += 30000;
    }
    assert_in_range(sim_get_stats(w->sim)->tokens_issued, 1, 2);
    world_close(w);
}

/* ---- what is said about a send, and what is true ---- */

static bool stored(struct world *w, const char *text)
{
    sim_message_info info;

    for (size_t i = 0; sim_message_at(w->sim, i, &info); i++) {
        if (strcmp(info.text, text) == 0) {
            return true;
        }
    }
    return false;
}

static void send_with(struct world *w, const char *chat, const char *plan, unsigned seen[3])
{
    static unsigned counter;
    struct lane *l = &w->lanes[0];
    avito_message m;
    avito_outcome outcome;
    char text[64];
    int rc;

    (void)snprintf(text, sizeof text, "сообщение %u", ++counter);
    assert_true(sim_plan_fault(w->sim, plan));
    avito_arena_reset(&l->arena);
    rc = world_run(w, l, avito_send_message(&l->client, USER, chat, text, &l->arena, &m));
    outcome = avito_last_error(&l->client)->outcome;
    seen[outcome]++;
    if ((outcome == AVITO_SENT && !stored(w, text)) ||
        (outcome == AVITO_NOT_SENT && stored(w, text)) ||
        (rc == AVITO_OK) != (outcome == AVITO_SENT)) {
        fail_msg("%s: %s, outcome %d, stored %d", plan, dump_result_name(rc), (int)outcome,
                 stored(w, text));
    }
    sim_clear_faults(w->sim);
}

static void test_outcome_is_the_truth(void **state)
{
    static const char *const faults[] = {
        "no_answer",      "stored_no_answer",  "stall",           "stored_stall",
        "reset",          "stored,status=500", "status=500",      "stored,status=502,body=plain",
        "status=503",     "status=429",        "status=400",      "status=402",
        "status=404",     "redirect",          "chunked=3",       "until_close",
        "interim=2",      "huge_head=30000",   "delay=5000",      "close",
        "close_silently", "wrong_length=5",    "wrong_length=-5", "body=firewall",
        "body=cut_json",  "stored,body=empty", "pause=40+3000"};
    struct world *w = world_open(3);
    const char *chat = sim_add_chat(w->sim, NULL);
    unsigned seen[3] = {0, 0, 0};
    char plan[64];

    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        (void)snprintf(plan, sizeof plan, "send_message:%s", faults[i]);
        send_with(w, chat, plan, seen);
    }
    for (unsigned at = 0; at < 420; at += 9) {
        (void)snprintf(plan, sizeof plan, "send_message:cut=%u", at);
        send_with(w, chat, plan, seen);
        (void)snprintf(plan, sizeof plan, "send_message:corrupt=%u", at);
        send_with(w, chat, plan, seen);
    }
    assert_true(seen[AVITO_SENT] > 10 && seen[AVITO_NOT_SENT] > 3 && seen[AVITO_CANNOT_TELL] > 40);
    world_close(w);
}

/* Cancelled at every step: the same promise. */
static void test_outcome_of_a_cancelled_send(void **state)
{
    struct world *w = world_open(9);
    const char *chat = sim_add_chat(w->sim, NULL);
    struct lane *l = &w->lanes[0];
    unsigned seen[3] = {0, 0, 0};

    (void)state;
    for (unsigned steps = 0; steps < 60; steps++) {
        avito_message m;
        avito_outcome outcome;
        char text[64];
        (void)snprintf(text, sizeof text, "шаг %u", steps);
        avito_arena_reset(&l->arena);
        l->rc = avito_send_message(&l->client, USER, chat, text, &l->arena, &m);
        for (unsigned i = 0; i < steps && l->rc == AVITO_AGAIN; i++) {
            world_step(w);
        }
        avito_cancel(&l->client);
        l->rc = AVITO_OK;
        outcome = avito_last_error(&l->client)->outcome;
        seen[outcome]++;
        assert_true(outcome != AVITO_SENT || stored(w, text));
        assert_true(outcome != AVITO_NOT_SENT || !stored(w, text));
    }
    assert_true(seen[AVITO_NOT_SENT] > 0 && seen[AVITO_SENT] > 0);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_chats_in_parallel),
        cmocka_unit_test(test_tokens_that_die),
        cmocka_unit_test(test_slow_line),
        cmocka_unit_test(test_empty_objects_are_arrays),
        cmocka_unit_test(test_foreign_chat),
        cmocka_unit_test(test_outcome_is_the_truth),
        cmocka_unit_test(test_outcome_of_a_cancelled_send),
    };

    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
