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
        session_remark(s, say(TEXT("No subscriptions.", "Подписок нет.")));
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
        fputs(say(TEXT("--path-file names a file with the path: / and at least 32 hex digits\n",
                       "--path-file - файл с путём: / и не меньше 32 шестнадцатеричных цифр\n")),
              stderr);
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

/* The URL of the command line, with the secret path from the file. */
static const char *url_of(const arguments *a)
{
    static char url[2048];
    const char *path;

    if (a->words_count < 2) {
        fputs(say(TEXT("the URL is missing\n", "нет URL\n")), stderr);
        return NULL;
    }
    if (strcmp(a->words[0], "add") == 0 && strncmp(a->words[1], "https://", 8) != 0 &&
        strncmp(a->words[1], "http://", 7) != 0) {
        fputs(say(TEXT("the URL begins with https:// or http://\n",
                       "URL начинается с https:// или http://\n")),
              stderr);
        return NULL;
    }
    if (!has_option(a, OPTION_PATH_FILE)) {
        return a->words[1];
    }
    path = read_path(a);
    if (path == NULL || join(url, sizeof url, a->words[1], path)) {
        return path != NULL ? url : NULL;
    }
    fputs(say(TEXT("the URL is too long\n", "URL слишком длинный\n")), stderr);
    return NULL;
}

static int change(session *s, const char *url, int (*call)(avito_client *client, const char *url),
                  sentence done)
{
    /* Its body is the secret path. */
    return session_report(s, call(&s->avito.client, url), false, done);
}

static int act(session *s, const char *what, const char *url)
{
    if (strcmp(what, "list") == 0) {
        return list_webhooks(s);
    }
    if (strcmp(what, "add") == 0) {
        return change(s, url, avito_subscribe_webhook, TEXT("Subscribed.", "Подписка оформлена."));
    }
    return change(s, url, avito_unsubscribe_webhook, TEXT("Unsubscribed.", "Подписка снята."));
}

int run_webhook(const arguments *a)
{
    session *s = &the_session;
    const char *what = a->words[0];
    const char *url = NULL;
    int status;

    if (!check_format(a)) {
        return EXIT_USAGE;
    }
    if (a->words_count > 1 && (strcmp(what, "serve") == 0 || strcmp(what, "list") == 0)) {
        return too_many(a, 1);
    }
    if (strcmp(what, "serve") == 0) {
        const char *path = read_path(a);

        return path != NULL ? serve_webhook(a, path) : EXIT_USAGE;
    }
    if (strcmp(what, "list") != 0 && strcmp(what, "add") != 0 && strcmp(what, "remove") != 0) {
        fputs(say(TEXT("avito webhook list, add URL, remove URL or serve\n",
                       "avito webhook list, add URL, remove URL или serve\n")),
              stderr);
        return EXIT_USAGE;
    }
    if (strcmp(what, "list") != 0 && (url = url_of(a)) == NULL) {
        return EXIT_USAGE;
    }
    show_begin(has_option(a, OPTION_QUIET));
    status = session_open(s, a, SESSION_TOKEN);
    status = status == EXIT_DONE ? act(s, what, url) : status;
    session_close(s);
    return status;
}
