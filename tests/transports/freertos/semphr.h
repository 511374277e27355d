#ifndef FAKE_SEMPHR_H
#define FAKE_SEMPHR_H
typedef struct fake_semaphore *SemaphoreHandle_t;
SemaphoreHandle_t xSemaphoreCreateBinary(void);
BaseType_t xSemaphoreTake(SemaphoreHandle_t semaphore, TickType_t ticks);
#endif
