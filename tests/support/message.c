/* See message.h. */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

int message_decode(const char *json, size_t len, int slot, avito_event *event)
{
    static char rooms[2][1 << 17], bodies[2][1 << 17];
    avito_arena arena = avito_arena_of(rooms[slot], sizeof rooms[slot]);
    const int n = snprintf(bodies[slot], sizeof bodies[slot],
                           "{\"id\":\"e\",\"payload\":{\"type\":\"message\",\"value\":%.*s}}",
                           (int)len, json);

    if (n < 0 || (size_t)n >= sizeof bodies[slot]) {
        abort();
    }
    return avito_parse_webhook(bodies[slot], (size_t)n, &arena, event, NULL);
}

/* Visits `value` if it is a message. Its JSON is copied to memory that ends with it. */
static size_t visit_one(avito_json_value value,
                        void (*visit)(const avito_event *event, avito_str raw))
{
    const avito_str whole = avito_json_raw(value);
    avito_event event;
    avito_str raw;
    char *copy;

    if (avito_json_get(value, "content").json == NULL ||
        avito_json_get(value, "created").json == NULL ||
        message_decode(whole.ptr, whole.len, 0, &event) != AVITO_OK || event.message == NULL) {
        return 0;
    }
    copy = (char *)malloc(whole.len);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, whole.ptr, whole.len);
    raw.ptr = copy;
    raw.len = whole.len;
    visit(&event, raw);
    free(copy);
    return 1;
}

/* Looks for messages in every place where a body may have them. */
static size_t visit_body(const struct fixture *f,
                         void (*visit)(const avito_event *event, avito_str raw))
{
    static char tokens[1 << 20];
    avito_json_value root, at;
    avito_json json;
    size_t count;

    if (avito_json_parse(&json, f->body, f->body_len, tokens, sizeof tokens) != AVITO_OK) {
        return 0; /* raw_json_test has these */
    }
    root = avito_json_root(&json);
    count = visit_one(root, visit) + visit_one(avito_json_get(root, "last_message"), visit) +
            visit_one(avito_json_get(avito_json_get(root, "payload"), "value"), visit);
    for (at = avito_json_first(avito_json_get(root, "chats")); at.json != NULL;
         at = avito_json_next(at)) {
        count += visit_one(avito_json_get(at, "last_message"), visit);
    }
    for (at = avito_json_first(avito_json_get(root, "messages")); at.json != NULL;
         at = avito_json_next(at)) {
        count += visit_one(at, visit);
    }
    return count;
}

size_t message_each(void (*visit)(const avito_event *event, avito_str raw))
{
    struct fixtures all = fixtures_load("");
    size_t count = 0;

    for (size_t i = 0; i < all.count; i++) {
        count += visit_body(&all.items[i], visit);
    }
    fixtures_free(&all);
    return count;
}
