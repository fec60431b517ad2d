/* Reading streams: frames are collected from the input, decoded (those of a long attachment in
 * parallel), split into records, and checked against the end record's digest. Every byte is hostile:
 * nothing is allocated by a length that the data does not back up. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "json.h"
#include "memory.h"
#include "stream_format.h"

enum {
    READ_CHUNK = 1 << 20,
    LINE_MAX_BYTES = 1 << 30,
    FRAME_PACKED_MAX = STREAM_FRAME + STREAM_FRAME / 64 + (1 << 16),
};
#define ATTACHMENT_MAX ((json_int_t)1 << 48)

/* A frame of an attachment being decoded. */
struct job {
    const unsigned char *packed;
    size_t packed_bytes;
    struct stream_frame frame;
    unsigned char *plain;
    ZSTD_DCtx *zstd;
    const char *problem;
};

struct stream_reader {
    char *name;
    int fd;
    bool regular, owned;
    struct pool *pool;

    struct buffer in; /* compressed bytes read and not yet used: in.data[in_at..] */
    size_t in_at;
    uint64_t offset; /* of in.data[in_at] in the input */
    bool eof;

    struct buffer text; /* decoded bytes: text.data[text_at..] are not yet used */
    size_t text_at, frame_at; /* frame_at: where the last decoded frame starts in text */
    ZSTD_DCtx *zstd;

    struct buffer attachment;
    struct job *job;
    size_t jobs;

    json_t *header, *json;
    uint64_t start, records, end_offset; /* of the current stream */
    struct digest *digest;
    bool ended, random;
    char end_digest[STREAM_DIGEST_LENGTH];
    json_t *index;
};

static int damaged(struct stream_reader *r, const char *why, struct error *e)
{
    return error_set(e, "%s: damaged at byte %llu: %s; make the file again", r->name,
                     (unsigned long long)r->offset, why);
}

static int truncated(struct stream_reader *r, struct error *e)
{
    return error_set(e, "%s: truncated after %llu bytes: its end record is missing%s", r->name,
                     (unsigned long long)(r->offset + r->in.length - r->in_at),
                     r->regular ? "; make the file again" : "; the program that writes it failed");
}

/* Makes at least `want` compressed bytes available; false at the end of the input. */
static int fill(struct stream_reader *r, size_t want, struct error *e)
{
    while (r->in.length - r->in_at < want && !r->eof) {
        if (r->in_at > 0 && r->in_at >= r->in.length / 2) {
            memmove(r->in.data, r->in.data + r->in_at, r->in.length - r->in_at);
            r->in.length -= r->in_at;
            r->in_at = 0;
        }
        if (buffer_reserve(&r->in, READ_CHUNK, e))
            return -1;
        ssize_t k = read(r->fd, r->in.data + r->in.length, READ_CHUNK);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return error_set(e, "%s: cannot read it: %s", r->name, strerror(errno));
        if (k == 0)
            r->eof = true;
        r->in.length += (size_t)k;
    }
    return 0;
}

static uint32_t load32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t load64(const unsigned char *p)
{
    return (uint64_t)load32(p) | (uint64_t)load32(p + 4) << 32;
}

/* Makes the frame that starts `skip` bytes ahead wholly available. *packed: its length (0 at the end
 * of the input); *content: what it holds. */
static int frame_ahead(struct stream_reader *r, size_t skip, size_t *packed, size_t *content,
                       struct error *e)
{
    *packed = *content = 0;
    if (fill(r, skip + 5, e))
        return -1;
    size_t have = r->in.length - r->in_at - skip;
    if (have == 0)
        return 0;
    const unsigned char *p = r->in.data + r->in_at + skip;
    if (have < 5)
        return truncated(r, e);
    if (load32(p) != ZSTD_MAGICNUMBER) {
        if (r->offset == 0 && skip == 0)
            return error_set(e, "%s: is not a kick stream; make one with kick ingest-model, "
                                "ingest-text …", r->name);
        return damaged(r, "no frame begins here", e);
    }
    /* Checksum on, no dictionary, no reserved bit: anything else was not written by us. */
    if ((p[4] & 0x0F) != 0x04)
        return damaged(r, "a frame without checksum", e);
    for (size_t want = 1 << 16;; want *= 2) {
        if (fill(r, skip + want, e))
            return -1;
        p = r->in.data + r->in_at + skip;
        have = r->in.length - r->in_at - skip;
        size_t n = ZSTD_findFrameCompressedSize(p, have);
        if (!ZSTD_isError(n)) {
            *packed = n;
            break;
        }
        if (ZSTD_getErrorCode(n) != ZSTD_error_srcSize_wrong)
            return damaged(r, ZSTD_getErrorName(n), e);
        if (r->eof && want >= have)
            return truncated(r, e);
        if (have > FRAME_PACKED_MAX)
            return damaged(r, "a frame is too large", e);
    }
    unsigned long long c = ZSTD_getFrameContentSize(p, have);
    if (c == ZSTD_CONTENTSIZE_UNKNOWN || c == ZSTD_CONTENTSIZE_ERROR || c > STREAM_FRAME)
        return damaged(r, "a frame's size is not given or over 4 MiB", e);
    *content = (size_t)c;
    return 0;
}

