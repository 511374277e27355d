/* state.c - what the simulated service knows: users, chats, messages; and what people do. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char chat_id_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789~_";

static const char *const buyer_names[] = {"Анна",           "Дмитрий К.",      "Ольга",
                                          "Сергей Петров",  "Мария",           "Игорь",
                                          "Покупатель Имя", "Алексей \"Лёша\""};
static const char *const item_titles[] = {"Деталь 280x24 4 отв", "Велосипед детский, 20\"",
                                          "Mazda 3, 2008",       "Стол & стулья <дуб>",
                                          "Смартфон 128 ГБ",     "Зимняя куртка, р. 48"};

/* ---------------------------------------------------------------- chats */

simi_chat *simi_find_chat(sim *s, const char *id)
{
    for (size_t i = 0; i < s->chat_count; i++) {
        if (strcmp(s->chats[i]->id, id) == 0) {
            return s->chats[i];
        }
    }
    return NULL;
}

/* Keeps the list ordered: `updated` descending; of equal ones the last touched comes first. */
static void place_chat(sim *s, simi_chat *chat)
{
    size_t from = 0;
    while (from < s->chat_count && s->chats[from] != chat) {
        from++;
    }
    if (from == s->chat_count) {
        SIMI_GROW(s->chats, s->chat_count, s->chat_cap);
        s->chat_count++;
    }
    memmove(s->chats + 1, s->chats, from * sizeof *s->chats);
    size_t to = 0;
    while (to + 1 < s->chat_count && s->chats[to + 1]->updated_ms > chat->updated_ms) {
        s->chats[to] = s->chats[to + 1];
        to++;
    }
    s->chats[to] = chat;
}

static const char *drawn_price(sim *s)
{
    char text[48];
    uint64_t price = 500 + simi_below(&s->random, 900000);
    if (price >= 1000) { /* U+00A0 between the groups and before the sign, as recorded */
        (void)snprintf(text, sizeof text, "%u\xC2\xA0%03u\xC2\xA0₽", (unsigned)(price / 1000),
                       (unsigned)(price % 1000));
    } else {
        (void)snprintf(text, sizeof text, "%u\xC2\xA0₽", (unsigned)price);
    }
    return simi_keep_text(&s->arena, text);
}

static char *drawn_chat_id(sim *s, sim_chat_type type)
{
    char id[32];
    (void)strcpy(id, type == SIM_U2I ? "u2i-" : type == SIM_U2U ? "u2u-" : "a2u-");
    simi_random_text(&s->random, chat_id_alphabet, id + 4, 21);
    id[25] = "AQgw"[simi_below(&s->random, 4)]; /* 16 bytes in base64: the last has 4 values */
    id[26] = '\0';
    return simi_keep_text(&s->arena, id);
}

static const char *kept_or(sim *s, const char *given, const char *otherwise)
{
    return given != NULL ? simi_keep_text(&s->arena, given) : otherwise;
}

const char *sim_add_chat(sim *s, const sim_chat_options *options)
{
    sim_chat_options none;
    memset(&none, 0, sizeof none);
    const sim_chat_options *o = options != NULL ? options : &none;
    simi_settle(s);
    if (o->id != NULL && simi_find_chat(s, o->id) != NULL) {
        return NULL;
    }
    simi_chat *chat = simi_keep(&s->arena, sizeof *chat);
    uint64_t *r = &s->random;
    chat->type = o->type;
    chat->id = o->id != NULL ? simi_keep_text(&s->arena, o->id) : drawn_chat_id(s, o->type);
    chat->peer.id = o->buyer_id != 0 ? o->buyer_id : 100000000 + (int64_t)simi_below(r, 200000000);
    chat->peer.name = kept_or(s, o->buyer_name, buyer_names[simi_below(r, 8)]);
    chat->peer.avatar = (unsigned)simi_below(r, 90000) + 10000;
    chat->peer.parsing_allowed = true;
    if (o->type == SIM_U2I) { /* ids of today's listings are over 2^32 */
        chat->item_id =
            o->item_id != 0 ? o->item_id : 7000000000 + (int64_t)simi_below(r, 1500000000);
        chat->title = kept_or(s, o->item_title, item_titles[simi_below(r, 6)]);
        chat->price =
            o->price_string != NULL ? simi_keep_text(&s->arena, o->price_string) : drawn_price(s);
    }
    chat->created_ms = o->created_ms != 0 ? o->created_ms : simi_now(s);
    chat->updated_ms = chat->created_ms;
    chat->no_profiles = o->no_profiles;
    chat->foreign = o->foreign;
    chat->own_first = simi_below(r, 4) == 0; /* readers must not count on the order */
    place_chat(s, chat);
    simi_tell(s, &(sim_event){.kind = SIM_EVENT_CHAT, .chat_id = chat->id});
    return chat->id;
}

