/* mqtt_talk.c - one story against a real broker: mqtt_talk PORT. Says "ok - what" for each scene. Started by
 * mqtt_brokers.sh. */
#define AVITO_WITH_POSIX 1
#include "tools/avito/mqtt_link.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char in[2][8192], out[2][8192];
static avito_tcp sockets[2];
static mqtt_link links[2];

static void fail(const char *what, int rc)
{
    printf("not ok - %s: %d %s\n", what, rc, mqtt_link_text(rc));
    exit(1);
}

/* Steps a link until an event of this kind; any other one is a failure. */
static mqtt_event expect(int which, enum mqtt_event_kind kind, const char *what)
{
    const uint32_t begin = avito_posix_clock_ms(NULL);
    mqtt_event e;

    for (;;) {
        const uint32_t now = avito_posix_clock_ms(NULL);
        const int rc = mqtt_link_step(&links[which], now, &e);
        struct pollfd fd = {avito_tcp_fd(&sockets[which]), POLLIN, 0};

        if (rc != MQTT_OK || now - begin > 10000) {
            fail(what, rc);
        }
        if (e.kind == kind) {
            return e;
        }
        if (e.kind != MQTT_NOTHING) {
            printf("# event %d, reason %s\n", (int)e.kind, mqtt_reason_text(e.reason));
            fail(what, MQTT_OK);
        }
        if (mqtt_link_wants(&links[which]) & AVITO_WANT_WRITE) {
            fd.events |= POLLOUT;
        }
        poll(&fd, 1, 50);
    }
}

static void start_link(int which, const char *id, const mqtt_publication *will, uint16_t port,
                       bool clean)
{
    mqtt_options o;
    avito_server broker = {"127.0.0.1", 0};
    avito_tcp_options t = avito_tcp_options_default();

    broker.port = port;
    t.never_wait = true;
    t.address = broker.host;
    memset(&o, 0, sizeof o);
    o.client_id = id;
    o.will = will;
    o.clean_start = clean;
    o.session_expiry_s = 60;
    o.in = in[which];
    o.out = out[which];
    o.in_cap = o.out_cap = sizeof in[0];
    avito_tcp_init(&sockets[which], &t);
    mqtt_link_init(&links[which], &o, avito_tcp_transport(&sockets[which]), broker);
    mqtt_link_open(&links[which]);
}

static mqtt_event open_link(int which, const char *id, const mqtt_publication *will, uint16_t port,
                            bool clean)
{
    start_link(which, id, will, port, clean);
    return expect(which, MQTT_CONNECTED, "connect");
}

static mqtt_publication publication(const char *topic, const char *text)
{
    mqtt_publication p;

    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload.ptr = text;
    p.payload.len = strlen(text);
    p.qos = 1;
    return p;
}

static uint8_t publish(int which, const mqtt_publication *p, const char *what)
{
    uint16_t id = 0;
    const int rc = mqtt_publish(&links[which].client, p, &id);
    mqtt_event e;

    if (rc != MQTT_OK) {
        fail(what, rc);
    }
    e = expect(which, MQTT_ACKNOWLEDGED, what);
    if (e.packet_id != id) {
        fail(what, MQTT_OK);
    }
    return e.reason;
}

static void subscribe(int which, const char *filter, int retain_handling)
{
    const mqtt_filter f = {filter, 1, retain_handling, false};
    mqtt_event e;

    mqtt_subscribe(&links[which].client, &f, 1, NULL);
    e = expect(which, MQTT_SUBSCRIBED, "subscribe");
    if (e.reason != 1) {
        fail("subscribe with QoS 1", e.reason);
    }
}

static void check(bool ok, const char *what)
{
    printf("%s - %s\n", ok ? "ok" : "not ok", what);
    if (!ok) {
        exit(1);
    }
}

