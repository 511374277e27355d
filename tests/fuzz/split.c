/*
 * Any bytes as a text that is split into parts.
 *
 *     input: how many letters come first (in fours), how often the text stands there, text
 *
 * What must hold: parts and the blanks between them are the text; a part neither begins nor ends
 * with a blank, has at most the allowed units, and is no shorter than necessary; parts of a UTF-8
 * text can be sent; no character that a person sees is cut, unless it is too long for a part.
 */
#include "fuzz.h"

#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

/* Length as UTF-16 of a text that may be malformed. */
static size_t units_of(const char *p, size_t len)
{
    size_t units = 0, n;

    for (; len > 0; p += n, len -= n) {
        n = avitoi_text_utf8_length(p, len);
        n = n == 0 || n > len ? 1 : n;
        units += n == 4 ? 2 : 1;
    }
    return units;
}

/* The first border between two characters at or after `at`, searched from a known border. *units: of the
 * last character before it; unchanged when the known border is the answer. */
static size_t border_from(const char *text, size_t known, size_t at, size_t *units)
{
    while (known < at) {
        const size_t n = avitoi_text_grapheme(text + known, strlen(text + known));

        *units = units_of(text + known, n);
        known += n;
    }
    return known;
}

/* The blanks before the next part, or the end. */
static size_t blanks_of(const char *text, size_t *units)
{
    size_t len = 0, n;

    for (; text[len] != '\0'; len += n) {
        const size_t point = avitoi_text_utf8_length(text + len, 4);

        n = avitoi_text_grapheme(text + len, strlen(text + len));
        if (point == 0 || !avitoi_send_is_blank(avitoi_text_point(text + len, (unsigned)point)) ||
            (n != point && (n != 2 || text[len] != '\r'))) {
            break;
        }
    }
    *units = units_of(text, len);
    return len;
}

static void check_part(const char *text, size_t at, size_t len, bool good)
{
    char *part = fuzz_memory(AVITO_PART_SIZE);
    size_t gap, gap_units, next_units = 0;
    const size_t units = units_of(text + at, len), after = at + len;

    MUST(len < AVITO_PART_SIZE);
    memcpy(part, text + at, len);
    part[len] = '\0';
    MUST(units <= AVITO_TEXT_MAX);
    MUST(blanks_of(text + at, &gap_units) == 0);
    MUST(avitoi_send_check_text(part) == (good ? AVITO_OK : AVITO_ERR_UTF8) || !good);
    gap = blanks_of(text + after, &gap_units);
    if (text[after + gap] != '\0') {
        (void)border_from(text, after + gap, after + gap + 1, &next_units);
        MUST(units > AVITO_TEXT_MAX * 3 / 4 || units + gap_units >= AVITO_TEXT_MAX ||
             units + gap_units + next_units > AVITO_TEXT_MAX);
    }
    free(part);
}

static void check_text(const char *text)
{
    const char *rest = text;
    size_t points, visible, at = 0, border = 0, character = 0, units, len;
    const bool good = avitoi_text_utf8_count(text, &points, &visible);

    while ((len = avito_next_part(&rest)) > 0) {
        const size_t begin = (size_t)(rest - text);

        MUST(blanks_of(text + at, &units) == begin - at);
        check_part(text, begin, len, good);
        at = begin + len;
        border = border_from(text, border, begin, &character);
        MUST(border == begin || character > AVITO_TEXT_MAX);
        border = border_from(text, border, at, &character);
        MUST(border == at || character > AVITO_TEXT_MAX);
        rest += len;
    }
    for (rest = text; *rest != '\0'; rest += len) {
        len = avito_split_text(rest);
        MUST(len > 0 && len <= strlen(rest));
        MUST(!good || units_of(rest, len) <= AVITO_TEXT_MAX);
    }
    rest = text + strlen(text);
    MUST(*rest == '\0' && blanks_of(text + at, &units) == strlen(text + at));
    MUST(!good || (visible == 0) == (at == 0) || at == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t before, times, len;
    char *text;

    if (size < 2) {
        return 0;
    }
    before = 4u * data[0];
    times = 1u + data[1] % 32u;
    len = size - 2;
    text = fuzz_memory(before + len * times + 1);
    memset(text, 'x', before);
    for (size_t i = 0; i < times && len > 0; i++) {
        memcpy(text + before + i * len, data + 2, len);
    }
    text[before + len * times] = '\0'; /* one before it ends the text earlier */
    check_text(text);
    free(text);
    return 0;
}
