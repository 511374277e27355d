/* main.c - avito_zephyr.h through the story, and its store. */
#include "tests/transports/fake_net.h"
#include "tests/transports/stores.h"
#include "tests/transports/story.h"

#define AVITO_ZEPHYR_IMPLEMENTATION
#include "examples/transports/avito_zephyr.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    static struct nvs_fs fs = {4};
    static avito_zephyr_store kept = {&fs, 1, {0}};
    static avito_zephyr net;
    const token_store store = {"Zephyr NVS",
                               &kept,
                               avito_zephyr_load_token,
                               avito_zephyr_save_token,
                               avito_zephyr_load_inbox,
                               avito_zephyr_save_inbox};
    stack s = {"Zephyr", {NULL, NULL}, avito_zephyr_clock_ms, avito_zephyr_entropy,
               false,    true,         fake_reset_after,      fake_stay_silent};
    int failures = stores_run(&store);
    avito_token token;
    bool none;

    memset(&token, 0, sizeof token);
    (void)nvs_write(&fs, kept.first_id, "short", 5);
    none = avito_zephyr_load_token(&kept, &token) == AVITO_END;
    printf("%s - Zephyr NVS: a token that is no token counts as none\n", none ? "ok" : "not ok");
    failures += !none;
    s.transport = avito_zephyr_transport(&net);
    return failures + story_run(&s, argc, argv);
}
