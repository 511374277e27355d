/* ledger.c - see ledger.h. */
#include "ledger.h"
#include "jsonl.h"

#include <stdlib.h>
#include <string.h>

const char *const ledger_words[LEDGER_STATES] = {"begun",    "sent",     "done",
                                                 "not_sent", "not_done", "cannot_tell"};

#define LINE_TOKENS 64
#define LINE_MAX    16384 /* a text of 1,000 characters may be escaped */

/* An entry and its strings in one piece of memory. */
struct ledger_row {
    struct ledger_row *next;
    ledger_entry e;
    char strings[];
};

uint64_t ledger_hash(uint64_t so_far, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++) {
        so_far = (so_far ^ bytes[i]) * 1099511628211u; /* FNV-1a */
    }
    return so_far;
}

static uint64_t hash_of(const ledger_entry *e)
{
    const uint64_t chat = ledger_hash(LEDGER_HASH, e->target, strlen(e->target) + 1);

    return ledger_hash(chat, e->text, strlen(e->text));
}

/* ---- rows in memory ---- */

static const char *const *strings_of(const ledger_entry *e, const char **out)
{
    out[0] = e->act;
    out[1] = e->target;
    out[2] = e->state == LEDGER_BEGUN ? e->text : "";
    out[3] = e->state == LEDGER_BEGUN ? e->baseline_id : "";
    out[4] = e->message_id;
    out[5] = e->reason;
    return out;
}

/* A copy of the entry with its strings, in one piece of memory. NULL: out of memory. */
static struct ledger_row *new_row(const ledger_entry *e)
{
    const char *strings[6];
    size_t size = 0, at = 0;
    struct ledger_row *row;

    strings_of(e, strings);
    for (size_t i = 0; i < 6; i++) {
        size += strlen(strings[i]) + 1;
    }
    row = malloc(sizeof *row + size);
    if (row == NULL) {
        return NULL;
    }
    row->next = NULL;
    row->e = *e;
    for (size_t i = 0; i < 6; i++) {
        const size_t len = strlen(strings[i]) + 1;

        strings[i] = memcpy(row->strings + at, strings[i], len);
        at += len;
    }
    row->e.act = strings[0];
    row->e.target = strings[1];
    row->e.text = strings[2];
    row->e.baseline_id = strings[3];
    row->e.message_id = strings[4];
    row->e.reason = strings[5];
    return row;
}

static void unlink_row(ledger *l, struct ledger_row *row)
{
    struct ledger_row **at = &l->priv.first, *before = NULL;

    while (*at != row) {
        before = *at;
        at = &before->next;
    }
    *at = row->next;
    if (l->priv.last == row) {
        l->priv.last = before;
    }
    l->priv.count--;
    free(row);
}

static void add_row(ledger *l, struct ledger_row *row)
{
    if (l->priv.last != NULL) {
        l->priv.last->next = row;
    } else {
        l->priv.first = row;
    }
    l->priv.last = row;
    l->priv.count++;
}

static struct ledger_row *find_row(const ledger *l, const char *id)
{
    struct ledger_row *row = l->priv.first;

    while (row != NULL && strcmp(row->e.id, id) != 0) {
        row = row->next;
    }
    return row;
}

/* The row replaces an older one with the same id. */
static void put_row(ledger *l, struct ledger_row *row)
{
    struct ledger_row *old = find_row(l, row->e.id);

    if (old != NULL) {
        unlink_row(l, old);
    }
    add_row(l, row);
}

static struct ledger_row *oldest_to_forget(const ledger *l)
{
    struct ledger_row *row = l->priv.first;

    while (row != NULL && (row->e.owed || row->e.state == LEDGER_BEGUN)) {
        row = row->next;
    }
    return row;
}

/* More than LEDGER_ENTRIES stay only if all are owed or begun, some of them at another gateway. */
static void make_room(ledger *l)
{
    struct ledger_row *row = l->priv.count > LEDGER_ENTRIES ? oldest_to_forget(l) : NULL;

    if (row != NULL) {
        unlink_row(l, row);
    }
}

