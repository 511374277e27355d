/* service.c - a request's way through the service: may it pass, and what happens then? */
#include "http.h"

#include <string.h>

/* ---------------------------------------------------------------- may it pass? */

static bool allows(const char *scope, const char *needed)
{
    size_t n = strlen(needed);
    while (scope != NULL && *scope != '\0') {
        size_t len = strcspn(scope, ", ");
        if (len == n && memcmp(scope, needed, n) == 0) {
            return true;
        }
        scope += len + (scope[len] != '\0' ? 1 : 0);
    }
    return scope == NULL; /* client_credentials: everything */
}

/* Refuses a request without a token, with one that is unknown or expired, or that lacks the scope. */
static bool check_token(sim *s, simi_request *r, simi_answer *a)
{
    simi_token *token = NULL;
    simi_token_state state = SIMI_TOKEN_UNKNOWN;
    if (r->authorization_count == 1 && strncmp(r->authorization, "Bearer ", 7) == 0) {
        state = simi_check_token(s, r->authorization + 7, &token);
    }
    if (token != NULL) {
        token->uses++;
        r->token = (uint64_t)(token - s->tokens) + 1;
    }
    if (state == SIMI_TOKEN_UNKNOWN) {
        simi_error(a, 401, SIM_BODY_SPEC);
    } else if (state == SIMI_TOKEN_EXPIRED) {
        simi_error(a, 403, SIM_BODY_EXPIRED);
    } else if (!allows(token->scope, r->row->scope)) {
        simi_error(a, 403, SIM_BODY_SPEC);
    } else {
        return true;
    }
    return false;
}

/* Refuses a request over the rate with 429, and with the Retry-After that the options ask for. */
static bool check_rate(sim *s, simi_answer *a)
{
    int64_t now = simi_now(s);
    bool over = simi_over_rate(s, now);
    a->rate_headers = s->o.rate_headers && s->o.rate_per_minute != 0;
    if (!over) {
        return true;
    }
    s->stats.limited++;
    simi_error(a, 429, SIM_BODY_GATEWAY);
    int64_t wait_s = (60000 - now % 60000 + 999) / 1000;
    if (s->o.retry_after == SIM_RETRY_AFTER_SECONDS) {
        simi_buf text = {0};
        simi_put_int(&text, wait_s);
        memcpy(a->retry_after, text.p, text.len + 1);
        simi_free(&text);
    } else if (s->o.retry_after == SIM_RETRY_AFTER_DATE) {
        simi_http_date(now / 1000 + wait_s, a->retry_after);
    }
    return false;
}

static bool check_tariff(sim *s, const simi_request *r, simi_answer *a)
{
    sim_operation op = r->row->op;
    bool paid = s->o.tariff == SIM_TARIFF_PAID || op == SIM_SELF || op == SIM_CHATS ||
                op == SIM_CHAT || (s->o.tariff == SIM_TARIFF_PLACEHOLDER && !r->row->writes);
    if (!paid) {
        simi_error(a, 402, SIM_BODY_SPEC);
    }
    return paid;
}

static bool check_user(sim *s, const simi_request *r, simi_answer *a)
{
    int64_t user = 0;
    if (strstr(r->row->path, "{user_id}") == NULL) {
        return true;
    }
    if (!simi_parse_int(r->user_id, &user)) {
        simi_field_error(a, "user_id", "must be a number");
        return false;
    }
    if (user != s->o.user_id) {
        simi_error(a, 403, SIM_BODY_PERMISSION);
        return false;
    }
    return true;
}

/* Everything that the head alone decides. */
static bool check_head(sim *s, simi_request *r, simi_answer *a)
{
    if (r->row == NULL) {
        simi_error(a, 404, SIM_BODY_GATEWAY);
        return false;
    }
    if (r->row->op == SIM_TOKEN) {
        return true;
    }
    return check_token(s, r, a) && check_rate(s, a) && check_tariff(s, r, a) && check_user(s, r, a);
}

bool simi_check(sim *s, simi_request *r, simi_answer *a)
{
    return check_head(s, r, a) && simi_check_fields(s, r, a);
}

bool simi_refuse_head(sim *s, simi_request *r, uint64_t content_length, simi_answer *a)
{
    uint64_t most = r->row != NULL && r->row->op == SIM_UPLOAD ? s->o.upload_max + 4096 : 65536;
    if (content_length <= most) {
        return false;
    }
    simi_error_text(a, 413, "Request entity is too large");
    return true;
}

void simi_carry_out(sim *s, simi_request *r, simi_answer *a)
{
    r->row->serve(s, r, a);
    if (a->status >= 200 && a->status < 300) {
        s->stats.served[r->row->op]++;
        s->stats.unofficial_paths += r->unofficial_path;
    }
}
