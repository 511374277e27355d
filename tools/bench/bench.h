/* Shared by the bench's host and its decoders. */
#ifndef BENCH_H
#define BENCH_H

#include "avito_messenger.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Gets every element as soon as it is decoded; it is good until the callback returns. */
typedef struct bench_sink {
    void (*chat)(struct bench_sink *sink, const avito_chat *chat);
    void (*message)(struct bench_sink *sink, const avito_message *message);
    void (*notification)(struct bench_sink *sink, const avito_event *event);
    uint64_t hash;
    uint64_t count;
} bench_sink;

/* One decoder. Its functions take the whole body; 64 readable bytes follow it, the first of them is
 * NUL. They return 0, or -1 if the body is refused. */
typedef struct bench_peer {
    const char *name;
    int (*chats)(const char *body, size_t len, bench_sink *sink);
    int (*messages)(const char *body, size_t len, bench_sink *sink);
    int (*notification)(const char *body, size_t len, bench_sink *sink);
    int (*self)(const char *body, size_t len, avito_self *out); /* NULL: not in this one */
    size_t (*memory)(void); /* optional: peak of static memory in use, without the body */
    bool holds_body;        /* needs the whole body in memory */
} bench_peer;

/* Every plugin exports this; the last has name NULL. */
extern __attribute__((visibility("default"))) const bench_peer bench_peers[];

/* 64 bits over every decoded field (hash.c). Fields that are derived (is_own, is_system,
 * is_placeholder) are left out: the peers do not compute them. With `avatars` false these are left
 * out too, so that a masked decode can be compared. */
uint64_t bench_hash_chat(uint64_t hash, const avito_chat *chat, bool avatars);
uint64_t bench_hash_message(uint64_t hash, const avito_message *message);
uint64_t bench_hash_notification(uint64_t hash, const avito_event *event);

#ifdef __cplusplus
}
#endif

#endif
