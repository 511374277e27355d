/* demo.c - a day in a shop: every call of the library in one story, told as a transcript.
 *
 * По-русски: день в магазине: все вызовы библиотеки одним рассказом, с симулятором или, только читая, с сервисом.
 *
 *     make demo                         against the simulator, over TLS; everything is compared
 *     build/demo/demo --real            the real service, only reading; needs AVITO_CLIENT_ID and
 *                                       AVITO_CLIENT_SECRET
 *     build/demo/demo --real --write CHAT_ID   also sends into this chat, and deletes it again
 *
 * --pace MS pauses after each line; --quick leaves out the bot, which takes some seconds. Ends with
 * 0 if everything was as expected. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#include "bot.h"
#include "listener.h"
#include "people.h"
#include "program.h"
#include "say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WEBHOOK_PATH "/avito/5f3c8a7be1d24906b7c2a9e0d4f18c63"
#define SHOP_ID      350000001 /* the simulator's account */

typedef struct lane {
    avito_tcp tcp;
    avito_tls tls;
    avito_account account;
    avito_client client;
    char tokens[AVITO_TOKENS_SIZE(128)];
    char window[1024];
    char records[AVITO_TLS_BUFFER_FULL(16384)];
} lane;

typedef struct chat {
    char id[64];
    int64_t buyer_id;
    const char *buyer, *item, *price;
} chat;

static chat anna = {"", 100200301, "Анна", "Велосипед детский, 20\"", "4 500 ₽"};
static chat dmitry = {"", 100200302, "Дмитрий К.", "Смартфон 128 ГБ", "11 900 ₽"};
static chat olga = {"", 100200303, "Ольга", "Зимняя куртка, р. 48", "2 300 ₽"};
static chat prize = {"", 100200304, "Приз!!!", "Стол дубовый", "7 000 ₽"};

static lane shop, partner;
static listener door;
static avito_anchors anchors;
static char roots[256 * 1024], room[64 * 1024];
static avito_arena arena;
static int64_t me;
static bool real, quick;
static const char *write_to; /* --write */

/* ---- helpers ---- */

static avito_str str(const char *text)
{
    avito_str s = {text, strlen(text)};
    return s;
}

static const char *or_dash(avito_str s)
{
    return s.ptr != NULL ? s.ptr : "-";
}

/* A call that must succeed. */
static bool did(avito_client *client, const char *call, int result)
{
    return expect(result == AVITO_OK, "%s: %s (%s)", call, avito_error_text(result),
                  avito_last_error(client)->text);
}

static avito_str words_of(const avito_message *message)
{
    const avito_content *content = &message->content;

    if (message->type == AVITO_MESSAGE_DELETED) {
        return str("[удалено]");
    }
    switch (content->kind) {
        case AVITO_MESSAGE_TEXT:
            return content->as.text;
        case AVITO_MESSAGE_SYSTEM:
            return content->as.system.text;
        case AVITO_MESSAGE_IMAGE:
            return str("[фото]");
        case AVITO_MESSAGE_VOICE:
            return str("[голосовое сообщение]");
        case AVITO_MESSAGE_LINK:
            return content->as.link->url;
        case AVITO_MESSAGE_ITEM:
            return content->as.item->title;
        case AVITO_MESSAGE_LOCATION:
            return content->as.location->title;
        case AVITO_MESSAGE_CALL:
            return str("[звонок]");
        default:
            return str("[нельзя показать]");
    }
}

static void talk(const char *call, const avito_message *message, const char *buyer)
{
    const char *mark = !message->is_own || message->type == AVITO_MESSAGE_DELETED ? NULL
                       : message->read != 0                                       ? "✓✓"
                                                                                  : "✓";

    say_talk(call, message->created, str(message->is_own ? "Магазин" : buyer), words_of(message),
             mark);
}

/* The buyer of a chat: the user who is not this account. */
static avito_str buyer_of(const avito_chat *c)
{
    size_t i;

    for (i = 0; i < c->users.count; i++) {
        if (c->users.items[i].id != me) {
            return c->users.items[i].name;
        }
    }
    return str("Avito");
}

static const avito_item *item_of(const avito_chat *c)
{
    return c->context != NULL ? c->context->item : NULL;
}

/* ---- scenes ---- */

static void sign_in(void)
{
    avito_token token;
    avito_self self;

    if (did(&shop.client, "avito_get_token", avito_get_token(&shop.client, &token))) {
        say_line("avito_get_token", "a key for %lld hours", (long long)token.expires_in / 3600);
        expect(token.access_token.len >= 20, "a token of %zu bytes", token.access_token.len);
        expect(real || token.expires_in == 86400, "the token is good for a day");
        expect(token.refresh_token.ptr == NULL, "client credentials come without a refresh token");
    }
    if (did(&shop.client, "avito_get_self", avito_get_self(&shop.client, &arena, &self))) {
        me = self.id;
        say_line("avito_get_self", "%s, account %lld", real ? "signed in" : or_dash(self.name),
                 (long long)self.id);
        expect(real || (self.id == SHOP_ID && avito_str_equal(self.name, "Магазин")),
               "the account of the simulator");
    }
}

