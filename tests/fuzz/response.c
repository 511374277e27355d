/*
 * Any bytes as what a server sends, through a whole call on a lane.
 *
 * The first byte chooses the call, the second how the rest arrives. What must hold: the same result,
 * error and model however the bytes arrive and however large the window is; one close per connect;
 * an end; and nothing outside of the memory given.
 */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include "fuzz/fuzz.h"
#include "support/dump.h"

/* ---- a server that sends the input, whatever it is asked ---- */

struct server {
    const uint8_t *data;
    size_t size, at;
    uint32_t seed; /* 0: all at once */
    bool open, again, cut;
    uint32_t now;
};

static int on_connect(void *ctx, const avito_server *to)
{
    struct server *s = ctx;

    MUST(!s->open && to->port == 443);
    s->open = true;
    return AVITO_OK;
}

static long on_send(void *ctx, const void *data, size_t len, int more)
{
    struct server *s = ctx;

    (void)data;
    (void)more;
    MUST(s->open && len > 0);
    return (long)len;
}

static long on_recv(void *ctx, void *data, size_t cap)
{
    struct server *s = ctx;
    size_t n = s->size - s->at;

    MUST(s->open && cap > 0);
    s->again = s->seed != 0 && !s->again;
    if (s->again) {
        return AVITO_IO_AGAIN;
    }
    if (n == 0) {
        return s->cut ? (long)AVITO_ERR_RECV : AVITO_IO_CLOSED;
    }
    if (s->seed != 0) {
        size_t piece = 1 + fuzz_next(&s->seed) % (s->seed % 4 == 0 ? 2u : 90u);
        n = n < piece ? n : piece;
    }
    n = n < cap ? n : cap;
    memcpy(data, s->data + s->at, n);
    s->at += n;
    return (long)n;
}

static int on_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void on_close(void *ctx)
{
    struct server *s = ctx;

    MUST(s->open);
    s->open = false;
}

static uint32_t on_clock(void *ctx)
{
    struct server *s = ctx;

    return s->now;
}

static int on_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 0x11, len);
    return AVITO_OK;
}

static int on_load(void *ctx, avito_token *token)
{
    (void)ctx;
    token->access_token.ptr = "stored-token-of-the-fuzz-target";
    token->access_token.len = 31;
    return AVITO_OK;
}

/* ---- one run ---- */

enum { SELF, CHATS, MESSAGES, SEND, CONFIRM_SEND, TOKEN, UPLOAD, LIST, VOICES, READ, CALLS };

static const avito_transport_functions functions = {on_connect, on_send, on_recv, on_wants,
                                                    NULL,       on_close, NULL};

struct run {
    struct server server;
    avito_account account;
    avito_client client;
    avito_arena arena;
    struct text out;
    union {
        avito_self self;
        avito_chats chats;
        avito_messages messages;
        avito_message message;
        avito_token token;
        avito_uploaded_image image;
        avito_voice_files voices;
    } m;
};

static int finish(struct run *r, int rc)
{
    for (unsigned steps = 0; rc == AVITO_AGAIN; steps++) {
        MUST(steps < 1000000 && avito_wants(&r->client) != 0);
        rc = avito_step(&r->client);
    }
    return rc;
}

static int call(struct run *r, unsigned which)
{
    static const avito_image_source source = {"0123456789", NULL, NULL, 10, NULL, NULL, NULL};
    static const char *const ids[] = {"v"};

    switch (which) {
        case SELF:
            return avito_get_self(&r->client, &r->arena, &r->m.self);
        case CHATS:
            return avito_get_chats(&r->client, 1, NULL, &r->arena, &r->m.chats);
        case MESSAGES:
            return avito_get_messages(&r->client, 1, "c", NULL, &r->arena, &r->m.messages);
        case SEND:
            return avito_send_message(&r->client, 1, "c", "text", &r->arena, &r->m.message);
        case CONFIRM_SEND:
            return avito_send_message(&r->client, 1, "c", "text", NULL, NULL);
        case TOKEN:
            return avito_get_token(&r->client, &r->m.token);
        case UPLOAD:
            return avito_upload_image(&r->client, 1, &source, &r->arena, &r->m.image);
        case LIST:
            return avito_list_messages(&r->client, 1, "c", NULL, &r->arena);
        case VOICES:
            return avito_get_voice_files(&r->client, 1, ids, 1, &r->arena, &r->m.voices);
        default:
            return avito_mark_chat_as_read(&r->client, 1, "c");
    }
}

