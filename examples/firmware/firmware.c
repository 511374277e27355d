/*
 * По-русски: плата отвечает покупателю по TLS 1.2, без кучи, операционной системы и stdio.
 *
 * A board that answers a buyer over TLS 1.2, checks the server's certificate, and uses no heap,
 * operating system or stdio. The source is the same for every board; firmware.mk has the
 * differences.
 *
 * The loop is that of bare metal: the program starts a call, and while it says AVITO_AGAIN it waits
 * for its link, feeds the watchdog and calls avito_step(). It prints the cost of each call. Under
 * `qemu -icount shift=0` an instruction takes a nanosecond, so the board's own timer counts
 * instructions; on real hardware the same figures are nanoseconds.
 */
#include "avito_messenger.h"

#include <string.h>

#include "anchors.h" /* made by make: the roots that sign the server */
#include "board.h"
#include "link.h"
#include "say.h"

/* By board, see firmware.mk. */
#ifndef FIRMWARE_FRAGMENT
#define FIRMWARE_FRAGMENT 512 /* largest TLS record that the server is asked for */
#endif
#ifndef FIRMWARE_ARENA
#define FIRMWARE_ARENA 0 /* bytes of its own; 0: uses TLS memory that only a handshake needs */
#endif
#ifndef FIRMWARE_CHATS
#define FIRMWARE_CHATS 5 /* how many chats to ask for at once */
#endif
#ifndef FIRMWARE_WITH_IMAGE
#define FIRMWARE_WITH_IMAGE 0 /* upload a picture and reconnect */
#endif
#ifndef FIRMWARE_WITH_POLLING
#define FIRMWARE_WITH_POLLING 0 /* then wait for new messages and answer two */
#endif

/* A product has these in its configuration. */
#define USER_ID       350000001
#define CLIENT_ID     "client-id-for-tests"
#define CLIENT_SECRET "client-secret-for-tests-0123456789abcdef"

static avito_account account;
static avito_client client;
static avito_tls tls;
static avito_arena *arena;

static unsigned char records[AVITO_TLS_BUFFER_HALF(FIRMWARE_FRAGMENT)];
static unsigned char window[AVITO_WINDOW_MIN];
static unsigned char
    tokens[AVITO_TOKENS_SIZE_ONE_LANE(40)]; /* no refresh token: one copy is enough */

static char chat_id[72]; /* of the chat that is answered, copied out of the list */

/* A connection may have to be opened again by any call, and its handshake then needs the memory back: so
 * the arena is reset before each call, and the chat's id is copied. */
static void set_up_arena(void)
{
#if FIRMWARE_ARENA > 0
    static uint32_t room[FIRMWARE_ARENA / 4];
    static avito_arena own;

    own = avito_arena_of(room, sizeof room);
    arena = &own;
#else
    arena = avito_tls_arena(&tls);
#endif
}

/* ---- what it costs, in instructions (see above) ---- */

static struct {
    uint32_t began; /* when the present piece of the call began, in ticks */
    uint32_t call;  /* the call in progress, or the last one; say it, and it starts over */
    uint32_t longest_step;
    uint32_t fed; /* when the watchdog was last fed, in ticks */
    uint32_t longest_unfed;
} cost;

static uint32_t instructions(uint32_t ticks)
{
    return (uint32_t)((uint64_t)ticks * board.tick_ns_num / board.tick_ns_den);
}

static void feed(void)
{
    uint32_t now = board_ticks();

    if (now - cost.fed > cost.longest_unfed) {
        cost.longest_unfed = now - cost.fed;
    }
    cost.fed = now;
    board_watchdog();
}

/* After waiting, during which the link has fed the watchdog: only work counts. */
static void waited(void)
{
    cost.fed = board_ticks();
}

static void feed_in_handshake(void *ctx)
{
    (void)ctx;
    feed();
}

/* ---- the profile: what TLS may use, and how it multiplies ---- */

#if AVITO_TLS_OWN_PROFILE
/* The 16 KB parts: P-256 and RSA, AES-128-GCM. i31 arithmetic needs 850 bytes less stack than i15,
 * so that the arena can hold a whole chat. On a Cortex-M0 it costs 50 % more instructions, once per
 * connection. */
