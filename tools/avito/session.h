/* session.h - one account, opened: its configuration, its state, a lane that waits. */
#ifndef AVITO_TOOLS_SESSION_H
#define AVITO_TOOLS_SESSION_H

#include "command.h"
#include "config.h"

#include "avito_messenger.h"

typedef struct session {
    const arguments *arguments;
    config config;
    account account;
    bool is_open, may_fail; /* may_fail: it is no error if something cannot be stored */
    bool unheard;           /* a message was sent, and the output could not take that */
    avito_posix avito;
    void *memory;    /* for what does not fit the arena; freed by session_close() */
    int64_t user_id; /* 0: session_user() has not asked yet */
} session;

/* The only one in the process: it is large, and must not move. */
extern session the_session;

/* What the command needs the state folder for. */
enum session_use {
    SESSION_TOKEN, /* only the token: if it cannot be stored, this is reported and the command goes on */
    SESSION_STATE, /* data that must not be lost: notes of sends, the inbox */
    SESSION_LOGIN  /* a new token, whatever is stored already */
};

/* Reads the configuration, chooses the account, opens its folder. Nothing is sent yet. EXIT_DONE, or a
 * status after saying why. session_close() in any case. */
int session_open(session *s, const arguments *a, enum session_use use);
void session_close(session *s);

/* Opens the session for a command that keeps nothing, finds out whose account it is if it has to, acts, and closes
 * it. */
int session_run(const arguments *a, bool of_user, int (*act)(session *s));

/* The two halves of session_open(), for a login: first the account's name, service and folder,
 * without credentials; then, with these, the lane. */
int session_prepare(session *s, const arguments *a, const char *name);
int session_connect(session *s, enum session_use use);

#define WATCH_MAX_S 2000000 /* of --timeout */

/* What a call may take where so much time is left: ten seconds or more, and ten minutes at most. */
uint32_t session_call_ms(uint32_t left_ms);

/* The exit status for a result of the library; an error is reported on standard error. */
int session_status(session *s, int result);
enum exit_status status_of(int result, avito_outcome outcome);

/* What happened, what the server or the disk said about it, and, unless a send is in doubt, what to do. Good until
 * the next one. */
const char *session_error(session *s, int result, bool in_doubt);

/* Says that it is not known whether a message was sent, and why; the first half alone. */
void session_in_doubt(session *s, int result);
const char *session_doubt(void);

/* After a call with --dry-run: shows what would have been sent, without the body if that is
 * secret. */
int session_dry_run(session *s, int result, bool with_body);

/* One line, for people or programs, about a call without a result to show; or session_dry_run(). */
int session_report(session *s, int result, bool with_body, sentence done);

/* Whose account it is. Asks once. EXIT_DONE, or a status after saying why. */
int session_user(session *s);

/* A remark for people on standard error; none with --quiet. */
void session_remark(const session *s, sentence text);

/* What Ctrl-C, kill, Ctrl-\ and a hang-up do from now on; those that are ignored stay so. */
void on_endings(void (*act)(int number));

/* So many random bytes, 32 at most, as hex digits. AVITO_OK or an error. */
int random_hex(char *out, size_t bytes);

bool has_option(const arguments *a, enum option_id id);

/* A command's text: the word at `from`, or standard input for "-". NULL after saying that it is missing,
 * too long, or cannot be read. */
const char *text_argument(const arguments *a, size_t from);

#endif
