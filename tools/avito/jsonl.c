/* jsonl.c - see jsonl.h. */
#include "jsonl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int depth;
static bool needs_comma;

/* DEL, or a control character of two bytes (U+0080 to U+009F): terminals obey some of them. */
static bool is_obeyed(const unsigned char *c, size_t left)
{
    return c[0] == 0x7f || (c[0] == 0xc2 && left > 1 && (c[1] & 0xe0) == 0x80);
}

/* Text within a string, or JSON, whose strings alone have such characters: these are escaped. */
static void put_text(FILE *out, const char *text, size_t len)
{
    size_t from = 0, i = 0;

    while (i < len) {
        const unsigned char *c = (const unsigned char *)text + i;

        if (!is_obeyed(c, len - i)) {
            i++;
            continue;
        }
        fwrite(text + from, 1, i - from, out);
        i += c[0] == 0x7f ? 1 : 2;
        fprintf(out, "\\u%04x", (unsigned char)text[i - 1]);
        from = i;
    }
    fwrite(text + from, 1, len - from, out);
}

static void put_string(FILE *out, avito_str s)
{
    fputc('"', out);
    for (size_t i = 0, n; i < s.len; i += n) {
        const unsigned char c = (unsigned char)s.ptr[i];

        n = 1;
        if (c == '"' || c == '\\') {
            fputc('\\', out);
            fputc(c, out);
        } else if (c < 0x20) {
            fprintf(out, "\\u%04x", c);
        } else {
            n = c == 0xc2 && i + 1 < s.len && (s.ptr[i + 1] & 0xc0) == 0x80 ? 2 : 1;
            put_text(out, s.ptr + i, n);
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
    put_text(out, json, strlen(json));
}

void json_as_it_came(FILE *out, avito_str json)
{
    for (size_t i = 0, n; i < json.len; i += n + 1) { /* a line break is nothing but a blank */
        for (n = 0; i + n < json.len && json.ptr[i + n] != '\n' && json.ptr[i + n] != '\r';) {
            n++;
        }
        put_text(out, json.ptr + i, n);
    }
    fputc('\n', out);
    fflush(out);
}

/* ---- models ---- */

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

void json_ok(FILE *out)
{
    json_open(out, NULL, '{');
    json_bool(out, "ok", true);
    json_close(out, '}');
}

/* Memory for the header's own writers; false: there is none. */
static char *memory;
static size_t size;

static bool grow(size_t needed)
{
    char *more = realloc(memory, needed + 4096);

    if (more == NULL) {
        return false;
    }
    memory = more;
    size = needed + 4096;
    return true;
}

/* Writes what `result` has left in `memory`; adds a line break at the outermost level. */
static bool put_memory(FILE *out, const char *key, int result)
{
    if (result != AVITO_OK) {
        return false;
    }
    json_raw(out, key, memory);
    if (depth == 0) {
        fputc('\n', out);
        fflush(out);
        needs_comma = false;
    }
    return true;
}

bool json_chat(FILE *out, const avito_chat *chat, int64_t user_id)
{
    size_t needed = 0;
    int result;

    while ((result = avito_chat_json(chat, user_id, memory, size, &needed)) == AVITO_ERR_ROOM &&
           grow(needed)) {
    }
    return put_memory(out, NULL, result);
}

bool json_message(FILE *out, const char *key, const avito_message *message, const avito_chat *chat)
{
    size_t needed = 0;
    int result;

    while ((result = avito_message_json(message, chat, memory, size, &needed)) == AVITO_ERR_ROOM &&
           grow(needed)) {
    }
    return put_memory(out, key, result);
}
