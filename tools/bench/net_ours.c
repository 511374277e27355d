/* The header over sockets: one lane that waits, or many lanes on one epoll loop.
 *
 *   net_ours self|chats|chats16|drop N PORT [CA]   one kept connection; chats16: in a window of 16 KB;
 *                                          drop: lists that nobody reads
 *   net_ours many N PORT CONNECTIONS [CA]  N requests for `self` on that many lanes, one thread
 *   net_ours sizes                         bytes of state of one lane
 */
#define AVITO_STATIC       1
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <sys/epoll.h>

#include "net.h"

enum {
    ONE_WINDOW = 16 * 1024,
    ONE_ARENA = 8 * 1024,
    LANE_WINDOW = 1024,
    LANE_ARENA = 1024,
    READ_AHEAD = 2048
};

typedef struct lane {
    avito_tcp tcp;
    avito_tls *tls;
    avito_client client;
    avito_arena arena;
    avito_self self;
    int fd, events; /* as registered with epoll */
} lane;

static avito_account account;
static char tokens[AVITO_TOKENS_SIZE(64)];
static avito_anchors anchors;
static char anchors_room[16 * 1024];
static unsigned long elements;

static int load_token(void *ctx, avito_token *token)
{
    (void)ctx;
    token->access_token.ptr = NET_TOKEN;
    token->access_token.len = sizeof NET_TOKEN - 1;
    token->expires_in = 86400;
    return AVITO_OK;
}

static void check(int r, const char *what, const avito_client *client)
{
    if (r < 0) {
        fprintf(stderr, "%s: %s %s (HTTP %d, detail %d)\n", what, avito_error_name(r),
                client == NULL ? "" : avito_last_error(client)->text,
                client == NULL ? 0 : avito_last_error(client)->http_status,
                client == NULL ? 0 : avito_last_error(client)->detail);
        exit(1);
    }
}

static void account_set_up(const char *port, const char *ca)
{
    avito_account_options o = avito_account_options_default();

    o.client_id = "id";
    o.client_secret = "secret";
    o.tokens = tokens;
    o.tokens_cap = sizeof tokens;
    o.host = "localhost";
    o.port = (uint16_t)atoi(port);
    o.clock_ms = avito_posix_clock_ms;
    o.unix_time = avito_posix_unix_time;
    o.load_token = load_token;
    check(avito_account_init(&account, &o), "account", NULL);
    if (ca != NULL) {
        check(avito_anchors_load_file(&anchors, anchors_room, sizeof anchors_room, ca), "CA", NULL);
    }
}

static avito_transport tls_over(lane *l)
{
    avito_tls_options o = avito_tls_options_default();

    l->tls = calloc(1, sizeof *l->tls);
    o.transport = avito_tcp_transport(&l->tcp);
    o.anchors = anchors.items;
    o.anchors_count = anchors.count;
    o.buffer_cap = AVITO_TLS_BUFFER_HALF(16384);
    o.buffer = malloc(o.buffer_cap);
    o.read_ahead_cap = READ_AHEAD;
    o.read_ahead = malloc(READ_AHEAD);
    o.unix_time = avito_posix_unix_time;
    o.entropy = avito_posix_entropy;
    check(avito_tls_init(l->tls, &o), "TLS", NULL);
    return avito_tls_transport(l->tls);
}

static void lane_set_up(lane *l, size_t window, size_t arena, bool never_wait, bool tls)
{
    avito_tcp_options t = avito_tcp_options_default();
    avito_client_options o = avito_client_options_default();

    t.address = "127.0.0.1";
    t.never_wait = never_wait;
    check(avito_tcp_init(&l->tcp, &t), "TCP", NULL);
    o.transport = tls ? tls_over(l) : avito_tcp_transport(&l->tcp);
    o.window = malloc(window);
    o.window_cap = window;
    o.never_wait = never_wait;
    check(avito_client_init(&l->client, &account, &o), "lane", NULL);
    l->arena = avito_arena_of(malloc(arena), arena);
    l->fd = -1;
}

static void self_done(lane *l)
{
    if (l->self.id == 0 || l->self.profile_url.len == 0 || l->self.phones.count == 0) {
        net_fail("self", "not decoded");
    }
    elements++;
}

static void self_once(lane *l)
{
    avito_arena_reset(&l->arena);
    check(avito_get_self(&l->client, &l->arena, &l->self), "self", &l->client);
    self_done(l);
}

