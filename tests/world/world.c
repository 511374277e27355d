/* world.c - chance, time, and turns. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS 1754916287000 /* 2025-08-11T12:44:47Z */

/* ---------------------------------------------------------------- chance */

uint64_t draw(world *w)
{
    uint64_t z = (w->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t below(world *w, uint64_t n)
{
    return n == 0 ? 0 : draw(w) % n;
}

bool chance(world *w, unsigned per_mille)
{
    return below(w, 1000) < per_mille;
}

uint64_t around(world *w, uint64_t mean)
{
    uint64_t left = mean * 6, value = 0;
    while (left > 0 && chance(w, 840)) {
        value += below(w, mean / 3 + 1);
        left -= left > mean / 3 ? mean / 3 : left;
    }
    return value;
}

uint64_t hash_text(const char *text, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u ^ len, word;
    for (; len >= sizeof word; len -= sizeof word, text += sizeof word) {
        memcpy(&word, text, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    for (; len > 0; len--) {
        hash = (hash ^ (unsigned char)*text++) * 0x100000001b3u;
    }
    return hash ^ (hash >> 29);
}

void mix(world *w, uint64_t value)
{
    w->hash = (w->hash ^ value ^ (uint64_t)w->now) * 0x9e3779b97f4a7c15u;
    w->hash ^= w->hash >> 29;
}

int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---------------------------------------------------------------- what is told */

void say(world *w, const char *format, ...)
{
    va_list args;
    if (!w->trace) {
        return;
    }
    (void)printf("%9.3f  ", (double)(w->now - w->start) / 1000.0);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
}

/* The first thing that is broken is kept; the run ends with it. */
void fail(world *w, const char *check, const char *format, ...)
{
    va_list args;
    if (w->check != NULL) {
        return;
    }
    w->check = check;
    va_start(args, format);
    (void)vsnprintf(w->problem, sizeof w->problem, format, args);
    va_end(args);
    say(w, "BROKEN %s: %s", check, w->problem);
}

void happened(world *w, fault f, int lane)
{
    mix(w, (uint64_t)f + 1000);
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        if (lane < 0 || (unsigned)lane == i) {
            w->faults[f][w->device.up ? impl_state(&w->device.lanes[i].client) : 0]++;
        }
    }
}

/* ---------------------------------------------------------------- memory with guards */

#define GUARD 32u

room room_make(size_t size)
{
    room r;
    r.size = size;
    r.memory = (unsigned char *)malloc(size + 2 * GUARD) + GUARD;
    memset(r.memory - GUARD, 0xa5, size + 2 * GUARD);
    return r;
}

bool room_whole(const room *r)
{
    static const unsigned char good[GUARD] = {0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
                                              0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
                                              0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
                                              0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5};
    return r->memory == NULL || (memcmp(r->memory - GUARD, good, GUARD) == 0 &&
                                 memcmp(r->memory + r->size, good, GUARD) == 0);
}

void room_free(room *r)
{
    if (r->memory != NULL) {
        free(r->memory - GUARD);
    }
    memset(r, 0, sizeof *r);
}

/* ---------------------------------------------------------------- options of a run */

/* Draws which kinds of trouble this run has. */
static void draw_kinds(world *w)
{
    plan *p = &w->plan;
    p->cuts = chance(w, 500);
    p->stalls = chance(w, 400);
    p->slow = chance(w, 300);
    p->refusals = chance(w, 300);
    p->corrupt = chance(w, 250);
    p->answers = chance(w, 500);
    p->storms = chance(w, 400);
    p->tokens = chance(w, 400);
    p->late = chance(w, 500);
    p->people = chance(w, 600);
    p->restarts = chance(w, 500);
    p->clocks = chance(w, 250);
    p->cancels = chance(w, 300);
    p->save_fails = chance(w, 200);
    p->hooks = chance(w, 500);
    p->doorbell = chance(w, 300);
    p->same_texts = chance(w, 250);
    p->trim = chance(w, 300);
    p->retry_headers = chance(w, 500);
    p->vanish = chance(w, 300);
    p->pictures = chance(w, 400);
    p->tariff = chance(w, 250);
    p->waits = chance(w, 300) ? (int)below(w, 2) : -1;
    p->pair = chance(w, 200);
    p->broken = chance(w, 100) ? chance(w, 400) ? 404 : chance(w, 500) ? 403 : 500 : 0;
    p->broken_for_ever = chance(w, 500);
    p->foreign = chance(w, 60);
    p->own_calls = chance(w, 200);
    p->odd_times = chance(w, 150);
    p->odd_rows = chance(w, 150) ? 1 + (unsigned)below(w, 3) : 0;
    p->refused_200 = chance(w, 200);
    p->supply = chance(w, 100);
}

/* What happens beside a chat of somebody else's. */
static void draw_foreign(plan *p)
{
    p->broken = 403;
    p->broken_for_ever = true;
    p->answers = p->storms = p->tokens = p->corrupt = p->tariff = p->refusals = p->refused_200 =
        false;
    p->token_lifetime_s = 86400;
}

/* Draws how much of everything this run has. */
static void draw_plan(world *w)
{
    static const unsigned records[] = {0, 2, 64, 64, 8};
    plan *p = &w->plan;
    draw_kinds(w);
    p->lanes = 2 + (unsigned)below(w, LANES_MAX - 1);
    p->length_ms = 60000 + (int64_t)below(w, 300000);
    p->fault_rate = (unsigned)below(w, 4) * 60;
    p->strike_s = 5 + (unsigned)below(w, 60);
    p->answer_rate = (unsigned)below(w, 4) * 60;
    p->people_s = 2 + (unsigned)below(w, 30);
    p->restart_s = 10 + (unsigned)below(w, 100);
    p->token_lifetime_s = chance(w, 500) ? 86400 : 20 + (unsigned)below(w, 200);
    p->retries = (unsigned)below(w, 4);
    p->ring = chance(w, 200) ? 1 + (unsigned)below(w, 12) : 100 + (unsigned)below(w, 100);
    p->late_max_ms = 1000 + (unsigned)below(w, 59000);
    p->records = records[w->seed % 5];
    p->at_once = w->seed % 7 < 2;
    if (p->at_once) { /* and there is something to look after */
        p->answers = true;
        p->answer_rate += 60;
    }
    if (p->foreign) { /* last, since nothing else may cost a token */
        draw_foreign(p);
    }
}

/* Thirty days: everything goes wrong, but seldom enough that work is done in between. */
static void soak_plan(world *w)
{
    plan *p = &w->plan;
    p->cuts = p->stalls = p->slow = p->refusals = p->corrupt = p->answers = p->storms = true;
    p->tokens = p->late = p->people = p->restarts = p->clocks = p->cancels = p->save_fails = true;
    p->hooks = p->same_texts = p->trim = p->retry_headers = p->vanish = p->pictures = p->tariff =
        p->soak = true;
    p->at_once = p->own_calls = p->odd_times = p->refused_200 = p->supply = true;
    p->odd_rows = (unsigned)below(w, 4);
    p->pair = chance(w, 500);
    p->waits = (int)below(w, 3) - 1;
    p->doorbell = chance(w, 500);
    p->broken = chance(w, 300) ? 500 : 0;
    p->lanes = LANES_MAX;
    p->length_ms = (int64_t)86400000;
    p->fault_rate = 60;
    p->strike_s = 60;
    p->answer_rate = 60;
    p->people_s = 60;
    p->restart_s = 1200;
    p->token_lifetime_s = 3000;
    p->retries = 2;
    p->ring = 1000;
    p->records = 64;
    p->late_max_ms = 59000;
}

/* Makes the world of this seed: its plan, its clocks, the service, the device. */
static void begin(world *w)
{
    sim_options *o = &w->service_options;
    w->random = w->seed * 0x2545f4914f6cdd1du + 7;
    w->start = w->now = START_MS + (int64_t)below(w, 100000000);
    w->plan.soak ? soak_plan(w) : draw_plan(w);
    w->end = w->start + w->plan.length_ms;
    /* The millisecond clock wraps within the run, or not. */
    w->ms_offset =
        chance(w, 300) ? 0u - (uint32_t)below(w, (uint64_t)w->plan.length_ms) : (uint32_t)draw(w);
    w->unix_offset = chance(w, 300) ? -(w->now / 1000) : 0; /* to the device it is 1970 */
    w->plan.verifies = w->seed % 2 == 0;
    w->plan.forms = w->seed % 3 == 1 || w->plan.soak;
    w->next_strike = w->next_cancel = w->next_clock = w->next_crash = w->now;
    *o = sim_options_default();
    people_begin(w);
    device_boot(w);
}

/* ---------------------------------------------------------------- clocks */

static void clock_event(world *w)
{
    const uint32_t ms = (uint32_t)around(w, 40000);
    if (chance(w, 500)) {
        happened(w, F_MS_JUMP, -1);
        say(w, "millisecond clock jumps by %u", ms);
        w->ms_offset += ms;
        device_ages(w);
    } else {
        happened(w, F_UNIX_JUMP, -1);
        w->unix_offset = chance(w, 400)   ? 0
                         : chance(w, 500) ? -(w->now / 1000) + (int64_t)below(w, 100)
                                          : (int64_t)below(w, 200000) - 100000;
        say(w, "wall clock shows %lld", (long long)device_unix(w));
    }
}

static void advance(world *w, int64_t to)
{
    const uint32_t before = device_ms(w);
    if (to <= w->now) {
        to = w->now + 1;
    }
    check_wait(w);
    w->now = to;
    if (device_ms(w) < before) {
        happened(w, F_MS_WRAP, -1);
        say(w, "millisecond clock wraps");
    }
}

/* ---------------------------------------------------------------- the loop */

static int64_t later(world *w, unsigned mean_s)
{
    return w->now + 1 + (int64_t)around(w, (uint64_t)mean_s * 1000);
}

/* Things that come at any moment. */
static void fate(world *w)
{
    if (w->calm) {
        return;
    }
    if (w->now >= w->next_strike) {
        net_strike(w);
        w->next_strike = later(w, w->plan.strike_s);
    }
    if (w->plan.cancels && w->now >= w->next_cancel) {
        device_cancel(w);
        w->next_cancel = later(w, 20);
    }
    if (w->plan.clocks && w->now >= w->next_clock) {
        clock_event(w);
        w->next_clock = later(w, w->plan.soak ? 1800 : 60);
    }
    if (w->plan.restarts && w->now >= w->next_crash) {
        if (w->device.up && w->next_crash > w->start + 1) {
            w->crash_in_save = chance(w, w->plan.soak ? 600 : 300);
            w->crash_in = w->crash_in_save ? 0 : 1 + (unsigned)below(w, 40);
            w->crash_state = w->plan.soak ? (unsigned)below(w, STATES) : STATES;
        }
        w->next_crash = later(w, w->plan.restart_s);
    }
}

static int64_t next_moment(world *w)
{
    int64_t at = earliest(net_due(w), device_due(w));
    at = earliest(at, sim_next_event_ms(w->service));
    at = earliest(at, people_due(w));
    if (!w->calm) {
        at = earliest(at, w->next_strike);
        at = w->plan.cancels ? earliest(at, w->next_cancel) : at;
        at = w->plan.clocks ? earliest(at, w->next_clock) : at;
        at = w->plan.restarts ? earliest(at, w->next_crash) : at;
    }
    return at;
}

static void turn(world *w)
{
    unsigned turns = 0;
    fate(w);
    people_act(w);
    net_pump(w);
    check_sync(w);
    people_notify(w);
    while (w->check == NULL && device_turn(w)) {
        net_pump(w);
        check_sync(w);
        if (++turns > 100000) {
            fail(w, "endless", "100000 steps without a moment of rest");
        }
    }
}

/* A lane sleeps in its transport for at most `ms`: the other lanes and the world go on, as if it
 * had a thread of its own. True: its transport may be ready. Does not return when the power
 * fails. */
bool world_sleep(world *w, struct lane *l, int wants, uint32_t ms)
{
    const int64_t until = w->now + (int64_t)ms;
    const uint64_t life = w->crashes;
    bool awake = false;
    l->asleep = true;
    while (!awake) {
        turn(w);
        if (w->check != NULL || w->crashes != life) {
            longjmp(*w->crash, 1);
        }
        if (w->now >= until) {
            break;
        }
        awake = (wants != 0 && net_readable(l)) || chance(w, 20);
        if (!awake) {
            advance(w, earliest(until, next_moment(w)));
        }
    }
    l->asleep = false;
    check_gate(w, l);
    return awake;
}

/* Runs until nothing is owed any more. A chat that fails for good may hold up the rest for twenty
 * minutes, counted in whole rounds: an hour is the limit. */
static void drain(world *w)
{
    const int64_t limit = w->now + (w->plan.soak ? 90000000 : 3600000);
    const int64_t least = w->now + 60000;
    w->calm = true;
    w->crash_in = 0;
    w->crash_in_save = false;
    net_calm(w);
    say(w, "---- nothing goes wrong any more");
    while (w->check == NULL && (w->now < least || check_owing(w)) && w->now < limit) {
        turn(w);
        advance(w, next_moment(w));
    }
    /* Everybody has a turn once more: nothing may come twice. */
    w->end = w->now + 90000;
    while (w->check == NULL && w->now < w->end) {
        turn(w);
        advance(w, next_moment(w));
    }
}

bool world_run(world *w)
{
    begin(w);
    while (w->check == NULL && w->now < w->end) {
        turn(w);
        advance(w, next_moment(w));
    }
    drain(w);
    if (w->check == NULL) {
        check_end(w);
    }
    mix(w, w->given * 1000003u + w->sent);
    return w->check == NULL;
}

void world_free(world *w)
{
    device_free(w);
    net_free(w);
    for (size_t i = 0; i < w->event_count; i++) {
        free(w->events[i].body);
    }
    sim_destroy(w->service);
    free(w->events);
    free(w->notes);
    free(w->index);
    free(w->served);
    free(w->shots);
    free(w->looks);
    free(w->recent);
    free((void *)w->chats);
    free(w->slots[0]);
    free(w->slots[1]);
    free(w->stored_token[0]);
    free(w->stored_token[1]);
}
