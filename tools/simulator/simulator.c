/* simulator.c - the service: options, and the way of a request through it. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

const char *sim_operation_name(sim_operation op)
{
    static const char *const names[SIM_OPERATION_COUNT] = {"none",
#define NAME_(name, word) word,
                                                           SIM_OPERATIONS(NAME_)
#undef NAME_
    };
    return (int)op >= 0 && op < SIM_OPERATION_COUNT ? names[op] : "none";
}

sim_options sim_options_default(void)
{
    sim_options o;
    memset(&o, 0, sizeof o);
    return o;
}

static const char *text_or(sim *s, const char *text, const char *otherwise)
{
    return text != NULL ? simi_keep_text(&s->arena, text) : otherwise;
}

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

sim *sim_create(const sim_options *options)
{
    sim *s = simi_alloc(NULL, sizeof *s);
    memset(s, 0, sizeof *s);
    s->o = *options;
    s->random = options->seed ^ 0xA5170C0DE5EEDu;
    sim_options *o = &s->o;
    o->client_id = text_or(s, o->client_id, "client-id-for-tests");
    o->client_secret = text_or(s, o->client_secret, "client-secret-for-tests-0123456789abcdef");
    o->user_name = text_or(s, o->user_name, "Магазин");
    o->host = text_or(s, o->host, NULL);
    o->user_id = o->user_id != 0 ? o->user_id : 350000001;
    o->token_lifetime_s = or_default(o->token_lifetime_s, 86400);
    o->refresh_lifetime_s = or_default(o->refresh_lifetime_s, 365u * 86400u);
    o->token_length = or_default(o->token_length, 40);
    o->page_limit_max = or_default(o->page_limit_max, 100);
    o->offset_max = or_default(o->offset_max, 1000);
    o->upload_max = o->upload_max != 0 ? o->upload_max : 24u * 1024u * 1024u;
    o->webhook_timeout_ms = or_default(o->webhook_timeout_ms, 2000);
    o->webhook_tries = or_default(o->webhook_tries, 5);
    o->webhook_retry_ms = or_default(o->webhook_retry_ms, 3000);
    return s;
}

void sim_destroy(sim *s)
{
    if (s == NULL) {
        return;
    }
    while (s->conns != NULL) {
        sim_conn_close(s->conns);
    }
    simi_free_store(s);
    free(s->tokens);
    free(s->codes);
    free(s->plans);
    free(s->recent);
    simi_free(&s->scratch);
    simi_free_arena(s->arena);
    free(s);
}

sim_options *sim_live(sim *s)
{
    return &s->o;
}

const sim_stats *sim_get_stats(const sim *s)
{
    return &s->stats;
}

int64_t sim_next_event_ms(sim *s)
{
    simi_settle(s);
    int64_t next = simi_webhook_due(s);
    for (size_t i = 0; i < s->hidden_count; i++) {
        next = s->hidden[i]->visible_ms < next ? s->hidden[i]->visible_ms : next;
    }
    for (sim_conn *c = s->conns; c != NULL; c = simi_conn_next(c)) {
        int64_t due = simi_conn_due(c);
        next = due < next ? due : next;
    }
    return next;
}

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

static bool check_token(sim *s, simi_request *r, simi_answer *a)
{
    const simi_token *token = NULL;
    simi_token_state state = SIMI_TOKEN_UNKNOWN;
    if (r->authorization_count == 1 && strncmp(r->authorization, "Bearer ", 7) == 0) {
        state = simi_check_token(s, r->authorization + 7, &token);
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
