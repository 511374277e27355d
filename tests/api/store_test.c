/*
 * The file store on a disk that loses power at every call that changes something, and comes back with
 * every subset of what was not synced; on a disk where each of these calls fails; killed at each of them
 * on the real file system; and between processes that share a folder.
 * Rooms: FILE STORE, STORED SENDS AND PICTURES, EVERYTHING IN ONE STRUCT.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <sys/file.h>

#include <cmocka.h>

#define AVITO_WITH_POSIX 1
#include "avito_messenger.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "store_disk.h"
#include "support/lane.h"

static avito_store store;

static int open_store(const char *folder, const char *client_id)
{
    avito_store_options o = avito_store_options_default();

    o.folder = folder;
    o.client_id = client_id;
    o.host = "api.avito.ru";
    o.program = "store_test";
    return avito_store_open(&store, &o);
}

static avito_str str(const char *text)
{
    avito_str s = {text, strlen(text)};

    return s;
}

static int save_token(int number)
{
    char access[64], refresh[64];
    avito_token token;

    memset(&token, 0, sizeof token);
    (void)snprintf(access, sizeof access, "access-%d", number);
    (void)snprintf(refresh, sizeof refresh, "refresh-%d", number);
    token.access_token = str(access);
    token.refresh_token = str(refresh);
    token.expires_at = 1700000000 + number;
    return avito_store_save_token(&store, &token);
}

/* The number of the pair that is stored; 0: none; -1: half of something. */
static int stored_token(void)
{
    avito_token token;
    int number;
    char other[64];

    if (avito_store_load_token(&store, &token) == AVITO_END) {
        return 0;
    }
    number = (int)(token.expires_at - 1700000000);
    (void)snprintf(other, sizeof other, "access-%d", number);
    if (!avito_str_equal(token.access_token, other)) {
        return -1;
    }
    (void)snprintf(other, sizeof other, "refresh-%d", number);
    return avito_str_equal(token.refresh_token, other) ? number : -1;
}

static avito_store_send send_of(const char *key)
{
    static avito_store_send send;

    memset(&send, 0, sizeof send);
    (void)snprintf(send.key, sizeof send.key, "%s", key);
    (void)snprintf(send.chat_id, sizeof send.chat_id, "u2i-%s", key);
    (void)snprintf(send.baseline_id, sizeof send.baseline_id, "before-%s", key);
    send.baseline_created = 1700000000;
    (void)snprintf(send.text, sizeof send.text, "Здравствуйте!\nДа, %s ещё продаётся.\n", key);
    return send;
}

static bool is_whole(const avito_store_send *send)
{
    const avito_store_send wanted = send_of(send->key);

    return strcmp(send->chat_id, wanted.chat_id) == 0 && strcmp(send->text, wanted.text) == 0 &&
           strcmp(send->baseline_id, wanted.baseline_id) == 0 &&
           send->baseline_created == wanted.baseline_created;
}

static int count_send(void *ctx, const avito_store_send *send)
{
    assert_true(is_whole(send));
    ++*(int *)ctx;
    return AVITO_OK;
}

/* ---- programs that may be stopped anywhere, and what must hold afterwards ---- */

static const char *const keys[] = {"a", "B/ключ.%", "c"};
enum { KEYS = sizeof keys / sizeof *keys, TIMES = 3 };

/* In memory that a killed child shares with us. */
static struct seen {
    int trying, done; /* tokens; and of the inbox's slots */
    int slot_trying[2], slot_done[2];
    int arrived[KEYS]; /* messages of this key that the service has */
} * seen;

static void program_with_tokens(void)
{
    for (int i = 1; i <= TIMES; i++) {
        seen->trying = i;
        if (save_token(i) == AVITO_OK) {
            seen->done = i;
        }
    }
}

static bool tokens_hold(void)
{
    const int found = stored_token();

    return found == seen->done || found == seen->trying;
}

static void program_with_inbox(void)
{
    for (int i = 1; i <= 2 * TIMES; i++) {
        char state[300];

        memset(state, i, sizeof state);
        seen->slot_trying[i % 2] = i;
        if (avito_store_save_inbox(&store, i % 2, state, sizeof state) == AVITO_OK) {
            seen->slot_done[i % 2] = i;
        }
    }
}

static bool inbox_holds(void)
{
    for (int slot = 0; slot < 2; slot++) {
        char state[300], wanted[300];
        size_t len = 0;
        const int rc = avito_store_load_inbox(&store, slot, state, sizeof state, &len);
        const int found = rc == AVITO_OK && len > 0 ? state[0] : 0;

        memset(wanted, found, sizeof wanted);
        if ((found != seen->slot_done[slot] && found != seen->slot_trying[slot]) ||
            (found != 0 && (len != sizeof state || memcmp(state, wanted, len) != 0))) {
            return false;
        }
    }
    return true;
}

/* Sends each message once, as avito_send_once() does: what was begun is looked up at the service. */
static void program_that_sends(void)
{
    for (int i = 0; i < KEYS; i++) {
        const avito_store_send send = send_of(keys[i]);
        static avito_store_send found;
        int rc = avito_store_find_send(&store, keys[i], &found);

        if (rc == AVITO_OK && found.ended == 0) {
            (void)avito_store_end_send(&store, keys[i],
                                       seen->arrived[i] > 0 ? AVITO_SENT : AVITO_CANNOT_TELL, "m");
        }
        if (rc == AVITO_END && avito_store_begin_send(&store, &send) == AVITO_OK) {
            (void)disk_turn(); /* the power may go here, too */
            seen->arrived[i]++;
            (void)disk_turn();
            (void)avito_store_end_send(&store, keys[i], AVITO_SENT, "m");
        }
    }
}

static bool sends_hold(void)
{
    bool good = true;

    for (int i = 0; i < KEYS; i++) {
        static avito_store_send found;
        const int rc = avito_store_find_send(&store, keys[i], &found);

        good = good && (rc == AVITO_OK || (rc == AVITO_END && seen->arrived[i] == 0)) &&
               (rc != AVITO_OK || is_whole(&found));
    }
    program_that_sends(); /* once more, to the end */
    for (int i = 0; i < KEYS; i++) {
        static avito_store_send found;
        const int rc = avito_store_find_send(&store, keys[i], &found);

        good = good && rc == AVITO_OK && is_whole(&found) && found.ended != 0 &&
               (found.outcome == AVITO_SENT ? seen->arrived[i] == 1 : seen->arrived[i] == 0);
    }
    return good;
}

struct program {
    void (*run)(void);
    bool (*holds)(void);
    const char *name;
};

static const struct program programs[] = {
    {program_with_tokens, tokens_hold, "tokens"},
    {program_with_inbox, inbox_holds, "inbox"},
    {program_that_sends, sends_hold, "sends"},
};
enum { PROGRAMS = sizeof programs / sizeof *programs };

/* ---- power ---- */

struct survey {
    long cuts, disks;
    bool bad; /* the last disk was: the survey ended there */
    bool skip_file_sync, skip_folder_sync;
    size_t short_write;
};

/* One run until the power fails at call number `cut`; true: it came to its end. */
static bool run_until(const struct program *p, long cut, const struct survey *s)
{
    static bool finished;

    finished = false;
    memset(seen, 0, sizeof *seen);
    disk_new();
    disk.skip_file_sync = s->skip_file_sync;
    disk.skip_folder_sync = s->skip_folder_sync;
    disk.short_write = s->short_write;
    disk.cut_at = cut;
    if (setjmp(disk.power) == 0) {
        if (open_store("folder", "id") == AVITO_OK) {
            p->run();
        }
        finished = true;
    }
    return finished;
}

static void survey_power(const struct program *p, struct survey *s)
{
    static bool finished;
    static unsigned kept;

    finished = false;
    for (long cut = 1; !finished; cut++) {
        s->cuts++;
        for (kept = 0;; kept++) {
            finished = run_until(p, cut, s);
            if (kept >> disk.changes_count != 0) {
                break;
            }
            disk_power(kept, (cut + kept) % 2u != 0);
            assert_int_equal(open_store("folder", "id"), AVITO_OK);
            s->disks++;
            s->bad = !p->holds();
            avito_store_close(&store);
            if (s->bad) {
                return;
            }
        }
    }
}

static void power_may_go_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROGRAMS; i++) {
        for (size_t piece = 0; piece <= 100; piece += 50) {
            struct survey s = {0, 0, false, false, false, piece};

            survey_power(&programs[i], &s);
            print_message("%s: power cut at %ld places, %ld disks\n", programs[i].name, s.cuts,
                          s.disks);
            assert_true(s.cuts > 10 && s.disks > s.cuts);
            assert_false(s.bad);
        }
    }
}

/* The model's test: it notices when either kind of fsync() is left out. */
static void a_disk_that_does_not_sync_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * PROGRAMS; i++) {
        struct survey s = {0, 0, false, i % 2 == 0, i % 2 == 1, 0};

        survey_power(&programs[i / 2], &s);
        assert_true(s.bad);
    }
}

/* ---- errors ---- */

/* Runs a program on a disk whose `at`-th change, or read, fails with `error`. The error is
 * reported, and nothing is lost. True: there were fewer calls. */
