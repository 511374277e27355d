/* What stored.c does with the implementation's own functions. */
#ifndef TESTS_FUZZ_IMPL_H
#define TESTS_FUZZ_IMPL_H

#include "avito_messenger.h"

/* Makes the checksum of an inbox' slot right, as if the inbox had written it. */
void impl_seal(uint8_t *slot, size_t len, bool of_this_account);

#if AVITO_WITH_BEARSSL
/* Makes a session that was set one for this server and the transport's anchors. */
void impl_session_for(avito_tls *tls, const avito_server *server);
#endif

#endif
