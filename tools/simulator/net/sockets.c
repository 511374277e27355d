/* sockets.c - listening, and this machine's time. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int64_t net_clock_ms(void *ctx)
{
    struct timespec t;
    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void net_fail(const char *what)
{
    (void)fprintf(stderr, "simulator: %s: %s\n", what, strerror(errno));
    exit(1);
}

void net_unblock(int fd)
{
    int one = 1;
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

int net_listen(const char *address, int *port, bool or_any)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_port = htons((uint16_t)*port);
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
        (void)fprintf(stderr, "simulator: '%s' is no IPv4 address to listen on\n", address);
        exit(2);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool bound =
        fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 128) == 0;
    if (!bound && or_any && *port != 0 && errno == EADDRINUSE) {
        (void)close(fd);
        *port = 0;
        return net_listen(address, port, false);
    }
    if (!bound || getsockname(fd, (struct sockaddr *)&at, &size) != 0) {
        (void)fprintf(stderr, "simulator: port %d of %s: %s. Port 0 takes a free one.\n", *port,
                      address, strerror(errno));
        exit(1);
    }
    *port = ntohs(at.sin_port);
    net_unblock(fd);
    return fd;
}
