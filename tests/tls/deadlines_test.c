/*
 * Every public function that talks, on every kind of lane, with a peer that is silent, slow or
 * endless: it ends by its documented time, with bounded work per step and constant memory. So does
 * the receiver of notifications, whose peer is the one that calls. The functions of a lane are those
 * that the header declares, so that a new call is tried without a word here; a new function of
 * another object that has a peer fails the test until a table has it.
 *
 * Time is virtual except for TCP: there it is short, and the peer is another process.
 * Rooms: CALL MACHINE, TCP, TLS: CONNECTIONS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/anyone.h"
#include "tls/peer.h"

/* Bytes of the heap that are in use; AddressSanitizer keeps its own account, for which gcc has no header. */
#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#define heap_bytes() __sanitizer_get_current_allocated_bytes()
#else
#include <malloc.h>
#define heap_bytes() mallinfo2().uordblks
#endif

enum {
    USER = 350000001,
    CONNECT_MS = 400,
    IDLE_MS = 500,
    TOTAL_MS = 2000,
    STEP_MS = 100,
    STEP_WORK = 100, /* calls of the transport in one step: 64 rounds, and what it takes to end */
    INBOX_WORK = STEP_WORK + 64 /* in one call of an inbox, which takes 64 steps */
};

/* ---- the functions that talk ---- */

#include "functions.h"

enum { FUNCTIONS = sizeof functions / sizeof *functions };

static int visit(void *ctx, const avito_store_send *send)
{
    (void)ctx, (void)send;
    return AVITO_OK;
}

static struct {
    struct anyone peer; /* the clock of all, and the service of plain lanes */
    avito_account account;
    avito_client client;
    char tokens[AVITO_TOKENS_SIZE(64)], window[1024];
    size_t memory; /* on the heap, before */
    uint32_t began_ms;
} w;

static struct {
    avito_arena arena;
    char room[16384];
    union {
        avito_token token;
        avito_self self;
        avito_chats chats;
        avito_chat chat;
        avito_messages messages;
        avito_message message;
        avito_voice_files voices;
        avito_voice_file voice;
        avito_subscriptions subscriptions;
        avito_subscription subscription;
        avito_uploaded_image image;
    } out;
    avito_outcome outcome;
} mine;

static const char *ids[] = {"v1"};
static const char picture_bytes[20000];
static avito_image_source picture = {picture_bytes, NULL, NULL, sizeof picture_bytes,
                                     NULL,          NULL, NULL};
static avito_sent_query sent = {"x", NULL, 100, NULL, 0, 1, 1};
static avito_consent consent = {"messenger:read", NULL, "https://a/b", false};
static avito_blacklist_user user = {9, 0, AVITO_REASON_SPAM};

/* The argument for a parameter by its type and name: the first row that fits. Any other parameter is for a
 * result. */
static const struct argument {
    const char *type, *name; /* NULL: any */
    void *value;
} arguments[] = {
    {"avito_client", NULL, &w.client},      {"avito_arena", NULL, &mine.arena},
    {"avito_outcome", NULL, &mine.outcome}, {"avito_chats_query", NULL, NULL},
    {"avito_messages_query", NULL, NULL},   {"avito_sent_query", NULL, &sent},
    {"avito_image_source", NULL, &picture}, {"avito_consent", NULL, &consent},
    {"avito_blacklist_user", NULL, &user},  {"char *", NULL, ids},
    {"char", "chat_id", "u2i-a"},           {"char", "image_id", "1.abc"},
    {"char", "url", "https://a/b"},         {"char", NULL, "x"},
};

static void *argument(const char *type, const char *name)
{
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        const struct argument *a = &arguments[i];
        if (strcmp(a->type, type) == 0 && (a->name == NULL || strcmp(a->name, name) == 0)) {
            return a->value;
        }
    }
    return &mine.out;
}

static int call(const struct function *f)
{
    struct objects o;

    memset(&o, 0, sizeof o);
    for (size_t i = 0; i < POINTERS && f->pointers[i].type != NULL; i++) {
        o.p[i] = argument(f->pointers[i].type, f->pointers[i].name);
    }
    o.length = 100000;
    f->call(&o);
    return (int)o.result;
}

