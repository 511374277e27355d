/* fleet_world.h - several nodes of a fleet and a broker of publications, in memory, with a clock
 * that the test moves. The test chooses what the broker keeps and what it forgets. */
#ifndef TESTS_AVITO_FLEET_WORLD_H
#define TESTS_AVITO_FLEET_WORLD_H

#include "tools/avito/fleet.h"
#include "topic_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORLD_NODES    4
#define WORLD_ACCOUNTS 12
#define WORLD_EVENTS   512
#define WORLD_STORED   128

struct world_event {
    enum mqtt_event_kind kind;
    uint16_t packet;
    uint8_t reason;
    bool retain, session_present;
    char topic[FLEET_TOPIC_MAX], *payload;
    size_t len, properties_len;
    unsigned char properties[256];
};

/* A connection: of a node, or of a node's account. */
struct world_line {
    bool open, connected, cut; /* cut: by the broker; the node does not know yet */
    bool persistent;
    char filters[40][FLEET_TOPIC_MAX];
    size_t filters_count;
    struct world_event queue[WORLD_EVENTS];
    size_t first, count;
    mqtt_publication will;
    bool has_will;
    uint16_t last_id;
};

struct world_account {
    fleet_account core;
    struct world_node *node;
    struct world_line line;
    char name[16];
    bool active;
    uint32_t begun_ms, rang; /* number of alerts */
    int64_t rang_for;
    unsigned learnt, stored;
    uint32_t kept_epoch;
    char *file;        /* the ledger's */
    char slots[2][64]; /* the inbox's */
    size_t slot_len[2];
    unsigned kept; /* commands that came before it was ours */
};

struct world_node {
    bool runs, stopped;
    fleet fleet;
    fleet_options o;
    struct world_line line;
    struct world_account accounts[WORLD_ACCOUNTS];
    char name[8], said[4096];
};

static struct {
    uint32_t now_ms;
    bool up, swallow_marks, swallow_acks, no_probe, no_retain, forgets_sessions, saves_nothing,
        swallow_status, no_node_lines, denies_ledger, slow_files, full_files, busy,
        no_room_for_hints, no_qos1, cannot_serve;
    uint32_t expiry_s, crowded; /* how many of 100 publications find no room at first */
    struct world_node nodes[WORLD_NODES];
    size_t count, accounts;
    struct world_event stored[WORLD_STORED];
    bool session[WORLD_ACCOUNTS]; /* the broker has one */
    char log[1 << 16];            /* what was published and asked, by account connections */
    unsigned claims;
    uint64_t random;
} world;

static uint32_t world_draw(void)
{
    world.random ^= world.random << 13;
    world.random ^= world.random >> 7;
    world.random ^= world.random << 17;
    return (uint32_t)(world.random >> 16);
}

static void world_note(const char *what, const char *topic)
{
    const size_t at = strlen(world.log);

    if (at + 200 < sizeof world.log) {
        snprintf(world.log + at, sizeof world.log - at, "%s %s\n", what, topic);
    }
}

/* ---- the broker ---- */

static void world_push(struct world_line *l, const struct world_event *e)
{
    struct world_event *to = &l->queue[(l->first + l->count) % WORLD_EVENTS];

    if (l->count == WORLD_EVENTS) {
        abort();
    }
    *to = *e;
    to->payload = malloc(e->len + 1);
    memcpy(to->payload, e->payload != NULL ? e->payload : "", e->len);
    to->payload[e->len] = '\0';
    l->count++;
}

static void world_drain(struct world_line *l)
{
    for (; l->count > 0; l->count--) {
        free(l->queue[l->first].payload);
        l->first = (l->first + 1) % WORLD_EVENTS;
    }
}

static void world_answer(struct world_line *l, enum mqtt_event_kind kind, uint16_t packet,
                         uint8_t reason)
{
    struct world_event e;

    memset(&e, 0, sizeof e);
    e.kind = kind;
    e.packet = packet;
    e.reason = reason;
    world_push(l, &e);
}

static bool world_hears(const struct world_line *l, const char *topic)
{
    for (size_t i = 0; i < l->filters_count; i++) {
        if (topic_matches(l->filters[i], topic)) {
            return true;
        }
    }
    return false;
}

