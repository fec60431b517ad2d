/* Measures the kernels against what this machine can do at the same moment: each round times the
 * limit (fused multiply-adds, or reading memory) right before the case, and the median of the ratios
 * is what counts, since other users of a machine come and go. One thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "cli.h"
#include "json.h"
#include "matrix.h"
#include "memory.h"
#include "peak.h"
#include "prune.h"
#include "quantize.h"
#include "stream.h"

enum { ROUNDS_MAX = 99 };

static long rounds = 5, size = 8192;
static double sink;

struct bench {
    struct cli *cli;
    const struct kernels *kernels;
    enum cpu_level level;
    uint16_t *dense;    /* (size, size) bf16 */
    float *x, *y;       /* (512, size) */
    unsigned char *big; /* read to measure the memory */
    size_t big_bytes;
    struct stream_writer *writer;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, compare);
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

/* FLOP/s of fused multiply-adds, bytes/s of reading. */
static double limit_flops(const struct bench *b)
{
    float s;
    const double start = now(), flops = peak_fma(b->level, 2000000, &s);
    sink += (double)s;
    return flops / (now() - start);
}

static double limit_bytes(const struct bench *b)
{
    const double start = now();
    sink += peak_read(b->level, b->big, b->big_bytes);
    return (double)b->big_bytes / (now() - start);
}

/* A case: `work` floating-point operations or bytes per call of run(). */
struct item {
    const char *name;
    bool memory; /* bound by memory rather than by the FMA units */
    double work;
    int (*run)(struct bench *b, const struct matrix *m, size_t rows, struct error *e);
    const struct matrix *matrix;
    size_t rows;
};

static int run_product(struct bench *b, const struct matrix *m, size_t rows, struct error *e)
{
    return matrix_product(m, b->kernels, NULL, rows, b->x, (size_t)size, b->y, m->panels * PANEL, e);
}

static int measure(struct bench *b, const struct item *i, struct error *e)
{
    double rate[ROUNDS_MAX], ratio[ROUNDS_MAX];
    for (long r = 0; r < rounds; r++) {
        const double limit = i->memory ? limit_bytes(b) : limit_flops(b);
        size_t calls = 0;
        const double start = now();
        do {
            if (i->run(b, i->matrix, i->rows, e))
                return -1;
            calls++;
        } while (now() - start < 0.1);
        rate[r] = i->work * (double)calls / (now() - start);
        ratio[r] = rate[r] / limit;
        cli_progress(b->cli, (uint64_t)r + 1, (uint64_t)rounds, "rounds");
    }
    const double rate_median = median(rate, (size_t)rounds);
    const double ratio_median = median(ratio, (size_t)rounds);
    const double low = ratio[0], high = ratio[rounds - 1];
    printf("%-34s %8.2f %-8s %5.2f  (%.2f to %.2f) of %s\n", i->name, rate_median / 1e9,
           i->memory ? "GB/s" : "GFLOP/s", ratio_median, low, high,
           i->memory ? "reading memory" : "FMA peak");
    fflush(stdout);
    if (!b->writer)
        return 0;
    json_t *json = json_pack("{s:s, s:f, s:s, s:f, s:f, s:f, s:i}", "case", i->name, "rate",
                             rate_median, "unit", i->memory ? "B/s" : "FLOP/s", "ratio",
                             ratio_median, "ratio_low", low, "ratio_high", high, "rounds",
                             (int)rounds);
    int result = json ? stream_write(b->writer, json, NULL, 0, e)
                      : error_set(e, "no memory for a record");
    json_decref(json);
    return result;
}

/* Weights, activations: numbers of a linear congruential generator, about N(0, 0.02) and N(0, 1). */
static void fill(struct bench *b)
{
    uint64_t s = 1;
    for (size_t i = 0; i < (size_t)(size * size) + 512 * (size_t)size; i++) {
        float sum = -6;
        for (int k = 0; k < 12; k++) {
            s = s * 6364136223846793005u + 1442695040888963407u;
            sum += (float)(s >> 40) * 0x1p-24f;
        }
        if (i < (size_t)(size * size))
            b->dense[i] = f32_to_bf16(sum * 0.02f);
        else
            b->x[i - (size_t)(size * size)] = sum;
    }
}

