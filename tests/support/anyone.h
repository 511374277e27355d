/*
 * A service in memory that answers whatever it is asked, with the success that the call expects, and a
 * virtual clock. It may hold back at one point, and it may be hostile.
 *
 *     struct anyone peer;
 *     anyone_init(&peer);
 *     options.transport = anyone_transport(&peer, false);    true: with a wait()
 *     account_options.ctx = &peer; .clock_ms = anyone_clock_ms; ...
 */
#ifndef TESTS_SUPPORT_ANYONE_H
#define TESTS_SUPPORT_ANYONE_H

#include "avito_messenger.h"

enum anyone_habit {
    ANYONE_KIND,
    /* It stops here, for good: */
    ANYONE_NO_CONNECT,
    ANYONE_NO_SEND,
    ANYONE_NO_ANSWER,
    ANYONE_HALF_AN_ANSWER,
    ANYONE_BREAKS, /* instead of an answer: the connection fails */
    /* A byte now and then, in each direction: */
    ANYONE_SLOW,
    /* It never ends: */
    ANYONE_ENDLESS_HEAD,
    ANYONE_ENDLESS_BODY,
    ANYONE_ENDLESS_LIST,
    ANYONE_ENDLESS_CHUNKS,
    ANYONE_HABITS
};

struct anyone {
    uint32_t now_ms;
    int64_t unix_s; /* when now_ms was `began_ms` */
    uint32_t began_ms;
    enum anyone_habit habit;
    uint32_t slow_ms;           /* SLOW: a byte each */
    uint32_t cost_us, spent_us; /* how long each recv takes; what has not made a millisecond yet */
    /* Called first by each function of the transport and each hook; NULL: none. */
    void (*hook)(void *ctx, const char *where);
    void *hook_ctx;

    bool open, answered, of_pairs;
    unsigned connects, closes;
    unsigned served, tokens_served; /* requests that were answered */
    unsigned work;                  /* calls of connect, send and recv; set it to 0 as you like */
    size_t received;                /* bytes given to the lane, of this connection */
    uint32_t moved_ms;              /* SLOW: when the last byte moved */
    char request[8192];
    size_t request_len, dropped; /* bytes of a long body are not kept */
    char answer[4096];
    size_t answer_len, answer_at, body_at;
};

void anyone_init(struct anyone *peer);

/* What a piece costs in time. */
void anyone_spend(struct anyone *peer);

avito_transport anyone_transport(struct anyone *peer, bool waits);

/* The success of a request, by its first line. */
const char *anyone_body_for(const char *request);

/* Hooks of an account; `ctx` is the peer. */
uint32_t anyone_clock_ms(void *ctx);
int64_t anyone_unix_time(void *ctx);
int anyone_entropy(void *ctx, void *out, size_t len);

#endif
