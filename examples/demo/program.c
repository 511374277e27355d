#include "program.h"
#include "say.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char folder[] = "/tmp/avito_demo_program_XXXXXX";

bool program_prepare(void)
{
    return mkdtemp(folder) != NULL && setenv("XDG_STATE_HOME", folder, 1) == 0 &&
           setenv("XDG_CONFIG_HOME", folder, 1) == 0;
}

void program_forget(void)
{
    char command[sizeof folder + 16];

    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) {
        fprintf(stderr, "demo: %s is left\n", folder);
    }
}

int program_run(const char *words, int *lines)
{
    char command[1024], line[1024];
    int status, count = 0;
    FILE *out;

    (void)snprintf(command, sizeof command, "build/avito %s 2>&1", words);
    say_line(NULL, "$ avito %s", words);
    out = popen(command, "r");
    if (out == NULL) {
        return -1;
    }
    while (fgets(line, sizeof line, out) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        say_line(NULL, "%s", line);
        count++;
    }
    status = pclose(out);
    if (lines != NULL) {
        *lines = count;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
