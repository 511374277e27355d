/* gateway_sim.c - the gateway's core and the MQTT client in worlds made from seeds, without
 * sockets, clock and files: the simulated service, a broker that loses, repeats, delays and
 * forgets, a disk that is full or torn, and a gateway that is killed at any moment, also between
 * the ledger and the request.
 *
 *     build/gateway_sim FIRST COUNT [once]     each failing seed is named; once: only the first
 *
 * The service's books are the judge. Each command is done at most once. Each command with an id
 * gets one result, which is true and final. Each message of a buyer is published. Nothing is sent
 * on the strength of an old "begun" note.
 * Rooms: none. */
#include "tools/avito/gateway.h"
#include "tools/avito/job.h"
#include "seeded_world.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS  24
#define BUYERS    16
#define TROUBLE_S 400u /* from then on all goes well, and the rest must be settled */
#define CALM_S    260u
#define QUEUE     512
#define DISK      (1 << 18)

static jmp_buf killed;
static uint32_t slept_ms; /* how often the machine slept while a note was written */

static uint32_t boot_ms(void *ctx)
{
    (void)ctx;
    return (uint32_t)now_ms + slept_ms;
}

/* ---- the service, and lanes to it ---- */

static sim *service;
static bool down;             /* it fails */
static uint32_t slow_ms;      /* how long it takes */
static uint32_t slow_send_ms; /* and how long for a send, if that is more */
static bool flaps;            /* it fails every other ten seconds */
static uint32_t begun_ms;     /* the last "begun" note began then, on the clock that counts sleep */
static uint32_t turn_ms;      /* how long a request waits, for few are allowed */
static bool note_is_old;      /* the last "begun" note took over 5 s */

static sim_fault service_fault(void *ctx, const sim_request_info *request)
{
    sim_fault f;

    (void)ctx;
    memset(&f, 0, sizeof f);
    if ((note_is_old || boot_ms(NULL) - begun_ms > 26000 + turn_ms) &&
        (request->op == SIM_SEND || request->op == SIM_SEND_IMAGE)) {
        printf("# a send by an old note\n");
        failures++;
    }
    if (down || (flaps && now_ms / 10000 % 2 == 0)) {
        f.status = 503;
        return f;
    }
    f.delay_ms = request->op == SIM_SEND && slow_send_ms > 0 ? slow_send_ms : slow_ms;
    if (bad(12)) {
        draw_fault(&f);
    }
    return f;
}

struct line {
    sim_conn *conn;
    bool dead;         /* the service has closed it */
    uint64_t ready_ms; /* when it is connected; 0: nobody connects */
};

static int line_connect(void *ctx, const avito_server *to)
{
    struct line *l = ctx;

    (void)to;
    l->ready_ms = l->ready_ms == 0 ? now_ms + (bad(4) ? draw(8000) : 0) : l->ready_ms;
    if (now_ms < l->ready_ms) {
        return AVITO_AGAIN;
    }
    if (bad(20)) {
        return AVITO_ERR_CONNECT;
    }
    l->conn = sim_conn_open(service);
    return AVITO_OK;
}

static long line_send(void *ctx, const void *data, size_t len, int more)
{
    struct line *l = ctx;
    const size_t n = len > 1 ? 1 + draw((uint32_t)len) : len;

    (void)more;
    return !l->dead && sim_conn_receive(l->conn, data, n) ? (long)n : (long)AVITO_ERR_SEND;
}

static long line_recv(void *ctx, void *data, size_t cap)
{
    struct line *l = ctx;

    return l->dead ? (long)AVITO_IO_CLOSED : wire_take(l->conn, data, 1 + draw((uint32_t)cap));
}

static int line_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void line_close(void *ctx)
{
    struct line *l = ctx;

    wire_drop(&l->conn);
    l->dead = false;
    l->ready_ms = 0;
}

static const avito_transport_functions line_functions = {
    line_connect, line_send, line_recv, line_wants, NULL, line_close, NULL, NULL};

/* ---- the broker ---- */

struct queued {
    uint16_t id; /* 0: it has not left yet */
    char topic[160], payload[400];
};

/* Changes since the last save, which a kill -9 loses. */
struct session {
    bool there;
    uint16_t last_id;
    size_t count;
    struct queued queue[QUEUE];
};

static struct session session, saved;
static bool up, connected, forgets;
static uint8_t to_broker[1 << 17], to_client[1 << 17];
static size_t to_broker_len, to_client_len;
static uint64_t client_from_ms; /* when the bytes on their way arrive */
static bool listener_away;

#define UNHEARD 16
static double unheard_s[UNHEARD]; /* when a message was published that no subscriber heard */
static size_t unheard;
static bool says_held;
static int says_unread;
static bool quota; /* nothing retained is taken */
static unsigned over_quota, statuses, states;

static unsigned heard[BUYERS]; /* how often each buyer's message was published */
static char result_of[COMMANDS + 1][24];
static bool answered[COMMANDS + 1];
static size_t results, found; /* found: in the chat, since the service's answer did not come */

static void put(const void *data, size_t len)
{
    if (len > 0 && to_client_len + len <= sizeof to_client) {
        memcpy(to_client + to_client_len, data, len);
        to_client_len += len;
    }
}

