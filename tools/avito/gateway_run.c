/* gateway_run.c - avito gateway: the loop around the gateway. One thread, one ppoll(); it never waits elsewhere.
 * Names are looked up and notes are written by threads of their own (resolve.h, writing.h). */
#include "broker.h"
#include "disk.h"
#include "fleet_run.h"
#include "listener.h"
#include "resolve.h"
#include "roots.h"
#include "run.h"
#include "russian.h"
#include "served.h"
#include "session.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LANES         8      /* for commands, of all accounts together */
#define LANE_IDLE_MS  60000u /* how long until its memory is given back */
#define START_EACH_MS 20     /* between the first handshakes of two accounts */
#define GOODBYE_MS    800u
#define OWN_FDS       3      /* broker, resolver, disk */
#define LATEST_MS     60000u /* until an account is asked again when it is due */

/* A lane for commands, and the account that it served last, whose connection may go on. */
struct sender {
    lane *l; /* NULL: it has no memory yet */
    avito_account *account;
    bool lent;
    uint32_t idle_ms;
    gateway_lane given;
};

struct run {
    const arguments *arguments;
    config config;
    config good;      /* the last one that was taken, as it was read */
    gateway gateway;  /* without a fleet */
    broker broker;    /* likewise */
    fleet_run *fleet; /* NULL: there is none */
    listener listener;
    served *accounts, *open; /* all; those with a lane that may wait for its connection */
    struct sender senders[LANES];
    char folder[4200]; /* of the gateway's state */
    char client_id[40], path[80], url[1200];
    bool listens, quiet, changing;
    size_t count; /* of accounts */
    int status, lock;
    struct pollfd *fds;
    served **owners; /* of the lanes among them */
    size_t fds_cap;
    uint32_t notified_ms, watchdog_ms; /* 0: systemd does not watch */
    uint64_t fingerprint;              /* of [mqtt] and [gateway] */
};

static volatile sig_atomic_t stop, reload;

static void on_signal(int number)
{
    if (number == SIGHUP) {
        reload = 1;
    } else {
        stop = 1;
    }
}

/* ---- systemd ---- */

/* Tells systemd, if it has asked for that. */
static void notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to;
    int fd;

    memset(&to, 0, sizeof to);
    to.sun_family = AF_UNIX;
    if (path == NULL || strlen(path) >= sizeof to.sun_path) {
        return;
    }
    strcpy(to.sun_path, path);
    if (path[0] == '@') {
        to.sun_path[0] = '\0';
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
        close(fd);
    }
}

static void feed_watchdog(struct run *r, uint32_t now_ms)
{
    if (r->watchdog_ms > 0 && now_ms - r->notified_ms >= r->watchdog_ms) {
        r->notified_ms = now_ms;
        notify("WATCHDOG=1");
    }
}

static void begin_watchdog(struct run *r)
{
    const char *usec = getenv("WATCHDOG_USEC");

    r->watchdog_ms = usec != NULL ? (uint32_t)(strtoul(usec, NULL, 10) / 2000u) : 0;
    notify("READY=1");
}

/* ---- hooks of the gateway ---- */

static void say_line(void *ctx, const char *name, const char *text)
{
    const struct run *r = ctx;

    if (!r->quiet) {
        fprintf(stderr, "avito gateway: %s%s%s\n", name != NULL ? name : "",
                name != NULL ? ": " : "", text);
    }
}

static uint32_t boot_ms(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u);
}

static int save_session(void *ctx, uint32_t number)
{
    char text[16];
    const int n = snprintf(text, sizeof text, "%lu\n", (unsigned long)number);

    return disk_write(((struct run *)ctx)->folder, "session", text, (size_t)n);
}

static bool is_saving(void *ctx, avito_account *of)
{
    const struct run *r = ctx;

    return r->fleet != NULL ? fleet_run_is_saving(r->fleet, of) : ((served *)of->o.ctx)->saving;
}

/* The lane that served this account last; else one without memory; else the one that has been idle
 * longest. */
static struct sender *free_sender(struct run *r, const avito_account *of)
{
    struct sender *best = NULL;

