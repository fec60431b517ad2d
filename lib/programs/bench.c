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

/* A product: 512 rows are bound by the FMA units, one row by reading the weights. What is measured in
 * a round is compared with what was measured in the same round, since other users of a machine come
 * and go. */
struct item {
    const char *name;
    struct matrix matrix;
    double weights_s[2][ROUNDS_MAX]; /* of 512 rows and of one, by round */
};

enum { BATCH = 512, WEIGHTS = 9 };

static int time_product(struct bench *b, struct item *i, int one, long round, struct error *e)
{
    const size_t rows = one ? 1 : BATCH;
    size_t calls = 0;
    const double start = now();
    do {
        if (matrix_product(&i->matrix, b->kernels, NULL, rows, b->x, (size_t)size, b->y,
                           i->matrix.panels * PANEL, e))
            return -1;
        calls++;
    } while (now() - start < (one ? 0.05 : 0.1));
    i->weights_s[one][round] =
        (double)size * (double)size * (double)rows * (double)calls / (now() - start);
    return 0;
}

static void ratios(const double *a, const double *b, double factor, double out[ROUNDS_MAX])
{
    for (long r = 0; r < rounds; r++)
        out[r] = factor * a[r] / b[r];
    (void)median(out, (size_t)rounds);
}

static int report(struct bench *b, const struct item *i, const struct item *dense, int one,
                  const double *limit, struct error *e)
{
    const double work = one ? (double)i->matrix.bytes / ((double)size * (double)size) : 2;
    double rate[ROUNDS_MAX], ratio[ROUNDS_MAX], versus[ROUNDS_MAX];
    const size_t n = (size_t)rounds;
    for (long r = 0; r < rounds; r++)
        rate[r] = i->weights_s[one][r] * work;
    ratios(i->weights_s[one], limit, work, ratio);
    ratios(i->weights_s[one], dense->weights_s[one], 1, versus);
    const double middle = median(rate, n), share = median(ratio, n), gain = median(versus, n);
    printf("%-22s %4d %s %8.2f %-8s %5.2f (%.2f to %.2f) of %-8s %5.2f (%.2f to %.2f) x bf16\n",
           i->name, one ? 1 : BATCH, one ? "row " : "rows", middle / 1e9, one ? "GB/s" : "GFLOP/s",
           share, ratio[0], ratio[rounds - 1], one ? "reading" : "FMA peak", gain, versus[0],
           versus[rounds - 1]);
    fflush(stdout);
    if (!b->writer)
        return 0;
    json_t *json = json_pack(
        "{s:s, s:i, s:f, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:i}", "case", i->name, "rows",
        one ? 1 : BATCH, "rate", middle, "unit", one ? "B/s" : "FLOP/s", "ratio", share,
        "ratio_low", ratio[0], "ratio_high", ratio[rounds - 1], "to_bf16", gain, "to_bf16_low",
        versus[0], "to_bf16_high", versus[rounds - 1], "rounds", (int)rounds);
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

/* One matrix in several encodings. */
static int make_items(struct bench *b, struct item *item, struct error *e)
{
    static const struct {
        const char *name;
        enum tensor_encoding encoding;
        double sparsity; /* of them unstructured, or 2:4 where nm */
        int bits;
    } kinds[WEIGHTS] = {
        {"f32", ENCODING_NONE, 0, 0},          {"bf16", ENCODING_NONE, 0, 0},
        {"bf16 30 % bitmap", ENCODING_BITMAP, 0.3, 0},
        {"bf16 50 % bitmap", ENCODING_BITMAP, 0.5, 0}, {"bf16 80 % bitmap", ENCODING_BITMAP, 0.8, 0},
        {"bf16 2:4", ENCODING_NM, 0.5, 0},
        {"int8 g128", ENCODING_NONE, 0, 8},    {"int4 g128", ENCODING_NONE, 0, 4},
        {"int2 g128", ENCODING_NONE, 0, 2},
    };
    const size_t n = (size_t)size, groups = (n + 127) / 128;
    const struct tensor like = {.name = "bench", .rank = 2, .shape = {n, n}, .rows = n, .cols = n};
    float *wide = memory_new(n * n, sizeof *wide, "a matrix", e);
    uint16_t *pruned = memory_new(n * n, sizeof *pruned, "a matrix", e);
    uint8_t *codes = memory_new(n * n, 1, "a matrix", e);
    float *scale = memory_new(n * groups, sizeof *scale, "a matrix", e);
    uint8_t *zero = memory_new(n * groups, 1, "a matrix", e);
    int result = -1;
    if (!wide || !pruned || !codes || !scale || !zero)
        goto out;
    values_to_f32(VALUES_BF16, b->dense, n * n, wide);
    for (int k = 0; k < WEIGHTS; k++) {
        struct tensor_store store = {0};
        item[k].name = kinds[k].name;
        uint64_t s = 7;
        for (size_t i = 0; i < n * n; i++) {
            if (kinds[k].encoding != ENCODING_NM || i % 4 == 0)
                s = s * 6364136223846793005u + 1442695040888963407u;
            /* 2:4: one of the four, and one of the others. */
            const size_t one = s >> 62, two = (one + 1 + (s >> 40) % 3) % 4;
            const bool keep = kinds[k].encoding == ENCODING_NM
                                  ? i % 4 == one || i % 4 == two
                                  : (double)(s >> 40) >= kinds[k].sparsity * 0x1p24;
            pruned[i] = keep ? b->dense[i] : 0;
        }
        for (size_t r = 0; kinds[k].bits && r < n; r++)
            quantize_row(b->kernels, wide + r * n, n, 128, kinds[k].bits, false, codes + r * n,
                         scale + r * groups, zero + r * groups);
        int failed = kinds[k].bits
                         ? tensor_encode_int(&store, &like, kinds[k].bits, 128, codes, scale, zero, e)
                         : tensor_encode(&store, &like, k ? VALUES_BF16 : VALUES_F32,
                                         k ? (void *)pruned : (void *)wide, kinds[k].encoding,
                                         2, 4, e);
        failed = failed || matrix_pack(&item[k].matrix, &store.tensor, NULL, e);
        tensor_store_free(&store);
        if (failed)
            goto out;
    }
    result = 0;
out:
    free(wide);
    free(pruned);
    free(codes);
    free(scale);
    free(zero);
    return result;
}

static int run_cases(struct bench *b, struct error *e)
{
    struct item *item = memory_new(WEIGHTS, sizeof *item, "cases", e);
    double limit[2][ROUNDS_MAX];
    int result = -1;
    if (!item || make_items(b, item, e))
        goto out;
    for (long r = 0; r < rounds; r++) {
        for (int one = 0; one < 2; one++) {
            limit[one][r] = one ? limit_bytes(b) : limit_flops(b);
            for (int k = 0; k < WEIGHTS; k++)
                if (time_product(b, &item[k], one, r, e))
                    goto out;
            cli_progress(b->cli, (uint64_t)(2 * r + one + 1), (uint64_t)(2 * rounds), "rounds");
        }
    }
    for (int one = 0; one < 2; one++)
        for (int k = 0; k < WEIGHTS; k++)
            if (report(b, &item[k], &item[1], one, limit[one], e))
                goto out;
    result = 0;
out:
    for (int k = 0; item && k < WEIGHTS; k++)
        matrix_free(&item[k].matrix);
    free(item);
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
