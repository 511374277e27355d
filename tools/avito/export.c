/* export.c - avito export: every chat and message that the service shows, as JSON lines.
 *
 * A chat is a line {"id":...,"users":...}, its messages follow it, each with its chat_id. With a
 * file, a run that was stopped is continued: whole chats stay, and the last one in the file is read
 * again, because it may be unfinished. The last line {"avito":{"export":...}} says whether everything
 * is there, or chats are missing that another run may get. */
#include "disk.h"
#include "format.h"
#include "jsonl.h"
#include "run.h"
#include "russian.h"
#include "session.h"
#include "show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHATS_MAX 1200 /* the service shows 1,100; more may slide in meanwhile */
#define ID_SIZE   72

struct chat_list {
    char ids[CHATS_MAX][ID_SIZE];
    size_t count;
};

struct export
{
    session *session;
    FILE *out;
    struct chat_list all, done; /* read from the service; found in the file */
    long messages;
    int skipped;         /* rows and chats that could not be read */
    int refused;         /* of these, chats that another run may get */
    int in_a_row;        /* chats, one after another, at which the server failed */
    int messages_beyond; /* chats with more messages than can be reached */
    bool chats_beyond;
};

static bool contains(const struct chat_list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static bool add(struct chat_list *list, const char *id)
{
    if (list->count == CHATS_MAX || strlen(id) >= ID_SIZE) {
        return false;
    }
    strcpy(list->ids[list->count++], id);
    return true;
}

/* ---- what is there already ---- */

static const char complete[] = "{\"avito\":{\"export\":\"complete\"";
static const char any_end[] = "{\"avito\":{\"export\":\"";
static const char chat_begin[] = "{\"id\":\"";

/* Does the file begin as an export does, as far as it goes? Anything else is a file of somebody, and
 * would be cut. */
static bool is_export(FILE *file)
{
    char head[sizeof any_end];
    const size_t len = fread(head, 1, sizeof head, file), chat_len = sizeof chat_begin - 1,
                 end_len = sizeof any_end - 1;

    rewind(file);
    return memcmp(head, chat_begin, len < chat_len ? len : chat_len) == 0 ||
           memcmp(head, any_end, len < end_len ? len : end_len) == 0;
}

/* The id of a chat's line. */
static bool chat_id_of(const char *line, char *id)
{
    const char *from = line + sizeof chat_begin - 1, *end;

    if (strncmp(line, chat_begin, sizeof chat_begin - 1) != 0 ||
        strstr(line, "\"users\":[") == NULL) {
        return false;
    }
    end = strchr(from, '"');
    if (end == NULL || end - from >= ID_SIZE) {
        return false;
    }
    memcpy(id, from, (size_t)(end - from));
    id[end - from] = '\0';
    return true;
}

/* Notes the chats of the file. *keep: where the last one begins, which is read again. *is_complete:
 * there is nothing left to do. */
static void read_back(struct export *e, long *keep, bool *is_complete)
{
    char *line = NULL, id[ID_SIZE];
    size_t size = 0;
    long at = 0;
    ssize_t len;

    *keep = 0;
    *is_complete = false;
    while ((len = getline(&line, &size, e->out)) > 0 && line[len - 1] == '\n') {
        *is_complete = strncmp(line, complete, sizeof complete - 1) == 0;
        if (chat_id_of(line, id) && !contains(&e->done, id)) {
            *keep = at;
            (void)add(&e->done, id);
        }
        at += len;
    }
    free(line);
    if (!*is_complete && e->done.count > 0) {
        e->done.count--;
    }
}

static bool is_plain_file(const char *path)
{
    struct stat s;

    return stat(path, &s) != 0 || S_ISREG(s.st_mode);
}

/* Opens the file and cuts off what may not be whole. A pipe or a device has nothing to be continued. */
static int open_file(struct export *e, const char *path, bool *is_complete)
{
    long keep;

    *is_complete = false;
    if (path == NULL || strcmp(path, "-") == 0) {
        e->out = stdout;
        return EXIT_DONE;
    }
    const bool is_plain = is_plain_file(path);
    e->out = fopen(path, is_plain ? "a+" : "w");
    if (e->out == NULL) {
        system_error(path);
        return EXIT_LOCAL;
    }
    if (!is_plain) {
        return EXIT_DONE;
    }
    if (!disk_take(fileno(e->out), path)) {
        return EXIT_LOCAL;
    }
    rewind(e->out);
    if (!is_export(e->out)) {
        complain(TEXT("%s: this is no export, and stays as it is: give another file name\n",
                      "%s: это не выгрузка, файл не тронут: укажите другое имя\n"),
                 path);
        return EXIT_USAGE;
    }
    read_back(e, &keep, is_complete);
    if (!*is_complete && ftruncate(fileno(e->out), keep) != 0) {
        system_error(path);
        return EXIT_LOCAL;
    }
    return fseek(e->out, 0, SEEK_END) == 0 ? EXIT_DONE : EXIT_LOCAL;
}

/* ---- reading ---- */

/* An element that could not be read is counted and reported; the list goes on. */
static bool skip_row(struct export *e, int result)
{
    if (result < 0 && avito_list_open(&e->session->avito.client)) {
        e->skipped++;
        session_status(e->session, result);
        return true;
    }
    return false;
}

/* Reads the ids of all chats. Some may be beyond what the service shows. */
static int list_ids(struct export *e)
{
    session *s = e->session;
    avito_client *client = &s->avito.client;
    avito_chats_query query;
    int result;

    memset(&query, 0, sizeof query);
    query.all_pages = true;
    query.chat_types = AVITO_CHAT_TYPE_U2I | AVITO_CHAT_TYPE_U2U | AVITO_CHAT_TYPE_A2U;
    query.want = AVITO_CHAT_USERS;
    result = avito_list_chats(client, s->user_id, &query, &s->avito.arena);
    while (result == AVITO_OK) {
        avito_chat chat;

        result = avito_next_chat(client, &chat);
        if (result == AVITO_OK && chat.id.ptr == NULL) { /* nobody can ask for its messages */
            result = AVITO_ERR_MODEL;
        }
        if (result == AVITO_OK && !contains(&e->all, chat.id.ptr) && !add(&e->all, chat.id.ptr)) {
            e->chats_beyond = true;
        }
        result = skip_row(e, result) ? AVITO_OK : result;
    }
    e->chats_beyond = e->chats_beyond || (result == AVITO_END && avito_list_has_more(client));
    return result == AVITO_END ? AVITO_OK : result;
}

static int export_messages(struct export *e, const char *chat_id)
{
    session *s = e->session;
    avito_client *client = &s->avito.client;
    avito_messages_query query;
    int result;

    memset(&query, 0, sizeof query);
    query.all_pages = true;
    result = avito_list_messages(client, s->user_id, chat_id, &query, &s->avito.arena);
    while (result == AVITO_OK) {
        avito_message m;

        result = avito_next_message(client, &m);
        if (result == AVITO_OK) {
            json_message(e->out, NULL, &m, NULL);
            e->messages++;
        }
        result = skip_row(e, result) ? AVITO_OK : result;
    }
    e->messages_beyond += result == AVITO_END && avito_list_has_more(client);
    return result == AVITO_END ? AVITO_OK : result;
}

/* Without all of its messages a chat is taken out of the file again: the next run must not find it there. */
static int export_chat(struct export *e, const char *chat_id)
{
    session *s = e->session;
    const long at = e->out != stdout ? ftell(e->out) : -1;
    avito_chat chat;
    int result = avito_get_chat(&s->avito.client, s->user_id, chat_id, &s->avito.arena, &chat);

    if (result == AVITO_OK) {
        json_chat(e->out, &chat, s->user_id);
        avito_arena_reset(&s->avito.arena);
        result = export_messages(e, chat_id);
    }
    if (result < 0 && at >= 0 && fflush(e->out) == 0) {
        (void)!ftruncate(fileno(e->out), at);
    }
    avito_arena_reset(&s->avito.arena);
    return result;
}

/* Does it concern this chat alone? A server that fails at three of them in a row may fail at all. */
static bool is_of_chat(struct export *e, int result)
{
    e->in_a_row = result == AVITO_ERR_SERVER ? e->in_a_row + 1 : 0;
    switch (result) {
        case AVITO_ERR_ID:
        case AVITO_ERR_ARENA:
        case AVITO_ERR_BAD_REQUEST:
        case AVITO_ERR_FORBIDDEN:
        case AVITO_ERR_NOT_FOUND:
        case AVITO_ERR_CONFLICT:
        case AVITO_ERR_STATUS:
        case AVITO_ERR_REFUSED:
            return true;
        default:
            return e->in_a_row == 1 || e->in_a_row == 2 ||
                   (result < 0 && status_of(result, AVITO_NOT_SENT) == EXIT_ANSWER);
    }
}

/* A chat that cannot be read is counted and reported; the others go on. */
static int without_chat(struct export *e, const char *chat_id, int result)
{
    const avito_str id = {chat_id, strlen(chat_id)};

    if (!is_of_chat(e, result)) {
        return result;
    }
    e->skipped++;
    e->refused += result != AVITO_ERR_NOT_FOUND; /* that one is gone since it was listed */
    show_progress_end();
    show_text(stderr, id, SIZE_MAX);
    fputs(": ", stderr);
    session_status(e->session, result);
    return AVITO_OK;
}

static bool is_written(struct export *e)
{
    if (fflush(e->out) == 0 && !ferror(e->out)) {
        return true;
    }
    system_error(
        say(TEXT("avito: the export cannot be written", "avito: выгрузку не удаётся записать")));
    return false;
}

static int export_all(struct export *e)
{
    int result = list_ids(e);

    for (size_t i = 0; i < e->all.count && result == AVITO_OK; i++) {
        show_progress(say(TEXT("chat %zu of %zu, %ld messages", "чат %zu из %zu, сообщений: %ld")),
                      i + 1, e->all.count, e->messages);
        if (!contains(&e->done, e->all.ids[i])) {
            result = without_chat(e, e->all.ids[i], export_chat(e, e->all.ids[i]));
        }
        if (!is_written(e)) {
            return EXIT_LOCAL;
        }
    }
    show_progress_end();
    return session_status(e->session, result);
}

/* Writes the last line, and tells people what is missing. */
static int finish(struct export *e)
{
    json_open(e->out, NULL, '{');
    json_open(e->out, "avito", '{');
    json_word(e->out, "export", e->refused == 0 ? "complete" : "partial");
    json_number(e->out, "chats", (int64_t)e->all.count);
    json_number(e->out, "skipped", e->skipped);
    json_bool(e->out, "chats_beyond_reach", e->chats_beyond);
    json_number(e->out, "chats_with_messages_beyond_reach", e->messages_beyond);
    json_close(e->out, '}');
    json_close(e->out, '}');
    if (e->chats_beyond || e->messages_beyond > 0) {
        session_remark(e->session,
                       TEXT("The service has more than it lets be read: see the last line.",
                            "У сервиса есть больше, чем он даёт прочесть: см. последнюю строку."));
    }
    if (!is_written(e)) {
        return EXIT_LOCAL;
    }
    if (e->refused > 0) {
        session_remark(e->session,
                       TEXT("Chats are missing that could not be read: start it again later.",
                            "Не хватает чатов, которые не прочлись: запустите позже снова."));
        return EXIT_REFUSED;
    }
    return EXIT_DONE;
}

int run_export(const arguments *a)
{
    static struct export e;
    bool is_complete;
    int status;

    e.session = &the_session;
    /* Lines that are shown on a terminal are progress enough. */
    show_begin(has_option(a, OPTION_QUIET) || (a->words_count == 0 && isatty(STDOUT_FILENO)));
    status = session_open(e.session, a, SESSION_TOKEN);
    if (status == EXIT_DONE) {
        status = open_file(&e, a->words_count > 0 ? a->words[0] : NULL, &is_complete);
    }
    if (status == EXIT_DONE && is_complete) {
        session_remark(e.session,
                       TEXT("This export is complete: give another file name to start over.",
                            "Эта выгрузка уже полная: для новой укажите другое имя файла."));
    } else {
        status = status == EXIT_DONE ? session_user(e.session) : status;
        status = status == EXIT_DONE ? export_all(&e) : status;
        status = status == EXIT_DONE ? finish(&e) : status;
    }
    session_close(e.session);
    if (e.out == NULL || e.out == stdout) {
        return status;
    }
    return fclose(e.out) != 0 && status == EXIT_DONE ? EXIT_LOCAL : status;
}
