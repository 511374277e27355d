/*
 * Any bytes to the element filter and its decoder.
 *
 *     input: which model, size of the memory (2 bytes), how the text is split, where texts are cut, flags;
 *            text
 *
 * What must hold, beside what filter.h checks: the filter accepts exactly what the plain reader
 * below accepts, and gives the same model, byte by byte, or the same error. That reader is
 * recursive and shares only the schemas' tables and the reading of numbers with the filter. The
 * filter's short ways, its vectors and the splits of the text change nothing. Memory that is too
 * small is AVITO_ERR_ARENA, and the size that this error names is the least that is enough.
 * Rooms: JSON: THE MACHINE, JSON: STRINGS, SPEED: TEXT.
 */
#define AVITO_WITH_SHORTCUTS 1
#include "filter.h"

void filter_portable(const struct filter_job *job, struct filter_result *result);

enum {
    FLAG_STREAMS = 1,
    FLAG_CUT = 2,
    FLAG_WANT = 4 /* only half of what can be asked for */
};

/* ---- the plain reader ---- */

struct reader {
    const uint8_t *p, *end;
    const struct filter_job *job;
    unsigned depth;
    bool lenient; /* the root */
    int error;    /* the first one */
};

static void fail(struct reader *r, int error)
{
    r->error = r->error == 0 ? error : r->error;
}

/* The next byte, 0 at the end. JSON has no NUL either. */
static unsigned peek(const struct reader *r)
{
    return r->p < r->end ? *r->p : 0u;
}

static void blanks(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\n' || peek(r) == '\r' || peek(r) == '\t') {
        r->p++;
    }
}

static bool must_come(struct reader *r, char c)
{
    if (r->error == 0 && peek(r) != (uint8_t)c) {
        fail(r, AVITO_ERR_JSON);
    }
    r->p += r->error == 0;
    return r->error == 0;
}

/* Adds a code point as UTF-8. */
static void encode(struct text *out, uint32_t c)
{
    char b[4];
    size_t n = 0;

    if (c < 0x80) {
        b[n++] = (char)c;
    } else if (c < 0x800) {
        b[n++] = (char)(0xc0 + c / 64);
        b[n++] = (char)(0x80 + c % 64);
    } else if (c < 0x10000) {
        b[n++] = (char)(0xe0 + c / 4096);
        b[n++] = (char)(0x80 + c / 64 % 64);
        b[n++] = (char)(0x80 + c % 64);
    } else {
        b[n++] = (char)(0xf0 + c / 262144);
        b[n++] = (char)(0x80 + c / 4096 % 64);
        b[n++] = (char)(0x80 + c / 64 % 64);
        b[n++] = (char)(0x80 + c % 64);
    }
    text_add_bytes(out, b, n);
}

/* After \u. */
static uint32_t read_unit(struct reader *r)
{
    uint32_t unit = 0;

    for (int i = 0; i < 4; i++) {
        const unsigned c = peek(r);
        if (c >= '0' && c <= '9') {
            unit = unit * 16 + (c - '0');
        } else if ((c | 32u) >= 'a' && (c | 32u) <= 'f') {
            unit = unit * 16 + ((c | 32u) - 'a' + 10);
        } else {
            fail(r, AVITO_ERR_JSON);
            return 0;
        }
        r->p++;
    }
    return unit;
}

/* At a backslash. Half of a surrogate pair by itself is U+FFFD. */
static void read_escape(struct reader *r, struct text *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at;
    uint32_t unit;

    r->p++;
    at = peek(r) != 0 ? strchr(from, (int)peek(r)) : NULL;
    if (at != NULL) {
        text_add_bytes(out, &to[at - from], 1);
        r->p++;
        return;
    }
    if (!must_come(r, 'u')) {
        return;
    }
    unit = read_unit(r);
    if (unit >= 0xd800 && unit < 0xdc00 && r->end - r->p >= 6 && r->p[0] == '\\' &&
        r->p[1] == 'u') {
        struct reader ahead = *r;
        ahead.p += 2;
        const uint32_t low = read_unit(&ahead);
        if (ahead.error == 0 && low >= 0xdc00 && low < 0xe000) {
            r->p = ahead.p;
            encode(out, 0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00));
            return;
        }
    }
    encode(out, unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit);
}

