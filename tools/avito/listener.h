/* listener.h - takes notifications over HTTP, behind a proxy that ends TLS. Never waits. */
#ifndef AVITO_TOOLS_LISTENER_H
#define AVITO_TOOLS_LISTENER_H

#include "command.h"

#include "avito_messenger.h"

#include <poll.h>

#define LISTENER_CONNECTIONS 16
#define LISTENER_FDS         (LISTENER_CONNECTIONS + 1)
#define LISTENER_BODY_MAX    65536

struct listener_connection;

typedef struct listener {
    const char *path;
    /* A notification is complete. Returning false leaves it unanswered, so it comes again. */
    bool (*take)(void *ctx, avito_webhook *webhook);
    void *ctx;
    int fd; /* -1: closed */
    struct listener_connection *connections[LISTENER_CONNECTIONS];
} listener;

/* Is it a path that can be received, and a secret? If not, says so of the file that it comes from. */
bool listener_path(const char *path, const char *file);

/* Listens at ADDRESS:PORT, the address numeric, that of IPv6 in brackets, for POSTs to `path`. EXIT_DONE, or EXIT_USAGE or EXIT_LOCAL
 * after saying on standard error why not. */
int listener_open(listener *l, const char *at, const char *path,
                  bool (*take)(void *ctx, avito_webhook *webhook), void *ctx);
void listener_close(listener *l);

/* Fills in what to wait for, LISTENER_FDS descriptors. Returns how long to wait at most, in
 * milliseconds. */
uint32_t listener_prepare(const listener *l, struct pollfd *fds);

/* After poll(), with the same descriptors. */
void listener_step(listener *l, const struct pollfd *fds);

#endif
