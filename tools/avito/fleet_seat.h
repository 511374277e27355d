/* fleet_seat.h - a place for an account on a node of a fleet, whether it is served there or not: what its connection
 * brings goes to the fleet's logic, to the account's gateway, or waits until there is one. No I/O. */
#ifndef AVITO_TOOLS_FLEET_SEAT_H
#define AVITO_TOOLS_FLEET_SEAT_H

#include "fleet.h"
#include "gateway.h"

struct fleet_kept;

typedef struct fleet_seat {
    fleet_account core;
    gateway gateway;
    gateway_account *served;    /* NULL: it is not served here */
    struct fleet_kept *kept;    /* commands that came before it was served here */
    size_t kept_bytes;          /* of them */
    struct gateway_voice voice; /* what is said of its account, by whichever gateway */
} fleet_seat;

/* The account is ours: makes its gateway, to which the caller adds the account, and sets what the claim
 * knows. */
void fleet_seat_begin(fleet_seat *s, const gateway_options *options);

/* The account is added: the gateway begins, and gets the commands that came early. */
void fleet_seat_serve(fleet_seat *s, gateway_account *served, uint32_t now_ms);

/* The account is not ours any more. */
void fleet_seat_end(fleet_seat *s);

/* The connection is closed: what came early comes again with the next one. */
void fleet_seat_forget(fleet_seat *s);

/* Takes an event of its connection. Afterwards its gateway says what is due for the account. */
void fleet_seat_event(fleet_seat *s, const mqtt_event *e, uint32_t boot_ms, uint32_t now_ms);

/* The stores of its account; the first argument of each is the seat. */
int fleet_seat_load_inbox(void *seat, int slot, void *data, size_t cap, size_t *len);
int fleet_seat_save_inbox(void *seat, int slot, const void *data, size_t len);
ledger_store fleet_seat_ledger(fleet_seat *s);

#endif
