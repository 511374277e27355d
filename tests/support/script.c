#include "support/script.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { CONNECT, EXPECT, REQUEST, TAKE, ANSWER, END, FAIL, SEND_FAIL };

struct script_step {
    enum kind kind;
    unsigned char *bytes;
    size_t len;
    size_t agains; /* CONNECT */
    int result, detail;
};

/* Only the first problem counts: what follows is often its consequence. */
static void wrong(struct script *s, const char *format, ...)
{
    va_list args;

    if (s->problem[0] != '\0') {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(s->problem, sizeof s->problem, format, args);
    va_end(args);
}

void script_init(struct script *s)
{
    memset(s, 0, sizeof *s);
    s->sent = calloc(1, 1);
    s->sent_room = 1;
    script_rewind(s);
}

void script_free(struct script *s)
{
    for (size_t i = 0; i < s->step_count; i++) {
        free(s->steps[i].bytes);
    }
    free(s->steps);
    free(s->sent);
    free(s->requests);
    memset(s, 0, sizeof *s);
}

/* ---- writing the script ---- */

/* Adds a step to the script, with a copy of its bytes. */
static struct script_step *add(struct script *s, enum kind kind, const void *bytes, size_t len)
{
    struct script_step *step;

    if (s->step_count == s->step_room) {
        s->step_room = s->step_room * 2 + 8;
        s->steps = realloc(s->steps, s->step_room * sizeof *s->steps);
        if (s->steps == NULL) {
            abort();
        }
    }
    step = &s->steps[s->step_count++];
    memset(step, 0, sizeof *step);
    step->kind = kind;
    step->len = len;
    if (bytes != NULL && len != 0) {
        step->bytes = malloc(len);
        if (step->bytes == NULL) {
            abort();
        }
        memcpy(step->bytes, bytes, len);
    }
    return step;
}

void script_connect(struct script *s)
{
    script_connect_with(s, 0, AVITO_OK);
}

void script_connect_with(struct script *s, size_t agains, int result)
{
    struct script_step *step = add(s, CONNECT, NULL, 0);

    step->agains = agains;
    step->result = result;
}

void script_expect(struct script *s, const void *bytes, size_t len)
{
    if (len != 0) {
        (void)add(s, EXPECT, bytes, len);
    }
}

void script_request(struct script *s)
{
    (void)add(s, REQUEST, NULL, 0);
}

void script_take(struct script *s, size_t len)
{
    if (len != 0) {
        (void)add(s, TAKE, NULL, len);
    }
}

/* Answers that follow one another are one: where a piece ends is not for the script to say. */
void script_answer(struct script *s, const void *bytes, size_t len)
{
    struct script_step *last = s->step_count != 0 ? &s->steps[s->step_count - 1] : NULL;

    if (len == 0) {
        return;
    }
    if (last == NULL || last->kind != ANSWER) {
        (void)add(s, ANSWER, bytes, len);
        return;
    }
    last->bytes = realloc(last->bytes, last->len + len);
    if (last->bytes == NULL) {
        abort();
    }
    memcpy(last->bytes + last->len, bytes, len);
    last->len += len;
}

void script_answer_json(struct script *s, int status, const void *body, size_t len)
{
    char head[128];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     status, len);

    script_answer(s, head, (size_t)n);
    script_answer(s, body, len);
}

void script_end(struct script *s)
{
    (void)add(s, END, NULL, 0);
}

void script_fail(struct script *s, int code, int detail)
{
    struct script_step *step = add(s, FAIL, NULL, 0);

    step->result = code;
    step->detail = detail;
}

void script_send_fail(struct script *s, int code, int detail)
{
    struct script_step *step = add(s, SEND_FAIL, NULL, 0);

    step->result = code;
    step->detail = detail;
}

/* ---- playing it ---- */

static const struct script_step *current(const struct script *s)
{
    return s->step < s->step_count ? &s->steps[s->step] : NULL;
}

/* The step in progress, if it is one of the open connection. */
static const struct script_step *current_io(const struct script *s)
{
    const struct script_step *step = current(s);

    return step != NULL && step->kind != CONNECT ? step : NULL;
}

static void next_step(struct script *s)
{
    s->step++;
    s->moved = 0;
    s->request_at = s->sent_len;
    s->head_len = 0;
    s->body_len = 0;
}

