/*
 * Any bytes as answers of the server, through a whole client.
 *
 *     input: which call, size of the window (and, by 16, all pages of a list read whole), size of the arena
 *            (2 bytes), how the bytes are cut, flags; then the answers, one per request, with ff ff between
 *
 * What must hold: nothing outside window, arena and token buffer is touched; every call ends within
 * a number of steps; the same bytes give the same result, model and error however they are cut;
 * each connect has one close; a call that fails leaves the arena as it was, and no call leaves it
 * busy; the size that a call asks for is enough.
 * Rooms: RESPONSE HEAD, ANSWERS.
 */
#include "avito_messenger.h"
#include "fuzz.h"
#include "support/clock.h"
#include "support/dump.h"

#define USER   367114205
#define TOKENS AVITO_TOKENS_SIZE(40)

enum {
    FLAG_CLOSES = 1,   /* the server closes after each answer */
    FLAG_BREAKS = 2,   /* or the connection breaks there */
    FLAG_RETRIES = 4,  /* two retries */
    FLAG_NO_TOKEN = 8, /* the first answer is one to a token request */
    FLAG_REFRESH = 16, /* which is by a refresh token */
    FLAG_EARLY = 32,   /* answers do not wait for requests: only safety is checked */
    FLAG_CUT = 64,     /* texts are cut */
    FLAG_STOP = 128    /* lists are left at their second element */
};

struct control {
    uint8_t call;
    size_t window, room;
    uint32_t cuts;
    uint8_t flags;
    bool pages;
};

/* ---- the server and the wire ---- */

struct wire {
    struct clock clock;
    const struct control *control;
    const uint8_t *at, *end, *stop; /* answers not given yet; the end of this one */
    bool open, connected, broken, said_again;
    bool loaded; /* the account knows the stored token */
    uint32_t cuts;
    size_t connects, closes, calls, moved;
    uint32_t tail;       /* the last four bytes of a request's head */
    size_t head, left;   /* bytes of it; of the body still to come */
    bool in_body, whole; /* the request has come whole */
    bool gone;           /* the server has closed after an answer: it takes no other request */
    char line[512];      /* the head's last line */
};

/* The next answer begins here. */
static void next_answer(struct wire *w)
{
    w->at = w->stop;
    if (w->at != NULL && w->end - w->at >= 2 && w->at[0] == 0xff && w->at[1] == 0xff) {
        w->at += 2;
    }
    w->stop = w->at;
    while (w->stop < w->end &&
           !(w->end - w->stop >= 2 && w->stop[0] == 0xff && w->stop[1] == 0xff)) {
        w->stop++;
    }
}

static int wire_connect(void *ctx, const avito_server *to)
{
    struct wire *w = ctx;

    w->calls++;
    MUST(!w->connected && to->host != NULL);
    w->connects += w->open ? 0 : 1;
    w->open = true;
    if (w->cuts != 0 && !w->said_again) {
        w->said_again = true;
        return AVITO_AGAIN;
    }
    w->said_again = false;
    w->connected = true;
    w->broken = w->in_body = w->whole = w->gone = false;
    w->head = w->left = 0;
    return AVITO_OK;
}

/* One byte of a request. */
static void take(struct wire *w, char c)
{
    if (w->whole) { /* the first byte of another request */
        w->whole = false;
        w->head = 0;
    }
    if (w->in_body) {
        w->left--;
    } else {
        size_t n = w->head < sizeof w->line - 1 ? w->head : sizeof w->line - 1;
        w->line[n] = c;
        w->line[n + 1] = '\0';
        w->head++;
        if (c == '\n') {
            static const char name[] = "Content-Length: ";
            w->left = strncmp(w->line, name, strlen(name)) == 0
                          ? (size_t)strtoul(w->line + strlen(name), NULL, 10)
                          : w->left;
            w->in_body = w->head == 2;
            w->head = 0;
        }
    }
    if (w->in_body && w->left == 0) {
        w->in_body = false;
        w->whole = true;
        if (!w->gone) {
            next_answer(w);
        }
    }
}

