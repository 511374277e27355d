/* job.c - see job.h.
 *
 *     phase       what happens                                              then
 *     ---------   -------------------------------------------------------   ---------------------------
 *     WAITING     the ones before it are not done, or no lane is free       CALLING
 *     CALLING     a call on the lane: see `call`                            CALLING, NOTING, SETTLING, PAUSING
 *     PAUSING     the service or the network is away, or a message is not   WAITING
 *                 seen yet
 *     NOTING      the ledger gets "begun", durably                          CALLING (the send)
 *     SETTLING    the ledger gets the outcome, durably                      ANSWERING
 *     ANSWERING   results/ID, and the response topic, find room             ANSWERED
 *     ANSWERED    the broker has it; the command is acknowledged            over, or, after 0x97, ANSWERING
 *
 * One job of an account is in progress at a time, in order of arrival. Answers do not wait. A
 * message that may have been sent, and is looked for from time to time, lets other jobs pass
 * meanwhile.
 *
 * The chat's newest message is read before "begun" is noted, because the note must name it:
 * whoever finds the note after a crash looks for a message that is newer, and an equal one that was
 * there before is not taken for it. */
#include "job.h"
#include "jsonl.h"

#include <stdlib.h>
#include <string.h>

enum phase { WAITING, CALLING, PAUSING, NOTING, SETTLING, ANSWERING, ANSWERED };

enum call {
    CALL_FIRST, /* the first call of its act */
    CALL_UPLOAD,
    CALL_BASELINE,
    CALL_SEND,
    CALL_ACT,  /* read, delete, block */
    CALL_LOOK, /* is it in the chat? */
    CALL_UNREAD,
    CALL_SUBSCRIPTIONS,
    CALL_SUBSCRIBE,
    CALL_CHAT
};

#define PAUSE_MAX_MS  60000u
#define LOOK_EVERY_MS 3000u
#define LOOK_FOR_MS   65000u /* a message may show up 60 s late */
#define QOS_0_MAX     20u    /* commands with QoS 0, which the broker does not keep for us */
#define PLACES        256u   /* commands taken, if the broker sends more than its limit */
#define CLAIMED_MAX   16
#define BEGUN_AGE_MS  5000u  /* a note of "begun" older than this no longer allows sending */
#define SEND_MS       20000u /* longest send; whoever reads back what another began waits as long */
#define CALL_MS       120000u /* longest other call: what is read may be large, and the line slow */
#define UPLOAD_MS     600000u /* a picture of 24 MB on a slow line */
#define STALE_MAX     3
#define DISK_AGAIN_MS 1000u /* the caller steps the account as soon as it is durable */
#define SAVE_AGAIN_MS 5000u

struct gateway_job {
    struct gateway_job *next;
    order *o;
    char id[LEDGER_ID_MAX + 1];
    uint16_t packet_id; /* the one that the broker waits for; 0: none */
    uint8_t phase, call;
    uint8_t answers;      /* bits of results/ID and response topic: to be published */
    uint8_t open_answers; /* those published, without a PUBACK yet */
    bool unsaid;          /* the broker refused one of them, and may accept it later */
    bool twin;            /* another with the same id has been taken: it gets that one's answer */
    bool acknowledging;   /* a PUBACK found no room */
    bool repeat;          /* the ledger knew it */
    bool noted;           /* begun, in the ledger */
    bool looking;         /* it may have been sent: it is never sent again */
    bool left;            /* it may have been sent from here */
    bool expires;
    bool derived;      /* its id is made from the packet's, and good for this session */
    bool random_id;    /* its packet cannot come again */
    bool writing;      /* its note is on the way to the disk */
    bool refused;      /* to be stored before the answer is published */
    bool alone;        /* no other gateway of the fleet knows that it is refused */
    uint8_t stale;     /* notes that became too old to send */
    uint32_t begun_ms; /* when the writing of "begun" started, by the clock that runs in sleep */
    uint32_t taken_ms, expiry_ms;
    uint32_t pause_from_ms, pause_ms;
    uint32_t unsaid_ms;    /* the last pause of its answer */
    uint32_t look_from_ms; /* when the search for it began */
    int64_t begun;
    int64_t baseline_created;
    enum ledger_state state;
    avito_outcome verdict;
    size_t unread;
    const char *claimed[CLAIMED_MAX];
    char *claimed_ids; /* what those point into: a row of the ledger may go while the call runs */
    union {
        avito_messages newest;
        avito_message message;
        avito_uploaded_image uploaded;
        avito_subscriptions subscriptions;
        avito_chats chats;
        avito_chat chat;
        avito_blacklist_user blocked; /* what a block sends */
    } out;
    char baseline_id[256], image_id[128], message_id[128];
    char reason[GATEWAY_REASON_MAX];
};

/* ---- the list ---- */

static void append(gateway_account *a, struct gateway_job *j)
{
    struct gateway_job **at = &a->priv.jobs;

    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = j;
}

/* The broker no longer waits for it, or cannot. */
static void forget_packet(gateway_account *a, struct gateway_job *j)
{
    if (j->packet_id != 0) {
        j->packet_id = 0;
        a->priv.taken--;
        a->priv.g->priv.taken--;
    }
}

static void give_packet(gateway_account *a, struct gateway_job *j, uint16_t id)
{
    if (id != 0) {
        j->packet_id = id;
        a->priv.taken++;
        a->priv.g->priv.taken++;
        a->priv.g->priv.most = a->priv.g->priv.taken > a->priv.g->priv.most ? a->priv.g->priv.taken
                                                                            : a->priv.g->priv.most;
    }
}

/* Frees the job. Answers of it that are still on their way then belong to nobody. */
static void drop(gateway_account *a, struct gateway_job *j)
{
    struct gateway_job **at = &a->priv.jobs;

    while (*at != j) {
        at = &(*at)->next;
    }
    *at = j->next;
    forget_packet(a, j);
    for (size_t i = 0; i < MQTT_WINDOW; i++) {
        if (a->priv.g->priv.flights[i].job == j) {
            a->priv.g->priv.flights[i].what = FLIGHT_RETAINED;
            a->priv.g->priv.flights[i].job = NULL;
        }
    }
    a->priv.g->priv.pictures -= j->o->image_len;
    free(j->o);
    free(j->claimed_ids);
    free(j);
}

static struct gateway_job *new_job(gateway_account *a, order *o)
{
    struct gateway_job *j = o != NULL ? calloc(1, sizeof *j) : NULL;

    if (j == NULL) {
        free(o);
        return NULL;
    }
    j->o = o;
    memcpy(j->id, o->id, sizeof j->id);
    a->priv.g->priv.pictures += o->image_len;
    append(a, j);
    return j;
}

static bool is_own(const struct gateway_job *j)
{
    return j->o->act >= ORDER_ACTS;
}

static bool is_over(const struct gateway_job *j)
{
    return j->phase >= ANSWERING;
}