static bool run_with_fault(const struct program *p, bool looks, long at, int error)
{
    bool finished;
    int count = 0;

    memset(seen, 0, sizeof *seen);
    disk_new();
    *(looks ? &disk.ask_at : &disk.fail_at) = at;
    disk.fail_errno = error;
    if (open_store("folder", "id") == AVITO_OK) {
        p->run();
        if (looks) {
            (void)avito_store_each_send(&store, count_send, &count);
        }
    } else {
        assert_string_not_equal(avito_store_problem(&store), "");
        assert_int_equal(avito_store_errno(&store), disk.fail_errno);
    }
    finished = (looks ? disk.asks : disk.calls) < at;
    disk.ask_at = disk.fail_at = 0;
    avito_store_close(&store);
    assert_int_equal(open_store("folder", "id"), AVITO_OK);
    assert_true(p->holds());
    avito_store_close(&store);
    return finished;
}

static void every_call_may_fail(void **state)
{
    static const int errors[] = {ENOSPC, EIO, EROFS};

    (void)state;
    for (size_t i = 0; i < PROGRAMS; i++) {
        for (long at = 1; !run_with_fault(&programs[i], false, at, errors[at % 3]); at++) {
        }
    }
}

/* Failing calls that only read spoil nothing: what cannot be read is an error, and nothing is
 * lost. */
static void every_look_may_fail(void **state)
{
    static const int errors[] = {EIO, ENOLCK, EINTR, EINVAL};

    (void)state;
    for (size_t i = 0; i < PROGRAMS; i++) {
        for (size_t k = 0; k < sizeof errors / sizeof *errors; k++) {
            for (long at = 1; !run_with_fault(&programs[i], true, at, errors[k]); at++) {
            }
        }
    }
}

static void looks_that_fail_say_so(void **state)
{
    const avito_store_send send = send_of("a");
    static avito_store_send found;
    avito_token token;
    char slot[64];
    size_t len;
    int count = 0;

    (void)state;
    disk_new();
    assert_int_equal(open_store("folder", "id"), AVITO_OK);
    assert_int_equal(save_token(1), AVITO_OK);
    assert_int_equal(avito_store_save_inbox(&store, 0, "x", 1), AVITO_OK);
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_OK);
    disk.fail_errno = EIO;
    for (int look = 1; look <= 2; look++) { /* read() and fstat() */
        disk.ask_at = disk.asks + look;
        assert_int_equal(avito_store_load_token(&store, &token), AVITO_ERR_FILE);
        assert_string_equal(avito_store_problem(&store),
                            "folder/tokens: cannot be read: Input/output error");
        disk.ask_at = disk.asks + look;
        assert_int_equal(avito_store_load_inbox(&store, 0, slot, sizeof slot, &len),
                         AVITO_ERR_FILE);
        disk.ask_at = disk.asks + look;
        assert_int_equal(avito_store_find_send(&store, "a", &found), AVITO_ERR_FILE);
        disk.ask_at = disk.asks + look; /* the folder's list */
        assert_int_equal(avito_store_each_send(&store, count_send, &count), AVITO_ERR_FILE);
        disk.ask_at = disk.asks + look + 2; /* the first send of it */
        assert_int_equal(avito_store_each_send(&store, count_send, &count), AVITO_ERR_FILE);
    }
    assert_int_equal(count, 0);
    disk.ask_at = disk.asks + 1;
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_FILE);
    assert_string_equal(avito_store_problem(&store),
                        "folder/lock: cannot be locked: Input/output error");
    disk.ask_at = disk.asks + 2; /* what there is of this key: it may have been sent */
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_FILE);
    disk.ask_at = disk.asks + 1;
    assert_int_equal(avito_store_forget_send(&store, "a"), AVITO_ERR_FILE);
    disk.ask_at = disk.asks + 1;
    disk.fail_errno = EINTR; /* that call is retried */
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_END);
    disk.fail_at = disk.calls + 1;
    disk.fail_errno = EIO;
    assert_int_equal(avito_store_forget_send(&store, "a"), AVITO_ERR_FILE);
    assert_string_equal(avito_store_problem(&store),
                        "folder/send.a: cannot be removed: Input/output error");
    disk.fail_at = disk.calls + 2; /* it is gone, but it may come back */
    assert_int_equal(avito_store_forget_send(&store, "a"), AVITO_ERR_FILE);
    assert_int_equal(avito_store_errno(&store), EIO);
    assert_int_equal(avito_store_forget_send(&store, "a"), AVITO_OK);
    assert_string_equal(avito_store_problem(&store), ""); /* that of the call before is over */
    assert_int_equal(avito_store_errno(&store), 0);
    avito_store_close(&store);
}

static void interrupted_calls_go_on(void **state)
{
    (void)state;
    for (long at = 1; at < 12; at++) {
        disk_new();
        disk.fail_at = at;
        disk.fail_errno = EINTR;
        assert_int_equal(open_store("folder", "id"), AVITO_OK);
        (void)save_token(1); /* close() and renameat() are not interrupted on the systems we know */
        disk.fail_at = 0;
        assert_int_equal(save_token(2), AVITO_OK);
        assert_int_equal(stored_token(), 2);
        avito_store_close(&store);
    }
}

/* Bytes come in pieces, as signals leave them: all of them are read, and none beyond the room for them. */
static void bytes_come_in_pieces(void **state)
{
    char saved[100], *slot = malloc(60); /* guarded at its end */
    size_t len;

    (void)state;
    disk_new();
    assert_int_equal(open_store("folder", "id"), AVITO_OK);
    assert_int_equal(save_token(1), AVITO_OK);
    memset(saved, 's', sizeof saved);
    assert_int_equal(avito_store_save_inbox(&store, 0, saved, 60), AVITO_OK);
    assert_int_equal(avito_store_save_inbox(&store, 1, saved, sizeof saved), AVITO_OK);
    for (disk.short_read = 1; disk.short_read < 101; disk.short_read++) {
        assert_int_equal(stored_token(), 1);
        memset(slot, 0, 60);
        assert_int_equal(avito_store_load_inbox(&store, 0, slot, 60, &len), AVITO_OK);
        assert_int_equal(len, 60);
        assert_memory_equal(slot, saved, 60);
        assert_int_equal(avito_store_load_inbox(&store, 1, slot, 60, &len), AVITO_OK);
        assert_int_equal(len, 61); /* it is larger */
    }
    free(slot);
    avito_store_close(&store);
}

static void a_full_disk_is_said(void **state)
{
    (void)state;
    disk_new();
    assert_int_equal(open_store("folder", "id"), AVITO_OK);
    disk.fail_at = disk.calls + 2; /* the write */
    disk.fail_errno = ENOSPC;
    assert_int_equal(save_token(1), AVITO_ERR_FILE);
    assert_string_equal(avito_store_problem(&store),
                        "folder/tokens: cannot be written: No space left on device");
    assert_int_equal(avito_store_errno(&store), ENOSPC);
    assert_int_equal(disk_find(&disk.now, "tokens.new"), -1); /* it would take room for nothing */
    avito_store_close(&store);
}

/* A file system that writes names at once says EINVAL; close() may be the one that tells of a lost write. */
static void the_last_calls_of_a_write(void **state)
{
    (void)state;
    disk_new();
    assert_int_equal(open_store("folder", "id"), AVITO_OK);
    disk.fail_at = disk.calls + 5; /* made, written, synced, renamed; and the folder's names */
    disk.fail_errno = EINVAL;
    assert_int_equal(save_token(1), AVITO_OK);
    disk.fail_at = disk.calls + 5;
    disk.fail_errno = EIO;
    assert_int_equal(save_token(2), AVITO_ERR_FILE);
    disk.fail_at = 0;
    disk.close_at = disk.closes + 1;
    assert_int_equal(save_token(3), AVITO_ERR_FILE);
    assert_string_equal(avito_store_problem(&store),
                        "folder/tokens: cannot be put in place: Input/output error");
    assert_int_equal(stored_token(), 2);
    avito_store_close(&store);
}

/* A new folder is itself a name that has to be synced. */
static void a_folder_that_cannot_be_kept(void **state)
{
    static const struct {
        const char *folder;
        long ask_at, fail_at;
        int result;
    } rows[] = {{"/nowhere/that/is", 0, 0, AVITO_ERR_FILE}, /* gone again */
                {"/tmp", 1, 0, AVITO_ERR_FILE},             /* the one above it cannot be opened */
                {"/tmp", 0, 1, AVITO_ERR_FILE},             /* nor synced */
                {"/tmp", 0, 0, AVITO_OK}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        disk_new();
        disk.new_folder = true;
        disk.ask_at = rows[i].ask_at;
        disk.fail_at = rows[i].fail_at;
        disk.fail_errno = EIO;
        assert_int_equal(open_store(rows[i].folder, "id"), rows[i].result);
        if (rows[i].result != AVITO_OK) {
            assert_non_null(strstr(avito_store_problem(&store), "cannot be made"));
        }
        avito_store_close(&store);
    }
}

