/* Writing streams: records become zstd frames, those of a long attachment compressed in parallel. */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "json.h"
#include "memory.h"
#include "stream_format.h"

enum { LEVEL_FILE = 1, LEVEL_PIPE = -5 };

/* One frame being compressed; a batch of them is done in parallel. */
struct job {
    struct stream_frame frame;
    unsigned char *plain, *packed; /* STREAM_FRAME and the bound for it */
    size_t packed_bytes;
    ZSTD_CCtx *zstd;
    const char *problem;
};

struct stream_writer {
    struct output *output;
    struct pool *pool;
    bool file;
    uint64_t start;     /* offset of the stream in the output */
    struct digest *digest;
    uint64_t records;
    struct buffer text; /* records without attachment, not yet in a frame */
    struct buffer line;
    uint64_t *index;    /* offsets of the records with an attachment */
    size_t index_count, index_capacity;
    struct job *job;
    size_t jobs;
    size_t bound;
    struct timespec flushed;
    char end_digest[STREAM_DIGEST_LENGTH];
    /* the record being written */
    const struct stream_section *section;
    size_t sections;
};

static struct job *job_get(struct stream_writer *w, size_t i, struct error *e)
{
    struct job *j = &w->job[i];
    if (j->zstd)
        return j;
    /* Not memory_new(), which clears: of a short stream few of these pages are ever used. */
    if (!j->plain)
        j->plain = memory_resize(NULL, STREAM_FRAME, 1, "a frame", e);
    if (!j->packed)
        j->packed = memory_resize(NULL, w->bound, 1, "a frame", e);
    if (!j->plain || !j->packed)
        return NULL;
    j->zstd = ZSTD_createCCtx();
    if (!j->zstd) {
        error_set(e, "no memory for compression");
        return NULL;
    }
    return j;
}

int stream_create(struct stream_writer **out, struct output *o, json_t *header, struct pool *pool,
                  struct error *e)
{
    struct stream_writer *w = memory_new(1, sizeof *w, "a stream", e);
    if (!w)
        return -1;
    w->output = o;
    w->pool = pool;
    w->file = output_is_file(o);
    w->start = output_offset(o);
    w->bound = ZSTD_compressBound(STREAM_FRAME) + 4096;
    w->jobs = pool_threads(pool) > 1 ? (size_t)(2 * pool_threads(pool)) : 1;
    w->digest = digest_new(e);
    w->job = memory_new(w->jobs, sizeof *w->job, "a stream", e);
    clock_gettime(CLOCK_MONOTONIC, &w->flushed);
    if (!w->digest || !w->job || stream_write(w, header, NULL, 0, e)) {
        stream_writer_free(w);
        return -1;
    }
    *out = w;
    return 0;
}

void stream_writer_free(struct stream_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; w->job && i < w->jobs; i++) {
        free(w->job[i].plain);
        free(w->job[i].packed);
        ZSTD_freeCCtx(w->job[i].zstd);
    }
    free(w->job);
    digest_free(w->digest);
    buffer_free(&w->text);
    buffer_free(&w->line);
    free(w->index);
    free(w);
}

const char *stream_writer_digest(const struct stream_writer *w)
{
    return w->end_digest;
}

/* Copies a range of the attachment, which lies in several buffers. */
static void gather(const struct stream_writer *w, size_t offset, size_t n, unsigned char *out)
{
    for (size_t s = 0; s < w->sections && n; s++) {
        size_t have = w->section[s].bytes;
        if (offset >= have) {
            offset -= have;
            continue;
        }
        size_t k = have - offset < n ? have - offset : n;
        memcpy(out, (const unsigned char *)w->section[s].data + offset, k);
        out += k;
        n -= k;
        offset = 0;
    }
}

/* Pointer to a range of the attachment that lies within one section. */
static const unsigned char *range(const struct stream_writer *w, size_t offset)
{
    size_t s = 0;
    while (offset >= w->section[s].bytes)
        offset -= w->section[s++].bytes;
    return (const unsigned char *)w->section[s].data + offset;
}

/* One zstd frame from j->plain; `cut` are offsets at which a new block begins, so that byte planes
 * of different statistics get entropy tables of their own. */
