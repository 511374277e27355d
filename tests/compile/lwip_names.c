/* lwIP with LWIP_COMPAT_SOCKETS 1 makes macros of these names, so none of our calls through a
 * pointer may use one of them. The core must compile; sockets are lwIP's affair. */
#include <stdlib.h>
#include <string.h>

#define accept(...)   this is lwIP
#define bind(...)     this is lwIP
#define close(...)    this is lwIP
#define connect(...)  this is lwIP
#define fcntl(...)    this is lwIP
#define ioctl(...)    this is lwIP
#define listen(...)   this is lwIP
#define poll(...)     this is lwIP
#define read(...)     this is lwIP
#define recv(...)     this is lwIP
#define select(...)   this is lwIP
#define send(...)     this is lwIP
#define shutdown(...) this is lwIP
#define socket(...)   this is lwIP
#define write(...)    this is lwIP

#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"