/* One character beyond ASCII: table 3-7 of the Unicode standard. */
static void read_utf8(struct reader *r, struct text *out)
{
    static const uint8_t table[9][6] = {
        /* first byte from, to; second from, to; how many more */
        {0xc2, 0xdf, 0x80, 0xbf, 0, 0}, {0xe0, 0xe0, 0xa0, 0xbf, 1, 0},
        {0xe1, 0xec, 0x80, 0xbf, 1, 0}, {0xed, 0xed, 0x80, 0x9f, 1, 0},
        {0xee, 0xef, 0x80, 0xbf, 1, 0}, {0xf0, 0xf0, 0x90, 0xbf, 2, 0},
        {0xf1, 0xf3, 0x80, 0xbf, 2, 0}, {0xf4, 0xf4, 0x80, 0x8f, 2, 0},
        {0, 0xff, 0, 0, 0, 1}};
    const uint8_t *start = r->p, *row = table[0];

    while (*r->p < row[0] || *r->p > row[1]) {
        row += 6;
    }
    r->p++;
    for (int i = 0; i <= row[4] && row[5] == 0; i++) {
        if (r->p == r->end) {
            fail(r, AVITO_ERR_JSON);
            return;
        }
        if (*r->p < (i == 0 ? row[2] : 0x80) || *r->p > (i == 0 ? row[3] : 0xbf)) {
            fail(r, AVITO_ERR_JSON_UTF8);
            return;
        }
        r->p++;
    }
    if (row[5] != 0) {
        fail(r, AVITO_ERR_JSON_UTF8);
    }
    text_add_bytes(out, start, (size_t)(r->p - start));
}

/* At the opening quote. */
static void read_string(struct reader *r, struct text *out)
{
    text_clear(out);
    r->p++;
    while (r->error == 0 && peek(r) != '"') {
        if (peek(r) == '\\') {
            read_escape(r, out);
        } else if (peek(r) >= 0x80) {
            read_utf8(r, out);
        } else if (peek(r) < ' ') {
            fail(r, AVITO_ERR_JSON); /* also the end */
        } else {
            text_add_bytes(out, r->p++, 1);
        }
    }
    r->p += r->error == 0;
}

static void digits(struct reader *r)
{
    if (peek(r) < '0' || peek(r) > '9') {
        fail(r, AVITO_ERR_JSON);
    }
    while (r->error == 0 && peek(r) >= '0' && peek(r) <= '9') {
        r->p++;
    }
}

/* As much of a number as the filter keeps; *len counts no more than that. */
static void read_number(struct reader *r, bool rounded, char word[AVITOI_JSON_WORD], size_t *len)
{
    const uint8_t *start = r->p, *point = NULL, *behind = NULL;

    r->p += peek(r) == '-';
    if (peek(r) == '0') {
        r->p++;
        if (peek(r) >= '0' && peek(r) <= '9') {
            fail(r, AVITO_ERR_JSON);
        }
    } else {
        digits(r);
    }
    if (r->error == 0 && peek(r) == '.') {
        point = r->p++;
        digits(r);
        behind = r->p;
    }
    if (r->error == 0 && (peek(r) | 32u) == 'e') {
        r->p++;
        r->p += peek(r) == '+' || peek(r) == '-';
        digits(r);
    }
    if (r->p == r->end) {
        fail(r, AVITO_ERR_JSON);
    }
    *len = 0;
    for (const uint8_t *p = start; p < r->p; p++) {
        const bool fraction = rounded && point != NULL && p > point && p < behind;
        if (*len < (fraction ? AVITOI_NUMBER_FRACTION_MAX : (size_t)AVITOI_JSON_WORD)) {
            word[(*len)++] = (char)*p;
        }
    }
}

static void read_word(struct reader *r, const char *word)
{
    for (; *word != '\0' && r->error == 0; word++) {
        (void)must_come(r, *word);
    }
}

/* ---- the plain reader, with a schema ---- */

static void read_value(struct reader *r, const struct avitoi_schema *in,
                       const struct avitoi_schema_field *field, struct text *out);

