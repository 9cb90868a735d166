/* Preloaded into a platform: makes calls on files below /store/ fail while a file says which (see failing_disk.py). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(const char *what) {
    const char *path = getenv("FAILING_DISK");
    if (!path) return 0;
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int fd = real_open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    char text[64] = {0};
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    return count > 0 && strstr(text, what) != NULL;
}

static int in_store(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t count = readlink(link, path, sizeof path - 1);
    if (count < 0) return 0;
    path[count] = 0;
    return strstr(path, "/store/") != NULL;
}

#define SYNC(name)                                                   \
    int name(int fd) {                                               \
        if (in_store(fd) && fails("sync")) { errno = EIO; return -1; } \
        int (*real)(int) = dlsym(RTLD_NEXT, #name);                  \
        return real(fd);                                             \
    }
SYNC(fsync)
SYNC(fdatasync)

#define WRITE(name, offset)                                                       \
    ssize_t name(int fd, const void *data, size_t count, offset at) {             \
        if (in_store(fd) && fails("write")) { errno = EIO; return -1; }           \
        if (in_store(fd) && fails("space")) { errno = ENOSPC; return -1; }        \
        ssize_t (*real)(int, const void *, size_t, offset) = dlsym(RTLD_NEXT, #name); \
        return real(fd, data, count, at);                                         \
    }
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)

#define OPEN(name)                                                                \
    int name(const char *path, int flags, ...) {                                  \
        va_list rest;                                                             \
        va_start(rest, flags);                                                    \
        mode_t mode = va_arg(rest, int);                                          \
        va_end(rest);                                                             \
        if (path && strstr(path, "/store/") && fails("open")) { errno = EIO; return -1; } \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);            \
        return real(path, flags, mode);                                           \
    }
OPEN(open)
OPEN(open64)
