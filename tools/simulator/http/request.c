/* request.c - checks a request's query and body by the fields of the table in api.c. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- names and values */

bool simi_parse_pairs(simi_request *r, const char *p, size_t len)
{
    const char *end = p + len;
    r->param_count = 0;
    if (r->text.cap <
        len * 2 + 2) { /* enough for everything: it must not move while params point into it */
        r->text.cap = len * 2 + 2;
        r->text.p = simi_alloc(r->text.p, r->text.cap);
    }
    char *out = r->text.p;
    while (p < end) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        stop = stop != NULL ? stop : end;
        const char *equals = memchr(p, '=', (size_t)(stop - p));
        if (equals == NULL || equals == p) {
            return false;
        }
        SIMI_GROW(r->params, r->param_count, r->param_cap);
        simi_param *param = &r->params[r->param_count++];
        param->name = out;
        if (!simi_percent_decode(p, (size_t)(equals - p), true, out)) {
            return false;
        }
        out += strlen(out) + 1;
        param->value = out;
        if (!simi_percent_decode(equals + 1, (size_t)(stop - equals - 1), true, out)) {
            return false;
        }
        out += strlen(out) + 1;
        if (stop + 1 == end) {
            return false; /* "a=1&" */
        }
        p = stop < end ? stop + 1 : end;
    }
    return true;
}

bool simi_parse_query(simi_request *r)
{
    const char *query = strchr(r->target.p, '?');
    r->param_count = 0;
    return query == NULL || simi_parse_pairs(r, query + 1, strlen(query + 1));
}

