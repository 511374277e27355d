/* session.c - see session.h. */
#include "session.h"
#include "format.h"
#include "jsonl.h"
#include "russian.h"
#include "show.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

session the_session;

bool has_option(const arguments *a, enum option_id id)
{
    return a->values[id] != NULL;
}

#define CALL_MAX_MS  600000u /* a picture of 24 MB on a slow line */
#define CALL_MIN_MS  10000u  /* a slow machine needs seconds to connect */
#define PAUSE_TOLD_S 5u      /* shorter ones are not worth a line */

uint32_t session_call_ms(uint32_t left_ms)
{
    return left_ms > CALL_MAX_MS ? CALL_MAX_MS : left_ms > CALL_MIN_MS ? left_ms : CALL_MIN_MS;
}

/* How long the service has asked to wait, if it has, and what comes of it. */
static void say_pause(const session *s, sentence then)
{
    const unsigned seconds = avito_last_error(&s->avito.client)->retry_after_s;

    if (seconds >= PAUSE_TOLD_S && !has_option(s->arguments, OPTION_QUIET)) {
        show_progress_end();
        complain(TEXT("avito: the service asks to wait %u s%s\n",
                      "avito: сервис просит подождать %u с%s\n"),
                 seconds, say(then));
    }
}

/* A line of the trace: a call is to begin again, after a pause. */
static void on_trace(void *ctx, const char *line)
{
    if (strncmp(line, "again ", 6) == 0) {
        say_pause(ctx, TEXT(": waiting", ": жду"));
    }
}

static char would_send[8192]; /* of the call that --dry-run held back */

static avito_posix_options options_of(session *s, enum session_use use)
{
    avito_posix_options o = avito_posix_options_default();
    long timeout_s = CALL_MAX_MS / 1000;

    (void)number_of(s->arguments, OPTION_TIMEOUT, 1, WATCH_MAX_S, &timeout_s);
    o.account.client_id = s->account.client_id;
    o.account.client_secret = s->account.client_secret;
    o.account.host = s->account.host;
    o.account.port = s->account.port;
    o.account.ctx = s;
    o.account.trace = on_trace;
    o.ca_file = s->account.ca_file;
    o.folder = s->account.folder;
    o.by_consent = s->account.is_by_consent;
    o.fresh_token = use == SESSION_LOGIN;
    o.folder_may_fail = s->may_fail;
    o.program = "avito";
    o.client.retries = 2;
    o.client.total_timeout_ms = session_call_ms((uint32_t)timeout_s * 1000u);
    o.client.dry_run = has_option(s->arguments, OPTION_DRY_RUN);
    if (o.client.dry_run) {
        o.client.error_body = would_send;
        o.client.error_body_cap = sizeof would_send;
    }
    return o;
}

/* Reports a folder that cannot be written, once, except with --quiet. */
static void say_not_kept(session *s, const char *problem)
{
    if (problem[0] != '\0' && !has_option(s->arguments, OPTION_QUIET)) {
        show_progress_end();
        complain(TEXT("avito: %s. The token is not kept: the next run asks for another.\n",
                      "avito: %s. Токен не сохранён: следующий запуск запросит новый.\n"),
                 problem);
    }
    s->may_fail = s->may_fail && problem[0] == '\0';
}

int session_connect(session *s, enum session_use use)
{
    char problem[CONFIG_PROBLEM_SIZE];
    const bool made = config_make_folder(s->account.folder, problem);
    avito_posix_options o;
    int status;

    s->may_fail = use == SESSION_TOKEN && !s->account.is_by_consent;
    if (!made && !s->may_fail) {
        fprintf(stderr, "avito: %s\n", problem);
        return EXIT_LOCAL;
    }
    o = options_of(s, use);
    o.folder = made ? o.folder : NULL;
    s->is_open = true;
    status = session_status(s, avito_posix_open(&s->avito, &o));
    if (status == EXIT_DONE && s->may_fail) {
        say_not_kept(s, made ? problem_text(avito_store_problem(&s->avito.store)) : problem);
    }
    return status;
}

int session_prepare(session *s, const arguments *a, const char *name)
{
    int status;

    memset(s, 0, sizeof *s);
    s->arguments = a;
    status = config_load(&s->config, a->values[OPTION_CONFIG]);
    return status == EXIT_DONE ? config_service(&s->config, name, &s->account) : status;
}

int session_open(session *s, const arguments *a, enum session_use use)
{
    int status;

    memset(s, 0, sizeof *s);
    s->arguments = a;
    status = config_load(&s->config, a->values[OPTION_CONFIG]);
    status = status == EXIT_DONE ? config_choose(&s->config, a->values[OPTION_ACCOUNT], &s->account)
                                 : status;
    return status == EXIT_DONE ? session_connect(s, use) : status;
}

