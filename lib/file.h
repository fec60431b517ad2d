/* Whole files and mappings. */
#ifndef KICK_FILE_H
#define KICK_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/* Reads a file of at most max bytes into a malloc'ed buffer with a NUL after it. */
int file_read(const char *path, size_t max, char **data, size_t *n, struct error *e);

/* A read-only mapping of a whole regular file (data NULL when it is empty). */
struct file_map {
    unsigned char *data;
    size_t bytes;
};
int file_map(struct file_map *m, const char *path, struct error *e);
void file_unmap(struct file_map *m);

/* A temporary file that has no name (any more), in TMPDIR, else in /tmp: its descriptor, or -1. *folder
 * says where. */
int file_temporary(const char **folder, struct error *e);

/* "dir/name" in a malloc'ed string; NULL with e filled. */
char *path_join(const char *dir, const char *name, struct error *e);
/* Last part of a path, trailing slashes ignored, malloc'ed; bytes that are not UTF-8 as %XX, since names
 * go into streams. */
char *path_base(const char *path, struct error *e);
bool path_is_directory(const char *path);
bool path_exists(const char *path);

#endif
