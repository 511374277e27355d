/*
 * A careless caller gets an error. Every public function (build/careless/functions.h is made of the
 * header's declarations) is called with NULL for each of its pointers, with objects that are zeroed
 * or whose init failed, in every state of the lane, and from inside every hook. One rule for all
 * objects: ARGUMENT or BUSY; a function without such a result gives what `rules` says; never a
 * crash, never a hang.
 * Rooms: none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "avito_messenger.h"
#include "support/anyone.h"

/* ---- the table ---- */

#include "functions.h"

enum { FUNCTIONS = sizeof functions / sizeof *functions };

enum kind {
    PURE,   /* needs no object */
    MAKES,  /* its first pointer is what it makes or fills with a beginning */
    CALL,   /* begins a call on a lane: BUSY while there is one, and in its hooks */
    ONWARD, /* continues what a lane has begun: BUSY in its hooks */
    USES,   /* anything else */
    ENDS    /* ends what goes on */
};

#define ARGUMENT AVITO_ERR_ARGUMENT

static const struct rule {
    const char *name;
    enum kind kind;
    const char *optional; /* pointers that may be NULL, each with a blank after it */
    int64_t missing;      /* the result where it is not the kind's, or an object is not ready */
} rules[] = {
    {"avito_error_name", PURE, "", 0},
    {"avito_error_text", PURE, "", 0},
    {"avito_error_remedy", PURE, "", 0},
    {"avito_arena_of", PURE, "", 0},
    {"avito_arena_reset", USES, "", 0},
    {"avito_str_equal", PURE, "", false},
    {"avito_account_options_default", PURE, "", 0},
    {"avito_enable_token_store", MAKES, "", 0},
    {"avito_enable_diagnostics", MAKES, "", 0},
    {"avito_enable_lanes", MAKES, "", 0},
    {"avito_account_init", MAKES, "", ARGUMENT},
    {"avito_authorize_url", USES, "state out_len ", ARGUMENT},
    {"avito_consent_url", USES, "out_len ", ARGUMENT},
    {"avito_account_unpaid", USES, "", false},
    {"avito_account_refresh_in_doubt", USES, "", false},
    {"avito_account_by_consent", USES, "", ARGUMENT},
    {"avito_account_open_gate", USES, "", ARGUMENT},
    {"avito_classify", PURE, "", AVITO_CLASS_UNSUPPORTED},
    {"avito_client_options_default", PURE, "", 0},
    {"avito_enable_retries", MAKES, "", 0},
    {"avito_enable_dry_run", MAKES, "", 0},
    {"avito_enable_raw", MAKES, "", 0},
    {"avito_enable_sent", MAKES, "", 0},
    {"avito_enable_pages", MAKES, "", 0},
    {"avito_set_headers", MAKES, "headers bad ", ARGUMENT},
    {"avito_client_init", MAKES, "", ARGUMENT},
    {"avito_client_close", ENDS, "", 0},
    {"avito_step", ONWARD, "", ARGUMENT},
    {"avito_wants", USES, "", 0},
    {"avito_deadline_ms", USES, "", UINT32_MAX},
    {"avito_cancel", ENDS, "", 0},
    {"avito_last_error", USES, "", true},
    {"avito_get_token", CALL, "out ", ARGUMENT},
    {"avito_exchange_code", CALL, "out ", ARGUMENT},
    {"avito_consent_exchange", CALL, "out ", ARGUMENT},
    {"avito_refresh_token", CALL, "out ", ARGUMENT},
    {"avito_get_chats", CALL, "query ", ARGUMENT},
    {"avito_get_messages", CALL, "query ", ARGUMENT},
    {"avito_list_chats", CALL, "query ", ARGUMENT},
    {"avito_next_chat", ONWARD, "", ARGUMENT},
    {"avito_list_messages", CALL, "query ", ARGUMENT},
    {"avito_next_message", ONWARD, "", ARGUMENT},
    {"avito_next_voice_file", ONWARD, "", ARGUMENT},
    {"avito_next_subscription", ONWARD, "", ARGUMENT},
    {"avito_list_end", ONWARD, "", ARGUMENT},
    {"avito_list_open", USES, "", false},
    {"avito_list_offset", USES, "", 0},
    {"avito_list_has_more", USES, "", false},
    {"avito_send_message", CALL, "out ", ARGUMENT},
    {"avito_send_image_message", CALL, "out ", ARGUMENT},
    {"avito_next_part", PURE, "", 0},
    {"avito_split_text", PURE, "", 0},
    {"avito_confirm_sends", CALL, "baseline ", ARGUMENT},
    {"avito_parse_webhook", USES, "needed ", ARGUMENT},
    {"avito_parse_webhook_raw", USES, "needed ", ARGUMENT},
    {"avito_webhook_options_default", PURE, "", 0},
    {"avito_webhook_init", MAKES, "", ARGUMENT},
    {"avito_webhook_receive", USES, "", ARGUMENT},
    {"avito_webhook_wants", USES, "", 0},
    {"avito_webhook_deadline_ms", USES, "", UINT32_MAX},
    {"avito_webhook_output", USES, "", 0},
    {"avito_webhook_sent", USES, "", 0},
    {"avito_webhook_body", USES, "", 0},
    {"avito_webhook_event", USES, "needed ", ARGUMENT},
    {"avito_webhook_signature", USES, "", 0},
    {"avito_webhook_done", USES, "", 0},
    {"avito_webhook_finished", USES, "", true},
    {"avito_webhook_status", USES, "", 0},
    {"avito_inbox_options_default", PURE, "", 0},
    {"avito_enable_inbox_records", MAKES, "", 0},
    {"avito_inbox_init", MAKES, "", ARGUMENT},
    {"avito_inbox_next", ONWARD, "", ARGUMENT},
    {"avito_inbox_accept", USES, "", ARGUMENT},
    {"avito_inbox_offer", USES, "", ARGUMENT},
    {"avito_inbox_doorbell", USES, "", 0},
    {"avito_inbox_wants", USES, "", 0},
    {"avito_inbox_deadline_ms", USES, "", UINT32_MAX},
    {"avito_inbox_events", USES, "", 0},
    {"avito_inbox_about", USES, "", true},
    {"avito_tcp_options_default", PURE, "", 0},
    {"avito_tcp_init", MAKES, "options ", ARGUMENT},
    {"avito_tcp_transport", USES, "", 0},
    {"avito_tcp_fd", USES, "", -1},
    {"avito_posix_clock_ms", PURE, "ctx ", 0},
    {"avito_posix_unix_time", PURE, "ctx ", 0},
    {"avito_posix_entropy", PURE, "ctx ", ARGUMENT},
    {"avito_tls_options_default", PURE, "", 0},
    {"avito_tls_init", MAKES, "", ARGUMENT},
    {"avito_tls_transport", USES, "", 0},
    {"avito_tls_arena", USES, "", 0},
    {"avito_tls_profile", MAKES, "", 0},
    {"avito_tls_resumed", USES, "", false},
    {"avito_tls_suite", USES, "", 0},
    {"avito_tls_at_rest", USES, "", false},
    {"avito_tls_get_session", USES, "", ARGUMENT},
    {"avito_tls_set_session", USES, "", ARGUMENT},
    {"avito_anchors_begin", MAKES, "memory ", 0},
    {"avito_anchors_add_pem", USES, "", 0},
    {"avito_anchors_end", USES, "", ARGUMENT},
    {"avito_anchors_load_pem", MAKES, "memory ", ARGUMENT},
    {"avito_anchors_load_file", MAKES, "memory ", ARGUMENT},
    {"avito_json_parse", MAKES, "", ARGUMENT},
    {"avito_json_root", USES, "", AVITO_JSON_NONE},
    {"avito_json_type_of", USES, "", AVITO_JSON_NONE},
    {"avito_json_count", USES, "", 0},
    {"avito_json_get", USES, "", 0},
    {"avito_json_at", USES, "", 0},
    {"avito_json_first", USES, "", 0},
    {"avito_json_next", USES, "", 0},
    {"avito_json_key", USES, "", 0},
    {"avito_json_raw", USES, "", 0},
    {"avito_json_is", USES, "", false},
    {"avito_json_string", USES, "needed ", ARGUMENT},
    {"avito_json_int", USES, "", ARGUMENT},
    {"avito_json_bool", USES, "", ARGUMENT},
    {"avito_message_preview", PURE, "", 0},
    {"avito_message_json", PURE, "chat needed ", ARGUMENT},
    {"avito_message_class_word", PURE, "", 0},
    {"avito_chat_json", PURE, "needed ", ARGUMENT},
    {"avito_message_type_word", PURE, "", 0},
    {"avito_direction_word", PURE, "", 0},
    {"avito_chat_type_word", PURE, "", 0},
    {"avito_call_status_word", PURE, "", 0},
    {"avito_location_kind_word", PURE, "", 0},
    {"avito_blacklist_reason_word", PURE, "", 0},
    {"avito_outcome_word", PURE, "", 0},
    {"avito_json_type_word", PURE, "", 0},
    {"avito_inbox_start_word", PURE, "", 0},
    {"avito_language_word", PURE, "", 0},
    {"avito_store_options_default", PURE, "", 0},
    {"avito_store_open", MAKES, "", ARGUMENT},
    {"avito_store_close", ENDS, "", 0},
    {"avito_store_problem", USES, "", true},
    {"avito_store_errno", USES, "", 0},
    {"avito_store_load_token", USES, "", ARGUMENT},
    {"avito_store_save_token", USES, "", ARGUMENT},
    {"avito_store_load_inbox", USES, "", ARGUMENT},
    {"avito_store_save_inbox", USES, "", ARGUMENT},
    {"avito_store_take_inbox", USES, "", ARGUMENT},
    {"avito_store_begin_send", USES, "", ARGUMENT},
    {"avito_store_end_send", USES, "message_id ", ARGUMENT},
    {"avito_store_find_send", USES, "", ARGUMENT},
    {"avito_store_forget_send", USES, "", ARGUMENT},
    {"avito_store_each_send", USES, "ctx ", ARGUMENT},
    {"avito_send_once", USES, "", ARGUMENT},
    {"avito_send_image_once", USES, "", ARGUMENT},
    {"avito_store_last_send", USES, "", 0},
    {"avito_image_from_file", MAKES, "", ARGUMENT},
    {"avito_image_file_close", ENDS, "", 0},
    {"avito_posix_options_default", PURE, "", 0},
    {"avito_posix_ca_file", PURE, "ca_file ", 0},
    {"avito_posix_open", MAKES, "options ", ARGUMENT},
    {"avito_posix_sign_in", MAKES, "options ", ARGUMENT},
    {"avito_posix_close", ENDS, "", 0},
    {"avito_posix_inbox_options", USES, "", true},
    {"avito_posix_strerror", USES, "", true},
    {"avito_posix_perror", USES, "", 0},
};

