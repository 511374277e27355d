/* net.c - a transport in memory: bytes travel to the simulator and back in segments, each with its
 * own time of arrival, and are lost, held up or cut on the way. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEVER INT64_MAX

/* ---------------------------------------------------------------- one direction */

/* Puts a segment on its way, which does not overtake the one before. */
static void flow_put(flow *f, const void *bytes, size_t len, int64_t due)
{
    if (len == 0) {
        return;
    }
    if (f->from == f->to) {
        f->from = f->to = 0;
    }
    if (f->to + len > f->cap) {
        f->cap = (f->to + len) * 2;
        f->bytes = realloc(f->bytes, f->cap);
    }
    if (f->seg_from == f->seg_to) {
        f->seg_from = f->seg_to = 0;
    }
    if (f->seg_to == f->seg_cap) {
        f->seg_cap = f->seg_cap * 2 + 8;
        f->segments = realloc(f->segments, f->seg_cap * sizeof *f->segments);
    }
    memcpy(f->bytes + f->to, bytes, len);
    f->to += len;
    f->last_due = due > f->last_due ? due : f->last_due;
    f->segments[f->seg_to].due = f->last_due;
    f->segments[f->seg_to].len = len;
    f->seg_to++;
}

static size_t flow_ready(const flow *f, int64_t now)
{
    return f->seg_from < f->seg_to && f->segments[f->seg_from].due <= now
               ? f->segments[f->seg_from].len
               : 0;
}

static void flow_take(flow *f, size_t n)
{
    f->from += n;
    f->segments[f->seg_from].len -= n;
    if (f->segments[f->seg_from].len == 0) {
        f->seg_from++;
    }
}

static void flow_hold(flow *f, int64_t now, uint32_t ms)
{
    for (size_t i = f->seg_from; i < f->seg_to; i++) {
        f->segments[i].due += ms;
    }
    f->last_due = (f->last_due > now ? f->last_due : now) + ms;
}

static void flow_free(flow *f)
{
    free(f->bytes);
    free(f->segments);
}

/* ---------------------------------------------------------------- links */

static void link_free(world *w, struct link *k)
{
    struct link **at = &w->links;
    while (*at != k) {
        at = &(*at)->next;
    }
    *at = k->next;
    sim_conn_close(k->conn);
    flow_free(&k->up);
    flow_free(&k->down);
    free(k);
}

struct link *net_find(world *w, uint64_t number)
{
    struct link *k = w->links;
    while (k != NULL && k->number != number) {
        k = k->next;
    }
    return k;
}

static struct link *link_new(world *w, struct lane *l)
{
    struct link *k = calloc(1, sizeof *k);
    uint64_t connect_ms = below(w, 30);
    k->lane = l->index;
    k->latency_ms = (uint32_t)below(w, 20);
    k->jitter_ms = (uint32_t)below(w, 10);
    k->up.cut_at = k->down.cut_at = UINT64_MAX;
    k->up.hold_at = k->down.hold_at = UINT64_MAX;
    k->wire.job = -1;
    if (!w->calm && w->plan.slow && chance(w, 200)) {
        k->latency_ms += (uint32_t)below(w, 2500);
        happened(w, F_DELAY, l->index);
    }
    if (!w->calm && w->plan.slow && chance(w, 150)) { /* a slow line makes states last */
        k->thin = 40 + below(w, 1000);
        k->thin_ms = 1 + (uint32_t)below(w, 150);
        happened(w, F_DELAY, l->index);
    }
    if (!w->calm && w->plan.refusals && chance(w, w->plan.fault_rate)) {
        happened(w, F_NO_CONNECT, l->index);
        k->refused = chance(w, 500);
        connect_ms = k->refused ? below(w, 3000) : (uint64_t)400000;
        say(w, "lane %d: %s", l->index, k->refused ? "will be refused" : "never connects");
    }
    k->ready_ms = w->now + (int64_t)connect_ms;
    k->next = w->links;
    w->links = k;
    return k;
}

