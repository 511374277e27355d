/* served.c - see served.h. */
#include "served.h"
#include "command.h"
#include "disk.h"
#include "roots.h"
#include "russian.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REFUSED_FILE "refused"
#define NOTIFY_FILE  "notify" /* the chats that Home Assistant has been told of */

/* ---- what is stored: tokens, shared by all programs of the account, and our own files ---- */

/* One for all accounts, since it is large: it is open only for a moment, once a day. Its results
 * are valid until the next use. */
static avito_store token_store;
static bool token_store_is_open;

static int open_tokens(const served *s)
{
    avito_store_options o = avito_store_options_default();

    if (token_store_is_open) {
        avito_store_close(&token_store);
    }
    token_store_is_open = true;
    o.folder = s->folder;
    o.client_id = s->account.o.client_id;
    o.host = s->host;
    return avito_store_open(&token_store, &o);
}

static int load_token(void *ctx, avito_token *token)
{
    const int rc = open_tokens(ctx);

    return rc == AVITO_OK ? avito_store_load_token(&token_store, token) : rc;
}

/* The store waits up to 5 s for another program that writes, and so would all accounts. The account asks again with
 * each call, before anything is sent. */
static int save_token(void *ctx, const avito_token *token)
{
    const int rc = open_tokens(ctx);

    if (disk_is_locked(((served *)ctx)->folder, "lock")) {
        errno = EWOULDBLOCK;
        return AVITO_ERR_BUSY;
    }
    return rc == AVITO_OK ? avito_store_save_token(&token_store, token) : rc;
}

static const char *slot_name(int slot)
{
    return slot == 0 ? "inbox.0" : "inbox.1";
}

int served_read_slot(const char *folder, int slot, void *data, size_t cap, size_t *len)
{
    char *text;
    const int rc = disk_read(folder, slot_name(slot), &text, len);

    if (rc == AVITO_OK) {
        memcpy(data, text, *len < cap ? *len : cap);
        free(text);
    }
    return rc;
}

static int load_inbox(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    return served_read_slot(((served *)ctx)->folder, slot, data, cap, len);
}

/* The other slot is whole meanwhile, and each slot has a checksum: a torn one does not count. */
int served_write_slot(writing *w, const char *folder, int slot, const void *data, size_t len,
                      const writing_waiter *waiter)
{
    if (waiter == NULL) {
        writing_end(w);
        return disk_overwrite(folder, slot_name(slot), data, len);
    }
    return writing_step(w, disk_overwrite, folder, slot_name(slot), data, len, waiter);
}

static int save_inbox(void *ctx, int slot, const void *data, size_t len)
{
    served *s = ctx;
    const int rc = served_write_slot(&s->inbox_write, s->folder, slot, data, len,
                                     s->core.accepting ? &s->waiter : NULL);

    s->saving = rc == AVITO_AGAIN;
    return s->saving ? (int)AVITO_ERR_FILE : rc;
}

static int append_ledger(void *ctx, const char *lines, size_t len)
{
    served *s = ctx;

    return writing_step(&s->ledger_write, disk_append, s->folder, SERVED_LEDGER, lines, len,
                        &s->waiter);
}

static int replace_ledger(void *ctx, const char *lines, size_t len)
{
    served *s = ctx;

    return writing_step(&s->ledger_write, disk_write, s->folder, SERVED_LEDGER, lines, len,
                        &s->waiter);
}

int served_say_file(const char *folder, const char *file)
{
    fprintf(stderr, "avito gateway: %s/%s: %s\n", folder, file, system_text(errno));
    return EXIT_LOCAL;
}

#define REFUSED_SIZE (GATEWAY_REFUSALS * sizeof(uint64_t))

static int save_refused(void *ctx, const uint64_t hashes[GATEWAY_REFUSALS])
{
    served *s = ctx;

    return writing_step(&s->refused_write, disk_overwrite, s->folder, REFUSED_FILE, hashes,
                        REFUSED_SIZE, &s->waiter);
}

static int make_refused(const char *folder, const char *name, const void *data, size_t len)
{
    static char none[REFUSED_SIZE]; /* not const: so it takes no room in the program's file */

    (void)data;
    (void)len;
    return disk_write(folder, name, none, sizeof none);
}

