/* cc -std=c99 -O2 -D_POSIX_C_SOURCE=200809L -I. examples/12_webhook_server.c -o build/12_webhook_server
 *
 * По-русски: приём уведомлений: много соединений, один поток, без кучи, за прокси с TLS.
 *
 * Receives notifications: many connections, one thread, poll(2), no heap. Prints one line for each
 * message. Run it behind a proxy that ends TLS:
 *
 *     AVITO_WEBHOOK_PATH=/avito/0123456789abcdef0123456789abcdef build/12_webhook_server 8012
 *
 *     # nginx; keep the secret out of its log
 *     location = /avito/0123456789abcdef0123456789abcdef {
 *         proxy_pass http://127.0.0.1:8012;
 *         client_max_body_size 64k;
 *         access_log off;
 *     }
 *
 * and subscribe once with avito_subscribe_webhook(). The service repeats notifications that were
 * answered late, and does not keep their order: drop duplicates by message->id (avito_inbox does).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

enum {
    CONNECTIONS = 64,
    LONGEST_BODY = 16384,
    INPUT_SIZE = 1024,
    LINGER_MS = 1000,
    FULL_MS = 1000,
    SAY_AGAIN_MS = 60000
};

struct connection {
    int fd; /* -1: free */
    bool peer_closed;
    bool lingers; /* refused: later bytes are dropped, so that the peer reads the refusal */
    uint32_t lingers_since_ms;
    avito_webhook webhook;
    size_t input_at, input_len; /* received, and not taken by the webhook yet */
    char input[INPUT_SIZE];
    char buffer[AVITO_WEBHOOK_SIZE(LONGEST_BODY)];
};

static struct connection connections[CONNECTIONS];
static char memory[32768]; /* for one decoded notification */
static bool full; /* no descriptor is left: try again when a connection ends, or after FULL_MS */
static uint32_t full_since_ms;

static uint32_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)((uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u);
}

/* Strangers write the text: control characters would reach the terminal. */
static void print_text(avito_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == 0xc2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xa0) {
            i++; /* U+0080 to U+009F */
            c = 0;
        }
        putchar(c < 0x20 || c == 0x7f ? ' ' : c);
    }
}

/* The program's purpose. Other connections wait meanwhile: hand long work to another thread or
 * process. */
static void handle(const avito_webhook *webhook)
{
    avito_arena arena = avito_arena_of(memory, sizeof memory);
    avito_event event;
    size_t needed = 0;
    int result = avito_webhook_event(webhook, &arena, &event, &needed);

    if (result != AVITO_OK) {
        fprintf(stderr, "notification: %s (%zu bytes would do)\n", avito_error_text(result),
                needed);
    } else if (event.message == NULL) {
        print_text(event.type);
        printf(": not a message\n");
    } else {
        const avito_message *m = event.message;
        print_text(m->chat_id);
        printf(" %lld%s: ", (long long)m->author_id, m->is_own ? " (this account)" : "");
        print_text(m->content.kind == AVITO_MESSAGE_TEXT ? m->content.as.text : m->type_word);
        putchar('\n');
    }
    if (fflush(stdout) != 0 || ferror(stdout)) { /* a full disk: acknowledge no more */
        perror("the last notification is lost: standard output");
        exit(1);
    }
}

static void close_connection(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
    full = false;
}

/* Closing while the peer still sends would reset the connection, and our answer with it. */
static void finish(struct connection *c)
{
    if (avito_webhook_status(&c->webhook) < 400 || shutdown(c->fd, SHUT_WR) != 0) {
        close_connection(c);
        return;
    }
    c->lingers = true;
    c->lingers_since_ms = now_ms();
}

static void linger(struct connection *c)
{
    ssize_t n = recv(c->fd, c->input, sizeof c->input, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) ||
        now_ms() - c->lingers_since_ms >= LINGER_MS) {
        close_connection(c);
    }
}

static short events_for(const struct connection *c)
{
    int wants = avito_webhook_wants(&c->webhook);

    if (c->lingers) {
        return POLLIN;
    }
    return (short)(wants == AVITO_WANT_WRITE ? POLLOUT : wants == AVITO_WANT_READ ? POLLIN : 0);
}

static uint32_t due_in(const struct connection *c)
{
    uint32_t lingered = now_ms() - c->lingers_since_ms;

    if (c->lingers) {
        return lingered < LINGER_MS ? LINGER_MS - lingered : 0;
    }
    return avito_webhook_deadline_ms(&c->webhook, now_ms());
}

/* Sends what is waiting. False when the connection broke. */
static bool flush_output(struct connection *c)
{
    size_t len;
    const char *bytes;

    while ((bytes = avito_webhook_output(&c->webhook, &len)) != NULL) {
        ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        }
        avito_webhook_sent(&c->webhook, (size_t)n, now_ms());
    }
    return true;
}

/* Gives the webhook what was received. True when it made progress. */
static bool receive(struct connection *c)
{
    size_t used;
    int result =
        avito_webhook_receive(&c->webhook, c->input + c->input_at, c->input_len, &used, now_ms());

    c->input_at += used;
    c->input_len -= used;
    if (result < 0 && result != AVITO_ERR_TIMEOUT_IDLE) {
        fprintf(stderr, "request refused with %d\n", avito_webhook_status(&c->webhook));
    }
    return used > 0 || result < 0;
}