static long wire_send(void *ctx, const void *data, size_t len, int more)
{
    struct wire *w = ctx;
    size_t n = fuzz_piece(&w->cuts, len);

    w->calls++;
    MUST(w->connected && !w->broken && len > 0);
    (void)more;
    if (w->cuts != 0 && !w->said_again) {
        w->said_again = true;
        return AVITO_IO_AGAIN;
    }
    w->said_again = false;
    for (size_t i = 0; i < n; i++) {
        take(w, ((const char *)data)[i]);
    }
    w->moved += n;
    return (long)n;
}

static long wire_recv(void *ctx, void *data, size_t cap)
{
    struct wire *w = ctx;
    size_t n;

    w->calls++;
    MUST(w->connected && !w->broken && cap > 0);
    if (!w->whole && (w->control->flags & FLAG_EARLY) == 0) {
        return AVITO_IO_AGAIN;
    }
    if (w->at == w->stop) {
        w->broken = (w->control->flags & (FLAG_CLOSES | FLAG_BREAKS)) != 0;
        return (w->control->flags & FLAG_CLOSES) != 0   ? AVITO_IO_CLOSED
               : (w->control->flags & FLAG_BREAKS) != 0 ? AVITO_ERR_RECV
                                                        : AVITO_IO_AGAIN;
    }
    if (w->cuts != 0 && !w->said_again) {
        w->said_again = true;
        return AVITO_IO_AGAIN;
    }
    w->said_again = false;
    n = fuzz_piece(&w->cuts, (size_t)(w->stop - w->at));
    n = n < cap ? n : cap;
    memcpy(data, w->at, n);
    w->at += n;
    w->moved += n;
    w->gone = w->at == w->stop && (w->control->flags & (FLAG_CLOSES | FLAG_BREAKS)) != 0;
    return (long)n;
}

static int wire_wants(void *ctx)
{
    return ((struct wire *)ctx)->connected ? AVITO_WANT_READ : AVITO_WANT_WRITE;
}

static void wire_close(void *ctx)
{
    struct wire *w = ctx;

    MUST(w->open);
    w->closes++;
    w->open = w->connected = false;
    w->said_again = false;
}

static const avito_transport_functions wire_functions = {
    wire_connect, wire_send, wire_recv, wire_wants, NULL, wire_close, NULL, NULL,
};

/* ---- a lane ---- */

struct lane {
    struct wire wire;
    avito_account account;
    avito_client client;
    avito_arena arena;
    char *tokens, *window, *room, *body;
    struct text text; /* everything that the caller gets */
    size_t steps;
};

static int load_token(void *ctx, avito_token *token)
{
    struct wire *w = ctx;

    memset(token, 0, sizeof *token);
    if ((w->control->flags & FLAG_NO_TOKEN) == 0) {
        w->loaded = true;
        token->access_token.ptr = "stored-token";
        token->access_token.len = 12;
        token->expires_in = 86400;
    } else if ((w->control->flags & FLAG_REFRESH) != 0) {
        token->refresh_token.ptr = "stored-refresh";
        token->refresh_token.len = 14;
    } else {
        return AVITO_END;
    }
    return AVITO_OK;
}

