/*
 * world.h - a small world in which the client lives: the simulated service, a network that breaks,
 * people who write, and a device that loses power. Everything is drawn from one seed, time is
 * simulated, and there are no threads: the same seed gives the same bytes.
 *
 *     world.c    the loop: whose turn it is, and when the clock goes on
 *     net.c      a transport in memory over the simulator's connections, with its faults
 *     people.c   buyers, a person in the app, notifications, what the service is told to do wrong
 *     hook.c     the way of a notification to the device's receiver
 *     device.c   account, lanes, inbox, a bot that answers; power cuts and restarts
 *     picture.c  pictures of the bot: their source, which fails too, and their upload
 *     check.c    what must hold after every step and at the end
 *     impl.c     the implementation under test (a copy with a planted bug in the self-test)
 *     main.c     the command line: many seeds, one seed with its trace, the soak and its table
 */
#ifndef WORLD_H
#define WORLD_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avito_messenger.h"
#include "tools/simulator/simulator.h"

#define LANES_MAX 5 /* lane 0 is the inbox's */
#define JOBS_MAX  64
#define STATES    8

/* ---------------------------------------------------------------- what can go wrong */

/* X(constant, name): the rows of the soak's table. */
#define WORLD_FAULTS(X)                                                                            \
    X(CUT_UP, "request cut at a byte")                                                             \
    X(CUT_DOWN, "answer cut on the way")                                                           \
    X(HANGUP, "connection closed by the other side")                                               \
    X(RESET, "connection reset")                                                                   \
    X(STALL, "bytes stall")                                                                        \
    X(DELAY, "bytes are slow")                                                                     \
    X(NO_CONNECT, "connection refused or never made")                                              \
    X(CORRUPT, "answer corrupted")                                                                 \
    X(CUT_ANSWER, "answer cut by the service")                                                     \
    X(LOST_ANSWER, "stored, then no answer")                                                       \
    X(EARLY, "answered while it is sent")                                                          \
    X(SOURCE, "picture's source fails")                                                            \
    X(S401, "401")                                                                                 \
    X(S402, "402")                                                                                 \
    X(S403, "403")                                                                                 \
    X(S429, "429")                                                                                 \
    X(S5XX, "5xx")                                                                                 \
    X(EXPIRED, "tokens expire")                                                                    \
    X(REVOKED, "tokens are revoked")                                                               \
    X(SPENT, "refresh token in doubt")                                                             \
    X(HOOK_LOST, "notification lost")                                                              \
    X(HOOK_LATE, "notification late")                                                              \
    X(HOOK_TWICE, "notification doubled")                                                          \
    X(HOOK_CUT, "notification cut on its way")                                                     \
    X(HOOK_SLOW, "notification too slow")                                                          \
    X(HOOK_FORM, "notification in another form")                                                   \
    X(STRANGER, "a stranger calls")                                                                \
    X(LATE, "message shows up late")                                                               \
    X(TRIMMED, "text trimmed by the service")                                                      \
    X(APP_READS, "a person reads in the app")                                                      \
    X(APP_WRITES, "a person answers in the app")                                                   \
    X(APP_SAME, "a person sends the same text")                                                    \
    X(DELETED, "message deleted")                                                                  \
    X(SLID, "rows vanish between two pages")                                                       \
    X(BURST, "messages in one second")                                                             \
    X(RESTART, "power lost")                                                                       \
    X(TORN, "power lost while saving")                                                             \
    X(SAVE_FAILED, "saving failed")                                                                \
    X(MS_JUMP, "millisecond clock jumps")                                                          \
    X(MS_WRAP, "millisecond clock wraps")                                                          \
    X(UNIX_JUMP, "wall clock jumps")                                                               \
    X(CANCEL, "call cancelled")                                                                    \
    X(BROKEN, "messages of a chat refused")                                                        \
    X(SLEEP, "a lane sleeps in its transport")                                                     \
    X(OWN_CALL, "a call of the program's own")                                                     \
    X(ODD_TIME, "a time ahead, or none")                                                           \
    X(ODD_ROWS, "chats out of order")                                                              \
    X(REFUSED_200, "refused under 200")                                                            \
    X(SUPPLY, "chats move while they are listed")

typedef enum fault {
#define FAULT_ENUM_(name, word) F_##name,
    WORLD_FAULTS(FAULT_ENUM_)
#undef FAULT_ENUM_
        FAULTS
} fault;

/* ---------------------------------------------------------------- the network */

