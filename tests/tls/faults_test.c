/*
 * System calls that fail, are interrupted, or return what they rarely return: sockets, look-ups,
 * entropy, and the files that avito_posix_open() reads. The linker puts our functions in front of
 * the real ones (--wrap).
 * Rooms: POSIX, TCP, EVERYTHING IN ONE STRUCT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "tls/peer.h"

/* ---- what goes wrong ---- */

static struct fault {
    const char *call; /* NULL: nothing */
    int at;           /* its at-th call from now on; 0: all of them */
    int error;        /* errno, and -1 is returned; 0: `result` is */
    long result;
} faults[2];
static size_t asked;            /* the length that the last send() or recv() was called with */
static int patience;            /* that of the last poll() */
static int dialled;             /* calls of connect() */
static struct timespec stopped; /* not 0: the clock stands there */
static struct {                 /* SO_RCVTIMEO: how often it was set, and the last one */
    int times;
    struct timeval value;
} own_timeout;

static void let_fail(const char *call, int at, int error)
{
    memset(faults, 0, sizeof faults);
    faults[0].call = call;
    faults[0].at = at;
    faults[0].error = error;
}

static void and_fail(const char *call, int at, int error)
{
    faults[1] = faults[0];
    faults[0].call = call;
    faults[0].at = at;
    faults[0].error = error;
}

static void let_give(const char *call, int at, long result)
{
    let_fail(call, at, 0);
    faults[0].result = result;
}

static void let_work(void)
{
    memset(faults, 0, sizeof faults);
}

static bool has_happened(void)
{
    return faults[0].call == NULL && faults[1].call == NULL;
}

static bool fails(const char *call, long *result)
{
    for (size_t i = 0; i < 2; i++) {
        struct fault *f = &faults[i];

        const bool always = f->at == 0;

        if (f->call != NULL && strcmp(call, f->call) == 0 && (always || --f->at == 0)) {
            f->call = always ? f->call : NULL;
            errno = f->error;
            *result = f->error != 0 ? -1 : f->result;
            return true;
        }
    }
    return false;
}

int __real_socket(int family, int kind, int protocol);
int __real_fcntl(int fd, int command, ...);
int __real_connect(int fd, const struct sockaddr *to, socklen_t len);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __real_recv(int fd, void *data, size_t cap, int flags);
int __real_poll(struct pollfd *fds, nfds_t count, int ms);
int __real_ioctl(int fd, unsigned long request, ...);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __real_open(const char *path, int flags, ...);
ssize_t __real_read(int fd, void *data, size_t cap);
ssize_t __real_getrandom(void *out, size_t len, unsigned flags);
int __real_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
void __real_freeaddrinfo(struct addrinfo *list);
int __real_socketpair(int family, int kind, int protocol, int pair[2]);
int __real_pthread_attr_init(pthread_attr_t *attributes);
int __real_access(const char *path, int mode);
ssize_t __real_write(int fd, const void *data, size_t len);

int __wrap_socket(int family, int kind, int protocol);
int __wrap_fcntl(int fd, int command, long value);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t cap, int flags);
int __wrap_poll(struct pollfd *fds, nfds_t count, int ms);
int __wrap_ioctl(int fd, unsigned long request, void *value);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_open(const char *path, int flags, int mode);
ssize_t __wrap_read(int fd, void *data, size_t cap);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);
int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
void __wrap_freeaddrinfo(struct addrinfo *list);
int __wrap_socketpair(int family, int kind, int protocol, int pair[2]);
int __wrap_pthread_attr_init(pthread_attr_t *attributes);
int __wrap_access(const char *path, int mode);
ssize_t __wrap_write(int fd, const void *data, size_t len);

int __wrap_socket(int family, int kind, int protocol)
{
    long rc;

    return fails("socket", &rc) ? (int)rc : __real_socket(family, kind, protocol);
}

int __wrap_fcntl(int fd, int command, long value)
{
    long rc;

    return fails("fcntl", &rc) ? (int)rc : __real_fcntl(fd, command, value);
}

/* The connect still goes on, as an interrupted one does; 0: it is done at once. */
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    const bool goes_on = faults[0].error == EINTR || faults[0].error == 0;
    long rc;
    struct pollfd one = {fd, POLLOUT, 0};

    dialled++;
    if (!fails("connect", &rc)) {
        return __real_connect(fd, to, len);
    }
    if (goes_on) {
        (void)__real_connect(fd, to, len);
        (void)__real_poll(&one, 1, 1000);
        errno = rc < 0 ? EINTR : 0;
    }
    return (int)rc;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    long rc;

    return fails("getsockopt", &rc) ? (int)rc : __real_getsockopt(fd, level, name, value, len);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    long rc;

    if (name == SO_RCVTIMEO) {
        own_timeout.times++;
        memcpy(&own_timeout.value, value, sizeof own_timeout.value);
    }
    return fails("setsockopt", &rc) ? (int)rc : __real_setsockopt(fd, level, name, value, len);
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    long rc;

    asked = len;
    return fails("send", &rc) ? rc : __real_send(fd, data, len, flags);
}

ssize_t __wrap_recv(int fd, void *data, size_t cap, int flags)
{
    long rc;

    asked = cap;
    return fails("recv", &rc) ? rc : __real_recv(fd, data, cap, flags);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int ms)
{
    long rc;

    patience = ms;
    return fails("poll", &rc) ? (int)rc : __real_poll(fds, count, ms);
}

int __wrap_ioctl(int fd, unsigned long request, void *value)
{
    long rc;

    return fails("ioctl", &rc) ? (int)rc : __real_ioctl(fd, request, value);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    long rc;

    if (stopped.tv_sec != 0) {
        *now = stopped;
        return 0;
    }
    return fails("clock_gettime", &rc) ? (int)rc : __real_clock_gettime(clock, now);
}

int __wrap_open(const char *path, int flags, int mode)
{
    long rc;

    return fails("open", &rc) ? (int)rc : __real_open(path, flags, mode);
}

ssize_t __wrap_read(int fd, void *data, size_t cap)
{
    long rc;

    return fails("read", &rc) ? rc : __real_read(fd, data, cap);
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    long rc;

    return fails("write", &rc) ? rc : __real_write(fd, data, len);
}

ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags)
{
    long rc;

    return fails("getrandom", &rc) ? rc : __real_getrandom(out, len, flags);
}

/* The result of a look-up of names: a list of ours, or an error. */
static struct addrinfo *names;
static int names_error;
static int names_held; /* lists that were not given back */

int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    (void)name;
    (void)service;
    (void)hints;
    *list = names;
    names_held += names_error == 0 ? 1 : 0;
    return names_error;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
    assert_ptr_equal(list, names);
    names_held--;
}

int __wrap_socketpair(int family, int kind, int protocol, int pair[2])
{
    long rc;

    return fails("socketpair", &rc) ? (int)rc : __real_socketpair(family, kind, protocol, pair);
}

