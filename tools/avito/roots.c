/* roots.c - see roots.h. */
#include "roots.h"
#include "russian.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* avito_posix_open() knows where systems keep their roots. */
static struct roots {
    struct roots *next;
    char *ca_file;
    avito_posix posix;
} * all;

static struct roots *find(const char *ca_file)
{
    struct roots *r = all;

    while (r != NULL && strcmp(r->ca_file, ca_file) != 0) {
        r = r->next;
    }
    return r;
}

const avito_anchors *roots_of(const char *ca_file)
{
    avito_posix_options o = avito_posix_options_default();
    struct roots *r = find(ca_file != NULL ? ca_file : "");
    int rc;

    if (r != NULL) {
        return &r->posix.anchors;
    }
    r = malloc(sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    o.account.client_id = o.account.client_secret = "roots"; /* nothing is sent */
    o.account.host = "localhost";
    o.account.port = 1;
    o.ca_file = ca_file;
    rc = avito_posix_open(&r->posix, &o);
    if (rc != AVITO_OK) {
        fputs("avito: ", stderr);
        error_print(stderr, rc);
        free(r);
        return NULL;
    }
    r->ca_file = strdup(ca_file != NULL ? ca_file : "");
    r->next = all;
    all = r;
    return &r->posix.anchors;
}
