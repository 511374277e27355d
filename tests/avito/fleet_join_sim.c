/* fleet_join_sim.c - whole gateways of a fleet in worlds made from seeds: the fleet's logic, the
 * core of a gateway for each account, and MQTT clients, over a broker that speaks bytes and a
 * service, without sockets, clock and files. Nodes are killed, even while they write, stopped and
 * ended. Lines are cut, or are silent and deliver late. The broker dies, and keeps what it
 * acknowledged.
 *
 *     build/fleet_join_sim FIRST COUNT [once]     each failing seed is named; once: only the first
 *
 * The service's books are the judge. Each command is done at most once. Each command that the
 * broker acknowledged gets one result, which is true and final. Each message of a buyer is
 * published.
 * Rooms: none. */
#include "broker_world.h"
#include "tools/avito/fleet_seat.h"

#include <setjmp.h>

#define NODES     3
#define ACCOUNTS  2
#define COMMANDS  20 /* of each account */
#define BUYERS    10
#define TROUBLE_S 400u
#define CALM_S    260u
#define ROOM      (1u << 17)

#define INBOX_RUNS 3 /* AVITOI_INBOX_RUNS */

static uint64_t seed;
static unsigned long all_claims, all_kills, all_results;

static bool is_traced(void)
{
    static int traced = -1;

    traced = traced < 0 ? getenv("TRACE") != NULL : traced;
    return traced;
}

static void trace(const char *who, const char *what)
{
    if (is_traced()) {
        printf("# %8llu %s: %s\n", (unsigned long long)now_ms, who, what);
    }
}

/* ---- services, and lanes to them ---- */

struct wire {
    sim *service;
    sim_conn *conn;
};

static sim_fault service_fault(void *ctx, const sim_request_info *request)
{
    sim_fault f;

    (void)ctx;
    (void)request;
    memset(&f, 0, sizeof f);
    if (bad(15)) {
        draw_fault(&f);
    }
    return f;
}

static int wire_connect(void *ctx, const avito_server *to)
{
    struct wire *w = ctx;

    (void)to;
    if (bad(20)) {
        return AVITO_ERR_CONNECT;
    }
    w->conn = sim_conn_open(w->service);
    return AVITO_OK;
}

static long wire_send(void *ctx, const void *data, size_t len, int more)
{
    struct wire *w = ctx;

    (void)more;
    return sim_conn_receive(w->conn, data, len) ? (long)len : (long)AVITO_ERR_SEND;
}

static long wire_recv(void *ctx, void *data, size_t cap)
{
    return wire_take(((struct wire *)ctx)->conn, data, cap);
}

static int wire_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void wire_close(void *ctx)
{
    wire_drop(&((struct wire *)ctx)->conn);
}

static const avito_transport_functions wire_functions = {
    wire_connect, wire_send, wire_recv, wire_wants, NULL, wire_close, NULL, NULL};

/* ---- nodes ---- */

/* A client of the broker, with its memory. */
struct client {
    mqtt mqtt;
    struct broker_line *line; /* NULL: closed */
    char in[ROOM], out[ROOM], id[64];
};

/* A lane of the inbox, or one for commands. */
struct lane {
    struct wire wire;
    avito_client client;
    avito_arena arena;
    char window[1024], room[32768];
};

struct place {
    fleet_seat seat;
    struct node *node;
    struct client client;
    char name[8];
    avito_account account;
    gateway_account shop;
    struct lane lanes[2];
    gateway_lane lent_lane;
    bool is_lent;
    char tokens[AVITO_TOKENS_SIZE(128)], ring[AVITO_INBOX_STATE_SIZE(256)],
        records[AVITO_INBOX_CHATS_SIZE(16)];
    /* its files */
    char *ledger;
    size_t ledger_len, slot_len[2];
    char slots[2][8192];
    uint32_t epoch;
    uint64_t refused[GATEWAY_REFUSALS];
};

static struct node {
    char name[8];
    bool runs, stopped, leaving, disk_full;
    uint64_t start_at_ms, leave_by_ms;
    fleet fleet;
    struct client client;
    uint64_t connect_at_ms;
    struct place places[ACCOUNTS];
} nodes[NODES];

static sim *services[ACCOUNTS];
static char chats[ACCOUNTS][64];
static bool started
    [ACCOUNTS]; /* the inbox has ended its first rounds: nothing may be missing from then on */
static bool slow_files;    /* of ledgers: what is written is not durable yet */
static bool denies_ledger; /* the broker, for good */
static jmp_buf killed;

/* kill -9 strikes at any moment. */
static void may_die(uint32_t of)
{
    if (bad(of)) {
        longjmp(killed, 1);
    }
}

