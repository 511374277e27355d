/* main.c - avito_flash.h on a flash that only clears bits, and whose power is cut at every write. */
#include "avito_messenger.h"
#include "tests/transports/stores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AVITO_FLASH_IMPLEMENTATION
#include "examples/transports/avito_flash.h"

#define AREA 4096u

static unsigned char chip[4 * AREA];
static long power = -1; /* bytes that can still be written; -1: no end */

static bool unreadable;
static bool has_ecc;  /* what was being written when the power went cannot be read */
static int torn = -1; /* the area where that was */

static int chip_read(void *ctx, uint32_t offset, void *data, size_t len)
{
    (void)ctx;
    if (offset % AVITO_FLASH_WORD != 0 || len % AVITO_FLASH_WORD != 0) {
        abort();
    }
    if (unreadable || (has_ecc && torn == (int)(offset / AREA))) {
        return -5;
    }
    memcpy(data, chip + offset, len);
    return 0;
}

static bool has_power(void)
{
    if (power == 0) {
        return false;
    }
    power -= power > 0;
    return true;
}

static int chip_erase(void *ctx, uint32_t offset, size_t len)
{
    (void)ctx;
    torn = torn == (int)(offset / AREA) ? -1 : torn;
    if (!has_power()) {
        memset(chip + offset, 0xa5, len / 2); /* half erased */
        torn = (int)(offset / AREA);
        return -1;
    }
    memset(chip + offset, 0xff, len);
    return 0;
}

static int chip_write(void *ctx, uint32_t offset, const void *data, size_t len)
{
    (void)ctx;
    if (offset % AVITO_FLASH_WORD != 0 || len % AVITO_FLASH_WORD != 0) {
        abort();
    }
    for (size_t i = 0; i < len; i++) {
        if (!has_power()) {
            torn = (int)(offset / AREA);
            return -1;
        }
        chip[offset + i] &= ((const unsigned char *)data)[i];
    }
    return 0;
}

static avito_flash fresh(void)
{
    avito_flash f;

    memset(&f, 0, sizeof f);
    f.driver.read = chip_read;
    f.driver.erase = chip_erase;
    f.driver.write = chip_write;
    for (int i = 0; i < AVITO_FLASH_AREAS; i++) {
        f.areas[i] = (uint32_t)i * AREA;
    }
    f.area_size = AREA;
    return f;
}

static avito_token token_of(char *text, int number)
{
    avito_token t;

    memset(&t, 0, sizeof t);
    t.access_token.ptr = text;
    t.access_token.len = (size_t)sprintf(text, "token-%d", number);
    t.expires_at = number;
    return t;
}

/* After a cut at any byte the store holds the old token or the new one, and never none or
 * another. */
static bool survives(long cut)
{
    avito_flash f = fresh();
    char one[32], two[32];
    const avito_token first = token_of(one, 1), second = token_of(two, 2);
    avito_token loaded;
    int rc;

    memset(chip, 0xff, sizeof chip);
    torn = -1;
    power = -1;
    if (avito_flash_save_token(&f, &first) != AVITO_OK) {
        return false;
    }
    power = cut;
    rc = avito_flash_save_token(&f, &second);
    power = -1;
    f = fresh(); /* started again */
    memset(&loaded, 0, sizeof loaded);
    return avito_flash_load_token(&f, &loaded) == AVITO_OK &&
           (loaded.expires_at == 2 || (rc != AVITO_OK && loaded.expires_at == 1)) &&
           avito_flash_save_token(&f, &first) == AVITO_OK;
}

static int check(const char *what, bool ok)
{
    printf("%s - flash: %s\n", ok ? "ok" : "not ok", what);
    return !ok;
}

/* A program that stores before it loads, as one does that has just been authorized again. */
static int saved_first(void)
{
    avito_flash f = fresh();
    char text[32];
    avito_token token, loaded;

    memset(chip, 0xff, sizeof chip);
    for (int i = 1; i <= 4; i++) {
        token = token_of(text, i);
        avito_flash_save_token(&f, &token);
    }
    f = fresh(); /* started again */
    token = token_of(text, 5);
    avito_flash_save_token(&f, &token);
    f = fresh();
    memset(&loaded, 0, sizeof loaded);
    return check("a token stored before any was loaded is the newest",
                 avito_flash_load_token(&f, &loaded) == AVITO_OK && loaded.expires_at == 5);
}

