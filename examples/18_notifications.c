/* cc -I. examples/18_notifications.c -o build/18_notifications -lbearssl
 *
 * По-русски: уведомления, а за ними опрос: ничего не теряется, если приёмник лежал.
 *
 * Gives every new message once and at once: notifications, backed by polling, on one thread:
 * 18_notifications PORT PATH FOLDER
 *
 * A notification is only a signal: the new messages are read from the service, since a notification
 * may come late, twice, or not at all. Run it behind a proxy that ends TLS, as 12 shows, and
 * subscribe with avito_subscribe_webhook(). */
#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#include "avito_messenger.h"

enum { PEERS = 8, LISTENER = PEERS, LANE, FDS };

static avito_posix a;
static avito_inbox inbox;
static avito_webhook hooks[PEERS];
static char body[PEERS][AVITO_WEBHOOK_SIZE(16384)];
static struct pollfd fds[FDS];

/* Takes what has come from one peer, and answers. */
static void serve(int i)
{
    const uint32_t now = avito_posix_clock_ms(NULL);
    char data[4096];
    const ssize_t n = recv(fds[i].fd, data, sizeof data, MSG_DONTWAIT);

    for (size_t at = 0, used = 1, len; used > 0; at += used) {
        const size_t left = n > 0 ? (size_t)n - at : 0;

        if (avito_webhook_receive(&hooks[i], data + at, left, &used, now) == AVITO_OK) {
            avito_inbox_doorbell(&inbox);
            avito_webhook_done(&hooks[i], now);
        }
        for (const char *out; (out = avito_webhook_output(&hooks[i], &len)) != NULL;) {
            /* About 60 bytes: they fit. */
            (void)!send(fds[i].fd, out, len, MSG_DONTWAIT | MSG_NOSIGNAL);
            avito_webhook_sent(&hooks[i], len, now);
        }
    }
    if (n == 0 || avito_webhook_finished(&hooks[i])) {
        (void)close(fds[i].fd);
        fds[i].fd = -1;
    }
}

/* Waits for peers, for the lane, or until the time is up. */
static void turn(const char *path, int wants, uint32_t ms)
{
    fds[LANE].fd = avito_tcp_fd(&a.tcp);
    fds[LANE].events = (short)(wants & AVITO_WANT_WRITE ? POLLIN | POLLOUT : POLLIN);
    (void)poll(fds, FDS, ms < 1000 ? (int)ms : 1000);
    fds[LISTENER].events = 0; /* while every place is taken, the next peer waits */
    for (int i = 0; i < PEERS; i++) {
        avito_webhook_options o = {.path = path, .buffer = body[i], .buffer_cap = sizeof body[i]};

        if (fds[i].fd >= 0) {
            serve(i); /* even if nothing came: its time may be up */
        } else if ((fds[i].fd = accept(fds[LISTENER].fd, NULL, NULL)) >= 0) {
            (void)avito_webhook_init(&hooks[i], &o, avito_posix_clock_ms(NULL));
        }
        fds[LISTENER].events = (short)(fds[i].fd < 0 ? POLLIN : fds[LISTENER].events);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    avito_message m;

    if (argc != 4) {
        return fprintf(stderr, "usage: 18_notifications PORT PATH FOLDER\n"), 2;
    }
    int rc =
        avito_posix_open(&a, &(avito_posix_options){.folder = argv[3], .client.never_wait = true});
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    here.sin_port = htons((uint16_t)atoi(argv[1]));
    for (int i = 0; i < FDS; i++) {
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    }
    fds[LISTENER].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)setsockopt(fds[LISTENER].fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fds[LISTENER].fd, (void *)&here, sizeof here) || listen(fds[LISTENER].fd, 16)) {
        return perror(argv[1]), 1;
    }
    rc = rc ? rc : avito_get_self(&a.client, &a.arena, &a.self);
    for (; rc == AVITO_AGAIN; rc = avito_step(&a.client)) {
        turn(argv[2], avito_wants(&a.client), avito_deadline_ms(&a.client));
    }
    avito_inbox_options in = avito_posix_inbox_options(&a, a.self.id);
    rc = rc ? rc : avito_inbox_init(&inbox, &a.client, &in);
    for (bool open = rc == AVITO_OK; open; (void)avito_posix_perror(&a, rc)) {
        turn(argv[2], avito_inbox_wants(&inbox), avito_inbox_deadline_ms(&inbox));
        for (; (rc = avito_inbox_next(&inbox, &m)) == AVITO_OK; (void)avito_inbox_accept(&inbox)) {
            printf("%s %s\n", m.chat_id.ptr, m.id.ptr);
        }
    }
    return avito_posix_perror(&a, rc);
}
