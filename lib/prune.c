/* Magnitude pruning. Magnitudes of IEEE numbers order as their bits without the sign do, so all types
 * are compared as integers: 15 bits of f16 and bf16, 31 bits of f32 (in two rounds of counting). */
#include "prune.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { TILE_ROWS = 64, BINS = 1 << 16, LANES = 16 };

struct job {
    enum tensor_values type;
    unsigned char *dense;
    size_t rows, cols, tiles;
    int n, m;
    uint32_t threshold, high; /* high: f32, the upper 16 bits that the threshold has */
    int round;
    size_t *count; /* (threads, BINS) */
    atomic_bool bad; /* a weight is not finite */
};

static uint32_t magnitude(enum tensor_values type, const unsigned char *p)
{
    uint32_t x = 0;
    if (type == VALUES_F32) {
        memcpy(&x, p, 4);
        return x & 0x7FFFFFFF;
    }
    uint16_t h;
    memcpy(&h, p, 2);
    return h & 0x7FFFu;
}

static uint32_t infinity_of(enum tensor_values type)
{
    return type == VALUES_F32 ? 0x7F800000u : type == VALUES_F16 ? 0x7C00u : 0x7F80u;
}

static size_t tile_rows(const struct job *j, size_t tile)
{
    return j->rows - tile * TILE_ROWS < TILE_ROWS ? j->rows - tile * TILE_ROWS : TILE_ROWS;
}

/* 16-bit types: all 15 bits at once. */
static void count16(struct job *j, const unsigned char *p, size_t n, size_t *count)
{
    uint32_t limit = infinity_of(j->type), most = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = magnitude(VALUES_BF16, p + 2 * i);
        most = x > most ? x : most;
        count[x]++;
    }
    if (most >= limit)
        atomic_store(&j->bad, true);
}

static void count32(struct job *j, const unsigned char *p, size_t n, size_t *count)
{
    uint32_t limit = infinity_of(j->type), most = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = magnitude(VALUES_F32, p + 4 * i);
        most = x > most ? x : most;
        if (j->round == 0)
            count[x >> 16]++;
        else if (x >> 16 == j->high)
            count[x & 0xFFFF]++;
    }
    if (most >= limit)
        atomic_store(&j->bad, true);
}

static void count_tile(void *context, size_t tile, long thread)
{
    struct job *j = context;
    size_t n = tile_rows(j, tile) * j->cols;
    const unsigned char *p = j->dense + tile * TILE_ROWS * j->cols * values_size(j->type);
    size_t *count = j->count + (size_t)thread * BINS;
    if (j->type == VALUES_F32)
        count32(j, p, n, count);
    else
        count16(j, p, n, count);
}

/* An element stays or becomes +0; without a branch, since which it is cannot be foreseen. */
static inline void keep16(unsigned char *p, bool stays)
{
    uint16_t x;
    memcpy(&x, p, 2);
    x = (uint16_t)(x & -(unsigned)stays);
    memcpy(p, &x, 2);
}

static inline void keep32(unsigned char *p, bool stays)
{
    uint32_t x;
    memcpy(&x, p, 4);
    x &= -(uint32_t)stays;
    memcpy(p, &x, 4);
}

static void zero_tile(void *context, size_t tile, long thread)
{
    struct job *j = context;
    size_t n = tile_rows(j, tile) * j->cols;
    unsigned char *p = j->dense + tile * TILE_ROWS * j->cols * values_size(j->type);
    (void)thread;
    if (j->type == VALUES_F32)
        for (size_t i = 0; i < n; i++)
            keep32(p + 4 * i, magnitude(VALUES_F32, p + 4 * i) > j->threshold);
    else
        for (size_t i = 0; i < n; i++)
            keep16(p + 2 * i, magnitude(VALUES_BF16, p + 2 * i) > j->threshold);
}

/* Bin of the k-th smallest (from 0), and how many lie in the bins before it. */
static uint32_t select_bin(struct job *j, struct pool *pool, size_t k, size_t *before)
{
    memset(j->count, 0, (size_t)pool_threads(pool) * BINS * sizeof *j->count);
    pool_run(pool, j->tiles, count_tile, j);
    *before = 0;
    for (uint32_t b = 0;; b++) {
        size_t n = 0;
        for (long t = 0; t < pool_threads(pool); t++)
            n += j->count[(size_t)t * BINS + b];
        if (*before + n > k || b == BINS - 1)
            return b;
        *before += n;
    }
}

