/* device.c - the device: account, lanes, inbox, and a bot that answers; power cuts and restarts. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USER        350000001
#define PICTURE_MAX 32768

/* ---------------------------------------------------------------- hooks of the account */

uint32_t device_ms(void *ctx)
{
    const world *w = ctx;
    return (uint32_t)(uint64_t)(w->now - w->start) + w->ms_offset;
}

int64_t device_unix(void *ctx)
{
    const world *w = ctx;
    return w->now / 1000 + w->unix_offset;
}

static int device_entropy(void *ctx, void *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ((unsigned char *)out)[i] = (unsigned char)draw(ctx);
    }
    return AVITO_OK;
}

/* The power may fail whenever the device calls a hook. */
void device_may_crash(world *w)
{
    if (w->crash_in > 0 && --w->crash_in == 0) {
        longjmp(*w->crash, 1);
    }
}

static void keep(char **at, avito_str s)
{
    free(*at);
    *at = NULL;
    if (s.ptr != NULL) {
        *at = malloc(s.len + 1);
        memcpy(*at, s.ptr, s.len);
        (*at)[s.len] = '\0';
    }
}

static int save_token(void *ctx, const avito_token *token)
{
    world *w = ctx;
    device_may_crash(w);
    w->refresh_open = false; /* the account has the pair, and asks again until it is saved */
    if (w->plan.save_fails && !w->calm && chance(w, 50)) {
        happened(w, F_SAVE_FAILED, -1);
        return -1;
    }
    keep(&w->stored_token[0], token->access_token);
    keep(&w->stored_token[1], token->refresh_token);
    w->token_expires_at = token->expires_at;
    w->token_expires_in = token->expires_in;
    device_may_crash(w);
    return AVITO_OK;
}

static int load_token(void *ctx, avito_token *token)
{
    world *w = ctx;
    device_may_crash(w);
    if (w->stored_token[0] == NULL) {
        return AVITO_END;
    }
    token->access_token.ptr = w->stored_token[0];
    token->access_token.len = strlen(w->stored_token[0]);
    if (w->stored_token[1] != NULL) {
        token->refresh_token.ptr = w->stored_token[1];
        token->refresh_token.len = strlen(w->stored_token[1]);
    }
    token->expires_at = w->token_expires_at;
    token->expires_in = w->token_expires_in;
    return AVITO_OK;
}

static void check_secret(world *w, const char *where, const char *text)
{
    const avito_account *a = &w->device.account;
    const char *access = a->priv.access;
    const char *refresh = a->priv.refresh;
    if (strstr(text, a->o.client_secret) != NULL ||
        (access != NULL && strstr(text, access) != NULL) ||
        (refresh != NULL && strstr(text, refresh) != NULL)) {
        fail(w, "secret", "%s shows a secret: %s", where, text);
    }
}

static void on_trace(void *ctx, const char *line)
{
    world *w = ctx;
    check_secret(w, "trace", line);
    say(w, "        . %s", line);
    mix(w, hash_text(line, strlen(line)));
}

/* ---------------------------------------------------------------- hooks of the inbox */

static void write_slot(world *w, int slot, const void *data, size_t len)
{
    memcpy(w->slots[slot], data, len);
    w->slot_len[slot] = w->slot_len[slot] > len ? w->slot_len[slot] : len;
}

static bool a_lane_is_in(const world *w, unsigned state)
{
    for (unsigned i = 0; i < w->plan.lanes && state < STATES; i++) {
        if (impl_state(&w->device.lanes[i].client) == state) {
            return true;
        }
    }
    return state == STATES;
}

static int save_state(void *ctx, int slot, const void *data, size_t len)
{
    world *w = ctx;
    if (w->plan.save_fails && !w->calm && chance(w, 80)) {
        happened(w, F_SAVE_FAILED, -1);
        return -1;
    }
    if (w->crash_in_save && a_lane_is_in(w, w->crash_state)) {
        w->crash_in_save = false;
        w->crash_in = 1 + (unsigned)below(w, 2);
    }
    if (w->crash_in == 1 && chance(w, 700)) { /* torn: some bytes are new, some are old */
        happened(w, F_TORN, -1);
        say(w, "power goes while slot %d is written", slot);
        write_slot(w, slot, data, below(w, len));
        w->slot_len[slot] = len;
        if (memcmp(w->slots[slot], data, len) == 0 && w->device.holding) {
            check_accepted(w, w->device.held); /* all that is new was written */
        }
        if (memcmp(w->slots[slot], data, len) == 0 && !w->state_saved) {
            check_first_save(w);
        }
    }
    device_may_crash(w);
    say(w, "        . saved in slot %d, sequence %u, horizon %u", slot,
        (unsigned)((const unsigned char *)data)[4], *(const uint32_t *)((const char *)data + 12));
    write_slot(w, slot, data, len);
    w->slot_len[slot] = len;
    if (!w->state_saved) {
        check_first_save(w);
    }
    if (w->crash_in == 1 && w->device.holding) {
        check_accepted(w, w->device.held); /* it is durable, but reported as failed */
    }
    device_may_crash(w);
    return AVITO_OK;
}

static int load_state(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    world *w = ctx;
    device_may_crash(w);
    if (w->state_locked) {
        return -5;
    }
    if (w->slot_len[slot] == 0) {
        return AVITO_END;
    }
    *len = w->slot_len[slot] < cap ? w->slot_len[slot] : cap;
    memcpy(data, w->slots[slot], *len);
    return AVITO_OK;
}

/* ---------------------------------------------------------------- power on, power off */

