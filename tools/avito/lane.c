/* lane.c - see lane.h. */
#include "lane.h"
#include "resolve.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t records_size(enum lane_kind kind)
{
    return kind == LANE_READS ? AVITO_TLS_BUFFER_HALF(16384) : AVITO_TLS_BUFFER_FULL(16384);
}

lane *lane_new(enum lane_kind kind, size_t arena_size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    lane *l = calloc(1, sizeof *l);
    void *pages;

    if (l == NULL) {
        return NULL;
    }
    l->arena_size = arena_size;
    l->pages_size = (arena_size + records_size(kind) + page - 1) / page * page;
    if (posix_memalign(&pages, page, l->pages_size) != 0) {
        free(l);
        return NULL;
    }
    l->pages = pages;
    l->arena = avito_arena_of(l->pages, arena_size);
    return l;
}

void lane_free(lane *l)
{
    if (l != NULL) {
        free(l->pages);
        free(l);
    }
}

/* What the next poll needs stays in the lane itself: the connection's keys and the session. */
void lane_rest(lane *l)
{
    l->stirred = l->stirred || avito_wants(&l->client) != 0;
    if (l->stirred && avito_wants(&l->client) == 0 && l->arena.used == 0 && !l->arena.busy &&
        avito_tls_at_rest(&l->tls)) {
        l->stirred = madvise(l->pages, l->pages_size, MADV_DONTNEED) != 0;
    }
}

static int open_tls(lane *l, enum lane_kind kind, const avito_anchors *anchors)
{
    avito_tcp_options tcp = avito_tcp_options_default();
    avito_tls_options tls = avito_tls_options_default();
    int rc;

    tcp.never_wait = true;
    tcp.resolve = resolve_name;
    rc = avito_tcp_init(&l->tcp, &tcp);
    tls.transport = avito_tcp_transport(&l->tcp);
    tls.anchors = anchors->items;
    tls.anchors_count = anchors->count;
    tls.buffer = l->pages + l->arena_size;
    tls.buffer_cap = records_size(kind);
    tls.full_duplex = kind == LANE_SENDS;
    tls.unix_time = avito_posix_unix_time;
    tls.entropy = avito_posix_entropy;
    return rc == AVITO_OK ? avito_tls_init(&l->tls, &tls) : rc;
}

int lane_open(lane *l, enum lane_kind kind, avito_account *account, const avito_anchors *anchors)
{
    avito_client_options o = avito_client_options_default();
    avito_tls_session session;
    bool has_session = false;
    int rc;

    if (l->client.account != NULL) {
        avito_client_close(&l->client);
        has_session = avito_tls_get_session(&l->tls, &session) == AVITO_OK;
    }
    rc = open_tls(l, kind, anchors);
    if (rc == AVITO_OK && has_session) {
        (void)avito_tls_set_session(&l->tls, &session);
    }
    o.transport = avito_tls_transport(&l->tls);
    o.window = l->window;
    o.window_cap = sizeof l->window;
    o.never_wait = true;
    o.retries = 1;
    return rc == AVITO_OK ? avito_client_init(&l->client, account, &o) : rc;
}
