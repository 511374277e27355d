/*
 * A lane on a scripted transport, with everything around it: clock, account, window between guard
 * pages, buffer for refusals. Its account has a stored token, so that a call is one request.
 *
 *     struct lane l;
 *     lane_init(&l, 512);                          window
 *     lane_exchange(&l, 200, body, len);           a connection, any request, this answer
 *     rc = lane_run(&l, avito_get_self(&l.client, &l.arena, &self));
 *     lane_again(&l, 512);                         the same script from the beginning
 *     lane_end(&l);                                all of it was played
 */
#ifndef TESTS_SUPPORT_LANE_H
#define TESTS_SUPPORT_LANE_H

#include "avito_messenger.h"
#include "support/clock.h"
#include "support/guard.h"
#include "support/script.h"

#define LANE_TOKEN  "stored-token-0123456789-abcdefghijklmnop"
#define LANE_ID     "client-id-of-tests"
#define LANE_SECRET "client-secret-of-tests-0123456789"

struct lane {
    struct clock clock;
    struct script script;
    avito_account_options account_options; /* may be changed, then lane_again() */
    avito_client_options options;
    avito_headers
        headers; /* none, not even User-Agent, so that requests are as short as they can be */
    avito_account account;
    avito_client client;
    avito_arena arena;
    struct guard window;
    bool no_token;              /* nothing is stored */
    int load_result;            /* if not 0: load_token() fails with it */
    avito_str stored_access;    /* instead of LANE_TOKEN */
    const char *stored_refresh; /* refresh token that is stored */
    int64_t stored_expires;     /* when it says that it expires; 0: it does not say */
    unsigned loads, saves;      /* calls of the hooks */
    int save_result;
    char saved_access[2048], saved_refresh[2048];
    char trace[4096]; /* the last lines */
    char tokens[AVITO_TOKENS_SIZE(1100)];
    char error_body[256];
    char room[65536];
};

void lane_init(struct lane *l, size_t window);
void lane_init_retries(struct lane *l, size_t window, uint8_t retries);
void lane_free(struct lane *l);

/* Asserts that all of its script was played, and frees it. */
void lane_end(struct lane *l);

/* New account, new client, window of another size, the script from its beginning. The connection of
 * the former client is given up. */
void lane_again(struct lane *l, size_t window);

/* script_connect(), script_request() and an answer with Content-Length; or an answer as it is. */
void lane_exchange(struct lane *l, int status, const void *body, size_t len);
void lane_exchange_raw(struct lane *l, const void *answer, size_t len);

/* Steps until the call is done. */
int lane_run(struct lane *l, int result);

#endif