/* Gives it to every line that hears it; returns how many. */
static unsigned world_spread(const struct world_event *e)
{
    unsigned heard = 0;

    for (size_t n = 0; n < world.count; n++) {
        struct world_node *node = &world.nodes[n];

        if (node->line.connected && !node->line.cut && world_hears(&node->line, e->topic)) {
            world_push(&node->line, e);
            heard++;
        }
        for (size_t a = 0; a < world.accounts; a++) {
            struct world_line *l = &node->accounts[a].line;

            if (l->connected && !l->cut && world_hears(l, e->topic)) {
                world_push(l, e);
                heard++;
            }
        }
    }
    return heard;
}

static struct world_event *world_stored(const char *topic)
{
    struct world_event *free_one = NULL;

    for (size_t i = 0; i < WORLD_STORED; i++) {
        if (strcmp(world.stored[i].topic, topic) == 0) {
            return &world.stored[i];
        }
        free_one =
            free_one == NULL && world.stored[i].topic[0] == '\0' ? &world.stored[i] : free_one;
    }
    return free_one;
}

static void world_store(const struct world_event *e)
{
    struct world_event *to = world_stored(e->topic);

    free(to->payload);
    memset(to, 0, sizeof *to);
    if (e->len > 0) {
        *to = *e;
        to->retain = true;
        to->payload = malloc(e->len);
        memcpy(to->payload, e->payload, e->len);
    }
}

static void world_event_of(const mqtt_publication *p, struct world_event *e)
{
    size_t n = 0;

    memset(e, 0, sizeof *e);
    e->kind = MQTT_MESSAGE;
    snprintf(e->topic, sizeof e->topic, "%s", p->topic);
    e->payload = (char *)(uintptr_t)p->payload.ptr;
    e->len = p->payload.len;
    for (size_t i = 0; i < p->pairs_count; i++) {
        const char *texts[2] = {p->pairs[i].name, p->pairs[i].value};

        e->properties[n++] = 0x26;
        for (int t = 0; t < 2; t++) {
            const size_t len = strlen(texts[t]);

            e->properties[n++] = (unsigned char)(len >> 8);
            e->properties[n++] = (unsigned char)len;
            memcpy(e->properties + n, texts[t], len);
            n += len;
        }
    }
    e->properties_len = n;
}

static unsigned world_publish(const mqtt_publication *p)
{
    struct world_event e;
    unsigned heard;

    world_event_of(p, &e);
    heard = world_spread(&e);
    if (p->retain) {
        world_store(&e);
    }
    return heard;
}

/* ---- hooks of a node ---- */

static struct world_line *world_line_of(void *ctx, fleet_account *a)
{
    return a != NULL ? &((struct world_account *)a->glue)->line : &((struct world_node *)ctx)->line;
}

static int world_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        ((unsigned char *)out)[i] = (unsigned char)world_draw();
    }
    return AVITO_OK;
}

static int world_hook_publish(void *ctx, fleet_account *a, const mqtt_publication *p,
                              uint16_t *packet_id)
{
    struct world_line *l = world_line_of(ctx, a);
    unsigned heard;
    char what[40];

    if (!l->connected) {
        return MQTT_ERR_ARGUMENT;
    }
    if (world.crowded > 0 && world_draw() % 100 < world.crowded) {
        return MQTT_AGAIN;
    }
    *packet_id = p->qos > 0 ? ++l->last_id : 0;
    if (a != NULL) {
        snprintf(what, sizeof what, "%s%.20s", p->retain ? "retain " : "publish ",
                 strstr(p->topic, "/status") != NULL ? p->payload.ptr : "");
        world_note(what, p->topic);
    }
    if (!world.up || l->cut) { /* into the void */
        return MQTT_OK;
    }
    if (world.swallow_marks && strstr(p->topic, "/mark") != NULL) {
        return MQTT_OK;
    }
    if (world.denies_ledger && strstr(p->topic, "/fleet/ledger") != NULL) {
        world_answer(l, MQTT_ACKNOWLEDGED, *packet_id, MQTT_REASON_NOT_AUTHORIZED);
        return MQTT_OK;
    }
    if (world.no_room_for_hints && strstr(p->topic, "/fleet/hint") != NULL) {
        return MQTT_AGAIN;
    }
    heard = world_publish(p);
    if (p->qos > 0 && !(world.swallow_acks && a != NULL) &&
        !(world.swallow_status && strstr(p->topic, "/status") != NULL)) {
        world_answer(l, MQTT_ACKNOWLEDGED, *packet_id,
                     heard > 0 || world.no_probe ? 0 : MQTT_REASON_NOBODY_LISTENS);
    }
    return MQTT_OK;
}