/* Does it have the lane, or wait for the disk? */
static bool is_in_work(const struct gateway_job *j)
{
    return j->phase == CALLING || j->phase == NOTING || j->phase == SETTLING;
}

static bool has_paused(const struct gateway_job *j, uint32_t now_ms)
{
    return now_ms - j->pause_from_ms >= j->pause_ms;
}

/* Its id cannot be noted before others are settled and acknowledged. So it is not begun: to do it without a note, or to
 * forget one of theirs, could do a command twice. */
static bool lacks_room(const gateway_account *a, const struct gateway_job *j)
{
    return j->phase == WAITING && !is_own(j) && !ledger_has_room(&a->ledger) &&
           ledger_find(&a->ledger, j->id) == NULL;
}

/* The job in progress, or the next one. */
static struct gateway_job *current(const gateway_account *a, uint32_t now_ms)
{
    struct gateway_job *next = NULL;

    for (struct gateway_job *j = a->priv.jobs; j != NULL; j = j->next) {
        const bool passes = is_over(j) ||
                            (j->looking && j->phase == PAUSING && !has_paused(j, now_ms)) ||
                            lacks_room(a, j);

        if (is_in_work(j)) {
            return j;
        }
        next = next == NULL && !passes ? j : next;
    }
    return next;
}

size_t gateway_job_count(const gateway_account *a)
{
    size_t count = 0;

    for (const struct gateway_job *j = a->priv.jobs; j != NULL; j = j->next) {
        count += !is_over(j) && !is_own(j);
    }
    return count;
}

/* An upload has sent nothing to the chat: nobody waits for it. */
bool gateway_job_is_busy(const gateway_account *a)
{
    const struct gateway_job *j = a->priv.jobs;

    while (j != NULL && !((j->phase == CALLING && j->call != CALL_UPLOAD) || j->phase == NOTING ||
                          (j->phase == SETTLING && j->pause_ms == 0))) {
        j = j->next;
    }
    return j != NULL;
}

/* ---- lanes ---- */

/* False: no lane is free, or others have waited longer. */
static bool has_lane(gateway_account *a)
{
    gateway *g = a->priv.g;

    if (a->lane == NULL &&
        (g->priv.first[GATEWAY_WAIT] == NULL || g->priv.first[GATEWAY_WAIT] == a)) {
        a->lane = g->o.borrow(g->o.ctx, a->o.reader->account);
    }
    if (a->lane == NULL) {
        gateway_list_add(a, GATEWAY_WAIT);
        return false;
    }
    gateway_list_remove(a, GATEWAY_WAIT);
    return true;
}

static void return_lane(gateway_account *a)
{
    if (a->lane != NULL) {
        avito_arena_reset(a->lane->arena);
        a->priv.g->o.give_back(a->priv.g->o.ctx, a->lane);
        a->lane = NULL;
    }
}

void gateway_job_lend(gateway *g, uint32_t now_ms)
{
    gateway_account *a;

    while ((a = g->priv.first[GATEWAY_WAIT]) != NULL && has_lane(a)) {
        gateway_job_step(a, now_ms);
        gateway_stir(a);
    }
}

/* ---- phases ---- */

static void settle(struct gateway_job *j, enum ledger_state state, const char *reason)
{
    j->state = state;
    snprintf(j->reason, sizeof j->reason, "%s", reason);
    j->phase = SETTLING;
    j->pause_ms = 0;
}

static void pause_job(gateway_account *a, struct gateway_job *j, uint32_t ms, uint32_t now_ms)
{
    return_lane(a);
    j->phase = PAUSING;
    j->pause_from_ms = now_ms;
    j->pause_ms = ms;
}

/* Ids of commands that were refused for a passing reason. The same id may come again, since a
 * commander repeats a command without an answer: a command that was called "not sent" must not be
 * sent then. */

static bool was_refused(const gateway_account *a, const char *id)
{
    const uint64_t hash = ledger_hash(LEDGER_HASH, id, strlen(id));
    size_t i = a->priv.refusals != NULL ? 1 : GATEWAY_REFUSALS;

    while (i < GATEWAY_REFUSALS && a->priv.refusals[i] != hash) {
        i++;
    }
    return i < GATEWAY_REFUSALS;
}

static bool has_refusals(gateway_account *a)
{
    if (a->priv.refusals == NULL) {
        a->priv.refusals = calloc(GATEWAY_REFUSALS, sizeof *a->priv.refusals);
    }
    return a->priv.refusals != NULL;
}

int gateway_job_open(gateway_account *a)
{
    int rc;

    if (a->o.load_refusals == NULL) {
        return AVITO_OK;
    }
    if (!has_refusals(a)) {
        return AVITO_ERR_ROOM;
    }
    rc = a->o.load_refusals(a->o.ctx, a->priv.refusals);
    if (rc != AVITO_OK || a->priv.refusals[0] == 0) { /* none; 8 KB less */
        free(a->priv.refusals);
        a->priv.refusals = NULL;
    }
    return rc == AVITO_END ? (int)AVITO_OK : rc;
}

/* The first number counts them, so it gives the next place. `rc`: of the store; an error other than these two means, in
 * a fleet, that the broker's ledger says "not sent". */
static void note_refusal(gateway_account *a, struct gateway_job *j, int rc)
{
    j->alone = a->priv.g->o.claimed != NULL && (rc == AVITO_ERR_ROOM || rc == LEDGER_DENIED);
    j->refused = !j->random_id && has_refusals(a);
    if (j->refused && !was_refused(a, j->id)) {
        uint64_t *all = a->priv.refusals;

        all[1 + all[0]++ % (GATEWAY_REFUSALS - 1)] = ledger_hash(LEDGER_HASH, j->id, strlen(j->id));
        a->priv.refused++;
        gateway_changed(a);
        a->priv.refusals_changed = a->o.save_refusals != NULL;
    }
}

/* A refusal is stored before it is published; if the disk cannot take even that, it stays in memory
 * only. */
static bool refusals_are_kept(gateway_account *a)
{
    int rc;

    if (!a->priv.refusals_changed) {
        return true;
    }
    rc = a->o.save_refusals(a->o.ctx, a->priv.refusals);
    a->priv.refusals_changed = a->priv.refusals_under_way = rc == AVITO_AGAIN;
    return !a->priv.refusals_changed;
}

static void start_answering(struct gateway_job *j)
{
    j->phase = ANSWERING;
    j->answers = j->o->response_topic != NULL ? 3 : 1;
    j->pause_ms = 0;
}

/* The job gets an answer without being done. */
static void refuse(struct gateway_job *j, const char *reason)
{
    const bool is_message = j->o->act == ORDER_SEND || j->o->act == ORDER_IMAGE;

    j->state = is_message ? LEDGER_NOT_SENT : LEDGER_NOT_DONE;
    snprintf(j->reason, sizeof j->reason, "%s", reason);
    start_answering(j);
}