    for (struct sender *s = r->senders; s < r->senders + LANES; s++) {
        if (s->lent) {
            continue;
        }
        if (s->l != NULL && s->account == of) {
            return s;
        }
        if (best == NULL || s->l == NULL ||
            (best->l != NULL && (int32_t)(best->idle_ms - s->idle_ms) > 0)) {
            best = s;
        }
    }
    return best;
}

/* Gives an account a lane for a command, opened for it. NULL: none is free, or it cannot be opened. */
static gateway_lane *borrow(void *ctx, avito_account *of)
{
    struct run *r = ctx;
    struct sender *s = free_sender(r, of);

    if (s == NULL) {
        return NULL;
    }
    if (s->l == NULL) {
        s->l = lane_new(LANE_SENDS, GATEWAY_ARENA);
        s->account = NULL;
    }
    if (s->l == NULL) {
        return NULL;
    }
    if (s->account != of) {
        s->account = NULL;
        if (lane_open(s->l, LANE_SENDS, of, ((served *)of->o.ctx)->roots) != AVITO_OK) {
            return NULL;
        }
        s->account = of;
    }
    s->lent = true;
    s->given = (gateway_lane){&s->l->client, &s->l->arena};
    return &s->given;
}

static void give_back(void *ctx, gateway_lane *given)
{
    struct run *r = ctx;

    for (struct sender *s = r->senders; s < r->senders + LANES; s++) {
        if (&s->given == given) {
            s->lent = false;
            s->l->stirred = true;
            lane_rest(s->l);
            s->idle_ms = avito_posix_clock_ms(NULL);
        }
    }
}

static void close_sender(struct sender *s)
{
    if (s->l != NULL) {
        avito_client_close(&s->l->client);
        lane_free(s->l);
    }
    s->l = NULL;
    s->account = NULL;
}

static void close_idle_senders(struct run *r, uint32_t now_ms)
{
    for (struct sender *s = r->senders; s < r->senders + LANES; s++) {
        if (s->l != NULL && !s->lent && now_ms - s->idle_ms >= LANE_IDLE_MS) {
            close_sender(s);
        }
    }
}

/* An account goes: lanes and lists must forget it. */
static void forget_account(struct run *r, served *of)
{
    served **at = &r->open;

    for (struct sender *s = r->senders; s < r->senders + LANES; s++) {
        if (s->account == &of->account) {
            close_sender(s);
        }
    }
    while (*at != NULL && *at != of) {
        at = &(*at)->next_open;
    }
    *at = of->listed ? of->next_open : *at;
}

/* ---- notifications ---- */

/* A notification from the service: the account polls at once. */
static bool take_notification(void *ctx, avito_webhook *webhook)
{
    static char room[16384];
    struct run *r = ctx;
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_event event;

    if (avito_webhook_event(webhook, &arena, &event, NULL) == AVITO_OK && event.message != NULL) {
        if (r->fleet != NULL) {
            fleet_run_ring(r->fleet, event.message->user_id);
        }
        gateway_ring(&r->gateway, event.message->user_id);
        for (served *s = r->accounts; s != NULL; s = s->next) {
            if (s->core.user_id == event.message->user_id) {
                served_hurry(s);
            }
        }
    }
    return true; /* the service would only repeat what is not understood: polls find the message */
}

/* ---- what is kept of the gateway ---- */

/* A word of random letters that is made once and stored. */
static int keep_word(struct run *r, const char *file, const char *before, size_t bytes, char *out,
                     size_t cap)
{
    char *text;
    size_t len;
    const int rc = disk_read(r->folder, file, &text, &len);

    if (rc == AVITO_OK && len > 0) {
        snprintf(out, cap, "%.*s", (int)strcspn(text, "\r\n"), text);
    }
    free(text);
    if (rc == AVITO_ERR_FILE) { /* another one would end the broker's session */
        return served_say_file(r->folder, file);
    }
    if (len > 0) {
        return EXIT_DONE;
    }
    if (random_hex(strcpy(out, before) + strlen(before), bytes) != AVITO_OK) {
        return EXIT_LOCAL;
    }
    return disk_write(r->folder, file, out, strlen(out)) == AVITO_OK
               ? EXIT_DONE
               : served_say_file(r->folder, file);
}

