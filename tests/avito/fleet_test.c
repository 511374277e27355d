/* fleet_test.c - rules F1 to F9 of a fleet, one by one, over a broker in memory (fleet_world.h).
 * tests/avito/fleet_plants.py leaves each rule out and expects a failure here.
 * Rooms: none. */
#include "fleet_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static const char begun_line[] =
    "{\"id\":\"c1\",\"state\":\"begun\",\"act\":\"send\",\"target\":\"chat\","
    "\"begun\":1,\"hash\":\"1\",\"text\":\"hallo\",\"baseline\":\"\",\"created\":0}\n";
static const char sent_line[] =
    "{\"id\":\"c1\",\"state\":\"sent\",\"act\":\"send\",\"target\":\"chat\","
    "\"begun\":1,\"hash\":\"1\",\"message_id\":\"m1\"}\n";

static int tear_down(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static fleet_account *account_at(size_t node, size_t account)
{
    return &world.nodes[node].accounts[account].core;
}

static const char *word_of(size_t account)
{
    static char word[16];
    char topic[64];
    const struct world_event *e;

    snprintf(topic, sizeof topic, "avito/shop%zu/status", account);
    e = world_stored(topic);
    snprintf(word, sizeof word, "%.*s", (int)e->len, e->payload != NULL ? e->payload : "");
    return word;
}

static bool waits_at_least(uint32_t ms, size_t account)
{
    const uint32_t end = world.now_ms + ms;

    while (world.now_ms < end) {
        world_run(10);
        if (world_holder(account) != -1) {
            return false;
        }
    }
    return true;
}

/* A status that another node left. */
static void say_status(const char *word, const char *node, const char *key, const char *epoch)
{
    const mqtt_pair pairs[] = {{"node", node}, {"key", key}, {"epoch", epoch}};
    mqtt_publication p;

    memset(&p, 0, sizeof p);
    p.topic = "avito/shop0/status";
    p.payload = (avito_str){word, strlen(word)};
    p.retain = true;
    p.pairs = pairs;
    p.pairs_count = 3;
    (void)world_publish(&p);
}

static void say_lines(const char *topic, bool retain, const char *lines, const char *epoch)
{
    const mqtt_pair pairs[] = {{"epoch", epoch}, {"session", "77"}};
    char text[1024];
    mqtt_publication p;

    snprintf(text, sizeof text, "ledger\n%s", lines);
    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload = (avito_str){text, strlen(text)};
    p.retain = retain;
    p.pairs = pairs;
    p.pairs_count = 2;
    (void)world_publish(&p);
}

/* A beat of a node that is not there. */
static void say_beat(const char *node, const char *beat)
{
    mqtt_publication p;
    char topic[64];

    snprintf(topic, sizeof topic, "avito/fleet/test/nodes/%s", node);
    memset(&p, 0, sizeof p);
    p.topic = topic;
    p.payload = (avito_str){beat, strlen(beat)};
    p.retain = true;
    (void)world_publish(&p);
}

static unsigned count_in_log(const char *what)
{
    unsigned count = 0;

    for (const char *at = world.log; (at = strstr(at, what)) != NULL; at++) {
        count++;
    }
    return count;
}

/* Runs until the only node claims the only account; its publications get no PUBACK. */
static fleet_account *begin_claim(void)
{
    fleet_account *a = account_at(0, 0);

    world_begin(1, 1, 1);
    world.swallow_acks = true;
    for (int ms = 0; ms < 8000 && a->state != FLEET_CLAIMING; ms += 10) {
        world_run(10);
    }
    world_run(20);
    assert_int_equal(a->state, FLEET_CLAIMING);
    return a;
}

static void say_ledger(const char *lines, const char *epoch)
{
    say_lines("avito/shop0/fleet/ledger", true, lines, epoch);
}

static void say_hint(const char *lines, const char *epoch)
{
    say_lines("avito/shop0/fleet/hint", false, lines, epoch);
}

/* ---- F1 ---- */

/* The vector is Python's: hmac.new(b"0123456789abcdef", b"client id\0shop", "sha256"), six bits a letter. */
static void test_client_ids_are_secret(void **state)
{
    char id[FLEET_CLIENT_ID], other[FLEET_CLIENT_ID], path[80], path2[80];

    (void)state;
    fleet_client_id("0123456789abcdef", 16, "shop", id);
    assert_string_equal(id, "avito-pSGfEj2hr7bKjVECcxZCY9");
    assert_int_equal(strlen(id), 28);
    fleet_client_id("0123456789abcdef", 16, "shop2", other);
    assert_string_not_equal(id, other);
    fleet_client_id("0123456789abcdeg", 16, "shop", other);
    assert_string_not_equal(id, other);
    fleet_path("0123456789abcdef", 16, path, sizeof path);
    fleet_path("0123456789abcdeg", 16, path2, sizeof path2);
    assert_int_equal(strlen(path), 33);
    assert_string_not_equal(path, path2);
}

static void test_what_cannot_be_in_a_fleet(void **state)
{
    (void)state;
    assert_null(fleet_objection(16, false));
    assert_non_null(strstr(fleet_objection(15, false), "16 bytes"));
    assert_non_null(strstr(fleet_objection(16, true), "refresh token"));
}

/* ---- F2 ---- */

static void test_a_claim_in_its_order(void **state)
{
    static const char *const steps[] = {"connect shop0",
                                        "subscribe shop0",
                                        "publish  avito/shop0/fleet/mark",
                                        "publish  avito/shop0/fleet/probe",
                                        "unsubscribe avito/shop0/fleet/inbox",
                                        "retain  avito/shop0/fleet/ledger",
                                        "retain online avito/shop0/status",
                                        "begin shop0"};
    const char *at = world.log;

    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    assert_int_equal(world_holder(0), 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        const char *found = strstr(at, steps[i]);

        if (found == NULL) {
            fail_msg("%s is not where it belongs in\n%s", steps[i], world.log);
        }
        at = found;
    }
    assert_true(account_at(0, 0)->can_tell);
    assert_string_equal(word_of(0), "online");
}

static void test_nothing_is_touched_before_online(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world.swallow_acks = true;
    world_run(14000);
    assert_int_equal(world_holder(0), -1);
    assert_null(strstr(world.log, "retain  avito/shop0/fleet/ledger"));
    assert_null(strstr(world.log, "online"));
    world_end();
    world_begin(1, 1, 1);
    world.swallow_status = true;
    assert_true(waits_at_least(9000, 0));
    assert_non_null(strstr(world.log, "retain online"));
}

/* Commands come at once, before the claim is complete: they are kept. */
static void test_early_commands_are_kept(void **state)
{
    struct world_account *own = &world.nodes[0].accounts[0];
    mqtt_publication p;

    (void)state;
    world_begin(1, 1, 1);
    world_run(500);
    world.swallow_acks = true; /* so that the claim does not end */
    for (int i = 0; i < 1000 && own->core.state != FLEET_CLAIMING; i++) {
        world_run(10);
    }
    world_run(20);
    memset(&p, 0, sizeof p);
    p.topic = "avito/shop0/send/chat";
    p.payload = (avito_str){"hallo", 5};
    (void)world_publish(&p);
    world_run(20);
    assert_int_equal(own->core.state, FLEET_CLAIMING);
    assert_int_equal(own->kept, 1);
}

static void test_the_epoch_is_above_all_that_were_seen(void **state)
{
    static const char *const from[] = {"status", "ledger", "beat", "file", "hint", "inbox"};

    (void)state;
    for (int i = 0; i < 6; i++) {
        world_begin(1, 1, 3);
        if (i == 3) {
            world_kill(0);
            world.nodes[0].accounts[0].kept_epoch = 41;
            world_start(0);
        }
        say_status("offline", "n9", "00", i == 0 ? "41" : "3");
        say_ledger("", i == 1 ? "41" : "3");
        if (i == 2) {
            say_beat("n9",
                     "{\"node\":\"n9\",\"load\":1,\"accounts\":{\"shop0\":41},\"serves\":[]}");
        }
        if (i == 5) {
            say_lines("avito/shop0/fleet/inbox", true, "", "41");
        }
        if (i == 4) {
            const mqtt_pair pair = {"epoch", "41"};
            mqtt_publication p;

            world_run(500);
            memset(&p, 0, sizeof p);
            p.topic = "avito/shop0/fleet/hint";
            p.payload = (avito_str){"ledger\n", 7};
            p.pairs = &pair;
            p.pairs_count = 1;
            (void)world_publish(&p);
        }
        world_run(15000);
        if (account_at(0, 0)->epoch != 42) {
            fail_msg("%s: %u", from[i], (unsigned)account_at(0, 0)->epoch);
        }
        assert_int_equal(world.nodes[0].accounts[0].kept_epoch, 42);
        world_end();
    }
}

static void test_a_claim_takes_ten_seconds_at_most(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world_run(500);
    world.swallow_acks = true;
    world_run(25000);
    assert_int_equal(world_holder(0), -1);
    assert_non_null(strstr(world.log, "close shop0"));
    assert_non_null(strstr(world.nodes[0].said, "in time"));
    world.swallow_acks = false;
    world_run(20000);
    assert_int_equal(world_holder(0), 0);
}

static void test_what_the_broker_cannot_do_is_said(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world.expiry_s = 3600;
    world.no_probe = true;
    world_run(15000);
    assert_non_null(strstr(world.nodes[0].said, "7 days"));
    assert_int_equal(world_holder(0), 0);
    assert_false(account_at(0, 0)->can_tell);
    world_end();
    world_begin(1, 1, 1);
    world.no_retain = true;
    world_run(15000);
    assert_non_null(strstr(world.nodes[0].said, "retained"));
    assert_int_equal(world_holder(0), -1);
    world_end();
    world_begin(1, 1, 1);
    world.no_qos1 = true;
    world_run(15000);
    assert_non_null(strstr(world.nodes[0].said, "QoS 1"));
    assert_int_equal(world_holder(0), -1);
}

/* The session's number comes with the ledger, as long as the broker keeps the session. */
static void test_the_session_travels(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world.session[0] = true;
    say_ledger("", "3");
    say_status("offline", "n9", "00", "3");
    world_run(15000);
    assert_int_equal(account_at(0, 0)->session, 77);
    world_end();
    world_begin(1, 1, 1);
    say_ledger("", "3");
    say_status("offline", "n9", "00", "3");
    world_run(15000);
    assert_int_not_equal(account_at(0, 0)->session, 77);
}

/* A state that cannot be read does not count as missing (G8). */
static void test_state_that_cannot_be_read_ends_the_claim(void **state)
{
    static const char *const topics[] = {"avito/shop0/fleet/ledger", "avito/shop0/fleet/inbox"};
    mqtt_event e;

    (void)state;
    for (int i = 0; i < 3; i++) {
        fleet_account *a = begin_claim();

        memset(&e, 0, sizeof e);
        e.kind = i < 2 ? MQTT_LARGE : MQTT_MESSAGE;
        e.message.topic = (avito_str){topics[i > 0], strlen(topics[i > 0])};
        e.message.payload = (avito_str){i < 2 ? NULL : "", i < 2 ? 70000 : PTRDIFF_MAX};
        e.message.retain = true;
        assert_true(fleet_reads(a, e.message.topic));
        assert_int_equal(fleet_account_event(a, &e, world.now_ms), FLEET_TAKEN);
        assert_int_equal(a->state, FLEET_WAITING);
        assert_non_null(strstr(world.nodes[0].said, "no memory"));
        world_end();
    }
}

/* Step 5 comes after the marker, its PUBACK, and the probe's. */
static void test_a_claim_waits_for_both_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        fleet_account *a = begin_claim();
        const uint16_t numbers[2] = {a->priv.marker, a->priv.probe};
        struct world_line *line = &world.nodes[0].accounts[0].line;

        assert_true(a->priv.marked);
        world_answer(line, MQTT_ACKNOWLEDGED, numbers[i], 0);
        world_run(4000);
        assert_null(strstr(world.log, "unsubscribe"));
        world_answer(line, MQTT_ACKNOWLEDGED, numbers[1 - i], 0);
        world_run(100);
        assert_non_null(strstr(world.log, "unsubscribe"));
        world_end();
    }
}