static void show(struct run *r, unsigned which)
{
    switch (which) {
        case SELF:
            dump_self(&r->out, "x", &r->m.self);
            break;
        case CHATS:
            dump_chats(&r->out, "x", &r->m.chats);
            break;
        case MESSAGES:
            dump_messages(&r->out, "x", &r->m.messages);
            break;
        case SEND:
            dump_message(&r->out, "x", &r->m.message);
            break;
        case TOKEN:
            dump_token(&r->out, "x", &r->m.token);
            break;
        case UPLOAD:
            dump_uploaded_image(&r->out, "x", &r->m.image);
            break;
        case VOICES:
            dump_voice_files(&r->out, "x", &r->m.voices);
            break;
        default:
            break;
    }
}

static int rows(struct run *r)
{
    int rc = AVITO_OK;

    while (avito_list_open(&r->client)) {
        rc = finish(r, avito_next_message(&r->client, &r->m.message));
        text_add(&r->out, "row %d %s\n", rc, avito_last_error(&r->client)->text);
        if (rc == AVITO_OK) {
            dump_message(&r->out, "x", &r->m.message);
        }
    }
    return rc;
}

static void run(struct run *r, const uint8_t *data, size_t size, unsigned which, uint32_t seed,
                size_t window_cap, bool cut)
{
    avito_account_options ao = avito_account_options_default();
    avito_client_options co = avito_client_options_default();
    char *window = malloc(window_cap), *tokens = malloc(AVITO_TOKENS_SIZE(600));
    char *room = malloc(40000), error_body[200];
    const avito_error *e;
    int rc;

    memset(r, 0, offsetof(struct run, out));
    text_clear(&r->out);
    r->server.data = data;
    r->server.size = size;
    r->server.seed = seed;
    r->server.cut = cut;
    r->arena = avito_arena_of(room, 40000);
    ao.client_id = "id";
    ao.client_secret = "secret-of-the-fuzz-target";
    ao.tokens = tokens;
    ao.tokens_cap = AVITO_TOKENS_SIZE(600);
    ao.ctx = &r->server;
    ao.clock_ms = on_clock;
    ao.entropy = on_entropy;
    ao.load_token = on_load;
    co.transport.functions = &functions;
    co.transport.ctx = &r->server;
    co.window = window;
    co.window_cap = window_cap;
    co.error_body = error_body;
    co.error_body_cap = sizeof error_body;
    MUST(avito_account_init(&r->account, &ao) == AVITO_OK);
    MUST(avito_client_init(&r->client, &r->account, &co) == AVITO_OK);
    rc = finish(r, call(r, which));
    if (which == LIST && rc == AVITO_OK) {
        rc = rows(r);
    } else if (rc == AVITO_OK) {
        show(r, which);
    }
    e = avito_last_error(&r->client);
    MUST(!r->arena.busy && e->code == (rc == AVITO_END ? AVITO_OK : rc));
    text_add(&r->out, "%d %d %d %d %u %zu %s|%s\n", rc, e->http_status, e->api_code, (int)e->outcome,
             (unsigned)e->retry_after_s, e->needed, e->text, error_body);
    MUST(rc >= 0 || !r->server.open);
    avito_client_close(&r->client);
    MUST(!r->server.open);
    free(window);
    free(tokens);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run a, b;
    static const size_t windows[] = {512, 513, 600, 4096};

    if (size < 3) {
        return 0;
    }
    run(&a, data + 2, size - 2, data[0] % CALLS, 0, 8192, (data[1] & 1) != 0);
    run(&b, data + 2, size - 2, data[0] % CALLS, data[1] * 2654435761u | 1u, windows[data[1] >> 1 & 3],
        (data[1] & 1) != 0);
    MUST(strcmp(a.out.data, b.out.data) == 0);
    return 0;
}
