/* models.c - the store's contents as JSON: members, order and density as in recorded answers. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the service puts in place of every text when the tariff lacks the API. */
static const char placeholder[] =
    "Перейдите на подписку с API мессенджера, чтобы получить доступ к чатам";

void simi_put_id(sim *s, simi_buf *b, int64_t id)
{
    const char *quote = s->o.ids_as_strings ? "\"" : "";
    simi_puts(b, quote);
    simi_put_int(b, id);
    simi_puts(b, quote);
}

void simi_put_image_sizes(sim *s, simi_buf *b, const char *image_id, bool in_message)
{
    static const char *const sizes[] = {"1280x960", "140x105", "32x32", "640x480"};
    size_t count = in_message ? 4 : 3; /* the upload's example has three, a message's four */
    simi_puts(b, "{");
    for (size_t i = 0; i < count; i++) {
        simi_putf(b, "%s\"%s\":\"", i == 0 ? "" : ",", sizes[i]);
        if (!simi_put_media_url(s, b, image_id)) {
            simi_putf(b, "https://img.k.avito.ru/chat/%s/%s.jpg", sizes[i], image_id);
        }
        simi_puts(b, "\"");
    }
    simi_puts(b, "}");
}

static void put_image(sim *s, simi_buf *b, const char *image_id)
{
    char drawn[48];
    if (image_id == NULL || image_id[0] == '\0') {
        simi_random_text(&s->random, "0123456789", drawn, 10);
        drawn[10] = '.';
        simi_random_text(&s->random, "0123456789abcdef", drawn + 11, 32);
        image_id = drawn;
    }
    simi_puts(b, "{\"image\":{\"sizes\":");
    simi_put_image_sizes(s, b, image_id, true);
    simi_puts(b, "}}");
}

static void put_link(sim *s, simi_buf *b, const char *text)
{
    bool preview = strstr(text, "nopreview") == NULL;
    simi_puts(b, "{\"link\":{\"text\":");
    simi_put_json(b, text);
    simi_puts(b, ",\"url\":");
    simi_put_json(b, text);
    if (!preview) {
        simi_puts(b, ",\"preview\":null}}");
        return;
    }
    simi_puts(b,
              ",\"preview\":{\"title\":\"Заголовок страницы\",\"description\":\"О чём страница\","
              "\"domain\":\"example.com\",\"url\":\"https://example.com/?a=1\\u0026b=2\","
              "\"images\":");
    simi_put_image_sizes(s, b, "5083650001.preview", true);
    simi_puts(b, "}}}");
}

#define ITEM_IMAGE "https://avito.ru/image_url.webp"
#define ITEM_URL   "https://avito.ru/moskva/item_1"

/* A missing price is null. */
static void put_price(simi_buf *b, const char *text)
{
    simi_puts(b, "\"price_string\":");
    simi_puts(b, text[0] != '\0' ? "\"1\xC2\xA0"
                                   "232\xC2\xA0"
                                   "323\xC2\xA0₽\""
                                 : "null");
}

static void put_title(simi_buf *b, const char *text)
{
    simi_puts(b, "\"title\":");
    simi_put_json(b, text[0] != '\0' ? text : "Объявление");
}

static const char item_begins[] =
    "{\"item\":{\"image_url\":\"" ITEM_IMAGE "\",\"item_url\":\"" ITEM_URL "\",";

static void put_item(simi_buf *b, const char *text)
{
    simi_puts(b, item_begins);
    put_price(b, text);
    simi_puts(b, ",");
    put_title(b, text);
    simi_puts(b, "}}");
}

/* The same with the members of a chat's listing. */
static void put_listing(sim *s, simi_buf *b, const simi_message *m)
{
    simi_puts(b, "{\"item\":{\"id\":");
    simi_put_id(s, b, m->chat->item_id);
    simi_puts(b, ",");
    put_title(b, m->text);
    simi_puts(b, ",\"status_id\":10,");
    put_price(b, m->text);
    simi_puts(b, ",\"url\":\"" ITEM_URL "\",\"images\":{\"main\":{\"140x105\":\"" ITEM_IMAGE
                 "\"},\"count\":1}}}");
}

static void put_location(simi_buf *b, const char *text)
{
    simi_puts(b,
              "{\"location\":{\"kind\":\"street\",\"lat\":55.599799,\"lon\":37.603954,\"text\":");
    simi_put_json(b, text);
    simi_puts(b, ",\"title\":");
    simi_put_json(b, text);
    simi_puts(b, "}}");
}

