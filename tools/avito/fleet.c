/* fleet.c - see fleet.h.
 *
 * Topics, besides those that people use:
 *
 *     avito/fleet/FLEET/nodes/NODE   retained: beats (F3)
 *     avito/fleet/FLEET/mark/NODE    a node's own marker: it arrives when the node sees the present
 *     avito/ACCOUNT/status           retained: online, offline, handover; node, epoch, key, to as user properties
 *     avito/ACCOUNT/fleet/ledger     retained: one line an entry; node, epoch, session, user
 *     avito/ACCOUNT/fleet/inbox      retained: the inbox's bytes; slot, node, epoch
 *     avito/ACCOUNT/fleet/mark       a claim's own marker, which says its key: a topic for each would stay subscribed in
 *                                    the account's session
 *     avito/ACCOUNT/fleet/probe      nobody has it
 *     avito/ACCOUNT/fleet/hint       what the broker forgot (F6)
 *     avito/ACCOUNT/fleet/bell       a notification came elsewhere (F9) */
#include "fleet.h"
#include "jsonl.h"
#include "language.h"
#include "order.h"

#include <bearssl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_CONNECT, STEP_READ, STEP_LEDGER, STEP_ONLINE }; /* .step of a claim */

#define KEEP_EVERY_MS  1000u /* when the deeds of others go into our files */
#define FAILED_MS      2000u /* when a refused write is retried */
#define HINT_EVERY_MS  5000u
#define LEDGER_HEAD    "ledger\n" /* an empty payload would remove it */
#define EXPIRY_LEAST_S 604800u
#define WATCH_AT_ONCE  8 /* accounts in one SUBSCRIBE */

/* ---- secrets and times ---- */

static void hmac(const void *secret, size_t len, const char *what, const char *name,
                 unsigned char out[br_sha256_SIZE])
{
    br_hmac_key_context key;
    br_hmac_context mac;

    br_hmac_key_init(&key, &br_sha256_vtable, secret, len);
    br_hmac_init(&mac, &key, 0);
    br_hmac_update(&mac, what, strlen(what) + 1);
    br_hmac_update(&mac, name, strlen(name));
    br_hmac_out(&mac, out);
}

/* Six bits a letter. */
static void letters_of(const unsigned char *bytes, char *out, size_t count)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < count; i++) {
        const size_t bit = i * 6, at = bit / 8;
        const unsigned two = (unsigned)bytes[at] << 8 | bytes[at + 1];

        out[i] = letters[two >> (10 - bit % 8) & 63];
    }
    out[count] = '\0';
}

void fleet_client_id(const void *secret, size_t len, const char *account, char out[FLEET_CLIENT_ID])
{
    unsigned char bytes[br_sha256_SIZE];

    hmac(secret, len, "client id", account, bytes);
    memcpy(out, "avito-", 6);
    letters_of(bytes, out + 6, 22);
}

void fleet_path(const void *secret, size_t len, char *out, size_t cap)
{
    unsigned char bytes[br_sha256_SIZE];
    char letters[33];

    hmac(secret, len, "path", "", bytes);
    letters_of(bytes, letters, 32);
    snprintf(out, cap, "/%s", letters);
}

fleet_times fleet_times_of(unsigned percent)
{
    fleet_times t = {5000, 20000, 2000, 1000, 3000, 300, 50, 150, 10000, 2000, 5000, 60000, 60000};
    uint32_t *const scaled[] = {&t.beat,    &t.silent, &t.none,       &t.wait,
                                &t.random,  &t.each,   &t.claim,      &t.taken_up,
                                &t.unequal, &t.denied, &t.again_from, &t.again_random};

    for (size_t i = 0; i < sizeof scaled / sizeof *scaled; i++) {
        *scaled[i] = *scaled[i] * percent / 100u;
    }
    return t;
}

const char *fleet_objection(size_t secret_len, bool by_consent)
{
    if (secret_len < FLEET_SECRET_MIN) {
        return say(TEXT("secret has at least 16 bytes, the same for all gateways; "
                        "openssl rand -hex 16 makes one",
                        "secret: не меньше 16 байт, одинаковый для всех шлюзов; его "
                        "создаст openssl rand -hex 16"));
    }
    if (by_consent) {
        return say(TEXT("an account by consent cannot be in a fleet: each use spends its refresh "
                        "token, and the next one is on one machine only",
                        "учётная запись по согласию не может быть в группе шлюзов: каждое "
                        "обновление тратит refresh token, а новый есть лишь на одной машине"));
    }
    return NULL;
}

/* ---- small things ---- */

static bool is_over(uint32_t from_ms, uint32_t ms, uint32_t now_ms)
{
    return now_ms - from_ms >= ms;
}

static uint32_t draw(const fleet *f, uint32_t below)
{
    uint32_t random = 0;

    (void)f->o.hooks.entropy(f->o.hooks.ctx, &random, sizeof random);
    return below > 0 ? random % below : 0;
}

static avito_str text_of(const char *text)
{
    const avito_str s = {text, strlen(text)};

    return s;
}

static void copy_text(char *to, size_t cap, avito_str from)
{
    const size_t n = from.ptr == NULL ? 0 : from.len < cap ? from.len : cap - 1;

    if (n > 0) {
        memcpy(to, from.ptr, n);
    }
    to[n] = '\0';
}

static int64_t long_number_of(avito_str text)
{
    char digits[24];

    copy_text(digits, sizeof digits, text);
    return strtoll(digits, NULL, 10);
}

static uint32_t number_of(avito_str text)
{
    return (uint32_t)long_number_of(text);
}

static void account_says(const fleet_account *a, const char *text)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;

    h->say(h->ctx, a->name, text);
}

static void account_topic(const fleet_account *a, const char *rest, char out[FLEET_TOPIC_MAX])
{
    snprintf(out, FLEET_TOPIC_MAX, "avito/%s/%s", a->name, rest);
}

static void node_topic(const fleet *f, const char *kind, const char *node,
                       char out[FLEET_TOPIC_MAX])
{
    snprintf(out, FLEET_TOPIC_MAX, FLEET_ROOT "%s/%s/%s", f->o.name, kind, node);
}

static size_t count_in(const fleet *f, enum fleet_state state)
{
    size_t count = 0;

    for (const fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        count += a->state == state;
    }
    return count;
}

static bool is_connected(const fleet_account *a)
{
    return a->state >= FLEET_CLAIMING;
}

static void see_epoch(fleet_account *a, uint32_t epoch)
{
    if (epoch > a->priv.seen_epoch && epoch != UINT32_MAX) {
        a->priv.seen_epoch = epoch;
        a->priv.epoch_dirty = true;
    }
}

/* What this node knows of the account's ledger and `theirs` (NULL: none) does not, as *count lines behind `head`;
 * to be freed. NULL: out of memory. */
static char *known_lines(const fleet_account *a, const char *head, const ledger *theirs,
                         size_t *len, size_t *count)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    if (out == NULL) {
        return NULL;
    }
    fputs(head, out);
    *count = ledger_difference(&a->priv.known, theirs, out);
    if (fclose(out) == 0) {
        return text;
    }
    free(text);
    return NULL;
}

/* ---- what is written: one version on its way, the newest next ---- */

static bool is_stored(const fleet_write *w, uint32_t version)
{
    return (int32_t)(w->stored - version) >= 0;
}

static bool is_due(const fleet_write *w, uint32_t now_ms)
{
    return w->packet == 0 && !is_stored(w, w->version) &&
           (!w->failed || is_over(w->failed_ms, FAILED_MS, now_ms));
}

static void answered(fleet_write *w, uint8_t reason, uint32_t now_ms)
{
    w->packet = 0;
    w->failed = reason >= 0x80;
    w->failed_ms = now_ms;
    w->denied_ms = w->denied ? w->denied_ms : now_ms;
    w->denied = w->failed;
    if (!w->failed) {
        w->stored = w->flying;
    }
}

static int publish(fleet_account *a, const char *rest, avito_str payload, const mqtt_pair *pairs,
                   size_t count, uint16_t *packet)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    char topic[FLEET_TOPIC_MAX];
    mqtt_publication p;

    account_topic(a, rest, topic);
    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload = payload;
    p.qos = 1;
    p.retain = true;
    p.pairs = pairs;
    p.pairs_count = count;
    return h->publish(h->ctx, a, &p, packet);
}

/* Publishes the newest version of a retained message. A version that finds no room is retried; a refusal is
 * reported once. */
static void fly(fleet_account *a, fleet_write *w, const char *rest, avito_str payload,
                const mqtt_pair *pairs, size_t count, uint32_t now_ms)
{
    const int rc = publish(a, rest, payload, pairs, count, &w->packet);
    const bool is_new = !w->failed;

    if (rc == MQTT_OK) {
        w->flying = w->version;
        w->failed = false;
        return;
    }
    w->packet = 0;
    if (rc != MQTT_AGAIN) {
        answered(w, MQTT_REASON_UNSPECIFIED, now_ms);
        if (is_new) {
            account_says(a, mqtt_result_text(rc));
        }
    }
}