static void lane_init(struct lane *l, const struct control *control, const uint8_t *data,
                      size_t len, uint32_t cuts)
{
    avito_account_options account = avito_account_options_default();
    avito_client_options client = avito_client_options_default();

    memset(l, 0, sizeof *l);
    clock_init(&l->wire.clock);
    l->wire.control = control;
    l->wire.stop = data;
    l->wire.end = data + len;
    l->wire.cuts = cuts;
    l->tokens = fuzz_memory(TOKENS);
    l->window = fuzz_memory(control->window);
    l->room = fuzz_memory(control->room);
    l->body = fuzz_memory(100);
    l->arena = avito_arena_of(l->room, control->room);
    if ((control->flags & FLAG_EARLY) != 0) {
        next_answer(&l->wire);
    }
    text_clear(&l->text);
    account.client_id = "an-id";
    account.client_secret = "a-secret";
    account.tokens = l->tokens;
    account.tokens_cap = TOKENS;
    account.ctx = &l->wire;
    account.clock_ms = clock_ms; /* ctx is the wire, and begins with the clock */
    account.unix_time = clock_unix_time;
    account.entropy = clock_entropy;
    account.load_token = load_token;
    client.transport.functions = &wire_functions;
    client.transport.ctx = &l->wire;
    client.window = l->window;
    client.window_cap = control->window;
    client.error_body = l->body;
    client.error_body_cap = 100;
    client.retries = (control->flags & FLAG_RETRIES) != 0 ? 2 : 0;
    avito_enable_token_store(&account);
    avito_enable_diagnostics(&account);
    avito_enable_retries(&client);
    avito_enable_sent(&client);
    avito_enable_pages(&client);
    MUST(avito_account_init(&l->account, &account) == AVITO_OK);
    MUST(avito_client_init(&l->client, &l->account, &client) == AVITO_OK);
}

static void lane_free(struct lane *l)
{
    avito_client_close(&l->client);
    MUST(l->wire.connects == l->wire.closes && !l->wire.open);
    free(l->tokens);
    free(l->window);
    free(l->room);
    free(l->body);
    text_free(&l->text);
}

/* Steps until there is a result. Time passes only when nothing moves. */
static int drive(struct lane *l, int rc)
{
    while (rc == AVITO_AGAIN) {
        const size_t calls = l->wire.calls, moved = l->wire.moved;
        const bool said_again = l->wire.said_again;
        uint32_t ms = avito_deadline_ms(&l->client);

        MUST(avito_wants(&l->client) != 0 && ms != UINT32_MAX);
        MUST(++l->steps < 4096 + 4 * l->wire.moved && l->wire.calls < 4096 + 8 * l->wire.moved);
        rc = avito_step(&l->client);
        if (rc == AVITO_AGAIN && l->wire.moved == moved && !(l->wire.said_again && !said_again) &&
            (l->wire.calls == calls || !l->wire.said_again)) {
            clock_advance(&l->wire.clock, ms != 0 ? ms : 1);
        }
    }
    return rc;
}

static void note_result(struct lane *l, int rc)
{
    const avito_error *e = avito_last_error(&l->client);

    text_add(&l->text,
             "result %d: code %d, status %d, api %d, outcome %d, after %u, needed %zu, \"%s\"\n",
             rc, e->code, e->http_status, e->api_code, (int)e->outcome, (unsigned)e->retry_after_s,
             e->needed, e->text);
    MUST(memchr(e->text, '\0', sizeof e->text) != NULL);
    MUST(strstr(e->text, "a-secret") == NULL);
    MUST(!l->wire.loaded || strstr(e->text, "stored-token") == NULL);
}

/* ---- the calls ---- */

union model {
    avito_self self;
    avito_chats chats;
    avito_chat chat;
    avito_messages messages;
    avito_message message;
    avito_subscriptions subscriptions;
    avito_subscription subscription;
    avito_voice_files voices;
    avito_voice_file voice;
    avito_uploaded_image image;
    avito_token token;
};

static const char *const voices[] = {"5f1c0d7e-22ab-4c55-8f00-9d1e6b7a3c11"};

enum { CALLS = 21 };

