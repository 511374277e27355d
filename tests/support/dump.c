#include "support/dump.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

void text_free(struct text *text)
{
    free(text->data);
    memset(text, 0, sizeof *text);
}

void text_clear(struct text *text)
{
    text->len = 0;
    text_add(text, "%s", "");
}

static void text_reserve(struct text *text, size_t more)
{
    if (text->len + more + 1 > text->cap) {
        text->cap = (text->len + more + 1) * 2;
        text->data = realloc(text->data, text->cap);
        if (text->data == NULL) {
            abort();
        }
    }
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args, again;
    int n;

    va_start(args, format);
    va_copy(again, args);
    text_reserve(text, 100); /* most lines are shorter: formatted once */
    n = vsnprintf(text->data + text->len, text->cap - text->len, format, args);
    if (n < 0) {
        abort();
    }
    if ((size_t)n >= text->cap - text->len) {
        text_reserve(text, (size_t)n);
        (void)vsnprintf(text->data + text->len, (size_t)n + 1, format, again);
    }
    text->len += (size_t)n;
    va_end(again);
    va_end(args);
}

void text_add_bytes(struct text *text, const void *bytes, size_t len)
{
    text_reserve(text, len);
    memcpy(text->data + text->len, bytes, len);
    text->len += len;
    text->data[text->len] = '\0';
}

size_t dump_first_difference(const char *a, const char *b)
{
    size_t line = 1;

    while (*a == *b) {
        if (*a == '\0') {
            return 0;
        }
        line += *a == '\n';
        a++;
        b++;
    }
    return line;
}

/* ---- values ---- */

/* One code point of well-formed UTF-8; its length, or 0 if it is not well-formed. */
static size_t code_point(const unsigned char *p, size_t left, uint32_t *out)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    uint32_t c;

    if (n == 0 || n > left) {
        return 0;
    }
    c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }
    *out = c;
    return n;
}

bool text_is_utf8(const char *text, size_t len)
{
    size_t at = 0, n = 1;
    uint32_t c;

    while (at < len && n > 0) {
        n = code_point((const unsigned char *)text + at, len - at, &c);
        at += n;
    }
    return at == len;
}

static void add_unit(struct text *out, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    const char escape[6] = {'\\',
                            'u',
                            digits[unit >> 12],
                            digits[unit >> 8 & 15],
                            digits[unit >> 4 & 15],
                            digits[unit & 15]};

    text_add_bytes(out, escape, sizeof escape);
}

static void add_code_point(struct text *out, uint32_t c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    const char *found = c != 0 && c < 0x80 ? strchr(plain, (int)c) : NULL;

    if (found != NULL) {
        text_add(out, "\\%c", letter[found - plain]);
    } else if (c >= 0x20 && c < 0x7f) {
        const char byte = (char)c;
        text_add_bytes(out, &byte, 1);
    } else if (c < 0x10000) {
        add_unit(out, c);
    } else {
        add_unit(out, 0xd800 + ((c - 0x10000) >> 10));
        add_unit(out, 0xdc00 + (c & 0x3ff));
    }
}

/* Bytes that are not UTF-8 show as \x..: no expectation has them. So does a missing NUL at the end. */
static void add_string(struct text *out, avito_str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;

    text_add(out, "\"");
    for (size_t i = 0; i < s.len;) {
        uint32_t c = 0;
        size_t n = code_point(p + i, s.len - i, &c);
        if (n == 0) {
            text_add(out, "\\x%02x", p[i]);
            n = 1;
        } else {
            add_code_point(out, c);
        }
        i += n;
    }
    text_add(out, s.ptr[s.len] == '\0' ? "\"" : "\\x (no NUL)");
}

static void string(struct text *out, const char *path, const char *name, avito_str s)
{
    if (s.ptr == NULL) {
        if (s.len != 0) {
            text_add(out, "%s.%s = NULL of %zu bytes\n", path, name, s.len);
        }
        return;
    }
    text_add(out, "%s.%s = ", path, name);
    add_string(out, s);
    text_add(out, "\n");
}

static void number(struct text *out, const char *path, const char *name, int64_t value)
{
    if (value != 0) {
        text_add(out, "%s.%s = %" PRId64 "\n", path, name, value);
    }
}

static void truth(struct text *out, const char *path, const char *name, bool present, bool value)
{
    if (present) {
        text_add(out, "%s.%s = %s\n", path, name, value ? "true" : "false");
    }
}

