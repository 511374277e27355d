/*
 * avito_messenger.h - v0.1.0 - Avito Messenger API client, one C99 header, MIT licence
 *
 * Takes part in Avito chats from a microcontroller, a router or a server: every
 * call of the Messenger API, over any byte transport, in memory that you give.
 *
 * Do this in exactly ONE C or C++ file:
 *
 *     #define AVITO_MESSENGER_IMPLEMENTATION
 *     #include "avito_messenger.h"
 *
 * and plain #include "avito_messenger.h" everywhere else. Macros, to be set the
 * same way before every #include of this file:
 *
 *     AVITO_WITH_POSIX      1: declare and build the POSIX TCP transport     (default 0)
 *     AVITO_WITH_BEARSSL    1: declare and build the BearSSL TLS transport   (default 0)
 *     AVITO_STATIC          1: every function is static                      (default 0)
 *
 * The implementation includes <jsmn.h> (Debian: libjsmn-dev), and <bearssl.h>
 * (libbearssl-dev, link with -lbearssl) when AVITO_WITH_BEARSSL is 1.
 * With -std=c99, AVITO_WITH_POSIX needs -D_POSIX_C_SOURCE=200809L.
 *
 * To read on: search for ">>1". Licence: at the end.
 */
#ifndef AVITO_MESSENGER_H
#define AVITO_MESSENGER_H

/* ======================================================================= *
 * >>20 VERSION AND COMPILER
 * ======================================================================= */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AVITO_VERSION_MAJOR 0
#define AVITO_VERSION_MINOR 1
#define AVITO_VERSION_PATCH 0
#define AVITO_VERSION "0.1.0"

/* The vendor's API description that this version was written against. */
#define AVITO_API_DESCRIPTION_DATE "2025-11"

#ifndef AVITO_WITH_POSIX
#define AVITO_WITH_POSIX 0
#endif
#ifndef AVITO_WITH_BEARSSL
#define AVITO_WITH_BEARSSL 0
#endif
#ifndef AVITO_STATIC
#define AVITO_STATIC 0
#endif

/* `static inline` keeps gcc and clang from warning about calls that are not used. */
#if AVITO_STATIC
#define AVITO_API static inline
#else
#define AVITO_API extern
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ======================================================================= *
 * >>21 RESULTS AND ERRORS
 * ======================================================================= *
 *
 * Every function that can fail returns int: one of the three normal results,
 * all >= 0, or an error, always < 0. The hundreds tell the cause:
 * -1xx the caller, -2xx memory too small, -3xx transport and TLS,
 * -4xx the peer broke a protocol, -5xx the API refused.
 */

#define AVITO_OK    0 /* done */
#define AVITO_AGAIN 1 /* not finished: wait for avito_wants(), then avito_step() */
#define AVITO_END   2 /* avito_next_*(): the list is over */

/* X(name, value, what happened, what to do). The only list of errors: the enum,
 * avito_error_name(), avito_error_text() and the manual's table come from it. */
#define AVITO_ERRORS(X)                                                                            \
    X(ARGUMENT, -101, "an argument is missing or out of range", "see the function's comment")      \
    X(TEXT, -102, "the text is empty, blank or over 1000 code points", "split or fill it")         \
    X(UTF8, -103, "the text is not well-formed UTF-8 or holds a NUL", "send UTF-8")                \
    X(ID, -104, "an id is empty, '.', '..', too long or holds a forbidden byte", "pass it as received") \
    X(BUSY, -105, "the lane has a call or a list open, or the arena serves another call",          \
      "finish, end or cancel it first, or use another lane")                                       \
    X(IDLE, -106, "nothing is in progress on this lane", "start a call first")                     \
    X(CANCELLED, -107, "the call was cancelled", "start it again if it is still wanted")           \
    X(SOURCE, -108, "the upload source failed or ended early", "give as many bytes as announced")  \
    X(HOOK, -109, "one of your hooks returned an error", "see error.detail for its result")        \
    X(OPTION_CREDENTIALS, -111, "client_id or client_secret is missing or has a control byte",     \
      "take both from the developer page of the account")                                          \
    X(OPTION_TOKENS, -112, "the token buffer is missing or too small",                             \
      "give AVITO_TOKENS_SIZE(longest token) bytes")                                               \
    X(OPTION_HOST, -113, "the host name is not a name", "leave it NULL for api.avito.ru")          \
    X(OPTION_CLOCK, -114, "no millisecond clock", "set clock_ms")                                  \
    X(OPTION_ENTROPY, -115, "no source of random bytes, or it failed", "set entropy")              \
    X(OPTION_TIME, -116, "no wall clock, or it shows a date before 2020", "set unix_time; set the clock") \
    X(OPTION_TRANSPORT, -117, "the transport is missing or lacks a function", "fill the table")    \
    X(OPTION_WINDOW, -118, "the window is missing or under AVITO_WINDOW_MIN", "give 512 bytes or more") \
    X(OPTION_ANCHORS, -119, "no trust anchors, or the PEM text holds no certificate",              \
      "load the roots that sign the server")                                                       \
    X(OPTION_RESOLVE, -120, "a lane that may not wait cannot look up names",                       \
      "give a numeric address or a resolve hook")                                                  \
    X(ARENA, -201, "the arena is too small for this answer or element",                            \
      "give error.needed bytes, or ask for less with .want")                                       \
    X(TOKEN_ROOM, -202, "the token does not fit the account's token buffer",                       \
      "give AVITO_TOKENS_SIZE(error.needed)")                                                      \
    X(ROOM, -203, "an output buffer is too small", "give error.needed bytes")                      \
    X(TLS_ROOM, -204, "a TLS record or anchor is larger than the buffer given for it",             \
      "give a larger buffer: many servers send 16 KB records")                                     \
    X(RESOLVE, -301, "the host name could not be resolved", "check DNS")                           \
    X(CONNECT, -302, "no address accepted a connection", "check network and firewall")             \
    X(SEND, -303, "the connection broke while sending", "see error.outcome before trying again")   \
    X(RECV, -304, "the connection broke while receiving", "see error.outcome before trying again") \
    X(CLOSED, -305, "the server closed before the answer was complete",                            \
      "see error.outcome before trying again")                                                     \
    X(TIMEOUT_CONNECT, -306, "no connection within connect_timeout_ms", "check the network")       \
    X(TIMEOUT_IDLE, -307, "no byte moved for idle_timeout_ms",                                     \
      "see error.outcome before trying again")                                                     \
    X(TIMEOUT_TOTAL, -308, "the call took longer than total_timeout_ms",                           \
      "see error.outcome before trying again")                                                     \
    X(TLS, -311, "the TLS handshake or a record failed; error.detail is the backend's number",     \
      "check that the server speaks TLS 1.2")                                                      \
    X(TLS_TRUST, -312, "the server's certificate chain leads to no trust anchor",                  \
      "add the right root, or somebody is in between")                                             \
    X(TLS_NAME, -313, "the server's certificate is for another name", "check the host")            \
    X(TLS_TIME, -314, "the server's certificate is expired or not valid yet",                      \
      "check the device's clock first")                                                            \
    X(TLS_CERT, -315, "the server's certificate breaks a rule that this client insists on",        \
      "see the manual, chapter 7")                                                                 \
    X(TLS_STALL, -316, "the TLS peer keeps us busy without progress", "treat the peer as hostile") \
    X(HTTP, -401, "the answer is not HTTP/1.1", "check host and port; a proxy may interfere")      \
    X(HTTP_LENGTH, -402, "the answer's length is malformed or contradictory", "check for a proxy") \
    X(HTTP_CHUNK, -403, "a chunk of the answer is malformed", "check for a proxy")                 \
    X(HTTP_HEAD, -404, "the answer's head is over 64 KB", "check for a proxy")                     \
    X(JSON, -411, "the answer is not valid JSON", "try again; report it if it stays")              \
    X(JSON_UTF8, -412, "the answer holds bytes that are not UTF-8", "try again; report it if it stays") \
    X(JSON_DEPTH, -413, "the answer is nested deeper than 32 levels", "report it")                 \
    X(MODEL, -414, "a field of the answer has another type than known; error.text names it",       \
      "report it: the API has changed")                                                            \
    X(DUPLICATE, -415, "a known key stands twice in one object", "report it")                      \
    X(EMPTY, -416, "the answer is empty where a body is needed", "try again")                      \
    X(REDIRECT, -501, "the server answered with a redirect, which is never followed",              \
      "check host and port")                                                                       \
    X(BAD_REQUEST, -502, "400: the server did not accept the request", "see error.text")           \
    X(UNAUTHORIZED, -503, "401: the token was refused, also after renewal", "check the credentials") \
    X(PAYMENT, -504, "402: the account's tariff does not include the Messenger API",               \
      "change the tariff; chats can still be listed")                                              \
    X(FORBIDDEN, -505, "403: no permission, also after renewal",                                   \
      "check user id, scope and whose chat it is")                                                 \
    X(NOT_FOUND, -506, "404: no such chat, message, user or path", "check the ids")                \
    X(CONFLICT, -507, "409: the server sees a conflict", "see error.text")                         \
    X(TOO_LARGE, -508, "413: the upload is too large", "send at most 24 MB and 75 megapixels")     \
    X(RATE, -509, "429: too many requests", "wait error.retry_after_s, or a minute")               \
    X(SERVER, -510, "5xx: the server failed", "see error.outcome before trying again")             \
    X(STATUS, -511, "the server answered with an unexpected status", "see error.http_status")      \
    X(REFUSED, -512, "a success status, but the body says that it failed", "see error.text")       \
    X(CREDENTIALS, -513, "the token request was refused", "check client_id and client_secret")     \
    X(REFRESH_TOKEN, -514, "the refresh token was refused or may have been spent",                 \
      "authorize again with avito_authorize_url()")

#define AVITO_ERROR_ENUM_(name, value, text, remedy) AVITO_ERR_##name = (value),
enum avito_error_code { AVITO_ERRORS(AVITO_ERROR_ENUM_) AVITO_ERR_NONE = 0 };
#undef AVITO_ERROR_ENUM_

/* Whether a call that changes something took effect (manual: "SENDING"). */
typedef enum avito_outcome {
    AVITO_NOT_SENT = 0,   /* it did not: safe to try again */
    AVITO_SENT,           /* it did */
    AVITO_CANNOT_TELL     /* the request left, no usable answer came: avito_confirm_sent() */
} avito_outcome;

#define AVITO_ERROR_TEXT_CAP 96

/* The last error of a lane, also filled on success (code 0, outcome AVITO_SENT). Lives in the
 * client; overwritten by the next call. Never holds a token or the client secret. */
typedef struct avito_error {
    int code;                        /* AVITO_ERR_*, or AVITO_OK */
    int http_status;                 /* 0: no answer came */
    int api_code;                    /* "code" of the error body; 0: none */
    int detail;                      /* the backend's own number (errno, BR_ERR_*); 0: none */
    avito_outcome outcome;           /* of the call that changes something */
    uint32_t retry_after_s;          /* what the server asked for; 0: nothing */
    size_t needed;                   /* -2xx: bytes that would have been enough; 0: unknown */
    char text[AVITO_ERROR_TEXT_CAP]; /* the server's message, or the field, or the id of the element
                                        that was passed over; NUL-terminated UTF-8, clipped */
} avito_error;

/* "ARENA", "the arena is too small ...", "give error.needed ...". Never NULL; static. */
AVITO_API const char *avito_error_name(int code);
AVITO_API const char *avito_error_text(int code);
AVITO_API const char *avito_error_remedy(int code);

/* ======================================================================= *
 * >>22 STRINGS AND ARENA
 * ======================================================================= */

/* Decoded text: UTF-8, len bytes, and ptr[len] is NUL. May hold NUL bytes inside. A field that was
 * missing or null has ptr NULL and len 0. Lives as long as the arena that it was decoded into. */
