/* ledger.h - what became of each command, by its id: so that none is done twice. No file, no clock: what
 * keeps it is given by the caller.
 *
 * A send is noted before it leaves (LEDGER_BEGUN), with what is needed to find it in the chat later. What
 * is begun is never sent again: it is read back. What is settled is answered. It is kept as one line of
 * JSON for each note, the last of an id counts. */
#ifndef AVITO_TOOLS_LEDGER_H
#define AVITO_TOOLS_LEDGER_H

#include "avito_messenger.h"

#include <stdio.h>

#define LEDGER_ENTRIES 256 /* the oldest settled ones make room; what is owed or begun stays */
#define LEDGER_AGE_S   86400
#define LEDGER_ID_MAX  64

enum ledger_state {
    LEDGER_BEGUN,       /* it may have left */
    LEDGER_SENT,        /* a message */
    LEDGER_DONE,        /* something else */
    LEDGER_NOT_SENT,    /* surely */
    LEDGER_NOT_DONE,    /* likewise */
    LEDGER_CANNOT_TELL, /* and never sent again */
    LEDGER_STATES
};

/* "begun", "sent", "done", "not_sent", "not_done", "cannot_tell". */
extern const char *const ledger_words[LEDGER_STATES];

typedef struct ledger_entry {
    char id[LEDGER_ID_MAX + 1];
    enum ledger_state state;
    const char *act;         /* "send", "image", "read", "delete" or "block" */
    const char *target;      /* the chat's id, or the user's */
    const char *text;        /* of a send; an image's is "". Only while it is begun */
    const char *baseline_id; /* newest message of the chat before; "": none */
    int64_t baseline_created;
    const char *message_id; /* "": none is known */
    const char *reason;     /* for people; "": none */
    int64_t begun;          /* unix seconds; of what is only settled, when that was */
    uint64_t text_hash;     /* of chat and text: two sends of the same have two messages */
    bool owed;              /* its command is not acknowledged yet */
} ledger_entry;

/* Where it is kept. Each function returns AVITO_OK, an error, or, the first two, AVITO_AGAIN: it is not
 * durable yet, call again with the same. */
typedef struct ledger_store {
    void *ctx;
    int (*append)(void *ctx, const char *lines, size_t len);
    int (*replace)(void *ctx, const char *lines, size_t len); /* all of it, whole or not at all */
    /* Hands all that is kept to take(), at once. */
    int (*load)(void *ctx, void (*take)(void *to, const char *lines, size_t len), void *to);
} ledger_store;

struct ledger_row;

typedef struct ledger {
    ledger_store store;
    struct {
        struct ledger_row *first, *last; /* in the order of their beginning */
        size_t count;                    /* of rows */
        size_t lines;                    /* kept in the store */
        bool torn;                       /* its end is not whole: it is written anew */
    } priv;
} ledger;

/* Reads what is kept. *bad (optional): lines that make no sense, which are left out. AVITO_OK or the
 * store's error. */
int ledger_open(ledger *l, ledger_store store, size_t *bad);
void ledger_close(ledger *l);

/* What is known of an id; NULL: nothing. Good until the next call that changes the ledger. */
const ledger_entry *ledger_find(const ledger *l, const char *id);

/* Notes an entry, begun or settled, durably; it takes the place of an older one of its id. AVITO_OK,
 * AVITO_AGAIN, ROOM (LEDGER_ENTRIES are begun or owed), or the store's error: then nothing is noted. */
int ledger_note(ledger *l, const ledger_entry *entry);

/* Its command came again, and is not acknowledged; it is: it may be forgotten when there is no room. */
void ledger_owed(ledger *l, const char *id);
void ledger_acknowledged(ledger *l, const char *id);

/* Forgets what is settled, not owed and over LEDGER_AGE_S old at this time. */
void ledger_age(ledger *l, int64_t unix_time);

/* The n-th entry that is begun; NULL behind the last. */
const ledger_entry *ledger_begun(const ledger *l, size_t n);

/* Ids of messages that belong to other sends of the same text in the same chat; at most `cap`. */
size_t ledger_claimed(const ledger *l, const ledger_entry *of, const char **ids, size_t cap);

/* Takes what lines of another ledger know better: an id that is new here, or an outcome where we have only
 * "begun". In memory alone. How many entries changed. A ledger of zeros may be given. */
size_t ledger_merge(ledger *l, const char *lines, size_t len);

/* Takes an entry as it is, in place of an older one of its id, in memory alone. False: out of memory. */
bool ledger_put(ledger *l, const ledger_entry *entry);

/* Writes what `ours` knows better than `theirs` (NULL: all of it), as lines. How many there are. */
size_t ledger_difference(const ledger *ours, const ledger *theirs, FILE *out);

/* 64 bits of any bytes; several pieces one after the other, beginning with LEDGER_HASH. */
#define LEDGER_HASH 14695981039346656037u
uint64_t ledger_hash(uint64_t so_far, const void *data, size_t len);

#endif
