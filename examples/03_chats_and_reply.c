/* cc -I. examples/03_chats_and_reply.c -o build/03_chats_and_reply -lbearssl
 *
 * По-русски: отвечает каждому, кто ждёт; чаты читаются по одному, память не зависит от их числа.
 *
 * Answers everybody who is waiting: 03_chats_and_reply TEXT
 *
 * The unread chats are read one by one as they arrive, so memory does not depend on how many there
 * are. While a list is open the lane is busy: copy the ids, end the list, then answer. */
#include "example.h"

#define AT_ONCE 10 /* chats answered in one run */

static char roots[256 * 1024], records[AVITO_TLS_BUFFER_HALF(16384)];
static char tokens[AVITO_TOKENS_SIZE(128)], window[1024];
static char room[3072]; /* for one chat, not for the list */
static char waiting[AT_ONCE][64];

/* Collects the ids of unread chats whose last message is the buyer's. Returns their number, or an
 * error. */
static int find_waiting(avito_client *client, int64_t user_id, avito_arena *arena)
{
    avito_chats_query query = {.unread_only = true, .want = AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS};
    avito_chat chat;
    int count = 0;
    int result = avito_list_chats(client, user_id, &query, arena);

    while (count < AT_ONCE && avito_list_open(client)) {
        result = avito_next_chat(client, &chat);
        if (result == AVITO_END) {
            break;
        }
        if (result != AVITO_OK) { /* for instance too large for us; the next may fit */
            if (avito_list_open(client)) {
                printf("passed over %s: %s (takes %zu bytes)\n", avito_last_error(client)->text,
                       avito_error_text(result), avito_last_error(client)->needed);
            }
            continue;
        }
        if (chat.last_message == NULL || chat.last_message->is_own ||
            chat.last_message->is_system || chat.id.ptr == NULL ||
            chat.id.len >= sizeof waiting[0]) {
            continue;
        }
        printf("%s: ", chat.id.ptr);
        example_print(chat.last_message->content.kind == AVITO_MESSAGE_TEXT
                          ? chat.last_message->content.as.text
                          : chat.last_message->type_word);
        printf("\n");
        memcpy(waiting[count++], chat.id.ptr, chat.id.len + 1);
    }
    if (result < 0) {
        return result;
    }
    (void)avito_list_end(client, 4096); /* read on to keep the connection if little is left */
    return count;
}

int main(int argc, char **argv)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_anchors anchors;
    avito_account account;
    avito_client client;
    avito_tcp tcp;
    avito_tls tls;
    avito_self me;
    int result, count, i;

    if (argc != 2) {
        fprintf(stderr, "usage: 03_chats_and_reply TEXT\n");
        return 2;
    }
    example_must(avito_tcp_init(&tcp, NULL), "TCP");
    example_roots(&anchors, roots, sizeof roots);
    example_tls(&tls, avito_tcp_transport(&tcp), &anchors, records, sizeof records);
    example_account(&account, tokens, sizeof tokens);
    example_client(&client, &account, avito_tls_transport(&tls), window, sizeof window);

    if ((result = avito_get_self(&client, &arena, &me)) != AVITO_OK) {
        return example_failed(&client, result);
    }
    avito_arena_reset(&arena);
    if ((count = find_waiting(&client, me.id, &arena)) < 0) {
        return example_failed(&client, count);
    }
    for (i = 0; i < count; i++) {
        result = avito_send_message(&client, me.id, waiting[i], argv[1], NULL, NULL);
        if (result == AVITO_OK) {
            result = avito_mark_chat_as_read(&client, me.id, waiting[i]);
        }
        if (result != AVITO_OK) {
            return example_failed(&client, result);
        }
    }
    printf("answered %d chats; at most %zu bytes of %zu were in use\n", count, arena.peak,
           sizeof room);
    avito_client_close(&client);
    return 0;
}
