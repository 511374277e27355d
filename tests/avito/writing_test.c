/* writing_test.c - writes on threads: each reaches the disk, its result comes once, and a later
 * write with other bytes wins. Rooms: none. */
#include "tools/avito/writing.h"

#include "tools/avito/disk.h"

#include "avito_messenger.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MANY 100

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "build/writing_test.XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    char words[100];

    (void)state;
    snprintf(words, sizeof words, "rm -rf %s", folder);
    return system(words);
}

static void wake(void *ctx)
{
    *(bool *)ctx = true;
}

static void wait_for_some(void)
{
    struct pollfd fd = {writing_fd(), POLLIN, 0};

    assert_int_equal(poll(&fd, 1, 20000), 1);
    writing_take();
}

static void assert_file(const char *name, const char *text)
{
    char *data;
    size_t len;

    assert_int_equal(disk_read(folder, name, &data, &len), AVITO_OK);
    assert_string_equal(data, text);
    free(data);
}

static void test_many_at_once(void **state)
{
    static writing all[MANY];
    static bool woken[MANY], done[MANY];
    static writing_waiter waiters[MANY];
    size_t left = MANY;
    char name[16];

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "f%zu", i);
        waiters[i] = (writing_waiter){wake, &woken[i]};
        assert_int_equal(
            writing_step(&all[i], disk_append, folder, name, name, strlen(name), &waiters[i]),
            AVITO_AGAIN);
    }
    while (left > 0) {
        wait_for_some();
        for (size_t i = 0; i < MANY; i++) {
            if (woken[i] && !done[i]) {
                snprintf(name, sizeof name, "f%zu", i);
                assert_int_equal(writing_step(&all[i], disk_append, folder, name, name,
                                              strlen(name), &waiters[i]),
                                 AVITO_OK);
                assert_file(name, name);
                done[i] = true;
                left--;
            }
        }
    }
    for (size_t i = 0; i < MANY; i++) {
        writing_end(&all[i]);
    }
}

static int finish(writing *w, const char *in, const char *text)
{
    bool woken = false;
    const writing_waiter waiter = {wake, &woken};
    int rc;

    while ((rc = writing_step(w, disk_write, in, "one", text, strlen(text), &waiter)) ==
           AVITO_AGAIN) {
        wait_for_some();
    }
    return rc;
}

static void test_other_bytes_follow(void **state)
{
    writing w;
    bool woken = false;
    const writing_waiter waiter = {wake, &woken};

    (void)state;
    memset(&w, 0, sizeof w);
    assert_int_equal(writing_step(&w, disk_write, folder, "one", "first", 5, &waiter), AVITO_AGAIN);
    assert_int_equal(finish(&w, folder, "second"), AVITO_OK);
    assert_file("one", "second");
    assert_int_equal(writing_step(&w, disk_write, folder, "one", "third", 5, NULL), AVITO_AGAIN);
    writing_end(&w); /* waits for it */
    assert_file("one", "third");
    writing_take();
}

static void test_an_error_is_told(void **state)
{
    writing w;

    (void)state;
    memset(&w, 0, sizeof w);
    assert_int_equal(finish(&w, "build/no/such/folder", "text"), AVITO_ERR_FILE);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(finish(&w, folder, "text"), AVITO_OK);
    writing_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_bytes_follow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_error_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
