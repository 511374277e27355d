/* main.c - avito_riot.h through the story. */
#include "tests/transports/fake_net.h"
#include "tests/transports/story.h"

#define AVITO_RIOT_IMPLEMENTATION
#include "examples/transports/avito_riot.h"

int main(int argc, char **argv)
{
    static avito_riot net; /* looks names up */
    stack s = {"RIOT", {NULL, NULL}, avito_riot_clock_ms, avito_riot_entropy,
               true,   true,         fake_reset_after,    fake_stay_silent};

    s.transport = avito_riot_transport(&net);
    return story_run(&s, argc, argv);
}
