/* answer.c - answers whoever is waiting, again and again: a task of FreeRTOS-Plus-TCP or a thread of RIOT.
 *
 * По-русски: отвечает каждому, кто ждёт, снова и снова: задача FreeRTOS-Plus-TCP или поток RIOT.
 *
 * Copy it with answer.h, avito_messenger.h, jsmn.h and the transport of your system, compile BearSSL with it,
 * and write roots.h and board_unix_time():
 *
 *     make anchors
 *     build/anchors -s GlobalSign -s ISRG -s GTS /etc/ssl/certs/ca-certificates.crt >roots.h
 *
 * FreeRTOS: xTaskCreate(avito_task, "avito", ...) when the network is up, with 8 KB of stack on 32 bits.
 * RIOT: avito_task(NULL) from main(), or from a thread with as much stack. */
#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_BEARSSL 1
#include "avito_messenger.h"

#if defined(RIOT_VERSION)
#define AVITO_RIOT_IMPLEMENTATION
#include "avito_riot.h"
#define board_transport avito_riot_transport
#define board_clock_ms  avito_riot_clock_ms
#define board_entropy   avito_riot_entropy
#define board_sleep(ms) ztimer_sleep(ZTIMER_MSEC, ms)
#ifndef BOARD_ADDRESS
#define BOARD_ADDRESS NULL /* looked up by sock_dns; without that module a numeric IPv6 */
#endif
static avito_riot net = {.address = BOARD_ADDRESS};
#else
#define AVITO_FREERTOS_IMPLEMENTATION
#include "avito_freertos.h"
#define board_transport avito_freertos_transport
#define board_clock_ms  avito_freertos_clock_ms
#define board_entropy   avito_freertos_entropy
#define board_sleep(ms) vTaskDelay((TickType_t)((uint64_t)(ms)*configTICK_RATE_HZ / 1000u))
static avito_freertos net;
#endif

#include "answer.h"
#include "roots.h"

#ifndef BOARD_CLIENT_ID /* from the developer page of the Avito account */
#define BOARD_CLIENT_ID     "..."
#define BOARD_CLIENT_SECRET "..."
#define BOARD_HOST          NULL /* api.avito.ru */
#define BOARD_PORT          0
#endif

/* You write this, by SNTP or a clock chip; seconds since 1970. Before 2020 no certificate can be
 * checked, and TLS gives OPTION_TIME. */
int64_t board_unix_time(void *ctx);

void avito_task(void *unused);

static char tokens[AVITO_TOKENS_SIZE(128)], window[1024], room[8192],
    records[AVITO_TLS_BUFFER_HALF(16384)];
static avito_tls tls;
static avito_account account;
static avito_client client;

static int set_up(void)
{
    avito_tls_options t = avito_tls_options_default();
    avito_account_options a = avito_account_options_default();
    avito_client_options c = avito_client_options_default();
    int rc;

    t.transport = board_transport(&net);
    t.anchors = roots;
    t.anchors_count = roots_count;
    t.buffer = records;
    t.buffer_cap = sizeof records;
    t.unix_time = board_unix_time;
    t.entropy = board_entropy;
    a.client_id = BOARD_CLIENT_ID;
    a.client_secret = BOARD_CLIENT_SECRET;
    a.host = BOARD_HOST ? BOARD_HOST : a.host;
    a.port = BOARD_PORT ? BOARD_PORT : a.port;
    a.tokens = tokens;
    a.tokens_cap = sizeof tokens;
    a.clock_ms = board_clock_ms;
    a.entropy = board_entropy;
    c.window = window;
    c.window_cap = sizeof window;
    rc = avito_tls_init(&tls, &t);
    c.transport = avito_tls_transport(&tls);
    rc = rc ? rc : avito_account_init(&account, &a);
    return rc ? rc : avito_client_init(&client, &account, &c);
}

void avito_task(void *unused)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_self self = {0};
    const int ready = set_up();

    (void)unused;
    for (;;) {
        if (ready == AVITO_OK) {
            answer_turn(&client, &self, &arena);
        } else {
            printf("%s: %s\n", avito_error_text(ready), avito_error_remedy(ready));
        }
        board_sleep(5000);
    }
}
