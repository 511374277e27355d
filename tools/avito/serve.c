/* serve.c - avito webhook serve: notifications as lines, behind a proxy that ends TLS.
 *
 * A notification is written, and flushed, before it is answered: what cannot be written is not answered,
 * and the service sends it again. */
#include "messages.h"
#include "run.h"
#include "serve.h"
#include "show.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 16
#define BODY_MAX    65536

struct connection {
    int fd; /* -1: free */
    avito_webhook webhook;
    char buffer[AVITO_WEBHOOK_SIZE(BODY_MAX)];
    char in[4096]; /* received and not used yet */
    size_t in_len;
};

struct server {
    session *session;
    const char *path;
    int listener;
    struct connection connections[CONNECTIONS];
    char room[4 * BODY_MAX];
};

/* ADDRESS:PORT, the address numeric. False after saying why. */
static bool address_of(const char *word, struct sockaddr_in *out)
{
    char address[64];
    const char *colon = word != NULL ? strrchr(word, ':') : NULL;
    const long port = colon != NULL ? strtol(colon + 1, NULL, 10) : 0;

    memset(out, 0, sizeof *out);
    out->sin_family = AF_INET;
    out->sin_port = htons((uint16_t)port);
    if (colon != NULL && (size_t)(colon - word) < sizeof address && port > 0 && port < 65536) {
        memcpy(address, word, (size_t)(colon - word));
        address[colon - word] = '\0';
        if (inet_pton(AF_INET, address, &out->sin_addr) == 1) {
            return true;
        }
    }
    fputs(say(TEXT("--listen takes an address and a port, such as 127.0.0.1:8080\n",
                   "--listen: адрес и порт, например 127.0.0.1:8080\n")),
          stderr);
    return false;
}

static int listen_at(const struct sockaddr_in *at)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)at, sizeof *at) != 0 || listen(fd, CONNECTIONS) != 0) {
        perror(say(TEXT("avito: cannot listen", "avito: не удаётся слушать")));
        return -1;
    }
    return fd;
}

static void drop(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
}

static void accept_connection(struct server *s)
{
    avito_webhook_options o = avito_webhook_options_default();
    struct connection *c = s->connections;
    const int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        return;
    }
    while (c < s->connections + CONNECTIONS && c->fd >= 0) {
        c++;
    }
    if (c == s->connections + CONNECTIONS) { /* the proxy tries again */
        close(fd);
        return;
    }
    c->fd = fd;
    c->in_len = 0;
    o.path = s->path;
    o.buffer = c->buffer;
    o.buffer_cap = sizeof c->buffer;
    (void)avito_webhook_init(&c->webhook, &o,
                             avito_posix_clock_ms(NULL)); /* the path was checked before */
}

/* Writes the notification. False: it is not answered. */
static bool hand_over_event(struct server *s, struct connection *c)
{
    avito_arena arena = avito_arena_of(s->room, sizeof s->room);
    avito_event event;
    const int result = avito_webhook_event(&c->webhook, &arena, &event, NULL);

    if (result == AVITO_OK && event.message != NULL) {
        print_message(s->session, event.message, NULL);
    } else if (result < 0) {
        fprintf(stderr, "avito: %s\n",
                avito_error_text(result)); /* the same bytes would come again */
    }
    return !ferror(stdout);
}

static bool flush_output(struct connection *c)
{
    const char *out;
    size_t len;

    while ((out = avito_webhook_output(&c->webhook, &len)) != NULL && len > 0) {
        const ssize_t n = send(c->fd, out, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        avito_webhook_sent(&c->webhook, (size_t)n, avito_posix_clock_ms(NULL));
    }
    return true;
}

/* Takes in what was received. False: close. */
static bool feed(struct server *s, struct connection *c)
{
    bool again = true;

    while (again && avito_webhook_wants(&c->webhook) != AVITO_WANT_WRITE) {
        size_t used = 0;
        const int result =
            avito_webhook_receive(&c->webhook, c->in, c->in_len, &used, avito_posix_clock_ms(NULL));

        memmove(c->in, c->in + used, c->in_len - used);
        c->in_len -= used;
        again = used > 0 && c->in_len > 0;
        if (result == AVITO_OK) {
            if (!hand_over_event(s, c) || !flush_output(c)) {
                return false;
            }
            avito_webhook_done(&c->webhook, avito_posix_clock_ms(NULL));
        }
    }
    return flush_output(c) && !avito_webhook_finished(&c->webhook);
}

static bool serve_connection(struct server *s, struct connection *c, short events)
{
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        const ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return false;
        }
        c->in_len += n > 0 ? (size_t)n : 0;
    }
    return flush_output(c) && feed(s, c);
}

static int wait_for(struct server *s, struct pollfd *fds)
{
    const uint32_t now = avito_posix_clock_ms(NULL);
    uint32_t ms = 60000;

    fds[0] = (struct pollfd){s->listener, POLLIN, 0};
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &s->connections[i];

        fds[i + 1] = (struct pollfd){c->fd, 0, 0};
        if (c->fd >= 0) {
            const uint32_t left = avito_webhook_deadline_ms(&c->webhook, now);

            fds[i + 1].events =
                avito_webhook_wants(&c->webhook) & AVITO_WANT_WRITE ? POLLOUT : POLLIN;
            ms = left < ms ? left : ms;
        }
    }
    return poll(fds, CONNECTIONS + 1, (int)ms);
}

static int serve(struct server *s)
{
    struct pollfd fds[CONNECTIONS + 1];

    while (!ferror(stdout)) {
        if (wait_for(s, fds) < 0 && errno != EINTR) {
            perror("avito: poll");
            return EXIT_LOCAL;
        }
        for (int i = 0; i < CONNECTIONS; i++) {
            if (fds[i + 1].fd >= 0 &&
                !serve_connection(s, &s->connections[i], fds[i + 1].revents)) {
                drop(&s->connections[i]);
            }
        }
        if (fds[0].revents & POLLIN) {
            accept_connection(s);
        }
    }
    return EXIT_LOCAL;
}

int serve_webhook(const arguments *a, const char *path)
{
    static struct server s;
    avito_webhook_options o = avito_webhook_options_default();
    struct sockaddr_in at;
    avito_webhook probe;

    s.session = &the_session;
    s.session->arguments = a;
    s.path = path;
    o.path = path;
    o.buffer = s.connections[0].buffer;
    o.buffer_cap = sizeof s.connections[0].buffer;
    if (path == NULL || avito_webhook_init(&probe, &o, 0) != AVITO_OK) {
        fputs(say(TEXT("--path-file names a file with the path: / and at least 32 hex digits\n",
                       "--path-file - файл с путём: / и не меньше 32 шестнадцатеричных цифр\n")),
              stderr);
        return EXIT_USAGE;
    }
    if (!address_of(a->values[OPTION_LISTEN], &at)) {
        return EXIT_USAGE;
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        s.connections[i].fd = -1;
    }
    signal(SIGPIPE, SIG_IGN);
    show_begin(has_option(a, OPTION_QUIET));
    s.listener = listen_at(&at);
    return s.listener >= 0 ? serve(&s) : EXIT_LOCAL;
}
