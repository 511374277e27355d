/* main.c - runs the command. */
#include "run.h"
#include "russian.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int unknown_command(const char *name)
{
    const char *near = near_command(name);

    if (name[0] == '-') {
        complain(TEXT("%s: options stand behind the command; see: avito help\n",
                      "%s: ключи пишут после команды; см.: avito help\n"),
                 name);
        return EXIT_USAGE;
    }
    complain(TEXT("avito has no command %s", "у avito нет команды %s"), name);
    if (near != NULL) {
        complain(TEXT("; did you mean %s?", "; может быть, %s?"), near);
    }
    complain(near != NULL ? TEXT(" See: avito help\n", " См.: avito help\n")
                          : TEXT("; see: avito help\n", "; см.: avito help\n"));
    return EXIT_USAGE;
}

/* All output must have arrived: a full disk is an error, a closed pipe a reason to end quietly. */
static int close_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return status;
    }
    if (status != EXIT_DONE) { /* already reported */
        return status;
    }
    system_error(say(TEXT("avito: standard output", "avito: стандартный вывод")));
    return EXIT_LOCAL;
}

/* Where standard error is closed, the next file or connection would take its number, and what is said for people
 * would go there. Nothing can be written to these, so closed standard output stays an error. */
static void hold_standard_files(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    } while (fd >= 0 && fd <= 2);
    if (fd > 2) {
        close(fd);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *option, *command;
    } as_options[] = {{"--help", "help"}, {"-h", "help"}};
    const char *name = argc > 1 ? argv[1] : "help";
    const command *c;
    arguments a;
    int status;

    hold_standard_files();
    signal(SIGXFSZ, SIG_IGN);  /* a file that may not grow is an error, as a full disk is */
    prctl(PR_SET_DUMPABLE, 0); /* the secret is in memory: no core dumps, no debuggers */
    language_from_environment();
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        return argc == 2 ? close_output(run_version()) : unknown_command(argv[2]);
    }
    if (strcmp(name, "--manual") == 0) { /* for the build: avito.1 */
        return argc == 2 ? close_output(run_manual(NULL)) : unknown_command(argv[2]);
    }
    for (size_t i = 0; i < sizeof as_options / sizeof *as_options; i++) {
        name = strcmp(name, as_options[i].option) == 0 ? as_options[i].command : name;
    }
    c = find_command(name);
    if (c == NULL) {
        return unknown_command(name);
    }
    status = read_arguments(c, argc > 2 ? argc - 2 : 0, argv + 2, &a);
    if (status == EXIT_DONE && a.values[OPTION_HELP] != NULL) {
        print_command_help(c);
        return close_output(EXIT_DONE);
    }
    return status != EXIT_DONE ? status : close_output(a.command->run(&a));
}
