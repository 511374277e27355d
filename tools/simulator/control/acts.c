/* acts.c - the acts of POST: people, the service, stories. */
#include "door.h"

#include <stdlib.h>
#include <string.h>

#define MEDIA_MAX (24u * 1024u * 1024u) /* as the service has it for uploads */

/* ---------------------------------------------------------------- people */

/* Random choices are written into the request, so that replaying a story makes none. */
static void fill_in(cJSON *o, const sim_chat_info *chat)
{
    if (value_text(o, "buyer_name") == NULL) {
        (void)cJSON_AddStringToObject(o, "buyer_name", chat->buyer_name);
    }
    if (chat->item_id != 0 && value_text(o, "item_title") == NULL) {
        (void)cJSON_AddStringToObject(o, "item_title", chat->item_title);
    }
    if (chat->item_id != 0 && value_text(o, "price_string") == NULL) {
        (void)cJSON_AddStringToObject(o, "price_string", chat->price_string);
    }
    cJSON_DeleteItemFromObjectCaseSensitive(o, "chat_id"); /* each replay has a chat of its own */
}

bool act_chat(control *c, cJSON *o)
{
    static const char *const types[] = {"u2i", "u2u", "a2u"};
    sim_chat_options chat;
    sim_chat_info made;
    int type = value_word(o, "type", types, 3);
    memset(&chat, 0, sizeof chat);
    if (type < 0) {
        return control_refuse(c, "type is u2i, u2u or a2u");
    }
    chat.type = (sim_chat_type)type;
    chat.id = value_text(o, "chat_id");
    chat.buyer_id = value_number(o, "buyer_id");
    chat.buyer_name = value_text(o, "buyer_name");
    chat.item_id = value_number(o, "item_id");
    chat.item_title = value_text(o, "item_title");
    chat.price_string = value_text(o, "price_string");
    chat.foreign = value_number(o, "foreign") != 0;
    const char *id = sim_add_chat(c->service, &chat);
    if (id != NULL && sim_find_chat(c->service, id, &made)) {
        fill_in(o, &made);
    }
    return control_say_id(c, "chat_id", id, "this chat_id is taken");
}

bool act_message(control *c, cJSON *o)
{
    static const char *const authors[] = {"buyer", "app", "avito"};
    const char *types[SIM_TYPE_COUNT];
    sim_message_options m;
    memset(&m, 0, sizeof m);
    for (int i = 0; i < SIM_TYPE_COUNT; i++) {
        types[i] = sim_type_name((sim_type)i);
    }
    int author = value_word(o, "author", authors, 3),
        type = value_word(o, "type", types, SIM_TYPE_COUNT);
    if (author < 0 || type < 0) {
        return control_refuse(c, author < 0 ? "author is buyer, app or avito"
                                            : "type is none of the API's");
    }
    char *content = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(o, "content"));
    m.author = (sim_author)author;
    m.type = (sim_type)type;
    m.text = value_text(o, "text");
    m.content_json = content;
    m.quote_id = value_text(o, "quote_id");
    m.media_id = value_text(o, "media_id");
    m.visible_after_ms = (uint32_t)value_number(o, "visible_after_ms");
    const char *id = sim_write(c->service, value_text(o, "chat_id"), &m);
    free(content);
    return control_say_id(c, "message_id", id, "no such chat, or no such message to quote in it");
}

bool act_read(control *c, cJSON *o)
{
    static const char *const sides[] = {"app", "buyer"};
    const char *chat = value_text(o, "chat_id");
    int side = value_word(o, "by", sides, 2);
    if (side < 0) {
        return control_refuse(c, "by is buyer or app");
    }
    return control_say_done(
        c, side == 1 ? sim_buyer_reads(c->service, chat) : sim_app_reads(c->service, chat),
        "no such chat");
}

bool act_delete(control *c, cJSON *o)
{
    return control_say_done(c, sim_delete(c->service, value_text(o, "message_id")),
                            "no such message");
}

