/* operations.c - what each operation of the table does once the table's rules are met. */
#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say_ok(simi_answer *a)
{
    simi_puts(&a->body, "{\"ok\":true}");
}

/* ---------------------------------------------------------------- tokens */

static void refuse_token(sim *s, simi_answer *a, int status, const char *error, const char *why)
{
    a->status = s->o.token_errors_as_200 ? 200 : status;
    simi_putf(&a->body, "{\"error\":\"%s\",\"error_description\":\"%s\"}", error, why);
}

static void tell_token(sim *s, simi_answer *a, const simi_token *t)
{
    simi_putf(&a->body, "{\"access_token\":\"%s\",\"expires_in\":%u", t->access,
              (unsigned)s->o.token_lifetime_s);
    if (t->refresh != NULL) {
        simi_putf(&a->body, ",\"refresh_token\":\"%s\",\"scope\":", t->refresh);
        simi_put_json(&a->body, t->scope);
    }
    simi_puts(&a->body, ",\"token_type\":\"Bearer\"}");
}

static void exchange_code(sim *s, simi_answer *a, const char *given)
{
    simi_code *code = given != NULL ? simi_find_code(s, given) : NULL;
    if (code == NULL) {
        refuse_token(s, a, 400, given == NULL ? "invalid_request" : "invalid_grant",
                     "The authorization code is invalid or expired");
        return;
    }
    code->spent = true;
    tell_token(s, a, simi_issue_token(s, code->scope, true));
}

static void refresh(sim *s, simi_answer *a, const char *given)
{
    simi_token *old = given != NULL ? simi_find_refresh(s, given) : NULL;
    if (old == NULL) {
        refuse_token(s, a, 400, given == NULL ? "invalid_request" : "invalid_grant",
                     "The refresh token is invalid");
        return;
    }
    const char *scope = old->scope;
    old->refresh_spent = true; /* both tokens change: official guide */
    tell_token(s, a, simi_issue_token(s, scope, true));
}

void simi_serve_token(sim *s, simi_request *r, simi_answer *a)
{
    const char *grant = simi_param_value(r, "grant_type");
    if (strcmp(simi_param_value(r, "client_id"), s->o.client_id) != 0 ||
        strcmp(simi_param_value(r, "client_secret"), s->o.client_secret) != 0) {
        refuse_token(s, a, 401, "invalid_client", "Client authentication failed");
    } else if (strcmp(grant, "client_credentials") == 0) {
        tell_token(s, a, simi_issue_token(s, NULL, false));
    } else if (strcmp(grant, "authorization_code") == 0) {
        exchange_code(s, a, simi_param_value(r, "code"));
    } else {
        refresh(s, a, simi_param_value(r, "refresh_token"));
    }
}

void simi_serve_self(sim *s, simi_request *r, simi_answer *a)
{
    (void)r;
    simi_puts(&a->body, "{\"email\":\"example@domain.com\",\"id\":");
    simi_put_id(s, &a->body, s->o.user_id);
    simi_puts(&a->body, ",\"name\":");
    simi_put_json(&a->body, s->o.user_name);
    simi_putf(&a->body,
              ",\"phone\":\"71112223344\",\"phones\":[\"71112223344\"],"
              "\"profile_url\":\"https://avito.ru/user/%032llx/profile\"}",
              (unsigned long long)s->o.user_id);
}

/* ---------------------------------------------------------------- lists */

typedef struct page {
    int64_t limit, offset;
    size_t seen, given;
    bool more;
} page;

static page page_of(const sim *s, const simi_request *r)
{
    page p = {0};
    const char *limit = simi_param_value(r, "limit");
    const char *offset = simi_param_value(r, "offset");
    p.limit = (int64_t)s->o.page_limit_max;
    if (limit != NULL) {
        (void)simi_parse_int(limit, &p.limit);
    }
    if (offset != NULL) {
        (void)simi_parse_int(offset, &p.offset);
    }
    return p;
}

