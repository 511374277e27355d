/*
 * What firmware without a C library has to bring: these functions, as plain as they can be. The
 * rule in tests/port.mk links the core with them alone and fails if anything else is missing.
 */
#include "freestanding/string.h"

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    unsigned char *t = to;
    const unsigned char *f = from;

    while (len-- > 0) {
        *t++ = *f++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t len)
{
    unsigned char *t = to;
    const unsigned char *f = from;

    if (t < f) {
        return memcpy(to, from, len);
    }
    while (len-- > 0) {
        t[len] = f[len];
    }
    return to;
}

void *memset(void *to, int byte, size_t len)
{
    unsigned char *t = to;

    while (len-- > 0) {
        *t++ = (unsigned char)byte;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
    const unsigned char *x = a;
    const unsigned char *y = b;

    for (; len > 0; len--, x++, y++) {
        if (*x != *y) {
            return *x < *y ? -1 : 1;
        }
    }
    return 0;
}

void *memchr(const void *bytes, int byte, size_t len)
{
    const unsigned char *p = bytes;

    for (; len > 0; len--, p++) {
        if (*p == (unsigned char)byte) {
            return (void *)p;
        }
    }
    return NULL;
}

size_t strlen(const char *text)
{
    size_t len = 0;

    while (text[len] != '\0') {
        len++;
    }
    return len;
}

char *strchr(const char *text, int c)
{
    for (;; text++) {
        if (*text == (char)c) {
            return (char *)text;
        }
        if (*text == '\0') {
            return NULL;
        }
    }
}

size_t strcspn(const char *text, const char *stops)
{
    size_t len = 0;

    while (text[len] != '\0' && strchr(stops, text[len]) == NULL) {
        len++;
    }
    return len;
}