/* Not before what is there: another gateway, whose clock may be ahead, would take it for older than all that it has, and
 * for forgotten. */
static int64_t begins_at(const gateway_account *a)
{
    const int64_t now = a->priv.g->o.unix_time(a->priv.g->o.ctx), last = ledger_last(&a->ledger);

    return last > now ? last : now;
}

/* What the ledger notes of the job in this state. */
static ledger_entry entry_of(const gateway_account *a, const struct gateway_job *j,
                             enum ledger_state state)
{
    ledger_entry e;

    (void)a;
    memset(&e, 0, sizeof e);
    memcpy(e.id, j->id, sizeof e.id);
    e.state = state;
    e.act = order_words[j->o->act];
    e.target = j->o->target;
    e.text = j->o->act == ORDER_SEND ? j->o->text : "";
    e.baseline_id = j->baseline_id;
    e.baseline_created = j->baseline_created;
    e.message_id = j->message_id;
    e.reason = j->reason;
    e.begun = j->begun;
    e.owed = j->packet_id != 0;
    return e;
}

/* It was begun before a crash, or by another job with its id: it is looked for, and never sent. */
static void adopt(struct gateway_job *j, const ledger_entry *e, uint32_t now_ms)
{
    j->noted = j->looking = true;
    j->begun = e->begun;
    snprintf(j->baseline_id, sizeof j->baseline_id, "%s", e->baseline_id);
    j->baseline_created = e->baseline_created;
    j->look_from_ms = now_ms;
    j->call = CALL_LOOK;
}

static void take_outcome(struct gateway_job *j, const ledger_entry *e)
{
    j->repeat = true;
    j->state = e->state;
    j->begun = e->begun;
    snprintf(j->message_id, sizeof j->message_id, "%s", e->message_id);
    snprintf(j->reason, sizeof j->reason, "%s", e->reason);
}

static void answer_from(struct gateway_job *j, const ledger_entry *e)
{
    take_outcome(j, e);
    start_answering(j);
}

/* The entry that the ledger has learnt from another gateway; NULL: none that counts here. A refusal elsewhere
 * says nothing about a request that may have left here. */
static const ledger_entry *learnt(const gateway_account *a, const struct gateway_job *j)
{
    const ledger_entry *e = is_own(j) ? NULL : ledger_find(&a->ledger, j->id);

    if (e == NULL || (e->state == LEDGER_BEGUN && (j->noted || j->looking))) {
        return NULL;
    }
    return !j->left || e->state == LEDGER_SENT ? e : NULL;
}

/* A hint came while it was noted or settled here. An outcome goes the same way, in place of what is being written. */
static void give_way(struct gateway_job *j, const ledger_entry *e, uint32_t now_ms)
{
    j->writing = false;
    j->pause_ms = 0;
    if (e->state == LEDGER_BEGUN) {
        adopt(j, e, now_ms);
        j->phase = WAITING;
        return;
    }
    take_outcome(j, e);
    j->phase = SETTLING;
}

/* ---- answers ---- */

static void write_answer(const struct gateway_job *j, FILE *out)
{
    json_open(out, NULL, '{');
    json_word(out, "id", j->id);
    json_word(out, "outcome", ledger_words[j->state]);
    json_word(out, "command", order_words[j->o->act]);
    json_word(out, j->o->act == ORDER_BLOCK ? "user_id" : "chat_id", j->o->target);
    if (j->message_id[0] != '\0') {
        json_word(out, "message_id", j->message_id);
    }
    if (j->reason[0] != '\0') {
        json_word(out, "reason", j->reason);
    }
    if (j->repeat) {
        json_bool(out, "repeat", true);
    }
    json_close(out, '}');
}

static int publish_answer(gateway_account *a, struct gateway_job *j, const char *topic,
                          avito_str correlation)
{
    const struct gateway_flight what = {0, FLIGHT_ANSWER, a, j, 0};
    mqtt_publication p;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    int rc;

    if (out == NULL) {
        return MQTT_AGAIN;
    }
    write_answer(j, out);
    fclose(out);
    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload.ptr = text;
    p.payload.len = len - 1; /* without the line end */
    p.qos = 1;
    p.correlation = correlation;
    rc = gateway_publish(a->priv.g, &p, what);
    free(text);
    j->open_answers = (uint8_t)(j->open_answers + (rc == MQTT_OK));
    return rc;
}

static void acknowledge(gateway_account *a, struct gateway_job *j)
{
    if (j->packet_id != 0) {
        const int rc = mqtt_acknowledge(a->priv.g->o.broker, j->packet_id, MQTT_REASON_SUCCESS);

        j->acknowledging = rc == MQTT_AGAIN;
        if (j->acknowledging) {
            gateway_block(a);
            return;
        }
        ledger_acknowledged(&a->ledger, j->id);
    }
    drop(a, j);
}

static uint32_t longer(uint32_t pause_ms)
{
    return pause_ms < 500 ? 1000 : pause_ms < PAUSE_MAX_MS / 2 ? pause_ms * 2 : PAUSE_MAX_MS;
}

/* An answer that the broker refused for a passing reason is published again: until then its command
 * stays. */
static void answers_left(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    const uint32_t pause_ms = longer(j->unsaid_ms);

    if (!j->unsaid) {
        acknowledge(a, j);
        return;
    }
    j->unsaid = false;
    start_answering(j);
    j->pause_from_ms = now_ms;
    j->pause_ms = j->unsaid_ms = pause_ms;
}

void gateway_job_answered(gateway_account *a, struct gateway_job *j, uint8_t reason,
                          uint32_t now_ms)
{
    j->open_answers--;
    j->unsaid = j->unsaid || reason == MQTT_REASON_QUOTA;
    if (j->phase == ANSWERED && j->open_answers == 0) {
        answers_left(a, j, now_ms);
    }
}

/* A gateway that does not know of the refusal would carry out a command that was called "not sent". So the
 * command is acknowledged first. False: there is no room. */
static bool refusal_can_be_said(gateway_account *a, struct gateway_job *j)
{
    gateway *g = a->priv.g;

    if (!j->alone || j->packet_id == 0) {
        return true;
    }
    if (mqtt_acknowledge(g->o.broker, j->packet_id, MQTT_REASON_SUCCESS) == MQTT_AGAIN) {
        gateway_block(a);
        return false;
    }
    forget_packet(a, j);
    return true;
}

/* The commander chooses the response topic, which may be a topic of commands. An answer does not
 * pass for a command, since it has members that no command knows. */
