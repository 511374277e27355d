/*
 * admin.c - the server's command line, the buyer, and the door for demos and tests.
 *
 * The door is under /_sim/, without a token; the server listens on loopback only. The real service
 * has nothing like it. Bodies are JSON; every answer is JSON.
 *
 *   POST /_sim/chat     {"type":"u2i","buyer_name":"..","item_title":"..","buyer_id":n,"item_id":n}
 *                       -> {"chat_id":".."}; every member is optional
 *   POST /_sim/message  {"chat_id":"..","author":"buyer|app|avito","type":"text","text":"..",
 *                        "quote_id":"..","visible_after_ms":n}  -> {"message_id":".."}
 *   POST /_sim/read     {"chat_id":"..","by":"buyer|app"}
 *   POST /_sim/delete   {"message_id":".."}
 *   POST /_sim/fault    {"plan":"send_message:stored_no_answer:1"}; {"clear":true}
 *   POST /_sim/tokens   {"do":"expire|revoke"}
 *   POST /_sim/code     {"scope":"messenger:read,messenger:write"} -> {"code":".."}
 *   POST /_sim/option   {"name":value,...}: rate_per_minute, token_lifetime_s, bare_array, nulls,
 *                       ids_as_strings, trim_text, visible_after_ms, idle_close_ms, tariff (0..2),
 *                       webhook_probe, requests_per_connection, chunk_size, framing (1..3),
 *                       retry_after (0..2), rate_headers, empty_read_answer, head_padding
 *   GET  /_sim/stats    counters
 *   GET  /_sim/store    every message: id, chat, author, type, text, request, deleted ...
 *   GET  /_sim/chats    every chat: id, buyer_id, item_id, updated, messages, unread
 *   GET  /_sim/uploads  every uploaded image: id, file name, format, size, fnv1a
 */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- the door */

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

static bool is_text(const cJSON *o, const char *name, const char *word)
{
    const char *text = text_in(o, name);
    return text != NULL && strcmp(text, word) == 0;
}

static bool say_id(program *p, const char *member, const char *id)
{
    if (id == NULL) {
        return false;
    }
    simi_putf(&p->reply, "{\"%s\":", member);
    simi_put_json(&p->reply, id);
    simi_puts(&p->reply, "}");
    return true;
}

static bool say_done(program *p, bool done)
{
    simi_puts(&p->reply, done ? "{\"ok\":true}" : "");
    return done;
}

static bool do_chat(program *p, const cJSON *o)
{
    sim_chat_options c;
    memset(&c, 0, sizeof c);
    c.type = is_text(o, "type", "u2u") ? SIM_U2U : is_text(o, "type", "a2u") ? SIM_A2U : SIM_U2I;
    c.id = text_in(o, "chat_id");
    c.buyer_id = number_in(o, "buyer_id");
    c.buyer_name = text_in(o, "buyer_name");
    c.item_id = number_in(o, "item_id");
    c.item_title = text_in(o, "item_title");
    c.price_string = text_in(o, "price_string");
    return say_id(p, "chat_id", sim_add_chat(p->service, &c));
}

static bool do_message(program *p, const cJSON *o)
{
    sim_message_options m;
    memset(&m, 0, sizeof m);
    m.author = is_text(o, "author", "app")     ? SIM_APP
               : is_text(o, "author", "avito") ? SIM_AVITO
                                               : SIM_BUYER;
    for (int type = 0; type < SIM_TYPE_COUNT; type++) {
        m.type = is_text(o, "type", sim_type_name((sim_type)type)) ? (sim_type)type : m.type;
    }
    m.text = text_in(o, "text");
    m.quote_id = text_in(o, "quote_id");
    m.visible_after_ms = (uint32_t)number_in(o, "visible_after_ms");
    const char *chat = text_in(o, "chat_id");
    return chat != NULL && say_id(p, "message_id", sim_write(p->service, chat, &m));
}