/* The rule for a function of a lane that has no row yet. */
static const struct rule a_call = {"", CALL, "", ARGUMENT};

static const struct rule *rule_of(const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(rules[i].name, name) == 0) {
            return &rules[i];
        }
    }
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (strcmp(functions[i].name, name) == 0 && functions[i].result == RESULT_INT &&
            functions[i].pointers[0].type != NULL &&
            strcmp(functions[i].pointers[0].type, "avito_client") == 0) {
            return &a_call;
        }
    }
    fail_msg("%s is new: give it a row in `rules`", name);
    return NULL;
}

static bool may_be_null(const struct rule *rule, const char *pointer)
{
    const char *at = strstr(rule->optional, pointer);

    return at != NULL && (at == rule->optional || at[-1] == ' ') && at[strlen(pointer)] == ' ';
}

/* ---- the world: one good object of each type ---- */

static const char root[] = "-----BEGIN CERTIFICATE-----\n"
                           "MIIBdjCCARugAwIBAgIUBJB3r+pJ9t31ba6xL2ueK1OAFcEwCgYIKoZIzj0EAwIw\n"
                           "DzENMAsGA1UEAwwEUm9vdDAgFw0yNjExMjkyMDAwNDNaGA8yMTI2MTEwNTIwMDA0\n"
                           "M1owDzENMAsGA1UEAwwEUm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCDo\n"
                           "5vrUjvOuScznGoGrmhseJIsH82os94a+d/a7UG/4EsB58ah+ubbmdVzetUAt5r6b\n"
                           "AkltLgxIamW4RtRXfk2jUzBRMB0GA1UdDgQWBBSSlWHtBwYg6WSJOV1FICyk5lvl\n"
                           "7DAfBgNVHSMEGDAWgBSSlWHtBwYg6WSJOV1FICyk5lvl7DAPBgNVHRMBAf8EBTAD\n"
                           "AQH/MAoGCCqGSM49BAMCA0kAMEYCIQCkshz203h5FGw1laANPfTx2bZOLN5Wp8jD\n"
                           "Xqx4q/PclQIhAPoI0HmM10V7i6DmpxfX/DyDoJVKw4ANymOr5QkcMe+7\n"
                           "-----END CERTIFICATE-----\n";
static char folder[64], picture[80];
static avito_anchors roots;
static char roots_room[1024];

