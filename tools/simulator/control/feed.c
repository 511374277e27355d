/* feed.c - what has happened, as numbered events, and the present state, as JSON. */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *bool_word(bool b)
{
    return b ? "true" : "false";
}

void feed_begin(feed *f, sim *service, uint64_t run)
{
    f->service = service;
    (void)snprintf(f->run, sizeof f->run, "%llx", (unsigned long long)run);
}

void feed_end(feed *f)
{
    for (size_t i = 0; i < FEED_EVENTS; i++) {
        simi_free(&f->events[i].data);
    }
    for (size_t i = 0; i < FEED_REQUESTS; i++) {
        simi_free(&f->requests[i].row);
        simi_free(&f->requests[i].body);
        simi_free(&f->requests[i].answer);
    }
    for (size_t i = 0; i < FEED_HOOKS; i++) {
        simi_free(&f->hooks[i].row);
    }
    memset(f, 0, sizeof *f);
}

simi_buf *feed_add(feed *f, const char *name)
{
    feed_event *e = &f->events[++f->last % FEED_EVENTS];
    e->name = name;
    if (e->data.cap > 65536) { /* one large event must not stay in a thousand slots */
        simi_free(&e->data);
    }
    e->data.len = 0;
    return &e->data;
}

bool feed_place(const feed *f, const char *id, uint64_t *number)
{
    size_t n = strlen(f->run);
    int64_t at = 0;
    if (strncmp(id, f->run, n) != 0 || id[n] != '-' || !simi_parse_int(id + n + 1, &at) || at < 0 ||
        (uint64_t)at > f->last || f->last - (uint64_t)at >= FEED_EVENTS) {
        return false;
    }
    *number = (uint64_t)at;
    return true;
}

const feed_event *feed_at(const feed *f, uint64_t number)
{
    return &f->events[number % FEED_EVENTS];
}

/* ---------------------------------------------------------------- what is there */

/* Content that is not JSON (a test may store such) is shown as text. */
static void put_content(simi_buf *b, const char *content)
{
    cJSON *parsed = cJSON_Parse(content);
    if (parsed != NULL) {
        simi_puts(b, content);
    } else {
        simi_put_json(b, content);
    }
    cJSON_Delete(parsed);
}

void feed_put_message(feed *f, simi_buf *b, const sim_message_info *m)
{
    static const char *const authors[] = {"buyer", "app", "avito", "api"};
    const char *media_id = m->image_id[0] != '\0' ? m->image_id : m->voice_id;
    sim_media_info unused;
    simi_putf(b, "{\"id\":\"%s\",\"chat_id\":", m->id);
    simi_put_json(b, m->chat_id);
    simi_putf(b, ",\"author_id\":%lld,\"author\":\"%s\",\"type\":", (long long)m->author_id,
              authors[m->author]);
    simi_put_json(b, m->type_word);
    simi_putf(b,
              ",\"created\":%lld,\"created_ms\":%lld,\"request\":%llu,\"is_read\":%s,"
              "\"read_by_buyer\":%s,\"deleted\":%s,\"visible\":%s,\"image_id\":\"%s\","
              "\"voice_id\":\"%s\",\"quote_id\":\"%s\",\"text\":",
              (long long)m->created, (long long)m->stored_ms, (unsigned long long)m->request,
              bool_word(m->is_read), bool_word(m->read_by_peer != 0), bool_word(m->deleted),
              bool_word(m->visible), m->image_id, m->voice_id, m->quote_id);
    simi_put_json(b, m->text);
    simi_putf(b, ",\"media_id\":\"%s\"", /* only what is still kept */
              sim_find_media(f->service, media_id, &unused) ? media_id : "");
    simi_puts(b, ",\"content\":");
    put_content(b, m->content);
    simi_puts(b, "}");
}

void feed_put_chat(feed *f, simi_buf *b, const sim_chat_info *c)
{
    static const char *const types[] = {"u2i", "u2u", "a2u"};
    sim_message_info last;
    simi_puts(b, "{\"id\":");
    simi_put_json(b, c->id);
    simi_putf(b, ",\"type\":\"%s\",\"buyer_id\":%lld,\"buyer_name\":", types[c->type],
              (long long)c->buyer_id);
    simi_put_json(b, c->buyer_name);
    simi_putf(b, ",\"item_id\":%lld,\"item_title\":", (long long)c->item_id);
    simi_put_json(b, c->item_title);
    simi_puts(b, ",\"price_string\":");
    simi_put_json(b, c->price_string);
    simi_putf(b,
              ",\"updated\":%lld,\"messages\":%zu,\"unread\":%zu,\"last\":", (long long)c->updated,
              c->messages, c->unread);
    if (sim_find_message(f->service, c->last_message_id, &last)) {
        feed_put_message(f, b, &last);
    } else {
        simi_puts(b, "null");
    }
    simi_puts(b, "}");
}

