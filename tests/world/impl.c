/* The implementation under test. The self-test compiles this file against a copy of the header with
 * one bug planted. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include <avito_messenger.h>

unsigned impl_state(const avito_client *client);
const char *impl_state_name(unsigned state);
bool impl_fetches_token(const avito_client *client);
bool impl_call(const avito_client *client);
bool impl_worked(const avito_client *client);
uint64_t impl_passed_over(const avito_inbox *inbox);
bool impl_between_rounds(const avito_inbox *inbox);
bool impl_gave_pages_up(const avito_inbox *inbox);
bool impl_starts(const avito_inbox *inbox);
bool impl_pressed(const avito_inbox *inbox);
bool impl_first_round(const avito_inbox *inbox);
bool impl_learns(const avito_inbox *inbox);

AVITOI_ASSERT(world_knows_the_states, AVITOI_CALL_STATES == 8);

unsigned impl_state(const avito_client *client)
{
    return client->priv.state;
}

const char *impl_state_name(unsigned state)
{
    static const char *const names[AVITOI_CALL_STATES] = {"IDLE", "ACCOUNT", "CONNECT", "SEND",
                                                          "HEAD", "BODY",    "ROW",     "DRAIN"};
    return names[state];
}

bool impl_fetches_token(const avito_client *client)
{
    return client->priv.call != NULL && client->priv.state != AVITOI_CALL_ACCOUNT &&
           (client->priv.request->flags & AVITOI_ENDPOINT_TOKEN) != 0;
}

bool impl_call(const avito_client *client)
{
    return client->priv.call != NULL;
}

bool impl_between_rounds(const avito_inbox *inbox)
{
    return inbox->priv.phase == AVITOI_INBOX_WAIT && inbox->priv.stage == AVITOI_INBOX_RUNS &&
           inbox->priv.resume == AVITOI_INBOX_WAIT;
}

bool impl_gave_pages_up(const avito_inbox *inbox)
{
    return inbox->priv.empty_pages == AVITOI_INBOX_EMPTY_PAGES;
}

bool impl_pressed(const avito_inbox *inbox)
{
    return inbox->priv.overrun || avitoi_inbox_ring_pressed(inbox);
}

bool impl_first_round(const avito_inbox *inbox)
{
    return inbox->priv.stage == AVITOI_INBOX_UNREAD;
}

bool impl_learns(const avito_inbox *inbox)
{
    return inbox->priv.stage == AVITOI_INBOX_LEARNS;
}

bool impl_starts(const avito_inbox *inbox)
{
    return inbox->priv.phase == AVITOI_INBOX_SCAN && inbox->priv.stage == AVITOI_INBOX_NEW;
}

bool impl_worked(const avito_client *client)
{
    return client->priv.eager;
}

uint64_t impl_passed_over(const avito_inbox *inbox)
{
    return inbox->priv.phase == AVITOI_INBOX_HANDED && inbox->priv.row_error < 0
               ? avitoi_inbox_key(inbox)
               : 0;
}
