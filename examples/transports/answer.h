/* answer.h - one answer to whoever is waiting: the common part of the examples for boards.
 *
 * По-русски: один ответ каждому, кто ждёт: общая часть примеров для плат.
 *
 * Included by examples/transports/answer.c, and by the samples of the ESP-IDF component and the Zephyr module,
 * into which `make release` copies it. */
#ifndef ANSWER_H
#define ANSWER_H

#include "avito_messenger.h"

#include <stdio.h>

/* Answers one chat, marks it as read, and prints a line for it. Where the last word is ours, the answer had
 * arrived the turn before, though its result was lost, or the mark failed. (What the chat may show late,
 * avito_send_once() finds out, where there are files: examples/14_answer_once.c.) */
static int answer_one(avito_client *client, int64_t user_id, const avito_chat *chat)
{
    const bool answered = chat->last_message != NULL && chat->last_message->is_own;
    int rc = answered
                 ? AVITO_OK
                 : avito_send_message(client, user_id, chat->id.ptr, "Здравствуйте!", NULL, NULL);

    rc = rc ? rc : avito_mark_chat_as_read(client, user_id, chat->id.ptr);
    printf("%s: %s\n", chat->id.ptr, rc ? avito_error_text(rc) : "answered");
    return rc;
}

/* Answers each unread chat. The first error ends it. */
static int answer_all(avito_client *client, int64_t user_id, avito_arena *arena)
{
    avito_chats_query unread = {.unread_only = true, .want = AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS};
    avito_chats chats;
    int rc;

    avito_arena_reset(arena);
    rc = avito_get_chats(client, user_id, &unread, arena, &chats);
    for (size_t i = 0; rc == AVITO_OK && i < chats.count; i++) {
        rc = answer_one(client, user_id, &chats.items[i]);
    }
    return rc;
}

/* One turn of a board's loop: finds out whose account it is, then answers. An error is printed; the
 * next turn tries again. */
static void answer_turn(avito_client *client, avito_self *self, avito_arena *arena)
{
    int rc =
        self->id == 0 ? avito_get_self(client, arena, self) : answer_all(client, self->id, arena);

    if (rc != AVITO_OK) {
        printf("%s: %s\n", avito_error_text(rc), avito_error_remedy(rc));
    }
}

#endif
