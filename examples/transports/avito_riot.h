/* avito_riot.h - the transport of avito_messenger.h over RIOT's sock_tcp: a file to copy.
 *
 * По-русски: транспорт поверх sock_tcp из RIOT - файл, который копируют в свой проект.
 *
 *     #define AVITO_RIOT_IMPLEMENTATION    in one file, after avito_messenger.h
 *     #include "avito_riot.h"
 *
 *     static avito_riot net = {.address = "fd00::1"};
 *     avito_transport transport = avito_riot_transport(&net);
 *
 * Give it to avito_tls_options.transport. Also here: avito_riot_clock_ms and avito_riot_entropy. For
 * tokens and the inbox see avito_flash.h, over mtd_write() and mtd_erase_sector().
 *
 * Modules: gnrc_sock_tcp (or another sock_tcp), netutils, ztimer_msec, random with a true source (prng_sha256prng
 * over hwrng), sock_dns where .address is not set.
 *
 * It ran on RIOT itself (native64, GNRC, at c8bd52f), plain and with TLS.
 *
 * What the stack does, and what follows here:
 *   - sock_tcp has no poll. wait() is a timed read into a small buffer, from which recv() gives first.
 *   - sock_tcp_connect() and sock_tcp_write() wait inside. So a lane on it must be one that may wait; the
 *     lane's own deadlines are looked at between two of them.
 *   - -ENOMEM from sock_tcp_write() is "later". Nothing tells when there is memory again: wait() sleeps for 10 ms
 *     at most.
 *   - sock_tcp_disconnect() of GNRC waits for the end of TIME-WAIT, 60 s. gnrc_tcp_abort() does not. */
#ifndef AVITO_RIOT_H
#define AVITO_RIOT_H

#include "net/sock/tcp.h"
#include "net/utils.h"
#include "random.h"
#include "ztimer.h"
#ifdef MODULE_GNRC_SOCK_TCP
#include "net/gnrc/tcp.h"
#endif
#ifdef MODULE_SOCK_DNS
#include "net/sock/dns.h"
#endif

#define AVITO_RIOT_AHEAD 64

/* One connection; set .address or have sock_dns, the rest is zero. It must not move. */
typedef struct avito_riot {
    const char *address; /* numeric IPv6, "fe80::1%5" with its interface; NULL: sock_dns */
    sock_tcp_t sock;
    char ahead[AVITO_RIOT_AHEAD]; /* what wait() has read */
    size_t at, len;               /* of it, what recv() has not given yet */
    uint32_t moved;
    int error; /* errno of the last failure */
    bool open, ended, full;
} avito_riot;

avito_transport avito_riot_transport(avito_riot *net);
uint32_t avito_riot_clock_ms(void *ctx);

/* random_bytes(): as good as the module's source. */
int avito_riot_entropy(void *ctx, void *out, size_t len);

#endif /* AVITO_RIOT_H */

#ifdef AVITO_RIOT_IMPLEMENTATION

#include <errno.h>
#include <string.h>

static bool avito_riot_look_up(avito_riot *net, const char *host, sock_tcp_ep_t *to)
{
    netif_t *netif = NULL;

    net->error = 0;
    to->family = AF_INET6;
    if (netutils_get_ipv6((ipv6_addr_t *)&to->addr, &netif,
                          net->address != NULL ? net->address : host) >= 0) {
        to->netif = netif != NULL ? (uint16_t)netif_get_id(netif) : 0;
        return true;
    }
#ifdef MODULE_SOCK_DNS
    if (net->address == NULL) {
        const int n = sock_dns_query(host, &to->addr, AF_INET6);

        net->error = n < 0 ? -n : 0;
        return n > 0;
    }
#endif
    return false;
}

static int avito_riot_connect(void *ctx, const avito_server *to)
{
    avito_riot *net = (avito_riot *)ctx;
    sock_tcp_ep_t end;
    int rc;

    memset(&end, 0, sizeof end);
    net->at = net->len = 0;
    net->ended = net->open = net->full = false;
    if (!avito_riot_look_up(net, to->host, &end)) {
        return AVITO_ERR_RESOLVE;
    }
    end.port = to->port;
    rc = sock_tcp_connect(&net->sock, &end, 0, 0);
    net->error = -rc;
    net->open = rc == 0;
    return rc == 0 ? AVITO_OK : AVITO_ERR_CONNECT;
}

