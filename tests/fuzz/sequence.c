/*
 * Sequences of calls: random public functions on random objects in any order, with cancel, step and
 * hooks that call back, on several lanes, with lists, the inbox, the webhook receiver and splits,
 * and arenas of every size. The service answers well, badly, in pieces or not at all. The input
 * decides everything.
 *
 * What must hold: no foreign memory is touched (the sanitizers); close() comes once per connect();
 * a send is stored once, and its outcome is true; results are whole; no secret is in a trace, a
 * text or a body; an arena is released when its call ends; each call ends by its deadline, in the
 * first step after it at the latest; one step does bounded work.
 *
 * SEQUENCE_OLD leaves out what the header of 1e9c221 cannot bear: calls from inside hooks, objects
 * that are NULL or zeroed. That header's inbox takes over the call of another, an overflow that
 * this program finds.
 */
#ifndef SEQUENCE_OLD
#define SEQUENCE_OLD 0
#endif
#include "avito_messenger.h"

#include "fuzz.h"

enum { LANES = 3, ARENAS = 3, WINDOW = 512, WORK = 256, WORK_OF_A_CALL = 20000 };
enum model { NOTHING, CHAT, CHATS, MESSAGE, MESSAGES }; /* the kind of result of a call on a lane */

#define SECRET   "sEcReT-of-the-client-0123456789"
#define USER     350000001
#define IDLE_MS  5000u
#define TOTAL_MS 20000u

/* ---- the input ---- */

static const uint8_t *input;
static size_t input_left;

static unsigned draw(unsigned below)
{
    unsigned value = 0;

    if (input_left > 0) {
        value = *input++;
        input_left--;
    }
    return below > 0 ? value % below : 0;
}

/* ---- the service and the wires ---- */

struct wire {
    bool open;
    unsigned connects, closes;
    char request[4096];
    size_t request_len;
    char answer[4096];
    size_t answer_len, answer_at;
    bool ends;     /* after the answer, or instead of one */
    bool damaged;  /* an answer that was changed may say anything */
    bool waits;    /* then a step is a whole call */
    unsigned work; /* calls in this step */
};

static struct {
    uint32_t now_ms;
    struct wire wires[LANES];
    avito_account account;
    avito_client clients[LANES];
    bool lane_ready[LANES];
    unsigned char *windows[LANES];
    char *error_bodies[LANES];
    avito_arena arenas[ARENAS];
    char *rooms[ARENAS];
    avito_inbox inbox;
    bool inbox_ready;
    unsigned char state[AVITO_INBOX_STATE_SIZE(8)], slots[2][AVITO_INBOX_STATE_SIZE(8)];
#if !SEQUENCE_OLD
    unsigned char records[AVITO_INBOX_CHATS_SIZE(4)];
#endif
    size_t full[2];
    avito_webhook webhook;
    bool webhook_ready;
    unsigned char hook_buffer[AVITO_WEBHOOK_SIZE(300)];
    unsigned tokens;            /* issued; each is a secret of its own */
    unsigned sends, stored[64]; /* indexed by the number in the text */
    bool left[64];              /* a request of it was whole */
    int sending[LANES];         /* which send a lane is in; -1: none */
    enum model gives[LANES];
    uint32_t began_ms[LANES];
    uint32_t hook_ms, hook_ms_then[LANES]; /* that passed inside of hooks */
    bool in_call[LANES], settles[LANES];
    unsigned depth; /* of hooks */
    union {
        avito_self self;
        avito_chat chat;
        avito_chats chats;
        avito_messages messages;
        avito_message message;
        avito_voice_files voices;
        avito_voice_file voice;
        avito_subscriptions subscriptions;
        avito_subscription subscription;
        avito_uploaded_image image;
        avito_token token;
    } out[LANES];
    avito_message inbox_message;
    avito_outcome outcome;
    avito_sent_query baseline;
} w;

static void act(unsigned turns);

static void hook(void)
{
    if (!SEQUENCE_OLD && w.depth == 0 && draw(16) == 1) {
        w.depth++;
        act(1);
        w.depth--;
    }
}

