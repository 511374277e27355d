/*
 * Any bytes as what was stored: the inbox's two slots, a token, a TLS session, the files of a store.
 *
 *     input: kind, choices (2 bytes); then
 *     0: the length of the first slot (2 bytes), the slots   1: the length of the access token, its text,
 *     the refresh token   2: a session of 112 bytes          3: the number of a file, what is in it
 *
 * What must hold: an inbox begins whatever is stored, and goes on; no token puts a line into the
 * head of a request; an accepted session comes out as it went in; no file makes a store fail with
 * another error than FILE, and its results end where they should.
 * Rooms: INBOX: WHAT IT REMEMBERS, TOKENS, TLS: CONNECTIONS, FILE STORE, STORED SENDS AND PICTURES.
 */
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#include "fuzz.h"
#include "impl.h"
#include "support/anyone.h"

#include <sys/stat.h>
#include <unistd.h>

enum { WINDOW = 512, IDS = 6 };

static struct {
    const uint8_t *slots[2];
    size_t slot_len[2];
    avito_token token;
    struct anyone peer;
    avito_account account;
    avito_client client;
    avito_arena arena;
    char tokens[AVITO_TOKENS_SIZE(300)], room[4096];
} w;

static int load_slot(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    (void)ctx;
    *len = w.slot_len[slot];
    memcpy(data, w.slots[slot], *len < cap ? *len : cap);
    return *len > 0 ? AVITO_OK : AVITO_END;
}

static int save_slot(void *ctx, int slot, const void *data, size_t len)
{
    (void)ctx, (void)slot, (void)data;
    MUST(len <= AVITO_INBOX_STATE_SIZE(IDS));
    return AVITO_OK;
}

static int load_token(void *ctx, avito_token *token)
{
    (void)ctx;
    *token = w.token;
    return w.token.access_token.ptr != NULL ? AVITO_OK : AVITO_END;
}

static void begin_lane(void *window)
{
    avito_account_options a = avito_account_options_default();
    avito_client_options c = avito_client_options_default();

    anyone_init(&w.peer);
    a.client_id = "id";
    a.client_secret = "secret";
    a.tokens = w.tokens;
    a.tokens_cap = sizeof w.tokens;
    a.ctx = &w.peer;
    a.clock_ms = anyone_clock_ms;
    a.unix_time = anyone_unix_time;
    a.entropy = anyone_entropy;
    a.load_token = load_token;
    avito_enable_token_store(&a);
    c.transport = anyone_transport(&w.peer, false);
    c.window = window;
    c.window_cap = WINDOW;
    w.arena = avito_arena_of(w.room, sizeof w.room);
    MUST(avito_account_init(&w.account, &a) == AVITO_OK);
    MUST(avito_client_init(&w.client, &w.account, &c) == AVITO_OK);
}

/* ---- the inbox's slots ---- */

static void give(avito_inbox *inbox, unsigned rounds)
{
    avito_message message;
    unsigned given = 0;

    while (rounds-- > 0) {
        const uint32_t ms = avito_inbox_deadline_ms(inbox);
        const int rc = avito_inbox_next(inbox, &message);
        MUST(rc >= AVITO_OK || rc <= -100);
        if (rc == AVITO_OK) {
            MUST(++given <= 8); /* the service has two messages in each of two chats */
            MUST(avito_inbox_accept(inbox) == AVITO_OK);
        }
        w.peer.now_ms += ms < 60000 ? ms : 60000;
        (void)avito_inbox_events(inbox);
    }
}

static void inbox(const uint8_t *choices, const uint8_t *data, size_t size)
{
    avito_inbox_options o = avito_inbox_options_default();
    const size_t state_cap = AVITO_INBOX_STATE_SIZE(1 + choices[0] % IDS);
    void *window = fuzz_memory(WINDOW), *state = fuzz_memory(state_cap), *slots[2];
    avito_inbox in;
    size_t first;
    int rc;

    if (size >= 2) {
        first = (size_t)(data[0] | data[1] << 8) % (size - 1);
        w.slot_len[0] = first;
        w.slot_len[1] = size - 2 - first;
        w.slots[0] = slots[0] = fuzz_copy(data + 2, w.slot_len[0]);
        w.slots[1] = slots[1] = fuzz_copy(data + 2 + first, w.slot_len[1]);
        for (int i = 0; i < 2 && (choices[1] & 8) != 0; i++) {
            /* The code after the check matters. */
            impl_seal(slots[i], w.slot_len[i], (choices[1] & 16) == 0);
        }
        begin_lane(window);
        o.user_id = 350000001;
        o.start = (avito_inbox_start)(choices[1] % 3);
        o.since = 1754880000;
        o.state = state;
        o.state_cap = state_cap;
        o.arena = &w.arena;
        o.load = load_slot;
        o.save = save_slot;
        o.mark_as_read = (choices[1] & 4) != 0;
        rc = avito_inbox_init(&in, &w.client, &o);
        MUST(rc == AVITO_OK ||
             rc == AVITO_ERR_OPTION_STATE); /* an unreadable state is lost, and reported */
        give(&in, rc == AVITO_OK ? 60 : 0);
        avito_client_close(&w.client);
        MUST(w.peer.connects == w.peer.closes);
        free(slots[0]);
        free(slots[1]);
    }
    free(window);
    free(state);
}

