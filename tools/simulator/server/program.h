/* program.h - the command line, and the buyer who writes on his own. */
#ifndef SIMULATOR_PROGRAM_H
#define SIMULATOR_PROGRAM_H

#include "../control/control.h"

#define PROGRAM_FAULTS 32

typedef struct program {
    sim_options options; /* of each new service */
    int64_t chats, every_s, tcp_port, tls_port, control_port;
    const char *cert, *key, *ports_file, *address;
    const char *names[WEB_NAMES]; /* beside localhost and the address */
    size_t name_count;
    const char *faults[PROGRAM_FAULTS];
    size_t fault_count;
    bool buyer, play, local_media;
    /* the buyer who writes on his own */
    int64_t buyer_next_ms;
    size_t buyer_seen; /* messages of the store that he has seen */
    unsigned buyer_lines;
} program;

/* False: the caller has to end with status 2, the reason has been printed. --help ends the program
 * at once. */
bool program_options(program *p, int argc, char **argv);
/* Makes the chats and faults of a new service; `chats` -1: as many as the command line says. */
bool program_begin(program *p, control *c, int64_t chats);
void program_tick(program *p, control *c);
int64_t program_next_ms(const program *p);

#endif