/* A flash that cannot be read is not an empty one. */
static int unreadable_flash(void)
{
    avito_flash f = fresh();
    char text[32];
    avito_token token = token_of(text, 1);
    size_t len;
    int failures;

    avito_flash_save_token(&f, &token);
    unreadable = true;
    failures = check("a token that cannot be read is an error",
                     avito_flash_load_token(&f, &token) == AVITO_ERR_HOOK);
    failures += check("... and so is a slot",
                      avito_flash_load_inbox(&f, 0, text, sizeof text, &len) == AVITO_ERR_HOOK);
    failures += check("... and nothing is stored over what may be there",
                      avito_flash_save_token(&f, &token) == AVITO_ERR_HOOK);
    unreadable = false;
    return failures;
}

/* An area as small as the notes allow. */
static int small_areas(void)
{
    static char state[AVITO_INBOX_STATE_SIZE(100)], back[sizeof state];
    avito_flash f = fresh();
    char text[32];
    avito_token token = token_of(text, 1);
    size_t len = 0;
    int failures;

    memset(state, 'i', sizeof state);
    f.area_size = sizeof state + 64;
    failures = check("an inbox fits the area that it asks for",
                     avito_flash_save_inbox(&f, 0, state, sizeof state) == AVITO_OK &&
                         avito_flash_load_inbox(&f, 0, back, sizeof back, &len) == AVITO_OK &&
                         len == sizeof state && memcmp(state, back, len) == 0);
    f.area_size = 700;
    return failures +
           check("... and a token 700 bytes", avito_flash_save_token(&f, &token) == AVITO_OK);
}

/* The inbox, too, has the slot that was not being written. */
static int torn_slot(void)
{
    avito_flash f = fresh();
    char text[32] = "older", back[sizeof text];
    size_t len = 0;
    int failures;

    memset(chip, 0xff, sizeof chip);
    torn = -1;
    avito_flash_save_inbox(&f, 0, text, sizeof text);
    power = 20;
    avito_flash_save_inbox(&f, 1, text, sizeof text);
    power = -1;
    failures = check("a slot that lost power cannot be read, and counts as empty",
                     avito_flash_load_inbox(&f, 1, back, sizeof back, &len) == AVITO_END);
    return failures + check("... the other is there",
                            avito_flash_load_inbox(&f, 0, back, sizeof back, &len) == AVITO_OK &&
                                strcmp(back, text) == 0);
}

/* Two slots whose cells have lost a bit are a state that is lost, and no first start. */
static int worn_slots(void)
{
    avito_flash f = fresh();
    char text[32] = "older", back[sizeof text];
    size_t len = 1;
    int failures;

    memset(chip, 0xff, sizeof chip);
    torn = -1;
    avito_flash_save_inbox(&f, 0, text, sizeof text);
    chip[2 * AREA + sizeof(struct avito_flash_head)] &= 0xfe;
    failures =
        check("a slot that was written and has changed is broken, and not empty",
              avito_flash_load_inbox(&f, 0, back, sizeof back, &len) == AVITO_OK && len == 0);
    return failures + check("... one that was never written is empty",
                            avito_flash_load_inbox(&f, 1, back, sizeof back, &len) == AVITO_END);
}

/* How many cuts of the power it survives, of 700. */
static long cuts(void)
{
    long cut = 0;

    while (cut < 700 && survives(cut)) {
        cut++;
    }
    return cut;
}

int main(void)
{
    avito_flash f = fresh();
    const token_store store = {"flash",
                               &f,
                               avito_flash_load_token,
                               avito_flash_save_token,
                               avito_flash_load_inbox,
                               avito_flash_save_inbox};
    int failures;

    memset(chip, 0xff, sizeof chip);
    failures = stores_run(&store);
    failures += saved_first() + unreadable_flash() + small_areas() + worn_slots();
    failures += check("the power cut at each of 700 bytes", cuts() == 700);
    has_ecc = true;
    failures += check("... on flash with ECC", cuts() == 700);
    return failures + torn_slot();
}
