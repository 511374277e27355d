/* gateway.h - Avito accounts on one side, an MQTT client on the other, and everything that happens
 * between them.
 *
 * No socket, no clock, no file: the caller gives lanes, the stores of inbox and ledger, time and
 * random bytes. So it runs in a simulation as it does in `avito gateway`. It never waits. One
 * thread.
 *
 *     an account's inbox --> PUBLISH messages/CHAT --> PUBACK 0x00 --> accept() --> state saved
 *     PUBLISH send/CHAT --> baseline --> ledger: begun --> request --> ledger: outcome
 *                       --> PUBLISH results/ID --> PUBACK --> PUBACK of the command
 *
 * The caller moves the bytes of the MQTT client and of the lanes, and
 *
 *     an event of the MQTT client             gateway_event()
 *     the connection is gone                  gateway_lost(): what matters is done again
 *     after events, or when it is due         gateway_step(), then gateway_stirred() until it is NULL
 *     a lane moved, or an account is due      gateway_account_step()
 *
 * In a fleet each account has a gateway and an MQTT client of its own. */
#ifndef AVITO_TOOLS_GATEWAY_H
#define AVITO_TOOLS_GATEWAY_H

#include "order.h"

#define GATEWAY_TOPIC_MAX  1024
#define GATEWAY_REFUSALS   1024 /* the first counts them */
#define GATEWAY_REASON_MAX 320  /* bytes; a sentence of ours has at most 200 */

#define GATEWAY_ARENA 49152u /* bytes of a lane's arena: what a list of 100 unread chats takes */

/* A lane for commands, of any account. */
typedef struct gateway_lane {
    avito_client *client;
    avito_arena *arena;
} gateway_lane;

enum gateway_hold {
    GATEWAY_HOLD_AUTO, /* if the broker can tell whether anybody listens */
    GATEWAY_HOLD,      /* a message that nobody heard is published again */
    GATEWAY_LET_GO     /* it does not */
};

typedef struct gateway_options {
    const char *name; /* avito/gateway/NAME/status */
    mqtt *broker;
    size_t window; /* commands that the broker may have sent: its receive_maximum */
    size_t
        pictures_max; /* bytes of all pictures that wait; more are refused. Half of it for one of them */
    enum gateway_hold hold;
    const char *discovery; /* Home Assistant's prefix; NULL: none */
    uint32_t session;      /* number of the broker's session, as save_session() last got it */
    void *ctx;             /* first argument of every hook */
    int64_t (*unix_time)(void *ctx);
    uint32_t (*boot_ms)(void *ctx); /* a clock that runs while the machine sleeps */
    int (*entropy)(void *ctx, void *out, size_t len);
    /* The broker has forgotten the session: keeps the new number durably. AVITO_OK or an error. */
    int (*save_session)(void *ctx, uint32_t session);
    /* An idle lane for an account; NULL: there is none, gateway_step() asks again. */
    gateway_lane *(*borrow)(void *ctx, avito_account *account);
    void (*give_back)(void *ctx, gateway_lane *lane);
    /* In a fleet (fleet.h) the gateway begins when its account is claimed: the status has the
     * will's user properties, given here, and `can_tell` is known. All zero: no fleet. */
    const char *claimed; /* the account's name */
    const mqtt_pair *pairs;
    size_t pairs_count;
    bool can_tell; /* the broker says if nobody listens */
    struct gateway_voice
        *voice;           /* of the account, which outlives the gateway; NULL: one begins with it */
    uint32_t look_for_ms; /* how long a message that may have been sent is looked for; 0: 65,000 */
    /* Optional: true if an inbox's failed save() only has to wait; gateway_saved() ends that. */
    bool (*is_saving)(void *ctx, avito_account *account);
    /* For people: what is wrong, once, and when it works again; for states that change all the time
     * a limited number of lines an hour. `account` NULL: the gateway itself. */
    void (*say)(void *ctx, const char *account, const char *text);
} gateway_options;