/* Marker and probe find no room at first. */
static void test_marker_and_probe_wait_for_room(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world.crowded = 90;
    world_run(15000);
    assert_int_equal(world.claims, 1);
    assert_int_equal(world_holder(0), 0);
}

/* A former holder's, on its way to the session: what is stored counts. */
static void test_only_stored_state_is_read(void **state)
{
    fleet_account *a = begin_claim();
    mqtt_event e;

    (void)state;
    memset(&e, 0, sizeof e);
    e.kind = MQTT_MESSAGE;
    e.message.topic = (avito_str){"avito/shop0/fleet/inbox", 23};
    e.message.payload = (avito_str){"old", 3};
    assert_int_equal(fleet_account_event(a, &e, world.now_ms), FLEET_TAKEN);
    assert_false(a->priv.has_inbox);
    e.message.retain = true;
    assert_int_equal(fleet_account_event(a, &e, world.now_ms), FLEET_TAKEN);
    assert_true(a->priv.has_inbox);
}

static void test_a_claim_that_is_denied_ends(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world.denies_ledger = true;
    world_run(30000);
    assert_int_equal(world_holder(0), -1);
    assert_int_equal(world.claims, 1);
    assert_non_null(strstr(world.log, "close shop0"));
    world.denies_ledger = false;
    world_run(60000);
    assert_int_equal(world_holder(0), 0);
}