static int world_hook_subscribe(void *ctx, fleet_account *a, const mqtt_filter *filters,
                                size_t count)
{
    struct world_line *l = world_line_of(ctx, a);

    if (a != NULL) {
        world_note("subscribe", a->name);
    }
    for (size_t i = 0; i < count && world.up && !l->cut; i++) {
        snprintf(l->filters[l->filters_count++], FLEET_TOPIC_MAX, "%s", filters[i].filter);
        for (size_t s = 0; s < WORLD_STORED; s++) {
            if (world.stored[s].topic[0] != '\0' && filters[i].retain_handling == 0 &&
                topic_matches(filters[i].filter, world.stored[s].topic)) {
                world_push(l, &world.stored[s]);
            }
        }
    }
    return MQTT_OK;
}

static int world_hook_unsubscribe(void *ctx, fleet_account *a, const mqtt_filter *filters,
                                  size_t count)
{
    struct world_line *l = world_line_of(ctx, a);

    world_note("unsubscribe", filters[0].filter);
    for (size_t i = 0; i < count; i++) {
        for (size_t f = 0; f < l->filters_count; f++) {
            if (strcmp(l->filters[f], filters[i].filter) == 0) {
                snprintf(l->filters[f], FLEET_TOPIC_MAX, "-");
            }
        }
    }
    return MQTT_OK;
}

static int world_hook_acknowledge(void *ctx, fleet_account *a, uint16_t packet_id)
{
    (void)ctx;
    (void)a;
    (void)packet_id;
    return MQTT_OK;
}

/* Closed by the broker, which publishes the will. */
static void world_cut(struct world_line *l)
{
    if (l->open && !l->cut) {
        l->cut = true;
        if (l->has_will && world.up) {
            (void)world_publish(&l->will);
        }
    }
}

static void world_open(struct world_line *l)
{
    world_drain(l);
    l->open = true;
    l->connected = l->cut = false;
    l->filters_count = 0;
}

/* A broker keeps one connection per client id. It sends no will for a session that goes on. */
static void world_hook_connect(void *ctx, fleet_account *a)
{
    struct world_account *own = a->glue;
    const size_t number = (size_t)(own - own->node->accounts);

    (void)ctx;
    world_note("connect", a->name);
    world.claims++;
    world_open(&own->line);
    own->line.will = a->will;
    own->line.has_will = true;
    own->line.persistent = true;
    if (!world.up) {
        own->line.cut = true;
        return;
    }
    for (size_t n = 0; n < world.count; n++) {
        struct world_line *other = &world.nodes[n].accounts[number].line;

        if (other != &own->line && other->open) {
            other->cut = true;
        }
    }
    own->line.connected = true;
    world_answer(&own->line, MQTT_CONNECTED, 0, world.session[number]);
    world.session[number] = !world.forgets_sessions;
}

static void world_hook_close(void *ctx, fleet_account *a)
{
    struct world_line *l = world_line_of(ctx, a);

    world_note("close", a->name);
    world_cut(l);
    l->open = l->connected = false;
    world_drain(l);
}

static void world_hook_part(void *ctx, fleet_account *a)
{
    struct world_line *l = world_line_of(ctx, a);

    world_note("part", a->name);
    l->has_will = false;
    l->open = l->connected = false;
    world_drain(l);
}

static bool world_hook_begin(void *ctx, fleet_account *a)
{
    struct world_account *own = a->glue;

    (void)ctx;
    world_note("begin", a->name);
    if (world.cannot_serve) {
        return false;
    }
    own->active = true;
    own->begun_ms = world.now_ms;
    if (!world.saves_nothing) {
        (void)fleet_save_inbox(a, 0, "state", 5, false); /* as a first round does */
    }
    return true;
}

static void world_hook_end(void *ctx, fleet_account *a)
{
    (void)ctx;
    world_note("end", a->name);
    ((struct world_account *)a->glue)->active = false;
}

static bool world_hook_rest(void *ctx, fleet_account *a)
{
    (void)ctx;
    (void)a;
    return !world.busy;
}

static void world_hook_learn(void *ctx, fleet_account *a, const char *lines, size_t len)
{
    (void)ctx;
    (void)lines;
    (void)len;
    ((struct world_account *)a->glue)->learnt++;
}

static void world_hook_stored(void *ctx, fleet_account *a)
{
    (void)ctx;
    ((struct world_account *)a->glue)->stored++;
}

static void world_hook_ring(void *ctx, fleet_account *a, int64_t user_id)
{
    struct world_account *own = a->glue;

    (void)ctx;
    own->rang++;
    own->rang_for = user_id;
}

