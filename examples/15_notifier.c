/* cc -I. examples/15_notifier.c -o build/15_notifier -lbearssl
 *
 * По-русски: строка на каждое новое сообщение: кто, о каком объявлении, что.
 *
 * Prints a line for each new message of a buyer: who, about which listing, what. 15_notifier
 *
 * Put what you like in place of printf(): a mail, a lamp, notify-send. */
#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#include "avito_messenger.h"

/* Strangers also choose names and titles: shown like the preview of a text. */
static const char *plain(const avito_str *words, char out[300])
{
    avito_message text = {.type = AVITO_MESSAGE_TEXT, .content.kind = AVITO_MESSAGE_TEXT};

    text.content.as.text = words != NULL ? *words : text.content.as.text;
    return avito_message_preview(&text, AVITO_RUSSIAN, out, 300) > 0 ? out : "?";
}

int main(void)
{
    static avito_posix a;
    char name[300], title[300], line[300];
    avito_message m;
    avito_inbox inbox;
    avito_chat chat;
    int rc = avito_posix_sign_in(&a, NULL);
    avito_inbox_options in = avito_posix_inbox_options(&a, a.self.id);

    rc = rc ? rc : avito_inbox_init(&inbox, &a.client, &in);
    for (bool open = !rc; open; fflush(stdout), avito_posix_perror(&a, rc)) {
        rc = avito_inbox_next(&inbox, &m);
        if (rc == AVITO_OK && avito_classify(&m) == AVITO_CLASS_BUYER) {
            avito_arena_reset(&a.arena);
            rc = avito_get_chat(&a.client, a.self.id, m.chat_id.ptr, &a.arena, &chat);
            const avito_item *item = !rc && chat.context != NULL ? chat.context->item : NULL;
            const avito_user *all = !rc && chat.users.count == 2 ? chat.users.items : NULL;
            const avito_str *who = all != NULL ? &all[all[0].id == a.self.id].name : NULL;
            (void)avito_message_preview(&m, AVITO_RUSSIAN, line, sizeof line);
            printf("%s, %s: ", plain(who, name), plain(item ? &item->title : NULL, title));
            puts(line);
        }
        (void)avito_inbox_accept(&inbox);
    }
    return avito_posix_perror(&a, rc);
}
