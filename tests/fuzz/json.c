/*
 * Any bytes as the body of an answer, through the element filter.
 *
 * The first byte chooses the model, the second how the rest is split and how much memory there is.
 * What must hold: the same result and the same model however the bytes are split; JSON is accepted
 * exactly if a plain recursive reader accepts it, so that what the filter leaves for jsmn is always
 * valid; strings are what that reader decodes; with any amount of memory either the same result or
 * AVITO_ERR_ARENA, naming a size that does.
 */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include "fuzz/fuzz.h"
#include "support/dump.h"

/* ---- the plain reader: RFC 8259, UTF-8, 32 levels; gives the last string in `text` ---- */

struct reader {
    const uint8_t *p, *end;
    unsigned depth;
    bool deep;      /* refused for its depth alone */
    char *text;     /* of the last string; as large as the input, and more for U+FFFD */
    size_t len;
};

static bool read_value(struct reader *r);

static void blanks(struct reader *r)
{
    while (r->p < r->end && memchr(" \t\r\n", *r->p, 4) != NULL) {
        r->p++;
    }
}

static bool take(struct reader *r, char c)
{
    blanks(r);
    if (r->p < r->end && *r->p == (uint8_t)c) {
        r->p++;
        return true;
    }
    return false;
}

static void put_point(struct reader *r, uint32_t c)
{
    unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (n == 1) {
        r->text[r->len++] = (char)c;
        return;
    }
    r->text[r->len++] = (char)((0xf00u >> n & 0xffu) | c >> (6 * (n - 1)));
    while (--n > 0) {
        r->text[r->len++] = (char)(0x80u | (c >> (6 * (n - 1)) & 0x3fu));
    }
}

static bool read_hex(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        int c = p + i < end ? p[i] : 0;
        int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (d < 0) {
            return false;
        }
        *out = *out * 16 + (uint32_t)d;
    }
    return true;
}

static bool read_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t a, b;

    if (r->p == r->end) {
        return false;
    }
    if (*r->p != 'u') {
        const char *at = memchr(from, *r->p++, 8);
        if (at == NULL) {
            return false;
        }
        r->text[r->len++] = to[at - from];
        return true;
    }
    if (!read_hex(r->p + 1, r->end, &a)) {
        return false;
    }
    r->p += 5;
    if (a >= 0xd800 && a < 0xdc00 && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u' &&
        read_hex(r->p + 2, r->end, &b) && b >= 0xdc00 && b < 0xe000) {
        r->p += 6;
        a = 0x10000 + ((a - 0xd800) << 10) + (b - 0xdc00);
    }
    put_point(r, a >= 0xd800 && a < 0xe000 ? 0xfffd : a);
    return true;
}

static bool read_utf8(struct reader *r)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned c = *r->p, n = c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
    uint32_t point = n != 0 ? c & (0x7fu >> n) : 0;

    if (n == 0 || (size_t)(r->end - r->p) < n) {
        return false;
    }
    for (unsigned i = 1; i < n; i++) {
        if (r->p[i] >> 6 != 2) {
            return false;
        }
        point = point << 6 | (r->p[i] & 0x3fu);
    }
    if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
        return false;
    }
    memcpy(r->text + r->len, r->p, n);
    r->len += n;
    r->p += n;
    return true;
}

static bool read_string(struct reader *r)
{
    r->len = 0;
    if (!take(r, '"')) {
        return false;
    }
    while (r->p < r->end && *r->p != '"') {
        bool good = true;
        if (*r->p == '\\') {
            r->p++;
            good = read_escape(r);
        } else if (*r->p >= 0x80) {
            good = read_utf8(r);
        } else if (*r->p >= 0x20) {
            r->text[r->len++] = (char)*r->p++;
        } else {
            good = false;
        }
        if (!good) {
            return false;
        }
    }
    return r->p < r->end && *r->p++ == '"';
}

static size_t digits(struct reader *r)
{
    size_t n = 0;

    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') {
        r->p++;
        n++;
    }
    return n;
}

