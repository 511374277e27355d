/* What an inbox costs in requests: a service in memory, simulated time, counts in place of seconds.
 * `make bench-inbox` prints the table; a row over its gate fails. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define START    1754890000u
#define USER     350000001
#define MESSAGES 20000
#define CHATS    1000
#define POLL_MS  15000u

/* ---------------------------------------------------------------- the service */

struct message {
    unsigned chat;
    uint32_t created;
};

static struct {
    struct message messages[MESSAGES]; /* in the order of their creation */
    unsigned count;
    unsigned chats;          /* a chat without a message is as old as the start */
    uint32_t updated[CHATS]; /* 0: the chat is not there */
    unsigned order[CHATS];   /* the most recently updated first */
    unsigned text;           /* bytes of each text */
    int rows;                /* 1: the oldest chat stays on top, 2: the oldest first */
    uint64_t now_ms;
    unsigned requests;
    char request[1024], answer[400000];
    size_t request_len, answer_len, answer_at;
} service;

static void write_message(unsigned chat)
{
    unsigned at = 0;
    struct message *m = &service.messages[service.count++ % MESSAGES];
    m->chat = chat;
    m->created = (uint32_t)(service.now_ms / 1000u);
    if (service.updated[chat] == 0) {
        service.order[service.chats++] = chat;
    }
    service.updated[chat] = m->created;
    while (service.order[at] != chat) {
        at++;
    }
    memmove(service.order + 1, service.order, at * sizeof *service.order);
    service.order[0] = chat;
}

static unsigned number_of(const char *name, unsigned otherwise)
{
    const char *at = strstr(service.request, name);
    return at != NULL ? (unsigned)strtoul(at + strlen(name), NULL, 10) : otherwise;
}

static size_t put(size_t at, const char *format, ...) __attribute__((format(printf, 2, 3)));
static size_t put(size_t at, const char *format, ...)
{
    va_list args;
    int n;
    va_start(args, format);
    n = vsnprintf(service.answer + at, sizeof service.answer - at, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof service.answer - at) {
        (void)puts("not ok - an answer does not fit");
        exit(1);
    }
    return at + (size_t)n;
}

static size_t put_message(size_t at, unsigned number, bool text)
{
    const struct message *m = &service.messages[number % MESSAGES];
    at = put(at,
             "{\"id\":\"message-%022u\",\"author_id\":7,\"created\":%u,\"type\":\"text\","
             "\"direction\":\"in\"",
             number, m->created);
    if (text) {
        at = put(at, ",\"content\":{\"text\":\"%0*u\"}", (int)service.text, number);
    }
    return put(at, "}");
}

static unsigned newest_of(unsigned chat)
{
    unsigned i = service.count;
    while (i > 0 && service.messages[(i - 1) % MESSAGES].chat != chat) {
        i--;
    }
    return i; /* one more than its number; 0: none */
}

static size_t put_chats(size_t at, unsigned limit, unsigned offset)
{
    bool first = true;
    at = put(at, "{\"chats\":[");
    for (unsigned row = offset; row < service.chats && row < offset + limit; row++) {
        const unsigned in_row = service.rows == 2   ? service.chats - 1 - row
                                : service.rows == 1 ? (row == 0 ? service.chats - 1 : row - 1)
                                                    : row;
        const unsigned chat = service.order[in_row], newest = newest_of(chat);
        at = put(at, "%s{\"id\":\"u2i-chat-%016u\",\"created\":%u,\"updated\":%u", first ? "" : ",",
                 chat, START, service.updated[chat]);
        if (newest > 0) {
            at = put_message(put(at, ",\"last_message\":"), newest - 1, false);
        }
        at = put(at, "}");
        first = false;
    }
    return put(at, "],\"meta\":{\"has_more\":%s}}",
               service.chats > offset + limit ? "true" : "false");
}

static size_t put_messages(size_t at, unsigned chat, unsigned limit, unsigned offset)
{
    unsigned row = 0;
    at = put(at, "{\"messages\":[");
    for (unsigned i = service.count; i > 0 && row <= offset + limit; i--) {
        if (service.messages[(i - 1) % MESSAGES].chat == chat) {
            if (row >= offset && row < offset + limit) {
                at = put_message(put(at, "%s", row > offset ? "," : ""), i - 1, true);
            }
            row++;
        }
    }
    return put(at, "],\"meta\":{\"has_more\":%s}}", row > offset + limit ? "true" : "false");
}