static void who_is_waiting(void)
{
    avito_chats_query query = {.unread_only = true, .limit = 10};
    avito_chats chats;
    size_t i;

    if (!did(&shop.client, "avito_get_chats",
             avito_get_chats(&shop.client, me, &query, &arena, &chats))) {
        return;
    }
    for (i = 0; i < chats.count; i++) {
        const avito_chat *c = &chats.items[i];
        avito_str item = item_of(c) != NULL ? item_of(c)->title : str("");

        say_talk(i == 0 ? "avito_get_chats" : NULL, c->updated, buyer_of(c), item, NULL);
        if (!real && c->last_message != NULL) {
            expect(!c->last_message->is_own, "the last word is the buyer's");
        }
    }
    if (chats.count == 0) {
        say_line("avito_get_chats", "nobody");
    }
    expect(real || chats.count == 4, "four chats wait, not %zu", chats.count);
    expect(real || (chats.count > 0 && avito_str_equal(buyer_of(&chats.items[0]), prize.buyer)),
           "the newest chat comes first");
}

static void show_chat(const chat *who)
{
    avito_chat c;
    const avito_item *item;

    if (!did(&shop.client, "avito_get_chat",
             avito_get_chat(&shop.client, me, who->id, &arena, &c))) {
        return;
    }
    item = item_of(&c);
    if (expect(item != NULL, "the chat is about a listing")) {
        say_line("avito_get_chat", "%s, %s", item->title.ptr, item->price_string.ptr);
        expect(avito_str_equal(item->title, who->item), "its title");
        expect(avito_str_equal(item->price_string, who->price), "its price");
        expect(item->id > INT32_MAX, "ids of listings have more than 32 bits");
    }
    expect(avito_str_equal(buyer_of(&c), who->buyer), "the buyer's name");
}

static bool answer(const chat *who, const char *text)
{
    avito_message message;

    if (!did(&shop.client, "avito_send_message",
             avito_send_message(&shop.client, me, who->id, text, &arena, &message))) {
        return false;
    }
    say_talk("avito_send_message", message.created, str("Магазин"), str(text), "✓");
    expect(message.direction == AVITO_DIRECTION_OUT, "it goes out");
    expect(message.content.kind == AVITO_MESSAGE_TEXT &&
               avito_str_equal(message.content.as.text, text),
           "the text comes back as it was sent");
    return expect(people_count(who->id, text) == 1, "the service has it once");
}

/* A picture that is nowhere in memory: a BMP of 320 x 240, computed as it is asked for. */
#define PICTURE_WIDTH  320
#define PICTURE_HEIGHT 240
#define PICTURE_SIZE   (54 + PICTURE_WIDTH * PICTURE_HEIGHT * 3)

static unsigned char picture_byte(size_t offset)
{
    static const unsigned char head[54] = {'B',
                                           'M',
                                           [10] = 54,
                                           [14] = 40,
                                           [18] = PICTURE_WIDTH & 255,
                                           [19] = PICTURE_WIDTH >> 8,
                                           [22] = PICTURE_HEIGHT,
                                           [26] = 1,
                                           [28] = 24};
    int at, x, y, wheel, channel;

    if (offset < sizeof head) {
        return offset >= 2 && offset < 6 ? (unsigned char)(PICTURE_SIZE >> 8 * (offset - 2))
                                         : head[offset];
    }
    at = (int)(offset - sizeof head) / 3;
    channel = (int)(offset - sizeof head) % 3; /* blue, green, red */
    x = at % PICTURE_WIDTH;
    y = at / PICTURE_WIDTH; /* from the bottom */
    wheel = (x < 160 ? x - 90 : x - 230) * (x < 160 ? x - 90 : x - 230) + (y - 80) * (y - 80);
    if (wheel > 45 * 45 && wheel < 50 * 50) {
        return 30; /* two wheels */
    }
    return (unsigned char)(y < 30 ? (channel == 1 ? 140 : 60) : 255 - y / 2 * (channel != 0));
}

static long picture_read(void *ctx, size_t offset, void *buf, size_t cap)
{
    unsigned char *out = (unsigned char *)buf;
    size_t i;

    (void)ctx;
    for (i = 0; i < cap && offset + i < PICTURE_SIZE; i++) {
        out[i] = picture_byte(offset + i);
    }
    return (long)i;
}

static void picture_progress(void *ctx, size_t sent, size_t size)
{
    size_t *steps = (size_t *)ctx;

    if (sent == size || sent * 20 / size >= *steps) {
        *steps = sent * 20 / size + 1;
        say_progress(sent, size);
    }
}

