/* jsonl.h - what a program reads: one JSON object a line on standard output, with the names that the
 * service documents. What is ours is under "avito". */
#ifndef AVITO_TOOLS_JSONL_H
#define AVITO_TOOLS_JSONL_H

#include "avito_messenger.h"

#include <stdio.h>

/* Objects and arrays nest; commas are added. `key` is NULL within an array. */
void json_open(FILE *out, const char *key, char bracket); /* '{' or '[' */
void json_close(FILE *out, char bracket); /* '}' or ']'; a line break after the last */
void json_text(FILE *out, const char *key, avito_str value); /* left out where ptr is NULL */
void json_word(FILE *out, const char *key, const char *value);
void json_number(FILE *out, const char *key, int64_t value);
void json_bool(FILE *out, const char *key, bool value);
void json_raw(FILE *out, const char *key, const char *json); /* that is JSON already */

/* A value that is JSON already, in a line of its own and with what a terminal would obey escaped. */
void json_as_it_came(FILE *out, avito_str json);

/* With the names and forms of the service, and ours under "avito". `chat` of a message may be NULL.
 * False: out of memory. */
void json_ok(FILE *out); /* {"ok":true}, as the service has it */
bool json_chat(FILE *out, const avito_chat *chat, int64_t user_id);
bool json_message(FILE *out, const char *key, const avito_message *message, const avito_chat *chat);
void json_self(FILE *out, const avito_self *self);

#endif
