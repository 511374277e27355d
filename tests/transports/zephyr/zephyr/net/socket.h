#ifndef FAKE_ZEPHYR_SOCKET_H
#define FAKE_ZEPHYR_SOCKET_H
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

struct zsock_pollfd {
    int fd;
    short events, revents;
};
#define ZSOCK_POLLIN       1
#define ZSOCK_POLLOUT      4
#define ZSOCK_MSG_DONTWAIT 0x40
#define zsock_addrinfo     addrinfo
#define DNS_EAI_NONAME     (-2)

int zsock_socket(int family, int type, int protocol);
int zsock_fcntl(int fd, int command, int flags);
int zsock_connect(int fd, const struct sockaddr *to, socklen_t len);
ssize_t zsock_send(int fd, const void *data, size_t len, int flags);
ssize_t zsock_recv(int fd, void *data, size_t cap, int flags);
int zsock_poll(struct zsock_pollfd *fds, int count, int ms);
int zsock_close(int fd);
int zsock_inet_pton(int family, const char *text, void *out);
int zsock_getaddrinfo(const char *host, const char *service, const struct zsock_addrinfo *hints,
                      struct zsock_addrinfo **out);
void zsock_freeaddrinfo(struct zsock_addrinfo *list);
#endif
