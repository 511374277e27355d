/* hass.h - what Home Assistant is told about an account, by its MQTT device discovery. */
#ifndef AVITO_TOOLS_HASS_H
#define AVITO_TOOLS_HASS_H

#include <stdio.h>

/* The JSON of homeassistant/device/ID/config. `notify`: chats that get a notify entity, NULL after
 * the last; may be NULL. `removed`, likewise: chats that lose theirs. */
void hass_write(FILE *out, const char *account, const char *gateway, const char *const *notify,
                const char *const *removed);

/* The ID in an account's topic. */
#define HASS_ID "avito_%s"

#endif
