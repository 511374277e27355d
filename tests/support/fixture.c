#include "support/fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *directory(void)
{
    const char *set = getenv("AVITO_TEST_DATA");

    return set != NULL ? set : "tests/data";
}

static void fail(const char *what, const char *name)
{
    (void)fprintf(stderr, "fixture: %s: %s\n", what, name);
    abort();
}

/* The whole file in exactly as many bytes (and a NUL if `terminate`). */
static char *read_file(const char *name, size_t *len, int terminate)
{
    char path[512];
    char *data = NULL;
    FILE *file;
    long size;

    (void)snprintf(path, sizeof path, "%s/%s", directory(), name);
    file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        fail("cannot open", path);
        return NULL;
    }
    rewind(file);
    *len = (size_t)size;
    data = malloc(*len + (terminate ? 1 : 0) + (*len == 0));
    if (data == NULL || fread(data, 1, *len, file) != *len) {
        fail("cannot read", path);
        return NULL;
    }
    (void)fclose(file);
    if (terminate) {
        data[*len] = '\0';
    }
    return data;
}

static void add(struct fixtures *all, const char *name)
{
    char expect[80];
    struct fixture *f;
    size_t len = 0;

    all->items = realloc(all->items, (all->count + 1) * sizeof *all->items);
    if (all->items == NULL || strlen(name) >= sizeof f->name) {
        fail("too long a name", name);
        return;
    }
    f = &all->items[all->count++];
    memset(f, 0, sizeof *f);
    memcpy(f->name, name, strlen(name) + 1);
    f->body = read_file(name, &f->body_len, 0);
    (void)snprintf(expect, sizeof expect, "%.*s.expect", (int)(strrchr(name, '.') - name), name);
    f->expect = read_file(expect, &len, 1);
}

static int is_fixture(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot != NULL &&
           (strcmp(dot, ".json") == 0 || strcmp(dot, ".txt") == 0 || strcmp(dot, ".html") == 0);
}

struct fixtures fixtures_load(const char *prefix)
{
    struct fixtures all = {NULL, 0};
    struct dirent **entries = NULL;
    int n = scandir(directory(), &entries, is_fixture, alphasort);

    for (int i = 0; i < n; i++) {
        if (strncmp(entries[i]->d_name, prefix, strlen(prefix)) == 0) {
            add(&all, entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    if (all.count == 0) {
        fail("no file begins with", prefix);
    }
    return all;
}

struct fixtures fixture_load(const char *name)
{
    struct fixtures all = {NULL, 0};

    add(&all, name);
    return all;
}

void fixtures_free(struct fixtures *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->items[i].body);
        free(all->items[i].expect);
    }
    free(all->items);
    all->items = NULL;
    all->count = 0;
}
