/* Needs the implementation. */
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* ---- the service ---- */

static int service_connect(void *ctx, const avito_server *to)
{
    struct device *d = ctx;
    (void)to;
    d->request_len = d->answer_at = d->answer_len = 0;
    return AVITO_OK;
}

static const char *date_line(const struct device *d)
{
    static char line[64];
    const time_t now = (time_t)d->clock.unix_s;
    line[0] = '\0';
    if (d->dates) {
        assert_true(
            strftime(line, sizeof line, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime(&now)) > 0);
    }
    return line;
}

/* Collects the request; its head is enough to make the answer. */
static long service_send(void *ctx, const void *data, size_t len, int more)
{
    struct device *d = ctx;
    (void)more;
    assert_true(d->request_len + len < sizeof d->request);
    memcpy(d->request + d->request_len, data, len);
    d->request_len += len;
    d->request[d->request_len] = '\0';
    if (strstr(d->request, "\r\n\r\n") != NULL) {
        int status = 200;
        const char *body = d->serve(d->service, d->request, &status);
        const int n =
            snprintf(d->answer, sizeof d->answer, "HTTP/1.1 %d X\r\n%sContent-Length: %u\r\n\r\n%s",
                     status, date_line(d), (unsigned)strlen(body), body);
        assert_true(n > 0 && (size_t)n < sizeof d->answer);
        d->request_len = d->answer_at = 0;
        d->answer_len = (size_t)n;
    }
    return (long)len;
}

static long service_recv(void *ctx, void *data, size_t cap)
{
    struct device *d = ctx;
    const size_t left = d->answer_len - d->answer_at;
    size_t n = left < cap ? left : cap;
    n = d->piece > 0 && n > d->piece ? d->piece : n;
    d->said_again = d->piece > 0 && !d->said_again;
    if (n == 0 || d->silent || d->said_again) {
        return AVITO_IO_AGAIN;
    }
    memcpy(data, d->answer + d->answer_at, n);
    d->answer_at += n;
    return (long)n;
}

static int service_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void service_close(void *ctx)
{
    (void)ctx;
}

static const avito_transport_functions functions = {
    service_connect, service_send, service_recv, service_wants, NULL, service_close, NULL, NULL};

/* ---- the device ---- */

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
    assert_int_equal(len, d->options.state_cap);
    if (d->save_result != AVITO_OK) {
        return d->save_result;
    }
    memcpy(d->slots[slot], data, len);
    d->full[slot] = len;
    return AVITO_OK;
}

static int load(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    struct device *d = ctx;
    assert_true(slot == 0 || slot == 1);
    assert_int_equal(cap, d->options.state_cap);
    assert_true(d->full[slot] <= cap);
    if (++d->loads == d->failing_load) {
        return -8;
    }
    memcpy(data, d->slots[slot], d->full[slot]);
    *len = d->full[slot];
    return *len != 0 ? AVITO_OK : AVITO_END;
}

void device_init(struct device *d, unsigned ring, device_serve *serve, void *service)
{
    memset(d, 0, sizeof *d);
    clock_init(&d->clock);
    d->serve = serve;
    d->service = service;
    d->options = avito_inbox_options_default();
    avito_enable_inbox_records(&d->options);
    d->options.user_id = 350000001;
    d->options.since = DEVICE_SINCE;
    d->options.state = d->state;
    d->options.state_cap = AVITO_INBOX_STATE_SIZE(ring);
    assert_true(d->options.state_cap <= sizeof d->state);
    d->options.arena = &d->arena;
    d->options.ctx = d;
    d->options.save = save;
    d->options.load = load;
}

void device_start(struct device *d)
{
    avito_account_options account = avito_account_options_default();
    avito_client_options client = avito_client_options_default();
    /* When the power comes memory holds anything. */
    memset(d->state, 0xa5, sizeof d->state);
    memset(d->window, 0xa5, sizeof d->window);
    memset(d->tokens, 0xa5, sizeof d->tokens);
    memset(d->room, 0xa5, sizeof d->room);
    memset(&d->account, 0xa5, sizeof d->account);
    memset(&d->client, 0xa5, sizeof d->client);
    memset(&d->inbox, 0xa5, sizeof d->inbox);
    account.client_id = "an-id";
    account.client_secret = "a-secret";
    account.tokens = d->tokens;
    account.tokens_cap = sizeof d->tokens;
    account.ctx = &d->clock;
    account.clock_ms = clock_ms;
    account.unix_time = clock_unix_time;
    account.load_token = load_token;
    avito_enable_token_store(&account);
    assert_int_equal(avito_account_init(&d->account, &account), AVITO_OK);
    client.transport.functions = &functions;
    client.transport.ctx = d;
    client.window = d->window;
    client.window_cap = sizeof d->window;
    assert_int_equal(avito_client_init(&d->client, &d->account, &client), AVITO_OK);
    d->arena = avito_arena_of(d->room, sizeof d->room);
    assert_int_equal(avito_inbox_init(&d->inbox, &d->client, &d->options), AVITO_OK);
}

const char *device_round(struct device *d)
{
    d->given[0] = '\0';
    for (int i = 0; i < 2000; i++) {
        avito_message m;
        const int rc = avito_inbox_next(&d->inbox, &m);
        if (rc == AVITO_OK) {
            assert_true(strlen(d->given) + m.id.len + 2 < sizeof d->given);
            strcat(strcat(d->given, m.id.ptr), " ");
            assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
        }
        if (rc < 0) {
            d->errors++;
            assert_int_equal(avito_last_error(&d->client)->code, rc);
            d->needed = rc == AVITO_ERR_ARENA ? avito_last_error(&d->client)->needed : d->needed;
        }
        d->events |= avito_inbox_events(&d->inbox);
        if (avito_inbox_wants(&d->inbox) == AVITO_WANT_TIMER &&
            avito_inbox_deadline_ms(&d->inbox) > 1000) {
            return d->given;
        }
        if (rc == AVITO_AGAIN && avito_inbox_wants(&d->inbox) == AVITO_WANT_TIMER) {
            clock_advance(&d->clock, avito_inbox_deadline_ms(&d->inbox));
        }
    }
    fail_msg("a round without an end");
    return NULL;
}
