/* A part of a file read from front to back through a small window: what parsers of untrusted files
 * read from. Nothing past the part is ever read, and nothing is allocated from a length in the file. */
#ifndef KICK_WINDOW_H
#define KICK_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum { WINDOW_BYTES = 1 << 16 };

struct window {
    int fd;
    uint64_t at, end;      /* the next byte's place in the file, and that after the last one */
    size_t first, filled;  /* bytes first..filled of data are those from `at` on */
    unsigned char data[WINDOW_BYTES];
};

/* Opens a regular file for reading: its descriptor and size, or -1. Never waits for a FIFO. */
int file_open(const char *path, uint64_t *size, struct error *e);

/* All n bytes at offset; -1 with e filled where the file ends before, or cannot be read. */
int file_read_at(int fd, uint64_t offset, void *out, size_t n, struct error *e);

void window_start(struct window *w, int fd, uint64_t at, uint64_t end);

/* The next n bytes into out; where fewer are left: an error, nothing is taken. */
int window_read(struct window *w, void *out, size_t n, struct error *e);

static inline uint64_t window_left(const struct window *w)
{
    return w->end - w->at;
}

/* Little-endian numbers. */
static inline uint16_t load_u16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t load_u32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t load_u64(const unsigned char *p)
{
    return load_u32(p) | (uint64_t)load_u32(p + 4) << 32;
}

#endif
