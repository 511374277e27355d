/* fake_net.h - real sockets under the fake stacks, with the habits of real stacks as switches. */
#ifndef TESTS_TRANSPORTS_FAKE_NET_H
#define TESTS_TRANSPORTS_FAKE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the environment: FAKE_SEND_MAX bytes are taken at once; each FAKE_FULL_EVERY-th send finds the
 * stack full; FAKE_CONNECT_TURNS times connect says "not yet"; FAKE_RECV_MAX bytes are given at once. */
typedef struct fake_habits {
    size_t send_max, recv_max;
    unsigned full_every, connect_turns;
} fake_habits;

const fake_habits *fake_habits_of_environment(void);

/* Troubles, until the next socket: the peer resets after this many more received bytes; it does not
 * answer to connect. */
void fake_reset_after(size_t bytes);
void fake_stay_silent(bool silent);
/* Has the peer reset? */
bool fake_is_reset(void);

enum { FAKE_AGAIN = -1, FAKE_FULL = -2, FAKE_END = -3, FAKE_RESET = -4 };

int fake_socket(void);
/* 0 connected, FAKE_AGAIN, FAKE_RESET: refused. `address` in network order. */
int fake_connect(int fd, uint32_t address, uint16_t port);
long fake_send(int fd, const void *data, size_t len);
long fake_recv(int fd, void *data, size_t cap);
/* Waits until the socket can be read (or written): 1, 0 after `ms`. */
int fake_poll(int fd, bool read, bool write, long ms);
void fake_close(int fd);
/* Begins shortly before 2^32, so that every counter of 32 bits wraps early. */
uint64_t fake_now_ms(void);
void fake_sleep_ms(long ms);
int fake_random(void *out, size_t len);

#endif