typedef struct avito_str {
    const char *ptr;
    size_t len;
} avito_str;

/* Memory given by the caller, from which models are carved. Nothing is ever freed singly: reset it
 * when you no longer need what is in it. A call that fails leaves it as it was. */
typedef struct avito_arena {
    char *base;
    size_t cap;
    size_t used;      /* bytes taken; 0 after reset */
    size_t peak;      /* the most that was ever in use at once, working space included */
    bool busy;        /* a call is filling it */
} avito_arena;

AVITO_API avito_arena avito_arena_of(void *memory, size_t size);
AVITO_API void avito_arena_reset(avito_arena *arena);

/* True if `s` is the text `word`, byte for byte. */
AVITO_API bool avito_str_equal(avito_str s, const char *word);

/* ======================================================================= *
 * >>23 TRANSPORT
 * ======================================================================= *
 *
 * What moves bytes: a table of functions and a context. Five rules:
 *   1. send and recv return > 0 bytes moved, AVITO_IO_AGAIN, AVITO_IO_CLOSED (orderly end of the
 *      stream, recv only) or any other negative AVITO_ERR_*. Zero never means the end.
 *   2. Nothing but wait() waits. A connect that cannot finish now returns AVITO_AGAIN and is
 *      called again, until AVITO_OK or an error.
 *   3. recv hands over all that the transport holds before it says AVITO_IO_AGAIN.
 *   4. close is called exactly once per started connect, never waits, and cannot fail.
 *   5. The client owns all deadlines; a transport has none.
 */

#define AVITO_IO_AGAIN  (-1L)
#define AVITO_IO_CLOSED (-2L)

/* What a lane waits for, as bits. */
#define AVITO_WANT_READ    1
#define AVITO_WANT_WRITE   2
#define AVITO_WANT_TIMER   4 /* only for avito_deadline_ms() to pass */
#define AVITO_WANT_ACCOUNT 8 /* another lane is fetching the token: step again after that lane moved */

typedef struct avito_server {
    const char *host; /* name or numeric address, NUL-terminated */
    uint16_t port;
} avito_server;

typedef struct avito_transport_functions {
    int (*connect)(void *ctx, const avito_server *to);
    /* `more`: another piece follows at once, so a record may be held back until it is full. */
    long (*send)(void *ctx, const void *data, size_t len, int more);
    long (*recv)(void *ctx, void *data, size_t cap);
    int (*wants)(void *ctx);                          /* AVITO_WANT_READ | AVITO_WANT_WRITE */
    int (*wait)(void *ctx, int wants, uint32_t ms);   /* optional: NULL = may not wait */
    void (*close)(void *ctx);
    int (*detail)(void *ctx);                         /* optional: errno, BR_ERR_* of the last error */
} avito_transport_functions;

typedef struct avito_transport {
    const avito_transport_functions *functions;
    void *ctx;
} avito_transport;

/* Private: how far the body of an HTTP message has been read (>>48). */
struct avitoi_body {
    uint64_t left;     /* bytes still to come: of the body, or of the present chunk */
    uint32_t overhead; /* framing bytes that no body bytes have paid for yet */
    uint16_t line;     /* bytes of the present size line, or of all trailers */
    uint8_t mode;
    uint8_t state;
};

/* ======================================================================= *
 * >>24 ACCOUNT
 * ======================================================================= *
 *
 * One set of credentials, shared by any number of lanes. Everything that the options point to must
 * outlive it. Lanes of one account on several threads need the lock hooks.
 */

struct avito_client;

/* A token pair as the server gave it. Strings point into the account's token buffer and are good
 * until the second renewal after this one. */
typedef struct avito_token {
    avito_str access_token;
    avito_str refresh_token; /* only for the authorization code flow */
    avito_str token_type;    /* "Bearer" */
    avito_str scope;
    int64_t expires_in;      /* seconds from now; 86400 is usual */
    int64_t expires_at;      /* unix seconds; 0 without unix_time */
} avito_token;

typedef struct avito_account_options {
    const char *client_id;
    const char *client_secret;
    void *tokens;              /* AVITO_TOKENS_SIZE(longest token) bytes, kept by the account */
    size_t tokens_cap;
    const char *host;          /* NULL: "api.avito.ru" */
    uint16_t port;             /* 0: 443 */
    void *ctx;                 /* first argument of every hook below */
    uint32_t (*clock_ms)(void *ctx);              /* required; monotonic, may wrap at 2^32 */
    int64_t (*unix_time)(void *ctx);              /* optional; <= 0: not known yet */
    int (*entropy)(void *ctx, void *out, size_t len); /* AVITO_OK or an error; for uploads */
    /* Called before a new pair is used; an error keeps the old one and ends the call (HOOK).
     * The refresh token rotates: write it to disk before returning AVITO_OK. */
    int (*save_token)(void *ctx, const avito_token *token);
    /* Called when the first token is needed; AVITO_END: nothing stored. Strings are copied. */
    int (*load_token)(void *ctx, avito_token *token);
    void (*lock)(void *ctx);                      /* optional, both or none */
    void (*unlock)(void *ctx);
    /* One line per event (connect, request, answer, token), NUL-terminated, without secrets. */
    void (*trace)(void *ctx, const char *line);
    uint32_t renew_before_s;      /* renew so long before expiry; 0: 300 */
    uint32_t requests_per_minute; /* 0: no limit of our own */
} avito_account_options;

typedef struct avito_account {
    avito_account_options o;         /* resolved: what is really in force */
    struct {                         /* everything from here on is private */
        struct avito_client *renewer; /* the lane that is fetching a token, or NULL */
        uint32_t epoch;              /* counts tokens; 0: none yet */
        uint32_t fetched_ms;         /* clock when the token came */
        uint32_t lifetime_s;
        uint32_t failures;           /* definite refusals of token requests so far */
        int failure;                 /* the last of them */
        uint32_t next_request_ms;    /* rate: not before this */
        size_t access_len, refresh_len;
        uint8_t state;               /* AVITOI_TOKEN_* */
        uint8_t slot;                /* which half of the token buffer is in use */
        bool proven;                 /* the token of this epoch was accepted once */
        bool unpaid;                 /* the tariff lacks the API: 402 or placeholder seen last */
    } priv;
} avito_account;

AVITO_API avito_account_options avito_account_options_default(void);

/* AVITO_OK or AVITO_ERR_OPTION_*. Copies the options; nothing to release. */
AVITO_API int avito_account_init(avito_account *account, const avito_account_options *options);

/* Bytes for a token buffer that takes tokens of up to `longest` bytes (Avito's have 40 today). Two
 * halves, so that a lane in the middle of a request keeps the token it began with; each holds an
 * access and a refresh token, type and scope words, and the working space to decode them. */
#define AVITO_TOKENS_SIZE(longest) (2u * (2u * ((size_t)(longest) + 1u) + 256u))

/* The browser address at which a person allows the application (authorization code flow). Writes a
 * NUL-terminated URL; *out_len (optional) gets its length. AVITO_ERR_ROOM if `cap` is too small,
 * with the size that would do in *out_len. `scope`: comma list such as
 * "messenger:read,messenger:write"; `state` may be NULL. */
AVITO_API int avito_authorize_url(const avito_account *account, const char *scope,
                                  const char *state, char *out, size_t cap, size_t *out_len);

/* True while the server says that the tariff lacks the Messenger API (402, or the placeholder
 * sentence in place of messages). Cleared by the first call that shows otherwise. */
AVITO_API bool avito_account_unpaid(const avito_account *account);

/* ======================================================================= *
 * >>25 MODELS
 * ======================================================================= *
 *
 * All pointers and strings point into the arena of the call. A pointer to a model is NULL, a string
 * has ptr NULL and a number is 0 when the server left it out or sent null. Times are unix seconds.
 * A known enum has its own constant; for a new word it is *_UNKNOWN, and the server's word is kept
 * beside it.
 */

typedef enum avito_message_type {
    AVITO_MESSAGE_NONE = 0, /* no type given */
    AVITO_MESSAGE_TEXT,
    AVITO_MESSAGE_IMAGE,
    AVITO_MESSAGE_LINK,
    AVITO_MESSAGE_ITEM,
    AVITO_MESSAGE_LOCATION,
    AVITO_MESSAGE_CALL,
    AVITO_MESSAGE_VOICE,
    AVITO_MESSAGE_SYSTEM,
    AVITO_MESSAGE_DELETED,
    AVITO_MESSAGE_APP_CALL, /* the API shows no content for these three */
    AVITO_MESSAGE_FILE,
    AVITO_MESSAGE_VIDEO,
    AVITO_MESSAGE_UNKNOWN
} avito_message_type;

typedef enum avito_direction {
    AVITO_DIRECTION_NONE = 0,
    AVITO_DIRECTION_IN,
    AVITO_DIRECTION_OUT,
    AVITO_DIRECTION_UNKNOWN
} avito_direction;

typedef enum avito_chat_type {
    AVITO_CHAT_TYPE_NONE = 0,
    AVITO_CHAT_TYPE_U2I = 1, /* about a listing */
    AVITO_CHAT_TYPE_U2U = 2, /* about a profile */
    AVITO_CHAT_TYPE_A2U = 4, /* from Avito itself */
    AVITO_CHAT_TYPE_UNKNOWN = 8
} avito_chat_type;

typedef enum avito_call_status {
    AVITO_CALL_NONE = 0,
    AVITO_CALL_MISSED,
    AVITO_CALL_UNKNOWN
} avito_call_status;

typedef enum avito_location_kind {
    AVITO_LOCATION_NONE = 0,
    AVITO_LOCATION_HOUSE,
    AVITO_LOCATION_STREET,
    AVITO_LOCATION_AREA,
    AVITO_LOCATION_UNKNOWN
} avito_location_kind;

typedef enum avito_blacklist_reason {
    AVITO_REASON_SPAM = 1,
    AVITO_REASON_FRAUD = 2,
    AVITO_REASON_INSULT = 3,
    AVITO_REASON_OTHER = 4
} avito_blacklist_reason;

/* One entry of a map from "WxH" to URL. */
typedef struct avito_image_size {
    avito_str size; /* "1280x960" */
    avito_str url;
} avito_image_size;

typedef struct avito_image_sizes {
    avito_image_size *items;
    size_t count;
} avito_image_sizes;

typedef struct avito_image {
    avito_image_sizes sizes;
} avito_image;

typedef struct avito_link_preview {
    avito_str title;
    avito_str description;
    avito_str domain;
    avito_str url;
    avito_image_sizes images;
} avito_link_preview;

typedef struct avito_link {
    avito_str text;
    avito_str url;
    avito_link_preview *preview;
} avito_link;

/* A listing that was sent as a message. */
typedef struct avito_item_content {
    avito_str title;
    avito_str item_url;
    avito_str image_url;
    avito_str price_string; /* holds U+00A0: "4 391 ₽" */
} avito_item_content;

/* Coordinates are in units of 1e-7 degree: 55.7512 is 557512000. */
typedef struct avito_location {
    avito_location_kind kind;
    avito_str kind_word;
    int32_t lat_e7;
    int32_t lon_e7;
    avito_str title;
    avito_str text;
} avito_location;

typedef struct avito_call {
    avito_call_status status;
    avito_str status_word;
    int64_t target_user_id;
} avito_call;

typedef struct avito_voice {
    avito_str voice_id; /* give it to avito_get_voice_files() */
} avito_voice;

typedef struct avito_system {
    avito_str flow_id; /* which robot; "seller_audience_discount" */
    avito_str text;
} avito_system;

/* What a message holds. `kind` says which member of `as` is set: it follows what the content object
 * really contains. AVITO_MESSAGE_NONE: no content (deleted, appCall, file, video, or null). */
