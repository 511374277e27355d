/*
 * What the inbox saves is the same on every machine, byte by byte, and what another machine saved is
 * understood: a memory card may move from one to the other.
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
#include "support/clock.h"

#define USER  350000001
#define IDS   4
#define STATE AVITO_INBOX_STATE_SIZE(IDS)

/* ---- a service of one chat that answers by what is asked ---- */

#define CHAT                                                                                       \
    "{\"chats\":[{\"id\":\"u2i-aBcD\",\"created\":1754890000,\"updated\":1754899980,"              \
    "\"last_message\":{\"id\":\"m2\",\"author_id\":7,\"created\":1754899980,\"type\":\"text\","    \
    "\"direction\":\"in\",\"content\":{\"text\":\"two\"}}}]}"
#define MESSAGE(id, created)                                                                       \
    "{\"id\":\"" id "\",\"author_id\":7,\"created\":" created ",\"type\":\"text\","                \
    "\"direction\":\"in\",\"content\":{\"text\":\"hello\"}}"
#define M2 MESSAGE("m2", "1754899980")
#define M1 MESSAGE("m1", "1754899900")

struct service {
    char request[1024];
    size_t len;
    char answer[1024];
    size_t at, size;
};

/* Lists of one row begin at the offset that was asked for. */
static const char *body_for(const char *request)
{
    if (strstr(request, "/messages") == NULL) {
        return CHAT;
    }
    if (strstr(request, "limit=1&") == NULL && strstr(request, "limit=1 ") == NULL) {
        return "{\"messages\":[" M2 "," M1 "]}";
    }
    return strstr(request, "offset=1") != NULL ? "{\"messages\":[" M1 "]}"
                                               : "{\"messages\":[" M2 "]}";
}

static int service_connect(void *ctx, const avito_server *to)
{
    (void)ctx;
    (void)to;
    return AVITO_OK;
}

static long service_send(void *ctx, const void *data, size_t len, int more)
{
    struct service *s = ctx;
    int n;

    (void)more;
    assert_true(s->len + len < sizeof s->request);
    memcpy(s->request + s->len, data, len);
    s->len += len;
    s->request[s->len] = '\0';
    if (strstr(s->request, "\r\n\r\n") != NULL) {
        const char *body = body_for(s->request);
        n = snprintf(s->answer, sizeof s->answer, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n%s",
                     (unsigned)strlen(body), body);
        assert_true(n > 0 && (size_t)n < sizeof s->answer);
        s->at = 0;
        s->size = (size_t)n;
        s->len = 0;
    }
    return (long)len;
}

static long service_recv(void *ctx, void *data, size_t cap)
{
    struct service *s = ctx;
    size_t n = s->size - s->at < cap ? s->size - s->at : cap;

    if (n == 0) {
        return AVITO_IO_AGAIN;
    }
    memcpy(data, s->answer + s->at, n);
    s->at += n;
    return (long)n;
}

static int service_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void service_close(void *ctx)
{
    struct service *s = ctx;

    s->len = s->at = s->size = 0;
}

/* ---- an inbox with its two slots ---- */

struct device {
    struct clock clock;
    struct service service;
    avito_transport_functions functions;
    avito_account account;
    avito_client client;
    avito_arena arena;
    avito_inbox inbox;
    unsigned char slots[2][STATE];
    bool full[2];
    unsigned saves;
    unsigned char state[STATE];
    unsigned char window[AVITO_WINDOW_MIN];
    unsigned char tokens[AVITO_TOKENS_SIZE(64)];
    unsigned char room[4096];
};

static int load_token(void *ctx, avito_token *token)
{
    (void)ctx;
    token->access_token.ptr = "a-token";
    token->access_token.len = 7;
    token->expires_in = 86400;
    return AVITO_OK;
}

static int save(void *ctx, int slot, const void *data, size_t len)
{
    struct device *d = ctx;

    assert_true(slot == 0 || slot == 1);
    assert_int_equal(len, STATE);
    memcpy(d->slots[slot], data, len);
    d->full[slot] = true;
    d->saves++;
    return AVITO_OK;
}

static int load(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    struct device *d = ctx;

    if (!d->full[slot]) {
        return AVITO_END;
    }
    assert_int_equal(cap, STATE);
    memcpy(data, d->slots[slot], cap);
    *len = cap;
    return AVITO_OK;
}

static void device_start(struct device *d)
{
    avito_account_options account = avito_account_options_default();
    avito_client_options client = avito_client_options_default();
    avito_inbox_options inbox = avito_inbox_options_default();

    clock_init(&d->clock);
    account.client_id = "an-id";
    account.client_secret = "a-secret";
    account.tokens = d->tokens;
    account.tokens_cap = sizeof d->tokens;
    account.ctx = &d->clock;
    account.clock_ms = clock_ms;
    account.unix_time = clock_unix_time;
    account.load_token = load_token;
    assert_int_equal(avito_account_init(&d->account, &account), AVITO_OK);

    d->functions.connect = service_connect;
    d->functions.send = service_send;
    d->functions.recv = service_recv;
    d->functions.wants = service_wants;
    d->functions.close = service_close;
    client.transport.functions = &d->functions;
    client.transport.ctx = &d->service;
    client.window = d->window;
    client.window_cap = sizeof d->window;
    assert_int_equal(avito_client_init(&d->client, &d->account, &client), AVITO_OK);

    d->arena = avito_arena_of(d->room, sizeof d->room);
    inbox.user_id = USER;
    inbox.state = d->state;
    inbox.state_cap = sizeof d->state;
    inbox.arena = &d->arena;
    inbox.ctx = d;
    inbox.save = save;
    inbox.load = load;
    inbox.start = AVITO_START_SINCE;
    inbox.since = 1754890000;
    assert_int_equal(avito_inbox_init(&d->inbox, &d->client, &inbox), AVITO_OK);
}

