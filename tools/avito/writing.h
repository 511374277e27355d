/* writing.h - writes to the disk on threads, so that who has other things to do need not wait for it. Several at once
 * cost hardly more than one, since a disk ends what it has in hand together. Threads live while there is work. */
#ifndef AVITO_TOOLS_WRITING_H
#define AVITO_TOOLS_WRITING_H

#include <stdbool.h>
#include <stddef.h>

/* A function of disk.h. */
typedef int (*writing_function)(const char *folder, const char *name, const void *data, size_t len);

/* One write at a time; all zeros at first. Private, but for .ended. */
typedef struct writing {
    struct writing *next;
    writing_function function;
    char *folder, *name, *data; /* in one piece of memory */
    size_t len;
    int state, result, error;
    bool *woken; /* set when it has ended, by writing_take(); NULL: nobody asks what became of it */
} writing;

/* AVITO_AGAIN: it is under way; call again with the same when writing_take() has set *woken. Then the function's
 * result, once, with its errno. AVITO_ERR_FILE if there is no memory or thread for it. What was under way with
 * other bytes ends first, and these are written after it. */
int writing_step(writing *w, writing_function function, const char *folder, const char *name,
                 const void *data, size_t len, bool *woken);

/* Waits until nothing of it is under way, and frees what it has. */
void writing_end(writing *w);

/* A descriptor that becomes readable when some have ended; -1: none was ever begun. */
int writing_fd(void);

/* When the descriptor is readable: sets *woken of those that have ended. */
void writing_take(void);

#endif
