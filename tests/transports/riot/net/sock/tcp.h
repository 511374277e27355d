/* The part of RIOT that avito_riot.h uses, with the behaviour that its documents and a run on the
 * real stack show. fake.c implements it over real sockets. */
#ifndef FAKE_RIOT_TCP_H
#define FAKE_RIOT_TCP_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct sock_tcp {
    int fd;
} sock_tcp_t;
typedef struct sock_tcp_ep {
    int family;
    union {
        uint8_t ipv6[16];
    } addr;
    uint16_t netif, port;
} sock_tcp_ep_t;

int sock_tcp_connect(sock_tcp_t *s, const sock_tcp_ep_t *to, uint16_t local, uint16_t flags);
ssize_t sock_tcp_write(sock_tcp_t *s, const void *data, size_t len);
ssize_t sock_tcp_read(sock_tcp_t *s, void *data, size_t cap, uint32_t us);
void sock_tcp_disconnect(sock_tcp_t *s);
#endif