/* Others go first, if there are any. */
static void test_who_cannot_serve_it_waits(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world.cannot_serve = true;
    world_run(30000);
    assert_int_equal(world.claims, 1);
    assert_string_equal(word_of(0), "offline");
    world.cannot_serve = false;
    world_run(60000);
    assert_int_equal(world_holder(0), 0);
}

/* ---- F3 ---- */

static void test_online_without_beats_is_offline(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    say_status("online", "n9", "00", "3");
    assert_true(waits_at_least(19500, 0));
    world_run(10000);
    assert_int_equal(world_holder(0), 0);
}

static void test_beats_keep_an_account(void **state)
{
    (void)state;
    world_begin(2, 1, 1);
    world_run(15000);
    for (int i = 0; i < 20; i++) {
        const int holder = world_holder(0);
        const unsigned claims = world.claims;

        assert_in_range(holder, 0, 1);
        world_run(5000);
        assert_int_equal(world_holder(0), holder);
        assert_int_equal(world.claims, claims);
    }
}

/* 25 days on one connection: more milliseconds than a signed number counts. */
static void test_beats_keep_an_account_for_months(void **state)
{
    int holder;
    unsigned claims;

    (void)state;
    world_begin(2, 1, 1);
    world_run(20000);
    holder = world_holder(0);
    claims = world.claims;
    for (size_t n = 0; n < 2; n++) {
        world.nodes[n].fleet.priv.since_ms -= 25u * 86400000u;
    }
    world_run(60000);
    assert_int_equal(world_holder(0), holder);
    assert_int_equal(world.claims, claims);
}

/* A beat with the shortest names. */
static void test_a_beat_of_many_accounts_is_read(void **state)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    char beat[1024] = "{\"accounts\":{\"shop0\":3";

    (void)state;
    for (size_t i = 0; letters[i] != '\0'; i++) {
        snprintf(beat + strlen(beat), sizeof beat - strlen(beat), ",\"%c\":1", letters[i]);
    }
    strcat(beat, "}}");
    world_begin(1, 1, 1);
    say_status("online", "n9", "00", "3");
    for (int i = 0; i < 8; i++) {
        say_beat("n9", beat);
        assert_true(waits_at_least(5000, 0));
    }
}

/* Where each start brings a new name, those that were killed stay with the broker. */
static void test_dead_nodes_take_no_place(void **state)
{
    unsigned claims;

    (void)state;
    world_begin(2, 1, 1);
    for (int i = 0; i < FLEET_NODES; i++) {
        char name[16];

        snprintf(name, sizeof name, "a%d", i);
        say_beat(name, "{}");
    }
    world_run(20000);
    claims = world.claims;
    world_run(60000);
    assert_int_equal(world.claims, claims);
}

/* A former holder that does not know it yet. */
static void test_only_the_holder_s_beats_count(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    say_status("online", "n9", "00", "3");
    for (int i = 0; i < 8; i++) {
        say_beat("n8", "{\"load\":1,\"accounts\":{\"shop0\":2}}");
        world_run(5000);
    }
    assert_int_equal(world_holder(0), 0);
}

static void test_beats_are_retained(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    assert_non_null(world_stored("avito/fleet/test/nodes/n0")->payload);
}

/* ---- F4 ---- */

static void test_who_lost_its_connection_looks_first(void **state)
{
    int holder;

    (void)state;
    world_begin(2, 1, 1);
    world_run(20000);
    holder = world_holder(0);
    assert_in_range(holder, 0, 1);
    world.nodes[holder].accounts[0].line.has_will = false;
    world.nodes[holder].accounts[0].line.cut = true; /* the line broke */
    world_run(20);
    assert_int_equal(world_holder(0), -1);
    assert_true(waits_at_least(20, 0));
    world_run(400);
    assert_int_equal(world_holder(0), holder); /* its own key: at once */
}

static void test_another_s_key_means_standing_by(void **state)
{
    int holder, other;
    unsigned claims;

    (void)state;
    world_begin(2, 1, 1);
    world_run(20000);
    holder = world_holder(0);
    other = 1 - holder;
    world.nodes[holder].stopped = true;
    world_run(3000);
    world_keep_alive_over((size_t)holder);
    world_run(40000);
    assert_true(world.nodes[other].accounts[0].active);
    claims = world.claims;
    world.nodes[holder].stopped = false;
    world_run(30000);
    assert_int_equal(world_holder(0), other);
    assert_int_equal(world.claims, claims);
}

static void test_without_the_node_s_connection_nobody_claims(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    world_broker_dies();
    world_run(5000);
    assert_int_equal(world_holder(0), -1);
    world.claims = 0;
    world_run(30000);
    assert_int_equal(world.claims, 0);
    world.up = true;
    world_run(5000);
    assert_int_equal(world_holder(0), 0);
    world_end();
    world_begin(1, 1, 1);
    say_status("online", "n9", "00", "3");
    world_run(5000);
    world.no_node_lines = world.nodes[0].line.cut = true;
    world_run(60000);
    assert_int_equal(world.claims, 0);
}

/* ---- F5 ---- */

static void test_a_standby_waits(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 20; seed++) {
        world_begin(1, 1, seed);
        say_status("offline", "n9", "00", "3");
        assert_true(waits_at_least(1000, 0));
        world_run(8000);
        assert_int_equal(world_holder(0), 0);
        world_end();
    }
}

/* Its status says "offline", by an old will: it is there all the same. */
static void test_a_beat_ends_the_wait(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    say_status("offline", "n9", "00", "3");
    for (int i = 0; i < 12; i++) {
        say_beat("n9", "{\"load\":1,\"accounts\":{\"shop0\":3}}");
        assert_true(waits_at_least(900, 0));
    }
    assert_int_equal(world.claims, 0);
    world_run(8000);
    assert_int_equal(world_holder(0), 0);
}

/* Even that of the former holder, which waits only for a moment. */
static void test_online_ends_the_wait(void **state)
{
    fleet_account *a = account_at(0, 0);

    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    world.nodes[0].accounts[0].line.has_will = false;
    world.nodes[0].accounts[0].line.cut = true;
    for (int ms = 0; ms < 1000 && a->state != FLEET_WAITING; ms++) {
        world_run(1);
    }
    assert_true(a->priv.ours);
    say_status("online", "n9", "00", "0");
    assert_true(waits_at_least(19000, 0));
    assert_int_equal(world.claims, 1);
}

