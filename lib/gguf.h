/* GGUF files, versions 2 and 3, little-endian: metadata by key, tensors of llama.cpp's types. Layout:
 * "GGUF", version, number of tensors and of keys; keys with typed values; per tensor its name, sizes,
 * type and offset; then, aligned, the data. Every length is checked against what is left of the file
 * before anything is allocated; data is read when it is wanted. */
#ifndef KICK_GGUF_H
#define KICK_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "gguf_quants.h"

enum { GGUF_RANK_MAX = 4 };

enum gguf_kind { /* numbers of the file format */
    GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL,
    GGUF_STRING, GGUF_ARRAY, GGUF_U64, GGUF_I64, GGUF_F64, GGUF_KINDS,
};

struct gguf_string {
    const char *text; /* NUL-terminated */
    size_t length;
};

struct gguf_value {
    const char *key;
    enum gguf_kind kind, items; /* items: what an array holds */
    size_t count;               /* of an array; else 1 */
    const unsigned char *bytes; /* numbers, as in the file */
    const struct gguf_string *string;
};

struct gguf_entry {
    const char *name;
    const struct gguf_type *type;
    int rank;                     /* 1 to 4 */
    size_t shape[GGUF_RANK_MAX];  /* rows first: the reverse of the file's order */
    size_t rows, cols;            /* cols: the last of shape */
    uint64_t offset;              /* in the file */
    size_t row_bytes;
};

struct gguf;

bool gguf_looks_like(const unsigned char *start, size_t n);
int gguf_open(struct gguf **out, const char *path, struct error *e);
void gguf_close(struct gguf *g);

/* The value of a key, or NULL. */
const struct gguf_value *gguf_find(const struct gguf *g, const char *key);
/* Number i of a value as a double or, where it is an integer, as that; false where it is neither. */
bool gguf_real(const struct gguf_value *v, size_t i, double *out);
bool gguf_integer(const struct gguf_value *v, size_t i, int64_t *out);

size_t gguf_count(const struct gguf *g);
const struct gguf_entry *gguf_entry(const struct gguf *g, size_t i);
/* n rows from `row` on, as they stand in the file (row_bytes bytes each). */
int gguf_read_rows(const struct gguf *g, const struct gguf_entry *t, size_t row, size_t n, void *out,
                  struct error *e);

#endif
