#include "support/clock.h"

#include <string.h>

void clock_init(struct clock *clock)
{
    memset(clock, 0, sizeof *clock);
    clock->ms = UINT32_MAX - 5000u;
    clock->unix_s = 1754916284;
    clock->random = 1;
}

void clock_advance(struct clock *clock, uint32_t ms)
{
    clock->ms += ms;
    clock->left_ms += ms % 1000u;
    clock->unix_s += ms / 1000u + clock->left_ms / 1000u;
    clock->left_ms %= 1000u;
}

uint32_t clock_ms(void *ctx)
{
    struct clock *clock = ctx;
    uint32_t now = clock->ms;

    clock->ms_calls++;
    clock_advance(clock, clock->ms_per_call);
    return now;
}

int64_t clock_unix_time(void *ctx)
{
    struct clock *clock = ctx;

    clock->unix_calls++;
    return clock->unix_s;
}

/* splitmix64, one byte per round: repeats on every machine. */
int clock_entropy(void *ctx, void *out, size_t len)
{
    struct clock *clock = ctx;
    unsigned char *bytes = out;

    clock->entropy_calls++;
    if (clock->entropy_result != 0) {
        return clock->entropy_result;
    }
    for (size_t i = 0; i < len; i++) {
        uint64_t z = clock->random += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        bytes[i] = (unsigned char)(z >> 56);
    }
    return 0;
}
