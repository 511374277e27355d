/* To be preloaded: counts heap calls, and the peak of bytes in use. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void bench_heap_reset(void);
void bench_heap_read(uint64_t *calls, uint64_t *peak);

static uint64_t calls, live, peak;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void *taken(void *p)
{
    calls++;
    live += p == NULL ? 0 : malloc_usable_size(p);
    peak = live > peak ? live : peak;
    return p;
}

static void given(void *p)
{
    live -= p == NULL ? 0 : malloc_usable_size(p);
}

void *malloc(size_t size)
{
    return taken(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return taken(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
    given(p);
    return taken(__libc_realloc(p, size));
}

void *memalign(size_t align, size_t size)
{
    return taken(__libc_memalign(align, size));
}

void *aligned_alloc(size_t align, size_t size)
{
    return taken(__libc_memalign(align, size));
}

int posix_memalign(void **out, size_t align, size_t size)
{
    *out = taken(__libc_memalign(align, size));
    return *out == NULL;
}

void free(void *p)
{
    given(p);
    __libc_free(p);
}

/* Live bytes still count: a parser that keeps its buffers holds them. */
void bench_heap_reset(void)
{
    calls = 0;
    peak = live;
}

void bench_heap_read(uint64_t *calls_out, uint64_t *peak_out)
{
    *calls_out = calls;
    *peak_out = peak;
}
