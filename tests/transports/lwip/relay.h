/* relay.h - this machine's side of the relay: lwIP's loopback here, the service's port there. */
#ifndef TEST_LWIP_RELAY_H
#define TEST_LWIP_RELAY_H

#define HOST_NOTHING (-1L)

/* A connection of this machine to 127.0.0.1; < 0: none. */
int host_connect(int port);
/* Bytes, HOST_NOTHING for now, or 0: the end. */
long host_recv(int fd, void *data, unsigned long cap);
/* All of it, waiting, or -1. */
long host_send(int fd, const void *data, unsigned long len);
/* Nothing more will be sent. */
void host_end(int fd);
void host_close(int fd);
int host_random(void *out, unsigned long len);

#endif
