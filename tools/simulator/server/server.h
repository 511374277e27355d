/* server.h - what main.c (sockets) and admin.c (options, buyer, door) share. */
#ifndef SIMULATOR_SERVER_H
#define SIMULATOR_SERVER_H

#include "../core/core.h"

#include <cjson/cJSON.h>

typedef struct program {
    sim *service;
    int tcp_port, tls_port;
    const char *cert, *key, *ports_file;
    /* the buyer who writes by himself */
    bool buyer;
    int64_t buyer_every_ms, buyer_next_ms;
    size_t buyer_seen; /* messages of the store that he has looked at */
    unsigned buyer_lines;
    bool verbose;
    size_t largest_record; /* of TLS, that was sent */
    simi_buf reply;
} program;

bool program_start(program *p, int argc, char **argv, int64_t (*clock_ms)(void *ctx));
void program_end(program *p);
void program_tick(program *p);
int64_t program_next_ms(program *p);

#endif
