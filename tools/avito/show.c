/* show.c - see show.h. */
#include "show.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static bool is_terminal, has_colours, has_progress, progress_is_open;
static size_t columns_of_terminal = SIZE_MAX;

void show_begin(bool quiet)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    struct winsize size;

    is_terminal = isatty(STDOUT_FILENO) != 0;
    has_progress = !quiet && isatty(STDERR_FILENO) != 0;
    has_colours = is_terminal && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
                  strcmp(term, "dumb") != 0;
    if (is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        columns_of_terminal = size.ws_col;
    }
}

size_t show_columns(void)
{
    return columns_of_terminal;
}

/* ---- strangers' text ---- */

struct glyph {
    uint32_t point;
    size_t len; /* bytes */
    size_t columns;
    bool harmless;
};

struct range {
    uint32_t first, last;
};

static bool is_in(uint32_t point, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (point >= ranges[i].first && point <= ranges[i].last) {
            return true;
        }
    }
    return false;
}
#define IS_IN(point, ranges) is_in(point, ranges, sizeof(ranges) / sizeof *(ranges))

/* Control characters, marks that turn a line's direction or end it, and code points that are
 * invisible or no characters. */
static const struct range harmful[] = {{0x00, 0x1f},     {0x7f, 0x9f},      {0x61c, 0x61c},
                                       {0x200e, 0x200f}, {0x2028, 0x202e},  {0x2066, 0x206f},
                                       {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};

/* Marks that stand on the character before them (the blocks that occur in chats). */
static const struct range without_width[] = {{0x300, 0x36f},    {0x483, 0x489},   {0x200b, 0x200d},
                                             {0x20d0, 0x20ff},  {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
                                             {0x1f3fb, 0x1f3ff}};

/* East Asian Wide, and emoji. */
static const struct range wide[] = {
    {0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
    {0x231a, 0x231b}, {0x2705, 0x2705}, {0x274c, 0x274c}, {0x2753, 0x2757}};

/* The character at p; a byte that is not UTF-8 counts as one harmful character. */
static struct glyph glyph_at(const char *p, size_t left)
{
    static const uint8_t lengths[16] = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 3, 4};
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    struct glyph g = {0xfffd, 1, 1, false};
    const unsigned char *u = (const unsigned char *)p;
    const size_t len = lengths[u[0] >> 4];
    uint32_t point;

    if (len == 0 || len > left) {
        return g;
    }
    point = len == 1 ? u[0] : u[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((u[i] & 0xc0) != 0x80) {
            return g;
        }
        point = point << 6 | (u[i] & 0x3fu);
    }
    if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
        return g;
    }
    g.point = point;
    g.len = len;
    g.harmless = !IS_IN(point, harmful);
    g.columns = !g.harmless ? 1 : IS_IN(point, without_width) ? 0 : IS_IN(point, wide) ? 2 : 1;
    return g;
}

static void put_glyph(FILE *out, const char *p, struct glyph g)
{
    if (g.point == '\n' || g.point == '\t') {
        fputc(' ', out);
    } else if (!g.harmless) {
        fputs("·", out);
    } else {
        fwrite(p, 1, g.len, out);
    }
}

static size_t width_of(avito_str text)
{
    size_t at = 0, columns = 0;

    while (at < text.len) {
        const struct glyph g = glyph_at(text.ptr + at, text.len - at);

        at += g.len;
        columns += g.columns;
    }
    return columns;
}

size_t show_text(FILE *out, avito_str text, size_t columns)
{
    const bool cut = width_of(text) > columns;
    const size_t room = cut && columns > 0 ? columns - 1 : columns;
    size_t at = 0, used = 0;

    while (at < text.len) {
        const struct glyph g = glyph_at(text.ptr + at, text.len - at);

        if (g.columns > room - used) {
            break;
        }
        put_glyph(out, text.ptr + at, g);
        at += g.len;
        used += g.columns;
    }
    if (cut && columns > 0) {
        fputs("…", out);
        used++;
    }
    return used;
}

void show_column(FILE *out, avito_str text, size_t columns)
{
    for (size_t used = show_text(out, text, columns); used < columns; used++) {
        fputc(' ', out);
    }
}

/* How many bytes of a line fit into `columns`: it is broken after a blank if there is one. */
static size_t line_break(avito_str text, size_t columns)
{
    size_t at = 0, used = 0, after_blank = 0;

    while (at < text.len && text.ptr[at] != '\n') {
        const struct glyph g = glyph_at(text.ptr + at, text.len - at);

        if (used + g.columns > columns) {
            return after_blank > 0 ? after_blank : at > 0 ? at : g.len;
        }
        at += g.len;
        used += g.columns;
        after_blank = g.point == ' ' ? at : after_blank;
    }
    return at;
}

void show_paragraph(FILE *out, avito_str text, size_t indent)
{
    const size_t columns = columns_of_terminal == SIZE_MAX    ? SIZE_MAX
                           : columns_of_terminal > indent + 8 ? columns_of_terminal - indent
                                                              : 8;
    size_t at = 0;

    do {
        avito_str rest;
        size_t len;

        rest.ptr = text.ptr + at;
        rest.len = text.len - at;
        len = line_break(rest, columns);
        rest.len = len;
        fprintf(out, "%*s", (int)indent, "");
        show_text(out, rest, SIZE_MAX);
        fputc('\n', out);
        at += len;
        at += at < text.len && text.ptr[at] == '\n';
    } while (at < text.len);
}

void show_words(FILE *out, const char *words, size_t at, size_t indent)
{
    const size_t columns = columns_of_terminal == SIZE_MAX ? 80 : columns_of_terminal;
    size_t column = at;

    while (*words != '\0') {
        const avito_str word = {words, strcspn(words, " \n")};
        const size_t width = width_of(word);

        if (column > indent && column + 1 + width > columns) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > at && column > indent) {
            fputc(' ', out);
            column++;
        }
        fwrite(word.ptr, 1, word.len, out);
        column += width;
        words += word.len + (words[word.len] != '\0');
    }
    fputc('\n', out);
}

/* ---- style, time, progress ---- */

void show_style(FILE *out, enum show_style style)
{
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[33m"};

    if (has_colours) {
        fputs(codes[style], out);
    }
}

/* strftime() would be 2 KB of the static program. */
size_t time_text(char text[SHOW_TIME_SIZE], int64_t unix_time, bool with_day)
{
    const time_t then = (time_t)unix_time, now = time(NULL);
    struct tm a, b;
    int n = 0;

    if (localtime_r(&then, &a) == NULL || localtime_r(&now, &b) == NULL) {
        strcpy(text, "?");
        return 1;
    }
    if (with_day || a.tm_year != b.tm_year || a.tm_yday != b.tm_yday) {
        n = snprintf(text, SHOW_TIME_SIZE, "%lld-%02d-%02d ", a.tm_year + 1900LL, a.tm_mon + 1,
                     a.tm_mday);
    }
    n += snprintf(text + n, SHOW_TIME_SIZE - (size_t)n, "%02d:%02d", a.tm_hour, a.tm_min);
    return (size_t)n;
}

size_t show_time(FILE *out, int64_t unix_time)
{
    char text[SHOW_TIME_SIZE];
    const size_t len = time_text(text, unix_time, false);

    fputs(text, out);
    return len;
}

void show_progress(const char *format, ...)
{
    va_list values;

    if (!has_progress) {
        return;
    }
    fputs("\r\033[K", stderr);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fflush(stderr);
    progress_is_open = true;
}

void show_progress_end(void)
{
    if (progress_is_open) {
        fputs("\r\033[K", stderr);
    }
    progress_is_open = false;
}
