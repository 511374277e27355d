/*
 * The POSIX TCP transport on the loopback interface, and TLS over it.
 * Rooms: POSIX, TCP, INBOX: ROUNDS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "tls/peer.h"

static avito_tcp tcp;
static avito_transport transport;
static avito_server to;

/* ---- small things ---- */

static int listen_on(const char *address, uint16_t *port)
{
    struct sockaddr_storage any;
    struct sockaddr_in *in4 = (struct sockaddr_in *)&any;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&any;
    socklen_t len;
    int fd;
    memset(&any, 0, sizeof any);
    if (inet_pton(AF_INET, address, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = htons(*port);
        len = sizeof *in4;
    } else {
        assert_int_equal(inet_pton(AF_INET6, address, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(*port);
        len = sizeof *in6;
    }
    fd = socket(any.ss_family, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, len) != 0 || listen(fd, 5) != 0) {
        int why = errno;
        if (fd >= 0) {
            close(fd);
        }
        errno = why;
        return -1;
    }
    getsockname(fd, (struct sockaddr *)&any, &len);
    *port = ntohs(any.ss_family == AF_INET ? in4->sin_port : in6->sin6_port);
    return fd;
}

static void setup(const avito_tcp_options *options, const char *host, uint16_t port)
{
    assert_int_equal(avito_tcp_init(&tcp, options), AVITO_OK);
    transport = avito_tcp_transport(&tcp);
    to.host = host;
    to.port = port;
}

static int connect_waiting(void)
{
    int turns = 0;
    for (;;) {
        int rc = transport.functions->connect(transport.ctx, &to);
        if (rc != AVITO_AGAIN || ++turns > 100) {
            return rc;
        }
        transport.functions->wait(transport.ctx, transport.functions->wants(transport.ctx), 1000);
    }
}

/* A lane that never waits asks again. */
static int connect_asking(void)
{
    int turns = 0;
    int rc;
    do {
        rc = transport.functions->connect(transport.ctx, &to);
        usleep(1000);
    } while (rc == AVITO_AGAIN && ++turns < 1000);
    return rc;
}

static void finish(void)
{
    transport.functions->close(transport.ctx);
    assert_int_equal(avito_tcp_fd(&tcp), -1);
    transport.functions->close(transport.ctx); /* nothing left to close */
}

static int open_files(void)
{
    int n = 0;
    int fd;
    for (fd = 0; fd < 200; fd++) {
        n += fcntl(fd, F_GETFD) != -1;
    }
    return n;
}

static long now_ms(void)
{
    return (long)avito_posix_clock_ms(NULL);
}

/* ---- connecting ---- */

static void connected_socket(void **state)
{
    uint16_t port = 0;
    int server = listen_on("127.0.0.1", &port);
    int before = open_files();
    int on = 0;
    socklen_t len = sizeof on;
    int fd;
    (void)state;
    setup(NULL, "127.0.0.1", port);
    assert_int_equal(avito_tcp_fd(&tcp), -1);
    assert_int_equal(connect_waiting(), AVITO_OK);
    fd = avito_tcp_fd(&tcp);
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on != 0);
    assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_OK); /* still */
    assert_int_equal(open_files(), before + 1);
    finish();
    assert_int_equal(open_files(), before);
    close(server);
}

static void refused(void **state)
{
    uint16_t port = 0;
    int server = listen_on("127.0.0.1", &port);
    int before;
    (void)state;
    close(server);
    before = open_files();
    setup(NULL, "127.0.0.1", port);
    assert_int_equal(connect_waiting(), AVITO_ERR_CONNECT);
    assert_int_equal(transport.functions->detail(transport.ctx), ECONNREFUSED);
    assert_int_equal(transport.functions->send(transport.ctx, "x", 1, 0), AVITO_ERR_SEND);
    assert_int_equal(transport.functions->recv(transport.ctx, &before, 1), AVITO_ERR_RECV);
    finish();
    assert_int_equal(open_files(), before);
}

static void ipv6(void **state)
{
    uint16_t port = 0;
    int server = listen_on("::1", &port);
    int why = errno;
    (void)state;
    setup(NULL, "::1", port > 0 ? port : 9);
    if (server < 0) { /* a machine without IPv6: then the transport has to report that */
        assert_int_equal(connect_waiting(), AVITO_ERR_CONNECT);
        assert_int_equal(transport.functions->detail(transport.ctx), why);
    } else {
        assert_int_equal(connect_waiting(), AVITO_OK);
        close(server);
    }
    finish();
}

