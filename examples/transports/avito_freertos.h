/* avito_freertos.h - the transport of avito_messenger.h over FreeRTOS-Plus-TCP: a file to copy.
 *
 * По-русски: транспорт поверх FreeRTOS-Plus-TCP - файл, который копируют в свой проект.
 *
 *     #define AVITO_FREERTOS_IMPLEMENTATION    in one file, after avito_messenger.h
 *     #include "avito_freertos.h"
 *
 *     static avito_freertos net;
 *     avito_transport transport = avito_freertos_transport(&net);
 *
 * Give it to avito_tls_options.transport, or to a client where TLS is done elsewhere. Also here:
 * avito_freertos_clock_ms and avito_freertos_entropy for the account and TLS. For tokens and the inbox
 * see avito_flash.h.
 *
 * Needs FreeRTOS-Plus-TCP 3 or 4 with IPv4, and either ipconfigSOCKET_HAS_USER_SEMAPHORE 1 (better: a
 * task sleeps until its socket has something) or ipconfigSUPPORT_SELECT_FUNCTION 1. Stack of the task,
 * seen on a 64-bit host: 4 KB plain, 8 KB with TLS.
 *
 * It ran on FreeRTOS-Plus-TCP itself (POSIX port, libslirp, at 27a9681), both ways, plain and with TLS,
 * waiting and stepped. With the headers of 3.1.0 it was only compiled.
 *
 * What the stack does, and what follows here:
 *   - FreeRTOS_send() says -ENOSPC when its buffer is full. That is "later", not an error.
 *   - FreeRTOS_connect() waits for FREERTOS_SO_RCVTIMEO. With 0 it returns at once, and
 *     FreeRTOS_issocketconnected() tells how it goes: a second FreeRTOS_connect() would start over.
 *   - FreeRTOS_select() calls a socket writable before it is connected. So this file does not wait for that.
 *   - FreeRTOS_recv() says 0 for "nothing yet", and -ENOTCONN for the end, also after a reset.
 *   - FreeRTOS_gethostbyname() waits. Set .address to do without.
 *   - portTICK_PERIOD_MS is 0 above 1,000 ticks a second. The clock here divides ticks itself. */
#ifndef AVITO_FREERTOS_H
#define AVITO_FREERTOS_H

#include "FreeRTOS.h"
#include "task.h"
#include "FreeRTOS_IP.h"
#include "FreeRTOS_Sockets.h"
#if ipconfigSOCKET_HAS_USER_SEMAPHORE
#include "semphr.h"
#endif

/* One connection; all zero is a good beginning. It must not move. */
typedef struct avito_freertos {
    uint32_t address; /* IPv4 in network order; 0: look the host's name up, which waits */
    Socket_t socket;  /* NULL: closed */
    BaseType_t error; /* of the last failure, as a positive pdFREERTOS_ERRNO_* */
    uint32_t moved;   /* bytes so far, both ways */
    bool connecting, full;
#if ipconfigSOCKET_HAS_USER_SEMAPHORE
    SemaphoreHandle_t event; /* made by the first connect, and kept */
#else
    SocketSet_t set; /* likewise, by the first wait */
#endif
} avito_freertos;

avito_transport avito_freertos_transport(avito_freertos *net);

uint32_t avito_freertos_clock_ms(void *ctx);

/* From xApplicationGetRandomNumber(), which FreeRTOS-Plus-TCP asks of the application anyway. TLS is as
 * safe as that is: it must be a true random number generator. */
int avito_freertos_entropy(void *ctx, void *out, size_t len);

#endif /* AVITO_FREERTOS_H */

#ifdef AVITO_FREERTOS_IMPLEMENTATION

#include <string.h>

/* The stack's numbers are never handed on: -ENOTCONN is -128, which could be one of ours. */
static int avito_freertos_fail(avito_freertos *net, BaseType_t error, int result)
{
    net->error = -error;
    return result;
}

static int avito_freertos_look_up(avito_freertos *net, const avito_server *to,
                                  struct freertos_sockaddr *out)
{
    uint32_t address = net->address != 0 ? net->address : FreeRTOS_inet_addr(to->host);

    if (address == 0) {
        address = FreeRTOS_gethostbyname(to->host);
    }
    memset(out, 0, sizeof *out);
    out->sin_len = sizeof *out;
    out->sin_family = FREERTOS_AF_INET;
    out->sin_port = FreeRTOS_htons(to->port);
#if defined(ipFR_TCP_VERSION_MAJOR) && ipFR_TCP_VERSION_MAJOR < 4
    out->sin_addr = address;
#else
    out->sin_address.ulIP_IPv4 = address;
#endif
    return address != 0 ? AVITO_OK : AVITO_ERR_RESOLVE;
}

