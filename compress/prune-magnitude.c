/* Removes the smallest weights of each projection matrix: a share of the whole matrix, or all but N
 * of every M columns. The baseline of the paper (paper, section 2; LLM-KICK's prune_magnitude). */
#include "cli.h"
#include "filter.h"
#include "json.h"
#include "prune.h"
#include "pruning.h"

#include <stdlib.h>

static struct pruning pruning = PRUNING_DEFAULTS;

static int check(struct filter *f, struct error *e)
{
    return pruning_check(&pruning, &f->model, e);
}

static int projection(struct filter *f, const struct tensor *t, json_t *extra, struct error *e)
{
    struct tensor_store store = {0};
    enum tensor_values type;
    const struct pruning_goal goal = pruning_goal(&pruning, t->name);
    int result = -1;
    if (goal.skip)
        return tensor_write(t, extra, f->out, e);
    if (t->values == VALUES_INT)
        return error_set(e, "%s: is quantized already; prune first, then quantize", t->name);
    void *dense = tensor_dense(t, &type, e);
    if (!dense)
        return -1;
    if (goal.m ? prune_pattern(type, dense, t->rows, t->cols, goal.n, goal.m, f->pool, e)
               : prune_magnitude(type, dense, t->rows, t->cols, goal.sparsity, f->pool, e)) {
        error_prefix(e, "%s", t->name);
        goto out;
    }
    if (!tensor_encode(&store, t, type, dense, pruning.encoded, goal.n, goal.m, e))
        result = filter_write(f, &store.tensor, extra, NULL, e);
out:
    tensor_store_free(&store);
    free(dense);
    return result;
}

static struct cli_option options[] = {PRUNING_OPTIONS(pruning, "weights"), {0}};

static int run(struct cli *c, struct error *e)
{
    struct filter f = {.cli = c, .check = check, .projection = projection};
    const int result =
        pruning_read(&pruning, c, e) || ((f.sides = pruning_sides(&pruning)), filter_run(&f, e));
    json_decref(f.sides);
    pruning_free(&pruning);
    return result ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "prune-magnitude",
                    .revision = 1,
                    .summary = "remove the smallest weights of each projection matrix",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
