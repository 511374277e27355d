/* cJSON: parse with length, members by cJSON_GetObjectItemCaseSensitive, as its README shows. */
#include <cjson/cJSON.h>
#include <stdbool.h>

#include "bench.h"

#define PEER "cJSON"
typedef const cJSON *NODE;

static inline NODE tree_parse(const char *body, size_t len)
{
    return cJSON_ParseWithLength(body, len);
}

static inline void tree_free(NODE root)
{
    cJSON_Delete((cJSON *)root);
}

static inline NODE node_get(NODE object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static inline void node_str(NODE n, avito_str *s)
{
    if (cJSON_IsString(n)) {
        s->ptr = n->valuestring;
        s->len = __builtin_strlen(n->valuestring);
    }
}

static inline int64_t node_int(NODE n)
{
    return cJSON_IsNumber(n) ? (int64_t)n->valuedouble : 0;
}

static inline double node_real(NODE n)
{
    return cJSON_IsNumber(n) ? n->valuedouble : 0;
}

static inline int node_bool(NODE n)
{
    return cJSON_IsBool(n) ? cJSON_IsTrue(n) : -1;
}

static inline bool node_is_object(NODE n)
{
    return cJSON_IsObject(n);
}

#define EACH_MEMBER(object, key, value)                                                            \
    {                                                                                              \
        NODE value;                                                                                \
        cJSON_ArrayForEach(value, object)                                                          \
        {                                                                                          \
            const char *key = value->string;
#define END_MEMBER                                                                                 \
    }                                                                                              \
    }
#define EACH_ELEMENT(array, value)                                                                 \
    {                                                                                              \
        NODE value;                                                                                \
        NODE all_##value = array;                                                                  \
        cJSON_ArrayForEach(value, all_##value)                                                     \
        {
#define END_ELEMENT                                                                                \
    }                                                                                              \
    }

#include "dom.h"
