/* Input of a fuzz target as files of a folder, which goes with the program. */
#ifndef KICK_TESTS_FUZZ_FOLDER_H
#define KICK_TESTS_FUZZ_FOLDER_H

#include <dirent.h>

#include "file.h"

static char folder[] = "/dev/shm/kick-fuzz-XXXXXX";

static inline void folder_clear(void)
{
    DIR *d = opendir(folder);
    if (!d)
        abort();
    for (const struct dirent *f; (f = readdir(d));)
        unlinkat(dirfd(d), f->d_name, 0); /* which is in vain for . and .. */
    closedir(d);
}

static inline void folder_remove(void)
{
    folder_clear();
    rmdir(folder);
}

static inline void folder_make(void)
{
    if (!mkdtemp(folder) || atexit(folder_remove))
        abort();
}

static inline void folder_put(const char *name, const void *data, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f))
        abort();
}

#endif
