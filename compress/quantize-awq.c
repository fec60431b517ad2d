/* AWQ (Lin et al. 2023): input channels with large activations get finer weights; lib/awq.h has the
 * formulas. The scales are folded into what produces the inputs (norms, v, up), so that the result is
 * an ordinary int stream. */
#include "awq.h"
#include "calibrated.h"
#include "quantize.h"
#include "sweep.h"

#include <stdlib.h>

#include "json.h"
#include "memory.h"

static struct grid_options grid = GRID_DEFAULTS;
static struct calibrated_options common = CALIBRATED_DEFAULTS;
static bool no_clip;

static struct awq method_of(const struct calibrated *c)
{
    return (struct awq){(int)grid.bits, (size_t)grid.group, grid.symmetric, c->kernels, c->pool};
}

static int prepare(struct calibrated *c, struct calibrated_site *s, const struct matrix *const *m,
                   size_t count, struct error *e)
{
    const struct awq a = method_of(c);
    float *mean = memory_new(s->cols, sizeof *mean, "means", e);
    int result = -1;
    s->fold = memory_new(s->cols, sizeof *s->fold, "scales", e);
    if (mean && s->fold) {
        for (size_t j = 0; j < s->cols; j++)
            mean[j] = (float)(s->squares[j] / (double)s->tokens);
        result = awq_search(&a, m, count, mean, s->probe, s->probes, s->stride, s->fold, &s->alpha,
                            e);
    }
    free(mean);
    return result;
}

static int compress(struct calibrated *c, struct calibrated_layer *l, struct tensor_store *out,
                    struct error *e)
{
    const struct awq a = method_of(c);
    const size_t rows = l->like->rows, cols = l->like->cols, ld = sweep_stride(cols);
    const size_t g = grid.group == 0 || (size_t)grid.group > cols ? cols : (size_t)grid.group;
    const size_t groups = (cols + g - 1) / g;
    const struct calibrated_site *s = l->site;
    double share = 0;
    int result = -1;
    if (fallback_group(&common.fallbacks, l->like->name, grid.group, cols, l->note, e) ||
        (!s->fold && fallback_take(&common.fallbacks, l->like->name, l->note, e,
                                   "no scales: nothing before it can be divided by them")))
        return -1;
    uint8_t *codes = memory_new(rows, cols, "codes", e);
    uint8_t *zero = memory_new(rows, groups, "zero points", e);
    float *scale = memory_new(rows, groups * sizeof *scale, "scales", e);
    if (!codes || !zero || !scale)
        goto out;
    /* Clipping q and k would change the attention's weights, as the authors found: they stay whole. */
    if (!no_clip && s->probes && l->role != ROLE_Q && l->role != ROLE_K && l->role != ROLE_QKV &&
        awq_clip(&a, l->w, rows, cols, ld, s->folded ? s->folded : s->probe, s->probes, s->stride,
                 &share, e))
        goto out;
    for (size_t r = 0; r < rows; r++)
        quantize_row(l->w + r * ld, cols, g, (int)grid.bits, grid.symmetric, codes + r * cols,
                     scale + r * groups, zero + r * groups);
    if (json_set(l->note, "alpha", s->fold ? json_number(s->alpha) : json_null(), e) ||
        json_set(l->note, "clipped", json_number(share), e))
        goto out;
    result = calibrated_codes(l, (int)grid.bits, groups, (size_t)grid.group, codes, scale, zero, NULL, out, e);
out:
    free(codes);
    free(zero);
    free(scale);
    return result;
}

static struct cli_option options[] = {
    GRID_OPTIONS(grid),
    {0, "no-clip", CLI_FLAG, &no_clip, NULL, "leave out the search for clipped ranges",
     .result = true},
    CALIBRATED_OPTIONS(common),
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct calibrated method = {.cli = c,
                                .options = &common,
                                .statistic = STATISTIC_ABSOLUTE,
                                .matrix_bytes = 6,
                                .prepare = prepare,
                                .compress = compress};
    return calibrated_run(&method, e);
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "quantize-awq",
                    .revision = 2,
                    .summary = "quantize with finer weights where activations are large (AWQ)",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY | CLI_TIMINGS,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
