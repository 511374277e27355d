/* mqtt.h - the part of MQTT 5.0 that a gateway needs, without I/O.
 *
 * Bytes from the broker go in, bytes for the broker come out, and functions give events and
 * packets. No socket, no clock, no heap: memory and time come from the caller. mqtt_link.h moves
 * the bytes over an avito_transport.
 *
 * What it does not do, on purpose: by itself it never repeats, acknowledges or reconnects. Each
 * connection begins with an empty queue. A caller that must repeat something knows it from its own
 * ledger, better than a library does from its packets.
 *
 * MQTT 3.1.1 is refused: there, a PUBACK also answers publications that the broker denied or
 * dropped.
 *
 * Standard: MQTT Version 5.0, OASIS, 7 March 2019. "section" below means one of its sections. */
#ifndef AVITO_TOOLS_MQTT_H
#define AVITO_TOOLS_MQTT_H

#include "avito_messenger.h"
#include "language.h"

#define MQTT_WINDOW                                                                                \
    20 /* packets that may wait for the broker's answer, and publications that may wait for ours */

enum mqtt_result {
    MQTT_OK = 0,
    MQTT_AGAIN = 1,          /* no room in `out`, or MQTT_WINDOW is full: later */
    MQTT_ERR_ARGUMENT = -1,  /* the caller's topic, filter, text or state */
    MQTT_ERR_SIZE = -2,      /* larger than the broker or `out` can ever take */
    MQTT_ERR_MALFORMED = -3, /* bytes that are not a packet of MQTT 5 */
    MQTT_ERR_PROTOCOL = -4,  /* a packet that is not allowed now, or not with this content */
    MQTT_ERR_TOO_LARGE = -5, /* a packet that `in` cannot hold, though the broker was told */
    MQTT_ERR_SILENT = -6,    /* neither PINGRESP nor anything else in time */
    MQTT_ERR_VERSION = -7,   /* the broker speaks only MQTT 3.1.1 */
    MQTT_ERR_ENDED = -8,     /* the connection ended without a DISCONNECT */
    MQTT_ERR_NO_ANSWER = -9  /* the connection ended before CONNACK */
};

/* Reason codes that the gateway decides on: section 2.4. Those from 0x80 on are errors. */
enum mqtt_reason {
    MQTT_REASON_SUCCESS = 0x00,
    MQTT_REASON_NOBODY_LISTENS = 0x10, /* no matching subscribers */
    MQTT_REASON_UNSPECIFIED = 0x80,
    MQTT_REASON_MALFORMED = 0x81,
    MQTT_REASON_PROTOCOL = 0x82,
    MQTT_REASON_VERSION = 0x84,
    MQTT_REASON_CREDENTIALS = 0x86,
    MQTT_REASON_NOT_AUTHORIZED = 0x87,
    MQTT_REASON_TAKEN_OVER = 0x8e,
    MQTT_REASON_TOO_LARGE = 0x95,
    MQTT_REASON_QUOTA = 0x97 /* a passing reason */
};

typedef struct mqtt_pair {
    const char *name, *value; /* a user property */
} mqtt_pair;

/* What is published, and what a will says. The pointers must stay valid until the function returns,
 * those of a will as long as the client is used. */
typedef struct mqtt_publication {
    const char *topic;
    avito_str payload;
    int qos; /* 0 or 1 */
    bool retain;
    avito_str correlation;  /* correlation data; ptr NULL: none */
    const mqtt_pair *pairs; /* user properties */
    size_t pairs_count;
} mqtt_publication;

typedef struct mqtt_filter {
    const char *filter;
    int qos;
    int retain_handling;      /* 0: retained ones come, 1: only for a new subscription, 2: never */
    bool retain_as_published; /* live messages tell whether they were published as retained */
} mqtt_filter;

typedef struct mqtt_options {
    const char *client_id; /* never empty: an id that the broker chooses has no session */
    const char *user, *password;
    const mqtt_publication *will;
    uint32_t session_expiry_s; /* 0: the session ends with the connection */
    bool clean_start;
    uint16_t keep_alive_s; /* 0: 15. The broker may choose a shorter one */
    uint32_t ping_ms; /* a PINGREQ this long after the last packet; 0: half of the keep alive */
    uint32_t pong_ms; /* how long its answer may take; 0: 10,000 */
    /* The broker's publications that may wait for us; 0: MQTT_WINDOW. More are still accepted:
     * mosquitto 2.0.11 sends 20 more after each PUBACK. */
    uint16_t receive_maximum;
    void *in, *out; /* memory for incoming and outgoing bytes; a packet must fit whole */
    size_t in_cap, out_cap;
    bool any_size; /* the broker may send packets that `in` cannot hold: MQTT_LARGE */
} mqtt_options;

enum mqtt_event_kind {
    MQTT_NOTHING,   /* there is no whole packet */
    MQTT_CONNECTED, /* session_present; the broker's limits are noted */
    MQTT_MESSAGE,   /* `message`; with QoS 1 it waits for mqtt_acknowledge() */
    MQTT_LARGE, /* likewise, but `in` cannot hold it: payload.ptr is NULL, payload.len its size, with
                          that of properties if they, too, are too large: then none of them is there.
                          mqtt_move_input() to `needed` bytes, and it comes whole; else it is skipped */
    MQTT_ACKNOWLEDGED, /* PUBACK: packet_id, reason */
    MQTT_SUBSCRIBED,   /* SUBACK: packet_id, reason: the worst of all filters */
    MQTT_UNSUBSCRIBED, /* UNSUBACK: likewise */
    MQTT_CLOSED        /* a refused CONNECT, or DISCONNECT: reason, text */
};

