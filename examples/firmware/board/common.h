/* Parts that several boards share; each board file includes it once. */
#ifndef BOARD_COMMON_H
#define BOARD_COMMON_H

#include "avito_messenger.h"
#include "board.h"
#include "semihosting.h"

int64_t board_unix_time(void *ctx)
{
    (void)ctx;
    return semihosting_time();
}

/* From a wrapping counter of `per_ms` ticks a millisecond, read at least once per wrap. */
typedef struct tick_clock {
    uint32_t last, rest, ms;
} tick_clock;

static inline uint32_t tick_clock_ms(tick_clock *clock, uint32_t now, uint32_t per_ms)
{
    uint32_t passed = now - clock->last;

    clock->last = now;
    clock->ms += passed / per_ms;
    clock->rest += passed % per_ms;
    if (clock->rest >= per_ms) {
        clock->rest -= per_ms;
        clock->ms++;
    }
    return clock->ms;
}

/* Entropy by semihosting, for boards whose emulation has no random number generator. */
static inline int entropy_by_semihosting(void *out, size_t len)
{
    return semihosting_random(out, len) == 0 ? AVITO_OK : AVITO_ERR_OPTION_ENTROPY;
}

#endif
