/* seeded_world.h - what the worlds with whole gateways share: chance that a seed decides, a clock
 * that the world moves, and a service that fails now and then. */
#ifndef TESTS_AVITO_SEEDED_WORLD_H
#define TESTS_AVITO_SEEDED_WORLD_H

#include "support/wire.h"

#include <stdlib.h>
#include <string.h>

static uint64_t random_state, now_ms;
static const uint64_t epoch_ms = 1795000000000u;
static uint32_t late_ms; /* the delay until the service shows what was sent */
static bool calm;
static unsigned failures;
static bool one_is_enough; /* the program ends after the first world with a failure */

static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 20) % below;
}

/* True once in `of` times, and never when all goes well. */
static bool bad(uint32_t of)
{
    return !calm && draw(of) == 0;
}

static void begin_seed(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15u + 1;
    (void)draw(2);
    now_ms = 1000;
    calm = false;
}

static void end_if_enough(void)
{
    if (one_is_enough && failures > 0) {
        exit(1);
    }
}

static uint32_t clock_ms(void *ctx)
{
    (void)ctx;
    return (uint32_t)now_ms;
}

static int64_t unix_time(void *ctx)
{
    (void)ctx;
    return (int64_t)((epoch_ms + now_ms) / 1000);
}

static int64_t service_clock(void *ctx)
{
    (void)ctx;
    return (int64_t)(epoch_ms + now_ms);
}

static int entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)out)[i] = (uint8_t)draw(256);
    }
    return AVITO_OK;
}

/* What a service in trouble does to a request. */
static void draw_fault(sim_fault *f)
{
    switch (draw(5)) {
        case 0:
            f->status = 503;
            f->stored = draw(2) == 0;
            break;
        case 1:
            f->no_answer = true;
            f->stored = draw(2) == 0;
            break;
        case 2:
            f->stall = true;
            f->stored = draw(2) == 0;
            break;
        default:
            f->delay_ms = draw(4000);
            break;
    }
}

#endif
