/* Wanda (Sun et al. 2023, "A Simple and Effective Pruning Approach for Large Language Models",
 * equation 1): removes, row by row, the weights of the lowest |W_ij| ||X_j||. */
#include "calibrated.h"
#include "pruning.h"
#include "sweep.h"
#include "wanda.h"

#include <math.h>
#include <stdlib.h>

#include "json.h"
#include "memory.h"

static struct pruning pruning = PRUNING_DEFAULTS;
static struct calibrated_options common = CALIBRATED_DEFAULTS;
static bool alpha_search;

static int check(struct calibrated *c, struct error *e)
{
    return pruning_check(&pruning, &c->model, e);
}

static bool skips(struct calibrated *c, const char *name)
{
    (void)c;
    return pruning_goal(&pruning, name).skip;
}

static int compress(struct calibrated *c, struct calibrated_layer *l, struct tensor_store *out,
                    struct error *e)
{
    const struct calibrated_site *s = l->site;
    const struct pruning_goal goal = pruning_goal(&pruning, l->like->name);
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
                      .sparsity = goal.sparsity,
                      .n = goal.n,
                      .m = goal.m,
                      .alpha_search = alpha_search && !goal.m};
    if (wanda_prune(&p, c->pool, e) ||
        (alpha_search && !goal.m && json_set(l->note, "alpha", json_number(p.alpha), e)))
        goto out;
    result = calibrated_floats(l, pruning.encoded, goal.n, goal.m, out, e);
out:
    free(norm);
    return result;
}

static struct cli_option options[] = {
    PRUNING_OPTIONS(pruning, "each row"),
    {0, "alpha-search", CLI_FLAG, &alpha_search, NULL,
     "rows lose equal shares of their scores' sum", .result = true},
    SEQUENTIAL_OPTION(common),
    CALIBRATED_OPTIONS(common),
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct calibrated method = {.cli = c,
                                .options = &common,
                                .statistic = STATISTIC_SQUARES,
                                .matrix_bytes = alpha_search ? 8 : 4,
                                .check = check,
                                .skips = skips,
                                .compress = compress};
    if (pruning.pattern && alpha_search)
        return error_usage(e, "-p excludes --alpha-search: a pattern sets its own sparsity");
    const int result = pruning_read(&pruning, c, e) ||
                       ((method.sides = pruning_sides(&pruning)), calibrated_run(&method, e));
    json_decref(method.sides);
    pruning_free(&pruning);
    return result ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "prune-wanda",
                    .revision = 1,
                    .summary = "remove the weights of the lowest |W| times input norm (Wanda)",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY | CLI_TIMINGS,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
