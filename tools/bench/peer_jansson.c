/* jansson: json_loadb, members by json_object_get. */
#include <jansson.h>
#include <stdbool.h>

#include "bench.h"

#define PEER "jansson"
typedef json_t *NODE;

static inline NODE tree_parse(const char *body, size_t len)
{
    return json_loadb(body, len, 0, NULL);
}

static inline void tree_free(NODE root)
{
    json_decref(root);
}

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
