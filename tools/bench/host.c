/* Runs the decoders: every one is a plugin, so that libraries with equal names stay apart.
 *
 *   host hash  KIND FILE PLUGIN...           hash and count of every decoder
 *   host time  KIND FILE ROUNDS PLUGIN...    ns of every decoder, rounds interleaved
 *   host count PLUGIN KIND:FILE...           under callgrind: one dump per decoder and file
 *   host heap  PLUGIN KIND:FILE              with heap.so preloaded: calls and peak
 *   host probe PLUGIN FILE...                which faults are refused
 *
 * KIND is chats, messages or notification. A plugin may hold several decoders; PLUGIN@NAME takes one of them.
 * Prints one line of JSON per result.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <valgrind/callgrind.h>

#include "bench.h"

enum { PEERS_MAX = 32, ROUNDS_MAX = 1000, PAD = 64, TURN = 4, TURN_BYTES = 64 * 1024 };

void bench_heap_reset(void) __attribute__((weak));
void bench_heap_read(uint64_t *calls, uint64_t *peak) __attribute__((weak));

static const bench_peer *peers[PEERS_MAX];
static size_t peer_count;

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "host: %s: %s\n", what, which);
    exit(1);
}

static char *read_file(const char *name, size_t *len)
{
    FILE *f = fopen(name, "rb");
    char *body;
    long size;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) < 0) {
        fail("cannot read", name);
        return NULL;
    }
    rewind(f);
    body = malloc((size_t)size + PAD);
    if (body == NULL || fread(body, 1, (size_t)size, f) != (size_t)size) {
        fail("cannot read", name);
    }
    fclose(f);
    memset(body + size, 0, PAD);
    *len = (size_t)size;
    return body;
}

/* Adds the plugin's decoders, or only the one after the "@". */
static void load(const char *spec)
{
    char path[512];
    const char *at = strchr(spec, '@');
    size_t n = at == NULL ? strlen(spec) : (size_t)(at - spec);
    const bench_peer *p;
    void *handle;

    if (n >= sizeof path) {
        fail("path too long", spec);
    }
    memcpy(path, spec, n);
    path[n] = '\0';
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    p = handle == NULL ? NULL : (const bench_peer *)dlsym(handle, "bench_peers");
    if (p == NULL) {
        fail("cannot load", dlerror());
        return;
    }
    for (; p->name != NULL && peer_count < PEERS_MAX; p++) {
        if (at == NULL || strcmp(at + 1, p->name) == 0) {
            peers[peer_count++] = p;
        }
    }
}

static void light_chat(bench_sink *sink, const avito_chat *chat)
{
    sink->hash += (uint64_t)chat->updated;
    sink->count++;
}

static void light_message(bench_sink *sink, const avito_message *message)
{
    sink->hash += (uint64_t)message->created;
    sink->count++;
}

static void light_notification(bench_sink *sink, const avito_event *event)
{
    sink->hash += (uint64_t)event->timestamp;
    sink->count++;
}

static void full_chat(bench_sink *sink, const avito_chat *chat)
{
    sink->hash = bench_hash_chat(sink->hash, chat, true);
    sink->count++;
}

static void bare_chat(bench_sink *sink, const avito_chat *chat)
{
    sink->hash = bench_hash_chat(sink->hash, chat, false);
    sink->count++;
}

static void full_message(bench_sink *sink, const avito_message *message)
{
    sink->hash = bench_hash_message(sink->hash, message);
    sink->count++;
}

static void full_notification(bench_sink *sink, const avito_event *event)
{
    sink->hash = bench_hash_notification(sink->hash, event);
    sink->count++;
}

static int run(const bench_peer *p, const char *kind, const char *body, size_t len,
               bench_sink *sink)
{
    return strcmp(kind, "notification") == 0 ? p->notification(body, len, sink)
           : strcmp(kind, "messages") == 0   ? p->messages(body, len, sink)
                                             : p->chats(body, len, sink);
}

