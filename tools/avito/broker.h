/* broker.h - the connection of `avito gateway` to its broker: TCP or TLS, opened again when it is
 * lost. */
#ifndef AVITO_TOOLS_BROKER_H
#define AVITO_TOOLS_BROKER_H

#include "client_key.h"
#include "config.h"
#include "gateway.h"
#include "mqtt_link.h"

#define BROKER_IN_SIZE  66560 /* the longest topic, and what stands before the properties */
#define BROKER_OUT_SIZE 65536

typedef struct broker {
    mqtt_link link;
    avito_tcp tcp;
    avito_tls tls;
    client_key *key;
    const char *user, *password, *host;
    uint16_t port;
    char client_id[40], will_topic[GATEWAY_TOPIC_MAX];
    mqtt_publication will;
    uint32_t opened_ms;
    uint32_t lost_ms, pause_ms; /* pause_ms 0: not lost */
    uint32_t wait_ms;           /* up to half of it less: others lost the same broker */
    bool up;                    /* the broker has answered */
    bool failing;               /* the loss was reported */
    size_t picture_max;
    void *large;            /* memory for an incoming picture; NULL: there is none */
    unsigned char *records; /* of TLS */
    void *own_out;          /* used in place of `out`; NULL: `out` is large enough */
    char in[BROKER_IN_SIZE], out[BROKER_OUT_SIZE];
} broker;

/* Who connects. */
typedef struct broker_as {
    const char *client_id;
    const mqtt_publication *will;        /* copied, as its topic is; NULL: none */
    size_t window, picture_max, out_cap; /* out_cap 0: BROKER_OUT_SIZE */
    uint16_t keep_alive_s;               /* 0: 15 */
    uint32_t ping_ms, pong_ms;           /* 0: mqtt.h's default */
    bool clean;                          /* without a session */
} broker_as;

/* Reads [mqtt] and makes a link, which is not opened yet. EXIT_DONE, or a status after saying why not. */
int broker_make(broker *b, config *c, const broker_as *as);

/* Memory for a packet that `in` cannot hold, until the whole packet has been read. False: there is
 * none. */
bool broker_make_room(broker *b, size_t needed);
size_t broker_room(const broker *b); /* bytes of that memory; 0: there is none */
void broker_give_room_back(broker *b);

/* Closes the link and forgets packets that came in part. */
void broker_close(broker *b);

/* Ends the connection in order, and connects again at once: the broker then sends again what was not
 * acknowledged. */
void broker_again(broker *b, gateway *g, uint32_t now_ms);

/* Reads [mqtt], and makes the link for a gateway of these options; broker_step() opens it. EXIT_DONE, or a
 * status after saying why not. `client_id` is the stored one. */
int broker_open(broker *b, config *c, const gateway_options *g, const char *client_id);
void broker_free(broker *b);

/* Moves bytes, hands events to the gateway, reconnects when it is time. */
void broker_step(broker *b, gateway *g, uint32_t now_ms);

uint32_t broker_deadline_ms(const broker *b, uint32_t now_ms);

#endif
