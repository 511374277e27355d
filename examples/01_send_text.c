/* cc -I. examples/01_send_text.c -o build/01_send_text -lbearssl
 *
 * По-русски: отправляет один текст в чат через TLS и ждёт, пока он уйдёт.
 *
 * Sends one text into a chat, over TLS, and waits until it is sent: 01_send_text CHAT_ID TEXT */
#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#include "avito_messenger.h"

#include <stdio.h>
#include <stdlib.h>

static char roots[256 * 1024], records[AVITO_TLS_BUFFER_HALF(16384)]; /* for TLS */
static char tokens[AVITO_TOKENS_SIZE(128)], window[1024], room[4096]; /* for the client */

static const char *env(const char *name, const char *otherwise)
{
    return getenv(name) != NULL ? getenv(name) : otherwise;
}

int main(int argc, char **argv)
{
    avito_anchors anchors;
    avito_tcp tcp;
    avito_tls tls;
    avito_account account;
    avito_client client;
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_self me;
    avito_message message;
    const char *ca_file = env("AVITO_CA_FILE", "/etc/ssl/certs/ca-certificates.crt");
    int result;

    if (argc != 3) {
        fprintf(stderr, "usage: 01_send_text CHAT_ID TEXT\n");
        return 2;
    }
    if ((result = avito_anchors_load_file(&anchors, roots, sizeof roots, ca_file)) != AVITO_OK ||
        (result = avito_tcp_init(&tcp, NULL)) != AVITO_OK) {
        fprintf(stderr, "%s: %s: %s\n", ca_file, avito_error_text(result),
                avito_error_remedy(result));
        return 2;
    }
    avito_tls_options secure = {.transport = avito_tcp_transport(&tcp),
                                .anchors = anchors.items,
                                .anchors_count = anchors.count,
                                .buffer = records,
                                .buffer_cap = sizeof records,
                                .unix_time = avito_posix_unix_time,
                                .entropy = avito_posix_entropy};
    avito_account_options who = {.client_id = getenv("AVITO_CLIENT_ID"),
                                 .client_secret = getenv("AVITO_CLIENT_SECRET"),
                                 .host = getenv("AVITO_HOST"), /* NULL: api.avito.ru */
                                 .port = (uint16_t)atoi(env("AVITO_PORT", "443")),
                                 .tokens = tokens,
                                 .tokens_cap = sizeof tokens,
                                 .clock_ms = avito_posix_clock_ms,
                                 .unix_time = avito_posix_unix_time};
    avito_client_options lane = {.window = window, .window_cap = sizeof window};

    if ((result = avito_tls_init(&tls, &secure)) == AVITO_OK &&
        (result = avito_account_init(&account, &who)) == AVITO_OK) {
        lane.transport = avito_tls_transport(&tls);
        result = avito_client_init(&client, &account, &lane);
    }
    if (result != AVITO_OK) {
        fprintf(stderr, "%s: %s\n", avito_error_text(result), avito_error_remedy(result));
        return 2;
    }
    if ((result = avito_get_self(&client, &arena, &me)) == AVITO_OK) {
        result = avito_send_message(&client, me.id, argv[1], argv[2], &arena, &message);
    }
    if (result == AVITO_OK) {
        printf("sent as %s\n", message.id.ptr);
    } else {
        fprintf(stderr, "%s; %s. %s\n", avito_error_text(result), avito_error_remedy(result),
                avito_last_error(&client)->text);
    }
    avito_client_close(&client);
    return result == AVITO_OK ? 0 : 1;
}