static void compress(struct job *j, size_t n, int level, size_t bound, const size_t *cut,
                     size_t cuts)
{
    ZSTD_outBuffer out = {j->packed, bound, 0};
    size_t begin = 0;
    j->problem = NULL;
    ZSTD_CCtx_reset(j->zstd, ZSTD_reset_session_only);
    ZSTD_CCtx_setParameter(j->zstd, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(j->zstd, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setPledgedSrcSize(j->zstd, n);
    for (size_t c = 0; c <= cuts; c++) {
        size_t end = c < cuts ? cut[c] : n;
        ZSTD_inBuffer in = {j->plain + begin, end - begin, 0};
        size_t r = ZSTD_compressStream2(j->zstd, &out, &in, c < cuts ? ZSTD_e_flush : ZSTD_e_end);
        if (ZSTD_isError(r) || r) {
            j->problem = ZSTD_isError(r) ? ZSTD_getErrorName(r) : "frame too large";
            return;
        }
        begin = end;
    }
    j->packed_bytes = out.pos;
}

static void run_job(void *context, size_t i, long thread)
{
    struct stream_writer *w = context;
    struct job *j = &w->job[i];
    size_t cut[STREAM_PIECES * 8], cuts = 0, at = 0;
    (void)thread;
    if (j->frame.line) {
        memcpy(j->plain, w->line.data, j->frame.line);
        at = j->frame.line;
    }
    for (size_t p = 0; p < j->frame.pieces; p++) {
        const struct stream_piece *piece = &j->frame.piece[p];
        if (piece->width > 1) {
            size_t k = piece->length / (size_t)piece->width;
            planes_split(range(w, piece->offset), piece->length, piece->width, j->plain + at);
            for (int b = 0; b < piece->width && k >= 4096; b++)
                if (at + (size_t)b * k > 0)
                    cut[cuts++] = at + (size_t)b * k;
        } else {
            gather(w, piece->offset, piece->length, j->plain + at);
            if (piece->length >= 4096 && at > 0)
                cut[cuts++] = at;
        }
        at += piece->length;
    }
    compress(j, at, w->file ? LEVEL_FILE : LEVEL_PIPE, w->bound, cut, cuts);
}

static int write_jobs(struct stream_writer *w, size_t count, struct error *e)
{
    pool_run(w->pool, count, run_job, w);
    for (size_t i = 0; i < count; i++) {
        if (w->job[i].problem)
            return error_set(e, "compression failed: %s", w->job[i].problem);
        if (output_write(w->output, w->job[i].packed, w->job[i].packed_bytes, e))
            return -1;
    }
    return 0;
}

/* Puts the pending text records into frames of their own. */
static int flush_text(struct stream_writer *w, struct error *e)
{
    size_t at = 0;
    while (at < w->text.length) {
        struct job *j = job_get(w, 0, e);
        size_t n = w->text.length - at;
        if (!j)
            return -1;
        if (n > STREAM_TEXT_FRAME)
            n = STREAM_TEXT_FRAME;
        memcpy(j->plain, w->text.data + at, n);
        compress(j, n, w->file ? LEVEL_FILE : LEVEL_PIPE, w->bound, NULL, 0);
        if (j->problem)
            return error_set(e, "compression failed: %s", j->problem);
        if (output_write(w->output, j->packed, j->packed_bytes, e))
            return -1;
        at += n;
    }
    w->text.length = 0;
    return 0;
}

/* A reader at the other end of a pipe should not wait long for what is ready. */
static int flush_pipe(struct stream_writer *w, struct error *e)
{
    struct timespec now;
    if (w->file)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - w->flushed.tv_sec < 1)
        return 0;
    w->flushed = now;
    return flush_text(w, e) || output_flush(w->output, e) ? -1 : 0;
}

static int add_index(struct stream_writer *w, struct error *e)
{
    if (w->index_count == w->index_capacity) {
        size_t n = w->index_capacity ? 2 * w->index_capacity : 64;
        uint64_t *p = memory_resize(w->index, n, sizeof *p, "an index", e);
        if (!p)
            return -1;
        w->index = p;
        w->index_capacity = n;
    }
    w->index[w->index_count++] = output_offset(w->output) - w->start;
    return 0;
}

static int write_attachment(struct stream_writer *w, struct error *e)
{
    struct stream_layout layout = {0};
    size_t total = 0;
    bool planes = false;
    for (size_t s = 0; s < w->sections; s++) {
        const struct stream_section *x = &w->section[s];
        int width = w->file && x->width > 1 ? x->width : 1;
        if (__builtin_add_overflow(total, x->bytes, &total) || layout.count == STREAM_SECTIONS)
            return error_set(e, "an attachment is too large");
        planes = planes || width > 1;
        /* neighbours of one width are one section, so that what is written is what is read */
        if (layout.count && layout.width[layout.count - 1] == 1 && width == 1) {
            layout.bytes[layout.count - 1] += x->bytes;
        } else {
            layout.bytes[layout.count] = x->bytes;
            layout.width[layout.count++] = width;
        }
    }
    /* The line's canonical form has "bytes" as its last key; "planes", which is transport and not
     * content, follows only in what is stored. */
    char key[64];
    w->line.length--;
    int n = snprintf(key, sizeof key, "%s\"bytes\":%zu}\n",
                     w->line.data[w->line.length - 1] == '{' ? "" : ",", total);
    if (buffer_append(&w->line, key, (size_t)n, e))
        return -1;
    digest_add(w->digest, w->line.data, w->line.length);
    for (size_t s = 0; s < w->sections; s++)
        digest_add(w->digest, w->section[s].data, w->section[s].bytes);
    if (planes) {
        w->line.length -= 2;
        if (buffer_append(&w->line, ",\"planes\":[", 11, e))
            return -1;
        for (size_t s = 0; s < layout.count; s++) {
            n = snprintf(key, sizeof key, "%s[%d,%zu]", s ? "," : "", layout.width[s],
                         layout.bytes[s]);
            if (buffer_append(&w->line, key, (size_t)n, e))
                return -1;
        }
        if (buffer_append(&w->line, "]}\n", 3, e))
            return -1;
    }
    if (w->line.length > STREAM_FRAME)
        return error_set(e, "the line of a record with an attachment is over 4 MiB");
    if (flush_text(w, e) || add_index(w, e))
        return -1;
    size_t line = w->line.length, count = 0;
    for (;;) {
        struct stream_frame frame;
        bool more = stream_layout_next(&layout, line, &frame);
        line = 0;
        if (more) {
            struct job *j = job_get(w, count, e);
            if (!j)
                return -1;
            j->frame = frame;
            count++;
        }
        if (count && (!more || count == w->jobs)) {
            if (write_jobs(w, count, e))
                return -1;
            count = 0;
        }
        if (!more)
            return 0;
    }
}

int stream_write(struct stream_writer *w, json_t *json, const struct stream_section *section,
                 size_t count, struct error *e)
{
    w->line.length = 0;
    if (json_append(json, &w->line, e))
        return -1;
    w->records++;
    if (count) {
        w->section = section;
        w->sections = count;
        if (write_attachment(w, e))
            return -1;
    } else {
        if (buffer_append(&w->line, "\n", 1, e))
            return -1;
        digest_add(w->digest, w->line.data, w->line.length);
        if (w->text.length && w->text.length + w->line.length > STREAM_TEXT_FRAME &&
            flush_text(w, e))
            return -1;
        if (buffer_append(&w->text, w->line.data, w->line.length, e))
            return -1;
    }
    return flush_pipe(w, e);
}

static void store64(unsigned char *p, uint64_t x)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(x >> 8 * i);
}