static void record(struct script *s, const void *bytes, size_t len)
{
    if (s->sent_len + len + 1 > s->sent_room) {
        s->sent_room = (s->sent_len + len + 1) * 2;
        s->sent = realloc(s->sent, s->sent_room);
        if (s->sent == NULL) {
            abort();
        }
    }
    memcpy(s->sent + s->sent_len, bytes, len);
    s->sent_len += len;
    s->sent[s->sent_len] = '\0';
}

static void request_done(struct script *s, int more)
{
    if (more != 0) {
        wrong(s, "request %zu: its last byte was sent with `more` set", s->request_count);
    }
    if (s->request_count == s->request_room) {
        s->request_room = s->request_room * 2 + 8;
        s->requests = realloc(s->requests, s->request_room * sizeof *s->requests);
        if (s->requests == NULL) {
            abort();
        }
    }
    s->requests[s->request_count].at = s->request_at;
    s->requests[s->request_count].len = s->sent_len - s->request_at;
    s->requests[s->request_count].connection = s->connects - 1;
    s->request_count++;
    next_step(s);
}

/* The value of Content-Length in a complete head; 0 without one. */
static size_t content_length(const char *head, size_t len)
{
    static const char name[] = "\r\ncontent-length:";
    size_t width = sizeof name - 1;

    for (size_t i = 0; i + width <= len; i++) {
        size_t k = 0;
        while (k < width && tolower((unsigned char)head[i + k]) == name[k]) {
            k++;
        }
        if (k == width) {
            return (size_t)strtoull(head + i + width, NULL, 10);
        }
    }
    return 0;
}

/* How many more bytes the request in progress can take; at least 1. Heads go byte by byte. */
static size_t request_room(const struct script *s)
{
    return s->head_len == 0 ? 1 : s->head_len + s->body_len - s->moved;
}

static bool request_moved(struct script *s)
{
    const char *head = (const char *)s->sent + s->request_at;

    if (s->head_len == 0 && s->moved >= 4 && memcmp(head + s->moved - 4, "\r\n\r\n", 4) == 0) {
        s->head_len = s->moved;
        s->body_len = content_length(head, s->moved);
    }
    return s->head_len != 0 && s->moved == s->head_len + s->body_len;
}

/* Takes bytes for one step; returns how many. */
static size_t take(struct script *s, const struct script_step *step, const unsigned char *data,
                   size_t len, int more)
{
    size_t room = step->kind == REQUEST ? request_room(s) : step->len - s->moved;
    size_t n = len < room ? len : room;
    bool done;

    if (step->kind == EXPECT && memcmp(step->bytes + s->moved, data, n) != 0) {
        size_t k = 0;
        while (step->bytes[s->moved + k] == data[k]) {
            k++;
        }
        wrong(s, "step %zu: byte %zu is 0x%02x, expected 0x%02x; sent \"%.*s\", expected \"%.*s\"",
              s->step, s->moved + k, data[k], step->bytes[s->moved + k],
              (int)(n - k < 60 ? n - k : 60), (const char *)data + k,
              (int)(step->len - s->moved - k < 60 ? step->len - s->moved - k : 60),
              (const char *)step->bytes + s->moved + k);
        s->dead = true;
    }
    record(s, data, n);
    s->moved += n;
    done = step->kind == REQUEST ? request_moved(s) : s->moved == step->len;
    if (done) {
        request_done(s, n == len ? more : 0);
    }
    return n;
}

/* Begins the next connection of the script, or goes on with one that said AGAIN. */
static int script_connect_call(void *ctx, const avito_server *to)
{
    struct script *s = ctx;
    const struct script_step *step;

    s->connect_calls++;
    if (s->connected) {
        wrong(s, "connect on an open connection");
        return AVITO_ERR_CONNECT;
    }
    if (!s->open) {
        s->open = true;
        s->connects++;
        while (current_io(s) != NULL) { /* the client gave the last connection up early */
            next_step(s);
        }
        s->again_left = current(s) != NULL ? current(s)->agains : 0;
        (void)snprintf(s->host, sizeof s->host, "%s", to->host);
        s->port = to->port;
    } else if (s->dead) {
        wrong(s, "connect again after it failed");
    }
    step = current(s);
    if (step == NULL) {
        wrong(s, "connect number %zu: the script has no more connections", s->connects);
        s->dead = true;
        return AVITO_ERR_CONNECT;
    }
    if (s->again_left != 0) {
        s->again_left -= s->again_left != SCRIPT_NEVER ? 1 : 0;
        return AVITO_AGAIN;
    }
    s->last_detail = step->detail;
    s->dead = step->result != AVITO_OK;
    s->connected = step->result == AVITO_OK;
    next_step(s);
    return s->connected ? AVITO_OK : s->steps[s->step - 1].result;
}

