/* broker.c - see broker.h. */
#include "broker.h"
#include "command.h"
#include "resolve.h"
#include "roots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_EXPIRY_S 604800u
#define KEEP_ALIVE_S     15
#define PAUSE_MAX_MS     60000u
#define CONNECT_MS       30000u /* from the first look-up to the broker's CONNACK */
#define EVENTS_AT_ONCE   64
#define HEAD_ROOM        4096u /* of a picture's packet: topic and properties */

/* ---- the configuration ---- */

static int take_port(broker *b, const config *c, bool tls)
{
    long port = tls ? 8883 : 1883;
    const bool ok = config_number(c, "mqtt", "port", 65535, &port);

    b->port = (uint16_t)port;
    return ok ? EXIT_DONE : EXIT_USAGE;
}

static int take_password(broker *b, config *c)
{
    const char *file = config_value(c, "mqtt", "password_file");

    b->user = config_value(c, "mqtt", "user");
    b->password = config_value(c, "mqtt", "password");
    if (b->password == NULL && file != NULL) {
        b->password = config_secret(c, "mqtt", "password", file);
        return b->password != NULL ? EXIT_DONE : EXIT_USAGE;
    }
    return EXIT_DONE;
}

static int take_key(broker *b, const config *c, bool tls)
{
    const char *certificate = config_value(c, "mqtt", "cert_file"),
               *key = config_value(c, "mqtt", "key_file");

    if (certificate == NULL && key == NULL) {
        return EXIT_DONE;
    }
    if (certificate == NULL || key == NULL || !tls) {
        return config_wrong("mqtt", TEXT("cert_file and key_file belong together, and to tls = yes",
                                         "cert_file и key_file нужны вместе, и с ними tls = yes"));
    }
    b->key = client_key_read(certificate, key);
    return b->key != NULL ? EXIT_DONE : EXIT_USAGE;
}

/* ---- the link ---- */

/* Puts TLS over *transport. */
static int open_tls(broker *b, const config *c, avito_transport *transport)
{
    const avito_anchors *roots = roots_of(config_value(c, "mqtt", "ca_file"));
    avito_tls_options o = avito_tls_options_default();

    b->records = malloc(AVITO_TLS_BUFFER_FULL(16384));
    if (roots == NULL || b->records == NULL) {
        return EXIT_USAGE;
    }
    o.transport = *transport;
    o.anchors = roots->items;
    o.anchors_count = roots->count;
    o.buffer = b->records;
    o.buffer_cap = AVITO_TLS_BUFFER_FULL(16384);
    o.full_duplex = true;
    o.ctx = b->key;
    o.unix_time = avito_posix_unix_time;
    o.entropy = avito_posix_entropy;
    o.configure = b->key != NULL ? client_key_configure : NULL;
    if (avito_tls_init(&b->tls, &o) != AVITO_OK) {
        return EXIT_USAGE;
    }
    *transport = avito_tls_transport(&b->tls);
    return EXIT_DONE;
}

/* Sets up TCP, TLS if asked for, and the MQTT client over them. */
static int open_link(broker *b, const config *c, const broker_as *as, bool tls)
{
    avito_tcp_options tcp = avito_tcp_options_default();
    avito_transport transport;
    avito_server server;
    mqtt_options o;

    tcp.never_wait = true;
    tcp.resolve = resolve_name;
    (void)avito_tcp_init(&b->tcp, &tcp);
    transport = avito_tcp_transport(&b->tcp);
    if (tls && open_tls(b, c, &transport) != EXIT_DONE) {
        return EXIT_USAGE;
    }
    b->own_out = as->out_cap > 0 ? malloc(as->out_cap) : NULL;
    if (as->out_cap > 0 && b->own_out == NULL) {
        return EXIT_LOCAL;
    }
    memset(&o, 0, sizeof o);
    o.client_id = b->client_id;
    o.user = b->user;
    o.password = b->password;
    o.will = as->will != NULL ? &b->will : NULL;
    o.session_expiry_s = as->clean ? 0 : SESSION_EXPIRY_S;
    o.clean_start = as->clean;
    o.keep_alive_s = as->keep_alive_s > 0 ? as->keep_alive_s : KEEP_ALIVE_S;
    o.ping_ms = as->ping_ms;
    o.pong_ms = as->pong_ms;
    o.receive_maximum = (uint16_t)as->window;
    o.in = b->in;
    o.in_cap = sizeof b->in;
    o.out = b->own_out != NULL ? b->own_out : b->out;
    o.out_cap = b->own_out != NULL ? as->out_cap : sizeof b->out;
    o.any_size = true;
    server.host = b->host;
    server.port = b->port;
    if (mqtt_link_init(&b->link, &o, transport, server) != MQTT_OK) {
        return config_wrong("mqtt", TEXT("user, password or host are not UTF-8, or too long",
                                         "user, password или host не в UTF-8 или слишком длинные"));
    }
    return EXIT_DONE;
}