/* One connection, as far as it goes without waiting: answer, then handle, then read on. */
static void serve(struct connection *c)
{
    for (;;) {
        size_t len;
        bool alive = flush_output(c);

        if (alive && avito_webhook_output(&c->webhook, &len) != NULL &&
            avito_webhook_deadline_ms(&c->webhook, now_ms()) > 0) {
            return; /* the answer first: until the socket takes it */
        }
        if (avito_webhook_body(&c->webhook, &len) != NULL) {
            handle(&c->webhook);
            avito_webhook_done(&c->webhook, now_ms());
        }
        if (!alive || (c->peer_closed && c->input_len == 0)) {
            close_connection(c);
            return;
        }
        if (avito_webhook_finished(&c->webhook)) {
            finish(c);
            return;
        }
        if (!receive(c)) {
            return;
        }
    }
}

static void read_input(struct connection *c)
{
    ssize_t n;

    if (c->input_len > 0 || c->peer_closed) {
        return;
    }
    n = recv(c->fd, c->input, sizeof c->input, MSG_DONTWAIT);
    if (n > 0) {
        c->input_at = 0;
        c->input_len = (size_t)n;
    } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        c->peer_closed = true;
    }
}

/* Says so at most once a minute: each connection that ends makes room for one attempt, and a line
 * for each failure would fill the log. */
static void no_descriptor(void)
{
    static uint32_t said_ms;
    static bool said;

    if (!said || now_ms() - said_ms >= SAY_AGAIN_MS) {
        perror("accept");
        said = true;
        said_ms = now_ms();
    }
    full = true;
    full_since_ms = now_ms();
}

static void accept_connection(int listener, const char *path)
{
    avito_webhook_options o = avito_webhook_options_default();
    struct connection *c = connections;
    int fd = accept(listener, NULL, NULL);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            no_descriptor();
        }
        return;
    }
    while (c->fd >= 0) {
        c++; /* there is a free slot, or we would not have listened */
    }
    c->fd = fd;
    c->peer_closed = false;
    c->lingers = false;
    c->input_len = 0;
    o.path = path;
    o.buffer = c->buffer;
    o.buffer_cap = sizeof c->buffer;
    (void)avito_webhook_init(&c->webhook, &o, now_ms()); /* main() has tried these options */
}

/* Only on the loopback address: others come through the proxy. */
static int listen_on(uint16_t port)
{
    struct sockaddr_in address;
    int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

/* Milliseconds until accept() is worth an attempt. */
static uint32_t full_for(void)
{
    uint32_t passed = now_ms() - full_since_ms;

    return full && passed < FULL_MS ? FULL_MS - passed : 0;
}

/* Serves one connection that is due, or of which poll() has reported something. */
static void serve_ready(struct connection *c, short told)
{
    if (c->lingers) {
        linger(c);
        return;
    }
    if ((told & ~POLLOUT) != 0) {
        read_input(c);
    }
    serve(c);
}

/* One round: waits for what the connections want, then serves those that are ready or due. */
static void serve_all(int listener, const char *path)
{
    struct pollfd fds[CONNECTIONS + 1];
    struct connection *of[CONNECTIONS];
    uint32_t wait = full_for() > 0 ? full_for() : 60000;
    nfds_t used = 0, asked;

    /* Without gaps, because poll() refuses more entries than the process may have descriptors. */
    memset(fds, 0, sizeof fds);
    for (struct connection *c = connections; c < connections + CONNECTIONS; c++) {
        if (c->fd >= 0) {
            fds[used].fd = c->fd;
            fds[used].events = events_for(c);
            of[used++] = c;
            wait = due_in(c) < wait ? due_in(c) : wait;
        }
    }
    asked = used;
    if (used < CONNECTIONS && full_for() == 0) { /* else the kernel's queue waits */
        fds[asked].fd = listener;
        fds[asked++].events = POLLIN;
    }
    if (poll(fds, asked, (int)wait) < 0) {
        return; /* a signal */
    }
    for (nfds_t i = 0; i < used; i++) {
        if (fds[i].revents != 0 || due_in(of[i]) == 0) {
            serve_ready(of[i], fds[i].revents);
        }
    }
    if (asked > used && fds[used].revents != 0) {
        accept_connection(listener, path);
    }
}

int main(int argc, char **argv)
{
    const char *path = getenv("AVITO_WEBHOOK_PATH");
    avito_webhook_options o = avito_webhook_options_default();
    int port = argc > 1 ? atoi(argv[1]) : 8012;

    o.path = path;
    o.buffer = connections[0].buffer;
    o.buffer_cap = sizeof connections[0].buffer;
    if (avito_webhook_init(&connections[0].webhook, &o, now_ms()) != AVITO_OK || port < 1 ||
        port > 65535) {
        fprintf(stderr, "usage: AVITO_WEBHOOK_PATH=/avito/SECRET 12_webhook_server [PORT]\n");
        return 2;
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        connections[i].fd = -1;
    }
    int listener = listen_on((uint16_t)port);
    for (;;) {
        serve_all(listener, path);
    }
}
