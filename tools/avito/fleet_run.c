/* fleet_run.c - see fleet_run.h. */
#include "fleet_run.h"
#include "broker.h"
#include "command.h"
#include "disk.h"
#include "fleet_seat.h"
#include "russian.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
#define ACCOUNT_OUT    (256u * 1024u) /* a ledger of 256 entries goes as one message */
#define NODE_PACKET    (1u << 20)     /* likewise, for all accounts */
#define EPOCH_FILE     "epoch"
#define PARTING_MS     100

struct seat {
    struct seat *next;
    fleet_run *f;
    fleet_seat at;
    account from;
    served *served; /* NULL: it is not served here */
    writing ledger_write, slot_writes[2];
    bool woken; /* one of them has ended */
    writing_waiter waiter;
    broker broker;
};

struct fleet_run {
    fleet_run_options o;
    fleet fleet;
    broker node;
    struct seat *seats;
    size_t count;
    char name[FLEET_NAME_MAX + 1], node_name[FLEET_NAME_MAX + 1], node_id[96];
    const char *secret;
    unsigned percent;
    uint32_t node_ms, pause_ms; /* when its connection was last opened or lost */
    bool node_up, node_failing;
    struct gateway_voice voice; /* of the node itself */
};

/* This clock runs while the machine sleeps: a sleep is a gap. */
static uint32_t boot_ms(const fleet_run *f)
{
    return f->o.gateway.boot_ms(f->o.gateway.ctx);
}

static struct seat *seat_of(fleet_account *a)
{
    return a->glue;
}

static uint32_t scaled(const fleet_run *f, uint32_t ms)
{
    return ms * f->percent / 100u;
}

/* ---- hooks: connections ---- */

static mqtt *client_of(fleet_run *f, fleet_account *a)
{
    return a != NULL ? &seat_of(a)->broker.link.client : &f->node.link.client;
}

static int hook_publish(void *ctx, fleet_account *a, const mqtt_publication *p, uint16_t *packet_id)
{
    return mqtt_publish(client_of(ctx, a), p, packet_id);
}

static int hook_subscribe(void *ctx, fleet_account *a, const mqtt_filter *filters, size_t count)
{
    return mqtt_subscribe(client_of(ctx, a), filters, count, NULL);
}

static int hook_unsubscribe(void *ctx, fleet_account *a, const mqtt_filter *filters, size_t count)
{
    return mqtt_unsubscribe(client_of(ctx, a), filters, count, NULL);
}

static int hook_acknowledge(void *ctx, fleet_account *a, uint16_t packet_id)
{
    return mqtt_acknowledge(client_of(ctx, a), packet_id, MQTT_REASON_SUCCESS);
}

static void hook_connect(void *ctx, fleet_account *a)
{
    struct seat *s = seat_of(a);

    (void)ctx;
    s->broker.will = a->will; /* its key is new */
    mqtt_link_open(&s->broker.link);
}

static void hook_close(void *ctx, fleet_account *a)
{
    (void)ctx;
    broker_close(&seat_of(a)->broker);
    fleet_seat_forget(&seat_of(a)->at);
}

/* The DISCONNECT leaves before the connection is closed, or the will would contradict it. */
static void hook_part(void *ctx, fleet_account *a)
{
    struct seat *s = seat_of(a);
    mqtt_event e;
    const void *data;

    (void)mqtt_disconnect(&s->broker.link.client, MQTT_REASON_SUCCESS);
    for (int i = 0; i < PARTING_MS && mqtt_output(&s->broker.link.client, &data) > 0; i += 5) {
        struct pollfd fd = {avito_tcp_fd(&s->broker.tcp), POLLOUT, 0};

        if (mqtt_link_step(&s->broker.link, avito_posix_clock_ms(NULL), &e) != MQTT_OK) {
            break;
        }
        (void)poll(&fd, 1, 5);
    }
    hook_close(ctx, a);
}

/* ---- hooks: files ---- */

static void note_written(void *ctx)
{
    struct seat *s = ctx;

    s->woken = true;
}

