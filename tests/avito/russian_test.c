/* russian_test.c - every error of the library has a text for people, in both languages. Rooms: ERRORS. */
#include "tools/avito/language.h"
#include "tools/avito/russian.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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
    static const char *const languages[] = {"C", "ru"};

    (void)state;
    for (size_t l = 0; l < 2; l++) {
        unsigned of_program = 0;

        language_set(languages[l]);
        for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
            const char *text = error_text(results[i]);
            const bool is_option =
                results[i] == AVITO_ERR_IDLE || (results[i] <= -150 && results[i] > -200);

            of_program += text == error_text(AVITO_ERR_NONE);
            if (text == error_text(AVITO_ERR_NONE) && !is_option) {
                fail_msg("%s has no text in tools/avito/russian.c", avito_error_name(results[i]));
            }
            if (strstr(text, "error.") != NULL || strchr(text, '_') != strstr(text, "_CA_FILE") ||
                strstr(text, "()") != NULL) {
                fail_msg("%s is for programmers: %s", avito_error_name(results[i]), text);
            }
        }
        assert_in_range(of_program, 1, 16);
    }
    language_set("C");
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

/* The last text of a line of the header's, between quotation marks. NULL: none. */
static const char *last_text(char *line)
{
    char *end = strrchr(line, '"'), *begin;

    if (end == NULL) {
        return NULL;
    }
    *end = '\0';
    begin = strrchr(line, '"');
    return begin != NULL && begin[1] != '\0' ? begin + 1 : NULL;
}

static void test_all_that_the_store_says(void **state)
{
    FILE *header = fopen("avito_messenger.h", "r");
    char line[256], problem[400];
    int count = 0;

    (void)state;
    assert_non_null(header);
    language_set("ru");
    while (fgets(line, sizeof line, header) != NULL) {
        const char *text = strstr(line, "avitoi_store_failed(") != NULL ||
                                   strstr(line, "avitoi_store_busy(") != NULL
                               ? last_text(line)
                               : NULL;

        if (text != NULL) {
            snprintf(problem, sizeof problem, "/x: %s", text);
            count++;
            if (strcmp(problem_text(problem), problem) == 0) {
                fail_msg("not in Russian: %s", text);
            }
        }
    }
    language_set("C");
    fclose(header);
    assert_true(count > 12);
}

static void test_what_a_disk_says(void **state)
{
    static const int numbers[] = {EACCES, ENOENT, EEXIST, ENOTDIR, EISDIR, ENOSPC,
                                  EDQUOT, EFBIG,  EROFS,  EIO,     EBADF,  ENOLCK};

    (void)state;
    language_set("ru");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        assert_string_not_equal(system_text(numbers[i]), strerror(numbers[i]));
    }
    language_set("C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_error_has_a_text), cmocka_unit_test(test_what_the_store_says),
        cmocka_unit_test(test_all_that_the_store_says), cmocka_unit_test(test_what_a_disk_says)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