static struct world {
    struct anyone peer, below; /* of the lane, and under TLS */
    avito_account account;
    avito_client client;
    avito_arena arena;
    avito_inbox inbox;
    avito_arena inbox_arena;
    avito_webhook webhook;
    avito_tcp tcp;
    avito_tls tls;
    avito_anchors anchors;
    avito_json json;
    avito_store store;
    avito_posix posix;
    avito_image_file image;
    br_ssl_client_context ssl;
    br_x509_minimal_context x509;
    avito_message message;
    avito_chat chat;
    char text[4096], window[1024], tokens[AVITO_TOKENS_SIZE(64)],
        json_room[AVITO_JSON_TOKENS_SIZE(16)];
    char room[16384], inbox_room[2048], anchors_room[1024], error_body[64];
    unsigned char state[AVITO_INBOX_STATE_SIZE(8)], hook_buffer[AVITO_WEBHOOK_SIZE(300)];
    unsigned char records[AVITO_TLS_BUFFER_HALF(512)];
    bool waits;
} w;

static void hooked(const char *where)
{
    if (w.peer.hook != NULL) {
        w.peer.hook(w.peer.hook_ctx, where);
    }
}

static int visit(void *ctx, const avito_store_send *send)
{
    (void)ctx, (void)send;
    hooked("visit");
    return AVITO_OK;
}

static int load_token(void *ctx, avito_token *token)
{
    (void)ctx, (void)token;
    hooked("load_token");
    return AVITO_END;
}

static int save_token(void *ctx, const avito_token *token)
{
    (void)ctx, (void)token;
    hooked("save_token");
    return AVITO_OK;
}

static void trace(void *ctx, const char *line)
{
    (void)ctx, (void)line;
    hooked("trace");
}

static void lock(void *ctx)
{
    (void)ctx;
    hooked("lock");
}

static void unlock(void *ctx)
{
    (void)ctx;
    hooked("unlock");
}

static long read_image(void *ctx, size_t offset, void *buf, size_t cap)
{
    (void)ctx, (void)offset;
    hooked("read");
    memset(buf, 'i', cap);
    return (long)cap;
}

static void progress(void *ctx, size_t sent, size_t size)
{
    (void)ctx, (void)sent, (void)size;
    hooked("progress");
}

static int save_slot(void *ctx, int slot, const void *data, size_t len)
{
    (void)ctx, (void)slot, (void)data, (void)len;
    hooked("save");
    return AVITO_OK;
}

static int load_slot(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    (void)ctx, (void)slot, (void)data, (void)cap;
    hooked("load");
    *len = 0;
    return AVITO_END;
}

static int verify(void *ctx, const void *body, size_t len, avito_str signature)
{
    (void)ctx, (void)body, (void)len, (void)signature;
    hooked("verify");
    return AVITO_OK;
}

static int resolve(void *ctx, const char *host, avito_tcp_address *out, size_t cap, size_t *count)
{
    (void)ctx, (void)host, (void)out, (void)cap, (void)count;
    hooked("resolve");
    return AVITO_ERR_RESOLVE;
}

static void watchdog(void *ctx)
{
    (void)ctx;
    hooked("watchdog");
}

static void configure(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    (void)ctx;
    avito_tls_profile(ssl, x509);
    hooked("configure");
}

static uint32_t moved(void *ctx)
{
    (void)ctx;
    hooked("moved");
    return 0; /* as if all were still in a queue */
}

/* Like anyone_transport(), and it tells what has left. */
static avito_transport transport(struct anyone *peer, bool waits)
{
    static avito_transport_functions tables[2];
    avito_transport t = anyone_transport(peer, waits);

    tables[waits] = *t.functions;
    tables[waits].moved = moved;
    t.functions = &tables[waits];
    return t;
}

static avito_account_options *account_options(void)
{
    static avito_account_options o;

    o = avito_account_options_default();
    o.client_id = "an-id";
    o.client_secret = "a-secret";
    o.tokens = w.tokens;
    o.tokens_cap = sizeof w.tokens;
    o.ctx = &w.peer;
    o.clock_ms = anyone_clock_ms;
    o.unix_time = anyone_unix_time;
    o.entropy = anyone_entropy;
    o.load_token = load_token;
    o.save_token = save_token;
    o.trace = trace;
    o.lock = lock;
    o.unlock = unlock;
    return &o;
}

static avito_client_options *client_options(void)
{
    static avito_client_options o;

    o = avito_client_options_default();
    o.transport = transport(&w.peer, w.waits);
    o.window = w.window;
    o.window_cap = sizeof w.window;
    o.error_body = w.error_body;
    o.error_body_cap = sizeof w.error_body;
    return &o;
}

static avito_inbox_options *inbox_options(void)
{
    static avito_inbox_options o;

    o = avito_inbox_options_default();
    o.user_id = 350000001;
    o.start = AVITO_START_SINCE;
    o.since = 1754880000;
    o.state = w.state;
    o.state_cap = sizeof w.state;
    o.arena = &w.inbox_arena;
    o.save = save_slot;
    o.load = load_slot;
    return &o;
}

static avito_webhook_options *webhook_options(void)
{
    static avito_webhook_options o;

    o = avito_webhook_options_default();
    o.path = "/h";
    o.buffer = w.hook_buffer;
    o.buffer_cap = sizeof w.hook_buffer;
    o.verify = verify;
    return &o;
}

static avito_tcp_options *tcp_options(void)
{
    static avito_tcp_options o;

    o = avito_tcp_options_default();
    o.never_wait = true;
    o.resolve = resolve;
    return &o;
}

static avito_tls_options *tls_options(void)
{
    static avito_tls_options o;

    o = avito_tls_options_default();
    o.transport = transport(&w.below, false);
    o.anchors = roots.items;
    o.anchors_count = roots.count;
    o.buffer = w.records;
    o.buffer_cap = sizeof w.records;
    o.ctx = &w.peer;
    o.unix_time = anyone_unix_time;
    o.entropy = anyone_entropy;
    o.watchdog = watchdog;
    o.configure = configure;
    return &o;
}

static avito_store_options *store_options(void)
{
    static avito_store_options o;

    o = avito_store_options_default();
    o.folder = folder;
    return &o;
}

static avito_posix_options *posix_options(void)
{
    static avito_posix_options o;

    o = avito_posix_options_default();
    o.account = *account_options();
    o.account.port = 1; /* nobody listens there */
    o.tcp.address = "127.0.0.1";
    o.client.never_wait = !w.waits;
    o.anchors = &roots;
    o.folder = folder;
    return &o;
}

