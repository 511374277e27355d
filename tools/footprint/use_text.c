/* Text only: a token and one message. Linked, never run: the linker shows what it pulls in. */
#include "use.h"

int use(void)
{
    int result = use_begin();

    if (result == AVITO_OK) {
        result = avito_get_token(&use_client, NULL);
    }
    if (result == AVITO_OK) {
        result = avito_send_message(&use_client, 1, use_chat, use_words, NULL, NULL);
    }
    return result;
}