void feed_put_masked_url(simi_buf *b, const char *url)
{
    const char *host = strstr(url, "://");
    size_t len = host != NULL ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#@") : 0;
    simi_buf text = {0};
    simi_put(&text, url, len);
    simi_puts(&text, "/...");
    simi_put_json(b, text.p);
    simi_free(&text);
}

void feed_put_subscriptions(feed *f, simi_buf *b)
{
    const char *url;
    simi_puts(b, "[");
    for (size_t i = 0; (url = sim_subscription_at(f->service, i)) != NULL; i++) {
        simi_puts(b, i == 0 ? "" : ",");
        feed_put_masked_url(b, url);
    }
    simi_puts(b, "]");
}

void feed_put_tokens(feed *f, simi_buf *b)
{
    sim_token_info t;
    size_t count = 0;
    while (sim_token_at(f->service, count, &t)) {
        count++;
    }
    simi_puts(b, "[");
    size_t first = count > FEED_TOKENS ? count - FEED_TOKENS : 0;
    for (size_t i = first; sim_token_at(f->service, i, &t); i++) {
        simi_putf(b,
                  "%s{\"number\":%zu,\"issued_ms\":%lld,\"expires_ms\":%lld,\"revoked\":%s,"
                  "\"has_refresh\":%s,\"uses\":%llu,\"scope\":",
                  i == first ? "" : ",", i + 1, (long long)t.issued_ms, (long long)t.expires_ms,
                  bool_word(t.revoked), bool_word(t.has_refresh), (unsigned long long)t.uses);
        simi_put_json(b, t.scope);
        simi_puts(b, "}");
    }
    simi_puts(b, "]");
}

void feed_put_faults(feed *f, simi_buf *b)
{
    sim_plan_info p;
    simi_puts(b, "[");
    for (size_t i = 0; sim_plan_at(f->service, i, &p); i++) {
        simi_puts(b, i == 0 ? "{\"plan\":" : ",{\"plan\":");
        simi_put_json(b, p.plan);
        simi_putf(b, ",\"left\":%u,\"skip\":%u,\"forever\":%s}", p.left, p.skip,
                  bool_word(p.forever));
    }
    simi_puts(b, "]");
}

/* The last `count` of a ring, oldest first. */
static size_t first_of(uint64_t count, size_t cap)
{
    return count > cap ? (size_t)(count - cap) : 0;
}

void feed_put_requests(const feed *f, simi_buf *b)
{
    size_t first = first_of(f->request_count, FEED_REQUESTS);
    simi_puts(b, "[");
    for (size_t i = first; i < f->request_count; i++) {
        simi_puts(b, i == first ? "" : ",");
        simi_puts(b, f->requests[i % FEED_REQUESTS].row.p);
    }
    simi_puts(b, "]");
}

void feed_put_hooks(const feed *f, simi_buf *b)
{
    size_t first = first_of(f->hook_count, FEED_HOOKS);
    simi_puts(b, "[");
    for (size_t i = first; i < f->hook_count; i++) {
        simi_puts(b, i == first ? "" : ",");
        simi_puts(b, f->hooks[i % FEED_HOOKS].row.p);
    }
    simi_puts(b, "]");
}

const feed_request *feed_find_request(const feed *f, uint64_t number)
{
    for (size_t i = first_of(f->request_count, FEED_REQUESTS); i < f->request_count; i++) {
        if (f->requests[i % FEED_REQUESTS].number == number) {
            return &f->requests[i % FEED_REQUESTS];
        }
    }
    return NULL;
}

/* ---------------------------------------------------------------- what happens */

static void take_chat(feed *f, const sim_event *e)
{
    sim_chat_info chat;
    sim_message_info m;
    if (!sim_find_chat(f->service, e->chat_id, &chat)) {
        return;
    }
    simi_buf *b = feed_add(f, e->kind == SIM_EVENT_CHAT ? "chat" : "message");
    simi_puts(b, "{\"chat\":");
    feed_put_chat(f, b, &chat);
    if (e->message_id != NULL && sim_find_message(f->service, e->message_id, &m)) {
        simi_puts(b, ",\"message\":");
        feed_put_message(f, b, &m);
    }
    simi_puts(b, "}");
}

