// simdjson, On-Demand: members by iteration, one parser reused, as its guide recommends.
#include <simdjson.h>

#include "slots.h"

using namespace simdjson;

namespace
{

ondemand::parser parser;
bench_chat chat_room;
bench_message message_room;

// The raw key with its closing quote: one comparison.
template <size_t N> bool is(const char *key, const char (&word)[N])
{
    return memcmp(key, word, N - 1) == 0;
}
#define KEY(word) is(key, word "\"")

const char *key_of(ondemand::field &field)
{
    return field.key().raw();
}

// A value that could not be read: null means "missing", everything else is a fault.
void must_be_null(ondemand::value v, error_code error)
{
    if (!v.is_null()) {
        throw simdjson_error(error);
    }
}

void str(ondemand::value v, avito_str *out)
{
    std::string_view s;
    error_code error = v.get_string().get(s);

    if (error == SUCCESS) {
        *out = bench_str(s.data(), s.size());
    } else {
        must_be_null(v, error);
    }
}

void number(ondemand::value v, int64_t *out)
{
    int64_t n;
    error_code error = v.get_int64().get(n);

    if (error == SUCCESS) {
        *out = n;
    } else {
        must_be_null(v, error);
    }
}

void degrees(ondemand::value v, int32_t *out)
{
    double n;
    error_code error = v.get_double().get(n);

    if (error == SUCCESS) {
        *out = bench_e7(n);
    } else {
        must_be_null(v, error);
    }
}

void flag(ondemand::value v, bool *out, bool *has)
{
    error_code error = v.get_bool().get(*out);

    *has = error == SUCCESS;
    if (error != SUCCESS) {
        must_be_null(v, error);
    }
}

avito_image_sizes sizes(ondemand::value v, avito_image_size *room)
{
    avito_image_sizes list = {room, 0};
    ondemand::object object;

    if (v.get_object().get(object) != SUCCESS) {
        return list;
    }
    for (ondemand::field field : object) {
        std::string_view key = field.unescaped_key();

        if (list.count < BENCH_SIZES) {
            avito_image_size *at = &room[list.count++];

            BENCH_CLEAR(at);
            at->size = bench_str(key.data(), key.size());
            str(field.value(), &at->url);
        }
    }
    return list;
}

void preview(ondemand::value v, bench_content *room)
{
    avito_link_preview *p = &room->preview;
    ondemand::object object;

    if (v.get_object().get(object) != SUCCESS) {
        return;
    }
    BENCH_CLEAR(p);
    room->link.preview = p;
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("description")) {
            str(field.value(), &p->description);
        } else if (KEY("domain")) {
            str(field.value(), &p->domain);
        } else if (KEY("images")) {
            p->images = sizes(field.value(), room->sizes);
        } else if (KEY("title")) {
            str(field.value(), &p->title);
        } else if (KEY("url")) {
            str(field.value(), &p->url);
        }
    }
}

void link(ondemand::object object, bench_content *room)
{
    BENCH_CLEAR(&room->link);
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("text")) {
            str(field.value(), &room->link.text);
        } else if (KEY("url")) {
            str(field.value(), &room->link.url);
        } else if (KEY("preview")) {
            preview(field.value(), room);
        }
    }
}

void item_content(ondemand::object object, avito_item_content *i)
{
    BENCH_CLEAR(i);
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("image_url")) {
            str(field.value(), &i->image_url);
        } else if (KEY("item_url")) {
            str(field.value(), &i->item_url);
        } else if (KEY("price_string")) {
            str(field.value(), &i->price_string);
        } else if (KEY("title")) {
            str(field.value(), &i->title);
        }
    }
}

void location(ondemand::object object, avito_location *l)
{
    BENCH_CLEAR(l);
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("kind")) {
            str(field.value(), &l->kind_word);
            l->kind = bench_kind(l->kind_word);
        } else if (KEY("lat")) {
            degrees(field.value(), &l->lat_e7);
        } else if (KEY("lon")) {
            degrees(field.value(), &l->lon_e7);
        } else if (KEY("text")) {
            str(field.value(), &l->text);
        } else if (KEY("title")) {
            str(field.value(), &l->title);
        }
    }
}

