/* GPTQ (Frantar et al. 2022): rounds the columns of each matrix one after another while those still
 * to come make up for the error; lib/sweep.h has the formulas. Weights that an earlier step removed
 * stay zero. */
#include "calibrated.h"
#include "gptq.h"

#include <stdlib.h>

#include "json.h"

static long bits = 4, group = 128, block = 128;
static double damping = 0.01;
static bool symmetric, act_order, static_groups, mse, sequential, f64;
static struct calibration_options calibration = CALIBRATION_DEFAULTS;

static int ready(struct calibrated *c, struct calibrated_site *s, struct error *e)
{
    return calibrated_factor(c, s, damping, f64 ? FACTOR_F64 : FACTOR_AUTO, act_order, e);
}

static int compress(struct calibrated *c, struct calibrated_layer *l, struct tensor_store *out,
                    struct error *e)
{
    struct gptq g = {.bits = (int)bits,
                     .group = (size_t)group,
                     .symmetric = symmetric,
                     .mse = mse,
                     .static_groups = static_groups,
                     .keep_zeros = l->pruned,
                     .block = (size_t)block};
    if (calibrated_factor_note(l, e) ||
        gptq_run(&g, l->w, l->like->rows, l->like->cols, &l->site->factor, l->site->order,
                 c->kernels, c->pool, e))
        return -1;
    const int result = calibrated_codes(l, (int)bits, g.groups, (size_t)group, g.codes, g.scale,
                                        g.zero, g.g_idx, out, e);
    gptq_free(&g);
    return result;
}

static struct cli_option options[] = {
    {'b', "bits", CLI_INT, &bits, "B", "bits per code, 2 to 8", .min = 2, .max = 8, .result = true},
    {'g', "group", CLI_INT, &group, "G", "columns per scale; 0: one scale a row", .min = 0,
     .max = 1 << 30, .result = true},
    {0, "sym", CLI_FLAG, &symmetric, NULL, "symmetric grids instead of min to max", .result = true},
    {0, "act-order", CLI_FLAG, &act_order, NULL, "columns of the largest inputs first",
     .result = true},
    {0, "static-groups", CLI_FLAG, &static_groups, NULL, "all grids from the dense weights",
     .result = true},
    {0, "mse", CLI_FLAG, &mse, NULL, "shrink grids for the least error", .result = true},
    {0, "damping", CLI_REAL, &damping, "D", "share of H's mean diagonal to add to it", .min = 0,
     .max = 1, .result = true},
    {0, "block", CLI_INT, &block, "B", "columns of a block, a multiple of 16", .min = 16,
     .max = 1024, .result = true},
    {0, "double", CLI_FLAG, &f64, NULL, "factor H in double precision", .result = true},
    {0, "true-sequential", CLI_FLAG, &sequential, NULL, "measure behind compressed matrices",
     .result = true},
    CALIBRATION_OPTIONS(calibration),
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct calibrated method = {.cli = c,
                                .calibration = &calibration,
                                .statistic = STATISTIC_HESSIAN,
                                .sequential = sequential,
                                .matrix_bytes = 10,
                                .ready = ready,
                                .compress = compress};
    if (block % 16)
        return error_usage(e, "--block %ld is not a multiple of 16", block);
    return calibrated_run(&method, e);
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "quantize-gptq",
                    .revision = 1,
                    .summary = "round weights and let the others make up for it (GPTQ)",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