/* Publishes the whole ledger, with what a later claim needs to know of this holder. */
static void fly_ledger(fleet_account *a, uint32_t now_ms)
{
    char session[12], user[24];
    const mqtt_pair pairs[] = {{"node", a->priv.f->o.node},
                               {"epoch", a->priv.epoch_text},
                               {"session", session},
                               {"user", user}};
    size_t len, count;
    char *text = known_lines(a, LEDGER_HEAD, NULL, &len, &count);

    if (text == NULL) {
        return;
    }
    snprintf(session, sizeof session, "%" PRIu32, a->session);
    snprintf(user, sizeof user, "%" PRId64, a->user_id);
    fly(a, &a->priv.ledger, "fleet/ledger", (avito_str){text, len}, pairs, 4, now_ms);
    free(text);
}

static void fly_inbox(fleet_account *a, uint32_t now_ms)
{
    const mqtt_pair pairs[] = {{"node", a->priv.f->o.node},
                               {"epoch", a->priv.epoch_text},
                               {"slot", a->priv.slot == 0 ? "0" : "1"}};
    const avito_str payload = {a->priv.state, a->priv.state_len};

    fly(a, &a->priv.inbox, "fleet/inbox", payload, pairs, 3, now_ms);
}

static void step_writes(fleet_account *a, uint32_t now_ms)
{
    if (is_due(&a->priv.ledger, now_ms)) {
        fly_ledger(a, now_ms);
    }
    if (a->priv.state != NULL && is_due(&a->priv.inbox, now_ms)) {
        fly_inbox(a, now_ms);
    }
}

static bool all_is_stored(const fleet_account *a)
{
    return is_stored(&a->priv.ledger, a->priv.ledger.version) &&
           is_stored(&a->priv.inbox, a->priv.inbox.version);
}

/* ---- files of this node: what others did is written now and then, what we do at once ---- */

/* Writes all that this node knows of the account's ledger into its own file. */
static int keep_known(fleet_account *a)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    size_t len, count;
    char *text = known_lines(a, "", NULL, &len, &count);
    const int rc = text != NULL ? h->keep_ledger(h->ctx, a, text, len, false) : (int)AVITO_ERR_ROOM;

    free(text);
    a->priv.known_dirty = rc != AVITO_OK;
    return rc;
}

static void keep_epoch(fleet_account *a, uint32_t epoch)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;

    a->priv.epoch_dirty = h->keep_epoch(h->ctx, a, epoch) != AVITO_OK;
}

static void step_files(fleet_account *a, uint32_t now_ms)
{
    if (!is_over(a->priv.kept_ms, KEEP_EVERY_MS, now_ms)) {
        return;
    }
    if (a->priv.known_dirty && a->priv.pending == 0) {
        a->priv.kept_ms = now_ms;
        (void)keep_known(a);
    }
    if (a->priv.epoch_dirty) {
        a->priv.kept_ms = now_ms;
        keep_epoch(a, a->priv.seen_epoch);
    }
}

/* ---- ledgers: union, and hints (F6) ---- */

static avito_str lines_of(const mqtt_message *m)
{
    const size_t head = sizeof LEDGER_HEAD - 1;
    avito_str lines = m->payload;

    if (lines.len >= head && memcmp(lines.ptr, LEDGER_HEAD, head) == 0) {
        lines.ptr += head;
        lines.len -= head;
    }
    return lines;
}

static bool learn(fleet_account *a, avito_str lines)
{
    const bool is_new = lines.len > 0 && ledger_merge(&a->priv.known, lines.ptr, lines.len) > 0;

    a->priv.known_dirty = a->priv.known_dirty || is_new;
    return is_new;
}

static bool may_hint(const fleet_account *a, uint32_t now_ms)
{
    return !a->priv.hinted || is_over(a->priv.hinted_ms, HINT_EVERY_MS, now_ms);
}

static void publish_hint(fleet_account *a, avito_str lines, uint32_t now_ms)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    char topic[FLEET_TOPIC_MAX], number[12];
    const mqtt_pair pair = {"epoch", number};
    mqtt_publication p;
    uint16_t packet;
    int rc;

    account_topic(a, "fleet/hint", topic);
    snprintf(number, sizeof number, "%" PRIu32, a->priv.seen_epoch);
    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload = lines;
    p.qos = 1;
    p.pairs = &pair;
    p.pairs_count = 1;
    rc = h->publish(h->ctx, NULL, &p, &packet);
    a->priv.hint_owed = rc != MQTT_OK;
    a->priv.hinted = rc != MQTT_AGAIN;
    a->priv.hinted_ms = now_ms;
}

/* Sends all nodes and the holder what the broker's ledger lacks. `lines`: the broker's. What cannot be sent now is owed:
 * a broker that went back shows it of all accounts at once. */
static void hint(fleet_account *a, avito_str lines, uint32_t epoch, uint32_t now_ms)
{
    ledger theirs;
    size_t len, count;
    char *text;

    a->priv.hint_owed = false;
    if (a->state >= FLEET_CLAIMING) {
        return;
    }
    memset(&theirs, 0, sizeof theirs);
    (void)ledger_merge(&theirs, lines.ptr, lines.len);
    text = known_lines(a, LEDGER_HEAD, &theirs, &len, &count);
    ledger_close(&theirs);
    if (text != NULL && (count > 0 || epoch < a->priv.seen_epoch)) {
        a->priv.hint_owed = true;
        if (may_hint(a, now_ms)) {
            publish_hint(a, (avito_str){text, len}, now_ms);
        }
    }
    free(text);
}

static void raise_epoch(fleet_account *a, uint32_t epoch)
{
    a->epoch = epoch;
    snprintf(a->priv.epoch_text, sizeof a->priv.epoch_text, "%" PRIu32, epoch);
    see_epoch(a, epoch);
}

/* Does this node hold the account, or has it read everything for its claim? */
static bool writes_ledger(const fleet_account *a)
{
    return a->state == FLEET_ACTIVE || (a->state == FLEET_CLAIMING && a->priv.step >= STEP_LEDGER);
}

/* A gateway of this node may be at work for it. */
static bool is_served(const fleet_account *a)
{
    return a->state == FLEET_ACTIVE || a->state == FLEET_LEAVING;
}

/* A hint, on either connection. The holder tells all nodes what it learnt, under an epoch that is
 * not behind. Its gateway hears of all, since what it is noting now is known here, and not there. */
static void take_hint(fleet_account *a, const mqtt_message *m)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    const avito_str lines = lines_of(m);
    const uint32_t epoch = number_of(mqtt_property(m, "epoch"));
    const bool is_new = learn(a, lines), behind = epoch >= a->epoch;

    see_epoch(a, epoch);
    if (is_served(a)) {
        h->learn(h->ctx, a, lines.ptr, lines.len);
    }
    if (!writes_ledger(a) || (!is_new && !behind)) {
        return;
    }
    if (behind) {
        raise_epoch(a, a->priv.seen_epoch + 1);
        a->priv.say_online = true;
    }
    a->priv.ledger.version++;
}

/* ---- who holds it ---- */

static bool is_word(const fleet_account *a, const char *word)
{
    return strcmp(a->priv.word, word) == 0;
}

static bool is_key_ours(const fleet_account *a)
{
    return a->priv.key[0] != '\0' && strcmp(a->priv.holder_key, a->priv.key) == 0;
}

/* F3: silence counts as offline, but only as long as we have been watching: begin_timers(). A hand-over reserves
 * the account for another node for a while (F8). */
static bool is_free(const fleet_account *a, uint32_t now_ms)
{
    const fleet *f = a->priv.f;
    const fleet_times *t = &f->o.times;

    if (!a->priv.status_known) {
        return is_over(f->priv.since_ms, t->none, now_ms);
    }
    if (is_word(a, "handover") && strcmp(a->priv.to, f->o.node) != 0) {
        return is_over(a->priv.status_ms, t->taken_up, now_ms);
    }
    return !is_word(a, "online") || is_over(a->priv.heard_ms, t->silent, now_ms);
}

static void stand_by(fleet_account *a)
{
    a->state = FLEET_STANDBY;
    a->priv.ours = false;
}

/* F5: no herd. */
static void start_waiting(fleet_account *a, uint32_t now_ms)
{
    const fleet *f = a->priv.f;
    const fleet_times *t = &f->o.times;

    a->state = FLEET_WAITING;
    a->priv.ours = false;
    a->priv.from_ms = now_ms;
    a->priv.wait_ms = t->wait + draw(f, t->random) + t->each * (uint32_t)count_in(f, FLEET_ACTIVE);
}