typedef struct avito_content {
    avito_message_type kind;
    union {
        avito_str text;             /* TEXT */
        avito_system system;        /* SYSTEM: text with a flow_id, or message type system */
        avito_image *image;         /* IMAGE */
        avito_link *link;           /* LINK */
        avito_item_content *item;   /* ITEM */
        avito_location *location;   /* LOCATION */
        avito_call *call;           /* CALL */
        avito_voice *voice;         /* VOICE */
        avito_str raw;              /* UNKNOWN: never set yet, reserved for the raw JSON */
    } as;
} avito_content;

typedef struct avito_quote {
    avito_str id;
    int64_t author_id;
    int64_t created;
    avito_message_type type;
    avito_str type_word;
    avito_content content;
} avito_quote;

/* A message of a list, the last message of a chat, the answer to a send, or the value of a
 * notification: each shows some of the fields. */
typedef struct avito_message {
    avito_str id;
    int64_t author_id;         /* 0 and 1: Avito itself */
    int64_t created;
    avito_message_type type;
    avito_str type_word;
    avito_direction direction; /* lists and answers only */
    avito_str direction_word;
    avito_content content;
    avito_quote *quote;
    int64_t read;              /* when the other side read it */
    int64_t delivered;         /* last message of a chat only */
    bool is_read;              /* read by this account; only if has_is_read */
    bool has_is_read;
    bool is_own;               /* this account wrote it: through the API, the app or the site */
    bool is_system;            /* Avito wrote it: type system, author 0 or 1, or the known prefix */
    bool is_placeholder;       /* the tariff lacks the API, this is not what the person wrote */
    bool is_cut;               /* a text was cut at .cut_text_at */
    /* notifications only: */
    avito_str chat_id;
    int64_t user_id;           /* the account that was notified */
    avito_chat_type chat_type;
    avito_str chat_type_word;
    int64_t item_id;           /* 0 outside u2i */
    avito_str published_at;    /* RFC 3339 UTC */
} avito_message;

typedef struct avito_messages {
    avito_message *items; /* newest first, as the server sends them */
    size_t count;
    bool has_more;
} avito_messages;

typedef struct avito_avatar {
    avito_str default_url;
    avito_image_sizes images;
} avito_avatar;

typedef struct avito_profile {
    int64_t user_id;
    int64_t item_id;
    avito_avatar *avatar;
    avito_str url;
} avito_profile;

typedef struct avito_user {
    int64_t id;
    avito_str name;
    bool parsing_allowed;
    bool has_parsing_allowed;
    avito_profile *public_user_profile;
} avito_user;

typedef struct avito_users {
    avito_user *items;
    size_t count;
} avito_users;

typedef struct avito_item_location {
    avito_str title;
    int32_t lat_e7;
    int32_t lon_e7;
} avito_item_location;

typedef struct avito_item_images {
    avito_image_sizes main;
    int64_t count;
} avito_item_images;

/* The listing that a chat is about. */
typedef struct avito_item {
    int64_t id; /* over 2^32 */
    int64_t user_id;
    int64_t status_id; /* 4 and 10 were seen; 20: listing removed */
    avito_str title;
    avito_str price_string;
    avito_str url;
    avito_item_images *images;
    avito_item_location *location;
} avito_item;

typedef struct avito_context {
    avito_str type;   /* "item" */
    avito_item *item; /* only for type "item" */
} avito_context;

typedef struct avito_chat {
    avito_str id;
    int64_t created;
    int64_t updated;
    avito_context *context;
    avito_users users; /* this account is one of them */
    avito_message *last_message;
} avito_chat;

typedef struct avito_chats {
    avito_chat *items; /* most recently updated first */
    size_t count;
    bool has_more;
} avito_chats;

typedef struct avito_strs {
    avito_str *items;
    size_t count;
} avito_strs;

typedef struct avito_self {
    int64_t id; /* the user_id of the other calls */
    avito_str name;
    avito_str email;
    avito_str phone;
    avito_strs phones;
    avito_str profile_url;
} avito_self;

typedef struct avito_uploaded_image {
    avito_str image_id; /* give it to avito_send_image_message() */
    avito_image_sizes sizes;
} avito_uploaded_image;

typedef struct avito_voice_file {
    avito_str voice_id;
    avito_str url; /* opus in mp4; good for one hour */
} avito_voice_file;

typedef struct avito_voice_files {
    avito_voice_file *items;
    size_t count;
} avito_voice_files;

typedef struct avito_subscription {
    avito_str url;
    avito_str version; /* "3" */
} avito_subscription;

typedef struct avito_subscriptions {
    avito_subscription *items;
    size_t count;
} avito_subscriptions;

/* A notification. `message` is NULL for a payload of a type that is not known. */
typedef struct avito_event {
    avito_str id; /* of this delivery; drop repeats by message->id instead */
    avito_str version;
    int64_t timestamp;
    avito_str type; /* "message" */
    avito_message *message;
} avito_event;

/* ======================================================================= *
 * >>26 CLIENT
 * ======================================================================= *
 *
 * A lane: one connection, one call at a time. Many lanes on one thread are the asynchronous client.
 */

#define AVITO_WINDOW_MIN 512

typedef struct avito_client_options {
    avito_transport transport;
    void *window;                /* I/O buffer, used during calls; AVITO_WINDOW_MIN bytes or more */
    size_t window_cap;
    bool never_wait;             /* return AVITO_AGAIN even if the transport could wait */
    bool dry_run;                /* calls that change something send nothing and succeed */
    uint32_t connect_timeout_ms; /* 0: 15000 */
    uint32_t idle_timeout_ms;    /* 0: 30000; no byte moved */
    uint32_t total_timeout_ms;   /* 0: 120000; one call, or one avito_next_*(); uploads: raise it */
    uint32_t keep_alive_ms;      /* 0: 50000; a connection unused for longer is opened anew */
    char *error_body;            /* optional: gets the raw body of a refusal, NUL-terminated */
    size_t error_body_cap;
} avito_client_options;

/* TODO(core): private part of the lane */
typedef struct avito_client {
    avito_client_options o;
    avito_account *account;
    avito_error error;
} avito_client;

AVITO_API avito_client_options avito_client_options_default(void);

/* AVITO_OK or AVITO_ERR_OPTION_*. Copies the options. The account, the transport and the window must
 * outlive the lane. */
AVITO_API int avito_client_init(avito_client *client, avito_account *account,
                                const avito_client_options *options);

/* Closes the connection of an idle lane, or cancels what it does. Legal at any moment. */
AVITO_API void avito_client_close(avito_client *client);

/* ======================================================================= *
 * >>27 STEP, WAIT, CANCEL
 * ======================================================================= */

/* Carries the call in progress on, without waiting. AVITO_AGAIN: not finished. Anything else is the
 * result of the call (AVITO_OK, AVITO_END or an error), given once; then AVITO_ERR_IDLE. */
AVITO_API int avito_step(avito_client *client);

/* After AVITO_AGAIN: what to wait for, as AVITO_WANT_* bits. 0 when nothing is in progress. */
AVITO_API int avito_wants(const avito_client *client);

/* Milliseconds until avito_step() must be called even if nothing happens; UINT32_MAX when nothing
 * is in progress. */
AVITO_API uint32_t avito_deadline_ms(const avito_client *client);

/* Ends the call or list in progress and closes the connection. The lane can be used again at once.
 * Does nothing on an idle lane. avito_last_error() then tells whether a send may have happened. */
AVITO_API void avito_cancel(avito_client *client);

/* Never NULL. Describes the last call that ended. */
AVITO_API const avito_error *avito_last_error(const avito_client *client);

/* ======================================================================= *
 * >>28 CALLS
 * ======================================================================= *
 *
 * Every call works both ways. On a lane that may wait (the transport has wait(), never_wait is
 * false) it returns its result. On one that may not it returns AVITO_AGAIN, and avito_step() goes
 * on. Common results: AVITO_OK; AVITO_AGAIN; ARGUMENT, ID, TEXT, UTF8 (checked before a byte is
 * sent); BUSY; ARENA; any -3xx, -4xx, -5xx.
 *
 * Numbers and option structs are copied. Strings, id arrays, out-pointers, arenas and upload
 * sources are borrowed until the call ends. `out` may be NULL where it says "optional".
 */

/* ---- tokens ---- */

/* Fetches a token with the client credentials (or by the refresh token, if the account has one) and
 * keeps it in the account. Every other call does this by itself when needed. `out` optional. */
AVITO_API int avito_get_token(avito_client *client, avito_token *out);

/* Authorization code flow: trades the code from the redirect for a token pair. `out` optional. */
AVITO_API int avito_exchange_code(avito_client *client, const char *code, avito_token *out);

/* Trades the account's refresh token for a new pair. `out` optional. */
AVITO_API int avito_refresh_token(avito_client *client, avito_token *out);

/* ---- user ---- */

AVITO_API int avito_get_self(avito_client *client, avito_arena *arena, avito_self *out);

/* ---- chats and messages ---- */

/* Field mask (.want): what is not asked for is checked but takes no memory. Numbers, ids and enum
 * words always come. 0: everything. Of each group, none set means the whole group.
 * "Everything but avatars": AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS. */
#define AVITO_CHAT_CONTEXT      0x0001u /* the listing */
#define AVITO_CHAT_USERS        0x0002u
#define AVITO_CHAT_PROFILES     0x0004u /* brings USERS */
#define AVITO_CHAT_AVATARS      0x0008u /* brings PROFILES and USERS */
#define AVITO_CHAT_LAST_MESSAGE 0x0010u
#define AVITO_CHAT_ALL          0x001fu
#define AVITO_MESSAGE_CONTENTS  0x0100u
#define AVITO_MESSAGE_QUOTES    0x0200u
#define AVITO_MESSAGE_IMAGES    0x0400u /* maps of image sizes in content and previews */
#define AVITO_MESSAGE_ALL       0x0700u

typedef struct avito_chats_query {
    const int64_t *item_ids;   /* only chats about these listings */
    size_t item_ids_count;
    bool repeat_item_ids;      /* item_ids=1&item_ids=2 instead of item_ids=1,2 */
    bool unread_only;
    unsigned chat_types;       /* AVITO_CHAT_TYPE_* or-ed; 0: the server's choice (u2i) */
    int limit;                 /* 1..100; 0: 100 */
    int offset;                /* 0..1000 */
    bool all_pages;            /* go on to the last page (or offset 1000) by itself */
    uint32_t want;             /* field mask; 0: everything */
    size_t cut_text_at;        /* cut message texts at so many bytes and flag it; 0: never */
} avito_chats_query;

typedef struct avito_messages_query {
    int limit;                 /* 1..100; 0: 100 */
    int offset;                /* 0..1000 */
    bool all_pages;
    uint32_t want;
    size_t cut_text_at;
} avito_messages_query;

/* `query` may be NULL: no filter, one page of 100. */
AVITO_API int avito_get_chats(avito_client *client, int64_t user_id, const avito_chats_query *query,
                              avito_arena *arena, avito_chats *out);
AVITO_API int avito_get_chat(avito_client *client, int64_t user_id, const char *chat_id,
                             avito_arena *arena, avito_chat *out);
/* Does not mark the chat as read. */
AVITO_API int avito_get_messages(avito_client *client, int64_t user_id, const char *chat_id,
                                 const avito_messages_query *query, avito_arena *arena,
                                 avito_messages *out);

/* ---- lists, element by element ----
 *
 * avito_list_*() starts, avito_next_*() gives the next element, decoded into `arena`, good until the
 * next one; AVITO_END when the list is over. The lane is busy until AVITO_END, an error that ends
 * the list, or avito_list_end(). An element that does not fit the arena is AVITO_ERR_ARENA with its
 * id in error.text and the size that would do in error.needed; one that breaks the model is
 * AVITO_ERR_MODEL or AVITO_ERR_DUPLICATE: after these three the list goes on, avito_list_open()
 * stays true. Copy the ids, end the list, then answer. */
AVITO_API int avito_list_chats(avito_client *client, int64_t user_id,
                               const avito_chats_query *query, avito_arena *arena);
