/* json-c: json_tokener_parse_ex, members by json_object_object_get_ex. */
#include <json-c/json.h>
#include <stdbool.h>

#include "bench.h"

#define PEER "json-c"
typedef json_object *NODE;

static inline NODE tree_parse(const char *body, size_t len)
{
    json_tokener *tokener = json_tokener_new();
    json_object *root = json_tokener_parse_ex(tokener, body, (int)len);

    json_tokener_free(tokener);
    return root;
}

static inline void tree_free(NODE root)
{
    json_object_put(root);
}

static inline NODE node_get(NODE object, const char *key)
{
    json_object *value = NULL;

    if (!json_object_is_type(object, json_type_object)) {
        return NULL;
    }
    (void)json_object_object_get_ex(object, key, &value);
    return value;
}

static inline void node_str(NODE n, avito_str *s)
{
    if (json_object_is_type(n, json_type_string)) {
        s->ptr = json_object_get_string(n);
        s->len = (size_t)json_object_get_string_len(n);
    }
}

static inline int64_t node_int(NODE n)
{
    return json_object_get_int64(n);
}

static inline double node_real(NODE n)
{
    return json_object_get_double(n);
}

static inline int node_bool(NODE n)
{
    return json_object_is_type(n, json_type_boolean) ? json_object_get_boolean(n) : -1;
}

static inline bool node_is_object(NODE n)
{
    return json_object_is_type(n, json_type_object);
}

#define EACH_MEMBER(object, key, value)                                                            \
    {                                                                                              \
        json_object_object_foreach(object, key, value)                                             \
        {
#define END_MEMBER                                                                                 \
    }                                                                                              \
    }
#define EACH_ELEMENT(array, value)                                                                 \
    {                                                                                              \
        NODE all_##value = array;                                                                  \
        size_t i_##value, n_##value = all_##value ? json_object_array_length(all_##value) : 0;     \
        for (i_##value = 0; i_##value < n_##value; i_##value++) {                                  \
            NODE value = json_object_array_get_idx(all_##value, i_##value);
#define END_ELEMENT                                                                                \
    }                                                                                              \
    }

#include "dom.h"
