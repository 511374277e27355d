/* avito_mbedtls.h - TLS by mbedTLS as a transport of avito_messenger.h, over any other: a file to copy.
 *
 * По-русски: TLS от mbedTLS как транспорт поверх любого другого - файл, который копируют в свой проект.
 *
 *     #define AVITO_MBEDTLS_IMPLEMENTATION    in one file, after avito_messenger.h
 *     #include "avito_mbedtls.h"
 *
 *     static avito_mbedtls tls;
 *     result = avito_mbedtls_init(&tls, avito_tcp_transport(&tcp), &roots, mbedtls_ctr_drbg_random, &drbg);
 *     options.transport = avito_mbedtls_transport(&tls);
 *
 * For boards whose system brings mbedTLS (ESP-IDF, Zephyr, FreeRTOS): BearSSL need not be built then. mbedTLS
 * 2.28 to 4 (it ran with 2.28.3, 3.6.6 and 4.0.0). It allocates: the records of a connection, 16 KB
 * each way unless MBEDTLS_SSL_IN_CONTENT_LEN and MBEDTLS_SSL_OUT_CONTENT_LEN say less, in init, and what a
 * handshake needs while it lasts.
 *
 * What the library does, and what follows here:
 *   - Without MBEDTLS_HAVE_TIME_DATE it takes certificates of any time. This file is not compiled then. ESP-IDF:
 *     CONFIG_MBEDTLS_HAVE_TIME_DATE, and set the clock (SNTP) before the first connection.
 *   - A record that could not leave whole is held by the library, and must be offered again as it was. Here it
 *     counts as taken, leaves before anything else, and wants() says AVITO_WANT_WRITE until it has left.
 *   - mbedtls_ssl_read() gives 0 for an end that nobody announced. That is AVITO_ERR_CLOSED; only close_notify is
 *     the end of an answer.
 *   - 3.6 offers RSA-PSS as soon as it offers TLS 1.3, and then refuses a server that takes that in TLS 1.2
 *     (-0x6600). So it is TLS 1.2 here. For more raise tls->config, and call psa_crypto_init() before.
 *   - 4 takes random bytes from PSA alone: `random` is then only for avito_mbedtls_entropy(). Call psa_crypto_init()
 *     before anything is parsed (ESP-IDF and Zephyr do so at start).
 *   - In TLS 1.3 a ticket comes as an error. It is skipped. */
#ifndef AVITO_MBEDTLS_H
#define AVITO_MBEDTLS_H

#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#if !defined(MBEDTLS_HAVE_TIME_DATE)
#error                                                                                             \
    "without MBEDTLS_HAVE_TIME_DATE mbedTLS takes certificates that have expired: define it in its configuration"
#endif

/* One connection. It must not move between init and free. */
typedef struct avito_mbedtls {
    avito_transport below; /* carries the records */
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config; /* yours to change between init and the first connect */
    int (*random)(void *ctx, unsigned char *out, size_t len);
    void *random_ctx;
    long trouble; /* the last result of `below` other than bytes or AGAIN */
    int reason;   /* mbedTLS' own number of the last failure */
    bool begun;   /* close of below is owed */
    bool started, open, broken;
    bool held; /* a record has not left whole */
    bool more; /* bytes came: another record may follow them */
} avito_mbedtls;

/* `roots`: trust anchors, used as long as `tls` is; NULL: you set them on tls->config (ESP-IDF:
 * esp_crt_bundle_attach()), and without any no handshake succeeds. `random` is mbedTLS' own kind of generator,
 * seeded from true entropy. AVITO_OK; AVITO_ERR_TLS_ROOM: no memory; call avito_mbedtls_free() in any case. */
int avito_mbedtls_init(avito_mbedtls *tls, avito_transport below, mbedtls_x509_crt *roots,
                       int (*random)(void *ctx, unsigned char *out, size_t len), void *random_ctx);

/* Waits where `below` can wait. */
avito_transport avito_mbedtls_transport(avito_mbedtls *tls);

