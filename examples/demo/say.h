/* say.h - the demo's transcript: scenes, lines of a chat, and the call that each line came from. */
#ifndef DEMO_SAY_H
#define DEMO_SAY_H

#include "avito_messenger.h"

/* Milliseconds of rest after each line; 0: none. */
void say_pace(unsigned ms);

void say_scene(const char *title);

/* A line of the story; `call` ("avito_get_self") goes to the right and counts as made; NULL: none. */
void say_line(const char *call, const char *format, ...);

/* A line of a chat: when, who, what; `mark` ("read", "deleted") follows the text, or NULL. */
void say_talk(const char *call, int64_t when, avito_str who, avito_str what, const char *mark);

/* The same line again and again, for something that grows. */
void say_progress(size_t done, size_t total);

/* Compares with what the story expects; reports and counts a difference. */
#define expect(condition, ...) say_expect((condition), __FILE__, __LINE__, __VA_ARGS__)
bool say_expect(bool good, const char *file, int line, const char *format, ...);

/* The end: reports which of the library's calls were made, and whether everything was as expected.
 * `all`: every call must have been made. Returns 0 or 1, for main(). */
int say_end(bool all);

#endif