/* If there is none, it is made while the disk has room. One that cannot be read stays as it is. */
static int load_refused(void *ctx, uint64_t hashes[GATEWAY_REFUSALS])
{
    served *s = ctx;
    size_t len;
    char *text;
    int rc = disk_read(s->folder, REFUSED_FILE, &text, &len);

    if (rc == AVITO_OK && len == REFUSED_SIZE) {
        memcpy(hashes, text, len);
    } else if (rc == AVITO_OK || rc == AVITO_END) {
        rc = AVITO_END;
        (void)writing_step(&s->refused_write, make_refused, s->folder, REFUSED_FILE, "", 0, NULL);
    } else {
        (void)served_say_file(s->folder, REFUSED_FILE);
    }
    free(text);
    return rc;
}

static int load_ledger(void *ctx, void (*take)(void *to, const char *lines, size_t len), void *to)
{
    const char *folder = ((served *)ctx)->folder;
    char *text;
    size_t len;
    const int rc = disk_read(folder, SERVED_LEDGER, &text, &len);

    if (rc == AVITO_OK) {
        take(to, text, len);
        free(text);
    } else if (rc != AVITO_END) {
        (void)served_say_file(folder, SERVED_LEDGER);
    }
    return rc == AVITO_END ? (int)AVITO_OK : rc;
}

/* ---- the configuration ---- */

uint64_t served_fingerprint(const config *c, const account *from)
{
    uint64_t hash = LEDGER_HASH;

    for (const config_row *row = c->rows; row != NULL; row = row->next) {
        if (strcmp(row->section, from->name) == 0) {
            hash = config_hash(hash, row);
        }
    }
    hash = ledger_hash(hash, from->client_id, strlen(from->client_id) + 1);
    return ledger_hash(hash, from->client_secret, strlen(from->client_secret) + 1);
}

static const char *copy(char **at, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *to = memcpy(*at, text, size);

    *at += size;
    return to;
}

/* The chats in a list of words, as an array that ends with NULL. */
static const char **words_of(char *list)
{
    size_t count = 0;
    const char **words = calloc(strlen(list) / 2 + 2, sizeof *words);

    for (char *save = NULL, *word = strtok_r(list, " \t\n,", &save); words != NULL && word != NULL;
         word = strtok_r(NULL, " \t\n,", &save)) {
        words[count++] = word;
    }
    return words;
}

/* ---- what Home Assistant was told of ---- */

static bool has_word(const char *const *words, const char *word)
{
    while (*words != NULL && strcmp(*words, word) != 0) {
        words++;
    }
    return *words != NULL;
}

/* Writes both lists. If that fails, an entity that goes later stays in Home Assistant, but the account is
 * still served. */
static void keep_told(const served *s, const char *const *more)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        return;
    }
    for (const char *const *word = s->notify; *word != NULL; word++) {
        fprintf(out, "%s\n", *word);
    }
    for (; *more != NULL; more++) {
        fprintf(out, "%s\n", *more);
    }
    if (fclose(out) == 0) {
        (void)disk_write(s->folder, NOTIFY_FILE, text, len);
    }
    free(text);
}

/* The broker has heard which of them are gone. */
static void removed_are_told(void *ctx)
{
    static const char *const none[] = {NULL};

    keep_told(ctx, none);
}

/* Finds those that are gone, and stores those that are new before Home Assistant hears of them. */
static void compare_with_told(served *s)
{
    const char **word;
    size_t len, gone = 0;
    bool fresh = false;

    if (disk_read(s->folder, NOTIFY_FILE, &s->notify_text, &len) != AVITO_OK) {
        s->notify_text = calloc(1, 1);
    }
    s->notify_before = s->notify_text != NULL ? words_of(s->notify_text) : NULL;
    if (s->notify_before == NULL) {
        return;
    }
    for (word = s->notify; *word != NULL; word++) {
        fresh = fresh || !has_word(s->notify_before, *word);
    }
    for (word = s->notify_before; *word != NULL; word++) {
        if (!has_word(s->notify, *word)) {
            s->notify_before[gone++] = *word;
        }
    }
    s->notify_before[gone] = NULL;
    if (fresh) {
        keep_told(s, s->notify_before);
    }
}