/* Appends to the file, or replaces it: one write after the other, in the order of the requests. */
static int hook_keep_ledger(void *ctx, fleet_account *a, const char *lines, size_t len, bool append)
{
    struct seat *s = seat_of(a);

    (void)ctx;
    return writing_step(&s->ledger_write, append ? disk_append : disk_write, s->from.folder,
                        SERVED_LEDGER, lines, len, &s->waiter);
}

static int hook_keep_slot(void *ctx, fleet_account *a, int slot, const void *data, size_t len)
{
    struct seat *s = seat_of(a);
    const bool accepting = s->served != NULL && s->served->core.accepting;

    (void)ctx;
    return served_write_slot(&s->slot_writes[slot], s->from.folder, slot, data, len,
                             accepting ? &s->waiter : NULL);
}

static int hook_load_slot(void *ctx, fleet_account *a, int slot, void *data, size_t cap,
                          size_t *len)
{
    const int rc = served_read_slot(seat_of(a)->from.folder, slot, data, cap, len);

    (void)ctx;
    return rc == AVITO_OK && *len == 0 ? (int)AVITO_END : rc;
}

static int hook_keep_epoch(void *ctx, fleet_account *a, uint32_t epoch)
{
    char text[16];
    const int n = snprintf(text, sizeof text, "%lu\n", (unsigned long)epoch);

    (void)ctx;
    return disk_write(seat_of(a)->from.folder, EPOCH_FILE, text, (size_t)n);
}

/* ---- hooks: the gateway of an account ---- */

/* An account that moves to and fro would fill the log. */
static void hook_say(void *ctx, const char *name, const char *text)
{
    fleet_run *f = ctx;
    const gateway_options *o = &f->o.gateway;
    struct seat *s = name != NULL ? f->seats : NULL;

    while (s != NULL && strcmp(s->from.name, name) != 0) {
        s = s->next;
    }
    gateway_voice_tell(o, s != NULL ? &s->at.voice : &f->voice, name, text);
}

static void say_served(struct seat *s)
{
    char text[100];

    snprintf(text, sizeof text,
             say(TEXT("is served here, epoch %lu", "обслуживается здесь, эпоха %lu")),
             (unsigned long)s->at.core.epoch);
    hook_say(s->f, s->from.name,
             s->served != NULL
                 ? text
                 : say(TEXT("is not served here any more", "здесь больше не обслуживается")));
}

/* This node is to serve the account: opens it, as avito gateway does without a fleet, over the account's own
 * connection. */
static bool hook_begin(void *ctx, fleet_account *a)
{
    fleet_run *f = ctx;
    struct seat *s = seat_of(a);
    const served_stores stores = {&s->at, fleet_seat_load_inbox, fleet_seat_save_inbox,
                                  fleet_seat_ledger(&s->at)};
    gateway_options o = f->o.gateway;
    int status;

    o.broker = &s->broker.link.client;
    o.look_for_ms = scaled(f, FLEET_LOOK_FOR_MS);
    fleet_seat_begin(&s->at, &o);
    s->served =
        served_open(&s->at.gateway, f->o.config, &s->from, f->o.webhook_url, &stores, &status);
    if (s->served == NULL) {
        return false;
    }
    say_served(s);
    f->o.opened(f->o.ctx, s->served);
    fleet_seat_serve(&s->at, &s->served->core, avito_posix_clock_ms(NULL));
    return true;
}

static void hook_end(void *ctx, fleet_account *a)
{
    fleet_run *f = ctx;
    struct seat *s = seat_of(a);

    if (s->served == NULL) {
        return;
    }
    fleet_seat_end(&s->at);
    f->o.closing(f->o.ctx, s->served);
    served_free(s->served);
    s->served = NULL;
    say_served(s);
}

static bool hook_rest(void *ctx, fleet_account *a)
{
    struct seat *s = seat_of(a);

    (void)ctx;
    return s->served == NULL || gateway_rest(&s->served->core);
}

static void end_writes(struct seat *s)
{
    writing_end(&s->ledger_write);
    writing_end(&s->slot_writes[0]);
    writing_end(&s->slot_writes[1]);
}

