/*
 * По-русски: транспорт поверх lwIP без операционной системы, одно соединение.
 *
 * avito_transport over lwIP: raw API, no OS, one connection. lwIP does all its work in poll(),
 * which every function of the transport calls first.
 *
 * The host name is only for TLS; the address is fixed here, as is our own: DHCP and DNS of lwIP cost
 * 6.3 KB of flash and belong to the product, not to this example.
 */
#include "link.h"

#include <string.h>

#include "board.h"
#include "ethernet.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"
#include "semihosting.h"

const char link_name[] = "Ethernet, lwIP";

typedef struct lwip_link {
    struct netif netif;
    struct tcp_pcb *pcb;
    struct pbuf *received; /* not yet handed over */
    uint16_t port;         /* of the server, from the command line; 0: as the client says */
    bool started, connected, closed;
    bool full; /* the last send could not leave */
    err_t error;
} lwip_link;

static lwip_link the_link;

u32_t sys_now(void)
{
    return board_clock_ms(NULL);
}

unsigned int link_lwip_random(void)
{
    unsigned int bits = 0;

    board_entropy(NULL, &bits, sizeof bits);
    return bits;
}

/* ---- interface ---- */

static err_t netif_output(struct netif *netif, struct pbuf *frame)
{
    struct pbuf *part;

    (void)netif;
    ethernet_send_begin(frame->tot_len);
    for (part = frame; part != NULL; part = part->next) {
        ethernet_send((const uint8_t *)part->payload, part->len);
    }
    ethernet_send_end();
    return ERR_OK;
}

static err_t netif_setup(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->mtu = 1500;
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, ethernet_address, 6);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    netif->output = etharp_output;
    netif->linkoutput = netif_output;
    return ERR_OK;
}

/* Takes in one frame. Without memory for it, it is dropped; TCP sends it again. */
static void take_frame(struct netif *netif, size_t len)
{
    struct pbuf *frame = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_POOL);
    struct pbuf *part;
    uint8_t byte;

    for (part = frame; part != NULL; part = part->next) {
        ethernet_receive((uint8_t *)part->payload, part->len);
    }
    while (frame == NULL && len-- > 0) {
        ethernet_receive(&byte, 1);
    }
    ethernet_receive_end();
    if (frame != NULL && netif->input(frame, netif) != ERR_OK) {
        pbuf_free(frame);
    }
}

static void poll(lwip_link *link)
{
    size_t len = ethernet_receive_begin();

    while (len > 0) {
        take_frame(&link->netif, len);
        len = ethernet_receive_begin();
    }
    sys_check_timeouts();
}

/* The digits after "port=". */
static uint16_t port_of_command_line(void)
{
    static const char word[] = "port=";
    char line[96];
    size_t at, len = semihosting_command_line(line, sizeof line);
    unsigned port = 0;

    for (at = 0; at + sizeof word <= len; at++) {
        if (memcmp(line + at, word, sizeof word - 1) == 0) {
            break;
        }
    }
    for (at += sizeof word - 1; at < len && line[at] >= '0' && line[at] <= '9'; at++) {
        port = port * 10 + (unsigned)(line[at] - '0');
    }
    return (uint16_t)port;
}

static void start(lwip_link *link)
{
    ip4_addr_t address, mask, gateway;

    IP4_ADDR(&address, 10, 0, 2, 15);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 10, 0, 2, 2);
    lwip_init();
    ethernet_init();
    netif_add(&link->netif, &address, &mask, &gateway, link, netif_setup, ethernet_input);
    netif_set_default(&link->netif);
    netif_set_up(&link->netif);
    link->port = port_of_command_line();
    link->started = true;
}

/* ---- what lwIP calls ---- */

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    lwip_link *link = (lwip_link *)arg;

    (void)pcb;
    (void)error;
    link->connected = true;
    return ERR_OK;
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    lwip_link *link = (lwip_link *)arg;

    (void)pcb;
    (void)error;
    if (data == NULL) {
        link->closed = true;
    } else if (link->received == NULL) {
        link->received = data;
    } else {
        pbuf_cat(link->received, data);
    }
    return ERR_OK;
}

/* The connection is gone, and its pcb with it. */
static void on_error(void *arg, err_t error)
{
    lwip_link *link = (lwip_link *)arg;

    link->pcb = NULL;
    link->error = error;
}

/* ---- transport ---- */

