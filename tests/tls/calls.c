/*
 * calls.c - every call of the API over real TLS, blocking and not blocking.
 *
 * One story, a table of steps, is played by a lane that waits and by several lanes side by side
 * under poll(): against the simulator's own TLS and against nginx in front of it, with P-256 and
 * RSA certificates, half and full duplex TLS, windows of 512 and 4096 bytes. The service's control
 * side then tells what is in its store. After that come errors, tokens, and connections that the
 * other side closes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "avito_messenger.h"
#include "tls/service.h"

#define USER        350000001 /* the simulator's account */
#define IMAGE_SIZE  ((size_t)1400 * 1024)
#define SOURCE_SIZE ((size_t)2300 * 1024)
#define LANES       3

/* ---- accounts ---- */

typedef struct shop {
    avito_account account;
    char tokens[AVITO_TOKENS_SIZE(64)];
    char access[65], refresh[65]; /* as last given to save_token() */
    int saved;
} shop;

static avito_anchors anchors;
static char anchors_room[16 * 1024];

static int save_token(void *ctx, const avito_token *token)
{
    shop *s = ctx;
    (void)snprintf(s->access, sizeof s->access, "%s", token->access_token.ptr);
    (void)snprintf(s->refresh, sizeof s->refresh, "%s",
                   token->refresh_token.ptr != NULL ? token->refresh_token.ptr : "");
    s->saved++;
    return AVITO_OK;
}

static void open_shop(shop *s, const place *at)
{
    avito_account_options o = avito_account_options_default();
    memset(s, 0, sizeof *s);
    o.client_id = "client-id-for-tests";
    o.client_secret = "client-secret-for-tests-0123456789abcdef";
    o.tokens = s->tokens;
    o.tokens_cap = sizeof s->tokens;
    o.host = "localhost";
    o.port = at->port;
    o.ctx = s;
    o.clock_ms = avito_posix_clock_ms;
    o.unix_time = avito_posix_unix_time;
    o.entropy = avito_posix_entropy;
    o.save_token = save_token;
    assert_int_equal(avito_account_init(&s->account, &o), AVITO_OK);
}

/* ---- lanes ---- */

typedef struct shape {
    const char *name;
    size_t window, fragment;
    bool full_duplex, read_ahead;
} shape;

static const shape shapes[LANES] = {{"window 512, half duplex of 4096", 512, 4096, false, false},
                                    {"window 4096, full duplex of 16384", 4096, 16384, true, true},
                                    {"window 512, full duplex of 512", 512, 512, true, false}};

typedef struct lane {
    const place *at;
    shop *shop;
    const shape *shape;
    avito_tcp tcp;
    avito_tls tls;
    avito_client client;
    avito_arena arena;
    char *window, *buffer;
    char ahead[2048], room[48 * 1024];
    bool polled; /* never waits */
    /* the story */
    const struct step *step;
    int number, round;
    size_t count;
    char chat_id[64], buyer_text[64], voice_id[2][64];
    char text[4096], message_id[64], image_id[2][64], url[64];
    int64_t item_id;
    uint64_t asked; /* by the upload source: next offset */
    avito_self self;
    avito_chats chats;
    avito_chat chat;
    avito_messages messages;
    avito_message message;
    avito_uploaded_image image;
    avito_voice_files voices;
    avito_voice_file voice;
    avito_subscriptions subscriptions;
    avito_subscription subscription;
    avito_token token;
    avito_outcome outcome;
} lane;

typedef struct step {
    const char *name;
    int (*start)(lane *l);
    bool (*done)(lane *l, int rc); /* true: the same step once more */
} step;

#define EXPECT(l, condition)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            complain(l, #condition, __LINE__);                                                     \
        }                                                                                          \
    } while (0)

static void complain(const lane *l, const char *what, int line)
{
    const avito_error *e = avito_last_error(&l->client);
    fail_msg("line %d: %s, %s, %s: %s: not so: %s\n  last error %s, HTTP %d, detail %d, '%s'", line,
             l->at->name, l->shape->name, l->polled ? "polled" : "waiting",
             l->step != NULL ? l->step->name : "-", what, avito_error_name(e->code), e->http_status,
             e->detail, e->text);
}

static void open_lane(lane *l, shop *s, const place *at, const shape *how, bool polled)
{
    avito_tcp_options tcp = avito_tcp_options_default();
    avito_tls_options tls = avito_tls_options_default();
    avito_client_options o = avito_client_options_default();
    memset(l, 0, sizeof *l);
    l->at = at;
    l->shop = s;
    l->shape = how;
    l->polled = polled;
    tcp.never_wait = polled;
    tcp.address = "127.0.0.1";
    assert_int_equal(avito_tcp_init(&l->tcp, &tcp), AVITO_OK);
    tls.transport = avito_tcp_transport(&l->tcp);
    tls.anchors = anchors.items;
    tls.anchors_count = anchors.count;
    tls.full_duplex = how->full_duplex;
    tls.buffer_cap = how->full_duplex ? AVITO_TLS_BUFFER_FULL(how->fragment)
                                      : AVITO_TLS_BUFFER_HALF(how->fragment);
    tls.buffer = l->buffer = test_malloc(tls.buffer_cap);
    tls.read_ahead = how->read_ahead ? l->ahead : NULL;
    tls.read_ahead_cap = how->read_ahead ? sizeof l->ahead : 0;
    tls.unix_time = avito_posix_unix_time;
    tls.entropy = avito_posix_entropy;
    assert_int_equal(avito_tls_init(&l->tls, &tls), AVITO_OK);
    o.transport = avito_tls_transport(&l->tls);
    o.window = l->window = test_malloc(how->window);
    o.window_cap = how->window;
    o.idle_timeout_ms = 5000;
    o.total_timeout_ms = 20000;
    assert_int_equal(avito_client_init(&l->client, &s->account, &o), AVITO_OK);
    l->arena = avito_arena_of(l->room, sizeof l->room);
}

