/* media.c - pictures and sounds: what their first bytes say, and files kept for viewing. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

static uint32_t big(const unsigned char *p, size_t n)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static uint32_t little(const unsigned char *p, size_t n)
{
    uint32_t v = 0;
    for (size_t i = n; i > 0; i--) {
        v = v << 8 | p[i - 1];
    }
    return v;
}

/* The frame header of a JPEG gives the picture's size. */
static void jpeg_size(const unsigned char *p, size_t len, sim_upload_info *out)
{
    size_t i = 2;
    while (i + 9 < len && p[i] == 0xFF) {
        unsigned marker = p[i + 1];
        if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 &&
            marker != 0xCC) {
            out->height = big(p + i + 5, 2);
            out->width = big(p + i + 7, 2);
            return;
        }
        i += 2 + big(p + i + 2, 2);
    }
}

bool simi_recognise(const void *bytes, size_t len, sim_upload_info *out)
{
    const unsigned char *p = bytes;
    if (len >= 3 && memcmp(p, "\xFF\xD8\xFF", 3) == 0) {
        out->format = "jpeg";
        jpeg_size(p, len, out);
    } else if (len >= 24 && memcmp(p, "\x89PNG\r\n\x1A\n", 8) == 0) {
        out->format = "png";
        out->width = big(p + 16, 4);
        out->height = big(p + 20, 4);
    } else if (len >= 10 && (memcmp(p, "GIF87a", 6) == 0 || memcmp(p, "GIF89a", 6) == 0)) {
        out->format = "gif";
        out->width = little(p + 6, 2);
        out->height = little(p + 8, 2);
    } else if (len >= 26 && memcmp(p, "BM", 2) == 0) {
        out->format = "bmp";
        out->width = little(p + 18, 4);
        out->height = little(p + 22, 4);
    } else if (len >= 12 && memcmp(p + 4, "ftyp", 4) == 0 &&
               (memcmp(p + 8, "hei", 3) == 0 || memcmp(p + 8, "hev", 3) == 0 ||
                memcmp(p + 8, "mif1", 4) == 0 || memcmp(p + 8, "msf1", 4) == 0)) {
        out->format = "heic";
    } else {
        return false;
    }
    return true;
}

/* The type of a sound that a browser records or plays; NULL: none. */
static const char *sound_type(const char *p, size_t len)
{
    static const struct {
        size_t at;
        const char *bytes, *type;
    } known[] = {{8, "WAVE", "audio/wav"},
                 {0, "OggS", "audio/ogg"},
                 {0, "\x1A\x45\xDF\xA3", "audio/webm"},
                 {4, "ftyp", "audio/mp4"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (len >= 12 && memcmp(p + known[i].at, known[i].bytes, 4) == 0) {
            return known[i].type;
        }
    }
    return NULL;
}

void simi_draw_image_id(sim *s, char out[40])
{
    simi_random_text(&s->random, "0123456789", out, 10);
    out[0] = (char)('1' + simi_below(&s->random, 9));
    out[10] = '.';
    simi_random_text(&s->random, "0123456789abcdefghijklmnopqrstuvwxyz", out + 11, 21);
}

void simi_draw_uuid(sim *s, char out[37])
{
    simi_random_text(&s->random, "0123456789abcdef", out, 36);
    out[8] = out[13] = out[18] = out[23] = '-';
    out[14] = '4';
    out[19] = "89ab"[simi_below(&s->random, 4)];
}

/* ---------------------------------------------------------------- kept */

static void drop_oldest(sim *s)
{
    simi_media *m = &s->media[s->media_first++];
    s->media_bytes -= m->len;
    free(m->bytes);
    m->bytes = NULL;
}

void simi_keep_media(sim *s, const char *id, const char *type, const void *bytes, size_t len)
{
    if (len == 0 || len > s->o.media_keep) {
        return;
    }
    while (s->media_bytes > s->o.media_keep - len) {
        drop_oldest(s);
    }
    SIMI_GROW(s->media, s->media_count, s->media_cap);
    simi_media *m = &s->media[s->media_count++];
    m->id = simi_keep_text(&s->arena, id);
    m->type = type;
    m->bytes = memcpy(simi_alloc(NULL, len), bytes, len);
    m->len = len;
    s->media_bytes += len;
}

const char *sim_add_media(sim *s, const void *bytes, size_t len)
{
    sim_upload_info picture;
    char id[40];
    memset(&picture, 0, sizeof picture);
    bool is_picture = simi_recognise(bytes, len, &picture);
    const char *type = is_picture ? picture.format : sound_type(bytes, len);
    if (type == NULL) {
        return NULL;
    }
    if (is_picture) {
        simi_draw_image_id(s, id);
    } else {
        simi_draw_uuid(s, id);
    }
    simi_keep_media(s, id, type, bytes, len);
    return simi_keep_text(&s->arena, id);
}

bool sim_find_media(sim *s, const char *id, sim_media_info *out)
{
    for (size_t i = s->media_count; i > s->media_first; i--) {
        const simi_media *m = &s->media[i - 1];
        if (strcmp(m->id, id) == 0) {
            out->type = m->type;
            out->bytes = m->bytes;
            out->len = m->len;
            return true;
        }
    }
    return false;
}

bool simi_put_media_url(sim *s, simi_buf *b, const char *id)
{
    sim_media_info unused;
    if (s->o.media_url == NULL || !sim_find_media(s, id, &unused)) {
        return false;
    }
    simi_putf(b, "%s/%s", s->o.media_url, id);
    return true;
}