/* ---- opening ---- */

void served_hurry(served *s)
{
    due_at(&s->due, avito_posix_clock_ms(NULL));
}

static void wake(void *ctx)
{
    served *s = ctx;

    s->woken = true;
    served_hurry(s);
}

/* Copies every text of the configuration, which may be read again, into one piece of memory. */
static bool take_texts(served *s, const config *c, const account *from, avito_account_options *o)
{
    const char *notify = config_value(c, from->name, "notify");
    const char *host = from->host != NULL ? from->host : "api.avito.ru";
    char *at, *list;

    notify = notify != NULL ? notify : "";
    s->texts = malloc(strlen(from->name) + strlen(from->folder) + strlen(from->client_id) +
                      strlen(from->client_secret) + strlen(host) + strlen(notify) + 6);
    if (s->texts == NULL) {
        return false;
    }
    at = s->texts;
    s->name = copy(&at, from->name);
    s->folder = copy(&at, from->folder);
    s->host = o->host = copy(&at, host);
    o->client_id = copy(&at, from->client_id);
    o->client_secret = copy(&at, from->client_secret);
    list = strcpy(at, notify);
    s->notify = words_of(list);
    return s->notify != NULL;
}

static int take_settings(served *s, const config *c, const account *from, bool notified)
{
    s->settings = (struct served_settings){0, notified ? 60 : 15, false, true};
    return config_number(c, from->name, "rate", 100000, &s->settings.rate) &&
                   config_number(c, from->name, "poll", 86400, &s->settings.poll_s) &&
                   config_flag(c, from->name, "mark_as_read", &s->settings.marks) &&
                   config_flag(c, from->name, "names", &s->settings.names)
               ? EXIT_DONE
               : EXIT_USAGE;
}

