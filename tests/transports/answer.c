/* answer.c - examples/transports/answer.c, for the service on the port that is named. Rooms: none. */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static uint16_t service_port;

#define BOARD_CLIENT_ID     "client-id-for-tests"
#define BOARD_CLIENT_SECRET "client-secret-for-tests-0123456789abcdef"
#define BOARD_HOST          "localhost"
#define BOARD_PORT          service_port
#define BOARD_ADDRESS       "::1"
#include "examples/transports/answer.c"

int64_t board_unix_time(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0); /* a pipe gets each line at once */
    service_port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 0);
    avito_task(NULL);
    return 1;
}