static struct place *place_of(fleet_account *a)
{
    return a->glue;
}

/* ---- connections ---- */

static void client_open(struct client *c, const char *id, bool clean, const mqtt_publication *will)
{
    mqtt_options o;

    memset(&o, 0, sizeof o);
    snprintf(c->id, sizeof c->id, "%s", id);
    o.client_id = c->id;
    o.will = will;
    o.clean_start = clean;
    o.session_expiry_s = clean ? 0 : 604800;
    o.ping_ms = 5000;
    o.in = c->in;
    o.out = c->out;
    o.in_cap = o.out_cap = ROOM;
    (void)mqtt_init(&c->mqtt, &o);
    (void)mqtt_begin(&c->mqtt, (uint32_t)now_ms);
    c->line = broker_open_line();
}

static void client_send(struct client *c)
{
    const void *data;
    const size_t n = mqtt_output(&c->mqtt, &data);

    if (n > 0 && c->line != NULL) {
        broker_send(c->line, data, n);
        mqtt_sent(&c->mqtt, n, (uint32_t)now_ms);
    }
}

static void client_close(struct client *c)
{
    mqtt_end(&c->mqtt);
    if (c->line != NULL) {
        c->line->client_gone = true;
        c->line = NULL;
    }
}

/* Takes the next event; false: the connection is over. */
static bool client_next(struct client *c, mqtt_event *e)
{
    bool over = false;
    void *room;
    size_t cap;
    int rc = mqtt_tick(&c->mqtt, (uint32_t)now_ms);

    client_send(c);
    rc = rc == MQTT_AGAIN ? MQTT_OK : rc;
    rc = rc == MQTT_OK ? mqtt_next(&c->mqtt, e) : rc;
    if (rc == MQTT_OK && e->kind == MQTT_NOTHING) {
        cap = mqtt_input(&c->mqtt, &room);
        mqtt_received(&c->mqtt, broker_receive(c->line, room, cap, &over));
        rc = mqtt_next(&c->mqtt, e);
    }
    return rc == MQTT_OK && e->kind != MQTT_CLOSED && !(over && e->kind == MQTT_NOTHING);
}

static struct client *client_of(void *ctx, fleet_account *a)
{
    return a != NULL ? &place_of(a)->client : &((struct node *)ctx)->client;
}

static int hook_publish(void *ctx, fleet_account *a, const mqtt_publication *p, uint16_t *packet_id)
{
    return mqtt_publish(&client_of(ctx, a)->mqtt, p, packet_id);
}

static int hook_subscribe(void *ctx, fleet_account *a, const mqtt_filter *filters, size_t count)
{
    return mqtt_subscribe(&client_of(ctx, a)->mqtt, filters, count, NULL);
}

static int hook_unsubscribe(void *ctx, fleet_account *a, const mqtt_filter *filters, size_t count)
{
    return mqtt_unsubscribe(&client_of(ctx, a)->mqtt, filters, count, NULL);
}

static int hook_acknowledge(void *ctx, fleet_account *a, uint16_t packet_id)
{
    return mqtt_acknowledge(&client_of(ctx, a)->mqtt, packet_id, MQTT_REASON_SUCCESS);
}

static void hook_connect(void *ctx, fleet_account *a)
{
    char id[40];

    (void)ctx;
    all_claims++;
    snprintf(id, sizeof id, "avito-secret-%s", a->name);
    client_open(&place_of(a)->client, id, false, &a->will);
}

static void hook_close(void *ctx, fleet_account *a)
{
    (void)ctx;
    client_close(&place_of(a)->client);
    fleet_seat_forget(&place_of(a)->seat);
}

static void hook_part(void *ctx, fleet_account *a)
{
    struct client *c = &place_of(a)->client;

    (void)mqtt_disconnect(&c->mqtt, MQTT_REASON_SUCCESS);
    client_send(c);
    hook_close(ctx, a);
}

/* ---- files ---- */

/* A kill strikes before or after what is written, or in the middle of it. */
static int write_ledger(struct place *p, const char *data, size_t len, bool append)
{
    const size_t before = append ? p->ledger_len : 0,
                 n = append && bad(100) ? draw((uint32_t)len + 1) : len;

    if (p->node->disk_full) {
        return AVITO_ERR_FILE;
    }
    may_die(150);
    p->ledger = realloc(p->ledger, before + len + 1);
    memcpy(p->ledger + before, data, n);
    p->ledger_len = before + n;
    if (n < len) {
        longjmp(killed, 1);
    }
    may_die(150);
    return AVITO_OK;
}