/* These talk, too. They are called together with one of those above, or in a test of their own. */
static const char *const along[] = {"avito_step",
                                    "avito_next_chat",
                                    "avito_next_message",
                                    "avito_next_voice_file",
                                    "avito_next_subscription",
                                    "avito_list_end",
                                    "avito_inbox_next",
                                    "avito_send_once",
                                    "avito_send_image_once",
                                    "avito_webhook_receive",
                                    "avito_posix_sign_in"};

/* These move no byte: they set something up, look at received bytes, or decode them. */
static const char *const quiet[] = {
    "avito_list_offset",     "avito_account_by_consent", "avito_client_init",
    "avito_wants",           "avito_confirm_sends",      "avito_inbox_init",
    "avito_inbox_accept",    "avito_inbox_offer",        "avito_inbox_wants",
    "avito_webhook_init",    "avito_webhook_wants",      "avito_webhook_event",
    "avito_webhook_status",  "avito_tcp_init",           "avito_tcp_fd",
    "avito_tls_init",        "avito_tls_suite",          "avito_tls_set_session",
    "avito_tls_get_session", "avito_posix_open",         "avito_posix_perror"};

static bool is_among(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}
#define IS_AMONG(names, name) is_among(names, sizeof names / sizeof *(names), name)

static bool has_a_row(const char *name)
{
    return IS_AMONG(along, name) || IS_AMONG(quiet, name);
}

/* The functions of a lane without a row. */
static const struct function *talks[FUNCTIONS];
static size_t talks_count;

static int find_talks(void **state)
{
    (void)state;
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const struct function *f = &functions[i];
        if (f->result == RESULT_INT && f->pointers[0].type != NULL &&
            strcmp(f->pointers[0].type, "avito_client") == 0 && !has_a_row(f->name)) {
            talks[talks_count++] = f;
        }
    }
    return talks_count > 20 ? 0 : -1;
}

static const struct function *function_named(const char *name)
{
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (strcmp(functions[i].name, name) == 0) {
            return &functions[i];
        }
    }
    fail_msg("there is no %s", name);
    return NULL;
}

/* Of avito_list_chats: avito_next_chat. NULL: it begins no list. */
static const struct function *next_of(const struct function *f)
{
    static const char list[] = "avito_list_";
    char name[80];

    if (strncmp(f->name, list, sizeof list - 1) != 0) {
        return NULL;
    }
    (void)snprintf(name, sizeof name, "avito_next_%.*s", (int)(strlen(f->name) - sizeof list),
                   f->name + sizeof list - 1);
    return function_named(name);
}

static void test_rows_are_whole(void **state)
{
    static const char *const peered[] = {"avito_inbox", "avito_webhook", "avito_tcp", "avito_tls",
                                         "avito_posix"};

    (void)state;
    for (size_t i = 0; i < sizeof along / sizeof *along; i++) {
        (void)function_named(along[i]);
    }
    for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++) {
        (void)function_named(quiet[i]);
    }
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const char *type = functions[i].pointers[0].type;
        if (type != NULL && IS_AMONG(peered, type) && functions[i].result == RESULT_INT &&
            !has_a_row(functions[i].name)) {
            fail_msg("%s is new: does it talk? give it a row", functions[i].name);
        }
    }
}

/* ---- one lane ---- */

static int load_token(void *ctx, avito_token *token)
{
    (void)ctx;
    memset(token, 0, sizeof *token);
    token->access_token.ptr = "stored-token-0123456789";
    token->access_token.len = 23;
    token->refresh_token.ptr = "stored-refresh-0123456789";
    token->refresh_token.len = 25;
    token->expires_in = 86400;
    return AVITO_OK;
}

static void begin_lane(avito_transport transport, uint32_t (*clock_ms)(void *ctx))
{
    avito_account_options a = avito_account_options_default();
    avito_client_options c = avito_client_options_default();

    a.client_id = "id";
    a.client_secret = "secret";
    a.host = PEER_HOST;
    a.tokens = w.tokens;
    a.tokens_cap = sizeof w.tokens;
    a.ctx = &w.peer;
    a.clock_ms = clock_ms;
    a.unix_time = anyone_unix_time;
    a.entropy = anyone_entropy;
    a.load_token = load_token;
    c.transport = transport;
    c.window = w.window;
    c.window_cap = sizeof w.window;
    c.connect_timeout_ms = CONNECT_MS;
    c.idle_timeout_ms = IDLE_MS;
    c.total_timeout_ms = TOTAL_MS;
    c.retries = 1;
    mine.arena = avito_arena_of(mine.room, sizeof mine.room);
    assert_int_equal(avito_account_init(&w.account, &a), AVITO_OK);
    assert_int_equal(avito_client_init(&w.client, &w.account, &c), AVITO_OK);
}

