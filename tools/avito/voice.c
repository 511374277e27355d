/* voice.c - avito voice: URLs of voice messages, or the files themselves. */
#include "download.h"
#include "format.h"
#include "jsonl.h"
#include "run.h"
#include "session.h"
#include "show.h"

#include <string.h>
#include <sys/stat.h>

/* Prints the URL, or the file that was saved. */
static int print_voice(const session *s, const avito_voice_file *file, const char *path)
{
    const avito_str saved = {path, path != NULL ? strlen(path) : 0};

    if (has_option(s->arguments, OPTION_JSON)) {
        json_open(stdout, NULL, '{');
        json_text(stdout, "voice_id", file->voice_id);
        json_text(stdout, "url", file->url);
        if (path != NULL) {
            json_open(stdout, "avito", '{');
            json_text(stdout, "file", saved);
            json_close(stdout, '}');
        }
        json_close(stdout, '}');
    } else if (has_option(s->arguments, OPTION_FORMAT)) {
        const format_field fields[] = {{"id", file->voice_id}, {"url", file->url}};

        print_format(s->arguments->values[OPTION_FORMAT], fields, sizeof fields / sizeof *fields);
    } else {
        show_text(stdout, path != NULL ? saved : file->url, SIZE_MAX);
        fputc('\n', stdout);
    }
    return EXIT_DONE;
}

/* A file name made only of the id: a stranger's data must not choose a path. */
static int save_voice(session *s, const avito_voice_file *file)
{
    char path[4096];
    int status;

    if (file->voice_id.len == 0 ||
        strspn(file->voice_id.ptr, "0123456789abcdefABCDEF-_") != file->voice_id.len) {
        complain(TEXT("avito: the id cannot be a file name\n",
                      "avito: такой id не годится для имени файла\n"));
        return EXIT_ANSWER;
    }
    snprintf(path, sizeof path, "%s/%s.mp4", s->arguments->values[OPTION_SAVE], file->voice_id.ptr);
    status = download(s, file->url.ptr != NULL ? file->url.ptr : "", path);
    return status == EXIT_DONE ? print_voice(s, file, path) : status;
}

static int show_voice(session *s, const avito_voice_file *file)
{
    if (has_option(s->arguments, OPTION_SAVE)) {
        return save_voice(s, file);
    }
    return print_voice(s, file, NULL);
}

static bool is_in(const avito_voice_files *files, const char *id)
{
    size_t i = 0;

    while (i < files->count && !avito_str_equal(files->items[i].voice_id, id)) {
        i++;
    }
    return i < files->count;
}

/* The service leaves out those that it does not know. */
static int say_unknown(const session *s, const avito_voice_files *files)
{
    const arguments *a = s->arguments;
    int status = EXIT_DONE;

    for (size_t i = 0; i < a->words_count; i++) {
        if (!is_in(files, a->words[i])) {
            complain(TEXT("avito: %s: no voice message has this id; avito messages shows them\n",
                          "avito: %s: нет такого голосового; id покажет avito messages\n"),
                     a->words[i]);
            status = EXIT_REFUSED;
        }
    }
    return status;
}

static int get_voices(session *s)
{
    avito_voice_files files;
    const int result = avito_get_voice_files(&s->avito.client, s->user_id, s->arguments->words,
                                             s->arguments->words_count, &s->avito.arena, &files);
    int status = session_status(s, result);

    if (status != EXIT_DONE) {
        return status;
    }
    for (size_t i = 0; i < files.count; i++) {
        const int one = show_voice(s, &files.items[i]);

        status = status == EXIT_DONE ? one : status; /* the others are saved all the same */
    }
    const int unknown = say_unknown(s, &files);

    return status == EXIT_DONE ? unknown : status;
}

int run_voice(const arguments *a)
{
    if (has_option(a, OPTION_SAVE)) {
        mkdir(a->values[OPTION_SAVE], 0777);
    }
    return session_run(a, true, get_voices);
}
