/* Answers whoever is waiting, again and again.
 *
 * По-русски: отвечает каждому, кто ждёт, снова и снова. */
#include "avito_messenger.h"

#include "avito_esp.h"
#include "avito_mbedtls.h"
#include "answer.h"

#include "esp_crt_bundle.h"
#include "esp_event.h"
#include "esp_netif.h"
#include "esp_netif_sntp.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "nvs_flash.h"
#include "protocol_examples_common.h"
#include "sdkconfig.h"

static char tokens[AVITO_TOKENS_SIZE(128)], window[1024], room[8192];
static avito_esp_store store; /* the token outlasts a restart */
static avito_tcp tcp;
static avito_mbedtls tls;
static avito_account account;
static avito_client client;

/* The network, and the time, without which no certificate can be checked. */
static void connect_board(void)
{
    esp_sntp_config_t sntp = ESP_NETIF_SNTP_DEFAULT_CONFIG("pool.ntp.org");

    ESP_ERROR_CHECK(nvs_flash_init());
    ESP_ERROR_CHECK(esp_netif_init());
    ESP_ERROR_CHECK(esp_event_loop_create_default());
    ESP_ERROR_CHECK(example_connect());
    ESP_ERROR_CHECK(esp_netif_sntp_init(&sntp));
    ESP_ERROR_CHECK(esp_netif_sntp_sync_wait(pdMS_TO_TICKS(30000)));
}

static int set_up(void)
{
    avito_account_options a = avito_account_options_default();
    avito_client_options c = avito_client_options_default();
    int rc = avito_esp_store_open(&store, "avito");

    rc = rc ? rc : avito_tcp_init(&tcp, NULL);
    rc =
        rc ? rc : avito_mbedtls_init(&tls, avito_tcp_transport(&tcp), NULL, avito_esp_random, NULL);
    if (rc != AVITO_OK || esp_crt_bundle_attach(&tls.config) != ESP_OK) {
        return rc ? rc : AVITO_ERR_OPTION_ANCHORS;
    }
    a.client_id = CONFIG_AVITO_CLIENT_ID;
    a.client_secret = CONFIG_AVITO_CLIENT_SECRET;
    a.host = CONFIG_AVITO_HOST;
    a.port = CONFIG_AVITO_PORT;
    a.tokens = tokens;
    a.tokens_cap = sizeof tokens;
    a.clock_ms = avito_posix_clock_ms;
    a.entropy = avito_esp_entropy;
    a.load_token = avito_esp_load_token;
    a.save_token = avito_esp_save_token;
    a.ctx = &store;
    avito_enable_token_store(&a);
    c.transport = avito_mbedtls_transport(&tls);
    c.window = window;
    c.window_cap = sizeof window;
    rc = avito_account_init(&account, &a);
    return rc ? rc : avito_client_init(&client, &account, &c);
}

void app_main(void)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_self self = {0};
    int rc;

    connect_board();
    rc = set_up();
    if (rc != AVITO_OK) {
        printf("%s: %s\n", avito_error_text(rc), avito_error_remedy(rc));
        return;
    }
    for (;;) {
        answer_turn(&client, &self, &arena);
        vTaskDelay(pdMS_TO_TICKS(5000));
    }
}