typedef struct gateway_account_options {
    const char *name;
    avito_client *reader;      /* the inbox's own lane, which never waits */
    avito_inbox_options inbox; /* memory and hooks; user_id is asked for */
    ledger_store ledger;
    void *ctx; /* of these two */
    /* Optional: hashes of the ids of commands that were refused for a passing reason, so that they
     * are not done later. Each gives AVITO_OK or an error; save may give AVITO_AGAIN, as for the
     * ledger; load gives AVITO_END if there are none. They overwrite what is there, in order to
     * work when the disk is full. */
    int (*load_refusals)(void *ctx, uint64_t hashes[GATEWAY_REFUSALS]);
    int (*save_refusals)(void *ctx, const uint64_t hashes[GATEWAY_REFUSALS]);
    const char *const *notify; /* chats that get a notify entity, NULL after the last; or NULL */
    /* Likewise: chats that had one before, and lose it. removed(), optional: the broker has that. */
    const char *const *notify_before;
    void (*removed)(void *ctx);
    const char *webhook_url; /* subscribed, and checked each day; NULL: none */
    bool names; /* a message says who wrote it and about what: one request for each other chat */
} gateway_account_options;

/* What a message tells about its chat, for the chat that was read last. */
typedef struct gateway_chat {
    char id[256]; /* "": of none */
    int64_t users[2];
    char names[2][96], title[128];
} gateway_chat;

/* Lists of accounts, each in the order in which they came. */
enum gateway_list {
    GATEWAY_ALL,
    GATEWAY_WAIT,    /* for a lane */
    GATEWAY_BLOCKED, /* what they publish found no room */
    GATEWAY_STIRRED, /* something came for them */
    GATEWAY_LISTS
};

/* What is said to people in this hour, and how many lines are left out. */
struct gateway_voice {
    uint32_t from_ms;
    unsigned lines, unsaid;
};

/* Publications that the broker refused: they are tried again with growing pauses. */
struct gateway_again {
    unsigned due; /* 0: none */
    uint32_t from_ms, ms;
};

struct gateway;
struct gateway_job;

typedef struct gateway_account {
    gateway_account_options o;
    int64_t user_id; /* 0: not known yet */
    avito_inbox inbox;
    ledger ledger;
    struct gateway_lane *lane; /* of the command in progress; NULL: none */
    bool accepting; /* save() is called for a message that was accepted: it must be durable */
    struct {        /* private */
        struct gateway_account *next[GATEWAY_LISTS];
        bool listed[GATEWAY_LISTS];
        struct gateway *g;
        struct gateway_job *jobs; /* in order of arrival */
        size_t taken;             /* those whose packet the broker waits for */
        avito_self self;
        gateway_chat chat;
        unsigned due;                             /* what is to be published or asked for */
        uint64_t said_state;                      /* hash of the last `state` */
        uint32_t state_ms, unread_ms, webhook_ms; /* when that was last done */
        uint32_t pause_from_ms, pause_ms;         /* of the inbox side */
        uint32_t held_from_ms, held_ms;           /* of a waiting message */
        uint32_t refused;                         /* commands refused because there were too many */
        uint64_t *refusals;                       /* hashes of their ids; NULL: there were none */
        bool refusals_changed;                    /* and they have to be stored */
        bool refusals_under_way;                  /* to the disk */
        uint32_t aged_ms;                         /* when the ledger last dropped old entries */
        int unread;                               /* chats; -1: not known */
        int64_t error_at;
        uint8_t phase, message;
        bool poll_waits; /* for the command in progress */
        bool told, failing, held, unread_due, leaving, unpaid;
        bool removing; /* .notify_before is still to be told */
        struct gateway_voice voice;
        struct gateway_again again;
        char error[GATEWAY_REASON_MAX];
    } priv;
} gateway_account;