static bool do_read(program *p, const cJSON *o)
{
    const char *chat = text_in(o, "chat_id");
    return chat != NULL && say_done(p, is_text(o, "by", "buyer") ? sim_buyer_reads(p->service, chat)
                                                                 : sim_app_reads(p->service, chat));
}

static bool do_delete(program *p, const cJSON *o)
{
    const char *id = text_in(o, "message_id");
    return id != NULL && say_done(p, sim_delete(p->service, id));
}

static bool do_fault(program *p, const cJSON *o)
{
    const char *plan = text_in(o, "plan");
    if (number_in(o, "clear") != 0) {
        sim_clear_faults(p->service);
        return say_done(p, true);
    }
    return say_done(p, plan != NULL && sim_plan_fault(p->service, plan));
}

static bool do_tokens(program *p, const cJSON *o)
{
    if (is_text(o, "do", "expire")) {
        sim_expire_tokens(p->service);
    } else if (is_text(o, "do", "revoke")) {
        sim_revoke_tokens(p->service);
    } else {
        return false;
    }
    return say_done(p, true);
}

static bool do_code(program *p, const cJSON *o)
{
    const char *scope = text_in(o, "scope");
    return say_id(p, "code", sim_grant_code(p->service, scope != NULL ? scope : "messenger:read"));
}

static bool set_number(sim_options *o, const char *name, int64_t n)
{
    const struct {
        const char *name;
        uint32_t *place;
    } known[] = {{"rate_per_minute", &o->rate_per_minute},
                 {"token_lifetime_s", &o->token_lifetime_s},
                 {"visible_after_ms", &o->visible_after_ms},
                 {"idle_close_ms", &o->idle_close_ms},
                 {"requests_per_connection", &o->requests_per_connection},
                 {"webhook_delay_ms", &o->webhook_delay_ms}};
    const struct {
        const char *name;
        bool *place;
    } flags[] = {{"bare_array", &o->bare_array},
                 {"nulls", &o->nulls},
                 {"ids_as_strings", &o->ids_as_strings},
                 {"trim_text", &o->trim_text},
                 {"webhook_probe", &o->webhook_probe},
                 {"rate_headers", &o->rate_headers},
                 {"no_meta", &o->no_meta},
                 {"token_kills_former", &o->token_kills_former},
                 {"token_errors_as_200", &o->token_errors_as_200},
                 {"empty_read_answer", &o->empty_read_answer}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            *known[i].place = (uint32_t)n;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(flags[i].name, name) == 0) {
            *flags[i].place = n != 0;
            return true;
        }
    }
    if (strcmp(name, "tariff") == 0 && n <= SIM_TARIFF_402) {
        o->tariff = (sim_tariff)n;
    } else if (strcmp(name, "framing") == 0 && n <= SIM_FRAMING_CLOSE) {
        o->framing = (sim_framing)n;
    } else if (strcmp(name, "retry_after") == 0 && n <= SIM_RETRY_AFTER_DATE) {
        o->retry_after = (sim_retry_after)n;
    } else if (strcmp(name, "chunk_size") == 0) {
        o->chunk_size = (size_t)n;
    } else if (strcmp(name, "head_padding") == 0) {
        o->head_padding = (size_t)n;
    } else {
        return false;
    }
    return true;
}

static bool do_option(program *p, const cJSON *o)
{
    const cJSON *member;
    bool good = true;
    cJSON_ArrayForEach(member, o)
    {
        int64_t n = number_in(o, member->string);
        good = good && n >= 0 && set_number(sim_live(p->service), member->string, n);
    }
    return say_done(p, good);
}

