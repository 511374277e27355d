/*
 * Memory that ends exactly where an unmapped page begins, or begins where one ends: one byte too far
 * is a fault, with or without sanitizers.
 *
 *     struct guard room = guard_end(512);    room.data[512] traps
 *     struct guard room = guard_begin(512);  room.data[-1] traps
 *     struct guard text = guard_copy(s, n);  a copy of s that ends at the trap, read-only
 *     guard_put(&room, s, n)                 the next piece of a text, that ends at the trap
 *     guard_free(&room);
 *
 * The memory of guard_end() has the alignment that its size leaves it: an odd size gives an odd
 * address, which is what code that carves structs from it has to stand.
 */
#ifndef TESTS_SUPPORT_GUARD_H
#define TESTS_SUPPORT_GUARD_H

#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <unistd.h>

struct guard {
    unsigned char *data;
    size_t size;
    void *map;
    size_t map_size;
};

/* `at_end`: which side of the memory the unmapped page touches. Both sides have one. */
static inline struct guard guard_make(size_t size, int at_end)
{
    struct guard g;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t room = (size + page - 1) / page * page;

    g.size = size;
    g.map_size = room + 2 * page;
    g.map = mmap(NULL, g.map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED) {
        abort();
    }
    if (room != 0 && mprotect((char *)g.map + page, room, PROT_READ | PROT_WRITE) != 0) {
        abort();
    }
    g.data = (unsigned char *)g.map + page + (at_end ? room - size : 0);
    if (size != 0) {
        memset(g.data, 0xa5, size);
    }
    return g;
}

static inline struct guard guard_end(size_t size)
{
    return guard_make(size, 1);
}

static inline struct guard guard_begin(size_t size)
{
    return guard_make(size, 0);
}

static inline struct guard guard_copy(const void *bytes, size_t size)
{
    struct guard g = guard_end(size);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (size != 0) {
        memcpy(g.data, bytes, size);
    }
    if (size != 0 && mprotect((char *)g.map + page, g.map_size - 2 * page, PROT_READ) != 0) {
        abort();
    }
    return g;
}

/* Copies these bytes, at most g->size, to the end of the memory. Returns where they begin there. A mapping for
 * each piece of a text would be most of a test's time. */
static inline const char *guard_put(struct guard *g, const void *bytes, size_t n)
{
    char *begin = (char *)g->data + (g->size - n);
    memcpy(begin, bytes, n);
    return begin;
}

static inline void guard_free(struct guard *g)
{
    if (g->map != NULL) {
        (void)munmap(g->map, g->map_size);
    }
    memset(g, 0, sizeof *g);
}

#endif
