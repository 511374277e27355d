/*
 * A client whose answers lie in memory, for measurements without a network (sizes.c,
 * footprint/probe.c, bench/peer_ours.c).
 *
 *     recorded_open(account_options, window, window_cap, NULL);
 *     recorded_answer(head, head_len, body, body_len);        to the next request
 *     result = avito_get_chat(&client, 1, "u2i-1", &arena, &chat);
 */
#ifndef RECORDED_H
#define RECORDED_H

#include "avito_messenger.h"

#include <string.h>

static avito_account account;
static avito_client client;
static char tokens[AVITO_TOKENS_SIZE(40)];

static struct {
    struct {
        const char *at;
        size_t left;
    } parts[2];   /* head and body, each may be empty */
    size_t piece; /* at most this many bytes at once; 0: any number */
    bool asked;   /* the whole request went out */
    uint32_t sent, received;
} wire;

static int wire_connect(void *ctx, const avito_server *to)
{
    (void)ctx;
    (void)to;
    return AVITO_OK;
}

static long wire_send(void *ctx, const void *data, size_t len, int more)
{
    (void)ctx;
    (void)data;
    wire.sent += (uint32_t)len;
    wire.asked = !more;
    return (long)len;
}

static long wire_recv(void *ctx, void *data, size_t cap)
{
    const int part = wire.parts[0].left == 0;
    size_t n = wire.parts[part].left;

    (void)ctx;
    if (!wire.asked || n == 0) {
        return AVITO_IO_AGAIN;
    }
    n = n < cap ? n : cap;
    n = wire.piece == 0 || n < wire.piece ? n : wire.piece;
    memcpy(data, wire.parts[part].at, n);
    wire.parts[part].at += n;
    wire.parts[part].left -= n;
    wire.received += (uint32_t)n;
    return (long)n;
}

static int wire_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void wire_close(void *ctx)
{
    (void)ctx;
}

static void recorded_answer(const void *head, size_t head_len, const void *body, size_t body_len)
{
    wire.parts[0].at = (const char *)head;
    wire.parts[0].left = head_len;
    wire.parts[1].at = (const char *)body;
    wire.parts[1].left = body_len;
    wire.asked = false;
    wire.sent = wire.received = 0;
}

static int recorded_token(void *ctx, avito_token *token)
{
    (void)ctx;
    token->access_token.ptr = "0123456789012345678901234567890123456789";
    token->access_token.len = 40;
    token->expires_in = 86400;
    return AVITO_OK;
}

/* Fills in the id, the secret and the room for the token. wait NULL: a client that never waits. */
static int recorded_open(avito_account_options ao, void *window, size_t window_cap,
                         int (*wait)(void *ctx, int wants, uint32_t ms))
{
    static avito_transport_functions functions = {wire_connect, wire_send,  wire_recv, wire_wants,
                                                  NULL,         wire_close, NULL,      NULL};
    avito_client_options co = avito_client_options_default();
    int result;

    functions.wait = wait;
    ao.client_id = "client-id-for-tests";
    ao.client_secret = "client-secret-for-tests-0123456789abcdef";
    ao.tokens = tokens;
    ao.tokens_cap = sizeof tokens;
    co.transport.functions = &functions;
    co.window = window;
    co.window_cap = window_cap;
    avito_enable_sent(&co);
    result = avito_account_init(&account, &ao);
    return result != AVITO_OK ? result : avito_client_init(&client, &account, &co);
}

#endif