static void test_no_herd(void **state)
{
    unsigned claims = 0, most = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world_begin(4, 6, seed);
        for (int i = 0; i < 2000; i++) {
            world_run(10);
            for (size_t n = 0; n < 4; n++) {
                unsigned under_way = 0;

                for (size_t a = 0; a < 6; a++) {
                    under_way += account_at(n, a)->state == FLEET_CLAIMING;
                }
                most = under_way > most ? under_way : most;
            }
        }
        for (size_t a = 0; a < 6; a++) {
            assert_in_range(world_holder(a), 0, 3);
        }
        claims += world.claims;
        world_end();
    }
    assert_in_range(most, 1, FLEET_CLAIMS);
    assert_in_range(claims, 120, 300); /* 6 accounts, 20 worlds: with 120 no claim was in vain */
}

static void test_at_most_four_claims_at_once(void **state)
{
    unsigned most = 0;

    (void)state;
    world_begin(1, 12, 1);
    for (int i = 0; i < 3000; i++) {
        unsigned under_way = 0;

        world_run(10);
        for (size_t a = 0; a < 12; a++) {
            under_way += account_at(0, a)->state == FLEET_CLAIMING;
        }
        most = under_way > most ? under_way : most;
    }
    assert_int_equal(most, FLEET_CLAIMS);
    for (size_t a = 0; a < 12; a++) {
        assert_int_equal(world_holder(a), 0);
    }
}

/* A standby that slept for an hour has heard no beats for an hour: this says nothing about the
 * holder. */
static void after_a_gap_timers_start_again(uint64_t seed)
{
    int holder;
    unsigned claims;

    world_begin(2, 1, seed);
    world_run(20000);
    holder = world_holder(0);
    claims = world.claims;
    world.nodes[1 - holder].stopped = true;
    world.nodes[1 - holder].line.connected = false; /* it hears nothing meanwhile */
    world_run(60000);
    world.nodes[1 - holder].line.connected = true;
    world.nodes[1 - holder].stopped = false;
    world_run(30000);
    assert_int_equal(world_holder(0), holder);
    assert_int_equal(world.claims, claims);
}

static void test_after_a_gap_timers_start_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        after_a_gap_timers_start_again(seed);
        world_end();
    }
}

/* ---- F6 ---- */

static void test_the_union_is_published(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world_kill(0);
    free(world.nodes[0].accounts[0].file);
    world.nodes[0].accounts[0].file = strdup(begun_line);
    say_ledger("{\"id\":\"c2\",\"state\":\"sent\",\"act\":\"send\",\"target\":\"chat\",\"begun\":2,"
               "\"hash\":\"2\"}\n",
               "3");
    say_status("offline", "n9", "00", "3");
    world_start(0);
    world_run(15000);
    assert_int_equal(world_holder(0), 0);
    assert_non_null(strstr(world_stored("avito/shop0/fleet/ledger")->payload, "\"c1\""));
    assert_non_null(strstr(world_stored("avito/shop0/fleet/ledger")->payload, "\"c2\""));
}

static void test_the_further_state_wins(void **state)
{
    ledger l;

    (void)state;
    memset(&l, 0, sizeof l);
    assert_int_equal(ledger_merge(&l, begun_line, strlen(begun_line)), 1);
    assert_int_equal(ledger_merge(&l, sent_line, strlen(sent_line)), 1);
    assert_int_equal(ledger_find(&l, "c1")->state, LEDGER_SENT);
    assert_int_equal(ledger_merge(&l, begun_line, strlen(begun_line)), 0);
    assert_int_equal(ledger_find(&l, "c1")->state, LEDGER_SENT);
    ledger_close(&l);
}

/* Writes a line of an account's ledger. */
static int append(fleet_account *a, const char *line)
{
    return fleet_append(a, line, strlen(line), false);
}

/* The broker forgot, the holder that knew is dead, and a watcher saw it. */
static void hints_bring_back_what_the_broker_forgot(uint64_t seed)
{
    fleet_account *a;
    int holder, other;

    world_begin(3, 1, seed);
    world_run(20000);
    holder = world_holder(0);
    assert_in_range(holder, 0, 2);
    a = account_at((size_t)holder, 0);
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    world_run(100);
    assert_int_equal(append(a, begun_line), AVITO_OK);
    world_run(2000);
    world_broker_dies();
    say_ledger("", "0");
    world_forgets("avito/shop0/fleet/ledger");
    world_kill((size_t)holder);
    other = holder == 0 ? 1 : 0;
    world_kill((size_t)other); /* one watcher forgets, too: the other one has to report it */
    free(world.nodes[other].accounts[0].file);
    world.nodes[other].accounts[0].file = NULL;
    world.nodes[other].accounts[0].kept_epoch = 0;
    say_status("offline", "n9", "00", "0");
    world.up = true;
    world_start((size_t)other);
    world_run(30000);
    assert_in_range(world_holder(0), 0, 2);
    assert_non_null(strstr(world_stored("avito/shop0/fleet/ledger")->payload, "\"c1\""));
    assert_true(account_at((size_t)other, 0)->priv.seen_epoch > 1);
}

static void test_hints_bring_back_what_the_broker_forgot(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        hints_bring_back_what_the_broker_forgot(seed);
        world_end();
    }
}

/* Two nodes: one holds the account and has noted c1. Then the broker goes back to a ledger without it. Returns the holder. */
static size_t forget_a_note(void)
{
    size_t holder;

    world_begin(2, 1, 1);
    world_run(20000);
    holder = (size_t)world_holder(0);
    assert_int_equal(append(account_at(holder, 0), begun_line), AVITO_AGAIN);
    world_run(100);
    assert_int_equal(append(account_at(holder, 0), begun_line), AVITO_OK);
    world_run(6000);
    return holder;
}

static bool broker_knows_c1(void)
{
    const struct world_event *e = world_stored("avito/shop0/fleet/ledger");
    char text[1024];

    snprintf(text, sizeof text, "%.*s", (int)e->len, e->payload);
    return strstr(text, "\"c1\"") != NULL;
}

/* A broker that went back shows it of all accounts at once, so there may be no room for their hints. */
static void test_a_hint_that_finds_no_room_comes_later(void **state)
{
    (void)state;
    (void)forget_a_note();
    world.no_room_for_hints = true;
    say_ledger("", "1");
    world_run(500);
    assert_false(broker_knows_c1());
    world.no_room_for_hints = false;
    world_run(500);
    assert_true(broker_knows_c1());
}

static void test_a_hint_soon_after_another_comes_later(void **state)
{
    (void)state;
    (void)forget_a_note();
    say_ledger("", "1");
    world_run(500);
    assert_true(broker_knows_c1());
    say_ledger("", "1");
    world_run(1000);
    assert_false(broker_knows_c1());
    world_run(5000);
    assert_true(broker_knows_c1());
}

static void test_a_holder_takes_hints(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    say_hint(begun_line, "9");
    world_run(1000);
    assert_int_equal(account_at(0, 0)->epoch, 10);
    assert_true(world.nodes[0].accounts[0].learnt > 0);
    assert_non_null(strstr(world_stored("avito/shop0/fleet/ledger")->payload, "\"c1\""));
}

