/* gateway.c - see gateway.h. Commands and their results are in job.c. */
#include "gateway.h"
#include "hass.h"
#include "job.h"
#include "jsonl.h"
#include "russian.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { GATEWAY_SUBSCRIBE = 1, GATEWAY_MARKER = 2, GATEWAY_STATUS = 4 }; /* .due of the gateway */

/* .due of an account */
enum {
    DUE_SUBSCRIBE = 1,
    DUE_STATUS = 2,
    DUE_STATE = 4,
    DUE_DISCOVERY = 8,
    DUE_UNSUBSCRIBE = 16,
    DUE_REMOVAL = 32 /* once, before the discovery without them */
};

#define DUE_LEAVING (DUE_UNSUBSCRIBE | DUE_STATUS | DUE_DISCOVERY) /* of an account that goes */

enum { PHASE_BEGIN, PHASE_ASKING, PHASE_PAUSE, PHASE_RUN }; /* who is it? */

enum { MESSAGE_NONE, MESSAGE_NAMING, MESSAGE_PUBLISHED, MESSAGE_HELD, MESSAGE_ACCEPTING };

#define STATE_EVERY_MS  5000u
#define UNREAD_EVERY_MS 60000u
#define UNREAD_AGAIN_MS                                                                            \
    300000u /* while there are any: they may be read elsewhere, which brings no message */
#define WEBHOOK_EVERY_MS 86400000u
#define PAUSE_MAX_MS     60000u
#define SAVE_AGAIN_MS    5000u
#define AGE_EVERY_MS     3600000u
#define SPREAD_MS        20u /* between the first polls of two accounts */
#define AGAIN_MAX_MS     3600000u
#define VOICE_MS         3600000u
#define VOICE_LINES      20u /* of one account within VOICE_MS */

/* ---- what people and `state` are told ---- */

static bool is_hour_over(const gateway_options *o, const struct gateway_voice *v)
{
    return o->boot_ms(o->ctx) - v->from_ms >= VOICE_MS;
}

/* What lasts is said only once, so after lines were left out it is said again. */
bool gateway_voice_owes(const gateway_options *o, const struct gateway_voice *v)
{
    return v->unsaid > 0 && is_hour_over(o, v);
}

static void begin_hour(const gateway_options *o, struct gateway_voice *v, const char *name)
{
    char text[GATEWAY_REASON_MAX];

    if (v->unsaid > 0) {
        snprintf(text, sizeof text,
                 say(TEXT("lines left out since then: %u", "с тех пор пропущено строк: %u")),
                 v->unsaid);
        o->say(o->ctx, name, text);
    }
    v->from_ms = o->boot_ms(o->ctx);
    v->lines = v->unsaid = 0;
}

/* What fails and works again all the time would fill the log. */
void gateway_voice_tell(const gateway_options *o, struct gateway_voice *v, const char *name,
                        const char *text)
{
    if (is_hour_over(o, v)) {
        begin_hour(o, v, name);
    }
    if (v->lines == VOICE_LINES) {
        v->unsaid++;
        return;
    }
    o->say(o->ctx, name, text);
    if (++v->lines == VOICE_LINES) {
        o->say(o->ctx, name,
               say(TEXT("this changes often: no more of it is said within the hour",
                        "это часто меняется: больше об этом в течение часа не сообщается")));
    }
}

bool gateway_owes_line(const gateway *g)
{
    return gateway_voice_owes(&g->o, &g->priv.voice);
}

void gateway_tell(gateway *g, const char *text)
{
    gateway_voice_tell(&g->o, &g->priv.voice, NULL, text);
}

static void account_tells(gateway_account *a, const char *text)
{
    const gateway_options *o = &a->priv.g->o;

    gateway_voice_tell(o, o->voice != NULL ? o->voice : &a->priv.voice, a->o.name, text);
}

static bool account_owes_line(const gateway_account *a)
{
    const gateway_options *o = &a->priv.g->o;

    return gateway_voice_owes(o, o->voice != NULL ? o->voice : &a->priv.voice);
}

void gateway_say(gateway *g, const char *text)
{
    if (strcmp(g->priv.said, text) != 0 || gateway_owes_line(g)) {
        snprintf(g->priv.said, sizeof g->priv.said, "%s", text);
        gateway_tell(g, text);
    }
}

static void account_says(gateway_account *a, const char *text)
{
    gateway *g = a->priv.g;

    snprintf(a->priv.error, sizeof a->priv.error, "%s", text);
    a->priv.error_at = g->o.unix_time(g->o.ctx);
    a->priv.told = true;
    a->priv.due |= DUE_STATE;
    account_tells(a, a->priv.error);
}

void gateway_account_warns(gateway_account *a, const char *text)
{
    if (strcmp(a->priv.error, text) != 0 || account_owes_line(a)) {
        account_says(a, text);
    }
}

/* A problem with the account's messages, which it lives by. */
static void account_fails(gateway_account *a, const char *text)
{
    const bool is_new = !a->priv.told || strcmp(a->priv.error, text) != 0 || account_owes_line(a);

    a->priv.failing = true;
    if (is_new) {
        account_says(a, text);
    }
}

static void account_works(gateway_account *a)
{
    a->priv.told = false;
    if (a->priv.failing || account_owes_line(a)) {
        a->priv.failing = false;
        a->priv.due |= DUE_STATE;
        account_tells(a, say(TEXT("works again", "снова работает")));
    }
}

/* What happened, and what the server or the hook said about it. Not what to do: a send that may have arrived must
 * not be tried again. */
void gateway_describe(const avito_client *client, int result, char *out, size_t cap)
{
    const avito_error *e = avito_last_error(client);
    const char *text = error_text(result);
    const int n = snprintf(out, cap, "%.*s", (int)strcspn(text, ";"), text);
    size_t len;

    if (e->code == result && e->text[0] != '\0' && n > 0 && (size_t)n < cap) {
        snprintf(out + n, cap - (size_t)n, ": %s", e->text);
    }
    for (len = strlen(out); !mqtt_is_text((avito_str){out, len}); len--) {
        out[len - 1] = '\0'; /* cut in the middle of a character */
    }
}

/* ---- publishing ---- */

static struct gateway_flight *flight_of(gateway *g, uint16_t id)
{
    struct gateway_flight *f = g->priv.flights;

    while (f < g->priv.flights + MQTT_WINDOW && f->id != id) {
        f++;
    }
    return f < g->priv.flights + MQTT_WINDOW ? f : NULL;
}

