/* cc -I. examples/11_auto_answer_bot.c -o build/11_auto_answer_bot -lbearssl
 *
 * Answers each buyer once, and may be killed (kill -9) at any moment: 11_auto_answer_bot FOLDER TEXT
 *
 * Nothing is lost: the inbox gives a message until it is accepted, and it is accepted only when it is
 * answered. Nothing is sent twice: whether a buyer has his answer is read from the chat itself; and
 * for an answer that has just left and may not be in the chat yet, a note is written first. FOLDER
 * holds the inbox's two slots and that note.
 *
 * AVITO_BOT_POLL_MS: between two rounds; AVITO_BOT_GRACE_S: how late a message may show up. */
#define _GNU_SOURCE
#include "example.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char roots[256 * 1024], records[AVITO_TLS_BUFFER_HALF(16384)];
static char tokens[AVITO_TOKENS_SIZE(128)], window[2048];
static char inbox_room[16384], chat_room[16384]; /* for a message each */
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
    perror("FOLDER cannot be written"); /* a full disk, say: the message in hand waits for it */
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

/* ---- one buyer, one answer ---- */

/* Written before an answer leaves. */
typedef struct note {
    char chat_id[68];
    char baseline_id[68]; /* newest message of the chat before it */
    int64_t baseline_created;
    int64_t left; /* unix seconds */
} note;

/* Reads the chat, newest first: is our text among the messages? Also notes what is newest. */
static int look_for(avito_client *client, int64_t user_id, const char *text, note *n, bool *found)
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

/* An answer that may have left before we were killed, or whose reply was lost. */
static int settle(avito_client *client, int64_t user_id, const char *text, const note *n,
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

/* The service may show late what it has stored. A second message of the same buyer must find the answer
 * in the chat: wait for it. */
static void wait_until_shown(avito_client *client, int64_t user_id, const char *text, const note *n)
{
    avito_outcome outcome = AVITO_CANNOT_TELL;
    int64_t grace = atoi(example_env("AVITO_BOT_GRACE_S", "60"));

    while (settle(client, user_id, text, n, &outcome) != AVITO_OK || outcome == AVITO_CANNOT_TELL) {
        if (avito_posix_unix_time(NULL) - n->left > grace) {
            return;
        }
        (void)usleep(200000);
    }
}

/* AVITO_OK: this buyer has his answer. AVITO_AGAIN: it cannot be told yet, or did not work: later. */
static int answer_once(avito_client *client, int64_t user_id, const char *chat_id, const char *text)
{
    note n;
    size_t len = 0;
    bool found = false;
    avito_outcome outcome = AVITO_NOT_SENT;
    int result = read_file("note", &n, sizeof n, &len);

    /* A note of another chat is settled too, before its place is taken: from then on the answer can be
     * seen in that chat, or did not leave. */
    if (result == AVITO_OK && len == sizeof n) {
        result = settle(client, user_id, text, &n, &outcome);
        if (result == AVITO_OK && outcome == AVITO_CANNOT_TELL) {
            return AVITO_AGAIN;
        }
        if (result != AVITO_OK && result != AVITO_ERR_NOT_FOUND) { /* that chat may be gone */
            return result;
        }
        if (outcome == AVITO_SENT && strcmp(n.chat_id, chat_id) == 0) {
            printf("%s: the answer had left before\n", chat_id);
            return AVITO_OK;
        }
    }
    memset(&n, 0, sizeof n);
    (void)snprintf(n.chat_id, sizeof n.chat_id, "%s", chat_id);
    result = look_for(client, user_id, text, &n, &found);
    if (result != AVITO_OK || found) {
        return result;
    }
    n.left = avito_posix_unix_time(NULL);
    if (write_file("note", &n, sizeof n) != AVITO_OK) {
        return AVITO_ERR_HOOK;
    }
    printf("%s: answering\n", chat_id);
    result = avito_send_message(client, user_id, chat_id, text, NULL, NULL);
    if (result == AVITO_OK) {
        printf("%s: answered\n", chat_id);
        wait_until_shown(client, user_id, text, &n);
    }
    return result;
}

/* Until the message in hand is dealt with and accepted. */
static void handle(avito_inbox *inbox, avito_client *client, int64_t user_id,
                   const avito_message *message, const char *text)
{
    char chat_id[68];
    bool buyer = avito_classify(message) == AVITO_CLASS_BUYER;
    int result = AVITO_OK;

    if (buyer) {
        (void)snprintf(chat_id, sizeof chat_id, "%s", message->chat_id.ptr);
        while ((result = answer_once(client, user_id, chat_id, text)) != AVITO_OK) {
            if (result < 0) {
                (void)example_failed(client, result);
            }
            if (result == AVITO_ERR_NOT_FOUND || result == AVITO_ERR_BAD_REQUEST) {
                break; /* no such chat any more, or not to be answered */
            }
            if (result == AVITO_ERR_TEXT || result == AVITO_ERR_UTF8) {
                exit(2); /* it never will be sent; the message comes again with a better one */
            }
            (void)sleep(1);
        }
    }
    while (avito_inbox_accept(inbox) == AVITO_ERR_HOOK) {
        (void)sleep(1);
    }
    if (buyer) { /* answer_once() has settled the note, whosever it was */
        (void)unlinkat(folder, "note", 0);
    }
}

/* What the inbox could not do, for somebody to look after. */
static void tell(unsigned events)
{
    if ((events & AVITO_INBOX_UNREACHABLE) != 0) {
        fprintf(stderr, "some messages could not be read: look into the app\n");
    }
    if ((events & AVITO_INBOX_STATE_LOST) != 0) {
        fprintf(stderr, "the state in FOLDER is damaged: beginning with the unread messages\n");
    }
}

/* As the service stores it: without blanks at the ends, and without CR. Else it would not be found
 * again in the chat, and sent once more. */
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

/* The folder, for this program alone: two of them would answer everybody twice. */
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

    if (text[0] == '\0' || text[avito_split_text(text)] != '\0') {
        fprintf(stderr, "usage: 11_auto_answer_bot FOLDER TEXT (of up to 1000 characters)\n");
        return 2;
    }
    if (!open_folder(argv[1])) {
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
    }
}