AVITO_TLS_WATCHED_EC(watched_ec, br_ec_p256_m31, 1u << BR_EC_secp256r1, feed)
AVITO_TLS_WATCHED_RSA(watched_rsa, br_rsa_i31_pkcs1_vrfy, feed)

static void configure(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    static const uint16_t suites[] = {BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                      BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256};
    br_ssl_engine_context *engine = &ssl->eng;

    (void)ctx;
    br_ssl_engine_set_suites(engine, suites, sizeof suites / sizeof suites[0]);
    br_ssl_engine_set_ec(engine, &watched_ec);
    br_ssl_engine_set_rsavrfy(engine, watched_rsa);
    br_ssl_engine_set_ecdsa(engine, br_ecdsa_i31_vrfy_asn1);
    br_ssl_engine_set_hash(engine, br_sha256_ID, &br_sha256_vtable);
    br_ssl_engine_set_hash(engine, br_sha384_ID, &br_sha384_vtable);
    br_ssl_engine_set_prf_sha256(engine, br_tls12_sha256_prf);
    br_ssl_engine_set_gcm(engine, &br_sslrec_in_gcm_vtable, &br_sslrec_out_gcm_vtable);
    br_ssl_engine_set_aes_ctr(engine, &br_aes_ct_ctr_vtable);
    br_ssl_engine_set_ghash(engine, br_ghash_ctmul32);
    br_x509_minimal_set_rsa(x509, watched_rsa);
    br_x509_minimal_set_ecdsa(x509, &watched_ec, br_ecdsa_i31_vrfy_asn1);
    br_x509_minimal_set_hash(x509, br_sha256_ID, &br_sha256_vtable);
    br_x509_minimal_set_hash(x509, br_sha384_ID, &br_sha384_vtable);
}
#else
/* The default profile, every curve; only the multiplications are watched. */
AVITO_TLS_WATCHED_EC(watched_ec, br_ec_all_m31,
                     1u << BR_EC_secp256r1 | 1u << BR_EC_secp384r1 | 1u << BR_EC_curve25519, feed)
AVITO_TLS_WATCHED_RSA(watched_rsa, br_rsa_i31_pkcs1_vrfy, feed)

static void configure(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509)
{
    (void)ctx;
    avito_tls_profile(ssl, x509);
    br_ssl_engine_set_ec(&ssl->eng, &watched_ec);
    br_ssl_engine_set_rsavrfy(&ssl->eng, watched_rsa);
    br_x509_minimal_set_rsa(x509, watched_rsa);
    br_x509_minimal_set_ecdsa(x509, &watched_ec, br_ecdsa_i31_vrfy_asn1);
}
#endif

/* ---- calls ---- */

static void count(uint32_t spent)
{
    cost.call += spent;
    if (spent > cost.longest_step) {
        cost.longest_step = spent;
    }
    feed();
}

/* A lane that must not wait tells what to wait for, and how long. */
static void wait_for_link(void)
{
    avito_transport link = link_transport();
    uint32_t ms = avito_deadline_ms(&client);

    link.functions->wait(link.ctx, avito_wants(&client), ms < 100 ? ms : 100);
    waited();
}

/* Called before and after each piece of a call; the second returns the result unchanged. */
static void begin(void)
{
    cost.began = board_ticks();
}

static int step_done(int result)
{
    count(board_ticks() - cost.began);
    return result;
}

/* Steps a call to its end. `result` is what the call itself returned. */
static int finish(int result)
{
    result = step_done(result);
    while (result == AVITO_AGAIN) {
        wait_for_link();
        begin();
        result = step_done(avito_step(&client));
    }
    return result;
}

/* CALL(avito_...(...)): starts the clock, then the call, then steps it. */
#define CALL(expression) finish((begin(), (expression)))

static void say_millions(uint32_t number)
{
    say_unsigned(number / 1000000);
    say(".");
    say_unsigned(number / 100000 % 10);
    say_unsigned(number / 10000 % 10);
    say(" M");
}