/* Whether the next row belongs to the page. */
static bool on_page(page *p)
{
    if ((int64_t)p->seen++ < p->offset) {
        return false;
    }
    if ((int64_t)p->given == p->limit) {
        p->more = true;
        return false;
    }
    p->given++;
    return true;
}

static void put_meta(const sim *s, const page *p, simi_buf *b)
{
    if (!s->o.no_meta) {
        simi_putf(b, ",\"meta\":{\"has_more\":%s}", p->more ? "true" : "false");
    }
}

/* Whether `one` is an element of the parameter, in either notation of lists. */
static bool listed(const simi_request *r, const char *name, const char *one)
{
    size_t len = strlen(one);
    for (size_t i = 0; i < r->param_count; i++) {
        const char *p = r->params[i].value;
        while (strcmp(r->params[i].name, name) == 0 && *p != '\0') {
            size_t n = strcspn(p, ",");
            if (n == len && memcmp(p, one, n) == 0) {
                return true;
            }
            p += n + (p[n] == ',' ? 1 : 0);
        }
    }
    return false;
}

/* Does the query ask for this chat? */
static bool wanted(const simi_request *r, const simi_chat *chat, bool unread_only)
{
    static const char *const words[] = {"u2i", "u2u", "a2u"};
    char item[24];
    bool types = simi_param_value(r, "chat_types") != NULL;
    if (types ? !listed(r, "chat_types", words[chat->type]) : chat->type != SIM_U2I) {
        return false;
    }
    if (unread_only && chat->unread == 0) {
        return false;
    }
    if (simi_param_value(r, "item_ids") == NULL) {
        return true;
    }
    (void)snprintf(item, sizeof item, "%lld", (long long)chat->item_id);
    return chat->item_id != 0 && listed(r, "item_ids", item);
}

void simi_serve_chats(sim *s, simi_request *r, simi_answer *a)
{
    const char *unread = simi_param_value(r, "unread_only");
    bool unread_only = unread != NULL && strcmp(unread, "true") == 0;
    page p = page_of(s, r);
    simi_puts(&a->body, "{\"chats\":[");
    for (size_t i = 0; i < s->chat_count && !p.more; i++) {
        size_t in_row = s->o.chat_in_row != NULL ? s->o.chat_in_row(s->o.ctx, i, s->chat_count) : i;
        if (wanted(r, s->chats[in_row], unread_only) && on_page(&p)) {
            simi_puts(&a->body, p.given > 1 ? "," : "");
            simi_put_chat(s, &a->body, s->chats[in_row]);
        }
    }
    simi_puts(&a->body, "]");
    put_meta(s, &p, &a->body);
    simi_puts(&a->body, "}");
}

static simi_chat *chat_of(sim *s, const simi_request *r, simi_answer *a)
{
    simi_chat *chat = simi_find_chat(s, r->chat_id);
    if (chat == NULL) {
        simi_error(a, 404, SIM_BODY_SPEC);
    } else if (chat->foreign) {
        simi_error(a, 403, s->o.foreign_body);
        return NULL;
    }
    return chat;
}

void simi_serve_chat(sim *s, simi_request *r, simi_answer *a)
{
    simi_chat *chat = chat_of(s, r, a);
    if (chat != NULL) {
        simi_put_chat(s, &a->body, chat);
    }
}

void simi_serve_messages(sim *s, simi_request *r, simi_answer *a)
{
    simi_chat *chat = chat_of(s, r, a);
    page p = page_of(s, r);
    if (chat == NULL) {
        return;
    }
    simi_puts(&a->body, s->o.bare_array ? "[" : "{\"messages\":[");
    for (size_t i = chat->count; i > 0 && !p.more; i--) {
        const simi_message *m = chat->messages[i - 1];
        if (m->visible && on_page(&p)) {
            simi_puts(&a->body, p.given > 1 ? "," : "");
            simi_put_message(s, &a->body, m);
        }
    }
    simi_puts(&a->body, "]");
    if (!s->o.bare_array) {
        put_meta(s, &p, &a->body);
        simi_puts(&a->body, "}");
    }
}

