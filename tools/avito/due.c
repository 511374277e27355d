/* due.c - see due.h. A heap: none is due before the one at half its place. */
#include "due.h"

#include <stdlib.h>

static struct row {
    uint32_t at_ms; /* as in .t, which is far away in memory */
    due_time *t;
} * rows; /* from 1 */

static size_t count, cap;

static bool is_before(uint32_t a_ms, uint32_t b_ms)
{
    return (int32_t)(a_ms - b_ms) < 0;
}

static void put(size_t place, struct row row)
{
    rows[place] = row;
    row.t->place = (uint32_t)place;
}

/* Moves a row up or down from this place to where it belongs. */
static void settle(size_t place, struct row row)
{
    size_t next;

    for (; place > 1 && is_before(row.at_ms, rows[place / 2].at_ms); place /= 2) {
        put(place, rows[place / 2]);
    }
    for (; (next = place * 2) <= count; place = next) {
        next += next < count && is_before(rows[next + 1].at_ms, rows[next].at_ms);
        if (!is_before(rows[next].at_ms, row.at_ms)) {
            break;
        }
        put(place, rows[next]);
    }
    put(place, row);
}

bool due_reserve(void)
{
    struct row *more = count < cap ? rows : realloc(rows, (cap + 65) * sizeof *rows);

    if (more == NULL) {
        return false;
    }
    cap += count < cap ? 0 : 64;
    rows = more;
    return true;
}

void due_at(due_time *t, uint32_t at_ms)
{
    const size_t place = t->place != 0 ? t->place : ++count;

    t->at_ms = at_ms;
    settle(place, (struct row){at_ms, t});
}

void due_never(due_time *t)
{
    const size_t place = t->place;

    if (place == 0) {
        return;
    }
    t->place = 0;
    if (place < count--) {
        settle(place, rows[count + 1]);
    }
}

due_time *due_first(void)
{
    return count > 0 ? rows[1].t : NULL;
}