int __wrap_pthread_attr_init(pthread_attr_t *attributes)
{
    long rc;

    return fails("pthread_attr_init", &rc) ? (int)rc : __real_pthread_attr_init(attributes);
}

int __wrap_access(const char *path, int mode)
{
    long rc;

    return fails("access", &rc) ? (int)rc : __real_access(path, mode);
}

/* ---- entropy and the clock ---- */

static void entropy(void **state)
{
    static const struct {
        const char *call, *then;
        int error, then_error;
        int result;
    } rows[] = {
        {NULL, NULL, 0, 0, AVITO_OK},
        {"getrandom", NULL, EINTR, 0, AVITO_OK},
        {"getrandom", NULL, ENOSYS, 0, AVITO_OK}, /* an old kernel: from /dev/urandom */
        {"getrandom", "open", ENOSYS, EINTR, AVITO_OK},
        {"getrandom", "read", ENOSYS, EINTR, AVITO_OK},
        {"getrandom", "open", ENOSYS, ENOENT, AVITO_ERR_OPTION_ENTROPY},
        {"getrandom", "read", ENOSYS, EIO, AVITO_ERR_OPTION_ENTROPY},
        {"getrandom", "read", ENOSYS, 0, AVITO_ERR_OPTION_ENTROPY}, /* the end of that file */
    };
    unsigned char out[64], none[64] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(out, 0, sizeof out);
        let_fail(rows[i].call, 1, rows[i].error);
        if (rows[i].then != NULL) {
            and_fail(rows[i].then, 1, rows[i].then_error);
        }
        assert_int_equal(avito_posix_entropy(NULL, out, sizeof out), rows[i].result);
        assert_true(has_happened());
        if (rows[i].result == AVITO_OK) {
            assert_memory_not_equal(out, none, sizeof out);
            assert_memory_not_equal(out, out + 32, 32);
        }
    }
    assert_int_equal(avito_posix_entropy(NULL, out, 0), AVITO_OK);
    assert_int_equal(avito_posix_entropy(NULL, NULL, 1), AVITO_ERR_ARGUMENT);
}

static void the_clock(void **state)
{
    (void)state;
    assert_true(avito_posix_clock_ms(NULL) != 0);
    let_fail("clock_gettime", 1, EINVAL);
    assert_int_equal(avito_posix_clock_ms(NULL), 0);
}

/* ---- connecting ---- */

static avito_tcp tcp;
static avito_transport transport;
static avito_server to = {"name.example", 0};
static int listener = -1;

static int listen_here(void **state)
{
    struct sockaddr_in in4;
    socklen_t len = sizeof in4;

    (void)state;
    memset(&in4, 0, sizeof in4);
    in4.sin_family = AF_INET;
    in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = __real_socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&in4, sizeof in4) != 0 ||
        listen(listener, 128) != 0 || getsockname(listener, (struct sockaddr *)&in4, &len) != 0) {
        return -1;
    }
    to.port = ntohs(in4.sin_port);
    return 0;
}

static int stop_listening(void **state)
{
    (void)state;
    return close(listener);
}

/* Addresses that a hook gives. */
static size_t resolved = 2;
static int resolve_result = AVITO_OK;

static int resolve(void *ctx, const char *host, avito_tcp_address *out, size_t cap, size_t *count)
{
    (void)ctx;
    assert_string_equal(host, to.host);
    memset(out, 0, cap * sizeof *out);
    for (size_t i = 0; i < cap; i++) {
        out[i].size = 4;
        out[i].bytes[0] = 127;
        out[i].bytes[3] = 1;
    }
    *count = resolved;
    return resolve_result;
}

static void begin(bool never_wait)
{
    avito_tcp_options options = avito_tcp_options_default();

    options.resolve = resolve;
    options.never_wait = never_wait;
    resolved = 2;
    resolve_result = AVITO_OK;
    assert_int_equal(avito_tcp_init(&tcp, &options), AVITO_OK);
    transport = avito_tcp_transport(&tcp);
}

static int dial(void)
{
    int rc = AVITO_AGAIN;

    for (int turns = 0; rc == AVITO_AGAIN && turns < 100; turns++) {
        rc = transport.functions->connect(transport.ctx, &to);
        if (rc == AVITO_AGAIN) {
            (void)usleep(1000);
        }
    }
    return rc;
}

/* The peer of the connection that was begun last; -1: there is none. */
static int take_peer(int ms)
{
    struct pollfd one = {listener, POLLIN, 0};
    int fd = -1;

    while (__real_poll(&one, 1, ms) > 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        fd = accept(listener, NULL, NULL);
        ms = 0;
    }
    return fd;
}

static void hang_up(void)
{
    int left;

    let_work();
    transport.functions->close(transport.ctx);
    assert_int_equal(avito_tcp_fd(&tcp), -1);
    left = take_peer(0);
    if (left >= 0) {
        (void)close(left);
    }
}

/* After an address that fails at once the next one is tried. The last error is reported. */
static void addresses_that_fail_at_once(void **state)
{
    static const struct {
        const char *call;
        int at, error;
    } rows[] = {{"socket", 1, EMFILE},
                {"fcntl", 1, EINVAL},
                {"fcntl", 2, EINVAL},
                {"connect", 1, ENETUNREACH},
                {"connect", 1, EINTR}, /* goes on by itself */
                {"connect", 1, 0},     /* is there at once */
                {"poll", 1, 0},        /* is not there yet */
                {"getsockopt", 1, ENOBUFS}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(true);
        let_fail(rows[i].call, rows[i].at, rows[i].error);
        assert_int_equal(dial(), AVITO_OK);
        assert_true(has_happened());
        assert_int_equal(transport.functions->detail(transport.ctx), 0); /* of the other one */
        hang_up();
        resolved = 1;
        let_fail(rows[i].call, rows[i].at, rows[i].error);
        if (rows[i].error == 0 || rows[i].error == EINTR) {
            assert_int_equal(dial(), AVITO_OK);
        } else {
            assert_int_equal(dial(), AVITO_ERR_CONNECT);
            assert_int_equal(transport.functions->detail(transport.ctx), rows[i].error);
        }
        hang_up();
    }
}

static void clock_goes_on(long ms)
{
    stopped.tv_sec += ms / 1000;
    stopped.tv_nsec += ms % 1000 * 1000000;
    stopped.tv_sec += stopped.tv_nsec / 1000000000;
    stopped.tv_nsec %= 1000000000;
}

/* Each of four silent addresses gets a quarter of the fifteen seconds, to the millisecond. The last one gets
 * the rest. */
static void shares_of_the_time(void **state)
{
    (void)state;
    begin(true);
    resolved = 4;
    let_give("poll", 0, 0);
    dialled = 0;
    stopped.tv_sec = 1000;
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_AGAIN);
        assert_int_equal(dialled, i);
        clock_goes_on(3749);
        assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_AGAIN);
        assert_int_equal(dialled, i);
        clock_goes_on(1);
    }
    assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_AGAIN);
    assert_int_equal(dialled, 4);
    memset(&stopped, 0, sizeof stopped);
    hang_up();
}

