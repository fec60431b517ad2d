/* Wanda (Sun et al. 2023, "A Simple and Effective Pruning Approach for Large Language Models",
 * equation 1): removes, row by row, the weights of the lowest |W_ij| ||X_j||. */
#include "calibrated.h"
#include "sweep.h"
#include "wanda.h"

#include <math.h>
#include <stdlib.h>

#include "json.h"
#include "memory.h"

static double sparsity = 0.5;
static const char *pattern, *encoding = "auto";
static bool alpha_search, sequential;
static int n, m;
static enum tensor_encoding encoded;
static struct calibration_options calibration = CALIBRATION_DEFAULTS;

static int compress(struct calibrated *c, struct calibrated_layer *l, struct tensor_store *out,
                    struct error *e)
{
    const struct calibrated_site *s = l->site;
    float *norm = memory_new(s->cols, sizeof *norm, "norms", e);
    int result = -1;
    if (!norm)
        return -1;
    for (size_t j = 0; j < s->cols; j++) {
        norm[j] = sqrtf((float)(s->squares[j] / (double)s->samples));
        if (!isfinite(norm[j])) {
            error_set(e, "the inputs of column %zu overflow; the weights before are damaged", j);
            goto out;
        }
    }
    struct wanda p = {.w = l->w,
                      .rows = l->like->rows,
                      .cols = s->cols,
                      .ld = sweep_stride(s->cols),
                      .norm = norm,
                      .sparsity = sparsity,
                      .n = n,
                      .m = m,
                      .alpha_search = alpha_search};
    if (wanda_prune(&p, c->pool, e) ||
        (alpha_search && json_set(l->note, "alpha", json_number(p.alpha), e)))
        goto out;
    result = calibrated_floats(l, encoded, n, m, out, e);
out:
    free(norm);
    return result;
}

static struct cli_option options[] = {
    {'s', "sparsity", CLI_REAL, &sparsity, "S", "share of each row to remove, 0 to 1", .min = 0,
     .max = 1, .result = true},
    {'p', "pattern", CLI_TEXT, &pattern, "N:M", "keep N of every M columns instead of -s",
     .result = true},
    {0, "alpha-search", CLI_FLAG, &alpha_search, NULL,
     "rows lose equal shares of their scores' sum", .result = true},
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
                                .statistic = STATISTIC_SQUARES,
                                .sequential = sequential,
                                .matrix_bytes = alpha_search ? 8 : 4,
                                .compress = compress};
    if (pattern && (cli_given(c, "sparsity") || alpha_search))
        return error_usage(e, "-p excludes -s and --alpha-search: a pattern sets its own sparsity");
    if (pattern && cli_pattern(pattern, &n, &m, e))
        return -1;
    if (pattern)
        options[0].result = false; /* a pattern's id does not depend on the unused share */
    if (tensor_encoding_parse(encoding, &encoded, e))
        return -1;
    return calibrated_run(&method, e);
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "prune-wanda",
                    .revision = 1,
                    .summary = "remove the weights of the lowest |W| times input norm (Wanda)",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
