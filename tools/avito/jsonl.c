/* jsonl.c - see jsonl.h. */
#include "jsonl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int depth;
static bool needs_comma;

static void put_string(FILE *out, avito_str s)
{
    fputc('"', out);
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.ptr[i];

        if (c == '"' || c == '\\') {
            fputc('\\', out);
            fputc(c, out);
        } else if (c < 0x20 || c == 0x7f) {
            fprintf(out, "\\u%04x", c);
        } else {
            fputc(c, out);
        }
    }
    fputc('"', out);
}

static avito_str str_of(const char *word)
{
    avito_str s;

    s.ptr = word;
    s.len = strlen(word);
    return s;
}

static void put_key(FILE *out, const char *key)
{
    if (needs_comma) {
        fputc(',', out);
    }
    if (key != NULL) {
        put_string(out, str_of(key));
        fputc(':', out);
    }
    needs_comma = true;
}

void json_open(FILE *out, const char *key, char bracket)
{
    put_key(out, key);
    fputc(bracket, out);
    needs_comma = false;
    depth++;
}

void json_close(FILE *out, char bracket)
{
    fputc(bracket, out);
    needs_comma = true;
    if (--depth == 0) {
        fputc('\n', out);
        fflush(out);
        needs_comma = false;
    }
}

void json_text(FILE *out, const char *key, avito_str value)
{
    if (value.ptr != NULL) {
        put_key(out, key);
        put_string(out, value);
    }
}

void json_word(FILE *out, const char *key, const char *value)
{
    json_text(out, key, str_of(value));
}

void json_number(FILE *out, const char *key, int64_t value)
{
    put_key(out, key);
    fprintf(out, "%" PRId64, value);
}

void json_bool(FILE *out, const char *key, bool value)
{
    put_key(out, key);
    fputs(value ? "true" : "false", out);
}

void json_raw(FILE *out, const char *key, const char *json)
{
    put_key(out, key);
    fputs(json, out);
}

/* ---- models ---- */

static void json_degrees(FILE *out, const char *key, int32_t e7)
{
    put_key(out, key);
    fprintf(out, "%s%" PRId32 ".%07" PRId32, e7 < 0 ? "-" : "", (e7 < 0 ? -e7 : e7) / 10000000,
            (e7 < 0 ? -e7 : e7) % 10000000);
}

static void json_sizes(FILE *out, const char *key, const avito_image_sizes *sizes)
{
    json_open(out, key, '{');
    for (size_t i = 0; i < sizes->count; i++) {
        put_key(out, NULL);
        put_string(out, sizes->items[i].size);
        fputc(':', out);
        put_string(out, sizes->items[i].url);
    }
    json_close(out, '}');
}

static void json_item(FILE *out, const avito_item *item)
{
    json_open(out, "value", '{');
    json_number(out, "id", item->id);
    json_number(out, "user_id", item->user_id);
    json_number(out, "status_id", item->status_id);
    json_text(out, "title", item->title);
    json_text(out, "price_string", item->price_string);
    json_text(out, "url", item->url);
    if (item->images != NULL) {
        json_open(out, "images", '{');
        json_sizes(out, "main", &item->images->main);
        json_number(out, "count", item->images->count);
        json_close(out, '}');
    }
    if (item->location != NULL) {
        json_open(out, "location", '{');
        json_text(out, "title", item->location->title);
        json_degrees(out, "lat", item->location->lat_e7);
        json_degrees(out, "lon", item->location->lon_e7);
        json_close(out, '}');
    }
    json_close(out, '}');
}

static void json_context(FILE *out, const avito_context *context)
{
    json_open(out, "context", '{');
    json_text(out, "type", context->type);
    if (context->item != NULL) {
        json_item(out, context->item);
    }
    json_close(out, '}');
}

static void json_user(FILE *out, const avito_user *user)
{
    json_open(out, NULL, '{');
    json_number(out, "id", user->id);
    json_text(out, "name", user->name);
    if (user->has_parsing_allowed) {
        json_bool(out, "parsing_allowed", user->parsing_allowed);
    }
    if (user->public_user_profile != NULL) {
        const avito_profile *p = user->public_user_profile;

        json_open(out, "public_user_profile", '{');
        json_number(out, "user_id", p->user_id);
        json_number(out, "item_id", p->item_id);
        json_text(out, "url", p->url);
        if (p->avatar != NULL) {
            json_open(out, "avatar", '{');
            json_text(out, "default", p->avatar->default_url);
            json_sizes(out, "images", &p->avatar->images);
            json_close(out, '}');
        }
        json_close(out, '}');
    }
    json_close(out, '}');
}

void json_chat(FILE *out, const avito_chat *chat, int64_t user_id)
{
    json_open(out, NULL, '{');
    json_text(out, "id", chat->id);
    json_number(out, "created", chat->created);
    json_number(out, "updated", chat->updated);
    if (chat->context != NULL) {
        json_context(out, chat->context);
    }
    json_open(out, "users", '[');
    for (size_t i = 0; i < chat->users.count; i++) {
        json_user(out, &chat->users.items[i]);
    }
    json_close(out, ']');
    if (chat->last_message != NULL) {
        json_message(out, "last_message", chat->last_message, chat);
    }
    json_open(out, "avito", '{');
    json_number(out, "user_id", user_id);
    json_close(out, '}');
    json_close(out, '}');
}

void json_self(FILE *out, const avito_self *self)
{
    json_open(out, NULL, '{');
    json_number(out, "id", self->id);
    json_text(out, "name", self->name);
    json_text(out, "email", self->email);
    json_text(out, "phone", self->phone);
    json_open(out, "phones", '[');
    for (size_t i = 0; i < self->phones.count; i++) {
        json_text(out, NULL, self->phones.items[i]);
    }
    json_close(out, ']');
    json_text(out, "profile_url", self->profile_url);
    json_close(out, '}');
}

/* The header's own writer; grows until it fits. */
static const char *message_text(const avito_message *message, const avito_chat *chat)
{
    static char *memory;
    static size_t size;
    size_t needed = 0;

    while (avito_message_json(message, chat, memory, size, &needed) == AVITO_ERR_ROOM) {
        char *more = realloc(memory, needed + 4096);

        if (more == NULL) {
            return NULL;
        }
        memory = more;
        size = needed + 4096;
    }
    return memory;
}

bool json_message(FILE *out, const char *key, const avito_message *message, const avito_chat *chat)
{
    const char *json = message_text(message, chat);

    if (json == NULL) {
        return false;
    }
    json_raw(out, key, json);
    if (depth == 0) {
        fputc('\n', out);
        fflush(out);
        needs_comma = false;
    }
    return true;
}
