/* What this machine can do, and what the kernels, the programs and other software make of it. Every
 * round measures each limit (fused multiply-adds, reading memory) and each case in turn, and only what
 * was measured in one round is compared, since other users of a machine come and go: medians of the
 * ratios are what counts. One thread, but for the cases that say two. Others that are not installed are
 * named and left out. */
#include <dlfcn.h>
#include <math.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "cli.h"
#include "hessian.h"
#include "json.h"
#include "matrix.h"
#include "memory.h"
#include "model.h"
#include "output.h"
#include "peak.h"
#include "pool.h"
#include "quantize.h"
#include "source.h"
#include "stream.h"
#include "sweep.h"
#include "timings.h"

enum {
    ROUNDS_MAX = 99,
    BATCH = 512,
    WEIGHTS = 9,
    FEW = 8, /* new tokens of the shorter and of the longer run */
    MANY = 264,
    TOGETHER = 64, /* prompts side by side, and their new tokens: */
    TOGETHER_FEW = 4,
    TOGETHER_MANY = 16,
    LIST_MOST = 80,
};

static long rounds = 5, size = 8192;
static const char *texts, *longer, *prompts, *directory, *gguf, *official, *python = "python3", *database;
static double sink;

struct bench;

enum limit { LIMIT_FMA, LIMIT_READ, LIMIT_READ_TWO, LIMITS };
static const char *const limit_name[LIMITS] = {"FMA peak", "reading", "reading by two threads"};

/* What a case has to reach: a share of its limit, or (task not NULL) so many times another case. */
struct bar {
    double must;
    const char *task, *who, *weights;
};

/* A case: units a second, of which each costs `work` floating-point operations or bytes read. */
struct measure {
    const char *task;   /* what is done */
    const char *who;    /* this project, or other software */
    char weights[64];   /* and what the weights are */
    const char *unit;
    enum limit limit;   /* what it is bound by */
    double work;        /* 0: unknown */
    bool first;         /* what others of the task are compared with */
    const char *to;     /* the task whose first it is compared with; NULL: its own */
    struct bar bar;
    const char *text;      /* perplexity */
    const char *threads;   /* programs */
    bool together, taken;  /* decoding: many prompts; one core is kept busy by another process */
    int (*run)(struct bench *b, struct measure *m, double *rate, struct error *e);
    const struct matrix *matrix; /* products */
    const char *model;           /* programs: the stream */
    const char *option;          /* others: f32 or bf16 */
    double rate[ROUNDS_MAX];
    long kilobytes;  /* of memory, at most; 0: not measured */
    char absent[80]; /* why it is left out */
};

struct bench {
    struct cli *cli;
    const struct kernels *kernels;
    enum cpu_level level;
    uint16_t *dense;    /* (size, size) bf16 */
    float *wide;        /* the same in f32 */
    float *x, *y;       /* (BATCH, size) */
    unsigned char *big; /* read to measure the memory */
    size_t big_bytes;
    struct measure *list;
    size_t count;
    double limit[LIMITS][ROUNDS_MAX]; /* FLOP/s, bytes/s */
    struct pool *two;                 /* NULL: there is but one core */
    struct stream_writer *writer;
    sqlite3 *db;
};

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
    const double start = timings_now(), flops = peak_fma(b->level, 2000000, &s);
    sink += (double)s;
    return flops / (timings_now() - start);
}

static double limit_bytes(const struct bench *b)
{
    const double start = timings_now();
    sink += peak_read(b->level, b->big, b->big_bytes);
    return (double)b->big_bytes / (timings_now() - start);
}

static void read_half(void *context, size_t i, long thread)
{
    const struct bench *b = context;
    static double sum[2];
    (void)thread;
    sum[i] += peak_read(b->level, b->big + i * (b->big_bytes / 2), b->big_bytes / 2);
}

static double limit_of(struct bench *b, enum limit limit)
{
    if (limit == LIMIT_FMA)
        return limit_flops(b);
    if (limit == LIMIT_READ)
        return limit_bytes(b);
    const double start = timings_now();
    pool_run(b->two, 2, read_half, b);
    return (double)b->big_bytes / (timings_now() - start);
}

/* ---- products ---------------------------------------------------------------------------------- */

static bool one_row(const struct measure *m)
{
    return m->limit == LIMIT_READ;
}

static size_t rows_of(const struct measure *m)
{
    return one_row(m) ? 1 : BATCH;
}

/* Rows and columns of the weights: batches take a quarter. */
static size_t size_of(const struct measure *m)
{
    return one_row(m) ? (size_t)size : (size_t)size / 2;
}

