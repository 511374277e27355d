/*
 * api.c - the simulator's picture of the Avito API, as one table.
 *
 * To be read together with the official description (OpenAPI documents "Мессенджер", "Авторизация"
 * and "Информация о пользователе" of the developer site). One entry per operation: method, path,
 * query, body, scope, answer. Where it differs from the official description, `differs` says how
 * and why. tools/manual.py compares: each operation has a call in the header. For all entries:
 *
 *   - Every call but /token needs "Authorization: Bearer TOKEN". Without one, or with an unknown
 *     token, the answer is 401. An expired token is 403 with
 *     {"result":{"status":false,"message":"access token expired"}}: the official guide on
 *     authorization says 403, a recorded answer has this body.
 *   - A method or path that is not in the table gets the gateway's 404,
 *     {"message":"no Route matched with those values"}, as recorded; the official description does
 *     not show it.
 *   - A foreign {user_id} is 403 "permission denied" (recorded), an unknown chat or message 404.
 *   - Query and body that break the rules below are 400 with "error.fields", the description's
 *     validation error. (It defines the error schemas, but names them at no operation.)
 *   - Without the right tariff 402, see sim_options.tariff.
 *   - Parameters and members that the table does not have are ignored, as services do, and counted
 *     (sim_stats.unknown_parameters), so that a test can insist on none.
 *   - Lists of words and numbers are accepted both ways, "a,b" and repeated: the description's
 *     examples show commas, its default style means repetition, and both are in use.
 *   - Ids in answers exceed 32 bits (listings of today do), although the description says int32.
 */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As described; sim_options may set other upper limits. */
#define LIMIT                                                                                      \
    {                                                                                              \
        "limit", SIMI_INT, false, 1, 100, NULL                                                     \
    }
#define OFFSET                                                                                     \
    {                                                                                              \
        "offset", SIMI_INT, false, 0, 1000, NULL                                                   \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, SIMI_INT, false, 0, 0, NULL                                                          \
    }
#define NO_QUERY                                                                                   \
    {                                                                                              \
        END                                                                                        \
    }
#define NO_FIELDS                                                                                  \
    {                                                                                              \
        END                                                                                        \
    }
#define V1 "/messenger/v1/accounts/{user_id}"
#define V2 "/messenger/v2/accounts/{user_id}"
#define V3 "/messenger/v3/accounts/{user_id}"

