/*
 * The inbox saves the same bytes on every machine, and reads what another machine saved: a memory
 * card may move from one to the other.
 * Rooms: INBOX: WHAT IT REMEMBERS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/device.h"

#define IDS   4
#define STATE AVITO_INBOX_STATE_SIZE(IDS)

/* ---- a service of one chat that answers by what is asked ---- */

#define CHAT                                                                                       \
    "{\"chats\":[{\"id\":\"u2i-aBcD\",\"created\":1754890000,\"updated\":1754899980,"              \
    "\"last_message\":{\"id\":\"m2\",\"author_id\":7,\"created\":1754899980,\"type\":\"text\","    \
    "\"direction\":\"in\",\"content\":{\"text\":\"two\"}}}]}"
#define MESSAGE(id, created)                                                                       \
    "{\"id\":\"" id "\",\"author_id\":7,\"created\":" created ",\"type\":\"text\","                \
    "\"direction\":\"in\",\"content\":{\"text\":\"hello\"}}"
#define M2 MESSAGE("m2", "1754899980")
#define M1 MESSAGE("m1", "1754899900")

/* Lists of one row begin at the offset that was asked for. */
static const char *serve(void *service, const char *request, int *status)
{
    (void)service;
    (void)status;
    if (strstr(request, "/messages") == NULL) {
        return CHAT;
    }
    if (strstr(request, "limit=1&") == NULL && strstr(request, "limit=1 ") == NULL) {
        return "{\"messages\":[" M2 "," M1 "]}";
    }
    return strstr(request, "offset=1") != NULL ? "{\"messages\":[" M1 "]}"
                                               : "{\"messages\":[" M2 "]}";
}

/* ---- an inbox with its two slots ---- */

static struct device device;

static void begin(void)
{
    device_init(&device, IDS, serve, NULL);
    device.options.start = AVITO_START_SINCE;
}

/* A round in which nothing fails and nothing has to wait. */
static void assert_round(const char *given)
{
    const uint32_t now = device.clock.ms;

    assert_string_equal(device_round(&device), given);
    assert_int_equal(device.errors + device.events, 0);
    assert_int_equal(device.clock.ms, now);
}

static int offer(const char *id, int64_t created)
{
    avito_message message;

    memset(&message, 0, sizeof message);
    message.id.ptr = id;
    message.id.len = strlen(id);
    message.created = created;
    return avito_inbox_offer(&device.inbox, &message);
}

/* ---- what was saved on a 64-bit little-endian machine ---- */

/* The two slots after the story of test_saved: magic, sequence, checksum, horizon, the sequence again, four
 * bytes of which one says whether a first round goes on, account; then the ring, whose places go round with
 * the sequence. */
static const char *const golden[2] = {
    "41564931040000001df40617e0a4996804000000000000008193dc1400000000"
    "0000000000000000000000006b9b50b5078ba908bca59968"
    "1e9d50b5078ca9080ca69968000000000000000000000000",
    "415649310500000028168a50e0a4996805000000000000008193dc1400000000"
    "d19e50b5078da9081fa699686b9b50b5078ba908bca59968"
    "1e9d50b5078ca9080ca69968000000000000000000000000",
};

/* The same as version 0.1.0 saved it, which left the second sequence and the account empty. */
static const char *const golden_0_1_0[2] = {
    "415649310400000015d6f2bee0a4996800000000000000000000000000000000"
    "6b9b50b5078ba908bca599681e9d50b5078ca9080ca69968"
    "000000000000000000000000000000000000000000000000",
    "415649310500000025831bfee0a4996800000000000000000000000000000000"
    "6b9b50b5078ba908bca599681e9d50b5078ca9080ca69968"
    "d19e50b5078da9081fa69968000000000000000000000000",
};

