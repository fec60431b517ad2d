/* Output files that are whole or absent. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "memory.h"

enum { CAPACITY = 1 << 20, EARLY = 16 << 20, TEMPORARIES = 16 };

struct output {
    int fd;
    bool is_stdout, regular, unnamed, kept;
    char *path;      /* final name; NULL for stdout */
    char *directory;
    char *temporary; /* name to be renamed, once it exists */
    unsigned char *buffer;
    size_t used;
    uint64_t offset;
    uint64_t written, started; /* in the file: written, and given to the disk already */
};

/* Temporary names that exist, for output_abandon(). */
static char *_Atomic temporaries[TEMPORARIES];

/* readdir() would call malloc(), which may be what was interrupted. */
static void abandon_folder(const char *name)
{
    struct entry {
        uint64_t number;
        int64_t offset;
        unsigned short length;
        unsigned char type;
        char name[];
    };
    char buffer[4096] __attribute__((aligned(8)));
    const int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (long n; fd >= 0 && (n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0;)
        for (long at = 0; at < n; at += ((const struct entry *)(void *)(buffer + at))->length)
            unlinkat(fd, ((const struct entry *)(void *)(buffer + at))->name, 0);
    if (fd >= 0)
        close(fd);
    rmdir(name);
}

void output_abandon(void)
{
    for (size_t i = 0; i < TEMPORARIES; i++) {
        const char *name = atomic_load(&temporaries[i]);
        if (name && unlink(name) && errno == EISDIR)
            abandon_folder(name);
    }
}

void output_remember(char *name)
{
    for (size_t i = 0; i < TEMPORARIES; i++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&temporaries[i], &none, name))
            return;
    }
}

void output_forget(const char *name)
{
    for (size_t i = 0; i < TEMPORARIES; i++)
        if (name && atomic_load(&temporaries[i]) == name)
            atomic_store(&temporaries[i], NULL);
}

static void temporary_forget(struct output *o)
{
    output_forget(o->temporary);
    free(o->temporary);
    o->temporary = NULL;
}

const char *output_name(const struct output *o)
{
    return o->path ? o->path : "standard output";
}

static int failed(const struct output *o, const char *what, struct error *e)
{
    const char *hint = errno == ENOSPC  ? "; the disk is full: free some room, or use another one"
                       : errno == EPIPE ? "; the program that reads it has gone"
                                        : "";
    return error_set(e, "%s: cannot %s: %s%s", output_name(o), what, strerror(errno), hint);
}

/* A name beside the final one that nobody has: ".name.XXXXXXXX.tmp". */
static int temporary_name(struct output *o, struct error *e)
{
    uint64_t r = 0;
    if (getrandom(&r, sizeof r, 0) != sizeof r)
        r = (uint64_t)getpid();
    char *base = path_base(o->path, e);
    if (!base)
        return -1;
    size_t n = strlen(o->directory) + strlen(base) + 32;
    o->temporary = memory_new(n, 1, "a file name", e);
    if (o->temporary)
        snprintf(o->temporary, n, "%s/.%.200s.%016llx.tmp", o->directory, base,
                 (unsigned long long)r);
    free(base);
    if (o->temporary)
        output_remember(o->temporary);
    return o->temporary ? 0 : -1;
}