static int world_hook_ledger(void *ctx, fleet_account *a, const char *lines, size_t len,
                             bool append)
{
    struct world_account *own = a->glue;
    const size_t before = append && own->file != NULL ? strlen(own->file) : 0;

    (void)ctx;
    if (world.full_files) {
        return AVITO_ERR_FILE;
    }
    if (world.slow_files) {
        return AVITO_AGAIN;
    }
    own->file = realloc(own->file, before + len + 1);
    memcpy(own->file + before, lines, len);
    own->file[before + len] = '\0';
    return AVITO_OK;
}

static int world_hook_slot(void *ctx, fleet_account *a, int slot, const void *data, size_t len)
{
    struct world_account *own = a->glue;

    (void)ctx;
    if (world.slow_files) {
        return AVITO_AGAIN;
    }
    memcpy(own->slots[slot], data, len);
    own->slot_len[slot] = len;
    return AVITO_OK;
}

static int world_hook_load(void *ctx, fleet_account *a, int slot, void *data, size_t cap,
                           size_t *len)
{
    const struct world_account *own = a->glue;

    (void)ctx;
    *len = own->slot_len[slot];
    memcpy(data, own->slots[slot], *len < cap ? *len : cap);
    return *len > 0 ? (int)AVITO_OK : (int)AVITO_END;
}

static int world_hook_epoch(void *ctx, fleet_account *a, uint32_t epoch)
{
    (void)ctx;
    ((struct world_account *)a->glue)->kept_epoch = epoch;
    return AVITO_OK;
}

static void world_hook_say(void *ctx, const char *account, const char *text)
{
    struct world_node *n = ctx;
    const size_t at = strlen(n->said);

    snprintf(n->said + at, sizeof n->said - at, "%s: %s\n", account != NULL ? account : "", text);
}

/* ---- nodes ---- */

static void world_start(size_t number)
{
    struct world_node *n = &world.nodes[number];

    n->runs = true;
    n->stopped = false;
    n->said[0] = '\0';
    snprintf(n->name, sizeof n->name, "n%u", (unsigned)number % 10);
    memset(&n->o, 0, sizeof n->o);
    n->o.name = "test";
    n->o.node = n->name;
    n->o.version = "1";
    n->o.times = fleet_times_of(100);
    n->o.hooks = (fleet_hooks){n,
                               world_entropy,
                               world_hook_publish,
                               world_hook_subscribe,
                               world_hook_unsubscribe,
                               world_hook_acknowledge,
                               world_hook_connect,
                               world_hook_close,
                               world_hook_part,
                               world_hook_begin,
                               world_hook_end,
                               world_hook_rest,
                               world_hook_learn,
                               world_hook_stored,
                               world_hook_ring,
                               world_hook_ledger,
                               world_hook_slot,
                               world_hook_load,
                               world_hook_epoch,
                               world_hook_say};
    fleet_init(&n->fleet, &n->o, world.now_ms);
    for (size_t a = 0; a < world.accounts; a++) {
        struct world_account *own = &n->accounts[a];

        own->node = n;
        own->core.glue = own;
        own->active = false;
        snprintf(own->name, sizeof own->name, "shop%u", (unsigned)a % 100);
        fleet_add(&n->fleet, &own->core, own->name, own->file,
                  own->file != NULL ? strlen(own->file) : 0, own->kept_epoch);
    }
}

/* kill -9: its connections are reset, its memory is gone, its files stay. */
static void world_kill(size_t number)
{
    struct world_node *n = &world.nodes[number];

    n->runs = false;
    for (size_t a = 0; a < world.accounts; a++) {
        struct world_account *own = &n->accounts[a];

        world_cut(&own->line);
        own->line.open = own->line.connected = false;
        world_drain(&own->line);
        own->active = false;
        ledger_close(&own->core.priv.known);
        free(own->core.priv.state);
        own->core.priv.state = NULL;
    }
    n->line.open = n->line.connected = false;
    world_drain(&n->line);
}

/* The keep-alive time of a stopped process is over: the broker closes its connections. */
static void world_keep_alive_over(size_t number)
{
    for (size_t a = 0; a < world.accounts; a++) {
        world_cut(&world.nodes[number].accounts[a].line);
    }
    world.nodes[number].line.cut = true;
}

/* kill -9 of the broker: no wills; what was retained stays, unless the test removes it. */
static void world_broker_dies(void)
{
    world.up = false;
    for (size_t n = 0; n < world.count; n++) {
        world.nodes[n].line.cut = true;
        for (size_t a = 0; a < world.accounts; a++) {
            world.nodes[n].accounts[a].line.cut = true;
        }
    }
}

