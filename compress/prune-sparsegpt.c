/* SparseGPT (Frantar, Alistarh 2023): prunes the columns of each matrix one after another while those
 * still to come make up for the error; lib/sweep.h has the formulas. */
#include "calibrated.h"
#include "pruning.h"
#include "sweep.h"

static struct pruning pruning = PRUNING_DEFAULTS;
static struct calibrated_options common = CALIBRATED_DEFAULTS;

static int check(struct calibrated *c, struct error *e)
{
    return pruning_check(&pruning, &c->model, e) || pruning_check_block(&pruning, common.block, e)
               ? -1
               : 0;
}

static bool skips(struct calibrated *c, const char *name)
{
    (void)c;
    return pruning_goal(&pruning, name).skip;
}

static int ready(struct calibrated *c, struct calibrated_site *s, struct error *e)
{
    return calibrated_factor(c, s, false, false, e);
}

static int compress(struct calibrated *c, struct calibrated_layer *l, struct tensor_store *out,
                    struct error *e)
{
    const struct pruning_goal goal = pruning_goal(&pruning, l->like->name);
    if (calibrated_factor_note(c, l, e))
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
                      .block = (size_t)common.block,
                      .sparsity = goal.sparsity,
                      .n = goal.n,
                      .m = goal.m};
    if (sweep_run(&s, e))
        return -1;
    return calibrated_floats(l, pruning.encoded, goal.n, goal.m, out, e);
}

static struct cli_option options[] = {
    PRUNING_OPTIONS(pruning, "each block"),
    HESSIAN_OPTIONS(common),
    CALIBRATED_OPTIONS(common),
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct calibrated method = {.cli = c,
                                .options = &common,
                                .statistic = STATISTIC_HESSIAN,
                                .matrix_bytes = 8,
                                .check = check,
                                .skips = skips,
                                .ready = ready,
                                .compress = compress};
    const int result = pruning_read(&pruning, c, e) ||
                       ((method.sides = pruning_sides(&pruning)), calibrated_run(&method, e));
    json_decref(method.sides);
    pruning_free(&pruning);
    return result ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "prune-sparsegpt",
                    .revision = 2,
                    .summary = "remove weights and let the others make up for it (SparseGPT)",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY | CLI_TIMINGS,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