/* Makes and locks the folder of the gateway's state, and reads its client id and webhook path, which are made
 * once. */
static int open_folder(struct run *r, const char *name)
{
    char problem[CONFIG_PROBLEM_SIZE], path[sizeof r->folder + 8];
    int status;

    snprintf(r->folder, sizeof r->folder, "%s/gateway/%s", r->config.folder, name);
    if (!config_make_folder(r->config.folder, problem) || !config_make_folder(r->folder, problem)) {
        fprintf(stderr, "avito gateway: %s\n", problem);
        return EXIT_LOCAL;
    }
    r->lock = disk_lock(r->folder, "lock", "avito gateway");
    if (r->lock < 0 && errno == EWOULDBLOCK) {
        return config_wrong("gateway",
                            TEXT("another gateway has this name: give this one its own, name =",
                                 "шлюз с таким именем уже работает: задайте другое, name ="));
    }
    if (r->lock < 0) {
        return served_say_file(r->folder, "lock");
    }
    status = keep_word(r, "client_id", "avito-", 11, r->client_id, sizeof r->client_id);
    status = status == EXIT_DONE ? keep_word(r, "path", "/", 24, r->path, sizeof r->path) : status;
    snprintf(path, sizeof path, "%s/path", r->folder);
    return status == EXIT_DONE && !listener_path(r->path, path) ? EXIT_LOCAL : status;
}

/* Under another number a command without an id would be done again. */
static int read_session(const struct run *r, uint32_t *number)
{
    char *text;
    size_t len;
    const int rc = disk_read(r->folder, "session", &text, &len);

    *number = rc == AVITO_OK ? (uint32_t)strtoul(text, NULL, 10) : 0;
    free(text);
    return rc == AVITO_ERR_FILE ? served_say_file(r->folder, "session") : EXIT_DONE;
}

/* ---- the configuration ---- */

static int take_hold(const struct run *r, gateway_options *o)
{
    static const char *const words[] = {"auto", "yes", "no"};
    const char *value = config_value(&r->config, "gateway", "hold");
    int hold = 0;

    while (value != NULL && hold < 3 && strcmp(words[hold], value) != 0) {
        hold++;
    }
    o->hold = (enum gateway_hold)hold;
    return hold < 3 ? EXIT_DONE
                    : config_wrong("gateway",
                                   TEXT("hold is auto, yes or no", "hold бывает auto, yes и no"));
}

/* Reads [gateway]. */
static int take_options(struct run *r, gateway_options *o)
{
    const char *discovery = config_value(&r->config, "gateway", "discovery");
    long picture_mb = 6, window = MQTT_WINDOW;
    int status;

    if (!config_number(&r->config, "gateway", "window", 60000, &window) ||
        !config_number(&r->config, "gateway", "picture_max", 24, &picture_mb)) {
        return EXIT_USAGE;
    }
    o->window = (size_t)window;
    o->pictures_max = (size_t)picture_mb * 2u * 1024u * 1024u;
    o->name = config_value(&r->config, "gateway", "name");
    o->name = o->name != NULL ? o->name : "main";
    if (!is_account_name(o->name)) {
        return config_wrong("gateway", TEXT("name has 1 to 32 letters, digits, - or _",
                                            "name: от 1 до 32 латинских букв, цифр, - и _"));
    }
    o->discovery = discovery == NULL              ? "homeassistant"
                   : strcmp(discovery, "no") == 0 ? NULL
                                                  : discovery;
    if (o->discovery != NULL && (o->discovery[0] == '\0' || strpbrk(o->discovery, "+#") != NULL)) {
        return config_wrong("gateway", TEXT("discovery is the first part of a topic, or no",
                                            "discovery: начало темы или no"));
    }
    o->ctx = r;
    o->unix_time = avito_posix_unix_time;
    o->boot_ms = boot_ms;
    o->entropy = avito_posix_entropy;
    o->save_session = save_session;
    o->is_saving = is_saving;
    o->borrow = borrow;
    o->give_back = give_back;
    o->say = say_line;
    status = take_hold(r, o);
    return status == EXIT_DONE ? open_folder(r, o->name) : status;
}

