/* Interpreting pickles: one loop over opcodes, a stack, a memo. */
#include "pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "window.h"

/* Real pickles stay below 30 MB (100,000 tensors) and 250 MB in memory; the limits bound what a
 * hostile one costs. */
enum { PICKLE_MAX = 64 << 20, MEMORY_MAX = 1 << 29, TEXT_MAX = 1 << 20, NAME_MAX_BYTES = 256,
       CHUNK = 1 << 16 };

struct chunk { /* of texts */
    struct chunk *next;
    size_t used, size;
    char data[];
};

struct pickle {
    struct window window;
    struct pickle_value *stack, *memo, root;
    size_t depth, stack_capacity, memos, memo_capacity;
    size_t *marks;
    size_t mark_count, mark_capacity;
    struct pickle_items *all;
    struct chunk *chunks;
    size_t spent; /* bytes of memory */
};

static const char *const global_names[GLOBAL_COUNT] = {
    [GLOBAL_ORDERED_DICT] = "collections.OrderedDict",
    [GLOBAL_REBUILD_TENSOR] = "torch._utils._rebuild_tensor",
    [GLOBAL_REBUILD_TENSOR_V2] = "torch._utils._rebuild_tensor_v2",
    [GLOBAL_REBUILD_PARAMETER] = "torch._utils._rebuild_parameter",
    [GLOBAL_FLOAT_STORAGE] = "torch.FloatStorage",
    [GLOBAL_HALF_STORAGE] = "torch.HalfStorage",
    [GLOBAL_BFLOAT16_STORAGE] = "torch.BFloat16Storage",
    [GLOBAL_DOUBLE_STORAGE] = "torch.DoubleStorage",
    [GLOBAL_LONG_STORAGE] = "torch.LongStorage",
    [GLOBAL_INT_STORAGE] = "torch.IntStorage",
    [GLOBAL_SHORT_STORAGE] = "torch.ShortStorage",
    [GLOBAL_CHAR_STORAGE] = "torch.CharStorage",
    [GLOBAL_BYTE_STORAGE] = "torch.ByteStorage",
    [GLOBAL_BOOL_STORAGE] = "torch.BoolStorage",
};

