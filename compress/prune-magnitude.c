/* Removes the smallest weights of each projection matrix: a share of the whole matrix, or all but N
 * of every M columns. The baseline of the paper (paper, section 2; LLM-KICK's prune_magnitude). */
#include "cli.h"
#include "filter.h"
#include "json.h"
#include "prune.h"

#include <stdlib.h>

struct prune {
    double sparsity;
    int n, m;
    enum tensor_encoding encoding;
};

static int projection(struct filter *f, const struct tensor *t, json_t *extra, struct error *e)
{
    struct prune *p = f->context;
    struct tensor_store store = {0};
    enum tensor_values type;
    int result = -1;
    if (t->values == VALUES_INT)
        return error_set(e, "%s: is quantized already; prune first, then quantize", t->name);
    void *dense = tensor_dense(t, &type, e);
    if (!dense)
        return -1;
    if (p->m ? prune_pattern(type, dense, t->rows, t->cols, p->n, p->m, f->pool, e)
             : prune_magnitude(type, dense, t->rows, t->cols, p->sparsity, f->pool, e)) {
        error_prefix(e, "%s", t->name);
        goto out;
    }
    if (!tensor_encode(&store, t, type, dense, p->encoding, p->n, p->m, e))
        result = filter_write(f, &store.tensor, extra, e);
out:
    tensor_store_free(&store);
    free(dense);
    return result;
}

static struct prune settings = {.sparsity = 0.5};
static const char *pattern, *encoding = "auto";

static struct cli_option options[] = {
    {'s', "sparsity", CLI_REAL, &settings.sparsity, "S", "share of weights to remove, 0 to 1",
     .min = 0, .max = 1, .result = true},
    {'p', "pattern", CLI_TEXT, &pattern, "N:M", "keep N of every M columns instead of -s",
     .result = true},
    {0, "encoding", CLI_CHOICE, &encoding, "E", "auto, none, bitmap or nm",
     .choices = "auto|none|bitmap|nm", .result = true},
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct filter f = {.cli = c, .context = &settings, .projection = projection};
    if (pattern && cli_given(c, "sparsity"))
        return error_usage(e, "-s and -p exclude each other: a pattern sets its own sparsity");
    if (pattern && cli_pattern(pattern, &settings.n, &settings.m, e))
        return -1;
    if (pattern)
        options[0].result = false; /* a pattern's id does not depend on the unused share */
    if (tensor_encoding_parse(encoding, &settings.encoding, e))
        return -1;
    return filter_run(&f, e);
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "prune-magnitude",
                    .revision = 1,
                    .summary = "remove the smallest weights of each projection matrix",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
