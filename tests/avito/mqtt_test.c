/* mqtt_test.c - the MQTT 5 client without I/O: packets byte by byte, and what a broker must not
 * send.
 * Rooms: none. */
#include "tools/avito/mqtt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char in[256], out[256];
static mqtt client;

static mqtt_options options(void)
{
    mqtt_options o;

    memset(&o, 0, sizeof o);
    o.client_id = "id";
    o.in = in;
    o.in_cap = sizeof in;
    o.out = out;
    o.out_cap = sizeof out;
    return o;
}

static void take_output(const char *expected, size_t len)
{
    const void *data;

    assert_int_equal(mqtt_output(&client, &data), len);
    assert_memory_equal(data, expected, len);
    if (len > 0) {
        mqtt_sent(&client, len, 0);
    }
}
#define EXPECT_OUTPUT(bytes) take_output(bytes, sizeof(bytes) - 1)

static int feed(const char *bytes, size_t len, mqtt_event *e)
{
    void *room;

    assert_true(mqtt_input(&client, &room) >= len);
    memcpy(room, bytes, len);
    mqtt_received(&client, len);
    return mqtt_next(&client, e);
}
#define FEED(bytes, event) feed(bytes, sizeof(bytes) - 1, event)

#define CONNACK "\x20\x03\x00\x00\x00"

static void begin_with(const mqtt_options *o)
{
    const void *data;

    assert_int_equal(mqtt_init(&client, o), MQTT_OK);
    assert_int_equal(mqtt_begin(&client, 0), MQTT_OK);
    mqtt_sent(&client, mqtt_output(&client, &data), 0);
}

static void connect_client(void)
{
    const mqtt_options o = options();
    mqtt_event e;

    begin_with(&o);
    assert_int_equal(FEED(CONNACK, &e), MQTT_OK);
    assert_int_equal(e.kind, MQTT_CONNECTED);
    assert_true(mqtt_is_connected(&client));
}

static void test_connect_is_written(void **state)
{
    static const mqtt_pair pairs[] = {{"n", "v"}};
    mqtt_publication will;
    mqtt_options o = options();

    (void)state;
    memset(&will, 0, sizeof will);
    will.topic = "w";
    will.payload.ptr = "off";
    will.payload.len = 3;
    will.qos = 1;
    will.retain = true;
    will.pairs = pairs;
    will.pairs_count = 1;
    o.will = &will;
    o.user = "u";
    o.password = "p";
    o.session_expiry_s = 604800;
    assert_int_equal(mqtt_init(&client, &o), MQTT_OK);
    assert_int_equal(mqtt_begin(&client, 0), MQTT_OK);
    EXPECT_OUTPUT("\x10\x32\x00\x04MQTT\x05\xec\x00\x0f"
                  "\x0d\x11\x00\x09\x3a\x80\x21\x00\x14\x27\x00\x00\x01\x00"
                  "\x00\x02id"
                  "\x07\x26\x00\x01n\x00\x01v"
                  "\x00\x01w\x00\x03off"
                  "\x00\x01u\x00\x01p");
}

static void test_options_are_checked(void **state)
{
    mqtt_options o = options();
    mqtt_publication will;

    (void)state;
    memset(&will, 0, sizeof will);
    will.topic = "a/#";
    o.will = &will;
    assert_int_equal(mqtt_init(&client, &o), MQTT_ERR_ARGUMENT);
    o = options();
    o.client_id = "";
    assert_int_equal(mqtt_init(&client, &o), MQTT_ERR_ARGUMENT);
    o = options();
    o.user = "\xff";
    assert_int_equal(mqtt_init(&client, &o), MQTT_ERR_ARGUMENT);
    o = options();
    o.in = NULL;
    assert_int_equal(mqtt_init(&client, &o), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_init(&client, NULL), MQTT_ERR_ARGUMENT);
    o = options();
    o.out_cap = 20;
    assert_int_equal(mqtt_init(&client, &o), MQTT_OK);
    assert_int_equal(mqtt_begin(&client, 0), MQTT_ERR_SIZE);
}

