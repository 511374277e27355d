/* Client of the Arduino cores, and one over a socket with the habits of real ones. */
#ifndef FAKE_CLIENT_H
#define FAKE_CLIENT_H

#include "Arduino.h"

class Client
{
  public:
    virtual ~Client()
    {
    }
    virtual int connect(const char *host, uint16_t port) = 0;
    virtual size_t write(const uint8_t *data, size_t len) = 0;
    virtual int available() = 0;
    virtual int read(uint8_t *data, size_t cap) = 0;
    virtual void stop() = 0;
    virtual uint8_t connected() = 0;
};

class SocketClient : public Client
{
  public:
    int connect(const char *host, uint16_t port) override;
    size_t write(const uint8_t *data, size_t len) override;
    int available() override;
    int read(uint8_t *data, size_t cap) override;
    void stop() override;
    uint8_t connected() override;

    int nothing = 0;             /* read()'s "nothing yet": 0 (ESP8266) or -1 (ESP32) */
    bool forgets_at_end = false; /* connected() is false once the end came, though bytes are left */
    size_t holds =
        0; /* write() waits, takes this many bytes and reports all (Ethernet); 0: what it reports */

  private:
    bool write_all(const uint8_t *data, size_t len);

    int fd_ = -1;
};

#endif
