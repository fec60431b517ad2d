/* Files that remember errors, for libxlsxwriter. */
#include "parts.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

static int lost;

static ssize_t part_write(void *fd, const char *data, size_t n)
{
    size_t done = 0;
    while (done < n) {
        const ssize_t k = write((int)(intptr_t)fd, data + done, n - done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            lost = lost ? lost : errno;
            return (ssize_t)done;
        }
        done += (size_t)k;
    }
    return (ssize_t)n;
}

static ssize_t part_read(void *fd, char *data, size_t n)
{
    ssize_t k;
    while ((k = read((int)(intptr_t)fd, data, n)) < 0 && errno == EINTR)
        ;
    if (k < 0)
        lost = lost ? lost : errno;
    return k;
}

static int part_seek(void *fd, off64_t *at, int from)
{
    *at = lseek((int)(intptr_t)fd, *at, from);
    return *at < 0 ? -1 : 0;
}

static int part_close(void *fd)
{
    return close((int)(intptr_t)fd);
}

FILE *fdopen(int fd, const char *mode)
{
    const cookie_io_functions_t functions = {part_read, part_write, part_seek, part_close};
    return fopencookie((void *)(intptr_t)fd, mode, functions);
}

int parts_lost(void)
{
    return lost;
}
