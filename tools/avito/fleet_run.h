/* fleet_run.h - avito gateway in a fleet: the connections, files and gateways around fleet.h. Only
 * a gateway configured as a fleet uses it. */
#ifndef AVITO_TOOLS_FLEET_RUN_H
#define AVITO_TOOLS_FLEET_RUN_H

#include "served.h"

#include <poll.h>

typedef struct fleet_run fleet_run;

typedef struct fleet_run_options {
    config *config; /* outlives it */
    gateway_options
        gateway; /* for the gateway of each account; .broker and .session are set here */
    const char *webhook_url;                /* NULL: none */
    void *ctx;                              /* first argument of the hooks */
    void (*opened)(void *ctx, served *s);   /* this account is served here from now on */
    void (*closing)(void *ctx, served *s);  /* it is not served any more: its memory can be freed */
    void (*stirred)(void *ctx, gateway *g); /* see gateway_stirred() */
} fleet_run_options;

/* Is there a [fleet]? */
bool fleet_is_configured(const config *c);

/* Reads [fleet] and [mqtt]. `path` becomes the secret path of notifications. EXIT_DONE, or a status after saying
 * why not; *out is to be freed in any case. */
int fleet_run_open(fleet_run **out, const fleet_run_options *from, char *path, size_t cap);
void fleet_run_free(fleet_run *f);

/* Adds an account of the configuration that any node may serve. */
int fleet_run_want(fleet_run *f, const account *from);

/* The machine slept, or we were stopped: the next step comes first. */
bool fleet_run_slept(const fleet_run *f);

/* Moves all connections. */
void fleet_run_step(fleet_run *f);

size_t fleet_run_fds_max(const fleet_run *f);
size_t fleet_run_fds(const fleet_run *f, struct pollfd *fds); /* how many */
uint32_t fleet_run_deadline_ms(const fleet_run *f);

void fleet_run_ring(fleet_run *f, int64_t user_id);
bool fleet_run_is_saving(const fleet_run *f, const avito_account *account);

/* Hands all accounts over. True: this is done. */
bool fleet_run_leave(fleet_run *f);

#endif
