/* cc -I. examples/07_openssl_transport.c -o build/07_openssl_transport -lssl -lcrypto
 *
 * По-русски: другая библиотека TLS как транспорт: OpenSSL.
 *
 * Uses another TLS library as the transport: OpenSSL over sockets. transports/avito_openssl.h is
 * the file to copy; avito_mbedtls.h beside it is used the same way.
 *
 *     AVITO_CLIENT_ID=... AVITO_CLIENT_SECRET=... build/07_openssl_transport
 *
 * AVITO_HOST, AVITO_PORT and AVITO_CA_FILE name another service than api.avito.ru. */
#define AVITO_WITH_POSIX 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#define AVITO_OPENSSL_IMPLEMENTATION
#include "transports/avito_openssl.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    static char window[4096], tokens[AVITO_TOKENS_SIZE(1000)], room[8192];
    static avito_tcp tcp;
    static avito_openssl tls;
    static avito_account account;
    static avito_client client;
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_account_options who = avito_account_options_default();
    avito_client_options how = avito_client_options_default();
    avito_self self;
    int rc;

    who.client_id = getenv("AVITO_CLIENT_ID");
    who.client_secret = getenv("AVITO_CLIENT_SECRET");
    who.host = getenv("AVITO_HOST");
    who.port = (uint16_t)(getenv("AVITO_PORT") != NULL ? atoi(getenv("AVITO_PORT")) : 0);
    who.tokens = tokens;
    who.tokens_cap = sizeof tokens;
    who.clock_ms = avito_posix_clock_ms;
    who.entropy = avito_posix_entropy;
    rc = avito_tcp_init(&tcp, NULL);
    if (rc == AVITO_OK) {
        rc = avito_openssl_init(&tls, avito_tcp_transport(&tcp), getenv("AVITO_CA_FILE"));
    }
    if (rc == AVITO_OK) {
        rc = avito_account_init(&account, &who);
    }
    if (rc == AVITO_OK) {
        how.transport = avito_openssl_transport(&tls);
        how.window = window;
        how.window_cap = sizeof window;
        rc = avito_client_init(&client, &account, &how);
    }
    if (rc == AVITO_OK) {
        rc = avito_get_self(&client, &arena, &self);
        if (rc == AVITO_OK) {
            printf("account %lld: %s\n", (long long)self.id,
                   self.name.ptr != NULL ? self.name.ptr : "?");
        }
        avito_client_close(&client);
    }
    if (rc != AVITO_OK) {
        fprintf(stderr, "%s: %s\n", avito_error_text(rc), avito_error_remedy(rc));
    }
    avito_openssl_free(&tls);
    return rc == AVITO_OK ? 0 : 1;
}
