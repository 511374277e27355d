#ifndef STANDIN_ZEPHYR_SNTP_H
#define STANDIN_ZEPHYR_SNTP_H
#include <stdint.h>
struct sntp_time {
    uint64_t seconds;
    uint32_t fraction;
};
int sntp_simple(const char *server, uint32_t timeout_ms, struct sntp_time *now);
#endif