/* ---- looking up ---- */

static struct {
    avito_tcp_address addresses[16];
    size_t count;
    int result, agains, calls;
    char host[64];
} hook;

static int resolve(void *ctx, const char *host, avito_tcp_address *out, size_t cap, size_t *count)
{
    size_t i;
    assert_ptr_equal(ctx, &hook);
    assert_int_equal(cap, AVITO_TCP_ADDRESSES);
    snprintf(hook.host, sizeof hook.host, "%s", host);
    hook.calls++;
    if (hook.agains > 0) {
        hook.agains--;
        return AVITO_AGAIN;
    }
    for (i = 0; i < hook.count && i < cap; i++) {
        out[i] = hook.addresses[i];
    }
    *count = hook.count;
    return hook.result;
}

static avito_tcp_address numeric(const char *text)
{
    avito_tcp_address a;
    memset(&a, 0, sizeof a);
    a.size = inet_pton(AF_INET, text, a.bytes) == 1 ? 4 : 16;
    if (a.size == 16) {
        assert_int_equal(inet_pton(AF_INET6, text, a.bytes), 1);
    }
    return a;
}

static void every_address_is_tried(void **state)
{
    avito_tcp_options options = avito_tcp_options_default();
    uint16_t port = 0;
    int server = listen_on("127.0.0.2", &port); /* nobody listens at .1 and .3 on that port */
    int before = open_files();
    (void)state;
    assert_true(server >= 0);
    memset(&hook, 0, sizeof hook);
    options.resolve = resolve;
    options.ctx = &hook;
    options.never_wait = true;
    hook.addresses[0] = numeric("127.0.0.1");
    hook.addresses[1] = numeric("::1");
    hook.addresses[2] = numeric("127.0.0.3");
    hook.addresses[3] = numeric("127.0.0.2");
    hook.count = 4;
    hook.agains = 3;
    setup(&options, "some.name", port);
    assert_null(transport.functions->wait);
    assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_AGAIN);
    assert_int_equal(transport.functions->wants(transport.ctx), AVITO_WANT_TIMER);
    assert_int_equal(connect_asking(), AVITO_OK);
    assert_string_equal(hook.host, "some.name");
    assert_int_equal(transport.functions->detail(transport.ctx), 0); /* the first three are past */
    assert_true((fcntl(avito_tcp_fd(&tcp), F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(hook.calls, 4);
    assert_int_equal(open_files(), before + 1);
    finish();
    hook.count = 3; /* without the good one */
    hook.calls = 0;
    assert_int_equal(connect_asking(), AVITO_ERR_CONNECT);
    assert_int_equal(hook.calls, 1);
    finish();
    hook.count = 0;
    assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_ERR_RESOLVE);
    finish();
    hook.count = 9;
    assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_ERR_RESOLVE);
    finish();
    hook.result = AVITO_ERR_HOOK;
    assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_ERR_HOOK);
    finish();
    close(server);
}

/* A hook that forgot the size: a size of no family is no address, and the next one is tried. */
static void an_address_of_no_family(void **state)
{
    avito_tcp_options options = avito_tcp_options_default();
    uint16_t port = 0;
    int server = listen_on("127.0.0.1", &port);
    (void)state;
    memset(&hook, 0, sizeof hook);
    options.resolve = resolve;
    options.ctx = &hook;
    options.never_wait = true;
    hook.addresses[0] = numeric("127.0.0.1");
    hook.addresses[0].size = 0;
    hook.count = 1;
    setup(&options, "some.name", port);
    assert_int_equal(connect_asking(), AVITO_ERR_CONNECT);
    assert_int_equal(transport.functions->detail(transport.ctx), EAFNOSUPPORT);
    finish();
    hook.addresses[1] = numeric("127.0.0.1");
    hook.count = 2;
    assert_int_equal(connect_asking(), AVITO_OK);
    finish();
    close(server);
}

