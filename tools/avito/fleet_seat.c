/* fleet_seat.c - see fleet_seat.h. */
#include "fleet_seat.h"

#include <stdlib.h>
#include <string.h>

struct fleet_kept {
    struct fleet_kept *next;
    mqtt_event event;
    size_t len;
    char bytes[];
};

/* ---- commands that came early ---- */

static avito_str copy_part(char **at, avito_str from)
{
    avito_str to = from;

    if (from.ptr != NULL) {
        to.ptr = memcpy(*at, from.ptr, from.len);
        *at += from.len;
    }
    return to;
}

/* Keeps commands in their order. Without memory a command is not acknowledged, and comes again with
 * the next session. */
static void keep(fleet_seat *s, const mqtt_event *e)
{
    const mqtt_message *m = &e->message;
    const size_t payload = m->payload.ptr != NULL ? m->payload.len : 0;
    const size_t len =
        m->topic.len + payload + m->response_topic.len + m->correlation.len + m->properties.len;
    struct fleet_kept *k = malloc(sizeof *k + len);
    struct fleet_kept **at = &s->kept;
    char *bytes;

    if (k == NULL) {
        return;
    }
    bytes = k->bytes;
    k->next = NULL;
    k->len = len;
    s->kept_bytes += len;
    k->event = *e;
    k->event.message.topic = copy_part(&bytes, m->topic);
    k->event.message.payload = copy_part(&bytes, m->payload);
    k->event.message.response_topic = copy_part(&bytes, m->response_topic);
    k->event.message.correlation = copy_part(&bytes, m->correlation);
    k->event.message.properties = copy_part(&bytes, m->properties);
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = k;
}

static struct fleet_kept *next_kept(fleet_seat *s)
{
    struct fleet_kept *k = s->kept;

    if (k != NULL) {
        s->kept = k->next;
        s->kept_bytes -= k->len;
    }
    return k;
}

void fleet_seat_forget(fleet_seat *s)
{
    struct fleet_kept *k;

    while ((k = next_kept(s)) != NULL) {
        free(k);
    }
}

/* ---- its gateway ---- */

void fleet_seat_begin(fleet_seat *s, const gateway_options *options)
{
    gateway_options o = *options;

    o.session = s->core.session;
    o.claimed = s->core.name;
    o.voice = &s->voice;
    o.pairs = s->core.pairs;
    o.pairs_count = sizeof s->core.pairs / sizeof *s->core.pairs;
    o.can_tell = s->core.can_tell;
    gateway_init(&s->gateway, &o);
}

void fleet_seat_serve(fleet_seat *s, gateway_account *served, uint32_t now_ms)
{
    struct fleet_kept *k;
    mqtt_event e;

    s->served = served;
    memset(&e, 0, sizeof e);
    e.kind = MQTT_CONNECTED;
    e.session_present = true; /* its number came with the ledger */
    gateway_event(&s->gateway, &e, now_ms);
    while ((k = next_kept(s)) != NULL) {
        gateway_event(&s->gateway, &k->event, now_ms);
        free(k);
    }
}

void fleet_seat_end(fleet_seat *s)
{
    gateway_lost(&s->gateway);
    (void)gateway_remove(&s->gateway, s->served);
    s->served = NULL;
}

void fleet_seat_event(fleet_seat *s, const mqtt_event *e, uint32_t boot_ms, uint32_t now_ms)
{
    const enum fleet_verdict verdict = fleet_account_event(&s->core, e, boot_ms);

    if (verdict == FLEET_KEEP) {
        keep(s, e);
    }
    if (verdict == FLEET_PASS && s->served != NULL) {
        gateway_event(&s->gateway, e, now_ms);
    }
}

/* ---- the stores of its account ---- */

int fleet_seat_load_inbox(void *seat, int slot, void *data, size_t cap, size_t *len)
{
    return fleet_load_inbox(&((fleet_seat *)seat)->core, slot, data, cap, len);
}

int fleet_seat_save_inbox(void *seat, int slot, const void *data, size_t len)
{
    fleet_seat *s = seat;
    const bool accepting = s->served != NULL && s->served->accepting;

    return fleet_save_inbox(&s->core, slot, data, len, accepting);
}

static int append_ledger(void *seat, const char *lines, size_t len)
{
    return fleet_append(&((fleet_seat *)seat)->core, lines, len, false);
}

static int replace_ledger(void *seat, const char *lines, size_t len)
{
    return fleet_append(&((fleet_seat *)seat)->core, lines, len, true);
}

static int load_ledger(void *seat, void (*take)(void *to, const char *lines, size_t len), void *to)
{
    fleet_load(&((fleet_seat *)seat)->core, take, to);
    return AVITO_OK;
}

ledger_store fleet_seat_ledger(fleet_seat *s)
{
    const ledger_store store = {s, append_ledger, replace_ledger, load_ledger};

    return store;
}
