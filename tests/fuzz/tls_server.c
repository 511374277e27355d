/*
 * Any bytes as those of a TLS server, starting from recorded conversations (record_tls.c).
 *
 *     input: see tls_talk.h
 *
 * What must hold: the same bytes give the same result and the same plain text, in whatever pieces
 * they come; each function does bounded work; nothing is received from a server that has not shown
 * a trusted certificate or has not finished the handshake; close() comes once per connect().
 * Rooms: TLS: RECORDS, TLS: CONNECTIONS.
 */
#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#include "avito_messenger.h"

#include "tls_talk.h"

struct wire {
    const uint8_t *bytes;
    size_t len, at, piece, calls;
    bool again, said; /* AGAIN before each piece */
    unsigned opened, closed;
};

static int wire_connect(void *ctx, const avito_server *to)
{
    (void)to;
    ((struct wire *)ctx)->opened++;
    return AVITO_OK;
}

static long wire_send(void *ctx, const void *data, size_t len, int more)
{
    struct wire *k = ctx;
    volatile uint8_t sum = 0;

    (void)more;
    for (size_t i = 0; i < len; i++) { /* all of it may be read */
        sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
    }
    MUST(++k->calls < 20000 && k->opened == 1 && k->closed == 0);
    return (long)len;
}

static long wire_recv(void *ctx, void *data, size_t cap)
{
    struct wire *k = ctx;
    size_t n = k->len - k->at;

    MUST(++k->calls < 20000 && k->opened == 1 && k->closed == 0 && cap > 0);
    if (n == 0) {
        return AVITO_IO_CLOSED;
    }
    k->said = k->again && !k->said;
    if (k->said) {
        return AVITO_IO_AGAIN;
    }
    n = n < cap ? n : cap;
    n = n < k->piece ? n : k->piece;
    memcpy(data, k->bytes + k->at, n);
    k->at += n;
    return (long)n;
}

static int wire_wants(void *ctx)
{
    (void)ctx;
    return AVITO_WANT_READ;
}

static void wire_close(void *ctx)
{
    ((struct wire *)ctx)->closed++;
}

static void run(struct talk *t, const uint8_t *data, size_t size, size_t piece, bool again)
{
    static const avito_transport_functions functions = {.connect = wire_connect,
                                                        .send = wire_send,
                                                        .recv = wire_recv,
                                                        .wants = wire_wants,
                                                        .close = wire_close};
    size_t head = TALK_HEAD;
    struct wire k;

    memset(&k, 0, sizeof k);
    memset(t, 0, offsetof(struct talk, got));
    t->below.functions = &functions;
    t->below.ctx = &k;
    t->flags = data[0];
    t->now = (int64_t)(data[1] | data[2] << 8 | data[3] << 16 | (uint32_t)data[4] << 24);
    if ((t->flags & TALK_RESUMES) != 0 && size >= head + sizeof t->session) {
        memcpy(&t->session, data + head, sizeof t->session);
        head += sizeof t->session;
    }
    k.bytes = data + head;
    k.len = size - head;
    k.piece = piece;
    k.again = again;
    talk(t);
    MUST(k.opened == k.closed);
    MUST(t->connected || t->got_len == 0);
    MUST(t->result <= -100 || t->result == AVITO_IO_CLOSED || t->result == AVITO_IO_AGAIN ||
         t->result == AVITO_AGAIN || t->got_len == sizeof t->got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct talk whole, split;

    if (size < TALK_HEAD) {
        return 0;
    }
    run(&whole, data, size, SIZE_MAX, false);
    run(&split, data, size, 1 + data[0] / 8u, false);
    MUST(whole.result == split.result && whole.connected == split.connected);
    MUST(whole.got_len == split.got_len && memcmp(whole.got, split.got, whole.got_len) == 0);
    run(&split, data, size, 700, true); /* a time-out may end it: only its beginning is the same */
    MUST(split.got_len <= whole.got_len && memcmp(whole.got, split.got, split.got_len) == 0);
    return 0;
}
