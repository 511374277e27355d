/* cc -I. examples/11_auto_answer_bot.c -o build/11_auto_answer_bot -lbearssl
 *
 * По-русски: отвечает каждому покупателю один раз и переживает kill -9 в любой момент.
 *
 * Answers each buyer once, and may be killed (kill -9) at any moment: 11_auto_answer_bot FOLDER TEXT
 *
 * Nothing is lost: the inbox gives a message until it is accepted, and it is accepted only when its
 * chat is answered, or is in a list of answers that are owed. Nothing is sent twice: the chat
 * itself shows whether a buyer has his answer; and for an answer that has just left and may not be
 * in the chat yet, the list has a note, written first. FOLDER holds the inbox's two slots and that
 * list. A failure in one chat does not hold up the others; buyers who got no answer are reported on
 * stderr.
 *
 * AVITO_BOT_POLL_MS: pause between two rounds; AVITO_BOT_GRACE_S: how late a message may show
 * up. */
#define _GNU_SOURCE
#include "example.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char roots[256 * 1024], records[AVITO_TLS_BUFFER_HALF(16384)];
static char tokens[AVITO_TOKENS_SIZE(128)], window[2048];
static char inbox_room[16384], chat_room[16384]; /* each for one message */
static char state[AVITO_INBOX_STATE_SIZE(512)];  /* remembers 512 ids */
static int folder;                               /* its descriptor */

/* ---- files: written whole or not at all ---- */

