/* AvitoArduino.h - everything in one object for a sketch: TLS by the header over any Client.
 *
 * По-русски: всё в одном объекте для скетча: TLS этой библиотеки поверх любого Client.
 *
 *     #define AVITO_MESSENGER_IMPLEMENTATION    in the sketch, before this file
 *     #include <AvitoArduino.h>
 *
 *     WiFiClient net;
 *     Avito<> avito(net, CLIENT_ID, CLIENT_SECRET);
 *
 * All memory is in the object: sizeof(Avito<>) is some 35 KB. Where the server agrees to small records,
 * Avito<4096> saves 12 KB of it. Time and random bytes come from the board: see AvitoBoard. Tokens and
 * the inbox live as long as the sketch, unless the board keeps them: on ESP32 avito_board(store) does.
 * Copy AvitoTransport.h too, and for ESP32 avito_esp.h. */
#ifndef AVITO_ARDUINO_H
#define AVITO_ARDUINO_H

#ifndef AVITO_WITH_BEARSSL
#define AVITO_WITH_BEARSSL 1
#endif

/* The ESP8266 core has BearSSL. Elsewhere it is the library ArduinoBearSSL, which Arduino's tools
 * find only if this file is included. */
#if defined(ARDUINO) && !defined(ESP8266)
#include <ArduinoBearSSL.h>
#endif

#include "AvitoTransport.h"

/* What a board must provide. Below are both functions for ESP32 and ESP8266; elsewhere write these
 * two. */
struct AvitoBoard {
    int64_t (*unix_time)(void *ctx); /* true time: certificates are checked against it */
    int (*entropy)(void *ctx, void *out, size_t len); /* true random bytes, AVITO_OK */
    /* Optional: keeps tokens over a restart. */
    int (*load_token)(void *ctx, avito_token *token);
    int (*save_token)(void *ctx, const avito_token *token);
    /* Optional: keeps the inbox over a restart. */
    int (*save_inbox)(void *ctx, int slot, const void *data, size_t len);
    int (*load_inbox)(void *ctx, int slot, void *data, size_t cap, size_t *len);
    void *ctx;
};

#if defined(ESP32) || defined(ESP8266)

#include <time.h>
#if defined(ESP32)
#if defined(AVITO_MESSENGER_IMPLEMENTATION)
#define AVITO_ESP_IMPLEMENTATION
#endif
#include "avito_esp.h"
#else
extern "C" int os_get_random(unsigned char *out, size_t len);
#endif

/* The time after configTime(0, 0, "pool.ntp.org"), and the chip's generator, which is a true one
 * while the radio is on. */
inline AvitoBoard avito_board()
{
    AvitoBoard board = AvitoBoard();

    board.unix_time = [](void *) -> int64_t { return static_cast<int64_t>(time(nullptr)); };
#if defined(ESP32)
    board.entropy = avito_esp_entropy;
#else
    board.entropy = [](void *, void *out, size_t len) -> int {
        return os_get_random(static_cast<unsigned char *>(out), len) == 0
                   ? AVITO_OK
                   : AVITO_ERR_OPTION_ENTROPY;
    };
#endif
    return board;
}

#if defined(ESP32)
/* The same, with tokens and the inbox in flash, where a restart finds them. Call
 * avito_esp_store_open(&store, "avito") before; `store` must outlive the Avito. */
inline AvitoBoard avito_board(avito_esp_store &store)
{
    AvitoBoard board = avito_board();

    board.load_token = avito_esp_load_token;
    board.save_token = avito_esp_save_token;
    board.load_inbox = avito_esp_load_inbox;
    board.save_inbox = avito_esp_save_inbox;
    board.ctx = &store;
    return board;
}
#endif

#endif

template <size_t RECORD = 16384, size_t ARENA = 8192, size_t WINDOW = 1024, size_t RING = 64>
class Avito
{
  public:
    Avito(Client &net, const char *client_id, const char *client_secret)
        : link_(net), id_(client_id), secret_(client_secret), user_id_(0), result_(AVITO_OK),
          watching_(false)
    {
    }

    /* `roots`: trust anchors, for instance of tools/anchors. False: error() says why. */
    bool begin(const br_x509_trust_anchor *roots, size_t count, const AvitoBoard &board,
               const char *host = nullptr, uint16_t port = 0)
    {
        avito_tls_options t = avito_tls_options_default();

        t.transport = link_.transport();
        t.anchors = roots;
        t.anchors_count = count;
        t.buffer = records_;
        t.buffer_cap = sizeof records_;
        t.ctx = board.ctx;
        t.unix_time = board.unix_time;
        t.entropy = board.entropy;
        t.watchdog = [](void *) { yield(); };
        result_ = avito_tls_init(&tls_, &t);
        return ok() && open(avito_tls_transport(&tls_), board, host, port);
    }

    /* The same over a secure Client, which brings its own TLS and anchors. */
    bool beginSecure(const AvitoBoard &board, const char *host = nullptr, uint16_t port = 0)
    {
        return open(link_.transport(), board, host, port);
    }

