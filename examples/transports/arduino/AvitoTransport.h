/* AvitoTransport.h - the transport of avito_messenger.h over any Arduino Client: WiFiClient,
 * EthernetClient, a modem's.
 *
 * По-русски: транспорт поверх любого Arduino Client: WiFiClient, EthernetClient, модем.
 *
 *     WiFiClient net;
 *     AvitoTransport link(net);
 *     options.transport = link.transport();
 *
 * Prefer the header's own TLS over a plain Client: a secure Client cannot show that the end of the stream
 * was not announced, so a cut answer without a length looks whole. Where BearSSL does not fit the sketch's
 * stack (ESP8266: 4 KB), give a secure Client with its own anchors straight to the lane.
 *
 * What a Client does, and what follows here:
 *   - connect() and write() wait inside: a lane on it may wait. ESP8266 waits up to 5 s, ESP32 for the
 *     Client's timeout.
 *   - write() may take less than it was given. 0 is "full" or "dead": connected() tells. That of the Ethernet
 *     library says that it took all, and the chip took what its buffer holds: so 2,048 bytes at a time.
 *   - read() with nothing to read is 0 in one core and -1 in another, and waits in ArduinoBearSSL: so
 *     available() is asked first.
 *   - connected() is false in some cores while bytes are left: so available() is asked again after it. */
#ifndef AVITO_TRANSPORT_H
#define AVITO_TRANSPORT_H

#include <Arduino.h>
#include <Client.h>

#include "avito_messenger.h"

class AvitoTransport
{
  public:
    explicit AvitoTransport(Client &client) : client_(client), moved_(0), full_(false)
    {
    }

    /* `this` must outlive it. */
    avito_transport transport()
    {
        static const avito_transport_functions functions = {connect, send,  recv,    wants,
                                                            wait,    close, nullptr, moved};
        avito_transport t = {&functions, this};
        return t;
    }

  private:
    Client &client_;
    uint32_t moved_;
    bool full_; /* the last write took nothing */

    AvitoTransport(const AvitoTransport &) = delete;
    AvitoTransport &operator=(const AvitoTransport &) = delete;

    static AvitoTransport *self(void *ctx)
    {
        return static_cast<AvitoTransport *>(ctx);
    }

    static int connect(void *ctx, const avito_server *to)
    {
        self(ctx)->full_ = false;
        return self(ctx)->client_.connect(to->host, to->port) == 1
                   ? static_cast<int>(AVITO_OK)
                   : static_cast<int>(AVITO_ERR_CONNECT);
    }

    static long send(void *ctx, const void *data, size_t len, int)
    {
        AvitoTransport *t = self(ctx);
        const size_t most = 2048; /* what every chip of the Ethernet library holds */
        const size_t n =
            t->client_.write(static_cast<const uint8_t *>(data), len < most ? len : most);

        t->full_ = n == 0;
        t->moved_ += static_cast<uint32_t>(n);
        if (n > 0) {
            return static_cast<long>(n);
        }
        return t->client_.connected() ? AVITO_IO_AGAIN : static_cast<long>(AVITO_ERR_SEND);
    }

    static long recv(void *ctx, void *data, size_t cap)
    {
        AvitoTransport *t = self(ctx);
        int n = t->client_.available();

        if (n <= 0) {
            if (t->client_.connected()) {
                return AVITO_IO_AGAIN;
            }
            n = t->client_.available(); /* what came between the two questions */
            if (n <= 0) {
                return AVITO_IO_CLOSED;
            }
        }
        n = t->client_.read(static_cast<uint8_t *>(data),
                            static_cast<size_t>(n) < cap ? static_cast<size_t>(n) : cap);
        t->moved_ += n > 0 ? static_cast<uint32_t>(n) : 0u;
        return n > 0 ? n : AVITO_IO_AGAIN;
    }

    static int wants(void *ctx)
    {
        return AVITO_WANT_READ | (self(ctx)->full_ ? AVITO_WANT_WRITE : 0);
    }

    /* A Client has no wait: it is asked each millisecond. delay() feeds the watchdog and runs the network. */
    static int wait(void *ctx, int wants, uint32_t ms)
    {
        AvitoTransport *t = self(ctx);
        const uint32_t begin = static_cast<uint32_t>(millis());

        do {
            if ((wants & AVITO_WANT_READ) &&
                (t->client_.available() > 0 || !t->client_.connected())) {
                return AVITO_OK;
            }
            delay(1);
            if (wants & AVITO_WANT_WRITE) {
                return AVITO_OK; /* nothing tells when there is room: write() is tried again */
            }
        } while (static_cast<uint32_t>(millis()) - begin < ms);
        return AVITO_AGAIN;
    }

    static void close(void *ctx)
    {
        self(ctx)->client_.stop();
    }

    static uint32_t moved(void *ctx)
    {
        return self(ctx)->moved_;
    }
};

#endif