static void wait_for(fleet_account *a, uint32_t ms, uint32_t now_ms)
{
    a->state = FLEET_WAITING;
    a->priv.from_ms = now_ms;
    a->priv.wait_ms = ms;
}

static void forget_claim(fleet_account *a)
{
    a->priv.ledger.packet = a->priv.inbox.packet = 0;
    a->priv.ledger.failed = a->priv.inbox.failed = false;
    a->priv.ledger.denied = a->priv.inbox.denied = false;
    a->priv.online = a->priv.bye = a->priv.marker = a->priv.probe = 0;
    a->priv.pending = 0;
    if (a->priv.unsaid) {
        ledger_forget(&a->priv.known, a->priv.pending_id);
        a->priv.unsaid = false;
    }
    a->priv.say_online = a->priv.stopped = false;
}

/* Leaves its state without telling the broker. */
static void drop(fleet_account *a)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    const bool was_active = is_served(a);

    forget_claim(a);
    if (was_active) {
        h->end(h->ctx, a);
    }
    if (is_connected(a)) {
        h->close(h->ctx, a);
    }
    stand_by(a);
}

/* F4: whatever the reason, it looks first. */
void fleet_account_lost(fleet_account *a, uint32_t now_ms)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    const bool was_active = is_served(a);

    if (!is_connected(a)) {
        return;
    }
    forget_claim(a);
    if (was_active) {
        h->end(h->ctx, a);
    }
    h->close(h->ctx, a);
    a->state = FLEET_LOOKING;
    a->priv.was_active = was_active;
    a->priv.from_ms = now_ms;
    a->priv.look_mark = a->priv.f->priv.mark_sent + 1;
    a->priv.f->priv.looking = true;
}

static void decide_after_look(fleet_account *a, uint32_t now_ms)
{
    const fleet *f = a->priv.f;
    const fleet_times *t = &f->o.times;
    const bool ours =
        is_key_ours(a) && (a->priv.was_active || is_word(a, "online")) && !is_word(a, "handover");

    if (ours) {
        wait_for(a, t->again_from + draw(f, t->again_random), now_ms);
        a->priv.ours = true;
    } else if (is_free(a, now_ms)) {
        start_waiting(a, now_ms);
    } else {
        stand_by(a);
    }
}

/* ---- a claim (F2) ---- */

static void new_key(fleet_account *a)
{
    uint8_t random[8] = {0};

    (void)a->priv.f->o.hooks.entropy(a->priv.f->o.hooks.ctx, random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(a->priv.key + 2 * i, 3, "%02x", random[i]);
    }
}

/* The will names its node, so that a holder recognises its own. */
static void make_will(fleet_account *a)
{
    a->pairs[0] = (mqtt_pair){"node", a->priv.f->o.node};
    a->pairs[1] = (mqtt_pair){"key", a->priv.key};
    a->pairs[2] = (mqtt_pair){"epoch", a->priv.epoch_text};
    account_topic(a, "status", a->priv.status_topic);
    memset(&a->will, 0, sizeof a->will);
    a->will.topic = a->priv.status_topic;
    a->will.payload = text_of("offline");
    a->will.qos = 1;
    a->will.retain = true;
    a->will.pairs = a->pairs;
    a->will.pairs_count = 2;
}

static void claim(fleet_account *a, uint32_t now_ms)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;

    forget_claim(a);
    new_key(a);
    make_will(a);
    a->state = FLEET_CLAIMING;
    a->priv.step = STEP_CONNECT;
    a->priv.from_ms = now_ms;
    a->priv.marked = a->priv.marker_answered = a->priv.probe_answered = false;
    a->priv.has_inbox = a->priv.has_ledger = false;
    a->priv.f->priv.beaten = false;
    h->connect(h->ctx, a);
}

static void give_up(fleet_account *a, const char *why, uint32_t ms, uint32_t now_ms)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;

    if (why != NULL) {
        account_says(a, why);
    }
    forget_claim(a);
    h->close(h->ctx, a);
    start_waiting(a, now_ms);
    a->priv.wait_ms += ms;
}

static int publish_key(fleet_account *a, const char *to, uint16_t *packet)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    char topic[FLEET_TOPIC_MAX];
    mqtt_publication p;

    account_topic(a, to, topic);
    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload = text_of(a->priv.key);
    p.qos = 1;
    return h->publish(h->ctx, a, &p, packet);
}

#define STATES 2 /* topics that are read once: inbox, ledger */

static void state_filters(const fleet_account *a, char topics[STATES][FLEET_TOPIC_MAX],
                          mqtt_filter filters[STATES])
{
    account_topic(a, "fleet/inbox", topics[0]);
    account_topic(a, "fleet/ledger", topics[1]);
    for (int i = 0; i < STATES; i++) {
        filters[i] = (mqtt_filter){topics[i], 0, 0, false};
    }
}

/* F2 step 3: subscribes to the stored state, the own marker, hints, the bell, and commands. */
static int subscribe_claim(fleet_account *a)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    char topics[ORDER_ACTS + STATES + 3][FLEET_TOPIC_MAX];
    mqtt_filter filters[ORDER_ACTS + STATES + 3];
    size_t n = STATES;

    state_filters(a, topics, filters);
    account_topic(a, "fleet/mark", topics[n]);
    filters[n] = (mqtt_filter){topics[n], 0, 2, false};
    n++;
    account_topic(a, "fleet/hint", topics[n]);
    filters[n] = (mqtt_filter){topics[n], 1, 2, false};
    n++;
    account_topic(a, "fleet/bell", topics[n]);
    filters[n] = (mqtt_filter){topics[n], 0, 2, false};
    n++;
    for (int act = 0; act < ORDER_ACTS; act++, n++) {
        snprintf(topics[n], sizeof topics[n], "avito/%s/%s/+", a->name, order_words[act]);
        filters[n] = (mqtt_filter){topics[n], 1, 2, true};
    }
    return h->subscribe(h->ctx, a, filters, n);
}

/* Checks those settings of the broker that can be seen: F2 step 2. */
static const char *broker_objection(const mqtt_event *e)
{
    if (e->no_retain || e->no_qos1) {
        return mqtt_objection(e);
    }
    if (e->session_expiry_s < EXPIRY_LEAST_S) {
        return say(TEXT("the broker keeps sessions for less than 7 days: commands may be lost; see "
                        "its persistent_client_expiration",
                        "брокер хранит сессии меньше 7 дней: команды могут пропасть; см. его "
                        "persistent_client_expiration"));
    }
    return NULL;
}

/* F2 step 4: the marker, then the probe, each as soon as there is room. */
static void ask_broker(fleet_account *a, uint32_t now_ms)
{
    int rc = MQTT_OK;

    if (a->priv.marker == 0 && !a->priv.marker_answered) {
        rc = publish_key(a, "fleet/mark", &a->priv.marker);
    }
    if (rc == MQTT_OK && a->priv.probe == 0 && !a->priv.probe_answered) {
        rc = publish_key(a, "fleet/probe", &a->priv.probe);
    }
    if (rc < 0) {
        give_up(a, NULL, a->priv.f->o.times.denied, now_ms);
    }
}

/* The claim's CONNACK: the broker has to be fit for a fleet. Then subscribes, and asks it for the state. */
static void claim_connected(fleet_account *a, const mqtt_event *e, uint32_t now_ms)
{
    const char *objection = broker_objection(e);

    if (objection != NULL && (e->no_retain || e->no_qos1)) {
        give_up(a, objection, a->priv.f->o.times.denied, now_ms);
        return;
    }
    if (objection != NULL) {
        account_says(a, objection);
    }
    a->priv.session_present = e->session_present;
    a->priv.step = STEP_READ;
    if (subscribe_claim(a) != MQTT_OK) {
        give_up(a, NULL, a->priv.f->o.times.denied, now_ms);
        return;
    }
    ask_broker(a, now_ms);
}

/* A state that cannot be read does not count as missing: otherwise our own file would count, and the ledger's
 * session would end. */
static void cannot_read(fleet_account *a, uint32_t now_ms)
{
    give_up(a,
            say(TEXT("no memory for what the broker keeps of the account: another may serve it",
                     "не хватает памяти для состояния у брокера: пусть учётную запись обслужит "
                     "другой")),
            a->priv.f->o.times.denied, now_ms);
}

/* A retained message of the account: its ledger, or the inbox's state. */
static void claim_read(fleet_account *a, avito_str kind, const mqtt_message *m, uint32_t now_ms)
{
    if (!m->retain) { /* a former holder's, still on its way to the session */
        return;
    }
    see_epoch(a, number_of(mqtt_property(m, "epoch")));
    if (avito_str_equal(kind, "ledger")) {
        a->priv.has_ledger = true;
        a->session = number_of(mqtt_property(m, "session"));
        (void)learn(a, lines_of(m));
        return;
    }
    free(a->priv.state);
    a->priv.state = malloc(m->payload.len + 1);
    a->priv.has_inbox = a->priv.state != NULL && m->payload.len > 0;
    a->priv.state_len = a->priv.has_inbox ? m->payload.len : 0;
    a->priv.slot = avito_str_equal(mqtt_property(m, "slot"), "1");
    if (a->priv.has_inbox) {
        memcpy(a->priv.state, m->payload.ptr, m->payload.len);
    } else if (a->priv.state == NULL) {
        cannot_read(a, now_ms);
    }
}