static void word(struct text *out, const char *path, const char *name, const char *const *names,
                 size_t count, size_t value, avito_str server_word)
{
    if (value == 0 && server_word.ptr == NULL) {
        return;
    }
    text_add(out, "%s.%s = %s", path, name,
             value < count && names[value] != NULL ? names[value] : "(not a constant)");
    if (server_word.ptr != NULL) {
        text_add(out, " ");
        add_string(out, server_word);
    }
    text_add(out, "\n");
}

/* "path.name" or "path.name[index]" of a child; good for the length of one call. */
struct child {
    char path[512];
};

static struct child child(const char *path, const char *name)
{
    struct child c;

    if (snprintf(c.path, sizeof c.path, "%s.%s", path, name) >= (int)sizeof c.path) {
        abort();
    }
    return c;
}

static struct child element(const char *path, size_t index)
{
    struct child c;

    if (snprintf(c.path, sizeof c.path, "%s[%zu]", path, index) >= (int)sizeof c.path) {
        abort();
    }
    return c;
}

static struct child object(struct text *out, const char *path, const char *name)
{
    struct child c = child(path, name);

    text_add(out, "%s = object\n", c.path);
    return c;
}

static void list(struct text *out, const char *path, size_t count, const void *items)
{
    if (count != 0) {
        text_add(out, "%s.count = %zu\n", path, count);
        if (items == NULL) {
            text_add(out, "%s.items = NULL\n", path);
        }
    }
}

/* ---- models, from the leaves up ---- */

static void sizes(struct text *out, const char *path, const char *name,
                  const avito_image_sizes *map)
{
    struct child c = child(path, name);

    list(out, c.path, map->count, map->items);
    for (size_t i = 0; i < map->count; i++) {
        text_add(out, "%s[%zu] = ", c.path, i);
        add_string(out, map->items[i].size);
        text_add(out, " ");
        if (map->items[i].url.ptr != NULL) {
            add_string(out, map->items[i].url);
        } else {
            text_add(out, "null");
        }
        text_add(out, "\n");
    }
}

static void link(struct text *out, const char *path, const avito_link *l)
{
    string(out, path, "text", l->text);
    string(out, path, "url", l->url);
    if (l->preview != NULL) {
        struct child c = object(out, path, "preview");
        string(out, c.path, "title", l->preview->title);
        string(out, c.path, "description", l->preview->description);
        string(out, c.path, "domain", l->preview->domain);
        string(out, c.path, "url", l->preview->url);
        sizes(out, c.path, "images", &l->preview->images);
    }
}

static void item_content(struct text *out, const char *path, const avito_item_content *item)
{
    string(out, path, "title", item->title);
    string(out, path, "item_url", item->item_url);
    string(out, path, "image_url", item->image_url);
    string(out, path, "price_string", item->price_string);
}

static void location(struct text *out, const char *path, const avito_location *l)
{
    static const char *const kinds[] = {"NONE", "HOUSE", "STREET", "AREA", "UNKNOWN"};

    word(out, path, "kind", kinds, 5, (size_t)l->kind, l->kind_word);
    number(out, path, "lat_e7", l->lat_e7);
    number(out, path, "lon_e7", l->lon_e7);
    string(out, path, "title", l->title);
    string(out, path, "text", l->text);
}

static void call(struct text *out, const char *path, const avito_call *c)
{
    static const char *const statuses[] = {"NONE", "MISSED", "UNKNOWN"};

    word(out, path, "status", statuses, 3, (size_t)c->status, c->status_word);
    number(out, path, "target_user_id", c->target_user_id);
}

/* What is kept of the unknown, without the ends of lines, as avito_message_json() writes it. */
static void raw(struct text *out, const char *path, avito_str s)
{
    text_add(out, "%s.raw = ", path);
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] >= ' ') {
            text_add_bytes(out, s.ptr + i, 1);
        }
    }
    text_add(out, "\n");
}

#define NAME(name, word) #name,
static const char *const message_types[] = {"NONE", AVITO_MESSAGE_TYPES(NAME) "UNKNOWN"};
enum { MESSAGE_TYPES = sizeof message_types / sizeof message_types[0] };