void gateway_list_add(gateway_account *a, enum gateway_list which)
{
    gateway *g = a->priv.g;

    if (a->priv.listed[which]) {
        return;
    }
    a->priv.listed[which] = true;
    a->priv.next[which] = NULL;
    if (g->priv.first[which] == NULL) {
        g->priv.first[which] = a;
    } else {
        g->priv.last[which]->priv.next[which] = a;
    }
    g->priv.last[which] = a;
}

void gateway_list_remove(gateway_account *a, enum gateway_list which)
{
    gateway *g = a->priv.g;
    gateway_account **at = &g->priv.first[which], *before = NULL;

    if (!a->priv.listed[which]) {
        return;
    }
    while (*at != a) {
        before = *at;
        at = &before->priv.next[which];
    }
    *at = a->priv.next[which];
    if (g->priv.last[which] == a) {
        g->priv.last[which] = before;
    }
    a->priv.listed[which] = false;
}

/* The first, which leaves the list; NULL: it is empty. */
static gateway_account *take_first(gateway *g, enum gateway_list which)
{
    gateway_account *a = g->priv.first[which];

    if (a != NULL) {
        gateway_list_remove(a, which);
    }
    return a;
}

void gateway_block(gateway_account *a)
{
    gateway_list_add(a, GATEWAY_BLOCKED);
}

int gateway_publish(gateway *g, const mqtt_publication *p, struct gateway_flight what)
{
    struct gateway_flight *f = flight_of(g, 0);
    const int rc = f != NULL ? mqtt_publish(g->o.broker, p, &what.id) : MQTT_AGAIN;

    if (rc == MQTT_OK && p->qos > 0) {
        *f = what;
    }
    if (rc == MQTT_AGAIN && what.account != NULL) {
        gateway_block(what.account);
    }
    return rc;
}

static int publish_retained(gateway_account *a, const char *topic, avito_str payload, unsigned due)
{
    const struct gateway_flight what = {0, FLIGHT_RETAINED, a, NULL, due};
    mqtt_publication p;

    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload = payload;
    p.qos = 1;
    p.retain = true;
    return gateway_publish(a->priv.g, &p, what);
}

static avito_str text_of(const char *text)
{
    const avito_str s = {text, strlen(text)};

    return s;
}

/* In a fleet it repeats the claim's status, with its properties: "offline" would give the account
 * away. */
static int publish_status(gateway_account *a, bool online)
{
    const struct gateway_flight what = {0, FLIGHT_RETAINED, a, NULL, DUE_STATUS};
    const gateway_options *o = &a->priv.g->o;
    char topic[GATEWAY_TOPIC_MAX];
    mqtt_publication p;

    snprintf(topic, sizeof topic, "avito/%s/status", a->o.name);
    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload = text_of(online || o->claimed != NULL ? "online" : "offline");
    p.qos = 1;
    p.retain = true;
    p.pairs = o->pairs;
    p.pairs_count = o->pairs_count;
    return gateway_publish(a->priv.g, &p, what);
}

static void write_state(const gateway_account *a, FILE *out)
{
    json_open(out, NULL, '{');
    if (a->priv.unread >= 0) {
        json_number(out, "unread", a->priv.unread);
    } else {
        json_raw(out, "unread", "null");
    }
    json_word(out, "tariff", avito_account_unpaid(a->o.reader->account) ? "missing" : "ok");
    json_bool(out, "working", !a->priv.failing && a->user_id != 0);
    json_bool(out, "held", a->priv.held);
    if (a->priv.error[0] != '\0') {
        json_open(out, "last_error", '{');
        json_word(out, "text", a->priv.error);
        json_number(out, "at", a->priv.error_at);
        json_close(out, '}');
    } else {
        json_raw(out, "last_error", "null");
    }
    json_open(out, "rate", '{');
    json_number(out, "per_minute", a->o.reader->account->o.requests_per_minute);
    json_number(out, "waiting", (int64_t)gateway_job_count(a));
    json_number(out, "refused", a->priv.refused);
    json_close(out, '}');
    json_number(out, "user_id", a->user_id);
    json_close(out, '}');
}

/* What a writer wrote, without the line end; to be freed. NULL: out of memory. */
static char *written(void (*write)(const gateway_account *a, FILE *out), const gateway_account *a,
                     size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    if (out == NULL) {
        return NULL;
    }
    write(a, out);
    fclose(out);
    *len -= *len > 0;
    return text;
}

/* What was said last is not said again. `said`: its hash; 0: none. */
static int publish_written(gateway_account *a, const char *topic,
                           void (*write)(const gateway_account *a, FILE *out), unsigned due,
                           uint64_t *said)
{
    size_t len = 0;
    char *text = written(write, a, &len);
    uint64_t hash;
    int rc = MQTT_OK;

    if (text == NULL) {
        return MQTT_AGAIN;
    }
    hash = ledger_hash(LEDGER_HASH, text, len);
    if (hash != *said) {
        rc = publish_retained(a, topic, (avito_str){text, len}, due);
    }
    free(text);
    *said = rc == MQTT_OK ? hash : *said;
    return rc;
}

static int publish_state(gateway_account *a, uint32_t now_ms)
{
    char topic[GATEWAY_TOPIC_MAX];
    int rc;

    snprintf(topic, sizeof topic, "avito/%s/state", a->o.name);
    rc = publish_written(a, topic, write_state, DUE_STATE, &a->priv.said_state);
    a->priv.state_ms = rc == MQTT_OK ? now_ms : a->priv.state_ms;
    return rc;
}

static void write_entities(const gateway_account *a, const char *const *removed, FILE *out)
{
    const gateway_options *o = &a->priv.g->o;

    hass_write(out, a->o.name, o->claimed != NULL ? NULL : o->name, a->o.notify, removed);
}

static void write_discovery(const gateway_account *a, FILE *out)
{
    write_entities(a, NULL, out);
}

static void write_removal(const gateway_account *a, FILE *out)
{
    write_entities(a, a->o.notify_before, out);
}

static void discovery_topic(const gateway_account *a, char out[GATEWAY_TOPIC_MAX])
{
    snprintf(out, GATEWAY_TOPIC_MAX, "%s/device/" HASS_ID "/config", a->priv.g->o.discovery,
             a->o.name);
}

/* An entity that Home Assistant was told of stays there, so one that is gone has to be removed. */
static int publish_removal(gateway_account *a)
{
    char topic[GATEWAY_TOPIC_MAX];
    uint64_t said = 0;

    if (a->priv.g->o.discovery == NULL) {
        return MQTT_OK;
    }
    discovery_topic(a, topic);
    return publish_written(a, topic, write_removal, DUE_REMOVAL, &said);
}

static void removal_over(gateway_account *a)
{
    a->priv.removing = false;
    if (a->o.removed != NULL) {
        a->o.removed(a->o.ctx);
    }
}

