/* ledger_test.c - what became of commands, over a store in memory that can be full, slow or torn.
 * Rooms: none. */
#include "tools/avito/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char disk[1 << 20];
static size_t disk_len;
static int result;     /* of the next append or replace */
static size_t torn_at; /* an append that fails leaves that many bytes */
static unsigned replaced;

static int append(void *ctx, const char *lines, size_t len)
{
    (void)ctx;
    if (result != AVITO_OK) {
        len = result < 0 ? torn_at : 0;
    }
    memcpy(disk + disk_len, lines, len);
    disk_len += len;
    return result;
}

static int replace(void *ctx, const char *lines, size_t len)
{
    (void)ctx;
    if (result == AVITO_OK) {
        memcpy(disk, lines, len);
        disk_len = len;
        replaced++;
    }
    return result;
}

static int load(void *ctx, void (*take)(void *to, const char *lines, size_t len), void *to)
{
    (void)ctx;
    take(to, disk, disk_len);
    return AVITO_OK;
}

static const ledger_store store = {NULL, append, replace, load};
static ledger l;

static size_t open_again(void)
{
    size_t bad = 0;

    ledger_close(&l);
    assert_int_equal(ledger_open(&l, store, &bad), AVITO_OK);
    return bad;
}

static int set_up(void **state)
{
    (void)state;
    disk_len = torn_at = 0;
    result = AVITO_OK;
    replaced = 0;
    memset(&l, 0, sizeof l);
    (void)open_again();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ledger_close(&l);
    return 0;
}

static ledger_entry entry(const char *id, enum ledger_state state)
{
    ledger_entry e;

    memset(&e, 0, sizeof e);
    snprintf(e.id, sizeof e.id, "%s", id);
    e.state = state;
    e.act = "send";
    e.target = "u2i-1";
    e.text = "Привет \"мир\"\n";
    e.baseline_id = "base";
    e.baseline_created = 77;
    e.message_id = state == LEDGER_SENT ? id : "";
    e.reason = "";
    e.begun = 1700000000;
    return e;
}

static int note(const char *id, enum ledger_state state)
{
    const ledger_entry e = entry(id, state);

    return ledger_note(&l, &e);
}

static void test_what_is_begun_survives(void **state)
{
    const ledger_entry *e;

    (void)state;
    assert_int_equal(note("a", LEDGER_BEGUN), AVITO_OK);
    assert_int_equal(open_again(), 0);
    e = ledger_begun(&l, 0);
    assert_non_null(e);
    assert_string_equal(e->id, "a");
    assert_string_equal(e->text, "Привет \"мир\"\n");
    assert_string_equal(e->baseline_id, "base");
    assert_int_equal(e->baseline_created, 77);
    assert_null(ledger_begun(&l, 1));
    assert_int_equal(note("a", LEDGER_SENT), AVITO_OK);
    assert_int_equal(open_again(), 0);
    assert_null(ledger_begun(&l, 0));
    e = ledger_find(&l, "a");
    assert_int_equal(e->state, LEDGER_SENT);
    assert_string_equal(e->message_id, "a");
    assert_null(ledger_find(&l, "b"));
}

static void test_a_full_disk_notes_nothing(void **state)
{
    (void)state;
    result = AVITO_ERR_FILE;
    torn_at = 10; /* a part of the line stays */
    assert_int_equal(note("a", LEDGER_BEGUN), AVITO_ERR_FILE);
    assert_null(ledger_find(&l, "a"));
    result = AVITO_OK;
    assert_int_equal(note("b", LEDGER_BEGUN), AVITO_OK);
    assert_int_equal(replaced, 1); /* so that the rest of the line does not spoil the next one */
    assert_int_equal(open_again(), 0);
    assert_non_null(ledger_find(&l, "b"));
}

static void test_a_slow_store_is_asked_again(void **state)
{
    (void)state;
    result = AVITO_AGAIN;
    assert_int_equal(note("a", LEDGER_BEGUN), AVITO_AGAIN);
    assert_null(ledger_find(&l, "a"));
    result = AVITO_OK;
    assert_int_equal(note("a", LEDGER_BEGUN), AVITO_OK);
    assert_non_null(ledger_find(&l, "a"));
}

static void test_a_torn_end_was_never_durable(void **state)
{
    (void)state;
    assert_int_equal(note("a", LEDGER_BEGUN), AVITO_OK);
    assert_int_equal(note("b", LEDGER_BEGUN), AVITO_OK);
    for (size_t cut = disk_len - 1; disk[cut - 1] != '\n'; cut--) {
        disk_len = cut;
        assert_int_equal(open_again(), 0);
        assert_non_null(ledger_find(&l, "a"));
        assert_null(ledger_find(&l, "b"));
    }
    assert_int_equal(note("c", LEDGER_BEGUN), AVITO_OK);
    assert_int_equal(open_again(), 0);
    assert_non_null(ledger_find(&l, "a"));
    assert_non_null(ledger_find(&l, "c"));
}

