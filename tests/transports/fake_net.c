/* fake_net.c - see fake_net.h. */
#include "fake_net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BEFORE_WRAP_MS 200u

static unsigned sends, turns;
static size_t until_reset = SIZE_MAX;
static bool silent;

static size_t number_of(const char *name)
{
    const char *value = getenv(name);

    return value != NULL ? (size_t)strtoul(value, NULL, 10) : 0;
}

const fake_habits *fake_habits_of_environment(void)
{
    static fake_habits h;
    static bool read;

    if (!read) {
        h.send_max = number_of("FAKE_SEND_MAX");
        h.recv_max = number_of("FAKE_RECV_MAX");
        h.full_every = (unsigned)number_of("FAKE_FULL_EVERY");
        h.connect_turns = (unsigned)number_of("FAKE_CONNECT_TURNS");
        read = true;
    }
    return &h;
}

void fake_reset_after(size_t bytes)
{
    until_reset = bytes;
}

bool fake_is_reset(void)
{
    return until_reset == 0;
}

void fake_stay_silent(bool stay_silent)
{
    silent = stay_silent;
}

int fake_socket(void)
{
    turns = 0;
    until_reset = SIZE_MAX;
    return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int fake_connect(int fd, uint32_t address, uint16_t port)
{
    struct sockaddr_in to;

    if (silent || turns++ < fake_habits_of_environment()->connect_turns) {
        return FAKE_AGAIN;
    }
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = address;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EISCONN) {
        return 0;
    }
    return errno == EINPROGRESS || errno == EALREADY ? FAKE_AGAIN : FAKE_RESET;
}

long fake_send(int fd, const void *data, size_t len)
{
    const fake_habits *h = fake_habits_of_environment();
    ssize_t n;

    if (until_reset == 0) {
        return FAKE_RESET;
    }
    if (h->full_every > 0 && ++sends % h->full_every == 0) {
        return FAKE_FULL;
    }
    n = send(fd, data, h->send_max > 0 && len > h->send_max ? h->send_max : len, MSG_NOSIGNAL);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? FAKE_FULL : FAKE_RESET;
}

long fake_recv(int fd, void *data, size_t cap)
{
    const fake_habits *h = fake_habits_of_environment();
    ssize_t n;

    if (until_reset == 0) {
        return FAKE_RESET;
    }
    cap = h->recv_max > 0 && cap > h->recv_max ? h->recv_max : cap;
    n = recv(fd, data, cap < until_reset ? cap : until_reset, 0);
    until_reset -= n > 0 && until_reset != SIZE_MAX ? (size_t)n : 0;
    return n > 0 ? n : n == 0 ? FAKE_END : errno == EAGAIN ? FAKE_AGAIN : FAKE_RESET;
}

int fake_poll(int fd, bool read, bool write, long ms)
{
    struct pollfd p = {fd, (short)((read ? POLLIN : 0) | (write ? POLLOUT : 0)), 0};

    if (until_reset == 0) {
        return 1;
    }
    if (silent) {
        p.fd = -1;
    }
    return poll(&p, 1, ms < 3600000 ? (int)ms : 3600000) > 0;
}

void fake_close(int fd)
{
    close(fd);
}

uint64_t fake_now_ms(void)
{
    static uint64_t begin;
    struct timespec t;
    uint64_t now;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now = (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
    begin = begin != 0 ? begin : now;
    return now - begin + (UINT64_C(1) << 32) - BEFORE_WRAP_MS;
}

void fake_sleep_ms(long ms)
{
    poll(NULL, 0, ms < 3600000 ? (int)ms : 3600000);
}

int fake_random(void *out, size_t len)
{
    return getrandom(out, len, 0) == (ssize_t)len ? 0 : -1;
}
