/* Weights saved by torch.save(): the zip form (ARCHIVE/data.pkl, ARCHIVE/data/KEY) and the form before
 * it (three short pickles, that of the weights, the list of storages, then their bytes). The pickle
 * is interpreted by lib/pickle and must be a dictionary of tensors; a tensor is a view (offset,
 * sizes, strides) of a storage, which several may share. Data is read with pread when it is wanted. */
#ifndef KICK_TORCH_FILE_H
#define KICK_TORCH_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum { TORCH_RANK_MAX = 8 };

struct torch_entry {
    const char *name;
    const char *dtype; /* as safetensors names it: "F32", "BF16", … */
    int rank;
    size_t shape[TORCH_RANK_MAX];
    size_t bytes; /* as torch_read() gives them: row-major, without gaps */
    size_t stride[TORCH_RANK_MAX], first, width; /* elements; bytes of one */
    const char *key; /* its storage's name, size in elements and place in the file */
    uint64_t elements, offset;
};

struct torch_file;

/* True if a file of these first n bytes may be one. */
bool torch_looks_like(const unsigned char *start, size_t n);

int torch_open(struct torch_file **out, const char *path, struct error *e);
void torch_close(struct torch_file *t);
size_t torch_count(const struct torch_file *t);
/* In the dictionary's order; borrowed. */
const struct torch_entry *torch_entry(const struct torch_file *t, size_t i);
/* `bytes` bytes of a tensor from `offset` on, both multiples of its elements' size. */
int torch_read(const struct torch_file *t, const struct torch_entry *n, size_t offset, size_t bytes,
               void *out, struct error *e);

#endif
