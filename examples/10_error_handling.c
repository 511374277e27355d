/* cc -I. examples/10_error_handling.c -o build/10_error_handling -lbearssl
 *
 * What to do about errors, by the example of one text: 10_error_handling CHAT_ID TEXT
 *
 * Three questions decide: was it sent? can it be tried again? when? Ends with 0: sent; 1: not sent;
 * 3: it cannot be told. */
#include "example.h"

#include <unistd.h>

#define TRIES 3

static char roots[256 * 1024], records[AVITO_TLS_BUFFER_HALF(16384)];
static char tokens[AVITO_TOKENS_SIZE(128)], window[1024], room[4096];
static char refusal[2048]; /* the raw body of an answer that says no */

/* Everything that is known about an error. None of it ever holds a token or the secret. */
static void explain(const avito_error *error)
{
    static const char *const outcomes[] = {"not sent", "sent", "cannot tell"};

    fprintf(stderr, "AVITO_ERR_%s (%d): %s\n", avito_error_name(error->code), error->code,
            avito_error_text(error->code));
    fprintf(stderr, "    to do:   %s\n", avito_error_remedy(error->code));
    fprintf(stderr, "    outcome: %s\n", outcomes[error->outcome]);
    if (error->http_status != 0) {
        fprintf(stderr, "    server:  HTTP %d, code %d, \"%s\"\n", error->http_status,
                error->api_code, error->text);
        fprintf(stderr, "    body:    %s\n", refusal);
    }
    if (error->needed != 0) {
        fprintf(stderr, "    needed:  %zu bytes\n", error->needed);
    }
    if (error->detail != 0) {
        fprintf(stderr, "    detail:  %d (errno or BearSSL)\n", error->detail);
    }
}

/* Seconds to wait before the call is made again; -1: again would not help. */
static int patience(const avito_error *error, int tries)
{
    if (error->retry_after_s != 0) {
        return (int)error->retry_after_s; /* the server said so: 429, 503 */
    }
    switch (error->code) {
        case AVITO_ERR_RATE:
            return 60;
        case AVITO_ERR_RESOLVE:
        case AVITO_ERR_CONNECT:
        case AVITO_ERR_TIMEOUT_CONNECT:
        case AVITO_ERR_SEND:
        case AVITO_ERR_RECV:
        case AVITO_ERR_CLOSED:
        case AVITO_ERR_TIMEOUT_IDLE:
        case AVITO_ERR_TIMEOUT_TOTAL:
        case AVITO_ERR_SERVER:
            return 1 << tries;
        default: /* -1xx: the program is wrong; -2xx: memory; -4xx and the rest: a person must look */
            return -1;
    }
}

/* Reads may simply be tried again. */
static int get_self(avito_client *client, avito_arena *arena, avito_self *me)
{
    int tries, result, seconds;

    for (tries = 0;; tries++) {
        result = avito_get_self(client, arena, me);
        if (result == AVITO_OK) {
            return result;
        }
        explain(avito_last_error(client));
        seconds = patience(avito_last_error(client), tries);
        if (seconds < 0 || tries + 1 == TRIES) {
            return result;
        }
        (void)sleep((unsigned)seconds);
    }
}

/* A write may be tried again only while it is known not to have happened. */
static int send_text(avito_client *client, int64_t user_id, const char *chat_id, const char *text,
                     avito_arena *arena, avito_message *message)
{
    int tries, result, seconds;

    for (tries = 0;; tries++) {
        result = avito_send_message(client, user_id, chat_id, text, arena, message);
        if (result == AVITO_OK) {
            return result;
        }
        explain(avito_last_error(client));
        seconds = patience(avito_last_error(client), tries);
        if (avito_last_error(client)->outcome != AVITO_NOT_SENT || seconds < 0 ||
            tries + 1 == TRIES) {
            return result;
        }
        (void)sleep((unsigned)seconds);
    }
}

int main(int argc, char **argv)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_client_options lane = {.window = window,
                                 .window_cap = sizeof window,
                                 .error_body = refusal,
                                 .error_body_cap = sizeof refusal};
    avito_anchors anchors;
    avito_account account;
    avito_client client;
    avito_tcp tcp;
    avito_tls tls;
    avito_self me;
    avito_message message;
    int result;

    if (argc != 3) {
        fprintf(stderr, "usage: 10_error_handling CHAT_ID TEXT\n");
        return 2;
    }
    example_must(avito_tcp_init(&tcp, NULL), "TCP");
    example_roots(&anchors, roots, sizeof roots);
    example_tls(&tls, avito_tcp_transport(&tcp), &anchors, records, sizeof records);
    example_account(&account, tokens, sizeof tokens);
    lane.transport = avito_tls_transport(&tls);
    example_must(avito_client_init(&client, &account, &lane), "client");

    result = get_self(&client, &arena, &me);
    if (result == AVITO_OK) {
        result = send_text(&client, me.id, argv[1], argv[2], &arena, &message);
    }
    avito_client_close(&client);
    if (result == AVITO_OK) {
        printf("sent as %s\n", message.id.ptr);
        return 0;
    }
    return avito_last_error(&client)->outcome == AVITO_CANNOT_TELL ? 3 : 1;
}
