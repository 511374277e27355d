/*
 * Any bytes as the body of a notification, into any amount of memory: the same event as with plenty,
 * or AVITO_ERR_ARENA with a size that does. The first two bytes choose how much there is.
 */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include "fuzz/fuzz.h"
#include "support/dump.h"

static int parse(const uint8_t *data, size_t size, size_t room, struct text *out, size_t *needed)
{
    char *memory = malloc(room + 1);
    avito_arena arena;
    avito_event event;
    int rc;

    memory = realloc(memory, room != 0 ? room : 1); /* exactly: ASan sees one byte more */
    arena = avito_arena_of(memory, room);
    rc = avito_parse_webhook(data, size, &arena, &event, needed);
    text_clear(out);
    if (rc == AVITO_OK) {
        dump_event(out, "event", &event);
        MUST(arena.used <= arena.cap && arena.peak <= arena.cap);
    } else {
        MUST(arena.used == 0);
    }
    MUST(!arena.busy && (rc == AVITO_ERR_ARENA) == (*needed != 0));
    MUST(rc == AVITO_OK || rc == AVITO_END || rc == AVITO_ERR_ARENA || (rc <= -411 && rc >= -416));
    free(memory);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct text plenty, little;
    uint8_t *copy;
    size_t needed = 0, room;
    int rc, again;

    if (size < 2) {
        return 0;
    }
    room = data[0] | (size_t)(data[1] & 15) << 8;
    size -= 2;
    copy = malloc(size + 1);
    memcpy(copy, data + 2, size);
    copy = realloc(copy, size != 0 ? size : 1);
    rc = parse(copy, size, size * 16 + 4096, &plenty, &needed);
    MUST(rc != AVITO_ERR_ARENA);
    again = parse(copy, size, room, &little, &needed);
    if (again == AVITO_ERR_ARENA) {
        size_t enough = needed;
        MUST(enough > (room & ~(size_t)7));
        again = parse(copy, size, enough, &little, &needed);
        if (again == AVITO_ERR_ARENA) { /* it was cut off before it was read to its end: once more */
            MUST(rc != AVITO_OK && needed > enough);
            again = rc;
        }
    }
    MUST(again == rc && (rc != AVITO_OK || strcmp(plenty.data, little.data) == 0));
    free(copy);
    return 0;
}
