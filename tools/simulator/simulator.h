/*
 * simulator.h - the part of the Avito service behind the Messenger API, in memory.
 *
 * The core has no socket, no thread, no global and no clock or random numbers of its own: bytes of
 * a connection go in, bytes come out, time comes from your clock, and random numbers come from the
 * seed. The same seed, the same clock readings and the same calls give the same bytes. The server
 * program (server/) and the tests use the same core.
 *
 * What it accepts and refuses is one table, in http/api.c, to be read beside the official description.
 *
 *     sim_options o = sim_options_default();
 *     o.clock_ms = my_clock;                                   // unix time in milliseconds
 *     sim *service = sim_create(&o);
 *     const char *chat = sim_add_chat(service, NULL);          // a buyer and a listing
 *     sim_buyer_writes(service, chat, "Ещё продаётся?");
 *
 *     sim_conn *conn = sim_conn_open(service);
 *     sim_conn_receive(conn, request, request_len);            // any split of the bytes
 *     size_t n = sim_conn_send(conn, out, sizeof out);         // any split; 0: nothing now
 *     if (sim_conn_state(conn) != SIM_CONN_OPEN) { ... }       // the service closed it
 *     sim_conn_close(conn);                                    // you closed it; frees
 *     sim_destroy(service);
 *
 * Strings given to the simulator are copied. Strings that it gives live as long as the simulator
 * unless said otherwise. It is a test tool: out of memory ends the program.
 */
#ifndef SIMULATOR_H
#define SIMULATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sim sim;
typedef struct sim_conn sim_conn;

/* ---------------------------------------------------------------- operations */

/* X(constant, name): the name is what fault plans and counters use. */
#define SIM_OPERATIONS(X)                                                                          \
    X(TOKEN, "token")                                                                              \
    X(SELF, "get_self")                                                                            \
    X(CHATS, "get_chats")                                                                          \
    X(CHAT, "get_chat")                                                                            \
    X(MESSAGES, "get_messages")                                                                    \
    X(SEND, "send_message")                                                                        \
    X(UPLOAD, "upload_image")                                                                      \
    X(SEND_IMAGE, "send_image_message")                                                            \
    X(DELETE, "delete_message")                                                                    \
    X(READ, "mark_chat_as_read")                                                                   \
    X(VOICE, "get_voice_files")                                                                    \
    X(BLACKLIST, "add_to_blacklist")                                                               \
    X(SUBSCRIBE, "subscribe_webhook")                                                              \
    X(UNSUBSCRIBE, "unsubscribe_webhook")                                                          \
    X(SUBSCRIPTIONS, "get_webhook_subscriptions")

typedef enum sim_operation {
    SIM_NO_OPERATION = 0, /* nothing in the table has this method and path */
#define SIM_OPERATION_ENUM_(name, word) SIM_##name,
    SIM_OPERATIONS(SIM_OPERATION_ENUM_)
#undef SIM_OPERATION_ENUM_
        SIM_OPERATION_COUNT
} sim_operation;

const char *sim_operation_name(sim_operation op); /* "none" for SIM_NO_OPERATION */

/* ---------------------------------------------------------------- faults */

typedef enum sim_framing {
    SIM_FRAMING_DEFAULT = 0, /* what the options say; there: Content-Length */
    SIM_FRAMING_LENGTH,
    SIM_FRAMING_CHUNKED, /* chunks of chunk_size bytes (0: 4096) */
    SIM_FRAMING_CLOSE    /* no length at all, ends with the connection */
} sim_framing;

