/* resolve.c - see resolve.h.
 *
 * The thread shares only a pair of sockets with us: the name goes one way, addresses come back. */
#include "resolve.h"
#include "writing.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMES      8
#define FRESH_MS   60000u
#define STACK_SIZE 131072u
#define AGAIN_MS   2000u /* a name that was not found: the network may only just come up */

static struct name {
    char host[256]; /* "": free */
    avito_tcp_address addresses[AVITO_TCP_ADDRESSES];
    size_t count;
    uint32_t at_ms, used_ms; /* when it was last looked up, and last asked for */
} names[NAMES];

static struct name *asked; /* the name being looked up; NULL: none */
static int answer_fd = -1;

struct found {
    avito_tcp_address addresses[AVITO_TCP_ADDRESSES];
    size_t count;
};

static void add_address(struct found *found, const struct sockaddr *from)
{
    avito_tcp_address *to = &found->addresses[found->count];

    memset(to, 0, sizeof *to);
    if (from->sa_family == AF_INET) {
        to->size = 4;
        memcpy(to->bytes, &((const struct sockaddr_in *)from)->sin_addr, 4);
        found->count++;
    } else if (from->sa_family == AF_INET6) {
        to->size = 16;
        memcpy(to->bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
        to->scope = ((const struct sockaddr_in6 *)from)->sin6_scope_id;
        found->count++;
    }
}

/* The thread: reads the name from its socket, looks it up, and writes what it found. */
static void *look_up(void *ctx)
{
    const int fd = (int)(intptr_t)ctx;
    struct addrinfo hints, *list = NULL;
    struct found found;
    char host[256];
    const ssize_t n = read(fd, host, sizeof host - 1);

    memset(&found, 0, sizeof found);
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    host[n > 0 ? n : 0] = '\0';
    if (getaddrinfo(host, NULL, &hints, &list) == 0) {
        for (const struct addrinfo *at = list; at != NULL && found.count < AVITO_TCP_ADDRESSES;
             at = at->ai_next) {
            add_address(&found, at->ai_addr);
        }
        freeaddrinfo(list);
    }
    if (write(fd, &found, sizeof found) < 0) { /* nobody waits for it any more */
        found.count = 0;
    }
    close(fd);
    return NULL;
}

static void ask(struct name *n)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return;
    }
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 && write(pair[0], n->host, strlen(n->host)) > 0 &&
        start_thread(look_up, (void *)(intptr_t)pair[1], STACK_SIZE)) {
        answer_fd = pair[0];
        asked = n;
        return;
    }
    close(pair[0]);
    close(pair[1]);
}

/* If there is no answer, the old addresses stay. */
void resolve_take(void)
{
    struct found found;
    const ssize_t n = answer_fd >= 0 ? read(answer_fd, &found, sizeof found) : -1;

    if (answer_fd < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
        return;
    }
    close(answer_fd);
    answer_fd = -1;
    if (n == (ssize_t)sizeof found && found.count > 0) {
        memcpy(asked->addresses, found.addresses, sizeof asked->addresses);
        asked->count = found.count;
    }
    asked->at_ms = avito_posix_clock_ms(NULL);
    asked = NULL;
}

/* The name's place, or the place of the name that was asked for least recently. */
static struct name *name_of(const char *host, uint32_t now_ms)
{
    struct name *oldest = NULL;

    for (struct name *n = names; n < names + NAMES; n++) {
        if (strcmp(n->host, host) == 0) {
            n->used_ms = now_ms;
            return n;
        }
        if (n != asked && (oldest == NULL || n->host[0] == '\0' ||
                           now_ms - n->used_ms > now_ms - oldest->used_ms)) {
            oldest = oldest != NULL && oldest->host[0] == '\0' ? oldest : n;
        }
    }
    memset(oldest, 0, sizeof *oldest);
    strncpy(oldest->host, host, sizeof oldest->host - 1);
    oldest->at_ms = now_ms - FRESH_MS;
    oldest->used_ms = now_ms;
    return oldest;
}

int resolve_name(void *ctx, const char *host, avito_tcp_address *out, size_t cap, size_t *count)
{
    const uint32_t now_ms = avito_posix_clock_ms(NULL);
    struct name *n;

    (void)ctx;
    resolve_take();
    n = name_of(host, now_ms);
    if (now_ms - n->at_ms >= (n->count > 0 ? FRESH_MS : AGAIN_MS)) {
        if (asked == NULL) {
            ask(n);
            resolve_take();
        }
        if (n->count == 0 && answer_fd >= 0) {
            return AVITO_AGAIN;
        }
    }
    *count = n->count < cap ? n->count : cap;
    memcpy(out, n->addresses, *count * sizeof *out);
    return *count > 0 ? (int)AVITO_OK : (int)AVITO_ERR_RESOLVE;
}

int resolve_fd(void)
{
    return answer_fd;
}
