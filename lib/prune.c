/* Magnitude pruning. Magnitudes of IEEE numbers order as their bits without the sign do, so all types
 * are compared as integers: 15 bits of f16 and bf16, 31 bits of f32 (in two rounds of counting). */
#include "prune.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { TILE_ROWS = 64, BINS = 1 << 16 };

struct job {
    enum tensor_values type;
    unsigned char *dense;
    size_t rows, cols, tiles;
    int n, m;
    uint32_t threshold, high; /* high: f32, the upper 16 bits that the threshold has */
    int round;
    size_t *count; /* (threads, BINS) */
    _Atomic size_t bad; /* row + 1 of a weight that is not finite */
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

static void count_tile(void *context, size_t tile, long thread)
{
    struct job *j = context;
    size_t width = values_size(j->type), n = tile_rows(j, tile) * j->cols;
    const unsigned char *p = j->dense + tile * TILE_ROWS * j->cols * width;
    size_t *count = j->count + (size_t)thread * BINS;
    uint32_t limit = infinity_of(j->type);
    for (size_t i = 0; i < n; i++) {
        uint32_t x = magnitude(j->type, p + i * width);
        if (x >= limit)
            atomic_store(&j->bad, tile * TILE_ROWS + i / j->cols + 1);
        if (j->type != VALUES_F32)
            count[x]++;
        else if (j->round == 0)
            count[x >> 16]++;
        else if (x >> 16 == j->high)
            count[x & 0xFFFF]++;
    }
}

static void zero_tile(void *context, size_t tile, long thread)
{
    struct job *j = context;
    size_t width = values_size(j->type), n = tile_rows(j, tile) * j->cols;
    unsigned char *p = j->dense + tile * TILE_ROWS * j->cols * width;
    (void)thread;
    for (size_t i = 0; i < n; i++)
        if (magnitude(j->type, p + i * width) <= j->threshold)
            memset(p + i * width, 0, width);
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

static int not_finite(struct job *j, struct error *e)
{
    size_t bad = atomic_load(&j->bad);
    return bad ? error_set(e, "row %zu is not finite; repair the checkpoint", bad - 1) : 0;
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

static void pattern_tile(void *context, size_t tile, long thread)
{
    struct job *j = context;
    size_t width = values_size(j->type), m = (size_t)j->m;
    uint32_t limit = infinity_of(j->type), x[64];
    (void)thread;
    for (size_t r = tile * TILE_ROWS; r < tile * TILE_ROWS + tile_rows(j, tile); r++)
        for (size_t c = 0; c < j->cols; c += m) {
            unsigned char *p = j->dense + (r * j->cols + c) * width;
            size_t length = j->cols - c < m ? j->cols - c : m;
            for (size_t i = 0; i < length; i++) {
                x[i] = magnitude(j->type, p + i * width);
                if (x[i] >= limit)
                    atomic_store(&j->bad, r + 1);
            }
            for (int removed = 0; removed < j->m - j->n && removed < (int)length; removed++) {
                size_t least = 0;
                for (size_t i = 1; i < length; i++)
                    if (x[i] < x[least])
                        least = i;
                memset(p + least * width, 0, width);
                x[least] = UINT32_MAX;
            }
        }
}

int prune_pattern(enum tensor_values type, void *dense, size_t rows, size_t cols, int n, int m,
                  struct pool *pool, struct error *e)
{
    struct job j = {.type = type, .dense = dense, .rows = rows, .cols = cols, .n = n, .m = m,
                    .tiles = (rows + TILE_ROWS - 1) / TILE_ROWS};
    pool_run(pool, j.tiles, pattern_tile, &j);
    return not_finite(&j, e);
}