/* Bodies of error answers, one for each shape that was seen or is documented. */
/* X(constant, name in plans, status when the fault gives none) */
/* clang-format off */
#define SIM_BODIES(X)                                                                              \
    X(SPEC, "spec", 500)                 /* {"error":{"code":n,"message":"..."}} */               \
    X(FIELDS, "fields", 400)             /* the same with "fields":{...} */                       \
    X(FIELDS_NULL, "fields_null", 400)   /* the same with "fields":null */                        \
    X(PERMISSION, "permission", 403)     /* {"error":{"message":"permission denied"}} */          \
    X(EXPIRED, "expired", 403)           /* {"result":{"status":false,"message":"..."}} */        \
    X(MESSAGES, "messages", 400)         /* {"result":{"status":"error","messages":["..."]}} */   \
    X(ERRORS, "errors", 400)             /* {"errors":["..."]} */                                 \
    X(MESSAGE_CODE, "message_code", 400) /* {"message":"...","code":n} */                         \
    X(GATEWAY, "gateway", 404)           /* {"message":"..."} */                                  \
    X(OAUTH, "oauth", 401)               /* {"error":"...","error_description":"..."} */          \
    X(OAUTH_SHORT, "oauth_short", 401)   /* {"error":"..."} */                                    \
    X(FIREWALL, "firewall", 403)         /* a page of HTML */                                     \
    X(IP_BLOCK, "ip_block", 403)         /* {"code":403,"error":{"message":"...","link":"..."}} */ \
    X(EMPTY, "empty", 500)               /* no body at all */                                     \
    X(CUT_JSON, "cut_json", 500)         /* JSON that stops in the middle, length right */        \
    X(PLAIN, "plain", 502)               /* a line of text */                                     \
    X(NULL_JSON, "null", 500)            /* null */                                               \
    X(ARRAY, "array", 200)               /* [], PHP's empty object */
/* clang-format on */

typedef enum sim_body {
    SIM_BODY_DEFAULT = 0, /* what the service would send with this status */
#define SIM_BODY_ENUM_(name, word, status) SIM_BODY_##name,
    SIM_BODIES(SIM_BODY_ENUM_)
#undef SIM_BODY_ENUM_
        SIM_BODY_COUNT
} sim_body;

/* What goes wrong with one request. All zero: nothing. Everything can be combined. */
typedef struct sim_fault {
    /* what the answer is */
    int status;    /* not 0: this status (any) in place of the true answer */
    sim_body body; /* with it this body; alone it implies the shape's own status */
    /* Do what was asked first. Otherwise a fault with status, no_answer or stall leaves the state
     * untouched. */
    bool stored;
    bool no_answer;          /* close without one byte of an answer */
    bool stall;              /* never answer, and leave the connection open */
    const char *location;    /* Location header; with status 3xx; NULL: the same path */
    const char *retry_after; /* Retry-After header, any text */
    const void *raw;         /* these bytes in place of head and body */
    size_t raw_len;
    /* when */
    bool early;        /* answer as soon as the head is complete, read no body, then close */
    uint32_t delay_ms; /* before the first byte */
    size_t pause_at;   /* before this byte of the answer (if pause_ms is not 0) ... */
    uint32_t pause_ms; /* ... wait this long */
    size_t slow_bytes; /* if not 0, a slow line: this many bytes of the answer at a time ... */
    uint32_t slow_ms;  /* ... and this long between them; with a pause as well: after that */
    unsigned interim;  /* the number of "103 Early Hints" heads before the real one */
    /* how */
    sim_framing framing;
    size_t chunk_size;
    bool chunk_extras;    /* chunk extensions and a trailer */
    size_t head_padding;  /* one more header line, of this many bytes */
    int64_t wrong_length; /* added to Content-Length */
    bool cut;             /* after cut_at bytes of the whole answer the connection ends */
    size_t cut_at;
    bool corrupt; /* byte corrupt_at (modulo the answer's length) is changed */
    size_t corrupt_at;
    unsigned char corrupt_bits; /* these of it; 0: 0x11 */
    bool close;                 /* "Connection: close", and closed afterwards */
    bool close_silently;        /* closed afterwards without having said so */
    bool reset;                 /* if the connection is closed, it is by a reset */
} sim_fault;

