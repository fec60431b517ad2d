/* The frame of a program that turns one model stream into another: header and history, everything
 * but the projections copied as it is, one tensor in memory. */
#ifndef KICK_FILTER_H
#define KICK_FILTER_H

#include "cli.h"
#include "error.h"
#include "model.h"
#include "pool.h"
#include "stream.h"
#include "tensor.h"

struct filter {
    struct cli *cli;
    struct pool *pool;
    struct stream_reader *in;
    struct stream_writer *out;
    struct model model;
    void *context;
    /* Called for each projection matrix; writes it to `out` with `extra` (its record's further keys,
     * to which it may add). */
    int (*projection)(struct filter *f, const struct tensor *t, json_t *extra, struct error *e);
    size_t projections; /* how many there were */
};

/* Runs the whole stage: reads cli_input(), writes cli->output. */
int filter_run(struct filter *f, struct error *e);

/* Appends `entry` (stolen) to the list under the key "compression" of extra: what a step did to this
 * tensor. */
int filter_note(json_t *extra, json_t *entry, struct error *e);

/* Writes a compressed projection with a note of its sparsity and bits per weight. */
int filter_write(struct filter *f, const struct tensor *t, json_t *extra, struct error *e);

#endif
