/* Decoding from a tree: the same code for cJSON, jansson and json-c. The including file defines how
 * a tree is made and read:
 *
 *   PEER                     what it is called in the tables
 *   tree_parse(body, len)    the root, or NULL
 *   tree_free(root)
 *   NODE                     a value, or NULL
 *   node_get(object, "key")  NULL when missing or not an object
 *   node_str(n, s)           avito_str into *s, when n is a string
 *   node_int(n)              int64_t; 0 when n is no number
 *   node_real(n)             double
 *   node_bool(n)             -1 when n is no bool
 *   node_is_object(n)
 *   EACH_MEMBER(object, key, value) { ... } END_MEMBER     const char *key
 *   EACH_ELEMENT(array, value) { ... } END_ELEMENT         NULL array: nothing
 *   PEERS_MORE               optional: rows of further decoders, each with a comma after it
 */
#include "slots.h"

static avito_str get_str(NODE object, const char *key)
{
    avito_str s = {NULL, 0};

    node_str(node_get(object, key), &s);
    return s;
}

static int64_t get_int(NODE object, const char *key)
{
    return node_int(node_get(object, key));
}

static avito_image_sizes get_sizes(NODE object, avito_image_size *room)
{
    avito_image_sizes list = {room, 0};

    if (!node_is_object(object)) {
        return list;
    }
    EACH_MEMBER(object, key, value)
    {
        if (list.count < BENCH_SIZES) {
            avito_image_size *at = &room[list.count++];

            BENCH_CLEAR(at);
            at->size = bench_str(key, strlen(key));
            node_str(value, &at->url);
        }
    }
    END_MEMBER
    return list;
}

static void get_link(NODE link, bench_content *room, avito_content *out)
{
    NODE preview = node_get(link, "preview");

    BENCH_CLEAR(&room->link);
    out->kind = AVITO_MESSAGE_LINK;
    out->as.link = &room->link;
    room->link.text = get_str(link, "text");
    room->link.url = get_str(link, "url");
    if (node_is_object(preview)) {
        avito_link_preview *p = &room->preview;

        room->link.preview = p;
        p->title = get_str(preview, "title");
        p->description = get_str(preview, "description");
        p->domain = get_str(preview, "domain");
        p->url = get_str(preview, "url");
        p->images = get_sizes(node_get(preview, "images"), room->sizes);
    }
}

static void get_location(NODE location, bench_content *room, avito_content *out)
{
    avito_location *l = &room->location;

    out->kind = AVITO_MESSAGE_LOCATION;
    out->as.location = l;
    l->kind_word = get_str(location, "kind");
    l->kind = bench_kind(l->kind_word);
    l->lat_e7 = bench_e7(node_real(node_get(location, "lat")));
    l->lon_e7 = bench_e7(node_real(node_get(location, "lon")));
    l->title = get_str(location, "title");
    l->text = get_str(location, "text");
}

/* The members that are objects. */
static void get_parts(NODE content, bench_content *room, avito_content *out)
{
    NODE n = node_get(content, "image");

    if (node_is_object(n)) {
        out->kind = AVITO_MESSAGE_IMAGE;
        out->as.image = &room->image;
        room->image.sizes = get_sizes(node_get(n, "sizes"), room->sizes);
    }
    if (node_is_object(n = node_get(content, "link"))) {
        get_link(n, room, out);
    }
    if (node_is_object(n = node_get(content, "item"))) {
        out->kind = AVITO_MESSAGE_ITEM;
        out->as.item = &room->item;
        room->item.title = get_str(n, "title");
        room->item.item_url = get_str(n, "item_url");
        room->item.image_url = get_str(n, "image_url");
        room->item.price_string = get_str(n, "price_string");
    }
    if (node_is_object(n = node_get(content, "location"))) {
        get_location(n, room, out);
    }
    if (node_is_object(n = node_get(content, "call"))) {
        out->kind = AVITO_MESSAGE_CALL;
        out->as.call = &room->call;
        room->call.status_word = get_str(n, "status");
        room->call.status = bench_status(room->call.status_word);
        room->call.target_user_id = get_int(n, "target_user_id");
    }
    if (node_is_object(n = node_get(content, "voice"))) {
        out->kind = AVITO_MESSAGE_VOICE;
        out->as.voice = &room->voice;
        room->voice.voice_id = get_str(n, "voice_id");
    }
}