static void names(void **state)
{
    avito_tcp_options options = avito_tcp_options_default();
    uint16_t port = 0;
    int server = listen_on("127.0.0.1", &port);
    (void)state;
    /* On a lane that waits, wait() looks the name up. */
    setup(NULL, "localhost", port);
    assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_AGAIN);
    assert_int_equal(transport.functions->wants(transport.ctx), AVITO_WANT_TIMER);
    assert_int_equal(connect_waiting(),
                     AVITO_ERR_OPTION_RESOLVE); /* called without a wait in between */
    finish();
    assert_int_equal(connect_waiting(), AVITO_OK);
    finish();
    setup(NULL, "no such name", port);
    assert_int_equal(connect_waiting(), AVITO_ERR_RESOLVE);
    assert_int_not_equal(transport.functions->detail(transport.ctx), 0);
    finish();
    /* A lane that may not wait. */
    options.never_wait = true;
    assert_int_equal(avito_tcp_init(&tcp, &options), AVITO_ERR_OPTION_RESOLVE);
    options.address = "localhost";
    assert_int_equal(avito_tcp_init(&tcp, &options), AVITO_ERR_ARGUMENT);
    options.address = "127.0.0.1";
    setup(&options, "api.example.test", port);
    assert_null(transport.functions->wait);
    assert_int_equal(connect_asking(), AVITO_OK);
    assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_OK);
    finish();
    assert_int_equal(avito_tcp_init(NULL, NULL), AVITO_ERR_ARGUMENT);
    close(server);
}

/* Time passes without anybody waiting for it. */
static uint32_t skipped_ms;

int clock_gettime(clockid_t which, struct timespec *out)
{
    int (*next)(clockid_t, struct timespec *);
    int rc;
    *(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
    rc = next(which, out);
    out->tv_sec += (time_t)(skipped_ms / 1000);
    out->tv_nsec += (long)(skipped_ms % 1000) * 1000000;
    if (out->tv_nsec >= 1000000000) {
        out->tv_nsec -= 1000000000;
        out->tv_sec++;
    }
    return rc;
}

static struct addrinfo listed[AVITO_TCP_ADDRESSES + 9];
static uint32_t lookup_ms;

/* Replaces the C library's, for one name. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (strcmp(name, "many.addresses") == 0) {
        *out = listed;
        skipped_ms += lookup_ms;
        return 0;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(name, service, hints, out);
}

void freeaddrinfo(struct addrinfo *list)
{
    void (*next)(struct addrinfo *);
    if (list != listed) {
        *(void **)&next = dlsym(RTLD_NEXT, "freeaddrinfo");
        next(list);
    }
}

/* Many addresses of one kind at which nobody listens do not hide the only one of the other kind. */
static void both_families(void **state)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct sockaddr_in four = {.sin_family = AF_INET};
    uint16_t port = 0;
    int server = listen_on("127.0.0.1", &port);
    int many, i;
    (void)state;
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (many = 0; many < AVITO_TCP_ADDRESSES + 9; many++) {
        for (i = 0; i <= many; i++) {
            listed[i].ai_family = i < many ? AF_INET6 : AF_INET;
            listed[i].ai_addr = i < many ? (struct sockaddr *)&six : (struct sockaddr *)&four;
            listed[i].ai_addrlen = i < many ? sizeof six : sizeof four;
            listed[i].ai_next = i < many ? &listed[i + 1] : NULL;
        }
        setup(NULL, "many.addresses", port);
        assert_int_equal(connect_waiting(), AVITO_OK);
        close(accept(server, NULL, NULL)); /* its queue is short */
        finish();
    }
    close(server);
}