/* A disk that cannot be written is read all the same. */
static void a_disk_that_is_read_only(void **state)
{
    (void)state;
    disk_new();
    disk.read_only = true;
    assert_int_equal(open_store("folder", "id"), AVITO_ERR_FILE); /* there never was a store */
    disk.read_only = false;
    assert_int_equal(open_store("folder", "id"), AVITO_OK);
    assert_int_equal(save_token(1), AVITO_OK);
    avito_store_close(&store);
    disk.read_only = true;
    assert_int_equal(open_store("folder", "id"), AVITO_OK);
    assert_int_equal(stored_token(), 1);
    assert_int_equal(save_token(2), AVITO_ERR_FILE);
    assert_int_equal(avito_store_errno(&store), EROFS);
    assert_int_equal(stored_token(), 1);
    avito_store_close(&store);
}

/* Another program writes: that takes moments. One that has stopped in the middle does not stop us for ever. */
static void a_lock_that_another_has(void **state)
{
    uint32_t began;

    (void)state;
    disk_new();
    assert_int_equal(open_store("folder", "id"), AVITO_OK);
    disk.quick = true;
    disk.locked = 20;
    assert_int_equal(save_token(1), AVITO_OK);
    disk.locked = 1000000;
    began = disk.later_ms;
    assert_int_equal(save_token(2), AVITO_ERR_BUSY);
    assert_in_range(disk.later_ms - began, 4900, 5100);
    assert_string_equal(avito_store_problem(&store),
                        "folder/lock: another program has held this for 5 seconds");
    disk.locked = 0;
    assert_int_equal(stored_token(), 1);
    avito_store_close(&store);
}

/* ---- the real file system ---- */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    memset(&disk, 0, sizeof disk);
    (void)snprintf(folder, sizeof folder, "/tmp/avito-store-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    char command[96];

    (void)state;
    avito_store_close(&store);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0;
}

static void killed_at_every_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROGRAMS; i++) {
        int status = 0;

        for (long cut = 1; !WIFEXITED(status) || cut == 1; cut++) {
            pid_t child;

            assert_int_equal(remove_folder(NULL), 0);
            assert_int_equal(mkdir(folder, 0700), 0);
            memset(seen, 0, sizeof *seen);
            child = fork();
            if (child == 0) {
                disk.calls = 0;
                disk.cut_at = cut;
                if (open_store(folder, "id") == AVITO_OK) {
                    programs[i].run();
                }
                _exit(0);
            }
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFEXITED(status) || cut < 1000);
            assert_int_equal(open_store(folder, "id"), AVITO_OK);
            assert_true(programs[i].holds());
            avito_store_close(&store);
        }
    }
}

static int mode_of(const char *name)
{
    char path[400];
    struct stat info;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &info) == 0 ? (int)(info.st_mode & 0777) : -1;
}

static void nobody_else_can_read(void **state)
{
    char inner[96];
    const avito_store_send send = send_of("a");

    (void)state;
    (void)umask(0);
    (void)snprintf(inner, sizeof inner, "%s/inner", folder);
    assert_int_equal(open_store(inner, "id"), AVITO_OK);
    assert_int_equal(save_token(1), AVITO_OK);
    assert_int_equal(avito_store_save_inbox(&store, 0, "x", 1), AVITO_OK);
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_OK);
    assert_int_equal(mode_of("inner"), 0700);
    assert_int_equal(mode_of("inner/tokens"), 0600);
    assert_int_equal(mode_of("inner/inbox.0"), 0600);
    assert_int_equal(mode_of("inner/inbox.lock"), 0600);
    assert_int_equal(mode_of("inner/send.a"), 0600);
    assert_int_equal(mode_of("inner/tokens.new"), -1);
}

static void write_raw(const char *name, const char *text)
{
    char path[400];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* One of two paths at a time. */
static const char *in_folder(const char *name)
{
    static char paths[2][400];
    static int last;

    last = !last;
    (void)snprintf(paths[last], sizeof paths[last], "%s/%s", folder, name);
    return paths[last];
}

static void tokens_are_given_to_whom_they_belong(void **state)
{
    static char longer[9000];
    avito_token token;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    assert_int_equal(stored_token(), 0);
    assert_int_equal(save_token(1), AVITO_OK);
    avito_store_close(&store);
    assert_int_equal(open_store(folder, "another"), AVITO_OK);
    assert_int_equal(stored_token(), 0);
    avito_store_close(&store);
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    store.o.host = "localhost";
    assert_int_equal(stored_token(), 0);
    avito_store_close(&store);
    assert_int_equal(open_store(folder, NULL), AVITO_OK);
    assert_int_equal(stored_token(), 1);

    memset(&token, 0, sizeof token); /* of the client credentials: no refresh token */
    token.access_token = str("alone");
    assert_int_equal(avito_store_save_token(&store, &token), AVITO_OK);
    assert_int_equal(avito_store_load_token(&store, &token), AVITO_OK);
    assert_true(avito_str_equal(token.access_token, "alone") && token.refresh_token.ptr == NULL);

    memset(longer, 'a', sizeof longer - 1);
    token.access_token = str(longer);
    assert_int_equal(avito_store_save_token(&store, &token), AVITO_ERR_FILE);
    token.access_token = str("a token");
    token.refresh_token = str("of two\nlines");
    assert_int_equal(avito_store_save_token(&store, &token), AVITO_ERR_FILE);
    assert_non_null(
        strstr(avito_store_problem(&store), "tokens: the tokens are too long to store, or hold"));
    assert_int_equal(avito_store_load_token(&store, &token), AVITO_OK);
    assert_true(avito_str_equal(token.access_token, "alone"));
    avito_store_close(&store);
    assert_int_equal(open_store(folder, "an id of two\nlines"), AVITO_OK);
    assert_int_equal(save_token(1), AVITO_ERR_FILE);
}

static int stop_at_once(void *ctx, const avito_store_send *send)
{
    (void)send;
    if (ctx != NULL) {
        ++*(int *)ctx;
    }
    return 77;
}

static void what_cannot_be_understood(void **state)
{
    static const char *const tokens[] = {
        "",
        "avito-tokens 2\n",
        "avito-tokens 1\nclient id\nhost api.avito.ru\n",
        "avito-tokens 1\nclient id\nhost api.avito.ru\nexpires 5\naccess a\n"
        "refresh b\nen",
        "avito-tokens 1\nclient id\nhost api.avito.ru\nexpires 5\nend\n",
        "avito-tokens 1\nclient id\nhost api.avito.ru\nexpires 5\naccess a\nend\n"};
    static avito_store_send found;
    avito_store_send send = send_of("a");
    avito_token token;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        write_raw("tokens", tokens[i]);
        assert_int_equal(stored_token(), 0);
    }
    assert_int_equal(symlink("/etc/passwd", in_folder("tokens.new")), 0); /* nobody else's file */
    assert_int_equal(rename(in_folder("tokens.new"), in_folder("tokens")), 0);
    assert_int_equal(avito_store_load_token(&store, &token), AVITO_ERR_FILE);
    assert_non_null(strstr(avito_store_problem(&store), "/tokens: cannot be opened"));
    write_raw("send.%00", "a name that is no key's");
    write_raw("send.%6", "nor this one");
    assert_int_equal(avito_store_each_send(&store, stop_at_once, NULL), AVITO_OK);
    write_raw("send.a", "avito-send 1\noutcome 1\nbegun 5\nended 6\nchat x\n");
    assert_int_equal(avito_store_find_send(&store, "a", &found), AVITO_OK);
    assert_int_equal(found.outcome, AVITO_CANNOT_TELL);
    assert_true(found.ended != 0 && strcmp(found.key, "a") == 0);
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_END); /* never again */
    assert_int_equal(avito_store_forget_send(&store, "a"), AVITO_OK);
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_OK);

    send.key[0] = '\0';
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_ARGUMENT);
    memset(send.key, 'k', sizeof send.key);
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_ARGUMENT);
    send = send_of("b");
    send.chat_id[0] = '\0';
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_ARGUMENT);
    memset(send.chat_id, 'c', sizeof send.chat_id);
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_ARGUMENT);
    send = send_of("b");
    send.baseline_id[0] = '\x1f';
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_ARGUMENT);
    send = send_of("b");
    (void)snprintf(send.chat_id, sizeof send.chat_id, "u2i\nended 5");
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_ARGUMENT);
    send = send_of("b");
    memset(send.text, 'a', sizeof send.text);
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_store_end_send(&store, "b", AVITO_SENT, NULL), AVITO_END);
    assert_int_equal(avito_store_end_send(&store, "b", (avito_outcome)3, NULL), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_store_end_send(&store, "b", (avito_outcome)-1, NULL),
                     AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_store_end_send(&store, "b", AVITO_SENT, "m\nended 5"),
                     AVITO_ERR_ARGUMENT);
}

/* A send whose file has a line that this program does not write may have left: it is settled as
 * CANNOT_TELL, and its key is used up. */
