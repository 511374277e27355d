/* disk.h - small files that are there whole or not at all. */
#ifndef AVITO_TOOLS_DISK_H
#define AVITO_TOOLS_DISK_H

#include <stdbool.h>
#include <stddef.h>

/* Each returns AVITO_OK or AVITO_ERR_FILE, with errno. A file takes its name when its bytes are on the disk,
 * and keeps the old ones until then. Mode 0600. */
int disk_write(const char *folder, const char *name, const void *data, size_t len);

/* The same in the place of bytes of the same number, where there are so many: a power cut may then leave parts
 * of both. One write to the disk instead of three, and none that needs room. */
int disk_overwrite(const char *folder, const char *name, const void *data, size_t len);

/* Adds to a file, durably. */
int disk_append(const char *folder, const char *name, const void *data, size_t len);

/* All of a file, from malloc(), with a NUL behind it; AVITO_END: there is none. */
int disk_read(const char *folder, const char *name, char **data, size_t *len);

/* Holds FOLDER/NAME for this process, until the descriptor is closed. -1: another has it, or errno. */
int disk_lock(const char *folder, const char *name, const char *owner);

#endif
