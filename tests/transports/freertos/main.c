/* main.c - avito_freertos.h through the story. */
#include "tests/transports/fake_net.h"
#include "tests/transports/story.h"

#define AVITO_FREERTOS_IMPLEMENTATION
#include "examples/transports/avito_freertos.h"

int main(int argc, char **argv)
{
    static avito_freertos net;
    stack s = {"FreeRTOS", {NULL, NULL}, avito_freertos_clock_ms, avito_freertos_entropy,
               false,      true,         fake_reset_after,        fake_stay_silent};

    s.transport = avito_freertos_transport(&net);
    return story_run(&s, argc, argv);
}
