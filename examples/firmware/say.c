#include "say.h"

#include <string.h>

#include "board.h"

void say_bytes(const char *text, size_t len)
{
    board_console(text, len);
}

void say(const char *text)
{
    board_console(text, strlen(text));
}

/* At least `width` digits, padded by `pad`. */
static void say_digits(uint32_t number, size_t width, char pad)
{
    char digits[10];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (sizeof digits - at < width) {
        digits[--at] = pad;
    }
    board_console(digits + at, sizeof digits - at);
}

void say_unsigned(uint32_t number)
{
    say_digits(number, 1, ' ');
}

void say_number(int32_t number)
{
    if (number < 0) {
        board_console("-", 1);
    }
    say_digits(number < 0 ? 0u - (uint32_t)number : (uint32_t)number, 1, ' ');
}

void say_time(void)
{
    uint32_t ms = board_clock_ms(NULL);

    say_digits(ms / 1000, 3, ' ');
    say(".");
    say_digits(ms % 1000, 3, '0');
    say("  ");
}