static double seconds_of(const struct measure *m)
{
    return one_row(m) ? 0.05 : 0.1;
}

static int run_product(struct bench *b, struct measure *m, double *rate, struct error *e)
{
    const size_t ld = row_stride(size_of(m)); /* as in the programs */
    size_t calls = 0;
    const double start = timings_now();
    do {
        if (matrix_product(m->matrix, b->kernels, NULL, rows_of(m), b->x, ld, b->y, ld, e))
            return -1;
        calls++;
    } while (timings_now() - start < seconds_of(m));
    *rate = (double)calls / (timings_now() - start);
    return 0;
}

/* OpenBLAS, where the system has it: not needed to build. */
static int run_openblas(struct bench *b, struct measure *m, double *rate, struct error *e)
{
    typedef void gemm(int, int, int, int, int, int, float, const float *, int, const float *, int,
                      float, float *, int);
    typedef void gemv(int, int, int, int, float, const float *, int, const float *, int, float,
                      float *, int);
    static void *library;
    (void)e;
    if (!library)
        library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    gemm *product = library ? (gemm *)dlsym(library, "cblas_sgemm") : NULL;
    gemv *one = library ? (gemv *)dlsym(library, "cblas_sgemv") : NULL;
    void (*threads)(int) = library ? (void (*)(int))dlsym(library, "openblas_set_num_threads") : NULL;
    if (!product || !one || !threads) {
        snprintf(m->absent, sizeof m->absent, "there is no libopenblas.so.0");
        return 0;
    }
    const int n = (int)size_of(m);
    threads(1);
    size_t calls = 0;
    const double start = timings_now();
    do {
        if (one_row(m))
            one(101, 111, n, n, 1, b->wide, n, b->x, 1, 0, b->y, 1);
        else
            product(101, 111, 112, BATCH, n, n, 1, b->x, n, b->wide, n, 0, b->y, n);
        calls++;
    } while (timings_now() - start < seconds_of(m));
    *rate = (double)calls / (timings_now() - start);
    return 0;
}

/* ---- programs ---------------------------------------------------------------------------------- */

/* Texts a second of the whole program, reading included. */
static int run_perplexity(struct bench *b, struct measure *m, double *rate, struct error *e)
{
    const char *argv[] = {"kick-eval-perplexity", "-q", "-j", m->threads, "-d", m->text, m->model, NULL};
    double seconds;
    (void)b;
    const pid_t other = m->taken ? child_spin() : -1;
    const int result = child_run(argv, false, &seconds, &m->kilobytes, NULL, 0, e);
    child_stop(other);
    *rate = 1 / seconds;
    return result;
}

/* New tokens a second, from runs of few and of many, so that loading does not count. Of one thread the
 * time that it ran is taken: how long a file took to come, and who else ran, is left out. */
static int run_decode(struct bench *b, struct measure *m, double *rate, struct error *e)
{
    const int few = m->together ? TOGETHER_FEW : FEW, many = m->together ? TOGETHER_MANY : MANY;
    const int side = m->together ? TOGETHER : 1;
    char count[8], sides[8];
    snprintf(count, sizeof count, "%d", few);
    snprintf(sides, sizeof sides, "%d", side);
    const char *argv[] = {"kick-generate", "-q", "-j", m->threads, "-n", sides, "-B", sides,
                          "--ignore-eos", "--max-new", count, "-d", prompts, m->model, NULL};
    double a = 0, c = 0;
    (void)b;
    const pid_t other = m->taken ? child_spin() : -1;
    const bool busy = !strcmp(m->threads, "1");
    int result = child_run(argv, busy, &a, &m->kilobytes, NULL, 0, e);
    snprintf(count, sizeof count, "%d", many);
    result = result ? result : child_run(argv, busy, &c, &m->kilobytes, NULL, 0, e);
    child_stop(other);
    *rate = c > a ? side * (many - few) / (c - a) : NAN;
    return result;
}

/* Other software by way of bench.py, which prints a rate, or "absent" and why. */
static int run_other(struct bench *b, struct measure *m, double *rate, struct error *e)
{
    char script[4096], out[256] = "", n[24];
    const char *share = getenv("KICK_SHARE");
    snprintf(script, sizeof script, "%s/bench.py", share ? share : "lib/programs");
    snprintf(n, sizeof n, "%zu", size_of(m));
    const char *what = !strcmp(m->who, "transformers") ? directory
                       : !strcmp(m->who, "llama.cpp")  ? gguf
                       : !strcmp(m->who, "official")   ? official
                                                       : n;
    const char *argv[] = {python, script, m->who, m->task, m->option, what, NULL};
    double seconds;
    char *end;
    (void)b;
    if (child_run(argv, false, &seconds, &m->kilobytes, out, sizeof out, e)) {
        snprintf(m->absent, sizeof m->absent, "%.20s cannot run bench.py", python);
        return 0;
    }
    out[strcspn(out, "\n")] = 0;
    *rate = strtod(out, &end);
    if (end == out)
        snprintf(m->absent, sizeof m->absent, "%.70s", out);
    return 0;
}