const char *simi_param_value(const simi_request *r, const char *name)
{
    for (size_t i = 0; i < r->param_count; i++) {
        if (strcmp(r->params[i].name, name) == 0) {
            return r->params[i].value;
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- one value against one rule */

static bool is_word_of(const char *words, const char *word, size_t len)
{
    while (*words != '\0') {
        size_t n = strcspn(words, ",");
        if (n == len && memcmp(words, word, n) == 0) {
            return true;
        }
        words += n + (words[n] == ',' ? 1 : 0);
    }
    return false;
}

static bool is_url(const char *text)
{
    size_t scheme = strncmp(text, "https://", 8) == 0  ? 8
                    : strncmp(text, "http://", 7) == 0 ? 7
                                                       : 0;
    if (scheme == 0 || text[scheme] == '\0' || strchr("/?#:", text[scheme]) != NULL) {
        return false;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7F) {
            return false;
        }
    }
    return true;
}

static const char *range_message(const simi_field *f, int64_t max)
{
    static const char *const known[] = {"must be between 1 and 100", "must be between 0 and 1000",
                                        "must be between 1 and 4", "must be a positive number"};
    return max == 100 ? known[0] : max == 1000 ? known[1] : f->max == 4 ? known[2] : known[3];
}

/* Returns NULL, or what is wrong with a value that came as text. */
static const char *wrong_text(sim *s, const simi_field *f, const char *value)
{
    int64_t n = 0;
    int64_t max = strcmp(f->name, "limit") == 0    ? (int64_t)s->o.page_limit_max
                  : strcmp(f->name, "offset") == 0 ? (int64_t)s->o.offset_max
                                                   : f->max;
    switch (f->kind) {
        case SIMI_INT:
            if (!simi_parse_int(value, &n)) {
                return "must be a number";
            }
            return n < f->min || (max != 0 && n > max) ? range_message(f, max) : NULL;
        case SIMI_BOOL:
            return strcmp(value, "true") == 0 || strcmp(value, "false") == 0
                       ? NULL
                       : "must be true or false";
        case SIMI_WORD:
            return is_word_of(f->words, value, strlen(value)) ? NULL : "unknown value";
        case SIMI_STRING:
            if (simi_is_blank(value)) {
                return "must not be empty";
            }
            return f->max != 0 && simi_code_points(value) > (size_t)f->max ? "is too long" : NULL;
        case SIMI_URL:
            return is_url(value) ? NULL : "must be an absolute URL";
        default:
            return "must not be a list";
    }
}

/* The same for "a,b,c". */
static const char *wrong_list(const simi_field *f, const char *value)
{
    char one[32];
    int64_t n = 0;
    for (const char *p = value;; p++) {
        size_t len = strcspn(p, ",");
        if (len == 0) {
            return "has an empty element";
        }
        if (f->kind == SIMI_WORDS && !is_word_of(f->words, p, len)) {
            return "unknown value";
        }
        if (f->kind == SIMI_INTS) {
            (void)snprintf(one, sizeof one, "%.*s", (int)(len < 31 ? len : 31), p);
            if (!simi_parse_int(one, &n) || n < f->min) {
                return "must be a list of numbers";
            }
        }
        p += len;
        if (*p == '\0') {
            return NULL;
        }
    }
}

static bool is_list(const simi_field *f)
{
    return f->kind == SIMI_WORDS || f->kind == SIMI_INTS || f->kind == SIMI_STRINGS;
}

static const simi_field *find_field(const simi_field *fields, const char *name)
{
    for (; fields->name != NULL; fields++) {
        if (strcmp(fields->name, name) == 0) {
            return fields;
        }
    }
    return NULL;
}

/* Query or form: every parameter by its field's rule, none twice, and none missing. */
static bool check_pairs(sim *s, simi_request *r, const simi_field *fields, simi_answer *a)
{
    for (size_t i = 0; i < r->param_count; i++) {
        const simi_param *p = &r->params[i];
        const simi_field *f = find_field(fields, p->name);
        if (f == NULL) {
            s->stats.unknown_parameters++;
            continue;
        }
        bool again = !is_list(f) && simi_param_value(r, p->name) != p->value;
        const char *wrong = again        ? "is given twice"
                            : is_list(f) ? wrong_list(f, p->value)
                                         : wrong_text(s, f, p->value);
        if (wrong != NULL) {
            simi_field_error(a, f->name, wrong);
            return false;
        }
    }
    for (const simi_field *f = fields; f->name != NULL; f++) {
        if (f->required && simi_param_value(r, f->name) == NULL) {
            simi_field_error(a, f->name, "is required");
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- JSON bodies */

/* cJSON is lenient, the service's decoder is not. cJSON accepts what JSON forbids: bytes that are
 * not UTF-8, control characters, other blanks, an escaped NUL. */
static bool is_strict(const char *p, size_t len)
{
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c < 0x20 && (in_string || (c != '\n' && c != '\r' && c != '\t'))) {
            return false;
        }
        if (in_string && c == '\\') {
            if (len - i >= 6 && memcmp(p + i, "\\u0000", 6) == 0) {
                return false;
            }
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && c == '0' && i + 1 < len && p[i + 1] >= '0' && p[i + 1] <= '9' &&
                   (i == 0 || strchr("0123456789.eE+", p[i - 1]) == NULL)) {
            return false; /* 01 */
        }
    }
    return simi_is_utf8(p, len);
}

bool simi_parse_json(simi_request *r)
{
    if (r->body.len == 0 || !is_strict(r->body.p, r->body.len)) {
        return false;
    }
    r->json = cJSON_ParseWithOpts(r->body.p, NULL, 1);
    return cJSON_IsObject(r->json);
}

/* Returns NULL, or what is wrong with a JSON value. */
static const char *wrong_json(sim *s, const simi_field *f, const cJSON *value)
{
    char number[32];
    if (f->kind == SIMI_INT) {
        double n = cJSON_IsNumber(value) ? value->valuedouble : 0.5;
        if (n != (double)(int64_t)n || n > 9e15 || n < -9e15) {
            return "must be a number";
        }
        (void)snprintf(number, sizeof number, "%lld", (long long)n);
        return wrong_text(s, f, number);
    }
    if (f->kind == SIMI_ARRAY) {
        if (!cJSON_IsArray(value)) {
            return "must be an array";
        }
        return cJSON_GetArraySize(value) < f->min ? "must not be empty" : NULL;
    }
    return cJSON_IsString(value) ? wrong_text(s, f, value->valuestring) : "must be a string";
}

/* Walks to the value at `path`; NULL: missing. *bad is set if a value on the way has the wrong
 * type. */
static const cJSON *walk(const cJSON *from, const char *path, bool *bad)
{
    char key[32];
    while (from != NULL && *path != '\0') {
        size_t n = strcspn(path, ".");
        (void)snprintf(key, sizeof key, "%.*s", (int)n, path);
        if (!cJSON_IsObject(from)) {
            *bad = true;
            return NULL;
        }
        from = cJSON_GetObjectItemCaseSensitive(from, key);
        from = cJSON_IsNull(from) ? NULL : from;
        path += n + (path[n] == '.' ? 1 : 0);
    }
    return from;
}

static bool check_one(sim *s, const simi_field *f, const cJSON *base, const char *path,
                      simi_answer *a)
{
    bool bad = false;
    const cJSON *value = walk(base, path, &bad);
    const char *wrong = bad             ? "must be an object"
                        : value != NULL ? wrong_json(s, f, value)
                        : f->required   ? "is required"
                                        : NULL;
    if (wrong != NULL) {
        simi_field_error(a, f->name, wrong);
    }
    return wrong == NULL;
}

/* Counts the members that are on no path of the table. */
static void count_unknown(sim *s, const simi_field *fields, const cJSON *object, const char *prefix)
{
    char path[128];
    const cJSON *member;
    cJSON_ArrayForEach(member, object)
    {
        const char *name = member->string != NULL ? member->string : "";
        (void)snprintf(path, sizeof path, "%s%.40s", prefix, name);
        size_t len = strlen(path);
        bool known = false;
        for (const simi_field *f = fields; f->name != NULL; f++) {
            known =
                known || (strncmp(f->name, path, len) == 0 && strchr(".[", f->name[len]) != NULL);
        }
        if (!known) {
            s->stats.unknown_parameters++;
        } else if (cJSON_IsObject(member)) {
            (void)snprintf(path + len, sizeof path - len, ".");
            count_unknown(s, fields, member, path);
        }
    }
}

/* A JSON body: every field by its rule, those of "users[]" in each element. */
static bool check_json(sim *s, simi_request *r, simi_answer *a)
{
    if (!simi_parse_json(r)) {
        simi_error_text(a, 400, "Bad Request");
        return false;
    }
    count_unknown(s, r->row->body, r->json, "");
    for (const simi_field *f = r->row->body; f->name != NULL; f++) {
        const char *inside = strstr(f->name, "[].");
        if (inside == NULL) {
            if (!check_one(s, f, r->json, f->name, a)) {
                return false;
            }
            continue;
        }
        const cJSON *one;
        cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(r->json, "users"))
        {
            if (!check_one(s, f, one, inside + 3, a)) {
                return false;
            }
        }
    }
    return true;
}

static bool is_type(const simi_request *r, const char *type)
{
    size_t n = strlen(type);
    return strncmp(r->content_type, type, n) == 0 && strchr("; \t", r->content_type[n]) != NULL;
}

static bool check_form(sim *s, simi_request *r, simi_answer *a)
{
    if (!is_type(r, "application/x-www-form-urlencoded") || r->param_count != 0 ||
        r->body.len == 0 || !simi_parse_pairs(r, r->body.p, r->body.len)) {
        simi_error(a, 400, SIM_BODY_OAUTH);
        return false;
    }
    if (!check_pairs(s, r, r->row->body, a)) {
        simi_error(a, 400, SIM_BODY_OAUTH);
        return false;
    }
    return true;
}

bool simi_check_fields(sim *s, simi_request *r, simi_answer *a)
{
    if (!simi_parse_query(r)) {
        simi_error_text(a, 400, "Bad Request");
        return false;
    }
    if (r->row->body_kind == SIMI_FORM) {
        return check_form(s, r, a);
    }
    if (!check_pairs(s, r, r->row->query, a)) {
        return false;
    }
    if (r->row->body_kind == SIMI_NO_BODY) {
        s->stats.unneeded_bodies += r->body.len != 0;
        return true;
    }
    if (r->row->body_kind == SIMI_JSON) {
        if (!is_type(r, "application/json")) {
            simi_error_text(a, 400, "Content-Type must be application/json");
            return false;
        }
        return check_json(s, r, a);
    }
    return true; /* its operation takes multipart apart */
}