static void test_publish_and_its_answers(void **state)
{
    static const mqtt_pair pairs[] = {{"key", "7"}};
    mqtt_publication p;
    mqtt_event e;
    uint16_t first = 0, second = 0;

    (void)state;
    connect_client();
    memset(&p, 0, sizeof p);
    p.topic = "a/b";
    p.payload.ptr = "xyz";
    p.payload.len = 3;
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_OK);
    EXPECT_OUTPUT("\x30\x09\x00\x03"
                  "a/b\x00xyz");
    p.qos = 1;
    p.retain = true;
    p.pairs = pairs;
    p.pairs_count = 1;
    p.correlation.ptr = "\x00\xff";
    p.correlation.len = 2;
    assert_int_equal(mqtt_publish(&client, &p, &first), MQTT_OK);
    EXPECT_OUTPUT("\x33\x19\x00\x03"
                  "a/b\x00\x01\x0e\x09\x00\x02\x00\xff\x26\x00\x03key\x00\x01"
                  "7xyz");
    assert_int_equal(first, 1);
    assert_int_equal(mqtt_publish(&client, &p, &second), MQTT_OK);
    assert_int_equal(second, 2);
    assert_int_equal(FEED("\x40\x02\x00\x02", &e), MQTT_OK);
    assert_int_equal(e.kind, MQTT_ACKNOWLEDGED);
    assert_int_equal(e.packet_id, 2);
    assert_int_equal(e.reason, MQTT_REASON_SUCCESS);
    assert_int_equal(FEED("\x40\x0b\x00\x01\x87\x07\x1f\x00\x04nope", &e), MQTT_OK);
    assert_int_equal(e.packet_id, 1);
    assert_int_equal(e.reason, MQTT_REASON_NOT_AUTHORIZED);
    assert_true(avito_str_equal(e.text, "nope"));
    assert_int_equal(FEED("\x40\x02\x00\x01", &e), MQTT_ERR_PROTOCOL); /* answered already */
    assert_false(mqtt_is_connected(&client));
}

static void test_publish_refuses(void **state)
{
    static char large[300];
    mqtt_publication p;
    void *room;

    (void)state;
    connect_client();
    memset(&p, 0, sizeof p);
    p.topic = "a/+";
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_ERR_ARGUMENT);
    p.topic = "";
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_ERR_ARGUMENT);
    p.topic = "\xc0\x80";
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_ERR_ARGUMENT);
    p.topic = "a";
    p.qos = 2;
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_ERR_ARGUMENT);
    p.qos = 1;
    p.payload.ptr = large;
    p.payload.len = sizeof large;
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_ERR_SIZE);
    assert_int_equal(mqtt_acknowledge(&client, 1, 0),
                     MQTT_ERR_ARGUMENT); /* nothing to acknowledge */
    assert_int_equal(mqtt_disconnect(&client, 0), MQTT_OK);
    EXPECT_OUTPUT("\xe0\x02\x00\x00");
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_ERR_ARGUMENT); /* no longer connected */
    assert_int_equal(mqtt_input(&client, &room), sizeof in);
}

static void test_no_room_is_later(void **state)
{
    static char large[200];
    const mqtt_filter filter = {large, 0, 0, false};
    uint16_t id = 0;
    mqtt_publication p;
    const void *data;

    (void)state;
    connect_client();
    memset(&p, 0, sizeof p);
    p.topic = "a";
    memset(large, 'a', sizeof large - 1);
    p.payload.ptr = large;
    p.payload.len = sizeof large;
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_OK);
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_AGAIN);
    p.qos = 1;
    assert_int_equal(mqtt_publish(&client, &p, &id), MQTT_AGAIN);
    assert_int_equal(mqtt_subscribe(&client, &filter, 1, &id), MQTT_AGAIN);
    assert_int_equal(id, 0); /* nothing waits under a number */
    p.qos = 0;
    assert_int_equal(mqtt_output(&client, &data), 207);
    mqtt_sent(&client, 170, 0);
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_OK);
    assert_int_equal(mqtt_output(&client, &data), 37 + 207);
    assert_memory_equal((const char *)data + 37,
                        "\x30\xcc\x01\x00\x01"
                        "a\x00",
                        7);
}

/* Two publications are there, and no room for an answer: the first one's PUBACK waits, and the second with it. */
static void test_no_puback_is_lost(void **state)
{
    static char large[244];
    mqtt_publication p;
    mqtt_event e;
    const void *data;

    (void)state;
    connect_client();
    memset(&p, 0, sizeof p);
    p.topic = "a";
    p.payload.ptr = large;
    p.payload.len = sizeof large;
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_OK);
    assert_int_equal(FEED("\x32\x06\x00\x01t\x00\x07\x00\x32\x06\x00\x01t\x00\x08\x00", &e),
                     MQTT_OK);
    assert_int_equal(e.message.packet_id, 7);
    assert_int_equal(mqtt_acknowledge(&client, 7, 0), MQTT_OK);
    assert_int_equal(mqtt_next(&client, &e), MQTT_OK);
    assert_int_equal(e.kind, MQTT_NOTHING);
    mqtt_sent(&client, mqtt_output(&client, &data), 0);
    assert_int_equal(mqtt_next(&client, &e), MQTT_OK);
    assert_int_equal(e.message.packet_id, 8);
    EXPECT_OUTPUT("\x40\x04\x00\x07\x00\x00");
    assert_int_equal(mqtt_acknowledge(&client, 8, 0), MQTT_OK);
    EXPECT_OUTPUT("\x40\x04\x00\x08\x00\x00");
}

