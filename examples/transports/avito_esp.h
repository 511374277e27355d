/* avito_esp.h - random bytes, tokens and the inbox on ESP32, for avito_messenger.h: a file to copy.
 *
 * По-русски: случайные числа, токены и входящие на ESP32 - файл, который копируют в свой проект.
 *
 *     #define AVITO_ESP_IMPLEMENTATION    in one file, after avito_messenger.h
 *     #include "avito_esp.h"
 *
 * For ESP-IDF and for Arduino on ESP32. Bytes are carried by avito_tcp (AVITO_WITH_POSIX) over ESP-IDF's lwIP
 * sockets, TLS by avito_mbedtls.h over mbedTLS; the clock is avito_posix_clock_ms. avito_posix_entropy is not for
 * this chip: it has no /dev/urandom.
 *
 * What the system does, and what follows here:
 *   - esp_fill_random() is a true generator only while the radio is on, or bootloader_random_enable() was called:
 *     connect first.
 *   - nvs_set_blob() replaces a blob whole or not at all; it is safe from nvs_commit() on. A name has 15 letters at
 *     most. An inbox of 100 ids has slots of 1,232 bytes: two of them and the token fit the default partition. */
#ifndef AVITO_ESP_H
#define AVITO_ESP_H

#include <esp_random.h>
#include <nvs.h>

/* Tokens and the inbox in one namespace of NVS. Hooks: ctx is the store. */
typedef struct avito_esp_store {
    nvs_handle_t nvs;
    char tokens[600]; /* access and refresh token of the last load */
} avito_esp_store;

/* After nvs_flash_init(). `name` is the namespace's. AVITO_OK, or AVITO_ERR_HOOK: no such partition, or full. */
int avito_esp_store_open(avito_esp_store *store, const char *name);
int avito_esp_load_token(void *ctx, avito_token *token);
int avito_esp_save_token(void *ctx, const avito_token *token);
int avito_esp_load_inbox(void *ctx, int slot, void *data, size_t cap, size_t *len);
int avito_esp_save_inbox(void *ctx, int slot, const void *data, size_t len);

/* The hook .entropy; and mbedTLS' generator. Neither uses ctx. */
int avito_esp_entropy(void *ctx, void *out, size_t len);
int avito_esp_random(void *ctx, unsigned char *out, size_t len);

#endif /* AVITO_ESP_H */

#ifdef AVITO_ESP_IMPLEMENTATION

#include <string.h>

/* What a token is in NVS. */
struct avito_esp_tokens {
    int64_t expires_at;
    uint16_t access, refresh; /* lengths in text */
    char text[584];
};

int avito_esp_store_open(avito_esp_store *store, const char *name)
{
    memset(store, 0, sizeof *store);
    return nvs_open(name, NVS_READWRITE, &store->nvs) == ESP_OK ? AVITO_OK : AVITO_ERR_HOOK;
}

static int avito_esp_write(const avito_esp_store *store, const char *key, const void *data,
                           size_t len)
{
    return nvs_set_blob(store->nvs, key, data, len) == ESP_OK && nvs_commit(store->nvs) == ESP_OK
               ? AVITO_OK
               : AVITO_ERR_HOOK;
}

/* *len: in, the room; out, the length, which may be over the room: then nothing was read. */
static int avito_esp_read(const avito_esp_store *store, const char *key, void *data, size_t *len)
{
    const size_t cap = *len;
    esp_err_t error;

    *len = 0;
    error = nvs_get_blob(store->nvs, key, NULL, len);
    if (error == ESP_OK && *len <= cap) {
        error = nvs_get_blob(store->nvs, key, data, len);
    }
    return error == ESP_OK ? AVITO_OK : error == ESP_ERR_NVS_NOT_FOUND ? AVITO_END : AVITO_ERR_HOOK;
}

int avito_esp_save_token(void *ctx, const avito_token *token)
{
    const avito_esp_store *store = (const avito_esp_store *)ctx;
    struct avito_esp_tokens t;
    const size_t len = token->access_token.len + token->refresh_token.len;

    if (len > sizeof t.text) {
        return AVITO_ERR_ROOM;
    }
    memset(&t, 0, sizeof t);
    t.expires_at = token->expires_at;
    t.access = (uint16_t)token->access_token.len;
    t.refresh = (uint16_t)token->refresh_token.len;
    memcpy(t.text, token->access_token.ptr, t.access);
    if (t.refresh > 0) {
        memcpy(t.text + t.access, token->refresh_token.ptr, t.refresh);
    }
    return avito_esp_write(store, "token", &t, offsetof(struct avito_esp_tokens, text) + len);
}

static avito_str avito_esp_keep(avito_esp_store *store, size_t at, const char *text, size_t len)
{
    avito_str s = {NULL, 0};

    if (len > 0) {
        memcpy(store->tokens + at, text, len);
        store->tokens[at + len] = '\0';
        s.ptr = store->tokens + at;
        s.len = len;
    }
    return s;
}

int avito_esp_load_token(void *ctx, avito_token *token)
{
    avito_esp_store *store = (avito_esp_store *)ctx;
    struct avito_esp_tokens t;
    size_t n = sizeof t;
    const size_t head = offsetof(struct avito_esp_tokens, text);
    const int result = avito_esp_read(store, "token", &t, &n);

    if (result != AVITO_OK) {
        return result;
    }
    if (n < head || n > sizeof t || (size_t)t.access + t.refresh > n - head) {
        return AVITO_END; /* none that can be used: an error would come with every call */
    }
    token->expires_at = t.expires_at;
    token->access_token = avito_esp_keep(store, 0, t.text, t.access);
    token->refresh_token = avito_esp_keep(store, t.access + 1u, t.text + t.access, t.refresh);
    return AVITO_OK;
}

int avito_esp_load_inbox(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    *len = cap;
    return avito_esp_read((const avito_esp_store *)ctx, slot == 0 ? "inbox0" : "inbox1", data, len);
}

int avito_esp_save_inbox(void *ctx, int slot, const void *data, size_t len)
{
    return avito_esp_write((const avito_esp_store *)ctx, slot == 0 ? "inbox0" : "inbox1", data,
                           len);
}

int avito_esp_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    esp_fill_random(out, len);
    return AVITO_OK;
}

int avito_esp_random(void *ctx, unsigned char *out, size_t len)
{
    (void)ctx;
    esp_fill_random(out, len);
    return 0;
}

#endif /* AVITO_ESP_IMPLEMENTATION */