/* One line of the transcript; returns whether all is well. */
static bool report(const char *what, int result)
{
    const avito_error *error = avito_last_error(&client);

    say_time();
    say(what);
    if (result >= 0) {
        say("  (");
        say_millions(instructions(cost.call));
        say(" instructions)\r\n");
        cost.call = 0;
        return true;
    }
    say("  FAILED: ");
    say(avito_error_name(result));
    say(": ");
    say(avito_error_text(result));
    say("; ");
    say(error->text);
    say(" (http ");
    say_number(error->http_status);
    say(", detail ");
    say_number(error->detail);
    say(", needed ");
    say_unsigned((uint32_t)error->needed);
    say(")\r\n");
    return false;
}

/* ---- the work ---- */

static void say_text(avito_str id, const avito_content *content)
{
    say("          ");
    say(id.ptr);
    if (content->kind == AVITO_MESSAGE_TEXT) {
        say(": \"");
        say(content->as.text.ptr);
        say("\"");
    }
    say("\r\n");
}

/* Finds the newest unread chat: AVITO_OK with its id kept, AVITO_END if there is none. */
static int find_unread(void)
{
    static const avito_chats_query unread = {
        .unread_only = true,
        .limit = FIRMWARE_CHATS,
        .want = AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS,
        .cut_text_at = 200,
    };
    avito_chat chat;
    int result;

    avito_arena_reset(arena);
    result = CALL(avito_list_chats(&client, USER_ID, &unread, arena));
    if (report("unread chats asked for", result) && result == AVITO_OK) {
        result = CALL(avito_next_chat(&client, &chat));
    }
    if (result == AVITO_OK && chat.id.len >= sizeof chat_id) {
        result = AVITO_ERR_ROOM;
    }
    if (!report(result == AVITO_END ? "no unread chat" : "newest unread chat", result) ||
        result == AVITO_END) {
        return result;
    }
    if (chat.last_message != NULL) {
        say_text(chat.id, &chat.last_message->content);
    }
    memcpy(chat_id, chat.id.ptr, chat.id.len + 1);
    result = CALL(avito_list_end(&client, FIRMWARE_CHATS * 4096u));
    return report("list ended", result) ? AVITO_OK : result;
}

static int answer(const char *text)
{
    int result;

    avito_arena_reset(arena);
    result = CALL(avito_send_message(&client, USER_ID, chat_id, text, NULL, NULL));
    if (report("answered", result)) {
        result = CALL(avito_mark_chat_as_read(&client, USER_ID, chat_id));
        report("marked as read", result);
    }
    return result;
}

#if FIRMWARE_WITH_IMAGE

/* A picture that is nowhere in memory, a 64 x 48 BMP: each byte is computed when it is asked
 * for. */
enum {
    IMAGE_WIDTH = 64,
    IMAGE_HEIGHT = 48,
    IMAGE_HEAD = 54,
    IMAGE_SIZE = IMAGE_HEAD + 3 * IMAGE_WIDTH * IMAGE_HEIGHT
};

static unsigned char image_byte(size_t at)
{
    static const unsigned char head[IMAGE_HEAD] = {'B',
                                                   'M',
                                                   IMAGE_SIZE & 0xff,
                                                   IMAGE_SIZE >> 8,
                                                   0,
                                                   0,
                                                   0,
                                                   0,
                                                   0,
                                                   0,
                                                   IMAGE_HEAD,
                                                   0,
                                                   0,
                                                   0,
                                                   40,
                                                   0,
                                                   0,
                                                   0,
                                                   IMAGE_WIDTH,
                                                   0,
                                                   0,
                                                   0,
                                                   IMAGE_HEIGHT,
                                                   0,
                                                   0,
                                                   0,
                                                   1,
                                                   0,
                                                   24};
    size_t pixel = (at - IMAGE_HEAD) / 3;

    if (at < IMAGE_HEAD) {
        return head[at];
    }
    switch ((at - IMAGE_HEAD) % 3) {
        case 0:
            return (unsigned char)(pixel % IMAGE_WIDTH * 4);
        case 1:
            return (unsigned char)(pixel / IMAGE_WIDTH * 5);
        default:
            return 0x80;
    }
}

