/* send.c - avito send, avito confirm: no message is sent twice, and an unknown outcome is reported.
 *
 * Each message gets a key in the store before it leaves (avito_send_once()), so that a crash between the
 * request and its answer leaves a note, which `avito confirm` settles. */
#include "format.h"
#include "jsonl.h"
#include "messages.h"
#include "russian.h"
#include "run.h"
#include "session.h"
#include "show.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Tells programs what became of it. `id`: the message's, or NULL if it is not known. */
static void put_outcome(session *s, int result, avito_outcome outcome, const char *id)
{
    const char *chat = s->arguments->words[0], *word = avito_outcome_word(outcome);

    id = id != NULL ? id : "";
    if (has_option(s->arguments, OPTION_JSON)) {
        json_open(stdout, NULL, '{');
        if (id[0] != '\0') {
            json_word(stdout, "id", id);
        }
        json_word(stdout, "chat_id", chat);
        json_open(stdout, "avito", '{');
        json_word(stdout, "outcome", word);
        if (result < 0) {
            json_word(stdout, "error", session_error(s, result, outcome == AVITO_CANNOT_TELL));
        }
        json_close(stdout, '}');
        json_close(stdout, '}');
    } else if (has_option(s->arguments, OPTION_FORMAT)) {
        const format_field fields[] = {{"id", {id, strlen(id)}},
                                       {"chat", {chat, strlen(chat)}},
                                       {"outcome", {word, strlen(word)}}};

        print_format(s->arguments->values[OPTION_FORMAT], fields, sizeof fields / sizeof *fields);
    }
}

/* Whoever reads the output, and did not get this, must not send it again. What else is to be sent still is. */
static void say_unheard(session *s, const char *id)
{
    if (output_failed()) {
        complain(TEXT("The message was sent (%s): do not send it again.\n",
                      "Сообщение отправлено (%s): не отправляйте его снова.\n"),
                 id != NULL ? id : "");
        s->unheard = true;
    }
}

static int print_outcome(session *s, int result, avito_outcome outcome, const char *id)
{
    put_outcome(s, result, outcome, id);
    if (outcome == AVITO_SENT) {
        if (!has_option(s->arguments, OPTION_JSON) && !has_option(s->arguments, OPTION_FORMAT)) {
            session_remark(s, TEXT("Sent.", "Отправлено."));
        }
        say_unheard(s, id);
        return EXIT_DONE;
    }
    if (outcome == AVITO_CANNOT_TELL) {
        session_in_doubt(s, result);
    } else {
        session_status(s, result);
    }
    return status_of(result < 0 ? result : AVITO_ERR_RECV, outcome);
}

/* A key of its own for each message of each run. */
static void make_key(char *key, size_t size)
{
    static unsigned part;
    const int len = snprintf(key, size, "send-%u-", ++part);

    (void)random_hex(key + len, 8);
}

/* A text, or the picture of this id, under a key. */
static int send_under(session *s, const char *key, const char *text, const char *image_id,
                      avito_outcome *outcome)
{
    const char *chat = s->arguments->words[0];

    return text != NULL ? avito_send_once(&s->avito.client, &s->avito.store, s->user_id, chat, key,
                                          text, &s->avito.arena, outcome)
                        : avito_send_image_once(&s->avito.client, &s->avito.store, s->user_id, chat,
                                                key, image_id, &s->avito.arena, outcome);
}

/* Notes of sends in doubt that nobody has confirmed for a day are settled, so that the oldest of them may be
 * forgotten. Until then confirm finds them. */
static int settle_old(void *ctx, const avito_store_send *send)
{
    avito_store *store = ctx;

    return send->ended == 0 && avito_posix_unix_time(NULL) - send->begun > 86400
               ? avito_store_end_send(store, send->key, AVITO_CANNOT_TELL, NULL)
               : (int)AVITO_OK;
}

/* The program is to end while it is not known whether it left. */
static void end_in_doubt(int number)
{
    const char *text = session_doubt();

    (void)!write(STDERR_FILENO, text, strlen(text));
    signal(number, SIG_DFL);
    raise(number);
}

