/* story.h - what every transport must get through, against the simulator. */
#ifndef TESTS_TRANSPORTS_STORY_H
#define TESTS_TRANSPORTS_STORY_H

#include "avito_messenger.h"

/* What a program of this folder gives: its transport, clock and entropy. */
typedef struct stack {
    const char *name;
    avito_transport transport;
    uint32_t (*clock_ms)(void *ctx);
    int (*entropy)(void *ctx, void *out, size_t len);
    bool always_waits; /* its connect or send wait inside: not for a lane that may not */
} stack;

/* Tells the story to the service on 127.0.0.1: plain and over TLS, waiting and stepped. Prints "ok - what"
 * and "not ok - what". `argv` is PORT TLS_PORT ROOTS. The number of failures. */
int story_run(const stack *s, int argc, char **argv);

#endif
