/* messages.h - a message for people, for --format and for programs. */
#ifndef AVITO_TOOLS_MESSAGES_H
#define AVITO_TOOLS_MESSAGES_H

#include "session.h"

/* Writes a message as the options ask. `chat`: for its id, the author's name and the listing; NULL where it
 * is not known. */
void print_message(const session *s, const avito_message *message, const avito_chat *chat);

/* After that: could it be written? True after saying that it could not. */
bool output_failed(void);

#endif
