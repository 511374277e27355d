/* topic_filter.h - does a topic match an MQTT filter with + in it? */
#ifndef TESTS_AVITO_TOPIC_FILTER_H
#define TESTS_AVITO_TOPIC_FILTER_H

#include <stdbool.h>

static bool topic_matches(const char *filter, const char *topic)
{
    for (; *filter != '\0'; filter++) {
        if (*filter == '+') {
            while (*topic != '\0' && *topic != '/') {
                topic++;
            }
        } else if (*filter != *topic++) {
            return false;
        }
    }
    return *topic == '\0';
}

#endif
