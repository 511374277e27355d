/* format.c - see format.h. */
#include "format.h"
#include "show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const format_field *field_of(const format_field *fields, size_t count, const char *name,
                                    size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(fields[i].name) == len && strncmp(fields[i].name, name, len) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

/* Line breaks would split a line, and terminals obey other control characters, too. */
static void put_in_line(avito_str value)
{
    if (show_columns() != SIZE_MAX) {
        show_text(stdout, value, SIZE_MAX);
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        const unsigned char c = (unsigned char)value.ptr[i];

        fputc(c < 0x20 || c == 0x7f ? ' ' : c, stdout);
    }
}

void print_format(const char *format, const format_field *fields, size_t count)
{
    const char *end;

    for (; *format != '\0'; format++) {
        if (format[0] == '%' && format[1] == '%') {
            fputc(*format++, stdout);
        } else if (format[0] == '%' && format[1] == '(' && (end = strchr(format, ')')) != NULL) {
            const format_field *field =
                field_of(fields, count, format + 2, (size_t)(end - format) - 2);

            if (field != NULL) {
                put_in_line(field->value);
            }
            format = end;
        } else if (format[0] == '\\' && (format[1] == 't' || format[1] == 'n')) {
            fputc(*++format == 't' ? '\t' : '\n', stdout);
        } else {
            fputc(*format, stdout);
        }
    }
    fputc('\n', stdout);
    fflush(stdout);
}

void put_fields(FILE *out, const char *names)
{
    for (; *names != '\0'; names += strspn(names, " ")) {
        const size_t len = strcspn(names, " ");

        fprintf(out, " %%(%.*s)", (int)len, names);
        names += len;
    }
    fputc('\n', out);
}

static bool is_name(const char *names, const char *name, size_t len)
{
    for (const char *at = names; *at != '\0'; at += strspn(at, " ")) {
        const size_t size = strcspn(at, " ");

        if (size == len && strncmp(at, name, len) == 0) {
            return true;
        }
        at += size;
    }
    return false;
}

static bool refuse_format(const char *at, const char *names)
{
    complain(TEXT("--format: not understood: %s\nnames:", "--format: непонятно: %s\nимена:"), at);
    put_fields(stderr, names);
    return false;
}

bool check_format(const arguments *a)
{
    const char *at = a->values[OPTION_FORMAT], *end;

    for (; at != NULL && (at = strchr(at, '%')) != NULL; at = end + 1) {
        end = at[1] == '(' ? strchr(at, ')') : at[1] == '%' ? at + 1 : NULL;
        if (end == NULL ||
            (at[1] == '(' && !is_name(a->command->fields, at + 2, (size_t)(end - at) - 2))) {
            return refuse_format(at, a->command->fields);
        }
    }
    return true;
}

avito_str number_text(int64_t number)
{
    static char texts[8][24];
    static unsigned next;
    avito_str s;

    s.ptr = texts[next++ % 8];
    s.len = (size_t)snprintf(texts[(next - 1) % 8], sizeof texts[0], "%" PRId64, number);
    return s;
}

avito_str time_text_of(int64_t unix_time)
{
    static char text[SHOW_TIME_SIZE];
    avito_str s = {text, 0};

    s.len = time_text(text, unix_time, false);
    return s;
}

avito_str preview_of(const avito_message *message, char *memory, size_t size)
{
    avito_str s = {memory, 0};

    s.len = avito_message_preview(message, language_is_russian() ? AVITO_RUSSIAN : AVITO_ENGLISH,
                                  memory, size);
    return s;
}

bool id_of(const char *word, int64_t *out)
{
    char *end;

    errno = 0;
    *out = (int64_t)strtoll(word, &end, 10);
    if (errno != 0 || end == word || *end != '\0' || *out <= 0) {
        complain(TEXT("%s is not an id: a number is expected\n", "%s - не номер: нужно число\n"),
                 word);
        return false;
    }
    return true;
}

bool items_of(const arguments *a, int64_t *out)
{
    for (size_t i = 0; i < a->items_count; i++) {
        if (!id_of(a->items[i], &out[i])) {
            return false;
        }
    }
    return true;
}
