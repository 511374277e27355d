/* The transcript, without stdio. */
#ifndef SAY_H
#define SAY_H

#include <stddef.h>
#include <stdint.h>

void say(const char *text);
void say_bytes(const char *text, size_t len);
void say_unsigned(uint32_t number);
void say_number(int32_t number);

/* "  12.345 s  " since start. */
void say_time(void);

#endif
