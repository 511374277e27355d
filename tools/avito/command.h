/* command.h - the commands and options of the program: one table each. The help, the manual page, the
 * completions and the reader of the command line are made from them. */
#ifndef AVITO_TOOLS_COMMAND_H
#define AVITO_TOOLS_COMMAND_H

#include "language.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses, on which scripts can rely. */
enum exit_status {
    EXIT_DONE = 0,
    EXIT_LOCAL = 1,       /* disk, lock, clock, a command of --exec */
    EXIT_USAGE = 2,       /* command line or configuration; nothing was sent */
    EXIT_NETWORK = 3,     /* no connection, no TLS, no answer */
    EXIT_CREDENTIALS = 4, /* client id, secret or token are refused */
    EXIT_REFUSED = 5,     /* the service refused */
    EXIT_CANNOT_TELL = 6, /* a send that may have arrived, or parts of one */
    EXIT_NOTHING = 7,     /* nothing came in time */
    EXIT_ANSWER = 8       /* the service's answer makes no sense */
};

enum option_id {
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_ACCOUNT,
    OPTION_CONFIG,
    OPTION_JSON,
    OPTION_FORMAT,
    OPTION_QUIET,
    OPTION_DRY_RUN,
    OPTION_UNREAD,
    OPTION_ITEM,
    OPTION_TYPE,
    OPTION_LIMIT,
    OPTION_ALL,
    OPTION_SPLIT,
    OPTION_IMAGE,
    OPTION_REASON,
    OPTION_SAVE,
    OPTION_EXEC,
    OPTION_COUNT,
    OPTION_TIMEOUT,
    OPTION_SINCE,
    OPTION_MARK_READ,
    OPTION_GIVE_UP,
    OPTION_LISTEN,
    OPTION_PATH_FILE,
    OPTION_BROWSER,
    OPTIONS
};

#define OPTION_BIT(id) ((uint32_t)1 << (id))

typedef struct option_row {
    const char *name;  /* without the two dashes */
    char letter;       /* '\0': none */
    const char *value; /* what its value is called, NULL: it has none */
    const char *words; /* the values that it takes, separated by blanks; NULL: any */
    sentence what;
} option_row;

extern const option_row options[OPTIONS];

#define VALUES_PER_OPTION 32 /* of --item, the only option that may be given more than once */

struct command;

typedef struct arguments {
    const struct command *command;
    const char *values[OPTIONS]; /* "" for an option without a value; NULL: not given */
    const char *items[VALUES_PER_OPTION];
    size_t items_count;
    const char **words; /* the words after the command that are not options */
    size_t words_count;
} arguments;

typedef struct command {
    const char *name;
    const char *usage; /* its words, as the help shows them */
    uint16_t words_min, words_max;
    uint32_t options; /* OPTION_BIT()s, beside those that every command has */
    sentence what;    /* one line */
    sentence details; /* what the manual page adds */
    int (*run)(const arguments *a);
    const char *fields; /* names for --format, separated by blanks; NULL: it prints no such lines */
    /* Its first word names one of these, up to one without a name: then words, options and fields are that one's. */
    const struct command *parts;
} command;

extern const command commands[];
extern const size_t commands_count;

/* Options that nearly all commands have; whether this one (NULL: any) has it. */
extern const uint32_t common_options;
bool takes_common(const command *c, int id);

/* Those of a command and of all its parts. */
bool offers_option(const command *c, int id);

/* The command of this name, or NULL. */
const command *find_command(const char *name);

/* The name that was probably meant, or NULL if none is near. */
const char *near_command(const char *name);

/* Reads what follows the command's name; out->command is to be run. EXIT_DONE, or EXIT_USAGE after saying why on
 * standard error. `argv` is reordered: its words come first. */
int read_arguments(const command *c, int argc, char **argv, arguments *out);

/* A value as a number between `low` and `high`. Otherwise says so, with the option's name, and is
 * false. Not given: `*out` stays. */
bool number_of(const arguments *a, enum option_id id, long low, long high, long *out);

#endif
