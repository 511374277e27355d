/* serve.c - avito webhook serve: notifications as lines, behind a proxy that ends TLS.
 *
 * A notification is written and flushed before it is answered. One that cannot be written is not
 * answered, and the service sends it again. */
#include "jsonl.h"
#include "listener.h"
#include "messages.h"
#include "russian.h"
#include "serve.h"
#include "show.h"

#include <errno.h>
#include <signal.h>

/* A notification of a type that no model knows: as it came, or that it came. */
static void print_unknown(session *s, const avito_webhook *webhook, avito_str type)
{
    size_t len;
    const char *body = avito_webhook_body(webhook, &len);

    if (has_option(s->arguments, OPTION_JSON)) {
        json_as_it_came(stdout, (avito_str){body, len});
    } else if (!has_option(s->arguments, OPTION_QUIET)) {
        complain(TEXT("A notification of another type, which --json shows: ",
                      "Уведомление другого вида, его покажет --json: "));
        show_text(stderr, type, SIZE_MAX);
        fputc('\n', stderr);
    }
}

/* Writes the notification. False: it is not answered. */
static bool hand_over_event(void *ctx, avito_webhook *webhook)
{
    static char room[4 * LISTENER_BODY_MAX];
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_event event;
    const int result = avito_webhook_event(webhook, &arena, &event, NULL);

    if (result == AVITO_OK && event.message != NULL) {
        print_message(ctx, event.message, NULL);
    } else if (result == AVITO_OK) {
        print_unknown(ctx, webhook, event.type);
    } else if (result < 0) {
        fprintf(stderr, "avito: %s\n", error_text(result)); /* the same bytes would come again */
    }
    return !output_failed();
}

static int serve(listener *l)
{
    struct pollfd fds[LISTENER_FDS];

    while (!ferror(stdout)) {
        const uint32_t ms = listener_prepare(l, fds);

        if (poll(fds, LISTENER_FDS, ms < 60000 ? (int)ms : 60000) < 0 && errno != EINTR) {
            system_error("avito: poll");
            return EXIT_LOCAL;
        }
        listener_step(l, fds);
    }
    return EXIT_LOCAL;
}

int serve_webhook(const arguments *a, const char *path)
{
    static listener l;
    int status;

    the_session.arguments = a;
    signal(SIGPIPE, SIG_IGN);
    show_begin(has_option(a, OPTION_QUIET));
    status = listener_open(&l, a->values[OPTION_LISTEN], path, hand_over_event, &the_session);
    return status == EXIT_DONE ? serve(&l) : status;
}
