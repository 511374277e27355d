/* multipart.c - the one part of an image upload. */
#include "http.h"

#include <string.h>
#include <strings.h>

static const void *find(const void *where, size_t len, const void *what, size_t n)
{
    const char *p = where;
    for (; len >= n; p++, len--) {
        const char *hit = memchr(p, *(const char *)what, len - n + 1);
        if (hit == NULL) {
            return NULL;
        }
        len -= (size_t)(hit - p);
        p = hit;
        if (memcmp(p, what, n) == 0) {
            return p;
        }
    }
    return NULL;
}

/* The value of name="value" in a header line, into `out`. */
static bool quoted(const char *line, size_t len, const char *name, char *out, size_t cap)
{
    const char *at = find(line, len, name, strlen(name));
    if (at == NULL) {
        return false;
    }
    at += strlen(name);
    const char *end = memchr(at, '"', len - (size_t)(at - line));
    if (end == NULL || (size_t)(end - at) >= cap) {
        return false;
    }
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = '\0';
    return true;
}

static bool boundary_of(const simi_request *r, char *out)
{
    const char *at = strstr(r->content_type, "boundary=");
    if (strncmp(r->content_type, "multipart/form-data;", 20) != 0 || at == NULL) {
        return false;
    }
    at += 9;
    bool quotes = *at == '"';
    at += quotes ? 1 : 0;
    size_t len = strcspn(at, quotes ? "\"" : "; ");
    if (len == 0 || len > 70) { /* RFC 2046 */
        return false;
    }
    memcpy(out, at, len);
    out[len] = '\0';
    return true;
}

typedef struct part {
    char name[64], file[256], type[64];
    const char *data;
    size_t len;
} part;

/* Reads the header lines of a part: its name, file name and type. */
static bool part_headers(const char *p, size_t len, part *out)
{
    const char *end = p + len;
    while (p < end) {
        const char *stop = find(p, (size_t)(end - p), "\r\n", 2);
        stop = stop != NULL ? stop : end;
        size_t n = (size_t)(stop - p);
        if (n > 30 && strncasecmp(p, "Content-Disposition: form-data;", 31) == 0) {
            if (!quoted(p, n, " name=\"", out->name, sizeof out->name)) {
                return false;
            }
            (void)quoted(p, n, " filename=\"", out->file, sizeof out->file);
        } else if (n > 14 && n < 70 && strncasecmp(p, "Content-Type: ", 14) == 0) {
            memcpy(out->type, p + 14, n - 14);
        }
        p = stop + 2 < end ? stop + 2 : end;
    }
    return out->name[0] != '\0';
}

/* Exactly one part, between "--B" CRLF and CRLF "--B--", with or without a last CRLF. */
static bool take_apart(const simi_request *r, part *out)
{
    char mark[80] = "\r\n--";
    const char *p = r->body.p;
    size_t len = r->body.len;
    if (len == 0 || !boundary_of(r, mark + 4)) {
        return false;
    }
    size_t n = strlen(mark);
    if (len < n || memcmp(p, mark + 2, n - 2) != 0 || memcmp(p + n - 2, "\r\n", 2) != 0) {
        return false;
    }
    p += n;
    len -= n;
    const char *head_end = find(p, len, "\r\n\r\n", 4);
    if (head_end == NULL || !part_headers(p, (size_t)(head_end - p), out)) {
        return false;
    }
    out->data = head_end + 4;
    len -= (size_t)(out->data - p);
    const char *end = find(out->data, len, mark, n);
    if (end == NULL) {
        return false;
    }
    out->len = (size_t)(end - out->data);
    size_t rest = len - out->len - n;
    return (rest == 2 || rest == 4) && memcmp(end + n, "--\r\n", rest) == 0;
}

bool simi_take_upload(sim *s, simi_request *r, simi_answer *a, sim_upload_info *out,
                      const char **bytes)
{
    part p;
    memset(&p, 0, sizeof p);
    memset(out, 0, sizeof *out);
    if (!take_apart(r, &p)) {
        simi_error_text(a, 400, "multipart/form-data with one part is expected");
        return false;
    }
    if (strcmp(p.name, "uploadfile[]") != 0 || p.file[0] == '\0') {
        simi_field_error(a, "uploadfile[]", "is required");
        return false;
    }
    if (p.len > s->o.upload_max) {
        simi_error_text(a, 413, "File is too large");
        return false;
    }
    if (!simi_recognise(p.data, p.len, out) || strncmp(p.type, "image/", 6) != 0) {
        simi_field_error(a, "uploadfile[]", "must be JPEG, HEIC, GIF, BMP or PNG");
        return false;
    }
    if ((uint64_t)out->width * out->height > 75000000) {
        simi_field_error(a, "uploadfile[]", "must have at most 75 megapixels");
        return false;
    }
    *bytes = p.data;
    out->size = p.len;
    out->fnv1a = sim_fnv1a(p.data, p.len);
    out->file_name = simi_keep_text(&s->arena, p.file);
    return true;
}
