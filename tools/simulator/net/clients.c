/* clients.c - the service's clients: bytes between sockets (TCP, or TLS by OpenSSL) and the core. */
#include "net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

struct client {
    int fd;
    SSL *ssl; /* NULL: plain TCP */
    sim_conn *conn;
    char out[16384]; /* taken from the core, not yet on the wire */
    size_t out_len, out_at;
    bool handshaking, wants_write, peer_closed, shut;
};

/* The largest record that was sent, by its header: clients must have room for it. */
static void note_record(int sent, int version, int type, const void *data, size_t len, SSL *ssl,
                        void *largest)
{
    const unsigned char *header = data;
    (void)version;
    (void)ssl;
    if (sent && type == SSL3_RT_HEADER && len == SSL3_RT_HEADER_LENGTH) {
        size_t size = (size_t)header[3] << 8 | header[4];
        size_t *most = largest;
        *most = size > *most ? size : *most;
    }
}

SSL_CTX *clients_tls(const char *cert, const char *key, size_t *largest_record)
{
    static const unsigned char session_context[] = "simulator";
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    /* TLS 1.2, sessions by id (a client without tickets resumes by id), AEAD suites with ECDHE. */
    (void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    (void)SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    (void)SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_msg_callback(ctx, note_record);
    SSL_CTX_set_msg_callback_arg(ctx, largest_record);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
    (void)SSL_CTX_set_session_id_context(ctx, session_context, sizeof session_context - 1);
    (void)SSL_CTX_set_mode(ctx,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

static void accept_from(clients *v, int listener, bool tls)
{
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        if (v->count == MAX_CLIENTS) {
            (void)close(fd);
            continue;
        }
        net_unblock(fd);
        client *c = simi_alloc(NULL, sizeof *c);
        memset(c, 0, sizeof *c);
        c->fd = fd;
        if (tls) {
            c->ssl = SSL_new(v->ctx);
            (void)SSL_set_fd(c->ssl, fd);
            SSL_set_accept_state(c->ssl);
            c->handshaking = true;
        }
        c->conn = sim_conn_open(v->service);
        v->all[v->count++] = c;
    }
}

/* ---------------------------------------------------------------- one connection */

/* > 0: bytes; 0: not now; -1: over. */
static long transfer_result(client *c, long n)
{
    if (c->ssl == NULL) {
        return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    if (n > 0) {
        return n;
    }
    int error = SSL_get_error(c->ssl, (int)n);
    c->wants_write = error == SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static long receive(client *c, void *p, size_t cap)
{
    return transfer_result(c, c->ssl != NULL ? SSL_read(c->ssl, p, (int)cap)
                                             : (long)read(c->fd, p, cap));
}

static long transmit(client *c, const void *p, size_t len)
{
    return transfer_result(c, c->ssl != NULL ? SSL_write(c->ssl, p, (int)len)
                                             : (long)write(c->fd, p, len));
}

static bool pump_in(client *c)
{
    char bytes[16384];
    long n;
    while (!c->peer_closed && (n = receive(c, bytes, sizeof bytes)) != 0) {
        if (n < 0) {
            c->peer_closed = true;
            break;
        }
        if (!c->shut) {
            (void)sim_conn_receive(c->conn, bytes, (size_t)n);
        }
    }
    return true;
}

/* Moves bytes from the core to the wire until one of them has to wait. False: the connection is
 * over. */
static bool pump_out(client *c)
{
    for (;;) {
        if (c->out_at == c->out_len) {
            c->out_at = 0;
            c->out_len = sim_conn_send(c->conn, c->out, sizeof c->out);
            if (c->out_len == 0) {
                return true;
            }
        }
        long n = transmit(c, c->out + c->out_at, c->out_len - c->out_at);
        if (n < 0) {
            return false;
        }
        if (n == 0) {
            c->wants_write = true;
            return true;
        }
        c->out_at += (size_t)n;
    }
}

/* False: the connection is over. Call it even if nothing came: bytes that are due may have to
 * leave. */
static bool move(client *c, bool stirred)
{
    c->wants_write = false;
    if (c->handshaking) {
        long n = transfer_result(c, SSL_do_handshake(c->ssl));
        if (n <= 0) {
            return n == 0;
        }
        c->handshaking = false;
    }
    if (stirred) {
        (void)pump_in(c);
    }
    if (!c->shut && !pump_out(c)) {
        return false;
    }
    sim_conn_end end = sim_conn_state(c->conn);
    if (end == SIM_CONN_RESET && c->out_at == c->out_len) {
        struct linger now = {1, 0};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        return false;
    }
    if (end == SIM_CONN_CLOSED && c->out_at == c->out_len && !c->shut) {
        /* Half-close, so that bytes still coming in do not turn the end into a reset. */
        if (c->ssl != NULL) {
            (void)SSL_shutdown(c->ssl);
        }
        (void)shutdown(c->fd, SHUT_WR);
        c->shut = true;
    }
    /* A client that closed its side while an answer is still delayed does not get it. */
    return !c->peer_closed;
}

static void drop(clients *v, size_t i)
{
    client *c = v->all[i];
    sim_conn_close(c->conn);
    if (c->ssl != NULL &&
        !c->handshaking) { /* else OpenSSL forgets the session of a client that just hangs up */
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(c->ssl);
    (void)close(c->fd);
    free(c);
    v->all[i] = v->all[--v->count];
}

size_t clients_polls(clients *v, struct pollfd *polls)
{
    size_t n = 0;
    polls[n++] = (struct pollfd){v->tcp, POLLIN, 0};
    polls[n++] = (struct pollfd){v->tls, POLLIN, 0}; /* -1 is skipped */
    for (size_t i = 0; i < v->count; i++) {
        short events = (short)(v->all[i]->wants_write ? POLLIN | POLLOUT : POLLIN);
        polls[n++] = (struct pollfd){v->all[i]->fd, events, 0};
    }
    v->polled = v->count;
    return n;
}

void clients_move(clients *v, const struct pollfd *polls)
{
    accept_from(v, v->tcp, false);
    if (v->tls >= 0) {
        accept_from(v, v->tls, true);
    }
    for (size_t i = v->count; i > 0; i--) {
        if (!move(v->all[i - 1], i > v->polled || polls[1 + i].revents != 0)) {
            drop(v, i - 1);
        }
    }
}

void clients_drop_all(clients *v)
{
    while (v->count != 0) {
        drop(v, v->count - 1);
    }
}

void clients_close(clients *v)
{
    clients_drop_all(v);
    (void)close(v->tcp);
    if (v->tls >= 0) {
        (void)close(v->tls);
    }
    SSL_CTX_free(v->ctx);
}
