/* The frame of the calibrated methods: a model stream in, a model stream out, block by block.
 *
 * For each block its tensors are collected; all calibration samples go through it with its dense
 * weights, while what enters the projections is measured; the projections are compressed and
 * written; the samples go through the compressed block, which gives the next block its inputs. (So
 * Wanda's, SparseGPT's and GPTQ's released code; --true-sequential takes {q, k, v}, {o}, {gate, up},
 * {down} one after another, each measured behind those already compressed.)
 *
 * Memory: one block, the activations of all samples (in a temporary file above a limit), the
 * statistics of a block's four inputs, and the working memory of one matrix. */
#ifndef KICK_CALIBRATED_H
#define KICK_CALIBRATED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calibration.h"
#include "cli.h"
#include "error.h"
#include "fallback.h"
#include "forward.h"
#include "hessian.h"
#include "model.h"
#include "pool.h"
#include "tensor.h"

enum calibrated_statistic {
    STATISTIC_SQUARES, /* sums of squares of each column */
    STATISTIC_ABSOLUTE, /* sums of absolute values, in the same place */
    STATISTIC_HESSIAN,
};

/* What was measured where several projections take their input: q, k, v; o; gate, up; down. */
struct calibrated_site {
    size_t cols;
    size_t samples, tokens;
    double *squares;        /* (cols): sum over the samples of an f32 sum over their tokens */
    struct hessian hessian; /* or this */
    struct factor factor;   /* of the Hessian, kept by the method; panel NULL: not made yet */
    uint32_t *order;        /* (cols) likewise; NULL: none */
    float *probe;           /* (probes, stride): some of the inputs, for the error */
    size_t probes, stride;
    bool unseen;      /* an expert that no token came to: all columns are alike */
    float *held;      /* (longest, stride): a sample that comes in pieces, */
    size_t held_rows; /* so far */
    /* Set by prepare(): weights behind the input are multiplied by fold (cols) before they are
     * compressed, what produces it is divided by it; NULL: as it is. */
    float *fold;
    double alpha;  /* the method's */
    float *folded; /* the probes divided by fold */
};

/* A projection to compress. */
struct calibrated_layer {
    const struct tensor *like; /* name, shape and type; no values */
    enum model_role role;
    size_t block;
    float *w;          /* (rows, sweep_stride(cols)), zeros beyond cols; the method may change it */
    bool pruned;       /* an earlier step removed weights: the zeros are to stay */
    struct calibrated_site *site;
    json_t *note;      /* of this step, to which the method may add */
};

/* What the programs are asked for. */
struct calibrated_options {
    struct calibration_options calibration;
    struct fallbacks fallbacks;
    bool resume, sequential;
    double damping; /* of methods with a Hessian, as are the next two */
    long block;
    bool f64;
};

#define CALIBRATED_DEFAULTS                                                                        \
    {.calibration = CALIBRATION_DEFAULTS, .damping = 0.01, .block = 128}
/* The options of all of them, for a table of struct cli_option; of those that can measure behind what is
 * compressed; and of those with a Hessian. */
#define CALIBRATED_OPTIONS(o)                                                                      \
    CALIBRATION_OPTIONS((o).calibration), FALLBACK_OPTION((o).fallbacks),                          \
    {                                                                                              \
        0, "resume", CLI_FLAG, &(o).resume, NULL, "keep blocks that are done; take up those of a run"\
    }
#define SEQUENTIAL_OPTION(o)                                                                       \
    {                                                                                              \
        0, "true-sequential", CLI_FLAG, &(o).sequential, NULL,                                     \
            "measure behind compressed matrices", .result = true                                   \
    }
#define HESSIAN_OPTIONS(o)                                                                         \
    {0, "damping", CLI_REAL, &(o).damping, "D", "share of H's mean diagonal to add to it",         \
     .min = 0, .max = 1, .result = true},                                                          \
        {0, "block", CLI_INT, &(o).block, "B", "columns of a block, a multiple of 16", .min = 16,  \
         .max = 1024, .result = true},                                                             \
        {0, "double", CLI_FLAG, &(o).f64, NULL, "factor H in double precision", .result = true},   \
        SEQUENTIAL_OPTION(o)

struct calibrated {
    struct cli *cli;
    struct calibrated_options *options;
    enum calibrated_statistic statistic;
    json_t *sides; /* side files beside the calibration text, for the id; borrowed, or NULL */
    uint64_t matrix_bytes; /* per weight of the largest matrix: the method's working memory */
    void *context;
    /* May be NULL: a last look at the options, once the model is known. */
    int (*check)(struct calibrated *c, struct error *e);
    /* May be NULL: true for a matrix that stays as it is. */
    bool (*skips)(struct calibrated *c, const char *name);
    /* May be NULL: sets a site's fold, for the `count` matrices behind it. Only asked where what
     * produces the input is linear in each channel: norm weights, v where each head has its own, up. */
    int (*prepare)(struct calibrated *c, struct calibrated_site *s, const struct matrix *const *m,
                   size_t count, struct error *e);
    /* May be NULL: called before a matrix is unpacked, when there is most room. */
    int (*ready)(struct calibrated *c, struct calibrated_site *s, struct error *e);
    /* Makes *out (which owns or borrows from nothing that is gone before the next call) from l. */
    int (*compress)(struct calibrated *c, struct calibrated_layer *l, struct tensor_store *out,
                    struct error *e);

    /* Filled by calibrated_run(): */
    struct pool *pool;
    const struct kernels *kernels;
    struct model model;
};

/* Runs the whole stage: reads cli_input(), writes cli->output. */
int calibrated_run(struct calibrated *c, struct error *e);

/* An encoded copy of l->w in the matrix's own float type: the buffers are the store's. */
int calibrated_floats(const struct calibrated_layer *l, enum tensor_encoding encoding, int n, int m,
                      struct tensor_store *out, struct error *e);

/* An int tensor from codes (rows, cols), scale and zero (rows, groups) and g_idx (cols, or NULL), all
 * copied. Where zeros of a pruned matrix are to stay and a mask saves bytes, it gets one. */
int calibrated_codes(const struct calibrated_layer *l, int bits, size_t groups, size_t group,
                     const uint8_t *codes, const float *scale, const uint8_t *zero,
                     const int32_t *g_idx, struct tensor_store *out, struct error *e);

/* For ready(): the factor of a site's Hessian (with by_diagonal of its columns by descending
 * diagonal, s->order), made once for all that share the input; the Hessian is dropped. */
int calibrated_factor(struct calibrated *c, struct calibrated_site *s, bool direct, bool by_diagonal,
                      struct error *e);
/* What there is to tell about it, in the layer's note. */
int calibrated_factor_note(struct calibrated *c, struct calibrated_layer *l, struct error *e);

#endif