/* The service's end is gone: the client notices after the bytes that are under way. */
static void link_end(world *w, struct link *k, bool reset)
{
    if (k->conn != NULL) {
        sim_conn_close(k->conn);
        k->conn = NULL;
    }
    if (k->end == 0) {
        const int64_t due = w->now + k->latency_ms;
        k->end = reset ? 2 : 1;
        k->end_due = due > k->down.last_due ? due : k->down.last_due;
    }
}

/* ---------------------------------------------------------------- the request as seen on the wire */

static void lane_moved(struct lane *l)
{
    l->moved++;
    l->moved_ms = l->world->now;
}

static const char *header_of(const wire *x, const char *name)
{
    const char *at = strstr(x->head, name);
    return at != NULL ? at + strlen(name) : NULL;
}

static void wire_head(world *w, struct lane *l, struct link *k)
{
    wire *x = &k->wire;
    const char *length = header_of(x, "Content-Length: ");
    const char *bearer = header_of(x, "Authorization: Bearer ");
    x->in_body = true;
    x->body_left = length != NULL ? strtoull(length, NULL, 10) : 0;
    x->is_token = strncmp(x->head, "POST /token", 11) == 0;
    x->is_write = strncmp(x->head, "POST ", 5) == 0 && !x->is_token;
    x->bearer = bearer != NULL ? hash_text(bearer, strcspn(bearer, "\r")) : 0;
    x->job = x->is_write && (l->act == ACT_UPLOAD || l->act == ACT_SEND) ? l->job : -1;
    w->requests++;
    say(w, "lane %d: %.*s", l->index, (int)strcspn(x->head, "\r"), x->head);
    if (l->act == ACT_SEND && strncmp(x->head, "GET ", 4) == 0) {
        check_read_back(w, l);
    }
    if (l->act == ACT_SEND && x->is_token && w->jobs[l->job].unsettled) {
        w->jobs[l->job].needs_token = true;
    }
    check_request_begins(w, l, k);
}

/* Does the body of a token request say that it spends a refresh token? */
static void follow_word(wire *x, char c)
{
    static const char word[] = "grant_type=refresh_token&";
    x->word = c == word[x->word] ? x->word + 1 : 0;
    if (x->is_token && word[x->word] == '\0') {
        x->is_refresh = true;
        x->word = 0;
    }
}

/* Does the status, which is in the first twelve bytes, say that nothing was stored? */
static bool wire_refuses(const wire *x)
{
    const int status = x->answer_len >= 12 ? atoi(x->answer + 9) : 0;
    return (status >= 400 && status < 405) || status == 413 || status == 429;
}

/* The request's last byte has left. */
static void wire_complete(world *w, wire *x)
{
    x->complete = true;
    if (x->job >= 0) {
        w->jobs[x->job].left = true;
        w->jobs[x->job].unsettled = !wire_refuses(x);
        w->jobs[x->job].refused = false;
    }
    if (x->is_refresh) {
        x->was_open = w->refresh_open;
        w->refresh_open = true;
    }
}

/* Follows the bytes that the client handed over. */
static void wire_sent(world *w, struct lane *l, struct link *k, const unsigned char *p, size_t len)
{
    wire *x = &k->wire;
    if (x->complete || !x->begun) { /* what answered the one before has been read */
        memset(x, 0, sizeof *x);
        x->begun = true;
        x->job = -1;
    }
    for (; len > 0; len--, p++) {
        if (x->in_body) {
            follow_word(x, (char)*p);
            x->body_left -= x->body_left > 0;
        } else if (x->head_len < sizeof x->head - 1) {
            x->head[x->head_len++] = (char)*p;
            if (x->head_len >= 4 && memcmp(x->head + x->head_len - 4, "\r\n\r\n", 4) == 0) {
                wire_head(w, l, k);
            }
        } else {
            fail(w, "request", "lane %d: a request head of over 2 KB", l->index);
        }
    }
    if (x->in_body && x->body_left == 0) {
        wire_complete(w, x);
    }
}