static void begin_world(bool waits)
{
    static const char notification[] = "{\"a\":[1,\"x\"],\"b\":true}";
    static const char request[] =
        "POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    size_t used;

    avito_posix_close(&w.posix);
    avito_store_close(&w.store);
    avito_image_file_close(&w.image);
    memset(&w, 0, offsetof(struct world, posix));
    memset(&w.image, 0, sizeof w - offsetof(struct world, image));
    w.waits = waits;
    anyone_init(&w.peer);
    anyone_init(&w.below);
    memset(w.text, ' ', sizeof w.text);
    memcpy(w.text, notification, sizeof notification - 1);
    w.arena = avito_arena_of(w.room, sizeof w.room);
    w.inbox_arena = avito_arena_of(w.inbox_room, sizeof w.inbox_room);
    assert_int_equal(avito_account_init(&w.account, account_options()), AVITO_OK);
    assert_int_equal(avito_client_init(&w.client, &w.account, client_options()), AVITO_OK);
    assert_int_equal(avito_inbox_init(&w.inbox, &w.client, inbox_options()), AVITO_OK);
    assert_int_equal(avito_webhook_init(&w.webhook, webhook_options(), 0), AVITO_OK);
    assert_int_equal(avito_webhook_receive(&w.webhook, request, sizeof request - 1, &used, 0),
                     AVITO_OK);
    assert_int_equal(avito_tcp_init(&w.tcp, tcp_options()), AVITO_OK);
    assert_int_equal(avito_tls_init(&w.tls, tls_options()), AVITO_OK);
    avito_anchors_begin(&w.anchors, w.anchors_room, sizeof w.anchors_room);
    assert_int_equal(
        avito_json_parse(&w.json, w.text, sizeof w.text, w.json_room, sizeof w.json_room),
        AVITO_OK);
    assert_int_equal(avito_store_open(&w.store, store_options()), AVITO_OK);
    assert_int_equal(avito_posix_open(&w.posix, posix_options()), AVITO_OK);
    assert_int_equal(avito_image_from_file(&w.image, picture), AVITO_OK);
}

/* ---- arguments ---- */

static const struct object {
    const char *type;
    void *good;
    size_t size;
} objects[] = {
    {"avito_account", &w.account, sizeof w.account},
    {"avito_client", &w.client, sizeof w.client},
    {"avito_arena", &w.arena, sizeof w.arena},
    {"avito_inbox", &w.inbox, sizeof w.inbox},
    {"avito_webhook", &w.webhook, sizeof w.webhook},
    {"avito_tcp", &w.tcp, sizeof w.tcp},
    {"avito_tls", &w.tls, sizeof w.tls},
    {"avito_anchors", &w.anchors, sizeof w.anchors},
    {"avito_json", &w.json, sizeof w.json},
    {"avito_store", &w.store, sizeof w.store},
    {"avito_posix", &w.posix, sizeof w.posix},
    {"avito_image_file", &w.image, sizeof w.image},
};

static const struct object *object_of(const char *type, const char *name)
{
    type = strcmp(type, "void") == 0 && strcmp(name, "ctx") == 0 ? "avito_store"
                                                                 : type; /* its hooks */
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        if (strcmp(objects[i].type, type) == 0) {
            return &objects[i];
        }
    }
    return NULL;
}

/* An object whose init failed, full of rubbish before. */
static void fail_init(const char *type, void *object, size_t size)
{
    avito_account none;
    avito_client_options no_client = avito_client_options_default();
    int rc = AVITO_ERR_ARGUMENT;

    memset(&none, 0, sizeof none);
    memset(object, 0xa5, size);
    if (strcmp(type, "avito_account") == 0) {
        avito_account_options o = *account_options();
        o.clock_ms = NULL;
        rc = avito_account_init(object, &o);
    } else if (strcmp(type, "avito_client") == 0) {
        rc = avito_client_init(object, &w.account, &no_client);
    } else if (strcmp(type, "avito_arena") == 0) {
        *(avito_arena *)object = avito_arena_of(NULL, 100);
    } else if (strcmp(type, "avito_inbox") == 0) {
        avito_inbox_options o = *inbox_options();
        o.state_cap = 1;
        rc = avito_inbox_init(object, &w.client, &o);
    } else if (strcmp(type, "avito_webhook") == 0) {
        avito_webhook_options o = *webhook_options();
        o.buffer_cap = 1;
        rc = avito_webhook_init(object, &o, 0);
    } else if (strcmp(type, "avito_tcp") == 0) {
        avito_tcp_options o = *tcp_options();
        o.resolve = NULL;
        rc = avito_tcp_init(object, &o);
    } else if (strcmp(type, "avito_tls") == 0) {
        avito_tls_options o = *tls_options();
        o.buffer_cap = 100;
        rc = avito_tls_init(object, &o);
    } else if (strcmp(type, "avito_anchors") == 0) {
        rc = avito_anchors_load_pem(object, w.anchors_room, 0, root, sizeof root - 1);
    } else if (strcmp(type, "avito_json") == 0) {
        rc = avito_json_parse(object, "[", 1, w.json_room, sizeof w.json_room);
    } else if (strcmp(type, "avito_store") == 0) {
        avito_store_options o = *store_options();
        o.folder = "/dev/null/x";
        rc = avito_store_open(object, &o);
    } else if (strcmp(type, "avito_posix") == 0) {
        avito_posix_options o = *posix_options();
        o.tcp.address = "no address";
        rc = avito_posix_open(object, &o);
    } else {
        rc = avito_image_from_file(object, "/dev/null");
    }
    assert_true(rc < 0);
}

static void *options_of(const char *type)
{
    return strcmp(type, "avito_account_options") == 0   ? (void *)account_options()
           : strcmp(type, "avito_client_options") == 0  ? (void *)client_options()
           : strcmp(type, "avito_inbox_options") == 0   ? (void *)inbox_options()
           : strcmp(type, "avito_webhook_options") == 0 ? (void *)webhook_options()
           : strcmp(type, "avito_tcp_options") == 0     ? (void *)tcp_options()
           : strcmp(type, "avito_tls_options") == 0     ? (void *)tls_options()
           : strcmp(type, "avito_store_options") == 0   ? (void *)store_options()
                                                        : (void *)posix_options();
}

static void *text_of(const char *name)
{
    static char chat_id[] = "u2i-a", image_id[] = "1.abc", url[] = "https://a/b", word[] = "x";

    return strcmp(name, "chat_id") == 0    ? chat_id
           : strcmp(name, "image_id") == 0 ? image_id
           : strcmp(name, "url") == 0      ? url
           : strcmp(name, "path") == 0     ? picture
           : strcmp(name, "out") == 0      ? w.text + 2048
                                           : word;
}

/* Where results go; nobody reads them. */
static char scratch[POINTERS][65536];

