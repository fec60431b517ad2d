/* Plain, gzip and zstd text. */
#include "text_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "file.h"

enum { CHUNK = 1 << 18, LINE_MAX_BYTES = 1 << 30 };

enum packing { PLAIN, GZIP, ZSTD };

struct text_input {
    char *name;
    int fd;
    enum packing packing;
    bool started, eof, inside; /* inside: a gzip member or zstd frame is not at its end */
    unsigned char *raw;
    size_t raw_at, raw_bytes;
    unsigned char *text;
    size_t text_at, text_bytes;
    z_stream gzip;
    bool gzip_ready;
    ZSTD_DCtx *zstd;
};

static int failed(const struct text_input *t, const char *what, struct error *e)
{
    return error_set(e, "%s: cannot %s: %s", t->name, what, strerror(errno));
}

static int read_some(struct text_input *t, int fd, size_t *n, struct error *e)
{
    ssize_t k;
    do
        k = read(fd, t->raw, CHUNK);
    while (k < 0 && errno == EINTR);
    if (k < 0)
        return failed(t, "read it", e);
    *n = (size_t)k;
    return 0;
}

/* Copies standard input to a file without a name. */
static int spool(struct text_input *t, struct error *e)
{
    const char *folder;
    t->fd = file_temporary(&folder, e);
    if (t->fd < 0)
        return error_prefix(e, "%s", t->name);
    for (size_t n = 0;;) {
        if (read_some(t, STDIN_FILENO, &n, e))
            return -1;
        if (n == 0)
            return lseek(t->fd, 0, SEEK_SET) < 0 ? failed(t, "seek", e) : 0;
        for (size_t at = 0; at < n;) {
            ssize_t k = write(t->fd, t->raw + at, n - at);
            if (k < 0 && errno != EINTR)
                return failed(t, "write a temporary copy of it", e);
            at += k > 0 ? (size_t)k : 0;
        }
    }
}

int text_input_open(struct text_input **out, const char *path, struct error *e)
{
    struct stat st;
    struct text_input *t = memory_new(1, sizeof *t, "a text", e);
    if (!t)
        return -1;
    t->fd = -1;
    t->name = strdup(strcmp(path, "-") ? path : "standard input");
    t->raw = memory_new(CHUNK, 1, "a text", e);
    t->text = memory_new(CHUNK, 1, "a text", e);
    if (!t->name || !t->raw || !t->text) {
        error_set(e, "no memory for a text");
        goto fail;
    }
    if (!strcmp(path, "-")) {
        if (spool(t, e))
            goto fail;
    } else {
        t->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (t->fd < 0) {
            failed(t, "open it", e);
            goto fail;
        }
        if (fstat(t->fd, &st) || !S_ISREG(st.st_mode)) {
            error_set(e, "%s: is not a file", t->name);
            goto fail;
        }
    }
    *out = t;
    return 0;
fail:
    text_input_close(t);
    return -1;
}

void text_input_close(struct text_input *t)
{
    if (!t)
        return;
    if (t->fd >= 0)
        close(t->fd);
    if (t->gzip_ready)
        inflateEnd(&t->gzip);
    ZSTD_freeDCtx(t->zstd);
    free(t->raw);
    free(t->text);
    free(t->name);
    free(t);
}

const char *text_input_name(const struct text_input *t)
{
    return t->name;
}

static enum packing packing_of(const unsigned char *p, size_t n)
{
    return n >= 2 && p[0] == 0x1F && p[1] == 0x8B                ? GZIP
           : n >= 4 && !memcmp(p, "\x28\xB5\x2F\xFD", 4) ? ZSTD
                                                             : PLAIN;
}

uint64_t text_input_size(const struct text_input *t)
{
    struct stat st;
    unsigned char first[4];
    const ssize_t n = pread(t->fd, first, sizeof first, 0);
    if (n < 0 || fstat(t->fd, &st))
        return 0;
    return (uint64_t)st.st_size * (packing_of(first, (size_t)n) == PLAIN ? 1 : 4);
}

int text_input_digest(struct text_input *t, struct digest *d, struct error *e)
{
    for (size_t n = 0;;) {
        if (read_some(t, t->fd, &n, e))
            return -1;
        if (n == 0)
            return lseek(t->fd, 0, SEEK_SET) < 0 ? failed(t, "seek", e) : 0;
        digest_add(d, t->raw, n);
    }
}

