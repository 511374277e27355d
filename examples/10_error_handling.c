/* cc -I. examples/10_error_handling.c -o build/10_error_handling -lbearssl
 *
 * По-русски: что делать с ошибками: отправлено ли, можно ли повторить, когда.
 *
 * Shows what to do about errors when a text is sent: 10_error_handling CHAT_ID TEXT
 *
 * After passing failures (429, 503, a dead connection) the lane retries by itself: `.retries`. It
 * never repeats what may have been sent; for that the chat is read back. Ends with 0: sent; 1: not
 * sent; 3: this cannot be told. */
#include "example.h"

#include <unistd.h>

static char roots[256 * 1024], records[AVITO_TLS_BUFFER_HALF(16384)];
static char tokens[AVITO_TOKENS_SIZE(128)], window[1024], room[4096];
static char refusal[2048]; /* the raw body of a refusal */

static const char *const outcomes[] = {"not sent", "sent", "cannot tell"};

/* Everything that is known about an error. None of it ever holds a token or the secret. */
static void explain(const avito_error *error)
{
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

/* Was it sent? Reads the chat back until that can be told: at most a minute, since what the service has
 * stored may show up late. */
static avito_outcome settle(avito_client *client, int64_t user_id, const char *chat_id,
                            const avito_sent_query *sent)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_sent_query query = *sent;
    avito_outcome outcome = AVITO_CANNOT_TELL;
    avito_message found;

    for (;;) {
        avito_arena_reset(&arena);
        if (avito_confirm_sent(client, user_id, chat_id, &query, &arena, &outcome, &found) !=
            AVITO_OK) {
            explain(avito_last_error(client));
        }
        if (outcome != AVITO_CANNOT_TELL || query.age_s > 60) {
            return outcome;
        }
        (void)sleep(5);
        query.age_s += 5;
    }
}

static avito_outcome send_text(avito_client *client, int64_t user_id, const char *chat_id,
                               const char *text)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_messages_query newest = {.limit = 1};
    avito_messages before;
    avito_sent_query sent = {.text = text};
    char baseline[64] = "";

    /* Notes what is in the chat before: only something newer can be what we send. */
    if (avito_get_messages(client, user_id, chat_id, &newest, &arena, &before) != AVITO_OK) {
        explain(avito_last_error(client));
        return AVITO_NOT_SENT;
    }
    if (before.count != 0 && before.items[0].id.ptr != NULL &&
        before.items[0].id.len < sizeof baseline) {
        memcpy(baseline, before.items[0].id.ptr, before.items[0].id.len + 1);
        sent.baseline_id = baseline;
        sent.baseline_created = before.items[0].created;
    }
    if (avito_send_message(client, user_id, chat_id, text, NULL, NULL) == AVITO_OK) {
        return AVITO_SENT;
    }
    explain(avito_last_error(client));
    return avito_last_error(client)->outcome == AVITO_CANNOT_TELL
               ? settle(client, user_id, chat_id, &sent)
               : avito_last_error(client)->outcome;
}

int main(int argc, char **argv)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_client_options lane = {.window = window,
                                 .window_cap = sizeof window,
                                 .retries = 2,
                                 .error_body = refusal,
                                 .error_body_cap = sizeof refusal};
    avito_anchors anchors;
    avito_account account;
    avito_client client;
    avito_tcp tcp;
    avito_tls tls;
    avito_self me;
    avito_outcome outcome;

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

    if (avito_get_self(&client, &arena, &me) != AVITO_OK) {
        explain(avito_last_error(&client));
        return 1;
    }
    outcome = send_text(&client, me.id, argv[1], argv[2]);
    avito_client_close(&client);
    printf("%s\n", outcomes[outcome]);
    return outcome == AVITO_SENT ? 0 : outcome == AVITO_NOT_SENT ? 1 : 3;
}
