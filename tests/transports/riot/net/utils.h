#ifndef FAKE_RIOT_UTILS_H
#define FAKE_RIOT_UTILS_H
typedef struct netif {
    int id;
} netif_t;
typedef struct ipv6_addr {
    uint8_t u8[16];
} ipv6_addr_t;
int netutils_get_ipv6(ipv6_addr_t *out, netif_t **netif, const char *text);
int netif_get_id(const netif_t *netif);
#endif