/* A good argument for a parameter of this type and name. */
static void *good(const char *type, const char *name, size_t at)
{
    static const char *ids[] = {"v1"};
    static avito_image_source source = {NULL, read_image, NULL, 1000, NULL, NULL, progress};
    static avito_sent_query sent = {"x", NULL, 100, NULL, 0, 1, 0};
    static avito_blacklist_user user = {9, 0, AVITO_REASON_SPAM};
    static avito_store_send send = {"key", "u2i-a", "m1", 1, "x", "", 0, 0, AVITO_CANNOT_TELL};
    static avito_consent consent = {"messenger:read", NULL, NULL, false};
    static avito_chats_query chats;
    static avito_messages_query messages;
    const struct object *object = object_of(type, name);
    const size_t len = strlen(type);

    if (object != NULL) {
        return object->good;
    }
    if (len > 8 && strcmp(type + len - 8, "_options") == 0) {
        return options_of(type);
    }
    return strcmp(type, "char") == 0                   ? text_of(name)
           : strcmp(type, "char *") == 0               ? (void *)ids
           : strcmp(type, "avito_image_source") == 0   ? (void *)&source
           : strcmp(type, "avito_consent") == 0        ? (void *)&consent
           : strcmp(type, "avito_sent_query") == 0     ? (void *)&sent
           : strcmp(type, "avito_blacklist_user") == 0 ? (void *)&user
           : strcmp(name, "send") == 0                 ? (void *)&send
           : strcmp(type, "avito_chats_query") == 0    ? (void *)&chats
           : strcmp(type, "avito_messages_query") == 0 ? (void *)&messages
           : strcmp(name, "message") == 0              ? (void *)&w.message
           : strcmp(name, "chat") == 0                 ? (void *)&w.chat
           : strcmp(name, "ssl") == 0                  ? (void *)&w.ssl
           : strcmp(name, "x509") == 0                 ? (void *)&w.x509
           : strcmp(name, "text") == 0 || strcmp(name, "body") == 0 || strcmp(name, "data") == 0
               ? (void *)w.text
               : (void *)scratch[at];
}

static struct objects good_objects(const struct function *f)
{
    struct objects o;

    memset(&o, 0, sizeof o);
    for (size_t i = 0; i < POINTERS && f->pointers[i].type != NULL; i++) {
        o.p[i] = good(f->pointers[i].type, f->pointers[i].name, i);
    }
    o.length = 64;
    o.str.ptr = "x";
    o.str.len = 1;
    o.value = avito_json_root(&w.json);
    return o;
}

static const char *doing = "";

static int64_t call(const struct function *f, struct objects *o)
{
    doing = f->name;
    o->result = 0;
    f->call(o);
    return o->result;
}

/* An int that is a result of this library, or a small number. */
static bool is_known(const struct function *f, int64_t result)
{
    return f->result != RESULT_INT || result >= -1 ||
           strcmp(avito_error_name((int)result), "UNKNOWN") != 0;
}

/* Lets what is in progress end: it does, by time alone. */
static void finish(void)
{
    unsigned turns = 0;

    w.peer.hook = NULL;
    w.peer.habit = ANYONE_KIND;
    (void)avito_list_end(&w.client, 0);
    while (avito_wants(&w.client) != 0 && avito_step(&w.client) != AVITO_ERR_IDLE) {
        const uint32_t ms = avito_deadline_ms(&w.client);
        w.peer.now_ms += ms < 1000 ? ms : 1000;
        assert_true(++turns < 5000);
    }
    avito_client_close(&w.client);
    assert_int_equal(avito_wants(&w.client), 0);
    assert_int_equal(w.peer.connects, w.peer.closes);
    assert_false(w.arena.busy);
}

/* ---- the tests ---- */

static void test_table_is_whole(void **state)
{
    (void)state;
    assert_true(FUNCTIONS > 140);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        (void)rule_of(functions[i].name);
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        bool there = false;
        for (size_t k = 0; k < FUNCTIONS; k++) {
            there = there || strcmp(functions[k].name, rules[i].name) == 0;
        }
        if (!there) {
            fail_msg("%s has a row and is not declared", rules[i].name);
        }
    }
}

static bool is_nothing(const char *name)
{
    const size_t len = strlen(name);

    return (len > 5 && strcmp(name + len - 5, "_NONE") == 0) ||
           (len > 8 && strcmp(name + len - 8, "_UNKNOWN") == 0);
}

/* No two constants of an enum have the same word. A constant that means "nothing" may have none. */
static void test_every_enum_has_words(void **state)
{
    const size_t count = sizeof constants / sizeof *constants;

    (void)state;
    assert_true(count > 30);
    for (size_t i = 0; i < count; i++) {
        const char *word = constants[i].word(constants[i].value);
        if (word == NULL || (word[0] == '\0' && !is_nothing(constants[i].name))) {
            fail_msg("%s has no word", constants[i].name);
        }
        for (size_t k = 0; k < i && word[0] != '\0'; k++) {
            if (strcmp(constants[k].of, constants[i].of) == 0) {
                assert_string_not_equal(constants[k].word(constants[k].value), word);
            }
        }
        assert_string_equal(constants[i].word(-7), constants[i].word(1000000));
    }
}

static bool failed;

/* After an init that failed, these two tell why. */
static bool tells_why(const struct function *f, const char *what)
{
    return strcmp(what, "failed") == 0 &&
           (strcmp(f->name, "avito_anchors_end") == 0 || strcmp(f->name, "avito_store_errno") == 0);
}

static void missing(const struct function *f, struct objects *o, const char *what, const char *name)
{
    const struct rule *rule = rule_of(f->name);
    const int64_t result = call(f, o);

    if (tells_why(f, what)) {
        assert_true(result != 0);
        return;
    }

    if (f->result != RESULT_NOTHING && result != rule->missing) {
        print_error("%s with %s %s: %lld, not %lld\n", f->name, what, name, (long long)result,
                    (long long)rule->missing);
        failed = true; /* go on, and fail at the end */
    }
}

/* Calls every function with NULL for each of its pointers in turn. */
static void each_pointer(bool waits)
{
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const struct function *f = &functions[i];
        const struct rule *rule = rule_of(f->name);
        for (size_t k = 0; k < POINTERS && f->pointers[k].type != NULL; k++) {
            struct objects o;
            begin_world(waits);
            o = good_objects(f);
            o.p[k] = NULL;
            if (may_be_null(rule, f->pointers[k].name)) {
                assert_true(is_known(f, call(f, &o)));
            } else {
                missing(f, &o, "NULL for", f->pointers[k].name);
            }
            finish();
        }
    }
}

static void test_null(void **state)
{
    (void)state;
    failed = false;
    each_pointer(false);
    each_pointer(true);
    assert_false(failed);
}