AVITO_API int avito_next_chat(avito_client *client, avito_chat *out);
AVITO_API int avito_list_messages(avito_client *client, int64_t user_id, const char *chat_id,
                                  const avito_messages_query *query, avito_arena *arena);
AVITO_API int avito_next_message(avito_client *client, avito_message *out);
AVITO_API int avito_list_voice_files(avito_client *client, int64_t user_id,
                                     const char *const *voice_ids, size_t count,
                                     avito_arena *arena);
AVITO_API int avito_next_voice_file(avito_client *client, avito_voice_file *out);
AVITO_API int avito_list_subscriptions(avito_client *client, avito_arena *arena);
AVITO_API int avito_next_subscription(avito_client *client, avito_subscription *out);

/* Ends a list before its end: reads and drops up to drain_max bytes to keep the connection, else
 * closes it. AVITO_OK or AVITO_AGAIN; never fails otherwise. */
AVITO_API int avito_list_end(avito_client *client, size_t drain_max);

/* True between avito_list_*() and its end. */
AVITO_API bool avito_list_open(const avito_client *client);

/* ---- sending ----
 *
 * Not repeatable: when the result is an error, error.outcome says whether the message was stored. */

/* Text of 1..1000 code points, not blank. `out` optional; `arena` may be NULL if `out` is. */
AVITO_API int avito_send_message(avito_client *client, int64_t user_id, const char *chat_id,
                                 const char *text, avito_arena *arena, avito_message *out);
AVITO_API int avito_send_image_message(avito_client *client, int64_t user_id, const char *chat_id,
                                       const char *image_id, avito_arena *arena,
                                       avito_message *out);

/* What to upload: bytes in memory, or a function that gives them. At most 24 MB and 75 megapixels;
 * JPEG, HEIC, GIF, BMP or PNG. */
#define AVITO_IMAGE_MAX (24u * 1024u * 1024u)

typedef struct avito_image_source {
    const void *data;          /* either this, */
    /* or this: puts up to `cap` bytes from `offset` on into `buf` and returns their number, > 0, or
     * a negative error. May be asked for the same bytes again. */
    long (*read)(void *ctx, size_t offset, void *buf, size_t cap);
    void *ctx;
    size_t size;               /* total, 1..AVITO_IMAGE_MAX */
    const char *file_name;     /* "photo.jpg": printable, no quotes; NULL: "image" */
    const char *content_type;  /* "image/jpeg"; NULL: image/jpeg */
    void (*progress)(void *ctx, size_t sent, size_t size); /* optional */
} avito_image_source;

AVITO_API int avito_upload_image(avito_client *client, int64_t user_id,
                                 const avito_image_source *source, avito_arena *arena,
                                 avito_uploaded_image *out);

AVITO_API int avito_mark_chat_as_read(avito_client *client, int64_t user_id, const char *chat_id);

/* Within one hour of sending. The row stays, with type `deleted`. */
AVITO_API int avito_delete_message(avito_client *client, int64_t user_id, const char *chat_id,
                                   const char *message_id);

AVITO_API int avito_get_voice_files(avito_client *client, int64_t user_id,
                                    const char *const *voice_ids, size_t count,
                                    avito_arena *arena, avito_voice_files *out);

/* ---- notifications ---- */

AVITO_API int avito_subscribe_webhook(avito_client *client, const char *url);
AVITO_API int avito_unsubscribe_webhook(avito_client *client, const char *url);
AVITO_API int avito_get_webhook_subscriptions(avito_client *client, avito_arena *arena,
                                              avito_subscriptions *out);

/* The body of a notification. Needs no client. AVITO_END: the probe `{}`. Else AVITO_OK, ARENA, or
 * a -4xx. `needed` (optional) gets the size for ARENA. */
AVITO_API int avito_parse_webhook(const void *body, size_t len, avito_arena *arena,
                                  avito_event *out, size_t *needed);

/* ---- blacklist ---- */

typedef struct avito_blacklist_user {
    int64_t user_id;
    int64_t item_id; /* 0: none */
    avito_blacklist_reason reason;
} avito_blacklist_user;

AVITO_API int avito_add_to_blacklist(avito_client *client, int64_t user_id,
                                     const avito_blacklist_user *users, size_t count);

/* ======================================================================= *
 * >>29 WEBHOOK RECEIVER
 * ======================================================================= *
 *
 * The server side of one connection, without I/O: bytes of requests go in, notifications and bytes
 * of answers come out. Made to stand behind a proxy that ends TLS (examples/12_webhook_server.c).
 * One avito_webhook and one buffer per connection. Per round:
 *
 *     wants & AVITO_WANT_WRITE   send avito_webhook_output(), say how much: avito_webhook_sent()
 *     wants & AVITO_WANT_READ    read, avito_webhook_receive(); keep the bytes that it did not use
 *                                and give them again when it wants to read again (pipelining)
 *     deadline is 0              avito_webhook_receive() with no bytes
 *     avito_webhook_finished()   close
 *
 * Acknowledge first, handle later: the server waits two seconds and sends again what was answered
 * late. AVITO_OK from avito_webhook_receive() means that a notification is complete and that its
 * answer waits in the output: send it, then use the body, then avito_webhook_done(). The body stays
 * where it is until then, even when the connection is gone. A 200 cannot be taken back: where a
 * crash in between must not lose the message, save it before you send, or poll as well (>>30).
 *
 *     200  a notification; or a probe: the body is `{}` or nothing, which is no event
 *     404  another path, so a wrong secret too    403  your verifier refused
 *     405  not POST, with Allow                   408  the request took too long
 *     400  not strictly HTTP/1.1 or HTTP/1.0,     413  the body is longer than the buffer takes
 *          or a transfer coding but chunked       431  a head over 8 KB, a signature over 127 bytes
 *
 * 200, 404 and 405 keep the connection unless the peer wants it closed; the others close it.
 */

#define AVITO_WEBHOOK_SIGNATURE_ROOM 128u

/* Bytes for a buffer that takes bodies of up to `longest` bytes. A notification has some 500 bytes
 * and its text, up to 12 bytes per character when escaped: 16 KB are ample. */
#define AVITO_WEBHOOK_SIZE(longest) ((size_t)(longest) + AVITO_WEBHOOK_SIGNATURE_ROOM)

typedef struct avito_webhook_options {
    const char *path; /* "/avito/<secret>": what the request target must be, byte for byte. The
                         secret keeps strangers out: 128 random bits or more, 32 hex digits */
    void *buffer;     /* AVITO_WEBHOOK_SIZE(longest body) */
    size_t buffer_cap;
    /* Optional. Called with a complete body and the value of X-Avito-Messenger-Signature (ptr NULL
     * if there was none) before the answer is made; any result but AVITO_OK answers 403. The vendor
     * has not published how the signature is made. Not called for probes. */
    int (*verify)(void *ctx, const void *body, size_t len, avito_str signature);
    void *ctx;
    uint32_t request_timeout_ms; /* 0: 10000; for a whole request, and again for its answer */
    uint32_t idle_timeout_ms;    /* 0: 60000; between two requests */
} avito_webhook_options;

typedef struct avito_webhook {
    struct { /* private; bytes that are used most come first, where code reaches them cheaply */
        uint8_t state;
        uint8_t candidates; /* fields whose name the present one may still become, as bits */
        uint8_t difference; /* 0: the target equals the path so far */
        uint8_t gap;        /* white space was seen inside the value */
        uint8_t signature_len;
        uint8_t out_at, out_len;
        uint16_t at;       /* position in the method, target, version, name or word */
        uint16_t head_len; /* bytes of the present head so far */
        uint16_t path_len;
        uint16_t status;   /* of the last answer */
        unsigned flags;    /* AVITOI_WEBHOOK_* */
        int error;         /* what ended the connection; stays */
        uint32_t since_ms; /* when what is going on began */
        size_t length;     /* Content-Length */
        size_t body_len;
        char out[68];
        struct avitoi_body body;
    } priv;
    avito_webhook_options o; /* resolved: what is really in force */
} avito_webhook;

AVITO_API avito_webhook_options avito_webhook_options_default(void);

/* For a connection just accepted. AVITO_OK; ARGUMENT: the path does not begin with a slash, has
 * over 1024 bytes or one that is '?', '#' or not printable ASCII; ROOM: the buffer is missing or
 * takes no body at all. Copies the options; path and buffer must outlive it. `now_ms`, here and
 * below: any monotonic clock, may wrap. */
AVITO_API int avito_webhook_init(avito_webhook *webhook, const avito_webhook_options *options,
                                 uint32_t now_ms);

/* Takes up to `len` bytes, *used of them, and stops behind a request. AVITO_AGAIN: go by
 * avito_webhook_wants(). AVITO_OK: a notification waits. An error ends the connection and stays:
 * send the output, then close. HTTP, HTTP_LENGTH, HTTP_CHUNK, HTTP_HEAD, ROOM: the request is bad,
 * as above; HOOK: the verifier refused; TIMEOUT_TOTAL: the peer is too slow; TIMEOUT_IDLE: no
 * further request came. Once the peer has closed, only send what is left of the output. */
AVITO_API int avito_webhook_receive(avito_webhook *webhook, const void *data, size_t len,
                                    size_t *used, uint32_t now_ms);

/* AVITO_WANT_WRITE, AVITO_WANT_READ, or 0: finished, or a notification waits for its done(). */
AVITO_API int avito_webhook_wants(const avito_webhook *webhook);

/* Milliseconds until avito_webhook_receive() is due even if nothing comes; UINT32_MAX: never. */
AVITO_API uint32_t avito_webhook_deadline_ms(const avito_webhook *webhook, uint32_t now_ms);

/* Bytes to send now, good until the next avito_webhook_sent(); NULL and 0: none. */
AVITO_API const char *avito_webhook_output(const avito_webhook *webhook, size_t *len);
AVITO_API void avito_webhook_sent(avito_webhook *webhook, size_t len, uint32_t now_ms);

/* The body of the notification that waits, in your buffer, not NUL-terminated; NULL: none waits. */
AVITO_API const void *avito_webhook_body(const avito_webhook *webhook, size_t *len);

/* The signature that came with it; ptr NULL: none. */
AVITO_API avito_str avito_webhook_signature(const avito_webhook *webhook);

/* The notification is dealt with: its memory may take the next one. */
AVITO_API void avito_webhook_done(avito_webhook *webhook, uint32_t now_ms);

/* True when everything is answered and nothing more will be taken: close. Where the peer is not
 * your own proxy, shut down sending first and read on for a moment, or it may miss the answer. */
AVITO_API bool avito_webhook_finished(const avito_webhook *webhook);

/* HTTP status of the last answer, for your log; 0: none yet. */
AVITO_API int avito_webhook_status(const avito_webhook *webhook);

/* ======================================================================= *
 * >>30 INBOX AND CONFIRMED SENDS
 * ======================================================================= */

/* ======================================================================= *
 * >>31 POSIX TCP (AVITO_WITH_POSIX)
 * ======================================================================= *
 *
 * Sockets as a transport: IPv4 and IPv6, every address of the name tried in turn, no SIGPIPE, no
 * heap of our own. The C library's getaddrinfo() waits, so it is called by wait() alone: a lane that
 * may not wait needs a numeric host, `address`, or `resolve`.
 */
#if AVITO_WITH_POSIX

/* One address of a host, bytes in network order. */
typedef struct avito_tcp_address {
    uint8_t bytes[16];
    uint8_t size;   /* 4: IPv4, 16: IPv6 */
    uint32_t scope; /* IPv6 link-local only, else 0 */
} avito_tcp_address;

#define AVITO_TCP_ADDRESSES 8 /* tried per connect, at most */

