/* The part of ESP-IDF that the component's example uses. */
#ifndef STANDIN_IDF_H
#define STANDIN_IDF_H

#include <stddef.h>
#include <stdint.h>

#include "nvs.h"

typedef struct {
    const char *server;
} esp_sntp_config_t;

#define ESP_ERROR_CHECK(x) idf_check(x)
#define ESP_NETIF_SNTP_DEFAULT_CONFIG(server)                                                      \
    {                                                                                              \
        server                                                                                     \
    }
#define pdMS_TO_TICKS(ms) ((uint32_t)(ms))

void idf_check(esp_err_t error);
esp_err_t nvs_flash_init(void);
esp_err_t esp_netif_init(void);
esp_err_t esp_event_loop_create_default(void);
esp_err_t example_connect(void);
esp_err_t esp_netif_sntp_init(const esp_sntp_config_t *config);
esp_err_t esp_netif_sntp_sync_wait(uint32_t ticks);
esp_err_t esp_crt_bundle_attach(void *config);
void vTaskDelay(uint32_t ticks);
void app_main(void);

#endif
