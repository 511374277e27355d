/* tokens.c - access and refresh tokens, authorization codes, and rates of requests. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

simi_token_state simi_check_token(sim *s, const char *access, simi_token **out)
{
    for (size_t i = s->token_count; i > 0; i--) {
        simi_token *t = &s->tokens[i - 1];
        if (strcmp(t->access, access) == 0) {
            *out = t;
            return t->dead                        ? SIMI_TOKEN_UNKNOWN
                   : simi_now(s) >= t->expires_ms ? SIMI_TOKEN_EXPIRED
                                                  : SIMI_TOKEN_GOOD;
        }
    }
    return SIMI_TOKEN_UNKNOWN;
}

/* Issues a token, with a refresh token if that is asked for; the former ones end if the options say so. */
const simi_token *simi_issue_token(sim *s, const char *scope, bool with_refresh)
{
    int64_t now = simi_now(s);
    size_t length = s->o.token_length;
    for (size_t i = 0; i < s->token_count && s->o.token_kills_former; i++) {
        s->tokens[i].dead = true;
    }
    SIMI_GROW(s->tokens, s->token_count, s->token_cap);
    simi_token *t = &s->tokens[s->token_count++];
    memset(t, 0, sizeof *t);
    t->access = simi_keep(&s->arena, length + 1);
    simi_random_text(&s->random, alphabet, t->access, length);
    t->expires_ms = now + (int64_t)s->o.token_lifetime_s * 1000;
    t->scope = scope;
    if (with_refresh) {
        t->refresh = simi_keep(&s->arena, length + 1);
        simi_random_text(&s->random, alphabet, t->refresh, length);
        t->refresh_expires_ms = now + (int64_t)s->o.refresh_lifetime_s * 1000;
    }
    t->issued_ms = now;
    s->stats.tokens_issued++;
    simi_tell(s, &(sim_event){.kind = SIM_EVENT_TOKENS});
    return t;
}

simi_token *simi_find_refresh(sim *s, const char *refresh)
{
    for (size_t i = s->token_count; i > 0; i--) {
        simi_token *t = &s->tokens[i - 1];
        if (t->refresh != NULL && strcmp(t->refresh, refresh) == 0) {
            return t->refresh_spent || simi_now(s) >= t->refresh_expires_ms ? NULL : t;
        }
    }
    return NULL;
}

simi_code *simi_find_code(sim *s, const char *code)
{
    for (size_t i = 0; i < s->code_count; i++) {
        simi_code *c = &s->codes[i];
        if (strcmp(c->code, code) == 0) {
            return c->spent || simi_now(s) >= c->expires_ms ? NULL : c;
        }
    }
    return NULL;
}

const char *sim_grant_code(sim *s, const char *scope)
{
    SIMI_GROW(s->codes, s->code_count, s->code_cap);
    simi_code *c = &s->codes[s->code_count++];
    memset(c, 0, sizeof *c);
    c->code = simi_keep(&s->arena, 23);
    simi_random_text(&s->random, alphabet, c->code, 22);
    c->scope = simi_keep_text(&s->arena, scope);
    c->expires_ms = simi_now(s) + 600000;
    return c->code;
}

void sim_revoke_tokens(sim *s)
{
    for (size_t i = 0; i < s->token_count; i++) {
        s->tokens[i].dead = true;
    }
    simi_tell(s, &(sim_event){.kind = SIM_EVENT_TOKENS});
}

void sim_expire_tokens(sim *s)
{
    for (size_t i = 0; i < s->token_count; i++) {
        s->tokens[i].expires_ms = 0;
    }
    simi_tell(s, &(sim_event){.kind = SIM_EVENT_TOKENS});
}

bool sim_token_at(sim *s, size_t i, sim_token_info *out)
{
    if (i >= s->token_count) {
        return false;
    }
    const simi_token *t = &s->tokens[i];
    out->issued_ms = t->issued_ms;
    out->expires_ms = t->expires_ms;
    out->scope = t->scope != NULL ? t->scope : "";
    out->has_refresh = t->refresh != NULL && !t->refresh_spent;
    out->revoked = t->dead;
    out->uses = t->uses;
    return true;
}

/* ---------------------------------------------------------------- rates */

/* Notes the time of a request, forgets those older than a minute, and keeps the highest rates for
 * the statistics. */
static void note_rate(sim *s, int64_t now)
{
    while (s->recent_at < s->recent_count && s->recent[s->recent_at] <= now - 60000) {
        s->recent_at++;
    }
    if (s->recent_at != 0 && s->recent_count == s->recent_cap) {
        s->recent_count -= s->recent_at;
        memmove(s->recent, s->recent + s->recent_at, s->recent_count * sizeof *s->recent);
        s->recent_at = 0;
    }
    SIMI_GROW(s->recent, s->recent_count, s->recent_cap);
    s->recent[s->recent_count++] = now;
    uint64_t minute = s->recent_count - s->recent_at;
    uint64_t second = 0;
    for (size_t i = s->recent_count; i > s->recent_at && s->recent[i - 1] > now - 1000; i--) {
        second++;
    }
    s->stats.max_per_minute = minute > s->stats.max_per_minute ? minute : s->stats.max_per_minute;
    s->stats.max_per_second = second > s->stats.max_per_second ? second : s->stats.max_per_second;
}

void simi_count_request(sim *s, sim_operation op, int64_t now)
{
    s->stats.by_operation[op]++;
    if (op != SIM_TOKEN) {
        note_rate(s, now);
    }
}

/* The description mentions a window and requests per minute, so clock minutes count. */
bool simi_over_rate(sim *s, int64_t now)
{
    if (s->window != now / 60000) {
        s->window = now / 60000;
        s->window_count = 0;
    }
    s->window_count++;
    return s->o.rate_per_minute != 0 && s->window_count > s->o.rate_per_minute;
}