static void put_packet(uint8_t first, const uint8_t *body, size_t len)
{
    uint8_t head[5] = {first};
    size_t n = 1, left = len;

    do {
        head[n++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
        left >>= 7;
    } while (left > 0);
    put(head, n);
    put(body, len);
}

static void put_ack(uint8_t first, uint16_t id, uint8_t reason)
{
    const uint8_t body[4] = {(uint8_t)(id >> 8), (uint8_t)id, reason, 0};

    put_packet(first, body, 4);
}

static void put_command(struct queued *q, bool again)
{
    uint8_t body[700];
    const size_t topic = strlen(q->topic), payload = strlen(q->payload);
    size_t n = 0;

    if (q->id == 0) {
        session.last_id = (uint16_t)(session.last_id == 65535 ? 1 : session.last_id + 1);
        q->id = session.last_id;
    }
    body[n++] = (uint8_t)(topic >> 8);
    body[n++] = (uint8_t)topic;
    memcpy(body + n, q->topic, topic);
    n += topic;
    body[n++] = (uint8_t)(q->id >> 8);
    body[n++] = (uint8_t)q->id;
    body[n++] = 0;
    memcpy(body + n, q->payload, payload);
    put_packet(again ? 0x3a : 0x32, body, n + payload);
}

/* At most twenty are on their way. */
static void send_commands(bool again)
{
    for (size_t i = 0; connected && i < session.count && i < 20; i++) {
        if (again ? session.queue[i].id != 0 : session.queue[i].id == 0) {
            put_command(&session.queue[i], again);
        }
    }
}

static void acknowledged(uint16_t id)
{
    for (size_t i = 0; i < session.count; i++) {
        if (session.queue[i].id == id) {
            memmove(&session.queue[i], &session.queue[i + 1],
                    (session.count - i - 1) * sizeof *session.queue);
            session.count--;
            break;
        }
    }
    send_commands(false);
}

static void note_result(const char *payload)
{
    char id[80], outcome[24];
    int number;

    results++;
    found += strstr(payload, "found in the chat") != NULL;
    if (sscanf(payload, "{\"id\":\"%70[^\"]\",\"outcome\":\"%20[^\"]\"", id, outcome) != 2 ||
        sscanf(id, "c%d", &number) != 1 || number < 1 || number > COMMANDS) {
        return;
    }
    if (answered[number] && strcmp(result_of[number], outcome) != 0) {
        printf("# c%d was %s, and is %s\n", number, result_of[number], outcome);
        failures++;
    }
    answered[number] = true;
    memcpy(result_of[number], outcome, sizeof outcome);
}

/* Returns the reason code of its PUBACK. */
static uint8_t published(const char *topic, const char *payload)
{
    const char *text = strstr(payload, "buyer ");
    int number;

    if (strstr(topic, "/results/") != NULL) {
        if (bad(6)) { /* this world's broker has a quota, at times */
            return MQTT_REASON_QUOTA;
        }
        note_result(payload);
    }
    if (strstr(topic, "shop/stat") != NULL) {
        over_quota += quota;
        statuses += !quota && strstr(topic, "shop/status") != NULL;
        states += !quota && strstr(topic, "shop/state") != NULL;
        if (quota) {
            return MQTT_REASON_QUOTA;
        }
    }
    if (strstr(topic, "/state") != NULL) {
        says_held = strstr(payload, "\"held\":true") != NULL;
        (void)sscanf(payload, "{\"unread\":%d", &says_unread);
    }
    if (strstr(topic, "/messages/") == NULL) {
        return 0;
    }
    if (listener_away) {
        unheard_s[unheard++ % UNHEARD] = (double)now_ms / 1000;
        return MQTT_REASON_NOBODY_LISTENS;
    }
    if (text != NULL && sscanf(text, "buyer %d", &number) == 1 && number >= 0 && number < BUYERS) {
        heard[number]++;
    }
    return 0;
}

static void on_publish(uint8_t flags, const uint8_t *p, size_t len)
{
    static char topic[1024], payload[1 << 16];
    const size_t topic_len = (size_t)p[0] << 8 | p[1];
    const bool qos = (flags & 2) != 0;
    const size_t head = 2 + topic_len + (qos ? 2 : 0);
    const uint16_t id = qos ? (uint16_t)(p[2 + topic_len] << 8 | p[3 + topic_len]) : 0;
    const size_t props = p[head];

    memcpy(topic, p + 2, topic_len);
    topic[topic_len] = '\0';
    memcpy(payload, p + head + 1 + props, len - head - 1 - props);
    payload[len - head - 1 - props] = '\0';
    if (qos) {
        put_ack(0x40, id, published(topic, payload));
    }
}

static bool without_qos1; /* the broker takes no QoS 1, and says so */

static void on_connect(const uint8_t *p)
{
    uint8_t connack[] = {0, 0, without_qos1 ? 2 : 0, 0x24, 0};

    if (p[7] & 0x02) { /* clean start */
        memset(&session, 0, sizeof session);
    }
    connack[0] = session.there;
    session.there = true;
    put_packet(0x20, connack, 3u + connack[2]);
    send_commands(true);
    send_commands(false);
}

/* The broker gets a packet of the client. */
static void on_packet(uint8_t first, const uint8_t *p, size_t len)
{
    static const uint8_t granted[16] = {0};
    uint8_t body[16];

    switch (first >> 4) {
        case 1:
            on_connect(p);
            break;
        case 3:
            on_publish(first, p, len);
            break;
        case 4:
            acknowledged((uint16_t)(p[0] << 8 | p[1]));
            break;
        case 8: /* five filters at most: a reason code for each would be enough; all are granted */
        case 10:
            memcpy(body, granted, sizeof body);
            body[0] = p[0];
            body[1] = p[1];
            put_packet(first >> 4 == 8 ? 0x90 : 0xb0, body, 4);
            break;
        case 12:
            put_packet(0xd0, NULL, 0);
            break;
        default:
            break;
    }
}

static void broker_reads(void)
{
    size_t at = 0;

    while (to_broker_len - at >= 2) {
        size_t length = 0, n = 1, shift = 0;

        do {
            length |= (size_t)(to_broker[at + n] & 0x7f) << shift;
            shift += 7;
        } while (to_broker[at + n++] >= 0x80 && at + n < to_broker_len);
        if (at + n + length > to_broker_len) {
            break;
        }
        on_packet(to_broker[at], to_broker + at + n, length);
        at += n + length;
    }
    memmove(to_broker, to_broker + at, to_broker_len - at);
    to_broker_len -= at;
}

static bool enqueue(const char *topic, const char *payload)
{
    struct queued *q = &session.queue[session.count];

    if (!up || !session.there || session.count == QUEUE) {
        return false;
    }
    q->id = 0;
    snprintf(q->topic, sizeof q->topic, "%s", topic);
    snprintf(q->payload, sizeof q->payload, "%s", payload);
    session.count++;
    send_commands(false);
    return true;
}

/* ---- the gateway, and what outlives it ---- */

static char disk[DISK], slots[2][8192];
static uint64_t refused[GATEWAY_REFUSALS]; /* overwritten in place, so also on a full disk */
static unsigned later;                     /* writes that are not durable yet */
static bool under_way;                     /* one of those writes is a ledger note */
static size_t disk_len, slot_len[2];
static uint32_t kept_session;
static bool disk_full,
    started; /* started: the inbox has a state, and from then on nothing may be missing */

static char ring[AVITO_INBOX_STATE_SIZE(256)], records[AVITO_INBOX_CHATS_SIZE(16)];
static char windows[3][1024], rooms[3][GATEWAY_ARENA], tokens[AVITO_TOKENS_SIZE(128)];
static struct line lines[3];
static avito_client clients[3];
static avito_arena arenas[3];
static avito_account account;
static gateway_lane lanes[2];
static bool lent[2];
static mqtt client;
static char in[65536], out[65536], will_topic[GATEWAY_TOPIC_MAX];
static mqtt_publication will;
static gateway g;
static gateway_account shop;
static uint64_t connect_at_ms;

/* A kill strikes before or after what is written, or in the middle of it. */
static int keep(char *to, size_t cap, size_t *at, const char *data, size_t len)
{
    const bool dies = bad(60);
    const size_t n = dies ? draw((uint32_t)len + 1) : len;

    if (disk_full) {
        return AVITO_ERR_FILE;
    }
    if (*at + n > cap) {
        return AVITO_ERR_FILE;
    }
    memcpy(to + *at, data, dies && draw(2) == 0 ? len : n);
    *at += n;
    if (dies || bad(60)) {
        longjmp(killed, 1);
    }
    return AVITO_OK;
}

/* A disk may take time. */
static bool is_under_way(void)
{
    if (later == 0 && bad(4)) {
        later = 1 + draw(3);
        return true;
    }
    later -= later > 0;
    return later > 0;
}

static bool disk_hangs, dies_after_note;

static int append_ledger(void *ctx, const char *data, size_t len)
{
    int rc;

    (void)ctx;
    if (disk_hangs) {
        return AVITO_AGAIN;
    }
    if (!under_way && strstr(data, "\"begun\",") != NULL) {
        begun_ms = boot_ms(NULL);
        note_is_old = bad(12);
        slept_ms += note_is_old ? 5001 : 0;
    }
    under_way = is_under_way();
    if (under_way) {
        return AVITO_AGAIN;
    }
    rc = keep(disk, sizeof disk, &disk_len, data, len);
    if (dies_after_note) {
        dies_after_note = false;
        longjmp(killed, 1);
    }
    return rc;
}

static bool saving; /* one of those writes is a message's acceptance */

static bool is_saving(void *ctx, avito_account *of)
{
    (void)ctx;
    (void)of;
    return saving;
}

static int save_refusals(void *ctx, const uint64_t hashes[GATEWAY_REFUSALS])
{
    size_t at = 0;
    const bool full = disk_full;
    int rc;

    (void)ctx;
    if (is_under_way()) {
        return AVITO_AGAIN;
    }
    disk_full = false;
    rc = keep((char *)refused, sizeof refused, &at, (const char *)hashes, sizeof refused);
    disk_full = full;
    return rc;
}

static int load_refusals(void *ctx, uint64_t hashes[GATEWAY_REFUSALS])
{
    (void)ctx;
    memcpy(hashes, refused, sizeof refused);
    return AVITO_OK;
}

static int replace_ledger(void *ctx, const char *data, size_t len)
{
    (void)ctx;
    if (disk_full) {
        return AVITO_ERR_FILE;
    }
    memcpy(disk, data, len);
    disk_len = len;
    begun_ms = boot_ms(NULL);
    note_is_old = false;
    return AVITO_OK;
}

static int load_ledger(void *ctx, void (*take)(void *to, const char *data, size_t len), void *to)
{
    (void)ctx;
    take(to, disk, disk_len);
    return AVITO_OK;
}

static int save_inbox(void *ctx, int slot, const void *data, size_t len)
{
    (void)ctx;
    int rc;

    saving = shop.accepting && is_under_way();
    if (saving) {
        return AVITO_ERR_FILE;
    }
    slot_len[slot] = 0;
    rc = keep(slots[slot], sizeof slots[slot], &slot_len[slot], data, len);
    started = started || rc == AVITO_OK;
    return rc;
}

static int load_inbox(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    (void)ctx;
    *len = slot_len[slot];
    memcpy(data, slots[slot], *len < cap ? *len : cap);
    return *len > 0 ? (int)AVITO_OK : (int)AVITO_END;
}

static int save_session(void *ctx, uint32_t number)
{
    (void)ctx;
    if (disk_full) {
        return AVITO_ERR_FILE;
    }
    kept_session = number;
    return AVITO_OK;
}

static gateway_lane *borrow(void *ctx, avito_account *of)
{
    (void)ctx;
    (void)of;
    for (int i = 0; i < 2; i++) {
        if (!lent[i]) {
            lent[i] = true;
            return &lanes[i];
        }
    }
    return NULL;
}

static void give_back(void *ctx, gateway_lane *lane)
{
    (void)ctx;
    lent[lane - lanes] = false;
}

static unsigned said; /* lines for people */

static void hear(void *ctx, const char *name, const char *text)
{
    (void)ctx;
    said++;
    if (getenv("TRACE") != NULL) {
        printf("# %8llu %s: %s\n", (unsigned long long)now_ms, name != NULL ? name : "", text);
    }
}

static void open_lanes(void)
{
    avito_account_options a = avito_account_options_default();

    a.client_id = "client-id-for-tests";
    a.client_secret = "client-secret-for-tests-0123456789abcdef";
    a.tokens = tokens;
    a.tokens_cap = sizeof tokens;
    a.clock_ms = clock_ms;
    a.unix_time = unix_time;
    a.entropy = entropy;
    (void)avito_account_init(&account, &a);
    for (int i = 0; i < 3; i++) {
        avito_client_options c = avito_client_options_default();

        line_close(&lines[i]);
        c.transport.functions = &line_functions;
        c.transport.ctx = &lines[i];
        c.window = windows[i];
        c.window_cap = sizeof windows[i];
        c.never_wait = true;
        c.retries = 1;
        (void)avito_client_init(&clients[i], &account, &c);
        arenas[i] = avito_arena_of(rooms[i], sizeof rooms[i]);
    }
    lanes[0] = (gateway_lane){&clients[1], &arenas[1]};
    lanes[1] = (gateway_lane){&clients[2], &arenas[2]};
    lent[0] = lent[1] = false;
}

static void open_gateway(void)
{
    gateway_account_options a;
    gateway_options o;
    mqtt_options m;

    memset(&o, 0, sizeof o);
    o.name = "main";
    o.broker = &client;
    o.window = 20;
    o.pictures_max = 1 << 20;
    o.session = kept_session;
    o.unix_time = unix_time;
    o.boot_ms = boot_ms;
    o.is_saving = is_saving;
    o.entropy = entropy;
    o.save_session = save_session;
    o.borrow = borrow;
    o.give_back = give_back;
    o.say = hear;
    gateway_will(&o, &will, will_topic);
    memset(&m, 0, sizeof m);
    m.client_id = "avito-sim";
    m.will = &will;
    m.session_expiry_s = 604800;
    m.in = in;
    m.out = out;
    m.in_cap = m.out_cap = sizeof in;
    (void)mqtt_init(&client, &m);
    open_lanes();
    gateway_init(&g, &o);
    memset(&a, 0, sizeof a);
    a.name = "shop";
    a.reader = &clients[0];
    a.inbox = avito_inbox_options_default();
    a.inbox.state = ring;
    a.inbox.state_cap = sizeof ring;
    a.inbox.chats = records;
    a.inbox.chats_cap = sizeof records;
    a.inbox.arena = &arenas[0];
    a.inbox.poll_ms = 2000;
    a.inbox.save = save_inbox;
    a.inbox.load = load_inbox;
    a.ledger = (ledger_store){NULL, append_ledger, replace_ledger, load_ledger};
    a.load_refusals = load_refusals;
    a.save_refusals = save_refusals;
    a.names = true;
    (void)gateway_add(&g, &shop, &a);
    connect_at_ms = now_ms;
}

static void cut(void)
{
    if (connected) {
        gateway_lost(&g);
        connect_at_ms = now_ms + 200 + draw(3000);
    }
    connected = false;
    to_broker_len = to_client_len = 0;
}

static void move_bytes(void)
{
    const void *data;
    void *room;
    size_t n, cap;

    n = mqtt_output(&client, &data);
    if (n > 0 && to_broker_len + n <= sizeof to_broker) {
        memcpy(to_broker + to_broker_len, data, n);
        to_broker_len += n;
        mqtt_sent(&client, n, (uint32_t)now_ms);
    }
    if (up && !bad(40)) { /* otherwise it is on its way */
        broker_reads();
    }
    if (now_ms < client_from_ms) {
        return;
    }
    client_from_ms = bad(30) ? now_ms + draw(1500) : 0;
    cap = mqtt_input(&client, &room);
    n = cap < to_client_len ? cap : to_client_len;
    memcpy(room, to_client, n);
    mqtt_received(&client, n);
    memmove(to_client, to_client + n, to_client_len - n);
    to_client_len -= n;
}

static void step_broker(void)
{
    mqtt_event e;
    int rc = MQTT_OK;

    if (!connected) {
        if (up && now_ms >= connect_at_ms) {
            connected = mqtt_begin(&client, (uint32_t)now_ms) == MQTT_OK;
        }
        return;
    }
    rc = mqtt_tick(&client, (uint32_t)now_ms);
    move_bytes();
    do {
        rc = rc == MQTT_OK || rc == MQTT_AGAIN ? mqtt_next(&client, &e) : rc;
        if (rc == MQTT_OK) {
            gateway_event(&g, &e, (uint32_t)now_ms);
        }
    } while (rc == MQTT_OK && e.kind != MQTT_NOTHING);
    if (rc != MQTT_OK) {
        cut();
    }
}

/* ---- a seed ---- */

static char chat[64];
static uint64_t ask_again_ms;

static void command(int number, char *topic, char *payload)
{
    sprintf(topic, "avito/shop/send/%s", chat);
    sprintf(payload, "{\"id\":\"c%d\",\"text\":\"command %d.\"}", number, number);
}

static bool ask(int number)
{
    char topic[160], payload[200];

    command(number, topic, payload);
    return enqueue(topic, payload);
}

static void begin_world(uint64_t seed)
{
    sim_options o = sim_options_default();

    begin_seed(seed);
    up = true;
    forgets = seed % 2 == 0;
    connected = listener_away = disk_full = false;
    to_broker_len = to_client_len = disk_len = slot_len[0] = slot_len[1] = results = found = 0;
    client_from_ms = 0;
    kept_session = 0;
    memset(&session, 0, sizeof session);
    memset(heard, 0, sizeof heard);
    memset(answered, 0, sizeof answered);
    memset(result_of, 0, sizeof result_of);
    memset(refused, 0, sizeof refused);
    later = slept_ms = turn_ms = 0;
    note_is_old = under_way = false;
    started = false;
    o.seed = seed;
    o.clock_ms = service_clock;
    o.fault = service_fault;
    ask_again_ms = 5000;
    late_ms = draw(5) == 0 ? 70000 + draw(30000) : draw(3) == 0 ? draw(20000) : 0;
    o.visible_after_ms = late_ms;
    service = sim_create(&o);
    snprintf(chat, sizeof chat, "%s", sim_add_chat(service, NULL));
    saved = session;
    open_gateway();
}

static void end_world(void)
{
    for (int i = 0; i < 3; i++) {
        line_close(&lines[i]);
    }
    sim_destroy(service);
    end_if_enough();
}

/* What the tormentor does at this moment. */
static void torment(void)
{
    if (bad(400)) {
        cut();
    }
    if (bad(300)) {
        saved = session;
    }
    if (forgets && bad(1200)) { /* kill -9: what had not been saved is gone */
        cut();
        session = saved;
    }
    if (bad(900)) {
        disk_full = !disk_full;
    }
    if (bad(500)) {
        listener_away = !listener_away;
    }
    if (bad(40)) {
        lines[draw(3)].dead = true;
    }
    if (bad(200)) { /* the machine sleeps */
        slept_ms += 30000;
    }
    if (bad(700)) {
        longjmp(killed, 1);
    }
}

static void move_world(int *asked, int *written)
{
    const uint64_t trouble = TROUBLE_S * 1000u;
    char text[32];

    if (*asked < COMMANDS && now_ms * COMMANDS / trouble > (uint64_t)*asked) {
        *asked += ask(*asked + 1);
    }
    if (*written < BUYERS && started && now_ms * BUYERS / trouble > (uint64_t)*written) {
        sprintf(text, "buyer %d", (*written)++);
        (void)sim_buyer_writes(service, chat, text);
    }
    /* With a broker that forgets, a command is repeated until there is a result. */
    if (forgets && now_ms >= ask_again_ms) {
        ask_again_ms = now_ms + 5000 + draw(25000);
        for (int i = 1; i <= *asked; i++) {
            if (!answered[i]) {
                (void)ask(i);
            }
        }
    }
    if (!calm && now_ms > trouble) {
        calm = true;
        disk_full = listener_away = false;
    }
}

/* A killed process leaves its memory behind; only the disk is used again. */
static void kill_gateway(void)
{
    connected = false;
    to_broker_len = to_client_len = 0;
    later = 0;
    note_is_old = under_way = false;
    open_gateway();
    connect_at_ms = now_ms + draw(2000);
}

static void step_world(void)
{
    uint32_t ms;

    step_broker();
    gateway_step(&g, (uint32_t)now_ms);
    if (saving && draw(2) == 0) {
        gateway_saved(&shop);
    }
    gateway_account_step(&shop, (uint32_t)now_ms);
    gateway_step(&g, (uint32_t)now_ms);
    ms = gateway_account_deadline_ms(&shop, (uint32_t)now_ms);
    now_ms += ms < 5 ? 5 : ms < 100 ? ms : 100;
}

static void run(void)
{
    static int asked, written;

    asked = written = 0;
    if (setjmp(killed) != 0) {
        kill_gateway();
    }
    while (now_ms < (TROUBLE_S + CALM_S) * 1000u) {
        torment();
        move_world(&asked, &written);
        step_world();
    }
}

static size_t times_stored(const char *text)
{
    sim_message_info m;
    size_t count = 0;

    for (size_t i = 0; sim_message_at(service, i, &m); i++) {
        count += strcmp(m.text, text) == 0;
    }
    return count;
}

/* ---- without chance: a flood of commands with QoS 0, which no window holds back; a refusal ---- */

static void expect(bool is_so, const char *what)
{
    if (!is_so) {
        printf("# not so: %s\n", what);
        failures++;
    }
}

static size_t put_bytes(uint8_t *to, const char *text)
{
    const size_t len = strlen(text);

    to[0] = 0;
    to[1] = (uint8_t)len;
    memcpy(to + 2, text, len);
    return len + 2;
}

/* A command beside the queue. `id` 0: QoS 0. `response`: its response topic; "" if there is none. */
static void put_aside(uint8_t id, const char *act, const char *payload, const char *response)
{
    char topic[160];
    uint8_t body[700];
    size_t len;

    snprintf(topic, sizeof topic, "avito/shop/%s/%s", act, chat);
    len = put_bytes(body, topic);
    if (id > 0) {
        body[len++] = 0xff; /* a number that the queue does not reach */
        body[len++] = id;
    }
    body[len++] = (uint8_t)(response[0] != '\0' ? strlen(response) + 3 : 0);
    if (response[0] != '\0') {
        body[len++] = 0x08;
        len += put_bytes(body + len, response);
    }
    memcpy(body + len, payload, strlen(payload));
    put_packet(id > 0 ? 0x32 : 0x30, body, len + strlen(payload));
}

static void run_for(uint32_t seconds)
{
    for (const uint64_t end = now_ms + seconds * 1000u; now_ms < end;) {
        step_world();
    }
}

static void flood_and_refusal(void)
{
    char topic[160];

    begin_world(1);
    calm = true;
    run_for(10);
    results = 0;
    for (int i = 0; i < 1000; i++) {
        put_aside(0, "send", "hallo", "");
    }
    run_for(300);
    expect(results > 20 && results <= 256, "as many are in hand as there are places");
    expect(refused[0] == 0, "an id that cannot come again is not kept");
    disk_full = g.priv.unsaved = true; /* so a command without an id is refused */
    snprintf(topic, sizeof topic, "avito/shop/send/%s", chat);
    expect(enqueue(topic, "hallo"), "the broker takes it");
    run_for(1);
    expect(refused[0] == 1, "a refusal is kept");
    expect(enqueue(topic, "hallo"),
           "the broker takes it"); /* the state was just said, and is not due */
    step_broker();
    expect(gateway_account_deadline_ms(&shop, (uint32_t)now_ms) == 0, "a refusal is kept at once");
    run_for(1);
    expect(refused[0] == 2, "so is the next");
}

/* G3: a publication that no subscriber hears is repeated after 1, 2, 4 .. 60 s. */
static void nobody_listens(void)
{
    static const double pauses_s[] = {1, 2, 4, 8, 16, 32, 60, 60};
    const size_t count = sizeof pauses_s / sizeof *pauses_s;

    begin_world(2);
    calm = listener_away = true;
    unheard = 0;
    run_for(10);
    (void)sim_buyer_writes(service, chat, "buyer 0");
    run_for(200);
    expect(unheard == count + 1, "it is tried so often");
    for (size_t i = 0; i < count && i + 1 < unheard; i++) {
        const double pause_s = unheard_s[i + 1] - unheard_s[i];

        expect(pause_s >= pauses_s[i] && pause_s < pauses_s[i] + 0.5, "the pause doubles");
    }
    expect(says_held, "the state says so");
    listener_away = false;
    run_for(66);
    expect(heard[0] == 1 && !says_held, "it is heard once, and held no more");
    listener_away = true;
    unheard = 0;
    (void)sim_buyer_writes(service, chat, "buyer 1");
    run_for(6);
    expect(unheard >= 2 && unheard_s[1] - unheard_s[0] < 1.5, "the next one begins with 1 s");
}

/* A retained publication that is refused is retried after 1, 2, 4 .. s. */
static void broker_over_quota(void)
{
    begin_world(2);
    calm = quota = true;
    over_quota = statuses = states = 0;
    run_for(200);
    expect(over_quota > 8 && over_quota < 40, "it is tried again, and not all the time");
    quota = false;
    run_for(300);
    expect(statuses >= 1 && states >= 1,
           "status and state are there as soon as the broker takes them");
}

/* A broker that goes in the middle of a poll, for a day. */
static void day_without_broker(void)
{
    begin_world(2);
    calm = true;
    run_for(10);
    slow_ms = 3000;
    said = 0;
    for (int i = 0; i < 1000 && avito_wants(&clients[0]) == 0; i++) {
        step_world();
    }
    expect(avito_wants(&clients[0]) != 0, "a poll is under way");
    cut();
    up = false;
    slow_ms = 0;
    (void)sim_buyer_writes(service, chat, "buyer 0");
    run_for(86400);
    up = true;
    run_for(20);
    expect(said == 0, "of the service there is nothing to say");
    expect(heard[0] == 1, "what came meanwhile comes");
}

/* A service that is down for a day: each failure is reported once, and all commands are done afterwards. */
static void day_without_service(void)
{
    char text[32];
    unsigned before;

    begin_world(2);
    calm = true;
    run_for(10);
    down = true;
    said = 0;
    for (int i = 0; i < 10; i++) {
        expect(ask(i + 1), "the broker takes it");
        sprintf(text, "buyer %d", i);
        (void)sim_buyer_writes(service, chat, text);
    }
    run_for(86400);
    before = said;
    expect(before == 1, "it is said once");
    down = false;
    run_for(120);
    for (int i = 0; i < 10; i++) {
        sprintf(text, "command %d.", i + 1);
        expect(heard[i] == 1, "each message comes, once");
        expect(times_stored(text) == 1 && strcmp(result_of[i + 1], "sent") == 0,
               "each command is done, once");
    }
    expect(said == before + 1, "that it works again is said once");
}

/* A service that fails and works all day. */
static void flapping_service(void)
{
    begin_world(2);
    calm = flaps = true;
    said = 0;
    run_for(3000);
    flaps = false;
    expect(said > 10 && said <= 21, "so many lines within an hour");
}

/* The second comes before the broker has acknowledged the first one's result. */
static void wrong_twice(void)
{
    static const char wrong[] = "{\"id\":\"c1\",\"other\":1}";

    begin_world(2);
    calm = true;
    run_for(10);
    results = 0;
    put_aside(1, "read", wrong, "avito/answers");
    put_aside(2, "read", wrong, "avito/answers");
    run_for(30);
    expect(results == 2 && strcmp(result_of[1], "not_done") == 0, "both are refused");
}

/* A line on which all that is read takes longer than a send may. */
static void slow_line(void)
{
    char topic[160], payload[200];

    begin_world(2);
    calm = true;
    run_for(10);
    slow_ms = 25000;
    command(1, topic, payload);
    expect(enqueue(topic, payload), "the broker takes it");
    run_for(300);
    expect(times_stored("command 1.") == 1 && strcmp(result_of[1], "sent") == 0,
           "what is read comes in the end, and the command is done");
    slow_ms = 0;
}

/* Pictures have used up their memory: a text needs none. */
static void text_among_pictures(void)
{
    begin_world(2);
    calm = true;
    run_for(10);
    g.o.pictures_max = 10;
    put_aside(0, "image", "\xff\xd8\xff\xe0 of 12 bytes", "");
    put_aside(0, "send", "{\"id\":\"c1\",\"text\":\"command 1.\"}", "");
    run_for(30);
    expect(strcmp(result_of[1], "sent") == 0, "the text is sent");
}

/* A service that fails and works again uses up the lines of an hour; then it fails for good. */
static void fails_for_good(void)
{
    begin_world(2);
    calm = flaps = true;
    run_for(2000);
    flaps = false;
    down = true;
    run_for(60);
    said = 0;
    run_for(1400);
    expect(said == 0, "the lines of this hour are used up");
    run_for(3600);
    down = false;
    expect(said == 2, "in the next hour it is said how many are missing, and what is wrong");
}

/* An account goes while a command is under way, and, the second time, nothing retained is taken. */
static void account_leaves(void)
{
    char topic[160], payload[200];
    bool gone = false;

    begin_world(2);
    calm = true;
    run_for(10);
    command(1, topic, payload);
    slow_ms = 3000;
    expect(enqueue(topic, payload), "the broker takes it");
    for (int i = 0; i < 1000 && !gateway_job_is_busy(&shop); i++) {
        step_world();
    }
    expect(gateway_job_is_busy(&shop), "a command is under way");
    for (int i = 0; i < 200 && !gone; i++) {
        step_world();
        gone = gateway_remove(&g, &shop);
    }
    expect(gone && times_stored("command 1.") == 1, "it goes when the command is done");
    slow_ms = 0;
}

static void account_leaves_in_an_upload(void)
{
    begin_world(2);
    calm = true;
    run_for(10);
    slow_ms = 3000;
    put_aside(0, "image", "\xff\xd8\xff\xe0 of 12 bytes", "");
    for (int i = 0; i < 20; i++) {
        step_world();
    }
    expect(g.priv.pictures > 0 && shop.lane != NULL, "a picture is under way");
    expect(gateway_remove(&g, &shop), "it goes at once: nothing of it is in the chat");
    expect(g.priv.pictures == 0, "no picture waits any more");
    slow_ms = 0;
}

static void account_leaves_full_broker(void)
{
    bool gone = false;

    begin_world(2);
    calm = quota = true;
    run_for(10);
    for (int i = 0; i < 200 && !gone; i++) {
        step_world();
        gone = gateway_remove(&g, &shop);
    }
    expect(gone, "it goes though its state is refused");
    quota = false;
}

static void take_command_1(void)
{
    char topic[160], payload[200];

    begin_world(2);
    calm = true;
    run_for(10);
    command(1, topic, payload);
    expect(enqueue(topic, payload), "the broker takes it");
}

static void run_until_lane(void)
{
    for (int i = 0; i < 1000 && shop.lane == NULL; i++) {
        step_world();
    }
    expect(shop.lane != NULL, "it has a lane");
}

/* A note that is too old to send needs no lane, for which other accounts may wait. */
static void disk_that_hangs(void)
{
    take_command_1();
    disk_hangs = true;
    run_until_lane();
    run_for(10);
    expect(shop.lane == NULL && gateway_job_is_busy(&shop), "it waits for the disk without one");
    disk_hangs = false;
    run_for(30);
    expect(times_stored("command 1.") == 1, "it is sent once");
    expect(strcmp(result_of[1], "sent") == 0, "and says so");
}

/* A hint from another gateway of the fleet, whose note of command 1 says so. */
static void hint(const char *state, const char *message_id)
{
    char line[300];
    const int len =
        sprintf(line,
                "{\"id\":\"c1\",\"state\":\"%s\",\"act\":\"send\",\"target\":\"%s\",\"begun\":1,"
                "\"hash\":\"1\",\"text\":\"command "
                "1.\",\"baseline\":\"\",\"created\":0,\"message_id\":\"%s\"}\n",
                state, chat, message_id);

    gateway_learn(&shop, line, (size_t)len, (uint32_t)now_ms);
}

/* The hint comes while this gateway serves the account. */
static void hint_of_another(void)
{
    begin_world(2);
    calm = true;
    run_for(10);
    hint("begun", "");
    run_for(120);
    expect(times_stored("command 1.") == 0, "what another began is not sent");
    expect(strcmp(result_of[1], "cannot_tell") == 0, "and that it cannot be found is said");
}

/* The command came again here, since the broker forgot. The hint comes in the middle of it. */
static void hint_in_the_middle(const char *state, const char *outcome, bool noting)
{
    take_command_1();
    disk_hangs = noting;
    slow_ms = noting ? 0 : 2000;
    run_until_lane();
    run_for(1);
    hint(state, strcmp(state, "sent") == 0 ? "m1" : "");
    run_for(1);
    disk_hangs = false;
    slow_ms = 0;
    run_for(120);
    expect(times_stored("command 1.") == 0, "what another did in the meantime is not done again");
    expect(strcmp(result_of[1], outcome) == 0, "and its outcome is said");
    expect(session.count == 0, "and the command is acknowledged");
}

static void hints_in_the_middle(void)
{
    static const char *const hints[][2] = {{"begun", "cannot_tell"},
                                           {"sent", "sent"},
                                           {"not_sent", "not_sent"},
                                           {"cannot_tell", "cannot_tell"}};

    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        hint_in_the_middle(hints[i][0], hints[i][1], true);
        end_world();
        hint_in_the_middle(hints[i][0], hints[i][1], false);
        end_world();
    }
}

