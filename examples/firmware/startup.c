/*
 * Reset: prepares memory as C needs it, paints the stack so that its use can be measured, and calls
 * main(). The symbols come from sections.ld.
 */
#include "board.h"

#include <string.h>

extern char firmware_data_load[], firmware_data_start[], firmware_data_end[];
extern char firmware_bss_start[], firmware_bss_end[], firmware_stack_top[];

int main(void);
void startup(void);
void startup_fault(void);

enum { PAINT = 0x5a };

size_t board_stack_size(void)
{
    return (size_t)(firmware_stack_top - firmware_bss_end);
}

size_t board_stack_used(void)
{
    const volatile char *at = firmware_bss_end;

    while (at < firmware_stack_top && *at == PAINT) {
        at++;
    }
    return (size_t)(firmware_stack_top - (const char *)at);
}

/* Everything below the frame of the caller. Written without memset(), whose own frame is there. */
static void paint_stack(void)
{
    volatile char *at = firmware_bss_end;
    const volatile char *end = (const volatile char *)__builtin_frame_address(0) - 64;

    while (at < end) {
        *at++ = PAINT;
    }
}

void startup(void)
{
    memcpy(firmware_data_start, firmware_data_load,
           (size_t)(firmware_data_end - firmware_data_start));
    memset(firmware_bss_start, 0, (size_t)(firmware_bss_end - firmware_bss_start));
    paint_stack();
    board_init();
    board_exit(main());
}

/* A fault of the processor: 99 is the exit code for it. */
void startup_fault(void)
{
    static const char text[] = "\r\nfault: the processor refused an instruction\r\n";

    board_console(text, sizeof text - 1);
    board_exit(99);
}

#if defined(__arm__)

void board_tick_interrupt(void);

/* Boards without a SysTick interrupt do not define it. */
__attribute__((weak)) void board_tick_interrupt(void)
{
}

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
    (vector)firmware_stack_top,
    startup,
    startup_fault,
    startup_fault,
    startup_fault,
    startup_fault,
    startup_fault,
    0,
    0,
    0,
    0,
    startup_fault,
    startup_fault,
    0,
    startup_fault,
    board_tick_interrupt};

#else

/* All of .vectors is entered at its first instruction. */
__asm__(".section .vectors, \"ax\"\n"
        ".global _start\n"
        "_start:\n"
        ".option push\n.option norelax\n"
        "la gp, __global_pointer$\n"
        ".option pop\n"
        "la sp, firmware_stack_top\n"
        "la t0, startup_trap\n"
        ".option push\n.option arch, +zicsr\n"
        "csrw mtvec, t0\n"
        ".option pop\n"
        "j startup\n"
        ".balign 4\n"
        "startup_trap: j startup_fault\n"
        ".text\n");

#endif