static void put_text(simi_buf *b, const char *member, const char *text)
{
    simi_putf(b, "{%s\"text\":", member);
    simi_put_json(b, text);
    simi_puts(b, "}");
}

/* The content of each type, made up where the caller has not given it. */
static void put_content(sim *s, simi_buf *b, sim_type type, const char *text, const char *voice_id,
                        const char *image_id)
{
    bool given = text[0] != '\0';
    switch ((int)type) {
        case SIM_TEXT:
            put_text(b, "", text);
            break;
        case SIM_SYSTEM:
            put_text(b, "\"flow_id\":\"seller_audience_discount\",",
                     given ? text : "[Системное сообщение] Продавец предлагает скидку");
            break;
        case SIM_IMAGE:
            put_image(s, b, image_id);
            break;
        case SIM_LINK:
            put_link(s, b, given ? text : "example.com");
            break;
        case SIM_ITEM:
            put_item(b, text);
            break;
        case SIM_LOCATION:
            put_location(b, given ? text : "Москва, Варшавское шоссе");
            break;
        case SIM_CALL:
            simi_puts(b, "{\"call\":{\"status\":\"missed\",\"target_user_id\":");
            simi_put_int(b, s->o.user_id);
            simi_puts(b, "}}");
            break;
        case SIM_VOICE_MESSAGE:
            simi_putf(b, "{\"voice\":{\"voice_id\":\"%s\"}}", voice_id);
            break;
        default: /* deleted, and the three types that the API does not show */
            simi_puts(b, "{}");
            break;
    }
}

const char *simi_content(sim *s, sim_type type, const char *text, const char *voice_id,
                         const char *image_id)
{
    s->scratch.len = 0;
    put_content(s, &s->scratch, type, text, voice_id, image_id);
    return simi_keep_text(&s->arena, s->scratch.p);
}

/* With the `nulls` option: the members that this content does not have, as null. */
static void put_with_nulls(simi_buf *b, const char *content)
{
    static const char *const members[] = {"call", "flow_id",  "image", "item",
                                          "link", "location", "text",  "voice"};
    simi_puts(b, "{");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "\"%s\":", members[i]);
        bool has = strncmp(content + 1, key, strlen(key)) == 0 ||
                   (strcmp(members[i], "text") == 0 && strstr(content, ",\"text\":") != NULL &&
                    strncmp(content, "{\"flow_id\"", 10) == 0);
        if (!has) {
            simi_putf(b, "%snull,", key);
        }
    }
    if (strcmp(content, "{}") == 0) {
        b->len--; /* the comma */
        simi_puts(b, "}");
    } else {
        simi_puts(b, content + 1);
    }
}

static void put_shown_content(sim *s, simi_buf *b, const simi_message *m)
{
    const char *content = m->deleted ? "{}" : m->content;
    content = s->o.empty_as_array && strcmp(content, "{}") == 0 ? "[]" : content;
    if (s->o.tariff != SIM_TARIFF_PAID && m->type == SIM_TEXT && !m->deleted) {
        put_text(b, "", placeholder);
    } else if (s->o.nulls && content[0] == '{') {
        put_with_nulls(b, content);
    } else {
        simi_puts(b, content);
    }
}

static const char *shown_type(const simi_message *m)
{
    return m->deleted ? "deleted" : m->type_word;
}

/* ---------------------------------------------------------------- users and chats */

static void put_avatar(simi_buf *b, unsigned avatar)
{
    static const char *const sizes[] = {"1024x1024", "128x128", "192x192",
                                        "256x256",   "64x64",   "96x96"};
    static const char base[] = "https://51.img.avito.st/avatar/social/";
    simi_putf(b, "{\"default\":\"%s256x256/212062%05u.jpg\",\"images\":{", base, avatar);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        simi_putf(b, "%s\"%s\":\"%s%s/212062%05u.jpg\"", i == 0 ? "" : ",", sizes[i], base,
                  sizes[i], avatar);
    }
    simi_puts(b, "}}");
}

