/* looks.c - the answers of GET. */
#include "door.h"


static void put_numbers(control *c, simi_buf *b)
{
    const sim_stats *t = sim_get_stats(c->service);
    const struct {
        const char *name;
        uint64_t value;
    } plain[] = {{"requests", t->requests},
                 {"tokens_issued", t->tokens_issued},
                 {"connections", t->connections},
                 {"faults", t->faults},
                 {"limited", t->limited},
                 {"max_per_minute", t->max_per_minute},
                 {"max_per_second", t->max_per_second},
                 {"broken_requests", t->broken_requests},
                 {"unknown_parameters", t->unknown_parameters},
                 {"unofficial_paths", t->unofficial_paths},
                 {"unneeded_bodies", t->unneeded_bodies},
                 {"largest_record", c->largest_record},
                 {"webhooks_queued", t->webhooks_queued},
                 {"webhooks_tried", t->webhooks_tried},
                 {"webhooks_done", t->webhooks_done},
                 {"webhooks_given_up", t->webhooks_given_up}};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        simi_putf(b, "\"%s\":%llu,", plain[i].name, (unsigned long long)plain[i].value);
    }
}

bool look_stats(control *c, cJSON *o)
{
    const sim_stats *t = sim_get_stats(c->service);
    simi_buf *b = &c->reply;
    bool first = true;
    (void)o;
    simi_puts(b, "{");
    put_numbers(c, b);
    simi_puts(b, "\"operations\":{");
    for (int op = 0; op < SIM_OPERATION_COUNT; op++) {
        simi_putf(b, "%s\"%s\":{\"asked\":%llu,\"served\":%llu}", op == 0 ? "" : ",",
                  sim_operation_name((sim_operation)op), (unsigned long long)t->by_operation[op],
                  (unsigned long long)t->served[op]);
    }
    simi_puts(b, "},\"statuses\":{");
    for (int status = 0; status < 600; status++) {
        if (t->by_status[status] != 0) {
            simi_putf(b, "%s\"%d\":%llu", first ? "" : ",", status,
                      (unsigned long long)t->by_status[status]);
            first = false;
        }
    }
    simi_puts(b, "}}");
    return true;
}

bool look_store(control *c, cJSON *o)
{
    sim_message_info m;
    (void)o;
    simi_puts(&c->reply, "{\"messages\":[");
    for (size_t i = 0; sim_message_at(c->service, i, &m); i++) {
        simi_puts(&c->reply, i == 0 ? "" : ",");
        feed_put_message(&c->feed, &c->reply, &m);
    }
    simi_puts(&c->reply, "]}");
    return true;
}

static void put_chats(control *c, simi_buf *b)
{
    sim_chat_info chat;
    simi_puts(b, "\"chats\":[");
    for (size_t i = 0; sim_chat_at(c->service, i, &chat); i++) {
        simi_puts(b, i == 0 ? "" : ",");
        feed_put_chat(&c->feed, b, &chat);
    }
    simi_puts(b, "]");
}

bool look_chats(control *c, cJSON *o)
{
    (void)o;
    simi_puts(&c->reply, "{");
    put_chats(c, &c->reply);
    simi_puts(&c->reply, "}");
    return true;
}

bool look_messages(control *c, cJSON *o)
{
    const char *chat = value_text(o, "chat_id");
    int64_t limit = 200;
    sim_message_info m;
    sim_chat_info unused;
    size_t count = 0;
    if (value_text(o, "limit") != NULL &&
        (!simi_parse_int(value_text(o, "limit"), &limit) || limit < 1)) {
        return control_refuse(c, "limit is a number from 1 on");
    }
    if (!sim_find_chat(c->service, chat, &unused)) {
        return control_refuse(c, "no such chat");
    }
    while (sim_chat_message_at(c->service, chat, count, &m)) {
        count++;
    }
    size_t first = count > (size_t)limit ? count - (size_t)limit : 0;
    simi_putf(&c->reply, "{\"earlier\":%zu,\"messages\":[", first);
    for (size_t i = first; sim_chat_message_at(c->service, chat, i, &m); i++) {
        simi_puts(&c->reply, i == first ? "" : ",");
        feed_put_message(&c->feed, &c->reply, &m);
    }
    simi_puts(&c->reply, "]}");
    return true;
}

