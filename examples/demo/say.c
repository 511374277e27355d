#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COLUMN 54 /* where the calls stand */

/* Every call of the library that speaks to the service, and the two that need no connection. */
static struct {
    const char *name;
    unsigned count;
} calls[] = {{"avito_get_token", 0},
             {"avito_exchange_code", 0},
             {"avito_refresh_token", 0},
             {"avito_authorize_url", 0},
             {"avito_get_self", 0},
             {"avito_get_chats", 0},
             {"avito_get_chat", 0},
             {"avito_get_messages", 0},
             {"avito_list_chats", 0},
             {"avito_next_chat", 0},
             {"avito_list_messages", 0},
             {"avito_next_message", 0},
             {"avito_list_voice_files", 0},
             {"avito_next_voice_file", 0},
             {"avito_list_subscriptions", 0},
             {"avito_next_subscription", 0},
             {"avito_list_end", 0},
             {"avito_send_message", 0},
             {"avito_confirm_sent", 0},
             {"avito_send_image_message", 0},
             {"avito_upload_image", 0},
             {"avito_mark_chat_as_read", 0},
             {"avito_delete_message", 0},
             {"avito_get_voice_files", 0},
             {"avito_subscribe_webhook", 0},
             {"avito_unsubscribe_webhook", 0},
             {"avito_get_webhook_subscriptions", 0},
             {"avito_parse_webhook", 0},
             {"avito_add_to_blacklist", 0}};

static unsigned failures, expectations, pace_ms;

static const char *colour(const char *code)
{
    return isatty(STDOUT_FILENO) ? code : "";
}

void say_pace(unsigned ms)
{
    pace_ms = ms;
}

static void rest(void)
{
    struct timespec t = {(time_t)(pace_ms / 1000), (long)(pace_ms % 1000) * 1000000};

    (void)fflush(stdout);
    if (pace_ms != 0) {
        (void)nanosleep(&t, NULL);
    }
}

static void count_call(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(calls[i].name, name) == 0) {
            calls[i].count++;
            return;
        }
    }
    (void)expect(false, "%s is in the list of calls", name);
}

/* The columns that a text needs: one per code point, two for emoji. */
static int width_of(const char *text)
{
    int width = 0;

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        width += (c & 0xc0) != 0x80 ? 1 : 0;
        width += c == 0xf0 ? 1 : 0;
    }
    return width;
}

/* Ends a line of which `width` columns are written. */
static void end_line(int width, const char *call)
{
    if (call != NULL) {
        const char *shown = strncmp(call, "avito_", 6) == 0 ? call + 6 : call;

        count_call(call);
        printf("%*s%s%s%s", width < COLUMN ? COLUMN - width : 1, "", colour("\033[2m"), shown,
               colour("\033[0m"));
    }
    printf("\n");
    rest();
}

void say_scene(const char *title)
{
    printf("\n%s%s%s\n", colour("\033[1m"), title, colour("\033[0m"));
    rest();
}

void say_line(const char *call, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("  %s", text);
    end_line(2 + width_of(text), call);
}

/* Copies up to `cap - 1` bytes, whole code points, without control characters: strangers write the
 * texts, which must not command the terminal. */
static void clean(avito_str from, char *out, size_t cap)
{
    size_t n = 0, i;

    for (i = 0; i < from.len && n + 1 < cap; i++) {
        unsigned char c = (unsigned char)from.ptr[i];

        if (c == 0xc2 && i + 1 < from.len && (unsigned char)from.ptr[i + 1] < 0xa0) {
            i++; /* U+0080 to U+009F */
            c = ' ';
        }
        out[n++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
    }
    while (i < from.len && n > 0 && ((unsigned char)from.ptr[i] & 0xc0) == 0x80) {
        i = from.len; /* cut in the middle of a code point: drops its beginning */
        while (n > 0 && ((unsigned char)out[n - 1] & 0xc0) == 0x80) {
            n--;
        }
        n -= n > 0 ? 1 : 0;
    }
    out[n] = '\0';
}

/* How many bytes of `text` fit into `room` columns, ending between two words if possible. */
static size_t fitting(const char *text, int room)
{
    size_t i, end = 0;
    int width = 0;

    for (i = 0; text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c & 0xc0) != 0x80 && ++width > room) {
            return end != 0 ? end : i;
        }
        end = c == ' ' ? i : end;
    }
    return i;
}

void say_talk(const char *call, int64_t when, avito_str who, avito_str what, const char *mark)
{
    char name[64], text[4096], at[8];
    const char *rest_of_text = text;
    time_t seconds = (time_t)when;
    struct tm local;
    int width;

    clean(who, name, sizeof name);
    clean(what, text, sizeof text);
    (void)strftime(at, sizeof at, "%H:%M", localtime_r(&seconds, &local));
    printf("  %s%s%s  %s%*s", colour("\033[2m"), at, colour("\033[0m"), name,
           width_of(name) < 11 ? 11 - width_of(name) : 1, "");
    for (;;) {
        size_t n = fitting(rest_of_text, COLUMN - 22);
        char piece[256];

        (void)snprintf(piece, sizeof piece, "%.*s", (int)n, rest_of_text);
        rest_of_text += n + (rest_of_text[n] == ' ' ? 1 : 0);
        width = 20 + width_of(piece);
        printf("%s", piece);
        if (*rest_of_text == '\0') {
            break;
        }
        end_line(width, call);
        call = NULL;
        printf("%20s", "");
    }
    if (mark != NULL) {
        printf(" %s%s%s", colour("\033[32m"), mark, colour("\033[0m"));
        width += 1 + width_of(mark);
    }
    end_line(width, call);
}

void say_progress(size_t done, size_t total)
{
    size_t filled = total != 0 ? done * 20 / total : 0, i;

    if (!isatty(STDOUT_FILENO)) {
        return;
    }
    printf("\r  ");
    for (i = 0; i < 20; i++) {
        printf("%s", i < filled ? "▪" : "·");
    }
    printf(" %zu of %zu KB", done / 1024, total / 1024);
    if (done == total) {
        printf("\r%*s\r", COLUMN, "");
    }
    rest();
}

bool say_expect(bool good, const char *file, int line, const char *format, ...)
{
    va_list args;

    expectations++;
    if (!good) {
        failures++;
        printf("  %sNOT AS EXPECTED%s (%s:%d): ", colour("\033[31m"), colour("\033[0m"), file,
               line);
        va_start(args, format);
        (void)vprintf(format, args);
        va_end(args);
        printf("\n");
    }
    return good;
}

int say_end(bool all)
{
    size_t made = 0, count = sizeof calls / sizeof *calls, i;

    for (i = 0; i < count; i++) {
        made += calls[i].count != 0;
        if (all) {
            (void)expect(calls[i].count != 0, "%s is part of the story", calls[i].name);
        }
    }
    printf("\n%zu of %zu calls made, %u things compared, %u not as expected\n", made, count,
           expectations, failures);
    return failures == 0 ? 0 : 1;
}
