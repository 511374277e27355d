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
    char in[BROKER_IN_SIZE], out[BROKER_OUT_SIZE];
} broker;

/* Reads [mqtt], and makes the link for a gateway of these options. EXIT_DONE, or a status after saying why
 * not. `client_id` is the one that was kept. */
int broker_open(broker *b, config *c, const gateway_options *g, const char *client_id);
void broker_free(broker *b);

/* Moves bytes, hands events to the gateway, connects again when it is time. True: something happened. */
bool broker_step(broker *b, gateway *g, uint32_t now_ms);

uint32_t broker_deadline_ms(const broker *b, uint32_t now_ms);

#endif
