/* roots.c - see roots.h. */
#include "roots.h"
#include "language.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct roots {
    struct roots *next;
    char *ca_file;
    struct stat read; /* the file that was read */
    void *memory;
    avito_anchors anchors;
} * all;

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A file that was written since then counts as another one. Users of the old roots keep them. */
static struct roots *find(const char *ca_file)
{
    struct roots *r = all;
    struct stat now;

    memset(&now, 0, sizeof now);
    (void)stat(ca_file, &now);
    while (r != NULL && (strcmp(r->ca_file, ca_file) != 0 || !is_same_file(&r->read, &now))) {
        r = r->next;
    }
    return r;
}

/* Reads them into as much memory as they need. */
static int load(struct roots *r, const char *file)
{
    int rc = avito_anchors_load_file(&r->anchors, NULL, 0, file);

    (void)stat(file, &r->read);
    if (rc == AVITO_ERR_ROOM && (r->memory = malloc(r->anchors.needed)) != NULL) {
        rc = avito_anchors_load_file(&r->anchors, r->memory, r->anchors.needed, file);
    }
    return rc;
}

const avito_anchors *roots_of(const char *ca_file)
{
    const char *file = avito_posix_ca_file(ca_file);
    struct roots *r = file != NULL ? find(file) : NULL;

    if (r != NULL) {
        return &r->anchors;
    }
    r = file != NULL ? calloc(1, sizeof *r) : NULL;
    if (r == NULL || load(r, file) != AVITO_OK || (r->ca_file = strdup(file)) == NULL) {
        complain(TEXT("avito: %s: no trust anchors; install ca-certificates, or name a PEM file "
                      "with ca_file\n",
                      "avito: %s: нет корневых сертификатов; установите ca-certificates или "
                      "укажите файл PEM в ca_file\n"),
                 file != NULL ? file : "ca-certificates");
        if (r != NULL) {
            free(r->memory);
        }
        free(r);
        return NULL;
    }
    r->next = all;
    all = r;
    return &r->anchors;
}