/* ---------------------------------------------------------------- sending */

static simi_message *store(sim *s, simi_request *r, simi_chat *chat, sim_type type,
                           const char *text, const char *image_id)
{
    sim_message_options o;
    memset(&o, 0, sizeof o);
    o.type = type;
    o.visible_after_ms = s->o.visible_after_ms;
    return simi_store(s, chat, &o, SIM_API, text, image_id, r->number);
}

static void tell_sent(simi_answer *a, const simi_message *m)
{
    simi_putf(&a->body,
              "\"content\":%s,\"created\":%lld,\"direction\":\"out\",\"id\":\"%s\","
              "\"type\":\"%s\"}",
              m->content, (long long)(m->created_ms / 1000), m->id, m->type_word);
}

void simi_serve_send(sim *s, simi_request *r, simi_answer *a)
{
    const cJSON *message = cJSON_GetObjectItemCaseSensitive(r->json, "message");
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(message, "text");
    simi_chat *chat = chat_of(s, r, a);
    if (chat != NULL) {
        simi_puts(&a->body, "{");
        tell_sent(a, store(s, r, chat, SIM_TEXT, text->valuestring, NULL));
    }
}

void simi_serve_send_image(sim *s, simi_request *r, simi_answer *a)
{
    const cJSON *image = cJSON_GetObjectItemCaseSensitive(r->json, "image_id");
    simi_chat *chat = chat_of(s, r, a);
    if (chat == NULL) {
        return;
    }
    if (simi_find_upload(s, image->valuestring) == NULL) {
        simi_field_error(a, "image_id", "unknown image");
        return;
    }
    simi_puts(&a->body, "{\"author_id\":");
    simi_put_id(s, &a->body, s->o.user_id);
    simi_puts(&a->body, ",");
    tell_sent(a, store(s, r, chat, SIM_IMAGE, NULL, image->valuestring));
}

void simi_serve_upload(sim *s, simi_request *r, simi_answer *a)
{
    sim_upload_info info;
    char id[40];
    const char *bytes = NULL;
    if (!simi_take_upload(s, r, a, &info, &bytes)) {
        return;
    }
    simi_draw_image_id(s, id);
    info.image_id = simi_keep_text(&s->arena, id);
    SIMI_GROW(s->uploads, s->upload_count, s->upload_cap);
    s->uploads[s->upload_count++].info = info;
    simi_keep_media(s, id, info.format, bytes, info.size);
    simi_putf(&a->body, "{\"%s\":", id);
    simi_put_image_sizes(s, &a->body, id, false);
    simi_puts(&a->body, "}");
}

void simi_serve_delete(sim *s, simi_request *r, simi_answer *a)
{
    simi_chat *chat = chat_of(s, r, a);
    if (chat == NULL) {
        return;
    }
    simi_message *m = simi_find_message(s, r->message_id);
    if (m == NULL || m->chat != chat || !m->visible) {
        simi_error(a, 404, SIM_BODY_SPEC);
    } else if (m->author_id != s->o.user_id) {
        simi_error(a, 403, SIM_BODY_PERMISSION);
    } else if (simi_now(s) - m->created_ms > 3600000) {
        simi_field_error(a, "message_id", "can be deleted within one hour");
    } else {
        simi_delete_message(s, m);
        simi_puts(&a->body, s->o.empty_as_array ? "[]" : "{}");
    }
}

void simi_serve_read(sim *s, simi_request *r, simi_answer *a)
{
    simi_chat *chat = chat_of(s, r, a);
    if (chat == NULL) {
        return;
    }
    simi_read_chat(s, chat);
    if (!s->o.empty_read_answer) {
        say_ok(a);
    }
}

/* ---------------------------------------------------------------- the rest */

