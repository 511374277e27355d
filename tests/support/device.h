/*
 * A device with an inbox, whose service is a function: it gives the body of every answer by what is
 * asked. Account, lane, inbox, and the two slots that outlive a restart.
 *
 *     static struct device d;
 *     device_init(&d, 20, serve, &service);         a ring of 20 ids
 *     d.options.start = AVITO_START_SINCE;
 *     device_start(&d);                             power on; again: a restart
 *     assert_string_equal(device_round(&d), "m1 m2 ");
 *     avito_client_close(&d.client);
 */
#ifndef TESTS_SUPPORT_DEVICE_H
#define TESTS_SUPPORT_DEVICE_H

#include "avito_messenger.h"
#include "support/clock.h"

#define DEVICE_SINCE 1754890000 /* options.since */
#define DEVICE_STATE AVITO_INBOX_STATE_SIZE(40)

/* Called once per request. *status is 200 and may be changed. */
typedef const char *device_serve(void *service, const char *request, int *status);

struct device {
    struct clock clock;
    device_serve *serve;
    void *service;
    avito_account account;
    avito_client client;
    avito_arena arena;
    avito_inbox inbox;
    avito_inbox_options options; /* may be changed before device_start() */
    unsigned char slots[2][DEVICE_STATE], state[DEVICE_STATE];
    size_t full[2];               /* bytes in each slot */
    unsigned loads, failing_load; /* how often load() was called; which of them fails, from 1 on */
    int save_result;
    bool silent;  /* answers do not come for now */
    size_t piece; /* answers come in pieces of this many bytes, AVITO_IO_AGAIN between; 0: whole */
    bool dates;   /* answers say what time it is, by the clock */
    char answer[60200]; /* the last one ... */
    size_t answer_at;   /* ... and how much of it was taken */
    unsigned events, errors;
    size_t needed;   /* what the last message that did not fit into the arena needs; 0: none */
    char given[400]; /* the ids of the last round, a blank after each */
    /* The rest is private. */
    unsigned char window[AVITO_WINDOW_MIN], tokens[AVITO_TOKENS_SIZE(64)], room[4096];
    char request[1024];
    size_t request_len, answer_len;
    bool said_again;
};

void device_init(struct device *d, unsigned ring, device_serve *serve, void *service);
void device_start(struct device *d);

/* Until the inbox waits for its next poll; what comes is accepted. */
const char *device_round(struct device *d);

#endif
