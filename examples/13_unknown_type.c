/* cc -I. examples/13_unknown_type.c -o build/13_unknown_type -lbearssl
 *
 * По-русски: сообщение вида, которого эта версия не знает.
 *
 * A message of a type that this version does not know: a notification's body from standard input, with a
 * "sticker" that no model has: 13_unknown_type <body.json
 *
 *     {"payload":{"type":"message","value":{"id":"m1","type":"sticker",
 *         "content":{"sticker":{"pack_id":7,"title":"Cat","tags":["cat"]}}}}}
 *
 * Members that the models know are decoded as usual; the others are kept as JSON, which
 * avito_json_*() reads. In lists, AVITO_RAW in .want does that. Needs no account and no
 * connection. */
#include "example.h"

static char body[64 * 1024], room[64 * 1024], tokens[AVITO_JSON_TOKENS_SIZE(1024)];

/* Reads the new type, as far as it is known. */
static void show_sticker(avito_json_value sticker, avito_arena *arena)
{
    avito_json_value tag = avito_json_first(avito_json_get(sticker, "tags"));
    avito_str text = {"", 0};
    int64_t pack = 0;

    (void)avito_json_int(avito_json_get(sticker, "pack_id"), &pack);
    (void)avito_json_string(avito_json_get(sticker, "title"), arena, &text, NULL);
    printf("sticker of pack %lld: ", (long long)pack);
    example_print(text);
    for (; avito_json_string(tag, arena, &text, NULL) == AVITO_OK; tag = avito_json_next(tag)) {
        printf(" #");
        example_print(text);
    }
}

/* Unknown members, as JSON. */
static int show_unknown(avito_str raw, avito_arena *arena)
{
    avito_json json;
    avito_json_value sticker;
    const int result = avito_json_parse(&json, raw.ptr, raw.len, tokens, sizeof tokens);

    if (result != AVITO_OK) {
        return result;
    }
    sticker = avito_json_get(avito_json_root(&json), "sticker");
    if (avito_json_type_of(sticker) == AVITO_JSON_OBJECT) {
        show_sticker(sticker, arena);
    } else {
        printf("unknown content: ");
        example_print(raw); /* as it came */
    }
    printf("\n");
    return AVITO_OK;
}

int main(void)
{
    const size_t len = fread(body, 1, sizeof body, stdin);
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_event event;
    int result = avito_parse_webhook_raw(body, len, &arena, &event, NULL);

    if (result == AVITO_OK && event.message != NULL &&
        event.message->content.kind == AVITO_MESSAGE_NONE &&
        event.message->content.as.raw.len > 0) {
        result = show_unknown(event.message->content.as.raw, &arena);
    }
    if (result < 0) {
        fprintf(stderr, "%s: %s; %s\n", avito_error_name(result), avito_error_text(result),
                avito_error_remedy(result));
        return 1;
    }
    return 0;
}
