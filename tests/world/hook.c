/* hook.c - the way of a notification: a request in any pieces to the device's receiver, and its
 * answer back. Some requests are cut, some are too slow, and some come from strangers who do not
 * know the secret. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH     "/avito/0123456789abcdef0123456789abcdef"
#define STRANGER "/avito/0123456789abcdef0123456789abcdee"

typedef struct call {
    char bytes[20000];
    size_t len;
    char signature[65];
    bool stranger;     /* does not know the path, ... */
    bool forges, bare; /* ... or does, and signs wrongly, or not at all */
    bool cut, slow;
} call;

static void sign(char signature[65], const void *body, size_t len)
{
    (void)snprintf(signature, 65, "%016llx%048x", (unsigned long long)hash_text(body, len), 7u);
}

/* The receiver asks whether this comes from the service. */
static int verify(void *ctx, const void *body, size_t len, avito_str signature)
{
    world *w = ctx;
    char right[65];
    device_may_crash(w);
    w->verified++;
    sign(right, body, len);
    return avito_str_equal(signature, right) ? AVITO_OK : -9;
}

/* A new connection. */
void hook_connect(world *w)
{
    device *d = &w->device;
    avito_webhook_options o = avito_webhook_options_default();
    o.path = PATH;
    o.buffer = d->hook_buffer.memory;
    o.buffer_cap = d->hook_buffer.size;
    o.verify = w->plan.verifies ? verify : NULL;
    o.ctx = w;
    d->hook_broken = false;
    if (avito_webhook_init(&d->hook, &o, device_ms(w)) != AVITO_OK) {
        fail(w, "boot", "the receiver is refused");
    }
}

static void put(call *c, const void *bytes, size_t len)
{
    memcpy(c->bytes + c->len, bytes, len);
    c->len += len;
}

static void put_text(call *c, const char *text)
{
    put(c, text, strlen(text));
}

static void put_chunks(world *w, call *c, const char *body, size_t len)
{
    char head[24];
    put_text(c, "Transfer-Encoding: chunked\r\n\r\n");
    while (len > 0) {
        const size_t n = 1 + below(w, len);
        (void)snprintf(head, sizeof head, "%zx\r\n", n);
        put_text(c, head);
        put(c, body, n);
        put_text(c, "\r\n");
        body += n;
        len -= n;
    }
    put_text(c, "0\r\n\r\n");
}

static void write_call(world *w, call *c, const char *body, size_t len)
{
    char head[300];
    sign(c->signature, body, len);
    c->signature[20] ^= c->forges ? 1 : 0;
    (void)snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: example.com\r\n",
                   c->stranger && !c->forges && !c->bare ? STRANGER : PATH);
    put_text(c, head);
    if (!c->bare) {
        (void)snprintf(head, sizeof head, "X-Avito-Messenger-Signature: %s\r\n", c->signature);
        put_text(c, head);
    }
    if (chance(w, 300)) {
        put_chunks(w, c, body, len);
        return;
    }
    (void)snprintf(head, sizeof head, "Content-Length: %zu\r\n\r\n", len);
    put_text(c, head);
    put(c, body, len);
}

/* Feeds the request in pieces of any size; returns the receiver's last result. */
static int feed(world *w, const call *c, size_t len)
{
    int rc = AVITO_AGAIN;
    size_t at = 0, used = 1;
    while (rc == AVITO_AGAIN && at < len && used > 0) {
        const size_t piece = 1 + below(w, chance(w, 500) ? 8 : len);
        rc = avito_webhook_receive(&w->device.hook, c->bytes + at,
                                   piece < len - at ? piece : len - at, &used, device_ms(w));
        at += used;
    }
    return rc;
}

/* Takes the receiver's answer in pieces of any size; returns its status; 0: there is none. */
static int take_answer(world *w)
{
    avito_webhook *hook = &w->device.hook;
    char answer[200];
    size_t at = 0, len;
    const char *out;
    while ((out = avito_webhook_output(hook, &len)) != NULL) {
        const size_t n = 1 + below(w, len);
        memcpy(answer + at, out, n);
        at += n;
        avito_webhook_sent(hook, n, device_ms(w));
    }
    answer[at] = '\0';
    return at > 9 ? atoi(answer + 9) : 0;
}

static bool is_same(const world *w, const call *c, const char *body, size_t len)
{
    const avito_str signature = avito_webhook_signature(&w->device.hook);
    size_t got;
    const void *at = avito_webhook_body(&w->device.hook, &got);
    return at != NULL && got == len && memcmp(at, body, len) == 0 && signature.len == 64 &&
           memcmp(signature.ptr, c->signature, 64) == 0;
}

static void check_call(world *w, const call *c, int rc, int status, const char *body, size_t len)
{
    const bool probe = len == 2 && memcmp(body, "{}", 2) == 0;
    const int refusal = !c->forges && !c->bare ? 404 : probe ? 200 : 403; /* nobody signs a probe */
    if (c->slow) {
        if (rc != AVITO_ERR_TIMEOUT_TOTAL && rc != AVITO_ERR_TIMEOUT_IDLE) {
            fail(w, "webhook", "a slow sender is waited for: %d", rc);
        }
    } else if (!c->cut && status != (c->stranger ? refusal : 200)) {
        fail(w, "webhook", "answered with %d, result %d", status, rc);
    }
    if ((rc == AVITO_OK) != (!c->slow && !c->cut && !c->stranger && !probe)) {
        fail(w, "webhook", "result %d, answered with %d", rc, status);
    }
    if ((w->verified != 0) !=
            (w->plan.verifies && !probe && (rc == AVITO_OK || rc == AVITO_ERR_HOOK)) ||
        w->verified > 1) {
        fail(w, "webhook", "result %d, verified %u times", rc, w->verified);
    }
    if (rc == AVITO_OK && !is_same(w, c, body, len)) {
        fail(w, "webhook", "the body or its signature is not what was sent");
    }
}

static void went_wrong(world *w, const call *c)
{
    if (c->cut || c->slow) {
        happened(w, c->cut ? F_HOOK_CUT : F_HOOK_SLOW, -1);
    } else if (c->stranger) {
        happened(w, F_STRANGER, -1);
    }
}

/* The status that the service gets; 0: it gets no answer. avito_webhook_body() then tells whether
 * the receiver has a notification. */
int hook_call(world *w, const char *body, size_t len)
{
    static call c;
    device *d = &w->device;
    int rc, status;
    size_t used;
    memset(&c, 0, sizeof c);
    if (!w->calm) {
        c.stranger = chance(w, 50);
        c.forges = c.stranger && w->plan.verifies && chance(w, 500);
        c.bare = c.stranger && w->plan.verifies && !c.forges && chance(w, 300);
        c.cut = chance(w, 50);
        c.slow = !c.cut && chance(w, 50);
    }
    if (d->hook_broken || avito_webhook_finished(&d->hook) ||
        avito_webhook_deadline_ms(&d->hook, device_ms(w)) == 0 || chance(w, 200)) {
        hook_connect(w);
    }
    w->verified = 0;
    went_wrong(w, &c);
    write_call(w, &c, body, len);
    rc = feed(w, &c, c.cut || c.slow ? below(w, c.len) : c.len);
    if (c.slow && rc == AVITO_AGAIN) {
        rc = avito_webhook_receive(&d->hook, NULL, 0, &used, device_ms(w) + 60000u);
    }
    status = take_answer(w);
    d->hook_broken = c.cut || rc < 0;
    check_call(w, &c, rc, status, body, len);
    mix(w, (uint64_t)status * 7u + c.len);
    return c.cut || c.stranger ? 0 : status;
}
