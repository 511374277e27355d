/* listener.h - receives notifications on loopback, one connection at a time. For many at a time, and
 * behind a proxy that does TLS, see examples/12_webhook_server.c. */
#ifndef DEMO_LISTENER_H
#define DEMO_LISTENER_H

#include "avito_messenger.h"

typedef struct listener {
    int fd, port;
    char buffer[AVITO_WEBHOOK_SIZE(16384)];
    char body[16384];
    size_t body_len;
} listener;

/* Listens on a free port; false: it cannot. */
bool listener_open(listener *l);

/* Waits up to `ms` for a notification and answers it. True: its body is in l->body. */
bool listener_wait(listener *l, const char *path, uint32_t ms);

void listener_close(listener *l);

#endif