static const char *body_for(const char *request)
{
    static char text[400];

    if (strncmp(request, "POST /token", 11) == 0) {
        (void)snprintf(text, sizeof text,
                       "{\"access_token\":\"tOkEn-number-%06u-secret\",\"expires_in\":%u}",
                       ++w.tokens, draw(4) == 0 ? 20u : 86400u);
        return text;
    }
    if (strstr(request, "/self") != NULL) {
        return "{\"id\":350000001,\"name\":\"a\",\"phones\":[\"1\",\"2\"]}";
    }
    if (strstr(request, "/chats?") != NULL) {
        return "{\"chats\":[{\"id\":\"u2i-a\",\"created\":5,\"updated\":1754890009,\"users\":[{"
               "\"id\":1,\"name\":\"b\"}],"
               "\"last_message\":{\"id\":\"m3\",\"created\":1754890009,\"direction\":\"in\","
               "\"author_id\":7,\"type\":"
               "\"text\",\"content\":{\"text\":\"hi\"}}},{\"id\":\"u2i-b\",\"updated\":1754890008}]"
               ",\"meta\":{"
               "\"has_more\":false}}";
    }
    if (strncmp(request, "GET ", 4) == 0 && strstr(request, "/messages/") != NULL) {
        return "{\"messages\":[{\"id\":\"m3\",\"created\":1754890009,\"direction\":\"in\",\"author_"
               "id\":7,\"type\":"
               "\"text\",\"content\":{\"text\":\"hi\"}},{\"id\":\"m2\",\"created\":1754890005,"
               "\"direction\":\"in\","
               "\"author_id\":7,\"type\":\"image\",\"content\":{\"image\":{\"sizes\":{\"1x1\":"
               "\"https://a\"}}}}]}";
    }
    if (strstr(request, "/getVoiceFiles") != NULL) {
        return "{\"voices_urls\":{\"v1\":\"https://v/1\",\"v2\":\"https://v/2\"}}";
    }
    if (strstr(request, "/subscriptions") != NULL) {
        return "{\"subscriptions\":[{\"url\":\"https://s/1\",\"version\":\"3\"}]}";
    }
    if (strstr(request, "/uploadImages") != NULL) {
        return "{\"1.abc\":{\"1x1\":\"https://a\"}}";
    }
    if (strstr(request, "/messages HTTP") != NULL || strstr(request, "/messages/image") != NULL) {
        return "{\"id\":\"new\",\"created\":1754890010,\"type\":\"text\",\"direction\":\"out\","
               "\"content\":{\"text\":\"x\"}}";
    }
    return strstr(request, "/chats/") != NULL && strncmp(request, "GET ", 4) == 0
               ? "{\"id\":\"u2i-a\",\"created\":5,\"updated\":6}"
               : "{\"ok\":true}";
}

/* A whole answer, in one of the framings. */
static void answer(struct wire *k, int status, const char *body, size_t len, unsigned way)
{
    char length[40];
    int n;

    (void)snprintf(length, sizeof length,
                   way == 1   ? "Transfer-Encoding: chunked\r\n"
                   : way == 2 ? "Connection: close\r\n"
                              : "Content-Length: %u\r\n",
                   (unsigned)len);
    n = snprintf(k->answer, sizeof k->answer,
                 "HTTP/1.1 %d X\r\nDate: Mon, 11 Aug 2025 12:00:00 GMT\r\n%s%s\r\n", status,
                 status == 429 ? "Retry-After: 3\r\n" : "", length);
    if (way == 1 && len > 0) {
        n += snprintf(k->answer + n, sizeof k->answer - (size_t)n, "%x\r\n", (unsigned)len);
    }
    MUST(n > 0 && (size_t)n + len + 10 < sizeof k->answer);
    memcpy(k->answer + n, body, len);
    n += (int)len;
    if (way == 1) {
        n += snprintf(k->answer + n, sizeof k->answer - (size_t)n, "%s0\r\n\r\n",
                      len > 0 ? "\r\n" : "");
    }
    k->ends = k->ends || way == 2;
    k->answer_len = (size_t)n;
    k->answer_at = 0;
}

/* The answer is damaged, cut, or anything at all. */
static void spoil(struct wire *k)
{
    const unsigned at = (draw(256) | draw(256) << 8) % (unsigned)k->answer_len, how = draw(4);
    const size_t len = draw(256) < input_left ? at % 256u < input_left ? at % 256u : 0 : 0;

    k->damaged = true;
    if (how < 2) {
        k->answer[at] = (char)(k->answer[at] ^ (1 << draw(8)));
    } else if (how == 2) {
        k->answer_len = at;
        k->ends = draw(2) == 0;
    } else {
        answer(k, 200, (const char *)input, len, 0);
        input += len;
        input_left -= len;
    }
}

/* The request is perhaps done, and perhaps answered. */
static void serve(struct wire *k)
{
    static const int statuses[] = {401, 403, 404, 429, 500, 400, 402, 302};
    const char *sent = strstr(k->request, "send number ");
    const unsigned drawn = draw(256), kind = drawn % 16u;
    int status = kind < 10 ? 200 : kind < 14 ? statuses[draw(8)] : 200;
    const char *body =
        status == 200 ? body_for(k->request) : "{\"error\":{\"code\":1,\"message\":\"no\"}}";

    if (sent != NULL) {
        w.left[(unsigned)atoi(sent + 12) % 64u] = true;
    }
    if (kind == 14) { /* a refusal under a success status */
        body =
            draw(2) == 0 ? "{\"ok\":false}" : "{\"result\":{\"message\":\"access token expired\"}}";
    }
    if (sent != NULL && (status == 200 || status >= 500) && (kind < 10 || draw(2) == 0)) {
        w.stored[(unsigned)atoi(sent + 12) % 64u]++;
    }
    answer(k, status, body, strlen(body), drawn / 16u);
    k->request_len = 0;
    if (kind == 15) {
        spoil(k);
    }
}