static int publish_discovery(gateway_account *a, bool there)
{
    char topic[GATEWAY_TOPIC_MAX];
    uint64_t said = 0;
    int rc;

    if (a->priv.g->o.discovery == NULL) {
        return MQTT_OK;
    }
    discovery_topic(a, topic);
    rc = there ? publish_written(a, topic, write_discovery, DUE_DISCOVERY, &said)
               : publish_retained(a, topic, text_of(""), DUE_DISCOVERY);
    if (rc == MQTT_ERR_SIZE) {
        gateway_account_warns(
            a, say(TEXT("too many chats in notify for one packet: Home Assistant is told nothing",
                        "в notify слишком много чатов для одного пакета: Home Assistant ничего не "
                        "узнает")));
    }
    return rc;
}

static int subscribe_account(gateway_account *a, bool there)
{
    char topics[ORDER_ACTS][128];
    mqtt_filter filters[ORDER_ACTS];
    mqtt *broker = a->priv.g->o.broker;
    int rc;

    for (int act = 0; act < ORDER_ACTS; act++) {
        snprintf(topics[act], sizeof topics[act], "avito/%s/%s/+", a->o.name, order_words[act]);
        filters[act] = (mqtt_filter){topics[act], 1, 2, true};
    }
    rc = there ? mqtt_subscribe(broker, filters, ORDER_ACTS, NULL)
               : mqtt_unsubscribe(broker, filters, ORDER_ACTS, NULL);
    if (rc == MQTT_AGAIN) {
        gateway_block(a);
    }
    return rc;
}

/* ---- what is due ---- */

static bool is_over(uint32_t from_ms, uint32_t ms, uint32_t now_ms)
{
    return now_ms - from_ms >= ms;
}

static void publication_over(struct gateway_again *again, unsigned due, bool refused,
                             uint32_t now_ms)
{
    if (refused && again->due == 0) {
        again->from_ms = now_ms;
        again->ms = 1000;
    }
    again->due = refused ? again->due | due : again->due & ~due;
}

/* What is due again now. */
static unsigned take_again(struct gateway_again *again, uint32_t now_ms)
{
    if (again->due == 0 || !is_over(again->from_ms, again->ms, now_ms)) {
        return 0;
    }
    again->from_ms = now_ms;
    again->ms = again->ms * 2 < AGAIN_MAX_MS ? again->ms * 2 : AGAIN_MAX_MS;
    return again->due;
}

/* Removes the bit if the act succeeded, or never can. */
static bool settle(unsigned *due, unsigned bit, int rc)
{
    if (rc != MQTT_AGAIN) {
        *due &= ~bit;
    }
    return rc == MQTT_OK;
}

static void flush_leaving(gateway_account *a)
{
    unsigned *due = &a->priv.due;

    if ((*due & DUE_UNSUBSCRIBE) && !settle(due, DUE_UNSUBSCRIBE, subscribe_account(a, false))) {
        return;
    }
    if ((*due & DUE_DISCOVERY) && !settle(due, DUE_DISCOVERY, publish_discovery(a, false))) {
        return;
    }
    if (*due & DUE_STATUS) {
        (void)settle(due, DUE_STATUS, publish_status(a, false));
    }
}

static bool state_is_due(const gateway_account *a, uint32_t now_ms)
{
    return (a->priv.due & DUE_STATE) &&
           (a->priv.said_state == 0 || now_ms - a->priv.state_ms >= STATE_EVERY_MS);
}

/* Publishes what is due for the account, in an order that a listener can rely on. What finds no room stays
 * due. */
static void flush_account(gateway_account *a, uint32_t now_ms)
{
    gateway *g = a->priv.g;
    unsigned *due = &a->priv.due;
    const unsigned again = a->priv.leaving ? 0 : take_again(&a->priv.again, now_ms);

    *due |= again | (again & DUE_REMOVAL ? DUE_DISCOVERY : 0);
    a->priv.said_state = again & DUE_STATE ? 0 : a->priv.said_state;
    if (!mqtt_is_connected(g->o.broker) || g->priv.closing) {
        return;
    }
    if (a->priv.leaving) {
        flush_leaving(a);
        return;
    }
    if ((*due & DUE_SUBSCRIBE) && !settle(due, DUE_SUBSCRIBE, subscribe_account(a, true))) {
        return;
    }
    if (!g->priv.ready) {
        return;
    }
    if ((*due & DUE_STATUS) && !settle(due, DUE_STATUS, publish_status(a, a->user_id != 0))) {
        return;
    }
    if ((*due & DUE_REMOVAL) && !settle(due, DUE_REMOVAL, publish_removal(a))) {
        return;
    }
    if ((*due & DUE_DISCOVERY) && !settle(due, DUE_DISCOVERY, publish_discovery(a, true))) {
        return;
    }
    if (state_is_due(a, now_ms)) {
        (void)settle(due, DUE_STATE, publish_state(a, now_ms));
    }
}

static const char *gateway_topic(const gateway *g, const char *rest, char out[GATEWAY_TOPIC_MAX])
{
    snprintf(out, GATEWAY_TOPIC_MAX, "avito/gateway/%s/%s", g->o.name, rest);
    return out;
}

static int subscribe_gateway(gateway *g)
{
    char marker[GATEWAY_TOPIC_MAX], hass[GATEWAY_TOPIC_MAX];
    mqtt_filter filters[2];
    size_t count = 0;

    if (g->o.claimed == NULL) {
        filters[count++] = (mqtt_filter){gateway_topic(g, "marker", marker), 0, 2, false};
    }
    if (g->o.discovery != NULL) {
        snprintf(hass, sizeof hass, "%s/status", g->o.discovery);
        filters[count++] = (mqtt_filter){hass, 0, 2, false};
    }
    return mqtt_subscribe(g->o.broker, filters, count, NULL);
}

/* A message to ourselves. Its PUBACK shows that everything before it has arrived, and whether the
 * broker tells truly that somebody listens (mosquitto 2.0.19 always said that nobody does). */
static int publish_marker(gateway *g)
{
    const struct gateway_flight what = {0, FLIGHT_MARKER, NULL, NULL, 0};
    char topic[GATEWAY_TOPIC_MAX];
    mqtt_publication p;

    memset(&p, 0, sizeof p);
    p.topic = gateway_topic(g, "marker", topic);
    p.payload = text_of("heard");
    p.qos = 1;
    return gateway_publish(g, &p, what);
}

static int publish_gateway_status(gateway *g, const char *word)
{
    const struct gateway_flight what = {0, FLIGHT_RETAINED, NULL, NULL, GATEWAY_STATUS};
    char topic[GATEWAY_TOPIC_MAX];
    mqtt_publication p;

    memset(&p, 0, sizeof p);
    p.topic = gateway_topic(g, "status", topic);
    p.payload = text_of(word);
    p.qos = 1;
    p.retain = true;
    return gateway_publish(g, &p, what);
}