static void a_line_of_a_send_is_spoilt(void **state)
{
    static const char *const lines[] = {
        "avito-send 1\n", "outcome 1\n", "begun 5\n",   "ended 6\n", "chat x\n",
        "baseline y\n",   "created 7\n", "message z\n", "text 2\n",  "hi"};
    static const struct {
        size_t line;
        const char *instead;
    } rows[] = {{0, "avito-send 2\n"},
                {0, "avito-sent 1\n"},
                {0, "avito-send-1\n"},
                {1, "outcome\n"},
                {1, "outcome -1\n"},
                {1, "outcome 9\n"},
                {1, "outcome x\n"},
                {2, "begun \n"},
                {2, "begun -1\n"},
                {3, "end 6\n"},
                {3, "ended -6\n"},
                {4, ""},
                {5, "base y\n"},
                {6, "created x\n"},
                {7, ""},
                {8, "text -2\n"},
                {8, "text two\n"},
                {8, "text 3\n"},
                {9, "hi\n"},
                {9, ""}};
    static avito_store_send found;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    for (size_t i = 0; i <= sizeof rows / sizeof *rows; i++) {
        const bool good = i == sizeof rows / sizeof *rows;
        char text[256] = "";

        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
            (void)strcat(text, !good && rows[i].line == k ? rows[i].instead : lines[k]);
        }
        write_raw("send.a", text);
        assert_int_equal(avito_store_find_send(&store, "a", &found), AVITO_OK);
        assert_int_equal(found.outcome, good ? AVITO_SENT : AVITO_CANNOT_TELL);
        assert_string_equal(found.text, good ? "hi" : "");
        assert_string_equal(found.key, "a");
        assert_true(found.ended != 0);
    }
}

/* A line that does not fit its place in memory is treated the same way. */
static void a_send_with_long_lines(void **state)
{
    static char text[9000], longer[4u * AVITO_TEXT_MAX + 2u], id[AVITO_STORE_ID_CAP + 1];
    static avito_store_send found;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    memset(longer, 't', sizeof longer - 1);
    memset(id, 'i', sizeof id - 1);
    for (int line = 0; line < 5; line++) {
        for (int cut = 0; cut < 2; cut++) { /* one byte too long; the greatest length */
            const size_t len = sizeof longer - 1u - (size_t)cut;

            (void)snprintf(
                text, sizeof text,
                "avito-send 1\noutcome 1\nbegun 5\nended 6\nchat %s\nbaseline %s\ncreated 7\n"
                "message %s\ntext %zu\n%s",
                line == 0 ? id + cut : "x", line == 1 ? id + cut : "y", line == 2 ? id + cut : "z",
                line == 3 ? len : 2u, line == 3 ? longer + cut : "hi");
            if (line == 4) { /* larger than any of ours */
                memset(text, 'x', sizeof text - 1);
            }
            write_raw("send.a", text);
            assert_int_equal(avito_store_find_send(&store, "a", &found), AVITO_OK);
            assert_int_equal(found.outcome, cut == 1 && line < 4 ? AVITO_SENT : AVITO_CANNOT_TELL);
        }
    }
}

/* Each file name belongs to one key; what others put into the folder is left alone. */
static void keys_and_names(void **state)
{
    static const struct {
        const char *key, *name;
    } rows[] = {{"az09-_", "send.az09-_"}, {"A", "send.%41"}, {"{", "send.%7B"}, {"/", "send.%2F"}};
    static const char *const strangers[] = {"send.",    "send.A",   "send.%4",   "send.%zz",
                                            "send.%4z", "send.%61", "sending.a", "a"};
    char key[AVITO_STORE_KEY_MAX + 2], name[160];
    static avito_store_send found;
    int count = 0;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const avito_store_send send = send_of(rows[i].key);

        assert_int_equal(avito_store_begin_send(&store, &send), AVITO_OK);
        assert_int_equal(mode_of(rows[i].name), 0600);
    }
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        write_raw(strangers[i], "");
    }
    memset(key, 'k', sizeof key);
    key[AVITO_STORE_KEY_MAX + 1] = '\0';
    (void)snprintf(name, sizeof name, "send.%s", key);
    write_raw(name, ""); /* a byte more than a key has */
    assert_int_equal(avito_store_each_send(&store, count_send, &count), AVITO_OK);
    assert_int_equal(count, sizeof rows / sizeof *rows);
    assert_int_equal(avito_store_find_send(&store, key, &found), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_store_find_send(&store, "", &found), AVITO_ERR_ARGUMENT);
    assert_int_equal(avito_store_find_send(&store, NULL, &found), AVITO_ERR_ARGUMENT);
    key[AVITO_STORE_KEY_MAX] = '\0';
    assert_int_equal(avito_store_find_send(&store, key, &found), AVITO_END);
}

/* ---- sending once ---- */

#define ROW(id, second, text)                                                                      \
    "{\"id\":\"" id "\",\"author_id\":7,\"created\":170000000" second ",\"type\":\"text\","        \
    "\"direction\":\"out\",\"content\":{\"text\":\"" text "\"}}"
#define LIST(rows) "{\"messages\":[" rows "],\"meta\":{\"has_more\":false}}"

static int send_once(struct lane *l, const char *key, const char *text, avito_outcome *outcome)
{
    const size_t used = l->arena.used;
    const int rc = avito_send_once(&l->client, &store, 7, "u2i-x", key, text, &l->arena, outcome);

    assert_int_equal(l->arena.used, used);
    return rc;
}

/* A lane that waits for its answers. */
static void lane_of_answers(struct lane *l, const char *const *answers, size_t count)
{
    lane_init(l, 1024);
    l->options.never_wait = false;
    l->script.may_wait = true;
    lane_again(l, 1024);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || answers[i - 1] == NULL) {
            script_connect(&l->script);
        }
        script_request(&l->script);
        if (answers[i] != NULL) {
            script_answer_json(&l->script, 200, answers[i], strlen(answers[i]));
        } else {
            script_end(&l->script);
        }
    }
}

#define OLD LIST(ROW("old", "1", "before"))

/* The answer to a send is lost: it reads the newest message of the chat before. */
static void lose_a_send(const char *list)
{
    const char *answers[] = {list, NULL};
    avito_outcome outcome = AVITO_SENT;
    struct lane l;

    lane_of_answers(&l, answers, 2);
    assert_true(send_once(&l, "k", "hi", &outcome) < 0);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    lane_free(&l);
}

/* The message of another key was sent. */
static void note_sent(const char *key, const char *chat_id, const char *text, const char *id)
{
    static avito_store_send send;

    memset(&send, 0, sizeof send);
    (void)snprintf(send.key, sizeof send.key, "%s", key);
    (void)snprintf(send.chat_id, sizeof send.chat_id, "%s", chat_id);
    (void)snprintf(send.text, sizeof send.text, "%s", text);
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_OK);
    assert_int_equal(avito_store_end_send(&store, key, AVITO_SENT, id), AVITO_OK);
}

static void a_key_is_sent_once(void **state)
{
    static const char *const answers[] = {LIST(""), ROW("m1", "2", "hi")};
    static avito_store_send found;
    avito_outcome outcome = AVITO_CANNOT_TELL;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lane_of_answers(&l, answers, 2);
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    assert_int_equal(avito_store_find_send(&store, "k", &found), AVITO_OK);
    assert_string_equal(found.message_id, "m1");
    outcome = AVITO_CANNOT_TELL;
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_END); /* without a request */
    assert_int_equal(outcome, AVITO_SENT);
    assert_string_equal(avito_store_last_send(&store)->message_id, "m1");
    assert_int_equal(send_once(&l, "k", NULL, &outcome), AVITO_ERR_ARGUMENT);
    assert_null(avito_store_last_send(&store)); /* it is about no send */
    lane_end(&l);
}

/* A lane that sends nothing leaves no note: the key is free for one that does. */
static void a_dry_run_leaves_no_note(void **state)
{
    static const char *const lists[] = {LIST("")};
    static avito_store_send found;
    avito_outcome outcome = AVITO_SENT;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lane_of_answers(&l, lists, 1);
    l.client.o.dry_run = true;
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_OK);
    assert_int_equal(outcome, AVITO_NOT_SENT);
    assert_int_equal(avito_store_last_send(&store)->outcome, AVITO_NOT_SENT);
    assert_int_equal(avito_store_find_send(&store, "k", &found), AVITO_END);
    lane_end(&l);
}

/* An id that no note takes is left out of it: what was sent is noted as sent all the same. */
static void an_id_that_does_not_fit(void **state)
{
    static const char *const odd[] = {LIST(""), ROW("m\\n1", "2", "hi")};
    static char longer[AVITO_STORE_ID_CAP + 200];
    const char *const answers[] = {LIST(""), longer};
    static avito_store_send found;
    avito_outcome outcome = AVITO_CANNOT_TELL;
    struct lane l;

    (void)state;
    memset(longer, 'i', sizeof longer - 1);
    memcpy(longer, "{\"id\":\"", 7);
    (void)strcpy(longer + 7 + AVITO_STORE_ID_CAP, "\"}");
    for (int i = 0; i < 2; i++) {
        const char *key = i == 0 ? "k" : "l";

        assert_int_equal(open_store(folder, "id"), AVITO_OK);
        lane_of_answers(&l, i == 0 ? odd : answers, 2);
        assert_int_equal(send_once(&l, key, "hi", &outcome), AVITO_OK);
        assert_int_equal(outcome, AVITO_SENT);
        assert_int_equal(avito_store_find_send(&store, key, &found), AVITO_OK);
        assert_int_equal(found.outcome, AVITO_SENT);
        assert_string_equal(found.message_id, "");
        avito_store_close(&store);
        lane_end(&l);
    }
}