/* Lets time pass. Time inside a hook, even while another lane waits there, is no lane's delay. */
static void pass(uint32_t ms)
{
    w.now_ms += ms;
    w.hook_ms += w.depth > 0 ? ms : 0;
}

static void works(struct wire *k)
{
    MUST(++k->work < (k->waits || SEQUENCE_OLD ? WORK_OF_A_CALL : WORK));
}

static int wire_connect(void *ctx, const avito_server *to)
{
    struct wire *k = ctx;

    (void)to;
    hook();
    works(k);
    if (!k->open) {
        k->open = true;
        k->connects++;
        k->request_len = k->answer_len = k->answer_at = 0;
        k->ends = false;
    }
    switch (draw(16)) {
        case 0:
            return AVITO_ERR_CONNECT;
        case 1:
            return AVITO_AGAIN;
        default:
            return AVITO_OK;
    }
}

static long wire_send(void *ctx, const void *data, size_t len, int more)
{
    struct wire *k = ctx;
    const char *head;
    size_t n = len, body = 0;

    (void)more;
    hook();
    MUST(k->open && len > 0);
    works(k);
    switch (draw(32)) {
        case 0:
            return AVITO_ERR_SEND;
        case 1:
            return AVITO_IO_AGAIN;
        case 2:
            n = 1 + draw(255) % len;
            break;
        default:
            break;
    }
    if (k->request_len + n >= sizeof k->request) { /* an upload: its end is what counts */
        k->request_len = 0;
    }
    memcpy(k->request + k->request_len, data, n);
    k->request_len += n;
    k->request[k->request_len] = '\0';
    head = strstr(k->request, "\r\n\r\n");
    if (head != NULL) {
        const char *length = strstr(k->request, "Content-Length: ");
        body = length != NULL && length < head ? (size_t)atoi(length + 16) : 0;
        if ((size_t)(k->request + k->request_len - head - 4) >= body) {
            serve(k);
        }
    }
    return (long)n;
}

static long wire_recv(void *ctx, void *data, size_t cap)
{
    struct wire *k = ctx;
    size_t n = k->answer_len - k->answer_at;

    hook();
    MUST(k->open && cap > 0);
    works(k);
    if (n == 0) {
        return k->ends ? AVITO_IO_CLOSED : AVITO_IO_AGAIN;
    }
    switch (draw(16)) {
        case 0:
            return draw(4) == 0 ? AVITO_ERR_RECV : AVITO_IO_AGAIN;
        case 1:
        case 2:
        case 3:
            return AVITO_IO_AGAIN;
        case 4:
            n = 1;
            break;
        case 5:
            n = n < 60 ? n : 60;
            break;
        default:
            break;
    }
    n = n < cap ? n : cap;
    memcpy(data, k->answer + k->answer_at, n);
    k->answer_at += n;
    return (long)n;
}

static int wire_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static int wire_wait(void *ctx, int wants, uint32_t ms)
{
    (void)ctx, (void)wants;
    hook();
    pass(ms < 1000 ? ms : 1000);
    return AVITO_AGAIN;
}

static void wire_close(void *ctx)
{
    struct wire *k = ctx;

    MUST(k->open); /* once per connect */
    k->open = false;
    k->closes++;
    hook();
}

/* ---- hooks of the account and of the other objects ---- */

static uint32_t clock_now(void *ctx)
{
    (void)ctx;
    return w.now_ms;
}

static int64_t unix_now(void *ctx)
{
    (void)ctx;
    return 1754890000 + (int64_t)(w.now_ms / 1000u);
}

static int entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    hook();
    memset(out, 0x5a, len);
    return AVITO_OK;
}

static void no_secret(const char *text)
{
    MUST(strstr(text, SECRET) == NULL);
    MUST(strstr(text, "tOkEn-number") == NULL);
}

static void trace(void *ctx, const char *line)
{
    (void)ctx;
    no_secret(line);
    hook();
}

static int save_token(void *ctx, const avito_token *token)
{
    (void)ctx, (void)token;
    hook();
    return draw(16) == 0 ? -7 : AVITO_OK;
}

static int load_token(void *ctx, avito_token *token)
{
    (void)ctx, (void)token;
    hook();
    return AVITO_END;
}

static long read_image(void *ctx, size_t offset, void *buf, size_t cap)
{
    (void)ctx, (void)offset;
    hook();
    memset(buf, 'i', cap);
    return draw(32) == 0 ? -1 : (long)cap;
}

static void progress(void *ctx, size_t sent, size_t size)
{
    (void)ctx;
    MUST(sent <= size);
    hook();
}