static void chats_once(lane *l)
{
    avito_chat chat;
    int r;

    avito_arena_reset(&l->arena);
    r = avito_list_chats(&l->client, 94235311, NULL, &l->arena);
    while (r == AVITO_OK) {
        r = avito_next_chat(&l->client, &chat);
        elements += r == AVITO_OK;
    }
    check(r, "chats", &l->client);
}

/* The cost without decoding: the kernel, TLS, and the head. */
static void drop_once(lane *l)
{
    int r;

    avito_arena_reset(&l->arena);
    r = avito_list_chats(&l->client, 94235311, NULL, &l->arena);
    check(r, "chats", &l->client);
    r = avito_list_end(&l->client, SIZE_MAX);
    check(r, "end", &l->client);
}

/* n requests, one after the other, on one lane that waits. */
static int single(const char *what, unsigned long n, bool tls)
{
    void (*const once)(lane *) = strcmp(what, "self") == 0   ? self_once
                                 : strcmp(what, "drop") == 0 ? drop_once
                                                             : chats_once;
    static lane l;
    net_region region;
    unsigned long i;

    lane_set_up(&l, once == self_once || strcmp(what, "chats16") == 0 ? ONE_WINDOW : NET_BUFFER,
                ONE_ARENA, false, tls);
    for (i = 0; i < 3; i++) {
        once(&l);
    }
    elements = 0;
    net_begin(&region);
    for (i = 0; i < n; i++) {
        once(&l);
    }
    net_end(&region, n, elements);
    avito_client_close(&l.client);
    return 0;
}

/* Tells epoll if the socket, or what it waits for, has changed. */
static void watch(int queue, lane *l)
{
    int fd = avito_tcp_fd(&l->tcp), wants = avito_wants(&l->client);
    struct epoll_event event;
    int events = ((wants & AVITO_WANT_WRITE) != 0 ? (int)EPOLLOUT : 0) | (int)EPOLLIN;

    if (fd < 0 || (fd == l->fd && events == l->events)) {
        return;
    }
    event.events = (uint32_t)events;
    event.data.ptr = l;
    epoll_ctl(queue, fd == l->fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    l->fd = fd;
    l->events = events;
}

/* Steps a lane as far as it goes; returns the number of requests that it finished. */
static unsigned long carry_on(int queue, lane *l)
{
    int r = avito_step(&l->client);
    unsigned long done = 0;

    while (r == AVITO_OK) {
        self_done(l);
        done++;
        avito_arena_reset(&l->arena);
        r = avito_get_self(&l->client, &l->arena, &l->self);
    }
    check(r, "lane", &l->client);
    watch(queue, l);
    return done;
}

static void pump(int queue, unsigned long n)
{
    struct epoll_event events[256];
    unsigned long done = 0;
    int i;

    while (done < n) {
        int ready = epoll_wait(queue, events, 256, 1000);

        for (i = 0; i < ready; i++) {
            done += carry_on(queue, events[i].data.ptr);
        }
    }
}

/* n requests in all on many lanes at once. The first two on each only warm up. */
static int many(unsigned long n, unsigned long connections, bool tls)
{
    lane *lanes = calloc(connections, sizeof *lanes);
    int queue = epoll_create1(0);
    net_region region;
    unsigned long i;

    net_many_files();
    for (i = 0; i < connections; i++) {
        lane *l = &lanes[i];

        lane_set_up(l, LANE_WINDOW, LANE_ARENA, true, tls);
        check(avito_get_self(&l->client, &l->arena, &l->self), "start", &l->client);
        watch(queue, l);
    }
    pump(queue, 2 * connections);
    elements = 0;
    net_begin(&region);
    pump(queue, n);
    net_end(&region, elements, elements);
    return 0;
}

static int sizes(void)
{
    printf("{\"client\": %zu, \"tcp\": %zu, \"tls\": %zu, \"tls_half\": %zu, \"read_ahead\": %d, "
           "\"account\": %zu}\n",
           sizeof(avito_client), sizeof(avito_tcp), sizeof(avito_tls), AVITO_TLS_BUFFER_HALF(16384),
           READ_AHEAD, sizeof(avito_account));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "sizes") == 0) {
        return sizes();
    }
    if (argc >= 5 && strcmp(argv[1], "many") == 0) {
        account_set_up(argv[3], argc > 5 ? argv[5] : NULL);
        return many(strtoul(argv[2], NULL, 10), strtoul(argv[4], NULL, 10), argc > 5);
    }
    if (argc >= 4) {
        account_set_up(argv[3], argc > 4 ? argv[4] : NULL);
        return single(argv[1], strtoul(argv[2], NULL, 10), argc > 4);
    }
    net_fail("usage", "see the head of the source");
    return 1;
}
