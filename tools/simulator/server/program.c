/* program.c - the command line, the initial state of a service, and the buyer who writes on his
 * own. */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: simulator [option...]   the Avito Messenger service, simulated, on this machine\n"
    "  --play                      for people: prints the page's address and what to export for\n"
    "                              programs; ports that are taken are replaced; --local-media\n"
    "  --tcp-port N --tls-port N   the service; 0 (default): a free one is chosen and printed\n"
    "  --control-port N            the control side and its page; the same\n"
    "  --cert FILE --key FILE      PEM; without them there is no TLS\n"
    "  --ports FILE                writes \"tcp=N\", \"tls=N\" and \"control=N\" once it listens\n"
    "  --listen ADDRESS            where, default 127.0.0.1. Anywhere else everybody who reaches "
    "this\n"
    "                              machine can press the buttons\n"
    "  --name HOST                 the control side is called by this name too; may be repeated\n"
    "  --user-id N --user-name TEXT --client-id TEXT --client-secret TEXT\n"
    "  --chats N                   so many chats with a question each (default 3)\n"
    "  --buyer [--every SECONDS]   a buyer writes by himself (default every 5 s)\n"
    "  --local-media               addresses of pictures and voice messages point to the control "
    "side\n"
    "  --token-lifetime SECONDS  --rate PER_MINUTE  --seed N\n"
    "  --bare-array                message lists as the official description has them\n"
    "  --tariff paid|placeholder|402\n"
    "  --framing length|chunked|close  --chunk-size N\n"
    "  --fault PLAN                such as 'send_message:stored_no_answer:1', may be repeated\n"
    "\n";

static const char *const questions[] = {
    "Здравствуйте! Ещё продаётся?", "А торг уместен?", "Где можно посмотреть?",
    "Доставкой отправите?",         "Можно ещё фото?", "Спасибо, подумаю 🙂"};

/* ---------------------------------------------------------------- the command line */

static bool take_word(program *p, const char *name, const char *value)
{
    static const char *const tariffs[] = {"paid", "placeholder", "402"};
    static const char *const framings[] = {"", "length", "chunked", "close"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(name, "--tariff") == 0 && strcmp(value, tariffs[i]) == 0) {
            p->options.tariff = (sim_tariff)i;
            return true;
        }
        if (strcmp(name, "--framing") == 0 && strcmp(value, framings[i + 1]) == 0) {
            p->options.framing = (sim_framing)(i + 1);
            return true;
        }
    }
    return false;
}

/* An option whose value is a number. False: there is none of this name, or the value is wrong. */
static bool take_number(program *p, const char *name, const char *value)
{
    int64_t n = 0;
    if (!simi_parse_int(value, &n) || n < 0) {
        return false;
    }
    const struct {
        const char *name;
        int64_t *place, max;
    } known[] = {{"--chats", &p->chats, 100000},
                 {"--every", &p->every_s, 1000000},
                 {"--tcp-port", &p->tcp_port, 65535},
                 {"--tls-port", &p->tls_port, 65535},
                 {"--control-port", &p->control_port, 65535},
                 {"--user-id", &p->options.user_id, INT64_MAX}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            *known[i].place = n;
            return n <= known[i].max;
        }
    }
    if (strcmp(name, "--token-lifetime") == 0) {
        p->options.token_lifetime_s = (uint32_t)n;
    } else if (strcmp(name, "--rate") == 0) {
        p->options.rate_per_minute = (uint32_t)n;
    } else if (strcmp(name, "--seed") == 0) {
        p->options.seed = (uint64_t)n;
    } else if (strcmp(name, "--chunk-size") == 0) {
        p->options.chunk_size = (size_t)n;
    } else {
        return false;
    }
    return true;
}

