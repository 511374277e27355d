/*
 * web.c - the control side over HTTP, on a port of its own, and the page.
 *
 * Any web page that a person has open can send requests to this machine. So the name in Host must
 * be one of ours (else another site's name, pointed here, would be "the same origin"); an Origin
 * must be ours; and requests that change something are POSTs of the type application/json, which no
 * form of another site can send.
 */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <http_parser.h>

#define BODY_MAX (64u * 1024u * 1024u) /* a story with pictures */
#define BEHIND_MAX                                                                                 \
    (8u * 1024u * 1024u) /* of events; a listener that is further behind has to come again */
#define SILENT_MS 60000  /* how long a connection may ask nothing */
#define BEAT_MS   15000  /* between comments to listeners */
#define TEXT_MAX  1024

/* The headers that count, in the order of `header_names`. */
enum { HOST, ORIGIN, CONTENT_TYPE, LAST_EVENT_ID, FETCH_SITE, FETCH_MODE, HEADERS };

static const char *const header_names[HEADERS] = {
    "Host", "Origin", "Content-Type", "Last-Event-ID", "Sec-Fetch-Site", "Sec-Fetch-Mode"};

struct web_visitor {
    web *w;
    int fd;
    http_parser parser;
    simi_buf target, name, body;
    char values[HEADERS][TEXT_MAX];
    bool seen[HEADERS];
    size_t value_len;
    int header; /* the header being read; -1: none that counts */
    bool in_value, bad;
    simi_buf out;
    size_t sent;
    bool streams, over;
    bool close_after; /* the present answer is the last */
    bool finished;    /* it has been given: bytes that still come are thrown away */
    int64_t last_ms;  /* when its last bytes came */
    uint64_t next;    /* event that a stream gets next */
    char run[24];
};

/* ---------------------------------------------------------------- writing */

/* The reason phrase of a status that is answered here. */
static const char *reason(int status)
{
    switch (status) {
        case 200:
            return "OK";
        case 302:
            return "Found";
        case 400:
            return "Bad Request";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 413:
            return "Payload Too Large";
        default:
            return "Unsupported Media Type";
    }
}

static void put_head(web_visitor *v, int status, const char *type, bool foreign)
{
    static const char ours[] =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self' blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'";
    simi_putf(&v->out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Security-Policy: %s\r\n",
              status, reason(status), type, foreign ? "default-src 'none'; sandbox" : ours);
    simi_puts(&v->out, "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
                       "Cross-Origin-Resource-Policy: same-origin\r\nX-Frame-Options: DENY\r\n"
                       "Cross-Origin-Opener-Policy: same-origin\r\nCache-Control: no-store\r\n"
                       "Permissions-Policy: microphone=(self), camera=(), geolocation=()\r\n");
}

static void answer(web_visitor *v, int status, const char *type, const void *body, size_t len,
                   bool foreign)
{
    put_head(v, status, type, foreign);
    simi_putf(&v->out, "Content-Length: %zu\r\n%s\r\n", len,
              v->close_after ? "Connection: close\r\n" : "");
    if (v->parser.method != HTTP_HEAD) {
        simi_put(&v->out, body, len);
    }
}

static void refuse(web_visitor *v, int status, const char *why)
{
    simi_buf text = {0};
    simi_puts(&text, "{\"error\":");
    simi_put_json(&text, why);
    simi_puts(&text, "}");
    v->close_after = v->finished = true;
    answer(v, status, "application/json; charset=utf-8", text.p, text.len, false);
    simi_free(&text);
}

/* ---------------------------------------------------------------- who may ask */

