/* avito_openssl.h - TLS by OpenSSL as a transport of avito_messenger.h, over any other: a file to copy.
 *
 * По-русски: TLS от OpenSSL как транспорт поверх любого другого - файл, который копируют в свой проект.
 *
 *     #define AVITO_OPENSSL_IMPLEMENTATION    in one file, after avito_messenger.h
 *     #include "avito_openssl.h"
 *
 *     static avito_openssl tls;
 *     result = avito_openssl_init(&tls, avito_tcp_transport(&tcp), NULL);
 *     options.transport = avito_openssl_transport(&tls);
 *
 * For programs that have OpenSSL (1.1.1 or 3) anyhow, or need TLS 1.3. It allocates. Link with -lssl -lcrypto.
 *
 * What the library does, and what follows here:
 *   - SSL_write() must be repeated as it was, unless SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER; and takes part of what it
 *     was given only with SSL_MODE_ENABLE_PARTIAL_WRITE.
 *   - SSL_get_error() looks at the thread's whole queue of errors: it is emptied before each call.
 *   - SSL_ERROR_ZERO_RETURN is close_notify, the end of an answer. An end without it is AVITO_ERR_CLOSED. */
#ifndef AVITO_OPENSSL_H
#define AVITO_OPENSSL_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* One connection. It must not move between init and free. */
typedef struct avito_openssl {
    avito_transport below; /* carries the records */
    SSL_CTX *ctx;          /* yours to change between init and the first connect */
    BIO_METHOD *method;    /* OpenSSL's way to `below` */
    SSL *ssl;              /* NULL: below is not connected yet */
    long trouble;          /* the last result of `below` other than bytes or AGAIN */
    unsigned long reason;  /* OpenSSL's own */
    bool begun, open, broken;
    bool more; /* bytes came: another record may follow them */
} avito_openssl;

/* `roots`: a PEM file; NULL: the system's. AVITO_OK; AVITO_ERR_OPTION_ANCHORS: it cannot be read;
 * AVITO_ERR_TLS_ROOM: no memory. Call avito_openssl_free() in any case. */
int avito_openssl_init(avito_openssl *o, avito_transport below, const char *roots);

/* Waits where `below` can wait. */
avito_transport avito_openssl_transport(avito_openssl *o);

/* Call it after the lane was closed. */
void avito_openssl_free(avito_openssl *o);

#endif /* AVITO_OPENSSL_H */

#ifdef AVITO_OPENSSL_IMPLEMENTATION

#include <limits.h>
#include <string.h>

/* ---- from OpenSSL down to the transport ---- */

static int avito_openssl_bio_result(avito_openssl *o, BIO *bio, long n, bool reading)
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

static int avito_openssl_bio_read(BIO *bio, char *data, int cap)
{
    avito_openssl *o = (avito_openssl *)BIO_get_data(bio);

    return avito_openssl_bio_result(
        o, bio, (o->below.functions->recv)(o->below.ctx, data, (size_t)cap), true);
}

static int avito_openssl_bio_write(BIO *bio, const char *data, int len)
{
    avito_openssl *o = (avito_openssl *)BIO_get_data(bio);

    return avito_openssl_bio_result(
        o, bio, (o->below.functions->send)(o->below.ctx, data, (size_t)len, 0), false);
}

static long avito_openssl_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    avito_openssl *o = (avito_openssl *)BIO_get_data(bio);

    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF) {
        return o->trouble == AVITO_IO_CLOSED;
    }
    return command == BIO_CTRL_FLUSH;
}

/* ---- from OpenSSL's results to ours ---- */

static int avito_openssl_refusal(long verify_result)
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
static long avito_openssl_result(avito_openssl *o, int n)
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
        return avito_openssl_refusal(SSL_get_verify_result(o->ssl));
    }
    return AVITO_ERR_TLS;
}

/* ---- the transport ---- */

