/*
 * The inbox when things fail: a chat that is refused, bytes that change on the way, messages that
 * break the model, a ring that is too small. A service in memory answers by what is asked.
 * Rooms: INBOX: WHAT IT REMEMBERS, INBOX: LISTS, INBOX: PHASES, INBOX: ROUNDS.
 */
#include "support/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T    DEVICE_SINCE /* the first message; all times are counted from it */
#define POLL 15000

/* ---------------------------------------------------------------- the service */

struct row {
    const char *chat;
    char id[8];
    uint32_t created;
    bool read;
};

static struct service {
    struct row rows[140]; /* in the order of their creation */
    unsigned count;
    unsigned
        page; /* rows of the largest page; 0: as many as are asked for; over 100: whatever is asked */
    /* What goes wrong: looks at the request, may change status and body. */
    void (*fault)(struct service *s, const char *request);
    unsigned faults; /* counted by the faults themselves */
    unsigned marks;
    int status;
    const char *request;
    char body[60000];
} service;

static unsigned number_after(const char *request, const char *name, unsigned otherwise)
{
    const char *at = strstr(request, name);
    return at != NULL ? (unsigned)strtoul(at + strlen(name), NULL, 10) : otherwise;
}

static bool newest_of_its_chat(const struct service *s, unsigned i)
{
    for (unsigned k = i + 1; k < s->count; k++) {
        if (strcmp(s->rows[k].chat, s->rows[i].chat) == 0) {
            return false;
        }
    }
    return true;
}

static void add(struct service *s, const char *format, ...)
{
    const size_t len = strlen(s->body);
    va_list args;
    va_start(args, format);
    assert_true((size_t)vsnprintf(s->body + len, sizeof s->body - len, format, args) <
                sizeof s->body - len);
    va_end(args);
}

static void add_row(struct service *s, const struct row *r, bool as_chat)
{
    add(s, "%s", s->body[strlen(s->body) - 1] == '}' ? "," : "");
    if (as_chat) {
        add(s, "{\"id\":\"%s\",\"created\":%u,\"updated\":%u}", r->chat, T, T + r->created);
    } else {
        add(s,
            "{\"id\":\"%s\",\"author_id\":7,\"created\":%u,\"type\":\"text\",\"direction\":\"in\","
            "\"content\":{\"text\":\"hello\"},\"is_read\":%s}",
            r->id, T + r->created, r->read ? "true" : "false");
    }
}

/* Both lists, the newest first. */
static void write_list(struct service *s)
{
    const char *messages = strstr(s->request, "/messages/");
    const unsigned asked = number_after(s->request, "limit=", 100);
    const unsigned limit = s->page > 100 || (s->page != 0 && s->page < asked) ? s->page : asked;
    const unsigned offset = number_after(s->request, "offset=", 0);
    unsigned row = 0;
    add(s, "{\"%s\":[", messages != NULL ? "messages" : "chats");
    for (unsigned i = s->count; i > 0; i--) {
        const struct row *r = &s->rows[i - 1];
        char path[96];
        (void)snprintf(path, sizeof path, "/chats/%s/", r->chat);
        if (messages != NULL ? strstr(s->request, path) != NULL : newest_of_its_chat(s, i - 1)) {
            if (row >= offset && row < offset + limit) {
                add_row(s, r, messages == NULL);
            }
            row++;
        }
    }
    add(s, "],\"meta\":{\"has_more\":%s}}", row > offset + limit ? "true" : "false");
}

/* Marks the messages of the request's chat as read. */
static void mark(struct service *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        char path[96];
        (void)snprintf(path, sizeof path, "/chats/%s/read", s->rows[i].chat);
        s->rows[i].read = s->rows[i].read || strstr(s->request, path) != NULL;
    }
}

static const char *serve(void *ctx, const char *request, int *status)
{
    struct service *s = ctx;
    s->request = request;
    s->status = *status;
    s->body[0] = '\0';
    if (strncmp(request, "POST", 4) == 0) {
        s->marks++;
        add(s, "{\"ok\":true}");
    } else {
        write_list(s);
    }
    if (s->fault != NULL) {
        s->fault(s, request);
    }
    if (strncmp(request, "POST", 4) == 0 && s->status == 200) {
        mark(s);
    }
    *status = s->status;
    return s->body;
}

static void write_message(const char *chat, const char *id, uint32_t created)
{
    struct row *r = &service.rows[service.count++];
    assert_true(service.count <= sizeof service.rows / sizeof *service.rows);
    r->chat = chat;
    assert_true((size_t)snprintf(r->id, sizeof r->id, "%s", id) < sizeof r->id);
    r->created = created;
    r->read = false;
}

/* Ids with a blank after each, as poll_of() gives them; every message is `apart` newer than the one
 * before. */
static void write_messages(const char *chat, const char *ids, uint32_t created, uint32_t apart)
{
    char id[8];
    for (; *ids != '\0'; ids += strlen(id) + 1) {
        assert_int_equal(sscanf(ids, "%7s", id), 1);
        write_message(chat, id, created);
        created += apart;
    }
}

/* ---------------------------------------------------------------- the device */

static struct device *device_of(unsigned ring, avito_inbox_start start)
{
    static struct device d;
    memset(&service, 0, sizeof service);
    device_init(&d, ring, serve, &service);
    d.options.start = start;
    d.options.poll_ms = POLL;
    device_start(&d);
    return &d;
}

/* Its answers are dated, and its clock is `later_s` ahead of the first message. */
static struct device *dated_device(unsigned ring, avito_inbox_start start, uint32_t later_s)
{
    struct device *d = device_of(ring, start);
    d->dates = true;
    d->clock.unix_s = T + later_s;
    return d;
}

/* Starts it again, with records of its chats. */
static void remember_chats(struct device *d, char *records, size_t size)
{
    d->options.chats = records;
    d->options.chats_cap = size;
    device_start(d);
}

static const char *poll_of(struct device *d)
{
    clock_advance(&d->clock, POLL);
    return device_round(d);
}

static void assert_polls(struct device *d, unsigned polls, const char *given)
{
    for (; polls > 0; polls--) {
        assert_string_equal(poll_of(d), given);
    }
}

/* One of the next `polls` polls gives these messages; the polls before it give nothing. */
static void assert_within(struct device *d, unsigned polls, const char *given)
{
    for (; polls > 0 && strcmp(poll_of(d), given) != 0; polls--) {
        assert_string_equal(d->given, "");
    }
    assert_string_equal(d->given, given);
}

static void replace(struct service *s, const char *old, const char *with)
{
    char *at = strstr(s->body, old);
    if (at != NULL) {
        assert_int_equal(strlen(old), strlen(with));
        memcpy(at, with, strlen(with));
        s->faults++;
    }
}

/* ---------------------------------------------------------------- a chat that fails */

static void refuse_a(struct service *s, const char *request)
{
    if (strstr(request, "/chats/a/messages") != NULL) {
        s->status = 404;
        s->faults++;
    }
}

static void test_failing_chat(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    write_message("a", "a1", 1);
    write_message("b", "b1", 2);
    service.fault = refuse_a;
    assert_polls(d, 2, "");
    assert_string_equal(poll_of(d), "b1 "); /* the third time it is left out */
    write_message("b", "b2", 2000);
    assert_within(d, 30, "b2 ");
    assert_polls(d, 30, "");
    service.fault = NULL; /* and its message was only pending */
    assert_within(d, 3, "a1 ");
    assert_int_equal(d->events, 0);
    assert_polls(d, 5, "");
    avito_client_close(&d->client);
}

/* Another message comes just before the mark, and the mark makes it read; then two looks fail. */
static void refuse_a_when_marked(struct service *s, const char *request)
{
    if (strncmp(request, "POST", 4) == 0 && s->count == 1) {
        write_message("a", "a2", 2);
        s->faults = 2;
    } else if (s->faults > 0 && strstr(request, "/chats/a/messages") != NULL) {
        s->status = 404;
        s->faults--;
    } else if (s->marks > 0 && strstr(request, "unread_only=true") != NULL) {
        s->body[0] = '\0';
        add(s, "{\"chats\":[]}");
    }
}

/* So the next round reads all chats. */
static void test_failing_after_the_mark(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    d->inbox.o.mark_as_read = true;
    d->inbox.o.unread_only = true;
    write_message("a", "a1", 1);
    service.fault = refuse_a_when_marked;
    assert_string_equal(poll_of(d), "a1 ");
    assert_within(d, 4, "a2 ");
    assert_int_equal(service.faults, 0);
    avito_client_close(&d->client);
}

static void refuse_marks(struct service *s, const char *request)
{
    if (strncmp(request, "POST", 4) == 0 && s->faults > 0) {
        s->faults--;
        s->status = 503;
    }
}

static void forbid_marks(struct service *s, const char *request)
{
    if (strncmp(request, "POST", 4) == 0) {
        s->status = 402;
    }
}

/* A mark that fails is retried once. It never holds up the horizon, and holds up other chats only for a
 * while. */
static void test_mark_that_fails(void **state)
{
    static const struct {
        void (*fault)(struct service *s, const char *request);
        unsigned faults, marks;
    } cases[] = {{refuse_marks, 1, 2}, {refuse_marks, 1000, 2}, {forbid_marks, 0, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct device *d = device_of(20, AVITO_START_SINCE);
        d->inbox.o.mark_as_read = true;
        write_message("a", "a1", 1);
        write_message("b", "b1", 2);
        service.fault = cases[i].fault;
        service.faults = cases[i].faults;
        assert_string_equal(poll_of(d), "a1 ");
        assert_string_equal(poll_of(d), "b1 "); /* one pause for each chat at the most */
        assert_polls(d, 10, "");
        assert_int_equal(service.rows[0].read, cases[i].faults == 1);
        assert_int_equal(service.marks,
                         cases[i].marks + (cases[i].faults == 1 ? 1 : cases[i].marks));
        write_message("c", "c1", 2000);
        assert_string_equal(poll_of(d), "c1 ");
        assert_polls(d, 10, "");
        write_message("a", "a2", 1000); /* a horizon that had stayed would find it */
        assert_polls(d, 10, "");
        assert_int_equal(d->events, AVITO_INBOX_DISORDER); /* a2 is listed above what is newer */
        avito_client_close(&d->client);
    }
}

/* The power fails when the last message has been accepted. */
static void test_marked_after_a_restart(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    avito_message m;
    (void)state;
    d->options.mark_as_read = true;
    device_start(d);
    write_messages("a", "a1 a2 ", 1, 1);
    for (int given = 0; given < 2;) {
        given += avito_inbox_next(&d->inbox, &m) == AVITO_OK &&
                 avito_inbox_accept(&d->inbox) == AVITO_OK;
    }
    avito_client_close(&d->client);
    assert_int_equal(service.marks, 0);
    device_start(d);
    assert_string_equal(poll_of(d), "");
    assert_true(service.rows[1].read);
    assert_polls(d, 5, "");
    assert_int_equal(service.marks, 1);
    avito_client_close(&d->client);
}

/* A chat whose message came as a notification is marked, too. */
static void test_marked_after_an_offer(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    avito_message m;
    (void)state;
    d->options.mark_as_read = true;
    d->options.unread_only = true;
    device_start(d);
    assert_polls(d, 2, "");
    write_message("a", "a1", 1);
    memset(&m, 0, sizeof m);
    m.id.ptr = "a1";
    m.id.len = 2;
    m.created = T + 1;
    assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_OK);
    assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
    assert_polls(d, 5, "");
    assert_int_equal(service.marks, 1);
    assert_true(service.rows[0].read);
    avito_client_close(&d->client);
}

static avito_message notification(const char *id, uint32_t created)
{
    avito_message m;
    memset(&m, 0, sizeof m);
    m.id.ptr = id;
    m.id.len = strlen(id);
    m.created = T + created;
    return m;
}

static void b_fails_once(struct service *s, const char *request)
{
    if (strstr(request, "/chats/b/messages") != NULL && s->faults == 0) {
        s->faults++;
        s->status = 500;
    }
}

/* A round gives a1, fails at chat b, and pauses. In the pause chat a, which it has passed, gets a2. */
static void pause_a_round(struct device *d)
{
    assert_polls(d, 3, "");
    write_message("a", "a1", 690);
    write_message("b", "b1", 695);
    service.fault = b_fails_once;
    assert_string_equal(poll_of(d), "a1 ");
    assert_int_equal(d->errors, 1);
    write_message("a", "a2", 700);
}

/* A round that pauses after a failure may have passed the chat already: the next one marks it. */
static void test_marked_after_an_offer_in_a_pause(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    const avito_message m = notification("a2", 700);
    (void)state;
    d->options.mark_as_read = true;
    device_start(d);
    pause_a_round(d);
    assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_OK);
    assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
    assert_string_equal(poll_of(d), "b1 ");
    assert_polls(d, 45, "");
    assert_int_equal(service.rows[2].created, 700);
    assert_true(service.rows[2].read);
    assert_int_equal(service.marks, 3);
    avito_client_close(&d->client);
}

static void refuse_marks_of_a(struct service *s, const char *request)
{
    if (strncmp(request, "POST", 4) == 0 && strstr(request, "/chats/a/") != NULL) {
        s->status = 404;
    }
}

/* One chat refuses its mark for good: the others are marked all the same. */
static void test_marked_beside_a_chat_that_refuses(void **state)
{
    static const char *const ids[] = {"a1", "b1"};
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    d->options.mark_as_read = true;
    device_start(d);
    assert_polls(d, 3, "");
    for (uint32_t i = 0; i < 2; i++) {
        const avito_message m = notification(ids[i], 10 + i);
        assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_OK);
        assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
    }
    write_message("a", "a1", 10); /* reading begins with what moved first */
    write_message("b", "b1", 11);
    service.fault = refuse_marks_of_a;
    assert_polls(d, 45, "");
    assert_false(service.rows[0].read);
    assert_true(service.rows[1].read);
    assert_int_equal(service.marks, 3); /* a's is owed for two rounds */
    avito_client_close(&d->client);
}

/* The list shows the message one round later than the notification. */
static void test_marked_when_the_list_is_late(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    const avito_message m = notification("a1", 1);
    (void)state;
    d->options.mark_as_read = true;
    device_start(d);
    assert_polls(d, 3, "");
    assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_OK);
    assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
    assert_polls(d, 15, ""); /* one round, since notifications come */
    write_message("a", "a1", 1);
    assert_polls(d, 45, "");
    assert_true(service.rows[0].read);
    assert_int_equal(service.marks, 1);
    avito_client_close(&d->client);
}

/* What was offered in the pause and not accepted is found at once. */
static void test_offer_in_a_pause_that_is_not_accepted(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    const avito_message m = notification("a2", 700);
    (void)state;
    pause_a_round(d);
    assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_OK);
    assert_string_equal(device_round(d), "b1 a2 ");
    avito_client_close(&d->client);
}

/* Without the option no chat is marked, whatever is accepted. */
static void test_marks_only_if_asked(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    write_messages("a", "a1 a2 ", 1, 1);
    write_message("b", "b1", 3);
    assert_string_equal(poll_of(d), "a1 a2 b1 ");
    write_message("a", "a3", 4);
    assert_within(d, 3, "a3 ");
    avito_client_close(&d->client);
    device_start(d);
    assert_polls(d, 5, "");
    assert_int_equal(service.marks, 0);
    avito_client_close(&d->client);
}

/* What was there at the start is known but was never given: it stays unread, also when all chats
 * are searched for marks that are owed. */
static void test_known_is_not_marked(void **state)
{
    struct device *d = device_of(20, AVITO_START_NOW);
    (void)state;
    d->options.mark_as_read = true;
    device_start(d);
    write_message("a", "a1", 1);
    assert_polls(d, 3, "");
    write_message("b", "b1", 3);
    assert_string_equal(poll_of(d), "b1 ");
    for (int restarts = 0; restarts < 3; restarts++) {
        avito_client_close(&d->client);
        device_start(d);
        assert_polls(d, 3, "");
    }
    assert_int_equal(service.marks, 1);
    assert_false(service.rows[0].read);
    assert_true(service.rows[1].read);
    avito_client_close(&d->client);
}

/* The look at the chat, after its message was accepted, and then the first mark. */
static void look_and_mark_fail(struct service *s, const char *request)
{
    const bool look = s->faults == 1 && strstr(request, "limit=20") != NULL;
    const bool marks = s->faults == 2 && strncmp(request, "POST", 4) == 0;
    if (look || marks || (s->faults < 1 && strstr(request, "/messages/") != NULL)) {
        s->faults++;
        s->status = look || marks ? 503 : s->status;
    }
}

/* A look that failed before does not count as a mark that failed. */
static void test_look_and_mark_that_fail(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    d->inbox.o.mark_as_read = true;
    write_message("a", "a1", 1);
    service.fault = look_and_mark_fail;
    assert_string_equal(poll_of(d), "a1 ");
    assert_polls(d, 5, "");
    assert_int_equal(service.faults, 3);
    assert_int_equal(service.marks, 2);
    assert_true(service.rows[0].read);
    avito_client_close(&d->client);
}

/* Chat z fails in every round; a mark changes nothing, or is forbidden. */
static void z_fails_and_marks_do_nothing(struct service *s, const char *request)
{
    for (unsigned i = 0; i < s->count; i++) {
        s->rows[i].read = false;
    }
    if (strstr(request, "/chats/z/messages") != NULL) {
        s->status = 404;
    }
}

static void z_fails_and_marks_are_forbidden(struct service *s, const char *request)
{
    z_fails_and_marks_do_nothing(s, request);
    forbid_marks(s, request);
}

/* While a chat fails, the others are not marked in every round, and do not wait for it. */
static void test_marks_while_a_chat_fails(void **state)
{
    static void (*const faults[])(struct service * s, const char *request) = {
        z_fails_and_marks_do_nothing, z_fails_and_marks_are_forbidden};
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct device *d = device_of(20, AVITO_START_SINCE);
        d->options.mark_as_read = true;
        device_start(d);
        write_message("z", "z1", 1);
        write_message("a", "a1", 2);
        write_message("b", "b1", 3);
        service.fault = faults[i];
        for (unsigned polls = 10; polls > 0; polls--) {
            (void)poll_of(d);
        }
        assert_int_equal(service.marks, 2);
        avito_client_close(&d->client);
        device_start(d); /* two marks may be owed, till a round is whole or one is forbidden */
        service.marks = 0;
        assert_polls(d, 20, "");
        assert_in_range(service.marks, 1, i == 0 ? 20 : 1);
        avito_client_close(&d->client);
    }
}

static unsigned chats_asked; /* for at once */

static void count_requests(struct service *s, const char *request)
{
    if (strstr(request, "/messages/") == NULL) {
        chats_asked = number_after(request, "limit=", 0);
    }
    s->faults++;
}