static void answer(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    char topic[GATEWAY_TOPIC_MAX];
    const avito_str none = {NULL, 0};

    if (!mqtt_is_connected(a->priv.g->o.broker) || a->priv.g->priv.closing ||
        !has_paused(j, now_ms)) {
        return;
    }
    if (is_own(j)) {
        drop(a, j);
        return;
    }
    if ((j->refused && !refusals_are_kept(a)) || !refusal_can_be_said(a, j)) {
        return;
    }
    if (j->answers & 1) {
        snprintf(topic, sizeof topic, "avito/%s/results/%s", a->o.name, j->id);
        if (publish_answer(a, j, topic, none) == MQTT_AGAIN) {
            return;
        }
        j->answers &= 2;
    }
    if (j->answers & 2) {
        if (publish_answer(a, j, j->o->response_topic, j->o->correlation) == MQTT_AGAIN) {
            return;
        }
        j->answers = 0;
    }
    j->phase = ANSWERED;
    if (j->open_answers == 0) { /* the broker would take neither */
        answers_left(a, j, now_ms);
    }
}

/* ---- calls ---- */

static const char *topic_chat(const struct gateway_job *j)
{
    return j->o->target;
}

static int call_upload(gateway_account *a, struct gateway_job *j)
{
    avito_image_source source;

    memset(&source, 0, sizeof source);
    source.data = j->o->image;
    source.size = j->o->image_len;
    source.content_type = order_image_type(j->o->image, j->o->image_len);
    return avito_upload_image(a->lane->client, a->user_id, &source, a->lane->arena,
                              &j->out.uploaded);
}

static int call_baseline(gateway_account *a, struct gateway_job *j)
{
    avito_messages_query query;

    memset(&query, 0, sizeof query);
    query.limit = 1;
    query.want = AVITO_MESSAGE_BARE;
    return avito_get_messages(a->lane->client, a->user_id, topic_chat(j), &query, a->lane->arena,
                              &j->out.newest);
}

static int call_send(gateway_account *a, struct gateway_job *j)
{
    return j->o->act == ORDER_SEND
               ? avito_send_message(a->lane->client, a->user_id, topic_chat(j), j->o->text,
                                    a->lane->arena, &j->out.message)
               : avito_send_image_message(a->lane->client, a->user_id, topic_chat(j), j->image_id,
                                          a->lane->arena, &j->out.message);
}

static int call_act(gateway_account *a, struct gateway_job *j)
{
    avito_client *client = a->lane->client;
    avito_blacklist_user *user =
        &j->out.blocked; /* the call writes its body when it is connected */

    if (j->o->act == ORDER_READ) {
        return avito_mark_chat_as_read(client, a->user_id, topic_chat(j));
    }
    if (j->o->act == ORDER_DELETE) {
        return avito_delete_message(client, a->user_id, topic_chat(j), j->o->text);
    }
    memset(user, 0, sizeof *user);
    user->user_id = j->o->user_id;
    user->item_id = j->o->item_id;
    user->reason = j->o->reason;
    return avito_add_to_blacklist(client, a->user_id, user, 1);
}

/* Copies what `claimed` points to. */
static bool keep_claimed(struct gateway_job *j, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += strlen(j->claimed[i]) + 1u;
    }
    free(j->claimed_ids);
    j->claimed_ids = malloc(len + 1u);
    if (j->claimed_ids == NULL) {
        return false;
    }
    for (size_t i = 0, at = 0; i < count; i++) {
        len = strlen(j->claimed[i]) + 1u;
        j->claimed[i] = memcpy(j->claimed_ids + at, j->claimed[i], len);
        at += len;
    }
    return true;
}

static int call_look(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    const ledger_entry *e = ledger_find(&a->ledger, j->id);
    avito_sent_query query;

    memset(&query, 0, sizeof query);
    query.text = j->o->act == ORDER_SEND ? j->o->text : NULL;
    query.baseline_id = j->baseline_id[0] != '\0' ? j->baseline_id : NULL;
    query.baseline_created = j->baseline_created;
    query.claimed_count = e != NULL ? ledger_claimed(&a->ledger, e, j->claimed, CLAIMED_MAX) : 0;
    query.claimed = j->claimed;
    if (!keep_claimed(j, query.claimed_count)) {
        return AVITO_ERR_ROOM;
    }
    query.age_s = (now_ms - j->look_from_ms) / 1000u;
    return avito_confirm_sent(a->lane->client, a->user_id, topic_chat(j), &query, a->lane->arena,
                              &j->verdict, &j->out.message);
}

static int call_unread(gateway_account *a, struct gateway_job *j)
{
    avito_chats_query query;

    memset(&query, 0, sizeof query);
    query.unread_only = true;
    query.chat_types = AVITO_CHAT_TYPE_U2I | AVITO_CHAT_TYPE_U2U | AVITO_CHAT_TYPE_A2U;
    query.want = AVITO_CHAT_LAST_MESSAGE | AVITO_MESSAGE_BARE;
    return avito_get_chats(a->lane->client, a->user_id, &query, a->lane->arena, &j->out.chats);
}

/* How long a request waits for its turn if requests are limited. */
static uint32_t turn_ms(const gateway_account *a)
{
    const uint32_t rate = a->o.reader->account->o.requests_per_minute;

    return rate > 0 ? 60000u / rate + 1000u : 0;
}

static uint32_t longest_call_ms(const gateway_account *a, const struct gateway_job *j)
{
    const uint32_t ms = j->call == CALL_UPLOAD ? UPLOAD_MS
                        : j->call == CALL_SEND ? SEND_MS
                                               : CALL_MS;

    return turn_ms(a) + ms;
}

/* Begins the call that the job's phase wants, on the account's lane. */
static int begin_call(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    avito_arena_reset(a->lane->arena);
    a->lane->client->o.total_timeout_ms = longest_call_ms(a, j);
    switch (j->call) {
        case CALL_UPLOAD:
            return call_upload(a, j);
        case CALL_BASELINE:
            return call_baseline(a, j);
        case CALL_SEND:
            return call_send(a, j);
        case CALL_LOOK:
            return call_look(a, j, now_ms);
        case CALL_UNREAD:
            return call_unread(a, j);
        case CALL_SUBSCRIPTIONS:
            return avito_get_webhook_subscriptions(a->lane->client, a->lane->arena,
                                                   &j->out.subscriptions);
        case CALL_CHAT:
            return avito_get_chat(a->lane->client, a->user_id, topic_chat(j), a->lane->arena,
                                  &j->out.chat);
        case CALL_SUBSCRIBE:
            return avito_subscribe_webhook(a->lane->client, a->o.webhook_url);
        default:
            return call_act(a, j);
    }
}

static uint8_t first_call(const struct gateway_job *j)
{
    static const uint8_t calls[] = {CALL_BASELINE, CALL_UPLOAD, CALL_ACT,           CALL_ACT,
                                    CALL_ACT,      CALL_UNREAD, CALL_SUBSCRIPTIONS, CALL_CHAT};

    return j->looking ? CALL_LOOK : calls[j->o->act];
}

/* ---- the end of a call ---- */

/* It may work later: nothing is wrong with the command. */
static bool is_passing(int rc)
{
    switch (rc) {
        case AVITO_ERR_RATE:
        case AVITO_ERR_SERVER:
        case AVITO_ERR_OPTION_TIME:
        case AVITO_ERR_HOOK:
        case AVITO_ERR_CANCELLED:
            return true;
        default:
            return rc <= -300 && rc > -500;
    }
}

