/*
 * Another TLS library as a transport (examples/transports), against the same server in memory as
 * the bundled one, because the contract is the same. A test program names its library and calls
 * other_tls_run().
 */
#ifndef TESTS_TLS_OTHER_TLS_H
#define TESTS_TLS_OTHER_TLS_H

#include "avito_messenger.h"

#include <time.h>

struct other_tls {
    avito_transport (*begin)(avito_transport below,
                             const char *roots); /* init, and the transport */
    void (*end)(void);
    bool has_tls13;
    bool holds_records; /* counts a record as taken before it has left */
};

extern time_t other_tls_now; /* 0: the true time; else what the libraries take for it */

int other_tls_run(const struct other_tls *library);

#endif