static void consume(struct stream_reader *r, size_t n)
{
    r->in_at += n;
    r->offset += n;
}

/* Decodes the next frame onto the end of text. 0 with *got false: the input is at its end. */
static int text_frame(struct stream_reader *r, bool *got, struct error *e)
{
    size_t packed, content;
    *got = false;
    if (frame_ahead(r, 0, &packed, &content, e))
        return -1;
    if (packed == 0)
        return 0;
    if (r->text_at > 0) {
        memmove(r->text.data, r->text.data + r->text_at, r->text.length - r->text_at);
        r->text.length -= r->text_at;
        r->text_at = 0;
    }
    if (buffer_reserve(&r->text, content + 1, e))
        return -1;
    size_t n = ZSTD_decompressDCtx(r->zstd, r->text.data + r->text.length, content,
                                   r->in.data + r->in_at, packed);
    if (ZSTD_isError(n) || n != content)
        return damaged(r, ZSTD_isError(n) ? ZSTD_getErrorName(n) : "a frame is short", e);
    r->frame_at = r->text.length;
    r->text.length += content;
    consume(r, packed);
    *got = true;
    return 0;
}

/* Finds the next line in text, decoding frames as needed. *length counts the newline; 0: the input
 * is at its end. */
static int next_line(struct stream_reader *r, size_t *length, struct error *e)
{
    size_t searched = 0;
    *length = 0;
    for (;;) {
        size_t have = r->text.length - r->text_at;
        if (have > searched) {
            const unsigned char *p = r->text.data + r->text_at;
            const unsigned char *newline = memchr(p + searched, '\n', have - searched);
            if (newline) {
                *length = (size_t)(newline - p) + 1;
                return 0;
            }
            searched = have;
        }
        if (have > LINE_MAX_BYTES)
            return damaged(r, "a line is longer than 1 GiB", e);
        bool got;
        if (text_frame(r, &got, e))
            return -1;
        if (!got)
            return have ? truncated(r, e) : 0;
    }
}

static void run_job(void *context, size_t i, long thread)
{
    struct stream_reader *r = context;
    struct job *j = &r->job[i];
    (void)thread;
    size_t n = ZSTD_decompressDCtx(j->zstd, j->plain, STREAM_FRAME, j->packed, j->packed_bytes);
    j->problem = ZSTD_isError(n)                ? ZSTD_getErrorName(n)
                 : n != j->frame.content ? "a frame is short"
                                                : NULL;
    if (j->problem)
        return;
    const unsigned char *p = j->plain;
    for (size_t k = 0; k < j->frame.pieces; k++) {
        const struct stream_piece *piece = &j->frame.piece[k];
        planes_join(p, piece->length, piece->width, r->attachment.data + piece->offset);
        p += piece->length;
    }
}

static int job_ready(struct stream_reader *r, size_t i, struct error *e)
{
    struct job *j = &r->job[i];
    if (!j->plain && !(j->plain = memory_new(STREAM_FRAME, 1, "a frame", e)))
        return -1;
    if (!j->zstd && !(j->zstd = ZSTD_createDCtx()))
        return error_set(e, "no memory for decompression");
    return 0;
}

/* Room for an attachment's bytes as far as `need`, growing towards `total` as the data arrives. */
static int attachment_room(struct stream_reader *r, size_t need, size_t total, struct error *e)
{
    struct buffer *b = &r->attachment;
    /* An empty attachment has an address too: NULL says that there is none. */
    if (need > b->capacity || !b->data) {
        size_t want = 2 * need < total ? 2 * need : total;
        void *p = memory_resize(b->data, want, 1, "a tensor", e);
        if (!p)
            return -1;
        b->data = p;
        b->capacity = want;
    }
    b->length = need;
    return 0;
}