/* A request as it is about to be served. Pointers are valid only during the hook. For upload_image
 * the hook is asked when the head is complete, so that `early` can be early: `body` is empty then
 * and `refusal` only says 413. For all others it is asked when the request is complete. */
typedef struct sim_request_info {
    uint64_t number;     /* 1 for the first request of this simulator */
    uint64_t connection; /* 1 for the first connection */
    sim_operation op;
    const char *method;
    const char *target;  /* as sent: path and query */
    const char *chat_id; /* "" if the path has none */
    const char *message_id;
    const char *body;
    size_t body_len;
    int64_t now_ms;
    int refusal;    /* the status of the refusal that would come anyway; 0: it would be served */
    uint64_t token; /* which one it brings, 1 for the first that was given; 0: none that is known */
} sim_request_info;

/* ---------------------------------------------------------------- options */

typedef enum sim_tariff {
    SIM_TARIFF_PAID = 0,
    SIM_TARIFF_PLACEHOLDER, /* reading works but texts are replaced; everything that writes: 402 */
    SIM_TARIFF_402          /* chats as above; every other Messenger call: 402 */
} sim_tariff;

/* How a notification is written. */
typedef enum sim_webhook_form {
    SIM_WEBHOOK_ENVELOPE = 0, /* {"id":..,"payload":{"type":"message","value":{..}}} */
    SIM_WEBHOOK_NO_TYPE,      /* the same, but its payload has no type */
    SIM_WEBHOOK_FLAT,         /* the message alone, as clients in use read it */
    SIM_WEBHOOK_MARKED        /* the envelope after a byte order mark */
} sim_webhook_form;

typedef enum sim_retry_after {
    SIM_RETRY_AFTER_NONE = 0, /* none was ever recorded */
    SIM_RETRY_AFTER_SECONDS,
    SIM_RETRY_AFTER_DATE
} sim_retry_after;

/* What has happened, for observers. Pointers are valid only during the hook. */
typedef enum sim_event_kind {
    SIM_EVENT_CHAT,         /* there is a new one */
    SIM_EVENT_MESSAGE,      /* stored, became visible, was read, was deleted; its chat with it */
    SIM_EVENT_REQUEST,      /* was answered, or will not be */
    SIM_EVENT_TOKENS,       /* given, used up, expired, revoked */
    SIM_EVENT_WEBHOOK,      /* a notification: see `step` */
    SIM_EVENT_SUBSCRIPTIONS /* one more, one less */
} sim_event_kind;

typedef enum sim_webhook_step {
    SIM_WEBHOOK_QUEUED,
    SIM_WEBHOOK_TRIED,
    SIM_WEBHOOK_DONE,
    SIM_WEBHOOK_FAILED, /* this attempt; `status` says how */
    SIM_WEBHOOK_GIVEN_UP
} sim_webhook_step;

typedef struct sim_event {
    sim_event_kind kind;
    const char *chat_id, *message_id;       /* CHAT (chat_id only), MESSAGE */
    const struct sim_request_info *request; /* REQUEST; NULL: it was not HTTP */
    const char *answer; /* REQUEST: the body, before what goes wrong on the way */
    size_t answer_len;
    int status;        /* REQUEST, WEBHOOK: of the answer; 0: there is none */
    bool fault;        /* REQUEST: something was made to go wrong */
    uint32_t delay_ms; /* REQUEST: before the first byte of the answer */
    const struct sim_webhook *webhook;
    sim_webhook_step step;
} sim_event;