/* ---------------------------------------------------------------- messages */

simi_message *simi_find_message(sim *s, const char *id)
{
    for (size_t i = s->log_count; i > 0; i--) {
        if (strcmp(s->log[i - 1]->id, id) == 0) {
            return s->log[i - 1];
        }
    }
    return NULL;
}

static void tell(sim *s, const simi_message *m)
{
    simi_tell(s,
              &(sim_event){.kind = SIM_EVENT_MESSAGE, .chat_id = m->chat->id, .message_id = m->id});
}

/* A message becomes visible: it moves its chat up, counts as unread, and is notified. */
static void show(sim *s, simi_message *m)
{
    simi_chat *chat = m->chat;
    m->visible = true;
    chat->visible++;
    if (m->author_id != s->o.user_id && !m->is_read) {
        chat->unread++;
    }
    if (m->created_ms > chat->updated_ms || chat->visible == 1) {
        chat->updated_ms = m->created_ms > chat->created_ms ? m->created_ms : chat->created_ms;
    }
    place_chat(s, chat);
    tell(s, m);
    if (!m->no_webhook) {
        simi_queue_webhook(s, m);
    }
}

void simi_settle(sim *s)
{
    while (s->hidden_count != 0) {
        int64_t now = simi_now(s);
        size_t next = 0;
        for (size_t i = 1; i < s->hidden_count; i++) {
            if (s->hidden[i]->visible_ms < s->hidden[next]->visible_ms) {
                next = i;
            }
        }
        simi_message *m = s->hidden[next];
        if (m->visible_ms > now) {
            return;
        }
        s->hidden_count--;
        memmove(s->hidden + next, s->hidden + next + 1,
                (s->hidden_count - next) * sizeof *s->hidden);
        show(s, m);
    }
}

static void insert_message(simi_chat *chat, simi_message *m)
{
    SIMI_GROW(chat->messages, chat->count, chat->cap);
    size_t at = chat->count++;
    while (at > 0 && chat->messages[at - 1]->created_ms > m->created_ms) {
        chat->messages[at] = chat->messages[at - 1];
        at--;
    }
    chat->messages[at] = m;
}

static const char *trimmed(sim *s, const char *text)
{
    size_t from = strspn(text, " \t\r\n");
    size_t to = strlen(text);
    while (to > from && strchr(" \t\r\n", text[to - 1]) != NULL) {
        to--;
    }
    char *kept = simi_keep(&s->arena, to - from + 1);
    memcpy(kept, text + from, to - from);
    return kept;
}

static void fill_content(sim *s, simi_message *m, const sim_message_options *o)
{
    if (m->type == SIM_VOICE_MESSAGE) {
        char voice[37];
        simi_draw_uuid(s, voice);
        m->voice_id = simi_keep_text(&s->arena, o->media_id != NULL ? o->media_id : voice);
    }
    m->content = o->content_json != NULL
                     ? simi_keep_text(&s->arena, o->content_json)
                     : simi_content(s, m->type, m->text, m->voice_id, m->image_id);
}

static int64_t author_id(const sim *s, const simi_chat *chat, sim_author author)
{
    switch (author) {
        case SIM_BUYER:
            return chat->peer.id;
        case SIM_AVITO:
            return chat->type == SIM_A2U ? 0 : 1;
        default:
            return s->o.user_id;
    }
}

