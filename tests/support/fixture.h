/*
 * The files of tests/data with their expectations.
 *
 *     struct fixtures all = fixtures_load("chat_");     chat_*.json, sorted by name
 *     for (size_t i = 0; i < all.count; i++) { all.items[i].body, .body_len, .expect }
 *     fixtures_free(&all);
 *
 * `expect` is what tests/expect.py says: "result = OK\n" and the lines of dump.h, or one line
 * "result = JSON\n" (error_* have no result line).
 */
#ifndef TESTS_SUPPORT_FIXTURE_H
#define TESTS_SUPPORT_FIXTURE_H

#include <stddef.h>

struct fixture {
    char name[64]; /* "chat_item_in.json" */
    char *body;    /* exactly body_len bytes from malloc: ASan sees one byte too far */
    size_t body_len;
    char *expect; /* NUL-terminated */
};

struct fixtures {
    struct fixture *items;
    size_t count;
};

/* Every file whose name begins with `prefix`. Aborts if there is none: a test over no files would
 * pass. Data come from tests/data, or from the directory in AVITO_TEST_DATA. */
struct fixtures fixtures_load(const char *prefix);
void fixtures_free(struct fixtures *all);

/* One file by its name; free with fixtures_free(). */
struct fixtures fixture_load(const char *name);

#endif