/* ---- pruning ------------------------------------------------------------------------------------ */

static const char pruning[] = "SparseGPT 50 % of 1024 x 1024";
enum { PRUNED = 1024 };

/* From the Hessian's sum on, as the released code's fasterprune() does it. */
static int run_pruning(struct bench *b, struct measure *m, double *rate, struct error *e)
{
    struct hessian h = {0};
    struct factor f = {0};
    const size_t n = PRUNED, ld = sweep_stride(n);
    float *w = memory_new(n, ld * sizeof *w, "a matrix", e);
    float *x = memory_new(2 * n, panel_size(n) * sizeof *x, "activations", e);
    int result = -1;
    (void)m;
    if (!w || !x || hessian_new(&h, n, e))
        goto out;
    for (size_t i = 0; i < n * ld; i++)
        w[i] = i % ld < n ? bf16_to_f32(b->dense[i]) : 0;
    for (size_t i = 0; i < 2 * n * panel_size(n); i++)
        x[i] = bf16_to_f32(b->dense[i]);
    if (hessian_add(&h, b->kernels, NULL, 2 * n, x, panel_size(n), NULL, e))
        goto out;
    const struct factor_options o = {.damping = 0.01, .precision = FACTOR_AUTO};
    const double start = timings_now();
    if (factor_take(&f, &h, NULL, &o, b->kernels, NULL, e))
        goto out;
    struct sweep s = {.kernels = b->kernels, .factor = &f, .w = w, .rows = n, .cols = n, .block = 128,
                      .sparsity = 0.5};
    result = sweep_run(&s, e);
    *rate = 1 / (timings_now() - start);
out:
    free(w);
    free(x);
    hessian_free(&h);
    factor_free(&f);
    return result;
}

/* ---- what is measured --------------------------------------------------------------------------- */