/* The row is looked for only now, from the start: the message does not depend on the threads. */
static int not_finite(struct job *j, struct error *e)
{
    size_t width = values_size(j->type);
    if (!atomic_load(&j->bad))
        return 0;
    size_t i = 0;
    while (magnitude(j->type, j->dense + i * width) < infinity_of(j->type))
        i++;
    return error_set(e, "row %zu is not finite; repair the checkpoint", i / j->cols);
}

int prune_magnitude(enum tensor_values type, void *dense, size_t rows, size_t cols, double sparsity,
                    struct pool *pool, struct error *e)
{
    struct job j = {.type = type, .dense = dense, .rows = rows, .cols = cols,
                    .tiles = (rows + TILE_ROWS - 1) / TILE_ROWS};
    size_t total = rows * cols, k = (size_t)((double)total * sparsity), before;
    j.count = memory_new((size_t)pool_threads(pool) * BINS, sizeof *j.count, "counting", e);
    if (!j.count)
        return -1;
    if (k >= total)
        k = total - 1;
    uint32_t bin = select_bin(&j, pool, k, &before);
    j.threshold = bin;
    if (type == VALUES_F32) {
        size_t rest = k - before;
        j.round = 1;
        j.high = bin;
        j.threshold = bin << 16 | select_bin(&j, pool, rest, &before);
    }
    free(j.count);
    if (not_finite(&j, e))
        return -1;
    if (sparsity > 0)
        pool_run(pool, j.tiles, zero_tile, &j);
    return 0;
}

/* Zeroes the `remove` least of each of `count` neighbouring groups of m columns: those of which fewer
 * than `remove` others are less, where of equals the first is less. Groups lie across lanes, so that
 * the comparisons are vectors and no branch depends on a weight. */
static bool prune_groups(enum tensor_values type, unsigned char *p, size_t count, size_t m,
                         size_t remove)
{
    uint32_t x[64][LANES], less[LANES], most[LANES] = {0}, finite = 1;
    size_t width = values_size(type);
    for (size_t i = 0; i < m; i++) {
        for (size_t l = 0; l < count; l++)
            x[i][l] = magnitude(type, p + (l * m + i) * width);
        for (size_t l = count; l < LANES; l++)
            x[i][l] = 0;
        for (size_t l = 0; l < LANES; l++)
            most[l] = x[i][l] > most[l] ? x[i][l] : most[l];
    }
    for (size_t l = 0; l < LANES; l++)
        finite &= most[l] < infinity_of(type);
    for (size_t i = 0; i < m && finite; i++) {
        memset(less, 0, sizeof less);
        for (size_t k = 0; k < i; k++)
            for (size_t l = 0; l < LANES; l++)
                less[l] += x[k][l] <= x[i][l];
        for (size_t k = i + 1; k < m; k++)
            for (size_t l = 0; l < LANES; l++)
                less[l] += x[k][l] < x[i][l];
        for (size_t l = 0; l < count; l++)
            if (width == 2)
                keep16(p + (l * m + i) * 2, less[l] >= remove);
            else
                keep32(p + (l * m + i) * 4, less[l] >= remove);
    }
    return finite;
}

/* Groups of 4 fill a vector: a magnitude is compared with the three others, which come by turning the
 * vector; of equals the one before is less. Comparing with one more makes less of "less or equal". The
 * 16-bit types have two groups in a vector. All magnitudes join `most`. */
typedef int32_t quad __attribute__((vector_size(16)));
typedef uint32_t unsigned_quad __attribute__((vector_size(16)));
typedef int16_t pair __attribute__((vector_size(16)));
typedef uint16_t unsigned_pair __attribute__((vector_size(16)));

