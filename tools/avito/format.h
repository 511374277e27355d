/* format.h - lines as the user wants them: '%(name) %(text)'. */
#ifndef AVITO_TOOLS_FORMAT_H
#define AVITO_TOOLS_FORMAT_H

#include "command.h"

#include "avito_messenger.h"

#include <stdio.h>

typedef struct format_field {
    const char *name;
    avito_str value;
} format_field;

/* One line. Fields that are not known were refused by check_format(). */
void print_format(const char *format, const format_field *fields, size_t count);

/* Is --format well-formed, with names that the command has? If not, says so. */
bool check_format(const arguments *a);

/* Names as a format has them, after a blank each: " %(id) %(name)"; ends the line. */
void put_fields(FILE *out, const char *names);

/* A number as text; good until the eighth next one. */
avito_str number_text(int64_t number);

/* As show_time() has it; good until the next one. */
avito_str time_text_of(int64_t unix_time);

/* A message's content as one line, in `memory`. */
avito_str preview_of(const avito_message *message, char *memory, size_t size);

/* The values of --item as ids. False after saying why. */
bool items_of(const arguments *a, int64_t *out);

/* One id, as a word of the command line. */
bool id_of(const char *word, int64_t *out);

#endif