static int avito_openssl_start(avito_openssl *o, const char *host)
{
    BIO *bio = BIO_new(o->method);
    o->ssl = SSL_new(o->ctx);
    if (bio == NULL || o->ssl == NULL) {
        BIO_free(bio);
        return AVITO_ERR_TLS_ROOM;
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

static int avito_openssl_connect(void *ctx, const avito_server *to)
{
    avito_openssl *o = (avito_openssl *)ctx;
    int rc;

    if (o->ssl == NULL) {
        o->begun = true;
        o->reason = 0; /* the connection before is past */
        rc = (o->below.functions->connect)(o->below.ctx, to);
        if (rc != AVITO_OK) {
            return rc;
        }
        o->open = o->broken = o->more = false;
        o->trouble = 0;
        rc = avito_openssl_start(o, to->host);
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
    rc = (int)avito_openssl_result(o, rc);
    return rc == AVITO_IO_AGAIN ? AVITO_AGAIN : rc == AVITO_IO_CLOSED ? AVITO_ERR_CLOSED : rc;
}

static long avito_openssl_send(void *ctx, const void *data, size_t len, int more)
{
    avito_openssl *o = (avito_openssl *)ctx;
    int n;

    (void)more; /* one record for each call; the window that the client is given sets their size */
    if (!o->open || o->broken) {
        return AVITO_ERR_SEND;
    }
    ERR_clear_error();
    n = SSL_write(o->ssl, data, len > INT_MAX ? INT_MAX : (int)len);
    return n > 0 ? n : avito_openssl_result(o, n);
}

static long avito_openssl_recv(void *ctx, void *data, size_t cap)
{
    avito_openssl *o = (avito_openssl *)ctx;
    int n;

    if (!o->open) {
        return AVITO_ERR_RECV;
    }
    ERR_clear_error();
    n = SSL_read(o->ssl, data, cap > INT_MAX ? INT_MAX : (int)cap);
    o->more = n > 0;
    return n > 0 ? n : avito_openssl_result(o, n);
}

static int avito_openssl_wants(void *ctx)
{
    avito_openssl *o = (avito_openssl *)ctx;

    if (o->open && (SSL_pending(o->ssl) > 0 || o->more)) {
        return AVITO_WANT_READ | AVITO_WANT_WRITE; /* bytes that the socket may not show */
    }
    return (o->below.functions->wants)(o->below.ctx);
}

static int avito_openssl_wait(void *ctx, int wants, uint32_t ms)
{
    avito_openssl *o = (avito_openssl *)ctx;

    if (o->open && SSL_pending(o->ssl) > 0) {
        return AVITO_OK;
    }
    return (o->below.functions->wait)(o->below.ctx, wants, ms);
}

static void avito_openssl_close(void *ctx)
{
    avito_openssl *o = (avito_openssl *)ctx;

    if (o->open && !o->broken) {
        (void)SSL_shutdown(o->ssl); /* says goodbye, does not wait for the answer */
    }
    SSL_free(o->ssl);
    o->ssl = NULL;
    o->open = false;
    if (o->begun) {
        (o->below.functions->close)(o->below.ctx);
    }
    o->begun = false;
    ERR_clear_error();
}

static int avito_openssl_detail(void *ctx)
{
    avito_openssl *o = (avito_openssl *)ctx;

    if (o->reason != 0) {
        return ERR_GET_REASON(o->reason);
    }
    return o->below.functions->detail != NULL ? (o->below.functions->detail)(o->below.ctx) : 0;
}

static uint32_t avito_openssl_moved(void *ctx)
{
    avito_openssl *o = (avito_openssl *)ctx;

    return o->below.functions->moved != NULL ? (o->below.functions->moved)(o->below.ctx) : 0;
}

int avito_openssl_init(avito_openssl *o, avito_transport below, const char *roots)
{
    memset(o, 0, sizeof *o);
    o->below = below;
    o->ctx = SSL_CTX_new(TLS_client_method());
    o->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "avito_transport");
    if (o->ctx == NULL || o->method == NULL) {
        return AVITO_ERR_TLS_ROOM;
    }
    BIO_meth_set_read(o->method, avito_openssl_bio_read);
    BIO_meth_set_write(o->method, avito_openssl_bio_write);
    BIO_meth_set_ctrl(o->method, avito_openssl_bio_ctrl);
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

void avito_openssl_free(avito_openssl *o)
{
    SSL_CTX_free(o->ctx);
    BIO_meth_free(o->method);
}

avito_transport avito_openssl_transport(avito_openssl *o)
{
    static const avito_transport_functions waits = {
        avito_openssl_connect, avito_openssl_send,  avito_openssl_recv,   avito_openssl_wants,
        avito_openssl_wait,    avito_openssl_close, avito_openssl_detail, avito_openssl_moved};
    static const avito_transport_functions never = {
        avito_openssl_connect, avito_openssl_send,   avito_openssl_recv, avito_openssl_wants, NULL,
        avito_openssl_close,   avito_openssl_detail, avito_openssl_moved};
    avito_transport transport;
    transport.functions = o->below.functions->wait != NULL ? &waits : &never;
    transport.ctx = o;
    return transport;
}

#endif /* AVITO_OPENSSL_IMPLEMENTATION */