/* Calls `f` with its object at `k` in a bad state, where it has one that must not be bad. */
static void with_bad_object(const struct function *f, size_t k, bool zeroed)
{
    static char bad[sizeof(avito_posix)];
    const struct object *object = object_of(f->pointers[k].type, f->pointers[k].name);
    struct objects o;

    if (object == NULL || (k == 0 && rule_of(f->name)->kind == MAKES) ||
        may_be_null(rule_of(f->name), f->pointers[k].name)) {
        return;
    }
    begin_world(false);
    if (zeroed) {
        memset(bad, 0, object->size);
    } else {
        fail_init(object->type, bad, object->size);
    }
    o = good_objects(f);
    o.p[k] = bad;
    missing(f, &o, zeroed ? "zeroed" : "failed", f->pointers[k].name);
    assert_true(fcntl(0, F_GETFD) >= 0); /* no descriptor 0 in a zeroed object was closed */
    finish();
}

static void test_zeroed_and_failed_objects(void **state)
{
    (void)state;
    failed = false;
    for (size_t i = 0; i < FUNCTIONS; i++) {
        for (size_t k = 0; k < POINTERS && functions[i].pointers[k].type != NULL; k++) {
            with_bad_object(&functions[i], k, true);
            with_bad_object(&functions[i], k, false);
        }
    }
    assert_false(failed);
}

/* A value of raw JSON that is zeroed, whose text failed, or that is beyond its end. */
static void test_bad_values(void **state)
{
    avito_json none;

    (void)state;
    begin_world(false);
    assert_int_equal(avito_json_parse(&none, "[", 1, w.json_room, sizeof w.json_room),
                     AVITO_ERR_JSON);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        const avito_json_value values[] = {
            {NULL, 0}, {NULL, 7}, {&none, 0}, {&none, 3}, {&w.json, 1000}};
        for (size_t k = 0; strncmp(functions[i].name, "avito_json_", 11) == 0 && k < 5; k++) {
            struct objects o;
            begin_world(false);
            o = good_objects(&functions[i]);
            o.value = values[k];
            assert_true(is_known(&functions[i], call(&functions[i], &o)));
        }
    }
}

/* ---- states of the lane ---- */

static const char *const states[] = {"fresh",
                                     "connecting",
                                     "sending",
                                     "waiting",
                                     "in a body",
                                     "at a row",
                                     "done",
                                     "cancelled",
                                     "closed",
                                     "refused",
                                     "inbox at work",
                                     "inbox gave",
                                     "inbox: its call cancelled"};
enum { STATES = sizeof states / sizeof *states, FRESH = 0, ROW = 5, DONE = 6, INBOX = 10 };

/* True: a call is in progress. */
static bool reach(size_t state)
{
    static const enum anyone_habit habits[] = {ANYONE_KIND, ANYONE_NO_CONNECT, ANYONE_NO_SEND,
                                               ANYONE_NO_ANSWER, ANYONE_HALF_AN_ANSWER};
    avito_chat chat;
    avito_message message;
    int rc;

    if (state == FRESH) {
        return false;
    }
    if (state < ROW) {
        w.peer.habit = habits[state];
        assert_int_equal(avito_get_token(&w.client, NULL), AVITO_AGAIN);
        (void)avito_step(&w.client);
        return true;
    }
    if (state >= INBOX) {
        w.peer.habit = state == INBOX + 1 ? ANYONE_KIND : ANYONE_NO_ANSWER;
        for (int i = 0; i < 40 && avito_inbox_next(&w.inbox, &message) == AVITO_AGAIN; i++) {
            w.peer.now_ms += 20;
        }
        if (state == INBOX + 2) {
            avito_cancel(&w.client);
        }
        return state == INBOX;
    }
    rc = state == ROW ? avito_list_chats(&w.client, 350000001, NULL, &w.arena)
                      : avito_get_token(&w.client, NULL);
    for (int i = 0; i < 20 && rc == AVITO_AGAIN && (state != DONE + 1 || i < 2); i++) {
        rc = avito_step(&w.client);
    }
    if (state == ROW) {
        for (int i = 0; i < 20 && (i == 0 || rc == AVITO_AGAIN); i++) {
            rc = avito_next_chat(&w.client, &chat);
        }
        assert_int_equal(rc, AVITO_OK);
        return true;
    }
    if (state == DONE + 1) {
        avito_cancel(&w.client);
    } else if (state == DONE + 2) {
        avito_client_close(&w.client);
    }
    if (state == DONE + 3) {
        assert_int_equal(avito_mark_chat_as_read(&w.client, 0, ""), AVITO_ERR_ARGUMENT);
    }
    return false;
}

static void test_every_state(void **state)
{
    (void)state;
    for (size_t s = 0; s < STATES; s++) {
        for (size_t i = 0; i < FUNCTIONS; i++) {
            const struct rule *rule = rule_of(functions[i].name);
            struct objects o;
            bool busy;
            int64_t result;
            if (strcmp(functions[i].name, "avito_client_init") == 0 ||
                strcmp(functions[i].name, "avito_account_init") == 0) {
                continue; /* its object must be idle */
            }
            begin_world(false);
            busy = reach(s);
            o = good_objects(&functions[i]);
            result = call(&functions[i], &o);
            if (!is_known(&functions[i], result) ||
                (rule->kind == CALL && busy && result != AVITO_ERR_BUSY)) {
                fail_msg("%s, lane %s: %lld", functions[i].name, states[s], (long long)result);
            }
            finish();
        }
    }
}

/* ---- states of the other objects ---- */

static void webhook_reads(size_t len)
{
    static const char request[] =
        "POST /h HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    size_t used;

    assert_int_equal(avito_webhook_init(&w.webhook, webhook_options(), 0), AVITO_OK);
    (void)avito_webhook_receive(&w.webhook, request, len, &used, 0);
}

static void webhook_fresh(void)
{
    webhook_reads(0);
}

static void webhook_in_head(void)
{
    webhook_reads(25);
}

static void webhook_in_body(void)
{
    webhook_reads(54);
    assert_null(avito_webhook_body(&w.webhook, &(size_t){0}));
}

static void webhook_answers(void)
{
    webhook_reads(61);
    avito_webhook_sent(&w.webhook, 3, 0);
    avito_webhook_done(&w.webhook, 0);
}

static void webhook_finished(void)
{
    size_t used;

    webhook_reads(0);
    (void)avito_webhook_receive(&w.webhook, " / HTTP/1.1\r\n\r\n", 15, &used, 0);
    avito_webhook_sent(&w.webhook, 10000, 0);
}

static void tcp_refused(void)
{
    const avito_transport t = avito_tcp_transport(&w.tcp);
    const avito_server nowhere = {"127.0.0.1", 1};

    assert_int_equal(avito_tcp_init(&w.tcp, tcp_options()), AVITO_OK);
    (void)t.functions->connect(t.ctx, &nowhere);
    (void)t.functions->connect(t.ctx, &nowhere);
}

