/*
 * Every result has a name, a text and a remedy; a text that several share is stored once.
 * Rooms: ERRORS, ERROR TEXTS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "avito_messenger.h"

#define NAME(name, value, text, remedy)   #name,
#define VALUE(name, value, text, remedy)  value,
#define TEXT(name, value, text, remedy)   text,
#define REMEDY(name, value, text, remedy) remedy,

static const char *const names[] = {AVITO_ERRORS(NAME)};
static const int values[] = {AVITO_ERRORS(VALUE)};
static const char *const texts[] = {AVITO_ERRORS(TEXT)};
static const char *const remedies[] = {AVITO_ERRORS(REMEDY)};

static void test_all_errors(void **state)
{
    const char *remedy = "";
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        remedy = remedies[i][0] != '\0' ? remedies[i] : remedy;
        assert_string_equal(avito_error_name(values[i]), names[i]);
        assert_string_equal(avito_error_text(values[i]), texts[i]);
        assert_string_equal(avito_error_remedy(values[i]), remedy);
        assert_true(strlen(texts[i]) > 8 && strlen(remedy) > 8);
    }
    assert_string_equal(avito_error_remedy(AVITO_ERR_TLS_TIME),
                        avito_error_remedy(AVITO_ERR_TLS_TRUST));
}

static void test_others(void **state)
{
    static const int unknown[] = {3, -1, -100, -119, -309, -515, -1000};
    (void)state;
    assert_string_equal(avito_error_name(AVITO_OK), "OK");
    assert_string_equal(avito_error_name(AVITO_AGAIN), "AGAIN");
    assert_string_equal(avito_error_name(AVITO_END), "END");
    assert_string_equal(avito_error_text(AVITO_END), "the list is over");
    assert_string_equal(avito_error_remedy(AVITO_OK), "go on");
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        assert_string_equal(avito_error_name(unknown[i]), "UNKNOWN");
        assert_string_equal(avito_error_text(unknown[i]), "no error of this library");
        assert_string_equal(avito_error_remedy(unknown[i]), "look where it comes from");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_errors),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