/* Allows this many requests a minute. */
static void allow(uint32_t rate)
{
    account.o.requests_per_minute = rate;
    turn_ms = 60000u / rate;
}

/* The send waits for its turn: if another gateway has sent it meanwhile, it is not sent. */
static void hint_before_a_turn(void)
{
    begin_world(2);
    calm = true;
    run_for(10);
    allow(2);
    shop.inbox.o.poll_ms = 600000; /* polls need turns, too */
    run_for(70);
    expect(ask(1), "the broker takes it");
    for (int i = 0; i < 10000 && ledger_begun(&shop.ledger, 0) == NULL; i++) {
        step_world();
    }
    run_for(5);
    hint("sent", "m1");
    run_for(60);
    expect(times_stored("command 1.") == 0, "it does not leave any more");
    expect(strcmp(result_of[1], "sent") == 0, "and the other's outcome is said");
}

/* Another gateway has found what this one looks for. */
static void hint_while_looking(void)
{
    begin_world(2);
    calm = true;
    run_for(10);
    hint("begun", "");
    run_for(10);
    hint("sent", "m1");
    run_for(5);
    expect(strcmp(result_of[1], "sent") == 0, "it is looked for no longer");
}

/* A limit of few requests a minute, which polls and commands share: both are done in their turn, and no send is given up
 * because its turn was late. */
