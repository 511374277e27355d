/* main.c - avito_esp.h: its store, and what a power cut leaves of it. */
#include "avito_messenger.h"
#include "tests/transports/stores.h"

#define AVITO_ESP_IMPLEMENTATION
#include "examples/transports/avito_esp.h"

#include <stdio.h>

static int check(const char *what, bool ok)
{
    printf("%s - ESP32: %s\n", ok ? "ok" : "not ok", what);
    return !ok;
}

int main(void)
{
    static avito_esp_store kept;
    const token_store store = {"ESP32 NVS",          &kept,
                               avito_esp_load_token, avito_esp_save_token,
                               avito_esp_load_inbox, avito_esp_save_inbox};
    avito_token token;
    unsigned char bytes[2][32] = {{0}};
    char slot[1300];
    size_t len = 0;
    int failures;

    memset(&token, 0, sizeof token);
    failures = check("a name that is too long is refused",
                     avito_esp_store_open(&kept, "a-name-of-16-chs") < 0);
    failures += check("the store is opened", avito_esp_store_open(&kept, "avito") == AVITO_OK);
    failures += stores_run(&store);
    fake_nvs_power_cut();
    failures +=
        check("a token that was saved outlasts a power cut",
              avito_esp_load_token(&kept, &token) == AVITO_OK && token.access_token.len > 0);
    failures +=
        check("... and so does a slot",
              avito_esp_load_inbox(&kept, 1, slot, sizeof slot, &len) == AVITO_OK && len > 0);
    nvs_set_blob(kept.nvs, "token", "short", 5);
    failures += check("a token that is no token counts as none",
                      avito_esp_load_token(&kept, &token) == AVITO_END);
    failures += check("... and another takes its place",
                      avito_esp_save_token(&kept, &token) == AVITO_OK &&
                          avito_esp_load_token(&kept, &token) == AVITO_OK);
    avito_esp_entropy(NULL, bytes[0], sizeof bytes[0]);
    avito_esp_random(NULL, bytes[1], sizeof bytes[1]);
    failures += check("random bytes differ", memcmp(bytes[0], bytes[1], sizeof bytes[0]) != 0);
    return failures;
}
