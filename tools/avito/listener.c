/* listener.c - see listener.h. */
#include "listener.h"
#include "language.h"
#include "russian.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct listener_connection {
    int fd;
    avito_webhook webhook;
    char buffer[AVITO_WEBHOOK_SIZE(LISTENER_BODY_MAX)];
    char in[4096]; /* received and not used yet */
    size_t in_len;
};

/* Where to listen. */
union place {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

/* A numeric address: that of IPv6 is in brackets. */
static bool take_address(char *word, uint16_t port, union place *out)
{
    const size_t len = strlen(word);

    if (len < 2 || word[0] != '[' || word[len - 1] != ']') {
        out->four.sin_family = AF_INET;
        out->four.sin_port = htons(port);
        return inet_pton(AF_INET, word, &out->four.sin_addr) == 1;
    }
    word[len - 1] = '\0';
    out->six.sin6_family = AF_INET6;
    out->six.sin6_port = htons(port);
    return inet_pton(AF_INET6, word + 1, &out->six.sin6_addr) == 1;
}

/* ADDRESS:PORT. False after saying why. */
static bool place_of(const char *word, union place *out)
{
    char address[64], *end = NULL;
    const char *colon = word != NULL ? strrchr(word, ':') : NULL;
    const long port = colon != NULL ? strtol(colon + 1, &end, 10) : 0;

    memset(out, 0, sizeof *out);
    if (colon != NULL && (size_t)(colon - word) < sizeof address && *end == '\0' && port > 0 &&
        port < 65536) {
        memcpy(address, word, (size_t)(colon - word));
        address[colon - word] = '\0';
        if (take_address(address, (uint16_t)port, out)) {
            return true;
        }
    }
    complain(TEXT("listen takes an address and a port, such as 127.0.0.1:8080 or [::1]:8080\n",
                  "listen: адрес и порт, например 127.0.0.1:8080 или [::1]:8080\n"));
    return false;
}

static int listen_at(const union place *at)
{
    const int fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, &at->any, at->any.sa_family == AF_INET ? sizeof at->four : sizeof at->six) != 0 ||
        listen(fd, LISTENER_CONNECTIONS) != 0) {
        system_error(say(TEXT("avito: cannot listen", "avito: не удаётся слушать")));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

bool listener_path(const char *path, const char *file)
{
    static char room[AVITO_WEBHOOK_SIZE(1)];
    avito_webhook_options o = avito_webhook_options_default();
    const char *last = path != NULL ? strrchr(path, '/') : NULL;
    const size_t digits = last != NULL ? strspn(last + 1, "0123456789abcdefABCDEF-") : 0;
    avito_webhook probe;

    o.path = path;
    o.buffer = room;
    o.buffer_cap = sizeof room;
    if (digits >= 32 && last[1 + digits] == '\0' && avito_webhook_init(&probe, &o, 0) == AVITO_OK) {
        return true;
    }
    complain(TEXT("%s: the first line is the path: / and at least 32 hex digits\n",
                  "%s: в первой строке путь: / и не меньше 32 шестнадцатеричных цифр\n"),
             file);
    return false;
}

int listener_open(listener *l, const char *at, const char *path,
                  bool (*take)(void *ctx, avito_webhook *webhook), void *ctx)
{
    union place where;

    memset(l, 0, sizeof *l);
    l->fd = -1;
    l->path = path;
    l->take = take;
    l->ctx = ctx;
    if (!place_of(at, &where)) {
        return EXIT_USAGE;
    }
    l->fd = listen_at(&where);
    return l->fd >= 0 ? EXIT_DONE : EXIT_LOCAL;
}

static void drop(struct listener_connection **c)
{
    close((*c)->fd);
    free(*c);
    *c = NULL;
}

void listener_close(listener *l)
{
    for (int i = 0; i < LISTENER_CONNECTIONS; i++) {
        if (l->connections[i] != NULL) {
            drop(&l->connections[i]);
        }
    }
    if (l->fd >= 0) {
        close(l->fd);
    }
    l->fd = -1;
}

/* Without room or memory the connection is closed: the proxy tries again. */
static void accept_connection(listener *l)
{
    avito_webhook_options o = avito_webhook_options_default();
    struct listener_connection **c = l->connections;
    const int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        return;
    }
    while (c < l->connections + LISTENER_CONNECTIONS && *c != NULL) {
        c++;
    }
    if (c == l->connections + LISTENER_CONNECTIONS || (*c = malloc(sizeof **c)) == NULL) {
        close(fd);
        return;
    }
    (*c)->fd = fd;
    (*c)->in_len = 0;
    o.path = l->path;
    o.buffer = (*c)->buffer;
    o.buffer_cap = sizeof(*c)->buffer;
    (void)avito_webhook_init(&(*c)->webhook, &o,
                             avito_posix_clock_ms(NULL)); /* the path was checked before */
}

static bool flush_output(struct listener_connection *c)
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

/* Feeds the receiver with what has come, or with nothing, since its time may be up. False: close. */
static bool feed(listener *l, struct listener_connection *c)
{
    bool again = true;

    while (again) {
        size_t used = 0;
        int result;

        if (!flush_output(c)) {
            return false;
        }
        result =
            avito_webhook_receive(&c->webhook, c->in, c->in_len, &used, avito_posix_clock_ms(NULL));
        memmove(c->in, c->in + used, c->in_len - used);
        c->in_len -= used;
        again = used > 0 && c->in_len > 0;
        if (result == AVITO_OK) {
            if (!l->take(l->ctx, &c->webhook) || !flush_output(c)) {
                return false;
            }
            avito_webhook_done(&c->webhook, avito_posix_clock_ms(NULL));
        }
    }
    return flush_output(c) && !avito_webhook_finished(&c->webhook);
}

static bool serve_connection(listener *l, struct listener_connection *c, short events)
{
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        const ssize_t n = recv(c->fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return false;
        }
        c->in_len += n > 0 ? (size_t)n : 0;
    }
    return feed(l, c);
}

uint32_t listener_prepare(const listener *l, struct pollfd *fds)
{
    const uint32_t now = avito_posix_clock_ms(NULL);
    uint32_t ms = UINT32_MAX;

    fds[0] = (struct pollfd){l->fd, POLLIN, 0};
    for (int i = 0; i < LISTENER_CONNECTIONS; i++) {
        const struct listener_connection *c = l->connections[i];

        fds[i + 1] = (struct pollfd){c != NULL ? c->fd : -1, 0, 0};
        if (c != NULL) {
            const uint32_t left = avito_webhook_deadline_ms(&c->webhook, now);

            fds[i + 1].events =
                avito_webhook_wants(&c->webhook) & AVITO_WANT_WRITE ? POLLOUT : POLLIN;
            ms = left < ms ? left : ms;
        }
    }
    return ms;
}

void listener_step(listener *l, const struct pollfd *fds)
{
    for (int i = 0; i < LISTENER_CONNECTIONS; i++) {
        if (l->connections[i] != NULL && fds[i + 1].fd >= 0 &&
            !serve_connection(l, l->connections[i], fds[i + 1].revents)) {
            drop(&l->connections[i]);
        }
    }
    if (fds[0].revents & POLLIN) {
        accept_connection(l);
    }
}
