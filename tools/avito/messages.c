/* messages.c - avito messages: what was said in a chat, oldest first. */
#include "messages.h"
#include "format.h"
#include "jsonl.h"
#include "run.h"
#include "russian.h"
#include "show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const avito_str nothing = {NULL, 0};

static avito_str author_name(const avito_chat *chat, int64_t author_id)
{
    for (size_t i = 0; chat != NULL && i < chat->users.count; i++) {
        if (chat->users.items[i].id == author_id) {
            return chat->users.items[i].name;
        }
    }
    return nothing;
}

static void print_formatted(const char *format, const avito_message *m, const avito_chat *chat)
{
    char text[8192];
    const char *word = avito_message_class_word(avito_classify(m));
    const avito_str class_word = {word, strlen(word)};
    const format_field fields[] = {
        {"id", m->id},
        {"chat", m->chat_id},
        {"name", author_name(chat, m->author_id)},
        {"text", preview_of(m, text, sizeof text)},
        {"type", m->type_word},
        {"class", class_word},
        {"direction", m->direction_word},
        {"time", time_text_of(m->created)},
        {"created", number_text(m->created)},
        {"author", number_text(m->author_id)},
    };

    print_format(format, fields, sizeof fields / sizeof *fields);
}

/* A text as it was written, any other content in one line; of a voice message with the id that avito voice takes. */
static avito_str body_of(const avito_message *m, char *memory, size_t size)
{
    avito_str body =
        m->content.kind == AVITO_MESSAGE_TEXT ? m->content.as.text : preview_of(m, memory, size);

    if (m->content.kind == AVITO_MESSAGE_VOICE && m->content.as.voice->voice_id.len - 1 < 127) {
        body.len += (size_t)snprintf(memory + body.len, size - body.len, " %s",
                                     m->content.as.voice->voice_id.ptr);
    }
    return body;
}

static void print_for_people(const avito_message *m, avito_str name)
{
    char text[1024];

    show_style(stdout, SHOW_FAINT);
    show_time(stdout, m->created);
    show_style(stdout, m->is_own ? SHOW_PLAIN : SHOW_BOLD);
    fputs("  ", stdout);
    show_text(stdout, name, 24);
    show_style(stdout, SHOW_FAINT);
    fputs("  ", stdout);
    show_text(stdout, m->id, SIZE_MAX);
    show_style(stdout, SHOW_PLAIN);
    fputc('\n', stdout);
    show_paragraph(stdout, body_of(m, text, sizeof text), 2);
}

void print_message(const session *s, const avito_message *m, const avito_chat *chat)
{
    if (has_option(s->arguments, OPTION_JSON)) {
        json_message(stdout, NULL, m, chat);
    } else if (has_option(s->arguments, OPTION_FORMAT)) {
        print_formatted(s->arguments->values[OPTION_FORMAT], m, chat);
    } else {
        print_for_people(m, author_name(chat, m->author_id));
    }
    fflush(stdout);
}

bool output_failed(void)
{
    if (ferror(stdout) && errno != EPIPE) { /* there the reader closed the pipe on purpose */
        system_error(say(TEXT("avito: standard output", "avito: стандартный вывод")));
    }
    return ferror(stdout);
}

/* ---- avito messages ---- */

/* The service gives the newest first, and people read the oldest first. So all messages are read
 * before the first is printed, into as much memory as that takes. */
static int get_messages(session *s, const avito_messages_query *query, avito_messages *out)
{
    avito_arena arena = s->avito.arena;
    int result = avito_get_messages(&s->avito.client, s->user_id, s->arguments->words[0], query,
                                    &arena, out);

    for (int tries = 0; result == AVITO_ERR_ARENA && tries < 4; tries++) {
        const size_t size = avito_last_error(&s->avito.client)->needed + 65536;
        void *memory = realloc(s->memory, size);

        if (memory == NULL) {
            return result;
        }
        s->memory = memory;
        arena = avito_arena_of(memory, size);
        result = avito_get_messages(&s->avito.client, s->user_id, s->arguments->words[0], query,
                                    &arena, out);
    }
    return result;
}

static void print_messages(const session *s, const avito_chat *chat, const avito_messages *all,
                           size_t limit)
{
    for (size_t i = all->count < limit ? all->count : limit; i > 0; i--) {
        print_message(s, &all->items[i - 1], chat);
    }
}

static int show_messages(session *s, long limit)
{
    avito_messages_query query;
    avito_messages all;
    avito_chat chat;
    int result = avito_get_chat(&s->avito.client, s->user_id, s->arguments->words[0],
                                &s->avito.arena, &chat);

    if (result != AVITO_OK) {
        return session_status(s, result);
    }
    memset(&query, 0, sizeof query);
    query.limit = limit < 100 ? (int)limit : 100;
    query.all_pages = limit > 100;
    if (query.all_pages) {
        show_progress("%s", say(TEXT("reading the chat", "читаю чат")));
    }
    result = get_messages(s, &query, &all);
    show_progress_end();
    if (result == AVITO_OK) {
        print_messages(s, &chat, &all, (size_t)limit);
        if (all.has_more && has_option(s->arguments, OPTION_ALL)) {
            session_remark(s, TEXT("The service has older messages than it lets be read.",
                                   "У сервиса есть сообщения старше тех, что он даёт прочесть."));
        }
    }
    if (result == AVITO_OK && all.skipped > 0) { /* the others were shown */
        result = AVITO_ERR_MODEL;
    }
    return session_status(s, result);
}

int run_messages(const arguments *a)
{
    session *s = &the_session;
    long limit = has_option(a, OPTION_ALL) ? 100000 : 20;
    int status;

    if (!number_of(a, OPTION_LIMIT, 1, 1100, &limit) || !check_format(a)) {
        return EXIT_USAGE;
    }
    show_begin(has_option(a, OPTION_QUIET));
    status = session_open(s, a, SESSION_TOKEN);
    status = status == EXIT_DONE ? session_user(s) : status;
    status = status == EXIT_DONE ? show_messages(s, limit) : status;
    session_close(s);
    return status;
}
