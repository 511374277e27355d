/* One hash over all fields of the decoded structs; the same function for every decoder. */
#include "bench.h"

static uint64_t number(uint64_t hash, uint64_t value)
{
    hash ^= value + UINT64_C(0x9e3779b97f4a7c15) + (hash << 6) + (hash >> 2);
    hash *= UINT64_C(0xff51afd7ed558ccd);
    return hash ^ (hash >> 32);
}

/* A missing string differs from an empty one. */
static uint64_t string(uint64_t hash, avito_str s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    size_t i;

    for (i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
    }
    return number(number(hash, h), s.ptr == NULL ? UINT64_MAX : s.len);
}

static uint64_t sizes(uint64_t hash, avito_image_sizes list)
{
    size_t i;

    hash = number(hash, list.count);
    for (i = 0; i < list.count; i++) {
        hash = string(string(hash, list.items[i].size), list.items[i].url);
    }
    return hash;
}

static uint64_t link(uint64_t hash, const avito_link *l)
{
    const avito_link_preview *p = l->preview;

    hash = number(string(string(hash, l->text), l->url), p != NULL);
    if (p != NULL) {
        hash = string(string(hash, p->title), p->description);
        hash = sizes(string(string(hash, p->domain), p->url), p->images);
    }
    return hash;
}

static uint64_t location(uint64_t hash, const avito_location *l)
{
    hash = string(number(hash, (uint64_t)l->kind), l->kind_word);
    hash = number(number(hash, (uint32_t)l->lat_e7), (uint32_t)l->lon_e7);
    return string(string(hash, l->title), l->text);
}

static uint64_t content(uint64_t hash, const avito_content *c)
{
    hash = number(hash, (uint64_t)c->kind);
    switch ((int)c->kind) {
        case AVITO_MESSAGE_TEXT:
            return string(hash, c->as.text);
        case AVITO_MESSAGE_SYSTEM:
            return string(string(hash, c->as.system.flow_id), c->as.system.text);
        case AVITO_MESSAGE_IMAGE:
            return sizes(hash, c->as.image->sizes);
        case AVITO_MESSAGE_LINK:
            return link(hash, c->as.link);
        case AVITO_MESSAGE_ITEM:
            hash = string(string(hash, c->as.item->title), c->as.item->item_url);
            return string(string(hash, c->as.item->image_url), c->as.item->price_string);
        case AVITO_MESSAGE_LOCATION:
            return location(hash, c->as.location);
        case AVITO_MESSAGE_CALL:
            hash = string(number(hash, (uint64_t)c->as.call->status), c->as.call->status_word);
            return number(hash, (uint64_t)c->as.call->target_user_id);
        case AVITO_MESSAGE_VOICE:
            return string(hash, c->as.voice->voice_id);
        default:
            return hash;
    }
}

uint64_t bench_hash_message(uint64_t hash, const avito_message *m)
{
    const avito_quote *q = m->quote;

    hash = number(number(string(hash, m->id), (uint64_t)m->author_id), (uint64_t)m->created);
    hash = string(number(hash, (uint64_t)m->type), m->type_word);
    hash = string(number(hash, (uint64_t)m->direction), m->direction_word);
    hash = number(content(hash, &m->content), q != NULL);
    if (q != NULL) {
        hash = number(number(string(hash, q->id), (uint64_t)q->author_id), (uint64_t)q->created);
        hash = content(string(number(hash, (uint64_t)q->type), q->type_word), &q->content);
    }
    hash = number(number(hash, (uint64_t)m->read), (uint64_t)m->delivered);
    return number(number(hash, m->is_read), m->has_is_read);
}

uint64_t bench_hash_notification(uint64_t hash, const avito_event *e)
{
    const avito_message *m = e->message;

    hash = number(string(string(hash, e->id), e->version), (uint64_t)e->timestamp);
    hash = number(string(hash, e->type), m != NULL);
    if (m != NULL) {
        hash = number(string(bench_hash_message(hash, m), m->chat_id), (uint64_t)m->user_id);
        hash = string(number(hash, (uint64_t)m->chat_type), m->chat_type_word);
        hash = string(number(hash, (uint64_t)m->item_id), m->published_at);
    }
    return hash;
}

static uint64_t user(uint64_t hash, const avito_user *u, bool avatars)
{
    const avito_profile *p = u->public_user_profile;

    hash = string(number(hash, (uint64_t)u->id), u->name);
    hash = number(number(number(hash, u->parsing_allowed), u->has_parsing_allowed), p != NULL);
    if (p == NULL) {
        return hash;
    }
    hash = number(number(hash, (uint64_t)p->user_id), (uint64_t)p->item_id);
    if (avatars && p->avatar != NULL) {
        hash = sizes(string(hash, p->avatar->default_url), p->avatar->images);
    }
    return string(hash, p->url);
}

static uint64_t item(uint64_t hash, const avito_item *i)
{
    hash = number(number(hash, (uint64_t)i->id), (uint64_t)i->user_id);
    hash = number(string(string(hash, i->title), i->price_string), (uint64_t)i->status_id);
    hash = number(string(hash, i->url), i->images != NULL);
    if (i->images != NULL) {
        hash = number(sizes(hash, i->images->main), (uint64_t)i->images->count);
    }
    hash = number(hash, i->location != NULL);
    if (i->location != NULL) {
        hash = number(string(hash, i->location->title), (uint32_t)i->location->lat_e7);
        hash = number(hash, (uint32_t)i->location->lon_e7);
    }
    return hash;
}

uint64_t bench_hash_chat(uint64_t hash, const avito_chat *chat, bool avatars)
{
    size_t i;

    hash = number(number(string(hash, chat->id), (uint64_t)chat->created), (uint64_t)chat->updated);
    hash = number(hash, chat->context != NULL);
    if (chat->context != NULL) {
        hash = number(string(hash, chat->context->type), chat->context->item != NULL);
        if (chat->context->item != NULL) {
            hash = item(hash, chat->context->item);
        }
    }
    hash = number(hash, chat->users.count);
    for (i = 0; i < chat->users.count; i++) {
        hash = user(hash, &chat->users.items[i], avatars);
    }
    hash = number(hash, chat->last_message != NULL);
    return chat->last_message == NULL ? hash : bench_hash_message(hash, chat->last_message);
}