static void test_the_window_is_kept(void **state)
{
    mqtt_options o = options();
    mqtt_publication p;
    mqtt_event e;
    const void *data;
    uint16_t id;

    (void)state;
    begin_with(&o);
    /* Receive Maximum 2, Maximum Packet Size 64, no retained messages, Server Keep Alive 10 */
    assert_int_equal(
        FEED("\x20\x10\x01\x00\x0d\x21\x00\x02\x27\x00\x00\x00\x40\x25\x00\x13\x00\x0a", &e),
        MQTT_OK);
    assert_true(e.session_present);
    memset(&p, 0, sizeof p);
    p.topic = "a";
    p.qos = 1;
    assert_int_equal(mqtt_publish(&client, &p, &id), MQTT_OK);
    assert_int_equal(mqtt_publish(&client, &p, &id), MQTT_OK);
    assert_int_equal(mqtt_publish(&client, &p, &id), MQTT_AGAIN);
    p.qos = 0;
    assert_int_equal(mqtt_publish(&client, &p, &id), MQTT_OK); /* QoS 0 is not counted */
    p.retain = true;
    assert_int_equal(mqtt_publish(&client, &p, &id), MQTT_ERR_ARGUMENT);
    p.retain = false;
    p.payload.ptr = in;
    p.payload.len = 58;
    assert_int_equal(mqtt_publish(&client, &p, &id), MQTT_OK);
    p.payload.len = 59;
    assert_int_equal(mqtt_publish(&client, &p, &id), MQTT_ERR_SIZE);
    mqtt_sent(&client, mqtt_output(&client, &data), 0);
    assert_int_equal(mqtt_deadline_ms(&client, 0), 5000);
}

static void test_subscribe_and_messages(void **state)
{
    static const mqtt_filter filters[] = {{"s/+", 1, 2, true}, {"t/#", 0, 0, false}};
    mqtt_event e;
    uint16_t id = 0;

    (void)state;
    connect_client();
    assert_int_equal(mqtt_subscribe(&client, filters, 2, &id), MQTT_OK);
    EXPECT_OUTPUT("\x82\x0f\x00\x01\x00\x00\x03s/+\x29\x00\x03t/#\x00");
    assert_int_equal(FEED("\x90\x05\x00\x01\x00\x01\x87", &e), MQTT_OK);
    assert_int_equal(e.kind, MQTT_SUBSCRIBED);
    assert_int_equal(e.reason, MQTT_REASON_NOT_AUTHORIZED);
    assert_int_equal(mqtt_unsubscribe(&client, filters, 1, &id), MQTT_OK);
    EXPECT_OUTPUT("\xa2\x08\x00\x02\x00\x00\x03s/+");
    assert_int_equal(FEED("\xb0\x04\x00\x02\x00\x00", &e), MQTT_OK);
    assert_int_equal(e.kind, MQTT_UNSUBSCRIBED);
    /* QoS 1, DUP, retained; response topic, correlation, two user properties */
    assert_int_equal(
        FEED("\x3b\x22\x00\x03s/1\x00\x09\x18\x08\x00\x01r\x09\x00\x01\x05\x26\x00\x01k\x00\x02v1"
             "\x26\x00\x01n\x00\x02v2hi",
             &e),
        MQTT_OK);
    assert_int_equal(e.kind, MQTT_MESSAGE);
    assert_true(e.message.dup);
    assert_true(e.message.retain);
    assert_int_equal(e.message.packet_id, 9);
    assert_true(avito_str_equal(e.message.topic, "s/1"));
    assert_true(avito_str_equal(e.message.payload, "hi"));
    assert_true(avito_str_equal(e.message.response_topic, "r"));
    assert_true(avito_str_equal(e.message.correlation, "\x05"));
    assert_true(avito_str_equal(mqtt_property(&e.message, "n"), "v2"));
    assert_null(mqtt_property(&e.message, "v1").ptr);
    assert_int_equal(mqtt_acknowledge(&client, 9, MQTT_REASON_SUCCESS), MQTT_OK);
    EXPECT_OUTPUT("\x40\x04\x00\x09\x00\x00");
}