/* One round: every message is accepted; their ids one behind the other. */
static void round_of(struct device *d, char *ids, size_t cap)
{
    ids[0] = '\0';
    for (int i = 0; i < 1000; i++) {
        avito_message message;
        int rc = avito_inbox_next(&d->inbox, &message);
        if (rc == AVITO_OK) {
            assert_true(strlen(ids) + message.id.len + 2 < cap);
            strcat(strcat(ids, message.id.ptr), " ");
            assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
            continue;
        }
        assert_int_equal(rc, AVITO_AGAIN);
        if (avito_inbox_wants(&d->inbox) == AVITO_WANT_TIMER &&
            avito_inbox_deadline_ms(&d->inbox) > 1000) {
            return; /* until the next round */
        }
    }
    fail_msg("a round without an end");
}

static int offer(struct device *d, const char *id, int64_t created)
{
    avito_message message;

    memset(&message, 0, sizeof message);
    message.id.ptr = id;
    message.id.len = strlen(id);
    message.created = created;
    return avito_inbox_offer(&d->inbox, &message);
}

/* ---- what was saved on a 64-bit little-endian machine ---- */

/* The two slots after the story of test_saved: magic, sequence, checksum, horizon, ids in the ring,
 * and eight that are spare; then the ring. */
static const char *const golden[2] = {
    "41564931040000007e8be97be0a4996802000000000000000000000000000000"
    "6b9b50b5078ba908bca599681e9d50b5078ca9080ca69968"
    "000000000000000000000000000000000000000000000000",
    "4156493105000000dbf335b4e0a4996803000000000000000000000000000000"
    "6b9b50b5078ba908bca599681e9d50b5078ca9080ca69968"
    "d19e50b5078da9081fa69968000000000000000000000000",
};

static void hex_of(const unsigned char *bytes, char *out)
{
    for (size_t i = 0; i < STATE; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

static void bytes_of(const char *hex, unsigned char *out)
{
    assert_int_equal(strlen(hex), 2 * STATE);
    for (size_t i = 0; i < STATE; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
}

static void assert_golden(const struct device *d)
{
    char hex[2 * STATE + 1];

    for (int slot = 0; slot < 2; slot++) {
        assert_true(d->full[slot]);
        hex_of(d->slots[slot], hex);
        assert_string_equal(hex, golden[slot]);
    }
}

static void test_saved(void **state)
{
    static struct device d;
    char ids[64];

    (void)state;
    memset(&d, 0, sizeof d);
    device_start(&d);
    round_of(&d, ids, sizeof ids);
    assert_string_equal(ids, "m1 m2 ");
    clock_advance(&d.clock, 15000);
    round_of(&d, ids, sizeof ids); /* which looks once more: then the horizon moves */
    assert_string_equal(ids, "");
    assert_int_equal(offer(&d, "m3", 1754899999), AVITO_OK);
    assert_int_equal(avito_inbox_accept(&d.inbox), AVITO_OK);
    assert_golden(&d);
    avito_client_close(&d.client);
}

static void device_with_golden(struct device *d)
{
    memset(d, 0, sizeof *d);
    for (int slot = 0; slot < 2; slot++) {
        bytes_of(golden[slot], d->slots[slot]);
        d->full[slot] = true;
    }
}

static void test_loaded(void **state)
{
    static struct device d;
    char ids[64];

    (void)state;
    device_with_golden(&d);
    device_start(&d);
    assert_int_equal(avito_inbox_events(&d.inbox), 0);
    assert_int_equal(offer(&d, "m1", 1754899900), AVITO_END);
    assert_int_equal(offer(&d, "m2", 1754899980), AVITO_END);
    assert_int_equal(offer(&d, "m3", 1754899999), AVITO_END);
    assert_int_equal(offer(&d, "m0", 1), AVITO_END); /* before the horizon */
    round_of(&d, ids, sizeof ids);
    assert_string_equal(ids, "");
    assert_int_equal(offer(&d, "m4", 1754899999), AVITO_OK);
    avito_client_close(&d.client);
}

/* A slot with one wrong bit is none: the other one is what is known. */
static void test_damaged(void **state)
{
    static struct device d;
    int newer;

    (void)state;
    device_with_golden(&d);
    newer = d.slots[1][4] > d.slots[0][4] ? 1 : 0; /* the sequence's low byte */
    for (size_t at = 0; at < STATE; at++) {
        device_with_golden(&d);
        d.slots[newer][at] ^= 0x10;
        device_start(&d);
        assert_int_equal(avito_inbox_events(&d.inbox), 0);
        assert_int_equal(offer(&d, "m1", 1754899900), AVITO_END);
        assert_int_equal(offer(&d, "m3", 1754899999), AVITO_OK);
        avito_client_close(&d.client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_loaded),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests_name("inbox_state", tests, NULL, NULL);
}