/* G8: the broker's state counts even if it is older; ours counts only if the broker has none. */
static void take_state(fleet_account *a)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;

    a->priv.broker_has_inbox = a->priv.has_inbox;
    a->priv.inbox.stored = a->priv.inbox.version;
    a->priv.slot_waits = false;
    if (a->priv.has_inbox) {
        (void)h->keep_slot(h->ctx, a, a->priv.slot, a->priv.state, a->priv.state_len);
        (void)h->keep_slot(h->ctx, a, 1 - a->priv.slot, "", 0);
    } else {
        free(a->priv.state);
        a->priv.state = NULL;
        a->priv.state_len = 0;
    }
}

/* Steps 5 to 7: the stored state has been read; the new epoch is above all that were seen. */
static void claim_ledger(fleet_account *a, uint32_t now_ms)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    char topics[STATES][FLEET_TOPIC_MAX];
    mqtt_filter filters[STATES];

    state_filters(a, topics, filters);
    (void)h->unsubscribe(h->ctx, a, filters, STATES);
    a->can_tell = a->priv.marker_reason == MQTT_REASON_SUCCESS &&
                  a->priv.probe_reason == MQTT_REASON_NOBODY_LISTENS;
    if (!a->priv.session_present || !a->priv.has_ledger) {
        a->session = draw(a->priv.f, UINT32_MAX);
    }
    take_state(a);
    raise_epoch(a, a->priv.seen_epoch + 1);
    keep_epoch(a, a->epoch);
    a->priv.ledger.version++;
    a->priv.step = STEP_LEDGER;
    fly_ledger(a, now_ms);
}

static int publish_status(fleet_account *a, const char *word, const char *to, uint16_t *packet)
{
    mqtt_pair pairs[4];
    size_t n = 3;

    memcpy(pairs, a->pairs, 3 * sizeof *pairs);
    if (to != NULL && to[0] != '\0') {
        pairs[n++] = (mqtt_pair){"to", to};
    }
    return publish(a, "status", text_of(word), pairs, n, packet);
}

static bool has_read(const fleet_account *a, uint32_t now_ms)
{
    return a->priv.marked && a->priv.marker_answered && a->priv.probe_answered &&
           ((a->priv.has_inbox && a->priv.has_ledger) ||
            is_over(a->priv.marked_ms, a->priv.f->o.times.none, now_ms));
}

/* The next step of a claim, or its end if it takes too long. */
static void step_claim(fleet_account *a, uint32_t now_ms)
{
    if (is_over(a->priv.from_ms, a->priv.f->o.times.claim, now_ms)) {
        give_up(a,
                say(TEXT("the broker does not answer in time: another may serve the account",
                         "брокер не отвечает вовремя: пусть учётную запись обслужит другой")),
                0, now_ms);
        return;
    }
    if (a->priv.step == STEP_READ && has_read(a, now_ms)) {
        claim_ledger(a, now_ms);
    } else if (a->priv.step == STEP_READ) {
        ask_broker(a, now_ms);
    } else if (a->priv.step == STEP_LEDGER && is_stored(&a->priv.ledger, a->priv.ledger.version)) {
        if (publish_status(a, "online", NULL, &a->priv.online) == MQTT_OK) {
            a->priv.step = STEP_ONLINE;
        }
    } else if (a->priv.step == STEP_LEDGER && is_due(&a->priv.ledger, now_ms)) {
        fly_ledger(a, now_ms);
    }
}

static void claimed(fleet_account *a)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;

    a->state = FLEET_ACTIVE;
    a->priv.f->priv.beaten = false; /* all may know at once */
    a->priv.refused = !h->begin(h->ctx, a);
    if (a->priv.refused) {
        fleet_hand_over(a, "");
    }
}

/* ---- events of an account's connection ---- */

static void tell_stored(fleet_account *a)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;

    if (is_served(a)) {
        h->stored(h->ctx, a);
    }
}

/* It is tried again and again. Commands wait for a while. */
static void tell_refused(fleet_account *a)
{
    fleet_write *w = &a->priv.ledger;

    if (w->failed && !w->told && a->state == FLEET_ACTIVE) {
        account_says(
            a,
            say(TEXT(
                "the broker does not take the ledger, so nothing is sent until it does: see its "
                "limits and "
                "access rules",
                "брокер не принимает журнал отправок, и пока так, ничего не отправляется: см. его "
                "ограничения и правила доступа")));
    }
    w->told = w->failed;
}

static void denied(fleet_account *a, uint8_t reason, uint32_t now_ms)
{
    if (a->state == FLEET_CLAIMING && reason >= 0x80) {
        give_up(a, mqtt_reason_text(reason), a->priv.f->o.times.denied, now_ms);
    }
}

/* Its number is free again: a later publication may get it. */
static void note_answer(uint16_t *packet, bool *answered_flag, uint8_t *to, uint8_t reason)
{
    *packet = 0;
    *answered_flag = true;
    *to = reason;
}

/* The answer to a publication of the account's connection. False: it is none of the fleet's. */
static bool take_puback(fleet_account *a, const mqtt_event *e, uint32_t now_ms)
{
    const uint16_t id = e->packet_id;

    if (id == a->priv.ledger.packet) {
        answered(&a->priv.ledger, e->reason, now_ms);
        tell_refused(a);
        tell_stored(a);
    } else if (id == a->priv.inbox.packet) {
        answered(&a->priv.inbox, e->reason, now_ms);
        a->priv.broker_has_inbox = a->priv.broker_has_inbox || e->reason < 0x80;
        tell_stored(a);
    } else if (id == a->priv.marker) {
        note_answer(&a->priv.marker, &a->priv.marker_answered, &a->priv.marker_reason, e->reason);
    } else if (id == a->priv.probe) { /* a broker may forbid it: then it cannot tell */
        note_answer(&a->priv.probe, &a->priv.probe_answered, &a->priv.probe_reason, e->reason);
        return true;
    } else if (id == a->priv.online) {
        a->priv.online = 0;
        if (a->state == FLEET_CLAIMING && e->reason < 0x80) {
            claimed(a);
        }
    } else if (id == a->priv.bye) {
        a->priv.bye = 0;
        a->priv.stopped = true;
    } else {
        return false;
    }
    denied(a, e->reason, now_ms);
    return true;
}

/* The part after avito/ACCOUNT/fleet/; ptr NULL: it is another topic. */
static avito_str fleet_part(const fleet_account *a, avito_str topic)
{
    char head[FLEET_TOPIC_MAX];
    avito_str part = {NULL, 0};
    size_t len;

    account_topic(a, "fleet/", head);
    len = strlen(head);
    if (topic.len >= len && memcmp(topic.ptr, head, len) == 0) {
        part.ptr = topic.ptr + len;
        part.len = topic.len - len;
    }
    return part;
}

/* A message on a topic of the fleet itself. False: it is a command. */
static bool take_own_message(fleet_account *a, const mqtt_message *m, uint32_t now_ms)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    const avito_str part = fleet_part(a, m->topic);

    if (part.ptr == NULL) {
        return false;
    }
    if (avito_str_equal(part, "hint")) {
        take_hint(a, m);
    } else if (avito_str_equal(part, "bell")) {
        if (a->state == FLEET_ACTIVE) {
            h->ring(h->ctx, a, long_number_of(m->payload));
        }
    } else if (avito_str_equal(part, "inbox") || avito_str_equal(part, "ledger")) {
        if (a->state == FLEET_CLAIMING && a->priv.step == STEP_READ) {
            claim_read(a, part, m, now_ms);
        }
    } else if (avito_str_equal(m->payload, a->priv.key)) {
        a->priv.marked = true;
        a->priv.marked_ms = now_ms;
    }
    if (m->packet_id != 0) {
        (void)h->acknowledge(h->ctx, a, m->packet_id);
    }
    return true;
}

static enum fleet_verdict others(const fleet_account *a)
{
    return is_served(a) ? FLEET_PASS : FLEET_TAKEN;
}

/* A node that leaves takes no command and acknowledges none, so the next holder gets them. */
static enum fleet_verdict command_for(const fleet_account *a)
{
    return a->state == FLEET_CLAIMING ? FLEET_KEEP
           : a->state == FLEET_ACTIVE ? FLEET_PASS
                                      : FLEET_TAKEN;
}