/* A whole head was given to the client, which may act upon it from now on. */
static void wire_answer(world *w, wire *x)
{
    const char *retry = strstr(x->answer, "\r\nRetry-After: ");
    x->status = atoi(x->answer + 9);
    if (x->status < 200) {
        x->answer_len = 0;
        x->status = 0;
        return;
    }
    if (x->is_refresh && x->status / 100 == 4) {
        w->refresh_open = x->was_open; /* a pair in doubt stays so until there is a new one */
    }
    if (x->job >= 0 && !x->spoilt) {
        w->jobs[x->job].refused = wire_refuses(x);
    }
    if ((x->status == 401 || x->status == 403) && x->bearer != 0) {
        w->refused_bearer[w->refused_count++ % 64] = x->bearer;
    }
    if (x->status == 429 && !x->spoilt && retry != NULL && atoi(retry + 15) > 0) {
        int64_t until = w->now + (int64_t)atoi(retry + 15) * 1000;
        if (strchr(retry + 15, ',') == NULL || strchr(retry + 15, ',') > strchr(retry + 15, '\r')) {
            w->rate_until = until > w->rate_until ? until : w->rate_until;
            w->rate_told = w->now;
        }
    }
}

/* Follows the bytes that the client was given, up to the end of the final head. */
static void wire_received(world *w, struct link *k, const unsigned char *p, size_t len)
{
    wire *x = &k->wire;
    for (; len > 0 && x->status == 0; len--, p++) {
        if (x->answer_len == sizeof x->answer - 1) { /* padding: the end is what matters */
            memmove(x->answer + 600, x->answer + sizeof x->answer - 9, 8);
            x->answer_len = 608;
        }
        x->answer[x->answer_len++] = (char)*p;
        x->answer[x->answer_len] = '\0';
        if (x->answer_len == 12 && x->job >= 0 && wire_refuses(x)) {
            w->jobs[x->job].unsettled = false;
        }
        if (x->answer_len > 15 && memcmp(x->answer + x->answer_len - 4, "\r\n\r\n", 4) == 0) {
            wire_answer(w, x);
        }
    }
}

/* ---------------------------------------------------------------- what goes wrong */

static uint64_t some_bytes(world *w, unsigned log2)
{
    return below(w, (uint64_t)1 << below(w, log2 + 1));
}

/* Decides at the beginning of a request what will happen to it, and at which byte of it or of its
 * answer. */
static void plan_request(world *w, struct link *k)
{
    const plan *p = &w->plan;
    const bool uploads = w->device.lanes[k->lane].act == ACT_UPLOAD; /* longer, and less often */
    const unsigned length = uploads ? 15 : 10;
    if (w->calm || !chance(w, uploads ? p->fault_rate * 3 : p->fault_rate)) {
        return;
    }
    switch (below(w, 5)) {
        case 0:
            if (p->cuts) {
                k->up.cut_at = k->up.total + some_bytes(w, length);
                k->up.cut_reset = chance(w, 500);
            }
            break;
        case 1:
            if (p->cuts) {
                k->down.cut_at = k->down.total + some_bytes(w, 14);
                k->down.cut_reset = chance(w, 500);
            }
            break;
        case 2:
            if (p->stalls) {
                k->up.hold_at = k->up.total + some_bytes(w, length);
                k->up.hold_ms = (uint32_t)around(w, 6000);
            }
            break;
        case 3:
            if (p->stalls) {
                k->down.hold_at = k->down.total + some_bytes(w, 14);
                k->down.hold_ms = (uint32_t)around(w, 15000);
            }
            break;
        default:
            if (p->slow) {
                k->latency_ms = (uint32_t)below(w, 3000);
                happened(w, F_DELAY, k->lane);
            }
            break;
    }
}

static void check_hold(world *w, struct link *k, flow *f, size_t len)
{
    if (f->hold_at < f->total + len) {
        f->hold_at = UINT64_MAX;
        happened(w, F_STALL, k->lane);
        say(w, "lane %d: bytes stall for %u ms", k->lane, f->hold_ms);
        flow_hold(f, w->now, f->hold_ms);
    }
}

