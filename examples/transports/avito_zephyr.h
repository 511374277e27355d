/* avito_zephyr.h - the transport of avito_messenger.h over Zephyr's sockets: a file to copy.
 *
 * По-русски: транспорт поверх сокетов Zephyr - файл, который копируют в свой проект.
 *
 *     #define AVITO_ZEPHYR_IMPLEMENTATION    in one file, after avito_messenger.h
 *     #include "avito_zephyr.h"
 *
 *     static avito_zephyr net;
 *     avito_transport transport = avito_zephyr_transport(&net);
 *
 * Give it to avito_tls_options.transport. Also here: avito_zephyr_clock_ms, avito_zephyr_entropy, and
 * avito_zephyr_store, which keeps tokens and the inbox in NVS.
 *
 * Kconfig: CONFIG_NETWORKING, CONFIG_NET_IPV4, CONFIG_NET_TCP, CONFIG_NET_SOCKETS; for names
 * CONFIG_DNS_RESOLVER; for TLS CONFIG_ENTROPY_GENERATOR (a board's own generator: the test generator
 * makes TLS worthless); for the store CONFIG_FLASH, CONFIG_FLASH_MAP, CONFIG_NVS. Stack of the thread,
 * seen on 32 bits: 2 KB plain, 5 KB with TLS.
 *
 * It was written from what ran on Zephyr 1.14 (native, 32 bits); for 3 and 4 it follows their documents.
 *
 * What the stack does, and what follows here:
 *   - ENOBUFS and ENOMEM from zsock_send() mean that the packet pool is used up: "later". A send is all
 *     or nothing per segment, so what the pool can never hold is offered in halves.
 *   - Nothing tells when packets are free again. A wait for that lasts 10 ms at most.
 *   - ZSOCK_MSG_DONTWAIT is not for connect. O_NONBLOCK is, with EINPROGRESS, EALREADY and EISCONN.
 *     Before Zephyr 2 connect waits all the same.
 *   - zsock_getaddrinfo() waits. Set .address to do without. */
#ifndef AVITO_ZEPHYR_H
#define AVITO_ZEPHYR_H

#include <zephyr/kernel.h>
#include <zephyr/net/socket.h>
#include <zephyr/random/random.h>
#if defined(CONFIG_NVS)
#include <zephyr/fs/nvs.h>
#endif

/* One connection; avito_zephyr_transport() prepares it. It must not move. */
typedef struct avito_zephyr {
    const char *address; /* numeric IPv4; NULL: look the host's name up, which waits */
    struct sockaddr_in to;
    int socket; /* < 0: closed */
    int error;  /* errno of the last failure, DNS_EAI_* of a name's */
    uint32_t moved;
    bool connecting, full;
} avito_zephyr;

avito_transport avito_zephyr_transport(avito_zephyr *net);
uint32_t avito_zephyr_clock_ms(void *ctx);
int avito_zephyr_entropy(void *ctx, void *out, size_t len);

#if defined(CONFIG_NVS)
/* Tokens and the inbox in NVS, which writes an entry whole or not at all. `fs` is mounted by you; three
 * entries from `first_id` on are ours. An inbox of 100 ids has slots of 1,232 bytes: a sector must hold
 * more than that. Hooks: ctx is the store. */
typedef struct avito_zephyr_store {
    struct nvs_fs *fs;
    uint16_t first_id;
    char tokens[600]; /* access and refresh token of the last load */
} avito_zephyr_store;

int avito_zephyr_load_token(void *ctx, avito_token *token);
int avito_zephyr_save_token(void *ctx, const avito_token *token);
int avito_zephyr_load_inbox(void *ctx, int slot, void *data, size_t cap, size_t *len);
int avito_zephyr_save_inbox(void *ctx, int slot, const void *data, size_t len);
#endif

#endif /* AVITO_ZEPHYR_H */

#ifdef AVITO_ZEPHYR_IMPLEMENTATION

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* errno is never handed on: -ECONNRESET is -104, which could be one of ours. */
static int avito_zephyr_fail(avito_zephyr *net, int result)
{
    net->error = errno;
    return result;
}

#if defined(CONFIG_DNS_RESOLVER)
static bool avito_zephyr_ask_dns(avito_zephyr *net, const char *host)
{
    struct zsock_addrinfo hints, *found = NULL;

    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    net->error = zsock_getaddrinfo(host, NULL, &hints, &found);
    if (net->error == 0) {
        memcpy(&net->to.sin_addr, &((struct sockaddr_in *)found->ai_addr)->sin_addr,
               sizeof net->to.sin_addr);
        zsock_freeaddrinfo(found);
    }
    return net->error == 0;
}
#else
static bool avito_zephyr_ask_dns(avito_zephyr *net, const char *host)
{
    (void)net;
    (void)host;
    return false;
}
#endif

