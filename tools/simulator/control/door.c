/* door.c - what can be asked of the control side: one table, JSON in and out. control_help() prints it. */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEDIA_MAX (24u * 1024u * 1024u) /* as the service has it for uploads */

/* ---------------------------------------------------------------- values */

static const char *text_in(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

static int64_t number_in(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(v) ? (int64_t)v->valuedouble : cJSON_IsTrue(v) ? 1 : 0;
}

/* A number that is whole and fits, or a boolean. */
static bool is_whole(const cJSON *v)
{
    double n = cJSON_IsNumber(v) ? v->valuedouble : 0;
    return (cJSON_IsNumber(v) || cJSON_IsBool(v)) && n >= -9e15 && n <= 9e15 &&
           n == (double)(int64_t)n;
}

/* The place of the text `name` in `words`; 0 if it is not there; -1: an unknown word. */
static int word_in(const cJSON *o, const char *name, const char *const *words, int count)
{
    const char *text = text_in(o, name);
    for (int i = 0; text != NULL && i < count; i++) {
        if (strcmp(words[i], text) == 0) {
            return i;
        }
    }
    return text == NULL ? 0 : -1;
}

static bool refuse(control *c, const char *why)
{
    c->why = why;
    return false;
}

static bool say_id(control *c, const char *member, const char *id, const char *why)
{
    if (id == NULL) {
        return refuse(c, why);
    }
    simi_putf(&c->reply, "{\"%s\":", member);
    simi_put_json(&c->reply, id);
    simi_puts(&c->reply, "}");
    return true;
}

static bool say_done(control *c, bool done, const char *why)
{
    if (!done) {
        return refuse(c, why);
    }
    simi_puts(&c->reply, "{\"ok\":true}");
    return true;
}

/* ---------------------------------------------------------------- people */

/* What was drawn is written into the request: so a story draws nothing. */
static void fill_in(cJSON *o, const sim_chat_info *chat)
{
    if (text_in(o, "buyer_name") == NULL) {
        (void)cJSON_AddStringToObject(o, "buyer_name", chat->buyer_name);
    }
    if (chat->item_id != 0 && text_in(o, "item_title") == NULL) {
        (void)cJSON_AddStringToObject(o, "item_title", chat->item_title);
    }
    if (chat->item_id != 0 && text_in(o, "price_string") == NULL) {
        (void)cJSON_AddStringToObject(o, "price_string", chat->price_string);
    }
    cJSON_DeleteItemFromObjectCaseSensitive(o, "chat_id"); /* each replay has a chat of its own */
}

static bool do_chat(control *c, cJSON *o)
{
    static const char *const types[] = {"u2i", "u2u", "a2u"};
    sim_chat_options chat;
    sim_chat_info made;
    int type = word_in(o, "type", types, 3);
    memset(&chat, 0, sizeof chat);
    if (type < 0) {
        return refuse(c, "type is u2i, u2u or a2u");
    }
    chat.type = (sim_chat_type)type;
    chat.id = text_in(o, "chat_id");
    chat.buyer_id = number_in(o, "buyer_id");
    chat.buyer_name = text_in(o, "buyer_name");
    chat.item_id = number_in(o, "item_id");
    chat.item_title = text_in(o, "item_title");
    chat.price_string = text_in(o, "price_string");
    const char *id = sim_add_chat(c->service, &chat);
    if (id != NULL && sim_find_chat(c->service, id, &made)) {
        fill_in(o, &made);
    }
    return say_id(c, "chat_id", id, "this chat_id is taken");
}

static bool do_message(control *c, cJSON *o)
{
    static const char *const authors[] = {"buyer", "app", "avito"};
    const char *types[SIM_TYPE_COUNT];
    sim_message_options m;
    memset(&m, 0, sizeof m);
    for (int i = 0; i < SIM_TYPE_COUNT; i++) {
        types[i] = sim_type_name((sim_type)i);
    }
    int author = word_in(o, "author", authors, 3), type = word_in(o, "type", types, SIM_TYPE_COUNT);
    if (author < 0 || type < 0) {
        return refuse(c,
                      author < 0 ? "author is buyer, app or avito" : "type is none of the API's");
    }
    char *content = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(o, "content"));
    m.author = (sim_author)author;
    m.type = (sim_type)type;
    m.text = text_in(o, "text");
    m.content_json = content;
    m.quote_id = text_in(o, "quote_id");
    m.media_id = text_in(o, "media_id");
    m.visible_after_ms = (uint32_t)number_in(o, "visible_after_ms");
    const char *id = sim_write(c->service, text_in(o, "chat_id"), &m);
    free(content);
    return say_id(c, "message_id", id, "no such chat, or no such message to quote in it");
}

