/* login.c - avito login: asks for the client id and secret, tries them, keeps them 0600. */
#include "run.h"
#include "session.h"
#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* One line of standard input; without echo on a terminal where it is a secret. */
static bool ask(const char *question, char *answer, size_t size, bool secret)
{
    const bool terminal = isatty(STDIN_FILENO) != 0;
    struct termios old, silent;
    bool ok;

    if (terminal) {
        fputs(question, stderr);
        fflush(stderr);
    }
    if (terminal && secret && tcgetattr(STDIN_FILENO, &old) == 0) {
        silent = old;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    ok = fgets(answer, (int)size, stdin) != NULL;
    if (terminal && secret) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    if (ok) {
        answer[strcspn(answer, "\r\n")] = '\0';
    }
    return ok && answer[0] != '\0';
}

/* Whole or not at all, on the disk before it takes its name. */
static int write_credentials(const account *of, const char *id, const char *secret)
{
    char path[sizeof of->folder + 32], fresh[sizeof path + 8];
    FILE *file = NULL;
    bool ok;
    int fd;

    snprintf(path, sizeof path, "%s/credentials", of->folder);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    file = fd >= 0 ? fdopen(fd, "w") : NULL;
    ok = file != NULL &&
         fprintf(file, "[%s]\nclient_id = %s\nclient_secret = %s\n", of->name, id, secret) > 0 &&
         fflush(file) == 0 && fsync(fd) == 0;
    if (file != NULL) {
        ok = fclose(file) == 0 && ok;
    }
    if (!ok || rename(fresh, path) != 0) {
        perror(path);
        unlink(fresh);
        return EXIT_LOCAL;
    }
    fd = open(of->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    fprintf(stderr, say(TEXT("Stored in %s\n", "Сохранено в %s\n")), path);
    return EXIT_DONE;
}

/* Only credentials that the service takes are stored. */
static int try_and_store(session *s, const char *id, const char *secret)
{
    int status;

    s->account.client_id = id;
    s->account.client_secret = secret;
    status = session_connect(s);
    status = status == EXIT_DONE ? session_user(s) : status;
    return status == EXIT_DONE ? write_credentials(&s->account, id, secret) : status;
}

int run_login(const arguments *a)
{
    static char id[256], secret[256];
    session *s = &the_session;
    const char *name = a->words_count > 0 ? a->words[0] : a->values[OPTION_ACCOUNT];
    int status;

    name = name != NULL ? name : "default";
    if (!is_account_name(name)) {
        fputs(say(TEXT(
                  "a name has 1 to 32 letters, digits, - or _, and is not mqtt, gateway or fleet\n",
                  "имя: от 1 до 32 латинских букв, цифр, - и _, но не mqtt, gateway и не fleet\n")),
              stderr);
        return EXIT_USAGE;
    }
    show_begin(has_option(a, OPTION_QUIET));
    if (!ask("client id: ", id, sizeof id, false) ||
        !ask("client secret: ", secret, sizeof secret, true)) {
        fputs(say(TEXT("nothing was entered\n", "ничего не введено\n")), stderr);
        return EXIT_USAGE;
    }
    status = session_prepare(s, a, name);
    status = status == EXIT_DONE ? try_and_store(s, id, secret) : status;
    memset(secret, 0, sizeof secret);
    session_close(s);
    return status;
}
