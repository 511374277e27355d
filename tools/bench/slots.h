/* Room for one element, and the words of the enums. The peers share them, so that they differ only
 * in how they read JSON. */
#ifndef BENCH_SLOTS_H
#define BENCH_SLOTS_H

#include "bench.h"

#include <string.h>

enum { BENCH_USERS = 8, BENCH_SIZES = 32, BENCH_PHONES = 8 };

typedef struct bench_content {
    avito_image image;
    avito_link link;
    avito_link_preview preview;
    avito_item_content item;
    avito_location location;
    avito_call call;
    avito_voice voice;
    avito_str text;
    avito_str flow_id;
    avito_image_size sizes[BENCH_SIZES];
} bench_content;

typedef struct bench_message {
    avito_message message;
    avito_quote quote;
    bench_content content;
    bench_content quoted;
} bench_message;

typedef struct bench_user {
    avito_profile profile;
    avito_avatar avatar;
    avito_image_size sizes[BENCH_SIZES];
} bench_user;

typedef struct bench_chat {
    avito_chat chat;
    avito_context context;
    avito_item item;
    avito_item_images images;
    avito_item_location location;
    avito_image_size main[BENCH_SIZES];
    avito_user users[BENCH_USERS];
    bench_user more[BENCH_USERS];
    bench_message last;
} bench_chat;

/* Empties one struct. */
#define BENCH_CLEAR(p) memset((p), 0, sizeof *(p))

#define BENCH_IS(s, word)                                                                          \
    ((s).len == sizeof(word) - 1 && memcmp((s).ptr, word, sizeof(word) - 1) == 0)

static inline avito_str bench_str(const char *ptr, size_t len)
{
    avito_str s;

    s.ptr = ptr;
    s.len = len;
    return s;
}

static inline int32_t bench_e7(double degrees)
{
    return (int32_t)(degrees * 1e7 + (degrees < 0 ? -0.5 : 0.5));
}

static inline avito_message_type bench_type(avito_str w)
{
    switch (w.len) {
        case 0:
            return w.ptr == NULL ? AVITO_MESSAGE_NONE : AVITO_MESSAGE_UNKNOWN;
        case 4:
            return BENCH_IS(w, "text")   ? AVITO_MESSAGE_TEXT
                   : BENCH_IS(w, "link") ? AVITO_MESSAGE_LINK
                   : BENCH_IS(w, "item") ? AVITO_MESSAGE_ITEM
                   : BENCH_IS(w, "call") ? AVITO_MESSAGE_CALL
                   : BENCH_IS(w, "file") ? AVITO_MESSAGE_FILE
                                         : AVITO_MESSAGE_UNKNOWN;
        case 5:
            return BENCH_IS(w, "image")   ? AVITO_MESSAGE_IMAGE
                   : BENCH_IS(w, "voice") ? AVITO_MESSAGE_VOICE
                   : BENCH_IS(w, "video") ? AVITO_MESSAGE_VIDEO
                                          : AVITO_MESSAGE_UNKNOWN;
        case 6:
            return BENCH_IS(w, "system") ? AVITO_MESSAGE_SYSTEM : AVITO_MESSAGE_UNKNOWN;
        case 7:
            return BENCH_IS(w, "deleted")   ? AVITO_MESSAGE_DELETED
                   : BENCH_IS(w, "appCall") ? AVITO_MESSAGE_APP_CALL
                                            : AVITO_MESSAGE_UNKNOWN;
        default:
            return BENCH_IS(w, "location") ? AVITO_MESSAGE_LOCATION : AVITO_MESSAGE_UNKNOWN;
    }
}

static inline avito_chat_type bench_chat_type(avito_str w)
{
    return w.ptr == NULL        ? AVITO_CHAT_TYPE_NONE
           : BENCH_IS(w, "u2i") ? AVITO_CHAT_TYPE_U2I
           : BENCH_IS(w, "u2u") ? AVITO_CHAT_TYPE_U2U
           : BENCH_IS(w, "a2u") ? AVITO_CHAT_TYPE_A2U
                                : AVITO_CHAT_TYPE_UNKNOWN;
}

static inline avito_direction bench_direction(avito_str w)
{
    return w.ptr == NULL        ? AVITO_DIRECTION_NONE
           : BENCH_IS(w, "in")  ? AVITO_DIRECTION_IN
           : BENCH_IS(w, "out") ? AVITO_DIRECTION_OUT
                                : AVITO_DIRECTION_UNKNOWN;
}

static inline avito_location_kind bench_kind(avito_str w)
{
    return w.ptr == NULL           ? AVITO_LOCATION_NONE
           : BENCH_IS(w, "house")  ? AVITO_LOCATION_HOUSE
           : BENCH_IS(w, "street") ? AVITO_LOCATION_STREET
           : BENCH_IS(w, "area")   ? AVITO_LOCATION_AREA
                                   : AVITO_LOCATION_UNKNOWN;
}

static inline avito_call_status bench_status(avito_str w)
{
    return w.ptr == NULL           ? AVITO_CALL_NONE
           : BENCH_IS(w, "missed") ? AVITO_CALL_MISSED
                                   : AVITO_CALL_UNKNOWN;
}

/* Text and flow_id may come in any order, and the type after both: decides at the end what they
 * are. */
static inline void bench_settle(avito_content *c, const bench_content *room,
                                avito_message_type type)
{
    if (c->kind != AVITO_MESSAGE_NONE || (room->text.ptr == NULL && room->flow_id.ptr == NULL)) {
        return;
    }
    if (room->flow_id.ptr != NULL || type == AVITO_MESSAGE_SYSTEM) {
        c->kind = AVITO_MESSAGE_SYSTEM;
        c->as.system.flow_id = room->flow_id;
        c->as.system.text = room->text;
        return;
    }
    c->kind = AVITO_MESSAGE_TEXT;
    c->as.text = room->text;
}

#endif
