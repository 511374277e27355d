/* The event loop of the tests: apart from script.c, because it needs the implementation. */
#include "support/script.h"

#include <stdio.h>

static int stuck(struct script *s, const char *what)
{
    if (s->problem[0] == '\0') {
        (void)snprintf(s->problem, sizeof s->problem, "%s at step %zu", what, s->step);
    }
    return AVITO_AGAIN;
}

int script_drive(struct script *s, avito_client *client, int result)
{
    const int known = AVITO_WANT_READ | AVITO_WANT_WRITE | AVITO_WANT_TIMER | AVITO_WANT_ACCOUNT;

    for (unsigned round = 0; result == AVITO_AGAIN; round++) {
        int wants = avito_wants(client);
        uint32_t ms = avito_deadline_ms(client);

        if (wants == 0 || (wants & ~known) != 0) {
            return stuck(s, "avito_wants() is 0 or has an unknown bit");
        }
        if (ms == UINT32_MAX) {
            return stuck(s, "no deadline although a call is in progress");
        }
        if (round > 10000000u) {
            return stuck(s, "stepped ten million times without an end");
        }
        if ((wants == AVITO_WANT_TIMER || !script_ready(s, wants)) && s->clock != NULL) {
            clock_advance(s->clock, ms != 0 ? ms : 1);
        }
        result = avito_step(client);
    }
    return result;
}
