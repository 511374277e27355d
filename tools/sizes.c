/* How large the caller's memory has to be: sizeof every public struct, the smallest window, and the
 * smallest arena for typical answers. The latter is found by decoding with a window of 512 bytes in
 * exactly that much, and in one unit less, which has to fail. `make sizes` runs it as 64-bit and as
 * 32-bit code; the tables in the header's manual are its output.
 *
 *     sizes DATA      prints lines "group | name | bytes"; DATA: tests/data
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avito_messenger.h"

#define ROW(group, what) printf(group " | " #what " | %zu\n", sizeof(what))

/* This file is compiled a second time, without the implementation but with all interfaces, for
 * their sizes. */
#if AVITO_WITH_BEARSSL
void sizes_of_transports(void);
void sizes_of_transports(void)
{
    ROW("object", avito_tcp);
    ROW("object", avito_tls);
    ROW("object", avito_tls_session);
    ROW("object", avito_anchors);
    ROW("object", avito_image_file);
    ROW("object", avito_store);
    ROW("object", avito_posix);
    ROW("options", avito_tcp_options);
    ROW("options", avito_tls_options);
    ROW("options", avito_store_options);
    ROW("options", avito_posix_options);
    printf("macro | AVITO_TLS_BUFFER_HALF(512) | %zu\n", AVITO_TLS_BUFFER_HALF(512));
    printf("macro | AVITO_TLS_BUFFER_HALF(16384) | %zu\n", AVITO_TLS_BUFFER_HALF(16384));
    printf("macro | AVITO_TLS_BUFFER_FULL(16384) | %zu\n", (size_t)AVITO_TLS_BUFFER_FULL(16384));
}
#else
#include "recorded.h"

void sizes_of_transports(void);

static void structs(void)
{
    ROW("object", avito_account);
    ROW("object", avito_client);
    ROW("object", avito_arena);
    ROW("object", avito_webhook);
    ROW("object", avito_inbox);
    ROW("object", avito_json);
    sizes_of_transports();
    ROW("options", avito_account_options);
    ROW("options", avito_client_options);
    ROW("options", avito_webhook_options);
    ROW("options", avito_inbox_options);
    ROW("options", avito_chats_query);
    ROW("options", avito_messages_query);
    ROW("options", avito_image_source);
    ROW("options", avito_sent_query);
    ROW("options", avito_blacklist_user);
    ROW("model", avito_str);
    ROW("model", avito_error);
    ROW("model", avito_token);
    ROW("model", avito_self);
    ROW("model", avito_chat);
    ROW("model", avito_context);
    ROW("model", avito_item);
    ROW("model", avito_item_images);
    ROW("model", avito_item_location);
    ROW("model", avito_user);
    ROW("model", avito_profile);
    ROW("model", avito_avatar);
    ROW("model", avito_image_size);
    ROW("model", avito_message);
    ROW("model", avito_quote);
    ROW("model", avito_content);
    ROW("model", avito_image);
    ROW("model", avito_link);
    ROW("model", avito_link_preview);
    ROW("model", avito_item_content);
    ROW("model", avito_location);
    ROW("model", avito_call);
    ROW("model", avito_voice);
    ROW("model", avito_uploaded_image);
    ROW("model", avito_voice_file);
    ROW("model", avito_subscription);
    ROW("model", avito_event);
    printf("macro | AVITO_WINDOW_MIN | %d\n", AVITO_WINDOW_MIN);
    printf("macro | AVITO_TOKENS_SIZE(40) | %zu\n", AVITO_TOKENS_SIZE(40));
    printf("macro | AVITO_WEBHOOK_SIZE(16384) | %zu\n", AVITO_WEBHOOK_SIZE(16384));
    printf("macro | AVITO_JSON_TOKENS_SIZE(64) | %zu\n", AVITO_JSON_TOKENS_SIZE(64));
    printf("macro | AVITO_INBOX_STATE_SIZE(64) | %zu\n", AVITO_INBOX_STATE_SIZE(64));
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "sizes: %s: %s\n", what, why);
    exit(1);
}

/* ---- answers ---- */

static char body[65536];
static size_t body_len;

static void add(const char *text)
{
    const size_t n = strlen(text);
    if (body_len + n >= sizeof body) {
        fail("answer", "too long");
    }
    memcpy(body + body_len, text, n + 1u);
    body_len += n;
}

static void add_file(const char *folder, const char *name)
{
    char path[512];
    FILE *file;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        fail(path, "cannot be read");
    }
    body_len += fread(body + body_len, 1, sizeof body - 1u - body_len, file);
    body[body_len] = '\0';
    fclose(file);
    while (body_len > 0 && body[body_len - 1u] == '\n') {
        body[--body_len] = '\0';
    }
}

/* 1000 code points that are 12 bytes each on the wire and 4 in memory. */
static void add_text(void)
{
    size_t i;
    for (i = 0; i < AVITO_TEXT_MAX; i++) {
        add("\\ud83d\\ude00");
    }
}

#define ID "0123456789abcdef0123456789abcdef"

static void add_message(void)
{
    add("{\"id\":\"" ID
        "\",\"author_id\":350000001,\"created\":1755000000,\"content\":{\"text\":\"");
    add_text();
    add("\"},\"type\":\"text\",\"direction\":\"in\",\"is_read\":true,\"read\":1755000001,\"quote\":"
        "{\"id\":\"" ID "\",\"author_id\":350000002,\"created\":1754990000,\"type\":\"text\","
        "\"content\":{\"text\":\"");
    add_text();
    add("\"}}}");
}

/* ---- the client ---- */

