/* lwIP as ESP-IDF has it: threads, sockets with the names of POSIX, little memory; no IPv6, so that a header
 * that takes it for granted does not compile. */
#ifndef TEST_LWIPOPTS_H
#define TEST_LWIPOPTS_H

#define NO_SYS                      0
#define SYS_LIGHTWEIGHT_PROT        1
#define LWIP_TCPIP_CORE_LOCKING     0
#define LWIP_IPV4                   1
#define LWIP_IPV6                   0
#define LWIP_SOCKET                 1
#define LWIP_NETCONN                1
#define LWIP_COMPAT_SOCKETS         1
#define LWIP_POSIX_SOCKETS_IO_NAMES 1
#define LWIP_SOCKET_SELECT          1
#define LWIP_SOCKET_POLL            1
#define LWIP_SO_RCVTIMEO            1
#define LWIP_SO_SNDTIMEO            1
#define LWIP_SO_LINGER              1
#define LWIP_NETIF_LOOPBACK         1
#define LWIP_HAVE_LOOPIF            1
#define LWIP_DNS                    1
#define DNS_LOCAL_HOSTLIST          1
#define DNS_LOCAL_HOSTLIST_INIT                                                                    \
    {                                                                                              \
        DNS_LOCAL_HOSTLIST_ELEM("localhost", IPADDR4_INIT_BYTES(127, 0, 0, 1))                     \
    }
#define LWIP_STATS            0
#define LWIP_TIMEVAL_PRIVATE  0
#define LWIP_ERRNO_STDINCLUDE 1

/* ESP-IDF's: 5,760 bytes each way. */
#define TCP_MSS                            1440
#define TCP_WND                            (4 * TCP_MSS)
#define TCP_SND_BUF                        (4 * TCP_MSS)
#define TCP_SND_QUEUELEN                   16
#define MEMP_NUM_NETCONN                   16
#define MEMP_NUM_TCP_PCB                   16
#define MEMP_NUM_TCP_PCB_LISTEN            8
#define MEMP_NUM_TCP_SEG                   64
#define MEMP_NUM_TCPIP_MSG_INPKT           64
#define MEMP_NUM_TCPIP_MSG_API             64
#define MEM_SIZE                           200000
#define PBUF_POOL_SIZE                     64
#define MEM_ALIGNMENT                      8
#define LWIP_NETIF_LOOPBACK_MULTITHREADING 1
#define LWIP_LOOPBACK_MAX_PBUFS            64
#define TCPIP_MBOX_SIZE                    128
#define DEFAULT_TCP_RECVMBOX_SIZE          64
#define DEFAULT_UDP_RECVMBOX_SIZE          16
#define DEFAULT_ACCEPTMBOX_SIZE            16
/* Debian's patch for the Hurd asks for these; here an address has no length of its own. */
#define IP4ADDR_SOCKADDR_SET_LEN(sin)
#define IP6ADDR_SOCKADDR_SET_LEN(sin6)
#define IPADDR_SOCKADDR_GET_LEN(addr) sizeof((addr)->sin)

#define LWIP_NOASSERT_ON_ERROR 1

#endif
