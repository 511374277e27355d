/* The objects for which the caller provides memory; their sizes are read from this object's symbol
 * table. */
#include "avito_messenger.h"

char size_of_avito_account[sizeof(avito_account)];
char size_of_avito_client[sizeof(avito_client)];
char size_of_avito_arena[sizeof(avito_arena)];
char size_of_tokens_40[AVITO_TOKENS_SIZE(40)];
char size_of_tokens_40_one_lane[AVITO_TOKENS_SIZE_ONE_LANE(40)];
char size_of_smallest_window[AVITO_WINDOW_MIN];
#if AVITO_WITH_BEARSSL
char size_of_avito_tls[sizeof(avito_tls)];
char size_of_tls_lent[sizeof(((avito_tls *)0)->priv.check)];
char size_of_tls_half_512[AVITO_TLS_BUFFER_HALF(512)];
char size_of_tls_half_16384[AVITO_TLS_BUFFER_HALF(16384)];
#endif