static void answer(void)
{
    static char body[sizeof service.answer];
    const unsigned limit = number_of("limit=", 100), offset = number_of("offset=", 0);
    const time_t now = (time_t)(service.now_ms / 1000u);
    const bool messages = strstr(service.request, "/messages/") != NULL;
    char date[64];
    size_t len = messages ? put_messages(0, number_of("/u2i-chat-", 0), limit, offset)
                          : put_chats(0, limit, offset);
    memcpy(body, service.answer, len + 1);
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    service.answer_len =
        put(put(0, "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Length: %zu\r\n\r\n", date, len), "%s",
            body);
    service.answer_at = 0;
    service.requests++;
    service.now_ms += 100;
}

/* ---------------------------------------------------------------- the transport */

static int on_connect(void *ctx, const avito_server *to)
{
    (void)ctx;
    (void)to;
    service.request_len = 0;
    return AVITO_OK;
}

static long on_send(void *ctx, const void *data, size_t len, int more)
{
    (void)ctx;
    (void)more;
    memcpy(service.request + service.request_len, data, len);
    service.request_len += len;
    service.request[service.request_len] = '\0';
    if (strstr(service.request, "\r\n\r\n") != NULL) {
        answer();
        service.request_len = 0;
    }
    return (long)len;
}

static long on_recv(void *ctx, void *data, size_t cap)
{
    const size_t left = service.answer_len - service.answer_at, n = left < cap ? left : cap;
    (void)ctx;
    memcpy(data, service.answer + service.answer_at, n);
    service.answer_at += n;
    return n > 0 ? (long)n : AVITO_IO_AGAIN;
}

static int on_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void on_close(void *ctx)
{
    (void)ctx;
}

static uint32_t clock_ms(void *ctx)
{
    (void)ctx;
    return (uint32_t)service.now_ms;
}

static int load_token(void *ctx, avito_token *token)
{
    (void)ctx;
    token->access_token.ptr = "a-token";
    token->access_token.len = 7;
    token->expires_in = 86400 * 365;
    return AVITO_OK;
}

/* ---------------------------------------------------------------- the inbox */

static avito_account account;
static avito_client client;
static avito_inbox inbox;
static avito_arena arena;
static char window[1024], tokens[AVITO_TOKENS_SIZE(64)], room[65536];
static char state[AVITO_INBOX_STATE_SIZE(4000)], records[AVITO_INBOX_CHATS_SIZE(CHATS)];

static void must(bool good, const char *what)
{
    if (!good) {
        (void)printf("not ok - %s\n", what);
        exit(1);
    }
}

/* Starts a new world with this many chats and this much memory. */
static void begin(avito_inbox_start start, unsigned chats, size_t arena_size, unsigned remembered)
{
    static const avito_transport_functions functions = {.connect = on_connect,
                                                        .send = on_send,
                                                        .recv = on_recv,
                                                        .wants = on_wants,
                                                        .close = on_close};
    avito_account_options a = avito_account_options_default();
    avito_client_options c = avito_client_options_default();
    avito_inbox_options o = avito_inbox_options_default();
    memset(&service, 0, sizeof service);
    service.now_ms = (uint64_t)START * 1000u;
    service.text = 20;
    for (unsigned i = 0; i < chats; i++) {
        write_message(i);
        service.now_ms += 1000;
    }
    service.now_ms += 3600000;
    a.client_id = "an-id";
    a.client_secret = "a-secret";
    a.tokens = tokens;
    a.tokens_cap = sizeof tokens;
    a.clock_ms = clock_ms;
    a.load_token = load_token;
    must(avito_account_init(&account, &a) == AVITO_OK, "account");
    c.transport.functions = &functions;
    c.window = window;
    c.window_cap = sizeof window;
    must(avito_client_init(&client, &account, &c) == AVITO_OK, "client");
    arena = avito_arena_of(room, arena_size);
    o.user_id = USER;
    o.state = state;
    o.state_cap = sizeof state;
    o.arena = &arena;
    o.start = start;
    o.since = START;
    o.chats = remembered > 0 ? records : NULL;
    o.chats_cap = remembered > 0 ? AVITO_INBOX_CHATS_SIZE(remembered) : 0;
    must(avito_inbox_init(&inbox, &client, &o) == AVITO_OK, "inbox");
}

/* Runs until it waits for its next poll; returns how many messages it gave. */
static unsigned poll(void)
{
    unsigned given = 0;
    avito_message m;
    int rc;
    do {
        rc = avito_inbox_next(&inbox, &m);
        (void)avito_inbox_events(&inbox);
        if (rc == AVITO_OK) {
            given++;
            must(avito_inbox_accept(&inbox) == AVITO_OK, "accept");
        }
        must(rc >= 0, avito_error_name(rc));
    } while (rc == AVITO_OK || avito_inbox_deadline_ms(&inbox) < 1000);
    service.now_ms += avito_inbox_deadline_ms(&inbox);
    return given;
}

