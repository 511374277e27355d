/*
 * TI/Luminary LM3S6965 evaluation board: Cortex-M3, 256 KB flash, 64 KB RAM, Ethernet MAC on the
 * chip. UART0 is the console.
 */
#include "common.h"
#include "ethernet.h"

enum {
    UART0 = 0x4000c000,
    WATCHDOG = 0x40000000,
    MAC = 0x40048000,
    SYSTICK = (int)0xe000e010,
    SYSTEM_CONTROL = 0x400fe000
};
enum {
    MAC_RCTL = 0x08,
    MAC_TCTL = 0x0c,
    MAC_DATA = 0x10,
    MAC_IA0 = 0x14,
    MAC_IA1 = 0x18,
    MAC_NP = 0x34,
    MAC_TR = 0x38
};
enum { TICKS_PER_MS = 12500 };

const board_facts board = {"lm3s6965evb", "Cortex-M3, 64 KB RAM", 80, 1};
const uint8_t ethernet_address[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static volatile uint32_t clock_ms;

void board_tick_interrupt(void);

/* Also wakes QEMU, which otherwise looks at the network only once a second. */
void board_tick_interrupt(void)
{
    clock_ms++;
}

void board_init(void)
{
    REG32(SYSTEM_CONTROL + 0x100) |= 1u << 3;             /* clock for the watchdog */
    REG32(SYSTEM_CONTROL + 0x108) |= 1u << 30 | 1u << 28; /* Ethernet */
    REG32(UART0 + 0x30) = 0x301;                          /* on, transmit and receive */
    REG32(SYSTICK + 4) = TICKS_PER_MS - 1;
    REG32(SYSTICK + 8) = 0;
    REG32(SYSTICK + 0) = 7;
    REG32(WATCHDOG + 0) = TICKS_PER_MS * 1000;
    REG32(WATCHDOG + 8) = 3; /* count, and reset at the second expiry */
}

/* The milliseconds and the counter below them are separate. When only one has moved on, the time
 * stands still for a moment instead of going back. */
uint32_t board_ticks(void)
{
    static uint32_t last;
    uint32_t ms, down, now;

    do {
        ms = clock_ms;
        down = REG32(SYSTICK + 8);
    } while (ms != clock_ms);
    now = ms * TICKS_PER_MS + (TICKS_PER_MS - 1 - down);
    if (now - last < 0x80000000u) {
        last = now;
    }
    return last;
}

uint32_t board_clock_ms(void *ctx)
{
    (void)ctx;
    return clock_ms;
}

int board_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    return entropy_by_semihosting(out, len);
}

void board_console(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        while ((REG32(UART0 + 0x18) & 0x20) != 0) {
        }
        REG32(UART0) = (unsigned char)text[i];
    }
}

void board_watchdog(void)
{
    REG32(WATCHDOG + 0xc) = 1;
}

void board_idle(void)
{
    __asm__ volatile("wfi");
}

void board_exit(int code)
{
    semihosting_exit(code);
}

/* ---- Ethernet: words of four bytes; the first carries the length and two bytes of the frame ---- */

static uint32_t fifo_word;
static unsigned fifo_bytes; /* of fifo_word, read but not used, or collected but not written */

void ethernet_init(void)
{
    const uint8_t *a = ethernet_address;

    REG32(MAC + MAC_IA0) = a[0] | (uint32_t)a[1] << 8 | (uint32_t)a[2] << 16 | (uint32_t)a[3] << 24;
    REG32(MAC + MAC_IA1) = a[4] | (uint32_t)a[5] << 8;
    REG32(MAC + MAC_TCTL) = 0x17; /* full duplex, checksum, padding */
    REG32(MAC + MAC_RCTL) = 0x01;
}

size_t ethernet_receive_begin(void)
{
    size_t len;

    if ((REG32(MAC + MAC_NP) & 0x3f) == 0) {
        return 0;
    }
    fifo_word = REG32(MAC + MAC_DATA);
    len = fifo_word & 0xffffu; /* with these two bytes and the checksum */
    fifo_word >>= 16;
    fifo_bytes = 2;
    return len > 6 ? len - 6 : 0;
}

void ethernet_receive(uint8_t *out, size_t len)
{
    while (len-- > 0) {
        if (fifo_bytes == 0) {
            fifo_word = REG32(MAC + MAC_DATA);
            fifo_bytes = 4;
        }
        *out++ = (uint8_t)fifo_word;
        fifo_word >>= 8;
        fifo_bytes--;
    }
}

/* The checksum is still there; its last word takes the frame out of the queue. */
void ethernet_receive_end(void)
{
    uint8_t checksum[4];

    ethernet_receive(checksum, sizeof checksum);
}

void ethernet_send_begin(size_t len)
{
    fifo_word = (uint32_t)(len - 14);
    fifo_bytes = 2;
}

void ethernet_send(const uint8_t *data, size_t len)
{
    while (len-- > 0) {
        fifo_word |= (uint32_t)*data++ << (8 * fifo_bytes);
        if (++fifo_bytes == 4) {
            REG32(MAC + MAC_DATA) = fifo_word;
            fifo_word = 0;
            fifo_bytes = 0;
        }
    }
}

void ethernet_send_end(void)
{
    if (fifo_bytes > 0) {
        REG32(MAC + MAC_DATA) = fifo_word;
    }
    REG32(MAC + MAC_TR) = 1;
}
