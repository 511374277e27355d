/* Built by webhook_secret.sh under MemorySanitizer. The secret path is marked as uninitialised
 * memory, so that any branch or table index that depends on a byte of it stops the program. Code
 * that passes takes the same time for every wrong secret. With an argument the program itself
 * branches on the secret, which must be caught. */
#include <sanitizer/msan_interface.h>
#include <stdio.h>
#include <string.h>

#define AVITO_STATIC 1
#define AVITO_MESSENGER_IMPLEMENTATION
#include "avito_messenger.h"

#define SECRET "/hook/0123456789abcdef0123456789abcdef"

static char path[] = SECRET;
static char buffer[AVITO_WEBHOOK_SIZE(64)];

/* The status of the answer to a request for this target; 0: the check failed. */
static int status_for(const char *target)
{
    avito_webhook_options o = avito_webhook_options_default();
    avito_webhook w;
    char request[256];
    size_t used;
    int n = snprintf(request, sizeof request, "POST %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
    size_t until = strlen("POST ") + strlen(target) + 1;

    o.path = path;
    o.buffer = buffer;
    o.buffer_cap = sizeof buffer;
    if (avito_webhook_init(&w, &o, 0) != AVITO_OK) {
        return 0;
    }
    __msan_poison(path, strlen(SECRET));
    if (avito_webhook_receive(&w, request, until, &used, 0) != AVITO_AGAIN || used != until) {
        return 0;
    }
    /* Only the fact that there is a difference may be known. */
    if (__msan_test_shadow(&w.priv.difference, 1) < 0) {
        fprintf(stderr, "the comparison does not depend on the secret\n");
        return 0;
    }
    __msan_unpoison(&w.priv.difference, 1);
    (void)avito_webhook_receive(&w, request + until, (size_t)n - until, &used, 0);
    __msan_unpoison(path, strlen(SECRET));
    return avito_webhook_status(&w);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        __msan_poison(path, strlen(SECRET));
        return path[6] == '0' ? 0 : 1;
    }
    return status_for(SECRET) == 200 &&
                   status_for("/hook/0123456789abcdef0123456789abcdeX") == 404 &&
                   status_for("/hook/X123456789abcdef0123456789abcdef") == 404 &&
                   status_for("/hook/0123456789abcdef0123456789abcdef0") == 404 &&
                   status_for("/hook/01") == 404 && status_for("/") == 404
               ? 0
               : 1;
}
