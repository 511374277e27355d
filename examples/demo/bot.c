#include "bot.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/avito_demo_XXXXXX";
static pid_t pid = -1;
static int from_bot = -1;

bool bot_prepare(void)
{
    return mkdtemp(folder) != NULL;
}

bool bot_start(const char *answer)
{
    int ends[2];

    if (pipe(ends) != 0) {
        return false;
    }
    pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* never outlives the demo */
        (void)setenv("AVITO_BOT_POLL_MS", "300", 1);
        (void)setenv("AVITO_BOT_GRACE_S", "2", 1);
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execl("build/demo/bot", "bot", folder, answer, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    from_bot = ends[0];
    return pid > 0;
}

bool bot_line(char *line, size_t cap, int ms)
{
    struct pollfd ready = {from_bot, POLLIN, 0};
    size_t len = 0;

    while (len + 1 < cap && poll(&ready, 1, ms) > 0 && read(from_bot, line + len, 1) == 1) {
        if (line[len] == '\n') {
            line[len] = '\0';
            return true;
        }
        len++;
    }
    return false;
}

void bot_kill(void)
{
    if (pid > 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        (void)close(from_bot);
    }
    pid = -1;
}

void bot_forget(void)
{
    static const char *const names[] = {"inbox.0", "inbox.1", "answers", "new"};
    char path[64];
    size_t i;

    for (i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}