static void close_lane(lane *l)
{
    avito_client_close(&l->client);
    test_free(l->window);
    test_free(l->buffer);
}

/* ---- playing ---- */

/* Lanes that wait: one after the other, each call returns its result. */
static void play_waiting(lane *l, const step *steps, size_t count)
{
    for (size_t i = 0; i < count;) {
        l->step = &steps[i];
        const int rc = steps[i].start(l);
        EXPECT(l, rc != AVITO_AGAIN);
        if (!steps[i].done(l, rc)) {
            i++;
            l->round = 0;
        } else {
            l->round++;
        }
    }
}

typedef struct player {
    lane *lane;
    size_t at;
    bool running;
} player;

/* Steps one lane as far as it goes without waiting. True: something moved. */
static bool play_some(player *p, const step *steps, size_t count)
{
    lane *l = p->lane;
    bool moved = false;
    while (p->at < count) {
        l->step = &steps[p->at];
        const int rc = p->running ? avito_step(&l->client) : l->step->start(l);
        p->running = rc == AVITO_AGAIN;
        if (p->running) {
            return moved;
        }
        moved = true;
        if (l->step->done(l, rc)) {
            l->round++;
        } else {
            l->round = 0;
            p->at++;
        }
    }
    return moved;
}

/* Lanes that never wait, all under one poll(). A lane is stepped when poll() says that what it
 * wanted is there, when its time has come, or when it waits for another lane. */
static void play_polled(lane *lanes, size_t lanes_count, const step *steps, size_t count)
{
    player players[LANES];
    struct pollfd fds[LANES];
    size_t open = 0;
    unsigned rounds = 0;
    for (size_t i = 0; i < lanes_count; i++) {
        players[i].lane = &lanes[i];
        players[i].at = 0;
        players[i].running = false;
        (void)play_some(&players[i], steps, count);
        open += players[i].at < count;
    }
    while (open > 0) {
        uint32_t ms = 15000;
        EXPECT(lanes, rounds++ < 200000);
        for (size_t i = 0; i < lanes_count; i++) {
            avito_client *c = &lanes[i].client;
            const int wants = players[i].at < count ? avito_wants(c) : 0;
            const uint32_t left = players[i].at < count ? avito_deadline_ms(c) : UINT32_MAX;
            fds[i].fd = (wants & (AVITO_WANT_READ | AVITO_WANT_WRITE)) != 0
                            ? avito_tcp_fd(&lanes[i].tcp)
                            : -1;
            fds[i].events = (short)(((wants & AVITO_WANT_READ) != 0 ? POLLIN : 0) |
                                    ((wants & AVITO_WANT_WRITE) != 0 ? POLLOUT : 0));
            fds[i].revents = 0;
            ms = left < ms ? left : ms;
        }
        assert_true(poll(fds, (nfds_t)lanes_count, (int)ms) >= 0);
        open = 0;
        bool moved = false;
        for (size_t i = 0; i < lanes_count; i++) {
            const bool due = players[i].at < count && avito_deadline_ms(&lanes[i].client) == 0;
            if (fds[i].revents != 0 || due) {
                moved = play_some(&players[i], steps, count) || moved;
            }
        }
        for (size_t i = 0; i < lanes_count; i++) {
            if (moved && players[i].at < count &&
                avito_wants(&lanes[i].client) == AVITO_WANT_ACCOUNT) {
                (void)play_some(&players[i], steps, count);
            }
            open += players[i].at < count;
        }
    }
}

/* ---- what is uploaded ---- */

static unsigned char *picture; /* IMAGE_SIZE bytes that pass for a PNG; the source has its own */

static unsigned char source_byte(size_t at)
{
    return at < 32 ? picture[at] : (unsigned char)((at * 2654435761u) >> 13);
}

/* Gives as little as it likes, and checks that nothing is skipped. */
static long source_read(void *ctx, size_t offset, void *buf, size_t cap)
{
    lane *l = ctx;
    unsigned char *out = buf;
    const size_t some = 1 + offset % 3001;
    const size_t n = some < cap ? some : cap;
    EXPECT(l, offset <= l->asked);
    for (size_t i = 0; i < n; i++) {
        out[i] = source_byte(offset + i);
    }
    l->asked = offset + n;
    return (long)n;
}

static uint64_t fnv1a(size_t size, bool from_source)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (from_source ? source_byte(i) : picture[i])) * 1099511628211u;
    }
    return hash;
}

/* ---- the story ---- */

static bool is(avito_str s, const char *word)
{
    return avito_str_equal(s, word);
}

static void keep(char *out, size_t cap, avito_str s)
{
    assert_true(s.len < cap && s.ptr != NULL);
    memcpy(out, s.ptr, s.len + 1);
}

static int start_self(lane *l)
{
    avito_arena_reset(&l->arena);
    return avito_get_self(&l->client, &l->arena, &l->self);
}

static bool done_self(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && l->self.id == USER && is(l->self.name, "Магазин"));
    return false;
}

