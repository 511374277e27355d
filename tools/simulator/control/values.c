/* values.c - reads a request's values; the usual answers. */
#include "door.h"

#include <string.h>

const char *value_text(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsString(v) ? v->valuestring : NULL;
}

int64_t value_number(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(v) ? (int64_t)v->valuedouble : cJSON_IsTrue(v) ? 1 : 0;
}

/* A number that is whole and fits, or a boolean. */
bool value_is_whole(const cJSON *v)
{
    double n = cJSON_IsNumber(v) ? v->valuedouble : 0;
    return (cJSON_IsNumber(v) || cJSON_IsBool(v)) && n >= -9e15 && n <= 9e15 &&
           n == (double)(int64_t)n;
}

/* The place of the text `name` in `words`; 0 if it is not there; -1: an unknown word. */
int value_word(const cJSON *o, const char *name, const char *const *words, int count)
{
    const char *text = value_text(o, name);
    for (int i = 0; text != NULL && i < count; i++) {
        if (strcmp(words[i], text) == 0) {
            return i;
        }
    }
    return text == NULL ? 0 : -1;
}

bool control_refuse(control *c, const char *why)
{
    c->why = why;
    return false;
}

bool control_say_id(control *c, const char *member, const char *id, const char *why)
{
    if (id == NULL) {
        return control_refuse(c, why);
    }
    simi_putf(&c->reply, "{\"%s\":", member);
    simi_put_json(&c->reply, id);
    simi_puts(&c->reply, "}");
    return true;
}

bool control_say_done(control *c, bool done, const char *why)
{
    if (!done) {
        return control_refuse(c, why);
    }
    simi_puts(&c->reply, "{\"ok\":true}");
    return true;
}
