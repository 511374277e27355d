/* disk.h - small files that exist whole or not at all. */
#ifndef AVITO_TOOLS_DISK_H
#define AVITO_TOOLS_DISK_H

#include <stdbool.h>
#include <stddef.h>

/* Each returns AVITO_OK or AVITO_ERR_FILE, with errno. The new bytes replace the old ones only once
 * they are on the disk. Mode 0600. */
int disk_write(const char *folder, const char *name, const void *data, size_t len);

/* The same in place, if the file has as many bytes already: one write to the disk instead of three,
 * and it needs no room. But a power cut may leave parts of both. */
int disk_overwrite(const char *folder, const char *name, const void *data, size_t len);

/* Adds to a file, durably. */
int disk_append(const char *folder, const char *name, const void *data, size_t len);

/* Writes all of it. False: an errno. */
bool disk_put(int fd, const char *data, size_t len);

/* A whole file, in memory from malloc(), with a NUL after it; AVITO_END: there is no file. */
int disk_read(const char *folder, const char *name, char **data, size_t *len);

/* Locks FOLDER/NAME for this process until the descriptor is closed. -1: another process has it, or
 * errno. */
int disk_lock(const char *folder, const char *name, const char *owner);

/* Locks a file that was opened by this name, for as long as it is open. False after saying that another program has
 * it. Where there are no locks, as on some shares, it is ours. */
bool disk_take(int fd, const char *path);

/* Whether another process has it locked. */
bool disk_is_locked(const char *folder, const char *name);

#endif