static int write_file(const char *name, const void *data, size_t len)
{
    int fd = openat(folder, "new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bool good = fd >= 0 && write(fd, data, len) == (ssize_t)len && fsync(fd) == 0;

    good = (fd < 0 || close(fd) == 0) && good;
    if (good && renameat(folder, "new", folder, name) == 0 && fsync(folder) == 0) {
        return AVITO_OK;
    }
    perror("FOLDER cannot be written"); /* e.g. a full disk: the message waits for it */
    return AVITO_ERR_HOOK;
}

static int read_file(const char *name, void *data, size_t cap, size_t *len)
{
    int fd = openat(folder, name, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, data, cap) : -1;

    if (fd < 0 && errno == ENOENT) {
        return AVITO_END;
    }
    if (n < 0) {
        perror(name);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    *len = n > 0 ? (size_t)n : 0;
    return n >= 0 ? AVITO_OK : AVITO_ERR_HOOK;
}

static int save_state(void *ctx, int slot, const void *data, size_t len)
{
    (void)ctx;
    return write_file(slot == 0 ? "inbox.0" : "inbox.1", data, len);
}

static int load_state(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    (void)ctx;
    return read_file(slot == 0 ? "inbox.0" : "inbox.1", data, cap, len);
}

/* ---- the answers that are owed ---- */

enum { ANSWERS = 32, LONGEST_PAUSE_S = 300, GIVE_UP_S = 24 * 60 * 60 };

typedef struct answer {
    char chat_id[68];
    char baseline_id[68]; /* newest message of the chat before the answer left */
    int64_t baseline_created;
    int64_t left;    /* when it left, unix seconds; 0: it did not */
    int64_t since;   /* when it was first wanted */
    int64_t due;     /* when to try it next */
    int64_t pause_s; /* the pause after the next failure */
    int failure;     /* the error that was reported */
    bool sent;       /* the service said so; the chat may not show it yet */
} answer;

static answer answers[ANSWERS];
static size_t answers_count;

static int save_answers(void)
{
    return write_file("answers", answers, answers_count * sizeof *answers);
}

static bool load_answers(void)
{
    size_t i, len = 0;
    int result = read_file("answers", answers, sizeof answers, &len);

    answers_count = len / sizeof *answers;
    for (i = 0; i < answers_count; i++) {
        answers[i].due = 0;
    }
    return result == AVITO_OK || result == AVITO_END;
}

/* The entry of this chat, or a new one. NULL: there is no room for one. */
static answer *answer_for(const char *chat_id)
{
    answer *a = answers;

    while (a < answers + answers_count && strcmp(a->chat_id, chat_id) != 0) {
        a++;
    }
    if (a == answers + ANSWERS) {
        return NULL;
    }
    if (a == answers + answers_count) {
        memset(a, 0, sizeof *a);
        (void)snprintf(a->chat_id, sizeof a->chat_id, "%s", chat_id);
        a->since = avito_posix_unix_time(NULL);
        answers_count++;
    }
    return a;
}

static void remove_answer(answer *a)
{
    *a = answers[--answers_count];
    (void)save_answers(); /* if that fails, the chat will show the answer */
}

/* ---- one buyer, one answer ---- */

/* Reads the chat, newest first: is our text among the messages? Also notes the newest one. */
static int look_for(avito_client *client, int64_t user_id, const char *text, answer *n, bool *found)
{
    avito_arena arena = avito_arena_of(chat_room, sizeof chat_room);
    avito_messages_query query = {.all_pages = true, .want = AVITO_MESSAGE_CONTENTS};
    avito_message message;
    int result = avito_list_messages(client, user_id, n->chat_id, &query, &arena);

    *found = false;
    n->baseline_id[0] = '\0';
    while (!*found && avito_list_open(client)) {
        result = avito_next_message(client, &message);
        if (result != AVITO_OK) {
            continue; /* too large or of a new kind: not ours; else the list has ended */
        }
        if (n->baseline_id[0] == '\0' && message.id.ptr != NULL &&
            message.id.len < sizeof n->baseline_id) {
            memcpy(n->baseline_id, message.id.ptr, message.id.len + 1);
            n->baseline_created = message.created;
        }
        *found = message.is_own && message.content.kind == AVITO_MESSAGE_TEXT &&
                 avito_str_equal(message.content.as.text, text);
    }
    if (*found) {
        return avito_list_end(client, 4096);
    }
    return result == AVITO_END ? AVITO_OK : result;
}

/* Looks for an answer that may have left before we were killed, or whose reply was lost. */
static int settle(avito_client *client, int64_t user_id, const char *text, const answer *n,
                  avito_outcome *outcome)
{
    avito_arena arena = avito_arena_of(chat_room, sizeof chat_room);
    int64_t age = avito_posix_unix_time(NULL) - n->left;
    avito_sent_query query = {.text = text,
                              .baseline_id = n->baseline_id[0] != '\0' ? n->baseline_id : NULL,
                              .baseline_created = n->baseline_created,
                              .age_s = (uint32_t)(age > 0 ? age : 0),
                              .grace_s = (uint32_t)atoi(example_env("AVITO_BOT_GRACE_S", "60"))};
    avito_message found;

    return avito_confirm_sent(client, user_id, n->chat_id, &query, &arena, outcome, &found);
}

/* AVITO_OK: this buyer has his answer, and it can be seen. AVITO_AGAIN: that cannot be told yet. */
static int answer_once(avito_client *client, int64_t user_id, const char *text, answer *a)
{
    bool found = false;
    avito_outcome outcome = AVITO_NOT_SENT;
    int result;

    if (a->left != 0) {
        result = settle(client, user_id, text, a, &outcome);
        if (result != AVITO_OK || outcome == AVITO_CANNOT_TELL) {
            return result != AVITO_OK ? result : AVITO_AGAIN;
        }
        if (outcome == AVITO_SENT && !a->sent) {
            printf("%s: the answer had left before\n", a->chat_id);
        }
        if (outcome == AVITO_SENT || a->sent) {
            return AVITO_OK;
        }
    }
    result = look_for(client, user_id, text, a, &found);
    if (result != AVITO_OK || found) {
        return result;
    }
    a->left = avito_posix_unix_time(NULL);
    if (save_answers() != AVITO_OK) {
        a->left = 0;
        return AVITO_ERR_HOOK;
    }
    printf("%s: answering\n", a->chat_id);
    result = avito_send_message(client, user_id, a->chat_id, text, NULL, NULL);
    if (result == AVITO_OK) {
        printf("%s: answered\n", a->chat_id);
        a->sent = true;
        return AVITO_AGAIN; /* until it is shown: a second message of the buyer must find it */
    }
    if (avito_last_error(client)->outcome == AVITO_NOT_SENT) {
        a->left = 0;
    }
    return result;
}

/* Whether the failure concerns only this chat, and will not pass. */
static bool is_final(int result)
{
    return result == AVITO_ERR_ID || result == AVITO_ERR_BAD_REQUEST ||
           result == AVITO_ERR_FORBIDDEN || result == AVITO_ERR_NOT_FOUND;
}

/* Whether it concerns all chats: FOLDER, the network, the account. Then waiting holds up no other
 * chat. */
static bool is_common(int result)
{
    return result == AVITO_ERR_HOOK || result / 100 == -3 || result == AVITO_ERR_UNAUTHORIZED ||
           result == AVITO_ERR_PAYMENT || result == AVITO_ERR_RATE ||
           result == AVITO_ERR_CREDENTIALS;
}

/* Reports each kind of failure once, for the person who looks after the bot. */
static void tell_failure(const avito_client *client, answer *a, int result, bool given_up)
{
    if (!given_up && (result >= 0 || result == a->failure)) {
        return;
    }
    a->failure = result;
    fprintf(stderr, "%s: %s, %s: ", a->chat_id,
            a->sent        ? "answered, but not seen there yet"
            : a->left != 0 ? "perhaps answered"
                           : "not answered",
            given_up ? "given up" : "tried again later");
    (void)example_failed(client, result);
}

/* One attempt. AVITO_OK: this chat is done, answered or given up; AVITO_AGAIN or an error:
 * later. */
static int try_answer(avito_client *client, int64_t user_id, const char *text, answer *a)
{
    int result = answer_once(client, user_id, text, a);
    int64_t now = avito_posix_unix_time(NULL);
    bool given_up = is_final(result) || (now - a->since >= GIVE_UP_S && !is_common(result));

    if (result == AVITO_OK) {
        return AVITO_OK;
    }
    if (result == AVITO_ERR_TEXT || result == AVITO_ERR_UTF8) {
        (void)example_failed(client, result);
        exit(2); /* this text can never be sent; a corrected one will go to the same chats */
    }
    tell_failure(client, a, result, given_up);
    if (result < 0) {
        a->pause_s = a->pause_s == 0 ? 1 : a->pause_s * 2;
        a->pause_s = a->pause_s < LONGEST_PAUSE_S ? a->pause_s : LONGEST_PAUSE_S;
    }
    a->due = now + (result < 0 ? a->pause_s : 1);
    return given_up ? AVITO_OK : result;
}

/* Sends the answers that are due. Stops at one that fails, since the others may fail in the same
 * way. */
static void try_answers(avito_client *client, int64_t user_id, const char *text)
{
    size_t i = 0;
    int result = AVITO_OK;

    while (i < answers_count && result >= 0) {
        result = AVITO_AGAIN;
        if (answers[i].due <= avito_posix_unix_time(NULL)) {
            result = try_answer(client, user_id, text, &answers[i]);
        }
        if (result == AVITO_OK) {
            remove_answer(&answers[i]);
        } else {
            i++;
        }
    }
}

/* Accepts the present message when its chat is done, or is in the list. */
static void handle(avito_inbox *inbox, avito_client *client, int64_t user_id,
                   const avito_message *message, const char *text)
{
    bool buyer = avito_classify(message) == AVITO_CLASS_BUYER, done = false;
    answer *a = NULL;

    if (buyer) {
        a = answer_for(message->chat_id.ptr);
        done = a != NULL && a->due <= avito_posix_unix_time(NULL) &&
               try_answer(client, user_id, text, a) == AVITO_OK;
        if (a == NULL || (!done && save_answers() != AVITO_OK)) {
            (void)sleep(1); /* no room in the list or on the disk: the message comes again */
            return;
        }
    }
    while (avito_inbox_accept(inbox) == AVITO_ERR_HOOK) {
        (void)sleep(1);
    }
    if (done) {
        remove_answer(a);
    }
}

/* Reports what the inbox could not do: somebody has to look after it. */
static void tell(unsigned events)
{
    if ((events & AVITO_INBOX_UNREACHABLE) != 0) {
        fprintf(stderr, "some messages could not be read: look into the app\n");
    }
    if ((events & AVITO_INBOX_STATE_LOST) != 0) {
        fprintf(stderr, "the state in FOLDER is damaged: beginning with the unread messages\n");
    }
}

/* Turns the text into what the service stores: no blanks at the ends, no CR. Otherwise it would not
 * be found in the chat, and would be sent once more. */
static const char *tidy(char *text)
{
    size_t len = 0, i;

    while (*text != '\0' && (unsigned char)*text <= ' ') {
        text++;
    }
    for (i = 0; text[i] != '\0'; i++) {
        if (text[i] != '\r') {
            text[len++] = text[i];
        }
    }
    while (len > 0 && (unsigned char)text[len - 1] <= ' ') {
        len--;
    }
    text[len] = '\0';
    return text;
}

static bool is_one_message(const char *text)
{
    const size_t len = avito_next_part(&text);

    text += len;
    return len > 0 && avito_next_part(&text) == 0;
}

/* Takes the folder for this program alone: two programs would answer everybody twice. */
static bool open_folder(const char *name)
{
    if ((mkdir(name, 0700) != 0 && errno != EEXIST) ||
        (folder = open(name, O_RDONLY | O_DIRECTORY)) < 0) {
        perror(name);
        return false;
    }
    if (flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        fprintf(stderr, "%s: another bot is at work there\n", name);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    const char *text = argc == 3 ? tidy(argv[2]) : "";
    avito_arena arena = avito_arena_of(inbox_room, sizeof inbox_room);
    avito_client_options lane = {.window = window, .window_cap = sizeof window, .retries = 3};
    avito_inbox_options o = avito_inbox_options_default();
    avito_anchors anchors;
    avito_account account;
    avito_client client;
    avito_inbox inbox;
    avito_message message;
    avito_tcp tcp;
    avito_tls tls;
    avito_self me;
    int result;

    if (!is_one_message(text)) {
        fprintf(stderr, "usage: 11_auto_answer_bot FOLDER TEXT (of up to 1000 characters)\n");
        return 2;
    }
    if (!open_folder(argv[1]) || !load_answers()) {
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    example_must(avito_tcp_init(&tcp, NULL), "TCP");
    example_roots(&anchors, roots, sizeof roots);
    example_tls(&tls, avito_tcp_transport(&tcp), &anchors, records, sizeof records);
    example_account(&account, tokens, sizeof tokens);
    lane.transport = avito_tls_transport(&tls);
    example_must(avito_client_init(&client, &account, &lane), "client");

    while ((result = avito_get_self(&client, &arena, &me)) != AVITO_OK) {
        (void)example_failed(&client, result);
        (void)sleep(5);
    }
    avito_arena_reset(&arena);
    o.user_id = me.id;
    o.arena = &arena;
    o.state = state;
    o.state_cap = sizeof state;
    o.save = save_state;
    o.load = load_state;
    o.start = AVITO_START_UNREAD;
    o.mark_as_read = true;
    o.poll_ms = (uint32_t)atoi(example_env("AVITO_BOT_POLL_MS", "15000"));
    example_must(avito_inbox_init(&inbox, &client, &o), "inbox");
    for (;;) {
        result = avito_inbox_next(&inbox, &message);
        if (result == AVITO_OK) {
            handle(&inbox, &client, me.id, &message, text);
        } else if (result < 0) { /* one message, or this round; the next one comes in time */
            (void)example_failed(&client, result);
        }
        tell(avito_inbox_events(&inbox));
        try_answers(&client, me.id, text); /* the lane is free: each call waits for its own end */
    }
}