static long read_image(void *ctx, size_t offset, void *buf, size_t cap)
{
    unsigned char *out = (unsigned char *)buf;
    size_t i;

    (void)ctx;
    for (i = 0; i < cap && offset + i < IMAGE_SIZE; i++) {
        out[i] = image_byte(offset + i);
    }
    return (long)i;
}

static int send_image(void)
{
    avito_image_source source;
    avito_uploaded_image image;
    char image_id[72];
    int result;

    memset(&source, 0, sizeof source);
    source.read = read_image;
    source.size = IMAGE_SIZE;
    source.file_name = "gradient.bmp";
    source.content_type = "image/bmp";
    avito_arena_reset(arena);
    result = CALL(avito_upload_image(&client, USER_ID, &source, arena, &image));
    if (!report("image uploaded", result) || image.image_id.len >= sizeof image_id) {
        return result < 0 ? result : AVITO_ERR_ROOM;
    }
    memcpy(image_id, image.image_id.ptr, image.image_id.len + 1);
    avito_arena_reset(arena);
    result = CALL(avito_send_image_message(&client, USER_ID, chat_id, image_id, NULL, NULL));
    report("image sent", result);
    return result;
}

/* A second connection, which continues the session of the first: no certificates, no long numbers. */
static int reconnect(void)
{
    int result;

    avito_client_close(&client);
    result = find_unread();
    if (result >= 0 && !avito_tls_resumed(&tls)) {
        say("          FAILED: the session was not resumed\r\n");
        return AVITO_ERR_TLS;
    }
    say("          session resumed\r\n");
    return result;
}

#endif

#if FIRMWARE_WITH_POLLING

static avito_inbox inbox;
static unsigned char inbox_state[AVITO_INBOX_STATE_SIZE(64)];

/* The inbox's memory of what was handled. A product writes it to flash or to battery-backed memory;
 * here the two slots last as long as the program. */
static struct {
    unsigned char bytes[AVITO_INBOX_STATE_SIZE(64)];
    size_t len;
} slots[2];

static int save_state(void *ctx, int slot, const void *data, size_t len)
{
    (void)ctx;
    if (len > sizeof slots[slot].bytes) {
        return AVITO_ERR_ROOM;
    }
    memcpy(slots[slot].bytes, data, len);
    slots[slot].len = len;
    return AVITO_OK;
}

static int load_state(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    (void)ctx;
    if (slots[slot].len == 0 || slots[slot].len > cap) {
        return AVITO_END;
    }
    memcpy(data, slots[slot].bytes, slots[slot].len);
    *len = slots[slot].len;
    return AVITO_OK;
}

static int open_inbox(void)
{
    avito_inbox_options options = avito_inbox_options_default();

    options.user_id = USER_ID;
    options.state = inbox_state;
    options.state_cap = sizeof inbox_state;
    options.arena = arena;
    options.save = save_state;
    options.load = load_state;
    options.start = AVITO_START_NOW;
    options.poll_ms = 200;
    avito_arena_reset(arena);
    return avito_inbox_init(&inbox, &client, &options);
}

/* One new message, however long it takes. */
static int next_message(avito_message *message)
{
    avito_transport link = link_transport();
    int result;

    begin();
    result = step_done(avito_inbox_next(&inbox, message));
    while (result == AVITO_AGAIN) {
        uint32_t ms = avito_inbox_deadline_ms(&inbox);

        link.functions->wait(link.ctx, avito_inbox_wants(&inbox), ms < 100 ? ms : 100);
        waited();
        begin();
        result = step_done(avito_inbox_next(&inbox, message));
    }
    return result;
}