static bool read_number(struct reader *r)
{
    const uint8_t *first;

    r->p += *r->p == '-' ? 1 : 0;
    first = r->p;
    if (digits(r) == 0 || (*first == '0' && r->p - first > 1)) {
        return false;
    }
    if (r->p < r->end && *r->p == '.') {
        r->p++;
        if (digits(r) == 0) {
            return false;
        }
    }
    if (r->p < r->end && (*r->p | 32) == 'e') {
        r->p++;
        r->p += r->p < r->end && (*r->p == '+' || *r->p == '-') ? 1 : 0;
        return digits(r) != 0;
    }
    return true;
}

static bool read_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0) {
        return false;
    }
    r->p += n;
    return true;
}

static bool read_container(struct reader *r, bool object)
{
    if (++r->depth > 32) {
        r->deep = true;
        return false;
    }
    r->p++;
    if (!take(r, object ? '}' : ']')) {
        do {
            if (object && (!read_string(r) || !take(r, ':'))) {
                return false;
            }
            if (!read_value(r)) {
                return false;
            }
        } while (take(r, ','));
        if (!take(r, object ? '}' : ']')) {
            return false;
        }
    }
    r->depth--;
    return true;
}

static bool read_value(struct reader *r)
{
    blanks(r);
    if (r->p == r->end) {
        return false;
    }
    switch (*r->p) {
        case '{':
        case '[':
            return read_container(r, *r->p == '{');
        case '"':
            return read_string(r);
        case 't':
            return read_word(r, "true");
        case 'f':
            return read_word(r, "false");
        case 'n':
            return read_word(r, "null");
        default:
            return (*r->p == '-' || (*r->p >= '0' && *r->p <= '9')) && read_number(r);
    }
}

static bool is_json(const uint8_t *data, size_t size, char *text)
{
    struct reader r = {data, data + size, 0, false, text, 0};

    if (!read_value(&r)) {
        return false;
    }
    blanks(&r);
    return r.p == r.end;
}

/* The strings of a self that was accepted, compared with what the reader decodes. */
static void compare_strings(const uint8_t *data, size_t size, char *text, const avito_self *self)
{
    struct reader r = {data, data + size, 0, false, text, 0};

    MUST(take(&r, '{'));
    r.depth = 1;
    do {
        avito_str s = {NULL, 0};
        bool known = true;
        if (!read_string(&r)) {
            return; /* {} */
        }
        if (r.len == 4 && memcmp(text, "name", 4) == 0) {
            s = self->name;
        } else if (r.len == 5 && memcmp(text, "email", 5) == 0) {
            s = self->email;
        } else if (r.len == 5 && memcmp(text, "phone", 5) == 0) {
            s = self->phone;
        } else if (r.len == 11 && memcmp(text, "profile_url", 11) == 0) {
            s = self->profile_url;
        } else {
            known = false;
        }
        MUST(take(&r, ':'));
        blanks(&r);
        if (known && *r.p == '"') {
            MUST(read_string(&r));
            MUST(s.ptr != NULL && s.len == r.len && memcmp(s.ptr, text, r.len) == 0);
            MUST(s.ptr[s.len] == '\0');
        } else {
            MUST(!known || s.ptr == NULL);
            MUST(read_value(&r));
        }
    } while (take(&r, ','));
}

/* ---- one run ---- */

union model {
    avito_self self;
    avito_chat chat;
    avito_message message;
    struct avitoi_list list;
    struct avitoi_envelope envelope;
};

static const struct avitoi_schema *const schemas[] = {
    &avitoi_self_schema,   &avitoi_chat_schema,     &avitoi_message_schema,       &avitoi_chats_schema,
    &avitoi_messages_schema, &avitoi_envelope_schema, &avitoi_subscriptions_schema, &avitoi_uploads_schema,
    &avitoi_voices_schema,
};
enum { SELF, CHAT, MESSAGE, CHATS, MESSAGES, ENVELOPE, SUBSCRIPTIONS, UPLOADS, VOICES, SCHEMAS };