/* Weights, activations: numbers of a linear congruential generator, about N(0, 0.02) and N(0, 1). */
static void fill(struct bench *b)
{
    uint64_t s = 1;
    for (size_t i = 0; i < (size_t)(size * size) + BATCH * (size_t)size; i++) {
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

/* One matrix in several encodings; few: a quarter of it for products of many rows. */
struct item {
    const char *name;
    struct matrix matrix, few;
};

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
    const size_t n = (size_t)size, half = n / 2, groups = (n + 127) / 128;
    const struct tensor whole = {.name = "bench", .rank = 2, .shape = {n, n}, .rows = n, .cols = n};
    const struct tensor part = {.name = "bench", .rank = 2, .shape = {half, half}, .rows = half, .cols = half};
    float *wide = b->wide;
    uint16_t *pruned = memory_new(n * n, sizeof *pruned, "a matrix", e);
    uint8_t *codes = memory_new(n * n, 1, "a matrix", e);
    float *scale = memory_new(n * groups, sizeof *scale, "a matrix", e);
    uint8_t *zero = memory_new(n * groups, 1, "a matrix", e);
    int result = -1;
    if (!pruned || !codes || !scale || !zero)
        goto out;
    values_to_f32(VALUES_BF16, b->dense, n * n, wide);
    for (int k = 0; k < WEIGHTS; k++) {
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
        for (int few = 0; few < 2; few++) {
            const struct tensor *like = few ? &part : &whole;
            const size_t cols = like->cols, per_row = (cols + 127) / 128;
            struct tensor_store store = {0};
            struct matrix *m = few ? &item[k].few : &item[k].matrix;
            for (size_t r = 0; kinds[k].bits && r < like->rows; r++)
                quantize_row(b->kernels, wide + r * cols, cols, 128, kinds[k].bits, false, codes + r * cols,
                             scale + r * per_row, zero + r * per_row);
            int failed =
                kinds[k].bits
                    ? tensor_encode_int(&store, like, kinds[k].bits, 128, codes, scale, zero, e)
                    : tensor_encode(&store, like, k ? VALUES_BF16 : VALUES_F32,
                                    k ? (void *)pruned : (void *)wide, kinds[k].encoding, 2, 4, e);
            failed = failed || matrix_pack(m, &store.tensor, NULL, e);
            tensor_store_free(&store);
            if (failed)
                goto out;
            matrix_settle(m);
        }
    }
    result = 0;
out:
    free(pruned);
    free(codes);
    free(scale);
    free(zero);
    return result;
}

static struct measure *add(struct bench *b, const char *task, const char *who, const char *weights,
                           enum limit limit, double work,
                           int (*run)(struct bench *, struct measure *, double *, struct error *))
{
    struct measure *m = &b->list[b->count++];
    *m = (struct measure){.task = task, .who = who, .limit = limit, .work = work, .run = run,
                          .threads = "1"};
    snprintf(m->weights, sizeof m->weights, "%s", weights);
    return m;
}

static const char *const tasks[2] = {"product of 512 rows", "product of one row"};

static void add_products(struct bench *b, const struct item *item)
{
    const bool wide = b->level >= CPU_AVX512;
    for (int one = 0; one < 2; one++) {
        const enum limit limit = one ? LIMIT_READ : LIMIT_FMA;
        const double all = (double)size * (double)size, weights = one ? all : all / 4;
        for (int k = 0; k < WEIGHTS; k++) {
            struct measure *m = add(b, tasks[one], "kick", item[k].name, limit,
                                    one ? (double)item[k].matrix.bytes : 2 * BATCH * weights,
                                    run_product);
            m->matrix = one ? &item[k].matrix : &item[k].few;
            m->first = k == 1;
            m->unit = "products/s";
            if (!one && k < 2)
                m->bar = (struct bar){1.1, tasks[0], "OpenBLAS", "f32"};
            if (one && (k == 3 || k == 5))
                m->bar = (struct bar){wide ? 1.4 : 1.15, tasks[1], "kick", "bf16"};
            if (one && k == 4)
                m->bar = (struct bar){1.6, tasks[1], "kick", "bf16"};
        }
        for (int k = 0; k < 3; k++) {
            struct measure *m = add(b, tasks[one], k ? "PyTorch" : "OpenBLAS", k < 2 ? "f32" : "bf16",
                                    limit, one ? (k < 2 ? 4 : 2) * weights : 2 * BATCH * weights,
                                    k ? run_other : run_openblas);
            m->option = m->weights;
            m->unit = "products/s";
        }
    }
}

/* Floating-point operations of a token, attention apart: two for each weight, those of the head with it. */
static double token_work(const struct model *m)
{
    return 2 * ((double)model_parameters(m, true) + (double)m->vocab * (double)m->hidden);
}

/* Floating-point operations of a whole text: weights and head, and the causal half of attention. */
static int text_work(const struct model *m, const char *text, double *work, struct error *e)
{
    struct stream_reader *r = NULL;
    double tokens = 0, pairs = 0;
    if (stream_open(&r, text, "text", NULL, e))
        return -1;
    struct stream_record record;
    int more;
    while ((more = stream_next(r, &record, e)) == 1) {
        const double n = (double)json_array_size(json_object_get(record.json, "ids"));
        tokens += n;
        pairs += n * n / 2;
    }
    stream_close(r);
    *work = token_work(m) * tokens + 4 * pairs * (double)(m->heads * m->head_dim * m->layers);
    return more < 0 ? -1 : 0;
}

/* Bytes of a stream's weights, packed, that one token reads: all matrices but an embedding that is no
 * head. */
static int token_bytes(const char *path, struct model *model, double *bytes, struct error *e)
{
    struct source s;
    struct tensor t;
    enum model_role role;
    size_t layer;
    int got;
    if (source_open(&s, path, NULL, e))
        return -1;
    *bytes = 0;
    while ((got = source_next(&s, &t, &role, &layer, e)) == 1) {
        struct matrix m = {0};
        const bool counts = t.rank == 2 && (role != ROLE_EMBEDDING || s.model.tied);
        const int bad = counts && matrix_pack(&m, &t, NULL, e);
        *bytes += (double)m.bytes;
        matrix_free(&m);
        tensor_free(&t);
        if (bad) {
            got = -1;
            break;
        }
    }
    *model = s.model;
    source_close(&s);
    return got < 0 ? error_prefix(e, "%s", path) : 0;
}

static const char perplexity[] = "perplexity", decoding[] = "decoding";

/* Those of the first model alone: longer windows, many prompts, two threads. */
static int add_dense(struct bench *b, const char *path, const char *name, const struct model *model,
                     double read, struct error *e)
{
    double more = 0;
    struct measure *m;
    if (longer) {
        if (text_work(model, longer, &more, e))
            return -1;
        m = add(b, "longer windows", "kick", name, LIMIT_FMA, more, run_perplexity);
        m->text = longer;
        m->bar.must = 0.75;
    }
    m = add(b, "64 prompts", "kick", name, LIMIT_FMA, token_work(model), run_decode);
    m->together = true;
    m->bar.must = 0.6;
    for (int k = 0; b->two && k < 4; k++) {
        static const char *const name_of[] = {"two threads: perplexity", "two threads: decoding",
                                              "core taken: perplexity",
                                              "core taken: decoding"};
        static const double must[] = {1.8, 0.75, 0.9, 0.7};
        const bool one = k % 2;
        m = add(b, name_of[k], "kick", name, one ? LIMIT_READ_TWO : LIMIT_FMA,
                k == 1 ? read : 0, one ? run_decode : run_perplexity);
        m->text = texts;
        m->threads = "2";
        m->taken = k >= 2;
        m->to = one ? decoding : perplexity;
        m->bar.must = must[k];
        if (k != 1) {
            m->bar.task = m->to;
            m->bar.who = "kick";
            m->bar.weights = name;
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        m = &b->list[i];
        m->model = m->model ? m->model : path;
        m->unit = m->unit ? m->unit : m->run == run_perplexity ? "texts/s" : "tokens/s";
    }
    return 0;
}

static int add_programs(struct bench *b, struct error *e)
{
    struct cli *c = b->cli;
    const bool wide = b->level >= CPU_AVX512;
    double work = 0, read = 0;
    for (int i = 0; i < c->operands; i++) {
        const char *path = c->operand_list[i], *slash = strrchr(path, '/');
        struct model model;
        double bytes;
        static char first[64];
        char name[64];
        if (token_bytes(path, &model, &bytes, e))
            return -1;
        snprintf(name, sizeof name, "%s", slash ? slash + 1 : path);
        name[strcspn(name, ".")] = 0;
        if (i == 0) {
            if (text_work(&model, texts, &work, e))
                return -1;
            read = bytes;
            snprintf(first, sizeof first, "%s", name);
        }
        struct measure *m = add(b, perplexity, "kick", name, LIMIT_FMA, work, run_perplexity);
        m->model = path;
        m->text = texts;
        m->first = i == 0;
        m->unit = "texts/s";
        if (i == 0)
            m->bar.must = 0.75;
        else if (!strncmp(name, "int4", 4))
            m->bar.must = 0.65;
        else if (!strcmp(name, "two-of-four"))
            m->bar = (struct bar){1.1, perplexity, "kick", first};
        m = add(b, decoding, "kick", name, LIMIT_READ, bytes, run_decode);
        m->model = path;
        m->first = i == 0;
        m->unit = "tokens/s";
        if (i == 0)
            m->bar.must = 0.75;
        else if (!strncmp(name, "int4", 4))
            m->bar = (struct bar){1.3, decoding, "llama.cpp", "q4_0"};
        else if (!strcmp(name, "bitmap-50") || !strcmp(name, "two-of-four"))
            m->bar = (struct bar){wide ? 1.4 : 1.15, decoding, "kick", first};
        else if (!strcmp(name, "bitmap-80"))
            m->bar = (struct bar){1.6, decoding, "kick", first};
        if (i == 0 && add_dense(b, path, first, &model, read, e))
            return -1;
    }
    for (int k = 0; k < 8; k++) {
        static const char *const type[] = {"f32", "bf16", "f16", "q4_0"};
        const bool one = k % 2, llama = k >= 4;
        if (!(llama ? gguf : directory) || !c->operands)
            continue;
        const double share[] = {2, 1, 1, 0}; /* q4_0 has some matrices in f16 */
        struct measure *m = add(b, one ? decoding : perplexity, llama ? "llama.cpp" : "transformers",
                                type[k / 2], one ? LIMIT_READ : LIMIT_FMA, one ? share[k / 2] * read : work,
                                run_other);
        m->option = m->weights;
        m->unit = one ? "tokens/s" : "texts/s";
    }
    return 0;
}

/* Every round: the limits, then all cases in turn. */
static int run_rounds(struct bench *b, size_t from, struct error *e)
{
    const size_t n = b->count - from;
    for (long r = 0; r < rounds; r++) {
        for (size_t i = from; i < b->count; i++) {
            struct measure *m = &b->list[i];
            if (i == from || m->limit != m[-1].limit)
                b->limit[m->limit][r] = limit_of(b, m->limit);
            if (!*m->absent && m->run(b, m, &m->rate[r], e))
                return -1;
            cli_progress(b->cli, (uint64_t)r * n + i - from + 1, (uint64_t)rounds * n, "cases");
        }
    }
    return 0;
}

/* ---- what is said ------------------------------------------------------------------------------ */

struct spread {
    double low, middle, high;
};

/* Of factor * a / b by round; b NULL: of a. */
static struct spread spread_of(const double *a, const double *b, double factor)
{
    double x[ROUNDS_MAX];
    size_t n = 0;
    for (long r = 0; r < rounds; r++) {
        x[n] = factor * a[r] / (b ? b[r] : 1);
        n += isfinite(x[n]) != 0; /* a round whose longer run was the shorter one says nothing */
    }
    if (n == 0)
        return (struct spread){NAN, NAN, NAN};
    const double middle = median(x, n);
    return (struct spread){x[0], middle, x[n - 1]};
}

/* The case of this name that is there; NULL. */
static const struct measure *find(const struct bench *b, const char *task, const char *who,
                                  const char *weights)
{
    for (size_t i = 0; i < b->count; i++)
        if (!strcmp(b->list[i].task, task) && !strcmp(b->list[i].who, who) &&
            !strcmp(b->list[i].weights, weights))
            return *b->list[i].absent ? NULL : &b->list[i];
    return NULL;
}

enum { NUMBERS = 10 };

static int put_row(struct bench *b, const struct measure *m, const double number[NUMBERS],
                   const char *bar_of, const char *verdict, struct error *e)
{
    sqlite3_stmt *s = NULL;
    if (b->db) {
        if (sqlite3_prepare_v2(b->db, "INSERT INTO bench VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1, &s,
                               NULL) != SQLITE_OK)
            return error_set(e, "%s: %s", database, sqlite3_errmsg(b->db));
        sqlite3_bind_text(s, 1, m->task, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, m->who, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 3, m->weights, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 4, m->unit, -1, SQLITE_STATIC);
        for (int i = 0; i < NUMBERS; i++)
            if (isfinite(number[i]) && !*m->absent)
                sqlite3_bind_double(s, 5 + i, number[i]);
        if (bar_of)
            sqlite3_bind_text(s, 15, bar_of, -1, SQLITE_STATIC);
        if (m->kilobytes)
            sqlite3_bind_double(s, 16, (double)m->kilobytes / 1024);
        sqlite3_bind_int64(s, 17, rounds);
        sqlite3_bind_text(s, 18, verdict, -1, SQLITE_STATIC);
        const int rc = sqlite3_step(s);
        sqlite3_finalize(s);
        if (rc != SQLITE_DONE)
            return error_set(e, "%s: %s", database, sqlite3_errmsg(b->db));
    }
    if (!b->writer)
        return 0;
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I}", "task", m->task, "who", m->who,
                             "weights", m->weights, "unit", m->unit, "verdict", verdict, "rounds",
                             (int)rounds, "maxrss_kib", (json_int_t)m->kilobytes);
    static const char *const key[] = {"rate",     "of_limit",   "of_limit_low", "of_limit_high",
                                      "to_first", "to_first_low", "to_first_high",
                                      "reads",    "reached",     "bar"};
    int result = json ? 0 : error_set(e, "no memory for a record");
    if (bar_of && !result)
        result = json_set(json, "bar_of", json_string(bar_of), e);
    for (int i = 0; i < NUMBERS && !result; i++)
        if (isfinite(number[i]) && !*m->absent)
            result = json_set(json, key[i], json_real(number[i]), e);
    result = result ? result : stream_write(b->writer, json, NULL, 0, e);
    json_decref(json);
    return result;
}

