/* fleet.h - several gateways share the accounts: who serves which, and how one takes over from
 * another. There is no consensus protocol: the MQTT broker keeps one connection per client id, and
 * what was begun is never sent again.
 *
 * No socket, no clock, no file: the caller moves bytes, and hooks tell it what to do. One thread.
 *
 *     node connection      of each node, clean: sends beats; watches status, ledger and hints of each account
 *     account connection   of the holder alone, persistent, with a client id that is secret
 *
 *     STANDBY --> WAITING --> CLAIMING --> ACTIVE --> LEAVING --> STANDBY
 *        ^           ^            |           |                          (hand-over, SIGTERM)
 *        +-----------+-- LOOKING <+-----------+  the connection is gone
 *
 * A claim: CONNECT, SUBSCRIBE, marker and probe, read the state, ledger with a new epoch, `online`.
 * Comments name rules F1 to F9 where the code keeps them. */
#ifndef AVITO_TOOLS_FLEET_H
#define AVITO_TOOLS_FLEET_H

#include "ledger.h"
#include "mqtt.h"

#define FLEET_SECRET_MIN 16 /* bytes */
#define FLEET_CLAIMS     4  /* of a node, under way at once */
#define FLEET_NODES      64
#define FLEET_NAME_MAX   32
#define FLEET_KEY_SIZE   17 /* of a claim: 16 hex digits */
#define FLEET_CLIENT_ID  29 /* "avito-" and 22 characters */
#define FLEET_TOPIC_MAX  160
#define FLEET_ROOT       "avito/fleet/"
#define FLEET_LOOK_FOR_MS                                                                          \
    85000u /* 5 s + 20 s of a request + 60 s: how late another's send may show up */

/* All in milliseconds. */
typedef struct fleet_times {
    uint32_t beat;                     /* between beats */
    uint32_t silent;                   /* a node without a beat for this long is gone */
    uint32_t none;                     /* how long after the marker "there is none" is believed */
    uint32_t wait, random;             /* of a standby before it claims */
    uint32_t each;                     /* more, for each account that it holds */
    uint32_t again_from, again_random; /* of a holder that lost its connection */
    uint32_t claim;                    /* longest claim */
    uint32_t gap;                      /* in our own loop: all timers start again */
    uint32_t taken_up;                 /* a hand-over that nobody takes up counts as offline */
    uint32_t unequal;                  /* how long loads must differ before one is handed over */
    uint32_t denied;                   /* after the broker said no */
} fleet_times;

/* The times of the rules. A `percent` other than 100 is for tests; the gap is not scaled. */
fleet_times fleet_times_of(unsigned percent);

/* The client id of an account's connection: without the secret nobody can disconnect its holder. */
void fleet_client_id(const void *secret, size_t len, const char *account,
                     char out[FLEET_CLIENT_ID]);

/* The secret path of notifications, the same on each node. */
void fleet_path(const void *secret, size_t len, char *out, size_t cap);

/* Why this account cannot be in a fleet, for people; NULL: it can. */
const char *fleet_objection(size_t secret_len, bool by_consent);

enum fleet_state {
    FLEET_STANDBY,
    FLEET_WAITING,
    FLEET_LOOKING,
    FLEET_CLAIMING,
    FLEET_ACTIVE,
    FLEET_LEAVING
};

/* What becomes of an event of an account's connection. */
enum fleet_verdict {
    FLEET_TAKEN, /* the fleet has used it */
    FLEET_KEEP,  /* an early command: keep it until begin() */
    FLEET_PASS   /* it is the gateway's */
};

struct fleet_account;