static int open_account(served *s, const config *c, const account *from)
{
    avito_account_options o = avito_account_options_default();
    int rc;

    s->roots = roots_of(from->ca_file);
    if (s->roots == NULL || !take_texts(s, c, from, &o)) {
        return EXIT_USAGE;
    }
    o.tokens = s->tokens;
    o.tokens_cap = sizeof s->tokens;
    o.port = from->port;
    o.ctx = s;
    o.clock_ms = avito_posix_clock_ms;
    o.unix_time = avito_posix_unix_time;
    o.entropy = avito_posix_entropy;
    o.load_token = load_token;
    o.save_token = save_token;
    o.requests_per_minute = (uint32_t)s->settings.rate;
    rc = avito_account_init(&s->account, &o);
    if (rc == AVITO_OK && from->is_by_consent) {
        (void)avito_account_by_consent(&s->account);
    }
    s->reader = rc == AVITO_OK ? lane_new(LANE_READS, SERVED_ARENA) : NULL;
    rc = rc == AVITO_OK && s->reader == NULL ? (int)AVITO_ERR_ROOM : rc;
    rc = rc == AVITO_OK ? lane_open(s->reader, LANE_READS, &s->account, s->roots) : rc;
    if (rc != AVITO_OK) {
        fprintf(stderr, "avito gateway: %s: %s\n", from->name, error_text(rc));
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static int take_lock(served *s)
{
    s->lock = disk_lock(s->folder, "inbox.lock", "avito gateway");
    if (s->lock >= 0) {
        return EXIT_DONE;
    }
    fprintf(stderr, "avito gateway: %s/inbox.lock: %s\n", s->folder,
            errno == EWOULDBLOCK ? say(TEXT("another program serves this account",
                                            "эту учётную запись уже обслуживает другая программа"))
                                 : system_text(errno));
    return EXIT_LOCAL;
}

/* Up to a twentieth less, by a part that differs between accounts: after a break that made all accounts poll
 * at once, they drift apart again. */
static uint32_t between_polls_ms(const char *name, uint32_t poll_s)
{
    return poll_s * 1000u -
           (uint32_t)(ledger_hash(LEDGER_HASH, name, strlen(name)) % (poll_s * 50u));
}

/* Adds the account to the gateway, with its own files as stores or those of a fleet. */
static int add(served *s, gateway *g, const char *webhook_url, const served_stores *stores)
{
    gateway_account_options o;

    memset(&o, 0, sizeof o);
    o.name = s->name;
    o.reader = &s->reader->client;
    o.inbox = avito_inbox_options_default();
    o.inbox.state = s->ring;
    o.inbox.state_cap = sizeof s->ring;
    o.inbox.chats = s->records;
    o.inbox.chats_cap = sizeof s->records;
    o.inbox.arena = &s->reader->arena;
    o.inbox.poll_ms = between_polls_ms(s->name, (uint32_t)s->settings.poll_s);
    o.inbox.mark_as_read = s->settings.marks;
    o.inbox.ctx = s;
    o.inbox.load = load_inbox;
    o.inbox.save = save_inbox;
    o.ledger = (ledger_store){s, append_ledger, replace_ledger, load_ledger};
    o.ctx = s;
    o.load_refusals = load_refused;
    o.save_refusals = save_refused;
    if (stores != NULL) {
        o.inbox.ctx = stores->ctx;
        o.inbox.load = stores->load_inbox;
        o.inbox.save = stores->save_inbox;
        o.ledger = stores->ledger;
    }
    compare_with_told(s);
    o.notify = s->notify;
    o.notify_before = s->notify_before;
    o.removed = removed_are_told;
    o.webhook_url = webhook_url;
    o.names = s->settings.names;
    return gateway_add(g, &s->core, &o) == AVITO_OK ? EXIT_DONE : EXIT_LOCAL;
}

/* Sets up what needs neither lock nor gateway. NULL, and an exit status, after saying why not. */
static served *make(const config *c, const account *from, bool notified, int *status)
{
    char problem[CONFIG_PROBLEM_SIZE];
    served *s = malloc(sizeof *s);

    *status = EXIT_LOCAL;
    if (s == NULL) {
        return NULL;
    }
    memset(s, 0, offsetof(served, tokens)); /* buffers take memory only when they are used */
    s->lock = -1;
    s->wanted = true;
    s->waiter = (writing_waiter){wake, s};
    s->fingerprint = served_fingerprint(c, from);
    if (!config_make_folder(from->folder, problem)) {
        fprintf(stderr, "avito gateway: %s\n", problem);
        free(s);
        return NULL;
    }
    *status = take_settings(s, c, from, notified);
    *status = *status == EXIT_DONE ? open_account(s, c, from) : *status;
    if (*status != EXIT_DONE) {
        served_free(s);
        return NULL;
    }
    return s;
}

int served_check(const config *c, const account *from)
{
    int status;
    served *s = make(c, from, false, &status);

    if (s != NULL) {
        served_free(s);
    }
    return status;
}

served *served_open(gateway *g, const config *c, const account *from, const char *webhook_url,
                    const served_stores *stores, int *status)
{
    served *s = make(c, from, webhook_url != NULL, status);

    if (s == NULL) {
        return NULL;
    }
    *status = take_lock(s);
    if (*status == EXIT_DONE && !due_reserve()) {
        *status = EXIT_LOCAL;
    }
    *status = *status == EXIT_DONE ? add(s, g, webhook_url, stores) : *status;
    if (*status != EXIT_DONE) {
        served_free(s);
        return NULL;
    }
    served_hurry(s);
    return s;
}

void served_free(served *s)
{
    writing_end(&s->inbox_write);
    writing_end(&s->ledger_write);
    writing_end(&s->refused_write);
    due_never(&s->due);
    if (s->reader != NULL) {
        if (s->reader->client.account != NULL) {
            avito_client_close(&s->reader->client);
        }
        lane_free(s->reader);
    }
    if (s->lock >= 0) {
        close(s->lock);
    }
    if (s->texts != NULL) {
        memset(s->texts, 0, strlen(s->texts));
    }
    free(s->texts);
    free(s->notify);
    free(s->notify_before);
    free(s->notify_text);
    memset(s->tokens, 0, sizeof s->tokens);
    free(s);
}