static int report(struct bench *b, const struct measure *m, struct error *e)
{
    const struct measure *first = NULL;
    for (size_t i = 0; i < b->count; i++)
        if (b->list[i].first && !strcmp(b->list[i].task, m->to ? m->to : m->task))
            first = &b->list[i];
    const struct spread rate = spread_of(m->rate, NULL, 1), none = {NAN, NAN, NAN};
    const struct spread limit = m->work > 0 ? spread_of(m->rate, b->limit[m->limit], m->work) : none;
    const struct spread to = first ? spread_of(m->rate, first->rate, 1) : none;
    /* The bar. */
    const struct bar *bar = &m->bar;
    const struct measure *other = bar->task ? find(b, bar->task, bar->who, bar->weights) : NULL;
    char bar_of[64] = "";
    double reached = NAN;
    if (bar->must > 0 && (!bar->task || other)) {
        if (bar->task)
            snprintf(bar_of, sizeof bar_of, "%.20s %.20s%s", bar->who, bar->weights,
                     m->to ? ", one thread" : "");
        else
            snprintf(bar_of, sizeof bar_of, "%s", limit_name[m->limit]);
        reached = bar->task ? spread_of(m->rate, other->rate, 1).middle : limit.middle;
    }
    /* Plainly: compressed weights that gain nothing. */
    const char *verdict = *m->absent           ? m->absent
                          : !first || m == first || strcmp(m->who, "kick") || m->to || !strcmp(m->weights, "f32") ? ""
                          : to.low > 1         ? "faster than dense bf16"
                          : to.middle > 1.02   ? "faster than dense bf16 in most rounds"
                                               : "NOT faster than dense bf16";
    printf("%-20s %-12s %-17s ", m->task, m->who, m->weights);
    if (*m->absent) {
        printf("left out: %s\n", m->absent);
    } else {
        printf("%9.2f %-10s", rate.middle, m->unit);
        if (m->work > 0)
            printf(" %.2f (%.2f to %.2f) of %s", limit.middle, limit.low, limit.high,
                   limit_name[m->limit]);
        if (first && m != first)
            printf("; %.2f (%.2f to %.2f) x %s%s", to.middle, to.low, to.high, first->weights,
                   m->to ? " of one thread" : "");
        if (m->limit != LIMIT_FMA && m->work > 0)
            printf("; reads %.1f MB", m->work / 1e6);
        if (m->kilobytes)
            printf("; %ld MiB", m->kilobytes / 1024);
        printf("%s%s", *verdict ? "; " : "", verdict);
        if (isfinite(reached))
            printf("; must be %.2f of %s: %s", bar->must, bar_of,
                   reached >= bar->must ? "reached" : "MISSED");
        printf("\n");
    }
    fflush(stdout);
    const double number[NUMBERS] = {
        rate.middle, limit.middle, limit.low, limit.high, to.middle, to.low, to.high,
        m->limit == LIMIT_FMA || m->work <= 0 ? NAN : m->work, reached,
        isfinite(reached) ? bar->must : NAN};
    return put_row(b, m, number, *bar_of ? bar_of : NULL, verdict, e);
}

