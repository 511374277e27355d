/* config.h - the configuration: an INI file with a section for each account, [mqtt] and [gateway]. The
 * program never writes it. What `avito login` stores lies in the state folder and is read here too. */
#ifndef AVITO_TOOLS_CONFIG_H
#define AVITO_TOOLS_CONFIG_H

#include "language.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_NAME_MAX 32 /* characters of an account's name: letters, digits, - and _ */

enum section_kind { SECTION_ACCOUNT, SECTION_MQTT, SECTION_GATEWAY, SECTION_FLEET };

/* All that may stand in it; the manual page is made from this table. */
typedef struct config_key {
    enum section_kind section;
    const char *key;
    sentence what;
} config_key;

extern const config_key config_keys[];
extern const size_t config_keys_count;

typedef struct config_row {
    struct config_row *next;
    const char *section, *key, *value; /* in `text` */
    char text[];
} config_row;

typedef struct config {
    config_row *rows; /* in the order of the file */
    config_row **end;
    char path[4096];   /* of the file that was read, for messages */
    char folder[3072]; /* of the state: $XDG_STATE_HOME/avito */
} config;

/* Reads the file, or the default one where `path` is NULL and it exists. EXIT_DONE, or EXIT_USAGE or
 * EXIT_LOCAL after saying on standard error what is wrong, in which line, and what to do. */
int config_load(config *c, const char *path);
void config_free(config *c);

/* The value of a key, or NULL. */
const char *config_value(const config *c, const char *section, const char *key);

/* For what `avito gateway` reads: says what is wrong with a section. EXIT_USAGE. */
int config_wrong(const char *section, const char *text);

/* A whole number from 1 to `high`, or yes or no; *out stays where the key is missing. False after saying that
 * it is something else. */
bool config_number(const config *c, const char *section, const char *key, long high, long *out);
bool config_flag(const config *c, const char *section, const char *key, bool *out);

/* A secret that stands in a file of its own, in its first line: it becomes the value of `key`. NULL after
 * saying why. */
const char *config_secret(config *c, const char *section, const char *key, const char *path);

/* The n-th section that is an account, or NULL after the last. */
const char *config_account(const config *c, size_t n);

bool is_account_name(const char *name);

/* Credentials and service of one account. Strings live as long as the configuration and the
 * environment. */
typedef struct account {
    char name[CONFIG_NAME_MAX + 1];
    const char *client_id, *client_secret, *host, *ca_file;
    unsigned short port;
    bool is_by_consent; /* another person's, let in through a browser */
    char folder[4096];  /* of this account's state */
} account;

/* The account that --account, AVITO_ACCOUNT, AVITO_CLIENT_ID or the only section names. EXIT_DONE, or a
 * status after saying what is missing. */
int config_choose(config *c, const char *name, account *out);

/* Name, service and folder of an account, whether it has credentials yet or not. */
int config_service(config *c, const char *name, account *out);

/* Makes an account's folder and those above it, mode 0700. False: `problem` says which could not be made,
 * and why. */
#define CONFIG_PROBLEM_SIZE 4224
bool config_make_folder(const char *folder, char problem[CONFIG_PROBLEM_SIZE]);

#endif
