/* cc -I. examples/02_send_text_event_loop.c -o build/02_send_text_event_loop -lbearssl
 *
 * По-русски: то же в цикле, который ждёт только в poll(2), а не внутри вызова.
 *
 * The same as 01_send_text.c in a loop that never waits in a call, only in poll(2):
 * 02_send_text_event_loop CHAT_ID TEXT */
#include "example.h"

#include <poll.h>

static char roots[256 * 1024], records[AVITO_TLS_BUFFER_HALF(16384)];
static char tokens[AVITO_TOKENS_SIZE(128)], window[1024], room[4096];

static unsigned turns;

/* The event loop. Add your own descriptors and timers to it. */
static int run(avito_client *client, const avito_tcp *tcp, int result)
{
    while (result == AVITO_AGAIN) {
        int wants = avito_wants(client);
        uint32_t ms = avito_deadline_ms(client);
        struct pollfd fd = {avito_tcp_fd(tcp), 0, 0}; /* poll() skips -1 */

        fd.events = (short)(((wants & AVITO_WANT_READ) != 0 ? POLLIN : 0) |
                            ((wants & AVITO_WANT_WRITE) != 0 ? POLLOUT : 0));
        (void)poll(&fd, 1, ms < 60000 ? (int)ms : 60000);
        result = avito_step(client);
        turns++;
    }
    return result;
}

int main(int argc, char **argv)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_anchors anchors;
    avito_account account;
    avito_client client;
    avito_tcp tcp;
    avito_tls tls;
    avito_tcp_options o = avito_tcp_options_default();
    example_addresses known;
    avito_self me;
    avito_message message;
    int result;

    if (argc != 3) {
        fprintf(stderr, "usage: 02_send_text_event_loop CHAT_ID TEXT\n");
        return 2;
    }
    /* A lane that may not wait does not look names up, since getaddrinfo() waits: here it is done
     * once, before the loop, and this hook gives the addresses. A program with a resolver of its own
     * returns AVITO_AGAIN from the hook until the answer is there. */
    example_look_up(&known);
    o.never_wait = true;
    o.resolve = example_resolve;
    o.ctx = &known;
    example_must(avito_tcp_init(&tcp, &o), "TCP");
    example_roots(&anchors, roots, sizeof roots);
    example_tls(&tls, avito_tcp_transport(&tcp), &anchors, records, sizeof records);
    example_account(&account, tokens, sizeof tokens);
    example_client(&client, &account, avito_tls_transport(&tls), window, sizeof window);

    result = run(&client, &tcp, avito_get_self(&client, &arena, &me));
    if (result == AVITO_OK) {
        result = run(&client, &tcp,
                     avito_send_message(&client, me.id, argv[1], argv[2], &arena, &message));
    }
    if (result != AVITO_OK) {
        return example_failed(&client, result);
    }
    printf("sent as %s, in %u turns of the loop\n", message.id.ptr, turns);
    avito_client_close(&client);
    return 0;
}