typedef struct avito_tcp_options {
    bool never_wait;     /* no wait(): lanes on it return AVITO_AGAIN */
    const char *address; /* connect to this numeric address whatever the host is called; or NULL */
    /* Optional: looks names up instead of getaddrinfo(). Puts up to `cap` addresses into `out` and
     * their number, > 0, into *count. AVITO_OK; AVITO_AGAIN (called again later, must not wait on a
     * never_wait lane); AVITO_ERR_RESOLVE or another error. */
    int (*resolve)(void *ctx, const char *host, avito_tcp_address *out, size_t cap, size_t *count);
    void *ctx;
} avito_tcp_options;

typedef struct avito_tcp {
    avito_tcp_options o;
    struct {
        avito_tcp_address addresses[AVITO_TCP_ADDRESSES];
        size_t count;   /* of addresses */
        size_t next;    /* the one to try next */
        int fd;         /* -1: none */
        int error;      /* errno of the last failure */
        int failure;    /* result of a failed look-up */
        int wants;
        uint8_t state;  /* AVITOI_TCP_* */
        bool sent_last; /* the last I/O function called was send */
    } priv;
} avito_tcp;

AVITO_API avito_tcp_options avito_tcp_options_default(void);

/* AVITO_OK, ARGUMENT (`address` is not numeric), or OPTION_RESOLVE: never_wait without `address` and
 * `resolve`. `options` may be NULL. Copies them, but not the text of `address`. */
AVITO_API int avito_tcp_init(avito_tcp *tcp, const avito_tcp_options *options);

/* The transport to give to a client or to TLS. `tcp` must outlive it and serves one lane. */
AVITO_API avito_transport avito_tcp_transport(avito_tcp *tcp);

/* The socket, for select(), poll() or epoll; -1 while there is none. Changes with every connect, also
 * from one address to the next: ask after every step. */
AVITO_API int avito_tcp_fd(const avito_tcp *tcp);

/* Hooks for avito_account_options and avito_tls_options; `ctx` is not used. */
AVITO_API uint32_t avito_posix_clock_ms(void *ctx);
AVITO_API int64_t avito_posix_unix_time(void *ctx);
AVITO_API int avito_posix_entropy(void *ctx, void *out, size_t len);

#endif /* AVITO_WITH_POSIX */

/* ======================================================================= *
 * >>32 TLS BY BEARSSL (AVITO_WITH_BEARSSL)
 * ======================================================================= *
 *
 * TLS 1.2 as a transport over any transport: sockets, lwIP, a modem's UART. You give the context, the
 * buffers, the trust anchors, the time and the random bytes; nothing is allocated.
 *
 * Six suites (ECDHE with AES-128-GCM, AES-256-GCM or ChaCha20-Poly1305), no renegotiation, ALPN
 * "http/1.1", certificates signed with SHA-256, 384 or 512, RSA of 2048 bits or more. On top of what
 * BearSSL checks, each certificate of the chain (eight at most) must be v3 without repeated
 * extensions or name constraints, its extended key usage, if any, must allow TLS servers, and the
 * server's own must list its DNS names and be no CA. The host must be a name, not an address.
 */
#if AVITO_WITH_BEARSSL

#ifdef __cplusplus
} /* bearssl.h brings its own extern "C" */
#endif
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Weverything"
#endif
#endif
#include <bearssl.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* Bytes for .buffer. `fragment` is 512, 1024, 2048, 4096 or 16384. Below 16384 the server is asked for
 * small records; many servers ignore that, and a larger record is then AVITO_ERR_TLS_ROOM.
 * Half duplex shares one buffer: while a record is being sent none can be read, so the early answer
 * to an upload is seen between two records only. With a transport whose peer may stop reading
 * without closing, or for long uploads, take full duplex. */
#define AVITO_TLS_BUFFER_HALF(fragment) ((size_t)(fragment) + 325u)
#define AVITO_TLS_BUFFER_FULL(fragment) (2u * (size_t)(fragment) + 410u)

typedef struct avito_tls_options {
    avito_transport transport; /* carries the records */
    const br_x509_trust_anchor *anchors;
    size_t anchors_count;
    void *buffer;              /* for records, AVITO_TLS_BUFFER_*() bytes; must not move */
    size_t buffer_cap;
    bool full_duplex;          /* buffer_cap is AVITO_TLS_BUFFER_FULL() */
    void *read_ahead;          /* optional: 1 KB or more halve the transport's recv() calls */
    size_t read_ahead_cap;
    void *ctx;                 /* first argument of every hook below */
    int64_t (*unix_time)(void *ctx);                  /* required; before 2020: OPTION_TIME */
    int (*entropy)(void *ctx, void *out, size_t len); /* required; AVITO_OK or an error */
    /* Optional: called before and after each piece of handshake work. Where single multiplications
     * outlast the watchdog see AVITO_TLS_WATCHED_EC. */
    void (*watchdog)(void *ctx);
    /* Optional: chooses suites and implementations instead of avito_tls_profile(), to save flash.
     * What this client insists on is set after it and cannot be loosened here. With
     * AVITO_TLS_OWN_PROFILE 1 it is required and avito_tls_profile() is not linked. */
    void (*configure)(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509);
} avito_tls_options;

/* A TLS session to continue later, without certificates and long arithmetic: plain bytes, good for a
 * file or a backup register. Holds a secret: keep it like a key. Bound to host, port and anchors. */
#define AVITO_TLS_SESSION_SIZE 112
typedef struct avito_tls_session {
    uint8_t bytes[AVITO_TLS_SESSION_SIZE];
} avito_tls_session;

/* Why a certificate was refused with AVITO_ERR_TLS_CERT: avito_error.detail is one of these or
 * BearSSL's own BR_ERR_X509_*. */
#define AVITO_TLS_CERT_DER         901 /* not well-formed */
#define AVITO_TLS_CERT_VERSION     902 /* not version 3 */
#define AVITO_TLS_CERT_REPEATED    903 /* an extension stands twice, or there are over 32 */
#define AVITO_TLS_CERT_CONSTRAINTS 904 /* name constraints, which are not checked here */
#define AVITO_TLS_CERT_USAGE       905 /* extended key usage without TLS server */
#define AVITO_TLS_CERT_NO_NAME     906 /* the server's certificate lists no DNS name */
#define AVITO_TLS_CERT_CA          907 /* the server's certificate is a CA's */
#define AVITO_TLS_CERT_CHAIN       908 /* over eight certificates */

/* Private: what the check of one certificate remembers between two pieces of it. */
typedef struct avitoi_cert {
    const br_x509_class *vtable; /* first: BearSSL calls us through it */
    br_x509_minimal_context *inner;
    uint32_t pos;                /* bytes of the certificate seen */
    uint32_t need;               /* bytes to skip or to collect */
    uint32_t end[8];             /* where each open element ends */
    uint32_t seen[32];           /* hashes of the extensions' names */
    uint8_t held[12];            /* bytes collected */
    uint16_t failure;            /* AVITO_TLS_CERT_*; 0: none */
    uint8_t depth, step, field, tag, len_bytes, held_len, seen_len, certs, extension, found;
    bool started;                /* a chain came in this handshake */
} avitoi_cert;

typedef struct avito_tls {
    avito_tls_options o;
    struct {
        br_ssl_client_context ssl;
        br_x509_minimal_context x509;
        avitoi_cert cert;
        uint8_t anchors_key[32];   /* hash of the anchors */
        uint8_t session_key[32];   /* hash of anchors, host and port of `ssl`'s session */
        int64_t session_time;      /* when its certificates were checked; 0: no session */
        size_t ahead_pos, ahead_len;
        uint32_t record_left;      /* bytes of the record being received still to come */
        uint32_t handshake_bytes;
        int64_t now;
        int detail;
        int failure;               /* result that stays until the next connect; 0: none */
        int send_failure;          /* sending is over, receiving may go on */
        uint8_t state;             /* AVITOI_TLS_* */
        uint8_t head[5], head_len; /* of that record */
        uint8_t idle_records;      /* in a row without data */
        bool resumed, held_back;
    } priv;
} avito_tls;

AVITO_API avito_tls_options avito_tls_options_default(void);

/* AVITO_OK, or OPTION_TRANSPORT, OPTION_ANCHORS, OPTION_TIME, OPTION_ENTROPY (missing), TLS_ROOM
 * (buffer), ARGUMENT (configure chose a suite that is not allowed, or is missing). Copies the options. */
AVITO_API int avito_tls_init(avito_tls *tls, const avito_tls_options *options);

/* The transport to give to a client. `tls` must outlive it, must not move, and serves one lane. */
AVITO_API avito_transport avito_tls_transport(avito_tls *tls);

/* The default choice of implementations: the fastest that the machine has, all curves. */
AVITO_API void avito_tls_profile(br_ssl_client_context *ssl, br_x509_minimal_context *x509);

/* Whether the connection continued an earlier session, and its cipher suite (BR_TLS_*); 0: none. */
AVITO_API bool avito_tls_resumed(const avito_tls *tls);
AVITO_API int avito_tls_suite(const avito_tls *tls);

/* Takes the session out, to be put into another avito_tls or to survive a reboot. AVITO_OK, or
 * AVITO_END: there is none. */
AVITO_API int avito_tls_get_session(const avito_tls *tls, avito_tls_session *out);

/* Puts one in, between connections; the next connect tries it if it is for that host, port and these
 * anchors and not older than a day. AVITO_OK or ARGUMENT. */
AVITO_API int avito_tls_set_session(avito_tls *tls, const avito_tls_session *session);

/* ---- trust anchors ----
 *
 * br_x509_trust_anchor arrays: made by tools/anchors at build time, or read here from PEM at run time,
 * in pieces of any size. The memory given holds the result and must outlive its use. */
typedef struct avito_anchors {
    const br_x509_trust_anchor *items;
    size_t count;
    size_t skipped;             /* certificates with a kind of key that BearSSL does not know */
    size_t needed;              /* bytes of memory that hold everything read so far */
    struct {
        br_pem_decoder_context pem;
        br_x509_decoder_context x509;
        char *memory;
        size_t cap, low, high;  /* names and keys grow up, anchors grow down */
        size_t mark;            /* where the certificate in progress began */
        size_t bytes;           /* of it, counted also when they do not fit */
        int failure;
        bool open;              /* inside a certificate */
        bool full;
    } priv;
} avito_anchors;

AVITO_API void avito_anchors_begin(avito_anchors *anchors, void *memory, size_t cap);
AVITO_API void avito_anchors_add_pem(avito_anchors *anchors, const void *text, size_t len);

/* AVITO_OK; OPTION_ANCHORS: no certificate, or a broken or cut one; ROOM: give anchors->needed. */
AVITO_API int avito_anchors_end(avito_anchors *anchors);

/* The three in one. */
AVITO_API int avito_anchors_load_pem(avito_anchors *anchors, void *memory, size_t cap,
                                     const void *text, size_t len);
#if AVITO_WITH_POSIX
/* From a file such as /etc/ssl/certs/ca-certificates.crt, read in pieces. */
AVITO_API int avito_anchors_load_file(avito_anchors *anchors, void *memory, size_t cap,
                                      const char *path);
#endif

/* For boards whose watchdog is shorter than a handshake. BearSSL's arithmetic takes no context, so
 * these two define, in your own file, twins of an implementation that call hook() before and after
 * each multiplication; use them in .configure:
 *
 *     AVITO_TLS_WATCHED_EC(board_ec, br_ec_p256_m15, 1u << BR_EC_secp256r1, feed_watchdog)
 *     AVITO_TLS_WATCHED_RSA(board_rsa, br_rsa_i15_pkcs1_vrfy, feed_watchdog)
 */