/* A quiet account costs a request in each round, also after a restart. */
static void test_quiet_account(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    d->dates = true;
    d->options.mark_as_read = true;
    device_start(d);
    write_message("a", "a1", 1);
    assert_string_equal(poll_of(d), "a1 ");
    for (int restarts = 0; restarts < 2; restarts++) {
        assert_polls(d, 30, "");
        service.faults = 0;
        service.fault = count_requests;
        assert_polls(d, 10, "");
        assert_int_equal(service.faults, 10);
        avito_client_close(&d->client);
        device_start(d);
    }
    assert_int_equal(service.marks, 1);
    avito_client_close(&d->client);
}

/* Chats that moved within the overlap cost nothing when nothing is new, one that has something two. */
static void test_requests_of_chats_that_moved(void **state)
{
    static char records[AVITO_INBOX_CHATS_SIZE(32)];
    static char chats[20][4];
    struct device *d = dated_device(40, AVITO_START_SINCE, 10);
    (void)state;
    remember_chats(d, records, sizeof records);
    assert_polls(d, 3, ""); /* whole rounds */
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(chats[i], sizeof chats[i], "c%u", i % 100u);
        write_message(chats[i], chats[i], (uint32_t)(d->clock.unix_s - T));
    }
    service.fault = count_requests;
    (void)poll_of(d);
    assert_in_range(service.faults, 21, 24);
    service.faults = 0;
    assert_polls(d, 10, "");
    assert_int_equal(service.faults, 10);
    assert_int_equal(chats_asked, 24);
    service.faults = 0;
    write_message("c3", "new", (uint32_t)(d->clock.unix_s - T));
    assert_polls(d, 1, "new ");
    assert_int_equal(service.faults, 2);
    avito_client_close(&d->client);
}

/* A look ends at the first message that the horizon has passed, however many are below. */
static void test_requests_of_a_long_chat(void **state)
{
    static char records[AVITO_INBOX_CHATS_SIZE(4)];
    struct device *d = dated_device(40, AVITO_START_NOW, 1000);
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        write_message("a", "old", i);
    }
    remember_chats(d, records, sizeof records);
    assert_polls(d, 100, "");
    service.fault = count_requests;
    write_message("a", "new", (uint32_t)(d->clock.unix_s - T));
    assert_polls(d, 1, "new ");
    assert_int_equal(service.faults, 2);
    avito_client_close(&d->client);
}

/* A slot that cannot be read may hold anything: the inbox does not start over in it. */
static void test_load_that_fails(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    write_message("a", "a1", 1);
    assert_within(d, 2, "a1 ");
    write_message("a", "a2", 2);
    d->loads = 0;
    device_start(d);
    for (unsigned last = d->loads; last > 0; last--) {
        d->loads = 0;
        d->failing_load = last;
        assert_int_equal(avito_inbox_init(&d->inbox, &d->client, &d->options), AVITO_ERR_HOOK);
        assert_int_equal(avito_last_error(&d->client)->code, AVITO_ERR_HOOK);
        assert_int_not_equal(avito_last_error(&d->client)->detail, 0);
    }
    d->failing_load = 0;
    device_start(d);
    assert_within(d, 2, "a2 ");
    assert_int_equal(d->events, 0);
    avito_client_close(&d->client);
}

static unsigned loads_left;

/* Slot 0 is there, slot 1 is not; and when slot 0 is asked for again, it is gone, too. */
static int load_goes_away(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    const struct device *d = ctx;
    if (loads_left == 0 || d->full[slot] == 0) {
        return AVITO_END;
    }
    loads_left--;
    assert_true(d->full[slot] <= cap);
    memcpy(data, d->slots[slot], d->full[slot]);
    *len = d->full[slot];
    return AVITO_OK;
}

static void test_slot_that_goes_away(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    avito_inbox_options o;
    (void)state;
    write_messages("a", "a1 a2 ", 1, 1);
    assert_within(d, 2, "a1 a2 ");
    avito_client_close(&d->client);
    device_start(d);
    o = d->options;
    o.load = load_goes_away;
    d->full[0] = d->full[0] != 0 ? d->full[0] : d->full[1];
    memcpy(d->slots[0], d->slots[1], d->full[1]);
    d->full[1] = 0;
    loads_left = 1;
    assert_int_equal(avito_inbox_init(&d->inbox, &d->client, &o), AVITO_ERR_HOOK);
    assert_int_equal(avito_last_error(&d->client)->code, AVITO_ERR_HOOK);
    assert_int_not_equal(avito_last_error(&d->client)->detail, 0);
    loads_left = 2;
    assert_int_equal(avito_inbox_init(&d->inbox, &d->client, &o), AVITO_OK);
    avito_client_close(&d->client);
}

static void test_save_that_fails(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    assert_polls(d, 1, "");
    d->save_result = -7;
    write_message("a", "a1", 1);
    for (int i = 0; i < 3; i++) {
        avito_message m;
        while (avito_inbox_next(&d->inbox, &m) == AVITO_AGAIN) {
            clock_advance(&d->clock, avito_inbox_deadline_ms(&d->inbox));
        }
        assert_true(avito_str_equal(m.id, "a1"));
        assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_ERR_HOOK);
        assert_int_equal(avito_last_error(&d->client)->code, AVITO_ERR_HOOK);
        assert_int_equal(avito_last_error(&d->client)->detail, -7);
    }
    d->save_result = AVITO_OK;
    assert_string_equal(poll_of(d), "a1 ");
    avito_client_close(&d->client);
}

static void lists_break_once(struct service *s, const char *request)
{
    (void)request;
    if (s->faults == 0) {
        replace(s, "\"chats\":[", "\"chits\":[");
    }
}

static void test_broken_start(void **state)
{
    struct device *d = device_of(20, AVITO_START_UNREAD);
    (void)state;
    write_message("a", "a1", 1);
    service.fault = lists_break_once;
    assert_polls(d, 1, "");
    assert_string_equal(poll_of(d), "a1 ");
    avito_client_close(&d->client);
}

static void y2_breaks_the_model(struct service *s, const char *request)
{
    (void)request;
    replace(s, "\"id\":\"y2\",\"author_id\":7,\"created\"",
            "\"id\":\"y2\",\"author_id\":[],\"reated\"");
}

/* A first row that breaks the model does not end the look at its chat, as an old one would. */
static void test_first_row_breaks_the_model(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    write_messages("x", "x0 x1 ", 1, 699);
    assert_within(d, 2, "x0 x1 ");
    assert_polls(d, 3, "");
    write_messages("y", "y1 y2 ", 710, 1);
    service.fault = y2_breaks_the_model;
    assert_within(d, 4, "y1 ");
    assert_true(d->errors > 0 && service.faults > 0);
    avito_client_close(&d->client);
}

static struct device *belled;

/* It comes while the only list of chats of a round is on its way: the message is not in it. */
static void bell_rings_once(struct service *s, const char *request)
{
    if (strstr(request, "/messages/") == NULL && ++s->faults == 1) {
        write_message("b", "b1", 700);
        avito_inbox_doorbell(&belled->inbox);
    }
}

static void test_bell_during_a_round(void **state)
{
    struct device *d = belled = device_of(20, AVITO_START_SINCE);
    (void)state;
    write_message("a", "a1", 690);
    assert_within(d, 2, "a1 ");
    service.fault = bell_rings_once;
    assert_string_equal(poll_of(d), "b1 ");
    avito_client_close(&d->client);
}

/* A round that pauses after a failure is going on: what comes meanwhile may be in a chat that it has passed. */
static void test_bell_while_a_round_pauses(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    pause_a_round(d);
    avito_inbox_doorbell(&d->inbox);
    assert_string_equal(device_round(d), "b1 a2 ");
    avito_client_close(&d->client);
}

/* When the ring overflows meanwhile, the horizon moves on after twenty minutes, and that is
 * reported. */
static void test_failing_for_too_long(void **state)
{
    struct device *d = device_of(4, AVITO_START_SINCE);
    unsigned again = 0;
    int64_t begin;
    (void)state;
    write_message("a", "a1", 1);
    write_messages("b", "b1 b2 b3 b4 b5 b6 b7 b8 ", 2, 1);
    service.fault = refuse_a;
    begin = d->clock.unix_s;
    for (int i = 0; i < 400 && (d->events & AVITO_INBOX_UNREACHABLE) == 0; i++) {
        again += strstr(poll_of(d), "b1 ") != NULL;
    }
    assert_int_equal(d->events, AVITO_INBOX_UNREACHABLE | AVITO_INBOX_OVERRUN);
    assert_in_range(d->clock.unix_s - begin, 1200, 1600);
    assert_in_range(again, 2, 6); /* meanwhile not at every poll */
    assert_polls(d, 10, "");
    write_message("b", "b9", 100);
    assert_within(d, 3, "b9 ");
    avito_client_close(&d->client);
}

/* The twenty minutes begin again after a round that lacked nothing. */
static void test_failing_again(void **state)
{
    struct device *d = device_of(4, AVITO_START_SINCE);
    int64_t begin;
    (void)state;
    write_message("a", "a1", 1);
    service.fault = refuse_a;
    assert_polls(d, 70, "");
    service.fault = NULL;
    assert_within(d, 3, "a1 ");
    assert_polls(d, 3, "");
    write_message("a", "a2", 1100);
    write_messages("b", "b1 b2 b3 b4 b5 b6 b7 b8 ", 1101, 1);
    service.fault = refuse_a;
    begin = d->clock.unix_s;
    for (int i = 0; i < 400 && (d->events & AVITO_INBOX_UNREACHABLE) == 0; i++) {
        (void)poll_of(d);
    }
    assert_in_range(d->clock.unix_s - begin, 1200, 1600);
    avito_client_close(&d->client);
}

