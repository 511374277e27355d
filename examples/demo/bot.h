/* bot.h - examples/11_auto_answer_bot.c as a process of its own, to be killed and started again. */
#ifndef DEMO_BOT_H
#define DEMO_BOT_H

#include <stdbool.h>
#include <stddef.h>

/* Makes a new folder for the bot's state; false: that failed. */
bool bot_prepare(void);

/* Starts build/demo/bot with this answer. */
bool bot_start(const char *answer);

/* The next line that it prints within `ms`; false: none. */
bool bot_line(char *line, size_t cap, int ms);

/* kill -9 */
void bot_kill(void);

/* Removes the folder. */
void bot_forget(void);

#endif