/* The account's hook .entropy from the same generator: ctx is the avito_mbedtls. */
int avito_mbedtls_entropy(void *ctx, void *out, size_t len);

/* Call it after the lane was closed. */
void avito_mbedtls_free(avito_mbedtls *tls);

#endif /* AVITO_MBEDTLS_H */

#ifdef AVITO_MBEDTLS_IMPLEMENTATION

#include <limits.h>
#include <string.h>

/* ---- from mbedTLS down to the transport ---- */

static int avito_mbedtls_moved_below(avito_mbedtls *t, long n, int again)
{
    if (n > 0) {
        return (int)n;
    }
    if (n == 0 || n == AVITO_IO_AGAIN) {
        return again;
    }
    t->trouble = n;
    return n == AVITO_IO_CLOSED ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR; /* any: trouble tells */
}

static int avito_mbedtls_below_send(void *ctx, const unsigned char *data, size_t len)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;

    return avito_mbedtls_moved_below(t, (t->below.functions->send)(t->below.ctx, data, len, 0),
                                     MBEDTLS_ERR_SSL_WANT_WRITE);
}

static int avito_mbedtls_below_recv(void *ctx, unsigned char *data, size_t cap)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;

    return avito_mbedtls_moved_below(t, (t->below.functions->recv)(t->below.ctx, data, cap),
                                     MBEDTLS_ERR_SSL_WANT_READ);
}

/* ---- from mbedTLS' results to ours ---- */

/* `flags`: 0 or all, if it did not come as far as the certificates. */
static int avito_mbedtls_refusal(uint32_t flags)
{
    static const struct {
        uint32_t flags;
        int error;
    } rows[] = {
        {MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE, AVITO_ERR_TLS_TIME},
        {MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
             MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK |
             MBEDTLS_X509_BADCERT_BAD_KEY,
         AVITO_ERR_TLS_CERT},
        {MBEDTLS_X509_BADCERT_NOT_TRUSTED, AVITO_ERR_TLS_TRUST},
        {MBEDTLS_X509_BADCERT_CN_MISMATCH, AVITO_ERR_TLS_NAME},
        {UINT32_MAX, AVITO_ERR_TLS_TRUST},
    };
    size_t i = 0;

    if (flags == 0 || flags == UINT32_MAX) {
        return AVITO_ERR_TLS;
    }
    while ((rows[i].flags & flags) == 0) {
        i++;
    }
    return rows[i].error;
}

/* `n` is what a function of mbedTLS returned, not > 0. */
static long avito_mbedtls_result(avito_mbedtls *t, int n)
{
    if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return AVITO_IO_AGAIN;
    }
    if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        return AVITO_IO_CLOSED;
    }
    t->broken = true;
    t->reason = n;
    if (t->trouble == AVITO_IO_CLOSED ||
        (t->trouble == 0 && (n == 0 || n == MBEDTLS_ERR_SSL_CONN_EOF))) {
        return AVITO_ERR_CLOSED; /* no close_notify: somebody cut it off */
    }
    if (t->trouble != 0) {
        return t->trouble;
    }
    return t->open ? (int)AVITO_ERR_TLS
                   : avito_mbedtls_refusal(mbedtls_ssl_get_verify_result(&t->ssl));
}

/* ---- the transport ---- */

static int avito_mbedtls_start(avito_mbedtls *t, const char *host)
{
    t->open = t->broken = t->held = t->more = false;
    t->trouble = 0;
    t->reason = mbedtls_ssl_session_reset(&t->ssl);
    if (t->reason != 0) {
        return AVITO_ERR_TLS;
    }
    t->reason =
        mbedtls_ssl_set_hostname(&t->ssl, host); /* sent, and compared with the certificate */
    if (t->reason != 0) {
        return AVITO_ERR_OPTION_HOST;
    }
    mbedtls_ssl_set_bio(&t->ssl, t, avito_mbedtls_below_send, avito_mbedtls_below_recv, NULL);
    t->started = true;
    return AVITO_OK;
}

