/* due.h - which of many is due first. However many there are, a time that changes costs a few steps. There is one
 * such list in the program. */
#ifndef AVITO_TOOLS_DUE_H
#define AVITO_TOOLS_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Part of what is due; all zeros at first. */
typedef struct due_time {
    uint32_t at_ms;
    uint32_t place; /* in the list, from 1; 0: it is in none */
} due_time;

/* Makes room for one more. False: out of memory. */
bool due_reserve(void);

/* Adds it, where there is room, or moves it to another time. Times within the list are less than 24 days apart. */
void due_at(due_time *t, uint32_t at_ms);

/* Takes it out, if it is there. */
void due_never(due_time *t);

/* The one that is due first; NULL: there is none. */
due_time *due_first(void);

#endif