/* What it notes is known here already, and may have been begun elsewhere, too. A node that leaves ends what
 * is in progress. */
static void test_a_holder_hears_hints_of_what_it_is_noting(void **state)
{
    struct world_account *own = &world.nodes[0].accounts[0];

    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    world.slow_files = true;
    assert_int_equal(append(&own->core, begun_line), AVITO_AGAIN);
    world_run(100);
    say_hint(begun_line, "0");
    world_run(100);
    assert_true(own->learnt > 0);
    own->learnt = 0;
    fleet_hand_over(&own->core, "n9");
    say_hint(sent_line, "0");
    world_move_account(own);
    assert_int_equal(own->core.state, FLEET_LEAVING);
    assert_true(own->learnt > 0);
}

/* A claim's own ledger shows the others what the broker forgot, so their hints come before the
 * claim is over. */
static void test_a_claim_takes_hints_until_its_end(void **state)
{
    struct world_account *own = &world.nodes[0].accounts[0];

    (void)state;
    world_begin(1, 1, 1);
    world.swallow_status = true;
    while (own->core.priv.online == 0) {
        world_run(10);
        assert_true(world.now_ms < 15000);
    }
    say_hint(begun_line, "9");
    world_run(100);
    assert_int_equal(world_holder(0), -1);
    world.swallow_status = false;
    world_answer(&own->line, MQTT_ACKNOWLEDGED, own->core.priv.online, 0);
    world_run(1000);
    assert_int_equal(world_holder(0), 0);
    assert_int_equal(own->core.epoch, 10);
    assert_non_null(strstr(world_stored("avito/shop0/fleet/ledger")->payload, "\"c1\""));
}

/* G8: the broker's state counts even if it is older; ours counts only if the broker has none. */
static void test_retained_before_local(void **state)
{
    const mqtt_pair pair = {"slot", "1"};
    struct world_account *own = &world.nodes[0].accounts[0];
    char data[64];
    size_t len = 0;
    mqtt_publication p;

    (void)state;
    world_begin(1, 1, 1);
    world.saves_nothing = true;
    strcpy(own->slots[0], "local newer");
    own->slot_len[0] = 11;
    memset(&p, 0, sizeof p);
    p.topic = "avito/shop0/fleet/inbox";
    p.payload = (avito_str){"broker", 6};
    p.retain = true;
    p.pairs = &pair;
    p.pairs_count = 1;
    (void)world_publish(&p);
    world_run(15000);
    assert_int_equal(fleet_load_inbox(&own->core, 0, data, sizeof data, &len), AVITO_END);
    assert_int_equal(fleet_load_inbox(&own->core, 1, data, sizeof data, &len), AVITO_OK);
    assert_memory_equal(data, "broker", 6);
    assert_int_equal(own->slot_len[0], 0); /* it may not count later either */
    world_end();
    world_begin(1, 1, 1);
    world.saves_nothing = true;
    strcpy(own->slots[0], "local");
    own->slot_len[0] = 5;
    world_run(15000);
    assert_int_equal(fleet_load_inbox(&own->core, 0, data, sizeof data, &len), AVITO_OK);
    assert_memory_equal(data, "local", 5);
    world_run(100); /* and the next holder finds it */
    assert_memory_equal(world_stored("avito/shop0/fleet/inbox")->payload, "local", 5);
}

static void test_writes_wait_for_their_puback(void **state)
{
    fleet_account *a = account_at(0, 0);

    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    world.swallow_acks = true;
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    assert_true(fleet_save_inbox(a, 1, "state", 5, true) < 0);
    world_run(500);
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    assert_true(fleet_save_inbox(a, 1, "state", 5, true) < 0);
    assert_true(fleet_is_saving(a));
    world_end();
    world_begin(1, 1, 1);
    world_run(15000);
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    assert_true(fleet_save_inbox(a, 1, "state", 5, true) < 0);
    world_run(500);
    assert_int_equal(append(a, begun_line), AVITO_OK);
    assert_int_equal(fleet_save_inbox(a, 1, "state", 5, true), AVITO_OK);
    assert_int_equal(fleet_save_inbox(a, 0, "state2", 6, false),
                     AVITO_OK); /* no claim waits for it */
    assert_string_equal(world.nodes[0].accounts[0].file, begun_line);
}

static void test_one_write_is_on_its_way(void **state)
{
    fleet_account *a = account_at(0, 0);
    unsigned before;

    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    world.swallow_acks = true;
    before = count_in_log("retain  avito/shop0/fleet/ledger");
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    world_run(100);
    assert_int_equal(append(a, sent_line), AVITO_AGAIN);
    world_run(1000);
    assert_int_equal(count_in_log("retain  avito/shop0/fleet/ledger"), before + 1);
}

/* It may be the only one that still knows, when all start again. */
static void test_epochs_of_others_are_kept(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    say_status("online", "n9", "00", "41");
    world_run(5000);
    assert_int_equal(world.nodes[0].accounts[0].kept_epoch, 41);
    assert_int_equal(world_holder(0), -1);
}

static void test_writes_wait_for_their_file(void **state)
{
    fleet_account *a = account_at(0, 0);

    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    world.slow_files = true;
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    assert_true(fleet_save_inbox(a, 1, "state", 5, true) < 0);
    assert_true(fleet_is_saving(a));
    world_run(500);
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    assert_true(fleet_save_inbox(a, 1, "state", 5, true) < 0);
    assert_true(fleet_is_saving(a));
    world.slow_files = false;
    assert_int_equal(append(a, begun_line), AVITO_OK);
    assert_true(fleet_save_inbox(a, 1, "state", 5, true) < 0);
    world_run(500);
    assert_int_equal(fleet_save_inbox(a, 1, "state", 5, true), AVITO_OK);
    assert_string_equal(world.nodes[0].accounts[0].file, begun_line);
    assert_memory_equal(world.nodes[0].accounts[0].slots[1], "state", 5);
}

static const char *ledger_at_broker(void)
{
    static char text[1024];
    const struct world_event *e = world_stored("avito/shop0/fleet/ledger");

    snprintf(text, sizeof text, "%.*s", (int)e->len, e->payload);
    return text;
}

/* One gateway serves one account. From now on the broker denies its ledger. */
static fleet_account *begin_denied(void)
{
    world_begin(1, 1, 1);
    world_run(15000);
    world.denies_ledger = true;
    return account_at(0, 0);
}

static void test_a_write_that_is_denied_waits(void **state)
{
    fleet_account *a = begin_denied();

    (void)state;
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    world_run(7000);
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    assert_non_null(strstr(world.nodes[0].said, "does not take the ledger"));
    assert_null(strstr(strstr(world.nodes[0].said, "does not take") + 1, "does not take"));
    world.denies_ledger = false;
    world_run(3000);
    assert_int_equal(append(a, begun_line), AVITO_OK);
    assert_int_equal(append(a, sent_line), AVITO_AGAIN);
    world_run(100);
    assert_int_equal(append(a, sent_line), AVITO_OK);
}

