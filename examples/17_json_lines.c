/* cc -I. examples/17_json_lines.c -o build/17_json_lines -lbearssl
 *
 * По-русски: все сообщения всех чатов, по строке JSON.
 *
 * Prints every message of every chat that the API shows, a line of JSON each: 17_json_lines >all.jsonl
 *
 * A chat that cannot be read is named on standard error, and the status is 1.
 *
 * The members have the service's names; our own (class, names) are in "avito". Of each chat the API
 * shows the newest 1,100 messages at most. */
#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#include "avito_messenger.h"

static avito_posix a;
static char room[8 << 20], line[1 << 18];

/* False after saying why. */
static bool went_well(const avito_chat *chat, int rc)
{
    if (rc < 0) {
        fprintf(stderr, "chat %s: %s\n", chat->id.ptr ? chat->id.ptr : "without an id",
                avito_posix_strerror(&a, rc));
    }
    return rc >= 0;
}

/* False: not all of it could be read. */
static bool print_chat(const avito_chat *chat)
{
    const avito_messages_query all = {.all_pages = true};
    avito_message m;
    int rc = avito_list_messages(&a.client, a.self.id, chat->id.ptr, &all, &a.arena);
    bool whole = went_well(chat, rc);

    while (avito_list_open(&a.client)) {
        rc = avito_next_message(&a.client, &m);
        rc = rc == AVITO_OK ? avito_message_json(&m, chat, line, sizeof line, NULL) : rc;
        if (rc == AVITO_OK) {
            puts(line);
        }
        whole = went_well(chat, rc) && whole;
    }
    return whole;
}

int main(void)
{
    const avito_chats_query all = {.all_pages = true,
                                   .chat_types = AVITO_CHAT_TYPE_U2I | AVITO_CHAT_TYPE_U2U |
                                                 AVITO_CHAT_TYPE_A2U,
                                   .want = AVITO_CHAT_CONTEXT | AVITO_CHAT_USERS};
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_chats chats = {.count = 0};
    int rc = avito_posix_sign_in(&a, &(avito_posix_options){.client.retries = 3});

    rc = rc ? rc : avito_get_chats(&a.client, a.self.id, &all, &arena, &chats);
    bool whole = !avito_posix_perror(&a, rc) && chats.skipped == 0;
    if (chats.skipped > 0) {
        fprintf(stderr, "%zu chats are left out: they are not as the API describes them\n",
                chats.skipped);
    }
    for (size_t i = 0; rc >= 0 && i < chats.count && !ferror(stdout); i++) {
        avito_arena_reset(&a.arena);
        whole = print_chat(&chats.items[i]) && whole; /* the other chats go on */
    }
    return fflush(stdout) != 0 || ferror(stdout) || !whole;
}