static void tls_shakes_hands(void)
{
    const avito_transport t = avito_tls_transport(&w.tls);
    const avito_server server = {"api.example.test", 443};

    for (int i = 0; i < 3; i++) {
        assert_int_equal(t.functions->connect(t.ctx, &server), AVITO_AGAIN);
    }
}

static void tls_failed(void)
{
    const avito_transport t = avito_tls_transport(&w.tls);

    tls_shakes_hands();
    w.below.habit = ANYONE_BREAKS;
    assert_true(t.functions->recv(t.ctx, w.text, 10) < 0);
}

static void anchors_half(void)
{
    avito_anchors_add_pem(&w.anchors, root, sizeof root / 2);
}

static void store_sends(void)
{
    assert_true(avito_store_begin_send(&w.store, good("avito_store_send", "send", 0)) >= 0);
}

static void posix_is_busy(void)
{
    (void)avito_get_token(&w.posix.client, NULL);
}

/* A lane is busy or not; the other objects have these states. An object in use (`type`) must not be
 * initialised again. */
static const struct {
    const char *name, *type;
    void (*reach)(void);
} others[] = {
    {"a fresh webhook", "", webhook_fresh},
    {"a webhook in a head", "", webhook_in_head},
    {"a webhook in a body", "", webhook_in_body},
    {"a webhook that answers", "", webhook_answers},
    {"a finished webhook", "", webhook_finished},
    {"TCP, refused", "avito_tcp", tcp_refused},
    {"TLS, shaking hands", "avito_tls", tls_shakes_hands},
    {"TLS, failed", "avito_tls", tls_failed},
    {"half an anchor", "avito_anchors", anchors_half},
    {"a store with a send", "avito_store", store_sends},
    {"everything in one, busy", "avito_posix", posix_is_busy},
};

static void test_every_state_of_others(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof others / sizeof *others; s++) {
        for (size_t i = 0; i < FUNCTIONS; i++) {
            const struct rule *rule = rule_of(functions[i].name);
            struct objects o;
            int64_t result;
            if (rule->kind == MAKES && strcmp(functions[i].pointers[0].type, others[s].type) == 0) {
                continue;
            }
            begin_world(false);
            others[s].reach();
            o = good_objects(&functions[i]);
            result = call(&functions[i], &o);
            if (!is_known(&functions[i], result)) {
                fail_msg("%s, %s: %lld", functions[i].name, others[s].name, (long long)result);
            }
            avito_tls_transport(&w.tls).functions->close(&w.tls);
            avito_tcp_transport(&w.tcp).functions->close(&w.tcp);
            finish();
            assert_int_equal(w.below.connects, w.below.closes);
        }
    }
}

/* ---- from inside hooks ---- */

static const char *armed;
static bool ends;
static unsigned depth, fired;

/* What is initialised inside a hook is another object: one in use must not be initialised again. */
static union {
    avito_posix posix;
    char bytes[sizeof(avito_posix)];
} spare;
static char spare_room[65536];

/* Replaces the first argument by an object that is not in use, with memory of its own. */
static void use_spare(const struct function *f, struct objects *o)
{
    static avito_arena arena;
    const char *type = f->pointers[0].type;
    const struct object *object = object_of(type, f->pointers[0].name);

    if (object == NULL) {
        return;
    }
    memset(&spare, 0, sizeof spare);
    o->p[0] = &spare;
    arena = avito_arena_of(spare_room + 32768, 4096);
    if (strcmp(f->name, "avito_account_init") == 0) {
        avito_account_options *options = o->p[1];
        options->tokens = spare_room;
    } else if (strcmp(f->name, "avito_client_init") == 0) {
        avito_client_options *options = o->p[2];
        options->window = spare_room;
        options->error_body = NULL;
        options->error_body_cap = 0;
    } else if (strcmp(f->name, "avito_inbox_init") == 0) {
        avito_inbox_options *options = o->p[2];
        options->state = spare_room;
        options->arena = &arena;
    } else if (strcmp(f->name, "avito_webhook_init") == 0) {
        avito_webhook_options *options = o->p[1];
        options->buffer = spare_room;
    } else if (strcmp(f->name, "avito_tls_init") == 0) {
        avito_tls_options *options = o->p[1];
        options->buffer = spare_room;
    }
}

static void close_spare(const struct function *f)
{
    const char *type = f->pointers[0].type;

    if (strcmp(type, "avito_posix") == 0) {
        avito_posix_close(&spare.posix);
    } else if (strcmp(type, "avito_store") == 0) {
        avito_store_close((avito_store *)(void *)&spare);
    } else if (strcmp(type, "avito_image_file") == 0) {
        avito_image_file_close((avito_image_file *)(void *)&spare);
    }
}

/* Calls `f` from inside the hook `where`. */
static void call_inside(const struct function *f, const char *where)
{
    const struct rule *rule = rule_of(f->name);
    const bool inside = w.client.priv.inside; /* the lane has called this hook */
    struct objects o = good_objects(f);
    int64_t result;

    if (rule->kind == MAKES) {
        use_spare(f, &o);
    }
    result = call(f, &o);
    if (!is_known(f, result) ||
        ((rule->kind == CALL || rule->kind == ONWARD) && inside && result != AVITO_ERR_BUSY)) {
        fail_msg("%s in %s(): %lld", f->name, where, (long long)result);
    }
    if (rule->kind == MAKES) {
        close_spare(f);
    }
}

/* The hook calls everything. */
static void reenter(void *ctx, const char *where)
{
    (void)ctx;
    if (depth > 0 || fired >= 6 || strcmp(where, armed) != 0) {
        return;
    }
    depth++;
    fired++;
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if ((rule_of(functions[i].name)->kind == ENDS) == ends) {
            call_inside(&functions[i], where);
        }
    }
    depth--;
}

/* Continues a call; the hooks may have ended it. */
static int carry(int rc)
{
    unsigned turns = 0;

    while (rc == AVITO_AGAIN) {
        const uint32_t ms = avito_deadline_ms(&w.client);
        w.peer.now_ms += ms < 1000 ? ms : 1000;
        rc = avito_step(&w.client);
        assert_true(++turns < 1000);
    }
    return rc;
}

/* The lane over another transport. */
static void lane_over(avito_transport transport)
{
    avito_client_options o = *client_options();

    o.transport = transport;
    assert_int_equal(avito_client_init(&w.client, &w.account, &o), AVITO_OK);
    (void)carry(avito_get_token(&w.client, NULL));
    avito_client_close(&w.client);
}

static void an_init(void)
{
    assert_int_equal(avito_tls_init(&w.tls, tls_options()), AVITO_OK);
}

static void over_tcp(void)
{
    lane_over(avito_tcp_transport(&w.tcp));
}