static void put_user(sim *s, simi_buf *b, const simi_chat *chat, const simi_user *user)
{
    simi_puts(b, "{\"id\":");
    simi_put_id(s, b, user->id);
    simi_puts(b, ",\"name\":");
    simi_put_json(b, user->name);
    simi_putf(b, ",\"parsing_allowed\":%s", user->parsing_allowed ? "true" : "false");
    if (!chat->no_profiles) {
        simi_puts(b, ",\"public_user_profile\":{\"user_id\":");
        simi_put_id(s, b, user->id);
        if (chat->item_id != 0) {
            simi_puts(b, ",\"item_id\":");
            simi_put_id(s, b, chat->item_id);
        }
        simi_puts(b, ",\"avatar\":");
        put_avatar(b, user->avatar);
        simi_putf(b,
                  ",\"url\":\"https://avito.ru/user/%032llx/profile?id=%lld\\u0026iid=%lld"
                  "\\u0026src=messenger\\u0026page_from=from_item_messenger\"}",
                  (unsigned long long)user->id, (long long)chat->item_id, (long long)chat->item_id);
    }
    simi_puts(b, "}");
}

static void put_context(sim *s, simi_buf *b, const simi_chat *chat)
{
    simi_puts(b, ",\"context\":{\"type\":\"item\",\"value\":{\"id\":");
    simi_put_id(s, b, chat->item_id);
    simi_puts(b, ",\"title\":");
    simi_put_json(b, chat->title);
    simi_puts(b, ",\"user_id\":");
    simi_put_id(s, b, s->o.user_id);
    simi_puts(b, ",\"images\":{\"main\":{\"140x105\":"
                 "\"https://30.img.avito.st/image/1/1.AAAA_k_3bS5M8cET7c1u.BBBB\"},\"count\":1},"
                 "\"status_id\":4,\"price_string\":");
    simi_put_json(b, chat->price);
    simi_putf(b,
              ",\"url\":\"https://avito.ru/sankt-peterburg/zapchasti_i_aksessuary/detal_%lld\","
              "\"location\":{\"title\":\"Санкт-Петербург\",\"lat\":59.939095,\"lon\":30.315868}}}",
              (long long)chat->item_id);
}

/* The part of a chat that never changes, made once: context, times and users. A NUL marks the place
 * of the time of the last update. */
static const char *fixed_part(sim *s, simi_chat *chat)
{
    const char **kept = s->o.ids_as_strings ? &chat->fixed_strings : &chat->fixed;
    if (*kept != NULL) {
        return *kept;
    }
    simi_buf *b = &s->scratch;
    simi_user own = {s->o.user_id, s->o.user_name, 70000, false};
    b->len = 0;
    if (chat->type == SIM_U2I) {
        put_context(s, b, chat);
    }
    simi_putf(b, ",\"created\":%lld,\"updated\":", (long long)(chat->created_ms / 1000));
    simi_put(b, "", 1); /* the time goes in between */
    simi_puts(b, ",\"users\":[");
    if (chat->type == SIM_A2U) {
        put_user(s, b, chat, &own);
    } else {
        put_user(s, b, chat, chat->own_first ? &own : &chat->peer);
        simi_puts(b, ",");
        put_user(s, b, chat, chat->own_first ? &chat->peer : &own);
    }
    simi_puts(b, "]");
    char *text = simi_keep(&s->arena, b->len + 1);
    memcpy(text, b->p, b->len);
    *kept = text;
    return text;
}

static const simi_message *last_visible(const simi_chat *chat)
{
    for (size_t i = chat->count; i > 0; i--) {
        if (chat->messages[i - 1]->visible) {
            return chat->messages[i - 1];
        }
    }
    return NULL;
}

static void put_time(sim *s, simi_buf *b, const char *id, int64_t ms)
{
    int64_t shown = ms / 1000;
    if (s->o.time_shown != NULL) {
        shown = s->o.time_shown(s->o.ctx, id, shown);
    }
    if (shown == INT64_MIN) {
        simi_puts(b, "null");
    } else {
        simi_put_int(b, shown);
    }
}

static void put_last_message(sim *s, simi_buf *b, const simi_message *m)
{
    simi_putf(b, ",\"last_message\":{\"id\":\"%s\",\"author_id\":", m->id);
    simi_put_id(s, b, m->author_id);
    simi_puts(b, ",\"created\":");
    put_time(s, b, m->id, m->created_ms);
    simi_puts(b, ",\"content\":");
    put_shown_content(s, b, m);
    simi_putf(b, ",\"type\":\"%s\",\"direction\":\"%s\",\"delivered\":%lld}", shown_type(m),
              m->author_id == s->o.user_id ? "out" : "in", (long long)(m->created_ms / 1000));
}

