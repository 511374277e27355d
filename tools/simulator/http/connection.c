/* connection.c - HTTP/1.1: bytes into requests, answers into bytes, and all faults on the way.
 * http-parser reads; this file checks what it is lenient about. */
#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_HEAD 32768

struct sim_conn {
    sim *s;
    sim_conn *next, **link;
    uint64_t number;
    /* in */
    http_parser parser;
    simi_request r;
    simi_buf name, value; /* of the header that is being read */
    bool in_value;
    simi_buf waiting; /* bytes that came while an answer was due */
    size_t head_bytes;
    char before; /* the byte before the current piece */
    bool in_message, head_done, complete;
    bool fault_known, faulty; /* faulty: there is a fault */
    sim_fault fault;
    bool deaf; /* answered early: bytes that still come are thrown away */
    /* out */
    simi_buf out;
    size_t sent;
    int64_t not_before;
    size_t pause_at;
    uint32_t pause_ms;
    int64_t pause_until;
    size_t slow_bytes; /* a slow line: bytes until the next pause */
    uint32_t slow_ms;
    bool stalled, close_after, reset_after, ended;
    uint32_t requests;
    int64_t last_ms;
};

/* ---------------------------------------------------------------- reading */

static void take_text(char *out, size_t cap, const simi_buf *value, simi_request *r)
{
    if (value->len >= cap) {
        r->header_too_long = true;
        return;
    }
    memcpy(out, value->p, value->len);
    out[value->len] = '\0';
}

static bool is_header(const sim_conn *c, const char *name)
{
    return strcasecmp(c->name.p, name) == 0;
}

/* A header line is complete: checks it, and keeps the value if it is one that matters. */
static void end_header(sim_conn *c)
{
    simi_request *r = &c->r;
    if (c->name.len == 0) {
        return;
    }
    simi_put(&c->value, "", 0);
    for (size_t i = 0; i < c->value.len; i++) {
        unsigned char b = (unsigned char)c->value.p[i];
        r->bad_header = r->bad_header || (b < 0x20 && b != '\t') || b == 0x7F;
    }
    if (is_header(c, "Host")) {
        r->host_count++;
        take_text(r->host, sizeof r->host, &c->value, r);
    } else if (is_header(c, "Content-Type")) {
        r->content_type_count++;
        take_text(r->content_type, sizeof r->content_type, &c->value, r);
    } else if (is_header(c, "Authorization")) {
        r->authorization_count++;
        take_text(r->authorization, sizeof r->authorization, &c->value, r);
    } else if (is_header(c, "Expect")) {
        r->expect_continue = strcasecmp(c->value.p, "100-continue") == 0;
    }
    c->name.len = c->value.len = 0;
    c->in_value = false;
}

static sim_conn *of(http_parser *p)
{
    return p->data;
}

static int on_url(http_parser *p, const char *at, size_t len)
{
    simi_put(&of(p)->r.target, at, len);
    return 0;
}

static int on_header_field(http_parser *p, const char *at, size_t len)
{
    sim_conn *c = of(p);
    if (c->in_value) {
        end_header(c);
    }
    simi_put(&c->name, at, len);
    return 0;
}

static int on_header_value(http_parser *p, const char *at, size_t len)
{
    of(p)->in_value = true;
    simi_put(&of(p)->value, at, len);
    return 0;
}

static int on_headers_complete(http_parser *p)
{
    sim_conn *c = of(p);
    end_header(c);
    c->r.chunked = (p->flags & F_CHUNKED) != 0;
    c->head_done = true;
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len)
{
    simi_put(&of(p)->r.body, at, len);
    return 0;
}