static void start_looking(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    j->looking = true;
    j->look_from_ms = now_ms;
    j->call = CALL_LOOK;
    pause_job(a, j, 1000, now_ms);
}

/* A call has failed: the job is retried later, is looked for in the chat, or ends. */
static void fail(gateway_account *a, struct gateway_job *j, int rc, uint32_t now_ms)
{
    const avito_error *e = avito_last_error(a->lane->client);
    const bool is_message = j->o->act == ORDER_SEND || j->o->act == ORDER_IMAGE;
    const bool in_doubt = e->outcome == AVITO_CANNOT_TELL;
    uint32_t pause_ms = j->pause_ms * 2;
    char text[GATEWAY_REASON_MAX];

    gateway_describe(a->lane->client, rc, text, sizeof text);
    j->left = j->left && in_doubt;
    if (is_own(j)) {
        gateway_own_failed(a, j->o->act, text, now_ms);
        settle(j, LEDGER_NOT_DONE, text);
    } else if (j->call == CALL_SEND && in_doubt) {
        start_looking(a, j, now_ms);
    } else if (is_passing(rc) && !(in_doubt && j->o->act == ORDER_DELETE)) {
        gateway_account_warns(a, text);
        pause_ms = pause_ms < 1000 ? 1000 : pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
        if (rc == AVITO_ERR_RATE && e->retry_after_s > 0 && e->retry_after_s <= 60) {
            pause_ms = e->retry_after_s * 1000u;
        }
        j->call = j->call == CALL_SEND ? CALL_BASELINE : j->call;
        pause_job(a, j, pause_ms, now_ms);
    } else if (j->looking) {
        settle(j, LEDGER_CANNOT_TELL, text); /* the chat cannot be read any more */
    } else {
        settle(j,
               is_message ? LEDGER_NOT_SENT
               : in_doubt ? LEDGER_CANNOT_TELL
                          : LEDGER_NOT_DONE,
               text);
    }
}

static void take_message_id(struct gateway_job *j, avito_str id)
{
    snprintf(j->message_id, sizeof j->message_id, "%s", id.ptr != NULL ? id.ptr : "");
}

static uint32_t look_for_ms(const gateway_account *a)
{
    const uint32_t ms = a->priv.g->o.look_for_ms;

    return ms > 0 ? ms + turn_ms(a) : LOOK_FOR_MS; /* another's send may still wait for its turn */
}

static void give_up_looking(gateway_account *a, struct gateway_job *j)
{
    char text[GATEWAY_REASON_MAX];

    snprintf(text, sizeof text,
             say(TEXT("not seen after %u s, which is no proof: it is not sent again",
                      "за %u с не найдено, но это не доказательство: второй раз не отправляется")),
             (unsigned)(look_for_ms(a) / 1000u));
    settle(j, LEDGER_CANNOT_TELL, text);
}

static void looked(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    if (j->verdict == AVITO_SENT) {
        take_message_id(j, j->out.message.id);
        settle(j, LEDGER_SENT, say(TEXT("found in the chat", "найдено в чате")));
    } else if (now_ms - j->look_from_ms >= look_for_ms(a)) {
        give_up_looking(a, j);
    } else {
        pause_job(a, j, LOOK_EVERY_MS, now_ms);
    }
}

static void baseline_read(struct gateway_job *j)
{
    const avito_messages *newest = &j->out.newest;

    j->baseline_id[0] = '\0';
    j->baseline_created = 0;
    if (newest->count > 0 && newest->items[0].id.ptr != NULL &&
        newest->items[0].id.len < sizeof j->baseline_id) {
        memcpy(j->baseline_id, newest->items[0].id.ptr, newest->items[0].id.len + 1);
        j->baseline_created = newest->items[0].created;
    }
    j->phase = NOTING;
}

static void subscriptions_read(gateway_account *a, struct gateway_job *j)
{
    const avito_subscriptions *all = &j->out.subscriptions;

    for (size_t i = 0; i < all->count; i++) {
        if (avito_str_equal(all->items[i].url, a->o.webhook_url)) {
            settle(j, LEDGER_DONE, "");
            return;
        }
    }
    j->call = CALL_SUBSCRIBE;
    j->phase = WAITING;
}

static void uploaded(struct gateway_job *j)
{
    const avito_str id = j->out.uploaded.image_id;

    if (id.ptr == NULL || id.len >= sizeof j->image_id) {
        settle(j, LEDGER_NOT_SENT,
               say(TEXT("the service gave the picture no id", "сервис не дал картинке номера")));
        return;
    }
    memcpy(j->image_id, id.ptr, id.len + 1);
    j->call = CALL_BASELINE;
    j->phase = WAITING;
}

/* A call has ended: takes what it brought, and goes on to the job's next step. */
static void call_over(gateway_account *a, struct gateway_job *j, int rc, uint32_t now_ms)
{
    if (j->call == CALL_SUBSCRIBE && rc == AVITO_ERR_CONFLICT) {
        rc = AVITO_OK;
    }
    if (rc != AVITO_OK) {
        fail(a, j, rc, now_ms);
        return;
    }
    j->pause_ms = 0;
    switch (j->call) {
        case CALL_UPLOAD:
            uploaded(j);
            break;
        case CALL_BASELINE:
            baseline_read(j);
            break;
        case CALL_SEND:
            take_message_id(j, j->out.message.id);
            settle(j, LEDGER_SENT, "");
            break;
        case CALL_LOOK:
            looked(a, j, now_ms);
            break;
        case CALL_UNREAD:
            gateway_unread(a, (int)j->out.chats.count);
            settle(j, LEDGER_DONE, "");
            break;
        case CALL_CHAT:
            gateway_named(a, &j->out.chat);
            settle(j, LEDGER_DONE, "");
            break;
        case CALL_SUBSCRIPTIONS:
            subscriptions_read(a, j);
            break;
        default:
            if (j->o->act == ORDER_READ) {
                gateway_chat_read(a);
            }
            settle(j, LEDGER_DONE, "");
            break;
    }
}

/* ---- steps ---- */

static void forget_own(gateway_account *a, struct gateway_job *j)
{
    return_lane(a);
    drop(a, j);
}

/* Since its note, on the clock that counts sleep. */
static uint32_t begun_for_ms(const gateway_account *a, const struct gateway_job *j)
{
    return a->priv.g->o.boot_ms(a->priv.g->o.ctx) - j->begun_ms;
}

/* The machine slept in the middle of a send, which by its own clock is not over. */
static bool is_late(const gateway_account *a, const struct gateway_job *j)
{
    return j->call == CALL_SEND && begun_for_ms(a, j) > BEGUN_AGE_MS + longest_call_ms(a, j);
}

