/*
 * Trust anchors as C source: PEM in, an array of br_x509_trust_anchor out, all of it const, so that a
 * board keeps it in flash.
 *
 *     make anchors
 *     build/anchors [-n NAME] [-s TEXT]... FILE... >roots.c
 *
 * NAME is the array's name (default: roots); NAME_count holds its length. -s takes only certificates
 * whose subject contains TEXT, so that a few roots can be picked from a large bundle:
 *
 *     build/anchors -s GlobalSign -s ISRG -s GTS /etc/ssl/certs/ca-certificates.crt >roots.c
 *
 * Which root a server has stands in the first line "depth=" of
 *
 *     openssl s_client -connect api.avito.ru:443 </dev/null
 */
#define AVITO_WITH_BEARSSL 1
#define AVITO_STATIC       1 /* only what is used is compiled */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#define SUBJECTS_MAX 64

static const char *name = "roots";
static const char *subjects[SUBJECTS_MAX];
static size_t subject_count;

static void die(const char *what, const char *which)
{
    fprintf(stderr, "anchors: %s: %s\n", which, what);
    exit(1);
}

/* The printable texts of a distinguished name, with a space between. */
static void subject_text(const br_x500_name *dn, char *out, size_t cap)
{
    size_t i = 0;
    size_t n = 0;
    while (i + 2 <= dn->len && n + 1 < cap) {
        unsigned tag = dn->data[i];
        size_t len = dn->data[i + 1];
        i += len >= 0x80 ? 2 + (len & 0x7f) : 2;
        if (tag == 0x30 || tag == 0x31) {
            continue; /* bytes written into it */
        }
        if (tag != 0x06) {
            size_t k;
            if (n > 0) {
                out[n++] = ' ';
            }
            for (k = 0; k < len && i + k < dn->len && n + 1 < cap; k++) {
                unsigned char c = dn->data[i + k];
                out[n++] = c >= 0x20 && c < 0x7f && c != '*' ? (char)c : '?';
            }
        }
        i += len;
    }
    out[n] = '\0';
}

static int is_wanted(const char *subject)
{
    size_t i;
    for (i = 0; i < subject_count; i++) {
        if (strstr(subject, subjects[i]) != NULL) {
            return 1;
        }
    }
    return subject_count == 0;
}

static void print_bytes(const char *part, size_t index, const unsigned char *bytes, size_t len)
{
    size_t i;
    printf("static const unsigned char %s_%s_%u[%u] = {", name, part, (unsigned)index,
           (unsigned)len);
    for (i = 0; i < len; i++) {
        printf("%s0x%02x%s", i % 12 == 0 ? "\n    " : " ", bytes[i], i + 1 < len ? "," : "");
    }
    printf("\n};\n");
}

static void print_anchor_bytes(size_t index, const br_x509_trust_anchor *a, const char *subject)
{
    printf("\n/* %s */\n", subject);
    print_bytes("dn", index, a->dn.data, a->dn.len);
    if (a->pkey.key_type == BR_KEYTYPE_RSA) {
        print_bytes("n", index, a->pkey.key.rsa.n, a->pkey.key.rsa.nlen);
        print_bytes("e", index, a->pkey.key.rsa.e, a->pkey.key.rsa.elen);
    } else {
        print_bytes("q", index, a->pkey.key.ec.q, a->pkey.key.ec.qlen);
    }
}

static void print_anchor(size_t i, const br_x509_trust_anchor *a)
{
    unsigned k = (unsigned)i;
    printf("    {{(unsigned char *)%s_dn_%u, sizeof %s_dn_%u},\n     %s,\n", name, k, name, k,
           a->flags & BR_X509_TA_CA ? "BR_X509_TA_CA" : "0");
    if (a->pkey.key_type == BR_KEYTYPE_RSA) {
        printf("     {BR_KEYTYPE_RSA,\n      {.rsa = {(unsigned char *)%s_n_%u, sizeof %s_n_%u,\n"
               "               (unsigned char *)%s_e_%u, sizeof %s_e_%u}}}},\n",
               name, k, name, k, name, k, name, k);
    } else {
        printf("     {BR_KEYTYPE_EC,\n      {.ec = {%d, (unsigned char *)%s_q_%u, sizeof "
               "%s_q_%u}}}},\n",
               a->pkey.key.ec.curve, name, k, name, k);
    }
}

