/*
 * Calls with usual arguments, for tests that try many of them alike. `got` holds what they give.
 */
#ifndef TESTS_SUPPORT_CALLS_H
#define TESTS_SUPPORT_CALLS_H

#include "lane.h"

#define USER 350000001
#define CHAT "u2i-aBcDeFgHiJkLmNoPqRsTuA"

static union {
    avito_self self;
    avito_chat chat;
    avito_chats chats;
    avito_messages messages;
    avito_message message;
    avito_voice_files voices;
    avito_subscriptions subscriptions;
    avito_uploaded_image image;
    avito_token token;
} got;

static int get_self(struct lane *l)
{
    return avito_get_self(&l->client, &l->arena, &got.self);
}

static int get_chats(struct lane *l)
{
    return avito_get_chats(&l->client, USER, NULL, &l->arena, &got.chats);
}

static int get_chat(struct lane *l)
{
    return avito_get_chat(&l->client, USER, CHAT, &l->arena, &got.chat);
}

static int send_image(struct lane *l)
{
    return avito_send_image_message(&l->client, USER, CHAT, "12345.abc", &l->arena, &got.message);
}

static int subscriptions(struct lane *l)
{
    return avito_get_webhook_subscriptions(&l->client, &l->arena, &got.subscriptions);
}

static int mark_read(struct lane *l)
{
    return avito_mark_chat_as_read(&l->client, USER, CHAT);
}

static int delete_message(struct lane *l)
{
    return avito_delete_message(&l->client, USER, CHAT, "7c1e90ab");
}

static int unsubscribe(struct lane *l)
{
    return avito_unsubscribe_webhook(&l->client, "https://example.org/a");
}

#endif
