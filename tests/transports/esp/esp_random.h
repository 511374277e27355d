#ifndef FAKE_ESP_RANDOM_H
#define FAKE_ESP_RANDOM_H
#include <stddef.h>
#ifdef __cplusplus
extern "C"
#endif
    void
    esp_fill_random(void *out, size_t len);
#endif