/* At any moment, to any lane: its connection is closed, reset, stalls or becomes slow. */
void net_strike(world *w)
{
    const int lane = (int)below(w, w->plan.lanes);
    struct link *k = w->device.lanes[lane].link;
    if (!w->device.up || k == NULL) {
        return;
    }
    switch (below(w, 4)) {
        case 0:
        case 1:
            if (w->plan.cuts) {
                const bool reset = chance(w, 500);
                happened(w, reset ? F_RESET : F_HANGUP, lane);
                say(w, "lane %d: connection %s", lane, reset ? "reset" : "closed by the peer");
                k->refused = true;
                k->ready_ms = k->connected ? k->ready_ms : w->now;
                link_end(w, k, reset);
            }
            break;
        case 2:
            if (w->plan.stalls) {
                const uint32_t ms = (uint32_t)around(w, 12000);
                happened(w, F_STALL, lane);
                say(w, "lane %d: stalls for %u ms", lane, ms);
                flow_hold(&k->up, w->now, ms < 15000 ? ms : 15000);
                flow_hold(&k->down, w->now, ms);
            }
            break;
        default:
            if (w->plan.slow) {
                k->latency_ms += (uint32_t)below(w, 2000);
                happened(w, F_DELAY, lane);
            }
            break;
    }
}

/* From now on nothing goes wrong on the existing connections. */
void net_calm(world *w)
{
    for (struct link *k = w->links; k != NULL; k = k->next) {
        k->up.cut_at = k->down.cut_at = k->up.hold_at = k->down.hold_at = UINT64_MAX;
        k->latency_ms = 10;
        k->thin = k->thin_ms = 0;
    }
}

/* ---------------------------------------------------------------- the transport */

static int on_connect(void *ctx, const avito_server *to)
{
    struct lane *l = ctx;
    world *w = l->world;
    struct link *k = l->link;
    if (strcmp(to->host, "api.avito.ru") != 0 || to->port != 443) {
        fail(w, "host", "lane %d connects to %s:%u", l->index, to->host, to->port);
    }
    if (k == NULL) {
        k = l->link = link_new(w, l);
    }
    if (w->now < k->ready_ms) {
        return AVITO_AGAIN;
    }
    lane_moved(l);
    if (k->refused) {
        return AVITO_ERR_CONNECT;
    }
    if (!k->connected) {
        k->connected = true;
        k->conn = sim_conn_open(w->service);
        k->number = sim_get_stats(w->service)->connections;
    }
    return AVITO_OK;
}

/* An answer has arrived: bytes that are already in the client's window may leave, and no more. `len`: what
 * the transport takes, which a reset cuts short. */
static void check_deaf(world *w, const struct lane *l, struct link *k, size_t len)
{
    k->deaf = flow_ready(&k->down, w->now) > 0 ? k->deaf + len : 0;
    if (k->deaf > l->window.size) {
        fail(w, "early", "lane %d goes on sending although it was answered", l->index);
    }
}

static long on_send(void *ctx, const void *data, size_t len, int more)
{
    struct lane *l = ctx;
    world *w = l->world;
    struct link *k = l->link;
    flow *f = &k->up;
    size_t n = chance(w, 100) ? 1 + below(w, len) : len;
    size_t pass;
    (void)more;
    if (!k->wire.begun || k->wire.complete) {
        plan_request(w, k);
    }
    if (k->end != 0 && (k->end == 2 || chance(w, 300))) {
        k->blocked = false;
        k->broke = true;
        return AVITO_ERR_SEND;
    }
    if (k->end == 0 && (w->now < k->blocked_until || chance(w, l->act == ACT_UPLOAD ? 150 : 15))) {
        /* no room in the buffers below */
        k->blocked_until =
            w->now < k->blocked_until ? k->blocked_until : w->now + 1 + (int64_t)below(w, 50);
        k->blocked = true;
        k->listens = false;
        return AVITO_IO_AGAIN;
    }
    k->blocked = false;
    if (k->thin != 0) {
        n = n < k->thin ? n : k->thin;
        k->blocked_until = w->now + k->thin_ms;
    }
    pass = f->total + n <= f->cut_at ? n
           : f->cut_at > f->total    ? (size_t)(f->cut_at - f->total)
                                     : 0;
    check_deaf(w, l, k, f->cut_reset ? pass : n);
    if (pass < n) { /* the rest vanishes; the client learns it at once, or later */
        happened(w, F_CUT_UP, l->index);
        say(w, "lane %d: request cut", l->index);
        if (f->cut_reset) {
            link_end(w, k, true);
            return pass > 0 ? (wire_sent(w, l, k, data, pass), lane_moved(l), (long)pass)
                            : (long)AVITO_ERR_SEND;
        }
    }
    check_hold(w, k, f, pass);
    flow_put(f, data, pass, w->now + k->latency_ms + (int64_t)below(w, k->jitter_ms + 1u));
    f->total += pass;
    wire_sent(w, l, k, data, n);
    lane_moved(l);
    w->hash = hash_text(data, n) ^ (w->hash * 31u);
    return (long)n;
}