static int hook_keep_ledger(void *ctx, fleet_account *a, const char *lines, size_t len, bool append)
{
    (void)ctx;
    return slow_files || bad(4) ? (int)AVITO_AGAIN : write_ledger(place_of(a), lines, len, append);
}

static int hook_keep_slot(void *ctx, fleet_account *a, int slot, const void *data, size_t len)
{
    struct place *p = place_of(a);

    (void)ctx;
    if (p->node->disk_full) {
        return AVITO_ERR_FILE;
    }
    if (p->seat.served != NULL && p->shop.accepting && bad(4)) {
        return AVITO_AGAIN;
    }
    p->slot_len[slot] = 0;
    may_die(200);
    memcpy(p->slots[slot], data, len);
    p->slot_len[slot] = len;
    return AVITO_OK;
}

static int hook_load_slot(void *ctx, fleet_account *a, int slot, void *data, size_t cap,
                          size_t *len)
{
    const struct place *p = place_of(a);

    (void)ctx;
    *len = p->slot_len[slot];
    memcpy(data, p->slots[slot], *len < cap ? *len : cap);
    return *len > 0 ? (int)AVITO_OK : (int)AVITO_END;
}

static int hook_keep_epoch(void *ctx, fleet_account *a, uint32_t epoch)
{
    (void)ctx;
    if (!place_of(a)->node->disk_full) {
        place_of(a)->epoch = epoch;
    }
    return AVITO_OK;
}

static int save_refusals(void *ctx, const uint64_t hashes[GATEWAY_REFUSALS])
{
    memcpy(((struct place *)ctx)->refused, hashes, sizeof((struct place *)ctx)->refused);
    return AVITO_OK;
}

static int load_refusals(void *ctx, uint64_t hashes[GATEWAY_REFUSALS])
{
    memcpy(hashes, ((struct place *)ctx)->refused, sizeof((struct place *)ctx)->refused);
    return AVITO_OK;
}

/* ---- the gateway of an account ---- */

static unsigned said; /* lines for people */

static void hear(void *ctx, const char *account, const char *text)
{
    char who[32];

    snprintf(who, sizeof who, "%s %s", ((struct node *)ctx)->name, account != NULL ? account : "");
    said++;
    trace(who, text);
}

static void hook_say(void *ctx, const char *account, const char *text)
{
    struct node *n = ctx;
    const gateway_options o = {.ctx = ctx, .boot_ms = clock_ms, .say = hear};

    for (size_t a = 0; a < ACCOUNTS; a++) {
        if (account != NULL && strcmp(n->places[a].name, account) == 0) {
            gateway_voice_tell(&o, &n->places[a].seat.voice, account, text);
        }
    }
}

static gateway_lane *borrow(void *ctx, avito_account *of)
{
    struct node *n = ctx;

    for (size_t a = 0; a < ACCOUNTS; a++) {
        struct place *p = &n->places[a];

        if (&p->account == of && !p->is_lent && !bad(10)) { /* none may be free */
            p->is_lent = true;
            return &p->lent_lane;
        }
    }
    return NULL;
}

static void give_back(void *ctx, gateway_lane *lane)
{
    struct node *n = ctx;

    for (size_t a = 0; a < ACCOUNTS; a++) {
        if (&n->places[a].lent_lane == lane) {
            n->places[a].is_lent = false;
        }
    }
}

static int save_session(void *ctx, uint32_t session)
{
    (void)ctx;
    (void)session;
    return AVITO_OK;
}

static bool is_saving(void *ctx, avito_account *of)
{
    (void)ctx;
    return fleet_is_saving(&((struct place *)of->o.ctx)->seat.core);
}

/* Of two worlds in three the nodes' clocks are minutes apart. */
static int64_t node_time(void *ctx)
{
    const struct node *n = ctx;

    return unix_time(NULL) + (n - nodes - 1) * (int64_t)(seed % 3) * 400;
}

static int64_t place_time(void *ctx)
{
    return node_time(((struct place *)ctx)->node);
}

static void open_account(struct place *p)
{
    avito_account_options a = avito_account_options_default();

    a.client_id = "client-id-for-tests";
    a.client_secret = "client-secret-for-tests-0123456789abcdef";
    a.tokens = p->tokens;
    a.tokens_cap = sizeof p->tokens;
    a.ctx = p;
    a.clock_ms = clock_ms;
    a.unix_time = place_time;
    a.entropy = entropy;
    (void)avito_account_init(&p->account, &a);
    for (int i = 0; i < 2; i++) {
        struct lane *l = &p->lanes[i];
        avito_client_options c = avito_client_options_default();

        wire_close(&l->wire);
        l->wire.service = services[p - p->node->places];
        c.transport.functions = &wire_functions;
        c.transport.ctx = &l->wire;
        c.window = l->window;
        c.window_cap = sizeof l->window;
        c.never_wait = true;
        c.retries = 1;
        (void)avito_client_init(&l->client, &p->account, &c);
        l->arena = avito_arena_of(l->room, sizeof l->room);
    }
    p->lent_lane = (gateway_lane){&p->lanes[1].client, &p->lanes[1].arena};
    p->is_lent = false;
}

