/* russian_test.c - every error of the library has a Russian text. Rooms: ERRORS. */
#include "tools/avito/language.h"
#include "tools/avito/russian.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
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

static void test_what_the_store_says(void **state)
{
    char no_room[200], no_rights[200];

    (void)state;
    snprintf(no_room, sizeof no_room, "/state/shop/tokens: cannot be written: %s",
             strerror(ENOSPC));
    snprintf(no_rights, sizeof no_rights, "/state/cannot be read: cannot be made: %s",
             strerror(EACCES));
    assert_string_equal(problem_text(no_room), no_room);
    language_set("ru");
    assert_string_equal(problem_text(no_room),
                        "/state/shop/tokens: не записать: на диске нет места");
    assert_string_equal(problem_text(no_rights), "/state/cannot be read: не создать: нет прав");
    assert_string_equal(problem_text("/x: the inbox is in use by process 77 avito watch"),
                        "/x: входящие уже читает процесс 77 avito watch");
    assert_string_equal(problem_text(""), "");
    assert_string_equal(system_text(EIO), "ошибка ввода-вывода");
    language_set("C");
    assert_string_equal(system_text(EIO), strerror(EIO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_error_has_a_text),
                                       cmocka_unit_test(test_what_the_store_says)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