static void get_content(NODE content, bench_content *room, avito_content *out,
                        avito_message_type type)
{
    BENCH_CLEAR(out);
    if (!node_is_object(content)) {
        return;
    }
    room->text = get_str(content, "text");
    room->flow_id = get_str(content, "flow_id");
    get_parts(content, room, out);
    bench_settle(out, room, type);
}

static void get_message(NODE message, bench_message *room)
{
    avito_message *m = &room->message;
    NODE quote = node_get(message, "quote");
    int flag = node_bool(node_get(message, "is_read"));

    BENCH_CLEAR(m);
    m->id = get_str(message, "id");
    m->author_id = get_int(message, "author_id");
    m->created = get_int(message, "created");
    m->type_word = get_str(message, "type");
    m->type = bench_type(m->type_word);
    m->direction_word = get_str(message, "direction");
    m->direction = bench_direction(m->direction_word);
    m->read = get_int(message, "read");
    m->delivered = get_int(message, "delivered");
    m->has_is_read = flag >= 0;
    m->is_read = flag > 0;
    get_content(node_get(message, "content"), &room->content, &m->content, m->type);
    if (node_is_object(quote)) {
        avito_quote *q = &room->quote;

        m->quote = q;
        q->id = get_str(quote, "id");
        q->author_id = get_int(quote, "author_id");
        q->created = get_int(quote, "created");
        q->type_word = get_str(quote, "type");
        q->type = bench_type(q->type_word);
        get_content(node_get(quote, "content"), &room->quoted, &q->content, q->type);
    }
}

/* Members that only a notification's message has. */
static void get_notified(NODE value, avito_message *m)
{
    m->chat_id = get_str(value, "chat_id");
    m->user_id = get_int(value, "user_id");
    m->chat_type_word = get_str(value, "chat_type");
    m->chat_type = bench_chat_type(m->chat_type_word);
    m->item_id = get_int(value, "item_id");
    m->published_at = get_str(value, "published_at");
}

static void get_event(NODE root, bench_message *room, avito_event *e)
{
    NODE payload = node_get(root, "payload"), value = node_get(payload, "value");

    BENCH_CLEAR(e);
    e->id = get_str(root, "id");
    e->version = get_str(root, "version");
    e->timestamp = get_int(root, "timestamp");
    e->type = get_str(payload, "type");
    if (node_is_object(value)) {
        e->message = &room->message;
        get_message(value, room);
        get_notified(value, e->message);
    }
}

static void get_profile(NODE profile, bench_user *room)
{
    avito_profile *p = &room->profile;
    NODE avatar = node_get(profile, "avatar");

    BENCH_CLEAR(p);
    p->user_id = get_int(profile, "user_id");
    p->item_id = get_int(profile, "item_id");
    p->url = get_str(profile, "url");
    if (node_is_object(avatar)) {
        p->avatar = &room->avatar;
        p->avatar->default_url = get_str(avatar, "default");
        p->avatar->images = get_sizes(node_get(avatar, "images"), room->sizes);
    }
}

static void get_user(NODE user, avito_user *u, bench_user *room)
{
    NODE profile = node_get(user, "public_user_profile");
    int flag = node_bool(node_get(user, "parsing_allowed"));

    BENCH_CLEAR(u);
    u->id = get_int(user, "id");
    u->name = get_str(user, "name");
    u->has_parsing_allowed = flag >= 0;
    u->parsing_allowed = flag > 0;
    if (node_is_object(profile)) {
        u->public_user_profile = &room->profile;
        get_profile(profile, room);
    }
}

