/* chats.c - avito chats, avito chat: a line for each chat, or everything that is known about
 * one. */
#include "run.h"
#include "session.h"
#include "format.h"
#include "jsonl.h"
#include "show.h"

#include <stdlib.h>
#include <string.h>

static const avito_str nothing = {NULL, 0};

/* The other side's name. */
static avito_str name_of(const avito_chat *chat, int64_t user_id)
{
    for (size_t i = 0; i < chat->users.count; i++) {
        if (chat->users.items[i].id != user_id) {
            return chat->users.items[i].name;
        }
    }
    return nothing;
}

static avito_str title_of(const avito_chat *chat)
{
    return chat->context != NULL && chat->context->item != NULL ? chat->context->item->title
                                                                : nothing;
}

static void print_formatted(const char *format, const avito_chat *chat, int64_t user_id)
{
    char text[512];
    const format_field fields[] = {
        {"id", chat->id},
        {"name", name_of(chat, user_id)},
        {"title", title_of(chat)},
        {"text", preview_of(chat->last_message, text, sizeof text)},
        {"time", time_text_of(chat->updated)},
        {"updated", number_text(chat->updated)},
        {"url",
         chat->context != NULL && chat->context->item != NULL ? chat->context->item->url : nothing},
    };

    print_format(format, fields, sizeof fields / sizeof *fields);
}

#define ID_COLUMNS   28
#define NAME_COLUMNS 14
#define WIDE         100 /* columns from which on the id fits on the same line */

/* When, who, about what, and what was said; on a narrow terminal the id comes below. */
static void print_row(const avito_chat *chat, int64_t user_id)
{
    const size_t columns = show_columns() == SIZE_MAX ? 160 : show_columns();
    size_t left = columns;
    char text[512];

    if (columns >= WIDE) {
        show_style(stdout, SHOW_FAINT);
        show_column(stdout, chat->id, ID_COLUMNS);
        show_style(stdout, SHOW_PLAIN);
        left -= ID_COLUMNS;
    }
    left -= show_time(stdout, chat->updated) + 1 + NAME_COLUMNS + 1;
    fputc(' ', stdout);
    show_style(stdout, SHOW_BOLD);
    show_column(stdout, name_of(chat, user_id), NAME_COLUMNS);
    show_style(stdout, SHOW_PLAIN);
    fputc(' ', stdout);
    if (left < columns && left > 50) {
        show_column(stdout, title_of(chat), left / 2);
        fputc(' ', stdout);
        left -= left / 2 + 1;
    }
    show_text(stdout, preview_of(chat->last_message, text, sizeof text), left < columns ? left : 0);
    fputc('\n', stdout);
    if (columns < WIDE) {
        show_style(stdout, SHOW_FAINT);
        fputs("      ", stdout);
        show_text(stdout, chat->id, SIZE_MAX);
        show_style(stdout, SHOW_PLAIN);
        fputc('\n', stdout);
    }
}

static void print_chat(const session *s, const avito_chat *chat)
{
    if (has_option(s->arguments, OPTION_JSON)) {
        json_chat(stdout, chat, s->user_id);
    } else if (has_option(s->arguments, OPTION_FORMAT)) {
        print_formatted(s->arguments->values[OPTION_FORMAT], chat, s->user_id);
    } else {
        print_row(chat, s->user_id);
    }
}

/* ---- avito chats ---- */

/* The query that the options ask for. False after saying that a value is wrong. */
static bool query_of(const arguments *a, avito_chats_query *query, int64_t *items, long *limit)
{
    static const avito_chat_type types[] = {AVITO_CHAT_TYPE_U2I, AVITO_CHAT_TYPE_U2U,
                                            AVITO_CHAT_TYPE_A2U};

    memset(query, 0, sizeof *query);
    query->unread_only = has_option(a, OPTION_UNREAD);
    query->all_pages = true;
    query->want = has_option(a, OPTION_JSON)
                      ? 0
                      : AVITO_CHAT_ALL & ~(AVITO_CHAT_PROFILES | AVITO_CHAT_AVATARS);
    for (size_t i = 0; has_option(a, OPTION_TYPE) && i < sizeof types / sizeof *types; i++) {
        const bool same = strcmp(a->values[OPTION_TYPE], avito_chat_type_word(types[i])) == 0;

        query->chat_types |= same ? (unsigned)types[i] : 0;
    }
    if (!items_of(a, items) || !number_of(a, OPTION_LIMIT, 1, 1100, limit)) {
        return false;
    }
    query->item_ids = items;
    query->item_ids_count = a->items_count;
    query->limit = *limit < 100 ? (int)*limit : 100;
    return true;
}