/* Members or elements; `one` reads one of them. This is where depth counts. */
struct container {
    const struct avitoi_schema *schema; /* NULL: only checked */
    unsigned kind;
    struct text values[26]; /* of an object, by row */
    uint32_t seen;
    size_t count;
    struct text items; /* of a list */
};

static void cut_text(const struct reader *r, struct text *text)
{
    size_t n = r->job->cut_at;

    if (n != 0 && text->len > n) {
        while (n > 0 && ((uint8_t)text->data[n] & 0xc0) == 0x80) {
            n--;
        }
        text->len = n;
    }
}

static bool is_object(const struct avitoi_schema_field *field)
{
    return field->kind == AVITOI_SCHEMA_OBJ || field->kind == AVITOI_SCHEMA_TYPED ||
           field->kind == AVITOI_SCHEMA_MAP;
}

/* At the bracket. */
static bool is_empty_array(const struct reader *r)
{
    struct reader ahead = *r;

    ahead.p++;
    blanks(&ahead);
    return peek(&ahead) == ']' || peek(&ahead) == 0 ||
           strchr("{[\"tfn-0123456789", (int)peek(&ahead)) == NULL;
}

/* The value of a TYPED row: `type` is what the row before it has shown so far. Until the type is
 * known, a value that breaks the model is left out. */
static void read_typed(struct reader *r, const struct avitoi_schema *in,
                       const struct avitoi_schema_field *field, const struct text *type,
                       struct text *out)
{
    const struct reader before = *r;
    avito_str word = {"", 0};

    if (type->data == NULL) {
        blanks(r);
        if (peek(r) != '{' && peek(r) != 'n') {
            field = NULL;
        }
        read_value(r, in, field, out);
        if (r->error == AVITO_ERR_MODEL || r->error == AVITO_ERR_DUPLICATE) {
            *r = before;
            text_free(out);
            read_value(r, in, NULL, out);
        }
        return;
    }
    word.ptr = strchr(type->data, ':') + 1;
    word.len = type->len - (size_t)(word.ptr - type->data);
    read_value(r, in,
               avito_str_equal(word, avitoi_schema_key(avitoi_schema_child(in, 0), 0)) ? field
                                                                                       : NULL,
               out);
}

static void read_member(struct reader *r, struct container *c, struct text *key)
{
    const struct avitoi_schema *schema = c->schema;
    const struct avitoi_schema_field *field = NULL;
    struct text value = {NULL, 0, 0};
    size_t row = 0;

    if (schema != NULL && c->kind == AVITOI_SCHEMA_OBJ) {
        while (row < schema->count &&
               (key->len == 0 || strlen(avitoi_schema_key(schema, (unsigned)row)) != key->len ||
                memcmp(avitoi_schema_key(schema, (unsigned)row), key->data, key->len) != 0)) {
            row++;
        }
        if (row < schema->count) {
            const bool again = (c->seen >> row & 1u) != 0;
            field = &avitoi_schema_fields(schema)[row];
            if (again && !schema->lenient) {
                fail(r, AVITO_ERR_DUPLICATE);
            }
            field =
                again || (field->want & (r->job->want | AVITOI_SCHEMA_ALWAYS)) == 0 ? NULL : field;
            c->seen |= 1u << row;
        }
    } else if (schema != NULL) {
        field = &avitoi_schema_fields(schema)[1];
    }
    blanks(r);
    if (must_come(r, ':') && field != NULL && field->kind == AVITOI_SCHEMA_TYPED) {
        read_typed(r, schema, field, &c->values[0], &value);
    } else if (r->error == 0) {
        read_value(r, schema, field, &value);
    }
    if (value.data != NULL && c->kind == AVITOI_SCHEMA_OBJ) {
        /* The next row may have the same key in another form. */
        if (row + 1 < schema->count && avitoi_schema_fields(schema)[row + 1].key_len == 0 &&
            value.data[0] == '{') {
            row++;
        }
        row = row_of(schema, row);
        text_free(&c->values[row]);
        c->values[row] = value;
        return;
    }
    if (schema != NULL && c->kind == AVITOI_SCHEMA_MAP && r->error == 0) {
        text_add(&c->items, "{=");
        show_bytes(&c->items, key->data, key->len);
        text_add(&c->items, ";=%s", "");
        if (value.data == NULL) {
            text_add(&c->items, "%s", field->kind == AVITOI_SCHEMA_MAP ? "[]" : "null");
        } else {
            text_add_bytes(&c->items, value.data, value.len);
        }
        text_add(&c->items, ";},");
    }
    text_free(&value);
}

