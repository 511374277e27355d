/* client_key.h - our own certificate for a broker that asks for one, and its key, from PEM
 * files. */
#ifndef AVITO_TOOLS_CLIENT_KEY_H
#define AVITO_TOOLS_CLIENT_KEY_H

#include "avito_messenger.h"

typedef struct client_key client_key;

/* Reads both files. NULL after saying on standard error what is wrong. Freed by client_key_free(). */
client_key *client_key_read(const char *certificates, const char *key);
void client_key_free(client_key *key);

/* For avito_tls_options.configure, whose ctx is a client_key: the usual profile, and the certificate. */
void client_key_configure(void *ctx, br_ssl_client_context *ssl, br_x509_minimal_context *x509);

#endif