#define AVITO_TLS_WATCHED_EC(name, inner, curves, hook)                                            \
    static uint32_t name##_mul(unsigned char *g, size_t g_len, const unsigned char *x,             \
                               size_t x_len, int curve)                                            \
    {                                                                                              \
        uint32_t ok;                                                                               \
        hook();                                                                                    \
        ok = (inner).mul(g, g_len, x, x_len, curve);                                               \
        hook();                                                                                    \
        return ok;                                                                                 \
    }                                                                                              \
    static size_t name##_mulgen(unsigned char *r, const unsigned char *x, size_t x_len, int curve) \
    {                                                                                              \
        size_t len;                                                                                \
        hook();                                                                                    \
        len = (inner).mulgen(r, x, x_len, curve);                                                  \
        hook();                                                                                    \
        return len;                                                                                \
    }                                                                                              \
    static uint32_t name##_muladd(unsigned char *a, const unsigned char *b, size_t len,            \
                                  const unsigned char *x, size_t x_len, const unsigned char *y,    \
                                  size_t y_len, int curve)                                         \
    {                                                                                              \
        uint32_t ok;                                                                               \
        hook();                                                                                    \
        ok = (inner).muladd(a, b, len, x, x_len, y, y_len, curve);                                 \
        hook();                                                                                    \
        return ok;                                                                                 \
    }                                                                                              \
    static const unsigned char *name##_generator(int curve, size_t *len)                           \
    {                                                                                              \
        return (inner).generator(curve, len);                                                      \
    }                                                                                              \
    static const unsigned char *name##_order(int curve, size_t *len)                               \
    {                                                                                              \
        return (inner).order(curve, len);                                                          \
    }                                                                                              \
    static size_t name##_xoff(int curve, size_t *len)                                              \
    {                                                                                              \
        return (inner).xoff(curve, len);                                                           \
    }                                                                                              \
    static const br_ec_impl name = {(uint32_t)(curves), name##_generator, name##_order,            \
                                    name##_xoff,        name##_mul,       name##_mulgen,           \
                                    name##_muladd};
#define AVITO_TLS_WATCHED_RSA(name, inner, hook)                                                   \
    static uint32_t name(const unsigned char *x, size_t x_len, const unsigned char *hash_oid,      \
                         size_t hash_len, const br_rsa_public_key *pk, unsigned char *hash_out)    \
    {                                                                                              \
        uint32_t ok;                                                                               \
        hook();                                                                                    \
        ok = inner(x, x_len, hash_oid, hash_len, pk, hash_out);                                    \
        hook();                                                                                    \
        return ok;                                                                                 \
    }

#endif /* AVITO_WITH_BEARSSL */

#ifdef __cplusplus
}
#endif

#endif /* AVITO_MESSENGER_H: end of the interface */

#if defined(AVITO_MESSENGER_IMPLEMENTATION) && !defined(AVITO_MESSENGER_IMPLEMENTED)
#define AVITO_MESSENGER_IMPLEMENTED

/* ======================================================================= *
 * >>40 PROLOGUE
 * ======================================================================= */

#include <string.h>

/* ======================================================================= *
 * >>48 HTTP BODY FRAMING
 * ======================================================================= *
 *
 * Where a body ends, for requests and answers alike: by its length, by chunks, or with the stream.
 * Strict: two readers of one stream that differ about a length can be made to take one person's
 * bytes for another's message. A chunk has 1 to 15 hex digits, lines end with CR LF and nothing
 * else, extensions and trailers are checked and dropped. Every state is a place where input can end.
 */

#define AVITOI_BODY_LINE_MAX     256u   /* one size line with its extensions */
#define AVITOI_BODY_TRAILER_MAX  4096u  /* all trailers together */
#define AVITOI_BODY_OVERHEAD_MAX 65536u /* framing beyond what as many body bytes pay for */
#define AVITOI_BODY_DIGITS_MAX   15u

enum { AVITOI_BODY_LENGTH, AVITOI_BODY_CHUNKED, AVITOI_BODY_UNTIL_CLOSE };

enum {
    AVITOI_BODY_SIZE, /* hex digits; from here to END_LF: framing */
    AVITOI_BODY_EXTENSION,
    AVITOI_BODY_SIZE_LF,
    AVITOI_BODY_DATA_CR,
    AVITOI_BODY_DATA_LF,
    AVITOI_BODY_TRAILER, /* at the start of a line */
    AVITOI_BODY_TRAILER_NAME,
    AVITOI_BODY_TRAILER_VALUE,
    AVITOI_BODY_TRAILER_LF,
    AVITOI_BODY_END_LF,
    AVITOI_BODY_DATA,
    AVITOI_BODY_DONE,
    AVITOI_BODY_BAD
};

/* RFC 9110, 5.6.2: what names of fields, methods and the like are made of. */
static bool avitoi_http_is_token(unsigned char c)
{
    unsigned char lower = (unsigned char)(c | 0x20u);

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           memchr("!#$%&'*+-.^_`|~", c, 15) != NULL;
}