/* Tells the task that something has happened on the socket. */
static bool avito_freertos_attach(avito_freertos *net)
{
#if ipconfigSOCKET_HAS_USER_SEMAPHORE
    if (net->event == NULL) {
        net->event = xSemaphoreCreateBinary();
    }
    return net->event != NULL && FreeRTOS_setsockopt(net->socket, 0, FREERTOS_SO_SET_SEMAPHORE,
                                                     &net->event, sizeof net->event) == 0;
#else
    (void)net;
    return true;
#endif
}

static int avito_freertos_open(avito_freertos *net, const avito_server *to)
{
    const TickType_t at_once = 0;
    struct freertos_sockaddr address;
    BaseType_t rc = avito_freertos_look_up(net, to, &address);

    net->error = 0;
    if (rc != AVITO_OK) {
        return (int)rc;
    }
    net->socket = FreeRTOS_socket(FREERTOS_AF_INET, FREERTOS_SOCK_STREAM, FREERTOS_IPPROTO_TCP);
    if (net->socket == FREERTOS_INVALID_SOCKET) {
        net->socket = NULL;
        return avito_freertos_fail(net, -pdFREERTOS_ERRNO_ENOMEM, AVITO_ERR_CONNECT);
    }
    (void)FreeRTOS_setsockopt(net->socket, 0, FREERTOS_SO_RCVTIMEO, &at_once, sizeof at_once);
    (void)FreeRTOS_setsockopt(net->socket, 0, FREERTOS_SO_SNDTIMEO, &at_once, sizeof at_once);
    if (!avito_freertos_attach(net)) {
        return avito_freertos_fail(net, -pdFREERTOS_ERRNO_ENOMEM, AVITO_ERR_CONNECT);
    }
    net->full = false;
    net->connecting = true;
    rc = FreeRTOS_connect(net->socket, &address, sizeof address);
    return rc == 0 || rc == -pdFREERTOS_ERRNO_EWOULDBLOCK
               ? AVITO_OK
               : avito_freertos_fail(net, rc, AVITO_ERR_CONNECT);
}

static int avito_freertos_connect(void *ctx, const avito_server *to)
{
    avito_freertos *net = (avito_freertos *)ctx;
    int result = net->socket == NULL ? avito_freertos_open(net, to) : AVITO_OK;
    BaseType_t state;

    if (result != AVITO_OK) {
        return result;
    }
    state = FreeRTOS_issocketconnected(net->socket);
    if (state > 0) {
        net->connecting = false;
        return AVITO_OK;
    }
    if (state < 0) {
        return avito_freertos_fail(net, state, AVITO_ERR_CONNECT);
    }
    state = FreeRTOS_connstatus(net->socket);
    return state == eCLOSED || state == eCLOSE_WAIT
               ? avito_freertos_fail(net, -pdFREERTOS_ERRNO_ENOTCONN, AVITO_ERR_CONNECT)
               : AVITO_AGAIN;
}

static long avito_freertos_send(void *ctx, const void *data, size_t len, int more)
{
    avito_freertos *net = (avito_freertos *)ctx;
    const BaseType_t n = FreeRTOS_send(net->socket, data, len, FREERTOS_MSG_DONTWAIT);

    (void)more;
    net->full = n == 0 || n == -pdFREERTOS_ERRNO_ENOSPC || n == -pdFREERTOS_ERRNO_EWOULDBLOCK;
    if (n > 0) {
        net->moved += (uint32_t)n;
        return (long)n;
    }
    return net->full ? AVITO_IO_AGAIN : avito_freertos_fail(net, n, AVITO_ERR_SEND);
}

static long avito_freertos_recv(void *ctx, void *data, size_t cap)
{
    avito_freertos *net = (avito_freertos *)ctx;
    const BaseType_t n = FreeRTOS_recv(net->socket, data, cap, FREERTOS_MSG_DONTWAIT);

    if (n > 0) {
        net->moved += (uint32_t)n;
        return (long)n;
    }
    if (n == 0 || n == -pdFREERTOS_ERRNO_EWOULDBLOCK) {
        return AVITO_IO_AGAIN;
    }
    return n == -pdFREERTOS_ERRNO_ENOTCONN ? AVITO_IO_CLOSED
                                           : avito_freertos_fail(net, n, AVITO_ERR_RECV);
}

