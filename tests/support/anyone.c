#include "support/anyone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const bodies[][3] = {
    /* method, part of the target, body */
    {"POST /token", "", "{\"access_token\":\"anyone-token-0123456789\",\"expires_in\":86400}"},
    {"GET", "/self", "{\"id\":350000001,\"name\":\"a\",\"phones\":[\"1\",\"2\"]}"},
    {"GET", "/chats?",
     "{\"chats\":[{\"id\":\"u2i-a\",\"created\":5,\"updated\":1754890009,\"users\":[{\"id\":1,"
     "\"name\":"
     "\"b\"}],\"last_message\":{\"id\":\"m3\",\"created\":1754890009,\"direction\":\"in\",\"author_"
     "id\":7,"
     "\"type\":\"text\",\"content\":{\"text\":\"hi\"}}},{\"id\":\"u2i-b\",\"updated\":1754890008}],"
     "\"meta\":{\"has_more\":false}}"},
    {"GET", "/messages/",
     "{\"messages\":[{\"id\":\"m3\",\"created\":1754890009,\"direction\":\"in\",\"author_id\":7,"
     "\"type\":\"text\",\"content\":{\"text\":\"hi\"}},{\"id\":\"m2\",\"created\":1754890005,"
     "\"direction\":\"in\",\"author_id\":7,\"type\":\"text\",\"content\":{\"text\":\"ho\"}}]}"},
    {"GET", "/getVoiceFiles", "{\"voices_urls\":{\"v1\":\"https://v/1\",\"v2\":\"https://v/2\"}}"},
    {"POST", "/subscriptions", "{\"subscriptions\":[{\"url\":\"https://s/1\",\"version\":\"3\"}]}"},
    {"POST", "/uploadImages", "{\"1.abc\":{\"1x1\":\"https://a\"}}"},
    {"POST", "/messages",
     "{\"id\":\"new\",\"created\":1754890010,\"type\":\"text\",\"direction\":\"out\",\"content\":"
     "{\"text\":\"x\"}}"},
    {"GET", "/chats/", "{\"id\":\"u2i-a\",\"created\":5,\"updated\":6}"},
};

const char *anyone_body_for(const char *request)
{
    const char *end = strstr(request, " HTTP/");
    size_t i;

    for (i = 0; end != NULL && i < sizeof bodies / sizeof *bodies; i++) {
        const char *part = strstr(request, bodies[i][1]);
        if (strncmp(request, bodies[i][0], strlen(bodies[i][0])) == 0 && part != NULL &&
            part < end &&
            (strcmp(bodies[i][1], "/messages") != 0 || part + 9 == end ||
             strncmp(part, "/messages/image", 15) == 0)) {
            return bodies[i][2];
        }
    }
    return "{\"ok\":true}";
}

static void hook(struct anyone *p, const char *where)
{
    if (p->hook != NULL) {
        p->hook(p->hook_ctx, where);
    }
}

void anyone_init(struct anyone *peer)
{
    memset(peer, 0, sizeof *peer);
    peer->now_ms = peer->began_ms = UINT32_MAX - 5000u; /* it wraps soon */
    peer->unix_s = 1754890000;
    peer->slow_ms = 1000;
}

void anyone_spend(struct anyone *peer)
{
    peer->spent_us += peer->cost_us;
    peer->now_ms += peer->spent_us / 1000u;
    peer->spent_us %= 1000u;
}

/* ---- the service ---- */

/* The bytes of a list's answer before its first row; 0: `text` is no list. */
static int opening(struct anyone *p, const char *text)
{
    const char *list = strchr(text, '[');
    const char *pairs = strstr(text, "_urls\":{");

    p->of_pairs = pairs != NULL;
    return (int)(pairs != NULL ? pairs + 8 - text : list != NULL ? list + 1 - text : 0);
}

