/* job.h - one command in the gateway, from its arrival to its acknowledgement. Private to the
 * gateway. */
#ifndef AVITO_TOOLS_JOB_H
#define AVITO_TOOLS_JOB_H

#include "gateway.h"

/* Why we publish something, kept until its PUBACK. */
enum { FLIGHT_RETAINED, FLIGHT_MARKER, FLIGHT_MESSAGE, FLIGHT_ANSWER, FLIGHT_CLOSING };

/* Loads what was refused before a restart. AVITO_OK or the hook's error. */
int gateway_job_open(gateway_account *a);

/* Handles a new command: it is taken, answered from the ledger, or refused, and never lost. */
void gateway_job_take(gateway_account *a, const mqtt_message *m, enum order_act act,
                      avito_str target, uint32_t now_ms);

/* The gateway's own questions: ORDER_UNREAD, ORDER_WEBHOOK, and ORDER_CHAT for the chat `target`,
 * which goes before all waiting jobs, because a message waits for it. */
void gateway_job_own(gateway_account *a, enum order_act act, const char *target);

/* Reads back what the ledger says was begun before a crash. */
void gateway_job_recover(gateway_account *a, uint32_t now_ms);

/* The ledger forgets what is old. `all_came`: what the broker has not sent again by now, it does not have any more. */
void gateway_job_age(gateway_account *a, bool all_came);

void gateway_job_step(gateway_account *a, uint32_t now_ms);
uint32_t gateway_job_deadline_ms(const gateway_account *a, uint32_t now_ms);

/* Gives lanes that became free to the account that has waited longest. */
void gateway_job_lend(gateway *g, uint32_t now_ms);

/* The broker has the answer, or refused it. */
void gateway_job_answered(gateway_account *a, struct gateway_job *j, uint8_t reason,
                          uint32_t now_ms);

/* The connection is gone: what was not acknowledged comes again. */
void gateway_job_lost(gateway_account *a);

/* Forgets all of them: what is begun is in the ledger. */
void gateway_job_drop(gateway_account *a);

size_t gateway_job_count(const gateway_account *a); /* the number of those not answered */

/* A call is in progress, or a send is about to follow its note. */
bool gateway_job_is_calling(const gateway_account *a);

/* A call is in progress, or its outcome is to be noted. */
bool gateway_job_is_busy(const gateway_account *a);

/* ---- of gateway.c, for jobs ---- */

/* At its end, unless the account is in it; from wherever it is, if it is. */
void gateway_list_add(gateway_account *a, enum gateway_list which);
void gateway_list_remove(gateway_account *a, enum gateway_list which);

void gateway_block(gateway_account *a); /* it is stepped again when there is room */
int gateway_publish(gateway *g, const mqtt_publication *p, struct gateway_flight what);
void gateway_say(gateway *g, const char *text);
void gateway_account_warns(gateway_account *a, const char *text);
void gateway_own_failed(gateway_account *a, enum order_act act, const char *text, uint32_t now_ms);
void gateway_describe(const avito_client *client, int result, char *out, size_t cap);
void gateway_unread(gateway_account *a, int count);
void gateway_chat_read(gateway_account *a);                     /* by a command: there are fewer */
void gateway_named(gateway_account *a, const avito_chat *chat); /* NULL: it is not known */
void gateway_changed(gateway_account *a);
void gateway_stir(gateway_account *a); /* it may be due at another time */

#endif