/* Its queue is full: it answers no connect. */
static int silent_on(const char *address, uint16_t port, int fill[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int i;
    assert_int_equal(inet_pton(AF_INET, address, &at.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (i = 0; i < 2; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fill[i], (struct sockaddr *)&at, sizeof at);
    }
    return fd;
}

/* Addresses that do not answer leave time for the last one, also after a slow look-up: the lane
 * gives up 15 s after it began. Each address has one second at least and four at most. */
static void silent_addresses(void **state)
{
    static const struct {
        uint32_t lookup_ms;
        int silent;
        uint32_t least, most; /* ms from the first connect on */
    } rows[] = {{0, 1, 3900, 4200},     {0, 2, 7800, 8400},      {0, 3, 11000, 12200},
                {7000, 3, 5800, 6700},  {7000, 1, 3900, 4200},   {10900, 3, 3000, 3900},
                {40000, 3, 3000, 3600}, {4000000, 3, 3000, 3600}};
    static const char *const names[] = {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"};
    struct sockaddr_in at[4];
    uint16_t port = 0;
    int server = listen_on("127.0.0.1", &port);
    int fill[3][2], deaf[3], i;
    size_t row;
    (void)state;
    for (i = 0; i < 3; i++) {
        deaf[i] = silent_on(names[i], port, fill[i]);
    }
    for (row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        const int from = 3 - rows[row].silent;
        uint32_t began, turns = 0;
        int rc;
        for (i = from; i < 4; i++) {
            memset(&at[i], 0, sizeof at[i]);
            at[i].sin_family = AF_INET;
            inet_pton(AF_INET, names[i], &at[i].sin_addr);
            listed[i - from].ai_family = AF_INET;
            listed[i - from].ai_addr = (struct sockaddr *)&at[i];
            listed[i - from].ai_addrlen = sizeof at[i];
            listed[i - from].ai_next = i < 3 ? &listed[i - from + 1] : NULL;
        }
        lookup_ms = rows[row].lookup_ms;
        setup(NULL, "many.addresses", port);
        assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_AGAIN);
        assert_int_equal(transport.functions->wait(transport.ctx, 0, 100), AVITO_OK);
        lookup_ms = 0;
        began = avito_posix_clock_ms(NULL);
        while ((rc = transport.functions->connect(transport.ctx, &to)) == AVITO_AGAIN &&
               ++turns < 200) {
            const int wants = transport.functions->wants(transport.ctx);
            if (transport.functions->wait(transport.ctx, wants, 0) == AVITO_AGAIN) {
                skipped_ms += 100;
            }
        }
        assert_int_equal(rc, AVITO_OK);
        assert_in_range(avito_posix_clock_ms(NULL) - began, rows[row].least, rows[row].most);
        close(accept(server, NULL, NULL));
        finish();
    }
    for (i = 0; i < 3; i++) {
        close(fill[i][0]);
        close(fill[i][1]);
        close(deaf[i]);
    }
    close(server);
}

/* ---- moving bytes ---- */

/* The other side's end of a connection. */
static int connected(void)
{
    uint16_t port = 0;
    int server = listen_on("127.0.0.1", &port);
    int fd;
    setup(NULL, "127.0.0.1", port);
    assert_int_equal(connect_waiting(), AVITO_OK);
    fd = accept(server, NULL, NULL);
    assert_true(fd >= 0);
    close(server);
    return fd;
}

static void bytes_and_the_end(void **state)
{
    char text[100];
    int fd = connected();
    long n;
    (void)state;
    assert_int_equal(transport.functions->recv(transport.ctx, text, sizeof text), AVITO_IO_AGAIN);
    assert_int_equal(transport.functions->wants(transport.ctx), AVITO_WANT_READ);
    assert_int_equal(transport.functions->send(transport.ctx, "hello", 5, 1), 5);
    assert_int_equal(transport.functions->send(transport.ctx, " there", 6, 0), 6);
    assert_int_equal(recv(fd, text, 11, MSG_WAITALL), 11);
    assert_memory_equal(text, "hello there", 11);
    assert_int_equal(send(fd, "answer", 6, 0), 6);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 5000), AVITO_OK);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 0), AVITO_IO_AGAIN);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 4), 4);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 2), 2);
    /* Right after a whole request the kernel is not asked for bytes; in the middle of one it is. */
    assert_int_equal(send(fd, "abcd", 4, 0), 4);
    assert_int_equal(transport.functions->send(transport.ctx, "x", 1, 0), 1);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 1), AVITO_IO_AGAIN);
    assert_int_equal(transport.functions->wants(transport.ctx), AVITO_WANT_READ);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 1), 1);
    assert_int_equal(transport.functions->send(transport.ctx, "x", 1, 1), 1);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 1), 1);
    assert_int_equal(recv(fd, text, 1, 0), 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    n = transport.functions->recv(transport.ctx, text, sizeof text);
    assert_int_equal(n, 2); /* bytes that are there come before the end */
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 5000), AVITO_OK);
    assert_int_equal(transport.functions->recv(transport.ctx, text, sizeof text), AVITO_IO_CLOSED);
    assert_int_equal(transport.functions->recv(transport.ctx, text, sizeof text), AVITO_IO_CLOSED);
    finish();
    close(fd);
}