static void add_account(struct place *p)
{
    gateway_account_options a;

    memset(&a, 0, sizeof a);
    a.name = p->name;
    a.reader = &p->lanes[0].client;
    a.inbox = avito_inbox_options_default();
    a.inbox.state = p->ring;
    a.inbox.state_cap = sizeof p->ring;
    a.inbox.chats = p->records;
    a.inbox.chats_cap = sizeof p->records;
    a.inbox.arena = &p->lanes[0].arena;
    a.inbox.poll_ms = 2000;
    a.inbox.ctx = &p->seat;
    a.inbox.save = fleet_seat_save_inbox;
    a.inbox.load = fleet_seat_load_inbox;
    a.ledger = fleet_seat_ledger(&p->seat);
    a.ctx = p;
    a.load_refusals = load_refusals;
    a.save_refusals = save_refusals;
    a.names = true;
    (void)gateway_add(&p->seat.gateway, &p->shop, &a);
}

static bool hook_begin(void *ctx, fleet_account *a)
{
    struct place *p = place_of(a);
    gateway_options o;

    memset(&o, 0, sizeof o);
    o.name = "main";
    o.broker = &p->client.mqtt;
    o.window = 20;
    o.pictures_max = 1 << 20;
    o.ctx = ctx;
    o.unix_time = node_time;
    o.boot_ms = clock_ms;
    o.entropy = entropy;
    o.save_session = save_session;
    o.is_saving = is_saving;
    o.borrow = borrow;
    o.give_back = give_back;
    o.say = hear;
    o.look_for_ms = FLEET_LOOK_FOR_MS;
    if (bad(30)) { /* it cannot be opened here now */
        return false;
    }
    hook_say(ctx, a->name, "is served here");
    open_account(p);
    fleet_seat_begin(&p->seat, &o);
    add_account(p);
    fleet_seat_serve(&p->seat, &p->shop, (uint32_t)now_ms);
    return true;
}

static void hook_end(void *ctx, fleet_account *a)
{
    struct place *p = place_of(a);

    if (p->seat.served != NULL) {
        fleet_seat_end(&p->seat);
        hook_say(ctx, a->name, "is not served here any more");
    }
}

static bool hook_rest(void *ctx, fleet_account *a)
{
    (void)ctx;
    return place_of(a)->seat.served == NULL || gateway_rest(place_of(a)->seat.served);
}

static void hook_learn(void *ctx, fleet_account *a, const char *lines, size_t len)
{
    (void)ctx;
    if (place_of(a)->seat.served != NULL) {
        gateway_learn(place_of(a)->seat.served, lines, len, (uint32_t)now_ms);
    }
}

static void hook_stored(void *ctx, fleet_account *a)
{
    (void)ctx;
    if (place_of(a)->seat.served != NULL) {
        gateway_saved(place_of(a)->seat.served);
    }
}

static void hook_ring(void *ctx, fleet_account *a, int64_t user_id)
{
    (void)ctx;
    gateway_ring(&place_of(a)->seat.gateway, user_id);
}

/* ---- a node's life ---- */

static void start_node(struct node *n)
{
    fleet_options o;

    n->runs = true;
    n->stopped = n->leaving = false;
    n->connect_at_ms = 0;
    n->client.line = NULL;
    memset(&o, 0, sizeof o);
    o.name = "test";
    o.node = n->name;
    o.version = "1";
    o.times = fleet_times_of(100);
    o.hooks = (fleet_hooks){n,
                            entropy,
                            hook_publish,
                            hook_subscribe,
                            hook_unsubscribe,
                            hook_acknowledge,
                            hook_connect,
                            hook_close,
                            hook_part,
                            hook_begin,
                            hook_end,
                            hook_rest,
                            hook_learn,
                            hook_stored,
                            hook_ring,
                            hook_keep_ledger,
                            hook_keep_slot,
                            hook_load_slot,
                            hook_keep_epoch,
                            hook_say};
    fleet_init(&n->fleet, &o, (uint32_t)now_ms);
    for (size_t a = 0; a < ACCOUNTS; a++) {
        struct place *p = &n->places[a];

        memset(&p->seat, 0, sizeof p->seat);
        p->node = n;
        p->client.line = NULL;
        snprintf(p->name, sizeof p->name, "shop%u", (unsigned)a % 10);
        p->seat.core.glue = p;
        fleet_add(&n->fleet, &p->seat.core, p->name, p->ledger, p->ledger_len, p->epoch);
    }
    trace(n->name, "starts");
}

