/* Answers whoever is waiting, again and again.
 *
 * По-русски: отвечает каждому, кто ждёт, снова и снова. */
#include <zephyr/kernel.h>

#include "avito_messenger.h"
#include "avito_zephyr.h"

#include "avito_mbedtls.h"

#include "answer.h"
#include "roots.h" /* root certificates of some authorities, as PEM */

#include <time.h>
#include <zephyr/net/sntp.h>

static char tokens[AVITO_TOKENS_SIZE(128)], window[1024], room[8192];
static mbedtls_x509_crt roots;
static avito_zephyr net;
static avito_mbedtls tls;
static avito_account account;
static avito_client client;

static int board_random(void *ctx, unsigned char *out, size_t len)
{
    (void)ctx;
    return sys_csrand_get(out, len);
}

/* Without the time no certificate can be checked. */
static int set_clock(void)
{
    struct sntp_time now;
    struct timespec t = {0};

    if (sntp_simple("pool.ntp.org", 10000, &now) != 0) {
        return AVITO_ERR_OPTION_TIME;
    }
    t.tv_sec = (time_t)now.seconds;
    return clock_settime(CLOCK_REALTIME, &t) == 0 ? AVITO_OK : AVITO_ERR_OPTION_TIME;
}

static int set_up_tls(void)
{
    mbedtls_x509_crt_init(&roots);
    if (mbedtls_x509_crt_parse(&roots, (const unsigned char *)roots_pem, sizeof roots_pem) != 0) {
        return AVITO_ERR_OPTION_ANCHORS;
    }
    return avito_mbedtls_init(&tls, avito_zephyr_transport(&net), &roots, board_random, NULL);
}

static int set_up(void)
{
    avito_account_options a = avito_account_options_default();
    avito_client_options c = avito_client_options_default();
    int rc = set_up_tls();

    a.client_id = CONFIG_AVITO_CLIENT_ID;
    a.client_secret = CONFIG_AVITO_CLIENT_SECRET;
    a.host = CONFIG_AVITO_HOST;
    a.port = CONFIG_AVITO_PORT;
    a.tokens = tokens;
    a.tokens_cap = sizeof tokens;
    a.clock_ms = avito_zephyr_clock_ms;
    a.entropy = avito_zephyr_entropy;
    rc = rc ? rc : avito_account_init(&account, &a);
    c.transport = avito_mbedtls_transport(&tls);
    c.window = window;
    c.window_cap = sizeof window;
    return rc ? rc : avito_client_init(&client, &account, &c);
}

int main(void)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_self self = {0};
    int rc;

    while ((rc = set_clock()) != AVITO_OK) { /* the network may not be up yet */
        printf("%s: %s\n", avito_error_text(rc), avito_error_remedy(rc));
        k_msleep(2000);
    }
    rc = set_up();
    if (rc != AVITO_OK) {
        printf("%s: %s\n", avito_error_text(rc), avito_error_remedy(rc));
        return 0;
    }
    for (;;) {
        answer_turn(&client, &self, &arena);
        k_msleep(5000);
    }
}