/* An option whose value is a text. False: there is none of this name, or there are too many of it. */
static bool take_text(program *p, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **place;
    } known[] = {{"--cert", &p->cert},
                 {"--key", &p->key},
                 {"--ports", &p->ports_file},
                 {"--listen", &p->address},
                 {"--client-id", &p->options.client_id},
                 {"--user-name", &p->options.user_name},
                 {"--client-secret", &p->options.client_secret}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            *known[i].place = value;
            return true;
        }
    }
    if (strcmp(name, "--fault") == 0 && p->fault_count < PROGRAM_FAULTS) {
        p->faults[p->fault_count++] = value;
        return true;
    }
    if (strcmp(name, "--name") == 0 && p->name_count < WEB_NAMES - 3) {
        p->names[p->name_count++] = value;
        return true;
    }
    return false;
}

static bool take_flag(program *p, const char *name)
{
    const struct {
        const char *name;
        bool *place;
    } known[] = {{"--buyer", &p->buyer},
                 {"--play", &p->play},
                 {"--local-media", &p->local_media},
                 {"--bare-array", &p->options.bare_array}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            *known[i].place = true;
            return true;
        }
    }
    return false;
}

static void help(void)
{
    simi_buf text = {0};
    simi_puts(&text, usage);
    control_help(&text);
    (void)fputs(text.p, stdout);
    simi_free(&text);
    exit(EXIT_SUCCESS);
}

bool program_options(program *p, int argc, char **argv)
{
    p->chats = 3;
    p->every_s = 5;
    p->address = "127.0.0.1";
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--help") == 0) {
            help();
        }
        if (take_flag(p, argv[i])) {
            continue;
        }
        if (i + 1 == argc || !(take_text(p, argv[i], value) || take_word(p, argv[i], value) ||
                               take_number(p, argv[i], value))) {
            (void)fprintf(stderr, "simulator: '%s' is not understood\n%s", argv[i], usage);
            return false;
        }
        i++;
    }
    if ((p->cert == NULL) != (p->key == NULL)) {
        (void)fputs("simulator: --cert and --key belong together\n", stderr);
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- a new service */

static cJSON *text_to(const char *chat, const char *text)
{
    cJSON *o = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(o, "chat_id", chat);
    (void)cJSON_AddStringToObject(o, "text", text);
    return o;
}

bool program_begin(program *p, control *c, int64_t chats)
{
    char id[256];
    chats = chats < 0 ? p->chats : chats;
    p->buyer_seen = 0;
    p->buyer_next_ms = net_clock_ms(NULL) + p->every_s * 1000;
    for (int64_t i = 0; i < chats; i++) {
        (void)snprintf(id, sizeof id, "%s", control_post(c, "/chat", cJSON_CreateObject()));
        (void)control_post(c, "/message", text_to(id, questions[i % 6]));
    }
    for (size_t i = 0; i < p->fault_count; i++) {
        if (!sim_plan_fault(c->service, p->faults[i])) {
            (void)fprintf(stderr, "simulator: fault '%s' is not understood\n", p->faults[i]);
            return false;
        }
    }
    return true;
}

/* ---------------------------------------------------------------- the buyer */

/* He writes into one chat after the other, and replies to each answer. */
static void buyer_writes(program *p, control *c)
{
    sim_message_info m;
    sim_chat_info chat;
    const char *to = NULL;
    while (sim_message_at(c->service, p->buyer_seen, &m)) {
        p->buyer_seen++;
        if ((m.author == SIM_API || m.author == SIM_APP) && !m.deleted) {
            to = m.chat_id;
        }
    }
    if (to != NULL) {
        (void)sim_buyer_reads(c->service, to);
        (void)control_post(c, "/message", text_to(to, "Понятно, спасибо за ответ!"));
        return;
    }
    size_t count = 0;
    while (sim_chat_at(c->service, count, &chat)) {
        count++;
    }
    if (count != 0 && sim_chat_at(c->service, count - 1, &chat)) { /* silent for the longest time */
        (void)control_post(c, "/message", text_to(chat.id, questions[p->buyer_lines++ % 6]));
    }
}

void program_tick(program *p, control *c)
{
    int64_t now = net_clock_ms(NULL);
    if (p->buyer && now >= p->buyer_next_ms) {
        p->buyer_next_ms = now + p->every_s * 1000;
        buyer_writes(p, c);
    }
}

int64_t program_next_ms(const program *p)
{
    return p->buyer ? p->buyer_next_ms : INT64_MAX;
}