static int start_chats(lane *l)
{
    const int64_t ids[2] = {l->item_id, 1};
    static avito_chats_query q;
    static int64_t borrowed[LANES][2];
    avito_arena_reset(&l->arena);
    memcpy(borrowed[l->number], ids, sizeof ids);
    memset(&q, 0, sizeof q);
    q.item_ids = borrowed[l->number];
    q.item_ids_count = 2;
    q.unread_only = true;
    q.chat_types = AVITO_CHAT_TYPE_U2I | AVITO_CHAT_TYPE_U2U | AVITO_CHAT_TYPE_A2U;
    q.limit = 100;
    return avito_get_chats(&l->client, USER, &q, &l->arena, &l->chats);
}

static bool done_chats(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && l->chats.count == 1 && is(l->chats.items[0].id, l->chat_id));
    EXPECT(l, l->chats.items[0].context->item->id == l->item_id);
    EXPECT(l, l->chats.items[0].users.count == 2 && !l->chats.has_more);
    return false;
}

static int start_chat(lane *l)
{
    avito_arena_reset(&l->arena);
    return avito_get_chat(&l->client, USER, l->chat_id, &l->arena, &l->chat);
}

static bool done_chat(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && is(l->chat.id, l->chat_id));
    EXPECT(l, l->chat.last_message->content.kind == AVITO_MESSAGE_VOICE);
    return false;
}

static int start_send(lane *l)
{
    avito_arena_reset(&l->arena);
    return avito_send_message(&l->client, USER, l->chat_id, l->text, &l->arena, &l->message);
}

static bool done_send(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && is(l->message.content.as.text, l->text));
    EXPECT(l, avito_last_error(&l->client)->outcome == AVITO_SENT);
    keep(l->message_id, sizeof l->message_id, l->message.id);
    return false;
}

static int start_upload(lane *l)
{
    avito_image_source s;
    const bool from_source = l->step->name[7] == 'c';
    avito_arena_reset(&l->arena);
    memset(&s, 0, sizeof s);
    s.data = from_source ? NULL : picture;
    s.read = from_source ? source_read : NULL;
    s.ctx = l;
    s.size = from_source ? SOURCE_SIZE : IMAGE_SIZE;
    s.file_name = from_source ? "source.png" : "memory.png";
    s.content_type = "image/png";
    l->asked = 0;
    return avito_upload_image(&l->client, USER, &s, &l->arena, &l->image);
}

static bool done_upload(lane *l, int rc)
{
    const int which = l->step->name[7] == 'c';
    EXPECT(l, rc == AVITO_OK && l->image.sizes.count > 0);
    EXPECT(l, !which || l->asked == SOURCE_SIZE);
    keep(l->image_id[which], sizeof l->image_id[which], l->image.image_id);
    return false;
}

static int start_image(lane *l)
{
    avito_arena_reset(&l->arena);
    return avito_send_image_message(&l->client, USER, l->chat_id, l->image_id[1], &l->arena,
                                    &l->message);
}

static bool done_image(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && l->message.content.kind == AVITO_MESSAGE_IMAGE);
    return false;
}

static int start_messages(lane *l)
{
    avito_arena_reset(&l->arena);
    return avito_get_messages(&l->client, USER, l->chat_id, NULL, &l->arena, &l->messages);
}

/* Image, text, two voice messages, the buyer's question: newest first. */
static bool done_messages(lane *l, int rc)
{
    const avito_message *m = l->messages.items;
    EXPECT(l, rc == AVITO_OK && l->messages.count == 5 && !l->messages.has_more);
    EXPECT(l, m[0].content.kind == AVITO_MESSAGE_IMAGE && m[0].is_own);
    EXPECT(l, is(m[1].content.as.text, l->text) && is(m[1].id, l->message_id));
    for (size_t i = 0; i < 2; i++) {
        EXPECT(l, m[2 + i].content.kind == AVITO_MESSAGE_VOICE && !m[2 + i].is_own);
        keep(l->voice_id[i], sizeof l->voice_id[i], m[2 + i].content.as.voice->voice_id);
    }
    EXPECT(l, is(m[4].content.as.text, l->buyer_text));
    return false;
}

static int start_list_messages(lane *l)
{
    avito_messages_query q;
    memset(&q, 0, sizeof q);
    q.limit = 2; /* three pages */
    q.all_pages = true;
    l->count = 0;
    avito_arena_reset(&l->arena);
    return avito_list_messages(&l->client, USER, l->chat_id, &q, &l->arena);
}

static bool done_list(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && avito_list_open(&l->client));
    return false;
}

static int start_next_message(lane *l)
{
    return avito_next_message(&l->client, &l->message);
}

static bool done_next_message(lane *l, int rc)
{
    if (rc == AVITO_OK) {
        EXPECT(l, l->count != 1 || is(l->message.content.as.text, l->text));
        EXPECT(l, l->count != 4 || is(l->message.content.as.text, l->buyer_text));
        l->count++;
        return true;
    }
    EXPECT(l, rc == AVITO_END && l->count == 5 && !avito_list_open(&l->client));
    return false;
}

static int start_list_chats(lane *l)
{
    avito_arena_reset(&l->arena);
    return avito_list_chats(&l->client, USER, NULL, &l->arena);
}

static int start_next_chat(lane *l)
{
    return avito_next_chat(&l->client, &l->chat);
}

static bool done_next_chat(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && l->chat.id.len > 0);
    return false;
}

static int start_end_drained(lane *l)
{
    return avito_list_end(&l->client, 1u << 20);
}

static int start_end_closed(lane *l)
{
    return avito_list_end(&l->client, 0);
}