/* Sends it under a key of its own, and prints what became of it. */
static int send_noted(session *s, const char *text, const char *image_id)
{
    char key[AVITO_STORE_KEY_MAX + 1];
    avito_outcome outcome = AVITO_NOT_SENT;
    const avito_store_send *noted;
    int result;

    make_key(key, sizeof key);
    on_endings(end_in_doubt);
    result = send_under(s, key, text, image_id, &outcome);
    if (result == AVITO_ERR_ROOM &&
        avito_store_each_send(&s->avito.store, settle_old, &s->avito.store) == AVITO_OK) {
        result = send_under(s, key, text, image_id, &outcome);
    }
    on_endings(SIG_DFL);
    noted = avito_store_last_send(&s->avito.store);
    return print_outcome(s, result, outcome, noted != NULL ? noted->message_id : NULL);
}

/* ---- a text ---- */

/* The whole text, without the blanks around it, which begins at *text. Returns its length in bytes; 0: it is blank. */
static size_t next_whole(const char **text)
{
    const char *at = *text, *end;
    size_t len = avito_next_part(&at);

    for (*text = end = at; len > 0; len = avito_next_part(&at)) {
        at = end = at + len;
    }
    return (size_t)(end - *text);
}

/* The next message that avito send makes of this text, as avito_next_part() gives it. */
static size_t next_message(const char **text, bool split)
{
    return split ? avito_next_part(text) : next_whole(text);
}

/* True after saying so. */
static bool is_blank(const char *text)
{
    if (next_whole(&text) > 0) {
        return false;
    }
    complain(TEXT("the text is blank\n", "текст пуст\n"));
    return true;
}

/* Code points, as the header counts them: those that are said to be too many are those that it refuses. */
static size_t characters_of(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) {
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return count;
}

/* Refuses, before a byte leaves, what the service would refuse. */
static bool check_text(const arguments *a, const char *text)
{
    size_t len;

    if (is_blank(text)) {
        return false;
    }
    len = next_whole(&text);
    if (!has_option(a, OPTION_SPLIT) &&
        (characters_of(text, len) > AVITO_TEXT_MAX || len > 4 * AVITO_TEXT_MAX)) {
        complain(TEXT("the text has over %u characters: --split sends it in parts\n",
                      "в тексте больше %u знаков: --split отправит его частями\n"),
                 AVITO_TEXT_MAX);
        return false;
    }
    return true;
}

/* Sends one part under a key of its own, and prints what became of it. */
static int send_part(session *s, const char *part)
{
    if (has_option(s->arguments, OPTION_DRY_RUN)) { /* leaves no note either */
        return session_dry_run(s,
                               avito_send_message(&s->avito.client, s->user_id,
                                                  s->arguments->words[0], part, NULL, NULL),
                               true);
    }
    return send_noted(s, part, NULL);
}

/* Sends the parts in order, and stops at the first that is not sent. */
static int send_text(session *s, const char *text)
{
    static char part[4 * AVITO_TEXT_MAX + 1];
    const bool split = has_option(s->arguments, OPTION_SPLIT);
    int status = EXIT_DONE, sent = 0;
    size_t len;

    while (status == EXIT_DONE && (len = next_message(&text, split)) > 0) {
        memcpy(part, text, len);
        part[len] = '\0';
        status = send_part(s, part);
        sent += status == EXIT_DONE;
        text += len;
    }
    if (status != EXIT_DONE && sent > 0) {
        complain(TEXT("%d parts were sent, then it stopped\n",
                      "отправлено частей: %d, дальше остановилось\n"),
                 sent);
        return EXIT_CANNOT_TELL;
    }
    return status;
}

/* ---- a picture ---- */

static void upload_progress(void *ctx, size_t sent, size_t size)
{
    (void)ctx;
    show_progress("%zu %%", size > 0 ? sent * 100 / size : 100);
}

static int send_image(session *s, avito_image_file *image)
{
    avito_uploaded_image uploaded;
    int result;

    image->source.progress = upload_progress;
    result = avito_upload_image(&s->avito.client, s->user_id, &image->source, &s->avito.arena,
                                &uploaded);
    show_progress_end();
    if (result == AVITO_OK && has_option(s->arguments, OPTION_DRY_RUN)) {
        return session_dry_run(s, result, true);
    }
    return result == AVITO_OK ? send_noted(s, NULL, uploaded.image_id.ptr)
                              : session_status(s, result);
}

