/* mqtt_link.c - moves the bytes of an MQTT client over an avito_transport. See mqtt_link.h. */
#include "mqtt_link.h"
#include "russian.h"

#include <string.h>

int mqtt_link_init(mqtt_link *link, const mqtt_options *options, avito_transport transport,
                   avito_server broker)
{
    if (link == NULL || transport.functions == NULL || broker.host == NULL) {
        return MQTT_ERR_ARGUMENT;
    }
    memset(link, 0, sizeof *link);
    link->transport = transport;
    link->broker = broker;
    return mqtt_init(&link->client, options);
}

void mqtt_link_close(mqtt_link *link)
{
    if (link->state != MQTT_LINK_CLOSED) {
        (link->transport.functions->close)(link->transport.ctx);
        link->state = MQTT_LINK_CLOSED;
        mqtt_end(&link->client);
    }
}

void mqtt_link_open(mqtt_link *link)
{
    mqtt_link_close(link);
    link->state = MQTT_LINK_CONNECTING;
}

static int connect_now(mqtt_link *link, uint32_t now_ms)
{
    const int rc = (link->transport.functions->connect)(link->transport.ctx, &link->broker);

    if (rc != AVITO_OK) {
        return rc;
    }
    link->state = MQTT_LINK_OPEN;
    return mqtt_begin(&link->client, now_ms);
}

static int send_output(mqtt_link *link, uint32_t now_ms)
{
    const void *data;
    size_t len;

    while ((len = mqtt_output(&link->client, &data)) > 0) {
        const long n = (link->transport.functions->send)(link->transport.ctx, data, len, 0);

        if (n == AVITO_IO_AGAIN) {
            return MQTT_OK;
        }
        if (n <= 0) {
            return n < -100 ? (int)n : AVITO_ERR_SEND;
        }
        mqtt_sent(&link->client, (size_t)n, now_ms);
    }
    return MQTT_OK;
}

/* *more: bytes have come. */
static int receive_input(mqtt_link *link, bool *more)
{
    void *room;
    const size_t cap = mqtt_input(&link->client, &room);
    const long n = cap > 0 ? (link->transport.functions->recv)(link->transport.ctx, room, cap)
                           : AVITO_IO_AGAIN;

    *more = n > 0;
    if (n > 0) {
        mqtt_received(&link->client, (size_t)n);
    }
    if (n == AVITO_IO_CLOSED) {
        return mqtt_is_connected(&link->client) ? MQTT_ERR_ENDED : MQTT_ERR_NO_ANSWER;
    }
    return n > 0 || n == AVITO_IO_AGAIN ? MQTT_OK : n < -100 ? (int)n : AVITO_ERR_RECV;
}

/* Sends what waits, then reads until there is an event or nothing more has come. */
static int exchange(mqtt_link *link, uint32_t now_ms, mqtt_event *event)
{
    bool more = true;
    int rc = mqtt_tick(&link->client, now_ms);

    if (rc != MQTT_OK && rc != MQTT_AGAIN) {
        return rc;
    }
    rc = send_output(link, now_ms);
    while (rc == MQTT_OK) {
        rc = mqtt_next(&link->client, event);
        if (rc != MQTT_OK || event->kind != MQTT_NOTHING || !more) {
            break;
        }
        rc = receive_input(link, &more);
    }
    return rc;
}

int mqtt_link_step(mqtt_link *link, uint32_t now_ms, mqtt_event *event)
{
    int rc = MQTT_OK;

    memset(event, 0, sizeof *event);
    if (link->state == MQTT_LINK_CLOSED) {
        return MQTT_ERR_ARGUMENT;
    }
    if (link->state == MQTT_LINK_CONNECTING) {
        rc = connect_now(link, now_ms);
    }
    if (rc == AVITO_AGAIN) {
        return MQTT_OK;
    }
    if (rc == MQTT_OK) {
        rc = exchange(link, now_ms, event);
    }
    if (rc != MQTT_OK) {
        mqtt_link_close(link);
    }
    return rc;
}

/* Bytes in `out` may have come after the last step. */
int mqtt_link_wants(const mqtt_link *link)
{
    const void *data;
    const int open =
        AVITO_WANT_READ | (mqtt_output(&link->client, &data) > 0 ? AVITO_WANT_WRITE : 0);

    return link->state == MQTT_LINK_CLOSED
               ? 0
               : (link->transport.functions->wants)(link->transport.ctx) |
                     (link->state == MQTT_LINK_OPEN ? open : 0);
}

const char *mqtt_link_text(int result)
{
    return result <= -100 ? error_text(result) : mqtt_result_text(result);
}
