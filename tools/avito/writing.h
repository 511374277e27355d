/* writing.h - writes to the disk on threads, so that the caller need not wait. Several writes at
 * once cost hardly more than one, since a disk finishes them together. Threads live as long as
 * there is work. */
#ifndef AVITO_TOOLS_WRITING_H
#define AVITO_TOOLS_WRITING_H

#include <stdbool.h>
#include <stddef.h>

/* Who waits for a write. wake() only notes it: it is called while writes are locked. */
typedef struct writing_waiter {
    void (*wake)(void *ctx);
    void *ctx;
} writing_waiter;

/* A function of disk.h. */
typedef int (*writing_function)(const char *folder, const char *name, const void *data, size_t len);

/* One write at a time; all zeros at first. Private. */
typedef struct writing {
    struct writing *next;
    writing_function function;
    char *folder, *name, *data; /* in one piece of memory */
    size_t len;
    int state, result, error;
    const writing_waiter *waiter; /* NULL: its result is not wanted */
} writing;

/* AVITO_AGAIN: it is in progress; call again with the same arguments when writing_take() has woken
 * the waiter. Then it gives the function's result, once, with its errno. AVITO_ERR_FILE if there is no
 * memory or thread for it. A write of other bytes in progress ends first, and these are written
 * after it. */
int writing_step(writing *w, writing_function function, const char *folder, const char *name,
                 const void *data, size_t len, const writing_waiter *waiter);

/* Starts a thread of which nobody waits for the end, and which handles no signals: the main thread does. */
bool start_thread(void *(*run)(void *ctx), void *ctx, size_t stack_size);

/* Waits until it has no write in progress, and frees what it has. */
void writing_end(writing *w);

/* A descriptor that becomes readable when writes have ended; -1: none was ever begun. */
int writing_fd(void);

/* Call it when the descriptor is readable: wakes those whose writes have ended. */
void writing_take(void);

#endif
