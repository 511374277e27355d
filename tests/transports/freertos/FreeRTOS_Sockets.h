#ifndef FAKE_FREERTOS_SOCKETS_H
#define FAKE_FREERTOS_SOCKETS_H

typedef struct fake_socket *Socket_t;
typedef struct fake_set *SocketSet_t;
#define FREERTOS_INVALID_SOCKET ((Socket_t) ~(size_t)0)

struct freertos_sockaddr {
    uint8_t sin_len, sin_family;
    uint16_t sin_port;
#if ipFR_TCP_VERSION_MAJOR < 4
    uint32_t sin_addr;
#else
    union {
        uint32_t ulIP_IPv4;
    } sin_address;
#endif
};

#define FREERTOS_AF_INET          2
#define FREERTOS_SOCK_STREAM      1
#define FREERTOS_IPPROTO_TCP      6
#define FREERTOS_SO_RCVTIMEO      0
#define FREERTOS_SO_SNDTIMEO      1
#define FREERTOS_SO_SET_SEMAPHORE 3
#define FREERTOS_MSG_DONTWAIT     16
#define FreeRTOS_htons(x)         ((uint16_t)((uint16_t)(x) << 8 | (uint16_t)(x) >> 8))

enum eSELECT { eSELECT_READ = 1, eSELECT_WRITE = 2, eSELECT_EXCEPT = 4, eSELECT_ALL = 7 };
enum eTCP_STATE { eCLOSED = 0, eCONNECT_SYN = 3, eESTABLISHED = 5, eCLOSE_WAIT = 8 };

Socket_t FreeRTOS_socket(BaseType_t domain, BaseType_t type, BaseType_t protocol);
BaseType_t FreeRTOS_setsockopt(Socket_t s, int32_t level, int32_t option, const void *value,
                               size_t len);
BaseType_t FreeRTOS_connect(Socket_t s, const struct freertos_sockaddr *to, uint32_t len);
BaseType_t FreeRTOS_issocketconnected(Socket_t s);
BaseType_t FreeRTOS_connstatus(Socket_t s);
BaseType_t FreeRTOS_send(Socket_t s, const void *data, size_t len, BaseType_t flags);
BaseType_t FreeRTOS_recv(Socket_t s, void *data, size_t cap, BaseType_t flags);
BaseType_t FreeRTOS_closesocket(Socket_t s);
uint32_t FreeRTOS_inet_addr(const char *text);
SocketSet_t FreeRTOS_CreateSocketSet(void);
void FreeRTOS_FD_SET(Socket_t s, SocketSet_t set, uint32_t bits);
void FreeRTOS_FD_CLR(Socket_t s, SocketSet_t set, uint32_t bits);
BaseType_t FreeRTOS_select(SocketSet_t set, TickType_t ticks);

#endif
