/* Shared by the programs that are only linked. Everything that they name is defined only here. */
#ifndef USE_H
#define USE_H

#include "avito_messenger.h"

static avito_account use_account;
static avito_client use_client;
static avito_arena use_arena;
static const char use_chat[] = "chat", use_words[] = "text";

extern const avito_account_options use_account_options;
extern const avito_client_options use_client_options;

int use(void);

static inline int use_begin(void)
{
    int result = avito_account_init(&use_account, &use_account_options);

    (void)use_arena;
    return result == AVITO_OK ? avito_client_init(&use_client, &use_account, &use_client_options)
                              : result;
}

#endif
