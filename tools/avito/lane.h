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
    char *pages; /* what the arena and the records lie in */
    size_t pages_size, arena_size;
    bool stirred; /* since lane_rest() */
} lane;

/* Memory for one, from malloc(). NULL: there is none. */
lane *lane_new(enum lane_kind kind, size_t arena_size);
void lane_free(lane *l); /* its client is closed */

/* Makes it a lane of `account`; a connection that it had is closed. AVITO_OK or an error. */
int lane_open(lane *l, enum lane_kind kind, avito_account *account, const avito_anchors *anchors);

/* After a step: while nothing is under way, nothing is in the arena and the connection is at rest, the system
 * gets the memory of both back. */
void lane_rest(lane *l);

#endif
