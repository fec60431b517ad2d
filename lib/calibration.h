/* The calibration set: token ids on which activations are measured, drawn from a text stream.
 *
 * Documents: `samples` cuts of `length` ids each.
 *   python   as the released code of Wanda and LLM-KICK draws them: seed once; draw documents
 *            uniformly until one, tokenized with BOS, has more than `length` ids; the sample starts
 *            at randint(0, ids - length - 1). (A document of exactly `length` ids, with which the
 *            release fails, is passed over and counted.)
 *   counter  BOS, then length - 1 ids from a document drawn by counter-based numbers, which depend
 *            on (seed, number of the sample) alone.
 * Rows of ids: each of the first `samples` rows is one sample as it is; length, seed and draw do not
 * apply. */
#ifndef KICK_CALIBRATION_H
#define KICK_CALIBRATION_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "model.h"
#include "stream.h"
#include "tokenizer.h"

struct calibration_options {
    const char *path; /* -c: a text stream */
    long samples;     /* -n: 128 */
    long length;      /* -l: 0 stands for min(2048, the model's positions) */
    long seed;        /* -S: 0 */
    const char *draw; /* --draw: "python" or "counter" */
};

/* The options that all calibrated programs share, for a table of struct cli_option. */
#define CALIBRATION_DEFAULTS {NULL, 128, 0, 0, "python"}
#define CALIBRATION_OPTIONS(o)                                                                     \
    {'c', "calibration", CLI_TEXT, &(o).path, "DATA", "text stream to calibrate on (needed)"},     \
        {'n', "count", CLI_INT, &(o).samples, "N", "calibration samples", .min = 1, .max = 1e9,    \
         .result = true},                                                                          \
        {'l', "length", CLI_INT, &(o).length, "L",                                                 \
         "tokens of a sample [min(2048, the model's positions)]", .min = 2, .max = 1 << 24,        \
         .result = true},                                                                          \
        {'S', "seed", CLI_INT, &(o).seed, "S", "seed of the draws", .min = 0, .max = 0x1p53,       \
         .result = true},                                                                          \
    {                                                                                              \
        0, "draw", CLI_CHOICE, &(o).draw, "HOW", "python (the released code's) or counter",        \
            .choices = "python|counter", .result = true                                            \
    }

struct calibration_sample {
    int32_t *ids;
    size_t count;
    size_t document, start; /* where it was cut */
};

struct calibration {
    struct calibration_sample *sample;
    size_t count;
    size_t longest, tokens;
    size_t rejected;  /* draws of documents that were too short */
    size_t passed_over; /* draws of documents of exactly `length` ids */
    bool ids;           /* rows of ids were given */
};

/* Reads the stream and draws. tokenizer may be NULL where rows of ids are given. */
int calibration_read(struct calibration *c, const struct calibration_options *o,
                     const struct model *m, const struct tokenizer *tokenizer, struct error *e);
void calibration_free(struct calibration *c);

#endif