void session_close(session *s)
{
    if (s->is_open) {
        if (s->may_fail) {
            say_not_kept(s, problem_text(avito_store_problem(&s->avito.store)));
        }
        avito_posix_close(&s->avito);
    }
    free(s->memory);
    config_free(&s->config);
}

int session_run(const arguments *a, bool of_user, int (*act)(session *s))
{
    session *s = &the_session;
    int status;

    if (!check_format(a)) {
        return EXIT_USAGE;
    }
    show_begin(has_option(a, OPTION_QUIET));
    status = session_open(s, a, SESSION_TOKEN);
    status = status == EXIT_DONE && of_user ? session_user(s) : status;
    status = status == EXIT_DONE ? act(s) : status;
    session_close(s);
    return status;
}

/* The hundreds of a result give its cause; some results have a status of their own. */
enum exit_status status_of(int result, avito_outcome outcome)
{
    switch (result) {
        case AVITO_OK:
        case AVITO_END:
            return EXIT_DONE;
        case AVITO_ERR_FILE:
        case AVITO_ERR_BUSY:
        case AVITO_ERR_HOOK:
        case AVITO_ERR_OPTION_TIME:
        case AVITO_ERR_ROOM:
            return EXIT_LOCAL;
        case AVITO_ERR_UNAUTHORIZED:
        case AVITO_ERR_CREDENTIALS:
        case AVITO_ERR_REFRESH_TOKEN:
            return EXIT_CREDENTIALS;
        default:
            break;
    }
    if (outcome == AVITO_CANNOT_TELL) {
        return EXIT_CANNOT_TELL;
    }
    return result > -200   ? EXIT_USAGE
           : result > -300 ? EXIT_LOCAL
           : result > -400 ? EXIT_NETWORK
           : result > -500 ? EXIT_ANSWER
                           : EXIT_REFUSED;
}

/* The date, where a wrong clock may be the cause: a person sees at once if it is wrong. */
static void print_clock(void)
{
    char text[SHOW_TIME_SIZE];

    time_text(text, (int64_t)time(NULL), true);
    complain(TEXT("The clock of this machine says %s: set it, if that is not so.\n",
                  "Часы этой машины показывают %s: если это не так, установите их.\n"),
             text);
}

/* The file in question, the process that holds it, what has no room, or the server's words about this
 * result. */
static const char *detail_of(session *s, int result)
{
    const avito_error *e;

    if (!s->is_open) {
        return "";
    }
    if (result == AVITO_ERR_FILE || result == AVITO_ERR_HOOK || result == AVITO_ERR_BUSY ||
        result == AVITO_ERR_ROOM) {
        return problem_text(avito_store_problem(&s->avito.store));
    }
    e = avito_last_error(&s->avito.client);
    return result <= -400 && e->code == result ? e->text : "";
}

const char *session_error(session *s, int result, bool in_doubt)
{
    static char text[1400];
    const char *what = error_text(result), *detail = detail_of(s, result);
    const bool more = detail[0] != '\0';

    snprintf(text, sizeof text, "%.*s%s%s%s", (int)(in_doubt ? strcspn(what, ";") : strlen(what)),
             what, more ? " (" : "", detail, more ? ")" : "");
    return text;
}

static void say_error(session *s, int result, bool in_doubt)
{
    const char *text = session_error(s, result, in_doubt);
    const avito_str shown = {text, strlen(text)};

    show_progress_end();
    fputs("avito: ", stderr);
    show_text(stderr, shown, SIZE_MAX);
    fputc('\n', stderr);
}

const char *session_doubt(void)
{
    return say(
        TEXT("It is not known whether it was sent: do not send it again, but ask later: avito "
             "confirm CHAT TEXT\n",
             "Неизвестно, отправлено ли: не отправляйте снова, а спросите позже: avito confirm "
             "ЧАТ ТЕКСТ\n"));
}

void session_in_doubt(session *s, int result)
{
    if (result < 0) {
        say_error(s, result, true);
    }
    fputs(session_doubt(), stderr);
}

int session_status(session *s, int result)
{
    if (result >= 0) {
        return EXIT_DONE;
    }
    say_error(s, result, false);
    if (result == AVITO_ERR_RATE) {
        say_pause(s, TEXT("", ""));
    }
    if (result == AVITO_ERR_OPTION_TIME || result == AVITO_ERR_TLS_TIME) {
        print_clock();
    }
    if (result == AVITO_ERR_REFRESH_TOKEN) {
        complain(TEXT("To let this program in again: avito login --browser %s\n",
                      "Чтобы снова дать доступ этой программе: avito login --browser %s\n"),
                 s->account.name);
    }
    return status_of(result, AVITO_NOT_SENT);
}

