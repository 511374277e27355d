/* The functions that link_lwip.c needs from a board with Ethernet: whole frames, without
 * waiting. */
#ifndef ETHERNET_H
#define ETHERNET_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t ethernet_address[6];

void ethernet_init(void);

/* Length of the frame that is waiting, 0 if none. Then read all of it, `len` bytes at a time. */
size_t ethernet_receive_begin(void);
void ethernet_receive(uint8_t *out, size_t len);
void ethernet_receive_end(void);

/* A frame of `len` bytes, given in pieces. */
void ethernet_send_begin(size_t len);
void ethernet_send(const uint8_t *data, size_t len);
void ethernet_send_end(void);

#endif
