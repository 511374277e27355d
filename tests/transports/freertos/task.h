#ifndef FAKE_TASK_H
#define FAKE_TASK_H
#define taskENTER_CRITICAL()
#define taskEXIT_CRITICAL()
TickType_t xTaskGetTickCount(void);
void vTaskDelay(TickType_t ticks);
#endif
