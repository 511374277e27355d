/* writing.c - see writing.h. Threads share with us a queue, and a pipe that tells when a write has
 * ended. */
#include "writing.h"

#include "avito_messenger.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS    16
#define STACK_SIZE 65536u

enum { WRITING_NONE, WRITING_WAITS, WRITING_RUNS, WRITING_ENDED, WRITING_TOLD };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static writing *first, **last = &first; /* that wait for a thread */
static writing *over;                   /* that have ended, not reported yet */
static int threads;
static int told[2] = {-1, -1}; /* a byte for each write that has ended */

static writing *take_next(void)
{
    writing *w = first;

    if (w != NULL) {
        first = w->next;
        last = first != NULL ? last : &first;
        w->state = WRITING_RUNS;
    }
    return w;
}

/* A thread: carries out writes, one after the other, as long as there are any. */
static void *write_all(void *ctx)
{
    writing *w;

    (void)ctx;
    pthread_mutex_lock(&lock);
    while ((w = take_next()) != NULL) {
        int result, error;

        pthread_mutex_unlock(&lock);
        result = w->function(w->folder, w->name, w->data, w->len);
        error = errno;
        pthread_mutex_lock(&lock);
        w->result = result;
        w->error = error;
        w->state = WRITING_ENDED;
        w->next = over;
        over = w;
        (void)!write(told[1], "", 1); /* a full pipe is readable, too */
        pthread_cond_broadcast(&ended);
    }
    threads--;
    pthread_mutex_unlock(&lock);
    return NULL;
}

bool start_thread(void *(*run)(void *ctx), void *ctx, size_t stack_size)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int rc;

    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack_size);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, &attributes, run, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return rc == 0;
}

static bool open_pipe(void)
{
    return told[0] >= 0 || pipe2(told, O_CLOEXEC | O_NONBLOCK) == 0;
}

static void forget(writing *w)
{
    if (w->data != NULL) {
        memset(w->data, 0, w->len);
    }
    free(w->data);
    w->data = NULL;
    w->state = WRITING_NONE;
}

static bool is_same(const writing *w, writing_function function, const char *folder,
                    const char *name, const void *data, size_t len)
{
    return w->function == function && w->len == len && memcmp(w->data, data, len) == 0 &&
           strcmp(w->folder, folder) == 0 && strcmp(w->name, name) == 0;
}

/* Copies everything, since the caller's memory does not stay. */
static bool fill(writing *w, writing_function function, const char *folder, const char *name,
                 const void *data, size_t len)
{
    const size_t folder_size = strlen(folder) + 1, name_size = strlen(name) + 1;

    w->data = malloc(len + folder_size + name_size);
    if (w->data == NULL) {
        return false;
    }
    memcpy(w->data, data, len);
    w->folder = memcpy(w->data + len, folder, folder_size);
    w->name = memcpy(w->folder + folder_size, name, name_size);
    w->function = function;
    w->len = len;
    return true;
}

/* Called with the lock held. */
static int enqueue(writing *w)
{
    w->state = WRITING_WAITS;
    w->next = NULL;
    *last = w;
    last = &w->next;
    if (threads < THREADS) {
        threads++;
        if (!start_thread(write_all, NULL, STACK_SIZE)) {
            threads--;
        }
    }
    if (threads == 0) { /* without a thread it would never run, and it is the only one */
        first = NULL;
        last = &first;
        forget(w);
        errno = EAGAIN;
        return AVITO_ERR_FILE;
    }
    return AVITO_AGAIN;
}

/* Called with the lock held: takes one from the list of those not reported yet. */
static void leave_over(writing *w)
{
    writing **at = &over;

    while (*at != NULL && *at != w) {
        at = &(*at)->next;
    }
    if (*at == w) {
        *at = w->next;
    }
}

int writing_step(writing *w, writing_function function, const char *folder, const char *name,
                 const void *data, size_t len, const writing_waiter *waiter)
{
    int rc = AVITO_AGAIN;

    pthread_mutex_lock(&lock);
    w->waiter = waiter;
    if (w->state == WRITING_ENDED || w->state == WRITING_TOLD) {
        const bool same = is_same(w, function, folder, name, data, len);

        leave_over(w);
        rc = same ? w->result : rc;
        forget(w);
        if (same) {
            pthread_mutex_unlock(&lock);
            errno = w->error;
            return rc;
        }
    }
    if (w->state == WRITING_NONE) {
        rc = open_pipe() && fill(w, function, folder, name, data, len) ? enqueue(w)
                                                                       : (int)AVITO_ERR_FILE;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void writing_end(writing *w)
{
    pthread_mutex_lock(&lock);
    while (w->state == WRITING_WAITS || w->state == WRITING_RUNS) {
        pthread_cond_wait(&ended, &lock);
    }
    leave_over(w);
    forget(w);
    pthread_mutex_unlock(&lock);
}

int writing_fd(void)
{
    return told[0];
}

void writing_take(void)
{
    char bytes[64];

    while (read(told[0], bytes, sizeof bytes) > 0) {
    }
    pthread_mutex_lock(&lock);
    for (writing *w = over; w != NULL; w = w->next) {
        if (w->waiter == NULL) {
            forget(w);
            continue;
        }
        w->waiter->wake(w->waiter->ctx);
        w->state = WRITING_TOLD;
    }
    over = NULL;
    pthread_mutex_unlock(&lock);
}