/* One matrix in several encodings, each for many rows (a batch) and for one (decoding). */
static int run_cases(struct bench *b, struct error *e)
{
    static const char *const names[] = {"f32", "bf16", "int4 g128"};
    const size_t n = (size_t)size;
    const struct tensor like = {.name = "bench", .rank = 2, .shape = {n, n}, .rows = n, .cols = n};
    float *wide = memory_new(n * n, sizeof *wide, "a matrix", e);
    uint8_t *codes = memory_new(n * n, 1, "a matrix", e);
    const size_t groups = (n + 127) / 128;
    float *scale = memory_new(n * groups, sizeof *scale, "a matrix", e);
    uint8_t *zero = memory_new(n * groups, 1, "a matrix", e);
    int result = -1;
    if (!wide || !codes || !scale || !zero)
        goto out;
    values_to_f32(VALUES_BF16, b->dense, n * n, wide);
    for (size_t r = 0; r < n; r++)
        quantize_row(b->kernels, wide + r * n, n, 128, 4, false, codes + r * n, scale + r * groups,
                     zero + r * groups);
    for (int kind = 0; kind < 3; kind++) {
        struct tensor_store store = {0};
        struct matrix m = {0};
        char name[64];
        int failed = kind == 2 ? tensor_encode_int(&store, &like, 4, 128, codes, scale, zero, e)
                               : tensor_encode(&store, &like, kind ? VALUES_BF16 : VALUES_F32,
                                               kind ? (void *)b->dense : (void *)wide, ENCODING_NONE,
                                               0, 0, e);
        if (!failed)
            failed = matrix_pack(&m, &store.tensor, NULL, e);
        if (!failed) {
            const double weights = (double)n * (double)n;
            snprintf(name, sizeof name, "product, %s, 512 rows", names[kind]);
            struct item batch = {name, false, 2 * 512 * weights, run_product, &m, 512};
            failed = measure(b, &batch, e);
            snprintf(name, sizeof name, "product, %s, 1 row", names[kind]);
            struct item one = {name, true, (double)m.bytes, run_product, &m, 1};
            failed = failed || measure(b, &one, e);
        }
        matrix_free(&m);
        tensor_store_free(&store);
        if (failed)
            goto out;
    }
    result = 0;
out:
    free(wide);
    free(codes);
    free(scale);
    free(zero);
    return result;
}

static struct cli_option options[] = {
    {'n', "count", CLI_INT, &rounds, "N", "rounds; the median counts", .min = 1, .max = ROUNDS_MAX},
    {'l', "length", CLI_INT, &size, "L", "rows and columns of the matrices", .min = 128,
     .max = 16384},
    {0},
};

static int run(struct cli *c, struct error *e)
{
    struct bench b = {.cli = c, .big_bytes = (size_t)256 << 20};
    struct output *output = NULL;
    json_t *header = NULL;
    int result = -1;
    const size_t n = (size_t)size;
    if (cpu_choose(&b.level, e))
        return -1;
    b.kernels = kernels_of(b.level);
    b.dense = memory_new(n * n, sizeof *b.dense, "a matrix", e);
    b.x = memory_new(512 * n, sizeof *b.x, "activations", e);
    b.y = memory_new(512 * panel_size(n), sizeof *b.y, "activations", e);
    b.big = memory_new(b.big_bytes, 1, "a buffer", e);
    if (!b.dense || !b.x || !b.y || !b.big)
        goto out;
    madvise(b.big, b.big_bytes, MADV_HUGEPAGE); /* where the system allows it */
    memset(b.big, 1, b.big_bytes);
    fill(&b);
    if (c->output) {
        header = stream_header_new("bench", NULL, NULL, c->name, c->revision, NULL, NULL, e);
        if (!header || json_set(header, "level", json_string(cpu_level_name(b.kernels->level)), e) ||
            output_open(&output, c->output, e) || stream_create(&b.writer, output, header, NULL, e))
            goto out;
    }
    printf("level %s, %zu x %zu, medians of %ld rounds, one thread\n", cpu_level_name(b.kernels->level), n, n,
           rounds);
    if (run_cases(&b, e))
        goto out;
    if (b.writer && (stream_finish(b.writer, NULL, e) || output_commit(output, e)))
        goto out;
    result = 0;
out:
    stream_writer_free(b.writer);
    output_free(output);
    json_decref(header);
    free(b.dense);
    free(b.x);
    free(b.y);
    free(b.big);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "bench",
                    .revision = 1,
                    .summary = "measure the kernels against this machine's limits",
                    .operand = "",
                    .flags = CLI_OUTPUT | CLI_TEXT_OUT | CLI_NO_INPUT,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