static bool keep_body(simi_buf *b, const char *bytes, size_t len)
{
    b->len = 0;
    simi_put(b, "", 0);
    if (memchr(bytes, '\0', len) != NULL || !simi_is_utf8(bytes, len)) {
        simi_putf(b, "(%zu bytes that are no text)", len);
        return false;
    }
    size_t n = len < FEED_BODY ? len : FEED_BODY;
    while (n > 0 && n < len && ((unsigned char)bytes[n] & 0xC0) == 0x80) {
        n--; /* not in the middle of a character */
    }
    simi_put(b, bytes, n);
    return n < len;
}

/* Keeps a request with its answer, without those of /token, whose bodies are secrets. */
static void take_request(feed *f, const sim_event *e)
{
    static const sim_request_info not_http = {.method = "", .target = "", .body = ""};
    const sim_request_info *info = e->request != NULL ? e->request : &not_http;
    feed_request *r = &f->requests[f->request_count++ % FEED_REQUESTS];
    bool secret = info->op == SIM_TOKEN; /* the account's secret asks, a token answers */
    const char *hidden = "(not shown: secrets)";
    sim_token_info token;
    r->number = f->request_count;
    bool cut =
        keep_body(&r->body, secret ? hidden : info->body, secret ? strlen(hidden) : info->body_len);
    r->cut = keep_body(&r->answer, secret ? hidden : e->answer,
                       secret ? strlen(hidden) : e->answer_len) ||
             cut;
    simi_buf *row = &r->row;
    row->len = 0;
    simi_putf(row, "{\"number\":%llu,\"at_ms\":%lld,\"connection\":%llu,\"operation\":\"%s\",",
              (unsigned long long)r->number, (long long)simi_now(f->service),
              (unsigned long long)info->connection, sim_operation_name(info->op));
    simi_puts(row, "\"method\":");
    simi_put_json(row, info->method);
    simi_puts(row, ",\"target\":");
    simi_put_json(row, simi_is_utf8(info->target, strlen(info->target)) ? info->target : "");
    simi_putf(row, ",\"status\":%d,\"delay_ms\":%u,\"fault\":%s", e->status, (unsigned)e->delay_ms,
              bool_word(e->fault));
    if (info->token != 0 && sim_token_at(f->service, (size_t)info->token - 1, &token)) {
        simi_putf(row, ",\"token\":%llu,\"token_uses\":%llu", (unsigned long long)info->token,
                  (unsigned long long)token.uses);
    }
    simi_puts(row, "}");
    simi_puts(feed_add(f, "request"), row->p);
    if (e->fault) {
        feed_put_faults(f, feed_add(f, "faults"));
    }
}

/* Keeps the latest step of a notification. */
static void take_hook(feed *f, const sim_event *e)
{
    static const char *const steps[] = {"queued", "tried", "done", "failed", "given_up"};
    const sim_webhook *w = e->webhook;
    size_t i = first_of(f->hook_count, FEED_HOOKS);
    while (i < f->hook_count && f->hooks[i % FEED_HOOKS].id != w->id) {
        i++;
    }
    if (i == f->hook_count) {
        f->hook_count++;
    }
    feed_hook *h = &f->hooks[i % FEED_HOOKS];
    h->id = w->id;
    h->row.len = 0;
    simi_putf(&h->row,
              "{\"id\":%llu,\"at_ms\":%lld,\"message_id\":\"%s\",\"attempt\":%u,\"step\":\"%s\","
              "\"status\":%d,\"url\":",
              (unsigned long long)w->id, (long long)simi_now(f->service), w->message_id, w->attempt,
              steps[e->step], e->status);
    feed_put_masked_url(&h->row, w->url);
    simi_puts(&h->row, "}");
    simi_puts(feed_add(f, "webhook"), h->row.p);
}

void feed_take(feed *f, const sim_event *e)
{
    switch (e->kind) {
        case SIM_EVENT_CHAT:
        case SIM_EVENT_MESSAGE:
            take_chat(f, e);
            break;
        case SIM_EVENT_REQUEST:
            take_request(f, e);
            break;
        case SIM_EVENT_TOKENS:
            feed_put_tokens(f, feed_add(f, "tokens"));
            break;
        case SIM_EVENT_WEBHOOK:
            take_hook(f, e);
            break;
        case SIM_EVENT_SUBSCRIPTIONS:
            feed_put_subscriptions(f, feed_add(f, "subscriptions"));
            break;
    }
}