static int save_slot(void *ctx, int slot, const void *data, size_t len)
{
    (void)ctx;
    hook();
    memcpy(w.slots[slot], data, len);
    w.full[slot] = len;
    return draw(16) == 0 ? -8 : AVITO_OK;
}

static int load_slot(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    (void)ctx, (void)cap;
    hook();
    memcpy(data, w.slots[slot], w.full[slot]);
    *len = w.full[slot];
    return *len > 0 ? AVITO_OK : AVITO_END;
}

static int verify(void *ctx, const void *body, size_t len, avito_str signature)
{
    (void)ctx, (void)body, (void)len, (void)signature;
    hook();
    return draw(8) == 0 ? -9 : AVITO_OK;
}

/* ---- the objects ---- */

static void begin_lane(unsigned i)
{
    static const avito_transport_functions never = {.connect = wire_connect,
                                                    .send = wire_send,
                                                    .recv = wire_recv,
                                                    .wants = wire_wants,
                                                    .close = wire_close};
    static const avito_transport_functions waits = {.connect = wire_connect,
                                                    .send = wire_send,
                                                    .recv = wire_recv,
                                                    .wants = wire_wants,
                                                    .wait = wire_wait,
                                                    .close = wire_close};
    avito_client_options o = avito_client_options_default();

    w.wires[i].waits = draw(4) == 0;
    o.transport.functions = w.wires[i].waits ? &waits : &never;
    o.transport.ctx = &w.wires[i];
    o.window = w.windows[i];
    o.window_cap = WINDOW;
    o.retries = (uint8_t)draw(3);
    o.idle_timeout_ms = IDLE_MS;
    o.total_timeout_ms = TOTAL_MS;
    o.error_body = w.error_bodies[i];
    o.error_body_cap = 64;
    o.dry_run = draw(16) == 0;
#if !SEQUENCE_OLD /* for a build with AVITO_TINY */
    avito_enable_retries(&o);
    avito_enable_dry_run(&o);
    avito_enable_sent(&o);
    avito_enable_raw(&o);
    avito_enable_pages(&o);
#endif
    w.lane_ready[i] = avito_client_init(&w.clients[i], &w.account, &o) == AVITO_OK;
    MUST(w.lane_ready[i]);
}

static void begin_world(void)
{
    avito_account_options o = avito_account_options_default();
    static unsigned char tokens[AVITO_TOKENS_SIZE(64)];

    memset(&w, 0, sizeof w);
    w.now_ms = draw(2) == 0 ? 1000u : UINT32_MAX - 5000u;
    o.client_id = "an-id";
    o.client_secret = SECRET;
    o.tokens = tokens;
    o.tokens_cap = sizeof tokens;
    o.clock_ms = clock_now;
    o.unix_time = unix_now;
    o.entropy = entropy;
    o.trace = trace;
    o.save_token = save_token;
    o.load_token = load_token;
#if !SEQUENCE_OLD
    avito_enable_token_store(&o);
    avito_enable_diagnostics(&o);
    avito_enable_lanes(&o);
#endif
    MUST(avito_account_init(&w.account, &o) == AVITO_OK);
    for (unsigned i = 0; i < LANES; i++) {
        w.windows[i] = fuzz_memory(WINDOW);
        w.error_bodies[i] = fuzz_memory(64);
        w.error_bodies[i][0] = '\0';
        w.sending[i] = -1;
        begin_lane(i);
    }
    for (unsigned i = 0; i < ARENAS; i++) {
        const size_t size = i == 0 ? 4096u : draw(256) * (draw(2) == 0 ? 1u : 16u);
        w.rooms[i] = fuzz_memory(size);
        w.arenas[i] = avito_arena_of(w.rooms[i], size);
    }
}

static void begin_inbox(void)
{
    avito_inbox_options o = avito_inbox_options_default();

    o.user_id = USER;
    o.start = draw(2) == 0 ? AVITO_START_NOW : AVITO_START_SINCE;
    o.since = 1754890000;
    o.state = w.state;
    o.state_cap = sizeof w.state;
    o.arena = &w.arenas[draw(ARENAS)]; /* others use it, too */
    o.save = save_slot;
    o.load = load_slot;
    o.mark_as_read = draw(2) == 0;
#if !SEQUENCE_OLD
    if (draw(2) == 0) {
        o.chats = w.records;
        o.chats_cap = sizeof w.records;
        avito_enable_inbox_records(&o);
    }
#endif
    w.inbox_ready = avito_inbox_init(&w.inbox, &w.clients[0], &o) == AVITO_OK;
}

/* ---- what must hold ---- */

#if !SEQUENCE_OLD
/* A text in a result ends where its length says. */
static void whole_text(avito_str s)
{
    MUST(s.ptr == NULL ? s.len == 0 : strlen(s.ptr) == s.len);
}

