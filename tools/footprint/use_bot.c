/* Chat bot: a token, the unread chats streamed, their messages, an answer, marked as read. */
#include "use.h"

int use(void)
{
    static avito_chats_query query;
    avito_chat chat;
    avito_messages messages;
    int result = use_begin();

    query.unread_only = true;
    if (result == AVITO_OK) {
        result = avito_get_token(&use_client, NULL);
    }
    if (result == AVITO_OK) {
        result = avito_list_chats(&use_client, 1, &query, &use_arena);
    }
    while (result == AVITO_OK) {
        result = avito_next_chat(&use_client, &chat);
    }
    if (result == AVITO_END) {
        result = avito_list_end(&use_client, 1024);
    }
    if (result == AVITO_OK) {
        result = avito_get_messages(&use_client, 1, use_chat, NULL, &use_arena, &messages);
    }
    if (result == AVITO_OK) {
        result = avito_send_message(&use_client, 1, use_chat, use_words, NULL, NULL);
    }
    if (result == AVITO_OK) {
        result = avito_mark_chat_as_read(&use_client, 1, use_chat);
    }
    return result;
}
