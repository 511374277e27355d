/*
 * Lanes of one account on threads of their own, under ThreadSanitizer: whatever two lanes touch is
 * touched under the account's lock. Counters of hooks and the service have no lock where the
 * library promises that one lane calls at a time.
 *
 * The transports are in memory and know only their own lane. What they share are relaxed atomics,
 * which order nothing that the library has not ordered.
 * Rooms: SEVERAL LANES, ACCOUNT.
 */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { LANES = 4, CALLS = 500 };

/* The only race is known and harmless (the manual's chapter about threads): a lane reads the bytes
 * of its token outside the lock, and they may be mangled when the token is replaced twice
 * meanwhile. On a busy machine ThreadSanitizer may have forgotten the reader's stack by then, so
 * the writer's is named, too. That writer puts any answer into the window or arena of its own lane,
 * and a token into the half that is not in use. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:^avitoi_request_argument$\n"
           "race:^avitoi_json_feed$\n";
}

/* ThreadSanitizer looks up the first of two racing accesses in its history. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "history_size=7";
}

/* ---- the service: every lane is its client, tokens die after a number of calls ---- */

static struct {
    unsigned issued, served; /* tokens, calls; relaxed */
    unsigned refused, stale; /* with an old token; refresh tokens that were spent */
    bool pairs;
} service;

#define LOAD(x)  __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define COUNT(x) __atomic_add_fetch(&(x), 1, __ATOMIC_RELAXED)

struct wire {
    char request[1024], answer[512];
    size_t asked, said, len;
    unsigned turns;
};

static int say(struct wire *w, int status, const char *body)
{
    /* The rate is used up again and again, so lanes wait for one another. */
    const char *rate =
        w->turns % 3 == 0 ? "X-RateLimit-Limit: 60000\r\nX-RateLimit-Remaining: 0\r\n" : "";

    w->len = (size_t)snprintf(w->answer, sizeof w->answer,
                              "HTTP/1.1 %d x\r\n%sContent-Length: %zu\r\n\r\n%s", status, rate,
                              strlen(body), body);
    w->said = 0;
    w->asked = 0;
    return status;
}

static void give_token(struct wire *w)
{
    const char *refresh = strstr(w->request, "&refresh_token=r");
    char body[200];
    unsigned n;

    if (refresh != NULL && strtoul(refresh + 16, NULL, 10) != LOAD(service.issued)) {
        (void)COUNT(service.stale);
        (void)say(w, 400, "{\"error\":\"invalid_grant\"}");
        return;
    }
    n = COUNT(service.issued);
    (void)snprintf(body, sizeof body,
                   "{\"access_token\":\"token-%08u\",%s\"r%u\",\"expires_in\":86400}", n,
                   service.pairs ? "\"refresh_token\":" : "\"scope\":", n);
    (void)say(w, 200, body);
}

static void give_self(struct wire *w)
{
    const char *token = strstr(w->request, "Bearer token-");
    const unsigned n = token != NULL ? (unsigned)strtoul(token + 13, NULL, 10) : 0;
    const unsigned served = COUNT(service.served);

    if (n != LOAD(service.issued) || served % 50 == 0) {
        (void)COUNT(service.refused);
        (void)say(w, 403, "{\"result\":{\"message\":\"access token expired\"}}");
    } else if (served % 13 == 0) {
        char body[100];
        (void)snprintf(body, sizeof body, "{\"error\":{\"message\":\"not with token-%08u\"}}", n);
        (void)say(w, served % 2 == 0 ? 402 : 500, body);
    } else {
        (void)say(w, 200, "{\"id\":7}");
    }
}

static void answer(struct wire *w)
{
    const char *end, *length;

    w->request[w->asked] = '\0';
    end = strstr(w->request, "\r\n\r\n");
    length = strstr(w->request, "Content-Length: ");
    if (end == NULL || strlen(end + 4) < (length != NULL ? strtoul(length + 16, NULL, 10) : 0)) {
        return;
    }
    if (strncmp(w->request, "POST /token", 11) == 0) {
        give_token(w);
    } else {
        give_self(w);
    }
}