static bool done_end(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && !avito_list_open(&l->client));
    return false;
}

static int start_voices(lane *l)
{
    const char *ids[2] = {l->voice_id[0], l->voice_id[1]};
    static const char *borrowed[LANES][2];
    avito_arena_reset(&l->arena);
    memcpy(borrowed[l->number], ids, sizeof ids);
    return avito_get_voice_files(&l->client, USER, borrowed[l->number], 2, &l->arena, &l->voices);
}

static bool done_voices(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && l->voices.count == 2);
    for (size_t i = 0; i < 2; i++) {
        const avito_str id = l->voices.items[i].voice_id;
        EXPECT(l, is(id, l->voice_id[i]) || is(id, l->voice_id[1 - i]));
        EXPECT(l, l->voices.items[i].url.len > 8);
    }
    EXPECT(l, !is(l->voices.items[0].voice_id, l->voices.items[1].voice_id.ptr));
    return false;
}

static int start_list_voices(lane *l)
{
    static const char *borrowed[LANES][1];
    borrowed[l->number][0] = l->voice_id[1];
    l->count = 0;
    avito_arena_reset(&l->arena);
    return avito_list_voice_files(&l->client, USER, borrowed[l->number], 1, &l->arena);
}

static int start_next_voice(lane *l)
{
    return avito_next_voice_file(&l->client, &l->voice);
}

static bool done_next_voice(lane *l, int rc)
{
    if (rc == AVITO_OK) {
        EXPECT(l, is(l->voice.voice_id, l->voice_id[1]));
        l->count++;
        return true;
    }
    EXPECT(l, rc == AVITO_END && l->count == 1);
    return false;
}

static int start_read(lane *l)
{
    return avito_mark_chat_as_read(&l->client, USER, l->chat_id);
}

static int start_confirm(lane *l)
{
    static char texts[LANES][sizeof l->text];
    avito_sent_query q;
    memset(&q, 0, sizeof q);
    memcpy(texts[l->number], l->text, sizeof l->text);
    q.text = texts[l->number];
    avito_arena_reset(&l->arena);
    return avito_confirm_sent(&l->client, USER, l->chat_id, &q, &l->arena, &l->outcome,
                              &l->message);
}

static bool done_confirm(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && l->outcome == AVITO_SENT && is(l->message.id, l->message_id));
    return false;
}

static int start_delete(lane *l)
{
    return avito_delete_message(&l->client, USER, l->chat_id, l->message_id);
}

static int start_subscribe(lane *l)
{
    return avito_subscribe_webhook(&l->client, l->url);
}

static int start_unsubscribe(lane *l)
{
    return avito_unsubscribe_webhook(&l->client, l->url);
}

static int start_subscriptions(lane *l)
{
    avito_arena_reset(&l->arena);
    return avito_get_webhook_subscriptions(&l->client, &l->arena, &l->subscriptions);
}

static bool is_subscribed(const lane *l)
{
    for (size_t i = 0; i < l->subscriptions.count; i++) {
        if (is(l->subscriptions.items[i].url, l->url)) {
            return true;
        }
    }
    return false;
}

static bool done_subscriptions(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && is_subscribed(l));
    return false;
}

static bool done_no_subscription(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && !is_subscribed(l));
    return false;
}

static int start_list_subscriptions(lane *l)
{
    l->count = 0;
    avito_arena_reset(&l->arena);
    return avito_list_subscriptions(&l->client, &l->arena);
}

static int start_next_subscription(lane *l)
{
    return avito_next_subscription(&l->client, &l->subscription);
}

static bool done_next_subscription(lane *l, int rc)
{
    if (rc == AVITO_OK) {
        l->count += is(l->subscription.url, l->url);
        return true;
    }
    EXPECT(l, rc == AVITO_END && l->count == 1);
    return false;
}

static int start_blacklist(lane *l)
{
    static const avito_blacklist_user users[2] = {{1001, 0, AVITO_REASON_SPAM},
                                                  {1002, 5000000001, AVITO_REASON_OTHER}};
    return avito_add_to_blacklist(&l->client, USER, users, 2);
}

static bool done_ok(lane *l, int rc)
{
    EXPECT(l, rc == AVITO_OK && avito_last_error(&l->client)->outcome == AVITO_SENT);
    return false;
}