static void print_source(const avito_anchors *anchors)
{
    size_t i;
    size_t count = 0;
    char subject[400];
    char *taken = calloc(anchors->count, 1);
    if (taken == NULL) {
        die("no memory", "output");
    }
    printf("/* Trust anchors. Made by tools/anchors: do not edit. */\n"
           "#ifndef BR_BEARSSL_H__ /* it may have come from elsewhere */\n#include "
           "<bearssl.h>\n#endif\n\n"
           "extern const br_x509_trust_anchor %s[];\nextern const size_t %s_count;\n\n"
           "#if defined(__GNUC__)\n"
           "#pragma GCC diagnostic ignored \"-Wcast-qual\" /* BearSSL's type lacks a const */\n"
           "#endif\n",
           name, name);
    for (i = anchors->count; i-- > 0;) { /* the loader's order is the reverse */
        subject_text(&anchors->items[i].dn, subject, sizeof subject);
        taken[i] = (char)is_wanted(subject);
        if (taken[i]) {
            print_anchor_bytes(count++, &anchors->items[i], subject);
        }
    }
    if (count == 0) {
        die("no certificate has such a subject", "-s");
    }
    printf("\nconst br_x509_trust_anchor %s[%u] = {\n", name, (unsigned)count);
    count = 0;
    for (i = anchors->count; i-- > 0;) {
        if (taken[i]) {
            print_anchor(count++, &anchors->items[i]);
        }
    }
    printf("};\n\nconst size_t %s_count = %u;\n", name, (unsigned)count);
    free(taken);
}

static char *read_files(char **paths, int count, size_t *len)
{
    char *text = NULL;
    int i;
    *len = 0;
    for (i = 0; i < count; i++) {
        FILE *file = fopen(paths[i], "r");
        size_t n;
        if (file == NULL) {
            die("cannot be read", paths[i]);
        }
        do {
            text = realloc(text, *len + 65536);
            if (text == NULL) {
                die("no memory", paths[i]);
            }
            n = fread(text + *len, 1, 65535, file);
            *len += n;
        } while (n > 0);
        if (ferror(file)) {
            die("cannot be read", paths[i]);
        }
        text[(*len)++] = '\n';
        fclose(file);
    }
    return text;
}

int main(int argc, char **argv)
{
    static avito_anchors anchors;
    size_t len = 0;
    char *text;
    char *memory = NULL;
    int option;
    int rc;
    while ((option = getopt(argc, argv, "n:s:")) != -1) {
        if (option == 'n') {
            name = optarg;
        } else if (option == 's' && subject_count < SUBJECTS_MAX) {
            subjects[subject_count++] = optarg;
        } else {
            fprintf(stderr, "usage: anchors [-n NAME] [-s TEXT]... FILE... >roots.c\n");
            return 2;
        }
    }
    if (optind == argc) {
        die("give a file with certificates", "anchors");
    }
    text = read_files(argv + optind, argc - optind, &len);
    rc = avito_anchors_load_pem(&anchors, NULL, 0, text, len); /* this pass only counts */
    if (rc == AVITO_ERR_ROOM) {
        memory = malloc(anchors.needed);
        rc = avito_anchors_load_pem(&anchors, memory, anchors.needed, text, len);
    }
    if (rc != AVITO_OK) {
        die(rc == AVITO_ERR_OPTION_ANCHORS ? "no certificate, or a broken one" : "no memory",
            "input");
    }
    if (anchors.skipped > 0) {
        fprintf(stderr, "anchors: %u certificates with unknown kinds of keys were passed over\n",
                (unsigned)anchors.skipped);
    }
    print_source(&anchors);
    free(memory);
    free(text);
    return ferror(stdout) || fflush(stdout) != 0;
}