/* A lane that settles its own sends: the baseline of those is not that of a send with a note. */
static void a_lane_that_settles(void **state)
{
    static const char *const answers[] = {LIST(ROW("m1", "1", "hi")), NULL};
    avito_outcome outcome = AVITO_SENT;
    avito_sent_query baseline;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lane_of_answers(&l, answers, 2);
    memset(&baseline, 0, sizeof baseline); /* of a chat that was empty */
    assert_int_equal(avito_confirm_sends(&l.client, &baseline), AVITO_OK);
    script_connect(&l.script);
    script_request(&l.script);
    script_answer_json(&l.script, 200, answers[0], strlen(answers[0]));
    assert_true(send_once(&l, "k", "hi", &outcome) < 0);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    lane_free(&l);
}

/* Another program with the same folder, which does something while this one sends. */
static struct {
    const avito_transport_functions *below;
    avito_transport_functions functions;
    const char *when; /* a request begins so */
    void (*does)(void);
} meddler;

static void forget_elsewhere(void)
{
    static avito_store other;

    assert_int_equal(avito_store_open(&other, &store.o), AVITO_OK);
    assert_int_equal(avito_store_forget_send(&other, "k"), AVITO_OK);
    avito_store_close(&other);
}

static void begin_elsewhere(void)
{
    static avito_store other;
    const avito_store_send send = send_of("k");

    assert_int_equal(avito_store_open(&other, &store.o), AVITO_OK);
    assert_int_equal(avito_store_begin_send(&other, &send), AVITO_OK);
    avito_store_close(&other);
    disk.at_unlock = forget_elsewhere; /* when we have found that */
}

static long meddling_send(void *ctx, const void *data, size_t len, int more)
{
    char text[600] = "";

    memcpy(text, data, len < sizeof text - 1 ? len : sizeof text - 1);
    if (meddler.when != NULL && strncmp(text, meddler.when, strlen(meddler.when)) == 0) {
        meddler.when = NULL;
        meddler.does();
    }
    return meddler.below->send(ctx, data, len, more);
}

static void let_meddle(struct lane *l, const char *when, void (*does)(void))
{
    meddler.below = l->client.o.transport.functions;
    meddler.functions = *meddler.below;
    meddler.functions.send = meddling_send;
    meddler.when = when;
    meddler.does = does;
    l->client.o.transport.functions = &meddler.functions;
}

/* Our message was sent, and meanwhile its note was removed: the result is a success and the message ours. */
static void a_key_that_another_program_forgets(void **state)
{
    static const char *const answers[] = {LIST(""), ROW("m1", "2", "hi")};
    static const char *const found[] = {LIST(ROW("m2", "2", "hi") "," ROW("old", "1", "before"))};
    static avito_store_send send;
    avito_outcome outcome = AVITO_CANNOT_TELL;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lane_of_answers(&l, answers, 2);
    let_meddle(&l, "POST ", forget_elsewhere);
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    assert_string_equal(avito_store_last_send(&store)->message_id, "m1");
    assert_int_equal(avito_store_find_send(&store, "k", &send), AVITO_END);
    lane_end(&l);
    lose_a_send(OLD);
    lane_of_answers(&l, found, 1);
    let_meddle(&l, "GET ", forget_elsewhere);
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_OK); /* as it shows, before */
    assert_int_equal(outcome, AVITO_SENT);
    assert_string_equal(avito_store_last_send(&store)->message_id, "m2");
    lane_end(&l);
}

/* Another program was quicker, but could not send: the key is free again, and used as a new one. */
static void a_key_that_is_free_again(void **state)
{
    static const char *const answers[] = {LIST(""), LIST(""), ROW("m1", "2", "hi")};
    avito_outcome outcome = AVITO_CANNOT_TELL;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lane_of_answers(&l, answers, 3);
    let_meddle(&l, "GET ", begin_elsewhere);
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    lane_end(&l);
}

/* A send that is refused before anything left is forgotten. */
static void what_was_not_sent_may_be_tried_again(void **state)
{
    static const char *const bad_keys[] = {
        NULL, "", "65 bytes: one more than a key may have..........................."};
    static char longer[4u * AVITO_TEXT_MAX + 2u], id[AVITO_STORE_ID_CAP + 1];
    static avito_store_send found;
    avito_outcome outcome = AVITO_CANNOT_TELL;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lane_of_answers(&l, NULL, 0);
    lane_exchange(&l, 404, "{}", 2); /* the newest message of the chat */
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_ERR_NOT_FOUND);
    assert_int_equal(outcome, AVITO_NOT_SENT);
    assert_int_equal(avito_store_find_send(&store, "k", &found), AVITO_END);
    memset(longer, 't', sizeof longer - 1);
    assert_int_equal(send_once(&l, "k", longer, &outcome), AVITO_ERR_ARGUMENT);
    memset(id, 'i', sizeof id - 1);
    assert_int_equal(avito_send_once(&l.client, &store, 7, id, "k", "hi", &l.arena, &outcome),
                     AVITO_ERR_ARGUMENT);
    for (size_t i = 0; i < sizeof bad_keys / sizeof bad_keys[0]; i++) {
        outcome = AVITO_CANNOT_TELL;
        assert_int_equal(send_once(&l, bad_keys[i], "hi", &outcome), AVITO_ERR_ARGUMENT);
        assert_int_equal(outcome, AVITO_NOT_SENT); /* nothing is ever sent under these */
    }
    outcome = AVITO_CANNOT_TELL;
    assert_int_equal(send_once(&l, "k", NULL, &outcome), AVITO_ERR_ARGUMENT);
    assert_int_equal(outcome, AVITO_NOT_SENT);
    outcome = AVITO_CANNOT_TELL;
    assert_int_equal(
        avito_send_image_once(&l.client, &store, 7, "u2i-x", "k", NULL, &l.arena, &outcome),
        AVITO_ERR_ARGUMENT);
    assert_int_equal(outcome, AVITO_NOT_SENT);
    assert_int_equal(send_once(&l, "k", "hi", NULL), AVITO_ERR_ARGUMENT);
    disk.fail_errno = EIO; /* all is written, but perhaps not the folder */
    disk.fail_at = disk.calls + 5;
    {
        const avito_store_send send = send_of("b");
        assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_FILE);
    }
    disk.fail_at = 0;
    assert_int_equal(avito_store_find_send(&store, "b", &found), AVITO_END); /* the key is free */
    write_raw("send.k",
              "avito-send 1\noutcome 2\nbegun 5\nended 0\nchat u2i-x\nbaseline \ncreated 0\n"
              "message \ntext 2\nhi");
    disk.ask_at = disk.asks + 1;
    disk.fail_errno = EIO;
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_ERR_FILE);
    assert_int_equal(outcome, AVITO_CANNOT_TELL); /* nobody knows what the file says */
    disk.ask_at = 0;
    lane_free(&l);
}

/* The answer to a send was lost: the next call reads the chat back. Messages that belong to other
 * sends of the same text do not count. */
static void a_send_in_doubt_is_looked_up(void **state)
{
    static const char *const found[] = {
        LIST(ROW("m3", "3", "hi") "," ROW("m2", "2", "hi") "," ROW("old", "1", "before"))};
    static const char *const others[][3] = {{"same", "u2i-x", "hi"},
                                            {"text", "u2i-x", "ho"},
                                            {"chat", "u2i-y", "hi"},
                                            {"none", "u2i-x", "hi"}};
    static avito_store_send send;
    avito_outcome outcome = AVITO_SENT;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        note_sent(others[i][0], others[i][1], others[i][2], i == 0 ? "m2" : i < 3 ? "m3" : NULL);
    }
    lose_a_send(OLD);
    lane_of_answers(&l, found, 1);
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    assert_int_equal(avito_store_find_send(&store, "k", &send), AVITO_OK);
    assert_string_equal(send.message_id, "m3");
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_END);
    assert_int_equal(outcome, AVITO_SENT);
    lane_free(&l);
}

/* Each list has a connection of its own: rows after the baseline are not read. */
static void lane_of_lists(struct lane *l, const char *const *lists, size_t count)
{
    lane_of_answers(l, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        lane_exchange(l, 200, lists[i], strlen(lists[i]));
    }
}

/* Other keys have messages of the same text, up to blanks and CR, which are newer: none of them is taken for the
 * one in doubt, whether that is there or not. Of more than 16 it is not known whose the others are. */