static void test_filters_are_checked(void **state)
{
    mqtt_filter f = {"", 0, 0, false};

    (void)state;
    connect_client();
    assert_int_equal(mqtt_subscribe(&client, &f, 1, NULL), MQTT_ERR_ARGUMENT);
    f.filter = "a";
    f.qos = 2;
    assert_int_equal(mqtt_subscribe(&client, &f, 1, NULL), MQTT_ERR_ARGUMENT);
    f.qos = 0;
    f.retain_handling = 3;
    assert_int_equal(mqtt_subscribe(&client, &f, 1, NULL), MQTT_ERR_ARGUMENT);
    assert_int_equal(mqtt_subscribe(&client, &f, 0, NULL), MQTT_ERR_ARGUMENT);
}

/* mosquitto 2.0.11 sends that many again after each PUBACK. */
static void test_more_than_receive_maximum(void **state)
{
    char packet[] = "\x32\x06\x00\x01t\x00\x01\x00";
    mqtt_event e;
    int i;

    (void)state;
    connect_client();
    for (i = 1; i <= 3 * MQTT_WINDOW; i++) {
        packet[6] = (char)i;
        assert_int_equal(FEED(packet, &e), MQTT_OK);
        assert_int_equal(e.message.packet_id, i);
    }
}

/* Gives a publication of 600 bytes, in pieces as `in` takes them; returns the first event. */
static mqtt_event feed_large(const char *bytes, size_t len, size_t *at)
{
    mqtt_event e;

    memset(&e, 0, sizeof e);
    while (*at < len && e.kind == MQTT_NOTHING) {
        void *room;
        const size_t cap = mqtt_input(&client, &room);
        const size_t n = cap < len - *at ? cap : len - *at;

        memcpy(room, bytes + *at, n);
        mqtt_received(&client, n);
        *at += n;
        assert_int_equal(mqtt_next(&client, &e), MQTT_OK);
    }
    return e;
}

static void connect_for_any_size(void)
{
    mqtt_options o = options();
    mqtt_event e;

    o.any_size = true;
    o.receive_maximum = 1;
    begin_with(&o);
    assert_int_equal(FEED(CONNACK, &e), MQTT_OK);
}

/* PUBLISH with QoS 1, topic "a/b", id 7, an expiry of 5 s, 600 bytes in all; after it comes another
 * with QoS 0. */
static size_t large_packet(char *to)
{
    memset(to, 'x', 600);
    memcpy(to,
           "\x32\xd5\x04\x00\x03"
           "a/b\x00\x07\x05\x02\x00\x00\x00\x05",
           16);
    memcpy(to + 600,
           "\x30\x06\x00\x01"
           "c\x00zz",
           8);
    return 608;
}

static void test_what_is_too_large_is_named_and_skipped(void **state)
{
    char bytes[640];
    size_t at = 0;
    const size_t len = large_packet(bytes);
    mqtt_event e;

    (void)state;
    connect_for_any_size();
    e = feed_large(bytes, len, &at);
    assert_int_equal(e.kind, MQTT_LARGE);
    assert_true(avito_str_equal(e.message.topic, "a/b"));
    assert_int_equal(e.message.expiry_s, 5);
    assert_null(e.message.payload.ptr);
    assert_int_equal(e.message.payload.len, 584);
    assert_int_equal(e.needed, 600);
    assert_int_equal(mqtt_acknowledge(&client, e.message.packet_id, 0x97), MQTT_OK);
    e = feed_large(bytes, len, &at);
    assert_int_equal(e.kind, MQTT_MESSAGE);
    assert_true(avito_str_equal(e.message.topic, "c"));
    assert_int_equal(e.message.expiry_s, UINT32_MAX);
}