void call(ondemand::object object, avito_call *c)
{
    BENCH_CLEAR(c);
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("status")) {
            str(field.value(), &c->status_word);
            c->status = bench_status(c->status_word);
        } else if (KEY("target_user_id")) {
            number(field.value(), &c->target_user_id);
        }
    }
}

// A member of the content that is an object.
void part(const char *key, ondemand::object object, bench_content *room, avito_content *out)
{
    if (KEY("image")) {
        out->kind = AVITO_MESSAGE_IMAGE;
        out->as.image = &room->image;
        BENCH_CLEAR(&room->image);
        for (ondemand::field field : object) {
            if (is(key_of(field), "sizes\"")) {
                room->image.sizes = sizes(field.value(), room->sizes);
            }
        }
    } else if (KEY("link")) {
        out->kind = AVITO_MESSAGE_LINK;
        out->as.link = &room->link;
        link(object, room);
    } else if (KEY("item")) {
        out->kind = AVITO_MESSAGE_ITEM;
        out->as.item = &room->item;
        item_content(object, &room->item);
    } else if (KEY("location")) {
        out->kind = AVITO_MESSAGE_LOCATION;
        out->as.location = &room->location;
        location(object, &room->location);
    } else if (KEY("call")) {
        out->kind = AVITO_MESSAGE_CALL;
        out->as.call = &room->call;
        call(object, &room->call);
    } else if (KEY("voice")) {
        out->kind = AVITO_MESSAGE_VOICE;
        out->as.voice = &room->voice;
        BENCH_CLEAR(&room->voice);
        for (ondemand::field field : object) {
            if (is(key_of(field), "voice_id\"")) {
                str(field.value(), &room->voice.voice_id);
            }
        }
    }
}

void content(ondemand::value v, bench_content *room, avito_content *out)
{
    ondemand::object object, inner;

    room->text = room->flow_id = bench_str(NULL, 0);
    if (v.get_object().get(object) != SUCCESS) {
        return;
    }
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("text")) {
            str(field.value(), &room->text);
        } else if (KEY("flow_id")) {
            str(field.value(), &room->flow_id);
        } else if (field.value().get_object().get(inner) == SUCCESS) {
            part(key, inner, room, out);
        }
    }
}

void quote(ondemand::value v, bench_message *room)
{
    avito_quote *q = &room->quote;
    ondemand::object object;

    if (v.get_object().get(object) != SUCCESS) {
        return;
    }
    BENCH_CLEAR(q);
    room->message.quote = q;
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("id")) {
            str(field.value(), &q->id);
        } else if (KEY("author_id")) {
            number(field.value(), &q->author_id);
        } else if (KEY("created")) {
            number(field.value(), &q->created);
        } else if (KEY("type")) {
            str(field.value(), &q->type_word);
        } else if (KEY("content")) {
            content(field.value(), &room->quoted, &q->content);
        }
    }
    q->type = bench_type(q->type_word);
    bench_settle(&q->content, &room->quoted, q->type);
}

// Members that only a notification's message has.
void notified(const char *key, ondemand::field &field, avito_message *m)
{
    if (KEY("chat_id")) {
        str(field.value(), &m->chat_id);
    } else if (KEY("user_id")) {
        number(field.value(), &m->user_id);
    } else if (KEY("chat_type")) {
        str(field.value(), &m->chat_type_word);
    } else if (KEY("item_id")) {
        number(field.value(), &m->item_id);
    } else if (KEY("published_at")) {
        str(field.value(), &m->published_at);
    }
}

template <bool in_notification> void message(ondemand::object object, bench_message *room)
{
    avito_message *m = &room->message;

    BENCH_CLEAR(m);
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("id")) {
            str(field.value(), &m->id);
        } else if (KEY("author_id")) {
            number(field.value(), &m->author_id);
        } else if (KEY("created")) {
            number(field.value(), &m->created);
        } else if (KEY("content")) {
            content(field.value(), &room->content, &m->content);
        } else if (KEY("type")) {
            str(field.value(), &m->type_word);
        } else if (KEY("direction")) {
            str(field.value(), &m->direction_word);
        } else if (KEY("delivered")) {
            number(field.value(), &m->delivered);
        } else if (KEY("is_read")) {
            flag(field.value(), &m->is_read, &m->has_is_read);
        } else if (KEY("read")) {
            number(field.value(), &m->read);
        } else if (KEY("quote")) {
            quote(field.value(), room);
        } else if (in_notification) {
            notified(key, field, m);
        }
    }
    if (in_notification) {
        m->chat_type = bench_chat_type(m->chat_type_word);
    }
    m->type = bench_type(m->type_word);
    m->direction = bench_direction(m->direction_word);
    bench_settle(&m->content, &room->content, m->type);
}