static void content(struct text *out, const char *path, const avito_content *c)
{
    struct child in = child(path, "content");
    struct child m;

    if (c->kind == AVITO_MESSAGE_NONE) {
        if (c->as.raw.ptr != NULL) {
            raw(out, in.path, c->as.raw);
        }
        return;
    }
    text_add(out, "%s.kind = %s\n", in.path,
             (size_t)c->kind < MESSAGE_TYPES ? message_types[c->kind] : "(not a constant)");
    switch ((int)c->kind) {
        case AVITO_MESSAGE_TEXT:
            string(out, in.path, "text", c->as.text);
            break;
        case AVITO_MESSAGE_SYSTEM:
            string(out, in.path, "flow_id", c->as.system.flow_id);
            string(out, in.path, "text", c->as.system.text);
            break;
        case AVITO_MESSAGE_IMAGE:
            m = object(out, in.path, "image");
            sizes(out, m.path, "sizes", &c->as.image->sizes);
            break;
        case AVITO_MESSAGE_LINK:
            m = object(out, in.path, "link");
            link(out, m.path, c->as.link);
            break;
        case AVITO_MESSAGE_ITEM:
            m = object(out, in.path, "item");
            item_content(out, m.path, c->as.item);
            break;
        case AVITO_MESSAGE_LOCATION:
            m = object(out, in.path, "location");
            location(out, m.path, c->as.location);
            break;
        case AVITO_MESSAGE_CALL:
            m = object(out, in.path, "call");
            call(out, m.path, c->as.call);
            break;
        case AVITO_MESSAGE_VOICE:
            m = object(out, in.path, "voice");
            string(out, m.path, "voice_id", c->as.voice->voice_id);
            break;
        default: /* a kind without a member: no expectation has it */
            break;
    }
}

static void quote(struct text *out, const char *path, const avito_quote *q)
{
    struct child c = object(out, path, "quote");

    string(out, c.path, "id", q->id);
    number(out, c.path, "author_id", q->author_id);
    number(out, c.path, "created", q->created);
    word(out, c.path, "type", message_types, MESSAGE_TYPES, (size_t)q->type, q->type_word);
    content(out, c.path, &q->content);
}

void dump_message(struct text *out, const char *path, const avito_message *m)
{
    static const char *const directions[] = {"NONE", "IN", "OUT", "UNKNOWN"};
    static const char *const chat_types[] = {"NONE", "U2I", "U2U", NULL,     "A2U",
                                             NULL,   NULL,  NULL,  "UNKNOWN"};

    string(out, path, "id", m->id);
    number(out, path, "author_id", m->author_id);
    number(out, path, "created", m->created);
    word(out, path, "type", message_types, MESSAGE_TYPES, (size_t)m->type, m->type_word);
    word(out, path, "direction", directions, 4, (size_t)m->direction, m->direction_word);
    content(out, path, &m->content);
    if (m->quote != NULL) {
        quote(out, path, m->quote);
    }
    number(out, path, "read", m->read);
    number(out, path, "delivered", m->delivered);
    truth(out, path, "is_read", m->has_is_read, m->is_read);
    truth(out, path, "is_own", m->is_own, true);
    truth(out, path, "is_system", m->is_system, true);
    truth(out, path, "is_placeholder", m->is_placeholder, true);
    truth(out, path, "is_cut", m->is_cut, true);
    string(out, path, "chat_id", m->chat_id);
    number(out, path, "user_id", m->user_id);
    word(out, path, "chat_type", chat_types, 9, (size_t)m->chat_type, m->chat_type_word);
    number(out, path, "item_id", m->item_id);
    string(out, path, "published_at", m->published_at);
}

void dump_messages(struct text *out, const char *path, const avito_messages *messages)
{
    list(out, path, messages->count, messages->items);
    for (size_t i = 0; i < messages->count; i++) {
        dump_message(out, element(path, i).path, &messages->items[i]);
    }
    truth(out, path, "has_more", messages->has_more, true);
}

static void profile(struct text *out, const char *path, const avito_profile *p)
{
    struct child c = object(out, path, "public_user_profile");

    number(out, c.path, "user_id", p->user_id);
    number(out, c.path, "item_id", p->item_id);
    if (p->avatar != NULL) {
        struct child a = object(out, c.path, "avatar");
        string(out, a.path, "default", p->avatar->default_url);
        sizes(out, a.path, "images", &p->avatar->images);
    }
    string(out, c.path, "url", p->url);
}

static void users(struct text *out, const char *path, const avito_users *list_of)
{
    struct child c = child(path, "users");

    list(out, c.path, list_of->count, list_of->items);
    for (size_t i = 0; i < list_of->count; i++) {
        const avito_user *u = &list_of->items[i];
        struct child e = element(c.path, i);
        number(out, e.path, "id", u->id);
        string(out, e.path, "name", u->name);
        truth(out, e.path, "parsing_allowed", u->has_parsing_allowed, u->parsing_allowed);
        if (u->public_user_profile != NULL) {
            profile(out, e.path, u->public_user_profile);
        }
    }
}

