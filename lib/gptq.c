/* GPTQ of one matrix. */
#include "gptq.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "quantize.h"
#include "sweep.h"

struct grids {
    const struct kernels *kernels;
    struct gptq *g;
    const float *w;
    size_t ld, cols, group;
};

static void row_grids(void *context, size_t r, long thread)
{
    const struct grids *j = context;
    (void)thread;
    for (size_t i = 0, c = 0; c < j->cols; i++, c += j->group) {
        const size_t n = j->cols - c < j->group ? j->cols - c : j->group;
        quantize_grid_search(j->kernels, j->w + r * j->ld + c, n, j->g->bits, j->g->symmetric, j->g->mse,
                             &j->g->scale[r * j->g->groups + i], &j->g->zero[r * j->g->groups + i]);
    }
}

/* Moves each row's entries: out[i] = in[order[i]], or the other way round. */
static void permute(float *w, size_t rows, size_t cols, size_t ld, const uint32_t *order, bool back,
                    float *row)
{
    for (size_t r = 0; r < rows; r++, w += ld) {
        for (size_t i = 0; i < cols; i++)
            row[back ? order[i] : i] = w[back ? i : order[i]];
        memcpy(w, row, cols * sizeof *w);
    }
}

static int sweep(struct gptq *g, float *w, size_t rows, size_t cols, size_t group,
                 const struct factor *factor, const uint32_t *order, const uint32_t *grid_of,
                 const struct kernels *k, struct pool *pool, struct error *e)
{
    const size_t ld = sweep_stride(cols);
    float *row = memory_new(cols, sizeof *row, "a row", e);
    uint8_t *codes = memory_new(cols, 1, "a row", e);
    int result = -1;
    struct sweep s = {.kernels = k,
                      .pool = pool,
                      .factor = factor,
                      .w = w,
                      .rows = rows,
                      .cols = cols,
                      .block = g->block,
                      .bits = g->bits,
                      .group = group,
                      .symmetric = g->symmetric,
                      .mse = g->mse,
                      .keep_zeros = g->keep_zeros,
                      .grid_of = grid_of,
                      .scale = g->scale,
                      .zero = g->zero,
                      .codes = g->codes};
    if (!row || !codes)
        goto out;
    if (order)
        permute(w, rows, cols, ld, order, false, row);
    if (sweep_run(&s, e))
        goto out;
    if (order) {
        permute(w, rows, cols, ld, order, true, row);
        for (size_t r = 0; r < rows; r++) {
            memcpy(codes, g->codes + r * cols, cols);
            for (size_t i = 0; i < cols; i++)
                g->codes[r * cols + order[i]] = codes[i];
        }
    }
    result = 0;
out:
    free(row);
    free(codes);
    return result;
}

bool gptq_direct(size_t group, bool static_groups)
{
    enum { MOST = 1024 };
    return static_groups || group <= MOST;
}

int gptq_run(struct gptq *g, float *w, size_t rows, size_t cols, const struct factor *factor,
             const uint32_t *order, const struct kernels *k, struct pool *pool, struct error *e)
{
    const size_t ld = sweep_stride(cols);
    const size_t group = g->group == 0 || g->group > cols ? cols : g->group;
    const bool given = group == cols || g->static_groups;
    struct grids grids = {k, g, w, ld, cols, group};
    uint32_t *grid_of = NULL;
    int result = -1;
    g->groups = (cols + group - 1) / group;
    g->codes = memory_new(rows, cols, "codes", e);
    g->scale = memory_new(rows, g->groups * sizeof *g->scale, "scales", e);
    g->zero = memory_new(rows, g->groups, "zero points", e);
    grid_of = memory_new(cols, sizeof *grid_of, "groups", e);
    if (!g->codes || !g->scale || !g->zero || !grid_of)
        goto out;
    if (group == cols)
        pool_run(pool, rows, row_grids, &grids);
    for (size_t r = 0; factor->dead_count && r < rows; r++)
        for (size_t j = 0; j < cols; j++)
            w[r * ld + j] = factor->dead[j] ? 0 : w[r * ld + j];
    if (group < cols && given)
        pool_run(pool, rows, row_grids, &grids);
    for (size_t i = 0; i < cols; i++)
        grid_of[i] = (order ? order[i] : (uint32_t)i) / (uint32_t)group;
    if (order && group < cols && !given) {
        g->g_idx = memory_new(cols, sizeof *g->g_idx, "groups", e);
        if (!g->g_idx)
            goto out;
        for (size_t i = 0; i < cols; i++)
            g->g_idx[order[i]] = (int32_t)(i / group);
    }
    result = sweep(g, w, rows, cols, group, factor, order, given ? grid_of : NULL, k, pool, e);
out:
    free(grid_of);
    if (result)
        gptq_free(g);
    return result;
}

void gptq_free(struct gptq *g)
{
    free(g->codes);
    free(g->scale);
    free(g->zero);
    free(g->g_idx);
    g->codes = g->zero = NULL;
    g->scale = NULL;
    g->g_idx = NULL;
}