static const step story[] = {
    {"get_self", start_self, done_self},
    {"get_chats", start_chats, done_chats},
    {"get_chat", start_chat, done_chat},
    {"send_message", start_send, done_send},
    {"upload memory", start_upload, done_upload},
    {"upload callback", start_upload, done_upload},
    {"send_image_message", start_image, done_image},
    {"get_messages", start_messages, done_messages},
    {"list_messages", start_list_messages, done_list},
    {"next_message", start_next_message, done_next_message},
    {"list_chats", start_list_chats, done_list},
    {"next_chat", start_next_chat, done_next_chat},
    {"list_end, drained", start_end_drained, done_end},
    {"get_self, after it", start_self, done_self},
    {"list_chats", start_list_chats, done_list},
    {"next_chat", start_next_chat, done_next_chat},
    {"list_end, closed", start_end_closed, done_end},
    {"get_voice_files", start_voices, done_voices},
    {"list_voice_files", start_list_voices, done_list},
    {"next_voice_file", start_next_voice, done_next_voice},
    {"mark_chat_as_read", start_read, done_ok},
    {"confirm_sent", start_confirm, done_confirm},
    {"delete_message", start_delete, done_ok},
    {"subscribe_webhook", start_subscribe, done_ok},
    {"get_webhook_subscriptions", start_subscriptions, done_subscriptions},
    {"list_subscriptions", start_list_subscriptions, done_list},
    {"next_subscription", start_next_subscription, done_next_subscription},
    {"unsubscribe_webhook", start_unsubscribe, done_ok},
    {"get_webhook_subscriptions, none", start_subscriptions, done_no_subscription},
    {"add_to_blacklist", start_blacklist, done_ok},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Each lane has a chat of its own, with a question and two voice messages of the buyer. */
static void prepare(lane *l, int number)
{
    static int chats;
    char body[256];
    const int service = l->at->service;
    chats++;
    l->number = number;
    l->item_id = 5000000000 + chats;
    (void)snprintf(l->buyer_text, sizeof l->buyer_text, "Ещё продаётся? %d", chats);
    (void)snprintf(l->url, sizeof l->url, "https://localhost:9/hook/%d", chats);
    (void)snprintf(l->text, sizeof l->text, "%d", chats);
    for (int i = 0; i < 90; i++) { /* nearly 1000 code points, some of which must be escaped */
        strcat(l->text, i % 9 == 0 ? "\"Добрый\\\"\t" : "день 🙂, да\n");
    }
    strcat(l->text, ".");
    (void)snprintf(body, sizeof body, "{\"item_id\":%lld}", (long long)l->item_id);
    assert_true(service_text(service, "chat", body, "chat_id", l->chat_id, sizeof l->chat_id));
    (void)snprintf(body, sizeof body, "{\"chat_id\":\"%s\",\"text\":\"%s\"}", l->chat_id,
                   l->buyer_text);
    assert_true(service_tell(service, "message", body));
    for (int i = 0; i < 2; i++) {
        (void)snprintf(body, sizeof body, "{\"chat_id\":\"%s\",\"type\":\"voice\"}", l->chat_id);
        assert_true(service_tell(service, "message", body));
    }
}

static const char *text_of(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsString(v) ? v->valuestring : "";
}

/* How often the chat has this text, sent through the API. */
static int stored(const lane *l, const char *text)
{
    cJSON *store = service_ask(l->at->service, "store", NULL);
    const cJSON *m;
    int count = 0;
    assert_non_null(store);
    cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(store, "messages"))
    {
        count += strcmp(text_of(m, "chat_id"), l->chat_id) == 0 &&
                 strcmp(text_of(m, "author"), "api") == 0 && strcmp(text_of(m, "text"), text) == 0;
    }
    cJSON_Delete(store);
    return count;
}

static void check_messages(const lane *l)
{
    cJSON *store = service_ask(l->at->service, "store", NULL);
    const cJSON *m;
    int texts = 0, images = 0, all = 0;
    assert_non_null(store);
    cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(store, "messages"))
    {
        if (strcmp(text_of(m, "chat_id"), l->chat_id) != 0) {
            continue;
        }
        all++;
        if (strcmp(text_of(m, "id"), l->message_id) == 0) {
            texts++;
            EXPECT(l, strcmp(text_of(m, "text"), l->text) == 0);
            EXPECT(l, cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(m, "deleted")));
        }
        images += strcmp(text_of(m, "image_id"), l->image_id[1]) == 0;
        EXPECT(l, strcmp(text_of(m, "author"), "buyer") != 0 ||
                      cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(m, "is_read")));
    }
    EXPECT(l, all == 5 && texts == 1 && images == 1);
    cJSON_Delete(store);
}

static void check_uploads(const lane *l)
{
    cJSON *uploads = service_ask(l->at->service, "uploads", NULL);
    const cJSON *u;
    char expected[2][32];
    int found = 0;
    assert_non_null(uploads);
    (void)snprintf(expected[0], 32, "%016llx", (unsigned long long)fnv1a(IMAGE_SIZE, false));
    (void)snprintf(expected[1], 32, "%016llx", (unsigned long long)fnv1a(SOURCE_SIZE, true));
    cJSON_ArrayForEach(u, cJSON_GetObjectItemCaseSensitive(uploads, "uploads"))
    {
        for (int i = 0; i < 2; i++) {
            if (strcmp(text_of(u, "image_id"), l->image_id[i]) == 0) {
                EXPECT(l, strcmp(text_of(u, "fnv1a"), expected[i]) == 0);
                EXPECT(l,
                       strcmp(text_of(u, "file_name"), i == 0 ? "memory.png" : "source.png") == 0);
                found++;
            }
        }
    }
    EXPECT(l, found == 2);
    cJSON_Delete(uploads);
}

static int stat_of(int service, const char *name)
{
    cJSON *stats = service_ask(service, "stats", NULL);
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(stats, name);
    const int count = cJSON_IsNumber(v) ? (int)v->valuedouble : -1;
    cJSON_Delete(stats);
    assert_true(count >= 0);
    return count;
}

/* The service got nothing that is not in the API's description, and no bytes that are not HTTP. */
static void check_manners(int service)
{
    assert_int_equal(stat_of(service, "broken_requests"), 0);
    assert_int_equal(stat_of(service, "unknown_parameters"), 0);
    assert_int_equal(stat_of(service, "unofficial_paths"), 0);
}

static lane lanes[LANES];
static shop shops[1];

/* One call after the other, in the lane's own way. */
static void play(lane *l, const step *steps, size_t count)
{
    if (l->polled) {
        play_polled(l, 1, steps, count);
    } else {
        play_waiting(l, steps, count);
    }
}