static void boot_account(world *w)
{
    device *d = &w->device;
    avito_account_options o = avito_account_options_default();
    o.client_id = "client-id-for-tests";
    o.client_secret = "client-secret-for-tests-0123456789abcdef";
    o.tokens = d->tokens.memory;
    o.tokens_cap = d->tokens.size;
    o.ctx = w;
    o.clock_ms = device_ms;
    o.unix_time = w->seed % 4 != 0 ? device_unix : NULL;
    o.entropy = device_entropy;
    o.trace = on_trace;
    if (w->seed % 3 == 0 || w->plan.pair) {
        o.save_token = save_token;
        o.load_token = load_token;
    }
    o.requests_per_minute = w->seed % 5 == 0 ? 240 : w->seed % 5 == 1 ? 900 : 0;
    o.renew_before_s = w->plan.token_lifetime_s < 300 ? 5 : 0;
    if (avito_account_init(&d->account, &o) != AVITO_OK) {
        fail(w, "boot", "the account is refused");
    }
}

static void boot_lane(world *w, unsigned i)
{
    device *d = &w->device;
    struct lane *l = &d->lanes[i];
    avito_client_options o = d->lane_options;
    l->world = w;
    l->index = (int)i;
    l->may_wait = w->plan.waits == (int)i;
    l->asleep = false;
    l->job = -1;
    l->act = ACT_NONE;
    l->at_row = false;
    l->idle_rounds = 0;
    l->resume_ms = w->now + (int64_t)below(w, 1000);
    avito_arena_reset(&l->arena);
    l->arena = avito_arena_of(l->room.memory, l->room.size);
    o.transport.functions = &world_transport;
    o.transport.ctx = l;
    o.never_wait = !l->may_wait;
    o.window = l->window.memory;
    o.window_cap = l->window.size;
    if (avito_client_init(&l->client, &d->account, &o) != AVITO_OK) {
        fail(w, "boot", "lane %u is refused", i);
    }
}

static void boot_inbox(world *w)
{
    device *d = &w->device;
    avito_inbox_options o = d->inbox_options;
    int rc;
    d->inbox_arena = avito_arena_of(d->inbox_room.memory, d->inbox_room.size);
    o.state = d->state.memory;
    o.state_cap = d->state.size;
    o.arena = &d->inbox_arena;
    o.chats = d->records.memory;
    o.chats_cap = d->records.size;
    o.ctx = w;
    o.save = save_state;
    o.load = load_state;
    if (w->state_saved && w->seed % 2 == 0) { /* another account's state is not taken over */
        o.user_id++;
        rc = avito_inbox_init(&d->inbox, &d->lanes[0].client, &o);
        if (rc != AVITO_ERR_OPTION_STATE) {
            fail(w, "state", "another account's inbox begins with %d", rc);
        }
        o.user_id--;
    }
    if (w->seed % 3 == 0) { /* nor is one that another program holds */
        w->state_locked = true;
        rc = avito_inbox_init(&d->inbox, &d->lanes[0].client, &o);
        w->state_locked = false;
        if (rc != AVITO_ERR_HOOK) {
            fail(w, "state", "an inbox without its state begins with %d", rc);
        }
    }
    rc = avito_inbox_init(&d->inbox, &d->lanes[0].client, &o);
    if (rc != AVITO_OK) {
        fail(w, "boot", "the inbox is refused: %d", rc);
    }
}

/* What stays the same over restarts: sizes and options. */
static void draw_device(world *w)
{
    static const unsigned arenas[] = {16384, 1500, 16384, 4000};
    device *d = &w->device;
    avito_client_options *c = &d->lane_options;
    avito_inbox_options *o = &d->inbox_options;
    d->tokens = room_make(AVITO_TOKENS_SIZE(40));
    d->state = room_make(AVITO_INBOX_STATE_SIZE(w->plan.ring));
    d->records = room_make(AVITO_INBOX_CHATS_SIZE(w->plan.records));
    d->inbox_room = room_make(chance(w, 100) ? 3000 : arenas[w->seed / 5 % 4]);
    d->hook_room = room_make(16384);
    d->hook_buffer = room_make(AVITO_WEBHOOK_SIZE(16384));
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        d->lanes[i].window = room_make(512 + below(w, 4) * 500);
        d->lanes[i].room = room_make(16384);
        d->lanes[i].picture = room_make(PICTURE_MAX);
    }
    *c = avito_client_options_default();
    c->retries = (uint8_t)w->plan.retries;
    c->connect_timeout_ms = 3000 + (uint32_t)below(w, 12000);
    c->idle_timeout_ms = 4000 + (uint32_t)below(w, 20000);
    c->total_timeout_ms = 20000 + (uint32_t)below(w, 60000);
    c->total_timeout_ms += w->plan.at_once ? 70000 : 0; /* over the grace time */
    c->keep_alive_ms = chance(w, 300) ? 2000 + (uint32_t)below(w, 30000) : 0;
    *o = avito_inbox_options_default();
    o->user_id = USER;
    o->start = (avito_inbox_start)below(w, 3);
    o->since = w->now / 1000 - (int64_t)around(w, 300);
    o->unread_only = chance(w, 250);
    o->mark_as_read = chance(w, 500);
    o->poll_ms = w->plan.soak ? 15000 : 1000 + (uint32_t)below(w, 10000);
    o->slow_poll_ms = o->poll_ms * (1 + (uint32_t)below(w, 4));
    o->overlap_s = 60 + (uint32_t)below(w, 200);
    o->nap_ms = w->seed % 3 == 0 ? 700 : 0;
    o->sweep_ms = w->plan.soak ? 0 : o->poll_ms * (3 + (uint32_t)below(w, 10));
    for (int i = 0; i < 2; i++) {
        w->slots[i] = calloc(1, d->state.size);
    }
}