void simi_put_chat(sim *s, simi_buf *b, simi_chat *chat)
{
    const char *fixed = fixed_part(s, chat);
    simi_puts(b, "{\"id\":");
    simi_put_json(b, chat->id);
    simi_puts(b, fixed);
    put_time(s, b, chat->id, chat->updated_ms);
    simi_puts(b, fixed + strlen(fixed) + 1);
    const simi_message *last = last_visible(chat);
    if (last != NULL) {
        put_last_message(s, b, last);
    }
    simi_puts(b, "}");
}

/* ---------------------------------------------------------------- messages */

static void put_quote(sim *s, simi_buf *b, const simi_message *quote)
{
    simi_putf(b, ",\"quote\":{\"id\":\"%s\",\"author_id\":", quote->id);
    simi_put_id(s, b, quote->author_id);
    simi_putf(b, ",\"created\":%lld,\"type\":\"%s\",\"content\":",
              (long long)(quote->created_ms / 1000), shown_type(quote));
    put_shown_content(s, b, quote);
    simi_puts(b, "}");
}

void simi_put_message(sim *s, simi_buf *b, const simi_message *m)
{
    simi_puts(b, "{\"id\":\"");
    simi_puts(b, m->id);
    simi_puts(b, "\",\"author_id\":");
    simi_put_id(s, b, m->author_id);
    simi_puts(b, ",\"created\":");
    put_time(s, b, m->id, m->created_ms);
    simi_puts(b, ",\"content\":");
    put_shown_content(s, b, m);
    simi_puts(b, ",\"type\":");
    simi_put_json(b, shown_type(m));
    simi_puts(b, m->author_id == s->o.user_id ? ",\"direction\":\"out\"" : ",\"direction\":\"in\"");
    simi_puts(b, m->is_read ? ",\"is_read\":true" : ",\"is_read\":false");
    simi_puts(b, ",\"read\":");
    if (m->read_by_peer != 0) {
        simi_put_int(b, m->read_by_peer);
    } else {
        simi_puts(b, "null");
    }
    if (m->quote != NULL) {
        put_quote(s, b, m->quote);
    }
    simi_puts(b, "}");
}

static void put_envelope(sim *s, simi_buf *b)
{
    char uuid[37];
    simi_random_text(&s->random, "0123456789abcdef", uuid, 36);
    uuid[8] = uuid[13] = uuid[18] = uuid[23] = '-';
    uuid[14] = '4';
    simi_putf(
        b, "%s{\"id\":\"%s\",\"version\":\"v3.0.0\",\"timestamp\":%lld,\"payload\":{%s\"value\":",
        s->o.webhook_form == SIM_WEBHOOK_MARKED ? "\xef\xbb\xbf" : "", uuid,
        (long long)(simi_now(s) / 1000),
        s->o.webhook_form == SIM_WEBHOOK_NO_TYPE ? "" : "\"type\":\"message\",");
}

void simi_put_notification(sim *s, simi_buf *b, const simi_message *m)
{
    static const char *const types[] = {"u2i", "u2u", "a2u"};
    const bool flat = s->o.webhook_form == SIM_WEBHOOK_FLAT;
    char published[32];
    if (!flat) {
        put_envelope(s, b);
    }
    simi_putf(b, "{\"id\":\"%s\",\"chat_id\":", m->id);
    simi_put_json(b, m->chat->id);
    simi_puts(b, ",\"user_id\":");
    simi_put_id(s, b, s->o.user_id);
    simi_puts(b, ",\"author_id\":");
    simi_put_id(s, b, m->author_id);
    simi_putf(b, ",\"created\":%lld,\"type\":", (long long)(m->created_ms / 1000));
    simi_put_json(b, shown_type(m));
    simi_putf(b, ",\"chat_type\":\"%s\",\"content\":", types[m->chat->type]);
    if (s->o.webhook_listings && m->type == SIM_ITEM && !m->deleted &&
        strncmp(m->content, item_begins, sizeof item_begins - 1) == 0) {
        put_listing(s, b, m);
    } else {
        put_shown_content(s, b, m);
    }
    simi_puts(b, ",\"item_id\":");
    if (m->chat->item_id != 0) {
        simi_put_id(s, b, m->chat->item_id);
    } else {
        simi_puts(b, "null");
    }
    if (m->quote != NULL) {
        put_quote(s, b, m->quote);
    }
    if (!s->o.webhook_no_published_at) {
        simi_rfc3339(m->created_ms / 1000, published);
        simi_putf(b, ",\"published_at\":\"%s\"", published);
    }
    simi_puts(b, flat ? "}" : "}}}");
}