static int open_listener(struct run *r)
{
    const char *at = config_value(&r->config, "gateway", "listen"),
               *url = config_value(&r->config, "gateway", "webhook_url");
    int status;

    r->listens = false;
    r->url[0] = '\0';
    if (at == NULL && url == NULL) {
        return EXIT_DONE;
    }
    if (at == NULL || url == NULL) {
        return config_wrong("gateway", TEXT("listen and webhook_url belong together",
                                            "listen и webhook_url нужны вместе"));
    }
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0) {
        return config_wrong("gateway", TEXT("webhook_url begins with https:// or http://",
                                            "webhook_url начинается с https:// или http://"));
    }
    snprintf(r->url, sizeof r->url, "%.*s%s", (int)(strlen(url) - (url[strlen(url) - 1] == '/')),
             url, r->path);
    status = listener_open(&r->listener, at, r->path, take_notification, r);
    r->listens = status == EXIT_DONE;
    return status;
}

static uint64_t own_fingerprint(const config *c)
{
    uint64_t hash = LEDGER_HASH;

    for (const config_row *row = c->rows; row != NULL; row = row->next) {
        if (strcmp(row->section, "mqtt") == 0 || strcmp(row->section, "gateway") == 0 ||
            strcmp(row->section, "fleet") == 0) {
            hash = config_hash(hash, row);
        }
    }
    return hash;
}

/* ---- accounts ---- */

static served *served_named(const struct run *r, const char *name)
{
    served *s = r->accounts;

    while (s != NULL && strcmp(s->name, name) != 0) {
        s = s->next;
    }
    return s;
}

/* Opens the account unless it is open; or, with `mark`, only finds out whether the open one is
 * still wanted as it is, or whether it could be opened. */
static int want_account(struct run *r, config *c, const char *name, bool mark)
{
    account from;
    served *s;
    int status = config_choose(c, name, &from);

    if (status != EXIT_DONE) {
        return status;
    }
    if (r->fleet != NULL) {
        return mark ? EXIT_DONE : fleet_run_want(r->fleet, &from);
    }
    s = served_named(r, from.name);
    if (mark && s != NULL) {
        s->wanted = !s->going && s->fingerprint == served_fingerprint(c, &from);
    }
    if (mark) {
        return s != NULL && s->wanted ? EXIT_DONE : served_check(c, &from);
    }
    if (s != NULL) {
        return EXIT_DONE;
    }
    s = served_open(&r->gateway, c, &from, r->url[0] != '\0' ? r->url : NULL, NULL, &status);
    if (s == NULL) {
        return status;
    }
    due_at(&s->due, avito_posix_clock_ms(NULL) + (uint32_t)(r->count * START_EACH_MS));
    s->next = r->accounts;
    r->accounts = s;
    r->count++;
    return EXIT_DONE;
}

struct stored {
    struct run *run;
    config *c;
    bool mark, any;
};

static int want_stored(void *ctx, const char *name)
{
    struct stored *s = ctx;

    s->any = true;
    return want_account(s->run, s->c, name, s->mark);
}

/* Opens the accounts of the configuration; if it has none, those of avito login; else that of the
 * environment. Returns the first status that is not EXIT_DONE; the other accounts are opened all
 * the same. */
static int want_accounts(struct run *r, config *c, bool mark)
{
    struct stored stored = {r, c, mark, false};
    const bool any = config_next_account(c, NULL) != NULL;
    int status = EXIT_DONE;

    for (const config_row *row = NULL; (row = config_next_account(c, row)) != NULL;) {
        const int one = want_account(r, c, row->section, mark);

        status = status == EXIT_DONE ? one : status;
    }
    if (!any) {
        status = config_each_stored(c, want_stored, &stored);
    }
    return any || stored.any ? status : want_account(r, c, NULL, mark);
}

/* Closes the accounts that are not wanted any more. True: all of them are gone. */
static bool remove_unwanted(struct run *r)
{
    bool done = true;

    for (served **at = &r->accounts; *at != NULL;) {
        served *s = *at;

        s->going = s->going || !s->wanted;
        if (s->wanted || !gateway_remove(&r->gateway, &s->core)) {
            done = done && s->wanted;
            at = &s->next;
            continue;
        }
        *at = s->next;
        r->count--;
        forget_account(r, s);
        served_free(s);
    }
    return done;
}

