/* cc -DAVITO_WITH_BEARSSL=0 -I. examples/08_own_transport.c -o build/08_own_transport
 *
 * По-русски: свой транспорт, здесь через каналы команды; модем или порт выглядят так же.
 *
 * A transport of your own, here over the pipes of a command; a modem, a serial line or an SSH tunnel
 * looks the same. Prints the account's name:
 *
 *     08_own_transport openssl s_client -quiet -verify_return_error -connect api.avito.ru:443
 *
 * This command does TLS. One that only carries bytes goes below avito_tls (example.h shows how). */
#define _GNU_SOURCE
#include "example.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char tokens[AVITO_TOKENS_SIZE(128)], window[1024], room[2048];

/* ---- the transport: six functions and their context ---- */

typedef struct command {
    char **argv;
    int fd; /* -1: none */
    pid_t pid;
    int wants; /* what the last send and recv have to wait for */
} command;

static int command_connect(void *ctx, const avito_server *to)
{
    command *c = (command *)ctx;
    int ends[2];

    (void)to; /* the command knows the server */
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        return AVITO_ERR_CONNECT;
    }
    c->pid = fork();
    if (c->pid == 0) {
        (void)dup2(ends[1], 0);
        (void)dup2(ends[1], 1);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execvp(c->argv[0], c->argv);
        _exit(127);
    }
    (void)close(ends[1]);
    c->fd = ends[0];
    c->wants = 0;
    return c->pid > 0 ? AVITO_OK : AVITO_ERR_CONNECT; /* AVITO_AGAIN: call me again */
}

static long command_result(command *c, int want, ssize_t n, int otherwise)
{
    c->wants &= ~want;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        c->wants |= want;
        return AVITO_IO_AGAIN;
    }
    return n > 0 ? (long)n : otherwise;
}

static long command_send(void *ctx, const void *data, size_t len, int more)
{
    command *c = (command *)ctx;

    (void)more; /* useful only to transports that make records or packets */
    return command_result(c, AVITO_WANT_WRITE, send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT),
                          AVITO_ERR_SEND);
}

static long command_recv(void *ctx, void *data, size_t cap)
{
    command *c = (command *)ctx;
    ssize_t n = recv(c->fd, data, cap, MSG_DONTWAIT);

    return command_result(c, AVITO_WANT_READ, n, n == 0 ? (int)AVITO_IO_CLOSED : AVITO_ERR_RECV);
}

static int command_wants(void *ctx)
{
    return ((command *)ctx)->wants;
}

/* Optional: without it, every call returns AVITO_AGAIN and avito_step() carries it on. */
static int command_wait(void *ctx, int wants, uint32_t ms)
{
    struct pollfd fd = {((command *)ctx)->fd, 0, 0};

    fd.events = (short)(((wants & AVITO_WANT_READ) != 0 ? POLLIN : 0) |
                        ((wants & AVITO_WANT_WRITE) != 0 ? POLLOUT : 0));
    (void)poll(&fd, 1, ms < 60000 ? (int)ms : 60000);
    return AVITO_OK;
}

static void command_close(void *ctx)
{
    command *c = (command *)ctx;

    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    if (c->pid > 0) { /* -1 would be all. Not every command ends at the end of its input. */
        (void)kill(c->pid, SIGKILL);
        (void)waitpid(c->pid, NULL, 0); /* until then no other process gets its number */
    }
    c->fd = -1;
    c->pid = -1;
}

static const avito_transport_functions command_functions = {.connect = command_connect,
                                                            .send = command_send,
                                                            .recv = command_recv,
                                                            .wants = command_wants,
                                                            .wait = command_wait,
                                                            .close = command_close};

/* ---- the program ---- */

int main(int argc, char **argv)
{
    command c = {argv + 1, -1, -1, 0};
    avito_transport transport = {&command_functions, &c};
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_account account;
    avito_client client;
    avito_self me;
    int result;

    if (argc < 2) {
        fprintf(stderr, "usage: 08_own_transport COMMAND [ARGUMENT...]\n");
        return 2;
    }
    example_account(&account, tokens, sizeof tokens);
    example_client(&client, &account, transport, window, sizeof window);
    if ((result = avito_get_self(&client, &arena, &me)) != AVITO_OK) {
        return example_failed(&client, result);
    }
    printf("account %lld: ", (long long)me.id);
    example_print(me.name);
    printf("\n");
    avito_client_close(&client);
    return 0;
}
