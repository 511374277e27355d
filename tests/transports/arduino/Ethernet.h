#ifndef FAKE_ETHERNET_H
#define FAKE_ETHERNET_H
#include "Client.h"
typedef SocketClient EthernetClient;
struct FakeEthernet {
    int begin(uint8_t *)
    {
        return 1;
    }
};
static FakeEthernet Ethernet;
#endif
