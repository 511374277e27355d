/* yyjson: the whole body into a tree, with its own allocator over one pool, as its guide recommends;
 * members by yyjson_obj_getn. Only where the release has the package. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "bench.h"

#define PEER "yyjson"
typedef yyjson_val *NODE;

static void *pool;
static size_t pool_size;

/* The pool serves one tree at a time. */
static inline NODE tree_parse(const char *body, size_t len)
{
    const size_t size = yyjson_read_max_memory_usage(len, 0);
    yyjson_alc allocator;

    if (pool_size < size) {
        free(pool);
        pool = malloc(size);
        pool_size = size;
    }
    if (!yyjson_alc_pool_init(&allocator, pool, pool_size)) {
        return NULL;
    }
    return yyjson_doc_get_root(yyjson_read_opts((char *)body, len, 0, &allocator, NULL));
}

/* The parser alone, which does less than any decoder. */
static int parse_only(const char *body, size_t len, bench_sink *sink)
{
    sink->count++;
    return tree_parse(body, len) == NULL ? -1 : 0;
}
#define PEERS_MORE {"yyjson, parse only", parse_only, parse_only, parse_only, NULL, NULL, true},

static inline void tree_free(NODE root)
{
    (void)root;
}

#define node_get(object, key) yyjson_obj_getn(object, key, strlen(key))

static inline void node_str(NODE n, avito_str *s)
{
    if (yyjson_is_str(n)) {
        s->ptr = yyjson_get_str(n);
        s->len = yyjson_get_len(n);
    }
}

static inline int64_t node_int(NODE n)
{
    return yyjson_is_int(n) ? yyjson_get_sint(n) : 0;
}

static inline double node_real(NODE n)
{
    return yyjson_is_num(n) ? yyjson_get_num(n) : 0;
}

static inline int node_bool(NODE n)
{
    return yyjson_is_bool(n) ? yyjson_get_bool(n) : -1;
}

static inline bool node_is_object(NODE n)
{
    return yyjson_is_obj(n);
}

#define EACH_MEMBER(object, key, value)                                                            \
    {                                                                                              \
        size_t each_at, each_count;                                                                \
        NODE each_key, value;                                                                      \
        yyjson_obj_foreach(object, each_at, each_count, each_key, value)                           \
        {                                                                                          \
            const char *key = yyjson_get_str(each_key);
#define END_MEMBER                                                                                 \
    }                                                                                              \
    }
#define EACH_ELEMENT(array, value)                                                                 \
    {                                                                                              \
        size_t each_at, each_count;                                                                \
        NODE value, all_##value = array;                                                           \
        yyjson_arr_foreach(all_##value, each_at, each_count, value)                                \
        {
#define END_ELEMENT                                                                                \
    }                                                                                              \
    }

#include "dom.h"
