/* lane.h - one connection to the service, with all its buffers, that never waits. */
#ifndef AVITO_TOOLS_LANE_H
#define AVITO_TOOLS_LANE_H

#include "avito_messenger.h"

enum lane_kind {
    LANE_READS, /* half duplex: 17 KB for records */
    LANE_SENDS  /* full duplex: pictures go while answers come */
};

typedef struct lane {
    avito_tcp tcp;
    avito_tls tls;
    avito_client client;
    avito_arena arena;
    char window[1024];
    char *pages; /* the memory of arena and records */
    size_t pages_size, arena_size;
    bool stirred; /* since lane_rest() */
} lane;

/* Memory for a lane, from malloc(). NULL: there is none. */
lane *lane_new(enum lane_kind kind, size_t arena_size);
void lane_free(lane *l); /* its client must be closed */

/* Makes it a lane of `account`, and closes an earlier connection. AVITO_OK or an error. */
int lane_open(lane *l, enum lane_kind kind, avito_account *account, const avito_anchors *anchors);

/* Call it after a step. When nothing is in progress, the arena is empty and the connection is at
 * rest, the memory of both goes back to the system. */
void lane_rest(lane *l);

#endif
