/* stores.c - see stores.h. */
#include "stores.h"

#include <stdio.h>
#include <string.h>

static int failures;

static void check(const token_store *s, const char *what, bool ok)
{
    printf("%s - %s: %s\n", ok ? "ok" : "not ok", s->name, what);
    failures += !ok;
}

static avito_str str_of(const char *text)
{
    avito_str s = {text, text != NULL ? strlen(text) : 0};

    return s;
}

static bool keeps(const token_store *s, const char *access, const char *refresh, int64_t expires_at)
{
    avito_token in, out;

    memset(&in, 0, sizeof in);
    memset(&out, 0, sizeof out);
    in.access_token = str_of(access);
    in.refresh_token = str_of(refresh);
    in.expires_at = expires_at;
    return s->save_token(s->ctx, &in) == AVITO_OK && s->load_token(s->ctx, &out) == AVITO_OK &&
           avito_str_equal(out.access_token, access) && out.expires_at == expires_at &&
           (refresh == NULL ? out.refresh_token.len == 0
                            : avito_str_equal(out.refresh_token, refresh));
}

int stores_run(const token_store *s)
{
    static char state[1232], back[1300], large[700];
    avito_token token;
    size_t len = 1;

    memset(&token, 0, sizeof token);
    check(s, "an empty store has no token", s->load_token(s->ctx, &token) == AVITO_END);
    check(s, "... and no slot",
          s->load_inbox(s->ctx, 0, back, sizeof back, &len) == AVITO_END && len == 0);
    check(s, "a token", keeps(s, "abc", NULL, 1790000000));
    check(s, "a pair", keeps(s, "access-2", "refresh-2", 4102444800));
    check(s, "another pair", keeps(s, "a", "a-longer-refresh-token-0123456789", 0));
    memset(large, 'x', sizeof large - 1);
    token.access_token = str_of(large);
    check(s, "one that is too long is refused", s->save_token(s->ctx, &token) < 0);
    memset(&token, 0, sizeof token);
    check(s, "... and the last one stays",
          s->load_token(s->ctx, &token) == AVITO_OK && avito_str_equal(token.access_token, "a"));
    for (size_t i = 0; i < sizeof state; i++) {
        state[i] = (char)(i * 7);
    }
    check(s, "a slot is written", s->save_inbox(s->ctx, 1, state, sizeof state - 3) == AVITO_OK);
    check(s, "... and read",
          s->load_inbox(s->ctx, 1, back, sizeof back, &len) == AVITO_OK &&
              len == sizeof state - 3 && memcmp(state, back, len) == 0);
    check(s, "the other slot is empty",
          s->load_inbox(s->ctx, 0, back, sizeof back, &len) == AVITO_END);
    check(s, "a slot larger than the room is told by its length",
          s->load_inbox(s->ctx, 1, back, 100, &len) == AVITO_OK && len == sizeof state - 3);
    return failures;
}