static void over_tls(void)
{
    lane_over(avito_tls_transport(&w.tls));
}

static void plain_calls(void)
{
    static const avito_image_source source = {NULL, read_image, NULL, 5000, NULL, NULL, progress};
    avito_uploaded_image image;
    avito_message message;

    (void)carry(avito_get_token(&w.client, NULL));
    (void)carry(avito_upload_image(&w.client, 350000001, &source, &w.arena, &image));
    (void)carry(avito_send_message(&w.client, 350000001, "u2i-a", "x", &w.arena, &message));
}

static void a_list(void)
{
    avito_chat chat;

    (void)carry(avito_list_chats(&w.client, 350000001, NULL, &w.arena));
    for (int i = 0; i < 5; i++) {
        const int rc = avito_next_chat(&w.client, &chat);
        (void)(avito_list_open(&w.client) ? rc : carry(rc));
    }
    (void)avito_list_end(&w.client, 0);
}

static void an_inbox(void)
{
    avito_message message;

    (void)avito_inbox_init(&w.inbox, &w.client, inbox_options());
    for (int i = 0; i < 40; i++) {
        if (avito_inbox_next(&w.inbox, &message) == AVITO_OK) {
            (void)avito_inbox_accept(&w.inbox);
        }
        w.peer.now_ms += 20;
    }
}

static void a_notification(void)
{
    webhook_reads(61);
}

static void stored_sends(void)
{
    (void)avito_store_each_send(&w.store, visit, NULL);
    (void)avito_get_token(&w.posix.client, NULL);
}

static void a_failure(void)
{
    w.peer.habit = ANYONE_BREAKS;
    (void)carry(avito_get_token(&w.client, NULL));
}

static void a_silence(void)
{
    w.peer.habit = ANYONE_NO_ANSWER;
    (void)carry(avito_get_token(&w.client, NULL));
}

/* What calls hooks. */
static void (*const stories[])(void) = {an_init,   over_tcp, over_tls,       plain_calls,
                                        a_list,    an_inbox, a_notification, stored_sends,
                                        a_failure, a_silence};

/* How often the hook was called while this was going on. */
static unsigned from_hook(void (*story)(void), const char *name, bool with_ends)
{
    begin_world(strcmp(name, "wait") == 0);
    store_sends();
    armed = name;
    ends = with_ends;
    fired = depth = 0;
    w.peer.hook = w.below.hook = reenter;
    story();
    avito_client_close(&w.client);
    w.below.hook = NULL;
    finish();
    return fired;
}

static void test_every_hook(void **state)
{
    (void)state;
    assert_true(sizeof hooks / sizeof *hooks > 20);
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++) {
        unsigned times[2] = {0, 0};
        for (size_t k = 0; k < 2 * (sizeof stories / sizeof *stories); k++) {
            times[k % 2] += from_hook(stories[k / 2], hooks[i], k % 2 != 0);
        }
        if (times[0] == 0 || times[1] == 0) {
            fail_msg("no call of the hook %s", hooks[i]);
        }
    }
}

/* ---- an end that is asked for inside of a hook ---- */

static void (*end_by)(avito_client *c);
static unsigned asked;

static void ask_for_the_end(void *ctx, const char *where)
{
    (void)ctx;
    if (asked > 0 || strcmp(where, armed) != 0) {
        return;
    }
    asked++;
    end_by(&w.client);
    assert_int_not_equal(avito_wants(&w.client), 0); /* it is noted, ... */
    assert_true(w.arena.busy);
}

/* ... and done when the hook has returned. */
static void test_end_inside_of_a_hook(void **state)
{
    static const char *const where[] = {"connect",    "send",       "recv", "wants",   "trace",
                                        "load_token", "save_token", "read", "progress"};
    static const avito_image_source source = {NULL, read_image, NULL, 5000, NULL, NULL, progress};
    avito_uploaded_image image;

    (void)state;
    for (size_t i = 0; i < 2 * (sizeof where / sizeof *where); i++) {
        begin_world(false);
        armed = where[i / 2];
        end_by = i % 2 == 0 ? avito_cancel : avito_client_close;
        asked = 0;
        w.peer.hook = ask_for_the_end;
        if (carry(avito_upload_image(&w.client, 350000001, &source, &w.arena, &image)) !=
                AVITO_ERR_CANCELLED ||
            asked == 0) {
            fail_msg("in %s(): %s, asked %u times", armed,
                     avito_error_name(avito_last_error(&w.client)->code), asked);
        }
        assert_int_equal(avito_wants(&w.client), 0);
        assert_int_equal(w.peer.connects, w.peer.closes);
        assert_false(w.arena.busy);
        finish();
    }
}

/* A transport's functions, called in an order that no lane uses: nothing moves, nothing is closed
 * twice. */
static void test_transports_out_of_order(void **state)
{
    char byte = 'x';

    (void)state;
    begin_world(false);
    for (int i = 0; i < 2; i++) {
        const avito_transport t =
            i == 0 ? avito_tcp_transport(&w.tcp) : avito_tls_transport(&w.tls);
        const avito_server nowhere = {"127.0.0.1", 1};
        for (int turn = 0; turn < 3; turn++) {
            assert_true(t.functions->send(t.ctx, &byte, 1, 0) < 0);
            assert_true(t.functions->recv(t.ctx, &byte, 1) < 0);
            (void)t.functions->wants(t.ctx);
            (void)t.functions->detail(t.ctx);
            assert_int_equal(t.functions->moved(t.ctx), 0);
            if (turn > 0) {
                t.functions->close(t.ctx);
                (void)t.functions->connect(t.ctx, &nowhere);
            }
            t.functions->close(t.ctx);
        }
    }
    assert_int_equal(w.below.connects, w.below.closes);
}

static int set_up(void **state)
{
    static const char png[] = "\x89PNG\r\n\x1a\n and more";
    int fd;

    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/careless-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    (void)snprintf(picture, sizeof picture, "%s/picture", folder);
    fd = open(picture, O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || write(fd, png, sizeof png) < 0 || close(fd) != 0) {
        return 1;
    }
    return avito_anchors_load_pem(&roots, roots_room, sizeof roots_room, root, sizeof root - 1);
}

static int tear_down(void **state)
{
    char command[100];

    (void)state;
    avito_posix_close(&w.posix);
    avito_store_close(&w.store);
    avito_image_file_close(&w.image);
    (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_whole),
        cmocka_unit_test(test_every_enum_has_words),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_zeroed_and_failed_objects),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_every_state),
        cmocka_unit_test(test_every_state_of_others),
        cmocka_unit_test(test_every_hook),
        cmocka_unit_test(test_end_inside_of_a_hook),
        cmocka_unit_test(test_transports_out_of_order),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