static int avito_mbedtls_connect(void *ctx, const avito_server *to)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;
    int rc;

    if (!t->started) {
        t->begun = true;
        t->reason = 0; /* the connection before is past */
        rc = (t->below.functions->connect)(t->below.ctx, to);
        rc = rc == AVITO_OK ? avito_mbedtls_start(t, to->host) : rc;
        if (rc != AVITO_OK) {
            return rc;
        }
    }
    rc = mbedtls_ssl_handshake(&t->ssl);
    if (rc == 0) {
        t->open = true;
        return AVITO_OK;
    }
    rc = (int)avito_mbedtls_result(t, rc);
    return rc == AVITO_IO_AGAIN ? AVITO_AGAIN : rc == AVITO_IO_CLOSED ? AVITO_ERR_CLOSED : rc;
}

/* The record that has not left whole; 0: none is left. */
static long avito_mbedtls_flush(avito_mbedtls *t)
{
    int n;

    if (!t->held) {
        return 0;
    }
    n = mbedtls_ssl_write(&t->ssl, (const unsigned char *)"", 0);
    t->held = n < 0;
    return n < 0 ? avito_mbedtls_result(t, n) : 0;
}

static long avito_mbedtls_send(void *ctx, const void *data, size_t len, int more)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;
    const int most = mbedtls_ssl_get_max_out_record_payload(&t->ssl);
    long n;

    (void)more; /* one record for each call; the window that the client is given sets their size */
    if (!t->open || t->broken || most <= 0) {
        return AVITO_ERR_SEND;
    }
    n = avito_mbedtls_flush(t);
    if (n != 0) {
        return n;
    }
    len = len < (size_t)most ? len : (size_t)most;
    n = mbedtls_ssl_write(&t->ssl, (const unsigned char *)data, len);
    t->held = n == MBEDTLS_ERR_SSL_WANT_WRITE;
    if (t->held) {
        return (long)len;
    }
    return n > 0 ? n : avito_mbedtls_result(t, (int)n);
}

static int avito_mbedtls_read(avito_mbedtls *t, void *data, size_t cap)
{
    int n;

    do {
        n = mbedtls_ssl_read(&t->ssl, (unsigned char *)data, cap < INT_MAX ? cap : INT_MAX);
#if defined(MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
    } while (n == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
#else
    } while (false);
#endif
    return n;
}

static long avito_mbedtls_recv(void *ctx, void *data, size_t cap)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;
    int n;

    if (!t->open) {
        return AVITO_ERR_RECV;
    }
    if (t->broken) {
        return t->trouble == AVITO_IO_CLOSED ? AVITO_ERR_CLOSED : AVITO_ERR_RECV;
    }
    (void)avito_mbedtls_flush(t); /* what fails here fails below, too */
    n = avito_mbedtls_read(t, data, cap);
    t->more = n > 0;
    return n > 0 ? n : avito_mbedtls_result(t, n);
}

static int avito_mbedtls_wants(void *ctx)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;

    if (t->open && (mbedtls_ssl_check_pending(&t->ssl) || t->more)) {
        return AVITO_WANT_READ | AVITO_WANT_WRITE; /* bytes that the socket may not show */
    }
    return (t->below.functions->wants)(t->below.ctx) | (t->held ? AVITO_WANT_WRITE : 0);
}

static int avito_mbedtls_wait(void *ctx, int wants, uint32_t ms)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;

    if (t->open && mbedtls_ssl_check_pending(&t->ssl)) {
        return AVITO_OK;
    }
    return (t->below.functions->wait)(t->below.ctx, wants, ms);
}

static void avito_mbedtls_close(void *ctx)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;

    if (t->open && !t->broken) {
        (void)mbedtls_ssl_close_notify(&t->ssl); /* says goodbye, does not wait for the answer */
    }
    if (t->begun) {
        (t->below.functions->close)(t->below.ctx);
    }
    t->begun = t->started = t->open = t->held = t->more = false;
}

