/*
 * BBC micro:bit: nRF51822, Cortex-M0 at 16 MHz, 256 KB flash, 16 KB RAM.
 *
 * Its one UART is the link (with RTS/CTS on a real board: during a handshake the processor is busy
 * for seconds), so the console goes through the debugger. Entropy is the part's own generator.
 */
#include "common.h"

enum { UART = 0x40002000, TIMER0 = 0x40008000, TIMER1 = 0x40009000, RNG = 0x4000d000 };

const board_facts board = {"microbit", "Cortex-M0, 16 KB RAM", 125, 2};

static tick_clock clock;
static unsigned char uart_sending; /* a byte is on its way */

static void start_timers(void)
{
    REG32(TIMER0 + 0x508) = 3; /* 32 bits */
    REG32(TIMER0 + 0x510) = 0; /* 16 MHz */
    REG32(TIMER0 + 0x000) = 1;

    /* QEMU only looks at the socket behind the UART when something wakes it. A second timer that
     * expires a thousand times a second, without an interrupt, does that. A real board does not
     * need it. */
    REG32(TIMER1 + 0x508) = 0;
    REG32(TIMER1 + 0x510) = 0;
    REG32(TIMER1 + 0x540) = 16000;
    REG32(TIMER1 + 0x200) = 1; /* clear on compare */
    REG32(TIMER1 + 0x304) = 1u << 16;
    REG32(TIMER1 + 0x000) = 1;
}

void board_init(void)
{
    start_timers();
    REG32(UART + 0x524) = 0x10000000; /* 1 Mbit/s */
    REG32(UART + 0x500) = 4;
    REG32(UART + 0x000) = 1; /* receive */
    REG32(UART + 0x008) = 1; /* transmit */
    REG32(RNG + 0x504) = 1;  /* correct the bias */
    REG32(RNG + 0x000) = 1;
}

uint32_t board_ticks(void)
{
    REG32(TIMER0 + 0x040) = 1;
    return REG32(TIMER0 + 0x540);
}

uint32_t board_clock_ms(void *ctx)
{
    (void)ctx;
    return tick_clock_ms(&clock, board_ticks(), 16000);
}

int board_entropy(void *ctx, void *out, size_t len)
{
    unsigned char *at = (unsigned char *)out;

    (void)ctx;
    while (len > 0) {
        uint32_t patience = 1000000;

        REG32(RNG + 0x100) = 0;
        while (REG32(RNG + 0x100) == 0) {
            if (--patience == 0) {
                return AVITO_ERR_OPTION_ENTROPY;
            }
        }
        *at++ = (unsigned char)REG32(RNG + 0x508);
        len--;
    }
    return AVITO_OK;
}

size_t board_uart_read(unsigned port, void *out, size_t cap)
{
    unsigned char *at = (unsigned char *)out;
    size_t got = 0;

    (void)port;
    while (got < cap && REG32(UART + 0x108) != 0) {
        REG32(UART + 0x108) =
            0; /* before reading: reading brings the next byte and the next event */
        at[got++] = (unsigned char)REG32(UART + 0x518);
    }
    return got;
}

size_t board_uart_write(unsigned port, const void *data, size_t len)
{
    const unsigned char *at = (const unsigned char *)data;
    size_t done = 0;

    (void)port;
    while (done < len) {
        if (uart_sending && REG32(UART + 0x11c) == 0) {
            break;
        }
        REG32(UART + 0x11c) = 0;
        REG32(UART + 0x51c) = at[done++];
        uart_sending = 1;
    }
    return done;
}

/* In pieces, because the debugger wants a terminated text. */
void board_console(const char *text, size_t len)
{
    char piece[33];
    size_t at, n;

    for (at = 0; at < len; at += n) {
        for (n = 0; n < sizeof piece - 1 && at + n < len; n++) {
            piece[n] = text[at + n];
        }
        piece[n] = '\0';
        semihosting_write(piece);
    }
}

void board_watchdog(void)
{
}

/* No interrupt is used here that could wake it. */
void board_idle(void)
{
}

void board_exit(int code)
{
    semihosting_exit(code);
}