void avatar(ondemand::value v, bench_user *room)
{
    ondemand::object object;

    if (v.get_object().get(object) != SUCCESS) {
        return;
    }
    BENCH_CLEAR(&room->avatar);
    room->profile.avatar = &room->avatar;
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("default")) {
            str(field.value(), &room->avatar.default_url);
        } else if (KEY("images")) {
            room->avatar.images = sizes(field.value(), room->sizes);
        }
    }
}

void profile(ondemand::object object, bench_user *room)
{
    avito_profile *p = &room->profile;

    BENCH_CLEAR(p);
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("user_id")) {
            number(field.value(), &p->user_id);
        } else if (KEY("item_id")) {
            number(field.value(), &p->item_id);
        } else if (KEY("avatar")) {
            avatar(field.value(), room);
        } else if (KEY("url")) {
            str(field.value(), &p->url);
        }
    }
}

void user(ondemand::object object, avito_user *u, bench_user *room)
{
    ondemand::object inner;

    BENCH_CLEAR(u);
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("id")) {
            number(field.value(), &u->id);
        } else if (KEY("name")) {
            str(field.value(), &u->name);
        } else if (KEY("parsing_allowed")) {
            flag(field.value(), &u->parsing_allowed, &u->has_parsing_allowed);
        } else if (KEY("public_user_profile")) {
            if (field.value().get_object().get(inner) == SUCCESS) {
                u->public_user_profile = &room->profile;
                profile(inner, room);
            }
        }
    }
}

void images(ondemand::value v, bench_chat *room)
{
    ondemand::object object;

    if (v.get_object().get(object) != SUCCESS) {
        return;
    }
    BENCH_CLEAR(&room->images);
    room->item.images = &room->images;
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("main")) {
            room->images.main = sizes(field.value(), room->main);
        } else if (KEY("count")) {
            number(field.value(), &room->images.count);
        }
    }
}

void item_location(ondemand::value v, bench_chat *room)
{
    ondemand::object object;

    if (v.get_object().get(object) != SUCCESS) {
        return;
    }
    BENCH_CLEAR(&room->location);
    room->item.location = &room->location;
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("title")) {
            str(field.value(), &room->location.title);
        } else if (KEY("lat")) {
            degrees(field.value(), &room->location.lat_e7);
        } else if (KEY("lon")) {
            degrees(field.value(), &room->location.lon_e7);
        }
    }
}

void item(ondemand::value v, bench_chat *room)
{
    avito_item *i = &room->item;
    ondemand::object object;

    if (v.get_object().get(object) != SUCCESS) {
        return;
    }
    BENCH_CLEAR(i);
    room->context.item = i;
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("id")) {
            number(field.value(), &i->id);
        } else if (KEY("title")) {
            str(field.value(), &i->title);
        } else if (KEY("user_id")) {
            number(field.value(), &i->user_id);
        } else if (KEY("images")) {
            images(field.value(), room);
        } else if (KEY("status_id")) {
            number(field.value(), &i->status_id);
        } else if (KEY("price_string")) {
            str(field.value(), &i->price_string);
        } else if (KEY("url")) {
            str(field.value(), &i->url);
        } else if (KEY("location")) {
            item_location(field.value(), room);
        }
    }
}

void context(ondemand::value v, bench_chat *room)
{
    ondemand::object object;

    if (v.get_object().get(object) != SUCCESS) {
        return;
    }
    BENCH_CLEAR(&room->context);
    room->chat.context = &room->context;
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("type")) {
            str(field.value(), &room->context.type);
        } else if (KEY("value")) {
            item(field.value(), room);
        }
    }
}

void users(ondemand::value v, bench_chat *room)
{
    avito_users *list = &room->chat.users;
    ondemand::array array;

    if (v.get_array().get(array) != SUCCESS) {
        return;
    }
    for (ondemand::value element : array) {
        if (list->count < BENCH_USERS) {
            user(element.get_object(), &room->users[list->count], &room->more[list->count]);
            list->count++;
        }
    }
}

