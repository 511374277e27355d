/*
 * По-русски: транспорт по последовательной линии, например к модему.
 *
 * avito_transport over a serial line.
 *
 * The line carries bytes and nothing else: no "connected", no "closed". So connect only takes the
 * next port (a board with two ports has two connections; a board with one has one), the host name is
 * checked by TLS, and an end without notice shows as the idle timeout of the client. With a real
 * modem, connect sends the dial command and reads its answer, and close drops DTR; in QEMU,
 * `-chardev socket,...,reconnect=1` opens a new connection on the same port a second after the
 * server closed the last one, but silently drops what is written until then.
 */
#include "board.h"
#include "link.h"

#ifndef LINK_PORTS
#define LINK_PORTS 1
#endif

const char link_name[] = "UART";

typedef struct uart_link {
    unsigned opened;     /* connections so far */
    unsigned char ahead; /* a byte that wait() has read to see that there is one */
    bool has_ahead;
    bool full; /* the last send could not leave */
} uart_link;

static uart_link the_link;

static unsigned port_of(const uart_link *link)
{
    return (link->opened - 1) % LINK_PORTS;
}

static int link_connect(void *ctx, const avito_server *to)
{
    uart_link *link = (uart_link *)ctx;
    unsigned char stale[16];

    (void)to;
    link->opened++;
    link->has_ahead = false;
    link->full = false;
    if (link->opened > LINK_PORTS) { /* remains of the connection before */
        while (board_uart_read(port_of(link), stale, sizeof stale) > 0) {
        }
    }
    return AVITO_OK;
}

static long link_send(void *ctx, const void *data, size_t len, int more)
{
    uart_link *link = (uart_link *)ctx;
    size_t sent = board_uart_write(port_of(link), data, len);

    (void)more;
    link->full = sent == 0;
    return sent > 0 ? (long)sent : AVITO_IO_AGAIN;
}

static long link_recv(void *ctx, void *data, size_t cap)
{
    uart_link *link = (uart_link *)ctx;
    unsigned char *at = (unsigned char *)data;
    size_t got = 0;

    if (cap > 0 && link->has_ahead) {
        at[got++] = link->ahead;
        link->has_ahead = false;
    }
    got += board_uart_read(port_of(link), at + got, cap - got);
    return got > 0 ? (long)got : AVITO_IO_AGAIN;
}

static int link_wants(void *ctx)
{
    const uart_link *link = (const uart_link *)ctx;

    return AVITO_WANT_READ | (link->full ? AVITO_WANT_WRITE : 0);
}

/* A port that cannot take a byte now can in a moment, so only reading is worth waiting for. */
static int link_wait(void *ctx, int wants, uint32_t ms)
{
    uart_link *link = (uart_link *)ctx;
    bool reads = (wants & AVITO_WANT_READ) != 0;
    uint32_t start = board_clock_ms(NULL);

    board_watchdog();
    while ((wants & AVITO_WANT_WRITE) == 0 && !(reads && link->has_ahead) &&
           board_clock_ms(NULL) - start < ms) {
        link->has_ahead =
            link->has_ahead || (reads && board_uart_read(port_of(link), &link->ahead, 1) == 1);
        board_watchdog();
    }
    return AVITO_OK;
}

static void link_close(void *ctx)
{
    (void)ctx;
}

avito_transport link_transport(void)
{
    static const avito_transport_functions functions = {
        link_connect, link_send, link_recv, link_wants, link_wait, link_close, NULL, NULL};
    avito_transport transport;

    transport.functions = &functions;
    transport.ctx = &the_link;
    return transport;
}
