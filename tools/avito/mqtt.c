/* mqtt.c - MQTT 5.0 packets: written from arguments, read strictly. See mqtt.h. */
#include "mqtt.h"

#include <stdio.h>
#include <string.h>

enum { STATE_IDLE, STATE_CONNECTING, STATE_CONNECTED, STATE_CLOSED };

/* Packet types: section 2.1.2, in the upper four bits of a packet's first byte. */
enum {
    CONNECT = 1,
    CONNACK = 2,
    PUBLISH = 3,
    PUBACK = 4,
    SUBSCRIBE = 8,
    SUBACK = 9,
    UNSUBSCRIBE = 10,
    UNSUBACK = 11,
    PINGREQ = 12,
    PINGRESP = 13,
    DISCONNECT = 14
};

/* ---- writing ----
 *
 * A packet is written twice by a function of its arguments: first without memory, to find its
 * length. */

struct writer {
    uint8_t *to; /* NULL: only counts */
    size_t len;
};

static void put_bytes(struct writer *w, const void *data, size_t len)
{
    if (w->to != NULL && len > 0) {
        memcpy(w->to + w->len, data, len);
    }
    w->len += len;
}

static void put_8(struct writer *w, unsigned value)
{
    const uint8_t byte = (uint8_t)value;

    put_bytes(w, &byte, 1);
}

static void put_16(struct writer *w, unsigned value)
{
    put_8(w, value >> 8);
    put_8(w, value & 0xff);
}

static void put_32(struct writer *w, uint32_t value)
{
    put_16(w, value >> 16);
    put_16(w, value & 0xffff);
}

/* A variable byte integer: section 1.5.5. */
static void put_length(struct writer *w, size_t value)
{
    for (; value >= 0x80; value >>= 7) {
        put_8(w, (unsigned)(value & 0x7f) | 0x80);
    }
    put_8(w, (unsigned)value);
}

static void put_data(struct writer *w, const void *data, size_t len)
{
    put_16(w, (unsigned)len);
    put_bytes(w, data, len);
}

static void put_text(struct writer *w, const char *text)
{
    put_data(w, text, strlen(text));
}

/* Properties begin with their length, so they are written twice, too. */
static void put_properties(struct writer *w, void (*write)(struct writer *, const void *),
                           const void *from)
{
    struct writer count = {NULL, 0};

    write(&count, from);
    put_length(w, count.len);
    write(w, from);
}

static void no_properties(struct writer *w, const void *from)
{
    (void)w;
    (void)from;
}

static void publication_properties(struct writer *w, const void *from)
{
    const mqtt_publication *p = from;

    if (p->correlation.ptr != NULL) {
        put_8(w, 0x09);
        put_data(w, p->correlation.ptr, p->correlation.len);
    }
    for (size_t i = 0; i < p->pairs_count; i++) {
        put_8(w, 0x26);
        put_text(w, p->pairs[i].name);
        put_text(w, p->pairs[i].value);
    }
}

static void connect_properties(struct writer *w, const void *from)
{
    const mqtt *c = from;

    put_8(w, 0x11); /* Session Expiry Interval */
    put_32(w, c->o.session_expiry_s);
    put_8(w, 0x21); /* Receive Maximum */
    put_16(w, c->o.receive_maximum);
    if (!c->o.any_size) {
        put_8(w, 0x27); /* Maximum Packet Size */
        put_32(w, c->o.in_cap < UINT32_MAX ? (uint32_t)c->o.in_cap : UINT32_MAX);
    }
}

static unsigned connect_flags(const mqtt *c)
{
    const mqtt_publication *will = c->o.will;
    unsigned flags = c->o.clean_start ? 0x02 : 0;

    if (will != NULL) {
        flags |= 0x04u | (unsigned)will->qos << 3 | (will->retain ? 0x20u : 0);
    }
    return flags | (c->o.user != NULL ? 0x80u : 0) | (c->o.password != NULL ? 0x40u : 0);
}

/* What follows the fixed header of CONNECT: section 3.1. */
static void connect_body(struct writer *w, const void *from)
{
    const mqtt *c = from;
    const mqtt_publication *will = c->o.will;

    put_text(w, "MQTT");
    put_8(w, 5);
    put_8(w, connect_flags(c));
    put_16(w, c->o.keep_alive_s);
    put_properties(w, connect_properties, c);
    put_text(w, c->o.client_id);
    if (will != NULL) {
        put_properties(w, publication_properties, will);
        put_text(w, will->topic);
        put_data(w, will->payload.ptr, will->payload.len);
    }
    if (c->o.user != NULL) {
        put_text(w, c->o.user);
    }
    if (c->o.password != NULL) {
        put_text(w, c->o.password);
    }
}

struct publish_arguments {
    const mqtt_publication *what;
    uint16_t id;
};

static void publish_body(struct writer *w, const void *from)
{
    const struct publish_arguments *a = from;

    put_text(w, a->what->topic);
    if (a->what->qos > 0) {
        put_16(w, a->id);
    }
    put_properties(w, publication_properties, a->what);
    put_bytes(w, a->what->payload.ptr, a->what->payload.len);
}

struct filter_arguments {
    const mqtt_filter *filters;
    size_t count;
    uint16_t id;
    bool options; /* only SUBSCRIBE has them */
};

