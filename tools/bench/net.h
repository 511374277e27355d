/* Shared by the bench's network clients: counted regions, CPU time, one line of JSON. */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <valgrind/callgrind.h>

enum { NET_BUFFER = 64 * 1024 }; /* the buffer into which both clients read a long list */

typedef struct net_region {
    double cpu_ns, wall_ns, user_ns;
} net_region;

static inline double net_clock(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The kernel knows the total exactly, and finds the parts by sampling. */
static inline double net_user(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)use.ru_utime.tv_sec * 1e9 + (double)use.ru_utime.tv_usec * 1e3;
}

static inline void net_begin(net_region *r)
{
    r->user_ns = net_user();
    r->cpu_ns = net_clock(CLOCK_PROCESS_CPUTIME_ID);
    r->wall_ns = net_clock(CLOCK_MONOTONIC);
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

static inline void net_end(net_region *r, unsigned long requests, unsigned long elements)
{
    CALLGRIND_DUMP_STATS_AT("requests");
    CALLGRIND_STOP_INSTRUMENTATION;
    r->cpu_ns = net_clock(CLOCK_PROCESS_CPUTIME_ID) - r->cpu_ns;
    r->wall_ns = net_clock(CLOCK_MONOTONIC) - r->wall_ns;
    r->user_ns = net_user() - r->user_ns;
    printf("{\"requests\": %lu, \"elements\": %lu, \"cpu_us\": %.3f, \"user_us\": %.3f, "
           "\"wall_us\": %.3f}\n",
           requests, elements, r->cpu_ns / 1e3 / (double)requests,
           r->user_ns / 1e3 / (double)requests, r->wall_ns / 1e3 / (double)requests);
}

static inline void net_fail(const char *what, const char *why)
{
    fprintf(stderr, "bench client: %s: %s\n", what, why);
    exit(1);
}

static inline void net_many_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

#define NET_TOKEN "0123456789012345678901234567890123456789"
#define NET_SELF  "/core/v1/accounts/self"
#define NET_CHATS "/messenger/v2/accounts/94235311/chats"

#endif