static void few_requests(uint32_t rate)
{
    char text[32];

    begin_world(2);
    calm = true;
    run_for(10);
    allow(rate);
    slow_send_ms = 15000;
    for (int i = 1; i <= 4; i++) {
        expect(ask(i), "the broker takes it");
    }
    (void)sim_buyer_writes(service, chat, "buyer 0");
    for (uint64_t end = now_ms + 20 * turn_ms + 60000; now_ms < end && !answered[4];) {
        step_world();
    }
    for (int i = 1; i <= 4; i++) {
        sprintf(text, "command %d.", i);
        expect(times_stored(text) == 1 && strcmp(result_of[i], "sent") == 0,
               "each command has its turns");
    }
    expect(found == 0, "none has to be looked for");
    expect(heard[0] == 1, "and the inbox has its turns between them");
    slow_send_ms = 0;
}

/* Neither reading in the app nor a command brings a message: the state follows all the same. */
static void read_elsewhere(void)
{
    begin_world(2);
    calm = true;
    run_for(10);
    (void)sim_buyer_writes(service, chat, "buyer 0");
    run_for(130);
    expect(says_unread == 1, "a chat is unread");
    (void)sim_app_reads(service, chat);
    run_for(320);
    expect(says_unread == 0, "it was read in the app");
    (void)sim_buyer_writes(service, chat, "buyer 1");
    run_for(130);
    expect(says_unread == 1, "it is unread again");
    put_aside(1, "read", "", "");
    run_for(70);
    expect(says_unread == 0, "it was read by a command");
}

