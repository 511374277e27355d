/*
 * One run of the element filter, with its models as text. json.c and json_portable.c include it,
 * and choose the macros of the implementation.
 *
 * Checked here: nothing outside the memory is touched.
 */
#ifndef TESTS_FUZZ_FILTER_H
#define TESTS_FUZZ_FILTER_H

#include "fuzz.h"

#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include "support/dump.h"

#define FILTER_AMPLE 131072u /* for 4 KB of anything; not of exact size, but cheap */

struct filter_job {
    unsigned root; /* of filter_roots */
    const void *bytes;
    size_t len, room;
    uint32_t cuts; /* how the bytes are split; 0: not at all */
    size_t cut_at;
    uint32_t want;
    bool plain;   /* without finish functions, shown by the schemas; else by dump.h */
    bool streams; /* element by element */
};

struct filter_result {
    struct text text;
    int result;
    size_t needed;
};

static const struct avitoi_schema *const filter_roots[] = {
    &avitoi_schema_chat.schema,          &avitoi_schema_chats.schema,
    &avitoi_schema_messages.schema,      &avitoi_schema_message.schema,
    &avitoi_schema_self.schema,          &avitoi_schema_token.schema,
    &avitoi_schema_uploads.schema,       &avitoi_schema_voices.schema,
    &avitoi_schema_subscriptions.schema, &avitoi_schema_envelope.schema,
    &avitoi_schema_context.schema,       &avitoi_schema_reply.schema,
    &avitoi_schema_sent.schema,          NULL,
};

enum { FILTER_ROOTS = sizeof filter_roots / sizeof filter_roots[0] };

/* ---- schemas without their finish functions ---- */

static const struct avitoi_schema *plain_schema(const struct avitoi_schema *schema)
{
    enum { ROWS = 26 };
    static struct {
        const struct avitoi_schema *from;
        const struct avitoi_schema *children[ROWS];
        struct avitoi_schema schema; /* as the header lays them out, between children and rows */
        struct avitoi_schema_field fields[ROWS];
        char keys[512];
    } copies[64];
    size_t i = 0, child = ROWS;

    if (schema == NULL || schema->count == 0 ||
        schema == &avitoi_schema_pair.schema) { /* known by its address */
        return schema;
    }
    while (copies[i].from != NULL && copies[i].from != schema) {
        i++;
        MUST(i < 64);
    }
    if (copies[i].from == NULL) {
        const char *const keys = avitoi_schema_key(schema, 0);
        const char *const last = avitoi_schema_key(schema, schema->count);
        const size_t rows = schema->count + (size_t)AVITO_WITH_SHORTCUTS;
        copies[i].from = schema;
        copies[i].schema = *schema;
        copies[i].schema.finishes = false;
        MUST(rows <= ROWS && (size_t)(last - keys) <= sizeof copies[i].keys);
        memcpy(copies[i].fields, avitoi_schema_fields(schema), rows * sizeof copies[i].fields[0]);
        memcpy(&copies[i].fields[rows], keys, (size_t)(last - keys));
        for (size_t k = schema->count; k-- > 0;) {
            struct avitoi_schema_field *const field = &copies[i].fields[k];
            if ((AVITOI_SCHEMA_PARENTS >> field->kind & 1u) != 0) {
                copies[i].children[--child] =
                    plain_schema(avitoi_schema_child(schema, (unsigned)k));
#if AVITO_WITH_SHORTCUTS
                field->child = copies[i].children[child];
#endif
            }
        }
    }
    return &copies[i].schema;
}

/* ---- a model by its schema ---- */

static void show_bytes(struct text *out, const void *bytes, size_t len)
{
    text_add(out, "%zu:", len);
    text_add_bytes(out, bytes, len);
}

static void show_str(struct text *out, avito_str s)
{
    if (s.ptr == NULL) {
        MUST(s.len == 0);
        text_add(out, "null");
        return;
    }
    MUST(s.ptr[s.len] == '\0');
    show_bytes(out, s.ptr, s.len);
}