static int avito_zephyr_look_up(avito_zephyr *net, const avito_server *to)
{
    const char *host = net->address != NULL ? net->address : to->host;

    net->error = 0;
    memset(&net->to, 0, sizeof net->to);
    net->to.sin_family = AF_INET;
    net->to.sin_port = htons(to->port);
    return zsock_inet_pton(AF_INET, host, &net->to.sin_addr) == 1 || avito_zephyr_ask_dns(net, host)
               ? AVITO_OK
               : AVITO_ERR_RESOLVE;
}

static int avito_zephyr_open(avito_zephyr *net, const avito_server *to)
{
    const int result = avito_zephyr_look_up(net, to);

    if (result != AVITO_OK) {
        return result;
    }
    net->socket = zsock_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (net->socket < 0) {
        return avito_zephyr_fail(net, AVITO_ERR_CONNECT);
    }
    (void)zsock_fcntl(net->socket, F_SETFL, O_NONBLOCK);
    net->connecting = true;
    net->full = false;
    return AVITO_OK;
}

static int avito_zephyr_connect(void *ctx, const avito_server *to)
{
    avito_zephyr *net = (avito_zephyr *)ctx;
    const int result = net->socket < 0 ? avito_zephyr_open(net, to) : AVITO_OK;

    if (result != AVITO_OK) {
        return result;
    }
    if (zsock_connect(net->socket, (struct sockaddr *)&net->to, sizeof net->to) == 0 ||
        errno == EISCONN) {
        net->connecting = false;
        return AVITO_OK;
    }
    return errno == EINPROGRESS || errno == EALREADY ? AVITO_AGAIN
                                                     : avito_zephyr_fail(net, AVITO_ERR_CONNECT);
}

static bool avito_zephyr_is_full(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM;
}

static long avito_zephyr_send(void *ctx, const void *data, size_t len, int more)
{
    avito_zephyr *net = (avito_zephyr *)ctx;
    ssize_t n;

    (void)more;
    do {
        n = zsock_send(net->socket, data, len, ZSOCK_MSG_DONTWAIT);
        net->full = n < 0 && avito_zephyr_is_full();
    } while (net->full && errno != EAGAIN && (len /= 2) >= 64);
    if (n > 0) {
        net->moved += (uint32_t)n;
        return (long)n;
    }
    return n == 0 || net->full ? AVITO_IO_AGAIN : avito_zephyr_fail(net, AVITO_ERR_SEND);
}

static long avito_zephyr_recv(void *ctx, void *data, size_t cap)
{
    avito_zephyr *net = (avito_zephyr *)ctx;
    const ssize_t n = zsock_recv(net->socket, data, cap, ZSOCK_MSG_DONTWAIT);

    if (n > 0) {
        net->moved += (uint32_t)n;
        return (long)n;
    }
    if (n == 0) {
        return AVITO_IO_CLOSED;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK ? AVITO_IO_AGAIN
                                                   : avito_zephyr_fail(net, AVITO_ERR_RECV);
}

static int avito_zephyr_wants(void *ctx)
{
    const avito_zephyr *net = (const avito_zephyr *)ctx;

    return net->connecting ? AVITO_WANT_WRITE
                           : AVITO_WANT_READ | (net->full ? AVITO_WANT_WRITE : 0);
}

static int avito_zephyr_wait(void *ctx, int wants, uint32_t ms)
{
    avito_zephyr *net = (avito_zephyr *)ctx;
    struct zsock_pollfd p;
    int n;

    p.fd = net->socket;
    p.events = (short)(((wants & AVITO_WANT_READ) != 0 ? ZSOCK_POLLIN : 0) |
                       ((wants & AVITO_WANT_WRITE) != 0 ? ZSOCK_POLLOUT : 0));
    p.revents = 0;
    if (net->socket < 0 || p.events == 0) {
        k_msleep((int32_t)(ms < INT32_MAX ? ms : INT32_MAX));
        return AVITO_AGAIN;
    }
    ms = net->full && ms > 10u ? 10u : ms;
    n = zsock_poll(&p, 1, (int)(ms < INT32_MAX ? ms : INT32_MAX));
    if (n < 0) {
        return avito_zephyr_fail(net, AVITO_ERR_RECV);
    }
    return n > 0 || net->full ? AVITO_OK : AVITO_AGAIN;
}

static void avito_zephyr_close(void *ctx)
{
    avito_zephyr *net = (avito_zephyr *)ctx;

    if (net->socket >= 0) {
        (void)zsock_close(net->socket);
        net->socket = -1;
    }
    net->connecting = net->full = false;
}

static int avito_zephyr_detail(void *ctx)
{
    return ((const avito_zephyr *)ctx)->error;
}

static uint32_t avito_zephyr_moved(void *ctx)
{
    return ((const avito_zephyr *)ctx)->moved;
}

avito_transport avito_zephyr_transport(avito_zephyr *net)
{
    static const avito_transport_functions functions = {
        avito_zephyr_connect, avito_zephyr_send,  avito_zephyr_recv,   avito_zephyr_wants,
        avito_zephyr_wait,    avito_zephyr_close, avito_zephyr_detail, avito_zephyr_moved};
    avito_transport transport;

    net->socket = -1;
    transport.functions = &functions;
    transport.ctx = net;
    return transport;
}

uint32_t avito_zephyr_clock_ms(void *ctx)
{
    (void)ctx;
    return k_uptime_get_32();
}

int avito_zephyr_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    return sys_csrand_get(out, len) == 0 ? AVITO_OK : AVITO_ERR_OPTION_ENTROPY;
}