/* Publishes what is due for the gateway itself; each only after the one before. */
static void flush_gateway(gateway *g, uint32_t now_ms)
{
    unsigned *due = &g->priv.due;

    *due |= take_again(&g->priv.again, now_ms);
    if (!mqtt_is_connected(g->o.broker) || g->priv.closing) {
        return;
    }
    if ((*due & GATEWAY_SUBSCRIBE) && !settle(due, GATEWAY_SUBSCRIBE, subscribe_gateway(g))) {
        return;
    }
    if ((*due & GATEWAY_MARKER) && !settle(due, GATEWAY_MARKER, publish_marker(g))) {
        return;
    }
    if ((*due & GATEWAY_STATUS) && g->priv.ready) {
        (void)settle(due, GATEWAY_STATUS, publish_gateway_status(g, "online"));
    }
}

/* ---- messages: inbox to broker ---- */

static uint32_t longer(uint32_t pause_ms)
{
    return pause_ms == 0 ? 1000 : pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
}

static void hold_message(gateway_account *a, uint32_t now_ms)
{
    a->priv.message = MESSAGE_HELD;
    a->priv.held_from_ms = now_ms;
    a->priv.held_ms = longer(a->priv.held_ms);
    a->priv.due |= a->priv.held ? 0 : DUE_STATE;
    a->priv.held = true;
}

/* ---- whose message it is, and about what ---- */

/* As many whole characters as fit. */
static void take_words(char *out, size_t cap, avito_str words)
{
    size_t len = words.len < cap ? words.len : cap - 1;

    while (len < words.len && len > 0 && ((unsigned char)words.ptr[len] & 0xc0) == 0x80) {
        len--;
    }
    if (len > 0) {
        memcpy(out, words.ptr, len);
    }
    out[len] = '\0';
}

/* What is known about a chat, in the form that the header's writer takes; everything points into
 * `c`. */
static const avito_chat *chat_of(gateway_chat *c)
{
    static avito_chat chat;
    static avito_user users[2];
    static avito_context context;
    static avito_item item;

    memset(&chat, 0, sizeof chat);
    memset(&item, 0, sizeof item);
    memset(users, 0, sizeof users);
    for (int i = 0; i < 2; i++) {
        users[i].id = c->users[i];
        users[i].name = text_of(c->names[i]);
        chat.users.count += c->names[i][0] != '\0';
    }
    chat.users.items = users;
    item.title = text_of(c->title);
    context.type = text_of("item");
    context.item = &item;
    chat.context = c->title[0] != '\0' ? &context : NULL;
    return &chat;
}

/* The account's own name is left out; the others follow in their order. */
void gateway_named(gateway_account *a, const avito_chat *chat)
{
    gateway_chat *c = &a->priv.chat;
    size_t n = 0;

    memset(c->names, 0, sizeof c->names);
    c->title[0] = '\0';
    for (size_t i = 0; chat != NULL && i < chat->users.count && n < 2; i++) {
        c->users[n] = chat->users.items[i].id;
        take_words(c->names[n], sizeof c->names[n], chat->users.items[i].name);
        n += c->names[n][0] != '\0';
    }
    if (chat != NULL && chat->context != NULL && chat->context->item != NULL) {
        take_words(c->title, sizeof c->title, chat->context->item->title);
    }
    if (a->priv.message == MESSAGE_NAMING) {
        a->priv.message = MESSAGE_NONE; /* the inbox gives the same one again */
    }
}

/* False: the message waits until that is known. */
static bool is_named(gateway_account *a, const avito_message *m)
{
    gateway_chat *c = &a->priv.chat;

    if (!a->o.names || avito_str_equal(m->chat_id, c->id) || m->chat_id.len >= sizeof c->id) {
        return true;
    }
    memcpy(c->id, m->chat_id.ptr, m->chat_id.len + 1);
    a->priv.message = MESSAGE_NAMING;
    gateway_job_own(a, ORDER_CHAT, c->id);
    return false;
}

/* The object of `avito watch --json`, with event_type before the rest. NULL: out of memory. */
static char *message_payload(const avito_message *m, const avito_chat *chat, size_t *len)
{
    static const char head[] = "{\"event_type\":\"message\",";
    size_t needed = 0;
    char *text;

    (void)avito_message_json(m, chat, NULL, 0, &needed);
    text = malloc(sizeof head + needed);
    if (text == NULL) {
        return NULL;
    }
    (void)avito_message_json(m, chat, text + sizeof head - 2, needed, &needed);
    memcpy(text, head, sizeof head - 1);
    *len = sizeof head - 2 + needed - 1;
    return text;
}

/* Publishes a message; the inbox keeps it until the PUBACK. One that cannot be published is held back for a
 * while. */
static void publish_message(gateway_account *a, const avito_message *m, uint32_t now_ms)
{
    const struct gateway_flight what = {0, FLIGHT_MESSAGE, a, NULL, 0};
    char topic[GATEWAY_TOPIC_MAX];
    mqtt_publication p;
    size_t len = 0;
    const bool same = avito_str_equal(m->chat_id, a->priv.chat.id);
    char *text = message_payload(m, same ? chat_of(&a->priv.chat) : NULL, &len);
    int n, rc = MQTT_AGAIN;

    memset(&p, 0, sizeof p);
    n = snprintf(topic, sizeof topic, "avito/%s/messages/", a->o.name);
    if (text != NULL && order_escape(m->chat_id.ptr, topic + n, sizeof topic - (size_t)n)) {
        p.topic = topic;
        p.payload.ptr = text;
        p.payload.len = len;
        p.qos = 1;
        rc = gateway_publish(a->priv.g, &p, what);
    }
    free(text);
    if (rc == MQTT_OK) {
        a->priv.message = MESSAGE_PUBLISHED;
    } else if (rc != MQTT_AGAIN) {
        account_fails(a, mqtt_result_text(rc));
        hold_message(a, now_ms);
    }
}

static bool is_saving(const gateway_account *a)
{
    const gateway *g = a->priv.g;

    return g->o.is_saving != NULL && g->o.is_saving(g->o.ctx, a->o.reader->account);
}