static void filter_body(struct writer *w, const void *from)
{
    const struct filter_arguments *a = from;

    put_16(w, a->id);
    put_properties(w, no_properties, NULL);
    for (size_t i = 0; i < a->count; i++) {
        put_text(w, a->filters[i].filter);
        if (a->options) {
            put_8(w, (unsigned)a->filters[i].qos | (a->filters[i].retain_as_published ? 0x08u : 0) |
                         (unsigned)a->filters[i].retain_handling << 4);
        }
    }
}

struct answer_arguments {
    uint16_t id; /* 0: DISCONNECT, which has none */
    uint8_t reason;
};

static void answer_body(struct writer *w, const void *from)
{
    const struct answer_arguments *a = from;

    if (a->id != 0) {
        put_16(w, a->id);
    }
    put_8(w, a->reason);
    put_properties(w, no_properties, NULL);
}

static void empty_body(struct writer *w, const void *from)
{
    (void)w;
    (void)from;
}

/* Room for `size` bytes after those still to be sent; NULL: not now. */
static uint8_t *out_room(mqtt *c, size_t size)
{
    uint8_t *out = c->o.out;

    if (c->priv.out_at > 0) {
        memmove(out, out + c->priv.out_at, c->priv.out_len - c->priv.out_at);
        c->priv.out_len -= c->priv.out_at;
        c->priv.out_at = 0;
    }
    return size <= c->o.out_cap - c->priv.out_len ? out + c->priv.out_len : NULL;
}

static int write_packet(mqtt *c, unsigned first, void (*body)(struct writer *, const void *),
                        const void *from)
{
    struct writer count = {NULL, 0}, w = {NULL, 0};
    size_t size;

    body(&count, from);
    put_length(&w, count.len);
    size = 1 + w.len + count.len;
    if (size > c->o.out_cap || (c->priv.broker_packet > 0 && size > c->priv.broker_packet) ||
        count.len > 268435455u) {
        return MQTT_ERR_SIZE;
    }
    w.to = out_room(c, size);
    if (w.to == NULL) {
        return MQTT_AGAIN;
    }
    w.len = 0;
    put_8(&w, first);
    put_length(&w, count.len);
    body(&w, from);
    c->priv.out_len += w.len;
    return MQTT_OK;
}

/* ---- what may be written ---- */