/* Names of the opcodes that are refused, so that a message can name them. */
static const struct {
    unsigned char code;
    const char *name;
} refused[] = {
    {'0', "POP"},          {'1', "POP_MARK"},      {'2', "DUP"},           {'F', "FLOAT"},
    {'I', "INT"},          {'L', "LONG"},          {'P', "PERSID"},        {'S', "STRING"},
    {'T', "BINSTRING"},    {'U', "SHORT_BINSTRING"}, {'V', "UNICODE"},     {'d', "DICT"},
    {'g', "GET"},          {'i', "INST"},          {'l', "LIST"},          {'o', "OBJ"},
    {'p', "PUT"},          {'B', "BINBYTES"},      {'C', "SHORT_BINBYTES"}, {0x81, "NEWOBJ"},
    {0x82, "EXT1"},        {0x83, "EXT2"},         {0x84, "EXT4"},         {0x8b, "LONG4"},
    {0x8e, "BINBYTES8"},   {0x8f, "EMPTY_SET"},    {0x90, "ADDITEMS"},     {0x91, "FROZENSET"},
    {0x92, "NEWOBJ_EX"},   {0x96, "BYTEARRAY8"},   {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"}, {0x8d, "BINUNICODE8"},
};

const char *pickle_global_name(enum pickle_global g)
{
    return global_names[g];
}

const char *pickle_kind_name(enum pickle_kind k)
{
    static const char *const names[] = {
        [PICKLE_NONE] = "None",      [PICKLE_BOOL] = "a truth value",
        [PICKLE_INTEGER] = "a number", [PICKLE_BIG] = "a long number",
        [PICKLE_REAL] = "a number",  [PICKLE_TEXT] = "a text",
        [PICKLE_TUPLE] = "a tuple",  [PICKLE_LIST] = "a list",
        [PICKLE_DICT] = "a dictionary", [PICKLE_GLOBAL] = "a name",
        [PICKLE_CALL] = "a tensor",  [PICKLE_PERSISTENT] = "a storage",
    };
    return names[k];
}

/* ---- memory --------------------------------------------------------------------------------- */

static int spend(struct pickle *p, size_t n, struct error *e)
{
    p->spent += n;
    return p->spent <= MEMORY_MAX ? 0 : error_set(e, "its pickle would need more than %d MiB",
                                                  MEMORY_MAX >> 20);
}

/* Room for n bytes of text and a NUL. */
static char *text_new(struct pickle *p, size_t n, struct error *e)
{
    if (!p->chunks || p->chunks->size - p->chunks->used < n + 1) {
        const size_t size = n + 1 > CHUNK ? n + 1 : CHUNK;
        struct chunk *c =
            spend(p, size, e) ? NULL : memory_new(1, sizeof *c + size, "a pickle's texts", e);
        if (!c)
            return NULL;
        c->size = size;
        c->next = p->chunks;
        p->chunks = c;
    }
    char *s = p->chunks->data + p->chunks->used;
    p->chunks->used += n + 1;
    return s;
}

static struct pickle_items *items_new(struct pickle *p, struct error *e)
{
    /* what the allocator adds counts too */
    struct pickle_items *t =
        spend(p, sizeof *t + 160, e) ? NULL : memory_new(1, sizeof *t, "a pickle's values", e);
    if (t) {
        t->next = p->all;
        p->all = t;
    }
    return t;
}

static int items_append(struct pickle *p, struct pickle_items *t, const struct pickle_value *v,
                        size_t n, struct error *e)
{
    if (n > t->capacity - t->count) {
        const size_t want = t->count + n > 2 * t->capacity ? t->count + n : 2 * t->capacity;
        struct pickle_value *q = spend(p, (want - t->capacity) * sizeof *q, e)
                                     ? NULL
                                     : memory_resize(t->value, want, sizeof *q, "its values", e);
        if (!q)
            return -1;
        t->value = q;
        t->capacity = want;
    }
    if (n)
        memcpy(t->value + t->count, v, n * sizeof *v);
    t->count += n;
    return 0;
}

void pickle_free(struct pickle *p)
{
    if (!p)
        return;
    while (p->all) {
        struct pickle_items *next = p->all->next;
        free(p->all->value);
        free(p->all);
        p->all = next;
    }
    while (p->chunks) {
        struct chunk *next = p->chunks->next;
        free(p->chunks);
        p->chunks = next;
    }
    free(p->stack);
    free(p->memo);
    free(p->marks);
    free(p);
}

const struct pickle_value *pickle_root(const struct pickle *p)
{
    return &p->root;
}

/* ---- the stack ------------------------------------------------------------------------------ */

static int push(struct pickle *p, struct pickle_value v, struct error *e)
{
    if (p->depth == p->stack_capacity) {
        const size_t want = p->depth ? 2 * p->depth : 256;
        struct pickle_value *q = spend(p, want / 2 * sizeof *q, e)
                                     ? NULL
                                     : memory_resize(p->stack, want, sizeof *q, "its stack", e);
        if (!q)
            return -1;
        p->stack = q;
        p->stack_capacity = want;
    }
    p->stack[p->depth++] = v;
    return 0;
}

static int push_integer(struct pickle *p, enum pickle_kind kind, int64_t v, struct error *e)
{
    return push(p, (struct pickle_value){.kind = kind, .integer = v}, e);
}

/* Lowest place that an opcode may take from: above the last mark. */
static size_t floor_of(const struct pickle *p)
{
    return p->mark_count ? p->marks[p->mark_count - 1] : 0;
}

static int need(const struct pickle *p, size_t n, struct error *e)
{
    return p->depth - floor_of(p) >= n ? 0 : error_set(e, "its pickle takes from an empty stack");
}

static int mark(struct pickle *p, struct error *e)
{
    if (p->mark_count == p->mark_capacity) {
        const size_t want = p->mark_count ? 2 * p->mark_count : 64;
        size_t *q = spend(p, want / 2 * sizeof *q, e)
                        ? NULL
                        : memory_resize(p->marks, want, sizeof *q, "its marks", e);
        if (!q)
            return -1;
        p->marks = q;
        p->mark_capacity = want;
    }
    p->marks[p->mark_count++] = p->depth;
    return 0;
}

/* Ends the innermost mark; *first is where its values begin. */
static int unmark(struct pickle *p, size_t *first, struct error *e)
{
    if (!p->mark_count)
        return error_set(e, "its pickle ends a group that it did not begin");
    *first = p->marks[--p->mark_count];
    return 0;
}

/* The topmost values from `first` on become one tuple, list or dict. */
static int gather(struct pickle *p, enum pickle_kind kind, size_t first, struct error *e)
{
    struct pickle_items *t = items_new(p, e);
    if (!t || items_append(p, t, p->depth > first ? p->stack + first : NULL, p->depth - first, e))
        return -1;
    p->depth = first;
    return push(p, (struct pickle_value){.kind = kind, .items = t}, e);
}

static int tuple_of(struct pickle *p, size_t n, struct error *e)
{
    return need(p, n, e) ? -1 : gather(p, PICKLE_TUPLE, p->depth - n, e);
}

/* Values from `first` on go into the list or dict below them. */
static int add_items(struct pickle *p, enum pickle_kind kind, size_t first, struct error *e)
{
    const size_t n = p->depth - first;
    if (first <= floor_of(p) || p->stack[first - 1].kind != kind)
        return error_set(e, "its pickle adds items to what is no %s",
                         kind == PICKLE_DICT ? "dictionary" : "list");
    if (kind == PICKLE_DICT && n % 2)
        return error_set(e, "its pickle has a key without a value");
    for (size_t i = first; kind == PICKLE_DICT && i < p->depth; i += 2)
        if (p->stack[i].kind > PICKLE_TEXT)
            return error_set(e, "its pickle has %s for a key", pickle_kind_name(p->stack[i].kind));
    if (items_append(p, p->stack[first - 1].items, p->stack + first, n, e))
        return -1;
    p->depth = first;
    return 0;
}

/* ---- the memo ------------------------------------------------------------------------------- */

/* Picklers number from 0 in order; a number further on would cost memory that the file does not
 * pay for. */
static int remember(struct pickle *p, size_t i, struct error *e)
{
    if (need(p, 1, e))
        return -1;
    if (i > p->memos)
        return error_set(e, "its pickle's memo has a gap at %zu", p->memos);
    if (p->memos == p->memo_capacity) {
        const size_t want = p->memos ? 2 * p->memos : 256;
        struct pickle_value *q = spend(p, want / 2 * sizeof *q, e)
                                     ? NULL
                                     : memory_resize(p->memo, want, sizeof *q, "its memo", e);
        if (!q)
            return -1;
        p->memo = q;
        p->memo_capacity = want;
    }
    p->memo[i] = p->stack[p->depth - 1];
    p->memos += i == p->memos;
    return 0;
}

static int recall(struct pickle *p, size_t i, struct error *e)
{
    if (i >= p->memos)
        return error_set(e, "its pickle asks for value %zu, which it did not keep", i);
    return push(p, p->memo[i], e);
}

/* ---- opcodes -------------------------------------------------------------------------------- */

static int take(struct pickle *p, size_t n, uint64_t *out, struct error *e)
{
    unsigned char b[8] = {0};
    if (window_read(&p->window, b, n, e))
        return -1;
    *out = load_u64(b);
    return 0;
}

static int push_text(struct pickle *p, size_t width, struct error *e)
{
    uint64_t n;
    if (take(p, width, &n, e))
        return -1;
    if (n > TEXT_MAX)
        return error_set(e, "its pickle has a text of %llu bytes", (unsigned long long)n);
    if (n > window_left(&p->window))
        return error_set(e, "its pickle has a text that goes past its end");
    char *s = text_new(p, (size_t)n, e);
    if (!s || window_read(&p->window, s, (size_t)n, e))
        return -1;
    return push(p, (struct pickle_value){.kind = PICKLE_TEXT, .text = s, .length = (size_t)n}, e);
}

/* LONG1: two's complement. */
static int push_long(struct pickle *p, struct error *e)
{
    unsigned char b[256];
    uint64_t n, v = 0;
    if (take(p, 1, &n, e) || window_read(&p->window, b, (size_t)n, e))
        return -1;
    if (n <= 8) {
        for (size_t i = (size_t)n; i-- > 0;)
            v = v << 8 | b[i];
        if (n && n < 8 && b[n - 1] & 128)
            v |= UINT64_MAX << 8 * n;
        return push_integer(p, PICKLE_INTEGER, (int64_t)v, e);
    }
    char *s = text_new(p, (size_t)n, e);
    if (!s)
        return -1;
    memcpy(s, b, (size_t)n);
    return push(p, (struct pickle_value){.kind = PICKLE_BIG, .text = s, .length = (size_t)n}, e);
}

static int push_global(struct pickle *p, const char *module, const char *name, struct error *e)
{
    char full[2 * NAME_MAX_BYTES + 2];
    snprintf(full, sizeof full, "%s.%s", module, name);
    for (int i = 0; i < GLOBAL_COUNT; i++)
        if (!strcmp(full, global_names[i]))
            return push(p, (struct pickle_value){.kind = PICKLE_GLOBAL, .global = (enum pickle_global)i},
                        e);
    return error_set(e,
                     "its pickle asks for '%.200s', which weights do not need; it may be malicious: "
                     "use safetensors, or ask its author for the weights alone", full);
}

static int read_line(struct pickle *p, char out[NAME_MAX_BYTES], struct error *e)
{
    size_t n = 0;
    do {
        if (n == NAME_MAX_BYTES)
            return error_set(e, "its pickle asks for a name of more than %d bytes", NAME_MAX_BYTES);
        if (window_read(&p->window, out + n, 1, e))
            return -1;
    } while (out[n++] != '\n');
    out[n - 1] = '\0';
    if (strlen(out) != n - 1)
        return error_set(e, "its pickle asks for a name with a NUL in it");
    return 0;
}

static int op_global(struct pickle *p, struct error *e)
{
    char module[NAME_MAX_BYTES], name[NAME_MAX_BYTES];
    return read_line(p, module, e) || read_line(p, name, e) ? -1 : push_global(p, module, name, e);
}

static int op_stack_global(struct pickle *p, struct error *e)
{
    if (need(p, 2, e))
        return -1;
    const struct pickle_value *m = &p->stack[p->depth - 2], *n = &p->stack[p->depth - 1];
    if (m->kind != PICKLE_TEXT || n->kind != PICKLE_TEXT || m->length >= NAME_MAX_BYTES ||
        n->length >= NAME_MAX_BYTES || strlen(m->text) != m->length || strlen(n->text) != n->length)
        return error_set(e, "its pickle asks for something that has no proper name");
    p->depth -= 2;
    return push_global(p, m->text, n->text, e);
}

/* A call: of OrderedDict an empty dict; of the rebuilding functions the call itself. */
static int op_reduce(struct pickle *p, struct error *e)
{
    if (need(p, 2, e))
        return -1;
    const struct pickle_value f = p->stack[p->depth - 2], a = p->stack[p->depth - 1];
    if (f.kind != PICKLE_GLOBAL || a.kind != PICKLE_TUPLE)
        return error_set(e, "its pickle calls %s with %s", pickle_kind_name(f.kind),
                         pickle_kind_name(a.kind));
    if (f.global >= GLOBAL_FLOAT_STORAGE)
        return error_set(e, "its pickle calls '%s', which weights do not need",
                         global_names[f.global]);
    p->depth -= 2;
    if (f.global != GLOBAL_ORDERED_DICT)
        return push(p, (struct pickle_value){.kind = PICKLE_CALL, .global = f.global, .items = a.items},
                    e);
    if (a.items->count)
        return error_set(e, "its pickle calls 'collections.OrderedDict' with arguments, which "
                            "weights do not need");
    return gather(p, PICKLE_DICT, p->depth, e);
}

/* Attributes of a dictionary (a state_dict's _metadata) say nothing about its weights. */
static int op_build(struct pickle *p, struct error *e)
{
    if (need(p, 2, e))
        return -1;
    const struct pickle_value *to = &p->stack[p->depth - 2], *state = &p->stack[p->depth - 1];
    if (to->kind != PICKLE_DICT || state->kind != PICKLE_DICT)
        return error_set(e, "its pickle sets attributes (BUILD) of %s", pickle_kind_name(to->kind));
    p->depth--;
    return 0;
}

static int op_persistent(struct pickle *p, struct error *e)
{
    if (need(p, 1, e))
        return -1;
    return gather(p, PICKLE_PERSISTENT, p->depth - 1, e);
}

static int refuse(unsigned char op, struct error *e)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].code == op)
            return error_set(e, "its pickle uses opcode %s, which weights do not need",
                             refused[i].name);
    return error_set(e, "its pickle uses 0x%02x, which is no opcode: damaged, or no pickle", op);
}