/* Lets the inbox accept the message. If its state cannot be saved yet, that is tried again later. */
static void accept_message(gateway_account *a, uint32_t now_ms)
{
    int rc;

    a->accepting = true;
    rc = avito_inbox_accept(&a->inbox);
    a->accepting = false;
    if (rc == AVITO_OK || rc == AVITO_ERR_IDLE) {
        a->priv.due |= a->priv.held ? DUE_STATE : 0;
        a->priv.message = MESSAGE_NONE;
        a->priv.held = false;
        a->priv.held_ms = 0;
        a->priv.unread_due = true;
        account_works(a);
        return;
    }
    a->priv.message = MESSAGE_ACCEPTING;
    a->priv.held_from_ms = now_ms;
    a->priv.held_ms = SAVE_AGAIN_MS;
    if (is_saving(a)) {
        return;
    }
    account_fails(
        a,
        say(TEXT("the state cannot be written, so no message counts as taken: is the disk full?",
                 "состояние не записать, поэтому сообщения не считаются принятыми: диск полон?")));
}

static bool holds(const gateway *g)
{
    return g->o.hold == GATEWAY_HOLD || (g->o.hold == GATEWAY_HOLD_AUTO && g->priv.can_tell);
}

static void message_acknowledged(gateway_account *a, uint8_t reason, uint32_t now_ms)
{
    gateway *g = a->priv.g;

    if (a->priv.message != MESSAGE_PUBLISHED) {
        return;
    }
    if (reason >= 0x80) {
        account_fails(a, mqtt_reason_text(reason));
        hold_message(a, now_ms);
    } else if (reason == MQTT_REASON_NOBODY_LISTENS && holds(g)) {
        hold_message(a, now_ms);
    } else {
        accept_message(a, now_ms);
    }
}

/* Tells people what the inbox has met. */
static void tell_events(gateway_account *a)
{
    unsigned events = avito_inbox_events(&a->inbox);
    sentence what;

    while (take_inbox_event(&events, &what)) {
        account_tells(a, say(what));
    }
}

/* The state says what the service last said about the tariff. */
static void note_tariff(gateway_account *a)
{
    const bool unpaid = avito_account_unpaid(a->o.reader->account);

    a->priv.due |= unpaid != a->priv.unpaid ? DUE_STATE : 0;
    a->priv.unpaid = unpaid;
}

/* No call is under way, not even one that pauses before its next try. */
static bool is_between_rounds(const gateway_account *a)
{
    return avito_wants(a->o.reader) == 0 && avito_inbox_deadline_ms(&a->inbox) > 0;
}

/* Where requests are limited, polls and commands take turns: a poll that is due again before the next turn comes would
 * take them all. A command that has begun lets no poll begin, and the next one waits for that. */
static bool lets_pass(const gateway_account *a)
{
    return a->o.reader->account->o.requests_per_minute > 0 && avito_wants(a->o.reader) == 0 &&
           gateway_job_is_calling(a);
}

/* One call of the inbox: a new message is published, and an error is reported. */
static void read_inbox(gateway_account *a, uint32_t now_ms)
{
    avito_message m;
    const int rc = avito_inbox_next(&a->inbox, &m);

    tell_events(a);
    if (rc == AVITO_OK && is_named(a, &m)) {
        publish_message(a, &m, now_ms);
    } else if (rc < 0 && !is_saving(a)) {
        char text[GATEWAY_REASON_MAX];

        gateway_describe(a->o.reader, rc, text, sizeof text);
        account_fails(a, text);
    } else if (is_between_rounds(a) && avito_last_error(a->o.reader)->code == AVITO_OK) {
        account_works(a);
    }
}

/* Goes on with the message in hand, or asks the inbox for the next one if nothing forbids that. */
static void step_messages(gateway_account *a, uint32_t now_ms)
{
    gateway *g = a->priv.g;
    const bool waited = is_over(a->priv.held_from_ms, a->priv.held_ms, now_ms);

    if (a->priv.message == MESSAGE_ACCEPTING && waited) {
        accept_message(a, now_ms);
    }
    if (a->priv.message == MESSAGE_HELD && waited) {
        a->priv.message = MESSAGE_NONE; /* the inbox gives the same one again */
    }
    a->priv.poll_waits = false;
    if (a->priv.message == MESSAGE_NONE && g->priv.ready && !g->priv.closing &&
        is_over(a->priv.pause_from_ms, a->priv.pause_ms, now_ms)) {
        a->priv.poll_waits = lets_pass(a) && avito_inbox_deadline_ms(&a->inbox) == 0;
        a->priv.poll_waits ? (void)0 : read_inbox(a, now_ms);
    }
}

/* ---- whose account is it ---- */

static void pause_account(gateway_account *a, int result, uint32_t now_ms)
{
    char text[GATEWAY_REASON_MAX];

    gateway_describe(a->o.reader, result, text, sizeof text);
    account_fails(a, text);
    a->priv.phase = PHASE_PAUSE;
    a->priv.pause_from_ms = now_ms;
    a->priv.pause_ms = longer(a->priv.pause_ms);
}

/* It is known whose account it is: the inbox begins, everything is due, and what a crash left begun is read
 * back. */
static void begin_running(gateway_account *a, uint32_t now_ms)
{
    int rc;

    a->o.inbox.user_id = a->priv.self.id;
    avito_arena_reset(a->o.inbox.arena);
    rc = avito_inbox_init(&a->inbox, a->o.reader, &a->o.inbox);
    if (rc != AVITO_OK) {
        pause_account(a, rc, now_ms);
        return;
    }
    a->user_id = a->priv.self.id;
    a->priv.phase = PHASE_RUN;
    a->priv.pause_ms = 0;
    a->priv.due |= DUE_STATUS | DUE_STATE;
    a->priv.unread_due = true;
    a->priv.unread_ms = now_ms - UNREAD_EVERY_MS;
    a->priv.webhook_ms = now_ms - WEBHOOK_EVERY_MS;
    a->priv.aged_ms = now_ms; /* what the broker has for us comes again within the hour */
    account_works(a);
    gateway_job_recover(a, now_ms);
}

/* Asks the service whose account it is, again after a pause if that fails. */
static void step_opening(gateway_account *a, uint32_t now_ms)
{
    int rc;

    if (a->priv.phase == PHASE_PAUSE) {
        if (!is_over(a->priv.pause_from_ms, a->priv.pause_ms, now_ms)) {
            return;
        }
        a->priv.phase = PHASE_BEGIN;
    }
    rc = a->priv.phase == PHASE_BEGIN ? avito_get_self(a->o.reader, a->o.inbox.arena, &a->priv.self)
                                      : avito_step(a->o.reader);
    a->priv.phase = PHASE_ASKING;
    if (rc == AVITO_OK) {
        begin_running(a, now_ms);
    } else if (rc != AVITO_AGAIN) {
        pause_account(a, rc, now_ms);
    }
}

/* ---- what the gateway asks for itself ---- */

