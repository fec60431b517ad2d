/* safetensors files: 8 bytes of header length, a JSON header {name: {dtype, shape, data_offsets}},
 * then the data. As the reference implementation, refuses holes, overlaps, sizes that disagree and
 * anything but a header of at most 100 MB; tensors are read one at a time with pread. */
#ifndef KICK_SAFETENSORS_H
#define KICK_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum { SAFETENSORS_RANK_MAX = 8 };

struct safetensors_entry {
    const char *name;
    const char *dtype; /* "F32", "BF16", … */
    int rank;          /* 0: a scalar */
    size_t shape[SAFETENSORS_RANK_MAX];
    uint64_t offset;   /* in the file */
    size_t bytes;
};

struct safetensors;

int safetensors_open(struct safetensors **out, const char *path, struct error *e);
void safetensors_close(struct safetensors *s);
size_t safetensors_count(const struct safetensors *s);
/* In order of their place in the file; borrowed. */
const struct safetensors_entry *safetensors_entry(const struct safetensors *s, size_t i);
/* Says that a tensor is read next, so that the disk can begin. */
void safetensors_prefetch(const struct safetensors *s, const struct safetensors_entry *t);
/* Reads `bytes` bytes of a tensor from `offset` on into out. */
int safetensors_read(const struct safetensors *s, const struct safetensors_entry *t, size_t offset,
                     size_t bytes, void *out, struct error *e);

#endif