/* Bytes on their way in one direction. */
typedef struct segment {
    int64_t due;
    size_t len;
} segment;

typedef struct flow {
    unsigned char *bytes;
    size_t from, to, cap;
    segment *segments;
    size_t seg_from, seg_to, seg_cap;
    int64_t last_due;
    uint64_t total;   /* bytes that ever entered */
    uint64_t cut_at;  /* after this many bytes nothing passes; UINT64_MAX: all pass */
    bool cut_reset;   /* how the client sees the cut */
    uint64_t hold_at; /* after this many bytes ... */
    uint32_t hold_ms; /* ... this much of a pause; 0: none */
} flow;

/* What the transport saw of the request in progress: judged by bytes, not by what the client
 * says. */
typedef struct wire {
    char head[2048];
    size_t head_len;
    bool begun, in_body, complete;
    unsigned word; /* of the body: how much of the wanted text has matched */
    bool is_token, is_write, is_refresh;
    bool was_open; /* world.refresh_open before it left */
    bool spoilt;   /* a byte of the answer is changed: the client may not accept its head */
    uint64_t body_left;
    uint64_t bearer; /* hash of the token used; 0: none */
    int job;         /* the send that the request belongs to; -1: none */
    int status;      /* final status that the client was given; 0: none yet */
    char answer[1024];
    size_t answer_len;
} wire;

struct link {
    struct link *next;
    int lane; /* -1: the client has closed it, what is underway may still arrive */
    sim_conn *conn;
    uint64_t number; /* as the simulator counts */
    int64_t ready_ms;
    bool refused, connected;
    int end; /* 0: open; 1: closed; 2: reset: what the client finds after the bytes */
    int64_t end_due;
    flow up, down;
    uint32_t latency_ms, jitter_ms;
    int64_t orphan_until;
    size_t thin;      /* if not 0: only this many bytes at a time ... */
    uint32_t thin_ms; /* ... and this much time between them */
    bool cut_down;    /* the end came in the middle of an answer */
    bool blocked;     /* no room for bytes to send ... */
    int64_t blocked_until;
    bool listens; /* ... and, asked since, none to receive */
    bool broke;   /* sending told the client so */
    size_t deaf;  /* bytes sent after an answer had arrived */
    wire wire;
};

/* ---------------------------------------------------------------- memory with guards */

typedef struct room {
    unsigned char *memory;
    size_t size;
} room;

/* ---------------------------------------------------------------- the device */

typedef enum job_state {
    JOB_NEW = 0, /* nothing was tried yet, or every attempt was certainly not sent */
    JOB_UPLOADING,
    JOB_BASELINE, /* the chat's newest message is being read */
    JOB_SENDING,
    JOB_UNSURE, /* cannot tell: to be confirmed */
    JOB_CONFIRMING,
    JOB_SENT,
    JOB_GIVEN_UP,     /* not sent, and not tried again */
    JOB_GIVEN_UP_HALF /* cannot tell, to the end */
} job_state;

/* How the bot finds out what became of a send whose outcome is "cannot tell". */
typedef enum way {
    WAY_LANE,  /* avito_confirm_sends(): the send finds out by itself */
    WAY_LATER, /* avito_confirm_sent(), when the bot's turn comes */
    WAY_NOW    /* the same, as soon as it cannot tell, and again soon */
} way;

typedef struct job {
    job_state state;
    way way;
    int lane;
    char chat[64];
    char text[128];
    size_t picture; /* bytes of the picture that it sends; 0: a text */
    char image[64]; /* its id, when it was uploaded */
    unsigned uploads;
    bool has_baseline;
    char baseline[48];
    int64_t baseline_created;
    int64_t ended_ms;  /* of the last attempt */
    int64_t retry_ms;  /* not before */
    unsigned attempts; /* calls of avito_send_message() */
    unsigned stored;   /* messages that these calls stored */
    bool left;         /* a request of this attempt left whole, ... */
    bool refused;      /* ... and the head of a refusal came */
    bool unsettled;    /* a request left whole and no refusal came */
    bool settles;      /* the attempt is to find out by itself, ... */
    bool needs_token;  /* ... needs a token for that, ... */
    bool read_back;    /* ... and has begun to */
    bool rivalled;     /* a person of the account wrote the same text */
    char claimed[48];  /* id of the message that is its own */
    bool by_confirm;   /* known by avito_confirm_sent() */
    bool misled;       /* a byte was changed in what it read of the chat, or its age is wrong */
} job;

