/* relay.c - see relay.h. Compiled with this machine's own sockets. */
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

int host_connect(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? fd : -1;
}

long host_recv(int fd, void *data, unsigned long cap)
{
    const long n = recv(fd, data, cap, MSG_DONTWAIT);

    return n >= 0 ? n : errno == EAGAIN ? HOST_NOTHING : 0;
}

long host_send(int fd, const void *data, unsigned long len)
{
    unsigned long sent = 0;

    while (sent < len) {
        const long n = send(fd, (const char *)data + sent, len - sent, MSG_NOSIGNAL);

        if (n <= 0) {
            return -1;
        }
        sent += (unsigned long)n;
    }
    return (long)len;
}

void host_end(int fd)
{
    shutdown(fd, SHUT_WR);
}

void host_close(int fd)
{
    close(fd);
}

int host_random(void *out, unsigned long len)
{
    return getrandom(out, len, 0) == (long)len ? 0 : -1;
}
