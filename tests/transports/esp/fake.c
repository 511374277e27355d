/* fake.c - NVS in memory: names of 15 letters, a blob whole or not at all, safe once committed. */
#include "esp_random.h"
#include "nvs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ENTRIES  8
#define BLOB_MAX 4000

struct entry {
    char key[NVS_KEY_NAME_MAX_SIZE];
    char data[BLOB_MAX];
    size_t len;
};

static struct entry now[ENTRIES], safe[ENTRIES];
static bool writable;

void esp_fill_random(void *out, size_t len)
{
    if (getrandom(out, len, 0) != (ssize_t)len) {
        abort();
    }
}

esp_err_t nvs_open(const char *name, nvs_open_mode_t mode, nvs_handle_t *out)
{
    if (strlen(name) >= NVS_KEY_NAME_MAX_SIZE) {
        return ESP_ERR_NVS_KEY_TOO_LONG;
    }
    writable = mode == NVS_READWRITE;
    *out = 7;
    return ESP_OK;
}

/* The entry of that name, or the first free one. */
static struct entry *find(const char *key)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        if (now[i].key[0] == '\0' || strcmp(now[i].key, key) == 0) {
            return &now[i];
        }
    }
    return NULL;
}

esp_err_t nvs_set_blob(nvs_handle_t handle, const char *key, const void *data, size_t len)
{
    struct entry *e = find(key);

    if (handle != 7 || !writable) {
        return ESP_ERR_NVS_INVALID_HANDLE;
    }
    if (strlen(key) >= NVS_KEY_NAME_MAX_SIZE) {
        return ESP_ERR_NVS_KEY_TOO_LONG;
    }
    if (e == NULL || len > BLOB_MAX) {
        return ESP_ERR_NVS_NOT_ENOUGH_SPACE;
    }
    strcpy(e->key, key);
    memcpy(e->data, data, len);
    e->len = len;
    return ESP_OK;
}

esp_err_t nvs_get_blob(nvs_handle_t handle, const char *key, void *data, size_t *len)
{
    const struct entry *e = find(key);
    const size_t room = *len;

    if (handle != 7) {
        return ESP_ERR_NVS_INVALID_HANDLE;
    }
    if (e == NULL || e->key[0] == '\0') {
        return ESP_ERR_NVS_NOT_FOUND;
    }
    *len = e->len;
    if (data == NULL) {
        return ESP_OK;
    }
    if (room < e->len) {
        return ESP_ERR_NVS_INVALID_LENGTH;
    }
    memcpy(data, e->data, e->len);
    return ESP_OK;
}

esp_err_t nvs_commit(nvs_handle_t handle)
{
    memcpy(safe, now, sizeof safe);
    return handle == 7 ? ESP_OK : ESP_ERR_NVS_INVALID_HANDLE;
}

void fake_nvs_power_cut(void)
{
    memcpy(now, safe, sizeof now);
}