/* The machine slept meanwhile, or another gateway has done it: if it has not left yet, it stays. */
static bool is_overtaken(const gateway_account *a, const struct gateway_job *j)
{
    return is_late(a, j) || (j->call == CALL_SEND && learnt(a, j) != NULL);
}

static void step_calling(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    int rc;

    if (is_overtaken(a, j)) {
        avito_cancel(a->lane->client);
        rc = AVITO_ERR_CANCELLED;
    } else {
        rc = avito_step(a->lane->client);
    }
    if (rc != AVITO_AGAIN) {
        call_over(a, j, rc, now_ms);
    }
}

/* Since it was taken, the ledger may have learnt of it, or the commander may have stopped
 * waiting. */
static bool is_answered(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    const ledger_entry *e = learnt(a, j);

    if (e != NULL && e->state != LEDGER_BEGUN) {
        answer_from(j, e);
        return true;
    }
    if (e != NULL) {
        adopt(j, e, now_ms);
    }
    if (j->twin && e == NULL && (j->o->wrong != NULL || was_refused(a, j->id))) {
        refuse(j, j->o->wrong != NULL ? j->o->wrong
                                      : say(TEXT("it was refused before: send it with a new id",
                                                 "уже было отказано: отправьте с новым id")));
        return true;
    }
    if (j->expires && !j->looking && j->call != CALL_SEND && now_ms - j->taken_ms >= j->expiry_ms) {
        settle(j,
               j->o->act == ORDER_SEND || j->o->act == ORDER_IMAGE ? LEDGER_NOT_SENT
                                                                   : LEDGER_NOT_DONE,
               say(TEXT("it expired before it could be done",
                        "срок команды истёк раньше, чем её удалось выполнить")));
        return true;
    }
    return false;
}

static void call_now(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    int rc;

    j->phase = CALLING;
    rc = begin_call(a, j, now_ms);
    if (rc != AVITO_AGAIN) {
        call_over(a, j, rc, now_ms);
    }
}

static void step_waiting(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    if (a->user_id != 0 && !is_answered(a, j, now_ms) && !a->priv.poll_waits && has_lane(a)) {
        j->call = j->call == CALL_FIRST ? first_call(j) : j->call;
        call_now(a, j, now_ms);
    }
}

static bool is_stale(const gateway_account *a, const struct gateway_job *j)
{
    return begun_for_ms(a, j) > BEGUN_AGE_MS;
}

/* Another gateway that finds the note may look for the message and give up, so the send must not
 * leave long after. Nothing has left yet: everything is done again with what the chat holds now. */
static void send_now(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    if (!is_stale(a, j)) {
        j->call = CALL_SEND;
        j->left = true;
        call_now(a, j, now_ms);
    } else if (++j->stale < STALE_MAX) {
        j->call = CALL_BASELINE;
        j->phase = WAITING;
    } else {
        settle(j, LEDGER_NOT_SENT,
               say(TEXT(
                   "noting it on the disk took over 5 s, three times: send it later, with a new id",
                   "запись на диск трижды заняла больше 5 с: отправьте позже, с новым id")));
    }
}

static const char *why_not_noted(int rc)
{
    switch (rc) {
        case AVITO_ERR_ROOM:
            return say(TEXT("out of memory: send it later, with a new id",
                            "не хватает памяти: отправьте позже, с новым id"));
        case LEDGER_DENIED:
            return say(TEXT("the broker does not take the ledger, so nothing is sent: send it "
                            "later, with a new id",
                            "брокер не принимает журнал отправок, поэтому ничего не отправлено: "
                            "отправьте позже, с новым id"));
        default:
            return say(TEXT("the ledger cannot be written, so nothing is sent: is the disk full?",
                            "журнал отправок не записать, поэтому ничего не отправлено: диск "
                            "полон?"));
    }
}

/* The lane stays with the job as long as the request may follow. */
static void step_noting(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    const ledger_entry *known = learnt(a, j);
    ledger_entry e;
    int rc;

    if (known != NULL) {
        give_way(j, known, now_ms);
        return;
    }
    if (!j->writing) {
        j->begun = begins_at(a);
        j->begun_ms = a->priv.g->o.boot_ms(a->priv.g->o.ctx);
    }
    e = entry_of(a, j, LEDGER_BEGUN);
    rc = ledger_note(&a->ledger, &e);
    j->writing = rc == AVITO_AGAIN;
    if (j->writing) {
        if (is_stale(a, j)) { /* no send can follow */
            return_lane(a);
        }
        return;
    }
    if (rc == AVITO_OK) {
        j->noted = true;
        send_now(a, j, now_ms);
    } else if (j->noted) { /* an earlier attempt is noted, so its outcome must be noted, too */
        settle(j, LEDGER_NOT_SENT,
               say(TEXT("the ledger cannot be written: is the disk full?",
                        "журнал отправок не записать: диск полон?")));
    } else if (!ledger_has_room(&a->ledger)) { /* meanwhile another's have come */
        return_lane(a);
        j->call = CALL_BASELINE;
        j->phase = WAITING;
    } else {
        return_lane(a);
        note_refusal(a, j, rc);
        refuse(j, why_not_noted(rc));
        gateway_account_warns(a, j->reason);
    }
}

/* SETTLING: notes the outcome. If another gateway knows better, that counts instead. */
static void step_settling(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    const ledger_entry *known = learnt(a, j);
    ledger_entry e;
    int rc;

    return_lane(a);
    if (known != NULL &&
        (known->state == LEDGER_BEGUN || ledger_outranks(known->state, j->state))) {
        give_way(j, known, now_ms);
        return;
    }
    if (!j->writing && !has_paused(j, now_ms)) {
        return;
    }
    if (j->begun == 0) {
        j->begun = begins_at(a);
    }
    e = entry_of(a, j, j->state);
    rc = ledger_note(&a->ledger, &e);
    j->writing = rc == AVITO_AGAIN;
    if (rc < 0 && j->noted) { /* the disk says "begun", which must not stay */
        gateway_account_warns(a, say(TEXT("the ledger cannot be written: is the disk full?",
                                          "журнал отправок не записать: диск полон?")));
        j->pause_from_ms = now_ms;
        j->pause_ms = SAVE_AGAIN_MS;
        return;
    }
    if (rc < 0 && (j->state == LEDGER_NOT_SENT || j->state == LEDGER_NOT_DONE)) {
        note_refusal(a, j, rc);
    }
    if (rc != AVITO_AGAIN) {
        start_answering(j);
        gateway_changed(a);
    }
}

static void step_pausing(struct gateway_job *j, uint32_t now_ms)
{
    if (has_paused(j, now_ms)) {
        j->phase = WAITING;
    }
}