/* Zero means the default in brackets. */
typedef struct sim_options {
    uint64_t seed;
    int64_t (*clock_ms)(void *ctx); /* required: unix time in ms; must not run backwards */
    sim_fault (*fault)(void *ctx, const sim_request_info *request); /* optional */
    /* Optional: is told what happens. It may look inside, and must change nothing. */
    void (*event)(void *ctx, const sim_event *event);
    void *ctx; /* first argument of the hooks above */
    /* the account */
    const char *client_id;     /* ["client-id-for-tests"] */
    const char *client_secret; /* ["client-secret-for-tests-0123456789abcdef"] */
    int64_t user_id;           /* [350000001] */
    const char *user_name;     /* ["Магазин"] */
    const char *host;          /* not NULL: any other Host header finds no route */
    /* tokens */
    uint32_t token_lifetime_s;   /* [86400] */
    uint32_t refresh_lifetime_s; /* [one year] */
    uint32_t token_length;       /* [40] */
    bool token_kills_former;     /* a new token makes the former ones invalid at once */
    bool token_errors_as_200;    /* {"error":...} with status 200, as some clients expect */
    /* limits */
    uint32_t rate_per_minute;    /* [0: no limit]; counted per clock minute; not for /token */
    sim_retry_after retry_after; /* header of the 429 */
    bool rate_headers;           /* X-RateLimit-Limit and X-RateLimit-Remaining */
    uint32_t page_limit_max;     /* [100] */
    uint32_t offset_max;         /* [1000] */
    uint64_t upload_max;         /* [24 MB] */
    /* shapes */
    bool bare_array;        /* message list as in the official description: [...] */
    bool no_meta;           /* no "meta" in lists */
    bool nulls;             /* contents carry all other members as null */
    bool ids_as_strings;    /* user, author and item ids in quotes */
    bool empty_read_answer; /* "mark read" answers 200 without a body */
    bool empty_as_array;    /* an empty object is written [], as PHP does; "delete" answers so */
    sim_tariff tariff;
    sim_body foreign_body; /* the words of a refusal that no token cures */
    /* Optional, for unusual rows. The first gives the time to show of a chat or a message in place of
     * `seconds`; INT64_MIN: null. The second gives the chat in row `row` of `count`, as a number in the order
     * of their last update; each once. */
    int64_t (*time_shown)(void *ctx, const char *id, int64_t seconds);
    size_t (*chat_in_row)(void *ctx, size_t row, size_t count);
    /* messages */
    bool trim_text;            /* blanks around a sent text are not stored */
    uint32_t visible_after_ms; /* messages sent through the API are shown only this much later */
    /* Bytes of pictures and voice messages to keep at most, the oldest are dropped [0: none]. */
    size_t media_keep;
    const char *media_url; /* not NULL: what is kept has addresses "MEDIA_URL/ID", else Avito's */
    bool deleted_vanish;   /* a deleted message has no row any more, not one of type "deleted" */
    /* HTTP */
    sim_framing framing; /* [Content-Length] */
    size_t chunk_size;
    size_t head_padding;
    bool accept_chunked_requests;     /* [false: 411]; the real one is not known */
    uint32_t requests_per_connection; /* [0: any number]; the last one says Connection: close */
    uint32_t idle_close_ms;           /* [0: never]; an idle connection is closed after it */
    /* notifications */
    uint32_t webhook_delay_ms;    /* each is delayed by 0..this, at random from the seed */
    uint32_t webhook_timeout_ms;  /* [2000] no answer within this time counts as a failure */
    uint32_t webhook_tries;       /* [5] then the notification is given up */
    uint32_t webhook_retry_ms;    /* [3000] between attempts */
    uint32_t webhook_copies;      /* [1] how often each notification comes */
    bool webhook_probe;           /* "{}" is sent on subscribing */
    bool webhook_no_published_at; /* as recorded in 2023 and 2024 */
    sim_webhook_form webhook_form;
    bool webhook_listings; /* a listing in a message has the members of a chat's listing */
} sim_options;

sim_options sim_options_default(void);
sim *sim_create(const sim_options *options);
void sim_destroy(sim *s); /* closes its connections too */

/* The options in force. All but seed, credentials and user may be changed at any moment. */
sim_options *sim_live(sim *s);

/* ---------------------------------------------------------------- connections */

