/* GPTQ (Frantar et al. 2022): rounds the columns of each matrix one after another while those still
 * to come make up for the error; lib/sweep.h has the formulas. Weights that an earlier step removed
 * stay zero. */
#include "calibrated.h"
#include "gptq.h"
#include "quantize.h"

static struct grid_options grid = GRID_DEFAULTS;
static struct calibrated_options common = CALIBRATED_DEFAULTS;
static bool act_order, static_groups, mse;

static int ready(struct calibrated *c, struct calibrated_site *s, struct error *e)
{
    return calibrated_factor(c, s, gptq_direct((size_t)grid.group, static_groups), act_order, e);
}

static int compress(struct calibrated *c, struct calibrated_layer *l, struct tensor_store *out,
                    struct error *e)
{
    struct gptq g = {.bits = (int)grid.bits,
                     .group = (size_t)grid.group,
                     .symmetric = grid.symmetric,
                     .mse = mse,
                     .static_groups = static_groups,
                     .keep_zeros = l->pruned,
                     .block = (size_t)common.block};
    if (fallback_group(&common.fallbacks, l->like->name, grid.group, l->like->cols, l->note, e) ||
        calibrated_factor_note(c, l, e) ||
        gptq_run(&g, l->w, l->like->rows, l->like->cols, &l->site->factor, l->site->order,
                 c->kernels, c->pool, e))
        return -1;
    const int result = calibrated_codes(l, (int)grid.bits, g.groups, (size_t)grid.group, g.codes, g.scale,
                                        g.zero, g.g_idx, out, e);
    gptq_free(&g);
    return result;
}

static struct cli_option options[] = {
    GRID_OPTIONS(grid),
    {0, "act-order", CLI_FLAG, &act_order, NULL, "columns of the largest inputs first",
     .result = true},
    {0, "static-groups", CLI_FLAG, &static_groups, NULL, "all grids from the dense weights",
     .result = true},
    {0, "mse", CLI_FLAG, &mse, NULL, "shrink grids for the least error", .result = true},
    HESSIAN_OPTIONS(common),
    CALIBRATED_OPTIONS(common),
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct calibrated method = {.cli = c,
                                .options = &common,
                                .statistic = STATISTIC_HESSIAN,
                                .matrix_bytes = 10,
                                .ready = ready,
                                .compress = compress};
    return calibrated_run(&method, e);
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "quantize-gptq",
                    .revision = 3,
                    .summary = "round weights and let the others make up for it (GPTQ)",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY | CLI_TIMINGS,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
