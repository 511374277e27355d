// RapidJSON: SAX in place (kParseInsituFlag), SSE2. A value's place is found at its key.
#define RAPIDJSON_SSE2
#include <rapidjson/reader.h>

#include <cstdlib>

#include "slots.h"

namespace
{

enum Where {
    ROOT,
    CHATS,
    CHAT,
    CONTEXT,
    ITEM,
    IMAGES,
    PLACE,
    USERS,
    USER,
    PROFILE,
    AVATAR,
    SIZES,
    MESSAGES,
    MESSAGE,
    CONTENT,
    IMAGE,
    LINK,
    PREVIEW,
    ITEM_CONTENT,
    LOCATION,
    CALL,
    VOICE,
    QUOTE,
    PAYLOAD
};

enum Form { NOTHING, STRING, INT, DEGREES, FLAG, CHILD };

struct Frame {
    Where where;
    void *out;           // the struct being filled
    bench_content *room; // of a content and what is in it
};

struct Handler {
    bench_sink *sink;
    Frame frames[16];
    Frame *top;
    unsigned skipped; // open containers that are skipped
    Form form;        // of the value that follows
    void *to;
    bool *has;
    Frame child;
    bench_chat chat;
    bench_message message;
    avito_event event;

    explicit Handler(bench_sink *s) : sink(s), top(frames), skipped(0), form(NOTHING)
    {
        frames[0].where = ROOT;
    }

    bool expect(Form f, void *out)
    {
        form = f;
        to = out;
        return true;
    }

    bool expect_child(Where where, void *out, bench_content *room)
    {
        form = CHILD;
        child.where = where;
        child.out = out;
        child.room = room;
        return true;
    }

    bool expect_flag(bool *flag, bool *flag_has)
    {
        has = flag_has;
        return expect(FLAG, flag);
    }

    bool none()
    {
        form = NOTHING;
        return true;
    }

    // Values.
    bool Null()
    {
        return none();
    }
    bool Bool(bool b)
    {
        if (form == FLAG) {
            *static_cast<bool *>(to) = b;
            *has = true;
        }
        return none();
    }
    bool Int(int i)
    {
        return Int64(i);
    }
    bool Uint(unsigned i)
    {
        return Int64(i);
    }
    bool Uint64(uint64_t i)
    {
        return Int64(static_cast<int64_t>(i));
    }
    bool Int64(int64_t i)
    {
        if (form == INT) {
            *static_cast<int64_t *>(to) = i;
        } else if (form == DEGREES) {
            *static_cast<int32_t *>(to) = bench_e7(static_cast<double>(i));
        }
        return none();
    }
    bool Double(double d)
    {
        if (form == DEGREES) {
            *static_cast<int32_t *>(to) = bench_e7(d);
        }
        return none();
    }
    bool RawNumber(const char *, rapidjson::SizeType, bool)
    {
        return none();
    }
    bool String(const char *s, rapidjson::SizeType len, bool)
    {
        if (form == STRING) {
            *static_cast<avito_str *>(to) = bench_str(s, len);
        }
        return none();
    }

    bool StartArray()
    {
        if (skipped > 0 || form != CHILD ||
            (child.where != CHATS && child.where != USERS && child.where != MESSAGES)) {
            skipped++;
        } else {
            *++top = child;
        }
        return none();
    }
    bool EndArray(rapidjson::SizeType)
    {
        if (skipped > 0) {
            skipped--;
        } else {
            top--;
        }
        return none();
    }
    bool StartObject();
    bool EndObject(rapidjson::SizeType);
    bool Key(const char *s, rapidjson::SizeType len, bool);