#if defined(CONFIG_NVS)

/* An entry of tokens: expires_at, two lengths, the two tokens. */
struct avito_zephyr_tokens {
    int64_t expires_at;
    uint16_t access, refresh;
    char text[584];
};

int avito_zephyr_save_token(void *ctx, const avito_token *token)
{
    avito_zephyr_store *store = (avito_zephyr_store *)ctx;
    struct avito_zephyr_tokens t;
    const size_t len = token->access_token.len + token->refresh_token.len;
    const size_t size = offsetof(struct avito_zephyr_tokens, text) + len;

    if (len > sizeof t.text) {
        return AVITO_ERR_ROOM;
    }
    memset(&t, 0, sizeof t);
    t.expires_at = token->expires_at;
    t.access = (uint16_t)token->access_token.len;
    t.refresh = (uint16_t)token->refresh_token.len;
    memcpy(t.text, token->access_token.ptr, t.access);
    if (t.refresh > 0) {
        memcpy(t.text + t.access, token->refresh_token.ptr, t.refresh);
    }
    return nvs_write(store->fs, store->first_id, &t, size) >= 0 ? AVITO_OK : AVITO_ERR_HOOK;
}

static avito_str avito_zephyr_keep(avito_zephyr_store *store, size_t at, const char *text,
                                   size_t len)
{
    avito_str s = {NULL, 0};

    if (len > 0) {
        memcpy(store->tokens + at, text, len);
        store->tokens[at + len] = '\0';
        s.ptr = store->tokens + at;
        s.len = len;
    }
    return s;
}

int avito_zephyr_load_token(void *ctx, avito_token *token)
{
    avito_zephyr_store *store = (avito_zephyr_store *)ctx;
    struct avito_zephyr_tokens t;
    const ssize_t n = nvs_read(store->fs, store->first_id, &t, sizeof t);
    const size_t head = offsetof(struct avito_zephyr_tokens, text);

    if (n < 0) {
        return n == -ENOENT ? AVITO_END : AVITO_ERR_HOOK;
    }
    if (n < (ssize_t)head || (size_t)t.access + t.refresh > sizeof t.text ||
        (size_t)n < head + t.access + t.refresh) {
        return AVITO_END; /* none that can be used: an error would come with every call */
    }
    token->expires_at = t.expires_at;
    token->access_token = avito_zephyr_keep(store, 0, t.text, t.access);
    token->refresh_token = avito_zephyr_keep(store, t.access + 1u, t.text + t.access, t.refresh);
    return AVITO_OK;
}

int avito_zephyr_load_inbox(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    const avito_zephyr_store *store = (const avito_zephyr_store *)ctx;
    const ssize_t n = nvs_read(store->fs, (uint16_t)(store->first_id + 1 + slot), data, cap);

    *len = n > 0 ? (size_t)n : 0;
    return n == -ENOENT ? AVITO_END : n < 0 ? AVITO_ERR_HOOK : AVITO_OK;
}

int avito_zephyr_save_inbox(void *ctx, int slot, const void *data, size_t len)
{
    const avito_zephyr_store *store = (const avito_zephyr_store *)ctx;

    return nvs_write(store->fs, (uint16_t)(store->first_id + 1 + slot), data, len) >= 0
               ? AVITO_OK
               : AVITO_ERR_HOOK;
}

#endif /* CONFIG_NVS */

#endif /* AVITO_ZEPHYR_IMPLEMENTATION */