/* Neither a storm of failures nor a clock that jumps makes it move earlier. */
static void test_storm_with_a_small_ring(void **state)
{
    struct device *d = device_of(4, AVITO_START_SINCE);
    (void)state;
    write_message("a", "a1", 1);
    write_messages("b", "b1 b2 b3 b4 b5 b6 b7 b8 ", 2, 1);
    service.fault = refuse_a;
    for (int i = 0; i < 50; i++) {
        avito_inbox_doorbell(&d->inbox);
        (void)poll_of(d);
    }
    clock_advance(&d->clock, 6 * 3600 * 1000);
    (void)poll_of(d);
    service.fault = NULL;
    for (int i = 0; i < 30 && strstr(poll_of(d), "a1 ") == NULL;) {
        i++;
    }
    assert_non_null(strstr(d->given, "a1 "));
    assert_int_equal(d->events, AVITO_INBOX_OVERRUN);
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- lists that change or end early */

/* Two chats vanish between two pages, so the rows after them move up. */
static void two_chats_vanish(struct service *s, const char *request)
{
    if (strstr(request, "/chats?") != NULL && number_after(request, "offset=", 0) == 3 &&
        ++s->faults == 1) {
        s->count -= 2;
        s->body[0] = '\0';
        write_list(s);
    }
}

/* A chat that slid off the page is not left out of the round. */
static void test_slid_page(void **state)
{
    static const char *const chats[] = {"a", "b", "c", "d", "e", "f", "g"};
    static const char *const ids[] = {"a1", "b1", "c1", "d1", "e1", "f1", "g1"};
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    assert_polls(d, 3, ""); /* from then on a page has four rows */
    for (uint32_t i = 0; i < 7; i++) {
        write_message(chats[i], ids[i], 1 + i);
    }
    service.fault = two_chats_vanish;
    assert_string_equal(poll_of(d), "d1 e1 f1 g1 a1 b1 c1 "); /* of a page, the oldest first */
    assert_true(service.faults >= 1);
    assert_int_equal(d->errors + d->events, 0);
    avito_client_close(&d->client);
}

/* The last chat of the first page, by which the second is recognised, has news, and so have four others. */
static void five_chats_move_up(struct service *s, const char *request)
{
    if (strstr(request, "/chats?") != NULL && number_after(request, "offset=", 0) == 3 &&
        ++s->faults == 1) {
        write_message("a", "a2", 21);
        write_message("b", "b2", 22);
        write_message("c", "c2", 23);
        write_message("d", "d2", 24);
        write_message("i", "i2", 25);
        s->body[0] = '\0';
        write_list(s);
    }
}

/* Chats that were read in this round do not hide those below them that were not. */
static void test_page_slid_below_what_was_read(void **state)
{
    static const char *const chats[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
    static char records[AVITO_INBOX_CHATS_SIZE(16)];
    struct device *d = dated_device(40, AVITO_START_SINCE, 100);
    (void)state;
    remember_chats(d, records, sizeof records);
    assert_polls(d, 3,
                 ""); /* from then on a page has four rows, and as many more as there are records */
    for (uint32_t i = 0; i < 12; i++) {
        write_message(chats[i], chats[i], 1 + i);
    }
    service.fault = five_chats_move_up;
    assert_string_equal(poll_of(d), "i j k l e f g h a a2 b b2 c c2 d d2 i2 ");
    assert_int_equal(d->errors + d->events, 0);
    avito_client_close(&d->client);
}

/* Two messages vanish between two pages of their chat. */
static void two_messages_vanish(struct service *s, const char *request)
{
    if (number_after(request, "offset=", 0) == 19 && ++s->faults == 1) {
        s->count -= 2;
        s->body[0] = '\0';
        write_list(s);
    }
}

static void test_slid_messages(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    char id[8];
    (void)state;
    for (uint32_t i = 0; i < 30; i++) {
        (void)snprintf(id, sizeof id, "m%02u", i);
        write_message("a", id, 1 + i);
    }
    service.fault = two_messages_vanish;
    (void)poll_of(d);
    for (unsigned i = 0; i < 28; i++) {
        (void)snprintf(id, sizeof id, "m%02u ", i);
        assert_non_null(strstr(d->given, id));
    }
    avito_client_close(&d->client);
}

static void a1_seems_read_once(struct service *s, const char *request)
{
    if (s->faults == 0 && strstr(request, "/chats/a/messages") != NULL) {
        replace(s, "\"is_read\":false", "\"is_read\":true ");
    }
}

/* A changed byte hides nothing for good of what was unread at the start, also where chats are
 * remembered. */
static void test_first_round_looks_twice(void **state)
{
    static char records[AVITO_INBOX_CHATS_SIZE(8)];
    struct device *d = dated_device(20, AVITO_START_UNREAD, 100);
    (void)state;
    remember_chats(d, records, sizeof records);
    write_message("a", "a1", 1);
    write_message("b", "b1", 50);
    service.fault = a1_seems_read_once;
    assert_non_null(strstr(poll_of(d), "b1 "));
    assert_int_equal(service.faults, 1);
    assert_true(strstr(d->given, "a1 ") != NULL || strcmp(poll_of(d), "a1 ") == 0);
    avito_client_close(&d->client);
}

/* What the inbox says when something goes wrong next; what comes before is accepted. */
static int first_error(struct device *d)
{
    avito_message m;

    for (int i = 0; i < 400; i++) {
        const int rc = avito_inbox_next(&d->inbox, &m);
        if (rc == AVITO_OK) {
            assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
        } else if (rc < 0) {
            return rc;
        }
        clock_advance(&d->clock, avito_inbox_deadline_ms(&d->inbox));
    }
    return AVITO_OK;
}

static void only_the_first_page(struct service *s, const char *request)
{
    s->faults++;
    if (number_after(request, "offset=", 0) > 0 && number_after(request, "limit=", 0) == 100) {
        s->body[0] = '\0';
        add(s, "{\"%s\":[]}", strstr(request, "/messages/") != NULL ? "messages" : "chats");
    }
}

/* The page is read again a few times, then what came is given. The horizon stays, and nothing is
 * marked. */
static void test_empty_page(void **state)
{
    static const char later[] = "a5 a6 a7 a8 a9 aa ab ac ad ae af ag ah ai aj ak al am an ao ";
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    d->inbox.o.mark_as_read = true;
    write_messages("a", "a1 a2 a3 a4 ", 1, 100);
    write_messages("a", later, 401, 100);
    service.fault = only_the_first_page;
    assert_string_equal(poll_of(d), later);
    assert_int_equal(d->errors, 1);
    assert_int_equal(first_error(d), AVITO_ERR_MODEL);
    for (int round = 0; round < 3;
         round++) { /* the chats, and two pages that are read eight times again */
        service.faults = 0;
        assert_polls(d, 1, "");
        assert_int_equal(service.faults, 1 + 2 * 9);
    }
    service.faults = 0;
    assert_polls(d, 10, "");
    assert_in_range(service.faults, 10, 300);
    assert_int_equal(service.marks, 0);
    service.fault = NULL;
    assert_string_equal(poll_of(d), "a1 a2 a3 a4 ");
    avito_client_close(&d->client);
}

/* It breaks the model in a list with others, so that it is asked for alone. */
static void fetch_is_empty(struct service *s, const char *request)
{
    s->faults++;
    if (strstr(request, "/chats/a/messages/?") != NULL && number_after(request, "limit=", 0) == 1) {
        s->body[0] = '\0';
        add(s, "{\"messages\":[]}");
    } else if (strstr(s->body, "\"a1\"") != NULL) {
        memcpy(strstr(s->body, "\"hello\""), "1234567", 7);
    }
}

/* A message that is listed but never comes when it is asked for: the attempts still end. */
static void test_empty_fetch(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    write_message("a", "a1", 1);
    write_message("b", "b1", 2);
    service.fault = fetch_is_empty;
    assert_int_equal(first_error(d), AVITO_ERR_MODEL);
    assert_within(d, 4, "b1 ");
    service.faults = 0;
    assert_polls(d, 10, "");
    assert_in_range(service.faults, 10, 300);
    service.fault = NULL;
    assert_within(d, 3, "a1 ");
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- failures on the way */

static void fail_every_fifth(struct service *s, const char *request)
{
    (void)request;
    if (++s->faults % 5 == 0) {
        s->status = 400;
    }
}

/* The round goes on where it failed, after the message accepted last: even a ring of one is
 * enough. */
static void test_goes_on(void **state)
{
    struct device *d = device_of(1, AVITO_START_SINCE);
    char all[200] = "";
    (void)state;
    write_messages("a", "a1 a2 a3 a4 a5 a6 a7 a8 ", 1, 1);
    service.fault = fail_every_fifth;
    for (int i = 0; i < 20; i++) {
        strcat(all, poll_of(d));
    }
    assert_string_equal(all, "a1 a2 a3 a4 a5 a6 a7 a8 ");
    avito_client_close(&d->client);
}

static void change_a_digit(struct service *s, const char *request)
{
    if (s->faults == 0 && strstr(request, "limit=20") != NULL) {
        replace(s, "1754890001", " 754890001");
    }
}

/* A message that one round does not see is given by the next, however old it is by then. */
static void test_changed_digit(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    write_message("a", "a1", 1);
    write_message("b", "b1", 5000);
    service.fault = change_a_digit;
    assert_string_equal(poll_of(d), "b1 ");
    assert_string_equal(poll_of(d), "a1 ");
    assert_polls(d, 5, "");
    assert_int_equal(d->errors + d->events, 0);
    avito_client_close(&d->client);
}

static void year_2038(struct service *s, const char *request)
{
    if (s->faults == 0 && strstr(request, "/chats?") != NULL) {
        replace(s, "updated\":1754890001", "updated\":2154890001");
    }
}

/* One answer alone neither moves the horizon nor starts an inbox. */
static void test_changed_year(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    write_message("a", "a1", 1);
    service.fault = year_2038;
    assert_string_equal(poll_of(d), "a1 ");
    assert_polls(d, 3, "");
    write_message("a", "a2", 400);
    assert_string_equal(poll_of(d), "a2 ");

    d = device_of(20, AVITO_START_NOW);
    write_message("a", "a1", 1);
    service.fault = year_2038;
    assert_string_equal(poll_of(d), "");
    assert_int_equal(service.faults, 1);
    write_message("a", "a2", 400);
    assert_string_equal(poll_of(d), "a2 ");
    avito_client_close(&d->client);
}

static void a_later_once(struct service *s, const char *request)
{
    if (s->faults == 0 && strstr(request, "/messages/") == NULL) {
        replace(s, "\"updated\":1754890210", "\"updated\":1754891210");
    }
}

/* While the first round of AVITO_START_NOW reads its second list, a2 comes; its time is changed once. */
static void a2_years_ahead_once(struct service *s, const char *request)
{
    if (strstr(request, "/messages/") == NULL && ++s->marks == 2) {
        write_message("a", "a2", 1010);
    }
    if (s->faults == 0) {
        replace(s, "\"id\":\"a2\",\"author_id\":7,\"created\":1",
                "\"id\":\"a2\",\"author_id\":7,\"created\":2");
    }
}

/* A digit that changed on the way does not make a new message count as known. */
static void test_start_with_a_changed_digit(void **state)
{
    (void)state;
    for (unsigned in_messages = 0; in_messages < 2; in_messages++) {
        struct device *d = dated_device(20, AVITO_START_NOW, 1000);
        write_message("a", "a1", 210);
        service.fault = in_messages ? a2_years_ahead_once : a_later_once;
        if (in_messages) {
            assert_within(d, 3, "a2 ");
        } else {
            assert_polls(d, 2, "");
        }
        assert_int_equal(service.faults, 1);
        write_message("b", "b1", (uint32_t)(d->clock.unix_s - T));
        assert_within(d, 2, "b1 ");
        assert_polls(d, 60, "");
        avito_client_close(&d->client);
    }
}

/* ---------------------------------------------------------------- what does not fit */

static size_t longer; /* the text of a1, by this many letters */

static void long_a1(struct service *s, const char *request)
{
    static const char text[] =
        "\"id\":\"a1\",\"author_id\":7,\"created\":1754890010,\"type\":\"text\","
        "\"direction\":\"in\",\"content\":{\"text\":\"";
    char *at = strstr(s->body, text);
    (void)request;
    if (at != NULL) {
        at += sizeof text - 1;
        memmove(at + longer, at, strlen(at) + 1);
        memset(at, 'x', longer);
    }
}

/* It is reported with what it needs, once, and holds nothing up. An arena of that size is enough. */
static void test_message_larger_than_the_arena(void **state)
{
    static const size_t lengths[] = {3600, 3700, 5000, 20000, 45000};
    static char room[65536];
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct device *d = device_of(20, AVITO_START_SINCE);
        longer = lengths[i];
        service.fault = long_a1;
        write_messages("a", "a1 a2 ", 10, 10);
        assert_within(d, 3, "a2 ");
        assert_polls(d, 3, "");
        assert_int_equal(d->errors, 1);
        assert_in_range(d->needed, sizeof d->room + 1, sizeof room);
        avito_client_close(&d->client);

        memset(d->full, 0, sizeof d->full);
        device_start(d);
        d->arena = avito_arena_of(room, d->needed);
        assert_within(d, 2, "a1 a2 ");
        assert_int_equal(d->errors, 1);
        avito_client_close(&d->client);
    }
}

/* ---------------------------------------------------------------- what moves the horizon */

static int64_t horizon_of(const struct device *d)
{
    return (int64_t)d->state[12] | (int64_t)d->state[13] << 8 | (int64_t)d->state[14] << 16 |
           (int64_t)d->state[15] << 24;
}

/* A round that looked only at the first rows says nothing about the others. */
static void test_horizon_by_whole_rounds(void **state)
{
    static const char *const chats[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct device *d = dated_device(20, AVITO_START_SINCE, 5000);
    int64_t horizon;
    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        write_message(chats[i], chats[i], 1 + i);
    }
    assert_polls(d, 1, "a b c d e f g h ");
    assert_polls(d, 3, "");
    horizon = horizon_of(d);
    assert_in_range(horizon, T + 4700, T + 4760);
    assert_polls(d, 20, ""); /* of four rows each */
    assert_int_equal(horizon_of(d), horizon);
    assert_polls(d, 60, ""); /* one of which is a sweep */
    assert_in_range(horizon_of(d), horizon + 1, d->clock.unix_s - 300);
    avito_client_close(&d->client);
}

/* By each list of chats it is a day later. */
static void dates_jump(struct service *s, const char *request)
{
    (void)s;
    belled->clock.unix_s += strstr(request, "/messages/") == NULL ? 86400 : -86400;
}

static void test_horizon_by_two_dates(void **state)
{
    struct device *d = belled = dated_device(20, AVITO_START_SINCE, 10);
    (void)state;
    write_message("a", "a1", 5);
    assert_polls(d, 1, "a1 ");
    service.fault = dates_jump;
    assert_polls(d, 5, "");
    assert_in_range(horizon_of(d), T - 300, T + 300);
    service.fault = NULL;
    write_message("a", "a2", 200);
    assert_within(d, 2, "a2 ");
    avito_client_close(&d->client);
}

/* After an overflow the horizon moves to where the ring knows all: just behind the oldest id that is left, and not
 * beyond the newest chat, whose second may have more to come until the overlap has passed. */
static void test_horizon_after_an_overflow(void **state)
{
    static const struct {
        uint32_t later_s, apart, expected; /* the service's clock, between messages */
    } rows[] = {{100, 10, 31}, {100, 0, 10}, {1000, 10, 31}, {1000, 0, 11}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct device *d = dated_device(4, AVITO_START_SINCE, rows[i].later_s);
        write_messages("a", "a1 a2 a3 a4 a5 a6 ", 10, rows[i].apart);
        (void)poll_of(d);
        (void)poll_of(d);
        assert_int_equal(d->events, AVITO_INBOX_OVERRUN);
        assert_int_equal(horizon_of(d), T + rows[i].expected);
        avito_client_close(&d->client);
    }
}

/* A time in milliseconds, or far ahead, does not make the inbox deaf: neither when it comes nor
 * once it is stored. */
static void test_horizon_ahead_goes_back(void **state)
{
    struct device *d = dated_device(20, AVITO_START_SINCE, 1000);
    (void)state;
    d->options.since = 4294966995; /* what 0.1.0 made of a message in milliseconds */
    device_start(d);
    assert_polls(d, 2, ""); /* two answers say what time it is */
    assert_true((d->events & AVITO_INBOX_TIME) != 0);
    assert_in_range(horizon_of(d), T + 650, T + 750);
    write_message("a", "a1", 1020);
    assert_within(d, 2, "a1 ");
    avito_client_close(&d->client);
}

static void insert_zeros(struct service *s, const char *after)
{
    char *at = strstr(s->body, after);
    if (at != NULL) {
        at += strlen(after);
        memmove(at + 3, at, strlen(at) + 1);
        memcpy(at, "000", 3);
    }
}

/* Of chat a and its message, created T + 1010. */
static void milliseconds(struct service *s, const char *request)
{
    (void)request;
    insert_zeros(s, "\"updated\":1754891010");
    insert_zeros(s, "\"id\":\"a1\",\"author_id\":7,\"created\":1754891010");
}

/* A chat and its message with times in milliseconds, seen for a minute, make it deaf neither then
 * nor later. */
static void test_a_minute_of_milliseconds(void **state)
{
    struct device *d = dated_device(20, AVITO_START_SINCE, 1000);
    (void)state;
    assert_polls(d, 1, "");
    service.fault = milliseconds;
    write_message("a", "a1", 1010);
    assert_within(d, 2, "a1 ");
    assert_polls(d, 3, "");
    assert_int_equal(d->events, AVITO_INBOX_TIME);
    service.fault = NULL;
    write_message("b", "b1", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "b1 ");
    assert_polls(d, 60, "");
    assert_true(horizon_of(d) <= d->clock.unix_s);
    avito_client_close(&d->client);
    device_start(d);
    write_message("a", "a2", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "a2 ");
    avito_client_close(&d->client);
}

/* The newest message is in milliseconds. Of the oldest a digit changes once: it seems to be older than the start. */
static void milliseconds_and_a_changed_digit(struct service *s, const char *request)
{
    (void)request;
    insert_zeros(s, "\"id\":\"a3\",\"author_id\":7,\"created\":1754890030");
    if (s->faults == 0) {
        replace(s, "\"id\":\"a1\",\"author_id\":7,\"created\":17548",
                "\"id\":\"a1\",\"author_id\":7,\"created\":17538");
    }
}

/* A time that is not believed puts the late look off. The horizon waits for it, though the messages are older
 * than the overlap: what a changed digit hid is found. A time that stays as it is holds it no longer. */
static void test_odd_time_beside_a_changed_digit(void **state)
{
    static char records[AVITO_INBOX_CHATS_SIZE(4)];
    struct device *d = dated_device(20, AVITO_START_SINCE, 5000);
    (void)state;
    remember_chats(d, records, sizeof records);
    write_messages("a", "a1 a2 a3 ", 10, 10);
    service.fault = milliseconds_and_a_changed_digit;
    assert_polls(d, 1, "a2 a3 ");
    assert_int_equal(service.faults, 1);
    assert_within(d, 25, "a1 ");
    assert_polls(d, 40, "");
    assert_true(horizon_of(d) >= T + 5000);
    avito_client_close(&d->client);
}

/* Notifications with times ahead fill the ring, and each message still comes once. */
static void test_offers_ahead(void **state)
{
    static const char *const ids[] = {"x1", "x2", "x3", "x4"};
    struct device *d = dated_device(4, AVITO_START_SINCE, 1000);
    (void)state;
    assert_polls(d, 1, "");
    for (size_t i = 0; i < 4; i++) {
        avito_message m;
        memset(&m, 0, sizeof m);
        m.id.ptr = ids[i];
        m.id.len = 2;
        m.created = (T + (int64_t)1010) * 1000;
        assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_OK);
        assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
        assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_END);
    }
    for (unsigned i = 0; i < 8; i++) {
        char id[8], given[10];
        (void)snprintf(id, sizeof id, "b%u", i);
        (void)snprintf(given, sizeof given, "%s ", id);
        write_message("b", id, (uint32_t)(d->clock.unix_s - T));
        assert_within(d, 22, given);
        assert_polls(d, 30, "");
    }
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- orders of the list */

/* The list is written from its end: this puts a row before `place` rows of it. */
static void write_before(unsigned place, const char *chat, const char *id, uint32_t created)
{
    struct row *const rows = service.rows;
    struct row last;
    write_message(chat, id, created);
    last = rows[service.count - 1];
    for (unsigned i = service.count - 1; i + place >= service.count; i--) {
        rows[i] = rows[i - 1];
    }
    rows[service.count - 1 - place] = last;
}

static const char *const dozen[] = {"c0", "c1", "c2", "c3", "c4", "c5",
                                    "c6", "c7", "c8", "c9", "ca", "cb"};

/* It has room for the records of a dozen chats and some more. */
static struct device *device_of_dozen(void)
{
    static char records[AVITO_INBOX_CHATS_SIZE(16)];
    struct device *d = dated_device(20, AVITO_START_NOW, 1000);
    remember_chats(d, records, sizeof records);
    return d;
}

/* An old chat that stays on top hides no other, however long the account was quiet. */
static void test_chat_that_stays_on_top(void **state)
{
    struct device *d = device_of_dozen();
    (void)state;
    for (uint32_t i = 0; i < 12; i++) {
        write_message(dozen[i], dozen[i], 10 + i);
    }
    write_message("top", "top", 1);
    assert_polls(d, 500, ""); /* two hours */
    write_before(1, "c3", "new", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "new ");
    assert_int_equal(d->events, AVITO_INBOX_DISORDER);
    assert_int_equal(d->errors, 0);
    avito_client_close(&d->client);
}

/* A list with the oldest chat first hides no chat either: new messages come with the next sweep. */
static void test_oldest_chat_first(void **state)
{
    struct device *d = device_of_dozen();
    (void)state;
    for (uint32_t i = 0; i < 12; i++) {
        write_message(dozen[i], dozen[i], 30 - i);
    }
    assert_polls(d, 500, "");
    write_before(service.count, "new", "new", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 61, "new "); /* sweep_ms is 60 polls */
    assert_int_equal(d->events, AVITO_INBOX_DISORDER);
    avito_client_close(&d->client);
}

static void new_beside_c1(struct service *s, const char *request)
{
    if (strstr(request, "/chats/c1/messages") != NULL && s->rows[s->count - 1].created < 2000) {
        write_message("c0", "new", 2000);
    }
    s->faults++;
}

/* One chat moves up while a list without records is read on two pages: it is read in one extra pass, and not in
 * each of them until there are too many. */
static void test_one_chat_that_moves_up(void **state)
{
    struct device *d = dated_device(20, AVITO_START_SINCE, 1000);
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        write_message(dozen[i], dozen[i], 900 + i);
    }
    assert_within(d, 2, "c0 c1 c2 c3 c4 c5 ");
    assert_polls(d, 3, "");
    d->clock.unix_s = T + 2000;
    for (uint32_t i = 6; i < 12; i++) {
        write_message(dozen[i - 6], dozen[i], 1900 + i);
    }
    service.fault = new_beside_c1;
    for (unsigned polls = 0; polls < 3; polls++) {
        service.faults = 0;
        (void)poll_of(d);
        assert_true(service.faults < 30);
    }
    assert_int_equal(service.rows[service.count - 1].created, 2000);
    assert_int_equal(d->errors + d->events, 0);
    avito_client_close(&d->client);
}

/* In the smallest arenas the queue holds a single chat: the round goes on below it, and does not come back
 * to it for ever. */
static void test_queue_of_one_chat(void **state)
{
    static const char *const names[] = {
        "u2i-AAAAAAAAAAAAAAAAAAAAAA", "u2i-BBBBBBBBBBBBBBBBBBBBBB",
        "u2i-67-bytes-CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"};
    static char records[AVITO_INBOX_CHATS_SIZE(2)];
    (void)state;
    for (size_t cap = 512; cap <= 1120; cap += 32) {
        for (unsigned known = 0; known < 2; known++) { /* with records of two chats */
            struct device *d = dated_device(20, AVITO_START_SINCE, 1000);
            if (known > 0) {
                remember_chats(d, records, sizeof records);
            }
            d->arena.cap = cap;
            for (uint32_t i = 0; i < 3; i++) {
                char id[8];
                (void)snprintf(id, sizeof id, "m%u", i % 10u);
                write_message(names[i], id, 900 + i);
            }
            service.fault = count_requests;
            (void)poll_of(d);
            assert_int_equal(strlen(d->given), 9);
            assert_true(strstr(d->given, "m0 ") != NULL && strstr(d->given, "m1 ") != NULL &&
                        strstr(d->given, "m2 ") != NULL);
            assert_true(service.faults < 30);
            assert_polls(d, 3, "");
            assert_int_equal(d->errors + d->events, 0);
            avito_client_close(&d->client);
        }
    }
}

static void give_token(struct service *s, const char *request)
{
    if (strncmp(request, "POST /token ", 12) == 0) {
        (void)snprintf(s->body, sizeof s->body,
                       "{\"access_token\":\"another\",\"expires_in\":86400}");
    }
}

/* After some time, and a step that comes late. */
static const char *round_after(struct device *d, uint32_t ms)
{
    clock_advance(&d->clock, ms);
    clock_advance(&d->clock, 5000);
    return device_round(d);
}

/* Of the longest times that an option can name so much is kept that the clock, which wraps, can measure it. */
static void test_the_longest_times(void **state)
{
    const uint32_t six_hours = 6 * 3600 * 1000, longest = 1u << 30;
    struct device *d = device_of_dozen();
    unsigned rounds = 0;
    (void)state;
    d->options.sweep_ms = UINT32_MAX;
    d->options.poll_ms = six_hours;
    device_start(d);
    service.fault = give_token;
    for (uint32_t i = 0; i < 12; i++) {
        write_message(dozen[i], dozen[i], 30 - i);
    }
    for (; rounds < 4; rounds++) {
        assert_string_equal(round_after(d, six_hours), "");
    }
    write_before(service.count, "new", "new", (uint32_t)(d->clock.unix_s - T));
    while (strcmp(round_after(d, six_hours), "new ") != 0) { /* by a sweep: see above */
        assert_string_equal(d->given, "");
        assert_true(++rounds < longest / six_hours + 4);
    }
    d->options.poll_ms = UINT32_MAX;
    d->options.slow_poll_ms = UINT32_MAX;
    device_start(d);
    (void)device_round(d);
    for (unsigned rung = 0; rung < 2; rung++) {
        char id[8], given[10];
        (void)snprintf(id, sizeof id, "late%u", rung);
        (void)snprintf(given, sizeof given, "%s ", id);
        if (rung > 0) { /* from now on it waits for slow_poll_ms */
            avito_inbox_doorbell(&d->inbox);
            assert_string_equal(device_round(d), "");
        }
        assert_int_equal(avito_inbox_deadline_ms(&d->inbox), longest);
        write_message("c5", id, (uint32_t)(d->clock.unix_s - T));
        assert_string_equal(round_after(d, longest), given);
    }
    assert_int_equal(d->errors, 0);
    avito_client_close(&d->client);
}

static void count_unread_lists(struct service *s, const char *request)
{
    s->faults += strstr(request, "unread_only=true") != NULL ? 1 : 0;
}

/* Such a list does not keep the first round from ending either, where the queue holds three chats
 * and none has a record: the newest of them is below those that fit the queue. */