static long avito_riot_send(void *ctx, const void *data, size_t len, int more)
{
    avito_riot *net = (avito_riot *)ctx;
    const ssize_t n = sock_tcp_write(&net->sock, data, len);

    (void)more;
    net->full = n == -EAGAIN || n == -ENOMEM;
    if (n > 0) {
        net->moved += (uint32_t)n;
        return (long)n;
    }
    net->error = (int)-n;
    return net->full ? AVITO_IO_AGAIN : AVITO_ERR_SEND;
}

static long avito_riot_read(avito_riot *net, void *data, size_t cap, uint32_t us)
{
    ssize_t n;

    if (net->ended) {
        return AVITO_IO_CLOSED;
    }
    n = sock_tcp_read(&net->sock, data, cap, us);
    if (n > 0) {
        net->moved += (uint32_t)n;
        return (long)n;
    }
    if (n == -EAGAIN || n == -ETIMEDOUT) {
        return AVITO_IO_AGAIN;
    }
    net->ended = n == 0;
    net->error = (int)-n;
    return n == 0 ? AVITO_IO_CLOSED : AVITO_ERR_RECV;
}

/* Bytes that are held come before "nothing yet". */
static long avito_riot_recv(void *ctx, void *data, size_t cap)
{
    avito_riot *net = (avito_riot *)ctx;
    size_t n = net->len - net->at < cap ? net->len - net->at : cap;
    long more;

    if (n == 0) {
        return avito_riot_read(net, data, cap, 0);
    }
    memcpy(data, net->ahead + net->at, n);
    net->at += n;
    more = n < cap ? avito_riot_read(net, (char *)data + n, cap - n, 0) : 0;
    return (long)n + (more > 0 ? more : 0); /* an error or the end comes again */
}

static int avito_riot_wants(void *ctx)
{
    return AVITO_WANT_READ | (((const avito_riot *)ctx)->full ? AVITO_WANT_WRITE : 0);
}

static int avito_riot_wait(void *ctx, int wants, uint32_t ms)
{
    avito_riot *net = (avito_riot *)ctx;
    long n;

    if (!net->open || (wants & AVITO_WANT_READ) == 0) {
        ztimer_sleep(ZTIMER_MSEC, ms);
        return AVITO_AGAIN;
    }
    if ((wants & AVITO_WANT_WRITE) != 0 && net->full) {
        ztimer_sleep(ZTIMER_MSEC, ms < 10u ? ms : 10u);
        return AVITO_OK;
    }
    if (net->at < net->len || net->ended) {
        return AVITO_OK;
    }
    n = avito_riot_read(net, net->ahead, sizeof net->ahead,
                        ms < 4000000u ? ms * 1000u : 4000000000u);
    net->at = 0;
    net->len = n > 0 ? (size_t)n : 0;
    return n == AVITO_IO_AGAIN ? AVITO_AGAIN : AVITO_OK; /* an error comes again in recv() */
}

static void avito_riot_close(void *ctx)
{
    avito_riot *net = (avito_riot *)ctx;

    if (net->open) {
#ifdef MODULE_GNRC_SOCK_TCP
        gnrc_tcp_abort(&net->sock);
#else
        sock_tcp_disconnect(&net->sock);
#endif
        net->open = false;
    }
}

static int avito_riot_detail(void *ctx)
{
    return ((const avito_riot *)ctx)->error;
}

static uint32_t avito_riot_moved(void *ctx)
{
    return ((const avito_riot *)ctx)->moved;
}

avito_transport avito_riot_transport(avito_riot *net)
{
    static const avito_transport_functions functions = {
        avito_riot_connect, avito_riot_send,  avito_riot_recv,   avito_riot_wants,
        avito_riot_wait,    avito_riot_close, avito_riot_detail, avito_riot_moved};
    avito_transport transport;

    transport.functions = &functions;
    transport.ctx = net;
    return transport;
}

uint32_t avito_riot_clock_ms(void *ctx)
{
    (void)ctx;
    return ztimer_now(ZTIMER_MSEC);
}

int avito_riot_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    random_bytes((uint8_t *)out, len);
    return AVITO_OK;
}

#endif /* AVITO_RIOT_IMPLEMENTATION */