/* How long after the last time unread chats are counted again; UINT32_MAX: never. */
static uint32_t unread_after_ms(const gateway_account *a)
{
    return a->priv.unread_due ? UNREAD_EVERY_MS : a->priv.unread > 0 ? UNREAD_AGAIN_MS : UINT32_MAX;
}

/* Makes jobs of its own when their time has come: unread chats, the webhook, old entries. */
static void ask_for_itself(gateway_account *a, uint32_t now_ms)
{
    const bool ready = a->priv.g->priv.ready;

    if (ready && is_over(a->priv.aged_ms, AGE_EVERY_MS, now_ms)) {
        a->priv.aged_ms = now_ms;
        gateway_job_age(a, is_over(a->priv.g->priv.connected_ms, AGE_EVERY_MS, now_ms));
    }
    if (ready && is_over(a->priv.unread_ms, unread_after_ms(a), now_ms)) {
        a->priv.unread_due = false;
        a->priv.unread_ms = now_ms;
        gateway_job_own(a, ORDER_UNREAD, "");
    }
    if (a->o.webhook_url != NULL && is_over(a->priv.webhook_ms, WEBHOOK_EVERY_MS, now_ms)) {
        a->priv.webhook_ms = now_ms;
        gateway_job_own(a, ORDER_WEBHOOK, "");
    }
}

void gateway_own_failed(gateway_account *a, enum order_act act, const char *text, uint32_t now_ms)
{
    if (act == ORDER_CHAT) { /* the message goes without it */
        gateway_named(a, NULL);
        return;
    }
    gateway_account_warns(a, text);
    if (act == ORDER_UNREAD) {
        a->priv.unread_due = true;
    } else {
        a->priv.webhook_ms = now_ms - WEBHOOK_EVERY_MS + UNREAD_EVERY_MS; /* in a minute */
    }
}

void gateway_unread(gateway_account *a, int count)
{
    a->priv.due |= a->priv.unread != count ? DUE_STATE : 0;
    a->priv.unread = count;
}

void gateway_chat_read(gateway_account *a)
{
    a->priv.unread_due = true;
}

void gateway_changed(gateway_account *a)
{
    a->priv.due |= DUE_STATE;
}

/* ---- events of the broker ---- */

static void renew_session(gateway *g)
{
    uint32_t session = 0;

    (void)g->o.entropy(g->o.ctx, &session, sizeof session);
    g->o.session = session;
    g->priv.unsaved = g->o.save_session(g->o.ctx, session) != AVITO_OK;
    if (g->priv.unsaved) {
        gateway_say(g, say(TEXT("the number of the broker's session cannot be written: commands "
                                "without an id are refused until it can; is the disk full?",
                                "номер сеанса брокера не записать: пока так, команды без id не "
                                "принимаются; диск полон?")));
    }
}

/* The next step goes through all accounts. */
static void block_all(gateway *g)
{
    for (gateway_account *a = g->priv.first[GATEWAY_ALL]; a != NULL;
         a = a->priv.next[GATEWAY_ALL]) {
        gateway_block(a);
    }
}

/* A new connection: everything retained is published again. Without a session the old commands cannot come
 * again. */
static void connected(gateway *g, bool session_present, uint32_t now_ms)
{
    if (!session_present) {
        g->priv.most = 0;
        renew_session(g);
    }
    g->priv.connected_ms = now_ms;
    g->priv.due = GATEWAY_SUBSCRIBE | GATEWAY_MARKER | GATEWAY_STATUS;
    g->priv.again.due = 0;
    if (g->o.claimed != NULL) { /* the claim has done all of that */
        g->priv.due = g->o.discovery != NULL ? GATEWAY_SUBSCRIBE : 0;
        g->priv.ready = true;
        g->priv.can_tell = g->o.can_tell;
    }
    for (gateway_account *a = g->priv.first[GATEWAY_ALL]; a != NULL;
         a = a->priv.next[GATEWAY_ALL]) {
        a->priv.due = (g->o.claimed != NULL ? 0 : DUE_SUBSCRIBE | DUE_STATUS) | DUE_STATE |
                      DUE_DISCOVERY | (a->priv.removing ? DUE_REMOVAL : 0);
        a->priv.said_state = 0;
        a->priv.again.due = 0;
        if (!session_present) { /* no command comes again */
            ledger_owes_none(&a->ledger);
        }
    }
    block_all(g);
}

/* After a break all accounts would ask the service in the same moment. */
static void spread_polls(gateway *g, uint32_t now_ms)
{
    uint32_t ms = 0;

    for (gateway_account *a = g->priv.first[GATEWAY_ALL]; a != NULL;
         a = a->priv.next[GATEWAY_ALL]) {
        if (a->priv.phase == PHASE_RUN) {
            a->priv.pause_from_ms = now_ms;
            a->priv.pause_ms = ms;
            ms += SPREAD_MS;
        }
    }
}

/* The PUBACK of a publication of ours: what follows depends on what it was. */
static void flight_over(gateway *g, const mqtt_event *e, uint32_t now_ms)
{
    struct gateway_flight *f = flight_of(g, e->packet_id);
    const struct gateway_flight what =
        f != NULL ? *f : (struct gateway_flight){0, 0, NULL, NULL, 0};

    if (f == NULL) {
        return;
    }
    f->id = 0;
    if (what.account != NULL) {
        gateway_stir(what.account);
    }
    switch (what.what) {
        case FLIGHT_MARKER:
            g->priv.can_tell = e->reason == MQTT_REASON_SUCCESS;
            g->priv.ready = true;
            block_all(g);
            spread_polls(g, now_ms);
            g->priv.said[0] = '\0';
            break;
        case FLIGHT_MESSAGE:
            message_acknowledged(what.account, e->reason, now_ms);
            break;
        case FLIGHT_ANSWER:
            gateway_job_answered(what.account, what.job, e->reason, now_ms);
            break;
        default:
            if (what.due == DUE_REMOVAL && what.account != NULL && e->reason < 0x80) {
                removal_over(what.account);
            }
            publication_over(what.account != NULL ? &what.account->priv.again : &g->priv.again,
                             what.due, e->reason >= 0x80, now_ms);
            break;
    }
    if (e->reason >= 0x80 && what.what != FLIGHT_MESSAGE) {
        gateway_say(g, mqtt_reason_text(e->reason));
    }
    if (what.what == FLIGHT_CLOSING) {
        g->priv.closed = true;
    }
}

static void subscribed(gateway *g, const mqtt_event *e)
{
    if (e->reason >= 0x80) {
        gateway_say(
            g, say(TEXT("the broker does not let all commands be subscribed: see its access rules",
                        "брокер не даёт подписаться на все команды: проверьте его права доступа")));
    }
}