static void wake(struct seat *s)
{
    if (s->served != NULL) {
        served_hurry(s->served);
    }
}

static void hook_learn(void *ctx, fleet_account *a, const char *lines, size_t len)
{
    struct seat *s = seat_of(a);

    (void)ctx;
    if (s->served != NULL) {
        gateway_learn(&s->served->core, lines, len, avito_posix_clock_ms(NULL));
        wake(s);
    }
}

static void hook_stored(void *ctx, fleet_account *a)
{
    struct seat *s = seat_of(a);

    (void)ctx;
    if (s->served != NULL) {
        gateway_saved(&s->served->core);
        wake(s);
    }
}

static void hook_ring(void *ctx, fleet_account *a, int64_t user_id)
{
    struct seat *s = seat_of(a);

    (void)ctx;
    gateway_ring(&s->at.gateway, user_id);
    wake(s);
}

/* ---- the configuration ---- */

bool fleet_is_configured(const config *c)
{
    return config_value(c, "fleet", "name") != NULL || config_value(c, "fleet", "node") != NULL ||
           config_value(c, "fleet", "secret") != NULL ||
           config_value(c, "fleet", "secret_file") != NULL;
}

/* The host's name, reduced to allowed characters. */
static void take_node_name(fleet_run *f, const char *configured)
{
    size_t n = 0;
    char host[256] = "";

    if (configured == NULL) {
        (void)gethostname(host, sizeof host - 1);
    }
    for (const char *c = configured != NULL ? configured : host;
         *c != '\0' && *c != '.' && n < FLEET_NAME_MAX; c++) {
        f->node_name[n++] = *c;
    }
    f->node_name[n] = '\0';
}

/* Reads the names of fleet and node, and the secret. */
static int take_names(fleet_run *f, config *c)
{
    const char *name = config_value(c, "fleet", "name"), *node = config_value(c, "fleet", "node"),
               *file = config_value(c, "fleet", "secret_file"), *objection;

    f->secret = config_value(c, "fleet", "secret");
    if (f->secret == NULL && file != NULL) {
        f->secret = config_secret(c, "fleet", "secret", file);
        if (f->secret == NULL) {
            return EXIT_USAGE;
        }
    }
    take_node_name(f, node);
    snprintf(f->name, sizeof f->name, "%s", name != NULL ? name : "main");
    if (!is_account_name(f->name) || !is_account_name(f->node_name) ||
        (node != NULL && strcmp(node, f->node_name) != 0)) {
        return config_wrong("fleet", TEXT("name and node have 1 to 32 letters, digits, - or _",
                                          "name и node: от 1 до 32 латинских букв, цифр, - и _"));
    }
    objection = fleet_objection(f->secret != NULL ? strlen(f->secret) : 0, false);
    return objection != NULL ? config_wrong("fleet", TEXT(objection, objection)) : EXIT_DONE;
}

static int open_node(fleet_run *f)
{
    broker_as as;

    memset(&as, 0, sizeof as);
    snprintf(f->node_id, sizeof f->node_id, "avito-%s-node-%s", f->name, f->node_name);
    as.client_id = f->node_id;
    as.clean = true;
    as.window = MQTT_WINDOW;
    as.picture_max = NODE_PACKET;
    as.out_cap = ACCOUNT_OUT; /* a hint may be a whole ledger */
    as.keep_alive_s = (uint16_t)scaled(f, 15);
    as.ping_ms = scaled(f, 5000);
    as.pong_ms = scaled(f, 10000);
    return broker_make(&f->node, f->o.config, &as);
}

