/* roots.h - trust anchors of a file, read once for all lanes. */
#ifndef AVITO_TOOLS_ROOTS_H
#define AVITO_TOOLS_ROOTS_H

#include "avito_messenger.h"

/* The trust anchors of a PEM file, or the system's if it is NULL. Returns NULL after saying on
 * standard error why. They are never freed. */
const avito_anchors *roots_of(const char *ca_file);

#endif