static uint32_t clock_ms(void *ctx)
{
    (void)ctx;
    return 0;
}

static avito_arena arena;
static uint64_t room[8192];
static char window[AVITO_WINDOW_MIN];

static void client_begin(void)
{
    avito_account_options ao = avito_account_options_default();
    ao.clock_ms = clock_ms;
    ao.load_token = recorded_token;
    if (recorded_open(ao, window, sizeof window, NULL) != AVITO_OK) {
        fail("client", "init");
    }
}

/* ---- the smallest arena ---- */

enum { CHAT, CHATS, CHATS_NO_AVATARS, CHATS_BARE, MESSAGES, MESSAGES_BARE, SEND, EVENT };

/* Makes the call whose smallest arena is looked for. */
static int call(int which)
{
    static avito_chat chat; /* filled by the steps that follow */
    static avito_message message;
    static avito_event event;
    avito_chats_query chats;
    avito_messages_query messages;
    memset(&chats, 0, sizeof chats);
    memset(&messages, 0, sizeof messages);
    chats.want = which == CHATS_NO_AVATARS ? AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS
                 : which == CHATS_BARE     ? AVITO_CHAT_LAST_MESSAGE | AVITO_MESSAGE_BARE
                                           : 0u;
    messages.want = which == MESSAGES_BARE ? AVITO_MESSAGE_BARE : 0u;
    switch (which) {
        case CHAT:
            return avito_get_chat(&client, 1, "u2i-1", &arena, &chat);
        case CHATS:
        case CHATS_NO_AVATARS:
        case CHATS_BARE:
            (void)avito_list_chats(&client, 1, &chats, &arena);
            return avito_next_chat(&client, &chat);
        case MESSAGES:
        case MESSAGES_BARE:
            (void)avito_list_messages(&client, 1, "u2i-1", &messages, &arena);
            return avito_next_message(&client, &message);
        case SEND:
            return avito_send_message(&client, 1, "u2i-1", "Hello", &arena, &message);
        default:
            return avito_parse_webhook(body, body_len, &arena, &event, NULL);
    }
}

static int run(int which, size_t cap)
{
    int result;
    char head[64];
    const int head_len =
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body_len);
    client_begin();
    recorded_answer(head, (size_t)head_len, body, body_len);
    arena = avito_arena_of(room, cap);
    result = call(which);
    while (result == AVITO_AGAIN) {
        result = avito_step(&client);
    }
    return result;
}

static size_t smallest(const char *name, int which)
{
    size_t n = 8;
    while (run(which, n) == AVITO_ERR_ARENA && n < sizeof room) {
        n += 8;
    }
    if (run(which, sizeof room) != AVITO_OK || run(which, n) != AVITO_OK ||
        run(which, n - 8) == AVITO_OK) {
        fail(name, avito_error_name(run(which, sizeof room)));
    }
    printf("arena | %s | %zu\n", name, n);
    return n;
}

/* The manual's formula for one element: the bytes that it leaves behind; once more the items of the lists
 * that are open at the same time (here users, and one of them with all its images); and the chat's
 * own struct. */
static void recorded_chat(size_t measured)
{
    const size_t stays = arena.used;
    const size_t lists = 2u * sizeof(avito_user) + 6u * sizeof(avito_image_size);
    const size_t formula = stays + lists + sizeof(avito_chat);
    printf("arena | of that, in use afterwards | %zu\n", stays);
    printf("arena | the same by the formula | %zu\n", formula);
    if (formula < measured) {
        fail("formula", "less than what is needed");
    }
}

static void largest_message(void)
{
    size_t measured, formula;
    body_len = 0;
    add("{\"messages\":[");
    add_message();
    add("]}");
    measured = smallest("the largest legal message, element by element", MESSAGES);
    formula = avitoi_arena_align(2u * (4001u + 33u + 5u) + 3u + sizeof(avito_quote) + 3u * 7u +
                                 2u * sizeof(struct avitoi_schema_wide_content) +
                                 sizeof(avito_message) + sizeof(struct avitoi_schema_list));
    printf("arena | the same by the formula | %zu\n", formula);
    if (formula < measured) {
        fail("formula", "less than what is needed");
    }
    (void)smallest("the same with AVITO_MESSAGE_BARE", MESSAGES_BARE);
    body_len = 0;
    add_message();
    (void)smallest("send_message(), answer of that size kept", SEND);
    body_len = 0;
    add("{\"id\":\"00000000-0000-0000-0000-000000000000\",\"version\":\"v3.0.0\",\"timestamp\":"
        "1755000000,"
        "\"payload\":{\"type\":\"message\",\"value\":");
    add_message();
    add("}}");
    (void)smallest("parse_webhook(), that message", EVENT);
}

int main(int argc, char **argv)
{
    size_t measured;
    if (argc != 2) {
        fail("usage", "sizes DATA");
    }
    structs();
    body_len = 0;
    add_file(argv[1], "chat_wire.json");
    printf("arena | a recorded chat, bytes on the wire | %zu\n", body_len);
    measured = smallest("get_chat(), recorded chat, everything", CHAT);
    (void)run(CHAT, sizeof room);
    recorded_chat(measured);
    body_len = 0;
    add("{\"chats\":[");
    add_file(argv[1], "chat_wire.json");
    add("]}");
    (void)smallest("next_chat(), recorded chat, everything", CHATS);
    (void)smallest("next_chat(), recorded chat, without avatars", CHATS_NO_AVATARS);
    (void)smallest("next_chat(), last message without content", CHATS_BARE);
    largest_message();
    return 0;
}
#endif