static void hex_of(const unsigned char *bytes, char *out)
{
    for (size_t i = 0; i < STATE; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

static void bytes_of(const char *hex, unsigned char *out)
{
    assert_int_equal(strlen(hex), 2 * STATE);
    for (size_t i = 0; i < STATE; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
}

static void assert_golden(void)
{
    char hex[2 * STATE + 1];

    for (int slot = 0; slot < 2; slot++) {
        assert_int_equal(device.full[slot], STATE);
        hex_of(device.slots[slot], hex);
        assert_string_equal(hex, golden[slot]);
    }
}

static void test_saved(void **state)
{
    (void)state;
    begin();
    device_start(&device);
    assert_round("m1 m2 ");
    clock_advance(&device.clock, 15000);
    assert_round(""); /* this round looks once more: then the horizon moves */
    assert_int_equal(offer("m3", 1754899999), AVITO_OK);
    assert_int_equal(avito_inbox_accept(&device.inbox), AVITO_OK);
    assert_golden();
    avito_client_close(&device.client);
}

static void begin_with(const char *const *saved)
{
    begin();
    for (int slot = 0; slot < 2; slot++) {
        bytes_of(saved[slot], device.slots[slot]);
        device.full[slot] = STATE;
    }
}

static void assert_loads(const char *const *saved)
{
    begin_with(saved);
    device_start(&device);
    assert_int_equal(avito_inbox_events(&device.inbox), 0);
    assert_int_equal(offer("m1", 1754899900), AVITO_END);
    assert_int_equal(offer("m2", 1754899980), AVITO_END);
    assert_int_equal(offer("m3", 1754899999), AVITO_END);
    assert_int_equal(offer("m0", 1), AVITO_END); /* before the horizon */
    assert_round("");
    assert_int_equal(offer("m4", 1754899999), AVITO_OK);
    avito_client_close(&device.client);
}

static void test_loaded(void **state)
{
    (void)state;
    assert_loads(golden);
    assert_loads(golden_0_1_0);
}

/* An inbox does not go on from another account's state, and does not overwrite it: not even if half of the
 * id is the same. */
static void test_another_account(void **state)
{
    static const int64_t apart[] = {1, (int64_t)1 << 32};

    (void)state;
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        avito_message m;
        begin_with(golden);
        device_start(&device);
        device.options.user_id += apart[i];
        assert_int_equal(avito_inbox_init(&device.inbox, &device.client, &device.options),
                         AVITO_ERR_OPTION_STATE);
        assert_int_equal(avito_inbox_next(&device.inbox, &m), AVITO_ERR_ARGUMENT);
        assert_golden();
        avito_client_close(&device.client);
    }
}

/* A slot with one wrong bit does not count: the other one does. */
static void test_damaged(void **state)
{
    int newer;

    (void)state;
    begin_with(golden);
    newer = device.slots[1][4] > device.slots[0][4] ? 1 : 0; /* the sequence's low byte */
    for (size_t at = 0; at < STATE; at++) {
        begin_with(golden);
        device.slots[newer][at] ^= 0x10;
        device_start(&device);
        assert_int_equal(avito_inbox_events(&device.inbox), 0);
        assert_int_equal(offer("m1", 1754899900), AVITO_END);
        assert_int_equal(offer("m3", 1754899999), AVITO_OK);
        avito_client_close(&device.client);
    }
}

/* The power failed when the older slot had its new sequence and one byte of the new checksum. By chance that
 * fits the slot's former contents. */
static void test_torn(void **state)
{
    (void)state;
    begin_with(golden);
    device.slots[0][4] ^= 4 ^ 6;
    device.slots[0][8] ^= 4 ^ 6;
    device_start(&device);
    assert_int_equal(avito_inbox_events(&device.inbox), 0);
    assert_int_equal(offer("m3", 1754899999), AVITO_END); /* which only the other slot knows */
    avito_client_close(&device.client);
}

/* Where both slots are damaged, nothing of them is believed. */
static void test_both_damaged(void **state)
{
    (void)state;
    for (size_t at = 0; at < STATE; at++) {
        begin_with(golden);
        device.slots[0][at] ^= 0x10;
        device.slots[1][at] ^= 0x10;
        device_start(&device);
        assert_string_equal(device_round(&device), "m1 m2 ");
        assert_int_equal(device.events, AVITO_INBOX_STATE_LOST);
        avito_client_close(&device.client);
    }
}

static size_t said_len;
static int (*load_really)(void *ctx, int slot, void *data, size_t cap, size_t *len);

static int load_and_say(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    const int rc = load_really(ctx, slot, data, cap, len);
    *len = said_len;
    return rc;
}

/* A slot whose length no state has does not count, whatever it holds. */
static void test_lengths(void **state)
{
    static const size_t lengths[] = {
        0,         1,       AVITO_INBOX_STATE_SIZE(0) - 1, AVITO_INBOX_STATE_SIZE(0), STATE - 1,
        STATE + 1, SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        begin_with(golden);
        load_really = device.options.load;
        device.options.load = load_and_say;
        said_len = lengths[i];
        device_start(&device);
        assert_string_equal(device_round(&device), "m1 m2 ");
        assert_int_equal(device.events, AVITO_INBOX_STATE_LOST);
        avito_client_close(&device.client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_loaded),
        cmocka_unit_test(test_another_account),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_torn),
        cmocka_unit_test(test_both_damaged),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests_name("inbox_state", tests, NULL, NULL);
}
