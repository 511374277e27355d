/* ledger.h - what became of each command, by its id, so that none is done twice. No file, no clock:
 * the caller gives the store.
 *
 * A send is noted before it leaves (LEDGER_BEGUN), with what is needed to find it in the chat
 * later. A begun send is never sent again: it is read back. A settled one is answered. The store
 * has one line of JSON for each note, and the last one of an id counts. */
#ifndef AVITO_TOOLS_LEDGER_H
#define AVITO_TOOLS_LEDGER_H

#include "avito_messenger.h"

#include <stdio.h>

#define LEDGER_ENTRIES 256 /* the oldest settled ones make room; owed or begun ones stay */
#define LEDGER_AGE_S   86400
#define LEDGER_ID_MAX  64

enum ledger_state {
    LEDGER_BEGUN,       /* the request may have left */
    LEDGER_SENT,        /* a message */
    LEDGER_DONE,        /* something else */
    LEDGER_NOT_SENT,    /* certainly not */
    LEDGER_NOT_DONE,    /* likewise */
    LEDGER_CANNOT_TELL, /* it is never sent again */
    LEDGER_STATES
};

/* "begun", "sent", "done", "not_sent", "not_done", "cannot_tell". */
extern const char *const ledger_words[LEDGER_STATES];

typedef struct ledger_entry {
    char id[LEDGER_ID_MAX + 1];
    enum ledger_state state;
    const char *act;         /* "send", "image", "read", "delete" or "block" */
    const char *target;      /* the chat's id, or the user's */
    const char *text;        /* of a send, "" for an image; kept only while it is begun */
    const char *baseline_id; /* newest message of the chat before; "": none */
    int64_t baseline_created;
    const char *message_id; /* "": none is known */
    const char *reason;     /* for people; "": none */
    int64_t begun;          /* unix seconds; if it was never begun, when it was settled */
    uint64_t text_hash;     /* hash of chat and text: two equal sends have two messages */
    bool owed;              /* its command is not acknowledged yet */
} ledger_entry;

#define LEDGER_DENIED AVITO_ERR_HOOK /* the store's error: other gateways cannot be told */

/* The store. Each function returns AVITO_OK or an error. The first two may return AVITO_AGAIN: it
 * is not durable yet, call again with the same arguments. */
typedef struct ledger_store {
    void *ctx;
    int (*append)(void *ctx, const char *lines, size_t len);
    int (*replace)(void *ctx, const char *lines, size_t len); /* replaces everything, or nothing */
    /* Hands everything that is stored to take(), in one piece. */
    int (*load)(void *ctx, void (*take)(void *to, const char *lines, size_t len), void *to);
} ledger_store;

struct ledger_row;

typedef struct ledger {
    ledger_store store;
    struct {
        struct ledger_row *first, *last; /* in the order in which they began */
        size_t count;                    /* of rows */
        size_t lines;                    /* kept in the store */
        bool torn;                       /* its last line is not whole: the store is rewritten */
    } priv;
} ledger;

/* Reads the store. *bad (optional): the number of lines that make no sense, which are skipped.
 * AVITO_OK or the store's error. */
int ledger_open(ledger *l, ledger_store store, size_t *bad);
void ledger_close(ledger *l);

/* What is known about an id; NULL: nothing. Valid until the next call that changes the ledger. */
const ledger_entry *ledger_find(const ledger *l, const char *id);

/* Notes an entry, begun or settled, durably; it replaces an older one with the same id. AVITO_OK,
 * AVITO_AGAIN, ROOM (LEDGER_ENTRIES are begun or owed), or the store's error: then nothing is
 * noted. */
int ledger_note(ledger *l, const ledger_entry *entry);

/* Whether an id that is not there yet can be noted: not all entries are begun or owed. */
bool ledger_has_room(const ledger *l);

/* Its command came again and is not acknowledged yet; or it is acknowledged, and may be forgotten
 * when room is needed. */
void ledger_owed(ledger *l, const char *id);
void ledger_acknowledged(ledger *l, const char *id);

/* No command comes again: none is owed. */
void ledger_owes_none(ledger *l);

/* Forgets entries that are settled, not owed, and older than LEDGER_AGE_S at this time. */
void ledger_age(ledger *l, int64_t unix_time);

/* When the latest entry began, by whichever clock; 0: there is none. */
int64_t ledger_last(const ledger *l);

/* The n-th begun entry; NULL after the last. */
const ledger_entry *ledger_begun(const ledger *l, size_t n);

/* Ids of messages that belong to other sends of the same text in the same chat, in any order; of more than
 * `cap` those of the sends that began last. */
size_t ledger_claimed(const ledger *l, const ledger_entry *of, const char **ids, size_t cap);

/* Two gateways that tried one id may say different things about it. A message in the chat is there, whatever
 * became of the other attempt. One that may be there is not ruled out by a refusal of the other. Each outcome
 * is better than "begun". */
bool ledger_outranks(enum ledger_state state, enum ledger_state than);

/* Takes over what the lines of another ledger know better: an id that is new here, or a state that outranks ours. Only in
 * memory. Returns how many entries changed. The ledger may be all zeros. */
size_t ledger_merge(ledger *l, const char *lines, size_t len);

/* Takes an entry as it is, in place of an older one of its id, in memory alone. False: out of memory. */
bool ledger_put(ledger *l, const ledger_entry *entry);

/* The entry that was taken last; NULL: there is none. */
const ledger_entry *ledger_newest(const ledger *l);

/* Forgets an id, in memory alone. */
void ledger_forget(ledger *l, const char *id);

/* Writes what `ours` knows better than `theirs` (NULL: everything), as lines. Returns how many
 * there are. */
size_t ledger_difference(const ledger *ours, const ledger *theirs, FILE *out);

/* A 64-bit hash of any bytes; several pieces one after the other, starting from LEDGER_HASH. */
#define LEDGER_HASH 14695981039346656037u
uint64_t ledger_hash(uint64_t so_far, const void *data, size_t len);

#endif