/* The hash that the service must have: FNV-1a over the picture. */
static bool picture_arrived(void)
{
    uint64_t hash = 0xcbf29ce484222325u;
    char expected[17], stored[32] = "";
    size_t i;

    for (i = 0; i < PICTURE_SIZE; i++) {
        hash = (hash ^ picture_byte(i)) * 0x100000001b3u;
    }
    (void)snprintf(expected, sizeof expected, "%016llx", (unsigned long long)hash);
    return people_last_upload(stored, sizeof stored) && strcmp(stored, expected) == 0;
}

/* Uploads the picture and sends it into a chat. The message's id goes into `id`. */
static bool send_picture(const char *chat_id, char *id, size_t cap)
{
    size_t steps = 0;
    avito_image_source source = {.read = picture_read,
                                 .size = PICTURE_SIZE,
                                 .file_name = "bike.bmp",
                                 .content_type = "image/bmp",
                                 .progress = picture_progress,
                                 .ctx = &steps};
    avito_uploaded_image image;
    avito_message message;

    if (!did(&shop.client, "avito_upload_image",
             avito_upload_image(&shop.client, me, &source, &arena, &image))) {
        return false;
    }
    say_line("avito_upload_image", "a picture of %d KB, in %zu sizes now", PICTURE_SIZE / 1024,
             image.sizes.count);
    expect(image.sizes.count > 0, "the picture comes in sizes");
    expect(real || picture_arrived(), "the picture arrived byte for byte");
    if (!did(&shop.client, "avito_send_image_message",
             avito_send_image_message(&shop.client, me, chat_id, image.image_id.ptr, &arena,
                                      &message))) {
        return false;
    }
    talk("avito_send_image_message", &message, "");
    expect(message.content.kind == AVITO_MESSAGE_IMAGE, "the message is an image");
    (void)snprintf(id, cap, "%s", message.id.ptr);
    return true;
}

/* Prints the chat as it is now, oldest first: the list comes newest first, into one arena. */
static void show_messages(const chat *who, size_t expected)
{
    avito_messages messages;
    size_t i;

    if (!did(&shop.client, "avito_get_messages",
             avito_get_messages(&shop.client, me, who->id, NULL, &arena, &messages))) {
        return;
    }
    for (i = messages.count; i > 0; i--) {
        talk(i == messages.count ? "avito_get_messages" : NULL, &messages.items[i - 1], who->buyer);
    }
    expect(messages.count == expected, "%zu messages, not %zu", expected, messages.count);
}

static bool is_unread(const chat *who)
{
    avito_chats_query query = {.unread_only = true};
    avito_chats chats;
    size_t i;

    if (!did(&shop.client, "avito_get_chats",
             avito_get_chats(&shop.client, me, &query, &arena, &chats))) {
        return false;
    }
    for (i = 0; i < chats.count && !avito_str_equal(chats.items[i].id, who->id); i++) {
    }
    return i < chats.count;
}

static void mark_as_read(const chat *who)
{
    expect(is_unread(who), "the chat is unread before");
    if (did(&shop.client, "avito_mark_chat_as_read",
            avito_mark_chat_as_read(&shop.client, me, who->id))) {
        say_line("avito_mark_chat_as_read", "read");
        expect(!is_unread(who), "the chat is read after");
    }
}

static void the_bicycle(void)
{
    char id[64];

    show_chat(&anna);
    show_messages(&anna, 1);
    (void)answer(&anna, "Здравствуйте! Да, велосипед на месте.");
    expect(people_write(anna.id, "text", "А можно фото? 🙂"),
           "Анна asks for a picture");
    (void)send_picture(anna.id, id, sizeof id);
    expect(people_read(anna.id), "Анна looks at it");
    say_line(NULL, "... and the whole chat, as it is now:");
    show_messages(&anna, 4);
    mark_as_read(&anna);
}

static void the_voice(void)
{
    avito_messages_query query = {.limit = 20};
    avito_message message;
    avito_voice_files files;
    avito_voice_file file;
    char voice_id[64] = "";
    const char *ids[1] = {voice_id};
    char url[256] = "";
    int result = avito_list_messages(&shop.client, me, dmitry.id, &query, &arena);

    while (avito_list_open(&shop.client) &&
           (result = avito_next_message(&shop.client, &message)) == AVITO_OK) {
        talk("avito_next_message", &message, dmitry.buyer);
        if (message.content.kind == AVITO_MESSAGE_VOICE) {
            (void)snprintf(voice_id, sizeof voice_id, "%s", message.content.as.voice->voice_id.ptr);
        }
    }
    expect(result == AVITO_END, "the list ends: %s", avito_error_text(result));
    say_line("avito_list_messages", "... read one by one as they arrived");
    if (!expect(voice_id[0] != '\0', "there is a voice message") ||
        !did(&shop.client, "avito_get_voice_files",
             avito_get_voice_files(&shop.client, me, ids, 1, &arena, &files))) {
        return;
    }
    expect(files.count == 1 && avito_str_equal(files.items[0].voice_id, voice_id), "one file");
    if (files.count == 1) {
        (void)snprintf(url, sizeof url, "%s", files.items[0].url.ptr);
        say_line("avito_get_voice_files", "%.30s...", url);
        expect(strncmp(url, "https://", 8) == 0, "an address to fetch it from");
    }
    result = avito_list_voice_files(&shop.client, me, ids, 1, &arena);
    result = result < 0 ? result : avito_next_voice_file(&shop.client, &file);
    expect(result == AVITO_OK && avito_str_equal(file.voice_id, voice_id), "the same, one by one");
    result = avito_list_end(&shop.client, 4096);
    expect(result == AVITO_OK && !avito_list_open(&shop.client), "the list is closed");
    say_line("avito_list_voice_files", "the same, one by one");
    say_line("avito_next_voice_file", "its first");
    say_line("avito_list_end", "and enough");
    (void)answer(&dmitry, "Дмитрий, послушал. Коробка и чек есть.");
    mark_as_read(&dmitry);
}

