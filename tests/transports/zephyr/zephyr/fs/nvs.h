#ifndef FAKE_ZEPHYR_NVS_H
#define FAKE_ZEPHYR_NVS_H
#include <stdint.h>
#include <sys/types.h>
struct nvs_fs {
    int sectors;
};
/* Bytes written, 0 where the same is there already, or a negative errno. */
ssize_t nvs_write(struct nvs_fs *fs, uint16_t id, const void *data, size_t len);
/* The length of the entry, which may be over `cap`, or -ENOENT. */
ssize_t nvs_read(struct nvs_fs *fs, uint16_t id, void *data, size_t cap);
#endif