/* Shows it, which reads all of it. */
static void whole_message(const avito_message *m)
{
    char line[64];
    size_t needed = 0;

    whole_text(m->id);
    whole_text(m->type_word);
    whole_text(m->chat_id);
    MUST(avito_message_json(m, NULL, NULL, 0, &needed) == AVITO_ERR_ROOM && needed > 0);
    MUST(avito_message_preview(m, AVITO_ENGLISH, line, sizeof line) < sizeof line);
}

static void whole_chat(const avito_chat *chat)
{
    size_t needed = 0;

    whole_text(chat->id);
    MUST(avito_chat_json(chat, USER, NULL, 0, &needed) == AVITO_ERR_ROOM && needed > 0);
}

static void whole(unsigned i, enum model model)
{
    const size_t count = model == CHATS      ? w.out[i].chats.count
                         : model == MESSAGES ? w.out[i].messages.count
                                             : 1;
    for (size_t k = 0; k < count; k++) {
        if (model == CHAT || model == CHATS) {
            whole_chat(model == CHAT ? &w.out[i].chat : &w.out[i].chats.items[k]);
        } else if (model == MESSAGE || model == MESSAGES) {
            whole_message(model == MESSAGE ? &w.out[i].message : &w.out[i].messages.items[k]);
        }
    }
}
#else
static void whole(unsigned i, enum model model)
{
    (void)i, (void)model;
}
#endif

/* A call of lane `i` has ended with `rc`. */
static void ended(unsigned i, int rc)
{
    const avito_error *e = avito_last_error(&w.clients[i]);
    const int send = w.sending[i];
    const bool dry = w.clients[i].o.dry_run, damaged = w.wires[i].damaged;

    w.in_call[i] = w.wires[i].damaged = false;
    w.sending[i] = -1;
    no_secret(e->text);
    no_secret(w.error_bodies[i]);
    if (rc == AVITO_OK && !dry) {
        whole(i, w.gives[i]);
    }
    w.gives[i] = NOTHING;
    if (send < 0) {
        return;
    }
    MUST(w.stored[send] <= 1);
    MUST(!dry || w.stored[send] == 0);
    MUST(e->outcome != AVITO_CANNOT_TELL || w.left[send]);
    if (w.settles[i] || damaged || SEQUENCE_OLD) { /* the old one believed a refusal under 200 */
        return;
    }
    MUST((rc == AVITO_OK) == (e->code == AVITO_OK));
    MUST(e->outcome != AVITO_NOT_SENT || w.stored[send] == 0);
    MUST(e->outcome != AVITO_SENT || dry || w.stored[send] == 1);
    MUST(e->outcome != AVITO_SENT || rc == AVITO_OK || rc == AVITO_ERR_ARENA);
    MUST(rc != AVITO_OK || e->outcome == AVITO_SENT || dry);
}

/* A call has begun on lane `i`, or gone on. */
static void went(unsigned i, int rc)
{
    w.wires[i].work = 0;
    if (w.clients[i].priv.call != NULL) {
        if (rc == AVITO_AGAIN && !w.in_call[i]) {
            w.in_call[i] = true;
            w.began_ms[i] = w.now_ms;
            w.hook_ms_then[i] = w.hook_ms;
        }
        MUST(rc != AVITO_AGAIN || avito_list_open(&w.clients[i]) ||
             w.now_ms - w.began_ms[i] <= TOTAL_MS + w.hook_ms - w.hook_ms_then[i]);
        return;
    }
    if (rc == AVITO_AGAIN) { /* a hook of another lane has carried it on to its end */
        w.sending[i] = -1;
    }
    if (rc != AVITO_ERR_BUSY && rc != AVITO_ERR_IDLE && rc != AVITO_ERR_ARGUMENT) {
        ended(i, rc);
    }
    w.gives[i] = NOTHING; /* also where the call that was to give something has not begun */
}

static void check_world(void)
{
    for (unsigned i = 0; i < LANES; i++) {
        MUST(w.wires[i].connects - w.wires[i].closes == (w.wires[i].open ? 1u : 0u));
        MUST(avito_deadline_ms(&w.clients[i]) <= TOTAL_MS ||
             avito_deadline_ms(&w.clients[i]) == UINT32_MAX);
    }
    for (unsigned k = 0; k < ARENAS; k++) {
        bool used = false;
        for (unsigned i = 0; i < LANES; i++) {
            used = used || w.clients[i].priv.arena == &w.arenas[k];
        }
        MUST(w.arenas[k].busy == used);
        MUST(w.arenas[k].used <= w.arenas[k].cap);
    }
}

/* ---- what is done ---- */

static avito_client *lane(unsigned i)
{
    static avito_client zeroed;
    const unsigned odd = SEQUENCE_OLD ? 2 : draw(64);

    return odd == 0 ? NULL : odd == 1 ? memset(&zeroed, 0, sizeof zeroed) : &w.clients[i];
}

