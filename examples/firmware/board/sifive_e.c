/*
 * SiFive FE310 (HiFive1): rv32imac, 16 KB RAM, code in external flash. UART0 is the console, UART1
 * the link. The ticks are the counter of retired instructions.
 */
#include "common.h"

enum { UART0 = 0x10013000, UART1 = 0x10023000, MTIME = 0x0200bff8 };

const board_facts board = {"sifive_e", "rv32imac, 16 KB RAM", 1, 1};

static tick_clock clock;

void board_init(void)
{
    REG32(UART0 + 0x18) = 138;     /* 115200 at 16 MHz */
    REG32(UART0 + 0x08) = 0x10001; /* on; with less than one byte the queue counts as empty */
    REG32(UART1 + 0x18) = 15;      /* 1 Mbit/s */
    REG32(UART1 + 0x08) = 1;
    REG32(UART1 + 0x0c) = 1;
}

uint32_t board_ticks(void)
{
    uint32_t count;

    __asm__ volatile(".option push\n.option arch, +zicsr\ncsrr %0, minstret\n.option pop"
                     : "=r"(count));
    return count;
}

/* mtime: 10 MHz in QEMU, 32768 Hz on a real HiFive1 (where this needs a division of its own). */
uint32_t board_clock_ms(void *ctx)
{
    (void)ctx;
    return tick_clock_ms(&clock, REG32(MTIME), 10000);
}

int board_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    return entropy_by_semihosting(out, len);
}

size_t board_uart_read(unsigned port, void *out, size_t cap)
{
    unsigned char *at = (unsigned char *)out;
    size_t got = 0;

    (void)port;
    while (got < cap) {
        uint32_t word = REG32(UART1 + 4); /* bit 31: nothing there */

        if ((word & 0x80000000u) != 0) {
            break;
        }
        at[got++] = (unsigned char)word;
    }
    return got;
}

size_t board_uart_write(unsigned port, const void *data, size_t len)
{
    const unsigned char *at = (const unsigned char *)data;
    size_t done = 0;

    (void)port;
    while (done < len && (REG32(UART1) & 0x80000000u) == 0) {
        REG32(UART1) = at[done++];
    }
    return done;
}

void board_console(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        while ((REG32(UART0) & 0x80000000u) != 0) {
        }
        REG32(UART0) = (unsigned char)text[i];
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
    while ((REG32(UART0 + 0x14) & 1u) == 0) { /* the last words are still on their way */
    }
    semihosting_exit(code);
}
