/* messages.h - a message for people, for --format and for programs. */
#ifndef AVITO_TOOLS_MESSAGES_H
#define AVITO_TOOLS_MESSAGES_H

#include "session.h"

/* Writes a message as the options ask. `name`: its author's, ptr NULL where it is not known; `chat`: the
 * chat's id, for messages that do not name it. */
void print_message(const session *s, const avito_message *message, avito_str name, avito_str chat);

/* The name of a user of a chat, copied into `memory`. */
avito_str author_name(const avito_chat *chat, int64_t author_id, char *memory, size_t size);

const char *class_word(avito_message_class c);

#endif
