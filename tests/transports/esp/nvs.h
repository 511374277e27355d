/* The part of ESP-IDF's NVS that avito_esp.h uses. In fake.c, in memory, with its limits. */
#ifndef FAKE_NVS_H
#define FAKE_NVS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int esp_err_t;
typedef uint32_t nvs_handle_t;
typedef enum { NVS_READONLY, NVS_READWRITE } nvs_open_mode_t;

#define ESP_OK                       0
#define ESP_ERR_NVS_NOT_FOUND        0x1102
#define ESP_ERR_NVS_INVALID_HANDLE   0x1107
#define ESP_ERR_NVS_KEY_TOO_LONG     0x1109
#define ESP_ERR_NVS_INVALID_LENGTH   0x110c
#define ESP_ERR_NVS_NOT_ENOUGH_SPACE 0x1105
#define NVS_KEY_NAME_MAX_SIZE        16

esp_err_t nvs_open(const char *name, nvs_open_mode_t mode, nvs_handle_t *out);
esp_err_t nvs_set_blob(nvs_handle_t handle, const char *key, const void *data, size_t len);
/* `data` NULL: only the length. Else *len is the room, and too little of it is an error. */
esp_err_t nvs_get_blob(nvs_handle_t handle, const char *key, void *data, size_t *len);
esp_err_t nvs_commit(nvs_handle_t handle);

/* What was not committed is gone. */
void fake_nvs_power_cut(void);

#ifdef __cplusplus
}
#endif
#endif