static void read_element(struct reader *r, struct container *c)
{
    static const struct avitoi_schema_field string = {.kind = AVITOI_SCHEMA_STR};
    struct avitoi_schema_field object = {.child = c->schema, .kind = AVITOI_SCHEMA_OBJ};
    const struct avitoi_schema_field *field = NULL;
    struct text value = {NULL, 0, 0};

    if (c->kind == AVITOI_SCHEMA_ARR && c->schema != NULL) {
        field = &object;
    } else if (c->kind == AVITOI_SCHEMA_STRS || (c->kind == AVITOI_SCHEMA_ONE && c->count == 0)) {
        field = &string;
    }
    blanks(r);
    if (field != NULL && peek(r) != (field == &object ? '{' : '"') && peek(r) != 0 &&
        strchr("{[\"tfn-0123456789", (int)peek(r)) != NULL) {
        if (!r->lenient) {
            fail(r, AVITO_ERR_MODEL);
        }
        field = NULL;
    }
    read_value(r, NULL, field, &value);
    if (value.data != NULL) {
        c->count++;
        text_add_bytes(&c->items, value.data, value.len);
        text_add(&c->items, "%s", c->kind == AVITOI_SCHEMA_ONE ? "" : ",");
    }
    text_free(&value);
}

static void read_all(struct reader *r, struct container *c, char close)
{
    struct text key = {NULL, 0, 0};
    bool first = true;

    if (r->depth == 32) {
        fail(r, AVITO_ERR_JSON_DEPTH);
        return;
    }
    r->depth++;
    r->p++;
    blanks(r);
    while (r->error == 0 && (!first || peek(r) != (uint8_t)close)) {
        if (close == '}') {
            blanks(r);
            if (peek(r) != '"') {
                fail(r, AVITO_ERR_JSON);
                break;
            }
            read_string(r, &key);
            if (r->error == 0) {
                read_member(r, c, &key);
            }
        } else {
            read_element(r, c);
        }
        blanks(r);
        first = false;
        if (r->error != 0 || peek(r) == (uint8_t)close) {
            break;
        }
        (void)must_come(r, ',');
    }
    (void)must_come(r, close);
    r->depth--;
    text_free(&key);
}

static const char *nothing(const struct avitoi_schema_field *field)
{
    switch ((int)field->kind) {
        case AVITOI_SCHEMA_INT:
        case AVITOI_SCHEMA_E7:
            return "0";
        case AVITOI_SCHEMA_ARR:
        case AVITOI_SCHEMA_MAP:
        case AVITOI_SCHEMA_STRS:
            return "[]";
        default:
            return "null";
    }
}

static void show_container(struct text *out, struct container *c)
{
    if (c->kind != AVITOI_SCHEMA_OBJ) {
        text_add(out, "%s", c->kind == AVITOI_SCHEMA_ONE ? "" : "[");
        text_add_bytes(out, c->items.data != NULL ? c->items.data : "", c->items.len);
        text_add(out, "%s", c->kind == AVITOI_SCHEMA_ONE ? "" : "]");
        return;
    }
    text_add(out, "{");
    for (size_t i = 0; i < c->schema->count; i++) {
        if (row_of(c->schema, i) == i) {
            text_add(out, "%s=", avitoi_schema_key(c->schema, (unsigned)i));
            if (c->values[i].data != NULL) {
                text_add_bytes(out, c->values[i].data, c->values[i].len);
            } else {
                text_add(out, "%s", nothing(&avitoi_schema_fields(c->schema)[i]));
            }
            text_add(out, ";");
        }
    }
    text_add(out, "}");
}

/* At the brace or bracket. `schema` of the object or the elements. `out` stays {0} if nothing is kept. */
static void read_container(struct reader *r, unsigned kind, const struct avitoi_schema *schema,
                           struct text *out)
{
    struct container c;