static void world_forgets(const char *topic)
{
    struct world_event *e = world_stored(topic);

    free(e->payload);
    memset(e, 0, sizeof *e);
}

static void world_take(const struct world_event *from, mqtt_event *e)
{
    memset(e, 0, sizeof *e);
    e->kind = from->kind;
    e->packet_id = from->packet;
    e->reason = from->kind == MQTT_CONNECTED ? 0 : from->reason;
    e->session_present = from->reason != 0;
    e->session_expiry_s = world.expiry_s;
    e->no_retain = world.no_retain;
    e->no_qos1 = world.no_qos1;
    e->message.topic = (avito_str){from->topic, strlen(from->topic)};
    e->message.payload = (avito_str){from->payload, from->len};
    e->message.properties = (avito_str){(const char *)from->properties, from->properties_len};
    e->message.retain = from->retain;
}

/* The next event on an open line, whose payload the caller frees. */
static bool world_next(struct world_line *l, struct world_event *from, mqtt_event *e)
{
    if (!l->open || l->count == 0) {
        return false;
    }
    *from = l->queue[l->first];
    l->first = (l->first + 1) % WORLD_EVENTS;
    l->count--;
    world_take(from, e);
    return true;
}

static bool world_move_account(struct world_account *own)
{
    struct world_line *l = &own->line;
    struct world_event from;
    mqtt_event e;

    if (l->open && l->cut && l->count == 0) {
        fleet_account_lost(&own->core, world.now_ms);
        return true;
    }
    if (!world_next(l, &from, &e)) {
        return false;
    }
    own->kept += fleet_account_event(&own->core, &e, world.now_ms) == FLEET_KEEP;
    free(from.payload);
    return true;
}

static bool world_move_node(struct world_node *n)
{
    struct world_line *l = &n->line;
    struct world_event from;
    mqtt_event e;

    if (l->open && l->cut && l->count == 0) {
        l->open = l->connected = false;
        fleet_node_lost(&n->fleet);
        return true;
    }
    if (!l->open && world.up && !world.no_node_lines) {
        world_open(l);
        l->connected = true;
        world_answer(l, MQTT_CONNECTED, 0, 0);
    }
    if (!world_next(l, &from, &e)) {
        return false;
    }
    fleet_node_event(&n->fleet, &e, world.now_ms);
    free(from.payload);
    return true;
}

static bool world_move(struct world_node *n)
{
    bool moved = false;

    if (!n->runs || n->stopped) {
        return false;
    }
    for (int i = 0; i < 64 && world_move_node(n); i++) {
        moved = true;
    }
    for (size_t a = 0; a < world.accounts; a++) {
        for (int i = 0; i < 64 && world_move_account(&n->accounts[a]); i++) {
            moved = true;
        }
    }
    fleet_step(&n->fleet, world.now_ms);
    return moved;
}

/* Lets that many milliseconds pass, in steps of 10. */
static void world_run(uint32_t ms)
{
    for (uint32_t end = world.now_ms + ms; world.now_ms != end;) {
        for (int i = 0; i < 20; i++) {
            bool moved = false;

            for (size_t n = 0; n < world.count; n++) {
                moved = world_move(&world.nodes[n]) || moved;
            }
            if (!moved) {
                break;
            }
        }
        world.now_ms += 10 < end - world.now_ms ? 10 : end - world.now_ms;
    }
}

static void world_begin(size_t nodes, size_t accounts, uint64_t seed)
{
    world.random = seed * 0x9e3779b97f4a7c15u + 1;
    world.now_ms = 1000;
    world.up = true;
    world.expiry_s = 604800;
    world.count = nodes;
    world.accounts = accounts;
    for (size_t n = 0; n < nodes; n++) {
        world_start(n);
    }
}

static void world_end(void)
{
    for (size_t n = 0; n < world.count; n++) {
        if (world.nodes[n].runs) {
            world_kill(n);
        }
        for (size_t a = 0; a < world.accounts; a++) {
            free(world.nodes[n].accounts[a].file);
        }
    }
    for (size_t i = 0; i < WORLD_STORED; i++) {
        free(world.stored[i].payload);
    }
    memset(&world, 0, sizeof world);
}

static int world_holder(size_t account)
{
    int holder = -1;

    for (size_t n = 0; n < world.count; n++) {
        if (world.nodes[n].runs && world.nodes[n].accounts[account].active) {
            holder = holder == -1 ? (int)n : -2; /* -2: more than one */
        }
    }
    return holder;
}

#endif