static int digit_of(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

/* Decodes in place. False: not base64 (RFC 4648, with padding). */
static bool decode_base64(char *text, size_t *len)
{
    size_t count = strlen(text), out = 0;
    size_t padding = count > 1 && text[count - 2] == '=' ? 2 : count > 0 && text[count - 1] == '=';
    if (count % 4 != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i += 4) {
        uint32_t bits = 0;
        for (size_t k = i; k < i + 4; k++) {
            int digit = k >= count - padding ? 0 : digit_of(text[k]);
            if (digit < 0) {
                return false;
            }
            bits = bits << 6 | (uint32_t)digit;
        }
        text[out++] = (char)(bits >> 16);
        text[out++] = (char)(bits >> 8);
        text[out++] = (char)bits;
    }
    *len = out - padding;
    return true;
}

bool act_media(control *c, cJSON *o)
{
    size_t len = 0;
    const char *data = value_text(o, "data");
    char *bytes = memcpy(simi_alloc(NULL, strlen(data) + 1), data, strlen(data) + 1);
    bool good = decode_base64(bytes, &len);
    bool small = len <= MEDIA_MAX;
    const char *id = good && small ? sim_add_media(c->service, bytes, len) : NULL;
    free(bytes);
    return control_say_id(
        c, "media_id", id,
        !good    ? "data is not base64"
        : !small ? "at most 24 MB"
                 : "neither a picture (JPEG, PNG, GIF, BMP, HEIC) nor a sound (WAV, Ogg, "
                   "WebM, MP4)");
}

/* ---------------------------------------------------------------- the service */

bool act_fault(control *c, cJSON *o)
{
    const char *plan = value_text(o, "plan");
    bool clear = value_number(o, "clear") != 0;
    if (clear) {
        sim_clear_faults(c->service);
    } else if (plan == NULL || !sim_plan_fault(c->service, plan)) {
        return control_refuse(
            c, "plan is OPERATION:FAULT[,FAULT...][:COUNT[:SKIP]], see \"Faults\" at /");
    }
    feed_put_faults(&c->feed, feed_add(&c->feed, "faults"));
    return control_say_done(c, true, "");
}

bool act_tokens(control *c, cJSON *o)
{
    static const char *const words[] = {"", "expire", "revoke"};
    int what = value_word(o, "do", words, 3);
    if (what == 1) {
        sim_expire_tokens(c->service);
    } else if (what == 2) {
        sim_revoke_tokens(c->service);
    }
    return control_say_done(c, what > 0, "do is expire or revoke");
}

bool act_code(control *c, cJSON *o)
{
    const char *scope = value_text(o, "scope");
    return control_say_id(c, "code",
                          sim_grant_code(c->service, scope != NULL ? scope : "messenger:read"), "");
}

bool act_option(control *c, cJSON *o)
{
    const cJSON *member;
    bool good = true;
    cJSON_ArrayForEach(member, o)
    {
        good = good && value_is_whole(member) &&
               options_set(sim_live(c->service), member->string, value_number(o, member->string));
    }
    options_put(c, feed_add(&c->feed, "options"));
    return control_say_done(c, good,
                            "an option of this name or value does not exist, see / for their list");
}

bool act_reset(control *c, cJSON *o)
{
    bool given = cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(o, "chats"));
    int64_t chats = given ? value_number(o, "chats") : -1;
    return control_say_done(c, chats >= -1 && chats <= 10000 && c->reset(c->ctx, chats),
                            "chats is 0 to 10000");
}

bool act_story(control *c, cJSON *o)
{
    const char *why = story_wrong(o);
    if (why == NULL && value_number(o, "reset") != 0 && !c->reset(c->ctx, 0)) {
        why = "it cannot start over";
    }
    if (why == NULL) {
        story_play(&c->story, c->service, cJSON_Duplicate(o, true));
    }
    return control_say_done(c, why == NULL, why);
}