bool fleet_reads(const fleet_account *a, avito_str topic)
{
    return fleet_part(a, topic).ptr != NULL;
}

/* Too large for us: of a command, the gateway says so. */
static enum fleet_verdict take_large(fleet_account *a, const mqtt_message *m, uint32_t now_ms)
{
    if (!fleet_reads(a, m->topic)) {
        return command_for(a);
    }
    if (m->retain && a->state == FLEET_CLAIMING && a->priv.step == STEP_READ) {
        cannot_read(a, now_ms);
    }
    return FLEET_TAKEN;
}

enum fleet_verdict fleet_account_event(fleet_account *a, const mqtt_event *e, uint32_t now_ms)
{
    switch (e->kind) {
        case MQTT_CONNECTED:
            if (a->state == FLEET_CLAIMING && a->priv.step == STEP_CONNECT) {
                claim_connected(a, e, now_ms);
            }
            return FLEET_TAKEN;
        case MQTT_SUBSCRIBED:
            denied(a, e->reason, now_ms);
            return others(a);
        case MQTT_ACKNOWLEDGED:
            return take_puback(a, e, now_ms) ? FLEET_TAKEN : others(a);
        case MQTT_MESSAGE:
            return take_own_message(a, &e->message, now_ms) ? FLEET_TAKEN : command_for(a);
        case MQTT_LARGE:
            return take_large(a, &e->message, now_ms);
        default:
            return others(a);
    }
}

/* ---- the node's connection: watching ---- */

/* The account that a topic is about; *rest is what follows its name. */
static fleet_account *account_of(fleet *f, avito_str topic, avito_str *rest)
{
    static const char root[] = "avito/";
    const size_t head = sizeof root - 1;

    if (topic.len < head || memcmp(topic.ptr, root, head) != 0) {
        return NULL;
    }
    for (fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        const size_t len = strlen(a->name);

        if (topic.len > head + len && memcmp(topic.ptr + head, a->name, len) == 0 &&
            topic.ptr[head + len] == '/') {
            rest->ptr = topic.ptr + head + len + 1;
            rest->len = topic.len - head - len - 1;
            return a;
        }
    }
    return NULL;
}

/* Another node is online while we think that the account is ours: the broker decides who is
 * right. */
static void see_rival(fleet_account *a, uint32_t epoch)
{
    if (a->state == FLEET_ACTIVE && epoch > a->epoch) {
        drop(a);
        account_says(a, say(TEXT("another gateway has taken the account over",
                                 "учётную запись взял другой шлюз")));
    }
}

/* Somebody else's status, or an old one of ours: it ends a wait, shows a rival, or offers the account. */
static void take_status(fleet_account *a, const mqtt_message *m, uint32_t now_ms)
{
    const fleet *f = a->priv.f;
    const uint32_t epoch = number_of(mqtt_property(m, "epoch"));

    a->priv.status_known = m->payload.len > 0;
    copy_text(a->priv.word, sizeof a->priv.word, m->payload);
    copy_text(a->priv.node, sizeof a->priv.node, mqtt_property(m, "node"));
    copy_text(a->priv.holder_key, sizeof a->priv.holder_key, mqtt_property(m, "key"));
    copy_text(a->priv.to, sizeof a->priv.to, mqtt_property(m, "to"));
    a->priv.status_ms = now_ms;
    see_epoch(a, epoch);
    if (is_word(a, "online")) {
        if (!m->retain) {
            a->priv.heard_ms = now_ms;
        }
        if (!is_key_ours(a)) {
            see_rival(a, epoch);
            if (a->state == FLEET_WAITING) {
                stand_by(a);
            }
        }
    } else if (a->state == FLEET_ACTIVE) {
        a->priv.say_online = true; /* an old will (G10) */
    } else if (is_word(a, "handover") && strcmp(a->priv.to, f->o.node) == 0 &&
               (a->state == FLEET_STANDBY || a->state == FLEET_WAITING) && !f->priv.leaving) {
        wait_for(a, 0, now_ms);
    }
}

static void take_ledger(fleet_account *a, const mqtt_message *m, uint32_t now_ms)
{
    const uint32_t epoch = number_of(mqtt_property(m, "epoch"));
    const int64_t user = long_number_of(mqtt_property(m, "user"));
    const avito_str lines = lines_of(m);

    a->priv.broker_has_ledger = m->payload.len > 0;
    a->user_id = user != 0 && a->user_id == 0 ? user : a->user_id;
    see_epoch(a, epoch);
    (void)learn(a, lines);
    hint(a, lines, epoch, now_ms);
}

/* ---- beats (F3) ---- */

static bool is_alive(const fleet *f, const fleet_node *n, uint32_t now_ms)
{
    return n->name[0] != '\0' && n->alive && !is_over(n->heard_ms, f->o.times.silent, now_ms);
}

/* A new one takes a free place, or else that of one that is silent: where each start brings a new name, beats of the dead
 * stay with the broker. */
static fleet_node *node_named(fleet *f, avito_str name, uint32_t now_ms)
{
    fleet_node *free_one = NULL;

    for (fleet_node *n = f->priv.nodes; n < f->priv.nodes + FLEET_NODES; n++) {
        if (n->name[0] != '\0' && avito_str_equal(name, n->name)) {
            return n;
        }
        if ((free_one == NULL && !is_alive(f, n, now_ms)) ||
            (n->name[0] == '\0' && free_one->name[0] != '\0')) {
            free_one = n;
        }
    }
    if (free_one != NULL && name.len > 0 && name.len <= FLEET_NAME_MAX) {
        memset(free_one, 0, sizeof *free_one);
        copy_text(free_one->name, sizeof free_one->name, name);
        return free_one;
    }
    return NULL;
}

/* A holder's beat ends the wait of others for its account. */
static void see_holder(fleet_account *a, const fleet_node *n, uint32_t epoch, bool stored,
                       uint32_t now_ms)
{
    see_epoch(a, epoch);
    if (stored || (a->priv.status_known && strcmp(a->priv.node, n->name) != 0)) {
        return;
    }
    a->priv.heard_ms = now_ms;
    if (a->state == FLEET_WAITING && !a->priv.ours && !is_key_ours(a) && !is_word(a, "handover")) {
        stand_by(a);
    }
}

/* A node that claims announces it at once, and others start waiting again: else long claims of a
 * new account would end one another. */
static void see_claimer(fleet_account *a, uint32_t now_ms)
{
    if (a->state == FLEET_WAITING && !a->priv.ours && a->priv.wait_ms > 0) {
        start_waiting(a, now_ms);
    }
}

static bool is_listed(avito_json_value list, const char *name)
{
    avito_json_value v = avito_json_first(list);

    while (avito_json_type_of(v) != AVITO_JSON_NONE && !avito_json_is(v, name)) {
        v = avito_json_next(v);
    }
    return avito_json_type_of(v) != AVITO_JSON_NONE;
}

/* Takes from a node's beat its load, what it holds, what it could serve, and what it claims. */
static void read_beat(fleet *f, fleet_node *n, avito_json_value beat, bool stored, uint32_t now_ms)
{
    const uint64_t bit = (uint64_t)1 << (n - f->priv.nodes);
    const avito_json_value held = avito_json_get(beat, "accounts"),
                           can = avito_json_get(beat, "serves"),
                           claims = avito_json_get(beat, "claims");
    int64_t number = 0;

    (void)avito_json_int(avito_json_get(beat, "load"), &number);
    n->load = (unsigned)number;
    n->alive = n->alive || !stored;
    n->heard_ms = stored ? n->heard_ms : now_ms;
    for (fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        a->priv.can &= ~bit;
        a->priv.can |= is_listed(can, a->name) ? bit : 0;
        if (avito_json_int(avito_json_get(held, a->name), &number) == AVITO_OK) {
            see_holder(a, n, (uint32_t)number, stored, now_ms);
        }
        if (!stored && is_listed(claims, a->name)) {
            see_claimer(a, now_ms);
        }
    }
}

/* A beat of a node, or, when it is empty, the node's end. */
static void take_beat(fleet *f, avito_str name, const mqtt_message *m, uint32_t now_ms)
{
    fleet_node *n = strlen(f->o.node) == name.len && memcmp(name.ptr, f->o.node, name.len) == 0
                        ? NULL
                        : node_named(f, name, now_ms);
    const size_t size = AVITO_JSON_TOKENS_SIZE(m->payload.len / 2 + 8);
    void *tokens;
    avito_json json;

    if (n == NULL) {
        return;
    }
    if (m->payload.len == 0) { /* it has left */
        memset(n, 0, sizeof *n);
        return;
    }
    tokens = malloc(size);
    if (tokens != NULL &&
        avito_json_parse(&json, m->payload.ptr, m->payload.len, tokens, size) == AVITO_OK) {
        read_beat(f, n, avito_json_root(&json), m->retain, now_ms);
    }
    free(tokens);
}

