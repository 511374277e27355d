/* AVITO_STATIC=1: the whole library inside one file, which uses only some calls. */
#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

int main(void)
{
    char room[2048];
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_event event;

    return avito_parse_webhook("{}", 2, &arena, &event, NULL) == AVITO_END ? 0 : 1;
}
