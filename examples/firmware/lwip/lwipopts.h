/* lwIP for one TCP connection on a bare loop: raw API, static address, no DHCP, no DNS. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0 /* nothing of it runs in an interrupt */
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_UDP 0
#define LWIP_DHCP 0
#define LWIP_DNS 0
#define LWIP_IPV6 0
#define LWIP_STATS 0
#define LWIP_NETIF_API 0
#define LWIP_NOASSERT 1
#define IP_REASSEMBLY 0
#define IP_FRAG 0
#define ARP_QUEUEING 0
#define ARP_TABLE_SIZE 4

#define MEM_LIBC_MALLOC 0 /* pools and a small arena of its own, all static */
#define MEMP_MEM_MALLOC 0
#define MEM_ALIGNMENT 4
#define MEM_SIZE 4096
#define MEMP_NUM_TCP_PCB 4
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define MEMP_NUM_TCP_SEG 12
#define MEMP_NUM_PBUF 4
#define PBUF_POOL_SIZE 6
#define PBUF_POOL_BUFSIZE 600

#define TCP_MSS 536
#define TCP_WND (4 * TCP_MSS)
#define TCP_SND_BUF (4 * TCP_MSS)
#define TCP_SND_QUEUELEN 8

#define LWIP_RAND() link_lwip_random()
unsigned int link_lwip_random(void);

#endif