/* In a program that closed its standard input a socket may be number 0. */
static void a_socket_of_number_0(void **state)
{
    const int input = dup(0);

    (void)state;
    assert_true(input > 0);
    (void)close(0);
    begin(true);
    resolved = 1;
    assert_int_equal(dial(), AVITO_OK);
    assert_int_equal(avito_tcp_fd(&tcp), 0);
    hang_up();
    assert_int_equal(__real_fcntl(0, F_GETFD), -1);
    assert_int_equal(dup2(input, 0), 0);
    (void)close(input);
}

/* Answers that no hook should give. */
static void hooks_that_fail(void **state)
{
    static const struct {
        int gives;
        size_t count;
        int result;
    } rows[] = {{AVITO_ERR_HTTP, 2, AVITO_ERR_HTTP},
                {AVITO_END, 2, AVITO_ERR_RESOLVE},
                {AVITO_OK, 0, AVITO_ERR_RESOLVE},
                {AVITO_OK, AVITO_TCP_ADDRESSES + 1, AVITO_ERR_RESOLVE}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(true);
        resolve_result = rows[i].gives;
        resolved = rows[i].count;
        assert_int_equal(dial(), rows[i].result);
        hang_up();
    }
    begin(false); /* a hook that needs time is asked again soon, however long the lane may wait */
    resolve_result = AVITO_AGAIN;
    assert_int_equal(transport.functions->connect(transport.ctx, &to), AVITO_AGAIN);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_TIMER, 30000),
                     AVITO_AGAIN);
    assert_int_equal(patience, 20);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_TIMER, 3), AVITO_AGAIN);
    assert_int_equal(patience, 3);
    resolve_result = AVITO_OK;
    assert_int_equal(dial(), AVITO_OK);
    hang_up();
}

static void a_name_without_a_hook_needs_to_wait(void **state)
{
    avito_tcp_options options = avito_tcp_options_default();

    (void)state;
    options.never_wait = true;
    assert_int_equal(avito_tcp_init(&tcp, &options), AVITO_ERR_OPTION_RESOLVE);
}

/* ---- names ---- */

static struct sockaddr_in in4;
static struct sockaddr_in6 in6;
static struct addrinfo nodes[8];

static void add_name(size_t i, int family, socklen_t len)
{
    nodes[i].ai_family = family;
    nodes[i].ai_addrlen = len;
    nodes[i].ai_addr = family == AF_INET6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in4;
    nodes[i].ai_next = NULL;
    if (i > 0) {
        nodes[i - 1].ai_next = &nodes[i];
    }
    names = nodes;
}

static int dial_by_name(const char *name)
{
    const avito_server server = {name, to.port};
    int rc = AVITO_AGAIN;

    assert_int_equal(avito_tcp_init(&tcp, NULL), AVITO_OK);
    transport = avito_tcp_transport(&tcp);
    for (int turns = 0; rc == AVITO_AGAIN && turns < 100; turns++) {
        rc = transport.functions->connect(transport.ctx, &server);
        if (rc == AVITO_AGAIN) {
            (void)transport.functions->wait(transport.ctx,
                                            transport.functions->wants(transport.ctx), 1000);
        }
    }
    return rc;
}

static void names_of_all_kinds(void **state)
{
    (void)state;
    memset(&in4, 0, sizeof in4);
    in4.sin_family = AF_INET;
    in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(&in6, 0, sizeof in6);
    in6.sin6_family = AF_INET6;
    in6.sin6_addr = in6addr_loopback;

    names_error = EAI_NONAME;
    names = NULL;
    assert_int_equal(dial_by_name("name.example"), AVITO_ERR_RESOLVE);
    hang_up();
    assert_int_equal(dial_by_name("localhost"), AVITO_OK); /* needs no name server */
    hang_up();

    names_error = 0;
    add_name(0, AF_UNIX, sizeof in4); /* what is not an address is skipped */
    add_name(1, AF_INET, sizeof in4 - 1u);
    add_name(2, AF_INET6, sizeof in6 - 1u);
    assert_int_equal(dial_by_name("name.example"), AVITO_ERR_RESOLVE);
    hang_up();
    add_name(3, AF_INET, sizeof in4);
    assert_int_equal(dial_by_name("name.example"), AVITO_OK);
    hang_up();
    for (size_t i = 0; i < 8; i++) { /* more than fit: some of each family */
        add_name(i, i == 3 ? AF_INET6 : AF_INET, i == 3 ? sizeof in6 : sizeof in4);
    }
    assert_int_equal(dial_by_name("name.example"), AVITO_OK);
    hang_up();
    assert_int_equal(names_held, 0);

    add_name(0, AF_INET, sizeof in4); /* nor is the one before tried twice for it */
    add_name(1, AF_UNIX, sizeof in4);
    dialled = 0;
    let_fail("connect", 0, ENETUNREACH);
    assert_int_equal(dial_by_name("name.example"), AVITO_ERR_CONNECT);
    assert_int_equal(dialled, 1);
    hang_up();
}

/* ---- bytes ---- */

static int peer = -1;

static void connected(bool never_wait)
{
    begin(never_wait);
    assert_int_equal(dial(), AVITO_OK);
    peer = take_peer(1000);
    assert_true(peer >= 0);
}

static void sending(void **state)
{
    const avito_transport_functions *f;

    (void)state;
    connected(true);
    f = transport.functions;
    let_fail("send", 1, EINTR); /* it is tried again */
    assert_int_equal(f->send(transport.ctx, "abc", 3, 0), 3);
    let_give("send", 1, 0);
    assert_int_equal(f->send(transport.ctx, "abc", 3, 0), AVITO_IO_AGAIN);
    assert_true((f->wants(transport.ctx) & AVITO_WANT_WRITE) != 0);
    let_fail("send", 1, ENOBUFS);
    assert_int_equal(f->send(transport.ctx, "abc", 3, 0), AVITO_ERR_SEND);
    assert_int_equal(f->detail(transport.ctx), ENOBUFS);
    let_give("send", 1, 5); /* more than an int holds: not all at once */
    assert_int_equal(f->send(transport.ctx, "abc", (size_t)INT_MAX + 1u, 0), 5);
    assert_int_equal(asked, INT_MAX);
    let_fail("ioctl", 1, EINVAL); /* a system that does not tell what it still holds */
    assert_int_equal(f->moved(transport.ctx), 8);
    (void)close(peer);
    hang_up();
}