static unsigned polls(unsigned count)
{
    unsigned given = 0;
    for (; count > 0; count--) {
        given += poll();
    }
    return given;
}

/* ---------------------------------------------------------------- the table */

static int failed;

static void row(const char *what, double requests, double gate)
{
    const bool good = requests <= gate;
    (void)printf("%s - inbox: %-68s %8.2f (at most %.6g)\n", good ? "ok" : "not ok", what, requests,
                 gate);
    failed |= !good;
}

/* After the start, until no initial message has a late look to come. */
static void settle(void)
{
    (void)polls(150);
    service.requests = 0;
}

/* What it costs when one new message in each of `chats` chats has come, and what later quiet polls
 * cost. `quiet` and `news` are the gates. */
static void moved(unsigned chats, unsigned remembered, double quiet, double news)
{
    char what[80];
    unsigned given = 0;
    begin(AVITO_START_NOW, CHATS, sizeof room, remembered);
    settle();
    for (unsigned i = 0; i < chats; i++) {
        write_message(i);
    }
    given = poll();
    must(given == chats, "every message of a poll is given");
    (void)snprintf(what, sizeof what, "%u of %u chats, one new message each, records for %u", chats,
                   CHATS, remembered);
    row(what, service.requests, news);
    service.requests = 0;
    (void)polls(4);
    (void)snprintf(what, sizeof what, "nothing new, %u moved, records for %u, a poll", chats,
                   remembered);
    row(what, service.requests / 4.0, quiet);
}

static void burst_spread(void)
{
    unsigned most = 0;
    begin(AVITO_START_NOW, CHATS, sizeof room, CHATS);
    settle();
    for (unsigned i = 0; i < 200; i++) {
        write_message(i);
    }
    (void)poll();
    for (unsigned i = 0; i < 60; i++) {
        service.requests = 0;
        (void)poll();
        most = service.requests > most ? service.requests : most;
    }
    row("after 200 chats moved, the dearest poll of the next 15 minutes", most,
        20 + 13); /* and a sweep */
}

static void one_chat(size_t arena_size, unsigned text, double gate)
{
    char what[80];
    begin(AVITO_START_NOW, 1, arena_size, 1);
    settle();
    service.text = text;
    for (unsigned i = 0; i < 1000; i++) {
        write_message(0);
        service.now_ms += 10;
    }
    must(poll() == 1000, "a thousand messages are given");
    (void)snprintf(what, sizeof what, "1,000 new messages of %u bytes in a chat, arena %u", text,
                   (unsigned)arena_size);
    row(what, service.requests, gate);
}

static void start(unsigned remembered)
{
    char what[80];
    begin(AVITO_START_SINCE, CHATS, sizeof room, remembered);
    must(poll() == CHATS, "all that was there is given");
    (void)snprintf(what, sizeof what, "start since, 1,000 chats with a message, records for %u",
                   remembered);
    row(what, service.requests, 1060);
}

static void start_now(int rows)
{
    begin(AVITO_START_NOW, 200, sizeof room, CHATS);
    service.rows = rows;
    row(rows == 1 ? "start now, a chat stands still on top: old messages given"
                  : "start now, the oldest chat first: old messages given",
        polls(5), 0);
    write_message(7);
    row("  and a new one within so many polls", polls(61) == 1 ? 61 : 1000, 61);
}

static void six_hours(unsigned chats, double gate)
{
    const unsigned all = 6 * 3600 / (POLL_MS / 1000);
    char what[80];
    unsigned given = 0;
    begin(AVITO_START_NOW, chats, sizeof room, chats);
    settle();
    for (unsigned i = 0; i < all; i++) {
        if (i % 4 == 0) {
            write_message(i / 4 * 7 % chats);
        }
        given += poll();
    }
    must(given == all / 4, "every message of six hours is given");
    (void)snprintf(what, sizeof what, "six hours, a message a minute, %u chats, a poll", chats);
    row(what, (double)service.requests / all, gate);
}

int main(void)
{
    moved(1, CHATS, 1, 2);
    moved(20, CHATS, 1, 24);
    moved(100, CHATS, 1, 104);
    moved(1000, CHATS, 1, 1014); /* ten pages */
    moved(100, 50, 104, 104);
    moved(100, 0, 104, 104);
    burst_spread();
    one_chat(65536, 20, 25);
    one_chat(4096, 20, 320);
    one_chat(1228, 20, 1015);
    one_chat(65536, 300, 30);
    start(CHATS);
    start(0);
    start_now(1);
    start_now(2);
    six_hours(1000, 2);
    six_hours(50, 1.7);
    return failed;
}