static int run_and_report(struct bench *b, size_t from, struct error *e)
{
    if (run_rounds(b, from, e))
        return -1;
    for (size_t i = from; i < b->count; i++)
        if (report(b, &b->list[i], e))
            return -1;
    return 0;
}

static struct cli_option options[] = {
    {'n', "count", CLI_INT, &rounds, "N", "rounds; the median counts", .min = 1, .max = ROUNDS_MAX},
    {'l', "length", CLI_INT, &size, "L", "rows and columns of the matrices", .min = 128,
     .max = 16384},
    {'d', "data", CLI_TEXT, &texts, "TEXT", "with MODELs: ids to score, a text stream"},
    {0, "longer", CLI_TEXT, &longer, "TEXT", "with MODELs: ids in longer windows, for the first"},
    {0, "prompts", CLI_TEXT, &prompts, "TEXT", "with MODELs: 64 rows of ids to go on from"},
    {'m', "checkpoint", CLI_TEXT, &directory, "DIR", "the first MODEL's directory, for transformers"},
    {0, "gguf", CLI_TEXT, &gguf, "DIR", "the first MODEL as f16.gguf and q4_0.gguf, for llama.cpp"},
    {0, "official", CLI_TEXT, &official, "DIR", "the released code of SparseGPT"},
    {0, "python", CLI_TEXT, &python, "PROGRAM", "that has PyTorch and transformers"},
    {'D', "database", CLI_TEXT, &database, "FILE", "also write a table for the renderers"},
    {0},
};