static void receiving(void **state)
{
    const avito_transport_functions *f;
    char in[8];

    (void)state;
    connected(true);
    f = transport.functions;
    assert_int_equal(write(peer, "abc", 3), 3);
    (void)usleep(1000);
    let_fail("recv", 1, EINTR);
    assert_int_equal(f->recv(transport.ctx, in, sizeof in), 3);
    let_give("recv", 1, 4);
    assert_int_equal(f->recv(transport.ctx, in, (size_t)INT_MAX + 1u), 4);
    assert_int_equal(asked, INT_MAX);
    let_fail("recv", 1, ENOMEM);
    assert_int_equal(f->recv(transport.ctx, in, sizeof in), AVITO_ERR_RECV);
    assert_int_equal(f->detail(transport.ctx), ENOMEM);
    (void)close(peer);
    hang_up();
}

/* After the last byte of a request an answer cannot be there yet: the first recv() asks nobody. */
static void too_early_for_an_answer(void **state)
{
    const avito_transport_functions *f;
    char in[8];

    (void)state;
    connected(true);
    f = transport.functions;
    for (int more = 1; more >= 0; more--) {
        assert_int_equal(f->send(transport.ctx, "abc", 3, more), 3);
        assert_int_equal(f->recv(transport.ctx, in, sizeof in), AVITO_IO_AGAIN);
        assert_int_equal(asked, more ? sizeof in : 3);
        assert_int_equal(f->recv(transport.ctx, in, sizeof in), AVITO_IO_AGAIN);
        assert_int_equal(asked, sizeof in);
    }
    assert_int_equal(write(peer, "abcd", 4), 4);
    (void)usleep(1000);
    assert_int_equal(f->recv(transport.ctx, in, sizeof in), 4);
    assert_int_equal(f->moved(transport.ctx), 3 + 3 + 4);
    (void)close(peer);
    hang_up();
}

/* The socket's own timeout is not longer than what is asked, and changes seldom. */
static void the_timeout_of_the_socket(void **state)
{
    static const struct {
        uint32_t ms;
        int times;
        long is_ms;
    } rows[] = {{64, 1, 64}, {64, 1, 64}, {96, 1, 64}, {97, 2, 96}, {95, 3, 64}, {2900, 4, 2048}};

    (void)state;
    connected(false);
    own_timeout.times = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, rows[i].ms),
                         AVITO_OK);
        assert_int_equal(own_timeout.times, rows[i].times);
        assert_int_equal(own_timeout.value.tv_sec, rows[i].is_ms / 1000);
        assert_int_equal(own_timeout.value.tv_usec, rows[i].is_ms % 1000 * 1000);
    }
    (void)close(peer);
    hang_up();
}

/* On a lane that waits, recv() does the waiting where the system allows it; else poll(). */
static void waiting(void **state)
{
    static const struct {
        const char *call;
        int at;
        bool polls;
    } rows[] = {{NULL, 0, false}, {"fcntl", 4, true}, {"fcntl", 5, true}, {"setsockopt", 2, true}};
    char in[8];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin(false);
        resolved = 1;
        let_fail(rows[i].call, rows[i].at, EINVAL);
        assert_int_equal(dial(), AVITO_OK);
        peer = take_peer(1000);
        assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 30),
                         rows[i].polls ? AVITO_AGAIN : AVITO_OK);
        assert_true(has_happened());
        assert_int_equal(transport.functions->recv(transport.ctx, in, sizeof in), AVITO_IO_AGAIN);
        (void)close(peer);
        hang_up();
    }
    connected(false);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_READ, 30), AVITO_OK);
    let_fail("recv", 1, EINTR); /* a signal ends the waiting */
    assert_int_equal(transport.functions->recv(transport.ctx, in, sizeof in), AVITO_IO_AGAIN);
    let_fail("poll", 1, EINTR);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_WRITE, 30), AVITO_AGAIN);
    let_fail("poll", 1, EINVAL);
    assert_int_equal(transport.functions->wait(transport.ctx, AVITO_WANT_WRITE, 30),
                     AVITO_ERR_RECV);
    assert_int_equal(transport.functions->detail(transport.ctx), EINVAL);
    (void)close(peer);
    hang_up();
}

/* ---- everything in one struct ---- */

static unsigned hook_calls;

static uint32_t own_clock(void *ctx)
{
    assert_ptr_equal(ctx, &hook_calls);
    hook_calls++;
    return 5000;
}

static int64_t own_time(void *ctx)
{
    assert_ptr_equal(ctx, &hook_calls);
    hook_calls++;
    return 1754900000;
}

static int own_entropy(void *ctx, void *out, size_t len)
{
    assert_ptr_equal(ctx, &hook_calls);
    hook_calls++;
    memset(out, 7, len);
    return AVITO_OK;
}

static int own_load(void *ctx, avito_token *token)
{
    (void)token;
    assert_ptr_equal(ctx, &hook_calls);
    hook_calls++;
    return AVITO_END;
}

static int own_save(void *ctx, const avito_token *token)
{
    (void)token;
    assert_ptr_equal(ctx, &hook_calls);
    hook_calls++;
    return -5;
}

static void own_lock(void *ctx)
{
    assert_ptr_equal(ctx, &hook_calls);
    hook_calls++;
}

static void own_trace(void *ctx, const char *line)
{
    (void)line;
    assert_ptr_equal(ctx, &hook_calls);
    hook_calls++;
}

static avito_posix avito;

static avito_posix_options options_here(void)
{
    avito_posix_options o = avito_posix_options_default();

    o.account.client_id = "id";
    o.account.client_secret = "secret";
    o.account.host = "api.example.test";
    o.ca_file = "build/tls/roots.pem";
    o.client.never_wait = true;
    return o;
}

static const char *const variables[] = {"AVITO_CLIENT_ID", "AVITO_CLIENT_SECRET", "AVITO_HOST",
                                        "AVITO_PORT",      "AVITO_CA_FILE",       "SSL_CERT_FILE"};

static void forget_environment(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        (void)unsetenv(variables[i]);
    }
}

