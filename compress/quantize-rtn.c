/* Quantizes each projection matrix by rounding to the nearest code of a grid per row and group: the
 * baseline that GPTQ and AWQ are measured against. Weights that are zero stay zero: zero is on every
 * grid, and a mask is kept. */
#include "cli.h"
#include "fallback.h"
#include "filter.h"
#include "json.h"
#include "memory.h"
#include "quantize.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct grid_options grid = GRID_DEFAULTS;
static struct fallbacks fallbacks;

struct job {
    const struct tensor *t;
    const struct kernels *kernels;
    size_t group, groups;
    float *row; /* (threads, cols) */
    uint8_t *codes, *zero;
    float *scale;
    _Atomic size_t bad; /* the first row that is not finite, or SIZE_MAX */
};

static void set_bad(struct job *j, size_t row)
{
    size_t now = atomic_load(&j->bad);
    while (row < now && !atomic_compare_exchange_weak(&j->bad, &now, row))
        ;
}

static void quantize_one(void *context, size_t r, long thread)
{
    struct job *j = context;
    const struct tensor *t = j->t;
    float *row = j->row + (size_t)thread * t->cols;
    tensor_row(t, r, row);
    bool finite = true;
    for (size_t i = 0; i < t->cols; i++)
        finite &= isfinite(row[i]) != 0;
    if (!finite)
        set_bad(j, r);
    if (atomic_load(&j->bad) != SIZE_MAX)
        return;
    quantize_row(j->kernels, row, t->cols, j->group, (int)grid.bits, grid.symmetric, j->codes + r * t->cols,
                 j->scale + r * j->groups, j->zero + r * j->groups);
    for (size_t g = 0; g < j->groups; g++)
        if (!isfinite(j->scale[r * j->groups + g])) /* max - min is beyond f32 */
            set_bad(j, r);
}

static int projection(struct filter *f, const struct tensor *t, json_t *extra, struct error *e)
{
    struct tensor_store store = {0};
    struct job j = {.t = t, .bad = SIZE_MAX};
    enum cpu_level level;
    json_t *note = NULL;
    int result = -1;
    if (t->values == VALUES_INT)
        return error_set(e, "%s: is quantized already", t->name);
    if (cpu_choose(&level, e))
        return -1;
    j.kernels = kernels_of(level);
    j.group = grid.group == 0 || (size_t)grid.group > t->cols ? t->cols : (size_t)grid.group;
    j.groups = (t->cols + j.group - 1) / j.group;
    j.row = memory_new((size_t)pool_threads(f->pool) * t->cols, sizeof *j.row, "a row", e);
    j.codes = memory_new(t->rows * t->cols, 1, "codes", e);
    j.scale = memory_new(t->rows * j.groups, sizeof *j.scale, "scales", e);
    j.zero = memory_new(t->rows * j.groups, 1, "zero points", e);
    if (!j.row || !j.codes || !j.scale || !j.zero)
        goto out;
    pool_run(f->pool, t->rows, quantize_one, &j);
    if (atomic_load(&j.bad) != SIZE_MAX) {
        error_set(e, "%s: row %zu is not finite; repair the checkpoint", t->name,
                  atomic_load(&j.bad));
        goto out;
    }
    if (!(note = json_object()) ||
        fallback_group(&fallbacks, t->name, grid.group, t->cols, note, e) ||
        tensor_encode_int(&store, t, (int)grid.bits, (size_t)grid.group, j.codes, j.scale, j.zero, e))
        goto out;
    result = filter_write(f, &store.tensor, extra, json_incref(note), e);
out:
    tensor_store_free(&store);
    json_decref(note);
    free(j.row);
    free(j.codes);
    free(j.scale);
    free(j.zero);
    return result;
}

static struct cli_option options[] = {
    GRID_OPTIONS(grid),
    FALLBACK_OPTION(fallbacks),
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct filter f = {.cli = c, .projection = projection, .codes = true};
    fallbacks.cli = c;
    if (filter_run(&f, e))
        return -1;
    fallback_tell(&fallbacks);
    return 0;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "quantize-rtn",
                    .revision = 2,
                    .summary = "quantize each projection matrix by rounding to nearest",
                    .operand = "[MODEL]",
                    .flags = CLI_OUTPUT | CLI_THREADS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
