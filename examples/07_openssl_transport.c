/* cc -I. examples/07_openssl_transport.c -o build/07_openssl_transport -lssl -lcrypto
 *
 * По-русски: другая библиотека TLS как транспорт: OpenSSL.
 *
 * Another TLS library as the transport: OpenSSL over any avito_transport, never waiting, with the
 * same contract as the bundled one. Take struct openssl and its functions; main() is the use of it:
 *
 *     AVITO_CLIENT_ID=... AVITO_CLIENT_SECRET=... build/07_openssl_transport
 */
#ifndef AVITO_WITH_POSIX
#define AVITO_WITH_POSIX 1
#endif
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct openssl {
    avito_transport below; /* carries the records */
    SSL_CTX *ctx;
    BIO_METHOD *method;   /* OpenSSL's way to `below` */
    SSL *ssl;             /* NULL: below is not connected yet */
    long trouble;         /* what below said last, if it was not bytes or AGAIN */
    unsigned long reason; /* OpenSSL's own */
    bool begun, open, broken;
    bool more; /* bytes came: another record may be there behind them */
};

/* ---- from OpenSSL down to the transport ---- */

static int bio_result(struct openssl *o, BIO *bio, long n, bool reading)
{
    BIO_clear_retry_flags(bio);
    if (n > 0) {
        return (int)n;
    }
    if (n == 0 || n == AVITO_IO_AGAIN) {
        if (reading) {
            BIO_set_retry_read(bio);
        } else {
            BIO_set_retry_write(bio);
        }
        return -1;
    }
    o->trouble = n;
    return n == AVITO_IO_CLOSED ? 0 : -1;
}

static int bio_read(BIO *bio, char *data, int cap)
{
    struct openssl *o = BIO_get_data(bio);
    return bio_result(o, bio, o->below.functions->recv(o->below.ctx, data, (size_t)cap), true);
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct openssl *o = BIO_get_data(bio);
    return bio_result(o, bio, o->below.functions->send(o->below.ctx, data, (size_t)len, 0), false);
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    struct openssl *o = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF) {
        return o->trouble == AVITO_IO_CLOSED;
    }
    return command == BIO_CTRL_FLUSH;
}

/* ---- from OpenSSL's results to ours ---- */

static int refusal(long verify_result)
{
    switch (verify_result) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
            return AVITO_ERR_TLS_NAME;
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return AVITO_ERR_TLS_TIME;
        case X509_V_ERR_INVALID_PURPOSE:
        case X509_V_ERR_EE_KEY_TOO_SMALL:
        case X509_V_ERR_CA_KEY_TOO_SMALL:
        case X509_V_ERR_CA_MD_TOO_WEAK:
            return AVITO_ERR_TLS_CERT;
        default:
            return AVITO_ERR_TLS_TRUST;
    }
}

/* `n` is what an SSL_ function returned, not > 0. */
static long result(struct openssl *o, int n)
{
    int why = SSL_get_error(o->ssl, n);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        return AVITO_IO_AGAIN;
    }
    if (why == SSL_ERROR_ZERO_RETURN) {
        return AVITO_IO_CLOSED; /* close_notify: the peer really ended the stream */
    }
    o->broken = true;
    o->reason = ERR_peek_error();
    if (o->trouble == AVITO_IO_CLOSED) {
        return AVITO_ERR_CLOSED; /* no close_notify: somebody cut it off */
    }
    if (o->trouble != 0) {
        return o->trouble;
    }
    if (!o->open && SSL_get_verify_result(o->ssl) != X509_V_OK) {
        return refusal(SSL_get_verify_result(o->ssl));
    }
    return AVITO_ERR_TLS;
}

/* ---- the transport ---- */

static int start(struct openssl *o, const char *host)
{
    BIO *bio = BIO_new(o->method);
    o->ssl = SSL_new(o->ctx);
    if (bio == NULL || o->ssl == NULL) {
        BIO_free(bio);
        return AVITO_ERR_TLS;
    }
    BIO_set_data(bio, o);
    BIO_set_init(bio, 1);
    SSL_set_bio(o->ssl, bio, bio);
    SSL_set_hostflags(o->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set_tlsext_host_name(o->ssl, host) != 1 || SSL_set1_host(o->ssl, host) != 1) {
        return AVITO_ERR_OPTION_HOST;
    }
    SSL_set_connect_state(o->ssl);
    return AVITO_OK;
}

static int openssl_connect(void *ctx, const avito_server *to)
{
    struct openssl *o = ctx;
    int rc;
    if (o->ssl == NULL) {
        o->begun = true;
        rc = o->below.functions->connect(o->below.ctx, to);
        if (rc != AVITO_OK) {
            return rc;
        }
        o->open = o->broken = o->more = false;
        o->trouble = 0;
        o->reason = 0;
        rc = start(o, to->host);
        if (rc != AVITO_OK) {
            return rc;
        }
    }
    ERR_clear_error();
    rc = SSL_do_handshake(o->ssl);
    if (rc == 1) {
        o->open = true;
        return AVITO_OK;
    }
    rc = (int)result(o, rc);
    return rc == AVITO_IO_AGAIN ? AVITO_AGAIN : rc == AVITO_IO_CLOSED ? AVITO_ERR_CLOSED : rc;
}