typedef enum sim_conn_end {
    SIM_CONN_OPEN = 0,
    SIM_CONN_CLOSED, /* closed in order by the service, after all its bytes were taken */
    SIM_CONN_RESET   /* broken off by the service */
} sim_conn_end;

sim_conn *sim_conn_open(sim *s);
/* Bytes from the client. False: the service has closed the connection, the bytes are lost. */
bool sim_conn_receive(sim_conn *c, const void *bytes, size_t len);
/* Bytes for the client: how many were put into `out`; 0: none now. */
size_t sim_conn_send(sim_conn *c, void *out, size_t cap);
/* How many bytes sim_conn_send() would give now. */
size_t sim_conn_pending(sim_conn *c);
sim_conn_end sim_conn_state(sim_conn *c);
/* Whether a request is being received or an answer is still due. */
bool sim_conn_busy(const sim_conn *c);
void sim_conn_close(sim_conn *c);

/* The earliest time (unix ms) at which something will happen by itself: a delayed answer, an idle
 * connection's end, a message that becomes visible, a notification. INT64_MAX: nothing. */
int64_t sim_next_event_ms(sim *s);

/* ---------------------------------------------------------------- fault plans
 *
 * Faults without a hook, as text. "OPERATION:FAULT[,FAULT...][:COUNT[:SKIP]]": the next COUNT
 * requests (1; 0: all) of that operation ("*": of any), after SKIP that go well. FAULT is one of
 *
 *   status=N  body=NAME (see SIM_BODIES)  stored  no_answer  stored_no_answer  stall  stored_stall
 *   redirect  location=URL  retry_after=TEXT  early  delay=MS  pause=BYTE+MS  slow=BYTES+MS  interim=N
 *   length  chunked[=N]  chunk_extras  until_close  huge_head[=N]  wrong_length=N
 *   cut=N  corrupt=N  close  close_silently  reset
 *
 * The hook, if there is one, is asked first; a plan is used when the hook finds nothing wrong. */
bool sim_plan_fault(sim *s, const char *plan); /* false: not understood, nothing was added */

typedef struct sim_plan_info {
    const char *plan; /* as it was given */
    unsigned left;    /* requests that it is still for; 0 with `forever` */
    unsigned skip;    /* requests that go well before */
    bool forever;
} sim_plan_info;

/* The plans that are not used up, i = 0... False: there are no more. */
bool sim_plan_at(sim *s, size_t i, sim_plan_info *out);
void sim_clear_faults(sim *s);

/* ---------------------------------------------------------------- people */

typedef enum sim_chat_type {
    SIM_U2I = 0, /* about a listing */
    SIM_U2U,
    SIM_A2U
} sim_chat_type;

/* Zero means a random value from the seed, or the default in brackets. */
typedef struct sim_chat_options {
    sim_chat_type type;
    const char *id;
    int64_t buyer_id;
    const char *buyer_name; /* UTF-8 */
    int64_t item_id;
    const char *item_title;
    const char *price_string;
    int64_t created_ms; /* [now] */
    bool no_profiles;   /* users without public_user_profile */
    bool foreign;       /* it is listed, but calls that name it are refused: 403, foreign_body */
} sim_chat_options;

/* Message types in the order of sim_type_name(). */
typedef enum sim_type {
    SIM_TEXT = 0,
    SIM_IMAGE,
    SIM_LINK,
    SIM_ITEM,
    SIM_LOCATION,
    SIM_CALL,
    SIM_VOICE_MESSAGE,
    SIM_SYSTEM,
    SIM_DELETED,
    SIM_APP_CALL,
    SIM_FILE,
    SIM_VIDEO,
    SIM_TYPE_COUNT
} sim_type;

const char *sim_type_name(sim_type type); /* "text", ..., "appCall", "file", "video" */

typedef enum sim_author {
    SIM_BUYER = 0,
    SIM_APP,   /* a person who uses the account in the app */
    SIM_AVITO, /* author id 0 or 1 */
    SIM_API    /* never in sim_message_options: sent through the API */
} sim_author;