/* What may stand in the value of a field: no control bytes but the tab. */
static bool avitoi_http_is_text(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static unsigned avitoi_http_hex(unsigned char c)
{
    unsigned char lower = (unsigned char)(c | 0x20u);

    if (c >= '0' && c <= '9') {
        return (unsigned)c - '0';
    }
    return lower >= 'a' && lower <= 'f' ? (unsigned)lower - 'a' + 10u : 16u;
}

/* `length` counts only for AVITOI_BODY_LENGTH. */
static void avitoi_body_init(struct avitoi_body *b, int mode, uint64_t length)
{
    memset(b, 0, sizeof *b);
    b->mode = (uint8_t)mode;
    if (mode == AVITOI_BODY_CHUNKED) {
        b->state = AVITOI_BODY_SIZE;
        return;
    }
    b->left = mode == AVITOI_BODY_LENGTH ? length : UINT64_MAX;
    b->state = (uint8_t)(b->left > 0 ? AVITOI_BODY_DATA : AVITOI_BODY_DONE);
}

static int avitoi_body_size_byte(struct avitoi_body *b, unsigned char c)
{
    unsigned digit = avitoi_http_hex(c);

    if (digit < 16 && b->line <= AVITOI_BODY_DIGITS_MAX) {
        b->left = b->left << 4 | digit;
        return AVITOI_BODY_SIZE;
    }
    if (b->line < 2) {
        return AVITOI_BODY_BAD;
    }
    return c == ';' ? AVITOI_BODY_EXTENSION : c == '\r' ? AVITOI_BODY_SIZE_LF : AVITOI_BODY_BAD;
}

/* Takes one byte of framing and returns the state that follows. */
static int avitoi_body_framing(struct avitoi_body *b, unsigned char c)
{
    switch ((int)b->state) {
        case AVITOI_BODY_SIZE:
            return avitoi_body_size_byte(b, c);
        case AVITOI_BODY_EXTENSION:
            return c == '\r'                ? AVITOI_BODY_SIZE_LF
                   : avitoi_http_is_text(c) ? AVITOI_BODY_EXTENSION
                                            : AVITOI_BODY_BAD;
        case AVITOI_BODY_SIZE_LF:
            b->line = 0;
            return c != '\n' ? AVITOI_BODY_BAD : b->left > 0 ? AVITOI_BODY_DATA : AVITOI_BODY_TRAILER;
        case AVITOI_BODY_DATA_CR:
            return c == '\r' ? AVITOI_BODY_DATA_LF : AVITOI_BODY_BAD;
        case AVITOI_BODY_DATA_LF:
            b->line = 0;
            return c == '\n' ? AVITOI_BODY_SIZE : AVITOI_BODY_BAD;
        case AVITOI_BODY_TRAILER:
            return c == '\r'                 ? AVITOI_BODY_END_LF
                   : avitoi_http_is_token(c) ? AVITOI_BODY_TRAILER_NAME
                                             : AVITOI_BODY_BAD;
        case AVITOI_BODY_TRAILER_NAME:
            return c == ':'                  ? AVITOI_BODY_TRAILER_VALUE
                   : avitoi_http_is_token(c) ? AVITOI_BODY_TRAILER_NAME
                                             : AVITOI_BODY_BAD;
        case AVITOI_BODY_TRAILER_VALUE:
            return c == '\r'                ? AVITOI_BODY_TRAILER_LF
                   : avitoi_http_is_text(c) ? AVITOI_BODY_TRAILER_VALUE
                                            : AVITOI_BODY_BAD;
        case AVITOI_BODY_TRAILER_LF:
            return c == '\n' ? AVITOI_BODY_TRAILER : AVITOI_BODY_BAD;
        default: /* AVITOI_BODY_END_LF */
            return c == '\n' ? AVITOI_BODY_DONE : AVITOI_BODY_BAD;
    }
}

static void avitoi_body_framing_byte(struct avitoi_body *b, unsigned char c)
{
    unsigned limit =
        b->state >= AVITOI_BODY_TRAILER ? AVITOI_BODY_TRAILER_MAX : AVITOI_BODY_LINE_MAX;

    b->line++;
    b->overhead++;
    if (b->line > limit || b->overhead > AVITOI_BODY_OVERHEAD_MAX) {
        b->state = AVITOI_BODY_BAD;
        return;
    }
    b->state = (uint8_t)avitoi_body_framing(b, c);
}

/* Finds the next run of body bytes in data[0..len): data[*start .. *start + *body_len), maybe empty.
 * Takes *used bytes. AVITO_AGAIN: the body goes on, call again with the bytes after *used (at least
 * one was taken if len > 0). AVITO_END: it is complete; what follows *used is not part of it.
 * AVITO_ERR_HTTP_CHUNK, which stays. With len 0 it tells whether the body is complete. */
static int avitoi_body_feed(struct avitoi_body *b, const char *data, size_t len,
                                   size_t *start, size_t *body_len, size_t *used)
{
    size_t at = 0;
    size_t n = 0;

    while (at < len && b->state < AVITOI_BODY_DATA) {
        avitoi_body_framing_byte(b, (unsigned char)data[at++]);
    }
    *start = at;
    if (b->state == AVITOI_BODY_DATA) {
        n = len - at < b->left ? len - at : (size_t)b->left;
        b->left -= n;
        b->overhead -= n < b->overhead ? (uint32_t)n : b->overhead;
        if (b->left == 0) {
            b->state = (uint8_t)(b->mode == AVITOI_BODY_CHUNKED ? AVITOI_BODY_DATA_CR
                                                                : AVITOI_BODY_DONE);
        }
    }
    *body_len = n;
    *used = at + n;
    if (b->state == AVITOI_BODY_BAD) {
        return AVITO_ERR_HTTP_CHUNK;
    }
    return b->state == AVITOI_BODY_DONE ? AVITO_END : AVITO_AGAIN;
}

/* The result when the stream has ended: AVITO_END if the body is complete, else CLOSED. */
static inline int avitoi_body_at_close(const struct avitoi_body *b)
{
    return b->state == AVITOI_BODY_DONE || b->mode == AVITOI_BODY_UNTIL_CLOSE ? AVITO_END
                                                                             : AVITO_ERR_CLOSED;
}

/* ======================================================================= *
 * >>58 WEBHOOK RECEIVER
 * ======================================================================= *
 *
 * A request is read byte by byte; every state is a place where input can end, and nothing is looked
 * at twice. No input is taken while an answer is going out or a notification waits.
 *
 *     START > METHOD > TARGET > VERSION > LINE_LF > FIELD > NAME > VALUE > LINE_LF > FIELD ...
 *                                                   FIELD > END_LF > BODY > START
 */

#define AVITOI_WEBHOOK_HEAD_MAX 8192u
#define AVITOI_WEBHOOK_PATH_MAX 1024u
#define AVITOI_WEBHOOK_OTHER    UINT16_MAX /* .at: not the word looked for */

enum {
    AVITOI_WEBHOOK_START,
    AVITOI_WEBHOOK_START_LF,
    AVITOI_WEBHOOK_METHOD,
    AVITOI_WEBHOOK_TARGET,
    AVITOI_WEBHOOK_VERSION,
    AVITOI_WEBHOOK_LINE_LF,
    AVITOI_WEBHOOK_FIELD, /* at the start of a line */
    AVITOI_WEBHOOK_NAME,
    AVITOI_WEBHOOK_VALUE,
    AVITOI_WEBHOOK_END_LF,
    AVITOI_WEBHOOK_BODY
};

/* .flags. The first six stand for header fields, in the order of their names. */
#define AVITOI_WEBHOOK_CLOSE     0x0001u /* Connection: close, or there is another reason to */
#define AVITOI_WEBHOOK_CONTINUE  0x0002u /* Expect: 100-continue */
#define AVITOI_WEBHOOK_HOST      0x0004u /* the field was seen, as with those that follow */
#define AVITOI_WEBHOOK_LENGTH    0x0008u
#define AVITOI_WEBHOOK_CODING    0x0010u
#define AVITOI_WEBHOOK_SIGNATURE 0x0020u
#define AVITOI_WEBHOOK_FIELDS    0x003fu
#define AVITOI_WEBHOOK_ONCE      0x003cu /* fields that may come once only */
#define AVITOI_WEBHOOK_NOT_POST  0x0040u
#define AVITOI_WEBHOOK_HTTP10    0x0080u
#define AVITOI_WEBHOOK_CLOSING   0x0100u /* no more input */
#define AVITOI_WEBHOOK_EVENT     0x0200u /* a notification waits */

static void avitoi_webhook_add(avito_webhook *w, const char *text)
{
    size_t len = strlen(text);

    memcpy(w->priv.out + w->priv.out_len, text, len);
    w->priv.out_len = (uint8_t)(w->priv.out_len + len);
}

/* Writes the answer: 68 bytes at most, for a 405 that closes. */
static void avitoi_webhook_answer(avito_webhook *w, unsigned status)
{
    unsigned n = status;
    size_t i;

    avitoi_webhook_add(w, "HTTP/1.1 000 \r\n");
    for (i = 11; i > 8; i--) {
        w->priv.out[i] = (char)('0' + n % 10);
        n /= 10;
    }
    if (status != 100) {
        w->priv.status = (uint16_t)status;
        avitoi_webhook_add(w, "Content-Length: 0\r\n");
        if (status == 405) {
            avitoi_webhook_add(w, "Allow: POST\r\n");
        }
        if ((w->priv.flags & AVITOI_WEBHOOK_CLOSE) != 0) {
            w->priv.flags |= AVITOI_WEBHOOK_CLOSING;
            avitoi_webhook_add(w, "Connection: close\r\n");
        }
    }
    avitoi_webhook_add(w, "\r\n");
}

static int avitoi_webhook_fail(avito_webhook *w, int error)
{
    unsigned status = error == AVITO_ERR_HOOK            ? 403
                      : error == AVITO_ERR_TIMEOUT_TOTAL ? 408
                      : error == AVITO_ERR_ROOM          ? 413
                      : error == AVITO_ERR_HTTP_HEAD     ? 431
                                                         : 400;

    w->priv.error = error;
    w->priv.flags |= AVITOI_WEBHOOK_CLOSE;
    w->priv.state = AVITOI_WEBHOOK_START;
    w->priv.head_len = 0;
    avitoi_webhook_answer(w, status);
    return error;
}

static int avitoi_webhook_go(avito_webhook *w, bool legal, int state)
{
    w->priv.state = (uint8_t)state;
    return legal ? AVITO_AGAIN : AVITO_ERR_HTTP;
}

/* ---- the end of a request ---- */

/* `{}` or nothing: somebody asks whether we are there. */
static bool avitoi_webhook_is_probe(const char *body, size_t len)
{
    size_t i;
    size_t seen = 0;

    for (i = 0; i < len; i++) {
        if (memchr(" \t\r\n", body[i], 4) != NULL) {
            continue;
        }
        if (seen >= 2 || body[i] != "{}"[seen]) {
            return false;
        }
        seen++;
    }
    return seen != 1;
}

/* What the request line deserves. */
static unsigned avitoi_webhook_refusal(const avito_webhook *w)
{
    if (w->priv.difference != 0) {
        return 404;
    }
    return (w->priv.flags & AVITOI_WEBHOOK_NOT_POST) != 0 ? 405 : 200;
}

static int avitoi_webhook_complete(avito_webhook *w)
{
    const char *body = (const char *)w->o.buffer;
    size_t len = w->priv.body_len;
    unsigned status = avitoi_webhook_refusal(w);

    w->priv.state = AVITOI_WEBHOOK_START;
    w->priv.head_len = 0;
    if (status != 200 || avitoi_webhook_is_probe(body, len)) {
        avitoi_webhook_answer(w, status);
        return AVITO_AGAIN;
    }
    w->priv.flags |= AVITOI_WEBHOOK_EVENT;
    if (w->o.verify != NULL &&
        w->o.verify(w->o.ctx, body, len, avito_webhook_signature(w)) != AVITO_OK) {
        w->priv.flags &= ~AVITOI_WEBHOOK_EVENT;
        return AVITO_ERR_HOOK;
    }
    avitoi_webhook_answer(w, 200);
    return AVITO_OK;
}

static int avitoi_webhook_body_bytes(avito_webhook *w, const char *data, size_t len, size_t *used)
{
    size_t start, n;
    int result = avitoi_body_feed(&w->priv.body, data, len, &start, &n, used);

    if (n > w->o.buffer_cap - AVITO_WEBHOOK_SIGNATURE_ROOM - w->priv.body_len) {
        return AVITO_ERR_ROOM;
    }
    if (n > 0) {
        memcpy((char *)w->o.buffer + w->priv.body_len, data + start, n);
        w->priv.body_len += n;
    }
    if (result < 0) {
        return result;
    }
    return result == AVITO_END ? avitoi_webhook_complete(w) : AVITO_AGAIN;
}

/* ---- the head ---- */

/* What only the whole head can tell; then the body begins. */
static int avitoi_webhook_head_end(avito_webhook *w)
{
    unsigned flags = w->priv.flags;
    bool chunked = (flags & AVITOI_WEBHOOK_CODING) != 0;
    bool http10 = (flags & AVITOI_WEBHOOK_HTTP10) != 0;
    size_t used;

    if (!http10 && (flags & AVITOI_WEBHOOK_HOST) == 0) {
        return AVITO_ERR_HTTP;
    }
    if (chunked && (http10 || (flags & AVITOI_WEBHOOK_LENGTH) != 0)) {
        return AVITO_ERR_HTTP_LENGTH;
    }
    if (w->priv.length > w->o.buffer_cap - AVITO_WEBHOOK_SIGNATURE_ROOM) {
        return AVITO_ERR_ROOM;
    }
    w->priv.state = AVITOI_WEBHOOK_BODY;
    avitoi_body_init(&w->priv.body, chunked ? AVITOI_BODY_CHUNKED : AVITOI_BODY_LENGTH,
                     w->priv.length);
    if ((flags & AVITOI_WEBHOOK_CONTINUE) != 0 && !http10 && (chunked || w->priv.length > 0)) {
        if (avitoi_webhook_refusal(w) != 200) {
            w->priv.flags |= AVITOI_WEBHOOK_CLOSE; /* the body may come all the same */
            return avitoi_webhook_complete(w);
        }
        avitoi_webhook_answer(w, 100);
        return AVITO_AGAIN;
    }
    return avitoi_webhook_body_bytes(w, NULL, 0, &used);
}

static int avitoi_webhook_method_byte(avito_webhook *w, unsigned char c)
{
    bool end = c == ' ';

    if (w->priv.at > 4 || (unsigned char)"POST "[w->priv.at] != c) {
        w->priv.flags |= AVITOI_WEBHOOK_NOT_POST;
    }
    w->priv.at = (uint16_t)(end ? 0 : w->priv.at + 1);
    return avitoi_webhook_go(w, end || avitoi_http_is_token(c),
                             end ? AVITOI_WEBHOOK_TARGET : AVITOI_WEBHOOK_METHOD);
}

/* Takes as long for a wrong secret as for the right one: only the target's own length shows. */
static int avitoi_webhook_target_byte(avito_webhook *w, unsigned char c)
{
    size_t at = w->priv.at;

    if (c == ' ') {
        w->priv.difference = (uint8_t)(w->priv.difference | (at != w->priv.path_len));
        w->priv.at = 0;
        return avitoi_webhook_go(w, at > 0, AVITOI_WEBHOOK_VERSION);
    }
    if (at < w->priv.path_len) {
        unsigned char wanted = (unsigned char)w->o.path[at];
        w->priv.difference = (uint8_t)(w->priv.difference | (wanted ^ c));
    }
    w->priv.at++;
    return avitoi_webhook_go(w, c > ' ' && c < 0x7f, AVITOI_WEBHOOK_TARGET);
}

static int avitoi_webhook_version_byte(avito_webhook *w, unsigned char c)
{
    unsigned at = w->priv.at++;

    if (at == 7 && c == '0') {
        w->priv.flags |= AVITOI_WEBHOOK_HTTP10 | AVITOI_WEBHOOK_CLOSE;
        return AVITO_AGAIN;
    }
    return avitoi_webhook_go(w, c == (unsigned char)"HTTP/1.1\r"[at],
                             at == 8 ? AVITOI_WEBHOOK_LINE_LF : AVITOI_WEBHOOK_VERSION);
}

static int avitoi_webhook_name_byte(avito_webhook *w, unsigned char c)
{
    static const char *const names[] = {
        "connection",        "expect", "host", "content-length",
        "transfer-encoding", "x-avito-messenger-signature"};
    unsigned at = w->priv.at++;
    unsigned lower = c == ':' ? 0 : c | 0x20u; /* the name is over where the word is */
    unsigned i, bit;

    if (c == ':' ? at == 0 : !avitoi_http_is_token(c)) {
        return AVITO_ERR_HTTP;
    }
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        bit = 1u << i;
        if ((w->priv.candidates & bit) != 0 && (unsigned char)names[i][at] != lower) {
            w->priv.candidates = (uint8_t)(w->priv.candidates & ~bit);
        }
    }
    if (c != ':') {
        return AVITO_AGAIN;
    }
    bit = w->priv.candidates & AVITOI_WEBHOOK_ONCE; /* one, or none */
    if ((w->priv.flags & bit) != 0) {
        return bit == AVITOI_WEBHOOK_LENGTH || bit == AVITOI_WEBHOOK_CODING ? AVITO_ERR_HTTP_LENGTH
                                                                            : AVITO_ERR_HTTP;
    }
    w->priv.flags |= bit;
    w->priv.at = 0;
    w->priv.gap = 0;
    w->priv.state = AVITOI_WEBHOOK_VALUE;
    return AVITO_AGAIN;
}

/* Follows a value, or each element of a list, along `word`. At its end: 1 if it is the word, -1 if
 * it is not. Before: 0. */
static int avitoi_webhook_word(avito_webhook *w, const char *word, unsigned char c)
{
    unsigned at = w->priv.at;

    if (c == '\r' || c == ',') {
        w->priv.at = 0;
        w->priv.gap = 0;
        return at != AVITOI_WEBHOOK_OTHER && word[at] == '\0' ? 1 : -1;
    }
    if (c == ' ' || c == '\t') {
        w->priv.gap = at > 0;
    } else if (at == AVITOI_WEBHOOK_OTHER || w->priv.gap != 0 ||
               (unsigned char)word[at] != (c | 0x20u)) {
        w->priv.at = AVITOI_WEBHOOK_OTHER;
    } else {
        w->priv.at++;
    }
    return 0;
}

/* Digits with white space around them and nothing else. A number too large to count stays there. */
static int avitoi_webhook_length_byte(avito_webhook *w, unsigned char c)
{
    size_t n = w->priv.length;

    if (c == '\r') {
        return w->priv.at > 0 ? AVITO_AGAIN : AVITO_ERR_HTTP_LENGTH;
    }
    if (c == ' ' || c == '\t') {
        w->priv.gap = w->priv.at > 0;
        return AVITO_AGAIN;
    }
    if (c < '0' || c > '9' || w->priv.gap != 0) {
        return AVITO_ERR_HTTP_LENGTH;
    }
    w->priv.at++;
    w->priv.length = n > (SIZE_MAX - 9) / 10 ? SIZE_MAX : n * 10 + (size_t)(c - '0');
    return AVITO_AGAIN;
}