/* ---- tokens ---- */

/* The request's head has exactly the lines that it should have. */
static void check_head(struct anyone *peer)
{
    const char *end = strstr(peer->request, "\r\n\r\n");
    unsigned lines = 0;

    if (end == NULL) {
        return;
    }
    for (const char *at = peer->request; at < end; at++) {
        const unsigned char c = (unsigned char)*at;
        MUST(c >= ' ' || (c == '\r' && at[1] == '\n') || (c == '\n' && at[-1] == '\r'));
        lines += c == '\n';
    }
    MUST(lines <= 8);
    MUST(strstr(peer->request, "\r\nX-Evil") == NULL || strstr(peer->request, "\r\nX-Evil") > end);
}

static void on_peer(void *ctx, const char *where)
{
    if (strcmp(where, "recv") == 0) { /* it keeps the last request until the next one */
        check_head(ctx);
    }
}

static void token(const uint8_t *choices, const uint8_t *data, size_t size)
{
    const size_t access = size > 0 ? data[0] % size : 0;
    char *text[2] = {fuzz_copy(data + 1, access),
                     fuzz_copy(data + 1 + access, size > 0 ? size - 1 - access : 0)};
    void *window = fuzz_memory(WINDOW);
    avito_self self;
    int rc;

    memset(&w.token, 0, sizeof w.token);
    w.token.access_token.ptr = text[0];
    w.token.access_token.len = access;
    if (choices[0] % 2 == 0 && size > 0) {
        w.token.refresh_token.ptr = text[1];
        w.token.refresh_token.len = size - 1 - access;
    }
    w.token.expires_in = (choices[1] & 1) != 0 ? INT64_MIN + choices[0] : choices[1];
    w.token.expires_at = (choices[1] & 2) != 0 ? INT64_MAX - choices[0] : 1754890000 + choices[1];
    begin_lane(window);
    w.peer.hook = on_peer;
    w.peer.hook_ctx = &w.peer;
    rc = avito_get_self(&w.client, &w.arena, &self);
    for (int i = 0; i < 200 && rc == AVITO_AGAIN; i++) {
        const uint32_t ms = avito_deadline_ms(&w.client);
        w.peer.now_ms += ms < 1000 ? ms : 1000;
        rc = avito_step(&w.client);
    }
    MUST(rc == AVITO_OK || rc <= -100);
    avito_client_close(&w.client);
    w.token.access_token.ptr = NULL;
    free(text[0]);
    free(text[1]);
    free(window);
}

/* ---- a TLS session ---- */

static void session(const uint8_t *choices, const uint8_t *data, size_t size)
{
    static uint8_t dn[4] = {0x30, 2, 0x31, 0}, q[65] = {4};
    static br_x509_trust_anchor anchor = {
        {dn, sizeof dn}, BR_X509_TA_CA, {BR_KEYTYPE_EC, {.ec = {BR_EC_secp256r1, q, 65}}}};
    static uint8_t records[AVITO_TLS_BUFFER_HALF(512)];
    static avito_tls tls;
    const avito_server server = {"api.avito.ru", 443};
    avito_tls_options o = avito_tls_options_default();
    avito_tls_session in, out;
    avito_transport t;
    int rc;

    memset(&in, 0, sizeof in);
    memcpy(&in, data, size < sizeof in ? size : sizeof in);
    anyone_init(&w.peer);
    o.transport = anyone_transport(&w.peer, false);
    o.anchors = &anchor;
    o.anchors_count = 1;
    o.buffer = records;
    o.buffer_cap = sizeof records;
    o.ctx = &w.peer;
    o.unix_time = anyone_unix_time;
    o.entropy = anyone_entropy;
    MUST(avito_tls_init(&tls, &o) == AVITO_OK);
    MUST(avito_tls_get_session(&tls, &out) == AVITO_END);
    rc = avito_tls_set_session(&tls, &in);
    MUST(rc == AVITO_OK || rc == AVITO_ERR_ARGUMENT);
    if (rc == AVITO_OK && avito_tls_get_session(&tls, &out) == AVITO_OK) {
        MUST(memcmp(in.bytes, out.bytes, 110) == 0);
    }
    if (choices[0] % 2 == 0) { /* the session for this server and these anchors */
        impl_session_for(&tls, &server);
        tls.priv.session_time = tls.priv.session_time != 0 ? 1754890000 : 0;
    }
    t = avito_tls_transport(&tls);
    for (int i = 0; i < 4; i++) {
        (void)t.functions->connect(t.ctx, &server);
    }
    t.functions->close(t.ctx);
    MUST(w.peer.connects == w.peer.closes);
}