/* ---- in a fleet ---- */

static void account_opened(void *ctx, served *s)
{
    struct run *r = ctx;

    s->next = r->accounts;
    r->accounts = s;
    r->count++;
}

static void account_closing(void *ctx, served *s)
{
    struct run *r = ctx;
    served **at = &r->accounts;

    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    r->count--;
    forget_account(r, s);
}

static void note_stirred(void *ctx, gateway *g);

static int open_fleet(struct run *r, const gateway_options *o)
{
    fleet_run_options f;
    int status;

    memset(&f, 0, sizeof f);
    f.config = &r->config;
    f.gateway = *o;
    f.webhook_url = config_value(&r->config, "gateway", "webhook_url") != NULL ? r->url : NULL;
    f.ctx = r;
    f.opened = account_opened;
    f.closing = account_closing;
    f.stirred = note_stirred;
    status = fleet_run_open(&r->fleet, &f, r->path, sizeof r->path);
    status = status == EXIT_DONE ? open_listener(r) : status;
    return status == EXIT_DONE ? want_accounts(r, &r->config, false) : status;
}

/* ---- beginning, reading again, end ---- */

/* Opens everything that the configuration asks for. EXIT_DONE, or a status after saying what is wrong. */
static int open_all(struct run *r)
{
    gateway_options o;
    int status;

    memset(&o, 0, sizeof o);
    r->fingerprint = own_fingerprint(&r->config);
    status = take_options(r, &o);
    if (status != EXIT_DONE) {
        return status;
    }
    if (fleet_is_configured(&r->config)) {
        return open_fleet(r, &o);
    }
    o.broker = &r->broker.link.client;
    status = read_session(r, &o.session);
    if (status != EXIT_DONE) {
        return status;
    }
    gateway_init(&r->gateway, &o);
    status = broker_open(&r->broker, &r->config, &r->gateway.o, r->client_id);
    status = status == EXIT_DONE ? open_listener(r) : status;
    return status == EXIT_DONE ? want_accounts(r, &r->config, false) : status;
}

/* Closes accounts, lanes, broker and listener, and lets go of the lock. */
static void close_all(struct run *r)
{
    fleet_run_free(r->fleet);
    r->fleet = NULL;
    while (r->accounts != NULL) {
        served *s = r->accounts;

        r->accounts = s->next;
        gateway_lost(&r->gateway);
        (void)gateway_remove(&r->gateway, &s->core);
        forget_account(r, s);
        served_free(s);
    }
    r->count = 0;
    for (int i = 0; i < LANES; i++) {
        close_sender(&r->senders[i]);
    }
    broker_free(&r->broker);
    if (r->listens) {
        listener_close(&r->listener);
    }
    r->listens = false;
    if (r->lock >= 0) {
        close(r->lock);
    }
    r->lock = -1;
}

static void step_account(struct run *r, served *s, uint32_t now);

/* Finishes what is begun, and lets others take over. */
static void leave_fleet(struct run *r)
{
    const uint32_t from = avito_posix_clock_ms(NULL);
    uint32_t now = from;

    while (now - from < GOODBYE_MS && !fleet_run_leave(r->fleet)) {
        struct timespec pause = {0, 5000000};

        fleet_run_step(r->fleet);
        for (served *s = r->accounts; s != NULL; s = s->next) {
            step_account(r, s, now);
        }
        nanosleep(&pause, NULL);
        now = avito_posix_clock_ms(NULL);
    }
}

/* Says goodbye to the broker, for a limited time. */
static void say_goodbye(struct run *r)
{
    const uint32_t from = avito_posix_clock_ms(NULL);
    uint32_t now = from;

    if (r->fleet != NULL) {
        leave_fleet(r);
        return;
    }

    while (now - from < GOODBYE_MS && r->broker.link.state == MQTT_LINK_OPEN) {
        struct pollfd fd = {avito_tcp_fd(&r->broker.tcp), POLLIN, 0};
        const bool over = gateway_close(&r->gateway);

        broker_step(&r->broker, &r->gateway, now);
        if (over) {
            break;
        }
        (void)poll(&fd, 1, 20);
        now = avito_posix_clock_ms(NULL);
    }
}

