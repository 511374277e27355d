/* core.h - what the service knows and does, without HTTP. Users include simulator.h.
 *
 * The files of this room, each of which calls only those before it: text names media models
 * webhooks state tokens. The room calls no other, and has no socket, clock, global or random source
 * of its own (tests/check/simulator_rooms.sh). */
#ifndef SIMULATOR_CORE_H
#define SIMULATOR_CORE_H

#include "../simulator.h"

/* ---------------------------------------------------------------- text.c */

/* Bytes that grow. All zero is an empty one. */
typedef struct simi_buf {
    char *p; /* NUL-terminated once something has been put in */
    size_t len, cap;
} simi_buf;

void *simi_alloc(void *old, size_t size); /* realloc that does not fail */
void simi_put(simi_buf *b, const void *bytes, size_t len);
void simi_puts(simi_buf *b, const char *text);
void simi_putf(simi_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void simi_put_int(simi_buf *b, int64_t value);
void simi_put_json(simi_buf *b, const char *text); /* in quotes, escaped as Go's encoder does */
void simi_free(simi_buf *b);

/* Memory that lives as long as the simulator. */
typedef struct simi_block {
    struct simi_block *next;
    size_t used, cap;
} simi_block;

void *simi_keep(simi_block **arena, size_t size); /* zeroed */
char *simi_keep_text(simi_block **arena, const char *text);
void simi_free_arena(simi_block *arena);

uint64_t simi_random(uint64_t *state);
uint64_t simi_below(uint64_t *state, uint64_t limit);
void simi_random_text(uint64_t *state, const char *alphabet, char *out, size_t len); /* + NUL */
bool simi_is_utf8(const char *p, size_t len);
size_t simi_code_points(const char *text);
bool simi_is_blank(const char *text);
bool simi_percent_decode(const char *p, size_t len, bool plus_is_blank, char *out); /* + NUL */
bool simi_parse_int(const char *text, int64_t *out);
void simi_rfc3339(int64_t unix_s, char out[32]);
void simi_http_date(int64_t unix_s, char out[40]);

/* ---------------------------------------------------------------- the store */

typedef struct simi_user {
    int64_t id;
    const char *name;
    unsigned avatar;
    bool parsing_allowed;
} simi_user;

struct simi_chat;

typedef struct simi_message {
    char id[33];
    struct simi_chat *chat;
    sim_author author;
    int64_t author_id;
    sim_type type;
    const char *type_word;
    const char *text, *sent_text, *image_id;
    const char *content;  /* JSON */
    const char *voice_id; /* NULL if it is none */
    struct simi_message *quote;
    int64_t created_ms, stored_ms, visible_ms;
    int64_t read_by_peer;
    uint64_t request;
    bool is_read, deleted, visible, no_webhook;
} simi_message;

typedef struct simi_chat {
    char *id;
    sim_chat_type type;
    simi_user peer;
    int64_t item_id;
    const char *title, *price;
    int64_t created_ms, updated_ms;
    bool no_profiles, own_first, foreign;
    simi_message **messages; /* oldest first */
    size_t count, cap, visible, unread;
    const char *fixed;         /* context and users as JSON; made when first needed */
    const char *fixed_strings; /* the same with ids_as_strings */
} simi_chat;

typedef struct simi_token {
    char *access, *refresh; /* refresh: NULL if there is none */
    const char *scope;      /* NULL: everything */
    int64_t issued_ms, expires_ms, refresh_expires_ms;
    uint64_t uses;
    bool dead; /* killed: treated as unknown */
    bool refresh_spent;
} simi_token;

typedef struct simi_code {
    char *code;
    const char *scope;
    int64_t expires_ms;
    bool spent;
} simi_code;

typedef struct simi_upload {
    sim_upload_info info;
} simi_upload;

typedef struct simi_media {
    char *id, *bytes; /* bytes: NULL once dropped */
    const char *type;
    size_t len;
} simi_media;

typedef struct simi_hook {
    uint64_t id;
    char *url, *body;
    size_t body_len;
    char signature[65];
    char message_id[33];
    unsigned attempt;
    int64_t due_ms;
} simi_hook;

struct sim {
    sim_options o;
    uint64_t random;
    simi_block *arena;
    simi_chat **chats; /* most recently updated first */
    size_t chat_count, chat_cap;
    simi_message **log; /* in the order in which they were stored */
    size_t log_count, log_cap;
    simi_message **hidden; /* not yet visible */
    size_t hidden_count, hidden_cap;
    simi_token *tokens;
    size_t token_count, token_cap;
    simi_code *codes;
    size_t code_count, code_cap;
    simi_upload *uploads;
    size_t upload_count, upload_cap;
    simi_media *media;
    size_t media_count, media_cap, media_bytes, media_first; /* the oldest that is kept */
    sim_blocked_info *blocked;
    size_t blocked_count, blocked_cap;
    char **subscriptions;
    size_t subscription_count, subscription_cap;
    simi_hook *hooks;
    size_t hook_count, hook_cap;
    uint64_t hook_ids;
    struct simi_plan *plans; /* http.h */
    size_t plan_count, plan_cap;
    sim_conn *conns;
    uint64_t request_number, connection_number;
    int64_t window; /* clock minute of the rate limit */
    uint32_t window_count;
    int64_t *recent; /* times of the requests of the last minute, oldest at `recent_at` */
    size_t recent_count, recent_cap, recent_at;
    sim_stats stats;
    simi_buf scratch;
};

/* Makes room for one more element of a growing array. */
#define SIMI_GROW(array, count, cap)                                                               \
    ((count) < (cap) ? (void)0                                                                     \
                     : (void)((cap) = (cap) == 0 ? 8 : (cap)*2,                                    \
                              (array) = simi_alloc((array), (cap) * sizeof *(array))))

static inline int64_t simi_now(const sim *s)
{
    return s->o.clock_ms(s->o.ctx);
}

static inline void simi_tell(sim *s, const sim_event *event)
{
    if (s->o.event != NULL) {
        s->o.event(s->o.ctx, event);
    }
}

/* media.c */
/* From the first bytes: format, and the size where it is known. */
bool simi_recognise(const void *bytes, size_t len, sim_upload_info *out);
void simi_draw_image_id(sim *s, char out[40]);
void simi_draw_uuid(sim *s, char out[37]);
void simi_keep_media(sim *s, const char *id, const char *type, const void *bytes, size_t len);
/* Puts "URL/ID" if the file is kept and has an address here; false: nothing was put. */
bool simi_put_media_url(sim *s, simi_buf *b, const char *id);

/* state.c */
void simi_settle(sim *s); /* lets time pass: messages become visible */
simi_chat *simi_find_chat(sim *s, const char *id);
simi_message *simi_find_message(sim *s, const char *id);
simi_message *simi_store(sim *s, simi_chat *chat, const sim_message_options *o, sim_author author,
                         const char *sent_text, const char *image_id, uint64_t request);
void simi_read_chat(sim *s, simi_chat *chat);
void simi_delete_message(sim *s, simi_message *m);
simi_upload *simi_find_upload(sim *s, const char *image_id);
void simi_free_store(sim *s);

/* tokens.c */
typedef enum simi_token_state {
    SIMI_TOKEN_UNKNOWN,
    SIMI_TOKEN_EXPIRED,
    SIMI_TOKEN_GOOD
} simi_token_state;

simi_token_state simi_check_token(sim *s, const char *access, simi_token **out);
const simi_token *simi_issue_token(sim *s, const char *scope, bool with_refresh);
simi_token *simi_find_refresh(sim *s, const char *refresh);
simi_code *simi_find_code(sim *s, const char *code);
void simi_count_request(sim *s, sim_operation op, int64_t now);
bool simi_over_rate(sim *s, int64_t now);

/* models.c: JSON of what is in the store */
const char *simi_content(sim *s, sim_type type, const char *text, const char *voice_id,
                         const char *image_id); /* kept */
void simi_put_id(sim *s, simi_buf *b, int64_t id);
void simi_put_chat(sim *s, simi_buf *b, simi_chat *chat);
void simi_put_message(sim *s, simi_buf *b, const simi_message *m);
void simi_put_image_sizes(sim *s, simi_buf *b, const char *image_id, bool in_message);
void simi_put_notification(sim *s, simi_buf *b, const simi_message *m);

/* webhooks.c */
void simi_queue_webhook(sim *s, const simi_message *m);
void simi_queue_probe(sim *s, const char *url);
bool simi_take_webhook(sim *s, sim_webhook *out); /* sim_next_webhook() for visible messages */
int64_t simi_webhook_due(sim *s);

#endif