static void test_lines_that_make_no_sense_are_counted(void **state)
{
    static const char bad[] = "{\"id\":\"\"}\nno\n{\"id\":\"x\",\"state\":\"odd\"}\n";

    (void)state;
    assert_int_equal(note("a", LEDGER_SENT), AVITO_OK);
    memcpy(disk + disk_len, bad, sizeof bad - 1);
    disk_len += sizeof bad - 1;
    assert_int_equal(open_again(), 3);
    assert_non_null(ledger_find(&l, "a"));
}

static void fill(enum ledger_state state, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[32];

        snprintf(id, sizeof id, "n%zu", i);
        assert_int_equal(note(id, state), AVITO_OK);
    }
}

static void test_the_oldest_settled_makes_room(void **state)
{
    (void)state;
    fill(LEDGER_BEGUN, 2);
    fill(LEDGER_SENT, 1); /* n0 is settled now, and the newest */
    for (size_t i = 0; i < LEDGER_ENTRIES; i++) {
        char id[32];

        snprintf(id, sizeof id, "m%zu", i);
        assert_int_equal(note(id, LEDGER_SENT), AVITO_OK);
    }
    assert_null(ledger_find(&l, "n0"));
    assert_non_null(ledger_find(&l, "n1")); /* it is begun */
    assert_null(ledger_find(&l, "m0"));
    assert_non_null(ledger_find(&l, "m2"));
    assert_int_equal(open_again(), 0);
    assert_non_null(ledger_find(&l, "n1"));
}

static void test_what_is_begun_or_owed_is_never_forgotten(void **state)
{
    ledger_entry e = entry("owed", LEDGER_SENT);

    (void)state;
    e.owed = true;
    assert_int_equal(ledger_note(&l, &e), AVITO_OK);
    assert_true(ledger_has_room(&l));
    fill(LEDGER_BEGUN, LEDGER_ENTRIES - 1);
    assert_false(ledger_has_room(&l));
    assert_int_equal(note("more", LEDGER_BEGUN), AVITO_ERR_ROOM);
    assert_int_equal(note("n5", LEDGER_BEGUN), AVITO_OK); /* what is there has its place */
    ledger_acknowledged(&l, "owed");
    assert_true(ledger_has_room(&l));
    assert_int_equal(note("more", LEDGER_BEGUN), AVITO_OK);
    assert_null(ledger_find(&l, "owed"));
}

static void test_what_no_command_asks_for_again_is_not_owed(void **state)
{
    ledger_entry e = entry("owed", LEDGER_SENT);

    (void)state;
    e.owed = true;
    assert_int_equal(ledger_note(&l, &e), AVITO_OK);
    fill(LEDGER_BEGUN, LEDGER_ENTRIES - 1);
    ledger_owes_none(&l);
    assert_int_equal(note("more", LEDGER_BEGUN), AVITO_OK);
    assert_null(ledger_find(&l, "owed"));
    assert_false(ledger_has_room(&l)); /* what is begun stays */
}

/* Another gateway's may come on top of a full ledger. */
static void test_a_ledger_that_is_over_full_can_be_settled(void **state)
{
    static const char other[] = "{\"id\":\"other\",\"state\":\"begun\",\"act\":\"send\","
                                "\"target\":\"chat\",\"begun\":1,\"hash\":\"1\"}\n";
    ledger_entry e = entry("n5", LEDGER_SENT);

    (void)state;
    e.owed = true;
    fill(LEDGER_BEGUN, LEDGER_ENTRIES);
    assert_int_equal(ledger_merge(&l, other, sizeof other - 1), 1);
    assert_int_equal(ledger_note(&l, &e), AVITO_OK);
    assert_int_equal(ledger_find(&l, "n5")->state, LEDGER_SENT);
    assert_non_null(ledger_find(&l, "other"));
}

static const char *line_of(enum ledger_state state)
{
    static char lines[2][120];
    static unsigned at;

    snprintf(lines[at ^= 1], sizeof *lines,
             "{\"id\":\"a\",\"state\":\"%s\",\"act\":\"send\",\"target\":\"chat\",\"begun\":1,"
             "\"hash\":\"1\"}\n",
             ledger_words[state]);
    return lines[at];
}

/* Two gateways tried the same id: the outcome that all of them report in the end does not depend on who hears
 * whom first. */