    void attach(const Frame &parent);
    void attach_part(avito_content *c);
    bool element();
    bool chat_key(avito_str k);
    bool context_key(avito_str k, avito_context *c);
    bool item_key(avito_str k, avito_item *i);
    bool images_key(avito_str k, avito_item_images *i);
    bool place_key(avito_str k, avito_item_location *l);
    bool user_key(avito_str k, avito_user *u);
    bool profile_key(avito_str k, avito_profile *p);
    bool avatar_key(avito_str k, avito_avatar *a);
    bool sizes_key(avito_str k, avito_image_sizes *list);
    bool root_key(avito_str k);
    bool payload_key(avito_str k);
    bool message_key(avito_str k, bench_message *room);
    bool notified_key(avito_str k, avito_message *m);
    bool quote_key(avito_str k, bench_message *room);
    bool content_key(avito_str k, avito_content *c, bench_content *room);
    bool link_key(avito_str k, bench_content *room);
    bool preview_key(avito_str k, bench_content *room);
    bool item_content_key(avito_str k, avito_item_content *i);
    bool location_key(avito_str k, avito_location *l);
    bool call_key(avito_str k, avito_call *c);
};

// The next element of an array.
bool Handler::element()
{
    Frame *f = top + 1;

    if (top->where == CHATS) {
        f->where = CHAT;
        BENCH_CLEAR(&chat.chat);
        chat.chat.users.items = chat.users;
    } else if (top->where == MESSAGES) {
        f->where = MESSAGE;
        f->out = &message;
        BENCH_CLEAR(&message.message);
    } else if (top->where == USERS && chat.chat.users.count < BENCH_USERS) {
        f->where = USER;
        f->out = &chat.users[chat.chat.users.count++];
        BENCH_CLEAR(static_cast<avito_user *>(f->out));
    } else {
        skipped++;
        return true;
    }
    top = f;
    return true;
}

// The child exists: empties it and links it to its parent.
void Handler::attach(const Frame &parent)
{
    switch (child.where) {
        case CONTEXT:
            BENCH_CLEAR(chat.chat.context = &chat.context);
            break;
        case ITEM:
            BENCH_CLEAR(chat.context.item = &chat.item);
            break;
        case IMAGES:
            BENCH_CLEAR(chat.item.images = &chat.images);
            break;
        case PLACE:
            BENCH_CLEAR(chat.item.location = &chat.location);
            break;
        case PROFILE:
            BENCH_CLEAR(static_cast<avito_profile *>(child.out));
            static_cast<avito_user *>(parent.out)->public_user_profile =
                static_cast<avito_profile *>(child.out);
            break;
        case AVATAR:
            BENCH_CLEAR(static_cast<avito_avatar *>(child.out));
            static_cast<avito_profile *>(parent.out)->avatar =
                static_cast<avito_avatar *>(child.out);
            break;
        case MESSAGE:
            if (parent.where == PAYLOAD) {
                BENCH_CLEAR(event.message = &message.message);
            } else {
                BENCH_CLEAR(chat.chat.last_message = &chat.last.message);
            }
            break;
        case QUOTE: {
            bench_message *room = static_cast<bench_message *>(child.out);

            BENCH_CLEAR(room->message.quote = &room->quote);
            break;
        }
        case PREVIEW:
            BENCH_CLEAR(child.room->link.preview = &child.room->preview);
            break;
        case CONTENT:
        case SIZES:
        case PAYLOAD:
            break;
        default:
            attach_part(static_cast<avito_content *>(parent.out));
    }
}

// The same for a part of a content.
void Handler::attach_part(avito_content *c)
{
    bench_content *room = child.room;

    switch (child.where) {
        case IMAGE:
            c->kind = AVITO_MESSAGE_IMAGE;
            BENCH_CLEAR(c->as.image = &room->image);
            break;
        case LINK:
            c->kind = AVITO_MESSAGE_LINK;
            BENCH_CLEAR(c->as.link = &room->link);
            break;
        case ITEM_CONTENT:
            c->kind = AVITO_MESSAGE_ITEM;
            BENCH_CLEAR(c->as.item = &room->item);
            break;
        case LOCATION:
            c->kind = AVITO_MESSAGE_LOCATION;
            BENCH_CLEAR(c->as.location = &room->location);
            break;
        case CALL:
            c->kind = AVITO_MESSAGE_CALL;
            BENCH_CLEAR(c->as.call = &room->call);
            break;
        case VOICE:
            c->kind = AVITO_MESSAGE_VOICE;
            BENCH_CLEAR(c->as.voice = &room->voice);
            break;
        default:
            break;
    }
}

bool Handler::StartObject()
{
    if (skipped > 0) {
        skipped++;
        return true;
    }
    if (form == CHILD && child.where != CHATS && child.where != USERS && child.where != MESSAGES) {
        attach(*top);
        *++top = child;
        return none();
    }
    if (top->where == ROOT && top == frames && form == NOTHING) {
        *++top = frames[0];
        return true;
    }
    return element() && none();
}

bool Handler::EndObject(rapidjson::SizeType)
{
    Frame *f = top;
    bench_message *room;

    if (skipped > 0) {
        skipped--;
        return none();
    }
    top--;
    if (f->where == CHAT) {
        sink->chat(sink, &chat.chat);
    } else if (f->where == MESSAGE) {
        room = static_cast<bench_message *>(f->out);
        room->message.type = bench_type(room->message.type_word);
        room->message.direction = bench_direction(room->message.direction_word);
        bench_settle(&room->message.content, &room->content, room->message.type);
        room->message.chat_type = bench_chat_type(room->message.chat_type_word);
        if (top->where == MESSAGES) {
            sink->message(sink, &room->message);
        }
    } else if (f->where == QUOTE) {
        room = static_cast<bench_message *>(f->out);
        room->quote.type = bench_type(room->quote.type_word);
        bench_settle(&room->quote.content, &room->quoted, room->quote.type);
    } else if (f->where == LOCATION) {
        avito_location *l = static_cast<avito_location *>(f->out);

        l->kind = bench_kind(l->kind_word);
    } else if (f->where == CALL) {
        avito_call *c = static_cast<avito_call *>(f->out);

        c->status = bench_status(c->status_word);
    }
    return none();
}

bool Handler::Key(const char *s, rapidjson::SizeType len, bool)
{
    avito_str k = bench_str(s, len);

    if (skipped > 0) {
        return true;
    }
    switch (top->where) {
        case ROOT:
            return root_key(k);
        case PAYLOAD:
            return payload_key(k);
        case CHAT:
            return chat_key(k);
        case CONTEXT:
            return context_key(k, static_cast<avito_context *>(top->out));
        case ITEM:
            return item_key(k, static_cast<avito_item *>(top->out));
        case IMAGES:
            return images_key(k, static_cast<avito_item_images *>(top->out));
        case PLACE:
            return place_key(k, static_cast<avito_item_location *>(top->out));
        case USER:
            return user_key(k, static_cast<avito_user *>(top->out));
        case PROFILE:
            return profile_key(k, static_cast<avito_profile *>(top->out));
        case AVATAR:
            return avatar_key(k, static_cast<avito_avatar *>(top->out));
        case SIZES:
            return sizes_key(k, static_cast<avito_image_sizes *>(top->out));
        case MESSAGE:
            return message_key(k, static_cast<bench_message *>(top->out));
        case QUOTE:
            return quote_key(k, static_cast<bench_message *>(top->out));
        case CONTENT:
            return content_key(k, static_cast<avito_content *>(top->out), top->room);
        case IMAGE:
            if (BENCH_IS(k, "sizes")) {
                top->room->image.sizes.items = top->room->sizes;
                return expect_child(SIZES, &top->room->image.sizes, top->room);
            }
            return none();
        case LINK:
            return link_key(k, top->room);
        case PREVIEW:
            return preview_key(k, top->room);
        case ITEM_CONTENT:
            return item_content_key(k, static_cast<avito_item_content *>(top->out));
        case LOCATION:
            return location_key(k, static_cast<avito_location *>(top->out));
        case CALL:
            return call_key(k, static_cast<avito_call *>(top->out));
        case VOICE:
            return BENCH_IS(k, "voice_id")
                       ? expect(STRING, &static_cast<avito_voice *>(top->out)->voice_id)
                       : none();
        default:
            return none();
    }
}

bool Handler::root_key(avito_str k)
{
    return BENCH_IS(k, "chats")       ? expect_child(CHATS, NULL, NULL)
           : BENCH_IS(k, "messages")  ? expect_child(MESSAGES, NULL, NULL)
           : BENCH_IS(k, "id")        ? expect(STRING, &event.id)
           : BENCH_IS(k, "version")   ? expect(STRING, &event.version)
           : BENCH_IS(k, "timestamp") ? expect(INT, &event.timestamp)
           : BENCH_IS(k, "payload")   ? expect_child(PAYLOAD, NULL, NULL)
                                      : none();
}

bool Handler::payload_key(avito_str k)
{
    return BENCH_IS(k, "type")    ? expect(STRING, &event.type)
           : BENCH_IS(k, "value") ? expect_child(MESSAGE, &message, NULL)
                                  : none();
}

bool Handler::chat_key(avito_str k)
{
    avito_chat *c = &chat.chat;

    if (BENCH_IS(k, "id")) {
        return expect(STRING, &c->id);
    }
    if (BENCH_IS(k, "created")) {
        return expect(INT, &c->created);
    }
    if (BENCH_IS(k, "updated")) {
        return expect(INT, &c->updated);
    }
    if (BENCH_IS(k, "context")) {
        return expect_child(CONTEXT, &chat.context, NULL);
    }
    if (BENCH_IS(k, "users")) {
        return expect_child(USERS, NULL, NULL);
    }
    if (BENCH_IS(k, "last_message")) {
        return expect_child(MESSAGE, &chat.last, NULL);
    }
    return none();
}

bool Handler::context_key(avito_str k, avito_context *c)
{
    if (BENCH_IS(k, "type")) {
        return expect(STRING, &c->type);
    }
    if (BENCH_IS(k, "value")) {
        return expect_child(ITEM, &chat.item, NULL);
    }
    return none();
}

bool Handler::item_key(avito_str k, avito_item *i)
{
    if (BENCH_IS(k, "id")) {
        return expect(INT, &i->id);
    }
    if (BENCH_IS(k, "title")) {
        return expect(STRING, &i->title);
    }
    if (BENCH_IS(k, "user_id")) {
        return expect(INT, &i->user_id);
    }
    if (BENCH_IS(k, "images")) {
        return expect_child(IMAGES, &chat.images, NULL);
    }
    if (BENCH_IS(k, "status_id")) {
        return expect(INT, &i->status_id);
    }
    if (BENCH_IS(k, "price_string")) {
        return expect(STRING, &i->price_string);
    }
    if (BENCH_IS(k, "url")) {
        return expect(STRING, &i->url);
    }
    if (BENCH_IS(k, "location")) {
        return expect_child(PLACE, &chat.location, NULL);
    }
    return none();
}

bool Handler::images_key(avito_str k, avito_item_images *i)
{
    if (BENCH_IS(k, "main")) {
        i->main.items = chat.main;
        return expect_child(SIZES, &i->main, NULL);
    }
    return BENCH_IS(k, "count") ? expect(INT, &i->count) : none();
}

bool Handler::place_key(avito_str k, avito_item_location *l)
{
    return BENCH_IS(k, "title") ? expect(STRING, &l->title)
           : BENCH_IS(k, "lat") ? expect(DEGREES, &l->lat_e7)
           : BENCH_IS(k, "lon") ? expect(DEGREES, &l->lon_e7)
                                : none();
}

bool Handler::user_key(avito_str k, avito_user *u)
{
    if (BENCH_IS(k, "id")) {
        return expect(INT, &u->id);
    }
    if (BENCH_IS(k, "name")) {
        return expect(STRING, &u->name);
    }
    if (BENCH_IS(k, "parsing_allowed")) {
        return expect_flag(&u->parsing_allowed, &u->has_parsing_allowed);
    }
    if (BENCH_IS(k, "public_user_profile")) {
        return expect_child(PROFILE, &chat.more[u - chat.users].profile, NULL);
    }
    return none();
}

bool Handler::profile_key(avito_str k, avito_profile *p)
{
    if (BENCH_IS(k, "user_id")) {
        return expect(INT, &p->user_id);
    }
    if (BENCH_IS(k, "item_id")) {
        return expect(INT, &p->item_id);
    }
    if (BENCH_IS(k, "avatar")) {
        return expect_child(AVATAR, &chat.more[chat.chat.users.count - 1].avatar, NULL);
    }
    return BENCH_IS(k, "url") ? expect(STRING, &p->url) : none();
}

bool Handler::avatar_key(avito_str k, avito_avatar *a)
{
    if (BENCH_IS(k, "default")) {
        return expect(STRING, &a->default_url);
    }
    if (BENCH_IS(k, "images")) {
        a->images.items = chat.more[chat.chat.users.count - 1].sizes;
        return expect_child(SIZES, &a->images, NULL);
    }
    return none();
}

bool Handler::sizes_key(avito_str k, avito_image_sizes *list)
{
    avito_image_size *at;

    if (list->count == BENCH_SIZES) {
        return none();
    }
    at = &list->items[list->count++];
    BENCH_CLEAR(at);
    at->size = k;
    return expect(STRING, &at->url);
}

bool Handler::message_key(avito_str k, bench_message *room)
{
    avito_message *m = &room->message;

    if (BENCH_IS(k, "id")) {
        return expect(STRING, &m->id);
    }
    if (BENCH_IS(k, "author_id")) {
        return expect(INT, &m->author_id);
    }
    if (BENCH_IS(k, "created")) {
        return expect(INT, &m->created);
    }
    if (BENCH_IS(k, "content")) {
        room->content.text = room->content.flow_id = bench_str(NULL, 0);
        return expect_child(CONTENT, &m->content, &room->content);
    }
    if (BENCH_IS(k, "type")) {
        return expect(STRING, &m->type_word);
    }
    if (BENCH_IS(k, "direction")) {
        return expect(STRING, &m->direction_word);
    }
    if (BENCH_IS(k, "delivered")) {
        return expect(INT, &m->delivered);
    }
    if (BENCH_IS(k, "is_read")) {
        return expect_flag(&m->is_read, &m->has_is_read);
    }
    if (BENCH_IS(k, "read")) {
        return expect(INT, &m->read);
    }
    if (BENCH_IS(k, "quote")) {
        return expect_child(QUOTE, room, NULL);
    }
    return notified_key(k, m);
}

// Members that only a notification's message has.
bool Handler::notified_key(avito_str k, avito_message *m)
{
    return BENCH_IS(k, "chat_id")        ? expect(STRING, &m->chat_id)
           : BENCH_IS(k, "user_id")      ? expect(INT, &m->user_id)
           : BENCH_IS(k, "chat_type")    ? expect(STRING, &m->chat_type_word)
           : BENCH_IS(k, "item_id")      ? expect(INT, &m->item_id)
           : BENCH_IS(k, "published_at") ? expect(STRING, &m->published_at)
                                         : none();
}

bool Handler::quote_key(avito_str k, bench_message *room)
{
    avito_quote *q = &room->quote;

    if (BENCH_IS(k, "id")) {
        return expect(STRING, &q->id);
    }
    if (BENCH_IS(k, "author_id")) {
        return expect(INT, &q->author_id);
    }
    if (BENCH_IS(k, "created")) {
        return expect(INT, &q->created);
    }
    if (BENCH_IS(k, "type")) {
        return expect(STRING, &q->type_word);
    }
    if (BENCH_IS(k, "content")) {
        room->quoted.text = room->quoted.flow_id = bench_str(NULL, 0);
        return expect_child(CONTENT, &q->content, &room->quoted);
    }
    return none();
}

bool Handler::content_key(avito_str k, avito_content *, bench_content *room)
{
    if (BENCH_IS(k, "text")) {
        return expect(STRING, &room->text);
    }
    if (BENCH_IS(k, "flow_id")) {
        return expect(STRING, &room->flow_id);
    }
    if (BENCH_IS(k, "image")) {
        return expect_child(IMAGE, &room->image, room);
    }
    if (BENCH_IS(k, "link")) {
        return expect_child(LINK, &room->link, room);
    }
    if (BENCH_IS(k, "item")) {
        return expect_child(ITEM_CONTENT, &room->item, room);
    }
    if (BENCH_IS(k, "location")) {
        return expect_child(LOCATION, &room->location, room);
    }
    if (BENCH_IS(k, "call")) {
        return expect_child(CALL, &room->call, room);
    }
    return BENCH_IS(k, "voice") ? expect_child(VOICE, &room->voice, room) : none();
}

bool Handler::link_key(avito_str k, bench_content *room)
{
    if (BENCH_IS(k, "text")) {
        return expect(STRING, &room->link.text);
    }
    if (BENCH_IS(k, "url")) {
        return expect(STRING, &room->link.url);
    }
    return BENCH_IS(k, "preview") ? expect_child(PREVIEW, &room->preview, room) : none();
}

bool Handler::preview_key(avito_str k, bench_content *room)
{
    avito_link_preview *p = &room->preview;

    if (BENCH_IS(k, "images")) {
        p->images.items = room->sizes;
        return expect_child(SIZES, &p->images, room);
    }
    return BENCH_IS(k, "description") ? expect(STRING, &p->description)
           : BENCH_IS(k, "domain")    ? expect(STRING, &p->domain)
           : BENCH_IS(k, "title")     ? expect(STRING, &p->title)
           : BENCH_IS(k, "url")       ? expect(STRING, &p->url)
                                      : none();
}

bool Handler::item_content_key(avito_str k, avito_item_content *i)
{
    return BENCH_IS(k, "image_url")      ? expect(STRING, &i->image_url)
           : BENCH_IS(k, "item_url")     ? expect(STRING, &i->item_url)
           : BENCH_IS(k, "price_string") ? expect(STRING, &i->price_string)
           : BENCH_IS(k, "title")        ? expect(STRING, &i->title)
                                         : none();
}

bool Handler::location_key(avito_str k, avito_location *l)
{
    return BENCH_IS(k, "kind")    ? expect(STRING, &l->kind_word)
           : BENCH_IS(k, "lat")   ? expect(DEGREES, &l->lat_e7)
           : BENCH_IS(k, "lon")   ? expect(DEGREES, &l->lon_e7)
           : BENCH_IS(k, "text")  ? expect(STRING, &l->text)
           : BENCH_IS(k, "title") ? expect(STRING, &l->title)
                                  : none();
}

bool Handler::call_key(avito_str k, avito_call *c)
{
    return BENCH_IS(k, "status")           ? expect(STRING, &c->status_word)
           : BENCH_IS(k, "target_user_id") ? expect(INT, &c->target_user_id)
                                           : none();
}

// Decoding writes into the text, so it needs a copy, as recv() would have filled it.
char *copy;
size_t copy_cap;

Handler handler(NULL);

int decode(const char *body, size_t len, bench_sink *sink)
{
    rapidjson::Reader reader;

    if (copy_cap < len + 1) {
        copy_cap = len + 1;
        copy = static_cast<char *>(realloc(copy, copy_cap));
    }
    memcpy(copy, body, len);
    copy[len] = 0;
    handler.sink = sink;
    handler.top = handler.frames;
    handler.skipped = 0;
    handler.form = NOTHING;
    rapidjson::InsituStringStream stream(copy);
    return reader.Parse<rapidjson::kParseInsituFlag>(stream, handler).IsError() ? -1 : 0;
}

int notification(const char *body, size_t len, bench_sink *sink)
{
    int result;

    BENCH_CLEAR(&handler.event);
    result = decode(body, len, sink);
    if (result == 0) {
        sink->notification(sink, &handler.event);
    }
    return result;
}

} // namespace

extern "C" const bench_peer bench_peers[] = {
    {"RapidJSON", decode, decode, notification, NULL, NULL, false},
    {NULL, NULL, NULL, NULL, NULL, NULL, false},
};
