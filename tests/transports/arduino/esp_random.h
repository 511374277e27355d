#ifndef FAKE_ESP_RANDOM_H
#define FAKE_ESP_RANDOM_H
#include <stddef.h>
void esp_fill_random(void *out, size_t len);
#endif