static void the_slip(void)
{
    static const char text[] = "Оля, купи хлеба";
    avito_message message;
    avito_messages messages;
    char id[64];

    if (!did(&shop.client, "avito_send_message",
             avito_send_message(&shop.client, me, dmitry.id, text, &arena, &message))) {
        return;
    }
    talk("avito_send_message", &message, "");
    (void)snprintf(id, sizeof id, "%s", message.id.ptr);
    if (!did(&shop.client, "avito_delete_message",
             avito_delete_message(&shop.client, me, dmitry.id, id))) {
        return;
    }
    say_line("avito_delete_message", "wrong chat: taken back");
    if (did(&shop.client, "avito_get_messages",
            avito_get_messages(&shop.client, me, dmitry.id, NULL, &arena, &messages)) &&
        expect(messages.count == 3, "three messages, not %zu", messages.count)) {
        talk("avito_get_messages", &messages.items[0], "");
        expect(messages.items[0].type == AVITO_MESSAGE_DELETED, "its row stays, as deleted");
    }
    expect(people_count(dmitry.id, text) == 0, "the service has it no more");
}

/* ---- notifications ---- */

/* Waits for a notification of a message in a chat; others are skipped. */
static bool next_event(const chat *who, avito_event *event)
{
    int tries;

    for (tries = 0; tries < 8; tries++) {
        if (!listener_wait(&door, WEBHOOK_PATH, 5000)) {
            return false;
        }
        avito_arena_reset(&arena);
        if (avito_parse_webhook(door.body, door.body_len, &arena, event, NULL) == AVITO_OK &&
            event->message != NULL && avito_str_equal(event->message->chat_id, who->id)) {
            return true;
        }
    }
    return false;
}

static size_t count_subscriptions(const char *url)
{
    avito_subscriptions subscriptions;
    size_t i, count = 0;

    if (!did(&shop.client, "avito_get_webhook_subscriptions",
             avito_get_webhook_subscriptions(&shop.client, &arena, &subscriptions))) {
        return 999;
    }
    for (i = 0; i < subscriptions.count; i++) {
        count += avito_str_equal(subscriptions.items[i].url, url);
    }
    return count;
}

static void list_subscriptions(const char *url)
{
    avito_subscription subscription;
    int result = avito_list_subscriptions(&shop.client, &arena);
    int seen = 0;

    while (avito_list_open(&shop.client) &&
           (result = avito_next_subscription(&shop.client, &subscription)) == AVITO_OK) {
        say_line("avito_next_subscription", "version %s", or_dash(subscription.version));
        seen += avito_str_equal(subscription.url, url);
    }
    say_line("avito_list_subscriptions", "... read one by one");
    expect(result == AVITO_END && seen == 1, "ours is among them");
}

static void the_notification(void)
{
    char url[128];
    avito_event event;

    if (!expect(listener_open(&door), "a port to listen on")) {
        return;
    }
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d" WEBHOOK_PATH, door.port);
    if (did(&shop.client, "avito_subscribe_webhook", avito_subscribe_webhook(&shop.client, url))) {
        say_line("avito_subscribe_webhook", "ring at 127.0.0.1:%d", door.port);
        expect(count_subscriptions(url) == 1, "one subscription");
        say_line("avito_get_webhook_subscriptions", "subscribed");
        list_subscriptions(url);
    }
    expect(people_write(olga.id, "text", "А если завтра в 18:00 у метро?"), "Ольга writes");
    if (expect(next_event(&olga, &event), "the notification comes")) {
        talk("avito_parse_webhook", event.message, olga.buyer);
        expect(event.message->author_id == olga.buyer_id && !event.message->is_own &&
                   event.message->user_id == me && event.message->chat_type == AVITO_CHAT_TYPE_U2I,
               "it says who wrote, to whom, and where");
        (void)answer(&olga, "Завтра в 18:00 буду. До встречи!");
    }
    if (expect(next_event(&olga, &event), "what we write is notified too")) {
        say_line("avito_parse_webhook", "our own echo, not to be answered");
        expect(event.message->is_own, "it is known as our own");
    }
    if (did(&shop.client, "avito_unsubscribe_webhook",
            avito_unsubscribe_webhook(&shop.client, url))) {
        expect(count_subscriptions(url) == 0, "no subscription is left");
        say_line("avito_unsubscribe_webhook", "quiet again");
    }
    mark_as_read(&olga);
    listener_close(&door);
}