/* Strings of an event live until the next call of mqtt_next(), mqtt_input() or mqtt_begin(). */
typedef struct mqtt_message {
    avito_str topic, payload;
    int qos;
    bool retain, dup;
    uint16_t packet_id;
    uint32_t expiry_s; /* seconds until it expires; UINT32_MAX: never */
    avito_str response_topic, correlation;
    avito_str properties; /* for mqtt_property() */
} mqtt_message;

typedef struct mqtt_event {
    enum mqtt_event_kind kind;
    uint8_t reason;
    uint16_t packet_id;
    bool session_present;
    uint32_t session_expiry_s; /* MQTT_CONNECTED: how long the broker keeps the session */
    bool no_retain, no_qos1;   /* likewise: features that the broker lacks */
    size_t needed;             /* MQTT_LARGE: bytes of the packet */
    avito_str text;            /* the broker's reason string, if it gave one */
    mqtt_message message;
} mqtt_event;

typedef struct mqtt {
    mqtt_options o;
    struct {
        size_t in_at, in_len;       /* bytes of `in` that mqtt_next() has not read */
        size_t out_at, out_len;     /* bytes of `out` still to be sent */
        uint32_t said_ms, asked_ms; /* when the last packet left, and the PINGREQ */
        uint32_t broker_packet;     /* largest packet that the broker takes; 0: no limit */
        uint16_t keep_alive_s, broker_window, last_id;
        struct mqtt_waiting {
            uint16_t id;    /* 0: free */
            uint8_t answer; /* the packet type that ends it: PUBACK, SUBACK or UNSUBACK */
        } waiting[MQTT_WINDOW];
        size_t skip;             /* bytes of a packet that is too large, still to be dropped */
        size_t large;            /* size of the packet that MQTT_LARGE reported */
        uint16_t unacknowledged; /* publications of the broker that wait for us */
        uint16_t late_id;        /* a PUBACK that found no room; 0: none */
        uint8_t late_reason;
        uint8_t state;
        bool asked;              /* a PINGREQ has been sent, and nothing has come since */
        bool no_retain, no_qos1; /* features that the broker lacks */
    } priv;
} mqtt;

/* Copies the options, not what they point to. OK or ARGUMENT. */
int mqtt_init(mqtt *client, const mqtt_options *options);

/* A new connection: drops everything still to be sent or read, and writes CONNECT. OK, or SIZE if
 * `out` cannot hold it. */
int mqtt_begin(mqtt *client, uint32_t now_ms);

/* The connection is gone: nothing is sent until mqtt_begin(). */
void mqtt_end(mqtt *client);

/* Bytes to send; 0: none. Tell mqtt_sent() how many of them have left. */
size_t mqtt_output(const mqtt *client, const void **data);
void mqtt_sent(mqtt *client, size_t len, uint32_t now_ms);

/* Where to put the broker's bytes, and how many fit; 0: packets wait for mqtt_next(). */
size_t mqtt_input(mqtt *client, void **data);
void mqtt_received(mqtt *client, size_t len);

/* Moves incoming bytes, with those not read yet, to other memory, for instance after MQTT_LARGE, or
 * back. OK, or SIZE: it does not fit. The old memory is not used any more. */
int mqtt_move_input(mqtt *client, void *memory, size_t cap);

/* Reads the next packet. OK with an event (kind NOTHING: read more), or an error: close the
 * connection. */
int mqtt_next(mqtt *client, mqtt_event *event);

/* Sends PINGREQ when it is due. OK, AGAIN, or SILENT: close the connection. */
int mqtt_tick(mqtt *client, uint32_t now_ms);

/* Milliseconds until mqtt_tick() has something to do. */
uint32_t mqtt_deadline_ms(const mqtt *client, uint32_t now_ms);

/* OK; AGAIN; SIZE; ARGUMENT (not connected, wildcards in a topic, text that is not UTF-8, QoS 2).
 * With QoS 1 and OK, *packet_id becomes the one that the PUBACK will have. */
int mqtt_publish(mqtt *client, const mqtt_publication *what, uint16_t *packet_id);

/* Likewise; but never AGAIN for the message that mqtt_next() gave last: it gives no other before the PUBACK of
 * this one has found room. */
int mqtt_acknowledge(mqtt *client, uint16_t packet_id, uint8_t reason);

int mqtt_subscribe(mqtt *client, const mqtt_filter *filters, size_t count, uint16_t *packet_id);
int mqtt_unsubscribe(mqtt *client, const mqtt_filter *filters, size_t count, uint16_t *packet_id);
int mqtt_disconnect(mqtt *client,
                    uint8_t reason); /* with MQTT_REASON_SUCCESS the broker drops the will */

/* The value of a message's user property; ptr NULL: it has none of this name. */
avito_str mqtt_property(const mqtt_message *message, const char *name);

bool mqtt_is_connected(const mqtt *client);

/* True for text that MQTT and JSON allow: well-formed UTF-8 without NUL. */
bool mqtt_is_text(avito_str text);

/* What a broker lacks that a gateway needs, by its CONNACK; NULL: nothing. */
const char *mqtt_objection(const mqtt_event *connected);

/* What happened and what to do, in the language of the program. */
const char *mqtt_result_text(int result);
const char *mqtt_reason_text(uint8_t reason);

/* Of MQTT_CLOSED: the reason, and the broker's own words. Valid until the next one. */
const char *mqtt_closed_text(const mqtt_event *closed);

#endif
