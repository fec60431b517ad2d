/* LLM.int8() (Dettmers et al. 2022): each row of weights in 8 bits by its greatest magnitude. The
 * stream asks evaluation to round activations to 8 bits too, except where they are large. */
#include "cli.h"
#include "filter.h"
#include "json.h"
#include "memory.h"
#include "quantize.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

static double threshold = 6;

enum { ZERO = 128 };

struct job {
    const struct tensor *t;
    float *row; /* (threads, cols) */
    uint8_t *codes, *zero;
    float *scale;
    _Atomic size_t bad;
};

/* scale = max |w| / 127, code = round(w / scale) + 128 */
static void quantize_one(void *context, size_t r, long thread)
{
    struct job *j = context;
    const size_t cols = j->t->cols;
    float *w = j->row + (size_t)thread * cols, most = 0;
    tensor_row(j->t, r, w);
    for (size_t i = 0; i < cols; i++) {
        if (!isfinite(w[i])) {
            atomic_store(&j->bad, r + 1);
            return;
        }
        most = fabsf(w[i]) > most ? fabsf(w[i]) : most;
    }
    const float scale = most > 0 ? most / 127 : 1;
    j->scale[r] = scale;
    j->zero[r] = ZERO;
    for (size_t i = 0; i < cols; i++)
        j->codes[r * cols + i] = quantize_code(w[i], scale, ZERO, 8);
}

static int projection(struct filter *f, const struct tensor *t, json_t *extra, struct error *e)
{
    struct tensor_store store = {0};
    struct tensor whole = *t;
    struct job j = {.t = t};
    int result = -1;
    if (t->values == VALUES_INT)
        return error_set(e, "%s: is quantized already", t->name);
    whole.mask = MASK_NONE; /* zeros have a code; the product takes no masks */
    j.row = memory_new((size_t)pool_threads(f->pool) * t->cols, sizeof *j.row, "a row", e);
    j.codes = memory_new(t->rows * t->cols, 1, "codes", e);
    j.scale = memory_new(t->rows, sizeof *j.scale, "scales", e);
    j.zero = memory_new(t->rows, 1, "zero points", e);
    if (!j.row || !j.codes || !j.scale || !j.zero)
        goto out;
    pool_run(f->pool, t->rows, quantize_one, &j);
    if (atomic_load(&j.bad)) {
        error_set(e, "%s: row %zu is not finite; repair the checkpoint", t->name,
                  atomic_load(&j.bad) - 1);
        goto out;
    }
    if (tensor_encode_int(&store, &whole, 8, 0, j.codes, j.scale, j.zero, e))
        goto out;
    store.tensor.threshold = (float)threshold;
    result = filter_write(f, &store.tensor, extra, NULL, e);
out:
    tensor_store_free(&store);
    free(j.row);
    free(j.codes);
    free(j.scale);
    free(j.zero);
    return result;
}

static struct cli_option options[] = {
    {0, "threshold", CLI_REAL, &threshold, "T", "activations from this magnitude on stay as they are",
     .min = 1e-6, .max = 1e6, .result = true},
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct filter f = {.cli = c, .projection = projection, .codes = true};
    return filter_run(&f, e);
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "quantize-int8",
                    .revision = 1,
                    .summary = "8-bit weights and activations, outliers apart (LLM.int8())",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
