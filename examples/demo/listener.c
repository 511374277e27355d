#include "listener.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool listener_open(listener *l)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;

    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    l->body_len = 0;
    l->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(l->fd, 8) != 0 ||
        getsockname(l->fd, (struct sockaddr *)&at, &size) != 0) {
        return false;
    }
    l->port = ntohs(at.sin_port);
    return true;
}

void listener_close(listener *l)
{
    (void)close(l->fd);
    l->fd = -1;
}

/* Sends the webhook's answer. */
static void answer(int fd, avito_webhook *w)
{
    const char *out;
    size_t len;

    while ((out = avito_webhook_output(w, &len)) != NULL) {
        ssize_t n = send(fd, out, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return;
        }
        avito_webhook_sent(w, (size_t)n, avito_posix_clock_ms(NULL));
    }
}

/* Serves one connection until its first notification or its end. True: a notification. */
static bool serve(listener *l, int fd, avito_webhook *w)
{
    char bytes[1024];
    size_t used, at;

    while (!avito_webhook_finished(w)) {
        struct pollfd ready = {fd, POLLIN, 0};
        uint32_t ms = avito_webhook_deadline_ms(w, avito_posix_clock_ms(NULL));
        ssize_t n = poll(&ready, 1, (int)(ms < 10000 ? ms : 10000)) > 0
                        ? recv(fd, bytes, sizeof bytes, 0)
                        : -1;
        int result = AVITO_AGAIN;

        if (n == 0) {
            return false;
        }
        for (at = 0; n > 0 && at < (size_t)n && result == AVITO_AGAIN; at += used) {
            result = avito_webhook_receive(w, bytes + at, (size_t)n - at, &used,
                                           avito_posix_clock_ms(NULL));
            answer(fd, w); /* acknowledge first, handle later */
            if (used == 0) {
                break;
            }
        }
        if (n < 0) {
            result = avito_webhook_receive(w, NULL, 0, &used, avito_posix_clock_ms(NULL));
            answer(fd, w);
        }
        if (result == AVITO_OK) {
            const void *body = avito_webhook_body(w, &l->body_len);

            memcpy(l->body, body, l->body_len);
            avito_webhook_done(w, avito_posix_clock_ms(NULL));
            return true;
        }
        if (result < 0) {
            return false;
        }
    }
    return false;
}

bool listener_wait(listener *l, const char *path, uint32_t ms)
{
    uint32_t began = avito_posix_clock_ms(NULL);
    avito_webhook_options o = avito_webhook_options_default();

    o.path = path;
    o.buffer = l->buffer;
    o.buffer_cap = sizeof l->buffer;
    for (;;) {
        uint32_t passed = avito_posix_clock_ms(NULL) - began;
        struct pollfd ready = {l->fd, POLLIN, 0};
        avito_webhook w;
        bool got;
        int fd;

        if (passed >= ms || poll(&ready, 1, (int)(ms - passed)) <= 0 ||
            avito_webhook_init(&w, &o, avito_posix_clock_ms(NULL)) != AVITO_OK ||
            (fd = accept(l->fd, NULL, NULL)) < 0) {
            return false;
        }
        got = serve(l, fd, &w);
        (void)close(fd);
        if (got) {
            return true;
        }
    }
}
