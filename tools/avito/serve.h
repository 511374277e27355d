/* serve.h - a receiver of notifications. */
#ifndef AVITO_TOOLS_SERVE_H
#define AVITO_TOOLS_SERVE_H

#include "session.h"

/* Listens at the address of --listen for POSTs to `path`, until standard output is closed. Returns
 * an exit status. */
int serve_webhook(const arguments *a, const char *path);

#endif
