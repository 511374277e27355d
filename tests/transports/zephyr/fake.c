/* fake.c - Zephyr's sockets: all or nothing, ENOBUFS and ENOMEM when packets are used up; NVS in memory. */
#include <zephyr/fs/nvs.h>
#include <zephyr/kernel.h>
#include <zephyr/net/socket.h>
#include <zephyr/random/random.h>

#include "tests/transports/fake_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define POOL 1500 /* bytes that the packet pool can ever hold */

static bool nonblocking;

uint32_t k_uptime_get_32(void)
{
    return (uint32_t)fake_now_ms();
}

int32_t k_msleep(int32_t ms)
{
    fake_sleep_ms(ms);
    return 0;
}

int sys_csrand_get(void *out, size_t len)
{
    return fake_random(out, len);
}

int zsock_socket(int family, int type, int protocol)
{
    (void)family;
    (void)type;
    (void)protocol;
    nonblocking = false;
    return fake_socket();
}

int zsock_fcntl(int fd, int command, int flags)
{
    (void)fd;
    nonblocking = command == F_SETFL && (flags & O_NONBLOCK) != 0;
    return 0;
}

int zsock_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)to;
    int rc;

    (void)len;
    do {
        rc = fake_connect(fd, in->sin_addr.s_addr, ntohs(in->sin_port));
    } while (rc == FAKE_AGAIN && !nonblocking);
    errno = rc == FAKE_AGAIN ? EINPROGRESS : ECONNREFUSED;
    return rc == 0 ? 0 : -1;
}

/* What the pool can never hold is refused each time. */
ssize_t zsock_send(int fd, const void *data, size_t len, int flags)
{
    static unsigned turn;
    const long n = len > POOL ? FAKE_FULL : fake_send(fd, data, len);

    (void)flags;
    if (n > 0) {
        return n;
    }
    errno = n != FAKE_FULL ? ECONNRESET : len > POOL || ++turn % 2 ? ENOBUFS : ENOMEM;
    return -1;
}

ssize_t zsock_recv(int fd, void *data, size_t cap, int flags)
{
    const long n = fake_recv(fd, data, cap);

    (void)flags;
    errno = n == FAKE_AGAIN ? EAGAIN : ECONNRESET;
    return n > 0 ? n : n == FAKE_END ? 0 : -1;
}

int zsock_poll(struct zsock_pollfd *fds, int count, int ms)
{
    (void)count;
    return fake_poll(fds->fd, (fds->events & ZSOCK_POLLIN) != 0, (fds->events & ZSOCK_POLLOUT) != 0,
                     ms);
}

int zsock_close(int fd)
{
    fake_close(fd);
    return 0;
}

int zsock_inet_pton(int family, const char *text, void *out)
{
    return inet_pton(family, text, out);
}

int zsock_getaddrinfo(const char *host, const char *service, const struct zsock_addrinfo *hints,
                      struct zsock_addrinfo **out)
{
    return strcmp(host, "localhost") == 0 ? getaddrinfo(host, service, hints, out) : DNS_EAI_NONAME;
}

void zsock_freeaddrinfo(struct zsock_addrinfo *list)
{
    freeaddrinfo(list);
}

/* ---- NVS ---- */

static struct {
    char data[2048];
    size_t len;
    bool there;
} entries[8];

ssize_t nvs_write(struct nvs_fs *fs, uint16_t id, const void *data, size_t len)
{
    if (fs->sectors == 0 || id >= 8 || len > sizeof entries[0].data) {
        return -ENOSPC;
    }
    memcpy(entries[id].data, data, len);
    entries[id].len = len;
    entries[id].there = true;
    return (ssize_t)len;
}

ssize_t nvs_read(struct nvs_fs *fs, uint16_t id, void *data, size_t cap)
{
    (void)fs;
    if (id >= 8 || !entries[id].there) {
        return -ENOENT;
    }
    memcpy(data, entries[id].data, entries[id].len < cap ? entries[id].len : cap);
    return (ssize_t)entries[id].len;
}
