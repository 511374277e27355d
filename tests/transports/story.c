/* story.c - token, self, chats, a text, a long text, a picture, over whatever transport. */
#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char window[1024], room[32768], tokens[AVITO_TOKENS_SIZE(128)];
static char roots[16384], records[AVITO_TLS_BUFFER_HALF(16384)];
static avito_tls tls;
static avito_account account;
static avito_client client;
static avito_arena arena;
static int failures;

static void check(const stack *s, const char *how, const char *what, bool ok)
{
    printf("%s - %s, %s: %s\n", ok ? "ok" : "not ok", s->name, how, what);
    if (!ok) {
        const avito_error *e = avito_last_error(&client);

        printf("# %s, HTTP %d, detail %ld, %s\n", avito_error_name(e->code), (int)e->http_status,
               (long)e->detail, e->text);
        failures++;
    }
}

/* Steps a call as the transport's wants() says. */
static int finish(int rc)
{
    while (rc == AVITO_AGAIN) {
        usleep(500); /* a bare loop: nothing tells when bytes have come */
        rc = avito_step(&client);
    }
    return rc;
}

static bool send_text(int64_t user_id, const char *chat_id, const char *text)
{
    avito_message sent;

    avito_arena_reset(&arena);
    return finish(avito_send_message(&client, user_id, chat_id, text, &arena, &sent)) == AVITO_OK &&
           sent.id.len > 0;
}

static bool upload(int64_t user_id)
{
    static unsigned char picture[200000];
    avito_image_source source;
    avito_uploaded_image uploaded;

    memset(&source, 0, sizeof source);
    memcpy(picture, "\xff\xd8\xff\xe0", 4);
    source.data = picture;
    source.size = sizeof picture;
    avito_arena_reset(&arena);
    return finish(avito_upload_image(&client, user_id, &source, &arena, &uploaded)) == AVITO_OK;
}

/* The peer resets in the middle of an answer: an error, and the next call opens a connection of
 * its own. */
static void broken_line(const stack *s, const char *how, int64_t user_id, const char *chat_id)
{
    avito_chats chats;
    int rc;

    s->reset_after(100);
    avito_arena_reset(&arena);
    rc = finish(avito_get_chats(&client, user_id, NULL, &arena, &chats));
    check(s, how, "a reset in an answer", rc == AVITO_ERR_RECV || rc == AVITO_ERR_CLOSED);
    check(s, how, "... and a text after it", send_text(user_id, chat_id, "после обрыва"));
    s->reset_after(0);
    check(s, how, "a text after a reset that nobody saw", send_text(user_id, chat_id, "ещё раз"));
}

static void tell(const stack *s, const char *how)
{
    static char long_text[2001];
    char chat_id[128];
    avito_self me;
    avito_chats chats;
    int rc;

    rc = finish(avito_get_self(&client, &arena, &me));
    check(s, how, "self", rc == AVITO_OK && me.id != 0);
    if (rc != AVITO_OK) {
        return;
    }
    rc = finish(avito_get_chats(&client, me.id, NULL, &arena, &chats));
    check(s, how, "chats", rc == AVITO_OK && chats.count > 0);
    if (rc != AVITO_OK || chats.count == 0) {
        return;
    }
    snprintf(chat_id, sizeof chat_id, "%s", chats.items[0].id.ptr);
    check(s, how, "a text", send_text(me.id, chat_id, "Здравствуйте!"));
    for (size_t i = 0; i + 1 < sizeof long_text; i += 2) {
        memcpy(long_text + i, "я", 2);
    }
    check(s, how, "a text of 2 KB", send_text(me.id, chat_id, long_text));
    check(s, how, "a picture of 200 KB", upload(me.id));
    avito_client_close(&client);
    check(s, how, "a text on a new connection", send_text(me.id, chat_id, "снова"));
    if (s->reset_after != NULL) {
        broken_line(s, how, me.id, chat_id);
    }
    avito_client_close(&client);
}

