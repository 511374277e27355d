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
 * Needs no account and no connection. What models know is 06_parse_webhook.c's. */
#include "example.h"

static char body[64 * 1024], room[4096], tokens[AVITO_JSON_TOKENS_SIZE(1024)];

/* The new type, read with what is known of it. */
static void show_sticker(avito_json_value sticker)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_json_value tag = avito_json_first(avito_json_get(sticker, "tags"));
    avito_str title = {"", 0};
    int64_t pack = 0;

    (void)avito_json_int(avito_json_get(sticker, "pack_id"), &pack);
    (void)avito_json_string(avito_json_get(sticker, "title"), &arena, &title, NULL);
    printf("sticker of pack %lld: ", (long long)pack);
    example_print(title);
    for (; avito_json_string(tag, &arena, &title, NULL) == AVITO_OK; tag = avito_json_next(tag)) {
        printf(" #");
        example_print(title);
    }
    printf("\n");
}

int main(void)
{
    const size_t len = fread(body, 1, sizeof body, stdin);
    avito_json json;
    avito_json_value message, content;
    int result = avito_json_parse(&json, body, len, tokens, sizeof tokens);

    if (result != AVITO_OK) {
        fprintf(stderr, "%s: %s; %s (%zu)\n", avito_error_name(result), avito_error_text(result),
                avito_error_remedy(result), json.needed);
        return 1;
    }
    message = avito_json_get(avito_json_get(avito_json_root(&json), "payload"), "value");
    content = avito_json_get(message, "content");
    if (avito_json_is(avito_json_get(message, "type"), "sticker")) {
        show_sticker(avito_json_get(content, "sticker"));
    } else {
        printf("unknown content: ");
        example_print(avito_json_raw(content)); /* as it came */
        printf("\n");
    }
    return 0;
}
