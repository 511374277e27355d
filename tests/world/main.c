/* main.c - many seeds, one seed with its trace, or thirty days with a table. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct options {
    uint64_t seed, seeds;
    bool trace, soak, twice, one, quiet;
    unsigned days;
} options;

typedef struct totals {
    uint64_t faults[FAULTS][STATES];
    uint64_t given, sent, unsure, yes, no, crashes, requests, steps, messages;
    double simulated_s;
} totals;

static const char *program;

static void add(totals *t, const world *w)
{
    for (unsigned f = 0; f < FAULTS; f++) {
        for (unsigned s = 0; s < STATES; s++) {
            t->faults[f][s] += w->faults[f][s];
        }
    }
    t->given += w->given;
    t->sent += w->sent;
    t->unsure += w->unsure;
    t->yes += w->confirmed_yes;
    t->no += w->confirmed_no;
    t->crashes += w->crashes;
    t->requests += w->requests;
    t->steps += w->steps;
    t->messages += w->note_count;
    t->simulated_s += (double)(w->now - w->start) / 1000.0;
}

/* Runs a seed; true if everything held. *hash: of all bytes and events. */
static bool run(const options *o, uint64_t seed, totals *t, uint64_t *hash)
{
    static world w;
    bool good;
    memset(&w, 0, sizeof w);
    w.seed = seed;
    w.trace = o->trace;
    w.plan.soak = o->soak;
    good = world_run(&w);
    *hash = w.hash;
    add(t, &w);
    if (!good) {
        (void)printf("seed %llu: %s: %s\n    replay: %s --seed %llu%s --trace\n",
                     (unsigned long long)seed, w.check, w.problem, program,
                     (unsigned long long)seed, o->soak ? " --soak" : "");
    }
    world_free(&w);
    return good;
}

static void print_table(const totals *t)
{
    static const char *const words[] = {
#define FAULT_WORD_(name, word) word,
        WORLD_FAULTS(FAULT_WORD_)
#undef FAULT_WORD_
    };
    (void)printf("%-36s", "fault \\ state of the lane");
    for (unsigned s = 0; s < STATES; s++) {
        (void)printf("%9s", impl_state_name(s));
    }
    (void)putchar('\n');
    for (unsigned f = 0; f < FAULTS; f++) {
        (void)printf("%-36s", words[f]);
        for (unsigned s = 0; s < STATES; s++) {
            (void)printf("%9llu", (unsigned long long)t->faults[f][s]);
        }
        (void)putchar('\n');
    }
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool run_all(const options *o, totals *t)
{
    uint64_t failed = 0;
    for (uint64_t i = 0; i < o->seeds && failed < (o->one ? 1u : 10u); i++) {
        uint64_t first = 0, second = 0;
        const bool good = run(o, o->seed + i, t, &first);
        if (good && o->twice && run(o, o->seed + i, t, &second) && first != second) {
            (void)printf("seed %llu: repeat: the second run differs from the first\n",
                         (unsigned long long)(o->seed + i));
            failed++;
        }
        failed += !good;
    }
    return failed == 0;
}

static bool parse(options *o, int argc, char **argv)
{
    memset(o, 0, sizeof *o);
    o->seed = 1;
    o->seeds = 1000;
    for (int i = 1; i < argc; i++) {
        const bool more = i + 1 < argc;
        if (strcmp(argv[i], "--seed") == 0 && more) {
            o->seed = strtoull(argv[++i], NULL, 10);
            o->seeds = 1;
        } else if (strcmp(argv[i], "--seeds") == 0 && more) {
            o->seeds = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--from") == 0 && more) {
            o->seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--trace") == 0) {
            o->trace = true;
        } else if (strcmp(argv[i], "--twice") == 0) {
            o->twice = true;
        } else if (strcmp(argv[i], "--first") == 0) {
            o->one = true;
        } else if (strcmp(argv[i], "--soak") == 0) {
            o->soak = true;
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    options o;
    static totals t;
    const double begin = seconds();
    double spent;
    bool good;
    program = argv[0];
    if (!parse(&o, argc, argv)) {
        (void)fprintf(stderr,
                      "usage: world [--seeds N] [--from SEED] [--twice] [--first] [--soak]\n"
                      "       world --seed N [--trace] [--soak]\n");
        return 2;
    }
    good = run_all(&o, &t);
    spent = seconds() - begin;
    if (o.soak) {
        print_table(&t);
    }
    (void)printf("%s - %llu seeds, %.1f simulated hours, %.1f s of processor: %.0f seeds/minute\n"
                 "     %llu messages, %llu given; %llu sent, %llu unsure, %llu confirmed, %llu "
                 "disproved; %llu power cuts, %llu requests\n",
                 good ? "ok" : "not ok", (unsigned long long)o.seeds, t.simulated_s / 3600, spent,
                 (double)o.seeds * 60 / spent, (unsigned long long)t.messages,
                 (unsigned long long)t.given, (unsigned long long)t.sent,
                 (unsigned long long)t.unsure, (unsigned long long)t.yes, (unsigned long long)t.no,
                 (unsigned long long)t.crashes, (unsigned long long)t.requests);
    return good ? 0 : 1;
}