/* Its connections end, its memory is gone, its files stay. */
static void end_node(struct node *n, uint32_t pause_ms)
{
    n->runs = false;
    n->start_at_ms = now_ms + pause_ms;
    fleet_free(&n->fleet);
    client_close(&n->client);
    for (size_t a = 0; a < ACCOUNTS; a++) {
        fleet_seat_forget(&n->places[a].seat);
        for (int i = 0; i < 2; i++) {
            wire_close(&n->places[a].lanes[i].wire);
        }
    }
}

static void kill_node(struct node *n)
{
    trace(n->name, "is killed");
    all_kills++;
    end_node(n, draw(30000));
}

/* Gives an account on a node the events of its connection, and steps its gateway. */
static void step_place(struct place *p)
{
    const uint32_t now = (uint32_t)now_ms;
    mqtt_event e;

    while (p->client.line != NULL) {
        if (!client_next(&p->client, &e)) {
            fleet_account_lost(&p->seat.core, now);
            break;
        }
        if (e.kind == MQTT_NOTHING) {
            break;
        }
        fleet_seat_event(&p->seat, &e, now, now);
        may_die(3000);
    }
    if (p->seat.served != NULL) {
        if (draw(4) == 0) { /* a write has ended */
            gateway_saved(p->seat.served);
        }
        p->seat.core.user_id =
            p->seat.served->user_id != 0 ? p->seat.served->user_id : p->seat.core.user_id;
        (void)gateway_step(&p->seat.gateway, now);
        gateway_account_step(p->seat.served, now);
        started[p - p->node->places] |= p->shop.inbox.priv.stage == INBOX_RUNS;
        (void)gateway_step(&p->seat.gateway, now);
    }
    client_send(&p->client);
}

static void node_lost(struct node *n)
{
    client_close(&n->client);
    fleet_node_lost(&n->fleet);
    n->connect_at_ms = now_ms + 500 + draw(2000);
}

static void step_node_line(struct node *n)
{
    mqtt_event e;

    if (n->client.line == NULL && now_ms >= n->connect_at_ms) {
        char id[40];

        snprintf(id, sizeof id, "avito-test-node-%s", n->name);
        client_open(&n->client, id, true, NULL);
    }
    while (n->client.line != NULL) {
        if (!client_next(&n->client, &e)) {
            node_lost(n);
            break;
        }
        if (e.kind == MQTT_NOTHING) {
            break;
        }
        fleet_node_event(&n->fleet, &e, (uint32_t)now_ms);
    }
}

static void leave(struct node *n)
{
    const bool done = fleet_leave(&n->fleet, (uint32_t)now_ms);

    client_send(&n->client);
    if (done || now_ms >= n->leave_by_ms) {
        trace(n->name, "has left");
        end_node(n, draw(20000));
    }
}

static void step_node(struct node *n)
{
    if (setjmp(killed) != 0) {
        kill_node(n);
        return;
    }
    step_node_line(n);
    for (size_t a = 0; a < ACCOUNTS; a++) {
        step_place(&n->places[a]);
    }
    fleet_step(&n->fleet, (uint32_t)now_ms);
    for (size_t a = 0; a < ACCOUNTS; a++) {
        client_send(&n->places[a].client);
    }
    client_send(&n->client);
    if (n->leaving) {
        leave(n);
    }
}

/* ---- strangers: who asks, and who hears ---- */

static struct books {
    bool asked[COMMANDS + 1], acknowledged[COMMANDS + 1], answered[COMMANDS + 1];
    char result[COMMANDS + 1][24];
    unsigned heard[BUYERS];
    int commands, written;
} books[ACCOUNTS];

static bool consumer_away;

static void note_result(struct books *b, size_t account, const char *payload)
{
    char id[80], outcome[24];
    int number;

    if (sscanf(payload, "{\"id\":\"%70[^\"]\",\"outcome\":\"%20[^\"]\"", id, outcome) != 2 ||
        sscanf(id, "c%d", &number) != 1 || number < 1 || number > COMMANDS) {
        return;
    }
    all_results++;
    trace(id, outcome);
    if (b->answered[number] && strcmp(b->result[number], outcome) != 0) {
        printf("# seed %llu: shop%zu c%d was %s, and is %s\n", (unsigned long long)seed, account,
               number, b->result[number], outcome);
        failures++;
    }
    b->answered[number] = true;
    memcpy(b->result[number], outcome, sizeof outcome);
}