/* Several rows may share a place: it belongs to the first. */
static size_t row_of(const struct avitoi_schema *schema, size_t row)
{
    for (size_t i = 0; i < row; i++) {
        if (avitoi_schema_fields(schema)[i].offset == avitoi_schema_fields(schema)[row].offset) {
            return i;
        }
    }
    return row;
}

static void show_model(struct text *out, const struct avitoi_schema *schema, const char *model);

static void show_list(struct text *out, const struct avitoi_schema *of, const char *at)
{
    const size_t size = of == NULL ? sizeof(avito_str) : of->size;
    struct avitoi_schema_items list;

    memcpy(&list, at, sizeof list);
    MUST(list.count == 0 || list.items != NULL);
    text_add(out, "[");
    for (size_t i = 0; i < list.count; i++) {
        const char *item = (const char *)list.items + i * size;
        if (of == NULL) { /* strings */
            avito_str s;
            memcpy(&s, item, sizeof s);
            show_str(out, s);
        } else {
            show_model(out, of, item);
        }
        text_add(out, ",");
    }
    text_add(out, "]");
}

static void show_field(struct text *out, const struct avitoi_schema *in, unsigned row,
                       const char *at)
{
    const struct avitoi_schema *const of = avitoi_schema_is_parent(&avitoi_schema_fields(in)[row])
                                               ? avitoi_schema_child(in, row)
                                               : NULL;
    int64_t wide;
    int32_t narrow;
    avito_str s;
    const char *child;

    switch ((int)avitoi_schema_fields(in)[row].kind) {
        case AVITOI_SCHEMA_INT:
            memcpy(&wide, at, sizeof wide);
            text_add(out, "%lld", (long long)wide);
            break;
        case AVITOI_SCHEMA_E7:
            memcpy(&narrow, at, sizeof narrow);
            text_add(out, "%ld", (long)narrow);
            break;
        case AVITOI_SCHEMA_BOOL:
            text_add(out, "%s", at[1] == 0 ? "null" : at[0] != 0 ? "true" : "false");
            break;
        case AVITOI_SCHEMA_OBJ:
        case AVITOI_SCHEMA_TYPED:
            memcpy(&child, at, sizeof child);
            if (child != NULL && child != &avitoi_schema_left_out) {
                show_model(out, of != NULL ? of : in, child);
            } else {
                text_add(out, "null");
            }
            break;
        case AVITOI_SCHEMA_ARR:
        case AVITOI_SCHEMA_MAP:
        case AVITOI_SCHEMA_STRS:
            show_list(out, of, at);
            break;
        default:
            memcpy(&s, at, sizeof s);
            show_str(out, s);
            break;
    }
}

static void show_model(struct text *out, const struct avitoi_schema *schema, const char *model)
{
    text_add(out, "{");
    for (size_t i = 0; i < schema->count; i++) {
        if (row_of(schema, i) == i) {
            text_add(out, "%s=", avitoi_schema_key(schema, (unsigned)i));
            show_field(out, schema, (unsigned)i, model + avitoi_schema_fields(schema)[i].offset);
            text_add(out, ";");
        }
    }
    text_add(out, "}");
}

/* By dump.h, where it knows the model. */
static void dump_root(struct text *out, unsigned root, const void *model)
{
    const struct avitoi_schema_items *list = model;

    if (root == 0) {
        dump_chat(out, "chat", model);
    } else if (root == 3) {
        dump_message(out, "message", model);
    } else if (root == 1) {
        for (size_t i = 0; i < list->count; i++) {
            dump_chat(out, "chat", (const avito_chat *)list->items + i);
        }
    } else if (root == 2) {
        for (size_t i = 0; i < list->count; i++) {
            dump_message(out, "message", (const avito_message *)list->items + i);
        }
    }
}

/* ---- one run ---- */

struct filter_run {
    const struct filter_job *job;
    const struct avitoi_schema *schema;
    struct avitoi_json j;
    char *out; /* the root's struct, or that of the element */
    struct filter_result *result;
};