    memset(&c, 0, sizeof c);
    c.kind = kind;
    c.schema = schema;
    read_all(r, &c, peek(r) == '{' ? '}' : ']');
    if (r->error == 0 && out != NULL && (kind != AVITOI_SCHEMA_ONE || c.count > 0)) {
        show_container(out, &c);
    }
    for (size_t i = 0; i < 26; i++) {
        text_free(&c.values[i]);
    }
    text_free(&c.items);
}

static const struct avitoi_schema_field number_as_text = {.kind = AVITOI_SCHEMA_STR};

/* Does a value that does not fit the row count as missing? */
static bool is_tolerant(const struct avitoi_schema *in, const struct avitoi_schema_field *field)
{
    return in != NULL && (in->lenient || field->shown);
}

/* Is the text a number as JSON has them? It may also begin with zeros. */
static bool is_number(const char *word, size_t len)
{
    const bool negative = len > 0 && *word == '-';
    struct reader r;
    char text[AVITOI_JSON_WORD], copy[AVITOI_JSON_WORD];
    size_t n;

    word += negative ? 1 : 0;
    len -= negative ? 1 : 0;
    if (len == 0 || len > AVITOI_NUMBER_MAX || *word < '0' || *word > '9') {
        return false;
    }
    while (len > 1 && word[0] == '0' && word[1] >= '0' && word[1] <= '9') {
        word++;
        len--;
    }
    memcpy(text, word, len);
    text[len] = ',';
    memset(&r, 0, sizeof r);
    r.p = (const uint8_t *)text;
    r.end = r.p + len + 1;
    read_number(&r, false, copy, &n);
    return r.error == 0 && r.p == r.end - 1;
}

static void keep_number(struct reader *r, const struct avitoi_schema *in,
                        const struct avitoi_schema_field *field, const char *word, size_t len,
                        bool is_text, struct text *out)
{
    int64_t wide = 0;
    bool good = r->error == 0 && len <= AVITOI_NUMBER_MAX;
    const bool number = !is_text || is_number(word, len);

    if (field == &number_as_text) {
        if (len < AVITOI_JSON_WORD) {
            show_bytes(out, word, len);
        }
        return;
    }
    if (field->kind == AVITOI_SCHEMA_E7) {
        good = good && number && avitoi_number_parse(word, len, 7, &wide) && wide == (int32_t)wide;
    } else {
        good = good && number && avitoi_number_parse(word, len, 0, &wide);
    }
    if (good) {
        text_add(out, "%lld", (long long)wide);
    } else if (in == NULL || !is_tolerant(in, field)) {
        fail(r, AVITO_ERR_MODEL);
    }
}

static void read_text(struct reader *r, const struct avitoi_schema *in,
                      const struct avitoi_schema_field *field, struct text *out)
{
    struct text text = {NULL, 0, 0};

    read_string(r, &text);
    if (r->error == 0 && field != NULL &&
        (field->kind == AVITOI_SCHEMA_INT || field->kind == AVITOI_SCHEMA_E7)) {
        keep_number(r, in, field, text.data, text.len, true, out);
    } else if (r->error == 0 && field != NULL) {
        if (field->kind == AVITOI_SCHEMA_TEXT || r->lenient) {
            cut_text(r, &text);
        }
        show_bytes(out, text.data, text.len);
    }
    text_free(&text);
}

/* Does a value that begins with `c` fit the row? */
static bool fits(const struct avitoi_schema_field *field, unsigned c)
{
    switch ((int)field->kind) {
        case AVITOI_SCHEMA_INT:
            return c == '"' || c == '-' || (c >= '0' && c <= '9') || c == 'n';
        case AVITOI_SCHEMA_E7:
            return c == '"' || c == '-' || (c >= '0' && c <= '9') || c == 'n';
        case AVITOI_SCHEMA_BOOL:
            return c == 't' || c == 'f' || c == 'n';
        case AVITOI_SCHEMA_OBJ:
        case AVITOI_SCHEMA_TYPED:
        case AVITOI_SCHEMA_MAP:
            return c == '{' || c == 'n';
        case AVITOI_SCHEMA_ARR:
        case AVITOI_SCHEMA_STRS:
        case AVITOI_SCHEMA_ONE:
            return c == '[' || c == 'n';
        default:
            return c == '"' || c == 'n';
    }
}

