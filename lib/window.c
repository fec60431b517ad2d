/* Reading a part of a file through a window. */
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open(const char *path, uint64_t *size, struct error *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set(e, "cannot open it: %s", strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(e, "is not a file");
    }
    *size = (uint64_t)st.st_size;
    return fd;
}

int file_read_at(int fd, uint64_t offset, void *out, size_t n, struct error *e)
{
    unsigned char *p = out;
    while (n) {
        ssize_t k = pread(fd, p, n, (off_t)offset);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return error_set(e, "cannot read it: %s", strerror(errno));
        if (k == 0)
            return error_set(e, "ends early: it was cut, or changed while being read");
        p += k;
        n -= (size_t)k;
        offset += (uint64_t)k;
    }
    return 0;
}

void window_start(struct window *w, int fd, uint64_t at, uint64_t end)
{
    w->fd = fd;
    w->at = at;
    w->end = end > at ? end : at;
    w->first = w->filled = 0;
}

int window_read(struct window *w, void *out, size_t n, struct error *e)
{
    unsigned char *p = out;
    if (n > window_left(w))
        return error_set(e, "ends early, at byte %llu: it was cut, or is damaged",
                         (unsigned long long)w->end);
    while (n) {
        size_t have = w->filled - w->first;
        if (!have) {
            size_t more = window_left(w) < WINDOW_BYTES ? (size_t)window_left(w) : WINDOW_BYTES;
            if (file_read_at(w->fd, w->at, w->data, more, e))
                return -1;
            w->first = 0;
            w->filled = have = more;
        }
        size_t k = n < have ? n : have;
        memcpy(p, w->data + w->first, k);
        w->first += k;
        w->at += k;
        p += k;
        n -= k;
    }
    return 0;
}