/* Reads the attachment whose line (line bytes, at the start of the last frame) was just parsed. */
static int read_attachment(struct stream_reader *r, size_t line, struct stream_layout *layout,
                           size_t total, struct error *e)
{
    struct stream_frame frame;
    stream_layout_next(layout, line, &frame);
    if (r->text_at != r->frame_at || r->text.length - r->frame_at != frame.content)
        return damaged(r, "an attachment does not fill its frames", e);
    if (attachment_room(r, layout->offset, total, e))
        return -1;
    const unsigned char *p = r->text.data + r->text_at + line;
    for (size_t k = 0; k < frame.pieces; k++) {
        planes_join(p, frame.piece[k].length, frame.piece[k].width,
                    r->attachment.data + frame.piece[k].offset);
        p += frame.piece[k].length;
    }
    r->text_at = r->text.length;
    for (bool more = true; more;) {
        size_t count = 0, ahead = 0;
        while (count < r->jobs && (more = stream_layout_next(layout, 0, &frame))) {
            size_t packed, content;
            if (job_ready(r, count, e) || frame_ahead(r, ahead, &packed, &content, e))
                return -1;
            if (packed == 0)
                return truncated(r, e);
            if (content != frame.content)
                return damaged(r, "an attachment does not fill its frames", e);
            r->job[count].frame = frame;
            r->job[count].packed_bytes = packed;
            ahead += packed;
            count++;
        }
        if (attachment_room(r, layout->offset, total, e))
            return -1;
        /* Only now, since reading may have moved the input buffer. */
        const unsigned char *q = r->in.data + r->in_at;
        for (size_t i = 0; i < count; i++) {
            r->job[i].packed = q;
            q += r->job[i].packed_bytes;
        }
        pool_run(r->pool, count, run_job, r);
        for (size_t i = 0; i < count; i++)
            if (r->job[i].problem)
                return damaged(r, r->job[i].problem, e);
        consume(r, ahead);
    }
    return 0;
}

/* Reads "planes" (a list of [width, bytes]) into a layout; without it the attachment is one part. */
static int parse_planes(struct stream_reader *r, const json_t *planes, size_t total,
                        struct stream_layout *layout, struct error *e)
{
    size_t sum = 0;
    *layout = (struct stream_layout){.bytes = {total}, .width = {1}, .count = 1};
    if (!planes)
        return 0;
    layout->count = json_array_size(planes);
    if (layout->count == 0 || layout->count > STREAM_SECTIONS)
        return damaged(r, "\"planes\" is not a list of pairs", e);
    for (size_t i = 0; i < layout->count; i++) {
        const json_t *pair = json_array_get(planes, i);
        json_int_t width = json_integer_value(json_array_get(pair, 0));
        json_int_t bytes = json_integer_value(json_array_get(pair, 1));
        if ((width != 1 && width != 2 && width != 4 && width != 8) || bytes < 0 ||
            (size_t)bytes > total - sum)
            return damaged(r, "\"planes\" does not fit the attachment", e);
        layout->width[i] = (int)width;
        layout->bytes[i] = (size_t)bytes;
        sum += (size_t)bytes;
    }
    return sum == total ? 0 : damaged(r, "\"planes\" does not fit the attachment", e);
}

/* The line without "planes", which must be its last key; the digest is over this form. */
static int canonical(struct stream_reader *r, size_t *length, const json_t *planes,
                     struct buffer *out, struct error *e)
{
    const char *line = (const char *)r->text.data + r->text_at;
    struct buffer b = {0};
    out->length = 0;
    if (!planes)
        return buffer_append(out, line, *length, e);
    int result = -1;
    if (!buffer_append(&b, ",\"planes\":", 10, e) && !json_append(planes, &b, e) &&
        !buffer_append(&b, "}\n", 2, e)) {
        if (b.length > *length || memcmp(line + *length - b.length, b.data, b.length))
            damaged(r, "\"planes\" is not the last key of its line", e);
        else if (!buffer_append(out, line, *length - b.length, e))
            result = buffer_append(out, "}\n", 2, e);
    }
    buffer_free(&b);
    return result;
}

