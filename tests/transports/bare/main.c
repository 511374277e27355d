/* main.c - examples/firmware/link_lwip.c over lwIP itself, with a peer of one connection at the other end of the
 * wire: it acknowledges each segment some milliseconds after it came. Time is ours. */
#include "examples/firmware/board.h"
#include "examples/firmware/ethernet.h"
#include "examples/firmware/link.h"
#include "examples/firmware/semihosting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES   64
#define FRAME    1600
#define WIRE_MS  5u
#define FLAG_FIN 0x01u
#define FLAG_SYN 0x02u
#define FLAG_ACK 0x10u

/* ---- the board ---- */

static uint32_t now;
static unsigned watchdog_calls;

uint32_t board_clock_ms(void *ctx)
{
    (void)ctx;
    return now;
}

int board_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    memset(out, 7, len);
    return AVITO_OK;
}

void board_idle(void)
{
    now++;
}

void board_watchdog(void)
{
    watchdog_calls++;
}

size_t semihosting_command_line(char *out, size_t cap)
{
    (void)out;
    (void)cap;
    return 0;
}

/* ---- the wire ---- */

const uint8_t ethernet_address[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t peer_address[6] = {2, 0, 0, 0, 0, 2};

static struct {
    uint32_t due;
    size_t len;
    uint8_t bytes[FRAME];
} wire[FRAMES];
static size_t wire_count, wire_at, wire_pos;
static uint8_t going[FRAME];
static size_t going_len;

static struct {
    uint16_t port, theirs;
    uint32_t next, expected; /* our next byte, theirs */
    unsigned char last;      /* of what came */
    size_t got;
    bool good;
} peer;

static uint32_t get(const uint8_t *p, size_t n)
{
    uint32_t value = 0;

    while (n-- > 0) {
        value = value << 8 | *p++;
    }
    return value;
}

static void put(uint8_t *p, uint32_t value, size_t n)
{
    while (n-- > 0) {
        p[n] = (uint8_t)value;
        value >>= 8;
    }
}

static uint8_t *frame_back(size_t len, uint32_t type)
{
    uint8_t *frame = wire[wire_count].bytes;

    if (wire_count == FRAMES) {
        abort();
    }
    wire[wire_count].due = now + WIRE_MS;
    wire[wire_count].len = len;
    wire_count++;
    memset(frame, 0, FRAME);
    memcpy(frame, ethernet_address, 6);
    memcpy(frame + 6, peer_address, 6);
    put(frame + 12, type, 2);
    return frame;
}

static void say(uint32_t flags)
{
    static const uint8_t addresses[8] = {10, 0, 2, 2, 10, 0, 2, 15};
    uint8_t *frame = frame_back(60, 0x0800);
    uint8_t *ip = frame + 14, *tcp = ip + 20;

    put(ip, 0x45000028u, 4);
    put(ip + 8, 0x40060000u, 4);
    memcpy(ip + 12, addresses, 8);
    put(tcp, peer.port, 2);
    put(tcp + 2, peer.theirs, 2);
    put(tcp + 4, peer.next, 4);
    put(tcp + 8, peer.expected, 4);
    put(tcp + 12, 0x5000u | flags, 2);
    put(tcp + 14, 8000, 2);
    peer.next += (flags & (FLAG_SYN | FLAG_FIN)) != 0 ? 1u : 0u;
}

static void takes_segment(const uint8_t *frame)
{
    const uint8_t *ip = frame + 14, *tcp = ip + 20;
    const uint32_t flags = tcp[13], sequence = get(tcp + 4, 4);
    const size_t head = (size_t)(tcp[12] >> 4) * 4u, len = get(ip + 2, 2) - 20u - head;

    peer.port = (uint16_t)get(tcp + 2, 2);
    peer.theirs = (uint16_t)get(tcp, 2);
    if ((flags & FLAG_SYN) != 0) {
        peer.next = 1000;
        peer.expected = sequence + 1u;
        say(FLAG_SYN | FLAG_ACK);
        return;
    }
    for (size_t i = 0; sequence == peer.expected && i < len; i++) {
        peer.good = peer.good && tcp[head + i] == (unsigned char)(peer.last + 1);
        peer.last = tcp[head + i];
    }
    if (sequence == peer.expected) {
        peer.got += len;
        peer.expected += (uint32_t)len + ((flags & FLAG_FIN) != 0 ? 1u : 0u);
    }
    if (len > 0 || (flags & FLAG_FIN) != 0) {
        say(FLAG_ACK);
    }
}

static void takes_frame(const uint8_t *frame)
{
    uint8_t *answer;

    if (get(frame + 12, 2) == 0x0800 && frame[23] == 6) {
        takes_segment(frame);
    } else if (get(frame + 12, 2) == 0x0806 && frame[41] == 2) { /* who is 10.0.2.2? */
        answer = frame_back(60, 0x0806);
        memcpy(answer + 14, frame + 14, 7);
        answer[21] = 2;
        memcpy(answer + 22, peer_address, 6);
        memcpy(answer + 28, frame + 38, 4);
        memcpy(answer + 32, frame + 22, 10);
    }
}

void ethernet_init(void)
{
}

void ethernet_send_begin(size_t len)
{
    (void)len;
    going_len = 0;
}

void ethernet_send(const uint8_t *data, size_t len)
{
    memcpy(going + going_len, data, len);
    going_len += len;
}

void ethernet_send_end(void)
{
    takes_frame(going);
}

size_t ethernet_receive_begin(void)
{
    if (wire_at == wire_count) {
        wire_at = wire_count = 0;
        return 0;
    }
    wire_pos = 0;
    return wire[wire_at].due <= now ? wire[wire_at].len : 0;
}

void ethernet_receive(uint8_t *out, size_t len)
{
    memcpy(out, wire[wire_at].bytes + wire_pos, len);
    wire_pos += len;
}

void ethernet_receive_end(void)
{
    wire_at++;
}

/* ---- the link ---- */

static int failures;

static void check(const char *what, bool ok)
{
    printf("%s - bare lwIP: %s\n", ok ? "ok" : "not ok", what);
    failures += !ok;
}

static bool opens(const avito_transport *t)
{
    const avito_server server = {"localhost", 443};
    int rc = AVITO_AGAIN;

    memset(&peer, 0, sizeof peer);
    peer.last = 0xff;
    peer.good = true;
    for (int turn = 0; turn < 10 && rc == AVITO_AGAIN; turn++) {
        rc = t->functions->connect(t->ctx, &server);
        if (rc == AVITO_AGAIN) {
            (void)t->functions->wait(t->ctx, t->functions->wants(t->ctx), 1000);
        }
    }
    return rc == AVITO_OK;
}

/* Sends as a lane does: what cannot leave waits for what wants() says, or for its deadline. */
static bool sends(const avito_transport *t, size_t len)
{
    static unsigned char data[20000];
    size_t sent = 0;

    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (unsigned char)i;
    }
    while (sent < len) {
        const long n = t->functions->send(t->ctx, data + sent, len - sent, 0);

        if (n < 0 && n != AVITO_IO_AGAIN) {
            return false;
        }
        sent += n > 0 ? (size_t)n : 0u;
        if (n == AVITO_IO_AGAIN) {
            (void)t->functions->wait(t->ctx, t->functions->wants(t->ctx), 3750);
        }
    }
    (void)t->functions->wait(t->ctx, AVITO_WANT_READ, 100);
    return peer.good && peer.got == len;
}

static uint32_t waits(const avito_transport *t, int wants)
{
    const uint32_t begin = now;

    (void)t->functions->wait(t->ctx, wants, 1000);
    return now - begin;
}

int main(void)
{
    const avito_transport t = link_transport();
    uint32_t begin;
    char byte;

    check("it connects", opens(&t));
    begin = now;
    check("more than its buffer holds arrives", sends(&t, 20000));
    check("... as soon as the peer acknowledges", now - begin < 1000);
    say(FLAG_FIN | FLAG_ACK);
    check("the end of the stream wakes a reader", waits(&t, AVITO_WANT_READ) <= WIRE_MS + 1u);
    check("... and no pause", waits(&t, AVITO_WANT_TIMER) == 1000);
    check("... and is told", t.functions->recv(t.ctx, &byte, 1) == AVITO_IO_CLOSED);
    t.functions->close(t.ctx);
    (void)waits(&t, AVITO_WANT_TIMER);
    check("another connection", opens(&t) && sends(&t, 3000));
    t.functions->close(t.ctx);
    check("the watchdog is fed", watchdog_calls > 1000);
    return failures;
}