/* clang-format off */
const simi_row simi_table[] = {
    {SIM_TOKEN, "POST", "/token", "/token/", NO_QUERY, SIMI_FORM,
     {{"grant_type", SIMI_WORD, true, 0, 0, "client_credentials,authorization_code,refresh_token"},
      {"client_id", SIMI_STRING, true, 1, 0, NULL},
      {"client_secret", SIMI_STRING, true, 1, 0, NULL},
      {"code", SIMI_STRING, false, 1, 0, NULL},          /* with authorization_code */
      {"refresh_token", SIMI_STRING, false, 1, 0, NULL}, /* with refresh_token */
      END},
     NULL, false, simi_serve_token,
     "{access_token, expires_in, token_type}; not for client_credentials: refresh_token, scope",
     "The description has three paths that differ in invisible characters only (U+200E); it is "
     "one. Both /token and /token/ are in use. Refusals have the form of OAuth 2 (error, "
     "error_description), which clients in use read; the description shows none."},

    {SIM_SELF, "GET", "/core/v1/accounts/self", "/core/v1/accounts/self/", NO_QUERY, SIMI_NO_BODY,
     NO_FIELDS, "user:read", false, simi_serve_self,
     "{email, id, name, phone, phones[], profile_url}",
     "The trailing slash is in use too."},

    {SIM_CHATS, "GET", V2 "/chats", NULL,
     {{"item_ids", SIMI_INTS, false, 1, 0, NULL},
      {"unread_only", SIMI_BOOL, false, 0, 0, NULL},
      {"chat_types", SIMI_WORDS, false, 0, 0, "u2i,u2u,a2u"}, /* u2i if left out */
      LIMIT, OFFSET, END},
     SIMI_NO_BODY, NO_FIELDS, "messenger:read", false, simi_serve_chats,
     "{chats[Chat], meta{has_more}}",
     "meta.has_more, users[].parsing_allowed, context.value.location, last_message.delivered and "
     "the sizes of avatars are not described but recorded. No order is described; all readers rely on "
     "`updated`, newest first."},

    {SIM_CHAT, "GET", V2 "/chats/{chat_id}", NULL, NO_QUERY, SIMI_NO_BODY, NO_FIELDS,
     "messenger:read", false, simi_serve_chat, "Chat", NULL},

    {SIM_MESSAGES, "GET", V3 "/chats/{chat_id}/messages/", V3 "/chats/{chat_id}/messages",
     {LIMIT, OFFSET, END}, SIMI_NO_BODY, NO_FIELDS, "messenger:read", false, simi_serve_messages,
     "{messages[Message], meta{has_more}}, newest first; does not mark as read",
     "Described as a bare array; several independent readers in use know only the object. "
     "sim_options.bare_array gives the other. Many clients leave the last slash off."},

    {SIM_SEND, "POST", V1 "/chats/{chat_id}/messages", NULL, NO_QUERY, SIMI_JSON,
     {{"message.text", SIMI_STRING, true, 1, 1000, NULL},
      {"type", SIMI_WORD, true, 0, 0, "text"}, END},
     "messenger:write", true, simi_serve_send, "{content{text}, created, direction, id, type}",
     "The description requires \"url\", plainly a slip, and neither of the two that are sent; its "
     "example of the answer says direction \"in\". That a blank text is refused is assumed."},

    /* Before DELETE: "image" is not a message id. */
    {SIM_SEND_IMAGE, "POST", V1 "/chats/{chat_id}/messages/image", NULL, NO_QUERY, SIMI_JSON,
     {{"image_id", SIMI_STRING, true, 1, 0, NULL}, END}, "messenger:write", true,
     simi_serve_send_image, "{author_id, content{image{sizes}}, created, direction, id, type}",
     "The example's author_id is a string with a comma, against its own schema."},

    {SIM_DELETE, "POST", V1 "/chats/{chat_id}/messages/{message_id}", NULL, NO_QUERY, SIMI_NO_BODY,
     NO_FIELDS, "messenger:write", true, simi_serve_delete, "{}",
     "Within one hour, the row stays with type \"deleted\": described. The refusals are assumed: "
     "400 after the hour, 403 for somebody else's message."},

    {SIM_READ, "POST", V1 "/chats/{chat_id}/read", NULL, NO_QUERY, SIMI_NO_BODY, NO_FIELDS,
     "messenger:read", true, simi_serve_read, "{ok}",
     "sim_options.empty_read_answer: an empty 200 is tolerated by readers in use."},

    {SIM_UPLOAD, "POST", V1 "/uploadImages", NULL, NO_QUERY, SIMI_MULTIPART, NO_FIELDS,
     "messenger:write", true, simi_serve_upload, "{image_id:{WxH:url}}",
     "One part \"uploadfile[]\" with a file name, JPEG, HEIC, GIF, BMP or PNG by its first bytes, "
     "at most 24 MB (413) and 75 megapixels. That the file name is needed: every client that works "
     "has it."},

    {SIM_VOICE, "GET", V1 "/getVoiceFiles", NULL,
     {{"voice_ids", SIMI_STRINGS, true, 1, 100, NULL}, END}, SIMI_NO_BODY, NO_FIELDS,
     "messenger:read", false, simi_serve_voice, "{voices_urls{voice_id:url}}",
     "Ids that the account has not received are left out of the answer: assumed."},

    {SIM_BLACKLIST, "POST", V2 "/blacklist", NULL, NO_QUERY, SIMI_JSON,
     {{"users", SIMI_ARRAY, true, 1, 0, NULL},
      {"users[].user_id", SIMI_INT, true, 1, 0, NULL},
      {"users[].context.item_id", SIMI_INT, false, 1, 0, NULL},
      {"users[].context.reason_id", SIMI_INT, false, 1, 4, NULL}, END},
     "messenger:write", true, simi_serve_blacklist, "nothing", NULL},

    {SIM_SUBSCRIBE, "POST", "/messenger/v3/webhook", NULL, NO_QUERY, SIMI_JSON,
     {{"url", SIMI_URL, true, 1, 2000, NULL}, END}, "messenger:read", true, simi_serve_subscribe,
     "{ok}", "Its answer 201 is no answer but the form of a notification. Subscribing twice is "
     "taken as done."},

    {SIM_UNSUBSCRIBE, "POST", "/messenger/v1/webhook/unsubscribe", NULL, NO_QUERY, SIMI_JSON,
     {{"url", SIMI_URL, true, 1, 2000, NULL}, END}, "messenger:read", true, simi_serve_unsubscribe,
     "{ok}", "A URL that is not subscribed is taken as done: assumed."},

    {SIM_SUBSCRIPTIONS, "POST", "/messenger/v1/subscriptions", NULL, NO_QUERY, SIMI_NO_BODY,
     NO_FIELDS, "messenger:read", false, simi_serve_subscriptions,
     "{subscriptions[{url, version}]}",
     "The example is {\"ok\":true}, against its own schema."},
};
/* clang-format on */

const size_t simi_table_count = sizeof simi_table / sizeof *simi_table;

/* ---------------------------------------------------------------- routes */

static bool take_variable(simi_request *r, const char *name, const char *p, size_t len)
{
    struct {
        const char *name;
        char *out;
        size_t cap;
    } places[] = {{"{user_id}", r->user_id, sizeof r->user_id},
                  {"{chat_id}", r->chat_id, sizeof r->chat_id},
                  {"{message_id}", r->message_id, sizeof r->message_id}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (strncmp(name, places[i].name, strlen(places[i].name)) == 0) {
            return len != 0 && len < places[i].cap &&
                   simi_percent_decode(p, len, false, places[i].out);
        }
    }
    return false;
}

/* Compares a path with a form such as /accounts/{user_id}/chats, and takes the values of its
 * variables. */
static bool match_path(simi_request *r, const char *form, const char *path, size_t len)
{
    const char *end = path + len;
    r->user_id[0] = r->chat_id[0] = r->message_id[0] = '\0';
    while (*form != '\0' && path < end) {
        if (*form != '{') {
            if (*form++ != *path++) {
                return false;
            }
            continue;
        }
        const char *stop = memchr(path, '/', (size_t)(end - path));
        stop = stop != NULL ? stop : end;
        if (!take_variable(r, form, path, (size_t)(stop - path))) {
            return false;
        }
        form = strchr(form, '}') + 1;
        path = stop;
    }
    return *form == '\0' && path == end;
}

void simi_route(sim *s, simi_request *r)
{
    const char *path = r->target.p;
    size_t len = strcspn(path, "?");
    r->row = NULL;
    if (s->o.host != NULL && strcmp(r->host, s->o.host) != 0) {
        return;
    }
    for (size_t i = 0; i < simi_table_count; i++) {
        const simi_row *row = &simi_table[i];
        if (strcmp(row->method, r->method) != 0) {
            continue;
        }
        bool official = match_path(r, row->path, path, len);
        if (official || (row->also != NULL && match_path(r, row->also, path, len))) {
            r->row = row;
            r->unofficial_path = !official;
            return;
        }
    }
}
