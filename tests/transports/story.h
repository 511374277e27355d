/* story.h - what every transport must do against the simulator. */
#ifndef TESTS_TRANSPORTS_STORY_H
#define TESTS_TRANSPORTS_STORY_H

#include "avito_messenger.h"

/* What a program of this folder gives: its transport, clock and entropy. */
typedef struct stack {
    const char *name;
    avito_transport transport;
    uint32_t (*clock_ms)(void *ctx);
    int (*entropy)(void *ctx, void *out, size_t len);
    bool always_waits; /* its connect or send waits inside: not for a lane that may not wait */
    /* error.detail is the stack's own number, and a name that is not there is told. */
    bool tells_why;
    /* Troubles of fake_net.h; NULL: the stack is real. */
    void (*reset_after)(size_t bytes);
    void (*stay_silent)(bool silent);
} stack;

/* Runs the story against the service on 127.0.0.1: plain and over TLS, waiting and stepped. Prints
 * "ok - what" and "not ok - what". `argv` is PORT TLS_PORT ROOTS. Returns the number of
 * failures. */
int story_run(const stack *s, int argc, char **argv);

#endif