/* Begins the call that the input chooses. */
static int start(struct lane *l, union model *m)
{
    avito_client *c = &l->client;
    const uint8_t flags = l->wire.control->flags;
    const unsigned call = l->wire.control->call % CALLS;
    const bool whole = l->wire.control->pages;
    avito_chats_query chats = {.all_pages = call == 6 || (call == 1 && whole)};
    avito_messages_query messages = {.all_pages = call == 8 || (call == 3 && whole)};
    avito_image_source image = {.data = "not a picture", .size = 13};
    static const avito_blacklist_user user = {.user_id = 1, .reason = AVITO_REASON_SPAM};

    chats.limit = messages.limit = 2;
    chats.cut_text_at = messages.cut_text_at = (flags & FLAG_CUT) != 0 ? 9 : 0;
    switch (call) {
        case 0:
            return avito_get_self(c, &l->arena, &m->self);
        case 1:
            return avito_get_chats(c, USER, &chats, &l->arena, &m->chats);
        case 2:
            return avito_get_chat(c, USER, "u2i-a", &l->arena, &m->chat);
        case 3:
            return avito_get_messages(c, USER, "u2i-a", &messages, &l->arena, &m->messages);
        case 4:
            return avito_get_webhook_subscriptions(c, &l->arena, &m->subscriptions);
        case 5:
        case 6:
            return avito_list_chats(c, USER, &chats, &l->arena);
        case 7:
        case 8:
            return avito_list_messages(c, USER, "u2i-a", &messages, &l->arena);
        case 9:
            return avito_send_message(c, USER, "u2i-a", "text", &l->arena, &m->message);
        case 10:
            return avito_list_subscriptions(c, &l->arena);
        case 11:
            return avito_get_voice_files(c, USER, voices, 1, &l->arena, &m->voices);
        case 12:
            return avito_list_voice_files(c, USER, voices, 1, &l->arena);
        case 13:
            return avito_get_token(c, &m->token);
        case 14:
            return avito_exchange_code(c, "code", &m->token);
        case 15:
            return avito_upload_image(c, USER, &image, &l->arena, &m->image);
        case 17:
            return avito_mark_chat_as_read(c, USER, "u2i-a");
        case 18:
            return avito_subscribe_webhook(c, "https://example.org/h");
        case 19:
            return avito_add_to_blacklist(c, USER, &user, 1);
        default:
            return avito_refresh_token(c, &m->token);
    }
}

static void show(struct text *out, unsigned call, const union model *m)
{
    switch (call) {
        case 0:
            dump_self(out, "self", &m->self);
            break;
        case 1:
            dump_chats(out, "chats", &m->chats);
            break;
        case 2:
            dump_chat(out, "chat", &m->chat);
            break;
        case 3:
            dump_messages(out, "messages", &m->messages);
            break;
        case 4:
            dump_subscriptions(out, "subscriptions", &m->subscriptions);
            break;
        case 9:
            dump_message(out, "message", &m->message);
            break;
        case 11:
            dump_voice_files(out, "voices", &m->voices);
            break;
        case 13:
        case 14:
        case 20:
            dump_token(out, "token", &m->token);
            break;
        case 15:
            dump_uploaded_image(out, "upload", &m->image);
            break;
        default: /* these say only whether they succeeded */
            break;
    }
}

/* Reads the next element of the list, and shows it. */
static int next(struct lane *l, union model *m, bool *shown)
{
    avito_client *c = &l->client;
    const unsigned call = l->wire.control->call % CALLS;
    int rc;

    memset(m, 0x5a, sizeof *m);
    rc = drive(l, call <= 6    ? avito_next_chat(c, &m->chat)
                  : call <= 8  ? avito_next_message(c, &m->message)
                  : call == 10 ? avito_next_subscription(c, &m->subscription)
                               : avito_next_voice_file(c, &m->voice));
    *shown = rc == AVITO_OK;
    if (rc == AVITO_OK && call <= 6) {
        dump_chat(&l->text, "chat", &m->chat);
    } else if (rc == AVITO_OK && call <= 8) {
        dump_message(&l->text, "message", &m->message);
    } else if (rc == AVITO_OK && call == 10) {
        dump_subscription(&l->text, "subscription", &m->subscription);
    } else if (rc == AVITO_OK) {
        dump_voice_file(&l->text, "voice", &m->voice);
    }
    return rc;
}