/* One move of the job in progress. False: it cannot move now. */
static bool move(gateway_account *a, struct gateway_job *j, uint32_t now_ms)
{
    const uint8_t phase = j->phase, call = j->call;

    if (is_own(j) && phase == SETTLING) {
        forget_own(a, j);
        return true;
    }
    switch (phase) {
        case WAITING:
            step_waiting(a, j, now_ms);
            break;
        case CALLING:
            step_calling(a, j, now_ms);
            break;
        case PAUSING:
            step_pausing(j, now_ms);
            break;
        case NOTING:
            step_noting(a, j, now_ms);
            break;
        default:
            step_settling(a, j, now_ms);
            break;
    }
    return j->phase != phase || j->call != call;
}

bool gateway_job_is_calling(const gateway_account *a)
{
    const struct gateway_job *j = a->priv.jobs;

    while (j != NULL && j->phase != CALLING && j->phase != NOTING) {
        j = j->next;
    }
    return j != NULL;
}

static void step_answers(gateway_account *a, uint32_t now_ms)
{
    struct gateway_job *next;

    for (struct gateway_job *j = a->priv.jobs; j != NULL; j = next) {
        next = j->next;
        if (j->phase == ANSWERING) {
            answer(a, j, now_ms);
        } else if (j->acknowledging) {
            acknowledge(a, j);
        }
    }
}

/* Once, as long as nothing else goes wrong: whoever gave the command has no answer yet. */
static void tell_of_room(gateway_account *a)
{
    const struct gateway_job *j = a->priv.jobs;

    while (j != NULL && !lacks_room(a, j)) {
        j = j->next;
    }
    if (j != NULL) {
        gateway_account_warns(
            a, say(TEXT("256 commands have no end yet: more wait until one of them has",
                        "256 команд ещё не завершены: остальные ждут")));
    }
}

void gateway_job_step(gateway_account *a, uint32_t now_ms)
{
    struct gateway_job *j;

    while ((j = current(a, now_ms)) != NULL && (!a->priv.leaving || gateway_job_is_busy(a)) &&
           move(a, j, now_ms)) {
        if (!gateway_job_is_calling(a)) {
            return_lane(a); /* others have their turn */
        }
    }
    if (j == NULL) {
        return_lane(a);
    }
    tell_of_room(a);
    step_answers(a, now_ms);
}

/* Only jobs in hand are waited for. */
static void renew_owed(gateway_account *a)
{
    ledger_owes_none(&a->ledger);
    for (const struct gateway_job *j = a->priv.jobs; j != NULL; j = j->next) {
        if (j->packet_id != 0) {
            ledger_owed(&a->ledger, j->id);
        }
    }
}

void gateway_job_age(gateway_account *a, bool all_came)
{
    if (all_came) {
        renew_owed(a);
    }
    ledger_age(&a->ledger, a->priv.g->o.unix_time(a->priv.g->o.ctx));
}

/* An answer that has not left, though there is room. */
static bool owes_answer(const gateway_account *a, uint32_t now_ms)
{
    const gateway *g = a->priv.g;
    const struct gateway_job *j = a->priv.jobs;

    while (j != NULL && (j->phase != ANSWERING || !has_paused(j, now_ms) ||
                         (j->refused && a->priv.refusals_under_way))) {
        j = j->next;
    }
    return j != NULL && !a->priv.listed[GATEWAY_BLOCKED] && mqtt_is_connected(g->o.broker);
}

static uint32_t pause_left(const struct gateway_job *j, uint32_t now_ms)
{
    return has_paused(j, now_ms) ? 0 : j->pause_ms - (now_ms - j->pause_from_ms);
}

/* The next due time of messages that are looked for, or answers that are published, again and
 * again. */
static uint32_t others_left(const gateway_account *a, uint32_t now_ms)
{
    uint32_t ms = UINT32_MAX;

    for (const struct gateway_job *j = a->priv.jobs; j != NULL; j = j->next) {
        const bool waits = (j->looking && j->phase == PAUSING) ||
                           (j->phase == ANSWERING && !has_paused(j, now_ms));
        const uint32_t left = waits ? pause_left(j, now_ms) : UINT32_MAX;

        ms = left < ms ? left : ms;
    }
    return ms;
}

uint32_t gateway_job_deadline_ms(const gateway_account *a, uint32_t now_ms)
{
    const struct gateway_job *j = current(a, now_ms);

    if (owes_answer(a, now_ms)) {
        return 0;
    }
    if (j == NULL || (j->phase == WAITING && (a->user_id == 0 || a->priv.listed[GATEWAY_WAIT]))) {
        return others_left(a, now_ms); /* gateway_step() lends lanes */
    }
    if (j->phase == CALLING) {
        return avito_deadline_ms(a->lane->client);
    }
    if (j->writing) {
        return DISK_AGAIN_MS;
    }
    return pause_left(j, now_ms) < others_left(a, now_ms) ? pause_left(j, now_ms)
                                                          : others_left(a, now_ms);
}

/* ---- taking ---- */

/* Valid as long as the broker's session: the same packet comes again with it. */
static void make_id(gateway *g, const mqtt_message *m, char id[LEDGER_ID_MAX + 1])
{
    uint64_t hash = ledger_hash(LEDGER_HASH, m->topic.ptr, m->topic.len);

    if (m->payload.ptr != NULL) {
        hash = ledger_hash(hash, m->payload.ptr, m->payload.len);
    }
    if (m->packet_id != 0) {
        snprintf(id, LEDGER_ID_MAX + 1, "p%08x-%u-%016llx", (unsigned)g->o.session,
                 (unsigned)m->packet_id, (unsigned long long)hash);
    } else {
        uint32_t random = 0;

        (void)g->o.entropy(g->o.ctx, &random, sizeof random);
        snprintf(id, LEDGER_ID_MAX + 1, "q%08x-%u-%016llx", (unsigned)random,
                 (unsigned)++g->priv.counter, (unsigned long long)hash);
    }
}

/* The same packet came again after a lost connection, and its job is still here. */
static struct gateway_job *waiting_for(const gateway_account *a, const char *id)
{
    struct gateway_job *j = a->priv.jobs;

    while (j != NULL && (is_own(j) || j->packet_id != 0 || strcmp(j->id, id) != 0)) {
        j = j->next;
    }
    return j;
}

/* How many commands one account may hold. A broker that keeps to its Receive Maximum sends no more
 * until some are acknowledged, so one account must not have all the places. */
static size_t places(const gateway *g)
{
    return g->priv.most > g->o.window ? PLACES : g->o.window;
}

static bool is_in_hand(const gateway_account *a, const char *id)
{
    const struct gateway_job *j = a->priv.jobs;

    while (j != NULL && (is_own(j) || strcmp(j->id, id) != 0)) {
        j = j->next;
    }
    return j != NULL;
}

/* Repeated by an impatient commander while the first is not done. If it names another response
 * topic, it gets an answer there. */
static bool is_twin(const gateway_account *a, const order *o)
{
    return o->response_topic == NULL && is_in_hand(a, o->id);
}

/* With QoS 0 no window limits them, and even a refusal takes memory until the broker has it. */
static bool is_flooded(const gateway_account *a, const mqtt_message *m)
{
    size_t count = 0;

    for (const struct gateway_job *j = a->priv.jobs; j != NULL; j = j->next) {
        count += j->packet_id == 0;
    }
    return m->qos == 0 && count >= PLACES;
}

