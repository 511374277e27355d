/* The part of Zephyr that avito_zephyr.h uses, with the behaviour that its documents and a run on
 * the real stack show. fake.c implements it over real sockets. */
#ifndef FAKE_ZEPHYR_KERNEL_H
#define FAKE_ZEPHYR_KERNEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
uint32_t k_uptime_get_32(void);
int32_t k_msleep(int32_t ms);
#endif
