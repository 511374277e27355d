/* watch.c - avito watch: gives each new message once, to a person, a program or a command.
 *
 * A message is accepted after it was written, or after the command ended with 0. Until then it
 * comes again, even after kill -9, so there is nothing to clean up and no signal to catch. */
#include "disk.h"
#include "format.h"
#include "jsonl.h"
#include "messages.h"
#include "run.h"
#include "russian.h"
#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RING_IDS    8192u
#define CHATS       1024u
#define PAUSE_MAX_S 60u
#define GRACE_S     2u           /* for a command to end by itself */
#define YEAR_9999   253402300799 /* its end */
#define ASIDE_FILE  "aside.jsonl"

struct watch {
    session *session;
    avito_inbox inbox;
    avito_arena room;              /* for a message's chat: the inbox uses the session's arena */
    avito_chat chat;               /* the one looked up last */
    long count, give_up;           /* 0: no end */
    uint32_t begin_ms, timeout_ms; /* timeout_ms 0: none */
    long given;
    bool is_waiting; /* already reported */
    bool goes_on;    /* from where the last run has ended */
};

static char ring[AVITO_INBOX_STATE_SIZE(RING_IDS)];
static char records[AVITO_INBOX_CHATS_SIZE(CHATS)]; /* so that a poll costs only what is new */
static char chat_room[32768];

/* ---- whose message it is ---- */

/* Looks a chat up once for several of its messages. NULL: that fails now, and the message is shown
 * without names. */
static const avito_chat *chat_of(struct watch *w, const avito_message *m)
{
    if (w->chat.id.ptr == NULL || !avito_str_equal(m->chat_id, w->chat.id.ptr)) {
        avito_arena_reset(&w->room);
        if (avito_get_chat(&w->session->avito.client, w->session->user_id, m->chat_id.ptr, &w->room,
                           &w->chat) != AVITO_OK) {
            memset(&w->chat, 0, sizeof w->chat);
        }
    }
    return w->chat.id.ptr != NULL ? &w->chat : NULL;
}

/* ---- a command for each message ---- */

/* A command must not inherit our secrets. */
static void run_in_child(const char *line, int input)
{
    dup2(input, STDIN_FILENO);
    close(input);
    unsetenv("AVITO_CLIENT_ID");
    unsetenv("AVITO_CLIENT_SECRET");
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

/* Of the command, and what it has started: only under --timeout has it a group of its own. */
static pid_t group;
static volatile sig_atomic_t late; /* how often its time was over */

static void end_group(int number)
{
    (void)number;
    kill(-group, late++ > 0 ? SIGKILL : SIGTERM);
    alarm(GRACE_S);
}

/* Ctrl-C reaches only our own group. */
static void end_both(int number)
{
    kill(-group, number);
    signal(number, SIG_DFL);
    raise(number);
}

/* The group that begins with this process has so much time; UINT32_MAX: all. */
static void limit_time(pid_t child, uint32_t ms)
{
    if (ms < UINT32_MAX) {
        (void)setpgid(child, child); /* both sides do, since nobody knows which is first */
        group = child;
        late = 0;
        on_endings(end_both);
        signal(SIGALRM, end_group);
        alarm(ms / 1000u + 1u);
    }
}

/* The command's status; -1: it could not be started. */
static int run_command(const char *line, const char *json, size_t len, uint32_t most_ms)
{
    int ends[2], status = -1;
    pid_t child;

    if (pipe(ends) != 0) {
        return -1;
    }
    child = fork();
    if (child == 0) {
        if (most_ms < UINT32_MAX) {
            (void)setpgid(0, 0);
        }
        close(ends[1]);
        run_in_child(line, ends[0]);
    }
    close(ends[0]);
    if (child > 0) {
        limit_time(child, most_ms);
        (void)disk_put(ends[1], json, len); /* it need not read its input: only its status counts */
    }
    close(ends[1]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    alarm(0);
    on_endings(SIG_DFL);
    return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status)
           : child > 0                    ? 128 + WTERMSIG(status)
                                          : -1;
}

/* Adds a line to aside.jsonl, on the disk before the message counts as done. */
static int set_aside(struct watch *w, const char *json, size_t len)
{
    const char *folder = w->session->account.folder;
    char path[sizeof w->session->account.folder + 16];

    snprintf(path, sizeof path, "%s/" ASIDE_FILE, folder);
    if (disk_append(folder, ASIDE_FILE, json, len) != AVITO_OK) {
        system_error(path);
        return EXIT_LOCAL;
    }
    complain(TEXT("avito: the command failed; a message was set aside into %s\n",
                  "avito: команда не удалась, сообщение отложено в %s\n"),
             path);
    return EXIT_DONE;
}

/* Milliseconds that --timeout leaves; UINT32_MAX without it. */
static uint32_t time_left(const struct watch *w)
{
    const uint32_t spent_ms = avito_posix_clock_ms(NULL) - w->begin_ms;

    return w->timeout_ms == 0         ? UINT32_MAX
           : spent_ms < w->timeout_ms ? w->timeout_ms - spent_ms
                                      : 0;
}

/* Runs the command until it ends with 0, gives up, or the time is over: then the message stays. Reports
 * only once that it fails. */
static int hand_to_command(struct watch *w, const char *json, size_t len)
{
    const char *line = w->session->arguments->values[OPTION_EXEC];
    unsigned pause_s = 1;

    for (long failures = 1;; failures++) {
        const int status = run_command(line, json, len, time_left(w));

        if (status == 0) {
            return EXIT_DONE;
        }
        if (time_left(w) == 0) {
            complain(
                TEXT("avito: the time is over before the command was done: the message stays\n",
                     "avito: время вышло раньше, чем команда справилась: сообщение остаётся\n"));
            return EXIT_LOCAL;
        }
        if (failures == 1 && w->give_up != 1) {
            complain(
                TEXT("avito: the command ended with %d; the message stays, and it is run again\n",
                     "avito: команда завершилась с кодом %d; сообщение остаётся, команда "
                     "повторится\n"),
                status);
        }
        if (w->give_up > 0 && failures >= w->give_up) {
            return set_aside(w, json, len);
        }
        if (time_left(w) < pause_s * 1000u) {
            return EXIT_LOCAL;
        }
        sleep(pause_s);
        pause_s = pause_s * 2 < PAUSE_MAX_S ? pause_s * 2 : PAUSE_MAX_S;
    }
}

static int exec_for(struct watch *w, const avito_message *m)
{
    char *json = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&json, &len);
    int status = EXIT_LOCAL;

    if (memory != NULL) {
        const bool ok = json_message(memory, NULL, m, chat_of(w, m));

        fclose(memory);
        status = ok ? hand_to_command(w, json, len) : EXIT_LOCAL;
    }
    free(json);
    return status;
}