/* `in`: the object that it is a member of. `field` NULL: it is only checked. */
static void read_value(struct reader *r, const struct avitoi_schema *in,
                       const struct avitoi_schema_field *field, struct text *out)
{
    char word[AVITOI_JSON_WORD];
    size_t len;
    unsigned c;

    blanks(r);
    c = peek(r);
    if (c == 0 || strchr("{[\"tfn-0123456789", (int)c) == NULL) {
        fail(r, AVITO_ERR_JSON);
        return;
    }
    if (field != NULL && in != NULL && !fits(field, c) &&
        field + 1 < avitoi_schema_fields(in) + in->count &&
        field[1].key_len == 0) { /* the same key in another form */
        field++;
    }
    if (field != NULL && !fits(field, c)) {
        if (!is_tolerant(in, field) && !(c == '[' && is_object(field) && is_empty_array(r))) {
            fail(r, AVITO_ERR_MODEL);
            return;
        }
        field = in != NULL && !in->lenient && field->kind <= AVITOI_SCHEMA_TEXT &&
                        (c == '-' || (c >= '0' && c <= '9'))
                    ? &number_as_text
                    : NULL;
    }
    if (c == '{' || c == '[') {
        if (field != NULL) {
            read_container(r, field->kind == AVITOI_SCHEMA_TYPED ? AVITOI_SCHEMA_OBJ : field->kind,
                           is_object(field) && field->child == NULL ? in : field->child, out);
        } else {
            read_container(r, c == '{' ? AVITOI_SCHEMA_MAP : AVITOI_SCHEMA_ARR, NULL, NULL);
        }
    } else if (c == '"') {
        read_text(r, in, field, out);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        read_number(r, field != NULL && field->kind == AVITOI_SCHEMA_E7, word, &len);
        if (r->error == 0 && field != NULL) {
            keep_number(r, in, field, word, len, false, out);
        }
    } else {
        read_word(r, c == 't' ? "true" : c == 'f' ? "false" : "null");
        if (field != NULL && c != 'n' && r->error == 0) {
            text_add(out, "%s", c == 't' ? "true" : "false");
        }
    }
}

static int read_root(const struct filter_job *job, struct text *out)
{
    const struct avitoi_schema *root = filter_roots[job->root];
    struct reader r = {job->bytes, (const uint8_t *)job->bytes + job->len, job, 0, false, 0};
    struct text list = {NULL, 0, 0};
    unsigned c;

    text_clear(out);
    r.lenient = root != NULL && root->lenient;
    blanks(&r);
    c = peek(&r);
    if (r.p == r.end) {
        return AVITO_ERR_EMPTY;
    }
    if (c != '{' && c != '[' && !(c == 'n' && root == NULL)) {
        return c != 0 && strchr("\"tfn-0123456789", (int)c) != NULL ? AVITO_ERR_MODEL
                                                                    : AVITO_ERR_JSON;
    }
    if (c == 'n') {
        read_word(&r, "null"); /* an empty answer, where nobody waits for a model */
    } else if (root == NULL) {
        read_container(&r, c == '{' ? AVITOI_SCHEMA_MAP : AVITOI_SCHEMA_ARR, NULL, NULL);
    } else if (root->bare && avitoi_schema_fields(root)->kind ==
                                 (c == '{' ? AVITOI_SCHEMA_MAP : AVITOI_SCHEMA_ARR)) {
        read_container(&r, avitoi_schema_fields(root)->kind, avitoi_schema_child(root, 0), &list);
        text_add(out, "{");
        for (size_t i = 0; i < root->count; i++) {
            text_add(out, "%s=%s", avitoi_schema_key(root, (unsigned)i),
                     i == 0 ? "" : nothing(&avitoi_schema_fields(root)[i]));
            text_add_bytes(out, i == 0 && list.data != NULL ? list.data : "",
                           i == 0 ? list.len : 0);
            text_add(out, ";");
        }
        text_add(out, "}");
    } else if (c == '{') {
        read_container(&r, AVITOI_SCHEMA_OBJ, root, out);
    } else {
        fail(&r, AVITO_ERR_MODEL);
    }
    text_free(&list);
    blanks(&r);
    if (r.p != r.end) {
        fail(&r, AVITO_ERR_JSON);
    }
    return r.error;
}

/* ---- comparing ---- */

