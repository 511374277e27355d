#include "tls/peer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static const char request[] = "GET / HTTP/1.1\r\nHost: " PEER_HOST "\r\n\r\n";

/* ---- the server ---- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char http[] = "\x08http/1.1";
    (void)ssl;
    (void)arg;
    return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, http, 9, in, in_len) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void peer_init(struct peer *peer, const char *name)
{
    char path[200];
    memset(peer, 0, sizeof *peer);
    peer->ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_security_level(peer->ctx, 0); /* it must be able to misbehave */
    SSL_CTX_set_min_proto_version(peer->ctx, TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(peer->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(peer->ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_id_context(peer->ctx, (const unsigned char *)"t", 1);
    SSL_CTX_set_alpn_select_cb(peer->ctx, choose_alpn, NULL);
    snprintf(path, sizeof path, PEER_CERTS "%s.pem", name);
    if (SSL_CTX_use_certificate_chain_file(peer->ctx, path) != 1) {
        ERR_print_errors_fp(stderr);
        assert(!"no certificate");
    }
    snprintf(path, sizeof path, PEER_CERTS "%s.key", name);
    assert(SSL_CTX_use_PrivateKey_file(peer->ctx, path, SSL_FILETYPE_PEM) == 1);
    peer->answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    peer->answer_len = strlen(peer->answer);
    peer->ending = PEER_NOTIFY;
}

void peer_free(struct peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->ctx);
}

void peer_again(struct peer *peer)
{
    peer->got_len = 0;
    peer->got_notify = false;
    peer->sends = peer->recvs = peer->sent_bytes = peer->recv_bytes = 0;
    peer->connects = peer->closes = peer->waits = peer->recv_calls = peer->most = 0;
}

void peer_repeat_extension(struct peer *peer, const char *issuer)
{
    char path[200];
    X509 *cert = X509_dup(SSL_CTX_get0_certificate(peer->ctx));
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    ASN1_OBJECT *oid = OBJ_txt2obj("1.2.3.4.5", 1); /* OpenSSL refuses to serve such a one */
    X509_EXTENSION *extension;
    EVP_PKEY *key;
    FILE *file;
    ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\x00", 2);
    extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 0, value);
    X509_add_ext(cert, extension, -1);
    X509_add_ext(cert, extension, -1);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
    snprintf(path, sizeof path, PEER_CERTS "%s.key", issuer);
    file = fopen(path, "r");
    key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    assert(X509_sign(cert, key, EVP_sha256()) > 0);
    assert(SSL_CTX_use_certificate(peer->ctx, cert) == 1);
    EVP_PKEY_free(key);
    X509_EXTENSION_free(extension);
    X509_free(cert);
}

static bool request_complete(const struct peer *peer)
{
    if (peer->answer_after > 0) {
        return peer->got_len >= peer->answer_after;
    }
    return peer->got_len >= 4 && memcmp(peer->got + peer->got_len - 4, "\r\n\r\n", 4) == 0;
}

static void say(struct peer *peer)
{
    size_t records = peer->answer_records > 0 ? peer->answer_records : 1;
    size_t at = 0;
    size_t i;
    for (i = 0; i < records; i++) {
        size_t n = i + 1 < records ? peer->answer_len / records : peer->answer_len - at;
        assert(SSL_write(peer->ssl, peer->answer + at, (int)n) == (int)n);
        at += n;
    }
    if (peer->ending == PEER_NOTIFY) {
        SSL_shutdown(peer->ssl);
    }
    peer->over = peer->ending != PEER_KEEP;
}

