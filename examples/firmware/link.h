/*
 * The way to the network: link_uart.c (a serial line to something that opens the connection, such as
 * a modem in transparent mode) or link_lwip.c (Ethernet). A board is built with one of them.
 */
#ifndef LINK_H
#define LINK_H

#include "avito_messenger.h"

/* Ready to use after board_init(). Its wait() polls, so a lane may wait on it or not. */
avito_transport link_transport(void);

/* How the transcript calls it. */
extern const char link_name[];

#endif
