/* main.c - AVITO_WITH_POSIX over lwIP's own sockets, as in a task of ESP-IDF. lwIP is Debian's source; its
 * loopback leads to a relay, and that to the service. */
#define AVITO_STATIC     1
#define AVITO_WITH_FILES 0
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include "tests/transports/lwip/relay.h"
#include "tests/transports/story.h"

#include <lwip/sys.h>
#include <lwip/tcpip.h>
#include <stdlib.h>
#include <string.h>

static bool all_down(int fd, const char *data, size_t len)
{
    while (len > 0) {
        const int n = (int)lwip_send(fd, data, len, 0);

        if (n <= 0) {
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Relays one connection both ways, in one thread, because lwIP lets only one thread use a socket at
 * a time. */
static void carry(void *of)
{
    const int *fds = of;
    bool up = true, down = true;
    char data[2000];

    while (up || down) {
        const int sent = up ? (int)lwip_recv(fds[0], data, sizeof data, MSG_DONTWAIT) : -1;
        long came;

        if (sent > 0) {
            host_send(fds[1], data, (unsigned long)sent);
        } else if (sent == 0) {
            host_end(fds[1]);
            up = false;
        }
        came = down ? host_recv(fds[1], data, sizeof data) : HOST_NOTHING;
        if (came == 0 || (came > 0 && !all_down(fds[0], data, (size_t)came))) {
            lwip_shutdown(fds[0], SHUT_WR);
            down = false;
        }
        if (sent < 0 && came == HOST_NOTHING) {
            sys_msleep(1);
        }
    }
    lwip_close(fds[0]);
    host_close(fds[1]);
    free(of);
}

/* Listens in lwIP on the port that the service has on this machine. */
static void relay(void *of)
{
    const int port = *(const int *)of;
    struct sockaddr_in here;
    const int listener = lwip_socket(AF_INET, SOCK_STREAM, 0);

    memset(&here, 0, sizeof here);
    here.sin_family = AF_INET;
    here.sin_port = lwip_htons((uint16_t)port);
    here.sin_addr.s_addr = PP_HTONL(INADDR_LOOPBACK);
    if (lwip_bind(listener, (struct sockaddr *)&here, sizeof here) != 0 ||
        lwip_listen(listener, 4) != 0) {
        abort();
    }
    for (;;) {
        int *fds = malloc(2 * sizeof *fds);

        fds[0] = lwip_accept(listener, NULL, NULL);
        fds[1] = host_connect(port);
        if (fds[0] < 0 || fds[1] < 0) {
            abort();
        }
        sys_thread_new("carry", carry, fds, 0, 0);
    }
}

static void started(void *semaphore)
{
    sys_sem_signal(semaphore);
}

/* A chip's generator. */
static int entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    return host_random(out, len) == 0 ? AVITO_OK : AVITO_ERR_OPTION_ENTROPY;
}

/* By name, through lwIP's resolver, waiting; and by address, also stepped. */
static int tell(const char *name, const char *address, int argc, char **argv)
{
    static avito_tcp tcp;
    avito_tcp_options o = avito_tcp_options_default();
    stack s = {name, {NULL, NULL}, avito_posix_clock_ms, entropy, address == NULL, false,
               NULL, NULL};

    o.address = address;
    if (avito_tcp_init(&tcp, &o) != AVITO_OK) {
        return 1;
    }
    s.transport = avito_tcp_transport(&tcp);
    return story_run(&s, argc, argv);
}

int main(int argc, char **argv)
{
    static int ports[2];
    sys_sem_t ready;
    int failures;

    sys_sem_new(&ready, 0);
    tcpip_init(started, &ready);
    sys_sem_wait(&ready);
    sys_sem_free(&ready);
    for (int i = 0; argc > 3 && i < 2; i++) {
        ports[i] = atoi(argv[i + 1]);
        sys_thread_new("relay", relay, &ports[i], 0, 0);
    }
    sys_msleep(100);
    failures = tell("lwIP sockets, name", NULL, argc, argv);
    return failures + tell("lwIP sockets, address", "127.0.0.1", argc, argv);
}
