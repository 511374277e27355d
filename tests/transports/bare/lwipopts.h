/* The firmware's lwIP on this machine: pointers of 64 bits, and a peer that computes no checksums. */
#ifndef TEST_BARE_LWIPOPTS_H
#define TEST_BARE_LWIPOPTS_H

#include "examples/firmware/lwip/lwipopts.h"

#undef MEM_ALIGNMENT
#define MEM_ALIGNMENT      8
#define CHECKSUM_CHECK_IP  0
#define CHECKSUM_CHECK_TCP 0

#endif
