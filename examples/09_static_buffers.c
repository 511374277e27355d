/* cc -I. examples/09_static_buffers.c -o build/09_static_buffers -lbearssl
 *
 * По-русски: вся память клиента по именам и размерам; кучи нет.
 *
 * All memory that the client uses, by name and size, for reading the unread chats over TLS. There
 * is no heap: apart from the stack, this is all. */
#include "example.h"

#define TLS_FRAGMENT  4096 /* if the server honours it, else 16384 */
#define LONGEST_TOKEN 64

static avito_account account;
static avito_client client;
static avito_tls tls;
static avito_tcp tcp;
static char tokens[AVITO_TOKENS_SIZE(LONGEST_TOKEN)];
static char window[AVITO_WINDOW_MIN]; /* enough for every call */
static char room[3072];               /* for one element of a list */
static char records[AVITO_TLS_BUFFER_HALF(TLS_FRAGMENT)];
static char roots[256 * 1024]; /* a board has one or two roots in flash */

static void show_sizes(const avito_anchors *anchors, const avito_arena *arena)
{
    const struct {
        const char *what;
        size_t size;
    } rows[] = {{"account", sizeof account},
                {"tokens: AVITO_TOKENS_SIZE(64)", sizeof tokens},
                {"client", sizeof client},
                {"window: AVITO_WINDOW_MIN", sizeof window},
                {"arena", sizeof room},
                {"  of it used at most", arena->peak},
                {"TLS context", sizeof tls},
                {"TLS records: AVITO_TLS_BUFFER_HALF(4096)", sizeof records},
                {"trust anchors", anchors->needed},
                {"TCP transport", sizeof tcp}};
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("%-42s %7zu B\n", rows[i].what, rows[i].size);
    }
}

int main(void)
{
    avito_chats_query query = {.unread_only = true, .want = AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS};
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_anchors anchors;
    avito_self me;
    avito_chat chat;
    unsigned count = 0, too_large = 0;
    int result;

    example_must(avito_tcp_init(&tcp, NULL), "TCP");
    example_roots(&anchors, roots, sizeof roots);
    example_tls(&tls, avito_tcp_transport(&tcp), &anchors, records, sizeof records);
    example_account(&account, tokens, sizeof tokens);
    example_client(&client, &account, avito_tls_transport(&tls), window, sizeof window);

    if ((result = avito_get_self(&client, &arena, &me)) != AVITO_OK) {
        return example_failed(&client, result);
    }
    avito_arena_reset(&arena);
    result = avito_list_chats(&client, me.id, &query, &arena);
    while (avito_list_open(&client)) {
        result = avito_next_chat(&client, &chat);
        count += result == AVITO_OK;
        too_large += result == AVITO_ERR_ARENA; /* skipped; error.needed says how much it needs */
    }
    if (result != AVITO_END) {
        return example_failed(&client, result);
    }
    printf("%u unread chats, %u of them too large\n", count + too_large, too_large);
    show_sizes(&anchors, &arena);
    avito_client_close(&client);
    return 0;
}