/* A busy shop: as many as the service lists at once. */
static void hundred_unread(void)
{
    begin_world(2);
    calm = true;
    run_for(10);
    for (int i = 0; i < 100; i++) {
        (void)sim_buyer_writes(service, i > 0 ? sim_add_chat(service, NULL) : chat,
                               "a text of some length, as people write them");
    }
    run_for(130);
    expect(says_unread == 100, "all are counted");
}

/* Three of one id come at once, and only one PUBACK finds room. */
static void no_room_for_a_puback(void)
{
    char topic[160], payload[200];

    begin_world(2);
    calm = true;
    run_for(10);
    command(1, topic, payload);
    for (int i = 0; i < 3; i++) {
        expect(enqueue(topic, payload), "the broker takes it");
    }
    client.o.out_cap = 6;
    step_broker();
    client.o.out_cap = sizeof out;
    run_for(60);
    expect(session.count == 0, "all three are acknowledged");
    expect(times_stored("command 1.") == 1, "it is sent once");
}

/* The gateway is killed when "begun" is on the disk, and the request has not left. The chat has an equal message from
 * before. */
static void equal_message_before(void)
{
    begin_world(2);
    calm = true;
    (void)sim_app_writes(service, chat, "command 1.");
    run_for(100);
    expect(ask(1), "the broker takes it");
    dies_after_note = true;
    if (setjmp(killed) == 0) {
        run_for(60);
    }
    expect(!dies_after_note, "it died");
    kill_gateway();
    run_for(120);
    expect(times_stored("command 1.") == 1, "it was not sent");
    expect(strcmp(result_of[1], "cannot_tell") == 0, "nor is it said to be");
}