static int send_text(unsigned i, avito_client *c, avito_arena *arena, bool model)
{
    static char texts[64][40];
    const unsigned number = w.sends % 64u;
    int rc;

    if (w.sends >= 60 || c != &w.clients[i] || c->priv.call != NULL) {
        return avito_send_message(c, USER, "u2i-a", "a text that is not counted", arena,
                                  model ? &w.out[i].message : NULL);
    }
    (void)snprintf(texts[number], sizeof texts[number], "send number %u", number);
    w.sends++;
    w.sending[i] = (int)number;
    rc = avito_send_message(c, USER, "u2i-a", texts[number], arena,
                            model ? &w.out[i].message : NULL);
    if (rc == AVITO_ERR_BUSY || rc == AVITO_ERR_ARGUMENT) {
        w.sending[i] = -1;
    }
    return rc;
}

/* Sets what the call that begins now gives, if it begins. */
static void expect(unsigned i, const avito_client *c, enum model model)
{
#if SEQUENCE_OLD
    const bool inside = false;
#else
    const bool inside = c == &w.clients[i] && c->priv.inside; /* a hook of its own: it is refused */
#endif
    if (c == &w.clients[i] && c->priv.call == NULL && !inside) {
        w.gives[i] = model;
    }
}

static int read_something(unsigned i, avito_client *c, avito_arena *a)
{
    static const char *const ids[] = {"v1", "v2"};
    static const avito_chats_query all = {.all_pages = true, .want = AVITO_CHAT_USERS};
#if !SEQUENCE_OLD
    static const avito_messages_query raw = {.want = AVITO_MESSAGE_ALL | AVITO_RAW};
#else
    static const avito_messages_query raw;
#endif
    static const enum model models[14] = {[1] = CHATS, [2] = CHAT, [3] = MESSAGES};
    const unsigned what = draw(14);

    expect(i, c, models[what]);
    switch (what) {
        case 0:
            return avito_get_self(c, a, &w.out[i].self);
        case 1:
            return avito_get_chats(c, USER, draw(2) == 0 ? NULL : &all, a, &w.out[i].chats);
        case 2:
            return avito_get_chat(c, USER, "u2i-a", a, &w.out[i].chat);
        case 3:
            return avito_get_messages(c, USER, "u2i-a", draw(4) == 0 ? &raw : NULL, a,
                                      &w.out[i].messages);
        case 4:
            return avito_get_voice_files(c, USER, ids, 2, a, &w.out[i].voices);
        case 5:
            return avito_get_webhook_subscriptions(c, a, &w.out[i].subscriptions);
        case 6:
            return avito_get_token(c, draw(2) == 0 ? NULL : &w.out[i].token);
        case 7:
            return avito_list_chats(c, USER, draw(2) == 0 ? NULL : &all, a);
        case 8:
            return avito_list_messages(c, USER, "u2i-a", NULL, a);
        case 9:
            return avito_list_voice_files(c, USER, ids, 2, a);
        case 10:
            return avito_list_subscriptions(c, a);
        case 11:
            return avito_refresh_token(c, NULL);
        case 12:
            return avito_exchange_code(c, "code", NULL);
        default: {
            static const avito_sent_query q = {.text = "x", .age_s = 100};
            return avito_confirm_sent(c, USER, "u2i-a", &q, a, &w.outcome, &w.out[i].message);
        }
    }
}

static int change_something(unsigned i, avito_client *c, avito_arena *a)
{
    static const avito_image_source picture = {
        .read = read_image, .size = 1000, .progress = progress};
    static const avito_blacklist_user user = {9, 0, AVITO_REASON_SPAM};

    expect(i, c, NOTHING);
    switch (draw(9)) {
        case 0:
            expect(i, c, MESSAGE);
            return avito_send_image_message(c, USER, "u2i-a", "1.abc", a, &w.out[i].message);
        case 1:
            return avito_upload_image(c, USER, &picture, a, &w.out[i].image);
        case 2:
            return avito_mark_chat_as_read(c, USER, "u2i-a");
        case 3:
            return avito_delete_message(c, USER, "u2i-a", "m3");
        case 4:
            return avito_subscribe_webhook(c, "https://a/b");
        case 5:
            return avito_unsubscribe_webhook(c, "https://a/b");
        case 6:
            return avito_add_to_blacklist(c, USER, &user, 1);
        default:
            return send_text(i, c, a, draw(2) == 0);
    }
}

/* A row that came at once, or after waiting. */
static int row(unsigned i, int rc, enum model model)
{
    if (rc == AVITO_OK && w.depth == 0) {
        whole(i, model);
    }
    return rc;
}

