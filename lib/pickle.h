/* Python pickles as weight files hold them, interpreted and never executed.
 *
 * A pickle is a program for a stack machine that may call any function by name. This reader knows
 * the opcodes that torch.save() writes (protocols 2 to 5) and the few names below; whatever else is
 * refused by name. Nothing is called: the result is a tree of plain values, in which calls of the
 * rebuilding functions stay what they are, a name with its arguments. Memory is linear in the bytes
 * read, and nothing recurses. */
#ifndef KICK_PICKLE_H
#define KICK_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,    /* integer: 0 or 1 */
    PICKLE_INTEGER,
    PICKLE_BIG,     /* an integer of more than 8 bytes: text holds its bytes, little-endian */
    PICKLE_REAL,
    PICKLE_TEXT,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,       /* items: key, value, key, value … in order of insertion */
    PICKLE_GLOBAL,     /* a name: global */
    PICKLE_CALL,       /* global, items: its arguments */
    PICKLE_PERSISTENT, /* items: the one value that names something outside the pickle */
};

enum pickle_global {
    GLOBAL_ORDERED_DICT,
    GLOBAL_REBUILD_TENSOR,
    GLOBAL_REBUILD_TENSOR_V2,
    GLOBAL_REBUILD_PARAMETER,
    GLOBAL_FLOAT_STORAGE, /* from here on: storage types */
    GLOBAL_HALF_STORAGE,
    GLOBAL_BFLOAT16_STORAGE,
    GLOBAL_DOUBLE_STORAGE,
    GLOBAL_LONG_STORAGE,
    GLOBAL_INT_STORAGE,
    GLOBAL_SHORT_STORAGE,
    GLOBAL_CHAR_STORAGE,
    GLOBAL_BYTE_STORAGE,
    GLOBAL_BOOL_STORAGE,
    GLOBAL_COUNT,
};

struct pickle_items;

struct pickle_value {
    enum pickle_kind kind;
    enum pickle_global global;
    union {
        int64_t integer;
        double real;
        struct {
            const char *text; /* NUL-terminated; UTF-8 is not checked */
            size_t length;
        };
        struct pickle_items *items; /* of tuple, list, dict, call, persistent */
    };
};

struct pickle_items {
    struct pickle_value *value;
    size_t count, capacity;
    struct pickle_items *next; /* of the list by which all are freed */
};

struct pickle;

/* Reads the pickle that starts at *at of a file and ends before `end`; *at then is the place after
 * its last opcode. The caller keeps fd. */
int pickle_read(struct pickle **out, int fd, uint64_t *at, uint64_t end, struct error *e);
void pickle_free(struct pickle *p);
const struct pickle_value *pickle_root(const struct pickle *p);

/* "torch.FloatStorage" */
const char *pickle_global_name(enum pickle_global g);
/* "a tuple" */
const char *pickle_kind_name(enum pickle_kind k);

#endif
