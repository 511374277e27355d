/* config.h - the configuration: an INI file with a section for each account, [mqtt] and [gateway].
 * The program never writes it. What `avito login` stores is in the state folder, and is read here
 * too. */
#ifndef AVITO_TOOLS_CONFIG_H
#define AVITO_TOOLS_CONFIG_H

#include "language.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_NAME_MAX 32 /* characters of an account's name: letters, digits, - and _ */

enum section_kind { SECTION_ACCOUNT, SECTION_MQTT, SECTION_GATEWAY, SECTION_FLEET };

/* All keys that it may have; the manual page is made from this table. */
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
    char path[4096];   /* path of the file that was read, for messages */
    char folder[3072]; /* of the state: $XDG_STATE_HOME/avito; "": there is none */
} config;

/* Reads the file, or the default one where `path` is NULL and it exists. EXIT_DONE, or EXIT_USAGE or
 * EXIT_LOCAL after saying on standard error what is wrong, in which line, and what to do. */
int config_load(config *c, const char *path);
void config_free(config *c);

/* EXIT_DONE, or EXIT_LOCAL: out of memory. Choosing an account adds to a configuration what `avito login`
 * stored, so copy it first if you need it again as it was read. */
int config_copy(config *to, const config *from);

/* Frees what `to` holds and moves `from` there. */
void config_take(config *to, config *from);

/* The value of a key, or NULL. */
const char *config_value(const config *c, const char *section, const char *key);

/* A hash of a row; for a file that it names also which file that is, and when it was last written. */
uint64_t config_hash(uint64_t so_far, const config_row *row);

/* For keys that `avito gateway` reads: says what is wrong with a section. Returns EXIT_USAGE. */
int config_wrong(const char *section, sentence what);

/* Reads a whole number from 1 to `high`, or yes or no; *out stays if the key is missing. False after
 * saying that the value is something else. */
bool config_number(const config *c, const char *section, const char *key, long high, long *out);
bool config_flag(const config *c, const char *section, const char *key, bool *out);

/* Other users cannot read it. If they can, says so. */
bool config_is_private(FILE *file, const char *path);

/* Reads a secret from the first line of a file of its own; it becomes the value of `key`. NULL
 * after saying why. */
const char *config_secret(config *c, const char *section, const char *key, const char *path);

/* The first row of the next section that is an account; `after` NULL: of the first one. NULL after the last. */
const config_row *config_next_account(const config *c, const config_row *after);

bool is_account_name(const char *name);

/* Credentials and service of one account. Strings live as long as the configuration and the
 * environment. */
typedef struct account {
    char name[CONFIG_NAME_MAX + 1];
    const char *client_id, *client_secret, *host, *ca_file;
    unsigned short port;
    bool is_by_consent; /* another person's, who gave consent in a browser */
    char folder[4096];  /* folder of this account's state; "": there is none */
} account;

/* Calls visit() for each account of which `avito login` has stored the credentials, until one returns
 * something other than EXIT_DONE, which is the result then. */
int config_each_stored(const config *c, int (*visit)(void *ctx, const char *name), void *ctx);

/* The account named by --account, AVITO_ACCOUNT or AVITO_CLIENT_ID, or by the only section, or, where there
 * is no section, the only one of `avito login`. EXIT_DONE, or a status after saying what is missing. */
int config_choose(config *c, const char *name, account *out);

/* Name, service and folder of an account, whether it has credentials yet or not. */
int config_service(config *c, const char *name, account *out);

/* Makes an account's folder and those above it, mode 0700. False: `problem` says which could not be made,
 * and why; or, of "", what to set. */
#define CONFIG_PROBLEM_SIZE 4224
bool config_make_folder(const char *folder, char problem[CONFIG_PROBLEM_SIZE]);

#endif
