/* deliveries.c - notifications over HTTP, to this machine only. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

static void end(deliveries *v, size_t i, int status)
{
    delivery *d = &v->all[i];
    sim_webhook_answered(v->service, d->id, status);
    (void)close(d->fd);
    simi_free(&d->request);
    v->all[i] = v->all[--v->count];
}

/* Connects for a notification and prepares its request. A URL of another machine fails at once. */
static void begin(deliveries *v, const sim_webhook *hook)
{
    struct sockaddr_in to;
    int port = 0;
    const char *path = "/";
    delivery d;
    memset(&d, 0, sizeof d);
    memset(&to, 0, sizeof to);
    if (!split_url(hook->url, &port, &path)) {
        sim_webhook_answered(v->service, hook->id, 0);
        return;
    }
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    d.id = hook->id;
    d.deadline = net_clock_ms(NULL) + sim_live(v->service)->webhook_timeout_ms;
    d.fd = socket(AF_INET, SOCK_STREAM, 0);
    net_unblock(d.fd);
    (void)connect(d.fd, (struct sockaddr *)&to, sizeof to);
    simi_putf(&d.request,
              "POST %s HTTP/1.1\r\nHost: localhost:%d\r\nContent-Type: application/json\r\n"
              "X-Avito-Messenger-Signature: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
              path, port, hook->signature, hook->body_len);
    simi_put(&d.request, hook->body, hook->body_len);
    v->all[v->count++] = d;
}

/* False: over; *status says how. */
static bool move(delivery *d, int *status)
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

void deliveries_move(deliveries *v)
{
    sim_webhook hook;
    int status = 0;
    for (size_t i = v->count; i > 0; i--) {
        if (!move(&v->all[i - 1], &status) || net_clock_ms(NULL) >= v->all[i - 1].deadline) {
            end(v, i - 1, status);
        }
    }
    while (v->count < MAX_DELIVERIES && sim_next_webhook(v->service, &hook)) {
        begin(v, &hook);
    }
}

size_t deliveries_polls(const deliveries *v, struct pollfd *polls)
{
    for (size_t i = 0; i < v->count; i++) {
        bool sending = v->all[i].sent < v->all[i].request.len;
        polls[i] = (struct pollfd){v->all[i].fd, sending ? POLLOUT : POLLIN, 0};
    }
    return v->count;
}

void deliveries_drop_all(deliveries *v)
{
    while (v->count != 0) {
        end(v, v->count - 1, 0);
    }
}