static void get_item(NODE value, bench_chat *room)
{
    avito_item *i = &room->item;
    NODE images = node_get(value, "images"), location = node_get(value, "location");

    BENCH_CLEAR(i);
    i->id = get_int(value, "id");
    i->user_id = get_int(value, "user_id");
    i->status_id = get_int(value, "status_id");
    i->title = get_str(value, "title");
    i->price_string = get_str(value, "price_string");
    i->url = get_str(value, "url");
    if (node_is_object(images)) {
        i->images = &room->images;
        i->images->main = get_sizes(node_get(images, "main"), room->main);
        i->images->count = get_int(images, "count");
    }
    if (node_is_object(location)) {
        i->location = &room->location;
        i->location->title = get_str(location, "title");
        i->location->lat_e7 = bench_e7(node_real(node_get(location, "lat")));
        i->location->lon_e7 = bench_e7(node_real(node_get(location, "lon")));
    }
}

static void get_chat(NODE chat, bench_chat *room)
{
    avito_chat *c = &room->chat;
    NODE context = node_get(chat, "context"), last = node_get(chat, "last_message");

    BENCH_CLEAR(c);
    c->id = get_str(chat, "id");
    c->created = get_int(chat, "created");
    c->updated = get_int(chat, "updated");
    if (node_is_object(context)) {
        NODE value = node_get(context, "value");

        c->context = &room->context;
        c->context->type = get_str(context, "type");
        c->context->item = node_is_object(value) ? &room->item : NULL;
        if (c->context->item != NULL) {
            get_item(value, room);
        }
    }
    c->users.items = room->users;
    EACH_ELEMENT(node_get(chat, "users"), user)
    {
        if (c->users.count < BENCH_USERS) {
            get_user(user, &room->users[c->users.count], &room->more[c->users.count]);
            c->users.count++;
        }
    }
    END_ELEMENT
    if (node_is_object(last)) {
        c->last_message = &room->last.message;
        get_message(last, &room->last);
    }
}

static bench_chat chat_room;
static bench_message message_room;

static int chats(const char *body, size_t len, bench_sink *sink)
{
    NODE root = tree_parse(body, len);

    EACH_ELEMENT(node_get(root, "chats"), chat)
    {
        get_chat(chat, &chat_room);
        sink->chat(sink, &chat_room.chat);
    }
    END_ELEMENT
    tree_free(root);
    return root == NULL ? -1 : 0;
}

static int messages(const char *body, size_t len, bench_sink *sink)
{
    NODE root = tree_parse(body, len);

    EACH_ELEMENT(node_get(root, "messages"), message)
    {
        get_message(message, &message_room);
        sink->message(sink, &message_room.message);
    }
    END_ELEMENT
    tree_free(root);
    return root == NULL ? -1 : 0;
}

static int notification(const char *body, size_t len, bench_sink *sink)
{
    NODE root = tree_parse(body, len);
    avito_event event;

    if (root != NULL) {
        get_event(root, &message_room, &event);
        sink->notification(sink, &event);
    }
    tree_free(root);
    return root == NULL ? -1 : 0;
}

/* The phones are in static memory, which the next call uses again. */
static int self(const char *body, size_t len, avito_self *out)
{
    static avito_str phones[BENCH_PHONES];
    NODE root = tree_parse(body, len);

    BENCH_CLEAR(out);
    out->id = get_int(root, "id");
    out->name = get_str(root, "name");
    out->email = get_str(root, "email");
    out->phone = get_str(root, "phone");
    out->profile_url = get_str(root, "profile_url");
    out->phones.items = phones;
    EACH_ELEMENT(node_get(root, "phones"), phone)
    {
        if (out->phones.count < BENCH_PHONES) {
            node_str(phone, &phones[out->phones.count++]);
        }
    }
    END_ELEMENT
    tree_free(root);
    return root == NULL ? -1 : 0;
}

#ifndef PEERS_MORE
#define PEERS_MORE
#endif

const bench_peer bench_peers[] = {
    {PEER, chats, messages, notification, self, NULL, true},
    PEERS_MORE{NULL, NULL, NULL, NULL, NULL, NULL, false},
};