/* The length of a well-formed UTF-8 sequence at p, of at most n bytes; 0: none. NUL is none. */
static size_t utf8_sequence(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t first, last, length, low, high; /* of the lead byte, and of the byte after it */
    } rows[] = {
        {0x01, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
        {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
        {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f}};
    size_t row = 0, i;

    while (row < sizeof rows / sizeof *rows && p[0] > rows[row].last) {
        row++;
    }
    if (row == sizeof rows / sizeof *rows || p[0] < rows[row].first || rows[row].length > n) {
        return 0;
    }
    if (rows[row].length > 1 && (p[1] < rows[row].low || p[1] > rows[row].high)) {
        return 0;
    }
    for (i = 2; i < rows[row].length; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return rows[row].length;
}

static bool is_utf8(const char *text, size_t len)
{
    size_t at = 0, n;

    while (at < len && (n = utf8_sequence((const uint8_t *)text + at, len - at)) > 0) {
        at += n;
    }
    return at == len;
}

bool mqtt_is_text(avito_str text)
{
    return is_utf8(text.ptr, text.len);
}

static bool is_text(const char *text)
{
    return text != NULL && strlen(text) <= 65535 && is_utf8(text, strlen(text));
}

static bool is_topic(const char *topic)
{
    return is_text(topic) && topic[0] != '\0' && strpbrk(topic, "+#") == NULL;
}

static bool is_publication(const mqtt_publication *p)
{
    bool ok = p != NULL && is_topic(p->topic) && (p->qos == 0 || p->qos == 1) &&
              (p->payload.ptr != NULL || p->payload.len == 0) && p->correlation.len <= 65535;

    for (size_t i = 0; ok && i < p->pairs_count; i++) {
        ok = is_text(p->pairs[i].name) && is_text(p->pairs[i].value);
    }
    return ok;
}

/* ---- ids of packets that wait for an answer ---- */

static struct mqtt_waiting *waiting_for(mqtt *c, uint16_t id)
{
    for (size_t i = 0; i < MQTT_WINDOW; i++) {
        if (c->priv.waiting[i].id == id) {
            return &c->priv.waiting[i];
        }
    }
    return NULL;
}

static size_t publications_waiting(const mqtt *c)
{
    size_t count = 0;

    for (size_t i = 0; i < MQTT_WINDOW; i++) {
        count += c->priv.waiting[i].id != 0 && c->priv.waiting[i].answer == PUBACK;
    }
    return count;
}

static uint16_t unused_id(mqtt *c)
{
    uint16_t id = c->priv.last_id;

    do {
        id = (uint16_t)(id == 65535 ? 1 : id + 1);
    } while (waiting_for(c, id) != NULL);
    return id;
}

/* Writes a packet that the broker answers with a packet of type `answer`, and notes its id. */
static int write_awaited(mqtt *c, unsigned first, void (*body)(struct writer *, const void *),
                         const void *from, uint16_t id, uint8_t answer)
{
    struct mqtt_waiting *slot = waiting_for(c, 0);
    int rc;

    if (slot == NULL) {
        return MQTT_AGAIN;
    }
    rc = write_packet(c, first, body, from);
    if (rc == MQTT_OK) {
        slot->id = id;
        slot->answer = answer;
        c->priv.last_id = id;
    }
    return rc;
}

/* ---- the interface: packets out ---- */

static bool are_credentials(const mqtt_options *o)
{
    return is_text(o->client_id) && o->client_id[0] != '\0' &&
           (o->user == NULL || is_text(o->user)) &&
           (o->password == NULL || strlen(o->password) <= 65535);
}

static bool is_will(const mqtt_publication *will)
{
    return will == NULL || (is_publication(will) && will->payload.len <= 65535);
}

int mqtt_init(mqtt *c, const mqtt_options *o)
{
    if (c == NULL || o == NULL || o->in == NULL || o->out == NULL || !are_credentials(o) ||
        !is_will(o->will)) {
        return MQTT_ERR_ARGUMENT;
    }
    memset(c, 0, sizeof *c);
    c->o = *o;
    c->o.keep_alive_s = o->keep_alive_s != 0 ? o->keep_alive_s : 15;
    c->o.pong_ms = o->pong_ms != 0 ? o->pong_ms : 10000;
    c->o.receive_maximum = o->receive_maximum != 0 ? o->receive_maximum : MQTT_WINDOW;
    return MQTT_OK;
}

int mqtt_begin(mqtt *c, uint32_t now_ms)
{
    const uint16_t last_id = c->priv.last_id;
    int rc;

    memset(&c->priv, 0, sizeof c->priv);
    c->priv.last_id = last_id;
    c->priv.broker_window = MQTT_WINDOW;
    c->priv.keep_alive_s = c->o.keep_alive_s;
    c->priv.said_ms = now_ms;
    rc = write_packet(c, CONNECT << 4, connect_body, c);
    c->priv.state = rc == MQTT_OK ? STATE_CONNECTING : STATE_CLOSED;
    return rc;
}

void mqtt_end(mqtt *c)
{
    c->priv.state = STATE_CLOSED;
    c->priv.out_at = c->priv.out_len = c->priv.late_id = 0;
}

bool mqtt_is_connected(const mqtt *c)
{
    return c->priv.state == STATE_CONNECTED;
}

size_t mqtt_output(const mqtt *c, const void **data)
{
    *data = (const uint8_t *)c->o.out + c->priv.out_at;
    return c->priv.out_len - c->priv.out_at;
}

void mqtt_sent(mqtt *c, size_t len, uint32_t now_ms)
{
    c->priv.out_at += len;
    c->priv.said_ms = now_ms;
    if (c->priv.out_at == c->priv.out_len) {
        c->priv.out_at = c->priv.out_len = 0;
    }
}

int mqtt_publish(mqtt *c, const mqtt_publication *what, uint16_t *packet_id)
{
    struct publish_arguments a;
    unsigned first;
    int rc;

    if (!mqtt_is_connected(c) || !is_publication(what) || (what->qos > 0 && c->priv.no_qos1) ||
        (what->retain && c->priv.no_retain)) {
        return MQTT_ERR_ARGUMENT;
    }
    a.what = what;
    a.id = 0;
    first = PUBLISH << 4 | (unsigned)what->qos << 1 | (what->retain ? 1u : 0);
    if (what->qos == 0) {
        return write_packet(c, first, publish_body, &a);
    }
    if (publications_waiting(c) >= c->priv.broker_window) {
        return MQTT_AGAIN;
    }
    a.id = unused_id(c);
    rc = write_awaited(c, first, publish_body, &a, a.id, PUBACK);
    if (rc == MQTT_OK && packet_id != NULL) {
        *packet_id = a.id;
    }
    return rc;
}

int mqtt_acknowledge(mqtt *c, uint16_t packet_id, uint8_t reason)
{
    const struct answer_arguments a = {packet_id, reason};
    int rc;

    if (!mqtt_is_connected(c) || packet_id == 0 || c->priv.unacknowledged == 0) {
        return MQTT_ERR_ARGUMENT;
    }
    rc = write_packet(c, PUBACK << 4, answer_body, &a);
    if (rc == MQTT_AGAIN && c->priv.late_id == 0) {
        c->priv.late_id = packet_id;
        c->priv.late_reason = reason;
        rc = MQTT_OK;
    }
    if (rc == MQTT_OK) {
        c->priv.unacknowledged--;
    }
    return rc;
}

/* False: the PUBACK that found no room finds none yet. */
static bool write_late(mqtt *c)
{
    const struct answer_arguments a = {c->priv.late_id, c->priv.late_reason};

    if (a.id != 0 && write_packet(c, PUBACK << 4, answer_body, &a) == MQTT_AGAIN) {
        return false;
    }
    c->priv.late_id = 0;
    return true;
}

static int write_filters(mqtt *c, unsigned type, const mqtt_filter *filters, size_t count,
                         uint16_t *packet_id)
{
    struct filter_arguments a;
    int rc;

    if (!mqtt_is_connected(c) || filters == NULL || count == 0) {
        return MQTT_ERR_ARGUMENT;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_text(filters[i].filter) || filters[i].filter[0] == '\0' || filters[i].qos < 0 ||
            filters[i].qos > 1 || filters[i].retain_handling < 0 ||
            filters[i].retain_handling > 2) {
            return MQTT_ERR_ARGUMENT;
        }
    }
    a.filters = filters;
    a.count = count;
    a.id = unused_id(c);
    a.options = type == SUBSCRIBE;
    rc = write_awaited(c, type << 4 | 0x02, filter_body, &a, a.id,
                       type == SUBSCRIBE ? SUBACK : UNSUBACK);
    if (rc == MQTT_OK && packet_id != NULL) {
        *packet_id = a.id;
    }
    return rc;
}

int mqtt_subscribe(mqtt *c, const mqtt_filter *filters, size_t count, uint16_t *packet_id)
{
    return write_filters(c, SUBSCRIBE, filters, count, packet_id);
}

int mqtt_unsubscribe(mqtt *c, const mqtt_filter *filters, size_t count, uint16_t *packet_id)
{
    return write_filters(c, UNSUBSCRIBE, filters, count, packet_id);
}

int mqtt_disconnect(mqtt *c, uint8_t reason)
{
    const struct answer_arguments a = {0, reason};
    int rc;

    if (!mqtt_is_connected(c)) {
        return MQTT_ERR_ARGUMENT;
    }
    rc = write_packet(c, DISCONNECT << 4, answer_body, &a);
    if (rc == MQTT_OK) {
        c->priv.state = STATE_CLOSED;
    }
    return rc;
}

/* ---- the keep alive ---- */

static uint32_t ping_after_ms(const mqtt *c)
{
    const uint32_t half = c->priv.keep_alive_s * 500u;

    return c->o.ping_ms != 0 && c->o.ping_ms < half ? c->o.ping_ms : half;
}

uint32_t mqtt_deadline_ms(const mqtt *c, uint32_t now_ms)
{
    const uint32_t since = now_ms - (c->priv.asked ? c->priv.asked_ms : c->priv.said_ms);
    const uint32_t after = c->priv.asked ? c->o.pong_ms : ping_after_ms(c);

    if (c->priv.state != STATE_CONNECTED) {
        return UINT32_MAX;
    }
    return since < after ? after - since : 0;
}

int mqtt_tick(mqtt *c, uint32_t now_ms)
{
    int rc;

    if (mqtt_deadline_ms(c, now_ms) > 0) {
        return MQTT_OK;
    }
    if (c->priv.asked) {
        return MQTT_ERR_SILENT;
    }
    rc = write_packet(c, PINGREQ << 4, empty_body, NULL);
    if (rc == MQTT_OK) {
        c->priv.asked = true;
        c->priv.asked_ms = c->priv.said_ms = now_ms;
    }
    return rc;
}

/* ---- reading ---- */

struct reader {
    const uint8_t *at, *end;
    bool bad; /* something was missing: everything read since is invalid */
};

static uint32_t get_number(struct reader *r, size_t size)
{
    uint32_t value = 0;

    if ((size_t)(r->end - r->at) < size) {
        r->bad = true;
        return 0;
    }
    for (; size > 0; size--) {
        value = value << 8 | *r->at++;
    }
    return value;
}

static uint32_t get_length(struct reader *r)
{
    uint32_t value = 0;
    unsigned shift = 0, byte;

    do {
        byte = get_number(r, 1);
        value |= (uint32_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte >= 0x80 && shift < 28 && !r->bad);
    r->bad = r->bad || byte >= 0x80 || (byte == 0 && shift > 7);
    return value;
}

static avito_str get_bytes(struct reader *r, size_t len)
{
    avito_str s = {NULL, 0};

    if ((size_t)(r->end - r->at) < len) {
        r->bad = true;
        return s;
    }
    s.ptr = (const char *)r->at;
    s.len = len;
    r->at += len;
    return s;
}

static avito_str get_data(struct reader *r)
{
    return get_bytes(r, get_number(r, 2));
}

static avito_str get_text(struct reader *r)
{
    const avito_str s = get_data(r);

    r->bad = r->bad || !is_utf8(s.ptr, s.len);
    return s;
}

/* Properties: section 2.2.2.2. `in` lists the broker's packets in which one is allowed. */
enum { IN_CONNACK = 1, IN_PUBLISH = 2, IN_ACK = 4, IN_DISCONNECT = 8 };
enum property_type { BYTE, TWO, FOUR, VARIABLE, TEXT, DATA, PAIR };

static const struct property {
    uint8_t id, type, in;
} properties[] = {
    {0x01, BYTE, IN_PUBLISH},                                       /* Payload Format Indicator */
    {0x02, FOUR, IN_PUBLISH},                                       /* Message Expiry Interval */
    {0x03, TEXT, IN_PUBLISH},                                       /* Content Type */
    {0x08, TEXT, IN_PUBLISH},                                       /* Response Topic */
    {0x09, DATA, IN_PUBLISH},                                       /* Correlation Data */
    {0x0b, VARIABLE, IN_PUBLISH},                                   /* Subscription Identifier */
    {0x11, FOUR, IN_CONNACK},                                       /* Session Expiry Interval */
    {0x12, TEXT, IN_CONNACK},                                       /* Assigned Client Identifier */
    {0x13, TWO, IN_CONNACK},                                        /* Server Keep Alive */
    {0x15, TEXT, IN_CONNACK},                                       /* Authentication Method */
    {0x16, DATA, IN_CONNACK},                                       /* Authentication Data */
    {0x1a, TEXT, IN_CONNACK},                                       /* Response Information */
    {0x1c, TEXT, IN_CONNACK | IN_DISCONNECT},                       /* Server Reference */
    {0x1f, TEXT, IN_CONNACK | IN_ACK | IN_DISCONNECT},              /* Reason String */
    {0x21, TWO, IN_CONNACK},                                        /* Receive Maximum */
    {0x22, TWO, IN_CONNACK},                                        /* Topic Alias Maximum */
    {0x24, BYTE, IN_CONNACK},                                       /* Maximum QoS */
    {0x25, BYTE, IN_CONNACK},                                       /* Retain Available */
    {0x26, PAIR, IN_CONNACK | IN_PUBLISH | IN_ACK | IN_DISCONNECT}, /* User Property */
    {0x27, FOUR, IN_CONNACK},                                       /* Maximum Packet Size */
    {0x28, BYTE, IN_CONNACK}, /* Wildcard Subscription Available */
    {0x29, BYTE, IN_CONNACK}, /* Subscription Identifier Available */
    {0x2a, BYTE, IN_CONNACK}, /* Shared Subscription Available */
};

/* Reads one property: its value as a number or as text; for a pair also its `name`. */
struct value {
    uint8_t id;
    uint32_t number;
    avito_str name, text;
};

static const struct property *property_of(uint32_t id, int in)
{
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++) {
        if (properties[i].id == id && (properties[i].in & in) != 0) {
            return &properties[i];
        }
    }
    return NULL; /* Topic Alias (0x23) too: the broker was told that we know none */
}

static struct value get_property(struct reader *r, int in)
{
    const struct property *p = property_of(get_length(r), in);
    struct value v;

    memset(&v, 0, sizeof v);
    if (p == NULL) {
        r->bad = true;
        return v;
    }
    v.id = p->id;
    switch ((enum property_type)p->type) {
        case BYTE:
            v.number = get_number(r, 1);
            break;
        case TWO:
            v.number = get_number(r, 2);
            break;
        case FOUR:
            v.number = get_number(r, 4);
            break;
        case VARIABLE:
            v.number = get_length(r);
            break;
        case TEXT:
            v.text = get_text(r);
            break;
        case DATA:
            v.text = get_data(r);
            break;
        case PAIR:
            v.name = get_text(r);
            v.text = get_text(r);
            break;
    }
    return v;
}

/* Hands each property up to the reader's end to `take`. One that may stand once and comes twice is
 * bad. */
static void walk_properties(struct reader *r, int in, void (*take)(void *, const struct value *),
                            void *to)
{
    uint64_t seen = 0;

    while (!r->bad && r->at < r->end) {
        const struct value v = get_property(r, in);
        const uint64_t bit = (uint64_t)1 << v.id;

        r->bad = r->bad || ((seen & bit) != 0 && v.id != 0x26 && v.id != 0x0b);
        seen |= bit;
        if (!r->bad) {
            take(to, &v);
        }
    }
}

/* Reads the length of the properties and then them. The result is their bytes. */
static avito_str get_properties(struct reader *r, int in,
                                void (*take)(void *, const struct value *), void *to)
{
    const avito_str all = get_bytes(r, get_length(r));
    struct reader each = {(const uint8_t *)all.ptr, NULL, r->bad};

    each.end = each.at + all.len;
    walk_properties(&each, in, take, to);
    r->bad = each.bad;
    return all;
}

/* ---- packets of the broker ---- */

struct reading {
    mqtt *client;
    mqtt_event *event;
};

/* Notes the broker's limits from the properties of CONNACK. */
static void take_connack(void *to, const struct value *v)
{
    struct reading *reading = to;
    mqtt *c = reading->client;

    switch (v->id) {
        case 0x11:
            reading->event->session_expiry_s = v->number;
            break;
        case 0x13: /* 0: it takes any silence; ours still notices one of the broker */
            if (v->number > 0 && v->number < c->priv.keep_alive_s) {
                c->priv.keep_alive_s = (uint16_t)v->number;
            }
            break;
        case 0x1f:
            reading->event->text = v->text;
            break;
        case 0x21:
            c->priv.broker_window = (uint16_t)(v->number < MQTT_WINDOW ? v->number : MQTT_WINDOW);
            break;
        case 0x24:
            c->priv.no_qos1 = v->number == 0;
            break;
        case 0x25:
            c->priv.no_retain = v->number == 0;
            break;
        case 0x27:
            c->priv.broker_packet = v->number;
            break;
        default:
            break;
    }
}

static int read_connack(mqtt *c, struct reader *r, mqtt_event *e)
{
    struct reading reading = {c, e};
    uint32_t flags;

    if (c->priv.state != STATE_CONNECTING) {
        return MQTT_ERR_PROTOCOL;
    }
    if (r->end - r->at == 2) {
        return MQTT_ERR_VERSION; /* without properties it is the CONNACK of 3.1.1 */
    }
    flags = get_number(r, 1);
    e->reason = (uint8_t)get_number(r, 1);
    e->session_expiry_s = c->o.session_expiry_s;
    get_properties(r, IN_CONNACK, take_connack, &reading);
    if (r->bad || flags > 1) {
        return MQTT_ERR_MALFORMED;
    }
    if (c->priv.broker_window == 0 || (e->reason != 0 && flags != 0)) {
        return MQTT_ERR_PROTOCOL;
    }
    e->session_present = flags == 1;
    e->no_retain = c->priv.no_retain;
    e->no_qos1 = c->priv.no_qos1;
    e->kind = e->reason < 0x80 ? MQTT_CONNECTED : MQTT_CLOSED;
    c->priv.state = e->reason < 0x80 ? STATE_CONNECTED : STATE_CLOSED;
    return e->reason == MQTT_REASON_VERSION ? MQTT_ERR_VERSION : MQTT_OK;
}

static void take_publish(void *to, const struct value *v)
{
    mqtt_message *m = &((struct reading *)to)->event->message;

    if (v->id == 0x02) {
        m->expiry_s = v->number;
    } else if (v->id == 0x08) {
        m->response_topic = v->text;
    } else if (v->id == 0x09) {
        m->correlation = v->text;
    }
}

/* Properties that the memory cannot hold stay unread, and count as payload. */
static bool are_too_large(struct reader r, size_t beyond)
{
    const size_t len = get_length(&r), here = (size_t)(r.end - r.at);

    return !r.bad && len > here && len - here <= beyond;
}

/* Everything except the payload, which need not have come yet: `beyond` bytes of the packet have not. */
static int read_publish_head(mqtt *c, struct reader *r, mqtt_event *e, unsigned flags,
                             size_t beyond)
{
    struct reading reading = {c, e};
    mqtt_message *m = &e->message;

    m->retain = (flags & 1) != 0;
    m->qos = (int)(flags >> 1 & 3);
    m->dup = (flags & 8) != 0;
    m->expiry_s = UINT32_MAX;
    if (m->qos > 1) {
        return MQTT_ERR_PROTOCOL; /* nothing is subscribed with QoS 2 */
    }
    m->topic = get_text(r);
    m->packet_id = m->qos > 0 ? (uint16_t)get_number(r, 2) : 0;
    if (!are_too_large(*r, beyond)) {
        m->properties = get_properties(r, IN_PUBLISH, take_publish, &reading);
    }
    if (r->bad || m->topic.len == 0 || (m->qos > 0 && m->packet_id == 0)) {
        return MQTT_ERR_MALFORMED;
    }
    if (m->qos > 0 && c->priv.unacknowledged == UINT16_MAX) {
        return MQTT_ERR_PROTOCOL; /* there are no more packet identifiers */
    }
    c->priv.unacknowledged = (uint16_t)(c->priv.unacknowledged + m->qos);
    return MQTT_OK;
}

static int read_publish(mqtt *c, struct reader *r, mqtt_event *e, unsigned flags)
{
    const int rc = read_publish_head(c, r, e, flags, 0);

    if (rc == MQTT_OK) {
        e->message.payload = get_bytes(r, (size_t)(r->end - r->at));
        e->kind = MQTT_MESSAGE;
    }
    return rc;
}

static void take_reason(void *to, const struct value *v)
{
    if (v->id == 0x1f) {
        ((struct reading *)to)->event->text = v->text;
    }
}

/* A reason code and properties. Both may be missing, which means success. */
static void read_puback(struct reader *r, struct reading *reading)
{
    if (r->at < r->end) {
        reading->event->reason = (uint8_t)get_number(r, 1);
    }
    if (r->at < r->end) {
        get_properties(r, IN_ACK, take_reason, reading);
    }
}

/* SUBACK and UNSUBACK: properties, and a reason code for each filter, of which the worst counts. */
static void read_suback(struct reader *r, struct reading *reading)
{
    mqtt_event *e = reading->event;

    get_properties(r, IN_ACK, take_reason, reading);
    for (; r->at < r->end && !r->bad; r->at++) {
        e->reason = *r->at > e->reason ? *r->at : e->reason;
    }
}

/* PUBACK, SUBACK or UNSUBACK: it must answer a packet of ours that waits for it. */
static int read_answer(mqtt *c, struct reader *r, mqtt_event *e, uint8_t type)
{
    static const uint8_t kinds[] = {MQTT_ACKNOWLEDGED, MQTT_SUBSCRIBED, MQTT_UNSUBSCRIBED};
    struct reading reading = {c, e};
    struct mqtt_waiting *slot;

    e->packet_id = (uint16_t)get_number(r, 2);
    if (type == PUBACK) {
        read_puback(r, &reading);
    } else {
        read_suback(r, &reading);
    }
    if (r->bad || r->at != r->end) {
        return MQTT_ERR_MALFORMED;
    }
    slot = e->packet_id != 0 ? waiting_for(c, e->packet_id) : NULL;
    if (slot == NULL || slot->answer != type) {
        return MQTT_ERR_PROTOCOL;
    }
    slot->id = 0;
    e->kind = (enum mqtt_event_kind)kinds[type == PUBACK ? 0 : type == SUBACK ? 1 : 2];
    return MQTT_OK;
}

static int read_disconnect(mqtt *c, struct reader *r, mqtt_event *e)
{
    struct reading reading = {c, e};

    e->reason = r->at < r->end ? (uint8_t)get_number(r, 1) : 0;
    if (r->at < r->end) {
        get_properties(r, IN_DISCONNECT, take_reason, &reading);
    }
    if (r->bad || r->at != r->end) {
        return MQTT_ERR_MALFORMED;
    }
    c->priv.state = STATE_CLOSED;
    e->kind = MQTT_CLOSED;
    return MQTT_OK;
}

static int read_pong(mqtt *c, struct reader *r)
{
    if (r->at != r->end) {
        return MQTT_ERR_MALFORMED;
    }
    c->priv.asked = false;
    return MQTT_OK;
}

static int read_packet(mqtt *c, unsigned first, struct reader *r, mqtt_event *e)
{
    const unsigned type = first >> 4, flags = first & 0x0f;

    if (type != PUBLISH && flags != 0) {
        return MQTT_ERR_MALFORMED;
    }
    if (type == CONNACK) {
        return read_connack(c, r, e);
    }
    if (c->priv.state != STATE_CONNECTED) {
        return MQTT_ERR_PROTOCOL;
    }
    switch (type) {
        case PUBLISH:
            return read_publish(c, r, e, flags);
        case PUBACK:
        case SUBACK:
        case UNSUBACK:
            return read_answer(c, r, e, (uint8_t)type);
        case PINGRESP:
            return read_pong(c, r);
        case DISCONNECT:
            return read_disconnect(c, r, e);
        default:
            return MQTT_ERR_PROTOCOL;
    }
}

/* ---- the interface: packets in ---- */

/* The length of the packet that begins at `at`; 0: its head is not whole yet. */
static size_t packet_size(const mqtt *c, const uint8_t *at, int *error)
{
    const size_t have = c->priv.in_len - c->priv.in_at;
    struct reader r = {at + 1, at + have, false};
    size_t head = 1, length;

    while (head < have && head < 5 && at[head] >= 0x80) {
        head++;
    }
    if (head == 5) {
        *error = MQTT_ERR_MALFORMED;
        return 0;
    }
    if (head >= have) {
        return 0;
    }
    length = get_length(&r) + (size_t)(r.at - at);
    *error = r.bad                                                             ? MQTT_ERR_MALFORMED
             : length > c->o.in_cap && !(c->o.any_size && *at >> 4 == PUBLISH) ? MQTT_ERR_TOO_LARGE
                                                                               : MQTT_OK;
    return length;
}

/* A publication fills `in`, which cannot hold it. */
static int read_large(mqtt *c, size_t size, mqtt_event *e)
{
    const uint8_t *in = c->o.in;
    struct reader r = {in + 1, in + c->priv.in_len, false};
    int rc = c->priv.state == STATE_CONNECTED ? MQTT_OK : MQTT_ERR_PROTOCOL;

    get_length(&r);
    rc = rc == MQTT_OK ? read_publish_head(c, &r, e, in[0] & 0x0f, size - c->priv.in_len) : rc;
    if (rc != MQTT_OK) {
        return rc == MQTT_ERR_MALFORMED ? MQTT_ERR_TOO_LARGE : rc;
    }
    e->message.payload.len = size - (size_t)(r.at - in);
    e->needed = c->priv.large = size;
    e->kind = MQTT_LARGE;
    return MQTT_OK;
}

/* The caller gave no more memory for it: its bytes are dropped as they come. */
static void skip_large(mqtt *c)
{
    if (c->priv.large > 0) {
        c->priv.skip = c->priv.large - c->priv.in_len;
        c->priv.in_at = c->priv.in_len = c->priv.large = 0;
    }
}

int mqtt_move_input(mqtt *c, void *memory, size_t cap)
{
    const size_t len = c->priv.in_len - c->priv.in_at;

    if (len > cap) {
        return MQTT_ERR_SIZE;
    }
    memcpy(memory, (const uint8_t *)c->o.in + c->priv.in_at, len);
    c->o.in = memory;
    c->o.in_cap = cap;
    c->priv.in_at = 0;
    c->priv.in_len = len;
    if (c->priv.large > 0 && c->priv.large <= cap) { /* it is read again, now whole */
        c->priv.unacknowledged =
            (uint16_t)(c->priv.unacknowledged - ((*(const uint8_t *)memory >> 1) & 1));
        c->priv.large = 0;
    }
    return MQTT_OK;
}

size_t mqtt_input(mqtt *c, void **data)
{
    uint8_t *in = c->o.in;

    c->priv.in_len -= c->priv.in_at;
    memmove(in, in + c->priv.in_at, c->priv.in_len);
    c->priv.in_at = 0;
    *data = in + c->priv.in_len;
    return c->o.in_cap - c->priv.in_len;
}

void mqtt_received(mqtt *c, size_t len)
{
    uint8_t *from = (uint8_t *)c->o.in + c->priv.in_len;
    const size_t dropped = len < c->priv.skip ? len : c->priv.skip;

    memmove(from, from + dropped, len - dropped);
    c->priv.asked = c->priv.asked && len == 0; /* PINGRESP may stand behind a large packet */
    c->priv.skip -= dropped;
    c->priv.in_len += len - dropped;
}

int mqtt_next(mqtt *c, mqtt_event *e)
{
    int rc = MQTT_OK;

    memset(e, 0, sizeof *e);
    skip_large(c);
    if (!write_late(c)) {
        return MQTT_OK;
    }
    while (rc == MQTT_OK && e->kind == MQTT_NOTHING) {
        const uint8_t *at = (const uint8_t *)c->o.in + c->priv.in_at;
        const size_t size = packet_size(c, at, &rc);
        struct reader r = {at + 1, at + 1, false};

        if (rc == MQTT_OK && size > c->o.in_cap && c->priv.in_len == c->o.in_cap &&
            c->priv.in_at == 0) {
            rc = read_large(c, size, e);
            break;
        }
        if (rc != MQTT_OK || size == 0 || size > c->priv.in_len - c->priv.in_at) {
            break;
        }
        c->priv.in_at += size;
        r.end = at + size;
        get_length(&r);
        rc = read_packet(c, *at, &r, e);
    }
    if (rc != MQTT_OK) {
        c->priv.state = STATE_CLOSED;
    }
    return rc;
}

struct wanted {
    const char *name;
    avito_str value;
};

static void take_wanted(void *to, const struct value *v)
{
    struct wanted *w = to;

    if (v->id == 0x26 && w->value.ptr == NULL && avito_str_equal(v->name, w->name)) {
        w->value = v->text;
    }
}

avito_str mqtt_property(const mqtt_message *message, const char *name)
{
    struct wanted w = {name, {NULL, 0}};
    struct reader r = {(const uint8_t *)message->properties.ptr, NULL, false};

    r.end = r.at + message->properties.len;
    walk_properties(&r, IN_PUBLISH, take_wanted, &w);
    return w.value;
}

/* ---- texts ---- */

const char *mqtt_result_text(int result)
{
    static const sentence texts[] = {
        {"done", "сделано"},
        {"this topic, text or state cannot be sent: see mqtt.h",
         "такую тему, текст или состояние не отправить: см. mqtt.h"},
        {"the packet is larger than the broker or the memory takes: send less",
         "пакет больше, чем принимает брокер или вмещает память: отправьте меньше"},
        {"the broker sent bytes that are no MQTT 5: check host, port and TLS",
         "брокер прислал не MQTT 5: проверьте host, port и TLS"},
        {"the broker sent a packet that must not come now: report it to its makers",
         "брокер прислал пакет не к месту: сообщите его авторам"},
        {"the broker sent a packet larger than the limit it was told: report it to its makers",
         "брокер прислал пакет больше названного ему предела: сообщите его авторам"},
        {"the broker does not answer: the line or the broker is dead",
         "брокер не отвечает: нет связи, или он не работает"},
        {"the broker speaks only MQTT 3.1.1, which acknowledges what it denied: use MQTT 5",
         "брокер знает только MQTT 3.1.1, который подтверждает и отказанное: нужен MQTT 5"},
        {"the connection ended: the line broke, the broker died, or another client has this id",
         "соединение кончилось: обрыв, брокер упал, или этот id взял другой клиент"},
        {"the broker ended the connection before it answered: check port, TLS and MQTT 5",
         "брокер закрыл соединение, не ответив: проверьте порт, TLS и MQTT 5"},
    };

    return result == MQTT_AGAIN ? say(TEXT("no room now: later", "сейчас нет места: позже"))
           : result > 0 || -result >= (int)(sizeof texts / sizeof *texts)
               ? say(TEXT("unknown result", "неизвестный итог"))
               : say(texts[-result]);
}

const char *mqtt_objection(const mqtt_event *e)
{
    return e->no_qos1     ? say(TEXT("the broker takes no QoS 1: a gateway needs it",
                                     "брокер не принимает QoS 1, а шлюзу он нужен"))
           : e->no_retain ? say(TEXT("the broker keeps no retained messages: a gateway needs them",
                                     "брокер не хранит retained-сообщения, а шлюзу они нужны"))
                          : NULL;
}

const char *mqtt_reason_text(uint8_t reason)
{
    static const struct {
        uint8_t reason;
        sentence text;
    } rows[] = {
        {0x00, {"success", "успешно"}},
        {0x04, {"disconnected, with the will", "отключение с завещанием"}},
        {0x10, {"nobody has subscribed", "никто не подписан"}},
        {0x80, {"refused without a reason", "отказано без причины"}},
        {0x81, {"malformed packet", "пакет составлен неверно"}},
        {0x82, {"protocol error", "нарушен протокол"}},
        {0x83, {"refused by the broker's own rules", "отказано по правилам брокера"}},
        {0x84, {"this version of MQTT is not supported", "эта версия MQTT не поддерживается"}},
        {0x85, {"this client id is not allowed", "такой client id не разрешён"}},
        {0x86, {"user or password is wrong", "неверный пользователь или пароль"}},
        {0x87,
         {"not authorized: the broker's access rules forbid it",
          "нет прав: запрещено правилами доступа брокера"}},
        {0x88, {"the broker is not available", "брокер недоступен"}},
        {0x89, {"the broker is busy", "брокер занят"}},
        {0x8a, {"banned", "доступ закрыт"}},
        {0x8b, {"the broker shuts down", "брокер завершает работу"}},
        {0x8d, {"the broker heard nothing in time", "брокер ничего не услышал вовремя"}},
        {0x8e,
         {"another connection took this client id over", "этот client id взяло другое соединение"}},
        {0x8f, {"invalid topic filter", "неверный фильтр тем"}},
        {0x90, {"invalid topic", "неверная тема"}},
        {0x91, {"packet identifier in use", "номер пакета уже занят"}},
        {0x93, {"more publications at once than agreed", "публикаций сразу больше, чем условлено"}},
        {0x95, {"the packet is too large for the broker", "пакет слишком велик для брокера"}},
        {0x97, {"over the broker's quota", "сверх квоты брокера"}},
        {0x98, {"closed by its administrator", "закрыто администратором"}},
        {0x99,
         {"the payload has another format than it says", "содержание не того вида, что указан"}},
        {0x9a, {"the broker keeps no retained messages", "брокер не хранит сообщений"}},
        {0x9b, {"this quality of service is not supported", "этот уровень QoS не поддерживается"}},
        {0x9c, {"use another server", "обратитесь к другому серверу"}},
        {0x9d, {"the server moved", "сервер переехал"}},
        {0x9f, {"too many connections at once", "слишком много соединений сразу"}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].reason == reason) {
            return say(rows[i].text);
        }
    }
    return say(reason < 0x80 ? TEXT("accepted", "принято") : TEXT("refused", "отказано"));
}

/* What a terminal obeys becomes a blank: control characters, also those of two bytes. */
static void make_harmless(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            *c = ' ';
        } else if (c[0] == 0xc2 && c[1] < 0xa0) {
            c[0] = c[1] = ' ';
        }
    }
}

const char *mqtt_closed_text(const mqtt_event *e)
{
    static char text[300];
    size_t len = e->text.len < 150 ? e->text.len : 150;

    while (len < e->text.len && len > 0 && ((unsigned char)e->text.ptr[len] & 0xc0) == 0x80) {
        len--; /* no half of a character */
    }
    snprintf(text, sizeof text, "%s%s%.*s", mqtt_reason_text(e->reason), len > 0 ? ": " : "",
             (int)len, len > 0 ? e->text.ptr : "");
    make_harmless(text);
    return text;
}