static bool do_read(control *c, cJSON *o)
{
    static const char *const sides[] = {"app", "buyer"};
    const char *chat = text_in(o, "chat_id");
    int side = word_in(o, "by", sides, 2);
    if (side < 0) {
        return refuse(c, "by is buyer or app");
    }
    return say_done(c,
                    side == 1 ? sim_buyer_reads(c->service, chat) : sim_app_reads(c->service, chat),
                    "no such chat");
}

static bool do_delete(control *c, cJSON *o)
{
    return say_done(c, sim_delete(c->service, text_in(o, "message_id")), "no such message");
}

static int digit_of(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

/* Into `text` itself. False: no base64 (RFC 4648, with its padding). */
static bool decode_base64(char *text, size_t *len)
{
    size_t count = strlen(text), out = 0;
    size_t padding = count > 1 && text[count - 2] == '=' ? 2 : count > 0 && text[count - 1] == '=';
    if (count % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i += 4) {
        uint32_t bits = 0;
        for (size_t k = i; k < i + 4; k++) {
            int digit = k >= count - padding ? 0 : digit_of(text[k]);
            if (digit < 0) {
                return false;
            }
            bits = bits << 6 | (uint32_t)digit;
        }
        text[out++] = (char)(bits >> 16);
        text[out++] = (char)(bits >> 8);
        text[out++] = (char)bits;
    }
    *len = out - padding;
    return true;
}

static bool do_media(control *c, cJSON *o)
{
    size_t len = 0;
    const char *data = text_in(o, "data");
    char *bytes = memcpy(simi_alloc(NULL, strlen(data) + 1), data, strlen(data) + 1);
    bool good = decode_base64(bytes, &len);
    bool small = len <= MEDIA_MAX;
    const char *id = good && small ? sim_add_media(c->service, bytes, len) : NULL;
    free(bytes);
    return say_id(c, "media_id", id,
                  !good    ? "data is not base64"
                  : !small ? "at most 24 MB"
                           : "neither a picture (JPEG, PNG, GIF, BMP, HEIC) nor a sound (WAV, Ogg, "
                             "WebM, MP4)");
}

/* ---------------------------------------------------------------- the service */

static bool do_fault(control *c, cJSON *o)
{
    const char *plan = text_in(o, "plan");
    bool clear = number_in(o, "clear") != 0;
    if (clear) {
        sim_clear_faults(c->service);
    } else if (plan == NULL || !sim_plan_fault(c->service, plan)) {
        return refuse(c, "plan is OPERATION:FAULT[,FAULT...][:COUNT[:SKIP]], see \"Faults\" at /");
    }
    feed_put_faults(&c->feed, feed_add(&c->feed, "faults"));
    return say_done(c, true, "");
}

static bool do_tokens(control *c, cJSON *o)
{
    static const char *const words[] = {"", "expire", "revoke"};
    int what = word_in(o, "do", words, 3);
    if (what == 1) {
        sim_expire_tokens(c->service);
    } else if (what == 2) {
        sim_revoke_tokens(c->service);
    }
    return say_done(c, what > 0, "do is expire or revoke");
}

static bool do_code(control *c, cJSON *o)
{
    const char *scope = text_in(o, "scope");
    return say_id(c, "code", sim_grant_code(c->service, scope != NULL ? scope : "messenger:read"),
                  "");
}

/* ---------------------------------------------------------------- options */

typedef struct option {
    const char *name;
    uint32_t *number;
    bool *flag;
    size_t *size;
    int max; /* of an enumeration: 0 to max */
    int *word;
} option;

#define OPTIONS 22

/* The live options that can be set; enumerations are numbers in the order of simulator.h. */
static void list_options(sim_options *o, option out[OPTIONS])
{
    const option all[OPTIONS] = {
        {.name = "rate_per_minute", .number = &o->rate_per_minute},
        {.name = "token_lifetime_s", .number = &o->token_lifetime_s},
        {.name = "visible_after_ms", .number = &o->visible_after_ms},
        {.name = "idle_close_ms", .number = &o->idle_close_ms},
        {.name = "requests_per_connection", .number = &o->requests_per_connection},
        {.name = "webhook_delay_ms", .number = &o->webhook_delay_ms},
        {.name = "webhook_copies", .number = &o->webhook_copies},
        {.name = "bare_array", .flag = &o->bare_array},
        {.name = "nulls", .flag = &o->nulls},
        {.name = "ids_as_strings", .flag = &o->ids_as_strings},
        {.name = "trim_text", .flag = &o->trim_text},
        {.name = "webhook_probe", .flag = &o->webhook_probe},
        {.name = "rate_headers", .flag = &o->rate_headers},
        {.name = "no_meta", .flag = &o->no_meta},
        {.name = "token_kills_former", .flag = &o->token_kills_former},
        {.name = "token_errors_as_200", .flag = &o->token_errors_as_200},
        {.name = "empty_read_answer", .flag = &o->empty_read_answer},
        {.name = "chunk_size", .size = &o->chunk_size},
        {.name = "head_padding", .size = &o->head_padding},
        {.name = "tariff", .max = SIM_TARIFF_402},
        {.name = "framing", .max = SIM_FRAMING_CLOSE},
        {.name = "retry_after", .max = SIM_RETRY_AFTER_DATE}};
    memcpy(out, all, sizeof all);
}

static int get_word(const sim_options *o, const char *name)
{
    return strcmp(name, "tariff") == 0    ? (int)o->tariff
           : strcmp(name, "framing") == 0 ? (int)o->framing
                                          : (int)o->retry_after;
}

static void set_word(sim_options *o, const char *name, int n)
{
    if (strcmp(name, "tariff") == 0) {
        o->tariff = (sim_tariff)n;
    } else if (strcmp(name, "framing") == 0) {
        o->framing = (sim_framing)n;
    } else {
        o->retry_after = (sim_retry_after)n;
    }
}

static bool set_option(sim_options *o, const char *name, int64_t n)
{
    option all[OPTIONS];
    list_options(o, all);
    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(all[i].name, name) != 0) {
            continue;
        }
        if (n < 0 || n > UINT32_MAX || (all[i].max != 0 && n > all[i].max)) {
            return false;
        }
        if (all[i].number != NULL) {
            *all[i].number = (uint32_t)n;
        } else if (all[i].flag != NULL) {
            *all[i].flag = n != 0;
        } else if (all[i].size != NULL) {
            *all[i].size = (size_t)n;
        } else {
            set_word(o, name, (int)n);
        }
        return true;
    }
    return false;
}