static void the_swindler(void)
{
    avito_blacklist_user users[1] = {{prize.buyer_id, 0, AVITO_REASON_FRAUD}};

    show_messages(&prize, 1);
    if (did(&shop.client, "avito_add_to_blacklist",
            avito_add_to_blacklist(&shop.client, me, users, 1))) {
        say_line("avito_add_to_blacklist", "no, thank you");
        expect(people_served("add_to_blacklist") == 1, "the service has blocked him");
    }
    mark_as_read(&prize);
}

/* All chats, one by one, in a small piece of memory. */
static void all_chats(void)
{
    static char small[2560];
    avito_arena one = avito_arena_of(small, sizeof small);
    avito_chats_query query = {
        .want = AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS, .all_pages = !real, .limit = real ? 10 : 0};
    avito_chat c;
    size_t count = 0;
    int result = avito_list_chats(&shop.client, me, &query, &one);

    while (avito_list_open(&shop.client)) {
        result = avito_next_chat(&shop.client, &c);
        if (result == AVITO_ERR_ARENA && real) {
            say_line("avito_next_chat", "one that takes %zu bytes is passed over",
                     avito_last_error(&shop.client)->needed);
            continue;
        }
        if (result != AVITO_OK) {
            break;
        }
        say_talk("avito_next_chat", c.updated, buyer_of(&c),
                 c.last_message != NULL ? words_of(c.last_message) : str(""), NULL);
        count++;
    }
    expect(result == AVITO_END, "the list ends: %s", avito_error_text(result));
    expect(real || count == 4, "four chats");
    say_line("avito_list_chats", "%zu chats, never more than %zu bytes at once", count, one.peak);
}

/* ---- on behalf of somebody else: authorization code ---- */

#define PARTNER_SCOPE "user:read,messenger:read,messenger:write"

static unsigned saves;

/* The refresh token rotates: the new pair is stored before it is used. */
static int save_token(void *ctx, const avito_token *token)
{
    (void)ctx;
    saves++;
    return token->refresh_token.len > 0 ? AVITO_OK : AVITO_ERR_HOOK;
}

static void the_partner(void)
{
    char code[128], url[512], first[128] = "";
    avito_token token;
    avito_self self;

    if (!did(&partner.client, "avito_authorize_url",
             avito_authorize_url(&partner.account, PARTNER_SCOPE, "state-1", url, sizeof url,
                                 NULL))) {
        return;
    }
    say_line("avito_authorize_url", "%.46s...", url);
    expect(strstr(url, "response_type=code") != NULL && strstr(url, "state=state-1") != NULL,
           "the address asks for a code");
    if (!expect(people_allow(PARTNER_SCOPE, code, sizeof code),
                "a person allows it in the browser")) {
        return;
    }
    if (did(&partner.client, "avito_exchange_code",
            avito_exchange_code(&partner.client, code, &token))) {
        say_line("avito_exchange_code", "allowed: a pair of keys, saved");
        expect(token.refresh_token.len > 0 && saves == 1, "the pair was saved before use");
        (void)snprintf(first, sizeof first, "%s", token.refresh_token.ptr);
    }
    if (did(&partner.client, "avito_refresh_token", avito_refresh_token(&partner.client, &token))) {
        say_line("avito_refresh_token", "a fresh pair, saved; the old one is void");
        expect(saves == 2 && !avito_str_equal(token.refresh_token, first), "it rotates");
    }
    if (did(&partner.client, "avito_get_self", avito_get_self(&partner.client, &arena, &self))) {
        expect(self.id == SHOP_ID, "the new key opens the door");
    }
    avito_client_close(&partner.client);
}

/* ---- when things go wrong ---- */

/* Sends while the answer gets lost, and reads the chat back to find out. */
static void lost_answer(const chat *who, const char *text)
{
    avito_messages_query newest = {.limit = 1};
    avito_sent_query sent = {.text = text};
    avito_outcome outcome = AVITO_CANNOT_TELL;
    avito_messages before;
    avito_message found;
    int result;

    if (!did(&shop.client, "avito_get_messages",
             avito_get_messages(&shop.client, me, who->id, &newest, &arena, &before)) ||
        !expect(before.count == 1, "there is a newest message")) {
        return;
    }
    sent.baseline_id = before.items[0].id.ptr;
    sent.baseline_created = before.items[0].created;
    expect(people_plan_fault("send_message:stored_no_answer:1"), "the line breaks");
    result = avito_send_message(&shop.client, me, who->id, text, NULL, NULL);
    expect(result < 0 && avito_last_error(&shop.client)->outcome == AVITO_CANNOT_TELL,
           "nobody can tell whether it was sent: %s", avito_error_text(result));
    say_talk("avito_send_message", (int64_t)avito_posix_unix_time(NULL), str("Магазин"), str(text),
             "?");
    result = avito_confirm_sent(&shop.client, me, who->id, &sent, &arena, &outcome, &found);
    if (did(&shop.client, "avito_confirm_sent", result) &&
        expect(outcome == AVITO_SENT, "it was")) {
        say_line("avito_confirm_sent", "the answer was lost; the chat says: sent");
    }
    expect(people_count(who->id, text) == 1, "once, not twice");
}