void chat(ondemand::object object, bench_chat *room)
{
    avito_chat *c = &room->chat;
    ondemand::object inner;

    BENCH_CLEAR(c);
    c->users.items = room->users;
    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("id")) {
            str(field.value(), &c->id);
        } else if (KEY("context")) {
            context(field.value(), room);
        } else if (KEY("created")) {
            number(field.value(), &c->created);
        } else if (KEY("updated")) {
            number(field.value(), &c->updated);
        } else if (KEY("users")) {
            users(field.value(), room);
        } else if (KEY("last_message")) {
            if (field.value().get_object().get(inner) == SUCCESS) {
                c->last_message = &room->last.message;
                message<false>(inner, &room->last);
            }
        }
    }
}

int chats(const char *body, size_t len, bench_sink *sink)
try {
    ondemand::document doc = parser.iterate(body, len, len + SIMDJSON_PADDING);

    for (ondemand::field field : doc.get_object()) {
        if (is(key_of(field), "chats\"")) {
            for (ondemand::value element : field.value().get_array()) {
                chat(element.get_object(), &chat_room);
                sink->chat(sink, &chat_room.chat);
            }
        }
    }
    return 0;
} catch (const simdjson_error &) {
    return -1;
}

int messages(const char *body, size_t len, bench_sink *sink)
try {
    ondemand::document doc = parser.iterate(body, len, len + SIMDJSON_PADDING);

    for (ondemand::field field : doc.get_object()) {
        if (is(key_of(field), "messages\"")) {
            for (ondemand::value element : field.value().get_array()) {
                message<false>(element.get_object(), &message_room);
                sink->message(sink, &message_room.message);
            }
        }
    }
    return 0;
} catch (const simdjson_error &) {
    return -1;
}

void payload(ondemand::object object, avito_event *e, bench_message *room)
{
    ondemand::object inner;

    for (ondemand::field field : object) {
        const char *key = key_of(field);

        if (KEY("type")) {
            str(field.value(), &e->type);
        } else if (KEY("value") && field.value().get_object().get(inner) == SUCCESS) {
            e->message = &room->message;
            message<true>(inner, room);
        }
    }
}

int notification(const char *body, size_t len, bench_sink *sink)
try {
    ondemand::document doc = parser.iterate(body, len, len + SIMDJSON_PADDING);
    avito_event event;

    BENCH_CLEAR(&event);
    for (ondemand::field field : doc.get_object()) {
        const char *key = key_of(field);

        if (KEY("id")) {
            str(field.value(), &event.id);
        } else if (KEY("version")) {
            str(field.value(), &event.version);
        } else if (KEY("timestamp")) {
            number(field.value(), &event.timestamp);
        } else if (KEY("payload")) {
            payload(field.value().get_object(), &event, &message_room);
        }
    }
    sink->notification(sink, &event);
    return 0;
} catch (const simdjson_error &) {
    return -1;
}

void phones(ondemand::array array, avito_strs *out)
{
    static avito_str room[BENCH_PHONES]; // the next call uses it again

    out->items = room;
    for (ondemand::value phone : array) {
        if (out->count < BENCH_PHONES) {
            str(phone, &room[out->count++]);
        }
    }
}

int self(const char *body, size_t len, avito_self *out)
try {
    ondemand::document doc = parser.iterate(body, len, len + SIMDJSON_PADDING);

    BENCH_CLEAR(out);
    for (ondemand::field field : doc.get_object()) {
        const char *key = key_of(field);

        if (KEY("email")) {
            str(field.value(), &out->email);
        } else if (KEY("id")) {
            number(field.value(), &out->id);
        } else if (KEY("name")) {
            str(field.value(), &out->name);
        } else if (KEY("phone")) {
            str(field.value(), &out->phone);
        } else if (KEY("phones")) {
            phones(field.value().get_array(), &out->phones);
        } else if (KEY("profile_url")) {
            str(field.value(), &out->profile_url);
        }
    }
    return 0;
} catch (const simdjson_error &) {
    return -1;
}

} // namespace

extern "C" const bench_peer bench_peers[] = {
    {"simdjson", chats, messages, notification, self, NULL, true},
    {NULL, NULL, NULL, NULL, NULL, NULL, false},
};
