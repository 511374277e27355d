/* roots.h - trust anchors by their file, read once for all lanes. */
#ifndef AVITO_TOOLS_ROOTS_H
#define AVITO_TOOLS_ROOTS_H

#include "avito_messenger.h"

/* Those of a PEM file, or the system's for NULL. NULL after saying on standard error why not. They stay. */
const avito_anchors *roots_of(const char *ca_file);

#endif
