/* fake.c - see FreeRTOS.h of this folder. */
#include "FreeRTOS.h"
#include "task.h"
#include "FreeRTOS_IP.h"
#include "FreeRTOS_Sockets.h"
#include "semphr.h"

#include "tests/transports/fake_net.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct fake_socket {
    int fd;
    struct freertos_sockaddr to;
    TickType_t timeout;
    bool asked, connected, refused;
    struct fake_semaphore *event;
};

/* Given by the stack when something happens on its socket. */
struct fake_semaphore {
    struct fake_socket *of;
};

struct fake_set {
    struct fake_socket *of;
    uint32_t bits;
};

static long ms_of(TickType_t ticks)
{
    return (long)((uint64_t)ticks * 1000u / configTICK_RATE_HZ);
}

TickType_t xTaskGetTickCount(void)
{
    return (TickType_t)((fake_now_ms() - (UINT64_C(1) << 32)) * (configTICK_RATE_HZ / 1000u));
}

void vTaskDelay(TickType_t ticks)
{
    fake_sleep_ms(ms_of(ticks));
}

BaseType_t xApplicationGetRandomNumber(uint32_t *out)
{
    return fake_random(out, sizeof *out) == 0 ? pdTRUE : pdFALSE;
}

uint32_t FreeRTOS_gethostbyname(const char *name)
{
    return strcmp(name, "localhost") == 0 ? htonl(0x7f000001) : 0;
}

uint32_t FreeRTOS_inet_addr(const char *text)
{
    struct in_addr a;

    return inet_aton(text, &a) != 0 ? a.s_addr : 0;
}

Socket_t FreeRTOS_socket(BaseType_t domain, BaseType_t type, BaseType_t protocol)
{
    Socket_t s = calloc(1, sizeof *s);

    (void)domain;
    (void)type;
    (void)protocol;
    s->fd = fake_socket();
    s->timeout = 5000;
    return s;
}

BaseType_t FreeRTOS_setsockopt(Socket_t s, int32_t level, int32_t option, const void *value,
                               size_t len)
{
    (void)level;
    (void)len;
    if (option == FREERTOS_SO_RCVTIMEO) {
        s->timeout = *(const TickType_t *)value;
    }
    if (option == FREERTOS_SO_SET_SEMAPHORE) {
        s->event = *(SemaphoreHandle_t const *)value;
        s->event->of = s;
    }
    return 0;
}

static uint32_t address_of(const struct freertos_sockaddr *to)
{
#if ipFR_TCP_VERSION_MAJOR < 4
    return to->sin_addr;
#else
    return to->sin_address.ulIP_IPv4;
#endif
}

/* Asks the host's stack how the connection goes. */
static int look(Socket_t s)
{
    int rc = s->connected ? 0 : FAKE_RESET;

    if (!s->connected && !s->refused) {
        rc = fake_connect(s->fd, address_of(&s->to), FreeRTOS_htons(s->to.sin_port));
        s->connected = rc == 0;
        s->refused = rc == FAKE_RESET; /* the state stays eCLOSED */
    }
    return rc;
}

/* Waits for the receive timeout; a second call starts over, which here is an error. */
BaseType_t FreeRTOS_connect(Socket_t s, const struct freertos_sockaddr *to, uint32_t len)
{
    (void)len;
    if (s->asked) {
        abort();
    }
    s->asked = true;
    s->to = *to;
    if (s->timeout > 0) {
        fake_sleep_ms(ms_of(s->timeout)); /* a lane that may not wait must see this */
    }
    return look(s) == 0 ? 0 : -pdFREERTOS_ERRNO_EWOULDBLOCK;
}

BaseType_t FreeRTOS_issocketconnected(Socket_t s)
{
    return look(s) == 0 ? pdTRUE : pdFALSE;
}

BaseType_t FreeRTOS_connstatus(Socket_t s)
{
    const int rc = look(s);

    return rc == 0 ? eESTABLISHED : rc == FAKE_AGAIN ? eCONNECT_SYN : eCLOSED;
}

BaseType_t FreeRTOS_send(Socket_t s, const void *data, size_t len, BaseType_t flags)
{
    const long n = fake_send(s->fd, data, len);

    (void)flags;
    return n > 0 ? n : n == FAKE_FULL ? -pdFREERTOS_ERRNO_ENOSPC : -pdFREERTOS_ERRNO_ENOTCONN;
}

BaseType_t FreeRTOS_recv(Socket_t s, void *data, size_t cap, BaseType_t flags)
{
    const long n = fake_recv(s->fd, data, cap);

    (void)flags;
    return n > 0 ? n : n == FAKE_AGAIN ? 0 : -pdFREERTOS_ERRNO_ENOTCONN;
}

BaseType_t FreeRTOS_closesocket(Socket_t s)
{
    fake_close(s->fd);
    if (s->event != NULL) {
        s->event->of = NULL;
    }
    free(s);
    return 0;
}

SemaphoreHandle_t xSemaphoreCreateBinary(void)
{
    static struct fake_semaphore semaphores[8];
    static unsigned count;

    return &semaphores[count++ % 8];
}

BaseType_t xSemaphoreTake(SemaphoreHandle_t semaphore, TickType_t ticks)
{
    const bool write = semaphore->of != NULL && !semaphore->of->connected;

    return fake_poll(semaphore->of->fd, true, write, ms_of(ticks) < 20 ? ms_of(ticks) : 20) > 0
               ? pdTRUE
               : pdFALSE;
}

SocketSet_t FreeRTOS_CreateSocketSet(void)
{
    return calloc(1, sizeof(struct fake_set));
}

void FreeRTOS_FD_SET(Socket_t s, SocketSet_t set, uint32_t bits)
{
    set->of = s;
    set->bits |= bits;
}

void FreeRTOS_FD_CLR(Socket_t s, SocketSet_t set, uint32_t bits)
{
    (void)s;
    set->bits &= ~bits;
    set->of = set->bits != 0 ? set->of : NULL;
}

/* Reports a socket as writable before it is connected, as the real stack does. */
BaseType_t FreeRTOS_select(SocketSet_t set, TickType_t ticks)
{
    if ((set->bits & eSELECT_WRITE) != 0 && !set->of->connected) {
        return eSELECT_WRITE;
    }
    return fake_poll(set->of->fd, (set->bits & eSELECT_READ) != 0, (set->bits & eSELECT_WRITE) != 0,
                     ms_of(ticks));
}