/* Everything may come from the environment; what is wrong there is reported. */
static void the_environment(void **state)
{
    static char longer[300];
    static const struct {
        const char *variable, *value;
        int result;
        const char *says;
    } rows[] = {
        {"AVITO_CLIENT_ID", "id", AVITO_OK, ""},
        {"AVITO_CLIENT_ID", "", AVITO_ERR_OPTION_CREDENTIALS, "no client_id"},
        {"AVITO_CLIENT_ID", "a b", AVITO_ERR_OPTION_CREDENTIALS, "no client_id"},
        {"AVITO_CLIENT_ID", longer, AVITO_ERR_OPTION_CREDENTIALS, "no client_id"},
        {"AVITO_CLIENT_SECRET", "", AVITO_ERR_OPTION_CREDENTIALS, "no client_secret"},
        {"AVITO_CLIENT_SECRET", "a b", AVITO_ERR_OPTION_CREDENTIALS, "no client_secret"},
        {"AVITO_CLIENT_SECRET", longer, AVITO_ERR_OPTION_CREDENTIALS, "no client_secret"},
        {"AVITO_HOST", "https://api.avito.ru", AVITO_ERR_OPTION_HOST, "not a host"},
        {"AVITO_HOST", longer, AVITO_ERR_OPTION_HOST, "not a host"},
        {"AVITO_HOST", "", AVITO_OK, ""},
        {"AVITO_PORT", "8443", AVITO_OK, ""},
        {"AVITO_PORT", "0", AVITO_ERR_ARGUMENT, "not a port"},
        {"AVITO_PORT", "65536", AVITO_ERR_ARGUMENT, "not a port"},
        {"AVITO_PORT", "x", AVITO_ERR_ARGUMENT, "not a port"},
        {"AVITO_CA_FILE", "/nowhere.pem", AVITO_ERR_OPTION_ANCHORS, "cannot be read"},
        {"AVITO_CA_FILE", "", AVITO_OK, ""}, /* that of SSL_CERT_FILE */
    };

    (void)state;
    memset(longer, 'a', sizeof longer - 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int rc;

        forget_environment();
        (void)setenv("AVITO_CLIENT_ID", "id", 1);
        (void)setenv("AVITO_CLIENT_SECRET", "secret", 1);
        (void)setenv("SSL_CERT_FILE", "build/tls/roots.pem", 1);
        (void)setenv(rows[i].variable, rows[i].value, 1);
        rc = avito_posix_open(&avito, NULL);
        assert_true(rows[i].result == AVITO_OK ? rc == AVITO_OK : rc < 0);
        if (rows[i].result != AVITO_ERR_OPTION_ANCHORS) {
            assert_int_equal(rc, rows[i].result);
        }
        if (rc != AVITO_OK) {
            assert_non_null(strstr(avito_posix_strerror(&avito, rc), rows[i].says));
            assert_null(strstr(avito_posix_strerror(&avito, rc), "secret secret"));
        } else {
            assert_string_equal(avito.account.o.host, "api.avito.ru");
            assert_int_equal(avito.account.o.port, strcmp(rows[i].value, "8443") == 0 ? 8443 : 443);
        }
        avito_posix_close(&avito);
    }
    forget_environment();
}

/* An option that is set counts even if it is empty: the environment does not replace it. */
static void empty_options(void **state)
{
    avito_posix_options o;

    (void)state;
    (void)setenv("AVITO_CLIENT_ID", "id", 1);
    (void)setenv("AVITO_CLIENT_SECRET", "secret", 1);
    (void)setenv("AVITO_HOST", "api.example.test", 1);
    (void)setenv("AVITO_CA_FILE", "build/tls/roots.pem", 1);
    (void)setenv("SSL_CERT_FILE", "build/tls/roots.pem", 1);
    o = avito_posix_options_default();
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    avito_posix_close(&avito);
    o.account.client_id = "";
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_ERR_OPTION_CREDENTIALS);
    o = avito_posix_options_default();
    o.account.client_secret = "";
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_ERR_OPTION_CREDENTIALS);
    o = avito_posix_options_default();
    o.account.host = "";
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_ERR_OPTION_HOST);
    o = avito_posix_options_default();
    o.ca_file = "";
    assert_string_equal(avito_posix_ca_file(o.ca_file), "");
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_ERR_OPTION_ANCHORS);
    forget_environment();
}

/* Where no file of roots is named, the usual places of systems are tried. */
static void the_systems_roots(void **state)
{
    avito_posix_options o = options_here();
    int rc;

    (void)state;
    forget_environment();
    o.ca_file = NULL;
    let_fail("access", 0, ENOENT); /* none of them is there */
    rc = avito_posix_open(&avito, &o);
    let_work();
    assert_int_equal(rc, AVITO_ERR_OPTION_ANCHORS);
    assert_non_null(strstr(avito_posix_strerror(&avito, rc), "install ca-certificates"));
    let_fail("access", 1, ENOENT);
    rc = avito_posix_open(&avito, &o);
    assert_true(has_happened());
    avito_posix_close(&avito);
    let_work();
    assert_true(rc == AVITO_OK || rc == AVITO_ERR_OPTION_ANCHORS);
    let_fail("access", 1, ENOENT); /* not at the first place, but at the second */
    and_fail("access", 2, 0);
    assert_string_equal(avito_posix_ca_file(NULL),
                        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem");
    let_work();
}

/* More roots than there is room for: the error says so, and what to do. */
static void more_roots_than_fit(void **state)
{
    static char pem[65536];
    avito_posix_options o = options_here();
    FILE *from = fopen("build/tls/roots.pem", "r"), *to_file = fopen("build/many-roots.pem", "w");
    size_t len;
    int rc;

    (void)state;
    assert_true(from != NULL && to_file != NULL);
    len = fread(pem, 1, sizeof pem, from);
    (void)fclose(from);
    assert_true(len > 0);
    for (size_t i = 0; i < 400; i++) {
        assert_int_equal(fwrite(pem, 1, len, to_file), len);
    }
    assert_int_equal(fclose(to_file), 0);
    o.ca_file = "build/many-roots.pem";
    rc = avito_posix_open(&avito, &o);
    assert_int_equal(rc, AVITO_ERR_ROOM);
    assert_non_null(strstr(avito_posix_strerror(&avito, rc), "more roots than fit"));
    (void)remove("build/many-roots.pem");
}

/* A folder that may fail does not keep a program from reading. For an account by consent it must not fail. */
static void a_folder_that_may_fail(void **state)
{
    avito_posix_options o = options_here();

    (void)state;
    o.folder = "/dev/null/x";
    o.folder_may_fail = true;
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    assert_non_null(strstr(avito_store_problem(&avito.store), "cannot be made"));
    avito_posix_close(&avito);
    o.by_consent = true;
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_ERR_FILE);
    o.folder = "build/faults";
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    assert_int_equal(avito_get_token(&avito.client, NULL), AVITO_ERR_REFRESH_TOKEN);
    avito_posix_close(&avito);
}

/* The texts of the options are copied: they may be gone by the next call. */
static void texts_that_are_gone(void **state)
{
    static const char folder[] = "build/faults", program[] = "a name", address[] = "127.0.0.1";
    avito_posix_options o = options_here();
    char *const texts = (char *)malloc(100);
    avito_store other;
    avito_store_options same = avito_store_options_default();

    (void)state;
    assert_non_null(texts);
    o.folder = strcpy(texts, folder);
    o.program = strcpy(texts + 30, program);
    o.tcp.address = strcpy(texts + 60, address);
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    free(texts);
    assert_string_equal(avito.tcp.o.address, address);
    assert_int_equal(avito_store_take_inbox(&avito.store), AVITO_OK);
    same.folder = folder;
    assert_int_equal(avito_store_open(&other, &same), AVITO_OK);
    assert_int_equal(avito_store_take_inbox(&other), AVITO_ERR_BUSY);
    assert_non_null(strstr(avito_store_problem(&other), program));
    avito_store_close(&other);
    (void)mkdir("build/faults/send.k", 0700);
    assert_int_equal(avito_store_forget_send(&avito.store, "k"), AVITO_ERR_FILE);
    assert_string_equal(avito_store_problem(&avito.store),
                        "build/faults/send.k: cannot be removed: Is a directory");
    (void)rmdir("build/faults/send.k");
    avito_posix_close(&avito);
}