static void open_prepared(int number, const place *at, const shape *how, bool polled)
{
    open_lane(&lanes[number], shops, at, how, polled);
    prepare(&lanes[number], number);
}

static void check_story(lane *l)
{
    check_messages(l);
    check_uploads(l);
    close_lane(l);
    assert_int_equal(l->shop->saved, 1); /* one token for all */
    check_manners(l->at->service);
}

static void test_waiting(void **state)
{
    const place *at = *state;
    open_shop(shops, at);
    for (int i = 0; i < LANES; i++) {
        open_prepared(i, at, &shapes[i], false);
        play(&lanes[i], story, COUNT(story));
        check_story(&lanes[i]);
    }
}

static void test_polled(void **state)
{
    const place *at = *state;
    open_shop(shops, at);
    for (int i = 0; i < LANES; i++) {
        open_prepared(i, at, &shapes[i], true);
    }
    play_polled(lanes, LANES, story, COUNT(story));
    for (int i = 0; i < LANES; i++) {
        check_story(&lanes[i]);
    }
}

/* ---- errors ---- */

static int last_result;

static bool done_any(lane *l, int rc)
{
    (void)l;
    last_result = rc;
    return false;
}

static int play_one(lane *l, const char *name, int (*start)(lane *))
{
    const step one = {name, start, done_any};
    play(l, &one, 1);
    l->step = NULL;
    return last_result;
}

static void plan(const lane *l, const char *fault)
{
    char body[160];
    (void)snprintf(body, sizeof body, "{\"plan\":\"%s\"}", fault);
    EXPECT(l, service_tell(l->at->service, "fault", body));
}

static int start_short(lane *l)
{
    avito_arena_reset(&l->arena);
    return avito_send_message(&l->client, USER, l->chat_id, "коротко", &l->arena, &l->message);
}

static int start_unknown_chat(lane *l)
{
    avito_arena_reset(&l->arena);
    return avito_get_chat(&l->client, USER, "no-such-chat", &l->arena, &l->chat);
}

typedef struct refusal {
    const char *plan;
    int (*start)(lane *l);
    int result, status;
    avito_outcome outcome;
} refusal;

static const refusal refusals[] = {
    {"get_chat:body=fields", start_chat, AVITO_ERR_BAD_REQUEST, 400, AVITO_NOT_SENT},
    {"get_chat:status=401:2", start_chat, AVITO_ERR_UNAUTHORIZED, 401, AVITO_NOT_SENT},
    {"get_chat:status=402", start_chat, AVITO_ERR_PAYMENT, 402, AVITO_NOT_SENT},
    {"get_chat:body=permission", start_chat, AVITO_ERR_FORBIDDEN, 403, AVITO_NOT_SENT},
    {"get_chat:body=gateway", start_chat, AVITO_ERR_NOT_FOUND, 404, AVITO_NOT_SENT},
    {"get_chat:status=429", start_chat, AVITO_ERR_RATE, 429, AVITO_NOT_SENT},
    {"get_chat:body=empty", start_chat, AVITO_ERR_SERVER, 500, AVITO_NOT_SENT},
    {"get_chat:body=plain", start_chat, AVITO_ERR_SERVER, 502, AVITO_NOT_SENT},
    {"get_chat:redirect", start_chat, AVITO_ERR_REDIRECT, 0, AVITO_NOT_SENT},
    {"send_message:status=400", start_short, AVITO_ERR_BAD_REQUEST, 400, AVITO_NOT_SENT},
    {"send_message:status=402", start_short, AVITO_ERR_PAYMENT, 402, AVITO_NOT_SENT},
    {"send_message:status=429", start_short, AVITO_ERR_RATE, 429, AVITO_NOT_SENT},
    {"send_message:status=500", start_short, AVITO_ERR_SERVER, 500, AVITO_CANNOT_TELL},
    {"send_message:status=503,body=firewall", start_short, AVITO_ERR_SERVER, 503,
     AVITO_CANNOT_TELL},
    {"upload_image:status=413", start_upload, AVITO_ERR_TOO_LARGE, 413, AVITO_NOT_SENT},
};

static void check_refusals(lane *l)
{
    for (size_t i = 0; i < COUNT(refusals); i++) {
        const refusal *r = &refusals[i];
        const avito_error *e = avito_last_error(&l->client);
        plan(l, r->plan);
        const int rc = play_one(l, "upload memory", r->start);
        if (rc != r->result || (r->status != 0 && e->http_status != r->status) ||
            e->outcome != r->outcome || e->code != rc) {
            complain(l, r->plan, __LINE__);
        }
        EXPECT(l, play_one(l, "after a refusal", start_chat) == AVITO_OK);
    }
    EXPECT(l, stored(l, "коротко") == 0);
    EXPECT(l, play_one(l, "unknown chat", start_unknown_chat) == AVITO_ERR_NOT_FOUND);
}

/* A token that is refused is replaced once, and the call goes on. */
static void check_renewal(lane *l)
{
    static const char *const how[] = {"{\"do\":\"revoke\"}", "{\"do\":\"expire\"}"};
    for (size_t i = 0; i < COUNT(how); i++) {
        const int saved = l->shop->saved;
        EXPECT(l, service_tell(l->at->service, "tokens", how[i]));
        EXPECT(l, play_one(l, "with a new token", start_chat) == AVITO_OK);
        EXPECT(l, l->shop->saved == saved + 1);
    }
}

static int start_noted(lane *l)
{
    avito_arena_reset(&l->arena);
    return avito_send_message(&l->client, USER, l->chat_id, l->text, &l->arena, &l->message);
}