/* Lets the server do what it can with what has come. */
static void pump(struct peer *peer)
{
    int n;
    if (peer->raw != NULL) {
        return;
    }
    if (!SSL_is_init_finished(peer->ssl)) {
        n = SSL_do_handshake(peer->ssl);
        if (n <= 0) {
            int why = SSL_get_error(peer->ssl, n);
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
                peer->over = true; /* its alert is in the output */
            }
            ERR_clear_error();
            return;
        }
        peer->resumed = SSL_session_reused(peer->ssl) != 0;
    }
    do {
        n = SSL_read(peer->ssl, peer->got + peer->got_len, (int)(sizeof peer->got - peer->got_len));
        if (n > 0) {
            peer->got_len += (size_t)n;
        }
    } while (n > 0);
    peer->got_notify = (SSL_get_shutdown(peer->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    ERR_clear_error();
    if (!peer->answered && request_complete(peer)) {
        peer->answered = true;
        say(peer);
    }
}

/* ---- the transport ---- */

static int peer_connect(void *ctx, const avito_server *to)
{
    struct peer *peer = ctx;
    assert(to->port != 0);
    if (peer->agains < peer->connect_agains) {
        peer->connects += peer->agains == 0;
        peer->agains++;
        return AVITO_AGAIN;
    }
    peer->connects += peer->connect_agains == 0;
    peer->agains = 0;
    if (peer->refuses) {
        return AVITO_ERR_CONNECT;
    }
    SSL_free(peer->ssl);
    peer->ssl = SSL_new(peer->ctx);
    SSL_set_bio(peer->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(peer->ssl);
    peer->answered = peer->over = false;
    peer->raw_at = 0;
    peer->got_len = 0;
    return AVITO_OK;
}

static bool says_again(const struct peer *peer, bool *said)
{
    *said = peer->again && !*said;
    return *said;
}

static long peer_send(void *ctx, const void *data, size_t len, int more)
{
    struct peer *peer = ctx;
    (void)more;
    if (peer->send_fails_after > 0 && peer->sent_bytes >= peer->send_fails_after) {
        return AVITO_ERR_SEND;
    }
    if (says_again(peer, &peer->said_send) ||
        (peer->send_blocks_after > 0 && peer->sent_bytes >= peer->send_blocks_after)) {
        peer->want_write = true;
        return AVITO_IO_AGAIN;
    }
    peer->want_write = false;
    if (peer->send_piece > 0 && len > peer->send_piece) {
        len = peer->send_piece;
    }
    BIO_write(SSL_get_rbio(peer->ssl), data, (int)len);
    peer->sends++;
    peer->sent_bytes += len;
    pump(peer);
    return (long)len;
}

static long peer_recv(void *ctx, void *data, size_t cap)
{
    struct peer *peer = ctx;
    int n;
    peer->recv_calls++;
    peer->most = cap > peer->most ? cap : peer->most;
    if (says_again(peer, &peer->said_recv)) {
        peer->want_read = true;
        return AVITO_IO_AGAIN;
    }
    if (peer->recv_piece > 0 && cap > peer->recv_piece) {
        cap = peer->recv_piece;
    }
    if (peer->raw != NULL) {
        size_t left = peer->raw_len - peer->raw_at;
        n = (int)(left < cap ? left : cap);
        memcpy(data, peer->raw + peer->raw_at, (size_t)n);
        peer->raw_at += (size_t)n;
    } else {
        n = BIO_read(SSL_get_wbio(peer->ssl), data, (int)cap);
    }
    if (n > 0) {
        peer->recvs++;
        peer->recv_bytes += (size_t)n;
        peer->want_read = false;
        return n;
    }
    if (peer->over || (peer->raw != NULL && peer->ending != PEER_KEEP)) {
        return peer->ending == PEER_RESET ? (long)AVITO_ERR_RECV : AVITO_IO_CLOSED;
    }
    peer->want_read = true;
    return AVITO_IO_AGAIN;
}

static int peer_wants(void *ctx)
{
    const struct peer *peer = ctx;
    return (peer->want_read ? AVITO_WANT_READ : 0) | (peer->want_write ? AVITO_WANT_WRITE : 0);
}

static int peer_wait(void *ctx, int wants, uint32_t ms)
{
    ((struct peer *)ctx)->waits++;
    (void)wants;
    (void)ms;
    return AVITO_OK;
}

static void peer_close(void *ctx)
{
    struct peer *peer = ctx;
    peer->closes++;
}

static int peer_detail(void *ctx)
{
    (void)ctx;
    return 104;
}

avito_transport peer_transport(struct peer *peer)
{
    static const avito_transport_functions functions = {
        peer_connect, peer_send, peer_recv, peer_wants, peer_wait, peer_close, peer_detail, NULL};
    static const avito_transport_functions never_wait = {
        peer_connect, peer_send, peer_recv, peer_wants, NULL, peer_close, peer_detail, NULL};
    avito_transport transport = {peer->never_wait ? &never_wait : &functions, peer};
    return transport;
}

/* ---- the client's side ---- */

static int64_t side_time(void *ctx)
{
    return ((struct side *)ctx)->now;
}

static int side_entropy(void *ctx, void *out, size_t len)
{
    struct side *side = ctx;
    memset(out, side->entropy_zero ? 0 : 7, len);
    if (side->no_fragment) { /* this hook is called at the right moment */
        side->tls.priv.ssl.eng.log_max_frag_len = 14;
    }
    return side->entropy_result;
}

void side_init(struct side *side, struct peer *peer)
{
    memset(side, 0, sizeof *side);
    side->now = (int64_t)time(NULL);
    assert(avito_anchors_load_file(&side->anchors, side->anchor_room, sizeof side->anchor_room,
                                   PEER_CERTS "roots.pem") == AVITO_OK);
    side->options.transport = peer_transport(peer);
    side->options.anchors = side->anchors.items;
    side->options.anchors_count = side->anchors.count;
    side->options.buffer = side->buffer;
    side->options.buffer_cap = AVITO_TLS_BUFFER_HALF(16384);
    side->options.ctx = side;
    side->options.unix_time = side_time;
    side->options.entropy = side_entropy;
    side->to.host = PEER_HOST;
    side->to.port = 443;
}

#define PATIENCE 20000 /* calls in a row that may move nothing visible */

void side_meet(struct side *side, struct peer *peer, const char *name)
{
    peer_init(peer, name);
    side_init(side, peer);
}

void side_records(struct side *side, bool full_duplex, size_t fragment)
{
    side->options.full_duplex = full_duplex;
    side->options.buffer_cap =
        full_duplex ? AVITO_TLS_BUFFER_FULL(fragment) : AVITO_TLS_BUFFER_HALF(fragment);
}

int side_connect(struct side *side)
{
    int turns = 0;
    int rc;
    do {
        rc = side->transport.functions->connect(side->transport.ctx, &side->to);
    } while (rc == AVITO_AGAIN && ++turns < PATIENCE);
    return rc;
}

long side_send(struct side *side, const void *data, size_t len)
{
    const char *bytes = data;
    size_t at = 0;
    int turns = 0;
    while (at < len) {
        long n = side->transport.functions->send(side->transport.ctx, bytes + at, len - at, 0);
        if (n < 0 && n != AVITO_IO_AGAIN) {
            return n;
        }
        if (n == AVITO_IO_AGAIN && ++turns > PATIENCE) {
            return n;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return (long)len;
}

long side_recv(struct side *side)
{
    int turns = 0;
    for (;;) {
        long n = side->transport.functions->recv(side->transport.ctx, side->got + side->got_len,
                                                 sizeof side->got - side->got_len);
        if (n > 0) {
            side->got_len += (size_t)n;
            turns = 0;
        } else if (n != AVITO_IO_AGAIN || ++turns > PATIENCE) {
            return n;
        }
    }
}

int side_open(struct side *side)
{
    int rc = avito_tls_init(&side->tls, &side->options);
    if (rc != AVITO_OK) {
        return rc;
    }
    side->transport = avito_tls_transport(&side->tls);
    side->got_len = 0;
    return side_connect(side);
}

void side_close(struct side *side)
{
    side->transport.functions->close(side->transport.ctx);
}

int side_talk(struct side *side, struct peer *peer)
{
    int rc = avito_tls_init(&side->tls, &side->options);
    return rc == AVITO_OK ? side_talk_again(side, peer) : rc;
}

int side_talk_again(struct side *side, struct peer *peer)
{
    int rc;
    long n;
    side->transport = avito_tls_transport(&side->tls);
    side->got_len = 0;
    rc = side_connect(side);
    if (rc == AVITO_OK) {
        n = side_send(side, request, strlen(request));
        rc = n < 0 ? (int)n : AVITO_OK;
    }
    if (rc == AVITO_OK) {
        n = side_recv(side);
        rc = n == AVITO_IO_CLOSED ? AVITO_OK : (int)n;
    }
    side->transport.functions->close(side->transport.ctx);
    assert(peer->connects == peer->closes);
    return rc;
}
