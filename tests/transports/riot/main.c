/* main.c - avito_riot.h through the story. */
#include "tests/transports/story.h"

#define AVITO_RIOT_IMPLEMENTATION
#include "examples/transports/avito_riot.h"

int main(int argc, char **argv)
{
    static avito_riot net = {.address = "::1"};
    stack s = {"RIOT", {NULL, NULL}, avito_riot_clock_ms, avito_riot_entropy, true};

    s.transport = avito_riot_transport(&net);
    return story_run(&s, argc, argv);
}
