/* For the two programs that must refuse to start: the linker uses these functions in place of the
 * board's. */
#include "avito_messenger.h"

int64_t __wrap_board_unix_time(void *ctx);
int __wrap_board_entropy(void *ctx, void *out, size_t len);

int64_t __wrap_board_unix_time(void *ctx)
{
    (void)ctx;
    return 0;
}

int __wrap_board_entropy(void *ctx, void *out, size_t len)
{
    (void)ctx;
    (void)out;
    (void)len;
    return AVITO_ERR_OPTION_ENTROPY;
}