static int wire_connect(void *ctx, const avito_server *to)
{
    struct wire *w = ctx;

    (void)to;
    w->asked = w->said = w->len = 0;
    return AVITO_OK;
}

static long wire_send(void *ctx, const void *data, size_t len, int more)
{
    struct wire *w = ctx;
    const size_t n = len < 60 ? len : 60;

    (void)more;
    memcpy(w->request + w->asked, data, n);
    w->asked += n;
    answer(w);
    return (long)n;
}

static long wire_recv(void *ctx, void *data, size_t cap)
{
    struct wire *w = ctx;
    const size_t left = w->len - w->said, piece = cap < 30 ? cap : 30;
    const size_t n = left < piece ? left : piece;

    if (n == 0 || w->turns++ % 2 == 0) {
        return AVITO_IO_AGAIN;
    }
    memcpy(data, w->answer + w->said, n);
    w->said += n;
    return (long)n;
}

static int wire_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static int wire_wait(void *ctx, int wants, uint32_t ms)
{
    (void)ctx, (void)wants, (void)ms;
    (void)sched_yield();
    return AVITO_OK;
}

static void wire_close(void *ctx)
{
    (void)ctx;
}

static const avito_transport_functions functions = {wire_connect, wire_send,  wire_recv, wire_wants,
                                                    wire_wait,    wire_close, NULL,      NULL};

/* ---- account and lanes ---- */

struct lane {
    avito_client client;
    struct wire wire;
    pthread_t thread;
    unsigned seed, done, shown, seen;
    int odd;
    bool cancels;
    char window[AVITO_WINDOW_MIN], room[1024], error_body[200];
};

static struct {
    pthread_mutex_t mutex;
    avito_account account;
    struct lane lanes[LANES];
    char tokens[AVITO_TOKENS_SIZE(64)];
    unsigned loads, saves; /* without a lock: one lane at a time */
    char saved[64];
} w;

static void lock(void *ctx)
{
    (void)ctx;
    assert_int_equal(pthread_mutex_lock(&w.mutex), 0);
}

static void unlock(void *ctx)
{
    (void)ctx;
    assert_int_equal(pthread_mutex_unlock(&w.mutex), 0);
}

static uint32_t now(void *ctx)
{
    struct timespec t;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)((uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u);
}

static int load(void *ctx, avito_token *token)
{
    (void)ctx, (void)token;
    w.loads++;
    return AVITO_END;
}

static int save(void *ctx, const avito_token *token)
{
    (void)ctx;
    w.saves++;
    (void)snprintf(w.saved, sizeof w.saved, "%s", token->access_token.ptr);
    return AVITO_OK;
}

/* A new service, a new account, and its lanes. */
static void begin(bool pairs, bool cancels)
{
    avito_account_options a = avito_account_options_default();

    memset(&w, 0, sizeof w);
    memset(&service, 0, sizeof service);
    service.pairs = pairs;
    assert_int_equal(pthread_mutex_init(&w.mutex, NULL), 0);
    a.client_id = "id";
    a.client_secret = "the-secret";
    a.tokens = w.tokens;
    a.tokens_cap = sizeof w.tokens;
    a.clock_ms = now;
    a.load_token = load;
    a.save_token = save;
    a.lock = lock;
    a.unlock = unlock;
    assert_int_equal(avito_account_init(&w.account, &a), AVITO_OK);
    for (unsigned i = 0; i < LANES; i++) {
        struct lane *l = &w.lanes[i];
        avito_client_options o = avito_client_options_default();
        o.transport.functions = &functions;
        o.transport.ctx = &l->wire;
        o.window = l->window;
        o.window_cap = sizeof l->window;
        o.error_body = l->error_body;
        o.error_body_cap = sizeof l->error_body;
        o.never_wait = i % 2 == 0;
        l->seed = i;
        l->cancels = cancels;
        assert_int_equal(avito_client_init(&l->client, &w.account, &o), AVITO_OK);
    }
}

