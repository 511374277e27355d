/*
 * A clock that a test sets, and random bytes that repeat: for the hooks of avito_account_options.
 * All of them take a struct clock as their context.
 */
#ifndef TESTS_SUPPORT_CLOCK_H
#define TESTS_SUPPORT_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct clock {
    uint32_t ms;          /* what clock_ms() gives; may wrap */
    int64_t unix_s;       /* what clock_unix_time() gives */
    uint32_t left_ms;     /* milliseconds that have not made a whole second yet */
    uint32_t ms_per_call; /* added at every clock_ms(): for code that must not wait for ever */
    uint64_t random;      /* state of clock_entropy() */
    int entropy_result;   /* if not 0: clock_entropy() fails with it */
    unsigned ms_calls, unix_calls, entropy_calls;
};

/* A clock shortly before it wraps, on a day in August 2025, and a fixed seed. */
void clock_init(struct clock *clock);

/* Both clocks go on. */
void clock_advance(struct clock *clock, uint32_t ms);

/* The hooks. `ctx` is a struct clock. */
uint32_t clock_ms(void *ctx);
int64_t clock_unix_time(void *ctx);
int clock_entropy(void *ctx, void *out, size_t len);

#endif
