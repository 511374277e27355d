/* main.cpp - AvitoTransport.h through the story, with the habits of two cores; AvitoArduino.h as a sketch has it. */
#include "Client.h"

extern "C" {
#include "tests/transports/fake_net.h"
#include "tests/transports/story.h"
}

#include "examples/transports/arduino/AvitoArduino.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t clock_ms(void *)
{
    return static_cast<uint32_t>(millis());
}

static int entropy(void *, void *out, size_t len)
{
    return fake_random(out, len) == 0 ? AVITO_OK : AVITO_ERR_OPTION_ENTROPY;
}

static int64_t unix_time(void *)
{
    return static_cast<int64_t>(time(nullptr));
}

static int failures;

static SocketClient net;
static Avito<> avito(net, "client-id-for-tests", "client-secret-for-tests-0123456789abcdef");

static void check(const char *what, bool ok)
{
    printf("%s - sketch: %s\n", ok ? "ok" : "not ok", what);
    if (!ok) {
        printf("# %d %s\n", avito.result(), avito.error());
        failures++;
    }
}

static void sketch(char **argv)
{
    static char roots_memory[16384];
    static avito_anchors anchors;
    AvitoBoard board = AvitoBoard();
    char unread[64] = "";
    avito_message message;
    bool ok = false;

    board.unix_time = unix_time;
    board.entropy = entropy;
    avito_anchors_load_file(&anchors, roots_memory, sizeof roots_memory, argv[3]);
    check("begin", avito.begin(anchors.items, anchors.count, board, "localhost",
                               static_cast<uint16_t>(atoi(argv[2]))));
    check("unread", avito.unread([&](const avito_chat &c) {
        snprintf(unread, sizeof unread, "%s", c.id.ptr);
    }) && unread[0] != '\0');
    check("send", avito.send(unread, "Здравствуйте!"));
    check("... surely", !avito.perhapsSent());
    fake_reset_after(20); /* in the answer */
    check("a send whose answer is lost",
          !avito.send(unread, "Это потерялось") && avito.perhapsSent());
    check("mark as read", avito.markAsRead(unread));
    avito.next(message); /* from now on: what came in this second counts as old */
    delay(1500);
    check("send again", avito.send(unread, "ещё"));
    for (int turn = 0; turn < 80 && !ok; turn++) {
        ok = avito.next(message);
    }
    check("next", ok && avito_str_equal(message.content.as.text, "ещё"));
    check("accept", avito.accept());
}

/* A sketch with a wrong secret: loop() asks again and again, but not without a pause. */
static void refused(char **argv)
{
    static Avito<> stranger(net, "client-id-for-tests", "wrong");
    AvitoBoard board = AvitoBoard();
    avito_message message;
    unsigned long begin;
    bool got;

    board.unix_time = unix_time;
    board.entropy = entropy;
    stranger.beginSecure(board, "localhost", static_cast<uint16_t>(atoi(argv[1])));
    begin = millis();
    got = stranger.next(message) || stranger.next(message);
    failures += got || stranger.result() >= 0 || millis() - begin < 900;
    printf("%s - sketch: errors come with a pause, %lu ms, %s\n", failures == 0 ? "ok" : "not ok",
           millis() - begin, stranger.error());
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"Arduino, read() 0", "Arduino, read() -1",
                                        "Arduino, Ethernet"};
    static SocketClient clients[3];
    int failed = 0;

    clients[1].nothing = -1;
    clients[1].forgets_at_end = true;
    clients[2].holds = 2048;
    for (int i = 0; i < 3; i++) {
        AvitoTransport link(clients[i]);
        stack s = {names[i], link.transport(), clock_ms,        entropy, true,
                   false,    fake_reset_after, fake_stay_silent};

        failed += story_run(&s, argc, argv);
    }
    sketch(argv);
    refused(argv);
    return failed + failures;
}