/* Our file is slow, so the broker hears "begun"; then it is full. */
static void begin_on_a_full_disk(fleet_account *a)
{
    world.slow_files = true;
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    world_run(100);
    assert_non_null(strstr(ledger_at_broker(), "\"state\":\"begun\""));
    world.full_files = true;
}

/* The gateway has said "not sent". So no other may find it begun and say "cannot tell", or know nothing of it
 * and send it. */
static void test_a_refusal_is_at_the_broker_before_it_is_said(void **state)
{
    fleet_account *a;
    int holder;

    (void)state;
    world_begin(2, 1, 1);
    world_run(15000);
    holder = world_holder(0);
    a = account_at((size_t)holder, 0);
    begin_on_a_full_disk(a);
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    world_run(100);
    assert_int_equal(append(a, begun_line), AVITO_ERR_FILE);
    assert_non_null(strstr(ledger_at_broker(), "\"state\":\"not_sent\""));
    assert_null(strstr(ledger_at_broker(), "\"state\":\"begun\""));
    assert_null(world.nodes[holder].accounts[0].file);
    world.full_files = world.slow_files = false;
    world_run(3000);
    assert_non_null(strstr(world.nodes[holder].accounts[0].file, "\"not_sent\""));
}

/* However often the broker denies it. */
static void test_a_refusal_that_is_denied_is_not_said(void **state)
{
    fleet_account *a = account_at(0, 0);

    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    begin_on_a_full_disk(a);
    world.denies_ledger = true;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(append(a, begun_line), AVITO_AGAIN);
        world_run(100);
    }
    world.denies_ledger = false;
    world_run(3000);
    assert_non_null(strstr(ledger_at_broker(), "\"state\":\"not_sent\""));
    assert_int_equal(append(a, begun_line), AVITO_ERR_FILE);
}

/* Nobody waits for the broker's ledger for ever, and the answer is true: "not sent" for what was to begin,
 * and an outcome as it is. */
static void test_a_broker_that_never_takes_it_is_given_up(void **state)
{
    fleet_account *a = begin_denied();

    (void)state;
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    world_run(59000);
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    world_run(4000);
    assert_int_equal(append(a, begun_line), LEDGER_DENIED);
    assert_int_equal(ledger_find(&a->priv.known, "c1")->state, LEDGER_NOT_SENT);
    world_run(2000);
    assert_non_null(strstr(world.nodes[0].accounts[0].file, "\"not_sent\""));
    world.denies_ledger = false;
    world_run(3000);
    assert_non_null(strstr(ledger_at_broker(), "\"not_sent\""));
}

/* However long this lasts: the clock's milliseconds wrap. */
static void test_a_broker_that_denied_for_months_is_given_up(void **state)
{
    fleet_account *a = begin_denied();

    (void)state;
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    world_run(1000);
    a->priv.ledger.denied_ms -= 30u * 86400000u;
    assert_int_equal(append(a, begun_line), LEDGER_DENIED);
}

static void test_an_outcome_is_said_though_the_broker_does_not_take_it(void **state)
{
    fleet_account *a = account_at(0, 0);

    (void)state;
    world_begin(1, 1, 1);
    say_ledger(begun_line, "3");
    world_run(15000);
    world.denies_ledger = true;
    assert_int_equal(append(a, sent_line), AVITO_AGAIN);
    world_run(64000);
    assert_int_equal(append(a, sent_line), AVITO_OK);
}

static const char not_sent_line[] =
    "{\"id\":\"c1\",\"state\":\"not_sent\",\"act\":\"send\",\"target\":\"chat\","
    "\"begun\":1,\"hash\":\"1\",\"reason\":\"denied\"}\n";

/* The next holder may do what was refused here, as long as nobody heard of it. */
static void test_a_refusal_that_nobody_heard_is_forgotten(void **state)
{
    struct world_account *own = &world.nodes[0].accounts[0];

    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *line = i == 0 ? begun_line : not_sent_line;

        (void)begin_denied();
        world.full_files = i == 0;
        assert_int_equal(append(&own->core, line), AVITO_AGAIN);
        world_run(3000);
        assert_int_equal(append(&own->core, line), AVITO_AGAIN);
        assert_non_null(ledger_find(&own->core.priv.known, "c1"));
        assert_null(own->file);
        world_cut(&own->line);
        world.denies_ledger = world.full_files = false;
        world_run(15000);
        assert_int_equal(world_holder(0), 0);
        assert_null(strstr(ledger_at_broker(), "c1"));
        assert_null(ledger_find(&own->core.priv.known, "c1"));
        world_end();
    }
}

/* It may have left there. */
static void test_what_another_began_stays_begun(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    say_ledger(begun_line, "3");
    world_run(15000);
    begin_on_a_full_disk(account_at(0, 0));
    assert_int_equal(append(account_at(0, 0), begun_line), AVITO_ERR_FILE);
    assert_non_null(strstr(ledger_at_broker(), "\"state\":\"begun\""));
}

/* After 65,535 publications the numbers of a claim's marker and probe come again, for others. */
static void test_numbers_of_a_claim_are_free_again(void **state)
{
    mqtt_event e;

    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    assert_int_equal(world_holder(0), 0);
    memset(&e, 0, sizeof e);
    e.kind = MQTT_ACKNOWLEDGED;
    for (e.packet_id = 1; e.packet_id <= world.nodes[0].accounts[0].line.last_id; e.packet_id++) {
        assert_int_equal(fleet_account_event(account_at(0, 0), &e, world.now_ms), FLEET_PASS);
    }
}

/* ---- F8 ---- */

static void test_a_hand_over_is_taken_up_at_once(void **state)
{
    int holder;
    char to[8];

    (void)state;
    world_begin(3, 1, 1);
    world_run(20000);
    holder = world_holder(0);
    snprintf(to, sizeof to, "n%d", (holder + 1) % 3);
    fleet_hand_over(account_at((size_t)holder, 0), to);
    world_run(300);
    assert_int_equal(world_holder(0), (holder + 1) % 3);
    assert_non_null(strstr(world.log, "end shop0"));
}

/* Its own "online" comes back from the broker while it ends what it does. */
static void test_a_hand_over_keeps_its_heir(void **state)
{
    fleet_account *a;
    int holder;
    char to[8];

    (void)state;
    world_begin(3, 1, 1);
    world_run(20000);
    holder = world_holder(0);
    a = account_at((size_t)holder, 0);
    snprintf(to, sizeof to, "n%d", (holder + 1) % 3);
    world.busy = true;
    fleet_hand_over(a, to);
    world_run(100);
    assert_null(strstr(world.log, "retain handover"));
    say_status("online", world.nodes[holder].name, a->priv.key, "1");
    world_run(100);
    world.busy = false;
    world_run(300);
    assert_int_equal(world_holder(0), (holder + 1) % 3);
    assert_non_null(strstr(world.log, "retain handover"));
}