/* The schema of results, empty, so that every renderer takes the file; and our one table. */
__asm__(".section .rodata\n"
        "bench_schema:\n"
        ".incbin \"analyze/schema.sql\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char bench_schema[];

static int open_database(struct bench *b, struct error *e)
{
    static const char table[] =
        "CREATE TABLE bench (task TEXT NOT NULL, who TEXT NOT NULL, weights TEXT NOT NULL, unit TEXT,"
        " rate REAL, of_limit REAL, of_limit_low REAL, of_limit_high REAL, to_first REAL,"
        " to_first_low REAL, to_first_high REAL, bytes REAL, reached REAL, bar REAL, bar_of TEXT,"
        " memory_mib REAL, rounds INTEGER, verdict TEXT) STRICT;"
        "BEGIN;";
    if (!access(database, F_OK))
        return error_set(e, "%s is there already; remove it or name another file", database);
    if (sqlite3_open(database, &b->db) != SQLITE_OK ||
        sqlite3_exec(b->db, bench_schema, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(b->db, table, NULL, NULL, NULL) != SQLITE_OK)
        return error_set(e, "%s: %s", database, sqlite3_errmsg(b->db));
    return 0;
}

static int run(struct cli *c, struct error *e)
{
    struct bench b = {.cli = c, .big_bytes = (size_t)96 << 20};
    struct item *item = NULL;
    struct output *output = NULL;
    json_t *header = NULL;
    int result = -1;
    const size_t n = (size_t)size;
    if (cpu_choose(&b.level, e))
        return -1;
    if (c->operands && (!texts || !prompts))
        return error_usage(e, "models need texts (-d) and prompts (--prompts)");
    if (c->operands > (LIST_MOST - 2 * WEIGHTS - 24) / 2)
        return error_usage(e, "%d models are too many", c->operands);
    /* A weight in all encodings, with what makes them, is 28 bytes; a row of activations, twice. */
    if (cli_memory(c, cli_memory_small(c) + b.big_bytes + 28 * (uint64_t)(n * n) + 2 * sizeof(float) * BATCH * n, e))
        return -1;
    b.kernels = kernels_of(b.level);
    b.list = memory_new(LIST_MOST, sizeof *b.list, "cases", e);
    item = memory_new(WEIGHTS, sizeof *item, "cases", e);
    b.big = memory_new(b.big_bytes, 1, "a buffer", e);
    if (!b.list || !item || !b.big || (database && open_database(&b, e)))
        goto out;
    memset(b.big, 1, b.big_bytes);
    cpu_set_t cores;
    if (!sched_getaffinity(0, sizeof cores, &cores) && CPU_COUNT(&cores) > 1 && pool_new(&b.two, 2, e))
        goto out;
    if (c->output) {
        header = stream_header_new("bench", NULL, NULL, c->name, c->revision, NULL, NULL, e);
        if (!header || json_set(header, "level", json_string(cpu_level_name(b.kernels->level)), e) ||
            output_open(&output, c->output, e) || stream_create(&b.writer, output, header, NULL, e))
            goto out;
    }
    printf("level %s, products of one row with %zu x %zu, of %d with %zu x %zu; medians of %ld rounds\n",
           cpu_level_name(b.kernels->level), n, n, BATCH, n / 2, n / 2, rounds);
    /* Programs first: what they take is only seen above what this process has ever taken. */
    if (add_programs(&b, e) || run_and_report(&b, 0, e))
        goto out;
    b.dense = memory_new(n * n, sizeof *b.dense, "a matrix", e);
    b.wide = memory_new(n * n, sizeof *b.wide, "a matrix", e);
    b.x = memory_new(BATCH * n, sizeof *b.x, "activations", e);
    b.y = memory_new(BATCH * panel_size(n), sizeof *b.y, "activations", e);
    if (!b.dense || !b.wide || !b.x || !b.y)
        goto out;
    fill(&b);
    if (make_items(&b, item, e))
        goto out;
    const size_t programs = b.count;
    add_products(&b, item);
    if (n >= 2 * PRUNED + 256) {
        add(&b, pruning, "kick", "f32", LIMIT_FMA, 0, run_pruning)->first = true;
        b.list[b.count - 1].unit = "matrices/s";
        if (official) {
            struct measure *m = add(&b, pruning, "official", "f32", LIMIT_FMA, 0, run_other);
            m->option = m->weights;
            m->unit = "matrices/s";
        }
    }
    if (run_and_report(&b, programs, e))
        goto out;
    if (b.writer && (stream_finish(b.writer, NULL, e) || output_commit(output, e)))
        goto out;
    if (b.db && sqlite3_exec(b.db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        error_set(e, "%s: %s", database, sqlite3_errmsg(b.db));
        goto out;
    }
    result = 0;
out:
    sqlite3_close(b.db);
    stream_writer_free(b.writer);
    output_free(output);
    json_decref(header);
    for (int k = 0; item && k < WEIGHTS; k++) {
        matrix_free(&item[k].matrix);
        matrix_free(&item[k].few);
    }
    pool_free(b.two);
    free(item);
    free(b.list);
    free(b.dense);
    free(b.wide);
    free(b.x);
    free(b.y);
    free(b.big);
    return result;
}

int main(int argc, char **argv)
{
    struct cli c = {.name = "bench",
                    .revision = 3,
                    .summary = "measure kernels and programs against the machine's limits, and others",
                    .operand = "[MODEL]...",
                    .flags = CLI_OUTPUT | CLI_TEXT_OUT | CLI_NO_INPUT | CLI_OPERANDS | CLI_MEMORY,
                    .options = options};
    return cli_main(&c, argc, argv, run);
}