static int send_image_file(session *s, const char *path)
{
    avito_image_file image;
    const int result = avito_image_from_file(&image, path);
    int status;

    if (result == AVITO_ERR_FILE) {
        if (errno == ESPIPE) {
            complain(TEXT("%s: a pipe: save the picture into a file first\n",
                          "%s: это канал: сначала сохраните картинку в файл\n"),
                     path);
        } else {
            system_error(path);
        }
        return EXIT_LOCAL;
    }
    if (result != AVITO_OK) {
        complain(result == AVITO_ERR_TOO_LARGE
                     ? TEXT("%s: over 24 MB, which the service does not take\n",
                            "%s: больше 24 МБ, сервис такое не примет\n")
                     : TEXT("%s: this is no JPEG, PNG, GIF, BMP or HEIC\n",
                            "%s: это не JPEG, PNG, GIF, BMP и не HEIC\n"),
                 path);
        return EXIT_USAGE;
    }
    status = send_image(s, &image);
    avito_image_file_close(&image);
    return status;
}

/* ---- avito send ---- */

static int send_all(session *s, const char *text)
{
    const char *path = s->arguments->values[OPTION_IMAGE];
    int status = path != NULL ? send_image_file(s, path) : EXIT_DONE;

    if (status == EXIT_DONE && text != NULL) {
        status = send_text(s, text);
        if (status != EXIT_DONE && path != NULL) {
            session_remark(s, TEXT("The picture was sent.", "Картинка отправлена."));
            return EXIT_CANNOT_TELL;
        }
    }
    return status;
}

int run_send(const arguments *a)
{
    session *s = &the_session;
    const bool has_text = a->words_count > 1 || !has_option(a, OPTION_IMAGE);
    const char *text = has_text ? text_argument(a, 1) : NULL;
    int status;

    if (!check_format(a) || (has_text && (text == NULL || !check_text(a, text)))) {
        return EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN); /* between two messages it would end the program, half of them sent */
    show_begin(has_option(a, OPTION_QUIET));
    status = session_open(s, a, has_option(a, OPTION_DRY_RUN) ? SESSION_TOKEN : SESSION_STATE);
    status = status == EXIT_DONE ? session_user(s) : status;
    status = status == EXIT_DONE ? send_all(s, text) : status;
    session_close(s);
    return status == EXIT_DONE && s->unheard ? EXIT_CANNOT_TELL : status;
}

/* ---- avito confirm ---- */

/* A send to this chat, and of this text if one is given, whose outcome is not known. */
struct search {
    const char *chat, *text;
    avito_store_send found;
    bool any;
};

/* Is it one of the messages that avito send makes of this text? */
static bool is_message_of(const char *message, const char *text, bool split)
{
    size_t len;

    while ((len = next_message(&text, split)) > 0 &&
           (strlen(message) != len || memcmp(message, text, len) != 0)) {
        text += len;
    }
    return len > 0;
}

static int visit_send(void *ctx, const avito_store_send *send)
{
    struct search *search = ctx;

    if (send->outcome == AVITO_CANNOT_TELL && strcmp(send->chat_id, search->chat) == 0 &&
        (search->text == NULL || is_message_of(send->text, search->text, false) ||
         is_message_of(send->text, search->text, true)) &&
        (!search->any || send->begun > search->found.begun)) {
        search->found = *send;
        search->any = true;
    }
    return AVITO_OK;
}

/* Messages that other sends into the chat have become: an equal text is theirs. */
struct claims {
    const avito_store_send *send;
    char ids[AVITO_STORE_SENDS][AVITO_STORE_ID_CAP];
    const char *list[AVITO_STORE_SENDS];
    size_t count;
};

static int visit_claim(void *ctx, const avito_store_send *other)
{
    struct claims *claims = ctx;
    char *id = claims->ids[claims->count];

    if (other->message_id[0] == '\0' || strcmp(other->chat_id, claims->send->chat_id) != 0 ||
        strcmp(other->key, claims->send->key) == 0) {
        return AVITO_OK;
    }
    strcpy(id, other->message_id);
    claims->list[claims->count++] = id;
    return claims->count < AVITO_STORE_SENDS ? (int)AVITO_OK : (int)AVITO_END;
}

