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

/* Cells of the table that cannot be reached, as bits of states, and why. */
#define ONLY(state) (0xffu & ~(1u << (state)))
#define ANSWERED    (0xffu & ~(1u << SEND | 1u << HEAD))

enum { IDLE, ACCOUNT, CONNECT, SEND, HEAD, BODY, ROW, DRAIN };

static const struct {
    fault row;
    unsigned states;
    const char *why;
} impossible[] = {
    {F_CUT_UP, ONLY(SEND), "bytes of a request leave in SEND only"},
    {F_CUT_DOWN, 0xffu & ~(1u << SEND | 1u << HEAD | 1u << BODY | 1u << DRAIN),
     "bytes of an answer are read in these four only"},
    {F_NO_CONNECT, ONLY(CONNECT), "a connection is made in CONNECT only"},
    {F_CORRUPT, ANSWERED, "decided when the service has the whole request, or an upload's head"},
    {F_CUT_ANSWER, ANSWERED, "likewise"},
    {F_LOST_ANSWER, ANSWERED, "likewise"},
    {F_EARLY, ANSWERED, "decided when the service has an upload's head"},
    {F_SOURCE, ONLY(SEND), "a picture is read in SEND only"},
    {F_S401, ANSWERED, "decided when the service has the whole request, or an upload's head"},
    {F_S402, ANSWERED, "likewise"},
    {F_S403, ANSWERED, "likewise"},
    {F_S429, ANSWERED, "likewise"},
    {F_S5XX, ANSWERED, "likewise"},
    {F_SLID, ONLY(HEAD), "decided when the service has the whole request"},
    {F_BROKEN, ONLY(HEAD), "decided when the service has the whole request"},
    {F_REFUSED_200, ONLY(HEAD), "decided when the service has the whole request"},
    {F_SLEEP, 1u << ROW, "an element is with the caller: nothing is waited for"},
    {F_CANCEL, 1u << IDLE, "nothing is in progress that could be cancelled"},
};

static unsigned impossible_states(unsigned row)
{
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        if (impossible[i].row == (fault)row) {
            return impossible[i].states;
        }
    }
    return 0;
}

static const char *const fault_words[] = {
#define FAULT_WORD_(name, word) word,
    WORLD_FAULTS(FAULT_WORD_)
#undef FAULT_WORD_
};

/* Prints one row; returns how many of its cells were never reached though they could be. */
static unsigned print_row(const totals *t, unsigned f)
{
    const unsigned never = impossible_states(f);
    unsigned missing = 0;
    (void)printf("%-37s", fault_words[f]);
    for (unsigned s = 0; s < STATES; s++) {
        const uint64_t count = t->faults[f][s];
        if ((never & 1u << s) != 0) {
            (void)printf("%9s", count == 0 ? "-" : "?!");
            missing += count != 0;
        } else {
            (void)printf("%9llu", (unsigned long long)count);
            missing += count == 0;
        }
    }
    (void)putchar('\n');
    return missing;
}

/* True if every cell was reached. */
static bool print_table(const totals *t)
{
    unsigned missing = 0;
    (void)printf("%-37s", "fault \\ state of the lane");
    for (unsigned s = 0; s < STATES; s++) {
        (void)printf("%9s", impl_state_name(s));
    }
    (void)putchar('\n');
    for (unsigned f = 0; f < FAULTS; f++) {
        missing += print_row(t, f);
    }
    (void)puts("\ncells that cannot exist (-):");
    for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++) {
        (void)printf("    %-33s %s\n", fault_words[impossible[i].row], impossible[i].why);
    }
    (void)printf("%s - %u cells that could be reached were not\n", missing == 0 ? "ok" : "not ok",
                 missing);
    return missing == 0;
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
            o->seeds = o->seeds == 1000 ? 30 : o->seeds; /* a day each */
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
        good = print_table(&t) && good;
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
