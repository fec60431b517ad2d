/* What the parts of the calibrated frame (calibrated.h) share: a run and its block. */
#ifndef KICK_CALIBRATED_RUN_H
#define KICK_CALIBRATED_RUN_H

#include "calibrated.h"
#include "spill.h"
#include "stream.h"
#include "timings.h"

enum { PROBES = 256 }; /* inputs, evenly spread over all tokens, on which errors are measured */

/* Sites are the inputs of projections: that of q, k, v; of o; then, of the MLP or of each expert, that
 * of gate and up, and that of down. The shared expert counts as one behind the others. */
enum { SITE_QKV, SITE_O, SITE_MLP, SITE_DOWN, SITE_KINDS };

static inline size_t site_kind(size_t site)
{
    return site < SITE_MLP ? site : SITE_MLP + site % 2;
}

static inline size_t site_number(size_t kind, size_t expert)
{
    return kind < SITE_MLP ? kind : kind + 2 * expert;
}

/* A record of the block at hand: as it came, or a projection on its way. */
struct item {
    json_t *json; /* the record; of a projection its further keys */
    unsigned char *data;
    size_t bytes;
    struct tensor like; /* a projection's name and shape; name borrowed from `name` */
    char *name;         /* NULL: no tensor */
    enum model_role role;
    size_t expert;
    bool projection, pruned, done;
    struct tensor_store store;
};

struct run {
    struct calibrated *c;
    struct stream_reader *in;
    struct stream_writer *out;
    struct output *output;
    struct tokenizer *tokenizer;
    struct timings *timings;
    struct calibration set;
    struct forward *forward;
    struct spill x;     /* (rows, stride): the inputs of the block at hand */
    float *dense_x;     /* (rows of a batch, stride): a copy that goes through the dense block */
    float *room;        /* of hessian_add() */
    size_t *row;        /* (samples + 1): first row of a sample */
    struct cache *cache;
    struct sequence *part;
    size_t caches;
    size_t entered; /* tensors before the blocks */
    bool embedded;  /* all of them */

    struct item *item;
    size_t items, capacity, written;
    struct block block;
    size_t layer;
    size_t sites;
    struct calibrated_site *site; /* (sites) */
    bool *active;                 /* (sites) */
    size_t step;   /* every step-th token is a probe */
    uint64_t work; /* samples that went through a block, for the progress */

    /* Probes of what goes through the block, (PROBES, stride): input, dense block's output. */
    float *probe_in, *probe_out;
    double lost, whole; /* squares: of the outputs' errors, and of what the dense block adds */
    double worst;       /* error of a block so far */
    bool probed;        /* they are those of the block at hand */

    struct part *earlier; /* --resume */
    double seconds[3];      /* of the block at hand: measuring, compressing, passing on */
};

/* ---- calibrated.c */
int run_write_copy(struct run *r, const json_t *json, const void *data, size_t bytes,
                   struct error *e);
/* The site of a projection's input. */
size_t run_site(const struct item *i);
/* The number of the expert that a role and a number among the routed ones tell. */
static inline size_t run_expert(const struct run *r, enum model_role role, size_t expert)
{
    return role == ROLE_SHARED_GATE || role == ROLE_SHARED_UP || role == ROLE_SHARED_DOWN
               ? r->c->model.experts
               : expert;
}
/* Columns of a site. */
size_t site_columns(const struct run *r, size_t site);

/* ---- calibrated_measure.c */
int site_new(struct run *r, size_t i, struct error *e);
/* After the last sample: what only measuring needs goes; a site that saw no token takes all its columns
 * for alike. */
void site_measured(struct run *r, size_t i);
void site_free(struct calibrated_site *s);
/* All samples through the block. While it is dense the inputs stay, the active sites are measured, and
 * (first) probes of inputs and outputs are kept; then the outputs take the inputs' place; behind the last
 * block, where nothing needs them, some samples go through it for its error alone. */
enum measure { MEASURE_FIRST, MEASURE_MORE, MEASURE_PASS_ON, MEASURE_ERROR };
int measure_block(struct run *r, enum measure what, struct error *e);
/* ||its outputs' errors|| / ||what the dense block adds to its inputs||, at the probes. */
double measure_error(const struct run *r);
/* Number of samples from `first` on that go through the block together. */
size_t measure_batch(const struct run *r, size_t first);

/* ---- calibrated_fold.c */
/* Asks the method for the folds of all sites and changes the vectors that they reach. */
int fold_block(struct run *r, struct error *e);
/* The scales by which a matrix's own outputs were divided for what follows, or NULL. */
const float *fold_rows(const struct run *r, const struct item *i);
/* Columns times what their inputs are divided by, rows divided by what follows is multiplied by. */
void fold_matrix(float *w, size_t ld, size_t rows, size_t cols, const float *in, const float *out);

/* ---- calibrated_part.c: what an earlier run has done (--resume). */
/* header: of the stream that is being made. */
int part_open(struct run *r, const json_t *header, struct error *e);
/* 1: the block's records were there; they are written, and the block computes with them. 0: they were
 * not. */
int part_take_block(struct run *r, struct error *e);
/* After a block: what is written is safe from a kill. */
int part_save(struct run *r, struct error *e);
/* After the commit: a part that is of no more use goes. */
void part_remove(struct run *r);
void part_free(struct part *p);

#endif