/* Stores a message. It is shown at once, or when the options say. */
simi_message *simi_store(sim *s, simi_chat *chat, const sim_message_options *o, sim_author author,
                         const char *sent_text, const char *image_id, uint64_t request)
{
    simi_message *m = simi_keep(&s->arena, sizeof *m);
    simi_random_text(&s->random, "0123456789abcdef", m->id, 32);
    m->chat = chat;
    m->author = author;
    m->author_id = author_id(s, chat, author);
    m->type = o->type;
    m->type_word = kept_or(s, o->type_word, sim_type_name(o->type));
    m->sent_text = kept_or(s, sent_text, "");
    m->text = author == SIM_API && s->o.trim_text ? trimmed(s, m->sent_text) : m->sent_text;
    m->image_id = kept_or(s, image_id, "");
    m->quote = o->quote_id != NULL ? simi_find_message(s, o->quote_id) : NULL;
    m->stored_ms = simi_now(s);
    m->created_ms = o->created_ms != 0 ? o->created_ms : m->stored_ms;
    m->visible_ms = m->stored_ms + o->visible_after_ms;
    m->request = request;
    m->is_read = m->author_id == s->o.user_id;
    m->no_webhook = o->no_webhook;
    fill_content(s, m, o);
    SIMI_GROW(s->log, s->log_count, s->log_cap);
    s->log[s->log_count++] = m;
    insert_message(chat, m);
    if (o->visible_after_ms == 0) {
        show(s, m);
    } else {
        SIMI_GROW(s->hidden, s->hidden_count, s->hidden_cap);
        s->hidden[s->hidden_count++] = m;
        tell(s, m);
    }
    return m;
}

void simi_read_chat(sim *s, simi_chat *chat)
{
    for (size_t i = 0; i < chat->count && chat->unread != 0; i++) {
        if (chat->messages[i]->visible && !chat->messages[i]->is_read) {
            chat->messages[i]->is_read = true;
            chat->unread--;
            tell(s, chat->messages[i]);
        }
    }
}

void simi_delete_message(sim *s, simi_message *m)
{
    if (m->deleted) {
        return;
    }
    m->deleted = true;
    if (m->visible && !m->no_webhook) {
        simi_queue_webhook(s, m);
    }
    if (s->o.deleted_vanish && m->visible && m->author_id != s->o.user_id) {
        m->visible = false;
        m->chat->visible--;
        m->chat->unread -= !m->is_read;
    }
    tell(s, m);
}

/* ---------------------------------------------------------------- people */

const char *sim_write(sim *s, const char *chat_id, const sim_message_options *options)
{
    simi_settle(s);
    simi_chat *chat = simi_find_chat(s, chat_id);
    if (chat == NULL) {
        return NULL;
    }
    if (options->quote_id != NULL) {
        simi_message *quote = simi_find_message(s, options->quote_id);
        if (quote == NULL || quote->chat != chat) {
            return NULL;
        }
    }
    sim_author author = options->type == SIM_SYSTEM ? SIM_AVITO : options->author;
    return simi_store(s, chat, options, author, options->text,
                      options->type == SIM_IMAGE ? options->media_id : NULL, 0)
        ->id;
}

static const char *write_text(sim *s, const char *chat_id, sim_author author, const char *text)
{
    sim_message_options o;
    memset(&o, 0, sizeof o);
    o.author = author;
    o.text = text;
    return sim_write(s, chat_id, &o);
}

const char *sim_buyer_writes(sim *s, const char *chat_id, const char *text)
{
    return write_text(s, chat_id, SIM_BUYER, text);
}

const char *sim_app_writes(sim *s, const char *chat_id, const char *text)
{
    return sim_app_reads(s, chat_id) ? write_text(s, chat_id, SIM_APP, text) : NULL;
}

bool sim_app_reads(sim *s, const char *chat_id)
{
    simi_settle(s);
    simi_chat *chat = simi_find_chat(s, chat_id);
    if (chat != NULL) {
        simi_read_chat(s, chat);
    }
    return chat != NULL;
}

bool sim_buyer_reads(sim *s, const char *chat_id)
{
    simi_settle(s);
    simi_chat *chat = simi_find_chat(s, chat_id);
    for (size_t i = 0; chat != NULL && i < chat->count; i++) {
        simi_message *m = chat->messages[i];
        if (m->visible && m->author_id == s->o.user_id && m->read_by_peer == 0) {
            m->read_by_peer = simi_now(s) / 1000;
            tell(s, m);
        }
    }
    return chat != NULL;
}

bool sim_delete(sim *s, const char *message_id)
{
    simi_settle(s);
    simi_message *m = simi_find_message(s, message_id);
    if (m != NULL) {
        simi_delete_message(s, m);
    }
    return m != NULL;
}

/* ---------------------------------------------------------------- looking inside */

