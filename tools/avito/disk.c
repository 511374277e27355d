/* disk.c - see disk.h. */
#include "disk.h"

#include "avito_messenger.h"
#include "russian.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4400

static int failed(int fd)
{
    const int error = errno;

    if (fd >= 0) {
        close(fd);
    }
    errno = error;
    return AVITO_ERR_FILE;
}

bool disk_put(int fd, const char *data, size_t len)
{
    while (len > 0) {
        const ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Makes the names in the folder durable. */
static bool sync_folder(const char *folder)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

int disk_write(const char *folder, const char *name, const void *data, size_t len)
{
    char path[PATH_SIZE], fresh[PATH_SIZE + 4];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return AVITO_ERR_FILE;
    }
    if (!disk_put(fd, data, len) || fdatasync(fd) != 0) {
        (void)failed(fd);
        unlink(fresh);
        return AVITO_ERR_FILE;
    }
    if (close(fd) != 0 || rename(fresh, path) != 0 || !sync_folder(folder)) {
        return AVITO_ERR_FILE;
    }
    return AVITO_OK;
}

int disk_overwrite(const char *folder, const char *name, const void *data, size_t len)
{
    char path[PATH_SIZE];
    struct stat before;
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &before) != 0 || (size_t)before.st_size != len) {
        (void)failed(fd);
        return disk_write(folder, name, data, len);
    }
    if (!disk_put(fd, data, len) || fdatasync(fd) != 0) {
        return failed(fd);
    }
    return close(fd) == 0 ? (int)AVITO_OK : (int)AVITO_ERR_FILE;
}

/* Removes what was added only in part. */
int disk_append(const char *folder, const char *name, const void *data, size_t len)
{
    char path[PATH_SIZE];
    struct stat before;
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fstat(fd, &before) != 0) {
        return failed(fd);
    }
    if (!disk_put(fd, data, len) || fdatasync(fd) != 0) {
        const int error = errno;

        if (ftruncate(fd, before.st_size) != 0) {
            errno = error; /* the ledger ignores a line that is not whole */
        }
        errno = error;
        return failed(fd);
    }
    if (close(fd) != 0 || (before.st_size == 0 && !sync_folder(folder))) {
        return AVITO_ERR_FILE;
    }
    return AVITO_OK;
}

int disk_read(const char *folder, const char *name, char **data, size_t *len)
{
    char path[PATH_SIZE];
    struct stat info;
    ssize_t n;
    int fd;

    *data = NULL;
    *len = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? (int)AVITO_END : (int)AVITO_ERR_FILE;
    }
    if (fstat(fd, &info) != 0 || (*data = malloc((size_t)info.st_size + 1)) == NULL) {
        return failed(fd);
    }
    while (*len < (size_t)info.st_size &&
           ((n = read(fd, *data + *len, (size_t)info.st_size - *len)) > 0 ||
            (n < 0 && errno == EINTR))) {
        *len += n > 0 ? (size_t)n : 0;
    }
    if (*len < (size_t)info.st_size) {
        free(*data);
        *data = NULL;
        return failed(fd);
    }
    (*data)[*len] = '\0';
    close(fd);
    return AVITO_OK;
}

bool disk_take(int fd, const char *path)
{
    struct stat ours, named;

    /* Whoever had it may have given it another name meanwhile, as a file that is whole. */
    if ((flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && fstat(fd, &ours) == 0 &&
        stat(path, &named) == 0 && ours.st_ino == named.st_ino) {
        return true;
    }
    fprintf(stderr, "%s: %s\n", path, error_text(AVITO_ERR_BUSY));
    return false;
}

bool disk_is_locked(const char *folder, const char *name)
{
    char path[PATH_SIZE];
    bool locked;
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0) {
        close(fd);
    }
    return locked;
}

int disk_lock(const char *folder, const char *name, const char *owner)
{
    char path[PATH_SIZE], text[128];
    int fd, n;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)failed(fd);
        return -1;
    }
    n = snprintf(text, sizeof text, "%ld %s", (long)getpid(), owner);
    if (ftruncate(fd, 0) != 0 || !disk_put(fd, text, (size_t)n)) {
        errno = 0; /* then the holder's process id is not known to others */
    }
    return fd;
}
