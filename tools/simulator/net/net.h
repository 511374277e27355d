/* net.h - sockets: how the simulator listens, the service's clients over TCP and TLS, and the delivery
 * of notifications. Files, each of which calls only those before it and core and http: sockets clients
 * deliveries. */
#ifndef SIMULATOR_NET_H
#define SIMULATOR_NET_H

#include "../core/core.h"

#include <poll.h>

/* ---------------------------------------------------------------- sockets.c */

int64_t net_clock_ms(void *ctx); /* unix time */
void net_unblock(int fd);
/* Listens; ends the program with a reason if it cannot. *port 0 becomes a port that the system
 * chose; with `or_any` a taken port does, too. */
int net_listen(const char *address, int *port, bool or_any);
/* Ends the program. */
void net_fail(const char *what);

/* ---------------------------------------------------------------- clients.c */

#define MAX_CLIENTS 4096

typedef struct client client;

typedef struct clients {
    sim *service;
    int tcp, tls;           /* listeners; tls -1: none */
    struct ssl_ctx_st *ctx; /* NULL: none */
    client *all[MAX_CLIENTS];
    size_t count, polled; /* polled: those of the last clients_polls() */
} clients;

struct ssl_ctx_st *clients_tls(const char *cert, const char *key, size_t *largest_record);
size_t clients_polls(clients *v, struct pollfd *polls); /* at most 2 + MAX_CLIENTS */
void clients_move(clients *v,
                  const struct pollfd *polls); /* filled in by clients_polls() and poll() */
void clients_drop_all(clients *v);
void clients_close(clients *v); /* the listeners, and TLS */

/* ---------------------------------------------------------------- deliveries.c */

#define MAX_DELIVERIES 16

typedef struct delivery {
    int fd;
    uint64_t id;
    simi_buf request;
    size_t sent;
    char answer[64];
    size_t answered;
    int64_t deadline;
} delivery;

typedef struct deliveries {
    sim *service;
    delivery all[MAX_DELIVERIES];
    size_t count;
} deliveries;

size_t deliveries_polls(const deliveries *v, struct pollfd *polls); /* at most MAX_DELIVERIES */
void deliveries_move(deliveries *v);
void deliveries_drop_all(deliveries *v);

#endif
