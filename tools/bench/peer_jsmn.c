/* jsmn alone: only the tokens of the whole body, no structs. Built twice: in its default form, and
 * strict with parent links. */
#include <jsmn.h>
#include <stdlib.h>

#include "bench.h"

static jsmntok_t *tokens;
static unsigned room;

static int tokenise(const char *body, size_t len, bench_sink *sink)
{
    jsmn_parser parser;
    int n;

    if (room < len / 2) { /* hostile shapes have a token for every other byte */
        room = (unsigned)(len / 2);
        free(tokens);
        tokens = malloc(room * sizeof *tokens);
    }
    jsmn_init(&parser);
    n = jsmn_parse(&parser, body, len, tokens, room);
    sink->count += n > 0 ? (uint64_t)n : 0;
    return n > 0 ? 0 : -1;
}

const bench_peer bench_peers[] = {
#ifdef JSMN_PARENT_LINKS
    {"jsmn strict+links, tokens only", tokenise, tokenise, tokenise, NULL, NULL, true},
#else
    {"jsmn, tokens only", tokenise, tokenise, tokenise, NULL, NULL, true},
#endif
    {NULL, NULL, NULL, NULL, NULL, NULL, false},
};