/* A peer that resets: errors, and no SIGPIPE, whose default would end this program. */
static void reset(void **state)
{
    struct linger hard = {1, 0};
    char text[100];
    int fd = connected();
    int i;
    long n = 0;
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 5000), AVITO_OK);
    assert_int_equal(transport.functions->recv(transport.ctx, text, sizeof text), AVITO_ERR_RECV);
    assert_int_equal(transport.functions->detail(transport.ctx), ECONNRESET);
    for (i = 0; i < 3; i++) {
        n = transport.functions->send(transport.ctx, "x", 1, 0);
    }
    assert_int_equal(n, AVITO_ERR_SEND);
    assert_int_equal(transport.functions->detail(transport.ctx), EPIPE);
    finish();
}

static void a_full_pipe(void **state)
{
    static char block[65536];
    static char text[65536];
    int fd = connected();
    long n;
    size_t sent = 0;
    size_t got = 0;
    (void)state;
    while ((n = transport.functions->send(transport.ctx, block, sizeof block, 0)) > 0) {
        sent += (size_t)n;
    }
    assert_int_equal(n, AVITO_IO_AGAIN);
    assert_int_equal(transport.functions->wants(transport.ctx), AVITO_WANT_WRITE);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 10), AVITO_IO_AGAIN);
    assert_int_equal(transport.functions->wants(transport.ctx), AVITO_WANT_READ | AVITO_WANT_WRITE);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 10), AVITO_IO_AGAIN);
    assert_int_equal(transport.functions->wants(transport.ctx),
                     AVITO_WANT_READ); /* gave up sending */
    assert_int_equal(transport.functions->send(transport.ctx, block, 1, 0), AVITO_IO_AGAIN);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_WRITE, 20), AVITO_AGAIN);
    while (got < sent) {
        ssize_t k = recv(fd, text, sizeof text, 0);
        assert_true(k > 0);
        got += (size_t)k;
    }
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_WRITE, 5000), AVITO_OK);
    assert_true(transport.functions->send(transport.ctx, block, 1, 0) == 1);
    close(fd);
    finish();
}

/* ---- waiting ---- */

static volatile sig_atomic_t alarms;

static void on_alarm(int signal_number)
{
    (void)signal_number;
    alarms++;
}

static void waiting(void **state)
{
    struct sigaction action;
    struct itimerval timer;
    char text[10];
    long start;
    long took;
    int fd = connected();
    (void)state;
    /* Waiting for bytes: wait() and the recv() after it together take a little less than asked. */
    start = now_ms();
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 64), AVITO_OK);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 10), AVITO_IO_AGAIN);
    took = now_ms() - start;
    assert_true(took >= 60 && took < 2000);
    start = now_ms();
    assert_int_equal(transport.functions->recv(transport.ctx, text, 10), AVITO_IO_AGAIN);
    assert_true(now_ms() - start < 50); /* only that one waits */
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 0), AVITO_AGAIN);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 60000), AVITO_OK);
    assert_int_equal(send(fd, "now", 3, 0), 3);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 10), 3);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 60000), AVITO_OK);
    assert_int_equal(transport.functions->send(transport.ctx, "x", 1, 0), 1);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 10), AVITO_IO_AGAIN);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 10), AVITO_IO_AGAIN);
    /* Waiting for other things happens in wait(). */
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_WRITE, 5000), AVITO_OK);
    start = now_ms();
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_TIMER, 30), AVITO_AGAIN);
    assert_true(now_ms() - start >= 29);
    /* A signal ends the wait, and that is no error: the lane looks at its clock and waits again. */
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    memset(&timer, 0, sizeof timer);
    timer.it_value.tv_usec = 30000;
    setitimer(ITIMER_REAL, &timer, NULL);
    start = now_ms();
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 10000), AVITO_OK);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 10), AVITO_IO_AGAIN);
    assert_true(now_ms() - start < 5000);
    assert_int_equal(alarms, 1);
    setitimer(ITIMER_REAL, &timer, NULL);
    start = now_ms();
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_TIMER, 10000),
                     AVITO_AGAIN);
    assert_true(now_ms() - start < 5000);
    assert_int_equal(alarms, 2);
    close(fd); /* hang-up: with TIMER alone nothing but time counts */
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_TIMER, 10), AVITO_AGAIN);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 5000), AVITO_OK);
    assert_int_equal(transport.functions->recv(transport.ctx, text, 10), AVITO_ERR_RECV);
    finish();
}