/* ---- lines ---- */

static void write_line(FILE *out, const ledger_entry *e)
{
    char hash[24];

    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)e->text_hash);
    json_open(out, NULL, '{');
    json_word(out, "id", e->id);
    json_word(out, "state", ledger_words[e->state]);
    json_word(out, "act", e->act);
    json_word(out, "target", e->target);
    json_number(out, "begun", e->begun);
    json_word(out, "hash", hash);
    if (e->state == LEDGER_BEGUN) {
        json_word(out, "text", e->text);
        json_word(out, "baseline", e->baseline_id);
        json_number(out, "created", e->baseline_created);
    }
    if (e->message_id[0] != '\0') {
        json_word(out, "message_id", e->message_id);
    }
    if (e->reason[0] != '\0') {
        json_word(out, "reason", e->reason);
    }
    json_close(out, '}');
}

static bool take_text(avito_json_value object, const char *key, avito_arena *arena,
                      const char **out)
{
    avito_str s;
    const int rc = avito_json_string(avito_json_get(object, key), arena, &s, NULL);

    *out = rc == AVITO_OK ? s.ptr : "";
    return rc == AVITO_OK || rc == AVITO_END;
}

static bool take_id(const char *id, char out[LEDGER_ID_MAX + 1])
{
    const size_t len = strlen(id);

    if (len == 0 || len > LEDGER_ID_MAX) {
        return false;
    }
    memcpy(out, id, len + 1);
    return true;
}

static bool take_state(const char *word, enum ledger_state *out)
{
    int state = 0;

    while (state < LEDGER_STATES && strcmp(ledger_words[state], word) != 0) {
        state++;
    }
    *out = (enum ledger_state)state;
    return state < LEDGER_STATES;
}

static bool read_entry(avito_json_value line, avito_arena *arena, ledger_entry *e)
{
    const char *id, *state, *hash;

    memset(e, 0, sizeof *e);
    if (!take_text(line, "id", arena, &id) || !take_text(line, "state", arena, &state) ||
        !take_text(line, "act", arena, &e->act) || !take_text(line, "target", arena, &e->target) ||
        !take_text(line, "text", arena, &e->text) || !take_text(line, "hash", arena, &hash) ||
        !take_text(line, "baseline", arena, &e->baseline_id) ||
        !take_text(line, "message_id", arena, &e->message_id) ||
        !take_text(line, "reason", arena, &e->reason)) {
        return false;
    }
    e->text_hash = strtoull(hash, NULL, 16);
    return take_id(id, e->id) && take_state(state, &e->state) &&
           avito_json_int(avito_json_get(line, "begun"), &e->begun) >= 0 &&
           avito_json_int(avito_json_get(line, "created"), &e->baseline_created) >= 0;
}

struct loading {
    ledger *l;
    size_t bad;
};

/* Reads a line and hands on its entry, whose strings live only during that call. False: the line
 * makes no sense. */
static bool with_line(const char *line, size_t len, bool (*take)(ledger *l, const ledger_entry *e),
                      ledger *l)
{
    static char tokens[AVITO_JSON_TOKENS_SIZE(LINE_TOKENS)], room[LINE_MAX];
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_json json;
    ledger_entry e;

    return avito_json_parse(&json, line, len, tokens, sizeof tokens) == AVITO_OK &&
           read_entry(avito_json_root(&json), &arena, &e) && take(l, &e);
}

bool ledger_put(ledger *l, const ledger_entry *e)
{
    struct ledger_row *row = new_row(e);

    if (row != NULL) {
        put_row(l, row);
    }
    make_room(l);
    return row != NULL;
}

static bool load_line(ledger *l, const char *line, size_t len)
{
    return with_line(line, len, ledger_put, l);
}

