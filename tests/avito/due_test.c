/* due_test.c - the list of what is due first, beside one that is searched. Rooms: none. */
#include "tools/avito/due.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MANY 300

static due_time times[MANY];
static size_t there;

/* Is it what a search finds? */
static void assert_first(void)
{
    const due_time *first = due_first(), *least = NULL;

    for (size_t i = 0; i < MANY; i++) {
        const due_time *t = &times[i];

        if (t->place != 0 && (least == NULL || (int32_t)(t->at_ms - least->at_ms) < 0)) {
            least = t;
        }
    }
    assert_true((first == NULL) == (least == NULL));
    assert_true(first == NULL || first->at_ms == least->at_ms);
}

static void set(size_t i, uint32_t at_ms)
{
    if (times[i].place == 0) {
        assert_true(due_reserve());
        there++;
    }
    due_at(&times[i], at_ms);
    assert_int_equal(times[i].at_ms, at_ms);
}

static void take_out(size_t i)
{
    there -= times[i].place != 0;
    due_never(&times[i]);
    assert_int_equal(times[i].place, 0);
}

/* The clock runs over its end meanwhile. */
static void test_beside_a_search(void **state)
{
    uint32_t random = 1, now_ms = UINT32_MAX - 500000u;

    (void)state;
    assert_null(due_first());
    for (int i = 0; i < 40000; i++) {
        const size_t which = (random >> 8) % MANY;

        random = random * 1664525u + 1013904223u;
        now_ms += 30;
        if (random >> 30 == 0) {
            take_out(which);
        } else {
            set(which, now_ms + (random >> 16) % 60000u);
        }
        assert_first();
    }
    assert_true(there > MANY / 2);
}

/* All of them come in the order of their times. */
static void test_order(void **state)
{
    uint32_t before = due_first()->at_ms;

    (void)state;
    for (; there > 0; there--) {
        due_time *first = due_first();

        assert_true((int32_t)(first->at_ms - before) >= 0);
        before = first->at_ms;
        due_never(first);
        due_never(first); /* nothing happens */
    }
    assert_null(due_first());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beside_a_search),
        cmocka_unit_test(test_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