int broker_make(broker *b, config *c, const broker_as *as)
{
    bool tls = false;
    int status;

    memset(b, 0, offsetof(broker, in));
    snprintf(b->client_id, sizeof b->client_id, "%s", as->client_id);
    b->host = config_value(c, "mqtt", "host");
    if (b->host == NULL || b->host[0] == '\0') {
        return config_wrong("mqtt", TEXT("host: the broker's name is missing, such as localhost",
                                         "host: не задано имя брокера, например localhost"));
    }
    if (b->host[strcspn(b->host, "/@?#[] ")] != '\0' ||
        (strchr(b->host, ':') != NULL && strchr(b->host, ':') == strrchr(b->host, ':'))) {
        return config_wrong("mqtt", TEXT("host: a bare name or address; port has a line of its own",
                                         "host: только имя или адрес; port - отдельной строкой"));
    }
    b->picture_max = as->picture_max;
    if (as->will != NULL) {
        b->will = *as->will;
        snprintf(b->will_topic, sizeof b->will_topic, "%s", as->will->topic);
        b->will.topic = b->will_topic;
    }
    status = config_flag(c, "mqtt", "tls", &tls) ? take_port(b, c, tls) : EXIT_USAGE;
    status = status == EXIT_DONE ? take_password(b, c) : status;
    status = status == EXIT_DONE ? take_key(b, c, tls) : status;
    status = status == EXIT_DONE ? open_link(b, c, as, tls) : status;
    return status;
}

int broker_open(broker *b, config *c, const gateway_options *g, const char *client_id)
{
    char topic[GATEWAY_TOPIC_MAX];
    mqtt_publication will;
    const broker_as as = {client_id, &will, g->window, g->pictures_max / 2, 0, 0, 0, 0, false};

    gateway_will(g, &will, topic);
    return broker_make(b, c, &as);
}

void broker_free(broker *b)
{
    if (b->link.client.o.client_id != NULL) {
        mqtt_link_close(&b->link);
    }
    client_key_free(b->key);
    free(b->records);
    free(b->large);
    free(b->own_out);
    b->key = NULL;
    b->records = NULL;
    b->large = b->own_out = NULL;
}

/* ---- pictures ---- */

bool broker_make_room(broker *b, size_t needed)
{
    if (needed > b->picture_max + HEAD_ROOM || b->large != NULL) {
        return false;
    }
    b->large = malloc(needed);
    return b->large != NULL && mqtt_move_input(&b->link.client, b->large, needed) == MQTT_OK;
}

size_t broker_room(const broker *b)
{
    return b->large != NULL ? b->link.client.o.in_cap : 0;
}

void broker_give_room_back(broker *b)
{
    if (b->large != NULL && mqtt_move_input(&b->link.client, b->in, sizeof b->in) == MQTT_OK) {
        free(b->large);
        b->large = NULL;
    }
}

void broker_close(broker *b)
{
    mqtt_link_close(&b->link);
    free(b->large);
    b->large = NULL;
    b->link.client.o.in = b->in;
    b->link.client.o.in_cap = sizeof b->in;
}

/* ---- steps ---- */

/* The connection is lost: it is opened again after a pause that doubles each time. The loss is reported once.
 * */