typedef struct fleet_hooks {
    void *ctx;
    int (*entropy)(void *ctx, void *out, size_t len);
    /* On an account's connection, or on the node's if `a` is NULL. Returns an mqtt_result. */
    int (*publish)(void *ctx, struct fleet_account *a, const mqtt_publication *p,
                   uint16_t *packet_id);
    int (*subscribe)(void *ctx, struct fleet_account *a, const mqtt_filter *filters, size_t count);
    int (*unsubscribe)(void *ctx, struct fleet_account *a, const mqtt_filter *filters,
                       size_t count);
    int (*acknowledge)(void *ctx, struct fleet_account *a, uint16_t packet_id);
    void (*connect)(void *ctx, struct fleet_account *a); /* with its will, not clean */
    void (*close)(void *ctx, struct fleet_account *a);   /* as it is */
    void (*part)(void *ctx, struct fleet_account *a);    /* DISCONNECT, then close */
    /* The account is ours: poll and send, then handle kept commands. False: this node cannot serve
     * it now. */
    bool (*begin)(void *ctx, struct fleet_account *a);
    /* It is not ours any more: cancel what is in progress. */
    void (*end)(void *ctx, struct fleet_account *a);
    /* True: nothing is in progress any more, and no new command is taken. */
    bool (*rest)(void *ctx, struct fleet_account *a);
    /* The ledger has learnt these lines from others. */
    void (*learn)(void *ctx, struct fleet_account *a, const char *lines, size_t len);
    /* A write that somebody waits for was stored or refused. */
    void (*stored)(void *ctx, struct fleet_account *a);
    void (*ring)(void *ctx, struct fleet_account *a, int64_t user_id);
    /* Files of this node. Each gives AVITO_OK or an error. The first two may give AVITO_AGAIN, that of a slot
     * only while a message is accepted: the write is in progress, and the same call is repeated until it has
     * ended. */
    int (*keep_ledger)(void *ctx, struct fleet_account *a, const char *lines, size_t len,
                       bool append);
    int (*keep_slot)(void *ctx, struct fleet_account *a, int slot, const void *data, size_t len);
    int (*load_slot)(void *ctx, struct fleet_account *a, int slot, void *data, size_t cap,
                     size_t *len);
    int (*keep_epoch)(void *ctx, struct fleet_account *a, uint32_t epoch);
    void (*say)(void *ctx, const char *account, const char *text);
} fleet_hooks;

typedef struct fleet_options {
    const char *name, *node, *version;
    fleet_times times;
    fleet_hooks hooks;
} fleet_options;

/* A retained message of which one version is on its way at a time. */
typedef struct fleet_write {
    uint32_t version, flying, stored;
    uint32_t failed_ms;
    uint16_t packet; /* 0: none is on its way */
    uint32_t denied_ms;
    bool failed;
    bool denied; /* since denied_ms, each time */
    bool told;   /* people know that the broker refuses it */
} fleet_write;

typedef struct fleet_account {
    const char *name;
    enum fleet_state state;
    uint32_t epoch;   /* of our claim */
    uint32_t session; /* number of the broker's session; goes with the ledger */
    bool can_tell;    /* the broker tells whether anybody listens */
    int64_t user_id;  /* 0: not known */
    mqtt_publication will;
    mqtt_pair pairs[3]; /* of `online`: node, epoch, key */
    void *glue;         /* the caller's */
    struct {            /* private */
        struct fleet_account *next;
        struct fleet *f;
        char key[FLEET_KEY_SIZE], epoch_text[12], status_topic[FLEET_TOPIC_MAX];
        /* what this node sees of it */
        bool status_known;
        char word[12], node[FLEET_NAME_MAX + 1], holder_key[FLEET_KEY_SIZE], to[FLEET_NAME_MAX + 1];
        char heir[FLEET_NAME_MAX + 1]; /* to whom this node hands it over; "": to nobody */
        uint32_t status_ms, heard_ms;  /* when the status came; the last sign of its holder */
        uint32_t seen_epoch;
        uint64_t can; /* nodes that serve it: bits */
        ledger known; /* union of all that was seen */
        bool broker_has_ledger, known_dirty, epoch_dirty;
        uint32_t kept_ms, hinted_ms;
        bool hinted, hint_owed;
        /* waiting, looking, claiming */
        uint32_t from_ms, wait_ms, look_mark;
        bool was_active, ours; /* ours: we lost our own connection, so no holder has to go first */
        uint8_t step;
        uint16_t marker, probe;
        uint8_t marker_reason, probe_reason;
        bool marked, marker_answered, probe_answered, has_inbox, has_ledger, session_present;
        uint32_t marked_ms;
        uint16_t online, bye;
        bool say_online, stopped;
        bool refused; /* this node could not serve it: others go first */
        /* state that is written */
        fleet_write ledger, inbox;
        uint64_t pending; /* of the ledger: the write that somebody waits for; 0: none */
        uint32_t pending_version;
        char pending_id[LEDGER_ID_MAX + 1]; /* if nothing was known of it before; else "" */
        bool pending_begins;                /* it notes "begun" */
        bool pending_is_kept;               /* in our file */
        bool unsaid;                        /* it is a refusal, of which the broker may not know */
        int pending_error; /* our file's, which is returned when the broker's ledger is right */
        bool broker_has_inbox;
        int slot;
        bool slot_waits; /* for our file */
        char *state;     /* the inbox's bytes */
        size_t state_len;
    } priv;
} fleet_account;

