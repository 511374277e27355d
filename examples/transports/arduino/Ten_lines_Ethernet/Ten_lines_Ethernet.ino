/* Ten lines: answers whoever is waiting. Any board with an Ethernet shield and 64 KB of RAM; time and random bytes are yours.
 *
 * По-русски: десять строк: отвечает каждому, кто ждёт. Любая плата с Ethernet и 64 КБ памяти; время и случайные числа даёте вы. */
#define AVITO_MESSENGER_IMPLEMENTATION
#include <Ethernet.h>
#include <AvitoArduino.h>
#include "roots.h" /* trust anchors: build/anchors roots.pem >roots.h */
#include "board.h" /* mac, and an AvitoBoard of this board */

EthernetClient net;
Avito<> avito(net, "client id", "client secret");

void setup()
{
    Ethernet.begin(mac);
    avito.begin(roots, roots_count, board);
}

void loop()
{
    avito_message message;

    if (avito.next(message) && (avito_classify(&message) != AVITO_CLASS_BUYER || avito.send(message.chat_id.ptr, "Здравствуйте!") || avito.perhapsSent())) { avito.accept(); }
}