static unsigned strangers(const struct broker_publication *p, uint8_t *reason)
{
    unsigned account = 0;
    const char *text;
    int number;

    if (sscanf(p->topic, "avito/shop%u/", &account) != 1 || account >= ACCOUNTS) {
        return 0;
    }
    if (strstr(p->topic, "/results/") != NULL) {
        if (bad(20)) {
            *reason = MQTT_REASON_QUOTA;
            return 0;
        }
        note_result(&books[account], account, (const char *)p->payload);
        return 1;
    }
    if (strstr(p->topic, "/fleet/ledger") != NULL && (denies_ledger || bad(60))) {
        *reason = MQTT_REASON_QUOTA;
        return 0;
    }
    if (strstr(p->topic, "/messages/") == NULL || consumer_away) {
        return 0;
    }
    text = strstr((const char *)p->payload, "buyer ");
    if (text != NULL && sscanf(text, "buyer %d", &number) == 1 && number >= 0 && number < BUYERS) {
        books[account].heard[number]++;
    }
    return 1;
}

/* Every fifth command has no id. An impatient commander asks twice. */
static void ask(size_t account, int number)
{
    struct books *b = &books[account];
    char topic[160], payload[200];
    int times = bad(5) ? 2 : 1;

    snprintf(topic, sizeof topic, "avito/shop%zu/send/%s", account, chats[account]);
    if (number % 5 == 0) {
        snprintf(payload, sizeof payload, "command %d.", number);
        times = 1;
    } else {
        snprintf(payload, sizeof payload, "{\"id\":\"c%d\",\"text\":\"command %d.\"}", number,
                 number);
    }
    b->asked[number] = true;
    for (; broker_world.up && times > 0; times--) {
        b->acknowledged[number] =
            broker_publish_text(topic, payload) == 0 || b->acknowledged[number];
    }
}

static void move_strangers(size_t account)
{
    struct books *b = &books[account];
    const uint64_t trouble = TROUBLE_S * 1000u, now = now_ms;
    char text[32];

    if (b->commands < COMMANDS && now * COMMANDS / trouble > (uint64_t)b->commands &&
        broker_world.up) {
        ask(account, ++b->commands);
    }
    if (b->written < BUYERS && started[account] && now * BUYERS / trouble > (uint64_t)b->written) {
        snprintf(text, sizeof text, "buyer %d", b->written++);
        (void)sim_buyer_writes(services[account], chats[account], text);
    }
}

/* ---- the tormentor ---- */

static void silence_a_line(struct node *n)
{
    const uint64_t until = now_ms + draw(40000);

    trace(n->name, "has a silent line");
    for (size_t a = 0; a < ACCOUNTS; a++) {
        if (n->places[a].client.line != NULL) {
            n->places[a].client.line->silent_until_ms = until;
        }
    }
    if (n->client.line != NULL && draw(2) == 0) {
        n->client.line->silent_until_ms = until;
    }
}

static void torment_node(struct node *n)
{
    struct place *p = &n->places[draw(ACCOUNTS)];

    switch (draw(7)) {
        case 0:
            kill_node(n);
            break;
        case 1:
            trace(n->name, n->stopped ? "goes on" : "is stopped");
            n->stopped = !n->stopped;
            break;
        case 2:
            trace(n->name, "is to leave");
            n->leaving = !n->stopped;
            n->leave_by_ms = now_ms + 1000;
            break;
        case 3:
            n->disk_full = !n->disk_full;
            break;
        case 4:
            silence_a_line(n);
            break;
        case 5:
            if (n->client.line != NULL) {
                broker_close_line(n->client.line, true);
            }
            break;
        default:
            if (p->client.line != NULL && !p->client.line->closed) {
                trace(n->name, "has a line cut");
                broker_close_line(p->client.line, true);
            }
            break;
    }
}

/* What the tormentor does at this moment. */
static void torment(void)
{
    struct node *n = &nodes[draw(NODES)];

    if (bad(200) && n->runs && !n->leaving) {
        torment_node(n);
    }
    if (broker_world.up && bad(1500)) {
        trace("broker", "stops");
        broker_stop(draw(3) == 0);
    } else if (!broker_world.up && draw(60) == 0) {
        trace("broker", "starts");
        broker_world.up = true;
    }
    if (bad(1000)) {
        consumer_away = !consumer_away;
    }
}