static bool show_stats(program *p, const cJSON *o)
{
    const sim_stats *t = sim_get_stats(p->service);
    simi_buf *b = &p->reply;
    (void)o;
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
                 {"largest_record", p->largest_record},
                 {"webhooks_queued", t->webhooks_queued},
                 {"webhooks_tried", t->webhooks_tried},
                 {"webhooks_done", t->webhooks_done},
                 {"webhooks_given_up", t->webhooks_given_up}};
    simi_puts(b, "{");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        simi_putf(b, "\"%s\":%llu,", plain[i].name, (unsigned long long)plain[i].value);
    }
    simi_puts(b, "\"operations\":{");
    for (int op = 0; op < SIM_OPERATION_COUNT; op++) {
        simi_putf(b, "%s\"%s\":{\"asked\":%llu,\"served\":%llu}", op == 0 ? "" : ",",
                  sim_operation_name((sim_operation)op), (unsigned long long)t->by_operation[op],
                  (unsigned long long)t->served[op]);
    }
    simi_puts(b, "},\"statuses\":{");
    bool first = true;
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

static bool show_store(program *p, const cJSON *o)
{
    static const char *const authors[] = {"buyer", "app", "avito", "api"};
    sim_message_info m;
    simi_buf *b = &p->reply;
    (void)o;
    simi_puts(b, "{\"messages\":[");
    for (size_t i = 0; sim_message_at(p->service, i, &m); i++) {
        simi_putf(b,
                  "%s{\"id\":\"%s\",\"chat_id\":\"%s\",\"author_id\":%lld,\"author\":\"%s\","
                  "\"type\":\"%s\",\"created\":%lld,\"request\":%llu,\"is_read\":%s,"
                  "\"deleted\":%s,\"image_id\":\"%s\",\"text\":",
                  i == 0 ? "" : ",", m.id, m.chat_id, (long long)m.author_id, authors[m.author],
                  sim_type_name(m.type), (long long)m.created, (unsigned long long)m.request,
                  m.is_read ? "true" : "false", m.deleted ? "true" : "false", m.image_id);
        simi_put_json(b, m.text);
        simi_puts(b, "}");
    }
    simi_puts(b, "]}");
    return true;
}

static bool show_chats(program *p, const cJSON *o)
{
    static const char *const types[] = {"u2i", "u2u", "a2u"};
    sim_chat_info c;
    simi_buf *b = &p->reply;
    (void)o;
    simi_puts(b, "{\"chats\":[");
    for (size_t i = 0; sim_chat_at(p->service, i, &c); i++) {
        simi_putf(b,
                  "%s{\"id\":\"%s\",\"type\":\"%s\",\"buyer_id\":%lld,\"item_id\":%lld,"
                  "\"updated\":%lld,\"messages\":%zu,\"unread\":%zu}",
                  i == 0 ? "" : ",", c.id, types[c.type], (long long)c.buyer_id,
                  (long long)c.item_id, (long long)c.updated, c.messages, c.unread);
    }
    simi_puts(b, "]}");
    return true;
}