static void say_not_taken(struct run *r)
{
    say_line(r, NULL, say(TEXT("the configuration is not taken", "настройки не приняты")));
}

/* Starts again with another configuration. If that fails, it returns to the one before. */
static void begin_with(struct run *r, config *fresh)
{
    say_goodbye(r);
    close_all(r);
    config_free(&r->config);
    r->status = config_copy(&r->config, fresh);
    r->status = r->status == EXIT_DONE ? open_all(r) : r->status;
    if (r->status == EXIT_DONE) {
        config_take(&r->good, fresh);
        return;
    }
    close_all(r);
    say_not_taken(r);
    config_free(fresh);
    config_free(&r->config);
    r->status = config_copy(&r->config, &r->good);
    r->status = r->status == EXIT_DONE ? open_all(r) : r->status;
    stop = stop || r->status != EXIT_DONE;
}

/* Reads the configuration again. If something is wrong with it, that is reported, and the old one
 * stays in force. */
static void read_again(struct run *r)
{
    config fresh, chosen;
    int status = config_load(&fresh, r->arguments->values[OPTION_CONFIG]);

    if (status == EXIT_DONE && (r->fleet != NULL || own_fingerprint(&fresh) != r->fingerprint)) {
        begin_with(r, &fresh);
        return;
    }
    for (served *s = r->accounts; s != NULL; s = s->next) {
        s->wanted = false;
    }
    status = status == EXIT_DONE ? config_copy(&chosen, &fresh) : status;
    if (status == EXIT_DONE) {
        status = want_accounts(r, &chosen, true);
        config_free(&chosen);
    }
    if (status == EXIT_DONE) {
        config_take(&r->good, &fresh);
        r->changing = true;
        return;
    }
    config_free(&fresh);
    say_not_taken(r);
    for (served *s = r->accounts; s != NULL; s = s->next) {
        s->wanted = !s->going;
    }
}

/* Once the changed and unwanted accounts are gone, the new ones come. */
static void go_on_changing(struct run *r)
{
    config chosen;

    if (!r->changing || !remove_unwanted(r)) {
        return;
    }
    r->changing = false;
    if (config_copy(&chosen, &r->good) == EXIT_DONE) {
        (void)want_accounts(r, &chosen, false);
        config_free(&chosen);
        say_line(r, NULL,
                 say(TEXT("the configuration was read again", "настройки прочитаны заново")));
    }
}

/* Publications about removed accounts leave first. */
static void ask_for_left_commands(struct run *r)
{
    const void *data;

    if (!r->changing && gateway_left_commands(&r->gateway) &&
        mqtt_output(&r->broker.link.client, &data) == 0) {
        broker_again(&r->broker, &r->gateway, avito_posix_clock_ms(NULL));
    }
}

/* ---- the loop ---- */

static short events_of(int wants)
{
    return (short)((wants & AVITO_WANT_READ ? POLLIN : 0) |
                   (wants & AVITO_WANT_WRITE ? POLLOUT : 0));
}

/* Makes room in the poll array for every descriptor that there may be. */
static bool grow(struct run *r)
{
    const size_t count = OWN_FDS + LISTENER_FDS + 2 * r->count +
                         (r->fleet != NULL ? fleet_run_fds_max(r->fleet) : 0);

    if (count > r->fds_cap) {
        struct pollfd *fds = realloc(r->fds, (count + 64) * sizeof *fds);
        served **owners = fds != NULL ? realloc(r->owners, (count + 64) * sizeof *owners) : NULL;

        r->fds = fds != NULL ? fds : r->fds;
        r->owners = owners != NULL ? owners : r->owners;
        if (owners == NULL) {
            return false;
        }
        r->fds_cap = count + 64;
    }
    return true;
}

static size_t add_lane(struct run *r, size_t n, served *owner, const avito_client *client,
                       const avito_tcp *tcp)
{
    const short events = events_of(avito_wants(client));

    if (events != 0) {
        r->fds[n] = (struct pollfd){avito_tcp_fd(tcp), events, 0};
        r->owners[n++] = owner;
    }
    return n;
}

