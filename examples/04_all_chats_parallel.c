/* cc -I. examples/04_all_chats_parallel.c -o build/04_all_chats_parallel -lbearssl
 *
 * По-русски: новые сообщения всех чатов: несколько соединений, один поток, одна учётная запись.
 *
 * The newest messages of all chats, several chats at a time: four lanes on one thread share one
 * account, and poll(2) waits for all of them. */
#include "example.h"

#include <poll.h>

#define LANES 4

typedef struct lane {
    avito_tcp tcp;
    avito_tls tls;
    avito_client client;
    avito_arena arena;
    avito_messages messages;
    const avito_chat *chat; /* whose messages are being fetched; NULL: nothing to do */
    char window[1024];
    char records[AVITO_TLS_BUFFER_HALF(16384)];
    char room[32768]; /* for the messages of one chat */
} lane;

static lane lanes[LANES];
static char roots[256 * 1024], tokens[AVITO_TOKENS_SIZE(128)];
static char room[256 * 1024]; /* for the list of chats */

static void open_lane(lane *l, avito_account *account, const avito_anchors *anchors,
                      example_addresses *addresses)
{
    avito_tcp_options o = avito_tcp_options_default();

    o.never_wait = true;
    o.resolve = example_resolve;
    o.ctx = addresses;
    example_must(avito_tcp_init(&l->tcp, &o), "TCP");
    example_tls(&l->tls, avito_tcp_transport(&l->tcp), anchors, l->records, sizeof l->records);
    example_client(&l->client, account, avito_tls_transport(&l->tls), l->window, sizeof l->window);
    l->arena = avito_arena_of(l->room, sizeof l->room);
}

/* Waits until any busy lane can go on. */
static void wait_for_lanes(void)
{
    struct pollfd fds[LANES];
    uint32_t ms = 60000;
    int i;

    for (i = 0; i < LANES; i++) {
        int wants = avito_wants(&lanes[i].client); /* 0: nothing in progress on it */
        uint32_t left = avito_deadline_ms(&lanes[i].client);

        fds[i].fd = wants != 0 ? avito_tcp_fd(&lanes[i].tcp) : -1;
        fds[i].events = (short)(((wants & AVITO_WANT_READ) != 0 ? POLLIN : 0) |
                                ((wants & AVITO_WANT_WRITE) != 0 ? POLLOUT : 0));
        ms = left < ms ? left : ms;
    }
    (void)poll(fds, LANES, (int)ms);
}

static void show(const lane *l, int result)
{
    if (l->chat->context != NULL && l->chat->context->item != NULL) {
        example_print(l->chat->context->item->title);
    } else {
        printf("%s", l->chat->id.ptr);
    }
    if (result != AVITO_OK) {
        printf(": %s\n", avito_error_text(result));
        return;
    }
    printf(": %zu messages%s", l->messages.count, l->messages.has_more ? " and more" : "");
    if (l->messages.count != 0 && l->messages.items[0].content.kind == AVITO_MESSAGE_TEXT) {
        printf(", the last: ");
        example_print(l->messages.items[0].content.as.text);
    }
    printf("\n");
}

/* Steps a lane, from one chat to the next, until it has to wait; then l->chat is its chat, or NULL
 * when no chat is left for it. */
static void move(lane *l, int64_t user_id, const avito_chats *chats, size_t *next, int *failures)
{
    int result = l->chat != NULL ? avito_step(&l->client) : AVITO_END;

    while (result != AVITO_AGAIN) {
        if (l->chat != NULL) {
            show(l, result);
            *failures += result != AVITO_OK;
        }
        l->chat = *next < chats->count ? &chats->items[(*next)++] : NULL;
        if (l->chat == NULL) {
            return;
        }
        avito_arena_reset(&l->arena);
        result =
            avito_get_messages(&l->client, user_id, l->chat->id.ptr, NULL, &l->arena, &l->messages);
    }
}

/* Runs the call that a lane began, which may not wait, until it has ended. */
static int finish(avito_client *client, int result)
{
    while (result == AVITO_AGAIN) {
        wait_for_lanes();
        result = avito_step(client);
    }
    return result;
}

int main(void)
{
    avito_chats_query query = {.all_pages = true, .want = AVITO_CHAT_CONTEXT};
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_anchors anchors;
    avito_account account;
    example_addresses addresses;
    avito_client *first = &lanes[0].client;
    avito_self me;
    avito_chats chats;
    size_t next = 0;
    int i, result, failures = 0;

    example_look_up(&addresses);
    example_roots(&anchors, roots, sizeof roots);
    example_account(&account, tokens, sizeof tokens);
    for (i = 0; i < LANES; i++) {
        open_lane(&lanes[i], &account, &anchors, &addresses);
    }
    if ((result = finish(first, avito_get_self(first, &arena, &me))) != AVITO_OK ||
        (result = finish(first, avito_get_chats(first, me.id, &query, &arena, &chats))) !=
            AVITO_OK) {
        return example_failed(first, result);
    }
    for (;;) {
        bool busy = false;

        for (i = 0; i < LANES; i++) {
            move(&lanes[i], me.id, &chats, &next, &failures);
            busy = busy || lanes[i].chat != NULL;
        }
        if (!busy) {
            break;
        }
        wait_for_lanes();
    }
    printf("%zu chats\n", chats.count);
    for (i = 0; i < LANES; i++) {
        avito_client_close(&lanes[i].client);
    }
    return failures == 0 ? 0 : 1;
}