typedef enum activity {
    ACT_NONE = 0,
    ACT_UPLOAD,
    ACT_BASELINE,
    ACT_SEND,
    ACT_CONFIRM,
    ACT_BROWSE,
    ACT_ENDING,
    ACT_EXCHANGE,
    ACT_SUBSCRIBE,
    ACT_SELF
} activity;

struct lane {
    struct world *world;
    int index;
    avito_client client;
    room window, room, picture;
    avito_arena arena;
    struct link *link;
    /* what it does */
    activity act;
    int job;
    bool at_row; /* a list is open and the bot holds an element */
    bool may_wait;
    bool spoilt;         /* an answer of this call had a byte changed */
    bool asleep;         /* in its transport's wait() */
    size_t source_fails; /* from this byte of the picture on */
    size_t shot;
    int rows_left;
    int64_t resume_ms;
    avito_messages messages;
    avito_message message;
    avito_uploaded_image uploaded;
    avito_chat chat;
    avito_self self;
    avito_outcome outcome;
    const char *claimed[JOBS_MAX];
    avito_sent_query baseline; /* of avito_confirm_sends() */
    int64_t began_ms;          /* when the call did, or its next element */
    /* what is watched */
    uint32_t idle_rounds;
    uint64_t moved;        /* bytes and results of this lane */
    int64_t moved_ms;      /* when it did last */
    int64_t passed_ms;     /* when it last waited for the account */
    uint64_t passed_epoch; /* and in which run of the device */
    uint64_t seen_steps;   /* world.account_steps when it was stepped last */
};

typedef struct device {
    bool up;
    int64_t up_at;
    bool wiped;
    avito_account account;
    avito_inbox inbox;
    avito_inbox_options inbox_options;
    avito_client_options lane_options;
    room tokens, state, records, inbox_room, hook_room, hook_buffer;
    avito_webhook hook;
    bool hook_broken; /* its connection is useless by now */
    avito_arena inbox_arena;
    struct lane lanes[LANES_MAX];
    /* the inbox's round */
    bool in_round, spoilt; /* spoilt: a byte of an answer was changed */
    bool overran;          /* since the last round that ended well */
    bool had_state;        /* one was stored when the power came */
    int64_t round_ms;      /* when it began */
    uint64_t served;       /* requests of it */
    int64_t before_ms;     /* when the last one that ended well began */
    /* the inbox's user */
    bool holding;
    int64_t hold_until;
    int held; /* index of the message */
    bool held_known;
} device;

/* ---------------------------------------------------------------- what is known of messages */

typedef struct note {
    char id[40];
    char chat[64];
    int64_t created, visible_ms, stored_ms;
    bool own;
    bool late;     /* visible later than stored */
    bool was_read; /* read by a person, or by our mark, before it was given */
    bool read_at_start;
    bool deleted;
    bool gone;      /* no row shows it any more */
    bool odd;       /* its time is shown wrong */
    bool passed;    /* a changed byte hid it when a newer one was given: it may come out of order */
    unsigned given; /* deliveries: repetitions until it is accepted count once */
    unsigned accepted;
    bool reported; /* skipped with an error that names it */
    bool hidden;   /* by a changed byte in a round with an overrun: the manual's limit */
    uint64_t request;
    int job;
} note;

#define PICTURE_MIN 26 /* its head, and enough bytes after it to make every picture unique */

/* One try to upload: no two pictures are alike. */
typedef struct shot {
    uint64_t fnv;
    size_t size;
    int job;
    unsigned stored; /* how many times the service has it */
    bool not_sent;   /* and the client said that it has not */
} shot;

/* A request of the service and the send that it belongs to. */
typedef struct served {
    uint64_t request;
    int job;
} served;

typedef struct look {
    char chat[64];
    int64_t ms;     /* when the first page of its messages was last served to the inbox */
    bool spoilt;    /* with a byte changed: wrong order is then no fault of the client */
    unsigned times; /* how often since it changed last, or since something failed */
    int64_t
        refused_ms; /* when they were refused as those of a chat that is not there, or not ours */
} look;

/* ---------------------------------------------------------------- options of a run */