void device_boot(world *w)
{
    device *d = &w->device;
    jmp_buf here, *const outer = w->crash;
    if (d->tokens.memory == NULL) {
        draw_device(w);
        say(w, "inbox: start %d%s%s, ring %u, overlap %u s, poll %u ms", d->inbox_options.start,
            d->inbox_options.unread_only ? ", unread only" : "",
            d->inbox_options.mark_as_read ? ", marks" : "", w->plan.ring,
            d->inbox_options.overlap_s, d->inbox_options.poll_ms);
    }
    say(w, "power on%s%s%s%s, rows %u, records %u, arena %u",
        w->plan.own_calls ? ", own calls" : "", w->plan.odd_times ? ", odd times" : "",
        w->plan.refused_200 ? ", refused under 200" : "", w->plan.supply ? ", supply" : "",
        w->plan.odd_rows, w->plan.records, (unsigned)d->inbox_room.size);
    w->sentence_by = 0;
    if (w->crashes > 0) { /* the millisecond clock starts over, and may wrap soon */
        w->ms_offset = 0u - (uint32_t)(uint64_t)(w->now - w->start);
        w->ms_offset -= chance(w, 500) ? 1u + (uint32_t)below(w, 20000) : 0u;
    }
    d->up = true;
    d->holding = false;
    d->had_state = w->state_saved;
    boot_account(w);
    hook_connect(w);
    if (w->plan.pair && w->stored_token[1] == NULL) {
        w->person_ms = w->now + 1;
    }
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        boot_lane(w, i);
    }
    w->crash = &here;
    if (setjmp(here) == 0) {
        boot_inbox(w);
    } else {
        device_crash(w);
    }
    w->crash = outer;
}

static void forget(room *r)
{
    memset(r->memory, 0xdd, r->size);
}

/* Everything outside storage is gone. The bot's journal of sends is in storage. */
void device_crash(world *w)
{
    device *d = &w->device;
    if (!d->up) { /* the power failed while a lane slept; that lane's step ends now */
        return;
    }
    happened(w, F_RESTART, -1);
    say(w, "power off");
    w->crashes++;
    w->crash_in = 0;
    w->crash_in_save = false;
    w->rate_until = 0;
    w->refresh_open = false; /* this is not stored: it is tried, and then known */
    w->was_in_doubt = false;
    check_looks_reset(w, NULL);
    net_drop_all(w);
    forget(&d->tokens);
    forget(&d->state);
    forget(&d->records);
    forget(&d->inbox_room);
    forget(&d->hook_room);
    forget(&d->hook_buffer);
    memset(&d->hook, 0xdd, sizeof d->hook);
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        struct lane *l = &d->lanes[i];
        forget(&l->window);
        forget(&l->room);
        forget(&l->picture);
        memset(&l->client, 0xdd, sizeof l->client);
        if (l->job >= 0) {
            job *j = &w->jobs[l->job];
            j->unsettled =
                j->unsettled && j->state != JOB_UPLOADING; /* it is another picture then */
            j->state = j->state == JOB_SENDING || j->state == JOB_CONFIRMING ? JOB_UNSURE : JOB_NEW;
            j->ended_ms = w->now;
        }
        l->link = NULL;
        l->job = -1;
        l->act = ACT_NONE;
    }
    memset(&d->inbox, 0xdd, sizeof d->inbox);
    d->in_round = false;
    d->up = false;
    d->holding = false;
    d->up_at = w->now + 1 + (int64_t)around(w, 5000);
}

void device_free(world *w)
{
    device *d = &w->device;
    room_free(&d->tokens);
    room_free(&d->state);
    room_free(&d->records);
    room_free(&d->inbox_room);
    room_free(&d->hook_room);
    room_free(&d->hook_buffer);
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        room_free(&d->lanes[i].window);
        room_free(&d->lanes[i].room);
        room_free(&d->lanes[i].picture);
    }
}

/* ---------------------------------------------------------------- the bot */

static bool chat_is_busy(const world *w, const char *chat)
{
    for (size_t i = 0; i < w->job_count; i++) {
        const job *j = &w->jobs[i];
        if (j->state != JOB_NEW && j->state < JOB_SENT && strcmp(j->chat, chat) == 0) {
            return true;
        }
    }
    return false;
}

/* The bot may want to answer this message: then there is one more job. */
static void want_answer(world *w, const avito_message *m)
{
    job *j;
    if (w->job_count == JOBS_MAX && w->plan.soak) {
        for (size_t i = 0; i < w->job_count; i++) {
            /* Keeps the ids of sends that may still show up: a later send may have the same
             * text. */
            if (w->jobs[i].state < JOB_SENT || w->now - w->jobs[i].ended_ms < 600000) {
                return;
            }
        }
        w->job_count = 0;
        w->served_count = 0;
    }
    if (w->job_count == JOBS_MAX || w->calm || !chance(w, 600) ||
        avito_classify(m) != AVITO_CLASS_BUYER) {
        return;
    }
    j = &w->jobs[w->job_count++];
    memset(j, 0, sizeof *j);
    j->way = w->plan.at_once ? (way)(below(w, 4) % 3) : WAY_LATER;
    (void)snprintf(j->chat, sizeof j->chat, "%.*s", (int)m->chat_id.len, m->chat_id.ptr);
    if (w->plan.pictures && chance(w, 300)) {
        j->picture = PICTURE_MIN + below(w, (PICTURE_MAX - PICTURE_MIN) >> below(w, 9));
    } else if (w->plan.same_texts) {
        (void)snprintf(j->text, sizeof j->text, "%s",
                       chance(w, 500) ? "Здравствуйте! Да." : "  Продано.\r\n");
    } else {
        (void)snprintf(j->text, sizeof j->text, "%sОтвет %llu", chance(w, 200) ? " \n" : "",
                       (unsigned long long)++w->text_number);
    }
}

/* A job that may be worked on now; -1: none. One at a time per chat: equal texts stay apart. */
static int next_job(const world *w)
{
    for (size_t i = 0; i < w->job_count; i++) {
        const job *j = &w->jobs[i];
        bool free = true;
        for (unsigned k = 1; k < w->plan.lanes; k++) {
            free = free && w->device.lanes[k].job != (int)i;
        }
        if (free && w->now >= j->retry_ms &&
            (j->state == JOB_UNSURE || (j->state == JOB_NEW && !chat_is_busy(w, j->chat)))) {
            return (int)i;
        }
    }
    return -1;
}

