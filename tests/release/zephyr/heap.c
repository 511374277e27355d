/* heap.c - mbedTLS allocates by calloc(): here it has no more than the heap of prj.conf. This machine's pointers are
 * longer than a chip's, so that much is enough there. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>

#define BLOCKS 4096

void *__libc_calloc(size_t count, size_t size);
void __libc_free(void *block);

static void *blocks[BLOCKS];
static size_t used, most;

void *calloc(size_t count, size_t size)
{
    void *block =
        used + count * size > CONFIG_MBEDTLS_HEAP_SIZE ? NULL : __libc_calloc(count, size);

    if (block == NULL) {
        fprintf(stderr, "heap: %zu bytes more than %zu\n", count * size, used);
        errno = ENOMEM;
        return NULL;
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (blocks[i] == NULL) {
            blocks[i] = block;
            used += malloc_usable_size(block);
            most = used > most ? used : most;
            break;
        }
    }
    return block;
}

void free(void *block)
{
    for (size_t i = 0; block != NULL && i < BLOCKS; i++) {
        if (blocks[i] == block) {
            blocks[i] = NULL;
            used -= malloc_usable_size(block);
            break;
        }
    }
    __libc_free(block);
}
