#ifndef FAKE_WIFI_H
#define FAKE_WIFI_H
#include "Client.h"
typedef SocketClient WiFiClient;
struct FakeWiFi {
    void begin(const char *, const char *)
    {
    }
};
static FakeWiFi WiFi;
#endif