/* {"avito":{"would_send":{"method":"POST","path":"/...","body":"..."}}}; `request` is cut at its blanks. */
static void json_would_send(char *request, bool with_body)
{
    char *body = strchr(request, '\n');
    char *path = strchr(request, ' ');

    if (body != NULL) {
        *body++ = '\0';
    }
    if (path != NULL) {
        *path++ = '\0';
    }
    json_open(stdout, NULL, '{');
    json_open(stdout, "avito", '{');
    json_open(stdout, "would_send", '{');
    json_word(stdout, "method", request);
    json_word(stdout, "path", path != NULL ? path : "");
    if (body != NULL && body[0] != '\0' && with_body) {
        json_word(stdout, "body", body);
    }
    json_close(stdout, '}');
    json_close(stdout, '}');
    json_close(stdout, '}');
}

int session_dry_run(session *s, int result, bool with_body)
{
    const avito_str request = {would_send, strlen(would_send)};

    if (result == AVITO_OK && has_option(s->arguments, OPTION_JSON)) {
        json_would_send(would_send, with_body);
    } else if (result == AVITO_OK && !with_body) {
        session_remark(
            s, TEXT("Dry run: nothing was changed.", "Пробный запуск: ничего не изменено."));
    } else if (result == AVITO_OK) {
        session_remark(s, TEXT("Dry run: nothing was sent. It would be:",
                               "Пробный запуск: ничего не отправлено. Было бы отправлено:"));
        show_paragraph(stdout, request, 0);
    }
    return session_status(s, result);
}

int session_report(session *s, int result, bool with_body, sentence done)
{
    const bool json = has_option(s->arguments, OPTION_JSON);

    if (has_option(s->arguments, OPTION_DRY_RUN)) {
        return session_dry_run(s, result, with_body);
    }
    if (result == AVITO_OK && json) {
        json_ok(stdout);
    }
    if (result == AVITO_OK && (!json || ferror(stdout))) {
        session_remark(s, done);
    }
    return session_status(s, result);
}

int session_user(session *s)
{
    avito_self self;
    int result;

    if (s->user_id != 0) {
        return EXIT_DONE;
    }
    result = avito_get_self(&s->avito.client, &s->avito.arena, &self);
    s->user_id = result == AVITO_OK ? self.id : 0;
    avito_arena_reset(&s->avito.arena);
    return session_status(s, result);
}

void session_remark(const session *s, sentence text)
{
    if (!has_option(s->arguments, OPTION_QUIET)) {
        show_progress_end();
        fprintf(stderr, "%s\n", say(text));
    }
}

void on_endings(void (*act)(int number))
{
    static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (signal(endings[i], act) == SIG_IGN) { /* as behind nohup */
            signal(endings[i], SIG_IGN);
        }
    }
}

int random_hex(char *out, size_t bytes)
{
    uint8_t random[32] = {0};
    const int rc = avito_posix_entropy(NULL, random, bytes);

    for (size_t i = 0; i < bytes; i++) {
        snprintf(out + 2 * i, 3, "%02x", random[i]);
    }
    return rc;
}

/* ---- the text of a command ---- */

static char text_read[256 * 1024];

static const char *read_standard_input(void)
{
    const size_t len = fread(text_read, 1, sizeof text_read - 1, stdin);

    if (ferror(stdin)) {
        system_error(say(TEXT("avito: standard input", "avito: стандартный ввод")));
        return NULL;
    }
    if (len == sizeof text_read - 1) {
        complain(TEXT("the text is longer than 256 KB\n", "текст длиннее 256 КБ\n"));
        return NULL;
    }
    if (memchr(text_read, '\0', len) != NULL) {
        complain(TEXT("the text holds a NUL byte\n", "в тексте есть нулевой байт\n"));
        return NULL;
    }
    text_read[len] = '\0';
    if (len > 0 && text_read[len - 1] == '\n') {
        text_read[len - 1] = '\0';
    }
    return text_read;
}

const char *text_argument(const arguments *a, size_t from)
{
    if (a->words_count <= from) {
        complain(TEXT("the text is missing; - reads it from standard input\n",
                      "нет текста; - читает его со стандартного ввода\n"));
        return NULL;
    }
    return strcmp(a->words[from], "-") == 0 ? read_standard_input() : a->words[from];
}
