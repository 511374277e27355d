/* All that the core may use of the C library; tests/port/mem_str.c implements it in plain C. */
#ifndef TESTS_PORT_STRING_H
#define TESTS_PORT_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
void *memchr(const void *bytes, int byte, size_t len);
size_t strlen(const char *text);
char *strchr(const char *text, int c);
size_t strcspn(const char *text, const char *stops);

#endif
