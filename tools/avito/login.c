/* login.c - avito login: asks for the client id and secret, tries them, keeps them 0600. With
 * --browser it also asks for the code that another person's browser shows. */
#include "disk.h"
#include "jsonl.h"
#include "run.h"
#include "russian.h"
#include "session.h"
#include "show.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define KEY_SIZE 180 /* of a client id or secret: a line of the configuration has 198 bytes */

static struct termios before_question;

/* Ends the program as the signal does, but with a terminal that shows what is typed next. */
static void end_question(int number)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &before_question);
    signal(number, SIG_DFL);
    raise(number);
}

/* Of a terminal the rest of a line that did not fit is taken: it must not be the next thing that is typed. */
static bool is_whole_line(const char *answer, bool terminal)
{
    const bool whole = strchr(answer, '\n') != NULL || feof(stdin);
    int c = '\0';

    while (!whole && terminal && c != '\n' && c != EOF) {
        c = getchar();
    }
    return whole;
}

/* One line of standard input; without echo on a terminal where it is a secret. The echo is turned
 * off before the question, so an early answer is neither shown nor lost. */
static bool ask(const char *question, char *answer, size_t size, bool secret)
{
    const bool terminal = isatty(STDIN_FILENO) != 0;
    const bool hidden = terminal && secret && tcgetattr(STDIN_FILENO, &before_question) == 0;
    struct termios silent = before_question;
    bool ok;

    if (hidden) {
        on_endings(end_question);
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    if (terminal) {
        fputs(question, stderr);
        fflush(stderr);
    }
    ok = fgets(answer, (int)size, stdin) != NULL && is_whole_line(answer, terminal);
    if (hidden) {
        tcsetattr(STDIN_FILENO, TCSANOW, &before_question);
        on_endings(SIG_DFL);
        fputc('\n', stderr);
    }
    if (ok) {
        answer[strcspn(answer, "\r\n")] = '\0';
    }
    return ok && answer[0] != '\0' && answer[0] != ';'; /* which would be read back as a comment */
}

/* Writes the file whole or not at all: it is on the disk before it gets its name. */
static int write_credentials(const account *of)
{
    char path[sizeof of->folder + 32], fresh[sizeof path + 8];
    FILE *file = NULL;
    bool ok;
    int fd;

    snprintf(path, sizeof path, "%s/credentials", of->folder);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    fd = open(fresh, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && !disk_take(fd, fresh)) {
        close(fd);
        return EXIT_LOCAL;
    }
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    ok = file != NULL && ftruncate(fd, 0) == 0 &&
         fprintf(file, "[%s]\nclient_id = %s\nclient_secret = %s\n%s", of->name, of->client_id,
                 of->client_secret, of->is_by_consent ? "consent = yes\n" : "") > 0 &&
         fflush(file) == 0 && fsync(fd) == 0;
    if (file != NULL) {
        ok = fclose(file) == 0 && ok;
    }
    if (!ok || rename(fresh, path) != 0) {
        system_error(path);
        unlink(fresh);
        return EXIT_LOCAL;
    }
    fd = open(of->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    complain(TEXT("Stored in %s\n", "Сохранено в %s\n"), path);
    return EXIT_DONE;
}

/* ---- the consent of another person ---- */

#define SCOPE "user:read,messenger:read,messenger:write"

#define STATE_SIZE 33 /* it comes back with the code: one that was not asked for here has another */

/* Copies a value of an address's query, in which it is percent-encoded. False: it is empty, too long or
 * no text. */
static bool decode(const char *at, char *out, size_t size)
{
    size_t len = 0;

    for (; strchr("&#", *at) == NULL; at++) {
        char c = *at;

        if (c == '%') {
            const char digits[3] = {at[1], isxdigit((unsigned char)at[1]) ? at[2] : '\0', '\0'};

            if (!isxdigit((unsigned char)digits[1])) {
                return false;
            }
            c = (char)strtol(digits, NULL, 16);
            at += 2;
        }
        if (c == '\0' || len + 1 >= size) {
            return false;
        }
        out[len++] = c;
    }
    out[len] = '\0';
    return len > 0;
}

/* The value of a parameter of the address's query. False if it is missing, empty or too long. */
static bool take_parameter(const char *address, const char *name, char *out, size_t size)
{
    const size_t len = strlen(name);
    const char *at = strchr(address, '?');

    while (at != NULL && (strncmp(at + 1, name, len) != 0 || at[1 + len] != '=')) {
        at = strchr(at + 1, '&');
    }
    return at != NULL && decode(at + len + 2, out, size);
}

/* A person pastes the code, or the whole address that the browser ended at. */
static bool take_code(const char *answer, const char *state, char *code, size_t size)
{
    char came_back[STATE_SIZE];

    if (strchr(answer, '?') != NULL) {
        return take_parameter(answer, "state", came_back, sizeof came_back) &&
               strcmp(came_back, state) == 0 && take_parameter(answer, "code", code, size);
    }
    return strlen(answer) < size && strcpy(code, answer) != NULL;
}

/* Prints the address for a person, or as an object of its own. */
static void put_url(const session *s, const char *url)
{
    if (has_option(s->arguments, OPTION_JSON)) {
        json_open(stdout, NULL, '{');
        json_open(stdout, "avito", '{');
        json_word(stdout, "url", url);
        json_close(stdout, '}');
        json_close(stdout, '}');
        return;
    }
    puts(url);
    fflush(stdout);
}

/* Shows the address at which another person allows the application, and trades the code that comes back. */
static int ask_consent(session *s)
{
    static char url[1024], answer[2048], code[512];
    avito_consent consent = {SCOPE, NULL, NULL, true};
    char state[STATE_SIZE];
    int result = random_hex(state, STATE_SIZE / 2);

    consent.state = state;
    if (result == AVITO_OK) {
        result = avito_consent_url(&s->avito.account, &consent, url, sizeof url, NULL);
    }
    if (result != AVITO_OK) {
        return session_status(s, result);
    }
    session_remark(s, TEXT("Open this address in a browser and allow it. Then enter the code, or "
                           "the address that the browser ends at:",
                           "Откройте этот адрес в браузере и разрешите доступ. Затем введите код "
                           "или адрес, на котором браузер остановился:"));
    put_url(s, url);
    if (!ask("code: ", answer, sizeof answer, false) ||
        !take_code(answer, state, code, sizeof code)) {
        complain(TEXT("there is no code in it, or not the one for this address\n",
                      "в нём нет кода, или код не для этого адреса\n"));
        return EXIT_USAGE;
    }
    return session_status(s, avito_consent_exchange(&s->avito.client, &consent, code, NULL));
}

/* ---- what is kept ---- */

/* Stores only what the service accepts: first the token that has come, then the credentials. */
static int try_and_store(session *s)
{
    int status = session_connect(s, SESSION_LOGIN);

    if (status != EXIT_DONE) {
        return status;
    }
    status = s->account.is_by_consent ? ask_consent(s)
                                      : session_status(s, avito_get_token(&s->avito.client, NULL));
    status = status == EXIT_DONE ? session_user(s) : status;
    status = status == EXIT_DONE ? write_credentials(&s->account) : status;
    if (status == EXIT_DONE && has_option(s->arguments, OPTION_JSON)) {
        json_open(stdout, NULL, '{');
        json_number(stdout, "id", s->user_id);
        json_open(stdout, "avito", '{');
        json_word(stdout, "account", s->account.name);
        json_close(stdout, '}');
        json_close(stdout, '}');
    }
    return status;
}

int run_login(const arguments *a)
{
    static char id[KEY_SIZE], secret[KEY_SIZE];
    session *s = &the_session;
    const char *given = a->words_count > 0 ? a->words[0] : NULL,
               *option = a->values[OPTION_ACCOUNT];
    const char *name = given != NULL ? given : option;
    int status;

    if (given != NULL && option != NULL && strcmp(given, option) != 0) {
        complain(TEXT("two names: %s and --account %s\n", "два имени: %s и --account %s\n"), given,
                 option);
        return EXIT_USAGE;
    }
    name = name != NULL ? name : getenv("AVITO_ACCOUNT");
    name = name != NULL && (given != NULL || name[0] != '\0') ? name : "default";
    if (!is_account_name(name)) {
        complain(
            TEXT("a name has 1 to 32 letters, digits, - or _, and is not mqtt, gateway or fleet\n",
                 "имя: от 1 до 32 латинских букв, цифр, - и _, но не mqtt, gateway и не fleet\n"));
        return EXIT_USAGE;
    }
    show_begin(has_option(a, OPTION_QUIET));
    if (!ask("client id: ", id, sizeof id, false) ||
        !ask("client secret: ", secret, sizeof secret, true)) {
        complain(TEXT("nothing was entered, or it is too long or begins with ;\n",
                      "ничего не введено, или оно слишком длинно или начинается с ;\n"));
        return EXIT_USAGE;
    }
    status = session_prepare(s, a, name);
    s->account.client_id = id;
    s->account.client_secret = secret;
    s->account.is_by_consent = has_option(a, OPTION_BROWSER);
    status = status == EXIT_DONE ? try_and_store(s) : status;
    memset(secret, 0, sizeof secret);
    session_close(s);
    return status;
}