static void item(struct text *out, const char *path, const avito_item *i)
{
    struct child c = object(out, path, "item");

    number(out, c.path, "id", i->id);
    number(out, c.path, "user_id", i->user_id);
    number(out, c.path, "status_id", i->status_id);
    string(out, c.path, "title", i->title);
    string(out, c.path, "price_string", i->price_string);
    string(out, c.path, "url", i->url);
    if (i->images != NULL) {
        struct child m = object(out, c.path, "images");
        sizes(out, m.path, "main", &i->images->main);
        /* Not ".count": that is how lists begin. */
        number(out, m.path, "images_count", i->images->count);
    }
    if (i->location != NULL) {
        struct child l = object(out, c.path, "location");
        string(out, l.path, "title", i->location->title);
        number(out, l.path, "lat_e7", i->location->lat_e7);
        number(out, l.path, "lon_e7", i->location->lon_e7);
    }
}

void dump_chat(struct text *out, const char *path, const avito_chat *chat)
{
    string(out, path, "id", chat->id);
    number(out, path, "created", chat->created);
    number(out, path, "updated", chat->updated);
    if (chat->context != NULL) {
        struct child c = object(out, path, "context");
        string(out, c.path, "type", chat->context->type);
        if (chat->context->item != NULL) {
            item(out, c.path, chat->context->item);
        }
    }
    users(out, path, &chat->users);
    if (chat->last_message != NULL) {
        struct child m = object(out, path, "last_message");
        dump_message(out, m.path, chat->last_message);
    }
}

void dump_chats(struct text *out, const char *path, const avito_chats *chats)
{
    list(out, path, chats->count, chats->items);
    for (size_t i = 0; i < chats->count; i++) {
        dump_chat(out, element(path, i).path, &chats->items[i]);
    }
    truth(out, path, "has_more", chats->has_more, true);
}

void dump_event(struct text *out, const char *path, const avito_event *event)
{
    string(out, path, "id", event->id);
    string(out, path, "version", event->version);
    number(out, path, "timestamp", event->timestamp);
    string(out, path, "type", event->type);
    if (event->message != NULL) {
        struct child m = object(out, path, "message");
        dump_message(out, m.path, event->message);
    }
}

void dump_token(struct text *out, const char *path, const avito_token *token)
{
    string(out, path, "access_token", token->access_token);
    string(out, path, "refresh_token", token->refresh_token);
    string(out, path, "token_type", token->token_type);
    string(out, path, "scope", token->scope);
    number(out, path, "expires_in", token->expires_in);
}

void dump_self(struct text *out, const char *path, const avito_self *self)
{
    struct child c = child(path, "phones");

    number(out, path, "id", self->id);
    string(out, path, "name", self->name);
    string(out, path, "email", self->email);
    string(out, path, "phone", self->phone);
    list(out, c.path, self->phones.count, self->phones.items);
    for (size_t i = 0; i < self->phones.count; i++) {
        text_add(out, "%s[%zu] = ", c.path, i);
        if (self->phones.items[i].ptr != NULL) {
            add_string(out, self->phones.items[i]);
        } else {
            text_add(out, "null");
        }
        text_add(out, "\n");
    }
    string(out, path, "profile_url", self->profile_url);
}

void dump_uploaded_image(struct text *out, const char *path, const avito_uploaded_image *image)
{
    string(out, path, "image_id", image->image_id);
    sizes(out, path, "sizes", &image->sizes);
}

void dump_voice_file(struct text *out, const char *path, const avito_voice_file *file)
{
    string(out, path, "voice_id", file->voice_id);
    string(out, path, "url", file->url);
}

void dump_voice_files(struct text *out, const char *path, const avito_voice_files *files)
{
    list(out, path, files->count, files->items);
    for (size_t i = 0; i < files->count; i++) {
        dump_voice_file(out, element(path, i).path, &files->items[i]);
    }
}

void dump_subscription(struct text *out, const char *path, const avito_subscription *one)
{
    string(out, path, "url", one->url);
    string(out, path, "version", one->version);
}

void dump_subscriptions(struct text *out, const char *path, const avito_subscriptions *all)
{
    list(out, path, all->count, all->items);
    for (size_t i = 0; i < all->count; i++) {
        dump_subscription(out, element(path, i).path, &all->items[i]);
    }
}

void dump_error_body(struct text *out, const char *path, const avito_error *error)
{
    avito_str text;

    number(out, path, "api_code", error->api_code);
    text.len = strlen(error->text);
    text.ptr = text.len != 0 ? error->text : NULL;
    string(out, path, "text", text);
}