    /* For each unread chat f(chat). Nothing may be sent from f: note the id, and send afterwards. */
    template <class F> bool unread(F f)
    {
        avito_chats_query query = avito_chats_query();
        avito_chat chat;

        if (!who()) {
            return false;
        }
        query.unread_only = true;
        query.want = AVITO_CHAT_ALL & ~AVITO_CHAT_AVATARS;
        avito_arena_reset(&arena_);
        result_ = avito_list_chats(&client_, user_id_, &query, &arena_);
        while (avito_list_open(&client_)) {
            result_ = avito_next_chat(&client_, &chat);
            if (result_ == AVITO_OK) {
                f(chat);
            }
        }
        result_ = result_ == AVITO_END ? static_cast<int>(AVITO_OK) : result_;
        return ok();
    }

    /* `chat_id` may be that of the present message. False: result() says why. */
    bool send(const char *chat_id, const char *text)
    {
        result_ = who() ? avito_send_message(&client_, user_id_, chat_id, text, nullptr, nullptr)
                        : result_;
        return ok();
    }

    /* After send() was false: the text may have arrived all the same, and would come twice if it were sent again. */
    bool perhapsSent() const
    {
        return avito_last_error(&client_)->outcome == AVITO_CANNOT_TELL;
    }

    bool markAsRead(const char *chat_id)
    {
        result_ = who() ? avito_mark_chat_as_read(&client_, user_id_, chat_id) : result_;
        return ok();
    }

    /* Gives each new message once: call it in loop(). True: `message` is one, valid until the next
     * call; it comes again until accept(). Waits for about half a second if there is none, also
     * after an error: result() is below 0 then, and a loop() must not ask on without a pause. */
    bool next(avito_message &message)
    {
        if (watch()) {
            result_ = avito_inbox_next(&inbox_, &message);
        }
        if (result_ < 0) {
            delay(500);
        }
        return ok();
    }

    bool accept()
    {
        result_ = avito_inbox_accept(&inbox_);
        return ok();
    }

    bool ok() const
    {
        return result_ == AVITO_OK;
    }

    int result() const
    {
        return result_;
    }

    /* What happened, and what to do. */
    const char *error() const
    {
        return avito_error_text(result_);
    }

    const char *remedy() const
    {
        return avito_error_remedy(result_);
    }

    avito_client &client()
    {
        return client_;
    }

  private:
    bool open(avito_transport transport, const AvitoBoard &board, const char *host, uint16_t port)
    {
        avito_account_options a = avito_account_options_default();
        avito_client_options c = avito_client_options_default();

        board_ = board;
        arena_ = avito_arena_of(room_, sizeof room_);
        a.client_id = id_;
        a.client_secret = secret_;
        a.host = host;
        a.port = port;
        a.tokens = tokens_;
        a.tokens_cap = sizeof tokens_;
        a.ctx = board.ctx;
        a.clock_ms = [](void *) -> uint32_t { return static_cast<uint32_t>(millis()); };
        a.unix_time = board.unix_time;
        a.entropy = board.entropy;
        a.load_token = board.load_token;
        a.save_token = board.save_token;
        c.transport = transport;
        c.window = window_;
        c.window_cap = sizeof window_;
        result_ = avito_account_init(&account_, &a);
        result_ = ok() ? avito_client_init(&client_, &account_, &c) : result_;
        return ok();
    }

    /* Whose account it is, asked once. */
    bool who()
    {
        avito_self self;

        if (user_id_ != 0) {
            result_ = AVITO_OK;
            return true;
        }
        avito_arena_reset(&arena_);
        result_ = avito_get_self(&client_, &arena_, &self);
        user_id_ = ok() ? self.id : 0;
        return ok();
    }

    bool watch()
    {
        avito_inbox_options o = avito_inbox_options_default();

        if (watching_) {
            return true;
        }
        if (!who()) {
            return false;
        }
        avito_arena_reset(&arena_);
        o.user_id = user_id_;
        o.state = ring_;
        o.state_cap = sizeof ring_;
        o.arena = &arena_;
        o.ctx = board_.ctx;
        o.save = board_.save_inbox;
        o.load = board_.load_inbox;
        o.nap_ms = 500;
        result_ = avito_inbox_init(&inbox_, &client_, &o);
        watching_ = ok();
        return watching_;
    }

    Avito(const Avito &) = delete;
    Avito &operator=(const Avito &) = delete;

    AvitoTransport link_;
    AvitoBoard board_;
    const char *id_, *secret_;
    int64_t user_id_;
    int result_;
    bool watching_;
    avito_tls tls_;
    avito_account account_;
    avito_client client_;
    avito_inbox inbox_;
    avito_arena arena_;
    unsigned char records_[AVITO_TLS_BUFFER_HALF(RECORD)];
    char tokens_[AVITO_TOKENS_SIZE(128)], window_[WINDOW], room_[ARENA],
        ring_[AVITO_INBOX_STATE_SIZE(RING)];
};

#endif