static bool show_uploads(program *p, const cJSON *o)
{
    sim_upload_info u;
    simi_buf *b = &p->reply;
    (void)o;
    simi_puts(b, "{\"uploads\":[");
    for (size_t i = 0; sim_upload_at(p->service, i, &u); i++) {
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

static bool door(void *ctx, const sim_request_info *request, sim_reply *reply)
{
    static const struct {
        const char *method, *path;
        bool (*run)(program *p, const cJSON *o);
    } rooms[] = {{"POST", "/_sim/chat", do_chat},    {"POST", "/_sim/message", do_message},
                 {"POST", "/_sim/read", do_read},    {"POST", "/_sim/delete", do_delete},
                 {"POST", "/_sim/fault", do_fault},  {"POST", "/_sim/tokens", do_tokens},
                 {"POST", "/_sim/code", do_code},    {"POST", "/_sim/option", do_option},
                 {"GET", "/_sim/stats", show_stats}, {"GET", "/_sim/store", show_store},
                 {"GET", "/_sim/chats", show_chats}, {"GET", "/_sim/uploads", show_uploads}};
    program *p = ctx;
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        if (strcmp(rooms[i].method, request->method) != 0 ||
            strcmp(rooms[i].path, request->target) != 0) {
            continue;
        }
        cJSON *o = cJSON_ParseWithLength(request->body, request->body_len);
        p->reply.len = 0;
        simi_put(&p->reply, "", 0);
        bool good = rooms[i].run(p, o);
        cJSON_Delete(o);
        if (!good) {
            p->reply.len = 0;
            simi_puts(&p->reply, "{\"error\":\"not understood\"}");
        }
        reply->status = good ? 200 : 400;
        reply->body = p->reply.p;
        reply->body_len = p->reply.len;
        return true;
    }
    return false;
}

/* ---------------------------------------------------------------- the buyer */

static const char *const questions[] = {
    "Здравствуйте! Ещё продаётся?", "А торг уместен?", "Где можно посмотреть?",
    "Доставкой отправите?",         "Можно ещё фото?", "Спасибо, подумаю 🙂"};

/* He writes into one chat after the other, and answers whoever answered him. */
static void buyer_writes(program *p)
{
    sim_message_info m;
    sim_chat_info chat;
    const char *to = NULL;
    while (sim_message_at(p->service, p->buyer_seen, &m)) {
        p->buyer_seen++;
        if ((m.author == SIM_API || m.author == SIM_APP) && !m.deleted) {
            to = m.chat_id;
        }
    }
    if (to != NULL) {
        (void)sim_buyer_reads(p->service, to);
        (void)sim_buyer_writes(p->service, to, "Понятно, спасибо за ответ!");
        return;
    }
    size_t count = 0;
    while (sim_chat_at(p->service, count, &chat)) {
        count++;
    }
    if (count != 0 && sim_chat_at(p->service, count - 1, &chat)) { /* longest silent */
        (void)sim_buyer_writes(p->service, chat.id, questions[p->buyer_lines++ % 6]);
    }
}

void program_tick(program *p)
{
    int64_t now = simi_now(p->service);
    if (p->buyer && now >= p->buyer_next_ms) {
        p->buyer_next_ms = now + p->buyer_every_ms;
        buyer_writes(p);
    }
}

int64_t program_next_ms(program *p)
{
    return p->buyer ? p->buyer_next_ms : INT64_MAX;
}

/* ---------------------------------------------------------------- the command line */

static const char usage[] =
    "usage: simulator [option...]   the Avito Messenger service, simulated, on loopback\n"
    "  --tcp-port N --tls-port N   0 (default): a free one is chosen and printed\n"
    "  --cert FILE --key FILE      PEM; without them there is no TLS\n"
    "  --ports FILE                writes \"tcp=N\" and \"tls=N\" once it listens\n"
    "  --user-id N --user-name TEXT --client-id TEXT --client-secret TEXT\n"
    "  --chats N                   so many chats with a question each (default 3)\n"
    "  --buyer [--every SECONDS]   a buyer writes by himself (default every 5 s)\n"
    "  --token-lifetime SECONDS  --rate PER_MINUTE  --seed N\n"
    "  --bare-array                message lists as the official description has them\n"
    "  --tariff paid|placeholder|402\n"
    "  --framing length|chunked|close  --chunk-size N\n"
    "  --fault PLAN                such as 'send_message:stored_no_answer:1', may be repeated;\n"
    "                              the words are in simulator.h\n"
    "The door for tests is under http://127.0.0.1:PORT/_sim/, see admin.c.\n";

typedef struct settings {
    sim_options o;
    int64_t chats, every, tcp, tls;
    const char *faults[32];
    size_t fault_count;
} settings;

static bool take_word(settings *t, const char *name, const char *value)
{
    static const char *const tariffs[] = {"paid", "placeholder", "402"};
    static const char *const framings[] = {"", "length", "chunked", "close"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, "--tariff") == 0 && strcmp(value, tariffs[i]) == 0) {
            t->o.tariff = (sim_tariff)i;
            return true;
        }
        if (strcmp(name, "--framing") == 0 && strcmp(value, framings[i + 1]) == 0) {
            t->o.framing = (sim_framing)(i + 1);
            return true;
        }
    }
    return false;
}