static void test_oldest_chat_first_and_a_small_arena(void **state)
{
    struct device *d = dated_device(20, AVITO_START_UNREAD, 1000);
    (void)state;
    d->arena.cap = 640;
    for (uint32_t i = 8; i > 0; i--) {
        write_message(dozen[i - 1], dozen[i - 1], i);
    }
    service.fault = count_unread_lists;
    assert_string_equal(poll_of(d), "c2 c1 c0 c5 c4 c3 c7 c6 ");
    assert_int_equal(d->errors, 0);
    assert_int_equal(d->events, AVITO_INBOX_DISORDER);
    service.faults = 0;
    assert_polls(d, 2, "");
    assert_int_equal(service.faults, 0);
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- who may use the lane */

/* The program reads a list of its own and asks the inbox, which was in the middle of another: the
 * program gets the rows of its list, and once that is over the inbox goes on. */
static void test_own_list_beside_the_inbox(void **state)
{
    static char own_room[2048];
    struct device *d = device_of(20, AVITO_START_SINCE);
    avito_arena own = avito_arena_of(own_room, sizeof own_room);
    avito_message m;
    int rc;
    (void)state;
    d->piece = 7;
    write_messages("a", "a1 a2 ", 1, 1);
    assert_int_equal(avito_inbox_next(&d->inbox, &m), AVITO_AGAIN);
    assert_int_equal(avito_step(&d->client), AVITO_ERR_IDLE); /* it is not the program's to move */
    avito_cancel(&d->client);
    rc = avito_list_messages(&d->client, d->options.user_id, "a", NULL, &own);
    while (rc == AVITO_AGAIN) {
        assert_int_equal(avito_inbox_next(&d->inbox, &m), AVITO_ERR_BUSY);
        rc = avito_step(&d->client);
    }
    for (int rows = 0; rows < 2;) {
        assert_int_equal(avito_inbox_next(&d->inbox, &m), AVITO_ERR_BUSY);
        rc = avito_next_message(&d->client, &m);
        rows += rc == AVITO_OK;
        assert_true(rc == AVITO_OK || rc == AVITO_AGAIN);
    }
    avito_cancel(&d->client);
    d->piece = 0;
    assert_string_equal(device_round(d), "a1 a2 ");
    avito_client_close(&d->client);
}

static void no_time(struct service *s, const char *request)
{
    (void)request;
    replace(s, "\"updated\":1754890002", "\"updated\":      null");
    replace(s, "\"id\":\"c1\",\"author_id\":7,\"created\":1754890003",
            "\"id\":null,\"author_id\":7,\"created\":1754890003");
}

/* A chat without a time and a message without an id are reported once, by name, and hide no
 * other. */
static void test_rows_without_time_or_id(void **state)
{
    struct device *d = dated_device(20, AVITO_START_SINCE, 100);
    unsigned named = 0, errors = 0, worded = 0;
    char given[64] = "";
    (void)state;
    write_message("a", "a1", 1);
    write_message("b", "b1", 2);
    write_message("c", "c1", 3);
    write_message("c", "c2", 4);
    service.fault = no_time;
    for (int i = 0; i < 400; i++) {
        avito_message m;
        const int rc = avito_inbox_next(&d->inbox, &m);
        if (rc == AVITO_OK) {
            strcat(strcat(given, m.id.ptr), " ");
            assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
        }
        errors += rc == AVITO_ERR_MODEL;
        worded += rc == AVITO_ERR_MODEL && *avito_last_error(&d->client)->text != '\0';
        named += rc == AVITO_ERR_MODEL && strcmp(avito_inbox_about(&d->inbox), "b") == 0;
        clock_advance(&d->clock, avito_inbox_deadline_ms(&d->inbox));
    }
    assert_non_null(strstr(given, "a1 "));
    assert_non_null(strstr(given, "b1 "));
    assert_non_null(strstr(given, "c2 "));
    assert_int_equal(strlen(given), 9);
    assert_int_equal(named, 1);
    assert_in_range(errors, 2, 3);
    /* With AVITO_TINY only a lane with diagnostics keeps texts. */
    if (d->account.o.priv.diagnostics != NULL) {
        assert_in_range(worded, 2, 3);
    } else {
        assert_int_equal(worded, 0);
    }
    avito_client_close(&d->client);
}

static void a2_without_time(struct service *s, const char *request)
{
    (void)request;
    replace(s, "\"id\":\"a2\",\"author_id\":7,\"created\":1754890002",
            "\"id\":\"a2\",\"author_id\":7,\"created\":      null");
}

/* A message without a time is reported once, with its id, and skipped, also after a restart. */
static void test_message_without_a_time(void **state)
{
    struct device *d = dated_device(20, AVITO_START_SINCE, 100);
    (void)state;
    write_messages("a", "a1 a2 a3 ", 1, 1);
    service.fault = a2_without_time;
    assert_string_equal(poll_of(d), "a1 a3 ");
    assert_int_equal(d->errors, 1);
    assert_polls(d, 40, "");
    avito_client_close(&d->client);
    device_start(d);
    write_message("a", "a4", 800);
    assert_within(d, 2, "a4 ");
    assert_polls(d, 40, "");
    assert_int_equal(d->errors, 1);
    avito_client_close(&d->client);
}

/* A message of another account is not given. */
static void test_offer_of_another_account(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    avito_message m;
    (void)state;
    assert_polls(d, 2, "");
    memset(&m, 0, sizeof m);
    m.id.ptr = "a1";
    m.id.len = 2;
    m.created = T + 1;
    m.user_id = d->options.user_id + 1;
    assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_ERR_ARGUMENT);
    m.user_id = d->options.user_id;
    assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_OK);
    avito_client_close(&d->client);
}

/* What the service writes in a chat of its own is marked so, as in a list of the program's. */
static void test_chat_of_the_service(void **state)
{
    static const char *const chats[] = {"a2u-x", "u2i-x"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct device *d = device_of(20, AVITO_START_SINCE);
        avito_message m;
        int rc = AVITO_AGAIN;
        write_message(chats[i], "a1", 1);
        for (int calls = 0; calls < 50 && rc == AVITO_AGAIN; calls++) {
            rc = avito_inbox_next(&d->inbox, &m);
        }
        assert_int_equal(rc, AVITO_OK);
        assert_string_equal(m.chat_id.ptr, chats[i]);
        assert_int_equal(m.is_system, i == 0);
        avito_client_close(&d->client);
    }
}

/* Until the start is stored it is not known what is old: what is offered before has to wait. */
static void test_offer_before_the_start(void **state)
{
    static const avito_inbox_start starts[] = {AVITO_START_NOW, AVITO_START_UNREAD};
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct device *d = device_of(20, starts[i]);
        avito_message m;
        memset(&m, 0, sizeof m);
        m.id.ptr = "a2";
        m.id.len = 2;
        m.created = T + 1000;
        write_message("a", "a1", 1);
        assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_ERR_BUSY);
        d->save_result = -7;
        assert_polls(d, 2, "");
        assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_ERR_BUSY);
        d->save_result = AVITO_OK;
        assert_within(d, 4, starts[i] == AVITO_START_NOW ? "" : "a1 ");
        assert_polls(d, 2, "");
        assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_OK);
        assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
        avito_client_close(&d->client);
    }
}

static void odd_rows(struct service *s, const char *request)
{
    (void)request;
    replace(s, "\"updated\":1754890002", "\"updated\":      null");
    replace(s, "\"id\":\"b1\",\"author_id\":7,\"created\":1754890002",
            "\"id\":null,\"author_id\":7,\"created\":      null");
}

/* The low half of this chat's hash is 0. Neither the chat nor its message has a time: both are reported. */
static void test_a_chat_whose_hash_ends_in_zeros(void **state)
{
    struct device *d = dated_device(20, AVITO_START_SINCE, 100);
    unsigned errors = 0;
    (void)state;
    write_message("a", "a1", 1);
    write_message("4mja8nm", "b1", 2);
    service.fault = odd_rows;
    for (int i = 0; i < 400; i++) {
        avito_message m;
        const int rc = avito_inbox_next(&d->inbox, &m);
        if (rc == AVITO_OK) {
            assert_string_equal(m.id.ptr, "a1");
            assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
        }
        errors += rc == AVITO_ERR_MODEL && strstr(avito_inbox_about(&d->inbox), "4mja8nm") != NULL;
        clock_advance(&d->clock, avito_inbox_deadline_ms(&d->inbox));
    }
    assert_int_equal(errors, 2);
    avito_client_close(&d->client);
}

/* The low half of this id's hash is 0, which elsewhere means "none". */
static void test_an_id_whose_hash_ends_in_zeros(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    assert_polls(d, 1, "");
    write_message("a", "a1", 1);
    write_message("a", "4mja8nm", 2);
    write_message("a", "a3", 3);
    assert_string_equal(poll_of(d), "a1 4mja8nm a3 ");
    assert_polls(d, 3, "");
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- what one call does */

/* Where the network answers at once, a long round still gives the program its turns. */
static void test_turns(void **state)
{
    struct device *d = device_of(20, AVITO_START_NOW);
    unsigned turns = 0, most = 0, all = 0;
    char chats[19][4];
    avito_message m;
    (void)state;
    for (unsigned i = 0; i < 19; i++) {
        (void)snprintf(chats[i], sizeof chats[i], "c%u", i % 100u);
        write_message(chats[i], chats[i], 1);
    }
    service.fault = count_requests;
    do {
        assert_int_equal(avito_inbox_next(&d->inbox, &m), AVITO_AGAIN);
        most = service.faults > most ? service.faults : most;
        all += service.faults;
        service.faults = 0;
        turns++;
    } while (avito_inbox_deadline_ms(&d->inbox) == 0 && turns < 1000);
    assert_in_range(all, 38, 150); /* for each chat: one that finds it, one for its messages */
    assert_in_range(most, 1, 20);
    assert_in_range(turns, 4, 50);
    assert_int_equal(avito_inbox_wants(&d->inbox), AVITO_WANT_TIMER);
    service.fault = NULL;
    write_message("c7", "new", 2);
    assert_within(d, 2, "new ");
    avito_client_close(&d->client);
}

/* The chat is a little newer in each list of chats, without a new message. */
static void ever_newer(struct service *s, const char *request)
{
    static const char updated[] = "\"updated\":1754891";
    char *at = strstr(s->body, updated), digits[8];
    (void)request;
    s->faults++;
    if (at != NULL) {
        s->marks++;
        (void)snprintf(digits, sizeof digits, "%03u", s->marks % 1000u);
        memcpy(at + sizeof updated - 1, digits, 3);
    }
}

static uint32_t slept_ms;

static int sleep_on(void *ctx, int wants, uint32_t ms)
{
    struct device *d = ctx;
    (void)wants;
    slept_ms += ms;
    clock_advance(&d->clock, ms);
    return AVITO_OK;
}

/* On a lane that may wait one call does no more work than elsewhere, and sleeps for one pause at most. */
static void test_waiting_lane_and_an_endless_supply(void **state)
{
    struct device *d = dated_device(20, AVITO_START_NOW, 1000);
    avito_transport_functions waits = *d->client.o.transport.functions;
    avito_message m;
    (void)state;
    waits.wait = sleep_on;
    d->client.o.transport.functions = &waits;
    write_message("a", "a1", 1000);
    service.fault = ever_newer;
    for (unsigned calls = 0; calls < 200; calls++) {
        slept_ms = 0;
        service.faults = 0;
        assert_int_equal(avito_inbox_next(&d->inbox, &m), AVITO_AGAIN);
        assert_in_range(service.faults, 0, 20);
        assert_in_range(slept_ms, 0, POLL);
    }
    assert_in_range(service.marks, 200, 999); /* that many lists of chats */
    avito_client_close(&d->client);
}

/* The message that is given does not depend on where a turn ends, nor on each call having an `out`
 * of its own. */
static void test_turn_at_any_step(void **state)
{
    static const char *const chats[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};
    (void)state;
    for (unsigned n = 0; n < 8 * 12; n++) {
        struct device *d = device_of(20, AVITO_START_SINCE);
        avito_message out[2];
        int rc = AVITO_AGAIN;
        for (uint32_t i = 0; i < 12; i++) { /* the number of steps until the new one is reached */
            char id[8];
            (void)snprintf(id, sizeof id, "x%u", i);
            if (i <= n % 12) {
                write_message("c0", id, 1);
            }
        }
        for (uint32_t i = 1; i <= n / 12; i++) {
            write_message(chats[i], chats[i], 1 + i);
        }
        assert_true(*poll_of(d) != '\0');
        write_message("new", "new", 20);
        clock_advance(&d->clock, POLL);
        for (unsigned turns = 0; rc == AVITO_AGAIN; turns++) {
            memset(out, 0x5a, sizeof out);
            rc = avito_inbox_next(&d->inbox, &out[turns % 2]);
            if (rc == AVITO_OK) {
                assert_int_equal(out[turns % 2].author_id, 7);
                assert_true(avito_str_equal(out[turns % 2].id, "new"));
            }
        }
        assert_int_equal(rc, AVITO_OK);
        avito_client_close(&d->client);
    }
}

/* Asking the inbox too early does not end a call of the program's own that is in progress. */
static void test_lane_that_is_busy(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    static avito_inbox other;
    avito_message m;
    int rc = AVITO_AGAIN;
    (void)state;
    write_message("a", "a1", 1);
    assert_string_equal(poll_of(d), "a1 ");
    write_message("a", "a2", 2);
    clock_advance(&d->clock, POLL);
    while (rc == AVITO_AGAIN) {
        rc = avito_inbox_next(&d->inbox, &m);
    }
    assert_int_equal(rc, AVITO_OK);
    assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
    d->silent = true;
    assert_int_equal(avito_mark_chat_as_read(&d->client, d->options.user_id, "a"), AVITO_AGAIN);
    assert_int_equal(avito_inbox_init(&other, &d->client, &d->options), AVITO_ERR_BUSY);
    assert_int_equal(avito_inbox_next(&other, &m), AVITO_ERR_ARGUMENT);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(avito_inbox_next(&d->inbox, &m), AVITO_ERR_BUSY);
        assert_int_equal(avito_step(&d->client), AVITO_AGAIN);
    }
    d->silent = false;
    assert_int_equal(avito_step(&d->client), AVITO_OK);
    write_message("b", "b1", 3);
    assert_string_equal(device_round(d), ""); /* the round had read the list before */
    assert_string_equal(poll_of(d), "b1 ");
    assert_int_equal(d->errors, 0);
    avito_client_close(&d->client);
}

/* The program may cancel what the inbox is doing, and use the lane, at any moment: the round goes on in
 * time, and gives what it was about to give. */
static void test_lane_that_is_taken_away(void **state)
{
    bool over = false;
    (void)state;
    for (unsigned when = 1; !over; when++) {
        struct device *d = device_of(20, AVITO_START_SINCE);
        unsigned again = 0, given = 0;
        d->piece = 7;
        d->inbox.o.mark_as_read = true;
        write_messages("a", "a1 a2 ", 1, 1);
        over = true;
        for (int i = 0; i < 4000 && (given < 2 || avito_inbox_deadline_ms(&d->inbox) < POLL); i++) {
            avito_message m;
            int rc;
            memset(&m, 0x5a, sizeof m);
            rc = avito_inbox_next(&d->inbox, &m);
            if (rc == AVITO_OK) {
                assert_true(given < 2 && avito_str_equal(m.id, given == 0 ? "a1" : "a2"));
                assert_int_equal(m.author_id, 7);
                assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
                given++;
            }
            if (rc == AVITO_AGAIN && ++again == when) {
                over = false;
                avito_cancel(&d->client);
                rc = avito_mark_chat_as_read(&d->client, d->options.user_id, "z");
                while (rc == AVITO_AGAIN) {
                    rc = avito_step(&d->client);
                }
                assert_int_equal(rc, AVITO_OK);
            }
            if (avito_inbox_wants(&d->inbox) == AVITO_WANT_TIMER && given < 2) {
                clock_advance(&d->clock, avito_inbox_deadline_ms(&d->inbox));
            }
        }
        assert_int_equal(given, 2);
        avito_client_close(&d->client);
    }
}

/* ---------------------------------------------------------------- lists that change */

static void empty_a(struct service *s, const char *request)
{
    if (strstr(request, "/chats/a/messages") != NULL &&
        number_after(request, "offset=", 0) < s->faults) {
        s->body[0] = '\0';
        add(s, "{\"messages\":[]}");
    }
    s->marks++;
}

/* All messages of a chat are deleted while some of them wait to be read: nothing more is asked of it. */
static void test_chat_that_empties(void **state)
{
    struct device *d = device_of(40, AVITO_START_SINCE);
    avito_message m;
    (void)state;
    service.fault = empty_a;
    for (uint32_t i = 0; i < 12; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "a%u", i);
        write_message("a", id, i + 1);
    }
    while (avito_inbox_next(&d->inbox, &m) != AVITO_OK) {
    }
    service.faults = 1000;
    service.marks = 0;
    avito_arena_reset(&d->arena); /* so it is read again, from the top */
    assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
    (void)device_round(d);
    assert_int_equal(d->errors, 0);
    assert_in_range(service.marks, 1, 10);
    avito_client_close(&d->client);
}

/* Pages of chats that are in order do not count as out of order because messages are read in
 * between. */
static void test_order_of_pages(void **state)
{
    static char ids[30][4];
    struct device *d = device_of(40, AVITO_START_SINCE);
    (void)state;
    write_message("c29", "x29", 1);
    for (uint32_t i = 0; i < 30; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "c%u", i % 100u);
        write_message(ids[i], ids[i], 10 * (i + 1));
    }
    for (int polls = 0; polls < 3; polls++) {
        (void)poll_of(d);
    }
    assert_int_equal(d->events, 0);
    assert_int_equal(d->errors, 0);
    avito_client_close(&d->client);
}

static void years_ahead(struct service *s, const char *request)
{
    char *at = s->body;
    (void)request;
    while ((at = strstr(at, "\"created\":17548900")) != NULL &&
           strstr(s->body, "messages") != NULL) {
        at[strlen("\"created\":")] = '2';
    }
}

/* Times that are not believed are reported once for each look at a chat, and the chat is named. */
static void test_times_ahead_are_said(void **state)
{
    struct device *d = dated_device(40, AVITO_START_SINCE, 100);
    unsigned said = 0, given = 0;
    (void)state;
    write_messages("a", "a1 a2 a3 a4 a5 a6 a7 a8 ", 1, 1);
    service.fault = years_ahead;
    for (int i = 0; i < 400; i++) {
        avito_message m;
        const int rc = avito_inbox_next(&d->inbox, &m);
        const unsigned events = avito_inbox_events(&d->inbox);
        if (rc == AVITO_OK) {
            assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
            given++;
        }
        if ((events & AVITO_INBOX_TIME) != 0) {
            assert_string_equal(avito_inbox_about(&d->inbox), "a");
            said++;
        }
        clock_advance(&d->clock, avito_inbox_deadline_ms(&d->inbox));
    }
    assert_int_equal(given, 8);
    assert_int_equal(said, 1);
    avito_client_close(&d->client);
}

