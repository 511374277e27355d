/* webhook.c - avito webhook: where notifications go. The path of the URL is a secret. */
#include "format.h"
#include "jsonl.h"
#include "listener.h"
#include "run.h"
#include "russian.h"
#include "serve.h"
#include "session.h"
#include "show.h"

#include <stdlib.h>
#include <string.h>

/* The URL with everything masked but its host name. */
static void show_masked(avito_str given)
{
    const char *url = given.ptr != NULL ? given.ptr : "";
    const char *scheme = strstr(url, "://");
    const size_t from = scheme != NULL ? (size_t)(scheme - url) + 3 : 0;
    const size_t len = strcspn(url + from, "/?#");
    const bool named = memchr(url + from, '@', len) != NULL; /* a name and a password before it */
    const avito_str shown = {url, from + (named ? 0 : len)};
    const char *rest = url + shown.len;

    show_text(stdout, shown, SIZE_MAX);
    puts(rest[0] == '\0' || strcmp(rest, "/") == 0 ? rest : named ? "***" : "/***");
}

static int list_webhooks(session *s)
{
    avito_subscriptions all;
    const int result = avito_get_webhook_subscriptions(&s->avito.client, &s->avito.arena, &all);

    for (size_t i = 0; result == AVITO_OK && i < all.count; i++) {
        if (has_option(s->arguments, OPTION_JSON)) {
            json_open(stdout, NULL, '{');
            json_text(stdout, "url", all.items[i].url);
            json_text(stdout, "version", all.items[i].version);
            json_close(stdout, '}');
        } else if (has_option(s->arguments, OPTION_FORMAT)) {
            const format_field fields[] = {{"url", all.items[i].url},
                                           {"version", all.items[i].version}};

            print_format(s->arguments->values[OPTION_FORMAT], fields,
                         sizeof fields / sizeof *fields);
        } else {
            show_masked(all.items[i].url);
        }
    }
    if (result == AVITO_OK && all.count == 0) {
        session_remark(s, TEXT("No subscriptions.", "Подписок нет."));
    }
    return session_status(s, result);
}

/* The path in the first line of --path-file's file. NULL after saying why. */
static const char *read_path(const arguments *a)
{
    static char room[1100];
    const char *name = a->values[OPTION_PATH_FILE];
    FILE *file = name != NULL ? fopen(name, "r") : NULL;
    char *path = room + 1;
    const bool any = file != NULL && fgets(path, sizeof room - 1, file) != NULL;
    const bool failed = file == NULL || ferror(file);

    if (name == NULL) {
        complain(TEXT("--path-file names a file with the path: / and at least 32 hex digits\n",
                      "--path-file - файл с путём: / и не меньше 32 шестнадцатеричных цифр\n"));
    } else if (failed) {
        system_error(name);
    }
    if (file != NULL) {
        fclose(file);
    }
    path[any ? strcspn(path, "\r\n") : 0] = '\0';
    room[0] = '/'; /* where it stands without one */
    path -= path[0] != '/';
    return !failed && listener_path(path, name) ? path : NULL;
}

/* Without a host name it is only a path. */
static bool join(char *out, size_t size, const char *url, const char *path)
{
    const size_t len = strlen(url);
    const int n = snprintf(out, size, "%.*s%s",
                           (int)(len > 0 && url[len - 1] == '/' ? len - 1 : len), url, path);

    return n > 0 && (size_t)n < size;
}

/* The URL of the command line, with the secret path from the file. NULL after saying why. */
static const char *url_of(const arguments *a)
{
    static char url[2048];
    const char *path;

    if (!has_option(a, OPTION_PATH_FILE)) {
        return a->words[1];
    }
    path = read_path(a);
    if (path == NULL || join(url, sizeof url, a->words[1], path)) {
        return path != NULL ? url : NULL;
    }
    complain(TEXT("the URL is too long\n", "URL слишком длинный\n"));
    return NULL;
}

/* Its body is the secret path. */
static int change(session *s, int (*call)(avito_client *client, const char *url), sentence done)
{
    const char *url = url_of(s->arguments);

    return url != NULL ? session_report(s, call(&s->avito.client, url), false, done) : EXIT_USAGE;
}

static int add(session *s)
{
    return change(s, avito_subscribe_webhook, TEXT("Subscribed.", "Подписка оформлена."));
}

static int take_away(session *s)
{
    return change(s, avito_unsubscribe_webhook, TEXT("Unsubscribed.", "Подписка снята."));
}

int run_webhook_list(const arguments *a)
{
    return session_run(a, false, list_webhooks);
}

int run_webhook_add(const arguments *a)
{
    const char *url = a->words[1];

    if ((strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) ||
        strchr(url, ' ') != NULL) {
        complain(TEXT("the URL begins with https:// or http:// and has no blanks\n",
                      "URL начинается с https:// или http:// и без пробелов\n"));
        return EXIT_USAGE;
    }
    return session_run(a, false, add);
}

int run_webhook_remove(const arguments *a)
{
    return session_run(a, false, take_away);
}

int run_webhook_serve(const arguments *a)
{
    const char *path = check_format(a) ? read_path(a) : NULL;

    return path != NULL ? serve_webhook(a, path) : EXIT_USAGE;
}