/* What a program prints and returns at its end. */
static void the_last_words(void **state)
{
    char text[200] = "";
    int kept, pipes[2];

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    (void)fflush(stderr);
    kept = dup(2);
    assert_int_equal(dup2(pipes[1], 2), 2);
    assert_int_equal(avito_posix_perror(NULL, AVITO_ERR_HTTP), 1);
    (void)fflush(stderr);
    assert_int_equal(dup2(kept, 2), 2);
    (void)close(kept);
    (void)close(pipes[1]);
    assert_true(read(pipes[0], text, sizeof text - 1) > 0);
    (void)close(pipes[0]);
    assert_int_equal(
        strncmp(text, avito_error_text(AVITO_ERR_HTTP), strlen(avito_error_text(AVITO_ERR_HTTP))),
        0);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

/* Reading the roots continues after a signal; a file that cannot be read is an error. */
static void roots_from_a_file(void **state)
{
    static char room[8192];
    avito_anchors anchors;

    (void)state;
    let_fail("read", 1, EINTR);
    assert_int_equal(avito_anchors_load_file(&anchors, room, sizeof room, "build/tls/roots.pem"),
                     AVITO_OK);
    assert_true(has_happened() && anchors.count > 0);
    let_fail("read", 1, EIO);
    assert_true(avito_anchors_load_file(&anchors, room, sizeof room, "build/tls/roots.pem") < 0);
    let_fail("open", 1, EINTR);
    assert_int_equal(avito_anchors_load_file(&anchors, room, sizeof room, "build/tls/roots.pem"),
                     AVITO_OK);
    let_work();
}

/* Options that no part accepts. */
static void options_that_are_wrong(void **state)
{
    avito_posix_options o = options_here();
    int rc;

    (void)state;
    o.tcp.address = "not numeric";
    rc = avito_posix_open(&avito, &o);
    assert_true(rc < 0);
    assert_non_null(strstr(avito_posix_strerror(&avito, rc), "not a numeric address"));
    o = options_here();
    o.folder = "/dev/null/x";
    rc = avito_posix_open(&avito, &o);
    assert_int_equal(rc, AVITO_ERR_FILE);
    assert_string_equal(avito_posix_strerror(&avito, rc),
                        "/dev/null/x: cannot be made: Not a directory");
    o.folder = "";
    rc = avito_posix_open(&avito, &o);
    assert_int_equal(rc, AVITO_ERR_ARGUMENT);
    assert_string_equal(avito_posix_strerror(&avito, rc), ".folder is empty");
    o = options_here();
    o.account.lock = own_lock; /* and no unlock */
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_ERR_ARGUMENT);
    o = options_here();
    o.client.error_body_cap = 5; /* of nothing */
    assert_true(avito_posix_open(&avito, &o) < 0);
    avito_posix_close(&avito);
    o = options_here();
    assert_int_equal(avito_posix_sign_in(&avito, &o), AVITO_ERR_ARGUMENT); /* it would wait */
    avito_posix_close(&avito);
}

static int resolve_later(void *ctx, const char *host, avito_tcp_address *out, size_t cap,
                         size_t *count)
{
    (void)ctx, (void)host, (void)out, (void)cap, (void)count;
    return AVITO_AGAIN;
}

/* A result in words: the library's, the folder's or the server's. */
static void words(void **state)
{
    avito_posix_options o = options_here();
    const char *text;

    (void)state;
    assert_string_equal(avito_posix_strerror(NULL, AVITO_ERR_HTTP),
                        avito_error_text(AVITO_ERR_HTTP));
    assert_int_equal(avito_posix_perror(NULL, AVITO_OK), 0);
    assert_int_equal(avito_posix_perror(NULL, AVITO_END), 0);
    o.folder = "build/faults";
    o.tcp.resolve = resolve_later;
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    text = avito_posix_strerror(&avito, AVITO_ERR_TIMEOUT_IDLE);
    assert_non_null(strstr(text, avito_error_text(AVITO_ERR_TIMEOUT_IDLE)));
    assert_null(strchr(text, '('));
    avito.client.error.code = AVITO_ERR_NOT_FOUND;
    (void)strcpy(avito.client.error.text, "chat not found");
    text = avito_posix_strerror(&avito, AVITO_ERR_NOT_FOUND);
    assert_non_null(strstr(text, " (chat not found)"));
    assert_null(strstr(avito_posix_strerror(&avito, AVITO_ERR_REFUSED), "chat not found"));
    assert_non_null(strstr(avito_posix_strerror(&avito, AVITO_OK), avito_error_text(AVITO_OK)));
    assert_int_equal(avito_store_load_inbox(&avito.store, 0, NULL, 0, NULL), AVITO_ERR_ARGUMENT);
    for (int i = 0; i < 3; i++) { /* the folder's words are given for its errors only */
        static const int of_folder[] = {AVITO_ERR_FILE, AVITO_ERR_HOOK, AVITO_ERR_BUSY};

        (void)strcpy(avito.store.priv.problem, "a folder's problem");
        avito.store.priv.result = i == 0 ? AVITO_ERR_FILE : AVITO_ERR_BUSY;
        assert_non_null(strstr(avito_posix_strerror(&avito, of_folder[i]), ": a folder's problem"));
        assert_null(strstr(avito_posix_strerror(&avito, AVITO_ERR_HTTP), "folder's"));
    }
    /* The lane has a call in progress: that is why it is busy. */
    assert_int_equal(avito_list_chats(&avito.client, 1, NULL, &avito.arena), AVITO_AGAIN);
    assert_int_equal(avito_get_token(&avito.client, NULL), AVITO_ERR_BUSY);
    (void)strcpy(avito.store.priv.problem, "a folder's problem");
    avito.store.priv.result = AVITO_ERR_BUSY;
    assert_null(strstr(avito_posix_strerror(&avito, AVITO_ERR_BUSY), "folder's"));
    avito_cancel(&avito.client);
    assert_non_null(strstr(avito_posix_strerror(&avito, AVITO_ERR_BUSY), "folder's"));
    assert_null(
        strstr(avito_posix_strerror(&avito, AVITO_ERR_FILE), "folder's")); /* another file */
    avito.client.error.code = AVITO_ERR_HOOK; /* one of the program's hooks */
    avito.client.error.detail = -7;
    assert_null(strstr(avito_posix_strerror(&avito, AVITO_ERR_HOOK), "folder's"));
    avito.client.error.detail = AVITO_ERR_BUSY;
    assert_non_null(strstr(avito_posix_strerror(&avito, AVITO_ERR_HOOK), "folder's"));
    {
        static avito_store_send send; /* a call on the store that is good */

        assert_int_equal(avito_store_find_send(&avito.store, "none", &send), AVITO_END);
        assert_null(strstr(avito_posix_strerror(&avito, AVITO_ERR_HOOK), "folder's"));
        assert_string_equal(avito_store_problem(&avito.store), "");
    }
    avito_posix_close(&avito);
    avito_posix_close(&avito);
}