static void write_names(const fleet *f, FILE *out, const char *key, bool claims)
{
    json_open(out, key, '[');
    for (const fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        if (!claims || a->state == FLEET_CLAIMING) {
            json_word(out, NULL, a->name);
        }
    }
    json_close(out, ']');
}

static void write_beat(const fleet *f, FILE *out)
{
    json_open(out, NULL, '{');
    json_word(out, "node", f->o.node);
    json_word(out, "version", f->o.version);
    json_number(out, "load", (int64_t)count_in(f, FLEET_ACTIVE));
    json_open(out, "accounts", '{');
    for (const fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        if (a->state == FLEET_ACTIVE) {
            json_number(out, a->name, a->epoch);
        }
    }
    json_close(out, '}');
    write_names(f, out, "claims", true);
    write_names(f, out, "serves", false);
    json_close(out, '}');
}

static int publish_node(fleet *f, const char *kind, avito_str payload, bool retain)
{
    char topic[FLEET_TOPIC_MAX];
    mqtt_publication p;
    uint16_t packet;

    node_topic(f, kind, f->o.node, topic);
    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload = payload;
    p.qos = 1;
    p.retain = retain;
    return f->o.hooks.publish(f->o.hooks.ctx, NULL, &p, &packet);
}

/* Retained, so that a broker that counts changes also saves what is in flight. */
static void beat(fleet *f, uint32_t now_ms)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        return;
    }
    write_beat(f, out);
    if (fclose(out) == 0) {
        const avito_str payload = {text, len - 1}; /* without the line end */

        f->priv.beaten = publish_node(f, "nodes", payload, true) == MQTT_OK;
        f->priv.beat_ms = now_ms;
    }
    free(text);
}

/* ---- what the node sees, and when that is the present ---- */

static void send_mark(fleet *f, uint32_t now_ms)
{
    char number[12];

    snprintf(number, sizeof number, "%" PRIu32, f->priv.mark_sent + 1);
    if (publish_node(f, "mark", text_of(number), false) == MQTT_OK) {
        f->priv.mark_sent++;
        f->priv.mark_ms = now_ms;
        f->priv.looking = false;
    }
}

/* F5: after a gap, and on a new connection, all timers start again. */
static void begin_timers(fleet *f, uint32_t now_ms)
{
    f->priv.since_ms = now_ms;
    f->priv.unequal = false;
    for (fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        a->priv.heard_ms = now_ms;
        if (a->state == FLEET_WAITING && !a->priv.ours) {
            a->state = FLEET_STANDBY;
        } else if (a->state == FLEET_WAITING || a->state == FLEET_CLAIMING) {
            a->priv.from_ms = now_ms;
        }
    }
}

static void take_mark(fleet *f, const mqtt_message *m, uint32_t now_ms)
{
    f->priv.mark_seen = number_of(m->payload);
    if (!f->priv.fresh && f->priv.mark_seen == f->priv.mark_sent) {
        f->priv.fresh = true;
        begin_timers(f, now_ms);
    }
}

/* A message on the node's connection: about an account, a beat, or our own marker. */
static void node_message(fleet *f, const mqtt_message *m, uint32_t now_ms)
{
    char head[FLEET_TOPIC_MAX];
    avito_str rest = {NULL, 0};
    fleet_account *a = account_of(f, m->topic, &rest);
    size_t len;

    if (a != NULL && avito_str_equal(rest, "status")) {
        take_status(a, m, now_ms);
    } else if (a != NULL && avito_str_equal(rest, "fleet/ledger")) {
        take_ledger(a, m, now_ms);
    } else if (a != NULL && avito_str_equal(rest, "fleet/hint")) {
        take_hint(a, m);
    }
    node_topic(f, "nodes", "", head);
    len = strlen(head);
    if (m->topic.len > len && memcmp(m->topic.ptr, head, len) == 0) {
        rest.ptr = m->topic.ptr + len;
        rest.len = m->topic.len - len;
        take_beat(f, rest, m, now_ms);
    }
    node_topic(f, "mark", f->o.node, head);
    if (avito_str_equal(m->topic, head)) {
        take_mark(f, m, now_ms);
    }
}

static void node_connected(fleet *f)
{
    f->priv.up = true;
    f->priv.fresh = f->priv.subscribed = f->priv.beaten = false;
    f->priv.subscribing = f->priv.accounts;
    for (size_t i = 0; i < FLEET_NODES; i++) {
        f->priv.nodes[i].alive = false;
    }
    for (fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        a->priv.hinted = a->priv.hint_owed = a->priv.broker_has_ledger = false;
    }
}

void fleet_node_event(fleet *f, const mqtt_event *e, uint32_t now_ms)
{
    switch (e->kind) {
        case MQTT_CONNECTED:
            node_connected(f);
            break;
        case MQTT_MESSAGE:
            node_message(f, &e->message, now_ms);
            break;
        case MQTT_SUBSCRIBED:
            if (e->reason >= 0x80) {
                f->o.hooks.say(f->o.hooks.ctx, NULL,
                               say(TEXT("the broker does not let the fleet's topics be read: see "
                                        "its access rules",
                                        "брокер не даёт читать топики группы шлюзов: см. его "
                                        "правила доступа")));
            }
            break;
        default:
            break;
    }
}

void fleet_node_lost(fleet *f)
{
    f->priv.up = f->priv.fresh = f->priv.subscribed = false;
}

#define WATCHED 3 /* topics of an account */

static bool subscribe_some(fleet *f)
{
    static const char *const rests[WATCHED] = {"status", "fleet/ledger", "fleet/hint"};
    const fleet_hooks *h = &f->o.hooks;
    char topics[WATCHED * WATCH_AT_ONCE][FLEET_TOPIC_MAX];
    mqtt_filter filters[WATCHED * WATCH_AT_ONCE];
    fleet_account *a = f->priv.subscribing;
    size_t n = 0;

    for (; a != NULL && n < WATCHED * WATCH_AT_ONCE; a = a->priv.next) {
        for (int i = 0; i < WATCHED; i++, n++) {
            account_topic(a, rests[i], topics[n]);
            filters[n] = (mqtt_filter){topics[n], 0, 0, false};
        }
    }
    if (h->subscribe(h->ctx, NULL, filters, n) != MQTT_OK) {
        return false;
    }
    f->priv.subscribing = a;
    return true;
}

/* By exact topic: with some brokers a wildcard brings no retained messages. Several at once, and
 * with QoS 0, since a broker that saves takes its time for each packet and each PUBACK; what a
 * connection loses is stored, and comes with the next. */
static bool subscribe_node(fleet *f)
{
    const fleet_hooks *h = &f->o.hooks;
    char topics[2][FLEET_TOPIC_MAX];
    mqtt_filter filters[2];

    while (f->priv.subscribing != NULL) {
        if (!subscribe_some(f)) {
            return false;
        }
    }
    node_topic(f, "nodes", "+", topics[0]);
    node_topic(f, "mark", f->o.node, topics[1]);
    filters[0] = (mqtt_filter){topics[0], 0, 0, false};
    filters[1] = (mqtt_filter){topics[1], 0, 2, false};
    return h->subscribe(h->ctx, NULL, filters, 2) == MQTT_OK;
}

/* The node's own connection: subscribes, sends its marker, and beats. */
static void step_node(fleet *f, uint32_t now_ms)
{
    if (!f->priv.up) {
        return;
    }
    if (!f->priv.subscribed) {
        f->priv.subscribed = subscribe_node(f);
        f->priv.looking = f->priv.looking || f->priv.subscribed;
    }
    if (f->priv.subscribed &&
        (f->priv.looking || (f->priv.mark_seen != f->priv.mark_sent &&
                             is_over(f->priv.mark_ms, f->o.times.none, now_ms)))) {
        send_mark(f, now_ms);
    }
    if (f->priv.fresh && !f->priv.leaving &&
        (!f->priv.beaten || is_over(f->priv.beat_ms, f->o.times.beat, now_ms))) {
        beat(f, now_ms);
    }
}

/* ---- hand-over (F8) ---- */

/* The node with the least load that can serve it; NULL: there is none. */
static fleet_node *least_loaded(fleet *f, const fleet_account *a, uint32_t now_ms)
{
    fleet_node *best = NULL;

    for (size_t i = 0; i < FLEET_NODES; i++) {
        fleet_node *n = &f->priv.nodes[i];

        if (is_alive(f, n, now_ms) && (a->priv.can >> i & 1) != 0 &&
            (best == NULL || n->load < best->load)) {
            best = n;
        }
    }
    return best;
}

void fleet_hand_over(fleet_account *a, const char *to)
{
    if (a->state == FLEET_ACTIVE) {
        a->state = FLEET_LEAVING;
        a->priv.stopped = false;
        snprintf(a->priv.heir, sizeof a->priv.heir, "%s", to);
    }
}

