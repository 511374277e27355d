/* libcurl and a decoder of the decode bench: one easy handle used again and again, or the multi
 * interface.
 *
 *   net_curl self|chats N BASE [CA]          one kept connection
 *   net_curl many N BASE CONNECTIONS [CA]    N requests for `self` on that many connections
 */
#include <curl/curl.h>

#include "net.h"
#include "slots.h"

enum { PAD = 64 }; /* readable bytes that a decoder may have after the body */

typedef struct body {
    char *data;
    size_t len, cap;
    unsigned long number; /* requests done with this handle */
} body;

/* From the linked decoder. */
extern const bench_peer bench_peers[];

static unsigned long elements;

static size_t collect(char *data, size_t size, size_t n, void *ctx)
{
    body *b = ctx;

    n *= size;
    if (b->len + n + PAD > b->cap) {
        b->cap = b->len + n + PAD > 2 * b->cap ? b->len + n + PAD : 2 * b->cap;
        b->data = realloc(b->data, b->cap);
    }
    memcpy(b->data + b->len, data, n);
    b->len += n;
    b->data[b->len] = '\0';
    return n;
}

static void decode_self(const body *b)
{
    avito_self self;

    if (bench_peers[0].self(b->data, b->len, &self) != 0 || self.id == 0 ||
        self.profile_url.len == 0 || self.phones.count == 0 || self.phones.items[0].len == 0) {
        net_fail("self", "not decoded");
    }
    elements++;
}

static void on_chat(bench_sink *sink, const avito_chat *chat)
{
    sink->hash += (uint64_t)chat->updated;
    elements++;
}

static void decode_chats(const body *b)
{
    bench_sink sink = {on_chat, NULL, NULL, 0, 0};

    if (bench_peers[0].chats(b->data, b->len, &sink) != 0) {
        net_fail("chats", "not decoded");
    }
}

static CURL *handle(const char *base, const char *path, const char *ca, body *b)
{
    static struct curl_slist *headers;
    CURL *easy = curl_easy_init();
    char url[256];

    if (headers == NULL) {
        headers = curl_slist_append(NULL, "Authorization: Bearer " NET_TOKEN);
    }
    snprintf(url, sizeof url, "%s%s", base, path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, b);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, b);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 60L);
    if (ca != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_MAX_TLSv1_2);
        curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, "ECDHE-ECDSA-AES128-GCM-SHA256");
    }
    return easy;
}

static void one(CURL *easy, body *b, int self)
{
    CURLcode r;
    long status = 0;

    b->len = 0;
    r = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (r != CURLE_OK || status != 200) {
        net_fail("request", curl_easy_strerror(r));
    }
    (self ? decode_self : decode_chats)(b);
}

/* n requests, one after the other, on one kept connection. */
static int single(int self, unsigned long n, const char *base, const char *ca)
{
    body b = {NULL, 0, 0, 0};
    CURL *easy = handle(base, self ? NET_SELF : NET_CHATS "?limit=100", ca, &b);
    net_region region;
    unsigned long i;

    if (!self) {
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)NET_BUFFER);
    }
    for (i = 0; i < 3; i++) {
        one(easy, &b, self);
    }
    elements = 0;
    net_begin(&region);
    for (i = 0; i < n; i++) {
        one(easy, &b, self);
    }
    net_end(&region, n, elements);
    curl_easy_cleanup(easy);
    free(b.data);
    return 0;
}

/* Runs until `n` more requests are done; each handle starts its next request at once. */
static void pump(CURLM *multi, unsigned long n)
{
    unsigned long done = 0;
    int running, left;

    while (done < n) {
        CURLMsg *m;

        if (curl_multi_perform(multi, &running) != CURLM_OK ||
            curl_multi_poll(multi, NULL, 0, 20, NULL) != CURLM_OK) {
            net_fail("multi", "failed");
        }
        while ((m = curl_multi_info_read(multi, &left)) != NULL) {
            CURL *easy = m->easy_handle;
            body *b;

            if (m->msg != CURLMSG_DONE || m->data.result != CURLE_OK) {
                net_fail("request", curl_easy_strerror(m->data.result));
            }
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&b);
            decode_self(b);
            b->len = 0;
            done++;
            curl_multi_remove_handle(multi, easy);
            curl_multi_add_handle(multi, easy);
        }
    }
}

/* n requests in all on many connections at once. The first two on each only warm up. */
static int many(unsigned long n, const char *base, unsigned long connections, const char *ca)
{
    body *bodies = calloc(connections, sizeof *bodies);
    CURLM *multi = curl_multi_init();
    net_region region;
    unsigned long i;

    net_many_files();
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)connections);
    for (i = 0; i < connections; i++) {
        curl_multi_add_handle(multi, handle(base, NET_SELF, ca, &bodies[i]));
    }
    pump(multi, 2 * connections);
    elements = 0;
    net_begin(&region);
    pump(multi, n);
    net_end(&region, elements, elements);
    return 0;
}

int main(int argc, char **argv)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (argc >= 5 && strcmp(argv[1], "many") == 0) {
        return many(strtoul(argv[2], NULL, 10), argv[3], strtoul(argv[4], NULL, 10),
                    argc > 5 ? argv[5] : NULL);
    }
    if (argc >= 4) {
        return single(strcmp(argv[1], "self") == 0, strtoul(argv[2], NULL, 10), argv[3],
                      argc > 4 ? argv[4] : NULL);
    }
    net_fail("usage", "see the head of the source");
    return 1;
}
