/* A disk that may lose power: the file system calls of the header, interposed by the linker (--wrap).
 *
 * Names and bytes that were not synced are a list of changes. A power cut keeps what was synced and any
 * subset of that list: the test goes through all of them. A file's fsync() saves its bytes and no name;
 * the folder's saves the names. Writes are whole or, as a variant, cut in the middle.
 *
 * The same calls can go to the real file system and kill the process at the n-th one. */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    DISK_FILES = 64, /* inodes over the life of a disk; number 0 is the folder */
    DISK_BYTES = 1024,
    DISK_NAMES = 32,
    DISK_CHANGES = 16, /* not synced at once */
    DISK_FDS = 16,
    DISK_FD = 1000 /* descriptors of ours begin here */
};

struct disk_bytes {
    size_t len;
    char bytes[DISK_BYTES];
};

struct disk_name {
    char name[240]; /* "": free */
    int file;
};

struct disk_image {
    struct disk_bytes files[DISK_FILES];
    struct disk_name names[DISK_NAMES];
};

enum disk_kind { DISK_WRITE, DISK_LINK, DISK_RENAME, DISK_UNLINK };

struct disk_change {
    enum disk_kind kind;
    int file;
    char name[240], to[240];
    struct disk_bytes bytes; /* DISK_WRITE: all of the file after it */
};

static struct {
    bool on; /* the model; else the real file system */
    struct disk_image now, safe;
    struct disk_change changes[DISK_CHANGES];
    size_t changes_count;
    int files_count;
    struct {
        int file;
        size_t pos;
    } fds[DISK_FDS]; /* file -1: free */
    size_t list_at;  /* of readdir() */
    struct dirent entry;
    long calls;   /* that change something */
    long cut_at;  /* power goes, or the process is killed, at this one; 0: never */
    long fail_at; /* this one fails */
    int fail_errno;
    long asks;          /* calls that change nothing */
    long ask_at;        /* this one fails with fail_errno */
    size_t short_write; /* 0: any length at once */
    size_t short_read;
    long closes, close_at;      /* of the model's files; this one fails with fail_errno */
    long locked;                /* how often another program still has the lock */
    void (*at_unlock)(void);    /* called once, when it is free again */
    bool read_only, new_folder; /* no file can be written; mkdir() makes one */
    bool quick;                 /* a pause takes no time, but the clocks go on: */
    uint32_t later_ms;          /* so far */
    time_t behind_s;            /* the time has been set back so far; the other clock was not */
    bool skip_file_sync, skip_folder_sync; /* a disk that lies, to check that the tests notice */
    jmp_buf power;
} disk;

int __real_openat(int folder, const char *name, int flags, ...);
int __real_close(int fd);
ssize_t __real_read(int fd, void *buf, size_t cap);
ssize_t __real_pread(int fd, void *buf, size_t cap, off_t at);
ssize_t __real_write(int fd, const void *buf, size_t len);
int __real_fsync(int fd);
int __real_fstat(int fd, struct stat *info);
int __real_ftruncate(int fd, off_t len);
int __real_flock(int fd, int how);
int __real_unlinkat(int folder, const char *name, int flags);
int __real_renameat(int from, const char *name, int to_folder, const char *to);
int __real_mkdir(const char *name, mode_t mode);
DIR *__real_fdopendir(int fd);
struct dirent *__real_readdir(DIR *list);
int __real_closedir(DIR *list);

int __wrap_openat(int folder, const char *name, int flags, ...);
int __wrap_close(int fd);
ssize_t __wrap_read(int fd, void *buf, size_t cap);
ssize_t __wrap_pread(int fd, void *buf, size_t cap, off_t at);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
int __wrap_fsync(int fd);
int __wrap_fstat(int fd, struct stat *info);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_flock(int fd, int how);
int __wrap_unlinkat(int folder, const char *name, int flags);
int __wrap_renameat(int from, const char *name, int to_folder, const char *to);
int __wrap_mkdir(const char *name, mode_t mode);
DIR *__wrap_fdopendir(int fd);
struct dirent *__wrap_readdir(DIR *list);
int __wrap_closedir(DIR *list);

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
time_t __wrap_time(time_t *now);
int __real_poll(struct pollfd *fds, nfds_t count, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int ms);