static void hooks(void **state)
{
    unsigned char a[300];
    unsigned char b[300];
    uint32_t start = avito_posix_clock_ms(NULL);
    int64_t seconds = avito_posix_unix_time(NULL);
    size_t i;
    size_t same = 0;
    (void)state;
    usleep(20000);
    assert_true(avito_posix_clock_ms(NULL) - start >= 19);
    assert_true(avito_posix_clock_ms(NULL) - start < 10000);
    assert_true(seconds - (int64_t)time(NULL) <= 1 && seconds > 1700000000);
    assert_int_equal(avito_posix_entropy(NULL, a, sizeof a), AVITO_OK);
    assert_int_equal(avito_posix_entropy(NULL, b, sizeof b), AVITO_OK);
    for (i = 0; i < sizeof a; i++) {
        same += a[i] == b[i];
    }
    assert_true(same < 30);
    assert_int_equal(avito_posix_entropy(NULL, a, 0), AVITO_OK);
}

/* ---- TLS over it ---- */

struct tls_server {
    SSL_CTX *ctx;
    int listening;
    int connections;
    int bad;
};

static void *serve(void *arg)
{
    struct tls_server *server = arg;
    int i;
    for (i = 0; i < server->connections; i++) {
        int fd = accept(server->listening, NULL, NULL);
        SSL *ssl = SSL_new(server->ctx);
        char text[4096];
        int n = 0;
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1) {
            while (n < 4 || memcmp(text + n - 4, "\r\n\r\n", 4) != 0) {
                int got = SSL_read(ssl, text + n, (int)sizeof text - n);
                if (got <= 0) {
                    server->bad++;
                    break;
                }
                n += got;
            }
            SSL_write(ssl, "the answer", 10);
            SSL_shutdown(ssl);
            SSL_shutdown(ssl);
        } else {
            server->bad++;
        }
        SSL_free(ssl);
        close(fd);
    }
    return NULL;
}

static void tls_over_tcp(void **state)
{
    static struct peer peer; /* for its context alone */
    static struct side side;
    avito_tcp_options options = avito_tcp_options_default();
    struct tls_server server;
    pthread_t thread;
    uint16_t port = 0;
    int i;
    (void)state;
    side_meet(&side, &peer, "good-ec");
    memset(&server, 0, sizeof server);
    server.ctx = peer.ctx;
    server.listening = listen_on("127.0.0.1", &port);
    server.connections = 3;
    assert_int_equal(pthread_create(&thread, NULL, serve, &server), 0);
    options.address = "127.0.0.1";
    setup(&options, PEER_HOST, port);
    side.options.transport = transport;
    side.options.unix_time = avito_posix_unix_time;
    side.options.entropy = avito_posix_entropy;
    side.options.read_ahead = side.ahead;
    side.options.read_ahead_cap = sizeof side.ahead;
    side.to = to;
    assert_int_equal(avito_tls_init(&side.tls, &side.options), AVITO_OK);
    side.transport = avito_tls_transport(&side.tls);
    for (i = 0; i < 3; i++) {
        const avito_transport_functions *f = side.transport.functions;
        long n;
        int rc;
        while ((rc = f->connect(&side.tls, &side.to)) == AVITO_AGAIN) {
            f->wait(&side.tls, f->wants(&side.tls), 5000);
        }
        assert_int_equal(rc, AVITO_OK);
        assert_int_equal(f->send(&side.tls, "GET /\r\n\r\n", 9, 0), 9);
        while ((n = f->recv(&side.tls, side.got, sizeof side.got)) == AVITO_IO_AGAIN) {
            f->wait(&side.tls, f->wants(&side.tls), 5000);
        }
        assert_int_equal(n, 10);
        while ((n = f->recv(&side.tls, side.got, sizeof side.got)) == AVITO_IO_AGAIN) {
            f->wait(&side.tls, f->wants(&side.tls), 5000);
        }
        assert_int_equal(n, AVITO_IO_CLOSED);
        f->close(&side.tls);
        assert_int_equal(avito_tls_resumed(&side.tls), i > 0);
    }
    pthread_join(thread, NULL);
    assert_int_equal(server.bad, 0);
    close(server.listening);
    peer_free(&peer);
}

/* ---- the inbox between rounds, on a lane that may wait ---- */

static struct sleeper {
    avito_account account;
    avito_client client;
    avito_inbox inbox;
    avito_arena arena;
    char tokens[AVITO_TOKENS_SIZE(64)], window[AVITO_WINDOW_MIN], room[1024];
    unsigned char state[AVITO_INBOX_STATE_SIZE(10)];
} sleeper;

