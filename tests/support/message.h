/*
 * Messages by themselves: decoded from their JSON, and all those of tests/data.
 */
#ifndef TESTS_SUPPORT_MESSAGE_H
#define TESTS_SUPPORT_MESSAGE_H

#include "avito_messenger.h"

/* As the value of a notification. What it gives lives until the next one of this `slot`, 0 or 1. */
int message_decode(const char *json, size_t len, int slot, avito_event *event);

/* Visits each message of each fixture: of lists, last messages of chats, values of notifications. `event` is
 * it, decoded in slot 0; `raw` is its JSON, which ends with its memory. Returns how many there were. */
size_t message_each(void (*visit)(const avito_event *event, avito_str raw));

#endif
