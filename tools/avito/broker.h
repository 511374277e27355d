/* broker.h - the connection of `avito gateway` to its broker: TCP or TLS, made again when it is gone. */
#ifndef AVITO_TOOLS_BROKER_H
#define AVITO_TOOLS_BROKER_H

#include "client_key.h"
#include "config.h"
#include "gateway.h"
#include "mqtt_link.h"

#define BROKER_IN_SIZE  16384
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
    uint32_t lost_ms, pause_ms; /* pause_ms 0: not lost */
    bool failing;               /* that was said */
    size_t picture_max;
    void *large;            /* memory for a picture that comes in; NULL: none does */
    unsigned char *records; /* of TLS */
    void *own_out;          /* in place of `out`; NULL: it is large enough */
    char in[BROKER_IN_SIZE], out[BROKER_OUT_SIZE];
} broker;

/* As whom it connects. */
typedef struct broker_as {
    const char *client_id;
    const mqtt_publication *will;        /* copied, as its topic is; NULL: none */
    size_t window, picture_max, out_cap; /* out_cap 0: BROKER_OUT_SIZE */
    uint16_t keep_alive_s;               /* 0: 15 */
    uint32_t ping_ms, pong_ms;           /* 0: as mqtt.h says */
    bool clean;                          /* without a session */
} broker_as;

/* Reads [mqtt] and makes a link, which is not opened yet. EXIT_DONE, or a status after saying why not. */
int broker_make(broker *b, config *c, const broker_as *as);

/* Memory for a packet that `in` cannot hold, until all of it was read. False: there is none. */
bool broker_make_room(broker *b, size_t needed);
size_t broker_room(const broker *b); /* so many bytes; 0: none */
void broker_give_room_back(broker *b);

/* Closes the link, and what came in part is forgotten. */
void broker_close(broker *b);

/* Reads [mqtt], and makes the link for a gateway of these options. EXIT_DONE, or a status after saying why
 * not. `client_id` is the one that was kept. */
int broker_open(broker *b, config *c, const gateway_options *g, const char *client_id);
void broker_free(broker *b);

/* Moves bytes, hands events to the gateway, connects again when it is time. True: something happened. */
bool broker_step(broker *b, gateway *g, uint32_t now_ms);

uint32_t broker_deadline_ms(const broker *b, uint32_t now_ms);

#endif