static void step_leaving(fleet_account *a, uint32_t now_ms)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    const bool rests = h->rest(h->ctx, a);

    step_writes(a, now_ms);
    if (a->priv.stopped) { /* the will is dropped */
        forget_claim(a);
        h->part(h->ctx, a);
        h->end(h->ctx, a);
        stand_by(a);
    } else if (rests && all_is_stored(a) && a->priv.bye == 0) {
        (void)publish_status(a, a->priv.heir[0] != '\0' ? "handover" : "offline", a->priv.heir,
                             &a->priv.bye);
    }
}

/* Hands over one account at a time, once loads have differed by two or more for long. One whose state the broker
 * refuses stays: its next holder would not know it, and nobody would serve it until the broker does. */
static void rebalance(fleet *f, uint32_t now_ms)
{
    const unsigned load = (unsigned)count_in(f, FLEET_ACTIVE);
    fleet_account *give = NULL;
    fleet_node *to = NULL;

    if (!f->priv.fresh || count_in(f, FLEET_LEAVING) > 0 ||
        !is_over(f->priv.begun_ms, f->o.times.unequal, now_ms)) {
        f->priv.unequal = false;
        return;
    }
    for (fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        const bool can_leave = !a->priv.ledger.denied && !a->priv.inbox.denied;
        fleet_node *n = a->state == FLEET_ACTIVE && can_leave ? least_loaded(f, a, now_ms) : NULL;

        if (n != NULL && load >= n->load + 2 && (to == NULL || n->load < to->load)) {
            give = a;
            to = n;
        }
    }
    if (to == NULL || !f->priv.unequal) {
        f->priv.unequal = to != NULL;
        f->priv.unequal_ms = now_ms;
    } else if (is_over(f->priv.unequal_ms, f->o.times.unequal, now_ms)) {
        f->priv.unequal = false;
        fleet_hand_over(give, to->name);
    }
}

bool fleet_leave(fleet *f, uint32_t now_ms)
{
    if (!f->priv.leaving) {
        f->priv.leaving = true;
        for (fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
            fleet_node *n = least_loaded(f, a, now_ms);

            if (a->state == FLEET_CLAIMING) {
                drop(a);
            }
            if (a->state == FLEET_ACTIVE) {
                fleet_hand_over(a, n != NULL ? n->name : "");
                n != NULL ? (void)n->load++ : (void)0;
            }
        }
        if (f->priv.up) {
            (void)publish_node(f, "nodes", text_of(""), true);
        }
    }
    return count_in(f, FLEET_LEAVING) == 0;
}

/* ---- steps ---- */

static void step_standby(fleet_account *a, uint32_t now_ms)
{
    if (is_free(a, now_ms)) {
        start_waiting(a, now_ms);
        a->priv.wait_ms += a->priv.refused ? a->priv.f->o.times.denied : 0;
    }
}

static void step_waiting(fleet_account *a, uint32_t now_ms)
{
    const fleet *f = a->priv.f;
    const bool for_us = is_word(a, "handover") && strcmp(a->priv.to, f->o.node) == 0;

    if (!a->priv.ours && !for_us && !is_free(a, now_ms)) {
        stand_by(a);
    } else if (is_over(a->priv.from_ms, a->priv.wait_ms, now_ms) &&
               count_in(f, FLEET_CLAIMING) < FLEET_CLAIMS) {
        claim(a, now_ms);
    }
}

static void step_active(fleet_account *a, uint32_t now_ms)
{
    step_writes(a, now_ms);
    if (a->priv.say_online && a->priv.online == 0 &&
        publish_status(a, "online", NULL, &a->priv.online) == MQTT_OK) {
        a->priv.say_online = false;
    }
}

/* A node does not claim without its node connection, nor before that shows the present. */
static void step_account(fleet_account *a, uint32_t now_ms)
{
    const fleet *f = a->priv.f;

    step_files(a, now_ms);
    if (a->state == FLEET_CLAIMING) {
        step_claim(a, now_ms);
    } else if (a->state == FLEET_ACTIVE) {
        step_active(a, now_ms);
    } else if (a->state == FLEET_LEAVING) {
        step_leaving(a, now_ms);
    } else if (f->priv.leaving || !f->priv.fresh) {
        return;
    } else if (a->state == FLEET_LOOKING) {
        if ((int32_t)(f->priv.mark_seen - a->priv.look_mark) >= 0) {
            decide_after_look(a, now_ms);
        }
    } else if (a->state == FLEET_WAITING) {
        step_waiting(a, now_ms);
    } else {
        step_standby(a, now_ms);
    }
}

/* Sends hints. The broker may have no ledger of an account that we know, because it forgot or is another
 * broker; and some hints are owed, each with the whole ledger. */
static void hint_the_rest(fleet *f, uint32_t now_ms)
{
    const avito_str nothing = {NULL, 0};

    if (!f->priv.fresh || !is_over(f->priv.since_ms, f->o.times.none / 4, now_ms)) {
        return;
    }
    for (fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        const bool is_missing = !a->priv.broker_has_ledger && !a->priv.hinted;

        if ((is_missing || a->priv.hint_owed) && may_hint(a, now_ms)) {
            hint(a, nothing, 0, now_ms);
            if (a->priv.hint_owed) { /* there is no room */
                return;
            }
        }
    }
}

bool fleet_slept(const fleet *f, uint32_t now_ms)
{
    return f->priv.stepped && is_over(f->priv.stepped_ms, f->o.times.gap, now_ms);
}

/* F5: the machine slept, or we were stopped: bytes in the sockets come first. */
static void see_gap(fleet *f, uint32_t now_ms)
{
    if (fleet_slept(f, now_ms)) {
        f->priv.fresh = false;
        f->priv.looking = true;
        begin_timers(f, now_ms);
    }
    f->priv.stepped = true;
    f->priv.stepped_ms = now_ms;
}

void fleet_step(fleet *f, uint32_t now_ms)
{
    see_gap(f, now_ms);
    step_node(f, now_ms);
    hint_the_rest(f, now_ms);
    for (fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        step_account(a, now_ms);
    }
    if (!f->priv.leaving) {
        rebalance(f, now_ms);
    }
}

static uint32_t left(uint32_t from_ms, uint32_t ms, uint32_t now_ms)
{
    return is_over(from_ms, ms, now_ms) ? 0 : ms - (now_ms - from_ms);
}

static uint32_t account_deadline_ms(const fleet_account *a, uint32_t now_ms)
{
    const fleet *f = a->priv.f;

    switch (a->state) {
        case FLEET_WAITING:
            return f->priv.fresh ? left(a->priv.from_ms, a->priv.wait_ms, now_ms) : UINT32_MAX;
        case FLEET_CLAIMING:
        case FLEET_LEAVING:
            return 20;
        case FLEET_ACTIVE:
            return is_due(&a->priv.ledger, now_ms) || is_due(&a->priv.inbox, now_ms) ? 5
                                                                                     : UINT32_MAX;
        default:
            return UINT32_MAX;
    }
}

/* At most half of the gap, so that a longer one shows and silence is noticed in time. */
uint32_t fleet_deadline_ms(const fleet *f, uint32_t now_ms)
{
    uint32_t ms = f->o.times.gap / 2;

    ms = f->o.times.beat / 5 < ms ? f->o.times.beat / 5 : ms;
    if (f->priv.fresh) {
        const uint32_t to_beat = left(f->priv.beat_ms, f->o.times.beat, now_ms);

        ms = to_beat < ms ? to_beat : ms;
    }
    for (const fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        const uint32_t own = account_deadline_ms(a, now_ms);

        ms = own < ms ? own : ms;
    }
    return ms < 2 ? 2 : ms;
}

/* ---- notifications (F9) ---- */

static void ring_elsewhere(fleet *f, const fleet_account *a, int64_t user_id)
{
    char topic[FLEET_TOPIC_MAX], number[24];
    mqtt_publication p;
    uint16_t packet;

    snprintf(number, sizeof number, "%" PRId64, user_id);
    account_topic(a, "fleet/bell", topic);
    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload = text_of(number);
    (void)f->o.hooks.publish(f->o.hooks.ctx, NULL, &p, &packet);
}

void fleet_ring(fleet *f, int64_t user_id)
{
    for (fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        if (a->user_id != 0 && a->user_id != user_id) {
            continue;
        }
        if (a->state == FLEET_ACTIVE) {
            f->o.hooks.ring(f->o.hooks.ctx, a, user_id);
        } else {
            ring_elsewhere(f, a, user_id);
        }
    }
}

/* ---- stores of an active account ---- */

static avito_str last_line(const char *lines, size_t len)
{
    avito_str last = {lines, len};

    while (last.len > 1) {
        const char *end = memchr(last.ptr, '\n', last.len - 1);

        if (end == NULL) {
            break;
        }
        last.len -= (size_t)(end + 1 - last.ptr);
        last.ptr = end + 1;
    }
    return last;
}