/* Thanks for each new message. A product would never return from this. */
static int watch_inbox(unsigned wanted)
{
    avito_message message;
    unsigned answered = 0;
    int result = open_inbox();

    while (result == AVITO_OK && answered < wanted) {
        bool is_buyers;

        result = next_message(&message);
        if (!report("new message", result) || message.chat_id.len >= sizeof chat_id) {
            return result;
        }
        say_text(message.chat_id, &message.content);
        memcpy(chat_id, message.chat_id.ptr, message.chat_id.len + 1);
        is_buyers = avito_classify(&message) == AVITO_CLASS_BUYER; /* our own messages come, too */
        result = avito_inbox_accept(&inbox);
        if (result == AVITO_OK && is_buyers) {
            result = answer("Спасибо, передам продавцу.");
            answered++;
        }
    }
    return result;
}

#endif

/* ---- start ---- */

/* Not inlined, or its option structs would stay below the deepest stack. */
__attribute__((noinline)) static int set_up(void)
{
    avito_account_options ao = avito_account_options_default();
    avito_client_options co = avito_client_options_default();
    avito_tls_options to = avito_tls_options_default();
    int result;

    to.transport = link_transport();
    to.anchors = TAs;
    to.anchors_count = TAs_NUM;
    to.buffer = records;
    to.buffer_cap = sizeof records;
    to.unix_time = board_unix_time;
    to.entropy = board_entropy;
    to.watchdog = feed_in_handshake;
    to.configure = configure;
    result = avito_tls_init(&tls, &to);
    if (result != AVITO_OK) {
        return result;
    }
    ao.client_id = CLIENT_ID;
    ao.client_secret = CLIENT_SECRET;
    ao.tokens = tokens;
    ao.tokens_cap = sizeof tokens;
    ao.clock_ms = board_clock_ms;
    ao.unix_time = board_unix_time;
    ao.entropy = board_entropy;
    result = avito_account_init(&account, &ao);
    if (result != AVITO_OK) {
        return result;
    }
    co.transport = avito_tls_transport(&tls);
    co.window = window;
    co.window_cap = sizeof window;
    co.never_wait = true;
    set_up_arena();
    return avito_client_init(&client, &account, &co);
}

/* Without these two, TLS would only look like TLS. */
static int check_board(void)
{
    unsigned char bits[32];

    if (board_unix_time(NULL) < 1577836800) {
        return AVITO_ERR_OPTION_TIME;
    }
    return board_entropy(NULL, bits, sizeof bits);
}

static int work(void)
{
    int result = CALL(avito_get_token(&client, NULL));

    if (!report("connected, certificate checked, token", result)) {
        return result;
    }
    result = find_unread();
    if (result == AVITO_OK) {
        result = answer("Здравствуйте! Да, ещё продаётся.");
    }
#if FIRMWARE_WITH_IMAGE
    if (result == AVITO_OK) {
        result = send_image();
    }
    if (result == AVITO_OK) {
        result = reconnect();
    }
#endif
#if FIRMWARE_WITH_POLLING
    if (result >= 0) {
        result = watch_inbox(2);
    }
#endif
    avito_client_close(&client);
    return result;
}

static void say_costs(void)
{
    say("          longest avito_step ");
    say_millions(instructions(cost.longest_step));
    say(" instructions, longest without watchdog ");
    say_millions(instructions(cost.longest_unfed));
    say("\r\n          stack ");
    say_unsigned((uint32_t)board_stack_used());
    say(" of ");
    say_unsigned((uint32_t)board_stack_size());
    say(" bytes, arena ");
    say_unsigned((uint32_t)arena->peak);
    say(" of ");
    say_unsigned((uint32_t)arena->cap);
    say("\r\n");
}

int main(void)
{
    int result = check_board();

    say(board.name);
    say(": ");
    say(board.core);
    say(", ");
    say(link_name);
    say("\r\n");
    cost.fed = board_ticks();
    if (result == AVITO_OK) {
        result = set_up();
    }
    if (result != AVITO_OK) {
        say("cannot start: ");
        say(avito_error_text(result));
        say("; ");
        say(avito_error_remedy(result));
        say("\r\n");
        return 2;
    }
    result = work();
    say_costs();
    say(result >= 0 ? "DONE\r\n" : "NOT DONE\r\n");
    return result >= 0 ? 0 : 1;
}
