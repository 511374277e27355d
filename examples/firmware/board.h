/*
 * The functions that a board provides. One file per board implements them; porting to another board
 * means writing one such file and one linker script of ten lines.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))

typedef struct board_facts {
    const char *name;
    const char *core;
    uint32_t
        tick_ns_num; /* one tick lasts num / den nanoseconds; in QEMU under -icount shift=0 one */
    uint32_t tick_ns_den; /* instruction lasts one nanosecond, so ticks count instructions */
} board_facts;

extern const board_facts board;

/* Clocks, UARTs, console. Runs before main(). */
void board_init(void);

/* A fast counter that wraps; differences of up to 4 seconds are right. */
uint32_t board_ticks(void);

/* The three hooks that a client needs. `ctx` is not used. */
uint32_t board_clock_ms(void *ctx);
int64_t board_unix_time(void *ctx);                  /* 0: not known */
int board_entropy(void *ctx, void *out, size_t len); /* AVITO_OK or AVITO_ERR_OPTION_ENTROPY */

/* Moves as many bytes as it can without waiting, and returns how many. `port` counts the board's
 * links from 0. */
size_t board_uart_read(unsigned port, void *out, size_t cap);
size_t board_uart_write(unsigned port, const void *data, size_t len);

/* Prints for a person. May wait. */
void board_console(const char *text, size_t len);

/* Must be called at least once a second on a board with a watchdog. */
void board_watchdog(void);

/* Sleeps until something may have happened, at most a millisecond; may return at once. */
void board_idle(void);

/* Does not return. */
void board_exit(int code);

/* The peak of stack bytes used, and the bytes available. (startup.c) */
size_t board_stack_used(void);
size_t board_stack_size(void);

#endif
