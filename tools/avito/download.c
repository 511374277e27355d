/* download.c - see download.h. HTTP/1.0, so that the body ends with the connection or its length. */
#include "download.h"
#include "disk.h"
#include "russian.h"
#include "show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define TIMEOUT_MS 60000u /* without a byte on the wire */
#define TURN_MS    5000   /* then it is seen whether one has moved */

struct download {
    avito_tcp tcp;
    avito_tls tls;
    avito_transport transport;
    unsigned char records[AVITO_TLS_BUFFER_HALF(16384)];
    char host[256], request[2048];
    char head[8192];
    size_t head_len;
    long left;                /* of the body; -1: until the end */
    uint32_t moved, moved_ms; /* bytes on the wire so far, and when that was less */
    FILE *file;
};

/* https://host[:port]/path. */
static bool split_url(const char *url, char *host, size_t host_size, avito_server *to,
                      const char **path)
{
    const char *from = url + 8;
    const size_t len = strncmp(url, "https://", 8) == 0 ? strcspn(from, ":/?#") : 0;

    if (len == 0 || len >= host_size) {
        return false;
    }
    memcpy(host, from, len);
    host[len] = '\0';
    to->host = host;
    to->port = (uint16_t)(from[len] == ':' ? strtoul(from + len + 1, NULL, 10) : 443);
    *path = strchr(from + len, '/');
    return *path != NULL && to->port != 0 && strpbrk(*path, " \r\n\t") == NULL;
}

static bool open_tls(struct download *d, session *s)
{
    avito_tls_options o = avito_tls_options_default();

    if (avito_tcp_init(&d->tcp, NULL) != AVITO_OK) {
        return false;
    }
    o.transport = avito_tcp_transport(&d->tcp);
    o.anchors = s->avito.anchors.items;
    o.anchors_count = s->avito.anchors.count;
    o.buffer = d->records;
    o.buffer_cap = sizeof d->records;
    o.unix_time = avito_posix_unix_time;
    o.entropy = avito_posix_entropy;
    if (avito_tls_init(&d->tls, &o) != AVITO_OK) {
        return false;
    }
    d->transport = avito_tls_transport(&d->tls);
    return true;
}

/* Waits until the transport may go on, or for a moment. False: nothing moved in time, or an error. */
static bool wait_for(struct download *d)
{
    const avito_transport_functions *f = d->transport.functions;
    const uint32_t now = avito_posix_clock_ms(NULL), moved = (f->moved)(d->transport.ctx);

    if (moved != d->moved) {
        d->moved = moved;
        d->moved_ms = now;
    }
    return now - d->moved_ms < TIMEOUT_MS &&
           (f->wait)(d->transport.ctx, (f->wants)(d->transport.ctx), TURN_MS) >= 0;
}

static bool connect_and_ask(struct download *d, const avito_server *to)
{
    const size_t len = strlen(d->request);
    size_t sent = 0;
    int rc;

    while ((rc = (d->transport.functions->connect)(d->transport.ctx, to)) == AVITO_AGAIN) {
        if (!wait_for(d)) {
            return false;
        }
    }
    while (rc == AVITO_OK && sent < len) {
        const long n =
            (d->transport.functions->send)(d->transport.ctx, d->request + sent, len - sent, 0);

        if (n <= 0 && (n != AVITO_IO_AGAIN || !wait_for(d))) {
            return false;
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    return rc == AVITO_OK;
}

/* The value of a header line, or NULL. */
static const char *header(const char *head, const char *name)
{
    const size_t len = strlen(name);
    const char *line = strchr(head, '\n');

    while (line != NULL && (strncasecmp(line + 1, name, len) != 0 || line[1 + len] != ':')) {
        line = strchr(line + 1, '\n');
    }
    return line != NULL ? line + 2 + len + strspn(line + 2 + len, " ") : NULL;
}

static bool write_body(struct download *d, const char *data, size_t len)
{
    if (d->left >= 0 && len > (size_t)d->left) {
        return false;
    }
    d->left -= d->left >= 0 ? (long)len : 0;
    return fwrite(data, 1, len, d->file) == len;
}

/* Bytes of the answer: its head is collected, its body goes to the file. */
static bool take(struct download *d, const char *data, size_t len)
{
    const size_t room = sizeof d->head - 1 - d->head_len;
    const char *length;
    char *end;
    size_t behind;

    if (d->head_len == SIZE_MAX) {
        return write_body(d, data, len);
    }
    if (len > room) {
        return false;
    }
    memcpy(d->head + d->head_len, data, len);
    d->head_len += len;
    d->head[d->head_len] = '\0';
    end = strstr(d->head, "\r\n\r\n");
    if (end == NULL) {
        return true;
    }
    behind = d->head_len - (size_t)(end + 4 - d->head);
    d->head_len = SIZE_MAX;
    if (strncmp(d->head, "HTTP/1.", 7) != 0 || strncmp(d->head + 8, " 200", 4) != 0) {
        return false;
    }
    length = header(d->head, "content-length");
    d->left = length != NULL ? strtol(length, NULL, 10) : -1;
    return header(d->head, "transfer-encoding") == NULL && write_body(d, end + 4, behind);
}

/* True: the whole body is in the file. */
static bool receive(struct download *d)
{
    char data[4096];

    for (;;) {
        const long n = (d->transport.functions->recv)(d->transport.ctx, data, sizeof data);

        if (n == AVITO_IO_CLOSED) {
            return d->head_len == SIZE_MAX && d->left <= 0;
        }
        if (n == AVITO_IO_AGAIN ? !wait_for(d) : n <= 0 || !take(d, data, (size_t)n)) {
            return false;
        }
        if (d->head_len == SIZE_MAX && d->left == 0) {
            return true;
        }
    }
}

static int fail(const char *what)
{
    complain(TEXT("avito: %s: cannot be downloaded; check the network, and try again\n",
                  "avito: %s: не удаётся скачать; проверьте сеть и повторите\n"),
             what);
    return EXIT_NETWORK;
}

/* The body goes into PATH.part, which takes the name once it is whole. */
static int save(struct download *d, const avito_server *to, const char *path)
{
    char fresh[4096];
    int failed;
    bool ok;

    snprintf(fresh, sizeof fresh, "%s.part", path);
    d->file = fopen(fresh, "ab");
    if (d->file == NULL) {
        system_error(fresh);
        return EXIT_LOCAL;
    }
    if (!disk_take(fileno(d->file), fresh) || ftruncate(fileno(d->file), 0) != 0) {
        fclose(d->file);
        return EXIT_LOCAL;
    }
    d->moved_ms = avito_posix_clock_ms(NULL);
    ok = connect_and_ask(d, to) && receive(d);
    failed = ferror(d->file) ? errno : 0;
    (d->transport.functions->close)(d->transport.ctx);
    if ((fclose(d->file) != 0 || (ok && rename(fresh, path) != 0)) && failed == 0) {
        failed = errno;
    }
    if (ok && failed == 0) {
        return EXIT_DONE;
    }
    unlink(fresh);
    if (failed == 0) {
        return fail(path);
    }
    errno = failed;
    system_error(path);
    return EXIT_LOCAL;
}

int download(session *s, const char *url, const char *path)
{
    static struct download d;
    avito_server to;
    const char *target;

    memset(&d, 0, sizeof d);
    if (!split_url(url, d.host, sizeof d.host, &to, &target) || !open_tls(&d, s) ||
        snprintf(d.request, sizeof d.request,
                 "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: avito/%s\r\n\r\n", target, d.host,
                 AVITO_VERSION) >= (int)sizeof d.request) {
        return fail(path);
    }
    return save(&d, &to, path);
}