static void put_options(control *c, simi_buf *b)
{
    option all[OPTIONS];
    sim_options *o = sim_live(c->service);
    list_options(o, all);
    simi_puts(b, "{");
    for (size_t i = 0; i < OPTIONS; i++) {
        simi_putf(b, "%s\"%s\":", i == 0 ? "" : ",", all[i].name);
        if (all[i].flag != NULL) {
            simi_puts(b, *all[i].flag ? "true" : "false");
        } else {
            simi_put_int(b, all[i].number != NULL ? (int64_t)*all[i].number
                            : all[i].size != NULL ? (int64_t)*all[i].size
                                                  : get_word(o, all[i].name));
        }
    }
    simi_puts(b, "}");
}

static bool do_option(control *c, cJSON *o)
{
    const cJSON *member;
    bool good = true;
    cJSON_ArrayForEach(member, o)
    {
        good = good && is_whole(member) &&
               set_option(sim_live(c->service), member->string, number_in(o, member->string));
    }
    put_options(c, feed_add(&c->feed, "options"));
    return say_done(c, good,
                    "an option of this name or value does not exist, see / for their list");
}

static bool do_reset(control *c, cJSON *o)
{
    bool given = cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(o, "chats"));
    int64_t chats = given ? number_in(o, "chats") : -1;
    return say_done(c, chats >= -1 && chats <= 10000 && c->reset(c->ctx, chats),
                    "chats is 0 to 10000");
}

