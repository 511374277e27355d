/*
 * What a transport may do at the edges of a call, and what the client makes of it.
 * Rooms: EXCHANGE.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define AVITO_WITH_POSIX 1 /* as in the library that this is linked with */
#include "support/lane.h"

#define USER 350000001

static int send_hi(struct lane *l)
{
    return lane_run(l, avito_send_message(&l->client, USER, "u2i-chat", "hi", NULL, NULL));
}

/* ---- a transport that says 0 where it could not move a byte ---- */

static avito_transport below;

static long zero_send(void *ctx, const void *data, size_t len, int more)
{
    const long n = below.functions->send(ctx, data, len, more);
    return n == AVITO_IO_AGAIN ? 0 : n;
}

static long zero_recv(void *ctx, void *data, size_t cap)
{
    const long n = below.functions->recv(ctx, data, cap);
    return n == AVITO_IO_AGAIN ? 0 : n;
}

static void test_zero_is_not_yet(void **state)
{
    avito_transport_functions functions;
    avito_message sent;
    char text[801];
    struct lane l;

    (void)state;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    lane_init(&l, 512);
    l.script.again = l.script.send_again = true;
    l.script.send_piece = 100;
    l.script.recv_piece = 7;
    lane_exchange(&l, 200, "{\"id\":\"m\"}", 10);
    below = l.options.transport;
    functions = *below.functions;
    functions.send = zero_send;
    functions.recv = zero_recv;
    l.client.o.transport.functions = &functions;
    assert_int_equal(
        lane_run(&l, avito_send_message(&l.client, USER, "u2i-chat", text, &l.arena, &sent)),
        AVITO_OK);
    assert_string_equal(sent.id.ptr, "m");
    lane_end(&l);
}

/* A server that refuses and closes: send() fails, but what it said is still there. */
static void test_answer_after_a_failed_send(void **state)
{
    static const struct {
        int status, result;
    } rows[] = {{400, AVITO_ERR_BAD_REQUEST}, {402, AVITO_ERR_PAYMENT}, {500, AVITO_ERR_SERVER}};
    static const size_t pieces[] = {0, 1, 70};

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        struct lane l;
        lane_init(&l, i % 2 != 0 ? 512 : 2048); /* the request fits one window of both sizes */
        script_connect(&l.script);
        script_take(&l.script, 30);
        script_send_fail(&l.script, AVITO_ERR_SEND, 32);
        script_answer_json(&l.script, rows[i / 3].status, "{\"message\":\"why\"}", 17);
        l.script.recv_piece = pieces[i % 3];
        l.script.again = i % 2 != 0;
        assert_int_equal(send_hi(&l), rows[i / 3].result);
        assert_int_equal(avito_last_error(&l.client)->http_status, rows[i / 3].status);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        assert_string_equal(avito_last_error(&l.client)->text, "why");
        assert_int_equal(avito_last_error(&l.client)->detail, 0); /* that is of the failed send */
        assert_null(script_problem(&l.script)); /* closed: the connection is of no use */
        lane_free(&l);
    }
}

/* The server said nothing, or not all of it: the failure of send() is the result. */
static void test_failed_send(void **state)
{
    static const char half[] = "HTTP/1.1 400 Bad Re";

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct lane l;
        lane_init(&l, 512);
        script_connect(&l.script);
        script_take(&l.script, 30);
        script_send_fail(&l.script, AVITO_ERR_SEND, 32);
        if (i > 0) {
            script_answer(&l.script, SCRIPT_TEXT(half));
        }
        if (i == 1) {
            script_end(&l.script);
        }
        assert_int_equal(send_hi(&l), AVITO_ERR_SEND);
        assert_int_equal(avito_last_error(&l.client)->detail, 32);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        assert_null(script_problem(&l.script));
        lane_free(&l);
    }
}

/* A transport that has no number of its own: the detail is 0, or what recv() said. */
static long recv_is_reset(void *ctx, void *data, size_t cap)
{
    (void)ctx, (void)data, (void)cap;
    return -104;
}

