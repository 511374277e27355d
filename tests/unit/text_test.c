/*
 * Bytes, words, UTF-8, the arena's alignment, and numbers, each compared with the plainest
 * implementation: loops over all bytes and all code points, snprintf(), and known values.
 * Rooms: TEXT, TEXT: GRAPHEMES, ARENA, NUMBERS.
 */
#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- bytes and words ---- */

static void test_every_byte(void **state)
{
    static const char token[] =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char digits[] = "0123456789abcdef";

    (void)state;
    for (int c = 0; c < 256; c++) {
        const bool upper = c >= 'A' && c <= 'Z';
        const char low = (char)(upper ? c + 32 : c);
        const char *digit = c != 0 ? strchr(digits, low) : NULL;
        assert_int_equal(avitoi_text_byte((char)c), c);
        assert_int_equal(avitoi_text_lower((char)c), low);
        assert_int_equal(avitoi_text_hex_digit((char)c), digit != NULL ? digit - digits : 16);
        assert_int_equal(avitoi_text_is_http_token((unsigned char)c),
                         c != 0 && strchr(token, c) != NULL);
        assert_int_equal(avitoi_text_is_http_text((unsigned char)c),
                         (c >= ' ' && c != 0x7f) || c == '\t');
    }
}

static void test_words(void **state)
{
    static const char *const not_words[] = {"",     " a",   "a ",       "a b",
                                            "a\tb", "\x7f", "\xd0\x96", "a\n"};
    avito_str s;

    (void)state;
    assert_true(avito_str_equal(avitoi_text_of("ab"), "ab"));
    assert_false(avito_str_equal(avitoi_text_of("ab"), "abc"));
    assert_false(avito_str_equal(avitoi_text_of("abc"), "ab"));
    memset(&s, 0, sizeof s);
    assert_false(avito_str_equal(s, ""));
    assert_true(avitoi_text_starts(avitoi_text_of("abc"), "ab"));
    assert_true(avitoi_text_starts(avitoi_text_of("ab"), ""));
    assert_false(avitoi_text_starts(avitoi_text_of("a"), "ab"));
    assert_true(avitoi_text_is_word("a!~"));
    assert_false(avitoi_text_is_word(NULL));
    for (size_t i = 0; i < sizeof not_words / sizeof not_words[0]; i++) {
        assert_false(avitoi_text_is_word(not_words[i]));
    }
    s = avitoi_text_of("\r\n a b \t");
    avitoi_text_trim(&s);
    assert_true(avito_str_equal(s, "a b"));
    s = avitoi_text_of(" \r ");
    avitoi_text_trim(&s);
    assert_int_equal(s.len, 0);
}

static void test_lists_of_words(void **state)
{
    (void)state;
    assert_true(avitoi_text_has_token(avitoi_text_of("close"), "close"));
    assert_true(avitoi_text_has_token(avitoi_text_of("te, close"), "close"));
    assert_true(avitoi_text_has_token(avitoi_text_of("te,close ,x"), "close"));
    assert_true(avitoi_text_has_token(avitoi_text_of(",,\tclose\t"), "close"));
    assert_false(avitoi_text_has_token(avitoi_text_of("closed"), "close"));
    assert_false(avitoi_text_has_token(avitoi_text_of("te closed, clos"), "close"));
    assert_false(avitoi_text_has_token(avitoi_text_of("x close"), "close"));
    assert_false(avitoi_text_has_token(avitoi_text_of(""), "close"));
}

