/* mqtt_link.h - an MQTT client on an avito_transport: TCP, or TLS over it. Never waits. */
#ifndef AVITO_TOOLS_MQTT_LINK_H
#define AVITO_TOOLS_MQTT_LINK_H

#include "mqtt.h"

typedef struct mqtt_link {
    mqtt client;
    avito_transport transport;
    avito_server broker;
    enum mqtt_link_state { MQTT_LINK_CLOSED, MQTT_LINK_CONNECTING, MQTT_LINK_OPEN } state;
} mqtt_link;

/* `options` as for mqtt_init(). The transport and the broker's name must outlive the link. */
int mqtt_link_init(mqtt_link *link, const mqtt_options *options, avito_transport transport,
                   avito_server broker);

/* Begins a connection; an open one is closed first, without a DISCONNECT. */
void mqtt_link_open(mqtt_link *link);

/* Moves the bytes that can be moved. MQTT_OK: an event, or kind MQTT_NOTHING (wait as
 * mqtt_link_wants() says). Otherwise an mqtt_result or an AVITO_ERR_* of the transport; the link is
 * then closed. */
int mqtt_link_step(mqtt_link *link, uint32_t now_ms, mqtt_event *event);

/* AVITO_WANT_READ, _WRITE, _TIMER as bits; 0 when closed. */
int mqtt_link_wants(const mqtt_link *link);

/* Closes the connection at once. Without mqtt_disconnect() before it, the broker sends the will. */
void mqtt_link_close(mqtt_link *link);

/* A text for a result of mqtt_link_step(): what it means and what to do. */
const char *mqtt_link_text(int result);

#endif