static bool do_story(control *c, cJSON *o)
{
    const char *why = story_play(&c->story, c->service, cJSON_Duplicate(o, true));
    return say_done(c, why == NULL, why);
}

/* ---------------------------------------------------------------- looking */

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

static bool show_stats(control *c, cJSON *o)
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

static bool show_store(control *c, cJSON *o)
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

static bool show_chats(control *c, cJSON *o)
{
    (void)o;
    simi_puts(&c->reply, "{");
    put_chats(c, &c->reply);
    simi_puts(&c->reply, "}");
    return true;
}

static bool show_messages(control *c, cJSON *o)
{
    const char *chat = text_in(o, "chat_id");
    int64_t limit = 200;
    sim_message_info m;
    sim_chat_info unused;
    size_t count = 0;
    if (text_in(o, "limit") != NULL &&
        (!simi_parse_int(text_in(o, "limit"), &limit) || limit < 1)) {
        return refuse(c, "limit is a number from 1 on");
    }
    if (!sim_find_chat(c->service, chat, &unused)) {
        return refuse(c, "no such chat");
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

static bool show_uploads(control *c, cJSON *o)
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

static bool show_state(control *c, cJSON *o)
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
    put_options(c, b);
    simi_puts(b, ",\"story\":");
    story_put_state(&c->story, b);
    simi_puts(b, "}");
    return true;
}

static bool show_request(control *c, cJSON *o)
{
    int64_t number = 0;
    (void)simi_parse_int(text_in(o, "number"), &number);
    const feed_request *r = feed_find_request(&c->feed, (uint64_t)number);
    if (r == NULL) {
        return refuse(c, "no such request among the last 200");
    }
    simi_puts(&c->reply, "{\"request\":");
    simi_put_json(&c->reply, r->body.p);
    simi_puts(&c->reply, ",\"answer\":");
    simi_put_json(&c->reply, r->answer.p);
    simi_putf(&c->reply, ",\"cut\":%s}", r->cut ? "true" : "false");
    return true;
}

static bool show_changes(control *c, cJSON *o)
{
    const feed *f = &c->feed;
    uint64_t after = 0;
    bool known = feed_place(f, text_in(o, "after"), &after);
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

static bool show_story(control *c, cJSON *o)
{
    (void)o;
    story_put(&c->story, &c->reply);
    return true;
}

/* ---------------------------------------------------------------- the table */

typedef struct room {
    const char *method, *path;
    bool (*run)(control *c, cJSON *o);
    /* Names of members, or of parameters after "?": "!" it must be there, "#" a number (or true), "{"
     * an object, "[" an array, else text. "*": any. */
    const char *takes;
    bool in_story;
    const char *says; /* what it does */
} room;

static const room rooms[] = {
    {"POST", "/chat", do_chat, "type buyer_name item_title price_string chat_id buyer_id# item_id#",
     true, "a new buyer; what is left out is drawn. Gives chat_id. type: u2i (default), u2u, a2u"},
    {"POST", "/message", do_message,
     "chat_id! author type text quote_id media_id content{ visible_after_ms#", true,
     "writes. Gives message_id. author: buyer (default), app, avito; type: text (default), image, "
     "voice, location, item, link, call, system ...; content: in place of what the type has"},
    {"POST", "/media", do_media, "data!", true,
     "a picture or a sound in base64, for /message. Gives media_id"},
    {"POST", "/read", do_read, "chat_id! by", true, "by: app (default) or buyer"},
    {"POST", "/delete", do_delete, "message_id!", true, "by whoever wrote it"},
    {"POST", "/fault", do_fault, "plan clear#", true,
     "what shall go wrong; {\"clear\":true}: nothing"},
    {"POST", "/tokens", do_tokens, "do!", true, "do: expire or revoke, all that were given"},
    {"POST", "/code", do_code, "scope", false, "an authorization code. Gives code"},
    {"POST", "/option", do_option, "*", true, "sets any of the options that /state shows"},
    {"POST", "/reset", do_reset, "chats#", false, "begins anew, with so many chats"},
    {"POST", "/story", do_story, "story!# complete# steps[ wait_ms# write_answers#", false,
     "plays what GET /story gave: waits up to wait_ms (10000) for each answer of the account, or "
     "with write_answers writes it itself. How it goes: story in /state"},
    {"GET", "/story", show_story, "", false, "all that was done, and the answers that came"},
    {"GET", "/state", show_state, "", false, "everything but messages, and the id for /changes"},
    {"GET", "/changes", show_changes, "after!", false,
     "events after that id; reset: ask /state again. /events: the same as server-sent events"},
    {"GET", "/messages", show_messages, "chat_id! limit", false,
     "of a chat: the newest 200, oldest first"},
    {"GET", "/request", show_request, "number!", false, "bodies of a request and its answer"},
    {"GET", "/stats", show_stats, "", false, "counters"},
    {"GET", "/chats", show_chats, "", false, "every chat"},
    {"GET", "/store", show_store, "", false, "every message, deleted and not yet visible ones too"},
    {"GET", "/uploads", show_uploads, "", false, "every image that was uploaded"}};

#define ROOMS (sizeof rooms / sizeof *rooms)

static const char help_head[] =
    "The control side of the simulated Avito service. The page is at /page/.\n"
    "\n"
    "POST takes a JSON object with Content-Type: application/json, GET takes parameters. Answers "
    "are\n"
    "JSON; one that is refused is {\"error\":\"why\"} with status 400. \"!\" marks what must be "
    "given.\n"
    "Host must be a name of this machine (option --name adds one), Origin this page or absent.\n"
    "\n";

static const char help_tail[] =
    "  GET  /events    server-sent events: chat, message, request, webhook, subscriptions, "
    "tokens,\n"
    "                  faults, options, story; and reset: ask /state again\n"
    "  GET  /media/ID  a picture or a voice message\n"
    "\n"
    "Faults: OPERATION:FAULT[,FAULT...][:COUNT[:SKIP]], for the next COUNT requests (1; 0: all) of "
    "the\n"
    "operation (* for any), after SKIP that go well. FAULT is one of\n"
    "  status=N body=NAME stored no_answer stored_no_answer stall stored_stall redirect "
    "location=URL\n"
    "  retry_after=TEXT early delay=MS pause=BYTE+MS interim=N length chunked[=N] chunk_extras\n"
    "  until_close huge_head[=N] wrong_length=N cut=N corrupt=N close close_silently reset\n"
    "Operations:";

/* Lines of at most 100 characters, indented. */
static void put_wrapped(simi_buf *b, const char *text)
{
    size_t column = 100;
    for (const char *p = text; *p != '\0';) {
        size_t n = strcspn(p, " ");
        if (column + 1 + n > 100) {
            simi_puts(b, "\n                 ");
            column = 17;
        }
        simi_putf(b, " %.*s", (int)n, p);
        column += 1 + n;
        p += n + (p[n] == ' ' ? 1 : 0);
    }
    simi_puts(b, "\n");
}

void control_help(simi_buf *b)
{
    simi_puts(b, help_head);
    for (size_t i = 0; i < ROOMS; i++) {
        simi_putf(b, "  %-4s %s", rooms[i].method, rooms[i].path);
        for (const char *p = rooms[i].takes; *p != '\0' && *p != '*';) {
            size_t n = strcspn(p, " ");
            simi_putf(b, " %.*s%s", (int)strcspn(p, " !#{["), p,
                      memchr(p, '!', n) != NULL ? "!" : "");
            p += n + (p[n] == ' ' ? 1 : 0);
        }
        put_wrapped(b, rooms[i].says);
    }
    simi_puts(b, help_tail);
    for (int op = SIM_NO_OPERATION + 1; op < SIM_OPERATION_COUNT; op++) {
        simi_putf(b, "%s%s", op % 5 == 1 ? "\n  " : " ", sim_operation_name((sim_operation)op));
    }
    simi_puts(b, "\n");
}

/* ---------------------------------------------------------------- from a request to its room */

static const char *find_taken(const char *takes, const char *name, size_t len)
{
    for (const char *p = takes; *p != '\0';) {
        size_t n = strcspn(p, " "), word = strcspn(p, " !#{[");
        if (word == len && memcmp(p, name, len) == 0) {
            return p;
        }
        p += n + (p[n] == ' ' ? 1 : 0);
    }
    return NULL;
}

static bool fits(const char *taken, const cJSON *v)
{
    const char *mark = taken + strcspn(taken, " !#{[");
    mark += *mark == '!' ? 1 : 0;
    return *mark == '#'   ? is_whole(v)
           : *mark == '{' ? cJSON_IsObject(v)
           : *mark == '[' ? cJSON_IsArray(v)
                          : cJSON_IsString(v);
}

static bool wrong_member(control *c, const char *name, const char *what)
{
    simi_putf(&c->reply, "%s: %.60s", what, name);
    return refuse(c, "");
}

/* NULL members count as absent: that is how scripts leave things out. */
static bool check_members(control *c, const room *r, cJSON *o)
{
    cJSON *next;
    if (strcmp(r->takes, "*") == 0) {
        return true;
    }
    for (cJSON *v = o->child; v != NULL; v = next) {
        next = v->next;
        const char *taken = find_taken(r->takes, v->string, strlen(v->string));
        if (cJSON_IsNull(v)) {
            cJSON_Delete(cJSON_DetachItemViaPointer(o, v));
        } else if (taken == NULL) {
            return wrong_member(c, v->string, "not known here (see /)");
        } else if (!fits(taken, v)) {
            return wrong_member(c, v->string, "of another type than it must be");
        }
    }
    for (const char *p = r->takes; *p != '\0';) {
        size_t n = strcspn(p, " "), word = strcspn(p, " !#{[");
        char name[32];
        (void)snprintf(name, sizeof name, "%.*s", (int)word, p);
        if (p[word] == '!' && !cJSON_HasObjectItem(o, name)) {
            return wrong_member(c, name, "must be given");
        }
        p += n + (p[n] == ' ' ? 1 : 0);
    }
    return true;
}

/* The parameters of a GET as an object of texts. NULL: not well-formed. */
static cJSON *parameters(const char *query)
{
    cJSON *o = cJSON_CreateObject();
    while (query != NULL && *query != '\0') {
        size_t n = strcspn(query, "&"), name = strcspn(query, "=");
        char *text = simi_alloc(NULL, 2 * n + 2), *value = text + n + 1;
        bool good = name < n && simi_percent_decode(query, name, true, text) &&
                    simi_percent_decode(query + name + 1, n - name - 1, true, value);
        if (good) {
            (void)cJSON_AddStringToObject(o, text, value);
        }
        free(text);
        if (!good) {
            cJSON_Delete(o);
            return NULL;
        }
        query += n + (query[n] == '&' ? 1 : 0);
    }
    return o;
}

static bool run_room(control *c, const room *r, cJSON *o)
{
    c->reply.len = 0;
    simi_put(&c->reply, "", 0);
    c->why = "not a JSON object";
    return cJSON_IsObject(o) && check_members(c, r, o) && r->run(c, o);
}

/* The id in {"chat_id":"..."} and its like; "" if there is none. */
static const char *given_id(control *c)
{
    cJSON *reply = cJSON_ParseWithLength(c->reply.p, c->reply.len);
    const char *id = reply != NULL && cJSON_IsString(reply->child) ? reply->child->valuestring : "";
    (void)snprintf(c->gave, sizeof c->gave, "%s", id);
    cJSON_Delete(reply);
    return c->gave;
}

const char *control_post(control *c, const char *path, cJSON *body)
{
    for (size_t i = 0; i < ROOMS; i++) {
        if (strcmp(rooms[i].path, path) != 0 || strcmp(rooms[i].method, "POST") != 0) {
            continue;
        }
        const char *id = NULL;
        if (run_room(c, &rooms[i], body)) {
            id = given_id(c);
            if (rooms[i].in_story) {
                story_record_answers(&c->story, c->service);
                story_record(&c->story, path, body, id);
            }
        }
        cJSON_Delete(body);
        return id;
    }
    cJSON_Delete(body);
    c->why = "no such path";
    return NULL;
}

static const char *media_type(const char *type)
{
    static const char *const pictures[][2] = {{"jpeg", "image/jpeg"},
                                              {"png", "image/png"},
                                              {"gif", "image/gif"},
                                              {"bmp", "image/bmp"},
                                              {"heic", "image/heic"}};
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        if (strcmp(pictures[i][0], type) == 0) {
            return pictures[i][1];
        }
    }
    return type;
}

static control_answer json_answer(control *c, int status)
{
    return (control_answer){status, "application/json; charset=utf-8", c->reply.p, c->reply.len,
                            false};
}

static control_answer error_answer(control *c, int status, const char *why)
{
    simi_buf text = {0};
    simi_puts(&text, why[0] != '\0' ? why : c->reply.p);
    c->reply.len = 0;
    simi_puts(&c->reply, "{\"error\":");
    simi_put_json(&c->reply, text.p);
    simi_puts(&c->reply, "}");
    simi_free(&text);
    return json_answer(c, status);
}

static control_answer media_answer(control *c, const char *id)
{
    sim_media_info m;
    if (!sim_find_media(c->service, id, &m)) {
        return error_answer(c, 404, "no such picture or voice message is kept");
    }
    return (control_answer){200, media_type(m.type), m.bytes, m.len, true};
}

control_answer control_ask(control *c, const char *method, const char *target, const char *body,
                           size_t body_len)
{
    const char *query = strchr(target, '?');
    size_t len = query != NULL ? (size_t)(query - target) : strlen(target);
    bool known = false;
    if (strncmp(target, "/media/", 7) == 0 && strcmp(method, "GET") == 0) {
        return media_answer(c, target + 7);
    }
    for (size_t i = 0; i < ROOMS; i++) {
        const room *r = &rooms[i];
        if (strlen(r->path) != len || memcmp(r->path, target, len) != 0) {
            continue;
        }
        known = true;
        if (strcmp(r->method, method) != 0) {
            continue;
        }
        bool post = strcmp(method, "POST") == 0;
        if (post) {
            bool good = control_post(c, r->path, cJSON_ParseWithLength(body, body_len)) != NULL;
            return good ? json_answer(c, 200) : error_answer(c, 400, c->why);
        }
        cJSON *o = parameters(query != NULL ? query + 1 : NULL);
        bool good = run_room(c, r, o);
        cJSON_Delete(o);
        return good ? json_answer(c, 200) : error_answer(c, 400, c->why);
    }
    return known ? error_answer(c, 405, "another method is for this path, see /")
                 : error_answer(c, 404, "no such path, see /");
}

/* ---------------------------------------------------------------- time */

static const char *run_step(void *ctx, const char *path, cJSON *body, const char **why)
{
    control *c = ctx;
    const char *id = control_post(c, path, body);
    *why = c->why[0] != '\0' ? c->why : c->reply.p;
    return id;
}

void control_tick(control *c)
{
    story_record_answers(&c->story, c->service);
    if (story_tick(&c->story, c->service, simi_now(c->service), run_step, c)) {
        story_put_state(&c->story, feed_add(&c->feed, "story"));
    }
}

int64_t control_next_ms(const control *c)
{
    return c->story.state == STORY_PLAYING && c->story.deadline_ms != 0 ? c->story.deadline_ms
                                                                        : INT64_MAX;
}
