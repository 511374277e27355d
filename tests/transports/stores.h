/* stores.h - what every store of tokens and the inbox must do. */
#ifndef TESTS_TRANSPORTS_STORES_H
#define TESTS_TRANSPORTS_STORES_H

#include "avito_messenger.h"

typedef struct token_store {
    const char *name;
    void *ctx;
    int (*load_token)(void *ctx, avito_token *token);
    int (*save_token)(void *ctx, const avito_token *token);
    int (*load_inbox)(void *ctx, int slot, void *data, size_t cap, size_t *len);
    int (*save_inbox)(void *ctx, int slot, const void *data, size_t len);
} token_store;

/* Prints "ok - what" and "not ok - what". Returns the number of failures. The store must be
 * empty. */
int stores_run(const token_store *s);

#endif
