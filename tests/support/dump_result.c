/* Apart from dump.c, because it needs the implementation. */
#include "support/dump.h"

const char *dump_result_name(int result)
{
    switch (result) {
        case AVITO_OK:
            return "OK";
        case AVITO_AGAIN:
            return "AGAIN";
        case AVITO_END:
            return "END";
        default:
            return avito_error_name(result);
    }
}