static gateway_account *account_named(gateway *g, avito_str name)
{
    gateway_account *a = g->priv.first[GATEWAY_ALL];

    while (a != NULL && !avito_str_equal(name, a->o.name)) {
        a = a->priv.next[GATEWAY_ALL];
    }
    return a;
}

/* Home Assistant has started: it gets the discovery after 0 to 3 s, since others send theirs,
 * too. */
static void home_assistant(gateway *g, uint32_t now_ms)
{
    uint16_t random = 0;

    (void)g->o.entropy(g->o.ctx, &random, sizeof random);
    g->priv.discovery = true;
    g->priv.discovery_from_ms = now_ms;
    g->priv.discovery_ms = random % 3000u;
}

static void tell_home_assistant(gateway *g)
{
    g->priv.discovery = false;
    g->priv.due |= g->o.claimed != NULL ? 0 : GATEWAY_STATUS;
    for (gateway_account *a = g->priv.first[GATEWAY_ALL]; a != NULL;
         a = a->priv.next[GATEWAY_ALL]) {
        a->priv.due |= a->priv.leaving ? 0 : DUE_DISCOVERY | DUE_STATUS | DUE_STATE;
        a->priv.said_state = 0;
    }
    block_all(g);
}

/* A command, or Home Assistant's birth message. Commands of accounts that are not served are acknowledged
 * unread. */
static void take_message(gateway *g, const mqtt_message *m, uint32_t now_ms)
{
    avito_str name, target;
    enum order_act act;
    gateway_account *a;
    char status[GATEWAY_TOPIC_MAX];

    if (order_topic(m->topic, &name, &act, &target)) {
        a = account_named(g, name);
        if (a != NULL && !a->priv.leaving) {
            gateway_job_take(a, m, act, target, now_ms);
            gateway_stir(a);
            return;
        }
    } else if (g->o.discovery != NULL) {
        snprintf(status, sizeof status, "%s/status", g->o.discovery);
        if (avito_str_equal(m->topic, status) && avito_str_equal(m->payload, "online")) {
            home_assistant(g, now_ms);
        }
    }
    if (m->packet_id != 0) { /* of an account that is not served any more */
        (void)mqtt_acknowledge(g->o.broker, m->packet_id, MQTT_REASON_SUCCESS);
    }
}

void gateway_event(gateway *g, const mqtt_event *e, uint32_t now_ms)
{
    switch (e->kind) {
        case MQTT_CONNECTED:
            if (mqtt_objection(e) != NULL) {
                gateway_say(g, mqtt_objection(e));
            }
            connected(g, e->session_present, now_ms);
            break;
        case MQTT_ACKNOWLEDGED:
            flight_over(g, e, now_ms);
            break;
        case MQTT_SUBSCRIBED:
            subscribed(g, e);
            break;
        case MQTT_MESSAGE:
        case MQTT_LARGE:
            take_message(g, &e->message, now_ms);
            break;
        default:
            break;
    }
}

void gateway_lost(gateway *g)
{
    mqtt_end(g->o.broker); /* a publication now would never be answered */
    memset(g->priv.flights, 0, sizeof g->priv.flights);
    g->priv.ready = g->priv.left_commands = false;
    while (take_first(g, GATEWAY_BLOCKED) != NULL) {
    }
    g->priv.taken = 0;
    g->priv.due = 0;
    for (gateway_account *a = g->priv.first[GATEWAY_ALL]; a != NULL;
         a = a->priv.next[GATEWAY_ALL]) {
        if (a->priv.message == MESSAGE_PUBLISHED) {
            a->priv.message = MESSAGE_NONE;
        }
        gateway_job_lost(a);
    }
}

/* ---- steps ---- */

void gateway_account_step(gateway_account *a, uint32_t now_ms)
{
    bool naming;

    if (a->priv.phase != PHASE_RUN) {
        if (!a->priv.leaving) {
            step_opening(a, now_ms);
        }
    } else if (!a->priv.leaving) {
        step_messages(a, now_ms);
        ask_for_itself(a, now_ms);
    }
    naming = a->priv.message == MESSAGE_NAMING;
    gateway_job_step(a, now_ms);
    if (naming && a->priv.message == MESSAGE_NONE && !a->priv.leaving) {
        step_messages(a, now_ms);
    }
    note_tariff(a);
    flush_account(a, now_ms);
}

/* Who finds no room waits behind the others, so that no account is always the last to find some. */
static void step_blocked(gateway *g, uint32_t now_ms)
{
    gateway_account *a;

    while ((a = take_first(g, GATEWAY_BLOCKED)) != NULL) {
        gateway_account_step(a, now_ms);
        gateway_stir(a);
        if (a->priv.listed[GATEWAY_BLOCKED]) {
            break;
        }
    }
}

void gateway_step(gateway *g, uint32_t now_ms)
{
    if (g->priv.discovery && is_over(g->priv.discovery_from_ms, g->priv.discovery_ms, now_ms)) {
        tell_home_assistant(g);
    }
    flush_gateway(g, now_ms);
    step_blocked(g, now_ms);
    gateway_job_lend(g, now_ms);
}

void gateway_stir(gateway_account *a)
{
    gateway_list_add(a, GATEWAY_STIRRED);
}

gateway_account *gateway_stirred(gateway *g)
{
    return take_first(g, GATEWAY_STIRRED);
}

/* ---- deadlines ---- */

static uint32_t left(uint32_t from_ms, uint32_t ms, uint32_t now_ms)
{
    const uint32_t since = now_ms - from_ms;

    return since < ms ? ms - since : 0;
}

