/* avito_flash.h - tokens and the inbox of avito_messenger.h in raw flash: a file to copy.
 *
 * По-русски: токены и состояние входящих в обычной flash-памяти - файл, который копируют в свой проект.
 *
 *     #define AVITO_FLASH_IMPLEMENTATION    in one file, after avito_messenger.h
 *     #include "avito_flash.h"
 *
 * For boards whose system has no store of its own. You give four areas of flash, each of whole sectors
 * that are erased together, and three functions of your driver. An area holds one record: what was saved,
 * its length and a CRC. It is erased and then written, so a power cut leaves it empty, broken, or, with
 * ECC, unreadable. Tokens take two areas in turn, so the older pair survives a cut. The inbox's two slots are
 * two areas, and it chooses the newer whole one itself; AVITO_INBOX_STATE_LOST if what is there is broken.
 *
 * Wear: one erase for each message that is accepted, in turn with the other slot, and at most one more for
 * each round that had messages. So 100,000 erases are 100,000 messages that come singly, and up to 200,000
 * that come many at a time. */
#ifndef AVITO_FLASH_H
#define AVITO_FLASH_H

typedef struct avito_flash_driver {
    void *ctx;
    /* Offsets are within your flash. 0, or an error of yours: a write() that may have failed must say so.
     * `len` is a multiple of AVITO_FLASH_WORD; `data` may begin at any address. */
    int (*read)(void *ctx, uint32_t offset, void *data, size_t len);
    int (*erase)(void *ctx, uint32_t offset, size_t len);
    int (*write)(void *ctx, uint32_t offset, const void *data, size_t len);
} avito_flash_driver;

#ifndef AVITO_FLASH_WORD
#define AVITO_FLASH_WORD                                                                           \
    8 /* bytes that your flash writes at once, or a multiple of it: 1, 2, 4, 8, 16 or 32 */
#endif
#if 32 % AVITO_FLASH_WORD != 0
#error "AVITO_FLASH_WORD is 1, 2, 4, 8, 16 or 32"
#endif
#define AVITO_FLASH_AREAS 4

typedef struct avito_flash {
    avito_flash_driver driver;
    uint32_t areas[AVITO_FLASH_AREAS]; /* tokens, tokens, inbox slot 0, inbox slot 1 */
    size_t area_size;  /* of each: AVITO_INBOX_STATE_SIZE(ids) and 64 bytes, or 700 */
    uint32_t sequence; /* of the tokens stored last */
    char tokens[600];  /* what load_token gave last */
} avito_flash;

/* Hooks for the account and the inbox; ctx is the avito_flash. */
int avito_flash_load_token(void *ctx, avito_token *token);
int avito_flash_save_token(void *ctx, const avito_token *token);
int avito_flash_load_inbox(void *ctx, int slot, void *data, size_t cap, size_t *len);
int avito_flash_save_inbox(void *ctx, int slot, const void *data, size_t len);

#endif /* AVITO_FLASH_H */

#ifdef AVITO_FLASH_IMPLEMENTATION

#include <string.h>

/* Before the bytes of a record; its size is a multiple of every AVITO_FLASH_WORD. */
struct avito_flash_head {
    uint32_t magic, length, sequence, crc; /* crc: of length, sequence and the bytes */
    uint32_t rest[4];
};

#define AVITO_FLASH_MAGIC 0x41564631u /* "AVF1" */

static uint32_t avito_flash_crc(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *p = (const uint8_t *)data;
    int bit;

    for (; len > 0; len--) {
        crc ^= *p++;
        for (bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1u)));
        }
    }
    return crc;
}

static uint32_t avito_flash_sum(const struct avito_flash_head *head, const void *data)
{
    uint32_t crc = avito_flash_crc(0xffffffffu, &head->length, sizeof head->length);

    crc = avito_flash_crc(crc, &head->sequence, sizeof head->sequence);
    return avito_flash_crc(crc, data, head->length);
}

static size_t avito_flash_round(size_t len)
{
    return (len + AVITO_FLASH_WORD - 1u) / AVITO_FLASH_WORD * AVITO_FLASH_WORD;
}

/* Whole words from `data`, the last one filled up with ones. */
static int avito_flash_put(const avito_flash *f, uint32_t at, const char *data, size_t len)
{
    const size_t whole = len / AVITO_FLASH_WORD * AVITO_FLASH_WORD;
    char last[32];

    if (whole > 0 && f->driver.write(f->driver.ctx, at, data, whole) != 0) {
        return AVITO_ERR_HOOK;
    }
    if (whole == len) {
        return AVITO_OK;
    }
    memset(last, 0xff, sizeof last);
    memcpy(last, data + whole, len - whole);
    return f->driver.write(f->driver.ctx, at + (uint32_t)whole, last, AVITO_FLASH_WORD) == 0
               ? AVITO_OK
               : AVITO_ERR_HOOK;
}

/* Whole words into `data`; of the last one what belongs to it. */
static int avito_flash_get(const avito_flash *f, uint32_t at, char *data, size_t len)
{
    const size_t whole = len / AVITO_FLASH_WORD * AVITO_FLASH_WORD;
    char last[32];

    if (whole > 0 && f->driver.read(f->driver.ctx, at, data, whole) != 0) {
        return AVITO_ERR_HOOK;
    }
    if (whole == len) {
        return AVITO_OK;
    }
    if (f->driver.read(f->driver.ctx, at + (uint32_t)whole, last, AVITO_FLASH_WORD) != 0) {
        return AVITO_ERR_HOOK;
    }
    memcpy(data + whole, last, len - whole);
    return AVITO_OK;
}

