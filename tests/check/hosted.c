/* The program that tests/check/hosted.py runs: one struct with everything, as users have it. The C
 * library's look-up is replaced by one whose answers and slowness come from the environment:
 *
 *     LOOK_UP=MS:ADDRESS[,MS:ADDRESS...]   one after the other, the last one again and again; "-": none
 *
 *     hosted open                 opens it and says what came of it
 *     hosted wait|step FOLDER N   gets self N times, waiting or in a loop of poll(); prints look-ups and
 *                                 the longest step in milliseconds
 *     hosted consent|fresh|reading FOLDER N   the same with .by_consent, .fresh_token, .folder_may_fail
 *     hosted once FOLDER CHAT KEY TEXT
 *     hosted told FOLDER CHAT KEY TEXT        the same, and what avito_store_last_send() has of it
 *     hosted picture FOLDER CHAT KEY FILE     once, a picture
 *     hosted gone                 closed while a name is being looked up
 *     hosted sign-in CA_FILE      signs in with these roots, and says who it is or what went wrong
 *     hosted inbox FOLDER         gives the next message that is new, holding the folder's inbox
 *     hosted hold FOLDER          takes the folder's inbox, says so, and holds it until its input ends */
#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#include "avito_messenger.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static avito_posix avito;
static atomic_int look_ups;

/* ---- the look-up ---- */

static struct {
    struct addrinfo info;
    struct sockaddr_in address;
} answer;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    const char *at = getenv("LOOK_UP");
    int turns = atomic_fetch_add(&look_ups, 1);
    char text[64];
    long ms;

    (void)host;
    (void)service;
    (void)hints;
    at = at != NULL ? at : "0:127.0.0.1";
    while (turns-- > 0 && strchr(at, ',') != NULL) {
        at = strchr(at, ',') + 1;
    }
    ms = strtol(at, NULL, 10);
    (void)poll(NULL, 0, (int)ms);
    (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(strchr(at, ':') + 1, ","),
                   strchr(at, ':') + 1);
    memset(&answer, 0, sizeof answer);
    answer.address.sin_family = AF_INET;
    if (inet_pton(AF_INET, text, &answer.address.sin_addr) != 1) {
        return EAI_AGAIN;
    }
    answer.info.ai_family = AF_INET;
    answer.info.ai_addr = (struct sockaddr *)(void *)&answer.address;
    answer.info.ai_addrlen = sizeof answer.address;
    *out = &answer.info;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

/* ---- what it does ---- */

static uint32_t longest;

static int timed(uint32_t began, int rc)
{
    const uint32_t took = avito_posix_clock_ms(NULL) - began;

    longest = took > longest ? took : longest;
    return rc;
}

static int get_self(avito_self *me)
{
    int rc = timed(avito_posix_clock_ms(NULL), avito_get_self(&avito.client, &avito.arena, me));

    while (rc == AVITO_AGAIN) {
        const uint32_t ms = avito_deadline_ms(&avito.client);
        const int wants = avito_wants(&avito.client);
        struct pollfd fd = {avito_tcp_fd(&avito.tcp), 0, 0};

        fd.events = (short)((wants & AVITO_WANT_READ ? POLLIN : 0) |
                            (wants & AVITO_WANT_WRITE ? POLLOUT : 0));
        (void)poll(&fd, 1, ms < 50 ? (int)ms : 50);
        rc = timed(avito_posix_clock_ms(NULL), avito_step(&avito.client));
    }
    return rc;
}

static int failed(int rc)
{
    printf("%s: %s\n", rc == AVITO_END ? "END" : avito_error_name(rc),
           avito_posix_strerror(&avito, rc));
    return 1;
}

static int selves(avito_posix_options *o, const char *how, const char *folder, int times)
{
    int rc;

    o->client.never_wait = strcmp(how, "step") == 0;
    o->by_consent = strcmp(how, "consent") == 0;
    o->fresh_token = strcmp(how, "fresh") == 0;
    o->folder_may_fail = strcmp(how, "reading") == 0;
    o->folder = folder[0] != '\0' ? folder : NULL;
    rc = timed(avito_posix_clock_ms(NULL), avito_posix_open(&avito, o));
    if (rc != AVITO_OK) {
        return failed(rc);
    }
    while (times-- > 0) {
        avito_self me;

        rc = get_self(&me);
        if (rc == AVITO_OK) {
            printf("account %lld\n", (long long)me.id);
        } else {
            (void)failed(rc);
        }
        avito_arena_reset(&avito.arena);
        avito_client_close(&avito.client); /* the next one connects again */
    }
    if (o->folder_may_fail && avito_store_errno(&avito.store) != 0) {
        printf("not kept: %s\n", avito_store_problem(&avito.store));
    }
    printf("look-ups %d, longest %u ms\n", atomic_load(&look_ups), (unsigned)longest);
    avito_posix_close(&avito);
    return 0;
}