/* Identifies a write: the same id and state may come with another time. */
static uint64_t write_of(avito_str line)
{
    size_t n = line.len;

    for (size_t i = 0; i + 6 < n; i++) {
        if (memcmp(line.ptr + i, ",\"act\"", 6) == 0) {
            n = i;
        }
    }
    return ledger_hash(LEDGER_HASH, line.ptr, n) | 1;
}

/* A new note of the ledger: merges it into what is known, and remembers what must be undone if it is refused.
 * */
static void begin_append(fleet_account *a, const char *lines, size_t len, avito_str line)
{
    const ledger_entry *e;
    ledger one;

    memset(&one, 0, sizeof one);
    (void)ledger_merge(&one, line.ptr, line.len);
    e = ledger_newest(&one);
    a->priv.pending_id[0] = '\0';
    a->priv.unsaid = false;
    a->priv.pending_begins = e != NULL && e->state == LEDGER_BEGUN;
    if (e != NULL && ledger_find(&a->priv.known, e->id) == NULL) {
        memcpy(a->priv.pending_id, e->id, sizeof e->id);
        a->priv.unsaid = e->state == LEDGER_NOT_SENT || e->state == LEDGER_NOT_DONE;
    }
    ledger_close(&one);
    (void)ledger_merge(&a->priv.known, lines, len);
    a->priv.pending_is_kept = false;
    a->priv.pending_error = AVITO_OK;
    a->priv.pending_version = ++a->priv.ledger.version;
}

/* Our file refuses it. A send that is only noted as begun, and was not known before, has not left. */
static void take_back(fleet_account *a, int error)
{
    const ledger_entry *known = ledger_find(&a->priv.known, a->priv.pending_id);
    ledger_entry settled;

    a->priv.pending_error = error;
    a->priv.known_dirty = true;
    if (known == NULL || known->state != LEDGER_BEGUN) {
        return;
    }
    settled = *known;
    settled.state = LEDGER_NOT_SENT;
    settled.reason = say(TEXT("it could not be noted, so it was not sent",
                              "записать начало не удалось, поэтому не отправлено"));
    a->priv.unsaid = ledger_put(&a->priv.known, &settled);
    a->priv.pending_version = ++a->priv.ledger.version;
}

/* Our file has it, or refuses it. */
static bool is_settled(const fleet_account *a)
{
    return a->priv.pending_is_kept || a->priv.pending_error != AVITO_OK;
}

static void keep_pending(fleet_account *a, const char *lines, size_t len, bool whole)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    const int rc = whole ? keep_known(a) : h->keep_ledger(h->ctx, a, lines, len, true);

    a->priv.pending_is_kept = rc == AVITO_OK;
    if (rc != AVITO_OK && rc != AVITO_AGAIN) {
        take_back(a, rc);
    }
}

/* Events come between steps, so it may have begun after the last step. The difference then looks like a long
 * time, but is none. */
static bool is_denied_for_long(const fleet_account *a)
{
    const fleet *f = a->priv.f;
    const uint32_t ms = f->priv.stepped_ms - a->priv.ledger.denied_ms;

    return a->priv.ledger.denied && ms >= f->o.times.denied && ms < UINT32_MAX - f->o.times.denied;
}

/* The broker's ledger never gets it. We keep the answer for a hint. */
static int end_denied(fleet_account *a)
{
    if (!a->priv.unsaid && !is_settled(a)) {
        return AVITO_AGAIN;
    }
    a->priv.pending = 0;
    if (!a->priv.pending_begins && !a->priv.unsaid) {
        return a->priv.pending_error;
    }
    if (a->priv.pending_begins && a->priv.pending_error == AVITO_OK) {
        take_back(a, LEDGER_DENIED);
    }
    a->priv.unsaid = false;
    a->priv.known_dirty = true;
    return LEDGER_DENIED;
}

/* A refusal must be in the broker's ledger before it is said: the next holder may get the command again, and would do
 * it, or look for it and not be able to tell. Until then it is in no file of ours, either, and is forgotten with the
 * connection, for that holder may have done it. */
int fleet_append(fleet_account *a, const char *lines, size_t len, bool whole)
{
    const avito_str line = last_line(lines, len);
    const uint64_t what = write_of(line);

    if (a->priv.pending != what) {
        begin_append(a, lines, len, line);
        a->priv.pending = what;
    }
    if (is_stored(&a->priv.ledger, a->priv.pending_version)) {
        a->priv.unsaid = false;
    }
    if (!is_settled(a) && !a->priv.unsaid) {
        keep_pending(a, lines, len, whole);
    }
    if (!is_stored(&a->priv.ledger, a->priv.pending_version) && is_denied_for_long(a)) {
        return end_denied(a);
    }
    if (!is_settled(a) || !is_stored(&a->priv.ledger, a->priv.pending_version)) {
        return AVITO_AGAIN;
    }
    a->priv.pending = 0;
    return a->priv.pending_error;
}

void fleet_load(const fleet_account *a, void (*take)(void *to, const char *lines, size_t len),
                void *to)
{
    size_t len, count;
    char *text = known_lines(a, "", NULL, &len, &count);

    if (text != NULL) {
        take(to, text, len);
    }
    free(text);
}

static bool is_same_state(const fleet_account *a, int slot, const void *data, size_t len)
{
    return a->priv.state != NULL && a->priv.slot == slot && a->priv.state_len == len &&
           memcmp(a->priv.state, data, len) == 0;
}

/* The newest state, which goes to the broker. */
static int take_newest(fleet_account *a, int slot, const void *data, size_t len)
{
    char *copy = realloc(a->priv.state, len + 1);

    if (copy == NULL) {
        return AVITO_ERR_ROOM;
    }
    a->priv.state = memcpy(copy, data, len);
    a->priv.state_len = len;
    a->priv.slot = slot;
    a->priv.inbox.version++;
    return AVITO_OK;
}

/* If somebody waits, our file comes first: others must not start from a state that the file cannot take. */
int fleet_save_inbox(fleet_account *a, int slot, const void *data, size_t len, bool accepting)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    const bool waits = accepting || !a->priv.broker_has_inbox;

    a->priv.slot_waits = false;
    if (!is_same_state(a, slot, data, len)) {
        int rc = h->keep_slot(h->ctx, a, slot, data, len);

        a->priv.slot_waits = rc == AVITO_AGAIN;
        rc = rc == AVITO_OK ? take_newest(a, slot, data, len) : rc;
        if (rc != AVITO_OK) {
            return a->priv.slot_waits ? (int)AVITO_ERR_FILE : rc;
        }
    }
    return !waits || is_stored(&a->priv.inbox, a->priv.inbox.version) ? (int)AVITO_OK
                                                                      : (int)AVITO_ERR_FILE;
}

/* If the broker has no state, ours counts, and the broker gets it, because the next holder has no other. The
 * inbox loads the newest slot last. */
int fleet_load_inbox(fleet_account *a, int slot, void *data, size_t cap, size_t *len)
{
    const fleet_hooks *h = &a->priv.f->o.hooks;
    int rc;

    if (!a->priv.broker_has_inbox) {
        rc = h->load_slot(h->ctx, a, slot, data, cap, len);
        if (rc == AVITO_OK && *len <= cap) {
            (void)take_newest(a, slot, data, *len);
        }
        return rc;
    }
    if (a->priv.slot != slot) {
        return AVITO_END;
    }
    *len = a->priv.state_len;
    memcpy(data, a->priv.state, *len < cap ? *len : cap);
    return AVITO_OK;
}

bool fleet_is_saving(const fleet_account *a)
{
    return a->priv.slot_waits ||
           (!is_stored(&a->priv.inbox, a->priv.inbox.version) && !a->priv.inbox.failed);
}

/* ---- beginning and end ---- */

void fleet_init(fleet *f, const fleet_options *options, uint32_t now_ms)
{
    memset(f, 0, sizeof *f);
    f->o = *options;
    f->priv.begun_ms = now_ms;
}

void fleet_add(fleet *f, fleet_account *a, const char *name, const char *lines, size_t len,
               uint32_t epoch)
{
    void *glue = a->glue;

    memset(a, 0, sizeof *a);
    a->glue = glue;
    a->name = name;
    a->priv.f = f;
    a->priv.seen_epoch = epoch;
    a->priv.next = f->priv.accounts;
    f->priv.accounts = a;
    if (len > 0) {
        (void)ledger_merge(&a->priv.known, lines, len);
    }
}

void fleet_free(fleet *f)
{
    for (fleet_account *a = f->priv.accounts; a != NULL; a = a->priv.next) {
        drop(a);
        ledger_close(&a->priv.known);
        free(a->priv.state);
        a->priv.state = NULL;
    }
    f->priv.accounts = NULL;
}