static void a_send_below_others_of_its_text(void **state)
{
    static const unsigned counts[] = {1, 2, 15, 16, 17, 18};
    static const char *lists[20];
    static char list[8192];

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    for (size_t i = 0; i < 2 * sizeof counts / sizeof *counts; i++) {
        const unsigned others = counts[i / 2];
        const bool is_found = i % 2 == 0 && others <= 16;
        avito_outcome outcome = AVITO_NOT_SENT;
        struct lane l;
        char key[8], id[8];
        int len = snprintf(list, sizeof list, "{\"messages\":[");

        for (unsigned k = others; k > 0; k--) {
            (void)snprintf(key, sizeof key, "k%u", k % 100u);
            (void)snprintf(id, sizeof id, "m%u", k % 100u);
            note_sent(key, "u2i-x", k % 2 > 0 ? "hi \r\n" : "hi", id);
            len += snprintf(
                list + len, sizeof list - (size_t)len,
                "{\"id\":\"%s\",\"author_id\":7,\"created\":17000001%02u,\"type\":\"text\","
                "\"direction\":\"out\",\"content\":{\"text\":\"hi\"}},",
                id, k % 100u);
        }
        (void)snprintf(list + len, sizeof list - (size_t)len,
                       "%s%s],\"meta\":{\"has_more\":false}}",
                       i % 2 == 0 ? ROW("mine", "2", "hi") "," : "", ROW("old", "1", "before"));
        write_raw("send.k", "avito-send 1\noutcome 2\nbegun 1700000000\nended 0\nchat u2i-x\n"
                            "baseline old\ncreated 1700000001\nmessage \ntext 2\nhi");
        for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
            lists[k] = list;
        }
        lane_of_lists(&l, lists, others <= 16 ? others + 1 : 17);
        assert_int_equal(send_once(&l, "k", "hi", &outcome), is_found ? AVITO_OK : AVITO_END);
        assert_int_equal(outcome, is_found ? AVITO_SENT : AVITO_CANNOT_TELL);
        assert_string_equal(avito_store_last_send(&store)->message_id, is_found ? "mine" : "");
        lane_end(&l);
        assert_int_equal(avito_store_forget_send(&store, "k"), AVITO_OK);
        for (unsigned k = 1; k <= others; k++) {
            (void)snprintf(key, sizeof key, "k%u", k % 100u);
            assert_int_equal(avito_store_forget_send(&store, key), AVITO_OK);
        }
    }
}

/* A send that was begun long ago and is not in its chat: it can no longer be proved unsent, and this stays
 * so. */
static void a_send_that_is_not_there(void **state)
{
    static const char *const lists[] = {OLD};
    avito_outcome outcome = AVITO_SENT;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    write_raw("send.k", "avito-send 1\noutcome 2\nbegun 1700000000\nended 0\nchat u2i-x\n"
                        "baseline old\ncreated 1700000001\nmessage own\ntext 2\nhi");
    lane_of_answers(&l, NULL, 0);
    lane_exchange(&l, 404, "{}", 2);
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_ERR_NOT_FOUND);
    lane_free(&l);
    lane_of_answers(&l, lists, 1);
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_END);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_END); /* without a request */
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    lane_end(&l);
}

static int send_picture_once(struct lane *l, avito_outcome *outcome)
{
    return avito_send_image_once(&l->client, &store, 7, "u2i-x", "p", "1.a", &l->arena, outcome);
}

#define PICTURE(id, second)                                                                        \
    "{\"id\":\"" id "\",\"author_id\":7,\"created\":170000000" second                              \
    ",\"type\":\"image\",\"direction\":\"out\",\"content\":{\"image\":{\"sizes\":{}}}}"

/* The same for a picture in a chat that was empty: any picture of ours that belongs to no other key. */
static void a_picture_is_sent_once(void **state)
{
    static const char *const sent[] = {LIST(""), PICTURE("p1", "2")};
    static const char *const lost[] = {LIST(""), NULL};
    static const char *const found[] = {LIST(PICTURE("p3", "3") "," ROW("m2", "2", "hi"))};
    avito_outcome outcome = AVITO_CANNOT_TELL;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    assert_null(avito_store_last_send(&store));
    lane_of_answers(&l, sent, 2);
    assert_int_equal(send_picture_once(&l, &outcome), AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    assert_string_equal(avito_store_last_send(&store)->message_id, "p1");
    assert_int_equal(send_picture_once(&l, &outcome), AVITO_END);
    lane_free(&l);
    assert_int_equal(avito_store_forget_send(&store, "p"), AVITO_OK);
    lane_of_answers(&l, lost, 2);
    assert_true(send_picture_once(&l, &outcome) < 0);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    lane_free(&l);
    lane_of_answers(&l, found, 1);
    assert_int_equal(send_picture_once(&l, &outcome), AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    assert_string_equal(avito_store_last_send(&store)->message_id, "p3");
    lane_free(&l);
}

/* In doubt, and not there yet: it is looked for again until its grace time is over. */
static void a_send_that_shows_up_late(void **state)
{
    static const char *const lists[] = {OLD, OLD,
                                        LIST(ROW("m2", "2", "hi") "," ROW("old", "1", "before"))};
    avito_outcome outcome = AVITO_NOT_SENT;
    struct lane l;
    uint32_t began;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lose_a_send(OLD);
    lane_of_lists(&l, lists, 3);
    disk.quick = true;
    began = disk.later_ms;
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    assert_int_equal(disk.later_ms - began, 2000);
    disk.quick = false;
    lane_free(&l);
}

/* A send is in doubt, and however often the chat is read, it is not there. */
static void lose_it_for_good(struct lane *l)
{
    static const char *lists[64];

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        lists[i] = OLD;
    }
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lose_a_send(OLD);
    lane_of_lists(l, lists, sizeof lists / sizeof *lists);
    disk.quick = true;
}

/* Nor is it there when the time is over; and the note of that fails. It is settled by the next call. */
static void a_send_that_never_shows_up(void **state)
{
    avito_outcome outcome = AVITO_NOT_SENT;
    struct lane l;
    uint32_t began;

    (void)state;
    lose_it_for_good(&l);
    began = disk.later_ms;
    disk.fail_at = disk.calls + 1;
    disk.fail_errno = ENOSPC;
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_ERR_FILE);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    assert_in_range(disk.later_ms - began, 59000, 62000);
    disk.fail_at = 0;
    disk.quick = false;
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_END);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    lane_free(&l);
}

/* Between the send and the next call the time was set back by a day, as on a board without a battery. */
static void a_send_in_doubt_before_its_time(void **state)
{
    avito_outcome outcome = AVITO_NOT_SENT;
    struct lane l;
    uint32_t began;

    (void)state;
    lose_it_for_good(&l);
    disk.behind_s = 86400;
    began = disk.later_ms;
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_END);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    assert_in_range(disk.later_ms - began, 59000, 62000);
    disk.behind_s = 0;
    disk.quick = false;
    lane_free(&l);
}

/* The latest time that a file can name is no reason to wait for it. */
static void a_send_begun_at_the_end_of_time(void **state)
{
    avito_outcome outcome = AVITO_NOT_SENT;
    struct lane l;
    uint32_t began;

    (void)state;
    lose_it_for_good(&l);
    write_raw("send.k", "avito-send 1\noutcome 2\nbegun 9223372036854775807\nended 0\nchat c\n"
                        "baseline old\ncreated 1\nmessage \ntext 2\nhi");
    began = disk.later_ms;
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_END);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    assert_in_range(disk.later_ms - began, 59000, 62000);
    disk.quick = false;
    lane_free(&l);
}

/* What the folder cannot say stops a send before it leaves, and a look before it is made. */
static void a_send_beside_a_folder_that_fails(void **state)
{
    static const char *const there[] = {LIST(ROW("m2", "2", "hi") "," ROW("old", "1", "before"))};
    static const char *const refused[] = {OLD};
    avito_outcome outcome = AVITO_SENT;
    static avito_store_send found;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lose_a_send(OLD);
    lane_of_answers(&l, there, 1);
    disk.fail_errno = EIO;
    disk.ask_at =
        disk.asks + 4; /* the note of it was read; the folder's list: whose message is it? */
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_ERR_FILE);
    assert_int_equal(outcome, AVITO_CANNOT_TELL);
    disk.ask_at = 0;
    lane_free(&l);

    lane_of_answers(&l, refused, 1); /* a refusal frees the key */
    script_request(&l.script);
    script_answer_json(&l.script, 403, "{\"error\":{\"message\":\"no permission\"}}", 38);
    assert_int_equal(send_once(&l, "r", "hi", &outcome), AVITO_ERR_FORBIDDEN);
    assert_int_equal(outcome, AVITO_NOT_SENT);
    assert_int_equal(avito_store_find_send(&store, "r", &found), AVITO_END);
    lane_free(&l);
}

/* Another program takes the key between our first look and our note: it sends, we do not. */
static void another_is_quicker(struct lane *l)
{
    write_raw("send.k",
              "avito-send 1\noutcome 1\nbegun 5\nended 6\nchat u2i-x\nbaseline \ncreated 0\n"
              "message m9\ntext 2\nhi");
    (void)l;
}

static void trace_of_another(void *ctx, const char *line)
{
    if (strncmp(line, "request get_messages", 20) == 0) {
        another_is_quicker((struct lane *)ctx);
    }
}

static void a_key_that_another_takes_meanwhile(void **state)
{
    static const char *const lists[] = {OLD};
    avito_outcome outcome = AVITO_CANNOT_TELL;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lane_of_answers(&l, lists, 1);
    l.account.o.trace = trace_of_another;
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_END);
    assert_int_equal(outcome, AVITO_SENT);
    assert_string_equal(avito_store_last_send(&store)->message_id, "m9");
    assert_int_equal(l.script.request_count, 1);
    lane_free(&l);
}

