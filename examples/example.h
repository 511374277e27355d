/* По-русски: общее для большинства примеров 02-13: параметры из окружения и печать; в 01_send_text.c всё это написано целиком.
 *
 * Shared by most of the examples 02 to 13, and written out in 01_send_text.c: options from the environment, and
 * printing. Every buffer comes from the example itself. On an error the program ends here.
 *
 *     AVITO_CLIENT_ID, AVITO_CLIENT_SECRET    of the account
 *     AVITO_HOST, AVITO_PORT                  default: api.avito.ru, 443
 *     AVITO_CA_FILE                           default: /etc/ssl/certs/ca-certificates.crt */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_POSIX 1
#ifndef AVITO_WITH_BEARSSL
#define AVITO_WITH_BEARSSL 1
#endif
#include "avito_messenger.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline const char *example_env(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value != NULL ? value : otherwise;
}

/* Ends the program if setting something up went wrong. */
static inline void example_must(int result, const char *what)
{
    if (result != AVITO_OK) {
        fprintf(stderr, "%s: %s; %s\n", what, avito_error_text(result), avito_error_remedy(result));
        exit(2);
    }
}

/* Says why a call failed and what to do; returns 1, for main(). */
static inline int example_failed(const avito_client *client, int result)
{
    const char *said = avito_last_error(client)->text; /* by the service, or "" */

    fprintf(stderr, "%s: %s; %s%s%s\n", avito_error_name(result), avito_error_text(result),
            avito_error_remedy(result), said[0] != '\0' ? ". " : "", said);
    return 1;
}

/* Strangers write names and texts: no control character of theirs reaches the terminal. */
static inline void example_print(avito_str text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c == 0xc2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xa0) {
            i++; /* U+0080 to U+009F */
            c = 0;
        }
        putchar(c < 0x20 || c == 0x7f ? ' ' : c);
    }
}

static inline void example_account(avito_account *account, void *tokens, size_t cap)
{
    avito_account_options o = avito_account_options_default();

    o.client_id = getenv("AVITO_CLIENT_ID");
    o.client_secret = getenv("AVITO_CLIENT_SECRET");
    o.host = example_env("AVITO_HOST", NULL);
    o.port = (uint16_t)atoi(example_env("AVITO_PORT", "443"));
    o.tokens = tokens;
    o.tokens_cap = cap;
    o.clock_ms = avito_posix_clock_ms;
    o.unix_time = avito_posix_unix_time;
    o.entropy = avito_posix_entropy;
    example_must(avito_account_init(account, &o), "account");
}

#if AVITO_WITH_BEARSSL
static inline void example_roots(avito_anchors *anchors, void *memory, size_t cap)
{
    const char *file = example_env("AVITO_CA_FILE", "/etc/ssl/certs/ca-certificates.crt");

    example_must(avito_anchors_load_file(anchors, memory, cap, file), file);
}

static inline void example_tls(avito_tls *tls, avito_transport under, const avito_anchors *anchors,
                               void *records, size_t cap)
{
    avito_tls_options o = avito_tls_options_default();

    o.transport = under;
    o.anchors = anchors->items;
    o.anchors_count = anchors->count;
    o.buffer = records;
    o.buffer_cap = cap;
    o.full_duplex = cap >= AVITO_TLS_BUFFER_FULL(16384);
    o.unix_time = avito_posix_unix_time;
    o.entropy = avito_posix_entropy;
    example_must(avito_tls_init(tls, &o), "TLS");
}
#endif

/* The addresses of AVITO_HOST, looked up once, and the hook that gives them to a TCP transport. */
typedef struct example_addresses {
    avito_tcp_address items[AVITO_TCP_ADDRESSES];
    size_t count;
} example_addresses;

static inline void example_look_up(example_addresses *out)
{
    const char *host = example_env("AVITO_HOST", "api.avito.ru");
    struct addrinfo hints, *list = NULL, *at;

    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_STREAM;
    out->count = 0;
    if (getaddrinfo(host, NULL, &hints, &list) != 0) {
        example_must(AVITO_ERR_RESOLVE, host);
    }
    for (at = list; at != NULL && out->count < AVITO_TCP_ADDRESSES; at = at->ai_next) {
        avito_tcp_address *a = &out->items[out->count++];
        const void *bytes = at->ai_family == AF_INET6
                                ? (const void *)&((struct sockaddr_in6 *)at->ai_addr)->sin6_addr
                                : (const void *)&((struct sockaddr_in *)at->ai_addr)->sin_addr;

        memset(a, 0, sizeof *a);
        a->size = at->ai_family == AF_INET6 ? 16 : 4;
        memcpy(a->bytes, bytes, a->size);
    }
    freeaddrinfo(list);
}

static inline int example_resolve(void *ctx, const char *host, avito_tcp_address *out, size_t cap,
                                  size_t *count)
{
    const example_addresses *known = (const example_addresses *)ctx;

    (void)host;
    *count = known->count < cap ? known->count : cap;
    memcpy(out, known->items, *count * sizeof *out);
    return AVITO_OK;
}

static inline void example_client(avito_client *client, avito_account *account,
                                  avito_transport transport, void *window, size_t cap)
{
    avito_client_options o = avito_client_options_default();

    o.transport = transport;
    o.window = window;
    o.window_cap = cap;
    example_must(avito_client_init(client, account, &o), "client");
}

#endif