/* A user property of 300 bytes; the payload is one byte. The command can be answered, and more memory takes it whole. */
static void test_properties_that_are_too_large_stay_unread(void **state)
{
    char bytes[400], more[400];
    size_t at = 0;
    mqtt_event e;

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes,
           "\x32\xbc\x02\x00\x03"
           "a/b\x00\x07\xb2\x02\x26\x00\x01n\x01\x2c",
           18);
    connect_for_any_size();
    e = feed_large(bytes, 319, &at);
    assert_int_equal(e.kind, MQTT_LARGE);
    assert_true(avito_str_equal(e.message.topic, "a/b"));
    assert_int_equal(e.message.packet_id, 7);
    assert_int_equal(e.needed, 319);
    assert_null(e.message.payload.ptr);
    assert_true(e.message.payload.len >= 307);
    assert_null(mqtt_property(&e.message, "n").ptr);
    assert_int_equal(mqtt_move_input(&client, more, sizeof more), MQTT_OK);
    e = feed_large(bytes, 319, &at);
    assert_int_equal(e.kind, MQTT_MESSAGE);
    assert_int_equal(mqtt_property(&e.message, "n").len, 300);
    assert_int_equal(e.message.payload.len, 1);
    assert_int_equal(mqtt_move_input(&client, in, sizeof in), MQTT_OK);
}

static void test_what_is_too_large_comes_whole_in_more_memory(void **state)
{
    char bytes[640], more[640];
    size_t at = 0;
    const size_t len = large_packet(bytes);
    mqtt_event e;

    (void)state;
    connect_for_any_size();
    e = feed_large(bytes, len, &at);
    assert_int_equal(e.kind, MQTT_LARGE);
    assert_int_equal(mqtt_move_input(&client, more, 10), MQTT_ERR_SIZE);
    assert_int_equal(mqtt_move_input(&client, more, sizeof more), MQTT_OK);
    e = feed_large(bytes, len, &at);
    assert_int_equal(e.kind, MQTT_MESSAGE);
    assert_int_equal(e.message.payload.len, 584);
    assert_int_equal(e.message.packet_id, 7);
    e = feed_large(bytes, len, &at);
    if (e.kind == MQTT_NOTHING) { /* all has been read */
        assert_int_equal(mqtt_next(&client, &e), MQTT_OK);
    }
    assert_int_equal(e.message.topic.len, 1);
    assert_int_equal(mqtt_move_input(&client, in, sizeof in), MQTT_OK);
}

static void test_ids_in_use_are_skipped(void **state)
{
    mqtt_publication p;
    mqtt_event e;
    const void *data;
    uint16_t id;
    long i;

    (void)state;
    connect_client();
    memset(&p, 0, sizeof p);
    p.topic = "a";
    p.qos = 1;
    assert_int_equal(mqtt_publish(&client, &p, &id), MQTT_OK); /* 1 stays unanswered */
    for (i = 0; i < 65600; i++) {
        char ack[] = "\x40\x02\x00\x00";

        assert_int_equal(mqtt_publish(&client, &p, &id), MQTT_OK);
        assert_int_not_equal(id, 0);
        assert_int_not_equal(id, 1);
        mqtt_sent(&client, mqtt_output(&client, &data), 0);
        ack[2] = (char)(id >> 8);
        ack[3] = (char)(id & 0xff);
        assert_int_equal(feed(ack, 4, &e), MQTT_OK);
    }
}

/* A fleet's requests to its broker: a value that CONNACK leaves out is as it was asked for. */
static void test_what_the_broker_can_do(void **state)
{
    const mqtt_options o = options();
    mqtt_event e;

    (void)state;
    begin_with(&o);
    assert_int_equal(FEED(CONNACK, &e), MQTT_OK);
    assert_int_equal(e.session_expiry_s, o.session_expiry_s);
    assert_false(e.no_retain || e.no_qos1);
    begin_with(&o);
    assert_int_equal(FEED("\x20\x0c\x00\x00\x09\x11\x00\x00\x0e\x10\x24\x00\x25\x00", &e), MQTT_OK);
    assert_int_equal(e.session_expiry_s, 3600);
    assert_true(e.no_retain && e.no_qos1);
}

static void test_keep_alive(void **state)
{
    mqtt_options o = options();
    mqtt_event e;

    (void)state;
    o.ping_ms = 5000;
    begin_with(&o);
    assert_int_equal(mqtt_deadline_ms(&client, 1), UINT32_MAX);
    assert_int_equal(FEED(CONNACK, &e), MQTT_OK);
    assert_int_equal(mqtt_deadline_ms(&client, 1000), 4000);
    assert_int_equal(mqtt_tick(&client, 4999), MQTT_OK);
    EXPECT_OUTPUT("");
    assert_int_equal(mqtt_tick(&client, 5000), MQTT_OK);
    EXPECT_OUTPUT("\xc0\x00");
    assert_int_equal(mqtt_deadline_ms(&client, 5000), 10000);
    assert_int_equal(FEED("\xd0\x00", &e), MQTT_OK);
    assert_int_equal(e.kind, MQTT_NOTHING);
    mqtt_sent(&client, 0, UINT32_MAX - 999); /* the clock wraps */
    assert_int_equal(mqtt_tick(&client, 3999), MQTT_OK);
    EXPECT_OUTPUT("");
    assert_int_equal(mqtt_tick(&client, 4000), MQTT_OK);
    EXPECT_OUTPUT("\xc0\x00");
    assert_int_equal(mqtt_tick(&client, 13999), MQTT_OK);
    assert_int_equal(mqtt_tick(&client, 14000), MQTT_ERR_SILENT);
}