static int open_file(struct output *o, const char *path, struct error *e)
{
    o->path = strdup(path);
    o->directory = strdup(path);
    if (!o->path || !o->directory)
        return error_set(e, "no memory for a file name");
    if (!*path)
        return error_usage(e, "-o takes a file, and its name is empty");
    if (path_is_directory(path))
        return error_set(e, "%s: is a directory; -o takes a file", path);
    char *slash = strrchr(o->directory, '/');
    if (!slash)
        strcpy(o->directory, ".");
    else
        slash[slash == o->directory] = 0;
    struct stat st;
    if (!stat(path, &st) && !S_ISREG(st.st_mode)) { /* a device or a fifo: written in place */
        o->fd = open(path, O_WRONLY | O_CLOEXEC);
        return o->fd < 0 ? failed(o, "open it", e) : 0;
    }
    o->regular = true;
    o->fd = open(o->directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    o->unnamed = o->fd >= 0;
    if (o->fd >= 0)
        return 0;
    if (temporary_name(o, e))
        return -1;
    o->fd = open(o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (o->fd < 0) {
        const int why = errno;
        temporary_forget(o);
        errno = why;
        return failed(o, "create it", e);
    }
    return 0;
}

int output_open(struct output **out, const char *path, struct error *e)
{
    struct output *o = memory_new(1, sizeof *o, "the output", e);
    if (!o)
        return -1;
    o->fd = -1;
    o->buffer = memory_new(CAPACITY, 1, "the output", e);
    if (!o->buffer)
        goto fail;
    if (!path || !strcmp(path, "-")) {
        struct stat st;
        o->is_stdout = true;
        o->fd = STDOUT_FILENO;
        o->regular = !fstat(o->fd, &st) && S_ISREG(st.st_mode);
    } else if (open_file(o, path, e)) {
        goto fail;
    }
    *out = o;
    return 0;
fail:
    output_free(o);
    return -1;
}

static int write_all(struct output *o, const unsigned char *p, size_t n, struct error *e)
{
    while (n) {
        ssize_t k = write(o->fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return failed(o, "write", e);
        p += k;
        n -= (size_t)k;
        o->written += (uint64_t)k;
    }
    /* The disk starts on what there is, so that the sync at the end has little left to wait for. */
    if (o->regular && !o->is_stdout && o->written - o->started >= EARLY) {
        sync_file_range(o->fd, (off_t)o->started, (off_t)(o->written - o->started),
                        SYNC_FILE_RANGE_WRITE);
        o->started = o->written;
    }
    return 0;
}

int output_flush(struct output *o, struct error *e)
{
    size_t n = o->used;
    o->used = 0;
    return write_all(o, o->buffer, n, e);
}

int output_write(struct output *o, const void *data, size_t n, struct error *e)
{
    o->offset += n;
    if (n > CAPACITY - o->used && output_flush(o, e))
        return -1;
    if (n >= CAPACITY)
        return write_all(o, data, n, e);
    if (n)
        memcpy(o->buffer + o->used, data, n);
    o->used += n;
    return 0;
}

int output_rewrite(struct output *o, uint64_t offset, const void *data, size_t n, struct error *e)
{
    const unsigned char *p = data;
    if (!o->regular || o->is_stdout)
        return error_set(e, "%s: is no file that can be written out of order; name one with -o",
                         output_name(o));
    if (output_flush(o, e))
        return -1;
    while (n) {
        const ssize_t k = pwrite(o->fd, p, n, (off_t)offset);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return failed(o, "write", e);
        p += k;
        n -= (size_t)k;
        offset += (uint64_t)k;
    }
    return 0;
}

/* Gives an unnamed file a temporary name, which rename() can then put over an older file. */
static int name_it(struct output *o, struct error *e)
{
    char proc[64];
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", o->fd);
    if (temporary_name(o, e))
        return -1;
    if (linkat(AT_FDCWD, proc, AT_FDCWD, o->temporary, AT_SYMLINK_FOLLOW)) {
        const int why = errno;
        temporary_forget(o);
        errno = why;
        return failed(o, "give it a name", e);
    }
    return 0;
}

int output_keep(struct output *o, const char *path, struct error *e)
{
    char *copy = strdup(path);
    if (!copy)
        return error_set(e, "no memory for a file name");
    if ((o->unnamed && name_it(o, e)) || rename(o->temporary, copy)) {
        free(copy);
        return o->temporary ? failed(o, "name what is done", e) : -1;
    }
    output_forget(o->temporary);
    free(o->temporary);
    o->temporary = copy;
    o->unnamed = false;
    o->kept = true;
    return 0;
}

/* False where another process has put its own file under the name. */
static bool still_there(const struct output *o)
{
    struct stat ours, theirs;
    return !fstat(o->fd, &ours) && !stat(o->temporary, &theirs) && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

int output_commit(struct output *o, struct error *e)
{
    if (memory_short(e) || output_flush(o, e))
        return -1;
    if (o->is_stdout) {
        o->fd = -1;
        return close(STDOUT_FILENO) ? failed(o, "write", e) : 0;
    }
    if (!o->regular) {
        int fd = o->fd;
        o->fd = -1;
        return close(fd) ? failed(o, "write", e) : 0;
    }
    if (fsync(o->fd))
        return failed(o, "write", e);
    if (o->unnamed && name_it(o, e))
        return -1;
    if (o->kept && !still_there(o))
        return error_set(e, "%s: another run has taken its place", o->temporary);
    if (rename(o->temporary, o->path))
        return failed(o, "rename the finished file to it", e);
    temporary_forget(o);
    int directory = open(o->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) { /* the name itself must outlast a crash; not every file system can */
        fsync(directory);
        close(directory);
    }
    return 0;
}

void output_free(struct output *o)
{
    if (!o)
        return;
    if (o->fd >= 0 && !o->is_stdout)
        close(o->fd);
    if (o->temporary && !o->kept)
        unlink(o->temporary);
    temporary_forget(o);
    free(o->directory);
    free(o->path);
    free(o->buffer);
    free(o);
}

uint64_t output_offset(const struct output *o)
{
    return o->offset;
}

bool output_is_file(const struct output *o)
{
    return o->regular;
}

int output_fd(const struct output *o)
{
    return o->fd;
}

int output_file(const char *path, const void *data, size_t n, struct error *e)
{
    struct output *o = NULL;
    int result = -1;
    if (!output_open(&o, path, e) && !output_write(o, data, n, e) && !output_commit(o, e))
        result = 0;
    output_free(o);
    return result;
}