/* A folder that may fail, and a new token that cannot be saved: the old one there does not come back. */
static void an_old_token_does_not_come_back(void **state)
{
    avito_posix_options o = options_here();
    avito_token token;
    int folder;

    (void)state;
    memset(&token, 0, sizeof token);
    token.access_token = (avito_str){"old", 3};
    o.folder = "build/faults";
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    assert_int_equal(avito_store_save_token(&avito.store, &token), AVITO_OK);
    avito_posix_close(&avito);
    o.fresh_token = true;
    o.folder_may_fail = true;
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    token.access_token = (avito_str){"new", 3};
    folder = avito.store.priv.folder;
    avito.store.priv.folder = -1;
    assert_int_equal(avito.account.o.save_token(avito.account.o.ctx, &token), AVITO_OK);
    avito.store.priv.folder = folder;
    assert_int_equal(avito.account.o.load_token(avito.account.o.ctx, &token), AVITO_END);
    assert_int_equal(avito.account.o.save_token(avito.account.o.ctx, &token), AVITO_OK);
    assert_int_equal(avito.account.o.load_token(avito.account.o.ctx, &token), AVITO_OK);
    assert_true(avito_str_equal(token.access_token, "new"));
    avito_posix_close(&avito);
}

/* Asking for an inbox's options once more leaves the inbox its memory. */
static void options_while_an_inbox_reads(void **state)
{
    avito_posix_options o = options_here();
    avito_inbox_options first;
    static avito_inbox inbox;
    avito_message m;

    (void)state;
    o.tcp.resolve = resolve_later;
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    first = avito_posix_inbox_options(&avito, 7);
    first.start = AVITO_START_SINCE;
    assert_int_equal(avito_inbox_init(&inbox, &avito.client, &first), AVITO_OK);
    assert_int_equal(avito_inbox_next(&inbox, &m), AVITO_AGAIN);
    assert_true(first.arena->busy);
    assert_ptr_equal(avito_posix_inbox_options(&avito, 7).arena, first.arena);
    assert_true(first.arena->busy);
    avito_posix_close(&avito);
    assert_false(first.arena->busy);
}

/* ---- names, looked up on a thread ---- */

/* As a connect asks. */
static int resolve_by_thread_of(avito_posix *p, size_t *count)
{
    avito_tcp_address out[AVITO_TCP_ADDRESSES];
    const uint8_t idle = p->tcp.priv.state;
    int rc = AVITO_AGAIN;

    for (int turns = 0; rc == AVITO_AGAIN && turns < 2000; turns++) {
        rc = p->tcp.o.resolve(p->tcp.o.ctx, "api.example.test", out, AVITO_TCP_ADDRESSES, count);
        if (rc == AVITO_AGAIN) {
            p->tcp.priv.state = (uint8_t)(idle + 3); /* RESOLVING */
            (void)usleep(1000);
        }
    }
    p->tcp.priv.state = idle;
    return rc;
}

static int resolve_by_thread(size_t *count)
{
    return resolve_by_thread_of(&avito, count);
}

static void a_thread_looks_names_up(void **state)
{
    static const struct {
        const char *call;
        int at, error;
    } rows[] = {{NULL, 0, 0},
                {"socketpair", 1, EMFILE},
                {"fcntl", 3, EINVAL},
                {"write", 1, ENOBUFS},
                {"pthread_attr_init", 1, ENOMEM}};

    (void)state;
    names_error = 0;
    add_name(0, AF_INET, sizeof in4);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const avito_posix_options o = options_here();
        size_t count = 0;

        let_fail(rows[i].call, rows[i].at, rows[i].error);
        assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK); /* it asks at once */
        assert_true(has_happened());
        assert_int_equal(avito.priv.look_up >= 0, i == 0);
        assert_int_equal(resolve_by_thread(&count), AVITO_OK); /* it asks again if that failed */
        assert_int_equal(count, 1);
        let_fail("socketpair", 1, EMFILE);
        assert_int_equal(resolve_by_thread(&count), AVITO_OK); /* still fresh: not asked again */
        assert_false(has_happened());
        avito.tcp.priv.unreached = true;                       /* they led nowhere */
        assert_int_equal(resolve_by_thread(&count), AVITO_OK); /* but they are better than none */
        assert_true(has_happened());
        let_fail("read", 1, EINTR);
        names_error = EAI_AGAIN;
        assert_int_equal(resolve_by_thread(&count),
                         AVITO_OK); /* the look-up fails: the old addresses stay */
        assert_int_equal(count, 1);
        names_error = 0;
        let_work();
        avito.tcp.priv.unreached = false;
        avito.priv.looked_up_ms -= 60001;
        assert_int_equal(resolve_by_thread(&count), AVITO_OK); /* over a minute old */
        avito_posix_close(&avito);
    }
    {
        static avito_posix second; /* whose roots are there: the next read() is the thread's */
        avito_posix_options o = options_here();
        avito_tcp_address out[2];
        size_t count = 9;

        assert_int_equal(avito_posix_open(&second, &o), AVITO_OK);
        assert_int_equal(resolve_by_thread_of(&second, &count), AVITO_OK);
        o.anchors = &second.anchors;
        let_fail("read", 1, EIO);
        assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
        for (int turns = 0; !has_happened() && turns < 2000; turns++) {
            (void)usleep(1000);
        }
        assert_int_equal(resolve_by_thread(&count), AVITO_OK); /* it never got the name: again */
        assert_int_equal(count, 1);
        avito.priv.looked_up_ms -= 60001;
        add_name(1, AF_INET, sizeof in4);
        assert_int_equal(resolve_by_thread(&count), AVITO_OK);
        assert_int_equal(count, 2);
        assert_int_equal(avito.tcp.o.resolve(avito.tcp.o.ctx, "api.example.test", out, 1, &count),
                         AVITO_OK);
        assert_int_equal(count, 1); /* no more than there is room for */
        avito_posix_close(&avito);
        avito_posix_close(&second);
        o.tcp.resolve = avito.tcp.o.resolve; /* one of the program's own */
        o.tcp.ctx = &second;
        assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
        assert_ptr_equal(avito.tcp.o.ctx, &second);
        avito_posix_close(&avito);
        add_name(0, AF_INET, sizeof in4);
    }
    names_error = EAI_NONAME;
    {
        const avito_posix_options o = options_here();
        size_t count = 0;

        assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
        assert_int_equal(resolve_by_thread(&count), AVITO_ERR_RESOLVE);
        let_fail("read", 1, EIO);
        assert_int_equal(resolve_by_thread(&count), AVITO_ERR_RESOLVE);
        avito_posix_close(&avito);
    }
    names_error = 0;
    let_work();
}

