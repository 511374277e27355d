/*
 * Semihosting: requests to the debugger, here to QEMU. It stands in for what the emulated boards
 * lack: an exit code, a wall clock and, where no device gives random bits, entropy. A product has a
 * real-time clock or asks the network, and a random number generator of its own.
 */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stddef.h>
#include <stdint.h>

void semihosting_exit(int code);
void semihosting_write(const char *text);      /* NUL-terminated, to QEMU's standard error */
int64_t semihosting_time(void);                /* unix seconds; <= 0: unknown */
int semihosting_random(void *out, size_t len); /* 0 or -1 */

/* The command line given by -semihosting-config arg=..., words separated by spaces. */
size_t semihosting_command_line(char *out, size_t cap);

#endif
