#ifndef FAKE_FREERTOS_IP_H
#define FAKE_FREERTOS_IP_H
#ifndef ipFR_TCP_VERSION_MAJOR
#define ipFR_TCP_VERSION_MAJOR 4
#endif
BaseType_t xApplicationGetRandomNumber(uint32_t *out);
uint32_t FreeRTOS_gethostbyname(const char *name);
#endif