/* Its result is published and the command not acknowledged when the connection is gone for minutes, and then, the second
 * time, the gateway is killed, too. Without an id of its own it is known by its packet. */
static void no_id_and_an_outage(bool killed_too)
{
    char topic[160];

    begin_world(2);
    calm = true;
    run_for(10);
    results = 0;
    snprintf(topic, sizeof topic, "avito/shop/send/%s", chat);
    expect(enqueue(topic, "hallo"), "the broker takes it");
    for (int i = 0; i < 10000 && results == 0; i++) {
        step_world();
    }
    expect(results == 1 && session.count == 1, "it is answered and not acknowledged");
    up = false;
    cut();
    if (killed_too) {
        kill_gateway();
    }
    run_for(150);
    up = true;
    run_for(120);
    expect(results == 2 && session.count == 0, "it comes again, and is answered");
    expect(times_stored("hallo") == 1, "and not sent again");
}

static ledger_entry sent_entry(const char *name, int number)
{
    ledger_entry e;

    memset(&e, 0, sizeof e);
    sprintf(e.id, "%s%d", name, number);
    e.state = LEDGER_SENT;
    e.act = "send";
    e.target = e.text = e.baseline_id = e.message_id = e.reason = "";
    return e;
}

/* All entries of the ledger are owed: their commands may come again. */
static void fill_ledger(void)
{
    for (int i = 0; i < LEDGER_ENTRIES; i++) {
        ledger_entry e = sent_entry("owed", i);

        e.owed = true;
        expect(ledger_put(&shop.ledger, &e), "there is memory");
    }
}

