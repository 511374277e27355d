#ifndef FAKE_RIOT_RANDOM_H
#define FAKE_RIOT_RANDOM_H
void random_bytes(uint8_t *out, size_t len);
#endif
