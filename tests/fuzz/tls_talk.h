/*
 * One conversation of the TLS transport, always with the same random bytes, so that a recorded
 * server's bytes fit again. For tls_server.c, and for record_tls.c, which records.
 *
 *     input: flags, time (4 bytes), a session (112 bytes, if the flags say so); the server's bytes
 *
 * Needs the implementation, with sockets and BearSSL.
 */
#ifndef TESTS_FUZZ_TLS_TALK_H
#define TESTS_FUZZ_TLS_TALK_H

#include "fuzz.h"

enum { TALK_RESUMES = 1, TALK_FULL_DUPLEX = 2, TALK_SMALL = 4, TALK_HEAD = 5, TALK_PATIENCE = 60 };

struct talk {
    avito_transport below;
    uint8_t flags;
    int64_t now;
    avito_tls_session session; /* with TALK_RESUMES: to begin with */
    /* What came of it. */
    int result; /* of connect, of send, or of recv at the end */
    bool connected;
    size_t got_len;
    uint8_t got[40000];
    avito_tls tls;
    uint8_t buffer[AVITO_TLS_BUFFER_FULL(16384)];
};

static int64_t talk_time(void *ctx)
{
    return ((struct talk *)ctx)->now;
}

static int talk_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 7, len);
    return AVITO_OK;
}

/* BearSSL would mix in random bytes of the system: not here. */
static void talk_configure(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    (void)ctx;
    avito_tls_profile(ssl, x509);
    ssl->eng.rng_os_rand_done = 1;
}

static const avito_anchors *talk_anchors(void)
{
    static avito_anchors anchors;
    static char room[8192];

    if (anchors.count == 0) {
        MUST(avito_anchors_load_file(&anchors, room, sizeof room, "build/tls/roots.pem") ==
             AVITO_OK);
    }
    return &anchors;
}

static void talk_begin(struct talk *t)
{
    avito_tls_options o = avito_tls_options_default();
    const size_t fragment = (t->flags & TALK_SMALL) != 0 ? 1024 : 16384;

    o.transport = t->below;
    o.anchors = talk_anchors()->items;
    o.anchors_count = talk_anchors()->count;
    o.full_duplex = (t->flags & TALK_FULL_DUPLEX) != 0;
    o.buffer = t->buffer;
    o.buffer_cap =
        o.full_duplex ? AVITO_TLS_BUFFER_FULL(fragment) : AVITO_TLS_BUFFER_HALF(fragment);
    o.ctx = t;
    o.unix_time = talk_time;
    o.entropy = talk_entropy;
    o.configure = talk_configure;
    MUST(avito_tls_init(&t->tls, &o) == AVITO_OK);
    if ((t->flags & TALK_RESUMES) != 0) {
        (void)avito_tls_set_session(&t->tls, &t->session);
    }
}

static long talk_say(const avito_transport *tls)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: api.example.test\r\n\r\n";
    size_t at = 0;
    long n = 0;

    for (int turns = 0; at < sizeof request - 1 && turns < TALK_PATIENCE; turns++) {
        n = tls->functions->send(tls->ctx, request + at, sizeof request - 1 - at, 0);
        if (n < 0 && n != AVITO_IO_AGAIN) {
            return n;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return at == sizeof request - 1 ? AVITO_OK : n;
}

static long talk_listen(struct talk *t, const avito_transport *tls)
{
    long n = AVITO_IO_AGAIN;

    for (int turns = 0; turns < TALK_PATIENCE && t->got_len < sizeof t->got; turns++) {
        n = tls->functions->recv(tls->ctx, t->got + t->got_len, sizeof t->got - t->got_len);
        MUST(n != 0 && n <= (long)(sizeof t->got - t->got_len));
        if (n < 0 && n != AVITO_IO_AGAIN) {
            break;
        }
        if (n > 0) {
            t->got_len += (size_t)n;
            turns = 0;
        }
    }
    return n;
}

static void talk(struct talk *t)
{
    static const avito_server server = {"api.example.test", 443};
    avito_transport tls;
    long rc = AVITO_AGAIN;

    t->connected = false;
    t->got_len = 0;
    talk_begin(t);
    tls = avito_tls_transport(&t->tls);
    for (int turns = 0; rc == AVITO_AGAIN && turns < TALK_PATIENCE; turns++) {
        rc = tls.functions->connect(tls.ctx, &server);
    }
    if (rc == AVITO_OK) {
        t->connected = true;
        rc = talk_say(&tls);
        rc = rc == AVITO_OK ? talk_listen(t, &tls) : rc;
    }
    t->result = (int)rc;
    tls.functions->close(tls.ctx);
}

#endif
