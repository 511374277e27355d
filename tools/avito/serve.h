/* serve.h - a receiver of notifications. */
#ifndef AVITO_TOOLS_SERVE_H
#define AVITO_TOOLS_SERVE_H

#include "session.h"

/* Listens where --listen says, for POSTs to `path`, until standard output is gone. An exit status. */
int serve_webhook(const arguments *a, const char *path);

#endif