static bool is_our_name(const web *w, const char *host)
{
    size_t len = strcspn(host, ":");
    for (size_t i = 0; i < w->name_count; i++) {
        if (strlen(w->names[i]) == len && strncasecmp(w->names[i], host, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_our_origin(const web_visitor *v)
{
    const char *origin = v->values[ORIGIN];
    return !v->seen[ORIGIN] ||
           (strncmp(origin, "http://", 7) == 0 && strcasecmp(origin + 7, v->values[HOST]) == 0);
}

/* Requests by an <img> or a <script> of another site come without Origin, but modern browsers mark
 * them. Following a link to the page is allowed. */
static bool is_from_elsewhere(const web_visitor *v)
{
    const char *site = v->values[FETCH_SITE];
    return v->seen[FETCH_SITE] && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0 &&
           strcmp(v->values[FETCH_MODE], "navigate") != 0;
}

static bool is_json(const char *type)
{
    return strncasecmp(type, "application/json", 16) == 0 && strchr("; \t", type[16]) != NULL;
}

/* Refuses whoever may not ask, or asks wrongly. False: the refusal is written. */
static bool may_ask(web_visitor *v)
{
    unsigned method = v->parser.method;
    if (v->bad || v->target.p[0] != '/') {
        refuse(v, 400, "this request is not well-formed");
    } else if (!is_our_name(v->w, v->values[HOST])) {
        refuse(v, 403, "Host is none of ours; the simulator's option --name adds one");
    } else if (!is_our_origin(v) || is_from_elsewhere(v)) {
        refuse(v, 403, "this request comes from another site");
    } else if (method != HTTP_GET && method != HTTP_HEAD && method != HTTP_POST) {
        refuse(v, 405, "GET or POST");
    } else if (method == HTTP_POST && !is_json(v->values[CONTENT_TYPE])) {
        refuse(v, 415, "Content-Type must be application/json");
    } else {
        return true;
    }
    return false;
}

/* ---------------------------------------------------------------- what is answered */

static void answer_file(web_visitor *v, const char *name, size_t len)
{
    for (size_t i = 0; i < web_file_count; i++) {
        const web_file *f = &web_files[i];
        if ((strlen(f->name) == len && memcmp(f->name, name, len) == 0) ||
            (len == 0 && strcmp(f->name, "index.html") == 0)) {
            answer(v, 200, f->type, f->bytes, f->len, false);
            return;
        }
    }
    refuse(v, 404, "the page has no such file");
}

static void put_event(simi_buf *b, const feed *f, uint64_t number, const char *name,
                      const char *data)
{
    simi_putf(b, "id: %s-%llu\nevent: %s\ndata: ", f->run, (unsigned long long)number, name);
    simi_puts(b, data);
    simi_puts(b, "\n\n");
}

/* Begins a stream of events after the one that the listener has seen last, or with "reset" if the feed no
 * longer has it. */
static void begin_stream(web_visitor *v)
{
    const feed *f = &v->w->control->feed;
    const char *after = strstr(v->target.p, "?after=");
    uint64_t number = 0;
    put_head(v, 200, "text/event-stream; charset=utf-8", false);
    simi_puts(&v->out, "Connection: close\r\n\r\nretry: 1000\n\n");
    v->streams = true;
    const char *id = v->seen[LAST_EVENT_ID] ? v->values[LAST_EVENT_ID]
                     : after != NULL        ? after + 7
                                            : "";
    if (!feed_place(f, id, &number)) {
        number = f->last;
        put_event(&v->out, f, number, "reset", "{}");
    }
    v->next = number + 1;
    memcpy(v->run, f->run, sizeof v->run);
}

/* Help and page are answered here, a stream of events begins, and the door has the rest. */
static void answer_request(web_visitor *v)
{
    control *c = v->w->control;
    const char *target = v->target.p;
    size_t path = strcspn(target, "?");
    bool get = v->parser.method != HTTP_POST;
    if (get && strcmp(target, "/") == 0) {
        simi_buf text = {0};
        control_help(&text);
        answer(v, 200, "text/plain; charset=utf-8", text.p, text.len, false);
        simi_free(&text);
    } else if (get && strcmp(target, "/page") == 0) {
        put_head(v, 302, "text/plain", false);
        simi_puts(&v->out, "Location: /page/\r\nContent-Length: 0\r\n\r\n");
    } else if (get && strncmp(target, "/page/", 6) == 0) {
        answer_file(v, target + 6, path - 6);
    } else if (v->parser.method == HTTP_GET && path == 7 && strncmp(target, "/events", 7) == 0) {
        begin_stream(v);
    } else {
        control_answer a = control_ask(c, get ? "GET" : "POST", target,
                                       v->body.p != NULL ? v->body.p : "", v->body.len);
        answer(v, a.status, a.type, a.body, a.len, a.foreign);
    }
}

/* ---------------------------------------------------------------- reading */

static web_visitor *of(http_parser *p)
{
    return p->data;
}

static int on_begin(http_parser *p)
{
    web_visitor *v = of(p);
    if (v->streams || v->finished) {
        return -1;
    }
    v->target.len = v->name.len = v->body.len = v->value_len = 0;
    memset(v->values, 0, sizeof v->values);
    memset(v->seen, 0, sizeof v->seen);
    v->header = -1;
    v->in_value = v->bad = false;
    return 0;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
    simi_put(&of(p)->target, at, len);
    of(p)->bad = of(p)->bad || of(p)->target.len > 4096;
    return 0;
}

static int on_field(http_parser *p, const char *at, size_t len)
{
    web_visitor *v = of(p);
    if (v->in_value) {
        v->in_value = false;
        v->name.len = 0;
    }
    simi_put(&v->name, at, len);
    return 0;
}

static void begin_value(web_visitor *v)
{
    v->in_value = true;
    v->header = -1;
    v->value_len = 0;
    for (int i = 0; i < HEADERS; i++) {
        if (strcasecmp(v->name.p, header_names[i]) == 0) {
            v->header = i;
            v->bad = v->bad || v->seen[i]; /* given twice: which one would count? */
            v->seen[i] = true;
        }
    }
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    web_visitor *v = of(p);
    if (!v->in_value) {
        begin_value(v);
    }
    if (v->header < 0) {
        return 0;
    }
    if (v->value_len + len >= TEXT_MAX) {
        v->bad = true;
        return 0;
    }
    memcpy(v->values[v->header] + v->value_len, at, len);
    v->value_len += len;
    return 0;
}

static int on_head(http_parser *p)
{
    web_visitor *v = of(p);
    v->close_after = !http_should_keep_alive(p);
    simi_put(&v->target, "", 0);
    if (!may_ask(v)) {
        return -1;
    }
    if (p->content_length != UINT64_MAX && p->content_length > BODY_MAX) {
        refuse(v, 413, "at most 64 MB");
        return -1;
    }
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    web_visitor *v = of(p);
    if (v->body.len + len > BODY_MAX) {
        refuse(v, 413, "at most 64 MB");
        return -1;
    }
    simi_put(&v->body, at, len);
    return 0;
}

static int on_end(http_parser *p)
{
    answer_request(of(p));
    of(p)->finished = of(p)->finished || of(p)->close_after;
    if (of(p)->body.cap > 1000000) {
        simi_free(&of(p)->body);
    }
    return 0;
}

static const http_parser_settings settings = {.on_message_begin = on_begin,
                                              .on_url = on_url,
                                              .on_header_field = on_field,
                                              .on_header_value = on_value,
                                              .on_headers_complete = on_head,
                                              .on_body = on_body,
                                              .on_message_complete = on_end};

/* Reads and parses what has come. Bytes after the request's end are thrown away. */
static void receive(web_visitor *v)
{
    char bytes[16384];
    while (!v->over) {
        ssize_t n = read(v->fd, bytes, sizeof bytes);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            v->over = true;
            return;
        }
        v->last_ms = net_clock_ms(NULL);
        if (v->streams || v->finished) {
            continue;
        }
        size_t done = http_parser_execute(&v->parser, &settings, bytes, (size_t)n);
        if (done != (size_t)n || HTTP_PARSER_ERRNO(&v->parser) != HPE_OK) {
            if (!v->finished && !v->streams) {
                refuse(v, 400, "this is not HTTP");
            }
        }
    }
}

/* Sends what is waiting; after the last answer the connection ends. */
static void transmit(web_visitor *v)
{
    while (!v->over && v->sent < v->out.len) {
        ssize_t n = send(v->fd, v->out.p + v->sent, v->out.len - v->sent, MSG_NOSIGNAL);
        if (n < 0) {
            v->over = errno != EAGAIN && errno != EINTR;
            return;
        }
        v->sent += (size_t)n;
    }
    if (v->out.cap > 1000000) {
        simi_free(&v->out);
    }
    v->out.len = v->sent = 0;
    if (v->finished && !v->streams && !v->over) {
        /* Half-close, so that bytes still coming in do not turn the end into a reset. */
        (void)shutdown(v->fd, SHUT_WR);
    }
}

/* ---------------------------------------------------------------- visitors */

static void let_in(web *w)
{
    int fd;
    /* Who finds no place waits in the listener's queue. */
    while (w->visitor_count < WEB_VISITORS && (fd = accept(w->listener, NULL, NULL)) >= 0) {
        net_unblock(fd);
        web_visitor *v = simi_alloc(NULL, sizeof *v);
        memset(v, 0, sizeof *v);
        v->w = w;
        v->fd = fd;
        v->last_ms = net_clock_ms(NULL);
        http_parser_init(&v->parser, HTTP_REQUEST);
        v->parser.data = v;
        w->visitors[w->visitor_count++] = v;
    }
}

static void drop(web *w, size_t i)
{
    web_visitor *v = w->visitors[i];
    (void)close(v->fd);
    simi_free(&v->target);
    simi_free(&v->name);
    simi_free(&v->body);
    simi_free(&v->out);
    free(v);
    w->visitors[i] = w->visitors[--w->visitor_count];
}

/* Sends listeners what has happened since the last time. */
static void tell(web_visitor *v)
{
    const feed *f = &v->w->control->feed;
    if (strcmp(v->run, f->run) != 0 ||
        (f->last >= v->next && f->last - v->next + 1 >= FEED_EVENTS)) {
        put_event(&v->out, f, f->last, "reset", "{}");
        memcpy(v->run, f->run, sizeof v->run);
        v->next = f->last + 1;
        return;
    }
    for (; v->next <= f->last; v->next++) {
        put_event(&v->out, f, v->next, feed_at(f, v->next)->name, feed_at(f, v->next)->data.p);
    }
    v->over = v->over || v->out.len - v->sent > BEHIND_MAX;
}

size_t web_polls(web *w, struct pollfd *polls)
{
    size_t n = 0;
    polls[n++] = (struct pollfd){w->listener, w->visitor_count < WEB_VISITORS ? POLLIN : 0, 0};
    for (size_t i = 0; i < w->visitor_count; i++) {
        bool writes = w->visitors[i]->out.len > w->visitors[i]->sent;
        polls[n++] =
            (struct pollfd){w->visitors[i]->fd, (short)(writes ? POLLIN | POLLOUT : POLLIN), 0};
    }
    return n;
}

void web_move(web *w)
{
    int64_t now = net_clock_ms(NULL);
    bool beat = now >= w->beat_ms;
    let_in(w);
    for (size_t i = 0; i < w->visitor_count; i++) {
        receive(w->visitors[i]);
    }
    control_tick(w->control); /* the request may have made a story go on */
    for (size_t i = w->visitor_count; i > 0; i--) {
        web_visitor *v = w->visitors[i - 1];
        if (v->streams) {
            tell(v);
            simi_puts(&v->out, beat ? ": still here\n\n" : "");
        }
        transmit(v);
        v->over = v->over || (!v->streams && v->out.len == 0 && now - v->last_ms > SILENT_MS);
        if (v->over) {
            drop(w, i - 1);
        }
    }
    w->beat_ms = beat ? now + BEAT_MS : w->beat_ms;
}

int64_t web_next_ms(const web *w)
{
    return w->visitor_count != 0 ? w->beat_ms : INT64_MAX;
}

void web_close(web *w)
{
    while (w->visitor_count != 0) {
        drop(w, w->visitor_count - 1);
    }
    (void)close(w->listener);
}
