/* cc -I. examples/06_parse_webhook.c -o build/06_parse_webhook -lbearssl
 *
 * По-русски: тело уведомления со стандартного ввода превращается в событие.
 *
 * Turns the body of a notification, from standard input, into an event: 06_parse_webhook <body.json
 *
 * Needs no account and no connection. 12_webhook_server.c receives such bodies over HTTP. */
#include "example.h"

static char body[64 * 1024], room[64 * 1024];

static void show_content(const avito_content *content)
{
    switch (content->kind) {
        case AVITO_MESSAGE_TEXT:
            example_print(content->as.text);
            break;
        case AVITO_MESSAGE_SYSTEM:
            example_print(content->as.system.text);
            break;
        case AVITO_MESSAGE_IMAGE:
            printf("a picture in %zu sizes", content->as.image->sizes.count);
            break;
        case AVITO_MESSAGE_LINK:
            example_print(content->as.link->url);
            break;
        case AVITO_MESSAGE_ITEM:
            example_print(content->as.item->title);
            break;
        case AVITO_MESSAGE_LOCATION: /* in units of 1e-7 degree */
            printf("%.7f %.7f", content->as.location->lat_e7 / 1e7,
                   content->as.location->lon_e7 / 1e7);
            break;
        case AVITO_MESSAGE_CALL:
            printf("a call to %lld: %s", (long long)content->as.call->target_user_id,
                   content->as.call->status == AVITO_CALL_MISSED ? "missed" : "other");
            break;
        case AVITO_MESSAGE_VOICE: /* avito_get_voice_files() gives the address */
            printf("voice %s", content->as.voice->voice_id.ptr);
            break;
        default: /* deleted, call in the app, file, video, or newer than this program */
            printf("nothing that can be shown");
            break;
    }
}

int main(void)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_event event;
    size_t needed = 0;
    size_t len = fread(body, 1, sizeof body, stdin);
    int result = avito_parse_webhook(body, len, &arena, &event, &needed);

    if (result == AVITO_END) {
        printf("a probe: {}\n");
        return 0;
    }
    if (result != AVITO_OK) {
        fprintf(stderr, "%s: %s; %s (%zu)\n", avito_error_name(result), avito_error_text(result),
                avito_error_remedy(result), needed);
        return 1;
    }
    if (event.message == NULL) { /* a new kind of notification */
        printf("of type ");
        example_print(event.type);
        printf("\n");
        return 0;
    }
    printf("message %s\n", event.message->id.ptr != NULL ? event.message->id.ptr : "?");
    printf("chat    %s\n", event.message->chat_id.ptr != NULL ? event.message->chat_id.ptr : "?");
    printf("author  %lld%s%s\n", (long long)event.message->author_id,
           event.message->is_own ? ", this account itself" : "",
           event.message->is_system ? ", Avito" : "");
    printf("type    ");
    example_print(event.message->type_word);
    printf("\ncontent ");
    show_content(&event.message->content);
    printf("\n");
    return 0;
}
