/* Ten lines: answers whoever is waiting. ESP8266: TLS by the core, because BearSSL does not fit the stack of a sketch.
 *
 * По-русски: десять строк: отвечает каждому, кто ждёт. ESP8266: TLS от самого ядра, потому что BearSSL не помещается в стек скетча. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include <ESP8266WiFi.h>
#include <AvitoArduino.h>
#include "roots.h" /* BearSSL::X509List roots(the PEM of the roots) */

WiFiClientSecure net; /* its own TLS: the sketch has 4 KB of stack */
Avito<512> avito(net, "client id", "client secret");

void setup()
{
    WiFi.begin("network", "password");
    configTime(0, 0, "pool.ntp.org");
    net.setTrustAnchors(&roots);
    avito.beginSecure(avito_board());
}

void loop()
{
    avito_message message;

    if (avito.next(message) && (avito_classify(&message) != AVITO_CLASS_BUYER || avito.send(message.chat_id.ptr, "Здравствуйте!") || avito.perhapsSent())) { avito.accept(); }
}