static void bad_luck(void)
{
    static char long_text[2 * 1001 + 1];
    int64_t tokens = people_counter("tokens_issued"), requests;
    avito_self self;
    int result, i;

    expect(people_expire_tokens(), "the service forgets our key");
    if (did(&shop.client, "avito_get_self", avito_get_self(&shop.client, &arena, &self))) {
        say_line("avito_get_self", "the key had expired: fetched a new one");
        expect(people_counter("tokens_issued") == tokens + 1, "one new token");
    }

    lost_answer(&olga, "Куртку отложил до завтра.");

    for (i = 0; i < 1001; i++) {
        memcpy(long_text + (size_t)i * 2, "я", 2);
    }
    requests = people_counter("requests");
    result = avito_send_message(&shop.client, me, olga.id, long_text, NULL, NULL);
    expect(result == AVITO_ERR_TEXT, "1001 letters are too many: %s", avito_error_text(result));
    expect(people_counter("requests") == requests, "not a byte has left");
    say_line("avito_send_message", "1001 letters: refused before a byte is sent");
}

/* ---- the bot: examples/11_auto_answer_bot.c ---- */

#define BOT_ANSWER "Здравствуйте! Мы закрыты, ответим утром."

static chat guests[3] = {{"", 100200305, "Пётр", "Лыжи 180 см", "3 000 ₽"},
                         {"", 100200306, "Марина", "Самовар", "5 500 ₽"},
                         {"", 100200307, "Илья", "Гитара", "8 000 ₽"}};

/* Lets the bot work until it begins to answer somebody, and kills it before the reply is there: the
 * simulator takes 400 ms for it. */
static void kill_in_the_middle(void)
{
    char line[256];
    size_t i;

    expect(bot_start(BOT_ANSWER), "the bot starts");
    while (bot_line(line, sizeof line, 10000)) {
        for (i = 0; i < 3 && strncmp(line, guests[i].id, strlen(guests[i].id)) != 0; i++) {
        }
        if (i < 3 && strstr(line, ": answering") != NULL) {
            (void)usleep(100000);
            bot_kill();
            say_line(NULL, "bot: answering %s ... kill -9", guests[i].buyer);
            return;
        }
    }
    bot_kill();
    expect(false, "the bot answers somebody");
}

static bool everybody_has_an_answer(void)
{
    return people_count(guests[0].id, BOT_ANSWER) >= 1 &&
           people_count(guests[1].id, BOT_ANSWER) >= 1 &&
           people_count(guests[2].id, BOT_ANSWER) >= 1;
}

static void the_bot(void)
{
    static const char *const questions[3] = {"Добрый вечер! А палки к лыжам есть?",
                                             "Самовар рабочий?", "Струны новые?"};
    int i;

    if (!expect(bot_prepare(), "a folder for the bot")) {
        return;
    }
    for (i = 0; i < 3; i++) {
        chat *g = &guests[i];

        expect(people_open_chat(g->buyer_id, g->buyer, g->item, g->price, g->id, sizeof g->id) &&
                   people_write(g->id, "text", questions[i]),
               "%s writes", g->buyer);
    }
    expect(people_plan_fault("send_message:delay=400:0"), "the service takes its time");
    kill_in_the_middle();
    kill_in_the_middle();
    expect(bot_start(BOT_ANSWER), "the bot starts");
    say_line(NULL, "bot: started again, goes on");
    for (i = 0; i < 100 && !everybody_has_an_answer(); i++) {
        (void)usleep(100000);
    }
    expect(people_write(guests[1].id, "text", "Жду!"), "Марина writes once more");
    (void)usleep(1500000); /* five rounds: enough time for one answer too many */
    bot_kill();
    bot_forget();
    for (i = 0; i < 3; i++) {
        avito_arena_reset(&arena);
        show_messages(&guests[i], i == 1 ? 3 : 2);
        expect(people_count(guests[i].id, BOT_ANSWER) == 1, "%s has one answer", guests[i].buyer);
    }
}

/* ---- the program avito: the same for people who write no C ---- */

#define COMMAND_ANSWER "Да, отдам за 3000."