/* Waits until the look-up that began with the struct has ended. */
static void wait_for_the_thread(void)
{
    struct pollfd one = {avito.priv.look_up, POLLIN, 0};

    assert_true(avito.priv.look_up >= 0);
    assert_int_equal(__real_poll(&one, 1, 10000), 1);
}

/* A look-up long before a connect is no answer to it, neither its failure nor its old address. */
static void a_look_up_of_long_ago(void **state)
{
    avito_posix_options o = options_here();
    size_t count = 0;
    int was_asked;

    (void)state;
    let_work();
    names_error = EAI_AGAIN; /* the network is not there yet */
    add_name(0, AF_INET, sizeof in4);
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    wait_for_the_thread();
    names_error = 0;
    assert_int_equal(resolve_by_thread(&count), AVITO_OK);
    assert_int_equal(count, 1);
    names_error = EAI_AGAIN; /* it is gone: this connect's own look-up says so, once */
    avito.priv.count = 0;
    assert_int_equal(resolve_by_thread(&count), AVITO_ERR_RESOLVE);
    assert_int_equal(avito.priv.look_up, -1);
    avito_posix_close(&avito);
    names_error = 0;
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    wait_for_the_thread();
    avito.priv.asked_ms -= 60001;
    add_name(1, AF_INET, sizeof in4);
    assert_int_equal(resolve_by_thread(&count), AVITO_OK);
    assert_int_equal(count, 2); /* those of now */
    avito_posix_close(&avito);
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    wait_for_the_thread();
    was_asked = avito.priv.look_up;
    assert_int_equal(resolve_by_thread(&count), AVITO_OK); /* in time: one look-up was enough */
    assert_int_equal(avito.priv.look_up, -1);
    assert_true(was_asked >= 0 && avito.priv.looked_up_ms == avito.priv.asked_ms);
    avito_posix_close(&avito);
    add_name(0, AF_INET, sizeof in4);
}

static void hooks_of_the_application(void **state)
{
    avito_posix_options o = options_here();
    const avito_account_options *a = &avito.account.o;
    unsigned char byte = 0;
    avito_token token;

    (void)state;
    memset(&token, 0, sizeof token);
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    assert_true(a->lock == NULL && a->unlock == NULL && a->trace == NULL);
    assert_int_equal(a->load_token(a->ctx, &token), AVITO_END);
    assert_int_equal(a->save_token(a->ctx, &token), AVITO_OK);
    assert_true(a->unix_time(a->ctx) > 1700000000);
    assert_int_equal(a->entropy(a->ctx, &byte, 1), AVITO_OK);
    assert_null(avito_posix_inbox_options(&avito, 7).load);
    avito_posix_close(&avito);
    o.account.ctx = &hook_calls;
    o.account.clock_ms = own_clock;
    o.account.unix_time = own_time;
    o.account.entropy = own_entropy;
    o.account.load_token = own_load;
    o.account.save_token = own_save;
    o.account.lock = own_lock;
    o.account.unlock = own_lock;
    o.account.trace = own_trace;
    avito_enable_token_store(&o.account);
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    hook_calls = 0;
    assert_int_equal(a->clock_ms(a->ctx), 5000);
    assert_int_equal(a->unix_time(a->ctx), 1754900000);
    assert_int_equal(a->entropy(a->ctx, &byte, 1), AVITO_OK);
    assert_int_equal(byte, 7);
    assert_int_equal(a->load_token(a->ctx, &token), AVITO_END);
    assert_int_equal(a->save_token(a->ctx, &token), -5);
    a->lock(a->ctx);
    a->unlock(a->ctx);
    a->trace(a->ctx, "a line");
    assert_int_equal(hook_calls, 8);
    avito_posix_close(&avito);
    o = options_here(); /* roots in another struct, and a folder */
    assert_int_equal(avito_posix_open(&avito, &o), AVITO_OK);
    {
        static avito_posix second;
        static avito_inbox inbox;
        avito_inbox_options inbox_options;

        o.anchors = &avito.anchors;
        o.ca_file = "/nowhere.pem";
        o.folder = "build/faults";
        assert_int_equal(avito_posix_open(&second, &o), AVITO_OK);
        assert_ptr_equal(second.anchors.items, avito.anchors.items);
        a = &second.account.o;
        token.access_token.ptr = "stored";
        token.access_token.len = 6;
        assert_int_equal(a->save_token(a->ctx, &token), AVITO_OK);
        memset(&token, 0, sizeof token);
        assert_int_equal(a->load_token(a->ctx, &token), AVITO_OK);
        assert_true(avito_str_equal(token.access_token, "stored"));
        inbox_options = avito_posix_inbox_options(&second, 7);
        assert_ptr_equal(inbox_options.ctx, &second.store);
        assert_int_equal(inbox_options.state_cap, sizeof second.priv.inbox_state);
        assert_int_equal(inbox_options.chats_cap, sizeof second.priv.inbox_chats);
        assert_int_equal(avito_inbox_init(&inbox, &second.client, &inbox_options), AVITO_OK);
        avito_posix_close(&second);
    }
    avito_posix_close(&avito);
    assert_int_equal(avito_posix_inbox_options(&avito, 7).user_id, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entropy),
        cmocka_unit_test(the_clock),
        cmocka_unit_test(addresses_that_fail_at_once),
        cmocka_unit_test(shares_of_the_time),
        cmocka_unit_test(a_socket_of_number_0),
        cmocka_unit_test(hooks_that_fail),
        cmocka_unit_test(a_name_without_a_hook_needs_to_wait),
        cmocka_unit_test(names_of_all_kinds),
        cmocka_unit_test(sending),
        cmocka_unit_test(receiving),
        cmocka_unit_test(too_early_for_an_answer),
        cmocka_unit_test(the_timeout_of_the_socket),
        cmocka_unit_test(waiting),
        cmocka_unit_test(the_environment),
        cmocka_unit_test(empty_options),
        cmocka_unit_test(the_systems_roots),
        cmocka_unit_test(more_roots_than_fit),
        cmocka_unit_test(a_folder_that_may_fail),
        cmocka_unit_test(texts_that_are_gone),
        cmocka_unit_test(the_last_words),
        cmocka_unit_test(roots_from_a_file),
        cmocka_unit_test(options_that_are_wrong),
        cmocka_unit_test(words),
        cmocka_unit_test(an_old_token_does_not_come_back),
        cmocka_unit_test(options_while_an_inbox_reads),
        cmocka_unit_test(a_thread_looks_names_up),
        cmocka_unit_test(a_look_up_of_long_ago),
        cmocka_unit_test(hooks_of_the_application),
    };

    return cmocka_run_group_tests_name("faults", tests, listen_here, stop_listening);
}
