#ifndef FAKE_RIOT_DNS_H
#define FAKE_RIOT_DNS_H
/* The length of the address, or a negative errno. */
int sock_dns_query(const char *name, void *out, int family);
#endif