static void scene_message(void)
{
    static const mqtt_pair pairs[] = {{"node", "a"}, {"epoch", "7"}};
    mqtt_publication p = publication("t/x", "Здравствуйте");
    mqtt_event e;

    mqtt_subscribe(&links[1].client, &(mqtt_filter){"t/+", 1, 0, false}, 1, NULL);
    check((mqtt_link_wants(&links[1]) & AVITO_WANT_WRITE) != 0, "what waits to leave is wanted");
    check(expect(1, MQTT_SUBSCRIBED, "subscribe").reason == 1, "SUBACK with QoS 1");
    check((mqtt_link_wants(&links[1]) & AVITO_WANT_WRITE) == 0, "nothing is wanted when it left");
    p.pairs = pairs;
    p.pairs_count = 2;
    p.correlation.ptr = "\x01\x02";
    p.correlation.len = 2;
    check(publish(0, &p, "publish") == MQTT_REASON_SUCCESS,
          "PUBACK with reason 0x00 when somebody listens");
    e = expect(1, MQTT_MESSAGE, "message");
    check(avito_str_equal(e.message.payload, "Здравствуйте") && e.message.qos == 1 &&
              avito_str_equal(mqtt_property(&e.message, "epoch"), "7") &&
              avito_str_equal(e.message.correlation, "\x01\x02"),
          "message with QoS 1, user properties and correlation data");
    mqtt_acknowledge(&links[1].client, e.message.packet_id, MQTT_REASON_SUCCESS);
    p = publication("nobody/here", "x");
    printf("# reason when nobody listens: 0x%02x\n", publish(0, &p, "publish to nobody"));
}

static void scene_session(uint16_t port)
{
    mqtt_publication p = publication("t/y", "queued");
    mqtt_event e;
    uint16_t id;

    publish(0, &p, "publish");
    e = expect(1, MQTT_MESSAGE, "message not acknowledged");
    id = e.message.packet_id;
    mqtt_link_close(&links[1]); /* killed */
    e = open_link(1, "talk-b", NULL, port, false);
    check(e.session_present, "the session is there after a cut");
    e = expect(1, MQTT_MESSAGE, "message again");
    check(avito_str_equal(e.message.payload, "queued") && e.message.packet_id == id,
          "what was not acknowledged comes again with its packet identifier");
    mqtt_acknowledge(&links[1].client, id, MQTT_REASON_SUCCESS);
}

static void scene_retained_and_will(uint16_t port)
{
    mqtt_publication will = publication("s/status", "offline"),
                     p = publication("s/status", "online");
    mqtt_event e;

    will.retain = p.retain = true;
    mqtt_disconnect(&links[0].client, MQTT_REASON_SUCCESS);
    mqtt_link_step(&links[0], avito_posix_clock_ms(NULL), &e);
    mqtt_link_close(&links[0]);
    open_link(0, "talk-a", &will, port, true);
    publish(0, &p, "publish retained");
    poll(NULL, 0, 300); /* aedes acknowledges before it has delivered */
    subscribe(1, "s/status", 0);
    e = expect(1, MQTT_MESSAGE, "retained");
    check(e.message.retain && avito_str_equal(e.message.payload, "online"),
          "a retained message comes with retain 1");
    mqtt_acknowledge(&links[1].client, e.message.packet_id, MQTT_REASON_SUCCESS);
    mqtt_link_close(&links[0]); /* without DISCONNECT */
    e = expect(1, MQTT_MESSAGE, "will");
    check(!e.message.retain && avito_str_equal(e.message.payload, "offline"),
          "the will comes when the line is cut");
    mqtt_acknowledge(&links[1].client, e.message.packet_id, MQTT_REASON_SUCCESS);
}

static void scene_ping(void)
{
    mqtt_event e;

    links[1].client.o.ping_ms = 1;
    poll(NULL, 0, 20);
    mqtt_link_step(&links[1], avito_posix_clock_ms(NULL), &e);
    links[1].client.o.ping_ms = 60000;
    poll(NULL, 0, 200);
    check(mqtt_link_step(&links[1], avito_posix_clock_ms(NULL), &e) == MQTT_OK &&
              e.kind == MQTT_NOTHING && !links[1].client.priv.asked,
          "PINGREQ is answered");
}

/* A broker that speaks only 3.1.1 is refused with a reason; the client does not go on with it. */
static void scene_old_broker(uint16_t port)
{
    mqtt_event e;
    int rc = MQTT_OK;

    start_link(0, "talk-a", NULL, port, true);
    for (int i = 0; i < 100 && rc == MQTT_OK; i++) {
        poll(NULL, 0, 50);
        rc = mqtt_link_step(&links[0], avito_posix_clock_ms(NULL), &e);
    }
    check(rc == MQTT_ERR_VERSION, "a broker of MQTT 3.1.1 is refused");
    printf("# %s\n", mqtt_link_text(rc));
}

int main(int argc, char **argv)
{
    const uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 0);

    if (argc > 2 && strcmp(argv[2], "old") == 0) {
        scene_old_broker(port);
        return 0;
    }
    open_link(0, "talk-a", NULL, port, true);
    open_link(1, "talk-b", NULL, port, true);
    scene_message();
    scene_session(port);
    scene_retained_and_will(port);
    scene_ping();
    return 0;
}