/* A name in "must" is a key that a reader has to understand. */
static int check_must(struct stream_reader *r, const json_t *json, struct error *e)
{
    const json_t *must = json_object_get(json, "must"), *name;
    size_t i;
    if (must && !json_is_array(must))
        return damaged(r, "\"must\" is not a list", e);
    json_array_foreach(must, i, name)
        if (!json_is_string(name) || strcmp(json_string_value(name), "activation"))
            return error_set(e, "%s: a record needs \"%s\", which this version does not "
                                "understand; use a newer kick",
                             r->name, json_is_string(name) ? json_string_value(name) : "?");
    return 0;
}

/* Reads one record of any kind into r->json. 0: end of input before it. */
static int read_record(struct stream_reader *r, size_t *bytes, bool *attached, struct error *e)
{
    size_t length;
    struct buffer line = {0};
    int result = -1;
    json_decref(r->json);
    r->json = NULL;
    *attached = false;
    *bytes = 0;
    if (next_line(r, &length, e))
        return -1;
    if (length == 0)
        return 0;
    r->json = json_parse((const char *)r->text.data + r->text_at, length, r->name, e);
    if (!r->json)
        return -1;
    if (!json_is_object(r->json))
        return damaged(r, "a record is not an object", e);
    const json_t *size = json_object_get(r->json, "bytes");
    json_t *planes = json_object_get(r->json, "planes");
    if (!size) {
        if (planes)
            return damaged(r, "\"planes\" without \"bytes\"", e);
        if (!r->random && !json_object_get(r->json, "end"))
            digest_add(r->digest, r->text.data + r->text_at, length);
        r->text_at += length;
        return check_must(r, r->json, e) ? -1 : 1;
    }
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        json_integer_value(size) > ATTACHMENT_MAX)
        return damaged(r, "\"bytes\" is not a size", e);
    *bytes = (size_t)json_integer_value(size);
    *attached = true;
    struct stream_layout layout;
    if (canonical(r, &length, planes, &line, e) || parse_planes(r, planes, *bytes, &layout, e) ||
        read_attachment(r, length, &layout, *bytes, e))
        goto out;
    if (!r->random) {
        digest_add(r->digest, line.data, line.length);
        digest_add(r->digest, r->attachment.data, *bytes);
    }
    json_object_del(r->json, "planes");
    result = check_must(r, r->json, e) ? -1 : 1;
out:
    buffer_free(&line);
    return result;
}

/* Takes r->json as the header of a new stream. */
static int take_header(struct stream_reader *r, const char *kind, struct error *e)
{
    int64_t version;
    const char *found, *id;
    struct error why;
    if (json_get_integer(r->json, "kick", 1, INT32_MAX, &version, &why) ||
        json_get_string(r->json, "stream", &found, &why) ||
        json_get_string(r->json, "id", &id, &why))
        return error_set(e, "%s: is not a kick stream: its first record is no header: %s", r->name,
                         why.text);
    if (version > STREAM_VERSION)
        return error_set(e, "%s: has format version %lld; this kick reads version %d and older",
                         r->name, (long long)version, STREAM_VERSION);
    if (kind && strcmp(kind, found))
        return error_set(e, "%s: is a stream of kind '%.40s', not '%s'", r->name, found, kind);
    json_decref(r->header);
    r->header = json_incref(r->json);
    r->records = 1;
    r->ended = false;
    return 0;
}

int stream_open(struct stream_reader **out, const char *path, const char *kind, struct pool *pool,
                struct error *e)
{
    struct stat st;
    bool attached, is_stdin = !path || !strcmp(path, "-");
    size_t bytes;
    struct stream_reader *r = memory_new(1, sizeof *r, "a stream", e);
    if (!r)
        return -1;
    r->fd = -1;
    r->pool = pool;
    r->jobs = pool_threads(pool) > 1 ? (size_t)(2 * pool_threads(pool)) : 1;
    r->name = strdup(is_stdin ? "standard input" : path);
    r->job = memory_new(r->jobs, sizeof *r->job, "a stream", e);
    r->digest = digest_new(e);
    r->zstd = ZSTD_createDCtx();
    if (!r->name || !r->zstd)
        error_set(e, "no memory for a stream");
    if (!r->name || !r->job || !r->digest || !r->zstd)
        goto fail;
    r->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    r->owned = !is_stdin;
    if (r->fd < 0 || fstat(r->fd, &st)) {
        error_set(e, "%s: cannot open it: %s", r->name, strerror(errno));
        goto fail;
    }
    r->regular = S_ISREG(st.st_mode);
    int got = read_record(r, &bytes, &attached, e);
    if (got == 0)
        error_set(e, "%s: is empty%s", r->name,
                  r->regular ? "" : "; the program that writes it failed");
    if (got != 1 || take_header(r, kind, e))
        goto fail;
    *out = r;
    return 0;
fail:
    stream_close(r);
    return -1;
}

