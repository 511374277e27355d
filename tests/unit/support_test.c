/* The tests' own tools: do they catch what they are there to catch? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/clock.h"

static void test_clock_wraps_and_keeps_milliseconds(void **state)
{
    struct clock clock;

    (void)state;
    clock_init(&clock);
    uint32_t before = clock_ms(&clock);
    int64_t unix_before = clock_unix_time(&clock);
    for (int i = 0; i < 10; i++) {
        clock_advance(&clock, 1500);
    }
    assert_true(clock_ms(&clock) < before);
    assert_int_equal(clock_ms(&clock) - before, 15000);
    assert_int_equal(clock_unix_time(&clock) - unix_before, 15);
}

static void test_entropy_repeats_and_can_fail(void **state)
{
    struct clock a, b;
    unsigned char x[32], y[32], zero[32] = {0};

    (void)state;
    clock_init(&a);
    clock_init(&b);
    assert_int_equal(clock_entropy(&a, x, sizeof x), 0);
    assert_int_equal(clock_entropy(&b, y, 16), 0);
    assert_int_equal(clock_entropy(&b, y + 16, 16), 0);
    assert_memory_equal(x, y, sizeof x);
    assert_memory_not_equal(x, zero, sizeof x);
    a.entropy_result = -115;
    assert_int_equal(clock_entropy(&a, x, sizeof x), -115);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_wraps_and_keeps_milliseconds),
        cmocka_unit_test(test_entropy_repeats_and_can_fail),
    };
    return cmocka_run_group_tests_name("support", tests, NULL, NULL);
}