static void begin_peer(enum anyone_habit habit)
{
    anyone_init(&w.peer);
    w.peer.habit = habit;
    w.peer.slow_ms = STEP_MS;
    w.peer.cost_us = 200;
}

/* To the end of a call, or of one avito_next_*(). Work per step is bounded. */
static int to_the_end(int rc)
{
    assert_true(w.peer.work <= STEP_WORK || w.client.o.transport.functions->wait != NULL);
    while (rc == AVITO_AGAIN) {
        const uint32_t ms = avito_deadline_ms(&w.client);
        w.peer.now_ms += ms < STEP_MS ? ms : STEP_MS;
        w.peer.work = 0;
        rc = avito_step(&w.client);
        assert_true(w.peer.work <= STEP_WORK);
    }
    return rc;
}

/* A call's time is looked at before each step and judged at its end: two steps may pass it. */
static uint32_t most_ms(void)
{
    return TOTAL_MS + STEP_MS + 2 * STEP_WORK * w.peer.cost_us / 1000u;
}

/* One call with this peer; checks its time. */
static int timed(const struct function *f, const char *lane)
{
    const uint32_t began = w.peer.now_ms;
    int rc;

    w.peer.work = 0;
    rc = to_the_end(call(f));
    if (w.peer.now_ms - began > most_ms()) {
        fail_msg("%s on a lane %s, habit %d: %u ms", f->name, lane, (int)w.peer.habit,
                 w.peer.now_ms - began);
    }
    return rc;
}

/* A list may be endless if each row comes in time. */
static int rows_of(const struct function *next, const char *lane)
{
    int rc = AVITO_OK;

    for (int rows = 0; rows < 50 && avito_list_open(&w.client) && rc != AVITO_END; rows++) {
        rc = timed(next, lane);
    }
    if (avito_list_open(&w.client)) {
        assert_int_equal(timed(function_named("avito_list_end"), lane), AVITO_OK);
        return AVITO_OK;
    }
    return rc;
}

static int whole(const struct function *f, const char *lane)
{
    const struct function *next = next_of(f);
    const int rc = timed(f, lane);

    return rc == AVITO_OK && next != NULL ? rows_of(next, lane) : rc;
}

static void finish(void)
{
    avito_client_close(&w.client);
    assert_int_equal(avito_wants(&w.client), 0);
    assert_false(mine.arena.busy);
    assert_true(mine.arena.peak <= sizeof mine.room);
}

/* ---- plain, in memory ---- */

/* The result that it must end in; 0: any error. It is AVITO_OK for lists that go on, and for a chat
 * that is read back as far as the baseline. */
static int verdict_of(enum anyone_habit habit)
{
    switch (habit) {
        case ANYONE_NO_CONNECT:
            return AVITO_ERR_TIMEOUT_CONNECT;
        case ANYONE_NO_SEND:
        case ANYONE_NO_ANSWER:
        case ANYONE_HALF_AN_ANSWER:
            return AVITO_ERR_TIMEOUT_IDLE;
        case ANYONE_BREAKS:
            return AVITO_ERR_RECV;
        case ANYONE_SLOW:
            return AVITO_ERR_TIMEOUT_TOTAL;
        default:
            return 0;
    }
}

/* Of a call that failed. A POST changes something, except those that only ask. */
static avito_outcome what_is_known(void)
{
    const char *request = w.peer.request;
    const bool changes = strncmp(request, "POST ", 5) == 0 &&
                         strncmp(request, "POST /token ", 12) != 0 &&
                         strstr(request, "/subscriptions HTTP") == NULL;

    return w.peer.answered && changes ? AVITO_CANNOT_TELL : AVITO_NOT_SENT;
}

