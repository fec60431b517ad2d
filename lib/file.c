/* Whole files and mappings. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "utf8.h"

static int open_regular(const char *path, struct stat *st, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(e, "%s: cannot open it: %s", path, strerror(errno));
    if (fstat(fd, st) || S_ISDIR(st->st_mode)) {
        close(fd);
        return error_set(e, "%s: is a directory, not a file", path);
    }
    return fd;
}

int file_read(const char *path, size_t max, char **data, size_t *n, struct error *e)
{
    struct stat st;
    struct buffer b = {0};
    int fd = open_regular(path, &st, e);
    if (fd < 0)
        return -1;
    for (;;) {
        if (buffer_reserve(&b, 1 << 16, e))
            goto fail;
        ssize_t k = read(fd, b.data + b.length, b.capacity - b.length - 1);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            error_set(e, "%s: cannot read it: %s", path, strerror(errno));
            goto fail;
        }
        if (k == 0)
            break;
        b.length += (size_t)k;
        if (b.length > max) {
            error_set(e, "%s: is larger than the %zu bytes that such a file may have", path, max);
            goto fail;
        }
    }
    close(fd);
    b.data[b.length] = 0;
    *data = (char *)b.data;
    *n = b.length;
    return 0;
fail:
    close(fd);
    buffer_free(&b);
    return -1;
}

int file_map(struct file_map *m, const char *path, struct error *e)
{
    struct stat st;
    *m = (struct file_map){0};
    int fd = open_regular(path, &st, e);
    if (fd < 0)
        return -1;
    int result = 0;
    if (!S_ISREG(st.st_mode)) {
        result = error_set(e, "%s: is not a regular file", path);
    } else if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            result = error_set(e, "%s: cannot map it: %s", path, strerror(errno));
        } else {
            m->data = p;
            m->bytes = (size_t)st.st_size;
        }
    }
    close(fd);
    return result;
}

void file_unmap(struct file_map *m)
{
    if (m->data)
        munmap(m->data, m->bytes);
    *m = (struct file_map){0};
}

int file_temporary(const char **folder, struct error *e)
{
    static const char tail[] = "/kick-XXXXXX";
    const char *set = getenv("TMPDIR");
    *folder = set && *set ? set : "/tmp";
    int fd = open(*folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* not every file system has files without a name */
        char name[4096];
        if (strlen(*folder) + sizeof tail > sizeof name)
            return error_set(e, "TMPDIR is too long");
        memcpy(name, *folder, strlen(*folder));
        memcpy(name + strlen(*folder), tail, sizeof tail);
        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0)
            unlink(name);
    }
    if (fd < 0)
        error_set(e, "%s: cannot make a temporary file: %s; set TMPDIR", *folder, strerror(errno));
    return fd;
}

char *path_join(const char *dir, const char *name, struct error *e)
{
    size_t n = strlen(dir) + strlen(name) + 2;
    char *p = malloc(n);
    if (!p) {
        error_set(e, "no memory for a file name");
        return NULL;
    }
    size_t d = strlen(dir);
    snprintf(p, n, "%s%s%s", dir, d && dir[d - 1] == '/' ? "" : "/", name);
    return p;
}

char *path_base(const char *path, struct error *e)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t start = n;
    while (start > 0 && path[start - 1] != '/')
        start--;
    const char *base = path + start;
    char *out = memory_new(3 * (n - start) + 1, 1, "a file name", e);
    for (size_t left = n - start, k = 0; out && left;) {
        const size_t good = utf8_check(base, left);
        memcpy(out + k, base, good);
        k += good;
        base += good;
        left -= good;
        if (left) { /* one byte that is none of a character */
            snprintf(out + k, 4, "%%%02X", (unsigned char)*base);
            k += 3;
            base++;
            left--;
        }
    }
    return out;
}

bool path_is_directory(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

bool path_exists(const char *path)
{
    struct stat st;
    return !stat(path, &st);
}