static void a1_years_ahead(struct service *s, const char *request)
{
    (void)request;
    replace(s, "\"id\":\"a1\",\"author_id\":7,\"created\":1",
            "\"id\":\"a1\",\"author_id\":7,\"created\":2");
}

/* Messages of chat b, one at a time, of which the ring holds only the latest. */
static void fill_ring(struct device *d, unsigned from, unsigned count)
{
    for (unsigned i = from; i < from + count; i++) {
        char id[12], given[16];
        (void)snprintf(id, sizeof id, "b%u", i);
        (void)snprintf(given, sizeof given, "%s ", id);
        write_message("b", id, (uint32_t)(d->clock.unix_s - T));
        assert_within(d, 22, given); /* polls are rare for a while after a notification */
        clock_advance(&d->clock, 400000);
        assert_string_equal(device_round(d), "");
    }
}

/* An id whose time is not believed stays in the ring while its chat rests and new messages fill the
 * ring, also when a notification had the right time, and over a restart. */
static void test_time_ahead_in_a_chat_that_rests(void **state)
{
    (void)state;
    for (unsigned offered = 0; offered < 2; offered++) {
        struct device *d = dated_device(6, AVITO_START_SINCE, 1000);
        service.fault = a1_years_ahead;
        assert_polls(d, 1, "");
        write_message("a", "a1", 1010);
        if (offered) {
            avito_message m;
            memset(&m, 0, sizeof m);
            m.id.ptr = "a1";
            m.id.len = 2;
            m.created = T + 1010;
            assert_int_equal(avito_inbox_offer(&d->inbox, &m), AVITO_OK);
            assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
            assert_polls(d, 2, "");
        } else {
            assert_within(d, 2, "a1 ");
        }
        fill_ring(d, 1, 6);
        avito_client_close(&d->client);
        device_start(d);
        fill_ring(d, 7, 6);
        write_message("a", "a2", (uint32_t)(d->clock.unix_s - T));
        assert_within(d, 22, "a2 ");
        assert_polls(d, 60, "");
        assert_int_equal(d->events & AVITO_INBOX_OVERRUN, 0);
        avito_client_close(&d->client);
    }
}

static void all_years_ahead(struct service *s, const char *request)
{
    char *at = s->body;
    (void)request;
    while (strstr(s->body, "messages") != NULL &&
           (at = strstr(at, "\"author_id\":7,\"created\":1")) != NULL) {
        at[strlen("\"author_id\":7,\"created\":")] = '2';
    }
}

/* More of those than the ring holds come again now and then, and that is reported. Nothing is
 * marked meanwhile. Other messages do not suffer: each comes once, and soon their chats are marked
 * again. */
static void test_more_times_ahead_than_the_ring_holds(void **state)
{
    struct device *d = dated_device(4, AVITO_START_SINCE, 1000);
    unsigned again = 0;
    (void)state;
    d->inbox.o.mark_as_read = true;
    service.fault = all_years_ahead;
    write_messages("a", "a1 a2 a3 a4 a5 a6 ", 990, 1);
    assert_string_equal(poll_of(d), "a1 a2 a3 a4 a5 a6 ");
    assert_true((d->events & AVITO_INBOX_OVERRUN) != 0);
    for (unsigned polls = 0; polls < 80; polls++) { /* twenty minutes */
        again += *poll_of(d) != '\0';
    }
    assert_in_range(again, 1, 6);
    assert_int_equal(service.marks, 0);
    service.fault = NULL;
    fill_ring(d, 1, 8);
    assert_in_range(service.marks, 4, 8);
    avito_client_close(&d->client);
}

/* A full ring may have forgotten something before a restart. The horizon then moves to the oldest
 * time that is believed, and not past what may still come late. */
static void test_time_ahead_in_a_full_ring(void **state)
{
    struct device *d = dated_device(4, AVITO_START_SINCE, 1000);
    (void)state;
    service.fault = a1_years_ahead;
    write_message("a", "a1", 985);
    write_messages("b", "b1 b2 b3 ", 990, 2);
    assert_string_equal(poll_of(d), "a1 b1 b2 b3 ");
    avito_client_close(&d->client);
    device_start(d);
    assert_polls(d, 1, "");
    write_message("c", "c1", 900); /* comes late */
    (void)poll_of(d);
    assert_non_null(strstr(d->given, "c1 "));
    avito_client_close(&d->client);
}

static void a1_ahead_once(struct service *s, const char *request)
{
    if (s->faults == 0) {
        a1_years_ahead(s, request);
    }
}