static void calm_down(void)
{
    trace("all", "is calm");
    calm = broker_world.up = true;
    consumer_away = false;
    for (size_t n = 0; n < NODES; n++) {
        nodes[n].stopped = nodes[n].disk_full = false;
    }
}

/* ---- a seed ---- */

static void begin_world(void)
{
    sim_options o = sim_options_default();

    begin_seed(seed);
    memset(books, 0, sizeof books);
    memset(started, 0, sizeof started);
    consumer_away = false;
    broker_world.up = true;
    broker_world.strangers = strangers;
    late_ms = draw(5) == 0 ? 90000 + draw(30000) : draw(3) == 0 ? draw(20000) : 0;
    o.seed = seed;
    o.clock_ms = service_clock;
    o.fault = service_fault;
    o.visible_after_ms = late_ms;
    for (size_t a = 0; a < ACCOUNTS; a++) {
        services[a] = sim_create(&o);
        snprintf(chats[a], sizeof chats[a], "%s", sim_add_chat(services[a], NULL));
    }
    for (size_t n = 0; n < NODES; n++) {
        snprintf(nodes[n].name, sizeof nodes[n].name, "n%u", (unsigned)n % 10);
        start_node(&nodes[n]);
    }
}

static void end_world(void)
{
    for (size_t n = 0; n < NODES; n++) {
        if (nodes[n].runs) {
            end_node(&nodes[n], 0);
        }
        for (size_t a = 0; a < ACCOUNTS; a++) {
            free(nodes[n].places[a].ledger);
        }
    }
    memset(nodes, 0, sizeof nodes);
    broker_free();
    for (size_t a = 0; a < ACCOUNTS; a++) {
        sim_destroy(services[a]);
    }
    end_if_enough();
}

static void step_world(void)
{
    broker_step();
    for (size_t n = 0; n < NODES; n++) {
        if (!nodes[n].runs && (calm || now_ms >= nodes[n].start_at_ms)) {
            start_node(&nodes[n]);
        }
        if (nodes[n].runs && !nodes[n].stopped) {
            step_node(&nodes[n]);
            broker_step();
        }
    }
    for (size_t a = 0; a < ACCOUNTS; a++) {
        move_strangers(a);
    }
    now_ms += 5 + draw(60);
}

static void run(void)
{
    while (now_ms < (TROUBLE_S + CALM_S) * 1000u) {
        if (!calm && now_ms > TROUBLE_S * 1000u) {
            calm_down();
        }
        torment();
        step_world();
    }
}

static size_t times_stored(size_t account, const char *text)
{
    sim_message_info m;
    size_t count = 0;

    for (size_t i = 0; sim_message_at(services[account], i, &m); i++) {
        count += strcmp(m.text, text) == 0;
    }
    return count;
}

static bool is_wrong(const char *outcome, size_t stored)
{
    return (strcmp(outcome, "sent") == 0 && stored == 0) ||
           (strcmp(outcome, "not_sent") == 0 && stored > 0) ||
           (strcmp(outcome, "cannot_tell") == 0 && stored > 0 && late_ms < 80000);
}

static void judge_command(size_t account, int number)
{
    const struct books *b = &books[account];
    const bool has_id = number % 5 != 0;
    char text[32];
    size_t stored;

    snprintf(text, sizeof text, "command %d.", number);
    stored = times_stored(account, text);
    if (stored > 1 || (has_id && b->acknowledged[number] && !b->answered[number]) ||
        (b->answered[number] && is_wrong(b->result[number], stored))) {
        printf("# seed %llu: shop%zu command %d is stored %zu times, result %s\n",
               (unsigned long long)seed, account, number, stored,
               b->answered[number] ? b->result[number] : "missing");
        failures++;
    }
}

static void judge(void)
{
    const unsigned before = failures;

    for (size_t a = 0; a < ACCOUNTS; a++) {
        for (int i = 1; i <= COMMANDS; i++) {
            judge_command(a, i);
        }
        for (int i = 0; i < books[a].written; i++) {
            if (books[a].heard[i] == 0) {
                printf("# seed %llu: shop%zu message %d was not published\n",
                       (unsigned long long)seed, a, i);
                failures++;
            }
        }
    }
    if (failures != before) {
        printf("# to replay: TRACE=1 build/fleet_join_sim %llu 1\n", (unsigned long long)seed);
    }
}

/* ---- without chance ---- */

static void expect(bool is_so, const char *what)
{
    if (!is_so) {
        printf("# not so: %s\n", what);
        failures++;
    }
}

static void run_for(uint32_t seconds)
{
    for (const uint64_t end = now_ms + seconds * 1000u; now_ms < end;) {
        step_world();
    }
}

