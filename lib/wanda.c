/* Pruning by scores. Scores are not negative, so they order as their bits do; the limit of a row is
 * found by counting digits, not by sorting: a few passes over a row that stays in the first-level
 * cache, bound by the increments of the first count. */
#include "wanda.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { TILE_ROWS = 16, DIGITS = 1 << 10, SIDES = 4, LANES = 16 };

struct work {
    struct wanda *p;
    uint32_t *score;  /* (threads, 2, cols) */
    uint32_t *sorted; /* alpha search: (rows, cols) */
    double alpha;
    size_t *pruned; /* alpha search: (rows) */
};

static void scores(const struct wanda *p, size_t r, uint32_t *score)
{
    const float *w = p->w + r * p->ld;
    float product[LANES];
    size_t c = 0;
    for (; c + LANES <= p->cols; c += LANES) {
        for (size_t i = 0; i < LANES; i++)
            product[i] = fabsf(w[c + i]) * p->norm[c + i];
        memcpy(score + c, product, sizeof product);
    }
    for (; c < p->cols; c++) {
        product[0] = fabsf(w[c]) * p->norm[c];
        memcpy(&score[c], product, sizeof *score);
    }
}

/* The k-th smallest (from 0) of n; *equal: how many of its equals are among the k smallest. Four
 * counts side by side, since neighbours often meet in a digit and would wait for each other. */
static uint32_t kth_lowest(const uint32_t *score, size_t n, size_t k, uint32_t *rest,
                           size_t *equal)
{
    static const unsigned shift[] = {21, 11, 1, 0}, width[] = {10, 10, 10, 1};
    uint32_t value = 0;
    for (int round = 0; round < 4; round++) {
        uint32_t count[SIDES][DIGITS], digit = 0;
        const uint32_t mask = (1u << width[round]) - 1;
        const unsigned by = shift[round];
        size_t i = 0, left = 0;
        memset(count, 0, sizeof count);
        for (; i + SIDES <= n; i += SIDES)
            for (size_t side = 0; side < SIDES; side++)
                count[side][score[i + side] >> by & mask]++;
        for (; i < n; i++)
            count[0][score[i] >> by & mask]++;
        for (;; digit++) {
            const size_t here = (size_t)count[0][digit] + count[1][digit] + count[2][digit] +
                                count[3][digit];
            if (k < here)
                break;
            k -= here;
        }
        value |= digit << by;
        for (i = 0; i < n; i++) {
            rest[left] = score[i];
            left += (score[i] >> by & mask) == digit;
        }
        score = rest;
        n = left;
    }
    *equal = k;
    return value;
}

/* w becomes +0 where the score is below the limit. */
static void clear_below(float *w, const uint32_t *score, size_t n, uint32_t limit)
{
    uint32_t bits[LANES];
    size_t c = 0;
    for (; c + LANES <= n; c += LANES) {
        memcpy(bits, w + c, sizeof bits);
        for (size_t i = 0; i < LANES; i++) /* neither has a sign bit: they compare as signed too */
            bits[i] &= (int32_t)score[c + i] < (int32_t)limit ? 0 : UINT32_MAX;
        memcpy(w + c, bits, sizeof bits);
    }
    for (; c < n; c++)
        w[c] = score[c] < limit ? 0 : w[c];
}

static void row_share(const struct wanda *p, float *w, const uint32_t *score, uint32_t *rest)
{
    const size_t gone = (size_t)((double)p->cols * p->sparsity);
    size_t equal = 0;
    if (gone == 0)
        return;
    if (gone >= p->cols) {
        memset(w, 0, p->cols * sizeof *w);
        return;
    }
    const uint32_t limit = kth_lowest(score, p->cols, gone, rest, &equal);
    for (size_t c = 0; equal && c < p->cols; c++)
        if (score[c] == limit) {
            equal--;
            w[c] = 0;
        }
    clear_below(w, score, p->cols, limit);
}

/* A weight goes if fewer than `gone` of its group are lower, or equal and before it. */
static inline __attribute__((always_inline)) void row_groups(float *w, const uint32_t *score,
                                                             size_t cols, size_t m, size_t gone)
{
    for (size_t c = 0; c < cols; c += m) {
        size_t rank[64];
        for (size_t i = 0; i < m; i++)
            rank[i] = 0;
        for (size_t i = 0; i < m; i++)
            for (size_t j = i + 1; j < m; j++) {
                const bool later = score[c + i] <= score[c + j];
                rank[j] += later;
                rank[i] += !later;
            }
        for (size_t i = 0; i < m; i++)
            w[c + i] = rank[i] < gone ? 0 : w[c + i];
    }
}

/* The same for groups of 4, one vector each: a score is compared with the three others, which come by
 * turning the vector; of equals the one before is lower, for which it is compared with one more. */
typedef int32_t quad __attribute__((vector_size(16)));
typedef uint32_t unsigned_quad __attribute__((vector_size(16)));

static void row_quads(float *w, const uint32_t *score, size_t cols, int gone)
{
    const unsigned_quad ties1 = {0, 0, 0, 1}, ties2 = {0, 0, 1, 1}, ties3 = {0, 1, 1, 1};
    const quad limit = {-gone, -gone, -gone, -gone};
    for (size_t c = 0; c < cols; c += 4) {
        unsigned_quad x;
        quad bits;
        memcpy(&x, score + c, sizeof x);
        memcpy(&bits, w + c, sizeof bits);
        const quad a = (quad)__builtin_shufflevector(x, x, 1, 2, 3, 0);
        const quad b = (quad)__builtin_shufflevector(x, x, 2, 3, 0, 1);
        const quad d = (quad)__builtin_shufflevector(x, x, 3, 0, 1, 2);
        const quad lower = (a < (quad)(x + ties1)) + (b < (quad)(x + ties2)) +
                           (d < (quad)(x + ties3)); /* minus how many */
        bits &= ~(lower > limit);
        memcpy(w + c, &bits, sizeof bits);
    }
}

