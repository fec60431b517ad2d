/* Writing a checkpoint directory. */
#include "checkpoint_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "json.h"
#include "memory.h"
#include "output.h"

/* Calls unlinkat() for each file of a directory (remove) or counts them; -1: it cannot be read. */
static long each_file(const char *path, bool remove)
{
    DIR *d = opendir(path);
    long n = 0;
    if (!d)
        return -1;
    for (struct dirent *f; (f = readdir(d));)
        if (strcmp(f->d_name, ".") && strcmp(f->d_name, "..")) {
            n++;
            if (remove)
                unlinkat(dirfd(d), f->d_name, 0);
        }
    closedir(d);
    return n;
}

int checkpoint_create(struct checkpoint_writer *w, const char *path, struct error *e)
{
    *w = (struct checkpoint_writer){0};
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    const size_t room = n + sizeof ".XXXXXX.tmp" + 1;
    if (!(w->path = strndup(path, n)) || !(w->temporary = memory_new(room, 1, "a name", e)))
        return error_set(e, "no memory for a name");
    if (path_exists(path) && (!path_is_directory(path) || each_file(path, false) != 0)) {
        free(w->temporary);
        w->temporary = NULL;
        return error_set(e, "%s: is there already; name a new directory", path);
    }
    const char *base = strrchr(w->path, '/') ? strrchr(w->path, '/') + 1 : w->path;
    snprintf(w->temporary, room, "%.*s.%s.XXXXXX", (int)(base - w->path), w->path, base);
    if (mkdtemp(w->temporary) && !chmod(w->temporary, 0755))
        return 0;
    free(w->temporary);
    w->temporary = NULL;
    return error_set(e, "%s: cannot make a directory for it: %s", path, strerror(errno));
}

int checkpoint_put(const struct checkpoint_writer *w, const char *name, const void *data, size_t n,
                   struct error *e)
{
    char *path = path_join(w->temporary, name, e);
    const int result = path ? output_file(path, data, n, e) : -1;
    free(path);
    return result;
}

/* A key a line; numbers in the fewest digits. */
int checkpoint_put_json(const struct checkpoint_writer *w, const char *name, const json_t *json,
                        struct error *e)
{
    struct buffer text = {0};
    const char *key, *before = "{\n  ";
    const json_t *value;
    int result = -1;
    json_object_foreach((json_t *)(uintptr_t)json, key, value) {
        json_t *string = json_string(key);
        const bool bad = !string || buffer_append(&text, before, strlen(before), e) ||
                         json_append(string, &text, e) || buffer_append(&text, ": ", 2, e) ||
                         json_append(value, &text, e);
        json_decref(string);
        if (bad)
            goto out;
        before = ",\n  ";
    }
    if (!buffer_append(&text, text.length ? "\n}\n" : "{}\n", 3, e))
        result = checkpoint_put(w, name, text.data, text.length, e);
out:
    buffer_free(&text);
    return result;
}

int checkpoint_commit(struct checkpoint_writer *w, struct error *e)
{
    if (rename(w->temporary, w->path))
        return error_set(e, "%s: cannot put the finished directory there: %s", w->path,
                         strerror(errno));
    free(w->temporary);
    w->temporary = NULL;
    const int d = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d >= 0) { /* the name must outlast a crash */
        const int parent = openat(d, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fsync(d);
        if (parent >= 0) {
            fsync(parent);
            close(parent);
        }
        close(d);
    }
    return 0;
}

void checkpoint_writer_free(struct checkpoint_writer *w)
{
    if (w->temporary) {
        each_file(w->temporary, true);
        rmdir(w->temporary);
    }
    free(w->temporary);
    free(w->path);
    *w = (struct checkpoint_writer){0};
}
