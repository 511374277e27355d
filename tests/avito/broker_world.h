/* broker_world.h - an MQTT 5 broker in memory that speaks bytes: persistent sessions, retained
 * messages, wills, one connection per client id, and lines that are silent for a while and deliver
 * late. The test moves the clock.
 *
 * It keeps what it has acknowledged, even when it is killed. Other clients (strangers) are
 * functions of the test. */
#ifndef TESTS_AVITO_BROKER_WORLD_H
#define TESTS_AVITO_BROKER_WORLD_H

#include "seeded_world.h"
#include "tools/avito/mqtt.h"
#include "topic_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BROKER_SESSIONS 16
#define BROKER_FILTERS  24
#define BROKER_RETAINED 64
#define BROKER_WINDOW   20
#define BROKER_TOPIC    200
#define BROKER_SILENT   22500u /* ms: one and a half times the keep alive */

struct broker_publication {
    unsigned refs;
    char topic[BROKER_TOPIC];
    uint8_t *payload, *properties;
    size_t len, properties_len;
    unsigned qos;
    bool retain;
};

struct broker_item {
    struct broker_item *next;
    struct broker_publication *p;
    uint16_t id; /* 0: it has not left yet */
    bool retain;
};

struct broker_session {
    char id[64];
    bool there, clean;
    struct broker_filter {
        char filter[BROKER_TOPIC];
        unsigned qos;
        bool as_published;
    } filters[BROKER_FILTERS];
    size_t filters_count;
    struct broker_item *queue;
    uint16_t last_id;
    struct broker_line *line; /* NULL: its client is away */
};

/* A connection. Its client and the broker hold one end each. */
struct broker_line {
    struct broker_line *next;
    uint8_t *to_broker, *to_client;
    size_t to_broker_len, to_client_len;
    bool client_gone, closed; /* closed: by the broker */
    uint64_t silent_until_ms, heard_ms;
    struct broker_session *session;
    struct broker_publication *will;
};

static struct {
    bool up;
    struct broker_session sessions[BROKER_SESSIONS];
    struct broker_publication *retained[BROKER_RETAINED];
    struct broker_line *lines;
    /* The strangers' hook: returns how many of them hear it; the PUBACK says `*reason` if that is
     * an error. */
    unsigned (*strangers)(const struct broker_publication *p, uint8_t *reason);
} broker_world;

/* ---- publications ---- */

static struct broker_publication *broker_publication_of(const char *topic, size_t topic_len,
                                                        const uint8_t *properties,
                                                        size_t properties_len, const void *payload,
                                                        size_t len)
{
    struct broker_publication *p = calloc(1, sizeof *p);

    p->refs = 1;
    snprintf(p->topic, sizeof p->topic, "%.*s", (int)topic_len, topic);
    p->payload = malloc(len + 1);
    memcpy(p->payload, payload, len);
    p->payload[len] = '\0';
    p->len = len;
    p->properties = malloc(properties_len + 1);
    memcpy(p->properties, properties, properties_len);
    p->properties_len = properties_len;
    return p;
}

static void broker_release(struct broker_publication *p)
{
    if (p != NULL && --p->refs == 0) {
        free(p->payload);
        free(p->properties);
        free(p);
    }
}

/* ---- packets to a client ---- */

static void broker_put(struct broker_line *l, const void *data, size_t len)
{
    if (len > 0) {
        l->to_client = realloc(l->to_client, l->to_client_len + len);
        memcpy(l->to_client + l->to_client_len, data, len);
        l->to_client_len += len;
    }
}

static void broker_put_length(struct broker_line *l, size_t left)
{
    do {
        const uint8_t byte = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));

        broker_put(l, &byte, 1);
        left >>= 7;
    } while (left > 0);
}