/* 0: the broker takes any silence; 600 s would let a dead one be noticed late. */
static void test_a_broker_cannot_stop_the_pings(void **state)
{
    const mqtt_options o = options();
    mqtt_event e;

    (void)state;
    begin_with(&o);
    assert_int_equal(FEED("\x20\x06\x00\x00\x03\x13\x00\x00", &e), MQTT_OK);
    assert_int_equal(mqtt_deadline_ms(&client, 1000), 6500);
    assert_int_equal(mqtt_tick(&client, 7499), MQTT_OK);
    EXPECT_OUTPUT("");
    begin_with(&o);
    assert_int_equal(FEED("\x20\x06\x00\x00\x03\x13\x02\x58", &e), MQTT_OK);
    assert_int_equal(mqtt_deadline_ms(&client, 1000), 6500);
}

/* PINGRESP stands behind a publication that takes a minute and a half to come, and the broker wants to hear from us meanwhile.
 * Then nothing comes any more. */
static void test_a_slow_line_is_not_silent(void **state)
{
    const void *data;
    uint32_t now_ms = 0, said_ms = 0;
    mqtt_event e;

    (void)state;
    connect_client();
    assert_int_equal(FEED("\x30\x0f\x00\x01"
                          "a\x00",
                          &e),
                     MQTT_OK);
    for (int byte = 0; byte < 11; byte++) {
        for (int i = 0; i < 90; i++) {
            now_ms += 100;
            assert_int_equal(mqtt_tick(&client, now_ms), MQTT_OK);
            said_ms = mqtt_output(&client, &data) > 0 ? now_ms : said_ms;
            mqtt_sent(&client, mqtt_output(&client, &data), said_ms);
            assert_true(now_ms - said_ms < 15000);
        }
        assert_int_equal(FEED("x", &e), MQTT_OK);
        assert_int_equal(e.kind, byte < 10 ? MQTT_NOTHING : MQTT_MESSAGE);
    }
    assert_int_equal(mqtt_tick(&client, said_ms + 7500), MQTT_OK);
    EXPECT_OUTPUT("\xc0\x00");
    mqtt_sent(&client, 0, said_ms + 7500);
    assert_int_equal(mqtt_tick(&client, said_ms + 17499), MQTT_OK);
    assert_int_equal(mqtt_tick(&client, said_ms + 17500), MQTT_ERR_SILENT);
}

static void test_old_brokers_are_named(void **state)
{
    mqtt_options o = options();
    mqtt_event e;

    (void)state;
    begin_with(&o);
    assert_int_equal(FEED("\x20\x02\x00\x01", &e), MQTT_ERR_VERSION);
    begin_with(&o);
    assert_int_equal(FEED("\x20\x02\x00\x00", &e), MQTT_ERR_VERSION); /* though it accepts */
    begin_with(&o);
    assert_int_equal(FEED("\x20\x03\x00\x84\x00", &e), MQTT_ERR_VERSION);
    assert_non_null(strstr(mqtt_result_text(MQTT_ERR_VERSION), "3.1.1"));
    begin_with(&o);
    assert_int_equal(FEED("\x20\x09\x00\x86\x06\x1f\x00\x03who", &e), MQTT_OK);
    assert_int_equal(e.kind, MQTT_CLOSED);
    assert_int_equal(e.reason, MQTT_REASON_CREDENTIALS);
    assert_true(avito_str_equal(e.text, "who"));
    assert_string_equal(mqtt_closed_text(&e), "user or password is wrong: who");
    begin_with(&o);
    assert_int_equal(FEED("\x20\x0f\x00\x86\x0c\x1f\x00\x09w\x1b\xc2\x9bh\x7f\xd0\x96!", &e),
                     MQTT_OK);
    assert_string_equal(mqtt_closed_text(&e), "user or password is wrong: w   h \xd0\x96!");
}