static long on_recv(void *ctx, void *data, size_t cap)
{
    struct lane *l = ctx;
    world *w = l->world;
    struct link *k = l->link;
    flow *f = &k->down;
    size_t n = flow_ready(f, w->now);
    w->others_told_ms = l->index != 0 || l->act == ACT_BROWSE ? w->now : w->others_told_ms;
    k->blocked = k->blocked && n == 0;
    if (n == 0) {
        k->listens = true;
        if (k->end == 0 || f->from != f->to || w->now < k->end_due) {
            return AVITO_IO_AGAIN;
        }
        lane_moved(l);
        if (k->cut_down) {
            happened(w, F_CUT_DOWN, l->index);
        }
        return k->end == 1 ? AVITO_IO_CLOSED : (long)AVITO_ERR_RECV;
    }
    n = n < cap ? n : cap;
    n = chance(w, 50) ? 1 + below(w, n) : n;
    memcpy(data, f->bytes + f->from, n);
    if (w->trace && getenv("WORLD_BYTES") != NULL) {
        say(w, "lane %d: < %.*s", l->index, (int)n, (const char *)data);
    }
    flow_take(f, n);
    wire_received(w, k, data, n);
    lane_moved(l);
    w->hash = hash_text(data, n) ^ (w->hash * 31u);
    return (long)n;
}

static int on_wants(void *ctx)
{
    struct lane *l = ctx;
    const struct link *k = l->link;
    if (k == NULL || !k->connected) {
        return AVITO_WANT_WRITE;
    }
    return !k->blocked ? AVITO_WANT_READ : AVITO_WANT_WRITE | (k->listens ? AVITO_WANT_READ : 0);
}

/* Bytes that were handed over are on their way, and may arrive although nobody waits for the
 * answer. */
static void on_close(void *ctx)
{
    struct lane *l = ctx;
    world *w = l->world;
    struct link *k = l->link;
    if (k == NULL) {
        fail(w, "transport", "lane %d closes what was not open", l->index);
        return;
    }
    if (k->broke && k->wire.status == 0 && !k->wire.spoilt && flow_ready(&k->down, w->now) > 0) {
        fail(w, "early", "lane %d hangs up although it was answered", l->index);
    }
    l->link = NULL;
    k->lane = -1;
    k->orphan_until = w->now + 20000;
    if (!k->connected || k->conn == NULL || chance(w, 400)) {
        link_free(w, k);
    }
}

static int on_wait(void *ctx, int wants, uint32_t ms)
{
    struct lane *l = ctx;
    world *w = l->world;
    const int waits_for = avito_wants(&l->client);
    const uint32_t nap_ms = w->device.inbox_options.nap_ms;
    const uint32_t most = !impl_call(&l->client)
                              ? nap_ms != 0 ? nap_ms : w->device.inbox_options.slow_poll_ms
                          : waits_for == AVITO_WANT_ACCOUNT ? 100 /* nobody will wake it */
                                                            : l->client.o.total_timeout_ms;
    if (!l->may_wait) {
        fail(w, "waiting", "lane %d waits although it may not", l->index);
    }
    if (ms > most) {
        fail(w, "waiting", "lane %d waits for %d, %u ms long", l->index, waits_for, (unsigned)ms);
    }
    happened(w, F_SLEEP, l->index);
    w->account_steps += waits_for != AVITO_WANT_ACCOUNT; /* it has moved */
    if (!w->calm && w->plan.cuts && chance(w, 2)) {
        say(w, "lane %d: waiting fails", l->index);
        return -7;
    }
    return world_sleep(w, l, wants, ms) ? AVITO_OK : AVITO_AGAIN;
}