static bool take_number(settings *t, const char *name, const char *value)
{
    int64_t n = 0;
    if (!simi_parse_int(value, &n) || n < 0) {
        return false;
    }
    const struct {
        const char *name;
        int64_t *place;
    } known[] = {{"--chats", &t->chats},
                 {"--every", &t->every},
                 {"--tcp-port", &t->tcp},
                 {"--tls-port", &t->tls},
                 {"--user-id", &t->o.user_id}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            *known[i].place = n;
            return true;
        }
    }
    if (strcmp(name, "--token-lifetime") == 0) {
        t->o.token_lifetime_s = (uint32_t)n;
    } else if (strcmp(name, "--rate") == 0) {
        t->o.rate_per_minute = (uint32_t)n;
    } else if (strcmp(name, "--seed") == 0) {
        t->o.seed = (uint64_t)n;
    } else if (strcmp(name, "--chunk-size") == 0) {
        t->o.chunk_size = (size_t)n;
    } else {
        return false;
    }
    return true;
}

static bool take_text(program *p, settings *t, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **place;
    } known[] = {{"--cert", &p->cert},
                 {"--key", &p->key},
                 {"--ports", &p->ports_file},
                 {"--client-id", &t->o.client_id},
                 {"--user-name", &t->o.user_name},
                 {"--client-secret", &t->o.client_secret}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            *known[i].place = value;
            return true;
        }
    }
    if (strcmp(name, "--fault") == 0 && t->fault_count < 32) {
        t->faults[t->fault_count++] = value;
        return true;
    }
    return false;
}

static bool read_command_line(program *p, settings *t, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        }
        if (strcmp(argv[i], "--buyer") == 0) {
            p->buyer = true;
        } else if (strcmp(argv[i], "--bare-array") == 0) {
            t->o.bare_array = true;
        } else if (i + 1 < argc &&
                   (take_text(p, t, argv[i], value) || take_word(t, argv[i], value) ||
                    take_number(t, argv[i], value))) {
            i++;
        } else {
            (void)fprintf(stderr, "simulator: '%s' is not understood\n%s", argv[i], usage);
            return false;
        }
    }
    if ((p->cert == NULL) != (p->key == NULL)) {
        (void)fputs("simulator: --cert and --key belong together\n", stderr);
        return false;
    }
    return true;
}

bool program_start(program *p, int argc, char **argv, int64_t (*clock_ms)(void *ctx))
{
    settings t;
    memset(&t, 0, sizeof t);
    t.chats = 3;
    t.every = 5;
    t.o.clock_ms = clock_ms;
    t.o.door = door;
    t.o.ctx = p;
    if (!read_command_line(p, &t, argc, argv)) {
        return false;
    }
    p->tcp_port = (int)t.tcp;
    p->tls_port = (int)t.tls;
    p->service = sim_create(&t.o);
    p->buyer_every_ms = t.every * 1000;
    p->buyer_next_ms = clock_ms(NULL) + p->buyer_every_ms;
    for (int64_t i = 0; i < t.chats; i++) {
        (void)sim_buyer_writes(p->service, sim_add_chat(p->service, NULL), questions[i % 6]);
    }
    for (size_t i = 0; i < t.fault_count; i++) {
        if (!sim_plan_fault(p->service, t.faults[i])) {
            (void)fprintf(stderr, "simulator: fault '%s' is not understood\n", t.faults[i]);
            return false;
        }
    }
    return true;
}

void program_end(program *p)
{
    sim_destroy(p->service);
    simi_free(&p->reply);
}
