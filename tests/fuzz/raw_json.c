/*
 * Any bytes as raw JSON, into memory of any size.
 *
 *     input: size of the memory (2 bytes), where it begins, text
 *
 * What must hold: nothing outside text and memory is touched. The result depends on the text alone,
 * except that memory that is too small is ROOM, and the size that this error names is enough. A
 * text is accepted alone exactly when it is accepted as the only element of a list. The walk meets
 * each token once, and finds values by key and by index. The tree written again is the same tree.
 */
#include "avito_messenger.h"
#include "fuzz.h"
#include "support/dump.h"

#define AMPLE AVITO_JSON_TOKENS_SIZE(4096)

static int parse(avito_json *json, const char *text, size_t len, void *memory, size_t size)
{
    const int rc = avito_json_parse(json, text, len, memory, size);

    MUST((rc == AVITO_ERR_ROOM) == (json->needed != 0));
    MUST((rc == AVITO_OK) == (avito_json_type_of(avito_json_root(json)) != AVITO_JSON_NONE));
    return rc;
}

/* ---- the tree, written again ---- */

static void write_string(struct text *out, avito_json_value value)
{
    static char room[32768];
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_str s;

    MUST(avito_json_string(value, &arena, &s, NULL) == AVITO_OK);
    MUST(avito_json_is(value, s.ptr) == (strlen(s.ptr) == s.len));
    text_add_bytes(out, "\"", 1);
    for (size_t i = 0; i < s.len; i++) {
        char escape[8];

        if ((uint8_t)s.ptr[i] < ' ' || s.ptr[i] == '"' || s.ptr[i] == '\\') {
            (void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)s.ptr[i]);
            text_add_bytes(out, escape, 6);
        } else {
            text_add_bytes(out, &s.ptr[i], 1);
        }
    }
    text_add_bytes(out, "\"", 1);
}

/* The walk needs no recursion: at most 32 levels. Returns how many tokens it met. */
static size_t write_tree(struct text *out, avito_json_value root)
{
    struct {
        avito_json_value value;
        size_t index;
    } open[33] = {{root, 0}};
    size_t level = 0, met = 0;

    text_clear(out);
    for (avito_json_value at = root; at.json != NULL;) {
        const avito_json_type type = avito_json_type_of(at);
        const avito_str raw = avito_json_raw(at);
        avito_json_value key = avito_json_key(at), next;

        met += key.json != NULL ? 2 : 1;
        if (level > 0) {
            const avito_json_value same = avito_json_at(open[level].value, open[level].index);

            MUST(same.json == at.json && same.token == at.token);
            text_add_bytes(out, ",", open[level].index > 0);
            open[level].index++;
        }
        if (key.json != NULL) {
            write_string(out, key);
            text_add_bytes(out, ":", 1);
        }
        if (type >= AVITO_JSON_ARRAY) {
            text_add_bytes(out, raw.ptr, 1);
            MUST(++level < 33);
            open[level].value = at;
            open[level].index = 0;
            next = avito_json_first(at);
        } else if (type == AVITO_JSON_STRING) {
            write_string(out, at);
            next = avito_json_next(at);
        } else {
            text_add_bytes(out, raw.ptr, raw.len);
            next = avito_json_next(at);
        }
        while (next.json == NULL && level > 0) {
            const avito_str whole = avito_json_raw(open[level].value);

            MUST(open[level].index == avito_json_count(open[level].value));
            text_add_bytes(out, whole.ptr + whole.len - 1, 1);
            next = avito_json_next(open[level].value);
            level--;
        }
        at = next;
    }
    return met;
}

static void check_tree(const avito_json *json, size_t len)
{
    static char memory[AMPLE];
    struct text once = {NULL, 0, 0}, again = {NULL, 0, 0};
    const size_t met = write_tree(&once, avito_json_root(json));
    avito_json second;

    MUST(met <= len / 2 + 1);
    MUST(parse(&second, once.data, once.len, memory, sizeof memory) == AVITO_OK);
    MUST(write_tree(&again, avito_json_root(&second)) == met);
    MUST(once.len == again.len && memcmp(once.data, again.data, once.len) == 0);
    text_free(&once);
    text_free(&again);
}

/* ---- alone, and in a list ---- */

static void check_list(const char *text, size_t len, int alone)
{
    static char memory[AMPLE];
    char *list = fuzz_memory(len + 2);
    avito_json json;
    int rc;

    list[0] = '[';
    memcpy(list + 1, text, len);
    list[len + 1] = ']';
    rc = parse(&json, list, len + 2, memory, sizeof memory);
    if (rc == AVITO_OK && avito_json_count(avito_json_root(&json)) == 1) {
        MUST(alone == AVITO_OK);
    } else if (rc != AVITO_ERR_JSON_DEPTH) {
        MUST(alone != AVITO_OK);
    }
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char memory[AMPLE];
    char *text, *room;
    avito_json json;
    size_t len, cap, skew;
    int rc, small;

    if (size < 3) {
        return 0;
    }
    len = size - 3;
    cap = (data[0] | (size_t)data[1] << 8) % 4096;
    skew = data[2] % 8;
    text = fuzz_copy(data + 3, len);
    room = fuzz_memory(cap + skew);
    rc = parse(&json, text, len, memory, sizeof memory);
    MUST(rc != AVITO_ERR_ROOM);
    if (rc == AVITO_OK) {
        check_tree(&json, len);
    }
    check_list(text, len, rc);
    small = parse(&json, text, len, room + skew, cap);
    if (small == AVITO_ERR_ROOM) {
        const size_t needed = json.needed;

        MUST(needed > cap);
        free(room);
        room = fuzz_memory(needed + skew);
        small = parse(&json, text, len, room + skew, needed);
        if (small == AVITO_ERR_ROOM) { /* the first time it was for the reader */
            const size_t tokens = json.needed;

            MUST(tokens > needed);
            free(room);
            room = fuzz_memory(tokens + skew);
            small = parse(&json, text, len, room + skew, tokens);
        }
    }
    MUST(small == rc);
    if (rc == AVITO_OK) {
        check_tree(&json, len);
    }
    free(room);
    free(text);
    return 0;
}