typedef struct plan {
    int64_t length_ms;
    unsigned lanes;
    unsigned fault_rate;  /* per mille of requests with a fault of the network */
    unsigned strike_s;    /* mean seconds between faults that come at any moment; 0: none */
    unsigned answer_rate; /* per mille of requests with a fault of the service */
    bool cuts, stalls, slow, refusals, corrupt, answers, storms, tokens, late, people, restarts;
    bool clocks, cancels, save_fails, hooks, doorbell, same_texts, trim, retry_headers, vanish,
        pair;
    bool pictures, tariff;
    bool verifies;     /* notifications are signed, and that is looked at */
    bool forms;        /* they are written in all the forms that existing clients read */
    bool at_once;      /* sends that cannot tell are looked after at once, in all ways */
    int waits;         /* the lane whose transport may wait; -1: none */
    unsigned people_s; /* mean seconds between actions */
    unsigned restart_s;
    unsigned token_lifetime_s;
    unsigned retries;
    unsigned ring;
    bool own_calls, odd_times, refused_200, supply;
    unsigned odd_rows; /* 0: in order; 1: one chat stays on top, 2: the oldest first, 3: turned */
    unsigned records;  /* chats that the inbox has room to remember */
    unsigned late_max_ms;
    int broken; /* status that the messages of the first chat are refused with; 0: they are not */
    bool broken_for_ever;
    /* The first chat is somebody else's: 403 in any words. Nothing else goes wrong with tokens, so
     * that each one issued can be accounted for. */
    bool foreign;
    bool soak;
} plan;

typedef struct event { /* a notification on its way */
    int64_t due;
    char *body;
    size_t len;
} event;

typedef struct world {
    uint64_t seed, random;
    bool trace;
    plan plan;
    int64_t start, now, end;
    uint32_t ms_offset;  /* of the device's millisecond clock */
    int64_t unix_offset; /* of its wall clock, in seconds */
    bool to_inbox;       /* the request that is served is the inbox's */
    bool calm;           /* the drain at the end: nothing goes wrong any more */
    sim *service;
    sim_options service_options;
    struct link *links;
    device device;
    uint64_t hash, steps, progress;
    uint64_t account_steps;
    jmp_buf *crash; /* where the device goes on when its power goes */
    bool in_device;
    unsigned crash_in;    /* hook calls until the power goes; 0: not planned */
    bool crash_in_save;   /* it goes when the state is saved next ... */
    unsigned crash_state; /* ... while a lane is in this state; STATES: in whichever */
    /* storage that survives */
    unsigned char *slots[2];
    size_t slot_len[2];
    bool state_saved;
    bool state_locked; /* by another program */
    char *stored_token[2];
    int64_t token_expires_at, token_expires_in;
    int64_t person_ms; /* when a person will allow the application again; 0: need not */
    bool refresh_open; /* a refresh left whole; neither a pair nor a refusal came */
    bool was_in_doubt;
    /* knowledge */
    note *notes;
    size_t note_count, note_cap;
    uint32_t *index; /* open hash of notes by id */
    size_t index_cap;
    shot *shots;
    size_t shot_count, shot_cap;
    size_t upload_count; /* that the service showed to have */
    served *served;
    size_t served_count, served_cap;
    look *looks;
    size_t look_count, look_cap;
    size_t done_before; /* all notes before this one are settled */
    job jobs[JOBS_MAX];
    size_t job_count;
    const char **chats;
    size_t chat_count, chat_cap;
    event *events;
    size_t event_count, event_cap;
    int64_t next_person, next_strike, next_cancel, next_crash, next_clock, storm_until;
    int storm_status;
    int64_t unpaid_until;   /* the tariff lacks the API */
    sim_tariff tariff_read; /* in force when messages were last served to the inbox, ... */
    int64_t tariff_read_ms; /* ... which was then */
    int64_t others_told_ms; /* when another lane, or a call of the program's own, last received */
    int64_t sentence_by;    /* author of the last such text that was given; 0: one was read that was
                               not hidden */
    int64_t sentence_ms;    /* when it was served */
    int64_t start_list_ms;  /* when the list that decided the start was served */
    int64_t start_ms;       /* when the first state was saved */
    int64_t start_newest;   /* its newest update */
    unsigned inbox_events;
    bool overrun;
    bool unread_given_up; /* the first round of AVITO_START_UNREAD ended so, and said it */
    int64_t rate_until;   /* Retry-After: no request may begin before */
    int64_t rate_told;    /* when it was asked for */
    int64_t *recent;      /* times of requests in the last minute */
    size_t recent_from, recent_count, recent_cap;
    uint64_t refused_bearer[64];
    size_t refused_count;
    unsigned verified; /* how often its verifier was asked about the notification that comes */
    char texts[64];
    uint64_t text_number;
    /* the verdict */
    char problem[300];
    const char *check;
    /* counts */
    uint64_t faults[FAULTS][STATES];
    uint64_t given, sent, unsure, confirmed_yes, confirmed_no, crashes, requests;
} world;

