/* The parts of the stream format that reader and writer share; see stream.5. Internal to lib/stream*. */
#ifndef KICK_STREAM_FORMAT_H
#define KICK_STREAM_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum {
    STREAM_FRAME = 1 << 22,      /* greatest content of a frame */
    STREAM_PIECE = STREAM_FRAME - (1 << 16), /* sections are cut into pieces of this many bytes */
    STREAM_TEXT_FRAME = 1 << 20, /* frames of records without attachments are closed at this size */
    STREAM_SECTIONS = 16,        /* greatest number of sections in an attachment */
    STREAM_TRAILER = 8 + 24,     /* the skippable frame at the end of a file: header and content */
};
#define STREAM_TRAILER_MAGIC 0x184D2A5Bu
#define STREAM_TRAILER_NAME "kickend\1"

/* A frame of a long attachment: the record's line (first frame only) and whole pieces, as many as
 * fit. Layout of the attachment from its sections, frame by frame. */
struct stream_piece {
    size_t offset, length; /* in the attachment */
    int width;
};

enum { STREAM_PIECES = 2 * STREAM_SECTIONS };

struct stream_layout {
    size_t bytes[STREAM_SECTIONS];
    int width[STREAM_SECTIONS];
    size_t count;
    /* where the next frame begins */
    size_t section, inside, offset;
};

struct stream_frame {
    size_t line;    /* bytes of the line and its newline in front */
    size_t content; /* line and pieces */
    struct stream_piece piece[STREAM_PIECES];
    size_t pieces;
};

/* Fills the next frame; line is the length of what stands in front (0 but for the first frame).
 * Returns false when the attachment has ended. */
bool stream_layout_next(struct stream_layout *l, size_t line, struct stream_frame *frame);

/* n bytes of elements of `width` bytes: into planes (all first bytes, all second bytes, …) and back.
 * A rest that is no whole element is copied at the end. */
void planes_split(const unsigned char *in, size_t n, int width, unsigned char *out);
void planes_join(const unsigned char *restrict in, size_t n, int width, unsigned char *restrict out);

#endif
