/* people.h - the other side of the demo: buyers, who speak through the simulator's door for tests
 * (tools/simulator/control/door.c). The real service has no such door. */
#ifndef DEMO_PEOPLE_H
#define DEMO_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds the door; false: AVITO_DEMO_DOOR is not set. */
bool people_arrive(void);

/* A buyer opens a chat about a listing. The chat's id goes into `chat_id`. */
bool people_open_chat(int64_t buyer_id, const char *buyer, const char *item, const char *price,
                      char *chat_id, size_t cap);

/* `type`: "text", "voice", "link". */
bool people_write(const char *chat_id, const char *type, const char *text);
bool people_read(const char *chat_id);

/* A person allows the application; the code that the browser would bring back. */
bool people_allow(const char *scope, char *code, size_t cap);

/* The service forgets its tokens; the next answer to an operation goes wrong. */
bool people_expire_tokens(void);
bool people_plan_fault(const char *plan);

/* What the service knows: how often an operation was carried out; how many undeleted messages of a
 * chat have this text; a counter. -1: the door does not answer. */
int64_t people_served(const char *operation);
int64_t people_count(const char *chat_id, const char *text);
int64_t people_counter(const char *name);

/* The hash of the last upload, as 16 hex digits. */
bool people_last_upload(char *fnv1a, size_t cap);

#endif