static const avito_tcp *tcp_of(const struct run *r, const gateway_lane *given)
{
    const struct sender *s = r->senders;

    while (&s->given != given) {
        s++;
    }
    return &s->l->tcp;
}

/* Fills in the poll array; returns its length. *ms becomes shorter if something is due earlier. */
static size_t collect(struct run *r, uint32_t *ms)
{
    size_t n = OWN_FDS;

    r->fds[0] = (struct pollfd){-1, 0, 0};
    if (r->broker.link.state != MQTT_LINK_CLOSED) {
        r->fds[0].fd = avito_tcp_fd(&r->broker.tcp);
        r->fds[0].events = events_of(mqtt_link_wants(&r->broker.link));
    }
    r->fds[1] = (struct pollfd){resolve_fd(), POLLIN, 0};
    r->fds[2] = (struct pollfd){writing_fd(), POLLIN, 0};
    if (r->listens) {
        const uint32_t due = listener_prepare(&r->listener, r->fds + n);

        *ms = due < *ms ? due : *ms;
        n += LISTENER_FDS;
    }
    for (served **at = &r->open, *s; (s = *at) != NULL;) {
        if (!s->open) {
            s->listed = false;
            *at = s->next_open;
            continue;
        }
        at = &s->next_open;
        n = add_lane(r, n, s, &s->reader->client, &s->reader->tcp);
        if (s->core.lane != NULL) {
            n = add_lane(r, n, s, s->core.lane->client, tcp_of(r, s->core.lane));
        }
    }
    if (r->fleet != NULL) {
        const size_t of_fleet = fleet_run_fds(r->fleet, r->fds + n);

        memset(r->owners + n, 0, of_fleet * sizeof *r->owners);
        n += of_fleet;
    }
    return n;
}

static void least(uint32_t *ms, uint32_t other)
{
    *ms = other < *ms ? other : *ms;
}

/* How long the loop may sleep. */
static uint32_t wait_ms(struct run *r, uint32_t now)
{
    uint32_t ms = 60000;

    if (r->fleet != NULL) {
        least(&ms, fleet_run_deadline_ms(r->fleet));
    } else {
        least(&ms, broker_deadline_ms(&r->broker, now));
        least(&ms, gateway_deadline_ms(&r->gateway, now));
    }
    least(&ms, r->watchdog_ms > 0 ? r->watchdog_ms : 60000);
    if (resolve_fd() >= 0 || r->changing) {
        least(&ms, 50);
    }
    if (due_first() != NULL) {
        const uint32_t left = due_first()->at_ms - now;

        least(&ms, (int32_t)left > 0 ? left : 0);
    }
    return ms;
}

/* After a step of an account. */
static void note_due(struct run *r, served *s, uint32_t now)
{
    const uint32_t ms = gateway_account_deadline_ms(&s->core, now);

    lane_rest(s->reader);
    s->open = s->core.lane != NULL || avito_wants(&s->reader->client) != 0;
    if (s->open && !s->listed) {
        s->listed = true;
        s->next_open = r->open;
        r->open = s;
    }
    due_at(&s->due, now + (ms < LATEST_MS ? ms : LATEST_MS));
}

static void step_account(struct run *r, served *s, uint32_t now)
{
    s->started = true;
    if (s->woken) { /* the write that the account waited for may have ended */
        s->woken = false;
        gateway_saved(&s->core);
    }
    gateway_account_step(&s->core, now);
    note_due(r, s, now);
}

/* Takes those that are due out of the list, which a step puts them into again. */
static served *take_due(uint32_t now)
{
    served *all = NULL, **last = &all;
    due_time *t;

    while ((t = due_first()) != NULL && (int32_t)(t->at_ms - now) <= 0) {
        due_never(t);
        *last = (served *)t;
        last = &(*last)->next_due;
    }
    *last = NULL;
    return all;
}