/* The head is written last: without it the record is not there. */
static int avito_flash_save(const avito_flash *f, int area, const void *data, size_t len,
                            uint32_t sequence)
{
    struct avito_flash_head head;
    const uint32_t at = f->areas[area];

    if (avito_flash_round(len) + sizeof head > f->area_size) {
        return AVITO_ERR_ROOM;
    }
    memset(&head, 0, sizeof head);
    head.magic = AVITO_FLASH_MAGIC;
    head.length = (uint32_t)len;
    head.sequence = sequence;
    head.crc = avito_flash_sum(&head, data);
    if (f->driver.erase(f->driver.ctx, at, f->area_size) != 0 ||
        avito_flash_put(f, at + (uint32_t)sizeof head, (const char *)data, len) != AVITO_OK) {
        return AVITO_ERR_HOOK;
    }
    return avito_flash_put(f, at, (const char *)&head, sizeof head);
}

/* What cannot be read, since flash with ECC refuses words that lost power while they were written, counts as
 * broken as long as the other area of the pair can be read. Otherwise the flash itself is the trouble. */
static int avito_flash_unread(const avito_flash *f, int area)
{
    struct avito_flash_head other;

    return avito_flash_get(f, f->areas[area ^ 1], (char *)&other, sizeof other) == AVITO_OK
               ? AVITO_END
               : AVITO_ERR_HOOK;
}

/* AVITO_END: nothing is there. *len over cap: it is larger; 0: it is broken. */
static int avito_flash_load(const avito_flash *f, int area, void *data, size_t cap, size_t *len,
                            uint32_t *sequence)
{
    struct avito_flash_head head;
    const uint32_t at = f->areas[area];

    *len = 0;
    if (avito_flash_get(f, at, (char *)&head, sizeof head) != AVITO_OK) {
        return avito_flash_unread(f, area);
    }
    if (head.magic != AVITO_FLASH_MAGIC || head.length > f->area_size - sizeof head) {
        return AVITO_END;
    }
    *len = head.length;
    *sequence = head.sequence;
    if (head.length > cap) {
        return AVITO_OK;
    }
    if (avito_flash_get(f, at + (uint32_t)sizeof head, (char *)data, head.length) != AVITO_OK) {
        return avito_flash_unread(f, area);
    }
    *len = avito_flash_sum(&head, data) == head.crc ? head.length : 0;
    return AVITO_OK;
}

int avito_flash_load_inbox(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    uint32_t sequence;

    return avito_flash_load((const avito_flash *)ctx, 2 + slot, data, cap, len, &sequence);
}

int avito_flash_save_inbox(void *ctx, int slot, const void *data, size_t len)
{
    return avito_flash_save((const avito_flash *)ctx, 2 + slot, data, len, 0);
}

/* A record of tokens: expires_at, two lengths, both tokens, each with its NUL. */
struct avito_flash_tokens {
    int64_t expires_at;
    uint16_t access, refresh;
    char text[588];
};

/* The newer whole one of the two; its sequence is noted. AVITO_END: neither is whole. */
static int avito_flash_newest(avito_flash *f, struct avito_flash_tokens *out)
{
    int area, result = AVITO_END;

    for (area = 0; area < 2; area++) {
        struct avito_flash_tokens t;
        uint32_t sequence = 0;
        size_t len;
        const int rc = avito_flash_load(f, area, &t, sizeof t, &len, &sequence);

        if (rc < 0) {
            return rc;
        }
        if (rc == AVITO_OK && len == sizeof t &&
            (size_t)t.access + t.refresh + 2u <= sizeof t.text &&
            (result == AVITO_END || sequence > f->sequence)) {
            result = AVITO_OK;
            f->sequence = sequence;
            *out = t;
        }
    }
    return result;
}

int avito_flash_save_token(void *ctx, const avito_token *token)
{
    avito_flash *f = (avito_flash *)ctx;
    struct avito_flash_tokens t;
    int result;

    if (token->access_token.len + token->refresh_token.len + 2u > sizeof t.text) {
        return AVITO_ERR_ROOM;
    }
    result = avito_flash_newest(f, &t); /* which area is the older, also if nothing was loaded */
    if (result < 0) {
        return result;
    }
    memset(&t, 0, sizeof t);
    t.expires_at = token->expires_at;
    t.access = (uint16_t)token->access_token.len;
    t.refresh = (uint16_t)token->refresh_token.len;
    memcpy(t.text, token->access_token.ptr, t.access);
    if (t.refresh > 0) {
        memcpy(t.text + t.access + 1, token->refresh_token.ptr, t.refresh);
    }
    result = avito_flash_save(f, (int)((f->sequence + 1u) % 2u), &t, sizeof t, f->sequence + 1u);
    f->sequence += result == AVITO_OK;
    return result;
}

int avito_flash_load_token(void *ctx, avito_token *token)
{
    avito_flash *f = (avito_flash *)ctx;
    struct avito_flash_tokens t;
    const int result = avito_flash_newest(f, &t);

    if (result != AVITO_OK) {
        return result;
    }
    memcpy(f->tokens, t.text, sizeof t.text);
    token->expires_at = t.expires_at;
    token->access_token.ptr = f->tokens;
    token->access_token.len = t.access;
    if (t.refresh > 0) {
        token->refresh_token.ptr = f->tokens + t.access + 1;
        token->refresh_token.len = t.refresh;
    }
    return AVITO_OK;
}

#endif /* AVITO_FLASH_IMPLEMENTATION */
