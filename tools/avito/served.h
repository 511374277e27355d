/* served.h - one account that `avito gateway` serves: its memory, its lane, its files. */
#ifndef AVITO_TOOLS_SERVED_H
#define AVITO_TOOLS_SERVED_H

#include "config.h"
#include "due.h"
#include "gateway.h"
#include "lane.h"
#include "writing.h"

#define SERVED_IDS       256u /* messages that the inbox remembers */
#define SERVED_CHATS     128u /* chats of which it remembers when they changed */
#define SERVED_ARENA     16384u
#define SERVED_TOKEN_MAX 1024u

typedef struct served {
    due_time due; /* its next step; the first member */
    struct served *next, *next_open, *next_due;
    bool started; /* it had its first step */
    bool open;    /* a lane of it may wait for its connection */
    bool listed;  /* among those of which that is so, or was */
    bool woken;   /* one of its writes has ended */
    writing_waiter waiter;
    gateway_account core;
    avito_account account;
    lane *reader;
    const avito_anchors *roots;
    char *texts; /* copies of the configuration's, in one piece of memory */
    const char *name, *folder, *host;
    const char **notify, **notify_before; /* chats with an entity in Home Assistant */
    char *notify_text;                    /* what the second points into */
    int lock;                             /* of the inbox */
    uint64_t fingerprint;                 /* of its configuration */
    bool wanted;                          /* the configuration still names it */
    bool going;                           /* it was asked to go, and cannot stay */
    struct served_settings {
        long rate, poll_s;
        bool marks, names;
    } settings;
    bool saving; /* a message's acceptance is on its way to the disk */
    writing inbox_write, ledger_write, refused_write;
    char tokens[AVITO_TOKENS_SIZE(SERVED_TOKEN_MAX)];
    char ring[AVITO_INBOX_STATE_SIZE(SERVED_IDS)];
    char records[AVITO_INBOX_CHATS_SIZE(SERVED_CHATS)];
} served;

/* In a fleet others store the state, too. */
typedef struct served_stores {
    void *ctx;
    int (*load_inbox)(void *ctx, int slot, void *data, size_t cap, size_t *len);
    int (*save_inbox)(void *ctx, int slot, const void *data, size_t len);
    ledger_store ledger;
} served_stores;

#define SERVED_LEDGER "ledger.jsonl"

/* Reads one of the inbox's two files: AVITO_OK, AVITO_END if there is none, or an error. */
int served_read_slot(const char *folder, int slot, void *data, size_t cap, size_t *len);

/* Writes it. With a waiter in the background, as writing_step() does: for the acceptance of a message. Everything else
 * is written at once: it is rare, and nobody asks again, or only after a poll. */
int served_write_slot(writing *w, const char *folder, int slot, const void *data, size_t len,
                      const writing_waiter *waiter);

/* Says why a file cannot be read or written, by errno. EXIT_LOCAL. */
int served_say_file(const char *folder, const char *file);

/* A hash of everything in its section. */
uint64_t served_fingerprint(const config *c, const account *from);

/* EXIT_DONE if served_open() would find nothing wrong with its configuration; else a status after saying what. */
int served_check(const config *c, const account *from);

/* Opens it and adds it to the gateway. NULL, and an exit status, after saying why not. `webhook_url` outlives it; NULL: none.
 * `stores` NULL: its own files. */
served *served_open(gateway *g, const config *c, const account *from, const char *webhook_url,
                    const served_stores *stores, int *status);

/* Its next step is due at once. */
void served_hurry(served *s);

/* Frees the rest once the gateway no longer has it. */
void served_free(served *s);

#endif
