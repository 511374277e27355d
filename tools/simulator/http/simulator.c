/* simulator.c - the simulator as a whole: options, creation, end, and the time of its next
 * event. */
#include "http.h"

#include <stdlib.h>
#include <string.h>

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
    o->media_url = text_or(s, o->media_url, NULL);
    o->webhook_copies = or_default(o->webhook_copies, 1);
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
