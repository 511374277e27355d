/* webhooks.c - notifications on their way: at least once, or given up after some attempts. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

static char *copy(const char *text, size_t len)
{
    char *p = simi_alloc(NULL, len + 1);
    memcpy(p, text, len);
    p[len] = '\0';
    return p;
}

/* The real algorithm is not published. Only the recorded form is imitated: 64 hex digits. */
static void sign(sim *s, const char *body, size_t len, char out[65])
{
    uint64_t state = sim_fnv1a(body, len) ^ s->o.seed;
    simi_random_text(&state, "0123456789abcdef", out, 64);
}

static void tell(sim *s, const simi_hook *h, sim_webhook_step step, int status)
{
    sim_webhook hook = {h->id,        h->url,        h->body,   h->body_len,
                        h->signature, h->message_id, h->attempt};
    simi_tell(s, &(sim_event){
                     .kind = SIM_EVENT_WEBHOOK, .webhook = &hook, .step = step, .status = status});
}

/* A notification for one subscriber, due after the delay of the options. */
static void queue(sim *s, const char *url, const char *body, size_t len, const char *message_id)
{
    SIMI_GROW(s->hooks, s->hook_count, s->hook_cap);
    simi_hook *h = &s->hooks[s->hook_count++];
    memset(h, 0, sizeof *h);
    h->id = ++s->hook_ids;
    h->url = copy(url, strlen(url));
    h->body = copy(body, len);
    h->body_len = len;
    sign(s, body, len, h->signature);
    memcpy(h->message_id, message_id, strlen(message_id) + 1);
    h->due_ms = simi_now(s) + (s->o.webhook_delay_ms == 0
                                   ? 0
                                   : (int64_t)simi_below(&s->random, s->o.webhook_delay_ms + 1u));
    s->stats.webhooks_queued++;
    tell(s, h, SIM_WEBHOOK_QUEUED, 0);
}

void simi_queue_webhook(sim *s, const simi_message *m)
{
    if (s->subscription_count == 0) {
        return;
    }
    simi_buf body = {0};
    simi_put_notification(s, &body, m);
    for (size_t i = 0; i < s->subscription_count; i++) {
        for (uint32_t copies = s->o.webhook_copies; copies > 0; copies--) {
            queue(s, s->subscriptions[i], body.p, body.len, m->id);
        }
    }
    simi_free(&body);
}

void simi_queue_probe(sim *s, const char *url)
{
    queue(s, url, "{}", 2, "");
}

int64_t simi_webhook_due(sim *s)
{
    int64_t due = INT64_MAX;
    for (size_t i = 0; i < s->hook_count; i++) {
        due = s->hooks[i].due_ms < due ? s->hooks[i].due_ms : due;
    }
    return due;
}

static void drop(sim *s, size_t i)
{
    free(s->hooks[i].url);
    free(s->hooks[i].body);
    s->hook_count--;
    memmove(s->hooks + i, s->hooks + i + 1, (s->hook_count - i) * sizeof *s->hooks);
}

/* The next notification that is due. It is due again after the time-out, unless it has had all its attempts.
 * */
bool simi_take_webhook(sim *s, sim_webhook *out)
{
    int64_t now = simi_now(s);
    for (size_t i = 0; i < s->hook_count;) {
        simi_hook *h = &s->hooks[i];
        if (h->due_ms > now) {
            i++;
            continue;
        }
        if (h->attempt >= s->o.webhook_tries) {
            s->stats.webhooks_given_up++;
            tell(s, h, SIM_WEBHOOK_GIVEN_UP, 0);
            drop(s, i);
            continue;
        }
        h->attempt++;
        h->due_ms = now + s->o.webhook_timeout_ms + s->o.webhook_retry_ms;
        s->stats.webhooks_tried++;
        tell(s, h, SIM_WEBHOOK_TRIED, 0);
        out->id = h->id;
        out->url = h->url;
        out->body = h->body;
        out->body_len = h->body_len;
        out->signature = h->signature;
        out->message_id = h->message_id;
        out->attempt = h->attempt;
        return true;
    }
    return false;
}

/* The end of an attempt: done, or due again after a pause. */
void sim_webhook_answered(sim *s, uint64_t id, int status)
{
    for (size_t i = 0; i < s->hook_count; i++) {
        simi_hook *h = &s->hooks[i];
        if (h->id != id) {
            continue;
        }
        if (status >= 200 && status < 300) {
            s->stats.webhooks_done++;
            tell(s, h, SIM_WEBHOOK_DONE, status);
            drop(s, i);
        } else {
            tell(s, h, SIM_WEBHOOK_FAILED, status);
            h->due_ms = simi_now(s) + s->o.webhook_retry_ms;
        }
        return;
    }
}
