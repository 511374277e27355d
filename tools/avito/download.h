/* download.h - one HTTPS GET into a file, from any host. It sends no token. */
#ifndef AVITO_TOOLS_DOWNLOAD_H
#define AVITO_TOOLS_DOWNLOAD_H

#include "session.h"

/* Saves `url` as `path`, whole or not at all. Returns an exit status, after saying why. */
int download(session *s, const char *url, const char *path);

#endif