/* From the first element to the end, or until it is left. */
static void read_list(struct lane *l)
{
    union model m;
    size_t count = 0;
    bool shown = true;

    while (avito_list_open(&l->client)) {
        if ((l->wire.control->flags & FLAG_STOP) != 0 && count == 2) {
            const int rc = drive(l, avito_list_end(&l->client, 64));
            MUST(rc == AVITO_OK && !avito_list_open(&l->client));
            break;
        }
        int rc = next(l, &m, &shown);
        note_result(l, rc);
        MUST(rc != AVITO_OK || shown);
        MUST(rc == AVITO_OK || rc == AVITO_ERR_ARENA || rc == AVITO_ERR_MODEL ||
             rc == AVITO_ERR_DUPLICATE || !avito_list_open(&l->client));
        MUST(++count <= (size_t)(l->wire.end - l->wire.at) + 8192);
    }
}

/* avito_confirm_sent(), which reads messages itself. */
static int confirm(struct lane *l, union model *m)
{
    avito_sent_query query = {
        .text = "text", .baseline_id = "m-0", .baseline_created = 1, .age_s = 100};
    avito_outcome outcome = AVITO_SENT;
    int rc;

    memset(m, 0, sizeof *m);
    rc = drive(
        l, avito_confirm_sent(&l->client, USER, "u2i-a", &query, &l->arena, &outcome, &m->message));
    text_add(&l->text, "outcome %d\n", (int)outcome);
    if (rc == AVITO_OK && outcome == AVITO_SENT) {
        dump_message(&l->text, "message", &m->message);
    }
    MUST(rc == AVITO_OK || outcome == AVITO_CANNOT_TELL);
    return rc;
}

/* One call on a new lane, to its end, with what must hold after any call. */
static int play(struct lane *l, const struct control *control, const uint8_t *data, size_t len,
                uint32_t cuts)
{
    const unsigned call = control->call % CALLS;
    union model m;
    int rc;

    lane_init(l, control, data, len, cuts);
    memset(&m, 0x5a, sizeof m);
    rc = call == 16 ? confirm(l, &m) : drive(l, start(l, &m));
    note_result(l, rc);
    if (rc == AVITO_OK && avito_list_open(&l->client)) {
        MUST(l->arena.busy);
        read_list(l);
    } else if (rc == AVITO_OK) {
        show(&l->text, call, &m);
    } else {
        MUST(rc != AVITO_END && l->arena.used == 0);
    }
    text_add(&l->text, "body \"%s\"\n", avito_last_error(&l->client)->code < 0 ? l->body : "");
    MUST(!l->arena.busy && l->arena.used <= l->arena.cap && l->arena.peak <= l->arena.cap);
    MUST(avito_step(&l->client) == AVITO_ERR_IDLE && avito_wants(&l->client) == 0);
    return rc;
}

/* The same with as much memory as the error asked for. */
static void play_with(size_t needed, const struct control *control, const uint8_t *data, size_t len)
{
    struct control larger = *control;
    struct lane l;

    MUST(needed > control->room);
    larger.room = needed;
    MUST(play(&l, &larger, data, len, 0) != AVITO_ERR_ARENA);
    lane_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control control;
    struct lane whole, cut;

    if (size < 6) {
        return 0;
    }
    control.call = data[0];
    control.window = AVITO_WINDOW_MIN + 37u * (data[1] & 15u);
    control.room = data[2] + 256u * (data[3] & 63u);
    control.flags = data[5];
    control.pages = (data[1] & 16) != 0;
    uint8_t *bytes = fuzz_copy(data + 6, size - 6);
    if (play(&whole, &control, bytes, size - 6, 0) == AVITO_ERR_ARENA &&
        (control.flags & FLAG_EARLY) == 0) {
        play_with(avito_last_error(&whole.client)->needed, &control, bytes, size - 6);
    }
    (void)play(&cut, &control, bytes, size - 6, 1u + data[4]);
    if ((control.flags & FLAG_EARLY) == 0 && strcmp(whole.text.data, cut.text.data) != 0) {
        fprintf(stderr, "at once:\n%s\nin pieces:\n%s\n", whole.text.data, cut.text.data);
        abort();
    }
    lane_free(&whole);
    lane_free(&cut);
    free(bytes);
    return 0;
}
