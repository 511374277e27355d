/* text.c - bytes, JSON text, UTF-8, random numbers and dates for the simulator. */
#include "core.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void *simi_alloc(void *old, size_t size)
{
    void *p = realloc(old, size == 0 ? 1 : size);
    if (p == NULL) {
        fputs("simulator: out of memory\n", stderr);
        abort();
    }
    return p;
}

static void reserve(simi_buf *b, size_t more)
{
    if (b->len + more + 1 <= b->cap) {
        return;
    }
    size_t cap = b->cap < 256 ? 256 : b->cap * 2;
    while (cap < b->len + more + 1) {
        cap *= 2;
    }
    b->p = simi_alloc(b->p, cap);
    b->cap = cap;
}

void simi_put(simi_buf *b, const void *bytes, size_t len)
{
    reserve(b, len);
    if (len != 0) {
        memcpy(b->p + b->len, bytes, len);
    }
    b->len += len;
    b->p[b->len] = '\0';
}

void simi_puts(simi_buf *b, const char *text)
{
    simi_put(b, text, strlen(text));
}

void simi_putf(simi_buf *b, const char *format, ...)
{
    va_list args;
    reserve(b, 128);
    va_start(args, format);
    int n = vsnprintf(b->p + b->len, b->cap - b->len, format, args);
    va_end(args);
    if (n < 0) {
        abort();
    }
    if ((size_t)n >= b->cap - b->len) {
        reserve(b, (size_t)n);
        va_start(args, format);
        (void)vsnprintf(b->p + b->len, b->cap - b->len, format, args);
        va_end(args);
    }
    b->len += (size_t)n;
}

void simi_put_int(simi_buf *b, int64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    simi_put(b, digits + at, sizeof digits - at);
}

/* The service seems to use Go's encoding/json, by its answers. That writes <, >, &, U+2028 and
 * U+2029 as escapes. */
void simi_put_json(simi_buf *b, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    const unsigned char *plain = p;
    simi_put(b, "\"", 1);
    for (; *p != '\0'; p++) {
        bool separator = p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9);
        if ((*p > '>' && *p != '\\' && !separator) ||
            (*p >= 0x20 && *p <= '>' && strchr("\"<>&", *p) == NULL)) {
            continue;
        }
        simi_put(b, plain, (size_t)(p - plain));
        if (separator) {
            simi_puts(b, p[2] == 0xA8 ? "\\u2028" : "\\u2029");
            p += 2;
        } else if (*p == '"' || *p == '\\') {
            simi_putf(b, "\\%c", *p);
        } else if (*p == '\n' || *p == '\r' || *p == '\t') {
            simi_puts(b, *p == '\n' ? "\\n" : *p == '\r' ? "\\r" : "\\t");
        } else {
            simi_putf(b, "\\u%04x", (unsigned)*p);
        }
        plain = p + 1;
    }
    simi_put(b, plain, (size_t)(p - plain));
    simi_put(b, "\"", 1);
}

void simi_free(simi_buf *b)
{
    free(b->p);
    memset(b, 0, sizeof *b);
}

/* Memory comes in blocks; a text that is larger than one gets a block of its own. */
void *simi_keep(simi_block **arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (*arena == NULL || (*arena)->cap - (*arena)->used < size) {
        size_t cap = size > 16000 ? size : 16000;
        simi_block *block = simi_alloc(NULL, sizeof *block + 16 + cap);
        block->next = *arena;
        block->used = 0;
        block->cap = cap;
        *arena = block;
    }
    char *bytes = (char *)(*arena) + ((sizeof **arena + 15) & ~(size_t)15);
    void *p = bytes + (*arena)->used;
    (*arena)->used += size;
    memset(p, 0, size);
    return p;
}

char *simi_keep_text(simi_block **arena, const char *text)
{
    size_t size = strlen(text) + 1;
    char *p = simi_keep(arena, size);
    memcpy(p, text, size);
    return p;
}

void simi_free_arena(simi_block *arena)
{
    while (arena != NULL) {
        simi_block *next = arena->next;
        free(arena);
        arena = next;
    }
}

/* splitmix64 */
uint64_t simi_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t simi_below(uint64_t *state, uint64_t limit)
{
    return limit == 0 ? 0 : simi_random(state) % limit;
}

void simi_random_text(uint64_t *state, const char *alphabet, char *out, size_t len)
{
    size_t count = strlen(alphabet);
    for (size_t i = 0; i < len; i++) {
        out[i] = alphabet[simi_below(state, count)];
    }
    out[len] = '\0';
}

/* Length of the well-formed sequence at p, or 0 (Unicode, table 3-7). */
static size_t sequence(const unsigned char *p, size_t len)
{
    unsigned char c = p[0];
    if (c < 0x80) {
        return 1;
    }
    size_t n = c >= 0xC2 && c <= 0xDF   ? 2
               : c >= 0xE0 && c <= 0xEF ? 3
               : c >= 0xF0 && c <= 0xF4 ? 4
                                        : 0;
    if (n == 0 || n > len) {
        return 0;
    }
    unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned char high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xBF) {
            return 0;
        }
    }
    return n;
}

bool simi_is_utf8(const char *p, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = sequence((const unsigned char *)p + i, len - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

size_t simi_code_points(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return n;
}

bool simi_is_blank(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)text[0] == 0xC2 && (unsigned char)text[1] == 0xA0) {
            text++; /* U+00A0 */
        } else if (strchr(" \t\r\n\v\f", *text) == NULL) {
            return false;
        }
    }
    return true;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool simi_percent_decode(const char *p, size_t len, bool plus_is_blank, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = p[i];
        if (c == '%') {
            if (len - i < 3 || hex_value(p[i + 1]) < 0 || hex_value(p[i + 2]) < 0) {
                return false;
            }
            c = (char)(hex_value(p[i + 1]) * 16 + hex_value(p[i + 2]));
            i += 2;
            if (c == '\0') {
                return false;
            }
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return simi_is_utf8(out, n);
}

bool simi_parse_int(const char *text, int64_t *out)
{
    bool negative = text[0] == '-';
    const char *p = text + (negative ? 1 : 0);
    size_t digits = strspn(p, "0123456789");
    if (digits == 0 || digits > 18 || p[digits] != '\0') {
        return false;
    }
    int64_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (p[i] - '0');
    }
    *out = negative ? -value : value;
    return true;
}

static struct tm split_time(int64_t unix_s)
{
    time_t t = (time_t)unix_s;
    struct tm out;
    memset(&out, 0, sizeof out);
    (void)gmtime_r(&t, &out);
    return out;
}

void simi_rfc3339(int64_t unix_s, char out[32])
{
    struct tm t = split_time(unix_s);
    (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &t);
}

void simi_http_date(int64_t unix_s, char out[40])
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t = split_time(unix_s);
    (void)snprintf(out, 40, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3 * t.tm_wday,
                   t.tm_mday % 100, months + 3 * t.tm_mon, (t.tm_year + 1900) % 10000,
                   t.tm_hour % 100, t.tm_min % 100, t.tm_sec % 100);
}

uint64_t sim_fnv1a(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 0x100000001B3u;
    }
    return hash;
}
