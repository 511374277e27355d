/* Ten lines: answers whoever is waiting. ESP32: the chip has room for everything.
 *
 * По-русски: десять строк: отвечает каждому, кто ждёт. ESP32: памяти хватает на всё. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include <WiFi.h>
#include <AvitoArduino.h>
#include "roots.h" /* trust anchors: build/anchors roots.pem >roots.h */

WiFiClient net;
Avito<> avito(net, "client id", "client secret");

void setup()
{
    WiFi.begin("network", "password");
    configTime(0, 0, "pool.ntp.org");
    avito.begin(roots, roots_count, avito_board());
}

void loop()
{
    avito_message message;

    if (avito.next(message) && (avito_classify(&message) != AVITO_CLASS_BUYER || avito.send(message.chat_id.ptr, "Здравствуйте!") || avito.perhapsSent())) { avito.accept(); }
}