/* Its own words may have 64 KB. */
static void test_long_words_of_the_broker_are_cut(void **state)
{
    static const char half[] = "\xd0\x96";
    char words[301];
    mqtt_event e;

    (void)state;
    memset(&e, 0, sizeof e);
    e.reason = MQTT_REASON_QUOTA;
    assert_string_equal(mqtt_closed_text(&e), mqtt_reason_text(MQTT_REASON_QUOTA));
    words[0] = 'a';
    for (size_t i = 1; i < sizeof words; i += 2) {
        memcpy(words + i, half, 2);
    }
    e.text.ptr = words;
    e.text.len = sizeof words;
    assert_true(mqtt_is_text((avito_str){mqtt_closed_text(&e), strlen(mqtt_closed_text(&e))}));
    assert_true(strlen(mqtt_closed_text(&e)) < 200);
}

static void test_closed_by_the_broker(void **state)
{
    mqtt_event e;

    (void)state;
    connect_client();
    assert_int_equal(FEED("\xe0\x01\x8e", &e), MQTT_OK);
    assert_int_equal(e.kind, MQTT_CLOSED);
    assert_int_equal(e.reason, MQTT_REASON_TAKEN_OVER);
    assert_false(mqtt_is_connected(&client));
    assert_int_equal(FEED("\xd0\x00", &e), MQTT_ERR_PROTOCOL); /* nothing may follow */
}

static const struct bad_packet {
    const char *what, *bytes;
    size_t len;
    int result;
} bad_packets[] = {
#define BAD(what, bytes, result)                                                                   \
    {                                                                                              \
        what, bytes, sizeof(bytes) - 1, result                                                     \
    }
    BAD("second CONNACK", CONNACK, MQTT_ERR_PROTOCOL),
    BAD("type 0", "\x00\x00", MQTT_ERR_PROTOCOL),
    BAD("CONNECT from a broker", "\x10\x00", MQTT_ERR_PROTOCOL),
    BAD("AUTH", "\xf0\x00", MQTT_ERR_PROTOCOL),
    BAD("flags of PUBACK", "\x41\x02\x00\x01", MQTT_ERR_MALFORMED),
    BAD("QoS 3",
        "\x36\x05\x00\x01"
        "a\x00\x01",
        MQTT_ERR_PROTOCOL),
    BAD("QoS 2",
        "\x34\x06\x00\x01"
        "a\x00\x01\x00",
        MQTT_ERR_PROTOCOL),
    BAD("packet id 0",
        "\x32\x06\x00\x01"
        "a\x00\x00\x00",
        MQTT_ERR_MALFORMED),
    BAD("topic cut",
        "\x30\x03\x00\x02"
        "a",
        MQTT_ERR_MALFORMED),
    BAD("no topic", "\x30\x03\x00\x00\x00", MQTT_ERR_MALFORMED),
    BAD("topic with NUL",
        "\x30\x05\x00\x02"
        "a\x00\x00",
        MQTT_ERR_MALFORMED),
    BAD("topic with a surrogate", "\x30\x06\x00\x03\xed\xa0\x80\x00", MQTT_ERR_MALFORMED),
    BAD("topic alias",
        "\x30\x07\x00\x01"
        "a\x03\x23\x00\x01",
        MQTT_ERR_MALFORMED),
    BAD("property twice",
        "\x30\x0c\x00\x01"
        "a\x08\x08\x00\x01r\x08\x00\x01r",
        MQTT_ERR_MALFORMED),
    BAD("property of another packet",
        "\x30\x09\x00\x01"
        "a\x05\x27\x00\x00\x00\x01",
        MQTT_ERR_MALFORMED),
    BAD("properties longer than the packet",
        "\x30\x04\x00\x01"
        "a\x09",
        MQTT_ERR_MALFORMED),
    BAD("property cut",
        "\x30\x06\x00\x01"
        "a\x02\x08\x00",
        MQTT_ERR_MALFORMED),
    BAD("SUBACK of nothing", "\x90\x04\x00\x07\x00\x00", MQTT_ERR_PROTOCOL),
    BAD("PUBACK of nothing", "\x40\x02\x00\x07", MQTT_ERR_PROTOCOL),
    BAD("PUBACK of id 0", "\x40\x02\x00\x00", MQTT_ERR_PROTOCOL),
    BAD("bytes after PUBACK", "\x40\x05\x00\x01\x00\x00\x00", MQTT_ERR_MALFORMED),
    BAD("PINGRESP with content", "\xd0\x01\x00", MQTT_ERR_MALFORMED),
    BAD("length in five bytes", "\x30\x80\x80\x80\x80\x01", MQTT_ERR_MALFORMED),
    BAD("length with a useless byte", "\xd0\x80\x00", MQTT_ERR_MALFORMED),
    BAD("larger than allowed", "\x30\xff\x01", MQTT_ERR_TOO_LARGE),
    BAD("DISCONNECT with more", "\xe0\x03\x00\x00\x00", MQTT_ERR_MALFORMED),
};