/* Commands that come meanwhile are not acknowledged, so that the next holder gets them. */
static void test_who_leaves_takes_no_command(void **state)
{
    mqtt_event e;

    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    memset(&e, 0, sizeof e);
    e.kind = MQTT_MESSAGE;
    e.message.topic = (avito_str){"avito/shop0/send/chat", 21};
    e.message.packet_id = 7;
    assert_int_equal(fleet_account_event(account_at(0, 0), &e, world.now_ms), FLEET_PASS);
    fleet_hand_over(account_at(0, 0), "n9");
    assert_int_equal(fleet_account_event(account_at(0, 0), &e, world.now_ms), FLEET_TAKEN);
}

static void test_a_hand_over_to_a_dead_node_is_taken_up_later(void **state)
{
    int holder;

    (void)state;
    world_begin(2, 1, 1);
    world_run(20000);
    holder = world_holder(0);
    fleet_hand_over(account_at((size_t)holder, 0), "n9");
    world_run(100);
    assert_true(waits_at_least(5000, 0));
    world_run(8000);
    assert_in_range(world_holder(0), 0, 1);
}

static void test_who_leaves_hands_all_over(void **state)
{
    bool done = false;

    (void)state;
    world_begin(2, 6, 1);
    world_run(30000);
    for (int i = 0; i < 100 && !done; i++) {
        done = fleet_leave(&world.nodes[0].fleet, world.now_ms);
        world_run(10);
    }
    assert_true(done);
    world_kill(0);
    world_run(1000);
    for (size_t a = 0; a < 6; a++) {
        assert_int_equal(world_holder(a), 1);
    }
    assert_null(world_stored("avito/fleet/test/nodes/n0")->payload);
}

static unsigned held_by(size_t node)
{
    unsigned count = 0;

    for (size_t a = 0; a < world.accounts; a++) {
        count += world.nodes[node].accounts[a].active;
    }
    return count;
}

/* The ledger's last version has no PUBACK yet. */
static void test_who_leaves_saves_first(void **state)
{
    fleet_account *a = account_at(0, 0);

    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    world.swallow_acks = true;
    assert_int_equal(append(a, begun_line), AVITO_AGAIN);
    fleet_hand_over(a, "n9");
    world_run(1000);
    assert_null(strstr(world.log, "retain handover"));
    world_answer(&world.nodes[0].accounts[0].line, MQTT_ACKNOWLEDGED, a->priv.ledger.packet, 0);
    world_run(100);
    assert_non_null(strstr(world.log, "retain handover"));
}

static void test_who_leaves_ends_its_claims(void **state)
{
    fleet_account *a = begin_claim();

    (void)state;
    assert_true(fleet_leave(&world.nodes[0].fleet, world.now_ms));
    assert_int_equal(a->state, FLEET_STANDBY);
    assert_non_null(strstr(world.log, "close shop0"));
}

/* n9 serves other accounts. */
static void test_only_who_serves_it_gets_it(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        world_begin(1, 1, 1);
        world_run(15000);
        say_beat("n9", i == 0 ? "{\"load\":0,\"serves\":[\"shop1\"]}"
                              : "{\"load\":0,\"serves\":[\"shop0\"]}");
        world_run(10);
        (void)fleet_leave(&world.nodes[0].fleet, world.now_ms);
        world_run(100);
        assert_string_equal(word_of(0), i == 0 ? "offline" : "handover");
        world_end();
    }
}

static void test_one_account_at_a_time_is_handed_over(void **state)
{
    unsigned most = 0;

    (void)state;
    world_begin(2, 6, 1);
    world_kill(1);
    world_run(20000);
    world_start(1);
    world.busy = true;
    for (int i = 0; i < 3000; i++) {
        unsigned leaving = 0;

        world_run(100);
        for (size_t a = 0; a < 6; a++) {
            leaving += account_at(0, a)->state == FLEET_LEAVING;
        }
        most = leaving > most ? leaving : most;
    }
    assert_int_equal(most, 1);
}

static void test_loads_become_equal(void **state)
{
    (void)state;
    world_begin(2, 5, 1);
    world_kill(1);
    world_run(20000);
    assert_int_equal(held_by(0), 5);
    world_start(1);
    world_run(90000); /* never within 60 s of a start, and not before loads differ for 60 s */
    assert_int_equal(held_by(0), 5);
    world_run(15000);
    assert_int_equal(held_by(0), 4);
    world_run(240000);
    assert_int_equal(held_by(0), 3);
    assert_int_equal(held_by(1), 2);
    world_run(300000); /* and it ends there */
    assert_int_equal(held_by(0), 3);
}

/* Its next holder would know nothing of what the broker refuses. So it stays where it is served. */
static void test_what_the_broker_refuses_does_not_move(void **state)
{
    (void)state;
    world_begin(2, 4, 1);
    world_kill(1);
    world_run(20000);
    world_start(1);
    world.denies_ledger = true;
    for (size_t a = 0; a < 4; a++) {
        assert_int_equal(append(account_at(0, a), begun_line), AVITO_AGAIN);
    }
    world_run(300000);
    for (size_t a = 0; a < 4; a++) {
        assert_int_equal(account_at(0, a)->state, FLEET_ACTIVE);
    }
    world.denies_ledger = false;
    world_run(300000);
    assert_int_equal(held_by(0), 2);
    assert_int_equal(held_by(1), 2);
}

/* ---- F9 ---- */

static void test_a_bell_reaches_the_holder(void **state)
{
    int holder;

    (void)state;
    world_begin(2, 1, 1);
    world_run(20000);
    holder = world_holder(0);
    fleet_ring(&world.nodes[1 - holder].fleet, 350000001);
    world_run(100);
    assert_int_equal(world.nodes[holder].accounts[0].rang, 1);
    assert_int_equal(world.nodes[holder].accounts[0].rang_for, 350000001);
    fleet_ring(&world.nodes[holder].fleet, 350000001);
    assert_int_equal(world.nodes[holder].accounts[0].rang, 2);
}

static void test_a_bell_rings_for_its_account(void **state)
{
    (void)state;
    world_begin(1, 2, 1);
    world_run(20000);
    account_at(0, 0)->user_id = 350000001;
    account_at(0, 1)->user_id = 350000002;
    fleet_ring(&world.nodes[0].fleet, 350000002);
    assert_int_equal(world.nodes[0].accounts[0].rang, 0);
    assert_int_equal(world.nodes[0].accounts[1].rang, 1);
}

/* ---- beside them ---- */