/* ---- the stream ---- */

static int hand_over(struct watch *w, const avito_message *m)
{
    show_progress_end();
    if (has_option(w->session->arguments, OPTION_EXEC)) {
        return exec_for(w, m);
    }
    print_message(w->session, m, chat_of(w, m));
    return output_failed() ? EXIT_LOCAL : EXIT_DONE;
}

/* accept() writes the state: on a full disk the message stays unaccepted. */
static int accept_message(struct watch *w)
{
    const int result = avito_inbox_accept(&w->inbox);

    w->given += result == AVITO_OK;
    return session_status(w->session, result);
}

static unsigned say_events(struct watch *w)
{
    const unsigned events = avito_inbox_events(&w->inbox);
    unsigned left = events;
    sentence what;

    while (take_inbox_event(&left, &what)) {
        session_remark(w->session, what);
    }
    return events;
}

static bool is_over(const struct watch *w)
{
    return (w->count > 0 && w->given >= w->count) || time_left(w) == 0;
}

/* A failed round is reported once, not each time it fails in the same way; nor that its time was up. */
static void say_failure(struct watch *w, int result, int *last)
{
    if (result != *last && time_left(w) > 0) {
        session_status(w->session, result);
    }
    *last = result;
}

/* Shown once, and removed by the first message. */
static void say_waiting(struct watch *w)
{
    if (!w->is_waiting) {
        show_progress("%s", say(TEXT("waiting for messages; Ctrl-C ends it",
                                     "жду сообщений; Ctrl-C - закончить")));
    }
    w->is_waiting = true;
}

/* None of its calls waits much longer than --timeout. */
static int next_message(struct watch *w, avito_message *m)
{
    uint32_t *most_ms = &w->session->avito.client.o.total_timeout_ms;
    int result;

    *most_ms = session_call_ms(time_left(w));
    result = avito_inbox_next(&w->inbox, m);
    *most_ms = session_call_ms(UINT32_MAX);
    return result;
}

/* Gives messages until the count, the time or a failure ends it; other failures pass. */
static int stream(struct watch *w)
{
    int status = EXIT_DONE, failure = AVITO_OK;

    while (status == EXIT_DONE && !is_over(w)) {
        avito_message m;
        const int result = next_message(w, &m);

        (void)say_events(w);
        if (result == AVITO_OK) {
            failure = AVITO_OK;
            status = hand_over(w, &m);
            status = status == EXIT_DONE ? accept_message(w) : status;
        } else if (result == AVITO_ERR_BUSY || result == AVITO_ERR_FILE ||
                   status_of(result, AVITO_NOT_SENT) == EXIT_CREDENTIALS) {
            status = session_status(w->session, result); /* waiting would not help */
        } else if (result < 0) {
            say_failure(w, result, &failure);
        } else { /* its first round is over: messages from now on are given */
            say_waiting(w);
        }
    }
    if (status != EXIT_DONE || w->given > 0 || w->timeout_ms == 0) {
        return status;
    }
    session_remark(w->session, TEXT("Nothing came in time.", "Вовремя ничего не пришло."));
    return EXIT_NOTHING;
}

/* ---- avito watch ---- */