static void test_bad_packets(void **state)
{
    mqtt_event e;

    (void)state;
    for (size_t i = 0; i < sizeof bad_packets / sizeof *bad_packets; i++) {
        connect_client();
        if (feed(bad_packets[i].bytes, bad_packets[i].len, &e) != bad_packets[i].result) {
            fail_msg("%s", bad_packets[i].what);
        }
        assert_false(mqtt_is_connected(&client));
    }
}

static void test_every_split(void **state)
{
    static const char stream[] = CONNACK "\x31\x0a\x00\x01"
                                         "a\x05\x0b\x80\x01\x01\x01p"
                                         "\xd0\x00"
                                         "\x32\x07\x00\x01"
                                         "b\x00\x03\x00q"
                                         "\xe0\x00";
    mqtt_options o = options();
    size_t cut;

    (void)state;
    for (cut = 1; cut < sizeof stream - 1; cut++) {
        int seen[MQTT_CLOSED + 1] = {0};
        size_t from = 0;

        begin_with(&o);
        while (from < sizeof stream - 1) {
            const size_t n = sizeof stream - 1 - from < cut ? sizeof stream - 1 - from : cut;
            mqtt_event e;
            int rc = feed(stream + from, n, &e);

            from += n;
            while (rc == MQTT_OK && e.kind != MQTT_NOTHING) {
                seen[e.kind]++;
                rc = mqtt_next(&client, &e);
            }
            assert_int_equal(rc, MQTT_OK);
        }
        assert_int_equal(seen[MQTT_CONNECTED], 1);
        assert_int_equal(seen[MQTT_MESSAGE], 2);
        assert_int_equal(seen[MQTT_CLOSED], 1);
    }
}

static void test_what_is_gone_takes_nothing(void **state)
{
    mqtt_publication p;
    const void *data;

    (void)state;
    memset(&p, 0, sizeof p);
    p.topic = "a";
    p.qos = 1;
    connect_client();
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_OK);
    mqtt_end(&client);
    assert_false(mqtt_is_connected(&client));
    assert_int_equal(mqtt_output(&client, &data), 0);
    assert_int_equal(mqtt_publish(&client, &p, NULL), MQTT_ERR_ARGUMENT);
}

static void test_texts(void **state)
{
    int reason, result;

    (void)state;
    for (reason = 0; reason < 256; reason++) {
        assert_true(strlen(mqtt_reason_text((uint8_t)reason)) > 3);
    }
    for (result = MQTT_AGAIN; result >= MQTT_ERR_NO_ANSWER; result--) {
        assert_string_not_equal(mqtt_result_text(result), "unknown result");
    }
    assert_string_equal(mqtt_result_text(-99), "unknown result");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect_is_written),
        cmocka_unit_test(test_options_are_checked),
        cmocka_unit_test(test_publish_and_its_answers),
        cmocka_unit_test(test_publish_refuses),
        cmocka_unit_test(test_no_room_is_later),
        cmocka_unit_test(test_no_puback_is_lost),
        cmocka_unit_test(test_the_window_is_kept),
        cmocka_unit_test(test_subscribe_and_messages),
        cmocka_unit_test(test_filters_are_checked),
        cmocka_unit_test(test_more_than_receive_maximum),
        cmocka_unit_test(test_what_is_too_large_is_named_and_skipped),
        cmocka_unit_test(test_what_is_too_large_comes_whole_in_more_memory),
        cmocka_unit_test(test_ids_in_use_are_skipped),
        cmocka_unit_test(test_what_the_broker_can_do),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_long_words_of_the_broker_are_cut),
        cmocka_unit_test(test_a_broker_cannot_stop_the_pings),
        cmocka_unit_test(test_a_slow_line_is_not_silent),
        cmocka_unit_test(test_properties_that_are_too_large_stay_unread),
        cmocka_unit_test(test_old_brokers_are_named),
        cmocka_unit_test(test_closed_by_the_broker),
        cmocka_unit_test(test_bad_packets),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_what_is_gone_takes_nothing),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
