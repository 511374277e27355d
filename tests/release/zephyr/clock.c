/* clock.c - this machine's clock is right, so it is not set. The network is not there at once. */
#include <zephyr/net/sntp.h>

#include <string.h>
#include <time.h>

int sntp_simple(const char *server, uint32_t timeout_ms, struct sntp_time *now)
{
    static int turns;
    struct timespec t;

    if (strchr(server, '.') == NULL || timeout_ms == 0) {
        return -22;
    }
    if (turns++ == 0) {
        return -11;
    }
    clock_gettime(CLOCK_REALTIME, &t);
    now->seconds = (uint64_t)t.tv_sec;
    now->fraction = 0;
    return 0;
}

int clock_settime(clockid_t id, const struct timespec *to)
{
    struct timespec now;

    clock_gettime(id, &now);
    return to->tv_sec >= now.tv_sec - 2 && to->tv_sec <= now.tv_sec + 2 ? 0 : -1;
}