static bool prune_quads(float *p, size_t groups, int remove)
{
    const unsigned_quad ties1 = {0, 0, 0, 1}, ties2 = {0, 0, 1, 1}, ties3 = {0, 1, 1, 1};
    const quad limit = {-remove, -remove, -remove, -remove};
    quad most = {0};
    for (size_t g = 0; g < groups; g++) {
        quad bits;
        memcpy(&bits, p + 4 * g, sizeof bits);
        const quad x = bits & 0x7FFFFFFF;
        const quad less = (__builtin_shufflevector(x, x, 1, 2, 3, 0) < (quad)((unsigned_quad)x + ties1)) +
                          (__builtin_shufflevector(x, x, 2, 3, 0, 1) < (quad)((unsigned_quad)x + ties2)) +
                          (__builtin_shufflevector(x, x, 3, 0, 1, 2) < (quad)((unsigned_quad)x + ties3));
        const quad more = x > most;
        most = (x & more) | (most & ~more);
        bits &= ~(less > limit); /* less: minus how many are */
        memcpy(p + 4 * g, &bits, sizeof bits);
    }
    for (int i = 0; i < 4; i++)
        if ((uint32_t)most[i] >= infinity_of(VALUES_F32))
            return false;
    return true;
}

static bool prune_pairs(enum tensor_values type, uint16_t *p, size_t groups, int remove)
{
    const unsigned_pair ties1 = {0, 0, 0, 1, 0, 0, 0, 1}, ties2 = {0, 0, 1, 1, 0, 0, 1, 1};
    const unsigned_pair ties3 = {0, 1, 1, 1, 0, 1, 1, 1};
    const pair limit = (pair){0} - (int16_t)remove;
    pair most = {0};
    for (size_t g = 0; g < groups; g += 2) {
        pair bits = {0};
        const size_t bytes = groups - g < 2 ? 8 : 16;
        if (bytes == 16)
            memcpy(&bits, p + 4 * g, 16);
        else
            memcpy(&bits, p + 4 * g, 8);
        const pair x = bits & 0x7FFF;
        const pair less = (__builtin_shufflevector(x, x, 1, 2, 3, 0, 5, 6, 7, 4) < (pair)((unsigned_pair)x + ties1)) +
                          (__builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5) < (pair)((unsigned_pair)x + ties2)) +
                          (__builtin_shufflevector(x, x, 3, 0, 1, 2, 7, 4, 5, 6) < (pair)((unsigned_pair)x + ties3));
        const pair more = x > most;
        most = (x & more) | (most & ~more);
        bits &= ~(less > limit);
        if (bytes == 16)
            memcpy(p + 4 * g, &bits, 16);
        else
            memcpy(p + 4 * g, &bits, 8);
    }
    for (int i = 0; i < 8; i++)
        if ((uint32_t)most[i] >= infinity_of(type))
            return false;
    return true;
}

static void pattern_tile(void *context, size_t tile, long thread)
{
    struct job *j = context;
    size_t width = values_size(j->type), m = (size_t)j->m, remove = (size_t)(j->m - j->n);
    bool finite = true;
    (void)thread;
    for (size_t r = tile * TILE_ROWS; r < tile * TILE_ROWS + tile_rows(j, tile); r++) {
        unsigned char *row = j->dense + r * j->cols * width;
        size_t groups = j->cols / m;
        if (m == 4 && j->type == VALUES_F32)
            finite &= prune_quads((float *)(void *)row, groups, (int)remove);
        else if (m == 4)
            finite &= prune_pairs(j->type, (uint16_t *)(void *)row, groups, (int)remove);
        for (size_t g = 0; m != 4 && g < groups; g += LANES)
            finite &= prune_groups(j->type, row + g * m * width,
                                   groups - g < LANES ? groups - g : LANES, m, remove);
        if (j->cols % m)
            finite &= prune_groups(j->type, row + groups * m * width, 1, j->cols % m, remove);
    }
    if (!finite)
        atomic_store(&j->bad, true);
}

int prune_pattern(enum tensor_values type, void *dense, size_t rows, size_t cols, int n, int m,
                  struct pool *pool, struct error *e)
{
    struct job j = {.type = type, .dense = dense, .rows = rows, .cols = cols, .n = n, .m = m,
                    .tiles = (rows + TILE_ROWS - 1) / TILE_ROWS};
    pool_run(pool, j.tiles, pattern_tile, &j);
    return not_finite(&j, e);
}