/* The message is stored, the answer is lost or cut: cannot tell, then found. */
static void check_doubt(lane *l)
{
    static const char *const plans[] = {"send_message:stored_no_answer",
                                        "send_message:stored,cut=150", "send_message:stored,cut=2",
                                        "send_message:stored,status=500"};
    for (size_t i = 0; i < COUNT(plans); i++) {
        const avito_error *e = avito_last_error(&l->client);
        (void)snprintf(l->text, sizeof l->text, "сомнение %zu %s", i, l->polled ? "p" : "w");
        plan(l, plans[i]);
        EXPECT(l, play_one(l, plans[i], start_noted) < 0 && e->outcome == AVITO_CANNOT_TELL);
        EXPECT(l, l->at->nginx || i == 3 || e->code == AVITO_ERR_CLOSED);
        EXPECT(l, stored(l, l->text) == 1);
        EXPECT(l, play_one(l, "confirm_sent", start_confirm) == AVITO_OK);
        EXPECT(l, l->outcome == AVITO_SENT && is(l->message.content.as.text, l->text));
    }
}

/* The pause that the server asks for with 429 holds for the account: the next call waits. */
static void check_rate(lane *l)
{
    const uint32_t before = avito_posix_clock_ms(NULL);
    plan(l, "get_chat:status=429,retry_after=1");
    EXPECT(l, play_one(l, "429", start_chat) == AVITO_ERR_RATE);
    EXPECT(l, avito_last_error(&l->client)->retry_after_s == 1);
    EXPECT(l, play_one(l, "after 429", start_chat) == AVITO_OK);
    EXPECT(l, avito_posix_clock_ms(NULL) - before >= 900);
}

/* ---- tokens ---- */

static char code[128];

static int start_get_token(lane *l)
{
    return avito_get_token(&l->client, &l->token);
}

static int start_exchange(lane *l)
{
    return avito_exchange_code(&l->client, code, &l->token);
}

static int start_refresh(lane *l)
{
    return avito_refresh_token(&l->client, &l->token);
}

static void check_tokens(lane *l)
{
    char url[256], former[2][65];
    shop *s = l->shop;
    EXPECT(l, avito_authorize_url(&s->account, "messenger:read,messenger:write", "a b", url,
                                  sizeof url, NULL) == AVITO_OK);
    EXPECT(l, strcmp(url, "https://avito.ru/oauth?response_type=code&client_id=client-id-for-tests"
                          "&scope=messenger%3Aread%2Cmessenger%3Awrite&state=a%20b") == 0);
    EXPECT(l, play_one(l, "get_token", start_get_token) == AVITO_OK);
    EXPECT(l, is(l->token.access_token, s->access) && l->token.expires_in > 3600);
    EXPECT(l, service_text(l->at->service, "code",
                           "{\"scope\":\"messenger:read,messenger:write,"
                           "user:read\"}",
                           "code", code, sizeof code));
    EXPECT(l, play_one(l, "exchange_code", start_exchange) == AVITO_OK);
    EXPECT(l, is(l->token.refresh_token, s->refresh) && s->refresh[0] != '\0');
    EXPECT(l, play_one(l, "with it", start_chat) == AVITO_OK);
    memcpy(former[0], s->access, sizeof former[0]);
    memcpy(former[1], s->refresh, sizeof former[1]);
    EXPECT(l, play_one(l, "refresh_token", start_refresh) == AVITO_OK);
    EXPECT(l, strcmp(former[0], s->access) != 0 && strcmp(former[1], s->refresh) != 0);
    EXPECT(l, play_one(l, "with the new one", start_chat) == AVITO_OK);
    EXPECT(l, play_one(l, "a code is good once", start_exchange) == AVITO_ERR_CREDENTIALS);
}

static void test_errors(void **state)
{
    const place *at = *state;
    for (int polled = 0; polled < 2; polled++) {
        lane *l = &lanes[0];
        open_shop(shops, at);
        open_prepared(0, at, &shapes[polled], polled != 0);
        EXPECT(l, play_one(l, "get_chat", start_chat) == AVITO_OK);
        check_refusals(l);
        check_renewal(l);
        check_doubt(l);
        if (at == &places[DIRECT_EC] || at == &places[NGINX_EC]) {
            check_rate(l);
        }
        check_tokens(l);
        close_lane(l);
    }
    check_manners(at->service);
}

/* ---- uploads that are refused before they are whole ---- */

static void test_early(void **state)
{
    const place *at = *state;
    for (int i = 0; i < 2 * LANES; i++) {
        lane *l = &lanes[0];
        open_shop(shops, at);
        open_prepared(0, at, &shapes[i % LANES], i >= LANES);
        EXPECT(l, play_one(l, "get_chat", start_chat) == AVITO_OK);
        if (!at->nginx) { /* nginx has its own limit there */
            plan(l, "upload_image:status=413,early");
        }
        EXPECT(l, play_one(l, "upload memory", start_upload) == AVITO_ERR_TOO_LARGE);
        EXPECT(l, avito_last_error(&l->client)->outcome == AVITO_NOT_SENT);
        EXPECT(l, play_one(l, "after it", start_chat) == AVITO_OK);
        close_lane(l);
    }
}

/* ---- connections that the other side closes ---- */

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

/* Both lanes rest at the same time, so that the pauses cost their time once. */
static void open_pair(const place *at)
{
    open_shop(shops, at);
    for (int i = 0; i < 2; i++) {
        open_prepared(i, at, &shapes[i], i != 0);
    }
}

