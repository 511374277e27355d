/* fake.c - RIOT's sock_tcp: connect and write wait, read waits for its timeout, no poll. Where the stack is full
 * for a moment, write has no memory. */
#include "net/sock/dns.h"
#include "net/sock/tcp.h"
#include "net/utils.h"
#include "net/gnrc/tcp.h"
#include "random.h"
#include "ztimer.h"

#include "tests/transports/fake_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t ztimer_now(int timer)
{
    (void)timer;
    return (uint32_t)fake_now_ms();
}

void ztimer_sleep(int timer, uint32_t ms)
{
    (void)timer;
    fake_sleep_ms((long)ms);
}

void random_bytes(uint8_t *out, size_t len)
{
    fake_random(out, len);
}

int netutils_get_ipv6(ipv6_addr_t *out, netif_t **netif, const char *text)
{
    *netif = NULL;
    return inet_pton(AF_INET6, text, out->u8) == 1 ? 0 : -1;
}

int netif_get_id(const netif_t *netif)
{
    return netif->id;
}

int sock_dns_query(const char *name, void *out, int family)
{
    if (family != AF_INET6 || strcmp(name, "localhost") != 0) {
        return -ENOENT;
    }
    memcpy(out, &in6addr_loopback, 16);
    return 16;
}

/* ::1 is this machine, where the service listens on 127.0.0.1. */
int sock_tcp_connect(sock_tcp_t *s, const sock_tcp_ep_t *to, uint16_t local, uint16_t flags)
{
    int rc;

    (void)local;
    (void)flags;
    s->fd = fake_socket();
    while ((rc = fake_connect(s->fd, htonl(0x7f000001), to->port)) == FAKE_AGAIN) {
        fake_poll(s->fd, false, true, 100);
    }
    return rc == 0 ? 0 : -ECONNREFUSED;
}

ssize_t sock_tcp_write(sock_tcp_t *s, const void *data, size_t len)
{
    long n;

    while ((n = fake_send(s->fd, data, len)) == FAKE_FULL) {
        if (fake_habits_of_environment()->full_every > 0) {
            return -ENOMEM;
        }
        fake_poll(s->fd, false, true, 100);
    }
    return n > 0 ? n : -ECONNRESET;
}

ssize_t sock_tcp_read(sock_tcp_t *s, void *data, size_t cap, uint32_t us)
{
    long n = fake_recv(s->fd, data, cap);

    if (n == FAKE_AGAIN && us > 0 && fake_poll(s->fd, true, false, (long)(us / 1000u)) > 0) {
        n = fake_recv(s->fd, data, cap);
    }
    return n > 0             ? n
           : n == FAKE_END   ? 0
           : n == FAKE_AGAIN ? (us > 0 ? -ETIMEDOUT : -EAGAIN)
                             : -ECONNRESET;
}

void gnrc_tcp_abort(sock_tcp_t *s)
{
    fake_close(s->fd);
}

/* GNRC waits here for the end of TIME-WAIT, for a minute: this must not be called. */
void sock_tcp_disconnect(sock_tcp_t *s)
{
    (void)s;
    abort();
}