static size_t broker_length_size(size_t value)
{
    return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

static void broker_put_publish(struct broker_line *l, const struct broker_publication *p,
                               uint16_t id, bool retain, bool again)
{
    const size_t topic = strlen(p->topic);
    const uint8_t first = (uint8_t)(0x30 | (again ? 8 : 0) | (id != 0 ? 2 : 0) | (retain ? 1 : 0));
    const uint8_t topic_len[2] = {(uint8_t)(topic >> 8), (uint8_t)topic},
                  number[2] = {(uint8_t)(id >> 8), (uint8_t)id};

    broker_put(l, &first, 1);
    broker_put_length(l, 2 + topic + (id != 0 ? 2 : 0) + broker_length_size(p->properties_len) +
                             p->properties_len + p->len);
    broker_put(l, topic_len, 2);
    broker_put(l, p->topic, topic);
    broker_put(l, number, id != 0 ? 2 : 0);
    broker_put_length(l, p->properties_len);
    broker_put(l, p->properties, p->properties_len);
    broker_put(l, p->payload, p->len);
}

static void broker_put_answer(struct broker_line *l, uint8_t first, uint16_t id, uint8_t reason)
{
    const uint8_t packet[] = {first, 4, (uint8_t)(id >> 8), (uint8_t)id, reason, 0};

    broker_put(l, packet, sizeof packet);
}

/* Sends what waits, at most twenty at once. `again`: repeats those that were on their way
 * before. */
static void broker_flush(struct broker_session *s, bool again)
{
    size_t flying = 0;

    for (struct broker_item *i = s->queue; s->line != NULL && i != NULL && flying < BROKER_WINDOW;
         i = i->next, flying++) {
        const bool before = i->id != 0;

        if (!before) {
            s->last_id = (uint16_t)(s->last_id == 65535 ? 1 : s->last_id + 1);
            i->id = s->last_id;
        }
        if (!before || again) {
            broker_put_publish(s->line, i->p, i->id, i->retain, before);
        }
    }
}

static void broker_give(struct broker_session *s, struct broker_publication *p, unsigned qos,
                        bool retain)
{
    struct broker_item *item, **at = &s->queue;

    if (qos == 0) {
        if (s->line != NULL) {
            broker_put_publish(s->line, p, 0, retain, false);
        }
        return;
    }
    item = calloc(1, sizeof *item);
    item->p = p;
    item->retain = retain;
    p->refs++;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = item;
    broker_flush(s, false);
}

/* ---- what is published ---- */

static struct broker_publication **broker_retained(const char *topic)
{
    struct broker_publication **free_one = NULL;

    for (size_t i = 0; i < BROKER_RETAINED; i++) {
        struct broker_publication **at = &broker_world.retained[i];

        if (*at != NULL && strcmp((*at)->topic, topic) == 0) {
            return at;
        }
        free_one = free_one == NULL && *at == NULL ? at : free_one;
    }
    return free_one;
}

static void broker_retain(struct broker_publication *p)
{
    struct broker_publication **at = broker_retained(p->topic);

    if (at == NULL) {
        abort();
    }
    broker_release(*at);
    *at = p->len > 0 ? p : NULL;
    p->refs += p->len > 0;
}

/* Returns the reason code of its PUBACK. */
static uint8_t broker_publish(struct broker_publication *p)
{
    uint8_t reason = 0;
    unsigned heard = broker_world.strangers(p, &reason);

    if (reason >= 0x80) {
        return reason;
    }
    for (struct broker_session *s = broker_world.sessions;
         s < broker_world.sessions + BROKER_SESSIONS; s++) {
        for (size_t f = 0; s->there && f < s->filters_count; f++) {
            if (topic_matches(s->filters[f].filter, p->topic)) {
                broker_give(s, p, p->qos < s->filters[f].qos ? p->qos : s->filters[f].qos,
                            p->retain && s->filters[f].as_published);
                heard++;
                break;
            }
        }
    }
    if (p->retain) {
        broker_retain(p);
    }
    return heard > 0 ? 0 : MQTT_REASON_NOBODY_LISTENS;
}

/* A stranger publishes, with QoS 1. */
static uint8_t broker_publish_text(const char *topic, const char *payload)
{
    struct broker_publication *p = broker_publication_of(topic, strlen(topic), (const uint8_t *)"",
                                                         0, payload, strlen(payload));
    uint8_t reason;

    p->qos = 1;
    reason = broker_publish(p);
    broker_release(p);
    return reason;
}

/* ---- sessions and lines ---- */

static void broker_drop_first(struct broker_item **at)
{
    struct broker_item *item = *at;

    *at = item->next;
    broker_release(item->p);
    free(item);
}

static void broker_end_session(struct broker_session *s)
{
    while (s->queue != NULL) {
        broker_drop_first(&s->queue);
    }
    memset(s, 0, sizeof *s);
}

/* The broker closes the connection, or sees that its client did. */
static void broker_close_line(struct broker_line *l, bool says_will)
{
    struct broker_session *s = l->session;
    struct broker_publication *will = l->will;

    l->closed = true;
    l->session = NULL;
    l->will = NULL;
    if (s != NULL) {
        s->line = NULL;
        if (s->clean) {
            broker_end_session(s);
        }
    }
    if (will != NULL && says_will) {
        (void)broker_publish(will);
    }
    broker_release(will);
}

static struct broker_session *broker_session_of(const char *id, size_t len)
{
    struct broker_session *free_one = NULL;

    for (struct broker_session *s = broker_world.sessions;
         s < broker_world.sessions + BROKER_SESSIONS; s++) {
        if (s->there && strlen(s->id) == len && memcmp(s->id, id, len) == 0) {
            return s;
        }
        free_one = free_one == NULL && !s->there ? s : free_one;
    }
    if (free_one == NULL) {
        abort();
    }
    snprintf(free_one->id, sizeof free_one->id, "%.*s", (int)len, id);
    return free_one;
}

/* ---- packets of a client ---- */

struct broker_reader {
    const uint8_t *at, *end;
};

static unsigned broker_get_16(struct broker_reader *r)
{
    const unsigned value = (unsigned)r->at[0] << 8 | r->at[1];

    r->at += 2;
    return value;
}

static size_t broker_get_length(struct broker_reader *r)
{
    size_t value = 0;
    unsigned shift = 0;

    do {
        value |= (size_t)(*r->at & 0x7f) << shift;
        shift += 7;
    } while (*r->at++ >= 0x80);
    return value;
}

static avito_str broker_get_data(struct broker_reader *r, size_t len)
{
    const avito_str s = {(const char *)r->at, len};

    r->at += len;
    return s;
}

static void broker_take_will(struct broker_line *l, struct broker_reader *r, unsigned flags)
{
    const avito_str properties = broker_get_data(r, broker_get_length(r)),
                    topic = broker_get_data(r, broker_get_16(r)),
                    payload = broker_get_data(r, broker_get_16(r));

    l->will = broker_publication_of(topic.ptr, topic.len, (const uint8_t *)properties.ptr,
                                    properties.len, payload.ptr, payload.len);
    l->will->qos = flags >> 3 & 3;
    l->will->retain = (flags & 0x20) != 0;
}

/* One connection per client id. No will is published for a session that goes on. */
static void broker_take_connect(struct broker_line *l, struct broker_reader *r)
{
    struct broker_session *s;
    unsigned flags;
    avito_str id;

    r->at += 7;
    flags = *r->at++;
    r->at += 2;
    (void)broker_get_data(r, broker_get_length(r));
    id = broker_get_data(r, broker_get_16(r));
    if ((flags & 0x04) != 0) {
        broker_take_will(l, r, flags);
    }
    s = broker_session_of(id.ptr, id.len);
    if (s->line != NULL) {
        broker_close_line(s->line, s->clean);
        s = broker_session_of(id.ptr, id.len);
    }
    {
        const uint8_t connack[] = {0x20, 3, s->there, 0, 0};

        broker_put(l, connack, sizeof connack);
    }
    s->there = true;
    s->clean = (flags & 0x02) != 0;
    s->line = l;
    l->session = s;
    broker_flush(s, true);
}

static void broker_take_publish(struct broker_line *l, struct broker_reader *r, unsigned flags)
{
    const avito_str topic = broker_get_data(r, broker_get_16(r));
    const uint16_t id = (flags & 6) != 0 ? (uint16_t)broker_get_16(r) : 0;
    const avito_str properties = broker_get_data(r, broker_get_length(r));
    struct broker_publication *p =
        broker_publication_of(topic.ptr, topic.len, (const uint8_t *)properties.ptr, properties.len,
                              r->at, (size_t)(r->end - r->at));
    uint8_t reason;

    p->qos = flags >> 1 & 3;
    p->retain = (flags & 1) != 0;
    reason = broker_publish(p);
    broker_release(p);
    if (id != 0 && !l->closed) {
        broker_put_answer(l, 0x40, id, reason);
    }
}

static void broker_take_puback(struct broker_session *s, uint16_t id)
{
    for (struct broker_item **at = &s->queue; *at != NULL; at = &(*at)->next) {
        if ((*at)->id == id) {
            broker_drop_first(at);
            break;
        }
    }
    broker_flush(s, false);
}

static void broker_add_filter(struct broker_session *s, avito_str filter, unsigned options)
{
    struct broker_filter *f = s->filters;

    while (f < s->filters + s->filters_count && !avito_str_equal(filter, f->filter)) {
        f++;
    }
    if (f == s->filters + BROKER_FILTERS) {
        abort();
    }
    s->filters_count += f == s->filters + s->filters_count;
    snprintf(f->filter, sizeof f->filter, "%.*s", (int)filter.len, filter.ptr);
    f->qos = options & 3;
    f->as_published = (options & 8) != 0;
}

static void broker_give_retained(struct broker_session *s, const char *filter, unsigned qos)
{
    for (size_t i = 0; i < BROKER_RETAINED; i++) {
        struct broker_publication *p = broker_world.retained[i];

        if (p != NULL && topic_matches(filter, p->topic)) {
            broker_give(s, p, p->qos < qos ? p->qos : qos, true);
        }
    }
}

static void broker_take_subscribe(struct broker_line *l, struct broker_reader *r)
{
    struct broker_session *s = l->session;
    const uint16_t id = (uint16_t)broker_get_16(r);
    struct broker_reader again;

    (void)broker_get_data(r, broker_get_length(r));
    broker_put_answer(l, 0x90, id, 0); /* no properties, and one reason for all: all are granted */
    again = *r;
    while (r->at < r->end) {
        const avito_str filter = broker_get_data(r, broker_get_16(r));

        broker_add_filter(s, filter, *r->at++);
    }
    while (again.at < again.end) {
        const avito_str filter = broker_get_data(&again, broker_get_16(&again));
        const unsigned options = *again.at++;
        char text[BROKER_TOPIC];

        snprintf(text, sizeof text, "%.*s", (int)filter.len, filter.ptr);
        if ((options >> 4 & 3) == 0) {
            broker_give_retained(s, text, options & 3);
        }
    }
}

static void broker_take_unsubscribe(struct broker_line *l, struct broker_reader *r)
{
    struct broker_session *s = l->session;
    const uint16_t id = (uint16_t)broker_get_16(r);

    (void)broker_get_data(r, broker_get_length(r));
    while (r->at < r->end) {
        const avito_str filter = broker_get_data(r, broker_get_16(r));

        for (size_t f = 0; f < s->filters_count; f++) {
            if (avito_str_equal(filter, s->filters[f].filter)) {
                s->filters[f--] = s->filters[--s->filters_count];
            }
        }
    }
    broker_put_answer(l, 0xb0, id, 0);
}

static void broker_take_packet(struct broker_line *l, unsigned first, struct broker_reader r)
{
    static const uint8_t pong[] = {0xd0, 0};

    if (first >> 4 != 1 && l->session == NULL) {
        return;
    }
    switch (first >> 4) {
        case 1:
            broker_take_connect(l, &r);
            break;
        case 3:
            broker_take_publish(l, &r, first & 0x0f);
            break;
        case 4:
            broker_take_puback(l->session, (uint16_t)broker_get_16(&r));
            break;
        case 8:
            broker_take_subscribe(l, &r);
            break;
        case 10:
            broker_take_unsubscribe(l, &r);
            break;
        case 12:
            broker_put(l, pong, sizeof pong);
            break;
        default: /* DISCONNECT: without its will */
            broker_close_line(l, false);
            break;
    }
}

static void broker_read(struct broker_line *l)
{
    size_t at = 0;

    if (l->to_broker_len > 0) {
        l->heard_ms = now_ms;
    }
    while (!l->closed && l->to_broker_len - at >= 2) {
        struct broker_reader r = {l->to_broker + at + 1, l->to_broker + l->to_broker_len};
        size_t length, head = 1;

        while (at + head < l->to_broker_len && l->to_broker[at + head] >= 0x80) {
            head++;
        }
        if (at + head >= l->to_broker_len) {
            break;
        }
        length = broker_get_length(&r);
        if ((size_t)(r.end - r.at) < length) {
            break;
        }
        r.end = r.at + length;
        broker_take_packet(l, l->to_broker[at], r);
        at += head + 1 + length;
    }
    memmove(l->to_broker, l->to_broker + at, l->to_broker_len - at);
    l->to_broker_len -= at;
}

/* ---- the client's end ---- */

static struct broker_line *broker_open_line(void)
{
    struct broker_line *l = calloc(1, sizeof *l);

    l->closed = !broker_world.up;
    l->heard_ms = now_ms;
    l->next = broker_world.lines;
    broker_world.lines = l;
    return l;
}

static bool broker_is_silent(const struct broker_line *l)
{
    return now_ms < l->silent_until_ms;
}

static void broker_send(struct broker_line *l, const void *data, size_t len)
{
    if (len > 0) {
        l->to_broker = realloc(l->to_broker, l->to_broker_len + len);
        memcpy(l->to_broker + l->to_broker_len, data, len);
        l->to_broker_len += len;
    }
}

/* Returns how many bytes; *over: there will be no more. */
static size_t broker_receive(struct broker_line *l, void *data, size_t cap, bool *over)
{
    const size_t n = broker_is_silent(l) ? 0 : cap < l->to_client_len ? cap : l->to_client_len;

    if (n > 0) {
        memcpy(data, l->to_client, n);
        memmove(l->to_client, l->to_client + n, l->to_client_len - n);
        l->to_client_len -= n;
    }
    *over = l->closed && l->to_client_len == 0 && !broker_is_silent(l);
    return n;
}

/* ---- its life ---- */

static void broker_free_line(struct broker_line **at)
{
    struct broker_line *l = *at;

    *at = l->next;
    free(l->to_broker);
    free(l->to_client);
    free(l);
}

/* Reads what has come; bytes that a client sent before it closed count. */
static void broker_step(void)
{
    for (struct broker_line **at = &broker_world.lines; *at != NULL;) {
        struct broker_line *l = *at;

        if (!l->closed && !broker_is_silent(l)) {
            broker_read(l);
        }
        if (!l->closed &&
            ((l->client_gone && !broker_is_silent(l)) || now_ms - l->heard_ms > BROKER_SILENT)) {
            broker_close_line(l, true);
        }
        if (l->closed && l->client_gone) {
            broker_free_line(at);
        } else {
            at = &l->next;
        }
    }
}

/* kill -9, or, with wills, SIGTERM. */
static void broker_stop(bool says_wills)
{
    broker_world.up = false;
    for (struct broker_line *l = broker_world.lines; l != NULL; l = l->next) {
        if (!l->closed) {
            broker_close_line(l, says_wills);
        }
        l->to_broker_len = 0;
    }
}

static void broker_free(void)
{
    broker_stop(false);
    while (broker_world.lines != NULL) {
        broker_free_line(&broker_world.lines);
    }
    for (size_t i = 0; i < BROKER_SESSIONS; i++) {
        broker_end_session(&broker_world.sessions[i]);
    }
    for (size_t i = 0; i < BROKER_RETAINED; i++) {
        broker_release(broker_world.retained[i]);
    }
    memset(&broker_world, 0, sizeof broker_world);
}

#endif