int fleet_run_open(fleet_run **out, const fleet_run_options *from, char *path, size_t cap)
{
    static const fleet_hooks hooks = {NULL,
                                      avito_posix_entropy,
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
    /* For tests, which have no hour to spend: the percentage of all times. */
    const char *percent = getenv("AVITO_TEST_FLEET_PERCENT");
    fleet_run *f = calloc(1, sizeof *f);
    fleet_options o;
    int status;

    *out = f;
    if (f == NULL) {
        return EXIT_LOCAL;
    }
    f->o = *from;
    f->percent = percent != NULL ? (unsigned)strtoul(percent, NULL, 10) : 100;
    f->percent = f->percent < 1 || f->percent > 100 ? 100 : f->percent;
    status = take_names(f, from->config);
    status = status == EXIT_DONE ? open_node(f) : status;
    if (status != EXIT_DONE) {
        return status;
    }
    memset(&o, 0, sizeof o);
    o.name = f->name;
    o.node = f->node_name;
    o.version = AVITO_VERSION;
    o.times = fleet_times_of(f->percent);
    o.hooks = hooks;
    o.hooks.ctx = f;
    fleet_init(&f->fleet, &o, boot_ms(f));
    fleet_path(f->secret, strlen(f->secret), path, cap);
    mqtt_link_open(&f->node.link);
    f->node_ms = avito_posix_clock_ms(NULL);
    return EXIT_DONE;
}

/* The text of this node's file; *text NULL: there is none. EXIT_DONE, or a status after saying why it cannot
 * be read: its notes may keep a send from being repeated. */
static int read_own(const char *folder, const char *name, char **text, size_t *len)
{
    const int rc = disk_read(folder, name, text, len);

    if (rc == AVITO_OK || rc == AVITO_END) {
        return EXIT_DONE;
    }
    return served_say_file(folder, name);
}

static int add_to_fleet(struct seat *s)
{
    char *lines = NULL, *epoch = NULL;
    size_t len = 0, epoch_len = 0;
    int status = read_own(s->from.folder, SERVED_LEDGER, &lines, &len);

    status =
        status == EXIT_DONE ? read_own(s->from.folder, EPOCH_FILE, &epoch, &epoch_len) : status;
    fleet_add(&s->f->fleet, &s->at.core, s->from.name, lines, len,
              epoch != NULL ? (uint32_t)strtoul(epoch, NULL, 10) : 0);
    free(lines);
    free(epoch);
    return status;
}

static int make_broker(struct seat *s)
{
    fleet_run *f = s->f;
    char id[FLEET_CLIENT_ID];
    mqtt_publication will;
    broker_as as;

    fleet_client_id(f->secret, strlen(f->secret), s->from.name, id);
    memset(&will, 0, sizeof will);
    will.topic = "avito/will";
    will.qos = 1;
    memset(&as, 0, sizeof as);
    as.client_id = id;
    as.will = &will; /* each claim has its own */
    as.window = f->o.gateway.window;
    as.picture_max = f->o.gateway.pictures_max / 2;
    as.out_cap = ACCOUNT_OUT;
    as.keep_alive_s = (uint16_t)scaled(f, 15);
    as.ping_ms = scaled(f, 5000);
    as.pong_ms = scaled(f, 10000);
    return broker_make(&s->broker, f->o.config, &as);
}

int fleet_run_want(fleet_run *f, const account *from)
{
    const char *objection = fleet_objection(FLEET_SECRET_MIN, from->is_by_consent);
    struct seat *s;
    int status;

    if (objection != NULL) {
        return config_wrong(from->name, TEXT(objection, objection));
    }
    s = malloc(sizeof *s);
    if (s == NULL) {
        return EXIT_LOCAL;
    }
    memset(s, 0, offsetof(struct seat, broker));
    memset(&s->broker, 0, offsetof(broker, in)); /* the buffers take memory when used */
    s->f = f;
    s->from = *from;
    s->at.core.glue = s;
    s->waiter = (writing_waiter){note_written, s};
    s->next = f->seats;
    f->seats = s;
    f->count++;
    status = add_to_fleet(s);
    return status == EXIT_DONE ? make_broker(s) : status;
}

void fleet_run_free(fleet_run *f)
{
    if (f == NULL) {
        return;
    }
    fleet_free(&f->fleet);
    while (f->seats != NULL) {
        struct seat *s = f->seats;

        f->seats = s->next;
        fleet_seat_forget(&s->at);
        end_writes(s);
        broker_free(&s->broker);
        free(s);
    }
    broker_free(&f->node);
    free(f);
}

/* ---- steps ---- */

/* All accounts share the memory for pictures, those that come in and those that are kept included. */
static bool has_room(const fleet_run *f, size_t needed)
{
    size_t bytes = needed;

    for (const struct seat *s = f->seats; s != NULL; s = s->next) {
        bytes += s->at.kept_bytes + broker_room(&s->broker);
        bytes += s->served != NULL ? gateway_pictures(&s->at.gateway) : 0;
    }
    return bytes <= f->o.gateway.pictures_max;
}

static void lost(struct seat *s, const char *why)
{
    const bool was_served = s->served != NULL;

    fleet_account_lost(&s->at.core, boot_ms(s->f));
    if (was_served) {
        hook_say(s->f, s->at.core.name, why);
    }
}

/* Moves an account's connection, and hands its events on, a limited number at once. */
static void step_seat(struct seat *s)
{
    mqtt_event e;
    int events = 0;

    while (s->broker.link.state != MQTT_LINK_CLOSED && events++ < EVENTS_AT_ONCE) {
        const int rc = mqtt_link_step(&s->broker.link, avito_posix_clock_ms(NULL), &e);

        if (rc != MQTT_OK || e.kind == MQTT_CLOSED) {
            lost(s, rc != MQTT_OK ? mqtt_link_text(rc) : mqtt_closed_text(&e));
            return;
        }
        if (e.kind == MQTT_NOTHING) {
            break;
        }
        if (e.kind == MQTT_LARGE &&
            (fleet_reads(&s->at.core, e.message.topic) || has_room(s->f, e.needed)) &&
            broker_make_room(&s->broker, e.needed)) {
            continue;
        }
        fleet_seat_event(&s->at, &e, boot_ms(s->f), avito_posix_clock_ms(NULL));
        if (e.kind == MQTT_MESSAGE) {
            broker_give_room_back(&s->broker);
        }
    }
}

static void node_lost(fleet_run *f, const char *why)
{
    broker_close(&f->node);
    fleet_node_lost(&f->fleet);
    f->node_ms = avito_posix_clock_ms(NULL);
    f->node_up = false;
    f->pause_ms = f->pause_ms == 0 ? scaled(f, 500) : f->pause_ms * 2;
    f->pause_ms = f->pause_ms < scaled(f, 5000) ? f->pause_ms : scaled(f, 5000);
    if (!f->node_failing) {
        f->node_failing = true;
        hook_say(f, NULL, why);
    }
}

static void node_connected(fleet_run *f)
{
    if (f->node_failing) {
        hook_say(f, NULL, say(TEXT("connected to the broker again", "брокер снова на связи")));
    }
    f->node_up = true;
    f->node_failing = false;
    f->pause_ms = 0;
}

/* False: there is nothing more. */
static bool take_node_event(fleet_run *f)
{
    mqtt_event e;
    const int rc = mqtt_link_step(&f->node.link, avito_posix_clock_ms(NULL), &e);

    if (rc != MQTT_OK || e.kind == MQTT_CLOSED) {
        node_lost(f, rc != MQTT_OK ? mqtt_link_text(rc)
                     : e.reason == MQTT_REASON_TAKEN_OVER
                         ? say(TEXT("another gateway has this one's name: see node in [fleet]",
                                    "другой шлюз назван так же: см. node в [fleet]"))
                         : mqtt_closed_text(&e));
        return false;
    }
    if (e.kind == MQTT_NOTHING) {
        return false;
    }
    if (e.kind == MQTT_LARGE && broker_make_room(&f->node, e.needed)) {
        return true;
    }
    if (e.kind == MQTT_CONNECTED) {
        node_connected(f);
    }
    fleet_node_event(&f->fleet, &e, boot_ms(f));
    if (e.kind == MQTT_MESSAGE) {
        broker_give_room_back(&f->node);
    }
    return true;
}

/* Opens the node's connection when it is time, and takes its events. */
static void step_node(fleet_run *f)
{
    const uint32_t since = avito_posix_clock_ms(NULL) - f->node_ms;
    int events = 0;

    if (f->node.link.state == MQTT_LINK_CLOSED) {
        if (since < f->pause_ms) {
            return;
        }
        mqtt_link_open(&f->node.link);
        f->node_ms = avito_posix_clock_ms(NULL);
    } else if (!f->node_up && since >= scaled(f, 10000)) {
        node_lost(f, mqtt_link_text(MQTT_ERR_NO_ANSWER));
        return;
    }
    while (events++ < EVENTS_AT_ONCE && take_node_event(f)) {
    }
}

bool fleet_run_slept(const fleet_run *f)
{
    return fleet_slept(&f->fleet, boot_ms(f));
}

void fleet_run_step(fleet_run *f)
{
    step_node(f);
    for (struct seat *s = f->seats; s != NULL; s = s->next) {
        step_seat(s);
        if (gateway_voice_owes(&f->o.gateway, &s->at.voice)) { /* what was left out may be this */
            say_served(s);
        }
        if (s->woken) {
            s->woken = false;
            hook_stored(f, &s->at.core);
        }
        if (s->served != NULL) {
            s->at.core.user_id =
                s->served->core.user_id != 0 ? s->served->core.user_id : s->at.core.user_id;
            gateway_step(&s->at.gateway, avito_posix_clock_ms(NULL));
            f->o.stirred(f->o.ctx, &s->at.gateway);
        }
    }
    fleet_step(&f->fleet, boot_ms(f));
}

/* ---- waiting ---- */

size_t fleet_run_fds_max(const fleet_run *f)
{
    return f->count + 1;
}

static size_t add_link(const broker *b, struct pollfd *fds)
{
    const int wants = b->link.state != MQTT_LINK_CLOSED ? mqtt_link_wants(&b->link) : 0;
    const short events =
        (short)((wants & AVITO_WANT_READ ? POLLIN : 0) | (wants & AVITO_WANT_WRITE ? POLLOUT : 0));

    if (events == 0) {
        return 0;
    }
    *fds = (struct pollfd){avito_tcp_fd(&b->tcp), events, 0};
    return 1;
}

size_t fleet_run_fds(const fleet_run *f, struct pollfd *fds)
{
    size_t n = add_link(&f->node, fds);

    for (const struct seat *s = f->seats; s != NULL; s = s->next) {
        n += add_link(&s->broker, fds + n);
    }
    return n;
}

static uint32_t link_deadline_ms(const broker *b)
{
    return b->link.state == MQTT_LINK_OPEN
               ? mqtt_deadline_ms(&b->link.client, avito_posix_clock_ms(NULL))
               : UINT32_MAX;
}

uint32_t fleet_run_deadline_ms(const fleet_run *f)
{
    uint32_t ms = fleet_deadline_ms(&f->fleet, boot_ms(f)), other = link_deadline_ms(&f->node);

    ms = other < ms ? other : ms;
    for (const struct seat *s = f->seats; s != NULL; s = s->next) {
        other = link_deadline_ms(&s->broker);
        ms = other < ms ? other : ms;
        other = s->served != NULL ? gateway_deadline_ms(&s->at.gateway, avito_posix_clock_ms(NULL))
                                  : UINT32_MAX;
        ms = other < ms ? other : ms;
    }
    return f->node_up || ms < 100 ? ms : 100;
}

/* ---- the rest ---- */

void fleet_run_ring(fleet_run *f, int64_t user_id)
{
    fleet_ring(&f->fleet, user_id);
}

bool fleet_run_is_saving(const fleet_run *f, const avito_account *of)
{
    const struct seat *s = f->seats;

    while (s != NULL && (s->served == NULL || &s->served->account != of)) {
        s = s->next;
    }
    return s != NULL && fleet_is_saving(&s->at.core);
}

bool fleet_run_leave(fleet_run *f)
{
    const void *data;

    return fleet_leave(&f->fleet, boot_ms(f)) && mqtt_output(&f->node.link.client, &data) == 0;
}
