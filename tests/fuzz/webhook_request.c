/*
 * Any bytes as requests to the webhook receiver.
 *
 * What must hold: the outcome is the same however the bytes are split; nothing is written outside
 * the buffer; an error stays; an answer is whole; and http-parser, a widely used parser, reads
 * every notification that we hand out from the same bytes: we may only be stricter.
 * Rooms: WEBHOOK RECEIVER.
 */
#include "fuzz.h"

#include <http_parser.h>

#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

/* What one run shows, as a running hash, and where its requests begin. */
struct outcome {
    uint64_t hash;
    size_t used;
    int result;
};

struct run {
    avito_webhook w;
    struct outcome out;
    const uint8_t *data;
    size_t request_at; /* where the present request begins */
    bool check_parser;
};

static void note(struct outcome *out, const void *bytes, size_t len)
{
    const uint8_t *p = (const uint8_t *)bytes;

    for (size_t i = 0; i < len; i++) {
        out->hash = (out->hash ^ p[i]) * 0x100000001b3u;
    }
    out->hash = (out->hash ^ 0x100u) * 0x100000001b3u;
}

/* ---- the other reader ---- */

struct other {
    char body[4096];
    size_t len;
    bool complete;
    bool last_chunk;
};

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct other *o = (struct other *)parser->data;

    MUST(o->len + len <= sizeof o->body);
    memcpy(o->body + o->len, at, len);
    o->len += len;
    return 0;
}

static int on_chunk(http_parser *parser)
{
    ((struct other *)parser->data)->last_chunk = parser->content_length == 0;
    return 0;
}

static int on_complete(http_parser *parser)
{
    ((struct other *)parser->data)->complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

/* http-parser refuses a tab after a Content-Length, where RFC 9110 allows one: it gets a space
 * instead. */
static char *without_tabs(const uint8_t *request, size_t len)
{
    char *copy = (char *)fuzz_copy(request, len);
    size_t i = 0;

    while (i < len && (copy[i] == '\r' || copy[i] == '\n')) {
        i++; /* empty lines before the request */
    }
    for (; i + 4 <= len && memcmp(copy + i, "\r\n\r\n", 4) != 0; i++) {
        copy[i] = copy[i] == '\t' ? ' ' : copy[i];
    }
    return copy;
}

static void compare(const uint8_t *request, size_t request_len, const void *body, size_t len)
{
    char *copy = without_tabs(request, request_len);
    http_parser parser;
    http_parser_settings settings;
    struct other o = {.len = 0};

    http_parser_settings_init(&settings);
    settings.on_body = on_body;
    settings.on_chunk_header = on_chunk;
    settings.on_message_complete = on_complete;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &o;
    size_t n = http_parser_execute(&parser, &settings, copy, request_len);

    free(copy);
    /* It takes what follows an upgrade for another protocol, and a name that only begins like
     * Transfer-Encoding for that field. */
    if (parser.upgrade || HTTP_PARSER_ERRNO(&parser) == HPE_UNEXPECTED_CONTENT_LENGTH) {
        return;
    }
    /* It gives names in trailers a meaning, so a Content-Length there is an error to it. */
    MUST(o.complete || o.last_chunk);
    /* When paused, it counts the last byte of a body with a length as read, but not that of a
     * chunked one. */
    MUST(n == request_len || n + 1 == request_len || !o.complete);
    MUST(o.len == len && memcmp(o.body, body, len) == 0);
}

/* ---- ours ---- */

static int verify(void *ctx, const void *body, size_t len, avito_str signature)
{
    (void)ctx;
    MUST(signature.ptr == NULL || strlen(signature.ptr) == signature.len);
    return len > 0 && ((const char *)body)[0] == '!' ? AVITO_ERR_HOOK : AVITO_OK;
}

static void take_output(struct run *r)
{
    size_t len;
    const char *answer = avito_webhook_output(&r->w, &len);

    if (answer == NULL) {
        return;
    }
    MUST(len >= 17 && len <= sizeof r->w.priv.out);
    MUST(memcmp(answer, "HTTP/1.1 ", 9) == 0 && memcmp(answer + len - 4, "\r\n\r\n", 4) == 0);
    note(&r->out, answer, len);
    avito_webhook_sent(&r->w, len, 0);
}

static void take_event(struct run *r, size_t end)
{
    size_t len;
    const void *body = avito_webhook_body(&r->w, &len);
    avito_str signature = avito_webhook_signature(&r->w);

    MUST(body != NULL && len > 0);
    note(&r->out, body, len);
    note(&r->out, signature.ptr, signature.len);
    if (r->check_parser) {
        compare(r->data + r->request_at, end - r->request_at, body, len);
    }
    avito_webhook_done(&r->w, 0);
}

/* Gives data[from..to), copied to memory of its own so that reading past it is noticed. */
static bool feed(struct run *r, size_t from, size_t to)
{
    uint8_t *piece = (uint8_t *)fuzz_copy(r->data + from, to - from);
    size_t at = from;

    while (at < to && !avito_webhook_finished(&r->w)) {
        size_t used;
        r->out.result = avito_webhook_receive(&r->w, piece + (at - from), to - at, &used, 0);
        MUST(used <= to - at);
        at += used;
        take_output(r);
        if (r->out.result == AVITO_OK) {
            take_event(r, at);
        }
        if (r->w.priv.state == AVITOI_WEBHOOK_START && r->w.priv.head_len == 0) {
            r->request_at = at;
        }
        MUST(used > 0);
    }
    r->out.used = at;
    free(piece);
    return !avito_webhook_finished(&r->w);
}

/* `cuts`: 0 gives everything at once, else pieces whose lengths come from this seed. */
static struct outcome run(const uint8_t *data, size_t size, size_t room, uint32_t cuts)
{
    struct run r;
    avito_webhook_options o = avito_webhook_options_default();
    size_t at = 0, used;

    memset(&r, 0, sizeof r);
    r.data = data;
    r.check_parser = cuts == 0;
    o.path = "/h";
    o.buffer_cap = AVITO_WEBHOOK_SIZE(room);
    o.buffer = fuzz_memory(o.buffer_cap);
    o.verify = verify;
    MUST(avito_webhook_init(&r.w, &o, 0) == AVITO_OK);
    while (at < size) {
        size_t n = fuzz_piece(&cuts, size - at);
        if (!feed(&r, at, at + n)) {
            break;
        }
        at += n;
    }
    if (r.out.result < 0) {
        MUST(avito_webhook_receive(&r.w, "x", 1, &used, 0) == r.out.result && used == 0);
        MUST(avito_webhook_finished(&r.w));
    } else {
        r.out.result = 0; /* OK and AGAIN alternate with the splits */
    }
    note(&r.out, &r.w.priv.status, sizeof r.w.priv.status);
    free(o.buffer);
    return r.out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    size_t room = 1u + data[0] * 4u;
    struct outcome whole = run(data + 2, size - 2, room, 0);
    struct outcome cut = run(data + 2, size - 2, room, 1u + data[1]);

    MUST(whole.hash == cut.hash && whole.result == cut.result);
    MUST(whole.used == cut.used ||
         whole.result == AVITO_ERR_ROOM); /* a piece is taken as a whole */
    return 0;
}
