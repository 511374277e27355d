/* control.h - the control side of the simulator: what people and tests do to it, and what they see.
 *
 * The files of this room, each of which calls only those before it, the core and net/:
 *
 *   feed    what has happened, as numbered events; the present state, as JSON
 *   story   what was done, so that it can be replayed
 *   door    the table of requests, GET and POST, JSON in and out; behind it, in door.h, values,
 *           options, acts (POST) and looks (GET)
 *   web     HTTP on a port of its own: checks who may ask, server-sent events, the page of web/
 */
#ifndef SIMULATOR_CONTROL_H
#define SIMULATOR_CONTROL_H

#include "../core/core.h"
#include "../net/net.h"

#include <cjson/cJSON.h>

/* ---------------------------------------------------------------- feed.c */

#define FEED_EVENTS   1024 /* kept, for a page that was away for a moment */
#define FEED_REQUESTS 200
#define FEED_HOOKS    100
#define FEED_TOKENS   20
#define FEED_BODY     4096 /* bytes kept of a request or an answer */

typedef struct feed_event {
    const char *name;
    simi_buf data; /* JSON */
} feed_event;

typedef struct feed_request {
    uint64_t number;
    simi_buf row, body, answer; /* row: JSON */
    bool cut;
} feed_request;

typedef struct feed_hook {
    uint64_t id;
    simi_buf row; /* JSON */
} feed_hook;

typedef struct feed {
    sim *service;
    char run[24];  /* another one after each start and reset */
    uint64_t last; /* number of the newest event; the first is 1 */
    feed_event events[FEED_EVENTS];
    feed_request requests[FEED_REQUESTS];
    uint64_t request_count;
    feed_hook hooks[FEED_HOOKS];
    uint64_t hook_count;
} feed;

void feed_begin(feed *f, sim *service, uint64_t run);
void feed_end(feed *f);
/* The core's hook. */
void feed_take(feed *f, const sim_event *event);
/* A new event; the caller writes its data into the returned buffer. */
simi_buf *feed_add(feed *f, const char *name);
/* Whether the feed still has everything after `id` ("RUN-NUMBER"). */
bool feed_place(const feed *f, const char *id, uint64_t *number);
const feed_event *feed_at(const feed *f, uint64_t number);

void feed_put_chat(feed *f, simi_buf *b, const sim_chat_info *chat);
void feed_put_message(feed *f, simi_buf *b, const sim_message_info *m);
void feed_put_requests(const feed *f, simi_buf *b);
void feed_put_hooks(const feed *f, simi_buf *b);
void feed_put_subscriptions(feed *f, simi_buf *b);
void feed_put_tokens(feed *f, simi_buf *b);
void feed_put_faults(feed *f, simi_buf *b);
const feed_request *feed_find_request(const feed *f, uint64_t number);
/* "http://host:port/..." - the path may be a secret of the subscriber. */
void feed_put_masked_url(simi_buf *b, const char *url);

/* ---------------------------------------------------------------- story.c
 *
 * {"story":1,"complete":true,"steps":[
 *   {"post":"/message","body":{..},"gave":"ID"},      a request at the door
 *   {"answer":{"chat_id":"..","message_id":"..","type":"text","text":".."}}]}   sent through the API
 *
 * Ids in a story differ from those of its replay, and are replaced on the way. */

#define STORY_MAX (64u * 1024u * 1024u)

/* Does a step. Returns the id that it gave, "" if it gives none; NULL: refused, and *why says
 * why. */
typedef const char *(*story_run)(void *ctx, const char *path, cJSON *body, const char **why);

typedef enum story_state { STORY_NONE, STORY_PLAYING, STORY_DONE, STORY_FAILED } story_state;

typedef struct story {
    simi_buf steps; /* JSON, joined by commas */
    bool complete;
    size_t seen; /* messages of the store that were examined */
    /* the story that is being played */
    cJSON *playing;
    const cJSON *step; /* the next one */
    cJSON *ids;        /* {"recorded":"now"} */
    story_state state;
    unsigned done, count;
    bool write_answers;
    int64_t wait_ms, deadline_ms;
    size_t from; /* answers are searched from this message of the store on */
    char why[200];
} story;

void story_begin(story *t);
void story_end(story *t);
void story_record(story *t, const char *path, const cJSON *body, const char *gave);
void story_record_answers(story *t, sim *service);
void story_put(const story *t, simi_buf *b);
void story_put_state(const story *t, simi_buf *b);
/* What is wrong with the body of POST /story; NULL: nothing. */
const char *story_wrong(const cJSON *o);
/* Takes over `o`, with which nothing is wrong. */
void story_play(story *t, sim *service, cJSON *o);
/* Plays on as far as possible; true if something has changed. */
bool story_tick(story *t, sim *service, int64_t now, story_run run, void *ctx);

/* ---------------------------------------------------------------- door.c */

typedef struct control {
    sim *service;
    int64_t (*clock_ms)(void *ctx);
    int tcp_port, tls_port, port;
    const char *connect;                     /* environment for programs; NULL: nobody plays */
    size_t largest_record;                   /* of TLS, that was sent */
    bool (*reset)(void *ctx, int64_t chats); /* -1: as many as at the start */
    void *ctx;                               /* of reset */
    feed feed;
    story story;
    simi_buf reply;
    char gave[256];  /* the id that the last POST returned */
    const char *why; /* what is wrong with a request; "": it is in `reply` */
} control;

typedef struct control_answer {
    int status;
    const char *type;
    const void *body; /* good until the next call */
    size_t len;
    bool foreign; /* a stranger's file: the browser must not treat it as ours */
} control_answer;

/* What the page and scripts can ask; also shown as text/plain at "/" and by --help. */
void control_help(simi_buf *b);
/* `target`: path and query. `body`: JSON of a POST. */
control_answer control_ask(control *c, const char *method, const char *target, const char *body,
                           size_t body_len);
/* A POST from inside: returns the id that it gave, "", or NULL. Takes over `body`. */
const char *control_post(control *c, const char *path, cJSON *body);
void control_tick(control *c);
int64_t control_next_ms(const control *c);

/* ---------------------------------------------------------------- web.c */

#define WEB_VISITORS 128
#define WEB_NAMES    16

typedef struct web_visitor web_visitor;

typedef struct web {
    control *control;
    int listener;
    const char *names[WEB_NAMES]; /* that a Host header may have */
    size_t name_count;
    web_visitor *visitors[WEB_VISITORS];
    size_t visitor_count;
    int64_t beat_ms;
} web;

size_t web_polls(web *w, struct pollfd *polls); /* at most 1 + WEB_VISITORS */
void web_move(web *w);
int64_t web_next_ms(const web *w);
void web_close(web *w);

/* The files of web/, made into C by embed.py. */
typedef struct web_file {
    const char *name, *type;
    const unsigned char *bytes;
    size_t len;
} web_file;

extern const web_file web_files[];
extern const size_t web_file_count;

#endif
