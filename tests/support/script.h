/*
 * A scripted transport: an avito_transport in memory that expects requests and gives answers, in the
 * pieces and with the misfortunes that a test asks for, and that watches whether its user keeps the
 * rules of a transport (YOUR OWN TRANSPORT).
 *
 *     struct script s;
 *     script_init(&s);
 *     script_connect(&s);                          one connection:
 *     script_request(&s);                          takes one HTTP request, whatever it says
 *     script_answer(&s, SCRIPT_TEXT("HTTP/1.1 200 OK\r\n..."));
 *     script_expect(&s, SCRIPT_TEXT("GET / ..."))  must be sent byte for byte
 *     script_answer(...);
 *     script_end(&s);                              orderly end of the stream
 *     s.recv_piece = 1; s.again = true;            how it moves: one byte at a time, AGAIN between
 *     options.transport = script_transport(&s);
 *     ...
 *     assert_null(script_problem(&s));             nothing wrong was done, nothing is left over
 *     script_free(&s);
 *
 * Steps run one after the other. While a request is expected, recv says AGAIN; while an answer is to be sent,
 * sending is a problem (unless .early). After the last step of a connection the server is silent.
 * script_rewind() plays the same script again, say with other pieces.
 */
#ifndef TESTS_SUPPORT_SCRIPT_H
#define TESTS_SUPPORT_SCRIPT_H

#include "avito_messenger.h"
#include "support/clock.h"

#define SCRIPT_TEXT(text) (text), strlen(text)
#define SCRIPT_NEVER      ((size_t)-1)

/* X(name) for each function that a transport must have. */
#define TRANSPORT_FUNCTIONS_NEEDED(X) X(connect) X(send) X(recv) X(wants) X(close)

struct script_step;

/* What was sent for one step of script_expect(), script_request() or script_take(). */
struct script_sent {
    size_t at, len;    /* in script.sent */
    size_t connection; /* counted from 0 */
};

struct script {
    /* How it moves; may be set at any time. */
    size_t recv_piece;    /* at most this many bytes at once; 0: any number */
    const size_t *splits; /* recv also ends at these offsets of a connection's answers, rising */
    size_t split_count;
    size_t send_piece;
    bool again;          /* AVITO_IO_AGAIN once before every piece received */
    bool send_again;     /* and before every piece sent */
    bool early;          /* an answer may come while the request is still being sent: it is taken */
    bool may_wait;       /* script_transport() has a wait() */
    struct clock *clock; /* goes on when wait() has nothing to wait for; may be NULL */

    /* What happened. */
    unsigned char *sent; /* everything, all connections one after the other, then a NUL */
    size_t sent_len;
    struct script_sent *requests;
    size_t request_count;
    size_t connects, closes; /* begun connects; each needs one close */
    bool open;               /* between the two */
    char host[256];          /* of the last connect */
    unsigned port;
    size_t connect_calls, send_calls, recv_calls, wait_calls;
    size_t recv_bytes; /* of all connections */
    size_t idle_waits; /* waits at which only time could pass */

    /* The rest is private. */
    struct script_step *steps;
    size_t step_count, step_room;
    size_t step;       /* the one in progress */
    size_t moved;      /* bytes of it */
    size_t request_at; /* where it began in `sent` */
    size_t head_len, body_len;
    size_t answered;   /* bytes received on this connection */
    size_t again_left; /* AGAINs before this connect is done */
    bool connected, said_again, said_send_again, dead, send_dead, send_blocked;
    int last_detail;
    size_t sent_room, request_room;
    char problem[400];
};

void script_init(struct script *s);
void script_free(struct script *s);

/* ---- writing the script ---- */

/* Another connection. The first AVITO_AGAINs, then AVITO_OK or an error. */
void script_connect(struct script *s);
void script_connect_with(struct script *s, size_t agains, int result);

void script_expect(struct script *s, const void *bytes, size_t len);
void script_request(struct script *s);          /* head and Content-Length bytes */
void script_take(struct script *s, size_t len); /* this many bytes, whatever they are */
void script_answer(struct script *s, const void *bytes, size_t len);
void script_answer_json(struct script *s, int status, const void *body, size_t len);
void script_end(struct script *s);                             /* recv: AVITO_IO_CLOSED */
void script_fail(struct script *s, int code, int detail);      /* recv: this error */
void script_send_fail(struct script *s, int code, int detail); /* the next send: this error;
                                                                  answers after it still come */

/* ---- playing it ---- */

avito_transport script_transport(struct script *s);

/* Plays it again from the beginning; what happened is forgotten. */
void script_rewind(struct script *s);

/* NULL, or what was wrong: a rule broken, bytes not expected, steps left over, not closed once per
 * connect. A connection may be left open: pass `true` for that. */
const char *script_problem_open(struct script *s, bool may_be_open);
const char *script_problem(struct script *s);

/* The first thing that was done wrong so far, or NULL. */
const char *script_wrong(const struct script *s);

/* True if a lane that wants `wants` would get on now. */
bool script_ready(const struct script *s, int wants);

/* ---- drive.c: needs the implementation ---- */

/* Steps a call that returned AVITO_AGAIN until it is done, as an event loop would: lets time pass
 * only when nothing else can happen. Returns the call's result. */
int script_drive(struct script *s, avito_client *client, int result);

#endif
