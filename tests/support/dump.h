/*
 * Prints the models as flat text, one line per field, so that two decoders can be compared line by
 * line. tests/expect.py prints the same text from the same JSON with another decoder.
 *
 *     chat.id = "u2i-..."                       string: JSON, ASCII only, as Python's json.dumps
 *     chat.created = 1693820808                 number
 *     chat.context = object                     a pointer that is not NULL
 *     chat.users.count = 2                      a list; its elements are chat.users[0]...
 *     chat.last_message.type = TEXT "text"      enum: its name, then the server's word
 *     chat.last_message.is_own = true           flag
 *     message.content.kind = IMAGE              which member of the union is set
 *     message.content.image.sizes[0] = "32x32" "https://..."    one entry of a map, in order of arrival
 *     ...location.lat_e7 = 557512000            degrees * 10^7, half away from zero
 *
 * Not printed: strings that are NULL (an empty string is: ""), numbers that are 0, flags that are
 * false (but is_read and parsing_allowed are, when the server sent them), empty lists, kind NONE,
 * and what depends on the clock (avito_token.expires_at).
 */
#ifndef TESTS_SUPPORT_DUMP_H
#define TESTS_SUPPORT_DUMP_H

#include "avito_messenger.h"

/* A growing text; always NUL-terminated after the first write. {0} is empty. */
struct text {
    char *data;
    size_t len, cap;
};

void text_free(struct text *text);
void text_clear(struct text *text);
void text_add(struct text *text, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

void text_add_bytes(struct text *text, const void *bytes, size_t len);

bool text_is_utf8(const char *text, size_t len);

/* `path` begins every line: "chat", "chats[3]". */
void dump_token(struct text *out, const char *path, const avito_token *token);
void dump_self(struct text *out, const char *path, const avito_self *self);
void dump_chats(struct text *out, const char *path, const avito_chats *chats);
void dump_chat(struct text *out, const char *path, const avito_chat *chat);
void dump_messages(struct text *out, const char *path, const avito_messages *messages);
void dump_message(struct text *out, const char *path, const avito_message *message);
void dump_event(struct text *out, const char *path, const avito_event *event);
void dump_uploaded_image(struct text *out, const char *path, const avito_uploaded_image *image);
void dump_voice_files(struct text *out, const char *path, const avito_voice_files *files);
void dump_voice_file(struct text *out, const char *path, const avito_voice_file *file);
void dump_subscriptions(struct text *out, const char *path, const avito_subscriptions *list);
void dump_subscription(struct text *out, const char *path, const avito_subscription *one);

/* Only what the body of an answer decides: api_code and text. */
void dump_error_body(struct text *out, const char *path, const avito_error *error);

/* The name of a result as the expectations write it: "OK", "AGAIN", "END", "JSON". dump_result.c:
 * needs the implementation. */
const char *dump_result_name(int result);

/* The first line in which the two texts differ, for a message; 0: they are equal. */
size_t dump_first_difference(const char *a, const char *b);

#endif
