/*
 * Bytes on the wire and round trips of a few situations, against the simulated service.
 *
 *     wire tls PORT ROOTS.pem FRAGMENT     FRAGMENT: largest TLS record asked for
 *     wire plain PORT                      without TLS: what the requests themselves take
 *
 * Prints "wire | situation | bytes sent | bytes received | round trips". Bytes are those given to
 * and taken from TCP, including TLS. A round trip is something received after something sent;
 * opening a TCP connection is one, too.
 */
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- a transport that counts what passes through it ---- */

static struct {
    avito_transport inner;
    unsigned long sent, received, turns;
    bool was_sending;
} tap;

static int tap_connect(void *ctx, const avito_server *to)
{
    int result = tap.inner.functions->connect(tap.inner.ctx, to);

    (void)ctx;
    tap.turns += result == AVITO_OK ? 1 : 0;
    return result;
}

static long tap_send(void *ctx, const void *data, size_t len, int more)
{
    long n = tap.inner.functions->send(tap.inner.ctx, data, len, more);

    (void)ctx;
    tap.sent += n > 0 ? (unsigned long)n : 0;
    tap.was_sending = tap.was_sending || n > 0;
    return n;
}

static long tap_recv(void *ctx, void *data, size_t cap)
{
    long n = tap.inner.functions->recv(tap.inner.ctx, data, cap);

    (void)ctx;
    if (n > 0) {
        tap.received += (unsigned long)n;
        tap.turns += tap.was_sending ? 1 : 0;
        tap.was_sending = false;
    }
    return n;
}

static int tap_wants(void *ctx)
{
    (void)ctx;
    return tap.inner.functions->wants(tap.inner.ctx);
}

static int tap_wait(void *ctx, int wants, uint32_t ms)
{
    (void)ctx;
    return tap.inner.functions->wait(tap.inner.ctx, wants, ms);
}

static void tap_close(void *ctx)
{
    (void)ctx;
    tap.inner.functions->close(tap.inner.ctx);
}

static const avito_transport_functions tap_functions = {tap_connect, tap_send,  tap_recv, tap_wants,
                                                        tap_wait,    tap_close, NULL,     NULL};

/* ---- situations ---- */

#define USER 350000001

static avito_account account;
static avito_client client;
static avito_tls tls;
static avito_tcp tcp;
static avito_arena arena;
static char tokens[AVITO_TOKENS_SIZE(40)], window[AVITO_WINDOW_MIN], anchor_room[8192];
static unsigned char records[AVITO_TLS_BUFFER_HALF(16384)];
static uint64_t room[8192];

static void report(const char *what, int result)
{
    if (result != AVITO_OK && result != AVITO_END) {
        fprintf(stderr, "wire: %s: %s %s\n", what, avito_error_name(result),
                avito_last_error(&client)->text);
        exit(1);
    }
    printf("wire | %s | %lu | %lu | %lu\n", what, tap.sent, tap.received, tap.turns);
    tap.sent = tap.received = tap.turns = 0;
    tap.was_sending = false;
}

/* The unread chats, at most one; its id if there is one. */
static int poll_chats(char *id)
{
    avito_chats_query query = {0};
    avito_chats chats;
    int result;

    query.unread_only = true;
    query.limit = 1;
    avito_arena_reset(&arena);
    result = avito_get_chats(&client, USER, &query, &arena, &chats);
    if (result == AVITO_OK && chats.count > 0 && id != NULL) {
        snprintf(id, 80, "%s", chats.items[0].id.ptr);
    }
    return result;
}

static void situations(const char *id)
{
    report("first message from cold", avito_send_message(&client, USER, id, "Hello", NULL, NULL));
    report("next message, same connection",
           avito_send_message(&client, USER, id, "Hello", NULL, NULL));
    report("chat marked as read", avito_mark_chat_as_read(&client, USER, id));
    report("poll, nothing new", poll_chats(NULL));
    avito_client_close(&client);
    tap.sent = tap.received = tap.turns = 0;
    report("poll, nothing new, connection resumed", poll_chats(NULL));
}

/* Account and lane, over TCP or TLS, with the tap between the lane's transport and TCP. */
static int set_up(bool with_tls, const char *roots, size_t fragment)
{
    avito_account_options ao = avito_account_options_default();
    avito_client_options co = avito_client_options_default();
    avito_tls_options to = avito_tls_options_default();
    avito_tcp_options po = avito_tcp_options_default();
    avito_anchors anchors;

    po.address = "127.0.0.1";
    if (avito_tcp_init(&tcp, &po) != AVITO_OK) {
        return 1;
    }
    tap.inner = avito_tcp_transport(&tcp);
    co.transport.functions = &tap_functions;
    if (with_tls) {
        if (avito_anchors_load_file(&anchors, anchor_room, sizeof anchor_room, roots) != AVITO_OK) {
            return 1;
        }
        to.transport = co.transport;
        to.anchors = anchors.items;
        to.anchors_count = anchors.count;
        to.buffer = records;
        to.buffer_cap = AVITO_TLS_BUFFER_HALF(fragment);
        to.unix_time = avito_posix_unix_time;
        to.entropy = avito_posix_entropy;
        if (avito_tls_init(&tls, &to) != AVITO_OK) {
            return 1;
        }
        co.transport = avito_tls_transport(&tls);
    }
    ao.client_id = "client-id-for-tests";
    ao.client_secret = "client-secret-for-tests-0123456789abcdef";
    ao.tokens = tokens;
    ao.tokens_cap = sizeof tokens;
    ao.clock_ms = avito_posix_clock_ms;
    ao.unix_time = avito_posix_unix_time;
    ao.entropy = avito_posix_entropy;
    co.window = window;
    co.window_cap = sizeof window;
    arena = avito_arena_of(room, sizeof room);
    return avito_account_init(&account, &ao) != AVITO_OK ||
           avito_client_init(&client, &account, &co) != AVITO_OK;
}

int main(int argc, char **argv)
{
    bool with_tls = argc == 5 && strcmp(argv[1], "tls") == 0;
    char id[80] = "";

    if (!with_tls && !(argc == 3 && strcmp(argv[1], "plain") == 0)) {
        return 2;
    }
    if (set_up(with_tls, with_tls ? argv[3] : NULL, with_tls ? (size_t)atoi(argv[4]) : 0) != 0) {
        return 2;
    }
    account.o.port = (uint16_t)atoi(argv[2]);
    if (poll_chats(id) != AVITO_OK || id[0] == '\0') {
        fprintf(stderr, "wire: no chat: %s\n", avito_last_error(&client)->text);
        return 1;
    }
    printf("wire-chat | %s\n", id);
    avito_client_close(&client);
    memset(&tap, 0, sizeof tap);
    if (set_up(with_tls, with_tls ? argv[3] : NULL, with_tls ? (size_t)atoi(argv[4]) : 0) != 0) {
        return 2;
    }
    account.o.port = (uint16_t)atoi(argv[2]);
    situations(id); /* as after a reboot: no session, no token */
    return 0;
}
