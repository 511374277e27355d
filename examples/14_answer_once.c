/* cc -I. examples/14_answer_once.c -o build/14_answer_once -lbearssl
 *
 * По-русски: то же, что 11, коротко: один ответ каждому, переживает kill -9.
 *
 * Answers each buyer once, and may be killed (kill -9) at any moment: 14_answer_once FOLDER TEXT
 *
 * FOLDER keeps how far the inbox has come, and what was sent into which chat. A chat in which the
 * account has written needs no answer. If the program is killed while an answer leaves, the chat
 * shows later whether it arrived; if that cannot be told, the program says so and sends none. 11
 * keeps a list of answers that are owed; here a message waits until the one before it is
 * answered. */
#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#include "avito_messenger.h"

static avito_posix a;

static int answer(const char *chat, const char *text)
{
    static avito_store_send known;
    const avito_messages_query query = {.want = AVITO_MESSAGE_BARE};
    avito_messages last = {.count = 0};
    avito_outcome outcome = AVITO_SENT;
    int rc = avito_store_find_send(&a.store, chat, &known);

    avito_arena_reset(&a.arena);
    if (rc == AVITO_END) { /* no answer of ours is on its way there */
        rc = avito_get_messages(&a.client, a.self.id, chat, &query, &a.arena, &last);
    }
    for (size_t i = 0; i < last.count; i++) {
        rc = last.items[i].is_own ? AVITO_END : rc;
    }
    if (rc == AVITO_OK) { /* the chat's id is the key */
        rc = avito_send_once(&a.client, &a.store, a.self.id, chat, chat, text, &a.arena, &outcome);
    }
    if (rc >= 0 && outcome == AVITO_CANNOT_TELL) {
        fprintf(stderr, "%s: perhaps not answered, look into the app\n", chat);
    }
    return rc;
}

int main(int argc, char **argv)
{
    avito_posix_options o = {.folder = argv[1], .client.retries = 3};
    avito_inbox inbox;
    avito_message message;

    if (argc != 3) {
        return fprintf(stderr, "usage: 14_answer_once FOLDER TEXT\n"), 2;
    }
    int rc = avito_posix_sign_in(&a, &o);
    avito_inbox_options in = avito_posix_inbox_options(&a, a.self.id);
    in.start = AVITO_START_UNREAD;
    rc = rc ? rc : avito_inbox_init(&inbox, &a.client, &in);
    for (bool open = rc == AVITO_OK; open; sleep(rc < 0)) {
        rc = avito_inbox_next(&inbox, &message);
        if (rc == AVITO_OK && avito_classify(&message) == AVITO_CLASS_BUYER) {
            rc = answer(message.chat_id.ptr, argv[2]);
        }
        if (rc == AVITO_ERR_ARGUMENT || rc == AVITO_ERR_TEXT || rc == AVITO_ERR_UTF8) {
            break; /* this TEXT can never be sent: another one goes to the same chats */
        }
        if (rc >= 0 || rc == AVITO_ERR_ID || rc == AVITO_ERR_BAD_REQUEST ||
            rc == AVITO_ERR_STATUS || (rc <= AVITO_ERR_FORBIDDEN && rc > AVITO_ERR_RATE)) {
            (void)avito_inbox_accept(&inbox); /* after any other error the message comes again */
        }
        (void)avito_posix_perror(&a, rc);
    }
    return avito_posix_perror(&a, rc);
}
