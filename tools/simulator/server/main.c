/*
 * main.c - the simulated Avito service on loopback, over TCP and TLS: build/simulator.
 *
 * One thread, poll(2). What the service does is in the core (simulator.h); here are only sockets,
 * OpenSSL, the delivery of notifications, the door for tests (admin.c) and the buyer.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define MAX_CONNECTIONS 512
#define MAX_DELIVERIES  16

typedef struct connection {
    int fd;
    SSL *ssl; /* NULL: plain TCP */
    sim_conn *conn;
    char out[16384]; /* taken from the core, not yet on the wire */
    size_t out_len, out_at;
    bool handshaking, wants_write, peer_closed, shut;
} connection;

typedef struct delivery {
    int fd;
    uint64_t id;
    simi_buf request;
    size_t sent;
    char answer[64];
    size_t answered;
    int64_t deadline;
} delivery;

typedef struct server {
    program program;
    int tcp, tls;
    SSL_CTX *ctx;
    connection *connections[MAX_CONNECTIONS];
    size_t connection_count;
    delivery deliveries[MAX_DELIVERIES];
    size_t delivery_count;
} server;

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static int64_t clock_ms(void *ctx)
{
    struct timespec t;
    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void fail(const char *what)
{
    (void)fprintf(stderr, "simulator: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---------------------------------------------------------------- listening */

static void unblock(int fd)
{
    int one = 1;
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* Loopback only: this is a test service. *port 0 becomes the port that the system chose. */
static int listen_on(int *port)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_port = htons((uint16_t)*port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) != 0) {
        fail("listen");
    }
    *port = ntohs(at.sin_port);
    unblock(fd);
    return fd;
}

/* What the clients must have room for: the largest record that was sent, as its header says. */
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

static SSL_CTX *tls_context(const char *cert, const char *key, size_t *largest_record)
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

static void accept_from(server *v, int listener, bool tls)
{
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        if (v->connection_count == MAX_CONNECTIONS) {
            (void)close(fd);
            continue;
        }
        unblock(fd);
        connection *c = simi_alloc(NULL, sizeof *c);
        memset(c, 0, sizeof *c);
        c->fd = fd;
        if (tls) {
            c->ssl = SSL_new(v->ctx);
            (void)SSL_set_fd(c->ssl, fd);
            SSL_set_accept_state(c->ssl);
            c->handshaking = true;
        }
        c->conn = sim_conn_open(v->program.service);
        v->connections[v->connection_count++] = c;
    }
}

/* ---------------------------------------------------------------- one connection */

/* > 0: bytes; 0: not now; -1: over. */
static long transfer_result(connection *c, long n)
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

static long receive(connection *c, void *p, size_t cap)
{
    return transfer_result(c, c->ssl != NULL ? SSL_read(c->ssl, p, (int)cap)
                                             : (long)read(c->fd, p, cap));
}

static long transmit(connection *c, const void *p, size_t len)
{
    return transfer_result(c, c->ssl != NULL ? SSL_write(c->ssl, p, (int)len)
                                             : (long)write(c->fd, p, len));
}

static bool pump_in(connection *c)
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

static bool pump_out(connection *c)
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

/* False: the connection is over. */
static bool move(connection *c)
{
    c->wants_write = false;
    if (c->handshaking) {
        long n = transfer_result(c, SSL_do_handshake(c->ssl));
        if (n <= 0) {
            return n == 0;
        }
        c->handshaking = false;
    }
    (void)pump_in(c);
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

static void drop_connection(server *v, size_t i)
{
    connection *c = v->connections[i];
    sim_conn_close(c->conn);
    if (c->ssl != NULL &&
        !c->handshaking) { /* else OpenSSL forgets the session of who just hangs up */
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(c->ssl);
    (void)close(c->fd);
    free(c);
    v->connections[i] = v->connections[--v->connection_count];
}

/* ---------------------------------------------------------------- notifications */

/* http://127.0.0.1:PORT/path, http://localhost:PORT/path: nothing leaves this machine. */
static bool split_url(const char *url, int *port, const char **path)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://localhost"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(hosts[i]);
        if (strncmp(url, hosts[i], n) != 0) {
            continue;
        }
        *port = 80;
        if (url[n] == ':') {
            *port = atoi(url + n + 1);
            n += 1 + strspn(url + n + 1, "0123456789");
        }
        *path = url[n] == '/' ? url + n : "/";
        return *port > 0 && *port < 65536 && (url[n] == '/' || url[n] == '\0');
    }
    return false;
}

static void end_delivery(server *v, size_t i, int status)
{
    delivery *d = &v->deliveries[i];
    sim_webhook_answered(v->program.service, d->id, status);
    (void)close(d->fd);
    simi_free(&d->request);
    v->deliveries[i] = v->deliveries[--v->delivery_count];
}

static void begin_delivery(server *v, const sim_webhook *hook)
{
    struct sockaddr_in to;
    int port = 0;
    const char *path = "/";
    delivery d;
    memset(&d, 0, sizeof d);
    memset(&to, 0, sizeof to);
    if (!split_url(hook->url, &port, &path)) {
        sim_webhook_answered(v->program.service, hook->id, 0);
        return;
    }
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    d.id = hook->id;
    d.deadline = clock_ms(NULL) + sim_live(v->program.service)->webhook_timeout_ms;
    d.fd = socket(AF_INET, SOCK_STREAM, 0);
    unblock(d.fd);
    (void)connect(d.fd, (struct sockaddr *)&to, sizeof to);
    simi_putf(&d.request,
              "POST %s HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/json\r\n"
              "X-Avito-Messenger-Signature: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
              path, port, hook->signature, hook->body_len);
    simi_put(&d.request, hook->body, hook->body_len);
    v->deliveries[v->delivery_count++] = d;
}

/* False: over; *status says how. */
static bool move_delivery(delivery *d, int *status)
{
    *status = 0;
    if (d->sent < d->request.len) {
        ssize_t n = write(d->fd, d->request.p + d->sent, d->request.len - d->sent);
        if (n < 0) {
            return errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN;
        }
        d->sent += (size_t)n;
    }
    ssize_t n = read(d->fd, d->answer + d->answered, sizeof d->answer - 1 - d->answered);
    if (n < 0) {
        return errno == EAGAIN || errno == ENOTCONN;
    }
    d->answered += (size_t)n;
    d->answer[d->answered] = '\0';
    if (d->answered >= 12 && strncmp(d->answer, "HTTP/1.", 7) == 0) {
        *status = atoi(d->answer + 9);
        return false;
    }
    return n != 0;
}

static void deliver(server *v)
{
    sim_webhook hook;
    int status = 0;
    for (size_t i = v->delivery_count; i > 0; i--) {
        if (!move_delivery(&v->deliveries[i - 1], &status) ||
            clock_ms(NULL) >= v->deliveries[i - 1].deadline) {
            end_delivery(v, i - 1, status);
        }
    }
    while (v->delivery_count < MAX_DELIVERIES && sim_next_webhook(v->program.service, &hook)) {
        begin_delivery(v, &hook);
    }
}

/* ---------------------------------------------------------------- the loop */

static size_t fill_polls(server *v, struct pollfd *polls)
{
    size_t n = 0;
    polls[n++] = (struct pollfd){v->tcp, POLLIN, 0};
    polls[n++] = (struct pollfd){v->tls, POLLIN, 0}; /* -1 is passed over */
    for (size_t i = 0; i < v->connection_count; i++) {
        short events = POLLIN;
        events = (short)(v->connections[i]->wants_write ? events | POLLOUT : events);
        polls[n++] = (struct pollfd){v->connections[i]->fd, events, 0};
    }
    for (size_t i = 0; i < v->delivery_count; i++) {
        bool sending = v->deliveries[i].sent < v->deliveries[i].request.len;
        polls[n++] = (struct pollfd){v->deliveries[i].fd, sending ? POLLOUT : POLLIN, 0};
    }
    return n;
}

static int poll_timeout(server *v)
{
    int64_t now = clock_ms(NULL);
    int64_t next = sim_next_event_ms(v->program.service);
    int64_t buyer = program_next_ms(&v->program);
    next = buyer < next ? buyer : next;
    if (v->delivery_count != 0 && next > now + 50) {
        next = now + 50;
    }
    if (next == INT64_MAX) {
        return -1;
    }
    int64_t wait = next - now + 1;
    return wait < 1 ? 1 : wait > 10000 ? 10000 : (int)wait;
}

static void run(server *v)
{
    struct pollfd polls[2 + MAX_CONNECTIONS + MAX_DELIVERIES];
    while (!stop) {
        size_t n = fill_polls(v, polls);
        (void)poll(polls, n, poll_timeout(v));
        accept_from(v, v->tcp, false);
        if (v->tls >= 0) {
            accept_from(v, v->tls, true);
        }
        for (size_t i = v->connection_count; i > 0; i--) {
            if (!move(v->connections[i - 1])) {
                drop_connection(v, i - 1);
            }
        }
        program_tick(&v->program);
        deliver(v);
    }
}

static void write_ports(const program *p)
{
    (void)printf("tcp %d\ntls %d\nuser_id %lld\n", p->tcp_port, p->cert != NULL ? p->tls_port : 0,
                 (long long)sim_live(p->service)->user_id);
    (void)fflush(stdout);
    if (p->ports_file == NULL) {
        return;
    }
    simi_buf name = {
        0}; /* written aside and renamed: who waits for the file never sees half of it */
    simi_putf(&name, "%s.new", p->ports_file);
    FILE *file = fopen(name.p, "w");
    if (file == NULL ||
        fprintf(file, "tcp=%d\ntls=%d\n", p->tcp_port, p->cert != NULL ? p->tls_port : 0) < 0 ||
        fclose(file) != 0 || rename(name.p, p->ports_file) != 0) {
        fail(p->ports_file);
    }
    simi_free(&name);
}

int main(int argc, char **argv)
{
    static server v;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!program_start(&v.program, argc, argv, clock_ms)) {
        return 2;
    }
    v.tcp = listen_on(&v.program.tcp_port);
    v.tls = -1;
    if (v.program.cert != NULL) {
        v.ctx = tls_context(v.program.cert, v.program.key, &v.program.largest_record);
        v.tls = listen_on(&v.program.tls_port);
    }
    write_ports(&v.program);
    run(&v);
    while (v.connection_count != 0) {
        drop_connection(&v, v.connection_count - 1);
    }
    while (v.delivery_count != 0) {
        end_delivery(&v, v.delivery_count - 1, 0);
    }
    SSL_CTX_free(v.ctx);
    program_end(&v.program);
    return 0;
}
