#ifndef FAKE_RIOT_GNRC_TCP_H
#define FAKE_RIOT_GNRC_TCP_H
void gnrc_tcp_abort(sock_tcp_t *s);
#endif