static int64_t unix_time(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

static int open_lane(const stack *s, avito_transport transport, const char *host, uint16_t port,
                     bool never_wait)
{
    avito_account_options a = avito_account_options_default();
    avito_client_options c = avito_client_options_default();
    int rc;

    a.client_id = "client-id-for-tests";
    a.client_secret = "client-secret-for-tests-0123456789abcdef";
    a.host = host;
    a.port = port;
    a.tokens = tokens;
    a.tokens_cap = sizeof tokens;
    a.clock_ms = s->clock_ms;
    a.entropy = s->entropy;
    c.transport = transport;
    c.window = window;
    c.window_cap = sizeof window;
    c.never_wait = never_wait;
    c.connect_timeout_ms = 3000;
    arena = avito_arena_of(room, sizeof room);
    rc = avito_account_init(&account, &a);
    return rc ? rc : avito_client_init(&client, &account, &c);
}

static void play(const stack *s, const char *how, avito_transport transport, uint16_t port,
                 bool never_wait)
{
    check(s, how, "set up", open_lane(s, transport, "localhost", port, never_wait) == AVITO_OK);
    tell(s, how);
}

static int ask(const stack *s, const char *host, uint16_t port, int32_t *detail)
{
    avito_self me;
    int rc = open_lane(s, s->transport, host, port, !s->always_waits);

    rc = rc ? rc : finish(avito_get_self(&client, &arena, &me));
    *detail = avito_last_error(&client)->detail;
    avito_client_close(&client);
    return rc;
}

/* What leads nowhere ends in its own error, with its own number, and spoils nothing. */
static void unreachable(const stack *s, uint16_t port)
{
    const char *how = "unreachable";
    int32_t refused, unknown, detail;

    check(s, how, "nobody listens", ask(s, "localhost", 1, &refused) == AVITO_ERR_CONNECT);
    check(s, how, "... with the stack's number", (refused != 0) == s->tells_why);
    check(s, how, "no such name",
          ask(s, "no.such.name", port, &unknown) ==
              (s->tells_why ? AVITO_ERR_RESOLVE : AVITO_ERR_CONNECT));
    check(s, how, "... without the number before", !s->tells_why || unknown != refused);
    if (!s->always_waits) {
        s->stay_silent(true);
        check(s, how, "no answer", ask(s, "localhost", port, &detail) == AVITO_ERR_TIMEOUT_CONNECT);
        s->stay_silent(false);
    }
    check(s, how, "and then it is there", ask(s, "localhost", port, &detail) == AVITO_OK);
}

/* The stack's counter passes its end meanwhile. */
static void clock_goes_on(const stack *s)
{
    const uint32_t begin = s->clock_ms(NULL);
    uint32_t passed;

    usleep(500000);
    passed = s->clock_ms(NULL) - begin;
    check(s, "clock", "half a second", passed >= 490 && passed < 5000);
}

static avito_transport over_tls(const stack *s, const char *file)
{
    static avito_anchors anchors;
    avito_tls_options t = avito_tls_options_default();

    if (avito_anchors_load_file(&anchors, roots, sizeof roots, file) != AVITO_OK) {
        printf("not ok - %s: no roots in %s\n", s->name, file);
        exit(1);
    }
    t.transport = s->transport;
    t.anchors = anchors.items;
    t.anchors_count = anchors.count;
    t.buffer = records;
    t.buffer_cap = sizeof records;
    t.unix_time = unix_time;
    t.entropy = s->entropy;
    avito_tls_init(&tls, &t);
    return avito_tls_transport(&tls);
}

int story_run(const stack *s, int argc, char **argv)
{
    const uint16_t port = (uint16_t)(argc > 3 ? atoi(argv[1]) : 0),
                   tls_port = (uint16_t)(argc > 3 ? atoi(argv[2]) : 0);

    if (argc < 4) {
        fprintf(stderr, "usage: %s PORT TLS_PORT ROOTS\n", argv[0]);
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    clock_goes_on(s);
    play(s, "plain, waiting", s->transport, port, false);
    play(s, "TLS, waiting", over_tls(s, argv[3]), tls_port, false);
    if (!s->always_waits) {
        play(s, "plain, stepped", s->transport, port, true);
        play(s, "TLS, stepped", over_tls(s, argv[3]), tls_port, true);
    }
    if (s->stay_silent != NULL) {
        unreachable(s, port);
    }
    return failures;
}
