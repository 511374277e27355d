/* answer.h - one answer to whoever is waiting: what the examples for boards have in common.
 *
 * По-русски: один ответ каждому, кто ждёт: общая часть примеров для плат.
 *
 * Included by examples/transports/answer.c, and by the samples of the ESP-IDF component and the Zephyr module,
 * into which `make release` copies it. */
#ifndef ANSWER_H
#define ANSWER_H

#include "avito_messenger.h"

#include <stdio.h>

/* Answers each unread chat, marks it as read, and prints a line for it. The first error ends it. */
static int answer_all(avito_client *client, int64_t user_id, avito_arena *arena)
{
    avito_chats_query unread = {.unread_only = true, .want = AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS};
    avito_chats chats;
    int rc;

    avito_arena_reset(arena);
    rc = avito_get_chats(client, user_id, &unread, arena, &chats);
    for (size_t i = 0; rc == AVITO_OK && i < chats.count; i++) {
        rc =
            avito_send_message(client, user_id, chats.items[i].id.ptr, "Здравствуйте!", NULL, NULL);
        rc = rc ? rc : avito_mark_chat_as_read(client, user_id, chats.items[i].id.ptr);
        printf("%s: %s\n", chats.items[i].id.ptr, rc ? avito_error_text(rc) : "answered");
    }
    return rc;
}

#endif