static void test_no_detail(void **state)
{
    avito_transport_functions functions;
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    script_connect(&l.script);
    script_request(&l.script);
    functions = *l.options.transport.functions;
    functions.detail = NULL;
    functions.recv = recv_is_reset;
    l.client.o.transport.functions = &functions;
    assert_int_equal(send_hi(&l), AVITO_ERR_RECV);
    assert_int_equal(avito_last_error(&l.client)->detail, -104);
    lane_free(&l);
    lane_init(&l, 512);
    script_connect_with(&l.script, 0, AVITO_ERR_CONNECT);
    functions = *l.options.transport.functions;
    functions.detail = NULL;
    l.client.o.transport.functions = &functions;
    assert_int_equal(send_hi(&l), AVITO_ERR_CONNECT);
    assert_int_equal(avito_last_error(&l.client)->detail, 0);
    lane_free(&l);
}

/* The size that would have done, from the transport's own number. */
static void test_record_too_large(void **state)
{
    struct lane l;

    (void)state;
    lane_init(&l, 512);
    script_connect(&l.script);
    script_request(&l.script);
    script_fail(&l.script, AVITO_ERR_TLS_ROOM, 16413);
    assert_int_equal(send_hi(&l), AVITO_ERR_TLS_ROOM);
    assert_int_equal(avito_last_error(&l.client)->needed, 16413);
    assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_CANNOT_TELL);
    lane_free(&l);
}

/* These sockets can look names up only if they may wait: reported at once, not after a time-out. */
static void test_name_on_a_lane_that_never_waits(void **state)
{
    avito_tcp tcp;
    struct lane l;

    (void)state;
    assert_int_equal(avito_tcp_init(&tcp, NULL), AVITO_OK);
    lane_init(&l, 512);
    l.options.transport = avito_tcp_transport(&tcp);
    l.options.never_wait = true;
    assert_int_equal(avito_client_init(&l.client, &l.account, &l.options), AVITO_OK);
    assert_int_equal(avito_mark_chat_as_read(&l.client, USER, "chat"), AVITO_ERR_OPTION_RESOLVE);
    lane_free(&l);
}

static int asked;

static int resolve_later(void *ctx, const char *host, avito_tcp_address *out, size_t cap,
                         size_t *count)
{
    (void)ctx, (void)host, (void)out, (void)cap, (void)count;
    return ++asked < 5 ? AVITO_AGAIN : AVITO_ERR_RESOLVE;
}

/* A hook that looks names up is asked again and again, not only when the time is up. */
static void test_hook_is_asked_again(void **state)
{
    avito_tcp_options o = avito_tcp_options_default();
    avito_tcp tcp;
    struct lane l;
    int rc;

    (void)state;
    o.never_wait = true;
    o.resolve = resolve_later;
    assert_int_equal(avito_tcp_init(&tcp, &o), AVITO_OK);
    lane_init(&l, 512);
    l.options.transport = avito_tcp_transport(&tcp);
    assert_int_equal(avito_client_init(&l.client, &l.account, &l.options), AVITO_OK);
    for (int again = 0; again < 2; again++) { /* a call that was cancelled leaves nothing behind */
        asked = 0;
        assert_int_equal(avito_mark_chat_as_read(&l.client, USER, "chat"), AVITO_AGAIN);
        assert_int_equal(asked, 2);
        avito_cancel(&l.client);
    }
    asked = 0;
    rc = avito_mark_chat_as_read(&l.client, USER, "chat");
    for (int i = 0; i < 5 && rc == AVITO_AGAIN; i++) {
        assert_int_equal(avito_wants(&l.client), AVITO_WANT_TIMER);
        assert_true(avito_deadline_ms(&l.client) <= 100);
        rc = avito_step(&l.client);
    }
    assert_int_equal(rc, AVITO_ERR_RESOLVE);
    lane_free(&l);
}

/* ---- waiting that fails ---- */

static struct {
    avito_transport_functions functions;
    unsigned left; /* the number of waits before one that fails */
    bool failed;
} waits;

static int wait_that_fails(void *ctx, int wants, uint32_t ms)
{
    struct script *s = ctx;

    clock_advance(s->clock, wants == 0 || !script_ready(s, wants) ? ms : 0);
    s->wait_calls++;
    if (waits.left-- == 0) {
        waits.failed = true;
        return AVITO_ERR_RECV;
    }
    return AVITO_OK;
}

/* A lane that may wait and does so before each piece; wait number `at` fails. */
static void waiting_lane(struct lane *l, unsigned at, uint8_t retries)
{
    lane_init(l, 512);
    l->script.may_wait = true;
    l->script.again = l->script.send_again = true;
    l->script.send_piece = 50;
    l->options.never_wait = false;
    l->options.retries = retries;
    l->options.transport = script_transport(&l->script);
    waits.functions = *l->options.transport.functions;
    waits.functions.wait = wait_that_fails;
    waits.left = at;
    waits.failed = false;
    l->options.transport.functions = &waits.functions;
    assert_int_equal(avito_client_init(&l->client, &l->account, &l->options), AVITO_OK);
}