bool look_uploads(control *c, cJSON *o)
{
    sim_upload_info u;
    simi_buf *b = &c->reply;
    (void)o;
    simi_puts(b, "{\"uploads\":[");
    for (size_t i = 0; sim_upload_at(c->service, i, &u); i++) {
        simi_putf(b,
                  "%s{\"image_id\":\"%s\",\"format\":\"%s\",\"size\":%zu,\"fnv1a\":\"%016llx\","
                  "\"file_name\":",
                  i == 0 ? "" : ",", u.image_id, u.format, u.size, (unsigned long long)u.fnv1a);
        simi_put_json(b, u.file_name);
        simi_puts(b, "}");
    }
    simi_puts(b, "]}");
    return true;
}

bool look_state(control *c, cJSON *o)
{
    simi_buf *b = &c->reply;
    const sim_options *options = sim_live(c->service);
    (void)o;
    simi_putf(b, "{\"id\":\"%s-%llu\",\"now_ms\":%lld,\"user_id\":%lld,\"user_name\":", c->feed.run,
              (unsigned long long)c->feed.last, (long long)simi_now(c->service),
              (long long)options->user_id);
    simi_put_json(b, options->user_name);
    simi_putf(b, ",\"tcp_port\":%d,\"tls_port\":%d,", c->tcp_port, c->tls_port);
    simi_puts(b, "\"connect\":");
    simi_put_json(b, c->connect != NULL ? c->connect : "");
    simi_puts(b, ",");
    put_chats(c, b);
    simi_puts(b, ",\"requests\":");
    feed_put_requests(&c->feed, b);
    simi_puts(b, ",\"webhooks\":");
    feed_put_hooks(&c->feed, b);
    simi_puts(b, ",\"subscriptions\":");
    feed_put_subscriptions(&c->feed, b);
    simi_puts(b, ",\"tokens\":");
    feed_put_tokens(&c->feed, b);
    simi_puts(b, ",\"faults\":");
    feed_put_faults(&c->feed, b);
    simi_puts(b, ",\"options\":");
    options_put(c, b);
    simi_puts(b, ",\"story\":");
    story_put_state(&c->story, b);
    simi_puts(b, "}");
    return true;
}

bool look_request(control *c, cJSON *o)
{
    int64_t number = 0;
    (void)simi_parse_int(value_text(o, "number"), &number);
    const feed_request *r = feed_find_request(&c->feed, (uint64_t)number);
    if (r == NULL) {
        return control_refuse(c, "no such request among the last 200");
    }
    simi_puts(&c->reply, "{\"request\":");
    simi_put_json(&c->reply, r->body.p);
    simi_puts(&c->reply, ",\"answer\":");
    simi_put_json(&c->reply, r->answer.p);
    simi_putf(&c->reply, ",\"cut\":%s}", r->cut ? "true" : "false");
    return true;
}

bool look_changes(control *c, cJSON *o)
{
    const feed *f = &c->feed;
    uint64_t after = 0;
    bool known = feed_place(f, value_text(o, "after"), &after);
    simi_putf(&c->reply, "{\"id\":\"%s-%llu\",\"reset\":%s,\"events\":[", f->run,
              (unsigned long long)f->last, known ? "false" : "true");
    for (uint64_t i = after + 1; known && i <= f->last; i++) {
        simi_putf(&c->reply, "%s{\"event\":\"%s\",\"data\":", i == after + 1 ? "" : ",",
                  feed_at(f, i)->name);
        simi_put(&c->reply, feed_at(f, i)->data.p, feed_at(f, i)->data.len);
        simi_puts(&c->reply, "}");
    }
    simi_puts(&c->reply, "]}");
    return true;
}

bool look_story(control *c, cJSON *o)
{
    (void)o;
    story_put(&c->story, &c->reply);
    return true;
}
