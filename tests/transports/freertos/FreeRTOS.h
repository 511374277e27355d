/* The part of FreeRTOS and FreeRTOS-Plus-TCP that avito_freertos.h uses, with the behaviour that
 * their documents and a run on the real stack show. fake.c implements it over real sockets. */
#ifndef FAKE_FREERTOS_H
#define FAKE_FREERTOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef long BaseType_t;
typedef unsigned long UBaseType_t;
typedef uint32_t TickType_t;

#define pdTRUE        1
#define pdFALSE       0
#define portMAX_DELAY 0xffffffffu
#ifndef configTICK_RATE_HZ
#define configTICK_RATE_HZ 1000u
#endif
#define portTICK_PERIOD_MS           (1000u / configTICK_RATE_HZ) /* 0 above 1000 Hz, as there */
#define pdFREERTOS_ERRNO_ENOMEM      12
#define pdFREERTOS_ERRNO_EWOULDBLOCK 11
#define pdFREERTOS_ERRNO_ENOSPC      28
#define pdFREERTOS_ERRNO_ENOTCONN    128
#define pdFREERTOS_ERRNO_EINPROGRESS 119

#endif