/* ---- files ---- */

static bool is_text(const char *text, size_t cap)
{
    return memchr(text, 0, cap) != NULL;
}

static int look_at_send(void *ctx, const avito_store_send *send)
{
    (void)ctx;
    MUST(is_text(send->key, sizeof send->key) && is_text(send->chat_id, sizeof send->chat_id));
    MUST(is_text(send->baseline_id, sizeof send->baseline_id) &&
         is_text(send->text, sizeof send->text));
    MUST(is_text(send->message_id, sizeof send->message_id));
    MUST(send->outcome == AVITO_SENT || send->outcome == AVITO_NOT_SENT ||
         send->outcome == AVITO_CANNOT_TELL);
    return AVITO_OK;
}

static const char *folder_of_store(void)
{
    static char folder[64];

    if (folder[0] == '\0') {
        (void)snprintf(folder, sizeof folder, "%s/fuzz-stored-XXXXXX",
                       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        MUST(mkdtemp(folder) != NULL);
    }
    return folder;
}

static void remove_store(void)
{
    static const char *const names[] = {"tokens",  "send.k",     "inbox.0",
                                        "inbox.1", "inbox.lock", "lock"};
    char path[120];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder_of_store(), names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder_of_store());
}

static void put_file(const char *name, const uint8_t *data, size_t size)
{
    char path[120];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder_of_store(), name);
    file = fopen(path, "wb");
    MUST(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static void files(const uint8_t *choices, const uint8_t *data, size_t size)
{
    static const char *const names[] = {"tokens", "send.k", "inbox.0", "inbox.lock"};
    static avito_store store;
    static avito_store_send send;
    avito_store_options o = avito_store_options_default();
    uint8_t *state = fuzz_memory(100);
    avito_token got;
    size_t len;
    int rc;

    o.folder = folder_of_store();
    o.client_id = choices[1] % 2 == 0 ? "id" : NULL;
    put_file(names[choices[0] % 4], data, size);
    MUST(avito_store_open(&store, &o) == AVITO_OK);
    rc = avito_store_load_token(&store, &got);
    MUST(rc == AVITO_OK || rc == AVITO_END);
    MUST(rc != AVITO_OK || got.access_token.ptr == NULL ||
         strlen(got.access_token.ptr) == got.access_token.len);
    rc = avito_store_find_send(&store, "k", &send);
    MUST(rc == AVITO_OK || rc == AVITO_END);
    MUST(rc != AVITO_OK || look_at_send(NULL, &send) == AVITO_OK);
    MUST(avito_store_each_send(&store, look_at_send, NULL) == AVITO_OK);
    rc = avito_store_load_inbox(&store, 0, state, 100, &len);
    MUST(rc == AVITO_OK || rc == AVITO_END);
    avito_store_close(&store);
    remove_store();
    MUST(mkdir(folder_of_store(), 0700) == 0);
    free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool begun;

    if (!begun) {
        begun = true;
        (void)folder_of_store();
        MUST(atexit(remove_store) == 0);
    }
    if (size < 3) {
        return 0;
    }
    switch (data[0] % 4) {
        case 0:
            inbox(data + 1, data + 3, size - 3);
            break;
        case 1:
            token(data + 1, data + 3, size - 3);
            break;
        case 2:
            session(data + 1, data + 3, size - 3);
            break;
        default:
            files(data + 1, data + 3, size - 3);
            break;
    }
    return 0;
}