static void check_result(const struct function *f, enum anyone_habit habit, int rc,
                         const char *lane)
{
    const bool list = next_of(f) != NULL;
    const bool reads_back = strcmp(f->name, "avito_confirm_sent") == 0;
    const int wanted = verdict_of(habit);

    if (wanted != 0 ? rc != wanted && !(list && rc == AVITO_OK) : rc >= 0 && !list && !reads_back) {
        fail_msg("%s on a lane %s, habit %d: %s", f->name, lane, (int)habit, avito_error_name(rc));
    }
    if (rc < 0 && avito_last_error(&w.client)->outcome != what_is_known()) {
        fail_msg("%s on a lane %s, habit %d: its outcome is %s", f->name, lane, (int)habit,
                 avito_outcome_word(avito_last_error(&w.client)->outcome));
    }
}

/* Every function on a plain lane, with a peer of each habit. */
static void plain(bool waits)
{
    const char *lane = waits ? "that waits" : "that is stepped";

    for (int habit = ANYONE_KIND + 1; habit < ANYONE_HABITS; habit++) {
        for (size_t i = 0; i < talks_count; i++) {
            size_t heap;
            int rc;
            begin_peer((enum anyone_habit)habit);
            begin_lane(anyone_transport(&w.peer, waits), anyone_clock_ms);
            heap = heap_bytes();
            rc = whole(talks[i], lane);
            assert_int_equal(heap_bytes(), heap);
            check_result(talks[i], (enum anyone_habit)habit, rc, lane);
            finish();
            assert_int_equal(w.peer.connects, w.peer.closes);
        }
    }
}

static void test_plain_stepped(void **state)
{
    (void)state;
    plain(false);
}

static void test_plain_waiting(void **state)
{
    (void)state;
    plain(true);
}

/* A send that is settled at once has two calls' time. */
static void test_settled_send(void **state)
{
    static const avito_sent_query baseline = {NULL, "m1", 5, NULL, 0, 0, 1};

    (void)state;
    for (int habit = ANYONE_KIND + 1; habit < ANYONE_HABITS; habit++) {
        uint32_t began;
        begin_peer((enum anyone_habit)habit);
        begin_lane(anyone_transport(&w.peer, true), anyone_clock_ms);
        assert_int_equal(avito_confirm_sends(&w.client, &baseline), AVITO_OK);
        began = w.peer.now_ms;
        assert_true(call(function_named("avito_send_message")) < 0);
        assert_true(w.peer.now_ms - began <= 2 * most_ms());
        finish();
    }
}