static void dump(struct text *out, unsigned schema, const union model *m)
{
    avito_chats chats = {(avito_chat *)m->list.items.items, m->list.items.count, false};
    avito_messages messages = {(avito_message *)m->list.items.items, m->list.items.count, false};
    avito_subscriptions subs = {(avito_subscription *)m->list.items.items, m->list.items.count};
    avito_voice_files voices = {(avito_voice_file *)m->list.items.items, m->list.items.count};

    text_clear(out);
    switch (schema) {
        case SELF:
            dump_self(out, "x", &m->self);
            break;
        case CHAT:
            dump_chat(out, "x", &m->chat);
            break;
        case MESSAGE:
            dump_message(out, "x", &m->message);
            break;
        case CHATS:
            dump_chats(out, "x", &chats);
            break;
        case MESSAGES:
            dump_messages(out, "x", &messages);
            break;
        case ENVELOPE:
            if (m->envelope.payload != NULL && m->envelope.payload->message != NULL) {
                dump_message(out, "x", m->envelope.payload->message);
            }
            break;
        case SUBSCRIPTIONS:
            dump_subscriptions(out, "x", &subs);
            break;
        case VOICES:
            dump_voice_files(out, "x", &voices);
            break;
        default:
            for (size_t i = 0; i < m->list.items.count; i++) {
                dump_uploaded_image(out, "x", (avito_uploaded_image *)m->list.items.items + i);
            }
            break;
    }
}

static int run(unsigned schema, const uint8_t *data, size_t size, uint32_t seed, size_t room,
               struct text *out, size_t *needed)
{
    static struct avitoi_json json;
    char *memory = malloc(room + 8);
    avito_arena arena = avito_arena_of(memory, room);
    union model m;
    size_t at = 0;
    int rc = AVITO_AGAIN;

    avitoi_json_begin(&json, schemas[schema], &m);
    avitoi_mem_shared(&json.mem, &arena);
    while (at < size && rc == AVITO_AGAIN) {
        size_t left = size - at, used = 0;
        size_t n = seed == 0 ? left : 1 + fuzz_next(&seed) % (seed % 3 == 0 ? 3u : 40u);
        char *piece;
        n = n < left ? n : left;
        piece = malloc(n);
        memcpy(piece, data + at, n);
        rc = avitoi_json_feed(&json, piece, n, &used);
        MUST(used <= n && (rc != AVITO_AGAIN || used == n));
        free(piece);
        at += used;
    }
    rc = rc == AVITO_AGAIN ? avitoi_json_end(&json) : rc;
    *needed = avitoi_align(json.mem.peak);
    text_clear(out);
    if (rc == AVITO_OK) {
        MUST(json.mem.low <= arena.cap);
        dump(out, schema, &m);
        if (schema == SELF) {
            char *text = malloc(size * 3 + 8);
            compare_strings(data, size, text, &m.self);
            free(text);
        }
    }
    free(memory);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct text whole, split;
    unsigned schema;
    uint32_t seed;
    size_t needed, room, ignored;
    char *text;
    bool valid;
    int rc, again;

    if (size < 3) {
        return 0;
    }
    schema = data[0] % SCHEMAS;
    seed = data[1] * 2654435761u | 1u;
    data += 2;
    size -= 2;
    text = malloc(size * 3 + 8);
    valid = is_json(data, size, text);
    free(text);
    rc = run(schema, data, size, 0, size * 16 + 4096, &whole, &needed);
    MUST(rc != AVITO_ERR_ARENA && rc != AVITO_AGAIN);
    MUST(rc != AVITO_OK || valid);
    MUST(!(valid && (rc == AVITO_ERR_JSON || rc == AVITO_ERR_JSON_UTF8 || rc == AVITO_ERR_JSON_DEPTH ||
                     rc == AVITO_ERR_EMPTY)));
    again = run(schema, data, size, seed, size * 16 + 4096, &split, &ignored);
    MUST(again == rc && strcmp(whole.data, split.data) == 0);
    if (rc != AVITO_OK) {
        return 0;
    }
    again = run(schema, data, size, seed, needed, &split, &ignored);
    MUST(again == AVITO_OK && strcmp(whole.data, split.data) == 0);
    room = needed == 0 ? 0 : fuzz_next(&seed) % needed;
    again = run(schema, data, size, seed, room, &split, &ignored);
    MUST(again == AVITO_ERR_ARENA || (again == AVITO_OK && strcmp(whole.data, split.data) == 0));
    MUST(again != AVITO_ERR_ARENA || ignored == needed);
    return 0;
}