static bench_sink light(void)
{
    bench_sink sink = {light_chat, light_message, light_notification, 0, 0};

    return sink;
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* other programs do not count */
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int hash(int argc, char **argv)
{
    size_t len, i;
    char *body = read_file(argv[3], &len);

    for (i = 4; i < (size_t)argc; i++) {
        load(argv[i]);
    }
    for (i = 0; i < peer_count; i++) {
        bench_sink full = {full_chat, full_message, full_notification, 0, 0};
        bench_sink bare = {bare_chat, full_message, full_notification, 0, 0};
        int result = run(peers[i], argv[2], body, len, &full);

        (void)run(peers[i], argv[2], body, len, &bare);
        printf("{\"peer\": \"%s\", \"result\": %d, \"count\": %llu, \"hash\": \"%016llx\", "
               "\"hash_without_avatars\": \"%016llx\"}\n",
               peers[i]->name, result, (unsigned long long)full.count,
               (unsigned long long)full.hash, (unsigned long long)bare.hash);
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}

/* One turn of a decoder: first once to warm caches and branch predictors after the others, then
 * timed. A small body is repeated as often as the clock needs. */
static double turn(const bench_peer *p, const char *kind, const char *body, size_t len)
{
    const int times = TURN + (int)(TURN_BYTES / (len + 1));
    bench_sink sink = light();
    double start;
    int i;

    (void)run(p, kind, body, len, &sink);
    start = now_ns();
    for (i = 0; i < times; i++) {
        (void)run(p, kind, body, len, &sink);
    }
    return (now_ns() - start) / times;
}

/* The ratio to the first decoder is taken inside each round, and the median over the rounds is
 * printed: a machine that slows down for a while slows both. */
static int measure_time(int argc, char **argv)
{
    static double ns[PEERS_MAX][ROUNDS_MAX], ratio[PEERS_MAX][ROUNDS_MAX];
    size_t len, i, round, rounds = (size_t)atoi(argv[4]);
    char *body = read_file(argv[3], &len);

    for (i = 5; i < (size_t)argc; i++) {
        load(argv[i]);
    }
    rounds = rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    for (round = 0; round < rounds; round++) {
        for (i = 0; i < peer_count; i++) {
            ns[i][round] = turn(peers[i], argv[2], body, len);
            ratio[i][round] = ns[i][round] / ns[0][round];
        }
    }
    for (i = 0; i < peer_count; i++) {
        printf("{\"peer\": \"%s\", \"ns\": %.0f, \"ratio\": %.4f}\n", peers[i]->name,
               median(ns[i], rounds), median(ratio[i], rounds));
    }
    return 0;
}

/* Splits KIND:FILE. */
static const char *split(char *spec)
{
    char *colon = strchr(spec, ':');

    if (colon == NULL) {
        fail("KIND:FILE expected", spec);
        return NULL;
    }
    *colon = '\0';
    return colon + 1;
}

static int count(int argc, char **argv)
{
    size_t len, i, j;

    load(argv[2]);
    for (j = 3; j < (size_t)argc; j++) {
        const char *name = split(argv[j]);
        char *body = read_file(name, &len);

        for (i = 0; i < peer_count; i++) {
            bench_sink sink = light();
            char label[256];
            int result = run(peers[i], argv[j], body, len, &sink); /* warm */

            snprintf(label, sizeof label, "%s|%s|%s", peers[i]->name, argv[j],
                     strrchr(name, '/') ? strrchr(name, '/') + 1 : name);
            sink = light();
            CALLGRIND_START_INSTRUMENTATION;
            CALLGRIND_ZERO_STATS;
            result |= run(peers[i], argv[j], body, len, &sink);
            CALLGRIND_DUMP_STATS_AT(label);
            CALLGRIND_STOP_INSTRUMENTATION;
            printf("{\"label\": \"%s\", \"result\": %d, \"count\": %llu}\n", label, result,
                   (unsigned long long)sink.count);
        }
        free(body);
    }
    return 0;
}

static int heap(int argc, char **argv)
{
    uint64_t first = 0, again = 0, peak = 0, ignored, start;
    size_t len, i;
    const char *name = split(argv[3]);
    char *body = read_file(name, &len);

    (void)argc;
    if (bench_heap_read == NULL) {
        fail("not preloaded", "heap.so");
    }
    load(argv[2]);
    printf("\n"); /* stdio allocates its buffer before we count */
    for (i = 0; i < peer_count; i++) {
        bench_sink sink = light();
        int result;

        bench_heap_reset();
        bench_heap_read(&ignored, &start);
        result = run(peers[i], argv[3], body, len, &sink);
        bench_heap_read(&first, &peak);
        bench_heap_reset();
        (void)run(peers[i], argv[3], body, len, &sink);
        bench_heap_read(&again, &ignored);
        printf("{\"peer\": \"%s\", \"result\": %d, \"calls\": %llu, \"calls_again\": %llu, "
               "\"peak\": %llu, \"fixed\": %zu, \"body\": %zu, \"count\": %llu}\n",
               peers[i]->name, result, (unsigned long long)first, (unsigned long long)again,
               (unsigned long long)(peak - start), peers[i]->memory ? peers[i]->memory() : 0,
               peers[i]->holds_body ? len : 0, (unsigned long long)sink.count / 2);
    }
    return 0;
}

static int probe(int argc, char **argv)
{
    size_t len, i, j;

    load(argv[2]);
    for (i = 0; i < peer_count; i++) {
        for (j = 3; j < (size_t)argc; j++) {
            char *body = read_file(argv[j], &len);
            bench_sink sink = light();
            int result = peers[i]->chats(body, len, &sink);

            printf("{\"peer\": \"%s\", \"file\": \"%s\", \"refused\": %s}\n", peers[i]->name,
                   strrchr(argv[j], '/') ? strrchr(argv[j], '/') + 1 : argv[j],
                   result != 0 ? "true" : "false");
            free(body);
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 5 && strcmp(argv[1], "hash") == 0) {
        return hash(argc, argv);
    }
    if (argc >= 6 && strcmp(argv[1], "time") == 0) {
        return measure_time(argc, argv);
    }
    if (argc >= 4 && strcmp(argv[1], "count") == 0) {
        return count(argc, argv);
    }
    if (argc == 4 && strcmp(argv[1], "heap") == 0) {
        return heap(argc, argv);
    }
    if (argc >= 4 && strcmp(argv[1], "probe") == 0) {
        return probe(argc, argv);
    }
    fail("usage: see the head of", __FILE__);
    return 1;
}