/* Sending once begins with a look at the chat, and settling may take .grace_s, by real time. */
static void send_once(bool image)
{
    static avito_store store;
    char folder[] = "/tmp/deadlines-XXXXXX", command[60];
    avito_store_options o = avito_store_options_default();

    assert_non_null(mkdtemp(folder));
    o.folder = folder;
    o.grace_s = 1;
    assert_int_equal(avito_store_open(&store, &o), AVITO_OK);
    for (int habit = ANYONE_KIND + 1; habit < ANYONE_HABITS; habit++) {
        uint32_t began;
        begin_peer((enum anyone_habit)habit);
        begin_lane(anyone_transport(&w.peer, true), anyone_clock_ms);
        began = w.peer.now_ms;
        assert_true((image ? avito_send_image_once
                           : avito_send_once)(&w.client, &store, USER, "u2i-a", "key", "x",
                                              &mine.arena, &mine.outcome) < 0);
        assert_int_equal(mine.outcome, AVITO_NOT_SENT); /* the look has failed */
        assert_true(w.peer.now_ms - began <= most_ms());
        finish();
    }
    avito_store_close(&store);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void test_send_once(void **state)
{
    (void)state;
    send_once(false);
    send_once(true);
}

/* ---- the inbox ---- */

/* An inbox whose peer has this habit: each call ends in time, with bounded work. */
static void inbox_with(enum anyone_habit habit, bool waits)
{
    static char room[2048], slots[AVITO_INBOX_STATE_SIZE(8)];
    avito_inbox_options o = avito_inbox_options_default();
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_message message;
    avito_inbox inbox;

    begin_peer(habit);
    begin_lane(anyone_transport(&w.peer, waits), anyone_clock_ms);
    o.user_id = USER;
    o.start = AVITO_START_SINCE;
    o.state = slots;
    o.state_cap = sizeof slots;
    o.arena = &arena;
    o.nap_ms = STEP_MS;
    assert_int_equal(avito_inbox_init(&inbox, &w.client, &o), AVITO_OK);
    for (int turns = 0; turns < 150; turns++) {
        const uint32_t began = w.peer.now_ms;
        uint32_t ms;
        w.peer.work = 0;
        if (avito_inbox_next(&inbox, &message) == AVITO_OK) {
            const unsigned work = w.peer.work;
            (void)avito_inbox_accept(&inbox);
            assert_int_equal(w.peer.work, work);
        }
        assert_true(waits || w.peer.work <= INBOX_WORK);
        assert_true(w.peer.now_ms - began <= 2 * most_ms()); /* begins no call after TOTAL_MS */
        ms = avito_inbox_deadline_ms(&inbox);
        w.peer.now_ms += ms < STEP_MS ? ms : STEP_MS;
    }
    finish();
}

static void test_inbox(void **state)
{
    (void)state;
    for (int habit = ANYONE_KIND; habit < ANYONE_HABITS; habit++) {
        inbox_with((enum anyone_habit)habit, false);
        inbox_with((enum anyone_habit)habit, true);
    }
}

/* ---- the receiver: its peer is the one that calls ---- */

enum caller {
    CALLER_SILENT,
    CALLER_SLOW,
    CALLER_ENDLESS_HEAD,
    CALLER_ENDLESS_BODY,
    CALLER_ENDLESS_CHUNKS,
    CALLER_DEAF, /* never takes the answer */
    CALLERS
};

/* What the caller of the receiver sends in this turn. */
static const char *caller_says(enum caller caller, unsigned turn)
{
    static const char head[] = "POST /hook/0123456789abcdef HTTP/1.1\r\nHost: a\r\n";
    static char slow[] = "P";

    if (caller == CALLER_SILENT) {
        return "";
    }
    if (caller == CALLER_SLOW) {
        slow[0] = turn < sizeof head - 1 ? head[turn] : 'x';
        return slow;
    }
    if (turn == 0) {
        return head;
    }
    if (turn == 1 && caller != CALLER_ENDLESS_HEAD) {
        return caller == CALLER_ENDLESS_BODY     ? "Content-Length: 4000000000\r\n\r\n"
               : caller == CALLER_ENDLESS_CHUNKS ? "Transfer-Encoding: chunked\r\n\r\n"
                                                 : "Content-Length: 2\r\n\r\n{}";
    }
    return caller == CALLER_ENDLESS_HEAD ? "X-More: and more\r\n" : "1\r\n \r\n";
}

/* The connection is over by its own time, whatever comes and even if nobody listens. */
static void receive_from(enum caller caller)
{
    static char buffer[AVITO_WEBHOOK_SIZE(1000)];
    avito_webhook_options o = avito_webhook_options_default();
    const size_t heap = heap_bytes();
    uint32_t now = UINT32_MAX - 300; /* it wraps soon */
    const uint32_t began = now;
    avito_webhook hook;
    unsigned turn = 0;
    size_t out, used;
    int rc = AVITO_AGAIN;

    o.path = "/hook/0123456789abcdef";
    o.buffer = buffer;
    o.buffer_cap = sizeof buffer;
    o.request_timeout_ms = TOTAL_MS;
    o.idle_timeout_ms = IDLE_MS;
    assert_int_equal(avito_webhook_init(&hook, &o, now), AVITO_OK);
    while (!avito_webhook_finished(&hook)) {
        const uint32_t left = avito_webhook_deadline_ms(&hook, now);
        const bool reads = (avito_webhook_wants(&hook) & AVITO_WANT_READ) != 0;
        const char *says = reads ? caller_says(caller, turn++) : "";
        rc = avito_webhook_receive(&hook, left == 0 ? NULL : says, left == 0 ? 0 : strlen(says),
                                   &used, now);
        if (caller != CALLER_DEAF && avito_webhook_output(&hook, &out) != NULL) {
            avito_webhook_sent(&hook, out, now);
        }
        now += left < STEP_MS ? left : STEP_MS;
        assert_true(now - began <= 2 * TOTAL_MS + IDLE_MS + STEP_MS); /* a request and its answer */
    }
    assert_true(rc < 0);
    assert_int_equal(heap_bytes(), heap);
}

static void test_receiver(void **state)
{
    (void)state;
    for (int caller = 0; caller < CALLERS; caller++) {
        receive_from((enum caller)caller);
    }
}

/* ---- TLS over a line in memory ---- */

enum tls_habit { TLS_SILENT, TLS_MUTE, TLS_SLOW, TLS_ENDLESS, TLS_HABITS };

static struct peer server;
static struct side side;
static enum tls_habit tls_habit;
static uint32_t moved_ms;

static int line_connect(void *ctx, const avito_server *to)
{
    const avito_transport below = peer_transport(ctx);

    return below.functions->connect(ctx, to);
}

static bool line_moves(void)
{
    if (tls_habit == TLS_SLOW && w.peer.now_ms - moved_ms < STEP_MS) {
        return false;
    }
    moved_ms = w.peer.now_ms;
    anyone_spend(&w.peer);
    w.peer.work++;
    return true;
}

static long line_send(void *ctx, const void *data, size_t len, int more)
{
    const avito_transport below = peer_transport(ctx);

    return line_moves() ? below.functions->send(ctx, data, tls_habit == TLS_SLOW ? 1 : len, more)
                        : AVITO_IO_AGAIN;
}

static long line_recv(void *ctx, void *data, size_t cap)
{
    const avito_transport below = peer_transport(ctx);

    if (tls_habit == TLS_SILENT || !line_moves()) {
        return AVITO_IO_AGAIN;
    }
    return below.functions->recv(ctx, data, tls_habit == TLS_SLOW ? 1 : cap < 512 ? cap : 512);
}

static int line_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static int line_wait(void *ctx, int wants, uint32_t ms)
{
    (void)ctx, (void)wants;
    w.peer.now_ms += ms < STEP_MS ? ms : STEP_MS;
    return AVITO_AGAIN;
}

static void line_close(void *ctx)
{
    peer_transport(ctx).functions->close(ctx);
}

static int tls_verdict(void)
{
    return tls_habit == TLS_MUTE      ? AVITO_ERR_TIMEOUT_IDLE
           : tls_habit == TLS_ENDLESS ? AVITO_ERR_TIMEOUT_TOTAL
                                      : AVITO_ERR_TIMEOUT_CONNECT;
}

/* One call over TLS, whose server has the habit `tls_habit`. */
static void tls_with(const struct function *f, bool waits)
{
    static const avito_transport_functions stepped = {
        line_connect, line_send, line_recv, line_wants, NULL, line_close, NULL, NULL};
    static const avito_transport_functions waiting = {
        line_connect, line_send, line_recv, line_wants, line_wait, line_close, NULL, NULL};
    int rc;

    begin_peer(ANYONE_KIND);
    w.peer.cost_us = 300; /* so that the endless answer lasts */
    moved_ms = w.peer.now_ms;
    peer_again(&server);
    side.options.transport.functions = waits ? &waiting : &stepped;
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
    begin_lane(avito_tls_transport(&side.tls), anyone_clock_ms);
    rc = whole(f, waits ? "over TLS that waits" : "over TLS that is stepped");
    if (rc != tls_verdict() &&
        !(tls_habit == TLS_MUTE && rc == AVITO_ERR_TIMEOUT_TOTAL) && /* a second try */
        !(tls_habit == TLS_ENDLESS && rc == AVITO_ERR_MODEL)) {      /* a second try */
        fail_msg("%s over TLS, habit %d: %s", f->name, (int)tls_habit, avito_error_name(rc));
    }
    finish();
    assert_int_equal(server.connects, server.closes);
}

static void test_tls(void **state)
{
    static char endless[4000000];
    const int head = snprintf(endless, sizeof endless,
                              "HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n{\"junk\":[1");

    (void)state;
    for (size_t i = (size_t)head; i < sizeof endless; i += 2) {
        memcpy(endless + i, ",1", i + 2 <= sizeof endless ? 2 : 1);
    }
    side_meet(&side, &server, "good-ec");
    server.ending = PEER_KEEP;
    for (int habit = 0; habit < TLS_HABITS; habit++) {
        tls_habit = (enum tls_habit)habit;
        server.answer = endless;
        server.answer_len = sizeof endless;
        server.answer_after = habit == TLS_ENDLESS ? 20 : SIZE_MAX;
        for (size_t i = 0; i < talks_count; i++) {
            tls_with(talks[i], false);
            tls_with(talks[i], true);
        }
    }
    peer_free(&server);
}

/* ---- TCP: real time, short, and another process ---- */

enum { REAL_MS = 120, REAL_SLACK_MS = 2000 };
enum tcp_habit { TCP_SILENT, TCP_SLOW, TCP_ENDLESS, TCP_HABITS };

/* The other process: takes connections, and treats each as its habit says. */
static void be_hostile(int listener, enum tcp_habit habit)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n{\"junk\":[1";
    static const char more[] =
        ",1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1";

    (void)signal(SIGPIPE, SIG_IGN);
    for (;;) {
        const int one = accept(listener, NULL, NULL);
        size_t at = 0;
        while (one >= 0) {
            if (habit == TCP_SILENT) {
                char byte;
                if (read(one, &byte, 1) <= 0) {
                    break;
                }
            } else if (habit == TCP_SLOW) {
                if (write(one, head + at++ % (sizeof head - 1), 1) < 0) {
                    break;
                }
                (void)usleep(10000);
            } else if (write(one, at == 0 ? head : more,
                             at == 0 ? sizeof head - 1 : sizeof more - 1) < 0) {
                break;
            } else {
                at = 1;
            }
        }
        (void)close(one);
    }
}

static int listen_somewhere(uint16_t *port)
{
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at;
    socklen_t len = sizeof at;

    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return listener;
}

/* One call over TCP, to the hostile process at `port`. */
static void tcp_with(const struct function *f, uint16_t port, bool waits)
{
    const struct function *next = next_of(f);
    avito_tcp_options o = avito_tcp_options_default();
    uint32_t began;
    avito_tcp tcp;
    int rc;

    o.address = "127.0.0.1";
    o.never_wait = !waits;
    begin_peer(ANYONE_KIND);
    assert_int_equal(avito_tcp_init(&tcp, &o), AVITO_OK);
    begin_lane(avito_tcp_transport(&tcp), avito_posix_clock_ms);
    w.account.o.port = port;
    w.client.o.connect_timeout_ms = w.client.o.idle_timeout_ms = w.client.o.total_timeout_ms =
        REAL_MS;
    began = avito_posix_clock_ms(NULL);
    rc = call(f);
    if (rc == AVITO_OK && next != NULL) {
        rc = call(next);
    }
    while (rc == AVITO_AGAIN) {
        (void)usleep(1000);
        rc = avito_step(&w.client);
        if (rc == AVITO_OK && next != NULL) {
            rc = call(next);
        }
    }
    assert_true(rc < 0);
    if (avito_posix_clock_ms(NULL) - began > 2 * REAL_MS + REAL_SLACK_MS) {
        fail_msg("%s over TCP: %u ms", f->name, avito_posix_clock_ms(NULL) - began);
    }
    finish();
    assert_int_equal(avito_tcp_fd(&tcp), -1);
}

/* Everything in one struct, over TLS, which this peer does not answer. */
static void sign_in(uint16_t port)
{
    static avito_posix all;
    avito_posix_options o = avito_posix_options_default();
    const uint32_t began = avito_posix_clock_ms(NULL);

    o.account.client_id = "id";
    o.account.client_secret = "secret";
    o.account.host = PEER_HOST;
    o.account.port = port;
    o.client.connect_timeout_ms = o.client.idle_timeout_ms = o.client.total_timeout_ms = REAL_MS;
    o.tcp.address = "127.0.0.1";
    o.ca_file = PEER_CERTS "ca-ec.pem";
    assert_true(avito_posix_sign_in(&all, &o) < 0);
    assert_true(all.priv.open); /* it came as far as to talk */
    assert_true(avito_posix_clock_ms(NULL) - began <= 2 * REAL_MS + REAL_SLACK_MS);
    avito_posix_close(&all);
}

static void test_tcp(void **state)
{
    (void)state;
    for (int habit = 0; habit < TCP_HABITS; habit++) {
        uint16_t port;
        const int listener = listen_somewhere(&port);
        const pid_t child = fork();
        if (child == 0) {
            be_hostile(listener, (enum tcp_habit)habit);
        }
        assert_true(child > 0);
        for (size_t i = 0; i < talks_count; i++) {
            tcp_with(talks[i], port, false);
            tcp_with(talks[i], port, true);
        }
        sign_in(port);
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        (void)close(listener);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_whole),
        cmocka_unit_test(test_plain_stepped),
        cmocka_unit_test(test_plain_waiting),
        cmocka_unit_test(test_settled_send),
        cmocka_unit_test(test_send_once),
        cmocka_unit_test(test_inbox),
        cmocka_unit_test(test_receiver),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tcp),
    };

    return cmocka_run_group_tests(tests, find_talks, NULL);
}