static void test_of_two_outcomes_the_safer_one_wins(void **state)
{
    static const enum ledger_state ranked[] = {LEDGER_BEGUN, LEDGER_NOT_SENT, LEDGER_CANNOT_TELL,
                                               LEDGER_SENT};

    (void)state;
    for (size_t i = 0; i < 16; i++) {
        const enum ledger_state one = ranked[i / 4], two = ranked[i % 4];
        const char *first = line_of(one), *second = line_of(two);

        assert_int_equal(ledger_merge(&l, first, strlen(first)), 1);
        assert_int_equal(ledger_merge(&l, second, strlen(second)), i % 4 > i / 4);
        assert_int_equal(ledger_find(&l, "a")->state, i % 4 > i / 4 ? two : one);
        ledger_forget(&l, "a");
    }
}

static void test_the_store_does_not_grow_for_ever(void **state)
{
    size_t most = 0;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        char id[32];

        snprintf(id, sizeof id, "n%d", i);
        assert_int_equal(note(id, LEDGER_BEGUN), AVITO_OK);
        assert_int_equal(note(id, LEDGER_SENT), AVITO_OK);
        most = disk_len > most ? disk_len : most;
    }
    assert_true(most < 3 * LEDGER_ENTRIES * 300);
    assert_int_equal(open_again(), 0);
    assert_non_null(ledger_find(&l, "n4999"));
    assert_non_null(ledger_find(&l, "n4744"));
}

static void test_twins_have_messages_of_their_own(void **state)
{
    const char *ids[4];
    ledger_entry e;

    (void)state;
    assert_int_equal(note("a", LEDGER_BEGUN), AVITO_OK);
    assert_int_equal(note("a", LEDGER_SENT), AVITO_OK);
    assert_int_equal(note("b", LEDGER_BEGUN), AVITO_OK);
    e = entry("c", LEDGER_BEGUN);
    e.text = "anders";
    assert_int_equal(ledger_note(&l, &e), AVITO_OK);
    assert_int_equal(ledger_claimed(&l, ledger_find(&l, "b"), ids, 4), 1);
    assert_string_equal(ids[0], "a");
    assert_int_equal(ledger_claimed(&l, ledger_find(&l, "c"), ids, 4), 0);
    assert_int_equal(open_again(), 0);
    assert_int_equal(ledger_claimed(&l, ledger_find(&l, "b"), ids, 4), 1);
}

/* More twins than there is room for: those that began last are given, since only they can be newer than what
 * was in the chat before the send in doubt. */
static void test_the_newest_of_many_twins(void **state)
{
    const char *ids[4];
    size_t sum = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        char id[16];

        (void)snprintf(id, sizeof id, "%d", i);
        assert_int_equal(note(id, LEDGER_BEGUN), AVITO_OK);
        assert_int_equal(note(id, LEDGER_SENT), AVITO_OK);
    }
    assert_int_equal(note("b", LEDGER_BEGUN), AVITO_OK);
    assert_int_equal(ledger_claimed(&l, ledger_find(&l, "b"), ids, 4), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_in_range(atoi(ids[i]), 6, 9);
        sum += (size_t)atoi(ids[i]);
    }
    assert_int_equal(sum, 6 + 7 + 8 + 9);
}

static void test_what_is_settled_is_known_for_a_day(void **state)
{
    static const char *const ids[] = {"sent", "owed", "begun"};
    const int64_t then = 1700000000;

    (void)state;
    for (int i = 0; i < 3; i++) {
        ledger_entry e = entry(ids[i], i == 2 ? LEDGER_BEGUN : LEDGER_SENT);

        e.begun = then;
        assert_int_equal(ledger_note(&l, &e), AVITO_OK);
    }
    ledger_owed(&l, "owed"); /* its command came again */
    ledger_age(&l, 0);       /* a clock that is not set */
    ledger_age(&l, then + LEDGER_AGE_S);
    assert_non_null(ledger_find(&l, "sent"));
    ledger_age(&l, then + LEDGER_AGE_S + 1);
    assert_null(ledger_find(&l, "sent"));
    assert_non_null(ledger_find(&l, "owed"));
    assert_non_null(ledger_find(&l, "begun"));
    ledger_acknowledged(&l, "owed");
    ledger_age(&l, then + LEDGER_AGE_S + 1);
    assert_null(ledger_find(&l, "owed"));
    assert_non_null(ledger_begun(&l, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_begun_survives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_notes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_slow_store_is_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_torn_end_was_never_durable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lines_that_make_no_sense_are_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_oldest_settled_makes_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_settled_is_known_for_a_day, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_begun_or_owed_is_never_forgotten, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_no_command_asks_for_again_is_not_owed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_ledger_that_is_over_full_can_be_settled, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_of_two_outcomes_the_safer_one_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_store_does_not_grow_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_twins_have_messages_of_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_newest_of_many_twins, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