typedef struct sim_message_options {
    sim_author author;
    sim_type type;
    const char *text;          /* the text, or what fits the type: link, title, caption */
    const char *content_json;  /* not NULL: the content object exactly as to be sent */
    const char *type_word;     /* not NULL: the type exactly as to be sent */
    const char *quote_id;      /* a message of the same chat */
    const char *media_id;      /* of sim_add_media(), for an image or a voice message */
    int64_t created_ms;        /* [now]; may lie in the past */
    uint32_t visible_after_ms; /* shown in lists and notified only this much later */
    bool no_webhook;
} sim_message_options;

/* What is in the store, deleted and not yet visible messages included. */
typedef struct sim_message_info {
    const char *id;
    const char *chat_id;
    int64_t author_id;
    sim_author author;
    sim_type type;         /* as written; see `deleted` */
    const char *text;      /* as stored; "" if the type has none */
    const char *sent_text; /* as the request had it (they differ with trim_text) */
    const char *type_word; /* as the API shows it; "deleted" if it was deleted */
    const char *content;   /* JSON, as stored */
    const char *quote_id;  /* "" if it has none */
    const char *image_id;  /* of an image that was uploaded; else "" */
    const char *voice_id;  /* of a voice message; else "" */
    int64_t created;       /* unix seconds, as the API shows it */
    int64_t stored_ms;     /* when it was stored */
    int64_t visible_ms;    /* from when on it is shown */
    uint64_t request;      /* number of the request that stored it; 0: a person */
    bool is_read;          /* by the account */
    int64_t read_by_peer;  /* unix seconds; 0: not yet */
    bool deleted;
    bool visible; /* the API shows it */
} sim_message_info;

typedef struct sim_chat_info {
    const char *id;
    sim_chat_type type;
    int64_t buyer_id;
    const char *buyer_name;
    int64_t item_id;        /* 0: no listing; then no title and no price */
    const char *item_title; /* "" if there is none */
    const char *price_string;
    const char *last_message_id; /* the newest visible one; "" if there is none */
    int64_t created;             /* unix seconds */
    int64_t updated;
    size_t messages; /* visible */
    size_t unread;   /* visible, incoming, not read by the account */
} sim_chat_info;

const char *sim_add_chat(sim *s, const sim_chat_options *options); /* its id; NULL: id is taken */
/* The id of the new message, or NULL: no such chat or quoted message. */
const char *sim_write(sim *s, const char *chat_id, const sim_message_options *options);
const char *sim_buyer_writes(sim *s, const char *chat_id, const char *text);
/* A person of the account writes in the app, having read the chat. */
const char *sim_app_writes(sim *s, const char *chat_id, const char *text);
bool sim_app_reads(sim *s, const char *chat_id);
bool sim_buyer_reads(sim *s, const char *chat_id);
/* The author deletes it in the app. There is no hour limit here. */
bool sim_delete(sim *s, const char *message_id);

/* Keeps a picture (JPEG, PNG, GIF, BMP, HEIC) or a sound (WAV, Ogg, WebM, MP4), so that a person
 * can send it. Returns its id; NULL: it is neither. See sim_options.media_keep. */
const char *sim_add_media(sim *s, const void *bytes, size_t len);

/* An authorization code, as the browser would bring it back. It is valid once, for ten minutes. */
const char *sim_grant_code(sim *s, const char *scope);
/* Every access token given so far becomes unknown (401) or expired (403). */
void sim_revoke_tokens(sim *s);
void sim_expire_tokens(sim *s);

/* ---------------------------------------------------------------- looking inside */

/* All messages in the order in which they were stored, i = 0... False: there are no more. */
bool sim_message_at(sim *s, size_t i, sim_message_info *out);
bool sim_find_message(sim *s, const char *message_id, sim_message_info *out);
/* All chats in the order of the list: most recently updated first. */
bool sim_chat_at(sim *s, size_t i, sim_chat_info *out);
bool sim_find_chat(sim *s, const char *chat_id, sim_chat_info *out);

