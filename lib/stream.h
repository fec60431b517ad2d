/* The one format between all programs: JSON Lines with attachments inside zstd frames (stream.5).
 *
 * Reader: open, take the header, then records until 0, for each stream of the input. Writer:
 * create with a header, write records, finish. All digests and frames are handled here; this is the
 * only code that knows the format. */
#ifndef KICK_STREAM_H
#define KICK_STREAM_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "output.h"
#include "pool.h"

enum {
    STREAM_VERSION = 1,
    STREAM_DIGEST_LENGTH = 33, /* 32 hex digits of xxh3-128 and a NUL */
};

/* ---- digests and ids --------------------------------------------------------------------------- */

struct digest; /* running xxh3-128 */
struct digest *digest_new(struct error *e);
void digest_add(struct digest *d, const void *data, size_t n);
void digest_hex(const struct digest *d, char hex[STREAM_DIGEST_LENGTH]);
void digest_free(struct digest *d);

/* xxh3-128 of one buffer, as 32 hex digits. */
void digest_buffer(const void *data, size_t n, char hex[STREAM_DIGEST_LENGTH]);

/* The id of a step's result: a digest of the source's id, program, revision, options (a JSON object,
 * serialised with sorted keys) and the digests of side files (may be NULL). */
int stream_id(const char *source_id, const char *program, int revision, json_t *options,
              json_t *sides, char id[STREAM_DIGEST_LENGTH], struct error *e);

/* A new header: kind "model", "text", "tasks", "results" or "bench"; id; and the history of `from`
 * (a header, or NULL) with one more step {program, revision, options, sides, id}. NULL on error. */
json_t *stream_header_new(const char *kind, const char *source_id, json_t *from,
                          const char *program, int revision, json_t *options, json_t *sides,
                          struct error *e);

/* ---- reading ----------------------------------------------------------------------------------- */

struct stream_record {
    json_t *json;              /* borrowed until the next call on this reader; no key "planes" */
    const unsigned char *data; /* the attachment, planes undone; NULL without; likewise borrowed */
    size_t bytes;              /* its length */
};

struct stream_reader;

/* Opens a file ("-" or NULL: stdin) and reads its first header, which must be of `kind` (NULL: any).
 * pool (may be NULL, not owned) decodes the frames of a large attachment in parallel. */
int stream_open(struct stream_reader **out, const char *path, const char *kind, struct pool *pool,
                struct error *e);
void stream_close(struct stream_reader *r);

/* Name for messages ("model.kick", "standard input"); header of the current stream (borrowed). */
const char *stream_name(const struct stream_reader *r);
json_t *stream_header(const struct stream_reader *r);
/* String under the header's key "id". */
const char *stream_header_id(const struct stream_reader *r);

/* Next record. 1: *record is filled; 0: the stream's end record was reached and its digest is right;
 * -1: an error (damage, truncation …). */
int stream_next(struct stream_reader *r, struct stream_record *record, struct error *e);

/* Gives back the memory of the record's attachment, which is then gone, and of reading it: for the time
 * of something long. */
void stream_release(struct stream_reader *r);

/* After stream_next() gave 0: the digest in the end record. */
const char *stream_end_digest(const struct stream_reader *r);

/* After the end of one stream: 1 if another follows in the same file (its header is then current), 0
 * at the end of the input, -1 on error. Those who expect a single stream call stream_done(), for
 * which a second one is an error. */
int stream_next_stream(struct stream_reader *r, const char *kind, struct error *e);
int stream_done(struct stream_reader *r, struct error *e);

/* Access by index, for a file that holds one stream: number of records with an attachment or -1,
 * and the i-th of them. Each frame's checksum is verified, the stream's digest is not. */
int stream_index(struct stream_reader *r, size_t *count, struct error *e);
int stream_read_at(struct stream_reader *r, size_t i, struct stream_record *record, struct error *e);

/* Digest of a whole stream file from its end record alone (a side file named on the command line is
 * digested before it is read). */
int stream_file_digest(const char *path, char hex[STREAM_DIGEST_LENGTH], struct error *e);

/* ---- writing ----------------------------------------------------------------------------------- */

/* A part of an attachment: its bytes, and the width of its elements if they are to be stored as byte
 * planes (2: bf16/f16, 4: f32; 1: as they are). */
struct stream_section {
    const void *data;
    size_t bytes;
    int width;
};

struct stream_writer;

/* Starts a stream on o (not owned; committed by the caller after stream_finish()); the header is
 * written at once. Files are compressed at level 1 with byte planes, pipes more cheaply. pool may be
 * NULL. */
int stream_create(struct stream_writer **out, struct output *o, json_t *header, struct pool *pool,
                  struct error *e);
/* Writes one record; json (borrowed, must have no "bytes" and no "planes") gets an attachment made
 * of the sections in order when count > 0. */
int stream_write(struct stream_writer *w, json_t *json, const struct stream_section *section,
                 size_t count, struct error *e);
/* Writes the end record; input is the end digest of the input stream or NULL. */
int stream_finish(struct stream_writer *w, const char *input, struct error *e);
/* The digest that stream_finish() wrote. */
const char *stream_writer_digest(const struct stream_writer *w);
void stream_writer_free(struct stream_writer *w);

#endif