typedef struct fleet_node {
    char name[FLEET_NAME_MAX + 1];
    unsigned load;
    uint32_t heard_ms;
    bool alive; /* a live beat came, not a retained one */
} fleet_node;

typedef struct fleet {
    fleet_options o;
    struct { /* private */
        fleet_account *accounts, *subscribing;
        fleet_node nodes[FLEET_NODES];
        bool up, fresh, subscribed, looking, leaving, stepped;
        uint32_t since_ms; /* when the node's connection had seen everything */
        uint32_t stepped_ms, beat_ms, begun_ms;
        uint32_t mark_sent, mark_seen, mark_ms;
        uint32_t unequal_ms;
        bool unequal, beaten;
    } priv;
} fleet;

void fleet_init(fleet *f, const fleet_options *options, uint32_t now_ms);

/* Adds an account of the configuration. `lines` and `epoch` are from this node's files. */
void fleet_add(fleet *f, fleet_account *a, const char *name, const char *lines, size_t len,
               uint32_t epoch);
void fleet_free(fleet *f);

/* Events of the node's connection: MQTT_CONNECTED, MQTT_MESSAGE and the rest; lost: it is
 * closed. */
void fleet_node_event(fleet *f, const mqtt_event *e, uint32_t now_ms);
void fleet_node_lost(fleet *f);
enum fleet_verdict fleet_account_event(fleet_account *a, const mqtt_event *e, uint32_t now_ms);

/* A topic of the fleet itself: its messages get memory before all pictures. */
bool fleet_reads(const fleet_account *a, avito_str topic);
void fleet_account_lost(fleet_account *a, uint32_t now_ms);

/* Call it after events, and when it is due. */
void fleet_step(fleet *f, uint32_t now_ms);
uint32_t fleet_deadline_ms(const fleet *f, uint32_t now_ms);

/* The last step was too long ago: read the sockets and step before anything else. */
bool fleet_slept(const fleet *f, uint32_t now_ms);

/* Another gateway's notification came here. */
void fleet_ring(fleet *f, int64_t user_id);

/* Hands all accounts over and takes no more. True: everything is done, close the node's
 * connection. */
bool fleet_leave(fleet *f, uint32_t now_ms);
void fleet_hand_over(fleet_account *a, const char *to);

/* The stores of an active account. The ledger's gives AVITO_AGAIN until the broker has it, even if our file refuses it:
 * then, with the file's error, the broker's ledger says "not sent" of what was to begin. A broker that has refused it for
 * .denied is waited for no longer: what was to begin, or was refused, is LEDGER_DENIED; an outcome that our file has is
 * good, since the broker knows that it was begun. */
int fleet_append(fleet_account *a, const char *lines, size_t len, bool whole);
void fleet_load(const fleet_account *a, void (*take)(void *to, const char *lines, size_t len),
                void *to);
/* The inbox's store gives an error until the broker has it, if somebody waits for it (`accepting`,
 * or a first state). */
int fleet_save_inbox(fleet_account *a, int slot, const void *data, size_t len, bool accepting);
int fleet_load_inbox(fleet_account *a, int slot, void *data, size_t cap, size_t *len);
/* True: that error only meant "not yet". */
bool fleet_is_saving(const fleet_account *a);

#endif