static bool equal(const struct text *a, const struct text *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void must_equal(const char *what, const struct filter_result *a,
                       const struct filter_result *b)
{
    if (a->result != b->result || ((a->result == 0) && !equal(&a->text, &b->text))) {
        fprintf(stderr, "%s: %d %d\n%s\n%s\n", what, a->result, b->result, a->text.data,
                b->text.data);
        abort();
    }
}

static void check_against_reader(struct filter_job job, uint32_t cuts)
{
    struct filter_result expected = {{NULL, 0, 0}, 0, 0}, got = {{NULL, 0, 0}, 0, 0};

    job.plain = true;
    job.room = FILTER_AMPLE;
    expected.result = read_root(&job, &expected.text);
    filter_run(&job, &got);
    must_equal("reader, filter", &expected, &got);
    job.cuts = cuts;
    filter_run(&job, &got);
    must_equal("reader, filter in pieces", &expected, &got);
    filter_portable(&job, &got);
    must_equal("reader, portable filter in pieces", &expected, &got);
    job.cuts = 0;
    filter_portable(&job, &got);
    must_equal("reader, portable filter", &expected, &got);
    text_free(&expected.text);
    text_free(&got.text);
}

/* In `room` bytes: the same as in ample memory, or AVITO_ERR_ARENA if they are too few. */
static void check_room(struct filter_job job, size_t room, uint32_t cuts,
                       const struct filter_result *ample)
{
    struct filter_result got = {{NULL, 0, 0}, 0, 0};

    job.room = room;
    for (int i = 0; i < 3; i++) {
        job.cuts = i == 0 ? 0 : cuts;
        (i == 2 ? filter_portable : filter_run)(&job, &got);
        if (ample->result == AVITO_OK && (room & ~(size_t)7) < ample->needed) {
            MUST(got.result == AVITO_ERR_ARENA && got.needed == ample->needed);
        } else {
            must_equal("ample memory, less", ample, &got);
        }
    }
    text_free(&got.text);
}

static void check_memory(struct filter_job job, uint32_t cuts)
{
    struct filter_result ample = {{NULL, 0, 0}, 0, 0};
    const size_t room = job.room;

    job.room = FILTER_AMPLE;
    filter_portable(&job, &ample);
    check_room(job, room, cuts, &ample);
    check_room(job, ample.needed, cuts, &ample);
    if (ample.needed > 0) {
        check_room(job, ample.needed - 8, cuts, &ample);
    }
    text_free(&ample.text);
}

/* Element by element: errors of elements are part of the text. */
static void check_streams(struct filter_job job, uint32_t cuts)
{
    struct filter_result whole = {{NULL, 0, 0}, 0, 0}, got = {{NULL, 0, 0}, 0, 0};

    job.streams = true;
    job.room = FILTER_AMPLE;
    filter_run(&job, &whole);
    job.cuts = cuts;
    filter_run(&job, &got);
    must_equal("elements, in pieces", &whole, &got);
    MUST(equal(&whole.text, &got.text));
    filter_portable(&job, &got);
    must_equal("elements, portable", &whole, &got);
    MUST(equal(&whole.text, &got.text));
    text_free(&whole.text);
    text_free(&got.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct filter_job job;
    uint32_t cuts;

    if (size < 6) {
        return 0;
    }
    memset(&job, 0, sizeof job);
    job.root = data[0] % FILTER_ROOTS;
    job.room = data[1] + 256u * (data[2] & 31u);
    cuts = 1u + data[3];
    job.cut_at = (data[5] & FLAG_CUT) != 0 ? data[4] : 0;
    job.want = (data[5] & FLAG_WANT) != 0 ? 0x55555555u : UINT32_MAX;
    job.len = size - 6;
    job.bytes = fuzz_copy(data + 6, job.len);
    check_against_reader(job, cuts);
    check_memory(job, cuts);
    if (job.root == 1 || job.root == 2 || job.root == 6 || job.root == 7 || job.root == 8) {
        job.plain = (data[5] & FLAG_STREAMS) != 0;
        check_streams(job, cuts);
    }
    job.root = FILTER_ROOTS - 1; /* only checked */
    check_against_reader(job, cuts);
    free((void *)(uintptr_t)job.bytes);
    return 0;
}
