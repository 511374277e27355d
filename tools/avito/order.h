/* order.h - an order to the gateway: a publication to avito/ACCOUNT/send/CHAT and the like, read
 * strictly. No I/O. */
#ifndef AVITO_TOOLS_ORDER_H
#define AVITO_TOOLS_ORDER_H

#include "ledger.h"
#include "mqtt.h"

enum order_act {
    ORDER_SEND,
    ORDER_IMAGE,
    ORDER_READ,
    ORDER_DELETE,
    ORDER_BLOCK,
    ORDER_ACTS,
    ORDER_UNREAD = ORDER_ACTS, /* the gateway's own: how many chats are unread? */
    ORDER_WEBHOOK,             /* likewise: is its URL subscribed? */
    ORDER_CHAT                 /* likewise: whose chat is it, and about what? */
};

/* "send", "image", "read", "delete", "block": the words of topics. */
extern const char *const order_words[ORDER_ACTS];

/* The strings are in the same piece of memory, which free() releases. */
typedef struct order {
    enum order_act act;
    char id[LEDGER_ID_MAX + 1]; /* "": none was given */
    const char *target;         /* the chat's id, or the user's */
    const char *text;           /* of a send; of a delete the message's id */
    const void *image;
    size_t image_len;
    int64_t user_id, item_id; /* of a block */
    avito_blacklist_reason reason;
    const char *response_topic; /* NULL: none */
    avito_str correlation;
    const char *wrong; /* why it cannot be done, for people; NULL: it can be done */
} order;

/* Splits avito/ACCOUNT/ACT/TARGET. `account` and `target` point into it, not unescaped. False: it
 * is no such topic. */
bool order_topic(avito_str topic, avito_str *account, enum order_act *act, avito_str *target);

/* A new order from a publication, whose payload may be missing (too large). NULL: out of memory. An
 * order that cannot be done has .wrong, and its id if that was valid. */
order *order_read(const mqtt_message *message, enum order_act act, avito_str target);

/* The order of a ledger's entry, made again. NULL: out of memory. */
order *order_of_entry(const ledger_entry *entry);

/* A chat's id as one level of a topic: percent-escaped where MQTT needs it. False: no room. */
bool order_escape(const char *id, char *out, size_t cap);

bool order_is_id(avito_str id); /* [A-Za-z0-9_-]{1,64} */

/* "image/jpeg" ... by its first bytes; NULL: not a type that the service accepts. */
const char *order_image_type(const void *data, size_t len);

#endif