void stream_close(struct stream_reader *r)
{
    if (!r)
        return;
    if (r->owned && r->fd >= 0)
        close(r->fd);
    for (size_t i = 0; r->job && i < r->jobs; i++) {
        free(r->job[i].plain);
        ZSTD_freeDCtx(r->job[i].zstd);
    }
    free(r->job);
    ZSTD_freeDCtx(r->zstd);
    buffer_free(&r->in);
    buffer_free(&r->text);
    buffer_free(&r->attachment);
    json_decref(r->header);
    json_decref(r->json);
    json_decref(r->index);
    digest_free(r->digest);
    free(r->name);
    free(r);
}

const char *stream_name(const struct stream_reader *r)
{
    return r->name;
}

json_t *stream_header(const struct stream_reader *r)
{
    return r->header;
}

const char *stream_header_id(const struct stream_reader *r)
{
    return json_string_value(json_object_get(r->header, "id"));
}

void stream_release(struct stream_reader *r)
{
    buffer_free(&r->attachment);
    for (size_t i = 0; i < r->jobs; i++) {
        free(r->job[i].plain);
        r->job[i].plain = NULL;
    }
}

const char *stream_end_digest(const struct stream_reader *r)
{
    return r->end_digest;
}

/* Checks the end record in r->json. */
static int take_end(struct stream_reader *r, struct error *e)
{
    const char *xxh3;
    char have[STREAM_DIGEST_LENGTH];
    digest_hex(r->digest, have);
    if (json_integer_value(json_object_get(r->json, "records")) != (json_int_t)r->records)
        return damaged(r, "the end record counts other records", e);
    if (json_get_string(r->json, "xxh3", &xxh3, NULL) || strcmp(xxh3, have))
        return damaged(r, "the digest in the end record is another", e);
    memcpy(r->end_digest, have, sizeof have);
    r->ended = true;
    if (r->text_at != r->text.length)
        return damaged(r, "something follows the end record in its frame", e);
    return 0;
}

/* Passes over the trailer after an end record, if there is one. */
static int skip_trailer(struct stream_reader *r, struct error *e)
{
    if (fill(r, STREAM_TRAILER, e))
        return -1;
    const unsigned char *p = r->in.data + r->in_at;
    size_t have = r->in.length - r->in_at;
    if (have == 0 || (have >= 4 && load32(p) == ZSTD_MAGICNUMBER))
        return 0;
    if (have < STREAM_TRAILER)
        return truncated(r, e);
    if (load32(p) != STREAM_TRAILER_MAGIC || load32(p + 4) != STREAM_TRAILER - 8 ||
        memcmp(p + 8, STREAM_TRAILER_NAME, 8) || load64(p + 16) != r->offset - r->start ||
        load64(p + 24) != r->end_offset - r->start)
        return damaged(r, "what follows the end record is not its trailer", e);
    consume(r, STREAM_TRAILER);
    return 0;
}

int stream_next(struct stream_reader *r, struct stream_record *record, struct error *e)
{
    size_t bytes;
    bool attached;
    if (r->ended)
        return 0;
    /* Where the end record's frame starts is where text was last empty. */
    if (r->text_at == r->text.length)
        r->end_offset = r->offset;
    int got = read_record(r, &bytes, &attached, e);
    if (got < 0)
        return -1;
    if (got == 0)
        return truncated(r, e);
    if (json_object_get(r->json, "end"))
        return take_end(r, e) || skip_trailer(r, e) ? -1 : 0;
    if (json_object_get(r->json, "kick"))
        return damaged(r, "a second header without an end record before it", e);
    r->records++;
    *record = (struct stream_record){r->json, attached ? r->attachment.data : NULL, bytes};
    return 1;
}

int stream_next_stream(struct stream_reader *r, const char *kind, struct error *e)
{
    size_t bytes;
    bool attached;
    digest_free(r->digest);
    r->digest = digest_new(e);
    if (!r->digest)
        return -1;
    r->start = r->offset;
    int got = read_record(r, &bytes, &attached, e);
    if (got <= 0)
        return got;
    return take_header(r, kind, e) ? -1 : 1;
}

