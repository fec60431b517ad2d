/* What reader and writer share: digests, ids, headers, the layout of attachments, byte planes. */
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "json.h"
#include "memory.h"
#include "stream_format.h"

struct digest {
    XXH3_state_t state;
};

struct digest *digest_new(struct error *e)
{
    struct digest *d = memory_new(1, sizeof *d, "a digest", e);
    if (d)
        XXH3_128bits_reset(&d->state);
    return d;
}

void digest_add(struct digest *d, const void *data, size_t n)
{
    XXH3_128bits_update(&d->state, data, n);
}

static void hex(XXH128_hash_t h, char out[STREAM_DIGEST_LENGTH])
{
    snprintf(out, STREAM_DIGEST_LENGTH, "%016llx%016llx", (unsigned long long)h.high64,
             (unsigned long long)h.low64);
}

void digest_hex(const struct digest *d, char out[STREAM_DIGEST_LENGTH])
{
    hex(XXH3_128bits_digest(&d->state), out);
}

void digest_free(struct digest *d)
{
    free(d);
}

void digest_buffer(const void *data, size_t n, char out[STREAM_DIGEST_LENGTH])
{
    hex(XXH3_128bits(data, n), out);
}

int stream_id(const char *source_id, const char *program, int revision, json_t *options,
              json_t *sides, char id[STREAM_DIGEST_LENGTH], struct error *e)
{
    json_t *j = json_pack("{s:s*, s:s, s:i, s:O*, s:O*}", "source", source_id, "program", program,
                          "revision", revision, "options", options, "sides", sides);
    char *text = j ? json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(j);
    if (!text)
        return error_set(e, "no memory for an id");
    digest_buffer(text, strlen(text), id);
    free(text);
    return 0;
}

json_t *stream_header_new(const char *kind, const char *source_id, json_t *from,
                          const char *program, int revision, json_t *options, json_t *sides,
                          struct error *e)
{
    char id[STREAM_DIGEST_LENGTH];
    if (stream_id(source_id, program, revision, options, sides, id, e))
        return NULL;
    json_t *history = json_deep_copy(from ? json_object_get(from, "history") : NULL);
    if (!history)
        history = json_array();
    json_t *step = json_pack("{s:s, s:i, s:O*, s:O*, s:s}", "program", program, "revision", revision,
                             "options", options, "sides", sides, "id", id);
    json_t *header = NULL;
    if (history && step && !json_array_append(history, step))
        header = json_pack("{s:i, s:s, s:s, s:O}", "kick", STREAM_VERSION, "stream", kind, "id", id,
                           "history", history);
    json_decref(history);
    json_decref(step);
    if (!header)
        error_set(e, "no memory for a header");
    return header;
}

bool stream_layout_next(struct stream_layout *l, size_t line, struct stream_frame *frame)
{
    bool first = line > 0;
    frame->line = line;
    frame->content = line;
    frame->pieces = 0;
    while (l->section < l->count) {
        size_t left = l->bytes[l->section] - l->inside;
        size_t n = left < STREAM_PIECE ? left : STREAM_PIECE;
        if (n == 0) {
            l->section++;
            l->inside = 0;
            continue;
        }
        if (frame->content + n > STREAM_FRAME || frame->pieces == STREAM_PIECES)
            return true;
        frame->piece[frame->pieces++] =
            (struct stream_piece){l->offset, n, l->width[l->section]};
        frame->content += n;
        l->offset += n;
        l->inside += n;
    }
    return first || frame->pieces > 0;
}

void planes_split(const unsigned char *in, size_t n, int width, unsigned char *out)
{
    size_t w = (size_t)width, k = n / w;
    if (width == 2) {
        for (size_t i = 0; i < k; i++) {
            out[i] = in[2 * i];
            out[k + i] = in[2 * i + 1];
        }
    } else if (width == 4) {
        for (size_t i = 0; i < k; i++) {
            out[i] = in[4 * i];
            out[k + i] = in[4 * i + 1];
            out[2 * k + i] = in[4 * i + 2];
            out[3 * k + i] = in[4 * i + 3];
        }
    } else {
        for (size_t b = 0; b < w; b++)
            for (size_t i = 0; i < k; i++)
                out[b * k + i] = in[w * i + b];
    }
    memcpy(out + k * w, in + k * w, n - k * w);
}

void planes_join(const unsigned char *restrict in, size_t n, int width, unsigned char *restrict out)
{
    size_t w = (size_t)width, k = n / w;
    if (width == 2) {
        size_t i = 0;
        for (; i + 16 <= k; i += 16) /* so many that a compiler makes vectors of them */
            for (size_t j = i; j < i + 16; j++) {
                out[2 * j] = in[j];
                out[2 * j + 1] = in[k + j];
            }
        for (; i < k; i++) {
            out[2 * i] = in[i];
            out[2 * i + 1] = in[k + i];
        }
    } else if (width == 4) {
        for (size_t i = 0; i < k; i++) {
            out[4 * i] = in[i];
            out[4 * i + 1] = in[k + i];
            out[4 * i + 2] = in[2 * k + i];
            out[4 * i + 3] = in[3 * k + i];
        }
    } else {
        for (size_t b = 0; b < w; b++)
            for (size_t i = 0; i < k; i++)
                out[w * i + b] = in[b * k + i];
    }
    memcpy(out + k * w, in + k * w, n - k * w);
}
