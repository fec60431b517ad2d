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
    /* May be NULL: a last look at the options, once the model is known. */
    int (*check)(struct filter *f, struct error *e);
    json_t *sides;      /* side files, for the id; borrowed, or NULL */
    bool codes;         /* projections become codes */
    bool announced;     /* the need of memory was said */
    size_t projections; /* how many there were */
};

/* Runs the whole stage: reads cli_input(), writes cli->output. */
int filter_run(struct filter *f, struct error *e);

/* Appends `entry` (stolen) to the list under the key "compression" of extra: what a step did to this
 * tensor. */
int filter_note(json_t *extra, json_t *entry, struct error *e);

/* A record's keys (a new object) that tensor_write() does not make itself; NULL on error. */
json_t *filter_extra_keys(const json_t *record, struct error *e);

/* Writes a compressed projection; its sparsity and bits per weight join the note (stolen) of what the
 * step did, which may be NULL. */
int filter_write(struct filter *f, const struct tensor *t, json_t *extra, json_t *note,
                 struct error *e);

#endif