/* ---- clocks and pauses ---- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    const int rc = __real_clock_gettime(clock, now);

    now->tv_sec += disk.later_ms / 1000 - (clock == CLOCK_REALTIME ? disk.behind_s : 0);
    now->tv_nsec += (long)(disk.later_ms % 1000) * 1000000;
    return rc;
}

time_t __wrap_time(time_t *now)
{
    struct timespec t;

    (void)__wrap_clock_gettime(CLOCK_REALTIME, &t);
    if (now != NULL) {
        *now = t.tv_sec;
    }
    return t.tv_sec;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int ms)
{
    if (!disk.quick) {
        return __real_poll(fds, count, ms);
    }
    assert_true(fds != NULL || count == 0); /* else it fails at once, which is no pause */
    disk.later_ms += (uint32_t)ms;
    return 0;
}

/* ---- the model ---- */

static int disk_find(const struct disk_image *image, const char *name)
{
    for (int i = 0; i < DISK_NAMES; i++) {
        if (strcmp(image->names[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static void disk_link(struct disk_image *image, const char *name, int file)
{
    int at = disk_find(image, name);

    at = at >= 0 ? at : disk_find(image, "");
    if (at < 0) {
        abort();
    }
    (void)snprintf(image->names[at].name, sizeof image->names[at].name, "%s", name);
    image->names[at].file = file;
}

static void disk_unlink(struct disk_image *image, const char *name)
{
    const int at = disk_find(image, name);

    if (at >= 0) {
        image->names[at].name[0] = '\0';
    }
}

static void disk_apply(struct disk_image *image, const struct disk_change *c, bool half)
{
    if (c->kind == DISK_WRITE) {
        image->files[c->file] = c->bytes;
        image->files[c->file].len /= half ? 2 : 1;
    } else if (c->kind == DISK_LINK) {
        disk_link(image, c->name, c->file);
    } else if (c->kind == DISK_RENAME) {
        disk_unlink(image, c->name);
        disk_link(image, c->to, c->file);
    } else {
        disk_unlink(image, c->name);
    }
}

/* Applied at once, and remembered as not synced. */
static void disk_change(enum disk_kind kind, int file, const char *name, const char *to)
{
    struct disk_change *c = &disk.changes[disk.changes_count++];

    if (disk.changes_count > DISK_CHANGES) {
        abort();
    }
    memset(c, 0, sizeof *c);
    c->kind = kind;
    c->file = file;
    (void)snprintf(c->name, sizeof c->name, "%s", name);
    (void)snprintf(c->to, sizeof c->to, "%s", to);
    c->bytes = disk.now.files[file];
    if (kind != DISK_WRITE) {
        disk_apply(&disk.now, c, false);
    }
}

/* A sync copies to the safe image: the bytes of one file, or all names (file 0). */
static void disk_sync(int file)
{
    size_t left = 0;

    for (size_t i = 0; i < disk.changes_count; i++) {
        struct disk_change *c = &disk.changes[i];

        if (file == 0 ? c->kind != DISK_WRITE : c->kind == DISK_WRITE && c->file == file) {
            disk_apply(&disk.safe, c, false);
        } else {
            disk.changes[left++] = *c;
        }
    }
    disk.changes_count = left;
}

static void disk_new(void)
{
    memset(&disk, 0, sizeof disk);
    disk.on = true;
    disk.files_count = 1;
    for (int i = 0; i < DISK_FDS; i++) {
        disk.fds[i].file = -1;
    }
}

/* The power comes back: the disk has what was synced, and those other changes whose bit is set in
 * `kept`. `half`: the last write among these is cut in the middle. */
static void disk_power(unsigned kept, bool half)
{
    for (size_t i = 0; i < disk.changes_count; i++) {
        if ((kept >> i & 1u) != 0) {
            disk_apply(&disk.safe, &disk.changes[i], half && disk.changes[i].kind == DISK_WRITE);
        }
    }
    disk.now = disk.safe;
    disk.changes_count = 0;
    disk.calls = disk.cut_at = disk.fail_at = 0;
    for (int i = 0; i < DISK_FDS; i++) {
        disk.fds[i].file = -1;
    }
}

/* Before a call that changes something: true if it is to fail. */
static bool disk_turn(void)
{
    disk.calls++;
    if (disk.calls == disk.cut_at) {
        if (!disk.on) {
            (void)kill(getpid(), SIGKILL);
        }
        longjmp(disk.power, 1);
    }
    if (disk.calls == disk.fail_at) {
        errno = disk.fail_errno;
        return true;
    }
    return false;
}

/* The same before one that changes nothing. */
static bool disk_ask(void)
{
    if (++disk.asks == disk.ask_at) {
        errno = disk.fail_errno;
        return true;
    }
    return false;
}

static int disk_fd(int file)
{
    for (int i = 0; i < DISK_FDS; i++) {
        if (disk.fds[i].file < 0) {
            disk.fds[i].file = file;
            disk.fds[i].pos = 0;
            return DISK_FD + i;
        }
    }
    abort();
}

static int disk_open(const char *name, int flags)
{
    const int at = disk_find(&disk.now, name);
    int file = at >= 0 ? disk.now.names[at].file : 0;

    if (disk.read_only && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0)) {
        errno = EROFS;
        return -1;
    }
    if ((flags & O_DIRECTORY) != 0 || strcmp(name, "..") == 0) {
        return disk_ask() ? -1 : disk_fd(0);
    }
    if (at < 0 && (flags & O_CREAT) == 0) {
        errno = ENOENT;
        return -1;
    }
    if ((at < 0 || (flags & O_TRUNC) != 0) && disk_turn()) {
        return -1;
    }
    if (at < 0) {
        file = disk.files_count++;
        if (file >= DISK_FILES) {
            abort();
        }
        disk.now.files[file].len = 0;
        disk_change(DISK_LINK, file, name, "");
    } else if ((flags & O_TRUNC) != 0 && disk.now.files[file].len > 0) {
        disk.now.files[file].len = 0;
        disk_change(DISK_WRITE, file, "", "");
    }
    return disk_fd(file);
}

/* ---- the calls ---- */

int __wrap_openat(int folder, const char *name, int flags, ...)
{
    va_list more;
    unsigned mode = 0;

    assert_true((flags & O_CLOEXEC) != 0); /* not for children of other threads */
    if ((flags & O_CREAT) != 0) {
        va_start(more, flags);
        mode = va_arg(more, unsigned);
        va_end(more);
    }
    if (disk.on) {
        return disk_open(name, flags);
    }
    if ((flags & (O_CREAT | O_TRUNC)) != 0 && disk_turn()) {
        return -1;
    }
    return __real_openat(folder, name, flags, mode);
}

int __wrap_close(int fd)
{
    if (fd < DISK_FD) {
        return __real_close(fd);
    }
    disk.fds[fd - DISK_FD].file = -1;
    if (++disk.closes == disk.close_at) {
        errno = disk.fail_errno;
        return -1;
    }
    return 0;
}

ssize_t __wrap_read(int fd, void *buf, size_t cap)
{
    const struct disk_bytes *file;
    size_t n;

    if (disk_ask()) {
        return -1;
    }
    if (disk.short_read > 0 && cap > disk.short_read) {
        cap = disk.short_read;
    }
    if (fd < DISK_FD) {
        return __real_read(fd, buf, cap);
    }
    file = &disk.now.files[disk.fds[fd - DISK_FD].file];
    n = file->len - disk.fds[fd - DISK_FD].pos;
    n = n < cap ? n : cap;
    memcpy(buf, file->bytes + disk.fds[fd - DISK_FD].pos, n);
    disk.fds[fd - DISK_FD].pos += n;
    return (ssize_t)n;
}

ssize_t __wrap_pread(int fd, void *buf, size_t cap, off_t at)
{
    return disk_ask() ? -1 : __real_pread(fd, buf, cap, at);
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
    struct disk_bytes *file;

    if (disk_turn()) {
        return -1;
    }
    if (disk.short_write > 0 && len > disk.short_write) {
        len = disk.short_write;
    }
    if (fd < DISK_FD) {
        return __real_write(fd, buf, len);
    }
    file = &disk.now.files[disk.fds[fd - DISK_FD].file];
    if (file->len + len > DISK_BYTES) {
        abort();
    }
    memcpy(file->bytes + file->len, buf, len);
    file->len += len;
    disk_change(DISK_WRITE, disk.fds[fd - DISK_FD].file, "", "");
    return (ssize_t)len;
}

int __wrap_fsync(int fd)
{
    int file;

    if (disk_turn()) {
        return -1;
    }
    if (fd < DISK_FD) {
        return __real_fsync(fd);
    }
    file = disk.fds[fd - DISK_FD].file;
    if (!(file == 0 ? disk.skip_folder_sync : disk.skip_file_sync)) {
        disk_sync(file);
    }
    return 0;
}

int __wrap_fstat(int fd, struct stat *info)
{
    if (disk_ask()) {
        return -1;
    }
    if (fd < DISK_FD) {
        return __real_fstat(fd, info);
    }
    memset(info, 0, sizeof *info);
    info->st_size = (off_t)disk.now.files[disk.fds[fd - DISK_FD].file].len;
    return 0;
}

int __wrap_ftruncate(int fd, off_t len)
{
    if (disk_ask()) {
        return -1;
    }
    if (fd < DISK_FD) {
        return __real_ftruncate(fd, len);
    }
    disk.now.files[disk.fds[fd - DISK_FD].file].len = (size_t)len;
    return 0;
}

int __wrap_flock(int fd, int how)
{
    if (disk_ask()) {
        return -1;
    }
    if (disk.locked > 0 && how != LOCK_UN) {
        disk.locked--;
        errno = EWOULDBLOCK;
        return -1;
    }
    if (fd < DISK_FD) { /* one process has the model */
        const int rc = __real_flock(fd, how);
        void (*const then)(void) = how == LOCK_UN ? disk.at_unlock : NULL;

        if (then != NULL) {
            disk.at_unlock = NULL;
            then();
        }
        return rc;
    }
    return 0;
}

int __wrap_unlinkat(int folder, const char *name, int flags)
{
    int at;

    if (disk_turn()) {
        return -1;
    }
    if (!disk.on) {
        return __real_unlinkat(folder, name, flags);
    }
    at = flags == 0 ? disk_find(&disk.now, name) : -1;
    if (at < 0) {
        errno = flags == 0 ? ENOENT : EINVAL;
        return -1;
    }
    disk_change(DISK_UNLINK, disk.now.names[at].file, name, "");
    return 0;
}

int __wrap_renameat(int from, const char *name, int to_folder, const char *to)
{
    int at;

    if (disk_turn()) {
        return -1;
    }
    if (!disk.on) {
        return __real_renameat(from, name, to_folder, to);
    }
    at = disk_find(&disk.now, name);
    if (at < 0) {
        errno = ENOENT;
        return -1;
    }
    disk_change(DISK_RENAME, disk.now.names[at].file, name, to);
    return 0;
}

int __wrap_mkdir(const char *name, mode_t mode)
{
    if (!disk.on) {
        return __real_mkdir(name, mode);
    }
    errno = EEXIST;
    return disk.new_folder ? 0 : -1;
}

DIR *__wrap_fdopendir(int fd)
{
    if (disk_ask()) {
        return NULL;
    }
    if (fd < DISK_FD) {
        return __real_fdopendir(fd);
    }
    disk.list_at = 0;
    return (DIR *)(void *)&disk.fds[fd - DISK_FD];
}

struct dirent *__wrap_readdir(DIR *list)
{
    if (!disk.on) {
        return __real_readdir(list);
    }
    while (disk.list_at < DISK_NAMES) {
        const char *name = disk.now.names[disk.list_at++].name;

        if (name[0] != '\0') {
            (void)snprintf(disk.entry.d_name, sizeof disk.entry.d_name, "%s", name);
            return &disk.entry;
        }
    }
    return NULL;
}

int __wrap_closedir(DIR *list)
{
    if (!disk.on) {
        return __real_closedir(list);
    }
    for (int i = 0; i < DISK_FDS; i++) {
        if ((void *)list == (void *)&disk.fds[i]) {
            disk.fds[i].file = -1;
        }
    }
    return 0;
}

#endif
