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
    unsigned char *records; /* in the memory behind the lane, as the arena is */
} lane;

/* Memory for one, from malloc(). NULL: there is none. */
lane *lane_new(enum lane_kind kind, size_t arena_size);

/* Makes it a lane of `account`; a connection that it had is closed. AVITO_OK or an error. */
int lane_open(lane *l, enum lane_kind kind, avito_account *account, const avito_anchors *anchors);

#endif
