/*
 * Runs on an emulated board: calls of the library on recorded answers, from memory, without TLS.
 * Prints a line for each: name, instructions, most of the arena ever used, bytes sent, bytes received.
 * footprint.py builds it with the board files of examples/firmware and runs it.
 */
#include "../recorded.h"
#include "board.h"
#include "probe_data.h" /* made by footprint.py: token_answer, chat_answer, ... */
#include "say.h"

static char window[AVITO_WINDOW_MIN];
static uint64_t room[PROBE_ARENA / 8];
static avito_arena arena;

static int entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 0x5c, len);
    return AVITO_OK;
}

/* ---- measuring ---- */

static uint32_t began, instructions, peak, failed;

static void begin(const unsigned char *answer, size_t len)
{
    recorded_answer(NULL, 0, answer, len);
    peak = 0;
    avito_arena_reset(&arena);
    arena.peak = 0;
    instructions = 0;
    began = board_ticks();
}

static int finish(int result)
{
    while (result == AVITO_AGAIN) {
        result = avito_step(&client);
    }
    instructions =
        (uint32_t)((uint64_t)(board_ticks() - began) * board.tick_ns_num / board.tick_ns_den);
    peak = (uint32_t)arena.peak;
    return result;
}

static void report(const char *name, int result)
{
    say("probe | ");
    say(name);
    say(" | ");
    say_unsigned(instructions);
    say(" | ");
    say_unsigned(peak);
    say(" | ");
    say_unsigned(wire.sent);
    say(" | ");
    say_unsigned(wire.received);
    if (result != AVITO_OK && result != AVITO_END) {
        failed = 1;
        say(" | FAILED: ");
        say(avito_error_name(result));
        say(" ");
        say(avito_last_error(&client)->text);
        say(" ");
        say_unsigned((uint32_t)avito_last_error(&client)->needed);
    }
    say("\r\n");
}

#define PROBE(name, answer, call)                                                                  \
    do {                                                                                           \
        begin(answer, sizeof answer);                                                              \
        report(name, finish(call));                                                                \
    } while (0)

/* ---- the calls ---- */

static void streamed(const char *name, uint32_t want)
{
    avito_chats_query query;
    avito_chat chat;
    int result;

    memset(&query, 0, sizeof query);
    query.want = want;
    begin(chats_answer, sizeof chats_answer);
    result = finish(avito_list_chats(&client, 1, &query, &arena));
    while (result == AVITO_OK) {
        result = finish(avito_next_chat(&client, &chat));
    }
    report(name, result);
}

static void calls(void)
{
    avito_message message;
    avito_messages messages;
    avito_chat chat;

    PROBE("token", token_answer, avito_get_token(&client, NULL));
    PROBE("a chat, everything", chat_answer, avito_get_chat(&client, 1, "u2i-1", &arena, &chat));
    streamed("chats streamed, everything", 0);
    streamed("chats streamed, no avatars", AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS);
    PROBE("messages", messages_answer,
          avito_get_messages(&client, 1, "u2i-1", NULL, &arena, &messages));
    PROBE("send, answer not kept", sent_answer,
          avito_send_message(&client, 1, "u2i-1", "Hello", NULL, NULL));
    PROBE("send, answer kept", sent_answer,
          avito_send_message(&client, 1, "u2i-1", "Hello", &arena, &message));
    PROBE("mark as read", ok_answer, avito_mark_chat_as_read(&client, 1, "u2i-1"));
}

int main(void)
{
    avito_account_options ao = avito_account_options_default();

    ao.clock_ms = board_clock_ms;
    ao.entropy = entropy;
    arena = avito_arena_of(room, sizeof room);
    if (recorded_open(ao, window, sizeof window, NULL) != AVITO_OK) {
        return 2;
    }
    calls();
    return (int)failed;
}