/* A digit that changed on the way does not make an old message new. */
static void test_old_message_with_a_changed_digit(void **state)
{
    struct device *d = dated_device(4, AVITO_START_SINCE, 1000);
    (void)state;
    write_message("a", "a1", 990);
    assert_polls(d, 1, "a1 ");
    fill_ring(d, 1, 6);
    service.fault = a1_ahead_once;
    write_message("a", "a2", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "a2 ");
    assert_int_equal(service.faults, 1);
    assert_polls(d, 40, "");
    assert_int_equal(d->events, 0);
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- hooks and the arena between calls */

static struct device *hooked;
static unsigned refused;

/* What a hook of the lane, or of the inbox, may not do. */
static void call_the_inbox(void)
{
    avito_message m;
    memset(&m, 0, sizeof m);
    m.id.ptr = "x1";
    m.id.len = 2;
    m.created = T + 9;
    assert_int_equal(avito_inbox_next(&hooked->inbox, &m), AVITO_ERR_BUSY);
    assert_int_equal(avito_inbox_accept(&hooked->inbox), AVITO_ERR_BUSY);
    assert_int_equal(avito_inbox_offer(&hooked->inbox, &m), AVITO_ERR_BUSY);
    assert_int_equal(avito_inbox_init(&hooked->inbox, &hooked->client, &hooked->options),
                     AVITO_ERR_BUSY);
    refused++;
}

static void call_from_the_wire(struct service *s, const char *request)
{
    (void)s, (void)request;
    call_the_inbox();
}

static int (*save_really)(void *ctx, int slot, const void *data, size_t len);

static int call_from_save(void *ctx, int slot, const void *data, size_t len)
{
    call_the_inbox();
    return save_really(ctx, slot, data, len);
}

static int (*load_really)(void *ctx, int slot, void *data, size_t cap, size_t *len);

/* Neither the loaded state nor the options that it was begun with are lost. */
static int call_from_load(void *ctx, int slot, void *data, size_t cap, size_t *len)
{
    call_the_inbox();
    assert_int_equal(avito_inbox_init(&hooked->inbox, &hooked->client, NULL), AVITO_ERR_BUSY);
    return load_really(ctx, slot, data, cap, len);
}

/* A hook that calls the inbox is told that it is busy, and the round is as it would have been. */
static void test_calls_from_hooks(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    hooked = d;
    refused = 0;
    save_really = d->options.save;
    load_really = d->options.load;
    d->options.save = call_from_save;
    d->options.load = call_from_load;
    device_start(d);
    assert_int_equal(refused, 2); /* one for each slot */
    service.fault = call_from_the_wire;
    write_messages("a", "a1 a2 ", 1, 1);
    write_message("b", "b1", 3);
    assert_string_equal(poll_of(d), "a1 a2 b1 ");
    assert_in_range(refused, 2 + 3 + 3, 12); /* requests and saves */
    assert_int_equal(d->errors, 0);
    avito_client_close(&d->client);
}

/* Fills the arena again, to the last byte; what no text length reaches is left over. */
static void fill_arena(avito_arena *arena, size_t end)
{
    static char body[4000];
    static char text[3000];
    avito_event event;
    for (size_t n = 1; n < sizeof text; n++) {
        memset(text, 'x', n);
        text[n] = '\0';
        (void)snprintf(body, sizeof body,
                       "{\"id\":\"e\",\"payload\":{\"type\":\"message\",\"value\":{\"id\":\"e1\","
                       "\"type\":\"text\","
                       "\"content\":{\"text\":\"%s\"}}}}",
                       text);
        avito_arena_reset(arena);
        assert_int_equal(avito_parse_webhook(body, strlen(body), arena, &event, NULL), AVITO_OK);
        if (arena->used >= end) {
            assert_in_range(arena->used, end, end + 8);
            arena->used = end;
            return;
        }
    }
    fail_msg("the arena is never full up to there");
}

/* The program may use the arena while it holds a message: the inbox asks again for what lay there,
 * and it does not matter where the program's own data ends. */
static void test_arena_used_in_between(void **state)
{
    static const char *const chats[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"};
    (void)state;
    for (unsigned how = 0; how < 2; how++) {
        struct device *d = device_of(40, AVITO_START_SINCE);
        unsigned given = 0, seen = 0;
        for (uint32_t i = 0; i < 10; i++) {
            write_message(chats[i], chats[i], i + 1);
            write_messages(chats[i], "x x ", i + 1, 0);
            service.rows[service.count - 2].id[1] = (char)('a' + i);
            service.rows[service.count - 1].id[1] = (char)('A' + i);
        }
        for (unsigned i = 0; i < 4000 && given < 30; i++) {
            avito_message m;
            const int rc = avito_inbox_next(&d->inbox, &m);
            size_t end;
            if (rc == AVITO_OK) {
                assert_int_equal(m.author_id, 7);
                assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
                given++;
            }
            end = d->arena.used;
            assert_true(rc == AVITO_OK || rc == AVITO_AGAIN);
            if (!d->arena.busy && end > 400 && rc == AVITO_OK) {
                fill_arena(&d->arena, end);
                seen++;
                avito_arena_reset(how == 1 ? &d->arena : NULL);
            }
            clock_advance(&d->clock, d->inbox.client->priv.call == NULL
                                         ? avito_inbox_deadline_ms(&d->inbox)
                                         : 0);
        }
        assert_int_equal(given, 30);
        assert_true(seen > 0);
        assert_polls(d, 3, "");
        avito_client_close(&d->client);
    }
}

/* Every function of an inbox that was never begun says so. */
static void test_inbox_that_did_not_begin(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    static avito_inbox zeroed;
    avito_message m;
    (void)state;
    {
        avito_arena none = avito_arena_of(NULL, 0), small = avito_arena_of(&m, 8);
        avito_inbox_options o = d->options;
#define WITHOUT(member, value, result)                                                             \
    o = d->options;                                                                                \
    o.member = value;                                                                              \
    assert_int_equal(avito_inbox_init(&d->inbox, &d->client, &o), AVITO_ERR_##result)
        WITHOUT(state, NULL, ARGUMENT);
        WITHOUT(arena, NULL, ARGUMENT);
        WITHOUT(arena, &none, ARGUMENT);
        WITHOUT(arena, &small, ROOM);
        WITHOUT(state_cap, AVITO_INBOX_STATE_SIZE(1) - 1, ROOM);
        WITHOUT(save, NULL, ARGUMENT);
        WITHOUT(load, NULL, ARGUMENT);
        WITHOUT(start, (avito_inbox_start)3, ARGUMENT);
#undef WITHOUT
    }
    d->options.user_id = 0;
    assert_int_equal(avito_inbox_init(&d->inbox, &d->client, &d->options), AVITO_ERR_ARGUMENT);
    memset(&m, 0, sizeof m);
    for (unsigned i = 0; i < 3; i++) {
        avito_inbox *in = i == 0 ? NULL : i == 1 ? &zeroed : &d->inbox;
        assert_int_equal(avito_inbox_next(in, &m), AVITO_ERR_ARGUMENT);
        assert_int_equal(avito_inbox_accept(in), AVITO_ERR_ARGUMENT);
        assert_int_equal(avito_inbox_offer(in, &m), AVITO_ERR_ARGUMENT);
        avito_inbox_doorbell(in);
        assert_int_equal(avito_inbox_wants(in), 0);
        assert_int_equal(avito_inbox_deadline_ms(in), UINT32_MAX);
        assert_int_equal(avito_inbox_events(in), 0);
        assert_string_equal(avito_inbox_about(in), "");
    }
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- ids that are too long */

static void test_chat_with_a_long_id(void **state)
{
    static const char longest[] =
        "a123456789b123456789c123456789d123456789e123456789f123456789g123456";
    static const char too_long[] =
        "a123456789b123456789c123456789d123456789e123456789f123456789g1234567";
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    write_message(longest, "a1", 1);
    assert_string_equal(poll_of(d), "a1 ");
    assert_int_equal(d->events, 0);
    write_message(too_long, "b1", 2);
    write_message("c", "c1", 3);
    assert_string_equal(poll_of(d), "c1 ");
    assert_int_equal(d->events, AVITO_INBOX_UNREACHABLE);
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- messages that cannot be decoded */

static void break_a1_once(struct service *s, const char *request)
{
    if (s->faults == 0 && number_after(request, "limit=", 0) == 20) {
        replace(s, "\"hello\"", "1234567");
    }
}

static void break_a1(struct service *s, const char *request)
{
    (void)request;
    if (strstr(s->body, "\"a1\"") != NULL) {
        char *at = strstr(strstr(s->body, "\"a1\""), "\"hello\"");
        if (at != NULL) {
            memcpy(at, "1234567", 7);
            s->faults++;
        }
    }
}

static void test_bad_message(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    write_message("a", "a1", 1);
    write_message("a", "a2", 2);
    service.fault = break_a1_once; /* it was the line: nothing is skipped */
    assert_string_equal(poll_of(d), "a1 a2 ");
    assert_int_equal(service.faults, 1);
    assert_int_equal(d->errors, 0);

    d = device_of(20, AVITO_START_SINCE);
    write_message("a", "a1", 1);
    write_message("a", "a2", 2);
    service.fault = break_a1; /* it is the message */
    assert_string_equal(poll_of(d), "a2 ");
    assert_int_equal(d->errors, 1);
    assert_polls(d, 3, "");
    assert_int_equal(d->errors, 1);
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- a ring that is too small */

static void test_overrun_is_not_marked(void **state)
{
    struct device *d = device_of(2, AVITO_START_SINCE);
    (void)state;
    d->inbox.o.mark_as_read = true;
    write_message("a", "a1", 1);
    assert_string_equal(poll_of(d), "a1 ");
    assert_int_equal(service.marks, 1);
    write_message("a", "a2", 2);
    write_message("a", "a3", 3);
    assert_string_equal(poll_of(d), "a2 a3 ");
    assert_int_equal(d->events, AVITO_INBOX_OVERRUN);
    assert_int_equal(service.marks, 1); /* something may have shown up late after a1 */
    write_message("a", "a4", 400);
    assert_string_equal(poll_of(d), "a4 ");
    avito_client_close(&d->client);
}

/* Messages of the newest second that exceed the ring come again as long as that second may still
 * get more, but neither at every poll nor for ever. */
static void test_overrun_within_a_second(void **state)
{
    struct device *d = dated_device(2, AVITO_START_SINCE, 10);
    unsigned again = 0;
    (void)state;
    write_messages("a", "a1 a2 a3 a4 ", 10, 0);
    assert_string_equal(poll_of(d), "a1 a2 a3 a4 ");
    assert_int_equal(d->events, AVITO_INBOX_OVERRUN);
    while (d->clock.unix_s < T + 700) {
        again += *poll_of(d) != '\0';
    }
    assert_in_range(again, 1, 3);
    write_message("a", "a5", 800);
    assert_string_equal(poll_of(d), "a5 ");
    avito_inbox_doorbell(&d->inbox);
    assert_polls(d, 30, "");
    assert_int_equal(d->errors, 0);
    avito_client_close(&d->client);
}

/* Messages that come meanwhile do not wait either, when a notification announces them. */
static void test_bell_after_an_overrun(void **state)
{
    struct device *d = dated_device(2, AVITO_START_SINCE, 10);
    (void)state;
    write_messages("a", "a1 a2 a3 ", 10, 0);
    assert_string_equal(poll_of(d), "a1 a2 a3 ");
    assert_string_not_equal(poll_of(d), "");
    assert_string_equal(poll_of(d), "");
    write_message("a", "a4", 50);
    avito_inbox_doorbell(&d->inbox);
    assert_non_null(strstr(device_round(d), "a4 "));
    assert_string_equal(device_round(d), "");
    avito_client_close(&d->client);
}

/* While chat b is read, chat d is emptied and a late message moves z to the top: no row of the
 * others moves, and z is not on the next page. */
static void z_slips_by(struct service *s, const char *request)
{
    if (s->faults == 0 && strstr(request, "/chats/b/messages") != NULL) {
        s->faults++;
        s->count--; /* d1 */
        write_message("z", "z1", 800);
    }
}

/* Without room for records a chat may slip by a round. An overrun in it does not jump past the chat. */
static void test_overrun_beside_a_chat_that_slips_by(void **state)
{
    struct device *d = dated_device(2, AVITO_START_SINCE, 1000);
    unsigned polls = 0;
    (void)state;
    d->arena.cap = 640; /* three chats are queued at a time */
    write_message("z", "z0", 100);
    write_messages("a", "a1 ", 901, 0);
    write_messages("b", "b1 ", 902, 0);
    write_messages("c", "c1 ", 903, 0);
    write_messages("d", "d1 ", 904, 0);
    service.fault = z_slips_by;
    assert_string_equal(poll_of(d), "b1 c1 a1 ");
    assert_int_equal(service.faults, 1);
    assert_int_equal(d->events & AVITO_INBOX_OVERRUN, AVITO_INBOX_OVERRUN);
    while (strstr(poll_of(d), "z1 ") == NULL && polls < 30) {
        polls++;
    }
    assert_in_range(polls, 0, 25); /* it is slow then: all of the others comes again */
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- a service that does not settle down */

static void times_change(struct service *s, const char *request)
{
    char *at = strstr(request, "/messages/") == NULL ? strstr(s->body, "\"updated\":") : NULL;
    if (at != NULL) {
        at[strlen("\"updated\":1754890")] = (char)('0' + s->faults++ % 10);
    }
}

/* At the very first start two answers have to agree: the inbox asks a number of times, not for
 * ever. */
static void test_start_that_changes(void **state)
{
    struct device *d = device_of(20, AVITO_START_NOW);
    (void)state;
    write_message("a", "a1", 1);
    service.fault = times_change;
    assert_string_equal(poll_of(d), "");
    assert_in_range(service.faults, 50, 150);
    service.fault = NULL;
    assert_polls(d, 2, "");
    write_message("a", "a2", 2);
    assert_within(d, 2, "a2 ");
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- long lists */

/* One list of a number of rows, the newest first: chats, or messages of the only chat. */
static struct far {
    bool messages;
    unsigned there;
    bool turned;      /* the oldest first */
    unsigned at_once; /* more than were asked for; 0: as asked */
    bool read[1004];  /* whose messages were asked for */
} far;

static void far_list(struct service *s, const char *request)
{
    const bool messages = strstr(request, "/messages/") != NULL;
    const unsigned there = messages == far.messages ? far.there : 1;
    const unsigned offset = number_after(request, "offset=", 0);
    unsigned limit = number_after(request, "limit=", 100);
    if (limit > 1 && offset == 0 && messages == far.messages && far.at_once > 0) {
        limit = far.at_once;
    }
    if (messages) {
        far.read[number_after(request, "/chats/c", 0)] = true;
    }
    s->body[0] = '\0';
    add(s, "{\"%s\":[", messages ? "messages" : "chats");
    for (unsigned i = offset; i < there && i < offset + limit; i++) {
        add(s, "%s{\"id\":\"%c%u\",\"%s\":%u}", i > offset ? "," : "", messages ? 'm' : 'c', i,
            messages ? "created" : "updated", far.turned ? T + 1000 + i : T + 2000 - i);
    }
    add(s, "],\"meta\":{\"has_more\":%s}}", there > offset + limit ? "true" : "false");
    s->faults++;
}

static struct device *far_device(bool messages, unsigned there, unsigned at_once)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    far.messages = messages;
    far.there = there;
    far.at_once = at_once;
    far.turned = false;
    memset(far.read, 0, sizeof far.read);
    service.fault = far_list;
    return d;
}

/* Polls until the first message or error; NULL: the round ends with neither. */
static const char *first_of_round(struct device *d, int *rc)
{
    static char first[80];
    avito_message m;
    memset(&m, 0, sizeof m);
    clock_advance(&d->clock, POLL);
    do {
        *rc = avito_inbox_next(&d->inbox, &m);
        d->events |= avito_inbox_events(&d->inbox);
    } while (*rc == AVITO_AGAIN && avito_inbox_deadline_ms(&d->inbox) < POLL);
    if (*rc != AVITO_OK) {
        return NULL;
    }
    (void)snprintf(first, sizeof first, "%s %s", m.chat_id.ptr, m.id.ptr);
    return first;
}

/* How many chats a round reads. */
static unsigned chats_of_round(struct device *d)
{
    unsigned count = 0;
    (void)poll_of(d);
    for (size_t i = 0; i < sizeof far.read / sizeof *far.read; i++) {
        count += far.read[i];
    }
    return count;
}

/* A list with the oldest chat first, of two pages and without records: each chat is read once a round, no
 * round ends with an error, and once the horizon has passed them none costs anything. */
static void test_oldest_chat_first_on_two_pages(void **state)
{
    static const unsigned requests[] = {165, 165, 165, 2};
    struct device *d = far_device(false, 150, 0);
    (void)state;
    far.turned = true;
    d->dates = true;
    d->clock.unix_s = T + 2500;
    for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++) {
        service.faults = 0;
        (void)poll_of(d);
        assert_in_range(service.faults, 1, requests[i]);
    }
    assert_int_equal(d->errors, 0);
    avito_client_close(&d->client);
}

/* A thousand rows in one answer are read to the last, whatever was asked for: of messages the last is the
 * oldest and comes first, of chats all come. One row more is an attack, and reading ends there. */
static void test_rows_in_one_answer(void **state)
{
    (void)state;
    for (unsigned list = 0; list < 2; list++) {
        const bool messages = list == 1;
        const char *last = messages ? "\"m1000\"" : "\"c1000\"";
        struct device *d = far_device(messages, 1000, 1000);
        const char *first;
        int rc;
        if (messages) {
            assert_string_equal(first_of_round(d, &rc), "c0 m999");
        } else {
            assert_int_equal(chats_of_round(d), 1000);
        }
        assert_int_equal(d->events, 0);
        avito_client_close(&d->client);

        d = far_device(messages, 1001, 1001);
        assert_null(first_of_round(d, &rc));
        assert_int_equal(rc, AVITO_ERR_MODEL);
        assert_int_equal(d->events, 0);
        avito_client_close(&d->client);

        d = far_device(messages, 1600, 1600);
        assert_null(first_of_round(d, &rc));
        assert_non_null(strstr(d->answer, last));
        assert_in_range(d->answer_at, strstr(d->answer, last) - d->answer,
                        strstr(d->answer, last) - d->answer + AVITO_WINDOW_MIN + 64);
        service.faults = 0;
        for (unsigned round = 0; round < 3; round++) {
            assert_null(first_of_round(d, &rc));
            assert_int_equal(rc, AVITO_ERR_MODEL);
        }
        assert_in_range(service.faults, 3, 9);
        far.at_once = 0; /* the list is good again, and nothing of it was missed */
        first = first_of_round(d, &rc);
        first = first != NULL ? first : first_of_round(d, &rc);
        assert_non_null(first);
        if (messages) {
            assert_string_equal(first, "c0 m1000");
        }
        avito_client_close(&d->client);
    }
}

/* The API reaches row 1000, counted from 0: what follows is not read, and that is reported. */
static void test_rows_beyond_reach(void **state)
{
    (void)state;
    for (unsigned list = 0; list < 2; list++) {
        const bool messages = list == 1;
        for (unsigned there = 1000; there <= 1003; there++) {
            struct device *d = far_device(messages, there, 0);
            const unsigned reached = there > 1001 ? 1001 : there;
            char first[20];
            int rc;
            (void)snprintf(first, sizeof first, "c0 m%u", reached - 1);
            if (messages) {
                assert_string_equal(first_of_round(d, &rc), first);
            } else {
                assert_int_equal(chats_of_round(d), reached);
            }
            assert_int_equal(d->events, there > 1001 ? AVITO_INBOX_UNREACHABLE : 0);
            avito_client_close(&d->client);
        }
    }
}

/* The power may fail before the program has asked for the event: it is reported again. */
static void test_overrun_is_said_after_a_restart(void **state)
{
    struct device *d = device_of(1, AVITO_START_UNREAD);
    avito_message m;
    (void)state;
    write_message("a", "a1", 1);
    write_message("a", "a2", 2);
    write_message("b", "b1", 3);
    for (int given = 0; given < 2;) {
        const int rc = avito_inbox_next(&d->inbox, &m);
        if (rc == AVITO_OK) {
            assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
            given++;
        }
    }
    avito_client_close(&d->client);
    device_start(d);
    assert_int_equal(avito_inbox_events(&d->inbox), AVITO_INBOX_OVERRUN);
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- silence */

static void give_tokens(struct service *s, const char *request)
{
    if (strncmp(request, "POST /token", 11) == 0) {
        s->body[0] = '\0';
        add(s, "{\"access_token\":\"another\",\"expires_in\":86400}");
    }
}

/* Notifications that came once do not keep it slow for ever, however long the program did not
 * ask. */
static void test_slow_only_while_notifications_come(void **state)
{
    static const uint32_t silence_s[] = {1, 250, 301, 100000, 20 * 86400, 26 * 86400, 40 * 86400};
    (void)state;
    for (size_t i = 0; i < sizeof silence_s / sizeof silence_s[0]; i++) {
        struct device *d = device_of(20, AVITO_START_NOW);
        service.fault = give_tokens;
        assert_polls(d, 3, "");
        avito_inbox_doorbell(&d->inbox);
        assert_string_equal(device_round(d), "");
        assert_in_range(avito_inbox_deadline_ms(&d->inbox), POLL + 1, 300000);
        clock_advance(&d->clock, silence_s[i] * 1000u);
        assert_string_equal(device_round(d), "");
        if (silence_s[i] > 300) {
            assert_in_range(avito_inbox_deadline_ms(&d->inbox), POLL / 2, POLL);
        } else {
            assert_in_range(avito_inbox_deadline_ms(&d->inbox), POLL + 1, 300000);
        }
        clock_advance(&d->clock, 301000);
        assert_string_equal(device_round(d), "");
        clock_advance(&d->clock, UINT32_MAX - 301000 - silence_s[i] * 1000u + 5000); /* it wraps */
        assert_string_equal(device_round(d), "");
        assert_in_range(avito_inbox_deadline_ms(&d->inbox), POLL / 2, POLL);
        avito_client_close(&d->client);
    }
}

/* ---------------------------------------------------------------- rows and pages that no service should send */

/* Records of chats and a Date in each answer: as most programs run it. */
static struct device *device_with_records(unsigned ring)
{
    static char records[AVITO_INBOX_CHATS_SIZE(32)];
    struct device *d = dated_device(ring, AVITO_START_SINCE, 100);
    remember_chats(d, records, sizeof records);
    return d;
}

static void break_chats_b_and_c(struct service *s, const char *request)
{
    (void)request;
    replace(s, "\"updated\":1754890002", "\"updated\":{\"a\":1234}");
    replace(s, "{\"id\":\"c\",", "{\"ix\":\"c\",");
}

/* A chat that breaks the model, or has no id, is reported once. What can be asked for is given all the
 * same. */
static void test_chats_that_break_the_model(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    write_message("a", "a1", 1);
    write_message("b", "b1", 2);
    write_message("c", "c1", 3);
    write_message("d", "d1", 4);
    service.fault = break_chats_b_and_c;
    assert_within(d, 2, "a1 b1 d1 ");
    assert_int_equal(d->errors, 3); /* and once more that the round lacks something */
    assert_polls(d, 40, "");
    assert_int_equal(d->errors, 3);
    avito_client_close(&d->client);
}

static void b_has_no_time(struct service *s, const char *request)
{
    s->faults++;
    (void)request;
    if (strstr(s->body, "\"chats\"") != NULL) {
        replace(s, "\"updated\":1754890002", "\"updated\":      null");
    }
}

/* No record tells whether a chat without a time has changed: it is read in each round. */
static void test_chat_without_time_is_read_always(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    write_message("a", "a1", 1);
    write_message("b", "b1", 2);
    service.fault = b_has_no_time;
    assert_within(d, 2, "a1 b1 ");
    assert_polls(d, 40, "");
    service.faults = 0;
    assert_polls(d, 5, "");
    assert_in_range(service.faults, 5 + 5 + 5, 40); /* a list, what changed in it, and b */
    avito_client_close(&d->client);
}

static void a2_before_1970(struct service *s, const char *request)
{
    (void)request;
    replace(s, "\"id\":\"a2\",\"author_id\":7,\"created\":1754890002",
            "\"id\":\"a2\",\"author_id\":7,\"created\":-754890002");
}

static void test_message_before_1970(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    write_messages("a", "a1 a2 a3 ", 1, 1);
    service.fault = a2_before_1970;
    assert_string_equal(poll_of(d), "a1 a3 ");
    assert_int_equal(d->errors, 1);
    assert_polls(d, 40, "");
    assert_int_equal(d->errors, 1);
    avito_client_close(&d->client);
}

/* A Date may be as late as 2105: times near its end are taken as they are. */
static void test_the_last_dates(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    d->clock.unix_s = 4291747000;
    write_message("a", "a1", (uint32_t)(d->clock.unix_s - T - 10));
    assert_within(d, 2, "a1 ");
    assert_polls(d, 3, "");
    write_message("a", "a2", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "a2 ");
    assert_int_equal(d->errors + d->events, 0);
    avito_client_close(&d->client);
}

static void last_message_without_an_id(struct service *s, const char *request)
{
    (void)request;
    replace(s, "\"created\":1754890000,", "\"last_message\":{},   ");
}

static void test_last_message_without_an_id(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    service.fault = last_message_without_an_id;
    write_message("a", "a1", 1);
    assert_within(d, 2, "a1 ");
    write_message("a", "a2", 150);
    assert_within(d, 2, "a2 ");
    assert_true(service.faults > 0);
    assert_polls(d, 40, "");
    assert_int_equal(d->errors + d->events, 0);
    avito_client_close(&d->client);
}

static void a2_is_a1(struct service *s, const char *request)
{
    (void)request;
    replace(s, "\"id\":\"a2\",", "\"id\":\"a1\",");
}

static void test_message_listed_twice(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    write_messages("a", "a1 a2 a3 ", 1, 1);
    service.fault = a2_is_a1;
    assert_string_equal(poll_of(d), "a1 a3 ");
    assert_true(service.faults > 0);
    assert_polls(d, 40, "");
    avito_client_close(&d->client);
}

/* No path can be made of such an id: the chat fails like any other, and is left out. */
static void test_chat_whose_id_is_a_directory(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    write_message("..", "x1", 1);
    write_message("b", "b1", 2);
    assert_within(d, 4, "b1 ");
    assert_in_range(d->errors, 2, 3);
    write_message("b", "b2", 150);
    assert_within(d, 4, "b2 ");
    avito_client_close(&d->client);
}

/* A page of one row that says there is more cannot be gone on with: pages overlap by one. */
static void test_pages_of_one_row(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    service.page = 1;
    write_message("a", "a1", 1);
    write_message("b", "b1", 2);
    assert_within(d, 2, "b1 ");
    assert_int_equal(d->events, AVITO_INBOX_UNREACHABLE);
    assert_polls(d, 3, "");
    avito_client_close(&d->client);
}

static void later_pages_are_empty(struct service *s, const char *request)
{
    if (number_after(request, "offset=", 0) > 0) {
        s->body[0] = '\0';
        add(s, "{\"chats\":[],\"meta\":{\"has_more\":true}}");
        s->faults++;
    }
}

static const char *const eight[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};

static void write_eight(uint32_t created)
{
    for (uint32_t i = 0; i < 8; i++) {
        write_message(eight[i], eight[i], created + i);
        service.rows[service.count - 1].id[0] = (char)('m' + created % 10);
    }
}

/* Nothing begins before all of the list was read. */
static void test_start_with_empty_pages(void **state)
{
    struct device *d = dated_device(20, AVITO_START_NOW, 100);
    (void)state;
    service.page = 3;
    write_eight(1);
    service.fault = later_pages_are_empty;
    assert_polls(d, 3, "");
    assert_in_range(d->errors, 1, 3);
    assert_int_equal(d->full[0] + d->full[1], 0);
    service.fault = NULL;
    assert_polls(d, 3, "");
    write_message("c0", "new", 150);
    assert_within(d, 2, "new ");
    assert_polls(d, 40, "");
    avito_client_close(&d->client);
}

static void one_page_is_empty(struct service *s, const char *request)
{
    if (s->faults == 0 && strstr(request, "offset=") != NULL &&
        number_after(request, "offset=", 0) > 0) {
        s->body[0] = '\0';
        add(s, "{\"chats\":[],\"meta\":{\"has_more\":false}}");
        s->faults++;
    }
}

/* Empty pages of an earlier attempt at the start do not count in the next one. */
static void test_start_with_an_empty_page_again(void **state)
{
    struct device *d = dated_device(20, AVITO_START_NOW, 100);
    (void)state;
    service.page = 3;
    write_eight(1);
    service.fault = later_pages_are_empty;
    assert_polls(d, 1, "");
    assert_int_equal(d->errors, 1);
    service.fault = one_page_is_empty;
    service.faults = 0;
    assert_polls(d, 3, "");
    assert_int_equal(service.faults, 1);
    assert_int_equal(d->errors, 1);
    avito_client_close(&d->client);
}

/* Short pages, and no Date: the passes that look for chats that moved up read no chat again. */
static void test_short_pages_without_dates(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    d->dates = false;
    assert_polls(d, 3, "");
    service.page = 3;
    service.fault = count_requests;
    write_eight(1);
    service.faults = 0;
    assert_string_equal(poll_of(d), "n5 n6 n7 n3 n4 n1 n2 n0 ");
    assert_in_range(service.faults, 8 + 4, 8 + 2 * 4 + 4);
    assert_polls(d, 3, "");
    avito_client_close(&d->client);
}

static void only_the_first_page_of_a(struct service *s, const char *request)
{
    if (strstr(request, "/chats/a/messages") != NULL) {
        only_the_first_page(s, request);
    }
}

/* The record of a chat does not hide what could not be read of it. */
static void test_empty_page_of_a_known_chat(void **state)
{
    static const char first[] = "a3 b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 ba bb bc bd be bf bg bh bi ";
    struct device *d = device_with_records(40);
    (void)state;
    write_message("a", "a1", 1);
    assert_within(d, 2, "a1 ");
    assert_polls(d, 2, "");
    write_messages("a", "a2 a3 ", 130, 1);
    write_messages("a", first + 3, 132, 0);
    service.fault = only_the_first_page_of_a;
    assert_within(d, 2, first);
    assert_polls(d, 3, "");
    service.fault = NULL;
    assert_within(d, 3, "a2 ");
    assert_polls(d, 40, "");
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- memory, and how much of it */

/* More than a hundred messages wait in an arena of 64 KB, also when all come in one answer. */
static void give_130_messages(unsigned page)
{
    static char room[65536];
    struct device *d = device_with_records(40);
    unsigned given = 0;
    d->arena = avito_arena_of(room, sizeof room);
    service.page = page;
    for (unsigned i = 0; i < 130; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "m%u", i);
        write_message("a", id, 1 + i / 10);
    }
    for (unsigned i = 0; i < 2000 && given < 130; i++) {
        avito_message m;
        const int rc = avito_inbox_next(&d->inbox, &m);
        char id[8];
        if (rc == AVITO_OK) {
            (void)snprintf(id, sizeof id, "m%u", given);
            assert_true(avito_str_equal(m.id, id));
            assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
            given++;
        }
        assert_true(rc == AVITO_OK || rc == AVITO_AGAIN);
        clock_advance(&d->clock,
                      d->client.priv.call == NULL ? avito_inbox_deadline_ms(&d->inbox) : 0);
    }
    assert_int_equal(given, 130);
    avito_client_close(&d->client);
}

static void test_large_arena(void **state)
{
    (void)state;
    give_130_messages(0);
    give_130_messages(130);
}

/* Memory for records that is too small to be aligned counts as none. */
static void test_room_for_no_record(void **state)
{
    static char records[16];
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    d->options.chats = records + (((uintptr_t)records & 1u) == 0 ? 1 : 0);
    d->options.chats_cap = 2;
    device_start(d);
    write_message("a", "a1", 1);
    assert_string_equal(poll_of(d), "a1 ");
    assert_polls(d, 3, "");
    avito_client_close(&d->client);
}

/* With AVITO_TINY records are a part: without it the same messages come, and a chat that is refused does
 * not stand in the way. */
static void test_without_records(void **state)
{
    struct device *d = dated_device(20, AVITO_START_SINCE, 100);
    (void)state;
    d->inbox.o.records = NULL;
    write_message("a", "a1", 1);
    write_message("b", "b1", 2);
    service.fault = refuse_a;
    assert_within(d, 8, "b1 ");
    assert_polls(d, 40, "");
    write_message("c", "c1", 800);
    assert_within(d, 8, "c1 ");
    service.fault = NULL;
    assert_within(d, 8, "a1 ");
    assert_polls(d, 5, ""); /* of the first rows, once all was looked at */
    write_message("b", "b2", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "b2 ");
    avito_client_close(&d->client);
}

/* Another lane fills the inbox's arena, which the program should not do: nothing is lost. */
static void test_arena_that_another_lane_fills(void **state)
{
    struct device *d = device_with_records(20);
    avito_message m;
    (void)state;
    write_messages("a", "a1 a2 ", 1, 1);
    clock_advance(&d->clock, POLL);
    while (avito_inbox_next(&d->inbox, &m) == AVITO_AGAIN) {
    }
    assert_true(avito_str_equal(m.id, "a1"));
    assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
    d->arena.busy = true;
    assert_int_equal(avito_inbox_next(&d->inbox, &m), AVITO_ERR_BUSY);
    d->arena.busy = false;
    assert_within(d, 2, "a2 ");
    assert_polls(d, 3, "");
    avito_client_close(&d->client);
}

/* A call may end between two chats of the queue: what lay in the arena then is found again. */
static void test_arena_used_between_two_chats(void **state)
{
    static char names[64][4];
    (void)state;
    for (unsigned chats = 50; chats < 64; chats++) {
        struct device *d = device_of(40, AVITO_START_SINCE);
        static char room[16384];
        unsigned given = 0;
        d->arena = avito_arena_of(room, sizeof room);
        for (uint32_t i = 0; i < chats; i++) {
            (void)snprintf(names[i], sizeof names[i], "c%u", i % 100u);
            write_message(names[i], names[i], 1 + i);
        }
        for (unsigned i = 0; i < 4000 && given < chats; i++) {
            avito_message m;
            const int rc = avito_inbox_next(&d->inbox, &m);
            if (rc == AVITO_OK) {
                assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
                given++;
            } else if (!d->arena.busy) {
                assert_int_equal(rc, AVITO_AGAIN);
                avito_arena_reset(&d->arena);
            }
            clock_advance(&d->clock,
                          d->client.priv.call == NULL ? avito_inbox_deadline_ms(&d->inbox) : 0);
        }
        assert_true(given >= chats);
        avito_client_close(&d->client);
    }
}

/* ---------------------------------------------------------------- saving, marking and time */

/* The horizon moves in a round without messages. If it cannot be saved then, that is reported. */
static void test_horizon_that_is_not_saved(void **state)
{
    struct device *d = device_with_records(20);
    unsigned char before[sizeof d->slots];
    (void)state;
    write_message("a", "a1", 1);
    assert_within(d, 2, "a1 ");
    d->save_result = -7;
    for (unsigned polls = 100; polls > 0 && d->errors == 0; polls--) {
        assert_string_equal(poll_of(d), "");
    }
    assert_int_equal(avito_last_error(&d->client)->detail, -7);
    d->save_result = AVITO_OK;
    memcpy(before, d->slots, sizeof before);
    assert_polls(d, 10, "");
    assert_memory_not_equal(before, d->slots, sizeof before); /* it is saved by a later round */
    write_message("a", "a2", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "a2 ");
    avito_client_close(&d->client);
    device_start(d);
    assert_polls(d, 40, "");
    avito_client_close(&d->client);
}

static void no_save_from_the_first_round_on(struct service *s, const char *request)
{
    (void)s;
    if (strstr(request, "unread_only=true") != NULL) {
        belled->save_result = -7;
    }
}

/* The first round of START_UNREAD ends without new messages. If that cannot be saved, it is reported. */
static void test_first_round_that_is_not_saved(void **state)
{
    struct device *d = belled = dated_device(20, AVITO_START_UNREAD, 100);
    (void)state;
    service.fault = no_save_from_the_first_round_on;
    assert_polls(d, 3, "");
    assert_true(d->errors > 0);
    service.fault = NULL;
    d->save_result = AVITO_OK;
    write_message("b", "b1", 150);
    assert_within(d, 2, "b1 ");
    assert_polls(d, 3, "");
    avito_client_close(&d->client);
}

/* A start that cannot be saved does not count. The next one still knows which messages were there. */
static void test_starts_that_are_not_saved(void **state)
{
    static const avito_inbox_start starts[] = {AVITO_START_NOW, AVITO_START_SINCE};
    (void)state;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct device *d = dated_device(20, starts[i], 100);
        d->save_result = -7;
        if (starts[i] == AVITO_START_NOW) {
            write_eight(1);
        }
        assert_polls(d, 5, "");
        assert_true(d->errors >= 3);
        d->save_result = AVITO_OK;
        assert_polls(d, 3, "");
        write_message("c3", "new", 200);
        assert_within(d, 2, "new ");
        assert_polls(d, 40, "");
        avito_client_close(&d->client);
    }
}

/* What comes after the start is given, though the start could not be saved at first. */
static void test_start_that_is_saved_later(void **state)
{
    struct device *d = dated_device(20, AVITO_START_NOW, 100);
    (void)state;
    write_eight(1);
    d->save_result = -7;
    assert_polls(d, 1, "");
    assert_true(d->errors > 0);
    d->save_result = AVITO_OK;
    write_message("c3", "new", 110);
    assert_within(d, 3, "new ");
    assert_polls(d, 40, "");
    avito_client_close(&d->client);
}

/* The first round of START_UNREAD ends after twenty minutes, though a chat is still refused. */
static void test_first_round_beside_a_refused_chat(void **state)
{
    struct device *d = device_of(20, AVITO_START_UNREAD);
    const int64_t begin = d->clock.unix_s;
    (void)state;
    write_message("a", "a1", 1);
    write_message("b", "b1", 2);
    service.fault = refuse_a;
    assert_within(d, 8, "b1 ");
    for (unsigned polls = 400; polls > 0 && (d->events & AVITO_INBOX_UNREACHABLE) == 0; polls--) {
        assert_string_equal(poll_of(d), "");
    }
    assert_int_equal(d->events, AVITO_INBOX_UNREACHABLE);
    assert_in_range(d->clock.unix_s - begin, 1200, 1700);
    write_message("b", "b2", 500);
    assert_within(d, 8, "b2 ");
    avito_client_close(&d->client);
}

/* What is skipped is saved, too: till it is, the error comes again. */
static void test_skipped_but_not_saved(void **state)
{
    struct device *d = device_with_records(20);
    avito_message m;
    int rc;
    (void)state;
    assert_polls(d, 1, "");
    write_messages("a", "a1 a2 ", 1, 1);
    service.fault = break_a1;
    clock_advance(&d->clock, POLL);
    d->save_result = -7;
    while ((rc = avito_inbox_next(&d->inbox, &m)) == AVITO_AGAIN) {
    }
    assert_int_equal(rc, AVITO_ERR_MODEL);
    assert_int_equal(avito_inbox_next(&d->inbox, &m), AVITO_ERR_HOOK);
    assert_string_equal(avito_last_error(&d->client)->text,
                        ""); /* the field that broke is the row's */
    assert_int_equal(avito_inbox_next(&d->inbox, &m), AVITO_ERR_HOOK);
    d->save_result = AVITO_OK;
    assert_string_equal(device_round(d), "a2 ");
    assert_polls(d, 3, "");
    avito_client_close(&d->client);
}

/* A mark whose answer takes its time, and one that the program cancels. */
static void test_mark_in_pieces(void **state)
{
    (void)state;
    for (unsigned cancels = 0; cancels < 2; cancels++) {
        struct device *d = device_with_records(20);
        unsigned left = cancels;
        d->inbox.o.mark_as_read = true;
        d->piece = 7;
        write_messages("a", "a1 a2 ", 1, 1);
        for (unsigned i = 0; i < 20000 && !service.rows[1].read; i++) {
            avito_message m;
            const int rc = avito_inbox_next(&d->inbox, &m);
            if (rc == AVITO_OK) {
                assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
            }
            if (service.marks == 0 && left > 0 && d->inbox.priv.phase == 7 && d->inbox.priv.open) {
                avito_cancel(&d->client);
                left--;
            }
            clock_advance(&d->clock,
                          d->client.priv.call == NULL ? avito_inbox_deadline_ms(&d->inbox) : 0);
        }
        assert_true(service.rows[0].read && service.rows[1].read);
        assert_polls(d, 5, "");
        assert_int_equal(service.marks, 1 + cancels - left);
        avito_client_close(&d->client);
    }
}

static void slow_service(struct service *s, const char *request)
{
    (void)s, (void)request;
    clock_advance(&belled->clock, belled->client.o.total_timeout_ms * 6 / 10);
}

/* A call of the inbox may take about as long as one of the lane, however much there is to do. */
static void test_calls_end_in_time(void **state)
{
    struct device *d = belled = device_with_records(20);
    avito_message m;
    (void)state;
    write_eight(1);
    service.fault = slow_service;
    clock_advance(&d->clock, POLL);
    for (unsigned given = 0, calls = 0; given < 8; calls++) {
        const uint32_t began = d->clock.ms;
        const int rc = avito_inbox_next(&d->inbox, &m);
        assert_in_range(d->clock.ms - began, 0, d->client.o.total_timeout_ms * 2);
        assert_true(rc == AVITO_OK || rc == AVITO_AGAIN);
        given += rc == AVITO_OK && avito_inbox_accept(&d->inbox) == AVITO_OK;
        assert_true(calls < 100);
    }
    avito_client_close(&d->client);
}

/* ---------------------------------------------------------------- late looks, and what is refused */

static void z_takes_its_time(struct service *s, const char *request)
{
    if (s->faults == 0 && strstr(request, "/chats/z/messages") != NULL) {
        s->faults++;
        belled->clock.unix_s += 250;
    }
}

/* A chat counts as looked at when its messages were read, not when the list named it: its time was ahead of the
 * service's then, and is not any more. So its late look comes when nothing in it can be late. */
static void test_late_look_counts_from_the_read(void **state)
{
    struct device *d = belled = device_with_records(20);
    uint32_t scan, moved;
    (void)state;
    assert_polls(d, 3, "");
    scan = (uint32_t)(d->clock.unix_s - T) + 15;
    moved = scan + 200;
    write_message("z", "z1", scan - 10);
    write_message("a", "a2", moved);
    service.fault = z_takes_its_time;
    assert_string_equal(poll_of(d), "z1 a2 ");
    while (d->clock.unix_s - T < scan + 450) {
        assert_polls(d, 1, "");
    }
    write_before(1, "a", "a1", moved - 5);
    assert_within(d, 8, "a1 ");
    assert_polls(d, 5, "");
    avito_client_close(&d->client);
}

static void count_looks_at_a(struct service *s, const char *request)
{
    s->faults += strstr(request, "/chats/a/messages") != NULL ? 1u : 0u;
}

/* The longest overlap there is ends after all others, and not before. */
static void test_late_look_of_the_longest_overlap(void **state)
{
    static char records[AVITO_INBOX_CHATS_SIZE(32)];
    unsigned looks[2];
    (void)state;
    for (unsigned longest = 0; longest < 2; longest++) {
        struct device *d = dated_device(20, AVITO_START_SINCE, 100);
        d->options.overlap_s = longest != 0 ? UINT32_MAX : 86400;
        remember_chats(d, records, sizeof records);
        service.fault = count_looks_at_a;
        write_message("a", "a1", 90);
        assert_within(d, 3, "a1 ");
        assert_polls(d, 10, "");
        looks[longest] = service.faults;
        avito_client_close(&d->client);
    }
    assert_int_equal(looks[1], looks[0]);
}

/* After a burst the late looks are spread: at most 20 in a poll, and the others wait. */
static void test_late_looks_are_spread(void **state)
{
    static const uint32_t sweeps[] = {0, 1}; /* with 1 ms every round is a whole one */
    static char names[25][4];
    (void)state;
    for (size_t s = 0; s < sizeof sweeps / sizeof sweeps[0]; s++) {
        struct device *d = device_with_records(40);
        unsigned most = 0, all = 0;
        d->inbox.o.sweep_ms = sweeps[s] != 0 ? sweeps[s] : d->inbox.o.sweep_ms;
        assert_polls(d, 3, "");
        for (unsigned i = 0; i < 25; i++) {
            (void)snprintf(names[i], sizeof names[i], "c%u", i % 100u);
            write_message(names[i], names[i], (uint32_t)(d->clock.unix_s - T));
        }
        (void)poll_of(d);
        service.fault = count_requests;
        for (unsigned polls = 0; polls < 30; polls++) {
            service.faults = 0;
            assert_polls(d, 1, "");
            all += service.faults - 1;
            most = service.faults > most ? service.faults : most;
        }
        assert_in_range(most, 20, 22);
        assert_in_range(all, 25, 60);
        avito_client_close(&d->client);
    }
}

static void refuse_z(struct service *s, const char *request)
{
    if (strstr(request, "/chats/z/messages") != NULL) {
        s->status = 404;
        s->faults++;
    }
}

/* While a chat is refused an overrun does not let the horizon pass what it may hold. */
static void test_overrun_beside_a_refused_chat(void **state)
{
    struct device *d = device_with_records(4);
    (void)state;
    write_message("z", "z1", 50);
    service.fault = refuse_z;
    for (unsigned polls = 6; polls > 0; polls--) {
        (void)poll_of(d);
    }
    assert_true(service.faults >= 2);
    write_messages("b", "b1 b2 b3 b4 b5 b6 b7 b8 ", 190, 1);
    for (unsigned polls = 6; polls > 0; polls--) {
        (void)poll_of(d);
    }
    assert_true((d->events & AVITO_INBOX_OVERRUN) != 0);
    service.fault = NULL;
    for (unsigned polls = 60; polls > 0 && strstr(poll_of(d), "z1 ") == NULL; polls--) {
    }
    assert_non_null(strstr(d->given, "z1 "));
    avito_client_close(&d->client);
}

/* A state with another beginning, another check or another account than it was saved with is none: the
 * inbox says so and begins again, and nothing of what was there counts. */
static void test_damaged_states_are_none(void **state)
{
    static const size_t damaged_at[] = {0, 8,
                                        24}; /* struct avitoi_inbox_state: magic, check, account */
    (void)state;
    for (size_t i = 0; i < sizeof damaged_at / sizeof damaged_at[0]; i++) {
        struct device *d = device_of(20, AVITO_START_SINCE);
        write_message("a", "a1", 1);
        assert_string_equal(poll_of(d), "a1 ");
        assert_polls(d, 3, "");
        avito_client_close(&d->client);
        d->slots[0][damaged_at[i]] ^= 1;
        d->slots[1][damaged_at[i]] ^= 1;
        device_start(d);
        assert_string_equal(poll_of(d), "a1 ");
        assert_polls(d, 3, "");
        assert_int_equal(d->errors, 0);
        assert_int_equal(d->events, AVITO_INBOX_STATE_LOST);
        avito_client_close(&d->client);
    }
}

/* ---------------------------------------------------------------- rare ways through a round */

static void b_has_no_newest_time(struct service *s, const char *request)
{
    (void)request;
    if (strstr(s->body, "\"chats\"") != NULL) {
        replace(s, "\"updated\":1754890115", "\"updated\":      null");
    }
}

/* AVITO_START_NOW: a chat without a time may be the newest one. What it holds is known where a Date tells
 * up to when; otherwise it comes. */
static void test_start_beside_a_chat_without_time(void **state)
{
    (void)state;
    for (unsigned dated = 0; dated < 2; dated++) {
        struct device *d = device_of(20, AVITO_START_NOW);
        d->dates = dated == 1;
        d->clock.unix_s = T + 100;
        write_message("a", "a1", 1);
        write_message("b", "b1", 2);
        service.fault = b_has_no_time;
        assert_within(d, 3, d->dates ? "" : "b1 ");
        assert_polls(d, 5, "");
        write_message("a", "a2", (uint32_t)(d->clock.unix_s - T));
        assert_within(d, 2, "a2 ");
        avito_client_close(&d->client);
    }
}

/* What such a chat holds from the second of the start on is new: more may come in that second. */
static void test_start_second_in_a_chat_without_time(void **state)
{
    struct device *d = dated_device(20, AVITO_START_NOW, 100);
    (void)state;
    write_message("a", "a1", 1);
    write_message("b", "b1", 100 + POLL / 1000 - 1);
    write_message("b", "b2", 100 + POLL / 1000);
    service.fault = b_has_no_newest_time;
    assert_within(d, 3, "b2 ");
    assert_polls(d, 5, "");
    avito_client_close(&d->client);
}

/* What is there at the start is known, also if its time is not believed. */
static void test_start_beside_times_ahead(void **state)
{
    struct device *d = dated_device(20, AVITO_START_NOW, 100);
    (void)state;
    write_messages("a", "a1 a2 ", 1, 1);
    service.fault = years_ahead;
    assert_polls(d, 5, "");
    write_message("b", "b1", 200);
    assert_within(d, 2, "b1 ");
    assert_polls(d, 40, "");
    avito_client_close(&d->client);
}

/* The first round of START_UNREAD: from an overlap below a message that was read, nothing unread is
 * expected, and a chat is left there. */
static void test_first_round_ends_below_what_was_read(void **state)
{
    struct device *d = dated_device(20, AVITO_START_UNREAD, 1100);
    (void)state;
    write_message("a", "a1", 1);
    write_message("b", "b1", 10);
    write_message("a", "a2", 150);
    write_message("c", "c1", 350);
    write_message("a", "a3", 400);
    write_message("c", "c2", 600);
    write_message("b", "b2", 700);
    write_message("c", "c3", 750);
    write_message("a", "a4", 1000);
    service.rows[4].read = true;         /* a3 */
    service.rows[5].read = true;         /* c2: below c3 it does not count any more */
    service.rows[7].read = true;         /* c3 */
    assert_within(d, 2, "b1 b2 a2 a4 "); /* in b nothing was read */
    assert_polls(d, 5, "");
    assert_int_equal(d->errors + d->events, 0);
    avito_client_close(&d->client);
}

/* From the first list of messages on answers say what time it is; chat a seems to be years ahead. */
static void dates_begin(struct service *s, const char *request)
{
    belled->dates = belled->dates || strstr(request, "/messages/") != NULL;
    replace(s, "\"updated\":1754890006", "\"updated\":2754890006");
}

/* The newest time that was seen turns out to be years ahead: an overrun does not move the horizon by it. */
static void test_overrun_before_the_first_date(void **state)
{
    struct device *d = belled = device_of(2, AVITO_START_SINCE);
    (void)state;
    d->clock.unix_s = T + 100;
    write_message("b", "b1", 1);
    write_message("c", "c1", 2);
    write_messages("a", "a1 a2 a3 a4 ", 3, 1);
    service.fault = dates_begin;
    assert_string_equal(poll_of(d), "b1 c1 a1 a2 a3 a4 ");
    assert_int_equal(d->events & AVITO_INBOX_OVERRUN, AVITO_INBOX_OVERRUN);
    assert_int_equal(horizon_of(d), T);
    service.fault = NULL;
    write_message("a", "a5", 200);
    for (unsigned polls = 25; polls > 0 && strstr(poll_of(d), "a5 ") == NULL; polls--) {
    }
    assert_non_null(strstr(d->given, "a5 "));
    avito_client_close(&d->client);
}

/* Where nothing can be late any more, an overrun in a round of several pieces moves the horizon up to what
 * the ring remembers. */
static void test_overrun_of_what_is_settled(void **state)
{
    struct device *d = dated_device(2, AVITO_START_SINCE, 5000);
    (void)state;
    d->arena.cap = 640; /* three chats are queued at a time */
    write_messages("a", "a1 ", 901, 0);
    write_messages("b", "b1 ", 902, 0);
    write_messages("c", "c1 ", 903, 0);
    write_messages("d", "d1 ", 904, 0);
    for (unsigned polls = 50; polls > 0 && horizon_of(d) <= T; polls--) {
        (void)poll_of(d);
    }
    assert_in_range(horizon_of(d), T + 902, T + 905);
    assert_int_equal(d->events, AVITO_INBOX_OVERRUN);
    (void)poll_of(d);
    assert_polls(d, 40, "");
    write_message("a", "a2", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "a2 ");
    avito_client_close(&d->client);
}

/* A row that was dropped is to be read alone, and the program uses the arena before that: the chat is
 * read again. */
static void test_arena_used_before_a_row_is_read_alone(void **state)
{
    struct device *d = device_with_records(20);
    unsigned given = 0, uses = 0;
    (void)state;
    service.page = 1; /* a list that cannot be gone on with ends the call */
    write_messages("a", "a1 a2 ", 100000, 1);
    for (unsigned i = 0; i < 400; i++) {
        avito_message m;
        const int rc = avito_inbox_next(&d->inbox, &m);
        const unsigned events = avito_inbox_events(&d->inbox);
        if (rc == AVITO_OK) {
            assert_string_equal(m.id.ptr, "a2");
            assert_int_equal(avito_inbox_accept(&d->inbox), AVITO_OK);
            given++;
        } else if (uses == 0 && (events & AVITO_INBOX_UNREACHABLE) != 0) {
            fill_arena(&d->arena, 400);
            uses++;
        }
        clock_advance(&d->clock,
                      d->client.priv.call == NULL ? avito_inbox_deadline_ms(&d->inbox) : 0);
    }
    assert_int_equal(given, 1);
    assert_int_equal(uses, 1);
    avito_client_close(&d->client);
}

/* The first mark, and then the looks that come before the second one. */
static void mark_and_looks_fail(struct service *s, const char *request)
{
    const bool marks = strncmp(request, "POST", 4) == 0;
    if (s->faults < 3 &&
        (marks ? s->faults == 0 : s->faults > 0 && strstr(request, "/messages/") != NULL)) {
        s->status = 503;
        s->faults++;
    }
}

/* The chat is left out before its mark was retried: a later round makes up for it. */
static void test_chat_left_out_before_the_second_mark(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    d->inbox.o.mark_as_read = true;
    d->inbox.o.unread_only = true;
    write_message("a", "a1", 1);
    service.fault = mark_and_looks_fail;
    assert_string_equal(poll_of(d), "a1 ");
    assert_polls(d, 6, "");
    assert_int_equal(service.faults, 3);
    assert_int_equal(service.marks, 2);
    assert_true(service.rows[0].read);
    avito_client_close(&d->client);
}

static void a_names_its_last_message(struct service *s, const char *request)
{
    const struct row *last = &s->rows[s->count - 1];
    s->faults++;
    if (strstr(request, "/messages/") == NULL) {
        s->body[0] = '\0';
        add(s,
            "{\"chats\":[{\"id\":\"a\",\"updated\":%u,\"last_message\":{\"id\":\"%s\",\"created\":%"
            "u}}]}",
            T + last->created, last->id, T + last->created);
    }
}

/* A message within the second of the one before: the chat's row says no other time, but names another
 * message. */
static void test_row_that_names_another_message(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    write_message("a", "a1", 1);
    service.fault = a_names_its_last_message;
    assert_within(d, 2, "a1 ");
    assert_polls(d, 2, "");
    service.faults = 0;
    assert_polls(d, 3, "");
    assert_int_equal(service.faults, 3); /* the chat is not read */
    write_message("a", "a2", 1);
    assert_string_equal(poll_of(d), "a2 ");
    assert_polls(d, 40, "");
    avito_client_close(&d->client);
}

/* The first list of messages is asked for: now six chats have another message. */
static void six_move_up(struct service *s, const char *request)
{
    if (s->faults == 0 && strstr(request, "/messages/") != NULL) {
        s->faults++;
        for (uint32_t i = 0; i < 6; i++) {
            write_message(eight[i], eight[i], 50 + i);
            s->rows[s->count - 1].id[0] = 'x';
        }
    }
}

/* Chats move up past a page, or past the end of the queue, while others are read: each message comes once. */
static void test_chats_that_move_up_meanwhile(void **state)
{
    static const struct {
        unsigned page;
        size_t cap;
        bool records;
    } lists[] = {{3, 4096, false}, {3, 4096, true}, {0, 640, false}, {0, 640, true}};
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct device *d =
            lists[i].records ? device_with_records(20) : device_of(20, AVITO_START_SINCE);
        char given[sizeof d->given] = "";
        d->arena.cap = lists[i].cap;
        service.page = lists[i].page;
        write_eight(1);
        service.fault = six_move_up;
        for (unsigned polls = 3; polls > 0; polls--) {
            strcat(given, poll_of(d));
        }
        assert_int_equal(strlen(given), (8 + 6) * strlen("n0 "));
        for (unsigned row = 0; row < service.count; row++) {
            assert_non_null(strstr(given, service.rows[row].id));
        }
        assert_polls(d, 40, "");
        avito_client_close(&d->client);
    }
}

static void a_is_broken(struct service *s, const char *request)
{
    s->status = strstr(request, "/chats/a/messages") != NULL ? 500 : s->status;
}

/* For as long as one chat fails, and the ring knows all that was given, the horizon stays. */
static void test_failing_for_an_hour(void **state)
{
    struct device *d = device_of(20, AVITO_START_SINCE);
    (void)state;
    d->dates = true;
    write_message("a", "a1", 1);
    write_message("b", "b1", 2);
    service.fault = a_is_broken;
    assert_within(d, 8, "b1 ");
    assert_polls(d, 240, "");
    assert_int_equal(d->events, 0);
    assert_int_equal(horizon_of(d), T);
    service.fault = NULL;
    assert_within(d, 3, "a1 ");
    assert_polls(d, 40, "");
    avito_client_close(&d->client);
}

static void bell_rings_with_the_first_list(struct service *s, const char *request)
{
    if (strstr(request, "/messages/") == NULL && ++s->faults == 1) {
        avito_inbox_doorbell(&belled->inbox);
    }
}

/* More messages in one second than the ring holds come again, as many as it holds in a round. Such rounds are
 * far apart, but a bell that rings in one is heard: the next one follows at once. */
static void test_bell_while_all_comes_again(void **state)
{
    struct device *d = belled = dated_device(2, AVITO_START_SINCE, 100);
    (void)state;
    write_messages("a", "a1 a2 a3 a4 ", 99, 0);
    assert_string_equal(poll_of(d), "a1 a2 a3 a4 ");
    service.fault = bell_rings_with_the_first_list;
    assert_string_equal(poll_of(d), "a1 a2 a3 a4 ");
    assert_int_equal(service.faults, 2);
    assert_polls(d, 10, "");
    avito_client_close(&d->client);
}

static void z_is_gone_and_the_bell_rings(struct service *s, const char *request)
{
    refuse_z(s, request);
    if (s->rows[s->count - 1].created != 150 && s->faults > 0) {
        write_message("b", "b9", 150);
        avito_inbox_doorbell(&belled->inbox);
    }
}

/* The same while a chat that fails holds the horizon. */
static void test_bell_while_all_comes_again_and_a_chat_fails(void **state)
{
    struct device *d = belled = device_of(2, AVITO_START_SINCE);
    (void)state;
    write_message("z", "z1", 50);
    write_messages("a", "a1 a2 a3 a4 ", 99, 0);
    service.fault = z_is_gone_and_the_bell_rings;
    assert_within(d, 4, "a1 a2 a3 a4 ");
    assert_string_equal(device_round(d), ""); /* a round has begun, and pauses: z is gone */
    for (unsigned polls = 2; polls > 0 && strstr(poll_of(d), "b9 ") == NULL; polls--) {
    }
    assert_non_null(strstr(d->given, "b9 "));
    avito_client_close(&d->client);
}

/* Answers no longer have a Date: no record is believed then, and new messages come as before. */
static void test_dates_that_end(void **state)
{
    struct device *d = device_with_records(20);
    (void)state;
    write_message("a", "a1", 1);
    assert_within(d, 2, "a1 ");
    assert_polls(d, 2, "");
    d->dates = false;
    service.fault = count_requests;
    assert_polls(d, 2, "");
    service.faults = 0;
    assert_polls(d, 3, "");
    assert_int_equal(service.faults, 3 * 2); /* the list, and the chat */
    write_message("a", "a2", 150);
    assert_string_equal(poll_of(d), "a2 ");
    assert_polls(d, 5, "");
    avito_client_close(&d->client);
}

/* There is room for the records of two chats, and four move: all that is new comes once. */
static void test_more_chats_than_records(void **state)
{
    static char records[AVITO_INBOX_CHATS_SIZE(2)];
    struct device *d = dated_device(40, AVITO_START_SINCE, 100);
    (void)state;
    remember_chats(d, records, sizeof records);
    for (uint32_t i = 0; i < 4; i++) {
        write_message(eight[i], eight[i], 1 + i);
    }
    assert_string_equal(poll_of(d), "c0 c1 c2 c3 ");
    assert_polls(d, 5, "");
    write_message("c0", "d0", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "d0 ");
    assert_polls(d, 40, "");
    write_message("c3", "d3", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "d3 ");
    assert_int_equal(d->errors + d->events, 0);
    avito_client_close(&d->client);
}

/* The first list has no Date, and a time years ahead. */
static void dates_begin_after_a_list(struct service *s, const char *request)
{
    (void)request;
    belled->dates = s->faults > 0;
    if (!belled->dates) {
        replace(s, "\"updated\":1754890001", "\"updated\":2754890001");
    }
}

/* A start years ahead, before it is known what time it is, would make the inbox deaf. */
static void test_start_before_the_first_date(void **state)
{
    struct device *d = belled = device_of(20, AVITO_START_NOW);
    (void)state;
    d->clock.unix_s = T + 100;
    write_message("a", "a1", 1);
    service.fault = dates_begin_after_a_list;
    assert_polls(d, 2, "");
    assert_int_equal(service.faults, 1);
    assert_in_range(horizon_of(d), T, T + 100);
    write_message("a", "a2", (uint32_t)(d->clock.unix_s - T));
    assert_within(d, 2, "a2 ");
    assert_int_equal(d->errors + d->events, 0);
    avito_client_close(&d->client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_chat),
        cmocka_unit_test(test_failing_after_the_mark),
        cmocka_unit_test(test_mark_that_fails),
        cmocka_unit_test(test_marked_after_a_restart),
        cmocka_unit_test(test_marked_after_an_offer),
        cmocka_unit_test(test_marked_after_an_offer_in_a_pause),
        cmocka_unit_test(test_marked_beside_a_chat_that_refuses),
        cmocka_unit_test(test_marked_when_the_list_is_late),
        cmocka_unit_test(test_offer_in_a_pause_that_is_not_accepted),
        cmocka_unit_test(test_marks_only_if_asked),
        cmocka_unit_test(test_known_is_not_marked),
        cmocka_unit_test(test_look_and_mark_that_fail),
        cmocka_unit_test(test_quiet_account),
        cmocka_unit_test(test_requests_of_chats_that_moved),
        cmocka_unit_test(test_marks_while_a_chat_fails),
        cmocka_unit_test(test_broken_start),
        cmocka_unit_test(test_first_row_breaks_the_model),
        cmocka_unit_test(test_bell_during_a_round),
        cmocka_unit_test(test_bell_while_a_round_pauses),
        cmocka_unit_test(test_requests_of_a_long_chat),
        cmocka_unit_test(test_load_that_fails),
        cmocka_unit_test(test_slot_that_goes_away),
        cmocka_unit_test(test_save_that_fails),
        cmocka_unit_test(test_failing_again),
        cmocka_unit_test(test_failing_for_too_long),
        cmocka_unit_test(test_storm_with_a_small_ring),
        cmocka_unit_test(test_slid_page),
        cmocka_unit_test(test_page_slid_below_what_was_read),
        cmocka_unit_test(test_slid_messages),
        cmocka_unit_test(test_first_round_looks_twice),
        cmocka_unit_test(test_empty_page),
        cmocka_unit_test(test_empty_fetch),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_changed_digit),
        cmocka_unit_test(test_changed_year),
        cmocka_unit_test(test_start_with_a_changed_digit),
        cmocka_unit_test(test_message_larger_than_the_arena),
        cmocka_unit_test(test_horizon_after_an_overflow),
        cmocka_unit_test(test_horizon_by_whole_rounds),
        cmocka_unit_test(test_horizon_by_two_dates),
        cmocka_unit_test(test_horizon_ahead_goes_back),
        cmocka_unit_test(test_a_minute_of_milliseconds),
        cmocka_unit_test(test_odd_time_beside_a_changed_digit),
        cmocka_unit_test(test_offers_ahead),
        cmocka_unit_test(test_chat_that_stays_on_top),
        cmocka_unit_test(test_oldest_chat_first),
        cmocka_unit_test(test_queue_of_one_chat),
        cmocka_unit_test(test_one_chat_that_moves_up),
        cmocka_unit_test(test_the_longest_times),
        cmocka_unit_test(test_oldest_chat_first_and_a_small_arena),
        cmocka_unit_test(test_own_list_beside_the_inbox),
        cmocka_unit_test(test_rows_without_time_or_id),
        cmocka_unit_test(test_message_without_a_time),
        cmocka_unit_test(test_offer_of_another_account),
        cmocka_unit_test(test_chat_of_the_service),
        cmocka_unit_test(test_offer_before_the_start),
        cmocka_unit_test(test_a_chat_whose_hash_ends_in_zeros),
        cmocka_unit_test(test_an_id_whose_hash_ends_in_zeros),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_waiting_lane_and_an_endless_supply),
        cmocka_unit_test(test_turn_at_any_step),
        cmocka_unit_test(test_lane_that_is_busy),
        cmocka_unit_test(test_lane_that_is_taken_away),
        cmocka_unit_test(test_chat_that_empties),
        cmocka_unit_test(test_order_of_pages),
        cmocka_unit_test(test_times_ahead_are_said),
        cmocka_unit_test(test_time_ahead_in_a_chat_that_rests),
        cmocka_unit_test(test_more_times_ahead_than_the_ring_holds),
        cmocka_unit_test(test_time_ahead_in_a_full_ring),
        cmocka_unit_test(test_old_message_with_a_changed_digit),
        cmocka_unit_test(test_calls_from_hooks),
        cmocka_unit_test(test_arena_used_in_between),
        cmocka_unit_test(test_inbox_that_did_not_begin),
        cmocka_unit_test(test_chat_with_a_long_id),
        cmocka_unit_test(test_bad_message),
        cmocka_unit_test(test_overrun_is_not_marked),
        cmocka_unit_test(test_overrun_within_a_second),
        cmocka_unit_test(test_bell_after_an_overrun),
        cmocka_unit_test(test_overrun_is_said_after_a_restart),
        cmocka_unit_test(test_overrun_beside_a_chat_that_slips_by),
        cmocka_unit_test(test_start_that_changes),
        cmocka_unit_test(test_oldest_chat_first_on_two_pages),
        cmocka_unit_test(test_rows_in_one_answer),
        cmocka_unit_test(test_rows_beyond_reach),
        cmocka_unit_test(test_slow_only_while_notifications_come),
        cmocka_unit_test(test_chats_that_break_the_model),
        cmocka_unit_test(test_chat_without_time_is_read_always),
        cmocka_unit_test(test_message_before_1970),
        cmocka_unit_test(test_the_last_dates),
        cmocka_unit_test(test_last_message_without_an_id),
        cmocka_unit_test(test_message_listed_twice),
        cmocka_unit_test(test_chat_whose_id_is_a_directory),
        cmocka_unit_test(test_pages_of_one_row),
        cmocka_unit_test(test_start_with_empty_pages),
        cmocka_unit_test(test_start_with_an_empty_page_again),
        cmocka_unit_test(test_short_pages_without_dates),
        cmocka_unit_test(test_empty_page_of_a_known_chat),
        cmocka_unit_test(test_large_arena),
        cmocka_unit_test(test_room_for_no_record),
        cmocka_unit_test(test_without_records),
        cmocka_unit_test(test_arena_that_another_lane_fills),
        cmocka_unit_test(test_arena_used_between_two_chats),
        cmocka_unit_test(test_horizon_that_is_not_saved),
        cmocka_unit_test(test_first_round_that_is_not_saved),
        cmocka_unit_test(test_starts_that_are_not_saved),
        cmocka_unit_test(test_start_that_is_saved_later),
        cmocka_unit_test(test_first_round_beside_a_refused_chat),
        cmocka_unit_test(test_skipped_but_not_saved),
        cmocka_unit_test(test_mark_in_pieces),
        cmocka_unit_test(test_calls_end_in_time),
        cmocka_unit_test(test_late_look_counts_from_the_read),
        cmocka_unit_test(test_late_look_of_the_longest_overlap),
        cmocka_unit_test(test_late_looks_are_spread),
        cmocka_unit_test(test_overrun_beside_a_refused_chat),
        cmocka_unit_test(test_damaged_states_are_none),
        cmocka_unit_test(test_start_beside_a_chat_without_time),
        cmocka_unit_test(test_start_second_in_a_chat_without_time),
        cmocka_unit_test(test_start_beside_times_ahead),
        cmocka_unit_test(test_first_round_ends_below_what_was_read),
        cmocka_unit_test(test_overrun_before_the_first_date),
        cmocka_unit_test(test_overrun_of_what_is_settled),
        cmocka_unit_test(test_arena_used_before_a_row_is_read_alone),
        cmocka_unit_test(test_chat_left_out_before_the_second_mark),
        cmocka_unit_test(test_row_that_names_another_message),
        cmocka_unit_test(test_chats_that_move_up_meanwhile),
        cmocka_unit_test(test_failing_for_an_hour),
        cmocka_unit_test(test_bell_while_all_comes_again),
        cmocka_unit_test(test_bell_while_all_comes_again_and_a_chat_fails),
        cmocka_unit_test(test_dates_that_end),
        cmocka_unit_test(test_more_chats_than_records),
        cmocka_unit_test(test_start_before_the_first_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