/* Keeps the value behind the room for the body, without white space around it. */
static int avitoi_webhook_signature_byte(avito_webhook *w, unsigned char c)
{
    char *kept = (char *)w->o.buffer + w->o.buffer_cap - AVITO_WEBHOOK_SIGNATURE_ROOM;
    unsigned len = w->priv.signature_len;

    if (c == '\r') {
        while (len > 0 && (kept[len - 1] == ' ' || kept[len - 1] == '\t')) {
            len--;
        }
        kept[len] = '\0';
    } else if (len > 0 || (c != ' ' && c != '\t')) {
        if (len == AVITO_WEBHOOK_SIGNATURE_ROOM - 1) {
            return AVITO_ERR_HTTP_HEAD;
        }
        kept[len++] = (char)c;
    }
    w->priv.signature_len = (uint8_t)len;
    return AVITO_AGAIN;
}

static int avitoi_webhook_value_byte(avito_webhook *w, unsigned char c)
{
    unsigned field = w->priv.candidates;
    int result = AVITO_AGAIN;

    switch ((int)field) {
        case (int)AVITOI_WEBHOOK_CLOSE:
        case (int)AVITOI_WEBHOOK_CONTINUE: /* other expectations need not be refused */
            if (avitoi_webhook_word(
                    w, field == AVITOI_WEBHOOK_CLOSE ? "close" : "100-continue", c) > 0) {
                w->priv.flags |= field;
            }
            break;
        case (int)AVITOI_WEBHOOK_LENGTH:
            result = avitoi_webhook_length_byte(w, c);
            break;
        case (int)AVITOI_WEBHOOK_CODING: /* no list: another coding would hide the length */
            if (avitoi_webhook_word(w, "chunked", c) < 0 || c == ',') {
                result = AVITO_ERR_HTTP_LENGTH;
            }
            break;
        case (int)AVITOI_WEBHOOK_SIGNATURE:
            result = avitoi_webhook_signature_byte(w, c);
            break;
        default:
            break;
    }
    w->priv.state = c == '\r' ? AVITOI_WEBHOOK_LINE_LF : AVITOI_WEBHOOK_VALUE;
    return result;
}

static int avitoi_webhook_first_byte(avito_webhook *w, unsigned char c)
{
    if (c == '\r') { /* empty lines before a request are allowed */
        return avitoi_webhook_go(w, true, AVITOI_WEBHOOK_START_LF);
    }
    w->priv.flags = 0;
    w->priv.body_len = 0;
    w->priv.length = 0;
    w->priv.signature_len = 0;
    w->priv.difference = 0;
    w->priv.at = 0;
    return avitoi_webhook_method_byte(w, c);
}

static int avitoi_webhook_head_byte(avito_webhook *w, unsigned char c)
{
    if (++w->priv.head_len > AVITOI_WEBHOOK_HEAD_MAX) {
        return AVITO_ERR_HTTP_HEAD;
    }
    switch ((int)w->priv.state) {
        case AVITOI_WEBHOOK_START:
            return avitoi_webhook_first_byte(w, c);
        case AVITOI_WEBHOOK_START_LF:
            return avitoi_webhook_go(w, c == '\n', AVITOI_WEBHOOK_START);
        case AVITOI_WEBHOOK_METHOD:
            return avitoi_webhook_method_byte(w, c);
        case AVITOI_WEBHOOK_TARGET:
            return avitoi_webhook_target_byte(w, c);
        case AVITOI_WEBHOOK_VERSION:
            return avitoi_webhook_version_byte(w, c);
        case AVITOI_WEBHOOK_LINE_LF:
            return avitoi_webhook_go(w, c == '\n', AVITOI_WEBHOOK_FIELD);
        case AVITOI_WEBHOOK_FIELD:
            if (c == '\r') {
                return avitoi_webhook_go(w, true, AVITOI_WEBHOOK_END_LF);
            }
            w->priv.at = 0;
            w->priv.candidates = AVITOI_WEBHOOK_FIELDS;
            w->priv.state = AVITOI_WEBHOOK_NAME;
            return avitoi_webhook_name_byte(w, c);
        case AVITOI_WEBHOOK_NAME:
            return avitoi_webhook_name_byte(w, c);
        case AVITOI_WEBHOOK_VALUE:
            if (c != '\r' && !avitoi_http_is_text(c)) {
                return AVITO_ERR_HTTP;
            }
            return avitoi_webhook_value_byte(w, c);
        default: /* AVITOI_WEBHOOK_END_LF */
            if (c != '\n') {
                return AVITO_ERR_HTTP;
            }
            return avitoi_webhook_head_end(w);
    }
}

/* ---- the public part ---- */

/* Between two requests. */
static bool avitoi_webhook_idle(const avito_webhook *w)
{
    return w->priv.state == AVITOI_WEBHOOK_START && w->priv.head_len == 0;
}

static int avitoi_webhook_overdue(avito_webhook *w, uint32_t now_ms)
{
    w->priv.since_ms = now_ms;
    if (w->priv.out_len == 0 && !avitoi_webhook_idle(w)) {
        return avitoi_webhook_fail(w, AVITO_ERR_TIMEOUT_TOTAL);
    }
    if (w->priv.error == 0) {
        w->priv.error = w->priv.out_len > 0 ? AVITO_ERR_TIMEOUT_TOTAL : AVITO_ERR_TIMEOUT_IDLE;
    }
    w->priv.out_len = 0; /* an answer that nobody takes is dropped */
    w->priv.out_at = 0;
    w->priv.flags |= AVITOI_WEBHOOK_CLOSING;
    return w->priv.error;
}

AVITO_API avito_webhook_options avito_webhook_options_default(void)
{
    avito_webhook_options options;

    memset(&options, 0, sizeof options);
    return options;
}

AVITO_API int avito_webhook_init(avito_webhook *webhook, const avito_webhook_options *options,
                                 uint32_t now_ms)
{
    const char *path = options->path;
    size_t len = 0;

    if (path == NULL || path[0] != '/') {
        return AVITO_ERR_ARGUMENT;
    }
    while (path[len] > ' ' && path[len] < 0x7f && path[len] != '?' && path[len] != '#') {
        len++;
    }
    if (path[len] != '\0' || len > AVITOI_WEBHOOK_PATH_MAX) {
        return AVITO_ERR_ARGUMENT;
    }
    if (options->buffer == NULL || options->buffer_cap <= AVITO_WEBHOOK_SIGNATURE_ROOM) {
        return AVITO_ERR_ROOM;
    }
    memset(webhook, 0, sizeof *webhook);
    webhook->o = *options;
    if (webhook->o.request_timeout_ms == 0) {
        webhook->o.request_timeout_ms = 10000;
    }
    if (webhook->o.idle_timeout_ms == 0) {
        webhook->o.idle_timeout_ms = 60000;
    }
    webhook->priv.path_len = (uint16_t)len;
    webhook->priv.since_ms = now_ms;
    return AVITO_OK;
}

AVITO_API int avito_webhook_receive(avito_webhook *webhook, const void *data, size_t len,
                                    size_t *used, uint32_t now_ms)
{
    const char *bytes = (const char *)data;
    int result = AVITO_AGAIN;
    size_t n;

    *used = 0;
    if (avito_webhook_deadline_ms(webhook, now_ms) == 0) {
        return avitoi_webhook_overdue(webhook, now_ms);
    }
    if (webhook->priv.error != 0) {
        return webhook->priv.error;
    }
    while (result == AVITO_AGAIN && *used < len &&
           avito_webhook_wants(webhook) == AVITO_WANT_READ) {
        if (avitoi_webhook_idle(webhook)) {
            webhook->priv.since_ms = now_ms; /* a request begins */
        }
        n = 1;
        result = webhook->priv.state == AVITOI_WEBHOOK_BODY
                     ? avitoi_webhook_body_bytes(webhook, bytes + *used, len - *used, &n)
                     : avitoi_webhook_head_byte(webhook, (unsigned char)bytes[*used]);
        *used += n;
        if (result < 0) {
            result = avitoi_webhook_fail(webhook, result);
        }
        if (avitoi_webhook_idle(webhook)) {
            webhook->priv.since_ms = now_ms; /* its answer begins */
        }
    }
    return result;
}

AVITO_API int avito_webhook_wants(const avito_webhook *webhook)
{
    if (webhook->priv.out_len > 0) {
        return AVITO_WANT_WRITE;
    }
    return (webhook->priv.flags & (AVITOI_WEBHOOK_EVENT | AVITOI_WEBHOOK_CLOSING)) == 0
               ? AVITO_WANT_READ
               : 0;
}

AVITO_API uint32_t avito_webhook_deadline_ms(const avito_webhook *webhook, uint32_t now_ms)
{
    uint32_t limit = webhook->o.request_timeout_ms;
    uint32_t elapsed = now_ms - webhook->priv.since_ms;
    int wants = avito_webhook_wants(webhook);

    if (wants == 0) {
        return UINT32_MAX;
    }
    if (wants == AVITO_WANT_READ && avitoi_webhook_idle(webhook)) {
        limit = webhook->o.idle_timeout_ms;
    }
    return elapsed < limit ? limit - elapsed : 0;
}

AVITO_API const char *avito_webhook_output(const avito_webhook *webhook, size_t *len)
{
    *len = (size_t)(webhook->priv.out_len - webhook->priv.out_at);
    return *len > 0 ? webhook->priv.out + webhook->priv.out_at : NULL;
}

AVITO_API void avito_webhook_sent(avito_webhook *webhook, size_t len, uint32_t now_ms)
{
    size_t left = (size_t)(webhook->priv.out_len - webhook->priv.out_at);

    if (len < left) {
        webhook->priv.out_at = (uint8_t)(webhook->priv.out_at + len);
        return;
    }
    webhook->priv.out_at = 0;
    webhook->priv.out_len = 0;
    if (avitoi_webhook_idle(webhook)) {
        webhook->priv.since_ms = now_ms;
    }
}

AVITO_API const void *avito_webhook_body(const avito_webhook *webhook, size_t *len)
{
    bool waits = (webhook->priv.flags & AVITOI_WEBHOOK_EVENT) != 0;

    *len = waits ? webhook->priv.body_len : 0;
    return waits ? webhook->o.buffer : NULL;
}

AVITO_API avito_str avito_webhook_signature(const avito_webhook *webhook)
{
    unsigned needed = AVITOI_WEBHOOK_EVENT | AVITOI_WEBHOOK_SIGNATURE;
    avito_str signature = {NULL, 0};

    if ((webhook->priv.flags & needed) == needed) {
        signature.ptr = (const char *)webhook->o.buffer + webhook->o.buffer_cap -
                        AVITO_WEBHOOK_SIGNATURE_ROOM;
        signature.len = webhook->priv.signature_len;
    }
    return signature;
}

AVITO_API void avito_webhook_done(avito_webhook *webhook, uint32_t now_ms)
{
    webhook->priv.flags &= ~AVITOI_WEBHOOK_EVENT;
    if (webhook->priv.out_len == 0) {
        webhook->priv.since_ms = now_ms;
    }
}

AVITO_API bool avito_webhook_finished(const avito_webhook *webhook)
{
    return webhook->priv.out_len == 0 && (webhook->priv.flags & AVITOI_WEBHOOK_CLOSING) != 0;
}

AVITO_API int avito_webhook_status(const avito_webhook *webhook)
{
    return (int)webhook->priv.status;
}

/* ======================================================================= *
 * >>59 INBOX AND CONFIRMED SENDS
 * ======================================================================= */

/* ======================================================================= *
 * >>60 POSIX TCP
 * ======================================================================= */

/* ======================================================================= *
 * >>61 TLS BY BEARSSL
 * ======================================================================= */

#endif /* AVITO_MESSENGER_IMPLEMENTATION */