int stream_done(struct stream_reader *r, struct error *e)
{
    if (!r->ended)
        return error_set(e, "%s: is not read to its end", r->name);
    if (fill(r, 1, e))
        return -1;
    if (r->in.length > r->in_at)
        return error_set(e, "%s: holds more than one stream; only one was expected", r->name);
    return 0;
}

/* ---- access by index --------------------------------------------------------------------------- */

/* Continues reading at `offset` in the file. */
static int jump(struct stream_reader *r, uint64_t offset, struct error *e)
{
    if (lseek(r->fd, (off_t)offset, SEEK_SET) < 0)
        return error_set(e, "%s: cannot seek: %s", r->name, strerror(errno));
    r->in.length = r->in_at = r->text.length = r->text_at = r->frame_at = 0;
    r->offset = offset;
    r->eof = false;
    r->random = true;
    return 0;
}

/* Reads the end record by way of the trailer; leaves it in r->json. */
static int read_end(struct stream_reader *r, struct error *e)
{
    unsigned char t[STREAM_TRAILER];
    struct stat st;
    size_t bytes;
    bool attached;
    if (!r->regular || fstat(r->fd, &st))
        return error_set(e, "%s: is not a file; access by index needs one", r->name);
    if (st.st_size < STREAM_TRAILER ||
        pread(r->fd, t, sizeof t, st.st_size - STREAM_TRAILER) != sizeof t ||
        load32(t) != STREAM_TRAILER_MAGIC || load32(t + 4) != STREAM_TRAILER - 8 ||
        memcmp(t + 8, STREAM_TRAILER_NAME, 8))
        return error_set(e, "%s: has no index: it is truncated, or was written to a pipe and "
                            "not with -o", r->name);
    uint64_t size = (uint64_t)st.st_size - STREAM_TRAILER, end = load64(t + 24);
    if (load64(t + 16) != size)
        return error_set(e, "%s: holds more than one stream; only one was expected", r->name);
    if (end >= size || jump(r, end, e))
        return end >= size ? damaged(r, "its trailer is wrong", e) : -1;
    int got = read_record(r, &bytes, &attached, e);
    if (got < 0)
        return -1;
    if (got == 0 || !json_is_true(json_object_get(r->json, "end")))
        return damaged(r, "its trailer is wrong", e);
    return 0;
}

int stream_index(struct stream_reader *r, size_t *count, struct error *e)
{
    if (!r->index) {
        if (read_end(r, e))
            return -1;
        r->index = json_incref(json_object_get(r->json, "index"));
        if (!json_is_array(r->index))
            return damaged(r, "its end record has no index", e);
    }
    *count = json_array_size(r->index);
    return 0;
}

int stream_read_at(struct stream_reader *r, size_t i, struct stream_record *record, struct error *e)
{
    size_t count, bytes;
    bool attached;
    if (stream_index(r, &count, e))
        return -1;
    const json_t *offset = json_array_get(r->index, i);
    if (!json_is_integer(offset) || json_integer_value(offset) < 0)
        return error_set(e, "%s: has no attachment number %zu", r->name, i);
    if (jump(r, (uint64_t)json_integer_value(offset), e))
        return -1;
    int got = read_record(r, &bytes, &attached, e);
    if (got < 0)
        return -1;
    if (got == 0 || !attached)
        return damaged(r, "its index is wrong", e);
    *record = (struct stream_record){r->json, r->attachment.data, bytes};
    return 0;
}

int stream_file_digest(const char *path, char hex[STREAM_DIGEST_LENGTH], struct error *e)
{
    struct stream_reader *r = NULL;
    struct stream_record record;
    const char *xxh3;
    int result = -1, got;
    if (stream_open(&r, path, NULL, NULL, e))
        return -1;
    if (!read_end(r, NULL)) {
        if (json_get_string(r->json, "xxh3", &xxh3, NULL) ||
            strlen(xxh3) != STREAM_DIGEST_LENGTH - 1) {
            damaged(r, "its end record has no digest", e);
            goto out;
        }
        memcpy(hex, xxh3, STREAM_DIGEST_LENGTH);
        result = 0;
        goto out;
    }
    /* Without a trailer (saved from a pipe) the whole stream has to be read. */
    stream_close(r);
    r = NULL;
    if (stream_open(&r, path, NULL, NULL, e))
        goto out;
    while ((got = stream_next(r, &record, e)) > 0)
        ;
    if (got == 0 && !stream_done(r, e)) {
        memcpy(hex, stream_end_digest(r), STREAM_DIGEST_LENGTH);
        result = 0;
    }
out:
    stream_close(r);
    return result;
}