static int begin_baseline(world *w, struct lane *l)
{
    avito_messages_query q;
    memset(&q, 0, sizeof q);
    q.limit = 1;
    q.want = AVITO_MESSAGE_BARE;
    l->act = ACT_BASELINE;
    l->began_ms = w->now;
    l->spoilt = false;
    w->jobs[l->job].state = JOB_BASELINE;
    return avito_get_messages(&l->client, USER, w->jobs[l->job].chat, &q, &l->arena, &l->messages);
}

/* What to look for if the send cannot tell. */
static avito_sent_query query_of(const world *w, struct lane *l)
{
    const job *j = &w->jobs[l->job];
    avito_sent_query q;
    memset(&q, 0, sizeof q);
    for (size_t i = 0; i < w->job_count; i++) {
        if (w->jobs[i].claimed[0] != '\0') {
            l->claimed[q.claimed_count++] = w->jobs[i].claimed;
        }
    }
    q.claimed = l->claimed;
    q.baseline_id = j->has_baseline ? j->baseline : NULL;
    q.baseline_created = j->baseline_created;
    return q;
}

static int begin_send(world *w, struct lane *l)
{
    job *j = &w->jobs[l->job];
    const bool wants_answer = w->plan.same_texts || j->picture > 0 || chance(w, 700);
    l->act = ACT_SEND;
    j->state = JOB_SENDING;
    j->attempts++;
    j->left = false;
    j->settles = j->way == WAY_LANE && wants_answer;
    j->needs_token = false;
    j->read_back = false;
    l->began_ms = w->now;
    l->baseline = query_of(w, l);
    if (avito_confirm_sends(&l->client, j->way == WAY_LANE ? &l->baseline : NULL) != AVITO_OK) {
        fail(w, "confirming", "avito_confirm_sends() is refused");
    }
    memset(&l->message, 0, sizeof l->message);
    say(w, "lane %d: job %d: sends after %s at %lld: %s", l->index, l->job,
        j->has_baseline ? j->baseline : "nothing", (long long)j->baseline_created, j->text);
    if (j->picture > 0) {
        return avito_send_image_message(&l->client, USER, j->chat, j->image, &l->arena,
                                        &l->message);
    }
    return avito_send_message(&l->client, USER, j->chat, j->text, wants_answer ? &l->arena : NULL,
                              wants_answer ? &l->message : NULL);
}

static int begin_confirm(world *w, struct lane *l)
{
    job *j = &w->jobs[l->job];
    avito_sent_query q = query_of(w, l);
    q.text = j->picture == 0 ? j->text : NULL;
    q.age_s = (uint32_t)((w->now - j->ended_ms) / 1000);
    l->act = ACT_CONFIRM;
    l->began_ms = w->now;
    l->spoilt = false;
    j->state = JOB_CONFIRMING;
    return avito_confirm_sent(&l->client, USER, j->chat, &q, &l->arena, &l->outcome, &l->message);
}

static int begin_browse(world *w, struct lane *l)
{
    avito_chats_query q;
    memset(&q, 0, sizeof q);
    q.limit = 1 + (int)below(w, 30);
    q.all_pages = chance(w, 300);
    q.chat_types = (unsigned)below(w, 8);
    l->act = ACT_BROWSE;
    l->rows_left = 1 + (int)below(w, 10);
    return avito_list_chats(&l->client, USER, &q, &l->arena);
}

/* A person has allowed the application in the browser. */
static int begin_exchange(world *w, struct lane *l)
{
    say(w, "lane %d: a person allows the application", l->index);
    w->person_ms = w->now + 20000; /* if this fails */
    l->act = ACT_EXCHANGE;
    return avito_exchange_code(
        &l->client, sim_grant_code(w->service, "messenger:read,messenger:write,user:read"), NULL);
}

/* The account's own tokens can be renewed for ever; a pair needs a person once its refresh token is
 * useless. */
static void call_a_person(world *w, int rc)
{
    if (rc == AVITO_ERR_REFRESH_TOKEN && w->person_ms == 0) {
        w->person_ms = w->now + 1 + (int64_t)around(w, 20000);
    }
}

/* An idle lane begins a call: for a job if there is one, else any other. */
static int begin_something(world *w, struct lane *l)
{
    avito_arena_reset(&l->arena);
    l->began_ms = w->now;
    if (w->person_ms != 0 && w->now >= w->person_ms) {
        return begin_exchange(w, l);
    }
    l->job = l->index > 0 ? next_job(w) : -1;
    if (l->job >= 0) {
        const job *j = &w->jobs[l->job];
        return j->state == JOB_UNSURE                  ? begin_confirm(w, l)
               : j->picture > 0 && j->image[0] == '\0' ? picture_begin(w, l)
                                                       : begin_baseline(w, l);
    }
    if (w->plan.hooks && sim_subscription_at(w->service, 0) == NULL) {
        l->act = ACT_SUBSCRIBE;
        return avito_subscribe_webhook(&l->client, "https://example.com/avito");
    }
    if (!w->calm && chance(w, 200)) {
        return begin_browse(w, l);
    }
    if (!w->calm && chance(w, 100)) {
        l->act = ACT_SELF;
        return avito_get_self(&l->client, &l->arena, &l->self);
    }
    l->resume_ms = w->now + 200 + (int64_t)around(w, 3000);
    return AVITO_AGAIN;
}

/* ---------------------------------------------------------------- how calls end */

