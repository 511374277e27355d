/* show.h - what a person reads: strangers' text made harmless, columns, colours, progress. */
#ifndef AVITO_TOOLS_SHOW_H
#define AVITO_TOOLS_SHOW_H

#include "avito_messenger.h"

#include <stdio.h>

/* Call it once, at the start: is the output a terminal, how wide is it, may it have colours? */
void show_begin(bool quiet);

size_t show_columns(void); /* of the terminal; SIZE_MAX if the output is not one */

/* Prints strangers' text: control characters, marks that turn the direction and broken UTF-8 become
 * a dot; a line break becomes a blank. At most `columns` columns, with "…" at the end if it was
 * cut. Returns the columns used. */
size_t show_text(FILE *out, avito_str text, size_t columns);

/* The same, and blanks up to `columns`. */
void show_column(FILE *out, avito_str text, size_t columns);

/* Prints our own words, wrapped at the terminal's width, or at 80 columns elsewhere. The first line
 * begins at column `at`, the others at `indent`; a line break comes at the end. */
void show_words(FILE *out, const char *words, size_t at, size_t indent);

/* Several lines as they were written, each indented, wrapped at the terminal's width. */
void show_paragraph(FILE *out, avito_str text, size_t indent);

/* Switches colours; does nothing if there are none. */
enum show_style { SHOW_PLAIN, SHOW_BOLD, SHOW_FAINT, SHOW_WARN };
void show_style(FILE *out, enum show_style style);

/* A time of the service as "12:05" today, else "2026-10-31 12:05". Returns the columns used. */
size_t show_time(FILE *out, int64_t unix_time);

/* The same as text, or the day even of today; its length. */
#define SHOW_TIME_SIZE 32
size_t time_text(char text[SHOW_TIME_SIZE], int64_t unix_time, bool with_day);

/* One line on standard error that is overwritten again and again; nothing in a pipe or with
 * --quiet. */
void show_progress(const char *format, ...);
void show_progress_end(void);

#endif