static void store32(unsigned char *p, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(x >> 8 * i);
}

int stream_finish(struct stream_writer *w, const char *input, struct error *e)
{
    int result = -1;
    digest_hex(w->digest, w->end_digest);
    json_t *end = json_pack("{s:b, s:I, s:s, s:s?}", "end", 1, "records", (json_int_t)w->records,
                            "xxh3", w->end_digest, "input", input);
    if (!end)
        return error_set(e, "no memory for the end record");
    if (w->file) {
        json_t *index = json_array();
        for (size_t i = 0; index && i < w->index_count; i++)
            if (json_array_append_new(index, json_integer((json_int_t)w->index[i])))
                goto out;
        if (json_set(end, "index", index, e))
            goto out;
    }
    if (flush_text(w, e))
        goto out;
    uint64_t offset = output_offset(w->output) - w->start;
    if (json_append(end, &w->text, e) || buffer_append(&w->text, "\n", 1, e) || flush_text(w, e))
        goto out;
    if (w->file) {
        unsigned char trailer[STREAM_TRAILER];
        store32(trailer, STREAM_TRAILER_MAGIC);
        store32(trailer + 4, STREAM_TRAILER - 8);
        memcpy(trailer + 8, STREAM_TRAILER_NAME, 8);
        store64(trailer + 16, output_offset(w->output) - w->start);
        store64(trailer + 24, offset);
        if (output_write(w->output, trailer, sizeof trailer, e))
            goto out;
    }
    result = output_flush(w->output, e);
out:
    json_decref(end);
    return result;
}