static void job_over(world *w, struct lane *l, job_state state, unsigned pause_ms)
{
    job *j = &w->jobs[l->job];
    say(w, "lane %d: job %d: %s", l->index, l->job,
        state == JOB_SENT     ? "sent"
        : state == JOB_UNSURE ? "cannot tell"
        : state == JOB_NEW    ? "not sent"
                              : "given up");
    j->state = state;
    j->ended_ms = l->act == ACT_SEND ? w->now : j->ended_ms;
    j->retry_ms = w->now + (int64_t)around(w, pause_ms);
    l->act = ACT_NONE;
    l->job = -1;
    l->resume_ms = w->now;
}

static int baseline_came(world *w, struct lane *l)
{
    job *j = &w->jobs[l->job];
    j->misled = j->misled || l->spoilt;
    j->has_baseline = l->messages.count > 0 && l->messages.items[0].id.ptr != NULL;
    j->baseline_created = 0;
    if (j->has_baseline) {
        (void)snprintf(j->baseline, sizeof j->baseline, "%s", l->messages.items[0].id.ptr);
        j->baseline_created = l->messages.items[0].created;
    }
    return begin_send(w, l);
}

static void check_yes(world *w, const struct lane *l, job *j)
{
    const note *n = check_find(w, l->message.id.ptr, l->message.id.len);
    bool good = n != NULL && n->own && n->created >= j->baseline_created &&
                (!j->has_baseline || strcmp(n->id, j->baseline) != 0);
    for (size_t i = 0; i < w->job_count && n != NULL; i++) {
        good = good && strcmp(w->jobs[i].claimed, n->id) != 0;
    }
    if (n != NULL && n->job >= 0 && &w->jobs[n->job] != j) {
        good = good && w->jobs[n->job].rivalled; /* a person's was taken, and its own was left */
        j->rivalled = j->rivalled || good;
        w->jobs[n->job].misled = w->jobs[n->job].misled || j->misled; /* its own is claimed */
    }
    if (!good && !j->misled) {
        fail(w, "confirming", "job %d: yes, by a message that is not its own", (int)(j - w->jobs));
    }
}

/* Found: by which message? It must belong to no other send. */
static void told_yes(world *w, struct lane *l, job *j)
{
    say(w, "lane %d: confirmed by %s", l->index, l->message.id.ptr);
    check_yes(w, l, j);
    w->confirmed_yes++;
    j->by_confirm = true;
    (void)snprintf(j->claimed, sizeof j->claimed, "%s", l->message.id.ptr);
    job_over(w, l, JOB_SENT, 0);
}

static void told_no(world *w, struct lane *l, job *j)
{
    check_no(w, j);
    w->confirmed_no++;
    j->unsettled = false;
    job_over(w, l, j->attempts > 8 ? JOB_GIVEN_UP : JOB_NEW, 4000);
}

/* True: the outcome is "cannot tell", and the bot asks at once. */
static bool send_over(world *w, struct lane *l, int rc)
{
    job *j = &w->jobs[l->job];
    const avito_outcome outcome = avito_last_error(&l->client)->outcome;
    check_outcome(w, l, rc);
    j->misled = j->misled || (j->read_back && l->spoilt);
    w->unsure += j->read_back || outcome == AVITO_CANNOT_TELL;
    if (outcome == AVITO_CANNOT_TELL && j->way == WAY_NOW) {
        say(w, "lane %d: job %d: cannot tell, and asks", l->index, l->job);
        j->ended_ms = w->now;
        return true;
    }
    if (outcome == AVITO_CANNOT_TELL) {
        job_over(w, l, JOB_UNSURE, 5000);
    } else if (j->read_back) {
        outcome == AVITO_SENT ? told_yes(w, l, j) : told_no(w, l, j);
    } else if (outcome == AVITO_SENT) {
        w->sent++;
        if (l->message.id.ptr != NULL) {
            (void)snprintf(j->claimed, sizeof j->claimed, "%s", l->message.id.ptr);
        }
        job_over(w, l, JOB_SENT, 0);
    } else {
        if (rc == AVITO_ERR_BAD_REQUEST) { /* what it took for an id was not one */
            j->image[0] = '\0';
        }
        job_over(w, l, j->attempts > 8 ? JOB_GIVEN_UP : JOB_NEW, 4000);
    }
    return false;
}

/* True if it cannot be found out any more: a message of the account was deleted since the baseline,
 * or the baseline itself was, and messages of its second may be older. */
static bool veiled(const world *w, const job *j)
{
    for (size_t i = 0; i < w->note_count; i++) {
        const note *n = &w->notes[i];
        if (n->deleted && n->created >= j->baseline_created && strcmp(n->chat, j->chat) == 0 &&
            (n->own || strcmp(n->id, j->baseline) == 0)) {
            return true;
        }
    }
    return false;
}

static void confirm_over(world *w, struct lane *l, int rc)
{
    job *j = &w->jobs[l->job];
    j->misled = j->misled || l->spoilt;
    if (rc == AVITO_OK && l->outcome == AVITO_CANNOT_TELL && (j->misled || veiled(w, j)) &&
        w->now - j->ended_ms > 90000) { /* it cannot be found out */
        job_over(w, l, JOB_GIVEN_UP_HALF, 0);
    } else if (rc != AVITO_OK || l->outcome == AVITO_CANNOT_TELL) {
        job_over(w, l, JOB_UNSURE, j->way == WAY_LATER ? 15000 : 3000);
    } else if (l->outcome == AVITO_SENT) {
        told_yes(w, l, j);
    } else {
        told_no(w, l, j);
    }
}

static void check_error(world *w, struct lane *l, int rc)
{
    const avito_error *e = avito_last_error(&l->client);
    check_secret(w, "error text", e->text);
    check_refused(w, &l->client, rc);
    if (rc < 0 && e->code != rc && rc != AVITO_ERR_BUSY && rc != AVITO_ERR_ARGUMENT) {
        fail(w, "error", "result %d, last error %d", rc, e->code);
    }
    if (rc == AVITO_ERR_BUSY || rc == AVITO_ERR_ARGUMENT || rc == AVITO_ERR_IDLE) {
        fail(w, "error", "lane %d: %s", l->index, avito_error_name(rc));
    }
    mix(w, (uint64_t)(uint32_t)rc);
}