/* With several accounts, none may have more waiting commands than there are places left for all. */
static bool is_too_much(const gateway_account *a, const mqtt_message *m)
{
    const gateway *g = a->priv.g;
    const size_t all = places(g), taken = g->priv.taken < all ? g->priv.taken : all;

    if (m->qos == 0) {
        return gateway_job_count(a) > QOS_0_MAX;
    }
    return g->priv.taken > PLACES || (g->priv.count > 1 && a->priv.taken > all - taken);
}

/* A picture that would be taken when fewer wait. */
static bool found_no_room(const gateway *g, const struct gateway_job *j, const mqtt_message *m)
{
    return j->o->act == ORDER_IMAGE && !m->retain && m->payload.ptr == NULL && m->payload.len > 0 &&
           m->payload.len <= g->o.pictures_max / 2;
}

/* Why the command must not be done, for its answer; NULL: it may be done. */
static const char *objection(gateway_account *a, const struct gateway_job *j, const mqtt_message *m)
{
    gateway *g = a->priv.g;
    const bool no_room = found_no_room(g, j, m);

    if (j->o->wrong != NULL && !no_room) {
        return j->o->wrong;
    }
    if (was_refused(a, j->id)) {
        return say(TEXT("it was refused before: send it with a new id",
                        "уже было отказано: отправьте с новым id"));
    }
    if (is_too_much(a, m)) {
        return say(
            TEXT("too many commands of this account wait: send it later, with a new id",
                 "ждёт слишком много команд этой учётной записи: отправьте позже, с новым id"));
    }
    if (no_room || (j->o->image_len > 0 && g->priv.pictures > g->o.pictures_max)) {
        return say(TEXT("too many pictures wait: send it later, with a new id",
                        "ждёт слишком много картинок: отправьте позже, с новым id"));
    }
    if (g->priv.unsaved && j->derived) {
        g->priv.unsaved = g->o.save_session(g->o.ctx, g->o.session) != AVITO_OK;
    }
    if (g->priv.unsaved && j->derived) {
        return say(TEXT("without an id it could be done twice now, since the disk takes nothing",
                        "без id команда могла бы выполниться дважды: на диск сейчас не записать"));
    }
    return NULL;
}

/* A new command: it is answered from the ledger, continued, refused, or left to wait for its turn. */
static void judge(gateway_account *a, struct gateway_job *j, const mqtt_message *m, uint32_t now_ms)
{
    const ledger_entry *e = ledger_find(&a->ledger, j->id);
    const char *wrong = j->twin ? NULL : objection(a, j, m);

    if (m->packet_id != 0) {
        ledger_owed(&a->ledger, j->id);
    }
    if (e != NULL && e->state != LEDGER_BEGUN) {
        answer_from(j, e);
    } else if (e != NULL) {
        adopt(j, e, now_ms);
    } else if (wrong != NULL) {
        if (wrong != j->o->wrong) {
            note_refusal(a, j, AVITO_ERR_ROOM);
        }
        refuse(j, wrong);
    }
}

void gateway_job_take(gateway_account *a, const mqtt_message *m, enum order_act act,
                      avito_str target, uint32_t now_ms)
{
    order *o = is_flooded(a, m) ? NULL : order_read(m, act, target);
    const bool derived = o != NULL && o->id[0] == '\0';
    bool twin;
    struct gateway_job *j;

    if (o == NULL && m->qos == 0) { /* it is done at most once */
        gateway_account_warns(a, say(TEXT("too many commands with QoS 0: some are dropped",
                                          "слишком много команд с QoS 0: часть отброшена")));
        return;
    }
    if (o == NULL) { /* not acknowledged: it comes again with the next connection */
        gateway_account_warns(a,
                              say(TEXT("out of memory: a command waits until the next connection",
                                       "не хватает памяти: команда ждёт следующего соединения")));
        return;
    }
    if (derived) {
        make_id(a->priv.g, m, o->id);
    }
    j = waiting_for(a, o->id);
    if (j != NULL) {
        free(o);
        give_packet(a, j, m->packet_id);
        return;
    }
    if (is_twin(a, o) && mqtt_acknowledge(a->priv.g->o.broker, m->packet_id, MQTT_REASON_SUCCESS) !=
                             MQTT_AGAIN) { /* the first one's result is that of both */
        free(o);
        return;
    }
    twin = is_in_hand(a, o->id);
    j = new_job(a, o);
    if (j == NULL) {
        return;
    }
    j->twin = twin;
    give_packet(a, j, m->packet_id);
    j->derived = derived && m->packet_id != 0;
    j->random_id = derived && m->packet_id == 0;
    j->taken_ms = now_ms;
    j->expires = m->expiry_s < UINT32_MAX / 1000u;
    j->expiry_ms = j->expires ? m->expiry_s * 1000u : 0;
    judge(a, j, m, now_ms);
}

void gateway_job_own(gateway_account *a, enum order_act act, const char *target)
{
    const size_t size = strlen(target) + 1;
    order *o = calloc(1, sizeof *o + size);
    struct gateway_job *j;

    if (o != NULL) {
        o->act = act;
        o->target = o->text = memcpy(o + 1, target, size);
    }
    j = new_job(a, o);
    if (j == NULL) {
        gateway_own_failed(a, act, say(TEXT("out of memory", "не хватает памяти")), 0);
    } else if (act == ORDER_CHAT) {
        struct gateway_job **at = &a->priv.jobs;

        while (*at != j) {
            at = &(*at)->next;
        }
        *at = NULL;
        j->next = a->priv.jobs;
        a->priv.jobs = j;
    }
}

void gateway_job_recover(gateway_account *a, uint32_t now_ms)
{
    const ledger_entry *e;

    for (size_t n = 0; (e = ledger_begun(&a->ledger, n)) != NULL; n++) {
        struct gateway_job *j = is_in_hand(a, e->id) ? NULL : new_job(a, order_of_entry(e));

        if (j != NULL) {
            adopt(j, e, now_ms);
        }
    }
}

void gateway_job_lost(gateway_account *a)
{
    for (struct gateway_job *j = a->priv.jobs; j != NULL; j = j->next) {
        j->packet_id = 0;
        j->acknowledging = false;
        j->open_answers = 0;
        j->unsaid = false;
        if (is_over(j)) {
            start_answering(j);
        }
    }
    a->priv.taken = 0;
}

void gateway_job_drop(gateway_account *a)
{
    free(a->priv.refusals);
    a->priv.refusals = NULL;
    gateway_list_remove(a, GATEWAY_WAIT);
    if (a->lane != NULL) {
        avito_cancel(a->lane->client);
    }
    return_lane(a);
    while (a->priv.jobs != NULL) {
        drop(a, a->priv.jobs);
    }
}