static uint32_t sooner(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t again_left(const struct gateway_again *again, uint32_t now_ms)
{
    return again->due != 0 ? left(again->from_ms, again->ms, now_ms) : UINT32_MAX;
}

uint32_t gateway_deadline_ms(const gateway *g, uint32_t now_ms)
{
    const uint32_t ms = g->priv.discovery
                            ? left(g->priv.discovery_from_ms, g->priv.discovery_ms, now_ms)
                            : UINT32_MAX;

    return sooner(ms, again_left(&g->priv.again, now_ms));
}

static uint32_t opening_deadline(const gateway_account *a, uint32_t now_ms)
{
    if (a->priv.phase == PHASE_PAUSE) {
        return left(a->priv.pause_from_ms, a->priv.pause_ms, now_ms);
    }
    return a->priv.phase == PHASE_BEGIN ? 0 : avito_deadline_ms(a->o.reader);
}

/* Milliseconds until an account that runs has something to do by itself. */
static uint32_t running_deadline(const gateway_account *a, uint32_t now_ms)
{
    uint32_t ms = UINT32_MAX;

    if (a->priv.message == MESSAGE_HELD || a->priv.message == MESSAGE_ACCEPTING) {
        ms = left(a->priv.held_from_ms, a->priv.held_ms, now_ms);
    } else if (a->priv.message == MESSAGE_NONE && a->priv.g->priv.ready &&
               !a->priv.listed[GATEWAY_BLOCKED] && !a->priv.poll_waits) {
        const uint32_t pause_ms = left(a->priv.pause_from_ms, a->priv.pause_ms, now_ms);

        ms = avito_inbox_deadline_ms(&a->inbox);
        ms = ms > pause_ms ? ms : pause_ms;
    }
    if (unread_after_ms(a) < UINT32_MAX && a->priv.g->priv.ready) {
        ms = sooner(ms, left(a->priv.unread_ms, unread_after_ms(a), now_ms));
    }
    if (a->o.webhook_url != NULL) {
        ms = sooner(ms, left(a->priv.webhook_ms, WEBHOOK_EVERY_MS, now_ms));
    }
    return ms;
}

uint32_t gateway_account_deadline_ms(const gateway_account *a, uint32_t now_ms)
{
    uint32_t ms = gateway_job_deadline_ms(a, now_ms);

    if (a->priv.leaving) {
        return ms;
    }
    ms = sooner(ms, a->priv.phase == PHASE_RUN ? running_deadline(a, now_ms)
                                               : opening_deadline(a, now_ms));
    if ((a->priv.due & DUE_STATE) && a->priv.g->priv.ready && !a->priv.listed[GATEWAY_BLOCKED]) {
        ms = sooner(ms, left(a->priv.state_ms, STATE_EVERY_MS, now_ms));
    }
    return sooner(ms, again_left(&a->priv.again, now_ms));
}

/* ---- beginning and end ---- */

void gateway_init(gateway *g, const gateway_options *options)
{
    memset(g, 0, sizeof *g);
    g->o = *options;
}

void gateway_will(const gateway_options *options, mqtt_publication *will,
                  char topic[GATEWAY_TOPIC_MAX])
{
    snprintf(topic, GATEWAY_TOPIC_MAX, "avito/gateway/%s/status", options->name);
    memset(will, 0, sizeof *will);
    will->topic = topic;
    will->payload = text_of("offline");
    will->qos = 1;
    will->retain = true;
}

int gateway_add(gateway *g, gateway_account *a, const gateway_account_options *options)
{
    size_t bad = 0;
    int rc;

    memset(a, 0, sizeof *a);
    a->o = *options;
    a->priv.g = g;
    a->priv.unread = -1;
    rc = ledger_open(&a->ledger, options->ledger, &bad);
    rc = rc == AVITO_OK ? gateway_job_open(a) : rc;
    if (rc != AVITO_OK) {
        ledger_close(&a->ledger);
        return rc;
    }
    if (bad > 0) {
        g->o.say(g->o.ctx, options->name,
                 say(TEXT("lines of the ledger make no sense and are left out",
                          "непонятные строки журнала отправок пропущены")));
    }
    gateway_list_add(a, GATEWAY_ALL);
    g->priv.count++;
    a->priv.removing = options->notify_before != NULL && options->notify_before[0] != NULL;
    a->priv.due = DUE_SUBSCRIBE | DUE_STATUS | DUE_STATE | DUE_DISCOVERY |
                  (a->priv.removing ? DUE_REMOVAL : 0);
    return AVITO_OK;
}

/* Removes the account from every list, and from publications that wait for their PUBACK. */
static void unlink_account(gateway *g, gateway_account *a)
{
    for (int which = 0; which < GATEWAY_LISTS; which++) {
        gateway_list_remove(a, (enum gateway_list)which);
    }
    g->priv.count--;
    for (size_t i = 0; i < MQTT_WINDOW; i++) {
        if (g->priv.flights[i].account == a) {
            g->priv.flights[i] =
                (struct gateway_flight){g->priv.flights[i].id, FLIGHT_RETAINED, NULL, NULL, 0};
        }
    }
}

bool gateway_remove(gateway *g, gateway_account *a)
{
    if (!a->priv.leaving) {
        a->priv.leaving = true;
        a->priv.due = g->o.claimed != NULL ? 0 : DUE_LEAVING;
        avito_cancel(a->o.reader);
    }
    flush_account(a, 0);
    if (mqtt_is_connected(g->o.broker) &&
        ((a->priv.due & DUE_LEAVING) != 0 || gateway_job_is_busy(a))) {
        return false;
    }
    g->priv.left_commands = g->priv.left_commands || a->priv.taken > 0;
    gateway_job_drop(a);
    avito_client_close(a->o.reader);
    ledger_close(&a->ledger);
    unlink_account(g, a);
    return true;
}

bool gateway_left_commands(const gateway *g)
{
    return g->priv.left_commands;
}

void gateway_saved(gateway_account *a)
{
    if (a->priv.message == MESSAGE_ACCEPTING) {
        a->priv.held_ms = 0;
    }
}

bool gateway_rest(gateway_account *a)
{
    if (!a->priv.leaving) {
        a->priv.leaving = true;
        a->priv.due = 0;
        avito_cancel(a->o.reader);
    }
    return !gateway_job_is_busy(a);
}

void gateway_learn(gateway_account *a, const char *lines, size_t len, uint32_t now_ms)
{
    if (ledger_merge(&a->ledger, lines, len) > 0 && a->priv.phase == PHASE_RUN) {
        gateway_job_recover(a, now_ms);
    }
}

void gateway_ring(gateway *g, int64_t user_id)
{
    for (gateway_account *a = g->priv.first[GATEWAY_ALL]; a != NULL;
         a = a->priv.next[GATEWAY_ALL]) {
        if (a->user_id == user_id && a->priv.phase == PHASE_RUN) {
            avito_inbox_doorbell(&a->inbox);
            gateway_stir(a);
        }
    }
}

size_t gateway_pictures(const gateway *g)
{
    return g->priv.pictures;
}

bool gateway_close(gateway *g)
{
    struct gateway_flight what = {0, FLIGHT_CLOSING, NULL, NULL, 0};
    char topic[GATEWAY_TOPIC_MAX];
    mqtt_publication p;

    if (!mqtt_is_connected(g->o.broker)) {
        return true;
    }
    if (!g->priv.closing) {
        memset(g->priv.flights, 0, sizeof g->priv.flights);
        gateway_will(&g->o, &p, topic);
        g->priv.closing = gateway_publish(g, &p, what) != MQTT_AGAIN;
    }
    if (g->priv.closed) {
        (void)mqtt_disconnect(g->o.broker, MQTT_REASON_SUCCESS);
    }
    return g->priv.closed;
}