/* An element of the list of chats, or the end of the list. */
static void browse_on(world *w, struct lane *l, int rc)
{
    l->at_row = rc != AVITO_END && avito_list_open(&l->client);
    if (l->at_row) {
        l->resume_ms = w->now + (int64_t)around(w, 2000);
        l->rows_left--;
    } else {
        l->act = ACT_NONE;
        l->resume_ms = w->now + (int64_t)around(w, 3000);
    }
}

/* A call of a lane has given `rc`: checks it, and goes on to the next call of the same job. */
static void call_over(world *w, struct lane *l, int rc)
{
    job_state state;
    check_time(w, l, rc);
    call_a_person(w, rc);
    if (rc == AVITO_OK && l->act == ACT_EXCHANGE) {
        w->person_ms = 0;
    }
    if (rc < 0 && l->act != ACT_NONE) {
        say(w, "lane %d: %s %d %s", l->index, avito_error_name(rc),
            avito_last_error(&l->client)->http_status, avito_last_error(&l->client)->text);
        check_error(w, l, rc);
    }
    while (rc != AVITO_AGAIN) {
        switch (l->act) {
            case ACT_BASELINE:
                if (rc == AVITO_OK) {
                    rc = baseline_came(w, l);
                    continue;
                }
                job_over(w, l, JOB_NEW, 4000);
                break;
            case ACT_UPLOAD:
                state = picture_over(w, l, rc);
                if (state == JOB_BASELINE) {
                    rc = begin_baseline(w, l);
                    continue;
                }
                job_over(w, l, state, 4000);
                break;
            case ACT_SEND:
                if (send_over(w, l, rc)) {
                    rc = begin_confirm(w, l);
                    continue;
                }
                break;
            case ACT_CONFIRM:
                confirm_over(w, l, rc);
                break;
            case ACT_BROWSE:
                browse_on(w, l, rc);
                break;
            case ACT_ENDING:
                if (rc != AVITO_OK && rc != AVITO_ERR_CANCELLED) {
                    fail(w, "list", "avito_list_end() failed with %d", rc);
                }
                l->act = ACT_NONE;
                break;
            default:
                l->act = ACT_NONE;
                l->resume_ms = w->now + (int64_t)around(w, 3000);
                break;
        }
        return;
    }
}

/* ---------------------------------------------------------------- a lane's turn */

static int cancel(world *w, struct lane *l)
{
    happened(w, F_CANCEL, l->index);
    say(w, "lane %d: cancelled", l->index);
    if (l->link != NULL) {
        l->link->broke = false;
    }
    avito_cancel(&l->client);
    if (impl_call(&l->client) || l->link != NULL) {
        fail(w, "cancel", "lane %d: still busy after a cancel", l->index);
    }
    if (l->at_row) { /* time since the row came is the bot's */
        l->began_ms = w->now;
    }
    l->at_row = false;
    return AVITO_ERR_CANCELLED;
}

/* At any moment, even while a call only waits. */
void device_cancel(world *w)
{
    struct lane *l = &w->device.lanes[1 + below(w, w->plan.lanes - 1)];
    if (w->device.up && impl_call(&l->client) && !l->asleep) {
        call_over(w, l, cancel(w, l));
    }
}

/* A send that measures its age by a clock that jumps reports the age that it believes. */
void device_ages(world *w)
{
    for (unsigned i = 1; w->device.up && i < w->plan.lanes; i++) {
        const struct lane *l = &w->device.lanes[i];
        if (l->act == ACT_SEND) {
            w->jobs[l->job].misled = w->jobs[l->job].misled || w->jobs[l->job].settles;
        }
    }
}

/* One step of a lane of the bot's. */
static int lane_step(world *w, struct lane *l)
{
    if (l->act == ACT_NONE) {
        return begin_something(w, l);
    }
    if (w->plan.cancels && !w->calm && chance(w, 4)) {
        return cancel(w, l);
    }
    if (!l->at_row) {
        return avito_step(&l->client);
    }
    l->at_row = false;
    l->began_ms = w->now;
    if (l->rows_left <= 0) {
        l->act = ACT_ENDING;
        return avito_list_end(&l->client, below(w, 20000));
    }
    avito_arena_reset(&l->arena);
    w->others_told_ms = w->now; /* by bytes that had come before */
    return avito_next_chat(&l->client, &l->chat);
}

/* At the end of a round the inbox repeats, without a request, why it left a chat out. */
static void note_inbox_error(world *w, int rc, bool moved)
{
    const avito_error *e = avito_last_error(&w->device.lanes[0].client);
    const uint64_t passed = impl_passed_over(&w->device.inbox);
    say(w, "inbox: %s %d %s", avito_error_name(rc), e->http_status, e->text);
    check_secret(w, "error text", e->text);
    if (moved) {
        check_refused(w, &w->device.lanes[0].client, rc);
    }
    call_a_person(w, rc);
    mix(w, (uint64_t)(uint32_t)rc);
    for (size_t i = w->done_before; i < w->note_count && passed != 0; i++) {
        note *n = &w->notes[i];
        if (sim_fnv1a(n->id, strlen(n->id)) == passed) {
            n->reported = true;
            if (rc == AVITO_ERR_MODEL && !n->odd && !w->device.spoilt) {
                fail(w, "receiving", "%s is said to be no message: %s", n->id, e->text);
            }
        }
    }
    if (rc == AVITO_ERR_BUSY || rc == AVITO_ERR_ARGUMENT || rc == AVITO_ERR_IDLE) {
        fail(w, "error", "inbox: %s", avito_error_name(rc));
    }
}

