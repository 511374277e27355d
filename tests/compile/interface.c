/* Every other file of a user's program; a second #include changes nothing. */
#include "avito_messenger.h"
#include "avito_messenger.h"

int use(const avito_client *client);

int use(const avito_client *client)
{
    avito_str s = {"x", 1};

    return client == NULL || !avito_str_equal(s, "x") ? AVITO_ERR_ARGUMENT : AVITO_OK;
}