static long openssl_send(void *ctx, const void *data, size_t len, int more)
{
    struct openssl *o = ctx;
    int n;
    (void)more; /* one record for each call; the window that the client is given sets their size */
    if (!o->open || o->broken) {
        return AVITO_ERR_SEND;
    }
    ERR_clear_error();
    n = SSL_write(o->ssl, data, len > INT_MAX ? INT_MAX : (int)len);
    return n > 0 ? n : result(o, n);
}

static long openssl_recv(void *ctx, void *data, size_t cap)
{
    struct openssl *o = ctx;
    int n;
    if (!o->open) {
        return AVITO_ERR_RECV;
    }
    ERR_clear_error();
    n = SSL_read(o->ssl, data, cap > INT_MAX ? INT_MAX : (int)cap);
    o->more = n > 0;
    return n > 0 ? n : result(o, n);
}

static int openssl_wants(void *ctx)
{
    struct openssl *o = ctx;
    if (o->open && (SSL_pending(o->ssl) > 0 || o->more)) {
        return AVITO_WANT_READ | AVITO_WANT_WRITE; /* bytes that the socket may not show */
    }
    return o->below.functions->wants(o->below.ctx);
}

static int openssl_wait(void *ctx, int wants, uint32_t ms)
{
    struct openssl *o = ctx;
    if (o->open && SSL_pending(o->ssl) > 0) {
        return AVITO_OK;
    }
    return o->below.functions->wait(o->below.ctx, wants, ms);
}

static void openssl_close(void *ctx)
{
    struct openssl *o = ctx;
    if (o->open && !o->broken) {
        (void)SSL_shutdown(o->ssl); /* says goodbye, does not wait for the answer */
    }
    SSL_free(o->ssl);
    o->ssl = NULL;
    o->open = false;
    if (o->begun) {
        o->below.functions->close(o->below.ctx);
    }
    o->begun = false;
    ERR_clear_error();
}

static int openssl_detail(void *ctx)
{
    struct openssl *o = ctx;
    if (o->reason != 0) {
        return ERR_GET_REASON(o->reason);
    }
    return o->below.functions->detail != NULL ? o->below.functions->detail(o->below.ctx) : 0;
}

/* `roots`: a PEM file; NULL: the system's. */
static int openssl_init(struct openssl *o, avito_transport below, const char *roots)
{
    memset(o, 0, sizeof *o);
    o->below = below;
    o->ctx = SSL_CTX_new(TLS_client_method());
    o->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "avito_transport");
    if (o->ctx == NULL || o->method == NULL) {
        return AVITO_ERR_TLS;
    }
    BIO_meth_set_read(o->method, bio_read);
    BIO_meth_set_write(o->method, bio_write);
    BIO_meth_set_ctrl(o->method, bio_ctrl);
    SSL_CTX_set_verify(o->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_min_proto_version(o->ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(o->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_set_alpn_protos(o->ctx, (const unsigned char *)"\x08http/1.1", 9) != 0 ||
        (roots != NULL ? SSL_CTX_load_verify_locations(o->ctx, roots, NULL)
                       : SSL_CTX_set_default_verify_paths(o->ctx)) != 1) {
        return AVITO_ERR_OPTION_ANCHORS;
    }
    return AVITO_OK;
}

static void openssl_free(struct openssl *o)
{
    SSL_CTX_free(o->ctx);
    BIO_meth_free(o->method);
}

static avito_transport openssl_transport(struct openssl *o)
{
    static const avito_transport_functions waits = {openssl_connect, openssl_send, openssl_recv,
                                                    openssl_wants,   openssl_wait, openssl_close,
                                                    openssl_detail,  NULL};
    static const avito_transport_functions never = {openssl_connect, openssl_send, openssl_recv,
                                                    openssl_wants,   NULL,         openssl_close,
                                                    openssl_detail,  NULL};
    avito_transport transport;
    transport.functions = o->below.functions->wait != NULL ? &waits : &never;
    transport.ctx = o;
    return transport;
}

/* ---- its use ---- */

int main(void)
{
    static char window[4096], tokens[AVITO_TOKENS_SIZE(1000)], room[8192];
    static avito_tcp tcp;
    static struct openssl tls;
    static avito_account account;
    static avito_client client;
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_account_options who = avito_account_options_default();
    avito_client_options how = avito_client_options_default();
    avito_self self;
    int rc;

    who.client_id = getenv("AVITO_CLIENT_ID");
    who.client_secret = getenv("AVITO_CLIENT_SECRET");
    who.tokens = tokens;
    who.tokens_cap = sizeof tokens;
    who.clock_ms = avito_posix_clock_ms;
    who.entropy = avito_posix_entropy;
    rc = avito_tcp_init(&tcp, NULL);
    if (rc == AVITO_OK) {
        rc = openssl_init(&tls, avito_tcp_transport(&tcp), NULL);
    }
    if (rc == AVITO_OK) {
        rc = avito_account_init(&account, &who);
    }
    if (rc == AVITO_OK) {
        how.transport = openssl_transport(&tls);
        how.window = window;
        how.window_cap = sizeof window;
        rc = avito_client_init(&client, &account, &how);
    }
    if (rc == AVITO_OK) {
        rc = avito_get_self(&client, &arena, &self);
        if (rc == AVITO_OK) {
            printf("account %lld: %s\n", (long long)self.id,
                   self.name.ptr != NULL ? self.name.ptr : "?");
        }
        avito_client_close(&client);
    }
    if (rc != AVITO_OK) {
        fprintf(stderr, "%s: %s\n", avito_error_text(rc), avito_error_remedy(rc));
    }
    openssl_free(&tls);
    return rc == AVITO_OK ? 0 : 1;
}
