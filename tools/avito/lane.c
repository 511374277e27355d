/* lane.c - see lane.h. */
#include "lane.h"
#include "resolve.h"

#include <stdlib.h>
#include <string.h>

static size_t records_size(enum lane_kind kind)
{
    return kind == LANE_READS ? AVITO_TLS_BUFFER_HALF(16384) : AVITO_TLS_BUFFER_FULL(16384);
}

lane *lane_new(enum lane_kind kind, size_t arena_size)
{
    lane *l = malloc(sizeof *l + arena_size + records_size(kind));

    if (l != NULL) {
        memset(l, 0, sizeof *l);
        l->arena = avito_arena_of(l + 1, arena_size);
        l->records = (unsigned char *)(l + 1) + arena_size;
    }
    return l;
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
    tls.buffer = l->records;
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
    o.total_timeout_ms = kind == LANE_SENDS ? 600000 : 0; /* a picture of 24 MB on a slow line */
    return rc == AVITO_OK ? avito_client_init(&l->client, account, &o) : rc;
}
