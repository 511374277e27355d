/*
 * ARM MPS2 with the AN385 image: Cortex-M3 at 25 MHz. UART0 is the console; UART1 and UART2 are
 * links, each wired to a modem of its own: one connection each.
 */
#include "common.h"

enum { UART0 = 0x40004000, UART_STEP = 0x1000, TIMER0 = 0x40000000, WATCHDOG = 0x40008000 };
enum { UART_DATA = 0, UART_STATE = 4, UART_CTRL = 8, UART_BAUDDIV = 16, TX_FULL = 1, RX_FULL = 2 };

const board_facts board = {"mps2-an385", "Cortex-M3, 32 KB of its RAM used", 40, 1};

static tick_clock clock;

void board_init(void)
{
    unsigned i;

    REG32(TIMER0 + 8) = 0xffffffffu; /* reload: 25 MHz, counts down */
    REG32(TIMER0 + 4) = 0xffffffffu;
    REG32(TIMER0 + 0) = 1;
    clock.last = board_ticks();
    for (i = 0; i < 3; i++) {
        uintptr_t uart = UART0 + i * UART_STEP;

        REG32(uart + UART_BAUDDIV) = 16;
        REG32(uart + UART_CTRL) = 3;
        /* Without this read QEMU may take a second before it delivers the first byte. */
        (void)REG32(uart + UART_DATA);
    }
    REG32(WATCHDOG + 0xc00) = 0x1acce551; /* unlock */
    REG32(WATCHDOG + 0) = 25000000;
    REG32(WATCHDOG + 8) = 3; /* count, and reset at the second expiry */
}

uint32_t board_ticks(void)
{
    return 0xffffffffu - REG32(TIMER0 + 4);
}

uint32_t board_clock_ms(void *ctx)
{
    (void)ctx;
    return tick_clock_ms(&clock, board_ticks(), 25000);
}

int board_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    return entropy_by_semihosting(out, len);
}

size_t board_uart_read(unsigned port, void *out, size_t cap)
{
    uintptr_t uart = UART0 + (port + 1) * UART_STEP;
    unsigned char *at = (unsigned char *)out;
    size_t got = 0;

    while (got < cap && (REG32(uart + UART_STATE) & RX_FULL) != 0) {
        at[got++] = (unsigned char)REG32(uart + UART_DATA);
    }
    return got;
}

size_t board_uart_write(unsigned port, const void *data, size_t len)
{
    uintptr_t uart = UART0 + (port + 1) * UART_STEP;
    const unsigned char *at = (const unsigned char *)data;
    size_t done = 0;

    while (done < len && (REG32(uart + UART_STATE) & TX_FULL) == 0) {
        REG32(uart + UART_DATA) = at[done++];
    }
    return done;
}

void board_console(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        while ((REG32(UART0 + UART_STATE) & TX_FULL) != 0) {
        }
        REG32(UART0 + UART_DATA) = (unsigned char)text[i];
    }
}

void board_watchdog(void)
{
    REG32(WATCHDOG + 0xc) = 1;
}

/* No interrupt is used here that could wake it. */
void board_idle(void)
{
}

void board_exit(int code)
{
    semihosting_exit(code);
}