/* Known values of FNV-1a with 64 bits; the last text is one whose hash is 0, which means none. */
static void test_hash(void **state)
{
    (void)state;
    assert_true(avitoi_text_hash("", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(avitoi_text_hash("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(avitoi_text_hash("foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(avitoi_text_hash("!0IC=VloaY", 10) == 1);
}

/* ---- UTF-8 ---- */

/* Every code point as RFC 3629 writes it: read, counted, and written again. */
static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t point = 1; point <= 0x10ffffu; point++) {
        char bytes[5] = {0};
        size_t n, points, visible;
        if (point >= 0xd800u && point <= 0xdfffu) {
            continue;
        }
        n = avitoi_text_utf8_put(point, bytes);
        assert_int_equal(n, point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4);
        assert_int_equal(avitoi_text_utf8_length(bytes, n), n);
        assert_true(avitoi_text_utf8_count(bytes, &points, &visible));
        assert_int_equal(points, 1);
        assert_int_equal(visible, point > ' ');
        for (size_t cut = 1; cut < n; cut++) { /* a part of it shows how long it will be */
            assert_int_equal(avitoi_text_utf8_length(bytes, cut), n);
        }
    }
}

static void test_malformed_utf8(void **state)
{
    static const char *const bad[] = {
        "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",         "\xe2\x28\xa1", "\xf0\x9f\x98\x28"};
    static const struct {
        const char *text, *mended;
    } rows[] = {{"", ""},
                {"ab", "ab"},
                {"a\x80z", "a?z"},
                {"\xd0\x96\xd0", "\xd0\x96"},
                {"a\xf0\x9f\x98", "a"},
                {"\xed\xa0\x80x", "???x"}};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t points, visible;
        assert_int_equal(avitoi_text_utf8_length(bad[i], strlen(bad[i])), 0);
        assert_false(avitoi_text_utf8_count(bad[i], &points, &visible));
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[16];
        (void)strcpy(text, rows[i].text);
        avitoi_text_utf8_mend(text);
        assert_string_equal(text, rows[i].mended);
    }
}

/* The bytes of the first character, as a person sees it. */
static void test_graphemes(void **state)
{
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
        {"a", 1},
        {"ab", 1},
        {"\r\n", 2},
        {"\rx", 1},
        {"\n\n", 1},
        {"\x7f\xcc\x81", 1},
        {"a\xcb\xbf", 1},  /* U+02FF */
        {"a\xcc\x80z", 3}, /* U+0300, the first mark of a block */
        {"a\xcc\x81z", 3},
        {"a\xcd\xafz", 3},                     /* U+036F, the last one */
        {"a\xcd\xb0", 1},                      /* U+0370 */
        {"a\xd6\xbfz", 3},                     /* U+05BF, a block of one */
        {"a\xef\xbf\xbd", 1},                  /* U+FFFD, above all marks of two bytes */
        {"a\xf0\x9f\x8f\xbbz", 5},             /* U+1F3FB, a skin */
        {"a\xf0\x9f\x8f\xba", 1},              /* U+1F3FA */
        {"a\xf0\x9f\x90\x80", 1},              /* U+1F400 */
        {"a\xf3\xa0\x84\x81z", 5},             /* U+E0101 */
        {"a\xf3\xa0\x87\xb0", 1},              /* U+E01F0 */
        {"a\xe2\x80\x8d\xf0\x9f\x91\xa9z", 8}, /* joined with U+1F469 */
        {"a\xe2\x80\x8d\xe2\x9d\xa4z", 7},     /* with U+2764 */
        {"a\xe2\x80\x8d\xe3\x8a\x99z", 7},     /* with U+3299, the last one */
        {"a\xe2\x80\x8d\xe3\x8a\x9a", 4},      /* not with U+329A */
        {"a\xe2\x80\x8d\xd0\xb0", 4},          /* nor with a letter */
        {"\xf0\x9f\x87\xb7\xf0\x9f\x87\xba\xf0\x9f\x87\xb0", 8}, /* two make a flag, not three */
        {"\xf0\x9f\x87\xb7z", 4},
        {"\xff", 1},
        {"\xd0", 1},
        {"a\xff", 1},
        {"a\xd0", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (avitoi_text_grapheme(rows[i].text, strlen(rows[i].text)) != rows[i].len) {
            fail_msg("row %zu: %zu bytes", i,
                     avitoi_text_grapheme(rows[i].text, strlen(rows[i].text)));
        }
    }
}

/* ---- arena ---- */

static void test_arena(void **state)
{
    static union {
        uint64_t align;
        char bytes[64];
    } memory;

    (void)state;
    for (size_t skew = 0; skew < 8; skew++) {
        for (size_t size = 0; size + skew <= sizeof memory.bytes; size++) {
            avito_arena arena = avito_arena_of(memory.bytes + skew, size);
            const size_t begin = skew == 0 ? 0 : 8;
            const size_t end = (skew + size) / 8 * 8;
            assert_int_equal(arena.cap, end > begin ? end - begin : 0);
            if (arena.cap > 0) {
                assert_ptr_equal(arena.base, memory.bytes + begin);
            }
            arena.used = 8;
            avito_arena_reset(&arena);
            assert_int_equal(arena.used, 0);
        }
    }
    assert_int_equal(avito_arena_of(NULL, 64).cap, 0);
    avito_arena_reset(NULL);
    for (size_t n = 0; n < 40; n++) {
        assert_int_equal(avitoi_arena_align(n), (n + 7) / 8 * 8);
    }
}

/* ---- numbers ---- */

static void whole(const char *text, bool good, int64_t value)
{
    int64_t got = 77;

    assert_int_equal(avitoi_number_parse_int(text, strlen(text), &got), good);
    assert_true(got == (good ? value : 77));
}

static void test_integers(void **state)
{
    uint64_t value = 1;

    (void)state;
    for (int i = 0; i < 4000; i++) {
        char digits[21], printed[32];
        (void)snprintf(printed, sizeof printed, "%" PRIu64, value);
        assert_string_equal(avitoi_number_decimal(value, digits), printed);
        if (value <= INT64_MAX) {
            whole(printed, true, (int64_t)value);
        } else {
            whole(printed, false, 0);
        }
        value = i < 64 ? value << 1 | 1u
                       : value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        value >>= i % 64;
    }
    whole("0", true, 0);
    whole("-0", true, 0);
    whole("007", true, 7);
    whole("9223372036854775807", true, INT64_MAX);
    whole("-9223372036854775808", true, INT64_MIN);
    whole("9223372036854775808", false, 0);
    whole("-9223372036854775809", false, 0);
    whole("92233720368547758070", false, 0);
    whole("", false, 0);
    whole("-", false, 0);
    whole("+1", false, 0);
    whole("1 ", false, 0);
    whole("1.0", false, 0);
}

/* JSON numbers times ten to the power of `places`, rounded half away from zero, or whole. */
static void test_json_numbers(void **state)
{
    static const struct {
        const char *text;
        int places;
        bool good;
        int64_t value;
    } rows[] = {{"0", 7, true, 0},
                {"55.7512", 7, true, 557512000},
                {"-55.7512", 7, true, -557512000},
                {"1e1", 7, true, 100000000},
                {"1E+1", 7, true, 100000000},
                {"1.5e-1", 7, true, 1500000},
                {"0.00000005", 7, true, 1},
                {"0.00000004", 7, true, 0},
                {"-0.00000005", 7, true, -1},
                {"0.000000049", 7, true, 0},
                {"12.34567895", 7, true, 123456790},
                {"12e-7", 7, true, 12},
                {"0.1e3", 7, true, 1000000000},
                {"0e99", 7, true, 0},
                {"5e-99", 7, true, 0},
                {"214.7", 7, true, 2147000000},
                {"2140000000", 7, true, INT64_C(21400000000000000)},
                {"1e100", 7, false, 0},
                {"1e-100", 7, false, 0},
                {"1e", 7, false, 0},
                {"1e+", 7, false, 0},
                {"12345e95", 7, false, 0},
                {"0.0000000000000e1", 7, false, 0},
                {"007", 0, true, 7},
                {"-0", 0, true, 0},
                {"1754916284.0", 0, true, 1754916284},
                {"1e9", 0, true, 1000000000},
                {"1.5E1", 0, true, 15},
                {"-150e-1", 0, true, -15},
                {"0e50", 0, true, 0},
                {"0.00", 0, true, 0},
                {"1.5", 0, false, 0},
                {"15e-1", 0, false, 0},
                {"5e-1", 0, false, 0},
                {"1e-99", 0, false, 0},
                {"9223372036854775807.0", 0, true, INT64_MAX},
                {"-9223372036854775808", 0, true, INT64_MIN},
                {"9223372036854775808", 0, false, 0},
                {"-9.223372036854775809e18", 0, false, 0},
                {"1e19", 0, false, 0},
                {"1000000000000000000000.0", 0, false, 0},
                {"0000000000000000000000001", 0, true, 1},
                {"1.00000000000000000000001", 7, true, 10000000},
                {"12345678901234567000e-3", 0, true, INT64_C(12345678901234567)},
                {"0.0000000000000000000001e22", 0, true, 1},
                {"12345678901234567890e-3", 0, false, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t value = 77;
        const bool good =
            avitoi_number_parse(rows[i].text, strlen(rows[i].text), rows[i].places, &value);
        if (good != rows[i].good || (good && value != rows[i].value)) {
            fail_msg("%s: %d, %" PRId64, rows[i].text, good, value);
        }
    }
}

static void test_clock(void **state)
{
    (void)state;
    assert_int_equal(avitoi_number_elapsed(10, 4), 6);
    assert_int_equal(avitoi_number_elapsed(4, UINT32_MAX - 5), 10);
    assert_int_equal(avitoi_number_elapsed(4, 10), 0); /* it went back */
    assert_int_equal(avitoi_number_elapsed(0x80000000u, 0), 0);
    assert_int_equal(avitoi_number_elapsed(0x7fffffffu, 0), 0x7fffffff);
    assert_int_equal(avitoi_number_minus(5, 3), 2);
    assert_int_equal(avitoi_number_minus(3, 5), 0);
    assert_int_equal(avitoi_number_or(0, 7), 7);
    assert_int_equal(avitoi_number_or(1, 7), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_lists_of_words),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_malformed_utf8),
        cmocka_unit_test(test_graphemes),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_json_numbers),
        cmocka_unit_test(test_clock),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
