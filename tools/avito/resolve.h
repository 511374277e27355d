/* resolve.h - looks names up without waiting, for all lanes of the process. getaddrinfo() waits, so
 * it runs on a thread of its own, which ends with the look-up. */
#ifndef AVITO_TOOLS_RESOLVE_H
#define AVITO_TOOLS_RESOLVE_H

#include "avito_messenger.h"

/* For avito_tcp_options.resolve; `ctx` is not used. Answers are valid for a minute, and longer if
 * there is no newer one. */
int resolve_name(void *ctx, const char *host, avito_tcp_address *out, size_t cap, size_t *count);

/* A descriptor that becomes readable with the answer; -1: no look-up is in progress. */
int resolve_fd(void);

/* Takes the answer when the descriptor is readable. */
void resolve_take(void);

#endif
