/* jansson: json_loadb, members by json_object_get. */
#include <jansson.h>
#include <stdbool.h>

#include "bench.h"

typedef json_t *NODE;

static inline NODE node_get(NODE object, const char *key)
{
    return json_object_get(object, key);
}

static inline void node_str(NODE n, avito_str *s)
{
    if (json_is_string(n)) {
        s->ptr = json_string_value(n);
        s->len = json_string_length(n);
    }
}

static inline int64_t node_int(NODE n)
{
    return json_integer_value(n);
}

static inline double node_real(NODE n)
{
    return json_number_value(n);
}

static inline int node_bool(NODE n)
{
    return json_is_boolean(n) ? json_boolean_value(n) : -1;
}

static inline bool node_is_object(NODE n)
{
    return json_is_object(n);
}

#define EACH_MEMBER(object, key, value)                                                            \
    {                                                                                              \
        const char *key;                                                                           \
        NODE value;                                                                                \
        json_object_foreach(object, key, value)                                                    \
        {
#define END_MEMBER                                                                                 \
    }                                                                                              \
    }
#define EACH_ELEMENT(array, value)                                                                 \
    {                                                                                              \
        size_t i_##value;                                                                          \
        NODE value, all_##value = array;                                                           \
        json_array_foreach(all_##value, i_##value, value)                                          \
        {
#define END_ELEMENT                                                                                \
    }                                                                                              \
    }

#include "dom.h"

static int chats(const char *body, size_t len, bench_sink *sink)
{
    json_t *root = json_loadb(body, len, 0, NULL);

    walk_chats(root, sink);
    json_decref(root);
    return root == NULL ? -1 : 0;
}

static int messages(const char *body, size_t len, bench_sink *sink)
{
    json_t *root = json_loadb(body, len, 0, NULL);

    walk_messages(root, sink);
    json_decref(root);
    return root == NULL ? -1 : 0;
}

const bench_peer bench_peers[] = {
    {"jansson", chats, messages, NULL, true},
    {NULL, NULL, NULL, NULL, false},
};