/* Another program finds our message and notes it while we look: it is still ours. */
static void a_key_that_another_settles_meanwhile(void **state)
{
    static const char *const there[] = {LIST(ROW("m9", "2", "hi") "," ROW("old", "1", "before"))};
    avito_outcome outcome = AVITO_CANNOT_TELL;
    struct lane l;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    lose_a_send(OLD);
    lane_of_answers(&l, there, 1);
    l.account.o.trace = trace_of_another;
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    assert_string_equal(avito_store_last_send(&store)->message_id, "m9");
    lane_free(&l);
}

/* An id that is longer than a note takes is no baseline; as many claims as there is room for are enough. */
static void a_chat_of_odd_ids(void **state)
{
    static char list[2 * AVITO_STORE_ID_CAP + 200];
    static const char *const found[] = {LIST(ROW("m1", "2", "hi"))};
    static avito_store_send send;
    avito_outcome outcome = AVITO_SENT;
    struct lane l;
    size_t n;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    n = (size_t)snprintf(list, sizeof list, "{\"messages\":[{\"created\":5,\"id\":\"");
    memset(list + n, 'i', AVITO_STORE_ID_CAP);
    (void)strcpy(list + n + AVITO_STORE_ID_CAP, "\"}]}");
    lose_a_send(list);
    assert_int_equal(avito_store_find_send(&store, "k", &send), AVITO_OK);
    assert_string_equal(send.baseline_id, "");
    assert_int_equal(send.baseline_created, 0);
    for (unsigned i = 0; i < 20; i++) {
        char key[8];

        (void)snprintf(key, sizeof key, "o%u", i % 100);
        note_sent(key, "u2i-x", "hi", key);
    }
    lane_of_answers(&l, found, 1);
    assert_int_equal(send_once(&l, "k", "hi", &outcome), AVITO_OK);
    assert_int_equal(outcome, AVITO_SENT);
    lane_free(&l);
}

static void folders_that_are_none(void **state)
{
    (void)state;
    assert_int_equal(open_store("/dev/null/x", "id"), AVITO_ERR_FILE);
    assert_string_equal(avito_store_problem(&store),
                        "/dev/null/x: cannot be made: Not a directory");
    assert_int_equal(open_store("/dev/null", "id"), AVITO_ERR_FILE);
    assert_string_equal(avito_store_problem(&store),
                        "/dev/null: cannot be opened: Not a directory");
    assert_int_equal(open_store("", "id"), AVITO_ERR_ARGUMENT);
    assert_int_equal(open_store(NULL, "id"), AVITO_ERR_ARGUMENT);
}

/* ---- several programs ---- */

static void a_second_inbox_is_told_who(void **state)
{
    char byte, told[256], wanted[256];
    size_t len;
    int pipes[2], back[2], status;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(pipe(back), 0);
    child = fork();
    if (child == 0) {
        const bool good = open_store(folder, "id") == AVITO_OK &&
                          avito_store_load_inbox(&store, 0, &byte, 1, &len) == AVITO_END;

        (void)!write(pipes[1], good ? "y" : "n", 1);
        (void)!read(back[0], &byte, 1);
        (void)kill(getpid(), SIGKILL);
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    assert_int_equal(avito_store_load_inbox(&store, 0, &byte, 1, &len), AVITO_ERR_BUSY);
    (void)snprintf(told, sizeof told, "%s", avito_store_problem(&store));
    (void)snprintf(wanted, sizeof wanted, "%s: the inbox is in use by process %d store_test",
                   folder, (int)child);
    assert_string_equal(told, wanted);
    assert_int_equal(avito_store_save_inbox(&store, 0, "x", 1), AVITO_ERR_BUSY);
    assert_int_equal(save_token(1), AVITO_OK); /* all programs share tokens and sends */
    assert_int_equal(write(back[1], "k", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(avito_store_load_inbox(&store, 0, &byte, 1, &len),
                     AVITO_END); /* its owner is dead */
}

/* What an earlier owner had signed does not show through. */
static void the_next_owner_has_a_shorter_name(void **state)
{
    static const char *const names[] = {"4194304 a-program-with-a-long-name", "7 b"};
    char path[400], wanted[500], byte;
    size_t len;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    (void)snprintf(path, sizeof path, "%s/inbox.lock", folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
        assert_int_equal(write(fd, names[i], strlen(names[i])), strlen(names[i]));
        assert_int_equal(avito_store_load_inbox(&store, 0, &byte, 1, &len), AVITO_ERR_BUSY);
        (void)snprintf(wanted, sizeof wanted, "%s: the inbox is in use by process %s", folder,
                       names[i]);
        assert_string_equal(avito_store_problem(&store), wanted);
        assert_int_equal(close(fd), 0);
    }
}

/* The moment before its owner has signed. */
static void an_inbox_that_nobody_has_signed(void **state)
{
    char path[400], byte;
    size_t len;
    int fd;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    (void)snprintf(path, sizeof path, "%s/inbox.lock", folder);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0);
    assert_int_equal(avito_store_load_inbox(&store, 0, &byte, 1, &len), AVITO_ERR_BUSY);
    assert_non_null(strstr(avito_store_problem(&store), "the inbox is in use by another program"));
    assert_int_equal(close(fd), 0);
    assert_int_equal(avito_store_load_inbox(&store, 0, &byte, 1, &len), AVITO_END);
}

/* A process that cannot have the lock for five seconds is told BUSY; on a crowded machine it asks again. */
#define UNTIL_NOT_BUSY(rc, call)                                                                   \
    do {                                                                                           \
        (rc) = (call);                                                                             \
    } while ((rc) == AVITO_ERR_BUSY)

static void one_of_many_may_send(void **state)
{
    enum { CHILDREN = 4, SENDS = 40 };
    int *begun = (int *)mmap(NULL, SENDS * sizeof *begun, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status, failed = 0;

    (void)state;
    assert_ptr_not_equal(begun, MAP_FAILED);
    for (int i = 0; i < CHILDREN; i++) {
        if (fork() == 0) {
            int rc = open_store(folder, "id");

            for (int n = 0; rc >= 0 && n < SENDS; n++) {
                char key[16];
                avito_store_send send;

                (void)snprintf(key, sizeof key, "k%d", n);
                send = send_of(key);
                UNTIL_NOT_BUSY(rc, avito_store_begin_send(&store, &send));
                if (rc == AVITO_OK) {
                    (void)__sync_fetch_and_add(&begun[n], 1);
                    UNTIL_NOT_BUSY(rc, avito_store_end_send(&store, key, AVITO_SENT, "m"));
                }
                if (rc >= 0) {
                    UNTIL_NOT_BUSY(rc, save_token(i + 1));
                }
            }
            _exit(rc < 0);
        }
    }
    for (int i = 0; i < CHILDREN; i++) {
        assert_true(wait(&status) > 0);
        failed += status != 0;
    }
    assert_int_equal(failed, 0);
    for (int n = 0; n < SENDS; n++) {
        assert_int_equal(begun[n], 1);
    }
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    assert_in_range(stored_token(), 1, CHILDREN);
}
#undef UNTIL_NOT_BUSY

/* ---- how many are remembered ---- */

static int remove_the_others(void *ctx, const avito_store_send *send)
{
    for (unsigned i = 0; i < AVITO_STORE_SENDS + 3; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "send.k%u", i);
        if (strcmp(name + 5, send->key) != 0) {
            (void)unlink(in_folder(name));
        }
    }
    ++*(int *)ctx;
    return AVITO_OK;
}

static void the_oldest_is_forgotten(void **state)
{
    int count = 0;
    static avito_store_send found;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    for (unsigned i = 0; i < AVITO_STORE_SENDS + 3; i++) {
        char key[16], name[32], text[4200];
        avito_store_send send;

        (void)snprintf(key, sizeof key, "k%u", i);
        send = send_of(key);
        assert_int_equal(avito_store_begin_send(&store, &send), AVITO_OK);
        if (i != 1) {
            assert_int_equal(avito_store_end_send(&store, key, AVITO_SENT, "m"), AVITO_OK);
        }
        /* As if each had been settled a second after the one before, but begun before it. */
        (void)snprintf(name, sizeof name, "send.%s", key);
        (void)snprintf(
            text, sizeof text,
            "avito-send 1\noutcome %d\nbegun %u\nended %u\nchat u2i-%s\nbaseline before-%s\n"
            "created 1700000000\nmessage m\ntext %zu\n%s",
            i == 1 ? 2 : 1, 900 - i, i == 1 ? 0u : 1000 + i, key, key, strlen(send.text),
            send.text);
        write_raw(name, text);
    }
    assert_int_equal(avito_store_each_send(&store, count_send, &count), AVITO_OK);
    assert_int_equal(count, AVITO_STORE_SENDS);
    assert_int_equal(avito_store_find_send(&store, "k0", &found), AVITO_END);
    assert_int_equal(avito_store_find_send(&store, "k1", &found),
                     AVITO_OK); /* not settled: it stays */
    assert_int_equal(avito_store_find_send(&store, "k2", &found), AVITO_END);
    assert_int_equal(avito_store_find_send(&store, "k4", &found), AVITO_OK);
    count = 0;
    assert_int_equal(avito_store_each_send(&store, stop_at_once, &count), 77);
    assert_int_equal(count, 1);
    count = 0; /* another program removes them while we look */
    assert_int_equal(avito_store_each_send(&store, remove_the_others, &count), AVITO_OK);
    assert_int_equal(count, 1);
}

static int begin_again(void *ctx, const avito_store_send *send)
{
    avito_store_send copy = *send;

    (void)ctx;
    assert_int_equal(avito_store_forget_send(&store, copy.key), AVITO_OK);
    assert_int_equal(avito_store_begin_send(&store, send),
                     AVITO_ERR_ARGUMENT); /* it is the store's own */
    assert_int_equal(avito_store_begin_send(&store, &copy), AVITO_OK);
    return 77;
}

static void a_visit_begins_a_send_with_a_copy(void **state)
{
    const avito_store_send send = send_of("k");
    static avito_store_send found;

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_OK);
    assert_int_equal(avito_store_each_send(&store, begin_again, NULL), 77);
    assert_int_equal(avito_store_find_send(&store, "k", &found), AVITO_OK);
    assert_string_equal(found.text, send.text);
    assert_string_equal(found.chat_id, send.chat_id);
}

static void as_many_as_it_takes_are_not_settled(void **state)
{
    avito_store_send send = send_of("one more");

    (void)state;
    assert_int_equal(open_store(folder, "id"), AVITO_OK);
    for (unsigned i = 0; i < AVITO_STORE_SENDS; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "send.k%u", i);
        write_raw(name, "avito-send 1\noutcome 2\nbegun 5\nended 0\nchat x\nbaseline \ncreated 0\n"
                        "message \ntext 0\n");
    }
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_ROOM);
    assert_non_null(strstr(avito_store_problem(&store), "not settled"));
    assert_int_equal(avito_store_end_send(&store, "k7", AVITO_SENT, NULL), AVITO_OK);
    disk.fail_at = disk.calls + 1; /* the one that could go cannot be removed */
    disk.fail_errno = EIO;
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_ERR_FILE);
    disk.fail_at = 0;
    assert_int_equal(avito_store_end_send(&store, "k7", AVITO_NOT_SENT, NULL), AVITO_OK);
    assert_int_equal(avito_store_begin_send(&store, &send), AVITO_OK);
}