#define SENT                                                                                       \
    "{\"id\":\"new\",\"author_id\":1,\"created\":101,\"content\":{\"text\":\"hi\"},\"type\":"      \
    "\"text\",\"direction\":\"out\"}"

/* It is a failure of the transport like any other: what left decides about the outcome. */
static void test_failed_wait_of_a_send(void **state)
{
    unsigned seen[3] = {0, 0, 0};

    (void)state;
    for (unsigned at = 0; at < 30; at++) {
        struct lane l;
        avito_outcome outcome;
        int rc;
        waiting_lane(&l, at, 0);
        lane_exchange(&l, 200, SENT, strlen(SENT));
        rc = avito_send_message(&l.client, USER, "u2i-chat", "hi", NULL, NULL);
        outcome = avito_last_error(&l.client)->outcome;
        assert_int_equal(rc, waits.failed ? AVITO_ERR_RECV : AVITO_OK);
        assert_int_equal(outcome, rc == AVITO_OK                ? AVITO_SENT
                                  : l.script.request_count == 1 ? AVITO_CANNOT_TELL
                                                                : AVITO_NOT_SENT);
        assert_int_equal(l.script.open, rc == AVITO_OK);
        seen[outcome]++;
        lane_free(&l);
    }
    assert_true(seen[AVITO_NOT_SENT] > 2 && seen[AVITO_CANNOT_TELL] > 0 && seen[AVITO_SENT] > 0);
}

/* With avito_confirm_sends() it is settled: a message in the chat is never reported as NOT_SENT. */
static void test_failed_wait_is_settled(void **state)
{
    static const char list[] = "{\"messages\":[" SENT "],\"meta\":{\"has_more\":false}}";
    static avito_sent_query baseline;
    unsigned settled = 0;

    (void)state;
    baseline.baseline_created = 100;
    for (unsigned at = 0; at < 30; at++) {
        struct lane l;
        avito_message m;
        bool left;
        int rc;
        waiting_lane(&l, at, 0);
        lane_exchange(&l, 200, SENT, strlen(SENT));
        lane_exchange(&l, 200, list, sizeof list - 1);
        assert_int_equal(avito_confirm_sends(&l.client, &baseline), AVITO_OK);
        rc = avito_send_message(&l.client, USER, "u2i-chat", "hi", &l.arena, &m);
        left = l.script.request_count > 0;
        assert_int_equal(rc, left ? AVITO_OK : AVITO_ERR_RECV);
        assert_int_equal(avito_last_error(&l.client)->outcome, left ? AVITO_SENT : AVITO_NOT_SENT);
        settled += l.script.request_count == 2;
        assert_null(script_wrong(&l.script));
        lane_free(&l);
    }
    assert_true(settled > 0);
}

/* A read is retried. So is a send whose request has not left whole. */
static void test_failed_wait_is_tried_again(void **state)
{
    unsigned again = 0;

    (void)state;
    for (unsigned at = 0; at < 30; at++) {
        struct lane l;
        avito_self self = {0};
        waiting_lane(&l, at, 1);
        lane_exchange(&l, 200, "{\"id\":7}", 8);
        lane_exchange(&l, 200, "{\"id\":7}", 8);
        assert_int_equal(avito_get_self(&l.client, &l.arena, &self), AVITO_OK);
        assert_int_equal(self.id, 7);
        assert_int_equal(l.script.connects, waits.failed ? 2 : 1);
        again += waits.failed;
        assert_null(script_wrong(&l.script));
        lane_free(&l);
    }
    assert_in_range(again, 3, 29);
}

/* ---- a server that stops reading ---- */

/* Over sockets: answers one request, then takes the head of the next and no more of it. */
static struct {
    int listening, stop[2];
    const char *says; /* to the second; NULL: it only ends its side of the stream */
} deaf;

static void deaf_reads_head(int fd)
{
    uint32_t last = 0;
    char byte;

    while (last != 0x0d0a0d0a && recv(fd, &byte, 1, 0) == 1) {
        last = last << 8 | (unsigned char)byte;
    }
}