/* Answers when the request is whole. */
static void serve(struct anyone *p)
{
    const char *head = strstr(p->request, "\r\n\r\n");
    const char *length = strstr(p->request, "Content-Length: ");
    const size_t body = length != NULL && length < head ? strtoul(length + 16, NULL, 10) : 0;
    const char *text;
    int n;

    if (head == NULL || (size_t)(p->request + p->request_len - head - 4) + p->dropped < body) {
        return;
    }
    text = anyone_body_for(p->request);
    n = snprintf(p->answer, sizeof p->answer,
                 "HTTP/1.1 200 OK\r\nDate: Mon, 11 Aug 2025 12:00:00 GMT\r\nContent-Type: "
                 "application/json\r\n");
    switch (p->habit) {
        case ANYONE_ENDLESS_HEAD:
            break;
        case ANYONE_ENDLESS_CHUNKS:
            n += snprintf(p->answer + n, sizeof p->answer - (size_t)n,
                          "Transfer-Encoding: chunked\r\n\r\n");
            break;
        case ANYONE_ENDLESS_BODY:
            n += snprintf(p->answer + n, sizeof p->answer - (size_t)n,
                          "Content-Length: 4000000000\r\n\r\n");
            break;
        case ANYONE_ENDLESS_LIST:
            n += snprintf(p->answer + n, sizeof p->answer - (size_t)n,
                          "Content-Length: 4000000000\r\n\r\n%.*s", opening(p, text), text);
            break;
        default:
            n += snprintf(p->answer + n, sizeof p->answer - (size_t)n,
                          "Content-Length: %u\r\n\r\n%s", (unsigned)strlen(text), text);
            break;
    }
    p->answer_len = (size_t)n;
    p->body_at = p->answer_len - strlen(text);
    p->answer_at = 0;
    p->request_len = p->dropped = 0;
    p->answered = true;
    p->served++;
    p->tokens_served += strncmp(p->request, "POST /token", 11) == 0;
}

/* What an endless peer adds once its answer is over. */
static void prolong(struct anyone *p)
{
    static const char row[] =
        "{\"id\":\"u2i-%08x\",\"created\":5,\"updated\":1754890009,\"direction\":\"in\",\"author_"
        "id\":7,"
        "\"url\":\"https://s/"
        "1\",\"version\":\"3\",\"type\":\"text\",\"content\":{\"text\":\"hi\"}},";
    int n = 0;

    if (p->habit == ANYONE_ENDLESS_HEAD) {
        n = snprintf(p->answer, sizeof p->answer, "X-More: and more\r\n");
    } else if (p->habit == ANYONE_ENDLESS_CHUNKS) {
        n = snprintf(p->answer, sizeof p->answer, "1\r\n \r\n");
    } else if (p->habit == ANYONE_ENDLESS_BODY) {
        n = snprintf(p->answer, sizeof p->answer, "%64s", "");
    } else if (p->of_pairs) {
        n = snprintf(p->answer, sizeof p->answer, "\"v%08x\":\"https://v\",",
                     (unsigned)p->received);
    } else {
        n = snprintf(p->answer, sizeof p->answer, row, (unsigned)p->received);
    }
    p->answer_len = (size_t)n;
    p->answer_at = 0;
}

/* ---- the transport ---- */

/* SLOW: may a byte move now? */
static bool is_turn(struct anyone *p)
{
    if (p->habit != ANYONE_SLOW) {
        return true;
    }
    if (p->now_ms - p->moved_ms < p->slow_ms) {
        return false;
    }
    p->moved_ms = p->now_ms;
    return true;
}

static int peer_connect(void *ctx, const avito_server *to)
{
    struct anyone *p = ctx;

    (void)to;
    p->work++;
    if (!p->open) {
        p->open = true;
        p->connects++;
        p->request_len = p->dropped = p->answer_len = p->answer_at = p->received = 0;
        p->answered = false;
        p->moved_ms = p->now_ms;
    }
    hook(p, "connect");
    return p->habit == ANYONE_NO_CONNECT ? AVITO_AGAIN : AVITO_OK;
}

/* Takes a piece of the request, as the habit allows, and answers once the request is whole. An
 * upload's body is dropped as it comes. */