static struct node *holder_of(size_t account)
{
    struct node *n = nodes;

    while (n < nodes + NODES && (n->stopped || n->places[account].seat.served == NULL)) {
        n++;
    }
    return n < nodes + NODES ? n : NULL;
}

/* kill -9 of a broker that had saved nothing of the first account. */
static void broker_forgets(void)
{
    broker_stop(false);
    for (size_t i = 0; i < BROKER_RETAINED; i++) {
        struct broker_publication **at = &broker_world.retained[i];

        if (*at != NULL && strncmp((*at)->topic, "avito/shop0/", 12) == 0) {
            broker_release(*at);
            *at = NULL;
        }
    }
    broker_world.up = true;
}

/* A machine with a new disk. */
static void replace_node(struct node *n)
{
    end_node(n, 0);
    for (size_t a = 0; a < ACCOUNTS; a++) {
        struct place *p = &n->places[a];

        p->ledger_len = p->slot_len[0] = p->slot_len[1] = 0;
        p->epoch = 0;
    }
    start_node(n);
}

/* All goes well, and no command comes by chance. */
static void begin_scene(void)
{
    seed = 7;
    begin_world();
    calm = true;
    for (size_t a = 0; a < ACCOUNTS; a++) {
        books[a].commands = COMMANDS;
        books[a].written = BUYERS;
    }
    run_for(30);
    expect(late_ms == 0 && holder_of(0) != NULL, "the first account is served");
}

/* The broker forgot that a command was done, and the commander repeats it. A node that knows better comes back only when
 * the new holder is about to do it. */
static void hint_in_the_middle(void)
{
    struct node *before, *fresh, *witness;

    begin_scene();
    before = holder_of(0);
    ask(0, 1);
    run_for(30);
    expect(strcmp(books[0].result[1], "sent") == 0, "its command is done");
    fresh = before == nodes ? nodes + 1 : nodes;
    witness = before == nodes + 2 || fresh == nodes + 2 ? nodes + 1 : nodes + 2;
    before->stopped = witness->stopped = true;
    replace_node(fresh);
    broker_forgets();
    run_for(30);
    expect(holder_of(0) == fresh, "the new one serves the account");
    slow_files = true;
    ask(0, 1);
    run_for(5);
    witness->stopped = false;
    run_for(20);
    slow_files = false;
    run_for(120);
    expect(times_stored(0, "command 1.") == 1, "the hint stops what is about to be done again");
    expect(strcmp(books[0].result[1], "sent") == 0, "and the first outcome is said");
    end_world();
}

/* A refusal is published, and the next holder, which gets the unacknowledged command again, does not carry it
 * out. */
static void ledger_that_is_denied(void)
{
    struct node *before;

    begin_scene();
    before = holder_of(0);
    denies_ledger = true;
    ask(0, 1);
    run_for(50);
    expect(!books[0].answered[1], "it waits for a while");
    for (const uint64_t end = now_ms + 60000; now_ms < end && !books[0].answered[1];) {
        step_world();
    }
    expect(strcmp(books[0].result[1], "not_sent") == 0, "then it is not sent");
    before->stopped = true;
    if (before->places[0].client.line != NULL) {
        broker_close_line(before->places[0].client.line, true);
    }
    denies_ledger = false;
    run_for(120);
    expect(holder_of(0) != NULL && holder_of(0) != before, "another serves the account");
    expect(times_stored(0, "command 1.") == 0, "and does not do what was refused");
    end_world();
}

/* Lines about an account that comes and goes have a limit, whichever gateway writes them. */
static void line_that_comes_and_goes(void)
{
    begin_scene();
    said = 0;
    for (int i = 0; i < 60; i++) {
        struct node *n = holder_of(0);

        if (n != NULL && n->places[0].client.line != NULL) {
            broker_close_line(n->places[0].client.line, true);
        }
        run_for(5);
    }
    expect(said > 10 && said <= 21 * NODES, "so many lines within an hour");
    end_world();
}

int main(int argc, char **argv)
{
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;

    one_is_enough = argc > 3;
    for (seed = first; seed < first + count; seed++) {
        begin_world();
        run();
        judge();
        end_world();
    }
    hint_in_the_middle();
    ledger_that_is_denied();
    line_that_comes_and_goes();
    printf("# %lu claims, %lu kills, %lu results\n", all_claims, all_kills, all_results);
    printf("%s - gateways of a fleet in %llu worlds from seed %llu on\n",
           failures == 0 ? "ok" : "not ok", (unsigned long long)count, (unsigned long long)first);
    return failures != 0;
}