/* "2026-10-31" or "2026-10-31T12:00:00Z"; strptime() would be 1.5 KB of the static program. */
static bool date_of(const char *word, int64_t *out)
{
    const bool has_time = strchr(word, 'T') != NULL;
    const char *ends = has_time ? "--T::Z" : "--";
    const int count = has_time ? 6 : 3;
    int n[6] = {0};
    struct tm t;

    for (int i = 0; i < count; i++) {
        char *end = NULL;
        const long number = *word >= '0' && *word <= '9' ? strtol(word, &end, 10) : -1;

        if (number < 0 || number > 9999 || *end != ends[i]) {
            return false;
        }
        n[i] = (int)number;
        word = end + (*end != '\0');
    }
    memset(&t, 0, sizeof t);
    t.tm_year = n[0] - 1900;
    t.tm_mon = n[1] - 1;
    t.tm_mday = n[2];
    t.tm_hour = n[3];
    t.tm_min = n[4];
    t.tm_sec = n[5];
    *out = (int64_t)timegm(&t); /* takes 31 February for a day in March */
    return *word == '\0' && t.tm_mon == n[1] - 1 && t.tm_mday == n[2] && t.tm_hour == n[3] &&
           t.tm_min == n[4] && t.tm_sec == n[5];
}

/* A date, or unix seconds. */
static bool time_of(const char *word, int64_t *out)
{
    bool is_time = date_of(word, out);

    if (!is_time) {
        char *end;

        *out = strtoll(word, &end, 10);
        is_time = end > word && *end == '\0' && *out > 0 && *out <= YEAR_9999;
    }
    if (!is_time) {
        complain(TEXT("--since: not a time: %s\n", "--since: не время: %s\n"), word);
    }
    return is_time;
}

static bool take_options(struct watch *w, const arguments *a, avito_inbox_options *o)
{
    long timeout_s = 0;

    if (!number_of(a, OPTION_COUNT, 1, 1000000000, &w->count) ||
        !number_of(a, OPTION_TIMEOUT, 1, WATCH_MAX_S, &timeout_s) ||
        !number_of(a, OPTION_GIVE_UP, 1, 1000000, &w->give_up) || !check_format(a) ||
        (has_option(a, OPTION_SINCE) && !time_of(a->values[OPTION_SINCE], &o->since))) {
        return false;
    }
    w->timeout_ms = (uint32_t)timeout_s * 1000u;
    o->start = has_option(a, OPTION_SINCE)    ? AVITO_START_SINCE
               : has_option(a, OPTION_UNREAD) ? AVITO_START_UNREAD
                                              : AVITO_START_NOW;
    o->mark_as_read = has_option(a, OPTION_MARK_READ);
    return true;
}

static int load(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    struct watch *w = ctx;
    const int rc = avito_store_load_inbox(&w->session->avito.store, slot, data, cap, len);

    w->goes_on = w->goes_on || rc == AVITO_OK;
    return rc;
}

static int save(void *ctx, int slot, const void *data, size_t len)
{
    return avito_store_save_inbox(&((struct watch *)ctx)->session->avito.store, slot, data, len);
}

/* Where the stored state says where to begin, these options do not. */
static void say_start(const struct watch *w, unsigned events)
{
    const arguments *a = w->session->arguments;

    if (w->goes_on && (events & AVITO_INBOX_STATE_LOST) == 0 &&
        (has_option(a, OPTION_SINCE) || has_option(a, OPTION_UNREAD))) {
        session_remark(w->session,
                       TEXT("--since and --unread count in the first run: this one goes on "
                            "where the last one ended.",
                            "--since и --unread действуют при первом запуске: этот продолжает "
                            "с места, где кончил прошлый."));
    }
}

/* Takes the account's inbox for this process, and opens it with the stored state. */
static int open_inbox(struct watch *w, avito_inbox_options *o)
{
    session *s = w->session;
    int status = session_user(s);
    int result;

    if (status != EXIT_DONE) {
        return status;
    }
    result = avito_store_take_inbox(&s->avito.store);
    if (result != AVITO_OK) {
        return session_status(s, result);
    }
    o->user_id = s->user_id;
    o->state = ring;
    o->state_cap = sizeof ring;
    o->chats = records;
    o->chats_cap = sizeof records;
    o->nap_ms = 500; /* for --timeout and --count */
    o->arena = &s->avito.arena;
    o->ctx = w;
    o->save = save;
    o->load = load;
    result = avito_inbox_init(&w->inbox, &s->avito.client, o);
    if (result == AVITO_OK) {
        say_start(w, say_events(w));
    }
    return session_status(s, result);
}

int run_watch(const arguments *a)
{
    static struct watch w;
    avito_inbox_options o = avito_inbox_options_default();
    int status;

    w.session = &the_session;
    w.room = avito_arena_of(chat_room, sizeof chat_room);
    w.begin_ms = avito_posix_clock_ms(NULL);
    if (!take_options(&w, a, &o)) {
        return EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* where our parent ignores it, no status of a command would come */
    show_begin(has_option(a, OPTION_QUIET));
    status = session_open(w.session, a, SESSION_STATE);
    status = status == EXIT_DONE ? open_inbox(&w, &o) : status;
    status = status == EXIT_DONE ? stream(&w) : status;
    session_close(w.session);
    return status;
}
