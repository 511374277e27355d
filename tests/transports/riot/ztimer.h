#ifndef FAKE_RIOT_ZTIMER_H
#define FAKE_RIOT_ZTIMER_H
#include <stdint.h>
#define ZTIMER_MSEC 1
uint32_t ztimer_now(int timer);
void ztimer_sleep(int timer, uint32_t ms);
#endif