static unsigned chance(struct lane *l, unsigned below)
{
    l->seed = l->seed * 1664525u + 1013904223u;
    return (l->seed >> 8) % below;
}

static int finish(struct lane *l, int rc)
{
    while (rc == AVITO_AGAIN) {
        (void)avito_wants(&l->client);
        (void)avito_deadline_ms(&l->client);
        if (l->cancels && chance(l, 300) == 0) {
            avito_cancel(&l->client);
            return AVITO_ERR_CANCELLED;
        }
        (void)sched_yield();
        rc = avito_step(&l->client);
    }
    return rc;
}

static bool is_expected(const struct lane *l, int rc)
{
    switch (rc) {
        case AVITO_OK:
        case AVITO_ERR_PAYMENT:
        case AVITO_ERR_SERVER:
        case AVITO_ERR_FORBIDDEN: /* a token was replaced twice during one call */
            return true;
        case AVITO_ERR_REFRESH_TOKEN:
            return !service.pairs;
        default:
            return rc == AVITO_ERR_CANCELLED && l->cancels;
    }
}

/* A thread: makes calls of all kinds on its lane. */
static void *run(void *ctx)
{
    struct lane *l = ctx;

    for (unsigned i = 0; i < CALLS; i++) {
        const unsigned kind = chance(l, 40);
        avito_arena arena = avito_arena_of(l->room, sizeof l->room);
        avito_self self;
        int rc = kind == 0   ? avito_get_token(&l->client, NULL)
                 : kind == 1 ? avito_refresh_token(&l->client, NULL)
                 : kind == 2 ? avito_exchange_code(&l->client, "abc", NULL)
                             : avito_get_self(&l->client, &arena, &self);
        rc = finish(l, rc);
        l->done += rc == AVITO_OK;
        l->odd = is_expected(l, rc) ? l->odd : rc;
        l->shown += strstr(avito_last_error(&l->client)->text, "token-0") != NULL;
        l->seen += avito_account_unpaid(&w.account) || avito_account_refresh_in_doubt(&w.account);
    }
    avito_client_close(&l->client);
    return NULL;
}

static void play(bool pairs, bool cancels)
{
    begin(pairs, cancels);
    for (unsigned i = 0; i < LANES; i++) {
        assert_int_equal(pthread_create(&w.lanes[i].thread, NULL, run, &w.lanes[i]), 0);
    }
    for (unsigned i = 0; i < LANES; i++) {
        assert_int_equal(pthread_join(w.lanes[i].thread, NULL), 0);
    }
    for (unsigned i = 0; i < LANES; i++) {
        assert_int_equal(w.lanes[i].odd, AVITO_OK);
        assert_int_equal(w.lanes[i].shown, 0);
        assert_true(w.lanes[i].done > CALLS / 4);
    }
    assert_true(service.issued > LANES && service.refused > 0);
    assert_true(w.loads <= 1);
}

/* ---- tests ---- */

static void test_lanes(void **state)
{
    (void)state;
    play(false, false);
    assert_int_equal(w.saves, service.issued);
}

/* Only one lane renews at a time: no refresh token is used twice, and each pair is stored. */
static void test_lanes_with_refresh_tokens(void **state)
{
    char newest[64];

    (void)state;
    play(true, false);
    assert_int_equal(service.stale, 0);
    assert_int_equal(w.saves, service.issued);
    (void)snprintf(newest, sizeof newest, "token-%08u", service.issued);
    assert_string_equal(w.saved, newest);
}

static void test_lanes_that_give_up(void **state)
{
    (void)state;
    play(false, true);
    assert_in_range(w.saves, LANES, service.issued);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_lanes_with_refresh_tokens),
        cmocka_unit_test(test_lanes_that_give_up),
    };

    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