typedef struct gateway {
    gateway_options o;
    struct { /* private */
        gateway_account *first[GATEWAY_LISTS], *last[GATEWAY_LISTS];
        size_t count;    /* of accounts */
        size_t taken;    /* commands taken that the broker waits for */
        size_t most;     /* the most at once in this session */
        size_t pictures; /* bytes of them */
        unsigned due;
        uint32_t connected_ms; /* when the broker last said so */
        struct gateway_flight {
            uint16_t id; /* 0: free */
            uint8_t what;
            gateway_account *account;
            struct gateway_job *job;
            unsigned due; /* again, if the broker refuses it */
        } flights[MQTT_WINDOW];
        uint32_t discovery_from_ms, discovery_ms;
        uint32_t counter;
        bool ready;     /* the broker has received something from us */
        bool can_tell;  /* whether somebody listens */
        bool unsaved;   /* the session's number could not be stored */
        bool discovery; /* it is to be sent again */
        bool closing, closed;
        bool left_commands; /* of removed accounts, which the broker does not send again */
        struct gateway_voice voice;
        struct gateway_again again;
        char said[GATEWAY_REASON_MAX];
    } priv;
} gateway;

/* Nothing is published yet. The options are copied, not what they point to. */
void gateway_init(gateway *g, const gateway_options *options);

/* Adds an account. Reads its ledger and its refusals. AVITO_OK, or the error of these hooks: then
 * it is not added, since commands that were answered might be done again. */
int gateway_add(gateway *g, gateway_account *a, const gateway_account_options *options);

/* Removes an account: it takes nothing more and publishes that it is not served. False: that is not
 * done yet, ask again after a step. Then its memory is free. */
bool gateway_remove(gateway *g, gateway_account *a);

/* Commands of removed accounts were not done, and the broker sends them again only with the next
 * connection. */
bool gateway_left_commands(const gateway *g);

/* What an MQTT client of a gateway must have: client id, session, will. `will` is filled in, `topic` is
 * memory for it. */
void gateway_will(const gateway_options *options, mqtt_publication *will,
                  char topic[GATEWAY_TOPIC_MAX]);

void gateway_event(gateway *g, const mqtt_event *event, uint32_t now_ms);

/* Bytes of the pictures in hand. MQTT_LARGE gets no memory where they, with what else the caller has, are more
 * than .pictures_max: then the command is refused. */
size_t gateway_pictures(const gateway *g);

void gateway_lost(gateway *g);
void gateway_step(gateway *g, uint32_t now_ms);

/* After events and a step: an account that may be due at another time than it said; NULL: there is no other. */
gateway_account *gateway_stirred(gateway *g);

void gateway_account_step(gateway_account *a, uint32_t now_ms);

/* Says something of the gateway itself, such as of its connection, within the lines of this hour. */
void gateway_tell(gateway *g, const char *text);

/* The same for lines of an account, with a voice of the caller's, which begins as all zeros. */
void gateway_voice_tell(const gateway_options *o, struct gateway_voice *v, const char *name,
                        const char *text);
bool gateway_voice_owes(const gateway_options *o, const struct gateway_voice *v);

/* Lines were left out, and there is room again: whoever still has a problem reports it again. */
bool gateway_owes_line(const gateway *g);

/* The write that is_saving() reported has ended. */
void gateway_saved(gateway_account *a);

/* Takes no new command. True: none is in progress. */
bool gateway_rest(gateway_account *a);

/* The ledger learns another gateway's notes; what was begun there is read back. */
void gateway_learn(gateway_account *a, const char *lines, size_t len, uint32_t now_ms);

/* Milliseconds until a step is due even if nothing happens. */
uint32_t gateway_deadline_ms(const gateway *g, uint32_t now_ms);
uint32_t gateway_account_deadline_ms(const gateway_account *a, uint32_t now_ms);

/* A notification came for this user: poll. */
void gateway_ring(gateway *g, int64_t user_id);

/* Publishes that it goes, and then sends DISCONNECT. True: everything has left; close the
 * connection. */
bool gateway_close(gateway *g);

#endif