static void *deaf_server(void *arg)
{
    static const char self[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"id\":7}";
    const int fd = accept(deaf.listening, NULL, NULL);
    char byte;

    (void)arg;
    deaf_reads_head(fd);
    (void)!write(fd, self, sizeof self - 1);
    deaf_reads_head(fd);
    if (deaf.says != NULL) {
        (void)!write(fd, deaf.says, strlen(deaf.says));
    } else {
        (void)shutdown(fd, SHUT_WR);
    }
    (void)!read(deaf.stop[0], &byte, 1);
    close(fd);
    return NULL;
}

static uint16_t deaf_start(pthread_t *thread, const char *says)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    const int room = 4096;

    deaf.says = says;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    deaf.listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(deaf.listening, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    assert_int_equal(bind(deaf.listening, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(deaf.listening, 1), 0);
    assert_int_equal(getsockname(deaf.listening, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(pipe(deaf.stop), 0);
    assert_int_equal(pthread_create(thread, NULL, deaf_server, NULL), 0);
    return ntohs(at.sin_port);
}

static void deaf_end(pthread_t thread)
{
    close(deaf.stop[1]);
    pthread_join(thread, NULL);
    close(deaf.stop[0]);
    close(deaf.listening);
}

static long zeros(void *ctx, size_t offset, void *buf, size_t cap)
{
    (void)ctx, (void)offset;
    memset(buf, 0, cap);
    return (long)cap;
}

#define UPLOAD 3000000u

/* The socket is full and the server answers, or ends its side: the lane hears it, whether the
 * request fits its window or not, and neither waits for a time-out nor spins. */
static void test_server_that_does_not_read_on(void **state)
{
    static const struct {
        const char *says;
        int result, status;
    } rows[] = {{"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n", AVITO_ERR_TOO_LARGE, 413},
                {NULL, AVITO_ERR_CLOSED, 0}};
    static const size_t windows[] = {512, 4096, UPLOAD + 4096};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        avito_image_source source = {.read = zeros, .size = UPLOAD};
        avito_tcp_options o = avito_tcp_options_default();
        const int room = 16384;
        avito_uploaded_image image;
        avito_self self;
        pthread_t thread;
        avito_tcp tcp;
        struct lane l;
        clock_t began;

        lane_init(&l, windows[i / 2]);
        o.address = "127.0.0.1";
        assert_int_equal(avito_tcp_init(&tcp, &o), AVITO_OK);
        l.account_options.port = deaf_start(&thread, rows[i % 2].says);
        l.account_options.clock_ms = avito_posix_clock_ms;
        assert_int_equal(avito_account_init(&l.account, &l.account_options), AVITO_OK);
        l.options.transport = avito_tcp_transport(&tcp);
        l.options.never_wait = false;
        l.options.idle_timeout_ms = 3000;
        assert_int_equal(avito_client_init(&l.client, &l.account, &l.options), AVITO_OK);
        assert_int_equal(avito_get_self(&l.client, &l.arena, &self), AVITO_OK);
        assert_int_equal(setsockopt(avito_tcp_fd(&tcp), SOL_SOCKET, SO_SNDBUF, &room, sizeof room),
                         0);
        began = clock();
        assert_int_equal(avito_upload_image(&l.client, USER, &source, &l.arena, &image),
                         rows[i % 2].result);
        assert_true(clock() - began < CLOCKS_PER_SEC); /* of the processor */
        assert_int_equal(avito_last_error(&l.client)->http_status, rows[i % 2].status);
        assert_int_equal(avito_last_error(&l.client)->outcome, AVITO_NOT_SENT);
        deaf_end(thread);
        lane_free(&l);
    }
}

/* ---- a slow line, behind a socket that takes all at once ---- */

static struct {
    int listening;
    size_t read;
} slow;

/* Takes 4 KB of the upload each 30 ms, then answers. */
static void *slow_server(void *arg)
{
    static const char image[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"a\":{}} ";
    const struct timespec pause = {0, 30000000};
    const int fd = accept(slow.listening, NULL, NULL);
    char bytes[4096];

    (void)arg;
    while (slow.read < 399000) {
        const ssize_t n = read(fd, bytes, sizeof bytes);
        if (n <= 0) {
            break;
        }
        slow.read += (size_t)n;
        (void)nanosleep(&pause, NULL);
    }
    (void)!write(fd, image, sizeof image - 1);
    close(fd);
    return NULL;
}

/* The socket has taken the whole upload, and the line still drains it for several times the idle time. */
static void test_upload_that_the_socket_still_holds(void **state)
{
    avito_image_source source = {.read = zeros, .size = 399000};
    avito_tcp_options o = avito_tcp_options_default();
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    const int small = 16384, large = 600000, segment = 1000;
    avito_uploaded_image image;
    pthread_t thread;
    avito_tcp tcp;
    struct lane l;

    (void)state;
    memset(&slow, 0, sizeof slow);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    slow.listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(slow.listening, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(setsockopt(slow.listening, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment),
                     0);
    assert_int_equal(bind(slow.listening, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(slow.listening, 1), 0);
    assert_int_equal(getsockname(slow.listening, (struct sockaddr *)&at, &len), 0);
    assert_int_equal(pthread_create(&thread, NULL, slow_server, NULL), 0);
    lane_init(&l, 512);
    o.address = "127.0.0.1";
    assert_int_equal(avito_tcp_init(&tcp, &o), AVITO_OK);
    l.account_options.port = ntohs(at.sin_port);
    l.account_options.clock_ms = avito_posix_clock_ms;
    assert_int_equal(avito_account_init(&l.account, &l.account_options), AVITO_OK);
    l.options.transport = avito_tcp_transport(&tcp);
    l.options.idle_timeout_ms = 800;
    assert_int_equal(avito_client_init(&l.client, &l.account, &l.options), AVITO_OK);
    int rc = avito_upload_image(&l.client, USER, &source, &l.arena, &image);
    while (rc == AVITO_AGAIN) {
        const struct timespec pause = {0, 1000000};
        if (avito_tcp_fd(&tcp) >= 0) {
            (void)setsockopt(avito_tcp_fd(&tcp), SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
        }
        (void)nanosleep(&pause, NULL);
        rc = avito_step(&l.client);
    }
    assert_int_equal(rc, AVITO_OK);
    assert_string_equal(image.image_id.ptr, "a");
    pthread_join(thread, NULL);
    close(slow.listening);
    lane_free(&l);
}

/* ---- what a transport may return ---- */

static struct {
    avito_transport_functions functions;
    long result;
    int detail, where;
} odd;

static int odd_connect(void *ctx, const avito_server *to)
{
    (void)script_transport(ctx).functions->connect(ctx, to);
    return odd.where == 0 ? (int)odd.result : AVITO_OK;
}

static long odd_send(void *ctx, const void *data, size_t len, int more)
{
    return odd.where == 1 ? odd.result
                          : script_transport(ctx).functions->send(ctx, data, len, more);
}

static long odd_recv(void *ctx, void *data, size_t cap)
{
    return odd.where == 2 ? odd.result : script_transport(ctx).functions->recv(ctx, data, cap);
}

static int odd_detail(void *ctx)
{
    (void)ctx;
    return odd.detail;
}

/* Only codes that a transport may give are taken for ours: a raw errno is not. */
static void test_numbers_of_a_transport(void **state)
{
    static const int ours[] = {AVITO_ERR_CONNECT, AVITO_ERR_SEND, AVITO_ERR_RECV};
    static const struct {
        long result;
        bool known;
    } rows[] = {{-111, false},
                {-113, false},
                {-115, false},
                {-116, false},
                {-104, false},
                {-9, false},
                {-140, false},
                {-65536, false},
                {-1000000, false},
                {-509, false},
                {-202, false},
                {-402, false},
                {AVITO_ERR_RESOLVE, true},
                {AVITO_ERR_CLOSED, true},
                {AVITO_ERR_TLS_STALL, true},
                {AVITO_ERR_TLS_ROOM, true},
                {AVITO_ERR_OPTION_TIME, true},
                {AVITO_ERR_OPTION_RESOLVE, true}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (odd.where = 0; odd.where < 3; odd.where++) {
            for (odd.detail = 0; odd.detail < 14; odd.detail += 13) {
                struct lane l;
                lane_init(&l, 512);
                script_connect(&l.script);
                script_request(&l.script);
                odd.functions = *l.options.transport.functions;
                odd.functions.connect = odd_connect;
                odd.functions.send = odd_send;
                odd.functions.recv = odd_recv;
                odd.functions.detail = odd_detail;
                odd.result = rows[i].result;
                l.options.transport.functions = &odd.functions;
                assert_int_equal(avito_client_init(&l.client, &l.account, &l.options), AVITO_OK);
                const int rc = send_hi(&l);
                assert_int_equal(rc, rows[i].known ? rows[i].result : ours[odd.where]);
                assert_int_equal(avito_last_error(&l.client)->detail,
                                 odd.detail != 0 || rows[i].known ? odd.detail
                                                                  : (int)rows[i].result);
                lane_free(&l);
            }
        }
    }
}

/* ---- an arena that a handshake may take (avito_tls_arena()) ---- */

static bool connect_busy;
static struct lane *connect_lane;

static int connect_and_look(void *ctx, const avito_server *to)
{
    const avito_transport script = script_transport(ctx);

    connect_busy = connect_lane->arena.busy;
    return script.functions->connect(ctx, to);
}

static void test_lent_arena_is_free_at_connect(void **state)
{
    static avito_transport_functions functions;
    static const char token[] =
        "{\"access_token\":\"a-token-of-some-length\",\"expires_in\":86400}";
    static const char me[] = "{\"id\":7}";
    struct lane l;
    avito_self self;

    (void)state;
    for (int lent = 0; lent < 2; lent++) {
        lane_init_retries(&l, 512, 1);
        connect_lane = &l;
        functions = *l.options.transport.functions;
        functions.connect = connect_and_look;
        l.client.o.transport.functions = &functions;
        l.no_token = true;
        l.arena.lent = lent != 0;
        script_connect_with(&l.script, 2, AVITO_OK);
        script_request(&l.script);
        script_answer_json(&l.script, 200, token, strlen(token));
        script_request(&l.script);
        script_end(&l.script); /* in the middle of the call; it is tried again */
        script_connect(&l.script);
        script_request(&l.script);
        script_answer_json(&l.script, 200, me, strlen(me));
        assert_int_equal(avito_get_self(&l.client, &l.arena, &self), AVITO_AGAIN);
        assert_int_equal(connect_busy, !lent);
        assert_true(l.arena.busy); /* not for anybody else */
        connect_busy = true;
        assert_int_equal(lane_run(&l, AVITO_AGAIN), AVITO_OK);
        assert_int_equal(connect_busy, !lent);
        assert_false(l.arena.busy);
        assert_int_equal(l.script.connects, 2);
        lane_end(&l);
    }
}

/* Between two pages the rows before lie in it. */
static void test_lent_arena_with_pages(void **state)
{
    struct lane l;
    avito_chats chats;
    avito_chats_query query;

    (void)state;
    memset(&query, 0, sizeof query);
    query.limit = 1;
    query.all_pages = true;
    for (int lent = 0; lent < 2; lent++) {
        lane_init(&l, 512);
        l.arena.lent = lent != 0;
        lane_exchange_raw(
            &l, SCRIPT_TEXT("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 48\r\n\r\n"
                            "{\"chats\":[{\"id\":\"c1\"}],\"meta\":{\"has_more\":true}}"));
        if (!lent) {
            lane_exchange(&l, 200, SCRIPT_TEXT("{\"chats\":[{\"id\":\"c2\"}]}"));
            script_request(&l.script);
            script_answer_json(&l.script, 200, SCRIPT_TEXT("{\"chats\":[]}"));
        }
        assert_int_equal(lane_run(&l, avito_get_chats(&l.client, 1, &query, &l.arena, &chats)),
                         lent ? AVITO_ERR_BUSY : AVITO_OK);
        assert_int_equal(l.script.connects, lent ? 1 : 2);
        assert_int_equal(l.arena.used > 0, !lent);
        assert_false(l.arena.busy);
        avito_client_close(&l.client);
        lane_free(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lent_arena_is_free_at_connect),
        cmocka_unit_test(test_lent_arena_with_pages),
        cmocka_unit_test(test_zero_is_not_yet),
        cmocka_unit_test(test_answer_after_a_failed_send),
        cmocka_unit_test(test_failed_send),
        cmocka_unit_test(test_no_detail),
        cmocka_unit_test(test_record_too_large),
        cmocka_unit_test(test_name_on_a_lane_that_never_waits),
        cmocka_unit_test(test_hook_is_asked_again),
        cmocka_unit_test(test_failed_wait_of_a_send),
        cmocka_unit_test(test_failed_wait_is_settled),
        cmocka_unit_test(test_failed_wait_is_tried_again),
        cmocka_unit_test(test_server_that_does_not_read_on),
        cmocka_unit_test(test_upload_that_the_socket_still_holds),
        cmocka_unit_test(test_numbers_of_a_transport),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