static int list_chats(session *s, const avito_chats_query *query, long limit)
{
    avito_client *client = &s->avito.client;
    int result = avito_list_chats(client, s->user_id, query, &s->avito.arena);
    int status = EXIT_DONE;
    long shown = 0;

    while (result == AVITO_OK && shown < limit) {
        avito_chat chat;

        result = avito_next_chat(client, &chat);
        if (result == AVITO_OK) {
            print_chat(s, &chat);
            shown++;
        } else if (result < 0 && avito_list_open(client)) {
            status = session_status(s, result); /* this one; the list goes on */
            result = AVITO_OK;
        }
    }
    if (result == AVITO_END && shown == 0) {
        session_remark(s, query->unread_only ? TEXT("No unread chats.", "Непрочитанных чатов нет.")
                                             : TEXT("No chats.", "Чатов нет."));
    }
    if (avito_list_open(client)) {
        avito_list_end(client, 0);
    } else if (result == AVITO_END && limit > 1100 && avito_list_has_more(client)) {
        session_remark(s, TEXT("The service has more chats than it lets be read.",
                               "У сервиса больше чатов, чем он даёт прочесть."));
    }
    return result < 0 ? session_status(s, result) : status;
}

int run_chats(const arguments *a)
{
    session *s = &the_session;
    int64_t items[VALUES_PER_OPTION];
    avito_chats_query query;
    long limit = has_option(a, OPTION_ALL) ? 100000 : 20;
    int status;

    if (!query_of(a, &query, items, &limit) || !check_format(a)) {
        return EXIT_USAGE;
    }
    show_begin(has_option(a, OPTION_QUIET));
    status = session_open(s, a, SESSION_TOKEN);
    status = status == EXIT_DONE ? session_user(s) : status;
    status = status == EXIT_DONE ? list_chats(s, &query, limit) : status;
    session_close(s);
    return status;
}

/* ---- avito chat ---- */

/* Printed whole even on a narrow terminal: a cut address is useless. */
static void print_field(const char *name, avito_str value)
{
    const avito_str shown = {name, strlen(name)};

    if (value.len > 0) {
        show_column(stdout, shown, 13);
        show_text(stdout, value, SIZE_MAX);
        fputc('\n', stdout);
    }
}

static void print_details(const avito_chat *chat)
{
    char text[512];

    print_field(say(TEXT("chat", "чат")), chat->id);
    for (size_t i = 0; i < chat->users.count; i++) {
        print_field(say(TEXT("user", "участник")), chat->users.items[i].name);
        print_field("", number_text(chat->users.items[i].id));
    }
    if (chat->context != NULL && chat->context->item != NULL) {
        print_field(say(TEXT("listing", "объявление")), chat->context->item->title);
        print_field(say(TEXT("price", "цена")), chat->context->item->price_string);
        print_field("", chat->context->item->url);
    }
    print_field(say(TEXT("last", "последнее")), preview_of(chat->last_message, text, sizeof text));
}

static int show_chat(session *s)
{
    const arguments *a = s->arguments;
    avito_chat chat;
    const int status = session_status(
        s, avito_get_chat(&s->avito.client, s->user_id, a->words[0], &s->avito.arena, &chat));

    if (status == EXIT_DONE && (has_option(a, OPTION_JSON) || has_option(a, OPTION_FORMAT))) {
        print_chat(s, &chat);
    } else if (status == EXIT_DONE) {
        print_details(&chat);
    }
    return status;
}

int run_chat(const arguments *a)
{
    return session_run(a, true, show_chat);
}