static int send_picture(int64_t user_id, char **argv, avito_outcome *outcome)
{
    avito_uploaded_image uploaded;
    avito_image_file image;
    int rc = avito_image_from_file(&image, argv[5]);

    if (rc == AVITO_OK) {
        rc = avito_upload_image(&avito.client, user_id, &image.source, &avito.arena, &uploaded);
        avito_image_file_close(&image);
    }
    return rc == AVITO_OK
               ? avito_send_image_once(&avito.client, &avito.store, user_id, argv[3], argv[4],
                                       uploaded.image_id.ptr, &avito.arena, outcome)
               : rc;
}

static void tell(const avito_store_send *send)
{
    printf("key %s, chat %s, text %s, id %s, %s\n", send->key, send->chat_id, send->text,
           send->message_id, send->ended != 0 ? "settled" : "not settled");
}

static int once(avito_posix_options *o, char **argv)
{
    static const char *const outcomes[] = {"not sent", "sent", "cannot tell"};
    const bool picture = strcmp(argv[1], "picture") == 0;
    avito_outcome outcome = AVITO_NOT_SENT;
    avito_self me;
    int rc;

    o->folder = argv[2];
    o->grace_s = 2;
    rc = avito_posix_open(&avito, o);
    rc = rc == AVITO_OK ? avito_get_self(&avito.client, &avito.arena, &me) : rc;
    if (rc != AVITO_OK) {
        return failed(rc);
    }
    if (avito_store_last_send(&avito.store) != NULL) {
        printf("nothing was sent yet\n");
    }
    rc = picture ? send_picture(me.id, argv, &outcome)
                 : avito_send_once(&avito.client, &avito.store, me.id, argv[3], argv[4], argv[5],
                                   &avito.arena, &outcome);
    if (rc < 0) {
        (void)failed(rc);
    }
    printf("%d %s\n", rc < 0 ? -1 : rc, outcomes[outcome]);
    if (strcmp(argv[1], "once") != 0) {
        tell(avito_store_last_send(&avito.store));
    }
    avito_posix_close(&avito);
    return 0;
}

/* What main() returns, with the reason on standard error. */
static int end(int rc)
{
    const int status = avito_posix_perror(&avito, rc);

    avito_posix_close(&avito);
    return status;
}

static int sign_in(avito_posix_options *o)
{
    const int rc = avito_posix_sign_in(&avito, o);

    if (rc == AVITO_OK) {
        printf("account %lld, %s\n", (long long)avito.self.id, avito.self.name.ptr);
    }
    return rc;
}

static int inbox(avito_posix_options *o)
{
    static avito_inbox in;
    avito_inbox_options options;
    avito_message message;
    int rc = sign_in(o);

    if (rc != AVITO_OK) {
        return end(rc);
    }
    options = avito_posix_inbox_options(&avito, avito.self.id);
    options.start = AVITO_START_UNREAD;
    rc = avito_inbox_init(&in, &avito.client, &options);
    while (rc == AVITO_OK || rc == AVITO_AGAIN) {
        rc = avito_inbox_next(&in, &message);
        if (rc == AVITO_OK) {
            printf("%s\n", message.content.as.text.ptr);
            rc = avito_inbox_accept(&in);
            break;
        }
    }
    return end(rc);
}

static int hold(avito_posix_options *o)
{
    int rc = avito_posix_open(&avito, o);

    rc = rc == AVITO_OK ? avito_store_take_inbox(&avito.store) : rc;
    if (rc == AVITO_OK) {
        printf("held\n");
        (void)getchar();
    } else {
        printf("%s: %s\n", avito_error_name(rc), avito_store_problem(&avito.store));
    }
    return end(rc);
}

/* The same roots, by a program that opens the parts itself. */
static size_t loaded_alone(void)
{
    static char memory[AVITO_POSIX_ROOTS_CAP];
    avito_anchors anchors;
    const char *file = avito_posix_ca_file(NULL);

    return file != NULL &&
                   avito_anchors_load_file(&anchors, memory, sizeof memory, file) == AVITO_OK
               ? anchors.count
               : 0;
}

int main(int argc, char **argv)
{
    avito_posix_options o = avito_posix_options_default();

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "open") == 0) {
        const int rc = avito_posix_open(&avito, NULL);

        if (rc != AVITO_OK) {
            return failed(rc);
        }
        printf("open, %zu roots\n", avito.anchors.count);
        if (loaded_alone() != avito.anchors.count) {
            printf("the file is another\n");
        }
        avito_posix_close(&avito);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "sign-in") == 0) {
        o.ca_file = argv[2];
        return end(sign_in(&o));
    }
    if (argc == 3) {
        o.folder = argv[2];
        o.program = "hosted";
        return strcmp(argv[1], "inbox") == 0 ? inbox(&o) : hold(&o);
    }
    if (argc == 4) {
        return selves(&o, argv[1], argv[2], atoi(argv[3]));
    }
    if (argc == 6) {
        return once(&o, argv);
    }
    o.client.never_wait = true;
    if (avito_posix_open(&avito, &o) == AVITO_OK) {
        avito_posix_close(&avito);
        memset(&avito, 0x5a, sizeof avito); /* the thread has nothing to do with it */
        (void)poll(NULL, 0, 600);
        printf("gone\n");
    }
    return 0;
}