static void lost(broker *b, gateway *g, const char *why, uint32_t now_ms)
{
    uint16_t random = 0;

    broker_close(b);
    gateway_lost(g);
    (void)g->o.entropy(g->o.ctx, &random, sizeof random);
    b->lost_ms = now_ms;
    b->pause_ms = b->pause_ms == 0                 ? 1000
                  : b->pause_ms * 2 < PAUSE_MAX_MS ? b->pause_ms * 2
                                                   : PAUSE_MAX_MS;
    b->wait_ms = b->pause_ms - random % (b->pause_ms / 2);
    if (!b->failing || gateway_owes_line(g)) {
        b->failing = true;
        gateway_tell(g, why);
    }
}

/* Says of which broker: the accounts have networks and servers of their own. */
static void lost_link(broker *b, gateway *g, int result, uint32_t now_ms)
{
    char text[GATEWAY_REASON_MAX];

    snprintf(text, sizeof text, say(TEXT("broker %s:%u: %s", "брокер %s:%u: %s")), b->host,
             (unsigned)b->port, mqtt_link_text(result));
    lost(b, g, text, now_ms);
}

void broker_again(broker *b, gateway *g, uint32_t now_ms)
{
    mqtt_event e;

    if (mqtt_disconnect(&b->link.client, MQTT_REASON_SUCCESS) == MQTT_OK) {
        (void)mqtt_link_step(&b->link, now_ms, &e); /* else the broker publishes the will */
    }
    broker_close(b);
    gateway_lost(g);
    b->lost_ms = now_ms;
    b->wait_ms = 0;
}

/* Hands an event to the gateway. A packet that `in` cannot hold gets memory of its own, if the pictures in
 * hand leave room for it. */
static void handle(broker *b, gateway *g, const mqtt_event *e, uint32_t now_ms)
{
    if (e->kind == MQTT_LARGE && gateway_pictures(g) + e->needed <= g->o.pictures_max &&
        broker_make_room(b, e->needed)) {
        return;
    }
    if (e->kind == MQTT_CONNECTED) {
        if (b->failing) {
            gateway_tell(g,
                         say(TEXT("connected to the broker again", "снова на связи с брокером")));
        }
        b->up = true;
        b->failing = false;
        b->pause_ms = 0;
    }
    gateway_event(g, e, now_ms);
    if (e->kind == MQTT_MESSAGE) {
        broker_give_room_back(b);
    }
    if (e->kind == MQTT_CLOSED) {
        char text[GATEWAY_REASON_MAX];

        snprintf(text, sizeof text,
                 say(TEXT("the broker closed the connection: %s", "брокер закрыл соединение: %s")),
                 mqtt_closed_text(e));
        lost(b, g, text, now_ms);
    }
}

static uint32_t connect_left_ms(const broker *b, uint32_t now_ms)
{
    const uint32_t since = now_ms - b->opened_ms;

    return b->up ? UINT32_MAX : since < CONNECT_MS ? CONNECT_MS - since : 0;
}

void broker_step(broker *b, gateway *g, uint32_t now_ms)
{
    mqtt_event e;
    int events = 0;

    if (b->link.state == MQTT_LINK_CLOSED) {
        if (broker_deadline_ms(b, now_ms) > 0) {
            return;
        }
        mqtt_link_open(&b->link);
        b->opened_ms = now_ms;
        b->up = false;
    } else if (connect_left_ms(b, now_ms) == 0) {
        lost_link(b, g, MQTT_ERR_SILENT, now_ms);
        return;
    }
    do {
        const int rc = mqtt_link_step(&b->link, now_ms, &e);

        if (rc != MQTT_OK) {
            lost_link(b, g, rc, now_ms);
            return;
        }
        if (e.kind != MQTT_NOTHING) {
            handle(b, g, &e, now_ms);
        }
    } while (e.kind != MQTT_NOTHING && b->link.state != MQTT_LINK_CLOSED &&
             ++events < EVENTS_AT_ONCE);
}

uint32_t broker_deadline_ms(const broker *b, uint32_t now_ms)
{
    if (b->link.state == MQTT_LINK_CLOSED) {
        const uint32_t since = now_ms - b->lost_ms;

        return since < b->wait_ms ? b->wait_ms - since : 0;
    }
    return b->up ? mqtt_deadline_ms(&b->link.client, now_ms) : connect_left_ms(b, now_ms);
}