static int on_message_complete(http_parser *p)
{
    of(p)->complete = true;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static void begin_request(sim_conn *c)
{
    simi_request *r = &c->r;
    http_parser_init(&c->parser, HTTP_REQUEST);
    c->parser.data = c;
    c->name.len = c->value.len = 0;
    c->in_value = c->in_message = c->head_done = c->complete = c->fault_known = false;
    c->head_bytes = 0;
    c->before = '\0';
    r->target.len = r->body.len = r->param_count = 0;
    r->host[0] = r->content_type[0] = r->authorization[0] = '\0';
    r->user_id[0] = r->chat_id[0] = r->message_id[0] = '\0';
    r->host_count = r->content_type_count = r->authorization_count = 0;
    r->token = 0;
    r->expect_continue = r->chunked = r->header_too_long = r->bad_header = false;
    r->unofficial_path = false;
    r->row = NULL;
    cJSON_Delete(r->json);
    r->json = NULL;
    if (r->body.cap > 262144) { /* a large upload was here */
        simi_free(&r->body);
    }
}

/* ---------------------------------------------------------------- writing */

static void put_body(simi_buf *b, const simi_answer *a, sim_framing framing, size_t chunk,
                     bool extras)
{
    if (framing != SIM_FRAMING_CHUNKED) {
        simi_put(b, a->body.p, a->body.len);
        return;
    }
    chunk = chunk != 0 ? chunk : 4096;
    for (size_t i = 0; i < a->body.len; i += chunk) {
        size_t n = a->body.len - i < chunk ? a->body.len - i : chunk;
        simi_putf(b, "%zx%s\r\n", n, extras ? ";name=\"value\"" : "");
        simi_put(b, a->body.p + i, n);
        simi_puts(b, "\r\n");
    }
    simi_puts(b, extras ? "0\r\nX-Trailer: 1\r\n\r\n" : "0\r\n\r\n");
}

static void put_padding(simi_buf *b, size_t size)
{
    if (size == 0) {
        return;
    }
    simi_puts(b, "X-Padding: ");
    for (size_t i = 0; i < size; i++) {
        simi_put(b, "p", 1);
    }
    simi_puts(b, "\r\n");
}

/* The head of an answer, with what the fault adds to it or leaves out. */
static void put_head(sim_conn *c, const simi_answer *a, const sim_fault *f, sim_framing framing,
                     bool last)
{
    sim *s = c->s;
    simi_buf *b = &c->out;
    char date[40];
    simi_http_date(simi_now(s) / 1000, date);
    simi_putf(b, "HTTP/1.1 %d %s\r\nDate: %s\r\n", a->status, simi_reason(a->status), date);
    if (a->body.len != 0) {
        simi_putf(b, "Content-Type: %s\r\n", a->content_type);
    }
    if (framing == SIM_FRAMING_LENGTH && a->status != 204 && a->status != 304) {
        simi_putf(b, "Content-Length: %lld\r\n",
                  (long long)a->body.len + (long long)f->wrong_length);
    } else if (framing == SIM_FRAMING_CHUNKED) {
        simi_puts(b, "Transfer-Encoding: chunked\r\n");
    }
    simi_puts(b, last ? "Connection: close\r\n" : "Connection: keep-alive\r\n");
    if (a->rate_headers) {
        uint32_t limit = s->o.rate_per_minute;
        simi_putf(b, "X-RateLimit-Limit: %u\r\nX-RateLimit-Remaining: %u\r\n", (unsigned)limit,
                  (unsigned)(limit > s->window_count ? limit - s->window_count : 0));
    }
    const char *retry = f->retry_after != NULL ? f->retry_after : a->retry_after;
    if (retry[0] != '\0') {
        simi_putf(b, "Retry-After: %s\r\n", retry);
    }
    if (a->status >= 300 && a->status < 400) {
        simi_putf(b, "Location: %s\r\n", f->location != NULL ? f->location : c->r.target.p);
    }
    put_padding(b, f->head_padding != 0 ? f->head_padding : s->o.head_padding);
    simi_puts(b, "\r\n");
}

/* Head and body, as the fault wants them: framing, interim heads, a changed byte, an early end. */
static void put_answer(sim_conn *c, const simi_answer *a, const sim_fault *f)
{
    sim *s = c->s;
    sim_framing framing = f->framing != SIM_FRAMING_DEFAULT ? f->framing : s->o.framing;
    size_t chunk = f->chunk_size != 0 ? f->chunk_size : s->o.chunk_size;
    bool http_1_0 = c->parser.http_major == 1 && c->parser.http_minor == 0;
    if (framing == SIM_FRAMING_DEFAULT || a->status == 204 || a->status == 304 ||
        (http_1_0 && framing == SIM_FRAMING_CHUNKED)) {
        framing = SIM_FRAMING_LENGTH;
    }
    bool last = c->close_after || framing == SIM_FRAMING_CLOSE || f->close;
    c->close_after = last || f->close_silently || f->cut; /* these two are not announced */
    for (unsigned i = 0; i < f->interim; i++) {
        simi_puts(&c->out, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
    }
    if (f->raw != NULL) {
        simi_put(&c->out, f->raw, f->raw_len);
    } else {
        put_head(c, a, f, framing, last);
        if (a->status != 204 && a->status != 304) {
            put_body(&c->out, a, framing, chunk, f->chunk_extras);
        }
    }
    if (f->corrupt && c->out.len != 0) {
        c->out.p[f->corrupt_at % c->out.len] ^= f->corrupt_bits != 0 ? f->corrupt_bits : 0x11;
    }
    if (f->cut && f->cut_at < c->out.len) {
        c->out.len = f->cut_at;
    }
}

/* ---------------------------------------------------------------- serving */

static void end_now(sim_conn *c)
{
    c->ended = c->close_after && c->sent == c->out.len && !c->stalled;
}

/* Not HTTP, or not in the form that the gateway accepts: it answers with its own page, and
 * closes. */
static void refuse_http(sim_conn *c, int status)
{
    simi_answer a = {0};
    sim_fault none;
    memset(&none, 0, sizeof none);
    c->s->stats.requests++;
    c->s->stats.broken_requests++;
    c->s->stats.by_status[status]++;
    a.status = status;
    a.content_type = "text/html";
    simi_putf(&a.body,
              "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s"
              "</h1></center>\r\n</body>\r\n</html>\r\n",
              status, simi_reason(status), status, simi_reason(status));
    c->deaf = c->close_after = true;
    c->in_message = false;
    none.framing = SIM_FRAMING_LENGTH;
    simi_tell(c->s, &(sim_event){.kind = SIM_EVENT_REQUEST, .answer = "", .status = status});
    put_answer(c, &a, &none);
    simi_free(&a.body);
}

/* What the hook is told about a request. */
static sim_request_info info_of(sim_conn *c, int refusal)
{
    simi_request *r = &c->r;
    sim_request_info info;
    memset(&info, 0, sizeof info);
    info.number = r->number;
    info.connection = c->number;
    info.op = r->row != NULL ? r->row->op : SIM_NO_OPERATION;
    info.method = r->method;
    info.target = r->target.p;
    info.chat_id = r->row != NULL ? r->chat_id : "";
    info.message_id = r->row != NULL ? r->message_id : "";
    info.body = r->body.len != 0 ? r->body.p : "";
    info.body_len = r->body.len;
    info.now_ms = simi_now(c->s);
    info.refusal = refusal;
    info.token = r->token;
    return info;
}

static void ask_fault(sim_conn *c, int refusal)
{
    sim_request_info info = info_of(c, refusal);
    uint64_t before = c->s->stats.faults;
    c->fault = simi_fault_for(c->s, &info);
    c->faulty = c->s->stats.faults != before;
    c->fault_known = true;
}

/* Fills `a` as the fault wants it. False: there is no answer at all. */
static bool apply_fault(sim_conn *c, simi_answer *a, const sim_fault *f, bool accepted)
{
    sim *s = c->s;
    bool lost = f->no_answer || f->stall;
    bool replaced = lost || f->status != 0 || f->body != SIM_BODY_DEFAULT;
    if (accepted && (!replaced || f->stored)) {
        simi_carry_out(s, &c->r, a);
    }
    c->stalled = f->stall;
    c->close_after = c->close_after || f->no_answer;
    if (!lost && replaced) {
        int status = f->status != 0 ? f->status : simi_body_status(f->body);
        simi_error(a, status, f->body);
    }
    return !lost;
}

static void tell(sim_conn *c, const sim_request_info *info, const simi_answer *a, int status,
                 const sim_fault *f)
{
    simi_tell(c->s, &(sim_event){.kind = SIM_EVENT_REQUEST,
                                 .request = info,
                                 .answer = a->body.len != 0 && status != 0 ? a->body.p : "",
                                 .answer_len = status != 0 ? a->body.len : 0,
                                 .status = status,
                                 .fault = c->faulty,
                                 .delay_ms = f->delay_ms});
}

/* On a slow line: the time after the next bytes. */
static void next_pause(sim_conn *c)
{
    c->pause_at = c->sent + c->slow_bytes;
    c->pause_ms = c->slow_ms;
    c->pause_until = 0;
}

/* Applies the fault, writes the answer, and sets the times at which its bytes may leave. */
static void give_answer(sim_conn *c, simi_answer *a, bool accepted)
{
    sim *s = c->s;
    const sim_fault *f = &c->fault;
    sim_request_info info = info_of(c, accepted ? 0 : a->status);
    c->reset_after = f->reset;
    bool answered = apply_fault(c, a, f, accepted);
    int status = answered ? a->status : 0;
    s->stats.by_status[status < 600 ? status : 599]++;
    tell(c, &info, a, status, f);
    if (!answered) {
        return;
    }
    put_answer(c, a, f);
    c->not_before = simi_now(s) + f->delay_ms;
    c->pause_at = f->pause_at;
    c->pause_ms = f->pause_ms;
    c->pause_until = 0;
    c->slow_bytes = f->slow_bytes;
    c->slow_ms = f->slow_ms;
    if (f->slow_bytes != 0 && f->pause_ms == 0) {
        next_pause(c);
    }
}

/* The request is complete, or `early`: only its head is there and that is enough. */
static void serve(sim_conn *c, bool early, bool too_large)
{
    sim *s = c->s;
    simi_answer a = {0};
    a.status = 200;
    a.content_type = "application/json; charset=utf-8";
    c->requests++;
    c->deaf = early;
    c->close_after =
        early || !http_should_keep_alive(&c->parser) ||
        (s->o.requests_per_connection != 0 && c->requests >= s->o.requests_per_connection);
    s->stats.requests++;
    bool accepted = !too_large && simi_check(s, &c->r, &a);
    if (too_large) {
        (void)simi_refuse_head(s, &c->r, c->parser.content_length, &a);
    }
    if (!c->fault_known) {
        ask_fault(c, accepted ? 0 : a.status);
    }
    give_answer(c, &a, accepted);
    simi_free(&a.body);
    bool deaf = c->deaf;
    begin_request(c);
    c->deaf = deaf;
    end_now(c);
}

/* True: the head alone has led to an answer. */
static bool judge_head(sim_conn *c)
{
    simi_request *r = &c->r;
    sim *s = c->s;
    simi_answer unused = {0};
    r->method = http_method_str((enum http_method)c->parser.method);
    simi_put(&r->target, "", 0);
    bool modern = c->parser.http_major == 1 && c->parser.http_minor >= 1;
    if (r->bad_header || r->header_too_long || r->host_count > 1 ||
        (modern && r->host_count == 0) || r->content_type_count > 1 || r->authorization_count > 1 ||
        r->target.p[0] != '/' || strchr(r->target.p, '#') != NULL ||
        (strcmp(r->method, "GET") == 0 && c->parser.content_length != 0 &&
         c->parser.content_length != UINT64_MAX)) {
        refuse_http(c, 400);
        return true;
    }
    if (r->chunked && !s->o.accept_chunked_requests) {
        refuse_http(c, 411);
        return true;
    }
    simi_route(s, r);
    r->number = ++s->request_number;
    simi_count_request(s, r->row != NULL ? r->row->op : SIM_NO_OPERATION, simi_now(s));
    bool has_length = c->parser.content_length != UINT64_MAX;
    bool too_large = has_length && simi_refuse_head(s, r, c->parser.content_length, &unused);
    simi_free(&unused.body);
    if (r->row != NULL && r->row->op == SIM_UPLOAD) { /* early answers matter for large bodies */
        ask_fault(c, too_large ? 413 : 0);
    }
    if (too_large || (c->fault_known && c->fault.early)) {
        serve(c, true, too_large);
        return true;
    }
    if (r->expect_continue) {
        simi_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
    }
    return false;
}

/* Takes bytes until an answer has to go out; returns how many. */
static size_t feed(sim_conn *c, const char *p, size_t len)
{
    size_t taken = 0;
    while (taken < len && !c->deaf) {
        const char *piece = p + taken;
        size_t n = len - taken;
        if (!c->head_done) { /* line by line: http-parser accepts a bare LF and folded lines */
            const char *lf = memchr(piece, '\n', n);
            n = lf != NULL ? (size_t)(lf - piece) + 1 : n;
            bool bare_lf = lf != NULL && (n > 1 ? lf[-1] : c->before) != '\r';
            bool folded = c->before == '\n' && (piece[0] == ' ' || piece[0] == '\t');
            if (bare_lf || folded) {
                refuse_http(c, 400);
                return len;
            }
            c->before = piece[n - 1];
            c->head_bytes += n;
        }
        bool had_head = c->head_done;
        c->in_message = true;
        size_t done = http_parser_execute(&c->parser, &settings, piece, n);
        enum http_errno error = HTTP_PARSER_ERRNO(&c->parser);
        taken += done;
        if ((error != HPE_OK && error != HPE_PAUSED) || c->parser.upgrade ||
            (!had_head && c->head_bytes > MAX_HEAD)) {
            refuse_http(c, 400);
            return len;
        }
        if (!had_head && c->head_done && judge_head(c)) {
            return c->deaf ? len : taken;
        }
        if (c->complete) {
            serve(c, false, false);
            return taken;
        }
    }
    return c->deaf ? len : taken;
}

/* ---------------------------------------------------------------- the outside */

sim_conn *sim_conn_open(sim *s)
{
    sim_conn *c = simi_alloc(NULL, sizeof *c);
    memset(c, 0, sizeof *c);
    c->s = s;
    c->number = ++s->connection_number;
    s->stats.connections++;
    c->next = s->conns;
    c->link = &s->conns;
    if (c->next != NULL) {
        c->next->link = &c->next;
    }
    s->conns = c;
    c->last_ms = simi_now(s);
    begin_request(c);
    return c;
}

void sim_conn_close(sim_conn *c)
{
    if (c == NULL) {
        return;
    }
    *c->link = c->next;
    if (c->next != NULL) {
        c->next->link = c->link;
    }
    cJSON_Delete(c->r.json);
    simi_free(&c->r.target);
    simi_free(&c->r.text);
    simi_free(&c->r.body);
    free(c->r.params);
    simi_free(&c->name);
    simi_free(&c->value);
    simi_free(&c->waiting);
    simi_free(&c->out);
    free(c);
}

static bool idle(const sim_conn *c)
{
    return !c->in_message && c->sent == c->out.len && !c->stalled;
}

static void check_idle(sim_conn *c)
{
    if (!c->ended && c->s->o.idle_close_ms != 0 && idle(c) &&
        simi_now(c->s) - c->last_ms >= (int64_t)c->s->o.idle_close_ms) {
        c->ended = true;
    }
}

bool sim_conn_receive(sim_conn *c, const void *bytes, size_t len)
{
    check_idle(c);
    if (c->ended) {
        return false;
    }
    simi_settle(c->s);
    size_t taken = 0;
    if (!c->deaf && c->sent == c->out.len && !c->stalled && !c->close_after) {
        taken = feed(c, bytes, len);
    }
    if (taken < len && !c->deaf && !c->close_after) {
        simi_put(&c->waiting, (const char *)bytes + taken, len - taken);
    }
    c->last_ms = simi_now(c->s);
    return true;
}

size_t sim_conn_pending(sim_conn *c)
{
    size_t n = c->out.len - c->sent;
    if (n == 0) {
        return 0;
    }
    int64_t now = simi_now(c->s);
    if (now < c->not_before) {
        return 0;
    }
    if (c->pause_ms != 0 && c->sent <= c->pause_at) {
        if (c->sent < c->pause_at) {
            return n < c->pause_at - c->sent ? n : c->pause_at - c->sent;
        }
        if (c->pause_until == 0) {
            c->pause_until = now + c->pause_ms;
        }
        if (now < c->pause_until) {
            return 0;
        }
        if (c->slow_bytes != 0) {
            next_pause(c);
            return n < c->slow_bytes ? n : c->slow_bytes;
        }
    }
    return n;
}

/* The answer was taken: the next request, if it has come already. */
static void go_on(sim_conn *c)
{
    c->out.len = c->sent = 0;
    c->not_before = 0;
    c->pause_ms = 0;
    c->slow_bytes = 0;
    c->last_ms = simi_now(c->s);
    end_now(c);
    if (c->ended || c->waiting.len == 0 || c->close_after) {
        return;
    }
    simi_buf waiting = c->waiting;
    memset(&c->waiting, 0, sizeof c->waiting);
    (void)sim_conn_receive(c, waiting.p, waiting.len);
    simi_free(&waiting);
}

size_t sim_conn_send(sim_conn *c, void *out, size_t cap)
{
    size_t n = sim_conn_pending(c);
    n = n < cap ? n : cap;
    if (n == 0) {
        return 0;
    }
    memcpy(out, c->out.p + c->sent, n);
    c->sent += n;
    if (c->sent == c->out.len) {
        go_on(c);
    } else {
        (void)sim_conn_pending(c); /* a pause begins when its byte is next */
    }
    return n;
}

sim_conn_end sim_conn_state(sim_conn *c)
{
    check_idle(c);
    return !c->ended ? SIM_CONN_OPEN : c->reset_after ? SIM_CONN_RESET : SIM_CONN_CLOSED;
}

bool sim_conn_busy(const sim_conn *c)
{
    return !idle(c);
}

int64_t simi_conn_due(sim_conn *c)
{
    if (c->out.len != c->sent) {
        int64_t now = simi_now(c->s);
        if (now < c->not_before) {
            return c->not_before;
        }
        return sim_conn_pending(c) == 0 ? c->pause_until : INT64_MAX;
    }
    bool may_end = c->s->o.idle_close_ms != 0 && !c->ended && idle(c);
    return may_end ? c->last_ms + (int64_t)c->s->o.idle_close_ms : INT64_MAX;
}

sim_conn *simi_conn_next(sim_conn *c)
{
    return c->next;
}