static void row_pattern(const struct wanda *p, float *w, const uint32_t *score)
{
    const size_t m = (size_t)p->m, gone = (size_t)(p->m - p->n), whole = p->cols / m * m;
    if (m == 4)
        row_quads(w, score, whole, (int)gone);
    else if (m == 8)
        row_groups(w, score, whole, 8, gone);
    else
        row_groups(w, score, whole, m, gone);
    if (whole < p->cols)
        row_groups(w + whole, score + whole, p->cols - whole, p->cols - whole, gone);
}

static void prune_tile(void *context, size_t tile, long thread)
{
    const struct work *k = context;
    const struct wanda *p = k->p;
    uint32_t *score = k->score + 2 * (size_t)thread * p->cols;
    for (size_t r = tile * TILE_ROWS; r < p->rows && r < (tile + 1) * TILE_ROWS; r++) {
        float *w = p->w + r * p->ld;
        scores(p, r, score);
        if (p->m)
            row_pattern(p, w, score);
        else
            row_share(p, w, score, score + p->cols);
    }
}

/* ---- the search for alpha ----------------------------------------------------------------------
 */

static void sort_row(void *context, size_t r, long thread)
{
    const struct work *k = context;
    const size_t n = k->p->cols;
    uint32_t *from = k->sorted + r * n, *to = k->score + 2 * (size_t)thread * n;
    scores(k->p, r, from);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        size_t place[257] = {0};
        for (size_t i = 0; i < n; i++)
            place[(from[i] >> shift & 255) + 1]++;
        for (size_t i = 0; i < 256; i++)
            place[i + 1] += place[i];
        for (size_t i = 0; i < n; i++)
            to[place[from[i] >> shift & 255]++] = from[i];
        uint32_t *other = from;
        from = to;
        to = other;
    }
}

static float value(uint32_t score)
{
    float x;
    memcpy(&x, &score, sizeof x);
    return x;
}

/* The highest score of a row that goes; false: none does. */
static bool row_limit(const uint32_t *sorted, size_t n, double alpha, uint32_t *limit)
{
    double sum = 0, part = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)value(sorted[i]);
    size_t count = 0;
    while (count < n && part + (double)value(sorted[count]) <= alpha * sum)
        part += (double)value(sorted[count++]);
    if (count)
        *limit = sorted[count - 1];
    return count > 0;
}

static void count_row(void *context, size_t r, long thread)
{
    const struct work *k = context;
    const size_t n = k->p->cols;
    const uint32_t *sorted = k->sorted + r * n;
    uint32_t limit;
    size_t count = 0;
    (void)thread;
    if (row_limit(sorted, n, k->alpha, &limit))
        while (count < n && sorted[count] <= limit)
            count++;
    k->pruned[r] = count;
}

static void alpha_row(void *context, size_t r, long thread)
{
    const struct work *k = context;
    const size_t n = k->p->cols;
    uint32_t *score = k->score + 2 * (size_t)thread * n, limit;
    float *w = k->p->w + r * k->p->ld;
    if (!row_limit(k->sorted + r * n, n, k->alpha, &limit))
        return;
    scores(k->p, r, score);
    for (size_t c = 0; c < n; c++)
        w[c] = score[c] <= limit ? 0 : w[c];
}

static double sparsity_at(struct work *k, double alpha, struct pool *pool)
{
    size_t sum = 0;
    k->alpha = alpha;
    pool_run(pool, k->p->rows, count_row, k);
    for (size_t r = 0; r < k->p->rows; r++)
        sum += k->pruned[r];
    return (double)sum / ((double)k->p->rows * (double)k->p->cols);
}

static void search(struct work *k, struct pool *pool)
{
    const double wanted = k->p->sparsity;
    double low = 0, high = 0.8, alpha = 0.4;
    pool_run(pool, k->p->rows, sort_row, k);
    double now = sparsity_at(k, alpha, pool);
    while (fabs(now - wanted) > 0.001 && high - low >= 0.001) {
        const double before = alpha;
        if (now > wanted) {
            alpha = (alpha + low) / 2;
            high = before;
        } else {
            alpha = (alpha + high) / 2;
            low = before;
        }
        now = sparsity_at(k, alpha, pool);
    }
    k->p->alpha = alpha;
    pool_run(pool, k->p->rows, alpha_row, k);
}

int wanda_prune(struct wanda *p, struct pool *pool, struct error *e)
{
    struct work k = {.p = p};
    int result = -1;
    const size_t threads = (size_t)pool_threads(pool);
    k.score = memory_new(threads, 2 * p->cols * sizeof *k.score, "scores", e);
    if (!k.score)
        return -1;
    if (p->alpha_search) {
        k.sorted = memory_new(p->rows, p->cols * sizeof *k.sorted, "sorted scores", e);
        k.pruned = memory_new(p->rows, sizeof *k.pruned, "counts", e);
        if (!k.sorted || !k.pruned)
            goto out;
        search(&k, pool);
    } else {
        pool_run(pool, (p->rows + TILE_ROWS - 1) / TILE_ROWS, prune_tile, &k);
    }
    result = 0;
out:
    free(k.score);
    free(k.sorted);
    free(k.pruned);
    return result;
}
