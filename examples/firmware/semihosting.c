#include "semihosting.h"

#include <string.h>

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_READ = 0x06,
    SYS_TIME = 0x11,
    SYS_GET_CMDLINE = 0x15,
    SYS_EXIT_EXTENDED = 0x20
};

static uintptr_t request(uintptr_t number, const volatile void *argument)
{
#if defined(__arm__)
    register uintptr_t r0 __asm__("r0") = number;
    register const volatile void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
#else
    register uintptr_t a0 __asm__("a0") = number;
    register const volatile void *a1 __asm__("a1") = argument;

    /* Three uncompressed instructions in one cache line: this is how QEMU knows the request. */
    __asm__ volatile(".balign 16\n.option push\n.option norvc\n"
                     "slli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return a0;
#endif
}

void semihosting_exit(int code)
{
    uintptr_t block[2] = {0x20026u, (uintptr_t)code}; /* ADP_Stopped_ApplicationExit */

    for (;;) {
        request(SYS_EXIT_EXTENDED, block);
    }
}

void semihosting_write(const char *text)
{
    request(SYS_WRITE0, text);
}

int64_t semihosting_time(void)
{
    /* 32 bits without a sign: good until 2106. -1 is the answer of a debugger that has no clock. */
    uintptr_t seconds = request(SYS_TIME, NULL);

    return seconds == (uintptr_t)-1 ? 0 : (int64_t)(uint32_t)seconds;
}

int semihosting_random(void *out, size_t len)
{
    static const char path[] = "/dev/urandom";
    uintptr_t block[3] = {(uintptr_t)path, 1 /* "rb" */, sizeof path - 1};
    uintptr_t file = request(SYS_OPEN, block);
    uintptr_t missing;

    if (file == (uintptr_t)-1) {
        return -1;
    }
    block[0] = file;
    block[1] = (uintptr_t)out;
    block[2] = len;
    missing = request(SYS_READ, block);
    block[0] = file;
    request(SYS_CLOSE, block);
    return missing == 0 ? 0 : -1;
}

size_t semihosting_command_line(char *out, size_t cap)
{
    uintptr_t block[2] = {(uintptr_t)out, cap};

    if (cap == 0) {
        return 0;
    }
    memset(out, 0, cap);
    if (request(SYS_GET_CMDLINE, block) != 0) {
        out[0] = '\0';
    }
    out[cap - 1] = '\0';
    return strlen(out);
}