/* A last line without a line end was never durable. */
static void load_lines(void *to, const char *lines, size_t len)
{
    struct loading *loading = to;
    const char *end;

    for (; len > 0 && (end = memchr(lines, '\n', len)) != NULL; lines = end + 1) {
        loading->bad += !load_line(loading->l, lines, (size_t)(end - lines));
        loading->l->priv.lines++;
        len -= (size_t)(end - lines) + 1;
    }
    loading->l->priv.torn = len > 0;
}

/* ---- keeping ---- */

/* Ends a write: the result of the store's function for the text in memory. */
static int keep(int (*function)(void *ctx, const char *lines, size_t len), void *ctx,
                const ledger *all, const ledger_entry *one)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    int rc = AVITO_ERR_ROOM;

    if (out == NULL) {
        return rc;
    }
    for (const struct ledger_row *row = all != NULL ? all->priv.first : NULL; row != NULL;
         row = row->next) {
        if (one == NULL || strcmp(row->e.id, one->id) != 0) {
            write_line(out, &row->e);
        }
    }
    if (one != NULL) {
        write_line(out, one);
    }
    if (fclose(out) == 0) {
        rc = function(ctx, text, len);
    }
    free(text);
    return rc;
}

/* Appends a line to the store. After a torn line, or when most lines are old, the whole store is written
 * again. */
static int keep_entry(ledger *l, const ledger_entry *e)
{
    int rc;

    if (l->priv.torn || l->priv.lines > 2 * LEDGER_ENTRIES) {
        rc = keep(l->store.replace, l->store.ctx, l, e);
        if (rc == AVITO_OK) {
            l->priv.torn = false;
            l->priv.lines = l->priv.count + 1;
        }
        return rc;
    }
    rc = keep(l->store.append, l->store.ctx, NULL, e);
    l->priv.lines += rc == AVITO_OK;
    l->priv.torn = rc < 0; /* a part of it may be there */
    return rc;
}

/* ---- the interface ---- */

int ledger_open(ledger *l, ledger_store store, size_t *bad)
{
    struct loading loading = {l, 0};
    int rc;

    memset(l, 0, sizeof *l);
    l->store = store;
    rc = store.load(store.ctx, load_lines, &loading);
    if (bad != NULL) {
        *bad = loading.bad;
    }
    return rc;
}

void ledger_close(ledger *l)
{
    while (l->priv.first != NULL) {
        unlink_row(l, l->priv.first);
    }
}

const ledger_entry *ledger_find(const ledger *l, const char *id)
{
    const struct ledger_row *row = find_row(l, id);

    return row != NULL ? &row->e : NULL;
}

bool ledger_has_room(const ledger *l)
{
    return l->priv.count < LEDGER_ENTRIES || oldest_to_forget(l) != NULL;
}

int ledger_note(ledger *l, const ledger_entry *entry)
{
    const struct ledger_row *known = find_row(l, entry->id);
    ledger_entry e = *entry;
    struct ledger_row *row;
    int rc;

    if (known == NULL && !ledger_has_room(l)) {
        return AVITO_ERR_ROOM;
    }
    e.text_hash = e.state == LEDGER_BEGUN ? hash_of(&e) : known != NULL ? known->e.text_hash : 0;
    row = new_row(&e);
    if (row == NULL) {
        return AVITO_ERR_ROOM;
    }
    rc = keep_entry(l, &e);
    if (rc != AVITO_OK) {
        free(row);
        return rc;
    }
    put_row(l, row);
    make_room(l);
    return AVITO_OK;
}

static void set_owed(ledger *l, const char *id, bool owed)
{
    struct ledger_row *row = find_row(l, id);

    if (row != NULL) {
        row->e.owed = owed;
    }
}

void ledger_owed(ledger *l, const char *id)
{
    set_owed(l, id, true);
}

void ledger_acknowledged(ledger *l, const char *id)
{
    set_owed(l, id, false);
}

void ledger_owes_none(ledger *l)
{
    for (struct ledger_row *row = l->priv.first; row != NULL; row = row->next) {
        row->e.owed = false;
    }
}

