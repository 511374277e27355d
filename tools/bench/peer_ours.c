/* The header itself: the real client over a transport in memory. The answer (head and body) is
 * copied into the window as recv() would. Built three times: with intrinsics, without, and for
 * size. */
#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "../recorded.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

/* The table's two settings. */
enum { FAST_WINDOW = 16 * 1024, FAST_ARENA = 8 * 1024, SMALL_WINDOW = 512, SMALL_ARENA = 6 * 1024 };

static char window[FAST_WINDOW];
static char room[FAST_ARENA];
static size_t used; /* all memory given, including lane and account */

static int wire_wait(void *ctx, int wants, uint32_t ms)
{
    (void)ctx;
    (void)wants;
    (void)ms;
    return AVITO_OK;
}

static uint32_t clock_ms(void *ctx)
{
    static uint32_t now;

    (void)ctx;
    return now += 1;
}

static int set_up(size_t window_cap)
{
    avito_account_options ao = avito_account_options_default();

    ao.clock_ms = clock_ms;
    ao.load_token = recorded_token;
    return recorded_open(ao, window, window_cap, wire_wait);
}

static void answer_with(const char *body, size_t len, size_t piece)
{
    static char head[128];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     len);

    recorded_answer(head, (size_t)n, body, len);
    wire.piece = piece;
}

/* With BENCH_TALK=1 in the environment it prints why a run was refused. */
static void talk(int r)
{
    if (r < 0 && getenv("BENCH_TALK") != NULL) {
        const avito_error *e = avito_last_error(&client);

        fprintf(stderr, "ours: %s, %s, needed %zu\n", avito_error_name(r), e->text, e->needed);
    }
}

static int next_chat(bench_sink *sink)
{
    avito_chat chat;
    int r = avito_next_chat(&client, &chat);

    if (r == AVITO_OK) {
        sink->chat(sink, &chat);
    }
    return r;
}

static int next_message(bench_sink *sink)
{
    avito_message message;
    int r = avito_next_message(&client, &message);

    if (r == AVITO_OK) {
        sink->message(sink, &message);
    }
    return r;
}

/* Reads the list whose beginning returned `r`. A refused element fails the run: the arena must be
 * large enough. */
static int all(int r, int (*next)(bench_sink *), bench_sink *sink, size_t given)
{
    int bad = 0;

    while (r == AVITO_OK) {
        r = next(sink);
        if (r < 0 && avito_list_open(&client)) {
            talk(r);
            bad++;
            r = AVITO_OK;
        }
    }
    talk(r);
    used = given + sizeof client + sizeof account + sizeof tokens;
    avito_client_close(&client);
    return r == AVITO_END && bad == 0 ? 0 : -1;
}

static int chats(const char *body, size_t len, bench_sink *sink, size_t window_cap,
                 size_t arena_cap, uint32_t want, size_t piece)
{
    avito_arena arena = avito_arena_of(room, arena_cap);
    avito_chats_query query = {0};
    int r = set_up(window_cap);

    answer_with(body, len, piece);
    query.want = want;
    r = r != AVITO_OK ? r : avito_list_chats(&client, 94235311, &query, &arena);
    return all(r, next_chat, sink, window_cap + arena_cap);
}

static int messages(const char *body, size_t len, bench_sink *sink, size_t window_cap,
                    size_t arena_cap, size_t piece)
{
    avito_arena arena = avito_arena_of(room, arena_cap);
    int r = set_up(window_cap);

    answer_with(body, len, piece);
    r = r != AVITO_OK ? r : avito_list_messages(&client, 94235311, "u2i-a", NULL, &arena);
    return all(r, next_message, sink, window_cap + arena_cap);
}

static int fast_chats(const char *body, size_t len, bench_sink *sink)
{
    return chats(body, len, sink, FAST_WINDOW, FAST_ARENA, 0, 0);
}

static int fast_messages(const char *body, size_t len, bench_sink *sink)
{
    return messages(body, len, sink, FAST_WINDOW, FAST_ARENA, 0);
}

static int masked_chats(const char *body, size_t len, bench_sink *sink)
{
    return chats(body, len, sink, FAST_WINDOW, FAST_ARENA, AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS, 0);
}

static int small_chats(const char *body, size_t len, bench_sink *sink)
{
    return chats(body, len, sink, SMALL_WINDOW, SMALL_ARENA, 0, 0);
}

static int small_messages(const char *body, size_t len, bench_sink *sink)
{
    return messages(body, len, sink, SMALL_WINDOW, SMALL_ARENA, 0);
}

static int byte_chats(const char *body, size_t len, bench_sink *sink)
{
    return chats(body, len, sink, FAST_WINDOW, FAST_ARENA, 0, 1);
}

static int byte_messages(const char *body, size_t len, bench_sink *sink)
{
    return messages(body, len, sink, FAST_WINDOW, FAST_ARENA, 1);
}

/* The whole body is in memory, as the receiver or a broker gives it. */
static int notification(const char *body, size_t len, bench_sink *sink)
{
    avito_arena arena = avito_arena_of(room, FAST_ARENA);
    avito_event event;
    int r = avito_parse_webhook(body, len, &arena, &event, NULL);

    if (r == AVITO_OK) {
        sink->notification(sink, &event);
    }
    return r == AVITO_OK ? 0 : -1;
}

static size_t memory(void)
{
    return used;
}

#ifndef NAME
#define NAME "ours"
#endif

const bench_peer bench_peers[] = {
    {NAME, fast_chats, fast_messages, notification, NULL, memory, false},
    {NAME ", no avatars", masked_chats, fast_messages, notification, NULL, memory, false},
    {NAME ", small", small_chats, small_messages, notification, NULL, memory, false},
    {NAME ", 1-byte pieces", byte_chats, byte_messages, notification, NULL, memory, false},
    {NULL, NULL, NULL, NULL, NULL, NULL, false},
};