/* ---- impl.c */
unsigned impl_state(const avito_client *client); /* 0..STATES-1 */
const char *impl_state_name(unsigned state);
bool impl_fetches_token(const avito_client *client);
bool impl_call(const avito_client *client);   /* a call is in progress */
bool impl_worked(const avito_client *client); /* a step's full number of rounds, with what it had */
bool impl_between_rounds(const avito_inbox *inbox);
bool impl_gave_pages_up(const avito_inbox *inbox); /* in this round: too many pages were empty */
bool impl_pressed(const avito_inbox *inbox);       /* its ring is nearly full */
bool impl_first_round(const avito_inbox *inbox);   /* AVITO_START_UNREAD: it goes on */
bool impl_learns(const avito_inbox *inbox);        /* AVITO_START_NOW: the same */
bool impl_starts(const avito_inbox *inbox);        /* it reads the list that decides what is new */
uint64_t
impl_passed_over(const avito_inbox *inbox); /* hash of the message that an error speaks of; 0 */

/* ---- world.c */
uint64_t draw(world *w);
uint64_t below(world *w, uint64_t n);
bool chance(world *w, unsigned per_mille);
uint64_t around(world *w, uint64_t mean); /* 0..., roughly exponential, at most 6 times the mean */
void mix(world *w, uint64_t value);
void say(world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fail(world *w, const char *check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void happened(world *w, fault f, int lane); /* lane -1: to all lanes */
bool world_run(world *w);                   /* true: nothing was broken */
void world_free(world *w);
int64_t earliest(int64_t a, int64_t b);
bool world_sleep(world *w, struct lane *l, int wants, uint32_t ms);
uint64_t hash_text(const char *text, size_t len);

room room_make(size_t size);
bool room_whole(const room *r);
void room_free(room *r);

/* ---- net.c */
extern const avito_transport_functions world_transport;
void net_pump(world *w);
int64_t net_due(world *w);
void net_drop_all(world *w); /* the device is dead: its connections too */
void net_strike(world *w);
void net_calm(world *w);
void net_free(world *w);
bool net_readable(const struct lane *l);
struct link *net_find(world *w, uint64_t number);

/* ---- picture.c */
int picture_begin(world *w, struct lane *l);
job_state picture_over(world *w, struct lane *l, int rc); /* JOB_BASELINE: the service has it */
void picture_sync(world *w);                              /* new uploads of the service */

/* ---- people.c */
void people_begin(world *w);
void people_act(world *w);
int64_t people_due(world *w);
void people_notify(world *w);
sim_fault people_fault(void *ctx, const sim_request_info *request);
bool people_odd(const world *w, const char *id);

/* ---- hook.c */
void hook_connect(world *w);
int hook_call(world *w, const char *body, size_t len);

/* ---- device.c */
void device_boot(world *w);
void device_crash(world *w);
void device_free(world *w);
bool device_turn(world *w); /* one step of one lane that is ready; false: none is ready */
int64_t device_due(world *w);
void device_may_crash(world *w);
void device_cancel(world *w);
void device_ages(world *w);                                 /* its millisecond clock has jumped */
bool device_notify(world *w, const char *body, size_t len); /* false: it did not arrive */
uint32_t device_ms(void *ctx);
int64_t device_unix(void *ctx);

/* ---- check.c */
note *check_find(world *w, const char *id, size_t len);
void check_sync(world *w); /* new messages of the service */
void check_given(world *w, const avito_message *m, bool polled);
void check_notified(world *w, const avito_message *m);
void check_accepted(world *w, int index);
void check_step(world *w);
void check_wait(world *w);
bool check_owing(world *w);
void check_end(world *w);
void check_first_save(world *w);
void check_start_list(world *w);
void check_gate(world *w, struct lane *l);
void check_request_begins(world *w, struct lane *l, struct link *k);
void check_marked(world *w, const char *chat);
void check_round(world *w);
void check_hidden(world *w);
void check_looks(world *w, const char *chat);       /* another look at it */
void check_looks_reset(world *w, const char *chat); /* it changed; NULL: something failed */
void check_refused(world *w, const avito_client *c, int rc);
void check_outcome(world *w, const struct lane *l, int rc);
void check_read_back(world *w, struct lane *l);
void check_no(world *w, const job *j);
void check_time(world *w, const struct lane *l, int rc);

#endif
