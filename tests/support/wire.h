/* wire.h - what an avito_transport needs of a connection to the simulator: its answer's bytes as recv() gives them, and
 * its end. How many move at once, and what fails, is the test's. */
#ifndef TESTS_SUPPORT_WIRE_H
#define TESTS_SUPPORT_WIRE_H

#include "avito_messenger.h"
#include "tools/simulator/simulator.h"

static inline long wire_take(sim_conn *conn, void *data, size_t cap)
{
    const size_t n = sim_conn_send(conn, data, cap);

    if (n > 0) {
        return (long)n;
    }
    switch (sim_conn_state(conn)) {
        case SIM_CONN_CLOSED:
            return AVITO_IO_CLOSED;
        case SIM_CONN_RESET:
            return AVITO_ERR_RECV;
        default:
            return AVITO_IO_AGAIN;
    }
}

static inline void wire_drop(sim_conn **conn)
{
    if (*conn != NULL) {
        sim_conn_close(*conn);
    }
    *conn = NULL;
}

#endif