static void put_voice(sim *s, simi_buf *b, const simi_message *m, bool first)
{
    simi_putf(b, "%s\"%s\":\"", first ? "" : ",", m->voice_id);
    if (!simi_put_media_url(s, b, m->voice_id)) {
        simi_putf(b, "https://voice.k.avito.ru/files/%s.mp4?expires=%lld\\u0026sign=%016llx",
                  m->voice_id, (long long)(simi_now(s) / 1000 + 3600), /* good for one hour */
                  (unsigned long long)sim_fnv1a(m->voice_id, strlen(m->voice_id)));
    }
    simi_puts(b, "\"");
}

void simi_serve_voice(sim *s, simi_request *r, simi_answer *a)
{
    bool first = true;
    size_t open;
    simi_puts(&a->body, "{\"voices_urls\":");
    open = a->body.len;
    simi_puts(&a->body, "{");
    for (size_t i = 0; i < s->log_count; i++) {
        const simi_message *m = s->log[i];
        if (m->voice_id != NULL && m->visible && !m->deleted &&
            listed(r, "voice_ids", m->voice_id)) {
            put_voice(s, &a->body, m, first);
            first = false;
        }
    }
    if (first && s->o.empty_as_array) {
        a->body.len = open;
        simi_puts(&a->body, "[]}");
        return;
    }
    simi_puts(&a->body, "}}");
}

static int64_t number_in(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(value) ? (int64_t)value->valuedouble : 0;
}

void simi_serve_blacklist(sim *s, simi_request *r, simi_answer *a)
{
    const cJSON *user;
    (void)a; /* no body is declared: an empty 200 */
    cJSON_ArrayForEach(user, cJSON_GetObjectItemCaseSensitive(r->json, "users"))
    {
        const cJSON *context = cJSON_GetObjectItemCaseSensitive(user, "context");
        SIMI_GROW(s->blocked, s->blocked_count, s->blocked_cap);
        sim_blocked_info *b = &s->blocked[s->blocked_count++];
        b->user_id = number_in(user, "user_id");
        b->item_id = number_in(context, "item_id");
        b->reason_id = (int)number_in(context, "reason_id");
    }
}

static const char *url_of(const simi_request *r)
{
    return cJSON_GetObjectItemCaseSensitive(r->json, "url")->valuestring;
}

static size_t find_subscription(const sim *s, const char *url)
{
    size_t i = 0;
    while (i < s->subscription_count && strcmp(s->subscriptions[i], url) != 0) {
        i++;
    }
    return i;
}

void simi_serve_subscribe(sim *s, simi_request *r, simi_answer *a)
{
    const char *url = url_of(r);
    if (find_subscription(s, url) == s->subscription_count) {
        SIMI_GROW(s->subscriptions, s->subscription_count, s->subscription_cap);
        char *copy = simi_alloc(NULL, strlen(url) + 1);
        s->subscriptions[s->subscription_count++] = memcpy(copy, url, strlen(url) + 1);
        if (s->o.webhook_probe) {
            simi_queue_probe(s, url);
        }
        simi_tell(s, &(sim_event){.kind = SIM_EVENT_SUBSCRIPTIONS});
    }
    say_ok(a);
}

void simi_serve_unsubscribe(sim *s, simi_request *r, simi_answer *a)
{
    size_t i = find_subscription(s, url_of(r));
    if (i < s->subscription_count) {
        free(s->subscriptions[i]);
        s->subscription_count--;
        memmove(s->subscriptions + i, s->subscriptions + i + 1,
                (s->subscription_count - i) * sizeof *s->subscriptions);
        simi_tell(s, &(sim_event){.kind = SIM_EVENT_SUBSCRIPTIONS});
    }
    say_ok(a);
}

void simi_serve_subscriptions(sim *s, simi_request *r, simi_answer *a)
{
    (void)r;
    simi_puts(&a->body, "{\"subscriptions\":[");
    for (size_t i = 0; i < s->subscription_count; i++) {
        simi_puts(&a->body, i == 0 ? "{\"url\":" : ",{\"url\":");
        simi_put_json(&a->body, s->subscriptions[i]);
        simi_puts(&a->body, ",\"version\":\"3\"}");
    }
    simi_puts(&a->body, "]}");
}
