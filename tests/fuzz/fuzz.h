/*
 * What the fuzz targets share: a check that stays in every build, and numbers from the beginning of
 * the input.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Exactly that many bytes, full of rubbish, so that the sanitizer notices the first byte past
 * them. */
static inline void *fuzz_memory(size_t size)
{
    void *memory = malloc(size != 0 ? size : 1);

    MUST(memory != NULL);
    memset(memory, 0xa5, size);
    return memory;
}

/* The same with a copy of `bytes`. */
static inline void *fuzz_copy(const void *bytes, size_t size)
{
    void *memory = fuzz_memory(size);

    if (size != 0) {
        memcpy(memory, bytes, size);
    }
    return memory;
}

/* Sizes of pieces: at random 1 .. 4 or 1 .. 64 bytes; seed 0: all at once. */
static inline size_t fuzz_piece(uint32_t *seed, size_t left)
{
    size_t n;

    if (*seed == 0 || left == 0) {
        return left;
    }
    *seed = *seed * 1664525u + 1013904223u;
    *seed += *seed == 0;
    n = 1 + (*seed >> 24) % ((*seed & 0x800) != 0 ? 4 : 64);
    return n < left ? n : left;
}

#endif