static long peer_send(void *ctx, const void *data, size_t len, int more)
{
    struct anyone *p = ctx;

    (void)more;
    p->work++;
    hook(p, "send");
    if (!p->open) {
        return AVITO_ERR_SEND;
    }
    if (p->habit == ANYONE_NO_SEND || !is_turn(p)) {
        return AVITO_IO_AGAIN;
    }
    len = p->habit == ANYONE_SLOW ? 1 : len;
    len = len < 2048 ? len : 2048;
    if (p->request_len + len >= sizeof p->request) { /* an upload: its head is known */
        const size_t kept = (size_t)(strstr(p->request, "\r\n\r\n") + 4 - p->request);
        p->dropped += p->request_len - kept;
        p->request_len = kept;
    }
    memcpy(p->request + p->request_len, data, len);
    p->request_len += len;
    p->request[p->request_len] = '\0';
    serve(p);
    return (long)len;
}

/* Gives the answer as the habit says: never, in part, byte by byte, or without end. */
static long peer_recv(void *ctx, void *data, size_t cap)
{
    struct anyone *p = ctx;
    size_t n;

    p->work++;
    anyone_spend(p);
    hook(p, "recv");
    if (!p->open) {
        return AVITO_ERR_RECV;
    }
    if (p->habit == ANYONE_BREAKS) {
        return AVITO_ERR_RECV;
    }
    if (p->answered && p->answer_at == p->answer_len && p->habit >= ANYONE_ENDLESS_HEAD) {
        prolong(p);
    }
    n = p->answer_len - p->answer_at;
    if (p->habit == ANYONE_HALF_AN_ANSWER) {
        const size_t half = p->body_at + (p->answer_len - p->body_at) / 2;
        n = half > p->answer_at ? half - p->answer_at : 0;
    }
    n = n < cap ? n : cap;
    n = p->habit == ANYONE_SLOW && n > 1 ? 1 : n;
    if (n == 0 || p->habit == ANYONE_NO_ANSWER || !is_turn(p)) {
        return AVITO_IO_AGAIN;
    }
    memcpy(data, p->answer + p->answer_at, n);
    p->answer_at += n;
    p->received += n;
    return (long)n;
}

static int peer_wants(void *ctx)
{
    hook(ctx, "wants");
    return AVITO_WANT_READ;
}

static int peer_wait(void *ctx, int wants, uint32_t ms)
{
    struct anyone *p = ctx;

    (void)wants;
    hook(p, "wait");
    p->now_ms += ms < p->slow_ms ? ms : p->slow_ms;
    return AVITO_AGAIN;
}

static void peer_close(void *ctx)
{
    struct anyone *p = ctx;

    if (!p->open) {
        (void)fprintf(stderr, "anyone: closed twice\n");
        abort();
    }
    p->open = false;
    p->closes++;
    hook(p, "close");
}

static int peer_detail(void *ctx)
{
    hook(ctx, "detail");
    return 0;
}

avito_transport anyone_transport(struct anyone *peer, bool waits)
{
    static const avito_transport_functions never = {
        peer_connect, peer_send, peer_recv, peer_wants, NULL, peer_close, peer_detail, NULL};
    static const avito_transport_functions may = {peer_connect, peer_send,  peer_recv,   peer_wants,
                                                  peer_wait,    peer_close, peer_detail, NULL};
    avito_transport transport;

    transport.functions = waits ? &may : &never;
    transport.ctx = peer;
    return transport;
}

uint32_t anyone_clock_ms(void *ctx)
{
    struct anyone *p = ctx;

    hook(p, "clock_ms");
    return p->now_ms;
}

int64_t anyone_unix_time(void *ctx)
{
    struct anyone *p = ctx;

    hook(p, "unix_time");
    return p->unix_s + (int64_t)((p->now_ms - p->began_ms) / 1000u);
}

int anyone_entropy(void *ctx, void *out, size_t len)
{
    hook(ctx, "entropy");
    memset(out, 0x5a, len);
    return AVITO_OK;
}