static int avito_mbedtls_detail(void *ctx)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;

    if (t->trouble == 0 && t->reason != 0) {
        return t->reason;
    }
    return t->below.functions->detail != NULL ? (t->below.functions->detail)(t->below.ctx) : 0;
}

static uint32_t avito_mbedtls_moved(void *ctx)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;

    return t->below.functions->moved != NULL ? (t->below.functions->moved)(t->below.ctx) : 0;
}

static int avito_mbedtls_configure(avito_mbedtls *t, mbedtls_x509_crt *roots)
{
    static const char *protocols[] = {"http/1.1", NULL};
    int rc = mbedtls_ssl_config_defaults(&t->config, MBEDTLS_SSL_IS_CLIENT,
                                         MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

    if (rc != 0) {
        return rc;
    }
    mbedtls_ssl_conf_authmode(&t->config, MBEDTLS_SSL_VERIFY_REQUIRED);
#if MBEDTLS_VERSION_NUMBER < 0x03000000
    mbedtls_ssl_conf_min_version(&t->config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
#elif MBEDTLS_VERSION_NUMBER >= 0x03020000
    mbedtls_ssl_conf_max_tls_version(&t->config, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
#if MBEDTLS_VERSION_NUMBER < 0x04000000
    mbedtls_ssl_conf_rng(&t->config, t->random, t->random_ctx);
#endif
    if (roots != NULL) {
        mbedtls_ssl_conf_ca_chain(&t->config, roots, NULL);
    }
#if defined(MBEDTLS_SSL_ALPN)
    rc = mbedtls_ssl_conf_alpn_protocols(&t->config, protocols);
#else
    (void)protocols;
#endif
    return rc;
}

int avito_mbedtls_init(avito_mbedtls *tls, avito_transport below, mbedtls_x509_crt *roots,
                       int (*random)(void *ctx, unsigned char *out, size_t len), void *random_ctx)
{
    memset(tls, 0, sizeof *tls);
    tls->below = below;
    tls->random = random;
    tls->random_ctx = random_ctx;
    mbedtls_ssl_init(&tls->ssl);
    mbedtls_ssl_config_init(&tls->config);
    tls->reason = avito_mbedtls_configure(tls, roots);
    if (tls->reason != 0) {
        return AVITO_ERR_TLS_ROOM;
    }
    tls->reason = mbedtls_ssl_setup(&tls->ssl, &tls->config);
    return tls->reason == 0 ? AVITO_OK : AVITO_ERR_TLS_ROOM;
}

avito_transport avito_mbedtls_transport(avito_mbedtls *tls)
{
    static const avito_transport_functions waits = {
        avito_mbedtls_connect, avito_mbedtls_send,  avito_mbedtls_recv,   avito_mbedtls_wants,
        avito_mbedtls_wait,    avito_mbedtls_close, avito_mbedtls_detail, avito_mbedtls_moved};
    static const avito_transport_functions never = {
        avito_mbedtls_connect, avito_mbedtls_send,   avito_mbedtls_recv, avito_mbedtls_wants, NULL,
        avito_mbedtls_close,   avito_mbedtls_detail, avito_mbedtls_moved};
    avito_transport transport;

    transport.functions = tls->below.functions->wait != NULL ? &waits : &never;
    transport.ctx = tls;
    return transport;
}

int avito_mbedtls_entropy(void *ctx, void *out, size_t len)
{
    avito_mbedtls *t = (avito_mbedtls *)ctx;

    return t->random(t->random_ctx, (unsigned char *)out, len) == 0 ? AVITO_OK
                                                                    : AVITO_ERR_OPTION_ENTROPY;
}

void avito_mbedtls_free(avito_mbedtls *tls)
{
    mbedtls_ssl_free(&tls->ssl);
    mbedtls_ssl_config_free(&tls->config);
}

#endif /* AVITO_MBEDTLS_IMPLEMENTATION */