static void run_element(struct filter_run *r, int rc)
{
    struct text *text = &r->result->text;

    if (rc == AVITO_OK) {
        if (r->job->root == 1 && !r->job->plain) {
            dump_chat(text, "chat", (const avito_chat *)(const void *)r->out);
        } else if (r->job->root == 2 && !r->job->plain) {
            dump_message(text, "message", (const avito_message *)(const void *)r->out);
        } else if (r->job->plain) {
            show_model(text, avitoi_schema_child(r->schema, 0), r->out);
            text_add(text, ",");
        }
        return;
    }
    text_add(text, "(%d", rc);
    if (rc == AVITO_ERR_ARENA) {
        text_add(text, " ");
        show_bytes(text, r->j.id.ptr, r->j.id.len);
        text_add(text, " %zu", avitoi_arena_align(r->j.mem.peak));
    }
    text_add(text, ")");
}

/* Gives one piece, in memory of its own. */
static int run_piece(struct filter_run *r, const char *bytes, size_t len)
{
    char *piece = fuzz_copy(bytes, len);
    size_t at = 0, calls = 0;
    int rc = AVITO_AGAIN;

    while (at < len && r->j.state != AVITOI_JSON_AT_BROKEN) {
        size_t used = len + 1;
        MUST(++calls <= 2 * len + 2);
        rc = avitoi_json_feed(&r->j, piece + at, len - at, &used);
        MUST(used <= len - at && (rc != AVITO_AGAIN || used == len - at));
        at += used;
        if (rc != AVITO_AGAIN && r->j.state != AVITOI_JSON_AT_BROKEN) {
            MUST(r->job->streams && (rc == AVITOI_JSON_ELEMENT || rc < 0));
            run_element(r, rc == AVITOI_JSON_ELEMENT ? AVITO_OK : rc);
        }
    }
    free(piece);
    MUST(r->j.state != AVITOI_JSON_AT_BROKEN || rc < 0);
    return r->j.state == AVITOI_JSON_AT_BROKEN ? rc : AVITO_AGAIN;
}

static void filter_run(const struct filter_job *job, struct filter_result *result)
{
    struct filter_run r;
    static uint64_t ample[FILTER_AMPLE / 8];
    char *memory = job->room < FILTER_AMPLE ? fuzz_memory(job->room) : (char *)ample;
    avito_arena arena = avito_arena_of(memory, job->room);
    uint32_t cuts = job->cuts;
    int rc = AVITO_AGAIN;

    memset(&r, 0, sizeof r);
    r.job = job;
    r.schema = job->plain ? plain_schema(filter_roots[job->root]) : filter_roots[job->root];
    r.result = result;
    if (r.schema != NULL) {
        r.out = fuzz_memory(job->streams ? avitoi_schema_child(r.schema, 0)->size : r.schema->size);
    }
    avitoi_json_begin(&r.j, r.schema, r.out);
    avitoi_arena_share(&r.j.mem, arena.base + arena.used, arena.cap - arena.used);
    r.j.list = job->streams ? &avitoi_json_streams : NULL;
    r.j.cut_at = job->cut_at;
    r.j.want = job->want | AVITOI_SCHEMA_ALWAYS;
    text_clear(&result->text);
    for (size_t at = 0; at < job->len && rc == AVITO_AGAIN;) {
        const size_t n = fuzz_piece(&cuts, job->len - at);
        rc = run_piece(&r, (const char *)job->bytes + at, n);
        at += n;
    }
    rc = rc == AVITO_AGAIN ? avitoi_json_end(&r.j) : rc;
    if (rc == AVITO_OK && !job->streams && r.schema != NULL && job->plain) {
        show_model(&result->text, r.schema, r.out);
    } else if (rc == AVITO_OK && !job->streams && r.schema != NULL) {
        dump_root(&result->text, job->root, r.out);
    }
    result->result = rc;
    result->needed = avitoi_arena_align(r.j.mem.peak);
    free(r.out);
    if (job->room < FILTER_AMPLE) {
        free(memory);
    }
}

#endif