const avito_transport_functions world_transport = {on_connect, on_send,  on_recv, on_wants,
                                                   on_wait,    on_close, NULL,    NULL};

void net_drop_all(world *w)
{
    for (unsigned i = 0; i < w->plan.lanes; i++) {
        if (w->device.lanes[i].link != NULL) {
            w->device.lanes[i].link->broke = false; /* nobody is there to read an answer */
            on_close(&w->device.lanes[i]);
        }
    }
}

bool net_readable(const struct lane *l)
{
    const world *w = l->world;
    const struct link *k = l->link;
    if (k == NULL || !k->connected) {
        return k == NULL || w->now >= k->ready_ms;
    }
    if (k->blocked && (w->now >= k->blocked_until || !k->listens)) {
        return w->now >= k->blocked_until;
    }
    return flow_ready(&k->down, w->now) > 0 ||
           (k->end != 0 && k->down.from == k->down.to && w->now >= k->end_due);
}

/* ---------------------------------------------------------------- the passage of time */

static void deliver(world *w, struct link *k)
{
    flow *f = &k->up;
    size_t n;
    while ((n = flow_ready(f, w->now)) > 0) {
        if (k->conn != NULL) {
            (void)sim_conn_receive(k->conn, f->bytes + f->from, n);
        }
        flow_take(f, n);
        w->progress++;
    }
    if (f->from == f->to && f->total >= f->cut_at && k->conn != NULL) {
        link_end(w, k, f->cut_reset);
    }
}

/* Takes the service's bytes, and puts them on their way to the client. */
static void collect(world *w, struct link *k)
{
    unsigned char bytes[4096];
    flow *f = &k->down;
    size_t n, cap = k->thin != 0 ? k->thin : sizeof bytes;
    while (k->conn != NULL && (n = sim_conn_send(k->conn, bytes, cap)) > 0) {
        size_t pass = f->total + n <= f->cut_at ? n : (size_t)(f->cut_at - f->total);
        check_hold(w, k, f, pass);
        f->last_due += k->thin_ms;
        flow_put(f, bytes, pass, w->now + k->latency_ms + (int64_t)below(w, k->jitter_ms + 1u));
        f->total += pass;
        w->progress++;
        if (pass < n) {
            k->cut_down = true;
            say(w, "lane %d: answer cut on the way", k->lane);
            link_end(w, k, f->cut_reset);
        }
    }
    if (k->conn != NULL && sim_conn_state(k->conn) != SIM_CONN_OPEN) {
        link_end(w, k, sim_conn_state(k->conn) == SIM_CONN_RESET);
    }
}

void net_pump(world *w)
{
    struct link *next;
    for (struct link *k = w->links; k != NULL; k = next) {
        next = k->next;
        deliver(w, k);
        if (k->lane >= 0) {
            collect(w, k);
        } else if (k->conn == NULL || k->up.from == k->up.to || w->now >= k->orphan_until) {
            link_free(w, k);
        }
    }
}

int64_t net_due(world *w)
{
    int64_t due = NEVER;
    for (struct link *k = w->links; k != NULL; k = k->next) {
        if (k->up.seg_from < k->up.seg_to) {
            due = earliest(due, k->up.segments[k->up.seg_from].due);
        }
        if (k->lane < 0) {
            due = earliest(due, k->orphan_until);
            continue;
        }
        if (k->down.seg_from < k->down.seg_to && k->down.segments[k->down.seg_from].due > w->now) {
            due = earliest(due, k->down.segments[k->down.seg_from].due);
        }
        if (!k->connected && k->ready_ms > w->now) {
            due = earliest(due, k->ready_ms);
        }
        if (k->blocked && k->blocked_until > w->now) {
            due = earliest(due, k->blocked_until);
        }
        if (k->end != 0 && k->end_due > w->now) {
            due = earliest(due, k->end_due);
        }
    }
    return due;
}

void net_free(world *w)
{
    while (w->links != NULL) {
        link_free(w, w->links);
    }
}