/* Steps the accounts that are due: by time, by their descriptors, or by a write or look-up that has ended. */
static void step_accounts(struct run *r, size_t fds)
{
    const uint32_t now = avito_posix_clock_ms(NULL);

    for (size_t i = OWN_FDS + (r->listens ? LISTENER_FDS : 0); i < fds; i++) {
        if (r->fds[i].revents != 0 && r->owners[i] != NULL) {
            due_at(&r->owners[i]->due, now);
        }
    }
    if (fds > 0 && r->fds[1].revents != 0) {
        resolve_take();
        for (served *s = r->accounts; s != NULL; s = s->next) {
            if (s->started) {
                due_at(&s->due, now);
            }
        }
    }
    if (fds > 0 && r->fds[2].revents != 0) {
        writing_take();
    }
    for (served *s = take_due(now); s != NULL; s = s->next_due) {
        step_account(r, s, now);
    }
}

/* A packet of the broker may have made accounts due. */
static void note_stirred(void *ctx, gateway *g)
{
    const uint32_t now = avito_posix_clock_ms(NULL);
    gateway_account *a;

    while ((a = gateway_stirred(g)) != NULL) {
        served *s = a->o.ctx;

        if (s->started) {
            note_due(ctx, s, now);
        }
    }
}

static void step_broker(struct run *r)
{
    const uint32_t now = avito_posix_clock_ms(NULL);

    if (r->fleet != NULL) {
        fleet_run_step(r->fleet);
        return;
    }
    broker_step(&r->broker, &r->gateway, now);
    gateway_step(&r->gateway, now);
    note_stirred(r, &r->gateway);
}

/* One turn of the loop: steps the broker, sleeps, then steps everything else. */
static void turn(struct run *r, const sigset_t *unblocked)
{
    uint32_t now, ms;
    struct timespec pause;
    sigset_t blocked;
    size_t fds;

    step_broker(r);
    now = avito_posix_clock_ms(NULL);
    ms = wait_ms(r, now);
    if (!grow(r)) {
        return;
    }
    fds = collect(r, &ms);
    pause.tv_sec = ms / 1000;
    pause.tv_nsec = (long)(ms % 1000) * 1000000;
    if (ppoll(r->fds, fds, &pause, unblocked) <= 0) {
        fds = 0;
    }
    sigprocmask(SIG_SETMASK, unblocked, &blocked); /* ppoll() without waiting lets no signal in */
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    if (r->fleet != NULL && fleet_run_slept(r->fleet)) {
        return; /* the broker's messages come first */
    }
    if (r->listens) { /* a peer may be late, too */
        listener_step(&r->listener, r->fds + OWN_FDS);
    }
    step_accounts(r, fds);
    now = avito_posix_clock_ms(NULL);
    close_idle_senders(r, now);
    feed_watchdog(r, now);
    go_on_changing(r);
    ask_for_left_commands(r);
}

static void catch_signals(sigset_t *unblocked)
{
    static const int numbers[] = {SIGHUP, SIGTERM, SIGINT};
    struct sigaction action;
    sigset_t blocked;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        sigaction(numbers[i], &action, NULL);
        sigaddset(&blocked, numbers[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &blocked, unblocked);
}

/* Two descriptors for each account. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Pictures go back to the system as soon as they are freed. By itself glibc puts them into its heap after the first one,
 * and what is left there between them adds up. */
static void keep_pictures_apart(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 131072);
#endif
}

int run_gateway(const arguments *a)
{
    static struct run r;
    sigset_t unblocked;

    r.arguments = a;
    r.lock = -1;
    r.quiet = a->values[OPTION_QUIET] != NULL;
    raise_limit();
    keep_pictures_apart();
    r.status = config_load(&r.config, a->values[OPTION_CONFIG]);
    r.status = r.status == EXIT_DONE ? config_copy(&r.good, &r.config) : r.status;
    r.status = r.status == EXIT_DONE ? open_all(&r) : r.status;
    if (r.status == EXIT_DONE) {
        catch_signals(&unblocked);
        begin_watchdog(&r);
        while (!stop) {
            turn(&r, &unblocked);
            if (reload) {
                reload = 0;
                read_again(&r);
            }
        }
        notify("STOPPING=1");
        say_goodbye(&r);
    }
    close_all(&r);
    config_free(&r.config);
    config_free(&r.good);
    return r.status;
}