/* One opcode; *done at STOP. */
static int step(struct pickle *p, unsigned char op, bool *done, struct error *e)
{
    uint64_t v;
    size_t first = 0;
    switch (op) {
    case 0x80: /* PROTO */
        if (take(p, 1, &v, e))
            return -1;
        return v >= 2 && v <= 5 ? 0 : error_set(e, "its pickle is of protocol %d; 2 to 5 are read",
                                                (int)v);
    case 0x95: /* FRAME: a hint for readers */
        return take(p, 8, &v, e);
    case '(':
        return mark(p, e);
    case 'N':
        return push_integer(p, PICKLE_NONE, 0, e);
    case 0x88: /* NEWTRUE, NEWFALSE */
    case 0x89:
        return push_integer(p, PICKLE_BOOL, op == 0x88, e);
    case 'K': /* BININT1, BININT2, BININT */
        return take(p, 1, &v, e) ? -1 : push_integer(p, PICKLE_INTEGER, (int64_t)v, e);
    case 'M':
        return take(p, 2, &v, e) ? -1 : push_integer(p, PICKLE_INTEGER, (int64_t)v, e);
    case 'J':
        return take(p, 4, &v, e) ? -1 : push_integer(p, PICKLE_INTEGER, (int32_t)(uint32_t)v, e);
    case 0x8a: /* LONG1 */
        return push_long(p, e);
    case 'G': { /* BINFLOAT: big-endian */
        unsigned char b[8];
        struct pickle_value real = {.kind = PICKLE_REAL};
        if (window_read(&p->window, b, 8, e))
            return -1;
        for (v = 0, first = 0; first < 8; first++)
            v = v << 8 | b[first];
        memcpy(&real.real, &v, 8);
        return push(p, real, e);
    }
    case 'X': /* BINUNICODE, SHORT_BINUNICODE */
        return push_text(p, 4, e);
    case 0x8c:
        return push_text(p, 1, e);
    case ')':
        return gather(p, PICKLE_TUPLE, p->depth, e);
    case ']':
        return gather(p, PICKLE_LIST, p->depth, e);
    case '}':
        return gather(p, PICKLE_DICT, p->depth, e);
    case 0x85: /* TUPLE1 … TUPLE3 */
    case 0x86:
    case 0x87:
        return tuple_of(p, (size_t)op - 0x84, e);
    case 't':
        return unmark(p, &first, e) ? -1 : gather(p, PICKLE_TUPLE, first, e);
    case 'a': /* APPEND, APPENDS, SETITEM, SETITEMS */
        return need(p, 2, e) ? -1 : add_items(p, PICKLE_LIST, p->depth - 1, e);
    case 'e':
        return unmark(p, &first, e) ? -1 : add_items(p, PICKLE_LIST, first, e);
    case 's':
        return need(p, 3, e) ? -1 : add_items(p, PICKLE_DICT, p->depth - 2, e);
    case 'u':
        return unmark(p, &first, e) ? -1 : add_items(p, PICKLE_DICT, first, e);
    case 'q': /* BINPUT, LONG_BINPUT, MEMOIZE */
        return take(p, 1, &v, e) ? -1 : remember(p, (size_t)v, e);
    case 'r':
        return take(p, 4, &v, e) ? -1 : remember(p, (size_t)v, e);
    case 0x94:
        return remember(p, p->memos, e);
    case 'h': /* BINGET, LONG_BINGET */
        return take(p, 1, &v, e) ? -1 : recall(p, (size_t)v, e);
    case 'j':
        return take(p, 4, &v, e) ? -1 : recall(p, (size_t)v, e);
    case 'c':
        return op_global(p, e);
    case 0x93:
        return op_stack_global(p, e);
    case 'R':
        return op_reduce(p, e);
    case 'b':
        return op_build(p, e);
    case 'Q':
        return op_persistent(p, e);
    case '.':
        if (p->depth != 1 || p->mark_count)
            return error_set(e, "its pickle ends with %zu values on its stack", p->depth);
        p->root = p->stack[0];
        *done = true;
        return 0;
    default:
        return refuse(op, e);
    }
}

int pickle_read(struct pickle **out, int fd, uint64_t *at, uint64_t end, struct error *e)
{
    struct pickle *p = memory_new(1, sizeof *p, "a pickle", e);
    bool done = false;
    if (!p)
        return -1;
    const bool cut = end > *at && end - *at > PICKLE_MAX;
    window_start(&p->window, fd, *at, cut ? *at + PICKLE_MAX : end);
    while (!done) {
        unsigned char op;
        if (!window_left(&p->window)) {
            error_set(e, cut ? "its pickle is larger than 64 MiB" : "its pickle ends early");
            goto fail;
        }
        if (window_read(&p->window, &op, 1, e) || step(p, op, &done, e))
            goto fail;
    }
    *at = p->window.at;
    *out = p;
    return 0;
fail:
    pickle_free(p);
    return -1;
}
