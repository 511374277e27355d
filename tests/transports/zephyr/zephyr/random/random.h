#ifndef FAKE_ZEPHYR_RANDOM_H
#define FAKE_ZEPHYR_RANDOM_H
#include <stddef.h>
int sys_csrand_get(void *out, size_t len);
#endif