static void accept_held(world *w)
{
    device *d = &w->device;
    const int rc = avito_inbox_accept(&d->inbox);
    const int held = d->held;
    if (rc == AVITO_OK) {
        d->holding = false;
        check_accepted(w, held);
        return;
    }
    if (rc != AVITO_ERR_HOOK) {
        fail(w, "inbox", "accept() returned %d", rc);
    }
    if (chance(w, 500)) { /* the user does not accept it: it has to come again */
        d->holding = false;
    }
}

static void given(world *w, const avito_message *m, bool polled)
{
    device *d = &w->device;
    check_given(w, m, polled);
    want_answer(w, m);
    d->holding = true;
    d->hold_until = w->now + (polled && chance(w, 300) ? (int64_t)around(w, 2000) : 0);
}

static void hear_events(world *w)
{
    const unsigned events = avito_inbox_events(&w->device.inbox);
    if (events != 0) {
        say(w, "inbox: events %u", events);
    }
    w->inbox_events |= events;
    w->overrun = w->overrun || (events & AVITO_INBOX_OVERRUN) != 0;
    w->device.overran = w->device.overran || (events & AVITO_INBOX_OVERRUN) != 0;
    if ((events & AVITO_INBOX_STATE_LOST) != 0 && w->device.had_state) {
        fail(w, "state", "a stored state was said to be lost");
    }
}

/* After a call of avito_inbox_next(): has a round begun in that call, or ended, or both? */
static void watch_round(world *w, bool between, bool moved, int rc)
{
    device *d = &w->device;
    const bool over = impl_between_rounds(&d->inbox);
    d->in_round = d->in_round || (between && (!over || moved));
    if (over && d->in_round) {
        d->in_round = false;
        if (rc == AVITO_AGAIN && !d->spoilt) {
            check_round(w);
        } else if (rc == AVITO_AGAIN && d->overran) {
            check_hidden(w);
        }
        d->before_ms = rc == AVITO_AGAIN ? d->round_ms : d->before_ms;
        d->overran = d->overran && rc != AVITO_AGAIN;
    } else if (over && !between && d->spoilt &&
               d->overran) { /* the first one, with none before it */
        check_hidden(w);
    }
}

/* The program uses the inbox's lane for a list of its own, whatever the inbox is doing. */
static int own_begin(world *w, struct lane *l)
{
    happened(w, F_OWN_CALL, -1);
    say(w, "lane 0: a call of the program's own");
    avito_cancel(&l->client);
    avito_arena_reset(&l->arena);
    l->act = ACT_BROWSE;
    l->rows_left = (int)below(w, 4);
    return avito_list_messages(&l->client, USER, w->chats[below(w, w->chat_count)], NULL,
                               &l->arena);
}

static int own_over(struct lane *l, int rc)
{
    l->act = ACT_NONE;
    return rc < 0 ? AVITO_OK : rc;
}

/* The program continues its list, and asks the inbox too early. */
static int own_step(world *w, struct lane *l)
{
    const bool at_row = avito_wants(&l->client) == 0;
    avito_message m;
    int rc = avito_inbox_next(&w->device.inbox, &m);
    if (rc != AVITO_ERR_BUSY) {
        fail(w, "busy", "the inbox returns %d while a call of the program's own is under way", rc);
    }
    if (at_row && l->rows_left-- <= 0) {
        avito_cancel(&l->client);
        return own_over(l, AVITO_OK);
    }
    rc = at_row ? avito_next_message(&l->client, &l->message) : avito_step(&l->client);
    return rc == AVITO_AGAIN || avito_list_open(&l->client) ? rc : own_over(l, rc);
}

/* One step of the inbox's lane: the program's own list, a message in hand, or the inbox. */
static int inbox_step(world *w)
{
    device *d = &w->device;
    avito_message m;
    const uint64_t before = d->served;
    const uint64_t moved = d->lanes[0].moved;
    bool between, first, first_over;
    int rc;
    if (d->lanes[0].act != ACT_NONE) {
        return own_step(w, &d->lanes[0]);
    }
    if (w->plan.own_calls && !w->calm && !d->lanes[0].may_wait && chance(w, 20)) {
        rc = own_begin(w, &d->lanes[0]);
        return rc == AVITO_AGAIN || avito_list_open(&d->lanes[0].client)
                   ? rc
                   : own_over(&d->lanes[0], rc);
    }
    if (d->holding) {
        accept_held(w);
        return AVITO_OK;
    }
    memset(&m, 0xcc, sizeof m);
    between = impl_between_rounds(&d->inbox);
    if (between) { /* the next one begins now, or later */
        d->spoilt = false;
        d->round_ms = w->now;
    }
    first = impl_first_round(&d->inbox);
    rc = avito_inbox_next(&d->inbox, &m);
    if (d->served > before + 24) { /* also where a lane may wait */
        fail(w, "endless", "%u requests in one call", (unsigned)(d->served - before));
    }
    hear_events(w);
    first_over = first && !impl_first_round(&d->inbox);
    w->unread_given_up =
        w->unread_given_up || (first_over && (w->inbox_events & AVITO_INBOX_UNREACHABLE) != 0);
    watch_round(w, between, moved != d->lanes[0].moved, rc);
    if (first_over && d->spoilt && d->overran) {
        check_hidden(w); /* the call that ended it has begun the next round, too */
    }
    if (rc == AVITO_OK) {
        given(w, &m, true);
    } else if (rc < 0) {
        note_inbox_error(w, rc, moved != d->lanes[0].moved);
    }
    return rc;
}