static void begin_full_world(void)
{
    begin_world(2);
    calm = true;
    run_for(10);
    fill_ledger();
    said = 0;
    expect(ask(2), "the broker takes it");
    run_for(60);
}

/* G7: then no further command is begun. */
static void full_ledger(void)
{
    begin_full_world();
    expect(times_stored("command 2.") == 0 && !answered[2], "what cannot be noted is not done");
    expect(session.count == 1, "nor acknowledged");
    expect(said == 1, "and that is said once");
    expect(gateway_job_deadline_ms(&shop, (uint32_t)now_ms) > 0, "it waits quietly");
    (void)sim_buyer_writes(service, chat, "buyer 0");
    hint("begun", "");
    run_for(120);
    expect(heard[0] == 1, "messages go on");
    expect(strcmp(result_of[1], "cannot_tell") == 0, "what was begun is settled");
    expect(times_stored("command 2.") == 0 && session.count == 1, "the command still waits");
    ledger_acknowledged(&shop.ledger, "owed7");
    run_for(30);
    expect(times_stored("command 2.") == 1 && strcmp(result_of[2], "sent") == 0,
           "it is done as soon as there is room");
    expect(session.count == 0, "and acknowledged");
}

/* The broker has forgotten the commands that all entries are kept for: at once, or unseen. */
static void full_ledger_of_a_broker_that_forgot(bool unseen)
{
    begin_full_world();
    cut();
    session.there = unseen;
    run_for(60);
    expect(times_stored("command 2.") == !unseen, "a session that is new brings none of them");
    run_for(7300); /* once an hour the gateway looks whether an hour is over */
    expect(times_stored("command 2.") == 1 && strcmp(result_of[2], "sent") == 0,
           "what has not come for an hour does not come");
}

