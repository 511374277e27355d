/* The least that a client must do: epoll, send, recv, find the body, jsmn, take the fields. No
 * errors, no framing except Content-Length. It is the bound with which the lanes are compared.
 *
 *   net_bare N PORT CONNECTIONS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>
#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "net.h"
#include "slots.h"

typedef struct lane {
    int fd;
    size_t len;
    char in[1024];
} lane;

static const char request[] = "GET " NET_SELF " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                              "Authorization: Bearer " NET_TOKEN "\r\n\r\n";
static unsigned long elements;

static bool is(const char *body, const jsmntok_t *t, const char *word)
{
    size_t n = strlen(word);

    return (size_t)(t->end - t->start) == n && memcmp(body + t->start, word, n) == 0;
}

static avito_str text(const char *body, const jsmntok_t *t)
{
    return bench_str(body + t->start, (size_t)(t->end - t->start));
}

static void decode(const char *body, size_t len)
{
    jsmntok_t t[32];
    jsmn_parser parser;
    avito_str phones[8], name = {0}, email = {0}, phone = {0}, url = {0};
    int64_t id = 0;
    int i, k, n, m = 0;

    jsmn_init(&parser);
    n = jsmn_parse(&parser, body, len, t, 32);
    for (i = 1; i + 1 < n; i += 2) {
        if (is(body, &t[i], "id")) {
            id = strtoll(body + t[i + 1].start, NULL, 10);
        } else if (is(body, &t[i], "name")) {
            name = text(body, &t[i + 1]);
        } else if (is(body, &t[i], "email")) {
            email = text(body, &t[i + 1]);
        } else if (is(body, &t[i], "phone")) {
            phone = text(body, &t[i + 1]);
        } else if (is(body, &t[i], "profile_url")) {
            url = text(body, &t[i + 1]);
        } else if (is(body, &t[i], "phones")) {
            for (k = 0; k < t[i + 1].size && m < 8; k++) {
                phones[m++] = text(body, &t[i + 2 + k]);
            }
            i += t[i + 1].size;
        }
    }
    if (id == 0 || url.len == 0 || m == 0 || phones[0].len == 0 || name.len == 0 ||
        email.len == 0 || phone.len == 0) {
        net_fail("self", "not decoded");
    }
    elements++;
}

static void ask(lane *l)
{
    l->len = 0;
    if (send(l->fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1) {
        net_fail("send", strerror(errno));
    }
}

/* True when an answer is complete and decoded. */
static bool take(lane *l)
{
    ssize_t n = recv(l->fd, l->in + l->len, sizeof l->in - 1 - l->len, 0);
    const char *end, *length;
    size_t body;

    if (n <= 0) {
        if (n < 0 && errno == EAGAIN) {
            return false;
        }
        net_fail("recv", n == 0 ? "closed" : strerror(errno));
    }
    l->len += (size_t)n;
    l->in[l->len] = '\0';
    end = strstr(l->in, "\r\n\r\n");
    length = strstr(l->in, "Content-Length: ");
    if (end == NULL || length == NULL) {
        return false;
    }
    body = strtoul(length + 16, NULL, 10);
    if (l->len < (size_t)(end + 4 - l->in) + body) {
        return false;
    }
    decode(end + 4, body);
    return true;
}

static void pump(int queue, unsigned long n)
{
    struct epoll_event events[256];
    unsigned long done = 0;
    int i;

    while (done < n) {
        int ready = epoll_wait(queue, events, 256, 1000);

        for (i = 0; i < ready; i++) {
            if (take(events[i].data.ptr)) {
                ask(events[i].data.ptr);
                done++;
            }
        }
    }
}

int main(int argc, char **argv)
{
    unsigned long i, n = strtoul(argv[1], NULL, 10), connections = strtoul(argv[3], NULL, 10);
    lane *lanes = calloc(connections, sizeof *lanes);
    int queue = epoll_create1(0), one = 1;
    struct sockaddr_in to = {0};
    net_region region;

    (void)argc;
    net_many_files();
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)atoi(argv[2]));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (i = 0; i < connections; i++) {
        struct epoll_event event = {0};

        lanes[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(lanes[i].fd, (struct sockaddr *)&to, sizeof to) != 0) {
            net_fail("connect", strerror(errno));
        }
        setsockopt(lanes[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(lanes[i].fd, F_SETFL, O_NONBLOCK);
        event.events = EPOLLIN;
        event.data.ptr = &lanes[i];
        epoll_ctl(queue, EPOLL_CTL_ADD, lanes[i].fd, &event);
        ask(&lanes[i]);
    }
    pump(queue, 2 * connections);
    elements = 0;
    net_begin(&region);
    pump(queue, n);
    net_end(&region, elements, elements);
    return 0;
}