/* A lane's turn, with what is checked around it. */
static void one_turn(world *w, struct lane *l)
{
    const uint64_t moved = l->moved;
    const unsigned state = impl_state(&l->client);
    const activity act = l->act;
    int rc;
    l->seen_steps = w->account_steps;
    check_gate(w, l);
    rc = l->index == 0 ? inbox_step(w) : lane_step(w, l);
    if (l->index > 0 && !(act == ACT_NONE && l->act == ACT_NONE)) {
        if (rc == AVITO_AGAIN && l->may_wait) {
            fail(w, "waiting", "lane %d is to wait, but did not", l->index);
        }
        call_over(w, l, rc);
    }
    if (l->index == 0) {
        hear_events(w);
    }
    l->idle_rounds = rc == AVITO_AGAIN && moved == l->moved && act == l->act &&
                             !impl_worked(&l->client) && state == impl_state(&l->client) &&
                             avito_wants(&l->client) != AVITO_WANT_ACCOUNT
                         ? l->idle_rounds + 1
                         : 0;
    if (!impl_call(&l->client) || avito_wants(&l->client) != AVITO_WANT_ACCOUNT) {
        w->account_steps++;
    }
    w->steps++;
}

/* ---------------------------------------------------------------- whose turn it is */

static bool call_ready(const world *w, const struct lane *l, int wants, uint32_t deadline)
{
    if ((wants & AVITO_WANT_ACCOUNT) != 0 && l->seen_steps != w->account_steps) {
        return true;
    }
    if ((wants & (AVITO_WANT_READ | AVITO_WANT_WRITE)) != 0 && net_readable(l)) {
        return true;
    }
    return deadline == 0;
}

static bool lane_ready(const world *w, const struct lane *l)
{
    const device *d = &w->device;
    if (l->asleep) {
        return false;
    }
    if (l->index == 0) {
        return l->act != ACT_NONE
                   ? avito_wants(&l->client) == 0 ||
                         call_ready(w, l, avito_wants(&l->client), avito_deadline_ms(&l->client))
               : d->holding ? w->now >= d->hold_until
                            : call_ready(w, l, avito_inbox_wants(&d->inbox),
                                         avito_inbox_deadline_ms(&d->inbox));
    }
    if (l->act == ACT_NONE || l->at_row) {
        return w->now >= l->resume_ms;
    }
    return call_ready(w, l, avito_wants(&l->client), avito_deadline_ms(&l->client));
}

bool device_turn(world *w)
{
    device *d = &w->device;
    jmp_buf here, *const outer = w->crash;
    unsigned ready[LANES_MAX], count = 0;
    if (!d->up) {
        if (w->now < d->up_at) {
            return false;
        }
        device_boot(w);
        return true;
    }
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        if (lane_ready(w, &d->lanes[i])) {
            ready[count++] = i;
        }
    }
    if (count == 0) {
        return false;
    }
    w->crash = &here;
    if (setjmp(here) == 0) {
        device_may_crash(w);
        one_turn(w, &d->lanes[ready[below(w, count)]]);
        check_step(w);
    } else {
        device_crash(w);
    }
    w->crash = outer;
    return true;
}

int64_t device_due(world *w)
{
    device *d = &w->device;
    int64_t due = INT64_MAX;
    if (!d->up) {
        return d->up_at;
    }
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        struct lane *l = &d->lanes[i];
        uint32_t ms = UINT32_MAX;
        if (i == 0 && l->act != ACT_NONE) {
            ms = avito_wants(&l->client) == 0 ? 0 : avito_deadline_ms(&l->client);
        } else if (i == 0 && d->holding) {
            due = earliest(due, d->hold_until);
        } else if (i == 0) {
            ms = avito_inbox_deadline_ms(&d->inbox);
        } else if (l->act == ACT_NONE || l->at_row) {
            due = earliest(due, l->resume_ms);
        } else if (!l->asleep) {
            ms = avito_deadline_ms(&l->client);
        }
        due = ms != UINT32_MAX ? earliest(due, w->now + (int64_t)ms) : due;
    }
    return due;
}

/* ---------------------------------------------------------------- notifications */

static void offered(world *w, const avito_message *m)
{
    device *d = &w->device;
    int rc = d->holding ? AVITO_ERR_BUSY : avito_inbox_offer(&d->inbox, m);
    if (rc == AVITO_OK) {
        given(w, m, false);
        accept_held(w);
    } else if (rc == AVITO_END) {
        const note *n = check_find(w, m->id.ptr, m->id.len);
        say(w, "notification of %s: known%s", m->id.ptr,
            n != NULL && n->accepted == 0 ? " (though never given)" : "");
    } else if (rc != AVITO_ERR_BUSY) {
        fail(w, "inbox", "offer() returned %d", rc);
    }
}

static void handle_event(world *w)
{
    device *d = &w->device;
    avito_arena arena = avito_arena_of(d->hook_room.memory, d->hook_room.size);
    avito_event e;
    const int rc = avito_webhook_event(&d->hook, &arena, &e, NULL);
    if (rc != AVITO_OK) {
        fail(w, "notification", "avito_webhook_event() returned %d", rc);
        return;
    }
    check_notified(w, e.message);
    if (e.message != NULL) {
        offered(w, e.message);
    }
}

static bool take_notification(world *w, const char *body, size_t len)
{
    device *d = &w->device;
    size_t waiting;
    int status;
    if (d->lanes[0].asleep) { /* so is the inbox */
        return false;
    }
    device_may_crash(w);
    status = hook_call(w, body, len);
    device_may_crash(w);
    if (avito_webhook_body(&d->hook, &waiting) == NULL) {
        return status == 200;
    }
    if (w->plan.doorbell) {
        avito_inbox_doorbell(&d->inbox);
    } else {
        handle_event(w);
    }
    avito_webhook_done(&d->hook, device_ms(w));
    hear_events(w);
    return true;
}

/* Acknowledged first, handled later: the power may fail in between. */
bool device_notify(world *w, const char *body, size_t len)
{
    jmp_buf here, *const outer = w->crash;
    bool arrived;
    w->crash = &here;
    if (setjmp(here) == 0) {
        arrived = take_notification(w, body, len);
    } else {
        device_crash(w);
        arrived = true;
    }
    w->crash = outer;
    return arrived;
}