static long send_refused(struct script *s, const struct script_step *step, size_t len)
{
    if (step != NULL && step->kind == SEND_FAIL) {
        s->last_detail = step->detail;
        s->send_dead = true;
        next_step(s);
        return s->steps[s->step - 1].result;
    }
    if (step != NULL && step->kind == ANSWER && s->early) {
        return 0;
    }
    wrong(s, "step %zu: %zu bytes sent where nothing is expected", s->step, len);
    s->dead = true;
    return AVITO_ERR_SEND;
}

/* Takes bytes for as many steps as this piece reaches. Without a step that takes bytes, sending is
 * wrong, unless the script allows for it (.early, SEND_FAIL). */
static long script_send(void *ctx, const void *data, size_t len, int more)
{
    struct script *s = ctx;
    const struct script_step *step = current_io(s);
    size_t want = s->send_piece != 0 && len > s->send_piece ? s->send_piece : len;
    size_t n = 0;

    s->send_calls++;
    if (!s->connected || s->dead || s->send_dead || len == 0) {
        wrong(s, "send %s",
              !s->connected             ? "without a connection"
              : s->dead || s->send_dead ? "after the end"
                                        : "of 0 bytes");
        return AVITO_ERR_SEND;
    }
    s->send_blocked = s->send_again && !s->said_send_again;
    s->said_send_again = s->send_blocked;
    if (s->send_blocked) {
        return AVITO_IO_AGAIN;
    }
    while (n < want) {
        size_t took;
        step = current_io(s);
        if (step == NULL || step->kind > TAKE) {
            break;
        }
        took = take(s, step, (const unsigned char *)data + n, want - n, want == len ? more : 1);
        n += took;
        if (s->dead) {
            return AVITO_ERR_SEND;
        }
        if (step->kind != REQUEST || s->moved == 0) {
            break; /* a step is over: let the other side have a turn */
        }
    }
    if (n == 0) {
        long refused = send_refused(s, step, len);
        if (refused != 0) {
            return refused;
        }
        record(s, data, want); /* .early: dropped, as by a server that answered already */
        n = want;
    }
    return (long)n;
}

/* How many bytes the piece that begins at `answered` may have. */
static size_t piece(const struct script *s, size_t left)
{
    size_t n = s->recv_piece != 0 && left > s->recv_piece ? s->recv_piece : left;

    for (size_t i = 0; i < s->split_count; i++) {
        if (s->splits[i] > s->answered) {
            size_t to_split = s->splits[i] - s->answered;
            return n < to_split ? n : to_split;
        }
    }
    return n;
}

/* Gives the next piece of the present answer. */
static long script_recv_answer(struct script *s, const struct script_step *step, void *data,
                               size_t cap)
{
    size_t n = piece(s, step->len - s->moved);

    if (s->again && !s->said_again) {
        s->said_again = true;
        return AVITO_IO_AGAIN;
    }
    if (n <= cap) {
        s->said_again = false; /* this piece is over */
    } else {
        n = cap;
    }
    memcpy(data, step->bytes + s->moved, n);
    s->moved += n;
    s->answered += n;
    s->recv_bytes += n;
    if (s->moved == step->len) {
        next_step(s);
    }
    return (long)n;
}

/* An answer's bytes, its end or failure; AGAIN as long as a request is expected. */
static long script_recv(void *ctx, void *data, size_t cap)
{
    struct script *s = ctx;
    const struct script_step *step = current_io(s);

    s->recv_calls++;
    if (!s->connected || s->dead || cap == 0) {
        wrong(s, "recv %s",
              !s->connected ? "without a connection"
              : s->dead     ? "after the end"
                            : "of 0 bytes");
        return AVITO_ERR_RECV;
    }
    if (step == NULL || step->kind <= TAKE || step->kind == SEND_FAIL) {
        s->dead = s->send_dead; /* nothing will come */
        return s->dead ? AVITO_ERR_RECV : AVITO_IO_AGAIN;
    }
    if (step->kind == ANSWER) {
        return script_recv_answer(s, step, data, cap);
    }
    if (s->again && !s->said_again) {
        s->said_again = true;
        return AVITO_IO_AGAIN;
    }
    s->said_again = false;
    s->dead = true;
    s->last_detail = step->detail;
    next_step(s);
    return step->kind == END ? AVITO_IO_CLOSED : step->result;
}

