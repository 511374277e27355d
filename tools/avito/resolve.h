/* resolve.h - names looked up without waiting, for all lanes of the process: getaddrinfo() waits, so it runs
 * on a thread of its own, which ends with the look-up. */
#ifndef AVITO_TOOLS_RESOLVE_H
#define AVITO_TOOLS_RESOLVE_H

#include "avito_messenger.h"

/* For avito_tcp_options.resolve; `ctx` is not used. Answers are good for a minute, and longer where there is
 * no newer one. */
int resolve_name(void *ctx, const char *host, avito_tcp_address *out, size_t cap, size_t *count);

/* A descriptor that becomes readable when an answer is there; -1: no look-up is going on. */
int resolve_fd(void);

/* Takes the answer when the descriptor is readable. */
void resolve_take(void);

#endif