/* An equal text was sent long ago. Its row goes while a look is under way, which still must not take its message. */
static void row_goes_during_a_look(void)
{
    sim_message_info m;
    ledger_entry e;

    begin_world(2);
    calm = true;
    (void)sim_app_writes(service, chat, "command 1.");
    run_for(10);
    expect(sim_message_at(service, 0, &m), "the message is there");
    memset(&e, 0, sizeof e);
    strcpy(e.id, "old");
    e.state = LEDGER_SENT;
    e.act = "send";
    e.target = chat;
    e.text = e.baseline_id = e.reason = "";
    e.message_id = m.id;
    e.begun = unix_time(NULL) - LEDGER_AGE_S - 1;
    e.text_hash = 1; /* as of the hint */
    expect(ledger_put(&shop.ledger, &e), "there is memory");
    slow_ms = 3000;
    hint("begun", "");
    run_until_lane();
    run_for(1);
    gateway_job_age(&shop, true);
    expect(ledger_find(&shop.ledger, "old") == NULL && shop.lane != NULL, "its row goes meanwhile");
    for (int i = 0; i < 1000 && shop.lane != NULL; i++) {
        step_world();
    }
    slow_ms = 0;
    expect(shop.lane == NULL && !answered[1], "the look is over, and has not taken it");
}

/* 256 sends of a gateway whose clock is ten minutes ahead. That one must learn what is done here next. */
static void clock_behind(void)
{
    char *text = NULL;
    size_t len = 0;
    ledger others;
    FILE *all;

    begin_world(2);
    calm = true;
    run_for(10);
    memset(&others, 0, sizeof others);
    for (int i = 0; i < LEDGER_ENTRIES; i++) {
        ledger_entry e = sent_entry("theirs", i);

        e.begun = unix_time(NULL) + 600 - LEDGER_ENTRIES + i;
        expect(ledger_put(&others, &e) && ledger_put(&shop.ledger, &e), "there is memory");
    }
    expect(ask(1), "the broker takes it");
    run_for(30);
    expect(strcmp(result_of[1], "sent") == 0, "it is sent");
    all = open_memstream(&text, &len);
    (void)ledger_difference(&shop.ledger, NULL, all);
    fclose(all);
    (void)ledger_merge(&others, text, len);
    expect(ledger_find(&others, "c1") != NULL, "the other gateway learns of it");
    free(text);
    ledger_close(&others);
}

/* A gateway without QoS 1 can do nothing; with another broker all is well. */
static void broker_without_qos1(void)
{
    begin_world(2);
    calm = without_qos1 = true;
    said = 0;
    run_for(60);
    expect(said == 1, "that is said, once");
    without_qos1 = false;
    cut();
    run_for(20); /* its first round */
    (void)sim_buyer_writes(service, chat, "buyer 0");
    run_for(60);
    expect(heard[0] == 1, "messages come as soon as it takes it");
}

/* What Home Assistant is to be told is larger than a packet may be. */
static void too_many_to_notify(void)
{
    static const char *chats[300];

    begin_world(2);
    calm = true;
    run_for(10);
    for (size_t i = 0; i + 1 < sizeof chats / sizeof *chats; i++) {
        chats[i] = chat;
    }
    shop.o.notify = chats;
    g.o.discovery = "homeassistant";
    cut();
    said = 0;
    run_for(20);
    expect(said == 1, "that is said, once");
}

static void judge(uint64_t seed)
{
    const unsigned before = failures;

    for (int i = 1; i <= COMMANDS; i++) {
        char text[32];
        size_t stored;

        sprintf(text, "command %d.", i);
        stored = times_stored(text);
        if (stored > 1 || !answered[i] || (strcmp(result_of[i], "sent") == 0 && stored == 0) ||
            (strcmp(result_of[i], "not_sent") == 0 && stored > 0) ||
            (strcmp(result_of[i], "cannot_tell") == 0 && stored > 0 && late_ms < 60000)) {
            printf("# seed %llu: command %d is stored %zu times, result %s\n",
                   (unsigned long long)seed, i, stored, answered[i] ? result_of[i] : "missing");
            failures++;
        }
    }
    for (int i = 0; i < BUYERS; i++) {
        if (heard[i] == 0) {
            printf("# seed %llu: message %d was not published\n", (unsigned long long)seed, i);
            failures++;
        }
    }
    if (failures != before) {
        printf("# to replay: TRACE=1 build/gateway_sim %llu 1\n", (unsigned long long)seed);
    }
}

int main(int argc, char **argv)
{
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : 100;

    one_is_enough = argc > 3;
    for (uint64_t seed = first; seed < first + count; seed++) {
        begin_world(seed);
        run();
        judge(seed);
        end_world();
    }
    flood_and_refusal();
    end_world();
    read_elsewhere();
    end_world();
    hundred_unread();
    end_world();
    nobody_listens();
    end_world();
    no_room_for_a_puback();
    end_world();
    broker_over_quota();
    end_world();
    flapping_service();
    end_world();
    disk_that_hangs();
    end_world();
    hint_of_another();
    end_world();
    hints_in_the_middle();
    hint_while_looking();
    end_world();
    hint_before_a_turn();
    end_world();
    equal_message_before();
    end_world();
    for (int killed_too = 0; killed_too < 2; killed_too++) {
        no_id_and_an_outage(killed_too);
        end_world();
    }
    full_ledger();
    end_world();
    for (int unseen = 0; unseen < 2; unseen++) {
        full_ledger_of_a_broker_that_forgot(unseen);
        end_world();
    }
    for (uint32_t rate = 1; rate <= 4; rate++) {
        few_requests(rate);
        end_world();
    }
    row_goes_during_a_look();
    end_world();
    clock_behind();
    end_world();
    broker_without_qos1();
    end_world();
    too_many_to_notify();
    end_world();
    fails_for_good();
    end_world();
    account_leaves();
    end_world();
    account_leaves_full_broker();
    end_world();
    account_leaves_in_an_upload();
    end_world();
    wrong_twice();
    end_world();
    text_among_pictures();
    end_world();
    slow_line();
    end_world();
    day_without_service();
    end_world();
    day_without_broker();
    end_world();
    printf("%s - the gateway in %llu worlds from seed %llu on\n", failures == 0 ? "ok" : "not ok",
           (unsigned long long)count, (unsigned long long)first);
    return failures != 0;
}
