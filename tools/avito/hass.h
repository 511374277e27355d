/* hass.h - what Home Assistant is told of an account: its device discovery over MQTT. */
#ifndef AVITO_TOOLS_HASS_H
#define AVITO_TOOLS_HASS_H

#include <stdio.h>

/* The JSON of homeassistant/device/ID/config. `notify`: chats that get a notify entity, NULL behind the
 * last; may be NULL. */
void hass_write(FILE *out, const char *account, const char *gateway, const char *const *notify);

/* The ID of an account's topic. */
#define HASS_ID "avito_%s"

#endif