void ledger_age(ledger *l, int64_t unix_time)
{
    struct ledger_row *next;

    for (struct ledger_row *row = l->priv.first; row != NULL; row = next) {
        const bool old = row->e.begun > 0 && row->e.begun < unix_time - LEDGER_AGE_S;

        next = row->next;
        if (old && !row->e.owed && row->e.state != LEDGER_BEGUN) {
            unlink_row(l, row);
        }
    }
}

int64_t ledger_last(const ledger *l)
{
    int64_t last = 0;

    for (const struct ledger_row *row = l->priv.first; row != NULL; row = row->next) {
        last = row->e.begun > last ? row->e.begun : last;
    }
    return last;
}

const ledger_entry *ledger_begun(const ledger *l, size_t n)
{
    const struct ledger_row *row = l->priv.first;

    for (; row != NULL; row = row->next) {
        if (row->e.state == LEDGER_BEGUN && n-- == 0) {
            return &row->e;
        }
    }
    return NULL;
}

const ledger_entry *ledger_newest(const ledger *l)
{
    return l->priv.last != NULL ? &l->priv.last->e : NULL;
}

void ledger_forget(ledger *l, const char *id)
{
    struct ledger_row *row = find_row(l, id);

    if (row != NULL) {
        unlink_row(l, row);
    }
}

size_t ledger_claimed(const ledger *l, const ledger_entry *of, const char **ids, size_t cap)
{
    size_t count = 0;

    for (const struct ledger_row *row = l->priv.first; row != NULL; row = row->next) {
        if (row->e.message_id[0] != '\0' && row->e.text_hash == of->text_hash &&
            strcmp(row->e.target, of->target) == 0 && strcmp(row->e.id, of->id) != 0) {
            ids[count++ % cap] = row->e.message_id;
        }
    }
    return count < cap ? count : cap;
}

/* ---- several ledgers of one account ---- */

bool ledger_outranks(enum ledger_state state, enum ledger_state than)
{
    static const int ranks[LEDGER_STATES] = {[LEDGER_NOT_SENT] = 1,
                                             [LEDGER_NOT_DONE] = 1,
                                             [LEDGER_CANNOT_TELL] = 2,
                                             [LEDGER_SENT] = 3,
                                             [LEDGER_DONE] = 3};

    return ranks[state] > ranks[than];
}

/* An entry that a full ledger has forgotten does not count as new. */
static bool is_forgotten(const ledger *l, const ledger_entry *e)
{
    return l->priv.count >= LEDGER_ENTRIES && e->state != LEDGER_BEGUN &&
           e->begun <= l->priv.first->e.begun;
}

static bool knows_better(const ledger_entry *e, const ledger *than)
{
    const struct ledger_row *row = find_row(than, e->id);

    return row != NULL ? ledger_outranks(e->state, row->e.state) : !is_forgotten(than, e);
}

static bool merge_entry(ledger *l, const ledger_entry *e)
{
    struct ledger_row *known = find_row(l, e->id);
    ledger_entry better = *e;

    if (!knows_better(e, l)) {
        return false;
    }
    better.owed = known != NULL && known->e.owed;
    return ledger_put(l, &better);
}

size_t ledger_merge(ledger *l, const char *lines, size_t len)
{
    size_t changed = 0;
    const char *end;

    for (; len > 0 && (end = memchr(lines, '\n', len)) != NULL; lines = end + 1) {
        changed += with_line(lines, (size_t)(end - lines), merge_entry, l);
        len -= (size_t)(end - lines) + 1;
    }
    return changed;
}

size_t ledger_difference(const ledger *ours, const ledger *theirs, FILE *out)
{
    size_t count = 0;

    for (const struct ledger_row *row = ours->priv.first; row != NULL; row = row->next) {
        if (theirs == NULL || knows_better(&row->e, theirs)) {
            write_line(out, &row->e);
            count++;
        }
    }
    return count;
}