/* The messages of a chat, oldest first. False: no such chat, or no more. */
bool sim_chat_message_at(sim *s, const char *chat_id, size_t i, sim_message_info *out);

typedef struct sim_token_info {
    int64_t issued_ms, expires_ms; /* when the access token expires; 0: it was made to expire */
    const char *scope;             /* "" for everything */
    bool has_refresh, revoked;
    uint64_t uses; /* requests made with it */
} sim_token_info;

/* All tokens in the order in which they were given. Never the token itself. */
bool sim_token_at(sim *s, size_t i, sim_token_info *out);

typedef struct sim_media_info {
    const char *type; /* "image/png", "audio/wav", ... */
    const void *bytes;
    size_t len;
} sim_media_info;

/* A picture or a sound that is still kept. The bytes live until the next call that may add one. */
bool sim_find_media(sim *s, const char *id, sim_media_info *out);

typedef struct sim_upload_info {
    const char *image_id;
    const char *file_name;
    const char *format; /* "jpeg", "png", "gif", "bmp", "heic" */
    size_t size;
    uint64_t fnv1a;         /* 64-bit FNV-1a over the file's bytes */
    uint32_t width, height; /* 0: not known */
} sim_upload_info;

typedef struct sim_blocked_info {
    int64_t user_id;
    int64_t item_id; /* 0: none given */
    int reason_id;   /* 0: none given */
} sim_blocked_info;

bool sim_upload_at(sim *s, size_t i, sim_upload_info *out);
bool sim_blocked_at(sim *s, size_t i, sim_blocked_info *out);
const char *sim_subscription_at(sim *s, size_t i); /* URL or NULL */

typedef struct sim_stats {
    uint64_t requests; /* requests complete enough to be answered or dropped */
    uint64_t by_operation[SIM_OPERATION_COUNT];
    uint64_t served[SIM_OPERATION_COUNT]; /* carried out (also when the answer was lost) */
    uint64_t by_status[600];              /* answers; 0: none was given */
    uint64_t tokens_issued;
    uint64_t connections;
    uint64_t faults;         /* requests with a fault */
    uint64_t limited;        /* 429 by the rate limit */
    uint64_t max_per_minute; /* most requests (without /token) in any 60 s */
    uint64_t max_per_second;
    uint64_t broken_requests; /* not HTTP, or HTTP that the service refuses to read */
    /* accepted as the service would, but not by the official description: */
    uint64_t unknown_parameters;
    uint64_t unofficial_paths;
    uint64_t unneeded_bodies;
    uint64_t webhooks_queued, webhooks_tried, webhooks_done, webhooks_given_up;
} sim_stats;

const sim_stats *sim_get_stats(const sim *s);

/* ---------------------------------------------------------------- notifications */

typedef struct sim_webhook {
    uint64_t id;     /* for sim_webhook_answered() */
    const char *url; /* these live until it was answered or given up */
    const char *body;
    size_t body_len;
    const char *signature;  /* header X-Avito-Messenger-Signature: 64 hex digits. How the real
                                  one is made is not published; this one cannot be verified */
    const char *message_id; /* "" for the probe */
    unsigned attempt;       /* 1 for the first */
} sim_webhook;

/* The next notification that is due. It counts as on its way until sim_webhook_answered() or the
 * time-out, after which it is due again. So a receiver gets it at least once, perhaps more often.
 * False: none is due. */
bool sim_next_webhook(sim *s, sim_webhook *out);
void sim_webhook_answered(sim *s, uint64_t id, int status); /* 200..299: done; 0: no answer */

/* 64-bit FNV-1a, as in sim_upload_info. */
uint64_t sim_fnv1a(const void *bytes, size_t len);

#ifdef __cplusplus
}
#endif
#endif
