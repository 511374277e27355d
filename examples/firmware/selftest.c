/*
 * The first program for a new board. It has no TLS and no client, and tests only the board file and
 * the link. The peer sends every byte back. Exit code: 0, or the number of the check that failed.
 *
 *     make firmware-selftest
 */
#include <string.h>

#include "avito_messenger.h"
#include "board.h"
#include "link.h"
#include "say.h"

enum { BYTES = 3000, PIECE = 48 };

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 7u + (at >> 8)); /* every value, also NUL and XON/XOFF */
}

static bool clock_runs(void)
{
    uint32_t start = board_clock_ms(NULL), ticks = board_ticks(), patience = 100u * 1000u * 1000u;

    while (board_clock_ms(NULL) - start < 20) {
        if (--patience == 0) {
            return false;
        }
    }
    return board_ticks() != ticks;
}

static bool entropy_differs(void)
{
    unsigned char a[32], b[32];

    return board_entropy(NULL, a, sizeof a) == AVITO_OK &&
           board_entropy(NULL, b, sizeof b) == AVITO_OK && memcmp(a, b, sizeof a) != 0;
}

/* Works as a client does: sends as long as it has bytes to send, receives whenever there are
 * some. */
static bool link_echoes(avito_transport link)
{
    avito_server server = {"api.avito.ru", 443};
    uint32_t start = board_clock_ms(NULL);
    size_t sent = 0, got = 0, i;
    unsigned char piece[PIECE];
    int connected;

    do {
        connected = link.functions->connect(link.ctx, &server);
    } while (connected == AVITO_AGAIN && board_clock_ms(NULL) - start < 5000);
    while (connected == AVITO_OK && got < BYTES) {
        size_t len = BYTES - sent < PIECE ? BYTES - sent : PIECE;
        long n;

        for (i = 0; i < len; i++) {
            piece[i] = pattern(sent + i);
        }
        n = len > 0 ? link.functions->send(link.ctx, piece, len, 0) : AVITO_IO_AGAIN;
        sent += n > 0 ? (size_t)n : 0;
        n = link.functions->recv(link.ctx, piece, sizeof piece);
        for (i = 0; n > 0 && i < (size_t)n; i++) {
            if (piece[i] != pattern(got++)) {
                return false;
            }
        }
        if (n == AVITO_IO_AGAIN && sent == BYTES) {
            link.functions->wait(link.ctx, AVITO_WANT_READ, 100);
        }
        if (board_clock_ms(NULL) - start > 5000) {
            break;
        }
    }
    link.functions->close(link.ctx);
    return got == BYTES;
}

int main(void)
{
    static const char *const names[] = {"",        "clock", "wall clock",
                                        "entropy", "link",  "second link"};
    int failed = 0;

    say(board.name);
    say(", ");
    say(board.core);
    say("\r\n");
    if (!clock_runs()) {
        failed = 1;
    } else if (board_unix_time(NULL) < 1577836800) {
        failed = 2;
    } else if (!entropy_differs()) {
        failed = 3;
    } else if (!link_echoes(link_transport())) {
        failed = 4;
    }
#ifdef LINK_PORTS
    else if (LINK_PORTS > 1 && !link_echoes(link_transport())) {
        failed = 5;
    }
#endif
    say_time();
    say(failed ? "FAILED: " : "clock, wall clock, entropy and link work");
    say(failed ? names[failed] : "");
    say("; stack used ");
    say_unsigned((uint32_t)board_stack_used());
    say(" bytes\r\n");
    return failed;
}