static int go_on(unsigned i, avito_client *c)
{
    switch (draw(6)) {
        case 0:
            return row(i, avito_next_chat(c, &w.out[i].chat), CHAT);
        case 1:
            return row(i, avito_next_message(c, &w.out[i].message), MESSAGE);
        case 2:
            return avito_next_voice_file(c, &w.out[i].voice);
        case 3:
            return avito_next_subscription(c, &w.out[i].subscription);
        case 4:
            return avito_list_end(c, draw(256));
        default:
            return avito_step(c);
    }
}

static void cancel(unsigned i)
{
    avito_client *c = lane(i);
    const bool runs = c == &w.clients[i] && c->priv.call != NULL;

    (draw(4) == 0 ? avito_client_close : avito_cancel)(c);
    if (runs && w.depth == 0) {
        ended(i, AVITO_ERR_CANCELLED);
    }
}

static void use_inbox(void)
{
    const bool ours = w.clients[0].priv.call != NULL;

    if (!w.inbox_ready) {
        if (w.depth == 0) { /* not from a hook of an init that has begun: nothing could notice */
            begin_inbox();
        }
        return;
    }
    switch (draw(12)) {
        case 0:
            (void)avito_inbox_accept(&w.inbox);
            break;
        case 1:
            avito_inbox_doorbell(&w.inbox);
            break;
        case 2:
            (void)avito_inbox_events(&w.inbox);
            break;
        case 3:
            pass(avito_inbox_deadline_ms(&w.inbox) % 20000u);
            break;
        case 4:
            (void)avito_inbox_wants(&w.inbox);
            break;
        default:
            w.wires[0].work = w.depth == 0 ? 0 : w.wires[0].work;
            if (avito_inbox_next(&w.inbox, &w.inbox_message) == AVITO_OK) { /* and it is whole */
                MUST(strlen(w.inbox_message.id.ptr) == w.inbox_message.id.len);
                MUST(strlen(w.inbox_message.chat_id.ptr) == w.inbox_message.chat_id.len);
            }
            break;
    }
    if (!ours && w.depth == 0 && w.clients[0].priv.call == NULL) {
        w.in_call[0] = false;
    }
}

#if !SEQUENCE_OLD
/* A notification in an arena of any size, handed to the inbox. */
static void take_event(avito_arena *arena)
{
    avito_event e;
    size_t needed = 0;

    if (avito_webhook_event(&w.webhook, arena, &e, draw(2) == 0 ? &needed : NULL) == AVITO_OK &&
        e.message != NULL) {
        whole_message(e.message);
        if (w.inbox_ready) {
            (void)avito_inbox_offer(&w.inbox, e.message);
        }
    }
}
#endif

static void use_webhook(void)
{
    static const char request[] =
        "POST /secret-path-0123456789 HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\n"
        "{\"id\":\"m7\",\"chat_id\":\"u2i-a\",\"user_id\":350000001,\"type\":\"text\","
        "\"content\":{\"text\":\"hello\"}}";
    avito_webhook_options o = avito_webhook_options_default();
    size_t used, len;

    if (!w.webhook_ready) {
        o.path = "/secret-path-0123456789";
        o.buffer = w.hook_buffer;
        o.buffer_cap = sizeof w.hook_buffer;
#if !SEQUENCE_OLD
        o.verify = draw(2) == 0 ? verify : NULL;
#endif
        w.webhook_ready = avito_webhook_init(&w.webhook, &o, w.now_ms) == AVITO_OK;
        MUST(w.webhook_ready);
        return;
    }
    switch (draw(8)) {
#if !SEQUENCE_OLD
        case 5:
            take_event(&w.arenas[draw(ARENAS)]);
            break;
#endif
        case 6: /* all of it */
            (void)avito_webhook_receive(&w.webhook, request, sizeof request - 1, &used, w.now_ms);
            break;
        case 0:
            (void)avito_webhook_body(&w.webhook, &len);
            break;
        case 1:
            avito_webhook_done(&w.webhook, w.now_ms);
            break;
        case 2:
            (void)avito_webhook_output(&w.webhook, &len);
            break;
        case 3:
            avito_webhook_sent(&w.webhook, draw(100), w.now_ms);
            break;
        default: {
            const size_t at = draw((unsigned)sizeof request);
            (void)avito_webhook_receive(&w.webhook, request + at,
                                        sizeof request - 1 -
                                            (at < sizeof request - 1 ? at : sizeof request - 1),
                                        &used, w.now_ms);
            break;
        }
    }
}

static void split(void)
{
    char text[64];
    const char *rest = text;
    size_t n = draw(60), part;

    for (size_t i = 0; i < n; i++) {
        text[i] = (char)(1 + draw(255));
    }
    text[n] = '\0';
#if SEQUENCE_OLD
    part = avito_split_text(text);
#else
    part = avito_next_part(&rest);
#endif
    MUST(rest >= text && rest + part <= text + n);
}