/* A second later than all earlier messages: the watch begins there. */
static void watch_for_one(void)
{
    char words[80];
    int lines;

    (void)usleep(1100000);
    (void)snprintf(words, sizeof words, "watch --since %lld --count 1 --timeout 20",
                   (long long)time(NULL));
    expect(people_write(anna.id, "text", "А за 3000 отдадите?"), "the buyer writes again");
    expect(program_run(words, &lines) == 0 && lines > 0, "the watch shows it, and ends");
}

static void the_program(void)
{
    char words[512];
    int lines;

    if (!expect(program_prepare(), "a folder for the program")) {
        return;
    }
    expect(program_run("chats --limit 3", &lines) == 0 && (real || lines >= 3), "it shows chats");
    if (!real) {
        watch_for_one();
        (void)snprintf(words, sizeof words, "send %s '" COMMAND_ANSWER "'", anna.id);
        expect(program_run(words, NULL) == 0 && people_count(anna.id, COMMAND_ANSWER) == 1,
               "its answer is there, once");
    }
    program_forget();
}

/* ---- the real service ---- */

/* What --real reads besides who_is_waiting() and all_chats(). */
static void look_around(void)
{
    avito_chats_query query = {.limit = 1};
    avito_messages_query few = {.limit = 10};
    avito_chats chats;
    avito_chat c;
    avito_message message;
    avito_subscriptions subscriptions;
    char id[64];
    int result;

    if (!did(&shop.client, "avito_get_chats",
             avito_get_chats(&shop.client, me, &query, &arena, &chats)) ||
        chats.count == 0 || chats.items[0].id.len >= sizeof id) {
        return;
    }
    memcpy(id, chats.items[0].id.ptr, chats.items[0].id.len + 1);
    if (did(&shop.client, "avito_get_chat", avito_get_chat(&shop.client, me, id, &arena, &c))) {
        say_line("avito_get_chat", "chat %s", id);
    }
    result = avito_list_messages(&shop.client, me, id, &few, &arena);
    while (avito_list_open(&shop.client) &&
           (result = avito_next_message(&shop.client, &message)) == AVITO_OK) {
        talk("avito_next_message", &message, "");
    }
    say_line("avito_list_messages", "%s", avito_error_text(result));
    expect(result == AVITO_END, "the list ends");
    if (did(&shop.client, "avito_get_webhook_subscriptions",
            avito_get_webhook_subscriptions(&shop.client, &arena, &subscriptions))) {
        say_line("avito_get_webhook_subscriptions", "%zu subscriptions", subscriptions.count);
    }
}

/* --write: into one chat, and everything is deleted again. */
static void leave_no_trace(void)
{
    avito_message message;
    char id[64] = "";

    if (did(&shop.client, "avito_send_message",
            avito_send_message(&shop.client, me, write_to, "Проверка связи", &arena, &message))) {
        talk("avito_send_message", &message, "");
        (void)snprintf(id, sizeof id, "%s", message.id.ptr);
        did(&shop.client, "avito_delete_message",
            avito_delete_message(&shop.client, me, write_to, id));
        say_line("avito_delete_message", "deleted");
    }
    if (send_picture(write_to, id, sizeof id)) {
        did(&shop.client, "avito_delete_message",
            avito_delete_message(&shop.client, me, write_to, id));
        say_line("avito_delete_message", "deleted");
    }
}

/* The memory that the whole story took: there is no heap. */
static void what_it_took(void)
{
    say_line(NULL, "account %zu B, its tokens %zu B, client %zu B, window %zu B",
             sizeof shop.account, sizeof shop.tokens, sizeof shop.client, sizeof shop.window);
    say_line(NULL, "TLS %zu B, its records %zu B, roots %zu B, TCP %zu B", sizeof shop.tls,
             sizeof shop.records, anchors.needed, sizeof shop.tcp);
    say_line(NULL, "answers: at most %zu B of arena in one scene", arena.peak);
}

/* ---- the story ---- */

#define SIMULATED  1
#define REAL       2
#define REAL_WRITE 4

/* The scenes in their order. A new one is a function and a line here. */
static const struct {
    const char *title;
    void (*play)(void);
    unsigned where;
} scenes[] = {{"Signing in", sign_in, SIMULATED | REAL},
              {"Who is waiting?", who_is_waiting, SIMULATED | REAL},
              {"The newest chat", look_around, REAL},
              {"A text and a picture, deleted again", leave_no_trace, REAL_WRITE},
              {"Анна and the bicycle", the_bicycle, SIMULATED},
              {"Дмитрий has no hands free", the_voice, SIMULATED},
              {"A slip", the_slip, SIMULATED},
              {"Ольга rings", the_notification, SIMULATED},
              {"A prize nobody asked for", the_swindler, SIMULATED},
              {"All chats, in a small piece of memory", all_chats, SIMULATED | REAL},
              {"On behalf of a partner", the_partner, SIMULATED},
              {"Bad luck", bad_luck, SIMULATED},
              {"A bot, killed twice", the_bot, SIMULATED},
              {"The same from the command line", the_program, SIMULATED | REAL},
              {"What it took", what_it_took, SIMULATED | REAL}};

