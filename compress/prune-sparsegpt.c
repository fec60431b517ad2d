/* SparseGPT (Frantar, Alistarh 2023): prunes the columns of each matrix one after another while those
 * still to come make up for the error; lib/sweep.h has the formulas. */
#include "calibrated.h"
#include "sweep.h"

#include "json.h"

static double sparsity = 0.5, damping = 0.01;
static long block = 128;
static const char *pattern, *encoding = "auto";
static bool sequential, f64;
static int n, m;
static enum tensor_encoding encoded;
static struct calibration_options calibration = CALIBRATION_DEFAULTS;

static int ready(struct calibrated *c, struct calibrated_site *s, struct error *e)
{
    return calibrated_factor(c, s, damping, f64 ? FACTOR_F64 : FACTOR_AUTO, false, e);
}

static int compress(struct calibrated *c, struct calibrated_layer *l, struct tensor_store *out,
                    struct error *e)
{
    if (calibrated_factor_note(l, e))
        return -1;
    const struct factor *f = &l->site->factor;
    for (size_t i = 0; f->dead_count && i < l->like->rows; i++)
        for (size_t j = 0; j < f->n; j++)
            if (f->dead[j])
                l->w[i * sweep_stride(f->n) + j] = 0;
    struct sweep s = {.kernels = c->kernels,
                      .pool = c->pool,
                      .factor = f,
                      .w = l->w,
                      .rows = l->like->rows,
                      .cols = l->like->cols,
                      .block = (size_t)block,
                      .sparsity = sparsity,
                      .n = n,
                      .m = m};
    return sweep_run(&s, e) || calibrated_floats(l, encoded, n, m, out, e) ? -1 : 0;
}

static struct cli_option options[] = {
    {'s', "sparsity", CLI_REAL, &sparsity, "S", "share of each block to remove, 0 to 1", .min = 0,
     .max = 1, .result = true},
    {'p', "pattern", CLI_TEXT, &pattern, "N:M", "keep N of every M columns instead of -s",
     .result = true},
    {0, "damping", CLI_REAL, &damping, "D", "share of H's mean diagonal to add to it", .min = 0,
     .max = 1, .result = true},
    {0, "block", CLI_INT, &block, "B", "columns of a block, a multiple of 16", .min = 16,
     .max = 1024, .result = true},
    {0, "double", CLI_FLAG, &f64, NULL, "factor H in double precision", .result = true},
    {0, "true-sequential", CLI_FLAG, &sequential, NULL, "measure behind compressed matrices",
     .result = true},
    {0, "encoding", CLI_CHOICE, &encoding, "E", "auto, none, bitmap or nm",
     .choices = "auto|none|bitmap|nm", .result = true},
    CALIBRATION_OPTIONS(calibration),
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct calibrated method = {.cli = c,
                                .calibration = &calibration,
                                .statistic = STATISTIC_HESSIAN,
                                .sequential = sequential,
                                .matrix_bytes = 8,
                                .ready = ready,
                                .compress = compress};
    if (pattern && cli_given(c, "sparsity"))
        return error_usage(e, "-s and -p exclude each other: a pattern sets its own sparsity");
    if (pattern && cli_pattern(pattern, &n, &m, e))
        return -1;
    if (pattern)
        options[0].result = false; /* a pattern's id does not depend on the unused share */
    if (block % 16)
        return error_usage(e, "--block %ld is not a multiple of 16", block);
    if (m && block % m)
        return error_usage(e, "--block %ld is not a multiple of the %d columns of -p; use %d", block,
                           m, 16 * m);
    if (tensor_encoding_parse(encoding, &encoded, e))
        return -1;
    return calibrated_run(&method, e);
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "prune-sparsegpt",
                    .revision = 1,
                    .summary = "remove weights and let the others make up for it (SparseGPT)",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