/* ---- pictures ---- */

static void pictures_from_files(void **state)
{
#define LONG                                                                                       \
    "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
    static const struct {
        const char *name, *head, *type, *sent_as;
    } files[] = {{"a.jpg", "\xff\xd8\xff\xe0 and more bytes", "image/jpeg", "a.jpg"},
                 {"my \"cat\".PNG", "\x89PNG\r\n\x1a\n and more", "image/png", "my \"cat\".PNG"},
                 {"\xd1\x8f.gif", "GIF89a", "image/gif", "\xd1\x8f.gif"},
                 {"\xff.gif", "GIF89a", "image/gif", "?.gif"},
                 {LONG "\xd1\x8f" LONG ".gif", "GIF89a", "image/gif", LONG ".gif"},
                 {"x", "BM", "image/bmp", "x"},
                 {"\xdf", "BM", "image/bmp", NULL},
                 {"i.heic", "1234ftypheic9999", "image/heic", "i.heic"},
                 {"j.heic", "1234ftypmif19999", "image/heic", "j.heic"},
                 {"film.mp4", "1234ftypisom9999", NULL, NULL},
                 {"text.jpg", "no picture, whatever it is called", NULL, NULL},
                 {"empty.jpg", "", NULL, NULL}};
    avito_image_file image;
    char path[400], bytes[8], top[1000];

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        write_raw(files[i].name, files[i].head);
        memset(&image, 0x5a, sizeof image); /* nothing of what was there counts */
        if (files[i].type == NULL) {
            assert_int_equal(avito_image_from_file(&image, path), AVITO_ERR_ARGUMENT);
            continue;
        }
        assert_int_equal(avito_image_from_file(&image, path), AVITO_OK);
        assert_string_equal(image.source.content_type, files[i].type);
        if (files[i].sent_as == NULL) {
            assert_null(image.source.file_name); /* the upload has a default, but takes no "" */
        } else {
            assert_string_equal(image.source.file_name, files[i].sent_as);
        }
        assert_int_equal(image.source.size, strlen(files[i].head));
        assert_null(image.source.data);
        assert_true(image.source.progress == NULL);
        assert_int_equal(image.source.read(image.source.ctx, 1, bytes, 1), 1);
        assert_int_equal(bytes[0], files[i].head[1]);
        assert_int_equal(image.source.read(image.source.ctx, 999, bytes, 1), AVITO_ERR_SOURCE);
        avito_image_file_close(&image);
        avito_image_file_close(&image);
    }
    assert_non_null(getcwd(top, sizeof top));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(avito_image_from_file(&image, "a.jpg"), AVITO_OK); /* a name alone */
    assert_string_equal(image.source.file_name, "a.jpg");
    avito_image_file_close(&image);
    assert_int_equal(chdir(top), 0);
    assert_int_equal(avito_image_from_file(&image, "/nowhere/a.jpg"), AVITO_ERR_FILE);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(truncate(path, (off_t)AVITO_IMAGE_MAX + 1), 0);
    assert_int_equal(avito_image_from_file(&image, path), AVITO_ERR_TOO_LARGE);
    assert_int_equal(avito_image_from_file(&image, folder), AVITO_ERR_FILE);
    assert_int_equal(avito_image_from_file(&image, "/dev/zero"), AVITO_ERR_ARGUMENT);
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    (void)alarm(20); /* nobody writes into it: a wait would have no end */
    assert_int_equal(avito_image_from_file(&image, in_folder("pipe")), AVITO_ERR_FILE);
    assert_int_equal(errno, ESPIPE);
    (void)alarm(0);
    (void)snprintf(path, sizeof path, "%s/%s", folder, files[0].name);
    disk.fail_errno = EIO;
    disk.ask_at = disk.asks + 1; /* fstat() */
    assert_int_equal(avito_image_from_file(&image, path), AVITO_ERR_FILE);
    assert_int_equal(errno, EIO);
    disk.ask_at = disk.asks + 2; /* its first bytes */
    assert_int_equal(avito_image_from_file(&image, path), AVITO_ERR_FILE);
    assert_int_equal(avito_image_from_file(&image, path), AVITO_OK);
    disk.ask_at = disk.asks + 1;
    assert_int_equal(image.source.read(image.source.ctx, 0, bytes, 1), AVITO_ERR_SOURCE);
    disk.ask_at = disk.asks + 1;
    disk.fail_errno = EINTR; /* it is read again */
    assert_int_equal(image.source.read(image.source.ctx, 0, bytes, 1), 1);
    disk.ask_at = 0;
    avito_image_file_close(&image);
#undef LONG
}

/* The store's hooks fit the options of accounts and inboxes as they are. */
static void hooks_fit(void **state)
{
    avito_account_options account = avito_account_options_default();
    avito_inbox_options inbox = avito_inbox_options_default();

    (void)state;
    account.load_token = avito_store_load_token;
    account.save_token = avito_store_save_token;
    inbox.load = avito_store_load_inbox;
    inbox.save = avito_store_save_inbox;
    assert_true(account.load_token != NULL && inbox.load != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_may_go_anywhere),
        cmocka_unit_test(a_disk_that_does_not_sync_is_noticed),
        cmocka_unit_test(every_call_may_fail),
        cmocka_unit_test(every_look_may_fail),
        cmocka_unit_test(looks_that_fail_say_so),
        cmocka_unit_test(interrupted_calls_go_on),
        cmocka_unit_test(bytes_come_in_pieces),
        cmocka_unit_test(a_full_disk_is_said),
        cmocka_unit_test(the_last_calls_of_a_write),
        cmocka_unit_test(a_folder_that_cannot_be_kept),
        cmocka_unit_test(a_disk_that_is_read_only),
        cmocka_unit_test(a_lock_that_another_has),
        cmocka_unit_test_setup_teardown(killed_at_every_call, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(nobody_else_can_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(tokens_are_given_to_whom_they_belong, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_cannot_be_understood, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_line_of_a_send_is_spoilt, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_send_with_long_lines, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(keys_and_names, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_key_is_sent_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_dry_run_leaves_no_note, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_id_that_does_not_fit, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_lane_that_settles, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_key_that_another_program_forgets, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_key_that_is_free_again, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_was_not_sent_may_be_tried_again, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_send_in_doubt_is_looked_up, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_send_below_others_of_its_text, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_send_that_is_not_there, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_picture_is_sent_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_send_that_shows_up_late, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_send_that_never_shows_up, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_send_in_doubt_before_its_time, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_send_begun_at_the_end_of_time, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_send_beside_a_folder_that_fails, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_key_that_another_takes_meanwhile, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_key_that_another_settles_meanwhile, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_chat_of_odd_ids, make_folder, remove_folder),
        cmocka_unit_test(folders_that_are_none),
        cmocka_unit_test_setup_teardown(a_second_inbox_is_told_who, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_next_owner_has_a_shorter_name, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(an_inbox_that_nobody_has_signed, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(one_of_many_may_send, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_oldest_is_forgotten, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_visit_begins_a_send_with_a_copy, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(as_many_as_it_takes_are_not_settled, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(pictures_from_files, make_folder, remove_folder),
        cmocka_unit_test(hooks_fit),
    };

    seen = (struct seen *)mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seen == MAP_FAILED) {
        return 2;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
