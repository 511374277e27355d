/* russian_test.c - every error of the library has a Russian text. Rooms: ERRORS. */
#include "tools/avito/russian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static void test_each_error_has_a_text(void **state)
{
    static const int results[] = {
#define ROW(name, value, what, remedy) value,
        AVITO_ERRORS(ROW)
#undef ROW
    };

    (void)state;
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        if (error_in_russian(results[i]) == NULL) {
            fail_msg("%s has no Russian text", avito_error_name(results[i]));
        }
    }
    assert_null(error_in_russian(AVITO_OK));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_error_has_a_text)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