/* A call that a hook has ended: its result is lost. */
static void forget_ended(void)
{
    for (unsigned k = 0; k < LANES; k++) {
        w.sending[k] = w.clients[k].priv.call != NULL ? w.sending[k] : -1;
        w.gives[k] = w.clients[k].priv.call != NULL ? w.gives[k] : NOTHING;
        w.in_call[k] = w.in_call[k] && w.clients[k].priv.call != NULL;
    }
}

/* Does up to `turns` things that the input chooses. */
static void act(unsigned turns)
{
    while (turns-- > 0 && input_left > 0) {
        const unsigned what = draw(32),
                       i = draw(2 * LANES) % (LANES + 1) % LANES; /* the inbox's lane most */
        avito_arena *arena = &w.arenas[draw(ARENAS)];
        int rc = AVITO_AGAIN;
        forget_ended();
        if (what < 7) {
            rc = read_something(i, lane(i), arena);
        } else if (what < 12) {
            rc = change_something(i, lane(i), arena);
        } else if (what < 20) {
            rc = go_on(i, lane(i));
        } else if (what < 22) {
            cancel(i);
            continue;
        } else if (what < 27) {
            use_inbox();
            continue;
        } else if (what == 27) {
            use_webhook();
            continue;
        } else if (what == 28) {
            pass(draw(256) * 20u);
            continue;
        } else if (what == 29) {
            split();
            continue;
        } else if (what == 30) {
            static const avito_sent_query q = {.baseline_created = 100};
            w.settles[i] = true; /* the chat never shows what was stored: then "no" is allowed */
            (void)avito_confirm_sends(lane(i), draw(2) == 0 ? &q : NULL);
#if !SEQUENCE_OLD
            (void)avito_account_open_gate(draw(2) == 0 ? &w.account : NULL);
#endif
            continue;
        } else {
            if (!arena->busy) {
                avito_arena_reset(arena);
            }
            continue;
        }
        if (w.depth == 0) {
            went(i, rc);
            check_world();
        }
    }
}

/* Every call ends by its deadline if time goes on. */
static void finish(void)
{
    forget_ended();
    for (unsigned i = 0; i < LANES; i++) {
        avito_client *c = &w.clients[i];
        const uint32_t began = w.now_ms;
        int rc = AVITO_AGAIN;
        (void)avito_list_end(c, 0);
        for (unsigned turns = 0; rc == AVITO_AGAIN && c->priv.call != NULL; turns++) {
            uint32_t ms = avito_deadline_ms(c);
            MUST(turns < 20000);
            w.now_ms += ms < 500 ? ms : 500;
            MUST(w.now_ms - began <=
                 8u * TOTAL_MS); /* for leaving a waiting list, and for another lane's token */
            w.wires[i].work = 0;
            rc = avito_step(c);
            if (rc == AVITO_ERR_IDLE) { /* a list's row, or the inbox's own call */
                avito_client_close(c);
            }
        }
        if (w.in_call[i]) {
            ended(i, rc);
        }
        avito_client_close(c);
        MUST(w.wires[i].connects == w.wires[i].closes);
    }
    check_world();
    for (unsigned k = 0; k < 64; k++) {
        MUST(w.stored[k] <= 1); /* also of sends that a hook has ended */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    input_left = size;
    begin_world();
    act(400);
    input_left = 0;
    finish();
    for (unsigned i = 0; i < LANES; i++) {
        free(w.windows[i]);
        free(w.error_bodies[i]);
    }
    for (unsigned i = 0; i < ARENAS; i++) {
        free(w.rooms[i]);
    }
    return 0;
}

#ifdef SEQUENCE_RANDOM
/* Without libFuzzer, for other sanitizers and old headers: `sequence FIRST COUNT` plays COUNT
 * inputs of 1,200 bytes, made from their numbers. In the header of 1e9c221 it finds the overflow at
 * once:
 *
 *     git show 1e9c221:avito_messenger.h >/tmp/old/avito_messenger.h
 *     clang -std=gnu99 -g -O1 -w -fsanitize=address -DSEQUENCE_OLD=1 -DSEQUENCE_RANDOM -iquote /tmp/old \
 *         -I/tmp/old -Itests/fuzz tests/fuzz/sequence.c -o /tmp/old/sequence && /tmp/old/sequence 16010 10
 */
int main(int count, char **words)
{
    const unsigned long first = count > 1 ? strtoul(words[1], NULL, 0) : 1;
    const unsigned long inputs = count > 2 ? strtoul(words[2], NULL, 0) : 1000;
    static uint8_t bytes[1200];

    for (unsigned long number = first; number < first + inputs; number++) {
        uint64_t x = number * 0x9E3779B97F4A7C15u + 1u;
        for (size_t i = 0; i < sizeof bytes; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            bytes[i] = (uint8_t)(x >> 24);
        }
        (void)LLVMFuzzerTestOneInput(bytes, sizeof bytes);
    }
    printf("%lu inputs\n", inputs);
    return 0;
}
#endif