static int script_wants(void *ctx)
{
    struct script *s = ctx;

    return !s->connected     ? AVITO_WANT_WRITE
           : s->send_blocked ? AVITO_WANT_READ | AVITO_WANT_WRITE
                             : AVITO_WANT_READ;
}

bool script_ready(const struct script *s, int wants)
{
    const struct script_step *step = current(s);

    if (!s->open || s->dead) {
        return wants != AVITO_WANT_TIMER; /* between connections only time passes */
    }
    if (!s->connected) {
        return s->again_left != SCRIPT_NEVER;
    }
    if (step == NULL || step->kind == CONNECT) {
        return false;
    }
    if (step->kind <= TAKE || step->kind == SEND_FAIL) {
        return (wants & AVITO_WANT_WRITE) != 0;
    }
    return (wants & AVITO_WANT_READ) != 0 || (step->kind == ANSWER && s->early);
}

static int script_wait(void *ctx, int wants, uint32_t ms)
{
    struct script *s = ctx;

    s->wait_calls++;
    if (script_ready(s, wants)) {
        return AVITO_OK;
    }
    s->idle_waits++;
    if (s->clock != NULL) {
        clock_advance(s->clock, ms);
    } else if (s->idle_waits > 10000) {
        wrong(s, "waits for ever at step %zu", s->step);
        return AVITO_ERR_RECV;
    }
    return AVITO_OK;
}

static void script_close(void *ctx)
{
    struct script *s = ctx;

    if (!s->open) {
        wrong(s, "close without a connect before it");
        return;
    }
    s->closes++;
    s->open = false;
    s->connected = false;
    s->dead = false;
    s->send_dead = false;
    s->said_again = false;
    s->said_send_again = false;
    s->send_blocked = false;
    s->answered = 0;
}

static int script_detail(void *ctx)
{
    const struct script *s = ctx;

    return s->last_detail;
}

avito_transport script_transport(struct script *s)
{
    static const avito_transport_functions waiting = {
        script_connect_call, script_send,  script_recv,   script_wants,
        script_wait,         script_close, script_detail, NULL,
    };
    static const avito_transport_functions stepping = {
        script_connect_call, script_send,   script_recv, script_wants, NULL,
        script_close,        script_detail, NULL,
    };
    avito_transport transport;

    transport.functions = s->may_wait ? &waiting : &stepping;
    transport.ctx = s;
    return transport;
}

void script_rewind(struct script *s)
{
    s->sent_len = 0;
    s->sent[0] = '\0';
    s->request_count = 0;
    s->connects = s->closes = 0;
    s->open = false;
    s->host[0] = '\0';
    s->port = 0;
    s->connect_calls = s->send_calls = s->recv_calls = s->wait_calls = 0;
    s->recv_bytes = s->idle_waits = 0;
    s->step = s->moved = s->request_at = s->head_len = s->body_len = 0;
    s->answered = s->again_left = 0;
    s->connected = s->said_again = s->said_send_again = s->dead = s->send_dead = s->send_blocked =
        false;
    s->last_detail = 0;
    s->problem[0] = '\0';
}

const char *script_wrong(const struct script *s)
{
    return s->problem[0] != '\0' ? s->problem : NULL;
}

const char *script_problem_open(struct script *s, bool may_be_open)
{
    if (s->step != s->step_count) {
        wrong(s, "the script stopped at step %zu of %zu, %zu bytes into it", s->step, s->step_count,
              s->moved);
    }
    if (s->open && !may_be_open) {
        wrong(s, "the connection was not closed");
    }
    if (s->connects != s->closes + (s->open ? 1 : 0)) {
        wrong(s, "%zu connects, %zu closes", s->connects, s->closes);
    }
    return script_wrong(s);
}

const char *script_problem(struct script *s)
{
    return script_problem_open(s, false);
}