static void describe_message(const simi_message *m, sim_message_info *out)
{
    out->id = m->id;
    out->chat_id = m->chat->id;
    out->author_id = m->author_id;
    out->author = m->author;
    out->type = m->type;
    out->text = m->text;
    out->sent_text = m->sent_text;
    out->type_word = m->deleted ? sim_type_name(SIM_DELETED) : m->type_word;
    out->content = m->content;
    out->quote_id = m->quote != NULL ? m->quote->id : "";
    out->image_id = m->image_id;
    out->voice_id = m->voice_id != NULL ? m->voice_id : "";
    out->created = m->created_ms / 1000;
    out->stored_ms = m->stored_ms;
    out->visible_ms = m->visible_ms;
    out->request = m->request;
    out->is_read = m->is_read;
    out->read_by_peer = m->read_by_peer;
    out->deleted = m->deleted;
    out->visible = m->visible;
}

bool sim_message_at(sim *s, size_t i, sim_message_info *out)
{
    simi_settle(s);
    if (i >= s->log_count) {
        return false;
    }
    describe_message(s->log[i], out);
    return true;
}

bool sim_find_message(sim *s, const char *message_id, sim_message_info *out)
{
    simi_settle(s);
    const simi_message *m = simi_find_message(s, message_id);
    if (m != NULL) {
        describe_message(m, out);
    }
    return m != NULL;
}

static void describe_chat(const simi_chat *chat, sim_chat_info *out)
{
    out->id = chat->id;
    out->type = chat->type;
    out->buyer_id = chat->peer.id;
    out->buyer_name = chat->peer.name;
    out->item_id = chat->item_id;
    out->item_title = chat->title != NULL ? chat->title : "";
    out->price_string = chat->price != NULL ? chat->price : "";
    out->last_message_id = "";
    for (size_t i = chat->count; i > 0 && out->last_message_id[0] == '\0'; i--) {
        out->last_message_id = chat->messages[i - 1]->visible ? chat->messages[i - 1]->id : "";
    }
    out->created = chat->created_ms / 1000;
    out->updated = chat->updated_ms / 1000;
    out->messages = chat->visible;
    out->unread = chat->unread;
}

bool sim_chat_at(sim *s, size_t i, sim_chat_info *out)
{
    simi_settle(s);
    if (i >= s->chat_count) {
        return false;
    }
    describe_chat(s->chats[i], out);
    return true;
}

bool sim_find_chat(sim *s, const char *chat_id, sim_chat_info *out)
{
    simi_settle(s);
    const simi_chat *chat = simi_find_chat(s, chat_id);
    if (chat != NULL) {
        describe_chat(chat, out);
    }
    return chat != NULL;
}

bool sim_chat_message_at(sim *s, const char *chat_id, size_t i, sim_message_info *out)
{
    simi_settle(s);
    const simi_chat *chat = simi_find_chat(s, chat_id);
    if (chat == NULL || i >= chat->count) {
        return false;
    }
    describe_message(chat->messages[i], out);
    return true;
}

bool sim_next_webhook(sim *s, sim_webhook *out)
{
    simi_settle(s);
    return simi_take_webhook(s, out);
}

simi_upload *simi_find_upload(sim *s, const char *image_id)
{
    for (size_t i = 0; i < s->upload_count; i++) {
        if (strcmp(s->uploads[i].info.image_id, image_id) == 0) {
            return &s->uploads[i];
        }
    }
    return NULL;
}

bool sim_upload_at(sim *s, size_t i, sim_upload_info *out)
{
    if (i >= s->upload_count) {
        return false;
    }
    *out = s->uploads[i].info;
    return true;
}

bool sim_blocked_at(sim *s, size_t i, sim_blocked_info *out)
{
    if (i >= s->blocked_count) {
        return false;
    }
    *out = s->blocked[i];
    return true;
}

const char *sim_subscription_at(sim *s, size_t i)
{
    return i < s->subscription_count ? s->subscriptions[i] : NULL;
}

void simi_free_store(sim *s)
{
    for (size_t i = 0; i < s->chat_count; i++) {
        free(s->chats[i]->messages);
    }
    free(s->chats);
    free(s->log);
    free(s->hidden);
    free(s->uploads);
    free(s->blocked);
    for (size_t i = 0; i < s->subscription_count; i++) {
        free(s->subscriptions[i]);
    }
    free(s->subscriptions);
    for (size_t i = 0; i < s->hook_count; i++) {
        free(s->hooks[i].url);
        free(s->hooks[i].body);
    }
    free(s->hooks);
    for (size_t i = 0; i < s->media_count; i++) {
        free(s->media[i].bytes);
    }
    free(s->media);
}