static int avito_freertos_wants(void *ctx)
{
    const avito_freertos *net = (const avito_freertos *)ctx;

#if !ipconfigSOCKET_HAS_USER_SEMAPHORE
    if (net->connecting) {
        return AVITO_WANT_TIMER; /* select would call it writable, and the task would spin */
    }
#endif
    return net->connecting || net->full ? AVITO_WANT_READ | AVITO_WANT_WRITE : AVITO_WANT_READ;
}

static TickType_t avito_freertos_ticks(uint32_t ms)
{
    const uint64_t ticks = ((uint64_t)ms * configTICK_RATE_HZ + 999u) / 1000u;

    return ticks < portMAX_DELAY ? (TickType_t)ticks : portMAX_DELAY - 1u;
}

static int avito_freertos_wait(void *ctx, int wants, uint32_t ms)
{
    avito_freertos *net = (avito_freertos *)ctx;
    const bool any = net->socket != NULL && (wants & (AVITO_WANT_READ | AVITO_WANT_WRITE)) != 0;

    if (!any) {
        vTaskDelay(avito_freertos_ticks(ms < 10u || net->socket == NULL ? ms : 10u));
        return AVITO_AGAIN;
    }
#if ipconfigSOCKET_HAS_USER_SEMAPHORE
    return xSemaphoreTake(net->event, avito_freertos_ticks(ms)) == pdTRUE ? AVITO_OK : AVITO_AGAIN;
#else
    if (net->set == NULL && (net->set = FreeRTOS_CreateSocketSet()) == NULL) {
        return avito_freertos_fail(net, -pdFREERTOS_ERRNO_ENOMEM, AVITO_ERR_RECV);
    }
    FreeRTOS_FD_CLR(net->socket, net->set, eSELECT_ALL);
    FreeRTOS_FD_SET(net->socket, net->set,
                    eSELECT_EXCEPT | ((wants & AVITO_WANT_READ) != 0 ? eSELECT_READ : 0) |
                        ((wants & AVITO_WANT_WRITE) != 0 ? eSELECT_WRITE : 0));
    return FreeRTOS_select(net->set, avito_freertos_ticks(ms)) != 0 ? AVITO_OK : AVITO_AGAIN;
#endif
}

static void avito_freertos_close(void *ctx)
{
    avito_freertos *net = (avito_freertos *)ctx;

    if (net->socket != NULL) {
#if !ipconfigSOCKET_HAS_USER_SEMAPHORE
        if (net->set != NULL) {
            FreeRTOS_FD_CLR(net->socket, net->set, eSELECT_ALL);
        }
#endif
        (void)FreeRTOS_closesocket(net->socket);
        net->socket = NULL;
    }
    net->connecting = false;
}

static int avito_freertos_detail(void *ctx)
{
    return (int)((const avito_freertos *)ctx)->error;
}

static uint32_t avito_freertos_moved(void *ctx)
{
    return ((const avito_freertos *)ctx)->moved;
}

avito_transport avito_freertos_transport(avito_freertos *net)
{
    static const avito_transport_functions functions = {
        avito_freertos_connect, avito_freertos_send,  avito_freertos_recv,   avito_freertos_wants,
        avito_freertos_wait,    avito_freertos_close, avito_freertos_detail, avito_freertos_moved};
    avito_transport transport;

    transport.functions = &functions;
    transport.ctx = net;
    return transport;
}

uint32_t avito_freertos_clock_ms(void *ctx)
{
    static TickType_t last; /* the 32-bit tick counter wraps; so would a product of it */
    static uint64_t ticks;
    TickType_t now;

    (void)ctx;
    taskENTER_CRITICAL();
    now = xTaskGetTickCount();
    ticks += (TickType_t)(now - last);
    last = now;
    taskEXIT_CRITICAL();
    return (uint32_t)(ticks * 1000u / configTICK_RATE_HZ);
}

int avito_freertos_entropy(void *ctx, void *out, size_t len)
{
    uint8_t *to = (uint8_t *)out;

    (void)ctx;
    while (len > 0) {
        uint32_t random;
        const size_t n = len < sizeof random ? len : sizeof random;

        if (xApplicationGetRandomNumber(&random) != pdTRUE) {
            return AVITO_ERR_OPTION_ENTROPY;
        }
        memcpy(to, &random, n);
        to += n;
        len -= n;
    }
    return AVITO_OK;
}

#endif /* AVITO_FREERTOS_IMPLEMENTATION */