static int stored_token(void *ctx, avito_token *token)
{
    (void)ctx;
    token->access_token.ptr = "a-token";
    token->access_token.len = 7;
    token->expires_in = 86400;
    return AVITO_OK;
}

/* Nobody listens, so the round fails, and the next one is far away. */
static void begin_sleeper(uint32_t nap_ms, int wake_fd)
{
    avito_account_options account = avito_account_options_default();
    avito_client_options client = avito_client_options_default();
    avito_inbox_options inbox = avito_inbox_options_default();
    avito_tcp_options wires = {.wake_fd = wake_fd, .address = "127.0.0.1"};
    avito_message message;
    uint16_t port = 0;
    const int fd = listen_on("127.0.0.1", &port);
    (void)close(fd); /* a port that is free */
    assert_int_equal(avito_tcp_init(&tcp, &wires), AVITO_OK);
    account.client_id = "an-id";
    account.client_secret = "a-secret";
    account.tokens = sleeper.tokens;
    account.tokens_cap = sizeof sleeper.tokens;
    account.clock_ms = avito_posix_clock_ms;
    account.unix_time = avito_posix_unix_time;
    account.load_token = stored_token;
    account.port = port;
    assert_int_equal(avito_account_init(&sleeper.account, &account), AVITO_OK);
    client.transport = avito_tcp_transport(&tcp);
    client.window = sleeper.window;
    client.window_cap = sizeof sleeper.window;
    assert_int_equal(avito_client_init(&sleeper.client, &sleeper.account, &client), AVITO_OK);
    sleeper.arena = avito_arena_of(sleeper.room, sizeof sleeper.room);
    inbox.user_id = 7;
    inbox.arena = &sleeper.arena;
    inbox.state = sleeper.state;
    inbox.state_cap = sizeof sleeper.state;
    inbox.poll_ms = 60000;
    inbox.nap_ms = nap_ms;
    assert_int_equal(avito_inbox_init(&sleeper.inbox, &sleeper.client, &inbox), AVITO_OK);
    assert_int_equal(avito_inbox_next(&sleeper.inbox, &message), AVITO_ERR_CONNECT);
}

/* How long the next call sleeps. */
static uint32_t slept(void)
{
    const uint32_t began = avito_posix_clock_ms(NULL);
    avito_message message;
    assert_int_equal(avito_inbox_next(&sleeper.inbox, &message), AVITO_AGAIN);
    return avito_posix_clock_ms(NULL) - began;
}

static void *ring(void *pipe_end)
{
    const struct timespec soon = {0, 100000000};
    nanosleep(&soon, NULL);
    assert_int_equal(write(*(int *)pipe_end, "x", 1), 1);
    return NULL;
}

/* It sleeps for nap_ms, or until wake_fd is readable, which another thread may cause at any moment.
 * While wake_fd is readable it does not sleep at all. */
static void the_inbox_naps(void **state)
{
    int ends[2];
    pthread_t bell;
    char byte;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    begin_sleeper(200, 0);
    assert_in_range(slept(), 190, 20000);
    assert_in_range(avito_inbox_deadline_ms(&sleeper.inbox), 20000, 60000);
    avito_client_close(&sleeper.client);

    begin_sleeper(0, ends[0]);
    assert_int_equal(pthread_create(&bell, NULL, ring, &ends[1]), 0);
    assert_in_range(slept(), 50, 20000); /* and not 60 seconds */
    assert_int_equal(pthread_join(bell, NULL), 0);
    assert_in_range(slept(), 0, 10000); /* it is still readable */
    assert_int_equal(read(ends[0], &byte, 1), 1);
    avito_client_close(&sleeper.client);

    begin_sleeper(300, ends[0]); /* nobody wakes it */
    assert_in_range(slept(), 290, 20000);
    avito_client_close(&sleeper.client);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connected_socket),
        cmocka_unit_test(refused),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(every_address_is_tried),
        cmocka_unit_test(an_address_of_no_family),
        cmocka_unit_test(names),
        cmocka_unit_test(both_families),
        cmocka_unit_test(silent_addresses),
        cmocka_unit_test(bytes_and_the_end),
        cmocka_unit_test(reset),
        cmocka_unit_test(a_full_pipe),
        cmocka_unit_test(waiting),
        cmocka_unit_test(hooks),
        cmocka_unit_test(tls_over_tcp),
        cmocka_unit_test(the_inbox_naps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
