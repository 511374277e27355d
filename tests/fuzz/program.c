/*
 * Any configuration and any command line of the program avito (tools/avito).
 *
 *     input: kind, permissions of the file; a configuration, or words with a NUL after each
 *
 * What must hold: each is read, or refused with status 2, never half; every accepted value is in
 * the text as it stands; the name of a chosen account can be a file's; a command gets only its own
 * words and options, with values of the kind in its table.
 * Rooms: none.
 */
#include "fuzz.h"

/* Messages for people are thrown away. */
static FILE *nowhere;
#undef stderr
#define stderr nowhere
#undef stdout
#define stdout nowhere
#include "tools/avito/command.c"
#include "tools/avito/config.c"
#undef stderr
#define stderr (stderr)

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RUN(name)                                                                                  \
    int run_##name(const arguments *a)                                                             \
    {                                                                                              \
        (void)a;                                                                                   \
        return EXIT_DONE;                                                                          \
    }
RUN(login)
RUN(whoami)
RUN(chats)
RUN(chat)
RUN(messages)
RUN(send)
RUN(read)
RUN(delete)
RUN(block)
RUN(voice)
RUN(watch)
RUN(export)
RUN(confirm)
RUN(webhook_list)
RUN(webhook_add)
RUN(webhook_remove)
RUN(webhook_serve)
RUN(gateway)
RUN(help)
RUN(completion)

/* ---- the configuration ---- */

static bool is_private(const uint8_t *data)
{
    return data[1] % 2 == 0;
}

/* Checks a configuration that was accepted. */
static void look_at(config *c, const char *text, bool private)
{
    account one;
    size_t rows = 0, accounts = 0;

    for (const config_row *row = c->rows; row != NULL; row = row->next) {
        MUST(is_known(row->section, row->key));
        MUST(row->value[0] == '\0' || strstr(text, row->value) != NULL);
        MUST(config_value(c, row->section, row->key) == row->value);
        MUST(private ||
             (strcmp(row->key, "client_secret") != 0 && strcmp(row->key, "password") != 0));
        rows++;
    }
    for (const config_row *row = NULL; (row = config_next_account(c, row)) != NULL;) {
        const char *name = row->section;
        int status;
        MUST(is_account_name(name) && strchr(name, '/') == NULL && strcmp(name, "..") != 0);
        MUST(accounts++ < rows);
        if (config_value(c, name, "client_secret_file") ==
            NULL) { /* not any file of this machine */
            status = config_choose(c, name, &one);
            MUST(status == EXIT_DONE || status == EXIT_LOCAL || status == EXIT_USAGE);
            MUST(status != EXIT_DONE ||
                 (one.client_id != NULL && strcmp(one.name, name) == 0 && one.folder[0] != 0));
        }
    }
}

static void configuration(const uint8_t *data, size_t size)
{
    static int file = -1;
    static config c;
    char path[40], *text = fuzz_memory(size - 1);
    int status;

    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    if (file < 0) {
        file = memfd_create("configuration", MFD_CLOEXEC);
    }
    MUST(file >= 0 && ftruncate(file, 0) == 0 &&
         pwrite(file, text, size - 2, 0) == (ssize_t)(size - 2));
    MUST(fchmod(file, is_private(data) ? 0600 : 0644) == 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    status = config_load(&c, path);
    MUST(status == EXIT_DONE || status == EXIT_USAGE);
    if (status == EXIT_DONE && strlen(text) == size - 2) {
        look_at(&c, text, is_private(data));
    }
    config_free(&c);
    free(text);
}

/* ---- the command line ---- */

static bool is_among(const char *word, char *const *all, int count)
{
    for (int i = 0; i < count; i++) {
        if (word >= all[i] && word <= all[i] + strlen(all[i])) {
            return true;
        }
    }
    return false;
}

static void check_arguments(const command *c, const arguments *a, char *const *all, int count)
{
    MUST(a->values[OPTION_HELP] != NULL || a->words_count >= c->words_min);
    MUST(a->values[OPTION_HELP] != NULL || a->words_count <= c->words_max);
    MUST(a->items_count <= VALUES_PER_OPTION);
    for (size_t i = 0; i < a->words_count; i++) {
        MUST(is_among(a->words[i], all, count));
    }
    for (int id = 0; id < OPTIONS; id++) {
        const char *value = a->values[id];
        long number = 7;
        MUST(value == NULL || option_applies(c, id));
        MUST(value == NULL || options[id].value == NULL || is_among(value, all, count));
        MUST(value == NULL || options[id].words == NULL || is_one_of(options[id].words, value));
        MUST(!number_of(a, (enum option_id)id, 1, 100, &number) || (number >= 1 && number <= 100));
    }
}

static void command_line(const uint8_t *data, size_t size)
{
    const command *c = &commands[data[1] % commands_count];
    char *text = fuzz_memory(size - 1), *words[64], *all[64];
    arguments a;
    int count = 0, status;

    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    for (char *at = text; at <= text + (size - 2) && count < 64; at += strlen(at) + 1) {
        all[count] = words[count] = at;
        count++;
    }
    MUST(find_command(c->name) == c && near_command(c->name) != NULL);
    (void)near_command(all[0]);
    status = read_arguments(c, count, words, &a);
    MUST(status == EXIT_DONE || status == EXIT_USAGE);
    if (status == EXIT_DONE) {
        check_arguments(a.command, &a, all, count);
        MUST(a.values[OPTION_HELP] != NULL || a.command->run != NULL);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (nowhere == NULL) {
        nowhere = fopen("/dev/null", "w");
        MUST(nowhere != NULL && setenv("XDG_STATE_HOME", "/proc/self/nowhere", 1) == 0);
        MUST(unsetenv("AVITO_PORT") == 0);
    }
    if (size >= 2) {
        (data[0] % 2 == 0 ? configuration : command_line)(data, size);
    }
    return 0;
}