/* An old will says "offline" under the holder's topic: the holder says "online" again (G10). */
static void test_an_old_will_is_contradicted(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    say_status("offline", "n9", "00", "0");
    world_run(200);
    assert_int_equal(world_holder(0), 0);
    assert_string_equal(word_of(0), "online");
}

static void test_a_higher_epoch_ends_ours(void **state)
{
    (void)state;
    world_begin(1, 1, 1);
    world_run(15000);
    say_status("online", "n9", "00", "50");
    world_run(200);
    assert_int_equal(world_holder(0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_client_ids_are_secret, tear_down),
        cmocka_unit_test_teardown(test_what_cannot_be_in_a_fleet, tear_down),
        cmocka_unit_test_teardown(test_a_claim_in_its_order, tear_down),
        cmocka_unit_test_teardown(test_nothing_is_touched_before_online, tear_down),
        cmocka_unit_test_teardown(test_early_commands_are_kept, tear_down),
        cmocka_unit_test_teardown(test_the_epoch_is_above_all_that_were_seen, tear_down),
        cmocka_unit_test_teardown(test_a_claim_takes_ten_seconds_at_most, tear_down),
        cmocka_unit_test_teardown(test_what_the_broker_cannot_do_is_said, tear_down),
        cmocka_unit_test_teardown(test_the_session_travels, tear_down),
        cmocka_unit_test_teardown(test_state_that_cannot_be_read_ends_the_claim, tear_down),
        cmocka_unit_test_teardown(test_a_claim_waits_for_both_answers, tear_down),
        cmocka_unit_test_teardown(test_marker_and_probe_wait_for_room, tear_down),
        cmocka_unit_test_teardown(test_only_stored_state_is_read, tear_down),
        cmocka_unit_test_teardown(test_a_claim_that_is_denied_ends, tear_down),
        cmocka_unit_test_teardown(test_who_cannot_serve_it_waits, tear_down),
        cmocka_unit_test_teardown(test_online_without_beats_is_offline, tear_down),
        cmocka_unit_test_teardown(test_beats_keep_an_account, tear_down),
        cmocka_unit_test_teardown(test_beats_keep_an_account_for_months, tear_down),
        cmocka_unit_test_teardown(test_a_beat_of_many_accounts_is_read, tear_down),
        cmocka_unit_test_teardown(test_dead_nodes_take_no_place, tear_down),
        cmocka_unit_test_teardown(test_only_the_holder_s_beats_count, tear_down),
        cmocka_unit_test_teardown(test_beats_are_retained, tear_down),
        cmocka_unit_test_teardown(test_who_lost_its_connection_looks_first, tear_down),
        cmocka_unit_test_teardown(test_another_s_key_means_standing_by, tear_down),
        cmocka_unit_test_teardown(test_without_the_node_s_connection_nobody_claims, tear_down),
        cmocka_unit_test_teardown(test_a_standby_waits, tear_down),
        cmocka_unit_test_teardown(test_a_beat_ends_the_wait, tear_down),
        cmocka_unit_test_teardown(test_online_ends_the_wait, tear_down),
        cmocka_unit_test_teardown(test_at_most_four_claims_at_once, tear_down),
        cmocka_unit_test_teardown(test_the_union_is_published, tear_down),
        cmocka_unit_test_teardown(test_the_further_state_wins, tear_down),
        cmocka_unit_test_teardown(test_a_hint_that_finds_no_room_comes_later, tear_down),
        cmocka_unit_test_teardown(test_a_hint_soon_after_another_comes_later, tear_down),
        cmocka_unit_test_teardown(test_a_holder_takes_hints, tear_down),
        cmocka_unit_test_teardown(test_a_holder_hears_hints_of_what_it_is_noting, tear_down),
        cmocka_unit_test_teardown(test_a_claim_takes_hints_until_its_end, tear_down),
        cmocka_unit_test_teardown(test_retained_before_local, tear_down),
        cmocka_unit_test_teardown(test_writes_wait_for_their_puback, tear_down),
        cmocka_unit_test_teardown(test_one_write_is_on_its_way, tear_down),
        cmocka_unit_test_teardown(test_epochs_of_others_are_kept, tear_down),
        cmocka_unit_test_teardown(test_writes_wait_for_their_file, tear_down),
        cmocka_unit_test_teardown(test_a_write_that_is_denied_waits, tear_down),
        cmocka_unit_test_teardown(test_a_refusal_is_at_the_broker_before_it_is_said, tear_down),
        cmocka_unit_test_teardown(test_a_refusal_that_is_denied_is_not_said, tear_down),
        cmocka_unit_test_teardown(test_a_broker_that_never_takes_it_is_given_up, tear_down),
        cmocka_unit_test_teardown(test_a_broker_that_denied_for_months_is_given_up, tear_down),
        cmocka_unit_test_teardown(test_an_outcome_is_said_though_the_broker_does_not_take_it,
                                  tear_down),
        cmocka_unit_test_teardown(test_a_refusal_that_nobody_heard_is_forgotten, tear_down),
        cmocka_unit_test_teardown(test_what_another_began_stays_begun, tear_down),
        cmocka_unit_test_teardown(test_numbers_of_a_claim_are_free_again, tear_down),
        cmocka_unit_test_teardown(test_a_hand_over_is_taken_up_at_once, tear_down),
        cmocka_unit_test_teardown(test_a_hand_over_keeps_its_heir, tear_down),
        cmocka_unit_test_teardown(test_who_leaves_takes_no_command, tear_down),
        cmocka_unit_test_teardown(test_a_hand_over_to_a_dead_node_is_taken_up_later, tear_down),
        cmocka_unit_test_teardown(test_who_leaves_hands_all_over, tear_down),
        cmocka_unit_test_teardown(test_who_leaves_saves_first, tear_down),
        cmocka_unit_test_teardown(test_who_leaves_ends_its_claims, tear_down),
        cmocka_unit_test_teardown(test_only_who_serves_it_gets_it, tear_down),
        cmocka_unit_test_teardown(test_a_bell_reaches_the_holder, tear_down),
        cmocka_unit_test_teardown(test_a_bell_rings_for_its_account, tear_down),
        cmocka_unit_test_teardown(test_an_old_will_is_contradicted, tear_down),
        cmocka_unit_test_teardown(test_a_higher_epoch_ends_ours, tear_down),
        /* The longest, after the others: fleet_plants.py ends with the first that fails. */
        cmocka_unit_test_teardown(test_after_a_gap_timers_start_again, tear_down),
        cmocka_unit_test_teardown(test_hints_bring_back_what_the_broker_forgot, tear_down),
        cmocka_unit_test_teardown(test_one_account_at_a_time_is_handed_over, tear_down),
        cmocka_unit_test_teardown(test_what_the_broker_refuses_does_not_move, tear_down),
        cmocka_unit_test_teardown(test_loads_become_equal, tear_down),
        cmocka_unit_test_teardown(test_no_herd, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