static int link_connect(void *ctx, const avito_server *to)
{
    lwip_link *link = (lwip_link *)ctx;
    ip4_addr_t address;

    if (!link->started) {
        start(link);
    }
    poll(link);
    if (link->pcb == NULL && link->error == ERR_OK) {
        IP4_ADDR(&address, 10, 0, 2, 2); /* the machine that QEMU runs on */
        link->pcb = tcp_new();
        if (link->pcb == NULL) {
            return AVITO_ERR_CONNECT;
        }
        tcp_arg(link->pcb, link);
        tcp_recv(link->pcb, on_received);
        tcp_err(link->pcb, on_error);
        tcp_nagle_disable(link->pcb);
        link->error =
            tcp_connect(link->pcb, &address, link->port ? link->port : to->port, on_connected);
    }
    if (link->error != ERR_OK) {
        return AVITO_ERR_CONNECT;
    }
    return link->connected ? AVITO_OK : AVITO_AGAIN;
}

static long link_send(void *ctx, const void *data, size_t len, int more)
{
    lwip_link *link = (lwip_link *)ctx;
    size_t room;
    u8_t flags = (u8_t)(TCP_WRITE_FLAG_COPY | (more ? TCP_WRITE_FLAG_MORE : 0));

    poll(link);
    if (link->pcb == NULL) {
        return AVITO_ERR_SEND;
    }
    room = tcp_sndbuf(link->pcb);
    len = len < room ? len : room;
    link->full = len == 0 || tcp_write(link->pcb, data, (u16_t)len, flags) != ERR_OK;
    if (link->full) {
        tcp_output(link->pcb);
        return AVITO_IO_AGAIN;
    }
    if (!more) {
        tcp_output(link->pcb);
    }
    return (long)len;
}

/* Hands over bytes that have come, also those before the end of the stream or an error. */
static long link_recv(void *ctx, void *data, size_t cap)
{
    lwip_link *link = (lwip_link *)ctx;
    u16_t got;

    poll(link);
    if (link->received == NULL) {
        if (link->error != ERR_OK) {
            return AVITO_ERR_RECV;
        }
        if (link->pcb != NULL) {
            tcp_output(link->pcb);
        }
        return link->closed ? AVITO_IO_CLOSED : AVITO_IO_AGAIN;
    }
    got = pbuf_copy_partial(link->received, data, (u16_t)(cap < 0xffff ? cap : 0xffff), 0);
    link->received = pbuf_free_header(link->received, got);
    if (link->pcb != NULL) {
        tcp_recved(link->pcb, got);
    }
    return got;
}

static int link_wants(void *ctx)
{
    const lwip_link *link = (const lwip_link *)ctx;

    return AVITO_WANT_READ | (link->full ? AVITO_WANT_WRITE : 0);
}

static bool ready(const lwip_link *link, int wants)
{
    bool readable = link->received != NULL || link->closed || link->error != ERR_OK;
    bool writable = link->connected && link->pcb != NULL && tcp_sndbuf(link->pcb) > 0;

    return ((wants & AVITO_WANT_READ) != 0 && readable) ||
           ((wants & AVITO_WANT_WRITE) != 0 && writable);
}

/* A send may lack memory instead of room, of which nothing tells: then it waits for one turn. */
static int link_wait(void *ctx, int wants, uint32_t ms)
{
    lwip_link *link = (lwip_link *)ctx;
    bool connecting = !link->connected, turn = link->full;
    uint32_t begin = board_clock_ms(NULL);

    poll(link);
    while ((turn || (!ready(link, wants) && !(connecting && link->connected))) &&
           board_clock_ms(NULL) - begin < ms) {
        turn = false;
        board_idle();
        poll(link);
        board_watchdog();
    }
    return AVITO_OK;
}

static void link_close(void *ctx)
{
    lwip_link *link = (lwip_link *)ctx;

    if (link->received != NULL) {
        pbuf_free(link->received);
    }
    if (link->pcb != NULL) {
        tcp_arg(link->pcb, NULL);
        tcp_recv(link->pcb, NULL);
        tcp_err(link->pcb, NULL);
        if (tcp_close(link->pcb) != ERR_OK) {
            tcp_abort(link->pcb);
        }
        poll(link);
    }
    link->pcb = NULL;
    link->received = NULL;
    link->connected = false;
    link->closed = false;
    link->full = false;
    link->error = ERR_OK;
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