static void send_one(lane *l, int number)
{
    (void)snprintf(l->text, sizeof l->text, "сообщение %d", number);
    EXPECT(l, play_one(l, "send_message", start_noted) == AVITO_OK);
}

static void check_once(const lane *l, int count)
{
    char text[64];
    for (int i = 0; i < count; i++) {
        (void)snprintf(text, sizeof text, "сообщение %d", i);
        if (stored(l, text) != 1) {
            complain(l, text, __LINE__);
        }
    }
}

/* nginx closes after a second without a request: seen before the next one is written; the TLS session
 * goes on. */
static void test_idle(void **state)
{
    open_pair(*state);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 2; k++) {
            send_one(&lanes[k], i);
            assert_true(avito_tls_resumed(&lanes[k].tls) == (i > 0));
        }
        pause_ms(i < 2 ? 1300 : 0);
    }
    for (int k = 0; k < 2; k++) {
        check_once(&lanes[k], 3);
        close_lane(&lanes[k]);
    }
}

/* nginx says Connection: close with every third answer. */
static void test_counted(void **state)
{
    open_pair(*state);
    for (int i = 0; i < 10; i++) {
        send_one(&lanes[0], i);
        send_one(&lanes[1], i);
    }
    for (int k = 0; k < 2; k++) {
        check_once(&lanes[k], 10);
        close_lane(&lanes[k]);
    }
}

/* The server closes about when the next request leaves: no message is doubled, and none is lost
 * without an outcome that says so. */
static void test_race(void **state)
{
    const place *at = *state;
    int lost = 0;
    open_pair(at);
    assert_true(service_tell(at->service, "option", "{\"idle_close_ms\":30}"));
    for (int i = 0; i < 40; i++) {
        lane *l = &lanes[i % 2];
        (void)snprintf(l->text, sizeof l->text, "сообщение %d", i);
        const int rc = play_one(l, "send_message", start_noted);
        const avito_outcome outcome = avito_last_error(&l->client)->outcome;
        const int times = stored(l, l->text);
        EXPECT(l, rc == AVITO_OK || rc <= AVITO_ERR_SEND);
        EXPECT(l, outcome == AVITO_SENT ? times == 1 : outcome == AVITO_NOT_SENT ? times == 0 : 1);
        EXPECT(l, (rc == AVITO_OK) == (outcome == AVITO_SENT));
        lost += rc != AVITO_OK;
        pause_ms(10 + i % 11);
    }
    assert_true(service_tell(at->service, "option", "{\"idle_close_ms\":0}"));
    assert_true(lost < 20); /* whether it happens at all is a matter of luck */
    close_lane(&lanes[0]);
    close_lane(&lanes[1]);
}

/* One connection serves the whole story, except for the list that is given up, and for the confirmation,
 * which ends as soon as the message is found. */
static void test_kept(void **state)
{
    const place *at = *state;
    for (int polled = 0; polled < 2; polled++) {
        const int before = stat_of(at->service, "connections");
        open_shop(shops, at);
        open_prepared(0, at, &shapes[polled], polled != 0);
        play(&lanes[0], story, COUNT(story));
        close_lane(&lanes[0]);
        assert_int_equal(stat_of(at->service, "connections") - before, 3);
    }
}

/* ---- all of them ---- */

static int set_up(void **state)
{
    uint32_t x = 1;
    (void)state;
    picture = malloc(IMAGE_SIZE);
    for (size_t i = 0; i < IMAGE_SIZE; i++) {
        x = x * 1664525u + 1013904223u;
        picture[i] = (unsigned char)(x >> 24);
    }
    memcpy(picture, "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40", 24);
    if (service_start() != 0) {
        service_stop();
        return -1;
    }
    return avito_anchors_load_file(&anchors, anchors_room, sizeof anchors_room, SERVICE_ROOTS);
}

static int tear_down(void **state)
{
    (void)state;
    service_stop();
    free(picture);
    return 0;
}

int main(int argc, char **argv)
{
    static char names[64][80];
    static struct CMUnitTest tests[64];
    static const struct {
        const char *what;
        void (*run)(void **state);
        unsigned places; /* bits */
    } kinds[] = {
        {"every call, waiting", test_waiting, (1u << (NGINX_10_RSA + 1)) - 1},
        {"every call, polled", test_polled, (1u << (NGINX_10_RSA + 1)) - 1},
        {"errors and tokens", test_errors, 1u << DIRECT_EC | 1u << NGINX_EC | 1u << NGINX_10_RSA},
        {"early answers", test_early, 1u << DIRECT_EC | 1u << DIRECT_RSA | 1u << NGINX_COUNTS},
        {"one connection", test_kept, 1u << DIRECT_EC},
        {"closed while idle", test_idle, 1u << NGINX_IDLE},
        {"closed after three", test_counted, 1u << NGINX_COUNTS},
        {"closed just then", test_race, 1u << DIRECT_EC},
    };
    size_t count = 0;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        for (size_t at = 0; at < PLACES; at++) {
            if ((kinds[i].places >> at & 1u) != 0) {
                (void)snprintf(names[count], sizeof names[count], "%s: %s", places[at].name,
                               kinds[i].what);
                tests[count].name = names[count];
                tests[count].test_func = kinds[i].run;
                tests[count].initial_state = &places[at];
                count++;
            }
        }
    }
    if (argc > 1) { /* a pattern: only these */
        cmocka_set_test_filter(argv[1]);
    }
    return _cmocka_run_group_tests("calls over TLS", tests, count, set_up, tear_down);
}
