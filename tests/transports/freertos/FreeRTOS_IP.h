#ifndef FAKE_FREERTOS_IP_H
#define FAKE_FREERTOS_IP_H
BaseType_t xApplicationGetRandomNumber(uint32_t *out);
uint32_t FreeRTOS_gethostbyname(const char *name);
#endif
