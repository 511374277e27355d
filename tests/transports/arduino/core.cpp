/* core.cpp - see Arduino.h and Client.h of this folder. */
#include "Client.h"

extern "C" {
#include "tests/transports/fake_net.h"
}

#include <arpa/inet.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

extern "C" int os_get_random(unsigned char *out, size_t len);

unsigned long millis()
{
    return static_cast<uint32_t>(fake_now_ms());
}

void delay(unsigned long ms)
{
    fake_sleep_ms(static_cast<long>(ms));
}

void yield()
{
}

void configTime(long, int, const char *)
{
}

int os_get_random(unsigned char *out, size_t len)
{
    return fake_random(out, len);
}

int SocketClient::connect(const char *host, uint16_t port)
{
    if (strcmp(host, "localhost") != 0) {
        return 0;
    }
    fd_ = fake_socket();
    for (int turn = 0; turn < 100; turn++) {
        const int rc = fake_connect(fd_, htonl(0x7f000001), port);

        if (rc != FAKE_AGAIN) {
            return rc == 0;
        }
        fake_poll(fd_, false, true, 50);
    }
    return 0;
}

bool SocketClient::write_all(const uint8_t *data, size_t len)
{
    while (len > 0) {
        const long n = fake_send(fd_, data, len);

        if (n == FAKE_FULL) {
            fake_poll(fd_, false, true, 100);
        } else if (n <= 0) {
            return false;
        } else {
            data += n;
            len -= static_cast<size_t>(n);
        }
    }
    return true;
}

/* 0: the stack is full, or the line is dead. */
size_t SocketClient::write(const uint8_t *data, size_t len)
{
    if (fd_ >= 0 && holds > 0) {
        return write_all(data, len < holds ? len : holds) ? len : 0;
    }
    const long n = fd_ < 0 ? 0 : fake_send(fd_, data, len);

    return n > 0 ? static_cast<size_t>(n) : 0;
}

int SocketClient::available()
{
    int n = 0;

    return fd_ >= 0 && !fake_is_reset() && ioctl(fd_, FIONREAD, &n) == 0 ? n : 0;
}

int SocketClient::read(uint8_t *data, size_t cap)
{
    const long n = fd_ < 0 ? 0 : fake_recv(fd_, data, cap);

    return n > 0 ? static_cast<int>(n) : nothing;
}

void SocketClient::stop()
{
    if (fd_ >= 0) {
        fake_close(fd_);
    }
    fd_ = -1;
}

uint8_t SocketClient::connected()
{
    struct pollfd p = {fd_, POLLRDHUP, 0};

    if (fd_ < 0 || fake_is_reset()) {
        return 0;
    }
    poll(&p, 1, 0);
    if (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) {
        return forgets_at_end ? 0 : available() > 0;
    }
    return 1;
}
