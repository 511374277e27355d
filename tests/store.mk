# The file store on an interposed file system: tests/unit/store_disk.h.
build/tests/store_test: LDLIBS += -Wl,--wrap=openat,--wrap=close,--wrap=read,--wrap=write,--wrap=fsync,--wrap=fstat \
    -Wl,--wrap=ftruncate,--wrap=flock,--wrap=unlinkat,--wrap=renameat,--wrap=mkdir,--wrap=fdopendir \
    -Wl,--wrap=readdir,--wrap=closedir