/* What the note of a send says of it, for the look into the chat. A result of the store. */
static int query_of_note(session *s, const avito_store_send *send, avito_sent_query *query)
{
    static struct claims claims;
    const int64_t age = avito_posix_unix_time(NULL) - send->begun;
    int result;

    claims.send = send;
    result = avito_store_each_send(&s->avito.store, visit_claim, &claims);
    query->age_s = age > 0 ? (uint32_t)age : 0; /* the clock may have been set back */
    query->claimed = claims.list;
    query->claimed_count = claims.count;
    return result;
}

/* Reads the chat back for this send, prints the outcome, and settles the note if there is one. */
static int look_for(session *s, const avito_store_send *send, bool noted)
{
    avito_sent_query query;
    avito_outcome outcome;
    avito_message found;
    int result;

    memset(&query, 0, sizeof query);
    query.text = send->text[0] != '\0' ? send->text : NULL;
    query.baseline_id = send->baseline_id[0] != '\0' ? send->baseline_id : NULL;
    query.baseline_created = send->baseline_created;
    result = noted ? query_of_note(s, send, &query) : (int)AVITO_OK;
    if (result >= 0) {
        result = avito_confirm_sent(&s->avito.client, s->user_id, send->chat_id, &query,
                                    &s->avito.arena, &outcome, &found);
    }
    if (result != AVITO_OK) {
        return session_status(s, result);
    }
    if (noted && outcome == AVITO_SENT) {
        (void)avito_store_end_send(&s->avito.store, send->key, outcome, found.id.ptr);
    }
    if (outcome == AVITO_SENT) {
        return print_outcome(s, AVITO_OK, outcome, found.id.ptr);
    }
    if (outcome == AVITO_NOT_SENT) {
        if (noted) { /* it may be asked for again, and forgotten when it is old */
            (void)avito_store_end_send(&s->avito.store, send->key, AVITO_CANNOT_TELL, NULL);
        }
        put_outcome(s, AVITO_OK, outcome, NULL);
        session_remark(s, TEXT("It is not in the chat.", "В чате его нет."));
        return EXIT_REFUSED;
    }
    return print_outcome(s, AVITO_OK, outcome, NULL);
}

/* Finds the send in doubt, or makes one of `text`, and looks for it in the chat. */
static int confirm(session *s, const char *text)
{
    static struct search search;
    int result;

    search.chat = s->arguments->words[0];
    search.text = text;
    result = avito_store_each_send(&s->avito.store, visit_send, &search);
    if (result != AVITO_OK) {
        return session_status(s, result);
    }
    if (!search.any && text == NULL) {
        if (has_option(s->arguments, OPTION_JSON)) {
            json_open(stdout, NULL, '{');
            json_word(stdout, "chat_id", search.chat);
            json_open(stdout, "avito", '{');
            json_bool(stdout, "in_doubt", false);
            json_close(stdout, '}');
            json_close(stdout, '}');
        }
        session_remark(s, TEXT("No send into this chat is in doubt.",
                               "В этот чат нет отправок под вопросом."));
        return EXIT_DONE;
    }
    if (!search.any) { /* another program's: without a baseline any message of this text counts */
        snprintf(search.found.chat_id, sizeof search.found.chat_id, "%s", search.chat);
        snprintf(search.found.text, sizeof search.found.text, "%s", text);
    }
    return look_for(s, &search.found, search.any);
}

int run_confirm(const arguments *a)
{
    session *s = &the_session;
    const char *text = a->words_count > 1 ? text_argument(a, 1) : NULL;
    int status;

    if (!check_format(a) || (a->words_count > 1 && (text == NULL || is_blank(text)))) {
        return EXIT_USAGE;
    }
    show_begin(has_option(a, OPTION_QUIET));
    status = session_open(s, a, SESSION_STATE);
    status = status == EXIT_DONE ? session_user(s) : status;
    status = status == EXIT_DONE ? confirm(s, text) : status;
    session_close(s);
    return status == EXIT_DONE && s->unheard ? EXIT_CANNOT_TELL : status;
}