int text_input_rewind(struct text_input *t, struct error *e)
{
    if (t->gzip_ready)
        inflateEnd(&t->gzip);
    ZSTD_freeDCtx(t->zstd);
    t->zstd = NULL;
    t->gzip_ready = t->started = t->eof = t->inside = false;
    t->raw_at = t->raw_bytes = t->text_at = t->text_bytes = 0;
    return lseek(t->fd, 0, SEEK_SET) < 0 ? failed(t, "seek", e) : 0;
}

static int start(struct text_input *t, struct error *e)
{
    t->started = true;
    t->packing = packing_of(t->raw, t->raw_bytes);
    if (t->packing == GZIP) {
        if (inflateInit2(&t->gzip, 15 + 16) != Z_OK)
            return error_set(e, "no memory for decompression");
        t->gzip_ready = true;
    } else if (t->packing == ZSTD) {
        if (!(t->zstd = ZSTD_createDCtx()))
            return error_set(e, "no memory for decompression");
    }
    return 0;
}

/* Unpacks from raw into text as far as it goes. */
static int unpack(struct text_input *t, struct error *e)
{
    if (t->packing == GZIP) {
        if (!t->inside)
            inflateReset(&t->gzip);
        t->inside = true;
        t->gzip.next_in = t->raw + t->raw_at;
        t->gzip.avail_in = (uInt)(t->raw_bytes - t->raw_at);
        t->gzip.next_out = t->text;
        t->gzip.avail_out = CHUNK;
        int r = inflate(&t->gzip, Z_NO_FLUSH);
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
            return error_set(e, "%s: damaged gzip data: %s", t->name,
                             t->gzip.msg ? t->gzip.msg : "wrong");
        t->inside = r != Z_STREAM_END;
        t->raw_at = t->raw_bytes - t->gzip.avail_in;
        t->text_bytes = CHUNK - t->gzip.avail_out;
    } else {
        ZSTD_inBuffer in = {t->raw, t->raw_bytes, t->raw_at};
        ZSTD_outBuffer out = {t->text, CHUNK, 0};
        size_t r = ZSTD_decompressStream(t->zstd, &out, &in);
        if (ZSTD_isError(r))
            return error_set(e, "%s: damaged zstd data: %s", t->name, ZSTD_getErrorName(r));
        t->inside = r != 0;
        t->raw_at = in.pos;
        t->text_bytes = out.pos;
    }
    return 0;
}

/* Makes text available; with text_at == text_bytes afterwards the input is at its end. */
static int refill(struct text_input *t, struct error *e)
{
    t->text_at = t->text_bytes = 0;
    while (t->text_bytes == 0) {
        if (t->raw_at == t->raw_bytes && !t->eof) {
            t->raw_at = 0;
            if (read_some(t, t->fd, &t->raw_bytes, e))
                return -1;
            t->eof = t->raw_bytes == 0;
            if (!t->started && start(t, e))
                return -1;
        }
        if (t->packing == PLAIN) {
            t->text_bytes = t->raw_bytes - t->raw_at;
            memcpy(t->text, t->raw + t->raw_at, t->text_bytes);
            t->raw_at = t->raw_bytes;
            return 0;
        }
        if (t->eof && t->raw_at == t->raw_bytes && !t->inside)
            return 0;
        size_t before = t->raw_at;
        if (unpack(t, e))
            return -1;
        if (t->eof && t->raw_at == before && t->text_bytes == 0 && t->inside)
            return error_set(e, "%s: truncated: its compressed data ends too early", t->name);
    }
    return 0;
}

int text_input_line(struct text_input *t, struct buffer *line, struct error *e)
{
    line->length = 0;
    for (bool any = false;; any = true) {
        if (t->text_at == t->text_bytes) {
            if (refill(t, e))
                return -1;
            if (t->text_at == t->text_bytes)
                return any;
        }
        const unsigned char *p = t->text + t->text_at;
        size_t have = t->text_bytes - t->text_at;
        const unsigned char *newline = memchr(p, '\n', have);
        size_t n = newline ? (size_t)(newline - p) : have;
        if (buffer_append(line, p, n, e))
            return -1;
        t->text_at += n + (newline != NULL);
        if (newline)
            return 1;
        if (line->length > LINE_MAX_BYTES)
            return error_set(e, "%s: a line is longer than 1 GiB", t->name);
    }
}

int text_input_all(struct text_input *t, struct buffer *text, struct error *e)
{
    for (;;) {
        if (buffer_append(text, t->text + t->text_at, t->text_bytes - t->text_at, e))
            return -1;
        if (refill(t, e))
            return -1;
        if (t->text_at == t->text_bytes)
            return 0;
        if (text->length > LINE_MAX_BYTES)
            return error_set(e, "%s: a document is longer than 1 GiB; use -f lines", t->name);
    }
}