static void must(int result, const char *what)
{
    if (result != AVITO_OK) {
        fprintf(stderr, "demo: %s: %s; %s\n", what, avito_error_text(result),
                avito_error_remedy(result));
        exit(2);
    }
}

static void open_lane(lane *l, int (*save)(void *ctx, const avito_token *token))
{
    const char *port = getenv("AVITO_PORT");
    const avito_tcp_options tcp = {.address =
                                       real ? NULL : "127.0.0.1"}; /* no hosts file is needed */
    avito_tls_options tls = {.anchors = anchors.items,
                             .anchors_count = anchors.count,
                             .buffer = l->records,
                             .buffer_cap = sizeof l->records,
                             .full_duplex = true,
                             .unix_time = avito_posix_unix_time,
                             .entropy = avito_posix_entropy};
    avito_account_options account = {.client_id = getenv("AVITO_CLIENT_ID"),
                                     .client_secret = getenv("AVITO_CLIENT_SECRET"),
                                     .host = real ? getenv("AVITO_HOST") : "localhost",
                                     .port = (uint16_t)(port != NULL ? atoi(port) : 443),
                                     .tokens = l->tokens,
                                     .tokens_cap = sizeof l->tokens,
                                     .clock_ms = avito_posix_clock_ms,
                                     .unix_time = avito_posix_unix_time,
                                     .entropy = avito_posix_entropy,
                                     .save_token = save};
    avito_client_options client = {.window = l->window, .window_cap = sizeof l->window};

    must(avito_tcp_init(&l->tcp, &tcp), "TCP");
    tls.transport = avito_tcp_transport(&l->tcp);
    must(avito_tls_init(&l->tls, &tls), "TLS");
    must(avito_account_init(&l->account, &account), "account");
    client.transport = avito_tls_transport(&l->tls);
    must(avito_client_init(&l->client, &l->account, &client), "client");
}

static void people_come(void)
{
    static const struct {
        chat *who;
        const char *type, *text;
    } first_words[] = {{&anna, "text", "Здравствуйте! Ещё продаётся?"},
                       {&dmitry, "voice", ""},
                       {&olga, "text", "Добрый день. Куртка тёплая?"},
                       {&prize, "text", "Вы ВЫИГРАЛИ приз!!! Пришлите код из СМС"}};
    size_t i;

    for (i = 0; i < sizeof first_words / sizeof *first_words; i++) {
        chat *who = first_words[i].who;

        if (!people_open_chat(who->buyer_id, who->buyer, who->item, who->price, who->id,
                              sizeof who->id) ||
            !people_write(who->id, first_words[i].type, first_words[i].text)) {
            fprintf(stderr, "demo: the simulator does not answer\n");
            exit(2);
        }
    }
}

static void read_command_line(int argc, char **argv)
{
    unsigned pace = isatty(STDOUT_FILENO) ? 120 : 0;
    int i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--real") == 0) {
            real = true;
        } else if (strcmp(argv[i], "--write") == 0 && i + 1 < argc) {
            write_to = argv[++i];
        } else if (strcmp(argv[i], "--quick") == 0) {
            quick = true;
        } else if (strcmp(argv[i], "--pace") == 0 && i + 1 < argc) {
            pace = (unsigned)atoi(argv[++i]);
        } else {
            fprintf(stderr, "usage: demo [--real [--write CHAT_ID]] [--pace MS] [--quick]\n");
            exit(2);
        }
    }
    say_pace(pace);
    if (!real && (write_to != NULL || !people_arrive())) {
        fprintf(stderr, "demo: run it by `make demo`, or with --real\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    const char *file = getenv("AVITO_CA_FILE");
    unsigned where = SIMULATED;
    size_t i;

    read_command_line(argc, argv);
    file = file != NULL ? file : "/etc/ssl/certs/ca-certificates.crt";
    must(avito_anchors_load_file(&anchors, roots, sizeof roots, file), file);
    arena = avito_arena_of(room, sizeof room);
    open_lane(&shop, NULL);
    if (real) {
        where = write_to != NULL ? REAL | REAL_WRITE : REAL;
    } else {
        open_lane(&partner, save_token);
        people_come();
    }
    printf("avito_messenger.h " AVITO_VERSION ", %s, over TLS 1.2\n",
           real ? "the real service" : "a day in a shop, simulated");
    printf("on the right: the call, without its avito_\n");
    for (i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        if ((scenes[i].where & where) != 0 && !(quick && scenes[i].play == the_bot)) {
            avito_arena_reset(&arena);
            say_scene(scenes[i].title);
            scenes[i].play();
        }
        if (me == 0) { /* all others need it */
            fprintf(stderr, "demo: without the account the rest cannot be played\n");
            return 1;
        }
    }
    avito_client_close(&shop.client);
    return say_end(!real);
}
