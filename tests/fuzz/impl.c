/* The implementation that the targets are linked with which see only the interface. Rooms: none. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "impl.h"

void impl_seal(uint8_t *slot, size_t len, bool of_this_account)
{
    struct avitoi_inbox_state *s = (struct avitoi_inbox_state *)(void *)slot;
    const size_t from = offsetof(struct avitoi_inbox_state, horizon);

    if (len < sizeof *s) {
        return;
    }
    memcpy(s->magic, "AVI1", 4);
    if (avitoi_inbox_get(s->again) != 0) { /* else it is version 0.1.0's */
        memcpy(s->again, s->sequence, sizeof s->again);
    }
    if (of_this_account) {
        avitoi_inbox_put(s->account, 350000001);
        avitoi_inbox_put(s->account + 4, 0);
    }
    avitoi_inbox_put(s->check,
                     avitoi_inbox_crc32(slot + from, len - from) ^ avitoi_inbox_get(s->sequence));
}

#if AVITO_WITH_BEARSSL
void impl_session_for(avito_tls *tls, const avito_server *server)
{
    avitoi_tls_session_key(tls, server, tls->priv.session_key);
}
#endif
