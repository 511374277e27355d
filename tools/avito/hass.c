/* hass.c - see hass.h. The field names are those of Home Assistant's manual, "MQTT discovery" and the pages
 * of its MQTT integrations; tests/avito/hass.py has them by name. */
#include "hass.h"
#include "jsonl.h"
#include "order.h"

#include <stdarg.h>
#include <string.h>

struct device {
    FILE *out;
    const char *account, *gateway;
};

/* A member whose value is composed. */
static void put(const struct device *d, const char *key, const char *format, ...)
{
    char value[1024];
    va_list list;

    va_start(list, format);
    vsnprintf(value, sizeof value, format, list);
    va_end(list);
    json_word(d->out, key, value);
}

static void put_availability(const struct device *d)
{
    json_open(d->out, "availability", '[');
    json_open(d->out, NULL, '{');
    put(d, "topic", "avito/%s/status", d->account);
    json_close(d->out, '}');
    if (d->gateway != NULL) {
        json_open(d->out, NULL, '{');
        put(d, "topic", "avito/gateway/%s/status", d->gateway);
        json_close(d->out, '}');
    }
    json_close(d->out, ']');
    json_word(d->out, "availability_mode", "all");
}

static void open_component(const struct device *d, const char *platform, const char *id,
                           const char *name)
{
    json_open(d->out, id, '{');
    json_word(d->out, "platform", platform);
    put(d, "unique_id", "avito_%s_%s", d->account, id);
    json_word(d->out, "name", name);
    json_number(d->out, "qos", 1);
}

static void put_message(const struct device *d)
{
    open_component(d, "event", "message", say(TEXT("New message", "Новое сообщение")));
    put(d, "state_topic", "avito/%s/messages/+", d->account);
    json_open(d->out, "event_types", '[');
    json_word(d->out, NULL, "message");
    json_close(d->out, ']');
    json_word(d->out, "icon", "mdi:message-text");
    put_availability(d);
    json_close(d->out, '}');
}

static void put_last_text(const struct device *d)
{
    open_component(d, "sensor", "last_text", say(TEXT("Last message", "Последнее сообщение")));
    put(d, "state_topic", "avito/%s/messages/+", d->account);
    json_word(d->out, "value_template",
              "{{ (value_json.content.text | default('[' ~ value_json.type ~ ']', true))[:255] }}");
    put(d, "json_attributes_topic", "avito/%s/messages/+", d->account);
    put_availability(d);
    json_close(d->out, '}');
}

static void put_unread(const struct device *d)
{
    open_component(d, "sensor", "unread", say(TEXT("Unread chats", "Непрочитанные чаты")));
    put(d, "state_topic", "avito/%s/state", d->account);
    json_word(d->out, "value_template", "{{ value_json.unread }}");
    json_word(d->out, "state_class", "measurement");
    json_word(d->out, "icon", "mdi:email-alert");
    put_availability(d);
    json_close(d->out, '}');
}

/* Without availability: it would be "unavailable" when it has to say "off". */
static void put_connection(const struct device *d)
{
    open_component(d, "binary_sensor", "connection", say(TEXT("Gateway", "Шлюз")));
    json_word(d->out, "device_class", "connectivity");
    if (d->gateway != NULL) {
        put(d, "state_topic", "avito/gateway/%s/status", d->gateway);
    } else {
        put(d, "state_topic", "avito/%s/status", d->account);
    }
    json_word(d->out, "payload_on", "online");
    json_word(d->out, "payload_off", "offline");
    json_close(d->out, '}');
}

static void put_tariff(const struct device *d)
{
    open_component(d, "binary_sensor", "tariff",
                   say(TEXT("Tariff lacks the API", "В тарифе нет API")));
    json_word(d->out, "device_class", "problem");
    put(d, "state_topic", "avito/%s/state", d->account);
    json_word(d->out, "value_template", "{{ 'OFF' if value_json.tariff == 'ok' else 'ON' }}");
    put_availability(d);
    json_close(d->out, '}');
}

static void notify_id(const char *chat, char id[64])
{
    snprintf(id, 64, "notify_%016llx",
             (unsigned long long)ledger_hash(LEDGER_HASH, chat, strlen(chat)));
}

/* A component with nothing but its platform is removed. */
static void put_no_notify(const struct device *d, const char *chat)
{
    char id[64];

    notify_id(chat, id);
    json_open(d->out, id, '{');
    json_word(d->out, "platform", "notify");
    json_close(d->out, '}');
}

/* Each command has an id of its own, so that none is done twice. */
static void put_notify(const struct device *d, const char *chat)
{
    char topic[1024], id[64];

    if (!order_escape(chat, topic, sizeof topic)) {
        return;
    }
    notify_id(chat, id);
    json_open(d->out, id, '{');
    json_word(d->out, "platform", "notify");
    put(d, "unique_id", "avito_%s_%s", d->account, id);
    put(d, "name", say(TEXT("Answer in %s", "Ответить в %s")), chat);
    put(d, "command_topic", "avito/%s/send/%s", d->account, topic);
    json_word(d->out, "command_template",
              "{{ {'id': 'ha-' ~ (now().timestamp() * 1000) | int ~ '-' ~ range(1000000) | random, "
              "'text': value} | to_json }}");
    json_number(d->out, "qos", 1);
    json_bool(d->out, "retain", false);
    put_availability(d);
    json_close(d->out, '}');
}

void hass_write(FILE *out, const char *account, const char *gateway, const char *const *notify,
                const char *const *removed)
{
    const struct device d = {out, account, gateway};

    json_open(out, NULL, '{');
    json_open(out, "device", '{');
    json_open(out, "identifiers", '[');
    put(&d, NULL, HASS_ID, account);
    json_close(out, ']');
    put(&d, "name", "Avito %s", account);
    json_word(out, "manufacturer", "Avito");
    json_word(out, "model", "Messenger API");
    json_close(out, '}');
    json_open(out, "origin", '{');
    json_word(out, "name", "avito gateway");
    json_word(out, "sw_version", AVITO_VERSION);
    json_close(out, '}');
    json_open(out, "components", '{');
    put_message(&d);
    put_last_text(&d);
    put_unread(&d);
    put_connection(&d);
    put_tariff(&d);
    for (; notify != NULL && *notify != NULL; notify++) {
        put_notify(&d, *notify);
    }
    for (; removed != NULL && *removed != NULL; removed++) {
        put_no_notify(&d, *removed);
    }
    json_close(out, '}');
    json_close(out, '}');
}
