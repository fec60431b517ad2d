/* Writing safetensors. */
#include "safetensors_write.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "memory.h"
#include "output.h"

enum { KEYS = 192 }; /* of a tensor in the header, beside its name: type, shape, offsets */

struct safetensors_writer {
    struct output *output;
    json_t *header;
    json_t *last;    /* of the tensor at hand, which has no data_offsets yet; borrowed */
    uint64_t begin;  /* where its data start */
    size_t room;
};

int safetensors_create(struct safetensors_writer **out, const char *path, size_t tensors,
                       size_t name_bytes, struct error *e)
{
    char spaces[4096];
    struct safetensors_writer *w = memory_new(1, sizeof *w, "a file", e);
    if (!w)
        return -1;
    memset(spaces, ' ', sizeof spaces);
    w->room = (64 + tensors * (name_bytes + KEYS) + 7) / 8 * 8;
    w->header = json_object();
    if (json_set(w->header, "__metadata__", json_pack("{s:s}", "format", "pt"), e) ||
        output_open(&w->output, path, e))
        goto fail;
    for (size_t n = 8 + w->room; n;) {
        const size_t k = n < sizeof spaces ? n : sizeof spaces;
        if (output_write(w->output, spaces, k, e))
            goto fail;
        n -= k;
    }
    *out = w;
    return 0;
fail:
    safetensors_writer_free(w);
    return -1;
}

static int end_tensor(struct safetensors_writer *w, struct error *e)
{
    const uint64_t start = 8 + w->room, end = output_offset(w->output);
    if (!w->last)
        return 0;
    return json_set(w->last, "data_offsets",
                    json_pack("[I,I]", (json_int_t)(w->begin - start), (json_int_t)(end - start)), e);
}

int safetensors_begin(struct safetensors_writer *w, const char *name, const char *dtype, int rank,
                      const size_t *shape, struct error *e)
{
    if (end_tensor(w, e))
        return -1;
    json_t *sizes = json_array();
    for (int i = 0; i < rank; i++)
        json_array_append_new(sizes, json_integer((json_int_t)shape[i]));
    w->begin = output_offset(w->output);
    w->last = json_pack("{s:s, s:o}", "dtype", dtype, "shape", sizes);
    return json_set(w->header, name, w->last, e);
}

int safetensors_append(struct safetensors_writer *w, const void *data, size_t bytes,
                       struct error *e)
{
    return output_write(w->output, data, bytes, e);
}

int safetensors_finish(struct safetensors_writer *w, struct error *e)
{
    struct buffer text = {0};
    unsigned char length[8];
    int result = -1;
    if (end_tensor(w, e) || json_append(w->header, &text, e) || output_flush(w->output, e))
        goto out;
    if (text.length > w->room) {
        error_set(e, "%s: its header has %zu bytes, and room was left for %zu",
                  output_name(w->output), text.length, w->room);
        goto out;
    }
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)w->room >> 8 * i);
    if (pwrite(output_fd(w->output), length, 8, 0) != 8 ||
        pwrite(output_fd(w->output), text.data, text.length, 8) != (ssize_t)text.length) {
        error_set(e, "%s: cannot write: %s", output_name(w->output), strerror(errno));
        goto out;
    }
    result = output_commit(w->output, e);
out:
    buffer_free(&text);
    return result;
}

void safetensors_writer_free(struct safetensors_writer *w)
{
    if (!w)
        return;
    output_free(w->output);
    json_decref(w->header);
    free(w);
}
